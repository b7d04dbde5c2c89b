//! Open or closed, and why.

use std::fmt;
use std::sync::Arc;

use crate::base::{Language, Timestamp};

/// What kind of rule decided, the one that outranks all others first.
///
/// The order of variants is the order of ranks: a day is decided by the first that is about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Closed by hand: a file, the API, a feature code.
    Emergency,
    /// One date.
    Date,
    /// All dates from one to another.
    Range,
    /// Dates that come again and again.
    Recurring,
    /// A list of holidays.
    Holiday,
    /// So many days before or after a holiday.
    Relative,
    /// The hours of the weekday.
    Weekly,
}

impl Layer {
    /// Every layer with its word, the highest first.
    pub const WORDS: [(&str, Layer); 7] = [
        ("emergency", Layer::Emergency),
        ("date", Layer::Date),
        ("range", Layer::Range),
        ("recurring", Layer::Recurring),
        ("holiday", Layer::Holiday),
        ("relative", Layer::Relative),
        ("weekly", Layer::Weekly),
    ];

    /// Its word, as the API says it.
    pub fn as_str(self) -> &'static str {
        let known = Self::WORDS.iter().find(|(_, layer)| *layer == self);
        known.map_or("weekly", |(word, _)| word)
    }
}

/// What a rule or a holiday is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// In English, or as it is written.
    pub english: Arc<str>,
    /// In Japanese, or as it is written.
    pub japanese: Arc<str>,
}

impl Name {
    /// In the language of who reads it.
    pub fn in_language(&self, language: Language) -> &str {
        language.pick(&self.english, &self.japanese)
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        let name: Arc<str> = name.into();
        Self {
            english: name.clone(),
            japanese: name,
        }
    }
}

/// A line of a document. Shown as `calendars.toml:12`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spot {
    /// Path below the configuration directory, or a file that closes.
    pub file: Arc<str>,
    /// Line, from 1; 0 when the file as a whole is meant.
    pub line: usize,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// The rule that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Its kind.
    pub layer: Layer,
    /// Its name, or the holiday's; of an emergency the reason given.
    pub name: Option<Name>,
    /// Where it is written.
    pub spot: Spot,
    /// Where the holiday itself is written, when one decided that is not computed.
    pub holiday: Option<Spot>,
}

/// Open or closed, why, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is open.
    pub open: bool,
    /// The rule that decided.
    pub reason: Reason,
    /// When it becomes different, or another rule decides; `None` when not within 400 days.
    pub until: Option<Timestamp>,
}
