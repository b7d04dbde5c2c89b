//! `vonage`: Vonage SIP: digest for each INVITE, or by address.

use std::time::Duration;

use super::{HostMode, Hosts, MediaTerms, Profile, Qualify, generic};
use crate::sdp::AudioCodec;
use crate::trunk::{IdentityPolicy, NumberFormat};

pub(super) fn profile() -> Profile {
    Profile {
        base: "vonage",
        hosts: Hosts {
            request: HostMode::Domain,
            to: HostMode::Domain,
            from: HostMode::Domain,
        },
        identity: IdentityPolicy {
            called_format: NumberFormat::International,
            caller_format: NumberFormat::International,
            ..IdentityPolicy::default()
        },
        media: MediaTerms {
            codecs: vec![AudioCodec::Pcma, AudioCodec::Pcmu],
            ..MediaTerms::default()
        },
        qualify: Some(Qualify {
            interval: Duration::from_secs(60),
            down_after: 3,
            up_after: 2,
        }),
        ..generic::profile()
    }
}
