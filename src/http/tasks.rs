//! `/v1/tasks`: what waits, is offered, is served; of every channel.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{
    self, Problem, Refusal, declined, gone, only_if, text, unanswered, versioned, written,
};
use super::api::Sources;
use super::ask::ask;
use crate::base::{TaskId, Timestamp};
use crate::router::{
    At, Command, Declined, Destination, NewTask, Object, RouterView, Shown, TaskView, VOICE,
};

pub(super) fn routes() -> OpenApiRouter<Sources> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one, update, cancel))
        .routes(routes!(complete))
}

/// The tasks that live.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tasks {
    /// Switch time of the answer, RFC 3339.
    at: String,
    /// Oldest first; those of a worker as they came to him.
    tasks: Vec<Task>,
    /// Whether there are more tasks than were looked at: the oldest 1000. Never with `worker`.
    truncated: bool,
}

/// One task.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Task {
    /// Its id.
    id: String,
    /// Call it stands for; null for one that stands for none: no phone rings for it.
    call: Option<String>,
    /// Channel, such as `voice` or `chat`.
    channel: String,
    /// What becomes of it.
    status: Status,
    /// Queue it stands in; empty before its first step.
    queue: String,
    /// Workflow it goes through.
    workflow: Option<String>,
    /// Filter of the workflow, counted from 0; null at the default step and outside workflows.
    filter: Option<usize>,
    /// Step of the filter, counted from 0.
    step: Option<usize>,
    /// Higher goes first.
    priority: i64,
    /// What expressions see of it, and what agents are shown.
    #[serde(serialize_with = "whole")]
    #[schema(value_type = Object)]
    attributes: Arc<Map<String, Value>>,
    /// From when on its wait counts, RFC 3339.
    since: String,
    /// Place in line; 1 is next.
    position: Option<usize>,
    /// How often it was offered.
    offers: u32,
    /// Offers that are out, or the one that was accepted.
    reservations: Vec<Offer>,
    /// Its version, also in the `ETag` header; grows with every change.
    version: u64,
}

/// What becomes of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// It waits.
    Pending,
    /// It is being offered.
    Reserved,
    /// A worker has accepted it.
    Assigned,
    /// It is in after-call work.
    Wrapping,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Reserved => "reserved",
            Status::Assigned => "assigned",
            Status::Wrapping => "wrapping",
        }
    }
}

/// One offer of a task.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Offer {
    /// Its id.
    reservation: String,
    /// Worker.
    worker: String,
    /// When it is withdrawn, or the after-call work ends by itself, RFC 3339.
    until: Option<String>,
}

impl Task {
    pub(super) fn new(view: &TaskView) -> Self {
        let (filter, step) = match view.at {
            Some(At::Filter(filter, step)) => (Some(filter), Some(step)),
            Some(At::Default) | None => (None, None),
        };
        let offers = view.reservations.iter().map(|offer| Offer {
            reservation: offer.reservation.to_string(),
            worker: offer.worker.clone(),
            until: offer.until.map(Timestamp::to_rfc3339),
        });
        Self {
            id: view.task.to_string(),
            call: view.call.as_ref().map(ToString::to_string),
            channel: view.channel.clone(),
            status: status(view),
            queue: view.queue.clone(),
            workflow: view.workflow.clone(),
            filter,
            step,
            priority: view.priority,
            attributes: view.attributes.clone(),
            since: view.entered.to_rfc3339(),
            position: view.position,
            offers: view.offers,
            reservations: offers.collect(),
            version: view.version,
        }
    }
}

pub(super) fn status(view: &TaskView) -> Status {
    if view.wrapping {
        Status::Wrapping
    } else if view.assigned {
        Status::Assigned
    } else if view.reservations.is_empty() {
        Status::Pending
    } else {
        Status::Reserved
    }
}

/// Tasks that a list is made of.
pub(super) struct Known {
    view: Option<Arc<RouterView>>,
    looked_at: Vec<TaskView>,
}

