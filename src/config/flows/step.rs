//! One step of a flow, as its `do` says.

use std::time::Duration;

use super::super::applications;
use super::super::notes::Notes;
use super::super::section::{At, Section};
use super::super::whisper;
use super::super::words::remedy;
use crate::flow::{
    Applying, Branching, Calling, Case, Collecting, Condition, Conferring, Confirmation, DialOrder,
    Dialling, Fetching, FlowType, HANG_UP, HangingUp, Leaving, LookingUp, Looping, Menu, Merge,
    Messaging, Opening, Patience, Pausing, Queueing, RecordTerms, Recording, Rejection, Returning,
    Sayable, Saying, SealingKey, Setting, Share, Speaking, Speech, Splitting, Step, Template,
    Watching,
};
use crate::ivr::BargeIn;
use crate::router::Destination;
use crate::webhook::{Method, Shape};

/// A step being read.
struct Reading<'r, 'a> {
    step: &'r Section<'a>,
    notes: &'r Notes,
    top: &'r Top,
}

/// What the top of a document, and the office, say for its steps.
#[derive(Debug)]
pub(super) struct Top {
    /// Its own step of failures.
    pub(super) error: Option<String>,
    /// What secrets are encrypted with.
    pub(super) sealing_key: Option<SealingKey>,
    /// Longest message and the silence that ends one, where a step says neither.
    pub(super) message: (Duration, Duration),
}

/// Reads a step.
pub(super) fn read(step: Section<'_>, top: &Top, notes: &Notes) -> Step {
    let Some(kind) = step.required("do", "play") else {
        return PLACEHOLDER;
    };
    let reading = Reading {
        step: &step,
        notes,
        top,
    };
    let Some(read) = reading.read(&kind.value) else {
        let message = format!("no step does \"{}\"", kind.value);
        let help = remedy(&kind.value, &STEPS, "a step does one of");
        notes.error(&kind.place, message, help);
        return PLACEHOLDER;
    };
    step.close();
    read
}

