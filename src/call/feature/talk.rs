//! A call in conversation: a conference of two or more, held, recorded, joined and left.

use serde::{Deserialize, Serialize};

use super::{Feature, LegEvent, Next, Stage, Treatment};
use crate::base::{Cause, LegId, Party, TaskId};
use crate::call::QueueCare;
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::events::{AgentStretch, Role, Stretch};
use crate::flow::Run;
use crate::router;

/// A conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Talk {
    /// The party the conversation began with.
    peer: LegId,
    agent: Option<Agent>,
    record: bool,
    /// The flow that brought the caller here, to go on with when the other party hangs up.
    run: Option<Run>,
}

/// The agent who took the call, and the router's task behind it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Agent {
    name: String,
    task: TaskId,
    /// Whether after-call work follows, which the router ends.
    wraps_up: bool,
}

impl Talk {
    /// With an agent whom the router assigned.
    pub(crate) fn with_agent(
        peer: LegId,
        name: String,
        task: TaskId,
        care: Option<&QueueCare>,
        run: Run,
    ) -> Self {
        Self {
            peer,
            agent: Some(Agent {
                name,
                task,
                wraps_up: care.is_some_and(|care| care.wraps_up),
            }),
            record: care.is_some_and(|care| care.record),
            run: Some(run),
        }
    }

    /// With whoever was called.
    pub(crate) fn with_callee(peer: LegId, run: Option<Run>) -> Self {
        Self {
            peer,
            agent: None,
            record: false,
            run,
        }
    }

    fn peer_name(&self, core: &Core) -> String {
        self.agent.as_ref().map_or_else(
            || {
                core.leg(self.peer)
                    .map_or_else(String::new, |leg| leg.party.clone())
            },
            |agent| agent.name.clone(),
        )
    }

    /// The timelines follow who holds whom.
    pub(crate) fn on_hold(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let held = core
            .legs
            .iter()
            .any(|leg| leg.is_answered() && leg.holds_us());
        let name = self.peer_name(core);
        let (caller, agent) = if held {
            (Stretch::Hold, AgentStretch::Hold)
        } else {
            (Stretch::Talk, AgentStretch::Talk)
        };
        core.caller_enters(hands, caller, &name);
        if let Some(who) = &self.agent {
            core.agent_enters(hands, &who.name, Some(self.peer), Some(agent));
        }
    }
}

impl Feature for Talk {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let caller = core.caller().id;
        core.join(hands, caller);
        core.join(hands, self.peer);
        let name = self.peer_name(core);
        core.caller_enters(hands, Stretch::Talk, &name);
        if let Some(agent) = &self.agent {
            core.agent_enters(
                hands,
                &agent.name,
                Some(self.peer),
                Some(AgentStretch::Talk),
            );
        }
        if self.record {
            core.record(hands, self.peer);
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
                core.join(hands, leg);
                Next::Stay
            }
            LegEvent::Ended if core.others().next().is_none() => {
                let role = core.leg(leg).map_or(Role::Callee, |leg| leg.role);
                let by = if role == Role::Agent {
                    Party::Agent
                } else {
                    Party::Callee
                };
                let cause = core
                    .leg(leg)
                    .and_then(|leg| leg.over.clone())
                    .map_or_else(Cause::normal, |(_, _, cause)| cause);
                let Some(run) = self.run.take() else {
                    return Next::End(by, cause);
                };
                self.leave(core, hands);
                core.close_room(hands);
                Next::Become(Stage::Treatment(Box::new(Treatment::after_talk(run, by))))
            }
            LegEvent::Ended => {
                // The agent left, others stay: the agent's work is done all the same.
                if leg == self.peer {
                    self.leave(core, hands);
                }
                Next::Stay
            }
            LegEvent::Failed(_) | LegEvent::Progress(_) => Next::Stay,
        }
    }

    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if self.record {
            core.record(hands, self.peer);
        }
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if let Some(agent) = self.agent.take() {
            hands.route(router::Command::Complete { task: agent.task });
            core.agent_done(hands, agent.name, agent.wraps_up);
        }
    }
}
