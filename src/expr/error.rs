//! Why a text is no expression: where, what, and what to do, in English and Japanese.

use std::fmt;
use std::ops::Range;

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Where, in bytes.
    pub span: Range<usize>,
    /// What is wrong there.
    pub message: String,
    /// The same in Japanese.
    pub message_ja: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The same in Japanese.
    pub help_ja: Option<String>,
}

impl Error {
    pub(super) fn new(
        span: Range<usize>,
        message: impl Into<String>,
        message_ja: impl Into<String>,
    ) -> Self {
        Self {
            span,
            message: message.into(),
            message_ja: message_ja.into(),
            help: None,
            help_ja: None,
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>, help_ja: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self.help_ja = Some(help_ja.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.span.start)
    }
}

impl std::error::Error for Error {}
