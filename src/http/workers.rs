//! `/v1/workers`: who serves tasks, what they are at, and their after-call work.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{self, Problem, Refusal, gone, only_if, versioned};
use super::api::Sources;
use super::ask::ask_shown;
use super::tasks::{brief, carry_out, look, unread};
use super::view::state_word;
use crate::base::{TaskId, Timestamp};
use crate::router::{Command, Object, WorkerState, WorkerView};

pub(super) fn routes() -> OpenApiRouter<Sources> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one, update))
        .routes(routes!(wrap_up))
}

/// The workers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Workers {
    /// Switch time of the answer, RFC 3339.
    at: String,
    /// As configured.
    workers: Vec<Worker>,
}

/// One worker.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Worker {
    /// Name the configuration knows him by.
    name: String,
    /// Name for people.
    display_name: String,
    /// Number of his phone.
    phone: String,
    /// `free`, `away`, `reserved`, `talking` or `wrap_up`.
    state: &'static str,
    /// Since when, RFC 3339.
    since: String,
    /// Activity, such as `available`.
    activity: String,
    /// Whether the activity is an available one.
    available: bool,
    /// Why he is in it.
    reason: String,
    /// Where he goes when he has nothing left in hand.
    next_activity: Option<String>,
    /// Whether his phone is registered.
    reachable: bool,
    /// What he is offered, serves or does the after-call work of, oldest first.
    engagements: Vec<Engagement>,
    /// Queues he serves.
    queues: Vec<String>,
    /// What expressions see as `worker.`.
    #[schema(value_type = Object)]
    attributes: Value,
    /// His version, also in the `ETag` header; grows with every change.
    version: u64,
}

/// One thing a worker is engaged in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Engagement {
    /// Channel; empty for after-call work begun by hand.
    channel: String,
    /// `reserved`, `talking` or `wrap_up`.
    state: &'static str,
    /// Task.
    task: Option<String>,
    /// Since when, RFC 3339.
    since: String,
    /// When it ends by itself, RFC 3339.
    until: Option<String>,
}

impl Worker {
    fn new(view: &WorkerView) -> Self {
        let engagements = view.engagements.iter().map(|one| Engagement {
            channel: one.channel.clone(),
            state: state_word(one.state),
            task: one.task.as_ref().map(ToString::to_string),
            since: one.since.to_rfc3339(),
            until: one.until.map(Timestamp::to_rfc3339),
        });
        Self {
            name: view.spec.name.clone(),
            display_name: view.spec.display_name.clone(),
            phone: view.spec.phone.clone(),
            state: state_word(view.state),
            since: view.since.to_rfc3339(),
            activity: view.activity.clone(),
            available: view.available,
            reason: view.reason.clone(),
            next_activity: view.next_activity.clone(),
            reachable: view.reachable,
            engagements: engagements.collect(),
            queues: view.queues.clone(),
            attributes: Value::Object(view.spec.attributes.clone()),
            version: view.version,
        }
    }
}

/// Which workers are listed; all that is given must be met.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Queue they serve.
    queue: Option<String>,
    /// Activity they are in.
    activity: Option<String>,
    /// `free`, `away`, `reserved`, `talking` or `wrap_up`.
    #[param(value_type = Option<String>)]
    state: Option<WorkerState>,
    /// How many to leave out at the beginning.
    #[serde(default)]
    offset: usize,
    /// Most to list, 1 to 10,000. Default 1000.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<usize>,
}

/// The workers, as configured.
#[utoipa::path(get, path = "/v1/workers", tag = "workers", params(Which),
    responses((status = 200, body = Workers), (status = 400, body = Problem)))]
async fn list(
    State(sources): State<Sources>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(which) = which.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let limit = which.limit.unwrap_or(1000);
    if !(1..=10_000).contains(&limit) {
        return Err(Refusal::bad_request(format!(
            "limit: 1 to 10000, not {limit}"
        )));
    }
    let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|it| it == value);
    ask_shown(move || {
        let view = sources.live.router();
        let found = view.workers.iter().filter(|worker| {
            is(&which.activity, &worker.activity)
                && which.state.is_none_or(|state| state == worker.state)
                && which
                    .queue
                    .as_ref()
                    .is_none_or(|queue| worker.queues.contains(queue))
        });
        Workers {
            at: sources.live.now().to_rfc3339(),
            workers: found
                .skip(which.offset)
                .take(limit)
                .map(Worker::new)
                .collect(),
        }
    })
    .await
}

/// One worker.
#[utoipa::path(get, path = "/v1/workers/{name}", tag = "workers",
    params(("name" = String, Path, description = "The worker's name")),
    responses((status = 200, body = Worker,
            headers(("ETag" = String, description = "His version"))),
        (status = 404, body = Problem), (status = 503, body = Problem)))]
