//! What a flow asks outside, and what it is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::calendar::Reason;
use crate::webhook::Shape;

/// A question to somebody else. It has a budget: past it the flow goes on by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Whether it is open; [`Reply::Hours`].
    Hours {
        /// Calendar; `None` for the queue's, or the dialled number's own.
        calendar: Option<String>,
        /// Queue whose calendar it is.
        #[serde(default)]
        queue: Option<String>,
    },
    /// Ask an endpoint over HTTP; [`Reply::Data`].
    Http {
        /// Endpoint of the configuration.
        endpoint: String,
        /// What it is sent.
        parameters: Map<String, Value>,
        /// In which shape.
        #[serde(default)]
        shape: Shape,
        /// Longest it may take.
        budget: Duration,
    },
    /// Look a key up in a table; [`Reply::Data`], an object, empty when the key is not there.
    Lookup {
        /// Table of the configuration.
        table: String,
        /// Key.
        key: String,
    },
    /// How a queue is; [`Reply::Queue`].
    Queue {
        /// Queue.
        queue: String,
    },
    /// Record what the caller says; [`Reply::Recorded`].
    Record(RecordTerms),
    /// Have a text said by a voice; [`Reply::Said`].
    Say {
        /// Text.
        text: String,
        /// Voice of the configuration; the first of the language when `None`.
        voice: Option<String>,
        /// Language (BCP 47) it is in.
        language: String,
    },
    /// Take a message for a mailbox; [`Reply::Recorded`].
    Voicemail {
        /// Mailbox.
        mailbox: String,
        /// How it is recorded.
        terms: RecordTerms,
        /// Whether the flow has said a greeting; else the mailbox says its own.
        #[serde(default)]
        is_greeted: bool,
    },
}

/// How something the caller says is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordTerms {
    /// Longest it may be.
    pub longest: Duration,
    /// Silence that ends it.
    pub silence: Duration,
    /// Keys that end it.
    pub terminators: String,
    /// Whether a beep says that it begins.
    pub beep: bool,
}

/// What comes of a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// What an endpoint or a table said.
    Data(Value),
    /// Nothing came of it, and why.
    Failed(String),
    /// Open or closed.
    Hours {
        /// Whether it is open.
        open: bool,
        /// The rule that decided: its kind, its name if it has one, and where it is written.
        why: String,
    },
    /// How a queue is.
    Queue(QueueFigures),
    /// A text can be heard.
    Said {
        /// Name of the sound.
        sound: String,
    },
    /// Something was recorded.
    Recorded {
        /// Its name.
        name: String,
        /// Length.
        length: Duration,
    },
}

impl Reply {
    /// What the step `hours` is told: by the calendar that it names, else by that of its queue.
    /// `ask` knows what a calendar says, and `None` where there is none of that name.
    /// [`Reply::Failed`] when there is nothing to be asked.
    pub(crate) fn hours(
        calendar: Option<&str>,
        (queue, of_queue): (Option<&str>, Option<&str>),
        ask: impl FnOnce(&str) -> Option<(bool, Reason)>,
    ) -> Self {
        let Some(name) = calendar.or(of_queue) else {
            return Self::Failed(match queue {
                Some(queue) => format!("queue \"{queue}\" has no calendar"),
                None => "the dialled number has no calendar".to_owned(),
            });
        };
        let Some((open, reason)) = ask(name) else {
            return Self::Failed(format!("there is no calendar \"{name}\""));
        };
        let (layer, spot) = (reason.layer.as_str(), &reason.spot);
        let why = match &reason.name {
            Some(name) => format!("{layer}: {}, {spot}", name.english),
            None => format!("{layer}, {spot}"),
        };
        Self::Hours { open, why }
    }
}

/// A queue at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueFigures {
    /// Callers in line.
    pub waiting: u64,
    /// How long the first of them waits, seconds.
    pub oldest_wait: u64,
    /// Its agents who could take a call at once.
    pub available: u64,
    /// Its agents on duty: reachable and in an available activity, busy ones too.
    pub staffed: u64,
    /// Its agents who are reachable, whatever they are at.
    pub online: u64,
}

impl QueueFigures {
    /// Names of the figures, as conditions and texts see them behind `queue.`.
    pub const NAMES: [&'static str; 5] =
        ["available", "oldest_wait", "online", "staffed", "waiting"];
}
