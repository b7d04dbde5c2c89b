//! A call to a phone or out by a trunk: rings, passes on what is heard, joins on answer.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Feature, LegEvent, Message, Next, Ringing, Script, Stage, Talk, Treatment};
use crate::base::{Cause, LegId, Party, Timestamp};
use crate::call::aside::{Aside, Course};
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::call::leg::Progress;
use crate::call::onward::Trail;
use crate::events::{Role, Stretch};
use crate::flow::{DialOrder, DialOutcome, DialTerms, Input, Reply, Run};
use crate::media::PlayId;
use crate::sip::HeaderName;
use crate::trunk::Redirects;
use crate::voicemail::Unanswered;

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
    /// The caller was answered before and hears our own ring-back tone.
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

    /// What a status means to a flow.
    fn note_outcome(&mut self, status: u16) {
        let outcome = match status {
            486 | 600 => DialOutcome::Busy,
            403 | 433 | 603 | 607 | 608 if self.has_rung || status >= 600 => DialOutcome::Rejected,
            480 | 487 if self.has_rung => DialOutcome::NoAnswer,
            _ => DialOutcome::Failed,
        };
        self.outcome = Some(self.outcome.map_or(outcome, |known| known.best(outcome)));
    }

    /// Whoever answered is joined with the caller, and nobody else.
    fn connect(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) -> Next {
        for other in self.legs.clone().into_iter().filter(|other| *other != leg) {
            let cause = Cause::answered_elsewhere();
            core.hang_up(hands, other, Party::Switch, cause);
        }
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

    /// Whoever answered hears what he is to hear alone; the others ring on only where he may
    /// still turn out not to take the call.
    fn whisper(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) -> Option<Next> {
        let document = self.terms.as_ref()?.whisper.clone()?;
        let run = self.run.as_ref()?.beside(document.clone());
        if !document.may_decline() {
            for other in std::mem::replace(&mut self.legs, vec![leg]) {
                if other != leg {
                    core.hang_up(hands, other, Party::Switch, Cause::answered_elsewhere());
                }
            }
        }
        if self.heard.take_if(|heard| *heard == leg).is_some() {
            // The caller hears no whisper.
            core.close_room(hands);
            self.ring_back(core, hands);
        }
        let mut whisper = Aside::whisper(leg, run, None, hands.now);
        let how = whisper.begin(core, hands);
        self.whispers.push(whisper);
        Some(self.whispered(core, hands, leg, how))
    }

    /// A whisper went on, or is over.
    fn whispered(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        how: Course,
    ) -> Next {
        match how {
            Course::Under => Next::Stay,
            Course::Returned => self.connect(core, hands, leg),
            Course::HungUp(_) | Course::Left => {
                core.hang_up(hands, leg, Party::Switch, Cause::normal());
                self.lost(core, hands, leg)
            }
        }
    }

    /// Lets every whisper take something in, until one of them changes what the call does.
    fn tell_whispers(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        mut tell: impl FnMut(&mut Aside, &mut Core, &mut Hands<'_>) -> Course,
    ) -> Next {
        let legs: Vec<LegId> = self.whispers.iter().filter_map(Aside::leg).collect();
        for leg in legs {
            let mut whispers = self.whispers.iter_mut();
            let Some(whisper) = whispers.find(|whisper| whisper.leg() == Some(leg)) else {
                continue;
            };
            let how = tell(whisper, core, hands);
            match self.whispered(core, hands, leg, how) {
                Next::Stay => {}
                next => return next,
            }
        }
        Next::Stay
    }

    /// Whoever had answered is gone without taking the call: as if he had not answered.
    fn lost(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) -> Next {
        self.whispers.retain(|whisper| whisper.leg() != Some(leg));
        let outcome = DialOutcome::NoAnswer;
        self.outcome = Some(self.outcome.map_or(outcome, |known| known.best(outcome)));
        let over = |id: &LegId| core.leg(*id).is_none_or(|leg| !leg.is_live());
        if !self.legs.iter().all(over) || self.ring_next(core, hands) {
            return Next::Stay;
        }
        self.give_up(core, hands, Party::Callee, 480)
    }

    /// Nobody answered: the flow goes on, or the caller is told why.
    fn give_up(&mut self, core: &mut Core, hands: &mut Hands<'_>, by: Party, status: u16) -> Next {
        for leg in self.legs.drain(..) {
            core.hang_up(hands, leg, Party::Switch, Cause::from_status(487));
        }
        self.whispers.clear();
        core.shows = None;
        core.close_room(hands);
        if self.tone {
            core.stop_play(hands, core.caller().id);
        }
        match self.run.take() {
            Some(run) => {
                let outcome = self.outcome.unwrap_or(DialOutcome::Failed);
                let input = Input::DialEnded(outcome);
                Next::Become(Stage::Treatment(Box::new(Treatment::resume(run, input))))
            }
            None => match self.mailbox(core, hands, status) {
                Some(message) => Next::Become(Stage::Message(Box::new(message))),
                None => Next::End(by, core.identity.cause(status)),
            },
        }
    }

    /// The mailbox of the phone that was rung, when callers it does not answer for this reason are
    /// sent there.
    fn mailbox(&self, core: &Core, hands: &Hands<'_>, status: u16) -> Option<Message> {
        let Target::Phone(phone) = &self.target else {
            return None;
        };
        let generation = hands.generations.get(&core.generation)?;
        let terms = &generation.voicemail;
        let own = terms.phones.get(phone)?;
        let why = match status {
            486 | 600 | 603 => Unanswered::Busy,
            _ if self.has_rung => Unanswered::NoAnswer,
            _ => Unanswered::Unregistered,
        };
        let goes_there = own.when.contains(&why);
        goes_there.then(|| Message::for_phone(own.mailbox.clone(), terms))
    }

    /// Somebody rung points elsewhere: what comes of it, unless it is but a refusal.
    fn redirected(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        status: u16,
    ) -> Option<Next> {
        let (_, mode) = core.redirector(hands, leg);
        match mode {
            Redirects::Follow => {
                let refused = &mut self.refused;
                let legs = self.trail.follow(core, hands, (leg, status), refused)?;
                self.legs.extend(legs);
                Some(Next::Stay)
            }
            Redirects::Pass => {
                let is_last = core.others().next().is_none() && self.run.is_none();
                if core.caller().progress != Progress::Arriving || !is_last {
                    return None;
                }
                let moved = core.leg(leg).map(|leg| leg.moved.clone());
                let contacts = moved.unwrap_or_default();
                let headers: Vec<_> = contacts
                    .iter()
                    .map(|contact| (HeaderName::Contact, contact.to_string()))
                    .collect();
                let session = core.caller().session;
                hands.ua.reject(hands.now, session, status, &headers);
                Some(Next::End(Party::Callee, Cause::from_status(status)))
            }
            Redirects::Refuse => None,
        }
    }

    /// Somebody rung will not answer: who is rung instead, or who still rings, or nobody.
    fn failed(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId, status: u16) -> Next {
        self.listen_no_more(core, hands, leg);
        if (300..=399).contains(&status)
            && let Some(next) = self.redirected(core, hands, leg, status)
        {
            return next;
        }
        if let Some(next) = core.ring_next_trunk(hands, leg, status) {
            self.legs.push(next);
            return Next::Stay;
        }
        self.note_outcome(status);
        let busy = matches!(status, 486 | 600);
        if self.refused.is_none() || busy {
            self.refused = Some(status);
        }
        if status >= 600 && !self.rings_several() && self.whispers.is_empty() {
            // RFC 3261 §16.7 step 5: a 6xx speaks for the callee, wherever else it rings.
            return self.give_up(core, hands, Party::Callee, status);
        }
        let over = |id: &LegId| core.leg(*id).is_none_or(|leg| !leg.is_live());
        if !self.legs.iter().all(over) {
            return Next::Stay;
        }
        if let Some(legs) = self.trail.next(core, hands, &mut self.refused) {
            self.legs.extend(legs);
            return Next::Stay;
        }
        let status = self.refused.unwrap_or(status);
        self.note_outcome(status);
        if self.ring_next(core, hands) {
            return Next::Stay;
        }
        self.give_up(core, hands, Party::Callee, as_told(status))
    }

    /// It rang as long as it may.
    fn no_answer(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        // Who answered and hears something has his own time; a call for help has all of it.
        let whispers: Vec<LegId> = self.whispers.iter().filter_map(Aside::leg).collect();
        let (stay, go): (Vec<LegId>, Vec<LegId>) = std::mem::take(&mut self.legs)
            .into_iter()
            .partition(|leg| whispers.contains(leg) || core.calls_for_help(hands, &[*leg]));
        for leg in &go {
            core.hang_up(hands, *leg, Party::Switch, Cause::no_answer());
        }
        if !stay.is_empty() {
            self.legs = stay;
            for leg in go {
                self.listen_no_more(core, hands, leg);
            }
            return Next::Stay;
        }
        let outcome = match self.has_rung {
            true => DialOutcome::NoAnswer,
            false => DialOutcome::Failed,
        };
        self.outcome = Some(self.outcome.map_or(outcome, |known| known.best(outcome)));
        if self.heard.take().is_some() {
            core.close_room(hands);
        }
        if self.ring_next(core, hands) {
            return Next::Stay;
        }
        match self.give_up(core, hands, Party::Switch, 480) {
            Next::End(by, _) => Next::End(by, Cause::no_answer()),
            next => next,
        }
    }

    /// Lets the caller hear what the far end sends before it answers. A caller who made no offer
    /// hears of ringing only: a 183 is no place for ours (RFC 3261 §13.2.1).
    fn pass_early_media(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) {
        let caller = core.caller().id;
        if core.caller().remote_offer.is_none() {
            hands
                .ua
                .ring(hands.now, core.caller().session, 180, &[], None);
            return;
        }
        // Of several contacts the first is heard.
        if core.room.is_some() {
            return;
        }
        if let Ok(body) = core.answer_body(hands, caller) {
            hands
                .ua
                .ring(hands.now, core.caller().session, 183, &[], Some(body));
            self.listen(core, hands, leg);
        }
    }

    /// A caller who was answered before hears the far end instead of our own tone (RFC 3960 §3.2).
    fn replace_tone(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) {
        if core.room.is_some() {
            return;
        }
        if std::mem::take(&mut self.tone) {
            core.stop_play(hands, core.caller().id);
        }
        self.listen(core, hands, leg);
    }

    fn listen(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) {
        core.join(hands, core.caller().id);
        core.join(hands, leg);
        self.heard = Some(leg);
    }

    /// Whoever was heard gave up while others may still answer: another may be heard, and until then
    /// a caller who was answered hears our tone again.
    fn listen_no_more(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) {
        if self.heard.take_if(|heard| *heard == leg).is_some() {
            core.close_room(hands);
            self.ring_back(core, hands);
        }
    }

    /// A caller who was answered before hears that it rings.
    fn ring_back(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if core.caller().progress == Progress::Answered && !self.tone {
            self.tone = true;
            core.play(hands, core.caller().id, ["ringback"], Looped::Forever);
        }
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

/// What those who wait are told for a refusal of whoever was rung.
pub(super) fn as_told(status: u16) -> u16 {
    match status {
        // A redirection was meant for us.
        300..=399 => 480,
        // RFC 3261 §16.7 step 6: 503 was about that branch, not about us.
        503 => 480,
        401 | 407 => 500,
        status => status,
    }
}
