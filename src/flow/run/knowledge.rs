//! What a run knows of its call: what texts and conditions look at, and what it takes in.

use serde_json::{Map, Value, json};

use super::{Action, Run};
use crate::base::{Entropy, Language, Timestamp};
use crate::flow::request::QueueFigures;
use crate::flow::{Template, Whisper};

/// Most attributes of a call, and most bytes of all of them: what a reply may add is limited.
const MAX_ATTRIBUTES: usize = 256;
const MAX_ATTRIBUTE_BYTES: usize = 64 * 1024;

impl Run {
    /// Everything texts and conditions may look at.
    pub(in crate::flow) fn names(&self, now: Timestamp) -> Map<String, Value> {
        let context = &self.context;
        let figures = self.figures.map(serde_json::to_value);
        let names = json!({
            "call": {
                "id": context.id,
                "from": context.from,
                "from_name": context.from_name,
                "to": context.to,
                "trunk": context.trunk,
                "started": context.started.to_rfc3339(),
                "flow": self.document.name,
                "language": self.language(),
            },
            "attributes": self.attributes,
            "digits": self.part.digits,
            "loops": self.part.rounds,
            "now": now.to_rfc3339(),
            "number": context.attributes,
            "parameters": self.part.parameters,
            "queue": figures.and_then(Result::ok),
            "reply": self.reply,
        });
        match names {
            Value::Object(names) => names,
            _ => Map::new(),
        }
    }

    /// A text filled in.
    pub(in crate::flow) fn fill_in(&self, now: Timestamp, text: &Template) -> String {
        match text.is_plain() {
            true => text.text().to_owned(),
            false => text.render(&self.names(now)),
        }
    }

    /// The caller's language: his attribute `language`, else the office's.
    pub(in crate::flow) fn language(&self) -> &str {
        let own = self.attributes.get("language").and_then(Value::as_str);
        own.unwrap_or(&self.context.language)
    }

    /// The greeting of the number that led here.
    pub(in crate::flow) fn greeting(&self) -> Option<&[String]> {
        let greeting = self.context.greeting.as_slice();
        (!greeting.is_empty()).then_some(greeting)
    }

    /// What an agent hears first of a call to the number that led here.
    pub fn whisper_of_number(&self) -> Option<&Whisper> {
        self.context.whisper.as_ref()
    }

    /// The calendar of the number that led here.
    pub(in crate::flow) fn calendar(&self) -> Option<String> {
        self.context.calendar.clone()
    }

    /// The language in which things are read out.
    pub(in crate::flow) fn voice(&self) -> Language {
        Language::of_locale(self.language())
    }

    /// What was pressed at a step.
    pub(in crate::flow) fn take_digits(&mut self, at: &str, digits: &str) {
        self.part.digits.insert(at.to_owned(), digits.into());
    }

    /// What an endpoint or a table said.
    pub(in crate::flow) fn take_reply(&mut self, reply: Value) {
        self.reply = match reply.to_string().len() > MAX_ATTRIBUTE_BYTES {
            true => Value::Null,
            false => reply,
        };
    }

    /// How a queue is.
    pub(in crate::flow) fn take_figures(&mut self, figures: QueueFigures) {
        self.figures = Some(figures);
    }

    /// A number below `bound` by chance.
    pub(in crate::flow) fn draw(&mut self, bound: u64) -> u64 {
        self.draws += 1;
        Entropy::from_seed(self.context.seed.wrapping_add(self.draws)).below(bound)
    }

    /// What the router sees of the call.
    pub(in crate::flow) fn task_attributes(&self) -> Map<String, Value> {
        let mut attributes = Map::new();
        attributes.insert("from".to_owned(), self.context.from.clone().into());
        if let Some(name) = &self.context.from_name {
            attributes.insert("from_name".to_owned(), name.clone().into());
        }
        attributes.insert("to".to_owned(), self.context.to.clone().into());
        if let Some(trunk) = &self.context.trunk {
            attributes.insert("trunk".to_owned(), trunk.clone().into());
        }
        attributes.insert("flow".to_owned(), self.document.name.clone().into());
        attributes.extend(self.attributes.clone());
        attributes
    }

    /// Sets attributes of the call.
    pub(in crate::flow) fn set(&mut self, attributes: &Map<String, Value>) {
        let mut taken = Map::new();
        for (name, value) in attributes {
            let before = self.attributes.insert(name.clone(), value.clone());
            // Only what comes from outside can be so much.
            let bytes = || serde_json::to_string(&self.attributes).map_or(0, |text| text.len());
            if self.attributes.len() > MAX_ATTRIBUTES || bytes() > MAX_ATTRIBUTE_BYTES {
                tracing::warn!(flow = %self.document.name, name, "too many attributes");
                match before {
                    None => drop(self.attributes.shift_remove(name)),
                    Some(before) => drop(self.attributes.insert(name.clone(), before)),
                }
                continue;
            }
            taken.insert(name.clone(), value.clone());
        }
        if !taken.is_empty() {
            self.push(Action::SetAttributes(taken));
        }
    }
}
