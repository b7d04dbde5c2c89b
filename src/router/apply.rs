//! How facts change the state. Total: a fact that fits nothing changes nothing. Decides nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::fact::{Decision, Fact, Timer};
use super::index::{Deadline, Index};
use super::machine::Router;
use super::state::{Engagement, Queue, Status, Task, Worker};
use super::{Command, Output, Plan, Rejection, RevokedWhy, TaskOutcome};
use crate::base::{CallId, ReservationId, TaskId, Timestamp};

/// What is left of an offer that was taken back.
struct Offer {
    task: u64,
    worker: usize,
    reservation: ReservationId,
}

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

    fn assign(&mut self, reservation: &ReservationId) {
        let Some(number) = self.index.reservations.get(reservation).copied() else {
            return;
        };
        let Some(task) = self.state.tasks.get_mut(&number) else {
            return;
        };
        let Status::Reserved {
            worker, expires_at, ..
        } = &task.status
        else {
            return;
        };
        let (worker, expires_at) = (worker.clone(), *expires_at);
        task.status = Status::Assigned {
            worker: worker.clone(),
            reservation: reservation.clone(),
        };
        let (id, call) = (task.id.clone(), task.call.clone());
        let deadline = Deadline::Ring { task: number };
        self.index.deadlines.remove(&(expires_at, deadline));
        self.leave_line(number);
        self.drop_cooling(number);
        if let Some(queue) = self.queue_of(number) {
            self.index.queues[queue].assigned += 1;
        }
        if let Some(place) = self.state.workers.get_index_of(&worker) {
            self.engage(place, Engagement::Assigned(number));
        }
        self.say(Output::Assigned {
            task: id,
            call,
            reservation: reservation.clone(),
            worker,
        });
    }

    fn reject(&mut self, reservation: &ReservationId, why: Rejection) {
        let Some(offer) = self.take_back(reservation) else {
            return;
        };
        let Some(queue) = self.queue_of(offer.task) else {
            return;
        };
        let spec = self.state.queues[queue].spec.clone();
        let until = self.state.clock + spec.retry_after;
        match why {
            Rejection::NoAnswer => self.missed(&offer),
            Rejection::Declined => {
                self.cool_down(offer.task, offer.worker, until);
                if let Some(activity) = &spec.declined_activity {
                    let reason = format!("declined offer {}", offer.reservation);
                    self.move_to(offer.worker, activity, reason);
                }
            }
            Rejection::Busy | Rejection::Failed(_) | Rejection::Unreachable => {
                let worker = &mut self.state.workers[offer.worker];
                worker.paused_until = Some(until);
                worker.idle_since = self.state.clock;
                self.worker_changed(offer.worker);
            }
        }
    }

    /// The worker let an offer ring: no further ones until he, or someone, says that he is there.
    fn missed(&mut self, offer: &Offer) {
        if let Some(queue) = self.queue_of(offer.task) {
            let spec = self.state.queues[queue].spec.clone();
            let reason = format!("missed offer {}", offer.reservation);
            self.move_to(offer.worker, &spec.no_answer_activity, reason);
        }
    }

    /// Ends a task at whatever point it is.
    fn cancel(&mut self, number: u64, outcome: TaskOutcome, why: RevokedWhy) {
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
    fn finish(&mut self, number: u64) {
        let Some((worker, spec)) = self.holder_of(number) else {
            return;
        };
        let wrap_up = spec.map_or(Duration::ZERO, |queue| queue.spec.wrap_up);
        let until = (wrap_up > Duration::ZERO).then(|| self.state.clock + wrap_up);
        self.end(number, Some(worker), TaskOutcome::Completed, until);
    }

    /// Takes a task out of everything, and its worker out of it.
    fn end(
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

    fn recover(&mut self, calls: &[CallId], phones: &[String]) {
        for place in 0..self.state.workers.len() {
            let worker = &mut self.state.workers[place];
            worker.reachable = phones.contains(&worker.spec.phone);
            self.worker_changed(place);
        }
        let numbers: Vec<u64> = self.state.tasks.keys().copied().collect();
        for number in numbers {
            let Some(task) = self.state.tasks.get(&number) else {
                continue;
            };
            if calls.contains(&task.call) {
                if let Status::Reserved { reservation, .. } = &task.status {
                    let reservation = reservation.clone();
                    if let Some(offer) = self.take_back(&reservation) {
                        self.revoked(&offer, RevokedWhy::Recovered);
                    }
                }
                continue;
            }
            if task.is_assigned() {
                let worker = self.holder_of(number).map(|(worker, _)| worker);
                self.end(number, worker, TaskOutcome::Recovered, None);
            } else {
                self.cancel(number, TaskOutcome::Recovered, RevokedWhy::Recovered);
            }
        }
        self.dirty.everything = true;
    }

    fn activate(&mut self, plan: Plan) {
        let kept: HashSet<&str> = plan.workers.iter().map(|w| w.name.as_str()).collect();
        let names: Vec<String> = self.state.workers.keys().cloned().collect();
        for name in names {
            let is_kept = kept.contains(name.as_str());
            let Some((place, _, worker)) = self.state.workers.get_full(&name) else {
                continue;
            };
            if let (false, Engagement::Reserved(number)) = (is_kept, &worker.engagement)
                && let Some((_, reservation)) = self.state.tasks.get(number).and_then(Task::holder)
            {
                let reservation = reservation.clone();
                if let Some(offer) = self.take_back(&reservation) {
                    self.revoked(&offer, RevokedWhy::WorkerRemoved);
                }
            }
            self.state.workers[place].removed = !is_kept;
        }
        self.state.plan = plan.hash();
        self.state.generation = plan.generation;
        self.state.activities.clone_from(&plan.activities);
        self.activate_workers(&plan);
        self.activate_queues(&plan);
        let workers = &self.state.workers;
        for task in self.state.tasks.values_mut() {
            task.cooling.retain(|(name, _)| workers.contains_key(name));
        }
        self.told
            .workers
            .retain(|name, _| workers.contains_key(name));
        self.index = Index::build(&self.state);
        self.dirty.everything = true;
        self.dirty.workers = (0..self.state.workers.len()).collect();
        self.dirty.lines = (0..self.state.queues.len()).collect();
    }

    fn activate_workers(&mut self, plan: &Plan) {
        let clock = self.state.clock;
        let mut old = std::mem::take(&mut self.state.workers);
        let mut new = IndexMap::with_capacity(plan.workers.len());
        for spec in &plan.workers {
            let activity = plan.first_activity(spec);
            let mut worker = old.swap_remove(&spec.name).unwrap_or_else(|| Worker {
                spec: Arc::new(spec.clone()),
                available: plan.is_available(&activity),
                activity,
                reason: format!("plan {}", plan.generation),
                reachable: false,
                since: clock,
                idle_since: clock,
                paused_until: None,
                engagement: Engagement::None,
                removed: false,
            });
            worker.reachable &= worker.spec.phone == spec.phone;
            worker.spec = Arc::new(spec.clone());
            let available = plan.is_available(&worker.activity);
            if available != worker.available {
                worker.available = available;
                worker.idle_since = clock;
                worker.reason = format!("activity changed by plan {}", plan.generation);
            }
            new.insert(spec.name.clone(), worker);
        }
        // Sorted by name: what is left of `old` has lost its order.
        old.sort_unstable_keys();
        new.extend(
            old.into_iter()
                .filter(|(_, w)| w.engagement != Engagement::None),
        );
        self.state.workers = new;
    }

    fn activate_queues(&mut self, plan: &Plan) {
        let mut old = std::mem::take(&mut self.state.queues);
        let mut new = IndexMap::with_capacity(plan.queues.len());
        for spec in &plan.queues {
            old.swap_remove(&spec.name);
            let queue = Queue {
                spec: Arc::new(spec.clone()),
                draining: false,
            };
            new.insert(spec.name.clone(), queue);
        }
        old.sort_unstable_keys();
        for (name, queue) in old {
            if self.state.tasks.values().any(|task| task.queue == name) {
                let draining = true;
                new.insert(name, Queue { draining, ..queue });
            }
        }
        self.state.queues = new;
    }

    /// Takes an offer back: its task is pending again, its worker has nothing.
    fn take_back(&mut self, reservation: &ReservationId) -> Option<Offer> {
        let number = self.index.reservations.get(reservation).copied()?;
        let task = self.state.tasks.get_mut(&number)?;
        let Status::Reserved {
            worker, expires_at, ..
        } = &task.status
        else {
            return None;
        };
        let (worker, expires_at) = (worker.clone(), *expires_at);
        task.status = Status::Pending;
        self.index.reservations.remove(reservation);
        let deadline = Deadline::Ring { task: number };
        self.index.deadlines.remove(&(expires_at, deadline));
        let queue = self.queue_of(number)?;
        let order = self.state.queues[queue].spec.order;
        let key = self.state.tasks.get(&number)?.order_key(number, order);
        self.index.queues[queue].pending.insert(key, number);
        self.dirty.tasks.insert(number);
        let place = self.state.workers.get_index_of(&worker)?;
        self.engage(place, Engagement::None);
        Some(Offer {
            task: number,
            worker: place,
            reservation: reservation.clone(),
        })
    }

    fn revoked(&mut self, offer: &Offer, why: RevokedWhy) {
        let worker = self.state.workers.get_index(offer.worker);
        let Some((task, (worker, _))) = self.state.tasks.get(&offer.task).zip(worker) else {
            return;
        };
        let output = Output::OfferRevoked {
            reservation: offer.reservation.clone(),
            task: task.id.clone(),
            call: task.call.clone(),
            worker: worker.clone(),
            why,
        };
        self.say(output);
    }

    fn move_to(&mut self, place: usize, activity: &str, reason: String) {
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

    fn engage(&mut self, place: usize, engagement: Engagement) {
        let worker = &mut self.state.workers[place];
        worker.engagement = engagement;
        worker.since = self.state.clock;
        self.worker_changed(place);
    }

    fn worker_changed(&mut self, place: usize) {
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

    fn cool_down(&mut self, number: u64, place: usize, until: Timestamp) {
        let Some((name, _)) = self.state.workers.get_index(place) else {
            return;
        };
        let name = name.clone();
        self.cool_down_over(number, &name);
        if let Some(task) = self.state.tasks.get_mut(&number) {
            task.cooling.push((name, until));
            let deadline = Deadline::Cooling {
                task: number,
                worker: place,
            };
            self.index.deadlines.insert((until, deadline));
        }
    }

    fn cool_down_over(&mut self, number: u64, name: &str) {
        let Some(place) = self.state.workers.get_index_of(name) else {
            return;
        };
        let Some(task) = self.state.tasks.get_mut(&number) else {
            return;
        };
        let deadlines = &mut self.index.deadlines;
        task.cooling.retain(|(cooling, until)| {
            let deadline = Deadline::Cooling {
                task: number,
                worker: place,
            };
            cooling != name || !deadlines.remove(&(*until, deadline))
        });
    }

    fn drop_cooling(&mut self, number: u64) {
        let names = self.state.tasks.get(&number).map(|task| &task.cooling);
        let names: Vec<String> = names
            .into_iter()
            .flatten()
            .map(|(n, _)| n.clone())
            .collect();
        for name in names {
            self.cool_down_over(number, &name);
        }
    }

    fn leave_pending(&mut self, number: u64) {
        if let Some(queue) = self.queue_of(number)
            && let Some(task) = self.state.tasks.get(&number)
        {
            let key = task.order_key(number, self.state.queues[queue].spec.order);
            self.index.queues[queue].pending.remove(&key);
        }
    }

    fn leave_line(&mut self, number: u64) {
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
    fn holder_of(&self, number: u64) -> Option<(String, Option<&Queue>)> {
        let task = self.state.tasks.get(&number)?;
        match &task.status {
            Status::Assigned { worker, .. } => {
                Some((worker.clone(), self.state.queues.get(&task.queue)))
            }
            Status::Pending | Status::Reserved { .. } => None,
        }
    }
}

/// The wrap-up's task and call, for the view.
pub(super) fn wrap_of(worker: &Worker) -> Option<(&TaskId, &CallId)> {
    match &worker.engagement {
        Engagement::WrapUp { task, call, .. } => Some((task, call)),
        _ => None,
    }
}
