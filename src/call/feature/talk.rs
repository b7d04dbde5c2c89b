//! A call in conversation: a conference of two or more, held, recorded, joined and left.

use serde::{Deserialize, Serialize};

use super::holding::Holding;
use super::{Feature, LegEvent, Next, Script};
use crate::base::{Cause, LegId, Party, TaskId, Timestamp};
use crate::call::QueueCare;
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::call::inquiry::Supply;
use crate::events::{AgentStretch, Role, Stretch};
use crate::flow::{Reply, Run};
use crate::media::PlayId;
use crate::router;
use crate::twiml::{self, Modification};

/// A conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Talk {
    /// The party the caller's timeline names: the first one, or who is there after that one left.
    peer: LegId,
    /// Agents who talk, each with a task of their own.
    agents: Vec<Agent>,
    record: bool,
    /// What brought the caller here, to go on with when the other party hangs up.
    script: Option<Script>,
    /// Parties being rung to join.
    rings: Vec<Ring>,
    /// What whoever is on hold hears.
    #[serde(default)]
    holding: Holding,
}

/// An agent who took a call, and the router's task behind it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Agent {
    name: String,
    leg: LegId,
    task: TaskId,
    /// Whether after-call work follows, which the router ends.
    wraps_up: bool,
}

/// One more party that is rung, at one or more contacts; the first to answer joins.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ring {
    legs: Vec<LegId>,
    /// `None` when there is none: whoever calls for help rings as long as it takes.
    deadline: Option<Timestamp>,
}

impl Talk {
    /// With an agent whom the router assigned.
    pub(crate) fn with_agent(
        peer: LegId,
        name: String,
        task: TaskId,
        care: Option<&QueueCare>,
        script: Script,
    ) -> Self {
        Self {
            agents: vec![Agent {
                name,
                leg: peer,
                task,
                wraps_up: care.is_some_and(|care| care.wraps_up),
            }],
            record: care.is_some_and(|care| care.record),
            holding: care
                .map(|care| Holding::of(&care.flows))
                .unwrap_or_default(),
            script: Some(script),
            ..Self::with_callee(peer, None)
        }
    }

    /// With whoever was called.
    pub(crate) fn with_callee(peer: LegId, script: Option<Script>) -> Self {
        Self {
            peer,
            agents: Vec::new(),
            record: false,
            script,
            rings: Vec::new(),
            holding: Holding::default(),
        }
    }

    /// Whether somebody is rung to join.
    pub(crate) fn is_inviting(&self) -> bool {
        !self.rings.is_empty()
    }

    /// Whether it is recorded.
    pub(crate) fn is_recorded(&self) -> bool {
        self.record
    }

    /// Whom the caller talks with now.
    pub(crate) fn peer(&self) -> LegId {
        self.peer
    }

    /// The caller will talk with somebody else.
    pub(crate) fn go_on_with(&mut self, peer: LegId) {
        self.peer = peer;
    }

    /// What brought the caller here learns what a flow beside it has set and taken away.
    pub(super) fn learn(&mut self, core: &Core, beside: &Run) {
        if let Some(script) = &mut self.script {
            script.learn(core, beside);
        }
    }

    /// The conversation with an agent begins.
    pub(super) fn answered(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        // Documents were told when he was assigned.
        if let Some(script) = self.script.as_mut().filter(|it| it.flow().is_some()) {
            script.answered(core, hands);
        }
    }

    /// What to go on with, which this conversation then no longer has.
    pub(super) fn take_script(&mut self) -> Option<Script> {
        self.script.take()
    }

    /// Whoever was to go on has left: nothing goes on after this conversation.
    pub(crate) fn drop_script(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if let Some(mut script) = self.script.take() {
            script.leave(core, hands);
        }
    }

    /// Does what documents want of a call that is in conversation: something else, or its end.
    fn follow(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let Some(script) = &mut self.script else {
            return Next::Stay;
        };
        while let Some(action) = script.poll(core, hands) {
            match action {
                twiml::Action::LeaveQueue => {
                    let script = self.script.take();
                    self.dismiss(core, hands);
                    return script
                        .and_then(Script::go_on)
                        .map_or(Next::Stay, Next::Become);
                }
                twiml::Action::HangUp { cause } => return Next::End(Party::Switch, cause),
                _ => {}
            }
        }
        Next::Stay
    }

    /// The caller goes on without the others.
    fn dismiss(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let others: Vec<LegId> = core.others().map(|leg| leg.id).collect();
        for leg in others {
            self.part(core, hands, leg);
            core.hang_up(hands, leg, Party::Switch, Cause::normal());
        }
        self.rings.clear();
        core.close_room(hands);
    }

