//! Dialogs (RFC 3261 §12): the state two user agents share, and the requests it shapes.

mod route;

use serde::{Deserialize, Serialize};

use super::location::Hop;
use super::{CSeq, Flow, HeaderName, Message, Method, NameAddr, RequestBuilder, Uri, Via};

/// One dialog seen from our side. Owns all it holds; nothing refers to a receive buffer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    pub(crate) local_tag: String,
    /// Empty until the first response with a tag, on the caller's side.
    pub(crate) remote_tag: String,
    /// From of our requests, as written, tag included.
    local: String,
    /// To of our requests, as written, tag included once there is one.
    remote: String,
    pub(crate) local_cseq: u32,
    pub(crate) remote_cseq: Option<u32>,
    /// The other side's Contact.
    pub(crate) target: Uri,
    /// Route set in the order our requests carry it.
    routes: Vec<NameAddr>,
    /// Where the first route or the target is, when that is a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) located: Option<Hop>,
}

impl Dialog {
    /// The caller's half before any request: From and its tag, To, and the way there.
    pub(crate) fn calling(
        call_id: String,
        (from, local_tag): (NameAddr, String),
        mut to: NameAddr,
        (target, routes): (Uri, Vec<NameAddr>),
    ) -> Self {
        to.params.remove("tag");
        Self {
            call_id,
            local: from.with_tag(&local_tag).to_string(),
            local_tag,
            remote_tag: String::new(),
            remote: to.to_string(),
            local_cseq: 0,
            remote_cseq: None,
            target,
            routes,
            located: None,
        }
    }

    /// The dialog a 2xx makes of an INVITE of ours that nobody keeps any more.
    pub(crate) fn accepted(invite: &Message, response: &Message) -> Option<Self> {
        let mut dialog = Self {
            call_id: invite.call_id().ok()?.to_owned(),
            local: invite.header_text(HeaderName::From)?.into_owned(),
            local_tag: String::new(),
            remote_tag: String::new(),
            remote: String::new(),
            local_cseq: invite.cseq().ok()?.number,
            remote_cseq: None,
            target: invite.request_uri()?.ok()?.clone(),
            routes: Vec::new(),
            located: None,
        };
        dialog.establish(response);
        Some(dialog)
    }

    /// The called side's dialog from an INVITE (RFC 3261 §12.1.1); `None` when the INVITE lacks
    /// what a dialog needs.
    pub(crate) fn called(invite: &Message, local_tag: String) -> Option<Self> {
        let contacts = invite.contacts().ok()?;
        let to = invite.header_text(HeaderName::To)?;
        Some(Self {
            call_id: invite.call_id().ok()?.to_owned(),
            local: format!("{to};tag={local_tag}"),
            local_tag,
            remote_tag: invite.from().ok()?.tag().unwrap_or("").to_owned(),
            remote: invite.header_text(HeaderName::From)?.into_owned(),
            local_cseq: 0,
            remote_cseq: Some(invite.cseq().ok()?.number),
            target: contacts.first()?.uri.clone(),
            routes: invite.record_routes(),
            located: None,
        })
    }

    /// The caller's dialog from a 2xx (RFC 3261 §12.1.2, §13.2.2.4).
    pub(crate) fn establish(&mut self, response: &Message) {
        if let Ok(to) = response.to() {
            self.remote_tag = to.tag().unwrap_or("").to_owned();
        }
        if let Some(to) = response.header_text(HeaderName::To) {
            self.remote = to.into_owned();
        }
        self.routes = response.record_routes();
        self.routes.reverse();
        self.refresh(response);
    }

    /// Takes the new remote target of a re-INVITE, UPDATE or their 2xx (RFC 3261 §12.2).
    pub(crate) fn refresh(&mut self, message: &Message) {
        if let Ok(contacts) = message.contacts()
            && let Some(contact) = contacts.first()
        {
            self.target = contact.uri.clone();
        }
    }

    /// Takes a request's sequence number; false when it is out of order (RFC 3261 §12.2.2).
    pub(crate) fn advance(&mut self, cseq: u32) -> bool {
        let in_order = self.remote_cseq.is_none_or(|last| cseq > last);
        if in_order {
            self.remote_cseq = Some(cseq);
        }
        in_order
    }

    /// A request of the dialog, without Contact and body; uses up a sequence number.
    pub(crate) fn request(&mut self, method: Method, via: &Via) -> RequestBuilder {
        self.local_cseq += 1;
        self.numbered(method, self.local_cseq, via, MAX_FORWARDS)
    }

