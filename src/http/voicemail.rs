//! `/v1/voicemail`: mailboxes, their messages, and what is said in them.

use std::io::{self, Cursor};

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Problem, Refusal, shown};
use super::api::Sources;
use super::ask::ask;
use crate::media::Sound;
use crate::voicemail::{self as room, Clip, Shelf};

pub(super) fn routes() -> OpenApiRouter<Sources> {
    OpenApiRouter::new()
        .routes(routes!(mailboxes))
        .routes(routes!(messages))
        .routes(routes!(message, mark, delete))
        .routes(routes!(audio))
}

/// Every mailbox.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Mailboxes {
    /// In the order of their names.
    mailboxes: Vec<Mailbox>,
}

/// One mailbox.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Mailbox {
    /// Name.
    name: String,
    /// Messages that nobody has heard.
    new: usize,
    /// Those that somebody has.
    old: usize,
    /// Whether it takes no more.
    full: bool,
    /// Whether its owner has recorded a greeting.
    greeting: bool,
}

/// Messages of a mailbox.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Messages {
    /// Mailbox.
    mailbox: String,
    /// Oldest first.
    messages: Vec<Message>,
}

/// One message.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Message {
    /// Its id.
    id: String,
    /// Number of whoever left it; empty when it is not known.
    from: String,
    /// His name, when it is known.
    from_name: Option<String>,
    /// The call it was left in.
    call: String,
    /// When, RFC 3339.
    at: String,
    /// Length, milliseconds.
    length_ms: u64,
    /// Size of its file.
    bytes: u64,
    /// Whether it was heard.
    heard: bool,
    /// Whether it stays whatever its age.
    saved: bool,
    /// Why it is incomplete, when it is.
    defect: Option<String>,
}

impl Message {
    fn new(message: &room::Message) -> Self {
        Self {
            id: message.id.clone(),
            from: message.from.clone(),
            from_name: message.from_name.clone(),
            call: message.call.to_string(),
            at: message.at.to_rfc3339(),
            length_ms: message.length_ms,
            bytes: message.bytes,
            heard: message.heard,
            saved: message.saved,
            defect: message.defect.clone(),
        }
    }
}

/// What a message is to be.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Marks {
    /// Whether it counts as heard; as it was when missing.
    #[serde(default)]
    heard: Option<bool>,
    /// Whether it stays whatever its age; as it was when missing.
    #[serde(default)]
    saved: Option<bool>,
}

/// Every mailbox, with how many messages it has.
#[utoipa::path(get, path = "/v1/voicemail", tag = "voicemail",
    responses((status = 200, body = Mailboxes)))]
async fn mailboxes(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let all = look(sources, |shelf| {
        let names = shelf.names().into_iter();
        let mailboxes = names.map(|name| {
            let counts = shelf.counts(&name);
            Mailbox {
                new: counts.new,
                old: counts.old,
                full: shelf.is_full(&name),
                greeting: shelf.has_greeting(&name),
                name,
            }
        });
        Mailboxes {
            mailboxes: mailboxes.collect(),
        }
    });
    shown(StatusCode::OK, &all.await?)
}

/// Messages of a mailbox, oldest first.
#[utoipa::path(get, path = "/v1/voicemail/{mailbox}", tag = "voicemail",
    params(("mailbox" = String, Path, description = "Name of the mailbox")),
    responses((status = 200, body = Messages), (status = 404, body = Problem)))]
async fn messages(
    State(sources): State<Sources>,
    Path(mailbox): Path<String>,
) -> Result<Response, Refusal> {
    let found = look(sources, move |shelf| {
        if !shelf.names().contains(&mailbox) {
            return Err(no_mailbox(&mailbox));
        }
        let messages = shelf.messages(&mailbox).iter().map(Message::new).collect();
        Ok(Messages { mailbox, messages })
    });
    shown(StatusCode::OK, &found.await??)
}

/// One message.
#[utoipa::path(get, path = "/v1/voicemail/{mailbox}/{message}", tag = "voicemail",
    params(("mailbox" = String, Path, description = "Name of the mailbox"),
        ("message" = String, Path, description = "The message's id")),
    responses((status = 200, body = Message), (status = 404, body = Problem)))]
