//! What is derived from a queue and its profiles: who serves it, on which channel, from when on.

use std::time::Duration;

use serde_json::Map;

use super::WorkerIndex;
use super::pool::PoolId;
use super::rules::parsed;
use crate::expr::{Expression, Options, OrderBy, Scope};
use crate::router::Strategy;
use crate::router::bits::Bits;
use crate::router::line::Line;
use crate::router::state::{OrderKey, Queue, State};

/// One queue.
#[derive(Clone, Debug)]
pub(in crate::router) struct QueueIndex {
    pub(in crate::router) target: Expression,
    pub(in crate::router) order_by: Option<OrderBy>,
    /// By channel.
    pub(in crate::router) channels: Vec<Serving>,
    /// Tasks that wait, offered ones included.
    pub(in crate::router) line: Line<OrderKey>,
    pub(in crate::router) offered: usize,
    pub(in crate::router) assigned: usize,
    /// Pools whose members do not know them: they are many.
    pub(in crate::router) pools: Vec<PoolId>,
}

/// Who serves a queue on one channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::router) struct Serving {
    /// All who may and take anything of the channel; where the target looks at the task, all who
    /// may at all.
    pub(in crate::router) workers: Bits,
    /// Those of them who see a task only after a while, the shortest first.
    pub(in crate::router) delays: Vec<(Duration, Bits)>,
}

impl QueueIndex {
    pub(super) fn new(queue: &Queue, state: &State, workers: &[WorkerIndex]) -> Self {
        let spec = &queue.spec;
        let target = parsed(&spec.target, Options::default());
        let no_task = Map::new();
        let mut channels = vec![Serving::default(); state.channels.len()];
        for (place, (index, worker)) in workers.iter().zip(state.workers.values()).enumerate() {
            let is_target = || {
                target.uses_task()
                    || target.looks_at_state()
                    || target.eval(&Scope::new(&index.attributes, &no_task))
            };
            if worker.removed {
                continue;
            }
            // Whoever takes nothing of a channel serves nobody on it.
            let takes = |channel: usize| state.capacity(worker, &state.channels[channel]) > 0;
            // An agent's own queue is his whatever his profile says. A queue that drains is in no
            // profile any more; whom its target matches drains it.
            let is_for_all = spec.agent || queue.draining;
            let profile = state.profile_of(worker).filter(|_| !is_for_all);
            let Some(profile) = profile else {
                if is_target() {
                    for channel in (0..channels.len()).filter(|channel| takes(*channel)) {
                        channels[channel].add(place, Duration::ZERO);
                    }
                }
                continue;
            };
            let listed = profile
                .entries
                .iter()
                .filter(|entry| entry.queue == spec.name);
            let mut listed = listed.peekable();
            if listed.peek().is_some() && is_target() {
                for entry in listed {
                    let channel = state.channel(&entry.channel);
                    if let Some(channel) = channel.filter(|channel| takes(*channel)) {
                        channels[channel].add(place, entry.delay);
                    }
                }
            }
        }
        let order_by = match &spec.strategy {
            Strategy::OrderBy(text) => OrderBy::parse(text).ok(),
            _ => None,
        };
        Self {
            target,
            order_by,
            channels,
            line: Line::default(),
            offered: 0,
            assigned: 0,
            pools: Vec::new(),
        }
    }
}

impl PartialEq for QueueIndex {
    /// Where the pools are kept does not matter.
    fn eq(&self, other: &Self) -> bool {
        (&self.target, &self.channels, &self.line) == (&other.target, &other.channels, &other.line)
            && (self.offered, self.assigned, self.pools.len())
                == (other.offered, other.assigned, other.pools.len())
    }
}

impl Serving {
    fn add(&mut self, place: usize, delay: Duration) {
        self.workers.set(place, true);
        if delay.is_zero() {
            return;
        }
        let at = self.delays.partition_point(|(known, _)| *known < delay);
        if self.delays.get(at).is_none_or(|(known, _)| *known != delay) {
            self.delays.insert(at, (delay, Bits::default()));
        }
        self.delays[at].1.set(place, true);
    }

    /// Whether a worker sees a task for which `seen` delays are over.
    pub(in crate::router) fn is_seen_by(&self, place: usize, seen: usize) -> bool {
        let hidden = self.delays.get(seen..).unwrap_or_default();
        !hidden.iter().any(|(_, workers)| workers.has(place))
    }

    /// How many delays must be over for a worker to see a task.
    pub(in crate::router) fn sees_after(&self, place: usize) -> usize {
        let own = self
            .delays
            .iter()
            .rposition(|(_, workers)| workers.has(place));
        own.map_or(0, |at| at + 1)
    }

    /// How many delays are over after a wait.
    pub(in crate::router) fn seen_after(&self, wait: Duration) -> usize {
        self.delays.partition_point(|(delay, _)| *delay <= wait)
    }
}
