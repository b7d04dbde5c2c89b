//! `[sip.auth]`, `[sip.acl]`, `[sip.limits]`, `[sip.bans]`: who is believed, heard and kept waiting.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::notes::Notes;
use super::section::Section;
use super::words::remedy;
use crate::base::Network;
use crate::sip::auth::{Algorithm, Policy, Qop};
use crate::sip::guard::{Excess, Rate, Rules};

/// How the node defends itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefenceSettings {
    /// How passwords are asked for.
    pub auth: Policy,
    /// Who is heard, and how fast; the trunks' networks are not among the exempt yet.
    pub rules: Rules,
}

/// Reads the four sections below `[sip]`.
pub(super) fn read(sip: &Section<'_>, notes: &Notes) -> DefenceSettings {
    let mut settings = DefenceSettings::default();
    if let Some(auth) = sip.section("auth", "[sip.auth]") {
        read_auth(auth, &mut settings.auth, notes);
    }
    if let Some(acl) = sip.section("acl", "[sip.acl]") {
        settings.rules.allow = networks(&acl, "allow", notes);
        settings.rules.deny = networks(&acl, "deny", notes);
        acl.close();
    }
    if let Some(limits) = sip.section("limits", "[sip.limits]") {
        read_limits(limits, &mut settings.rules, notes);
    }
    if let Some(bans) = sip.section("bans", "[sip.bans]") {
        read_bans(bans, &mut settings.rules);
    }
    settings
}

/// A list of addresses and networks; empty when left out.
pub(super) fn networks(section: &Section<'_>, key: &'static str, notes: &Notes) -> Vec<Network> {
    let texts = section.texts(key).unwrap_or_default().into_iter();
    let read = texts.filter_map(|text| match Network::parse(&text.value) {
        Ok(network) => Some(network),
        Err(error) => {
            let help = "write an address or a network, such as \"192.0.2.0/24\"";
            notes.error(&text.place, error.to_string(), help);
            None
        }
    });
    read.collect()
}

fn read_auth(auth: Section<'_>, policy: &mut Policy, notes: &Notes) {
    let names = Algorithm::ALL.map(Algorithm::as_str);
    if let Some(algorithms) = words(&auth, "algorithms", &names, Algorithm::parse, notes) {
        policy.algorithms = algorithms;
    }
    let names = [Qop::Auth, Qop::AuthInt].map(Qop::as_str);
    if let Some(qop) = words(&auth, "qop", &names, Qop::parse, notes) {
        policy.qop = qop;
    }
    let range = Duration::from_secs(10)..=Duration::from_secs(86_400);
    if let Some(lifetime) = auth.duration("nonce_lifetime", range) {
        policy.nonce_lifetime = lifetime.value;
    }
    auth.close();
}

fn read_limits(limits: Section<'_>, rules: &mut Rules, notes: &Notes) {
    let number = |key, most: i64| {
        let number = limits.integer(key, 1..=most)?;
        u32::try_from(number.value).ok()
    };
    let rate = |own: Rate, times, burst: Option<u32>| {
        let times = number(times, 100_000).unwrap_or(own.times);
        // Whoever says only how fast means the usual proportion.
        let usual = own.burst / own.times.max(1) * times;
        Rate::a_second(times, burst.unwrap_or(usual).max(1))
    };
    let burst = number("burst", 1_000_000);
    rules.requests = rate(rules.requests, "requests", burst);
    let burst = number("connection_burst", 100_000);
    rules.connections = rate(rules.connections, "connections", burst);
    if limits.texts("exempt").is_some() {
        rules.exempt = networks(&limits, "exempt", notes);
    }
    let excess = [
        ("403", Excess::Refuse(403)),
        ("503", Excess::Refuse(503)),
        ("drop", Excess::Drop),
    ];
    if let Some(excess) = limits.one_of("excess", &excess) {
        rules.excess = excess.value;
    }
    limits.close();
}

fn read_bans(bans: Section<'_>, rules: &mut Rules) {
    if let Some(failures) = bans.integer("failures", 3..=10_000) {
        let failures = u32::try_from(failures.value).unwrap_or(u32::MAX);
        (rules.failures.times, rules.failures.burst) = (failures, failures);
    }
    let range = Duration::from_secs(1)..=Duration::from_secs(86_400);
    if let Some(within) = bans.duration("within", range.clone()) {
        rules.failures.per = within.value;
    }
    if let Some(length) = bans.duration("length", range) {
        rules.ban = length.value;
    }
    bans.close();
}

/// A list of known words, at least one.
fn words<T>(
    section: &Section<'_>,
    key: &'static str,
    names: &[&str],
    parse: impl Fn(&str) -> Option<T>,
    notes: &Notes,
) -> Option<Vec<T>> {
    let texts = section.texts(key)?;
    if texts.is_empty() {
        let help = format!("write one of {}, or delete the line", names.join(", "));
        notes.error(section.place(), format!("`{key}` is empty"), help);
    }
    let known = texts.into_iter().filter_map(|text| {
        let known = parse(&text.value);
        if known.is_none() {
            let message = format!("`{key}` cannot hold \"{}\"", text.value);
            let help = remedy(&text.value, names, &format!("`{key}` holds"));
            notes.error(&text.place, message, help);
        }
        known
    });
    let known: Vec<T> = known.collect();
    (!known.is_empty()).then_some(known)
}