    /// A leg leaves; when it is an agent's, that agent's work is done.
    pub(crate) fn part(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) {
        let parting: Vec<Agent> = self
            .agents
            .extract_if(.., |agent| agent.leg == leg)
            .collect();
        for agent in parting {
            agent.complete(core, hands);
        }
    }

    /// The agents' work is done though they stay in the call.
    pub(crate) fn release(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        for agent in std::mem::take(&mut self.agents) {
            // Before he is free: he is to be offered nothing meanwhile.
            core.beside_task(hands, agent.leg);
            agent.complete(core, hands);
        }
    }

    /// The agents go over to another call, with their tasks.
    pub(crate) fn hand_over_agents(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
    ) -> Vec<Agent> {
        for agent in &self.agents {
            core.agent_enters(hands, &agent.name, None, None);
        }
        std::mem::take(&mut self.agents)
    }

    /// Takes the agents of a call that became part of this one, and its wish to be recorded.
    pub(crate) fn take_over(&mut self, agents: Vec<Agent>, record: bool) {
        self.record |= record;
        self.agents.extend(agents);
    }

    /// A leg has taken another's place.
    pub(crate) fn replace(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        (old, new): (LegId, LegId),
    ) {
        if self.peer == old {
            self.peer = new;
        }
        if core.leg(new).is_some_and(|leg| leg.agent.is_some()) {
            for agent in self.agents.iter_mut().filter(|agent| agent.leg == old) {
                agent.leg = new;
            }
        } else {
            // Somebody else serves the caller now.
            self.part(core, hands, old);
        }
        core.join(hands, new);
        self.refresh(core, hands);
        if self.record {
            core.stop_recording(hands);
            core.record(hands, self.peer);
        }
    }

    /// Somebody is rung to join, until a deadline.
    pub(crate) fn invite(&mut self, legs: Vec<LegId>, deadline: Timestamp) {
        let deadline = Some(deadline);
        self.rings.push(Ring { legs, deadline });
    }

    /// The timelines and the music follow who is there and who holds whom.
    pub(crate) fn refresh(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        core.refresh_music(hands);
        self.holding.refresh(core, hands, self.script.as_ref());
        core.share_codec(hands);
        let on_hold = |core: &Core, leg| {
            core.leg(leg)
                .is_some_and(|leg| leg.hears_music || leg.holds_us())
        };
        let name = self.peer_name(core);
        let stretch = match core.leg(self.peer).is_some_and(|leg| leg.is_answered()) {
            false => Stretch::Ring,
            true if on_hold(core, core.caller().id) => Stretch::Hold,
            true => Stretch::Talk,
        };
        core.caller_enters(hands, stretch, &name);
        for Agent { name, leg, .. } in &self.agents {
            let stretch = match on_hold(core, *leg) {
                false => AgentStretch::Talk,
                true => AgentStretch::Hold,
            };
            core.agent_enters(hands, name, Some(*leg), Some(stretch));
        }
    }

    fn peer_name(&self, core: &Core) -> String {
        let agent = self.agents.iter().find(|agent| agent.leg == self.peer);
        agent.map_or_else(
            || {
                core.leg(self.peer)
                    .map_or_else(String::new, |leg| leg.party.clone())
            },
            |agent| agent.name.clone(),
        )
    }

    /// Forgets a ringing leg; the others of the same ring when it has answered.
    fn stop_ringing(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId, answered: bool) {
        let Some(place) = self.rings.iter().position(|ring| ring.legs.contains(&leg)) else {
            return;
        };
        let ring = &mut self.rings[place];
        ring.legs.retain(|other| *other != leg);
        if answered {
            for other in std::mem::take(&mut ring.legs) {
                let cause = Cause::answered_elsewhere();
                core.hang_up(hands, other, Party::Switch, cause);
            }
        }
        if self.rings[place].legs.is_empty() {
            self.rings.swap_remove(place);
        }
    }

    /// A leg is gone: who is left, and with whom does the caller talk now?
    fn go_on_without(&mut self, core: &mut Core, hands: &mut Hands<'_>, gone: LegId) -> Next {
        // Others may stay: the agent's work is done all the same.
        self.part(core, hands, gone);
        let parties = || core.others().filter(|leg| !leg.supervises());
        let next = parties().find(|leg| leg.is_answered());
        let next = next.or_else(|| parties().next()).map(|leg| leg.id);
        let Some(next) = next else {
            core.dismiss_supervisors(hands);
            return self.end(core, hands, gone);
        };
        if core.leg(self.peer).is_none_or(|leg| !leg.is_live()) {
            self.peer = next;
        }
        self.refresh(core, hands);
        Next::Stay
    }

