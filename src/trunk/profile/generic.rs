//! `generic`: a carrier that does what the RFCs say and asks for nothing.

use std::sync::Arc;

use super::{Failover, HostMode, Hosts, Limits, MediaTerms, Profile, Register, RouteMode};
use crate::media::dtmf::Method;
use crate::sdp::{AudioCodec, SrtpPolicy};
use crate::sip::ua::{Manners, Terms};
use crate::trunk::IdentityPolicy;

pub(super) fn profile() -> Profile {
    Profile {
        base: "generic",
        register: Register::NONE,
        hosts: Hosts {
            request: HostMode::Target,
            to: HostMode::Target,
            from: HostMode::Own,
        },
        route: RouteMode::None,
        source_port: None,
        manners: Arc::new(Manners::default()),
        identity: IdentityPolicy::default(),
        terms: Terms::default(),
        media: MediaTerms {
            codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
            ptime_ms: 20,
            ports: None,
            telephone_event: Some(101),
            dtmf: Method::Auto,
            srtp: SrtpPolicy::No,
        },
        qualify: None,
        limits: Limits::default(),
        failover: Failover::default(),
    }
}
