//! `/v1/reservations`: offers that are out or were accepted.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{self, Problem, Refusal, gone, only_if, text, versioned, written};
use super::api::Sources;
use super::ask::ask;
use super::tasks::{Known, Status, carry_out, look, status, unread};
use crate::base::{ReservationId, Timestamp};
use crate::router::{Command, Object, OfferView, Rejection, TaskView};

pub(super) fn routes() -> OpenApiRouter<Sources> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(accept))
        .routes(routes!(reject))
}

/// The offers that are out or were accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reservations {
    /// Switch time of the answer, RFC 3339.
    at: String,
    /// In the order of their tasks.
    reservations: Vec<Reservation>,
    /// Whether there are more tasks than were looked at: the oldest 1000. Never with `worker` or
    /// `task`.
    truncated: bool,
}

/// One offer of a task to a worker.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reservation {
    /// Its id: the task's and the number of the attempt.
    id: String,
    /// `pending`, `accepted` or `wrapping`.
    status: &'static str,
    /// Worker.
    worker: String,
    /// Task.
    task: String,
    /// Call the task stands for; then the worker's phone rings, and answering it accepts.
    call: Option<String>,
    /// Channel.
    channel: String,
    /// Queue.
    queue: String,
    /// When it is withdrawn, or the after-call work ends by itself, RFC 3339.
    until: Option<String>,
    /// Version of its task, also in the `ETag` header.
    version: u64,
}

impl Reservation {
    fn new(task: &TaskView, offer: &OfferView) -> Self {
        Self {
            id: offer.reservation.to_string(),
            status: match status(task) {
                Status::Assigned => "accepted",
                Status::Wrapping => "wrapping",
                Status::Pending | Status::Reserved => "pending",
            },
            worker: offer.worker.clone(),
            task: task.task.to_string(),
            call: task.call.as_ref().map(ToString::to_string),
            channel: task.channel.clone(),
            queue: task.queue.clone(),
            until: offer.until.map(Timestamp::to_rfc3339),
            version: task.version,
        }
    }
}

/// Which offers are listed; all that is given must be met.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Worker; with him those of his after-call work too.
    worker: Option<String>,
    /// Task.
    task: Option<String>,
}

/// The offers that are out or were accepted.
#[utoipa::path(get, path = "/v1/reservations", tag = "reservations", params(Which),
    responses((status = 200, body = Reservations), (status = 400, body = Problem),
        (status = 503, body = Problem)))]
async fn list(
    State(sources): State<Sources>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(which) = which.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let reservations = ask(move || {
        let known = match (&which.task, &which.worker) {
            (Some(task), _) => Known::one(&sources, task)?,
            (None, Some(worker)) => Known::of_worker(&sources, worker)?,
            (None, None) => Known::oldest(&sources),
        };
        let all = known.tasks().iter().flat_map(|task| {
            let offers = task.reservations.iter();
            offers.map(move |offer| Reservation::new(task, offer))
        });
        let is_wanted =
            |one: &Reservation| (which.worker.as_ref()).is_none_or(|worker| *worker == one.worker);
        written(&Reservations {
            at: sources.live.now().to_rfc3339(),
            reservations: all.filter(is_wanted).collect(),
            truncated: known.is_cut(),
        })
    });
    Ok(text(StatusCode::OK, reservations.await??))
}

/// One offer.
#[utoipa::path(get, path = "/v1/reservations/{id}", tag = "reservations",
    params(("id" = String, Path, description = "The offer's id")),
    responses((status = 200, body = Reservation,
            headers(("ETag" = String, description = "Version of its task"))),
        (status = 404, body = Problem), (status = 503, body = Problem)))]
async fn one(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let id = ReservationId::new(id);
    let task = find(&sources, &id).await?;
    tell(&task, &id)
}

async fn find(sources: &Sources, id: &ReservationId) -> Result<Box<TaskView>, Refusal> {
    let found = look(sources, Object::Reservation(id.clone())).await?;
    answer::task(found).ok_or_else(|| gone("reservation", id.as_str()))
}

fn tell(task: &TaskView, id: &ReservationId) -> Result<Response, Refusal> {
    let offer = task
        .reservations
        .iter()
        .find(|offer| offer.reservation == *id);
    let offer = offer.ok_or_else(|| gone("reservation", id.as_str()))?;
    versioned(StatusCode::OK, task.version, &Reservation::new(task, offer))
}

/// Takes the task. Of a call: answer the phone, which rings; the API does not.
#[utoipa::path(post, path = "/v1/reservations/{id}/accept", tag = "reservations",
    params(("id" = String, Path, description = "The offer's id"),
        ("If-Match" = Option<String>, Header, description = "Only if its task is of this version")),
    responses((status = 200, body = Reservation,
            headers(("ETag" = String, description = "Version of its task"))),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem)))]
async fn accept(
    State(sources): State<Sources>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let only_if = only_if(&headers)?;
    let id = ReservationId::new(id);
    let task = find(&sources, &id).await?;
    if let Some(call) = &task.call {
        return Err(
            Refusal::conflict(format!("reservation {id} is call {call}"))
                .with("call", call.as_str())
                .help("the worker's phone rings: answering it accepts"),
        );
    }
    let object = Object::Reservation(id.clone());
    let command = Command::Accept {
        reservation: id.clone(),
    };
    let done = carry_out(&sources, command, object, only_if).await?;
    match answer::task(done) {
        Some(task) => tell(&task, &id),
        None => Err(gone("reservation", id.as_str())),
    }
}

/// How an offer is rejected.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct No {
    /// Activity the worker goes to; as his queue says when missing.
    activity: Option<String>,
}

/// Does not take the task. It goes to somebody else; this worker is not offered it again for a
/// while (`retry_after` of the queue). Of a call: his phone stops ringing.
#[utoipa::path(post, path = "/v1/reservations/{id}/reject", tag = "reservations",
    request_body = No,
    params(("id" = String, Path, description = "The offer's id"),
        ("If-Match" = Option<String>, Header, description = "Only if its task is of this version")),
    responses((status = 204), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem)))]
async fn reject(
    State(sources): State<Sources>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Json<No>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    let Json(no) = body.map_err(unread)?;
    let only_if = only_if(&headers)?;
    let reservation = ReservationId::new(id);
    find(&sources, &reservation).await?;
    let object = Object::Reservation(reservation.clone());
    let command = Command::Reject {
        reservation,
        why: Rejection::ByApi,
        activity: no.activity,
    };
    carry_out(&sources, command, object, only_if).await?;
    Ok(StatusCode::NO_CONTENT)
}
