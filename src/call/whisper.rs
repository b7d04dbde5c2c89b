//! A flow that one party of a call hears alone: what an agent is told before he is joined with a
//! caller, what a callee must press to take the call, what a caller hears before his agent.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::core::Core;
use super::hands::Hands;
use super::inquiry::inquire;
use crate::base::{LegId, Timestamp};
use crate::events::Fact;
use crate::flow::{Action, Input, Reply, Run};
use crate::media::PlayId;

/// A flow that is heard on one leg and nowhere else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Whisper {
    leg: LegId,
    run: Run,
    /// Language it is heard in; `None`: what the flow itself says, else the office's.
    language: Option<String>,
    /// The play under way: media's number and the flow's, with its sounds.
    play: Option<(PlayId, u64, Vec<String>)>,
    /// Tells its questions from those of other flows of the call.
    slot: u64,
    /// When whoever waits for its end has waited long enough.
    deadline: Timestamp,
}

/// How far a whisper is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whispered {
    /// It goes on.
    Not,
    /// All was said, and whoever heard it takes the call.
    All,
    /// Whoever heard it does not take the call.
    Declined,
}

/// Longest that the other party waits for the end of a whisper; longer than anybody listens to.
const LONGEST: Duration = Duration::from_secs(60);

impl Whisper {
    /// A flow for a leg that is answered; `language` is the listener's when it is not the caller's.
    pub(crate) fn new(leg: LegId, run: Run, language: Option<String>, now: Timestamp) -> Self {
        Self {
            leg,
            run,
            language,
            play: None,
            slot: 0,
            deadline: now + LONGEST,
        }
    }

    /// Who hears it.
    pub(crate) fn leg(&self) -> LegId {
        self.leg
    }

    /// Says the first word.
    pub(crate) fn begin(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Whispered {
        core.plays += 1;
        self.slot = core.plays;
        self.run.start(hands.now);
        self.follow(core, hands)
    }

    /// A leg pressed a key.
    pub(crate) fn on_digit(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        digit: char,
    ) -> Whispered {
        if leg == self.leg {
            self.run.handle(hands.now, Input::Digit(digit));
        }
        self.follow(core, hands)
    }

    /// A play of the call came to its end.
    pub(crate) fn on_play_done(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        play: PlayId,
    ) -> Whispered {
        if let Some((_, number, _)) = self.play.take_if(|(mine, ..)| *mine == play) {
            self.run.handle(hands.now, Input::PlayDone { play: number });
        }
        self.follow(core, hands)
    }

    /// A question of the call is answered, this flow's or another's.
    pub(crate) fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        request: u64,
        reply: &Reply,
    ) -> Whispered {
        if request >> SLOT == self.slot {
            let (request, reply) = (request & !(u64::MAX << SLOT), reply.clone());
            self.run.handle(hands.now, Input::Told { request, reply });
        }
        self.follow(core, hands)
    }

    /// The deadline came.
    pub(crate) fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Whispered {
        if self.deadline <= hands.now {
            tracing::warn!(call = %core.id, flow = %self.run.document().name, "whisper cut short");
            self.stop(core, hands);
            return match self.run.document().may_decline() {
                true => Whispered::Declined,
                false => Whispered::All,
            };
        }
        let due = self.run.poll_timeout().is_some_and(|at| at <= hands.now);
        if due {
            self.run.handle_timeout(hands.now);
        }
        self.follow(core, hands)
    }

    /// When to be woken.
    pub(crate) fn poll_timeout(&self) -> Timestamp {
        let own = self.run.poll_timeout();
        own.map_or(self.deadline, |own| own.min(self.deadline))
    }

    /// Falls silent.
    pub(crate) fn stop(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if self.play.take().is_some() {
            core.stop_aside(hands, self.leg);
        }
    }

    /// After a restore what was being said is said again.
    pub(crate) fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if let Some((_, number, sounds)) = self.play.take() {
            self.play(core, hands, number, sounds);
        }
    }

    fn play(&mut self, core: &mut Core, hands: &mut Hands<'_>, number: u64, sounds: Vec<String>) {
        let language = self.language.as_deref();
        let play = core.play_aside(hands, self.leg, &sounds, language);
        self.play = Some((play, number, sounds));
    }

    fn follow(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Whispered {
        while let Some(action) = self.run.poll_action() {
            match action {
                Action::Consult { request, about } => {
                    let asked = (self.slot << SLOT) | request;
                    let reply = inquire(core, hands, &self.run, (asked, about));
                    if let Some(reply) = reply {
                        self.run.handle(hands.now, Input::Told { request, reply });
                    }
                }
                Action::Enter { flow, step } => {
                    core.emit(hands, Fact::StepEntered { flow, step });
                }
                Action::Play { play, sounds } => self.play(core, hands, play, sounds),
                Action::SetAttributes(attributes) => core.set_attributes(hands, attributes),
                Action::StopPlay => self.stop(core, hands),
                // Whoever hears it has answered; and the configuration lets no other step in.
                Action::Answer
                | Action::Conference { .. }
                | Action::Dial(_)
                | Action::Enqueue { .. }
                | Action::HangUp { .. }
                | Action::Leave => {}
            }
        }
        match (self.run.is_over(), self.run.has_returned()) {
            (false, _) => Whispered::Not,
            (true, true) => Whispered::All,
            (true, false) => Whispered::Declined,
        }
    }
}

impl Core {
    /// Sets attributes of the call; those that are what they were are nothing to tell.
    pub(crate) fn set_attributes(&mut self, hands: &mut Hands<'_>, attributes: Map<String, Value>) {
        let is_new = |(name, value): &(String, Value)| self.attributes.get(name) != Some(value);
        let attributes: Map<String, Value> = attributes.into_iter().filter(is_new).collect();
        if attributes.is_empty() {
            return;
        }
        self.attributes.extend(attributes.clone());
        self.emit(hands, Fact::AttributesSet { attributes });
    }
}

/// Bits of a request's number that are the flow's own; the others say which flow.
const SLOT: u32 = 32;
