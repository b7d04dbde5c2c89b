//! One INVITE usage: its dialog and what is going on in it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::sip::auth::Credentials;
use crate::sip::dialog::Dialog;
use crate::sip::transaction::TransactionId;
use crate::sip::{Flow, Message};

use super::ability::Peer;
use super::early::Early;
use super::manners::Manners;
use super::prack::Provisional;
use super::renewal::Renewal;
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
    /// The session timer ran out (RFC 4028 §10).
    Expire,
    /// Our 2xx was not acknowledged.
    NoAck,
    /// A reliable provisional response was not acknowledged (RFC 3262 §3).
    NoPrack,
    /// A reliable provisional response is due again.
    Provisional,
    /// A provisional response is due again (RFC 3261 §13.3.1.1).
    Refresh,
    /// The session is to be refreshed by us (RFC 4028 §7.2).
    Renew,
    /// Our 2xx is due again (RFC 3261 §13.3.1.4).
    Repeat,
    /// A re-INVITE or UPDATE refused with 491 may be tried again (RFC 3261 §14.1).
    Retry,
    /// A subscription that a REFER made is over (RFC 6665 §4.1.2.3).
    Unsubscribe,
}

impl Deadline {
    pub(super) const ALL: [Self; 10] = [
        Self::Answer,
        Self::Expire,
        Self::NoAck,
        Self::NoPrack,
        Self::Provisional,
        Self::Refresh,
        Self::Renew,
        Self::Repeat,
        Self::Retry,
        Self::Unsubscribe,
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
    /// The peer's wishes for how we write.
    pub(super) manners: Option<Arc<Manners>>,
    /// What REFERs have left.
    pub(super) subscriptions: Option<Box<Subscriptions>>,
    pub(super) terms: Terms,
    pub(super) peer: Peer,
    /// Our reliable provisional responses, once there is one.
    pub(super) provisional: Option<Box<Provisional>>,
    pub(super) renewal: Renewal,
    /// Our last session description, for a re-INVITE that changes nothing.
    pub(super) said: Option<Body>,
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
    /// What the CANCEL says (Reason).
    pub(super) farewell: Headers,
    /// The early dialogs it made, one a fork.
    pub(super) forks: Vec<Early>,
    /// Where else it may go, when it was located.
    pub(super) way: Option<Box<Way>>,
}

/// Their INVITE without a final response.
#[derive(Debug)]
pub(super) struct Ringing {
    pub(super) transaction: TransactionId,
    pub(super) request: Message,
    /// A provisional response with a tag went out: there is an early dialog.
    pub(super) is_early: bool,
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
    /// Our UPDATE that refreshes and offers nothing: whatever they offer meanwhile, it goes on.
    pub(super) refresh: Option<TransactionId>,
    /// An offer of ours to be sent when nothing else is under way.
    pub(super) wanted: Option<Wanted>,
    /// The session timer wants a refresh when nothing else is under way.
    pub(super) is_refresh_due: bool,
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
        /// Whose it is, by his tag: of several forks one.
        to: Box<str>,
        wanted: Wanted,
        purpose: Purpose,
    },
    /// Theirs, without a final response.
    Theirs(Box<Ringing>),
}

/// An offer to be made.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) body: Option<Body>,
    pub(super) by: By,
}

/// What carries an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Invite,
    Update,
}

/// What a re-INVITE or UPDATE of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The call wants it.
    Offer,
    /// The session timer wants it; the call hears nothing of it.
    Refresh,
}

impl Reoffer {
    /// Nothing is under way in either direction.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.under_way, UnderWay::Nothing) && self.refresh.is_none()
    }

    /// Whether a request of ours is under way in this transaction.
    pub(super) fn is_ours(&self, id: TransactionId) -> bool {
        let is_offer =
            matches!(&self.under_way, UnderWay::Ours { transaction, .. } if *transaction == id);
        is_offer || self.refresh == Some(id)
    }

    /// Our request goes on in another transaction.
    pub(super) fn move_to(&mut self, id: TransactionId, again: TransactionId) {
        match &mut self.under_way {
            UnderWay::Ours { transaction, .. } if *transaction == id => *transaction = again,
            _ if self.refresh == Some(id) => self.refresh = Some(again),
            _ => {}
        }
    }

    /// Takes our request, which is over.
    pub(super) fn take_ours(&mut self, id: TransactionId) -> Option<(Wanted, Purpose)> {
        if self.refresh == Some(id) {
            self.refresh = None;
            return Some((Wanted::REFRESH, Purpose::Refresh));
        }
        match std::mem::take(&mut self.under_way) {
            UnderWay::Ours {
                transaction,
                wanted,
                purpose,
                ..
            } if transaction == id => Some((wanted, purpose)),
            other => {
                self.under_way = other;
                None
            }
        }
    }
}

impl Wanted {
    /// What refreshes and offers nothing.
    pub(super) const REFRESH: Self = Self {
        body: None,
        by: By::Update,
    };
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
            manners: None,
            subscriptions: None,
            terms: Terms::PLAIN,
            peer: Peer::default(),
            provisional: None,
            renewal: Renewal::default(),
            said: None,
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
            && self.reoffer.is_idle()
    }

    /// A message as the peer wants it written.
    pub(super) fn dress(&self, message: Bytes) -> Bytes {
        match &self.manners {
            Some(manners) => manners.dress(message),
            None => message,
        }
    }

    /// The dialog with the other side that has this tag: of a call not answered yet, one fork's.
    pub(super) fn dialog_with(&mut self, remote_tag: &str) -> Option<&mut Dialog> {
        let dialog = match &mut self.phase {
            Phase::Calling(calling) => {
                let mut forks = calling.forks.iter_mut();
                let fork = forks.find(|fork| fork.dialog.remote_tag == remote_tag)?;
                &mut fork.dialog
            }
            _ => &mut self.dialog,
        };
        (dialog.remote_tag == remote_tag).then_some(dialog)
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
