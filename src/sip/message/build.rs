//! Writing requests and responses.
//!
//! A value that holds a line break is written with spaces in its place, and a header whose name
//! is no token is left out: nobody can smuggle a header through a display name.

use std::fmt::{self, Write as _};
use std::net::SocketAddr;

use bytes::Bytes;
use memchr::memchr3;

use super::{Message, Method};
use crate::base::reason;
use crate::sip::header::scan;
use crate::sip::{HeaderName, Uri};

/// Builds a request.
#[derive(Clone, Debug)]
pub struct RequestBuilder(Draft);

impl RequestBuilder {
    /// Begins with the request line.
    pub fn request(method: Method, uri: &Uri) -> Self {
        let mut draft = Draft::with_room(USUAL_SIZE);
        draft.line(format_args!("{method} {uri} SIP/2.0"));
        Self(draft)
    }

    /// Adds a header; repeated calls add lines.
    pub fn header(mut self, name: HeaderName, value: impl fmt::Display) -> Self {
        self.0.header(&name, value);
        self
    }

    /// Adds a header of octets as they were received.
    pub fn raw_header(mut self, name: &[u8], value: &[u8]) -> Self {
        self.0.raw_header(name, value);
        self
    }

    /// Sets the body and its type.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.0.body(content_type, body.into());
        self
    }

    /// The octets to send; Content-Length is always there.
    pub fn build(self) -> Bytes {
        self.0.finish()
    }
}

/// Builds a response to a request.
#[derive(Clone, Debug)]
pub struct ResponseBuilder {
    request: Message,
    status: u16,
    phrase: Option<String>,
    to_tag: Option<String>,
    source: Option<SocketAddr>,
    rest: Draft,
}

impl ResponseBuilder {
    /// A response with the Vias, From, To, Call-ID and CSeq of `request` (RFC 3261 §8.2.6.2),
    /// with Record-Route when it makes a dialog (§12.1.1) and Timestamp when it is 100.
    ///
    /// Without `phrase` the one of the standard is written.
    pub fn response(request: &Message, status: u16, phrase: Option<&str>) -> Self {
        Self {
            request: request.clone(),
            status: status.clamp(100, 699),
            phrase: phrase.map(str::to_owned),
            to_tag: None,
            source: None,
            rest: Draft::with_room(USUAL_REST),
        }
    }

    /// Adds a tag to To when the request's has none.
    pub fn to_tag(mut self, tag: &str) -> Self {
        self.to_tag = Some(tag.to_owned());
        self
    }

    /// Writes `received` and `rport` into the topmost Via (RFC 3261 §18.2.1, RFC 3581 §4).
    pub fn received_from(mut self, source: SocketAddr) -> Self {
        self.source = Some(source);
        self
    }

    /// Adds a header; repeated calls add lines.
    pub fn header(mut self, name: HeaderName, value: impl fmt::Display) -> Self {
        self.rest.header(&name, value);
        self
    }

    /// Adds a header of octets as they were received.
    pub fn raw_header(mut self, name: &[u8], value: &[u8]) -> Self {
        self.rest.raw_header(name, value);
        self
    }

