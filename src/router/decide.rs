//! What the router chooses: which task goes to whom, which step is next, when nobody can take one.
//!
//! After every command and deadline: no task waits that a free worker could take. A task goes to
//! the best of its free workers; a worker who becomes free gets the first of all tasks he may
//! take, across his queues: those his profile puts first, then by the tasks' own order.

use super::explanation::LeftWhy;
use super::fact::Decision;
use super::index::PoolId;
use super::machine::Router;
use super::state::OrderKey;
use super::{MovedWhy, NobodyWhy, Output, WorkflowSpec};

impl Router {
    /// Decides until nothing is left to decide, then says what has changed of workers.
    pub(super) fn settle(&mut self) {
        loop {
            if std::mem::take(&mut self.dirty.everything) {
                self.dirty.tasks.clear();
                self.dirty.free.clear();
                self.dirty.deserted = self.index.pools.iter().map(|(id, _)| id).collect();
                self.match_everything();
            } else if let Some(number) = self.dirty.tasks.pop_first() {
                self.match_task(number);
            } else if let Some(place) = self.dirty.free.pop_first() {
                self.match_worker(place);
            } else if let Some(pool) = self.dirty.deserted.pop_first() {
                self.tell_deserted(pool);
            } else {
                break;
            }
        }
        self.tell_workers();
    }

    fn match_everything(&mut self) {
        let tasks = self
            .state
            .tasks
            .iter()
            .filter(|(_, task)| task.is_pending());
        let mut tasks: Vec<(Option<OrderKey>, u64)> = tasks
            .map(|(number, _)| (self.index.place(*number).map(|place| place.key), *number))
            .collect();
        tasks.sort_unstable();
        for (_, number) in tasks {
            self.match_task(number);
        }
    }

    /// Offers a pending task, or sends it on, or lets it wait.
    fn match_task(&mut self, number: u64) {
        let Some(task) = self
            .state
            .tasks
            .get(&number)
            .filter(|task| task.is_pending())
        else {
            return;
        };
        let content = self.state.content_of(task);
        let most = content.map_or(WorkflowSpec::MOST_OFFERS, |content| content.most_offers);
        if task.offers >= most {
            let task = task.id.clone();
            return self.decide(Decision::TaskDropped {
                task,
                why: LeftWhy::TooManyOffers,
                passed: Vec::new(),
            });
        }
        let Some(step) = &task.step else {
            return self.go_on(number, MovedWhy::Entered);
        };
        let is_fresh = step.is_fresh;
        if step.is_over {
            self.go_on(number, MovedWhy::TimedOut);
        } else if self.offer_to_best(number) {
        } else if let Some(why) = self.skips(number) {
            self.go_on(number, MovedWhy::Skipped(why));
        } else if let Some(why) = self.told_nobody(number) {
            self.tell_nobody(number, why);
        } else if is_fresh {
            self.let_wait(number);
        }
    }

    /// Offers a pending task to the best workers who may take it; false when there are none.
    fn offer_to_best(&mut self, number: u64) -> bool {
        let best = self.best_for(number);
        if best.is_empty() {
            return false;
        }
        self.offer(number, &best);
        true
    }

    /// Gives a free worker the first of the tasks he may take. Offered it he may be free for more,
    /// on this channel or another; then he is looked at again.
    fn match_worker(&mut self, place: usize) {
        let Some(number) = self.first_task_for(place) else {
            return;
        };
        let Some(queue) = self.queue_spec(number) else {
            return;
        };
        if queue.max_reserved <= 1 {
            return self.offer(number, &[place]);
        }
        // Others may have become free with him: as many as the queue reserves.
        let best = match self.best_for(number) {
            best if best.is_empty() => vec![place],
            best => best,
        };
        self.offer(number, &best);
        if !best.contains(&place) {
            self.dirty.free.insert(place);
        }
    }

    fn first_task_for(&self, place: usize) -> Option<u64> {
        let worker = self.index.workers.get(place)?;
        let mut best: Option<(u8, OrderKey)> = None;
        let mut look = |priority: u8, pool: PoolId| {
            if best.is_some_and(|(first, _)| first < priority) {
                return;
            }
            let first = self.first_of_pool(pool, place).map(|key| (priority, key));
            best = [best, first].into_iter().flatten().min();
        };
        let is_free = |channel: usize| {
            let channel = self.index.channels.get(channel);
            channel.is_some_and(|channel| channel.free.has(place))
        };
        for serve in &worker.serves {
            if !is_free(serve.channel) {
                continue;
            }
            for id in &self.index.queues[serve.queue].pools {
                let pool = self.index.pools.get(*id);
                if pool.is_some_and(|pool| pool.key.channel == serve.channel) {
                    look(serve.priority, *id);
                }
            }
        }
        for id in &worker.pools {
            let Some(pool) = self
                .index
                .pools
                .get(*id)
                .filter(|pool| !pool.pending.is_empty())
            else {
                continue;
            };
            let (queue, channel) = (pool.key.queue, pool.key.channel);
            let mut serves = worker.serves.iter();
            let serve = serves.find(|serve| (serve.queue, serve.channel) == (queue, channel));
            if let Some(serve) = serve.filter(|_| is_free(channel)) {
                look(serve.priority, *id);
            }
        }
        best.map(|(_, key)| key.number())
    }

