//! What a run wants done, and what it is told.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::{Cause, Timestamp};
use crate::flow::document::Document;
use crate::flow::request::{Reply, Request};
use crate::flow::step::DialOrder;
use crate::flow::whisper::Whisper;
use crate::router::Destination;
use crate::webhook::Method;

/// What is known about the call when its flow begins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// Caller's number, normalised.
    pub from: String,
    /// Caller's name, when it is known and not withheld.
    #[serde(default)]
    pub from_name: Option<String>,
    /// Number that led to the flow, normalised.
    pub to: String,
    /// Trunk the call came in by.
    pub trunk: Option<String>,
    /// Attributes of the number; they outrank the document's.
    pub attributes: Map<String, Value>,
    /// Calendar of the number that led to the flow.
    #[serde(default)]
    pub calendar: Option<String>,
    /// Sounds that greet callers of that number, in place of the flow's own.
    #[serde(default)]
    pub greeting: Vec<String>,
    /// What an agent hears before he is joined with a caller of that number.
    #[serde(default)]
    pub whisper: Option<Whisper>,
    /// Language (BCP 47) of a caller who has no attribute `language`.
    #[serde(default)]
    pub language: String,
    /// The logical call; empty where there is none.
    #[serde(default)]
    pub id: String,
    /// When it began.
    #[serde(default)]
    pub started: Timestamp,
    /// What chance is drawn from: the same seed draws the same.
    #[serde(default)]
    pub seed: u64,
}

/// What the run wants done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Answer the call; asked once, before anything is to be heard.
    Answer,
    /// Let the documents of a web application say what becomes of the caller, for the rest of the
    /// call; nothing need be reported.
    Application(Box<Application>),
    /// Join others in a shared room, for the rest of the call; nothing need be reported.
    Conference {
        /// The room's number.
        room: String,
    },
    /// Ask somebody outside; report [`Input::Told`] with the same number. Nobody need be told that
    /// the flow no longer wants to know: a late reply is ignored.
    Consult {
        /// Number of this request, rising within the run.
        request: u64,
        /// What is asked.
        about: Request,
    },
    /// The caller came to a step: for the record.
    Enter {
        /// Flow the step is of.
        flow: String,
        /// Step.
        step: String,
    },
    /// Play these sounds one after the other; report [`Input::PlayDone`] with the same number.
    Play {
        /// Number of this request, rising within the run.
        play: u64,
        /// Names of sounds.
        sounds: Vec<String>,
    },
    /// Stop what plays; its end need not be reported.
    StopPlay,
    /// Set attributes of the call.
    SetAttributes(Map<String, Value>),
    /// Stand in a queue; report [`Input::QueueLeft`].
    Enqueue {
        /// Queue, or the workflow that leads into queues.
        to: Destination,
        /// All attributes of the call, with `from`, `from_name`, `to`, `trunk` and `flow`.
        attributes: Map<String, Value>,
        /// Higher is served first.
        priority: i64,
    },
    /// Call somebody and join the caller with him; report [`Input::DialEnded`].
    Dial(Box<DialTerms>),
    /// Leave the queue; nothing follows.
    Leave,
    /// End the call; nothing follows.
    HangUp {
        /// Why; a refusal when the call was never answered.
        cause: Cause,
    },
}

/// The documents that say what becomes of the caller: URLs as the flow has them, and how each is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// The first document.
    pub first: (String, Method),
    /// Asked when a document cannot be had or is none.
    pub fallback: Option<(String, Method)>,
    /// Told how the call goes.
    pub status: Option<(String, Method)>,
    /// What it is told of; the end of the call when empty.
    pub events: Vec<String>,
}

/// What the run is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// The caller is gone: nothing more is asked.
    CallerLeft,
    /// A [`Action::Dial`] has its result.
    DialEnded(DialOutcome),
    /// The caller pressed a key.
    Digit(char),
    /// The play of this number came to its end by itself. Ends of other plays are ignored.
    PlayDone {
        /// Number from [`Action::Play`].
        play: u64,
    },
    /// A [`Action::Enqueue`] has its result.
    QueueLeft(QueueOutcome),
    /// The party the caller talked with hung up; the caller is still there.
    TalkEnded,
    /// A [`Action::Consult`] of this number has its result. Others are ignored.
    Told {
        /// Number from [`Action::Consult`].
        request: u64,
        /// What came of it.
        reply: Reply,
    },
}

/// How a stand in a queue ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueOutcome {
    /// An agent answered; the caller talks.
    Answered,
    /// The queue's own flow let the caller out.
    Left,
    /// Nobody can ever take the call, or the queue is gone.
    Nobody,
    /// The longest wait is over.
    TimedOut,
}

/// How a call to a number ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialOutcome {
    /// Answered; the caller talks.
    Answered,
    /// Busy.
    Busy,
    /// Not reachable, or not dialable.
    Failed,
    /// Nobody answered in time, or took the call.
    NoAnswer,
    /// Whoever was called did not want it.
    Rejected,
}

impl DialOutcome {
    /// Every outcome, by the word tests use.
    pub const WORDS: [(&'static str, DialOutcome); 5] = [
        ("answered", DialOutcome::Answered),
        ("busy", DialOutcome::Busy),
        ("failed", DialOutcome::Failed),
        ("no_answer", DialOutcome::NoAnswer),
        ("rejected", DialOutcome::Rejected),
    ];

    /// What says most of several numbers that came to nothing: that somebody is busy is worth
    /// more than that somebody else cannot be reached.
    pub fn best(self, other: Self) -> Self {
        let order = |it| match it {
            DialOutcome::Answered => 0,
            DialOutcome::Busy => 1,
            DialOutcome::Rejected => 2,
            DialOutcome::NoAnswer => 3,
            DialOutcome::Failed => 4,
        };
        if order(other) < order(self) {
            other
        } else {
            self
        }
    }
}

/// Whom to call, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DialTerms {
    /// Numbers, as a phone would dial them; one at least.
    pub numbers: Vec<String>,
    /// Whether they ring one after the other or all at once.
    pub order: DialOrder,
    /// The number that is shown to whom is called; `None`: the caller's, as far as the trunk shows it.
    pub caller_id: Option<String>,
    /// How long each may ring.
    pub ring_timeout: Duration,
    /// Whether the caller hears what the far end sends before it answers; else our own tone.
    pub early_media: bool,
    /// The flow that whoever answers hears alone before he is joined with the caller.
    pub whisper: Option<Arc<Document>>,
}
