//! A call to a phone or out by a trunk: rings, passes on what is heard, joins on answer.

mod early;
mod unanswered;
mod whispering;

pub(super) use unanswered::as_told;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Feature, LegEvent, Next, Ringing, Script, Stage, Talk};
use crate::base::{Cause, LegId, Party, Timestamp};
use crate::call::aside::Aside;
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::call::leg::Progress;
use crate::call::onward::Trail;
use crate::events::{Role, Stretch};
use crate::flow::{DialOrder, DialOutcome, DialTerms, Input, Reply, Run};
use crate::media::PlayId;

/// Ringing someone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Dial {
    target: Target,
    legs: Vec<LegId>,
    /// The best refusal so far (RFC 3261 §16.7 step 6, in short: busy beats no answer).
    refused: Option<u16>,
    /// How long it may ring; `None` takes the office's.
    ring_timeout: Option<Duration>,
    deadline: Option<Timestamp>,
    /// The flow that dialled, told when nobody answers.
    run: Option<Run>,
    /// The caller hears our own ring-back tone.
    tone: bool,
    /// Whose early media the caller hears.
    #[serde(default)]
    heard: Option<LegId>,
    /// Where the call is sent on to.
    #[serde(default)]
    trail: Trail,
    /// Whether anybody's phone has rung.
    #[serde(default)]
    has_rung: bool,
    /// How a flow wants it.
    #[serde(default)]
    terms: Option<Box<DialTerms>>,
    /// Numbers to ring when the present one comes to nothing.
    #[serde(default)]
    ahead: VecDeque<String>,
    /// What came of those before.
    #[serde(default)]
    outcome: Option<DialOutcome>,
    /// Who has answered and hears something alone first.
    #[serde(default)]
    whispers: Vec<Aside>,
}

/// Whom to ring.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Target {
    /// Phones and numbers out that ring together.
    Group(Vec<String>),
    /// A number a flow dialled; looked up on entering.
    Number(String),
    /// A phone of ours.
    Phone(String),
    /// A number out by one of these trunks.
    Trunk { trunks: Vec<String>, number: String },
}

impl Dial {
    /// To a phone.
    pub(crate) fn phone(number: String) -> Self {
        Self::new(Target::Phone(number), None)
    }

    /// Out by the first of these trunks that carries it.
    pub(crate) fn trunk(trunks: Vec<String>, number: String) -> Self {
        Self::new(Target::Trunk { trunks, number }, None)
    }

    /// To every member of a group, by number.
    pub(crate) fn group(members: Vec<String>) -> Self {
        Self::new(Target::Group(members), None)
    }

    /// On behalf of a flow.
    pub(crate) fn from_flow(run: Run, terms: DialTerms) -> Self {
        let mut ahead: VecDeque<String> = terms.numbers.iter().cloned().collect();
        let target = match terms.order {
            DialOrder::Parallel if ahead.len() > 1 => Target::Group(ahead.drain(..).collect()),
            _ => Target::Number(ahead.pop_front().unwrap_or_default()),
        };
        Self {
            ring_timeout: Some(terms.ring_timeout),
            ahead,
            terms: Some(Box::new(terms)),
            ..Self::new(target, Some(run))
        }
    }

    /// Whether somebody who has answered hears something alone.
    pub(crate) fn is_whispering(&self) -> bool {
        !self.whispers.is_empty()
    }

    /// One more leg that may answer.
    pub(crate) fn add(&mut self, leg: LegId) {
        self.legs.push(leg);
    }

    /// Gives up what rings, for another call to go on with.
    pub(crate) fn surrender(&mut self) -> Vec<LegId> {
        std::mem::take(&mut self.legs)
    }

    fn new(target: Target, run: Option<Run>) -> Self {
        Self {
            target,
            legs: Vec::new(),
            refused: None,
            ring_timeout: None,
            deadline: None,
            run,
            tone: false,
            heard: None,
            trail: Trail::default(),
            has_rung: false,
            terms: None,
            ahead: VecDeque::new(),
            outcome: None,
            whispers: Vec::new(),
        }
    }

