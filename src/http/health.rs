//! Figures and health: what may be seen from anywhere.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Problem, Refusal, answer};
use super::api::Sources;
use super::ask::{ask, ask_apart};
use super::metrics::CONTENT_TYPE;

pub(super) fn routes() -> OpenApiRouter<Sources> {
    OpenApiRouter::new()
        .routes(routes!(metrics))
        .routes(routes!(alive))
        .routes(routes!(ready))
}

/// OpenMetrics text; see metrics.md.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, content_type = "application/openmetrics-text", body = String)))]
async fn metrics(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let text = ask(move || sources.metrics.render()).await?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

/// 200 while shards and workers keep time: else restart it.
#[utoipa::path(get, path = "/health/live", tag = "operation",
    responses((status = 200, body = Object), (status = 503, body = Problem)))]
async fn alive(State(sources): State<Sources>) -> Result<Response, Refusal> {
    Ok(health(
        "alive",
        ask_apart(sources.apart.clone(), move || sources.live.alive()).await?,
    ))
}

/// 200 while new calls are accepted: else send calls elsewhere.
#[utoipa::path(get, path = "/health/ready", tag = "operation",
    responses((status = 200, body = Object), (status = 503, body = Problem)))]
async fn ready(State(sources): State<Sources>) -> Result<Response, Refusal> {
    Ok(health(
        "ready",
        ask_apart(sources.apart.clone(), move || sources.live.ready()).await?,
    ))
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
