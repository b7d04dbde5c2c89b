//! `node.toml`: who this node is, where it listens, how much it takes.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::defence::{self, DefenceSettings};
use super::dialogs::{self, DialogSettings};
use super::dns;
use super::environment::Environment;
use super::files::{Files, Kind, nowhere};
use super::layers;
use super::notes::Notes;
use super::recording::RecordingSettings;
use super::rest::RestSettings;
use super::section::{At, Section};
use super::site::SiteSettings;
use super::source::Place;
use super::tls::{self, TlsSettings};
use super::trace::{self, TraceSettings};
use super::value::Table;
use super::{conference, transfer};
use crate::call::{ConferenceTerms, Transfers};
use crate::journal::Retention;
use crate::sip::Protocol;
use crate::sip::location::NameServers;
use crate::sip::transport::TlsConfig;

/// Settings of this node. All paths are complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSettings {
    /// Name of the node, such as `tokyo1`; in ids and records.
    pub name: String,
    /// Region of the node, such as `jp1`; in ids and records.
    pub region: String,
    /// Digest realm of phones; part of every HA1. Default `tsunagu`.
    pub realm: String,
    /// Signalling shards. Default 1.
    pub shards: u16,
    /// Calls at a time; beyond it 503 with Retry-After. Default 500.
    pub max_calls: usize,
    /// How long running calls may go on after a stop was asked for. Default 30 s.
    pub drain: Duration,
    /// How transfers are carried out.
    pub transfers: Transfers,
    /// What holds where more than two talk.
    pub conferences: ConferenceTerms,
    /// Signalling.
    pub sip: SipSettings,
    /// Extensions of dialogs.
    pub dialogs: DialogSettings,
    /// Media.
    pub media: MediaSettings,
    /// SIP messages kept for ladders and captures, and their export.
    pub trace: TraceSettings,
    /// Where the switch stands, as far as numbers go.
    pub site: SiteSettings,
    /// Listener of the HTTP API, on loopback. Default `127.0.0.1:9090`.
    pub http: SocketAddr,
    /// Listener of `/metrics` and `/health` alone, anywhere.
    pub metrics: Option<SocketAddr>,
    /// The REST API of programs written for the public platform, when it is served.
    pub rest: Option<RestSettings>,
    /// Directory of the database. Default `../var`.
    pub data: PathBuf,
    /// Directories of sounds, those that replace others first. Default `../sounds`.
    pub sounds: Vec<PathBuf>,
    /// The language spoken where nobody says which. Default `en`.
    pub language: String,
    /// Directory of recordings. Default `recordings` in the data directory.
    pub recordings: PathBuf,
    /// What they are and how long they stay.
    pub recording: RecordingSettings,
    /// How long the router's facts stay.
    pub journal: Retention,
}

/// Where SIP is spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipSettings {
    /// Listeners. Default UDP and TCP on `127.0.0.1:5060`.
    pub listeners: Vec<(Protocol, SocketAddr)>,
    /// Addresses given to peers, one of each family at the most; each listener's own when there
    /// is none of its family.
    pub advertised: Vec<IpAddr>,
    /// Octets of the longest request that goes by UDP (RFC 3261 §18.1.1); any when `None`.
    /// Default 1300.
    pub longest_datagram: Option<usize>,
    /// Certificates.
    pub tls: Option<TlsSettings>,
    /// Who is believed, heard and kept waiting.
    pub defence: DefenceSettings,
    /// Who is asked where names are.
    pub dns: NameServers,
    /// Foreign hosts that redirections may lead to, lower case. Default none.
    pub redirect_domains: Vec<String>,
    /// How long one address of a target may stay silent before the next is tried. Default 4 s.
    pub try_for: Duration,
    /// Round-trip estimate T1 (RFC 3261 §17.1.1.1), 50 ms to 5 s. Default 500 ms.
    pub t1: Duration,
}

impl SipSettings {
    /// What peers are told of a listener.
    pub fn advertised_for(&self, listener: IpAddr) -> IpAddr {
        let of_family = |ip: &&IpAddr| ip.is_ipv4() == listener.is_ipv4();
        self.advertised
            .iter()
            .find(of_family)
            .copied()
            .unwrap_or(listener)
    }
}

