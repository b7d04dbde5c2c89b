//! re-INVITE and UPDATE, both ways (RFC 3261 §14, RFC 3311), and who yields when they meet.

use std::time::Duration;

use crate::base::Timestamp;
use crate::sip::transaction::{Reaction, TransactionId};
use crate::sip::{Failure, HeaderName, Message, Method};

use super::ability::introduce;
use super::prack::Spoken;
use super::reply::Reply;
use super::screen::Arrived;
use super::session::{Ack, By, Deadline, Phase, Purpose, Ringing, Session, Side, UnderWay, Wanted};
use super::settings::Body;
use super::{EndWhy, Event, Owner, SessionId, UserAgent};

impl UserAgent {
    /// Sends a re-INVITE; without a body it asks the other side for an offer. It waits until
    /// nothing else is under way; of several that wait the last is sent. Collisions (491) are
    /// tried again by themselves a few times.
    pub fn reinvite(&mut self, now: Timestamp, session: SessionId, body: Option<Body>) {
        let by = By::Invite;
        self.want(now, session, Wanted { body, by });
    }

    /// Offers anew by UPDATE (RFC 3311): in an early dialog once offer and answer have passed
    /// reliably, in a confirmed one at once. Waits as [`UserAgent::reinvite`] does, and goes by
    /// re-INVITE when the other side does not take UPDATE.
    pub fn update(&mut self, now: Timestamp, session: SessionId, body: Body) {
        let body = Some(body);
        let by = By::Update;
        self.want(now, session, Wanted { body, by });
    }

    fn want(&mut self, now: Timestamp, session: SessionId, wanted: Wanted) {
        if let Some(state) = self.sessions.get_mut(&session)
            && !matches!(state.phase, Phase::Ending { .. })
        {
            state.reoffer.wanted = Some(wanted);
            state.reoffer.collisions = 0;
            self.settle(now, session);
        }
    }

