//! Available, away with a reason, and what follows when he has nothing left in hand.

use std::collections::BTreeSet;

use super::order::AgentOrder;
use super::session::{Around, Asked, Session, Then, Want, choice};
use super::speech;

/// The code that takes back what was to follow.
const NONE: &str = "0";

impl Session {
    pub(super) fn become_available(&mut self, around: &mut Around<'_>, agent: &str) {
        match around.terms.first(true) {
            Some(activity) => {
                let name = activity.name.clone();
                self.go_over(around, agent, name, Then::SayState(Vec::new()));
            }
            None => self.say(["agent-refused"]),
        }
    }

    /// He is away at once, whatever he presses later or leaves unsaid.
    pub(super) fn become_away(&mut self, around: &mut Around<'_>, agent: &str) {
        let chosen = around.terms.coded(&self.digits);
        if let Some(activity) = chosen.filter(|activity| !activity.available) {
            let name = activity.name.clone();
            return self.go_over(around, agent, name, Then::SayState(Vec::new()));
        }
        let Some(activity) = around.terms.first(false) else {
            return self.say(["agent-refused"]);
        };
        let name = activity.name.clone();
        let before = match (self.digits.is_empty(), reasons(around).is_empty()) {
            (true, true) => return self.go_over(around, agent, name, Then::SayState(Vec::new())),
            (true, false) => Vec::new(),
            (false, _) => vec!["no-match".to_owned()],
        };
        self.go_over(around, agent, name, Then::AskReason(before));
    }

    /// Asks why he is away.
    pub(super) fn ask_reason(&mut self, around: &mut Around<'_>, mut prompt: Vec<String>) {
        let codes = reasons(around);
        if codes.is_empty() {
            return self.say_state(around, prompt);
        }
        if let Some(standing) = self.standing(around) {
            prompt.extend(speech::of_standing(around.terms, &standing));
        }
        prompt.push("agent-reason".to_owned());
        self.ask(around, Asked::Reason, choice(prompt, codes));
    }

    pub(super) fn choose_reason(&mut self, around: &mut Around<'_>, code: &str) {
        let chosen = around.terms.coded(code).map(|it| it.name.clone());
        if let (Some(activity), Some(agent)) = (chosen, self.agent.clone()) {
            self.go_over(around, &agent, activity, Then::SayState(Vec::new()));
        }
    }

    /// What follows: by the digits dialled, or asked for.
    pub(super) fn begin_next(&mut self, around: &mut Around<'_>, agent: &str) {
        if self.digits == NONE || around.terms.coded(&self.digits).is_some() {
            let code = std::mem::take(&mut self.digits);
            return self.choose_next_of(around, agent, &code);
        }
        let codes = around.terms.activities.iter();
        let codes = codes.filter_map(|activity| activity.code.clone());
        let codes: BTreeSet<String> = codes.chain([NONE.to_owned()]).collect();
        let mut prompt = vec!["agent-next".to_owned()];
        if !self.digits.is_empty() {
            prompt.insert(0, "no-match".to_owned());
        }
        self.ask(around, Asked::Next, choice(prompt, codes));
    }

    pub(super) fn choose_next(&mut self, around: &mut Around<'_>, code: &str) {
        if let Some(agent) = self.agent.clone() {
            self.choose_next_of(around, &agent, code);
        }
    }

    fn choose_next_of(&mut self, around: &mut Around<'_>, agent: &str, code: &str) {
        let chosen = around.terms.coded(code);
        let is_busy = self.standing(around).is_some_and(|it| it.is_busy());
        if let (Some(activity), false) = (chosen, is_busy) {
            // Nothing to wait for.
            let name = activity.name.clone();
            return self.go_over(around, agent, name, Then::SayState(Vec::new()));
        }
        let then = match chosen {
            None => Then::SayState(vec!["agent-next-none".to_owned()]),
            Some(activity) => {
                let said = speech::of_activity(around.terms, &activity.name, activity.available);
                Then::Say(vec!["agent-after-this".to_owned(), said])
            }
        };
        self.order(AgentOrder::NextActivity {
            agent: agent.to_owned(),
            activity: chosen.map(|activity| activity.name.clone()),
            by: format!("phone {}", self.phone),
        });
        self.wait(around, Want::Nothing, then);
    }

    fn go_over(&mut self, around: &mut Around<'_>, agent: &str, activity: String, then: Then) {
        self.order(AgentOrder::Activity {
            agent: agent.to_owned(),
            activity: activity.clone(),
            by: format!("phone {}", self.phone),
        });
        self.wait(around, Want::Activity(activity), then);
    }
}

/// Codes of activities that are not available.
fn reasons(around: &Around<'_>) -> BTreeSet<String> {
    let activities = around.terms.activities.iter();
    let away = activities.filter(|activity| !activity.available);
    away.filter_map(|activity| activity.code.clone()).collect()
}
