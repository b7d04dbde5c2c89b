//! How an offer ends: accepted, rejected, missed or taken back.

use super::event::{About, EventName};
use super::index::Deadline;
use super::machine::Router;
use super::state::{Engaged, Status};
use super::{Output, Rejection, RevokedWhy};
use crate::base::{ReservationId, Timestamp};

/// Customers whose last agent is remembered.
const REMEMBERED: u64 = 100_000;

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
        let Some(task) = self.state.tasks.get(&number) else {
            return;
        };
        let mut open = task.reservations().iter();
        let Some(worker) = open.find(|one| one.id == *reservation) else {
            return;
        };
        let worker = worker.worker.clone();
        let others = task
            .reservations()
            .iter()
            .filter(|one| one.id != *reservation);
        for other in others.map(|one| one.id.clone()).collect::<Vec<_>>() {
            if let Some(offer) = self.take_back(&other) {
                self.revoked(&offer, RevokedWhy::Rescinded);
            }
        }
        let Some(task) = self.state.tasks.get_mut(&number) else {
            return;
        };
        task.status = Status::Assigned {
            worker: worker.clone(),
            reservation: reservation.clone(),
        };
        let (id, call) = (task.id.clone(), task.call.clone());
        self.task_changed(number);
        self.drop_cooling(number);
        self.dirty.tasks.remove(&number);
        self.remember(number, &worker);
        if let Some(place) = self.state.workers.get_index_of(&worker) {
            let known = &mut self.state.workers[place];
            for one in &mut known.engagements {
                if one.what == Engaged::Reserved(number) {
                    one.what = Engaged::Assigned(number);
                    one.since = self.state.clock;
                }
            }
            known.since = self.state.clock;
            known.accepted += 1;
            known.misses = 0;
            self.worker_changed(place);
        }
        self.offer_event(
            EventName::ReservationAccepted,
            number,
            (&worker, reservation),
            None,
        );
        self.say(Output::Assigned {
            task: id,
            call,
            reservation: reservation.clone(),
            worker,
        });
    }

    pub(super) fn reject(
        &mut self,
        reservation: &ReservationId,
        why: Rejection,
        activity: Option<&str>,
    ) {
        if let Some(offer) = self.take_back(reservation) {
            match why {
                Rejection::ByApi => self.revoked(&offer, RevokedWhy::Rejected),
                _ => self.ended(&offer, EventName::ReservationRejected, why.as_str()),
            }
            self.not_taken(&offer, why);
            if let Some(activity) = activity {
                let reason = format!("{} offer {}", why.as_str(), offer.reservation);
                self.move_to(offer.worker, activity, reason);
            }
        }
    }

    /// An accept that came to nothing: as if the offer had been rejected.
    pub(super) fn give_back(&mut self, reservation: &ReservationId, why: Rejection) {
        let Some(number) = self.index.reservations.get(reservation).copied() else {
            return;
        };
        let Some(task) = self.state.tasks.get_mut(&number) else {
            return;
        };
        let Status::Assigned { worker, .. } = &task.status else {
            return;
        };
        let worker = worker.clone();
        task.status = Status::Pending;
        self.index.reservations.remove(reservation);
        self.task_changed(number);
        self.dirty.tasks.insert(number);
        let Some(worker) = self.state.workers.get_index_of(&worker) else {
            return;
        };
        self.disengage(worker, number, None);
        let offer = Offer {
            task: number,
            worker,
            reservation: reservation.clone(),
        };
        self.ended(&offer, EventName::ReservationFailed, why.as_str());
        self.not_taken(&offer, why);
    }

    /// What an offer that was not taken means for its worker.
    fn not_taken(&mut self, offer: &Offer, why: Rejection) {
        let Some(spec) = self.queue_spec(offer.task) else {
            return;
        };
        let until = self.state.clock + spec.retry_after;
        match why {
            Rejection::NoAnswer => self.missed(offer),
            Rejection::ByApi | Rejection::Declined => {
                self.cool_down(offer.task, offer.worker, until);
                let activity = spec.declined_activity.as_ref();
                if let Some(activity) = activity.filter(|_| self.is_available(offer.worker)) {
                    let reason = format!("declined offer {}", offer.reservation);
                    self.move_to(offer.worker, activity, reason);
                }
            }
            Rejection::Busy | Rejection::Failed(_) | Rejection::Unreachable => {
                self.pause(offer.worker, until);
            }
        }
    }

    /// The worker let an offer ring: after so many in a row no further ones until he, or someone,
    /// says that he is there. Whoever has gone elsewhere meanwhile stays there.
    pub(super) fn missed(&mut self, offer: &Offer) {
        let Some(spec) = self.queue_spec(offer.task) else {
            return;
        };
        let worker = &mut self.state.workers[offer.worker];
        worker.misses += 1;
        let misses = worker.misses;
        if misses < spec.misses {
            self.pause(offer.worker, self.state.clock + spec.retry_after);
            return;
        }
        if !self.is_available(offer.worker) {
            return;
        }
        let reason = match misses {
            1 => format!("missed offer {}", offer.reservation),
            _ => format!("missed {misses} offers, the last {}", offer.reservation),
        };
        self.move_to(offer.worker, &spec.no_answer_activity, reason);
    }

    fn is_available(&self, place: usize) -> bool {
        self.state.workers[place].available
    }

    fn pause(&mut self, place: usize, until: Timestamp) {
        let worker = &mut self.state.workers[place];
        worker.paused_until = Some(until);
        worker.idle_since = self.state.clock;
        self.worker_changed(place);
    }

    /// Takes an offer back: its worker has nothing of it, and when it was the last its task is
    /// pending again.
    pub(super) fn take_back(&mut self, reservation: &ReservationId) -> Option<Offer> {
        let number = self.index.reservations.get(reservation).copied()?;
        let task = self.state.tasks.get_mut(&number)?;
        let Status::Reserved(open) = &mut task.status else {
            return None;
        };
        let at = open.iter().position(|one| one.id == *reservation)?;
        let taken = open.remove(at);
        if open.is_empty() {
            task.status = Status::Pending;
            self.dirty.tasks.insert(number);
        }
        self.index.reservations.remove(reservation);
        self.task_changed(number);
        let place = self.state.workers.get_index_of(&taken.worker)?;
        self.disengage(place, number, None);
        Some(Offer {
            task: number,
            worker: place,
            reservation: reservation.clone(),
        })
    }

    /// Tells an offer's end.
    fn ended(&mut self, offer: &Offer, event: EventName, reason: &str) {
        if let Some((worker, _)) = self.state.workers.get_index(offer.worker) {
            let worker = worker.clone();
            self.offer_event(
                event,
                offer.task,
                (&worker, &offer.reservation),
                Some(reason),
            );
        }
    }

    fn offer_event(
        &mut self,
        event: EventName,
        number: u64,
        (worker, reservation): (&str, &ReservationId),
        reason: Option<&str>,
    ) {
        if let Some(task) = self.state.tasks.get(&number) {
            let about = About::task(task).offer(worker, reservation);
            let reason = reason.map(str::to_owned);
            self.event(event, About { reason, ..about });
        }
    }

    pub(super) fn revoked(&mut self, offer: &Offer, why: RevokedWhy) {
        self.ended(offer, why.event(), why.as_str());
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
            if cooling == name {
                deadlines.remove(&(*until, deadline));
            }
            cooling != name
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

    /// Remembers who served a customer, where the queue wants that.
    fn remember(&mut self, number: u64, worker: &str) {
        let Some(customer) = self.customer(number) else {
            return;
        };
        let served = &mut self.state.served;
        served.insert(customer, worker.to_owned());
        let known = served.len() as u64;
        if known > REMEMBERED {
            // Anybody, but the same one in every fold; the last is the one just put in.
            let any = self.state.sequence % (known - 1);
            served.swap_remove_index(usize::try_from(any).unwrap_or(0));
        }
    }
}
