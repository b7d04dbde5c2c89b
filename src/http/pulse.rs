//! Heartbeats of agents' programs: `POST` says that one is there, `DELETE` that it is no longer
//! to be waited for.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::json;

use super::answer::{Refusal, answer};
use super::api::{Sources, ask, shown};

/// What an agent's program is told in answer to its heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pulse {
    /// Agent.
    pub agent: String,
    /// What he is.
    pub activity: String,
    /// When the next heartbeat is wanted, ms from now.
    pub next_ms: u64,
    /// When he is taken for gone without one, ms from now.
    pub within_ms: u64,
}

pub(super) async fn beat(
    State(sources): State<Sources>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let agent = name.clone();
    match ask(move || sources.live.beat(&agent)).await? {
        Some(pulse) => shown(&pulse),
        None => Err(unknown(&name)),
    }
}

pub(super) async fn goodbye(
    State(sources): State<Sources>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let agent = name.clone();
    match ask(move || sources.live.end_beats(&agent)).await? {
        Some(was_watched) => {
            let body = json!({"agent": name, "was_watched": was_watched});
            Ok(answer(StatusCode::OK, &body))
        }
        None => Err(unknown(&name)),
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::not_found(format!("no agent {name}; GET /v1/agents lists them"))
}
