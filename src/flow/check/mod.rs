//! What is wrong with a document, found without running it.

mod exits;
mod graph;
mod names;

use std::ops::Range;

pub use names::{Figures, Outside};

use super::document::{Document, HANG_UP};
use super::step::Mention;
use super::template::variables;

/// Where in a document something stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Step; `None` for the document's own keys.
    pub step: Option<String>,
    /// Key in it; `None` for the step itself.
    pub key: Option<&'static str>,
    /// Part of the key's value.
    pub part: Part,
}

/// Part of a key's value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The name of an entry of a table, such as the keys to press of a menu.
    Answer(String),
    /// A setting of a member of a list.
    Field(usize, &'static str),
    /// A member of a list.
    Item(usize),
    /// The value of an entry of a table, such as where an answer of a menu leads.
    Target(String),
    /// All of it.
    Whole,
}

/// One thing wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub spot: Spot,
    /// Which bytes of the text that stands there, with the text.
    pub inside: Option<(String, Range<usize>)>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// Whether a call would suffer; otherwise it is only untidy.
    pub fatal: bool,
}

impl Spot {
    /// A key of the document itself.
    pub fn document(key: &'static str) -> Self {
        Self {
            step: None,
            key: Some(key),
            part: Part::Whole,
        }
    }

    /// A step as a whole.
    pub fn step(step: &str) -> Self {
        Self {
            step: Some(step.to_owned()),
            key: None,
            part: Part::Whole,
        }
    }

    /// A key of a step.
    pub fn key(step: &str, key: &'static str) -> Self {
        Self {
            key: Some(key),
            ..Self::step(step)
        }
    }

    /// A member of a list in a step.
    pub fn item(step: &str, key: &'static str, index: usize) -> Self {
        Self {
            part: Part::Item(index),
            ..Self::key(step, key)
        }
    }

    /// An answer of a menu.
    pub fn answer(step: &str, keys: &str) -> Self {
        Self {
            part: Part::Answer(keys.to_owned()),
            ..Self::key(step, "choices")
        }
    }

    /// Where an answer of a menu leads.
    pub fn target(step: &str, keys: &str) -> Self {
        Self {
            part: Part::Target(keys.to_owned()),
            ..Self::key(step, "choices")
        }
    }
}

impl Fault {
    /// What a call would suffer from.
    pub(super) fn fatal(spot: Spot, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            spot,
            inside: None,
            message: message.into(),
            help: help.into(),
            fatal: true,
        }
    }

    /// What is only untidy, or may be meant.
    fn doubt(spot: Spot, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            fatal: false,
            ..Self::fatal(spot, message, help)
        }
    }

    /// The same about a part of a text.
    fn inside(self, text: &str, range: Range<usize>) -> Self {
        Self {
            inside: Some((text.to_owned(), range)),
            ..self
        }
    }
}

impl Document {
    /// Everything wrong with the document by itself: steps that do not exist, are never reached
    /// or go round without end; failures that lead nowhere; answers nobody can press; what the
    /// switch cannot do.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.steps.len() > MAX_STEPS {
            let message = format!("a flow of more than {MAX_STEPS} steps");
            let help = "move some of them to flows of their own: do = \"flow\"";
            return vec![Fault::fatal(Spot::document("steps"), message, help)];
        }
        for (key, step) in [("start", Some(&self.start)), ("error", self.error.as_ref())] {
            if let Some(step) = step.filter(|step| !self.has_step(step)) {
                faults.push(self.dangling(Spot::document(key), step));
            }
        }
        for (spot, mention) in self.mentions() {
            faults.extend(self.check_mention(spot, mention));
        }
        for (name, step) in &self.steps {
            faults.extend(step.kind().faults(name));
            faults.extend(step.kind().unavailable(name));
        }
        faults.extend(self.misfits());
        faults.extend(self.endless());
        if !faults.iter().any(|fault| fault.fatal) {
            faults.extend(self.unreachable());
        }
        faults
    }

    fn check_mention(&self, spot: Spot, mention: Mention<'_>) -> Option<Fault> {
        match mention {
            Mention::StepOnError("") if self.error.is_none() => {
                let message = "nothing says where to go when this fails";
                let help = "add error = \"...\" to the step, or once at the top of the flow";
                Some(Fault::fatal(spot, message, help))
            }
            Mention::StepOnError("") => None,
            Mention::Step(to) | Mention::StepOnError(to) if !self.has_step(to) => {
                Some(self.dangling(spot, to))
            }
            Mention::Text(text) => check_text(spot, text),
            Mention::Number(number) => check_text(spot, number.text()),
            _ => None,
        }
    }

    fn dangling(&self, spot: Spot, to: &str) -> Fault {
        let mut steps: Vec<&str> = self.steps.keys().map(String::as_str).collect();
        steps.push(HANG_UP);
        let message = format!("there is no step \"{to}\" in this flow");
        let help = nearest(to, steps.iter().copied())
            .unwrap_or_else(|| format!("the steps of this flow are: {}", steps.join(", ")));
        Fault::fatal(spot, message, help)
    }
}

/// Whether a text can be filled in at all.
fn check_text(spot: Spot, text: &str) -> Option<Fault> {
    let fault = variables(text).err()?;
    let help = "docs/flows.md tells how texts are filled in";
    let message = format!("this text cannot be filled in: {}", fault.message);
    let range = fault.at.unwrap_or(0..text.len());
    Some(Fault::fatal(spot, message, help).inside(text, range))
}

/// What an unknown word was most likely meant to be, as help.
fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let distance = |it: &str| strsim::damerau_levenshtein(it, word);
    let nearest = known.map(|it| (distance(it), it)).min();
    nearest
        .filter(|(distance, _)| *distance <= 1 + word.chars().count() / 3)
        .map(|(_, it)| format!("did you mean \"{it}\"?"))
}

/// More than anybody oversees on one page, and little enough to be checked in a moment.
const MAX_STEPS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::super::step::{Setting, Step};
    use super::*;
    use indexmap::IndexMap;
    use serde_json::Map;

    fn set(next: &str) -> Step {
        Step::Set(Setting {
            attributes: Map::new(),
            next: next.to_owned(),
        })
    }

    fn document(start: &str, steps: &[(&str, Step)]) -> Document {
        Document {
            start: start.to_owned(),
            steps: steps
                .iter()
                .map(|(name, step)| ((*name).to_owned(), step.clone()))
                .collect::<IndexMap<_, _>>(),
            ..Document::new("main")
        }
    }

    #[test]
    fn a_step_that_does_not_exist_is_found_with_the_nearest_that_does() {
        let faults = document("a", &[("a", set("sels")), ("sales", set("hangup"))]).check();
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].spot, Spot::key("a", "next"));
        assert!(faults[0].help.contains("sales"), "{faults:?}");
    }

    #[test]
    fn a_ring_of_steps_that_take_no_time_is_refused_once() {
        let faults = document("a", &[("a", set("b")), ("b", set("a"))]).check();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].message.contains("a -> b"), "{faults:?}");
    }

    #[test]
    fn a_step_nobody_reaches_is_untidy_not_fatal() {
        let faults = document("a", &[("a", set("hangup")), ("b", set("a"))]).check();
        assert_eq!(faults.len(), 1);
        assert!(!faults[0].fatal);
        assert_eq!(faults[0].spot, Spot::step("b"));
    }
}
