//! A call in a queue: music and announcements for the caller, or what a document says, and offers
//! to agents as the router decides. The router reserves, this rings; nobody is joined before the
//! router says `Assigned`.

mod claimed;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::briefing::Whispers;
use super::ringing::Ringing;
use super::{Briefing, Feature, LegEvent, Message, Next, Script, Stage, Talk};
use crate::base::{Cause, LegId, Party, ReservationId, TaskId, Timestamp};
use crate::call::QueueCare;
use crate::call::aside::{Aside, Course};
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::call::inquiry::Supply;
use crate::call::reading::Reading;
use crate::events::{Fact, Stretch};
use crate::flow::{Document, Reply};
use crate::media::PlayId;
use crate::router::{self, Destination, LeftWhy, NewTask, Refusal, RevokedWhy, TaskOutcome};
use crate::twiml::{self, Enqueueing, Modification, Sid, SidKind, Standing, WaitSound};
use crate::waiting::{Action, LeaveWhy, Line, LineConfig};

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

    /// Makes the task that the router finds an agent for.
    fn ask_router(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let task = hands.ids.task(hands.now);
        self.task = Some(task.clone());
        let mut attributes = core.attributes.clone();
        attributes.extend(self.attributes.clone());
        hands.route(router::Command::CreateTask(Box::new(NewTask {
            to: self.to.clone(),
            attributes,
            priority: self.priority,
            started: self.since,
            time_to_live: self.timeout,
            ..NewTask::of_call(task, core.id.clone(), "")
        })));
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

    /// Hears what waiting in the queue sounds like.
    fn hear_queue(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let care = self
            .queue
            .as_ref()
            .and_then(|queue| care(core, hands, queue));
        let terms = match (care, &self.line) {
            (Some(care), _) => care.line.clone(),
            // The router leads on into a queue before a configuration with it was heard of.
            (None, Some(_)) => return,
            (None, None) => LineConfig::default(),
        };
        let flow = care.and_then(|care| care.flows.waiting.clone());
        let flow = flow.filter(|_| self.wait.is_none());
        let document = flow.and_then(|name| core.document(hands, &name));
        self.music = Some(terms.music.clone()).filter(|_| self.wait.is_none());
        let mut line = Line::new(match (&self.wait, &document) {
            (None, None) => terms,
            // The caller hears something else; how long he may wait holds all the same.
            _ => LineConfig {
                first_announce: None,
                nobody_sound: None,
                ..terms
            },
        });
        self.has_music = false;
        let is_other =
            |flow: &Aside, document: &Document| flow.run().document().name != document.name;
        let goes_on = match (&self.flow, &document) {
            (Some(flow), Some(document)) => !is_other(flow, document),
            _ => false,
        };
        if let Some(flow) = self.flow.as_mut().filter(|_| !goes_on) {
            flow.stop(core, hands);
        }
        if !goes_on {
            let caller = core.caller().id;
            let flow = document.map(|document| {
                let run = self.script.beside(core, hands, &document);
                Box::new(Aside::of_caller(caller, run))
            });
            self.flow = flow;
            self.begins = self.flow.is_some();
        }
        line.entered(hands.now);
        self.line = Some(line);
        self.play = None;
    }

    /// Tells documents where the caller stands: last in the line when the router has not said.
    fn tell_standing(&mut self, core: &Core, hands: &Hands<'_>, place: Option<(usize, usize)>) {
        let Some(queue) = &self.queue else { return };
        let view = hands.desks.view();
        let waiting = view.queues.iter().find(|view| view.name == *queue);
        let behind = || waiting.map_or(1, |queue| queue.waiting + 1);
        let (position, size) = place.unwrap_or_else(|| (behind(), behind()));
        let waits = view
            .tasks
            .iter()
            .filter(|task| task.queue == *queue && !task.assigned && !task.wrapping);
        let waits: Vec<Duration> = waits.map(|task| hands.now.since(task.entered)).collect();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let max_size = care(core, hands, queue).map_or(0, |care| care.max_waiting);
        self.script.stands(
            hands,
            Standing {
                queue: Sid::derive(SidKind::Queue, queue),
                position: count(position),
                size: count(size),
                max_size: count(max_size),
                average_wait: waits
                    .iter()
                    .sum::<Duration>()
                    .checked_div(count(waits.len()))
                    .unwrap_or_default(),
            },
        );
    }

    /// Does what documents want beside what the caller hears.
    fn follow(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        while let Some(action) = self.script.poll(core, hands) {
            match action {
                twiml::Action::LeaveQueue => {
                    self.withdraw(core, hands, "left");
                    return self.script.clone().go_on().map_or(Next::Stay, Next::Become);
                }
                twiml::Action::HangUp { cause } => return Next::End(Party::Switch, cause),
                _ => {}
            }
        }
        Next::Stay
    }

    /// The queue's own flow takes something in; what the caller hears follows it.
    fn tell_flow(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        tell: impl FnOnce(&mut Aside, &mut Core, &mut Hands<'_>) -> Course,
    ) -> Next {
        let Some(mut flow) = self.flow.take() else {
            return Next::Stay;
        };
        let how = tell(&mut flow, core, hands);
        self.script.learn(flow.run().attributes());
        match how {
            Course::Under => {}
            Course::HungUp(cause) => return Next::End(Party::Switch, cause),
            Course::Left => {
                self.withdraw(core, hands, "left");
                return Next::Become(self.script.clone().let_out(hands));
            }
            // Whoever comes to its end hears the queue's music from then on.
            Course::Returned => flow.stop(core, hands),
        }
        let is_quiet = flow.is_quiet();
        self.flow = Some(flow);
        match &self.music {
            Some(music) if is_quiet && !self.has_music => {
                let (caller, music) = (core.caller().id, music.clone());
                core.play(hands, caller, [music.as_str()], Looped::Forever);
                self.has_music = true;
            }
            _ if !is_quiet => {
                // What it plays is heard instead; after a restore, too.
                self.has_music = false;
                core.playing = None;
            }
            _ => {}
        }
        Next::Stay
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

    /// The router gave the call to the agent who answered: they talk.
    fn on_assigned(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        (reservation, task, worker): (&ReservationId, &TaskId, &String),
    ) -> Next {
        if let Some(claim) = self.ringing.claimed(core, hands, reservation) {
            return self.on_claimed(core, hands, claim, (worker.clone(), task.clone()));
        }
        // The agent may be gone meanwhile; then the task was given back.
        let Some(leg) = self.ringing.accepted(core, hands, reservation) else {
            return Next::Stay;
        };
        self.ringing.drop_all(core, hands, "taken_elsewhere");
        self.task = None;
        let queue = self.queue.clone().unwrap_or_default();
        self.leave_queue(core, hands, "answered");
        let mut script = self.script.clone();
        let care = care(core, hands, &queue).cloned();
        let care = care.as_ref();
        let whispers = Whispers::of(core, hands, &script, care.map(|care| &care.flows));
        // A document ends what the caller hears by itself, and has nothing to say before.
        let documents = script.flow().is_none();
        if whispers.is_empty() || documents {
            core.stop_play(hands, core.caller().id);
            script.answered(core, hands);
        }
        let talk = Talk::with_agent(leg, worker.clone(), task.clone(), care, script);
        let back = self.anew(queue);
        let music = care.map_or_else(|| "music".to_owned(), |care| care.line.music.clone());
        match Briefing::new(core, hands, (talk.clone(), leg), whispers, (back, music)) {
            Some(briefing) => Next::Become(Stage::Briefing(Box::new(briefing))),
            None => Next::Become(Stage::Talk(Box::new(talk))),
        }
    }

    /// Does what the line machine asks for.
    fn serve(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let caller = core.caller().id;
        while let Some(action) = self.line.as_mut().and_then(Line::poll_action) {
            match action {
                Action::Announce(sounds) => {
                    let names = sounds.iter().map(String::as_str);
                    self.play = Some(core.play(hands, caller, names, Looped::Once));
                }
                // The caller hears a document, or nothing.
                Action::Music(_) if self.wait.is_some() || self.flow.is_some() => {}
                Action::Music(sound) => {
                    self.play = None;
                    core.play(hands, caller, [sound.as_str()], Looped::Forever);
                }
                Action::Leave(why) => return self.give_up(core, hands, why),
            }
        }
        if std::mem::take(&mut self.begins) {
            match self.tell_flow(core, hands, Aside::begin) {
                Next::Stay => {}
                next => return next,
            }
        }
        self.follow(core, hands)
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
        if task_of(output).is_some_and(|task| self.task.as_ref() != Some(task)) {
            // About an earlier stay in a queue.
            return Next::Stay;
        }
        match output {
            router::Output::Offer {
                reservation,
                worker,
                phone,
                queue,
                explanation,
                ..
            } => {
                core.emit(
                    hands,
                    Fact::Offered {
                        reservation: reservation.clone(),
                        agent: worker.clone(),
                        queue: queue.clone(),
                        why: explanation.to_string(),
                    },
                );
                self.ringing
                    .begin(core, hands, (reservation, worker, phone));
                // Should the switch die now, the record says who was rung.
                core.save(hands);
                Next::Stay
            }
            router::Output::OfferRevoked {
                reservation, why, ..
            } => {
                self.ringing
                    .drop_one(core, hands, reservation, revoked(*why));
                Next::Stay
            }
            router::Output::Assigned {
                reservation,
                task,
                worker,
                ..
            } => self.on_assigned(core, hands, (reservation, task, worker)),
            router::Output::Moved { queue, .. } => {
                if self.queue.as_ref() != Some(queue) {
                    self.stand_in(core, hands, queue);
                    self.hear_queue(core, hands);
                    self.tell_standing(core, hands, None);
                }
                self.serve(core, hands)
            }
            router::Output::NobodyCanTake { .. } => {
                if let Some(line) = self.line.as_mut() {
                    line.nobody(hands.now);
                }
                self.serve(core, hands)
            }
            router::Output::Position {
                position, waiting, ..
            } => {
                if let Some(line) = self.line.as_mut() {
                    line.position(hands.now, *position, *waiting);
                }
                self.tell_standing(core, hands, Some((*position, *waiting)));
                self.serve(core, hands)
            }
            router::Output::Refused {
                why: Refusal::QueueFull,
                ..
            } => {
                self.task = None;
                self.withdraw(core, hands, "nobody_available");
                Next::Become(self.script.clone().turned_away(hands))
            }
            router::Output::Refused { .. } | router::Output::TaskEnded { .. } => {
                // The router wants no more of it: nobody else will ever speak to this caller.
                self.task = None;
                self.give_up(core, hands, left(output))
            }
            router::Output::WorkerChanged { .. } | router::Output::WrapEnded { .. } => Next::Stay,
        }
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

/// The task an output is about.
fn task_of(output: &router::Output) -> Option<&TaskId> {
    match output {
        router::Output::Assigned { task, .. }
        | router::Output::Moved { task, .. }
        | router::Output::NobodyCanTake { task, .. }
        | router::Output::Offer { task, .. }
        | router::Output::OfferRevoked { task, .. }
        | router::Output::Position { task, .. }
        | router::Output::TaskEnded { task, .. }
        | router::Output::WrapEnded { task, .. } => Some(task),
        router::Output::Refused { command, .. } => match command.as_ref() {
            router::Command::CreateTask(new) => Some(&new.task),
            _ => None,
        },
        router::Output::WorkerChanged { .. } => None,
    }
}

/// Why a caller whom the router gave up leaves the line.
fn left(output: &router::Output) -> LeaveWhy {
    match output {
        router::Output::TaskEnded {
            outcome: TaskOutcome::Left(LeftWhy::TimeToLive | LeftWhy::WorkflowTimedOut),
            ..
        } => LeaveWhy::MaxWait,
        _ => LeaveWhy::Nobody,
    }
}

/// The outcome a withdrawn offer has in the record.
fn revoked(why: RevokedWhy) -> &'static str {
    match why {
        RevokedWhy::ActivityChanged => "agent_left",
        RevokedWhy::Recovered => "switch-restart",
        RevokedWhy::Reevaluated => "reevaluated",
        RevokedWhy::Rejected => "declined",
        RevokedWhy::Rescinded => "taken_elsewhere",
        RevokedWhy::RingTimeout => "no_answer",
        RevokedWhy::TaskCancelled => "caller_left",
        RevokedWhy::WorkerRemoved => "agent_removed",
    }
}
