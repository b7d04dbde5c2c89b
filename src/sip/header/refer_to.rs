//! Refer-To: where somebody wants the other party of a call sent (RFC 3515 §2.1), and which dialog
//! is to be replaced there (RFC 3891).
//!
//! Of the headers a Refer-To URI may carry, Replaces alone is read; all others end here, so that
//! nothing written into a Refer-To ever becomes a header line of ours.

use crate::sip::uri::Scheme;
use crate::sip::{HeaderName, Message, NameAddr, Replaces, Uri};

/// What a REFER asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferTo {
    /// The target, without headers and method.
    pub uri: Uri,
    /// The dialog to be replaced at the target: an attended transfer.
    pub replaces: Option<Replaces>,
}

/// Why a REFER asks for nothing that can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReferTo {
    /// Not an address, or one with a Replaces that cannot be read.
    #[error("Refer-To cannot be read")]
    Malformed,
    /// Another request than INVITE is to be sent.
    #[error("only INVITE can be referred to")]
    Method,
    /// There is none.
    #[error("no Refer-To")]
    Missing,
    /// Neither `sip:`, `sips:` nor `tel:`.
    #[error("no scheme that can be called")]
    Scheme,
    /// RFC 3515 §2.4.2: more than one.
    #[error("more than one Refer-To")]
    Several,
}

impl BadReferTo {
    /// The status to refuse with. Neither 404 nor 416: in a dialog they would end it
    /// (RFC 5057 §5.1).
    pub fn status(self) -> u16 {
        match self {
            BadReferTo::Malformed | BadReferTo::Missing | BadReferTo::Several => 400,
            BadReferTo::Method | BadReferTo::Scheme => 403,
        }
    }
}

impl ReferTo {
    /// What a REFER asks for.
    pub fn of(request: &Message) -> Result<Self, BadReferTo> {
        let mut values = request.headers(HeaderName::ReferTo);
        let value = values.next().ok_or(BadReferTo::Missing)?;
        if values.next().is_some() {
            return Err(BadReferTo::Several);
        }
        let text = std::str::from_utf8(&value).map_err(|_| BadReferTo::Malformed)?;
        Self::parse(text)
    }

    /// Parses the value of the header.
    pub fn parse(text: &str) -> Result<Self, BadReferTo> {
        let address = NameAddr::parse(text).map_err(|_| {
            let is_list = text.matches('<').count() > 1;
            if is_list {
                BadReferTo::Several
            } else {
                BadReferTo::Malformed
            }
        })?;
        let uri = address.uri;
        if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips | Scheme::Tel) {
            return Err(BadReferTo::Scheme);
        }
        if uri
            .params
            .value("method")
            .is_some_and(|method| method != "INVITE")
        {
            return Err(BadReferTo::Method);
        }
        let mut replaces = None;
        for (name, value) in uri.header_fields() {
            if name.eq_ignore_ascii_case(HeaderName::Replaces.as_str()) {
                let parsed = Replaces::parse(&value).map_err(|_| BadReferTo::Malformed)?;
                if replaces.replace(parsed).is_some() {
                    return Err(BadReferTo::Malformed);
                }
            }
        }
        Ok(Self {
            uri: uri.without_headers(),
            replaces,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blind_and_attended_targets_are_read() {
        let blind = ReferTo::parse("<sip:1003@192.0.2.1;user=phone>").unwrap();
        assert_eq!(blind.uri.user_decoded(), "1003");
        assert_eq!(blind.replaces, None);
        // RFC 3515 §2.1, with the escapes a phone writes.
        let attended = "Bob <sip:1003@192.0.2.1?Replaces=12345%40192.0.2.3%3Bto-tag%3D12345\
                        %3Bfrom-tag%3D5FFE-3994&Require=replaces>";
        let attended = ReferTo::parse(attended).unwrap();
        let replaces = attended.replaces.unwrap();
        assert_eq!(replaces.call_id, "12345@192.0.2.3");
        assert_eq!(replaces.to_tag, "12345");
        assert_eq!(replaces.from_tag, "5FFE-3994");
        assert_eq!(attended.uri.to_string(), "sip:1003@192.0.2.1");
        assert!(ReferTo::parse("sip:1003@192.0.2.1").is_ok());
        assert!(ReferTo::parse("<sip:1003@192.0.2.1;method=INVITE>").is_ok());
        assert!(ReferTo::parse("<tel:+81312345678>").is_ok());
    }

    #[test]
    fn what_cannot_be_called_is_refused_by_name() {
        for (text, why) in [
            ("", BadReferTo::Malformed),
            ("<sip:>", BadReferTo::Malformed),
            ("<sip:a@b", BadReferTo::Malformed),
            ("sip:a@b?Replaces=x", BadReferTo::Malformed),
            ("<sip:a@b?Replaces=x>", BadReferTo::Malformed),
            (
                "<sip:a@b?Replaces=x%3Bto-tag%3Da%3Bfrom-tag%3Db&Replaces=y%3Bto-tag%3Da%3Bfrom-tag%3Db>",
                BadReferTo::Malformed,
            ),
            ("<sip:a@b>, <sip:c@d>", BadReferTo::Several),
            ("<sip:a@b;method=SUBSCRIBE>", BadReferTo::Method),
            ("<sip:a@b;method=BYE>", BadReferTo::Method),
            ("<mailto:a@b>", BadReferTo::Scheme),
            ("<http://a/b>", BadReferTo::Scheme),
        ] {
            assert_eq!(ReferTo::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn no_line_break_gets_through_in_any_escape() {
        for text in [
            "<sip:a@b?Replaces=x%0d%0aEvil:1%3Bto-tag%3Da%3Bfrom-tag%3Db>",
            "<sip:a@b?Replaces=x%3Bto-tag%3Da%0d%0aEvil:1%3Bfrom-tag%3Db>",
        ] {
            assert_eq!(ReferTo::parse(text), Err(BadReferTo::Malformed));
        }
        // Other headers are no part of what is read.
        let odd = "<sip:1003@b?X-Evil=1%0d%0aVia:x&Route=%3Csip:evil%3E&Authorization=x>";
        let read = ReferTo::parse(odd).unwrap();
        assert_eq!(read.uri.to_string(), "sip:1003@b");
        assert_eq!(read.replaces, None);
    }
}
