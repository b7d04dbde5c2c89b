//! The document: named steps, each with where to go next.

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::Cause;
use crate::ivr::{Accept, BargeIn, Question};
use crate::router::Destination;

/// The step every document has without writing it: hang up normally.
pub const HANG_UP: &str = "hangup";

/// One flow as written, complete and immutable; calls share it and keep the one they began with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Name of the flow, unique in the office.
    pub name: String,
    /// Step a caller begins with.
    pub start: String,
    /// Attributes every call of this flow has from the start.
    pub attributes: Map<String, Value>,
    /// Steps by name, in the order written.
    pub steps: IndexMap<String, Step>,
}

/// One step. Everything that names a step may also name [`HANG_UP`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Step {
    /// Take digits into an attribute.
    Collect(Collecting),
    /// Call a number and join the caller with it.
    Dial(Dialling),
    /// End the call.
    Hangup {
        /// What the caller's side is told.
        cause: Rejection,
    },
    /// Ask and go where the answer says.
    Menu(Menu),
    /// Say something.
    Play(Speech),
    /// Stand in a queue until an agent answers.
    Queue(Queueing),
    /// Set attributes of the call.
    Set {
        /// Names and values; they replace earlier ones of the same name.
        attributes: Map<String, Value>,
        /// Step after it.
        next: String,
    },
}

/// Sounds one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speech {
    /// Names of sounds.
    pub sounds: Vec<String>,
    /// Whether a key stops it; the key then counts for the next question.
    pub barge_in: BargeIn,
    /// Step after it.
    pub next: String,
}

/// How a question is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Patience {
    /// Sounds of the question.
    pub prompt: Vec<String>,
    /// What a key during the prompt does.
    pub barge_in: BargeIn,
    /// Silence allowed before the first key.
    pub timeout: Duration,
    /// Silence allowed between keys.
    pub digit_timeout: Duration,
    /// How often to ask in all, at least 1.
    pub tries: u32,
    /// Said before asking again after silence.
    pub no_input: Vec<String>,
    /// Said before asking again after a wrong answer.
    pub no_match: Vec<String>,
    /// Step when every try failed.
    pub failed: String,
}

/// A question with known answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Menu {
    /// How it is asked.
    #[serde(flatten)]
    pub patience: Patience,
    /// Step by answer (one or more keys).
    pub choices: IndexMap<String, String>,
}

/// A question whose answer is a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collecting {
    /// How it is asked.
    #[serde(flatten)]
    pub patience: Patience,
    /// Fewest digits.
    pub min: usize,
    /// Most digits.
    pub max: usize,
    /// Keys that end the number.
    pub terminators: String,
    /// Attribute that takes the number, as text; a secret one as so many `*`.
    pub into: String,
    /// What is pressed and said is kept out of recordings, records, logs, traces, captures and the
    /// journal.
    #[serde(default)]
    pub secure: bool,
    /// Step after it.
    pub next: String,
}

/// A stand in a queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queueing {
    /// Queue, or the workflow that leads into queues.
    #[serde(flatten)]
    pub to: Destination,
    /// Attributes set on the way in.
    pub attributes: Map<String, Value>,
    /// Higher is served first.
    pub priority: i64,
    /// Step when nobody can ever take the call.
    pub nobody: String,
    /// Step when the longest wait is over.
    pub timeout: String,
    /// Step when the agent hung up and the caller is still there.
    pub after: String,
}

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

/// How a flow ends a call: as the status an unanswered caller gets, and the same cause after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// 486.
    Busy,
    /// 603.
    Declined,
    /// 404.
    NotFound,
    /// A normal end; 480 when the call was never answered.
    Normal,
    /// 480.
    Unavailable,
}

impl Rejection {
    /// Every word a document may use, with its meaning.
    pub const WORDS: [(&'static str, Rejection); 5] = [
        ("busy", Rejection::Busy),
        ("declined", Rejection::Declined),
        ("normal", Rejection::Normal),
        ("not_found", Rejection::NotFound),
        ("unavailable", Rejection::Unavailable),
    ];

    /// The cause to end an answered call with.
    pub fn cause(self) -> Cause {
        match self {
            Self::Busy => Cause::from_status(486),
            Self::Declined => Cause::from_status(603),
            Self::NotFound => Cause::from_status(404),
            Self::Normal => Cause::normal(),
            Self::Unavailable => Cause::from_status(480),
        }
    }

    /// The cause to refuse a call with that was never answered: never a success.
    pub fn refusal(self) -> Cause {
        match self {
            Self::Normal => Self::Unavailable.cause(),
            other => other.cause(),
        }
    }
}

impl Document {
    /// Every sound the document names, with where.
    pub fn sounds(&self) -> impl Iterator<Item = (super::Spot, &str)> {
        self.steps.iter().flat_map(|(name, step)| {
            let lists: Vec<(&'static str, &Vec<String>)> = match step {
                Step::Play(speech) => vec![("sounds", &speech.sounds)],
                Step::Menu(Menu { patience, .. }) | Step::Collect(Collecting { patience, .. }) => {
                    vec![
                        ("prompt", &patience.prompt),
                        ("no_input", &patience.no_input),
                        ("no_match", &patience.no_match),
                    ]
                }
                _ => Vec::new(),
            };
            lists.into_iter().flat_map(move |(key, sounds)| {
                let spot = move |index| super::Spot::item(name, key, index);
                let named = sounds.iter().enumerate();
                named.map(move |(index, sound)| (spot(index), sound.as_str()))
            })
        })
    }

