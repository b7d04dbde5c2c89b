//! Questions: `menu` and `collect`.

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Heard, Kind, Mention, Part, Run, See, Turn, see_sounds};
use crate::base::Timestamp;
use crate::flow::SealingKey;
use crate::flow::check::{Fault, Spot};
use crate::ivr::{self, Accept, Answer, BargeIn, Question, is_key};

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
    /// The attribute takes the number encrypted with this key, in place of `*`; for secret ones.
    #[serde(default)]
    pub seal: Option<SealingKey>,
    /// What the whole number must look like (a regular expression); anything when left out.
    #[serde(default)]
    pub pattern: Option<String>,
    /// Whether the caller is asked if it is right.
    #[serde(default)]
    pub confirm: Option<Confirmation>,
    /// Step after it.
    pub next: String,
}

/// Whether what was pressed is right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Sounds before the digits are read back.
    pub before: Vec<String>,
    /// Sounds after them: what to press.
    pub after: Vec<String>,
    /// Keys for yes.
    pub yes: String,
    /// Keys for no: the number is asked for again.
    pub no: String,
}

impl Menu {
    fn question(&self) -> Question {
        let answers = self.choices.keys().cloned().collect();
        self.patience.question(Accept::OneOf(answers), "")
    }
}

impl Collecting {
    fn question(&self) -> Question {
        let accept = Accept::Digits {
            min: self.min,
            max: self.max,
        };
        Question {
            secure: self.secure,
            pattern: self.pattern.clone(),
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
            pattern: None,
        }
    }
}

impl Kind for Menu {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        self.patience.mentions(see);
        for (keys, to) in &self.choices {
            see("choices", Part::Target(keys.clone()), Mention::Step(to));
        }
        let failed = &self.patience.failed;
        see("failed", Part::Whole, Mention::Step(failed));
    }

    fn faults(&self, step: &str) -> Vec<Fault> {
        let mut faults = self.patience.faults(step);
        if self.choices.is_empty() {
            let help = "add one, such as 1 = \"hangup\"";
            let spot = Spot::key(step, "choices");
            faults.push(Fault::fatal(spot, "a menu without choices", help));
        }
        for keys in self.choices.keys() {
            if keys.is_empty() || !keys.chars().all(is_key) {
                let message = format!("nobody can press \"{keys}\"");
                faults.push(Fault::fatal(Spot::answer(step, keys), message, KEYS));
            }
        }
        faults
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        run.ask(now, at, self.question());
        Turn::Stay
    }

    fn hear(&self, run: &mut Run, _now: Timestamp, at: &str, heard: Heard) -> Turn {
        let next = match heard {
            Heard::Answer(Answer::Digits(digits)) => {
                run.take_digits(at, &digits);
                self.choices.get(&digits)
            }
            Heard::Answer(Answer::Failed(_)) => Some(&self.patience.failed),
            _ => return Turn::Stay,
        };
        Turn::Go(next.unwrap_or(&self.patience.failed).clone())
    }
}

