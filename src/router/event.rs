//! Events: what happened, for who looks in from outside: one ordered stream, numbered without gaps.
//!
//! They follow from facts alone: the same facts give the same events with the same numbers. They
//! are written in the transaction of their facts, so that neither a crash nor a slow reader loses
//! one. Names are those of TaskRouter where it has one (requirements, section 2.7).

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::machine::Router;
use super::state::{State, Task};
use super::{LeftWhy, RevokedWhy, TaskOutcome, WrapUp};
use crate::base::{CallId, ReservationId, TaskId, Timestamp};
use crate::journal::EventEntry;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Event {
    /// Number: 1, 2, 3, ... without gaps, across restarts.
    pub sequence: u64,
    /// When.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// What.
    #[schema(value_type = String)]
    pub event: EventName,
    /// What else is to be said of it.
    #[serde(flatten)]
    pub about: About,
}

/// What an event is about; what does not apply is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct About {
    /// Worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Number among the events of this worker: 1, 2, 3, ... without gaps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_sequence: Option<u64>,
    /// Offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reservation: Option<ReservationId>,
    /// What is offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Task.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub task: Option<TaskId>,
    /// Call the task stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub call: Option<CallId>,
    /// Channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Priority of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// When an offer is withdrawn, or after-call work ends by itself.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "rfc3339_option"
    )]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// Activity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<String>,
    /// Activity before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_activity: Option<String>,
    /// Whether the activity is an available one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<bool>,
    /// Wrap-up code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why: a word for machines, or a few for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Attributes of the task: of a call the caller (`from`) and the dialled number (`to`) too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub attributes: Option<Arc<Map<String, Value>>>,
}

/// What is offered to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A task of his own queue.
    Direct,
    /// A task of a queue of several.
    Queue,
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventName {
            $($(#[$doc])* $name,)*
        }

        impl EventName {
            /// All there are.
            pub const ALL: &[EventName] = &[$(EventName::$name,)*];

            /// The word events carry.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(EventName::$name => $word,)*
                }
            }
        }
    };
}

names! {
    /// Another plan applies.
    PlanActivated = "plan.activated",
    /// It was accepted, and the worker was gone before the conversation began.
    ReservationFailed = "reservation.failed",
    /// A worker has the task.
    ReservationAccepted = "reservation.accepted",
    /// The task ended while it was offered.
    ReservationCanceled = "reservation.canceled",
    /// The conversation and its after-call work are over.
    ReservationCompleted = "reservation.completed",
    /// A task is offered to a worker; before or with the ring.
    ReservationCreated = "reservation.created",
    /// The worker did not want it, or his phone failed.
    ReservationRejected = "reservation.rejected",
    /// The router took it back.
    ReservationRescinded = "reservation.rescinded",
    /// It rang for as long as it may.
    ReservationTimeout = "reservation.timeout",
    /// The conversation is over, the after-call work is not.
    ReservationWrapup = "reservation.wrapup",
    /// A task ended before anybody took it.
    TaskCanceled = "task.canceled",
    /// A task ended after somebody took it.
    TaskCompleted = "task.completed",
    /// A task is there.
    TaskCreated = "task.created",
    /// Nobody can take it; it waits on.
    TaskNobody = "task.nobody-can-take",
    /// Its attributes, its priority or the start of its wait changed, or it begins anew.
    TaskUpdated = "task.updated",
    /// Its conversation is over; after-call work follows.
    TaskWrapup = "task.wrapup",
    /// The plan has a new queue.
    QueueCreated = "task-queue.created",
    /// The plan has a queue no more.
    QueueDeleted = "task-queue.deleted",
    /// A task entered its first queue.
    QueueEntered = "task-queue.entered",
    /// A task went from queue to queue.
    QueueMoved = "task-queue.moved",
    /// A step lasted as long as it may.
    QueueTimeout = "task-queue.timeout",
    /// Who may be chosen, or how, changed.
    QueueUpdated = "task-queue.updated",
    /// A worker's activity changed.
    WorkerActivity = "worker.activity.update",
    /// A worker's attributes changed.
    WorkerAttributes = "worker.attributes.update",
    /// The plan has a new worker.
    WorkerCreated = "worker.created",
    /// The plan has a worker no more.
    WorkerDeleted = "worker.deleted",
    /// His phone is in another call, or no longer.
    WorkerDevice = "worker.device.update",
    /// Where he goes when he has nothing left in hand changed.
    WorkerNextActivity = "worker.next-activity.update",
    /// His phone was registered, or no longer is.
    WorkerReachability = "worker.reachability.update",
    /// After-call work that he began by hand is over.
    WorkerWrapEnded = "worker.wrapup.ended",
    /// After-call work ends later.
    WorkerWrapExtended = "worker.wrapup.extended",
    /// He began after-call work by hand.
    WorkerWrapStarted = "worker.wrapup.started",
    /// The plan has a new workflow.
    WorkflowCreated = "workflow.created",
    /// The plan has a workflow no more.
    WorkflowDeleted = "workflow.deleted",
    /// A task entered a workflow.
    WorkflowEntered = "workflow.entered",
    /// A task left its workflow: no filter matched, or the last step was skipped.
    WorkflowSkipped = "workflow.skipped",
    /// A task came to a step.
    WorkflowMatched = "workflow.target-matched",
    /// A task left its workflow: the last step timed out.
    WorkflowTimeout = "workflow.timeout",
    /// A workflow's content changed.
    WorkflowUpdated = "workflow.updated",
}

