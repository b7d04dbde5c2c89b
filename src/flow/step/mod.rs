//! The kinds of steps: what each says, what it names, and what it does with a caller. One file a
//! kind or small family, and one line in [`Step`] and its table.

mod ask;
mod branch;
mod conference;
mod dial;
mod figures;
mod hangup;
mod hours;
mod http;
mod language;
mod leave;
mod pause;
mod play;
mod queue;
mod record;
mod say;
mod set;
mod subflow;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use ask::{Collecting, Confirmation, Menu, Patience};
pub use branch::{Branching, Case, Looping, Share, Splitting};
pub use conference::Conferring;
pub use dial::{DialOrder, Dialling};
pub use figures::Watching;
pub use hangup::{HangingUp, Rejection};
pub use hours::Opening;
pub use http::{Fetching, LookingUp, Merge};
pub use language::Speaking;
pub use leave::Leaving;
pub use pause::Pausing;
pub use play::Speech;
pub use queue::Queueing;
pub use record::{Messaging, Recording};
pub use say::{Sayable, Saying};
pub use set::Setting;
pub use subflow::{Calling, Returning};

use super::check::{Fault, Part};
use super::request::Reply;
use super::run::{DialOutcome, QueueOutcome, Run};
use super::template::templates_in;
use super::{Condition, Spot, Template};
use crate::base::Timestamp;
use crate::ivr::Answer;

/// One step. Everything that names a step may also name [`super::HANG_UP`] or [`super::RETURN`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Step {
    /// Go where the first condition that holds says.
    Branch(Branching),
    /// Take digits into an attribute.
    Collect(Collecting),
    /// Join others in a room.
    Conference(Conferring),
    /// Call a number and join the caller with it.
    Dial(Dialling),
    /// Go through another flow and come back.
    Flow(Calling),
    /// End the call.
    Hangup(HangingUp),
    /// Go where the calendar says.
    Hours(Opening),
    /// Ask an endpoint.
    Http(Fetching),
    /// Speak another language.
    Language(Speaking),
    /// Leave the queue.
    Leave(Leaving),
    /// Look something up in a table.
    Lookup(LookingUp),
    /// Go a way so many times.
    Loop(Looping),
    /// Ask and go where the answer says.
    Menu(Menu),
    /// Do nothing for a while.
    Pause(Pausing),
    /// Say something.
    Play(Speech),
    /// Stand in a queue until an agent answers.
    Queue(Queueing),
    /// Go where the figures of a queue say.
    QueueStatus(Watching),
    /// Record what the caller says.
    Record(Recording),
    /// Go back to the flow this one is a part of.
    Return(Returning),
    /// Read something out.
    Say(Saying),
    /// Set attributes of the call.
    Set(Setting),
    /// Go where chance says.
    Split(Splitting),
    /// Go where the figures of a queue's agents say.
    Staffing(Watching),
    /// Call a number and be done with the call.
    Transfer(Dialling),
    /// Take a message.
    Voicemail(Messaging),
}

/// What a step names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mention<'a> {
    /// A calendar.
    Calendar(&'a str),
    /// A condition on the call.
    Condition(&'a Condition),
    /// An endpoint.
    Endpoint(&'a str),
    /// A flow that becomes part of this one.
    Flow(&'a str),
    /// A mailbox.
    Mailbox(&'a str),
    /// A number to dial.
    Number(&'a Template),
    /// A queue.
    Queue(&'a str),
    /// An attribute that is set.
    Sets(&'a str),
    /// A sound.
    Sound(&'a str),
    /// Another step, to go to.
    Step(&'a str),
    /// Another step, to go to when something failed.
    StepOnError(&'a str),
    /// A table.
    Table(&'a str),
    /// A text that is filled in.
    Text(&'a str),
    /// A voice.
    Voice(&'a str),
    /// A flow that whoever is called hears first.
    Whisper(&'a str),
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
    /// Whether the answer is right was answered: the answer, and what was said of it.
    Confirmed(String, Answer),
    /// The dialled number has its result.
    Dial(DialOutcome),
    /// The pause is over.
    PauseOver,
    /// What played is over.
    PlayDone,
    /// The stand in the queue has its result.
    Queue(QueueOutcome),
    /// Who was asked has replied, or did not in time.
    Reply(Reply),
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

    /// What the switch cannot do for it yet.
    fn unavailable(&self, _step: &str) -> Vec<Fault> {
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
            Self::Branch(step) => step,
            Self::Collect(step) => step,
            Self::Conference(step) => step,
            Self::Dial(step) | Self::Transfer(step) => step,
            Self::Flow(step) => step,
            Self::Hangup(step) => step,
            Self::Hours(step) => step,
            Self::Http(step) => step,
            Self::Language(step) => step,
            Self::Leave(step) => step,
            Self::Lookup(step) => step,
            Self::Loop(step) => step,
            Self::Menu(step) => step,
            Self::Pause(step) => step,
            Self::Play(step) => step,
            Self::Queue(step) => step,
            Self::QueueStatus(step) | Self::Staffing(step) => step,
            Self::Record(step) => step,
            Self::Return(step) => step,
            Self::Say(step) => step,
            Self::Set(step) => step,
            Self::Split(step) => step,
            Self::Voicemail(step) => step,
        }
    }

    /// The word a document has for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Branch(_) => "branch",
            Self::Collect(_) => "collect",
            Self::Conference(_) => "conference",
            Self::Dial(_) => "dial",
            Self::Flow(_) => "flow",
            Self::Hangup(_) => "hangup",
            Self::Hours(_) => "hours",
            Self::Http(_) => "http",
            Self::Language(_) => "language",
            Self::Leave(_) => "leave",
            Self::Lookup(_) => "lookup",
            Self::Loop(_) => "loop",
            Self::Menu(_) => "menu",
            Self::Pause(_) => "pause",
            Self::Play(_) => "play",
            Self::Queue(_) => "queue",
            Self::QueueStatus(_) => "queue_status",
            Self::Record(_) => "record",
            Self::Return(_) => "return",
            Self::Say(_) => "say",
            Self::Set(_) => "set",
            Self::Split(_) => "split",
            Self::Staffing(_) => "staffing",
            Self::Transfer(_) => "transfer",
            Self::Voicemail(_) => "voicemail",
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
                Mention::Step(step) | Mention::StepOnError(step) => Some((spot, step)),
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

/// Tells the step of a failure.
fn see_error<'a>(error: Option<&'a str>, see: See<'_, 'a>) {
    // Without one the document's own is meant; the checker looks for it.
    let step = error.unwrap_or_default();
    see("error", Part::Whole, Mention::StepOnError(step));
}

/// Tells the texts of a table that are filled in.
fn see_values<'a>(key: &'static str, values: &'a Map<String, Value>, see: See<'_, 'a>) {
    for (name, value) in values {
        let mut tell = |text| see(key, Part::Target(name.clone()), Mention::Text(text));
        templates_in(value, &mut tell);
    }
}

/// Tells the attributes that a table sets.
fn see_sets<'a>(key: &'static str, values: &'a Map<String, Value>, see: See<'_, 'a>) {
    for name in values.keys() {
        see(key, Part::Answer(name.clone()), Mention::Sets(name));
    }
}

/// Longest that what the switch itself knows may take to be told.
const AT_ONCE: Duration = Duration::from_secs(2);
