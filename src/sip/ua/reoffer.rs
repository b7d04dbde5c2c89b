//! re-INVITE and UPDATE, both ways (RFC 3261 §14, RFC 3311).

use std::time::Duration;

use crate::base::Timestamp;
use crate::sip::transaction::{Reaction, TransactionId};
use crate::sip::{Failure, HeaderName, Message, Method};

use super::reply::{ALLOW, Reply};
use super::screen::Arrived;
use super::session::{Ack, Deadline, Phase, Ringing, Session, Side, UnderWay};
use super::settings::Body;
use super::{EndWhy, Event, Owner, SessionId, UserAgent};

impl UserAgent {
    /// Sends a re-INVITE; without a body it asks the other side for an offer. It waits until
    /// nothing else is under way; of several that wait the last is sent. Collisions (491) are
    /// tried again by themselves a few times.
    pub fn reinvite(&mut self, now: Timestamp, session: SessionId, body: Option<Body>) {
        if let Some(state) = self.sessions.get_mut(&session)
            && !matches!(state.phase, Phase::Ending { .. })
        {
            state.reoffer.wanted = Some(body);
            state.reoffer.collisions = 0;
            self.settle(now, session);
        }
    }

    /// Answers their re-INVITE or UPDATE with 200. To a re-INVITE without a body, `body` is an
    /// offer and the answer comes in [`Event::Acknowledged`].
    pub fn answer_reoffer(&mut self, now: Timestamp, session: SessionId, body: Option<Body>) {
        let Some(theirs) = self.take_reoffer(session) else {
            return;
        };
        let reply = Reply {
            body: body.as_ref(),
            ..Reply::status(200)
        };
        let request = (theirs.transaction, &theirs.request);
        self.transactions
            .set_owner(theirs.transaction, Owner::Nobody);
        if theirs.request.method() == Method::Invite {
            self.accept_with(now, session, request, reply, false);
        } else {
            self.reply_with_contact(now, session, request, reply);
        }
        self.settle(now, session);
    }

    /// Refuses their re-INVITE or UPDATE; the session goes on as it was.
    pub fn refuse_reoffer(&mut self, now: Timestamp, session: SessionId, status: u16) {
        let Some(theirs) = self.take_reoffer(session) else {
            return;
        };
        let request = (theirs.transaction, &theirs.request);
        self.reply_in(now, session, request, Reply::status(status.clamp(300, 699)));
        self.transactions
            .set_owner(theirs.transaction, Owner::Nobody);
        self.settle(now, session);
    }

    pub(super) fn handle_reoffer(&mut self, now: Timestamp, id: SessionId, arrived: Arrived) {
        if let Some(status) = self.sessions.get(&id).and_then(collision) {
            return self.refuse_collision(now, id, &arrived, status);
        }
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        session.dialog.refresh(&arrived.request);
        session.flow = arrived.flow;
        let is_refresh = arrived.method == Method::Update && arrived.request.body().is_empty();
        if is_refresh {
            self.serve(now, &arrived, None, Owner::Nobody);
            let request = (arrived.id, &arrived.request);
            self.reply_with_contact(now, id, request, Reply::status(200));
            return;
        }
        session.reoffer.under_way = UnderWay::Theirs(Box::new(Ringing {
            transaction: arrived.id,
            request: arrived.request.clone(),
        }));
        self.serve(now, &arrived, None, Owner::TheirReoffer(id));
        if arrived.method == Method::Invite {
            self.reply(now, arrived.id, &arrived.request, Reply::status(100));
        }
        self.tell(Event::Reoffer {
            session: id,
            request: arrived.request,
        });
    }

    fn refuse_collision(&mut self, now: Timestamp, id: SessionId, arrived: &Arrived, status: u16) {
        let mut headers = Vec::new();
        if status == 500 {
            let seconds = self.identity.entropy.below(11);
            headers.push((HeaderName::RetryAfter, seconds.to_string()));
        }
        self.refuse_in(now, id, arrived, Reply::with_headers(status, &headers));
    }

    /// Does what had to wait, once nothing is under way: our BYE, our re-INVITE.
    pub(super) fn settle(&mut self, now: Timestamp, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let may_hang_up = matches!(session.phase, Phase::Confirmed)
            && session.accepted.is_none()
            && !session.is_notifying();
        if may_hang_up && let Some(headers) = session.hangup.take() {
            return self.bye(now, id, &headers);
        }
        if !session.is_stable() || session.reoffer.is_backing_off {
            return;
        }
        if let Some(body) = session.reoffer.wanted.take() {
            self.send_reinvite(now, id, body);
        }
    }

    fn send_reinvite(&mut self, now: Timestamp, id: SessionId, body: Option<Body>) {
        self.seek_peer(now, id);
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let flow = session.dialog.next_hop(session.flow);
        let via = self.identity.via(&flow);
        let mut builder = session
            .dialog
            .request(Method::Invite, &via)
            .header(HeaderName::Contact, &session.contact)
            .header(HeaderName::Allow, ALLOW);
        builder = self.identity.name(builder);
        if let Some(body) = &body {
            builder = builder.body(&body.content_type, body.bytes.clone());
        }
        let branch = via.branch().unwrap_or_default();
        let transaction = self.keys.client(branch, &Method::Invite);
        session.reoffer.under_way = UnderWay::Ours { transaction, body };
        let request = (flow, builder.build());
        self.start(now, (&Method::Invite, branch), request, Owner::Reinvite(id));
    }

