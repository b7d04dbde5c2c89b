//! `play`: sounds one after the other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Heard, Kind, Mention, Part, Run, See, Turn, see_sounds};
use crate::base::Timestamp;
use crate::ivr::BargeIn;

/// Sounds one after the other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Speech {
    /// Names of sounds.
    pub sounds: Vec<String>,
    /// Whether the dialled number's own greeting is played instead, where it has one.
    #[serde(default)]
    pub greeting: bool,
    /// Whether a key stops it; the key then counts for the next question.
    pub barge_in: BargeIn,
    /// Step after it.
    pub next: String,
}

/// Longest an announcement may go on before its end is taken for lost.
pub(super) const PLAY_LIMIT: Duration = Duration::from_secs(600);

impl Kind for Speech {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see_sounds("sounds", &self.sounds, see);
        see("next", Part::Whole, Mention::Step(&self.next));
    }

    fn is_instant(&self) -> bool {
        self.sounds.is_empty()
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        let own = run.greeting().filter(|_| self.greeting);
        let sounds = own.unwrap_or(&self.sounds).to_vec();
        if sounds.is_empty() || run.passes_over(at, self.barge_in) {
            return Turn::Go(self.next.clone());
        }
        run.speak(now, at, sounds, self.barge_in, PLAY_LIMIT);
        Turn::Stay
    }

    fn hear(&self, _run: &mut Run, _now: Timestamp, _at: &str, heard: Heard) -> Turn {
        match heard {
            Heard::PlayDone => Turn::Go(self.next.clone()),
            _ => Turn::Stay,
        }
    }
}
