//! The routes, each a few lines: ask, and shape the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query as Pairs, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Problem, Refusal, answer, shown, text, unanswered, written};
use super::ask::{PATIENCE, ask, ask_for, ask_long, ask_shown};
use super::bans::Bans;
use super::guard;
use super::live::{Live, Reload};
use super::metrics::Metrics;
use super::pulse;
use super::query::Query;
use super::routing::Routing;
use super::view::{self, Why};
use super::{
    calendars, dead_letters, decisions, events, health, numbers, openapi, plan, reservations,
    tasks, trace, voicemail, workers,
};
use crate::call::{Control, ControlError};
use crate::events::CallRecord;
use crate::events::record::{Archive, ArchiveError};
use crate::router::{Declined, Refusal as Refused, Supposed};

/// What the routes ask.
#[derive(Clone)]
pub(super) struct Sources {
    pub(super) live: Arc<dyn Live>,
    pub(super) archive: Arc<dyn Archive>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) routing: Arc<Routing>,
    /// Event streams that may still be opened.
    pub(super) streams: Arc<Semaphore>,
    /// Becomes true when the server stops.
    pub(super) stopped: watch::Receiver<bool>,
    /// Questions that take seconds: few at a time, so that the others find a thread.
    pub(super) long: Arc<Semaphore>,
    /// Questions with a thread of their own: after the switch's health.
    pub(super) apart: Arc<Semaphore>,
}

/// Everything, for the loopback listener.
pub(super) fn whole(sources: Sources) -> Router {
    Router::from(described())
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .with_state(sources)
        .layer(DefaultBodyLimit::max(MOST_OCTETS))
        .layer(middleware::from_fn(guard::loopback_only))
}

/// All routes of the API with their description: what is served is what is described.
pub(super) fn described() -> OpenApiRouter<Sources> {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(calls))
        .routes(routes!(call, control))
        .routes(routes!(pcap))
        .routes(routes!(sip))
        .routes(routes!(why))
        .routes(routes!(who))
        .routes(routes!(queues))
        .routes(routes!(agents))
        .routes(routes!(bans))
        .routes(routes!(lift))
        .routes(routes!(trunks))
        .routes(routes!(test_trunk))
        .routes(routes!(reload))
        .merge(calendars::routes())
        .merge(numbers::routes())
        .merge(tasks::routes())
        .merge(reservations::routes())
        .merge(workers::routes())
        .merge(plan::routes())
        .merge(voicemail::routes())
        .merge(events::routes())
        .merge(dead_letters::routes())
        .merge(decisions::routes())
        .merge(health::routes())
        .merge(openapi::routes())
        .routes(routes!(pulse::beat, pulse::goodbye))
}

/// What may be seen from anywhere: figures and health.
pub(super) fn figures(sources: Sources) -> Router {
    Router::from(health::routes())
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .with_state(sources)
}

/// Sources that are not listened to.
#[utoipa::path(get, path = "/v1/bans", tag = "defence",
    responses((status = 200, body = Object)))]
async fn bans(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let bans = ask(move || Bans::new(&sources.live.bans())).await?;
    Ok(answer(StatusCode::OK, &json!(bans)))
}

/// Listens to an address again.
#[utoipa::path(delete, path = "/v1/bans/{address}", tag = "defence",
    params(("address" = String, Path, description = "The IP address")),
    responses((status = 200, body = Object), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
async fn lift(
    State(sources): State<Sources>,
    Path(address): Path<String>,
) -> Result<Response, Refusal> {
    let text = address.split('/').next().unwrap_or_default();
    let parsed = text
        .parse()
        .map_err(|_| Refusal::bad_request(format!("\"{address}\" is no IP address")))?;
    match ask(move || sources.live.lift(parsed)).await? {
        true => Ok(answer(StatusCode::OK, &json!({"lifted": address}))),
        false => Err(Refusal::not_found(format!("{address} is not banned"))),
    }
}

/// Calls in progress and finished ones, the newest first.
#[utoipa::path(get, path = "/v1/calls", tag = "calls",
    params(("limit" = Option<u32>, Query, description = "1 to 1000, default 50"),
        ("from" = Option<String>, Query, description = "Caller's number"),
        ("to" = Option<String>, Query, description = "Dialled number"),
        ("agent" = Option<String>, Query, description = "An agent it was offered to"),
        ("queue" = Option<String>, Query, description = "A queue it stood in"),
        ("direction" = Option<String>, Query, description = "inbound, internal, outbound"),
        ("since" = Option<String>, Query, description = "RFC 3339: started then or later"),
        ("before" = Option<String>, Query, description = "RFC 3339: started before then"),
        ("state" = Option<String>, Query, description = "live, finished or all")),
    responses((status = 200, body = Object), (status = 400, body = Problem)))]
