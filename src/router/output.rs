//! What the router tells others; released by its pump when the facts behind it are written.

use serde::{Deserialize, Serialize};

use super::{At, Command, Explanation, LeftWhy, NobodyWhy, PlanError};
use crate::base::{CallId, ReservationId, TaskId, Timestamp};

/// What the router tells others.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// An accept won: the task is the worker's.
    Assigned {
        /// Task.
        task: TaskId,
        /// Its call, when it stands for one.
        call: Option<CallId>,
        /// Offer that was accepted.
        reservation: ReservationId,
        /// Worker.
        worker: String,
    },
    /// The task came to a step of its workflow.
    Moved {
        /// Task.
        task: TaskId,
        /// Its call, when it stands for one.
        call: Option<CallId>,
        /// Queue it stands in from now on; may be that of the step before.
        queue: String,
        /// Step.
        at: At,
    },
    /// Nobody can take the task (said at most once a task); it stays in line until cancelled.
    NobodyCanTake {
        /// Task.
        task: TaskId,
        /// Its call, when it stands for one.
        call: Option<CallId>,
        /// Its queue.
        queue: String,
        /// Why.
        why: NobodyWhy,
        /// Who was looked at.
        explanation: Box<Explanation>,
    },
    /// Ring this worker's phone. Answer with `Accept` or `Reject`.
    Offer {
        /// The offer.
        reservation: ReservationId,
        /// Task.
        task: TaskId,
        /// Its call, when it stands for one.
        call: Option<CallId>,
        /// Worker.
        worker: String,
        /// Number of the worker's phone.
        phone: String,
        /// Queue.
        queue: String,
        /// When the router itself withdraws the offer.
        expires_at: Timestamp,
        /// Why this worker.
        explanation: Box<Explanation>,
    },
    /// The offer is over without `Reject` having been sent: stop ringing.
    OfferRevoked {
        /// The offer.
        reservation: ReservationId,
        /// Task.
        task: TaskId,
        /// Its call, when it stands for one.
        call: Option<CallId>,
        /// Worker.
        worker: String,
        /// Why.
        why: RevokedWhy,
    },
    /// The place in line has changed.
    Position {
        /// Task.
        task: TaskId,
        /// Its call, when it stands for one.
        call: Option<CallId>,
        /// Place; 1 is next.
        position: usize,
        /// How many are in the line, the task included.
        waiting: usize,
    },
    /// A command changed nothing.
    Refused {
        /// The command.
        command: Box<Command>,
        /// Why.
        why: Refusal,
    },
    /// The task is gone; nothing follows but `WrapEnded`.
    TaskEnded {
        /// Task.
        task: TaskId,
        /// Its call, when it stands for one.
        call: Option<CallId>,
        /// Its queue.
        queue: String,
        /// Worker it was assigned to.
        worker: Option<String>,
        /// How it ended.
        outcome: TaskOutcome,
        /// The worker's after-call work.
        wrap_up: WrapUp,
    },
    /// Something about a worker has changed.
    WorkerChanged {
        /// Worker.
        worker: String,
        /// Activity.
        activity: String,
        /// Whether the activity is an available one.
        available: bool,
        /// Whether the phone is registered.
        reachable: bool,
        /// What he is at.
        state: WorkerState,
        /// Why he is in this activity.
        reason: String,
    },
    /// A worker's after-call work is over.
    WrapEnded {
        /// Task it followed.
        task: TaskId,
        /// Its call, when it stands for one.
        call: Option<CallId>,
        /// Worker.
        worker: String,
        /// What it was about, when he said so.
        code: Option<String>,
    },
}

/// An output with the fact that must be written before it is released.
#[derive(Clone, Debug, PartialEq)]
pub struct Released {
    /// Sequence of the last fact behind it.
    pub sequence: u64,
    /// The output.
    pub output: Output,
}

/// Why the router withdrew an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedWhy {
    /// The worker went to another activity and wanted his offers taken back.
    ActivityChanged,
    /// The process was restarted.
    Recovered,
    /// The task begins its workflow anew.
    Reevaluated,
    /// The worker, or who acts for him, rejected it by the API.
    Rejected,
    /// Another worker who was offered the task accepted it.
    Rescinded,
    /// It rang for as long as it may. After so many in a row as the queue says the worker goes to
    /// the no-answer activity, unless he went elsewhere himself; before that he is left alone for a
    /// while.
    RingTimeout,
    /// The task was cancelled: the caller left.
    TaskCancelled,
    /// The worker was removed from the plan.
    WorkerRemoved,
}

