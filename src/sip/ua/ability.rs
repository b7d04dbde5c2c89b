//! What we can and what the other side can: Allow, Supported, Require (RFC 3261 §20.5, §20.37).
//!
//! The one place where methods and option tags of ours are listed.

use serde::{Deserialize, Serialize};

use crate::sip::{HeaderName, Message, Method, RequestBuilder};

use super::terms::{Reliable, Terms};

/// Methods we take whatever the terms.
const METHODS: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, NOTIFY, REFER, SUBSCRIBE, REGISTER";

/// Option tags we know whatever the terms.
const TAGS: &str = "replaces, norefersub, 199";

/// Option tags that a request may require; of those in an INVITE each usage's terms then say
/// whether they hold (RFC 3262 §3, RFC 4028 §9, RFC 3891 §6.2, RFC 4488 §5).
fn known(method: &Method) -> &'static [&'static str] {
    match method {
        Method::Refer => &["norefersub", "replaces"],
        Method::Invite | Method::Update => &["100rel", "199", "replaces", "timer"],
        // RFC 5626, RFC 3327: the registrar has its own rules about both.
        Method::Register => &["outbound", "path"],
        _ => &["100rel", "199", "timer"],
    }
}

/// The value of Allow.
pub(super) fn allow(terms: &Terms) -> String {
    let mut allow = String::with_capacity(METHODS.len() + 16);
    allow.push_str(METHODS);
    if terms.reliable != Reliable::Off {
        allow.push_str(", PRACK");
    }
    if terms.update {
        allow.push_str(", UPDATE");
    }
    allow
}

/// The value of Supported.
pub(super) fn supported(terms: &Terms) -> String {
    let mut supported = String::with_capacity(TAGS.len() + 16);
    supported.push_str(TAGS);
    if terms.reliable != Reliable::Off {
        supported.push_str(", 100rel");
    }
    if terms.timer.is_some() {
        supported.push_str(", timer");
    }
    supported
}

/// Allow and Supported of a request that begins or renews a session.
pub(super) fn introduce(builder: RequestBuilder, terms: &Terms) -> RequestBuilder {
    builder
        .header(HeaderName::Allow, allow(terms))
        .header(HeaderName::Supported, supported(terms))
}

/// The required option tags we do not know.
pub(super) fn unknown(request: &Message, method: &Method) -> Vec<String> {
    let mut required = request.require();
    required.retain(|tag| {
        !known(method)
            .iter()
            .any(|known| tag.eq_ignore_ascii_case(known))
    });
    required
}

/// What the other side said it can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Peer {
    /// Its Allow has UPDATE.
    pub(super) updates: bool,
    /// It takes reliable provisional responses.
    pub(super) reliable: bool,
    /// It takes no others.
    pub(super) only_reliable: bool,
    /// It knows session timers.
    pub(super) timer: bool,
    /// It wants to hear of early dialogs that end (RFC 6228).
    pub(super) early_ends: bool,
}

impl Peer {
    /// Takes what an INVITE says of its sender.
    pub(super) fn of(invite: &Message) -> Self {
        let mut peer = Self::default();
        peer.learn(invite);
        peer.only_reliable = invite.lists(HeaderName::Require, "100rel");
        peer.reliable |= peer.only_reliable;
        peer
    }

    /// Takes what any message says; what it is silent about stays as it was.
    pub(super) fn learn(&mut self, message: &Message) {
        if message.header(HeaderName::Allow).is_some() {
            self.updates = message.lists(HeaderName::Allow, "UPDATE");
        }
        if message.header(HeaderName::Supported).is_some() {
            self.reliable = message.lists(HeaderName::Supported, "100rel");
            self.timer = message.lists(HeaderName::Supported, "timer");
            self.early_ends = message.lists(HeaderName::Supported, "199");
        }
        if message.header(HeaderName::Require).is_some() {
            self.timer |= message.lists(HeaderName::Require, "timer");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terms_decide_what_is_offered() {
        assert!(allow(&Terms::default()).ends_with(", PRACK, UPDATE"));
        assert_eq!(allow(&Terms::PLAIN), METHODS);
        assert!(supported(&Terms::default()).ends_with("199, 100rel, timer"));
        assert_eq!(supported(&Terms::PLAIN), TAGS);
    }

    #[test]
    fn the_peer_is_what_it_last_said() {
        let message = |headers: &str| {
            Message::parse(format!("INVITE sip:a SIP/2.0\r\n{headers}\r\n").into()).unwrap()
        };
        let mut peer = Peer::of(&message(
            "k: Timer,199\r\nRequire: 100rel\r\nAllow: update\r\n",
        ));
        assert!(peer.timer && peer.early_ends && peer.only_reliable && peer.updates);
        peer.learn(&message(""));
        assert!(peer.timer && peer.updates);
        peer.learn(&message("Allow: INVITE\r\nSupported: x\r\n"));
        assert!(!peer.timer && !peer.updates);
    }
}
