//! P-Asserted-Identity and P-Preferred-Identity: one or two addresses of the caller, of which one
//! is a SIP address and the other a `tel:` URI (RFC 3325 §9.1, §9.2).

use super::{HeaderName, NameAddr, Telephone};
use crate::sip::{Message, Scheme};

/// What the header says; the first address of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asserted {
    /// The `sip:` or `sips:` address.
    pub sip: Option<NameAddr>,
    /// The `tel:` address.
    pub tel: Option<NameAddr>,
}

impl Asserted {
    /// Reads P-Asserted-Identity or P-Preferred-Identity; of more than two values the first of
    /// each kind counts, what cannot be read does not.
    pub fn read(message: &Message, name: HeaderName) -> Self {
        let mut asserted = Self::default();
        for address in message.addresses(name).into_iter().take(MOST) {
            let place = match address.uri.scheme {
                Scheme::Sip | Scheme::Sips => &mut asserted.sip,
                Scheme::Tel => &mut asserted.tel,
                Scheme::Other(_) => continue,
            };
            place.get_or_insert(address);
        }
        asserted
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.sip.is_none() && self.tel.is_none()
    }

    /// The number, of the `tel:` address when there is one.
    pub fn number(&self) -> Option<String> {
        let both = [&self.tel, &self.sip].into_iter().flatten();
        both.filter_map(|address| Telephone::of(&address.uri))
            .map(|telephone| telephone.number)
            .next()
    }

    /// The name, of the address that has one.
    pub fn display(&self) -> Option<&str> {
        let both = [&self.sip, &self.tel].into_iter().flatten();
        both.filter_map(|address| address.display.as_deref())
            .find(|display| !display.is_empty())
    }
}

/// Values looked at; the RFC allows two.
const MOST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &str) -> Asserted {
        let text = format!("INVITE sip:a@b SIP/2.0\r\n{headers}\r\n\r\n");
        let message = Message::parse(text.into()).expect("a message");
        Asserted::read(&message, HeaderName::PAssertedIdentity)
    }

    #[test]
    fn one_of_each_kind_counts() {
        let both = read(
            "P-Asserted-Identity: \"A, B\" <sip:alice@a>, tel:+81312345678\r\n\
             P-Asserted-Identity: <sip:other@a>, <tel:+1>",
        );
        assert_eq!(both.number().as_deref(), Some("+81312345678"));
        assert_eq!(both.display(), Some("A, B"));
        assert!(read("P-Preferred-Identity: <sip:a@b>").is_empty());
        let garbage = read("P-Asserted-Identity: <<>>, urn:x, \"open");
        assert!(garbage.is_empty() && garbage.number().is_none());
    }
}
