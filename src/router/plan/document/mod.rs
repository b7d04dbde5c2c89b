//! Workflows as TaskRouter writes them: the JSON document that loads unchanged and is printed
//! again with everything it says (requirements, section 2.2).

mod place;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde_json::{Map, Value, json};

use place::{Key, locate};

use super::fault::{WorkflowPart, WorkflowSpot};
use super::{FilterSpec, KnownWorker, QueueSpec, StepSpec, WhenNobody, WorkerKey, WorkflowSpec};
use crate::router::At;

/// A document as read.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The workflow. Its queues are named as the document names them, by name or by sid:
    /// [`WorkflowSpec::resolve`] follows.
    pub workflow: WorkflowSpec,
    /// What was doubtful but taken.
    pub doubts: Vec<DocumentFault>,
}

/// One thing wrong or doubtful in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentFault {
    /// Where, in bytes.
    pub span: Range<usize>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Where, such as `task_routing.filters[1].targets[0].timeout`; empty for all of it.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Document {
    /// Longest document in bytes; TaskRouter takes a little less.
    pub const LONGEST: usize = 1 << 20;

    /// Reads a document. Expressions and ranges are checked as well; whether the queues exist is
    /// the plan's to say.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<DocumentFault>> {
        let body = text.strip_prefix('\u{feff}').unwrap_or(text);
        let start = text.len() - body.len();
        if text.len() > Self::LONGEST {
            let message = format!("longer than {} bytes", Self::LONGEST);
            let help = "make two workflows of it";
            let span = Self::LONGEST..text.len();
            return Err(vec![DocumentFault::new(text, span, &[], message, help)]);
        }
        let value: Value = serde_json::from_str(body).map_err(|error| {
            let at = start + offset(body, error.line(), error.column());
            let words = error.to_string();
            let words = words.split(" at line ").next().unwrap_or_default();
            let help = match error.is_eof() {
                true => "the document ends too early: close its brackets and quotes",
                false => "JSON has \"names\" in double quotes, commas between, none at the end",
            };
            let message = format!("not JSON: {words}");
            vec![DocumentFault::new(text, at..at + 1, &[], message, help)]
        })?;
        let mut reader = Reader {
            text,
            errors: Notes::default(),
            doubts: Notes::default(),
        };
        let workflow = reader.read_workflow(name, value);
        let is_read = reader.errors.faults.is_empty();
        for fault in workflow.faults() {
            // Of what could not be read nothing more can be said as a whole.
            if !is_read && fault.spot == WorkflowSpot::of(WorkflowPart::Whole) {
                continue;
            }
            let (span, path) = Self::place(text, &fault.spot);
            let path: Vec<Key<'_>> = path.iter().map(OwnedKey::as_key).collect();
            reader
                .errors
                .push(|| DocumentFault::new(text, span, &path, fault.message, fault.help));
        }
        match reader.errors.faults.is_empty() {
            true => Ok(Self {
                workflow,
                doubts: reader.doubts.faults,
            }),
            false => Err(reader.errors.faults),
        }
    }

    /// Where in a document, in bytes, something of its workflow stands; what is around it when it
    /// is not written. The text is one that [`Document::parse`] read.
    pub fn span_of(text: &str, spot: &WorkflowSpot) -> Range<usize> {
        Self::place(text, spot).0
    }

    fn place(text: &str, spot: &WorkflowSpot) -> (Range<usize>, Vec<OwnedKey>) {
        let routing = Key::Name("task_routing");
        let mut ways: Vec<Vec<Key<'_>>> = match spot.part {
            WorkflowPart::Whole => vec![vec![routing]],
            WorkflowPart::Filter(filter) => {
                vec![vec![routing, Key::Name("filters"), Key::Place(filter)]]
            }
            WorkflowPart::Step(At::Filter(filter, step)) => {
                let targets = [Key::Name("targets"), Key::Place(step)];
                let filter = [routing, Key::Name("filters"), Key::Place(filter)];
                vec![[&filter[..], &targets[..]].concat()]
            }
            WorkflowPart::Step(At::Default) => {
                let default = vec![routing, Key::Name("default_filter")];
                let targets = [Key::Name("targets"), Key::Place(0)];
                vec![[&default[..], &targets[..]].concat(), default]
            }
        };
        let names: &[&str] = match spot.key {
            None => &[],
            Some("known_worker") => &KNOWN_WORKER,
            Some("name") => &FRIENDLY_NAME,
            Some("steps") => &["targets"],
            Some(key) => &[key],
        };
        if !names.is_empty() {
            let keyed = ways.iter().flat_map(|way| {
                let name = |name: &&'static str| [&way[..], &[Key::Name(name)]].concat();
                names.iter().map(name)
            });
            ways = keyed.collect();
        }
        // The longest part of a way that is written.
        let mut best = (0..text.len().min(1), Vec::new());
        for way in ways {
            let (span, length) = locate(text, &way);
            if length > best.1.len() || best.1.is_empty() {
                best = (span, way[..length].to_vec());
            }
        }
        let (mut span, way) = best;
        let written = text.get(span.clone()).unwrap_or_default();
        // With escapes, places in the value are not places in the text.
        if let Some(part) = &spot.span
            && written.starts_with('"')
            && !written.contains('\\')
        {
            let inside = |at: usize| (span.start + 1 + at).min(span.end);
            span = inside(part.start)..inside(part.end);
        }
        (span, way.iter().map(OwnedKey::from).collect())
    }
}

