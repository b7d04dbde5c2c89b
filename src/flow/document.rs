//! The document: named steps, each with where to go next.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Spot;
use super::flow_type::FlowType;
use super::step::{Mention, Step};

/// The step every document has without writing it: hang up normally.
pub const HANG_UP: &str = "hangup";

/// The step every document has that has none of this name: back to the flow this one is a part of,
/// or the end when it is no part of any.
pub const RETURN: &str = "return";

/// Deepest that flows are parts of each other.
pub const MAX_DEPTH: usize = 8;

/// One flow as written, complete and immutable; calls share it and keep the one they began with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Name of the flow, unique in the office.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub flow_type: FlowType,
    /// Step a caller begins with.
    pub start: String,
    /// Attributes every call of this flow has from the start.
    pub attributes: Map<String, Value>,
    /// Steps by name, in the order written.
    pub steps: IndexMap<String, Step>,
    /// Step when something fails that says no step of its own.
    #[serde(default)]
    pub error: Option<String>,
    /// What a flow that asks for this one may give it, each with its default.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// Attributes that come from elsewhere: of a number, a program, an earlier flow.
    #[serde(default)]
    pub expects: Vec<String>,
    /// The flows that its steps go through, by name; see [`Document::link`].
    #[serde(default)]
    pub flows: BTreeMap<String, Arc<Document>>,
}

impl Document {
    /// A document of a name that is empty as yet: who comes to it is let go.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            flow_type: FlowType::default(),
            start: HANG_UP.to_owned(),
            attributes: Map::new(),
            steps: IndexMap::new(),
            error: None,
            parameters: Map::new(),
            expects: Vec::new(),
            flows: BTreeMap::new(),
        }
    }

    /// The same with the flows that its steps go through, which `flow` gives by name; one that it
    /// does not give is left out, and its step fails.
    pub fn link(mut self, flow: impl Fn(&str) -> Option<Arc<Document>>) -> Self {
        let names: Vec<String> = self.parts().map(|(_, name)| name.to_owned()).collect();
        let found = names
            .into_iter()
            .filter_map(|name| Some((name.clone(), flow(&name)?)));
        self.flows = found.collect();
        self
    }

    /// Every flow that its steps go through, with where.
    pub fn parts(&self) -> impl Iterator<Item = (Spot, &str)> {
        self.named(|mention| match mention {
            Mention::Flow(flow) | Mention::Whisper(flow) => Some(flow),
            _ => None,
        })
    }

    /// Every flow that whoever is called hears first, with where.
    pub fn whispers(&self) -> impl Iterator<Item = (Spot, &str)> {
        self.named(|mention| match mention {
            Mention::Whisper(flow) => Some(flow),
            _ => None,
        })
    }

    /// Whether a step may be gone to.
    pub(super) fn has_step(&self, step: &str) -> bool {
        step == HANG_UP || step == RETURN || self.steps.contains_key(step)
    }

    /// Every step that one may lead to, with where it says so: with the document's own step of
    /// failures where it names none itself.
    pub fn exits<'d>(&'d self, name: &str, step: &'d Step) -> Vec<(Spot, &'d str)> {
        let exits = step.exits(name).into_iter();
        exits
            .filter_map(|(spot, to)| match to {
                "" => Some((spot, self.error.as_deref()?)),
                to => Some((spot, to)),
            })
            .collect()
    }

    /// Every sound the document names, with where.
    pub fn sounds(&self) -> impl Iterator<Item = (Spot, &str)> {
        self.named(|mention| match mention {
            Mention::Sound(sound) => Some(sound),
            _ => None,
        })
    }

    /// Every queue the document names, with where.
    pub fn queues(&self) -> impl Iterator<Item = (Spot, &str)> {
        self.named(|mention| match mention {
            Mention::Queue(queue) => Some(queue),
            _ => None,
        })
    }

    /// Every calendar the document names, with where.
    pub fn calendars(&self) -> impl Iterator<Item = (Spot, &str)> {
        self.named(|mention| match mention {
            Mention::Calendar(calendar) => Some(calendar),
            _ => None,
        })
    }

    /// Every endpoint the document names, with where.
    pub fn endpoints(&self) -> impl Iterator<Item = (Spot, &str)> {
        self.named(|mention| match mention {
            Mention::Endpoint(endpoint) => Some(endpoint),
            _ => None,
        })
    }

    /// Every table the document names, with where.
    pub fn tables(&self) -> impl Iterator<Item = (Spot, &str)> {
        self.named(|mention| match mention {
            Mention::Table(table) => Some(table),
            _ => None,
        })
    }

    /// Every voice the document names, with where.
    pub fn voices(&self) -> impl Iterator<Item = (Spot, &str)> {
        self.named(|mention| match mention {
            Mention::Voice(voice) => Some(voice),
            _ => None,
        })
    }

    /// Every mailbox the document names, with where.
    pub fn mailboxes(&self) -> impl Iterator<Item = (Spot, &str)> {
        self.named(|mention| match mention {
            Mention::Mailbox(mailbox) => Some(mailbox),
            _ => None,
        })
    }

    /// Every workflow the document names, with where.
    pub fn workflows(&self) -> impl Iterator<Item = (Spot, &str)> {
        self.named(|mention| match mention {
            Mention::Workflow(workflow) => Some(workflow),
            _ => None,
        })
    }

    /// Every number the document dials, with where.
    pub fn numbers(&self) -> impl Iterator<Item = (Spot, &str)> {
        self.named(|mention| match mention {
            // One that is filled in can be anything.
            Mention::Number(number) if number.is_plain() => Some(number.text()),
            _ => None,
        })
    }

    fn named<'d>(
        &'d self,
        select: impl Fn(Mention<'d>) -> Option<&'d str> + 'd,
    ) -> impl Iterator<Item = (Spot, &'d str)> {
        self.mentions()
            .filter_map(move |(spot, mention)| Some((spot, select(mention)?)))
    }

    /// Everything the steps name, with where.
    pub(super) fn mentions(&self) -> impl Iterator<Item = (Spot, Mention<'_>)> {
        let steps = self.steps.iter();
        steps.flat_map(|(name, step)| step.mentions(name))
    }
}
