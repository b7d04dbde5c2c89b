//! SIP messages (RFC 3261 §7): an index over the octets received, with typed views made on use.
//!
//! Nothing is copied or decoded until it is asked for, and unknown headers stay byte-exact.
//! Reading is lenient; [`Message::validate_request`] says what is wrong with what was read, so
//! that a malformed request can still be answered.

mod build;
mod check;
mod error;
mod index;
mod method;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod torture;
mod values;
mod views;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::header::scan;
use super::{CSeq, Contacts, HeaderName, MediaType, NameAddr, RAck, SessionExpires, Uri, Via};
use index::{Index, Start};

pub use build::{RequestBuilder, ResponseBuilder};
pub use check::Refusal;
pub use error::ParseError;
pub(super) use index::content_length;
pub use index::{MAX_HEADERS, MAX_MESSAGE};
pub use method::Method;

/// A request or a response. Cloning shares everything.
#[derive(Clone)]
pub struct Message {
    bytes: Bytes,
    index: Arc<Index>,
}

impl Message {
    /// Reads a message; leading empty lines are skipped and what follows the body is ignored
    /// (RFC 3261 §7.5, §18.3).
    ///
    /// Fails only when the start line makes no sense or a limit is passed.
    pub fn parse(datagram: Bytes) -> Result<Self, ParseError> {
        let index = Arc::new(Index::read(&datagram)?);
        Ok(Self {
            bytes: datagram,
            index,
        })
    }

