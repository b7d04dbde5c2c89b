//! `conference`: into a room with others, to the end of the call.

use serde::{Deserialize, Serialize};

use super::{Kind, Mention, Part, Run, See, Turn};
use crate::base::Timestamp;
use crate::flow::Template;
use crate::flow::run::{Action, Position};

/// A shared room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conferring {
    /// Its number: who comes to the same number meets.
    pub room: Template,
}

impl Kind for Conferring {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("room", Part::Whole, Mention::Text(self.room.text()));
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        let room = run.fill_in(now, &self.room);
        if room.trim().is_empty() {
            return Turn::End(super::Rejection::NotFound);
        }
        run.answer();
        run.forget_keys();
        run.push(Action::Conference { room });
        run.stay(Position::Talking {
            step: at.to_owned(),
        })
    }

    fn hear(&self, _run: &mut Run, _now: Timestamp, _at: &str, heard: super::Heard) -> Turn {
        match heard {
            super::Heard::TalkEnded => Turn::Go(crate::flow::HANG_UP.to_owned()),
            _ => Turn::Stay,
        }
    }
}
