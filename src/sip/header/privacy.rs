//! Privacy: what the caller wants kept from others (RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §10.1).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The values of a Privacy header; empty when there is none.
///
/// Values of later RFCs are not kept: nobody here could honour them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Privacy(u8);

impl Privacy {
    /// Hide what headers tell of the caller.
    pub const HEADER: Privacy = Privacy(1);
    /// Hide history entries.
    pub const HISTORY: Privacy = Privacy(1 << 1);
    /// Hide the identity that the network asserts.
    pub const ID: Privacy = Privacy(1 << 2);
    /// Hide nothing, whatever was agreed upon before.
    pub const NONE: Privacy = Privacy(1 << 3);
    /// Hide where media comes from.
    pub const SESSION: Privacy = Privacy(1 << 4);
    /// Hide what the caller's own headers say.
    pub const USER: Privacy = Privacy(1 << 5);
    /// Better no call than one without it.
    pub const CRITICAL: Privacy = Privacy(1 << 6);

    /// Reads the value of a header. Values stand behind semicolons (RFC 3323); commas, which some
    /// write, separate them too.
    pub fn parse(text: &str) -> Self {
        let words = text.split([';', ',']).map(str::trim);
        words.fold(Self::default(), |sum, word| {
            let known = WORDS
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(word));
            known.map_or(sum, |(_, value)| sum.with(*value))
        })
    }

    /// The same with the values of `other` added.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all values of `other` are there.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing is said.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the caller's number and name are to be kept from whom he calls: `id`, `user` or
    /// `header` (RFC 3323 §4.2, RFC 3325 §7).
    pub fn withholds_caller(self) -> bool {
        let hidden = [Self::ID, Self::USER, Self::HEADER];
        !self.has(Self::NONE) && hidden.into_iter().any(|value| self.has(value))
    }
}

const WORDS: [(&str, Privacy); 7] = [
    ("header", Privacy::HEADER),
    ("history", Privacy::HISTORY),
    ("id", Privacy::ID),
    ("none", Privacy::NONE),
    ("session", Privacy::SESSION),
    ("user", Privacy::USER),
    ("critical", Privacy::CRITICAL),
];

impl fmt::Display for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = WORDS.iter().filter(|(_, value)| self.has(*value));
        for (place, (word, _)) in words.enumerate() {
            if place > 0 {
                f.write_str(";")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_any_spelling_and_order() {
        let privacy = Privacy::parse(" ID ; critical;later-value");
        assert_eq!(privacy, Privacy::ID.with(Privacy::CRITICAL));
        assert_eq!(privacy.to_string(), "id;critical");
        assert!(privacy.withholds_caller());
        assert!(Privacy::parse("user, id").withholds_caller());
        assert!(!Privacy::parse("none").withholds_caller());
        assert!(!Privacy::parse("history;session").withholds_caller());
        assert!(Privacy::parse("").is_empty());
    }

    #[test]
    fn printing_is_undone_by_reading() {
        for bits in 0..1 << 7 {
            let privacy = Privacy(bits);
            assert_eq!(Privacy::parse(&privacy.to_string()), privacy);
        }
    }
}
