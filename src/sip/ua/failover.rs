//! Requests that are located first, and go to the next address when one fails (RFC 3263 §4.3);
//! dialogs whose other side is a name.

use bytes::Bytes;

use crate::base::Timestamp;
use crate::sip::location::{
    Answer, AskId, Destination, Fault, Hop, Located, NoLocation, Question, Urgency,
};
use crate::sip::stats::count;
use crate::sip::transaction::{Reaction, cancellation};
use crate::sip::{CSeq, Failure, Flow, HeaderName, Message, Method, RequestBuilder, Uri, Via};

use super::seeker::{Step, Waiter};
use super::session::Phase;
use super::settings::{Body, OwnContact};
use super::way::{NextHop, Unreached, Way};
use super::{Output, Owner, RequestId, SessionId, UserAgent};

impl UserAgent {
    /// What a name server said to an [`Output::Query`].
    pub fn handle_answer(&mut self, now: Timestamp, question: &Question, answer: Answer) {
        self.seeker.locator.handle_answer(now, question, answer);
        self.take_located(now);
    }

    /// Keeps the addresses of these hosts at hand, and of no others, for
    /// [`UserAgent::is_host_at`].
    pub fn watch_hosts(&mut self, now: Timestamp, hosts: &[String]) {
        self.seeker.locator.watch(now, hosts);
        self.take_located(now);
    }

    /// Whether a watched host has this address, as far as is known.
    pub fn is_host_at(&self, host: &str, address: std::net::IpAddr) -> bool {
        self.seeker.locator.is_at(host, address)
    }

    /// Notes where these hosts are, and no others, whenever a request goes there.
    pub fn note_hosts(&mut self, hosts: &[String]) {
        self.seeker.locator.note_hosts(hosts);
    }

    /// Where all watched and noted hosts are, when that changed since it was last taken.
    pub fn take_moved(&mut self) -> Option<Vec<std::net::IpAddr>> {
        self.seeker.locator.take_moved()
    }

    /// Begins the way of a request: where to write it for, and the way when it has one. The URI
    /// names then where it goes first, if it names a destination at all.
    pub(super) fn set_out(
        &mut self,
        now: Timestamp,
        next_hop: NextHop,
        (uri, contact): (&mut Uri, Option<OwnContact>),
    ) -> (Step, Option<Box<Way>>) {
        let targets = match next_hop {
            NextHop::Flow(flow) => return (Step::Go(flow), None),
            NextHop::Located(targets) => targets,
        };
        let try_for = targets.try_for.unwrap_or(self.identity.settings.try_for);
        let first = targets.destinations.first();
        let names_destination =
            first.is_some_and(|first| first.host == uri.host && first.port == uri.port);
        let ordered = self.seeker.locator.in_order(targets.destinations);
        let mut way = Way::new(ordered, names_destination, contact, try_for);
        way.source_port = targets.source_port;
        way.urgency = targets.urgency;
        let step = self.seeker.step(now, &mut way);
        if matches!(step, Step::Go(_)) {
            way.address(uri);
        }
        (step, Some(Box::new(way)))
    }

    /// After the first step of an INVITE's way.
    pub(super) fn begin_way(
        &mut self,
        now: Timestamp,
        id: SessionId,
        step: &Step,
        way: Option<Box<Way>>,
    ) {
        let Some(way) = way else { return };
        let why = way.unreached;
        let ask = way.ask;
        self.watch_trial(now, Waiter::Invite(id), &way);
        if let Some(calling) = self.calling(id) {
            calling.way = Some(way);
        }
        match (step, ask) {
            (Step::End, _) => {
                let status = why.map_or(503, Unreached::status);
                self.call_failed(id, status, None);
            }
            (_, Some(ask)) => self.await_location(now, Waiter::Invite(id), ask),
            _ => {}
        }
    }

    fn await_location(&mut self, now: Timestamp, waiter: Waiter, ask: AskId) {
        self.seeker.waiters.insert(ask, waiter);
        self.take_located(now);
    }

