//! What is derived from a worker: where he serves, whether he is free, why not.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Deadline, Index, PoolId};
use crate::base::Timestamp;
use crate::router::bits::Bits;
use crate::router::state::{Engaged, State, Worker};
use crate::router::{NotChosen, OtherChannels, Strategy};

/// One worker.
#[derive(Clone, Debug, Default)]
pub(in crate::router) struct WorkerIndex {
    /// What expressions see.
    pub(in crate::router) attributes: Map<String, Value>,
    /// What expressions see of how he stands; kept only while some expression looks at it.
    pub(in crate::router) seen: Map<String, Value>,
    /// Where he serves, the first served first.
    pub(in crate::router) serves: Vec<Serve>,
    /// Pools that have him among a few.
    pub(in crate::router) pools: Vec<PoolId>,
    /// By channel, why he is not free on it.
    standing: Vec<Standing>,
    wrap_until: Option<Timestamp>,
    paused_until: Option<Timestamp>,
}

/// A queue that a worker serves on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::router) struct Serve {
    /// 0 for his own queue, then that of his profile; 1 without one.
    pub(in crate::router) priority: u8,
    pub(in crate::router) queue: usize,
    pub(in crate::router) channel: usize,
}

/// Who is free on one channel, in the orders somebody is chosen by, and why others are not.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::router) struct ChannelIndex {
    orders: [Option<BTreeSet<(FreeKey, usize)>>; 3],
    pub(in crate::router) free: Bits,
    /// By reason; only those that are a worker's own.
    reasons: [Bits; NotChosen::ALL.len()],
}

/// The orders free workers are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::router) enum Free {
    LongestIdle = 0,
    RoundRobin = 1,
    LeastCalls = 2,
}

/// What the order asks for, how much he has in hand, since when he is idle; the least is chosen
/// first.
pub(in crate::router) type FreeKey = (u64, u64, i64);

/// How a worker stands on one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Unknown,
    Free([FreeKey; 3]),
    Not(NotChosen),
}

/// What a change of a worker means to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::router) struct WorkerShift {
    pub(in crate::router) became_free: bool,
    pub(in crate::router) left_duty: bool,
}

impl Index {
    /// Where a worker serves.
    pub(super) fn serves(&self, state: &State, place: usize, worker: &Worker) -> Vec<Serve> {
        let profile = state.profile_of(worker);
        let mut serves = Vec::new();
        for (queue, (spec, index)) in state.queues.values().zip(&self.queues).enumerate() {
            for (channel, serving) in index.channels.iter().enumerate() {
                if !serving.workers.has(place) {
                    continue;
                }
                let name = &state.channels[channel].name;
                let entries = profile.iter().flat_map(|profile| &profile.entries);
                let listed = entries
                    .filter(|entry| entry.queue == spec.spec.name && entry.channel == *name)
                    .map(|entry| entry.priority)
                    .min();
                let priority = if spec.spec.agent {
                    0
                } else {
                    listed.unwrap_or(1)
                };
                serves.push(Serve {
                    priority,
                    queue,
                    channel,
                });
            }
        }
        serves.sort_by_key(|serve| (serve.priority, serve.queue, serve.channel));
        serves
    }

    /// Follows a change of one worker.
    pub(in crate::router) fn refresh_worker(
        &mut self,
        state: &State,
        place: usize,
        worker: &Worker,
    ) -> WorkerShift {
        let mut shift = WorkerShift::default();
        let Some(slot) = self.workers.get_mut(place) else {
            return shift;
        };
        slot.standing.resize(self.channels.len(), Standing::Unknown);
        let channels = self.channels.iter_mut().zip(&mut slot.standing).enumerate();
        for (number, (channel, standing)) in channels {
            let now = Standing::of(state, worker, number);
            if *standing != now {
                channel.follow(place, *standing, now);
                shift.became_free |= matches!(now, Standing::Free(_));
                *standing = now;
            }
        }
        if self.looks_at_state {
            slot.seen = seen_of(state, worker);
        }
        let wrap_until = worker.wraps().filter_map(|wrap| wrap.until).min();
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
            super::task::set(&mut self.deadlines, kept, wanted, deadline);
        }
        shift.left_duty = self.on_duty.has(place) && !worker.is_on_duty();
        self.on_duty.set(place, worker.is_on_duty());
        self.wrapping.set(place, worker.wraps().next().is_some());
        shift
    }
}

impl WorkerIndex {
    pub(super) fn new(worker: &Worker) -> Self {
        Self {
            attributes: worker.spec.seen(),
            ..Self::default()
        }
    }
}

impl WorkerIndex {
    /// A deadline of his has passed.
    pub(super) fn expire(&mut self, deadline: Deadline) {
        match deadline {
            Deadline::Wrap { .. } => self.wrap_until = None,
            _ => self.paused_until = None,
        }
    }

    /// Why he is not free on a channel.
    pub(in crate::router) fn kept_by(&self, channel: usize) -> Option<NotChosen> {
        match self.standing.get(channel) {
            Some(Standing::Not(reason)) => Some(*reason),
            _ => None,
        }
    }

    /// Where a free worker stands in an order; the least is chosen first.
    pub(in crate::router) fn free_key(&self, channel: usize, order: Free) -> FreeKey {
        match self.standing.get(channel) {
            Some(Standing::Free(keys)) => keys[order as usize],
            _ => (u64::MAX, u64::MAX, i64::MAX),
        }
    }
}

impl PartialEq for WorkerIndex {
    /// Where his pools are kept does not matter.
    fn eq(&self, other: &Self) -> bool {
        (
            (&self.attributes, &self.seen),
            &self.serves,
            &self.standing,
            self.pools.len(),
        ) == (
            (&other.attributes, &other.seen),
            &other.serves,
            &other.standing,
            other.pools.len(),
        ) && (self.wrap_until, self.paused_until) == (other.wrap_until, other.paused_until)
    }
}

