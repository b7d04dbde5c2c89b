//! `[rest]` of `node.toml`: where programs written for the public platform find its REST API.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use url::Url;

use super::node::{ADDRESS_HELP, parse_address};
use super::notes::Notes;
use super::section::{At, Section};

/// Where the REST API is served, and what it is called from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestSettings {
    /// Listener, anywhere: it asks for account and token.
    pub listen: SocketAddr,
    /// What links to it begin with, without a slash at the end: what a proxy with TLS in front is
    /// called. Default `http://` and the listener.
    pub url: String,
}

/// Reads the section; `None` when the API is not wanted.
pub(super) fn read(
    section: Section<'_>,
    http: Option<&At<SocketAddr>>,
    metrics: Option<&At<SocketAddr>>,
    notes: &Notes,
) -> Option<At<RestSettings>> {
    let listen = section.parsed("listen", ADDRESS_HELP, parse_address);
    let url = section.text("url").and_then(|url| read_url(&url, notes));
    section.close();
    let listen = listen?;
    for other in [http, metrics].into_iter().flatten() {
        if other.value == listen.value && other.value.port() != 0 {
            let message = "[rest] listens where [http] or [metrics] does";
            notes.error(&listen.place, message, "give it a port of its own");
        }
    }
    Some(At {
        value: RestSettings {
            url: url.unwrap_or_else(|| format!("http://{}", listen.value)),
            listen: listen.value,
        },
        place: listen.place,
    })
}

fn read_url(url: &At<String>, notes: &Notes) -> Option<String> {
    let is_plain = |parsed: &Url| {
        matches!(parsed.scheme(), "http" | "https")
            && parsed.query().is_none()
            && parsed.fragment().is_none()
            && parsed.username().is_empty()
    };
    match Url::parse(&url.value) {
        Ok(parsed) if is_plain(&parsed) => Some(url.value.trim_end_matches('/').to_owned()),
        _ => {
            let message = format!("\"{}\" is not where an API can be", url.value);
            notes.error(&url.place, message, "write https://HOST");
            None
        }
    }
}