/// After-call work that follows a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrapUp {
    /// None.
    #[default]
    None,
    /// Until the worker ends it.
    Open,
    /// Until then, or until the worker ends it.
    Until(Timestamp),
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskOutcome {
    /// Cancelled before anyone took it, and why.
    Cancelled(String),
    /// Its conversation is over.
    Completed,
    /// It left its workflow without having been accepted.
    Left(LeftWhy),
    /// Its call died with the process.
    Recovered,
}

/// What a worker is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// Can be offered a task right now.
    Free,
    /// Free, but not now: not available, not reachable, or paused.
    Away,
    /// Has an offer.
    Reserved,
    /// In conversation.
    Talking,
    /// In after-call work.
    WrapUp,
}

/// Why a command changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The offer was accepted before; nothing is wrong when this repeats an accept.
    #[error("the offer was accepted before")]
    AlreadyAccepted,
    /// The activity is an available one.
    #[error("offers are taken back only by an activity that is not available")]
    ActivityAvailable,
    /// The task is assigned.
    #[error("the task is assigned")]
    Assigned,
    /// The task's attributes have more than 64 levels.
    #[error("task attributes are nested deeper than 64 levels")]
    AttributesTooDeep,
    /// The task's attributes exceed 64 KiB.
    #[error("task attributes exceed 64 KiB")]
    AttributesTooLarge,
    /// After-call work that needs one of the queue's codes was to end without.
    #[error("a wrap-up code is needed: {}", .0.join(", "))]
    CodeNeeded(Vec<String>),
    /// The task id is in use.
    #[error("a task of this id exists")]
    DuplicateTask,
    /// The plan has errors.
    #[error("the plan has {} errors, the first: {}", .0.len(), first(.0))]
    InvalidPlan(Vec<PlanError>),
    /// The task that might come would not stay. Said of questions only: a task that does come so
    /// ends.
    #[error("a task would leave its workflow at once: {}", .0.words())]
    Left(LeftWhy),
    /// The worker is not in after-call work.
    #[error("the worker is not in after-call work")]
    NotInWrapUp,
    /// The task is not assigned.
    #[error("the task is not assigned")]
    NotAssigned,
    /// The queue is full.
    #[error("the queue is full")]
    QueueFull,
    /// A time that should be past is to come.
    #[error("the start of the wait is in the future")]
    NotPast,
    /// The offer is over, or never was.
    #[error("the offer is over")]
    ReservationOver,
    /// The plan has no such activity.
    #[error("no such activity")]
    UnknownActivity,
    /// The plan has no such channel.
    #[error("no such channel")]
    UnknownChannel,
    /// The queue has no such wrap-up code.
    #[error("no such wrap-up code; there are: {}", .0.join(", "))]
    UnknownCode(Vec<String>),
    /// The plan has no such queue, or it only drains.
    #[error("no such queue")]
    UnknownQueue,
    /// No such task.
    #[error("no such task")]
    UnknownTask,
    /// No such worker.
    #[error("no such worker")]
    UnknownWorker,
    /// The plan has no such workflow.
    #[error("no such workflow")]
    UnknownWorkflow,
}

impl Output {
    /// Whether it is about a task that stands for no call: no signalling shard wants to hear it.
    pub fn is_of_no_call(&self) -> bool {
        match self {
            Output::Refused { .. } | Output::WorkerChanged { .. } => false,
            of_task => of_task.call().is_none(),
        }
    }

    /// The call that should hear it; `None` when every shard should.
    pub fn call(&self) -> Option<&CallId> {
        match self {
            Output::Assigned { call, .. }
            | Output::Moved { call, .. }
            | Output::NobodyCanTake { call, .. }
            | Output::Offer { call, .. }
            | Output::OfferRevoked { call, .. }
            | Output::Position { call, .. }
            | Output::TaskEnded { call, .. }
            | Output::WrapEnded { call, .. } => call.as_ref(),
            Output::Refused { command, .. } => command.call(),
            Output::WorkerChanged { .. } => None,
        }
    }
}

fn first(errors: &[PlanError]) -> String {
    errors.first().map(PlanError::to_string).unwrap_or_default()
}
