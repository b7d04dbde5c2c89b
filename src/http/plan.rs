//! `/v1/task-queues` and `/v1/workflows`: what the plan says, and how its queues are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Problem, Refusal, gone, shown, unanswered};
use super::api::Sources;
use super::ask::{ask, ask_shown};
use crate::router::{PlanView, QueueSpec, QueueView, StepSpec, WorkerKey, WorkflowSpec};

pub(super) fn routes() -> OpenApiRouter<Sources> {
    OpenApiRouter::new()
        .routes(routes!(queues))
        .routes(routes!(queue))
        .routes(routes!(workflows))
        .routes(routes!(workflow))
}

/// The queues of the plan.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TaskQueues {
    /// Generation of the plan.
    generation: u64,
    /// Hash of the plan.
    plan: String,
    /// As configured.
    task_queues: Vec<TaskQueue>,
}

/// One queue.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TaskQueue {
    /// Its name.
    name: String,
    /// Another name that documents use.
    sid: Option<String>,
    /// Whether it is the own queue of those it matches.
    agent: bool,
    /// Expression that says who serves it.
    target: String,
    /// Which task is next: `fifo` or `lifo`.
    order: Value,
    /// Which of the free workers is chosen.
    strategy: Value,
    /// Workers offered one task at a time.
    max_reserved: u32,
    /// How long an offer may ring, seconds.
    ring_timeout: f64,
    /// After-call work, seconds; null when it lasts until the worker ends it.
    wrap_up: Option<f64>,
    /// What a worker may say a task was about.
    wrap_up_codes: Vec<String>,
    /// Whether he must.
    wrap_up_code_required: bool,
    /// Most tasks that may wait.
    max_waiting: usize,
    /// Tasks in line, those being offered included.
    waiting: usize,
    /// How many of them are being offered.
    offered: usize,
    /// Tasks that are served.
    assigned: usize,
    /// Since when the oldest of those in line waits, RFC 3339.
    oldest_since: Option<String>,
    /// Workers who serve it.
    workers: usize,
    /// How many of them are reachable and in an available activity.
    on_duty: usize,
    /// How many of them could take a call now.
    free: usize,
}

/// The workflows of the plan.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Workflows {
    /// Generation of the plan.
    generation: u64,
    /// Hash of the plan.
    plan: String,
    /// As configured.
    workflows: Vec<Workflow>,
}

/// One workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Workflow {
    /// Its name.
    name: String,
    /// Tried from first to last.
    filters: Vec<Filter>,
    /// Where a task goes that no filter matches.
    default: Option<Step>,
    /// How long an offer may stay open, seconds; as the queue says when null.
    reservation_timeout: Option<f64>,
    /// Whether a single value counts as an array of one.
    lenient: bool,
    /// Whether attributes that are missing on both sides are equal.
    missing_equals_missing: bool,
    /// Whether expressions may use what TaskRouter does not know.
    extensions: bool,
    /// Longest life of a task that nobody accepts, seconds.
    time_to_live: f64,
    /// Most offers of one task.
    most_offers: u32,
}

/// One filter.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Filter {
    /// Name for people.
    name: String,
    /// Expression over the task.
    expression: String,
    /// Tried in order.
    steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Step {
    /// Queue.
    queue: String,
    /// Who of the queue.
    expression: Option<String>,
    /// Priority from here on.
    priority: Option<i64>,
    /// How long the task stays here, seconds; for ever when null.
    timeout: Option<f64>,
    /// Attributes by which workers are chosen.
    order_by: Option<String>,
    /// The step is left at once when it holds.
    skip_if: Option<String>,
    /// Path into the task's attributes to the only worker wanted.
    known_worker: Option<String>,
    /// What stands there: `sid` or `name`.
    known_worker_by: Option<&'static str>,
}

impl TaskQueue {
    fn new(spec: &QueueSpec, now: Option<&QueueView>) -> Self {
        let count = |of: fn(&QueueView) -> usize| now.map_or(0, of);
        Self {
            name: spec.name.clone(),
            sid: spec.sid.clone(),
            agent: spec.agent,
            target: spec.target.clone(),
            order: word(&spec.order),
            strategy: word(&spec.strategy),
            max_reserved: spec.max_reserved,
            ring_timeout: spec.ring_timeout.as_secs_f64(),
            wrap_up: (!spec.wrap_up_open).then_some(spec.wrap_up.as_secs_f64()),
            wrap_up_codes: spec.wrap_up_codes.clone(),
            wrap_up_code_required: spec.wrap_up_code_required,
            max_waiting: spec.max_waiting,
            waiting: count(|view| view.waiting),
            offered: count(|view| view.offered),
            assigned: count(|view| view.assigned),
            oldest_since: now.and_then(|view| Some(view.oldest_since?.to_rfc3339())),
            workers: count(|view| view.members),
            on_duty: count(|view| view.on_duty),
            free: count(|view| view.free),
        }
    }
}