    /// Gives an address its time, when there is another one to go to.
    fn watch_trial(&mut self, now: Timestamp, waiter: Waiter, way: &Way) {
        if way.ask.is_none() && way.hop.is_some() && way.has_more() {
            self.seeker.tries.set(waiter, now + way.try_for);
        } else {
            self.seeker.tries.stop(&waiter);
        }
    }

    /// After the first step of a request's way.
    pub(super) fn begin_request_way(&mut self, now: Timestamp, id: RequestId, step: &Step) {
        let pending = self.requests.get_mut(&id);
        let Some(way) = pending.and_then(|pending| pending.way.take()) else {
            return;
        };
        let ask = way.ask;
        self.watch_trial(now, Waiter::Request(id), &way);
        if let Some(pending) = self.requests.get_mut(&id) {
            pending.way = Some(way);
        }
        match (step, ask) {
            (Step::End, _) => self.end_request(id, Err(Failure::Transport)),
            (_, Some(ask)) => self.await_location(now, Waiter::Request(id), ask),
            _ => {}
        }
    }

    /// Whoever waits on this way waits no more.
    pub(super) fn leave_way(&mut self, waiter: Waiter, ask: Option<AskId>) {
        self.seeker.tries.stop(&waiter);
        if let Some(ask) = ask {
            self.seeker.forget(ask);
        }
    }

    /// Puts questions, and lets those whose destination is located go on.
    pub(super) fn take_located(&mut self, now: Timestamp) {
        while let Some((ask, result)) = self.seeker.locator.poll_located() {
            match self.seeker.waiters.remove(&ask) {
                Some(Waiter::Dialog(id)) => self.peer_located(id, result),
                Some(Waiter::Invite(id)) => {
                    if let Some(way) = self.calling(id).and_then(|calling| calling.way.as_mut()) {
                        take(way, result);
                        self.go_on_with_invite(now, id);
                    }
                }
                Some(Waiter::Request(id)) => {
                    let pending = self.requests.get_mut(&id);
                    if let Some(way) = pending.and_then(|pending| pending.way.as_mut()) {
                        take(way, result);
                        self.go_on_with_request(now, id);
                    }
                }
                None => {}
            }
        }
        while let Some(question) = self.seeker.locator.poll_question() {
            count(&self.stats.questions);
            self.outputs.push_back(Output::Query(question));
        }
    }

    pub(super) fn seek_timeout(&mut self, now: Timestamp) {
        self.seeker.locator.handle_timeout(now);
        self.take_located(now);
        while let Some((_, waiter)) = self.seeker.tries.pop_due(now) {
            match waiter {
                Waiter::Dialog(_) => {}
                Waiter::Invite(id) => self.invite_silent(now, id),
                Waiter::Request(id) => self.request_silent(now, id),
            }
        }
        let resting = self.seeker.locator.resting(now) as u64;
        self.stats
            .resting
            .store(resting, std::sync::atomic::Ordering::Relaxed);
    }

    /// An address answered our INVITE: whatever it says, it is alive, unless it says 503.
    pub(super) fn invite_heard(&mut self, now: Timestamp, id: SessionId, response: &Message) {
        self.seeker.tries.stop(&Waiter::Invite(id));
        let hop = self
            .calling(id)
            .and_then(|calling| calling.way.as_ref()?.hop.clone());
        self.judge(now, hop, response);
    }

    pub(super) fn request_heard(&mut self, now: Timestamp, id: RequestId, response: &Message) {
        self.seeker.tries.stop(&Waiter::Request(id));
        let pending = self.requests.get(&id);
        let hop = pending.and_then(|pending| pending.way.as_ref()?.hop.clone());
        self.judge(now, hop, response);
    }

