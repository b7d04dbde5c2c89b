//! What `agents.toml` says for agents who work by phone: `[desk]`, and `number`, `pin`, `language`,
//! `code` and `sound` of agents and activities.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::environment::Environment;
use super::node::{Listeners, is_public};
use super::notes::Notes;
use super::report::Problem;
use super::secret;
use super::section::{At, Section};
use super::source::Place;
use crate::base::Pin;
use crate::call::{ActivityTerms, AgentTerms, DeskTerms};

/// What is read, with its places, until all of it is known.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) terms: DeskTerms,
    /// Sounds of activities.
    pub(super) sounds: Vec<At<String>>,
    logged_out: Option<At<String>>,
    /// Where agents' numbers stand, each for the first time, those of their phones included.
    numbers: HashMap<String, Place>,
    /// The same of numbers written as such.
    written_numbers: HashMap<String, Place>,
    codes: Vec<At<String>>,
    /// Agents whose PIN everybody knows.
    published: Vec<At<String>>,
    section: Option<Place>,
}

/// What one agent's entry says.
pub(super) struct AgentDesk {
    number: Option<At<String>>,
    pin: Option<At<secret::Digits>>,
    language: Option<At<String>>,
}

/// What one activity's entry says.
pub(super) struct ActivityDesk {
    code: Option<At<String>>,
    sound: Option<At<String>>,
}

impl Desk {
    /// Reads `[desk]` of a file.
    pub(super) fn read(&mut self, top: &Section<'_>, notes: &Notes) {
        let Some(desk) = top.section("desk", "[desk]") else {
            return;
        };
        if let Some(other) = &self.section {
            let problem = Problem::error(
                desk.place(),
                "there are two [desk] sections",
                "delete one of them",
            );
            notes.push(problem.with(other, "the other is at"));
        }
        self.section = Some(desk.place().clone());
        let terms = &mut self.terms;
        if let Some(language) = language(&desk, notes) {
            terms.language = Some(language.value);
        }
        self.logged_out = desk.text("logged_out");
        if let Some(tries) = desk.integer("pin_tries", 1..=10) {
            terms.pin_tries = u32::try_from(tries.value).unwrap_or(1);
        }
        let day = Duration::from_secs(86_400);
        if let Some(pause) = desk.duration("pin_pause", Duration::from_secs(1)..=day) {
            terms.pin_pause = pause.value;
        }
        let hour = Duration::from_secs(3600);
        if let Some(by) = desk.duration("wrap_extension", Duration::from_secs(1)..=hour) {
            terms.wrap_extension = by.value;
        }
        desk.close();
    }

    /// Takes up an activity.
    pub(super) fn add_activity(
        &mut self,
        name: &str,
        available: bool,
        written: ActivityDesk,
        notes: &Notes,
    ) {
        let ActivityDesk { code, sound } = written;
        if let Some(code) = &code {
            let digits = code.value.bytes().all(|c| c.is_ascii_digit());
            if !digits || !(1..=4).contains(&code.value.len()) || code.value == "0" {
                let message = format!("\"{}\" is no code of an activity", code.value);
                let help = "write 1 to 4 digits; 0 alone takes back what was to follow";
                notes.error(&code.place, message, help);
            }
            if let Some(other) = self.codes.iter().find(|other| other.value == code.value) {
                let message = format!("code {} is taken", code.value);
                let problem = Problem::error(&code.place, message, "give every activity its own");
                notes.push(problem.with(&other.place, "the other is at"));
            }
            self.codes.push(code.clone());
        }
        self.sounds.extend(sound.clone());
        self.terms.activities.push(ActivityTerms {
            name: name.to_owned(),
            available,
            code: code.map(|at| at.value),
            sound: sound.map(|at| at.value),
        });
    }

