//! Transfers in a record: who sent whom where, in which way, and how it ended.

use serde::{Deserialize, Serialize};

use super::{parts, rfc3339};
use crate::base::{CallId, LegId, Timestamp};
use crate::events::{Fact, TransferKind};

/// One transfer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferRecord {
    /// In which way.
    pub kind: TransferKind,
    /// The leg that left, or was to leave.
    pub leg: LegId,
    /// Whose leg it was: agent, number, or `operator`.
    pub by: String,
    /// The party that was transferred.
    pub party: String,
    /// Where to.
    pub target: String,
    /// The consultation call that became part of this one.
    pub consultation: Option<CallId>,
    /// When it was asked for.
    #[serde(with = "rfc3339")]
    pub requested: Timestamp,
    /// When it was done or had failed.
    #[serde(with = "rfc3339::option")]
    pub ended: Option<Timestamp>,
    /// 200 when it was done, else why not.
    pub status: Option<u16>,
    /// The leg of whoever took the call.
    pub to: Option<LegId>,
}

/// Takes in a fact about a transfer; says whether it fitted.
pub(super) fn take(list: &mut Vec<TransferRecord>, fact: &Fact, at: Timestamp) -> bool {
    let (leg, status, to) = match fact {
        Fact::TransferRequested {
            kind,
            leg,
            by,
            party,
            target,
            consultation,
        } => {
            let transfer = TransferRecord {
                kind: *kind,
                leg: *leg,
                by: by.clone(),
                party: party.clone(),
                target: target.clone(),
                consultation: consultation.clone(),
                requested: at,
                ended: None,
                status: None,
                to: None,
            };
            return parts::push(list, transfer);
        }
        Fact::TransferDone { leg, to } => (*leg, 200, *to),
        Fact::TransferFailed { leg, status } => (*leg, *status, None),
        _ => return true,
    };
    let open = |one: &&mut TransferRecord| one.leg == leg && one.ended.is_none();
    if let Some(transfer) = list.iter_mut().rev().find(open) {
        transfer.ended = Some(at);
        transfer.status = Some(status);
        transfer.to = to;
    }
    true
}
