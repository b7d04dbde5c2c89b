//! Requests outside any dialog, both ways: REGISTER, OPTIONS and their like.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::Timestamp;
use crate::sip::auth::Credentials;
use crate::sip::dialog::{Dialog, MAX_FORWARDS};
use crate::sip::transaction::{Reaction, TransactionId};
use crate::sip::{Failure, HeaderName, Message, Protocol, Uri};

use super::reply::Reply;
use super::screen::Arrived;
use super::seeker::{Step, Waiter};
use super::settings::{Body, OutOfDialog, Overload, Series};
use super::way::{Unreached, Way};
use super::{Event, Manners, Owner, RequestId, ServerTransactionId, UserAgent};

/// A request of ours that waits for its final response.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) credentials: Option<Box<Credentials>>,
    /// CSeq it was last sent with.
    pub(super) cseq: u32,
    pub(super) manners: Option<Arc<Manners>>,
    /// Its transaction of now.
    pub(super) transaction: TransactionId,
    /// Where else it may go, when it was located.
    pub(super) way: Option<Box<Way>>,
}

impl UserAgent {
    /// Sends a request outside any dialog; [`Event::Response`] follows.
    pub fn request(
        &mut self,
        now: Timestamp,
        mut request: OutOfDialog,
    ) -> Result<RequestId, Overload> {
        if self.transactions.len() >= self.identity.settings.limits.transactions {
            return Err(Overload);
        }
        self.last_request += 1;
        let id = RequestId(self.last_request);
        let who = (&mut request.uri, request.contact.clone());
        let (step, mut way) = self.set_out(now, request.next_hop, who);
        let flow = step.flow();
        let from = (request.from, self.identity.tag());
        let target = (request.uri, request.routes);
        let Series { call_id, cseq } = request.series.unwrap_or_else(|| Series {
            call_id: self.identity.call_id(),
            cseq: 1,
        });
        let dialog = Dialog::calling(call_id, from, request.to, target);
        let via = self.identity.via(&flow);
        let mut builder = dialog.numbered(request.method.clone(), cseq, &via, MAX_FORWARDS);
        builder = self.identity.name(builder);
        if let Some(own) = &request.contact {
            let contact = self.identity.own_contact(own, &flow);
            builder = builder.header(HeaderName::Contact, contact);
        }
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = request.body {
            builder = builder.body(&body.content_type, body.bytes);
        }
        let written = builder.build();
        if let Some(way) = &mut way {
            way.request = written.clone();
        }
        let branch = via.branch().unwrap_or_default();
        let pending = Pending {
            credentials: request.credentials.map(Box::new),
            cseq,
            manners: request.manners,
            transaction: self.keys.client(branch, &request.method),
            way,
        };
        self.requests.insert(id, pending);
        if let Step::Go(flow) = step {
            let sent = (flow, written);
            self.start(now, (&request.method, branch), sent, Owner::OurRequest(id));
        }
        self.begin_request_way(now, id, &step);
        Ok(id)
    }

    /// Whether an address is a Contact that we wrote, by its user part and one of our addresses.
    pub fn is_own_contact(&self, uri: &Uri, user: &str) -> bool {
        let port = uri.port.unwrap_or(5060);
        let is_here = |(_, address): &(Protocol, SocketAddr)| {
            address.port() == port && uri.host == address.ip().into()
        };
        uri.user_decoded() == user && self.identity.settings.advertised.iter().any(is_here)
    }

    /// Answers a request outside any dialog.
    pub fn respond(
        &mut self,
        now: Timestamp,
        transaction: ServerTransactionId,
        status: u16,
        headers: &[(HeaderName, String)],
        body: Option<Body>,
    ) {
        let ServerTransactionId(id) = transaction;
        let Some(request) = self.unanswered.remove(&id) else {
            return;
        };
        let tag = self.identity.fixed_tag(self.keys.tag(id));
        let reply = Reply {
            tag: &tag,
            body: body.as_ref(),
            ..Reply::with_headers(status.clamp(200, 699), headers)
        };
        self.reply(now, id, &request, reply);
        self.transactions.set_owner(id, Owner::Nobody);
    }

    pub(super) fn handle_outside(&mut self, now: Timestamp, arrived: Arrived, merge: u64) {
        self.serve(now, &arrived, Some(merge), Owner::TheirRequest);
        self.unanswered.insert(arrived.id, arrived.request.clone());
        self.tell(Event::Request {
            transaction: ServerTransactionId(arrived.id),
            flow: arrived.flow,
            request: arrived.request,
        });
    }

    pub(super) fn request_answered(
        &mut self,
        now: Timestamp,
        request: RequestId,
        reaction: &Reaction<Owner>,
        response: &Message,
    ) {
        let is_its = |pending: &Pending| pending.transaction == reaction.id;
        if !self.requests.get(&request).is_some_and(is_its) {
            return;
        }
        self.request_heard(now, request, response);
        let status = response.status().unwrap_or(500);
        if status < 200 {
            return;
        }
        if let Some(again) = self.try_again(now, reaction, response) {
            if let Some(pending) = self.requests.get_mut(&request) {
                pending.transaction = again;
            }
            return;
        }
        if status == 503 && self.request_fails_over(now, request, Unreached::Unavailable) {
            return;
        }
        self.end_request(request, Ok(response.clone()));
    }

    pub(super) fn request_failed(&mut self, now: Timestamp, request: RequestId, failure: Failure) {
        let why = match failure {
            Failure::Timeout => Unreached::Silent,
            Failure::Transport => Unreached::Transport,
        };
        if !self.request_fails_over(now, request, why) {
            self.end_request(request, Err(failure));
        }
    }

    pub(super) fn end_request(&mut self, request: RequestId, response: Result<Message, Failure>) {
        if let Some(pending) = self.requests.remove(&request) {
            let ask = pending.way.and_then(|way| way.ask);
            self.leave_way(Waiter::Request(request), ask);
            self.tell(Event::Response { request, response });
        }
    }
}
