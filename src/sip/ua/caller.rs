//! Our INVITE: placing it, what comes back, taking it back.

use crate::base::Timestamp;
use crate::sip::dialog::{Dialog, MAX_FORWARDS};
use crate::sip::transaction::{Reaction, TransactionId, cancellation};
use crate::sip::{Failure, HeaderName, Message, Method, Via};

use super::ability::introduce;
use super::seeker::{Step, Waiter};
use super::session::{Ack, Calling, Deadline, Phase, Session, Side};
use super::settings::{Body, Headers, Invite, Overload, OwnContact};
use super::terms::Reliable;
use super::way::Unreached;
use super::{Event, Owner, SessionId, UserAgent};

impl UserAgent {
    /// Places a call.
    pub fn invite(&mut self, now: Timestamp, mut invite: Invite) -> Result<SessionId, Overload> {
        if self.transactions.len() >= self.identity.settings.limits.transactions {
            return Err(Overload);
        }
        let has_offer = invite.body.is_some();
        let own = OwnContact {
            user: invite.contact_user.clone(),
            params: String::new(),
        };
        let (step, mut way) = self.set_out(now, invite.next_hop, (&mut invite.uri, Some(own)));
        let flow = step.flow();
        let from = (invite.from, self.identity.tag());
        let target = (invite.uri.without_headers(), invite.routes);
        let mut dialog = Dialog::calling(self.identity.call_id(), from, invite.to, target);
        dialog.local_cseq = 1;
        let via = self.identity.via(&flow);
        let contact = self.identity.contact(&invite.contact_user, &flow);
        let mut builder = dialog
            .numbered(Method::Invite, 1, &via, invite.max_forwards)
            .header(HeaderName::Contact, &contact);
        builder = introduce(builder, &invite.terms);
        builder = self.identity.name(builder);
        let mut session = Session::new(dialog, flow, contact, Side::Caller);
        session.terms = invite.terms;
        for (name, value) in demands(&session).into_iter().chain(invite.headers) {
            builder = builder.header(name, value);
        }
        if let Some(body) = &invite.body {
            builder = builder.body(&body.content_type, body.bytes.clone());
        }
        session.said = invite.body;
        let branch = via.branch().unwrap_or_default();
        let transaction = self.keys.client(branch, &Method::Invite);
        session.phase = Phase::Calling(Calling {
            transaction,
            has_offer,
            is_heard: false,
            given_up: None,
            is_cancelled: false,
            farewell: Headers::new(),
            forks: Vec::new(),
            way: None,
        });
        session.credentials = invite.credentials.map(Box::new);
        session.manners = invite.manners;
        let id = self.add_session(session);
        let request = builder.build();
        if let Some(way) = &mut way {
            way.request = request.clone();
        }
        if let Step::Go(flow) = step {
            let request = (flow, request);
            self.start(now, (&Method::Invite, branch), request, Owner::Invite(id));
        }
        self.begin_way(now, id, &step, way);
        if let Some(timeout) = invite.timeout {
            self.timers.set((id, Deadline::Answer), now + timeout);
        }
        Ok(id)
    }

    /// Takes our INVITE back, with headers for the CANCEL such as Reason (RFC 3326);
    /// [`Event::Failed`] with 487 follows. A call that has been answered meanwhile is hung up.
    pub fn cancel(&mut self, now: Timestamp, session: SessionId, headers: &[(HeaderName, String)]) {
        if let Some(calling) = self.calling(session) {
            if calling.given_up.is_none() {
                calling.farewell = headers.to_vec();
            }
            self.give_up(now, session, 487);
        } else {
            self.bye(now, session, headers);
        }
    }

    pub(super) fn give_up(&mut self, now: Timestamp, id: SessionId, status: u16) {
        let Some(calling) = self.calling(id) else {
            return;
        };
        calling.given_up.get_or_insert(status);
        let ask = calling.way.as_ref().and_then(|way| way.ask);
        self.timers.stop(&(id, Deadline::Answer));
        self.leave_way(Waiter::Invite(id), ask);
        if ask.is_some() {
            // Nothing is on the wire while the next address is looked for.
            return self.call_failed(id, status, None);
        }
        self.send_cancel(now, id);
    }

