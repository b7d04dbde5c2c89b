//! What windows see of the router: queues with their lines, workers with their states.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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
