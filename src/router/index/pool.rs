//! Pools: tasks that look alike to workers share one. Who may take them is found out once, and a
//! change of one worker touches his pools alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::rules::StepRule;
use crate::router::bits::Bits;
use crate::router::state::OrderKey;

/// Place of a pool.
pub(in crate::router) type PoolId = usize;

/// As many members are kept as a list, and each of them knows the pool.
pub(super) const FEW: usize = 64;

/// What tasks of one pool have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::router) struct PoolKey {
    pub(in crate::router) queue: usize,
    pub(in crate::router) channel: usize,
    /// Content of the workflow and step in it; `None` for tasks put into the queue.
    pub(in crate::router) rule: Option<RuleKey>,
    /// The only worker wanted.
    pub(in crate::router) wanted: Wanted,
    /// What the expressions see of the task, as JSON.
    pub(in crate::router) bound: String,
}

/// Which step of which content.
pub(in crate::router) type RuleKey = (String, crate::router::At);

/// Whom a step wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::router) enum Wanted {
    Anybody,
    /// The task names nobody, or nobody who serves the queue.
    Nobody,
    Worker(usize),
}

/// One pool.
#[derive(Clone, Debug)]
pub(in crate::router) struct Pool {
    pub(in crate::router) key: PoolKey,
    pub(in crate::router) rule: Option<Arc<StepRule>>,
    /// Attributes of a task of it: what its expressions see is the same in all.
    pub(in crate::router) sample: Arc<Map<String, Value>>,
    pub(in crate::router) members: Members,
    /// Whether an expression looks at how a worker stands: it is asked at the moment of choosing.
    pub(in crate::router) looks_at_state: bool,
    /// Tasks that wait and are not offered.
    pub(in crate::router) pending: Pending,
    /// Tasks of it, waiting or not; at none it is gone.
    tasks: usize,
}

/// Pending tasks in their order, by how many delays are over for them: whoever sees tasks late
/// goes over those he sees alone.
#[derive(Clone, Debug, Default)]
pub(in crate::router) struct Pending(Vec<BTreeSet<OrderKey>>);

/// Who may take the tasks of a pool, free or not.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::router) enum Members {
    /// Everybody who serves the queue on the channel.
    All,
    /// These, ascending.
    Few(Vec<usize>),
    Many(Bits),
}

/// All pools.
#[derive(Clone, Debug, Default)]
pub(in crate::router) struct Pools {
    places: Vec<Option<Pool>>,
    unused: Vec<PoolId>,
    known: HashMap<PoolKey, PoolId>,
}

impl Pools {
    pub(in crate::router) fn get(&self, id: PoolId) -> Option<&Pool> {
        self.places.get(id)?.as_ref()
    }

    pub(in crate::router) fn get_mut(&mut self, id: PoolId) -> Option<&mut Pool> {
        self.places.get_mut(id)?.as_mut()
    }

    pub(in crate::router) fn find(&self, key: &PoolKey) -> Option<PoolId> {
        self.known.get(key).copied()
    }

    pub(in crate::router) fn iter(&self) -> impl Iterator<Item = (PoolId, &Pool)> + '_ {
        let places = self.places.iter().enumerate();
        places.filter_map(|(id, pool)| Some((id, pool.as_ref()?)))
    }

    pub(super) fn add(&mut self, pool: Pool) -> PoolId {
        let key = pool.key.clone();
        let id = self.unused.pop().unwrap_or(self.places.len());
        match self.places.get_mut(id) {
            Some(place) => *place = Some(pool),
            None => self.places.push(Some(pool)),
        }
        self.known.insert(key, id);
        id
    }

    pub(super) fn enter(&mut self, id: PoolId) {
        if let Some(pool) = self.get_mut(id) {
            pool.tasks += 1;
        }
    }

    /// One task leaves; gives the pool back when it was the last.
    pub(super) fn leave(&mut self, id: PoolId) -> Option<Pool> {
        let pool = self.get_mut(id)?;
        pool.tasks -= 1;
        if pool.tasks > 0 {
            return None;
        }
        let pool = self.places.get_mut(id)?.take()?;
        self.known.remove(&pool.key);
        self.unused.push(id);
        Some(pool)
    }
}

