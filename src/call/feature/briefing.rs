//! An agent has answered: what he is to hear alone, then what the caller is to hear alone; then they
//! are joined. The caller goes on hearing the queue's music meanwhile.

use serde::{Deserialize, Serialize};

use super::{Feature, LegEvent, Next, Script, Stage, Talk, Waiting};
use crate::base::{LegId, Timestamp};
use crate::call::aside::{Aside, Course};
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::flow::{QueueFlows, Reply, Run};
use crate::media::PlayId;

/// The moment between an agent's answer and the conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Briefing {
    /// The conversation to come.
    talk: Talk,
    /// The line the caller goes back to when the agent hangs up before it.
    back: Box<Waiting>,
    /// Who is spoken to, and what comes after it.
    now: Aside,
    /// What the caller is to hear next.
    next: Option<Aside>,
    /// What the caller hears meanwhile.
    music: String,
}

/// What is whispered before a conversation.
pub(super) struct Whispers {
    agent: Option<Run>,
    customer: Option<Run>,
}

impl Whispers {
    /// Those of a queue; the dialled number's own outranks the queue's for agents.
    pub(super) fn of(
        core: &Core,
        hands: &Hands<'_>,
        script: &Script,
        flows: Option<&QueueFlows>,
    ) -> Self {
        let of_number = script.flow().and_then(Run::whisper_of_number).cloned();
        let of_number = of_number.or_else(|| {
            let generation = hands.generations.get(&core.generation)?;
            generation.number_profiles.get(&core.to)?.whisper.clone()
        });
        let agent = of_number.or_else(|| flows?.agent_whisper.clone());
        let customer = flows.and_then(|flows| flows.customer_whisper.clone());
        let run = |whisper: Option<crate::flow::Whisper>| {
            let document = whisper?.document(|name| core.document(hands, name))?;
            Some(script.beside(core, hands, &document))
        };
        Self {
            agent: run(agent),
            customer: run(customer),
        }
    }

    /// Whether there is nothing to say.
    pub(super) fn is_empty(&self) -> bool {
        self.agent.is_none() && self.customer.is_none()
    }
}

impl Briefing {
    /// What is whispered before this conversation with an agent, who is on this leg; `None` when it
    /// is nothing.
    pub(super) fn new(
        core: &Core,
        hands: &Hands<'_>,
        (talk, leg): (Talk, LegId),
        whispers: Whispers,
        (back, music): (Waiting, String),
    ) -> Option<Self> {
        let caller = core.caller().id;
        let desk = hands.newest().map(|now| &now.desk);
        let name = core.leg(leg).and_then(|leg| leg.agent.as_deref());
        let language = desk.and_then(|desk| desk.language_of(name));
        let agent = whispers.agent;
        let agent = agent.map(|run| Aside::whisper(leg, run, language, hands.now));
        let customer = whispers.customer;
        let customer = customer.map(|run| Aside::whisper_to_caller(caller, run, hands.now));
        let (now, next) = match (agent, customer) {
            (Some(agent), customer) => (agent, customer),
            (None, Some(customer)) => (customer, None),
            (None, None) => return None,
        };
        Some(Self {
            talk,
            back: Box::new(back),
            now,
            next,
            music,
        })
    }

    /// A whisper went on, or is over.
    fn go_on(&mut self, core: &mut Core, hands: &mut Hands<'_>, mut how: Course) -> Next {
        while how != Course::Under {
            self.talk.learn(core, self.now.run());
            let Some(mut next) = self.next.take() else {
                return self.join(core, hands);
            };
            // The caller is spoken to.
            core.stop_play(hands, core.caller().id);
            next.learn(core, self.now.run());
            self.now = next.anew(hands.now);
            how = self.now.begin(core, hands);
        }
        Next::Stay
    }

    fn join(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        core.stop_play(hands, core.caller().id);
        let mut talk = self.talk.clone();
        talk.answered(core, hands);
        Next::Become(Stage::Talk(Box::new(talk)))
    }
}

impl Feature for Briefing {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let caller = core.caller().id;
        if self.now.leg() == Some(caller) {
            core.stop_play(hands, caller);
        } else {
            core.play(hands, caller, [self.music.as_str()], Looped::Forever);
        }
        let how = self.now.begin(core, hands);
        core.save(hands);
        self.go_on(core, hands, how)
    }

    fn on_leg(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        event: LegEvent,
    ) -> Next {
        if leg != self.talk.peer() || !matches!(event, LegEvent::Ended | LegEvent::Failed(_)) {
            return Next::Stay;
        }
        // The caller has not heard him: he waits on, as long as he has waited already.
        self.talk.part(core, hands, leg);
        self.now.stop(core, hands);
        Next::Become(Stage::Waiting(self.back.clone()))
    }

    fn on_digit(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        digit: char,
    ) -> Next {
        let how = self.now.on_digit(core, hands, leg, digit);
        self.go_on(core, hands, how)
    }

    fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) -> Next {
        let how = self.now.on_play_done(core, hands, play);
        self.go_on(core, hands, how)
    }

    fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        request: u64,
        reply: &Reply,
    ) -> Next {
        let how = self.now.on_told(core, hands, request, reply);
        self.go_on(core, hands, how)
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let how = self.now.handle_timeout(core, hands);
        self.go_on(core, hands, how)
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.now.poll_timeout()
    }

    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.now.restored(core, hands);
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.talk.leave(core, hands);
    }
}
