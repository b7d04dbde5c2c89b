//! `profile` and the behaviours that override it, key by key.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::config::media;
use crate::config::node::Listeners;
use crate::config::notes::Notes;
use crate::config::report::Problem;
use crate::config::section::{At, Section};
use crate::config::terms;
use crate::config::words::remedy;
use crate::sdp::SrtpPolicy;
use crate::sip::HeaderName;
use crate::sip::ua::Manners;
use crate::trunk::Profile;
use crate::trunk::profile::{Failover, HostMode, Qualify, RegisterMode, RouteMode};

/// Reads one trunk's profile with its overrides.
pub(super) fn read(
    trunk: &Section<'_>,
    (listeners, ports): (&Listeners, &RangeInclusive<u16>),
    notes: &Notes,
) -> Profile {
    let mut profile = read_base(trunk, notes);
    read_registration(trunk, &mut profile);
    read_addresses(trunk, &mut profile, listeners, notes);
    read_manners(trunk, &mut profile, notes);
    read_terms(trunk, &mut profile, notes);
    read_media(trunk, &mut profile, ports, notes);
    read_qualify(trunk, &mut profile);
    read_limits(trunk, &mut profile);
    read_failover(trunk, &mut profile.failover, notes);
    profile
}

fn read_base(trunk: &Section<'_>, notes: &Notes) -> Profile {
    let Some(name) = trunk.text("profile") else {
        return Profile::default();
    };
    Profile::built_in(&name.value).unwrap_or_else(|| {
        let message = format!("there is no profile \"{}\"", name.value);
        let help = remedy(&name.value, &Profile::NAMES, "each profile there is:");
        notes.error(&name.place, message, help);
        Profile::default()
    })
}

fn read_registration(trunk: &Section<'_>, profile: &mut Profile) {
    let register = &mut profile.register;
    let modes = [
        ("none", RegisterMode::None),
        ("open", RegisterMode::Open),
        ("digest", RegisterMode::Digest),
    ];
    set(&mut register.mode, trunk.one_of("register", &modes));
    set(
        &mut register.expires,
        trunk.duration("register_expires", EXPIRES),
    );
    if let Some(percent) = trunk.integer("register_refresh_percent", 10..=95) {
        register.refresh_percent = u8::try_from(percent.value).unwrap_or(register.refresh_percent);
    }
    if let Some(rate) = count(trunk, "registers_per_second", 1..=1_000) {
        register.per_second = Some(rate);
    }
    set(&mut register.outbound, trunk.flag("register_outbound"));
    let routes = [
        ("none", RouteMode::None),
        ("registered", RouteMode::Registered),
    ];
    set(&mut profile.route, trunk.one_of("route", &routes));
}

fn read_addresses(
    trunk: &Section<'_>,
    profile: &mut Profile,
    listeners: &Listeners,
    notes: &Notes,
) {
    let modes = [
        ("target", HostMode::Target),
        ("domain", HostMode::Domain),
        ("registrar", HostMode::Registrar),
        ("own", HostMode::Own),
    ];
    set(
        &mut profile.hosts.request,
        trunk.one_of("request_host", &modes),
    );
    set(&mut profile.hosts.to, trunk.one_of("to_host", &modes));
    set(&mut profile.hosts.from, trunk.one_of("from_host", &modes));
    let written = trunk.integer("source_port", 0..=65_535);
    if let Some(port) = &written {
        profile.source_port = u16::try_from(port.value).ok().filter(|port| *port != 0);
    }
    let Some(port) = profile.source_port else {
        return;
    };
    let listens = |own: &At<_>| -> bool {
        let (_, address): (_, std::net::SocketAddr) = own.value;
        address.port() == port || address.port() == 0
    };
    if !listeners.sip.is_empty() && !listeners.sip.iter().any(listens) {
        let place = written.map_or_else(|| trunk.place().clone(), |port| port.place);
        let message =
            format!("the carrier wants everything from port {port}, where nobody listens");
        let help = format!(
            "add an address with port {port} to `listen` in node.toml, or set source_port = 0"
        );
        let problem = Problem::error(&place, message, help);
        match listeners.sip.first() {
            Some(own) => notes.push(problem.with(&own.place, "the switch listens by")),
            None => notes.push(problem),
        }
    }
}

fn read_manners(trunk: &Section<'_>, profile: &mut Profile, notes: &Notes) {
    let mut manners = Manners::clone(&profile.manners);
    if let Some(name) = trunk.text("user_agent") {
        manners.user_agent = Some(name.value);
    }
    set(&mut manners.rport, trunk.flag("rport"));
    for (key, names) in [
        ("deny_headers", &mut manners.deny),
        ("allow_headers", &mut manners.allow),
    ] {
        let Some(texts) = trunk.texts(key) else {
            continue;
        };
        names.clear();
        for text in texts {
            match HeaderName::parse(&text.value) {
                Some(name) if key == "deny_headers" && Manners::is_needed(&name) => {
                    let message = format!("no message can do without {}", name.as_str());
                    notes.error(&text.place, message, "take it off the list");
                }
                Some(name) => names.push(name),
                None => {
                    let message = format!("\"{}\" is no header name", text.value);
                    notes.error(&text.place, message, "such as \"P-Asserted-Identity\"");
                }
            }
        }
    }
    profile.manners = Arc::new(manners);
}

