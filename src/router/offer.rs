//! How an offer ends: accepted, rejected, missed or taken back.

use super::index::Deadline;
use super::machine::Router;
use super::state::{Engagement, Status};
use super::{Output, Rejection, RevokedWhy};
use crate::base::{ReservationId, Timestamp};

/// What is left of an offer that was taken back.
pub(super) struct Offer {
    pub(super) task: u64,
    pub(super) worker: usize,
    pub(super) reservation: ReservationId,
}

impl Router {
    pub(super) fn assign(&mut self, reservation: &ReservationId) {
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

    pub(super) fn reject(&mut self, reservation: &ReservationId, why: Rejection) {
        if let Some(offer) = self.take_back(reservation) {
            self.not_taken(&offer, why);
        }
    }

    /// An accept that came to nothing: as if the offer had been rejected.
    pub(super) fn give_back(&mut self, reservation: &ReservationId, why: Rejection) {
        let Some(number) = self.index.reservations.get(reservation).copied() else {
            return;
        };
        let Some(place) = self.queue_of(number) else {
            return self.finish(number);
        };
        let Some(task) = self.state.tasks.get_mut(&number) else {
            return;
        };
        let Status::Assigned { worker, .. } = &task.status else {
            return;
        };
        let worker = worker.clone();
        task.status = Status::Pending;
        let key = task.order_key(number, self.state.queues[place].spec.order);
        self.index.reservations.remove(reservation);
        let queue = &mut self.index.queues[place];
        queue.assigned -= 1;
        queue.line.insert(key, number);
        queue.pending.insert(key, number);
        self.dirty.lines.insert(place);
        self.dirty.tasks.insert(number);
        let Some(worker) = self.state.workers.get_index_of(&worker) else {
            return;
        };
        self.engage(worker, Engagement::None);
        let offer = Offer {
            task: number,
            worker,
            reservation: reservation.clone(),
        };
        self.not_taken(&offer, why);
    }

    /// What an offer that was not taken means for its worker.
    fn not_taken(&mut self, offer: &Offer, why: Rejection) {
        let Some(queue) = self.queue_of(offer.task) else {
            return;
        };
        let spec = self.state.queues[queue].spec.clone();
        let until = self.state.clock + spec.retry_after;
        match why {
            Rejection::NoAnswer => self.missed(offer),
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
    pub(super) fn missed(&mut self, offer: &Offer) {
        if let Some(queue) = self.queue_of(offer.task) {
            let spec = self.state.queues[queue].spec.clone();
            let reason = format!("missed offer {}", offer.reservation);
            self.move_to(offer.worker, &spec.no_answer_activity, reason);
        }
    }

    /// Takes an offer back: its task is pending again, its worker has nothing.
    pub(super) fn take_back(&mut self, reservation: &ReservationId) -> Option<Offer> {
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

    pub(super) fn revoked(&mut self, offer: &Offer, why: RevokedWhy) {
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

    pub(super) fn cool_down_over(&mut self, number: u64, name: &str) {
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

    pub(super) fn drop_cooling(&mut self, number: u64) {
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
}