    /// A request under a number used before: the ACK of a 2xx.
    pub(crate) fn numbered(
        &self,
        method: Method,
        cseq: u32,
        via: &Via,
        max_forwards: u8,
    ) -> RequestBuilder {
        let (uri, routes) = route::apply(&self.target, &self.routes);
        let mut builder = RequestBuilder::request(method.clone(), uri)
            .header(HeaderName::Via, via)
            .header(HeaderName::MaxForwards, max_forwards);
        for route in routes {
            builder = builder.header(HeaderName::Route, route);
        }
        builder
            .header(HeaderName::From, &self.local)
            .header(HeaderName::To, &self.remote)
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, CSeq::new(cseq, method))
    }

    /// Where the dialog's requests go, given the flow the other side was last heard on.
    pub(crate) fn next_hop(&self, heard_on: Flow) -> Flow {
        route::next_hop(self.peer(), self.located.as_ref(), heard_on)
    }

    /// Whom the dialog's requests are sent to: the first route, or the target.
    pub(crate) fn peer(&self) -> &Uri {
        let route = self.routes.first();
        route.map_or(&self.target, |route| &route.uri)
    }
}

/// RFC 3261 §8.1.1.6.
pub(crate) const MAX_FORWARDS: u8 = 70;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Protocol;

    const INVITE: &str = "INVITE sip:bob@10.0.0.2 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\n\
        Record-Route: <sip:p2;lr>, <sip:p1;lr>\r\nFrom: A <sip:a@a>;tag=f\r\nTo: <sip:bob@b>\r\n\
        Call-ID: c\r\nCSeq: 7 INVITE\r\nContact: <sip:a@10.0.0.1:5070>\r\n\r\n";

    fn via() -> Via {
        let here = "10.0.0.2:5060".parse().unwrap();
        Via::new(Protocol::Udp, here, "z9hG4bK2")
    }

    #[test]
    fn the_called_side_mirrors_addresses_and_keeps_the_route_order() {
        let invite = Message::parse(INVITE.into()).unwrap();
        let mut dialog = Dialog::called(&invite, "00t".to_owned()).unwrap();
        let bye = Message::parse(dialog.request(Method::Bye, &via()).build()).unwrap();
        assert_eq!(bye.request_uri_raw(), Some(&b"sip:a@10.0.0.1:5070"[..]));
        assert_eq!(bye.from().unwrap().tag(), Some("00t"));
        assert_eq!(bye.to().unwrap().tag(), Some("f"));
        let routes: Vec<_> = bye.routes().iter().map(ToString::to_string).collect();
        assert_eq!(routes, ["<sip:p2;lr>", "<sip:p1;lr>"]);
        assert_eq!(bye.cseq().unwrap().number, 1);
    }

    #[test]
    fn the_calling_side_reverses_the_route_and_learns_the_tag() {
        let to = NameAddr::parse("<sip:bob@b>").unwrap();
        let from = NameAddr::parse("<sip:a@a>").unwrap();
        let uri = Uri::parse("sip:bob@b").unwrap();
        let way = (uri, Vec::new());
        let mut dialog = Dialog::calling("c".into(), (from, "01f".into()), to, way);
        let ok = "SIP/2.0 200 OK\r\nRecord-Route: <sip:p2;lr>, <sip:p1;lr>\r\n\
            To: <sip:bob@b>;tag=t\r\nCSeq: 3 INVITE\r\nContact: <sip:bob@10.0.0.2>\r\n\r\n";
        dialog.establish(&Message::parse(ok.into()).unwrap());
        let ack = dialog.numbered(Method::Ack, 3, &via(), 70).build();
        let ack = Message::parse(ack).unwrap();
        let routes: Vec<_> = ack.routes().iter().map(ToString::to_string).collect();
        assert_eq!(routes, ["<sip:p1;lr>", "<sip:p2;lr>"]);
        assert_eq!(ack.to().unwrap().tag(), Some("t"));
        assert_eq!(ack.request_uri_raw(), Some(&b"sip:bob@10.0.0.2"[..]));
    }

    #[test]
    fn sequence_numbers_only_rise() {
        let invite = Message::parse(INVITE.into()).unwrap();
        let mut dialog = Dialog::called(&invite, "00t".to_owned()).unwrap();
        assert!(!dialog.advance(7));
        assert!(dialog.advance(9));
        assert!(!dialog.advance(8));
    }
}
