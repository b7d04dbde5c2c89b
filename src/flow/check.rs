//! What is wrong with a document, found without running it.

use std::collections::{BTreeSet, HashSet};

use super::document::{Document, HANG_UP};

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
    /// An answer of a menu: the keys to press.
    Answer(String),
    /// A member of a list.
    Item(usize),
    /// Where an answer of a menu leads.
    Target(String),
    /// All of it.
    Whole,
}

/// One thing wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub spot: Spot,
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
            message: message.into(),
            help: help.into(),
            fatal: true,
        }
    }
}

impl Document {
    /// Everything wrong with the document by itself: steps that do not exist, are never reached
    /// or go round without end; answers nobody can press.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !self.exists(&self.start) {
            faults.push(self.dangling(Spot::document("start"), &self.start));
        }
        for (name, step) in &self.steps {
            for (spot, to) in step.exits(name) {
                if !self.exists(to) {
                    faults.push(self.dangling(spot, to));
                }
            }
            faults.extend(step.kind().faults(name));
        }
        faults.extend(self.endless());
        if faults.is_empty() {
            faults.extend(self.unreachable());
        }
        faults
    }

    fn exists(&self, step: &str) -> bool {
        step == HANG_UP || self.steps.contains_key(step)
    }

    fn dangling(&self, spot: Spot, to: &str) -> Fault {
        let mut steps: Vec<&str> = self.steps.keys().map(String::as_str).collect();
        steps.push(HANG_UP);
        let nearest = steps
            .iter()
            .map(|&step| (strsim::damerau_levenshtein(step, to), step))
            .min()
            .filter(|(distance, _)| *distance <= 1 + to.chars().count() / 3);
        let help = match nearest {
            Some((_, step)) => format!("did you mean \"{step}\"?"),
            None => format!("the steps of this flow are: {}", steps.join(", ")),
        };
        Fault {
            spot,
            message: format!("there is no step \"{to}\" in this flow"),
            help,
            fatal: true,
        }
    }

    /// Rings made only of steps that take no time.
    fn endless(&self) -> Vec<Fault> {
        let mut known: HashSet<&str> = HashSet::new();
        let mut faults = Vec::new();
        for begin in self.steps.keys() {
            let (mut path, mut at) = (Vec::new(), begin.as_str());
            while let Some(step) = self.steps.get(at).filter(|step| step.kind().is_instant()) {
                if let Some(first) = path.iter().position(|&seen| seen == at) {
                    faults.push(Fault {
                        spot: Spot::key(at, "next"),
                        message: format!(
                            "these steps go round without end: {}",
                            path[first..].join(" -> ")
                        ),
                        help: "lead one of them to a step that plays, asks, queues or hangs up"
                            .to_owned(),
                        fatal: true,
                    });
                    break;
                }
                if !known.insert(at) {
                    break;
                }
                path.push(at);
                let Some((_, next)) = step.exits(at).into_iter().next() else {
                    break;
                };
                at = next;
            }
        }
        faults
    }

    fn unreachable(&self) -> Vec<Fault> {
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![self.start.as_str()];
        while let Some(at) = open.pop() {
            if let Some(step) = self.steps.get(at).filter(|_| reached.insert(at)) {
                open.extend(step.exits(at).into_iter().map(|(_, to)| to));
            }
        }
        let steps = self.steps.keys();
        steps
            .filter(|step| !reached.contains(step.as_str()))
            .map(|step| Fault {
                spot: Spot::step(step),
                message: format!("no caller ever comes to step \"{step}\""),
                help: "lead another step to it, or delete it".to_owned(),
                fatal: false,
            })
            .collect()
    }
}

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
            name: "main".to_owned(),
            start: start.to_owned(),
            attributes: Map::new(),
            steps: steps
                .iter()
                .map(|(name, step)| ((*name).to_owned(), step.clone()))
                .collect::<IndexMap<_, _>>(),
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
