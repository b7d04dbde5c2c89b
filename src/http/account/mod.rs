//! `/2010-04-01/Accounts/{sid}`: the REST API of programs written for the public platform, so that
//! their SDKs work when their base URL is changed. What is supported: docs/twiml.md.
//!
//! It has a listener of its own, which may be anywhere: who asks says account SID and token (HTTP
//! basic authentication). Paths end in `.json`; bodies are forms.

mod calls;
mod conferences;
mod fault;
mod leg;
mod media;
mod page;
mod parameters;
mod queues;
mod recordings;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::answer::answer;
use super::api::Sources;
use super::ask::ask;
use crate::base::Timestamp;
use crate::twiml::{API_VERSION, Sid};
use crate::webhook::SigningSecret;
use fault::Fault;
use parameters::Parameters;

/// Whom the API is for, and what its answers are made of.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its SID.
    pub sid: Sid,
    /// Its password.
    pub token: SigningSecret,
    /// What links begin with, without a slash at the end.
    pub url: String,
    /// What the SIP addresses of phones end in.
    pub host: IpAddr,
    /// Where recordings are.
    pub recordings: PathBuf,
}

/// What a resource is made for.
struct Asked<'a> {
    sources: &'a Sources,
    account: &'a Account,
    /// As it was asked for, to be told that it is not there.
    path: &'a str,
    said: Parameters,
}

/// The whole API, for its listener.
pub(super) fn site(sources: Sources) -> Router {
    Router::new().fallback(serve).with_state(Site {
        sources,
        room: Arc::new(Semaphore::new(MOST_ASKED)),
        strangers: Arc::default(),
    })
}

#[derive(Clone)]
struct Site {
    sources: Sources,
    room: Arc<Semaphore>,
    /// Requests with a wrong name or token.
    strangers: Arc<AtomicU64>,
}

async fn serve(State(site): State<Site>, request: Request) -> Response {
    let (
        Parts {
            method,
            uri,
            headers,
            ..
        },
        body,
    ) = request.into_parts();
    let Ok(_place) = site.room.clone().try_acquire_owned() else {
        return Fault::too_many().into_response();
    };
    let answered = async {
        let Some(account) = site.sources.live.account() else {
            return Err(Fault::unavailable("No account is configured any more"));
        };
        if !is_let_in(&account, &headers) {
            let count = site.strangers.fetch_add(1, Ordering::Relaxed) + 1;
            // Whoever guesses is not to fill the log: 1, 2, 4, 8, ... of them are told.
            if count.is_power_of_two() {
                tracing::warn!(count, "rest.stranger");
            }
            return Err(Fault::stranger());
        }
        // Nobody whom we do not know is listened to any longer.
        let said = timeout(SAYING, to_bytes(body, MOST_OCTETS)).await;
        let said = said.map_err(|_| "it took longer than 10 s".to_owned());
        let body = said.and_then(|said| said.map_err(|error| error.to_string()));
        let body = body.map_err(|words| Fault::bad(fault::code::PARAMETER, words))?;
        let said = match method {
            Method::GET | Method::DELETE => uri.query().unwrap_or_default().as_bytes().to_vec(),
            _ => body.to_vec(),
        };
        let sources = site.sources.clone();
        let path = uri.path().to_owned();
        if let Some(wanted) = media::Wanted::read(&account, &method, &path, uri.query()) {
            return media::serve(sources, account, wanted).await;
        }
        ask(move || {
            let asked = Asked {
                sources: &sources,
                account: &account,
                path: &path,
                said: Parameters::read(&said),
            };
            asked.answer(&method)
        })
        .await?
    };
    answered.await.unwrap_or_else(IntoResponse::into_response)
}

