//! Task queues: who serves them, how a worker is chosen, what an offer and its end mean.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::NOT_ANSWERING;
use crate::expr::{self, OrderBy};

/// One queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueSpec {
    /// Unique name, any Unicode.
    pub name: String,
    /// Another name that documents may use, such as TaskRouter's `WQ...`.
    #[serde(default)]
    pub sid: Option<String>,
    /// Whether it is the own queue of those it matches: served before all others and at once,
    /// whatever their profiles say.
    #[serde(default)]
    pub agent: bool,
    /// Expression that says who serves it; bare keys are the worker's. Empty: nobody.
    pub target: String,
    /// How long one worker's phone may ring. Default 20 s.
    pub ring_timeout: Duration,
    /// Which task is next.
    pub order: QueueOrder,
    /// Which of the free workers is chosen.
    #[serde(default)]
    pub strategy: Strategy,
    /// How many workers are offered one task at a time, 1 to 50; the first to accept has it.
    /// Default 1.
    #[serde(default = "one")]
    pub max_reserved: u32,
    /// Path into the task's attributes whose value is the customer, such as `from`: who served
    /// him last is preferred while free. Off when `None`.
    #[serde(default)]
    pub sticky: Option<String>,
    /// When a task is told that nobody can take it.
    pub when_nobody: WhenNobody,
    /// After-call work; zero for none (the default).
    pub wrap_up: Duration,
    /// Whether after-call work lasts until the worker ends it; `wrap_up` does not count then.
    #[serde(default)]
    pub wrap_up_open: bool,
    /// What a worker may say the task was about, when he ends its after-call work.
    #[serde(default)]
    pub wrap_up_codes: Vec<String>,
    /// Whether one of `wrap_up_codes` must be said before after-call work ends by hand.
    #[serde(default)]
    pub wrap_up_code_required: bool,
    /// Activity of a worker who missed an offer.
    pub no_answer_activity: String,
    /// Offers in a row a worker may miss before he is moved to `no_answer_activity`. Default 1.
    #[serde(default = "one")]
    pub misses: u32,
    /// Activity of a worker who declined an offer; unchanged when `None` (the default).
    pub declined_activity: Option<String>,
    /// How long a worker is left alone after an offer that failed without being missed.
    /// Default 5 s.
    pub retry_after: Duration,
    /// Most tasks that may wait; one more is refused. Default 1000.
    pub max_waiting: usize,
}

/// Which task of a queue is next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueOrder {
    /// Higher priority first, then the one that waits longer.
    #[default]
    Fifo,
    /// The newest first, whatever its priority.
    Lifo,
}

/// Which of several free workers is chosen. A step's `order_by` outranks it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Who accepted the fewest tasks since midnight UTC, then who was idle longest.
    LeastCalls,
    /// Who was idle longest.
    #[default]
    LongestIdle,
    /// By attributes, such as `worker.level DESC`; then who was idle longest.
    OrderBy(String),
    /// By chance, from a seed in the facts: the same facts choose the same worker.
    Random,
    /// Who was offered a task longest ago.
    RoundRobin,
}

/// When a waiting task is told that nobody can take it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenNobody {
    /// As soon as no matching worker is on duty: reachable and in an available activity, be he
    /// free or not.
    #[default]
    NoneOnDuty,
    /// Only when no worker of the plan matches.
    NoMatch,
    /// Never: it waits.
    Wait,
}

impl WhenNobody {
    /// Every word a configuration may use, with its meaning.
    pub const WORDS: [(&'static str, WhenNobody); 3] = [
        ("none_on_duty", WhenNobody::NoneOnDuty),
        ("no_match", WhenNobody::NoMatch),
        ("wait", WhenNobody::Wait),
    ];
}

impl Strategy {
    /// By attributes; fails when the text is no list such as `worker.level DESC, worker.age`.
    pub fn order_by(text: &str) -> Result<Self, expr::Error> {
        OrderBy::parse(text).map(|_| Self::OrderBy(text.to_owned()))
    }
}

impl QueueSpec {
    /// Most workers one task may be offered to at a time, as in TaskRouter.
    pub const MOST_RESERVED: u32 = 50;

    /// A queue with the defaults.
    pub fn new(name: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            sid: None,
            agent: false,
            target: target.into(),
            ring_timeout: Duration::from_secs(20),
            order: QueueOrder::default(),
            strategy: Strategy::default(),
            max_reserved: 1,
            sticky: None,
            when_nobody: WhenNobody::default(),
            wrap_up: Duration::ZERO,
            wrap_up_open: false,
            wrap_up_codes: Vec::new(),
            wrap_up_code_required: false,
            no_answer_activity: NOT_ANSWERING.to_owned(),
            misses: 1,
            declined_activity: None,
            retry_after: Duration::from_secs(5),
            max_waiting: 1000,
        }
    }
}

fn one() -> u32 {
    1
}