async fn message(
    State(sources): State<Sources>,
    Path((mailbox, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let found = look(sources, move |shelf| {
        let found = shelf.message(&mailbox, &id).map(Message::new);
        found.ok_or_else(|| no_message(&mailbox, &id))
    });
    shown(StatusCode::OK, &found.await??)
}

/// Says of a message whether it was heard and is to stay.
#[utoipa::path(patch, path = "/v1/voicemail/{mailbox}/{message}", tag = "voicemail",
    params(("mailbox" = String, Path, description = "Name of the mailbox"),
        ("message" = String, Path, description = "The message's id")),
    request_body = Marks,
    responses((status = 200, body = Message), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 500, body = Problem)))]
async fn mark(
    State(sources): State<Sources>,
    Path((mailbox, id)): Path<(String, String)>,
    body: Result<Json<Marks>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(marks) = body.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let marked = look(sources, move |shelf| {
        let before = shelf.message(&mailbox, &id).map(|message| message.heard);
        let heard = marks.heard.or(before).unwrap_or(false);
        let done = shelf.mark(&mailbox, &id, heard, marks.saved);
        done.map_err(|error| failed(&error))?;
        let found = shelf.message(&mailbox, &id).map(Message::new);
        found.ok_or_else(|| no_message(&mailbox, &id))
    });
    shown(StatusCode::OK, &marked.await??)
}

/// Deletes a message.
#[utoipa::path(delete, path = "/v1/voicemail/{mailbox}/{message}", tag = "voicemail",
    params(("mailbox" = String, Path, description = "Name of the mailbox"),
        ("message" = String, Path, description = "The message's id")),
    responses((status = 204), (status = 404, body = Problem), (status = 500, body = Problem)))]
async fn delete(
    State(sources): State<Sources>,
    Path((mailbox, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let deleted = look(sources, move |shelf| match shelf.delete(&mailbox, &id) {
        Ok(true) => Ok(()),
        Ok(false) => Err(no_message(&mailbox, &id)),
        Err(error) => Err(failed(&error)),
    });
    deleted.await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What is said in a message, as WAV. To fetch it does not mark it as heard.
#[utoipa::path(get, path = "/v1/voicemail/{mailbox}/{message}/audio", tag = "voicemail",
    params(("mailbox" = String, Path, description = "Name of the mailbox"),
        ("message" = String, Path, description = "The message's id")),
    responses((status = 200, description = "16-bit mono", content_type = "audio/wav"),
        (status = 404, body = Problem), (status = 500, body = Problem)))]
async fn audio(
    State(sources): State<Sources>,
    Path((mailbox, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let octets = ask(move || {
        let (keeper, now) = (sources.live.voicemail(), sources.live.now());
        let is_there = |shelf: &mut Shelf| shelf.message(&mailbox, &id).is_some();
        if !keeper.with_shelf(now, is_there) {
            return Err(no_message(&mailbox, &id));
        }
        // To read it takes long: not while the shelf is held.
        match keeper.sound(&mailbox, &Clip::Message(id.clone())) {
            Some(sound) => wav(&sound).map_err(|error| failed(&error)),
            None if !keeper.with_shelf(now, is_there) => Err(no_message(&mailbox, &id)),
            None => Err(failed(&"its file cannot be read")),
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "audio/wav"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((StatusCode::OK, headers, octets.await??).into_response())
}

async fn look<T: Send + 'static>(
    sources: Sources,
    act: impl FnOnce(&mut Shelf) -> T + Send + 'static,
) -> Result<T, Refusal> {
    ask(move || {
        let now = sources.live.now();
        sources.live.voicemail().with_shelf(now, act)
    })
    .await
}

fn wav(sound: &Sound) -> io::Result<Vec<u8>> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: sound.hz(),
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut octets = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut octets, spec).map_err(io::Error::other)?;
    for sample in sound.samples() {
        writer.write_sample(*sample).map_err(io::Error::other)?;
    }
    writer.finalize().map_err(io::Error::other)?;
    Ok(octets.into_inner())
}

fn no_mailbox(mailbox: &str) -> Refusal {
    Refusal::not_found(format!("no mailbox {mailbox}"))
        .help("GET /v1/voicemail lists them; they come from voicemail.toml")
}

fn no_message(mailbox: &str, id: &str) -> Refusal {
    Refusal::not_found(format!("no message {id} in mailbox {mailbox}"))
        .help("it may be deleted; GET /v1/voicemail/{mailbox} lists those there are")
}

fn failed(why: &dyn std::fmt::Display) -> Refusal {
    let words = format!("the message's files: {why}");
    Refusal::internal(words).help("look at the disk")
}
