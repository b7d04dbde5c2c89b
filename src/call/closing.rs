//! What a call wants of whoever keeps the closings, and what it is told.

use serde_json::json;

use crate::flow::Reply;
use crate::trunk::ClosingService;

/// A calendar is to be closed by hand, or that taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingWish {
    /// Digits that name it.
    pub number: String,
    /// Which, if the PIN was right.
    pub calendar: Option<String>,
    /// What is wanted.
    pub service: ClosingService,
    /// At which phone.
    pub phone: String,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosingOutcome {
    /// It is on the disk.
    Done,
    /// Too many wrong PINs: none is taken for a while.
    Locked,
    /// The PIN is wrong, or there is no such number.
    Wrong,
}

impl ClosingOutcome {
    const WORDS: [(&'static str, Self); 3] = [
        ("done", Self::Done),
        ("locked", Self::Locked),
        ("wrong", Self::Wrong),
    ];

    /// As the call is told it.
    pub fn reply(self) -> Reply {
        let mut words = Self::WORDS.iter();
        let word = words.find(|(_, outcome)| *outcome == self);
        Reply::Data(json!(word.map_or("wrong", |(word, _)| word)))
    }

    /// What a call was told; `None` when it could not be done.
    pub fn of(reply: &Reply) -> Option<Self> {
        let Reply::Data(word) = reply else {
            return None;
        };
        let mut words = Self::WORDS.iter();
        let known = words.find(|(known, _)| word.as_str() == Some(*known));
        known.map(|(_, outcome)| *outcome)
    }
}