impl Known {
    /// The oldest ones.
    pub(super) fn oldest(sources: &Sources) -> Self {
        Self {
            view: Some(sources.live.router()),
            looked_at: Vec::new(),
        }
    }

    /// All that a worker has or is offered, as it is now.
    pub(super) fn of_worker(sources: &Sources, worker: &str) -> Result<Self, Refusal> {
        let look = |object| sources.routing.look(object).map_err(unanswered);
        let worker = answer::worker(look(Object::Worker(worker.to_owned()))?);
        let mut looked_at = Vec::new();
        for one in worker.into_iter().flat_map(|worker| worker.engagements) {
            if let Some(task) = one.task {
                // It may have ended meanwhile.
                looked_at.extend(answer::task(look(Object::Task(task))?).map(|task| *task));
            }
        }
        let view = None;
        Ok(Self { view, looked_at })
    }

    /// One, as it is now.
    pub(super) fn one(sources: &Sources, task: &str) -> Result<Self, Refusal> {
        let found = sources.routing.look(Object::Task(TaskId::new(task)));
        let found = answer::task(found.map_err(unanswered)?);
        Ok(Self {
            view: None,
            looked_at: found.into_iter().map(|task| *task).collect(),
        })
    }

    pub(super) fn tasks(&self) -> &[TaskView] {
        match &self.view {
            Some(view) => &view.tasks,
            None => &self.looked_at,
        }
    }

    /// Whether there are more.
    pub(super) fn is_cut(&self) -> bool {
        self.view.as_ref().is_some_and(|view| {
            let of_queues = view.queues.iter();
            let all: usize = of_queues.map(|queue| queue.waiting + queue.assigned).sum();
            all > view.tasks.len()
        })
    }
}

/// Which tasks are listed; all that is given must be met.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Queue.
    queue: Option<String>,
    /// Channel.
    channel: Option<String>,
    /// Worker who has it or is offered it; with it those in his after-call work are listed too.
    worker: Option<String>,
    /// What becomes of it; `wrapping` with `worker` only.
    #[param(inline)]
    status: Option<Status>,
}

/// The tasks that live, oldest first.
#[utoipa::path(get, path = "/v1/tasks", tag = "tasks", params(Which),
    responses((status = 200, body = Tasks), (status = 400, body = Problem),
        (status = 503, body = Problem)))]
async fn list(
    State(sources): State<Sources>,
    which: Result<Query<Which>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(which) = which.map_err(|error| Refusal::bad_request(error.body_text()))?;
    if which.status == Some(Status::Wrapping) && which.worker.is_none() {
        let words = "status: tasks in after-call work are listed with `worker` only";
        return Err(Refusal::bad_request(words));
    }
    let tasks = ask(move || {
        let known = match &which.worker {
            Some(worker) => Known::of_worker(&sources, worker)?,
            None => Known::oldest(&sources),
        };
        let is =
            |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|it| it == value);
        let tasks = known.tasks().iter().filter(|task| {
            let mut holders = task.reservations.iter();
            is(&which.queue, &task.queue)
                && is(&which.channel, &task.channel)
                && which.status.is_none_or(|wanted| wanted == status(task))
                && (which.worker.as_ref())
                    .is_none_or(|worker| holders.any(|offer| offer.worker == *worker))
        });
        written(&Tasks {
            at: sources.live.now().to_rfc3339(),
            tasks: tasks.map(Task::new).collect(),
            truncated: known.is_cut(),
        })
    });
    Ok(text(StatusCode::OK, tasks.await??))
}

/// One task.
#[utoipa::path(get, path = "/v1/tasks/{id}", tag = "tasks",
    params(("id" = String, Path, description = "The task's id")),
    responses((status = 200, body = Task, headers(("ETag" = String, description = "Its version"))),
        (status = 404, body = Problem), (status = 503, body = Problem)))]
