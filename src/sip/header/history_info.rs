//! History-Info: which addresses a call was sent to, in order (RFC 7044).

use std::fmt;

use super::{Diversion, DivertReason, NameAddr, Params, Privacy};
use crate::sip::ParseError;

/// One entry of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Where the call was sent; its URI may hold a Reason and a Privacy behind `?` (§5.1).
    pub address: NameAddr,
    /// Place in the tree of branches, such as 1.2.1; 1 to 16 numbers.
    pub index: Vec<u16>,
    /// How the address came to be, with the index it was made from.
    pub origin: Option<(HistoryOrigin, Vec<u16>)>,
}

/// How a target was determined (RFC 7044 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HistoryOrigin {
    /// `mp`: mapped to another user.
    Mapped,
    /// `np`: not changed.
    Unchanged,
    /// `rc`: the same user's contact.
    Contact,
}

/// Deepest tree read.
const DEEPEST: usize = 16;

impl HistoryEntry {
    /// Parses one value; the caller has split lists.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut address = NameAddr::parse(text)?;
        let index = address.params.value("index").and_then(parse_index);
        let index = index.ok_or(ParseError::Malformed("History-Info without an index"))?;
        let origin = ORIGINS.iter().find_map(|(word, origin)| {
            let from = parse_index(address.params.value(word)?)?;
            Some((*origin, from))
        });
        address.params = Params::default();
        Ok(Self {
            address,
            index,
            origin,
        })
    }

    /// The status that sent the call on from here: `cause` of the URI (RFC 4458), or the Reason
    /// that the URI carries (RFC 7044 §10.2).
    pub fn cause(&self) -> Option<u16> {
        let written = self.address.uri.params.value("cause");
        if let Some(cause) = written.and_then(|text| text.parse().ok()) {
            return Some(cause);
        }
        let reason = self.uri_header("Reason")?;
        let (_, rest) = reason.split_once("cause=")?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    }

    /// What is to be kept from others about this entry.
    pub fn privacy(&self) -> Privacy {
        Privacy::parse(&self.uri_header("Privacy").unwrap_or_default())
    }

    /// A header of the URI, escapes undone.
    fn uri_header(&self, name: &str) -> Option<String> {
        let headers = self.address.uri.headers.as_deref()?;
        let value = headers.split('&').find_map(|header| {
            let (ours, value) = header.split_once('=')?;
            ours.eq_ignore_ascii_case(name).then_some(value)
        })?;
        Some(crate::sip::uri::unescaped(value).into_owned())
    }
}

/// The diversions that a history tells of: every entry but the last that was left for a cause, the
/// latest first.
pub fn diversions(history: &[HistoryEntry]) -> Vec<Diversion> {
    let mut found: Vec<Diversion> = Vec::new();
    for pair in history.windows(2) {
        let [from, to] = pair else { continue };
        // RFC 7044 §10.2 puts the reason on the entry that was left, RFC 4458 on the new target.
        let Some(cause) = from.cause().or_else(|| to.cause()) else {
            continue;
        };
        let mut by = NameAddr::new(from.address.uri.clone().without_headers());
        by.display.clone_from(&from.address.display);
        by.uri.params.remove("cause");
        found.push(Diversion {
            is_private: from.privacy().has(Privacy::HISTORY),
            ..Diversion::new(by, DivertReason::from_cause(cause))
        });
    }
    found.reverse();
    found
}

const ORIGINS: [(&str, HistoryOrigin); 3] = [
    ("mp", HistoryOrigin::Mapped),
    ("np", HistoryOrigin::Unchanged),
    ("rc", HistoryOrigin::Contact),
];

fn parse_index(text: &str) -> Option<Vec<u16>> {
    if text.split('.').count() > DEEPEST {
        return None;
    }
    // `parse` alone would take a sign.
    let number = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
        digits.then(|| part.parse().ok())?
    };
    text.split('.').map(number).collect()
}

struct Index<'a>(&'a [u16]);

impl fmt::Display for Index<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, number) in self.0.iter().enumerate() {
            let dot = if place > 0 { "." } else { "" };
            write!(f, "{dot}{number}")?;
        }
        Ok(())
    }
}

impl fmt::Display for HistoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};index={}", self.address, Index(&self.index))?;
        if let Some((origin, from)) = &self.origin {
            let word = ORIGINS.iter().find(|(_, known)| known == origin);
            let word = word.map_or("rc", |(word, _)| word);
            write!(f, ";{word}={}", Index(from))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(texts: &[&str]) -> Vec<HistoryEntry> {
        let entries = texts.iter().map(|text| HistoryEntry::parse(text));
        entries.collect::<Result<_, _>>().expect("entries")
    }

    #[test]
    fn a_diversion_is_read_from_either_way_to_write_it() {
        let by_reason = history(&[
            "<sip:+81312345678@a?Reason=SIP%3Bcause%3D486&Privacy=history>;index=1",
            "<sip:+819012345678@b>;index=1.1;mp=1",
        ]);
        let found = diversions(&by_reason);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].reason, DivertReason::UserBusy);
        assert!(found[0].is_private);
        assert_eq!(found[0].by.to_string(), "<sip:+81312345678@a>");
        let by_cause = history(&[
            "\"Office\" <sip:+81312345678@a>;index=1",
            "<sip:+819012345678@b;cause=302>;index=1.1;mp=1",
            "<sip:desk@c>;index=1.1.1;rc=1.1",
        ]);
        let found = diversions(&by_cause);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[1].by.display.as_deref(), Some("Office"));
        assert_eq!(by_cause[1].origin, Some((HistoryOrigin::Mapped, vec![1])));
    }

    #[test]
    fn printing_is_undone_by_reading() {
        for text in [
            "<sip:bob@b?Reason=SIP%3Bcause%3D302>;index=1.1.2;rc=1.1",
            "\"Bob\" <tel:+81312345678>;index=1",
        ] {
            let entry = HistoryEntry::parse(text).expect(text);
            assert_eq!(entry.to_string(), text);
        }
    }

    #[test]
    fn entries_without_a_sound_index_are_refused() {
        let deep = format!("<sip:a@b>;index=1{}", ".1".repeat(20));
        for text in [
            "<sip:a@b>",
            "<sip:a@b>;index=",
            "<sip:a@b>;index=1..2",
            "<sip:a@b>;index=+1",
            "<sip:a@b>;index=99999",
            &deep,
        ] {
            assert!(HistoryEntry::parse(text).is_err(), "{text}");
        }
    }
}