    /// RFC 3261 §9.1: not before a provisional response, and once.
    fn send_cancel(&mut self, now: Timestamp, id: SessionId) {
        let Some(calling) = self.calling(id) else {
            return;
        };
        if calling.given_up.is_none() || !calling.is_heard || calling.is_cancelled {
            return;
        }
        calling.is_cancelled = true;
        let (transaction, farewell) = (calling.transaction, std::mem::take(&mut calling.farewell));
        self.transactions.limit(now, transaction);
        let Some((flow, invite)) = self.transactions.kept(transaction) else {
            return;
        };
        let Ok(invite) = Message::parse(invite) else {
            return;
        };
        if let (Ok(via), Some(cancel)) = (invite.top_via(), cancellation(&invite, &farewell)) {
            let branch = via.branch().unwrap_or_default();
            self.start(
                now,
                (&Method::Cancel, branch),
                (flow, cancel),
                Owner::Nobody,
            );
        }
    }

    pub(super) fn invite_answered(
        &mut self,
        now: Timestamp,
        id: SessionId,
        reaction: &Reaction<Owner>,
        response: &Message,
    ) {
        let status = response.status().unwrap_or(500);
        let Some(calling) = self.calling(id) else {
            if (200..300).contains(&status) {
                self.answered_again(now, id, reaction, response);
            }
            return;
        };
        if calling.transaction != reaction.id {
            return;
        }
        self.invite_heard(now, id, response);
        let Some(calling) = self.calling(id) else {
            return;
        };
        match status {
            100..=199 => {
                calling.is_heard = true;
                let is_wanted = calling.given_up.is_none();
                if is_wanted && status > 100 {
                    self.progressed(now, id, response, status);
                } else {
                    self.send_cancel(now, id);
                }
            }
            200..=299 if calling.given_up.is_some() => {
                // The answer crossed our CANCEL.
                self.dismiss(now, reaction, response);
                self.call_failed(id, 487, None);
            }
            200..=299 => self.call_answered(now, id, reaction.id, response),
            _ => {
                let is_wanted = calling.given_up.is_none();
                if is_wanted && let Some(again) = self.try_again(now, reaction, response) {
                    if let Some(calling) = self.calling(id) {
                        calling.transaction = again;
                        calling.is_heard = false;
                        calling.forks.clear();
                    }
                    return;
                }
                if status == 503 && self.fail_over(now, id, Unreached::Unavailable) {
                    return;
                }
                self.call_failed(id, status, Some(response.clone()));
            }
        }
    }

    pub(super) fn invite_failed(&mut self, now: Timestamp, id: SessionId, failure: Failure) {
        if let Some(calling) = self.calling(id) {
            let is_wanted = calling.given_up.is_none();
            let why = match failure {
                Failure::Timeout => Unreached::Silent,
                Failure::Transport => Unreached::Transport,
            };
            if !is_wanted || !self.fail_over(now, id, why) {
                self.call_failed(id, why.status(), None);
            }
        }
    }

    fn call_answered(
        &mut self,
        now: Timestamp,
        id: SessionId,
        transaction: TransactionId,
        response: &Message,
    ) {
        self.timers.stop(&(id, Deadline::Answer));
        self.leave_way(Waiter::Invite(id), None);
        let cseq = response.cseq().map_or(0, |cseq| cseq.number);
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let has_offer = matches!(&session.phase, Phase::Calling(calling) if calling.has_offer);
        let has_offer = session.confirm_early(response) || has_offer;
        session.phase = Phase::Confirmed;
        session.dialog.establish(response);
        session.peer.learn(response);
        session.ack = Some(Box::new(Ack {
            transaction,
            cseq,
            sent: None,
        }));
        self.forget_other_forks(id);
        self.seek_peer(now, id);
        if has_offer {
            self.send_ack(id, None);
        }
        self.renewed_by_us(now, id, response);
        self.tell(Event::Answered {
            session: id,
            response: response.clone(),
        });
        self.settle(now, id);
    }

    /// A 2xx after the first: the same once more, or from another fork.
    fn answered_again(
        &mut self,
        now: Timestamp,
        id: SessionId,
        reaction: &Reaction<Owner>,
        response: &Message,
    ) {
        let to = response.to();
        let tag = to.as_ref().ok().and_then(|to| to.tag()).unwrap_or("");
        match self.sessions.get(&id) {
            Some(session) if session.dialog.remote_tag == tag => {
                self.repeat_ack(id, reaction.id);
            }
            _ => self.dismiss(now, reaction, response),
        }
    }

