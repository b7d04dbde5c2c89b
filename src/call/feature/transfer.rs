//! A call being transferred: whoever stays hears ring-back while the target rings, and whoever
//! asked for it waits apart, may take the call back when it fails, and leaves when it is done
//! (RFC 5589 §6).

mod landing;
mod wish;

use serde::{Deserialize, Serialize};

use super::dial::as_told;
use super::{Feature, LegEvent, Next, Ringing, Stage, Talk};
use crate::base::{Cause, LegId, Party, Timestamp};
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::call::onward::Trail;
use crate::events::{Fact, Role, Stretch, TransferKind};
use crate::sip::ua::ReferId;
use crate::trunk::Destination;

use landing::led_to;
pub(crate) use wish::{Target, Wish};

/// A transfer under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Transfer {
    wish: Wish,
    /// The conversation to go back to.
    talk: Box<Talk>,
    /// The leg that leaves was the one the call was for.
    was_lead: bool,
    /// Whom the call was from before the party that stays became its caller.
    from: String,
    legs: Vec<LegId>,
    /// Where the target sends the call on to.
    #[serde(default)]
    trail: Trail,
    /// The best refusal so far.
    refused: Option<u16>,
    deadline: Option<Timestamp>,
    phase: Phase,
    /// Whose early media is heard.
    #[serde(default)]
    heard: Option<LegId>,
    /// Whether it was said how it ended.
    is_settled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// The carrier works on it.
    Passing,
    /// It failed, and whoever asked for it is gone: their phone rings.
    Recalling,
    /// The target rings.
    Ringing,
}

impl Transfer {
    pub(crate) fn new(wish: Wish, talk: Talk) -> Self {
        let phase = match wish.target {
            Target::Passed { .. } => Phase::Passing,
            Target::Number { .. } | Target::Ringing { .. } => Phase::Ringing,
        };
        Self {
            wish,
            talk: Box::new(talk),
            was_lead: false,
            from: String::new(),
            legs: Vec::new(),
            trail: Trail::default(),
            refused: None,
            deadline: None,
            phase,
            heard: None,
            is_settled: false,
        }
    }

    /// One more leg that may answer.
    pub(crate) fn add(&mut self, leg: LegId) {
        self.legs.push(leg);
    }

    /// Tells whoever sent the REFER.
    fn tell(&self, core: &Core, hands: &mut Hands<'_>, status: u16) {
        if let (Some(refer), Some(leaver)) = (self.wish.refer, core.leg(self.wish.leaver)) {
            hands.ua.notify(hands.now, leaver.session, refer, status);
        }
    }

    /// A NOTIFY of the carrier: a status, and whether it is the last. What it says of an earlier
    /// REFER is late.
    pub(crate) fn on_notified(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        refer: ReferId,
        (status, is_over): (Option<u16>, bool),
    ) -> Next {
        let is_ours =
            matches!(&self.wish.target, Target::Passed { refer: ours, .. } if *ours == refer);
        if self.phase != Phase::Passing || !is_ours {
            return Next::Stay;
        }
        match (status, is_over) {
            (Some(200..=299), _) => {
                self.done(core, hands, None);
                Next::End(Party::Switch, Cause::normal().with_words("transferred"))
            }
            // RFC 3515 §2.4.5: the subscription ended, and nothing was said of success.
            (Some(status @ 300..), _) => self.fail(core, hands, Cause::from_status(status)),
            (_, true) => self.fail(core, hands, Cause::from_status(500)),
            (Some(status), false) => {
                self.tell(core, hands, status);
                Next::Stay
            }
            (None, false) => Next::Stay,
        }
    }