async fn one(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let task = find(&sources, &id).await?;
    versioned(StatusCode::OK, task.version, &Task::new(&task))
}

async fn find(sources: &Sources, id: &str) -> Result<Box<TaskView>, Refusal> {
    let found = look(sources, Object::Task(TaskId::new(id))).await?;
    answer::task(found).ok_or_else(|| gone("task", id))
}

/// A task to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Its id; made up when missing. Send your own to repeat a request without making two tasks:
    /// letters, digits, `-`, `_` and `.`, at most 64.
    id: Option<String>,
    /// Channel, such as `chat`; `voice` is made by calls only.
    channel: String,
    /// Workflow it goes through; either this or `queue`.
    workflow: Option<String>,
    /// Queue it goes into; either this or `workflow`.
    queue: Option<String>,
    /// What expressions see and agents are shown; at most 64 KiB, and 64 levels.
    #[serde(default)]
    #[schema(value_type = Object)]
    attributes: Map<String, Value>,
    /// Higher goes first. Default 0.
    #[serde(default)]
    priority: i64,
    /// From when on its wait counts, RFC 3339, not in the future. Default now.
    since: Option<String>,
    /// How long it lives unless it is accepted, seconds, 1 to 2,592,000. Default: as its workflow
    /// says, else a day.
    #[schema(minimum = 1, maximum = 2_592_000)]
    time_to_live: Option<u64>,
}

/// Makes a task of any channel but voice. No phone rings for it: who serves it follows the events.
#[utoipa::path(post, path = "/v1/tasks", tag = "tasks", request_body = Wanted,
    responses((status = 201, body = Task, headers(("ETag" = String, description = "Its version"))),
        (status = 400, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem)))]
async fn create(
    State(sources): State<Sources>,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(wanted) = body.map_err(unread)?;
    let new = wanted.checked(&sources)?;
    let object = Object::Task(new.task.clone());
    let id = new.task.clone();
    let done = carry_out(&sources, Command::CreateTask(Box::new(new)), object, None).await?;
    match answer::task(done) {
        Some(task) => versioned(StatusCode::CREATED, task.version, &Task::new(&task)),
        // No filter matched, or the last step was skipped.
        None => Err(Refusal::unprocessable(format!(
            "task {id} left its workflow at once: nobody can take it"
        ))
        .help("look at its events (task.canceled says why), and at the workflow's filters")),
    }
}

impl Wanted {
    fn checked(self, sources: &Sources) -> Result<NewTask, Refusal> {
        let to = match (self.workflow, self.queue) {
            (Some(workflow), None) => Destination::Workflow(workflow),
            (None, Some(queue)) => Destination::Queue(queue),
            _ => {
                let words = "a task goes to a `workflow` or to a `queue`: give one of the two";
                return Err(Refusal::unprocessable(words));
            }
        };
        if self.channel == VOICE {
            return Err(
                Refusal::unprocessable("channel: voice tasks are made by calls")
                    .help("let a flow of flows.toml put the call into a queue or workflow"),
            );
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let task = match self.id {
            None => sources.routing.new_task(sources.live.now()),
            Some(id) if (1..=64).contains(&id.len()) && id.chars().all(is_plain) => TaskId::new(id),
            Some(_) => {
                let words = "id: letters, digits, `-`, `_` and `.` only, 1 to 64 of them";
                return Err(Refusal::unprocessable(words));
            }
        };
        if let Some(seconds) = self.time_to_live
            && !(1..=LONGEST_LIFE).contains(&seconds)
        {
            let words = format!("time_to_live: 1 to {LONGEST_LIFE} seconds, not {seconds}");
            return Err(Refusal::unprocessable(words));
        }
        Ok(NewTask {
            task,
            call: None,
            to,
            channel: self.channel,
            attributes: self.attributes,
            priority: self.priority,
            started: instant("since", self.since)?,
            time_to_live: self.time_to_live.map(Duration::from_secs),
        })
    }
}

/// What changes of a task; what is missing stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// All its attributes from now on.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Map<String, Value>>,
    /// Higher goes first.
    priority: Option<i64>,
    /// From when on its wait counts, RFC 3339, not in the future.
    since: Option<String>,
    /// Whether it begins its workflow anew; only while it is not assigned.
    #[serde(default)]
    reevaluate: bool,
}

