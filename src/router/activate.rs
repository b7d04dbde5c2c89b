//! How a plan takes the place of another, and how the router finds itself after a restart.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;

use super::index::Index;
use super::machine::Router;
use super::state::{Engagement, Queue, Status, Task, Worker};
use super::{Plan, RevokedWhy, TaskOutcome};
use crate::base::CallId;

impl Router {
    pub(super) fn recover(&mut self, calls: &[CallId], phones: &[String]) {
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

    pub(super) fn activate(&mut self, plan: Plan) {
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
}
