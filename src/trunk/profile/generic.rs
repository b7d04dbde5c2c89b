//! `generic`: a carrier that does what the RFCs say and asks for nothing.

use std::sync::Arc;

use super::{Failover, HostMode, Hosts, Limits, MediaTerms, Profile, Register, RouteMode};
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
        media: MediaTerms::default(),
        qualify: None,
        limits: Limits::default(),
        failover: Failover::default(),
    }
}
