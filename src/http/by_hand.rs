//! What is said by hand, of calendars and numbers: why, and until when.

use super::answer::Refusal;
use crate::base::Timestamp;

/// Why something is so by hand, and until when.
#[derive(Debug)]
pub(super) struct ByHand {
    /// What people are told.
    pub(super) reason: Option<String>,
    /// When it is over by itself; `None`: when it is taken back.
    pub(super) until: Option<Timestamp>,
}

impl ByHand {
    /// Reads both as a request has them.
    pub(super) fn parse(reason: Option<String>, until: Option<&str>) -> Result<Self, Refusal> {
        let length = reason.as_ref().map_or(0, |it| it.chars().count());
        if length > MOST_REASON {
            let words = format!("`reason` has {MOST_REASON} characters at most");
            return Err(Refusal::bad_request(words));
        }
        Ok(Self {
            reason,
            until: until.map(instant).transpose()?,
        })
    }

    /// Whether it is over before it begins, which is a slip.
    pub(super) fn check(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.until.is_some_and(|until| until <= now) {
            true => Err(Refusal::bad_request("`until` is over already")),
            false => Ok(()),
        }
    }
}

/// An instant as people write it.
pub(super) fn instant(text: &str) -> Result<Timestamp, Refusal> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| {
        let words = format!("\"{text}\" is no time");
        Refusal::bad_request(words).help("write RFC 3339, such as 2026-11-22T08:00:00+09:00")
    })
}

/// Characters of a reason that are kept.
const MOST_REASON: usize = 500;