    /// The caller is alone: on with the script, or the end.
    fn end(&mut self, core: &mut Core, hands: &mut Hands<'_>, gone: LegId) -> Next {
        let gone = core.leg(gone);
        let by = match gone.map_or(Role::Callee, |leg| leg.role) {
            Role::Agent => Party::Agent,
            Role::Callee | Role::Caller => Party::Callee,
        };
        let over = gone.and_then(|leg| leg.over.clone());
        let (by, cause) = over.map_or((by, Cause::normal()), |(_, by, cause)| (by, cause));
        let Some(script) = self.script.take() else {
            return Next::End(by, cause);
        };
        core.close_room(hands);
        Next::Become(script.after_talk(hands, by, cause))
    }
}

impl Feature for Talk {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let caller = core.caller().id;
        core.join(hands, caller);
        core.join(hands, self.peer);
        self.refresh(core, hands);
        if self.record {
            core.record(hands, self.peer);
        }
        if !self.agents.is_empty() {
            core.save(hands);
        }
        Next::Stay
    }

    fn on_leg(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        event: LegEvent,
    ) -> Next {
        match event {
            LegEvent::Answered => {
                self.stop_ringing(core, hands, leg, true);
                core.join(hands, leg);
                let is_party = core.leg(leg).is_some_and(|leg| !leg.supervises());
                if is_party && core.leg(self.peer).is_none_or(|peer| !peer.is_answered()) {
                    self.peer = leg;
                }
                self.refresh(core, hands);
                Next::Stay
            }
            LegEvent::Failed(status)
                if let Some(ring) = self.rings.iter_mut().find(|ring| ring.legs.contains(&leg))
                    && let Some(next) = core.ring_next_trunk(hands, leg, status) =>
            {
                ring.legs.retain(|other| *other != leg);
                ring.legs.push(next);
                Next::Stay
            }
            LegEvent::Ended | LegEvent::Failed(_) => {
                self.stop_ringing(core, hands, leg, false);
                self.go_on_without(core, hands, leg)
            }
            LegEvent::Progress(_) => Next::Stay,
        }
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let is_due = |ring: &Ring| ring.deadline.is_some_and(|at| at <= hands.now);
        for ring in self.rings.iter_mut().filter(|ring| is_due(ring)) {
            if core.calls_for_help(hands, &ring.legs) {
                ring.deadline = None;
            }
        }
        let late: Vec<LegId> = self
            .rings
            .extract_if(.., |ring| is_due(ring))
            .flat_map(|r| r.legs)
            .collect();
        for leg in &late {
            let cause = Cause::from_status(480).with_words("no answer");
            core.hang_up(hands, *leg, Party::Switch, cause);
        }
        match late.last() {
            Some(last) => self.go_on_without(core, hands, *last),
            None => {
                if let Some(script) = &mut self.script {
                    script.handle_timeout(core, hands);
                }
                let script = self.script.as_ref();
                self.holding.handle_timeout(core, hands, script);
                self.follow(core, hands)
            }
        }
    }

    fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) -> Next {
        self.holding.on_play_done(core, hands, play);
        Next::Stay
    }

    fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        reply: &Reply,
    ) -> Next {
        if let Some(script) = &mut self.script {
            script.on_told(core, hands, ticket, reply);
        }
        self.holding.on_told(core, hands, (ticket, reply));
        self.follow(core, hands)
    }

    fn on_supply(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        supply: &Supply,
    ) -> Next {
        if let Some(script) = &mut self.script {
            script.on_supply(core, hands, ticket, supply);
        }
        self.follow(core, hands)
    }

    fn modify(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        wish: Modification,
    ) -> Option<Next> {
        let script = self.script.as_mut()?;
        let is_applications = script.modify(hands, wish);
        is_applications.then(|| self.follow(core, hands))
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        let rings = self.rings.iter().filter_map(|ring| ring.deadline);
        let script = self.script.as_ref().and_then(Script::poll_timeout);
        let holding = self.holding.poll_timeout();
        rings.chain(script).chain(holding).min()
    }

    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        for ring in &mut self.rings {
            ring.legs
                .retain(|leg| core.leg(*leg).is_some_and(|leg| leg.is_live()));
        }
        self.rings.retain(|ring| !ring.legs.is_empty());
        if let Some(script) = &mut self.script {
            script.restored(core, hands);
        }
        core.refresh_music(hands);
        self.holding.restored(core, hands);
        if self.record {
            core.record(hands, self.peer);
        }
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        for agent in std::mem::take(&mut self.agents) {
            agent.complete(core, hands);
        }
        self.drop_script(core, hands);
    }
}

impl Agent {
    /// The agent's part in the conversation is over.
    fn complete(self, core: &mut Core, hands: &mut Hands<'_>) {
        let task = self.task.clone();
        hands.route(router::Command::Complete { task, code: None });
        core.agent_done(hands, (self.name, self.task), self.wraps_up);
    }
}
