//! How a plan takes the place of another, and how the router finds itself after a restart.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use sha2::{Digest, Sha256};

use super::event::{About, EventName};
use super::index::Index;
use super::machine::Router;
use super::state::{Queue, Task, Worker};
use super::{ChannelSpec, Plan, RevokedWhy, TaskOutcome, VOICE, WorkflowSpec};
use crate::base::{CallId, ReservationId};

impl Router {
    pub(super) fn recover(&mut self, calls: &[CallId], phones: &[String]) {
        let (calls, phones): (HashSet<_>, HashSet<_>) =
            (calls.iter().collect(), phones.iter().collect());
        for place in 0..self.state.workers.len() {
            let worker = &mut self.state.workers[place];
            // What his phone was in died with the process, or is told anew.
            worker.busy.clear();
            let reachable = phones.contains(&worker.spec.phone);
            self.set_reachable(place, reachable);
        }
        let numbers: Vec<u64> = self.state.tasks.keys().copied().collect();
        for number in numbers {
            let Some(task) = self.state.tasks.get(&number) else {
                continue;
            };
            if task.call.as_ref().is_none_or(|call| calls.contains(call)) {
                self.take_back_all(number, RevokedWhy::Recovered);
                continue;
            }
            let holder = task.holders().next().map(|(worker, _)| worker.clone());
            if let Some(worker) = holder.filter(|_| task.is_assigned()) {
                if let Some(place) = self.state.workers.get_index_of(&worker) {
                    self.disengage(place, number, Some(self.state.clock));
                }
                let worker = Some((worker, super::WrapUp::None));
                self.end(number, worker, TaskOutcome::Recovered);
            } else {
                self.cancel(number, TaskOutcome::Recovered, RevokedWhy::Recovered);
            }
        }
        self.dirty.everything = true;
    }

    /// With `reevaluate` tasks whose workflow has changed, and that nobody has accepted, begin it
    /// anew; else they go on by the rules they came in with. Who is new, or has another phone, is
    /// `reachable` or not.
    pub(super) fn activate(&mut self, plan: Plan, reevaluate: bool, reachable: &BTreeSet<String>) {
        self.tell_plan(&plan);
        let kept: HashSet<&str> = plan.workers.iter().map(|w| w.name.as_str()).collect();
        for place in 0..self.state.workers.len() {
            let worker = &self.state.workers[place];
            let is_kept = kept.contains(worker.spec.name.as_str());
            if !is_kept {
                for reservation in self.open_offers_of(place) {
                    if let Some(offer) = self.take_back(&reservation) {
                        self.revoked(&offer, RevokedWhy::WorkerRemoved);
                    }
                }
                // Nobody would end what he began or was left to do.
                let name = self.state.workers[place].spec.name.clone();
                self.end_wraps(&name, None, None, self.state.clock);
            }
            self.state.workers[place].removed = !is_kept;
        }
        self.state.plan = plan.hash();
        self.state.generation = plan.generation;
        self.state.activities.clone_from(&plan.activities);
        self.state.profiles.clone_from(&plan.profiles);
        self.state.prioritize_queue_order = plan.prioritize_queue_order;
        self.activate_channels(&plan);
        self.activate_workers(&plan, reachable);
        self.activate_queues(&plan);
        self.activate_workflows(&plan);
        let workers = &self.state.workers;
        for task in self.state.tasks.values_mut() {
            task.cooling.retain(|(name, _)| workers.contains_key(name));
        }
        self.told
            .workers
            .retain(|name, _| workers.contains_key(name));
        if self.state.day_ends <= self.state.clock {
            self.begin_day();
        }
        self.index = Index::build(&self.state);
        self.see_anew();
        if reevaluate {
            self.start_changed_anew();
        }
        self.dirty.everything = true;
        self.dirty.workers = (0..self.state.workers.len()).collect();
        self.dirty.lines = (0..self.state.queues.len()).collect();
    }

    /// Offers that are out to a worker.
    pub(super) fn open_offers_of(&self, place: usize) -> Vec<ReservationId> {
        let worker = &self.state.workers[place];
        let tasks = worker
            .tasks()
            .filter_map(|number| self.state.tasks.get(&number));
        let open = tasks.flat_map(|task| task.reservations());
        let own = open.filter(|one| one.worker == worker.spec.name);
        own.map(|one| one.id.clone()).collect()
    }

    /// The delays of profiles may have changed: how many are over is counted anew.
    fn see_anew(&mut self) {
        let clock = self.state.clock;
        let mut changed = Vec::new();
        for (number, task) in &mut self.state.tasks {
            let Some((place, step)) = self.index.place(*number).zip(task.step.as_mut()) else {
                continue;
            };
            let serving = &self.index.queues[place.queue].channels[place.channel];
            let seen = serving.seen_after(clock.since(step.queued));
            if step.seen != seen {
                step.seen = seen;
                changed.push(*number);
            }
        }
        for number in changed {
            self.task_changed(number);
        }
    }

