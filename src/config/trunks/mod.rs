//! `trunks.toml`: carriers. One file per noun of a trunk's keys.

mod accept;
mod accounts;
mod credentials;
mod identity;
mod profile;
mod target;

use std::ops::RangeInclusive;
use std::path::Path;

use super::environment::Environment;
use super::files::{Files, Kind};
use super::names::Names;
use super::node::Listeners;
use super::notes::Notes;
use super::section::{At, Section};
use super::source::Place;
use super::transfer;
use crate::sdp::SrtpPolicy;
use crate::sip::{Host, Protocol};
use crate::trunk::{Network, Profile, Redirects, Site, Target, Trunk, normalise};

/// Trunks as read.
#[derive(Debug)]
pub(super) struct Trunks {
    /// The good ones.
    pub(super) trunks: Vec<Trunk>,
    /// Names of all, good or not.
    pub(super) names: Names,
}

/// What of the node's settings trunks must fit to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'a> {
    /// Where the switch listens.
    pub(super) listeners: &'a Listeners,
    /// Ports for audio.
    pub(super) ports: &'a RangeInclusive<u16>,
    /// The numbering plan.
    pub(super) site: Option<&'a Site>,
}

/// Reads the trunks.
pub(super) fn read(
    directory: &Path,
    files: &Files,
    environment: &Environment,
    around: &Around<'_>,
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
            let targets = target::read(&trunk, around.listeners, notes);
            let try_for = target::read_try_for(&trunk);
            let redirects = trunk.one_of("redirects", &Redirects::WORDS);
            let profile = profile::read(&trunk, (around.listeners, around.ports), notes);
            let from = (directory, environment);
            let (register, realms) = (profile.register.mode, credentials::realms(&trunk, &[]));
            let (user, credentials) = credentials::read(&trunk, register, &realms, from, notes);
            let own = ((user, credentials.clone()), &realms[..]);
            let accounts = accounts::read(&trunk, &profile, own, from, notes);
            let domain = trunk.parsed("domain", DOMAIN_HELP, |text| {
                let host = Host::parse(text).map(|host| host.to_string());
                host.ok_or_else(|| format!("\"{text}\" is no host"))
            });
            let caller_id = trunk.parsed("caller_id", CALLER_ID_HELP, |text| {
                normalise(text).ok_or_else(|| format!("\"{text}\" is not a number"))
            });
            let identity = identity::read(&trunk, profile.identity.clone(), around.site, notes);
            let transfer = transfer::read_trunk(&trunk);
            check_secure(&profile, &targets, trunk.place(), notes);
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
                    redirects: redirects.map_or(Redirects::Refuse, |at| at.value),
                    credentials,
                    caller_id: caller_id.map(|at| at.value),
                    domain: domain.map(|at| at.value),
                    accounts,
                    profile,
                    identity,
                    transfer,
                });
            }
        }
        top.close();
    }
    trunks
}

/// Keys are in the descriptions, which only TLS keeps from those who listen (RFC 4568 §9.3).
fn check_secure(profile: &Profile, targets: &[Target], place: &Place, notes: &Notes) {
    let is_tls = |target: &Target| target.is_secure || target.protocol == Some(Protocol::Tls);
    if profile.media.srtp != SrtpPolicy::No && !targets.iter().all(is_tls) {
        let message = "`srtp` without TLS: whoever can read the calls' messages has their keys";
        let help = "reach the carrier by a target such as \"tls:sip.carrier.example\"";
        notes.warning(place, message, help);
    }
}

const CALLER_ID_HELP: &str = "write the number as the carrier wants it, such as \"+81312345678\"";
const DOMAIN_HELP: &str = "write the name alone, such as \"sip.carrier.example\"";
