//! What the router chooses: which task goes to whom, which step is next, when nobody can take one.
//!
//! After every command and deadline: no task waits that a free worker could take. A task goes to
//! the best of its free workers; a worker who becomes free gets the first of all tasks he may
//! take, across his queues: those his profile puts first, then by the tasks' own order.

use std::collections::BTreeSet;

use super::explanation::LeftWhy;
use super::fact::Decision;
use super::index::PoolId;
use super::machine::{Dirty, Router};
use super::state::{OrderKey, Task};
use super::{MovedWhy, NobodyWhy, Output, WorkflowSpec};

impl Router {
    /// Decides until nothing is left to decide, then says what has changed of workers.
    pub(super) fn settle(&mut self) {
        loop {
            if std::mem::take(&mut self.dirty.everything) {
                self.dirty.tasks = self.state.tasks.keys().copied().collect();
                self.dirty.free.clear();
                self.dirty.deserted.clear();
            }
            let tasks = &self.state.tasks;
            let is_pending = |number: &u64| tasks.get(number).is_some_and(Task::is_pending);
            self.dirty.tasks.retain(is_pending);
            if self.move_on() || self.offer_some() {
                continue;
            }
            // Nobody is free for any of these: each goes on or waits.
            let tasks = std::mem::take(&mut self.dirty.tasks);
            let deserted = self.deserted();
            if tasks.is_empty() && deserted.is_empty() {
                break;
            }
            for number in tasks {
                self.pass_or_wait(number, true);
            }
            for number in deserted {
                self.pass_or_wait(number, false);
            }
        }
        self.tell_workers();
    }

    /// Sends on those of the changed tasks that are at no step, or at one that is over, or that
    /// were offered too often.
    fn move_on(&mut self) -> bool {
        let due = |number: &u64| Some((*number, self.due(*number)?));
        let due: Vec<_> = self.dirty.tasks.iter().filter_map(due).collect();
        let is_any = !due.is_empty();
        for (number, why) in due {
            match why {
                Ok(why) => self.go_on(number, why),
                Err(why) => {
                    if let Some(task) = self.state.tasks.get(&number) {
                        let task = task.id.clone();
                        let passed = Vec::new();
                        self.decide(Decision::TaskDropped { task, why, passed });
                    }
                }
            }
        }
        is_any
    }

    fn due(&self, number: u64) -> Option<Result<MovedWhy, LeftWhy>> {
        let task = self.state.tasks.get(&number)?;
        let content = self.state.content_of(task);
        let most = content.map_or(WorkflowSpec::MOST_OFFERS, |content| content.most_offers);
        if task.offers >= most {
            return Some(Err(LeftWhy::TooManyOffers));
        }
        match &task.step {
            None => Some(Ok(MovedWhy::Entered)),
            Some(step) => step.is_over.then_some(Ok(MovedWhy::TimedOut)),
        }
    }

    /// Offers what can be offered of what changed; false when nothing can.
    ///
    /// Whoever was free before has no task to take but those that changed, and tasks that did not
    /// change have nobody to take them but those who became free.
    fn offer_some(&mut self) -> bool {
        let Dirty { tasks, free, .. } = &mut self.dirty;
        match (tasks.first().copied(), free.first().copied()) {
            (None, None) => return false,
            (Some(number), None) if tasks.len() == 1 => return self.offer_to_best(number),
            (None, Some(place)) if free.len() == 1 => {
                free.clear();
                let first = self.first_task_for(place);
                if let Some(number) = first {
                    self.offer(number, &[place]);
                }
                return first.is_some();
            }
            _ => {}
        }
        let firsts = self
            .dirty
            .free
            .iter()
            .filter_map(|place| self.first_task_for(*place));
        let numbers = self.dirty.tasks.iter().copied().chain(firsts);
        let key = |number| (self.index.place(number).map(|place| place.key), number);
        let in_order: BTreeSet<(Option<OrderKey>, u64)> = numbers.map(key).collect();
        let mut is_any = false;
        for (_, number) in in_order {
            let best = self.best_who_prefer(number);
            if !best.is_empty() {
                self.offer(number, &best);
                is_any = true;
            }
        }
        if !is_any {
            self.dirty.free.clear();
        }
        is_any
    }

    /// The best free workers for a pending task, of those who have no better task to take.
    fn best_who_prefer(&self, number: u64) -> Vec<usize> {
        let prefers = |place: &usize| self.first_task_for(*place) == Some(number);
        let best = self.best_for(number);
        if best.iter().all(prefers) {
            return best;
        }
        let wanted = best.len();
        let all = self.all_for(number).into_iter();
        all.filter(prefers).take(wanted).collect()
    }

    /// Sends a pending task on for which nobody is free, or says that nobody is there, or lets it
    /// wait.
    fn pass_or_wait(&mut self, number: u64, may_wait: bool) {
        let task = self.state.tasks.get(&number);
        let Some(step) = task
            .filter(|task| task.is_pending())
            .and_then(|task| task.step.as_ref())
        else {
            return;
        };
        let is_fresh = step.is_fresh && may_wait;
        if let Some(why) = self.skips(number) {
            self.go_on(number, MovedWhy::Skipped(why));
        } else if let Some(why) = self.told_nobody(number) {
            self.tell_nobody(number, why);
        } else if is_fresh {
            self.let_wait(number);
        }
    }

    /// Pending tasks of pools none of whose members is on duty any more, in their order.
    fn deserted(&mut self) -> Vec<u64> {
        let mut tasks = BTreeSet::new();
        for id in std::mem::take(&mut self.dirty.deserted) {
            let Some(pool) = self.index.pools.get(id) else {
                continue;
            };
            let serving = &self.index.queues[pool.key.queue].channels[pool.key.channel].workers;
            if !pool.members.meets(&self.index.on_duty, serving) {
                tasks.extend(pool.pending.iter());
            }
        }
        tasks.iter().map(|key: &OrderKey| key.number()).collect()
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

    /// The first of the tasks a worker may take, if he is free.
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
        let may = |key: OrderKey| {
            let task = self.state.tasks.get(&key.number());
            task.is_some_and(|task| {
                let is_over = task.step.as_ref().is_some_and(|step| step.is_over);
                !is_over && !task.is_cooling(name)
            })
        };
        pool.pending.first(serving.sees_after(place), may)
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
