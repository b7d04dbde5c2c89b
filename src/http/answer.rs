//! Answers: JSON always, errors included.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::router::{Declined, Refusal as Refused, Shown};

/// A request that could not be answered as wished.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    words: String,
    help: Option<&'static str>,
    retry_after: Option<Duration>,
    more: Vec<(&'static str, Value)>,
}

/// What an error says.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The HTTP status again.
    status: u16,
    /// What is wrong, and where.
    error: String,
    /// What to do about it.
    help: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self {
            status,
            words: words.into(),
            help: None,
            retry_after: None,
            more: Vec::new(),
        }
    }

    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong.
    pub(super) fn words(&self) -> &str {
        &self.words
    }

    pub(super) fn bad_request(words: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, words)
    }

    pub(super) fn not_found(words: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, words)
    }

    pub(super) fn conflict(words: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, words)
    }

    pub(super) fn unprocessable(words: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, words)
    }

    /// The switch could not; whoever asked did nothing wrong.
    pub(super) fn internal(words: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, words)
    }

    /// What to do about it.
    pub(super) fn help(self, words: &'static str) -> Self {
        Self {
            help: Some(words),
            ..self
        }
    }

    /// When to ask again.
    pub(super) fn retry_after(self, time: Duration) -> Self {
        Self {
            retry_after: Some(time),
            ..self
        }
    }

    /// One more thing to know, for programs.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.more.push((name, value.into()));
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({"status": self.status.as_u16(), "error": self.words});
        if let Some(help) = self.help {
            body["help"] = help.into();
        }
        for (name, value) in self.more {
            body[name] = value;
        }
        let mut response = answer(self.status, &body);
        if let Some(time) = self.retry_after {
            let seconds = HeaderValue::from(time.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// JSON with a line end, so that `curl` leaves the prompt alone.
pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    text(status, format!("{body}\n"))
}

/// A body, as JSON. A long one is to be written elsewhere: [`super::ask::ask_shown`].
pub(super) fn shown(status: StatusCode, body: &impl Serialize) -> Result<Response, Refusal> {
    Ok(text(status, written(body)?))
}

/// The text of a body.
pub(super) fn written(body: &impl Serialize) -> Result<String, Refusal> {
    let written = serde_json::to_string(body).map(|text| text + "\n");
    written.map_err(|error| {
        let words = format!("the answer cannot be written: {error}");
        Refusal::internal(words)
    })
}

/// A text that is JSON.
pub(super) fn text(status: StatusCode, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text).into_response()
}

/// A body with the version of what it shows, for a later `If-Match`.
pub(super) fn versioned(
    status: StatusCode,
    version: u64,
    body: &impl Serialize,
) -> Result<Response, Refusal> {
    let mut response = shown(status, body)?;
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Versions named in `If-Match`; `None` when any will do.
pub(super) fn only_if(headers: &HeaderMap) -> Result<Option<Vec<u64>>, Refusal> {
    let mut versions = Vec::new();
    for value in headers.get_all(header::IF_MATCH) {
        let text = value.to_str().unwrap_or_default();
        for tag in text.split(',').map(str::trim) {
            if tag == "*" {
                return Ok(None);
            }
            let number = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let Some(number) = number.and_then(|number| number.parse().ok()) else {
                let words = format!("If-Match: {tag} is no ETag of this API");
                return Err(Refusal::bad_request(words)
                    .help("send the ETag header of the last answer about it, quotes included"));
            };
            versions.push(number);
        }
    }
    let is_any = headers.contains_key(header::IF_MATCH);
    Ok(is_any.then_some(versions))
}

/// A thing of this kind is not there.
pub(super) fn gone(what: &str, id: &str) -> Refusal {
    Refusal::not_found(format!("no {what} {id}")).help(match what {
        "worker" => "GET /v1/workers lists them; they come from agents.toml",
        "task" => "it may have ended; GET /v1/tasks lists those that live",
        "reservation" => "it may be over; GET /v1/reservations lists those that are open",
        "task queue" => "GET /v1/task-queues lists them; they come from queues.toml",
        _ => "GET /v1/workflows lists them",
    })
}

/// Why the router did not do it.
pub(super) fn declined(why: Declined) -> Refusal {
    let words = why.to_string();
    match why {
        Declined::Busy => Refusal::new(StatusCode::TOO_MANY_REQUESTS, words)
            .retry_after(Duration::from_secs(1))
            .help("nothing was done; ask again a little later"),
        Declined::Silent => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, words)
            .retry_after(Duration::from_secs(1))
            .help("look whether it was done before asking again; /health/ready says why"),
        Declined::Changed { now } => Refusal::new(StatusCode::PRECONDITION_FAILED, words)
            .with("version", now)
            .help("nothing was done; get it again, look, and send its new ETag"),
        Declined::Refused(why) => refused(&why),
    }
}

