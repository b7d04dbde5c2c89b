//! What the router may be told. Accepted commands are journaled as inputs, word for word.

use std::collections::BTreeSet;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Plan, VOICE};
use crate::base::{CallId, ReservationId, TaskId, Timestamp};

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
        /// Whether tasks that nobody has accepted begin their workflow anew where the plan changes
        /// it; else they go on by the rules they came in with.
        #[serde(default)]
        reevaluate: bool,
        /// Of the workers who are new, or whose phone is another: those whose phone is registered.
        /// The others are held for unreachable until something else is said of them.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        reachable: BTreeSet<String>,
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
        /// What the task was about, one of its queue's codes: its after-call work is over too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
    /// A task enters a workflow or a queue.
    CreateTask(Box<NewTask>),
    /// The agent ends his after-call work: that of one task, or all he has.
    EndWrap {
        /// Worker.
        worker: String,
        /// Task it follows; all of his when `None`.
        #[serde(default)]
        task: Option<TaskId>,
        /// What the task was about, one of its queue's codes.
        #[serde(default)]
        code: Option<String>,
    },
    /// After-call work that would end by itself ends so much later.
    ExtendWrap {
        /// Worker.
        worker: String,
        /// How much later; that of several tasks all moves.
        by: Duration,
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
        /// Activity the worker goes to; else what his queue says.
        #[serde(default)]
        activity: Option<String>,
    },
    /// A worker's activity changes; a live offer or conversation is not touched unless said so.
    SetActivity {
        /// Worker.
        worker: String,
        /// An activity of the plan.
        activity: String,
        /// Who wants it, such as `phone 1001` or `supervisor`.
        by: String,
        /// Whether offers he has are taken back; only with an activity that is not available.
        #[serde(default)]
        reject_pending: bool,
    },
    /// A worker's phone is in calls that the router knows nothing of, or no longer is.
    SetBusy {
        /// Worker.
        worker: String,
        /// The signalling shard that says so, of its own calls; he is busy while any says so.
        shard: u16,
        /// Whether it is.
        busy: bool,
    },
    /// The activity a worker goes to when he has nothing left in hand; no offers until then.
    SetNextActivity {
        /// Worker.
        worker: String,
        /// An activity of the plan; `None` takes it back.
        activity: Option<String>,
        /// Who wants it.
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
    /// A worker begins after-call work by hand; it follows nothing.
    StartWrap {
        /// Worker.
        worker: String,
        /// How long; until he ends it when `None`.
        #[serde(default)]
        lasts: Option<Duration>,
    },
    /// A task changes. What is `None` stays.
    UpdateTask {
        /// Task.
        task: TaskId,
        /// What expressions see from now on; at most 64 KiB as JSON, and 64 levels.
        #[serde(default)]
        attributes: Option<Map<String, Value>>,
        /// Priority.
        #[serde(default)]
        priority: Option<i64>,
        /// From when on its wait counts.
        #[serde(default)]
        started: Option<Timestamp>,
        /// Whether it begins its workflow anew; only while it is not assigned.
        #[serde(default)]
        reevaluate: bool,
    },
}

/// A task to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewTask {
    /// New id.
    pub task: TaskId,
    /// Call it stands for; `None` when it stands for none, and then no phone rings for it.
    #[serde(default)]
    pub call: Option<CallId>,
    /// Where it goes.
    pub to: Destination,
    /// Channel.
    pub channel: String,
    /// What expressions see as `task.`; at most 64 KiB as JSON, and 64 levels.
    pub attributes: Map<String, Value>,
    /// Higher goes first.
    pub priority: i64,
    /// From when on its wait counts, when that is before it is made.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// How long it lives unless it is accepted; else what the workflow says.
    #[serde(default)]
    pub time_to_live: Option<Duration>,
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

impl NewTask {
    /// A call for a queue.
    pub fn of_call(task: TaskId, call: CallId, queue: impl Into<String>) -> Self {
        Self {
            task,
            call: Some(call),
            to: Destination::Queue(queue.into()),
            channel: VOICE.to_owned(),
            attributes: Map::new(),
            priority: 0,
            started: None,
            time_to_live: None,
        }
    }
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
    /// The agent said no by the API: as declined, and his phone stops ringing.
    ByApi,
    /// The phone rang and nobody answered: a miss. After so many in a row as the queue says the
    /// worker goes to the no-answer activity; before that it is as busy.
    NoAnswer,
    /// No phone to ring, or it does not reply: as busy.
    Unreachable,
}

impl Rejection {
    /// The word used in facts, records and reasons.
    pub fn as_str(self) -> &'static str {
        match self {
            Rejection::Busy => "busy",
            Rejection::ByApi => "by_api",
            Rejection::Declined => "declined",
            Rejection::Failed(_) => "failed",
            Rejection::NoAnswer => "no_answer",
            Rejection::Unreachable => "unreachable",
        }
    }
}

impl Command {
    /// A plan becomes the current one, and nothing is known of new workers' phones.
    pub fn activate(plan: impl Into<Box<Plan>>) -> Self {
        Self::ActivatePlan {
            plan: plan.into(),
            reevaluate: false,
            reachable: BTreeSet::new(),
        }
    }

    /// The call it is about, when it names one.
    pub fn call(&self) -> Option<&CallId> {
        match self {
            Command::CreateTask(new) => new.call.as_ref(),
            _ => None,
        }
    }

    /// Whether it only ends or settles what exists: the number of such commands is bounded by what
    /// exists, so that they are never refused for lack of room.
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

    /// Whether it says how a worker's phone is: whoever says that says it once, so that it is never
    /// refused; what was said before is worth nothing then.
    pub fn is_of_phone(&self) -> bool {
        matches!(self, Command::SetBusy { .. } | Command::SetReachable { .. })
    }
}
