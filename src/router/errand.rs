//! Errands: commands whose outcome somebody waits for, and questions about one thing.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::pump::Pump;
use super::{Command, QueueSpec, Refusal, TaskView, WorkerView, WorkflowSpec};
use crate::base::{ReservationId, TaskId, Timestamp};

/// One thing the router knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// The task of an offer that is out or was accepted.
    Reservation(ReservationId),
    /// A task, in after-call work too.
    Task(TaskId),
    /// A worker.
    Worker(String),
}

/// A thing as it is now.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// A task.
    Task(Box<TaskView>),
    /// A worker.
    Worker(Box<WorkerView>),
}

/// What the plan says, as far as it can be asked for.
#[derive(Clone, Debug, Default)]
pub struct PlanView {
    /// Generation of the plan.
    pub generation: u64,
    /// Hash of the plan.
    pub plan: String,
    /// Queues, those that only drain left out.
    pub queues: Vec<Arc<QueueSpec>>,
    /// Workflows.
    pub workflows: Vec<Arc<WorkflowSpec>>,
}

/// Why a command that somebody waits for was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// Too many commands wait.
    #[error("the router has too much to do at the moment")]
    Busy,
    /// The thing is not what the sender last saw.
    #[error("it was changed meanwhile")]
    Changed {
        /// Its version; `None` when it is gone.
        now: Option<u64>,
    },
    /// The router is gone, its journal cannot be written, or it takes too long: whether the
    /// command was carried out is not known.
    #[error("the router does not answer; whether it was done is not known")]
    Silent,
    /// The command cannot be carried out.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A command whose outcome somebody waits for.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) command: Box<Command>,
    /// What it is about, and what is shown of it afterwards.
    pub(super) object: Object,
    /// Only if the thing is of one of these versions.
    pub(super) only_if: Option<Vec<u64>>,
    pub(super) reply: SyncSender<Result<Option<Shown>, Declined>>,
}

/// An errand that is done when its facts are written.
pub(super) struct Done {
    outcome: Result<Object, Declined>,
    reply: SyncSender<Result<Option<Shown>, Declined>>,
}

impl Shown {
    /// Sequence of the last fact that touched it.
    pub fn version(&self) -> u64 {
        match self {
            Shown::Task(task) => task.version,
            Shown::Worker(worker) => worker.version,
        }
    }
}

impl Errand {
    pub(super) fn run(self, pump: &mut Pump, now: Timestamp) -> Done {
        let Errand {
            command,
            object,
            only_if,
            reply,
        } = self;
        if let Some(wanted) = only_if {
            let now = pump.look(&object).map(|shown| shown.version());
            if !now.is_some_and(|now| wanted.contains(&now)) {
                let outcome = Err(Declined::Changed { now });
                return Done { outcome, reply };
            }
        }
        let outcome = match pump.carry_out(now, *command) {
            Ok(()) => Ok(object),
            Err(why) => Err(Declined::Refused(why)),
        };
        Done { outcome, reply }
    }
}

impl Done {
    /// Tells the outcome; its facts are written.
    pub(super) fn tell(self, pump: &Pump) {
        let outcome = self.outcome.map(|object| pump.look(&object));
        // Whoever waited may have given up.
        let _ = self.reply.try_send(outcome);
    }
}
