//! Takes down what a caller says: a tone, then his words until a key, a silence or the longest
//! length ends them.
//!
//! The machine knows neither files nor sound: it is told when the tone is over, when the caller speaks
//! and falls silent, which keys he presses, and what became of the recording.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;

/// How something is taken down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeTerms {
    /// Longest it may be.
    pub longest: Duration,
    /// Silence that ends it.
    pub silence: Duration,
    /// Keys that end it.
    pub terminators: String,
    /// Whether a tone says that it begins.
    pub beep: bool,
}

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TakeOutput {
    /// Play these sounds and report their end.
    Play(Vec<String>),
    /// Record the caller from now on; report what becomes of it.
    Begin,
    /// The recording is over.
    Stop,
    /// Nothing follows.
    Done(Taken),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// It was stored.
    Stored {
        /// Length of the file.
        length: Duration,
    },
    /// It was not, and why.
    Failed(String),
}

/// Something being taken down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Take {
    terms: TakeTerms,
    state: State,
    outputs: VecDeque<TakeOutput>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Beeping {
        until: Timestamp,
    },
    Recording {
        began: Timestamp,
        /// When the caller fell silent; `None` while he speaks.
        quiet: Option<Timestamp>,
        /// Whether he has said anything.
        has_spoken: bool,
    },
    /// The recording is over; what became of it is waited for.
    Storing {
        until: Timestamp,
        /// Whether he said nothing at all.
        is_empty: bool,
    },
    Over,
}

/// Sound of the tone.
const BEEP: &str = "beep";
/// Longest the tone may take until its end is taken for lost.
const BEEP_LIMIT: Duration = Duration::from_secs(3);
/// How long the disk may take; the message is not lost when it takes longer, but nobody may say that
/// it is stored.
const PATIENCE: Duration = Duration::from_secs(15);

impl Take {
    /// Begins.
    pub fn start(terms: TakeTerms, now: Timestamp) -> Self {
        let mut take = Self {
            terms,
            state: State::Over,
            outputs: VecDeque::new(),
        };
        if take.terms.beep {
            take.outputs
                .push_back(TakeOutput::Play(vec![BEEP.to_owned()]));
            take.state = State::Beeping {
                until: now + BEEP_LIMIT,
            };
        } else {
            take.begin(now);
        }
        take
    }

    /// The tone is over.
    pub fn handle_play_done(&mut self, now: Timestamp) {
        if matches!(self.state, State::Beeping { .. }) {
            self.begin(now);
        }
    }

    /// The caller pressed a key.
    pub fn handle_digit(&mut self, now: Timestamp, key: char) {
        if matches!(self.state, State::Recording { .. }) && self.terms.terminators.contains(key) {
            self.stop(now, false);
        }
    }

    /// The caller began to speak, or fell silent.
    pub fn handle_speaking(&mut self, now: Timestamp, speaking: bool) {
        if let State::Recording {
            quiet, has_spoken, ..
        } = &mut self.state
        {
            *quiet = (!speaking).then_some(now);
            *has_spoken |= speaking;
        }
    }

    /// The recording is stored, or is not.
    pub fn handle_stored(&mut self, outcome: Taken) {
        if !matches!(self.state, State::Over) {
            self.state = State::Over;
            self.outputs.push_back(TakeOutput::Done(outcome));
        }
    }

