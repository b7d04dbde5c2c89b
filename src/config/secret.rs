//! Passwords: in the environment, in a file, or as a digest; never in plain text in a config file.

use std::path::Path;

use super::environment::Environment;
use super::notes::Notes;
use super::section::{At, Section};
use super::source::Place;
use super::value::{Kind, Value};
use crate::sip::auth::{Algorithm, Ha1};

/// A password as far as the configuration knows it.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Secret {
    /// The published password of the demo office.
    Demo,
    /// Hashes of `user:realm:password` (RFC 2617 §3.2.2.2, RFC 8760).
    Ha1(Ha1),
    /// The password itself, from the environment or a file.
    Password(String),
}

/// A secret of digits as far as the configuration knows it.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Digits {
    /// The published one of the demo office.
    Demo,
    /// The digits themselves, from the environment or a file.
    Text(String),
}

/// Longest password file; a longer one is surely something else.
const MAX_FILE: u64 = 4096;
const HELP: &str = "write \"env:NAME\", \"file:PATH\" or the HA1, which is what \
                    `printf %s USER:REALM:PASSWORD | md5sum` prints";

const DIGITS_HELP: &str = "write \"env:NAME\" or \"file:PATH\"";

/// What a digest may be introduced by; without any of them it is an MD5.
const DIGESTS: [(&str, Algorithm); 4] = [
    ("ha1:", Algorithm::Md5),
    ("md5:", Algorithm::Md5),
    ("sha-256:", Algorithm::Sha256),
    ("sha-512-256:", Algorithm::Sha512_256),
];

/// Reads `key`, which must be there.
pub(super) fn read(
    section: &Section<'_>,
    key: &'static str,
    directory: &Path,
    environment: &Environment,
    notes: &Notes,
) -> Option<At<Secret>> {
    section.demand(key, "\"env:NAME\"");
    let written = read_text(section, key, HELP, notes)?;
    let place = &written.place;
    let text = written.value.as_str();
    let secret = if text == "demo" {
        Secret::Demo
    } else if let Some(name) = text.strip_prefix("env:") {
        Secret::Password(from_environment(name, place, environment, notes)?)
    } else if let Some(path) = text.strip_prefix("file:") {
        Secret::Password(from_file(&directory.join(path), place, notes)?)
    } else if let Some(ha1) = digests(text) {
        Secret::Ha1(ha1)
    } else {
        let introduced = |(name, _): &&(&str, Algorithm)| text.starts_with(name);
        let message = match DIGESTS.iter().find(introduced) {
            Some((_, Algorithm::Md5)) => "an HA1 has 32 hex digits",
            Some(_) => "an HA1 of SHA-256 or SHA-512-256 has 64 hex digits",
            None => "a password cannot stand here in plain text",
        };
        notes.hide(place);
        notes.error(place, message, HELP);
        return None;
    };
    Some(At {
        value: secret,
        place: written.place,
    })
}

/// Reads `key`, a secret too short for a digest to hide it; `None` when it is not written.
pub(super) fn read_digits(
    section: &Section<'_>,
    key: &'static str,
    directory: &Path,
    environment: &Environment,
    notes: &Notes,
) -> Option<At<Digits>> {
    let written = read_text(section, key, DIGITS_HELP, notes)?;
    let place = &written.place;
    let text = written.value.as_str();
    let digits = if text == "demo" {
        Digits::Demo
    } else if let Some(name) = text.strip_prefix("env:") {
        Digits::Text(from_environment(name, place, environment, notes)?)
    } else if let Some(path) = text.strip_prefix("file:") {
        Digits::Text(from_file(&directory.join(path), place, notes)?)
    } else {
        let message = format!("`{key}` cannot stand here in plain text");
        notes.hide(place);
        notes.error(place, message, DIGITS_HELP);
        return None;
    };
    Some(At {
        value: digits,
        place: written.place,
    })
}

/// Reads `key`, the key of a signature; `None` when it is not written.
pub(super) fn read_key(
    section: &Section<'_>,
    key: &'static str,
    directory: &Path,
    environment: &Environment,
    notes: &Notes,
) -> Option<At<String>> {
    match read_digits(section, key, directory, environment, notes)? {
        At {
            value: Digits::Text(value),
            place,
        } => Some(At { value, place }),
        At {
            value: Digits::Demo,
            place,
        } => {
            let message = format!("`{key}` cannot stand here in plain text");
            notes.error(&place, message, DIGITS_HELP);
            None
        }
    }
}

/// The text of a secret. What is written without quotes is one in plain text all the same.
fn read_text(
    section: &Section<'_>,
    key: &'static str,
    help: &str,
    notes: &Notes,
) -> Option<At<String>> {
    let Some(value) = section.not_text(key) else {
        return section.text(key);
    };
    hide(value, notes);
    let message = format!("`{key}` cannot stand here in plain text, without quotes");
    notes.error(&value.place, message, help);
    None
}

fn hide(value: &Value, notes: &Notes) {
    notes.hide(&value.place);
    match &value.kind {
        Kind::List(items) => items.iter().for_each(|item| hide(item, notes)),
        Kind::Table(table) => {
            let values = table.entries.values().map(|entry| &entry.value);
            values.for_each(|value| hide(value, notes));
        }
        _ => {}
    }
}

impl std::fmt::Debug for Digits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digits(…)")
    }
}

/// One digest, or several with spaces between, each of its own algorithm.
fn digests(text: &str) -> Option<Ha1> {
    let one = |word: &str| {
        let named = DIGESTS
            .iter()
            .find_map(|(name, algorithm)| Some((word.strip_prefix(name)?, *algorithm)));
        let (hex, algorithm) = named.unwrap_or((word, Algorithm::Md5));
        Ha1::of_algorithm(algorithm, hex).ok()
    };
    let mut all = text.split_ascii_whitespace().map(one);
    let first = all.next()??;
    all.try_fold(first, |sum, next| Some(sum.and(next?)))
}

fn from_environment(
    name: &str,
    place: &Place,
    environment: &Environment,
    notes: &Notes,
) -> Option<String> {
    match environment.variable(name) {
        Some(password) if !password.is_empty() => Some(password.to_owned()),
        found => {
            let what = if found.is_some() { "empty" } else { "not set" };
            let message = format!("the environment variable {name} is {what}");
            let help = format!("set {name} where tsunagu is started, or use file:PATH");
            notes.error(place, message, help);
            None
        }
    }
}

fn from_file(path: &Path, place: &Place, notes: &Notes) -> Option<String> {
    let shown = path.display();
    let size = std::fs::metadata(path).map(|about| about.len());
    let read = match size {
        Ok(size) if size > MAX_FILE => {
            let message = format!("{shown} is too large for a password");
            notes.error(place, message, "put the password alone into the file");
            return None;
        }
        _ => std::fs::read_to_string(path),
    };
    match read.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()) {
        Ok(password) if !password.is_empty() => Some(password),
        Ok(_) => {
            notes.error(
                place,
                format!("{shown} is empty"),
                "write the password into it",
            );
            None
        }
        Err(error) => {
            let help = "create it, readable for the user tsunagu runs as; a relative path begins \
                        at the configuration directory";
            notes.error(place, format!("cannot read {shown}: {error}"), help);
            None
        }
    }
}