impl Asked<'_> {
    /// Finds the resource and lets it answer.
    fn answer(self, method: &Method) -> Result<Response, Fault> {
        let gone = || Fault::not_found(self.path);
        let root = format!("/{API_VERSION}/Accounts/");
        let path = self.path.strip_prefix(&root).ok_or_else(gone)?;
        let path = path.strip_suffix(".json").ok_or_else(gone)?;
        let mut parts = path.split('/');
        if parts.next() != Some(self.account.sid.as_str()) {
            return Err(gone());
        }
        // Names of conferences may hold anything.
        let parts: Vec<String> = parts.map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (get, post, delete) = (
            *method == Method::GET,
            *method == Method::POST,
            *method == Method::DELETE,
        );
        match parts.as_slice() {
            [] if get => Ok(self.account()),
            ["Calls"] if get => self.list_calls(),
            ["Calls"] if post => self.create_call(),
            ["Calls", call] if get => self.fetch_call(call),
            ["Calls", call] if post => self.modify_call(call),
            ["Calls", call, "Recordings"] if get => self.list_recordings(Some(call)),
            ["Calls", call, "Recordings"] if post => self.create_recording(call),
            ["Calls", call, "Recordings", recording] if post => {
                self.modify_recording(recording, call)
            }
            ["Calls", call, "Recordings", recording] if get => {
                self.fetch_recording(recording, Some(call))
            }
            ["Calls", call, "Recordings", recording] if delete => {
                self.delete_recording(recording, Some(call))
            }
            ["Conferences"] if get => self.list_conferences(),
            ["Conferences", name] if get => self.fetch_conference(name),
            ["Conferences", name] if post => self.modify_conference(name),
            ["Conferences", name, "Recordings"] if get => self.list_conference_recordings(name),
            ["Conferences", name, "Recordings", recording] if get => {
                self.fetch_conference_recording(name, recording)
            }
            ["Conferences", name, "Recordings", recording] if post => {
                self.modify_conference_recording(name, recording)
            }
            ["Conferences", name, "Participants"] if get => self.list_participants(name),
            ["Conferences", name, "Participants"] if post => self.create_participant(name),
            ["Conferences", name, "Participants", who] if get => self.fetch_participant(name, who),
            ["Conferences", name, "Participants", who] if post => {
                self.modify_participant(name, who)
            }
            ["Conferences", name, "Participants", who] if delete => {
                self.delete_participant(name, who)
            }
            ["Queues"] if get => self.list_queues(),
            ["Queues"] if post => self.create_queue(),
            ["Queues", queue] if get => self.fetch_queue(queue),
            ["Queues", queue] if post => self.modify_queue(queue),
            ["Queues", queue] if delete => self.delete_queue(queue),
            ["Queues", queue, "Members"] if get => self.list_members(queue),
            ["Queues", queue, "Members", call] if get => self.fetch_member(queue, call),
            ["Queues", queue, "Members", call] if post => self.dequeue(queue, call),
            ["Recordings"] if get => self.list_recordings(None),
            ["Recordings", recording] if get => self.fetch_recording(recording, None),
            ["Recordings", recording] if delete => self.delete_recording(recording, None),
            []
            | ["Calls"]
            | ["Calls", _]
            | ["Calls", _, "Recordings"]
            | ["Calls", _, "Recordings", _]
            | ["Conferences"]
            | ["Conferences", _]
            | ["Conferences", _, "Participants"]
            | ["Conferences", _, "Participants", _]
            | ["Conferences", _, "Recordings"]
            | ["Conferences", _, "Recordings", _]
            | ["Queues"]
            | ["Queues", _]
            | ["Queues", _, "Members"]
            | ["Queues", _, "Members", _]
            | ["Recordings"]
            | ["Recordings", _] => Err(Fault::method()),
            _ => Err(gone()),
        }
    }

    fn gone(&self) -> Fault {
        Fault::not_found(self.path)
    }

    /// The path of something below the account.
    fn uri(&self, below: &str) -> String {
        let sid = &self.account.sid;
        format!("/{API_VERSION}/Accounts/{sid}/{below}.json")
    }

    /// The account itself, which SDKs fetch to try out their password.
    fn account(&self) -> Response {
        let sid = self.account.sid.as_str();
        let below = |what: &str| (what.to_ascii_lowercase(), Value::from(self.uri(what)));
        let subresources: serde_json::Map<String, Value> =
            ["Calls", "Conferences", "Queues", "Recordings"]
                .map(below)
                .into_iter()
                .collect();
        shown(&json!({
            "sid": sid,
            "friendly_name": "tsunagu",
            "status": "active",
            "type": "Full",
            "owner_account_sid": sid,
            "date_created": null,
            "date_updated": null,
            "uri": format!("/{API_VERSION}/Accounts/{sid}.json"),
            "subresource_uris": subresources,
        }))
    }
}

/// A resource.
fn shown(body: &Value) -> Response {
    answer(StatusCode::OK, body)
}

/// Whether a request says account and token.
fn is_let_in(account: &Account, headers: &HeaderMap) -> bool {
    let said = headers.get(header::AUTHORIZATION);
    let said = said.and_then(|value| value.to_str().ok());
    let Some((scheme, said)) = said.and_then(|value| value.split_once(' ')) else {
        return false;
    };
    let said = STANDARD.decode(said.trim()).unwrap_or_default();
    let mut parts = said.splitn(2, |octet| *octet == b':');
    let (name, token) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let knows = account.token.is(token);
    scheme.eq_ignore_ascii_case("basic") && name == account.sid.as_str().as_bytes() && knows
}

/// A part of a path without its `%` escapes.
fn decoded(part: &str) -> String {
    let part = part.replace('+', "%2B");
    let pairs = url::form_urlencoded::parse(part.as_bytes());
    // A part holds neither `&` nor `=` unescaped that would mean anything: all of it is one name.
    let decoded = pairs.map(|(name, value)| match value.is_empty() {
        true => name.into_owned(),
        false => format!("{name}={value}"),
    });
    decoded.collect::<Vec<_>>().join("&")
}

/// An instant as resources have it (RFC 2822).
fn written(at: Timestamp) -> Value {
    match jiff::Timestamp::from_microsecond(at.as_micros()) {
        Ok(at) => at
            .strftime("%a, %d %b %Y %H:%M:%S +0000")
            .to_string()
            .into(),
        Err(_) => Value::Null,
    }
}

/// How long a request may take to be said.
const SAYING: Duration = Duration::from_secs(10);
/// Longest body: a document of 4,000 characters, escaped, and room for URLs.
const MOST_OCTETS: usize = 128 << 10;

/// Requests under way; one more hears 429. Four for each thread that answers them.
const MOST_ASKED: usize = 32;
