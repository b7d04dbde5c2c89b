//! What a REGISTER asks for.

use std::time::Duration;

use super::{Binding, Limits};
use crate::sip::{Contacts, Message, NameAddr, Uri};

/// The parts of a REGISTER that bindings are made of.
pub(super) struct Request {
    pub(super) asked: Asked,
    pub(super) call_id: String,
    pub(super) cseq: u32,
    pub(super) user_agent: Option<String>,
}

pub(super) enum Asked {
    /// The list of bindings, no change.
    Nothing,
    /// `Contact: *`.
    RemoveAll,
    /// Contacts to add, refresh or remove.
    Each(Vec<Wish>),
}

/// One contact of a request.
pub(super) struct Wish {
    pub(super) contact: Uri,
    /// Zero to remove it.
    pub(super) expires: Duration,
    pub(super) q_millis: u16,
    pub(super) outbound: Option<(String, String)>,
}

impl Request {
    /// `None` when it makes no sense: 400.
    pub(super) fn read(message: &Message, limits: &Limits) -> Option<Self> {
        let asked = match message.contacts().ok()? {
            Contacts::Star if message.expires() == Some(0) => Asked::RemoveAll,
            Contacts::Star => return None,
            Contacts::Addresses(none) if none.is_empty() => Asked::Nothing,
            Contacts::Addresses(addresses) => Asked::Each(
                addresses
                    .into_iter()
                    .map(|address| Wish::read(address, message, limits))
                    .collect::<Option<_>>()?,
            ),
        };
        Some(Self {
            asked,
            call_id: message.call_id().ok()?.to_owned(),
            cseq: message.cseq().ok()?.number,
            user_agent: message
                .header_text(crate::sip::HeaderName::UserAgent)
                .map(|name| name.chars().take(MAX_USER_AGENT).collect()),
        })
    }

    /// Whether the binding was made by this request or a later one of the same phone's life.
    pub(super) fn is_old_for(&self, binding: &Binding) -> bool {
        self.call_id == binding.call_id && self.cseq <= binding.cseq
    }
}

impl Wish {
    fn read(address: NameAddr, message: &Message, limits: &Limits) -> Option<Self> {
        if !address.uri.is_sip() {
            return None;
        }
        let params = &address.params;
        // What cannot be read counts as not said (RFC 3261 §20.19, RFC 4475 §3.1.2.4).
        let expires = match params.value("expires") {
            Some(seconds) => seconds.parse().ok(),
            None => message.expires(),
        };
        let expires = expires.map_or(limits.default_expires, |seconds: u32| {
            Duration::from_secs(u64::from(seconds))
        });
        let outbound = params
            .unquoted("+sip.instance")
            .zip(params.value("reg-id"))
            .map(|(instance, number)| (instance.into_owned(), number.to_owned()));
        Some(Self {
            expires,
            q_millis: params.value("q").and_then(read_q).unwrap_or(1000),
            outbound,
            contact: address.uri.without_headers(),
        })
    }

    /// Whether the binding is the one this contact speaks of.
    pub(super) fn is_for(&self, binding: &Binding) -> bool {
        self.contact.is_equivalent(&binding.contact)
            || (self.outbound.is_some() && self.outbound == binding.outbound)
    }
}

/// `0.33` as 330 (RFC 3261 §25.1 `qvalue`).
fn read_q(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// Characters of User-Agent kept per binding.
const MAX_USER_AGENT: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_thousandths() {
        for (text, wanted) in [
            ("0", Some(0)),
            ("0.33", Some(330)),
            ("1.0", Some(1000)),
            ("1.1", None),
            ("0.3333", None),
            ("0.-1", None),
            ("x", None),
        ] {
            assert_eq!(read_q(text), wanted, "{text}");
        }
    }
}
