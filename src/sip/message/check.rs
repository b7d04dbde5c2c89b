//! What a request must have before anyone acts on it (RFC 3261 §8.1.1, §8.2, §16.3).

use super::index::Start;
use super::{Message, Method, ParseError};
use crate::sip::header::scan;
use crate::sip::{HeaderName, NameAddr, Scheme, Via};

/// The final response a request deserves at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Status of the response.
    pub status: u16,
    /// Its reason phrase, saying what is wrong.
    pub words: String,
}

impl Refusal {
    fn new(status: u16, words: impl Into<String>) -> Self {
        Self {
            status,
            words: words.into(),
        }
    }
}

impl Message {
    /// Whether a request may be acted upon; for a response use [`Message::validate_response`].
    ///
    /// Refuses with 505 (version), 400 (structure, mandatory headers, addresses), 416 (scheme of
    /// the Request-URI), 483 (no hops left, for requests we would pass on) and, for a method no
    /// one knows whose CSeq names another, 501. A missing Contact
    /// or tag is not refused: RFC 2543 peers send neither.
    pub fn validate_request(&self) -> Result<(), Refusal> {
        if let Start::Request {
            is_version_2: false,
            ..
        } = self.index.start
        {
            return Err(Refusal::new(505, "Version Not Supported"));
        }
        if let Some(defect) = self.defect() {
            return Err(bad(defect));
        }
        self.check_identity()?;
        let method = self.method();
        if self.cseq().map(|cseq| cseq.method) != Ok(method.clone()) {
            // RFC 4475 §3.1.2.18: an unknown method is better told so.
            return Err(match method {
                Method::Other(_) => Refusal::new(501, "Not Implemented"),
                _ => bad("CSeq method differs from the request's"),
            });
        }
        let uri = match self.request_uri() {
            Some(Ok(uri)) => uri,
            Some(Err(error)) => return Err(bad(error)),
            None => return Err(bad("not a request")),
        };
        if matches!(uri.scheme, Scheme::Other(_)) {
            return Err(Refusal::new(416, "Unsupported URI Scheme"));
        }
        if uri.headers.is_some() {
            return Err(bad("headers in the Request-URI"));
        }
        for name in [HeaderName::Route, HeaderName::RecordRoute] {
            for value in self.values(name.clone()) {
                NameAddr::parse(&scan::text(&value)).map_err(|error| in_header(&name, error))?;
            }
        }
        self.contacts()
            .map_err(|error| in_header(&HeaderName::Contact, error))?;
        self.check_hops(&method)
    }

    /// Whether a response can be matched and used; an error means: drop it.
    pub fn validate_response(&self) -> Result<(), ParseError> {
        if let Some(defect) = self.defect() {
            return Err(ParseError::Malformed(defect));
        }
        self.check_identity()
            .map_err(|_| ParseError::Malformed("response without a mandatory header"))
    }

    /// Via, From, To, Call-ID and CSeq are there, readable and, but for Via, single.
    fn check_identity(&self) -> Result<(), Refusal> {
        for name in [
            HeaderName::From,
            HeaderName::To,
            HeaderName::CallId,
            HeaderName::CSeq,
            HeaderName::MaxForwards,
        ] {
            if self.headers(name.clone()).nth(1).is_some() {
                return Err(bad(format_args!("more than one {name}")));
            }
        }
        self.top_via()
            .map_err(|error| in_header(&HeaderName::Via, error))?;
        for value in self.values(HeaderName::Via).skip(1) {
            Via::parse(&scan::text(&value)).map_err(|error| in_header(&HeaderName::Via, error))?;
        }
        self.from()
            .map_err(|error| in_header(&HeaderName::From, error))?;
        self.to()
            .map_err(|error| in_header(&HeaderName::To, error))?;
        self.call_id().map_err(bad)?;
        self.cseq().map_err(bad)?;
        Ok(())
    }

    /// A back-to-back user agent is the end of a dialog, so hops matter only to requests that
    /// begin something and would be passed on.
    fn check_hops(&self, method: &Method) -> Result<(), Refusal> {
        let has_header = self.header(HeaderName::MaxForwards).is_some();
        match self.max_forwards() {
            None if has_header => Err(bad("malformed Max-Forwards")),
            Some(0) if self.begins_something(method) => Err(Refusal::new(483, "Too Many Hops")),
            _ => Ok(()),
        }
    }

    fn begins_something(&self, method: &Method) -> bool {
        let ours = matches!(
            method,
            Method::Ack | Method::Bye | Method::Cancel | Method::Options | Method::Register
        );
        !ours && self.to().is_ok_and(|to| to.tag().is_none())
    }
}

fn bad(why: impl std::fmt::Display) -> Refusal {
    Refusal::new(400, format!("Bad Request: {why}"))
}

fn in_header(name: &HeaderName, error: ParseError) -> Refusal {
    match error {
        ParseError::Missing(_) => bad(error),
        error => bad(format_args!("{name}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "INVITE sip:bob@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
        From: <sip:a@a>;tag=1\r\nTo: <sip:bob@b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
        Max-Forwards: 70\r\nContact: <sip:a@a>\r\n\r\n";

    fn status(text: &str) -> Option<u16> {
        let message = Message::parse(text.to_owned().into()).unwrap();
        message
            .validate_request()
            .err()
            .map(|refusal| refusal.status)
    }

    #[test]
    fn each_fault_has_its_status() {
        assert_eq!(status(GOOD), None);
        for (from, to, wanted) in [
            ("SIP/2.0\r\nVia", "SIP/7.0\r\nVia", 505),
            ("sip:bob@b SIP", "urn:service:sos SIP", 416),
            ("sip:bob@b SIP", "sip:bob@b;a b SIP", 400),
            ("Max-Forwards: 70", "Max-Forwards: 0", 483),
            ("Max-Forwards: 70", "Max-Forwards: 300", 400),
            ("CSeq: 1 INVITE", "CSeq: 1 BYE", 400),
            ("CSeq: 1 INVITE\r\n", "", 400),
            ("Call-ID: c\r\n", "", 400),
            ("Call-ID: c", "Call-ID: c\r\ni: d", 400),
            ("From: <", "From: \"<", 400),
            ("Via: SIP", "Via: SAP", 400),
            ("Contact: <sip:a@a>", "Contact: <sip:a@a", 400),
            ("Contact: <sip:a@a>", "Record-Route: x", 400),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD);
            assert_eq!(status(&text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn hops_do_not_matter_within_a_dialog_or_to_our_own_services() {
        let spent = GOOD.replace("Max-Forwards: 70", "Max-Forwards: 0");
        let within = spent.replace("To: <sip:bob@b>", "To: <sip:bob@b>;tag=2");
        assert_eq!(status(&within), None);
        assert_eq!(status(&spent.replace("INVITE", "OPTIONS")), None);
    }
}
