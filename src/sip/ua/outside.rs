//! Requests outside any dialog, both ways: REGISTER, OPTIONS and their like.

use crate::base::Timestamp;
use crate::sip::auth::Credentials;
use crate::sip::dialog::{Dialog, MAX_FORWARDS};
use crate::sip::transaction::Reaction;
use crate::sip::{Failure, HeaderName, Message};

use super::reply::Reply;
use super::screen::Arrived;
use super::settings::{Body, OutOfDialog, Overload};
use super::{Event, Owner, RequestId, ServerTransactionId, UserAgent};

/// A request of ours that waits for its final response.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) credentials: Option<Box<Credentials>>,
    /// Times it was sent again with credentials.
    pub(super) tries: u8,
}

impl UserAgent {
    /// Sends a request outside any dialog; [`Event::Response`] follows.
    pub fn request(&mut self, now: Timestamp, request: OutOfDialog) -> Result<RequestId, Overload> {
        if self.transactions.len() >= self.identity.settings.limits.transactions {
            return Err(Overload);
        }
        self.last_request += 1;
        let id = RequestId(self.last_request);
        let from = (request.from, self.identity.tag());
        let way = (request.uri, Vec::new());
        let dialog = Dialog::calling(self.identity.call_id(), from, request.to, way);
        let via = self.identity.via(&request.flow);
        let mut builder = dialog.numbered(request.method.clone(), 1, &via, MAX_FORWARDS);
        builder = self.identity.name(builder);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = request.body {
            builder = builder.body(&body.content_type, body.bytes);
        }
        let credentials = request.credentials.map(Box::new);
        self.requests.insert(
            id,
            Pending {
                credentials,
                tries: 0,
            },
        );
        let branch = via.branch().unwrap_or_default();
        let sent = (request.flow, builder.build());
        self.start(now, (&request.method, branch), sent, Owner::OurRequest(id));
        Ok(id)
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

    pub(super) fn handle_outside(&mut self, now: Timestamp, arrived: Arrived, merge: u128) {
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
        let is_final = response.status().is_some_and(|status| status >= 200);
        if !is_final || self.try_again(now, reaction, response).is_some() {
            return;
        }
        if self.requests.remove(&request).is_some() {
            let response = Ok(response.clone());
            self.tell(Event::Response { request, response });
        }
    }

    pub(super) fn request_failed(&mut self, request: RequestId, failure: Failure) {
        if self.requests.remove(&request).is_some() {
            let response = Err(failure);
            self.tell(Event::Response { request, response });
        }
    }
}