async fn one(
    State(sources): State<Sources>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let worker = find(&sources, &name).await?;
    versioned(StatusCode::OK, worker.version, &Worker::new(&worker))
}

async fn find(sources: &Sources, name: &str) -> Result<Box<WorkerView>, Refusal> {
    let found = look(sources, Object::Worker(name.to_owned())).await?;
    answer::worker(found).ok_or_else(|| gone("worker", name))
}

/// What changes of a worker: his activity, or the next one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// Activity he goes to now; what he has in hand is not touched.
    activity: Option<String>,
    /// Activity he goes to when he has nothing left in hand; no offers until then. Null takes it
    /// back.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    next_activity: Option<Option<String>>,
    /// With an activity that is not available: whether offers he has are taken back.
    #[serde(default)]
    reject_pending: bool,
    /// Who wants it; shown as the reason. Default `the API`.
    by: Option<String>,
}

/// Changes a worker's activity, or says where he goes next.
#[utoipa::path(patch, path = "/v1/workers/{name}", tag = "workers", request_body = Change,
    params(("name" = String, Path, description = "The worker's name"),
        ("If-Match" = Option<String>, Header, description = "Only if he is of this version")),
    responses((status = 200, body = Worker,
            headers(("ETag" = String, description = "His version"))),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 412, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem)))]
async fn update(
    State(sources): State<Sources>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Change>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(change) = body.map_err(unread)?;
    let only_if = only_if(&headers)?;
    let by = brief("by", change.by.unwrap_or_else(|| "the API".to_owned()))?;
    let worker = name.clone();
    let command = match (change.activity, change.next_activity) {
        (Some(activity), None) => Command::SetActivity {
            worker,
            activity,
            by,
            reject_pending: change.reject_pending,
        },
        (None, Some(activity)) if !change.reject_pending => Command::SetNextActivity {
            worker,
            activity,
            by,
        },
        (None, Some(_)) => {
            let words = "reject_pending: goes with `activity` only";
            return Err(Refusal::unprocessable(words));
        }
        _ => {
            let words = "give `activity` or `next_activity`, one of the two";
            return Err(Refusal::unprocessable(words));
        }
    };
    told(&sources, name, command, only_if).await
}

/// What is to be done about after-call work.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum WrapUp {
    /// Begins some by hand; it follows no task, and keeps him from all offers.
    Start {
        /// How long, 1 to 86,400; until he ends it when missing.
        #[schema(minimum = 1, maximum = 86_400)]
        seconds: Option<u64>,
    },
    /// What would end by itself ends later.
    Extend {
        /// How much later, 1 to 86,400.
        #[schema(minimum = 1, maximum = 86_400)]
        seconds: u64,
    },
    /// Ends it.
    End {
        /// That of this task; all he has when missing.
        task: Option<String>,
        /// What the task was about: one of its queue's codes.
        code: Option<String>,
    },
}

/// Begins, extends or ends a worker's after-call work.
#[utoipa::path(post, path = "/v1/workers/{name}/wrap-up", tag = "workers", request_body = WrapUp,
    params(("name" = String, Path, description = "The worker's name"),
        ("If-Match" = Option<String>, Header, description = "Only if he is of this version")),
    responses((status = 200, body = Worker,
            headers(("ETag" = String, description = "His version"))),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem)))]
async fn wrap_up(
    State(sources): State<Sources>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Json<WrapUp>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(wish) = body.map_err(unread)?;
    let only_if = only_if(&headers)?;
    let worker = name.clone();
    let command = match wish {
        WrapUp::Start { seconds } => Command::StartWrap {
            worker,
            lasts: seconds.map(time).transpose()?,
        },
        WrapUp::Extend { seconds } => Command::ExtendWrap {
            worker,
            by: time(seconds)?,
        },
        WrapUp::End { task, code } => Command::EndWrap {
            worker,
            task: task.map(TaskId::new),
            code: code.map(|code| brief("code", code)).transpose()?,
        },
    };
    told(&sources, name, command, only_if).await
}

async fn told(
    sources: &Sources,
    name: String,
    command: Command,
    only_if: Option<Vec<u64>>,
) -> Result<Response, Refusal> {
    find(sources, &name).await?;
    let object = Object::Worker(name.clone());
    let done = carry_out(sources, command, object, only_if).await?;
    let worker = answer::worker(done).ok_or_else(|| gone("worker", &name))?;
    versioned(StatusCode::OK, worker.version, &Worker::new(&worker))
}

fn time(seconds: u64) -> Result<Duration, Refusal> {
    if !(1..=86_400).contains(&seconds) {
        let words = format!("seconds: 1 to 86400, not {seconds}");
        return Err(Refusal::unprocessable(words));
    }
    Ok(Duration::from_secs(seconds))
}

/// Tells `null` from a field that is missing.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}
