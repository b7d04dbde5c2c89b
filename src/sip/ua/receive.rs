//! Messages in: to their transaction, their dialog, or to whoever takes new requests.

use bytes::Bytes;

use crate::base::Timestamp;
use crate::sip::guard::Attack;
use crate::sip::stats::count;
use crate::sip::transaction::{Reaction, TransactionId, acknowledgement};
use crate::sip::{Flow, HeaderName, Message, Method, ParseError, Refusal, Via, is_keep_alive};

use super::reply::Reply;
use super::screen::{Arrived, object};
use super::session::Phase;
use super::{Output, Owner, SessionId, UserAgent};

impl UserAgent {
    /// A message from the network.
    pub fn handle_message(&mut self, now: Timestamp, flow: Flow, message: Message) {
        if message.is_request() {
            self.handle_request(now, flow, message);
        } else {
            self.handle_response(now, &message);
        }
    }

    /// What is not even a message: a request of which only the first line is bad is answered with
    /// 400, anything else counted.
    pub fn handle_malformed(
        &mut self,
        now: Timestamp,
        flow: Flow,
        datagram: &Bytes,
        error: &ParseError,
    ) {
        if is_keep_alive(datagram) {
            return;
        }
        count(&self.stats.malformed);
        let answerable = matches!(error, ParseError::StartLine(_))
            && !datagram.starts_with(b"SIP/")
            && !datagram.starts_with(b"ACK ");
        let Some(request) = answerable.then(|| with_start_line(datagram)).flatten() else {
            return;
        };
        if is_answerable(&request) {
            self.refuse(now, flow, &request, 400, &[]);
        }
    }

    fn handle_request(&mut self, now: Timestamp, flow: Flow, request: Message) {
        let method = request.method();
        self.stats.request_received(&method);
        let Ok(via) = request.top_via() else {
            return self.refuse_unreadable(&flow, &request);
        };
        let id = self.keys.server(via, &request, &method);
        if method == Method::Ack {
            return self.handle_ack(now, id, &request);
        }
        if let Some(reaction) = self.transactions.handle_request(now, id, false) {
            count(&self.stats.repeats_received);
            return self.send_again(&reaction);
        }
        if via.params.has("alias") && flow.protocol.is_secure() {
            // RFC 5923 §8.1; the transport knows whether the other side proved its name.
            self.outputs.push_back(Output::Alias {
                flow,
                host: via.host.clone(),
                port: via.port,
            });
        }
        let arrived = Arrived::new(flow, via, id, method, &request);
        if let Err(Refusal { status, words }) = arrived.request.validate_request() {
            count(&self.stats.malformed);
            if !is_answerable(&arrived.request) {
                return;
            }
            let reply = Reply {
                words: Some(&words),
                ..Reply::status(status)
            };
            return self.refuse_arrived(&arrived, reply);
        }
        self.handle_new_request(now, arrived, via);
    }

    fn handle_new_request(&mut self, now: Timestamp, arrived: Arrived, via: &Via) {
        let (Ok(from), Ok(to), Ok(cseq)) = (
            arrived.request.from(),
            arrived.request.to(),
            arrived.request.cseq(),
        ) else {
            return count(&self.stats.malformed);
        };
        if arrived.method == Method::Cancel {
            return self.handle_cancel(now, &arrived, via);
        }
        match to.tag() {
            Some(local) if arrived.method != Method::Register => {
                let session = self.find_session(&arrived.request, local, from.tag());
                self.handle_in_dialog(now, arrived, session, cseq.number);
            }
            _ => {
                let call_id = arrived.request.call_id().unwrap_or("");
                let from_tag = from.tag().unwrap_or("");
                let merge = self
                    .keys
                    .merge(from_tag, call_id, cseq.number, &arrived.method);
                self.handle_out_of_dialog(now, arrived, merge);
            }
        }
    }

    pub(super) fn find_session(
        &mut self,
        request: &Message,
        local_tag: &str,
        remote_tag: Option<&str>,
    ) -> Option<SessionId> {
        let id = *self.by_tag.get(local_tag)?;
        let session = self.sessions.get_mut(&id)?;
        let dialog = session.dialog_with(remote_tag.unwrap_or(""))?;
        let is_its = request.call_id() == Ok(dialog.call_id.as_str());
        is_its.then_some(id)
    }

