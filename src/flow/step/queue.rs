//! `queue`: a stand in a queue until an agent answers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Heard, Kind, Mention, Part, Run, See, Turn, see_sets, see_values};
use crate::base::Timestamp;
use crate::flow::run::{Action, Position, QueueOutcome};
use crate::flow::template::render_map;
use crate::router::Destination;

/// A stand in a queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queueing {
    /// Queue, or the workflow that leads into queues.
    #[serde(flatten)]
    pub to: Destination,
    /// Attributes set on the way in.
    pub attributes: Map<String, Value>,
    /// Higher is served first.
    pub priority: i64,
    /// Step when nobody can ever take the call.
    pub nobody: String,
    /// Step when the longest wait is over.
    pub timeout: String,
    /// Step when the queue's own flow let the caller out; as `nobody` when `None`.
    #[serde(default)]
    pub left: Option<String>,
    /// Step when the agent hung up and the caller is still there.
    pub after: String,
}

impl Kind for Queueing {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        match &self.to {
            Destination::Queue(queue) => see("queue", Part::Whole, Mention::Queue(queue)),
            Destination::Workflow(workflow) => {
                see("workflow", Part::Whole, Mention::Workflow(workflow));
            }
        }
        see_values("attributes", &self.attributes, see);
        see_sets("attributes", &self.attributes, see);
        see("nobody", Part::Whole, Mention::Step(&self.nobody));
        see("timeout", Part::Whole, Mention::Step(&self.timeout));
        if let Some(left) = &self.left {
            see("left", Part::Whole, Mention::Step(left));
        }
        see("after", Part::Whole, Mention::Step(&self.after));
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        run.answer();
        run.forget_keys();
        let attributes = render_map(&self.attributes, &run.names(now));
        run.set(&attributes);
        run.push(Action::Enqueue {
            to: self.to.clone(),
            attributes: run.task_attributes(),
            priority: self.priority,
        });
        run.stay(Position::Queueing {
            step: at.to_owned(),
        })
    }

    fn hear(&self, run: &mut Run, _now: Timestamp, at: &str, heard: Heard) -> Turn {
        match heard {
            Heard::Queue(QueueOutcome::Answered) => run.stay(Position::Talking {
                step: at.to_owned(),
            }),
            Heard::Queue(QueueOutcome::Left) => {
                Turn::Go(self.left.as_ref().unwrap_or(&self.nobody).clone())
            }
            Heard::Queue(QueueOutcome::Nobody) => Turn::Go(self.nobody.clone()),
            Heard::Queue(QueueOutcome::TimedOut) => Turn::Go(self.timeout.clone()),
            Heard::TalkEnded => Turn::Go(self.after.clone()),
            _ => Turn::Stay,
        }
    }
}
