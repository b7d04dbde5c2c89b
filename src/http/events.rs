//! `GET /v1/events`: what happens at the router, as a list with a cursor or as a live stream.
//!
//! A reader holds nothing but a cursor: what it has not fetched waits in the journal, so that a
//! slow one costs no memory, and one that comes back finds all it missed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout, timeout_at};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Problem, Refusal};
use super::api::Sources;
use super::ask::ask;
use crate::journal::EventEntry;
use crate::router::{Event, Tail};

pub(super) fn routes() -> OpenApiRouter<Sources> {
    OpenApiRouter::new().routes(routes!(events))
}

/// Some events.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Events {
    /// In order, none left out but those of other workers where one was asked for.
    events: Vec<Event>,
    /// Number of the last event that was looked at: `after` of the next request.
    next: u64,
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only those after this number; 0 for all. From now on when missing.
    after: Option<u64>,
    /// Only those of this worker.
    worker: Option<String>,
    /// Seconds to wait for the first one, 0 to 60, when there is none yet. Default 0.
    #[serde(default)]
    #[param(maximum = 60)]
    wait: u64,
    /// Most events in one answer, 1 to 1000. Default 100. Past a megabyte there are fewer.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Events: a list, or with `Accept: text/event-stream` a stream that stays open (there `id` is
/// the number, and `Last-Event-ID` takes up where it broke off), or with
/// `Accept: application/x-ndjson` one event a line.
#[utoipa::path(get, path = "/v1/events", tag = "events", params(Which,
        ("Last-Event-ID" = Option<u64>, Header, description = "As `after`; set by browsers")),
    responses((status = 200, content((Events = "application/json"), (Event = "text/event-stream"),
            (Event = "application/x-ndjson"))),
        (status = 400, body = Problem),
        (status = 410, body = Problem, description = "The cursor is too old, or from another \
            journal: `oldest` and `newest` say what there is"),
        (status = 429, body = Problem), (status = 503, body = Problem)))]
async fn events(
    State(sources): State<Sources>,
    headers: HeaderMap,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(which) = which.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let limit = which.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(Refusal::bad_request(format!(
            "limit: 1 to 1000, not {limit}"
        )));
    }
    if which.wait > 60 {
        let words = format!("wait: 0 to 60 seconds, not {}", which.wait);
        return Err(Refusal::bad_request(words));
    }
    let tail = sources.routing.tail();
    let last = last_event(&headers)?;
    let mut reader = Reader {
        after: last.or(which.after).unwrap_or_else(|| tail.newest()),
        newest: tail.watch(),
        tail,
        worker: which.worker,
        limit,
        sources,
    };
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    match accept {
        Some(accept) if accept.contains(STREAM) => stream(reader).await,
        accept => {
            let until = Instant::now() + Duration::from_secs(which.wait);
            let mut stopped = reader.sources.stopped.clone();
            let found = tokio::select! {
                found = reader.wait(until) => found?,
                _ = stopped.wait_for(|stop| *stop) => Vec::new(),
            };
            let lines = accept.is_some_and(|accept| accept.contains(LINES));
            Ok(list(&found, reader.after, lines))
        }
    }
}

/// Where a stream broke off. One that cannot be read is no reason to begin elsewhere.
fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(id) = headers.get("last-event-id") else {
        return Ok(None);
    };
    match id.to_str().ok().and_then(|id| id.trim().parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(
            Refusal::bad_request("Last-Event-ID: not the number of an event")
                .help("send the `id` of the last event, or none and `after`"),
        ),
    }
}

/// One reader of events.
struct Reader {
    sources: Sources,
    tail: Arc<Tail>,
    newest: watch::Receiver<u64>,
    /// Number of the last event that was looked at.
    after: u64,
    worker: Option<String>,
    limit: usize,
}

impl Reader {
    /// The next events; none when there are none yet.
    async fn next(&mut self) -> Result<Vec<Arc<EventEntry>>, Refusal> {
        let newest = self.tail.newest();
        if self.after > newest {
            let words = format!(
                "event {} is still to come: the newest is {newest}",
                self.after
            );
            return Err(gone(words, None, newest));
        }
        loop {
            let newest = self.tail.newest();
            if self.after >= newest {
                return Ok(Vec::new());
            }
            // Of one worker few may be among many.
            let most = match self.worker {
                Some(_) => LOOKED_AT,
                None => self.limit.min(LOOKED_AT),
            };
            let looked_at = match self.tail.after(self.after, most) {
                Some(events) => events,
                None => self.past(most).await?,
            };
            let (mut found, mut octets) = (Vec::new(), 0);
            for event in looked_at {
                // What is written and not announced yet comes with the next answer, whose cursor
                // would else be ahead.
                if event.sequence > newest || octets >= MOST_OCTETS {
                    break;
                }
                self.after = event.sequence;
                if self.worker.is_none() || self.worker == event.worker {
                    octets += event.body.len();
                    found.push(event);
                    if found.len() == self.limit {
                        break;
                    }
                }
            }
            if !found.is_empty() {
                return Ok(found);
            }
            // Many may be of others: everybody else has his turn in between.
            tokio::task::yield_now().await;
        }
    }