    /// Answers their re-INVITE, UPDATE or PRACK with 200. To a re-INVITE without a body, `body` is
    /// an offer and the answer comes in [`Event::Acknowledged`].
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
        match theirs.request.method() {
            Method::Invite => self.accept_with(now, session, request, reply, false),
            Method::Update => self.accept_update(now, session, request, reply),
            _ => {
                self.reply_with_contact(now, session, request, reply);
            }
        }
        self.next_provisional(now, session);
        self.settle(now, session);
    }

    /// Refuses their re-INVITE, UPDATE or PRACK; the session goes on as it was.
    pub fn refuse_reoffer(&mut self, now: Timestamp, session: SessionId, status: u16) {
        let Some(theirs) = self.take_reoffer(session) else {
            return;
        };
        let request = (theirs.transaction, &theirs.request);
        self.reply_in(now, session, request, Reply::status(status.clamp(300, 699)));
        self.transactions
            .set_owner(theirs.transaction, Owner::Nobody);
        self.next_provisional(now, session);
        self.settle(now, session);
    }

    pub(super) fn handle_reoffer(&mut self, now: Timestamp, id: SessionId, arrived: Arrived) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let is_update = arrived.method == Method::Update;
        if is_update && !session.terms.update {
            return self.refuse_in(now, id, &arrived, Reply::status(405));
        }
        let is_refresh = is_update && arrived.request.body().is_empty();
        if let Some(status) = collision(session, is_update).filter(|_| !is_refresh) {
            return self.refuse_collision(now, id, &arrived, status);
        }
        if let Some(headers) = self.too_brief(id, &arrived.request) {
            return self.refuse_in(now, id, &arrived, Reply::with_headers(422, &headers));
        }
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let from = arrived.request.from();
        let remote_tag = from.as_ref().ok().and_then(|from| from.tag()).unwrap_or("");
        if let Some(dialog) = session.dialog_with(remote_tag) {
            dialog.refresh(&arrived.request);
        }
        session.flow = arrived.flow;
        if is_refresh {
            self.serve(now, &arrived, None, Owner::Nobody);
            let request = (arrived.id, &arrived.request);
            self.accept_update(now, id, request, Reply::status(200));
            return;
        }
        session.reoffer.under_way = UnderWay::Theirs(Box::new(Ringing {
            transaction: arrived.id,
            request: arrived.request.clone(),
            is_early: false,
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

    /// Answers an UPDATE with 200; in a confirmed dialog that refreshes the session.
    fn accept_update(
        &mut self,
        now: Timestamp,
        id: SessionId,
        request: (TransactionId, &Message),
        reply: Reply<'_>,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        if let Some(body) = reply.body {
            session.said = Some(body.clone());
        }
        let headers = match session.phase {
            Phase::Confirmed => self.renew_by_answer(now, id, request.1),
            _ => Vec::new(),
        };
        let reply = Reply {
            headers: &headers,
            ..reply
        };
        self.reply_with_contact(now, id, request, reply);
    }

    pub(super) fn refuse_collision(
        &mut self,
        now: Timestamp,
        id: SessionId,
        arrived: &Arrived,
        status: u16,
    ) {
        let mut headers = Vec::new();
        if status == 500 {
            let seconds = self.identity.entropy.below(11);
            headers.push((HeaderName::RetryAfter, seconds.to_string()));
        }
        self.refuse_in(now, id, arrived, Reply::with_headers(status, &headers));
    }

    /// Does what had to wait, once nothing is under way: our BYE, our offer, our refresh.
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
        if session.reoffer.is_backing_off {
            return;
        }
        let by = session.reoffer.wanted.as_ref().map(|wanted| wanted.by);
        if by.is_some_and(|by| session.may_offer(by)) {
            if let Some(wanted) = session.reoffer.wanted.take() {
                self.send_offer(now, id, wanted, Purpose::Offer);
            }
        } else if session.reoffer.is_refresh_due && session.is_stable() {
            session.reoffer.is_refresh_due = false;
            self.send_offer(now, id, Wanted::REFRESH, Purpose::Refresh);
        }
    }

    fn send_offer(&mut self, now: Timestamp, id: SessionId, mut wanted: Wanted, purpose: Purpose) {
        self.seek_peer(now, id);
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let is_early = !matches!(session.phase, Phase::Confirmed);
        if wanted.by == By::Update && !session.may_update() {
            wanted.by = By::Invite;
            if purpose == Purpose::Refresh {
                // RFC 4028 §7.4: the same description under the same version changes nothing.
                wanted.body = session.said.clone();
            }
        }
        let mut headers = Vec::new();
        if !is_early {
            headers = session.renewal_headers();
        }
        let (heard_on, contact, terms) = (session.flow, session.contact.clone(), session.terms);
        let dialog = match session.agreed_fork().map(str::to_owned) {
            Some(tag) => session.dialog_with(&tag),
            None => Some(&mut session.dialog),
        };
        let Some(dialog) = dialog else { return };
        let method = wanted.by.method();
        let flow = dialog.next_hop(heard_on);
        let via = self.identity.via(&flow);
        let mut builder = dialog
            .request(method.clone(), &via)
            .header(HeaderName::Contact, contact);
        builder = introduce(builder, &terms);
        builder = self.identity.name(builder);
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = &wanted.body {
            builder = builder.body(&body.content_type, body.bytes.clone());
        }
        let branch = via.branch().unwrap_or_default();
        let transaction = self.keys.client(branch, &method);
        let to = dialog.remote_tag.as_str().into();
        if wanted.by == By::Update && purpose == Purpose::Refresh {
            session.reoffer.refresh = Some(transaction);
        } else {
            session.reoffer.under_way = UnderWay::Ours {
                transaction,
                to,
                wanted,
                purpose,
            };
        }
        let request = (flow, builder.build());
        self.start(now, (&method, branch), request, Owner::Reoffer(id));
    }

    pub(super) fn reoffer_answered(
        &mut self,
        now: Timestamp,
        id: SessionId,
        reaction: &Reaction<Owner>,
        response: &Message,
    ) {
        let status = response.status().unwrap_or(500);
        let is_accepted_invite =
            (200..300).contains(&status) && response.method() == Method::Invite;
        let Some(session) = self.sessions.get_mut(&id) else {
            if is_accepted_invite {
                self.dismiss(now, reaction, response);
            }
            return;
        };
        if !session.reoffer.is_ours(reaction.id) {
            // Over already: repeated, or overtaken by a BYE.
            if is_accepted_invite {
                self.acknowledge_late(id, reaction.id, response);
            }
            return;
        }
        match status {
            100..=199 => {}
            200..=299 => {
                let Some((wanted, purpose)) = session.reoffer.take_ours(reaction.id) else {
                    return;
                };
                let has_offer = wanted.body.is_some();
                if has_offer {
                    session.said = wanted.body;
                }
                session.reoffer.collisions = 0;
                session.peer.learn(response);
                let to = response.to();
                let tag = to.as_ref().ok().and_then(|to| to.tag()).unwrap_or("");
                if let Some(dialog) = session.dialog_with(tag) {
                    dialog.refresh(response);
                }
                let is_confirmed = matches!(session.phase, Phase::Confirmed);
                if is_accepted_invite {
                    session.ack = Some(Box::new(Ack {
                        transaction: reaction.id,
                        cseq: response.cseq().map_or(0, |cseq| cseq.number),
                        sent: None,
                    }));
                }
                self.seek_peer(now, id);
                if is_accepted_invite && has_offer {
                    self.send_ack(id, None);
                }
                if is_confirmed {
                    self.renewed_by_us(now, id, response);
                }
                if purpose == Purpose::Offer || !response.body().is_empty() {
                    self.tell(Event::Reanswered {
                        session: id,
                        response: response.clone(),
                    });
                }
                self.settle(now, id);
            }
            _ => self.reoffer_refused(now, id, reaction, response),
        }
    }

    fn reoffer_refused(
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
        if let Some(again) = again {
            return session.reoffer.move_to(reaction.id, again);
        }
        let Some((wanted, purpose)) = session.reoffer.take_ours(reaction.id) else {
            return;
        };
        let status = response.status().unwrap_or(500);
        if matches!(status, 405 | 501) && wanted.by == By::Update {
            // RFC 3311 §5.1: what Allow said was not so.
            session.peer.updates = false;
            if purpose == Purpose::Refresh {
                // They may be offering something themselves.
                session.reoffer.is_refresh_due = true;
                return self.settle(now, id);
            }
            return self.send_offer(now, id, wanted, purpose);
        }
        if let Some(wait) = self.wait_after(id, response) {
            return self.try_later(now, id, wanted, purpose, wait);
        }
        let is_confirmed = matches!(
            self.sessions.get(&id).map(|session| &session.phase),
            Some(Phase::Confirmed)
        );
        let is_gone = matches!(status, 408 | 481) && is_confirmed;
        match purpose {
            Purpose::Offer => self.tell(Event::ReofferFailed {
                session: id,
                status,
            }),
            Purpose::Refresh if is_gone => return self.end_failed(now, id, EndWhy::Expired),
            Purpose::Refresh => self.renew_later(now, id),
        }
        if is_gone {
            // RFC 3261 §12.2.1.2: the dialog is no more.
            return self.end_failed(now, id, EndWhy::Timeout);
        }
        self.settle(now, id);
    }

    /// How long to wait before a refused offer is made again; `None` when it is not.
    fn wait_after(&mut self, id: SessionId, response: &Message) -> Option<Duration> {
        let random = self.identity.entropy.below(200);
        let session = self.sessions.get_mut(&id)?;
        if session.reoffer.collisions >= MAX_COLLISIONS {
            return None;
        }
        let wait = match response.status()? {
            491 => back_off(session.side, random),
            // RFC 3261 §14.2, RFC 3311 §5.2: they had not answered an offer of ours before.
            500 => Duration::from_secs(retry_after(response).filter(|wait| *wait <= 10)?.into()),
            _ => return None,
        };
        session.reoffer.collisions += 1;
        Some(wait)
    }

    fn try_later(
        &mut self,
        now: Timestamp,
        id: SessionId,
        wanted: Wanted,
        purpose: Purpose,
        wait: Duration,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        session.reoffer.is_backing_off = true;
        match purpose {
            Purpose::Offer => {
                session.reoffer.wanted.get_or_insert(wanted);
            }
            Purpose::Refresh => session.reoffer.is_refresh_due = true,
        }
        self.timers.set((id, Deadline::Retry), now + wait);
    }

    pub(super) fn reoffer_failed(
        &mut self,
        now: Timestamp,
        id: SessionId,
        transaction: TransactionId,
        failure: Failure,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let Some((_, purpose)) = session.reoffer.take_ours(transaction) else {
            return;
        };
        let is_early = !matches!(session.phase, Phase::Confirmed);
        let (status, why) = match (failure, purpose) {
            (Failure::Timeout, Purpose::Refresh) => (408, EndWhy::Expired),
            (Failure::Timeout, Purpose::Offer) => (408, EndWhy::Timeout),
            (Failure::Transport, _) => (503, EndWhy::TransportFailed),
        };
        if purpose == Purpose::Offer {
            self.tell(Event::ReofferFailed {
                session: id,
                status,
            });
        }
        if is_early {
            // The INVITE itself will tell.
            return self.settle(now, id);
        }
        self.end_failed(now, id, why);
    }

    pub(super) fn retry_reoffer(&mut self, now: Timestamp, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.reoffer.is_backing_off = false;
            self.settle(now, id);
        }
    }

    /// Which fork is the call's is known: what was offered to another one is over.
    pub(super) fn forget_other_forks(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let UnderWay::Ours { to, purpose, .. } = &session.reoffer.under_way else {
            return;
        };
        if **to == *session.dialog.remote_tag {
            return;
        }
        let purpose = *purpose;
        session.reoffer.under_way = UnderWay::Nothing;
        if purpose == Purpose::Offer {
            self.tell(Event::ReofferFailed {
                session: id,
                status: 487,
            });
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

impl By {
    fn method(self) -> Method {
        match self {
            By::Invite => Method::Invite,
            By::Update => Method::Update,
        }
    }
}

impl Session {
    fn may_update(&self) -> bool {
        self.terms.update && self.peer.updates
    }

    /// Whether an offer of ours may go now; in an early dialog by UPDATE alone, once offer and
    /// answer have passed reliably (RFC 3311 §5.1).
    fn may_offer(&self, by: By) -> bool {
        let is_free = self.reoffer.is_idle();
        let by_update = by == By::Update && is_free && self.may_update();
        match &self.phase {
            Phase::Calling(calling) => {
                by_update && calling.given_up.is_none() && self.agreed_fork().is_some()
            }
            Phase::Ringing(_) => {
                by_update && self.spoken() == Spoken::Agreed && !self.awaits_prack()
            }
            Phase::Confirmed => self.is_stable(),
            Phase::Ending { .. } => false,
        }
    }
}

/// Why their offer cannot be taken now (RFC 3261 §14.2, RFC 3311 §5.2, RFC 5407 §3.1).
fn collision(session: &Session, is_update: bool) -> Option<u16> {
    match (&session.phase, &session.reoffer.under_way) {
        (Phase::Ending { .. }, _) => Some(481),
        // Their INVITE has no final response yet, or ours has none.
        (Phase::Ringing(_), _) if !is_update => Some(500),
        (Phase::Calling(_), _) if !is_update => Some(491),
        (_, UnderWay::Theirs(_)) => Some(500),
        (_, UnderWay::Ours { .. }) => Some(491),
        (Phase::Ringing(_), _) => match session.spoken() {
            Spoken::Nothing => Some(500),
            Spoken::Offer => Some(491),
            Spoken::Agreed => None,
        },
        (Phase::Calling(_), _) => session.agreed_fork().is_none().then_some(491),
        _ if session.accepted.is_some() || session.owes_ack() => Some(491),
        _ => None,
    }
}

fn retry_after(response: &Message) -> Option<u32> {
    let value = response.header_text(HeaderName::RetryAfter)?;
    let digits = value.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
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
