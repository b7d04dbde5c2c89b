//! How facts change the state. Total: a fact that fits nothing changes nothing. Decides nothing.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::event::{About, EventName, Kind};
use super::fact::{Decision, Fact, Timer};
use super::machine::Router;
use super::state::{Engaged, Engagement, Reservation, Status, Step, Task};
use super::{Chosen, Explanation, WorkflowSpec};
use super::{Command, Destination, NewTask, Offered, Output, RevokedWhy, StepSpec, TaskOutcome};
use crate::base::Timestamp;

/// Microseconds of a day.
const DAY: i64 = 86_400 * 1_000_000;

impl Router {
    pub(super) fn apply(&mut self, fact: Fact) {
        match fact {
            Fact::Input(command) => self.apply_input(command),
            Fact::Timer(timer) => self.apply_timer(timer),
            Fact::Decision(decision) => self.apply_decision(decision),
        }
    }

    fn apply_input(&mut self, command: Command) {
        match command {
            Command::Accept { reservation } => self.assign(&reservation),
            Command::ActivatePlan {
                plan,
                reevaluate,
                reachable,
            } => self.activate(*plan, reevaluate, &reachable),
            Command::CancelTask { task, why } => {
                if let Some(number) = self.number_of(&task) {
                    let outcome = TaskOutcome::Cancelled(why);
                    self.cancel(number, outcome, RevokedWhy::TaskCancelled);
                }
            }
            Command::Complete { task, code } => {
                if let Some(number) = self.number_of(&task) {
                    self.finish(number, code.as_ref());
                }
            }
            Command::CreateTask(new) => self.create(*new),
            Command::EndWrap { worker, task, code } => {
                self.end_wraps(&worker, task.as_ref(), code.as_ref(), self.state.clock);
            }
            Command::ExtendWrap { worker, by } => self.extend_wraps(&worker, by),
            Command::GiveBack { reservation, why } => self.give_back(&reservation, why),
            Command::Recover { calls, phones } => self.recover(&calls, &phones),
            Command::Reject {
                reservation,
                why,
                activity,
            } => self.reject(&reservation, why, activity.as_deref()),
            Command::SetActivity {
                worker,
                activity,
                by,
                reject_pending,
            } => {
                if let Some(place) = self.state.workers.get_index_of(&worker) {
                    self.set_activity(place, &activity, &by, reject_pending);
                }
            }
            Command::SetBusy {
                worker,
                shard,
                busy,
            } => {
                if let Some(place) = self.state.workers.get_index_of(&worker) {
                    let known = &mut self.state.workers[place].busy;
                    let was_busy = !known.is_empty();
                    match busy {
                        true => known.insert(shard),
                        false => known.remove(&shard),
                    };
                    let is_busy = !known.is_empty();
                    self.worker_changed(place);
                    if is_busy != was_busy {
                        let reason = if is_busy { "busy" } else { "idle" };
                        let about = About::worker(&worker).because(reason);
                        self.event(EventName::WorkerDevice, about);
                    }
                }
            }
            Command::SetNextActivity {
                worker,
                activity,
                by,
            } => {
                if let Some(place) = self.state.workers.get_index_of(&worker) {
                    self.set_next_activity(place, activity, &by);
                }
            }
            Command::SetReachable { worker, reachable } => {
                if let Some(place) = self.state.workers.get_index_of(&worker) {
                    let known = &mut self.state.workers[place];
                    known.paused_until = known.paused_until.filter(|_| !reachable);
                    self.set_reachable(place, reachable);
                }
            }
            Command::StartWrap { worker, lasts } => self.start_wrap(&worker, lasts),
            Command::UpdateTask {
                task,
                attributes,
                priority,
                started,
                reevaluate,
            } => {
                let Some(number) = self.number_of(&task) else {
                    return;
                };
                if reevaluate {
                    self.start_anew(number);
                }
                if let Some(attributes) = attributes {
                    self.set_attributes(number, attributes);
                }
                let Some(known) = self.state.tasks.get_mut(&number) else {
                    return;
                };
                known.priority = priority.unwrap_or(known.priority);
                known.started = started.unwrap_or(known.started);
                self.task_changed(number);
                self.dirty.tasks.insert(number);
                self.task_updated(number, reevaluate.then_some("reevaluated"));
            }
        }
    }

