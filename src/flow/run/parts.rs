//! Flows that are parts of others: which one a caller is in, and what is known of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Run;
use crate::flow::document::{Document, HANG_UP, MAX_DEPTH};
use crate::flow::step::{Rejection, Turn};

/// A flow that waits for another to return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Frame {
    /// The other, as the document of the one that waits knows it.
    pub(super) flow: String,
    /// Step when it returns.
    pub(super) next: String,
    /// What was known of the one that waits.
    pub(super) part: PartState,
}

/// What is known of one stay in a flow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct PartState {
    pub(super) parameters: Map<String, Value>,
    /// What was pressed, by step.
    pub(super) digits: Map<String, Value>,
    /// Rounds under way, by loop.
    pub(super) rounds: BTreeMap<String, u32>,
}

impl Run {
    /// The document of the part at hand.
    pub(in crate::flow) fn part_document(&self) -> Arc<Document> {
        let mut document = &self.document;
        for frame in &self.frames {
            match document.flows.get(&frame.flow) {
                Some(part) => document = part,
                None => break,
            }
        }
        Arc::clone(document)
    }

    /// Goes through another flow; `next` is the step when it returns.
    pub(in crate::flow) fn call(
        &mut self,
        flow: &str,
        parameters: Map<String, Value>,
        next: &str,
    ) -> Turn {
        let document = self.part_document();
        let Some(part) = document
            .flows
            .get(flow)
            .filter(|_| self.frames.len() < MAX_DEPTH)
        else {
            // `Document::check` and the configuration leave no flow that is not there, or too deep.
            return self.error(None);
        };
        let mut known = part.parameters.clone();
        known.extend(parameters);
        let inner = PartState {
            parameters: known,
            ..PartState::default()
        };
        self.frames.push(Frame {
            flow: flow.to_owned(),
            next: next.to_owned(),
            part: std::mem::replace(&mut self.part, inner),
        });
        self.set(&part.attributes);
        Turn::Go(part.start.clone())
    }

    /// Back to the flow this one is a part of; the end when it is no part.
    pub(in crate::flow) fn return_to_caller(&mut self) -> Turn {
        match self.frames.pop() {
            None => {
                self.returned = true;
                Turn::End(Rejection::Normal)
            }
            Some(frame) => {
                self.part = frame.part;
                Turn::Go(frame.next)
            }
        }
    }

    /// Where a failure leads: the step's own way, or the document's. Keys typed ahead were meant for
    /// another.
    pub(in crate::flow) fn error(&mut self, own: Option<&str>) -> Turn {
        self.forget_keys();
        let document = self.part_document();
        let step = own.or(document.error.as_deref());
        Turn::Go(step.unwrap_or(HANG_UP).to_owned())
    }

    /// Whether one more round of a loop is due, of so many; afterwards it begins anew.
    pub(in crate::flow) fn count_round(&mut self, at: &str, times: u32) -> bool {
        let round = self.part.rounds.entry(at.to_owned()).or_default();
        if *round >= times {
            self.part.rounds.remove(at);
            return false;
        }
        *round += 1;
        true
    }
}
