//! `/v1/numbers`: numbers that lead to another flow for a while.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Problem, Refusal, shown};
use super::api::Sources;
use super::ask::ask;
use super::by_hand::ByHand;
use super::live::Live;
use crate::base::Timestamp;
use crate::trunk::NumberOverride;

pub(super) fn routes() -> OpenApiRouter<Sources> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(set, lift))
}

/// Numbers that lead elsewhere by hand.
#[derive(Debug, Serialize, ToSchema)]
struct Overrides {
    /// In the order of the numbers.
    overrides: Vec<Overridden>,
}

/// A number that leads elsewhere.
#[derive(Debug, Serialize, ToSchema)]
struct Overridden {
    /// The number, in its first form.
    number: String,
    /// The flow its callers go to.
    flow: String,
    /// When that is over by itself, RFC 3339; `null`: when it is taken back.
    until: Option<String>,
    /// What people are told.
    reason: Option<String>,
}

/// Where a number is to lead.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The flow its callers go to.
    flow: String,
    /// When that is over by itself, RFC 3339; default: when it is taken back.
    until: Option<String>,
    /// What people are told, 500 characters at most.
    reason: Option<String>,
}

impl Overridden {
    fn new(number: &str, it: &NumberOverride) -> Self {
        Self {
            number: number.to_owned(),
            flow: it.flow.clone(),
            until: it.until.map(Timestamp::to_rfc3339),
            reason: it.reason.clone(),
        }
    }
}

/// Every number that leads elsewhere by hand.
#[utoipa::path(get, path = "/v1/numbers/overrides", tag = "numbers",
    responses((status = 200, body = Overrides)))]
async fn list(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let overrides = ask(move || {
        let all = sources.live.overrides();
        let overrides = all.iter().map(|(number, it)| Overridden::new(number, it));
        Overrides {
            overrides: overrides.collect(),
        }
    });
    shown(StatusCode::OK, &overrides.await?)
}

/// Leads a number to another flow, until a time if wanted. Calls that are there stay where they are.
#[utoipa::path(put, path = "/v1/numbers/{number}/override", tag = "numbers",
    params(("number" = String, Path, description = "An inbound number, in any of its forms")),
    request_body = Wanted,
    responses((status = 200, body = Overridden), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
async fn set(
    State(sources): State<Sources>,
    Path(number): Path<String>,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(wanted) = body.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let Wanted {
        flow,
        until,
        reason,
    } = wanted;
    let by_hand = ByHand::parse(reason, until.as_deref())?;
    let done = ask(move || {
        let live = sources.live.as_ref();
        let number = known(live, &number)?;
        if !live.is_flow_for_callers(&flow) {
            return Err(Refusal::bad_request(format!("no flow {flow} for callers"))
                .help("`tsunagu flow list` lists the flows; they come from flows/*.toml"));
        }
        by_hand.check(live.now())?;
        let it = NumberOverride {
            flow,
            until: by_hand.until,
            reason: by_hand.reason,
        };
        let shown = Overridden::new(&number, &it);
        let set = live.set_override(&number, it);
        set.map(|()| shown).map_err(Refusal::internal)
    });
    shown(StatusCode::OK, &done.await??)
}

/// Takes an override back. The number then leads where the configuration says.
#[utoipa::path(delete, path = "/v1/numbers/{number}/override", tag = "numbers",
    params(("number" = String, Path, description = "An inbound number, in any of its forms")),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
async fn lift(
    State(sources): State<Sources>,
    Path(number): Path<String>,
) -> Result<Response, Refusal> {
    let done = ask(move || {
        let live = sources.live.as_ref();
        // One whose number is gone from the configuration can be taken back, too.
        let own = live.inbound_number(&number).unwrap_or(number);
        match live.lift_override(&own).map_err(Refusal::internal)? {
            true => Ok(serde_json::json!({"lifted": own})),
            false => Err(Refusal::not_found(format!(
                "{own} is not overridden by hand"
            ))),
        }
    });
    shown(StatusCode::OK, &done.await??)
}

fn known(live: &dyn Live, number: &str) -> Result<String, Refusal> {
    live.inbound_number(number).ok_or_else(|| {
        Refusal::not_found(format!("no inbound number {number}"))
            .help("write it as [[inbound]] of numbers.toml has it, + as %2B")
    })
}
