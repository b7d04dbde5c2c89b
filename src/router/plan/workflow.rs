//! Workflows: the way of a task through queues, step by step, with the words of TaskRouter's
//! documents (requirements, section 2.2).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::WhenNobody;
use crate::router::At;

/// One workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowSpec {
    /// Unique name, any Unicode.
    pub name: String,
    /// Tried from first to last; the first that matches the task is taken.
    pub filters: Vec<FilterSpec>,
    /// Where a task goes that no filter matches. Its step has no timeout.
    pub default: Option<StepSpec>,
    /// How long an offer may stay open; the queue's ring timeout when `None`.
    #[serde(default)]
    pub reservation_timeout: Option<Duration>,
    /// Whether `HAS`, `IN` and `NOT IN` take a single value for an array of one.
    #[serde(default)]
    pub lenient: bool,
    /// When a step is left at once though it has no `skip_if`: a document of TaskRouter says
    /// [`WhenNobody::Wait`].
    #[serde(default)]
    pub skip_when_nobody: WhenNobody,
    /// Longest life of a task that nobody accepts. Default a day.
    pub time_to_live: Duration,
    /// Most offers of one task; a multi-reservation counts once. Default 1000.
    pub most_offers: u32,
}

/// One filter: who comes here, and the steps from there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FilterSpec {
    /// Name for people; may be empty.
    pub name: String,
    /// Expression over the task; keys without prefix are the task's.
    pub expression: String,
    /// Tried in order.
    pub steps: Vec<StepSpec>,
}

/// One step of a filter (a "target" in TaskRouter's documents).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSpec {
    /// Queue; already inherited from the step before where the document left it out.
    pub queue: String,
    /// Who of the queue, over worker and task; everybody when `None`.
    #[serde(default)]
    pub expression: Option<String>,
    /// Priority the task has from here on; unchanged when `None`.
    #[serde(default)]
    pub priority: Option<i64>,
    /// How long the task stays here before the next step; for ever when `None`.
    #[serde(default)]
    pub timeout: Option<Duration>,
    /// Attributes by which workers are chosen, such as `worker.level DESC, worker.age ASC`.
    #[serde(default)]
    pub order_by: Option<String>,
    /// Expression over `workers.`: the step is left at once when it holds and nobody was reserved.
    #[serde(default)]
    pub skip_if: Option<String>,
    /// The only worker wanted here.
    #[serde(default)]
    pub known_worker: Option<KnownWorker>,
}

/// Where a task names the worker it wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownWorker {
    /// Path into the task's attributes, such as `task.owner`; `null` for none.
    pub path: String,
    /// What stands there.
    pub by: WorkerKey,
}

/// What a worker is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerKey {
    /// His `sid` attribute, or his name where he has none (`known_worker_sid`).
    Sid,
    /// His name (`known_worker_friendly_name`).
    Name,
}

impl WorkflowSpec {
    /// Longest life of a task unless the workflow says otherwise, as in TaskRouter.
    pub const TIME_TO_LIVE: Duration = Duration::from_secs(86_400);
    /// Most offers of a task unless the workflow says otherwise, as in TaskRouter.
    pub const MOST_OFFERS: u32 = 1000;

    /// A workflow without filters that leads everybody into one queue, with the defaults.
    pub fn new(name: impl Into<String>, queue: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            filters: Vec::new(),
            default: Some(StepSpec::new(queue)),
            reservation_timeout: None,
            lenient: false,
            skip_when_nobody: WhenNobody::default(),
            time_to_live: Self::TIME_TO_LIVE,
            most_offers: Self::MOST_OFFERS,
        }
    }

    /// A step of it.
    pub fn step(&self, at: At) -> Option<&StepSpec> {
        match at {
            At::Default => self.default.as_ref(),
            At::Filter(filter, step) => self.filters.get(filter)?.steps.get(step),
        }
    }
}

impl StepSpec {
    /// A step that takes everybody of a queue and lasts for ever.
    pub fn new(queue: impl Into<String>) -> Self {
        Self {
            queue: queue.into(),
            expression: None,
            priority: None,
            timeout: None,
            order_by: None,
            skip_if: None,
            known_worker: None,
        }
    }
}
