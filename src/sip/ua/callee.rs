//! Their INVITE: ringing, accepting, refusing; their CANCEL and their ACK.

use crate::base::Timestamp;
use crate::sip::dialog::Dialog;
use crate::sip::stats::count;
use crate::sip::transaction::TransactionId;
use crate::sip::{HeaderName, Message, Method, Via};

use super::reply::Reply;
use super::screen::Arrived;
use super::session::{Accepted, Deadline, Phase, Ringing, Session, Side, UnderWay};
use super::settings::Body;
use super::{Event, Owner, SessionId, UserAgent};

impl UserAgent {
    pub(super) fn handle_invite(&mut self, now: Timestamp, arrived: Arrived, merge: u128) {
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
        }));
        let session = self.add_session(session);
        self.serve(now, &arrived, Some(merge), Owner::Incoming(session));
        self.reply(now, arrived.id, &arrived.request, Reply::status(100));
        self.tell(Event::Incoming {
            session,
            flow: arrived.flow,
            request: arrived.request,
        });
    }

    /// Sends a provisional response, 101 to 199, with a tag: the early dialog begins.
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
        let reply = Reply {
            body: body.as_ref(),
            ..Reply::with_headers(status.clamp(101, 199), headers)
        };
        self.reply_with_contact(now, session, (id, &request), reply);
        self.timers.set((session, Deadline::Refresh), now + REFRESH);
    }

    /// Accepts their INVITE; the 2xx is repeated until its ACK comes.
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
        let reply = Reply {
            body: body.as_ref(),
            ..Reply::with_headers(200, headers)
        };
        self.transactions.set_owner(id, Owner::Nobody);
        self.accept_with(now, session, (id, &request), reply, true);
        if let Some(session) = self.sessions.get_mut(&session) {
            session.phase = Phase::Confirmed;
        }
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
        let reply = Reply::with_headers(status.clamp(300, 699), headers);
        self.reply_in(now, session, (id, &request), reply);
        self.transactions.set_owner(id, Owner::Nobody);
        self.remove_session(session);
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
                self.tell(Event::Cancelled { session });
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

    /// Their re-INVITE or UPDATE that waits for us.
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
