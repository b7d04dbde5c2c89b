//! The telephone number within a `tel:` URI (RFC 3966) or a SIP URI's user part
//! (RFC 3261 §19.1.6), with what hangs on it: phone-context, isub, ext.

use std::borrow::Cow;

use crate::sip::{Scheme, Uri};

/// A number as a URI gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telephone {
    /// Digits as written, with `+` when it is global.
    pub number: String,
    /// Where a local number is valid: a prefix such as `+81`, or a domain (RFC 3966 §5.1.5).
    pub context: Option<String>,
    /// ISDN subaddress (RFC 3966 §3).
    pub subaddress: Option<String>,
    /// Extension (RFC 3966 §3).
    pub extension: Option<String>,
}

impl Telephone {
    /// The number of a URI; `None` without a user part, or with one longer than 128 octets.
    ///
    /// Whether the text is a number at all, the number plan says.
    pub fn of(uri: &Uri) -> Option<Self> {
        let user = uri.user_decoded();
        if user.is_empty() || user.len() > LONGEST {
            return None;
        }
        match uri.scheme {
            Scheme::Sip | Scheme::Sips => {
                // RFC 3261 §19.1.6: the parameters of the telephone-subscriber are in the user.
                let (number, params) = user.split_once(';').unwrap_or((&user, ""));
                let param = |name: &str| {
                    params.split(';').find_map(|param| {
                        let (ours, value) = param.split_once('=')?;
                        ours.eq_ignore_ascii_case(name).then(|| value.to_owned())
                    })
                };
                Self::with(number, param)
            }
            Scheme::Tel => {
                let param = |name: &str| uri.params.unquoted(name).map(Cow::into_owned);
                Self::with(&user, param)
            }
            Scheme::Other(_) => None,
        }
    }

    fn with(number: &str, param: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let kept = |name| param(name).filter(|value| !value.is_empty());
        (!number.is_empty()).then(|| Self {
            number: number.to_owned(),
            context: kept("phone-context"),
            subaddress: kept("isub"),
            extension: kept("ext"),
        })
    }

    /// The number as a plan reads it: a local one behind the global prefix it is valid in.
    ///
    /// `+81` before `0312345678` would be wrong: a local number that has its trunk prefix is left
    /// as it is, for the plan of the site knows what it means.
    pub fn in_context(&self) -> Cow<'_, str> {
        match &self.context {
            Some(context)
                if context.starts_with('+')
                    && !self.number.starts_with('+')
                    && !self.number.starts_with('0') =>
            {
                Cow::Owned(format!("{context}{}", self.number))
            }
            _ => Cow::Borrowed(&self.number),
        }
    }
}

/// Longest user part looked at.
const LONGEST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Telephone> {
        Telephone::of(&Uri::parse(text).expect(text))
    }

    #[test]
    fn the_number_is_told_from_what_hangs_on_it() {
        for (text, number, context, subaddress) in [
            ("tel:+81-3-1234-5678", "+81-3-1234-5678", None, None),
            (
                "tel:12345678;phone-context=+813",
                "12345678",
                Some("+813"),
                None,
            ),
            ("tel:+81312345678;isub=11", "+81312345678", None, Some("11")),
            (
                "sip:0312345678;isub=42;phone-context=ntt.example@a;user=phone",
                "0312345678",
                Some("ntt.example"),
                Some("42"),
            ),
            ("sip:%2B81312345678@a", "+81312345678", None, None),
        ] {
            let telephone = of(text).expect(text);
            assert_eq!(telephone.number, number, "{text}");
            assert_eq!(telephone.context.as_deref(), context, "{text}");
            assert_eq!(telephone.subaddress.as_deref(), subaddress, "{text}");
        }
        assert_eq!(of("sip:a.example"), None);
        assert_eq!(of("urn:service:sos"), None);
        assert_eq!(of(&format!("sip:{}@a", "1".repeat(200))), None);
    }

    #[test]
    fn a_local_number_is_read_in_its_context() {
        let read = |text| of(text).expect(text).in_context().into_owned();
        assert_eq!(read("tel:12345678;phone-context=+813"), "+81312345678");
        assert_eq!(read("tel:0312345678;phone-context=+81"), "0312345678");
        assert_eq!(read("tel:100;phone-context=a.example"), "100");
        assert_eq!(read("tel:+1;phone-context=+81"), "+1");
    }
}
