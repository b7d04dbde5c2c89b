//! The router's state: exactly what a fold of its facts gives, and nothing that is not in it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ActivitySpec, NOT_ANSWERING, QueueOrder, QueueSpec, WorkerSpec, WorkerState};
use crate::base::{CallId, ReservationId, TaskId, Timestamp};

/// All the router knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub(super) shard: u16,
    pub(super) sequence: u64,
    pub(super) clock: Timestamp,
    pub(super) generation: u64,
    pub(super) plan: String,
    pub(super) activities: Vec<ActivitySpec>,
    /// In plan order; those removed from the plan that still finish come last.
    pub(super) workers: IndexMap<String, Worker>,
    /// In plan order; those that drain come last.
    pub(super) queues: IndexMap<String, Queue>,
    /// By the sequence of the fact that made them.
    pub(super) tasks: BTreeMap<u64, Task>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Worker {
    pub(super) spec: Arc<WorkerSpec>,
    pub(super) activity: String,
    pub(super) available: bool,
    pub(super) reason: String,
    pub(super) reachable: bool,
    /// Since when he is what `state` says.
    pub(super) since: Timestamp,
    /// Since when he has had nothing to do; the earliest is chosen first.
    pub(super) idle_since: Timestamp,
    /// His phone failed: no offers before this.
    pub(super) paused_until: Option<Timestamp>,
    pub(super) engagement: Engagement,
    pub(super) removed: bool,
}

/// What a worker is engaged in: at most one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Engagement {
    Assigned(u64),
    None,
    Reserved(u64),
    WrapUp {
        task: TaskId,
        call: CallId,
        until: Timestamp,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Queue {
    pub(super) spec: Arc<QueueSpec>,
    pub(super) draining: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) id: TaskId,
    pub(super) call: CallId,
    pub(super) queue: String,
    pub(super) attributes: Map<String, Value>,
    pub(super) priority: i64,
    pub(super) entered: Timestamp,
    pub(super) status: Status,
    pub(super) offers: u32,
    /// Workers who are not to be offered this task before a time.
    pub(super) cooling: Vec<(String, Timestamp)>,
    pub(super) nobody_told: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Assigned {
        worker: String,
        reservation: ReservationId,
    },
    Pending,
    Reserved {
        worker: String,
        reservation: ReservationId,
        expires_at: Timestamp,
    },
}

/// Where a task stands among all others; the least is next. Tasks of first-in-first-out queues
/// come before those of last-in-first-out ones when a worker serves both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OrderKey(u8, Reverse<i64>, i64, i64);

/// A step of a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// A step of a filter, both counted from 0.
    Filter(usize, usize),
    /// The default filter.
    Default,
}

impl State {
    pub(super) fn is_available(&self, activity: &str) -> bool {
        self.activities
            .iter()
            .any(|spec| spec.name == activity && spec.available)
    }

    pub(super) fn knows_activity(&self, activity: &str) -> bool {
        activity == NOT_ANSWERING || self.activities.iter().any(|spec| spec.name == activity)
    }
}

impl Worker {
    /// Whether he can be offered a task.
    pub(super) fn is_free(&self) -> bool {
        self.is_on_duty() && self.engagement == Engagement::None && self.paused_until.is_none()
    }

    /// Whether he is there, be he free or not.
    pub(super) fn is_on_duty(&self) -> bool {
        self.available && self.reachable && !self.removed
    }

    pub(super) fn state(&self) -> WorkerState {
        match self.engagement {
            Engagement::Assigned(_) => WorkerState::Talking,
            Engagement::None if self.is_free() => WorkerState::Free,
            Engagement::None => WorkerState::Away,
            Engagement::Reserved(_) => WorkerState::Reserved,
            Engagement::WrapUp { .. } => WorkerState::WrapUp,
        }
    }

    /// The number of the task he has or is offered.
    pub(super) fn task(&self) -> Option<u64> {
        match self.engagement {
            Engagement::Assigned(number) | Engagement::Reserved(number) => Some(number),
            Engagement::None | Engagement::WrapUp { .. } => None,
        }
    }
}

impl Task {
    pub(super) fn order_key(&self, number: u64, order: QueueOrder) -> OrderKey {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let entered = self.entered.as_micros();
        match order {
            QueueOrder::Fifo => OrderKey(0, Reverse(self.priority), entered, number),
            QueueOrder::Lifo => OrderKey(1, Reverse(0), entered.saturating_neg(), -number),
        }
    }

    pub(super) fn is_cooling(&self, worker: &str) -> bool {
        self.cooling.iter().any(|(name, _)| name == worker)
    }

    /// The worker and the offer that is out or was accepted.
    pub(super) fn holder(&self) -> Option<(&String, &ReservationId)> {
        match &self.status {
            Status::Assigned {
                worker,
                reservation,
            }
            | Status::Reserved {
                worker,
                reservation,
                ..
            } => Some((worker, reservation)),
            Status::Pending => None,
        }
    }

    pub(super) fn is_assigned(&self) -> bool {
        matches!(self.status, Status::Assigned { .. })
    }
}
