//! A table of deadlines with reasons: every machine's timers in one place.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;

use super::{OwnMap, Timestamp};

/// Deadlines by key; the key is the reason, so a log can say who asked to be woken.
///
/// One deadline a key: setting it again moves it. Due keys come out in deadline order, ties in key
/// order, so that a run repeats exactly.
///
/// Most deadlines are late ones that are stopped or moved before they come. They are pushed at the
/// end of a heap and left there; the map says which of them still hold.
#[derive(Clone, Debug)]
pub struct Timers<K: Ord> {
    by_key: OwnMap<K, Timestamp>,
    /// The first one always holds.
    by_time: BinaryHeap<Reverse<(Timestamp, K)>>,
}

/// Deadlines that hold no more are thrown out when they are more than those that do, and so many.
const SPENT: usize = 256;

impl<K: Ord> Default for Timers<K> {
    fn default() -> Self {
        Self {
            by_key: OwnMap::default(),
            by_time: BinaryHeap::new(),
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
        // Whoever looks after each event whether its deadline moved mostly finds that it stays.
        if self.by_key.insert(key.clone(), at) != Some(at) {
            self.by_time.push(Reverse((at, key)));
            self.sweep();
        }
    }

    /// Forgets `key`; says whether it was set.
    pub fn stop(&mut self, key: &K) -> bool {
        let was_set = self.by_key.remove(key).is_some();
        if was_set {
            self.sweep();
        }
        was_set
    }

    /// The deadline of `key`, when set.
    pub fn deadline(&self, key: &K) -> Option<Timestamp> {
        self.by_key.get(key).copied()
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Timestamp> {
        self.by_time.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out the earliest key whose deadline is `now` or before.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, K)> {
        if self.next()? > now {
            return None;
        }
        let Reverse((at, key)) = self.by_time.pop()?;
        self.by_key.remove(&key);
        self.sweep();
        Some((at, key))
    }

    /// Throws out what holds no more: from the top, and everywhere when it is too much.
    fn sweep(&mut self) {
        let by_key = &self.by_key;
        let holds = |Reverse((at, key)): &Reverse<(Timestamp, K)>| by_key.get(key) == Some(at);
        while self.by_time.peek().is_some_and(|first| !holds(first)) {
            self.by_time.pop();
        }
        if self.by_time.len() > 2 * by_key.len() + SPENT {
            self.by_time.retain(holds);
        }
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

    #[test]
    fn what_was_set_and_stopped_a_million_times_takes_no_room() {
        let mut timers = Timers::new();
        timers.set(0, Timestamp::ZERO);
        for round in 0..1_000_000u64 {
            timers.set(1, Timestamp::from_millis(1000 + round as i64));
            if round % 3 == 0 {
                timers.stop(&1);
            }
        }
        assert!(timers.by_time.len() <= 2 * timers.len() + SPENT);
    }

    proptest::proptest! {
        /// Nothing distinguishes it from a list that is searched each time.
        #[test]
        fn it_is_a_table_of_deadlines(
            steps in proptest::collection::vec((0u8..4, 0u8..6, 0i64..50), 0..400),
        ) {
            let at = Timestamp::from_millis;
            let (mut timers, mut plain) = (Timers::new(), std::collections::BTreeMap::new());
            for (what, key, ms) in steps {
                match what {
                    0 | 1 => {
                        timers.set(key, at(ms));
                        plain.insert(key, at(ms));
                    }
                    2 => assert_eq!(timers.stop(&key), plain.remove(&key).is_some()),
                    _ => {
                        let first = plain.iter().map(|(key, at)| (*at, *key)).min();
                        let due = first.filter(|(due, _)| *due <= at(ms));
                        if let Some((_, key)) = due {
                            plain.remove(&key);
                        }
                        assert_eq!(timers.pop_due(at(ms)), due);
                    }
                }
                assert_eq!(timers.next(), plain.values().min().copied());
                assert_eq!(timers.deadline(&key), plain.get(&key).copied());
                assert_eq!(timers.len(), plain.len());
            }
        }
    }
}