    fn apply_timer(&mut self, timer: Timer) {
        match timer {
            Timer::CoolDownOver { task, worker } => {
                let Some(number) = self.number_of(&task) else {
                    return;
                };
                self.cool_down_over(number, &worker);
                self.dirty.tasks.insert(number);
            }
            Timer::NewDay => {
                self.begin_day();
                for place in 0..self.state.workers.len() {
                    self.worker_changed(place);
                }
            }
            Timer::PauseOver { worker } => {
                if let Some(place) = self.state.workers.get_index_of(&worker) {
                    self.state.workers[place].paused_until = None;
                    self.worker_changed(place);
                }
            }
            Timer::RingTimeout { reservation } => {
                if let Some(offer) = self.take_back(&reservation) {
                    self.revoked(&offer, RevokedWhy::RingTimeout);
                    self.missed(&offer);
                }
            }
            Timer::StepOver { task } => self.change_step(&task, |step| step.is_over = true),
            Timer::TaskOver { task } => {
                if let Some(number) = self.number_of(&task) {
                    let outcome = TaskOutcome::Left(super::LeftWhy::TimeToLive);
                    self.cancel(number, outcome, RevokedWhy::TaskCancelled);
                }
            }
            Timer::Visible { task } => self.change_step(&task, |step| step.seen += 1),
            Timer::WrapOver { worker, task } => {
                self.wrap_over(&worker, task.as_ref());
            }
        }
    }

    fn apply_decision(&mut self, decision: Decision) {
        match decision {
            Decision::Moved {
                task,
                to,
                why,
                known,
                ..
            } => {
                if let Some(number) = self.number_of(&task) {
                    self.move_task(number, to, why, known);
                }
            }
            Decision::NobodyCanTake {
                task,
                why,
                explanation,
            } => {
                let number = self.number_of(&task);
                let known = number.and_then(|number| self.state.tasks.get_mut(&number));
                if let Some(known) = known {
                    known.nobody_told = true;
                    if let Some(step) = known.step.as_mut() {
                        step.is_fresh = false;
                    }
                    let (call, queue) = (known.call.clone(), known.queue().cloned());
                    let about = About::task(known).because(why.as_str());
                    self.event(EventName::TaskNobody, about);
                    self.say(Output::NobodyCanTake {
                        task,
                        call,
                        queue: queue.unwrap_or_default(),
                        why,
                        explanation,
                    });
                }
            }
            Decision::Offered {
                task,
                offers,
                expires_at,
                explanation,
            } => {
                if let Some(number) = self.number_of(&task) {
                    self.reserve(number, offers, expires_at, &explanation);
                }
            }
            Decision::TaskDropped { task, why, .. } => {
                if let Some(number) = self.number_of(&task) {
                    if let Some(event) = why.event() {
                        self.task_event(event, number, None);
                    }
                    let outcome = TaskOutcome::Left(why);
                    self.cancel(number, outcome, RevokedWhy::TaskCancelled);
                }
            }
            Decision::Waits { task, .. } => self.change_step(&task, |step| step.is_fresh = false),
        }
    }

    fn create(&mut self, new: NewTask) {
        let number = self.state.sequence;
        let clock = self.state.clock;
        let (workflow, step) = match new.to {
            Destination::Queue(name) => {
                let step = self.step_of(StepSpec::new(name), None, None, &new.channel, clock, None);
                (None, Some(step))
            }
            Destination::Workflow(name) => (self.state.workflows.get(&name).cloned(), None),
        };
        let content = workflow
            .as_ref()
            .and_then(|key| self.state.contents.get(key));
        let lives = content.map_or(WorkflowSpec::TIME_TO_LIVE, |content| content.time_to_live);
        let task = Task {
            id: new.task,
            call: new.call,
            channel: new.channel,
            attributes: Arc::new(new.attributes),
            priority: new.priority,
            created: clock,
            started: new.started.unwrap_or(clock).min(clock),
            until: clock + new.time_to_live.unwrap_or(lives),
            workflow,
            step,
            status: Status::Pending,
            offers: 0,
            chosen: Vec::new(),
            cooling: Vec::new(),
            nobody_told: false,
            version: 0,
        };
        self.event(EventName::TaskCreated, About::whole_task(&task));
        if task.step.is_some() {
            self.event(EventName::QueueEntered, About::task(&task));
        }
        self.index.tasks.insert(task.id.clone(), number);
        self.state.tasks.insert(number, task);
        self.task_changed(number);
        self.dirty.tasks.insert(number);
    }

