//! A table of deadlines with reasons: every machine's timers in one place.

use std::collections::BTreeSet;
use std::hash::Hash;

use super::{OwnMap, Timestamp};

/// Deadlines by key; the key is the reason, so a log can say who asked to be woken.
///
/// One deadline a key: setting it again moves it. Due keys come out in deadline order, ties in key
/// order, so that a run repeats exactly.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    by_key: OwnMap<K, Timestamp>,
    by_time: BTreeSet<(Timestamp, K)>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self {
            by_key: OwnMap::default(),
            by_time: BTreeSet::new(),
        }
    }
}

impl<K: Clone + Eq + Hash + Ord> Timers<K> {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets or moves the deadline of `key`.
    pub fn set(&mut self, key: K, at: Timestamp) {
        if let Some(old) = self.by_key.insert(key.clone(), at) {
            // Whoever looks after each event whether its deadline moved mostly finds that it stays.
            if old == at {
                return;
            }
            self.by_time.remove(&(old, key.clone()));
        }
        self.by_time.insert((at, key));
    }

    /// Forgets `key`; says whether it was set.
    pub fn stop(&mut self, key: &K) -> bool {
        match self.by_key.remove(key) {
            Some(at) => self.by_time.remove(&(at, key.clone())),
            None => false,
        }
    }

    /// The deadline of `key`, when set.
    pub fn deadline(&self, key: &K) -> Option<Timestamp> {
        self.by_key.get(key).copied()
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes out the earliest key whose deadline is `now` or before.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, K)> {
        if self.next()? > now {
            return None;
        }
        let (at, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some((at, key))
    }

    /// How many deadlines are set.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether no deadline is set.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_keys_come_in_deadline_order_once() {
        let at = Timestamp::from_millis;
        let mut timers = Timers::new();
        timers.set("b", at(20));
        timers.set("a", at(10));
        timers.set("b", at(5));
        assert_eq!(timers.next(), Some(at(5)));
        assert_eq!(timers.pop_due(at(10)), Some((at(5), "b")));
        assert_eq!(timers.pop_due(at(10)), Some((at(10), "a")));
        assert_eq!(timers.pop_due(at(100)), None);
        assert!(timers.is_empty());
    }

    #[test]
    fn a_stopped_timer_never_fires() {
        let mut timers = Timers::new();
        timers.set(1, Timestamp::ZERO);
        assert!(timers.stop(&1));
        assert!(!timers.stop(&1));
        assert_eq!(timers.pop_due(Timestamp::from_millis(1)), None);
    }
}
