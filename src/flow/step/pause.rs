//! `pause`: nothing happens for a while.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Heard, Kind, Mention, Part, Run, See, Turn};
use crate::base::Timestamp;
use crate::flow::run::Position;

/// A pause. Keys pressed in it count for the next question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pausing {
    /// How long.
    pub length: Duration,
    /// Step after it.
    pub next: String,
}

impl Kind for Pausing {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("next", Part::Whole, Mention::Step(&self.next));
    }

    fn is_instant(&self) -> bool {
        self.length.is_zero()
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        if self.length.is_zero() {
            return Turn::Go(self.next.clone());
        }
        run.wait_until(now + self.length);
        run.stay(Position::Pausing {
            step: at.to_owned(),
        })
    }

    fn hear(&self, _run: &mut Run, _now: Timestamp, _at: &str, heard: Heard) -> Turn {
        match heard {
            Heard::PauseOver => Turn::Go(self.next.clone()),
            _ => Turn::Stay,
        }
    }
}
