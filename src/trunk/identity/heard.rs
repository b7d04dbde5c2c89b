//! What an INVITE from a carrier says about who calls, whom, and by way of whom.

use super::{CallerSource, DialledSource, IdentityPolicy};
use crate::sip::{
    Asserted, Diversion, HeaderName, HistoryEntry, Host, Message, NameAddr, Privacy, RemoteParty,
    Telephone, diversions,
};

/// Who calls, as far as the carrier is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The caller's number as sent, in the context it came in; `None` when nobody says it.
    pub number: Option<String>,
    /// The caller's name.
    pub display: Option<String>,
    /// Whether number and name are to be kept from whom is called.
    pub withheld: bool,
    /// Who sent the call on before, the latest first.
    pub diversions: Vec<Diversion>,
}

impl IdentityPolicy {
    /// Reads who calls. Privacy is honoured whoever asks for it (RFC 3323 §5).
    pub fn heard(&self, request: &Message) -> Heard {
        let privacy = request.header_text(HeaderName::Privacy);
        let privacy = Privacy::parse(&privacy.unwrap_or_default());
        let mut heard = Heard {
            withheld: privacy.withholds_caller(),
            ..Heard::default()
        };
        let from = request.from().ok();
        // RFC 3323 §4.1.1.3: an anonymous From asks for privacy by itself.
        if from.is_none_or(is_anonymous) && !privacy.has(Privacy::NONE) {
            heard.withheld = true;
        }
        for source in &self.caller_from {
            if self.trusted || *source == CallerSource::From {
                heard.take(*source, request, from);
            }
            if heard.number.is_some() {
                break;
            }
        }
        if heard.display.is_none() {
            heard.display = from.and_then(|from| name(from.display.as_deref()));
        }
        if self.trusted {
            heard.diversions = read_diversions(request);
        }
        heard
    }

    /// The number the carrier's caller dialled; `None` when no place that counts has one.
    pub fn dialled(&self, request: &Message) -> Option<Telephone> {
        let places = self.dialled_from.iter();
        places
            .filter_map(|source| match source {
                DialledSource::CalledParty if !self.trusted => None,
                DialledSource::CalledParty => {
                    let called = request.addresses(HeaderName::PCalledPartyId);
                    called.into_iter().next().map(|called| called.uri)
                }
                DialledSource::RequestUri => request.request_uri()?.ok().cloned(),
                DialledSource::To => request.to().ok().map(|to| to.uri.clone()),
            })
            .find_map(|uri| Telephone::of(&uri))
    }
}

impl Heard {
    fn take(&mut self, source: CallerSource, request: &Message, from: Option<&NameAddr>) {
        match source {
            CallerSource::From => {
                let from = from.filter(|from| !is_anonymous(from));
                self.number = from.and_then(number);
            }
            CallerSource::Pai => self.take_asserted(request, HeaderName::PAssertedIdentity),
            CallerSource::Ppi => self.take_asserted(request, HeaderName::PPreferredIdentity),
            CallerSource::Rpid => {
                let values = request.tokens(HeaderName::RemotePartyId);
                let parties = values.iter().take(MOST);
                let calling = parties
                    .filter_map(|value| RemoteParty::parse(value).ok())
                    .find(|party| party.is_calling);
                if let Some(party) = calling {
                    self.number = number(&party.address);
                    self.display = name(party.address.display.as_deref());
                    self.withheld |= party.is_private;
                }
            }
        }
    }

    fn take_asserted(&mut self, request: &Message, header: HeaderName) {
        let asserted = Asserted::read(request, header);
        let both = [&asserted.tel, &asserted.sip].into_iter().flatten();
        self.number = both.filter(|one| !is_anonymous(one)).find_map(number);
        if self.number.is_some() {
            self.display = name(asserted.display());
        }
    }
}

/// Whether an address says that it will not say: `anonymous@anonymous.invalid` and its like
/// (RFC 3323 §4.1.1.3, 3GPP TS 23.003 §13.6), or no user at all.
pub fn is_anonymous(address: &NameAddr) -> bool {
    let user = address.uri.user_decoded();
    let hidden = [
        "anonymous",
        "restricted",
        "unavailable",
        "unknown",
        "withheld",
    ];
    let is_invalid = match &address.uri.host {
        Host::Name(host) => host.to_ascii_lowercase().ends_with("anonymous.invalid"),
        _ => false,
    };
    is_invalid || user.is_empty() || hidden.iter().any(|word| user.eq_ignore_ascii_case(word))
}

fn number(address: &NameAddr) -> Option<String> {
    let telephone = Telephone::of(&address.uri)?;
    Some(telephone.in_context().into_owned())
}

