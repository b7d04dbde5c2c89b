//! `telnyx`: Telnyx with a credential connection; by address when `register = "none"`.

use std::time::Duration;

use super::{HostMode, Hosts, Limits, Profile, Qualify, Register, RegisterMode, generic};
use crate::trunk::identity::Assertion;
use crate::trunk::{IdentityPolicy, NumberFormat};

pub(super) fn profile() -> Profile {
    Profile {
        base: "telnyx",
        register: Register {
            mode: RegisterMode::Digest,
            ..Register::NONE
        },
        hosts: Hosts {
            request: HostMode::Domain,
            to: HostMode::Domain,
            from: HostMode::Domain,
        },
        identity: IdentityPolicy {
            // It looks at PPI, then PAI, then RPID, then From.
            asserts: Assertion::Pai,
            called_format: NumberFormat::E164,
            caller_format: NumberFormat::E164,
            ..IdentityPolicy::default()
        },
        qualify: Some(Qualify {
            interval: Duration::from_secs(60),
            down_after: 3,
            up_after: 2,
        }),
        limits: Limits {
            // Per address and user.
            max_rate_out: Some(20),
            ..Limits::default()
        },
        ..generic::profile()
    }
}