    /// A step entered now, or kept on in the same queue since `queued`.
    pub(super) fn step_of(
        &self,
        spec: StepSpec,
        at: Option<super::At>,
        known: Option<super::Known>,
        channel: &str,
        clock: Timestamp,
        queued: Option<Timestamp>,
    ) -> Step {
        let queued = queued.unwrap_or(clock);
        let queue = self.state.queues.get_index_of(&spec.queue);
        let serving = queue.zip(self.state.channel(channel));
        let serving = serving.map(|(queue, channel)| &self.index.queues[queue].channels[channel]);
        Step {
            at,
            known,
            entered: clock,
            queued,
            until: spec.timeout.map(|timeout| clock + timeout),
            is_over: false,
            is_fresh: true,
            seen: serving.map_or(0, |serving| serving.seen_after(clock.since(queued))),
            spec: Arc::new(spec),
        }
    }

    /// What expressions see of a task changes; whom it names for its step is found anew.
    fn set_attributes(&mut self, number: u64, attributes: Map<String, Value>) {
        let Some(task) = self.state.tasks.get_mut(&number) else {
            return;
        };
        task.attributes = Arc::new(attributes);
        let Some(task) = self.state.tasks.get(&number) else {
            return;
        };
        let spec = task.step.as_ref().map(|step| step.spec.clone());
        let known = spec.and_then(|spec| self.known_worker(task, &spec));
        let task = self.state.tasks.get_mut(&number);
        if let Some(step) = task.and_then(|task| task.step.as_mut()) {
            step.known = known;
        }
        self.index.repool(number);
    }

    fn change_step(&mut self, task: &crate::base::TaskId, change: impl FnOnce(&mut Step)) {
        let Some(number) = self.number_of(task) else {
            return;
        };
        let known = self.state.tasks.get_mut(&number);
        if let Some(step) = known.and_then(|task| task.step.as_mut()) {
            change(step);
            self.task_changed(number);
            self.dirty.tasks.insert(number);
        }
    }

    fn reserve(
        &mut self,
        number: u64,
        offers: Vec<Offered>,
        expires_at: Timestamp,
        explanation: &Explanation,
    ) {
        let Some(known) = self.state.tasks.get_mut(&number) else {
            return;
        };
        let queue = known.queue().cloned().unwrap_or_default();
        let channel = known.channel.clone();
        let (task, call) = (known.id.clone(), known.call.clone());
        known.offers += 1;
        if let Some(step) = known.step.as_mut() {
            step.is_fresh = false;
        }
        let about = About::whole_task(known);
        let made = offers.iter().map(|offer| Reservation {
            id: offer.reservation.clone(),
            worker: offer.worker.clone(),
            expires_at,
        });
        known.status = Status::Reserved(made.collect());
        self.keep_chosen(number, &offers, explanation);
        self.task_changed(number);
        let is_own = self.queue_spec(number).is_some_and(|spec| spec.agent);
        let about = About {
            kind: Some(if is_own { Kind::Direct } else { Kind::Queue }),
            until: Some(expires_at),
            ..about.because(explanation.to_string())
        };
        for offer in offers {
            self.index
                .reservations
                .insert(offer.reservation.clone(), number);
            let Some(place) = self.state.workers.get_index_of(&offer.worker) else {
                continue;
            };
            self.state.workers[place].offered = self.state.sequence;
            self.engage(place, &channel, Engaged::Reserved(number));
            let phone = self.state.workers[place].spec.phone.clone();
            let about = about.clone().offer(&offer.worker, &offer.reservation);
            self.event(EventName::ReservationCreated, about);
            self.say(Output::Offer {
                reservation: offer.reservation,
                task: task.clone(),
                call: call.clone(),
                worker: offer.worker,
                phone,
                queue: queue.clone(),
                expires_at,
                explanation: Box::new(explanation.clone()),
            });
        }
    }

    /// Keeps why each of these workers was chosen; the explanation says it of the first.
    fn keep_chosen(&mut self, number: u64, offers: &[Offered], explanation: &Explanation) {
        let Some(first) = &explanation.chosen else {
            return;
        };
        let clock = self.state.clock;
        let others = offers.iter().skip(1).filter_map(|offer| {
            let (place, name, worker) = self.state.workers.get_full(&offer.worker)?;
            Some(Chosen {
                worker: name.clone(),
                idle_ms: worker.idle_ms(clock, number),
                by: self.chosen_by(number, &[place]),
                ..*first
            })
        });
        let others: Vec<Chosen> = others.collect();
        if let Some(task) = self.state.tasks.get_mut(&number) {
            task.chosen = vec![first.clone()];
            task.chosen.extend(others);
        }
    }