    /// Sets the body and its type.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.rest.body(content_type, body.into());
        self
    }

    /// The octets to send; Content-Length is always there.
    pub fn build(self) -> Bytes {
        let head = self.request.bytes().len() - self.request.body().len();
        let mut draft = Draft::with_room(head + self.rest.octets.len() + USUAL_ADDITIONS);
        let phrase = match &self.phrase {
            Some(phrase) => phrase,
            None => reason::phrase(self.status),
        };
        draft.line(format_args!("SIP/2.0 {} {phrase}", self.status));
        self.copy_vias(&mut draft);
        let makes_dialog = (101..300).contains(&self.status)
            && matches!(
                self.request.method(),
                Method::Invite | Method::Notify | Method::Refer | Method::Subscribe
            );
        if makes_dialog {
            self.copy(HeaderName::RecordRoute, &mut draft);
        }
        self.copy(HeaderName::From, &mut draft);
        self.copy_to(&mut draft);
        self.copy(HeaderName::CallId, &mut draft);
        self.copy(HeaderName::CSeq, &mut draft);
        if self.status == 100 {
            self.copy(HeaderName::Timestamp, &mut draft);
        }
        draft.octets.extend_from_slice(&self.rest.octets);
        draft.body = self.rest.body;
        draft.finish()
    }

    fn copy(&self, name: HeaderName, draft: &mut Draft) {
        for value in self.request.headers(name.clone()) {
            draft.copy(&name, &value);
        }
    }

    fn copy_vias(&self, draft: &mut Draft) {
        let Some(source) = self.source else {
            return self.copy(HeaderName::Via, draft);
        };
        let mut is_topmost = true;
        for line in self.request.headers(HeaderName::Via) {
            if !is_topmost {
                draft.copy(&HeaderName::Via, &line);
                continue;
            }
            is_topmost = false;
            // The rest of a list stays one line: a response never has more lines than its
            // request, but for this one.
            let (first, rest) = match scan::find_outside(&line, b',') {
                Some(comma) => (&line[..comma], line.get(comma + 1..)),
                None => (&*line, None),
            };
            match self.request.top_via() {
                Ok(via) => draft.header(&HeaderName::Via, via.marked(source)),
                Err(_) => draft.copy(&HeaderName::Via, scan::trim(first)),
            }
            if let Some(rest) = rest {
                draft.copy(&HeaderName::Via, scan::trim(rest));
            }
        }
    }

    fn copy_to(&self, draft: &mut Draft) {
        let value = self.request.header_text(HeaderName::To).unwrap_or_default();
        match &self.to_tag {
            Some(tag) if self.request.to().is_ok_and(|to| to.tag().is_none()) => {
                draft.header(&HeaderName::To, format_args!("{value};tag={tag}"));
            }
            _ => draft.header(&HeaderName::To, value),
        }
    }
}

/// Header lines written so far, and the body to come.
#[derive(Clone, Debug, Default)]
struct Draft {
    octets: Vec<u8>,
    body: Option<(String, Bytes)>,
}

impl Draft {
    fn with_room(octets: usize) -> Self {
        Self {
            octets: Vec::with_capacity(octets),
            body: None,
        }
    }

    /// Writes one line; line breaks within become spaces.
    fn line(&mut self, line: fmt::Arguments<'_>) {
        let start = self.octets.len();
        let _ = Octets(&mut self.octets).write_fmt(line);
        self.end_line(start);
    }

    fn header(&mut self, name: &HeaderName, value: impl fmt::Display) {
        let may_write = match name {
            HeaderName::Other(text) => is_ours(text.as_bytes()),
            known => *known != HeaderName::ContentLength,
        };
        if may_write {
            self.octets.extend_from_slice(name.as_str().as_bytes());
            self.octets.extend_from_slice(b": ");
            self.line(format_args!("{value}"));
        }
    }

    /// Adds a header whose name is known to be good.
    fn copy(&mut self, name: &HeaderName, value: &[u8]) {
        let start = self.octets.len();
        self.octets.extend_from_slice(name.as_str().as_bytes());
        self.octets.extend_from_slice(b": ");
        self.octets.extend_from_slice(value);
        self.end_line(start);
    }

    fn raw_header(&mut self, name: &[u8], value: &[u8]) {
        if is_ours(name) {
            let start = self.octets.len();
            self.octets.extend_from_slice(name);
            self.octets.extend_from_slice(b": ");
            self.octets.extend_from_slice(value);
            self.end_line(start);
        }
    }

    fn end_line(&mut self, start: usize) {
        let mut at = start;
        while let Some(found) = memchr3(b'\r', b'\n', 0, &self.octets[at..]) {
            at += found;
            self.octets[at] = b' ';
        }
        self.octets.extend_from_slice(b"\r\n");
    }

    fn body(&mut self, content_type: &str, body: Bytes) {
        self.body = Some((content_type.to_owned(), body));
    }

    fn finish(mut self) -> Bytes {
        let (content_type, body) = self.body.take().unwrap_or_default();
        self.octets.reserve(body.len() + USUAL_ADDITIONS);
        if !content_type.is_empty() {
            self.line(format_args!("Content-Type: {content_type}"));
        }
        self.line(format_args!("Content-Length: {}", body.len()));
        self.octets.extend_from_slice(b"\r\n");
        self.octets.extend_from_slice(&body);
        self.octets.into()
    }
}

/// Whether the caller may write a header of this name: a token, and not what `finish` writes.
fn is_ours(name: &[u8]) -> bool {
    let index = HeaderName::index_of(name);
    scan::is_token(name) && index != HeaderName::ContentLength.index()
}