    /// Begins to ring, or goes where there is nobody to be rung.
    fn set_out(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.trail.note(self.wish.target.number());
        let rung = match &self.wish.target {
            Target::Passed { .. } => {
                let generation = hands.generations.get(&core.generation);
                // The carrier's patience is its own; ours has an end.
                self.deadline = generation.map(|now| hands.now + now.ring_timeout * 2);
                return Next::Stay;
            }
            Target::Ringing { legs, .. } => Ok(legs.clone()),
            Target::Number { destination, .. } => match destination {
                Destination::Phone(number) => core.ring_phone(hands, number, Role::Callee, None),
                Destination::Trunk { trunks, number } => core
                    .ring_by_trunks(hands, trunks.clone(), number.clone())
                    .map(|leg| vec![leg]),
                other => match led_to(core, hands, other.clone()) {
                    Some(stage) => {
                        self.done(core, hands, None);
                        // An agent who was sent there himself serves nobody any more.
                        self.talk.release(core, hands);
                        return Next::Become(stage);
                    }
                    None => Err(404),
                },
            },
        };
        match rung {
            Ok(legs) => {
                self.legs = legs;
                let rings = |leg: &LegId| core.leg(*leg).is_some_and(|leg| leg.rang);
                if self.legs.iter().any(rings) {
                    self.tell(core, hands, 180);
                }
                self.wait(core, hands);
                Next::Stay
            }
            Err(status) => self.fail(core, hands, Cause::from_status(status)),
        }
    }

    /// Whoever stays hears that it rings, for as long as it may.
    fn wait(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let generation = hands.generations.get(&core.generation);
        self.deadline = generation.map(|now| hands.now + now.ring_timeout);
        self.ring_back(core, hands);
    }

    /// Our own tone for whoever stays.
    fn ring_back(&self, core: &mut Core, hands: &mut Hands<'_>) {
        let generation = hands.generations.get(&core.generation);
        let sound = generation.map_or("ringback", |now| now.transfers.sound.as_str());
        let caller = core.caller().id;
        core.play(hands, caller, [sound], Looped::Forever);
    }

    /// Whoever stays hears what the target sends before it answers (RFC 3960 §3.2); of several the
    /// first.
    fn pass_early_media(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) {
        if core.room.is_some() {
            return;
        }
        let caller = core.caller().id;
        core.stop_play(hands, caller);
        core.join(hands, caller);
        core.join(hands, leg);
        self.heard = Some(leg);
    }

    /// Whoever was heard gave up, and another rings on.
    fn end_early_media(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let is_over = |leg: LegId| core.leg(leg).is_none_or(|leg| !leg.is_live());
        if self.heard.is_none_or(is_over) && core.room.is_some() {
            self.heard = None;
            core.close_room(hands);
            self.ring_back(core, hands);
        }
    }

    /// It is done: whoever asked for it leaves.
    fn done(&mut self, core: &mut Core, hands: &mut Hands<'_>, to: Option<LegId>) {
        let leaver = self.wish.leaver;
        self.is_settled = true;
        core.emit(hands, Fact::TransferDone { leg: leaver, to });
        self.tell(core, hands, 200);
        self.wish.refer = None;
        core.referred_by = None;
        self.talk.part(core, hands, leaver);
        let cause = Cause::normal().with_words("transferred");
        core.hang_up(hands, leaver, Party::Switch, cause);
    }

    /// It came to nothing: back to whoever asked for it, who may have to be rung.
    fn fail(&mut self, core: &mut Core, hands: &mut Hands<'_>, cause: Cause) -> Next {
        self.stop_ringing(core, hands, &cause);
        if self.phase == Phase::Recalling {
            return self.give_up(core, hands, cause);
        }
        let leaver = self.wish.leaver;
        let status = cause.sip;
        self.is_settled = true;
        core.emit(
            hands,
            Fact::TransferFailed {
                leg: leaver,
                status,
            },
        );
        self.tell(core, hands, status);
        self.wish.refer = None;
        core.referred_by = None;
        let Some(leg) = core.leg(leaver) else {
            return self.give_up(core, hands, cause);
        };
        if leg.is_live() {
            if self.was_lead {
                core.lead(leaver);
                core.from.clone_from(&self.from);
            }
            return Next::Become(Stage::Talk(self.talk.clone()));
        }
        let (phone, agent, is_ours) = (leg.party.clone(), leg.agent.clone(), leg.trunk.is_none());
        let recalls = hands
            .generations
            .get(&core.generation)
            .is_some_and(|now| now.transfers.recall);
        if !recalls || !is_ours {
            return self.give_up(core, hands, cause);
        }
        self.phase = Phase::Recalling;
        self.refused = None;
        core.caller_enters(hands, Stretch::Ring, agent.as_deref().unwrap_or(&phone));
        match ring_again(core, hands, (&phone, agent.as_deref())) {
            Ok(legs) => {
                self.legs = legs;
                self.wait(core, hands);
                Next::Stay
            }
            Err(_) => self.give_up(core, hands, cause),
        }
    }

