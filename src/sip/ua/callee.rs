//! Their INVITE: ringing, accepting, refusing; their CANCEL and their ACK.

use crate::base::Timestamp;
use crate::base::reason::phrase;
use crate::sip::dialog::Dialog;
use crate::sip::guard::Attack;
use crate::sip::stats::count;
use crate::sip::transaction::TransactionId;
use crate::sip::{HeaderName, Message, Method, Reason, Via};

use super::ability::Peer;
use super::reply::Reply;
use super::screen::Arrived;
use super::session::{Accepted, Deadline, Phase, Ringing, Session, Side, UnderWay};
use super::settings::Body;
use super::{Event, Owner, SessionId, UserAgent};

impl UserAgent {
    pub(super) fn handle_invite(&mut self, now: Timestamp, arrived: Arrived, merge: u64) {
        let local_tag = self.identity.tag();
        let Some(dialog) = Dialog::called(&arrived.request, local_tag) else {
            let reply = Reply {
                words: Some("Bad Request: no Contact"),
                ..Reply::status(400)
            };
            return self.refuse_arrived(&arrived, reply);
        };
        let uri = arrived.request.request_uri().and_then(Result::ok);
        let user = uri.as_ref().map(|uri| uri.user_decoded());
        let user = user.as_deref().unwrap_or_default();
        let contact = self.identity.contact(user, &arrived.flow);
        let mut session = Session::new(dialog, arrived.flow, contact, Side::Called);
        session.phase = Phase::Ringing(Box::new(Ringing {
            transaction: arrived.id,
            request: arrived.request.clone(),
            is_early: false,
        }));
        session.peer = Peer::of(&arrived.request);
        let session = self.add_session(session);
        self.serve(now, &arrived, Some(merge), Owner::Incoming(session));
        self.reply(now, arrived.id, &arrived.request, Reply::status(100));
        self.tell(Event::Incoming {
            session,
            flow: arrived.flow,
            request: arrived.request,
        });
    }

    /// Sends a provisional response, 101 to 199, with a tag: the early dialog begins. It goes
    /// reliably (RFC 3262) when the terms and the other side have it so: where both only can, one
    /// with a description does.
    pub fn ring(
        &mut self,
        now: Timestamp,
        session: SessionId,
        status: u16,
        headers: &[(HeaderName, String)],
        body: Option<Body>,
    ) {
        let Some((id, request)) = self.ringing(session) else {
            return;
        };
        let status = status.clamp(101, 199);
        let body = match self.ring_reliably(now, session, status, headers, body) {
            Ok(()) => return self.timers.set((session, Deadline::Refresh), now + REFRESH),
            Err(body) => body,
        };
        if let Some(Phase::Ringing(ringing)) = self.phase_mut(session) {
            ringing.is_early = true;
        }
        let reply = Reply {
            body: body.as_ref(),
            ..Reply::with_headers(status, headers)
        };
        self.reply_with_contact(now, session, (id, &request), reply);
        self.timers.set((session, Deadline::Refresh), now + REFRESH);
    }

    /// Accepts their INVITE; the 2xx is repeated until its ACK comes. It waits for the PRACK of a
    /// description sent before, and does not repeat one that was acknowledged.
    pub fn accept(
        &mut self,
        now: Timestamp,
        session: SessionId,
        headers: &[(HeaderName, String)],
        body: Option<Body>,
    ) {
        let Some((id, request)) = self.ringing(session) else {
            return;
        };
        self.timers.stop(&(session, Deadline::Refresh));
        let Some(body) = self.hold_accept(session, headers, body) else {
            return;
        };
        let reply = Reply {
            body: body.as_ref(),
            ..Reply::with_headers(200, headers)
        };
        self.transactions.set_owner(id, Owner::Nobody);
        if let Some(phase) = self.phase_mut(session) {
            *phase = Phase::Confirmed;
        }
        self.accept_with(now, session, (id, &request), reply, true);
        // By the time we have something to say it is known where to.
        self.seek_peer(now, session);
    }

    /// Refuses their INVITE with a status from 300; the session is over.
    pub fn reject(
        &mut self,
        now: Timestamp,
        session: SessionId,
        status: u16,
        headers: &[(HeaderName, String)],
    ) {
        let Some((id, request)) = self.ringing(session) else {
            return;
        };
        let status = status.clamp(300, 699);
        self.end_early(now, session, (id, &request), status);
        let reply = Reply::with_headers(status, headers);
        self.reply_in(now, session, (id, &request), reply);
        self.transactions.set_owner(id, Owner::Nobody);
        self.remove_session(session);
    }

    /// Says that our early dialog is over before the refusal does, which a proxy that forks may keep
    /// back (RFC 6228 §6); not to who takes reliable responses only, for this one is not.
    fn end_early(
        &mut self,
        now: Timestamp,
        session: SessionId,
        (id, request): (TransactionId, &Message),
        status: u16,
    ) {
        let Some(state) = self.sessions.get(&session) else {
            return;
        };
        let is_early = matches!(&state.phase, Phase::Ringing(ringing) if ringing.is_early);
        let is_wanted = state.peer.early_ends && !state.peer.only_reliable;
        // A CANCEL's 487 is no news to who sent it.
        if is_early && is_wanted && status != 487 {
            let reason = Reason::sip(status, phrase(status)).to_string();
            let headers = [(HeaderName::Reason, reason)];
            self.reply_in(
                now,
                session,
                (id, request),
                Reply::with_headers(199, &headers),
            );
        }
    }

