//! Another flow for a number, for a while: what a file in the data directory says, and where all look
//! for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use crate::base::Timestamp;

/// Another flow for a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberOverride {
    /// The flow its callers go to instead.
    pub flow: String,
    /// When it is over by itself; `None`: when it is taken back.
    pub until: Option<Timestamp>,
    /// What people are told, 500 characters at most.
    pub reason: Option<String>,
}

/// All overrides, by number in its first form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberOverrides {
    by_number: BTreeMap<String, NumberOverride>,
}

/// Where the overrides of this moment hang, for whoever passes by. Clones show the same.
#[derive(Clone, Debug, Default)]
pub struct OverrideBoard(Arc<ArcSwap<NumberOverrides>>);

/// Why a file says no override.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// It names no flow.
    #[error("there is no line `flow: NAME`: the number keeps its own flow")]
    NoFlow,
    /// Its end cannot be read.
    #[error("\"{0}\" is no time such as 2026-11-22T08:00:00+09:00: the number keeps its own flow")]
    NoTime(String),
}

impl NumberOverride {
    /// Reads what a file says: a line `flow: NAME`, perhaps a line `until: TIME`, and the reason.
    ///
    /// # Errors
    ///
    /// It names no flow, or its end cannot be read: a slip must not lead callers elsewhere for ever.
    pub fn parse(text: &str) -> Result<Self, OverrideError> {
        let (mut flow, mut until, mut reason) = (None, None, String::new());
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(name) = value_of(line, FLOW) {
                flow = Some(name.to_owned()).filter(|name| !name.is_empty());
            } else if let Some(end) = value_of(line, UNTIL) {
                let end = Timestamp::parse_rfc3339(end)
                    .ok_or_else(|| OverrideError::NoTime(end.chars().take(80).collect()))?;
                until = Some(end);
            } else {
                reason.push_str(if reason.is_empty() { "" } else { " " });
                reason.push_str(line);
            }
        }
        Ok(Self {
            flow: flow.ok_or(OverrideError::NoFlow)?,
            until,
            reason: Some(tidy(&reason)).filter(|reason| !reason.is_empty()),
        })
    }

    /// The text that [`NumberOverride::parse`] reads.
    pub fn to_text(&self) -> String {
        let mut text = format!("{FLOW} {}\n", tidy(&self.flow));
        if let Some(until) = self.until {
            text.push_str(&format!("{UNTIL} {until}\n"));
        }
        if let Some(reason) = &self.reason {
            let reason = tidy(reason);
            // A reason that looks like one of the other lines is none of them.
            let is_line = [FLOW, UNTIL]
                .iter()
                .any(|word| value_of(&reason, word).is_some());
            text.push_str(if is_line { "\u{201c}" } else { "" });
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

impl FromIterator<(String, NumberOverride)> for NumberOverrides {
    fn from_iter<I: IntoIterator<Item = (String, NumberOverride)>>(overrides: I) -> Self {
        Self {
            by_number: overrides.into_iter().collect(),
        }
    }
}

impl NumberOverrides {
    /// The override that holds for a number.
    pub fn of(&self, number: &str, now: Timestamp) -> Option<&NumberOverride> {
        self.by_number.get(number).filter(|it| it.holds(now))
    }

    /// Every override with its number.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &NumberOverride)> {
        let overrides = self.by_number.iter();
        overrides.map(|(number, it)| (number.as_str(), it))
    }
}

impl OverrideBoard {
    /// The overrides of now.
    pub fn read(&self) -> Arc<NumberOverrides> {
        self.0.load_full()
    }

    /// Hangs up others.
    pub fn set(&self, overrides: NumberOverrides) {
        self.0.store(Arc::new(overrides));
    }
}

/// What follows a word at the beginning of a line, whatever its case.
fn value_of<'l>(line: &'l str, word: &str) -> Option<&'l str> {
    let begins = line.get(..word.len())?.eq_ignore_ascii_case(word);
    begins.then(|| line[word.len()..].trim())
}

fn tidy(text: &str) -> String {
    let space = |c: char| if c.is_control() { ' ' } else { c };
    let tidy: String = text.chars().map(space).take(MOST_REASON).collect();
    tidy.trim().to_owned()
}

const FLOW: &str = "flow:";
const UNTIL: &str = "until:";

/// Characters of a reason: a few sentences.
const MOST_REASON: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_ends_by_itself() {
        let it = NumberOverride {
            flow: "maintenance".to_owned(),
            until: Timestamp::parse_rfc3339("2026-11-22T08:00:00+09:00"),
            reason: Some("until: new prompts".to_owned()),
        };
        let read = NumberOverride::parse(&it.to_text()).unwrap();
        assert_eq!((&read.flow, read.until), (&it.flow, it.until));
        let end = it.until.unwrap();
        let all = NumberOverrides::from_iter([("100".to_owned(), it)]);
        assert!(
            all.of("100", end - std::time::Duration::from_millis(1))
                .is_some()
        );
        assert!(all.of("100", end).is_none() && all.of("101", Timestamp::ZERO).is_none());
    }

    #[test]
    fn a_slip_leads_nobody_elsewhere() {
        let no_time = NumberOverride::parse("flow: x\nuntil: soon");
        assert!(matches!(no_time, Err(OverrideError::NoTime(text)) if text == "soon"));
        assert_eq!(NumberOverride::parse("closed"), Err(OverrideError::NoFlow));
        let read = NumberOverride::parse("FLOW: test\n").unwrap();
        assert_eq!((read.flow.as_str(), read.until), ("test", None));
    }
}
