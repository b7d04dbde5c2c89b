//! Credentials in our requests: given at once where a challenge was met before, else when one
//! comes (RFC 3261 §22.2, §22.3).

use bytes::Bytes;

use crate::base::Timestamp;
use crate::sip::auth::{Credentials, Trial};
use crate::sip::transaction::{Reaction, TransactionId};
use crate::sip::{CSeq, Flow, HeaderName, Message, RequestBuilder, Via};

use super::session::Phase;
use super::settings::Headers;
use super::{Owner, UserAgent};

impl UserAgent {
    /// Sends a challenged request again; `None` when it was no challenge, cannot be answered, or
    /// our answer is not believed.
    pub(super) fn try_again(
        &mut self,
        now: Timestamp,
        reaction: &Reaction<Owner>,
        response: &Message,
    ) -> Option<TransactionId> {
        let (owner, to) = (reaction.owner, reaction.flow.remote);
        let status = response.status()?;
        if status == 422 {
            return self.try_longer(now, reaction, response);
        }
        if !matches!(status, 401 | 407) {
            return None;
        }
        let credentials = self.credentials(owner)?.clone();
        let request = Message::parse(reaction.kept.clone()).ok()?;
        let trial = self.trials.remove(&reaction.id).unwrap_or_default();
        let pair = (&request, response);
        let entropy = &mut self.identity.entropy;
        let learnt = self.keyring.learn(pair, &credentials, to, trial, entropy);
        let trial = match learnt {
            Ok(trial) => trial,
            Err(why) => {
                let asked = response
                    .header_text(HeaderName::WwwAuthenticate)
                    .or_else(|| response.header_text(HeaderName::ProxyAuthenticate));
                let asked = asked.unwrap_or_default();
                tracing::info!(%why, status, %asked, "challenge not answered");
                return None;
            }
        };
        let method = request.method();
        let cseq = self.next_cseq(owner, &request)?;
        let via = self.identity.via(&reaction.flow);
        let again = renewed(&request, &via, cseq, &[])?;
        let branch = via.branch().unwrap_or_default();
        let sent = (reaction.flow, again);
        Some(self.start_again(now, (&method, branch), sent, owner, trial))
    }

    /// The request with what its receiver has asked for before, or in this very request.
    pub(super) fn with_credentials(
        &mut self,
        flow: &Flow,
        request: Bytes,
        owner: Owner,
        trial: Option<&mut Trial>,
    ) -> Bytes {
        if self.keyring.is_empty() && self.trials.is_empty() && trial.is_none() {
            return request;
        }
        let Some(credentials) = self.credentials(owner).cloned() else {
            return request;
        };
        let Ok(message) = Message::parse(request.clone()) else {
            return request;
        };
        let Some(Ok(uri)) = message.request_uri() else {
            return request;
        };
        let asked = (&message.method(), uri, message.body());
        // What was answered in an INVITE goes on in its early dialogs.
        let invite = self.invite_of(owner);
        let trial = trial.or_else(|| self.trials.get_mut(&invite?));
        let headers = self
            .keyring
            .preempt(&credentials, flow.remote, asked, trial);
        let lines = headers.iter().map(|(name, value)| line(name, value));
        inserted(&request, &lines.collect::<String>()).unwrap_or(request)
    }

    /// Credentials lines of a request of ours, for the ACK of its 2xx (RFC 3261 §22.1).
    pub(super) fn credentials_of(&self, transaction: TransactionId) -> Headers {
        let kept = self.transactions.kept(transaction);
        let request = kept.and_then(|(_, bytes)| Message::parse(bytes).ok());
        request.as_ref().map_or_else(Vec::new, credentials_in)
    }

    fn invite_of(&self, owner: Owner) -> Option<TransactionId> {
        let (Owner::Prack(id) | Owner::Reoffer(id)) = owner else {
            return None;
        };
        match &self.sessions.get(&id)?.phase {
            Phase::Calling(calling) => Some(calling.transaction),
            _ => None,
        }
    }

    /// A 2xx: what we answered a challenge with was believed, and there may be a nonce for the
    /// next request.
    pub(super) fn believed(&mut self, reaction: &Reaction<Owner>, response: &Message) {
        if let Some(trial) = self.trials.remove(&reaction.id)
            && let Some(credentials) = self.credentials(reaction.owner).cloned()
        {
            let by = reaction.flow.remote;
            self.keyring.prove(trial, &credentials, by);
        }
        self.renew_nonce(reaction, response);
    }

    fn renew_nonce(&mut self, reaction: &Reaction<Owner>, response: &Message) {
        let is_told = response.header(HeaderName::AuthenticationInfo).is_some()
            || response
                .header(HeaderName::ProxyAuthenticationInfo)
                .is_some();
        if is_told && let Some(credentials) = self.credentials(reaction.owner).cloned() {
            let from = reaction.flow.remote;
            self.keyring.renew(response, &credentials, from);
        }
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

    pub(super) fn credentials(&self, owner: Owner) -> Option<&Credentials> {
        match owner {
            Owner::Abandoned(id)
            | Owner::Bye(id)
            | Owner::Info(id)
            | Owner::Invite(id)
            | Owner::OurRefer(id, _)
            | Owner::Prack(id)
            | Owner::Reoffer(id) => self.sessions.get(&id)?.credentials.as_deref(),
            Owner::Notify(id, _) => match self.sessions.get(&id) {
                Some(session) => session.credentials.as_deref(),
                None => self.departed_credentials(id),
            },
            Owner::OurRequest(id) => self.requests.get(&id)?.credentials.as_deref(),
            Owner::Parting(number) => self.partings.get(&number)?.credentials.as_deref(),
            Owner::Incoming(_)
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
            | Owner::Info(id)
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
            Owner::OurRequest(id) => {
                let pending = self.requests.get_mut(&id)?;
                pending.cseq += 1;
                Some(pending.cseq)
            }
            _ => Some(request.cseq().ok()?.number + 1),
        }
    }
}

/// The request under a new Via and CSeq and without credentials, with these headers in place of
/// any others of the name.
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
            HeaderName::Authorization
            | HeaderName::ContentLength
            | HeaderName::ContentType
            | HeaderName::ProxyAuthorization
            | HeaderName::Via => {}
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

/// The lines of a request that answer challenges.
pub(super) fn credentials_in(request: &Message) -> Headers {
    let names = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
    let lines = names.into_iter().flat_map(|name| {
        let values = request.headers(name.clone());
        values.map(move |value| (name.clone(), String::from_utf8_lossy(&value).into_owned()))
    });
    lines.collect()
}

/// One header line; what a challenger wrote cannot break it.
fn line(name: &HeaderName, value: &str) -> String {
    format!("{name}: {}\r\n", value.replace(['\r', '\n'], " "))
}

/// A message of ours with further header lines at the end of its head.
fn inserted(message: &Bytes, lines: &str) -> Option<Bytes> {
    if lines.is_empty() {
        return None;
    }
    let end = memchr::memmem::find(message, b"\r\n\r\n")? + 2;
    let (head, rest) = message.split_at_checked(end)?;
    Some([head, lines.as_bytes(), rest].concat().into())
}
