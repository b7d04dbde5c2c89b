//! The routes, each a few lines: ask, and shape the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query as Pairs, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::answer::{Refusal, answer};
use super::bans::Bans;
use super::guard;
use super::live::Live;
use super::metrics::{CONTENT_TYPE, Metrics};
use super::pulse;
use super::query::Query;
use super::trace;
use super::view::{self, Why};
use crate::call::{Control, ControlError};
use crate::events::CallRecord;
use crate::events::record::{Archive, ArchiveError};
use crate::router::Supposed;

/// What the routes ask.
#[derive(Clone)]
pub(super) struct Sources {
    pub(super) live: Arc<dyn Live>,
    pub(super) archive: Arc<dyn Archive>,
    pub(super) metrics: Arc<Metrics>,
    /// Questions that take seconds: few at a time, so that the others find a thread.
    pub(super) long: Arc<Semaphore>,
}

/// Everything, for the loopback listener.
pub(super) fn whole(sources: Sources) -> Router {
    Router::new()
        .route("/v1/calls", get(calls))
        .route("/v1/calls/{id}", get(call).post(control))
        .route("/v1/calls/{id}/pcap", get(pcap))
        .route("/v1/calls/{id}/sip", get(sip))
        .route("/v1/calls/{id}/why", get(why))
        .route("/v1/who", post(who))
        .route("/v1/queues", get(queues))
        .route("/v1/agents", get(agents))
        .route("/v1/bans", get(bans))
        .route("/v1/bans/{address}", delete(lift))
        .route("/v1/trunks", get(trunks))
        .route("/v1/trunks/{name}/test", post(test_trunk))
        .route("/v1/reload", post(reload))
        .route(
            "/v1/workers/{name}/heartbeat",
            post(pulse::beat).delete(pulse::goodbye),
        )
        .with_state(sources.clone())
        .merge(figures(sources))
        .layer(middleware::from_fn(guard::loopback_only))
}

/// What may be seen from anywhere: figures and health.
pub(super) fn figures(sources: Sources) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health/live", get(alive))
        .route("/health/ready", get(ready))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .with_state(sources)
}

async fn bans(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let bans = ask(move || Bans::new(&sources.live.bans())).await?;
    Ok(answer(StatusCode::OK, &json!(bans)))
}

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

async fn metrics(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let text = ask(move || sources.metrics.render()).await?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

async fn alive(State(sources): State<Sources>) -> Result<Response, Refusal> {
    Ok(health("alive", ask(move || sources.live.alive()).await?))
}

async fn ready(State(sources): State<Sources>) -> Result<Response, Refusal> {
    Ok(health("ready", ask(move || sources.live.ready()).await?))
}

fn health(what: &str, state: Result<(), String>) -> Response {
    match state {
        Ok(()) => answer(StatusCode::OK, &json!({"status": what})),
        Err(why) => {
            let body = json!({"status": format!("not {what}"), "why": why});
            answer(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
    }
}

async fn calls(
    State(sources): State<Sources>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Refusal> {
    let query = Query::parse(&pairs).map_err(Refusal::bad_request)?;
    let calls = ask(move || list(&sources, &query)).await?.map_err(unread)?;
    let calls: Vec<Value> = calls.iter().map(CallRecord::to_json).collect();
    Ok(answer(StatusCode::OK, &json!({"calls": calls})))
}

/// Live calls and finished ones, the newest first, none twice.
fn list(sources: &Sources, query: &Query) -> Result<Vec<CallRecord>, ArchiveError> {
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

async fn call(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let record = ask(move || find(&sources, &id)).await??;
    Ok(answer(StatusCode::OK, &record.to_json()))
}

fn find(sources: &Sources, id: &str) -> Result<CallRecord, Refusal> {
    if let Some(live) = sources.live.call(id) {
        return Ok(live.as_of(sources.live.now()));
    }
    let found = sources.archive.find(id).map_err(unread)?;
    found.ok_or_else(|| Refusal::not_found(format!("no call {id}")))
}

/// Does something to a living call: the body is a [`Control`].
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
            ControlError::NotRecorded
            | ControlError::NotTalking
            | ControlError::Unreachable { .. } => StatusCode::CONFLICT,
        };
        Refusal::new(status, error.to_string())
    })?;
    Ok(answer(StatusCode::OK, &json!({"leg": leg})))
}

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
    shown(&why.await??)
}

