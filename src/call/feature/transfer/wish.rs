//! What is wanted of a transfer: who leaves, and where whoever stays is sent.

use serde::{Deserialize, Serialize};

use crate::base::{CallId, LegId};
use crate::events::TransferKind;
use crate::sip::ua::ReferId;
use crate::trunk::Destination;

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Wish {
    pub(crate) kind: TransferKind,
    /// The leg that leaves.
    pub(crate) leaver: LegId,
    /// The REFER to be told of; `None` when nobody sent one.
    pub(crate) refer: Option<ReferId>,
    pub(crate) target: Target,
    /// The consultation call that ended for it.
    pub(crate) consultation: Option<CallId>,
}

/// Where the party that stays is sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Target {
    /// To be rung, or entered.
    Number {
        destination: Destination,
        /// As it was asked for, normalised.
        number: String,
    },
    /// Rings already: taken over from the consultation call.
    Ringing { legs: Vec<LegId>, number: String },
    /// The carrier is asked to carry it out.
    Passed { refer: ReferId, number: String },
}

impl Target {
    pub(super) fn number(&self) -> &str {
        match self {
            Target::Number { number, .. }
            | Target::Passed { number, .. }
            | Target::Ringing { number, .. } => number,
        }
    }
}
