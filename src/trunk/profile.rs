//! What a carrier is like, as data: named behaviours with a set for each carrier we know.
//!
//! A trunk begins with a built-in profile and overrides single behaviours by a key of the same
//! name in `trunks.toml`. Nothing here decides; whoever sends, answers or times looks here.

mod generic;
mod media;
mod ntt_ngn;
mod telnyx;
mod twilio;
mod vonage;

pub use media::MediaTerms;

use std::sync::Arc;
use std::time::Duration;

use super::IdentityPolicy;
use crate::sip::ua::{Manners, Terms};

/// The behaviours of one trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The built-in it began as.
    pub base: &'static str,
    /// Whether and how we register.
    pub register: Register,
    /// Hosts of the addresses we write.
    pub hosts: Hosts,
    /// What Route our requests out of dialogs carry.
    pub route: RouteMode,
    /// Our listening port that everything to the trunk must leave from; any when `None`.
    pub source_port: Option<u16>,
    /// User agent, `rport`, headers kept back.
    pub manners: Arc<Manners>,
    /// What is believed and said about who calls.
    pub identity: IdentityPolicy,
    /// PRACK, UPDATE and session timers.
    pub terms: Terms,
    /// Codecs, ports, keys.
    pub media: MediaTerms,
    /// OPTIONS at intervals; none when `None`.
    pub qualify: Option<Qualify>,
    /// How much it carries.
    pub limits: Limits,
    /// When the next trunk of a way out is tried.
    pub failover: Failover,
}

/// Whether and how we register with the carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Whether, and with what proof.
    pub mode: RegisterMode,
    /// Lifetime asked for; the carrier may shorten it.
    pub expires: Duration,
    /// A binding is refreshed when this share of its life, in percent, has passed: 10 to 95.
    pub refresh_percent: u8,
    /// REGISTERs a second for all accounts of the trunk; by the number of accounts when `None`.
    pub per_second: Option<u32>,
    /// Whether Contact carries `reg-id` and `+sip.instance` (RFC 5626 §4.2).
    pub outbound: bool,
}

/// What a REGISTER proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterMode {
    /// No REGISTER is sent.
    None,
    /// Without credentials: the line itself is the proof.
    Open,
    /// With credentials when challenged (RFC 3261 §22).
    Digest,
}

/// Which host goes into an address of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostMode {
    /// The address we send to.
    Target,
    /// The trunk's `domain`; the address we send to when it has none.
    Domain,
    /// What the registrar gave us: the host of P-Associated-URI (RFC 7315 §4.1); else the domain.
    Registrar,
    /// Our own address.
    Own,
}

/// Hosts of the addresses of an INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// Of the Request-URI.
    pub request: HostMode,
    /// Of To.
    pub to: HostMode,
    /// Of From, and of the identity headers that go with it.
    pub from: HostMode,
}

/// What Route our requests carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteMode {
    /// None.
    None,
    /// Path and Service-Route of the REGISTER's 200, in this order (RFC 3608 §6.1).
    Registered,
}

/// OPTIONS at intervals (RFC 3261 §11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Qualify {
    /// From one question to the next.
    pub interval: Duration,
    /// Questions in a row without an answer until a target is down.
    pub down_after: u32,
    /// Answers in a row until it is up again.
    pub up_after: u32,
}

/// How much a trunk carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Calls at a time in both directions.
    pub max_calls: Option<usize>,
    /// New calls a second from the carrier.
    pub max_rate_in: Option<u32>,
    /// New calls a second to the carrier.
    pub max_rate_out: Option<u32>,
}

/// When the next trunk of a way out is tried. A verdict of the callee (busy, declined, unknown
/// number, any 6xx) is never retried elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// Statuses that are about the trunk and not about the callee.
    pub statuses: Vec<u16>,
    /// Whether silence and a dead transport count.
    pub unreached: bool,
    /// Whether a trunk that sent Retry-After (RFC 3261 §20.33) rests as long as it said.
    pub retry_after: bool,
}

impl Profile {
    /// Every built-in profile's name.
    pub const NAMES: [&'static str; 5] = ["generic", "ntt-ngn", "telnyx", "twilio", "vonage"];

    /// A built-in profile.
    pub fn built_in(name: &str) -> Option<Self> {
        Some(match name {
            "generic" => generic::profile(),
            "ntt-ngn" => ntt_ngn::profile(),
            "telnyx" => telnyx::profile(),
            "twilio" => twilio::profile(),
            "vonage" => vonage::profile(),
            _ => return None,
        })
    }

    /// Whether trunks with this profile register.
    pub fn registers(&self) -> bool {
        self.register.mode != RegisterMode::None
    }
}

impl Default for Profile {
    fn default() -> Self {
        generic::profile()
    }
}

impl Register {
    /// No REGISTER.
    pub const NONE: Self = Self {
        mode: RegisterMode::None,
        expires: Duration::from_secs(3600),
        refresh_percent: 80,
        per_second: None,
        outbound: false,
    };

    /// Time between two REGISTERs of a trunk with so many accounts.
    ///
    /// Carriers cap them by the number of accounts; 1 a second below 1,800 is what one that
    /// publishes its rule grants, which renews all within half an hour.
    pub fn pace(&self, accounts: usize) -> Duration {
        let by_count = accounts.div_ceil(1_800).max(1);
        let rate = self.per_second.map_or(by_count, |rate| rate as usize);
        Duration::from_secs(1) / u32::try_from(rate.max(1)).unwrap_or(u32::MAX)
    }
}

impl Failover {
    /// Whether another trunk may be tried after this status. `unreached` is whether the way and
    /// not the callee failed.
    pub fn allows(&self, status: u16, unreached: bool) -> bool {
        if unreached {
            return self.unreached;
        }
        status < 600 && self.statuses.contains(&status)
    }
}

impl Default for Failover {
    /// What says "not by this way, now": no time, no room, no service, and a carrier's own
    /// refusal of us (401, 403, 407) is not among it.
    fn default() -> Self {
        Self {
            statuses: vec![408, 500, 502, 503, 504],
            unreached: true,
            retry_after: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_profile_that_says_so() {
        for name in Profile::NAMES {
            let profile = Profile::built_in(name).expect(name);
            assert_eq!(profile.base, name);
            assert!((10..=95).contains(&profile.register.refresh_percent));
            assert!(!profile.media.codecs.is_empty());
            for verdict in [404, 480, 486, 600, 603] {
                assert!(!profile.failover.allows(verdict, false), "{name} {verdict}");
            }
            assert!(profile.failover.allows(503, true), "{name}");
        }
        assert_eq!(Profile::built_in("ntt"), None);
    }

    #[test]
    fn a_registrar_is_asked_as_often_as_accounts_need() {
        let mut register = Register::NONE;
        assert_eq!(register.pace(1), Duration::from_secs(1));
        assert_eq!(register.pace(1_800), Duration::from_secs(1));
        assert_eq!(register.pace(1_801), Duration::from_millis(500));
        register.per_second = Some(4);
        assert_eq!(register.pace(1), Duration::from_millis(250));
    }
}