    /// Rings the target; the status when nobody rings.
    fn ring(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Result<Vec<LegId>, u16> {
        let terms = self.terms.as_ref();
        core.shows = terms.and_then(|terms| terms.caller_id.clone());
        match self.target.clone() {
            Target::Group(members) => core.ring_together(hands, &members),
            Target::Number(number) => core.ring_number(hands, &number),
            Target::Phone(number) => core.ring_phone(hands, &number, Role::Callee, None),
            Target::Trunk { trunks, number } => {
                let leg = core.ring_by_trunks(hands, trunks, number)?;
                Ok(vec![leg])
            }
        }
    }

    /// Whether several were to be rung: what one of them refuses speaks for himself alone.
    fn rings_several(&self) -> bool {
        let of_flow = self.terms.as_ref().map_or(1, |terms| terms.numbers.len());
        of_flow > 1 || matches!(self.target, Target::Group(_))
    }

    /// Rings on: the next number, and those after it while they cannot be rung; `false` when
    /// there is none left.
    fn ring_next(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> bool {
        while let Some(number) = self.ahead.pop_front() {
            core.caller_enters(hands, Stretch::Ring, &number);
            self.trail.note(&number);
            self.target = Target::Number(number);
            (self.refused, self.has_rung) = (None, false);
            match self.ring(core, hands) {
                Ok(legs) => {
                    self.legs = legs;
                    self.deadline = self.ring_timeout.map(|timeout| hands.now + timeout);
                    self.ring_back(core, hands);
                    return true;
                }
                Err(status) => self.note_outcome(status),
            }
        }
        false
    }

    /// Whoever answered is joined with the caller, and nobody else.
    fn connect(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) -> Next {
        for other in self.legs.clone().into_iter().filter(|other| *other != leg) {
            let cause = Cause::answered_elsewhere();
            core.hang_up(hands, other, Party::Switch, cause);
        }
        self.learn(core, leg);
        self.whispers.clear();
        core.shows = None;
        if self.heard.is_some_and(|heard| heard != leg) {
            core.close_room(hands);
        }
        if self.tone {
            core.stop_play(hands, core.caller().id);
        }
        if let Err(status) = core.answer_caller(hands) {
            return Next::End(Party::Switch, Cause::from_status(status));
        }
        let script = self.run.take().map(|mut run| {
            run.handle(hands.now, Input::DialEnded(DialOutcome::Answered));
            Script::Flow(Box::new(run))
        });
        Next::Become(Stage::Talk(Box::new(Talk::with_callee(leg, script))))
    }
}

impl Feature for Dial {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let with = match &self.target {
            Target::Group(members) => members.join(" "),
            Target::Number(number) | Target::Phone(number) => number.clone(),
            Target::Trunk { number, .. } => number.clone(),
        };
        core.caller_enters(hands, Stretch::Ring, &with);
        self.trail.note(&with);
        match self.ring(core, hands) {
            Ok(legs) => self.legs = legs,
            Err(status) => {
                // Nobody was rung: it is the switch that says no.
                self.note_outcome(status);
                if self.ring_next(core, hands) {
                    return Next::Stay;
                }
                return self.give_up(core, hands, Party::Switch, status);
            }
        }
        let generation = hands.generations.get(&core.generation);
        let own = match (&self.target, &self.run) {
            (Target::Phone(phone), None) => generation
                .and_then(|now| now.voicemail.phones.get(phone))
                .and_then(|own| own.ring_timeout),
            _ => None,
        };
        let office = generation.map(|now| now.ring_timeout);
        let timeout = self.ring_timeout.or(own).or(office);
        self.deadline = timeout.map(|timeout| hands.now + timeout);
        self.ring_back(core, hands);
        Next::Stay
    }

    fn on_leg(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        event: LegEvent,
    ) -> Next {
        if !self.legs.contains(&leg) {
            return Next::Stay;
        }
        match event {
            LegEvent::Answered => match self.whisper(core, hands, leg) {
                Some(next) => next,
                None => self.connect(core, hands, leg),
            },
            LegEvent::Ended if self.whispers.iter().any(|it| it.leg() == Some(leg)) => {
                self.lost(core, hands, leg)
            }
            LegEvent::Ended => Next::Stay,
            LegEvent::Failed(status) => self.failed(core, hands, leg, status),
            LegEvent::Progress(how) => {
                self.has_rung = true;
                let passes = self.terms.as_ref().is_none_or(|terms| terms.early_media);
                let how = if passes { how } else { Ringing::Tone };
                if core.caller().progress == Progress::Arriving {
                    match how {
                        Ringing::EarlyMedia => self.pass_early_media(core, hands, leg),
                        Ringing::Tone => {
                            hands
                                .ua
                                .ring(hands.now, core.caller().session, 180, &[], None);
                        }
                    }
                } else if how == Ringing::EarlyMedia {
                    self.replace_tone(core, hands, leg);
                }
                Next::Stay
            }
        }
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if self.deadline.is_some_and(|deadline| deadline <= hands.now) {
            self.deadline = None;
            return self.no_answer(core, hands);
        }
        self.tell_whispers(core, hands, Aside::handle_timeout)
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        let whispers = self.whispers.iter().filter_map(Aside::poll_timeout);
        self.deadline.into_iter().chain(whispers).min()
    }

    fn on_digit(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        digit: char,
    ) -> Next {
        self.tell_whispers(core, hands, |whisper, core, hands| {
            whisper.on_digit(core, hands, leg, digit)
        })
    }

    fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) -> Next {
        self.tell_whispers(core, hands, |whisper, core, hands| {
            whisper.on_play_done(core, hands, play)
        })
    }

    fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        request: u64,
        reply: &Reply,
    ) -> Next {
        self.tell_whispers(core, hands, |whisper, core, hands| {
            whisper.on_told(core, hands, request, reply)
        })
    }

    /// Whoever was ringing heard nothing of the restore: rings anew, as long as was left.
    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.refused = None;
        let is_there = |leg: Option<LegId>| {
            let leg = leg.and_then(|leg| core.leg(leg));
            leg.is_some_and(|leg| leg.is_answered())
        };
        let before = self.whispers.len();
        self.whispers.retain(|whisper| is_there(whisper.leg()));
        let is_somebody_lost = self.whispers.len() < before;
        for whisper in &mut self.whispers {
            whisper.restored(core, hands);
        }
        let answered: Vec<LegId> = self.whispers.iter().filter_map(Aside::leg).collect();
        if answered.is_empty() {
            match self.ring(core, hands) {
                Ok(legs) => {
                    self.legs = legs;
                    if is_somebody_lost {
                        // While he listened nobody's time ran.
                        self.deadline = self.ring_timeout.map(|timeout| hands.now + timeout);
                    }
                }
                Err(_) => self.deadline = Some(hands.now),
            }
        } else {
            // Who hears something alone is all there is.
            self.legs = answered;
        }
        if self.heard.take().is_some() {
            core.close_room(hands);
        }
        self.ring_back(core, hands);
    }
}