fn read_terms(trunk: &Section<'_>, profile: &mut Profile, notes: &Notes) {
    let terms = &mut profile.terms;
    terms::read(trunk, terms);
    match off_or_duration(trunk, "session_expires", terms::SESSION) {
        None => {}
        Some(None) => terms.timer = None,
        Some(Some(expires)) => {
            let timer = terms.timer.get_or_insert_default();
            timer.expires = expires;
            timer.min_se = timer.min_se.min(expires);
        }
    }
    terms::read_timer(trunk, terms.timer.as_mut(), notes);
}

fn read_media(
    trunk: &Section<'_>,
    profile: &mut Profile,
    node: &RangeInclusive<u16>,
    notes: &Notes,
) {
    let media = &mut profile.media;
    media::read(trunk, media, notes);
    let ports = trunk.parsed(
        "rtp_ports",
        "write the first and the last, such as \"49152-65535\"",
        band,
    );
    let place = ports.as_ref().map(|ports| ports.place.clone());
    if let Some(ports) = ports {
        media.ports = Some(ports.value);
    }
    if let Some(band) = &media.ports {
        let first = *band.start().max(node.start());
        let last = *band.end().min(node.end());
        if last.saturating_sub(first) < 3 {
            let place = place.unwrap_or_else(|| trunk.place().clone());
            let message = format!(
                "the carrier wants audio on ports {}-{}, and the node has {}-{}",
                band.start(),
                band.end(),
                node.start(),
                node.end()
            );
            let help = "widen `ports` in [media] of node.toml, or change rtp_ports";
            notes.error(&place, message, help);
        }
    }
    set(&mut media.reports.mux, trunk.flag("rtcp_mux"));
    set(&mut media.reports.extended, trunk.flag("rtcp_xr"));
    set(&mut media.srtp, trunk.one_of("srtp", &SrtpPolicy::WORDS));
}

fn read_qualify(trunk: &Section<'_>, profile: &mut Profile) {
    if let Some(interval) = off_or_duration(trunk, "qualify", INTERVAL) {
        profile.qualify = interval.map(|interval| Qualify {
            interval,
            ..profile.qualify.unwrap_or(USUAL_QUALIFY)
        });
    }
    let down = count(trunk, "qualify_down_after", 1..=100);
    let up = count(trunk, "qualify_up_after", 1..=100);
    if let Some(qualify) = &mut profile.qualify {
        qualify.down_after = down.unwrap_or(qualify.down_after);
        qualify.up_after = up.unwrap_or(qualify.up_after);
    }
}

fn read_limits(trunk: &Section<'_>, profile: &mut Profile) {
    let limits = &mut profile.limits;
    if let Some(most) = trunk.integer("max_calls", 1..=100_000) {
        limits.max_calls = usize::try_from(most.value).ok();
    }
    for (key, rate) in [
        ("max_rate_in", &mut limits.max_rate_in),
        ("max_rate_out", &mut limits.max_rate_out),
    ] {
        if let Some(most) = count(trunk, key, 0..=100_000) {
            *rate = Some(most).filter(|most| *most > 0);
        }
    }
}

fn read_failover(trunk: &Section<'_>, failover: &mut Failover, notes: &Notes) {
    set(&mut failover.retry_after, trunk.flag("retry_after"));
    let Some(texts) = trunk.texts("failover") else {
        return;
    };
    failover.statuses.clear();
    failover.unreached = false;
    for text in texts {
        match text.value.as_str() {
            "unreached" => failover.unreached = true,
            "5xx" => failover.statuses.extend(500..=599),
            word => match word.parse::<u16>() {
                Ok(status) if (400..600).contains(&status) && !VERDICTS.contains(&status) => {
                    failover.statuses.push(status);
                }
                Ok(status) => {
                    let message = format!("{status} is what the callee says, or no failure at all");
                    let help = "another trunk would only ring him again; take it off the list";
                    notes.error(&text.place, message, help);
                }
                Err(_) => {
                    let message = format!("`failover` cannot be \"{word}\"");
                    let help = "write \"unreached\" (silence, no connection), \"5xx\", or statuses such as \"503\"";
                    notes.error(&text.place, message, help);
                }
            },
        }
    }
}

/// `"off"`, or a length of time.
fn off_or_duration(
    trunk: &Section<'_>,
    key: &'static str,
    range: RangeInclusive<Duration>,
) -> Option<Option<Duration>> {
    if trunk.is_word(key, "off") {
        return Some(None);
    }
    trunk.duration(key, range).map(|at| Some(at.value))
}

fn band(text: &str) -> Result<RangeInclusive<u16>, String> {
    let wrong = || format!("\"{text}\" is no range of ports");
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let first: u16 = first.trim().parse().map_err(|_| wrong())?;
    let last: u16 = last.trim().parse().map_err(|_| wrong())?;
    if first < 1024 || last < first || last - first < 3 {
        return Err(format!(
            "{first}-{last} holds no two pairs of ports from 1024 up"
        ));
    }
    Ok(first..=last)
}

fn count(trunk: &Section<'_>, key: &'static str, range: RangeInclusive<i64>) -> Option<u32> {
    u32::try_from(trunk.integer(key, range)?.value).ok()
}

fn set<T>(place: &mut T, value: Option<At<T>>) {
    if let Some(value) = value {
        *place = value.value;
    }
}

/// What the callee's side decides: never retried by another trunk.
const VERDICTS: [u16; 7] = [404, 410, 480, 484, 486, 487, 604];

const EXPIRES: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(86_400);
const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);

/// When only the interval is given.
const USUAL_QUALIFY: Qualify = Qualify {
    interval: Duration::from_secs(60),
    down_after: 3,
    up_after: 2,
};
