//! Log-in with a PIN, also at a phone that is not the agent's own, and log-out.
//!
//! Whoever guesses learns nothing but that it was wrong: a number that nobody has is asked for a
//! PIN, and after too many wrong ones asked no more, like any other.

use serde::{Deserialize, Serialize};

use super::lockout::Try;
use super::order::AgentOrder;
use super::session::{Around, Asked, Output, Session, Then, Want};
use super::terms::DeskTerms;
use crate::base::Timestamp;
use crate::ivr::Question;

/// What came of a log-in or log-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// He is logged in.
    Accepted,
    /// Too many PINs were wrong: none is taken for a while.
    Locked,
    /// He is logged out.
    LoggedOut,
    /// The agent of that phone has a call in hand.
    PhoneInUse,
    /// The PIN, or the number, was wrong.
    Wrong,
}

impl Outcome {
    /// As events and metrics write it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Locked => "locked",
            Outcome::LoggedOut => "logged_out",
            Outcome::PhoneInUse => "phone_in_use",
            Outcome::Wrong => "wrong",
        }
    }
}

impl Session {
    pub(super) fn begin_login(&mut self, around: &mut Around<'_>) {
        // Who it is will be proven.
        self.agent = None;
        if !self.digits.is_empty() {
            let number = std::mem::take(&mut self.digits);
            return self.ask_pin(around, number);
        }
        let question = Question::digits(vec!["agent-number".to_owned()], 0..=16);
        self.ask(around, Asked::Number, question);
    }

    /// Asks for the PIN of whoever has a number; of this phone's own agent when it is empty.
    pub(super) fn ask_pin(&mut self, around: &mut Around<'_>, number: String) {
        let agent = self.named(around, &number);
        let (now, terms) = (around.now, around.terms);
        let one = self.one(now, terms, (agent.as_deref(), &number));
        if around.room.lockout.is_closed(&one) {
            return self.refuse(agent, Outcome::Locked, "agent-locked");
        }
        let owner = agent.filter(|agent| terms.owner(&self.phone) == Some(agent));
        let known = owner.as_ref().and_then(|owner| terms.agents.get(owner));
        if let (Some(owner), Some(None)) = (owner, known.map(|known| &known.pin)) {
            // His phone has proven itself by its password, and nothing more is asked of him.
            return self.log_in(around, owner);
        }
        self.ask_pin_of(around, number, &[]);
    }

    pub(super) fn take_pin(&mut self, around: &mut Around<'_>, number: &str, pin: &str) {
        let agent = self.named(around, number);
        let known = agent
            .as_ref()
            .and_then(|agent| around.terms.agents.get(agent));
        let secret = known.and_then(|known| known.pin.as_ref());
        let is_right = secret.is_some_and(|secret| secret.is(pin));
        let (now, terms) = (around.now, around.terms);
        let one = self.one(now, terms, (agent.as_deref(), number));
        let lockout = &mut around.room.lockout;
        // Another session may have used up the tries meanwhile.
        if lockout.is_closed(&one) {
            return self.refuse(agent, Outcome::Locked, "agent-locked");
        }
        if let Some(agent) = agent.clone().filter(|_| is_right) {
            lockout.succeeded(&one);
            return self.log_in(around, agent);
        }
        lockout.failed(&one);
        if lockout.is_closed(&one) {
            return self.refuse(agent, Outcome::Locked, "agent-locked");
        }
        let outcome = Outcome::Wrong;
        self.put_out(Output::LoggedIn { agent, outcome });
        self.ask_pin_of(around, number.to_owned(), &["agent-wrong"]);
    }

    pub(super) fn log_out(&mut self, around: &mut Around<'_>, agent: &str) {
        let moved = around.room.seats.leave(around.terms, agent);
        self.tell_seats(moved);
        let activity = around.terms.logged_out.clone();
        let by = format!("phone {}: logged out", self.phone);
        self.order(AgentOrder::Activity {
            agent: agent.to_owned(),
            activity: activity.clone(),
            by,
        });
        self.put_out(Output::LoggedIn {
            agent: Some(agent.to_owned()),
            outcome: Outcome::LoggedOut,
        });
        let last = Then::Say(vec!["agent-logged-out".to_owned()]);
        self.wait(around, Want::Activity(activity), last);
    }

    /// He has proven who he is: the phone is his, and he takes calls.
    fn log_in(&mut self, around: &mut Around<'_>, agent: String) {
        let terms = around.terms;
        let before = around.room.seats.agent_at(terms, &self.phone);
        let other = before.filter(|other| *other != agent).map(str::to_owned);
        let standing = other.as_deref().and_then(|other| (around.standing)(other));
        if standing.as_ref().is_some_and(|standing| standing.is_busy()) {
            return self.refuse(Some(agent), Outcome::PhoneInUse, "agent-phone-in-use");
        }
        let Some(available) = terms.first(true).map(|activity| activity.name.clone()) else {
            return self.say(["agent-refused"]);
        };
        let moved = around.room.seats.sit(terms, &agent, &self.phone);
        if let (Some(other), Some(true)) = (other, standing.map(|standing| standing.available)) {
            self.order(AgentOrder::Activity {
                agent: other,
                activity: terms.logged_out.clone(),
                by: format!("phone {}: {agent} logged in", self.phone),
            });
        }
        self.tell_seats(moved);
        self.order(AgentOrder::Activity {
            agent: agent.clone(),
            activity: available.clone(),
            by: format!("phone {}: logged in", self.phone),
        });
        self.put_out(Output::LoggedIn {
            agent: Some(agent.clone()),
            outcome: Outcome::Accepted,
        });
        self.agent = Some(agent);
        let then = Then::SayState(vec!["agent-logged-in".to_owned()]);
        self.wait(around, Want::Activity(available), then);
    }

    fn tell_seats(&mut self, agents: Vec<String>) {
        for agent in agents {
            self.order(AgentOrder::Seat { agent });
        }
    }

    /// A PIN for an agent, or for a number that nobody has, at this phone.
    fn one<'a>(
        &'a self,
        now: Timestamp,
        terms: &'a DeskTerms,
        (agent, number): (Option<&'a str>, &'a str),
    ) -> Try<'a> {
        Try {
            now,
            terms,
            phone: &self.phone,
            whom: agent.ok_or(number),
        }
    }

    /// Who has a number; this phone's own agent when none was given.
    fn named(&self, around: &Around<'_>, number: &str) -> Option<String> {
        let found = match number {
            "" => around.terms.owner(&self.phone),
            number => around.terms.numbered(number),
        };
        found.map(str::to_owned)
    }

    fn ask_pin_of(&mut self, around: &mut Around<'_>, number: String, before: &[&str]) {
        let prompt = before.iter().chain(&["agent-pin"]);
        let question = Question {
            secure: true,
            ..Question::digits(prompt.map(|&sound| sound.to_owned()).collect(), 1..=12)
        };
        self.ask(around, Asked::Pin { number }, question);
    }

    fn refuse(&mut self, agent: Option<String>, outcome: Outcome, sound: &str) {
        self.put_out(Output::LoggedIn { agent, outcome });
        self.say([sound]);
    }
}
