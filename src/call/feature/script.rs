//! What says what becomes of a caller: it put him where he is, and goes on when he leaves there.
//! Queues and conversations are the same for all of them.

use serde::{Deserialize, Serialize};

use super::{Stage, Treatment};
use crate::base::{Cause, Party, Timestamp};
use crate::flow::{Input, QueueOutcome, Run};
use crate::waiting::LeaveWhy;

/// What a caller's stages follow each other by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Script {
    /// A flow of the configuration.
    Flow(Box<Run>),
}

impl Script {
    /// An agent took the caller out of the queue.
    pub(super) fn answered(&mut self, now: Timestamp) {
        match self {
            Self::Flow(run) => run.handle(now, Input::QueueLeft(QueueOutcome::Answered)),
        }
    }

    /// The caller leaves the queue unserved: where he goes on.
    pub(super) fn unserved(self, why: LeaveWhy) -> Stage {
        match self {
            Self::Flow(run) => {
                let outcome = match why {
                    LeaveWhy::MaxWait => QueueOutcome::TimedOut,
                    LeaveWhy::Nobody => QueueOutcome::Nobody,
                };
                let flow = Treatment::resume(*run, Input::QueueLeft(outcome));
                Stage::Treatment(Box::new(flow))
            }
        }
    }

    /// The caller's conversation is over, and he is still there: where he goes on.
    pub(super) fn after_talk(self, by: Party, cause: Cause) -> Stage {
        match self {
            Self::Flow(run) => {
                let flow = Treatment::after_talk(*run, by, cause);
                Stage::Treatment(Box::new(flow))
            }
        }
    }
}
