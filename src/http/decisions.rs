//! `GET /v1/calls/{id}/decisions`: all that was decided about a call, from the journal.

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Problem, Refusal, shown};
use super::api::{Sources, find};
use super::ask::ask_long;
use super::desk::Facts;
use crate::journal::Entry;
use crate::router::{Fact, Language};

pub(super) fn routes() -> OpenApiRouter<Sources> {
    OpenApiRouter::new().routes(routes!(decisions))
}

/// All that was decided about a call.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Decisions {
    /// Call.
    pub id: String,
    /// Whether nothing is missing: facts are kept for a while (`[journal]` in node.toml).
    pub complete: bool,
    /// In order.
    pub decisions: Vec<Told>,
}

/// One fact about a call.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Told {
    /// Its number in the journal.
    pub sequence: u64,
    /// When, RFC 3339.
    pub at: String,
    /// `input` (what the router was told), `timer` (a deadline that passed) or `decision`.
    pub class: String,
    /// In words.
    pub words: String,
    /// Hash of the plan it was decided under; of decisions about workers.
    pub plan: Option<String>,
    /// Generation of that plan.
    pub generation: Option<u64>,
    /// The fact itself: rule, candidates, reasons and timers among it. Instants are microseconds
    /// since 1970.
    #[schema(value_type = Object)]
    pub fact: Value,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct How {
    /// Language of the words: `en` (default) or `ja`.
    lang: Option<String>,
}

/// All that was decided about a call, with words: rule, candidates, reasons, timers, plan.
#[utoipa::path(get, path = "/v1/calls/{id}/decisions", tag = "calls",
    params(("id" = String, Path, description = "The call's id"), How),
    responses((status = 200, body = Decisions), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 429, body = Problem)))]
async fn decisions(
    State(sources): State<Sources>,
    Path(id): Path<String>,
    how: Result<Query<How>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(how) = how.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let language = match how.lang.as_deref() {
        None => Language::default(),
        Some(tag) => Language::of(tag)
            .ok_or_else(|| Refusal::bad_request(format!("lang: `en` or `ja`, not {tag:?}")))?,
    };
    let long = sources.long.clone();
    let found = ask_long(long, PATIENCE, move || {
        let record = find(&sources, &id)?;
        let from = record.started - EARLY;
        // After-call work may follow its end.
        let until = record.ended.map(|ended| ended + LATE);
        let until = until.unwrap_or_else(|| sources.live.now() + LATE);
        let facts = sources.desk.facts_of(&record.id, from, until).map_err(|error| {
            tracing::error!(%error, "journal cannot be read");
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        })?;
        Ok::<_, Refusal>(tell(record.id.to_string(), &facts, language))
    });
    shown(StatusCode::OK, &found.await??)
}

fn tell(id: String, facts: &Facts, language: Language) -> Decisions {
    let told = facts.entries.iter().filter_map(|entry| one(entry, language));
    let begins = facts.entries.first().is_none_or(|entry| {
        matches!(Fact::decode(entry), Ok(Fact::Input(crate::router::Command::CreateTask(_))))
    });
    Decisions {
        id,
        complete: begins && !facts.is_cut,
        decisions: told.collect(),
    }
}

fn one(entry: &Entry, language: Language) -> Option<Told> {
    let fact = Fact::decode(entry).ok()?;
    let explanation = fact.explanation();
    Some(Told {
        sequence: entry.sequence,
        at: entry.at.to_rfc3339(),
        class: entry.class.as_str().to_owned(),
        words: fact.words(language),
        plan: explanation.map(|explanation| explanation.plan.clone()),
        generation: explanation.map(|explanation| explanation.generation),
        fact: serde_json::from_str(&entry.body).ok()?,
    })
}

/// The router's clock may be ahead of the record's.
const EARLY: Duration = Duration::from_secs(60);

/// Longest after-call work that is looked for.
const LATE: Duration = Duration::from_secs(3600);

/// A million facts are looked through in some seconds.
const PATIENCE: Duration = Duration::from_secs(30);
