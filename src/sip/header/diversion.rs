//! Diversion: who sent the call on before it came here, and why (RFC 5806).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::NameAddr;
use crate::sip::ParseError;

/// One diversion; of several, the topmost is the latest (RFC 5806 §4.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diversion {
    /// Who diverted, without parameters.
    pub by: NameAddr,
    /// Why.
    pub reason: DivertReason,
    /// How many diversions this one stands for, 1 to 99.
    pub counter: u8,
    /// Whether who diverted is to be kept from whom is called (`privacy=full`).
    pub is_private: bool,
}

/// Why a call was sent on (RFC 5806 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is the word of the RFC")]
pub enum DivertReason {
    Away,
    Deflection,
    DoNotDisturb,
    FollowMe,
    NoAnswer,
    OutOfService,
    TimeOfDay,
    Unavailable,
    Unconditional,
    Unknown,
    UserBusy,
}

impl DivertReason {
    /// The word of a Diversion header.
    pub fn as_str(self) -> &'static str {
        WORDS
            .iter()
            .find(|(reason, ..)| *reason == self)
            .map_or("unknown", |(_, word, _)| word)
    }

    /// The status that says it in a History-Info entry (RFC 4458 §3, RFC 7044 §10.2).
    pub fn cause(self) -> u16 {
        WORDS
            .iter()
            .find(|(reason, ..)| *reason == self)
            .map_or(404, |(.., cause)| *cause)
    }

    /// The reason a status of RFC 4458 stands for.
    pub fn from_cause(cause: u16) -> Self {
        match cause {
            302 => DivertReason::Unconditional,
            408 => DivertReason::NoAnswer,
            480 | 487 => DivertReason::Deflection,
            486 | 600 => DivertReason::UserBusy,
            503 => DivertReason::Unavailable,
            _ => DivertReason::Unknown,
        }
    }

    fn parse(text: &str) -> Self {
        let text = text.trim_matches('"');
        WORDS
            .iter()
            .find(|(_, word, _)| word.eq_ignore_ascii_case(text))
            .map_or(DivertReason::Unknown, |(reason, ..)| *reason)
    }
}

const WORDS: [(DivertReason, &str, u16); 11] = [
    (DivertReason::Away, "away", 480),
    (DivertReason::Deflection, "deflection", 480),
    (DivertReason::DoNotDisturb, "do-not-disturb", 480),
    (DivertReason::FollowMe, "follow-me", 302),
    (DivertReason::NoAnswer, "no-answer", 408),
    (DivertReason::OutOfService, "out-of-service", 503),
    (DivertReason::TimeOfDay, "time-of-day", 302),
    (DivertReason::Unavailable, "unavailable", 503),
    (DivertReason::Unconditional, "unconditional", 302),
    (DivertReason::Unknown, "unknown", 404),
    (DivertReason::UserBusy, "user-busy", 486),
];

impl Diversion {
    /// A diversion by an address, once.
    pub fn new(by: NameAddr, reason: DivertReason) -> Self {
        Self {
            by,
            reason,
            counter: 1,
            is_private: false,
        }
    }

    /// Parses one value; the caller has split lists. Parameters of later documents are not kept.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let address = NameAddr::parse(text)?;
        let word = |name| address.params.unquoted(name).unwrap_or_default();
        let counter = word("counter").parse::<u8>().unwrap_or(1).clamp(1, 99);
        Ok(Self {
            reason: DivertReason::parse(&word("reason")),
            counter,
            is_private: matches!(
                word("privacy").to_ascii_lowercase().as_str(),
                "full" | "uri"
            ),
            by: NameAddr {
                params: super::Params::default(),
                ..address
            },
        })
    }
}

impl fmt::Display for Diversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reason, counter) = (self.reason.as_str(), self.counter);
        write!(f, "{};reason={reason};counter={counter}", self.by)?;
        if self.is_private {
            f.write_str(";privacy=full")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rfcs_own_diversion_is_read() {
        let text = "\"Bob\" <sip:Bob@P2.isp.com>;reason=no-answer ; counter=2;privacy=FULL;x=y";
        let diversion = Diversion::parse(text).expect("a diversion");
        assert_eq!(diversion.by.uri.user_decoded(), "Bob");
        assert_eq!(diversion.reason, DivertReason::NoAnswer);
        assert_eq!((diversion.counter, diversion.is_private), (2, true));
        assert_eq!(
            diversion.to_string(),
            "\"Bob\" <sip:Bob@P2.isp.com>;reason=no-answer;counter=2;privacy=full"
        );
    }

    #[test]
    fn what_is_odd_is_read_as_little_as_it_says() {
        let odd = Diversion::parse("<tel:+81312345678>;reason=\"moon\";counter=9999").expect("one");
        assert_eq!((odd.reason, odd.counter), (DivertReason::Unknown, 1));
        assert!(Diversion::parse("nobody").is_err());
        assert!(Diversion::parse("").is_err());
    }

    #[test]
    fn reasons_and_causes_translate() {
        for (reason, word, cause) in WORDS {
            assert_eq!(DivertReason::parse(word), reason);
            assert_eq!((reason.as_str(), reason.cause()), (word, cause));
        }
        assert_eq!(DivertReason::from_cause(486), DivertReason::UserBusy);
        assert_eq!(DivertReason::from_cause(7), DivertReason::Unknown);
    }
}
