//! `/v1/calendars`: open or closed and why, and closing by hand.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Problem, Refusal, shown};
use super::api::Sources;
use super::ask::ask;
use super::by_hand::{self, ByHand};
use super::live::Live;
use crate::base::Timestamp;
use crate::calendar::{Calendar, Closing, EVERYWHERE, Reason};

pub(super) fn routes() -> OpenApiRouter<Sources> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(close, open))
}

/// The calendars.
#[derive(Debug, Serialize, ToSchema)]
struct Calendars {
    /// The instant they are judged at, RFC 3339.
    at: String,
    /// In the order of the configuration.
    calendars: Vec<Hours>,
}

/// What a calendar says.
#[derive(Debug, Serialize, ToSchema)]
struct Hours {
    /// Name.
    name: String,
    /// IANA time zone.
    time_zone: String,
    /// The instant it is judged at, RFC 3339.
    at: String,
    /// Whether it is open.
    open: bool,
    /// The rule that decided.
    rule: Rule,
    /// When this changes or another rule decides, RFC 3339; `null`: not within 400 days.
    until: Option<String>,
    /// When it opens next, RFC 3339; `null` while it is open, and when nobody knows.
    opens: Option<String>,
}

/// The rule that decided.
#[derive(Debug, Serialize, ToSchema)]
struct Rule {
    /// `emergency`, `date`, `range`, `recurring`, `holiday`, `relative` or `weekly`.
    layer: &'static str,
    /// Its name, or the holiday's, in English if it has one in English; of an emergency the reason.
    name: Option<String>,
    /// The same in Japanese.
    name_ja: Option<String>,
    /// File and line, such as `calendars.toml:12`.
    place: String,
    /// File and line of the holiday itself, when it is on a list that is written.
    holiday: Option<String>,
}

/// Of which instant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct When {
    /// RFC 3339; default now.
    at: Option<String>,
}

/// How a calendar is closed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Close {
    /// What people are told, 500 characters at most.
    reason: Option<String>,
    /// When it is over by itself, RFC 3339; default: when it is taken back.
    until: Option<String>,
}

impl Hours {
    fn new(calendar: &Calendar, at: Timestamp, live: &dyn Live) -> Self {
        let closings = live.closings();
        let verdict = calendar.at(at, &closings);
        Self {
            name: calendar.name().to_owned(),
            time_zone: calendar.zone().iana_name().unwrap_or_default().to_owned(),
            at: at.to_rfc3339(),
            open: verdict.open,
            rule: Rule::new(&verdict.reason),
            until: verdict.until.map(Timestamp::to_rfc3339),
            opens: calendar.opens(at, &closings).map(Timestamp::to_rfc3339),
        }
    }
}

impl Rule {
    fn new(reason: &Reason) -> Self {
        let name = reason.name.as_ref();
        Self {
            layer: reason.layer.as_str(),
            name: name.map(|name| name.english.to_string()),
            name_ja: name.map(|name| name.japanese.to_string()),
            place: reason.spot.to_string(),
            holiday: reason.holiday.as_ref().map(ToString::to_string),
        }
    }
}

/// Every calendar.
#[utoipa::path(get, path = "/v1/calendars", tag = "calendars", params(When),
    responses((status = 200, body = Calendars), (status = 400, body = Problem)))]
async fn list(
    State(sources): State<Sources>,
    when: Result<Query<When>, QueryRejection>,
) -> Result<Response, Refusal> {
    let at = instant(when)?;
    let calendars = ask(move || {
        let live = sources.live.as_ref();
        let at = at.unwrap_or_else(|| live.now());
        let calendars = live.calendars();
        Calendars {
            at: at.to_rfc3339(),
            calendars: calendars
                .iter()
                .map(|it| Hours::new(it, at, live))
                .collect(),
        }
    });
    shown(StatusCode::OK, &calendars.await?)
}

/// One calendar.
#[utoipa::path(get, path = "/v1/calendars/{name}", tag = "calendars",
    params(("name" = String, Path, description = "The calendar's name"), When),
    responses((status = 200, body = Hours), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
async fn one(
    State(sources): State<Sources>,
    Path(name): Path<String>,
    when: Result<Query<When>, QueryRejection>,
) -> Result<Response, Refusal> {
    let at = instant(when)?;
    let hours = ask(move || {
        let live = sources.live.as_ref();
        let calendars = live.calendars();
        let calendar = calendars.iter().find(|it| it.name() == name);
        let calendar = calendar.ok_or_else(|| unknown(&name))?;
        Ok::<_, Refusal>(Hours::new(calendar, at.unwrap_or_else(|| live.now()), live))
    });
    shown(StatusCode::OK, &hours.await??)
}

/// Closes a calendar by hand; `all` closes every one.
#[utoipa::path(post, path = "/v1/calendars/{name}/close", tag = "calendars",
    params(("name" = String, Path, description = "The calendar's name, or `all`")),
    request_body = Close,
    responses((status = 200, body = Object), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
async fn close(
    State(sources): State<Sources>,
    Path(name): Path<String>,
    body: Result<Option<Json<Close>>, JsonRejection>,
) -> Result<Response, Refusal> {
    let wish = body.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let Close { reason, until } = wish.map(|Json(wish)| wish).unwrap_or_default();
    let by_hand = ByHand::parse(reason, until.as_deref())?;
    let done = ask(move || {
        check(sources.live.as_ref(), &name)?;
        by_hand.check(sources.live.now())?;
        let ByHand { reason, until } = by_hand;
        let body = serde_json::json!({
            "closed": name,
            "reason": reason,
            "until": until.map(Timestamp::to_rfc3339),
        });
        let closed = sources.live.close(&name, Closing { reason, until });
        closed.map(|()| body).map_err(Refusal::internal)
    });
    shown(StatusCode::OK, &done.await??)
}

/// Takes a closing by hand back. The calendar is then as its rules say.
#[utoipa::path(delete, path = "/v1/calendars/{name}/close", tag = "calendars",
    params(("name" = String, Path, description = "The calendar's name, or `all`")),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
async fn open(
    State(sources): State<Sources>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let done = ask(
        move || match sources.live.open(&name).map_err(Refusal::internal)? {
            true => Ok(serde_json::json!({"opened": name})),
            false => {
                check(sources.live.as_ref(), &name)?;
                Err(Refusal::not_found(format!("{name} is not closed by hand")))
            }
        },
    );
    shown(StatusCode::OK, &done.await??)
}

fn instant(when: Result<Query<When>, QueryRejection>) -> Result<Option<Timestamp>, Refusal> {
    let Query(when) = when.map_err(|error| Refusal::bad_request(error.body_text()))?;
    when.at.as_deref().map(by_hand::instant).transpose()
}

fn check(live: &dyn Live, name: &str) -> Result<(), Refusal> {
    let is_known = name == EVERYWHERE || live.calendars().iter().any(|it| it.name() == name);
    match is_known {
        true => Ok(()),
        false => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::not_found(format!("no calendar {name}"))
        .help("GET /v1/calendars lists them; they come from calendars.toml")
}