impl Kind for Collecting {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        self.patience.mentions(see);
        if let Some(Confirmation { before, after, .. }) = &self.confirm {
            for (key, sounds) in [("before", before), ("after", after)] {
                for sound in sounds {
                    see(
                        "confirm",
                        Part::Target(key.to_owned()),
                        Mention::Sound(sound),
                    );
                }
            }
        }
        see("into", Part::Whole, Mention::Sets(&self.into));
        see("next", Part::Whole, Mention::Step(&self.next));
        let failed = &self.patience.failed;
        see("failed", Part::Whole, Mention::Step(failed));
    }

    fn faults(&self, step: &str) -> Vec<Fault> {
        let mut faults = self.patience.faults(step);
        let (min, max) = (self.min, self.max);
        let mut fault = |key, message: String, help: &str| {
            faults.push(Fault::fatal(Spot::key(step, key), message, help));
        };
        if min > max || max == 0 {
            let message = format!("no number has between {min} and {max} digits");
            let help = "max must be at least min, and at least 1";
            fault("max", message, help);
        }
        if max > 64 {
            let message = format!("{max} digits are too many");
            fault("max", message, "at most 64 digits are kept");
        }
        if let Some(Err(error)) = self.pattern.as_deref().map(ivr::pattern) {
            let help = "write digits such as \"[0-9]{8}\", and | for or";
            fault("pattern", format!("no pattern: {error}"), help);
        }
        if self.seal.is_some() && !self.secure {
            let message = "sealed, and kept in the open beside it".to_owned();
            fault("seal", message, "add secure = true");
        }
        if let Some(confirm) = &self.confirm {
            if self.secure {
                let help = "leave `confirm` out: what is secret is not read aloud";
                fault("confirm", "a secret is read back".to_owned(), help);
            }
            let keys = [&confirm.yes, &confirm.no];
            let is_pressed = |it: &&String| !it.is_empty() && it.chars().all(is_key);
            if confirm.yes == confirm.no || !keys.iter().all(is_pressed) {
                let message = "yes and no need keys of their own".to_owned();
                fault("confirm", message, KEYS);
            }
        }
        if let Some(key) = self.terminators.chars().find(|key| !is_key(*key)) {
            fault("terminators", format!("nobody can press \"{key}\""), KEYS);
        }
        faults
    }

    fn enter(&self, run: &mut Run, now: Timestamp, at: &str) -> Turn {
        run.ask(now, at, self.question());
        Turn::Stay
    }

    fn hear(&self, run: &mut Run, now: Timestamp, at: &str, heard: Heard) -> Turn {
        match heard {
            Heard::Answer(Answer::Digits(digits)) => match &self.confirm {
                Some(confirmation) => {
                    let question = confirmation.question(run, &self.patience, &digits);
                    run.confirm(now, at, question, digits);
                    Turn::Stay
                }
                None => self.take(run, at, digits),
            },
            Heard::Confirmed(digits, Answer::Digits(said)) => {
                let no = self.confirm.as_ref().map(|it| it.no.as_str());
                match no == Some(said.as_str()) {
                    true if run.is_refused_again(self.patience.tries) => {
                        Turn::Go(self.patience.failed.clone())
                    }
                    true => {
                        run.ask(now, at, self.question());
                        Turn::Stay
                    }
                    false => self.take(run, at, digits),
                }
            }
            Heard::Answer(Answer::Failed(_)) | Heard::Confirmed(_, Answer::Failed(_)) => {
                Turn::Go(self.patience.failed.clone())
            }
            _ => Turn::Stay,
        }
    }
}

impl Collecting {
    fn take(&self, run: &mut Run, at: &str, digits: String) -> Turn {
        let stars = "*".repeat(digits.len());
        let sealed = self.seal.as_ref().map(|key| key.seal(&digits));
        let shown = match self.secure {
            true => stars.clone(),
            false => digits,
        };
        run.take_digits(at, &shown);
        let shown = match sealed {
            None => shown,
            // Without randomness nothing can be sealed, and nothing is kept.
            Some(sealed) => sealed.unwrap_or(stars),
        };
        let number = (self.into.clone(), Value::String(shown));
        run.set(&Map::from_iter([number]));
        Turn::Go(self.next.clone())
    }
}

impl Confirmation {
    fn question(&self, run: &Run, patience: &Patience, digits: &str) -> Question {
        let mut prompt = self.before.clone();
        prompt.extend(super::Sayable::Digits.sounds(run.voice(), digits));
        prompt.extend(self.after.iter().cloned());
        let answers = [self.yes.clone(), self.no.clone()];
        Question {
            prompt,
            ..patience.question(Accept::OneOf(answers.into()), "")
        }
    }
}

impl Patience {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see_sounds("prompt", &self.prompt, see);
        see_sounds("no_input", &self.no_input, see);
        see_sounds("no_match", &self.no_match, see);
    }

    fn faults(&self, step: &str) -> Vec<Fault> {
        let spot = || Spot::key(step, "tries");
        let never = (self.tries == 0)
            .then(|| Fault::fatal(spot(), "a question that is asked zero times", NO_TRIES));
        never.into_iter().collect()
    }
}

const KEYS: &str = "a phone has the keys 0 to 9, *, # (and A to D on a few)";
const NO_TRIES: &str = "write 1 or more";