    /// Every queue the document names, with where.
    pub fn queues(&self) -> impl Iterator<Item = (super::Spot, &str)> {
        self.destinations().filter_map(|(name, to)| match to {
            Destination::Queue(queue) => Some((super::Spot::key(name, "queue"), queue.as_str())),
            Destination::Workflow(_) => None,
        })
    }

    /// Every workflow the document names, with where.
    pub fn workflows(&self) -> impl Iterator<Item = (super::Spot, &str)> {
        self.destinations().filter_map(|(name, to)| match to {
            Destination::Queue(_) => None,
            Destination::Workflow(workflow) => {
                Some((super::Spot::key(name, "workflow"), workflow.as_str()))
            }
        })
    }

    fn destinations(&self) -> impl Iterator<Item = (&str, &Destination)> {
        self.steps.iter().filter_map(|(name, step)| match step {
            Step::Queue(queueing) => Some((name.as_str(), &queueing.to)),
            _ => None,
        })
    }

    /// Every number the document dials, with where.
    pub fn numbers(&self) -> impl Iterator<Item = (super::Spot, &str)> {
        self.steps.iter().filter_map(|(name, step)| match step {
            Step::Dial(dialling) => {
                Some((super::Spot::key(name, "number"), dialling.number.as_str()))
            }
            _ => None,
        })
    }
}

impl Menu {
    pub(super) fn question(&self) -> Question {
        let answers = self.choices.keys().cloned().collect();
        self.patience.question(Accept::OneOf(answers), "")
    }
}

impl Collecting {
    pub(super) fn question(&self) -> Question {
        let accept = Accept::Digits {
            min: self.min,
            max: self.max,
        };
        Question {
            secure: self.secure,
            ..self.patience.question(accept, &self.terminators)
        }
    }
}

impl Patience {
    fn question(&self, accept: Accept, terminators: &str) -> Question {
        Question {
            prompt: self.prompt.clone(),
            barge_in: self.barge_in,
            accept,
            terminators: terminators.chars().collect(),
            first_digit: self.timeout,
            inter_digit: self.digit_timeout,
            tries: self.tries,
            no_input: self.no_input.clone(),
            no_match: self.no_match.clone(),
            secure: false,
        }
    }
}

impl Step {
    /// Every step this one may lead to, with the key that says so.
    pub(super) fn exits<'a>(&'a self, name: &str) -> Vec<(super::Spot, &'a str)> {
        let key = |key: &'static str| super::Spot::key(name, key);
        match self {
            Step::Collect(collecting) => vec![
                (key("next"), &collecting.next),
                (key("failed"), &collecting.patience.failed),
            ],
            Step::Dial(dialling) => vec![
                (key("failed"), &dialling.failed),
                (key("after"), &dialling.after),
            ],
            Step::Hangup { .. } => Vec::new(),
            Step::Menu(menu) => {
                let choices = menu.choices.iter();
                let mut exits: Vec<(super::Spot, &str)> = choices
                    .map(|(keys, to)| (super::Spot::target(name, keys), to.as_str()))
                    .collect();
                exits.push((key("failed"), &menu.patience.failed));
                exits
            }
            Step::Play(speech) => vec![(key("next"), &speech.next)],
            Step::Queue(queueing) => vec![
                (key("nobody"), &queueing.nobody),
                (key("timeout"), &queueing.timeout),
                (key("after"), &queueing.after),
            ],
            Step::Set { next, .. } => vec![(key("next"), next)],
        }
    }

    /// Whether the step takes no time, so that a ring of such steps would never end.
    pub(super) fn is_instant(&self) -> bool {
        match self {
            Step::Set { .. } => true,
            Step::Play(speech) => speech.sounds.is_empty(),
            _ => false,
        }
    }
}