    /// Sends a 2xx to an INVITE and watches for its ACK.
    pub(super) fn accept_with(
        &mut self,
        now: Timestamp,
        session: SessionId,
        (id, request): (TransactionId, &Message),
        reply: Reply<'_>,
        is_first: bool,
    ) {
        let mut headers = self.renew_by_answer(now, session, request);
        headers.extend_from_slice(reply.headers);
        if let (Some(body), Some(state)) = (reply.body, self.sessions.get_mut(&session)) {
            state.said = Some(body.clone());
        }
        let reply = Reply {
            headers: &headers,
            ..reply
        };
        let sent = self.reply_with_contact(now, session, (id, request), reply);
        let timing = self.transactions.timing();
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        let Some(state) = self.sessions.get_mut(&session) else {
            return;
        };
        // Without a transaction it has already ended: nobody will acknowledge.
        let Some((flow, response)) = sent else {
            return;
        };
        state.accepted = Some(Box::new(Accepted {
            cseq,
            flow,
            response,
            interval: timing.t1,
            is_first,
        }));
        self.timers
            .set((session, Deadline::Repeat), now + timing.t1);
        self.timers
            .set((session, Deadline::NoAck), now + timing.patience());
    }

    pub(super) fn handle_ack(&mut self, now: Timestamp, id: TransactionId, ack: &Message) {
        if let Some(reaction) = self.transactions.handle_request(now, id, true)
            && !reaction.step.deliver
        {
            return;
        }
        let (Ok(from), Ok(to), Ok(cseq)) = (ack.from(), ack.to(), ack.cseq()) else {
            return count(&self.stats.malformed);
        };
        let session = to
            .tag()
            .and_then(|local| self.find_session(ack, local, from.tag()));
        let Some(id) = session else {
            return count(&self.stats.dropped);
        };
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let is_awaited = session
            .accepted
            .as_ref()
            .is_some_and(|accepted| accepted.cseq == cseq.number);
        if !is_awaited {
            return count(&self.stats.repeats_received);
        }
        session.accepted = None;
        session.provisional = None;
        self.timers.stop(&(id, Deadline::Repeat));
        self.timers.stop(&(id, Deadline::NoAck));
        self.tell(Event::Acknowledged {
            session: id,
            body: ack.clone(),
        });
        self.settle(now, id);
    }

    pub(super) fn handle_cancel(&mut self, now: Timestamp, arrived: &Arrived, via: &Via) {
        let invite = self.keys.server(via, &arrived.request, &Method::Invite);
        let Some(owner) = self.transactions.owner(invite).copied() else {
            self.stray = Some(Attack::ForgedRequest);
            return self.refuse_arrived(arrived, Reply::status(481));
        };
        self.serve(now, arrived, None, Owner::Nobody);
        let session = match owner {
            Owner::Incoming(session) | Owner::TheirReoffer(session) => Some(session),
            _ => None,
        };
        let tag = match session.and_then(|session| self.sessions.get(&session)) {
            Some(session) => session.dialog.local_tag.clone(),
            None => self.identity.fixed_tag(self.keys.tag(invite)),
        };
        let reply = Reply {
            tag: &tag,
            ..Reply::status(200)
        };
        self.reply(now, arrived.id, &arrived.request, reply);
        if !self.transactions.is_proceeding(invite) {
            return;
        }
        match owner {
            Owner::Incoming(session) => {
                self.reject(now, session, 487, &[]);
                let reason = arrived.request.reason();
                self.tell(Event::Cancelled { session, reason });
            }
            Owner::TheirReoffer(session) => self.refuse_reoffer(now, session, 487),
            _ => {}
        }
    }

    /// Sends our 2xx once more (RFC 3261 §13.3.1.4: over any transport).
    pub(super) fn repeat_accept(&mut self, now: Timestamp, id: SessionId) {
        let longest = self.transactions.timing().t2;
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let Some(accepted) = session.accepted.as_mut() else {
            return;
        };
        accepted.interval = accepted.interval.saturating_mul(2).min(longest);
        let (flow, response) = (accepted.flow, accepted.response.clone());
        self.timers
            .set((id, Deadline::Repeat), now + accepted.interval);
        count(&self.stats.repeats_sent);
        self.transmit(flow, response);
    }

    /// Sends the last provisional once more, so that no proxy on the way gives up.
    pub(super) fn refresh_ringing(&mut self, now: Timestamp, id: SessionId) {
        let Some((transaction, _)) = self.ringing(id) else {
            return;
        };
        if let Some((flow, response)) = self.transactions.kept(transaction) {
            self.transmit(flow, response);
            self.timers.set((id, Deadline::Refresh), now + REFRESH);
        }
    }

    fn ringing(&self, id: SessionId) -> Option<(TransactionId, Message)> {
        match &self.sessions.get(&id)?.phase {
            Phase::Ringing(ringing) => Some((ringing.transaction, ringing.request.clone())),
            _ => None,
        }
    }

    fn phase_mut(&mut self, id: SessionId) -> Option<&mut Phase> {
        self.sessions.get_mut(&id).map(|session| &mut session.phase)
    }

    /// Their re-INVITE, UPDATE or PRACK that waits for us.
    pub(super) fn take_reoffer(&mut self, id: SessionId) -> Option<Box<Ringing>> {
        let under_way = &mut self.sessions.get_mut(&id)?.reoffer.under_way;
        match std::mem::take(under_way) {
            UnderWay::Theirs(ringing) => Some(ringing),
            other => {
                *under_way = other;
                None
            }
        }
    }
}

/// A provisional response at least every minute (RFC 3261 §13.3.1.1).
const REFRESH: std::time::Duration = std::time::Duration::from_secs(60);
