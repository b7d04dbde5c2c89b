//! `twilio`: Twilio Elastic SIP Trunking.

use std::time::Duration;

use super::{
    Dialogs, Failover, HostMode, Hosts, Limits, Profile, Qualify, Refreshes, Reliability, generic,
};

pub(super) fn profile() -> Profile {
    Profile {
        base: "twilio",
        hosts: Hosts {
            // The termination domain names the account.
            request: HostMode::Domain,
            to: HostMode::Domain,
            from: HostMode::Domain,
        },
        dialogs: Dialogs {
            // Its INVITE allows neither PRACK nor UPDATE: refresh is by re-INVITE.
            reliable: Reliability::Off,
            update: false,
            session_expires: Some(Duration::from_secs(1800)),
            min_se: Duration::from_secs(120),
            refresher: Refreshes::Any,
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
