//! `<Enqueue>`: the caller stands in a line, or becomes a task of a workflow.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::attributes::Attributes;
use super::super::fault::{Fault, code};
use super::super::link::Link;
use super::super::xml::Element;
use super::{misplaced, nothing_inside};

/// A place in a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enqueue {
    /// Which.
    pub line: Line,
    /// Who is told how it ended.
    pub action: Option<Link>,
    /// What the caller hears meanwhile; an empty URL is silence, `None` the line's own music.
    pub wait: Option<Link>,
}

/// Where callers wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Line {
    /// A queue, made when it is not there.
    Queue {
        /// Name, 1 to 64 characters.
        name: String,
        /// Most callers in it, 1 to 5000; 1000 when nothing is said. A queue that is there keeps
        /// its own.
        max_size: u32,
    },
    /// A workflow finds who takes the caller.
    Workflow {
        /// The workflow, as the document names it: a SID, or its name of the configuration.
        workflow: String,
        /// What the task says.
        task: TaskTerms,
    },
}

/// What a `<Task>` says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskTerms {
    /// Attributes beside those of the call, which they outrank.
    pub attributes: Map<String, Value>,
    /// Higher is served first; 0 when nothing is said.
    pub priority: u32,
    /// When it is given up; `None` for the workflow's own limit.
    pub timeout: Option<Duration>,
}

/// Size of a queue when nothing is said, and the largest.
const DEFAULT_SIZE: u32 = 1_000;
const MAX_SIZE: u32 = 5_000;
/// Characters of the longest name.
const MAX_NAME: usize = 64;
/// Octets of the longest task attributes: those of a call.
const MAX_TASK: usize = 64 * 1024;

impl Enqueue {
    pub(in super::super) fn parse(
        element: &Element,
        remarks: &mut Vec<Fault>,
    ) -> Result<Self, Fault> {
        let mut task = None;
        for inner in element.elements() {
            if inner.name != "Task" || task.is_some() {
                return Err(misplaced(element, inner, code::SCHEMA));
            }
            task = Some(TaskTerms::parse(inner, remarks)?);
        }
        let mut attributes = Attributes::of(element, remarks);
        let action = attributes.link("action", "method", code::SCHEMA);
        let wait = attributes.link("waitUrl", "waitUrlMethod", code::SCHEMA);
        let max_size = attributes.number("maxQueueSize", 1, MAX_SIZE, code::SCHEMA);
        let workflow = attributes
            .text("workflowSid")
            .filter(|text| !text.is_empty());
        attributes.finish();
        let name = element.text();
        let line = match workflow {
            Some(workflow) => Line::Workflow {
                workflow,
                task: task.unwrap_or_default(),
            },
            None if task.is_some() => {
                let words = "<Task> goes with workflowSid of <Enqueue>";
                return Err(Fault::new(code::SCHEMA, words).at(element.at));
            }
            None if name.is_empty() || name.chars().count() > MAX_NAME => {
                let words = format!(
                    "<Enqueue> needs a queue's name of 1 to {MAX_NAME} characters, or workflowSid"
                );
                return Err(Fault::new(code::SCHEMA, words).at(element.at));
            }
            None => Line::Queue {
                name,
                max_size: max_size.unwrap_or(DEFAULT_SIZE),
            },
        };
        Ok(Self { line, action, wait })
    }
}

impl TaskTerms {
    fn parse(element: &Element, remarks: &mut Vec<Fault>) -> Result<Self, Fault> {
        nothing_inside(element, code::SCHEMA)?;
        let mut attributes = Attributes::of(element, remarks);
        let priority = attributes.number("priority", 0, i32::MAX.unsigned_abs(), code::SCHEMA);
        let timeout = attributes.seconds("timeout", 1, i32::MAX.unsigned_abs(), code::SCHEMA);
        attributes.finish();
        let text = element.text();
        let attributes = match text.as_str() {
            "" => Ok(Value::Object(Map::new())),
            text if text.len() > MAX_TASK => Err(format!("it is longer than {MAX_TASK} octets")),
            text => serde_json::from_str(text).map_err(|error| error.to_string()),
        };
        let wrong = |why: String| {
            let words = format!("the attributes of <Task> are no JSON object: {why}");
            Fault::new(14221, words).at(element.at)
        };
        match attributes.map_err(wrong)? {
            Value::Object(attributes) => Ok(Self {
                attributes,
                priority: priority.unwrap_or(0),
                timeout,
            }),
            _ => Err(wrong("they are written {\"name\": value}".to_owned())),
        }
    }
}
