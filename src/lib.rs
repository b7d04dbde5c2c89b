//! tsunagu (繋ぐ, "to put a call through"): a telephone switch with a contact centre inside.
//!
//! A tour, in reading order. A room imports only from its own tier or a lower one
//! (`tests/house.rs` proves it).
//!
//! - [`base`]: time, ids, chance, timers, reasons. [`events`]: what has happened, and the record.
//! - [`sip`], [`sdp`]: messages, transactions, dialogs, transports. [`media`]: what is heard.
//!   [`expr`]: attribute expressions. [`calendar`]: open or closed, and why. [`journal`]: facts in
//!   order.
//! - [`router`]: who takes which task, and why. [`ivr`]: prompts and digits. [`speech`]: texts said
//!   by a voice. [`recording`]: files that stand as evidence. [`registrar`]: where phones are.
//!   [`presence`]: who says that he is there. [`trunk`]: carriers and numbers. [`webhook`]: the
//!   user's own web application. [`mail`]: letters to a mail server.
//! - [`replay`]: the past, told, run once more, or run with another plan.
//!   [`voicemail`]: what callers leave when nobody answers.
//!   [`waiting`]: the line a caller stands in. [`flow`]: what a caller hears and may decide.
//!   [`twiml`]: the same, said by the user's own web application.
//! - [`call`]: legs, bridges, the call itself.
//! - [`store`], [`http`], [`config`]: disk, window, wishes.
//! - [`app`], [`cli`], [`runtime`]: where all of it is put together.

pub mod base;
pub mod events;

pub mod calendar;
pub mod expr;
pub mod journal;
pub mod media;
pub mod sdp;
pub mod sip;

pub mod ivr;
pub mod mail;
pub mod presence;
pub mod recording;
pub mod registrar;
pub mod router;
pub mod speech;
pub mod trunk;
pub mod webhook;

pub mod flow;
pub mod replay;
pub mod voicemail;
pub mod waiting;

pub mod twiml;

pub mod call;

pub mod config;
pub mod http;
pub mod store;

pub mod app;
pub mod cli;
pub mod runtime;