impl Reading<'_, '_> {
    fn read(&self, kind: &str) -> Option<Step> {
        let step = self.step;
        Some(match kind {
            "branch" => Step::Branch(Branching {
                cases: self.cases(),
                otherwise: self.target("otherwise"),
            }),
            "collect" => Step::Collect(self.collecting()),
            "conference" => Step::Conference(Conferring {
                room: self.template("room", "3000"),
            }),
            "twiml" => Step::Twiml(self.applying()),
            "dial" => Step::Dial(Dialling {
                after: Some(self.text("after").unwrap_or_else(hang_up)),
                ..self.dialling()
            }),
            "flow" => Step::Flow(Calling {
                flow: self.required("flow", "greeting"),
                parameters: step.attributes("parameters"),
                next: self.target("next"),
            }),
            "hangup" => Step::Hangup(HangingUp {
                cause: step
                    .one_of("cause", &Rejection::WORDS)
                    .map_or(Rejection::Normal, |at| at.value),
            }),
            "hours" => Step::Hours(Opening {
                calendar: self.text("calendar"),
                queue: self.text("queue"),
                open: self.target("open"),
                closed: self.target("closed"),
                error: self.text("error"),
            }),
            "http" => Step::Http(Fetching {
                endpoint: self.required("endpoint", "crm"),
                parameters: step.attributes("parameters"),
                shape: step
                    .one_of("shape", &Shape::WORDS)
                    .map_or_else(Shape::default, |at| at.value),
                timeout: self.duration("timeout", LONGEST_REQUEST, 8),
                merge: self.merge(),
                next: self.target("next"),
                error: self.text("error"),
            }),
            "language" => Step::Language(Speaking {
                language: self.template("language", "ja"),
                next: self.target("next"),
            }),
            "leave" => Step::Leave(Leaving {}),
            "lookup" => Step::Lookup(LookingUp {
                table: self.required("table", "customers"),
                key: self.template("key", "{{ call.from }}"),
                merge: self.merge(),
                next: self.target("next"),
                missing: self.text("missing"),
                error: self.text("error"),
            }),
            "loop" => Step::Loop(Looping {
                times: self.count("times", 1..=1000),
                body: self.target("body"),
                next: self.target("next"),
            }),
            "menu" => self.menu(),
            "pause" => {
                step.demand("length", "\"1s\"");
                Step::Pause(Pausing {
                    length: step
                        .duration("length", Duration::from_millis(10)..=LONGEST_PAUSE)
                        .map_or(SECOND, |at| at.value),
                    next: self.target("next"),
                })
            }
            "play" => {
                step.demand("sounds", "[\"greeting\"]");
                Step::Play(Speech {
                    sounds: self.texts("sounds"),
                    greeting: step.flag("greeting").is_some_and(|at| at.value),
                    barge_in: self.barge_in(),
                    next: self.target("next"),
                })
            }
            "queue" => self.queueing(),
            "queue_status" => Step::QueueStatus(self.watching()),
            "record" => Step::Record(Recording {
                terms: self.terms(RECORDING),
                into: self.required("into", "recording"),
                next: self.target("next"),
                error: self.text("error"),
            }),
            "return" => Step::Return(Returning {}),
            "say" => self.saying(),
            "set" => {
                step.demand("attributes", "{ language = \"ja\" }");
                Step::Set(Setting {
                    attributes: step.attributes("attributes"),
                    next: self.target("next"),
                })
            }
            "split" => Step::Split(Splitting {
                shares: self.shares(),
            }),
            "staffing" => Step::Staffing(self.watching()),
            "transfer" => Step::Transfer(self.dialling()),
            "voicemail" => Step::Voicemail(Messaging {
                mailbox: self.required("mailbox", "sales"),
                greeting: self.texts("greeting"),
                terms: self.terms(self.top.message),
                next: self.target("next"),
                error: self.text("error"),
            }),
            _ => return None,
        })
    }

    fn menu(&self) -> Step {
        self.step.demand("choices", "{ 1 = \"hangup\" }");
        let choices = self.step.text_table("choices").into_iter();
        Step::Menu(Menu {
            patience: self.patience(),
            choices: choices.map(|(keys, to)| (keys.value, to.value)).collect(),
        })
    }

    fn queueing(&self) -> Step {
        let nobody = self.failure("nobody");
        Step::Queue(Queueing {
            to: self.destination(),
            attributes: self.step.attributes("attributes"),
            priority: self
                .step
                .integer("priority", -1000..=1000)
                .map_or(0, |at| at.value),
            timeout: self.text("timeout").unwrap_or_else(|| nobody.clone()),
            nobody,
            left: self.text("left"),
            after: self.text("after").unwrap_or_else(hang_up),
        })
    }

    fn dialling(&self) -> Dialling {
        let several = self.texts("numbers");
        let mut numbers = several.into_iter().map(Template::new);
        let number = match self.step.text("number") {
            Some(number) if self.step.has("numbers") => {
                let message = "both `number` and `numbers`";
                let help = "keep `numbers`, in the order they are tried";
                self.notes.error(&number.place, message, help);
                Template::new(number.value)
            }
            Some(number) => Template::new(number.value),
            None => numbers
                .next()
                .unwrap_or_else(|| self.template("number", "1001")),
        };
        Dialling {
            also: numbers.collect(),
            order: self
                .step
                .one_of("order", &DialOrder::WORDS)
                .map_or_else(DialOrder::default, |at| at.value),
            caller_id: self.text("caller_id").map(Template::new),
            ring_timeout: self.ring_timeout(),
            early_media: self.step.flag("early_media").is_none_or(|at| at.value),
            whisper: whisper::read(self.step, "whisper", FlowType::OutboundWhisper, self.notes)
                .map(|at| at.value),
            busy: self.text("busy"),
            no_answer: self.text("no_answer"),
            rejected: self.text("rejected"),
            ..Dialling::new(number, self.failure("failed"))
        }
    }

