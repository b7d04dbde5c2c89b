//! The phone's registration: when to renew it, and what the switch said (RFC 3261 §10.2).

use std::time::Duration;

use crate::base::Timestamp;
use crate::sip::ua::RequestId;
use crate::sip::{Contacts, Message, Uri};

/// Where the registration stands. Sans-IO: the line sends the REGISTERs.
#[derive(Debug)]
pub(super) struct Registration {
    /// The REGISTER that has no answer yet.
    pending: Option<RequestId>,
    /// Asked for; the switch may grant less, or insist on more.
    expires: Duration,
    /// When to send the next REGISTER.
    due: Option<Timestamp>,
    is_held: bool,
    /// Whether the pending REGISTER ends it.
    leaving: bool,
    failures: u32,
}

/// What a response means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Ask again at once: the switch wants another length.
    Again,
    /// It is ended, or there is nothing to say.
    Over,
    /// Not renewed; it will be tried again.
    Lost(u16),
    /// Never was, and will not be.
    Refused(u16),
    /// It stands, for this long.
    Stands { is_new: bool, expires: Duration },
}

/// A renewal that failed is tried again after this, then twice that, and so on.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// A renewal leaves time for three retransmissions and a second try.
const MARGIN: Duration = Duration::from_secs(10);

impl Registration {
    pub(super) fn new(expires: Duration) -> Self {
        Self {
            pending: None,
            expires,
            due: None,
            is_held: false,
            leaving: false,
            failures: 0,
        }
    }

    /// Whether the switch believes we are here.
    pub(super) fn is_held(&self) -> bool {
        self.is_held
    }

    /// Whether a REGISTER waits for its answer.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// When to register again.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Forces a renewal: the connection it was made by is gone.
    pub(super) fn renew(&mut self, now: Timestamp) {
        if self.is_held && !self.leaving {
            self.due = Some(now + FIRST_RETRY);
        }
    }

    /// Seconds to ask for in the next REGISTER, which `id` will be; zero when leaving.
    pub(super) fn expires_s(&self) -> u64 {
        if self.leaving {
            0
        } else {
            self.expires.as_secs()
        }
    }

    /// A REGISTER was sent.
    pub(super) fn sent(&mut self, id: RequestId) {
        self.pending = Some(id);
        self.due = None;
    }

    /// The next REGISTER is to end it.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
        self.due = None;
    }

    /// Takes the final response, or the status that stands for there being none.
    pub(super) fn handle_response(
        &mut self,
        now: Timestamp,
        id: RequestId,
        response: Result<&Message, u16>,
        contact: &Uri,
    ) -> Verdict {
        if self.pending != Some(id) {
            return Verdict::Over;
        }
        self.pending = None;
        if self.leaving {
            self.is_held = false;
            return Verdict::Over;
        }
        let status = response.map_or_else(|status| status, |one| one.status().unwrap_or(500));
        if let (Ok(response), 200..300) = (response, status) {
            let expires = granted(response, contact).unwrap_or(self.expires);
            let is_new = !std::mem::replace(&mut self.is_held, true);
            self.failures = 0;
            self.due = Some(now + expires.saturating_sub(MARGIN).max(expires / 2));
            return Verdict::Stands { is_new, expires };
        }
        let longer = response
            .ok()
            .filter(|_| status == 423)
            .and_then(Message::min_expires)
            .map(|seconds| Duration::from_secs(u64::from(seconds)))
            .filter(|longer| *longer > self.expires);
        if let Some(longer) = longer {
            self.expires = longer;
            return Verdict::Again;
        }
        if !self.is_held {
            return Verdict::Refused(status);
        }
        let retry = FIRST_RETRY
            .saturating_mul(1 << self.failures.min(5))
            .min(LAST_RETRY);
        self.failures += 1;
        self.due = Some(now + retry);
        Verdict::Lost(status)
    }
}

