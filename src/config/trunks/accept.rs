//! `accept`: the networks and hosts whose calls belong to a trunk.

use crate::config::notes::Notes;
use crate::config::report::Problem;
use crate::config::section::{At, Section};
use crate::sip::Host;
use crate::trunk::Network;

/// Whose calls belong to a trunk.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    /// Networks.
    pub(super) networks: Vec<Network>,
    /// Hosts by name, lower case.
    pub(super) hosts: Vec<String>,
}

/// Reads one trunk's networks; `accepted` are those of all trunks so far.
pub(super) fn read(
    trunk: &Section<'_>,
    accepted: &mut Vec<At<Network>>,
    notes: &Notes,
) -> Accepted {
    let mut found = Accepted::default();
    for text in trunk.texts("accept").unwrap_or_default() {
        if let Some(host) = as_host(&text.value) {
            found.hosts.push(host);
            continue;
        }
        match Network::parse(&text.value) {
            Err(error) => {
                let help =
                    "write an address or a network, such as \"192.0.2.0/24\", or a host's name";
                notes.error(&text.place, error.to_string(), help);
            }
            Ok(network) => {
                if let Some(other) = accepted.iter().find(|other| other.value == network) {
                    let message = format!("two trunks accept {network}: whose call would it be?");
                    let help = "narrow one of the two; the narrowest network wins";
                    let problem = Problem::error(&text.place, message, help);
                    notes.push(problem.with(&other.place, "the other is at"));
                }
                found.networks.push(network);
                accepted.push(At {
                    value: network,
                    place: text.place,
                });
            }
        }
    }
    found
}

/// A name with a letter that begins its last label: no address, however mistyped, has one.
fn as_host(text: &str) -> Option<String> {
    let last = text.trim_end_matches('.').rsplit('.').next()?;
    if !text.contains('.') || !last.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    match Host::parse(text)? {
        Host::Name(name) => Some(name.to_ascii_lowercase()),
        Host::V4(_) | Host::V6(_) => None,
    }
}
