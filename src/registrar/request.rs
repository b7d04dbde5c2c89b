//! What a REGISTER asks for.

use std::time::Duration;

use super::{Binding, Limits};
use crate::sip::{Contacts, HeaderName, Message, NameAddr, Uri};

/// The parts of a REGISTER that bindings are made of.
pub(super) struct Request {
    pub(super) asked: Asked,
    pub(super) call_id: String,
    pub(super) cseq: u32,
    pub(super) user_agent: Option<String>,
    pub(super) path: Vec<NameAddr>,
    /// Whether the phone keeps flows (RFC 5626 §4.2.1).
    pub(super) keeps_flows: bool,
}

/// Why a request cannot be taken for what it asks.
pub(super) enum Unfit {
    /// It makes no sense: 400.
    Malformed,
    /// Proxies want to stay between, and the phone does not know of such (RFC 3327 §5.3): 420.
    NoPath,
    /// The phone keeps flows, the proxy before it does not (RFC 5626 §6): 439.
    NoOutboundBefore,
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
    pub(super) fn read(message: &Message, limits: &Limits) -> Result<Self, Unfit> {
        let supported = message.tokens(HeaderName::Supported);
        let supports = |tag: &str| {
            supported
                .iter()
                .any(|token| token.eq_ignore_ascii_case(tag))
        };
        let path = read_path(message).ok_or(Unfit::Malformed)?;
        if !path.is_empty() && !supports("path") {
            return Err(Unfit::NoPath);
        }
        let mut request = Self::read_contacts(message, limits).ok_or(Unfit::Malformed)?;
        request.keeps_flows = supports("outbound");
        if let Asked::Each(wishes) = &mut request.asked {
            let with_flow = |wish: &&Wish| wish.outbound.is_some() && !wish.expires.is_zero();
            if !request.keeps_flows {
                // RFC 5626 §6: without the option tag, reg-id says nothing.
                wishes.iter_mut().for_each(|wish| wish.outbound = None);
            } else if wishes.iter().filter(with_flow).count() > 1 {
                return Err(Unfit::Malformed);
            }
            let has_flow = wishes.iter().any(|wish| with_flow(&wish));
            let is_direct = message.values(HeaderName::Via).nth(1).is_none();
            let edge_knows = path.last().is_some_and(|edge| edge.uri.params.has("ob"));
            if has_flow && !is_direct && !edge_knows {
                return Err(Unfit::NoOutboundBefore);
            }
            request.keeps_flows = has_flow;
        }
        request.path = path;
        Ok(request)
    }

    fn read_contacts(message: &Message, limits: &Limits) -> Option<Self> {
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
            path: Vec::new(),
            keeps_flows: false,
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
            .filter(|(instance, number)| {
                // RFC 5626 §4.1, §4.2: a URN, and 1 to 2^31 - 1.
                let number = number.parse::<u32>().unwrap_or(0);
                let is_plain = !instance.contains(['"', '\\']);
                is_plain && instance.len() <= MAX_INSTANCE && (1..1 << 31).contains(&number)
            })
            .map(|(instance, number)| (instance.into_owned(), number.to_owned()));
        if address.uri.to_string().len() > MAX_CONTACT {
            return None;
        }
        Some(Self {
            expires,
            q_millis: params.value("q").and_then(read_q).unwrap_or(1000),
            outbound,
            contact: address.uri.without_headers(),
        })
    }

    /// Whether the binding is the one this contact speaks of.
    pub(super) fn is_for(&self, binding: &Binding) -> bool {
        match (&self.outbound, &binding.outbound) {
            // RFC 5626 §6: several flows of one phone may have one contact.
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => self.contact.is_equivalent(&binding.contact),
        }
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

/// The proxies to come back through, first hop first; `None` when one cannot be read or leads
/// nowhere.
fn read_path(message: &Message) -> Option<Vec<NameAddr>> {
    let mut path = Vec::new();
    for value in message.values(HeaderName::Path) {
        let proxy = NameAddr::parse(std::str::from_utf8(&value).ok()?).ok()?;
        let is_good = proxy.uri.is_sip() && proxy.uri.is_loose_router();
        if !is_good || path.len() >= MAX_PATH || value.len() > MAX_CONTACT {
            return None;
        }
        path.push(proxy);
    }
    Some(path)
}

/// Proxies between a phone and us.
const MAX_PATH: usize = 8;
/// Octets of a contact or of one proxy's address; kept as long as the phone is registered.
const MAX_CONTACT: usize = 1024;
/// Octets of an instance: a UUID's URN has 47.
const MAX_INSTANCE: usize = 256;
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
