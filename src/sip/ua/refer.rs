//! Their REFER in a dialog (RFC 3515): asked of the call, accepted with 202, refused, and without a
//! subscription where both sides want none (RFC 4488).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::sip::transaction::TransactionId;
use crate::sip::{HeaderName, Message};

use super::reply::Reply;
use super::screen::Arrived;
use super::session::Phase;
use super::{Event, Owner, SessionId, UserAgent};

/// A REFER within its dialog: the number of its CSeq, which is also the `id` of its subscription
/// (RFC 3515 §2.4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReferId(pub u32);

impl fmt::Display for ReferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Their REFER that the call has not answered yet.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) refer: ReferId,
    pub(super) transaction: TransactionId,
    pub(super) request: Message,
}

impl UserAgent {
    /// Accepts a REFER: 202, and NOTIFY with `100 Trying` unless no subscription is wanted.
    pub fn accept_refer(&mut self, now: Timestamp, session: SessionId, refer: ReferId) {
        let Some(asked) = self.take_asked(session, refer) else {
            return;
        };
        let is_silent = asked
            .request
            .header_text(HeaderName::ReferSub)
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
        let headers = match is_silent {
            // RFC 4488 §4: the 2xx repeats it, and no subscription is made.
            true => vec![(HeaderName::ReferSub, "false".to_owned())],
            false => Vec::new(),
        };
        let request = (asked.transaction, &asked.request);
        self.reply_with_contact(now, session, request, Reply::with_headers(202, &headers));
        self.transactions
            .set_owner(asked.transaction, Owner::Nobody);
        if is_silent {
            return;
        }
        if let Some(state) = self.sessions.get_mut(&session) {
            state.subscriptions_mut().begin(now, refer);
        }
        self.watch_subscriptions(session);
        // RFC 3515 §2.4.4: at once, whatever is known.
        self.notify(now, session, refer, 100);
    }

    /// Refuses a REFER with a status from 300.
    pub fn refuse_refer(
        &mut self,
        now: Timestamp,
        session: SessionId,
        refer: ReferId,
        status: u16,
    ) {
        let Some(asked) = self.take_asked(session, refer) else {
            return;
        };
        let request = (asked.transaction, &asked.request);
        self.reply_in(now, session, request, Reply::status(status.clamp(300, 699)));
        self.transactions
            .set_owner(asked.transaction, Owner::Nobody);
    }

    pub(super) fn handle_refer(&mut self, now: Timestamp, id: SessionId, arrived: Arrived) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let status = match session.phase {
            Phase::Confirmed => None,
            // Before the answer there is nobody to be transferred.
            Phase::Calling(_) | Phase::Ringing(_) => Some(403),
            Phase::Ending { .. } => Some(481),
        };
        let is_full = session
            .subscriptions
            .as_ref()
            .is_some_and(|all| all.asked.is_some() || all.theirs.len() >= MAX_REFERS);
        if let Some(status) = status.or(is_full.then_some(491)) {
            return self.refuse_in(now, id, &arrived, Reply::status(status));
        }
        let refer = ReferId(arrived.request.cseq().map_or(0, |cseq| cseq.number));
        session.subscriptions_mut().asked = Some(Asked {
            refer,
            transaction: arrived.id,
            request: arrived.request.clone(),
        });
        self.serve(now, &arrived, None, Owner::TheirRefer(id));
        self.tell(Event::Refer {
            session: id,
            refer,
            request: arrived.request,
        });
    }

    fn take_asked(&mut self, session: SessionId, refer: ReferId) -> Option<Asked> {
        let all = self.sessions.get_mut(&session)?.subscriptions.as_mut()?;
        match all.asked.take() {
            Some(asked) if asked.refer == refer => Some(asked),
            other => {
                all.asked = other;
                None
            }
        }
    }

    /// The call never answered: the sender has given up by now.
    pub(super) fn forget_refer(&mut self, session: SessionId) {
        if let Some(state) = self.sessions.get_mut(&session)
            && let Some(all) = state.subscriptions.as_mut()
        {
            all.asked = None;
        }
    }
}

/// Subscriptions one dialog may hold at a time; a transfer is over before the next begins.
const MAX_REFERS: usize = 4;