impl PartialEq for Pools {
    /// At which places they are does not matter.
    fn eq(&self, other: &Self) -> bool {
        let is_same = |(_, pool): (PoolId, &Pool)| {
            let twin = other.find(&pool.key).and_then(|id| other.get(id));
            twin.is_some_and(|twin| {
                let of = |pool: &Pool| (pool.members.clone(), pool.pending.clone(), pool.tasks);
                of(pool) == of(twin)
            })
        };
        self.known.len() == other.known.len() && self.iter().all(is_same)
    }
}

impl Pool {
    pub(super) fn new(
        key: PoolKey,
        rule: Option<Arc<StepRule>>,
        sample: Arc<Map<String, Value>>,
    ) -> Self {
        Self {
            key,
            rule,
            sample,
            members: Members::All,
            looks_at_state: false,
            pending: Pending::default(),
            tasks: 0,
        }
    }
}

impl Pending {
    pub(super) fn insert(&mut self, seen: usize, key: OrderKey) {
        if self.0.len() <= seen {
            self.0.resize_with(seen + 1, BTreeSet::new);
        }
        self.0[seen].insert(key);
    }

    pub(super) fn remove(&mut self, seen: usize, key: &OrderKey) {
        if let Some(keys) = self.0.get_mut(seen) {
            keys.remove(key);
        }
    }

    pub(in crate::router) fn is_empty(&self) -> bool {
        self.0.iter().all(BTreeSet::is_empty)
    }

    /// All, in no order.
    pub(in crate::router) fn iter(&self) -> impl Iterator<Item = OrderKey> + '_ {
        self.0.iter().flatten().copied()
    }

    /// The first of those for which at least so many delays are over and `may` holds.
    pub(in crate::router) fn first(
        &self,
        seen: usize,
        may: impl Fn(OrderKey) -> bool,
    ) -> Option<OrderKey> {
        let sets = self.0.iter().skip(seen);
        let firsts = sets.filter_map(|keys| keys.iter().copied().find(|key| may(*key)));
        firsts.min()
    }
}

impl PartialEq for Pending {
    /// Sets that were emptied do not matter.
    fn eq(&self, other: &Self) -> bool {
        let of = |one: &Self| {
            let sets = one.0.iter().enumerate();
            let keys = sets.flat_map(|(seen, keys)| keys.iter().map(move |key| (seen, *key)));
            keys.collect::<Vec<_>>()
        };
        of(self) == of(other)
    }
}

impl Members {
    /// The members found, in the form that suits their number.
    pub(super) fn of(places: Bits) -> Self {
        match places.count() {
            0..=FEW => Self::Few(places.iter().collect()),
            _ => Self::Many(places),
        }
    }

    /// Whether one is among them; `serving` are those who serve the queue.
    pub(in crate::router) fn has(&self, place: usize, serving: &Bits) -> bool {
        match self {
            Self::All => serving.has(place),
            Self::Few(places) => places.binary_search(&place).is_ok(),
            Self::Many(places) => places.has(place),
        }
    }

    pub(in crate::router) fn count(&self, serving: &Bits) -> usize {
        match self {
            Self::All => serving.count(),
            Self::Few(places) => places.len(),
            Self::Many(places) => places.count(),
        }
    }

    /// How many of them are in `others`.
    pub(in crate::router) fn count_in(&self, others: &Bits, serving: &Bits) -> usize {
        match self {
            Self::All => serving.count_shared(others),
            Self::Few(places) => places.iter().filter(|place| others.has(**place)).count(),
            Self::Many(places) => places.count_shared(others),
        }
    }

    /// Whether any of them is in `others`.
    pub(in crate::router) fn meets(&self, others: &Bits, serving: &Bits) -> bool {
        match self {
            Self::All => serving.meets(others),
            Self::Few(places) => places.iter().any(|place| others.has(*place)),
            Self::Many(places) => places.meets(others),
        }
    }

    /// Those of them who are in `others`, ascending.
    pub(in crate::router) fn shared<'a>(
        &'a self,
        others: &'a Bits,
        serving: &'a Bits,
    ) -> Box<dyn Iterator<Item = usize> + 'a> {
        match self {
            Self::All => Box::new(serving.shared(others)),
            Self::Few(places) => {
                Box::new(places.iter().copied().filter(|place| others.has(*place)))
            }
            Self::Many(places) => Box::new(places.shared(others)),
        }
    }

    pub(in crate::router) fn is_empty(&self, serving: &Bits) -> bool {
        match self {
            Self::All => serving.is_empty(),
            Self::Few(places) => places.is_empty(),
            Self::Many(places) => places.is_empty(),
        }
    }
}
