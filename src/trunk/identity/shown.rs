//! What our INVITE says to a carrier about who calls and by way of whom.

use super::{AnonymousForm, Forwarding, IdentityPolicy, Withhold};
use crate::sip::{
    Diversion, HeaderName, HistoryEntry, HistoryOrigin, Host, NameAddr, Privacy, Uri,
};

/// What is to be shown.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    /// The caller's number, in the form the carrier wants.
    pub number: &'a str,
    /// The caller's name.
    pub display: Option<&'a str>,
    /// Whether number and name are to be kept from whom is called.
    pub withheld: bool,
    /// Our own host and port in addresses.
    pub host: (Host, Option<u16>),
    /// Where the INVITE goes.
    pub target: &'a Uri,
    /// Who sent the call on, the latest first.
    pub diversions: &'a [Diversion],
}

/// The headers of an INVITE that say who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// From, without a tag.
    pub from: NameAddr,
    /// The others.
    pub headers: Vec<(HeaderName, String)>,
}

impl IdentityPolicy {
    /// Says who calls as this carrier wants to hear it (RFC 3325 §5, §6; RFC 3323 §4.1).
    pub fn present(&self, shown: &Shown<'_>) -> Presented {
        let (host, port) = &shown.host;
        let plain = NameAddr::new(Uri::sip(shown.number, host.clone(), *port));
        let named = match shown.display.filter(|_| self.display_names) {
            Some(display) => plain.clone().with_display(display),
            None => plain.clone(),
        };
        // Where a prefix says it, headers say what they always say: the carrier hides it.
        let hides = shown.withheld && self.withhold == Withhold::Header;
        let from = match hides {
            true => anonymous(self.anonymous, host, *port),
            false => named.clone(),
        };
        let mut headers = Vec::new();
        let may_tell = !shown.withheld || self.trusted;
        if self.asserts.has_pai() && may_tell {
            headers.push((HeaderName::PAssertedIdentity, named.to_string()));
        }
        // RFC 3325 §9.2: what we prefer is for the carrier alone, which must know whose call it is.
        if self.asserts.has_ppi() {
            headers.push((HeaderName::PPreferredIdentity, plain.to_string()));
        }
        if hides {
            headers.push((HeaderName::Privacy, Privacy::ID.to_string()));
        }
        self.tell_diversions(shown, &mut headers);
        Presented { from, headers }
    }

    fn tell_diversions(&self, shown: &Shown<'_>, headers: &mut Vec<(HeaderName, String)>) {
        if shown.diversions.is_empty() {
            return;
        }
        if matches!(self.forwarding, Forwarding::Both | Forwarding::Diversion) {
            for diversion in shown.diversions {
                headers.push((HeaderName::Diversion, diversion.to_string()));
            }
        }
        if matches!(self.forwarding, Forwarding::Both | Forwarding::HistoryInfo) {
            for entry in history(shown) {
                headers.push((HeaderName::HistoryInfo, entry.to_string()));
            }
        }
    }
}

/// From of a caller who does not say who he is (RFC 3323 §4.1.1.3).
pub fn anonymous(form: AnonymousForm, host: &Host, port: Option<u16>) -> NameAddr {
    let (host, port) = match form {
        AnonymousForm::Host => (host.clone(), port),
        AnonymousForm::Invalid => (Host::Name("anonymous.invalid".to_owned()), None),
    };
    NameAddr::new(Uri::sip("anonymous", host, port)).with_display("Anonymous")
}

/// The diversions as a history (RFC 7044 §10): the first target, then each it was sent on to.
fn history(shown: &Shown<'_>) -> Vec<HistoryEntry> {
    let mut entries: Vec<HistoryEntry> = Vec::with_capacity(shown.diversions.len() + 1);
    let mut index: Vec<u16> = vec![1];
    let mut cause = None;
    let mut push = |mut address: NameAddr, index: &mut Vec<u16>, cause: &mut Option<u16>| {
        let origin = cause.take().map(|cause: u16| {
            // RFC 4458: why the call comes to this target.
            address.uri.params.set("cause", Some(&cause.to_string()));
            let from = index.clone();
            index.push(1);
            (HistoryOrigin::Mapped, from)
        });
        entries.push(HistoryEntry {
            address,
            index: index.clone(),
            origin,
        });
    };
    for diversion in shown.diversions.iter().rev() {
        let mut by = diversion.by.clone();
        let status = diversion.reason.cause();
        let privacy = if diversion.is_private {
            "&Privacy=history"
        } else {
            ""
        };
        by.uri.headers = Some(format!("Reason=SIP%3Bcause%3D{status}{privacy}"));
        push(by, &mut index, &mut cause);
        cause = Some(status);
    }
    push(NameAddr::new(shown.target.clone()), &mut index, &mut cause);
    entries
}

