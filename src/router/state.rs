//! The router's state: exactly what a fold of its facts gives, and nothing that is not in it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    ActivitySpec, ChannelSpec, Chosen, NOT_ANSWERING, ProfileSpec, QueueOrder, QueueSpec, StepSpec,
    WorkerSpec, WorkerState, WorkflowSpec,
};
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
    /// That of calls first.
    pub(super) channels: Vec<ChannelSpec>,
    pub(super) profiles: Vec<ProfileSpec>,
    /// The kind of queue that goes first where a worker serves both.
    #[serde(default)]
    pub(super) prioritize_queue_order: QueueOrder,
    /// In plan order; those removed from the plan that still finish come last.
    pub(super) workers: IndexMap<String, Worker>,
    /// In plan order; those that drain come last.
    pub(super) queues: IndexMap<String, Queue>,
    /// Names of the plan's workflows, and where their content is.
    pub(super) workflows: IndexMap<String, String>,
    /// Contents, old ones too while tasks follow them.
    pub(super) contents: BTreeMap<String, Arc<WorkflowSpec>>,
    /// By the sequence of the fact that made them.
    pub(super) tasks: BTreeMap<u64, Task>,
    /// When the day ends, in UTC, after which accepted tasks are counted anew.
    pub(super) day_ends: Timestamp,
    /// Who served a customer last: for queues that are sticky.
    pub(super) served: IndexMap<String, String>,
    /// Events so far.
    #[serde(default)]
    pub(super) events: u64,
    /// Events so far of each worker there ever was.
    #[serde(default)]
    pub(super) worker_events: IndexMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Worker {
    pub(super) spec: Arc<WorkerSpec>,
    pub(super) activity: String,
    pub(super) available: bool,
    pub(super) reason: String,
    /// Activity he goes to when he has nothing left in hand; no offers until then.
    pub(super) next_activity: Option<String>,
    /// Whether his phone is registered.
    pub(super) reachable: bool,
    /// Signalling shards where his phone is in a call that is none of ours.
    pub(super) busy: BTreeSet<u16>,
    /// Since when he is what `state` says.
    pub(super) since: Timestamp,
    /// Since when he has had nothing to do; with something in hand, when he last was done with
    /// something. Of those with equally much in hand the earliest is chosen first.
    pub(super) idle_since: Timestamp,
    /// His phone failed: no offers before this.
    pub(super) paused_until: Option<Timestamp>,
    /// What he is offered or has in hand, oldest first.
    pub(super) engagements: Vec<Engagement>,
    /// Sequence of his last offer.
    pub(super) offered: u64,
    /// Tasks accepted today.
    pub(super) accepted: u32,
    /// Offers missed in a row.
    pub(super) misses: u32,
    /// Sequence of the last fact that touched him.
    #[serde(default)]
    pub(super) version: u64,
    pub(super) removed: bool,
}

/// One thing a worker is engaged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Engagement {
    /// Channel whose capacity it takes.
    pub(super) channel: String,
    pub(super) since: Timestamp,
    pub(super) what: Engaged,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Engaged {
    Assigned(u64),
    Reserved(u64),
    Wrapping(Wrap),
}

/// After-call work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wrap {
    /// What it follows; `None` when the worker began it by hand.
    pub(super) after: Option<After>,
    /// When it ends by itself; `None` when he must end it.
    pub(super) until: Option<Timestamp>,
}

/// What after-call work follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct After {
    pub(super) task: TaskId,
    pub(super) call: Option<CallId>,
    pub(super) queue: String,
    #[serde(default)]
    pub(super) reservation: Option<ReservationId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Queue {
    pub(super) spec: Arc<QueueSpec>,
    pub(super) draining: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) id: TaskId,
    /// The call it stands for; `None` for one made by the API.
    pub(super) call: Option<CallId>,
    pub(super) channel: String,
    pub(super) attributes: Arc<Map<String, Value>>,
    pub(super) priority: i64,
    /// When it was made.
    pub(super) created: Timestamp,
    /// From when on its wait counts; `created` unless it was said to be earlier.
    pub(super) started: Timestamp,
    /// When it is given up.
    pub(super) until: Timestamp,
    /// Key of its workflow's content; `None` when it was put into a queue.
    pub(super) workflow: Option<String>,
    /// Where it is on its way; `None` until it is at its first step.
    pub(super) step: Option<Step>,
    pub(super) status: Status,
    pub(super) offers: u32,
    /// Whom it was offered last, and why to them: later they are no longer what they were then.
    #[serde(default)]
    pub(super) chosen: Vec<Chosen>,
    /// Workers who are not to be offered this task before a time.
    pub(super) cooling: Vec<(String, Timestamp)>,
    pub(super) nobody_told: bool,
    /// Sequence of the last fact that touched it.
    #[serde(default)]
    pub(super) version: u64,
}