    pub(super) fn reinvite_answered(
        &mut self,
        now: Timestamp,
        id: SessionId,
        reaction: &Reaction<Owner>,
        response: &Message,
    ) {
        let status = response.status().unwrap_or(500);
        let Some(session) = self.sessions.get_mut(&id) else {
            if (200..300).contains(&status) {
                self.dismiss(now, reaction, response);
            }
            return;
        };
        let has_offer = match &session.reoffer.under_way {
            UnderWay::Ours { transaction, body } if *transaction == reaction.id => body.is_some(),
            _ => {
                // Over already: repeated, or overtaken by a BYE.
                if (200..300).contains(&status) {
                    self.acknowledge_late(id, reaction.id, response);
                }
                return;
            }
        };
        match status {
            100..=199 => {}
            200..=299 => {
                session.reoffer.under_way = UnderWay::Nothing;
                session.reoffer.collisions = 0;
                session.dialog.refresh(response);
                session.ack = Some(Box::new(Ack {
                    transaction: reaction.id,
                    cseq: response.cseq().map_or(0, |cseq| cseq.number),
                    sent: None,
                }));
                self.seek_peer(now, id);
                if has_offer {
                    self.send_ack(id, None);
                }
                self.tell(Event::Reanswered {
                    session: id,
                    response: response.clone(),
                });
                self.settle(now, id);
            }
            _ => self.reinvite_refused(now, id, reaction, response),
        }
    }

    fn reinvite_refused(
        &mut self,
        now: Timestamp,
        id: SessionId,
        reaction: &Reaction<Owner>,
        response: &Message,
    ) {
        let again = self.try_again(now, reaction, response);
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        if let (UnderWay::Ours { transaction, .. }, Some(again)) =
            (&mut session.reoffer.under_way, again)
        {
            *transaction = again;
            return;
        }
        let UnderWay::Ours { body, .. } = std::mem::take(&mut session.reoffer.under_way) else {
            return;
        };
        let status = response.status().unwrap_or(500);
        if status == 491 && session.reoffer.collisions < MAX_COLLISIONS {
            session.reoffer.collisions += 1;
            session.reoffer.is_backing_off = true;
            session.reoffer.wanted.get_or_insert(body);
            let wait = back_off(session.side, self.identity.entropy.below(200));
            self.timers.set((id, Deadline::Retry), now + wait);
            return;
        }
        self.tell(Event::ReofferFailed {
            session: id,
            status,
        });
        if matches!(status, 408 | 481) {
            // RFC 3261 §12.2.1.2: the dialog is no more.
            return self.end_failed(now, id, EndWhy::Timeout);
        }
        self.settle(now, id);
    }

    pub(super) fn reinvite_failed(&mut self, now: Timestamp, id: SessionId, failure: Failure) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        if !matches!(session.phase, Phase::Confirmed) {
            return;
        }
        session.reoffer.under_way = UnderWay::Nothing;
        let (status, why) = match failure {
            Failure::Timeout => (408, EndWhy::Timeout),
            Failure::Transport => (503, EndWhy::TransportFailed),
        };
        self.tell(Event::ReofferFailed {
            session: id,
            status,
        });
        self.end_failed(now, id, why);
    }

    pub(super) fn retry_reinvite(&mut self, now: Timestamp, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.reoffer.is_backing_off = false;
            self.settle(now, id);
        }
    }

    /// A 2xx to a re-INVITE that is over for us must still have its ACK.
    fn acknowledge_late(&mut self, id: SessionId, transaction: TransactionId, response: &Message) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let is_known = session
            .ack
            .as_ref()
            .is_some_and(|ack| ack.transaction == transaction);
        if is_known {
            return self.repeat_ack(id, transaction);
        }
        session.ack = Some(Box::new(Ack {
            transaction,
            cseq: response.cseq().map_or(0, |cseq| cseq.number),
            sent: None,
        }));
        self.send_ack(id, None);
    }
}

/// Why their offer cannot be taken now (RFC 3261 §14.2, RFC 5407 §3.1).
fn collision(session: &Session) -> Option<u16> {
    match (&session.phase, &session.reoffer.under_way) {
        (Phase::Ending { .. } | Phase::Calling(_), _) => Some(481),
        (Phase::Ringing(_), _) | (_, UnderWay::Theirs(_)) => Some(500),
        (_, UnderWay::Ours { .. }) => Some(491),
        _ if session.accepted.is_some() || session.owes_ack() => Some(491),
        _ => None,
    }
}

/// Who made the Call-ID waits longer (RFC 3261 §14.1), in units of 10 ms.
fn back_off(side: Side, random: u64) -> Duration {
    match side {
        Side::Called => Duration::from_millis(random * 10),
        Side::Caller => Duration::from_millis(2100 + random.min(190) * 10),
    }
}

/// Collisions in a row before the call is told.
const MAX_COLLISIONS: u8 = 4;
