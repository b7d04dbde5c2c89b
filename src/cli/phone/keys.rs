//! Keys to press and the pauses between them: `1`, `,,1,23#`.

use std::collections::VecDeque;
use std::str::FromStr;
use std::time::Duration;

/// What `--press` and the order `press` ask for, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Keys(VecDeque<Step>);

/// One thing to do, and then to wait until it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing for a while.
    Pause,
    /// Keys one after the other.
    Press(String),
}

/// What a `,` stands for.
const PAUSE: Duration = Duration::from_secs(1);
/// A key is held for 100 ms, and as long lies between two (see `media::dtmf::Sender`).
const KEY: Duration = Duration::from_millis(200);
/// As many as media lets wait at a time.
const MOST_IN_A_ROW: usize = 64;

impl Keys {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// More keys after these.
    pub(super) fn append(&mut self, mut more: Keys) {
        self.0.append(&mut more.0);
    }

    /// The next thing to do.
    pub(super) fn next(&mut self) -> Option<Step> {
        self.0.pop_front()
    }
}

impl Step {
    /// How long it takes.
    pub(super) fn length(&self) -> Duration {
        match self {
            Step::Pause => PAUSE,
            Step::Press(keys) => KEY * u32::try_from(keys.len()).unwrap_or(u32::MAX),
        }
    }
}

impl FromStr for Keys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut steps = VecDeque::new();
        for key in text.chars() {
            match (key.to_ascii_uppercase(), steps.back_mut()) {
                (',', _) => steps.push_back(Step::Pause),
                (key @ ('0'..='9' | '*' | '#' | 'A'..='D'), Some(Step::Press(keys)))
                    if keys.len() < MOST_IN_A_ROW =>
                {
                    keys.push(key);
                }
                (key @ ('0'..='9' | '*' | '#' | 'A'..='D'), _) => {
                    steps.push_back(Step::Press(key.to_string()));
                }
                _ => return Err(format!("no telephone has a key {key:?}")),
            }
        }
        Ok(Self(steps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_are_pauses_and_keys_between_them_go_together() {
        let mut keys: Keys = ",,12#,d".parse().unwrap();
        let steps: Vec<Step> = std::iter::from_fn(|| keys.next()).collect();
        let press = |keys: &str| Step::Press(keys.to_owned());
        let wanted = [
            Step::Pause,
            Step::Pause,
            press("12#"),
            Step::Pause,
            press("D"),
        ];
        assert_eq!(steps, wanted);
        assert_eq!(press("12#").length(), Duration::from_millis(600));
    }

    #[test]
    fn other_characters_are_refused() {
        assert!("12x".parse::<Keys>().is_err());
        assert!("１".parse::<Keys>().is_err());
        assert!("".parse::<Keys>().unwrap().is_empty());
    }

    #[test]
    fn long_rows_are_cut_to_what_media_takes() {
        let mut keys: Keys = "1".repeat(100).parse().unwrap();
        assert_eq!(keys.next(), Some(Step::Press("1".repeat(64))));
        assert_eq!(keys.next(), Some(Step::Press("1".repeat(36))));
    }
}
