//! The ids applications see: two letters and 32 hexadecimal digits.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// An id in the public form. It follows from ours: the first 16 octets of SHA-256 over the two
/// letters, a colon and our id. Nothing need be stored to find it again, and a checkpoint, a
/// record and a callback of one call always say the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sid(Arc<str>);

/// What an id is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SidKind {
    /// `AC`.
    Account,
    /// `WA`: an activity of workers; its id is its name.
    Activity,
    /// `CA`: one leg of a call.
    Call,
    /// `CF`.
    Conference,
    /// `QU`.
    Queue,
    /// `RE`.
    Recording,
    /// `WR`: a reservation of a task.
    Reservation,
    /// `WT`: a task.
    Task,
    /// `WW`.
    Workflow,
}

impl SidKind {
    /// The two letters.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Account => "AC",
            Self::Activity => "WA",
            Self::Call => "CA",
            Self::Conference => "CF",
            Self::Queue => "QU",
            Self::Recording => "RE",
            Self::Reservation => "WR",
            Self::Task => "WT",
            Self::Workflow => "WW",
        }
    }
}

impl Sid {
    /// The id of what we call `id`. Call, leg: the logical call's id, and for any leg but the
    /// caller's a slash and the leg's number.
    pub fn derive(kind: SidKind, id: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(kind.prefix());
        hash.update(":");
        hash.update(id);
        let digits = hex::encode(hash.finalize().get(..16).unwrap_or_default());
        Self(format!("{}{digits}", kind.prefix()).into())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is of this kind.
    pub fn is(&self, kind: SidKind) -> bool {
        self.0.starts_with(kind.prefix())
    }
}

impl FromStr for Sid {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let good = text.len() == 34
            && text.bytes().take(2).all(|octet| octet.is_ascii_uppercase())
            && text.bytes().skip(2).all(|octet| octet.is_ascii_hexdigit());
        match good {
            true => Ok(Self(text.into())),
            false => Err("two capital letters and 32 hexadecimal digits"),
        }
    }
}

impl TryFrom<String> for Sid {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Sid> for String {
    fn from(sid: Sid) -> Self {
        sid.0.as_ref().to_owned()
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_from_ours_and_differ_by_kind() {
        let call = Sid::derive(SidKind::Call, "tyo1-0-42");
        assert_eq!(call, Sid::derive(SidKind::Call, "tyo1-0-42"));
        assert_ne!(call, Sid::derive(SidKind::Call, "tyo1-0-43"));
        let queue = Sid::derive(SidKind::Queue, "tyo1-0-42");
        assert_ne!(call.as_str().get(2..), queue.as_str().get(2..));
        assert!(call.is(SidKind::Call) && !call.is(SidKind::Queue));
        assert_eq!(call.as_str().parse::<Sid>(), Ok(call));
    }

    #[test]
    fn the_derivation_stays_as_it_is() {
        // Computed with sha256sum: printf 'CA:1' | sha256sum | cut -c1-32
        let expected = include_str!("../../tests/data/twiml/sid.txt").trim();
        assert_eq!(Sid::derive(SidKind::Call, "1").as_str(), expected);
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in [
            "",
            "CA",
            "ca0123456789abcdef0123456789abcdef",
            "CAg123456789abcdef0123456789abcdef",
        ] {
            assert!(text.parse::<Sid>().is_err(), "{text}");
        }
    }
}
