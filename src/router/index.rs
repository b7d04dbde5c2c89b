//! What can be computed from the state and is kept because decisions must be quick: who serves
//! which queue, who is free, who is next, which deadline comes first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::QueueSpec;
use super::state::{Engagement, OrderKey, State, Status, Task, Worker};
use crate::base::{ReservationId, TaskId, Timestamp};
use crate::expr::{Expression, Scope};

/// Everything derived from a [`State`]; `Index::build` of the same state is equal to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Index {
    /// By place in `State::queues`.
    pub(super) queues: Vec<QueueIndex>,
    /// By place in `State::workers`.
    pub(super) workers: Vec<WorkerIndex>,
    pub(super) on_duty: Bits,
    /// Who may take a task of a queue whose target looks at the task.
    pub(super) eligible: HashMap<u64, Bits>,
    pub(super) tasks: HashMap<TaskId, u64>,
    pub(super) reservations: HashMap<ReservationId, u64>,
    pub(super) deadlines: BTreeSet<(Timestamp, Deadline)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct QueueIndex {
    pub(super) target: Expression,
    /// Who serves it; all, when that depends on the task.
    pub(super) members: Bits,
    /// Free members, longest idle first, ties in plan order.
    pub(super) free: BTreeSet<(Timestamp, usize)>,
    /// Tasks that wait, offered ones included.
    pub(super) line: BTreeMap<OrderKey, u64>,
    /// Tasks that wait and are not offered.
    pub(super) pending: BTreeMap<OrderKey, u64>,
    pub(super) assigned: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct WorkerIndex {
    /// What expressions see.
    pub(super) attributes: Map<String, Value>,
    /// Queues he may serve.
    pub(super) queues: Vec<usize>,
    free_since: Option<Timestamp>,
    wrap_until: Option<Timestamp>,
    paused_until: Option<Timestamp>,
}

/// What a deadline is for; equal ones fire in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deadline {
    Pause { worker: usize },
    Wrap { worker: usize },
    Cooling { task: u64, worker: usize },
    Ring { task: u64 },
}

/// What a change of a worker means to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WorkerShift {
    pub(super) became_free: bool,
    pub(super) left_duty: bool,
}

impl Index {
    /// Computes everything anew.
    pub(super) fn build(state: &State) -> Self {
        let mut index = Index::default();
        for worker in state.workers.values() {
            index.workers.push(WorkerIndex::new(worker));
        }
        for queue in state.queues.values() {
            let queue = QueueIndex::new(&queue.spec, state, &index.workers);
            for (place, worker) in index.workers.iter_mut().enumerate() {
                if queue.members.has(place) {
                    worker.queues.push(index.queues.len());
                }
            }
            index.queues.push(queue);
        }
        for (place, worker) in state.workers.values().enumerate() {
            index.refresh_worker(place, worker);
        }
        for (number, task) in &state.tasks {
            index.tasks.insert(task.id.clone(), *number);
            let Some(queue) = state.queues.get_index_of(&task.queue) else {
                continue;
            };
            let key = task.order_key(*number, state.queues[queue].spec.order);
            if index.queues[queue].target.uses_task() {
                let eligible = index.eligible_for(queue, task);
                index.eligible.insert(*number, eligible);
            }
            if let Some((_, reservation)) = task.holder() {
                index.reservations.insert(reservation.clone(), *number);
            }
            for (name, until) in &task.cooling {
                if let Some(worker) = state.workers.get_index_of(name) {
                    let deadline = Deadline::Cooling {
                        task: *number,
                        worker,
                    };
                    index.deadlines.insert((*until, deadline));
                }
            }
            match task.status {
                Status::Assigned { .. } => index.queues[queue].assigned += 1,
                Status::Pending => {
                    index.queues[queue].line.insert(key, *number);
                    index.queues[queue].pending.insert(key, *number);
                }
                Status::Reserved { expires_at, .. } => {
                    index.queues[queue].line.insert(key, *number);
                    let deadline = Deadline::Ring { task: *number };
                    index.deadlines.insert((expires_at, deadline));
                }
            }
        }
        index
    }

