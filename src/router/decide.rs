//! What the router chooses: which task goes to whom, and when nobody can take one.
//!
//! After every command and deadline: no task waits that a free worker could take. A task goes to
//! the longest idle of its free workers; a worker who becomes free gets the first of all tasks he
//! may take, across his queues.

use super::explanation::{Candidate, Chosen, NotChosen};
use super::fact::Decision;
use super::machine::{Router, reservation_id};
use super::state::{Engagement, OrderKey, Worker};
use super::{Explanation, NobodyWhy, Output};

/// Most offers of one task, as in TaskRouter: something is wrong with a task nobody ever takes.
const MAX_OFFERS: u32 = 1000;

/// How many of those not chosen an explanation names.
const NEAREST: usize = 3;

impl Router {
    /// Decides until nothing is left to decide, then says what has changed.
    pub(super) fn settle(&mut self) {
        loop {
            if std::mem::take(&mut self.dirty.everything) {
                self.dirty.tasks.clear();
                self.dirty.free.clear();
                self.dirty.deserted = (0..self.state.queues.len()).collect();
                self.match_everything();
            } else if let Some(number) = self.dirty.tasks.pop_first() {
                self.match_task(number);
            } else if let Some(place) = self.dirty.free.pop_first() {
                self.match_worker(place);
            } else if let Some(queue) = self.dirty.deserted.pop_first() {
                self.tell_deserted(queue);
            } else {
                break;
            }
        }
        self.tell_positions();
        self.tell_workers();
    }

    fn match_everything(&mut self) {
        let mut tasks: Vec<(OrderKey, u64)> = Vec::new();
        for queue in &self.index.queues {
            if !queue.free.is_empty() {
                tasks.extend(queue.pending.iter().map(|(key, number)| (*key, *number)));
            }
        }
        tasks.sort_unstable();
        for (_, number) in tasks {
            self.offer_to_best(number);
        }
    }

    fn match_task(&mut self, number: u64) {
        let Some(task) = self.state.tasks.get(&number) else {
            return;
        };
        if task.holder().is_some() || self.offer_to_best(number) {
            return;
        }
        let Some(queue) = self.queue_of(number) else {
            return;
        };
        if let Some(why) = self.why_nobody(queue, number)
            && let Some(explanation) = self.explanation(number, None)
        {
            self.tell_nobody(number, why, explanation);
        }
    }

    /// Offers a pending task to the longest idle worker who may take it; false when there is none.
    fn offer_to_best(&mut self, number: u64) -> bool {
        let Some((queue, task)) = self.queue_of(number).zip(self.state.tasks.get(&number)) else {
            return false;
        };
        if task.offers >= MAX_OFFERS {
            let task = task.id.clone();
            self.decide(Decision::TaskDropped { task });
            return true;
        }
        let takers = self.index.takers(queue, number);
        let mut free = self.index.queues[queue]
            .free
            .iter()
            .map(|(_, place)| *place);
        let best = free.find(|place| takers.has(*place) && !self.is_cooling(number, *place));
        if let Some(place) = best {
            self.offer(number, place);
        }
        best.is_some()
    }

    fn match_worker(&mut self, place: usize) {
        if !self
            .state
            .workers
            .get_index(place)
            .is_some_and(|(_, w)| w.is_free())
        {
            return;
        }
        let mut best: Option<(OrderKey, u64)> = None;
        for queue in &self.index.workers[place].queues {
            let pending = &self.index.queues[*queue].pending;
            let first = pending.iter().find(|(_, number)| {
                self.index.takers(*queue, **number).has(place) && !self.is_cooling(**number, place)
            });
            let first = first.map(|(key, number)| (*key, *number));
            best = [best, first].into_iter().flatten().min();
        }
        if let Some((_, number)) = best {
            self.offer(number, place);
        }
    }

    fn offer(&mut self, number: u64, place: usize) {
        let Some(queue) = self.queue_of(number) else {
            return;
        };
        let Some(mut explanation) = self.explanation(number, Some(place)) else {
            return;
        };
        explanation.sequence = self.state.sequence + 1;
        let Some((worker, _)) = self.state.workers.get_index(place) else {
            return;
        };
        let Some(task) = self.state.tasks.get(&number) else {
            return;
        };
        let ring_timeout = self.state.queues[queue].spec.ring_timeout;
        let decision = Decision::Offered {
            reservation: reservation_id(&task.id, task.offers + 1),
            task: task.id.clone(),
            worker: worker.clone(),
            expires_at: self.state.clock + ring_timeout,
            explanation: Box::new(explanation),
        };
        self.decide(decision);
    }

    fn is_cooling(&self, number: u64, place: usize) -> bool {
        let worker = self.state.workers.get_index(place);
        let task = self.state.tasks.get(&number);
        task.zip(worker)
            .is_some_and(|(task, (name, _))| task.is_cooling(name))
    }

    /// Why nobody can take a task, when that is so and its queue wants it said.
    fn why_nobody(&self, queue: usize, number: u64) -> Option<NobodyWhy> {
        let task = self.state.tasks.get(&number)?;
        let takers = self.index.takers(queue, number);
        let why = if takers.is_empty() {
            NobodyWhy::NoMatch
        } else if !takers.meets(&self.index.on_duty) {
            NobodyWhy::NoneOnDuty
        } else {
            return None;
        };
        let policy = self.state.queues[queue].spec.when_nobody;
        (!task.nobody_told && why.matters_to(policy)).then_some(why)
    }

