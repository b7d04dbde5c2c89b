//! What a user agent says: messages for the network and events for the call.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::sip::location::Question;
use crate::sip::transaction::TransactionId;
use crate::sip::{Failure, Flow, Host, Message};

use super::ReferId;
use super::way::Unreached;

/// One INVITE usage, from the INVITE to the end of its dialog; unique in its user agent, the
/// shard in the upper 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A request of ours outside any dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A request outside any dialog that waits for our answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerTransactionId(pub(in crate::sip) TransactionId);

/// What a user agent wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Requests to `host` and `port` may be sent over an accepted connection, if its certificate is
    /// for that host (RFC 5923 §8.1).
    Alias {
        /// The connection.
        flow: Flow,
        /// Whom its other side says to be.
        host: Host,
        /// His port, the usual one when `None`.
        port: Option<u16>,
    },
    /// Something the call must know.
    Event(Event),
    /// A question for a name server; [`super::UserAgent::handle_answer`] takes the answer.
    Query(Question),
    /// A message to be sent.
    Transmit {
        /// Where.
        flow: Flow,
        /// What.
        bytes: Bytes,
    },
}

/// What happened to sessions and requests.
#[derive(Clone, Debug)]
pub enum Event {
    /// The ACK of our 2xx, to the INVITE or to a re-INVITE.
    Acknowledged {
        /// Session.
        session: SessionId,
        /// The ACK; its body is the answer when our 2xx carried the offer.
        body: Message,
    },
    /// Our INVITE was accepted. When it carried no offer, the response does, and
    /// [`super::UserAgent::acknowledge`] must carry the answer.
    Answered {
        /// Session.
        session: SessionId,
        /// The 2xx.
        response: Message,
    },
    /// The caller took an INVITE back before our final answer; the session is over.
    Cancelled {
        /// Session.
        session: SessionId,
        /// The values of the CANCEL's Reason headers (RFC 3326).
        reason: Option<String>,
    },
    /// The PRACK of a reliable provisional response that carried our offer: it has the answer
    /// (RFC 3262 §5).
    EarlyAnswer {
        /// Session.
        session: SessionId,
        /// The PRACK.
        request: Message,
    },
    /// One of the early dialogs that our INVITE made is over (RFC 6228), others may go on.
    EarlyEnded {
        /// Session.
        session: SessionId,
        /// The tag of the fork that gave up.
        tag: String,
    },
    /// The dialog is over; the last event of its session.
    Ended {
        /// Session.
        session: SessionId,
        /// Why.
        why: EndWhy,
    },
    /// Our INVITE came to nothing; the session is over.
    Failed {
        /// Session.
        session: SessionId,
        /// The final status; 408 after silence, 503 when the transport failed, 487 after
        /// [`super::UserAgent::cancel`] whatever the other side said.
        status: u16,
        /// The refusal, when there was one.
        response: Option<Message>,
        /// Set when it is the way that failed and not the other side that refused: another route
        /// may be tried.
        unreached: Option<Unreached>,
    },
    /// A new INVITE; 100 has been sent.
    Incoming {
        /// The session made for it.
        session: SessionId,
        /// Where it came from.
        flow: Flow,
        /// The INVITE.
        request: Message,
    },
    /// An INFO in the dialog; 200 has been sent.
    Info {
        /// Session.
        session: SessionId,
        /// The INFO.
        request: Message,
    },
    /// A provisional response other than 100 and 199, each reliable one once and in order. When
    /// our INVITE carried no offer, a reliable one may, and [`super::UserAgent::acknowledge`] must
    /// then carry the answer. Forks are told apart by their To tag.
    Progress {
        /// Session.
        session: SessionId,
        /// The response.
        response: Message,
    },
    /// A NOTIFY about our REFER; 200 has been sent.
    Notified {
        /// Session.
        session: SessionId,
        /// Which REFER.
        refer: ReferId,
        /// The status in its sipfrag; `None` when it cannot be read.
        status: Option<u16>,
        /// Whether nothing more is said about that REFER.
        is_over: bool,
    },
    /// Our re-INVITE or UPDATE was accepted. When a re-INVITE carried no offer, the response does, and
    /// [`super::UserAgent::acknowledge`] must carry the answer.
    Reanswered {
        /// Session.
        session: SessionId,
        /// The 2xx.
        response: Message,
    },
    /// A REFER in the dialog, to be answered by [`super::UserAgent::accept_refer`] or
    /// [`super::UserAgent::refuse_refer`].
    Refer {
        /// Session.
        session: SessionId,
        /// Its name from now on.
        refer: ReferId,
        /// The REFER.
        request: Message,
    },
    /// The final response to our REFER.
    ReferAnswered {
        /// Session.
        session: SessionId,
        /// Which REFER.
        refer: ReferId,
        /// Its status; 408 after silence, 503 when the transport failed.
        status: u16,
    },
    /// A re-INVITE, or an UPDATE or PRACK with an offer, also in an early dialog; to be answered by
    /// [`super::UserAgent::answer_reoffer`] or [`super::UserAgent::refuse_reoffer`].
    Reoffer {
        /// Session.
        session: SessionId,
        /// The request; a re-INVITE without a body asks us for an offer.
        request: Message,
    },
    /// Our re-INVITE or UPDATE was refused; the session goes on as it was unless [`Event::Ended`] follows.
    ReofferFailed {
        /// Session.
        session: SessionId,
        /// Why.
        status: u16,
    },
    /// A request outside any dialog, to be answered by [`super::UserAgent::respond`].
    Request {
        /// What to answer.
        transaction: ServerTransactionId,
        /// Where it came from.
        flow: Flow,
        /// The request.
        request: Message,
    },
    /// The final response to our own request outside any dialog.
    Response {
        /// Which request.
        request: RequestId,
        /// The response, or why there is none.
        response: Result<Message, Failure>,
    },
}

/// Why a dialog ended.
#[derive(Clone, Debug)]
pub enum EndWhy {
    /// Nobody refreshed the session in time, or our refresh failed; we sent BYE (RFC 4028 §10).
    Expired,
    /// We sent BYE and that is settled.
    LocalBye,
    /// Our 2xx was never acknowledged; we sent BYE.
    NoAck,
    /// A reliable provisional response of ours was never acknowledged; we refused the INVITE
    /// (RFC 3262 §3).
    NoPrack,
    /// The other side sent BYE.
    RemoteBye {
        /// The values of its Reason headers (RFC 3326).
        reason: Option<String>,
        /// The BYE.
        request: Message,
    },
    /// The other side no longer answers, or no longer knows the dialog; we sent BYE.
    Timeout,
    /// The transport to the other side failed for good.
    TransportFailed,
}