    /// The queue or the workflow that a step leads callers into.
    fn destination(&self) -> Destination {
        let Some(workflow) = self.step.text("workflow") else {
            return Destination::Queue(self.required("queue", "sales"));
        };
        if let Some(queue) = self.step.text("queue") {
            let help = "keep `workflow`: its steps name the queues";
            let message = "both `queue` and `workflow`";
            self.notes.error(&queue.place, message, help);
        }
        Destination::Workflow(workflow.value)
    }

    fn collecting(&self) -> Collecting {
        let count = |key, default| {
            let number = self.step.integer(key, 0..=64);
            number
                .and_then(|at| usize::try_from(at.value).ok())
                .unwrap_or(default)
        };
        self.step.demand("max", "10");
        Collecting {
            patience: self.patience(),
            min: count("min", 1),
            max: count("max", 64),
            terminators: self.text("terminators").unwrap_or_else(|| "#".to_owned()),
            into: self.required("into", "customer"),
            secure: self.step.flag("secure").is_some_and(|at| at.value),
            seal: self.seal(),
            pattern: self.text("pattern"),
            confirm: self.confirmation(),
            next: self.target("next"),
        }
    }

    /// The document's key, when the step is to seal what it takes.
    fn seal(&self) -> Option<SealingKey> {
        let seal = self.step.flag("seal").filter(|at| at.value)?;
        if self.top.sealing_key.is_none() {
            let help =
                "add sealing_key = \"\"\"...\"\"\" at the top of the flow: a public key in PEM";
            self.notes
                .error(&seal.place, "there is no key to seal with", help);
        }
        self.top.sealing_key.clone()
    }

    fn confirmation(&self) -> Option<Confirmation> {
        let confirm = self.step.section("confirm", "a confirmation")?;
        let sounds = |key| -> Vec<String> {
            let texts = confirm.texts(key).unwrap_or_default();
            texts.into_iter().map(|at| at.value).collect()
        };
        let keys = |key, default: &str| {
            let keys = confirm.text(key).map(|at| at.value);
            keys.unwrap_or_else(|| default.to_owned())
        };
        let read = Confirmation {
            before: sounds("before"),
            after: sounds("after"),
            yes: keys("yes", "1"),
            no: keys("no", "2"),
        };
        confirm.close();
        Some(read)
    }

    fn patience(&self) -> Patience {
        let silence = |key, default| self.duration(key, SECOND..=Duration::from_secs(120), default);
        self.step.demand("prompt", "[\"menu\"]");
        let tries = self.step.integer("tries", 1..=20).map_or(3, |at| at.value);
        Patience {
            prompt: self.texts("prompt"),
            barge_in: self.barge_in(),
            timeout: silence("timeout", 5),
            digit_timeout: silence("digit_timeout", 3),
            tries: u32::try_from(tries).unwrap_or(1),
            no_input: self.texts("no_input"),
            no_match: self.texts("no_match"),
            failed: self.failure("failed"),
        }
    }

