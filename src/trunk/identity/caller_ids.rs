//! Numbers that somebody may show: one by one, or from first to last.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::trunk::{Site, normalise};

/// A set of numbers; in E.164 where the plan of the site can read them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerIds(Vec<(String, String)>);

/// Why a text names no numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallerIdsError {
    /// One end is no number.
    #[error("\"{0}\" is not a number")]
    Number(String),
    /// The ends do not have the same length, or stand the wrong way round.
    #[error(
        "\"{0}\" is no range: write the lower number first, both with the same digits in number"
    )]
    Range(String),
}

impl CallerIds {
    /// Adds one number, or a range written `+81312345600..+81312345699`.
    pub fn add(&mut self, text: &str, site: Option<&Site>) -> Result<(), CallerIdsError> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let read = |text: &str| {
            canonical(text, site).ok_or_else(|| CallerIdsError::Number(text.to_owned()))
        };
        let (first, last) = (read(first.trim())?, read(last.trim())?);
        if first.len() != last.len() || first > last {
            return Err(CallerIdsError::Range(text.to_owned()));
        }
        self.0.push((first, last));
        Ok(())
    }

    /// Whether a number, in the form `canonical` gives, is one of them.
    pub fn covers(&self, number: &str) -> bool {
        self.0.iter().any(|(first, last)| {
            number.len() == first.len() && (first.as_str()..=last.as_str()).contains(&number)
        })
    }

    /// The first of them.
    pub fn first(&self) -> Option<&str> {
        self.0.first().map(|(first, _)| first.as_str())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A number in the form in which caller ids are compared: E.164 where the plan can read it, else
/// as written without separators.
pub(super) fn canonical(text: &str, site: Option<&Site>) -> Option<String> {
    let e164 = site.and_then(|site| site.e164(text));
    e164.or_else(|| normalise(text))
}

/// The first few, for people.
impl fmt::Display for CallerIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (first, last)) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first} to {last}")?,
            }
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A sentence names no more than these.
const SHOWN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_cover_what_they_say_in_any_form() {
        let site = Site::new("jp", Some("3")).ok();
        let mut ids = CallerIds::default();
        ids.add("03-1234-5600..03-1234-5699", site.as_ref())
            .expect("a range");
        ids.add("+815012345678", site.as_ref()).expect("a number");
        for (number, covered) in [
            ("+81312345600", true),
            ("+81312345650", true),
            ("+81312345699", true),
            ("+81312345700", false),
            ("+8131234565", false),
            ("+815012345678", true),
            ("0312345650", false),
        ] {
            assert_eq!(ids.covers(number), covered, "{number}");
        }
        assert_eq!(
            ids.to_string(),
            "+81312345600 to +81312345699, +815012345678"
        );
        for wrong in ["", "sales", "1..", "20..10", "1..100"] {
            assert!(ids.add(wrong, site.as_ref()).is_err(), "{wrong}");
        }
    }
}