struct Octets<'a>(&'a mut Vec<u8>);

impl fmt::Write for Octets<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Room made at once: an INVITE without its SDP fits.
const USUAL_SIZE: usize = 768;

/// Room for the headers of a response that its request does not dictate.
const USUAL_REST: usize = 256;

/// Room for what a response has beyond the head of its request, and for the length of a body.
const USUAL_ADDITIONS: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::NameAddr;

    fn request() -> Message {
        let text = "INVITE sip:bob@b SIP/2.0\r\n\
            v: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1, SIP/2.0/TCP x;branch=z9hG4bK2\r\n\
            Via: SIP/2.0/TCP y\r\nRecord-Route: <sip:p;lr>\r\n\
            From: A <sip:a@a>;tag=1\r\nTo: sip:bob@b\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n";
        Message::parse(text.into()).unwrap()
    }

    #[test]
    fn a_response_mirrors_its_request() {
        let source = "192.0.2.9:4321".parse().unwrap();
        let bytes = ResponseBuilder::response(&request(), 180, None)
            .to_tag("xyz")
            .received_from(source)
            .header(HeaderName::Contact, "<sip:us>")
            .build();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert_eq!(
            text,
            "SIP/2.0 180 Ringing\r\n\
            Via: SIP/2.0/UDP 10.0.0.1;rport=4321;branch=z9hG4bK1;received=192.0.2.9\r\n\
            Via: SIP/2.0/TCP x;branch=z9hG4bK2\r\nVia: SIP/2.0/TCP y\r\n\
            Record-Route: <sip:p;lr>\r\nFrom: A <sip:a@a>;tag=1\r\nTo: sip:bob@b;tag=xyz\r\n\
            Call-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:us>\r\nContent-Length: 0\r\n\r\n"
        );
        let response = Message::parse(bytes).unwrap();
        assert_eq!(response.to().unwrap().tag(), Some("xyz"));
        assert_eq!(response.validate_response(), Ok(()));
    }

    #[test]
    fn a_long_list_of_hops_stays_one_line() {
        let hops = ",SIP/2.0/UDP x".repeat(400);
        let text = format!("BYE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP y;rport{hops}\r\n\r\n");
        let request = Message::parse(text.into()).unwrap();
        let bytes = ResponseBuilder::response(&request, 400, None)
            .received_from(([127, 0, 0, 1], 9).into())
            .build();
        let response = Message::parse(bytes).unwrap();
        assert_eq!(response.headers(HeaderName::Via).count(), 2);
        assert_eq!(response.vias().unwrap().len(), 401);
        assert_eq!(response.top_via().unwrap().rport(), Some(9));
    }

    #[test]
    fn a_request_carries_its_body_and_length() {
        let uri = Uri::parse("sip:bob@b").unwrap();
        let bytes = RequestBuilder::request(Method::Invite, &uri)
            .header(HeaderName::ContentLength, 7)
            .header(HeaderName::MaxForwards, 70)
            .raw_header(b"X-Raw", b"\xe9t\xe9")
            .body("application/sdp", &b"v=0\r\n"[..])
            .build();
        let message = Message::parse(bytes).unwrap();
        assert_eq!(message.defect(), None);
        assert_eq!(message.body(), b"v=0\r\n");
        assert_eq!(message.max_forwards(), Some(70));
        assert_eq!(
            message.header_named("x-raw").as_deref(),
            Some(&b"\xe9t\xe9"[..])
        );
        assert_eq!(message.headers(HeaderName::ContentLength).count(), 1);
    }

    #[test]
    fn no_value_begins_a_line_of_its_own() {
        let uri = Uri::parse("sip:bob@b").unwrap();
        let evil = NameAddr::new(uri.clone()).with_display("x\r\nVia: evil");
        let bytes = RequestBuilder::request(Method::Bye, &uri)
            .header(HeaderName::From, &evil)
            .header(HeaderName::Subject, "a\r\n\r\nbody")
            .raw_header(b"A: b\r\nC", b"d")
            .build();
        let message = Message::parse(bytes).unwrap();
        assert_eq!(message.headers(HeaderName::Via).count(), 0);
        assert_eq!(message.header_lines().count(), 3);
        assert_eq!(message.body(), b"");
    }
}
