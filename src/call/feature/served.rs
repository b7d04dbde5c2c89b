//! A caller of a queue with whoever claimed him by the reservation of his task: he hears what there
//! is to hear before, then the other, who is a call of his own. The agent's work is this call's: it
//! accepted the reservation, and ends the task.

use serde::{Deserialize, Serialize};

use super::application::facts;
use super::in_line::LOOKS;
use super::{Feature, Next, Script, Stage, Waiting};
use crate::base::{Cause, LegId, Party, TaskId, Timestamp};
use crate::call::QueueCare;
use crate::call::claims::{Claim, Claimed, Side};
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::call::inquiry::Supply;
use crate::call::reading::Reading;
use crate::events::{AgentStretch, Stretch};
use crate::flow::Reply;
use crate::media::{Command, PlayId};
use crate::router::{self, Rejection};
use crate::twiml::{Action, Link, Modification, Run, Sid, SidKind, Terms};

/// With whoever claimed him, or about to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Served {
    /// What put him into the queue, to go on with after the conversation.
    script: Script,
    claim: Claim,
    agent: String,
    task: TaskId,
    /// Whether after-call work follows, which the router ends.
    wraps_up: bool,
    record: bool,
    /// The place in the line, when the other gives up before they meet.
    back: Box<Waiting>,
    /// What the caller of a flow hears before; that of documents hears it from his own.
    whisper: Option<Box<Reading>>,
    /// Whether both hear each other.
    has_come: bool,
    /// When he looks by himself: the word that something changed may have been lost.
    looks_at: Option<Timestamp>,
    /// The call was rebuilt: the room is opened by the other's, perhaps after him.
    #[serde(skip)]
    sits_again: bool,
}

impl Served {
    /// The router gave the task to the agent whose reservation was claimed.
    pub(super) fn new(
        script: Script,
        claim: Claim,
        (agent, task): (String, TaskId),
        care: Option<&QueueCare>,
        back: Waiting,
    ) -> Self {
        Self {
            script,
            claim,
            agent,
            task,
            wraps_up: care.is_some_and(|care| care.wraps_up),
            record: care.is_some_and(|care| care.record),
            back: Box::new(back),
            whisper: None,
            has_come: false,
            looks_at: None,
            sits_again: false,
        }
    }

    /// What has changed?
    fn look(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.looks_at = Some(hands.now + LOOKS);
        let is_there = hands.lines().claims.course(&self.claim, Side::Caller);
        match (is_there, self.has_come) {
            (Some(_), _) => {
                if std::mem::take(&mut self.sits_again) && self.has_come {
                    self.sit(core, hands);
                }
                self.follow(core, hands)
            }
            (None, true) => {
                self.complete(core, hands);
                let (script, cause) = (self.script.clone(), Cause::normal());
                Next::Become(script.after_talk(hands, Party::Agent, cause))
            }
            (None, false) => self.give_back(core, hands),
        }
    }

    /// What he is to hear before he is connected, if anything.
    fn begin(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let by = Sid::derive(SidKind::Call, self.claim.by.as_str());
        let Some(link) = self.claim.whisper.clone() else {
            return self.come(core, hands);
        };
        if self.script.flow().is_none() {
            self.script.hears_before(hands, link, by);
            return self.follow(core, hands);
        }
        self.whisper = Some(Box::new(whisper(core, hands, link, &by)));
        self.follow(core, hands)
    }

    /// Both hear each other from now on.
    fn come(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if std::mem::replace(&mut self.has_come, true) {
            return Next::Stay;
        }
        core.stop_play(hands, core.caller().id);
        self.script.answered(core, hands);
        core.caller_enters(hands, Stretch::Talk, &self.agent);
        core.agent_enters(hands, &self.agent, None, Some(AgentStretch::Talk));
        self.sit(core, hands);
        if let Some(activity) = self.claim.post_work.clone() {
            hands.route(router::Command::SetNextActivity {
                worker: self.agent.clone(),
                activity: Some(activity),
                by: format!("call {}", self.claim.by),
            });
        }
        hands.lines().claims.goes_on(&self.claim, Claimed::Met);
        hands.rouse(&self.claim.by);
        core.save(hands);
        Next::Stay
    }

    /// Takes his place in the other's room.
    fn sit(&self, core: &mut Core, hands: &mut Hands<'_>) {
        let (leg, standing) = (core.caller().id, core.caller().standing);
        hands.seat_in_room(self.claim.room, leg, standing);
        if self.record {
            let room = (self.agent.as_str(), self.claim.room);
            core.record_room(hands, room, (leg, Vec::new()), 2);
        }
    }

    /// The conversation is over, or will not be.
    fn complete(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.part(core, hands);
        let task = self.task.clone();
        hands.route(router::Command::Complete {
            task: task.clone(),
            code: None,
        });
        core.agent_done(hands, (self.agent.clone(), task), self.wraps_up);
    }

