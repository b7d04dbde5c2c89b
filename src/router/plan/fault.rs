//! What is wrong with a workflow, and where in it: the same words for every form it is written in.

use std::fmt;
use std::ops::Range;

use crate::router::At;

/// One thing wrong or doubtful in a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowFault {
    /// Where.
    pub spot: WorkflowSpot,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// Whether it is only worth knowing, for it may well be meant.
    pub is_note: bool,
}

/// Where in a workflow something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowSpot {
    /// Part of the workflow.
    pub part: WorkflowPart,
    /// Field of the part, by the name it has in the model; `None` for the part itself.
    pub key: Option<&'static str>,
    /// Where in the field's text, in bytes; all of it when `None`.
    pub span: Option<Range<usize>>,
}

/// A part of a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkflowPart {
    /// A filter, counted from 0.
    Filter(usize),
    /// A step.
    Step(At),
    /// The workflow itself.
    Whole,
}

impl WorkflowSpot {
    /// A part as a whole.
    pub(super) fn of(part: WorkflowPart) -> Self {
        Self {
            part,
            key: None,
            span: None,
        }
    }

    /// A field of the workflow.
    pub(super) fn workflow(key: &'static str) -> Self {
        Self::of(WorkflowPart::Whole).key(key)
    }

    /// A filter.
    pub(super) fn filter(filter: usize) -> Self {
        Self::of(WorkflowPart::Filter(filter))
    }

    /// A step.
    pub(super) fn step(at: At) -> Self {
        Self::of(WorkflowPart::Step(at))
    }

    /// A field of the same part.
    pub(super) fn key(self, key: &'static str) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }

    /// A stretch of the field's text.
    pub(super) fn within(self, span: Range<usize>) -> Self {
        Self {
            span: Some(span),
            ..self
        }
    }

    pub(super) fn fault(
        self,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> WorkflowFault {
        WorkflowFault {
            spot: self,
            message: message.into(),
            help: help.into(),
            is_note: false,
        }
    }
}

/// As people count, such as `filter 2, step 1: timeout`.
impl fmt::Display for WorkflowSpot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            WorkflowPart::Filter(filter) => format!("filter {}", filter + 1),
            WorkflowPart::Step(At::Default) => "default".to_owned(),
            WorkflowPart::Step(At::Filter(filter, step)) => {
                format!("filter {}, step {}", filter + 1, step + 1)
            }
            WorkflowPart::Whole => return f.write_str(self.key.unwrap_or("the workflow")),
        };
        match self.key {
            None => f.write_str(&part),
            Some(key) => write!(f, "{part}: {key}"),
        }
    }
}
