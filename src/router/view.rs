//! What windows see of the router: queues with their lines, workers with their states.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::machine::Router;
use super::state::{Engaged, Engagement, OrderKey, State};
use super::{At, WorkerSpec, WorkerState};
use crate::base::{CallId, ReservationId, TaskId, Timestamp};

/// The router at one moment, for HTTP, metrics and the wallboard.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouterView {
    /// Last fact it shows.
    pub sequence: u64,
    /// Time of that fact.
    pub at: Timestamp,
    /// Generation of the plan.
    pub generation: u64,
    /// Hash of the plan.
    pub plan: String,
    /// Queues in plan order, drained ones last.
    pub queues: Vec<QueueView>,
    /// Workers in plan order.
    pub workers: Vec<WorkerView>,
    /// Tasks, oldest first; at most [`RouterView::MAX_TASKS`].
    pub tasks: Vec<TaskView>,
}

/// A queue at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueView {
    /// Queue.
    pub name: String,
    /// Tasks in line, offered ones included.
    pub waiting: usize,
    /// How many of them are being offered.
    pub offered: usize,
    /// When the oldest of them entered.
    pub oldest_since: Option<Timestamp>,
    /// Tasks in conversation.
    pub assigned: usize,
    /// Workers whom the target matches; for a target that looks at the task, all.
    pub members: usize,
    /// How many of them are on duty: reachable and in an available activity.
    pub on_duty: usize,
    /// How many of them can be offered a task right now.
    pub free: usize,
    /// Whether it is no longer in the plan and only drains.
    pub draining: bool,
}

/// A worker at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerView {
    /// As configured.
    #[serde(flatten)]
    pub spec: Arc<WorkerSpec>,
    /// Activity now.
    #[serde(rename = "current_activity")]
    pub activity: String,
    /// Why he is in this activity.
    pub reason: String,
    /// Whether the activity is an available one.
    pub available: bool,
    /// Whether the phone is registered.
    pub reachable: bool,
    /// What he is at.
    pub state: WorkerState,
    /// Since when he is at it.
    pub since: Timestamp,
    /// Where he goes when he has nothing left in hand.
    #[serde(default)]
    pub next_activity: Option<String>,
    /// Task he has, is offered or does the after-call work of; of several the first.
    pub task: Option<TaskId>,
    /// What he is engaged in, oldest first.
    #[serde(default)]
    pub engagements: Vec<EngagementView>,
    /// Queues whose target matches him.
    pub queues: Vec<String>,
    /// Whether he is no longer in the plan and only finishes.
    pub removed: bool,
}

/// One thing a worker is engaged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngagementView {
    /// Channel whose capacity it takes; empty for after-call work begun by hand.
    pub channel: String,
    /// `Reserved`, `Talking` or `WrapUp`.
    pub state: WorkerState,
    /// Task.
    pub task: Option<TaskId>,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself: after-call work that lasts so long.
    pub until: Option<Timestamp>,
}

/// A task at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskView {
    /// Task.
    pub task: TaskId,
    /// Its call, when it stands for one.
    pub call: Option<CallId>,
    /// Its queue; empty before its first step.
    pub queue: String,
    /// Channel.
    pub channel: String,
    /// Its workflow, when it did not go straight into a queue.
    pub workflow: Option<String>,
    /// The step it is at.
    pub at: Option<At>,
    /// What expressions see of it.
    pub attributes: Arc<Map<String, Value>>,
    /// Priority.
    pub priority: i64,
    /// From when on its wait counts.
    pub entered: Timestamp,
    /// Place in line; `None` once it is assigned.
    pub position: Option<usize>,
    /// Offer that is out or was accepted; of several the first.
    pub reservation: Option<ReservationId>,
    /// Worker of that offer.
    pub worker: Option<String>,
    /// Offers that are out, or the one that was accepted, and their workers.
    #[serde(default)]
    pub reservations: Vec<(ReservationId, String)>,
    /// Whether the offer was accepted.
    pub assigned: bool,
    /// How often it was offered.
    pub offers: u32,
}

impl RouterView {
    /// Most tasks a view lists.
    pub const MAX_TASKS: usize = 1000;

    /// The task of a call.
    pub fn task_of(&self, call: &CallId) -> Option<&TaskView> {
        self.tasks
            .iter()
            .find(|task| task.call.as_ref() == Some(call))
    }
}