    fn handle_in_dialog(
        &mut self,
        now: Timestamp,
        arrived: Arrived,
        session: Option<SessionId>,
        cseq: u32,
    ) {
        let Some(id) = session else {
            self.stray = Some(Attack::ForgedRequest);
            return self.refuse_arrived(&arrived, Reply::status(481));
        };
        if self.transactions.len() >= self.identity.settings.limits.transactions * 2 {
            return count(&self.stats.dropped);
        }
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let from = arrived.request.from();
        let remote_tag = from.as_ref().ok().and_then(|from| from.tag()).unwrap_or("");
        let dialog = session.dialog_with(remote_tag);
        if dialog.is_none_or(|dialog| !dialog.advance(cseq)) {
            return self.refuse_in(now, id, &arrived, Reply::status(500));
        }
        if let Err(objection) = object(&arrived.request, &arrived.method) {
            let reply = Reply::with_headers(objection.status, &objection.headers);
            return self.refuse_in(now, id, &arrived, reply);
        }
        let session_phase = self.sessions.get(&id).map(|session| &session.phase);
        let is_early = matches!(session_phase, Some(Phase::Calling(_)));
        match arrived.method {
            // RFC 3261 §15: who was called does not hang up an early dialog; it refuses.
            Method::Bye if is_early => self.refuse_in(now, id, &arrived, Reply::status(481)),
            Method::Prack => self.handle_prack(now, id, arrived),
            Method::Bye => self.handle_bye(now, id, arrived),
            Method::Info => self.handle_info(now, id, arrived),
            Method::Invite | Method::Update => self.handle_reoffer(now, id, arrived),
            Method::Notify => self.handle_notify(now, id, &arrived),
            Method::Refer => self.handle_refer(now, id, arrived),
            Method::Subscribe => self.handle_subscribe(now, id, &arrived),
            _ => self.confirm(now, id, &arrived),
        }
    }

    /// Answers 200 to a request that asks for nothing else.
    pub(super) fn confirm(&mut self, now: Timestamp, id: SessionId, arrived: &Arrived) {
        self.serve(now, arrived, None, Owner::Nobody);
        let request = (arrived.id, &arrived.request);
        self.reply_in(now, id, request, Reply::status(200));
    }

    /// Refuses a request of a dialog in a transaction of its own: its repeat would no longer be in
    /// order and must have the same answer.
    pub(super) fn refuse_in(
        &mut self,
        now: Timestamp,
        id: SessionId,
        arrived: &Arrived,
        reply: Reply<'_>,
    ) {
        self.serve(now, arrived, None, Owner::Nobody);
        self.reply_in(now, id, (arrived.id, &arrived.request), reply);
    }

    fn handle_out_of_dialog(&mut self, now: Timestamp, arrived: Arrived, merge: u64) {
        if self.transactions.is_merged(merge) {
            return self.refuse_arrived(&arrived, Reply::status(482));
        }
        if let Err(objection) = object(&arrived.request, &arrived.method) {
            let reply = Reply::with_headers(objection.status, &objection.headers);
            return self.refuse_arrived(&arrived, reply);
        }
        let limits = self.identity.settings.limits;
        if self.transactions.len() >= limits.transactions {
            count(&self.stats.overloaded);
            let headers = [(HeaderName::RetryAfter, limits.retry_after.to_string())];
            return self.refuse_arrived(&arrived, Reply::with_headers(503, &headers));
        }
        match arrived.method {
            Method::Invite => self.handle_invite(now, arrived, merge),
            Method::Options | Method::Register => self.handle_outside(now, arrived, merge),
            // RFC 3515 §2.4.1: nobody is referred whose call we do not know.
            Method::Refer => self.refuse_arrived(&arrived, Reply::status(403)),
            Method::Subscribe => {
                let headers = [(HeaderName::AllowEvents, "refer".to_owned())];
                self.refuse_arrived(&arrived, Reply::with_headers(489, &headers));
            }
            // BYE, INFO, NOTIFY, PRACK and UPDATE live in dialogs only.
            _ => self.refuse_arrived(&arrived, Reply::status(481)),
        }
    }

    /// Begins the server transaction of a request.
    pub(super) fn serve(
        &mut self,
        now: Timestamp,
        arrived: &Arrived,
        merge: Option<u64>,
        owner: Owner,
    ) {
        let arrival = crate::sip::transaction::Arrival {
            id: arrived.id,
            is_invite: arrived.method == Method::Invite,
            flow: arrived.reply,
            fallback: arrived.fallback,
            merge,
        };
        self.transactions.start_server(now, arrival, owner);
    }

