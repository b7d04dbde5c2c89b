//! Replaces: the dialog that a new INVITE is to take the place of (RFC 3891 §6.1).

use std::fmt;

use super::{Params, scan};
use crate::sip::ParseError;

/// A dialog, named as the one who is asked sees it: `to_tag` is the asked side's own tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replaces {
    /// Call-ID.
    pub call_id: String,
    /// Tag of whoever receives the header; `0` for a peer without tags (RFC 3891 §6.1).
    pub to_tag: String,
    /// Tag of the other side.
    pub from_tag: String,
    /// Whether only a dialog that still rings may be replaced.
    pub early_only: bool,
}

impl Replaces {
    /// Parses one value. Octets that could end a header line are never part of what is read.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let text = text.trim();
        let (call_id, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let call_id = call_id.trim_end();
        if call_id.is_empty() || !call_id.bytes().all(is_word) {
            return Err(ParseError::Malformed("no Call-ID in Replaces"));
        }
        let params = Params::parse(params).map_err(ParseError::Malformed)?;
        let tag = |name: &str| {
            let mut given = params
                .iter()
                .filter(|(ours, _)| ours.eq_ignore_ascii_case(name));
            match (given.next(), given.next()) {
                (Some((_, Some(tag))), None) if scan::is_token(tag.as_bytes()) => {
                    Ok(tag.to_owned())
                }
                // RFC 3891 §6.1: exactly one to-tag and one from-tag.
                _ => Err(ParseError::Malformed(
                    "Replaces needs one to-tag and one from-tag",
                )),
            }
        };
        Ok(Self {
            call_id: call_id.to_owned(),
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.has("early-only"),
        })
    }
}

/// `word` of RFC 3261 §25.1, and the `@` between two of them.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~()<>:\\\"/[]?{}@".contains(&byte)
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (call_id, to, from) = (&self.call_id, &self.to_tag, &self.from_tag);
        write!(f, "{call_id};to-tag={to};from-tag={from}")?;
        if self.early_only {
            f.write_str(";early-only")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parsed_is_printed_again() {
        // RFC 3891 §6.1, with and without white space.
        for (text, printed) in [
            (
                "98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff",
                "98732@sip.example.com;to-tag=ff87ff;from-tag=r33th4x0r",
            ),
            (
                "12adf2f34456gs5 ; to-tag=12345 ; from-tag=54321;early-only",
                "12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only",
            ),
            (
                "87134@192.0.2.23;to-tag=24796;from-tag=0",
                "87134@192.0.2.23;to-tag=24796;from-tag=0",
            ),
        ] {
            let replaces = Replaces::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(replaces.to_string(), printed);
        }
    }

    #[test]
    fn what_names_no_dialog_is_refused() {
        for text in [
            "",
            ";to-tag=a;from-tag=b",
            "call",
            "call;to-tag=a",
            "call;from-tag=b",
            "call;to-tag=a;to-tag=c;from-tag=b",
            "call;to-tag;from-tag=b",
            "call;to-tag=a b;from-tag=b",
            "call id;to-tag=a;from-tag=b",
            "call\r\nX: y;to-tag=a;from-tag=b",
            "call;to-tag=a\r\nX: y;from-tag=b",
            "call;to-tag=a;from-tag=b;x=\r\n",
        ] {
            assert!(Replaces::parse(text).is_err(), "{text:?}");
        }
    }
}