async fn calls(
    State(sources): State<Sources>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Refusal> {
    let query = Query::parse(&pairs).map_err(Refusal::bad_request)?;
    let calls = ask(move || {
        let calls = list(&sources, &query)?;
        let calls: Vec<Value> = calls.iter().map(CallRecord::to_json).collect();
        Ok(written(&json!({"calls": calls})))
    });
    let calls = calls.await?.map_err(unread)??;
    Ok(text(StatusCode::OK, calls))
}

/// Live calls and finished ones, the newest first, none twice.
pub(super) fn list(sources: &Sources, query: &Query) -> Result<Vec<CallRecord>, ArchiveError> {
    let mut calls = Vec::new();
    if query.live {
        let now = sources.live.now();
        calls = sources.live.calls();
        calls.retain(|call| query.filter.matches(call) && (query.finished || call.ended.is_none()));
        calls = calls.into_iter().map(|call| call.as_of(now)).collect();
    }
    if query.finished {
        for call in sources.archive.list(&query.filter)? {
            if !calls.iter().any(|known| known.id == call.id) {
                calls.push(call);
            }
        }
    }
    calls.sort_by(|a, b| (b.started, &b.id).cmp(&(a.started, &a.id)));
    calls.truncate(query.filter.limit);
    Ok(calls)
}

/// One record, live or finished; see call-record.md.
#[utoipa::path(get, path = "/v1/calls/{id}", tag = "calls",
    params(("id" = String, Path, description = "The call's id")),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
async fn call(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let record = ask(move || find(&sources, &id)).await??;
    Ok(answer(StatusCode::OK, &record.to_json()))
}

pub(super) fn find(sources: &Sources, id: &str) -> Result<CallRecord, Refusal> {
    if let Some(live) = sources.live.call(id) {
        return Ok(live.as_of(sources.live.now()));
    }
    let found = sources.archive.find(id).map_err(unread)?;
    found.ok_or_else(|| Refusal::not_found(format!("no call {id}")))
}

/// Does something to a living call: the body is a [`Control`].
#[utoipa::path(post, path = "/v1/calls/{id}", tag = "calls", request_body = Object,
    params(("id" = String, Path, description = "The call's id")),
    responses((status = 200, body = Object), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn control(
    State(sources): State<Sources>,
    Path(id): Path<String>,
    body: Result<Json<Control>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(wish) = body.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let done = ask(move || sources.live.control(&id, wish)).await?;
    let leg = done.map_err(|error| {
        let status = match error {
            ControlError::NoCall | ControlError::NoLeg | ControlError::NoSound { .. } => {
                StatusCode::NOT_FOUND
            }
            ControlError::AlreadyRecorded
            | ControlError::NoApplication
            | ControlError::NoConference
            | ControlError::NotAnswered
            | ControlError::NotRecorded
            | ControlError::NotTalking
            | ControlError::Unreachable { .. } => StatusCode::CONFLICT,
        };
        Refusal::new(status, error.to_string())
    })?;
    Ok(answer(StatusCode::OK, &json!({"leg": leg})))
}

/// Queues and offers of a call with reasons and outcomes.
#[utoipa::path(get, path = "/v1/calls/{id}/why", tag = "calls",
    params(("id" = String, Path, description = "The call's id")),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
async fn why(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let why = ask(move || {
        let record = find(&sources, &id)?;
        let now = match record.ended {
            Some(_) => None,
            None => sources.live.why(&id),
        };
        Ok(Why {
            id: record.id,
            queues: record.queues,
            offers: record.offers,
            now,
        })
    });
    shown(StatusCode::OK, &why.await??)
}

/// Who can get this call? The body is a [`Supposed`]; nothing changes.
#[utoipa::path(post, path = "/v1/who", tag = "calls", request_body = Object,
    responses((status = 200, body = Object), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem)))]
async fn who(
    State(sources): State<Sources>,
    body: Result<Json<Supposed>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(supposed) = body.map_err(|error| Refusal::bad_request(error.body_text()))?;
    match ask(move || sources.live.who(supposed)).await? {
        Ok(prospects) => shown(StatusCode::OK, &view::who(&prospects)),
        Err(Declined::Refused(why @ (Refused::UnknownQueue | Refused::UnknownWorkflow))) => {
            Err(Refusal::not_found(why.to_string()))
        }
        Err(why) => Err(unanswered(why)),
    }
}

/// The SIP messages of a call.
#[utoipa::path(get, path = "/v1/calls/{id}/sip", tag = "calls",
    params(("id" = String, Path, description = "The call's id")),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
async fn sip(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let ladder = ask(move || {
        let record = find(&sources, &id)?;
        Ok::<_, Refusal>(trace::ladder(sources.live.as_ref(), &record))
    });
    shown(StatusCode::OK, &ladder.await??)
}