    fn handle_response(&mut self, now: Timestamp, response: &Message) {
        let Some(status) = response.status() else {
            return;
        };
        self.stats.response_received(status);
        // More than one Via: it was not meant for us (RFC 3261 §8.1.3.3).
        let is_ours = response.values(HeaderName::Via).nth(1).is_none();
        let (Ok(via), Ok(cseq), true) = (response.top_via(), response.cseq(), is_ours) else {
            return count(&self.stats.malformed);
        };
        let id = self
            .keys
            .client(via.branch().unwrap_or_default(), &cseq.method);
        let is_known = self.is_sent_by_us(id, via);
        let reaction = is_known.then(|| self.transactions.handle_response(now, id, status));
        let Some(reaction) = reaction.flatten() else {
            self.stray = Some(Attack::ForgedResponse);
            return count(&self.stats.dropped);
        };
        if !reaction.step.deliver {
            count(&self.stats.repeats_received);
        }
        self.send_again(&reaction);
        if reaction.step.acknowledge {
            self.acknowledge_refusal(&reaction, response);
        }
        if reaction.step.deliver {
            self.deliver(now, &reaction, response);
        }
    }

    /// RFC 3261 §18.1.2: a response whose sent-by is not what the request said is not for us.
    fn is_sent_by_us(&self, id: TransactionId, via: &Via) -> bool {
        let Some((_, request)) = self.transactions.kept(id) else {
            return false;
        };
        let sent_by = match via.port {
            Some(port) => format!(" {}:{port};", via.host),
            None => format!(" {};", via.host),
        };
        let head = request.get(..request.len().min(HEAD)).unwrap_or_default();
        memchr::memmem::find(head, sent_by.as_bytes()).is_some()
    }

    fn acknowledge_refusal(&mut self, reaction: &Reaction<Owner>, response: &Message) {
        let ack = Message::parse(reaction.kept.clone())
            .ok()
            .and_then(|invite| acknowledgement(&invite, response));
        if let Some(ack) = ack {
            self.stats.request_sent(&Method::Ack);
            self.transactions.keep(reaction.id, ack.clone());
            self.transmit(reaction.flow, ack);
        }
    }

    fn deliver(&mut self, now: Timestamp, reaction: &Reaction<Owner>, response: &Message) {
        let status = response.status().unwrap_or(500);
        if (200..300).contains(&status) {
            self.believed(reaction, response);
        }
        match reaction.owner {
            Owner::Abandoned(_) => self.abandoned_answered(now, reaction, response),
            Owner::Bye(session) => self.bye_answered(now, session, reaction, response),
            Owner::Invite(session) => self.invite_answered(now, session, reaction, response),
            Owner::OurRequest(request) => self.request_answered(now, request, reaction, response),
            Owner::Reoffer(session) => self.reoffer_answered(now, session, reaction, response),
            // A refused PRACK changes nothing: the response it was for is repeated, or was not. Nor
            // does a refused INFO.
            Owner::Info(_) | Owner::Prack(_) => drop(self.try_again(now, reaction, response)),
            Owner::Notify(session, refer) => {
                self.notify_answered(now, (session, refer), reaction, response);
            }
            Owner::OurRefer(session, refer) => {
                self.refer_answered(now, (session, refer), reaction, response);
            }
            Owner::Parting(number) => self.parting_answered(now, number, reaction, response),
            Owner::Incoming(_)
            | Owner::Nobody
            | Owner::TheirRefer(_)
            | Owner::TheirReoffer(_)
            | Owner::TheirRequest => {}
        }
        if status >= 200 {
            self.trials.remove(&reaction.id);
        }
    }

    /// Sends what a transaction keeps, when its machine says so.
    pub(super) fn send_again(&mut self, reaction: &Reaction<Owner>) {
        if reaction.step.send && !reaction.kept.is_empty() {
            count(&self.stats.repeats_sent);
            self.transmit(reaction.flow, reaction.kept.clone());
        }
    }
}

/// Where the top Via of a request of ours ends at the latest.
const HEAD: usize = 2048;

/// Whether a response can be written at all: somebody waits for it. What else it must copy may be
/// missing (RFC 4475 §3.3.1: "ideally, it will respond with a 400").
fn is_answerable(request: &Message) -> bool {
    request.header(HeaderName::Via).is_some() && request.header(HeaderName::CSeq).is_some()
}

/// The message under a start line that can be read.
fn with_start_line(datagram: &Bytes) -> Option<Message> {
    let end = datagram.iter().position(|byte| *byte == b'\n')?;
    let rest = datagram.get(end + 1..)?;
    let patched = [b"OPTIONS sip:invalid SIP/2.0\r\n", rest].concat();
    Message::parse(patched.into()).ok()
}