    /// The first task of a pool that a worker may take.
    fn first_of_pool(&self, id: PoolId, place: usize) -> Option<OrderKey> {
        let pool = self.index.pools.get(id)?;
        let serving = &self.index.queues[pool.key.queue].channels[pool.key.channel];
        if !pool.members.has(place, &serving.workers) {
            return None;
        }
        if pool.looks_at_state && !self.stands_right(pool, place) {
            return None;
        }
        let (name, _) = self.state.workers.get_index(place)?;
        let mut pending = pool.pending.iter();
        let may = |key: &&OrderKey| {
            let task = self.state.tasks.get(&key.number());
            task.is_some_and(|task| {
                let seen = task.step.as_ref().map_or(0, |step| step.seen);
                let is_over = task.step.as_ref().is_some_and(|step| step.is_over);
                !is_over && !task.is_cooling(name) && serving.is_seen_by(place, seen)
            })
        };
        pending.find(may).copied()
    }

    fn offer(&mut self, number: u64, places: &[usize]) {
        let Some(mut explanation) = self.explanation(number, places) else {
            return;
        };
        explanation.sequence = self.state.sequence + 1;
        let Some((task, queue)) = self.state.tasks.get(&number).zip(self.queue_spec(number)) else {
            return;
        };
        let content = self.state.content_of(task);
        let rings = content.and_then(|content| content.reservation_timeout);
        let decision = Decision::Offered {
            offers: self.offers_of(task, places),
            task: task.id.clone(),
            expires_at: self.state.clock + rings.unwrap_or(queue.ring_timeout),
            explanation: Box::new(explanation),
        };
        self.decide(decision);
    }

    /// Sends on, or tells, all pending tasks of a pool none of whose members is on duty any more.
    fn tell_deserted(&mut self, id: PoolId) {
        let Some(pool) = self.index.pools.get(id) else {
            return;
        };
        let serving = &self.index.queues[pool.key.queue].channels[pool.key.channel].workers;
        if pool.members.meets(&self.index.on_duty, serving) {
            return;
        }
        let pending: Vec<u64> = pool.pending.iter().map(|key| key.number()).collect();
        for number in pending {
            if let Some(why) = self.skips(number) {
                self.go_on(number, MovedWhy::Skipped(why));
            } else if let Some(why) = self.told_nobody(number) {
                self.tell_nobody(number, why);
            }
        }
    }

    fn tell_nobody(&mut self, number: u64, why: NobodyWhy) {
        let Some(mut explanation) = self.explanation(number, &[]) else {
            return;
        };
        explanation.sequence = self.state.sequence + 1;
        self.decide(Decision::NobodyCanTake {
            task: explanation.task.clone(),
            why,
            explanation: Box::new(explanation),
        });
    }

    fn let_wait(&mut self, number: u64) {
        let Some(mut explanation) = self.explanation(number, &[]) else {
            return;
        };
        explanation.sequence = self.state.sequence + 1;
        self.decide(Decision::Waits {
            task: explanation.task.clone(),
            explanation: Box::new(explanation),
        });
    }

    /// Whether some line has changed since places were last told.
    pub(super) fn has_changed_lines(&self) -> bool {
        !self.dirty.lines.is_empty()
    }

    /// Tells everyone in a changed line whose place has changed. It costs the length of the line:
    /// not for every decision.
    pub(super) fn tell_positions(&mut self) {
        while let Some(queue) = self.dirty.lines.pop_first() {
            let Some(lane) = self.index.queues.get(queue) else {
                continue;
            };
            let waiting = lane.line.len();
            let numbers: Vec<u64> = lane.line.iter().map(OrderKey::number).collect();
            for (place, number) in numbers.into_iter().enumerate() {
                let position = place + 1;
                if self.told.positions.insert(number, position) == Some(position) {
                    continue;
                }
                let Some(task) = self.state.tasks.get(&number) else {
                    continue;
                };
                let (task, call) = (task.id.clone(), task.call.clone());
                self.say(Output::Position {
                    task,
                    call,
                    position,
                    waiting,
                });
            }
        }
    }

    fn tell_workers(&mut self) {
        while let Some(place) = self.dirty.workers.pop_first() {
            let Some((name, worker)) = self.state.workers.get_index(place) else {
                continue;
            };
            let now = (
                worker.activity.clone(),
                worker.available,
                worker.reachable,
                worker.state(),
            );
            if self.told.workers.get(name) == Some(&now) {
                continue;
            }
            let output = Output::WorkerChanged {
                worker: name.clone(),
                activity: worker.activity.clone(),
                available: worker.available,
                reachable: worker.reachable,
                state: worker.state(),
                reason: worker.reason.clone(),
            };
            self.told.workers.insert(name.clone(), now);
            self.say(output);
        }
    }
}
