//! What windows see of the router: queues with their lines, workers with their states.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::machine::Router;
use super::state::{Engagement, State};
use super::{WorkerSpec, WorkerState};
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
    /// Task he has or is offered.
    pub task: Option<TaskId>,
    /// Queues whose target matches him.
    pub queues: Vec<String>,
    /// Whether he is no longer in the plan and only finishes.
    pub removed: bool,
}

/// A task at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskView {
    /// Task.
    pub task: TaskId,
    /// Its call.
    pub call: CallId,
    /// Its queue.
    pub queue: String,
    /// Priority.
    pub priority: i64,
    /// When it entered the queue.
    pub entered: Timestamp,
    /// Place in line; `None` once it is assigned.
    pub position: Option<usize>,
    /// Offer that is out or was accepted.
    pub reservation: Option<ReservationId>,
    /// Worker of that offer.
    pub worker: Option<String>,
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
        self.tasks.iter().find(|task| task.call == *call)
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
                let tasks = lane.line.values().filter_map(|n| self.state.tasks.get(n));
                QueueView {
                    name: name.clone(),
                    waiting: lane.line.len(),
                    offered: lane.line.len() - lane.pending.len(),
                    oldest_since: tasks.map(|task| task.entered).min(),
                    assigned: lane.assigned,
                    members: lane.members.count(),
                    on_duty: lane.members.count_shared(&self.index.on_duty),
                    free: lane.free.len(),
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
                let task = worker.task().and_then(|n| self.state.tasks.get(&n));
                let wrap = match &worker.engagement {
                    Engagement::WrapUp { task, .. } => Some(task),
                    _ => None,
                };
                let queues = slot.queues.iter();
                WorkerView {
                    spec: worker.spec.clone(),
                    activity: worker.activity.clone(),
                    reason: worker.reason.clone(),
                    available: worker.available,
                    reachable: worker.reachable,
                    state: worker.state(),
                    since: worker.since,
                    task: task.map(|task| &task.id).or(wrap).cloned(),
                    queues: queues
                        .filter_map(|place| self.state.queues.get_index(*place))
                        .map(|(name, _)| name.clone())
                        .collect(),
                    removed: worker.removed,
                }
            })
            .collect()
    }

    fn task_views(&self) -> Vec<TaskView> {
        let mut positions = HashMap::new();
        for lane in &self.index.queues {
            let places = lane.line.values().enumerate();
            positions.extend(places.map(|(place, number)| (*number, place + 1)));
        }
        let tasks = self.state.tasks.iter().take(RouterView::MAX_TASKS);
        tasks
            .map(|(number, task)| TaskView {
                task: task.id.clone(),
                call: task.call.clone(),
                queue: task.queue.clone(),
                priority: task.priority,
                entered: task.entered,
                position: positions.get(number).copied(),
                reservation: task.holder().map(|(_, reservation)| reservation.clone()),
                worker: task.holder().map(|(worker, _)| worker.clone()),
                assigned: task.is_assigned(),
                offers: task.offers,
            })
            .collect()
    }
}
