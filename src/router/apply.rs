//! How facts change the state. Total: a fact that fits nothing changes nothing. Decides nothing.

use std::time::Duration;

use super::fact::{Decision, Fact, Timer};
use super::index::Deadline;
use super::machine::Router;
use super::state::{Engagement, Queue, Status, Task};
use super::{Command, Output, RevokedWhy, TaskOutcome};
use crate::base::Timestamp;

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
            Command::ActivatePlan { plan } => self.activate(*plan),
            Command::CancelTask { task, why } => {
                if let Some(number) = self.index.tasks.get(&task).copied() {
                    self.cancel(
                        number,
                        TaskOutcome::Cancelled(why),
                        RevokedWhy::TaskCancelled,
                    );
                }
            }
            Command::Complete { task } => {
                if let Some(number) = self.index.tasks.get(&task).copied() {
                    self.finish(number);
                }
            }
            Command::CreateTask {
                task,
                call,
                queue,
                attributes,
                priority,
            } => self.enter(Task {
                id: task,
                call,
                queue,
                attributes,
                priority,
                entered: self.state.clock,
                status: Status::Pending,
                offers: 0,
                cooling: Vec::new(),
                nobody_told: false,
            }),
            Command::EndWrap { worker } => self.end_wrap(&worker, self.state.clock),
            Command::GiveBack { reservation, why } => self.give_back(&reservation, why),
            Command::Recover { calls, phones } => self.recover(&calls, &phones),
            Command::Reject { reservation, why } => self.reject(&reservation, why),
            Command::SetActivity {
                worker,
                activity,
                by,
            } => {
                if let Some(place) = self.state.workers.get_index_of(&worker) {
                    self.move_to(place, &activity, format!("set by {by}"));
                    if self.state.workers[place].available {
                        self.end_wrap(&worker, self.state.clock);
                    }
                }
            }
            Command::SetReachable { worker, reachable } => {
                if let Some(place) = self.state.workers.get_index_of(&worker) {
                    let worker = &mut self.state.workers[place];
                    worker.reachable = reachable;
                    worker.paused_until = worker.paused_until.filter(|_| !reachable);
                    self.worker_changed(place);
                }
            }
        }
    }

    fn apply_timer(&mut self, timer: Timer) {
        match timer {
            Timer::CoolDownOver { task, worker } => {
                let Some(number) = self.index.tasks.get(&task).copied() else {
                    return;
                };
                self.cool_down_over(number, &worker);
                self.dirty.tasks.insert(number);
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
            Timer::WrapOver { worker } => {
                let until = match self.state.workers.get(&worker).map(|w| &w.engagement) {
                    Some(Engagement::WrapUp { until, .. }) => *until,
                    _ => return,
                };
                self.end_wrap(&worker, until.min(self.state.clock));
            }
        }
    }

    fn apply_decision(&mut self, decision: Decision) {
        match decision {
            Decision::NobodyCanTake {
                task,
                why,
                explanation,
            } => {
                let number = self.index.tasks.get(&task).copied();
                let known = number.and_then(|number| self.state.tasks.get_mut(&number));
                if let Some(known) = known {
                    known.nobody_told = true;
                    let (call, queue) = (known.call.clone(), known.queue.clone());
                    self.say(Output::NobodyCanTake {
                        task,
                        call,
                        queue,
                        why,
                        explanation,
                    });
                }
            }
            Decision::Offered {
                reservation,
                task,
                worker,
                expires_at,
                explanation,
            } => {
                let Some(number) = self.index.tasks.get(&task).copied() else {
                    return;
                };
                let Some(place) = self.state.workers.get_index_of(&worker) else {
                    return;
                };
                let Some(known) = self.state.tasks.get_mut(&number) else {
                    return;
                };
                known.offers += 1;
                known.status = Status::Reserved {
                    worker: worker.clone(),
                    reservation: reservation.clone(),
                    expires_at,
                };
                let (call, queue) = (known.call.clone(), known.queue.clone());
                self.leave_pending(number);
                self.index.reservations.insert(reservation.clone(), number);
                let deadline = Deadline::Ring { task: number };
                self.index.deadlines.insert((expires_at, deadline));
                self.engage(place, Engagement::Reserved(number));
                let phone = self.state.workers[place].spec.phone.clone();
                self.say(Output::Offer {
                    reservation,
                    task,
                    call,
                    worker,
                    phone,
                    queue,
                    expires_at,
                    explanation,
                });
            }
            Decision::TaskDropped { task } => {
                if let Some(number) = self.index.tasks.get(&task).copied() {
                    let outcome = TaskOutcome::TooManyOffers;
                    self.cancel(number, outcome, RevokedWhy::TaskCancelled);
                }
            }
        }
    }

    fn enter(&mut self, task: Task) {
        let number = self.state.sequence;
        let Some(place) = self.state.queues.get_index_of(&task.queue) else {
            return;
        };
        let key = task.order_key(number, self.state.queues[place].spec.order);
        self.index.tasks.insert(task.id.clone(), number);
        if self.index.queues[place].target.uses_task() {
            let eligible = self.index.eligible_for(place, &task);
            self.index.eligible.insert(number, eligible);
        }
        self.index.queues[place].line.insert(key, number);
        self.index.queues[place].pending.insert(key, number);
        self.state.tasks.insert(number, task);
        self.dirty.tasks.insert(number);
        self.dirty.lines.insert(place);
    }

    /// Ends a task at whatever point it is.
    pub(super) fn cancel(&mut self, number: u64, outcome: TaskOutcome, why: RevokedWhy) {
        match self.state.tasks.get(&number).map(|task| &task.status) {
            Some(Status::Assigned { .. }) => self.finish(number),
            Some(Status::Pending) => self.end(number, None, outcome, None),
            Some(Status::Reserved { reservation, .. }) => {
                let reservation = reservation.clone();
                if let Some(offer) = self.take_back(&reservation) {
                    self.revoked(&offer, why);
                }
                self.end(number, None, outcome, None);
            }
            None => {}
        }
    }

    /// The conversation is over; after-call work begins when the queue has any.
    pub(super) fn finish(&mut self, number: u64) {
        let Some((worker, spec)) = self.holder_of(number) else {
            return;
        };
        let wrap_up = spec.map_or(Duration::ZERO, |queue| queue.spec.wrap_up);
        let until = (wrap_up > Duration::ZERO).then(|| self.state.clock + wrap_up);
        self.end(number, Some(worker), TaskOutcome::Completed, until);
    }

    /// Takes a task out of everything, and its worker out of it.
    pub(super) fn end(
        &mut self,
        number: u64,
        worker: Option<String>,
        outcome: TaskOutcome,
        wrap_until: Option<Timestamp>,
    ) {
        self.leave_line(number);
        self.drop_cooling(number);
        if let Some(queue) = self.queue_of(number)
            && worker.is_some()
        {
            self.index.queues[queue].assigned -= 1;
        }
        let Some(task) = self.state.tasks.remove(&number) else {
            return;
        };
        self.index.tasks.remove(&task.id);
        self.index.eligible.remove(&number);
        self.dirty.tasks.remove(&number);
        self.told.positions.remove(&number);
        if let Some((_, reservation)) = task.holder() {
            self.index.reservations.remove(reservation);
        }
        let place = worker.as_ref();
        if let Some(place) = place.and_then(|name| self.state.workers.get_index_of(name)) {
            match wrap_until {
                Some(until) => {
                    let (task, call) = (task.id.clone(), task.call.clone());
                    self.engage(place, Engagement::WrapUp { task, call, until });
                }
                None => {
                    self.state.workers[place].idle_since = self.state.clock;
                    self.engage(place, Engagement::None);
                }
            }
        }
        self.say(Output::TaskEnded {
            task: task.id,
            call: task.call,
            queue: task.queue,
            worker,
            outcome,
            wrap_until,
        });
    }

    fn end_wrap(&mut self, name: &str, idle_since: Timestamp) {
        let Some(place) = self.state.workers.get_index_of(name) else {
            return;
        };
        let worker = &mut self.state.workers[place];
        let Engagement::WrapUp { task, call, .. } = &worker.engagement else {
            return;
        };
        let (task, call) = (task.clone(), call.clone());
        worker.idle_since = idle_since;
        self.engage(place, Engagement::None);
        let worker = name.to_owned();
        self.say(Output::WrapEnded { task, call, worker });
    }

    pub(super) fn move_to(&mut self, place: usize, activity: &str, reason: String) {
        let available = self.state.is_available(activity);
        let clock = self.state.clock;
        let worker = &mut self.state.workers[place];
        if available && !worker.available {
            worker.idle_since = clock;
        }
        if worker.activity != activity {
            activity.clone_into(&mut worker.activity);
            worker.since = clock;
        }
        worker.available = available;
        worker.reason = reason;
        self.worker_changed(place);
    }

    pub(super) fn engage(&mut self, place: usize, engagement: Engagement) {
        let worker = &mut self.state.workers[place];
        worker.engagement = engagement;
        worker.since = self.state.clock;
        self.worker_changed(place);
    }

    pub(super) fn worker_changed(&mut self, place: usize) {
        let shift = self.index.refresh_worker(place, &self.state.workers[place]);
        self.dirty.workers.insert(place);
        if shift.became_free {
            self.dirty.free.insert(place);
        }
        if shift.left_duty {
            self.dirty
                .deserted
                .extend(&self.index.workers[place].queues);
        }
    }

    pub(super) fn leave_pending(&mut self, number: u64) {
        if let Some(queue) = self.queue_of(number)
            && let Some(task) = self.state.tasks.get(&number)
        {
            let key = task.order_key(number, self.state.queues[queue].spec.order);
            self.index.queues[queue].pending.remove(&key);
        }
    }

    pub(super) fn leave_line(&mut self, number: u64) {
        self.leave_pending(number);
        if let Some(queue) = self.queue_of(number)
            && let Some(task) = self.state.tasks.get(&number)
        {
            let key = task.order_key(number, self.state.queues[queue].spec.order);
            if self.index.queues[queue].line.remove(&key).is_some() {
                self.dirty.lines.insert(queue);
            }
        }
    }

    pub(super) fn queue_of(&self, number: u64) -> Option<usize> {
        let task = self.state.tasks.get(&number)?;
        self.state.queues.get_index_of(&task.queue)
    }

    /// Who has an assigned task, and its queue.
    pub(super) fn holder_of(&self, number: u64) -> Option<(String, Option<&Queue>)> {
        let task = self.state.tasks.get(&number)?;
        match &task.status {
            Status::Assigned { worker, .. } => {
                Some((worker.clone(), self.state.queues.get(&task.queue)))
            }
            Status::Pending | Status::Reserved { .. } => None,
        }
    }
}
