//! `twilio`: Twilio Elastic SIP Trunking.

use std::time::Duration;

use super::{Failover, HostMode, Hosts, Limits, Profile, Qualify, generic};
use crate::sip::ua::{Reliable, SessionTimer, Terms};
use crate::trunk::{IdentityPolicy, NumberFormat};

pub(super) fn profile() -> Profile {
    Profile {
        base: "twilio",
        hosts: Hosts {
            // The termination domain names the account.
            request: HostMode::Domain,
            to: HostMode::Domain,
            from: HostMode::Domain,
        },
        identity: IdentityPolicy {
            called_format: NumberFormat::E164,
            caller_format: NumberFormat::E164,
            ..IdentityPolicy::default()
        },
        terms: Terms {
            // Its INVITE allows neither PRACK nor UPDATE: refresh is by re-INVITE.
            reliable: Reliable::Off,
            timer: Some(SessionTimer {
                expires: Duration::from_secs(1800),
                min_se: Duration::from_secs(120),
                ..SessionTimer::default()
            }),
            update: false,
        },
        qualify: Some(Qualify {
            interval: Duration::from_secs(60),
            down_after: 3,
            up_after: 2,
        }),
        limits: Limits {
            // One call a second until more is asked for; calls at a time are not limited.
            max_rate_out: Some(1),
            ..Limits::default()
        },
        failover: Failover::default(),
        ..generic::profile()
    }
}