impl Router {
    /// The router as windows see it.
    pub fn view(&self) -> RouterView {
        let State {
            sequence,
            clock,
            generation,
            ref plan,
            ..
        } = self.state;
        RouterView {
            sequence,
            at: clock,
            generation,
            plan: plan.clone(),
            queues: self.queue_views(),
            workers: self.worker_views(),
            tasks: self.task_views(),
        }
    }

    fn queue_views(&self) -> Vec<QueueView> {
        let known = self.state.queues.iter().zip(&self.index.queues);
        known
            .filter(|((_, queue), lane)| {
                !queue.draining || lane.assigned > 0 || !lane.line.is_empty()
            })
            .map(|((name, queue), lane)| {
                let tasks = lane.line.iter().map(OrderKey::number);
                let tasks = tasks.filter_map(|number| self.state.tasks.get(&number));
                let calls = lane.channels.first();
                let free = self.index.channels.first();
                QueueView {
                    name: name.clone(),
                    waiting: lane.line.len(),
                    offered: lane.offered,
                    oldest_since: tasks.map(|task| task.started).min(),
                    assigned: lane.assigned,
                    members: calls.map_or(0, |serving| serving.workers.count()),
                    on_duty: calls.map_or(0, |serving| {
                        serving.workers.count_shared(&self.index.on_duty)
                    }),
                    free: calls.zip(free).map_or(0, |(serving, channel)| {
                        serving.workers.count_shared(&channel.free)
                    }),
                    draining: queue.draining,
                }
            })
            .collect()
    }

    fn worker_views(&self) -> Vec<WorkerView> {
        let known = self.state.workers.values().zip(&self.index.workers);
        known
            .filter(|(worker, _)| !worker.removed || worker.state() != WorkerState::Away)
            .map(|(worker, slot)| {
                let engagements: Vec<EngagementView> = worker
                    .engagements
                    .iter()
                    .map(|one| self.engagement_view(one))
                    .collect();
                let mut queues: Vec<usize> = slot.serves.iter().map(|serve| serve.queue).collect();
                queues.sort_unstable();
                queues.dedup();
                let queues = queues.into_iter();
                WorkerView {
                    spec: worker.spec.clone(),
                    activity: worker.activity.clone(),
                    reason: worker.reason.clone(),
                    available: worker.available,
                    reachable: worker.reachable,
                    state: worker.state(),
                    since: worker.since,
                    next_activity: worker.next_activity.clone(),
                    task: engagements.iter().find_map(|one| one.task.clone()),
                    engagements,
                    queues: queues
                        .filter_map(|place| self.state.queues.get_index(place))
                        .map(|(name, _)| name.clone())
                        .collect(),
                    removed: worker.removed,
                }
            })
            .collect()
    }

    fn engagement_view(&self, one: &Engagement) -> EngagementView {
        let id = |number: &u64| Some(self.state.tasks.get(number)?.id.clone());
        let (state, task, until) = match &one.what {
            Engaged::Assigned(number) => (WorkerState::Talking, id(number), None),
            Engaged::Reserved(number) => (WorkerState::Reserved, id(number), None),
            Engaged::Wrapping(wrap) => {
                let after = wrap.after.as_ref().map(|after| after.task.clone());
                (WorkerState::WrapUp, after, wrap.until)
            }
        };
        EngagementView {
            channel: one.channel.clone(),
            state,
            task,
            since: one.since,
            until,
        }
    }

    fn task_views(&self) -> Vec<TaskView> {
        let mut positions = HashMap::new();
        for lane in &self.index.queues {
            let places = lane.line.iter().take(RouterView::MAX_TASKS).enumerate();
            positions.extend(places.map(|(place, key)| (key.number(), place + 1)));
        }
        let tasks = self.state.tasks.iter().take(RouterView::MAX_TASKS);
        tasks
            .map(|(number, task)| {
                let holders = task
                    .holders()
                    .map(|(worker, id)| (id.clone(), worker.clone()));
                let reservations: Vec<_> = holders.collect();
                let (reservation, worker) = reservations.first().cloned().unzip();
                let content = self.state.content_of(task);
                TaskView {
                    task: task.id.clone(),
                    call: task.call.clone(),
                    queue: task.queue().cloned().unwrap_or_default(),
                    channel: task.channel.clone(),
                    workflow: content.map(|content| content.name.clone()),
                    at: task.step.as_ref().and_then(|step| step.at),
                    attributes: task.attributes.clone(),
                    priority: task.priority,
                    entered: task.started,
                    position: positions.get(number).copied(),
                    reservation,
                    worker,
                    reservations,
                    assigned: task.is_assigned(),
                    offers: task.offers,
                }
            })
            .collect()
    }
}
