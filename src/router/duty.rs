//! Whether a worker is on duty: his activity, the one that follows it, his phone.

use super::RevokedWhy;
use super::event::{About, EventName};
use super::machine::Router;

impl Router {
    /// A worker goes to an activity.
    pub(super) fn move_to(&mut self, place: usize, activity: &str, reason: String) {
        let available = self.state.is_available(activity);
        let clock = self.state.clock;
        let worker = &mut self.state.workers[place];
        let before = (worker.activity != activity || worker.available != available)
            .then(|| worker.activity.clone());
        if available && !worker.available {
            worker.idle_since = clock;
            worker.misses = 0;
        }
        if worker.activity != activity {
            activity.clone_into(&mut worker.activity);
            worker.since = clock;
        }
        worker.available = available;
        worker.reason = reason;
        let about = before.map(|before| About {
            activity: Some(worker.activity.clone()),
            previous_activity: Some(before),
            available: Some(available),
            ..About::worker(&worker.spec.name).because(&worker.reason)
        });
        if let Some(about) = about {
            self.event(EventName::WorkerActivity, about);
        }
        self.worker_changed(place);
    }

    /// A worker's phone is registered, or no longer.
    pub(super) fn set_reachable(&mut self, place: usize, reachable: bool) {
        let worker = &mut self.state.workers[place];
        if worker.reachable != reachable {
            worker.reachable = reachable;
            let reason = if reachable {
                "registered"
            } else {
                "unregistered"
            };
            let about = About::worker(&worker.spec.name).because(reason);
            self.event(EventName::WorkerReachability, about);
        }
        self.worker_changed(place);
    }

    pub(super) fn set_activity(
        &mut self,
        place: usize,
        activity: &str,
        by: &str,
        reject_pending: bool,
    ) {
        self.state.workers[place].next_activity = None;
        self.move_to(place, activity, format!("set by {by}"));
        if reject_pending {
            for id in self.open_offers_of(place) {
                if let Some(offer) = self.take_back(&id) {
                    self.revoked(&offer, RevokedWhy::ActivityChanged);
                }
            }
        }
        if self.state.workers[place].available {
            self.leave_wraps(place);
        }
    }

    pub(super) fn set_next_activity(&mut self, place: usize, activity: Option<String>, by: &str) {
        let worker = &mut self.state.workers[place];
        worker.next_activity = activity;
        worker.reason = match worker.next_activity {
            Some(_) => format!("next activity set by {by}"),
            None => format!("next activity taken back by {by}"),
        };
        let about = About {
            activity: worker.next_activity.clone(),
            ..About::worker(&worker.spec.name).because(&worker.reason)
        };
        let is_leaving = worker.next_activity.is_some();
        self.event(EventName::WorkerNextActivity, about);
        // Whoever is about to leave is done with what follows earlier conversations.
        if is_leaving {
            self.leave_wraps(place);
        }
        self.worker_changed(place);
        self.go_to_next_activity(place);
    }

    /// Who has nothing left in hand goes where he wanted to.
    pub(super) fn go_to_next_activity(&mut self, place: usize) {
        let worker = &mut self.state.workers[place];
        if worker.is_idle()
            && let Some(activity) = worker.next_activity.take()
        {
            self.move_to(place, &activity, "next activity".to_owned());
        }
    }
}
