//! One place a phone can be reached at.

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::sip::{Flow, NameAddr, Uri};

/// A contact with what is known about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The Request-URI of calls to it.
    pub contact: Uri,
    /// Where its REGISTER came from, and where calls to it go, the way back through any NAT; those
    /// to a phone behind proxies go by its path.
    pub flow: Flow,
    /// When it ends unless refreshed.
    pub expires_at: Timestamp,
    /// When it was last made or refreshed.
    pub refreshed_at: Timestamp,
    /// What the phone calls itself.
    pub user_agent: Option<String>,
    /// Preference `q`, in thousandths; 1000 when not said.
    pub q_millis: u16,
    /// `+sip.instance` and `reg-id` of a phone that keeps flows (RFC 5626 §6): a new contact of
    /// the same pair replaces the old one.
    pub outbound: Option<(String, String)>,
    /// Proxies between us and the phone, as Route headers toward it name them (RFC 3327).
    #[serde(default)]
    pub path: Vec<NameAddr>,
    /// Call-ID of the REGISTER.
    pub call_id: String,
    /// CSeq of the REGISTER.
    pub cseq: u32,
}