    /// Everything received, as received.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        matches!(self.index.start, Start::Request { .. })
    }

    /// The method of a request, or the CSeq method of a response; an empty `Other` when a
    /// response's CSeq cannot be read.
    pub fn method(&self) -> Method {
        match &self.index.start {
            Start::Request { method, .. } => method.clone(),
            Start::Response { .. } => match self.cseq() {
                Ok(cseq) => cseq.method,
                Err(_) => Method::Other(Arc::from("")),
            },
        }
    }

    /// The status of a response, 100 to 699.
    pub fn status(&self) -> Option<u16> {
        match self.index.start {
            Start::Response { status, .. } => Some(status),
            Start::Request { .. } => None,
        }
    }

    /// The reason phrase of a response; empty for a request.
    pub fn reason_phrase(&self) -> Cow<'_, str> {
        match self.index.start {
            Start::Response { reason, .. } => scan::text(reason.of(&self.bytes)),
            Start::Request { .. } => Cow::Borrowed(""),
        }
    }

    /// The Request-URI; `None` for a response.
    pub fn request_uri(&self) -> Option<Result<&Uri, ParseError>> {
        let octets = self.request_uri_raw()?;
        let view = &self.index.views.request_uri;
        Some(view.read(|| Uri::parse(&scan::text(octets))))
    }

    /// The Request-URI as written.
    pub fn request_uri_raw(&self) -> Option<&[u8]> {
        match self.index.start {
            Start::Request { uri, .. } => Some(uri.of(&self.bytes)),
            Start::Response { .. } => None,
        }
    }

    /// The body, as long as Content-Length says.
    pub fn body(&self) -> &[u8] {
        self.index.body.of(&self.bytes)
    }

    /// The first value line of a header: trimmed, folds undone.
    pub fn header(&self, name: HeaderName) -> Option<Cow<'_, [u8]>> {
        self.headers(name).next()
    }

    /// [`Message::header`] as text.
    pub fn header_text(&self, name: HeaderName) -> Option<Cow<'_, str>> {
        self.header(name).map(into_text)
    }

    /// Every line of a header in order, lists not split.
    pub fn headers(&self, name: HeaderName) -> impl Iterator<Item = Cow<'_, [u8]>> {
        self.index
            .lines
            .iter()
            .filter(move |line| {
                line.known == name.index()
                    && match &name {
                        HeaderName::Other(text) => line
                            .name
                            .of(&self.bytes)
                            .eq_ignore_ascii_case(text.as_bytes()),
                        _ => true,
                    }
            })
            .map(|line| values::unfold(line.value.of(&self.bytes), line.is_folded))
    }

    /// [`Message::header`] by a name in any spelling.
    pub fn header_named(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.header(HeaderName::parse(name)?)
    }

    /// Every value of a header, lists split at commas outside quotes and angle brackets.
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = Cow<'_, [u8]>> {
        self.headers(name).flat_map(values::split)
    }

    /// All headers in order: name and value as written (value trimmed, folds kept).
    pub fn header_lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.index
            .lines
            .iter()
            .map(|line| (line.name.of(&self.bytes), line.value.of(&self.bytes)))
    }

    /// The topmost Via.
    pub fn top_via(&self) -> Result<&Via, ParseError> {
        self.index.views.top_via.read(|| {
            let value = self.values(HeaderName::Via).next();
            let value = value.ok_or(ParseError::Missing(HeaderName::Via))?;
            Via::parse(&scan::text(&value))
        })
    }

    /// All Vias, topmost first.
    pub fn vias(&self) -> Result<Vec<Via>, ParseError> {
        self.values(HeaderName::Via)
            .map(|value| Via::parse(&scan::text(&value)))
            .collect()
    }

    /// From.
    pub fn from(&self) -> Result<&NameAddr, ParseError> {
        let view = &self.index.views.from;
        view.read(|| self.address(HeaderName::From))
    }

    /// To.
    pub fn to(&self) -> Result<&NameAddr, ParseError> {
        let view = &self.index.views.to;
        view.read(|| self.address(HeaderName::To))
    }

    /// Call-ID.
    pub fn call_id(&self) -> Result<&str, ParseError> {
        let missing = ParseError::Missing(HeaderName::CallId);
        let known = HeaderName::CallId.index();
        let mut lines = self.index.lines.iter();
        let line = lines.find(|line| line.known == known).ok_or(missing)?;
        let text = std::str::from_utf8(line.value.of(&self.bytes)).unwrap_or("");
        if text.is_empty() || text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(ParseError::Malformed("Call-ID"));
        }
        Ok(text)
    }

    /// CSeq.
    pub fn cseq(&self) -> Result<CSeq, ParseError> {
        let value = self
            .header(HeaderName::CSeq)
            .ok_or(ParseError::Missing(HeaderName::CSeq))?;
        CSeq::parse(&value)
    }

    /// Contact; no addresses when there is none.
    pub fn contacts(&self) -> Result<Contacts, ParseError> {
        let mut addresses = Vec::new();
        for value in self.values(HeaderName::Contact) {
            if &*value == b"*" {
                return match self.values(HeaderName::Contact).nth(1) {
                    None => Ok(Contacts::Star),
                    Some(_) => Err(ParseError::Malformed("Contact * beside others")),
                };
            }
            addresses.push(NameAddr::parse(&scan::text(&value))?);
        }
        Ok(Contacts::Addresses(addresses))
    }

    /// Max-Breadth (RFC 5393 §5.3.3); `None` when absent or malformed.
    pub fn max_breadth(&self) -> Option<u32> {
        self.number(HeaderName::MaxBreadth)
    }

    /// Max-Forwards; `None` when absent or malformed.
    pub fn max_forwards(&self) -> Option<u8> {
        self.number(HeaderName::MaxForwards)?.try_into().ok()
    }

    /// Expires in seconds; `None` when absent or malformed.
    pub fn expires(&self) -> Option<u32> {
        self.number(HeaderName::Expires)
    }

    /// Min-Expires in seconds; `None` when absent or malformed.
    pub fn min_expires(&self) -> Option<u32> {
        self.number(HeaderName::MinExpires)
    }

    /// Option tags of Require.
    pub fn require(&self) -> Vec<String> {
        self.tokens(HeaderName::Require)
    }

    /// Option tags of Supported.
    pub fn supported(&self) -> Vec<String> {
        self.tokens(HeaderName::Supported)
    }

    /// Whether a header that is a list of words, such as Supported or Allow, has this one.
    pub fn lists(&self, name: HeaderName, word: &str) -> bool {
        self.values(name)
            .any(|value| value.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Session-Expires (RFC 4028 §4); `None` when absent or malformed.
    pub fn session_expires(&self) -> Option<SessionExpires> {
        SessionExpires::parse(&self.header(HeaderName::SessionExpires)?).ok()
    }

    /// Min-SE (RFC 4028 §5), seconds; `None` when absent or malformed.
    pub fn min_se(&self) -> Option<u32> {
        Some(
            SessionExpires::parse(&self.header(HeaderName::MinSe)?)
                .ok()?
                .seconds,
        )
    }

    /// RSeq (RFC 3262 §7.1); `None` when absent or malformed.
    pub fn rseq(&self) -> Option<u32> {
        scan::number(scan::trim(&self.header(HeaderName::RSeq)?))
    }

    /// RAck (RFC 3262 §7.2).
    pub fn rack(&self) -> Option<RAck> {
        RAck::parse(&self.header(HeaderName::RAck)?).ok()
    }

    /// Every value of the Reason header as one list (RFC 3326), as written.
    pub fn reason(&self) -> Option<String> {
        let mut all = String::new();
        for value in self.headers(HeaderName::Reason) {
            if !all.is_empty() {
                all.push_str(", ");
            }
            all.push_str(&scan::text(&value));
        }
        (!all.is_empty()).then_some(all)
    }

    /// The values of a header that is a list of words, such as Allow or Unsupported.
    pub fn tokens(&self, name: HeaderName) -> Vec<String> {
        self.values(name)
            .filter(|value| !value.is_empty())
            .map(|value| into_text(value).into_owned())
            .collect()
    }

    /// Record-Route, topmost first; values that cannot be read are left out.
    pub fn record_routes(&self) -> Vec<NameAddr> {
        self.addresses(HeaderName::RecordRoute)
    }

    /// Route, topmost first; values that cannot be read are left out.
    pub fn routes(&self) -> Vec<NameAddr> {
        self.addresses(HeaderName::Route)
    }

    /// Every readable address of a header such as P-Asserted-Identity or Diversion.
    pub fn addresses(&self, name: HeaderName) -> Vec<NameAddr> {
        self.values(name)
            .filter_map(|value| NameAddr::parse(&scan::text(&value)).ok())
            .collect()
    }

    /// Content-Type; `None` when absent or malformed.
    pub fn content_type(&self) -> Option<MediaType> {
        MediaType::parse(&self.header_text(HeaderName::ContentType)?).ok()
    }

    /// What made the octets no proper message, such as a body shorter than Content-Length.
    pub fn defect(&self) -> Option<&'static str> {
        self.index.defect
    }

    fn address(&self, name: HeaderName) -> Result<NameAddr, ParseError> {
        match self.header_text(name.clone()) {
            Some(value) => NameAddr::parse(&value),
            None => Err(ParseError::Missing(name)),
        }
    }

    fn number(&self, name: HeaderName) -> Option<u32> {
        let value = self.header(name)?;
        // `Expires: 60;something` was legal in RFC 2543.
        let end = value.iter().position(|byte| *byte == b';');
        scan::number(scan::trim(&value[..end.unwrap_or(value.len())]))
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({:?})", String::from_utf8_lossy(&self.bytes))
    }
}