    /// Gives the answer that the ACK of a 2xx with an offer must carry, or the PRACK of a reliable
    /// provisional response with one (RFC 3262 §5); nothing when neither is owed.
    pub fn acknowledge(&mut self, now: Timestamp, session: SessionId, body: Option<Body>) {
        if self.answer_early(now, session, body.as_ref()) {
            return;
        }
        if let (Some(body), Some(state)) = (&body, self.sessions.get_mut(&session)) {
            state.said = Some(body.clone());
        }
        if self.sessions.get(&session).is_some_and(Session::owes_ack) {
            self.send_ack(session, body.as_ref());
            self.settle(now, session);
        }
    }

    /// Sends the ACK that is owed.
    pub(super) fn send_ack(&mut self, id: SessionId, body: Option<&Body>) {
        if self.park_ack(id, body) {
            return;
        }
        let Some(session) = self.sessions.get(&id) else {
            return;
        };
        let Some(ack) = session.ack.as_ref() else {
            return;
        };
        let flow = session.dialog.next_hop(session.flow);
        let via: Via = self.identity.via(&flow);
        let mut builder = session
            .dialog
            .numbered(Method::Ack, ack.cseq, &via, MAX_FORWARDS);
        if session.credentials.is_some() {
            let invite = ack.transaction;
            for (name, value) in self.credentials_of(invite) {
                builder = builder.header(name, value);
            }
        }
        if let Some(body) = body {
            builder = builder.body(&body.content_type, body.bytes.clone());
        }
        let mut bytes = builder.build();
        if let Some(manners) = &session.manners {
            bytes = manners.dress(bytes);
        }
        if let Some(session) = self.sessions.get_mut(&id)
            && let Some(ack) = session.ack.as_mut()
        {
            ack.sent = Some((flow, bytes.clone()));
        }
        self.stats.request_sent(&Method::Ack);
        self.transmit(flow, bytes);
    }

    /// Answers a repeated 2xx with the ACK it must have missed.
    pub(super) fn repeat_ack(&mut self, id: SessionId, transaction: TransactionId) {
        let ack = self
            .sessions
            .get(&id)
            .and_then(|session| session.ack.as_ref());
        if let Some(ack) = ack
            && ack.transaction == transaction
            && let Some((flow, bytes)) = &ack.sent
        {
            let (flow, bytes) = (*flow, bytes.clone());
            self.transmit(flow, bytes);
        }
    }

    pub(super) fn calling(&mut self, id: SessionId) -> Option<&mut Calling> {
        match &mut self.sessions.get_mut(&id)?.phase {
            Phase::Calling(calling) => Some(calling),
            _ => None,
        }
    }

    pub(super) fn call_failed(&mut self, id: SessionId, status: u16, response: Option<Message>) {
        let Some(calling) = self.calling(id) else {
            return;
        };
        let given_up = calling.given_up;
        let (ask, noted) = match &calling.way {
            Some(way) => (way.ask, way.unreached),
            None => (None, None),
        };
        let unreached = match (given_up, status, &response) {
            (Some(_), _, _) => None,
            (None, 503, Some(_)) => Some(Unreached::Unavailable),
            (None, _, Some(_)) => None,
            (None, 408, None) => noted.or(Some(Unreached::Silent)),
            (None, _, None) => noted.or(Some(Unreached::Transport)),
        };
        self.leave_way(Waiter::Invite(id), ask);
        self.remove_session(id);
        self.tell(Event::Failed {
            session: id,
            status: given_up.unwrap_or(status),
            response,
            unreached,
        });
    }
}

/// What our INVITE asks of the other side beyond RFC 3261.
fn demands(session: &Session) -> Headers {
    let terms = &session.terms;
    let mut headers = session.renewal_headers();
    let mut required = Vec::new();
    if terms.reliable == Reliable::Required {
        required.push("100rel");
    }
    if terms.timer.is_some_and(|timer| timer.required) {
        required.push("timer");
    }
    if !required.is_empty() {
        headers.push((HeaderName::Require, required.join(", ")));
    }
    headers
}
