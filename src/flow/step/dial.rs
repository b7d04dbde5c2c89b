//! `dial`: a call to a number; `transfer`: the same, and the flow has nothing more to say.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Heard, Kind, Mention, Part, Run, See, Turn};
use crate::base::Timestamp;
use crate::flow::run::{Action, DialOutcome, Position};
use crate::flow::{HANG_UP, Template};

/// A call to a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dialling {
    /// Number, as a phone would dial it.
    pub number: Template,
    /// How long it may ring.
    pub ring_timeout: Duration,
    /// Step when it is busy, silent or fails.
    pub failed: String,
    /// Step when the called party hung up and the caller is still there.
    pub after: String,
}

/// A call that is handed over: when the other party hangs up it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transferring {
    /// Number, as a phone would dial it.
    pub number: Template,
    /// How long it may ring.
    pub ring_timeout: Duration,
    /// Step when it is busy, silent or fails.
    pub failed: String,
}

impl Kind for Dialling {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("number", Part::Whole, Mention::Number(&self.number));
        see("failed", Part::Whole, Mention::Step(&self.failed));
        see("after", Part::Whole, Mention::Step(&self.after));
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        dial(run, now, at, &self.number, self.ring_timeout)
    }

    fn hear(&self, run: &mut Run, _now: Timestamp, at: &str, heard: Heard) -> Turn {
        hear(run, at, &heard, (&self.failed, &self.after))
    }
}

impl Kind for Transferring {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("number", Part::Whole, Mention::Number(&self.number));
        see("failed", Part::Whole, Mention::Step(&self.failed));
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        dial(run, now, at, &self.number, self.ring_timeout)
    }

    fn hear(&self, run: &mut Run, _now: Timestamp, at: &str, heard: Heard) -> Turn {
        hear(run, at, &heard, (&self.failed, HANG_UP))
    }
}

fn dial(
    run: &mut Run,
    now: Timestamp,
    at: &str,
    number: &Template,
    ring_timeout: Duration,
) -> Turn {
    run.forget_keys();
    run.push(Action::Dial {
        number: run.fill_in(now, number),
        ring_timeout,
    });
    run.stay(Position::Dialling {
        step: at.to_owned(),
    })
}

fn hear(run: &mut Run, at: &str, heard: &Heard, (failed, after): (&str, &str)) -> Turn {
    match heard {
        Heard::Dial(DialOutcome::Answered) => {
            run.was_answered();
            run.stay(Position::Talking {
                step: at.to_owned(),
            })
        }
        Heard::Dial(DialOutcome::Failed) => Turn::Go(failed.to_owned()),
        Heard::TalkEnded => Turn::Go(after.to_owned()),
        _ => Turn::Stay,
    }
}