    /// Takes up an agent.
    pub(super) fn add_agent(
        &mut self,
        (name, phone): (&At<String>, &At<String>),
        written: AgentDesk,
        notes: &Notes,
    ) {
        let AgentDesk {
            number,
            pin,
            language,
        } = written;
        if let Some(number) = &number {
            let digits = number.value.bytes().all(|c| c.is_ascii_digit());
            if !digits || !(1..=16).contains(&number.value.len()) {
                let message = format!("\"{}\" is no agent number", number.value);
                notes.error(&number.place, message, "write 1 to 16 digits");
            }
        }
        let is_written = number.is_some();
        let number = number.unwrap_or_else(|| phone.clone());
        // Two agents of one phone are told of that alone.
        let others = match is_written {
            true => &self.numbers,
            false => &self.written_numbers,
        };
        if let Some(other) = others.get(&number.value) {
            let message = format!("agent number {} is taken", number.value);
            let problem = Problem::error(&number.place, message, "give every agent his own");
            notes.push(problem.with(other, "the other is at"));
        }
        let taken = [
            Some(&mut self.numbers),
            is_written.then_some(&mut self.written_numbers),
        ];
        for taken in taken.into_iter().flatten() {
            let place = || number.place.clone();
            taken.entry(number.value.clone()).or_insert_with(place);
        }
        let pin = pin.and_then(|pin| {
            let text = match &pin.value {
                secret::Digits::Demo => {
                    self.published.push(At {
                        value: name.value.clone(),
                        place: pin.place.clone(),
                    });
                    published_pin(&phone.value)
                }
                secret::Digits::Text(text) => text.clone(),
            };
            let known = Pin::new(&text);
            if known.is_none() {
                let message = "what stands there is no PIN";
                notes.error(&pin.place, message, "a PIN has 4 to 12 digits");
            }
            known
        });
        self.terms.agents.insert(
            name.value.clone(),
            AgentTerms {
                phone: phone.value.clone(),
                number: number.value,
                pin,
                language: language.map(|at| at.value),
            },
        );
    }

    /// What was not written, and what must be an activity.
    pub(super) fn finish(&mut self, notes: &Notes) {
        if self.terms.activities.is_empty() {
            for (name, available) in [("available", true), ("away", false)] {
                let written = ActivityDesk {
                    code: None,
                    sound: None,
                };
                self.add_activity(name, available, written, notes);
            }
        }
        let mut activities = self.terms.activities.iter();
        match &self.logged_out {
            None => {
                if let Some(first) = activities.find(|activity| !activity.available) {
                    self.terms.logged_out.clone_from(&first.name);
                }
            }
            Some(written) => match activities.find(|activity| activity.name == written.value) {
                Some(found) if !found.available => {
                    self.terms.logged_out.clone_from(&written.value);
                }
                found => {
                    let message = match found {
                        None => format!("there is no activity \"{}\"", written.value),
                        Some(_) => format!("\"{}\" is an available activity", written.value),
                    };
                    let help = "name an [[activity]] with available = false";
                    notes.error(&written.place, message, help);
                }
            },
        }
    }

    /// A PIN that stands in a public repository must not be of use from outside.
    pub(super) fn check_listeners(&self, listeners: &Listeners, notes: &Notes) {
        let Some(first) = self.published.first() else {
            return;
        };
        if let Some(listener) = listeners.sip.iter().find(|listener| is_public(listener)) {
            let (protocol, address) = listener.value;
            let message = format!(
                "agent {} has the demo's published PIN, so {protocol} {address} stays closed: \
                 only loopback is allowed",
                first.value
            );
            let help = "give every agent a PIN of his own, or listen on 127.0.0.1";
            let problem = Problem::error(&listener.place, message, help);
            notes.push(problem.with(&first.place, "the first published PIN is at"));
        }
    }
}

/// The demo office's published PIN of an agent: the number of his phone.
pub fn published_pin(phone: &str) -> String {
    phone.to_owned()
}

/// Reads what an agent's entry says of his desk.
pub(super) fn of_agent(
    agent: &Section<'_>,
    (directory, environment): (&Path, &Environment),
    notes: &Notes,
) -> AgentDesk {
    AgentDesk {
        number: agent.text("number"),
        pin: secret::read_digits(agent, "pin", directory, environment, notes),
        language: language(agent, notes),
    }
}

/// Reads what an activity's entry says of desks.
pub(super) fn of_activity(activity: &Section<'_>) -> ActivityDesk {
    ActivityDesk {
        code: activity.text("code"),
        sound: activity.text("sound"),
    }
}

/// The language a section names, by its tag.
pub(super) fn language(section: &Section<'_>, notes: &Notes) -> Option<At<String>> {
    let written = section.text("language")?;
    let is_tag = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    if !written.value.bytes().all(is_tag) || written.value.len() > 16 {
        let message = format!("\"{}\" is no language", written.value);
        notes.error(&written.place, message, "write its tag, such as \"ja\"");
        return None;
    }
    Some(written)
}
