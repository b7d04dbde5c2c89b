//! The document: named steps, each with where to go next.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Spot;
use super::step::{Mention, Step};

/// The step every document has without writing it: hang up normally.
pub const HANG_UP: &str = "hangup";

/// One flow as written, complete and immutable; calls share it and keep the one they began with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Name of the flow, unique in the office.
    pub name: String,
    /// Step a caller begins with.
    pub start: String,
    /// Attributes every call of this flow has from the start.
    pub attributes: Map<String, Value>,
    /// Steps by name, in the order written.
    pub steps: IndexMap<String, Step>,
}

impl Document {
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
            Mention::Number(number) => Some(number),
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
