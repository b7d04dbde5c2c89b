//! Explanations: counted over sets of workers, so that one costs about as much as the decision.

use std::collections::BTreeMap;

use super::explanation::{Candidate, Chosen, NotChosen, Rule};
use super::index::Free;
use super::machine::Router;
use super::state::Task;
use super::{At, Explanation};

/// How many of those not chosen an explanation names.
const NEAREST: usize = 3;
/// How many are looked at to find them.
const LOOKED_AT: usize = 256;

/// What keeps a worker who may take a task from it, nearest to being free first.
const OWN: [NotChosen; 9] = [
    NotChosen::Paused,
    NotChosen::WrapUp,
    NotChosen::Reserved,
    NotChosen::Talking,
    NotChosen::OtherChannel,
    NotChosen::PhoneBusy,
    NotChosen::Leaving,
    NotChosen::Unavailable,
    NotChosen::Unreachable,
];

impl Router {
    /// Why these workers, or nobody, get a task.
    pub(super) fn explanation(&self, number: u64, chosen: &[usize]) -> Option<Explanation> {
        let task = self.state.tasks.get(&number)?;
        let place = self.index.place(number)?;
        let lane = &self.index.queues[place.queue];
        let (queue, known) = self.state.queues.get_index(place.queue)?;
        let at = self.state.clock;
        let (among, not_chosen) = self.counts(number, chosen)?;
        let first = chosen
            .first()
            .and_then(|place| self.state.workers.get_index(*place));
        let step = task.step.as_ref();
        Some(Explanation {
            plan: self.state.plan.clone(),
            generation: self.state.generation,
            sequence: self.state.sequence,
            at,
            task: task.id.clone(),
            queue: queue.clone(),
            target: known.spec.target.clone(),
            rule: self.rule_of(task),
            position: lane.line.before(&place.key) + 1,
            until: step.and_then(|step| step.until),
            chosen: first.map(|(name, worker)| Chosen {
                worker: name.clone(),
                idle_ms: worker.idle_ms(at, number),
                among,
                by: self.chosen_by(number, chosen),
            }),
            considered: self.state.workers.len(),
            not_chosen,
            nearest: self.nearest(number, chosen),
        })
    }

    fn rule_of(&self, task: &Task) -> Option<Rule> {
        let content = self.state.content_of(task)?;
        let step = task.step.as_ref()?;
        let at = step.at?;
        let filter = match at {
            At::Filter(filter, _) => content
                .filters
                .get(filter)
                .map(|filter| filter.name.clone()),
            At::Default => None,
        };
        Some(Rule {
            workflow: content.name.clone(),
            filter: filter.unwrap_or_default(),
            at,
            expression: step.spec.expression.clone(),
            known: step.known.clone(),
        })
    }

    /// How many were free, and how many were not chosen, by reason.
    fn counts(&self, number: u64, chosen: &[usize]) -> Option<(usize, BTreeMap<NotChosen, usize>)> {
        let task = self.state.tasks.get(&number)?;
        let place = self.index.place(number)?;
        let pool = self.index.pools.get(place.pool)?;
        let serving = &self.index.queues[place.queue].channels[place.channel];
        let channel = &self.index.channels[place.channel];
        let (members, workers) = (&pool.members, &serving.workers);
        let total = self.state.workers.len();
        let removed = channel.kept_by(NotChosen::Removed).count();
        let (serve, may) = (workers.count(), members.count(workers));
        let free = members.count_in(&channel.free, workers);
        let seen = task.step.as_ref().map_or(0, |step| step.seen);
        let is_wrong = |place: &usize| pool.looks_at_state && !self.stands_right(pool, *place);
        let wrong = match pool.looks_at_state {
            true => members
                .shared(&channel.free, workers)
                .filter(is_wrong)
                .count(),
            false => 0,
        };
        let later = match serving.delays.get(seen..) {
            None | Some([]) => 0,
            Some(_) => {
                let free = members.shared(&channel.free, workers);
                let later = free.filter(|place| !serving.is_seen_by(*place, seen));
                later.filter(|place| !is_wrong(place)).count()
            }
        };
        let cooling = task.cooling.iter().filter(|(name, _)| {
            let place = self.state.workers.get_index_of(name);
            place.is_some_and(|place| {
                channel.free.has(place)
                    && members.has(place, workers)
                    && serving.is_seen_by(place, seen)
                    && !is_wrong(&place)
            })
        });
        let cooling = cooling.count();
        // Those chosen may not be free any more when an explanation is asked for afterwards.
        let still_free = chosen
            .iter()
            .filter(|place| channel.free.has(**place) && members.has(**place, workers));
        let still_free = still_free.count();
        let free_for_it = free - later - cooling - wrong;
        let mut counts = BTreeMap::new();
        let mut count = |reason, how_many: usize| {
            if how_many > 0 {
                counts.insert(reason, how_many);
            }
        };
        count(
            NotChosen::IdleLessLong,
            free_for_it.saturating_sub(still_free),
        );
        count(NotChosen::SeesLater, later);
        count(NotChosen::OfferedBefore, cooling);
        for reason in OWN {
            let kept = channel.kept_by(reason);
            let own = chosen
                .iter()
                .filter(|place| kept.has(**place) && members.has(**place, workers));
            let own = own.count();
            count(reason, members.count_in(kept, workers) - own);
        }
        count(NotChosen::NotForStep, serve - may + wrong);
        count(NotChosen::NotInQueue, total - removed - serve);
        count(NotChosen::Removed, removed);
        let among = free_for_it + (chosen.len() - still_free);
        Some((among, counts))
    }