impl Workflow {
    fn new(spec: &WorkflowSpec) -> Self {
        let filters = spec.filters.iter().map(|filter| Filter {
            name: filter.name.clone(),
            expression: filter.expression.clone(),
            steps: filter.steps.iter().map(Step::new).collect(),
        });
        Self {
            name: spec.name.clone(),
            filters: filters.collect(),
            default: spec.default.as_ref().map(Step::new),
            reservation_timeout: spec.reservation_timeout.map(|time| time.as_secs_f64()),
            lenient: spec.lenient,
            missing_equals_missing: spec.missing_equals_missing,
            extensions: spec.extensions,
            time_to_live: spec.time_to_live.as_secs_f64(),
            most_offers: spec.most_offers,
        }
    }
}

impl Step {
    fn new(spec: &StepSpec) -> Self {
        let known = spec.known_worker.as_ref();
        Self {
            queue: spec.queue.clone(),
            expression: spec.expression.clone(),
            priority: spec.priority,
            timeout: spec.timeout.as_ref().map(Duration::as_secs_f64),
            order_by: spec.order_by.clone(),
            skip_if: spec.skip_if.clone(),
            known_worker: known.map(|known| known.path.clone()),
            known_worker_by: known.map(|known| match known.by {
                WorkerKey::Sid => "sid",
                WorkerKey::Name => "name",
            }),
        }
    }
}

/// The queues, with how they are now.
#[utoipa::path(get, path = "/v1/task-queues", tag = "plan",
    responses((status = 200, body = TaskQueues), (status = 503, body = Problem)))]
async fn queues(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let plan = plan(&sources).await?;
    ask_shown(move || {
        let view = sources.live.router();
        let now: HashMap<&str, &QueueView> =
            (view.queues.iter().map(|queue| (queue.name.as_str(), queue))).collect();
        let of = |spec: &Arc<QueueSpec>| TaskQueue::new(spec, now.get(spec.name.as_str()).copied());
        TaskQueues {
            generation: plan.generation,
            task_queues: plan.queues.iter().map(of).collect(),
            plan: plan.plan,
        }
    })
    .await
}

/// One queue.
#[utoipa::path(get, path = "/v1/task-queues/{name}", tag = "plan",
    params(("name" = String, Path, description = "The queue's name")),
    responses((status = 200, body = TaskQueue), (status = 404, body = Problem),
        (status = 503, body = Problem)))]
async fn queue(
    State(sources): State<Sources>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let plan = plan(&sources).await?;
    let spec = plan.queues.iter().find(|spec| spec.name == name);
    let spec = spec.ok_or_else(|| gone("task queue", &name))?;
    let view = sources.live.router();
    let now = view.queues.iter().find(|view| view.name == name);
    shown(StatusCode::OK, &TaskQueue::new(spec, now))
}

/// The workflows.
#[utoipa::path(get, path = "/v1/workflows", tag = "plan",
    responses((status = 200, body = Workflows), (status = 503, body = Problem)))]
async fn workflows(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let plan = plan(&sources).await?;
    ask_shown(move || Workflows {
        generation: plan.generation,
        workflows: plan
            .workflows
            .iter()
            .map(|one| Workflow::new(one))
            .collect(),
        plan: plan.plan,
    })
    .await
}

/// One workflow.
#[utoipa::path(get, path = "/v1/workflows/{name}", tag = "plan",
    params(("name" = String, Path, description = "The workflow's name")),
    responses((status = 200, body = Workflow), (status = 404, body = Problem),
        (status = 503, body = Problem)))]
async fn workflow(
    State(sources): State<Sources>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let plan = plan(&sources).await?;
    let spec = plan.workflows.iter().find(|spec| spec.name == name);
    let spec = spec.ok_or_else(|| gone("workflow", &name))?;
    shown(StatusCode::OK, &Workflow::new(spec))
}

async fn plan(sources: &Sources) -> Result<PlanView, Refusal> {
    let router = sources.routing.clone();
    ask(move || router.plan()).await?.map_err(unanswered)
}

/// How the plan writes a choice.
fn word(choice: &impl Serialize) -> Value {
    serde_json::to_value(choice).unwrap_or_default()
}
