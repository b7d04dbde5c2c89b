//! Who of the free workers gets a task: the queue's strategy, the step's criteria, the agent who
//! knows the customer.

use std::cmp::Ordering;

use sha2::{Digest, Sha256};

use super::fact::Offered;
use super::index::{Free, Pool, Serving};
use super::machine::{Router, reservation_id};
use super::state::Task;
use super::{ChosenBy, Strategy};
use crate::expr::{OrderBy, Scope};

/// How many of the free workers are looked at in their order before the members of the pool are
/// gone over instead: where few of many free ones may take a task, that is quicker.
const LOOKED_AT: usize = 256;

/// What a task is chosen for with.
struct Choice<'a> {
    task: &'a Task,
    pool: &'a Pool,
    serving: &'a Serving,
    channel: usize,
    seen: usize,
}

impl Router {
    /// The best free workers for a pending task, best first: as many as its queue reserves at a
    /// time. Empty when nobody is free for it.
    pub(super) fn best_for(&self, number: u64) -> Vec<usize> {
        self.choice(number).map_or_else(Vec::new, |choice| {
            let queue = &self.state.queues[choice.pool.key.queue].spec;
            self.choose(number, &choice, queue.max_reserved.max(1) as usize)
        })
    }

    /// All free workers for a pending task, best first.
    pub(super) fn all_for(&self, number: u64) -> Vec<usize> {
        self.choice(number).map_or_else(Vec::new, |choice| {
            self.choose(number, &choice, self.state.workers.len())
        })
    }

    /// What put the first of those chosen before the others.
    pub(super) fn chosen_by(&self, number: u64, chosen: &[usize]) -> ChosenBy {
        let Some(choice) = self.choice(number) else {
            return ChosenBy::default();
        };
        let first = chosen
            .first()
            .and_then(|place| self.state.workers.get_index(*place));
        let served = self
            .customer(number)
            .and_then(|who| self.state.served.get(&who));
        let lane = &self.index.queues[choice.pool.key.queue];
        let by_step = choice
            .pool
            .rule
            .as_ref()
            .and_then(|rule| rule.order_by.as_ref());
        if first.is_some_and(|(name, _)| served == Some(name)) {
            ChosenBy::Sticky
        } else if by_step.or(lane.order_by.as_ref()).is_some() {
            ChosenBy::Attributes
        } else {
            match self.state.queues[choice.pool.key.queue].spec.strategy {
                Strategy::LeastCalls => ChosenBy::LeastCalls,
                Strategy::Random => ChosenBy::Chance,
                Strategy::RoundRobin => ChosenBy::RoundRobin,
                Strategy::LongestIdle | Strategy::OrderBy(_) => match first {
                    Some((_, worker)) if worker.has_more_than(number) => ChosenBy::LeastInHand,
                    _ => ChosenBy::LongestIdle,
                },
            }
        }
    }

