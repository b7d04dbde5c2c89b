//! `trunks.toml`: carriers.

use std::path::Path;

use super::environment::Environment;
use super::files::{Files, Kind};
use super::names::Names;
use super::node::{Listeners, parse_listener};
use super::report::Problem;
use super::secret::{self, Secret};
use super::section::{At, Notes, Section};
use crate::sip::auth::{Credentials, Ha1};
use crate::trunk::{Network, Target, Trunk, normalise};

/// Trunks as read.
#[derive(Debug)]
pub(super) struct Trunks {
    /// The good ones.
    pub(super) trunks: Vec<Trunk>,
    /// Names of all, good or not.
    pub(super) names: Names,
}

/// Reads the trunks.
pub(super) fn read(
    directory: &Path,
    files: &Files,
    environment: &Environment,
    listeners: &Listeners,
    notes: &Notes,
) -> Trunks {
    let mut trunks = Trunks {
        trunks: Vec::new(),
        names: Names::new("trunk", files.is_complete(Kind::Trunks)),
    };
    let mut accepted: Vec<At<Network>> = Vec::new();
    for file in files.of(Kind::Trunks) {
        let top = Section::new(notes, &file.table, "trunks.toml");
        for trunk in top.sections("trunk", "a trunk") {
            let name = trunk.required("name", "demo");
            let accept = read_accept(&trunk, &mut accepted, notes);
            let target = read_target(&trunk, listeners, notes);
            let credentials = read_credentials(&trunk, directory, environment, notes);
            let caller_id = trunk.parsed("caller_id", CALLER_ID_HELP, |text| {
                normalise(text).ok_or_else(|| format!("\"{text}\" is not a number"))
            });
            let max_calls = trunk.integer("max_calls", 1..=100_000);
            trunk.close();
            if let Some(name) = &name {
                trunks.names.declare(notes, name);
            }
            if let (Some(name), Some(target)) = (name, target) {
                trunks.trunks.push(Trunk {
                    name: name.value,
                    accept,
                    target,
                    credentials,
                    caller_id: caller_id.map(|at| at.value),
                    max_calls: max_calls.and_then(|at| usize::try_from(at.value).ok()),
                });
            }
        }
        top.close();
    }
    trunks
}

fn read_accept(
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

fn read_target(trunk: &Section<'_>, listeners: &Listeners, notes: &Notes) -> Option<Target> {
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

fn read_credentials(
    trunk: &Section<'_>,
    directory: &Path,
    environment: &Environment,
    notes: &Notes,
) -> Option<Credentials> {
    let user = trunk.text("user");
    let Some(user) = user else {
        if let Some(password) = trunk.text("password") {
            let message = "a password without `user`";
            notes.error(
                &password.place,
                message,
                "add user = \"...\" as the carrier gave it",
            );
        }
        return None;
    };
    let password = secret::read(trunk, "password", directory, environment, notes)?;
    match &password.value {
        Secret::Password(password) => Some(Credentials::new(&user.value, password)),
        Secret::Ha1(hex) => {
            let ha1 = Ha1::from_hex(hex).ok()?;
            Some(Credentials::with_ha1(&user.value, ha1))
        }
        Secret::Demo => {
            let message = "only the phones of the demo office have the password \"demo\"";
            notes.error(
                &password.place,
                message,
                "write \"env:NAME\" or \"file:PATH\"",
            );
            None
        }
    }
}

const CALLER_ID_HELP: &str = "write the number as the carrier wants it, such as \"+81312345678\"";
