//! `[sip.dns]`: who is asked where names are; and how long a silent address is waited for.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::notes::Notes;
use super::section::Section;
use crate::sip::Host;
use crate::sip::location::NameServers;

/// Reads `[sip.dns]`.
pub(super) fn read(sip: &Section<'_>, notes: &Notes) -> NameServers {
    let default = NameServers::default();
    let Some(dns) = sip.section("dns", "[sip.dns]") else {
        return default;
    };
    let mut servers = Vec::new();
    for text in dns.texts("servers").unwrap_or_default() {
        match parse(&text.value) {
            Some(server) if servers.contains(&server) => {
                let message = format!("\"{}\" is listed twice", text.value);
                notes.error(&text.place, message, "delete one of the two");
            }
            Some(server) => servers.push(server),
            None => {
                let message = format!("`servers`: \"{}\" is no address", text.value);
                let help = "write the IP address of a name server, such as \"192.0.2.53\" or \
                            \"192.0.2.53:53\"";
                notes.error(&text.place, message, help);
            }
        }
    }
    let timeout = dns.duration(
        "timeout",
        Duration::from_millis(100)..=Duration::from_secs(10),
    );
    let attempts = dns.integer("attempts", 1..=5);
    dns.close();
    NameServers {
        servers,
        timeout: timeout.map_or(default.timeout, |at| at.value),
        attempts: attempts
            .and_then(|at| u32::try_from(at.value).ok())
            .unwrap_or(default.attempts),
    }
}

/// Reads how long one address may stay silent, for trunks that do not say so themselves.
pub(super) fn read_try_for(sip: &Section<'_>) -> Duration {
    let range = Duration::from_millis(500)..=Duration::from_secs(32);
    let try_for = sip.duration("try_for", range);
    try_for.map_or(Duration::from_secs(4), |at| at.value)
}

/// Reads the foreign hosts that redirections may lead to.
pub(super) fn read_domains(sip: &Section<'_>, notes: &Notes) -> Vec<String> {
    let mut domains = Vec::new();
    for text in sip.texts("redirect_domains").unwrap_or_default() {
        let host = text.value.strip_prefix("*.").unwrap_or(&text.value);
        if Host::parse(host).is_some() {
            domains.push(text.value.to_ascii_lowercase());
        } else {
            let message = format!("`redirect_domains`: \"{}\" is no host", text.value);
            let help =
                "write a host such as \"partner.example\", or \"*.partner.example\" for all below";
            notes.error(&text.place, message, help);
        }
    }
    domains
}

/// An address with or without a port.
fn parse(text: &str) -> Option<SocketAddr> {
    let server = text.parse().ok();
    let server = server.or_else(|| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, 53)));
    server.filter(|server| server.port() != 0 && !server.ip().is_unspecified())
}
