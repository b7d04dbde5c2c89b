//! Workflows: the way of a task through queues, step by step, with the words of TaskRouter's
//! documents (requirements, section 2.2).

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{QueueSpec, WhenNobody};
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
    /// Whether two attributes that are both missing are equal, as TaskRouter has it. Default no.
    #[serde(default)]
    pub missing_equals_missing: bool,
    /// Whether its expressions may say what TaskRouter's language cannot. Default yes.
    #[serde(default = "yes")]
    pub extensions: bool,
    /// When a step is left at once though it has no `skip_if`: a document of TaskRouter says
    /// [`WhenNobody::Wait`].
    #[serde(default)]
    pub skip_when_nobody: WhenNobody,
    /// Longest life of a task that nobody accepts. Default a day.
    pub time_to_live: Duration,
    /// Most offers of one task; a multi-reservation counts once. Default 1000.
    pub most_offers: u32,
    /// What its document says besides, by name and, below `task_routing`, by name there: it means
    /// nothing to us and is printed again.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub unknown: Map<String, Value>,
}

/// One filter: who comes here, and the steps from there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FilterSpec {
    /// Name for people; may be empty.
    pub name: String,
    /// Expression over the task; keys without prefix are the task's.
    pub expression: String,
    /// Tried in order.
    pub steps: Vec<StepSpec>,
    /// What its document says of it besides.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub unknown: Map<String, Value>,
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
    /// What its document says of it besides.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub unknown: Map<String, Value>,
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

impl KnownWorker {
    /// Whether a text is a path into a task's attributes: keys with dots between. `null` is one
    /// that leads nowhere.
    pub fn is_path(text: &str) -> bool {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c) || !c.is_ascii();
        let is_key = |key: &str| !key.is_empty() && key.chars().all(is_part);
        let mut keys = text.trim().split('.');
        let first = keys.clone().next();
        keys.all(is_key) && first != Some("worker") && text.trim() != "task"
    }
}

impl WorkflowSpec {
    /// Longest life of a task unless the workflow says otherwise, as in TaskRouter.
    pub const TIME_TO_LIVE: Duration = Duration::from_secs(86_400);
    /// Most offers of a task unless the workflow says otherwise, as in TaskRouter.
    pub const MOST_OFFERS: u32 = 1000;
    /// Most steps of all filters together: more than a document of the longest length holds that
    /// anybody wrote.
    pub const MOST_STEPS: usize = 10_000;
    /// Longest stay at a step and longest life of a task, as in TaskRouter: two weeks.
    pub const LONGEST_LIFE: Duration = Duration::from_secs(1_209_600);
    /// Longest offer, as in TaskRouter: a day.
    pub const LONGEST_OFFER: Duration = Duration::from_secs(86_400);
    /// Highest priority, as in TaskRouter; the lowest is as far below zero.
    pub const HIGHEST_PRIORITY: i64 = i32::MAX as i64;

    /// A workflow without filters that leads everybody into one queue, with the defaults.
    pub fn new(name: impl Into<String>, queue: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            filters: Vec::new(),
            default: Some(StepSpec::new(queue)),
            reservation_timeout: None,
            lenient: false,
            missing_equals_missing: false,
            extensions: true,
            skip_when_nobody: WhenNobody::default(),
            time_to_live: Self::TIME_TO_LIVE,
            most_offers: Self::MOST_OFFERS,
            unknown: Map::new(),
        }
    }

    /// Every step with its place; the default one last.
    pub fn steps(&self) -> impl Iterator<Item = (At, &StepSpec)> {
        let filters = self.filters.iter().enumerate();
        let steps = filters.flat_map(|(filter, spec)| {
            let steps = spec.steps.iter().enumerate();
            steps.map(move |(step, spec)| (At::Filter(filter, step), spec))
        });
        steps.chain(self.default.iter().map(|spec| (At::Default, spec)))
    }

    /// Names every queue by its name where a step names it by its other one.
    pub fn resolve(&mut self, queues: &[QueueSpec]) {
        let by_sid: HashMap<&str, &str> = queues
            .iter()
            .filter_map(|queue| Some((queue.sid.as_deref()?, queue.name.as_str())))
            .collect();
        let steps = self.filters.iter_mut().flat_map(|filter| &mut filter.steps);
        for step in steps.chain(&mut self.default) {
            if let Some(name) = by_sid.get(step.queue.as_str()) {
                step.queue = (*name).to_owned();
            }
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
            unknown: Map::new(),
        }
    }
}

fn yes() -> bool {
    true
}