/// A name as it may be shown: one line, not long.
fn name(display: Option<&str>) -> Option<String> {
    let visible = display?.chars().filter(|c| !c.is_control());
    let name: String = visible.take(LONGEST_NAME).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

fn read_diversions(request: &Message) -> Vec<Diversion> {
    let written: Vec<Diversion> = request
        .tokens(HeaderName::Diversion)
        .iter()
        .take(MOST)
        .filter_map(|value| Diversion::parse(value).ok())
        .collect();
    if !written.is_empty() {
        return written;
    }
    let history: Vec<HistoryEntry> = request
        .tokens(HeaderName::HistoryInfo)
        .iter()
        .take(MOST)
        .filter_map(|value| HistoryEntry::parse(value).ok())
        .collect();
    diversions(&history)
}

/// Values of one header that are looked at; a call that was sent on more often goes in circles.
const MOST: usize = 10;
/// Displays of phones are not longer.
const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::DivertReason;

    fn invite(headers: &str) -> Message {
        let text = format!(
            "INVITE sip:0312345678@a SIP/2.0\r\nTo: <sip:0398765432@a>\r\n{headers}\r\n\r\n"
        );
        Message::parse(text.into()).expect("a message")
    }

    fn trusting() -> IdentityPolicy {
        IdentityPolicy {
            trusted: true,
            ..IdentityPolicy::default()
        }
    }

    const ALL: &str = "From: \"F\" <sip:0901@a>\r\nRemote-Party-ID: \"R\" <sip:0902@a>;privacy=off\r\n\
        P-Preferred-Identity: \"P\" <sip:0903@a>\r\nP-Asserted-Identity: \"A\" <sip:0904@a>, <tel:+81904>";

    #[test]
    fn the_order_of_sources_is_the_policys_and_trust_comes_first() {
        let number = |policy: &IdentityPolicy| policy.heard(&invite(ALL)).number;
        assert_eq!(number(&trusting()).as_deref(), Some("+81904"));
        assert_eq!(number(&IdentityPolicy::default()).as_deref(), Some("0901"));
        for (source, expected) in [
            (CallerSource::From, "0901"),
            (CallerSource::Rpid, "0902"),
            (CallerSource::Ppi, "0903"),
        ] {
            let policy = IdentityPolicy {
                caller_from: vec![source, CallerSource::Pai],
                ..trusting()
            };
            assert_eq!(number(&policy).as_deref(), Some(expected));
        }
        let named = trusting().heard(&invite(ALL));
        assert_eq!(
            (named.display.as_deref(), named.withheld),
            (Some("A"), false)
        );
    }

    #[test]
    fn privacy_is_honoured_whoever_asks_and_the_number_is_kept() {
        let from = "From: <sip:0901@a>\r\n";
        for (headers, withheld) in [
            ("Privacy: id", true),
            ("Privacy: user;critical", true),
            ("Privacy: none", false),
            ("Privacy: history", false),
            ("X-Nothing: id", false),
        ] {
            for policy in [trusting(), IdentityPolicy::default()] {
                let heard = policy.heard(&invite(&format!("{from}{headers}")));
                assert_eq!(heard.withheld, withheld, "{headers}");
                assert_eq!(heard.number.as_deref(), Some("0901"));
            }
        }
        let anonymous = "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>\r\n\
            P-Asserted-Identity: <tel:+81901>\r\nPrivacy: id";
        let heard = trusting().heard(&invite(anonymous));
        assert!(heard.withheld);
        assert_eq!(heard.number.as_deref(), Some("+81901"));
        let heard = IdentityPolicy::default().heard(&invite(anonymous));
        assert!(heard.withheld && heard.number.is_none());
        let private = "From: <sip:anonymous@a>\r\nRemote-Party-ID: <sip:0902@a>;privacy=full";
        let heard = trusting().heard(&invite(private));
        assert_eq!(
            (heard.number.as_deref(), heard.withheld),
            (Some("0902"), true)
        );
    }

    #[test]
    fn the_dialled_number_is_where_the_policy_looks() {
        let called = invite("P-Called-Party-ID: <sip:0311112222;isub=1@ngn>");
        let dialled = |policy: &IdentityPolicy, message: &Message| {
            policy.dialled(message).map(|telephone| telephone.number)
        };
        let ngn = IdentityPolicy::ntt_ngn();
        assert_eq!(dialled(&ngn, &called).as_deref(), Some("0311112222"));
        assert_eq!(
            dialled(&ngn, &invite("X-A: b")).as_deref(),
            Some("0398765432")
        );
        let plain = IdentityPolicy::default();
        assert_eq!(dialled(&plain, &called).as_deref(), Some("0312345678"));
        let untrusted = IdentityPolicy {
            trusted: false,
            ..ngn
        };
        assert_eq!(dialled(&untrusted, &called).as_deref(), Some("0398765432"));
    }

    #[test]
    fn diversions_are_read_from_either_header_of_a_trusted_carrier() {
        let diverted = invite(
            "Diversion: <sip:0312345678@a>;reason=user-busy\r\n\
             Diversion: <sip:0387654321@a>;reason=no-answer",
        );
        let heard = trusting().heard(&diverted);
        let reasons: Vec<_> = heard.diversions.iter().map(|one| one.reason).collect();
        assert_eq!(reasons, [DivertReason::UserBusy, DivertReason::NoAnswer]);
        assert!(
            IdentityPolicy::default()
                .heard(&diverted)
                .diversions
                .is_empty()
        );
        let history = invite(
            "History-Info: <sip:0312345678@a?Reason=SIP%3Bcause%3D302>;index=1, \
             <sip:0387654321@a>;index=1.1",
        );
        assert_eq!(trusting().heard(&history).diversions.len(), 1);
    }

    #[test]
    fn names_are_one_short_line() {
        let long = format!("From: \"{}\" <sip:1@a>", "あ".repeat(500));
        let heard = trusting().heard(&invite(&long));
        assert_eq!(heard.display.map(|name| name.chars().count()), Some(64));
        let tab = trusting().heard(&invite("From: \" \t \" <sip:1@a>"));
        assert_eq!(tab.display, None);
    }
}
