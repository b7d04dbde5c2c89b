//! Responses: built from the request, sent through its transaction or, without one, at once.

use bytes::Bytes;

use crate::base::Timestamp;
use crate::sip::stats::count;
use crate::sip::transaction::TransactionId;
use crate::sip::{Flow, HeaderName, Message, Method, ResponseBuilder};

use super::ability::{allow, supported};
use super::identity::Identity;
use super::screen::{Arrived, reply_flow};
use super::settings::Body;
use super::terms::Terms;
use super::{SessionId, UserAgent};

/// What a response says beyond what the request dictates.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reply<'a> {
    pub(super) status: u16,
    /// Reason phrase, when not the usual one.
    pub(super) words: Option<&'a str>,
    pub(super) tag: &'a str,
    pub(super) contact: Option<&'a str>,
    pub(super) headers: &'a [(HeaderName, String)],
    pub(super) body: Option<&'a Body>,
    /// The session's; without one we offer all we can.
    pub(super) terms: Option<Terms>,
}

impl Reply<'_> {
    fn build(&self, identity: &Identity, flow: &Flow, request: &Message) -> Bytes {
        let mut builder =
            ResponseBuilder::response(request, self.status, self.words).received_from(flow.remote);
        if !self.tag.is_empty() {
            builder = builder.to_tag(self.tag);
        }
        if let Some(contact) = self.contact {
            builder = builder.header(HeaderName::Contact, contact);
        }
        let is_final = self.status >= 200;
        let terms = self.terms.unwrap_or_default();
        let says_both = match self.status {
            101..=199 => self.contact.is_some(),
            200..=299 => matches!(
                request.method(),
                Method::Invite | Method::Options | Method::Update
            ),
            _ => false,
        };
        if says_both || matches!(self.status, 405 | 501) {
            builder = builder.header(HeaderName::Allow, allow(&terms));
        }
        if says_both {
            builder = builder.header(HeaderName::Supported, supported(&terms));
        }
        if is_final && !identity.settings.user_agent.is_empty() {
            builder = builder.header(HeaderName::Server, &identity.settings.user_agent);
        }
        for (name, value) in self.headers {
            builder = builder.header(name.clone(), value);
        }
        if let Some(body) = self.body {
            builder = builder.body(&body.content_type, body.bytes.clone());
        }
        builder.build()
    }
}

impl UserAgent {
    /// Refuses (or answers) a request without keeping anything about it: each repeat is answered
    /// anew, with the same To tag.
    pub fn refuse(
        &mut self,
        _now: Timestamp,
        flow: Flow,
        request: &Message,
        status: u16,
        headers: &[(HeaderName, String)],
    ) {
        let method = request.method();
        let Ok(via) = request.top_via() else {
            return count(&self.stats.malformed);
        };
        if method == Method::Ack || !request.is_request() {
            return;
        }
        let id = self.keys.server(via, request, &method);
        let reply = Reply {
            status,
            headers,
            ..Reply::default()
        };
        self.reply_at_once(id, &reply_flow(flow, via), request, reply);
    }

    /// Refuses a request whose first Via cannot be read, towards where it came from
    /// (RFC 4475 §3.1.2.1, and §3.1.2.16 for another version of SIP).
    pub(super) fn refuse_unreadable(&mut self, flow: &Flow, request: &Message) {
        count(&self.stats.malformed);
        let is_answerable =
            request.header(HeaderName::Via).is_some() && request.method() != Method::Ack;
        if let (true, Err(refusal)) = (is_answerable, request.validate_request()) {
            let reply = Reply {
                words: Some(&refusal.words),
                ..Reply::status(refusal.status)
            };
            let bytes = reply.build(&self.identity, flow, request);
            self.stats.response_sent(refusal.status);
            self.transmit(*flow, bytes);
        }
    }

    pub(super) fn refuse_arrived(&mut self, arrived: &Arrived, reply: Reply<'_>) {
        self.reply_at_once(arrived.id, &arrived.reply, &arrived.request, reply);
    }

    fn reply_at_once(
        &mut self,
        id: TransactionId,
        flow: &Flow,
        request: &Message,
        reply: Reply<'_>,
    ) {
        let tag = self.identity.fixed_tag(self.keys.tag(id));
        let reply = Reply { tag: &tag, ..reply };
        let bytes = reply.build(&self.identity, flow, request);
        self.stats.response_sent(reply.status);
        self.transmit(*flow, bytes);
    }

    /// Answers through the transaction.
    pub(super) fn reply(
        &mut self,
        now: Timestamp,
        id: TransactionId,
        request: &Message,
        reply: Reply<'_>,
    ) -> Option<(Flow, Bytes)> {
        let flow = self.transactions.flow(id)?;
        let bytes = reply.build(&self.identity, &flow, request);
        self.reply_bytes(now, id, reply.status, bytes)
    }

    /// Answers through the transaction, as the session's side of the dialog.
    pub(super) fn reply_in(
        &mut self,
        now: Timestamp,
        session: SessionId,
        (id, request): (TransactionId, &Message),
        reply: Reply<'_>,
    ) -> Option<(Flow, Bytes)> {
        let flow = self.transactions.flow(id)?;
        let session = self.sessions.get(&session)?;
        let reply = Reply {
            tag: &session.dialog.local_tag,
            terms: Some(session.terms),
            ..reply
        };
        let bytes = session.dress(reply.build(&self.identity, &flow, request));
        self.reply_bytes(now, id, reply.status, bytes)
    }

    /// [`UserAgent::reply_in`] with the session's Contact.
    pub(super) fn reply_with_contact(
        &mut self,
        now: Timestamp,
        session: SessionId,
        (id, request): (TransactionId, &Message),
        reply: Reply<'_>,
    ) -> Option<(Flow, Bytes)> {
        let flow = self.transactions.flow(id)?;
        let session = self.sessions.get(&session)?;
        let reply = Reply {
            tag: &session.dialog.local_tag,
            contact: Some(&session.contact),
            terms: Some(session.terms),
            ..reply
        };
        let bytes = session.dress(reply.build(&self.identity, &flow, request));
        self.reply_bytes(now, id, reply.status, bytes)
    }

    fn reply_bytes(
        &mut self,
        now: Timestamp,
        id: TransactionId,
        status: u16,
        bytes: Bytes,
    ) -> Option<(Flow, Bytes)> {
        let (flow, bytes) = self.transactions.respond(now, id, status, bytes)?;
        self.stats.response_sent(status);
        self.transmit(flow, bytes.clone());
        Some((flow, bytes))
    }
}

impl<'a> Reply<'a> {
    pub(super) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(super) fn with_headers(status: u16, headers: &'a [(HeaderName, String)]) -> Self {
        Self {
            status,
            headers,
            ..Self::default()
        }
    }
}
