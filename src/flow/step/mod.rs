//! The kinds of steps: what each says, what it names, and what it does with a caller. One file a
//! kind or small family, and one line in [`Step`] and its table.

mod ask;
mod dial;
mod hangup;
mod play;
mod queue;
mod set;

use serde::{Deserialize, Serialize};

pub use ask::{Collecting, Menu, Patience};
pub use dial::Dialling;
pub use hangup::{HangingUp, Rejection};
pub use play::Speech;
pub use queue::Queueing;
pub use set::Setting;

use super::Spot;
use super::check::{Fault, Part};
use super::run::{DialOutcome, QueueOutcome, Run};
use crate::base::Timestamp;
use crate::ivr::Answer;

/// One step. Everything that names a step may also name [`super::HANG_UP`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Step {
    /// Take digits into an attribute.
    Collect(Collecting),
    /// Call a number and join the caller with it.
    Dial(Dialling),
    /// End the call.
    Hangup(HangingUp),
    /// Ask and go where the answer says.
    Menu(Menu),
    /// Say something.
    Play(Speech),
    /// Stand in a queue until an agent answers.
    Queue(Queueing),
    /// Set attributes of the call.
    Set(Setting),
}

/// What a step names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mention<'a> {
    /// A number to dial.
    Number(&'a str),
    /// A queue.
    Queue(&'a str),
    /// A sound.
    Sound(&'a str),
    /// Another step, to go to.
    Step(&'a str),
    /// A workflow.
    Workflow(&'a str),
}

/// Who is told what a step names: the key that names it, which part of its value, and what.
pub(super) type See<'s, 'a> = &'s mut dyn FnMut(&'static str, Part, Mention<'a>);

/// What becomes of a caller in a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Turn {
    /// The call ends.
    End(Rejection),
    /// On to another step.
    Go(String),
    /// He stays; the run's position says in what.
    Stay,
}

/// What a step hears that waits for something.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// The question was answered, or failed.
    Answer(Answer),
    /// The dialled number has its result.
    Dial(DialOutcome),
    /// What played is over.
    PlayDone,
    /// The stand in the queue has its result.
    Queue(QueueOutcome),
    /// The party the caller talked with hung up.
    TalkEnded,
}

/// What every kind of step can do.
pub(super) trait Kind {
    /// Tells everything the step names.
    fn mentions<'a>(&'a self, see: See<'_, 'a>);

    /// What is wrong with the step by itself.
    fn faults(&self, _step: &str) -> Vec<Fault> {
        Vec::new()
    }

    /// Whether the step takes no time, so that a ring of such steps would never end.
    fn is_instant(&self) -> bool {
        false
    }

    /// A caller comes to the step `at`.
    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn;

    /// Something happened that the step waits for.
    fn hear(&self, _run: &mut Run, _now: Timestamp, _at: &str, _heard: Heard) -> Turn {
        Turn::Stay
    }
}

impl Step {
    /// The table of kinds.
    pub(super) fn kind(&self) -> &dyn Kind {
        match self {
            Self::Collect(collecting) => collecting,
            Self::Dial(dialling) => dialling,
            Self::Hangup(hanging_up) => hanging_up,
            Self::Menu(menu) => menu,
            Self::Play(speech) => speech,
            Self::Queue(queueing) => queueing,
            Self::Set(setting) => setting,
        }
    }

    /// Everything the step of this name names, with where.
    pub(super) fn mentions(&self, name: &str) -> Vec<(Spot, Mention<'_>)> {
        let mut mentions = Vec::new();
        self.kind().mentions(&mut |key, part, mention| {
            let spot = Spot {
                part,
                ..Spot::key(name, key)
            };
            mentions.push((spot, mention));
        });
        mentions
    }

    /// Every step this one may lead to, with where it says so.
    pub(super) fn exits(&self, name: &str) -> Vec<(Spot, &str)> {
        let mentions = self.mentions(name).into_iter();
        mentions
            .filter_map(|(spot, mention)| match mention {
                Mention::Step(step) => Some((spot, step)),
                _ => None,
            })
            .collect()
    }
}

/// Tells sounds in a row.
fn see_sounds<'a>(key: &'static str, sounds: &'a [String], see: See<'_, 'a>) {
    for (index, sound) in sounds.iter().enumerate() {
        see(key, Part::Item(index), Mention::Sound(sound));
    }
}
