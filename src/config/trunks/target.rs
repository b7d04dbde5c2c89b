//! `target`, `targets`, `try_for`: where a trunk's outbound calls go, and how patiently.

use std::time::Duration;

use crate::config::node::Listeners;
use crate::config::notes::Notes;
use crate::config::report::Problem;
use crate::config::section::{At, Section};
use crate::sip::{Host, Protocol, Uri};
use crate::trunk::Target;

/// Reads one trunk's targets; empty when there is no good one.
pub(super) fn read(trunk: &Section<'_>, listeners: &Listeners, notes: &Notes) -> Vec<Target> {
    let list = trunk.texts("targets");
    if list.is_none() {
        trunk.demand("target", "\"udp:192.0.2.10:5060\"");
    }
    let mut texts: Vec<At<String>> = trunk.text("target").into_iter().collect();
    texts.extend(list.unwrap_or_default());
    let mut targets = Vec::new();
    for (place, text) in texts.iter().enumerate() {
        match parse(&text.value, u16::try_from(place).unwrap_or(u16::MAX)) {
            Ok(target) => {
                check(&target, text, listeners, notes);
                targets.push(target);
            }
            Err(error) => notes.error(&text.place, format!("`target`: {error}"), HELP),
        }
    }
    if let Some(text) = texts.get(MOST) {
        let message = format!("more than {MOST} targets: a caller does not wait so long");
        notes.error(&text.place, message, "give the carrier's SRV name instead");
    }
    targets
}

/// Reads how long one target may stay silent.
pub(super) fn read_try_for(trunk: &Section<'_>) -> Option<Duration> {
    let range = Duration::from_millis(500)..=Duration::from_secs(32);
    trunk.duration("try_for", range).map(|at| at.value)
}

/// Parses `udp:192.0.2.10:5060`, `tls:sip.carrier.example`, `sip:carrier.example;transport=tcp`
/// or `sips:carrier.example`, each with `;order=N` and `;weight=N` when wanted.
pub(super) fn parse(text: &str, place: u16) -> Result<Target, String> {
    let (scheme, rest) = text.split_once(':').ok_or_else(|| wrong(text))?;
    let uri = match Protocol::parse(scheme) {
        Some(protocol) => Uri::parse(&format!("sip:{rest}"))
            .map(|uri| uri.with_param("transport", Some(protocol.uri_param()))),
        None => Uri::parse(text),
    };
    let uri = uri.map_err(|_| wrong(text))?;
    if uri.user.is_some() || uri.headers.is_some() {
        return Err(format!("\"{text}\" names somebody, not only a host"));
    }
    let number = |name: &str, default: u16| match uri.params.value(name) {
        None => Ok(default),
        Some(value) => {
            let number = value.parse::<u16>();
            number.map_err(|_| format!("{name} goes from 0 to 65535, not \"{value}\""))
        }
    };
    let (order, weight) = (number("order", place)?, number("weight", 0)?);
    let located = Target::of(&uri).ok_or_else(|| wrong(text))?;
    Ok(Target {
        order,
        weight,
        ..located
    })
}

fn check(target: &Target, text: &At<String>, listeners: &Listeners, notes: &Notes) {
    let nowhere = target.host.address().is_some_and(|at| at.is_unspecified());
    if nowhere || target.port == Some(0) {
        let message = format!("nothing can be sent to {}", text.value);
        notes.error(&text.place, message, "write the carrier's address and port");
    }
    let protocol = target.protocol.unwrap_or(if target.is_secure {
        Protocol::Tls
    } else {
        Protocol::Udp
    });
    let port = target.port.unwrap_or(protocol.default_port());
    let is_own = |own: &&At<(Protocol, std::net::SocketAddr)>| {
        own.value.0 == protocol
            && Host::from(own.value.1.ip()) == target.host
            && own.value.1.port() == port
    };
    if let Some(own) = listeners.sip.iter().find(is_own) {
        let message = format!(
            "{} is this switch itself: calls would go round in a circle",
            own.value.1
        );
        let problem = Problem::error(&text.place, message, "write the carrier's address");
        notes.push(problem.with(&own.place, "the switch listens there by"));
    }
    let offered = |wanted: Protocol| listeners.sip.iter().any(|own| own.value.0 == wanted);
    let is_settled = target.protocol.is_some() || target.is_secure || target.port.is_some();
    if is_settled && !offered(protocol) {
        let message = format!("the switch has no {protocol} listener to send from");
        let example = format!(
            "add one to listen in [sip], such as \"{}:...\"",
            protocol.uri_param()
        );
        notes.warning(&text.place, message, example);
    }
}

fn wrong(text: &str) -> String {
    format!("\"{text}\" is no address")
}

const HELP: &str = "write protocol, host and port, such as \"udp:192.0.2.10:5060\", or a name to be \
                    located, such as \"sip:carrier.example;transport=tls\"";
/// As many as one request tries.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_target() {
        for (text, host, port, protocol, is_secure) in [
            (
                "udp:192.0.2.10:5060",
                "192.0.2.10",
                Some(5060),
                Some(Protocol::Udp),
                false,
            ),
            (
                "tcp:[2001:db8::1]:5070",
                "[2001:db8::1]",
                Some(5070),
                Some(Protocol::Tcp),
                false,
            ),
            (
                "tls:sip.carrier.example",
                "sip.carrier.example",
                None,
                Some(Protocol::Tls),
                false,
            ),
            ("sip:carrier.example", "carrier.example", None, None, false),
            (
                "sip:carrier.example;transport=tcp",
                "carrier.example",
                None,
                Some(Protocol::Tcp),
                false,
            ),
            (
                "sips:carrier.example:5071",
                "carrier.example",
                Some(5071),
                None,
                true,
            ),
        ] {
            let target = parse(text, 7).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(target.host.to_string(), host, "{text}");
            assert_eq!((target.port, target.protocol), (port, protocol), "{text}");
            assert_eq!(
                (target.is_secure, target.order, target.weight),
                (is_secure, 7, 0)
            );
        }
        let ranked = parse("sip:carrier.example;order=1;weight=30", 7).expect("a target");
        assert_eq!((ranked.order, ranked.weight), (1, 30));
        let ranked = parse("udp:192.0.2.1:5060;weight=5", 7).expect("a target");
        assert_eq!((ranked.order, ranked.weight), (7, 5));
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for text in [
            "192.0.2.10",
            "carrier.example",
            "udp:",
            "sctp:192.0.2.10:5060",
            "sip:alice@carrier.example",
            "tel:+81312345678",
            "sip:carrier.example;transport=ws",
            "sip:carrier.example;weight=70000",
            "udp:192.0.2.10:99999",
        ] {
            assert!(parse(text, 0).is_err(), "{text}");
        }
    }
}
