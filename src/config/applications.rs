//! Numbers whose calls are an application's: the URL of its first document, and who else is asked or
//! told.

use super::notes::Notes;
use super::section::{At, Section};
use super::words::remedy;
use crate::twiml::{Link, Method, ProgressEvent, StatusCallback, Terms};
use crate::webhook::{self, Target};

/// Keys that only mean something beside `url`.
const BESIDE: [&str; 6] = [
    "method",
    "fallback_url",
    "fallback_method",
    "status_callback",
    "status_callback_method",
    "status_callback_events",
];

const METHODS: [(&str, Method); 2] = [("GET", Method::Get), ("POST", Method::Post)];

/// Reads the application of a section; `None` when it has no `url`, or one that is no good.
pub(super) fn read(section: &Section<'_>, urls: &webhook::Terms, notes: &Notes) -> Option<Terms> {
    let link = |url: Option<At<String>>, method| {
        let method = section.one_of(method, &METHODS);
        let target = check(&url?, urls, notes)?;
        Some(Link {
            url: target,
            method: method.map_or(Method::Post, |at| at.value),
        })
    };
    let url = section.text("url");
    if url.is_none() {
        for key in BESIDE.into_iter().filter(|key| section.has(key)) {
            let message = format!("`{key}` without `url`");
            let help = "add url = \"https://HOST/PATH\", the application's first document";
            notes.error(section.place(), message, help);
        }
    }
    let first = link(url, "method");
    let fallback = link(section.text("fallback_url"), "fallback_method");
    let told = link(section.text("status_callback"), "status_callback_method");
    let events = read_events(section, notes);
    let mut terms = Terms::of_url(first?);
    terms.fallback = fallback;
    terms.status = told.map(|link| StatusCallback::new(link, events));
    Some(terms)
}

/// What a status callback is told of; nothing when nothing is said.
pub(super) fn read_events(section: &Section<'_>, notes: &Notes) -> Vec<ProgressEvent> {
    const WORDS: [&str; 4] = ["initiated", "ringing", "answered", "completed"];
    let named = section.texts("status_callback_events").unwrap_or_default();
    let read = |word: At<String>| match word.value.parse() {
        Ok(event) => Some(event),
        Err(_) => {
            let message = format!("there is no event \"{}\" of a call", word.value);
            notes.error(
                &word.place,
                message,
                remedy(&word.value, &WORDS, "events are"),
            );
            None
        }
    };
    named.into_iter().filter_map(read).collect()
}

/// A URL that the web client would ask, as it is written.
fn check(url: &At<String>, urls: &webhook::Terms, notes: &Notes) -> Option<String> {
    let (target, wrong) = match Target::parse_strict(&url.value) {
        Ok(parsed) => parsed,
        Err(error) => {
            notes.error(&url.place, error.to_string(), "write https://HOST/PATH");
            return None;
        }
    };
    if target.has_password() {
        // What is wrong with it is told, but not it.
        notes.hide(&url.place);
    }
    for error in wrong {
        let help = "what follows # are ct, rt, tt, rc, rp, sni and edge; see webhooks.md";
        notes.error(&url.place, error.to_string(), help);
    }
    if let Some(address) = target.address()
        && let Err(denied) = urls.addresses.check(address)
    {
        let help =
            format!("add networks = [\"{address}\"] to [urls] of webhooks.toml if it is meant");
        notes.error(&url.place, denied.to_string(), help);
    }
    Some(url.value.clone())
}
