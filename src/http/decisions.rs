//! `GET /v1/calls/{id}/decisions`: all that was decided about a call, from the journal.

use std::collections::HashSet;
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

use super::answer::{Problem, Refusal, text, written};
use super::api::{Sources, find};
use super::ask::ask_long;
use super::routing::Facts;
use crate::base::{Language, Timestamp};
use crate::events::CallRecord;
use crate::journal::Entry;
use crate::replay::{self, Names};
use crate::router::{At, Command, Decision, Explanation, Fact};

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
    /// Of a decision: why.
    pub why: Option<Because>,
    /// The fact itself; instants in it are microseconds since 1970.
    #[schema(value_type = Object)]
    pub fact: Value,
}

/// Why something was decided.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Because {
    /// Hash of the plan it was decided under.
    pub plan: String,
    /// Generation of that plan.
    pub generation: u64,
    /// Queue.
    pub queue: String,
    /// Expression that says who serves it.
    pub target: String,
    /// Place in line; 1 is next.
    pub position: usize,
    /// Rule of a workflow that applied.
    pub rule: Option<Applied>,
    /// When the task moves on by itself, RFC 3339.
    pub until: Option<String>,
    /// The worker chosen; of several the first.
    pub chosen: Option<String>,
    /// How many workers were looked at.
    pub considered: usize,
    /// How many were not chosen, by reason.
    pub not_chosen: Vec<Reason>,
    /// The three who came nearest.
    pub nearest: Vec<Near>,
}

/// A rule of a workflow.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Applied {
    /// Workflow.
    pub workflow: String,
    /// Name of its filter; empty for one without, and at the default step.
    pub filter: String,
    /// Step of the filter, counted from 1; null at the default step.
    pub step: Option<usize>,
    /// The step's expression.
    pub expression: Option<String>,
}

/// Workers who were not chosen for one reason.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// A few words.
    pub words: String,
    /// How many.
    pub workers: usize,
}

/// A worker who was not chosen.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Near {
    /// Worker.
    pub worker: String,
    /// Why not, in a few words.
    pub words: String,
    /// His activity at that moment.
    pub activity: String,
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
        Some(tag) => tag
            .parse()
            .map_err(|known| Refusal::bad_request(format!("lang: {known}, not {tag:?}")))?,
    };
    let long = sources.long.clone();
    let found = ask_long(long, PATIENCE, move || {
        let record = find(&sources, &id)?;
        let from = record.started - EARLY;
        // After-call work may follow its end.
        let until = record.ended.map(|ended| ended + LATE);
        let until = until.unwrap_or_else(|| sources.live.now() + LATE);
        let tasks = record.queues.iter().map(|stay| stay.task.clone());
        let facts = sources
            .routing
            .facts_of(&record.id, tasks, from, until)
            .map_err(|error| {
                tracing::error!(%error, "journal cannot be read");
                Refusal::internal(error.to_string())
            })?;
        written(&tell(&record, &facts, language))
    });
    Ok(text(StatusCode::OK, found.await??))
}

fn tell(record: &CallRecord, facts: &Facts, language: Language) -> Decisions {
    let mut names = Names::default();
    let mut decisions = Vec::with_capacity(facts.entries.len());
    let mut made = HashSet::new();
    for entry in &facts.entries {
        if let Some((fact, body)) = Fact::decode(entry).ok().zip(read(entry)) {
            names.learn(&fact);
            if let Fact::Input(Command::CreateTask(new)) = &fact {
                made.insert(new.task.clone());
            }
            decisions.push(Told {
                sequence: entry.sequence,
                at: entry.at.to_rfc3339(),
                class: entry.class.as_str().to_owned(),
                words: replay::Told::of(&fact, &names, language).words,
                why: explanation(&fact).map(|why| because(why, language)),
                fact: body,
            });
        }
    }
    Decisions {
        id: record.id.to_string(),
        complete: !facts.is_cut && record.queues.iter().all(|stay| made.contains(&stay.task)),
        decisions,
    }
}

fn read(entry: &Entry) -> Option<Value> {
    serde_json::from_str(&entry.body).ok()
}

fn explanation(fact: &Fact) -> Option<&Explanation> {
    match fact {
        Fact::Decision(
            Decision::NobodyCanTake { explanation, .. }
            | Decision::Offered { explanation, .. }
            | Decision::Waits { explanation, .. },
        ) => Some(explanation),
        _ => None,
    }
}

fn because(why: &Explanation, language: Language) -> Because {
    let reasons = why.not_chosen.iter().map(|(reason, count)| Reason {
        words: replay::not_chosen(*reason, language).to_owned(),
        workers: *count,
    });
    let nearest = why.nearest.iter().map(|near| Near {
        worker: near.worker.clone(),
        words: replay::not_chosen(near.reason, language).to_owned(),
        activity: near.activity.clone(),
    });
    Because {
        plan: why.plan.clone(),
        generation: why.generation,
        queue: why.queue.clone(),
        target: why.target.clone(),
        position: why.position,
        rule: why.rule.as_ref().map(|rule| Applied {
            workflow: rule.workflow.clone(),
            filter: rule.filter.clone(),
            step: match rule.at {
                At::Filter(_, step) => Some(step + 1),
                At::Default => None,
            },
            expression: rule.expression.clone(),
        }),
        until: why.until.map(Timestamp::to_rfc3339),
        chosen: why.chosen.as_ref().map(|chosen| chosen.worker.clone()),
        considered: why.considered,
        not_chosen: reasons.collect(),
        nearest: nearest.collect(),
    }
}

/// The router's clock may be ahead of the record's.
const EARLY: Duration = Duration::from_secs(60);

/// Longest after-call work that is looked for.
const LATE: Duration = Duration::from_secs(3600);

/// A million facts are looked through in some seconds.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, TaskId};
    use crate::events::record::QueueVisit;
    use crate::router::NewTask;

    #[test]
    fn what_is_no_longer_kept_is_missed() {
        let (task, call) = (TaskId::new("t"), CallId::new("c"));
        let mut record = CallRecord::fold(&[]);
        let told = |record: &CallRecord, facts: &[Fact]| {
            let entries = facts.iter().map(|fact| fact.encode(0, 1, Timestamp::ZERO));
            let facts = Facts {
                entries: entries.collect(),
                is_cut: false,
            };
            tell(record, &facts, Language::English).complete
        };
        assert!(told(&record, &[]), "no queue knew it");
        record.queues.push(QueueVisit {
            queue: "sales".to_owned(),
            task: task.clone(),
            entered: Timestamp::ZERO,
            left: None,
            outcome: None,
            wrap_up_code: None,
        });
        let new = NewTask::of_call(task.clone(), call, "sales");
        let made = Fact::Input(Command::CreateTask(Box::new(new)));
        let code = None;
        let over = Fact::Input(Command::Complete { task, code });
        assert!(!told(&record, &[]), "nothing is kept");
        assert!(!told(&record, std::slice::from_ref(&over)));
        assert!(told(&record, &[made, over]));
    }
}
