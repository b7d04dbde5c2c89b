//! The line a caller stands in: music, the place announced, how long one waits.
//!
//! A machine of its own for every waiting caller: it knows no queue and no phone, it only says
//! what should be heard and when the caller has waited enough.

mod line;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use line::Line;

/// What callers of one queue hear while they wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LineConfig {
    /// Music, looped from its start after every announcement.
    pub music: String,
    /// First announcement of the place, counted from entering. `None`: never any.
    pub first_announce: Option<Duration>,
    /// Pause from the end of one announcement to the next. `None`: only the first.
    pub announce_position_every: Option<Duration>,
    /// Longest wait. `None`: without end.
    pub max_wait: Option<Duration>,
    /// Language of the announcements, such as `ja`; the caller of this room finds the sounds.
    pub language: Option<String>,
    /// Sounds before the number.
    pub before_number: Vec<String>,
    /// Start of the name of a number's sound: `number-` for `number-1`, `number-2`, ...
    pub number_prefix: String,
    /// Sounds after the number.
    pub after_number: Vec<String>,
    /// Highest number that has a sound.
    pub largest_number: usize,
    /// Sounds for a place beyond [`LineConfig::largest_number`]; empty: no announcement.
    pub many: Vec<String>,
    /// Sound before the caller leaves because nobody can take the call. `None`: leaves at once.
    pub nobody_sound: Option<String>,
}

/// What should happen to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Play these sounds once, in place of the music, and tell `play_done`.
    Announce(Vec<String>),
    /// Play this music in a loop, in place of whatever plays.
    Music(String),
    /// Take the caller out of the queue.
    Leave(LeaveWhy),
}

/// Why a caller leaves the line without having been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveWhy {
    /// Has waited as long as one may.
    MaxWait,
    /// Nobody can take the call.
    Nobody,
}

impl Default for LineConfig {
    fn default() -> Self {
        Self {
            music: "music".to_owned(),
            first_announce: Some(Duration::from_secs(10)),
            announce_position_every: Some(Duration::from_secs(30)),
            max_wait: None,
            language: None,
            before_number: vec!["queue-position".to_owned()],
            number_prefix: "number-".to_owned(),
            after_number: Vec::new(),
            largest_number: 20,
            many: Vec::new(),
            nobody_sound: None,
        }
    }
}

impl LineConfig {
    /// Every sound a caller may hear, for a check that all exist.
    pub fn sounds(&self) -> Vec<String> {
        let mut sounds = vec![self.music.clone()];
        sounds.extend(self.nobody_sound.clone());
        if self.first_announce.is_some() {
            sounds.extend(self.before_number.iter().cloned());
            sounds.extend((1..=self.largest_number).map(|n| self.number(n)));
            sounds.extend(self.after_number.iter().cloned());
            sounds.extend(self.many.iter().cloned());
        }
        sounds
    }

    /// What is played for a place in line; `None` when there are no sounds for it.
    fn announcement(&self, position: usize) -> Option<Vec<String>> {
        if position == 0 || position > self.largest_number {
            return (!self.many.is_empty()).then(|| self.many.clone());
        }
        let mut sounds = self.before_number.clone();
        sounds.push(self.number(position));
        sounds.extend(self.after_number.iter().cloned());
        Some(sounds)
    }

    fn number(&self, number: usize) -> String {
        format!("{}{number}", self.number_prefix)
    }
}