impl Serialize for EventName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl About {
    /// A worker.
    pub(super) fn worker(name: &str) -> Self {
        Self {
            worker: Some(name.to_owned()),
            ..Self::default()
        }
    }

    /// A task.
    pub(super) fn task(task: &Task) -> Self {
        let workflow = task.workflow.as_deref();
        let workflow = workflow.map(|key| key.rsplit_once('@').map_or(key, |(name, _)| name));
        Self {
            task: Some(task.id.clone()),
            call: task.call.clone(),
            channel: Some(task.channel.clone()),
            queue: task.queue().cloned(),
            workflow: workflow.map(str::to_owned),
            priority: Some(task.priority),
            ..Self::default()
        }
    }

    /// A task with all that is known of it.
    pub(super) fn whole_task(task: &Task) -> Self {
        Self {
            attributes: Some(task.attributes.clone()),
            ..Self::task(task)
        }
    }

    /// And this worker, and his offer.
    pub(super) fn offer(self, worker: &str, reservation: &ReservationId) -> Self {
        Self {
            worker: Some(worker.to_owned()),
            reservation: Some(reservation.clone()),
            ..self
        }
    }

    /// For this reason.
    pub(super) fn because(self, reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..self
        }
    }
}

impl Event {
    /// The entry that keeps it.
    pub fn encode(&self, shard: u16, fact: u64) -> EventEntry {
        EventEntry {
            shard,
            sequence: self.sequence,
            fact,
            worker: self.about.worker.clone(),
            body: serde_json::to_string(self)
                .expect("events have string keys only, so they always serialise"),
        }
    }
}

impl Router {
    /// Something happened.
    pub(super) fn event(&mut self, event: EventName, mut about: About) {
        let State {
            events,
            worker_events,
            clock,
            sequence,
            ..
        } = &mut self.state;
        *events += 1;
        if let Some(worker) = &about.worker {
            let count = match worker_events.get_mut(worker) {
                Some(count) => count,
                None => worker_events.entry(worker.clone()).or_default(),
            };
            *count += 1;
            about.worker_sequence = Some(*count);
        }
        let event = Event {
            sequence: *events,
            at: *clock,
            event,
            about,
        };
        self.events.push((*sequence, event));
    }

    /// An event of a task, if there is one of this number.
    pub(super) fn task_event(&mut self, event: EventName, number: u64, reason: Option<&str>) {
        if let Some(task) = self.state.tasks.get(&number) {
            let about = About {
                reason: reason.map(str::to_owned),
                ..About::task(task)
            };
            self.event(event, about);
        }
    }
}