impl WorkflowSpec {
    /// The document that says the same. Queues are named by their sid where they have one.
    ///
    /// A document cannot say [`WorkflowSpec::lenient`], `skip_when_nobody` and the bounds of
    /// tasks and offers.
    pub fn to_document(&self, queues: &[QueueSpec]) -> Value {
        let filters = self.filters.iter().map(|filter| {
            let mut printed = Map::new();
            if !filter.name.is_empty() {
                printed.insert(FRIENDLY_NAME[0].to_owned(), json!(filter.name));
            }
            printed.insert("expression".to_owned(), json!(filter.expression));
            let steps = filter.steps.iter().map(|step| step.to_target(queues));
            printed.insert("targets".to_owned(), steps.collect());
            with(printed, &filter.unknown)
        });
        let mut routing = Map::new();
        routing.insert("filters".to_owned(), filters.collect());
        if let Some(default) = &self.default {
            routing.insert("default_filter".to_owned(), default.to_target(queues));
        }
        let mut unknown = self.unknown.clone();
        if let Some(Value::Object(inner)) = unknown.shift_remove("task_routing") {
            routing.extend(inner);
        }
        let mut printed = Map::new();
        printed.insert("task_routing".to_owned(), Value::Object(routing));
        with(printed, &unknown)
    }
}

impl StepSpec {
    fn to_target(&self, queues: &[QueueSpec]) -> Value {
        let queue = queues.iter().find(|queue| queue.name == self.queue);
        let queue = queue
            .and_then(|queue| queue.sid.as_ref())
            .unwrap_or(&self.queue);
        let mut printed = Map::new();
        let mut print = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                printed.insert(key.to_owned(), value);
            }
        };
        print("queue", Some(json!(queue)));
        print("expression", self.expression.as_ref().map(|it| json!(it)));
        print("priority", self.priority.map(|it| json!(it)));
        print("timeout", self.timeout.map(seconds));
        print("order_by", self.order_by.as_ref().map(|it| json!(it)));
        print("skip_if", self.skip_if.as_ref().map(|it| json!(it)));
        if let Some(KnownWorker { path, by }) = &self.known_worker {
            let path = (path != "null").then_some(path);
            match by {
                WorkerKey::Sid => print(KNOWN_WORKER[0], Some(json!(path))),
                WorkerKey::Name => print(KNOWN_WORKER[1], Some(json!(path))),
            }
        }
        with(printed, &self.unknown)
    }
}

