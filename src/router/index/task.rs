//! What is derived from a task: its place in line, its pool, its deadlines.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::pool::{Members, Pool, PoolId, PoolKey, RuleKey, Wanted};
use super::{Deadline, Index};
use crate::base::Timestamp;
use crate::expr::{Expression, Scope};
use crate::router::Known;
use crate::router::bits::Bits;
use crate::router::state::{OrderKey, State, Status, Task};

/// One task.
#[derive(Clone, Debug)]
pub(in crate::router) struct TaskIndex {
    /// Where it stands; `None` before its first step.
    pub(in crate::router) place: Option<Place>,
    is_fit: bool,
    ring: Option<Timestamp>,
    step: Option<Timestamp>,
    life: Option<Timestamp>,
    visible: Option<Timestamp>,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::router) struct Place {
    pub(in crate::router) queue: usize,
    pub(in crate::router) channel: usize,
    pub(in crate::router) pool: PoolId,
    pub(in crate::router) key: OrderKey,
    /// How many delays are over for it.
    pub(in crate::router) seen: usize,
    pub(in crate::router) at: Stage,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::router) enum Stage {
    Pending,
    Offered,
    Assigned,
}

impl Index {
    /// Follows a change of a task. Its pool is kept unless [`Index::repool`] was said before.
    /// Returns the queue whose line has changed, or two.
    pub(in crate::router) fn refresh_task(
        &mut self,
        state: &State,
        number: u64,
    ) -> [Option<usize>; 2] {
        let Some(task) = state.tasks.get(&number) else {
            return self.forget_task(number);
        };
        let known = self.standing.remove(&number);
        let mut slot = known.unwrap_or(TaskIndex {
            place: None,
            is_fit: false,
            ring: None,
            step: None,
            life: None,
            visible: None,
        });
        let before = slot.place;
        let kept = before.filter(|_| slot.is_fit);
        let now = self.place_of(state, number, task, kept);
        slot.is_fit = true;
        let lines = if before == now {
            [None, None]
        } else {
            // In before out: a pool that is left by its only task and entered again stays.
            if let Some(now) = now {
                self.pools.enter(now.pool);
                self.stand(now);
            }
            if let Some(before) = before {
                self.leave(before, now);
            }
            let in_line = |place: Option<Place>| {
                let place = place.filter(|place| place.at != Stage::Assigned)?;
                Some((place.queue, place.key))
            };
            match (in_line(before), in_line(now)) {
                (before, now) if before == now => [None, None],
                (before, now) => [before.map(|b| b.0), now.map(|n| n.0)],
            }
        };
        slot.place = now;
        self.set_deadlines(state, number, task, &mut slot);
        self.standing.insert(number, slot);
        lines
    }

    /// A task's step, attributes or channel changed: its pool is to be found anew.
    pub(in crate::router) fn repool(&mut self, number: u64) {
        if let Some(slot) = self.standing.get_mut(&number) {
            slot.is_fit = false;
        }
    }

    /// Where a task stands.
    pub(in crate::router) fn place(&self, number: u64) -> Option<Place> {
        self.standing.get(&number)?.place
    }

    fn forget_task(&mut self, number: u64) -> [Option<usize>; 2] {
        let Some(mut slot) = self.standing.remove(&number) else {
            return [None, None];
        };
        for (kept, deadline) in slot.deadlines(number) {
            set(&mut self.deadlines, kept, None, deadline);
        }
        let Some(place) = slot.place else {
            return [None, None];
        };
        self.leave(place, None);
        [(place.at != Stage::Assigned).then_some(place.queue), None]
    }

    fn place_of(
        &mut self,
        state: &State,
        number: u64,
        task: &Task,
        kept: Option<Place>,
    ) -> Option<Place> {
        let queue = state.queues.get_index_of(task.queue()?)?;
        let channel = state.channel(&task.channel)?;
        let pool = match kept {
            Some(place) => place.pool,
            None => self.pool_for(state, task, queue, channel)?,
        };
        Some(Place {
            queue,
            channel,
            pool,
            key: task.order_key(
                number,
                state.queues[queue].spec.order,
                state.prioritize_queue_order,
            ),
            seen: task.step.as_ref().map_or(0, |step| step.seen),
            at: match task.status {
                Status::Assigned { .. } => Stage::Assigned,
                Status::Pending => Stage::Pending,
                Status::Reserved(_) => Stage::Offered,
            },
        })
    }

