//! What is heard of a leg before it answers: each fork with its own media (RFC 3261 §13.2.1), the
//! first that has any is heard (RFC 3960 §3), and the one that answers has the word.

use super::core::Core;
use super::feature::{LegEvent, Ringing};
use super::hands::Hands;
use super::leg::{Leg, Progress};
use super::machine::Call;
use crate::base::LegId;
use crate::events::Fact;
use crate::media::Command;
use crate::sdp::{self, Description, Negotiated};
use crate::sip::Message;

/// One early dialog of a leg we placed, and what was agreed on in it.
#[derive(Clone, Debug)]
pub(crate) struct Fork {
    tag: String,
    agreed: Negotiated,
}

impl Call {
    /// A provisional response: rings, brings early media, or says nothing that matters.
    pub(super) fn on_progress(&mut self, hands: &mut Hands<'_>, leg: LegId, response: &Message) {
        let brings = self.core.take_early(hands, leg, response);
        let Some(state) = self.core.leg_mut(leg) else {
            return;
        };
        state.heard.note(response);
        let rings = response.status() == Some(180);
        if !brings && !rings {
            return;
        }
        state.progress = Progress::Ringing;
        let is_first = !std::mem::replace(&mut state.rang, true);
        if is_first {
            self.core.emit(hands, Fact::LegRinging { leg });
        }
        if brings {
            self.on_leg(hands, leg, LegEvent::Progress(Ringing::EarlyMedia));
        } else if is_first {
            self.on_leg(hands, leg, LegEvent::Progress(Ringing::Tone));
        }
    }

    /// One fork gave up (RFC 6228): another that has media is heard now.
    pub(super) fn on_early_ended(&mut self, hands: &mut Hands<'_>, leg: LegId, tag: &str) {
        let Some(state) = self.core.leg_mut(leg) else {
            return;
        };
        let was_heard = state.forks.first().is_some_and(|fork| fork.tag == tag);
        state.forks.retain(|fork| fork.tag != tag);
        if let Some(next) = state.forks.first().filter(|_| was_heard) {
            let agreed = next.agreed.clone();
            hear(hands, state, agreed);
        }
    }
}

impl Core {
    /// Takes the description in a provisional response. True when it is the first of the leg, so
    /// that there is something to hear now.
    fn take_early(&mut self, hands: &mut Hands<'_>, leg: LegId, response: &Message) -> bool {
        let Some(state) = self.leg_mut(leg) else {
            return false;
        };
        let agreed = state.local.as_ref().and_then(|local| {
            let answer = Description::parse(response.body()).ok()?;
            sdp::accept_answer(local, &answer).ok()
        });
        let Some(agreed) = agreed.filter(|_| state.forks.len() < MAX_FORKS) else {
            return false;
        };
        let tag = tag_of(response);
        // RFC 3261 §13.2.1: of one fork the first description counts.
        if state.forks.iter().any(|fork| fork.tag == tag) {
            return false;
        }
        let is_first = state.forks.is_empty();
        state.forks.push(Fork {
            tag,
            agreed: agreed.clone(),
        });
        if is_first {
            hear(hands, state, agreed);
        }
        is_first
    }

    /// Takes the answer in a 2xx; where it has none, what its fork said before. False when there is
    /// nothing to agree on.
    pub(super) fn take_final(&mut self, hands: &mut Hands<'_>, leg: LegId, ok: &Message) -> bool {
        let Some(state) = self.leg_mut(leg) else {
            return false;
        };
        let tag = tag_of(ok);
        let forks = std::mem::take(&mut state.forks);
        let fork = forks.into_iter().find(|fork| fork.tag == tag);
        if let Some(fork) = fork.filter(|_| ok.body().is_empty()) {
            state.offer_pending = false;
            hear(hands, state, fork.agreed);
            return true;
        }
        self.take_answer(hands, leg, ok.body())
    }
}

impl Leg {
    /// A fork renegotiated its early media: it is the one that is heard now.
    pub(super) fn fork_agreed(&mut self, request: &Message, agreed: &Negotiated) {
        if self.progress == Progress::Answered || self.forks.is_empty() {
            return;
        }
        let from = request.from();
        let tag = from.as_ref().ok().and_then(|from| from.tag()).unwrap_or("");
        if let Some(place) = self.forks.iter().position(|fork| fork.tag == tag) {
            self.forks[place].agreed = agreed.clone();
            self.forks.swap(0, place);
        }
    }
}

fn hear(hands: &mut Hands<'_>, leg: &mut Leg, agreed: Negotiated) {
    let flow = leg.flow_of(&agreed);
    leg.negotiated = Some(agreed);
    hands.tell(Command::SetLeg { leg: leg.id, flow });
}

fn tag_of(response: &Message) -> String {
    let to = response.to();
    let tag = to.as_ref().ok().and_then(|to| to.tag());
    tag.unwrap_or("").to_owned()
}

/// As many forks as the user agent keeps.
const MAX_FORKS: usize = 16;