/// How long our contact stands: its own parameter, or the Expires header (§10.2.4).
fn granted(response: &Message, contact: &Uri) -> Option<Duration> {
    let ours = match response.contacts().ok()? {
        Contacts::Addresses(all) => all.into_iter().find(|one| one.uri.is_equivalent(contact)),
        Contacts::Star => None,
    };
    let own = ours.and_then(|one| one.params.value("expires")?.parse().ok());
    own.or_else(|| response.expires())
        .map(|seconds| Duration::from_secs(u64::from(seconds)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const ID: RequestId = RequestId(1);

    fn response(first: &str, headers: &str) -> Message {
        let text = format!(
            "SIP/2.0 {first}\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\n\
             From: <sip:1001@h>;tag=a\r\nTo: <sip:1001@h>;tag=b\r\nCall-ID: c\r\n\
             CSeq: 1 REGISTER\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    fn contact() -> Uri {
        Uri::parse("sip:1001@127.0.0.1:4000").unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn asked(expires: u64) -> Registration {
        let mut registration = Registration::new(Duration::from_secs(expires));
        registration.sent(ID);
        registration
    }

    fn told(registration: &mut Registration, now: i64, response: Option<&Message>) -> Verdict {
        let response = response.ok_or(408);
        registration.handle_response(at(now), ID, response, &contact())
    }

    #[test]
    fn renews_before_what_was_granted_to_our_own_contact_is_over() {
        let mut registration = asked(3600);
        let ok = response(
            "200 OK",
            "Contact: <sip:1001@127.0.0.1:9>;expires=7\r\n\
             Contact: <sip:1001@127.0.0.1:4000>;expires=60\r\nExpires: 3600\r\n",
        );
        let verdict = told(&mut registration, 0, Some(&ok));
        let expires = Duration::from_secs(60);
        assert_eq!(
            verdict,
            Verdict::Stands {
                is_new: true,
                expires
            }
        );
        assert_eq!(registration.due(), Some(at(50)));
        registration.sent(ID);
        let verdict = told(&mut registration, 50, Some(&ok));
        assert_eq!(
            verdict,
            Verdict::Stands {
                is_new: false,
                expires
            }
        );
    }

    #[test]
    fn asks_for_longer_when_the_switch_insists() {
        let mut registration = asked(10);
        let brief = response("423 Interval Too Brief", "Min-Expires: 60\r\n");
        assert_eq!(told(&mut registration, 0, Some(&brief)), Verdict::Again);
        assert_eq!(registration.expires_s(), 60);
        registration.sent(ID);
        assert_eq!(
            told(&mut registration, 0, Some(&brief)),
            Verdict::Refused(423)
        );
    }

    #[test]
    fn a_first_refusal_is_final_and_a_later_one_is_tried_again() {
        assert_eq!(told(&mut asked(60), 0, None), Verdict::Refused(408));
        let mut registration = asked(60);
        told(
            &mut registration,
            0,
            Some(&response("200 OK", "Expires: 60\r\n")),
        );
        for (now, next) in [
            (50, 51),
            (51, 53),
            (53, 57),
            (57, 65),
            (65, 81),
            (81, 111),
            (111, 141),
        ] {
            registration.sent(ID);
            assert_eq!(told(&mut registration, now, None), Verdict::Lost(408));
            assert_eq!(registration.due(), Some(at(next)));
        }
        assert!(registration.is_held());
    }

    #[test]
    fn leaving_asks_for_nothing_and_takes_any_answer() {
        let mut registration = asked(60);
        told(&mut registration, 0, Some(&response("200 OK", "")));
        registration.leave();
        assert_eq!((registration.expires_s(), registration.due()), (0, None));
        registration.sent(ID);
        assert!(registration.is_held() && registration.is_pending());
        assert_eq!(told(&mut registration, 1, None), Verdict::Over);
        assert!(!registration.is_held() && !registration.is_pending());
    }
}
