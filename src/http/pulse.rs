//! Heartbeats of agents' programs: `POST` says that one is there, `DELETE` that it is no longer
//! to be waited for.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::json;

use super::answer::{Problem, Refusal, answer, shown};
use super::api::Sources;
use super::ask::ask;

/// What an agent's program is told in answer to its heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
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

/// An agent's program is there.
#[utoipa::path(post, path = "/v1/workers/{name}/heartbeat", tag = "workers",
    params(("name" = String, Path, description = "The worker's name")),
    responses((status = 200, body = Pulse), (status = 404, body = Problem)))]
pub(super) async fn beat(
    State(sources): State<Sources>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let agent = name.clone();
    match ask(move || sources.live.beat(&agent)).await? {
        Some(pulse) => shown(StatusCode::OK, &pulse),
        None => Err(unknown(&name)),
    }
}

/// An agent's program is no longer to be waited for.
#[utoipa::path(delete, path = "/v1/workers/{name}/heartbeat", tag = "workers",
    params(("name" = String, Path, description = "The worker's name")),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
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