/// Where a task is on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    /// Which step of its workflow; `None` when it was put into a queue.
    pub(super) at: Option<At>,
    pub(super) spec: Arc<StepSpec>,
    /// The only worker wanted, found where the step's `known_worker` says.
    pub(super) known: Option<Known>,
    pub(super) entered: Timestamp,
    /// When it entered the queue: steps of one queue after another do not begin anew.
    pub(super) queued: Timestamp,
    /// When it is to move on.
    pub(super) until: Option<Timestamp>,
    /// It is to move on as soon as no offer is out.
    pub(super) is_over: bool,
    /// It was just entered: `skip_if` is still to be looked at.
    pub(super) is_fresh: bool,
    /// How many delays of its queue's profiles are over.
    pub(super) seen: usize,
}

/// A step of a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// A step of a filter, both counted from 0.
    Filter(usize, usize),
    /// The default filter.
    Default,
}

/// The worker a task named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// A worker of the step's queue.
    Worker(String),
    /// The task names nobody.
    Null,
    /// A worker who does not serve the step's queue (TaskRouter's error 40152).
    OutsideQueue(String),
    /// Nobody the plan knows (TaskRouter's error 40155).
    Unknown(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Assigned {
        worker: String,
        reservation: ReservationId,
    },
    Pending,
    /// Offered to these; the first to accept has it.
    Reserved(Vec<Reservation>),
}

/// One offer that is out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reservation {
    pub(super) id: ReservationId,
    pub(super) worker: String,
    pub(super) expires_at: Timestamp,
}

/// Where a task stands among all others; the least is next. Tasks of the kind of queue the plan
/// prioritizes come before those of the other kind when a worker serves both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OrderKey(u8, Reverse<i64>, i64, i64);

impl State {
    pub(super) fn is_available(&self, activity: &str) -> bool {
        self.activities
            .iter()
            .any(|spec| spec.name == activity && spec.available)
    }

    pub(super) fn knows_activity(&self, activity: &str) -> bool {
        activity == NOT_ANSWERING || self.activities.iter().any(|spec| spec.name == activity)
    }

    /// Place of a channel.
    pub(super) fn channel(&self, name: &str) -> Option<usize> {
        self.channels.iter().position(|spec| spec.name == name)
    }

    pub(super) fn profile_of(&self, worker: &Worker) -> Option<&ProfileSpec> {
        let name = worker.spec.profile.as_ref()?;
        self.profiles.iter().find(|profile| profile.name == *name)
    }

    /// Tasks a worker takes at a time on a channel.
    pub(super) fn capacity(&self, worker: &Worker, channel: &ChannelSpec) -> u32 {
        let own = worker.spec.capacity.get(&channel.name).copied();
        let profile = || {
            Some(
                self.profile_of(worker)?
                    .channels
                    .get(&channel.name)?
                    .capacity,
            )
        };
        own.or_else(profile).unwrap_or(channel.capacity)
    }

    pub(super) fn content_of(&self, task: &Task) -> Option<&Arc<WorkflowSpec>> {
        self.contents.get(task.workflow.as_ref()?)
    }
}

impl Worker {
    /// Whether he is there, be he free or not.
    pub(super) fn is_on_duty(&self) -> bool {
        self.available && self.reachable && !self.removed
    }

    pub(super) fn is_idle(&self) -> bool {
        self.engagements.is_empty()
    }

    /// How much he has in hand or is offered, on all channels.
    pub(super) fn in_hand(&self) -> u64 {
        self.engagements.len() as u64
    }