fn into_text(octets: Cow<'_, [u8]>) -> Cow<'_, str> {
    match octets {
        Cow::Borrowed(octets) => scan::text(octets),
        Cow::Owned(octets) => Cow::Owned(scan::text(&octets).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Message {
        Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    const INVITE: &str = "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP bigbox3.site3.atlanta.com;branch=z9hG4bK77ef4c2312983.1,\r\n\
        \x20SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKnashds8 ;received=192.0.2.1\r\n\
        Max-Forwards: 69\r\n\
        t: Bob <sip:bob@biloxi.com>\r\n\
        f: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
        i: a84b4c76e66710\r\n\
        CSeq: 314159 INVITE\r\n\
        m: <sip:alice@pc33.atlanta.com>\r\n\
        Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>\r\n\
        Require: 100rel ,timer\r\n\
        X-Note: kept\r\n\
        \x20 as written\r\n\
        x-note: twice\r\n\
        c: application/sdp\r\n\
        l: 4\r\n\
        \r\n\
        v=0\n+++";

    #[test]
    fn an_invite_is_read_lazily_and_whole() {
        let invite = parse(INVITE);
        assert!(invite.is_request());
        assert_eq!(invite.method(), Method::Invite);
        assert_eq!(invite.defect(), None);
        let uri = invite.request_uri().unwrap().unwrap();
        assert_eq!(uri.to_string(), "sip:bob@biloxi.example.com");
        let vias = invite.vias().unwrap();
        assert_eq!(vias.len(), 2);
        assert_eq!(
            invite.top_via().unwrap().branch(),
            Some("z9hG4bK77ef4c2312983.1")
        );
        assert_eq!(vias[1].received(), Some([192, 0, 2, 1].into()));
        assert_eq!(invite.from().unwrap().tag(), Some("1928301774"));
        assert_eq!(invite.to().unwrap().tag(), None);
        assert_eq!(invite.call_id().unwrap(), "a84b4c76e66710");
        assert_eq!(invite.cseq().unwrap(), CSeq::new(314_159, Method::Invite));
        assert_eq!(invite.max_forwards(), Some(69));
        assert_eq!(invite.record_routes().len(), 2);
        assert_eq!(invite.require(), ["100rel", "timer"]);
        assert!(invite.content_type().unwrap().is("application/sdp"));
        assert_eq!(invite.body(), b"v=0\n");
        assert_eq!(
            invite.header_named("X-NOTE").as_deref(),
            Some(&b"kept as written"[..])
        );
        let other = HeaderName::parse("X-Note").unwrap();
        assert_eq!(invite.headers(other).count(), 2);
        assert_eq!(invite.header_lines().count(), 13);
        let contact = invite.contacts().unwrap();
        assert_eq!(
            contact.first().unwrap().uri.to_string(),
            "sip:alice@pc33.atlanta.com"
        );
    }

    #[test]
    fn a_response_is_read() {
        let ok =
            parse("\r\n\r\nSIP/2.0 200 Ça va\nVia: SIP/2.0/UDP a\nCSeq: 1 BYE\nCall-ID: x@y\n\n");
        assert_eq!(ok.status(), Some(200));
        assert_eq!(ok.reason_phrase(), "Ça va");
        assert_eq!(ok.method(), Method::Bye);
        assert_eq!(ok.request_uri_raw(), None);
        assert_eq!(ok.body(), b"");
        assert_eq!(ok.from(), Err(ParseError::Missing(HeaderName::From)));
    }

    #[test]
    fn hopeless_input_is_an_error() {
        for text in [
            "",
            "\r\n\r\n",
            "hello",
            "hello\r\n\r\n",
            "SIP/2.0 99 Low\r\n\r\n",
            "SIP/2.0 700 High\r\n\r\n",
            "SIP/2.0 4294967301 better not break\r\n\r\n",
            "SIP/3.0 200 OK\r\n\r\n",
            "BAD@METHOD sip:x SIP/2.0\r\n\r\n",
            "INVITE sip:x HTTP/1.1\r\n\r\n",
        ] {
            assert!(
                Message::parse(Bytes::copy_from_slice(text.as_bytes())).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn limits_hold() {
        let many = format!("OPTIONS sip:x SIP/2.0\r\n{}\r\n", "A: b\r\n".repeat(257));
        assert_eq!(
            Message::parse(many.into()).err(),
            Some(ParseError::TooManyHeaders)
        );
        let long = vec![b'a'; MAX_MESSAGE + 1];
        assert!(matches!(
            Message::parse(long.into()).err(),
            Some(ParseError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_star_stands_alone() {
        let with = |contact: &str| {
            parse(&format!(
                "REGISTER sip:x SIP/2.0\r\nContact: {contact}\r\n\r\n"
            ))
            .contacts()
        };
        assert_eq!(with("*"), Ok(Contacts::Star));
        assert!(with("*, <sip:a@b>").is_err());
        assert!(with("<sip:a@b>, *").is_err());
        assert_eq!(
            parse("REGISTER sip:x SIP/2.0\r\n\r\n").contacts(),
            Ok(Contacts::Addresses(Vec::new()))
        );
    }
}
