//! What texts and conditions look at: every name must be there (R133).

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Document, Fault, Part, Spot, nearest};
use crate::flow::request::QueueFigures;
use crate::flow::step::{Mention, Step};
use crate::flow::template::variables;

/// What a document alone does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Attributes that other flows of the same call set, or numbers that lead to it.
    pub attributes: BTreeSet<String>,
    /// Attributes of the numbers that lead to it.
    pub number: BTreeSet<String>,
    /// What replies have that its steps may look at: the columns of the tables, nothing where nobody
    /// is asked; `None` where an endpoint may say anything, or that is not known.
    pub replies: Option<BTreeSet<String>>,
    /// Whether figures of a queue may be there.
    pub figures: Figures,
}

/// Whether a flow may know how a queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Figures {
    /// Some step may have looked.
    #[default]
    Seen,
    /// No step looks.
    Unseen,
}

/// What is known of a call by itself, behind `call.`.
const OF_CALL: [&str; 8] = [
    "flow",
    "from",
    "from_name",
    "id",
    "language",
    "started",
    "to",
    "trunk",
];
/// Where names begin.
const ROOTS: [&str; 9] = [
    "attributes",
    "call",
    "digits",
    "loops",
    "now",
    "number",
    "parameters",
    "queue",
    "reply",
];

impl Document {
    /// Every attribute that the flow sets, expects or begins with, in its steps or at its top.
    pub fn sets(&self) -> impl Iterator<Item = String> {
        let steps = self.mentions().filter_map(|(_, mention)| match mention {
            Mention::Sets(name) => Some(name.to_owned()),
            _ => None,
        });
        let top = self.attributes.keys().chain(&self.expects).cloned();
        steps.chain(top)
    }

    /// Names that texts and conditions look at and nobody gives; parameters that nobody takes.
    pub fn check_names(&self, outside: &Outside) -> Vec<Fault> {
        let mut attributes: BTreeSet<String> = self.sets().collect();
        attributes.extend(outside.attributes.iter().cloned());
        let mut faults = Vec::new();
        for (spot, mention) in self.mentions() {
            let (text, looked_at) = match mention {
                Mention::Text(text) => (text, looked_at(text)),
                Mention::Number(number) => (number.text(), looked_at(number.text())),
                Mention::Condition(condition) => (condition.text(), condition.variables()),
                _ => continue,
            };
            for (name, range) in looked_at {
                if let Some((message, help)) = self.unknown(&name, &attributes, outside) {
                    let fault = Fault::fatal(spot.clone(), message, help);
                    faults.push(fault.inside(text, range));
                }
            }
        }
        faults.extend(self.strange_parameters());
        faults
    }

    /// What is wrong with a name such as `attributes.vip`, and what to do; `None` when it is known.
    fn unknown(
        &self,
        name: &str,
        attributes: &BTreeSet<String>,
        outside: &Outside,
    ) -> Option<(String, String)> {
        let mut parts = name.split('.');
        let root = parts.next().unwrap_or_default();
        let key = parts.next();
        let set = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
        let list = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        let known: Vec<String> = match (root, key) {
            ("now", None) => return None,
            ("reply", Some(_)) => match &outside.replies {
                None => return None,
                Some(replies) => {
                    let mut known = set(replies);
                    // Even where the reply is known, that there was none can be.
                    known.extend((!replies.is_empty()).then(|| "error".to_owned()));
                    known
                }
            },
            ("queue", Some(_)) if outside.figures == Figures::Unseen => Vec::new(),
            (root, None) if ROOTS.contains(&root) => return None,
            ("attributes", _) => set(attributes),
            ("call", _) => list(&OF_CALL),
            ("digits", _) => {
                let is_asked = |step: &Step| matches!(step, Step::Collect(_) | Step::Menu(_));
                let steps = self.steps.iter().filter(|(_, step)| is_asked(step));
                steps.map(|(name, _)| name.clone()).collect()
            }
            ("loops", _) => {
                let steps = self.steps.iter();
                let loops = steps.filter(|(_, step)| matches!(step, Step::Loop(_)));
                loops.map(|(name, _)| name.clone()).collect()
            }
            ("number", _) => set(&outside.number),
            ("parameters", _) => self.parameters.keys().cloned().collect(),
            ("queue", _) => list(&QueueFigures::NAMES),
            _ => {
                let help = if attributes.contains(root) {
                    format!("write attributes.{root}")
                } else {
                    nearest(root, ROOTS.into_iter())
                        .unwrap_or_else(|| format!("names begin with {}", ROOTS.join(", ")))
                };
                return Some((format!("nothing is called `{root}` here"), help));
            }
        };
        let key = key.unwrap_or_default();
        if known.iter().any(|it| it == key) {
            return None;
        }
        let message = match root {
            "attributes" => format!("nothing sets the attribute `{key}`"),
            "number" => format!("no number that leads to this flow has `{key}`"),
            _ => format!("there is no `{root}.{key}`"),
        };
        let help = nearest(key, known.iter().map(String::as_str)).unwrap_or_else(|| match root {
            "attributes" => {
                format!(
                    "set it, or add expects = [\"{key}\"] at the top when it comes from elsewhere"
                )
            }
            "number" => "add it to `attributes` of the number in numbers.toml".to_owned(),
            "queue" if known.is_empty() => {
                "no step looks at a queue: add one with do = \"queue_status\" or \"staffing\" before"
                    .to_owned()
            }
            "reply" if known.is_empty() => {
                "no step asks for a reply: add one with do = \"http\" or \"lookup\" before".to_owned()
            }
            "parameters" => format!("add parameters = {{ {key} = \"\" }} at the top"),
            _ if known.is_empty() => format!("this flow has no `{root}`"),
            _ => format!("there is {}", known.join(", ")),
        });
        Some((message, help))
    }

    /// Parameters that are given to flows which have none of these names.
    fn strange_parameters(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (name, step) in &self.steps {
            let Step::Flow(calling) = step else { continue };
            let Some(part) = self.flows.get(&calling.flow) else {
                continue;
            };
            for parameter in calling.parameters.keys() {
                if !part.parameters.contains_key(parameter) {
                    let spot = Spot {
                        part: Part::Answer(parameter.clone()),
                        ..Spot::key(name, "parameters")
                    };
                    let flow = &calling.flow;
                    let message = format!("the flow \"{flow}\" has no parameter `{parameter}`");
                    let known = part.parameters.keys().map(String::as_str);
                    let help = nearest(parameter, known).unwrap_or_else(|| {
                        format!("add it to `parameters` at the top of flows/{flow}.toml")
                    });
                    faults.push(Fault::fatal(spot, message, help));
                }
            }
        }
        faults
    }
}

/// Every name a text looks at, with its place; the whole text where that is not found.
fn looked_at(text: &str) -> Vec<(String, Range<usize>)> {
    let names = variables(text).unwrap_or_default().into_iter();
    names
        .map(|name| {
            let at = text.find(&name).map(|at| at..at + name.len());
            (name, at.unwrap_or(0..text.len()))
        })
        .collect()
}