impl Router {
    /// A task is gone: how, and that of whoever had it.
    pub(super) fn tell_end(
        &mut self,
        task: &Task,
        worker: Option<&(String, WrapUp)>,
        outcome: &TaskOutcome,
    ) {
        let reason = match outcome {
            TaskOutcome::Cancelled(why) => Some(why.as_str()),
            TaskOutcome::Completed => None,
            TaskOutcome::Left(why) => Some(why.as_str()),
            TaskOutcome::Recovered => Some(RevokedWhy::Recovered.as_str()),
        };
        let about = About {
            reason: reason.map(str::to_owned),
            ..About::task(task)
        };
        let Some((worker, wrap_up)) = worker else {
            return self.event(EventName::TaskCanceled, about);
        };
        let holder = task.holders().find(|(holder, _)| *holder == worker);
        let about = About {
            worker: Some(worker.clone()),
            reservation: holder.map(|(_, reservation)| reservation.clone()),
            ..about
        };
        let (of_offer, of_task, until) = match wrap_up {
            WrapUp::None => (
                EventName::ReservationCompleted,
                EventName::TaskCompleted,
                None,
            ),
            WrapUp::Open => (EventName::ReservationWrapup, EventName::TaskWrapup, None),
            WrapUp::Until(at) => (
                EventName::ReservationWrapup,
                EventName::TaskWrapup,
                Some(*at),
            ),
        };
        let about = About { until, ..about };
        self.event(of_offer, about.clone());
        self.event(of_task, about);
    }

    /// A task changed: to each who has it or is offered it, else to nobody in particular.
    pub(super) fn task_updated(&mut self, number: u64, reason: Option<&str>) {
        let Some(task) = self.state.tasks.get(&number) else {
            return;
        };
        let about = About {
            reason: reason.map(str::to_owned),
            ..About::whole_task(task)
        };
        let holders = task.holders();
        let mut all: Vec<About> = holders
            .map(|(worker, id)| about.clone().offer(worker, id))
            .collect();
        if all.is_empty() {
            all.push(about);
        }
        for about in all {
            self.event(EventName::TaskUpdated, about);
        }
    }
}

impl RevokedWhy {
    /// The event that tells an offer's end.
    pub(super) fn event(self) -> EventName {
        match self {
            RevokedWhy::ActivityChanged | RevokedWhy::Rejected => EventName::ReservationRejected,
            RevokedWhy::Recovered
            | RevokedWhy::Reevaluated
            | RevokedWhy::Rescinded
            | RevokedWhy::WorkerRemoved => EventName::ReservationRescinded,
            RevokedWhy::RingTimeout => EventName::ReservationTimeout,
            RevokedWhy::TaskCancelled => EventName::ReservationCanceled,
        }
    }

    /// The word events carry.
    pub fn as_str(self) -> &'static str {
        match self {
            RevokedWhy::ActivityChanged => "activity_changed",
            RevokedWhy::Recovered => "switch_restart",
            RevokedWhy::Reevaluated => "reevaluated",
            RevokedWhy::Rejected => "rejected",
            RevokedWhy::Rescinded => "accepted_by_another",
            RevokedWhy::RingTimeout => "no_answer",
            RevokedWhy::TaskCancelled => "task_canceled",
            RevokedWhy::WorkerRemoved => "worker_removed",
        }
    }
}

impl LeftWhy {
    /// The event that tells that a task left its workflow; none when it did not stand in one.
    pub(super) fn event(self) -> Option<EventName> {
        match self {
            LeftWhy::TimeToLive | LeftWhy::TooManyOffers => None,
            LeftWhy::Unmatched | LeftWhy::WorkflowSkipped => Some(EventName::WorkflowSkipped),
            LeftWhy::WorkflowTimedOut => Some(EventName::WorkflowTimeout),
        }
    }

    /// The word events carry.
    pub fn as_str(self) -> &'static str {
        match self {
            LeftWhy::TimeToLive => "time_to_live",
            LeftWhy::TooManyOffers => "too_many_offers",
            LeftWhy::Unmatched => "unmatched",
            LeftWhy::WorkflowSkipped => "workflow_skipped",
            LeftWhy::WorkflowTimedOut => "workflow_timed_out",
        }
    }
}

fn rfc3339<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339())
}

fn rfc3339_option<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339(at, to),
        None => to.serialize_none(),
    }
}