    /// Tasks that nobody has accepted begin their workflow anew where its content is another now.
    fn start_changed_anew(&mut self) {
        let is_changed = |task: &Task| {
            let key = task.workflow.as_ref().filter(|_| !task.is_assigned());
            let name = key.and_then(|key| Some(key.rsplit_once('@')?.0));
            let newest = name.and_then(|name| self.state.workflows.get(name));
            newest.is_some_and(|newest| Some(newest) != key)
        };
        let changed = self.state.tasks.iter().filter(|(_, task)| is_changed(task));
        let changed: Vec<u64> = changed.map(|(number, _)| *number).collect();
        for number in changed {
            self.start_anew(number);
            self.task_updated(number, Some("reevaluated"));
        }
    }

    fn activate_channels(&mut self, plan: &Plan) {
        let listed = plan.channels.iter();
        let mut channels: Vec<ChannelSpec> = listed
            .filter(|channel| channel.name == VOICE)
            .cloned()
            .collect();
        if channels.is_empty() {
            channels.push(ChannelSpec {
                name: VOICE.to_owned(),
                capacity: 1,
            });
        }
        let others = plan.channels.iter().filter(|channel| channel.name != VOICE);
        channels.extend(others.cloned());
        // Those the plan has no more stay while tasks of them live.
        let known = std::mem::take(&mut self.state.channels);
        for old in known {
            let mut tasks = self.state.tasks.values();
            if !channels.iter().any(|channel| channel.name == old.name)
                && tasks.any(|task| task.channel == old.name)
            {
                channels.push(old);
            }
        }
        self.state.channels = channels;
    }

    fn activate_workers(&mut self, plan: &Plan, reachable: &BTreeSet<String>) {
        let clock = self.state.clock;
        let sequence = self.state.sequence;
        let mut news = Vec::new();
        let mut old = std::mem::take(&mut self.state.workers);
        let mut new = IndexMap::with_capacity(plan.workers.len());
        for spec in &plan.workers {
            let activity = plan.first_activity(spec);
            let mut worker = old.swap_remove(&spec.name).unwrap_or_else(|| Worker {
                spec: Arc::new(spec.clone()),
                available: plan.is_available(&activity),
                activity,
                reason: format!("plan {}", plan.generation),
                next_activity: None,
                reachable: reachable.contains(&spec.name),
                busy: BTreeSet::new(),
                since: clock,
                idle_since: clock,
                paused_until: None,
                engagements: Vec::new(),
                offered: 0,
                accepted: 0,
                misses: 0,
                version: sequence,
                removed: false,
            });
            if worker.spec.as_ref() != spec {
                worker.version = sequence;
            }
            let is_reached = reachable.contains(&spec.name);
            if worker.spec.phone != spec.phone && worker.reachable != is_reached {
                worker.reachable = is_reached;
                let about = About::worker(&spec.name).because("another phone");
                news.push((EventName::WorkerReachability, about));
            }
            worker.spec = Arc::new(spec.clone());
            let available = plan.is_available(&worker.activity);
            if available != worker.available {
                worker.available = available;
                worker.idle_since = clock;
                worker.reason = format!("activity changed by plan {}", plan.generation);
                let about = About {
                    activity: Some(worker.activity.clone()),
                    available: Some(available),
                    ..About::worker(&spec.name).because(&worker.reason)
                };
                news.push((EventName::WorkerActivity, about));
            }
            worker.next_activity = worker
                .next_activity
                .filter(|activity| plan.knows_activity(activity));
            new.insert(spec.name.clone(), worker);
        }
        // Sorted by name: what is left of `old` has lost its order.
        old.sort_unstable_keys();
        new.extend(old.into_iter().filter(|(_, worker)| !worker.is_idle()));
        self.state.workers = new;
        for (event, about) in news {
            self.event(event, about);
        }
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
            let mut tasks = self.state.tasks.values();
            if tasks.any(|task| task.queue() == Some(&name)) {
                let draining = true;
                new.insert(name, Queue { draining, ..queue });
            }
        }
        self.state.queues = new;
    }

    fn activate_workflows(&mut self, plan: &Plan) {
        let mut contents = BTreeMap::new();
        let mut workflows = IndexMap::with_capacity(plan.workflows.len());
        for spec in &plan.workflows {
            let key = key_of(spec);
            workflows.insert(spec.name.clone(), key.clone());
            contents.insert(key, Arc::new(spec.clone()));
        }
        // A task goes on by the rules it came in with.
        for key in self
            .state
            .tasks
            .values()
            .filter_map(|task| task.workflow.as_ref())
        {
            if let Some(content) = self.state.contents.get(key) {
                contents.insert(key.clone(), content.clone());
            }
        }
        self.state.contents = contents;
        self.state.workflows = workflows;
    }
}

/// Name and digest of a workflow's content.
pub(super) fn key_of(spec: &WorkflowSpec) -> String {
    // Serialising these types into memory cannot fail: string keys, no foreign code.
    let content = serde_json::to_vec(spec).unwrap_or_default();
    format!(
        "{}@{}",
        spec.name,
        hex::encode(&Sha256::digest(content)[..8])
    )
}