fn with(mut printed: Map<String, Value>, unknown: &Map<String, Value>) -> Value {
    printed.extend(unknown.clone());
    Value::Object(printed)
}

/// Whole seconds as a whole number.
fn seconds(duration: Duration) -> Value {
    match duration.subsec_nanos() {
        0 => json!(duration.as_secs()),
        _ => json!(duration.as_secs_f64()),
    }
}

/// Faults as they are found; the first ones only, for each costs a walk through the text.
#[derive(Default)]
struct Notes {
    faults: Vec<DocumentFault>,
}

impl Notes {
    const MOST: usize = 100;

    fn push(&mut self, fault: impl FnOnce() -> DocumentFault) {
        if self.faults.len() < Self::MOST {
            self.faults.push(fault());
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    errors: Notes,
    doubts: Notes,
}

impl Reader<'_> {
    fn read_workflow(&mut self, name: &str, value: Value) -> WorkflowSpec {
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
        for name in fields.keys() {
            let distance = |known: &str| strsim::damerau_levenshtein(known, &name.to_lowercase());
            let meant = known.iter().find(|known| distance(known) <= 2);
            if let Some(meant) = meant.filter(|meant| *meant != name) {
                let way = [way, &[Key::Name(name)]].concat();
                let message = format!("`{name}` means nothing here and is only kept");
                self.doubt(&way, message, &format!("did you mean `{meant}`?"));
            }
        }
    }

    fn error(&mut self, way: &[Key<'_>], message: String, help: &str) {
        let text = self.text;
        let fault = || DocumentFault::new(text, locate(text, way).0, way, message, help);
        self.errors.push(fault);
    }

    fn doubt(&mut self, way: &[Key<'_>], message: String, help: &str) {
        let text = self.text;
        let fault = || DocumentFault::new(text, locate(text, way).0, way, message, help);
        self.doubts.push(fault);
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

impl DocumentFault {
    fn new(
        text: &str,
        span: Range<usize>,
        way: &[Key<'_>],
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let start = floor_char_boundary(text, span.start);
        let span = start..floor_char_boundary(text, span.end.max(start));
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: 1 + before.bytes().filter(|&byte| byte == b'\n').count(),
            column: 1 + before[line_start..].chars().count(),
            path: show(way),
            message: message.into(),
            help: help.into(),
            span,
        }
    }
}

impl fmt::Display for DocumentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = (self.line, self.column);
        write!(f, "line {line}, column {column}")?;
        if !self.path.is_empty() {
            write!(f, " ({})", self.path)?;
        }
        write!(f, ": {}: {}", self.message, self.help)
    }
}

impl std::error::Error for DocumentFault {}

/// A step of a way on its own.
struct OwnedKey(Result<String, usize>);

impl From<&Key<'_>> for OwnedKey {
    fn from(key: &Key<'_>) -> Self {
        Self(match key {
            Key::Name(name) => Ok((*name).to_owned()),
            Key::Place(place) => Err(*place),
        })
    }
}

impl OwnedKey {
    fn as_key(&self) -> Key<'_> {
        match &self.0 {
            Ok(name) => Key::Name(name),
            Err(place) => Key::Place(*place),
        }
    }
}

fn show(way: &[Key<'_>]) -> String {
    let mut shown = String::new();
    for key in way {
        match key {
            Key::Name(name) if shown.is_empty() => shown.push_str(name),
            Key::Name(name) => shown.extend([".", name]),
            Key::Place(place) => shown.push_str(&format!("[{place}]")),
        }
    }
    shown
}

/// Byte of a line and a column, both from 1 and the column in bytes.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    let start: usize = lines.map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Stands for the queue of what could not be read, so that the rest still is.
const UNREADABLE: &str = "?";
const FRIENDLY_NAME: [&str; 2] = ["filter_friendly_name", "friendly_name"];
const KNOWN_WORKER: [&str; 2] = ["known_worker_sid", "known_worker_friendly_name"];
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
