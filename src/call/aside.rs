//! A flow beside the one that leads the caller, heard on one leg and nowhere else: what an agent is
//! told before he is joined with a caller, what a callee must press to take the call, what a caller
//! hears in a queue.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::core::Core;
use super::hands::Hands;
use super::inquiry::inquire;
use crate::base::{Cause, LegId, Timestamp};
use crate::events::Fact;
use crate::flow::{Action, Context, Document, Input, Reply, Run};
use crate::media::PlayId;
use crate::trunk::{Destination, Origin};

/// A flow that is heard on one leg and nowhere else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Aside {
    /// Who hears it; `None`: nobody, the call is over.
    leg: Option<LegId>,
    run: Run,
    /// Whether it is the caller's, and so heard in his language.
    is_callers: bool,
    /// The language of whoever else hears it; `None`: the office's.
    language: Option<String>,
    /// The play under way: media's number and the flow's, with its sounds.
    play: Option<(PlayId, u64, Vec<String>)>,
    /// Tells its questions from those of other flows of the call.
    slot: u64,
    /// When whoever waits for its end has waited long enough.
    deadline: Option<Timestamp>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Course {
    /// It goes on.
    Under,
    /// It came to its end.
    Returned,
    /// It hung up: whoever hears it does not take the call, or is done with it.
    HungUp(Cause),
    /// It let the caller out of the queue.
    Left,
}

/// Longest that the other party waits for the end of a whisper; longer than anybody listens to.
const LONGEST: Duration = Duration::from_secs(60);

impl Aside {
    /// A whisper for whoever is to be joined with the caller, in his language, else the office's.
    pub(crate) fn whisper(leg: LegId, run: Run, language: Option<&str>, now: Timestamp) -> Self {
        Self {
            deadline: Some(now + LONGEST),
            ..Self::of_other(leg, run, language)
        }
    }

    /// A whisper for the caller.
    pub(crate) fn whisper_to_caller(leg: LegId, run: Run, now: Timestamp) -> Self {
        Self {
            deadline: Some(now + LONGEST),
            ..Self::of_caller(leg, run)
        }
    }

    /// A flow that the caller hears as long as it takes.
    pub(crate) fn of_caller(leg: LegId, run: Run) -> Self {
        Self {
            leg: Some(leg),
            run,
            is_callers: true,
            language: None,
            play: None,
            slot: 0,
            deadline: None,
        }
    }

    /// A flow that somebody else hears as long as it takes, in his language, else the office's.
    pub(crate) fn of_other(leg: LegId, run: Run, language: Option<&str>) -> Self {
        Self {
            is_callers: false,
            language: language.map(str::to_owned),
            ..Self::of_caller(leg, run.in_language(language))
        }
    }

    /// A flow of a call that is over.
    pub(crate) fn of_nobody(run: Run) -> Self {
        Self {
            leg: None,
            run,
            is_callers: true,
            language: None,
            play: None,
            slot: 0,
            deadline: None,
        }
    }

    /// The same, whose time begins now.
    pub(crate) fn anew(mut self, now: Timestamp) -> Self {
        self.deadline = self.deadline.map(|_| now + LONGEST);
        self
    }

    /// What a flow that was heard before it has set and taken away.
    pub(crate) fn learn(&mut self, core: &Core, before: &Run) {
        self.run.learn(before.attributes(), &core.attributes);
    }

    /// Its flow.
    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    /// Whether nothing of it is heard at the moment.
    pub(crate) fn is_quiet(&self) -> bool {
        self.play.is_none()
    }

    /// Who hears it.
    pub(crate) fn leg(&self) -> Option<LegId> {
        self.leg
    }

    /// Begins.
    pub(crate) fn begin(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Course {
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
    ) -> Course {
        if self.leg == Some(leg) {
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
    ) -> Course {
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
    ) -> Course {
        if request >> SLOT == self.slot {
            let (request, reply) = (request & !(u64::MAX << SLOT), reply.clone());
            self.run.handle(hands.now, Input::Told { request, reply });
        }
        self.follow(core, hands)
    }

    /// The deadline came.
    pub(crate) fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Course {
        if self.deadline.is_some_and(|deadline| deadline <= hands.now) {
            tracing::warn!(call = %core.id, flow = %self.run.document().name, "whisper cut short");
            self.stop(core, hands);
            self.deadline = None;
            return match self.run.document().may_decline() {
                true => Course::HungUp(Cause::normal()),
                false => Course::Returned,
            };
        }
        let due = self.run.poll_timeout().is_some_and(|at| at <= hands.now);
        if due {
            self.run.handle_timeout(hands.now);
        }
        self.follow(core, hands)
    }

    /// When to be woken.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let own = self.run.poll_timeout();
        own.into_iter().chain(self.deadline).min()
    }

    /// Falls silent.
    pub(crate) fn stop(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if let (Some(_), Some(leg)) = (self.play.take(), self.leg) {
            core.stop_aside(hands, leg);
        }
    }

    /// After a restore what was being said is said again.
    pub(crate) fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if let Some((_, number, sounds)) = self.play.take() {
            self.play(core, hands, number, sounds);
        }
    }