    /// The three who came nearest.
    fn nearest(&self, number: u64, chosen: &[usize]) -> Vec<Candidate> {
        let task = self.state.tasks.get(&number);
        let Some((task, place)) = task.zip(self.index.place(number)) else {
            return Vec::new();
        };
        let Some(pool) = self.index.pools.get(place.pool) else {
            return Vec::new();
        };
        let serving = &self.index.queues[place.queue].channels[place.channel];
        let channel = &self.index.channels[place.channel];
        let seen = task.step.as_ref().map_or(0, |step| step.seen);
        let mut free = Vec::new();
        for place in channel.in_order(Free::LongestIdle).take(LOOKED_AT) {
            if chosen.contains(&place) || !pool.members.has(place, &serving.workers) {
                continue;
            }
            let reason = if pool.looks_at_state && !self.stands_right(pool, place) {
                NotChosen::NotForStep
            } else if !serving.is_seen_by(place, seen) {
                NotChosen::SeesLater
            } else if !task.cooling.is_empty()
                && (self.state.workers.get_index(place))
                    .is_some_and(|(name, _)| task.is_cooling(name))
            {
                NotChosen::OfferedBefore
            } else {
                NotChosen::IdleLessLong
            };
            free.push((reason, place));
            if free.len() == NEAREST && free.iter().all(|one| one.0 == NotChosen::IdleLessLong) {
                break;
            }
        }
        // By reason; those of one reason stay in the order of their idleness.
        free.sort_by_key(|(reason, _)| *reason);
        free.truncate(NEAREST);
        for reason in OWN {
            if free.len() == NEAREST {
                break;
            }
            let kept = pool
                .members
                .shared(channel.kept_by(reason), &serving.workers);
            let kept = kept.filter(|place| !chosen.contains(place));
            let left = NEAREST - free.len();
            free.extend(kept.take(left).map(|place| (reason, place)));
        }
        let all = 0..self.state.workers.len().min(LOOKED_AT);
        let others = all
            .filter(|place| !pool.members.has(*place, &serving.workers) && !chosen.contains(place));
        let mut others: Vec<(NotChosen, usize)> = others
            .map(|place| {
                let reason = if self.state.workers[place].removed {
                    NotChosen::Removed
                } else if serving.workers.has(place) {
                    NotChosen::NotForStep
                } else {
                    NotChosen::NotInQueue
                };
                (reason, place)
            })
            .take(if free.len() < NEAREST { LOOKED_AT } else { 0 })
            .collect();
        others.sort_by_key(|(reason, _)| *reason);
        free.extend(others.into_iter().take(NEAREST - free.len()));
        let named = free.into_iter().filter_map(|(reason, place)| {
            let (name, worker) = self.state.workers.get_index(place)?;
            Some(Candidate {
                worker: name.clone(),
                reason,
                activity: worker.activity.clone(),
            })
        });
        named.collect()
    }
}