    fn stand(&mut self, place: Place) {
        let queue = &mut self.queues[place.queue];
        match place.at {
            Stage::Assigned => queue.assigned += 1,
            Stage::Offered => queue.offered += 1,
            Stage::Pending => {
                if let Some(pool) = self.pools.get_mut(place.pool) {
                    pool.pending.insert(place.seen, place.key);
                }
            }
        }
        if place.at != Stage::Assigned {
            queue.line.insert(place.key);
        }
    }

    /// Takes a task from where it stood; `now` is where it stands already.
    fn leave(&mut self, place: Place, now: Option<Place>) {
        let queue = &mut self.queues[place.queue];
        match place.at {
            Stage::Assigned => queue.assigned -= 1,
            Stage::Offered => queue.offered -= 1,
            Stage::Pending => {
                let stays = now.is_some_and(|now| {
                    now.at == Stage::Pending
                        && (now.pool, now.seen, now.key) == (place.pool, place.seen, place.key)
                });
                if let Some(pool) = self.pools.get_mut(place.pool).filter(|_| !stays) {
                    pool.pending.remove(place.seen, &place.key);
                }
            }
        }
        let stays = now.is_some_and(|now| {
            now.at != Stage::Assigned && (now.queue, now.key) == (place.queue, place.key)
        });
        if place.at != Stage::Assigned && !stays {
            queue.line.remove(&place.key);
        }
        if let Some(gone) = self.pools.leave(place.pool) {
            self.forget_pool(place.pool, &gone);
        }
    }

    /// The pool of a task, found or made.
    fn pool_for(
        &mut self,
        state: &State,
        task: &Task,
        queue: usize,
        channel: usize,
    ) -> Option<PoolId> {
        let step = task.step.as_ref()?;
        let rule: Option<RuleKey> = task.workflow.clone().zip(step.at);
        let known_rule = rule
            .as_ref()
            .and_then(|(content, at)| self.rules.get(content)?.step(*at));
        let known_rule = known_rule.cloned();
        let target = &self.queues[queue].target;
        let expression = known_rule
            .as_ref()
            .and_then(|rule| rule.expression.as_ref());
        let mut bound: Vec<&Value> = target.task_values(&task.attributes);
        if let Some(expression) = expression {
            bound.extend(expression.task_values(&task.attributes));
        }
        let looks_at_state =
            target.looks_at_state() || expression.is_some_and(Expression::looks_at_state);
        let wanted = match &step.known {
            None => Wanted::Anybody,
            Some(Known::Worker(name)) => state
                .workers
                .get_index_of(name)
                .map_or(Wanted::Nobody, Wanted::Worker),
            Some(_) => Wanted::Nobody,
        };
        let key = PoolKey {
            queue,
            channel,
            rule,
            wanted,
            bound: serde_json::to_string(&bound).unwrap_or_default(),
        };
        if let Some(id) = self.pools.find(&key) {
            return Some(id);
        }
        let sample = Arc::clone(&task.attributes);
        let mut pool = Pool::new(key, known_rule, sample);
        pool.members = self.members(&pool);
        pool.looks_at_state = looks_at_state;
        let few = match &pool.members {
            Members::Few(places) => Some(places.clone()),
            Members::All | Members::Many(_) => None,
        };
        let id = self.pools.add(pool);
        match few {
            Some(places) => {
                for place in places {
                    self.workers[place].pools.push(id);
                }
            }
            None => self.queues[queue].pools.push(id),
        }
        Some(id)
    }

