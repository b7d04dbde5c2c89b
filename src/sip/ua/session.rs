//! One INVITE usage: its dialog and what is going on in it.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::sip::auth::Credentials;
use crate::sip::dialog::Dialog;
use crate::sip::transaction::TransactionId;
use crate::sip::{Flow, Message};

use super::settings::{Body, Headers};
use super::subscription::Subscriptions;
use super::terms::Terms;
use super::way::Way;

/// How far a session has come, for whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Our INVITE has no final response.
    Calling,
    /// Their INVITE has no final response.
    Ringing,
    /// Accepted by us, the ACK has not come.
    AwaitingAck,
    /// Accepted and acknowledged.
    Confirmed,
    /// Our BYE is on its way.
    Ending,
}

/// Which side placed the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    Called,
    Caller,
}

/// Why a session wakes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Deadline {
    /// Our INVITE has rung long enough.
    Answer,
    /// Our 2xx was not acknowledged.
    NoAck,
    /// A provisional response is due again (RFC 3261 §13.3.1.1).
    Refresh,
    /// Our 2xx is due again (RFC 3261 §13.3.1.4).
    Repeat,
    /// A re-INVITE refused with 491 may be tried again (RFC 3261 §14.1).
    Retry,
}

impl Deadline {
    pub(super) const ALL: [Self; 5] = [
        Self::Answer,
        Self::NoAck,
        Self::Refresh,
        Self::Repeat,
        Self::Retry,
    ];
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) dialog: Dialog,
    /// What the other side was last heard on.
    pub(super) flow: Flow,
    /// Our Contact, as written.
    pub(super) contact: String,
    pub(super) side: Side,
    pub(super) phase: Phase,
    /// Our last 2xx to an INVITE, until its ACK.
    pub(super) accepted: Option<Box<Accepted>>,
    /// Our ACK of their last 2xx, or the one we owe.
    pub(super) ack: Option<Box<Ack>>,
    pub(super) reoffer: Reoffer,
    /// A BYE that has to wait, with its headers.
    pub(super) hangup: Option<Headers>,
    pub(super) credentials: Option<Box<Credentials>>,
    /// What REFERs have left.
    pub(super) subscriptions: Option<Box<Subscriptions>>,
    pub(super) terms: Terms,
}

#[derive(Debug)]
pub(super) enum Phase {
    Calling(Calling),
    Ringing(Box<Ringing>),
    Confirmed,
    Ending {
        /// The call knows already that the session is over.
        is_told: bool,
    },
}

/// Our INVITE without a final response.
#[derive(Debug)]
pub(super) struct Calling {
    pub(super) transaction: TransactionId,
    pub(super) has_offer: bool,
    /// A provisional response came: a CANCEL may be sent.
    pub(super) is_heard: bool,
    /// We no longer want it, and the status to report.
    pub(super) given_up: Option<u16>,
    pub(super) is_cancelled: bool,
    /// Where else it may go, when it was located.
    pub(super) way: Option<Box<Way>>,
}

/// Their INVITE without a final response.
#[derive(Debug)]
pub(super) struct Ringing {
    pub(super) transaction: TransactionId,
    pub(super) request: Message,
}

/// A 2xx of ours that waits for its ACK.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) cseq: u32,
    pub(super) flow: Flow,
    pub(super) response: Bytes,
    pub(super) interval: Duration,
    /// It answers the first INVITE, not a re-INVITE.
    pub(super) is_first: bool,
}

/// The ACK of a 2xx of theirs.
#[derive(Debug)]
pub(super) struct Ack {
    pub(super) transaction: TransactionId,
    pub(super) cseq: u32,
    /// As sent; `None` while the call has not given the answer it must carry.
    pub(super) sent: Option<(Flow, Bytes)>,
}

/// Offers after the first.
#[derive(Debug, Default)]
pub(super) struct Reoffer {
    pub(super) under_way: UnderWay,
    /// A re-INVITE of ours to be sent when nothing else is under way.
    pub(super) wanted: Option<Option<Body>>,
    /// Times it met 491.
    pub(super) collisions: u8,
    /// Not before the [`Deadline::Retry`].
    pub(super) is_backing_off: bool,
}

#[derive(Debug, Default)]
pub(super) enum UnderWay {
    #[default]
    Nothing,
    /// Ours, without a final response.
    Ours {
        transaction: TransactionId,
        body: Option<Body>,
    },
    /// Theirs, without a final response.
    Theirs(Box<Ringing>),
}

impl Session {
    pub(super) fn new(dialog: Dialog, flow: Flow, contact: String, side: Side) -> Self {
        Self {
            dialog,
            flow,
            contact,
            side,
            phase: Phase::Confirmed,
            accepted: None,
            ack: None,
            reoffer: Reoffer::default(),
            hangup: None,
            credentials: None,
            subscriptions: None,
            terms: Terms::PLAIN,
        }
    }

    pub(super) fn state(&self) -> State {
        let awaits_ack = |accepted: &Accepted| accepted.is_first;
        match &self.phase {
            Phase::Calling(_) => State::Calling,
            Phase::Ringing(_) => State::Ringing,
            Phase::Confirmed if self.accepted.as_deref().is_some_and(awaits_ack) => {
                State::AwaitingAck
            }
            Phase::Confirmed => State::Confirmed,
            Phase::Ending { .. } => State::Ending,
        }
    }

    /// No INVITE is under way in either direction and every 2xx is acknowledged.
    pub(super) fn is_stable(&self) -> bool {
        matches!(self.phase, Phase::Confirmed)
            && self.accepted.is_none()
            && !self.owes_ack()
            && matches!(self.reoffer.under_way, UnderWay::Nothing)
    }

    pub(super) fn owes_ack(&self) -> bool {
        self.ack.as_ref().is_some_and(|ack| ack.sent.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_small() {
        // What a quiet call keeps, without the text of its dialog (some 600 bytes).
        assert!(size_of::<Session>() <= 1024, "{}", size_of::<Session>());
    }
}
