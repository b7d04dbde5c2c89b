//! A call in a queue: music and announcements for the caller, or what a document says, and offers
//! to agents as the router decides. The router reserves, this rings; nobody is joined before the
//! router says `Assigned`.

mod claimed;
mod hearing;
mod routed;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ringing::Ringing;
use super::{Feature, LegEvent, Message, Next, Script, Stage};
use crate::base::{Cause, LegId, Party, TaskId, Timestamp};
use crate::call::QueueCare;
use crate::call::aside::Aside;
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::call::inquiry::Supply;
use crate::call::reading::Reading;
use crate::events::{Fact, Stretch};
use crate::flow::Reply;
use crate::media::PlayId;
use crate::router::{self, Destination};
use crate::twiml::{Enqueueing, Modification, WaitSound};
use crate::waiting::{LeaveWhy, Line};

/// A caller in a queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// What queued the caller, to go on with when nobody takes the call.
    script: Script,
    to: Destination,
    /// The queue stood in; `None` until the workflow has said which.
    queue: Option<String>,
    priority: i64,
    /// What the task says besides what is known of the call.
    #[serde(default)]
    attributes: Map<String, Value>,
    /// When the task is given up; `None` for the workflow's own limit.
    #[serde(default)]
    timeout: Option<Duration>,
    /// What is heard instead of what the queue has.
    #[serde(default)]
    wait: Option<WaitSound>,
    /// The queue's own flow, which the caller hears.
    #[serde(default)]
    flow: Option<Box<Aside>>,
    /// The queue's music, where its flow is silent.
    #[serde(default)]
    music: Option<String>,
    /// Whether that is heard.
    #[serde(default)]
    has_music: bool,
    /// Whether that flow is to begin.
    #[serde(default)]
    begins: bool,
    /// From when on the wait counts.
    #[serde(default)]
    since: Option<Timestamp>,
    /// When he came into the queue stood in: from then on its longest wait counts.
    #[serde(default)]
    entered: Option<Timestamp>,
    task: Option<TaskId>,
    line: Option<Line>,
    play: Option<PlayId>,
    ringing: Ringing,
}

impl Waiting {
    pub(crate) fn new(script: Script, to: Destination, priority: i64) -> Self {
        Self {
            script,
            to,
            queue: None,
            priority,
            attributes: Map::new(),
            timeout: None,
            wait: None,
            flow: None,
            music: None,
            has_music: false,
            begins: false,
            since: None,
            entered: None,
            task: None,
            line: None,
            play: None,
            ringing: Ringing::default(),
        }
    }

    /// As a document wants it.
    pub(crate) fn for_documents(reading: Reading, enqueueing: Enqueueing) -> Self {
        Self {
            attributes: enqueueing.attributes,
            timeout: enqueueing.timeout,
            // Music is what the queue has.
            wait: Some(enqueueing.wait).filter(|wait| *wait != WaitSound::Music),
            ..Self::new(
                Script::Documents(Box::new(reading)),
                enqueueing.to,
                enqueueing.priority,
            )
        }
    }

    /// One more leg that may answer, in the place of one that rings.
    pub(crate) fn add(&mut self, (old, new): (LegId, LegId)) {
        self.ringing.add((old, new));
    }

    /// Stands in a queue from now on: its music, its announcements.
    fn stand_in(&mut self, core: &mut Core, hands: &mut Hands<'_>, queue: &str) {
        let Some(task) = self.task.clone() else {
            return;
        };
        self.leave_queue(core, hands, "moved");
        self.queue = Some(queue.to_owned());
        core.caller_enters(hands, Stretch::Queue, queue);
        let queue = queue.to_owned();
        core.emit(hands, Fact::Queued { queue, task });
    }

    /// Takes the caller out of the line.
    fn withdraw(&mut self, core: &mut Core, hands: &mut Hands<'_>, outcome: &str) {
        self.ringing.drop_all(core, hands, outcome);
        if let Some(task) = self.task.take() {
            hands.route(router::Command::CancelTask {
                task,
                why: outcome.to_owned(),
            });
        }
        core.stop_play(hands, core.caller().id);
        self.leave_queue(core, hands, outcome);
    }

    fn leave_queue(&mut self, core: &mut Core, hands: &mut Hands<'_>, outcome: &str) {
        if let Some(queue) = self.queue.take() {
            let outcome = outcome.to_owned();
            core.emit(hands, Fact::Unqueued { queue, outcome });
        }
    }