    /// How long he has had nothing to do but this task, milliseconds; 0 for who has something in
    /// hand.
    pub(super) fn idle_ms(&self, at: Timestamp, task: u64) -> u64 {
        match self.has_more_than(task) {
            true => 0,
            false => u64::try_from(at.since(self.idle_since).as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Whether he has anything in hand, or is offered any, but this task.
    pub(super) fn has_more_than(&self, task: u64) -> bool {
        let mut engaged = self.engagements.iter();
        engaged.any(|one| match one.what {
            Engaged::Assigned(number) | Engaged::Reserved(number) => number != task,
            Engaged::Wrapping(_) => true,
        })
    }

    /// How much of a channel he has in hand or is offered.
    pub(super) fn load(&self, channel: &str) -> u32 {
        let on_it = self.engagements.iter().filter(|one| one.channel == channel);
        u32::try_from(on_it.count()).unwrap_or(u32::MAX)
    }

    pub(super) fn state(&self) -> WorkerState {
        let is = |wanted: fn(&Engaged) -> bool| self.engagements.iter().any(|e| wanted(&e.what));
        if is(|what| matches!(what, Engaged::Assigned(_))) {
            WorkerState::Talking
        } else if is(|what| matches!(what, Engaged::Reserved(_))) {
            WorkerState::Reserved
        } else if is(|what| matches!(what, Engaged::Wrapping(_))) {
            WorkerState::WrapUp
        } else if self.is_on_duty()
            && self.paused_until.is_none()
            && self.next_activity.is_none()
            && self.busy.is_empty()
        {
            WorkerState::Free
        } else {
            WorkerState::Away
        }
    }

    /// Numbers of the tasks he has or is offered.
    pub(super) fn tasks(&self) -> impl Iterator<Item = u64> + '_ {
        self.engagements.iter().filter_map(|one| match one.what {
            Engaged::Assigned(number) | Engaged::Reserved(number) => Some(number),
            Engaged::Wrapping(_) => None,
        })
    }

    /// His after-call work, oldest first.
    pub(super) fn wraps(&self) -> impl Iterator<Item = &Wrap> + '_ {
        self.engagements.iter().filter_map(|one| match &one.what {
            Engaged::Wrapping(wrap) => Some(wrap),
            Engaged::Assigned(_) | Engaged::Reserved(_) => None,
        })
    }
}

impl Task {
    /// The queue it stands in.
    pub(super) fn queue(&self) -> Option<&String> {
        Some(&self.step.as_ref()?.spec.queue)
    }

    /// Its key in a queue of this order, where queues of the order `first` go first.
    pub(super) fn order_key(&self, number: u64, order: QueueOrder, first: QueueOrder) -> OrderKey {
        let kind = u8::from(order != first);
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        match order {
            QueueOrder::Fifo => {
                let started = self.started.as_micros();
                OrderKey(kind, Reverse(self.priority), started, number)
            }
            QueueOrder::Lifo => {
                let newest = self.created.as_micros().saturating_neg();
                OrderKey(kind, Reverse(0), newest, -number)
            }
        }
    }

    pub(super) fn is_cooling(&self, worker: &str) -> bool {
        self.cooling.iter().any(|(name, _)| name == worker)
    }

    pub(super) fn is_assigned(&self) -> bool {
        matches!(self.status, Status::Assigned { .. })
    }

    pub(super) fn is_pending(&self) -> bool {
        self.status == Status::Pending
    }

    /// Workers and offers that are out or were accepted.
    pub(super) fn holders(&self) -> impl Iterator<Item = (&String, &ReservationId)> + '_ {
        let assigned = match &self.status {
            Status::Assigned {
                worker,
                reservation,
            } => Some((worker, reservation)),
            Status::Pending | Status::Reserved(_) => None,
        };
        let reserved = self.reservations().iter();
        assigned
            .into_iter()
            .chain(reserved.map(|one| (&one.worker, &one.id)))
    }

    /// Offers that are out.
    pub(super) fn reservations(&self) -> &[Reservation] {
        match &self.status {
            Status::Reserved(reservations) => reservations,
            Status::Assigned { .. } | Status::Pending => &[],
        }
    }
}

impl OrderKey {
    /// Number of the task.
    pub(super) fn number(self) -> u64 {
        self.3.unsigned_abs()
    }
}