/// Changes a task, that of a call too.
#[utoipa::path(patch, path = "/v1/tasks/{id}", tag = "tasks", request_body = Change,
    params(("id" = String, Path, description = "The task's id"),
        ("If-Match" = Option<String>, Header, description = "Only if it is of this version")),
    responses((status = 200, body = Task, headers(("ETag" = String, description = "Its version"))),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem)))]
async fn update(
    State(sources): State<Sources>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Change>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(change) = body.map_err(unread)?;
    let only_if = only_if(&headers)?;
    let task = find(&sources, &id).await?.task;
    let object = Object::Task(task.clone());
    let command = Command::UpdateTask {
        task,
        attributes: change.attributes,
        priority: change.priority,
        started: instant("since", change.since)?,
        reevaluate: change.reevaluate,
    };
    let done = carry_out(&sources, command, object, only_if).await?;
    let task = answer::task(done).ok_or_else(|| {
        Refusal::conflict(format!(
            "task {id} left its workflow: nobody can take it any more"
        ))
    })?;
    versioned(StatusCode::OK, task.version, &Task::new(&task))
}

/// Why a task is cancelled.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Why {
    /// A few words, at most 200 octets. Default `canceled by the API`.
    reason: Option<String>,
}

/// Cancels a task that nobody has accepted; not that of a call.
#[utoipa::path(delete, path = "/v1/tasks/{id}", tag = "tasks",
    params(("id" = String, Path, description = "The task's id"), Why,
        ("If-Match" = Option<String>, Header, description = "Only if it is of this version")),
    responses((status = 204), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem)))]
async fn cancel(
    State(sources): State<Sources>,
    Path(id): Path<String>,
    headers: HeaderMap,
    why: Result<Query<Why>, axum::extract::rejection::QueryRejection>,
) -> Result<StatusCode, Refusal> {
    let Query(why) = why.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let why = why
        .reason
        .unwrap_or_else(|| "canceled by the API".to_owned());
    let why = brief("reason", why)?;
    let only_if = only_if(&headers)?;
    for _ in 0..MOST_LOOKS {
        let task = of_no_call(find(&sources, &id).await?)?;
        if task.assigned || task.wrapping {
            let words = format!("task {id} is {}", status(&task).as_str());
            return Err(Refusal::conflict(words).help("POST /v1/tasks/{id}/complete ends it"));
        }
        // Accepted meanwhile it would end as completed: it must still be what was looked at.
        let versions = only_if.clone().unwrap_or_else(|| vec![task.version]);
        let object = Object::Task(task.task.clone());
        let (task, why) = (task.task, why.clone());
        let command = Command::CancelTask { task, why };
        match try_out(&sources, command, object, Some(versions)).await? {
            Ok(_) => return Ok(StatusCode::NO_CONTENT),
            // Not for who asked for no version: it is looked at again.
            Err(Declined::Changed { .. }) if only_if.is_none() => {}
            Err(why) => return Err(declined(why)),
        }
    }
    Err(
        Refusal::conflict(format!("task {id} changes too often to be cancelled"))
            .help("nothing was done; ask again"),
    )
}

/// How a task is completed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ending {
    /// What it was about, one of its queue's wrap-up codes; ends its after-call work too.
    code: Option<String>,
}

