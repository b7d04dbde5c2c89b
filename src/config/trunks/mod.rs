//! `trunks.toml`: carriers. One file per noun of a trunk's keys.

mod accept;
mod credentials;
mod identity;
mod target;

use std::path::Path;

use super::environment::Environment;
use super::files::{Files, Kind};
use super::names::Names;
use super::node::Listeners;
use super::section::{At, Notes, Section};
use crate::trunk::{IdentityPolicy, Network, Site, Trunk, normalise};

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
    (listeners, site): (&Listeners, Option<&Site>),
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
            let accept = accept::read(&trunk, &mut accepted, notes);
            let targets = target::read(&trunk, listeners, notes);
            let try_for = target::read_try_for(&trunk);
            let credentials = credentials::read(&trunk, directory, environment, notes);
            let caller_id = trunk.parsed("caller_id", CALLER_ID_HELP, |text| {
                normalise(text).ok_or_else(|| format!("\"{text}\" is not a number"))
            });
            let max_calls = trunk.integer("max_calls", 1..=100_000);
            let identity = identity::read(&trunk, IdentityPolicy::default(), site, notes);
            trunk.close();
            if let Some(name) = &name {
                trunks.names.declare(notes, name);
            }
            if let Some(name) = name.filter(|_| !targets.is_empty()) {
                trunks.trunks.push(Trunk {
                    name: name.value,
                    accept: accept.networks,
                    accept_hosts: accept.hosts,
                    targets,
                    try_for,
                    credentials,
                    caller_id: caller_id.map(|at| at.value),
                    max_calls: max_calls.and_then(|at| usize::try_from(at.value).ok()),
                    identity,
                });
            }
        }
        top.close();
    }
    trunks
}

const CALLER_ID_HELP: &str = "write the number as the carrier wants it, such as \"+81312345678\"";
