//! The two requests that belong to an INVITE transaction: the ACK of a refusal and CANCEL.

use bytes::Bytes;

use crate::sip::{CSeq, HeaderName, Message, Method, RequestBuilder};

/// The ACK of a final response other than 2xx (RFC 3261 §17.1.1.3); `None` when the INVITE cannot
/// be read, which does not happen to one of ours.
pub(crate) fn acknowledgement(invite: &Message, response: &Message) -> Option<Bytes> {
    let to = response.header_text(HeaderName::To)?;
    Some(companion(invite, Method::Ack, &to)?.build())
}

/// The CANCEL of an INVITE (RFC 3261 §9.1), with headers of its own such as Reason.
pub(crate) fn cancellation(invite: &Message, headers: &[(HeaderName, String)]) -> Option<Bytes> {
    let to = invite.header_text(HeaderName::To)?;
    let mut builder = companion(invite, Method::Cancel, &to)?;
    for (name, value) in headers {
        builder = builder.header(name.clone(), value);
    }
    Some(builder.build())
}

fn companion(invite: &Message, method: Method, to: &str) -> Option<RequestBuilder> {
    let uri = invite.request_uri()?.ok()?;
    let number = invite.cseq().ok()?.number;
    let mut builder = RequestBuilder::request(method.clone(), uri)
        .header(HeaderName::Via, invite.header_text(HeaderName::Via)?)
        .header(HeaderName::MaxForwards, 70);
    for route in invite.headers(HeaderName::Route) {
        builder = builder.raw_header(b"Route", &route);
    }
    Some(
        builder
            .header(HeaderName::From, invite.header_text(HeaderName::From)?)
            .header(HeaderName::To, to)
            .header(HeaderName::CallId, invite.call_id().ok()?)
            .header(HeaderName::CSeq, CSeq::new(number, method)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:bob@b SIP/2.0\r\n\
        Via: SIP/2.0/UDP a:5060;branch=z9hG4bK1;rport\r\nRoute: <sip:p;lr>\r\n\
        From: <sip:a@a>;tag=1\r\nTo: <sip:bob@b>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n\r\n";

    #[test]
    fn the_ack_takes_its_to_from_the_refusal_and_the_rest_from_the_invite() {
        let invite = Message::parse(INVITE.into()).unwrap();
        let response = "SIP/2.0 486 Busy Here\r\nTo: <sip:bob@b>;tag=9\r\nCSeq: 7 INVITE\r\n\r\n";
        let response = Message::parse(response.into()).unwrap();
        let ack = Message::parse(acknowledgement(&invite, &response).unwrap()).unwrap();
        assert_eq!(ack.validate_request(), Ok(()));
        assert_eq!(ack.top_via(), invite.top_via());
        assert_eq!(ack.to().unwrap().tag(), Some("9"));
        assert_eq!(ack.routes().len(), 1);
        assert_eq!(ack.cseq().unwrap(), CSeq::new(7, Method::Ack));
    }

    #[test]
    fn cancel_is_the_invite_again_under_another_method() {
        let invite = Message::parse(INVITE.into()).unwrap();
        let cancel = Message::parse(cancellation(&invite, &[]).unwrap()).unwrap();
        assert_eq!(cancel.top_via(), invite.top_via());
        assert_eq!(cancel.request_uri_raw(), invite.request_uri_raw());
        assert_eq!(cancel.to().unwrap().tag(), None);
        assert_eq!(cancel.cseq().unwrap(), CSeq::new(7, Method::Cancel));
    }
}
