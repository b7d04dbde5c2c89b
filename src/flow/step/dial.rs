//! `dial`: a call to one or more numbers; `transfer`: the same, and the flow has nothing more to say.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Heard, Kind, Mention, Part, Run, See, Turn};
use crate::base::Timestamp;
use crate::flow::run::{Action, DialOutcome, DialTerms, Position};
use crate::flow::{Fault, HANG_UP, Spot, Template, Whisper};

/// A call to one or more numbers, the first of whom to answer is joined with the caller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dialling {
    /// Number, as a phone would dial it.
    pub number: Template,
    /// More of them; those that come to nothing when filled in are left out.
    #[serde(default)]
    pub also: Vec<Template>,
    /// Whether they ring one after the other or all at once.
    #[serde(default)]
    pub order: DialOrder,
    /// The number that is shown to whom is called; `None`: the caller's, as far as the trunk shows it.
    #[serde(default)]
    pub caller_id: Option<Template>,
    /// How long each may ring.
    pub ring_timeout: Duration,
    /// Whether the caller hears what the far end sends before it answers; else our own tone.
    #[serde(default = "yes")]
    pub early_media: bool,
    /// What whoever answers hears alone first.
    #[serde(default)]
    pub whisper: Option<Whisper>,
    /// Step when it cannot be reached, and when nothing else is said.
    pub failed: String,
    /// Step when it is busy; as `failed` when `None`.
    #[serde(default)]
    pub busy: Option<String>,
    /// Step when nobody answers in time, or takes the call; as `failed` when `None`.
    #[serde(default)]
    pub no_answer: Option<String>,
    /// Step when whoever is called does not want it; as `failed` when `None`.
    #[serde(default)]
    pub rejected: Option<String>,
    /// Step when the called party hung up and the caller is still there; `None`: the end.
    #[serde(default)]
    pub after: Option<String>,
}

/// In which order several numbers ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialOrder {
    /// All at once.
    Parallel,
    /// One after the other, each as long as it may ring.
    #[default]
    Sequential,
}

impl DialOrder {
    /// Both, by the word documents use.
    pub const WORDS: [(&'static str, DialOrder); 2] = [
        ("parallel", DialOrder::Parallel),
        ("sequential", DialOrder::Sequential),
    ];
}

/// Most numbers of one step.
const MOST_NUMBERS: usize = 20;

const fn yes() -> bool {
    true
}

impl Dialling {
    /// A call to one number, with everything else as it is when nothing is said.
    pub fn new(number: Template, failed: impl Into<String>) -> Self {
        Self {
            number,
            also: Vec::new(),
            order: DialOrder::default(),
            caller_id: None,
            ring_timeout: Duration::from_secs(30),
            early_media: true,
            whisper: None,
            failed: failed.into(),
            busy: None,
            no_answer: None,
            rejected: None,
            after: None,
        }
    }

    fn step_of(&self, outcome: DialOutcome) -> &str {
        let own = match outcome {
            DialOutcome::Busy => &self.busy,
            DialOutcome::NoAnswer => &self.no_answer,
            DialOutcome::Rejected => &self.rejected,
            DialOutcome::Answered | DialOutcome::Failed => &None,
        };
        own.as_ref().unwrap_or(&self.failed)
    }
}

impl Kind for Dialling {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("number", Part::Whole, Mention::Number(&self.number));
        for (index, number) in self.also.iter().enumerate() {
            see("numbers", Part::Item(index + 1), Mention::Number(number));
        }
        if let Some(number) = &self.caller_id {
            see("caller_id", Part::Whole, Mention::Text(number.text()));
        }
        if let Some(whisper) = &self.whisper {
            whisper.mentions("whisper", see);
        }
        see("failed", Part::Whole, Mention::Step(&self.failed));
        for (key, step) in [
            ("busy", &self.busy),
            ("no_answer", &self.no_answer),
            ("rejected", &self.rejected),
            ("after", &self.after),
        ] {
            if let Some(step) = step {
                see(key, Part::Whole, Mention::Step(step));
            }
        }
    }

    fn faults(&self, step: &str) -> Vec<Fault> {
        if self.also.len() < MOST_NUMBERS {
            return Vec::new();
        }
        let message = format!("more than {MOST_NUMBERS} numbers");
        let help = "make a group of them in numbers.toml, or a queue";
        vec![Fault::fatal(Spot::key(step, "numbers"), message, help)]
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        run.forget_keys();
        let mut numbers = Vec::with_capacity(1 + self.also.len());
        for number in std::iter::once(&self.number).chain(&self.also) {
            let number = run.fill_in(now, number);
            if (!number.trim().is_empty() || self.also.is_empty()) && !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        if numbers.is_empty() {
            return Turn::Go(self.failed.clone());
        }
        let caller_id = self.caller_id.as_ref();
        let caller_id = caller_id.map(|number| run.fill_in(now, number));
        let document = run.part_document();
        let whisper = self.whisper.as_ref();
        run.push(Action::Dial(Box::new(DialTerms {
            numbers,
            order: self.order,
            caller_id: caller_id.filter(|number| !number.trim().is_empty()),
            ring_timeout: self.ring_timeout,
            early_media: self.early_media,
            whisper: whisper
                .and_then(|it| it.document(|name| document.flows.get(name).map(Arc::clone))),
        })));
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
            Heard::Dial(outcome) => Turn::Go(self.step_of(outcome).to_owned()),
            Heard::TalkEnded => Turn::Go(self.after.as_deref().unwrap_or(HANG_UP).to_owned()),
            _ => Turn::Stay,
        }
    }
}