/// Who can get this call? The body is a [`Supposed`]; nothing changes.
async fn who(
    State(sources): State<Sources>,
    body: Result<Json<Supposed>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(supposed) = body.map_err(|error| Refusal::bad_request(error.body_text()))?;
    match ask(move || sources.live.who(supposed)).await? {
        Ok(prospects) => shown(&view::who(&prospects)),
        Err(words) => Err(Refusal::not_found(words)),
    }
}

async fn sip(State(sources): State<Sources>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let ladder = ask(move || {
        let record = find(&sources, &id)?;
        Ok::<_, Refusal>(trace::ladder(sources.live.as_ref(), &record))
    });
    shown(&ladder.await??)
}

/// How long media is captured.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    #[serde(default)]
    seconds: u64,
}

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
        trace::capture(sources.live.as_ref(), &record, time)
            .map_err(|words| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, words))
    };
    let file = match time.is_zero() {
        true => ask(capture).await,
        false => ask_long(long, PATIENCE + time, capture).await,
    };
    let file = file??;
    Ok(([(header::CONTENT_TYPE, PCAP)], file).into_response())
}

async fn queues(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let live = sources.live;
    shown(&ask(move || view::queues(&live.router(), live.now())).await?)
}

async fn agents(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let live = sources.live;
    shown(&ask(move || view::agents(&live.router(), live.now())).await?)
}

async fn trunks(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let live = sources.live;
    let shown = ask(move || view::trunks(&live.trunks(), live.now()));
    self::shown(&shown.await?)
}

/// Tests a trunk; the body may name the number to call.
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
        Ok(report) => shown(&report),
        Err(words) => Err(Refusal::new(StatusCode::CONFLICT, words)),
    }
}

pub(super) fn shown(body: &impl Serialize) -> Result<Response, Refusal> {
    match serde_json::to_value(body) {
        Ok(body) => Ok(answer(StatusCode::OK, &body)),
        Err(error) => {
            let words = format!("the answer cannot be written: {error}");
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, words))
        }
    }
}

async fn reload(State(sources): State<Sources>) -> Result<Response, Refusal> {
    match ask_for(RELOAD_PATIENCE, move || sources.live.reload()).await? {
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

fn unread(error: ArchiveError) -> Refusal {
    tracing::error!(%error, "call archive");
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

/// Runs a question that may wait on a blocking thread, five seconds at most.
pub(super) async fn ask<T: Send + 'static>(
    question: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    ask_for(PATIENCE, question).await
}

async fn ask_for<T: Send + 'static>(
    patience: Duration,
    question: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let asked = tokio::task::spawn_blocking(question);
    match tokio::time::timeout(patience, asked).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(_)) => Err(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the question failed; the log says why",
        )),
        Err(_) => Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the switch did not answer in time",
        )),
    }
}

/// Runs a question that takes long, or refuses it at once when as many as may are under way. One
/// given up by who asked counts until it is over.
async fn ask_long<T: Send + 'static>(
    long: Arc<Semaphore>,
    patience: Duration,
    question: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let Ok(place) = long.try_acquire_owned() else {
        return Err(Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!("{MOST_LONG} captures and trunk tests are under way; wait for one to end"),
        ));
    };
    ask_for(patience, move || {
        let _place = place;
        question()
    })
    .await
}

/// Captures and trunk tests at a time: half of the threads that answer.
pub(super) const MOST_LONG: usize = 4;

/// Seconds of media in one capture: some 5 MB.
const LONGEST_CAPTURE: u64 = 60;

const PCAP: &str = "application/vnd.tcpdump.pcap";

/// A shard that takes longer is stuck.
const PATIENCE: Duration = Duration::from_secs(5);

/// A test registers, waits for an answer, listens and waits for its recording.
const TEST_PATIENCE: Duration = Duration::from_secs(60);

/// A reload binds sockets and loads sounds.
const RELOAD_PATIENCE: Duration = Duration::from_secs(30);