    /// As [`Reader::next`], and waits for one.
    async fn wait(&mut self, until: Instant) -> Result<Vec<Arc<EventEntry>>, Refusal> {
        loop {
            let found = self.next().await?;
            if !found.is_empty() {
                return Ok(found);
            }
            match timeout_at(until, self.newest.changed()).await {
                Ok(Ok(())) => {}
                // The time is over, or the router is.
                Ok(Err(_)) | Err(_) => return Ok(Vec::new()),
            }
        }
    }

    /// What is no longer in memory.
    async fn past(&self, most: usize) -> Result<Vec<Arc<EventEntry>>, Refusal> {
        let (router, first) = (self.sources.routing.clone(), self.after + 1);
        let found = ask(move || router.events_from(first, most, MOST_OCTETS)).await?;
        let found = found.map_err(|error| {
            tracing::error!(%error, "events cannot be read");
            Refusal::internal(error.to_string())
        })?;
        let newest = self.tail.newest();
        let oldest = found.first().map(|event| event.sequence);
        if oldest != Some(first) {
            let oldest = oldest.unwrap_or(newest + 1);
            let words = format!("event {first} is no longer kept: the oldest is {oldest}");
            return Err(gone(words, Some(oldest), newest));
        }
        Ok(found.into_iter().map(Arc::new).collect())
    }
}

fn gone(words: String, oldest: Option<u64>, newest: u64) -> Refusal {
    Refusal::new(StatusCode::GONE, words)
        .with("oldest", oldest)
        .with("newest", newest)
        .help("look at what is now (/v1/tasks, /v1/workers), and go on with after=newest")
}

fn list(events: &[Arc<EventEntry>], next: u64, lines: bool) -> Response {
    let bodies: Vec<&str> = events.iter().map(|event| event.body.as_str()).collect();
    let (kind, text) = match lines {
        true => {
            let lines = bodies.iter().map(|body| format!("{body}\n"));
            (LINES, lines.collect::<String>())
        }
        false => {
            let bodies = bodies.join(",");
            (
                "application/json",
                format!("{{\"events\":[{bodies}],\"next\":{next}}}\n"),
            )
        }
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::HeaderName::from_static("x-next"), next.to_string()),
    ];
    (headers, text).into_response()
}

/// A stream that stays open. Its first events are looked for at once, so that a cursor that is
/// too old is refused properly.
async fn stream(mut reader: Reader) -> Result<Response, Refusal> {
    let place = reader
        .sources
        .streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| {
            let words = format!("{MOST_STREAMS} event streams are open: no more at a time");
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, words)
                .retry_after(Duration::from_secs(5))
                .help("close one, or ask with `wait`")
        })?;
    let first = reader.next().await?;
    let open = Open {
        reader,
        ready: first,
        _place: place,
    };
    let chunks = futures_util::stream::unfold(Some(open), |open| async {
        let mut open = open?;
        let chunk = open.chunk().await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), Some(open)))
    });
    let headers = [
        (header::CONTENT_TYPE, STREAM),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// An open stream.
struct Open {
    reader: Reader,
    ready: Vec<Arc<EventEntry>>,
    _place: OwnedSemaphorePermit,
}

impl Open {
    /// What is sent next; `None` at the end.
    async fn chunk(&mut self) -> Option<Bytes> {
        let mut found = std::mem::take(&mut self.ready);
        if found.is_empty() {
            let mut stopped = self.reader.sources.stopped.clone();
            let alive = Duration::from_secs(KEEP_ALIVE);
            let waited = self.reader.wait(Instant::now() + alive);
            let waited = timeout(alive * 2, waited);
            found = tokio::select! {
                // A cursor that became too old while nobody fetched: the next request is told so.
                waited = waited => waited.ok()?.ok()?,
                _ = stopped.wait_for(|stop| *stop) => return None,
            };
        }
        if found.is_empty() {
            return Some(Bytes::from_static(b": still here\n\n"));
        }
        let mut text = String::new();
        for event in found {
            // Bodies are JSON on one line, which a stream can carry as it is.
            text.push_str(&format!("id: {}\ndata: {}\n\n", event.sequence, event.body));
        }
        Some(text.into())
    }
}

const STREAM: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";

/// Events looked at together.
const LOOKED_AT: usize = 1000;

/// Octets after which no other event is put into an answer, or a piece of a stream.
const MOST_OCTETS: usize = 1 << 20;

/// Streams at a time: half of the connections.
pub(super) const MOST_STREAMS: usize = 32;

/// Seconds after which an idle stream says that it lives; shorter than any idle timeout between.
const KEEP_ALIVE: u64 = 15;
