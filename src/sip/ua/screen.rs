//! What a new request must pass before anyone acts on it (RFC 3261 §8.2).

use std::net::SocketAddr;

use crate::sip::transaction::TransactionId;
use crate::sip::{Flow, HeaderName, Message, Method, Via};

use super::ability::unknown;
use super::settings::SDP;

/// A request as it came in.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) request: Message,
    pub(super) method: Method,
    pub(super) id: TransactionId,
    /// Where it came from.
    pub(super) flow: Flow,
    /// Where its responses go.
    pub(super) reply: Flow,
    /// Where they go when the stream is gone.
    pub(super) fallback: Option<SocketAddr>,
}

impl Arrived {
    pub(super) fn new(
        flow: Flow,
        via: &Via,
        id: TransactionId,
        method: Method,
        request: &Message,
    ) -> Self {
        let sent_by = SocketAddr::new(
            flow.remote.ip(),
            via.port.unwrap_or(flow.protocol.default_port()),
        );
        Self {
            request: request.clone(),
            method,
            id,
            flow,
            reply: reply_flow(flow, via),
            fallback: flow.protocol.is_stream().then_some(sent_by),
        }
    }
}

/// Where responses go: RFC 3261 §18.2.2 with RFC 3581 §4. `maddr` is not followed.
pub(super) fn reply_flow(flow: Flow, via: &Via) -> Flow {
    if flow.protocol.is_stream() || via.wants_rport() {
        return flow;
    }
    let remote = SocketAddr::new(flow.remote.ip(), via.port.unwrap_or(5060));
    Flow { remote, ..flow }
}

/// Why a request is refused at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Objection {
    pub(super) status: u16,
    pub(super) headers: Vec<(HeaderName, String)>,
}

impl Objection {
    pub(super) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
        }
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Extensions, methods and bodies we do not take.
pub(super) fn object(request: &Message, method: &Method) -> Result<(), Objection> {
    let unknown = unknown(request, method);
    if !unknown.is_empty() {
        return Err(Objection::new(420).with(HeaderName::Unsupported, unknown.join(", ")));
    }
    match method {
        Method::Invite | Method::Prack | Method::Update => object_to_body(request),
        Method::Bye
        | Method::Info
        | Method::Notify
        | Method::Options
        | Method::Refer
        | Method::Register
        | Method::Subscribe => Ok(()),
        Method::Other(_) => Err(Objection::new(501)),
        _ => Err(Objection::new(405)),
    }
}

/// RFC 3261 §8.2.3; only session descriptions, not encoded.
fn object_to_body(request: &Message) -> Result<(), Objection> {
    if request.body().is_empty() {
        return Ok(());
    }
    let encodings = request.tokens(HeaderName::ContentEncoding);
    if encodings
        .iter()
        .any(|name| !name.eq_ignore_ascii_case("identity"))
    {
        return Err(Objection::new(415).with(HeaderName::AcceptEncoding, "identity"));
    }
    let is_sdp = request
        .content_type()
        .is_some_and(|content_type| content_type.is(SDP));
    if is_sdp {
        return Ok(());
    }
    Err(Objection::new(415).with(HeaderName::Accept, SDP))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objection(method: &str, headers: &str, body: &str) -> Option<u16> {
        let text = format!(
            "{method} sip:a SIP/2.0\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let request = Message::parse(text.into()).unwrap();
        object(&request, &request.method()).err().map(|o| o.status)
    }

    #[test]
    fn what_we_do_not_understand_is_refused_by_name() {
        assert_eq!(objection("INVITE", "", ""), None);
        assert_eq!(objection("INVITE", "Require: 100rel, x\r\n", ""), Some(420));
        assert_eq!(objection("INVITE", "Require: 100rel, Timer\r\n", ""), None);
        assert_eq!(objection("DANCE", "", ""), Some(501));
        assert_eq!(objection("PUBLISH", "", ""), Some(405));
        assert_eq!(
            objection("INVITE", "Content-Type: text/plain\r\n", "hi"),
            Some(415)
        );
        assert_eq!(objection("INVITE", "", "v=0"), Some(415));
        let sdp = "Content-Type: application/SDP\r\n";
        assert_eq!(objection("INVITE", sdp, "v=0"), None);
        let zipped = format!("{sdp}Content-Encoding: gzip\r\n");
        assert_eq!(objection("INVITE", &zipped, "v=0"), Some(415));
    }

    #[test]
    fn without_rport_the_answer_goes_to_the_port_the_via_names() {
        let flow = Flow::udp(
            "10.0.0.1:5060".parse().unwrap(),
            "10.0.0.2:40000".parse().unwrap(),
        );
        let port = |via| reply_flow(flow, &Via::parse(via).unwrap()).remote.port();
        assert_eq!(port("SIP/2.0/UDP 10.0.0.2:5070;branch=1"), 5070);
        assert_eq!(port("SIP/2.0/UDP 10.0.0.2;branch=1"), 5060);
        assert_eq!(port("SIP/2.0/UDP 10.0.0.2:5070;rport;branch=1"), 40000);
    }
}
