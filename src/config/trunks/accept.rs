//! `accept`: the networks whose calls belong to a trunk.

use crate::config::report::Problem;
use crate::config::section::{At, Notes, Section};
use crate::trunk::Network;

/// Reads one trunk's networks; `accepted` are those of all trunks so far.
pub(super) fn read(
    trunk: &Section<'_>,
    accepted: &mut Vec<At<Network>>,
    notes: &Notes,
) -> Vec<Network> {
    let mut networks = Vec::new();
    for text in trunk.texts("accept").unwrap_or_default() {
        match Network::parse(&text.value) {
            Err(error) => {
                let help = "write an address or a network, such as \"192.0.2.0/24\"";
                notes.error(&text.place, error.to_string(), help);
            }
            Ok(network) => {
                if let Some(other) = accepted.iter().find(|other| other.value == network) {
                    let message = format!("two trunks accept {network}: whose call would it be?");
                    let help = "narrow one of the two; the narrowest network wins";
                    let problem = Problem::error(&text.place, message, help);
                    notes.push(problem.with(&other.place, "the other is at"));
                }
                networks.push(network);
                accepted.push(At {
                    value: network,
                    place: text.place,
                });
            }
        }
    }
    networks
}
