//! What can be computed from the state and is kept because decisions must be quick: who serves
//! which queue, who is free, who is next, which deadline comes first.

mod pool;
mod queue;
mod rules;
mod task;
mod worker;

use std::collections::{BTreeSet, HashMap};

use super::bits::Bits;
use super::state::State;
use crate::base::{ReservationId, TaskId, Timestamp};
use crate::expr::AttributeIndex;

pub(super) use pool::{Pool, PoolId, Pools};
pub(super) use queue::{QueueIndex, Serving};
pub(super) use rules::{Rules, StepRule};
pub(super) use task::TaskIndex;
pub(super) use worker::{ChannelIndex, Free, WorkerIndex};

/// Everything derived from a [`State`]; `Index::build` of the same state is equal to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Index {
    /// By place in `State::queues`.
    pub(super) queues: Vec<QueueIndex>,
    /// By place in `State::workers`.
    pub(super) workers: Vec<WorkerIndex>,
    /// By place in `State::channels`.
    pub(super) channels: Vec<ChannelIndex>,
    pub(super) on_duty: Bits,
    /// Who is in after-call work.
    pub(super) wrapping: Bits,
    /// Whether an expression looks at how workers stand: then any change of one may count.
    pub(super) looks_at_state: bool,
    pub(super) attributes: AttributeIndex,
    /// By key of `State::contents`.
    pub(super) rules: HashMap<String, Rules>,
    pub(super) pools: Pools,
    /// By number.
    pub(super) standing: HashMap<u64, TaskIndex>,
    pub(super) tasks: HashMap<TaskId, u64>,
    pub(super) reservations: HashMap<ReservationId, u64>,
    pub(super) deadlines: BTreeSet<(Timestamp, Deadline)>,
    day_ends: Option<Timestamp>,
}

/// What a deadline is for; equal ones fire in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deadline {
    NewDay,
    Pause { worker: usize },
    Wrap { worker: usize },
    Cooling { task: u64, worker: usize },
    Ring { task: u64 },
    Visible { task: u64 },
    Step { task: u64 },
    Life { task: u64 },
}

impl Index {
    /// Computes everything anew.
    pub(super) fn build(state: &State) -> Self {
        let mut index = Index {
            workers: state.workers.values().map(WorkerIndex::new).collect(),
            ..Index::default()
        };
        let attributes = index.workers.iter().map(|worker| &worker.attributes);
        index.attributes = AttributeIndex::build(attributes);
        for (key, content) in &state.contents {
            index.rules.insert(key.clone(), Rules::new(content));
        }
        for queue in state.queues.values() {
            let queue = QueueIndex::new(queue, state, &index.workers);
            index.queues.push(queue);
        }
        index.looks_at_state = index
            .queues
            .iter()
            .any(|queue| queue.target.looks_at_state())
            || index.rules.values().any(Rules::looks_at_state);
        for (place, worker) in state.workers.values().enumerate() {
            index.workers[place].serves = index.serves(state, place, worker);
        }
        index.channels = state
            .channels
            .iter()
            .map(|_| ChannelIndex::new(state))
            .collect();
        for (place, worker) in state.workers.values().enumerate() {
            index.refresh_worker(state, place, worker);
        }
        for (number, task) in &state.tasks {
            index.tasks.insert(task.id.clone(), *number);
            for (_, reservation) in task.holders() {
                index.reservations.insert(reservation.clone(), *number);
            }
            for (name, until) in &task.cooling {
                if let Some(worker) = state.workers.get_index_of(name) {
                    let task = *number;
                    let deadline = Deadline::Cooling { task, worker };
                    index.deadlines.insert((*until, deadline));
                }
            }
            index.refresh_task(state, *number);
        }
        index.refresh_day(state);
        index
    }

    /// A deadline has passed.
    pub(super) fn expire(&mut self, at: Timestamp, deadline: Deadline) {
        self.deadlines.remove(&(at, deadline));
        match deadline {
            Deadline::Cooling { .. } => {}
            Deadline::NewDay => self.day_ends = None,
            Deadline::Pause { worker } | Deadline::Wrap { worker } => {
                if let Some(slot) = self.workers.get_mut(worker) {
                    slot.expire(deadline);
                }
            }
            Deadline::Life { task }
            | Deadline::Ring { task }
            | Deadline::Step { task }
            | Deadline::Visible { task } => {
                if let Some(slot) = self.standing.get_mut(&task) {
                    slot.expire(task, deadline);
                }
            }
        }
    }

    /// Follows a change of the day's end: accepted tasks are counted anew then, if anybody wants
    /// to know them.
    pub(super) fn refresh_day(&mut self, state: &State) {
        let is_wanted = self.channels.iter().any(ChannelIndex::counts_calls);
        let ends = is_wanted.then_some(state.day_ends);
        task::set(
            &mut self.deadlines,
            &mut self.day_ends,
            ends,
            Deadline::NewDay,
        );
    }
}