    /// Nobody is left for whoever stays.
    fn give_up(&mut self, core: &mut Core, hands: &mut Hands<'_>, cause: Cause) -> Next {
        if self.was_lead {
            // The script was that of whoever left.
            self.talk.drop_script(core, hands);
        }
        let script = self.talk.take_script();
        self.talk.leave(core, hands);
        match script {
            Some(script) => Next::Become(script.after_talk(hands, Party::Switch, cause)),
            None => Next::End(Party::Switch, cause),
        }
    }

    fn stop_ringing(&mut self, core: &mut Core, hands: &mut Hands<'_>, cause: &Cause) {
        self.deadline = None;
        for leg in std::mem::take(&mut self.legs) {
            core.hang_up(hands, leg, Party::Switch, cause.clone());
        }
        self.heard = None;
        core.close_room(hands);
        let caller = core.caller().id;
        core.stop_play(hands, caller);
    }

    fn answered(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) -> Next {
        self.legs.retain(|other| *other != leg);
        self.stop_ringing(core, hands, &Cause::answered_elsewhere());
        if self.phase == Phase::Ringing {
            self.done(core, hands, Some(leg));
        }
        let mut talk = (*self.talk).clone();
        talk.go_on_with(leg);
        if self.was_lead {
            // The script was that of whoever left.
            talk.drop_script(core, hands);
        }
        Next::Become(Stage::Talk(Box::new(talk)))
    }

    /// Others ring instead of one that will not answer.
    fn ring_on(&mut self, core: &mut Core, hands: &mut Hands<'_>, legs: Vec<LegId>) -> Next {
        self.legs.extend(legs);
        self.end_early_media(core, hands);
        Next::Stay
    }

    fn refused(&mut self, core: &mut Core, hands: &mut Hands<'_>, status: u16) -> Next {
        if self.refused.is_none() || matches!(status, 486 | 600) {
            self.refused = Some(status);
        }
        let lives = |id: &LegId| core.leg(*id).is_some_and(|leg| leg.is_live());
        if status < 600 && self.legs.iter().any(lives) {
            self.end_early_media(core, hands);
            return Next::Stay;
        }
        if status < 600
            && self.phase == Phase::Ringing
            && let Some(legs) = self.trail.next(core, hands, &mut self.refused)
        {
            return self.ring_on(core, hands, legs);
        }
        let status = match status {
            600.. => status,
            _ => as_told(self.refused.unwrap_or(status)),
        };
        self.fail(core, hands, Cause::from_status(status))
    }
}

/// Rings whoever transferred and hung up. An agent's task is done by then: he has a call of his own.
fn ring_again(
    core: &mut Core,
    hands: &mut Hands<'_>,
    (phone, agent): (&str, Option<&str>),
) -> Result<Vec<LegId>, u16> {
    let role = agent.map_or(Role::Callee, |_| Role::Agent);
    let legs = core.ring_phone(hands, phone, role, agent)?;
    for leg in &legs {
        core.beside_task(hands, *leg);
    }
    Ok(legs)
}

