//! Our REFER in a dialog, and the NOTIFYs that tell how it went (RFC 3515 §2.4.5).

use crate::base::Timestamp;
use crate::sip::transaction::Reaction;
use crate::sip::{HeaderName, Message, Method};

use super::refer::ReferId;
use super::reply::Reply;
use super::screen::Arrived;
use super::session::Phase;
use super::subscription::event_of;
use super::{Event, Owner, SessionId, UserAgent};

/// A REFER of ours whose end is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) refer: ReferId,
}

impl UserAgent {
    /// Sends a REFER in a confirmed dialog; [`Event::ReferAnswered`] follows, then
    /// [`Event::Notified`]. `None` when the dialog is not confirmed or has too many under way.
    pub fn refer(
        &mut self,
        now: Timestamp,
        id: SessionId,
        refer_to: &str,
        headers: &[(HeaderName, String)],
    ) -> Option<ReferId> {
        let session = self.sessions.get_mut(&id)?;
        if !matches!(session.phase, Phase::Confirmed) {
            return None;
        }
        let contact = session.contact.clone();
        let flow = session.dialog.next_hop(session.flow);
        let via = self.identity.via(&flow);
        let mut builder = session
            .dialog
            .request(Method::Refer, &via)
            .header(HeaderName::Contact, contact)
            .header(HeaderName::ReferTo, refer_to);
        let refer = ReferId(session.dialog.local_cseq);
        let ours = &mut session.subscriptions_mut().ours;
        if ours.len() >= MAX_OURS {
            return None;
        }
        ours.push(Sent { refer });
        for (name, value) in headers {
            builder = builder.header(name.clone(), value);
        }
        builder = self.identity.name(builder);
        let branch = via.branch().unwrap_or_default();
        let owner = Owner::OurRefer(id, refer);
        self.start(
            now,
            (&Method::Refer, branch),
            (flow, builder.build()),
            owner,
        );
        Some(refer)
    }

    pub(super) fn refer_answered(
        &mut self,
        now: Timestamp,
        (id, refer): (SessionId, ReferId),
        reaction: &Reaction<Owner>,
        response: &Message,
    ) {
        let status = response.status().unwrap_or(500);
        if status < 200 || self.try_again(now, reaction, response).is_some() {
            return;
        }
        self.refer_settled((id, refer), status);
    }

    pub(super) fn refer_settled(&mut self, (id, refer): (SessionId, ReferId), status: u16) {
        if status >= 300 {
            self.forget_ours(id, refer);
        }
        if self.is_ending(id) {
            return;
        }
        self.tell(Event::ReferAnswered {
            session: id,
            refer,
            status,
        });
    }

    /// Takes a NOTIFY in a dialog; only those of our own REFERs are known (else 481, which ends
    /// the subscription alone: RFC 5057 §5.1).
    pub(super) fn handle_notify(&mut self, now: Timestamp, id: SessionId, arrived: &Arrived) {
        let request = &arrived.request;
        let event = request.header_text(HeaderName::Event);
        let (package, number) = event.as_deref().map_or(("", None), event_of);
        if !package.eq_ignore_ascii_case("refer") {
            let headers = [(HeaderName::AllowEvents, "refer".to_owned())];
            return self.refuse_in(now, id, arrived, Reply::with_headers(489, &headers));
        }
        let all = self
            .sessions
            .get(&id)
            .and_then(|s| s.subscriptions.as_ref());
        let sent = all.and_then(|all| match number {
            Some(number) => all.ours.iter().find(|one| one.refer == number),
            None => all.ours.first(),
        });
        let Some(Sent { refer }) = sent.copied() else {
            return self.refuse_in(now, id, arrived, Reply::status(481));
        };
        self.confirm(now, id, arrived);
        let status = fragment_status(request.body());
        let state = request.header_text(HeaderName::SubscriptionState);
        let is_terminated = state.is_some_and(|state| {
            let state = state.split(';').next().unwrap_or("").trim();
            state.eq_ignore_ascii_case("terminated")
        });
        let is_over = is_terminated || status.is_some_and(|status| status >= 200);
        if is_over {
            self.forget_ours(id, refer);
        }
        if self.is_ending(id) {
            return;
        }
        self.tell(Event::Notified {
            session: id,
            refer,
            status,
            is_over,
        });
    }

    /// Whether the call was told, or soon will be, that the session is over.
    fn is_ending(&self, id: SessionId) -> bool {
        let session = self.sessions.get(&id);
        session.is_none_or(|session| matches!(session.phase, Phase::Ending { .. }))
    }

    fn forget_ours(&mut self, id: SessionId, refer: ReferId) -> Option<Sent> {
        let ours = &mut self.sessions.get_mut(&id)?.subscriptions.as_mut()?.ours;
        let place = ours.iter().position(|one| one.refer == refer)?;
        Some(ours.swap_remove(place))
    }
}

/// The status of a sipfrag's first line (RFC 3420 §2).
fn fragment_status(body: &[u8]) -> Option<u16> {
    let line = body.split(|byte| *byte == b'\n').next()?;
    let rest = line.strip_prefix(b"SIP/2.0 ")?;
    let digits = std::str::from_utf8(rest.get(..3)?).ok()?;
    let status: u16 = digits.parse().ok()?;
    (100..700).contains(&status).then_some(status)
}

/// REFERs of ours one dialog may have under way.
const MAX_OURS: usize = 4;

#[cfg(test)]
mod tests {
    use super::fragment_status;

    #[test]
    fn a_fragment_says_how_far_it_came() {
        assert_eq!(fragment_status(b"SIP/2.0 100 Trying\r\n"), Some(100));
        assert_eq!(fragment_status(b"SIP/2.0 200 OK"), Some(200));
        assert_eq!(fragment_status(b"SIP/2.0 200"), Some(200));
        for bad in [
            &b""[..],
            b"SIP/2.0 ",
            b"SIP/2.0 2",
            b"SIP/2.0 +20",
            b"SIP/2.0 999",
            b"x",
        ] {
            assert_eq!(fragment_status(bad), None);
        }
    }
}
