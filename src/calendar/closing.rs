//! Closed by hand: what a file in the data directory says, and where all look for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::base::{Pin, Timestamp};

/// The name of the closing that holds for every calendar.
pub const EVERYWHERE: &str = "all";

/// One closing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// What people are told.
    pub reason: Option<String>,
    /// When it is over by itself; `None`: when it is taken back.
    pub until: Option<Timestamp>,
}

/// All closings, by calendar; [`EVERYWHERE`] is one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closings {
    by_name: BTreeMap<String, Closing>,
}

/// Where the closings of this moment hang, for whoever passes by. Clones show the same.
#[derive(Clone, Debug, Default)]
pub struct ClosingBoard(Arc<ArcSwap<Closings>>);

/// A closing whose end cannot be read. It is closed all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no time such as 2026-11-22T08:00:00+09:00: closed until it is taken back")]
pub struct ClosingError(String);

impl Closing {
    /// Reads what a closing's file says: perhaps a line `until: TIME`, and the reason. Control
    /// characters become spaces, and what is past 500 characters is left out.
    ///
    /// The error is beside the closing, which then has no end: a slip must not open a house.
    pub fn parse(text: &str) -> (Self, Option<ClosingError>) {
        let (mut closing, mut error) = (Self::default(), None);
        let mut reason = String::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let end = match line.get(..UNTIL.len()) {
                Some(word) if word.eq_ignore_ascii_case(UNTIL) => line[UNTIL.len()..].trim(),
                _ => {
                    reason.push_str(if reason.is_empty() { "" } else { " " });
                    reason.push_str(line);
                    continue;
                }
            };
            match Timestamp::parse_rfc3339(end) {
                Some(until) => closing.until = Some(until),
                None => error = Some(ClosingError(end.chars().take(80).collect())),
            }
        }
        if error.is_some() {
            closing.until = None;
        }
        closing.reason = Some(tidy(&reason)).filter(|reason| !reason.is_empty());
        (closing, error)
    }

    /// The text that [`Closing::parse`] reads.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        if let Some(until) = self.until {
            text.push_str(&format!("{UNTIL} {until}\n"));
        }
        if let Some(reason) = &self.reason {
            let reason = tidy(reason);
            // A reason that looks like an end is none.
            let is_end = reason.get(..UNTIL.len());
            let is_end = is_end.is_some_and(|word| word.eq_ignore_ascii_case(UNTIL));
            text.push_str(if is_end { "\u{201c}" } else { "" });
            text.push_str(&reason);
            text.push('\n');
        }
        text
    }

    /// Whether it holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl FromIterator<(String, Closing)> for Closings {
    fn from_iter<I: IntoIterator<Item = (String, Closing)>>(closings: I) -> Self {
        Self {
            by_name: closings.into_iter().collect(),
        }
    }
}

impl Closings {
    /// The closing that holds for a calendar, with its name: its own, or everybody's.
    pub fn of(&self, calendar: &str, now: Timestamp) -> Option<(&str, &Closing)> {
        [calendar, EVERYWHERE].into_iter().find_map(|name| {
            let (name, closing) = self.by_name.get_key_value(name)?;
            closing.holds(now).then_some((name.as_str(), closing))
        })
    }

    /// Every closing with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Closing)> {
        let closings = self.by_name.iter();
        closings.map(|(name, closing)| (name.as_str(), closing))
    }
}

impl ClosingBoard {
    /// The closings of now.
    pub fn read(&self) -> Arc<Closings> {
        self.0.load_full()
    }

    /// Hangs up others.
    pub fn set(&self, closings: Closings) {
        self.0.store(Arc::new(closings));
    }
}

fn tidy(reason: &str) -> String {
    let space = |c: char| if c.is_control() { ' ' } else { c };
    let tidy: String = reason.chars().map(space).take(MOST_REASON).collect();
    tidy.trim().to_owned()
}

const UNTIL: &str = "until:";

/// Characters of a reason: a few sentences.
const MOST_REASON: usize = 500;

/// How a calendar is closed by telephone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingNumber {
    /// Its name, or [`EVERYWHERE`].
    pub calendar: String,
    /// What whoever may close it proves himself with.
    pub pin: Pin,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn a_file_says_why_and_until_when() {
        for (text, reason, until) in [
            ("", None, None),
            ("Typhoon", Some("Typhoon"), None),
            ("\n 台風のため\n休診\n", Some("台風のため 休診"), None),
            (
                "until: 2026-11-22T08:00:00+09:00\nTyphoon\u{7}!",
                Some("Typhoon !"),
                Some(at("2026-11-21T23:00:00Z")),
            ),
            (
                "Until: 2026-11-22T08:00:00Z",
                None,
                Some(at("2026-11-22T08:00:00Z")),
            ),
        ] {
            let (closing, error) = Closing::parse(text);
            assert_eq!(
                (closing.reason.as_deref(), closing.until),
                (reason, until),
                "{text}"
            );
            assert_eq!(error, None);
            assert_eq!(Closing::parse(&closing.to_text()), (closing, None));
        }
    }

    #[test]
    fn an_end_that_cannot_be_read_is_none_and_said() {
        for text in [
            "until: tomorrow",
            "until: 2026-11-22T08:00:00Z\nuntil: soon\nwhy",
        ] {
            let (closing, error) = Closing::parse(text);
            assert_eq!(closing.until, None);
            assert!(error.is_some(), "{text}");
        }
        let sly = Closing {
            reason: Some("until: 1999-01-01T00:00:00Z".to_owned()),
            until: None,
        };
        assert_eq!(Closing::parse(&sly.to_text()).0.until, None);
    }

    #[test]
    fn ones_own_closing_counts_before_everybodys_and_each_ends_by_itself() {
        let ends = |seconds: i64| Closing {
            reason: None,
            until: Some(Timestamp::from_millis(seconds * 1000)),
        };
        let closings: Closings = [("a".to_owned(), ends(10)), ("all".to_owned(), ends(20))]
            .into_iter()
            .collect();
        let of = |name, seconds: i64| {
            let found = closings.of(name, Timestamp::from_millis(seconds * 1000));
            found.map(|(name, _)| name)
        };
        assert_eq!(
            [of("a", 9), of("a", 10), of("a", 19), of("a", 20)],
            [Some("a"), Some("all"), Some("all"), None]
        );
        assert_eq!([of("b", 9), of("b", 20)], [Some("all"), None]);
    }
}