impl Standing {
    fn of(state: &State, worker: &Worker, channel: usize) -> Self {
        match why_not(state, worker, channel) {
            Some(reason) => Self::Not(reason),
            None => {
                let (in_hand, idle) = (worker.in_hand(), worker.idle_since.as_micros());
                let key = |asked| (asked, in_hand, idle);
                Self::Free([key(0), key(worker.offered), key(worker.accepted.into())])
            }
        }
    }
}

/// What expressions see of how a worker stands (requirements, section 2.3).
fn seen_of(state: &State, worker: &Worker) -> Map<String, Value> {
    let channels = state.channels.iter().map(|channel| {
        let capacity = state.capacity(worker, channel);
        let load = worker.load(&channel.name);
        let left = capacity.saturating_sub(load);
        let percentage = (left * 100).checked_div(capacity).unwrap_or(0);
        let seen = json!({
            "configured_capacity": capacity,
            "assigned_tasks": load,
            "available_capacity_percentage": percentage,
            "available": capacity > 0,
        });
        (channel.name.clone(), seen)
    });
    let channels: Map<String, Value> = channels.collect();
    let mut seen = Map::new();
    for key in ["activity_name", "activity_sid"] {
        seen.insert(key.to_owned(), Value::from(worker.activity.clone()));
    }
    seen.insert("channel".to_owned(), Value::Object(channels));
    seen
}

/// Why a worker cannot be offered a task of a channel; what keeps him furthest away is named.
fn why_not(state: &State, worker: &Worker, channel: usize) -> Option<NotChosen> {
    let channel = &state.channels[channel];
    if worker.removed {
        return Some(NotChosen::Removed);
    } else if !worker.reachable {
        return Some(NotChosen::Unreachable);
    } else if !worker.available {
        return Some(NotChosen::Unavailable);
    } else if worker.next_activity.is_some() {
        return Some(NotChosen::Leaving);
    } else if !worker.busy.is_empty() && channel.name == crate::router::VOICE {
        return Some(NotChosen::PhoneBusy);
    }
    if worker.load(&channel.name) >= state.capacity(worker, channel) {
        let on_it = worker
            .engagements
            .iter()
            .filter(|e| e.channel == channel.name);
        // The one that will keep him longest from this task; none: he does not take the channel.
        return Some(
            on_it
                .map(|e| busy_with(&e.what))
                .max()
                .unwrap_or(NotChosen::OtherChannel),
        );
    }
    let rules = state.profile_of(worker).map(|profile| &profile.channels);
    let is_barred = worker.engagements.iter().any(|one| {
        let rule = rules.and_then(|rules| rules.get(&one.channel));
        one.channel != channel.name && rule.is_some_and(|rule| rule.others == OtherChannels::Barred)
    });
    // After-call work by hand is on no channel and bars all.
    let is_wrapping = worker.engagements.iter().any(|one| one.channel.is_empty());
    if is_wrapping {
        Some(NotChosen::WrapUp)
    } else if is_barred {
        Some(NotChosen::OtherChannel)
    } else if worker.paused_until.is_some() {
        Some(NotChosen::Paused)
    } else {
        None
    }
}

fn busy_with(what: &Engaged) -> NotChosen {
    match what {
        Engaged::Assigned(_) => NotChosen::Talking,
        Engaged::Reserved(_) => NotChosen::Reserved,
        Engaged::Wrapping(_) => NotChosen::WrapUp,
    }
}

impl ChannelIndex {
    /// Keeps the orders that queues and steps ask for.
    pub(super) fn new(state: &State) -> Self {
        let is_used = |strategy: &Strategy| {
            let mut queues = state.queues.values();
            queues.any(|queue| queue.spec.strategy == *strategy)
        };
        let kept = |is_kept: bool| is_kept.then(BTreeSet::new);
        Self {
            orders: [
                kept(true),
                kept(is_used(&Strategy::RoundRobin)),
                kept(is_used(&Strategy::LeastCalls)),
            ],
            ..Self::default()
        }
    }

    pub(super) fn counts_calls(&self) -> bool {
        self.orders[Free::LeastCalls as usize].is_some()
    }

    /// Free workers, who is to be chosen first first.
    pub(in crate::router) fn in_order(&self, order: Free) -> impl Iterator<Item = usize> + '_ {
        let kept = self.orders[order as usize].as_ref();
        let kept = kept.or(self.orders[Free::LongestIdle as usize].as_ref());
        kept.into_iter().flatten().map(|(_, place)| *place)
    }

    /// Those who are not free for this reason.
    pub(in crate::router) fn kept_by(&self, reason: NotChosen) -> &Bits {
        &self.reasons[reason as usize]
    }

    fn follow(&mut self, place: usize, before: Standing, now: Standing) {
        match before {
            Standing::Unknown => {}
            Standing::Free(keys) => {
                for (order, key) in self.orders.iter_mut().zip(keys) {
                    if let Some(order) = order {
                        order.remove(&(key, place));
                    }
                }
                self.free.set(place, false);
            }
            Standing::Not(reason) => self.reasons[reason as usize].set(place, false),
        }
        match now {
            Standing::Unknown => {}
            Standing::Free(keys) => {
                for (order, key) in self.orders.iter_mut().zip(keys) {
                    if let Some(order) = order {
                        order.insert((key, place));
                    }
                }
                self.free.set(place, true);
            }
            Standing::Not(reason) => self.reasons[reason as usize].set(place, true),
        }
    }
}
