//! Answering a challenge: the same request again, with credentials (RFC 3261 §22.2).

use bytes::Bytes;

use crate::base::Timestamp;
use crate::sip::auth::{self, Credentials};
use crate::sip::transaction::{Reaction, TransactionId};
use crate::sip::{CSeq, HeaderName, Message, RequestBuilder, Via};

use super::{Owner, UserAgent};

impl UserAgent {
    /// Sends a challenged request again; `None` when it was no challenge, cannot be answered, or
    /// has been answered before.
    pub(super) fn try_again(
        &mut self,
        now: Timestamp,
        reaction: &Reaction<Owner>,
        response: &Message,
    ) -> Option<TransactionId> {
        let answers_in = match response.status()? {
            422 => return self.try_longer(now, reaction, response),
            401 => HeaderName::Authorization,
            407 => HeaderName::ProxyAuthorization,
            _ => return None,
        };
        let request = Message::parse(reaction.kept.clone()).ok()?;
        if request.header(answers_in).is_some() {
            return None;
        }
        let method = request.method();
        let uri = request.request_uri()?.ok()?;
        let credentials = self.credentials(reaction.owner)?.clone();
        let entropy = &mut self.identity.entropy;
        let (name, value) = auth::answer(response, &method, uri, &credentials, entropy, 1).ok()?;
        let cseq = self.next_cseq(reaction.owner, &request)?;
        let via = self.identity.via(&reaction.flow);
        let again = renewed(&request, &via, cseq, &[(name, value)])?;
        let branch = via.branch().unwrap_or_default();
        let sent = (reaction.flow, again);
        Some(self.start(now, (&method, branch), sent, reaction.owner))
    }

    /// Sends a request again whose session interval was too short (RFC 4028 §7.3).
    fn try_longer(
        &mut self,
        now: Timestamp,
        reaction: &Reaction<Owner>,
        response: &Message,
    ) -> Option<TransactionId> {
        let (Owner::Invite(id) | Owner::Reoffer(id)) = reaction.owner else {
            return None;
        };
        let request = Message::parse(reaction.kept.clone()).ok()?;
        request.session_expires()?;
        if !self.may_raise(id, response) {
            return None;
        }
        let cseq = self.next_cseq(reaction.owner, &request)?;
        let headers = self.sessions.get(&id)?.renewal_headers();
        let via = self.identity.via(&reaction.flow);
        let again = renewed(&request, &via, cseq, &headers)?;
        let branch = via.branch().unwrap_or_default();
        let sent = (reaction.flow, again);
        Some(self.start(now, (&request.method(), branch), sent, reaction.owner))
    }

    fn credentials(&self, owner: Owner) -> Option<&Credentials> {
        match owner {
            Owner::Bye(id)
            | Owner::Invite(id)
            | Owner::OurRefer(id, _)
            | Owner::Prack(id)
            | Owner::Reoffer(id) => self.sessions.get(&id)?.credentials.as_deref(),
            Owner::Notify(id, _) => match self.sessions.get(&id) {
                Some(session) => session.credentials.as_deref(),
                None => self.departed_credentials(id),
            },
            Owner::OurRequest(id) => self.requests.get(&id)?.credentials.as_deref(),
            Owner::Abandoned
            | Owner::Incoming(_)
            | Owner::Nobody
            | Owner::TheirRefer(_)
            | Owner::TheirReoffer(_)
            | Owner::TheirRequest => None,
        }
    }

    fn next_cseq(&mut self, owner: Owner, request: &Message) -> Option<u32> {
        match owner {
            Owner::Notify(id, _) if !self.sessions.contains_key(&id) => self.departed_cseq(id),
            Owner::Bye(id)
            | Owner::Invite(id)
            | Owner::Notify(id, _)
            | Owner::OurRefer(id, _)
            | Owner::Prack(id)
            | Owner::Reoffer(id) => {
                let session = self.sessions.get_mut(&id)?;
                let to = request.to().ok()?;
                let dialog = match to.tag() {
                    Some(tag) => session.dialog_with(tag)?,
                    None => &mut session.dialog,
                };
                dialog.local_cseq += 1;
                Some(dialog.local_cseq)
            }
            _ => Some(request.cseq().ok()?.number + 1),
        }
    }
}

/// The request under a new Via and CSeq, with these headers in place of any others of the name.
fn renewed(
    request: &Message,
    via: &Via,
    cseq: u32,
    headers: &[(HeaderName, String)],
) -> Option<Bytes> {
    let method = request.method();
    let uri = request.request_uri()?.ok()?;
    let mut builder = RequestBuilder::request(method.clone(), uri).header(HeaderName::Via, via);
    for (line, text) in request.header_lines() {
        match HeaderName::parse(std::str::from_utf8(line).ok()?)? {
            HeaderName::Via | HeaderName::ContentLength | HeaderName::ContentType => {}
            HeaderName::CSeq => {
                let cseq = CSeq::new(cseq, method.clone());
                builder = builder.header(HeaderName::CSeq, cseq);
            }
            name if headers.iter().any(|(ours, _)| *ours == name) => {}
            _ => builder = builder.raw_header(line, text),
        }
    }
    for (name, value) in headers {
        builder = builder.header(name.clone(), value);
    }
    if let Some(content_type) = request.header_text(HeaderName::ContentType) {
        builder = builder.body(&content_type, Bytes::copy_from_slice(request.body()));
    }
    Some(builder.build())
}