/// Where RTP flows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaSettings {
    /// Address bound. Default `127.0.0.1`.
    pub address: IpAddr,
    /// Address given to peers. Default the one bound.
    pub advertised: IpAddr,
    /// The same two of the other address family, when two addresses are given.
    pub other_family: Option<(IpAddr, IpAddr)>,
    /// Ports; even ones for RTP, the odd one after each for RTCP. Default 20000-29999.
    pub ports: RangeInclusive<u16>,
    /// Media threads, 1 to 64. Default as many as `cores`, else as the process may use of the
    /// machine's, up to 8.
    pub workers: Option<usize>,
    /// Processor cores media threads are bound to, in turn; empty leaves them to the system.
    pub cores: Vec<usize>,
    /// How long a port rests after a call. Default 5 s.
    pub quarantine: Duration,
}

/// What is checked against other files.
#[derive(Debug)]
pub(super) struct Listeners {
    /// Every SIP listener with its place.
    pub(super) sip: Vec<At<(Protocol, SocketAddr)>>,
    /// The region with its place.
    pub(super) region: At<String>,
    /// Certificates, when all is well with them.
    pub(super) tls: Option<Arc<TlsConfig>>,
    /// The sound of `[conference]`, and where it was named.
    pub(super) beep: Option<At<String>>,
    /// Where the REST API was asked for.
    pub(super) rest: Option<Place>,
}

/// Every setting that an environment variable may give.
pub(super) const SETTINGS: &[&str] = &[
    "name",
    "region",
    "realm",
    "shards",
    "max_calls",
    "drain",
    "data",
    "sounds",
    "language",
    "recordings",
    "sip.listen",
    "sip.advertise",
    "sip.redirect_domains",
    "sip.try_for",
    "sip.auth.algorithms",
    "sip.auth.qop",
    "sip.auth.nonce_lifetime",
    "sip.acl.allow",
    "sip.acl.deny",
    "sip.limits.requests",
    "sip.limits.burst",
    "sip.limits.connections",
    "sip.limits.connection_burst",
    "sip.limits.exempt",
    "sip.limits.excess",
    "sip.bans.failures",
    "sip.bans.within",
    "sip.bans.length",
    "sip.dns.attempts",
    "sip.dns.servers",
    "sip.dns.timeout",
    "sip.large_requests",
    "sip.t1",
    "sip.tls.certificate",
    "sip.tls.client_ca",
    "sip.tls.client_certificates",
    "sip.tls.key",
    "sip.tls.roots",
    "sip.tls.wildcards",
    "dialogs.reliable",
    "dialogs.update",
    "dialogs.session_timer",
    "dialogs.session_expires",
    "dialogs.min_se",
    "dialogs.refresher",
    "dialogs.pass_reason",
    "media.address",
    "media.advertise",
    "media.ports",
    "media.workers",
    "media.cores",
    "media.quarantine",
    "recording.format",
    "recording.channels",
    "recording.without_recording",
    "recording.pause_key",
    "recording.keep",
    "recording.keep_megabytes",
    "journal.keep",
    "journal.keep_facts",
    "site.country",
    "site.area",
    "site.caller_id",
    "site.caller_ids",
    "conference.beep",
    "conference.level",
    "conference.talkers",
    "transfer.recall",
    "transfer.sound",
    "http.listen",
    "metrics.listen",
    "rest.listen",
    "rest.url",
    "trace.megabytes",
    "trace.numbers",
    "trace.hep",
    "trace.hep_agent",
    "trace.hep_password",
];

