//! Our reliable provisional responses (RFC 3262 §3): one at a time, repeated until their PRACK,
//! and a 2xx that waits for it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::base::Timestamp;
use crate::sip::stats::count;
use crate::sip::{CSeq, Flow, HeaderName, Method};

use super::reply::Reply;
use super::screen::Arrived;
use super::session::{Deadline, Phase, Ringing, Session, UnderWay};
use super::settings::{Body, Headers};
use super::terms::Reliable;
use super::{EndWhy, Event, Owner, SessionId, UserAgent};

/// The reliable provisional responses to one INVITE.
#[derive(Debug, Default)]
pub(super) struct Provisional {
    /// RSeq of the last one sent; 0 before the first.
    rseq: u32,
    /// The one whose PRACK has not come.
    sent: Option<Unacknowledged>,
    queue: VecDeque<Queued>,
    /// The 2xx that waits for a PRACK, or for our answer to the offer in one.
    accept: Option<(Headers, Option<Body>)>,
    /// What we have said of the session reliably.
    pub(super) spoken: Spoken,
}

/// How far offer and answer have come in reliable provisional responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Spoken {
    #[default]
    Nothing,
    /// Our offer is out, the PRACK must answer it.
    Offer,
    /// Both have passed.
    Agreed,
}

#[derive(Debug)]
struct Unacknowledged {
    rseq: u32,
    /// The INVITE's.
    cseq: u32,
    flow: Flow,
    response: Bytes,
    interval: Duration,
    has_body: bool,
}

#[derive(Debug)]
struct Queued {
    status: u16,
    headers: Headers,
    body: Option<Body>,
}

impl UserAgent {
    /// Sends a provisional response reliably, or keeps it until those before it are acknowledged.
    /// Gives it back when it is to be sent unreliably.
    pub(super) fn ring_reliably(
        &mut self,
        now: Timestamp,
        id: SessionId,
        status: u16,
        headers: &[(HeaderName, String)],
        body: Option<Body>,
    ) -> Result<(), Option<Body>> {
        let Some(session) = self.sessions.get_mut(&id) else {
            return Err(body);
        };
        if !session.rings_reliably(body.is_some()) {
            return Err(body);
        }
        let provisional = session.provisional.get_or_insert_default();
        if provisional.queue.len() < MAX_QUEUE && provisional.accept.is_none() {
            provisional.queue.push_back(Queued {
                status,
                headers: headers.to_vec(),
                body,
            });
        }
        self.next_provisional(now, id);
        Ok(())
    }

    /// Sends the next in the queue once none is unacknowledged and no offer of a PRACK unanswered;
    /// then the 2xx that waited.
    pub(super) fn next_provisional(&mut self, now: Timestamp, id: SessionId) {
        let first = 1 + self.identity.entropy.below(1 << 30);
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let Phase::Ringing(ringing) = &mut session.phase else {
            return;
        };
        let Some(provisional) = session.provisional.as_mut() else {
            return;
        };
        if provisional.sent.is_some() {
            return;
        }
        if let Some((headers, body)) = provisional.accept.take() {
            return self.accept(now, id, &headers, body);
        }
        let Some(queued) = provisional.queue.pop_front() else {
            return self.settle(now, id);
        };
        provisional.rseq = match provisional.rseq {
            // RFC 3262 §3: the first between 1 and 2^31 - 1, at random.
            0 => u32::try_from(first).unwrap_or(1),
            last => last.saturating_add(1),
        };
        let rseq = provisional.rseq;
        // What has been agreed on is not said again (RFC 6337 §2.2).
        let body = match provisional.spoken {
            Spoken::Nothing => queued.body,
            Spoken::Offer | Spoken::Agreed => None,
        };
        if let Some(body) = &body {
            let is_answer = !ringing.request.body().is_empty();
            provisional.spoken = if is_answer {
                Spoken::Agreed
            } else {
                Spoken::Offer
            };
            session.said = Some(body.clone());
        }
        ringing.is_early = true;
        let (transaction, request) = (ringing.transaction, ringing.request.clone());
        let mut headers = queued.headers;
        headers.push((HeaderName::Require, "100rel".to_owned()));
        headers.push((HeaderName::RSeq, rseq.to_string()));
        let reply = Reply {
            body: body.as_ref(),
            ..Reply::with_headers(queued.status, &headers)
        };
        let sent = self.reply_with_contact(now, id, (transaction, &request), reply);
        let timing = self.transactions.timing();
        let provisional = self
            .sessions
            .get_mut(&id)
            .and_then(|session| session.provisional.as_mut());
        if let (Some(provisional), Some((flow, response))) = (provisional, sent) {
            provisional.sent = Some(Unacknowledged {
                rseq,
                cseq: request.cseq().map_or(0, |cseq| cseq.number),
                flow,
                response,
                interval: timing.t1,
                has_body: body.is_some(),
            });
            let give_up = now + timing.patience();
            self.timers
                .set((id, Deadline::Provisional), now + timing.t1);
            self.timers.set((id, Deadline::NoPrack), give_up);
        }
    }

