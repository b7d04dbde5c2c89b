//! What is wrong with a document, or was while it ran, with the number Twilio's error dictionary
//! has for it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Position {
    /// Where the octet `offset` of `text` is; the end when there are not as many.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = text.get(..end).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        Self {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// One thing wrong. As the error of a function: the document is not executed. In a list of
/// remarks: it is, and somebody should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Fault {
    /// Number in Twilio's error dictionary; `ErrorCode` of a request for the fallback.
    pub code: u16,
    /// Where in the document; `None` when it is about all of it, or about its retrieval.
    pub at: Option<Position>,
    /// What is wrong, and what is wanted.
    pub words: String,
}

impl Fault {
    /// One that is about no place of the document.
    pub fn new(code: u16, words: impl Into<String>) -> Self {
        Self {
            code,
            at: None,
            words: words.into(),
        }
    }

    pub(super) fn at(mut self, position: Position) -> Self {
        self.at = Some(position);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{at}: {} ({})", self.words, self.code),
            None => write!(f, "{} ({})", self.words, self.code),
        }
    }
}

/// Text of others, as it is shown: short, and without what steers a terminal.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_SHOWN)
        .collect();
    if text.chars().nth(LONGEST_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Characters of a foreign text that are shown.
const LONGEST_SHOWN: usize = 60;

/// Numbers of Twilio's error dictionary that belong to no single verb.
pub(super) mod code {
    /// Invalid URL format.
    pub(crate) const URL: u16 = 11100;
    /// HTTP retrieval failure.
    pub(crate) const RETRIEVAL: u16 = 11200;
    /// HTTP too many redirects.
    pub(crate) const REDIRECTS: u16 = 11215;
    /// TwiML response body too large.
    pub(crate) const TOO_LARGE: u16 = 11750;
    /// Document parse failure.
    pub(crate) const PARSE: u16 = 12100;
    /// The root element must be Response.
    pub(crate) const ROOT: u16 = 12102;
    /// Schema validation warning.
    pub(crate) const SCHEMA: u16 = 12200;
    /// Invalid Content-Type.
    pub(crate) const CONTENT_TYPE: u16 = 12300;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_lines_and_characters() {
        let text = "繋ぐ\nab";
        for (offset, line, column) in [(0, 1, 1), (3, 1, 2), (4, 1, 2), (7, 2, 1), (99, 2, 3)] {
            assert_eq!(Position::of(text, offset), Position { line, column });
        }
    }

    #[test]
    fn what_others_wrote_is_shown_short_and_harmless() {
        assert_eq!(shown("a\u{1b}[2J"), "a [2J");
        assert_eq!(shown(&"x".repeat(61)).chars().count(), 61);
    }
}