/// How long media is captured.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    #[serde(default)]
    seconds: u64,
}

/// A capture file of a call.
#[utoipa::path(get, path = "/v1/calls/{id}/pcap", tag = "calls",
    params(("id" = String, Path, description = "The call's id"),
        ("seconds" = Option<u64>, Query, description = "Media of so long, 0 to 60")),
    responses((status = 200, content_type = "application/vnd.tcpdump.pcap", body = Vec<u8>),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 429, body = Problem)))]
async fn pcap(
    State(sources): State<Sources>,
    Path(id): Path<String>,
    span: Result<Pairs<Span>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Pairs(span) = span.map_err(|error| Refusal::bad_request(error.body_text()))?;
    if span.seconds > LONGEST_CAPTURE {
        let words = format!("`seconds` goes up to {LONGEST_CAPTURE}");
        return Err(Refusal::bad_request(words));
    }
    let time = Duration::from_secs(span.seconds);
    let long = sources.long.clone();
    let capture = move || {
        let record = find(&sources, &id)?;
        trace::capture(sources.live.as_ref(), &record, time).map_err(Refusal::internal)
    };
    let file = match time.is_zero() {
        true => ask(capture).await,
        false => ask_long(long, PATIENCE + time, capture).await,
    };
    let file = file??;
    Ok(([(header::CONTENT_TYPE, PCAP)], file).into_response())
}

/// Queues with their lines, as people look at them.
#[utoipa::path(get, path = "/v1/queues", tag = "calls",
    responses((status = 200, body = Object)))]
async fn queues(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let live = sources.live;
    ask_shown(move || view::queues(&live.router(), live.now())).await
}

/// Agents, as people look at them.
#[utoipa::path(get, path = "/v1/agents", tag = "calls",
    responses((status = 200, body = Object)))]
async fn agents(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let live = sources.live;
    ask_shown(move || view::agents(&live.router(), live.now())).await
}

/// Trunks and how they are.
#[utoipa::path(get, path = "/v1/trunks", tag = "trunks",
    responses((status = 200, body = Object)))]
async fn trunks(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let live = sources.live;
    ask_shown(move || view::trunks(&live.trunks(), live.now())).await
}

/// Tests a trunk; the body may name the number to call.
#[utoipa::path(post, path = "/v1/trunks/{name}/test", tag = "trunks",
    params(("name" = String, Path, description = "The trunk's name"),
        ("number" = Option<String>, Query, description = "The number to call")),
    responses((status = 200, body = Object), (status = 409, body = Problem),
        (status = 429, body = Problem)))]
async fn test_trunk(
    State(sources): State<Sources>,
    Path(name): Path<String>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Refusal> {
    let number = pairs.into_iter().find(|(key, _)| key == "number");
    let number = number.map(|(_, number)| number.replace(' ', "+"));
    let long = sources.long.clone();
    let test = ask_long(long, TEST_PATIENCE, move || {
        sources.live.test_trunk(&name, number)
    });
    match test.await? {
        Ok(report) => shown(StatusCode::OK, &report),
        Err(words) => Err(Refusal::new(StatusCode::CONFLICT, words)),
    }
}

/// Loads the configuration again.
#[utoipa::path(post, path = "/v1/reload", tag = "operation", params(Reload),
    responses((status = 200, body = Object), (status = 400, body = Problem),
        (status = 422, body = Problem)))]
async fn reload(
    State(sources): State<Sources>,
    how: Result<Pairs<Reload>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Pairs(how) = how.map_err(|error| Refusal::bad_request(error.body_text()))?;
    match ask_for(RELOAD_PATIENCE, move || sources.live.reload(how)).await? {
        Ok(words) => {
            let lines: Vec<&str> = words.lines().collect();
            Ok(answer(StatusCode::OK, &json!({"reloaded": lines})))
        }
        Err(words) => Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, words)),
    }
}

async fn nothing_here() -> Refusal {
    Refusal::not_found("nothing here; see docs/api.md")
}

async fn wrong_method() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not know that method; see docs/api.md",
    )
}

pub(super) fn unread(error: ArchiveError) -> Refusal {
    tracing::error!(%error, "call archive");
    Refusal::internal(error.to_string())
}

/// Longest body: 64 KiB of attributes with each character escaped, and room.
const MOST_OCTETS: usize = 512 << 10;

/// Seconds of media in one capture: some 5 MB.
const LONGEST_CAPTURE: u64 = 60;

const PCAP: &str = "application/vnd.tcpdump.pcap";

/// A test registers, waits for an answer, listens and waits for its recording.
const TEST_PATIENCE: Duration = Duration::from_secs(60);

/// A reload binds sockets and loads sounds.
const RELOAD_PATIENCE: Duration = Duration::from_secs(30);