    /// Leaves the queue unserved: back to the script, which says goodbye in its own words.
    fn give_up(&mut self, core: &mut Core, hands: &mut Hands<'_>, why: LeaveWhy) -> Next {
        let outcome = match why {
            LeaveWhy::MaxWait => "timeout",
            LeaveWhy::Nobody => "nobody_available",
        };
        let left_to = self.queue.as_ref().and_then(|queue| {
            let mailbox = care(core, hands, queue)?.mailbox.clone()?;
            let generation = hands.generations.get(&core.generation)?;
            Some(Message::for_phone(mailbox, &generation.voicemail))
        });
        self.withdraw(core, hands, outcome);
        if let Some(message) = left_to.filter(|_| self.script.ends_after(why)) {
            return Next::Become(Stage::Message(Box::new(message)));
        }
        Next::Become(self.script.clone().unserved(hands, why))
    }
}

impl Feature for Waiting {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if let Err(status) = core.answer_caller(hands) {
            return Next::End(Party::Switch, Cause::from_status(status));
        }
        let queue = match &self.to {
            Destination::Queue(queue) => Some(queue.clone()),
            Destination::Workflow(named) => {
                let newest = hands.newest().and_then(|now| now.workflow(named));
                if let Some(name) = newest.map(str::to_owned) {
                    self.to = Destination::Workflow(name);
                }
                None
            }
        };
        self.since.get_or_insert(hands.now);
        // Of one who waits on the router knows already.
        if self.task.is_none() {
            self.ask_router(core, hands);
        }
        if let Some(queue) = queue {
            self.stand_in(core, hands, &queue);
            if care(core, hands, &queue).is_none() {
                let cause = Cause::from_status(500).with_words("the queue does not exist");
                return Next::End(Party::Switch, cause);
            }
            self.hear_queue(core, hands);
            self.tell_standing(core, hands, None);
        } else {
            core.caller_enters(hands, Stretch::Queue, "");
        }
        core.save(hands);
        self.serve(core, hands)
    }

    fn on_leg(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        event: LegEvent,
    ) -> Next {
        self.ringing.on_leg(core, hands, leg, event);
        Next::Stay
    }

    fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) -> Next {
        if self.play != Some(play) {
            if self.flow.is_some() {
                return self.tell_flow(core, hands, |flow, core, hands| {
                    flow.on_play_done(core, hands, play)
                });
            }
            self.script.on_play_done(core, hands, play);
            return self.follow(core, hands);
        }
        self.play = None;
        if let Some(line) = self.line.as_mut() {
            line.play_done(hands.now, true);
        }
        self.serve(core, hands)
    }

    fn on_router(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        output: &router::Output,
    ) -> Next {
        self.on_output(core, hands, output)
    }

    fn on_rouse(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.ringing.look(core, hands);
        Next::Stay
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if let Some(line) = self.line.as_mut() {
            line.handle_timeout(hands.now);
        }
        self.script.handle_timeout(core, hands);
        match self.tell_flow(core, hands, Aside::handle_timeout) {
            Next::Stay => self.serve(core, hands),
            next => next,
        }
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        let line = self.line.as_ref().and_then(Line::poll_timeout);
        let flow = self.flow.as_ref().and_then(|flow| flow.poll_timeout());
        [line, self.script.poll_timeout(), flow]
            .into_iter()
            .flatten()
            .min()
    }

    fn on_digit(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId, key: char) -> Next {
        self.script.on_digit(core, hands, leg, key);
        let told = self.tell_flow(core, hands, |flow, core, hands| {
            flow.on_digit(core, hands, leg, key)
        });
        match told {
            Next::Stay => self.follow(core, hands),
            next => next,
        }
    }

    fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        reply: &Reply,
    ) -> Next {
        self.script.on_told(core, hands, ticket, reply);
        let told = self.tell_flow(core, hands, |flow, core, hands| {
            flow.on_told(core, hands, ticket, reply)
        });
        match told {
            Next::Stay => self.follow(core, hands),
            next => next,
        }
    }

    fn on_supply(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        supply: &Supply,
    ) -> Next {
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

    /// A phone that was ringing heard nothing of the restore: its offer is given back.
    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.ringing.restored(core, hands);
        self.script.restored(core, hands);
        if let Some(flow) = &mut self.flow {
            flow.restored(core, hands);
        }
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.ringing.drop_all(core, hands, "caller_left");
        if let Some(task) = self.task.take() {
            let why = "abandoned".to_owned();
            hands.route(router::Command::CancelTask { task, why });
            self.leave_queue(core, hands, "abandoned");
        }
        self.script.leave(core, hands);
    }
}

/// How callers of a queue are kept: as the call's own configuration has it, else as the newest, whose
/// plan the router follows, wherever a workflow leads.
pub(super) fn care<'h>(core: &Core, hands: &'h Hands<'_>, queue: &str) -> Option<&'h QueueCare> {
    let own = hands.generations.get(&core.generation);
    let mut known = own.into_iter().chain(hands.newest());
    known.find_map(|one| one.queues.get(queue))
}
