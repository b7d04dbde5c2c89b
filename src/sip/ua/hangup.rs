//! BYE from either side, and how a session ends.

use crate::base::{Cause, Timestamp};
use crate::sip::transaction::Reaction;
use crate::sip::{HeaderName, Message, Method, Reason};

use super::reply::Reply;
use super::screen::Arrived;
use super::session::{Phase, UnderWay};
use super::settings::Headers;
use super::{EndWhy, Event, Owner, SessionId, UserAgent};

impl UserAgent {
    /// Ends a session whatever its state: an INVITE of ours is cancelled, one of theirs refused
    /// with 480, a dialog ended with BYE. The BYE of an INVITE we accepted waits for its ACK
    /// (RFC 3261 §15).
    pub fn bye(&mut self, now: Timestamp, session: SessionId, headers: &[(HeaderName, String)]) {
        let Some(state) = self.sessions.get_mut(&session) else {
            return;
        };
        match &state.phase {
            Phase::Calling(_) => self.cancel(now, session, headers),
            Phase::Ringing(_) => {
                self.reject(now, session, 480, headers);
                let why = EndWhy::LocalBye;
                self.tell(Event::Ended { session, why });
            }
            // A BYE must not overtake the NOTIFY that says how a transfer went.
            Phase::Confirmed
                if state.is_notifying() || state.accepted.as_ref().is_some_and(|a| a.is_first) =>
            {
                state.hangup = Some(headers.to_vec());
            }
            Phase::Confirmed => self.send_bye(now, session, headers, false),
            Phase::Ending { .. } => {}
        }
    }

    /// Ends a dialog that has failed: the call is told now, the BYE is sent all the same.
    pub(super) fn end_failed(&mut self, now: Timestamp, session: SessionId, why: EndWhy) {
        let headers = self
            .sessions
            .get_mut(&session)
            .and_then(|state| state.hangup.take())
            .unwrap_or_else(|| reason_of(&why));
        self.send_bye(now, session, &headers, true);
        self.tell(Event::Ended { session, why });
    }

    fn send_bye(
        &mut self,
        now: Timestamp,
        id: SessionId,
        headers: &[(HeaderName, String)],
        is_told: bool,
    ) {
        self.drop_offers(now, id);
        self.seek_peer(now, id);
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        session.phase = Phase::Ending { is_told };
        let flow = session.dialog.next_hop(session.flow);
        let via = self.identity.via(&flow);
        let mut builder = session.dialog.request(Method::Bye, &via);
        builder = self.identity.name(builder);
        for (name, value) in headers {
            builder = builder.header(name.clone(), value);
        }
        let branch = via.branch().unwrap_or_default();
        let request = (flow, builder.build());
        self.start(now, (&Method::Bye, branch), request, Owner::Bye(id));
    }

    pub(super) fn bye_answered(
        &mut self,
        now: Timestamp,
        id: SessionId,
        reaction: &Reaction<Owner>,
        response: &Message,
    ) {
        let is_final = response.status().is_some_and(|status| status >= 200);
        if is_final && self.try_again(now, reaction, response).is_none() {
            self.ended(id, EndWhy::LocalBye);
        }
    }

    pub(super) fn bye_failed(&mut self, id: SessionId) {
        self.ended(id, EndWhy::LocalBye);
    }

    pub(super) fn handle_bye(&mut self, now: Timestamp, session: SessionId, arrived: Arrived) {
        self.confirm(now, session, &arrived);
        let Some(state) = self.sessions.get(&session) else {
            return;
        };
        match state.phase {
            // Both hang up at once: our BYE's own end reports it.
            Phase::Ending { .. } | Phase::Calling(_) => {}
            Phase::Ringing(_) => {
                self.reject(now, session, 487, &[]);
                let reason = arrived.request.reason();
                self.tell(Event::Cancelled { session, reason });
            }
            Phase::Confirmed => {
                self.drop_offers(now, session);
                let reason = arrived.request.reason();
                let request = arrived.request;
                self.ended(session, EndWhy::RemoteBye { reason, request });
            }
        }
    }

    /// Settles what is under way before a dialog ends: their INVITE is refused with 487
    /// (RFC 3261 §15.1.2), the ACK we owe is sent.
    fn drop_offers(&mut self, now: Timestamp, id: SessionId) {
        if let Some(theirs) = self.take_reoffer(id) {
            let request = (theirs.transaction, &theirs.request);
            self.reply_in(now, id, request, Reply::status(487));
            self.transactions
                .set_owner(theirs.transaction, Owner::Nobody);
        }
        let refer = self.sessions.get(&id).and_then(|session| {
            let asked = session.subscriptions.as_ref()?.asked.as_ref()?;
            Some(asked.refer)
        });
        if let Some(refer) = refer {
            self.refuse_refer(now, id, refer, 487);
        }
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        session.accepted = None;
        session.reoffer.wanted = None;
        session.reoffer.is_refresh_due = false;
        session.reoffer.refresh = None;
        if let UnderWay::Ours { transaction, .. } = session.reoffer.under_way {
            self.transactions.limit(now, transaction);
            session.reoffer.under_way = UnderWay::Nothing;
        }
        if session.owes_ack() {
            // Where it goes is not waited for any more.
            self.seeker.forget_dialog(id);
            self.send_ack(id, None);
        }
        self.stop_session_timers(id);
    }

    fn ended(&mut self, session: SessionId, why: EndWhy) {
        let Some(state) = self.remove_session(session) else {
            return;
        };
        if !matches!(state.phase, Phase::Ending { is_told: true }) {
            self.tell(Event::Ended { session, why });
        }
    }
}

/// The Reason (RFC 3326) of a BYE that nobody asked us for.
fn reason_of(why: &EndWhy) -> Headers {
    let status = match why {
        EndWhy::TransportFailed => 503,
        _ => 408,
    };
    let cause = Cause::from_status(status);
    let reason = Reason::q850(cause.q850, cause.words.as_str());
    vec![(HeaderName::Reason, reason.to_string())]
}
