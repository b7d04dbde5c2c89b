//! RFC 3263 §4.1 and §4.2 over what the cache knows: either the hops, or what is still to be
//! asked. Run again with each answer, it remembers nothing itself.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::{Entropy, Timestamp};
use crate::sip::Protocol;

use super::cache::{Cache, Known};
use super::choice::by_priority_and_weight;
use super::destination::{Destination, Hop, Means};
use super::question::{Kind, Naptr, Question, Record, Srv};

/// Why there is nowhere to send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLocation {
    /// Too many locations are under way.
    #[error("too many names are being located")]
    Busy,
    /// A name leads to itself, or through too many others.
    #[error("the name leads in a circle")]
    Circle,
    /// The name has no address we can send to.
    #[error("the name has no address")]
    NoAddress,
    /// No name server answered in time.
    #[error("no name server answers")]
    NoAnswer,
    /// The domain wants a transport that we have not.
    #[error("no transport of the destination is ours")]
    NoTransport,
    /// All it leads to asked to be left alone for a while (RFC 3261 §21.5.4).
    #[error("the destination asked for a pause")]
    Resting,
}

/// What the cache makes of a destination.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Failed(NoLocation),
    /// Questions whose answers are missing.
    Needs(Vec<Question>),
    Ready(Vec<Hop>),
}

/// Whether records past their time will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    Fresh,
    Stale,
}

/// Makes the plan for one destination.
pub(super) fn plan(
    now: Timestamp,
    cache: &Cache,
    means: &Means,
    destination: &Destination,
    freshness: Freshness,
    entropy: &mut Entropy,
) -> Plan {
    let mut sight = Sight {
        now,
        cache,
        freshness,
        needs: Vec::new(),
        fault: None,
    };
    let hops = hops(&mut sight, means, destination, entropy);
    if !sight.needs.is_empty() {
        return Plan::Needs(sight.needs);
    }
    match hops {
        hops if hops.is_empty() => Plan::Failed(sight.fault.unwrap_or(NoLocation::NoAddress)),
        hops => Plan::Ready(hops),
    }
}

fn hops(
    sight: &mut Sight<'_>,
    means: &Means,
    destination: &Destination,
    entropy: &mut Entropy,
) -> Vec<Hop> {
    let protocol = destination.default_protocol();
    let Some(name) = destination.name() else {
        return numeric(sight, means, destination, protocol);
    };
    let asked: Arc<str> = name.into();
    let mut servers = Vec::new();
    if let Some(port) = destination.port {
        servers.push((protocol, asked.clone(), port));
    } else {
        let services = match services(sight, means, destination, name) {
            Some(services) => services,
            None => return Vec::new(),
        };
        for (protocol, service) in &services {
            let found = sight.records(service, Kind::Srv);
            let srv = found.into_iter().filter_map(as_srv);
            let ordered = by_priority_and_weight(srv, |srv| (srv.priority, srv.weight), entropy);
            servers.extend(
                ordered
                    .into_iter()
                    .map(|srv| (*protocol, srv.target, srv.port)),
            );
        }
        if servers.is_empty() && sight.needs.is_empty() {
            // RFC 3263 §4.2: no SRV records, so the name itself.
            servers.push((protocol, asked.clone(), protocol.default_port()));
        }
    }
    // RFC 2782: a target of "." says that the service is decidedly not there.
    servers.retain(|(protocol, target, _)| means.has(*protocol) && !target.is_empty());
    servers.truncate(MAX_SERVERS);
    if servers.is_empty() {
        sight.fault.get_or_insert(NoLocation::NoTransport);
    }
    let mut hops = Vec::new();
    for (protocol, target, port) in servers {
        for address in sight.addresses(means, protocol, &target, port) {
            let hop = Hop {
                protocol,
                address,
                name: Some(asked.clone()),
            };
            if hops.len() < MAX_HOPS && !hops.contains(&hop) {
                hops.push(hop);
            }
        }
    }
    hops
}

/// An address as host: nothing to ask (RFC 3263 §4.2).
fn numeric(
    sight: &mut Sight<'_>,
    means: &Means,
    destination: &Destination,
    protocol: Protocol,
) -> Vec<Hop> {
    let Some(address) = destination.host.address() else {
        return Vec::new();
    };
    if means.local(protocol, address).is_none() {
        sight.fault = Some(NoLocation::NoTransport);
        return Vec::new();
    }
    let port = destination.port.unwrap_or(protocol.default_port());
    vec![Hop {
        protocol,
        address: SocketAddr::new(address, port),
        name: None,
    }]
}