    fn judge(&mut self, now: Timestamp, hop: Option<Hop>, response: &Message) {
        let Some(hop) = hop else { return };
        if response.status() != Some(503) {
            if self.seeker.locator.answered(&hop) {
                tracing::info!(target = %hop, "target answers again");
            }
            return;
        }
        // RFC 3261 §21.5.4: without Retry-After it is but a 500.
        let fault = retry_after(response).map_or(Fault::Dead, Fault::Busy);
        self.spare(now, &hop, fault);
    }

    fn spare(&mut self, now: Timestamp, hop: &Hop, fault: Fault) {
        if self.seeker.locator.failed(now, hop, fault) {
            tracing::warn!(target = %hop, ?fault, "target fails, is spared for a while");
        }
        let resting = self.seeker.locator.resting(now) as u64;
        self.stats
            .resting
            .store(resting, std::sync::atomic::Ordering::Relaxed);
    }

    /// Sends our INVITE to the next address; false when there is none.
    pub(super) fn fail_over(&mut self, now: Timestamp, id: SessionId, why: Unreached) -> bool {
        let Some(calling) = self.calling(id) else {
            return false;
        };
        let is_wanted = calling.given_up.is_none();
        let Some(way) = calling.way.as_mut() else {
            return false;
        };
        way.note(why);
        let hop = way.hop.clone();
        if let Some(hop) = hop.filter(|_| why != Unreached::Unavailable) {
            self.spare(now, &hop, Fault::Dead);
        }
        is_wanted && self.try_next(now, id)
    }

    fn try_next(&mut self, now: Timestamp, id: SessionId) -> bool {
        let Some(mut way) = self.calling(id).and_then(|calling| calling.way.take()) else {
            return false;
        };
        let step = self.seeker.step(now, &mut way);
        let goes_on = match step {
            Step::Go(flow) => self.send_invite_on(now, id, &way, flow),
            Step::Wait => true,
            Step::End => false,
        };
        let ask = way.ask;
        self.watch_trial(now, Waiter::Invite(id), &way);
        if let Some(calling) = self.calling(id) {
            calling.way = Some(way);
        }
        if let Some(ask) = ask {
            self.await_location(now, Waiter::Invite(id), ask);
        }
        goes_on
    }

    /// The way goes on, or the call has failed.
    fn go_on_with_invite(&mut self, now: Timestamp, id: SessionId) {
        if !self.try_next(now, id) {
            let way = self.calling(id).and_then(|calling| calling.way.as_ref());
            let why = way.and_then(|way| way.unreached);
            self.call_failed(id, why.map_or(503, Unreached::status), None);
        }
    }

    /// RFC 3263 §4.3: the same request in a transaction of its own.
    fn send_invite_on(&mut self, now: Timestamp, id: SessionId, way: &Way, flow: Flow) -> bool {
        let via = self.identity.via(&flow);
        let contact = way.contact.as_ref();
        let contact = contact.map_or_else(String::new, |own| self.identity.own_contact(own, &flow));
        let Some(session) = self.sessions.get_mut(&id) else {
            return false;
        };
        way.address(&mut session.dialog.target);
        session.flow = flow;
        session.contact.clone_from(&contact);
        let cseq = session.dialog.local_cseq;
        let Some(request) = rewritten(way, &via, Some(&contact), cseq) else {
            return false;
        };
        let branch = via.branch().unwrap_or_default();
        let transaction = self.keys.client(branch, &Method::Invite);
        if let Phase::Calling(calling) = &mut session.phase {
            calling.transaction = transaction;
            calling.is_heard = false;
            calling.forks.clear();
            calling.is_cancelled = false;
        }
        if way.tries > 1 {
            count(&self.stats.failovers);
        }
        let sent = (flow, request);
        self.start(now, (&Method::Invite, branch), sent, Owner::Invite(id));
        true
    }

    /// An address stayed silent: the INVITE there is abandoned, the next one tried.
    fn invite_silent(&mut self, now: Timestamp, id: SessionId) {
        let Some(calling) = self.calling(id) else {
            return;
        };
        if calling.is_heard || calling.given_up.is_some() {
            return;
        }
        let transaction = calling.transaction;
        self.transactions.abandon(transaction, Owner::Abandoned(id));
        if !self.fail_over(now, id, Unreached::Silent) {
            self.call_failed(id, 408, None);
        }
    }

