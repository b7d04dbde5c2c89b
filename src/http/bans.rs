//! Who is not listened to, as shown.

use serde::{Deserialize, Serialize};

use crate::sip::guard::Ban;

/// All bans.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bans {
    /// The one that ends first at the front.
    pub bans: Vec<Banned>,
}

/// One ban.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Banned {
    /// An IPv4 address, or an IPv6 /64.
    pub source: String,
    /// What for, such as `password_guessing`.
    pub attack: String,
    /// Since when.
    pub since: String,
    /// Until when.
    pub until: String,
    /// Messages and connections not listened to.
    pub dropped: u64,
}

impl Bans {
    /// From the door's list.
    pub fn new(bans: &[Ban]) -> Self {
        let show = |ban: &Ban| Banned {
            source: ban.source.to_string(),
            attack: ban.attack.as_str().to_owned(),
            since: ban.since.to_string(),
            until: ban.until.to_string(),
            dropped: ban.dropped,
        };
        Self {
            bans: bans.iter().map(show).collect(),
        }
    }
}