    fn play(&mut self, core: &mut Core, hands: &mut Hands<'_>, number: u64, sounds: Vec<String>) {
        let Some(leg) = self.leg else { return };
        let language = match self.is_callers {
            true => core.language().map(str::to_owned),
            false => self.language.clone(),
        };
        let play = core.play_aside(hands, leg, &sounds, language.as_deref());
        self.play = Some((play, number, sounds));
    }

    fn follow(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Course {
        let (mut has_left, mut hung_up) = (false, None);
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
                Action::HangUp { cause } => hung_up = Some(cause),
                Action::Leave => has_left = true,
                // Whoever hears it has answered; and the configuration lets no other step in.
                Action::Answer
                | Action::Application(_)
                | Action::Conference { .. }
                | Action::Dial(_)
                | Action::Enqueue { .. } => {}
            }
        }
        match self.run.is_over() {
            false => Course::Under,
            true if has_left => Course::Left,
            true if self.run.has_returned() => Course::Returned,
            true => Course::HungUp(hung_up.unwrap_or_else(Cause::normal)),
        }
    }
}

impl Core {
    /// A flow beside whatever leads the caller: it knows what is known of the call, and of the number
    /// that was dialled.
    pub(crate) fn run_beside(&self, hands: &Hands<'_>, document: &Arc<Document>) -> Run {
        let generation = hands.generations.get(&self.generation);
        let trunk = self.legs.first().and_then(|leg| leg.trunk.clone());
        let origin = trunk.as_deref().map_or(Origin::Flow, Origin::Trunk);
        let found = generation.and_then(|now| now.numbers.dialled(origin, &self.to));
        let (attributes, calendar) = match found {
            Some(Destination::Flow {
                attributes,
                calendar,
                ..
            }) => (attributes, calendar),
            _ => (Map::new(), None),
        };
        let context = Context {
            from: self.from.clone(),
            from_name: generation.and_then(|now| self.name_of_from(now)),
            to: self.to.clone(),
            trunk,
            attributes,
            calendar,
            id: self.id.as_str().to_owned(),
            started: self.record.started,
            ..generation
                .map(|now| now.context_of(&self.to))
                .unwrap_or_default()
        };
        Run::aside(Arc::clone(document), context, &self.attributes)
    }

    /// A flow by name, as the call's own configuration has it, else as the newest.
    pub(crate) fn document(&self, hands: &Hands<'_>, name: &str) -> Option<Arc<Document>> {
        let own = hands.generations.get(&self.generation);
        let mut known = own.into_iter().chain(hands.newest());
        known.find_map(|one| one.flows.get(name)).map(Arc::clone)
    }

    /// Sets attributes of the call, null takes one away; those that are what they were are nothing
    /// to tell.
    pub(crate) fn set_attributes(&mut self, hands: &mut Hands<'_>, attributes: Map<String, Value>) {
        let is_new = |(name, value): &(String, Value)| {
            self.attributes.get(name).unwrap_or(&Value::Null) != value
        };
        let attributes: Map<String, Value> = attributes.into_iter().filter(is_new).collect();
        self.note_attributes(hands, attributes);
    }

    /// The same, told in any case.
    pub(crate) fn note_attributes(
        &mut self,
        hands: &mut Hands<'_>,
        attributes: Map<String, Value>,
    ) {
        if attributes.is_empty() {
            return;
        }
        for (name, value) in &attributes {
            match value.is_null() {
                true => drop(self.attributes.shift_remove(name)),
                false => drop(self.attributes.insert(name.clone(), value.clone())),
            }
        }
        self.emit(hands, Fact::AttributesSet { attributes });
    }
}

/// Bits of a request's number that are the flow's own; the others say which flow.
const SLOT: u32 = 32;