    /// Who may take the tasks of a pool. An expression that looks at how a worker stands is left
    /// to the moment of choosing.
    fn members(&self, pool: &Pool) -> Members {
        let queue = &self.queues[pool.key.queue];
        let serving = &queue.channels[pool.key.channel].workers;
        let step = pool.rule.as_ref().and_then(|rule| rule.expression.as_ref());
        // A target that looks at the worker alone was asked when the plan came.
        let asked = [queue.target.uses_task().then_some(&queue.target), step];
        let fits = |place: usize| {
            let scope = Scope::new(&self.workers[place].attributes, &pool.sample);
            let mut asked = asked.iter().flatten();
            serving.has(place) && asked.all(|one| one.looks_at_state() || one.eval(&scope))
        };
        match pool.key.wanted {
            Wanted::Nobody => return Members::Few(Vec::new()),
            Wanted::Worker(place) => {
                return Members::Few(
                    Some(place)
                        .filter(|place| fits(*place))
                        .into_iter()
                        .collect(),
                );
            }
            Wanted::Anybody => {}
        }
        if asked.iter().flatten().next().is_none() {
            return Members::All;
        }
        let mut asked_index = asked.iter().flatten();
        let candidates = asked_index.find_map(|one| one.candidates(&pool.sample, &self.attributes));
        let places: Bits = match candidates {
            Some(places) => places
                .into_iter()
                .map(|place| place as usize)
                .filter(|place| fits(*place))
                .collect(),
            None => serving.iter().filter(|place| fits(*place)).collect(),
        };
        Members::of(places)
    }

    fn forget_pool(&mut self, id: PoolId, pool: &Pool) {
        match &pool.members {
            Members::Few(places) => {
                for place in places {
                    self.workers[*place].pools.retain(|known| *known != id);
                }
            }
            Members::All | Members::Many(_) => {
                self.queues[pool.key.queue]
                    .pools
                    .retain(|known| *known != id);
            }
        }
    }

    fn set_deadlines(&mut self, state: &State, number: u64, task: &Task, slot: &mut TaskIndex) {
        let is_waiting = !task.is_assigned();
        let step = task.step.as_ref().filter(|_| is_waiting);
        let wanted = [
            task.reservations().iter().map(|one| one.expires_at).min(),
            step.filter(|step| !step.is_over)
                .and_then(|step| step.until),
            is_waiting.then_some(task.until),
            step.and_then(|step| {
                let place = slot.place?;
                let serving = &self.queues[place.queue].channels[place.channel];
                let (delay, _) = serving.delays.get(step.seen)?;
                Some(step.queued + *delay)
            }),
        ];
        debug_assert!(state.tasks.contains_key(&number));
        for ((kept, deadline), wanted) in slot.deadlines(number).into_iter().zip(wanted) {
            set(&mut self.deadlines, kept, wanted, deadline);
        }
    }
}

impl TaskIndex {
    /// A deadline of it has passed.
    pub(super) fn expire(&mut self, task: u64, passed: Deadline) {
        let kept = self
            .deadlines(task)
            .into_iter()
            .find(|(_, deadline)| *deadline == passed);
        if let Some((kept, _)) = kept {
            *kept = None;
        }
    }

    fn deadlines(&mut self, task: u64) -> [(&mut Option<Timestamp>, Deadline); 4] {
        [
            (&mut self.ring, Deadline::Ring { task }),
            (&mut self.step, Deadline::Step { task }),
            (&mut self.life, Deadline::Life { task }),
            (&mut self.visible, Deadline::Visible { task }),
        ]
    }
}

impl PartialEq for TaskIndex {
    /// Where its pool is kept does not matter.
    fn eq(&self, other: &Self) -> bool {
        let of = |one: &Self| {
            let place = one.place.map(|p| (p.queue, p.channel, p.key, p.at));
            (place, one.ring, one.step, one.life, one.visible)
        };
        of(self) == of(other)
    }
}

/// Puts a deadline where it is wanted.
pub(super) fn set(
    deadlines: &mut BTreeSet<(Timestamp, Deadline)>,
    kept: &mut Option<Timestamp>,
    wanted: Option<Timestamp>,
    deadline: Deadline,
) {
    if *kept == wanted {
        return;
    }
    if let Some(old) = *kept {
        deadlines.remove(&(old, deadline));
    }
    if let Some(new) = wanted {
        deadlines.insert((new, deadline));
    }
    *kept = wanted;
}