    fn request_silent(&mut self, now: Timestamp, id: RequestId) {
        let Some(pending) = self.requests.get(&id) else {
            return;
        };
        let transaction = pending.transaction;
        self.transactions.abandon(transaction, Owner::Nobody);
        if !self.request_fails_over(now, id, Unreached::Silent) {
            self.end_request(id, Err(Failure::Timeout));
        }
    }

    /// Sends our request to the next address; false when there is none.
    pub(super) fn request_fails_over(
        &mut self,
        now: Timestamp,
        id: RequestId,
        why: Unreached,
    ) -> bool {
        let Some(pending) = self.requests.get_mut(&id) else {
            return false;
        };
        let Some(way) = pending.way.as_mut() else {
            return false;
        };
        way.note(why);
        let hop = way.hop.clone();
        if let Some(hop) = hop.filter(|_| why != Unreached::Unavailable) {
            self.spare(now, &hop, Fault::Dead);
        }
        self.request_next(now, id)
    }

    fn go_on_with_request(&mut self, now: Timestamp, id: RequestId) {
        if !self.request_next(now, id) {
            self.end_request(id, Err(Failure::Transport));
        }
    }

    fn request_next(&mut self, now: Timestamp, id: RequestId) -> bool {
        let pending = self.requests.get_mut(&id);
        let Some(mut way) = pending.and_then(|pending| pending.way.take()) else {
            return false;
        };
        let goes_on = match self.seeker.step(now, &mut way) {
            Step::Go(flow) => self.send_request_on(now, id, &way, flow),
            Step::Wait => true,
            Step::End => false,
        };
        let ask = way.ask;
        self.watch_trial(now, Waiter::Request(id), &way);
        if let Some(why) = way.unreached.filter(|_| !goes_on) {
            tracing::info!(%why, "request not delivered");
        }
        if let Some(pending) = self.requests.get_mut(&id) {
            pending.way = Some(way);
        }
        if let Some(ask) = ask {
            self.await_location(now, Waiter::Request(id), ask);
        }
        goes_on
    }

    fn send_request_on(&mut self, now: Timestamp, id: RequestId, way: &Way, flow: Flow) -> bool {
        let via = self.identity.via(&flow);
        let Some(method) = Message::parse(way.request.clone())
            .ok()
            .map(|one| one.method())
        else {
            return false;
        };
        let cseq = self.requests.get(&id).map_or(1, |pending| pending.cseq);
        let contact = way.contact.as_ref();
        let contact = contact.map(|own| self.identity.own_contact(own, &flow));
        let Some(request) = rewritten(way, &via, contact.as_deref(), cseq) else {
            return false;
        };
        let branch = via.branch().unwrap_or_default();
        if way.tries > 1 {
            count(&self.stats.failovers);
        }
        let sent = (flow, request);
        let transaction = self.start(now, (&method, branch), sent, Owner::OurRequest(id));
        if let Some(pending) = self.requests.get_mut(&id) {
            pending.transaction = transaction;
        }
        true
    }

    /// An INVITE nobody waits for is answered after all: taken back, or hung up.
    pub(super) fn abandoned_answered(
        &mut self,
        now: Timestamp,
        reaction: &Reaction<Owner>,
        response: &Message,
    ) {
        match response.status().unwrap_or(500) {
            100..=199 => self.take_back(now, reaction),
            200..=299 => self.dismiss(now, reaction, response),
            _ => {}
        }
    }

    fn take_back(&mut self, now: Timestamp, reaction: &Reaction<Owner>) {
        let Ok(invite) = Message::parse(reaction.kept.clone()) else {
            return;
        };
        if let (Ok(via), Some(cancel)) = (invite.top_via(), cancellation(&invite, &[])) {
            let branch = via.branch().unwrap_or_default();
            let id = self.keys.client(branch, &Method::Cancel);
            if self.transactions.owner(id).is_none() {
                self.transactions.limit(now, reaction.id);
                let sent = (reaction.flow, cancel);
                self.start(now, (&Method::Cancel, branch), sent, Owner::Nobody);
            }
        }
    }

