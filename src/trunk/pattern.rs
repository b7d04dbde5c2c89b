//! Numbers as they are written and dialled: one, a range, a prefix.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which numbers an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// This number.
    Exact(String),
    /// Every number that begins so and is longer.
    Prefix(String),
    /// Every number of the same length from the first to the last, both included.
    Range {
        /// First.
        first: u64,
        /// Last.
        last: u64,
        /// Digits a number has; leading zeros count.
        digits: usize,
    },
}

/// Why a text is no number or range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A range that runs backwards.
    #[error("the range {0} ends before it begins")]
    Backwards(String),
    /// Ends of a range with a different number of digits.
    #[error("both ends of the range {0} must have the same number of digits")]
    Lengths(String),
    /// Something a phone cannot dial.
    #[error("\"{0}\" is not a number")]
    Number(String),
}

/// Longest number looked at; E.164 has 15 digits, with access codes less than twice that.
const MAX_LENGTH: usize = 32;
/// A number as dialled, without the separators people write (RFC 3966 §5.1.1); `None` when it is
/// not a number at all: empty, too long, or with other characters than digits, `+`, `*` and `#`.
pub fn normalise(text: &str) -> Option<String> {
    let number: String = text
        .chars()
        .filter(|c| !matches!(c, '-' | '.' | ' ' | '(' | ')'))
        .collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let good = !digits.is_empty()
        && number.len() <= MAX_LENGTH
        && digits.chars().all(|c| matches!(c, '0'..='9' | '*' | '#'));
    good.then_some(number)
}

impl Pattern {
    /// Parses one number, or a range such as `3000-3999`.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let number = || PatternError::Number(text.to_owned());
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        let Some((first, last)) = text.split_once('-') else {
            let written = normalise(text).ok_or_else(number)?;
            return if written == text {
                Ok(Self::Exact(written))
            } else {
                Err(number())
            };
        };
        if !is_digits(first) || !is_digits(last) {
            return Err(number());
        }
        if first.len() != last.len() {
            return Err(PatternError::Lengths(text.to_owned()));
        }
        let digits = first.len();
        let parse = |text: &str| text.parse::<u64>().map_err(|_| number());
        let (first, last) = (parse(first)?, parse(last)?);
        if first > last {
            return Err(PatternError::Backwards(text.to_owned()));
        }
        Ok(Self::Range {
            first,
            last,
            digits,
        })
    }

    pub(super) fn covers(&self, number: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == number,
            Self::Prefix(prefix) => number.len() > prefix.len() && number.starts_with(prefix),
            Self::Range {
                first,
                last,
                digits,
            } => {
                number.len() == *digits
                    && number.bytes().all(|c| c.is_ascii_digit())
                    && number
                        .parse::<u64>()
                        .is_ok_and(|number| (*first..=*last).contains(&number))
            }
        }
    }

    /// A number both claim with the same right.
    pub(super) fn meets(&self, other: &Self) -> Option<String> {
        match (self, other) {
            (Self::Exact(exact), Self::Exact(_) | Self::Range { .. }) => {
                other.covers(exact).then(|| exact.clone())
            }
            (Self::Range { .. }, Self::Exact(exact)) => self.covers(exact).then(|| exact.clone()),
            (
                Self::Range {
                    first,
                    last,
                    digits,
                },
                Self::Range {
                    first: other_first,
                    last: other_last,
                    digits: other_digits,
                },
            ) => {
                let begin = *first.max(other_first);
                let meet = digits == other_digits && begin <= *last.min(other_last);
                meet.then(|| format!("{begin:0digits$}"))
            }
            (Self::Prefix(prefix), Self::Prefix(other)) => {
                (prefix == other).then(|| prefix.clone())
            }
            (Self::Prefix(_), _) | (_, Self::Prefix(_)) => None,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(number) => f.write_str(number),
            Self::Prefix(prefix) => write!(f, "{prefix}..."),
            Self::Range {
                first,
                last,
                digits,
            } => write!(f, "{first:0digits$}-{last:0digits$}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_say_what_is_wrong_with_them() {
        for text in [
            "",
            "sales",
            "12-",
            "1-2-3",
            "+1-+2",
            "4000-300",
            "4000-3999",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
        for text in ["100", "*45", "+81312345678", "0001-0009"] {
            let pattern = Pattern::parse(text).expect(text);
            assert_eq!(pattern.to_string(), text);
        }
    }
}