impl Feature for Transfer {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let leaver = self.wish.leaver;
        let name = |leg: LegId| core.leg(leg).map_or_else(String::new, |leg| leg.name());
        let stays = core
            .talking()
            .find(|leg| leg.id != leaver)
            .map(|leg| leg.id);
        let Some(stays) = stays else {
            return Next::End(Party::Switch, Cause::from_status(500));
        };
        let by = match self.wish.kind {
            TransferKind::Operator => "operator".to_owned(),
            _ => name(leaver),
        };
        let requested = Fact::TransferRequested {
            kind: self.wish.kind,
            leg: leaver,
            by,
            party: name(stays),
            target: self.wish.target.number().to_owned(),
            consultation: self.wish.consultation.clone(),
        };
        core.emit(hands, requested);
        core.referred_by = core.leg(leaver).map(|leg| leg.party.clone());
        self.from.clone_from(&core.from);
        self.was_lead = core.is_lead(leaver);
        if self.was_lead {
            core.lead(stays);
            core.from = core.caller().party.clone();
        }
        core.close_room(hands);
        let target = self.wish.target.number().to_owned();
        core.caller_enters(hands, Stretch::Ring, &target);
        self.set_out(core, hands)
    }

    fn on_leg(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        event: LegEvent,
    ) -> Next {
        if leg == self.wish.leaver {
            // Gone before the answer: the transfer goes on, the agent's work is done.
            if matches!(event, LegEvent::Ended | LegEvent::Failed(_)) {
                self.talk.part(core, hands, leg);
            }
            return Next::Stay;
        }
        if !self.legs.contains(&leg) {
            return Next::Stay;
        }
        match event {
            LegEvent::Answered => self.answered(core, hands, leg),
            LegEvent::Ended => self.refused(core, hands, 480),
            LegEvent::Failed(status) => {
                if let Some(next) = core.ring_next_trunk(hands, leg, status) {
                    return self.ring_on(core, hands, vec![next]);
                }
                if let (Phase::Ringing, 300..=399) = (self.phase, status) {
                    let from = (leg, status);
                    let legs = self.trail.follow(core, hands, from, &mut self.refused);
                    if let Some(legs) = legs {
                        return self.ring_on(core, hands, legs);
                    }
                }
                self.refused(core, hands, status)
            }
            LegEvent::Progress(how) => {
                if self.phase == Phase::Ringing {
                    self.tell(core, hands, 180);
                }
                if matches!(how, Ringing::EarlyMedia) {
                    self.pass_early_media(core, hands, leg);
                }
                Next::Stay
            }
        }
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if self.deadline.is_some_and(|deadline| deadline <= hands.now) {
            if core.calls_for_help(hands, &self.legs) {
                self.deadline = None;
                return Next::Stay;
            }
            return self.fail(core, hands, Cause::no_answer());
        }
        Next::Stay
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// What rang heard nothing of the restore and rings anew; of what a carrier was asked, nothing
    /// will be heard any more.
    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.refused = None;
        self.legs.clear();
        self.end_early_media(core, hands);
        let leaver = core.leg(self.wish.leaver);
        let rung = match (&self.wish.target, self.phase, leaver) {
            (_, Phase::Recalling, Some(leg)) => {
                let (phone, agent) = (leg.party.clone(), leg.agent.clone());
                ring_again(core, hands, (&phone, agent.as_deref()))
            }
            (Target::Number { destination, .. }, Phase::Ringing, _) => match destination.clone() {
                Destination::Phone(number) => core.ring_phone(hands, &number, Role::Callee, None),
                Destination::Trunk { trunks, number } => core
                    .ring_by_trunks(hands, trunks, number)
                    .map(|leg| vec![leg]),
                _ => Err(404),
            },
            _ => Err(480),
        };
        match rung {
            Ok(legs) => self.legs = legs,
            Err(_) => self.deadline = Some(hands.now),
        }
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if !self.is_settled {
            let (leg, status) = (self.wish.leaver, 487);
            core.emit(hands, Fact::TransferFailed { leg, status });
            self.tell(core, hands, status);
        }
        self.talk.leave(core, hands);
    }
}