    fn choice(&self, number: u64) -> Option<Choice<'_>> {
        let task = self.state.tasks.get(&number)?;
        let place = self.index.place(number)?;
        Some(Choice {
            task,
            pool: self.index.pools.get(place.pool)?,
            serving: &self.index.queues[place.queue].channels[place.channel],
            channel: place.channel,
            seen: task.step.as_ref()?.seen,
        })
    }

    fn choose(&self, number: u64, choice: &Choice<'_>, wanted: usize) -> Vec<usize> {
        let queue = &self.state.queues[choice.pool.key.queue].spec;
        let mut chosen = Vec::with_capacity(wanted.min(64));
        if queue.sticky.is_some()
            && let Some(name) = self
                .customer(number)
                .and_then(|who| self.state.served.get(&who))
            && let Some(place) = self.state.workers.get_index_of(name)
            && self.is_free_for(choice, place)
        {
            chosen.push(place);
        }
        let left = wanted - chosen.len();
        if left == 0 {
            return chosen;
        }
        let lane = &self.index.queues[choice.pool.key.queue];
        let by_step = choice
            .pool
            .rule
            .as_ref()
            .and_then(|rule| rule.order_by.as_ref());
        let more = match (by_step.or(lane.order_by.as_ref()), &queue.strategy) {
            (Some(order), _) => self.by_attributes(choice, order, left + 1),
            (None, Strategy::Random) => self.by_chance(choice, number, left + chosen.len()),
            (None, Strategy::RoundRobin) => self.in_order(choice, Free::RoundRobin, left + 1),
            (None, Strategy::LeastCalls) => self.in_order(choice, Free::LeastCalls, left + 1),
            (None, Strategy::LongestIdle | Strategy::OrderBy(_)) => {
                self.in_order(choice, Free::LongestIdle, left + 1)
            }
        };
        let sticky = chosen.first().copied();
        chosen.extend(
            more.into_iter()
                .filter(|place| Some(*place) != sticky)
                .take(left),
        );
        chosen
    }

    /// Whether a worker could be offered the task at once.
    fn is_free_for(&self, choice: &Choice<'_>, place: usize) -> bool {
        self.index.channels[choice.channel].free.has(place)
            && choice.pool.members.has(place, &choice.serving.workers)
            && self.may_see(choice, place)
    }

    fn may_see(&self, choice: &Choice<'_>, place: usize) -> bool {
        if choice.pool.looks_at_state && !self.stands_right(choice.pool, place) {
            return false;
        }
        let is_cooling = || {
            let worker = self.state.workers.get_index(place);
            worker.is_some_and(|(name, _)| choice.task.is_cooling(name))
        };
        choice.serving.is_seen_by(place, choice.seen)
            && (choice.task.cooling.is_empty() || !is_cooling())
    }

    /// Whether the expressions of a pool hold for how a worker stands now.
    pub(super) fn stands_right(&self, pool: &Pool, place: usize) -> bool {
        let Some(worker) = self.index.workers.get(place) else {
            return false;
        };
        let target = &self.index.queues[pool.key.queue].target;
        let step = pool.rule.as_ref().and_then(|rule| rule.expression.as_ref());
        let scope = Scope::new(&worker.attributes, &pool.sample);
        let mut asked = [Some(target), step].into_iter().flatten();
        asked.all(|one| one.eval_with_state(&scope, &worker.seen))
    }

    /// All free members, in plan order.
    fn all_free<'a>(&'a self, choice: &'a Choice<'_>) -> impl Iterator<Item = usize> + 'a {
        let free = &self.index.channels[choice.channel].free;
        let shared = choice.pool.members.shared(free, &choice.serving.workers);
        shared.filter(|place| self.may_see(choice, *place))
    }

    fn in_order(&self, choice: &Choice<'_>, order: Free, wanted: usize) -> Vec<usize> {
        let channel = &self.index.channels[choice.channel];
        let mut looked_at = 0;
        let mut found = Vec::new();
        let members = &choice.pool.members;
        for place in channel.in_order(order).take(LOOKED_AT) {
            looked_at += 1;
            if members.has(place, &choice.serving.workers) && self.may_see(choice, place) {
                found.push(place);
                if found.len() == wanted {
                    return found;
                }
            }
        }
        if looked_at < LOOKED_AT {
            return found;
        }
        let mut all: Vec<_> = self
            .all_free(choice)
            .map(|place| {
                (
                    self.index.workers[place].free_key(choice.channel, order),
                    place,
                )
            })
            .collect();
        all.sort_unstable();
        all.truncate(wanted);
        all.into_iter().map(|(_, place)| place).collect()
    }

    fn by_attributes(&self, choice: &Choice<'_>, order: &OrderBy, wanted: usize) -> Vec<usize> {
        let mut all: Vec<usize> = self.all_free(choice).collect();
        let attributes = |place: &usize| &self.index.workers[*place].attributes;
        let applies = all.iter().all(|place| order.applies_to(attributes(place)));
        let idle = |place: &usize| {
            let worker = &self.index.workers[*place];
            (worker.free_key(choice.channel, Free::LongestIdle), *place)
        };
        // No two are equal, so that the first of them are the same however they are found.
        let better = |a: &usize, b: &usize| {
            let by_attributes = match applies {
                true => order.compare(attributes(a), attributes(b)),
                false => Ordering::Equal,
            };
            by_attributes.then_with(|| idle(a).cmp(&idle(b)))
        };
        if wanted < all.len() {
            all.select_nth_unstable_by(wanted, better);
            all.truncate(wanted);
        }
        all.sort_unstable_by(better);
        all
    }

    /// Drawn from the facts: the same facts draw the same workers.
    fn by_chance(&self, choice: &Choice<'_>, number: u64, wanted: usize) -> Vec<usize> {
        let mut all: Vec<usize> = self.all_free(choice).collect();
        let mut drawn = Vec::new();
        while !all.is_empty() && drawn.len() < wanted {
            let seed = Sha256::new()
                .chain_update(self.state.shard.to_le_bytes())
                .chain_update(self.state.sequence.to_le_bytes())
                .chain_update(number.to_le_bytes())
                .chain_update((drawn.len() as u64).to_le_bytes())
                .finalize();
            let mut first = [0; 8];
            first.copy_from_slice(&seed[..8]);
            // Of 2^64 values the excess of the first ones is nothing anybody could see.
            let at = u64::from_le_bytes(first) % all.len() as u64;
            drawn.push(all.swap_remove(usize::try_from(at).unwrap_or(0)));
        }
        drawn
    }

    /// The offers that reserve these workers for a task.
    pub(super) fn offers_of(&self, task: &Task, places: &[usize]) -> Vec<Offered> {
        let names = places
            .iter()
            .filter_map(|place| self.state.workers.get_index(*place));
        let attempt = task.offers + 1;
        names
            .enumerate()
            .map(|(at, (name, _))| Offered {
                reservation: reservation_id(&task.id, attempt, at),
                worker: name.clone(),
            })
            .collect()
    }
}