#[cfg(test)]
mod tests {
    use super::super::Assertion;
    use super::*;
    use crate::sip::DivertReason;

    fn present(policy: &IdentityPolicy, withheld: bool, diversions: &[Diversion]) -> String {
        let target = Uri::parse("sip:0398765432@carrier").expect("a URI");
        let presented = policy.present(&Shown {
            number: "0312345678",
            display: Some("Tsunagu \"繋ぐ\"\r\nVia: evil"),
            withheld,
            host: (Host::parse("192.0.2.1").expect("a host"), Some(5060)),
            target: &target,
            diversions,
        });
        let headers = presented.headers.iter();
        let lines = headers.map(|(name, value)| format!("\n{name}: {value}"));
        format!("{}{}", presented.from, lines.collect::<String>())
    }

    fn policy(asserts: Assertion, trusted: bool) -> IdentityPolicy {
        IdentityPolicy {
            trusted,
            asserts,
            ..IdentityPolicy::default()
        }
    }

    #[test]
    fn a_shown_number_stands_where_the_policy_says() {
        let own = "<sip:0312345678@192.0.2.1:5060>";
        for (asserts, expected) in [
            (Assertion::Nothing, own.to_owned()),
            (Assertion::Pai, format!("{own}\nP-Asserted-Identity: {own}")),
            (
                Assertion::Ppi,
                format!("{own}\nP-Preferred-Identity: {own}"),
            ),
            (
                Assertion::Both,
                format!("{own}\nP-Asserted-Identity: {own}\nP-Preferred-Identity: {own}"),
            ),
        ] {
            assert_eq!(present(&policy(asserts, false), false, &[]), expected);
        }
    }

    #[test]
    fn a_withheld_number_goes_to_the_trusted_only() {
        let own = "<sip:0312345678@192.0.2.1:5060>";
        let anonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
        assert_eq!(
            present(&policy(Assertion::Pai, true), true, &[]),
            format!("{anonymous}\nP-Asserted-Identity: {own}\nPrivacy: id")
        );
        assert_eq!(
            present(&policy(Assertion::Pai, false), true, &[]),
            format!("{anonymous}\nPrivacy: id")
        );
        assert_eq!(
            present(&IdentityPolicy::ntt_ngn(), true, &[]),
            format!("{anonymous}\nP-Preferred-Identity: {own}\nPrivacy: id")
        );
        let by_prefix = IdentityPolicy {
            withhold: Withhold::Prefix,
            ..policy(Assertion::Nothing, false)
        };
        assert_eq!(present(&by_prefix, true, &[]), own);
        let at_host = IdentityPolicy {
            anonymous: AnonymousForm::Host,
            ..policy(Assertion::Nothing, false)
        };
        assert_eq!(
            present(&at_host, true, &[]),
            "\"Anonymous\" <sip:anonymous@192.0.2.1:5060>\nPrivacy: id"
        );
    }

    #[test]
    fn a_name_cannot_begin_a_line() {
        let named = IdentityPolicy {
            display_names: true,
            ..policy(Assertion::Pai, true)
        };
        let text = present(&named, false, &[]);
        assert!(
            text.starts_with("\"Tsunagu \\\"繋ぐ\\\"  Via: evil\" <sip:0312345678@"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 2, "{text}");
    }

    #[test]
    fn diversions_go_out_in_either_form() {
        let by = |text| NameAddr::parse(text).expect("an address");
        let diversions = [
            Diversion::new(by("<sip:0312345678@us>"), DivertReason::UserBusy),
            Diversion::new(by("<sip:0300000000@far>"), DivertReason::Unconditional),
        ];
        let both = IdentityPolicy {
            forwarding: Forwarding::Both,
            ..IdentityPolicy::default()
        };
        let text = present(&both, false, &diversions);
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "Diversion: <sip:0312345678@us>;reason=user-busy;counter=1",
                "Diversion: <sip:0300000000@far>;reason=unconditional;counter=1",
                "History-Info: <sip:0300000000@far?Reason=SIP%3Bcause%3D302>;index=1",
                "History-Info: <sip:0312345678@us;cause=302?Reason=SIP%3Bcause%3D486>;index=1.1;mp=1",
                "History-Info: <sip:0398765432@carrier;cause=486>;index=1.1.1;mp=1.1",
            ]
        );
        assert_eq!(
            present(&IdentityPolicy::default(), false, &diversions)
                .lines()
                .count(),
            1
        );
    }
}
