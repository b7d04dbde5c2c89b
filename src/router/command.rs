//! What the router may be told. Accepted commands are journaled as inputs, word for word.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Plan;
use crate::base::{CallId, ReservationId, TaskId};

/// What the router may be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case")]
pub enum Command {
    /// The agent answered: the task is his. Exactly one accept of a task can win.
    Accept {
        /// Offer that was answered.
        reservation: ReservationId,
    },
    /// A plan becomes the current one. Refused whole when anything is wrong with it; a plan equal
    /// to the current one changes nothing.
    ActivatePlan {
        /// The plan.
        plan: Box<Plan>,
    },
    /// The caller is gone, or the flow took the call out of the queue; right at any instant.
    /// An assigned task counts as completed.
    CancelTask {
        /// Task.
        task: TaskId,
        /// Why, in a few words.
        why: String,
    },
    /// The conversation is over; after-call work begins when the queue has any.
    Complete {
        /// Task.
        task: TaskId,
    },
    /// A call enters a queue.
    CreateTask {
        /// New id.
        task: TaskId,
        /// Call it stands for.
        call: CallId,
        /// Queue.
        queue: String,
        /// What expressions see as `task.`; at most 64 KiB as JSON.
        attributes: Map<String, Value>,
        /// Higher goes first.
        priority: i64,
    },
    /// The agent ends his after-call work.
    EndWrap {
        /// Worker.
        worker: String,
    },
    /// The agent who accepted was gone before the conversation began: the task is pending again,
    /// in the place it had in the line.
    GiveBack {
        /// Offer that was accepted.
        reservation: ReservationId,
        /// Why.
        why: Rejection,
    },
    /// The process has restarted: tasks of calls that died with it end, offers are withdrawn.
    Recover {
        /// Calls that live on.
        calls: Vec<CallId>,
        /// Phones that are registered; all other workers are unreachable.
        phones: Vec<String>,
    },
    /// An offer was not taken.
    Reject {
        /// Offer.
        reservation: ReservationId,
        /// Why.
        why: Rejection,
    },
    /// A worker's activity changes; a live offer or conversation is not touched.
    SetActivity {
        /// Worker.
        worker: String,
        /// An activity of the plan.
        activity: String,
        /// Who wants it, such as `phone 1001` or `supervisor`.
        by: String,
    },
    /// A worker's phone was registered, or no longer is. To be sent for every worker new to an
    /// activated plan whose phone is registered already: he starts unreachable.
    SetReachable {
        /// Worker.
        worker: String,
        /// Whether the phone is registered.
        reachable: bool,
    },
}

/// Where a new task goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// Into a queue, and there it stays.
    Queue(String),
    /// Through a workflow.
    Workflow(String),
}

/// Why an offer was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// The phone is busy (486): left alone for a while, last among the idle.
    Busy,
    /// The agent pressed decline (603): not offered this task again for a while.
    Declined,
    /// The call to the phone failed with this status: as busy.
    Failed(u16),
    /// The phone rang and nobody answered: the worker is moved to the no-answer activity.
    NoAnswer,
    /// No phone to ring, or it does not reply: as busy.
    Unreachable,
}

impl Rejection {
    /// The word used in facts, records and reasons.
    pub fn as_str(self) -> &'static str {
        match self {
            Rejection::Busy => "busy",
            Rejection::Declined => "declined",
            Rejection::Failed(_) => "failed",
            Rejection::NoAnswer => "no_answer",
            Rejection::Unreachable => "unreachable",
        }
    }
}

impl Command {
    /// The call it is about, when it names one.
    pub fn call(&self) -> Option<&CallId> {
        match self {
            Command::CreateTask { call, .. } => Some(call),
            _ => None,
        }
    }

    /// Whether it only ends or settles what exists. The number of such commands is bounded by
    /// what exists, so that they are never refused for lack of room.
    pub fn is_settling(&self) -> bool {
        matches!(
            self,
            Command::Accept { .. }
                | Command::CancelTask { .. }
                | Command::Complete { .. }
                | Command::GiveBack { .. }
                | Command::Reject { .. }
        )
    }
}
