//! `ntt-ngn`: Hikari Denwa taken directly from NTT's network, without the home gateway.
//!
//! From captures of a real line and one unofficial specification; they disagree on the host of
//! the Request-URI and on `rport`. We follow the packets and leave each a key.

use std::sync::Arc;
use std::time::Duration;

use super::{HostMode, Hosts, MediaTerms, Profile, Register, RegisterMode, RouteMode, generic};
use crate::sdp::AudioCodec;
use crate::sip::ua::{Manners, Reliable, SessionTimer, Terms};
use crate::trunk::identity::{Assertion, CallerSource, DialledSource};
use crate::trunk::{IdentityPolicy, NumberFormat};

pub(super) fn profile() -> Profile {
    Profile {
        base: "ntt-ngn",
        // The line is the proof: REGISTER to the domain without credentials, again at 0.4 of its
        // life.
        register: Register {
            mode: RegisterMode::Open,
            refresh_percent: 40,
            ..Register::NONE
        },
        hosts: Hosts {
            // The address of the network's proxy is what worked on the wire.
            request: HostMode::Target,
            to: HostMode::Domain,
            from: HostMode::Domain,
        },
        route: RouteMode::Registered,
        source_port: Some(5060),
        manners: Arc::new(Manners {
            rport: false,
            ..Manners::default()
        }),
        identity: IdentityPolicy {
            // The network's headers are the truth, ours only a wish; a PAI of ours is refused.
            trusted: true,
            asserts: Assertion::Ppi,
            caller_from: vec![CallerSource::Pai, CallerSource::From],
            dialled_from: vec![DialledSource::CalledParty, DialledSource::To],
            called_format: NumberFormat::National,
            caller_format: NumberFormat::National,
            ..IdentityPolicy::default()
        },
        terms: Terms {
            reliable: Reliable::Supported,
            timer: Some(SessionTimer {
                expires: Duration::from_secs(300),
                min_se: Duration::from_secs(300),
                ..SessionTimer::default()
            }),
            update: true,
        },
        media: MediaTerms {
            codecs: vec![AudioCodec::Pcmu],
            ports: Some(49152..=65535),
            ..MediaTerms::default()
        },
        ..generic::profile()
    }
}