/// Completes a task: of one that is assigned the conversation is over, and after-call work begins
/// when its queue has any; of one in after-call work that ends, with `code`. With a code both.
#[utoipa::path(post, path = "/v1/tasks/{id}/complete", tag = "tasks", request_body = Ending,
    params(("id" = String, Path, description = "The task's id"),
        ("If-Match" = Option<String>, Header, description = "Only if it is of this version")),
    responses((status = 200, body = Task, description = "It is in after-call work"),
        (status = 204, description = "It is over"),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem)))]
async fn complete(
    State(sources): State<Sources>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Ending>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(ending) = body.map_err(unread)?;
    let code = ending.code.map(|code| brief("code", code)).transpose()?;
    let only_if = only_if(&headers)?;
    let task = find(&sources, &id).await?;
    let object = Object::Task(task.task.clone());
    let command = match task.wrapping {
        true => Command::EndWrap {
            worker: task.worker.clone().unwrap_or_default(),
            task: Some(task.task),
            code,
        },
        false => Command::Complete {
            task: of_no_call(task)?.task,
            code,
        },
    };
    let done = carry_out(&sources, command, object, only_if).await?;
    match answer::task(done) {
        Some(left) => versioned(StatusCode::OK, left.version, &Task::new(&left)),
        None => Ok(answer::nothing()),
    }
}

/// Refuses what is up to a telephone.
fn of_no_call(task: Box<TaskView>) -> Result<Box<TaskView>, Refusal> {
    match &task.call {
        None => Ok(task),
        Some(call) => Err(
            Refusal::conflict(format!("task {} is call {call}", task.task))
                .with("call", call.as_str())
                .help("it ends with the call: POST /v1/calls/{id} {\"do\": \"hang_up\"}"),
        ),
    }
}

/// Has a command carried out on a blocking thread.
pub(super) async fn carry_out(
    sources: &Sources,
    command: Command,
    object: Object,
    only_if: Option<Vec<u64>>,
) -> Result<Option<Shown>, Refusal> {
    let done = try_out(sources, command, object, only_if).await?;
    done.map_err(declined)
}

async fn try_out(
    sources: &Sources,
    command: Command,
    object: Object,
    only_if: Option<Vec<u64>>,
) -> Result<Result<Option<Shown>, Declined>, Refusal> {
    let router = sources.routing.clone();
    ask(move || router.carry_out(command, object, only_if)).await
}

/// A thing as it is now.
pub(super) async fn look(sources: &Sources, object: Object) -> Result<Option<Shown>, Refusal> {
    let router = sources.routing.clone();
    ask(move || router.look(object)).await?.map_err(unanswered)
}

/// Why a body cannot be read.
pub(super) fn unread(error: JsonRejection) -> Refusal {
    let status = error.status();
    Refusal::new(status, error.body_text()).help("send JSON as /v1/openapi.json describes it")
}

pub(super) fn instant(field: &str, text: Option<String>) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = text else {
        return Ok(None);
    };
    match Timestamp::parse_rfc3339(&text) {
        Some(at) => Ok(Some(at)),
        None => {
            let words = format!("{field}: {text:?} is no RFC 3339 instant");
            Err(Refusal::unprocessable(words).help("such as 2026-11-20T01:02:03.456Z"))
        }
    }
}

/// Words that people wrote, and that stay in the journal.
pub(super) fn brief(field: &str, text: String) -> Result<String, Refusal> {
    if text.len() > 200 || text.chars().any(char::is_control) {
        let words = format!("{field}: at most 200 octets, and no control characters");
        return Err(Refusal::unprocessable(words));
    }
    Ok(text)
}

/// Attributes as they are, not copied for a list.
fn whole<S: Serializer>(map: &Arc<Map<String, Value>>, to: S) -> Result<S::Ok, S::Error> {
    map.as_ref().serialize(to)
}

/// How often a task is looked at that changes while it is to be cancelled.
const MOST_LOOKS: usize = 3;

/// Longest life of a task, seconds: 30 days.
const LONGEST_LIFE: u64 = 2_592_000;
