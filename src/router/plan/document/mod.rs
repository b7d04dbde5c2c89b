//! Workflows as TaskRouter writes them: the JSON document that loads unchanged and is printed
//! again with everything it says (requirements, section 2.2).

mod place;
mod reader;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde_json::{Map, Value, json};

pub use place::DocumentPlaces;

use place::{Key, too_deep};
use reader::{Notes, Reader};

use super::fault::{WorkflowPart, WorkflowSpot};
use super::{KnownWorker, QueueSpec, StepSpec, WorkerKey, WorkflowSpec};

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
    /// Deepest nesting of lists and objects. What is kept of a document stands deeper in the fact
    /// of a new plan, and a fact is read back 127 levels deep at most.
    pub const DEEPEST: usize = 64;

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
        if let Some(at) = too_deep(text, Self::DEEPEST) {
            let message = format!("nested deeper than {}", Self::DEEPEST);
            let help = "leave out what is so deep: it means nothing here and is only kept";
            let fault = DocumentFault::new(text, at..at + 1, &[], message, help);
            return Err(vec![fault]);
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
            places: DocumentPlaces::of(text),
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
            let places = &reader.places;
            reader
                .errors
                .push(|| places.fault_at(&fault.spot, fault.message, fault.help));
        }
        match reader.errors.faults.is_empty() {
            true => Ok(Self {
                workflow,
                doubts: reader.doubts.faults,
            }),
            false => Err(reader.errors.faults),
        }
    }
}

impl WorkflowSpec {
    /// The document that says the same. Queues are named by their sid where they have one.
    ///
    /// A document cannot say how its expressions are read ([`WorkflowSpec::lenient`] and the like),
    /// `skip_when_nobody` and the bounds of tasks and offers.
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

const FRIENDLY_NAME: [&str; 2] = ["filter_friendly_name", "friendly_name"];
const KNOWN_WORKER: [&str; 2] = ["known_worker_sid", "known_worker_friendly_name"];