/// The names whose SRV records to read, with their protocols, in the domain's order or, where it
/// has none, in ours; `None` when the domain wants none of our transports, or is not known yet.
fn services(
    sight: &mut Sight<'_>,
    means: &Means,
    destination: &Destination,
    name: &str,
) -> Option<Vec<(Protocol, String)>> {
    let is_ours = |protocol: Protocol| {
        means.has(protocol)
            && (!destination.is_secure || protocol == Protocol::Tls)
            && destination
                .protocol
                .is_none_or(|_| protocol == destination.default_protocol())
    };
    let by_rule = |protocol: Protocol| (protocol, format!("{}.{name}", label(protocol)));
    if destination.protocol.is_some() {
        return Some(vec![by_rule(destination.default_protocol())]);
    }
    let found = sight.records(name, Kind::Naptr);
    if !sight.needs.is_empty() {
        return None;
    }
    let mut wanted: Vec<Naptr> = found.into_iter().filter_map(as_naptr).collect();
    if wanted.is_empty() {
        let ours = [Protocol::Udp, Protocol::Tcp, Protocol::Tls];
        return Some(
            ours.into_iter()
                .filter(|one| is_ours(*one))
                .map(by_rule)
                .collect(),
        );
    }
    wanted.sort_by_key(|naptr| (naptr.order, naptr.preference));
    let ours = wanted.into_iter().filter_map(|naptr| {
        let protocol = service_protocol(&naptr.service).filter(|one| is_ours(*one))?;
        Some((protocol, naptr.replacement.to_string()))
    });
    let ours: Vec<_> = ours.take(MAX_SERVICES).collect();
    if ours.is_empty() {
        sight.fault = Some(NoLocation::NoTransport);
        return None;
    }
    Some(ours)
}

/// RFC 3263 §4.1, with the services registered there.
fn service_protocol(service: &str) -> Option<Protocol> {
    let services = [
        ("SIP+D2U", Protocol::Udp),
        ("SIP+D2T", Protocol::Tcp),
        ("SIPS+D2T", Protocol::Tls),
    ];
    let known = services
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(service));
    known.map(|(_, protocol)| *protocol)
}

/// RFC 3263 §4.1: what SRV names begin with.
fn label(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "_sip._tcp",
        Protocol::Tls => "_sips._tcp",
        Protocol::Udp => "_sip._udp",
    }
}

/// The cache as one plan sees it.
struct Sight<'c> {
    now: Timestamp,
    cache: &'c Cache,
    freshness: Freshness,
    needs: Vec<Question>,
    fault: Option<NoLocation>,
}

impl Sight<'_> {
    /// The records of a name, through its aliases; none when they are missing or do not exist.
    fn records(&mut self, name: &str, kind: Kind) -> Vec<Record> {
        let mut question = Question::new(name, kind);
        for _ in 0..=MAX_ALIASES {
            let records = match self.cache.find(self.now, &question) {
                Known::Fresh(records) => records,
                Known::Stale(records) if self.freshness == Freshness::Stale => records,
                Known::Nothing | Known::Stale(_) => {
                    if self.needs.len() < MAX_NEEDS && !self.needs.contains(&question) {
                        self.needs.push(question);
                    }
                    return Vec::new();
                }
                Known::Failed => {
                    self.fault = Some(NoLocation::NoAnswer);
                    return Vec::new();
                }
            };
            let meant: Vec<Record> = records
                .iter()
                .filter(|one| is_of(one, kind))
                .cloned()
                .collect();
            let alias = records.iter().find_map(|record| match record {
                Record::Alias(name) => Some(name),
                _ => None,
            });
            match alias {
                Some(alias) if meant.is_empty() => question = Question::new(alias, kind),
                _ => return meant,
            }
        }
        self.fault = Some(NoLocation::Circle);
        Vec::new()
    }

    /// The addresses of a server, in the families we can send by: IPv6 first, as RFC 6724's
    /// default table has it (RFC 7984 §4).
    fn addresses(
        &mut self,
        means: &Means,
        protocol: Protocol,
        target: &str,
        port: u16,
    ) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for (kind, is_ipv4) in [(Kind::Aaaa, false), (Kind::A, true)] {
            if means.has_family(protocol, is_ipv4) {
                let found = self.records(target, kind);
                addresses.extend(found.into_iter().filter_map(|record| match record {
                    Record::Address(address) => Some(SocketAddr::new(address, port)),
                    _ => None,
                }));
            }
        }
        addresses
    }
}

fn is_of(record: &Record, kind: Kind) -> bool {
    match record {
        Record::Address(address) => {
            // What no datagram may be sent to is no answer.
            !address.is_unspecified()
                && !address.is_multicast()
                && kind
                    == if address.is_ipv4() {
                        Kind::A
                    } else {
                        Kind::Aaaa
                    }
        }
        Record::Alias(_) => false,
        Record::Naptr(_) => kind == Kind::Naptr,
        Record::Srv(_) => kind == Kind::Srv,
    }
}

fn as_srv(record: Record) -> Option<Srv> {
    match record {
        Record::Srv(srv) => Some(srv),
        _ => None,
    }
}

/// Rules of SIP that end in SRV records; others are passed over (RFC 3263 §4.1).
fn as_naptr(record: Record) -> Option<Naptr> {
    match record {
        Record::Naptr(naptr)
            if naptr.flags.eq_ignore_ascii_case("s")
                && !naptr.has_regexp
                && !naptr.replacement.is_empty()
                && naptr.service.to_ascii_uppercase().starts_with("SIP") =>
        {
            Some(naptr)
        }
        _ => None,
    }
}

/// CNAMEs followed for one name; resolvers follow as many themselves.
pub(super) const MAX_ALIASES: usize = 8;
/// NAPTR rules followed for one domain.
const MAX_SERVICES: usize = 6;
/// Servers whose addresses are asked for.
const MAX_SERVERS: usize = 12;
/// Addresses tried for one destination.
pub(super) const MAX_HOPS: usize = 16;
/// Questions one destination may ask at once.
const MAX_NEEDS: usize = 32;
