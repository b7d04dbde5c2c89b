//! `/v1/dead-letters`: notices that never reached a web application.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Problem, Refusal, answer, nothing, shown};
use super::api::Sources;
use super::ask::ask;
use crate::webhook::{LetterView, ReplayError, ShelfError};

pub(super) fn routes() -> OpenApiRouter<Sources> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(discard))
        .routes(routes!(replay))
}

/// All that was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeadLetters {
    /// The one that died last at the front.
    pub dead_letters: Vec<LetterView>,
}

/// How many are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// 1 to 1000, default 50.
    limit: Option<usize>,
}

/// Notices that never arrived, the one that died last at the front; what they say is not shown.
#[utoipa::path(get, path = "/v1/dead-letters", tag = "webhooks", params(Which),
    responses((status = 200, body = Object), (status = 400, body = Problem),
        (status = 500, body = Problem)))]
async fn list(
    State(sources): State<Sources>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(which) = which.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let limit = which.limit.unwrap_or(50);
    if !(1..=MOST).contains(&limit) {
        let words = format!("`limit` goes from 1 to {MOST}");
        return Err(Refusal::bad_request(words));
    }
    let letters = ask(move || sources.live.dead_letters(limit)).await?;
    let dead_letters = letters.map_err(|error| unread(&error))?;
    shown(StatusCode::OK, &DeadLetters { dead_letters })
}

/// Tries to deliver one again; it stays listed until it arrives.
#[utoipa::path(post, path = "/v1/dead-letters/{id}/replay", tag = "webhooks",
    params(("id" = String, Path, description = "The letter's id")),
    responses((status = 202, body = Object), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 429, body = Problem),
        (status = 500, body = Problem)))]
async fn replay(
    State(sources): State<Sources>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let letter = id.clone();
    match ask(move || sources.live.replay_letter(&letter)).await? {
        Ok(()) => Ok(answer(StatusCode::ACCEPTED, &json!({"replayed": id}))),
        Err(why) => {
            let words = why.to_string();
            Err(match why {
                ReplayError::Busy => Refusal::new(StatusCode::TOO_MANY_REQUESTS, words)
                    .help("nothing was done; ask again a little later"),
                ReplayError::NoLetter(_) => {
                    Refusal::not_found(words).help("GET /v1/dead-letters lists them")
                }
                ReplayError::OnItsWay(_) => Refusal::conflict(words),
                ReplayError::Shelf(error) => unread(&error),
            })
        }
    }
}

/// Throws one out.
#[utoipa::path(delete, path = "/v1/dead-letters/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The letter's id")),
    responses((status = 204), (status = 404, body = Problem), (status = 500, body = Problem)))]
async fn discard(
    State(sources): State<Sources>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let letter = id.clone();
    let gone = ask(move || sources.live.discard_letter(&letter)).await?;
    match gone.map_err(|error| unread(&error))? {
        true => Ok(nothing()),
        false => Err(Refusal::not_found(format!("no dead letter {id}"))
            .help("GET /v1/dead-letters lists them")),
    }
}

fn unread(error: &ShelfError) -> Refusal {
    Refusal::internal(error.to_string())
}

/// Letters in one answer.
const MOST: usize = 1000;
