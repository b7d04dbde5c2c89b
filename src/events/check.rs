//! One check of an attempt to call: what was looked at, and what came of it.

use serde::{Deserialize, Serialize};

/// A check, in the order it was made; of those of one attempt, the first that failed decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was checked, stable, such as `caller_id.permitted`.
    pub check: String,
    /// What it was checked on, such as a number.
    pub input: String,
    /// Whether the call may go on.
    pub passed: bool,
    /// Why, in English.
    pub words: String,
    /// Stable code of the refusal, such as `caller_id.not_owned`; `None` when it passed.
    pub code: Option<String>,
    /// Why, in Japanese; of refusals only.
    pub words_ja: Option<String>,
}

impl Check {
    /// A check that passed.
    pub fn passed(check: &str, input: &str, words: impl Into<String>) -> Self {
        Self {
            check: check.to_owned(),
            input: input.to_owned(),
            passed: true,
            words: words.into(),
            code: None,
            words_ja: None,
        }
    }

    /// A check that failed: the call goes no further.
    pub fn failed(check: &str, input: &str, words: impl Into<String>, code: &str) -> Self {
        Self {
            passed: false,
            code: Some(code.to_owned()),
            ..Self::passed(check, input, words)
        }
    }

    /// The same with its reason in Japanese.
    #[must_use]
    pub fn in_japanese(mut self, words: &str) -> Self {
        self.words_ja = Some(words.to_owned());
        self
    }
}

/// Who sent a call on before it came to us, or us on its behalf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diverted {
    /// Number or address, normalised where the plan can read it.
    pub by: String,
    /// Why, in the words of RFC 5806, such as `no-answer`.
    pub reason: String,
}
