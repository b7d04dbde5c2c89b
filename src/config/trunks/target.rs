//! `target`: where a trunk's outbound calls go.

use crate::config::node::{Listeners, parse_listener};
use crate::config::report::Problem;
use crate::config::section::{Notes, Section};
use crate::trunk::Target;

/// Reads one trunk's target.
pub(super) fn read(trunk: &Section<'_>, listeners: &Listeners, notes: &Notes) -> Option<Target> {
    let help = "write protocol, IP address and port, such as \"udp:192.0.2.10:5060\"";
    trunk.demand("target", "\"udp:192.0.2.10:5060\"");
    let target = trunk.parsed("target", help, parse_listener)?;
    let (protocol, address) = target.value;
    if address.port() == 0 || address.ip().is_unspecified() {
        let message = format!("nothing can be sent to {address}");
        notes.error(
            &target.place,
            message,
            "write the carrier's address and port",
        );
    }
    if let Some(own) = listeners.sip.iter().find(|own| own.value == target.value) {
        let message = format!("{address} is this switch itself: calls would go round in a circle");
        let problem = Problem::error(&target.place, message, "write the carrier's address");
        notes.push(problem.with(&own.place, "the switch listens there by"));
    }
    Some(Target { protocol, address })
}