    /// Keeps a 2xx back that must not overtake a PRACK (RFC 3262 §3: a description in a response
    /// that is not acknowledged; §5: an offer in the PRACK that is not answered). Gives it back
    /// when it may go, without the description that has been agreed on already.
    pub(super) fn hold_accept(
        &mut self,
        id: SessionId,
        headers: &[(HeaderName, String)],
        body: Option<Body>,
    ) -> Option<Option<Body>> {
        let session = self.sessions.get_mut(&id)?;
        let Some(provisional) = session.provisional.as_mut() else {
            return Some(body);
        };
        provisional.queue.clear();
        let is_unsure = provisional.sent.as_ref().is_some_and(|sent| sent.has_body);
        let has_offer = matches!(session.reoffer.under_way, UnderWay::Theirs(_));
        if is_unsure || has_offer {
            provisional.accept = Some((headers.to_vec(), body));
            return None;
        }
        self.timers.stop(&(id, Deadline::Provisional));
        self.timers.stop(&(id, Deadline::NoPrack));
        match provisional.spoken {
            Spoken::Nothing => Some(body),
            Spoken::Offer | Spoken::Agreed => Some(None),
        }
    }

    pub(super) fn handle_prack(&mut self, now: Timestamp, id: SessionId, arrived: Arrived) {
        let Some(rack) = arrived.request.rack() else {
            return self.refuse_in(now, id, &arrived, Reply::status(400));
        };
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let is_last = |sent: &Unacknowledged| {
            sent.rseq == rack.rseq && rack.cseq == CSeq::new(sent.cseq, Method::Invite)
        };
        let provisional = session.provisional.as_mut();
        let Some(provisional) = provisional.filter(|it| it.sent.as_ref().is_some_and(is_last))
        else {
            return self.refuse_in(now, id, &arrived, Reply::status(481));
        };
        let has_body = !arrived.request.body().is_empty();
        let is_answer = has_body && provisional.spoken == Spoken::Offer;
        let is_offer = has_body && !is_answer;
        if is_offer && provisional.spoken == Spoken::Nothing {
            // Two offers and no answer (RFC 3262 §5).
            return self.refuse_collision(now, id, &arrived, 500);
        }
        if is_offer && !matches!(session.reoffer.under_way, UnderWay::Nothing) {
            return self.refuse_collision(now, id, &arrived, 491);
        }
        provisional.sent = None;
        if is_answer {
            provisional.spoken = Spoken::Agreed;
        }
        session.flow = arrived.flow;
        self.timers.stop(&(id, Deadline::Provisional));
        self.timers.stop(&(id, Deadline::NoPrack));
        if is_offer {
            session.reoffer.under_way = UnderWay::Theirs(Box::new(Ringing {
                transaction: arrived.id,
                request: arrived.request.clone(),
                is_early: false,
            }));
            self.serve(now, &arrived, None, Owner::TheirReoffer(id));
            self.tell(Event::Reoffer {
                session: id,
                request: arrived.request,
            });
            return;
        }
        self.confirm(now, id, &arrived);
        if is_answer {
            self.tell(Event::EarlyAnswer {
                session: id,
                request: arrived.request,
            });
        }
        self.next_provisional(now, id);
    }

    /// Sends the reliable response once more: T1, then twice as long each time, without the bound
    /// of T2 (RFC 3262 §3).
    pub(super) fn repeat_provisional(&mut self, now: Timestamp, id: SessionId) {
        let sent = self
            .sessions
            .get_mut(&id)
            .and_then(|session| session.provisional.as_mut())
            .and_then(|provisional| provisional.sent.as_mut());
        let Some(sent) = sent else { return };
        sent.interval = sent.interval.saturating_mul(2);
        let (flow, response) = (sent.flow, sent.response.clone());
        let next = now + sent.interval;
        self.timers.set((id, Deadline::Provisional), next);
        count(&self.stats.repeats_sent);
        self.transmit(flow, response);
    }

    /// 64 × T1 without PRACK: the INVITE is refused (RFC 3262 §3).
    pub(super) fn never_pracked(&mut self, now: Timestamp, session: SessionId) {
        let is_ringing = self
            .sessions
            .get(&session)
            .is_some_and(|state| matches!(state.phase, Phase::Ringing(_)));
        if is_ringing {
            self.reject(now, session, 504, &[]);
            let why = EndWhy::NoPrack;
            self.tell(Event::Ended { session, why });
        }
    }
}

impl Session {
    fn rings_reliably(&self, has_body: bool) -> bool {
        if self.terms.reliable == Reliable::Off || !self.peer.reliable {
            return false;
        }
        has_body || self.peer.only_reliable || self.terms.reliable == Reliable::Required
    }

    /// What passed in reliable responses to their INVITE.
    pub(super) fn spoken(&self) -> Spoken {
        let provisional = self.provisional.as_ref();
        provisional.map_or(Spoken::Nothing, |provisional| provisional.spoken)
    }

    /// Whether a reliable response waits for its PRACK.
    pub(super) fn awaits_prack(&self) -> bool {
        let provisional = self.provisional.as_ref();
        provisional.is_some_and(|provisional| provisional.sent.is_some())
    }
}

/// Reliable responses kept back at a time; a call rings, is forwarded, rings: more is a fault.
const MAX_QUEUE: usize = 8;
