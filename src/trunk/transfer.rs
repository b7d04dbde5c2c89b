//! What a trunk may ask for, and may be asked for, in transfers.

use serde::{Deserialize, Serialize};

/// A trunk's part in transfers. By default it has none: the switch carries transfers out itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferPolicy {
    /// Its REFER and its INVITE with Replaces are carried out; refused with 403 otherwise.
    pub accept_refer: bool,
    /// A party on it that is to be sent to a number on it is sent there by the carrier: it gets the
    /// REFER.
    pub pass_refer: bool,
    /// Calls out by it say who transferred (Referred-By, RFC 3892).
    pub referred_by: bool,
}