    /// Tells all pending tasks of a queue that nobody can take any more. One look at the workers
    /// does for all of them, unless the target looks at the task.
    fn tell_deserted(&mut self, queue: usize) {
        let Some(lane) = self.index.queues.get(queue) else {
            return;
        };
        let uses_task = lane.target.uses_task();
        let places = lane.line.values().enumerate();
        let lost: Vec<(usize, u64, NobodyWhy)> = places
            .filter(|(_, number)| {
                let task = self.state.tasks.get(number);
                task.is_some_and(|task| task.holder().is_none())
            })
            .filter_map(|(place, number)| {
                Some((place + 1, *number, self.why_nobody(queue, *number)?))
            })
            .collect();
        let mut shared: Option<Explanation> = None;
        for (position, number, why) in lost {
            let explanation = match shared.take() {
                Some(explanation) if !uses_task => explanation,
                _ => match self.explanation(number, None) {
                    Some(explanation) => explanation,
                    None => continue,
                },
            };
            shared = Some(explanation.clone());
            let explanation = Explanation {
                position,
                ..explanation
            };
            self.tell_nobody(number, why, explanation);
        }
    }

    fn tell_nobody(&mut self, number: u64, why: NobodyWhy, explanation: Explanation) {
        let Some(task) = self.state.tasks.get(&number) else {
            return;
        };
        let task = task.id.clone();
        let explanation = Box::new(Explanation {
            sequence: self.state.sequence + 1,
            task: task.clone(),
            ..explanation
        });
        self.decide(Decision::NobodyCanTake {
            task,
            why,
            explanation,
        });
    }

    /// Why `chosen`, or nobody, gets a task.
    pub(super) fn explanation(&self, number: u64, chosen: Option<usize>) -> Option<Explanation> {
        let task = self.state.tasks.get(&number)?;
        let queue = self.queue_of(number)?;
        let spec = &self.state.queues[queue].spec;
        let key = task.order_key(number, spec.order);
        let mut counts = [0usize; NotChosen::ALL.len()];
        let mut nearest: Vec<(NotChosen, i64, usize)> = Vec::with_capacity(NEAREST + 1);
        for (place, (name, worker)) in self.state.workers.iter().enumerate() {
            if chosen == Some(place) {
                continue;
            }
            let is_taker = self.index.takers(queue, number).has(place);
            let is_cooling = !task.cooling.is_empty() && task.is_cooling(name);
            let reason = why_not(worker, is_taker, is_cooling);
            counts[reason as usize] += 1;
            let rank = (reason, worker.idle_since.as_micros(), place);
            if nearest.len() < NEAREST || nearest.last().is_some_and(|last| rank < *last) {
                let at = nearest.partition_point(|other| *other < rank);
                nearest.insert(at, rank);
                nearest.truncate(NEAREST);
            }
        }
        let at = self.state.clock;
        let chosen = chosen.and_then(|place| self.state.workers.get_index(place));
        Some(Explanation {
            plan: self.state.plan.clone(),
            generation: self.state.generation,
            sequence: self.state.sequence,
            at,
            task: task.id.clone(),
            queue: task.queue.clone(),
            target: spec.target.clone(),
            position: self.index.queues[queue].line.range(..key).count() + 1,
            chosen: chosen.map(|(name, worker)| Chosen {
                worker: name.clone(),
                idle_ms: u64::try_from(at.since(worker.idle_since).as_millis()).unwrap_or(0),
                among: counts[NotChosen::IdleLessLong as usize] + 1,
            }),
            considered: self.state.workers.len(),
            not_chosen: NotChosen::ALL
                .into_iter()
                .filter(|reason| counts[*reason as usize] > 0)
                .map(|reason| (reason, counts[reason as usize]))
                .collect(),
            nearest: nearest
                .into_iter()
                .filter_map(|(reason, _, place)| {
                    let (name, worker) = self.state.workers.get_index(place)?;
                    Some(Candidate {
                        worker: name.clone(),
                        reason,
                        activity: worker.activity.clone(),
                    })
                })
                .collect(),
        })
    }

    /// Tells everyone in a changed line whose place has changed.
    fn tell_positions(&mut self) {
        while let Some(queue) = self.dirty.lines.pop_first() {
            let Some(lane) = self.index.queues.get(queue) else {
                continue;
            };
            let waiting = lane.line.len();
            let numbers: Vec<u64> = lane.line.values().copied().collect();
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

/// Why a worker is not the one; what keeps him furthest away is named.
pub(super) fn why_not(worker: &Worker, is_taker: bool, is_cooling: bool) -> NotChosen {
    if worker.removed {
        NotChosen::Removed
    } else if !is_taker {
        NotChosen::NotInQueue
    } else if !worker.reachable {
        NotChosen::Unreachable
    } else if !worker.available {
        NotChosen::Unavailable
    } else {
        match worker.engagement {
            Engagement::Assigned(_) => NotChosen::Talking,
            Engagement::Reserved(_) => NotChosen::Reserved,
            Engagement::WrapUp { .. } => NotChosen::WrapUp,
            Engagement::None if worker.paused_until.is_some() => NotChosen::Paused,
            Engagement::None if is_cooling => NotChosen::OfferedBefore,
            Engagement::None => NotChosen::IdleLessLong,
        }
    }
}