    /// Time has passed; does nothing before [`Take::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        match self.state {
            State::Beeping { .. } => self.begin(now),
            State::Recording { has_spoken, .. } => {
                let is_silent = self.silent_at().is_some_and(|at| at <= now);
                self.stop(now, is_silent && !has_spoken);
            }
            State::Storing { .. } => {
                let why = "the disk did not answer in time".to_owned();
                self.handle_stored(Taken::Failed(why));
            }
            State::Over => {}
        }
    }

    /// When to call [`Take::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.state {
            State::Beeping { until } | State::Storing { until, .. } => Some(*until),
            State::Recording { began, .. } => {
                let longest = *began + self.terms.longest;
                Some(self.silent_at().map_or(longest, |at| at.min(longest)))
            }
            State::Over => None,
        }
    }

    /// The next thing wanted.
    pub fn poll_output(&mut self) -> Option<TakeOutput> {
        self.outputs.pop_front()
    }

    /// Whether he said nothing at all until the silence ended it.
    pub fn is_empty(&self) -> bool {
        matches!(self.state, State::Storing { is_empty: true, .. })
    }

    fn silent_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Recording { quiet, .. } => quiet.map(|since| since + self.terms.silence),
            _ => None,
        }
    }

    fn begin(&mut self, now: Timestamp) {
        self.outputs.push_back(TakeOutput::Begin);
        self.state = State::Recording {
            began: now,
            quiet: Some(now),
            has_spoken: false,
        };
    }

    fn stop(&mut self, now: Timestamp, is_empty: bool) {
        self.outputs.push_back(TakeOutput::Stop);
        self.state = State::Storing {
            until: now + PATIENCE,
            is_empty,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_millis(millis)
    }

    fn terms() -> TakeTerms {
        TakeTerms {
            longest: Duration::from_secs(60),
            silence: Duration::from_secs(5),
            terminators: "#".to_owned(),
            beep: true,
        }
    }

    /// The tone is over at 240 ms.
    fn recording() -> Take {
        let mut take = Take::start(terms(), at(0));
        let beep = TakeOutput::Play(vec![BEEP.to_owned()]);
        assert_eq!(take.poll_output(), Some(beep));
        take.handle_play_done(at(240));
        assert_eq!(take.poll_output(), Some(TakeOutput::Begin));
        take
    }

    #[test]
    fn nothing_is_recorded_before_the_tone_and_a_tone_whose_end_is_lost_ends_all_the_same() {
        let mut take = Take::start(terms(), at(0));
        take.poll_output();
        take.handle_digit(at(100), '#');
        assert_eq!(take.poll_output(), None);
        take.handle_timeout(at(2999));
        assert_eq!(take.poll_output(), None);
        take.handle_timeout(at(3000));
        assert_eq!(take.poll_output(), Some(TakeOutput::Begin));
    }

    #[test]
    fn a_key_that_ends_it_does_and_others_do_not() {
        let mut take = recording();
        take.handle_digit(at(2000), '5');
        assert_eq!(take.poll_output(), None);
        take.handle_digit(at(3000), '#');
        assert_eq!(take.poll_output(), Some(TakeOutput::Stop));
        assert!(!take.is_empty());
        let stored = Taken::Stored {
            length: Duration::from_millis(2760),
        };
        take.handle_stored(stored.clone());
        take.handle_stored(Taken::Failed("late".to_owned()));
        assert_eq!(take.poll_output(), Some(TakeOutput::Done(stored)));
        assert_eq!((take.poll_output(), take.poll_timeout()), (None, None));
    }

    #[test]
    fn silence_ends_it_counted_from_the_last_word() {
        let mut take = recording();
        take.handle_speaking(at(1000), true);
        assert_eq!(take.poll_timeout(), Some(at(60_240)));
        take.handle_speaking(at(9000), false);
        assert_eq!(take.poll_timeout(), Some(at(14_000)));
        take.handle_timeout(at(13_999));
        assert_eq!(take.poll_output(), None);
        take.handle_timeout(at(14_000));
        assert_eq!(take.poll_output(), Some(TakeOutput::Stop));
        assert!(!take.is_empty());
    }

    #[test]
    fn who_says_nothing_leaves_nothing() {
        let mut take = recording();
        take.handle_timeout(at(5240));
        assert_eq!(take.poll_output(), Some(TakeOutput::Stop));
        assert!(take.is_empty());
    }

    #[test]
    fn who_never_stops_is_stopped_and_a_disk_that_does_not_answer_has_not_stored_it() {
        let mut take = recording();
        take.handle_speaking(at(300), true);
        take.handle_timeout(at(60_239));
        assert_eq!(take.poll_output(), None);
        take.handle_timeout(at(60_240));
        assert_eq!(take.poll_output(), Some(TakeOutput::Stop));
        take.handle_timeout(at(75_240));
        let done = take.poll_output();
        assert!(matches!(done, Some(TakeOutput::Done(Taken::Failed(_)))));
    }
}
