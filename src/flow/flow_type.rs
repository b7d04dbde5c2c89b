//! What a flow is for, and which steps have a place in it.

use serde::{Deserialize, Serialize};

use super::check::{Fault, Spot};
use super::document::{Document, HANG_UP};
use super::step::Step;

/// What a flow is for: who hears it, and when. The word is `type` at the top of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowType {
    /// An agent whom the caller holds.
    AgentHold,
    /// An agent who has answered, before he is joined with the caller.
    AgentWhisper,
    /// A caller whom the agent holds.
    CustomerHold,
    /// A caller who waits in a queue.
    CustomerQueue,
    /// A caller whose agent has answered, before they are joined.
    CustomerWhisper,
    /// Nobody: the caller is gone.
    Disconnect,
    /// A caller who calls a number.
    #[default]
    Inbound,
    /// Whoever was called and has answered, before he is joined with the caller.
    OutboundWhisper,
}

impl FlowType {
    /// Every type, by the word documents use.
    pub const WORDS: [(&'static str, FlowType); 8] = [
        ("agent_hold", FlowType::AgentHold),
        ("agent_whisper", FlowType::AgentWhisper),
        ("customer_hold", FlowType::CustomerHold),
        ("customer_queue", FlowType::CustomerQueue),
        ("customer_whisper", FlowType::CustomerWhisper),
        ("disconnect", FlowType::Disconnect),
        ("inbound", FlowType::Inbound),
        ("outbound_whisper", FlowType::OutboundWhisper),
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        let mut words = Self::WORDS.iter();
        let found = words.find(|(_, it)| *it == self);
        found.map_or("inbound", |(word, _)| word)
    }

    /// Whether a step has a place in a flow of this type.
    pub fn has(self, step: &Step) -> bool {
        let thinks = matches!(
            step,
            Step::Branch(_)
                | Step::Flow(_)
                | Step::Hours(_)
                | Step::Http(_)
                | Step::Lookup(_)
                | Step::Loop(_)
                | Step::QueueStatus(_)
                | Step::Return(_)
                | Step::Set(_)
                | Step::Split(_)
                | Step::Staffing(_)
        );
        let is_heard = matches!(step, Step::Pause(_) | Step::Play(_) | Step::Say(_));
        let asks = matches!(step, Step::Collect(_) | Step::Hangup(_) | Step::Menu(_));
        let speaks = matches!(step, Step::Language(_));
        match self {
            FlowType::Inbound => !matches!(step, Step::Leave(_)),
            FlowType::CustomerQueue => {
                thinks || is_heard || asks || speaks || matches!(step, Step::Leave(_))
            }
            FlowType::OutboundWhisper => thinks || is_heard || asks,
            FlowType::CustomerHold | FlowType::CustomerWhisper => thinks || is_heard || speaks,
            FlowType::AgentHold | FlowType::AgentWhisper => thinks || is_heard,
            FlowType::Disconnect => thinks,
        }
    }

    /// Whether a flow of this type may end a call, so that `hangup` has a meaning in it.
    fn may_hang_up(self) -> bool {
        matches!(
            self,
            FlowType::CustomerQueue | FlowType::Inbound | FlowType::OutboundWhisper
        )
    }
}

impl Document {
    /// Steps that have no place in a flow of its type, and ways to a hang-up where there is none.
    pub(super) fn misfits(&self) -> Vec<Fault> {
        self.misfits_of(self.flow_type)
    }

    /// The same for a flow of another type that it becomes a part of.
    pub fn misfits_of(&self, flow_type: FlowType) -> Vec<Fault> {
        let word = flow_type.as_str();
        let mut faults = Vec::new();
        for (name, step) in &self.steps {
            if !flow_type.has(step) {
                let message = format!(
                    "a step that does \"{}\" has no place in a flow of type \"{word}\"",
                    step.word()
                );
                let help = "docs/flows.md tells which steps have, under \"Types of flows\"";
                faults.push(Fault::fatal(Spot::key(name, "do"), message, help));
                continue;
            }
            if let Step::Collect(asked) = step
                && asked.secure
                && flow_type != FlowType::Inbound
            {
                let message = format!("a flow of type \"{word}\" keeps no secret");
                let help = "ask for it in the flow that leads the caller";
                faults.push(Fault::fatal(Spot::key(name, "secure"), message, help));
            }
            if flow_type.may_hang_up() {
                continue;
            }
            let ends = self.exits(name, step).into_iter();
            for (spot, _) in ends.filter(|(_, to)| *to == HANG_UP) {
                let message = format!("a flow of type \"{word}\" hangs nobody up");
                let help = "end it with the step \"return\"";
                faults.push(Fault::fatal(spot, message, help));
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{HangingUp, RETURN, Rejection, Setting, Speech};
    use indexmap::IndexMap;

    fn document(flow_type: FlowType, step: Step) -> Document {
        Document {
            start: "a".to_owned(),
            steps: IndexMap::from_iter([("a".to_owned(), step)]),
            flow_type,
            ..Document::new("main")
        }
    }

    fn set(next: &str) -> Step {
        Step::Set(Setting {
            attributes: serde_json::Map::new(),
            next: next.to_owned(),
        })
    }

    #[test]
    fn every_type_has_its_word_and_lets_a_flow_think() {
        for (word, flow_type) in FlowType::WORDS {
            assert_eq!(flow_type.as_str(), word);
            assert_eq!(document(flow_type, set(RETURN)).check(), []);
        }
    }

    #[test]
    fn nothing_is_played_to_nobody_and_a_whisper_hangs_nobody_up() {
        let play = Step::Play(Speech {
            sounds: vec!["greeting".to_owned()],
            next: RETURN.to_owned(),
            ..Speech::default()
        });
        let faults = document(FlowType::Disconnect, play.clone()).check();
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].spot, Spot::key("a", "do"));
        assert_eq!(document(FlowType::AgentWhisper, play).check(), []);
        let faults = document(FlowType::AgentWhisper, set(HANG_UP)).check();
        assert_eq!(faults[0].spot, Spot::key("a", "next"));
        let hangs_up = Step::Hangup(HangingUp {
            cause: Rejection::Normal,
        });
        assert!(
            !document(FlowType::CustomerWhisper, hangs_up.clone())
                .check()
                .is_empty()
        );
        assert_eq!(document(FlowType::CustomerQueue, hangs_up).check(), []);
    }
}
