//! After-call work by phone: over, with a code when the queue wants one; begun by hand; longer.

use super::order::AgentOrder;
use super::session::{Around, Asked, Session, Then, Want};
use crate::ivr::Question;
use crate::router::WorkerState;

impl Session {
    /// Over: with the digits dialled as the code, or without one until the router asks for it.
    pub(super) fn end_wrap(&mut self, around: &mut Around<'_>, agent: &str) {
        let code = Some(std::mem::take(&mut self.digits)).filter(|code| !code.is_empty());
        self.order(AgentOrder::EndWrap {
            agent: agent.to_owned(),
            code,
        });
        self.wait(around, Want::Wrap(false), Then::SayState(Vec::new()));
    }

    pub(super) fn end_wrap_with(&mut self, around: &mut Around<'_>, code: Option<String>) {
        self.digits = code.unwrap_or_default();
        if let Some(agent) = self.agent.clone() {
            self.end_wrap(around, &agent);
        }
    }

    /// Asks what the call was about; after-call work goes on meanwhile.
    pub(super) fn ask_code(&mut self, around: &mut Around<'_>, before: &[&str]) {
        let prompt = before.iter().chain(&["agent-code"]);
        let question = Question {
            tries: 1,
            ..Question::digits(prompt.map(|&sound| sound.to_owned()).collect(), 1..=8)
        };
        self.ask(around, Asked::Code, question);
    }

    /// Begins by hand, or goes on longer.
    pub(super) fn begin_wrap(&mut self, around: &mut Around<'_>, agent: &str) {
        let standing = self.standing(around);
        let is_in = standing.is_some_and(|standing| standing.state == WorkerState::WrapUp);
        let agent = agent.to_owned();
        match is_in {
            true => {
                let by = around.terms.wrap_extension;
                self.order(AgentOrder::ExtendWrap { agent, by });
                let then = Then::SayState(vec!["agent-longer".to_owned()]);
                self.wait(around, Want::Nothing, then);
            }
            false => {
                self.order(AgentOrder::StartWrap { agent });
                self.wait(around, Want::Wrap(true), Then::SayState(Vec::new()));
            }
        }
    }
}