    /// Locates the other side of a dialog when it is a name; what is known serves until then, and
    /// else the flow it was heard on.
    pub(super) fn seek_peer(&mut self, now: Timestamp, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let uri = session.dialog.peer();
        if uri.host.address().is_some() || session.flow.connection.is_some() {
            session.dialog.located = None;
            return;
        }
        let Some(destination) = Destination::of(uri) else {
            return;
        };
        if self.seeker.dialogs.contains_key(&id) {
            return;
        }
        match self
            .seeker
            .locator
            .locate(now, &destination, Urgency::Usual)
        {
            Located::Now(result) => {
                session.dialog.located = result.ok().and_then(|hops| hops.into_iter().next());
            }
            Located::Later(ask) => {
                session.dialog.located = self.seeker.locator.known(now, &destination);
                self.seeker.dialogs.insert(id, ask);
                self.seeker.waiters.insert(ask, Waiter::Dialog(id));
                self.take_located(now);
            }
        }
    }

    /// Keeps an ACK until it is known where to; false when it may go.
    pub(super) fn park_ack(&mut self, id: SessionId, body: Option<&Body>) -> bool {
        let is_known = self
            .sessions
            .get(&id)
            .is_none_or(|session| session.dialog.located.is_some());
        let waits = !is_known && self.seeker.dialogs.contains_key(&id);
        if waits {
            self.seeker.parked.insert(id, body.cloned());
        }
        waits
    }

    fn peer_located(&mut self, id: SessionId, result: Result<Vec<Hop>, NoLocation>) {
        self.seeker.dialogs.remove(&id);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.dialog.located = result.ok().and_then(|hops| hops.into_iter().next());
        }
        if let Some(body) = self.seeker.parked.remove(&id) {
            self.send_ack(id, body.as_ref());
        }
    }
}

fn take(way: &mut Way, result: Result<Vec<Hop>, NoLocation>) {
    way.ask = None;
    match result {
        Ok(hops) => way.hops = hops.into(),
        Err(why) => way.note(Unreached::NotLocated(why)),
    }
}

/// Seconds of a Retry-After; what follows the number is for people (RFC 3261 §20.33).
fn retry_after(response: &Message) -> Option<u32> {
    let text = response.header_text(HeaderName::RetryAfter)?;
    let digits = text.trim_start();
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    // More than 2^32 seconds are as good as for ever.
    let number = digits.get(..end).filter(|digits| !digits.is_empty())?;
    Some(number.parse().unwrap_or(u32::MAX))
}

/// The request of a way under another Via, Contact and Request-URI.
fn rewritten(way: &Way, via: &Via, contact: Option<&str>, cseq: u32) -> Option<Bytes> {
    let request = Message::parse(way.request.clone()).ok()?;
    let method = request.method();
    let mut uri = request.request_uri()?.ok()?.clone();
    way.address(&mut uri);
    let mut builder = RequestBuilder::request(method.clone(), &uri).header(HeaderName::Via, via);
    for (line, text) in request.header_lines() {
        match (HeaderName::parse(std::str::from_utf8(line).ok()?)?, contact) {
            (HeaderName::Via | HeaderName::ContentLength | HeaderName::ContentType, _) => {}
            (HeaderName::CSeq, _) => {
                builder = builder.header(HeaderName::CSeq, CSeq::new(cseq, method.clone()));
            }
            (HeaderName::Contact, Some(contact)) => {
                builder = builder.header(HeaderName::Contact, contact);
            }
            _ => builder = builder.raw_header(line, text),
        }
    }
    if let Some(content_type) = request.header_text(HeaderName::ContentType) {
        builder = builder.body(&content_type, Bytes::copy_from_slice(request.body()));
    }
    Some(builder.build())
}