    fn saying(&self) -> Step {
        let words: Vec<&str> = SAYABLE.to_vec();
        let written: Vec<&str> = words
            .iter()
            .copied()
            .filter(|word| self.step.has(word))
            .collect();
        if written.len() != 1 {
            let message = "a step that says one thing needs exactly one of `count`, `date`, `digits`, \
                           `money`, `number`, `text`, `time`";
            let help = "add one, such as number = \"{{ attributes.place }}\"";
            self.notes.error(self.step.place(), message, help);
        }
        let key = SAYABLE
            .iter()
            .copied()
            .find(|key| self.step.has(key))
            .unwrap_or("number");
        let value = self.text(key).unwrap_or_default();
        let what = match key {
            "count" => {
                let words = Sayable::COUNTED.map(|(word, _)| (word, word));
                self.step.demand("counted", "\"minutes\"");
                let counted = self.step.one_of("counted", &words);
                Sayable::Count(counted.map_or("people", |at| at.value).to_owned())
            }
            "date" => Sayable::Date,
            "digits" => Sayable::Digits,
            "money" => {
                let words = ["EUR", "GBP", "JPY", "USD"].map(|word| (word, word));
                self.step.demand("currency", "\"JPY\"");
                let currency = self.step.one_of("currency", &words);
                Sayable::Money(currency.map_or("JPY", |at| at.value).to_owned())
            }
            "text" => Sayable::Text {
                voice: self.text("voice"),
                otherwise: self.texts("otherwise"),
            },
            "time" => Sayable::Time,
            _ => Sayable::Number,
        };
        Step::Say(Saying {
            what,
            value: Template::new(value),
            before: self.texts("before"),
            after: self.texts("after"),
            barge_in: self.barge_in(),
            next: self.target("next"),
        })
    }

    fn watching(&self) -> Watching {
        Watching {
            queue: self.required("queue", "sales"),
            cases: self.cases(),
            otherwise: self.target("otherwise"),
            error: self.text("error"),
        }
    }

    fn cases(&self) -> Vec<Case> {
        let example = "[{ if = \"attributes.vip\", next = \"hangup\" }]";
        self.step.demand("cases", example);
        let cases = self.step.sections("cases", "a case").into_iter();
        cases
            .filter_map(|case| {
                let condition = case.required("if", "attributes.vip");
                let next = case.required("next", HANG_UP);
                case.close();
                let condition = condition?;
                match Condition::parse(&condition.value) {
                    Ok(parsed) => Some(Case {
                        condition: parsed,
                        next: next.map_or_else(hang_up, |at| at.value),
                    }),
                    Err(error) => {
                        let place = condition.place.inside(&condition.value, error.span.clone());
                        let help = "docs/expressions.md tells how conditions are written";
                        self.notes.error(&place, error.to_string(), help);
                        None
                    }
                }
            })
            .collect()
    }

    fn shares(&self) -> Vec<Share> {
        let example = "[{ percent = 50, next = \"hangup\" }]";
        self.step.demand("shares", example);
        let shares = self.step.sections("shares", "a share").into_iter();
        shares
            .map(|share| {
                share.demand("percent", "50");
                let percent = share.integer("percent", 0..=100).map_or(0, |at| at.value);
                let next = share.required("next", HANG_UP);
                share.close();
                Share {
                    percent: u32::try_from(percent).unwrap_or(0),
                    next: next.map_or_else(hang_up, |at| at.value),
                }
            })
            .collect()
    }

    fn merge(&self) -> Merge {
        Merge {
            merge: self.step.flag("merge").is_none_or(|at| at.value),
            into: self.text("into"),
            gives: self.texts("gives"),
        }
    }

    fn terms(&self, (longest, silence): (Duration, Duration)) -> RecordTerms {
        let length = |key, most, default| {
            let length = self.step.duration(key, SECOND..=Duration::from_secs(most));
            length.map_or(default, |at| at.value)
        };
        RecordTerms {
            longest: length("longest", 3600, longest),
            silence: length("silence", 60, silence),
            terminators: self.text("terminators").unwrap_or_else(|| "#".to_owned()),
            beep: self.step.flag("beep").is_none_or(|at| at.value),
        }
    }

    /// A step to go to.
    fn target(&self, key: &'static str) -> String {
        let step = self.step.required(key, HANG_UP);
        step.map_or_else(hang_up, |at| at.value)
    }

    /// A step to go to when something fails; the document's own when left out.
    fn failure(&self, key: &'static str) -> String {
        match &self.top.error {
            Some(error) => self.text(key).unwrap_or_else(|| error.clone()),
            None => self.target(key),
        }
    }