/// Why the router did not answer a question, which changes nothing.
pub(super) fn unanswered(why: Declined) -> Refusal {
    match why {
        Declined::Silent => {
            let words = "the router does not answer";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, words)
                .retry_after(Duration::from_secs(1))
                .help("nothing was done; /health/ready says why")
        }
        why => declined(why),
    }
}

fn refused(why: &Refused) -> Refusal {
    let words = why.to_string();
    match why {
        Refused::UnknownTask | Refused::UnknownWorker => Refusal::not_found(words),
        Refused::ReservationOver => {
            Refusal::not_found(words).help("another worker may have it, or its time was over")
        }
        Refused::AttributesTooLarge => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, words)
            .help("keep what routing and agents need, and refer to the rest"),
        Refused::AttributesTooDeep => Refusal::unprocessable(words)
            .help("keep what routing and agents need, and refer to the rest"),
        Refused::QueueFull => Refusal::new(StatusCode::TOO_MANY_REQUESTS, words)
            .retry_after(Duration::from_secs(5))
            .help("ask again later, or raise `max_waiting` of the queue"),
        Refused::UnknownActivity => {
            Refusal::unprocessable(words).help("activities are listed in agents.toml")
        }
        Refused::UnknownChannel => {
            Refusal::unprocessable(words).help("channels are listed in agents.toml")
        }
        Refused::UnknownQueue => Refusal::unprocessable(words).help("see GET /v1/task-queues"),
        Refused::UnknownWorkflow => Refusal::unprocessable(words).help("see GET /v1/workflows"),
        Refused::CodeNeeded(codes) | Refused::UnknownCode(codes) => Refusal::unprocessable(words)
            .with("codes", codes.clone())
            .help("send one of the queue's codes as `code`"),
        Refused::Left(why) => Refusal::unprocessable(words)
            .with("left", json!(why))
            .help("look at the workflow's filters, and at who is there for its steps"),
        Refused::NotPast | Refused::ActivityAvailable => Refusal::unprocessable(words),
        Refused::Assigned
        | Refused::AlreadyAccepted
        | Refused::DuplicateTask
        | Refused::InvalidPlan(_)
        | Refused::NotAssigned
        | Refused::NotInWrapUp => Refusal::conflict(words),
    }
}

/// It is done, and nothing is left to show.
pub(super) fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// A task that was shown.
pub(super) fn task(shown: Option<Shown>) -> Option<Box<crate::router::TaskView>> {
    match shown? {
        Shown::Task(task) => Some(task),
        Shown::Worker(_) => None,
    }
}

/// A worker who was shown.
pub(super) fn worker(shown: Option<Shown>) -> Option<Box<crate::router::WorkerView>> {
    match shown? {
        Shown::Worker(worker) => Some(worker),
        Shown::Task(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_quoted_numbers_or_a_star() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, HeaderValue::from_static(text));
            only_if(&headers).ok()
        };
        assert_eq!(read("\"17\""), Some(Some(vec![17])));
        assert_eq!(read("\"17\", \"18\""), Some(Some(vec![17, 18])));
        assert_eq!(read("*"), Some(None));
        for bad in ["17", "W/\"17\"", "\"x\"", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(only_if(&HeaderMap::new()).ok(), Some(None));
    }
}
