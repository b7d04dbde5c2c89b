//! A document's JSON into a workflow, field by field: every mistake noted, what is unknown kept.

use std::time::Duration;

use serde_json::{Map, Value};

use super::place::{DocumentPlaces, Key};
use super::{DocumentFault, FRIENDLY_NAME, KNOWN_WORKER};
use crate::router::{FilterSpec, KnownWorker, StepSpec, WhenNobody, WorkerKey, WorkflowSpec};

/// Faults as they are found; the first ones only, for nobody reads more.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) faults: Vec<DocumentFault>,
}

impl Notes {
    const MOST: usize = 100;

    pub(super) fn push(&mut self, fault: impl FnOnce() -> DocumentFault) {
        if self.faults.len() < Self::MOST {
            self.faults.push(fault());
        }
    }
}

pub(super) struct Reader<'t> {
    pub(super) places: DocumentPlaces<'t>,
    pub(super) errors: Notes,
    pub(super) doubts: Notes,
}

impl Reader<'_> {
    /// Reads a document's value as far as it can be read.
    pub(super) fn read_workflow(&mut self, name: &str, value: Value) -> WorkflowSpec {
        let mut workflow = WorkflowSpec {
            skip_when_nobody: WhenNobody::Wait,
            default: None,
            ..WorkflowSpec::new(name, "")
        };
        let help =
            "it looks like {\"task_routing\": {\"filters\": [...], \"default_filter\": {...}}}";
        let Value::Object(mut outer) = value else {
            self.error(
                &[],
                format!("a document is an object, not {}", word(&value)),
                help,
            );
            return workflow;
        };
        let way = [Key::Name("task_routing")];
        let mut routing = match outer.shift_remove("task_routing") {
            Some(Value::Object(routing)) => routing,
            None => {
                self.error(&[], "a document needs `task_routing`".to_owned(), help);
                return workflow;
            }
            Some(other) => {
                let message = format!("`task_routing` is an object, not {}", word(&other));
                self.error(&way, message, help);
                return workflow;
            }
        };
        if let Some(filters) = self.list(&way, &mut routing, "filters") {
            for (place, filter) in filters.into_iter().enumerate() {
                let way = [way[0], Key::Name("filters"), Key::Place(place)];
                let filter = self.read_filter(&way, filter);
                workflow.filters.push(filter);
            }
        }
        workflow.default = match routing.shift_remove("default_filter") {
            None | Some(Value::Null) => None,
            Some(Value::Object(default)) => {
                Some(self.read_default(&[way[0], Key::Name("default_filter")], default))
            }
            Some(other) => {
                let message = format!("`default_filter` is an object, not {}", word(&other));
                let way = [way[0], Key::Name("default_filter")];
                self.error(&way, message, "write {\"queue\": \"WQ...\"}");
                None
            }
        };
        self.doubt_unknown(&way, &routing, &["filters", "default_filter"]);
        if !routing.is_empty() {
            outer.insert("task_routing".to_owned(), Value::Object(routing));
        }
        workflow.unknown = outer;
        workflow
    }

    fn read_filter(&mut self, way: &[Key<'_>], filter: Value) -> FilterSpec {
        let Value::Object(mut fields) = filter else {
            let message = format!("a filter is an object, not {}", word(&filter));
            let help = "write {\"expression\": \"...\", \"targets\": [...]}";
            self.error(way, message, help);
            // Keeps the places of the others.
            return FilterSpec {
                steps: vec![StepSpec::new(UNREADABLE)],
                ..FilterSpec::default()
            };
        };
        let name = self.text(way, &mut fields, FRIENDLY_NAME[0]);
        let name = name.or_else(|| self.text(way, &mut fields, FRIENDLY_NAME[1]));
        if !fields.contains_key("expression") {
            let help = "add \"expression\": \"1==1\" to take every task";
            self.error(way, "a filter needs `expression`".to_owned(), help);
        }
        let expression = self.text(way, &mut fields, "expression");
        let mut steps: Vec<StepSpec> = Vec::new();
        if !matches!(
            fields.get("targets"),
            None | Some(Value::Null | Value::Array(_))
        ) {
            steps.push(StepSpec::new(UNREADABLE));
        }
        let targets = self.list(way, &mut fields, "targets").unwrap_or_default();
        for (place, target) in targets.into_iter().enumerate() {
            let way = [way, &[Key::Name("targets"), Key::Place(place)]].concat();
            let Value::Object(target) = target else {
                let message = format!("a target is an object, not {}", word(&target));
                self.error(&way, message, "write {\"queue\": \"WQ...\"}");
                steps.push(StepSpec::new(UNREADABLE));
                continue;
            };
            let inherited = steps.last().map(|step| step.queue.clone());
            let step = self.read_target(&way, target, inherited);
            steps.push(step);
        }
        self.doubt_unknown(
            way,
            &fields,
            &["expression", "targets", "filter_friendly_name"],
        );
        FilterSpec {
            name: name.unwrap_or_default(),
            expression: expression.unwrap_or_default(),
            steps,
            unknown: fields,
        }
    }

    /// The default filter: a target without a timeout, or a list of one.
    fn read_default(&mut self, way: &[Key<'_>], mut fields: Map<String, Value>) -> StepSpec {
        let nested = match fields.get_mut("targets") {
            Some(Value::Array(targets)) if targets.len() == 1 => targets.pop(),
            _ => None,
        };
        let (way, mut fields) = match nested {
            Some(Value::Object(mut target)) => {
                fields.shift_remove("targets");
                target.extend(fields);
                let way = [way, &[Key::Name("targets"), Key::Place(0)]].concat();
                (way, target)
            }
            _ if fields.contains_key("targets") => {
                let help = "write {\"queue\": \"WQ...\"} without `targets`";
                let message = "the default filter has one target".to_owned();
                self.error(way, message, help);
                return StepSpec::new(UNREADABLE);
            }
            _ => (way.to_vec(), fields),
        };
        // Kept as it stands: who comes here waits for as long as he lives.
        let timeout = fields.shift_remove("timeout");
        if timeout.is_some() {
            let way = [&way[..], &[Key::Name("timeout")]].concat();
            let message = "the default filter has no timeout: this one is not looked at";
            self.doubt(&way, message.to_owned(), "delete it");
        }
        let mut step = self.read_target(&way, fields, None);
        if let Some(timeout) = timeout {
            step.unknown.insert("timeout".to_owned(), timeout);
        }
        step
    }

    fn read_target(
        &mut self,
        way: &[Key<'_>],
        mut fields: Map<String, Value>,
        inherited: Option<String>,
    ) -> StepSpec {
        let is_told = !matches!(
            fields.get("queue"),
            None | Some(Value::Null | Value::String(_))
        );
        let queue = self.text(way, &mut fields, "queue").or(inherited);
        let queue = queue.unwrap_or_else(|| {
            if is_told {
                return UNREADABLE.to_owned();
            }
            let help = "add \"queue\" with a queue's name or sid; later targets inherit it";
            self.error(way, "the first target needs `queue`".to_owned(), help);
            UNREADABLE.to_owned()
        });
        let mut step = StepSpec {
            queue,
            expression: self.text(way, &mut fields, "expression"),
            priority: self.number(way, &mut fields, "priority", whole),
            timeout: self.number(way, &mut fields, "timeout", duration),
            order_by: self.text(way, &mut fields, "order_by"),
            skip_if: self.text(way, &mut fields, "skip_if"),
            known_worker: self.read_known_worker(way, &mut fields),
            unknown: Map::new(),
        };
        self.doubt_unknown(way, &fields, &TARGET);
        step.unknown = fields;
        step
    }

    fn read_known_worker(
        &mut self,
        way: &[Key<'_>],
        fields: &mut Map<String, Value>,
    ) -> Option<KnownWorker> {
        let keys = [WorkerKey::Sid, WorkerKey::Name];
        let mut known = None;
        for (key, by) in KNOWN_WORKER.into_iter().zip(keys) {
            let way = [way, &[Key::Name(key)]].concat();
            let path = match fields.get(key) {
                None => continue,
                Some(Value::Null) => {
                    fields.shift_remove(key);
                    let help = "delete the field to take everybody of the queue";
                    self.doubt(&way, format!("`{key}` is null: nobody is taken here"), help);
                    "null".to_owned()
                }
                Some(_) => match self.text(&way[..way.len() - 1], fields, key) {
                    Some(path) => path,
                    None => continue,
                },
            };
            match &known {
                None => known = Some(KnownWorker { path, by }),
                // Two that are null say one thing.
                Some(KnownWorker { path: other, .. }) if *other == path && path == "null" => {}
                Some(_) => {
                    let message = "a target names one known worker".to_owned();
                    self.error(&way, message, "delete one of the two");
                }
            }
        }
        known
    }

    /// A text; `None` too when it is null or empty.
    fn text(
        &mut self,
        way: &[Key<'_>],
        fields: &mut Map<String, Value>,
        key: &str,
    ) -> Option<String> {
        match fields.shift_remove(key)? {
            Value::Null => None,
            Value::String(text) => (!text.trim().is_empty()).then_some(text),
            other => {
                let message = format!("`{key}` is text, not {}", word(&other));
                let help = "write it in double quotes";
                self.error(&[way, &[Key::Name(key)]].concat(), message, help);
                None
            }
        }
    }

    /// A number, or a text that is one; `None` too when it is null or empty.
    fn number<T>(
        &mut self,
        way: &[Key<'_>],
        fields: &mut Map<String, Value>,
        key: &str,
        read: fn(&Value) -> Result<T, &'static str>,
    ) -> Option<T> {
        let value = match fields.shift_remove(key)? {
            Value::Null => return None,
            Value::String(text) if text.trim().is_empty() => return None,
            Value::String(text) => {
                let number = serde_json::from_str(text.trim());
                number.unwrap_or(Value::String(text))
            }
            other => other,
        };
        match read(&value) {
            Ok(number) => Some(number),
            Err(help) => {
                let message = match &value {
                    Value::Number(number) => format!("`{key}` cannot be {number}"),
                    other => format!("`{key}` is a number, not {}", word(other)),
                };
                self.error(&[way, &[Key::Name(key)]].concat(), message, help);
                None
            }
        }
    }

    fn list(
        &mut self,
        way: &[Key<'_>],
        fields: &mut Map<String, Value>,
        key: &str,
    ) -> Option<Vec<Value>> {
        match fields.shift_remove(key)? {
            Value::Null => None,
            Value::Array(items) => Some(items),
            other => {
                let message = format!("`{key}` is a list, not {}", word(&other));
                let help = format!("write \"{key}\": [...]");
                self.error(&[way, &[Key::Name(key)]].concat(), message, &help);
                None
            }
        }
    }

    /// Unknown fields are kept; one that looks like a known one misspelt is told of.
    fn doubt_unknown(&mut self, way: &[Key<'_>], fields: &Map<String, Value>, known: &[&str]) {
        // Longer than any field there is, with two slips in it.
        const LONGEST: usize = 32;
        for name in fields.keys().filter(|name| name.len() <= LONGEST) {
            let written = name.to_lowercase();
            let length = written.chars().count();
            let is_near = |known: &str| {
                known.len().abs_diff(length) <= 2
                    && strsim::damerau_levenshtein(known, &written) <= 2
            };
            let meant = known.iter().find(|known| is_near(known));
            if let Some(meant) = meant.filter(|meant| *meant != name) {
                let way = [way, &[Key::Name(name)]].concat();
                let message = format!("`{name}` means nothing here and is only kept");
                self.doubt(&way, message, &format!("did you mean `{meant}`?"));
            }
        }
    }

    fn error(&mut self, way: &[Key<'_>], message: String, help: &str) {
        let places = &self.places;
        self.errors.push(|| places.fault(way, message, help));
    }

    fn doubt(&mut self, way: &[Key<'_>], message: String, help: &str) {
        let places = &self.places;
        self.doubts.push(|| places.fault(way, message, help));
    }
}

fn whole(value: &Value) -> Result<i64, &'static str> {
    let fraction = || value.as_f64().filter(|number| number.fract() == 0.0);
    let number = value.as_i64().or_else(|| {
        // Exact: beyond this no float is a priority anybody wrote.
        let number = fraction().filter(|number| number.abs() < 9e15)?;
        Some(number as i64)
    });
    number.ok_or("write a whole number, such as 5")
}

/// Seconds, to the millisecond.
fn duration(value: &Value) -> Result<Duration, &'static str> {
    let help = "write seconds, such as 10";
    let exact = value.as_u64().map(Duration::from_secs);
    let number = || {
        let millis = (value.as_f64()? * 1000.0).round();
        (0.0..9e15)
            .contains(&millis)
            .then(|| Duration::from_millis(millis as u64))
    };
    exact.or_else(number).ok_or(help)
}

fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Stands for the queue of what could not be read, so that the rest still is.
const UNREADABLE: &str = "?";
/// Fields of a target.
const TARGET: [&str; 8] = [
    "queue",
    "expression",
    "priority",
    "timeout",
    "order_by",
    "skip_if",
    "known_worker_sid",
    "known_worker_friendly_name",
];