    /// The other gave up before they met: the caller waits on, in the place he had.
    fn give_back(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.part(core, hands);
        if let Some(mut whisper) = self.whisper.take() {
            whisper.leave(core, hands);
        }
        hands.route(router::Command::GiveBack {
            reservation: self.claim.reservation.clone(),
            why: Rejection::Declined,
        });
        core.agent_enters(hands, &self.agent, None, None);
        core.stop_play(hands, core.caller().id);
        // Before the line begins to be heard: what was whispered ends.
        self.script.waits_on(hands);
        while self.script.poll(core, hands).is_some() {}
        let back = self.back.goes_on(self.script.clone());
        Next::Become(Stage::Waiting(Box::new(back)))
    }

    /// Has nothing to do with the other any more.
    fn part(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.looks_at = None;
        if self.has_come {
            let (room, leg) = (self.claim.room, core.caller().id);
            core.stop_recording(hands);
            hands.tell(Command::Leave { room, leg });
        }
        hands.lines().claims.end(&self.claim);
        hands.rouse(&self.claim.by);
    }

    /// Does what documents want beside what the caller hears.
    fn follow(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        while let Some(whisper) = &mut self.whisper {
            match whisper.poll(core, hands) {
                None => break,
                Some(Action::Finished | Action::HangUp { .. }) => {
                    self.whisper = None;
                    return self.come(core, hands);
                }
                Some(_) => {}
            }
        }
        while let Some(action) = self.script.poll(core, hands) {
            match action {
                Action::WhisperDone => return self.come(core, hands),
                Action::LeaveQueue => {
                    self.complete(core, hands);
                    core.stop_play(hands, core.caller().id);
                    let script = self.script.clone();
                    return script.go_on().map_or(Next::Stay, Next::Become);
                }
                Action::HangUp { cause } => return Next::End(Party::Switch, cause),
                _ => {}
            }
        }
        Next::Stay
    }
}

/// A document that the caller of a flow hears before he is connected.
fn whisper(core: &Core, hands: &Hands<'_>, link: Link, by: &Sid) -> Reading {
    let mut facts = facts::of_caller(core, hands);
    let name = "DequeingCallSid".to_owned();
    facts.more.push((name, by.to_string()));
    let mut run = Run::whisper_in_line(facts, Terms::of_url(link));
    run.start(hands.now);
    Reading::to_caller(run)
}

impl Feature for Served {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.looks_at = Some(hands.now + LOOKS);
        core.save(hands);
        self.begin(core, hands)
    }

    fn on_digit(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId, key: char) -> Next {
        self.script.on_digit(core, hands, leg, key);
        self.follow(core, hands)
    }

    fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) -> Next {
        if let Some(whisper) = &mut self.whisper {
            whisper.on_play_done(core, hands, play);
        }
        self.script.on_play_done(core, hands, play);
        self.follow(core, hands)
    }

    fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        reply: &Reply,
    ) -> Next {
        if let Some(whisper) = &mut self.whisper {
            whisper.on_told(core, hands, ticket, reply);
        }
        self.script.on_told(core, hands, ticket, reply);
        self.follow(core, hands)
    }

    fn on_supply(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        supply: &Supply,
    ) -> Next {
        if let Some(whisper) = &mut self.whisper {
            whisper.on_supply(core, hands, ticket, supply);
        }
        self.script.on_supply(core, hands, ticket, supply);
        self.follow(core, hands)
    }

    fn modify(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        wish: Modification,
    ) -> Option<Next> {
        let is_applications = self.script.modify(hands, wish);
        is_applications.then(|| self.follow(core, hands))
    }

    fn on_rouse(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.look(core, hands)
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if let Some(whisper) = &mut self.whisper {
            whisper.handle_timeout(core, hands);
        }
        self.script.handle_timeout(core, hands);
        match self.follow(core, hands) {
            Next::Stay if self.looks_at.is_some_and(|at| at <= hands.now) => self.look(core, hands),
            next => next,
        }
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        let whisper = self.whisper.as_ref().and_then(|one| one.poll_timeout());
        [whisper, self.script.poll_timeout(), self.looks_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let how_far = match self.has_come {
            true => Claimed::Met,
            false => Claimed::Granted,
        };
        let claim = self.claim.clone();
        hands
            .lines()
            .claims
            .make_again(claim, how_far, Side::Caller);
        self.sits_again = true;
        self.script.restored(core, hands);
        if let Some(whisper) = &mut self.whisper {
            whisper.restored(core, hands);
        }
        // Whoever claimed him is there again by then, or never.
        self.looks_at = Some(hands.now);
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.complete(core, hands);
        if let Some(mut whisper) = self.whisper.take() {
            whisper.leave(core, hands);
        }
        self.script.leave(core, hands);
    }
}