/// Reads the node's settings; what cannot be read has its default, and a note.
pub(super) fn read(
    directory: &Path,
    files: &Files,
    environment: &Environment,
    notes: &Notes,
) -> (NodeSettings, Listeners) {
    let empty = Table {
        place: nowhere("node.toml"),
        entries: indexmap::IndexMap::new(),
    };
    let file = files
        .of(Kind::Node)
        .first()
        .map_or(&empty, |file| &file.table);
    let table = layers::lay(file, SETTINGS, environment, notes);
    let node = Section::new(notes, &table, "the node");
    let nothing = Table {
        place: table.place.clone(),
        entries: indexmap::IndexMap::new(),
    };
    let section = |key, what| {
        let section = node.section(key, what);
        section.unwrap_or_else(|| Section::new(notes, &nothing, what))
    };

    let name = identifier(&node, "name", "tokyo1", notes);
    let region = identifier(&node, "region", "jp1", notes);
    let realm = node
        .text("realm")
        .map_or_else(|| "tsunagu".to_owned(), |at| at.value);
    let path = |key, default: PathBuf| match node.text(key) {
        Some(at) => directory.join(at.value),
        None => default,
    };
    let data = path("data", directory.join("../var"));
    let sip = section("sip", "[sip]");
    let sip_listeners = read_listeners(&sip, notes);
    let advertised = addresses(&sip, "advertise", notes);
    let defence = defence::read(&sip, notes);
    let words = [("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];
    let large = sip.one_of("large_requests", &words);
    let large = large.map_or(Protocol::Tcp, |at| at.value);
    let secret = sip_listeners.iter().find(|at| at.value.0.is_secure());
    let tls = tls::read(&sip, directory, secret.map(|at| &at.place), notes);
    let dialogs = dialogs::read(section("dialogs", "[dialogs]"), notes);
    let media = read_media(section("media", "[media]"), notes);
    let recording = super::recording::read(section("recording", "[recording]"), notes);
    let journal = super::journal::read(section("journal", "[journal]"));
    let http_section = section("http", "[http]");
    let http = http_section.parsed("listen", ADDRESS_HELP, parse_address);
    let site = super::site::read(section("site", "[site]"), notes);
    let metrics_section = section("metrics", "[metrics]");
    let metrics = metrics_section.parsed("listen", ADDRESS_HELP, parse_address);
    let rest = super::rest::read(
        section("rest", "[rest]"),
        http.as_ref(),
        metrics.as_ref(),
        notes,
    );
    if let Some(http) = http.as_ref().filter(|http| !http.value.ip().is_loopback()) {
        let message = format!(
            "the HTTP API has no tokens yet: it cannot listen on {}",
            http.value
        );
        let help = "listen on 127.0.0.1; for metrics from afar set listen in [metrics]";
        notes.error(&http.place, message, help);
    }
    if let (Some(http), Some(metrics)) = (&http, &metrics)
        && http.value == metrics.value
        && http.value.port() != 0
    {
        let help = "give [metrics] a port of its own, or delete it: [http] shows metrics too";
        notes.error(
            &metrics.place,
            "metrics and the HTTP API listen at the same place",
            help,
        );
    }
    for listener in &sip_listeners {
        let (protocol, address) = listener.value;
        let is_told = |told: &At<IpAddr>| told.value.is_ipv4() == address.is_ipv4();
        if address.ip().is_unspecified() && !advertised.iter().any(is_told) {
            let message = format!("{address} means every address; peers cannot be told that one");
            let help = "set advertise = \"...\" in [sip] to the address peers reach";
            notes.error(&listener.place, message, help);
        }
        let same = |other: &At<SocketAddr>| other.value == address && address.port() != 0;
        if protocol.is_stream() && http.as_ref().is_some_and(same) {
            let message = format!("SIP and the HTTP API both listen on TCP {address}");
            notes.error(&listener.place, message, "give one of them another port");
        }
        let in_media = protocol == Protocol::Udp
            && media.ports.contains(&address.port())
            && (address.ip() == media.address || address.ip().is_unspecified());
        if in_media {
            let message = format!("port {} is among the media ports", address.port());
            notes.error(&listener.place, message, "move it, or `ports` in [media]");
        }
    }
    let trace_section = section("trace", "[trace]");
    let trace = trace::read(&trace_section, &name.value, notes);
    let shards = node.integer("shards", 1..=256).map_or(1, |at| at.value);
    let max_calls = node.integer("max_calls", 1..=100_000);
    if let Some(max_calls) = &max_calls {
        warn_of_few_ports(max_calls, &media, notes);
    }
    let (conferences, beep) = conference::read(&node);
    let settings = NodeSettings {
        name: name.value,
        region: region.value.clone(),
        realm,
        shards: u16::try_from(shards).unwrap_or(1),
        max_calls: max_calls
            .and_then(|at| usize::try_from(at.value).ok())
            .unwrap_or(500),
        drain: node
            .duration("drain", Duration::ZERO..=Duration::from_secs(86_400))
            .map_or(Duration::from_secs(30), |at| at.value),
        transfers: transfer::read(&node),
        conferences,
        sip: SipSettings {
            listeners: sip_listeners.iter().map(|at| at.value).collect(),
            advertised: advertised.into_iter().map(|at| at.value).collect(),
            longest_datagram: (large == Protocol::Tcp).then_some(LONGEST_DATAGRAM),
            tls: tls.as_ref().map(|tls| tls.settings.clone()),
            defence,
            dns: dns::read(&sip, notes),
            try_for: dns::read_try_for(&sip),
            t1: sip
                .duration("t1", Duration::from_millis(50)..=Duration::from_secs(5))
                .map_or(Duration::from_millis(500), |at| at.value),
            redirect_domains: dns::read_domains(&sip, notes),
        },
        dialogs,
        media,
        trace,
        site,
        http: http.map_or(SocketAddr::from(([127, 0, 0, 1], 9090)), |at| at.value),
        metrics: metrics.map(|at| at.value),
        rest: rest.as_ref().map(|at| at.value.clone()),
        recording,
        journal,
        recordings: path("recordings", data.join("recordings")),
        sounds: node.texts("sounds").map_or_else(
            || vec![directory.join("../sounds")],
            |at| at.iter().map(|at| directory.join(&at.value)).collect(),
        ),
        language: super::desk::language(&node, notes)
            .map_or_else(|| "en".to_owned(), |at| at.value),
        data,
    };
    for part in [sip, http_section, metrics_section, trace_section] {
        part.close();
    }
    node.close();
    let listeners = Listeners {
        sip: sip_listeners,
        region,
        tls: tls.and_then(|tls| tls.config),
        beep,
        rest: rest.map(|at| at.place),
    };
    (settings, listeners)
}

fn read_listeners(sip: &Section<'_>, notes: &Notes) -> Vec<At<(Protocol, SocketAddr)>> {
    let Some(texts) = sip.texts("listen") else {
        let default = SocketAddr::from(([127, 0, 0, 1], 5060));
        return [Protocol::Udp, Protocol::Tcp]
            .map(|protocol| At {
                value: (protocol, default),
                place: sip.place().clone(),
            })
            .into();
    };
    let mut listeners: Vec<At<(Protocol, SocketAddr)>> = Vec::new();
    for text in texts {
        match parse_listener(&text.value) {
            Err(error) => notes.error(&text.place, error.to_string(), LISTEN_HELP),
            Ok(value) if value.1.port() != 0 && listeners.iter().any(|at| at.value == value) => {
                let message = format!("\"{}\" is listed twice", text.value);
                notes.error(&text.place, message, "delete one of the two");
            }
            Ok((protocol, address))
                if address.port() != 0
                    && listeners.iter().any(|at| {
                        let (other, at) = at.value;
                        other.is_stream() && protocol.is_stream() && at == address
                    }) =>
            {
                let message = format!("TCP and TLS cannot both listen on {address}");
                notes.error(&text.place, message, "TLS usually has port 5061");
            }
            Ok(value) => listeners.push(At {
                value,
                place: text.place,
            }),
        }
    }
    listeners
}

fn read_media(media: Section<'_>, notes: &Notes) -> MediaSettings {
    let loopback = IpAddr::from([127, 0, 0, 1]);
    let bound = addresses(&media, "address", notes);
    let advertised = addresses(&media, "advertise", notes);
    let told = |own: IpAddr| {
        let of_family = |at: &&At<IpAddr>| at.value.is_ipv4() == own.is_ipv4();
        advertised.iter().find(of_family).map(|at| at.value)
    };
    for bound in bound.iter().filter(|at| at.value.is_unspecified()) {
        if told(bound.value).is_none() {
            let message = format!(
                "{} means every address; peers cannot be told that one",
                bound.value
            );
            let help = "set advertise = \"...\" in [media] to the address peers reach";
            notes.error(&bound.place, message, help);
        }
    }
    for advertised in advertised.iter().filter(|at| at.value.is_unspecified()) {
        let message = format!("peers cannot send to {}", advertised.value);
        notes.error(&advertised.place, message, "write the address peers reach");
    }
    let address = bound.first().map_or(loopback, |at| at.value);
    let other = bound.get(1).map(|at| at.value);
    // One address told for one bound may be of any family: a NAT64 is the administrator's affair.
    let only = match (&*bound, &*advertised) {
        ([] | [_], [one]) => Some(one.value),
        _ => None,
    };
    let ports = media.parsed("ports", "write ports = \"20000-29999\"", parse_ports);
    let workers = media.integer("workers", 1..=64);
    let settings = MediaSettings {
        address,
        advertised: told(address).or(only).unwrap_or(address),
        other_family: other.map(|other| (other, told(other).unwrap_or(other))),
        ports: ports.map_or(20_000..=29_999, |at| at.value),
        workers: workers.and_then(|at| usize::try_from(at.value).ok()),
        cores: cores(&media, notes),
        quarantine: media
            .duration("quarantine", Duration::ZERO..=Duration::from_secs(600))
            .map_or(Duration::from_secs(5), |at| at.value),
    };
    media.close();
    settings
}

/// `"2"`, `"2-5"`, or a list of such.
fn cores(media: &Section<'_>, notes: &Notes) -> Vec<usize> {
    let mut cores = Vec::new();
    for at in media.texts("cores").unwrap_or_default() {
        let (first, last) = at.value.split_once('-').unwrap_or((&at.value, &at.value));
        let number = |text: &str| {
            let core: usize = text.trim().parse().ok()?;
            (core < MOST_CORES).then_some(core)
        };
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => cores.extend(first..=last),
            _ => notes.error(
                &at.place,
                format!("{:?} names no processor cores", at.value),
                "write one, such as \"2\", or several, such as \"2-5\"; `nproc` says how many there are",
            ),
        }
    }
    cores
}

/// As many as Linux counts in one set.
const MOST_CORES: usize = 1024;

/// Every leg takes an even and an odd port, every call two legs.
fn warn_of_few_ports(max_calls: &At<i64>, media: &MediaSettings, notes: &Notes) {
    let ports = i64::from(*media.ports.end()) - i64::from(*media.ports.start()) + 1;
    if ports / 4 < max_calls.value {
        let message = format!(
            "{ports} media ports are enough for {} calls of two legs, not for {}",
            ports / 4,
            max_calls.value
        );
        notes.warning(
            &max_calls.place,
            message,
            "widen `ports` in [media], or lower max_calls",
        );
    }
}

fn identifier(node: &Section<'_>, key: &'static str, example: &str, notes: &Notes) -> At<String> {
    let Some(at) = node.required(key, example) else {
        return At {
            value: example.to_owned(),
            place: node.place().clone(),
        };
    };
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if at.value.len() > 32 || !at.value.chars().all(good) {
        let message = format!("`{key}` cannot be \"{}\"", at.value);
        let help = "it is part of every call's id: small letters a-z, digits and -, at most 32";
        notes.error(&at.place, message, help);
    }
    at
}

/// One address, or one of each family.
fn addresses(section: &Section<'_>, key: &'static str, notes: &Notes) -> Vec<At<IpAddr>> {
    let mut found: Vec<At<IpAddr>> = Vec::new();
    for text in section.texts(key).unwrap_or_default() {
        match text.value.parse::<IpAddr>() {
            Err(_) => {
                let message = format!("`{key}`: {}", NotAnAddress(text.value));
                notes.error(&text.place, message, IP_HELP);
            }
            Ok(ip)
                if found
                    .iter()
                    .any(|other| other.value.is_ipv4() == ip.is_ipv4()) =>
            {
                let message = format!("`{key}` has two addresses of one family");
                let help = "one IPv4 and one IPv6 address at the most";
                notes.error(&text.place, message, help);
            }
            Ok(ip) => found.push(At {
                value: ip,
                place: text.place,
            }),
        }
    }
    found
}

/// Parses `udp:127.0.0.1:5060`.
pub(super) fn parse_listener(text: &str) -> Result<(Protocol, SocketAddr), NotAnAddress> {
    let wrong = || NotAnAddress(text.to_owned());
    let (protocol, address) = text.split_once(':').ok_or_else(wrong)?;
    let protocol = Protocol::parse(protocol).ok_or_else(wrong)?;
    Ok((protocol, address.parse().map_err(|_| wrong())?))
}

pub(super) fn parse_address(text: &str) -> Result<SocketAddr, NotAnAddress> {
    text.parse().map_err(|_| NotAnAddress(text.to_owned()))
}

fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text
        .split_once('-')
        .ok_or_else(|| format!("\"{text}\" is no range of ports"))?;
    let port = |text: &str| {
        text.trim()
            .parse::<u16>()
            .map_err(|_| format!("\"{text}\" is no port: they go from 1 to 65535"))
    };
    let (first, last) = (port(first)?, port(last)?);
    if first == 0 || first >= last {
        return Err(format!("the range {text} holds no pair of ports"));
    }
    Ok(first..=last)
}

/// A text that should have been an address.
#[derive(Debug)]
pub(super) struct NotAnAddress(String);

impl fmt::Display for NotAnAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is no address", self.0)
    }
}

pub(super) const ADDRESS_HELP: &str = "write an IP address and a port, such as \"127.0.0.1:9090\"";
/// RFC 3261 §18.1.1, when nobody knows the path.
const LONGEST_DATAGRAM: usize = 1300;
const IP_HELP: &str = "write an IP address, such as \"192.0.2.10\"";
const LISTEN_HELP: &str = "write protocol, IP address and port, such as \"udp:127.0.0.1:5060\"";

/// Whether a place is one that peers beyond this machine reach.
pub(super) fn is_public(listener: &At<(Protocol, SocketAddr)>) -> bool {
    !listener.value.1.ip().to_canonical().is_loopback()
}