    /// Ends a task at whatever point it is.
    pub(super) fn cancel(&mut self, number: u64, outcome: TaskOutcome, why: RevokedWhy) {
        let Some(task) = self.state.tasks.get(&number) else {
            return;
        };
        if task.is_assigned() {
            return self.finish(number, None);
        }
        self.take_back_all(number, why);
        self.end(number, None, outcome);
    }

    /// Takes back all offers of a task.
    pub(super) fn take_back_all(&mut self, number: u64, why: RevokedWhy) {
        let task = self.state.tasks.get(&number);
        let ids = task.map(|task| task.reservations().iter().map(|one| one.id.clone()));
        let ids: Vec<_> = ids.into_iter().flatten().collect();
        for id in ids {
            if let Some(offer) = self.take_back(&id) {
                self.revoked(&offer, why);
            }
        }
    }

    /// Takes a task out of everything; its worker has been taken out of it.
    pub(super) fn end(
        &mut self,
        number: u64,
        worker: Option<(String, super::WrapUp)>,
        outcome: TaskOutcome,
    ) {
        self.drop_cooling(number);
        let Some(task) = self.state.tasks.remove(&number) else {
            return;
        };
        self.index.tasks.remove(&task.id);
        for (_, reservation) in task.holders() {
            self.index.reservations.remove(reservation);
        }
        self.task_changed(number);
        self.dirty.tasks.remove(&number);
        self.told.positions.remove(&number);
        let queue = task.queue().cloned().unwrap_or_default();
        self.tell_end(&task, worker.as_ref(), &outcome);
        let (worker, wrap_up) = worker.unzip();
        self.say(Output::TaskEnded {
            task: task.id,
            call: task.call,
            queue,
            worker,
            outcome,
            wrap_up: wrap_up.unwrap_or_default(),
        });
    }

    /// A worker takes something in hand, or is offered it.
    pub(super) fn engage(&mut self, place: usize, channel: &str, what: Engaged) {
        let clock = self.state.clock;
        let worker = &mut self.state.workers[place];
        worker.engagements.push(Engagement {
            channel: channel.to_owned(),
            since: clock,
            what,
        });
        worker.since = clock;
        self.worker_changed(place);
    }

    /// A worker is done with a task, or it was taken back; `idle_since` is when, if that makes him
    /// one who waits anew.
    pub(super) fn disengage(&mut self, place: usize, number: u64, idle_since: Option<Timestamp>) {
        let worker = &mut self.state.workers[place];
        worker.engagements.retain(|one| match one.what {
            Engaged::Assigned(task) | Engaged::Reserved(task) => task != number,
            Engaged::Wrapping(_) => true,
        });
        worker.since = self.state.clock;
        worker.idle_since = idle_since.unwrap_or(worker.idle_since);
        self.worker_changed(place);
        self.go_to_next_activity(place);
    }

    pub(super) fn worker_changed(&mut self, place: usize) {
        self.state.workers[place].version = self.state.sequence;
        let worker = &self.state.workers[place];
        let shift = self.index.refresh_worker(&self.state, place, worker);
        self.dirty.workers.insert(place);
        if shift.became_free || self.index.looks_at_state {
            self.dirty.free.insert(place);
        }
        if shift.left_duty {
            let few = &self.index.workers[place].pools;
            self.dirty.deserted.extend(few);
            let serves = self.index.workers[place].serves.iter();
            for serve in serves {
                self.dirty
                    .deserted
                    .extend(&self.index.queues[serve.queue].pools);
            }
        }
    }

    pub(super) fn task_changed(&mut self, number: u64) {
        if let Some(task) = self.state.tasks.get_mut(&number) {
            task.version = self.state.sequence;
        }
        let lines = self.index.refresh_task(&self.state, number);
        self.dirty.lines.extend(lines.into_iter().flatten());
    }

    pub(super) fn number_of(&self, task: &crate::base::TaskId) -> Option<u64> {
        self.index.tasks.get(task).copied()
    }

    /// A day begins: accepted tasks are counted anew, until its end.
    pub(super) fn begin_day(&mut self) {
        for worker in self.state.workers.values_mut() {
            worker.accepted = 0;
        }
        let days = self.state.clock.as_micros().div_euclid(DAY) + 1;
        self.state.day_ends = Timestamp::from_micros(days * DAY);
        self.index.refresh_day(&self.state);
    }
}
