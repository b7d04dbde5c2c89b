//! `generic`: a carrier that does what the RFCs say and asks for nothing.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Dialogs, Failover, HostMode, Hosts, Limits, MediaTerms, Profile, Refreshes, Register,
    Reliability, RouteMode,
};
use crate::sdp::AudioCodec;
use crate::sip::ua::Manners;

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
        dialogs: Dialogs {
            reliable: Reliability::Supported,
            update: true,
            session_expires: Some(Duration::from_secs(1800)),
            // RFC 4028 §4: never below 90 s.
            min_se: Duration::from_secs(90),
            refresher: Refreshes::Any,
        },
        media: MediaTerms {
            codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
            ptime_ms: 20,
            ports: None,
            telephone_event: Some(101),
        },
        qualify: None,
        limits: Limits::default(),
        failover: Failover::default(),
    }
}
