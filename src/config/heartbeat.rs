//! What `agents.toml` says of agents' programs: `[heartbeat]`, and `heartbeat` and
//! `disconnect_activity` of agents.

use std::time::Duration;

use super::notes::Notes;
use super::report::Problem;
use super::section::{At, Section};
use super::source::Place;
use crate::presence::HeartbeatTerms;
use crate::router::ActivitySpec;

/// What is read, with its places, until the activities are known.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    pub(super) terms: HeartbeatTerms,
    activity: Option<At<String>>,
    activities: Vec<(String, At<String>)>,
    section: Option<Place>,
}

/// What one agent's entry says.
pub(super) struct AgentHeartbeat {
    is_required: bool,
    activity: Option<At<String>>,
}

impl Heartbeat {
    /// Reads `[heartbeat]` of a file.
    pub(super) fn read(&mut self, top: &Section<'_>, notes: &Notes) {
        let Some(section) = top.section("heartbeat", "[heartbeat]") else {
            return;
        };
        if let Some(other) = &self.section {
            let message = "there are two [heartbeat] sections";
            let problem = Problem::error(section.place(), message, "delete one of them");
            notes.push(problem.with(other, "the other is at"));
        }
        self.section = Some(section.place().clone());
        let terms = &mut self.terms;
        let range = Duration::from_secs(1)..=Duration::from_secs(30);
        if let Some(within) = section.duration("within", range) {
            terms.within = within.value;
        }
        if let Some(misses) = section.integer("misses", 0..=10) {
            terms.misses = u32::try_from(misses.value).unwrap_or_default();
        }
        if let Some(returns) = section.flag("return") {
            terms.returns = returns.value;
        }
        self.activity = section.text("activity").or(self.activity.take());
        section.close();
    }

    /// Takes up an agent.
    pub(super) fn add_agent(&mut self, name: &str, written: AgentHeartbeat) {
        if written.is_required {
            self.terms.required.insert(name.to_owned());
        }
        let own = written.activity.map(|activity| (name.to_owned(), activity));
        self.activities.extend(own);
    }

    /// What was not written, and what must be an activity that is not available.
    pub(super) fn finish(&mut self, activities: &[ActivitySpec], notes: &Notes) {
        let away = |written: &At<String>| {
            let mut known = activities.iter();
            let found = known.find(|activity| activity.name == written.value);
            if found.is_some_and(|activity| !activity.available) {
                return true;
            }
            let message = match found {
                None => format!("there is no activity \"{}\"", written.value),
                Some(_) => format!("\"{}\" is an available activity", written.value),
            };
            let help = "name an [[activity]] with available = false";
            notes.error(&written.place, message, help);
            false
        };
        let first = activities.iter().find(|activity| !activity.available);
        match &self.activity {
            Some(written) if away(written) => {
                self.terms.activity.clone_from(&written.value);
            }
            Some(_) => {}
            None => {
                if let Some(first) = first {
                    self.terms.activity.clone_from(&first.name);
                }
            }
        }
        for (agent, written) in self.activities.drain(..) {
            if away(&written) {
                self.terms.activities.insert(agent, written.value);
            }
        }
    }
}

/// Reads what an agent's entry says of his heartbeat.
pub(super) fn of_agent(agent: &Section<'_>) -> AgentHeartbeat {
    AgentHeartbeat {
        is_required: agent.flag("heartbeat").is_some_and(|at| at.value),
        activity: agent.text("disconnect_activity"),
    }
}
