//! `dial`: a call to a number.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Heard, Kind, Mention, Part, Run, See, Turn};
use crate::base::Timestamp;
use crate::flow::run::{Action, DialOutcome, Position};

/// A call to a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dialling {
    /// Number, as a phone would dial it.
    pub number: String,
    /// How long it may ring.
    pub ring_timeout: Duration,
    /// Step when it is busy, silent or fails.
    pub failed: String,
    /// Step when the called party hung up and the caller is still there.
    pub after: String,
}

impl Kind for Dialling {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("number", Part::Whole, Mention::Number(&self.number));
        see("failed", Part::Whole, Mention::Step(&self.failed));
        see("after", Part::Whole, Mention::Step(&self.after));
    }

    fn enter(&self, run: &mut Run, _now: Timestamp, at: &str) -> Turn {
        run.forget_keys();
        run.push(Action::Dial {
            number: self.number.clone(),
            ring_timeout: self.ring_timeout,
        });
        run.stay(Position::Dialling {
            step: at.to_owned(),
        })
    }

    fn hear(&self, run: &mut Run, _now: Timestamp, at: &str, heard: Heard) -> Turn {
        match heard {
            Heard::Dial(DialOutcome::Answered) => {
                run.was_answered();
                run.stay(Position::Talking {
                    step: at.to_owned(),
                })
            }
            Heard::Dial(DialOutcome::Failed) => Turn::Go(self.failed.clone()),
            Heard::TalkEnded => Turn::Go(self.after.clone()),
            _ => Turn::Stay,
        }
    }
}