    fn applying(&self) -> Applying {
        let method = |key| {
            let method = self.step.one_of(key, &Method::WORDS);
            method.map_or_else(Method::default, |at| at.value)
        };
        let link = |key, how| {
            let url = self.text(key).filter(|url| !url.is_empty());
            let method = method(how);
            url.map(|url| (Template::new(url), method))
        };
        // They are the same as of a number's application.
        applications::read_events(self.step, self.notes);
        let applying = Applying {
            url: self.template("url", "https://app.example/start"),
            method: method("method"),
            fallback: link("fallback_url", "fallback_method"),
            status: link("status_callback", "status_callback_method"),
            events: self.texts("status_callback_events"),
        };
        for (key, url, is_there) in [
            (
                "fallback_method",
                "fallback_url",
                applying.fallback.is_some(),
            ),
            (
                "status_callback_method",
                "status_callback",
                applying.status.is_some(),
            ),
            (
                "status_callback_events",
                "status_callback",
                applying.status.is_some(),
            ),
        ] {
            if self.step.has(key) && !is_there {
                let message = format!("`{key}` without `{url}`");
                let help = format!("add {url} = \"https://HOST/PATH\"");
                self.notes.error(self.step.place(), message, help);
            }
        }
        applying
    }

    fn template(&self, key: &'static str, example: &str) -> Template {
        self.step.demand(key, &format!("\"{example}\""));
        Template::new(self.text(key).unwrap_or_default())
    }

    fn required(&self, key: &'static str, example: &str) -> String {
        let text = self.step.required(key, example);
        text.map(|at| at.value).unwrap_or_default()
    }

    fn text(&self, key: &'static str) -> Option<String> {
        self.step.text(key).map(|at| at.value)
    }

    fn texts(&self, key: &'static str) -> Vec<String> {
        let texts = self.step.texts(key).unwrap_or_default();
        texts.into_iter().map(|at| at.value).collect()
    }

    fn count(&self, key: &'static str, range: std::ops::RangeInclusive<i64>) -> u32 {
        self.step.demand(key, "3");
        let number = self.step.integer(key, range);
        number.map_or(1, |at| u32::try_from(at.value).unwrap_or(1))
    }

    fn duration(
        &self,
        key: &'static str,
        range: std::ops::RangeInclusive<Duration>,
        seconds: u64,
    ) -> Duration {
        let length = self.step.duration(key, range);
        length.map_or(Duration::from_secs(seconds), |at| at.value)
    }

    fn ring_timeout(&self) -> Duration {
        self.duration("ring_timeout", SECOND..=Duration::from_secs(300), 30)
    }

    fn barge_in(&self) -> BargeIn {
        match self.step.flag("barge_in") {
            Some(At { value: false, .. }) => BargeIn::Ignored,
            _ => BargeIn::Interrupts,
        }
    }
}

fn hang_up() -> String {
    HANG_UP.to_owned()
}

/// Stands for a step that could not be read, so that others may still name it.
const PLACEHOLDER: Step = Step::Hangup(HangingUp {
    cause: Rejection::Normal,
});

/// Every kind of step.
const STEPS: [&str; 26] = [
    "branch",
    "collect",
    "conference",
    "dial",
    "flow",
    "hangup",
    "hours",
    "http",
    "language",
    "leave",
    "lookup",
    "loop",
    "menu",
    "pause",
    "play",
    "queue",
    "queue_status",
    "record",
    "return",
    "say",
    "set",
    "split",
    "staffing",
    "transfer",
    "twiml",
    "voicemail",
];
const SAYABLE: [&str; 7] = ["count", "date", "digits", "money", "number", "text", "time"];
const SECOND: Duration = Duration::from_secs(1);
/// Longest recording of the step `record` and the silence that ends it, unless it says otherwise.
const RECORDING: (Duration, Duration) = (Duration::from_secs(120), Duration::from_secs(5));
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A caller hears nothing meanwhile.
const LONGEST_REQUEST: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(30);