    /// Follows a change of one worker.
    pub(super) fn refresh_worker(&mut self, place: usize, worker: &Worker) -> WorkerShift {
        let mut shift = WorkerShift::default();
        let Some(slot) = self.workers.get_mut(place) else {
            return shift;
        };
        let free_since = worker.is_free().then_some(worker.idle_since);
        if slot.free_since != free_since {
            for queue in &slot.queues {
                let free = &mut self.queues[*queue].free;
                if let Some(old) = slot.free_since {
                    free.remove(&(old, place));
                }
                if let Some(new) = free_since {
                    free.insert((new, place));
                }
            }
            shift.became_free = free_since.is_some();
            slot.free_since = free_since;
        }
        let wrap_until = match worker.engagement {
            Engagement::WrapUp { until, .. } => Some(until),
            _ => None,
        };
        for (kept, wanted, deadline) in [
            (
                &mut slot.wrap_until,
                wrap_until,
                Deadline::Wrap { worker: place },
            ),
            (
                &mut slot.paused_until,
                worker.paused_until,
                Deadline::Pause { worker: place },
            ),
        ] {
            if *kept != wanted {
                if let Some(old) = *kept {
                    self.deadlines.remove(&(old, deadline));
                }
                if let Some(new) = wanted {
                    self.deadlines.insert((new, deadline));
                }
                *kept = wanted;
            }
        }
        shift.left_duty = self.on_duty.has(place) && !worker.is_on_duty();
        self.on_duty.set(place, worker.is_on_duty());
        shift
    }

    /// Who may take a task whose queue's target looks at it.
    pub(super) fn eligible_for(&self, queue: usize, task: &Task) -> Bits {
        let queue = &self.queues[queue];
        let mut eligible = Bits::default();
        for (place, worker) in self.workers.iter().enumerate() {
            let scope = Scope::new(&worker.attributes, &task.attributes);
            if queue.members.has(place) && queue.target.eval(&scope) {
                eligible.set(place, true);
            }
        }
        eligible
    }

    /// Who may take a task, whether free or not.
    pub(super) fn takers(&self, queue: usize, number: u64) -> &Bits {
        let queue = &self.queues[queue];
        match self.eligible.get(&number) {
            Some(eligible) if queue.target.uses_task() => eligible,
            _ => &queue.members,
        }
    }
}

impl QueueIndex {
    fn new(spec: &QueueSpec, state: &State, workers: &[WorkerIndex]) -> Self {
        // A plan is activated only when every target parses; should a journal say otherwise,
        // nobody serves the queue.
        let target = Expression::parse(&spec.target).or_else(|_| Expression::parse(""));
        let target = target.expect("an empty expression is valid");
        let mut members = Bits::default();
        let no_task = Map::new();
        for (place, (worker, known)) in workers.iter().zip(state.workers.values()).enumerate() {
            let scope = Scope::new(&worker.attributes, &no_task);
            if !known.removed && (target.uses_task() || target.eval(&scope)) {
                members.set(place, true);
            }
        }
        Self {
            target,
            members,
            free: BTreeSet::new(),
            line: BTreeMap::new(),
            pending: BTreeMap::new(),
            assigned: 0,
        }
    }
}

impl WorkerIndex {
    fn new(worker: &Worker) -> Self {
        let mut attributes = worker.spec.attributes.clone();
        for (key, value) in [("name", &worker.spec.name), ("phone", &worker.spec.phone)] {
            if !attributes.contains_key(key) {
                attributes.insert(key.to_owned(), Value::String(value.clone()));
            }
        }
        Self {
            attributes,
            ..Self::default()
        }
    }
}

/// A set of places, 64 to the word. Trailing zero words do not matter to equality because none
/// are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn has(&self, place: usize) -> bool {
        let word = self.0.get(place / 64).copied().unwrap_or(0);
        word >> (place % 64) & 1 == 1
    }

    pub(super) fn set(&mut self, place: usize, is_in: bool) {
        let word = place / 64;
        if is_in {
            if self.0.len() <= word {
                self.0.resize(word + 1, 0);
            }
            self.0[word] |= 1 << (place % 64);
        } else if let Some(bits) = self.0.get_mut(word) {
            *bits &= !(1 << (place % 64));
            while self.0.last() == Some(&0) {
                self.0.pop();
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// How many places are in both.
    pub(super) fn count_shared(&self, other: &Bits) -> usize {
        let both = self.0.iter().zip(&other.0);
        both.map(|(a, b)| (a & b).count_ones() as usize).sum()
    }

    pub(super) fn meets(&self, other: &Bits) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }
}
