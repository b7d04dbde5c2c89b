//! Token buckets for more sources than anybody could count, in a table that never grows.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Entropy, Timestamp};

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Times in [`Rate::per`] in the long run, at least 1.
    pub times: u32,
    /// The length of time `times` are spread over.
    pub per: Duration,
    /// Times at once, at least 1.
    pub burst: u32,
}

impl Rate {
    /// So many a second.
    pub const fn a_second(times: u32, burst: u32) -> Self {
        Self {
            times,
            per: Duration::from_secs(1),
            burst,
        }
    }

    /// Time one of them stands for.
    fn interval(&self) -> Duration {
        self.per / self.times.max(1)
    }
}

/// Buckets by key. A bucket is one moment: when it will be full again (GCRA, ITU-T I.371).
///
/// Eight keys share a set; which ones, a secret decides. A newcomer takes the place of the one in
/// its set that owes least: a flood of new keys pushes out those with almost full buckets, which
/// lose nothing, and never the heavy ones; and nobody is ever refused for want of a place.
#[derive(Debug)]
pub(super) struct Buckets {
    sets: Box<[[Bucket; WAYS]]>,
    key: [u64; 2],
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    mark: u64,
    full_at: Timestamp,
}

const EMPTY: Bucket = Bucket {
    mark: 0,
    full_at: Timestamp::from_micros(i64::MIN),
};

impl Buckets {
    /// For about `keys` at a time.
    pub(super) fn new(keys: usize, entropy: &mut Entropy) -> Self {
        let sets = (keys / WAYS).next_power_of_two();
        Self {
            sets: vec![[EMPTY; WAYS]; sets].into_boxed_slice(),
            key: [entropy.u64(), entropy.u64()],
        }
    }

    /// Takes one out of the bucket of `key`; `false`, and nothing taken, when it is empty.
    pub(super) fn take(&mut self, now: Timestamp, key: &impl Hash, rate: Rate) -> bool {
        self.take_some(now, key, rate, 1)
    }

    /// Takes `count` out of the bucket, or nothing.
    pub(super) fn take_some(
        &mut self,
        now: Timestamp,
        key: &impl Hash,
        rate: Rate,
        count: u32,
    ) -> bool {
        let bucket = self.bucket(key);
        let from = bucket.full_at.max(now);
        let full_at = from + rate.interval() * count;
        if full_at.since(now) > rate.interval() * rate.burst.max(1) {
            return false;
        }
        bucket.full_at = full_at;
        true
    }

    /// Whether the bucket of `key` is empty; how long until it is not.
    pub(super) fn wait(&mut self, now: Timestamp, key: &impl Hash, rate: Rate) -> Option<Duration> {
        let bucket = self.bucket(key);
        let after = bucket.full_at.max(now) + rate.interval();
        let most = rate.interval() * rate.burst.max(1);
        after
            .since(now)
            .checked_sub(most)
            .filter(|wait| !wait.is_zero())
    }

    /// Fills the bucket of `key`.
    pub(super) fn fill(&mut self, now: Timestamp, key: &impl Hash) {
        self.bucket(key).full_at = now;
    }

    fn bucket(&mut self, key: &impl Hash) -> &mut Bucket {
        let mark = self.mark(key);
        // The lower bits choose the set; the whole mark tells keys of a set apart.
        let place = (mark as usize) & (self.sets.len() - 1);
        let set = &mut self.sets[place];
        let found = set.iter().position(|bucket| bucket.mark == mark);
        let at = found.unwrap_or_else(|| {
            let least = (0..WAYS).min_by_key(|at| set[*at].full_at).unwrap_or(0);
            set[least] = Bucket { mark, ..EMPTY };
            least
        });
        &mut set[at]
    }

    fn mark(&self, key: &impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.key.hash(&mut hasher);
        key.hash(&mut hasher);
        hasher.finish() | 1 << 63
    }
}

const WAYS: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn buckets(keys: usize) -> Buckets {
        Buckets::new(keys, &mut Entropy::from_seed(1))
    }

    const RATE: Rate = Rate::a_second(10, 3);

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut buckets = buckets(64);
        let mut take = |millis| buckets.take(at(millis), &"a", RATE);
        assert!(take(0) && take(0) && take(0));
        assert!(!take(0) && !take(99));
        assert!(take(100) && !take(100));
        assert!(take(1000) && take(1000) && take(1000) && !take(1000));
    }

    #[test]
    fn who_has_to_wait_is_told_how_long() {
        let mut buckets = buckets(64);
        assert_eq!(buckets.wait(at(0), &"a", RATE), None);
        assert!(buckets.take_some(at(0), &"a", RATE, 3));
        let wait = buckets.wait(at(0), &"a", RATE);
        assert_eq!(wait, Some(Duration::from_millis(100)));
        assert_eq!(buckets.wait(at(100), &"a", RATE), None);
        buckets.fill(at(0), &"a");
        assert!(buckets.take_some(at(0), &"a", RATE, 3));
    }

    /// Bounded memory: the table is as large after a million sources as before, the flooder is
    /// still held, and a newcomer is still served.
    #[test]
    fn a_million_sources_change_neither_size_nor_justice() {
        let mut buckets = buckets(65_536);
        let size = buckets.sets.len() * WAYS;
        while buckets.take(at(0), &"heavy", RATE) {}
        for source in 0..1_000_000_u32 {
            assert!(
                buckets.take(at(0), &source, RATE),
                "newcomers have full buckets"
            );
        }
        assert_eq!(buckets.sets.len() * WAYS, size);
        assert!(size * size_of::<Bucket>() <= 2 << 20);
        assert!(!buckets.take(at(0), &"heavy", RATE));
        assert!(buckets.take(at(0), &"newcomer", RATE));
    }

    proptest! {
        /// Whatever the times, never more than burst plus rate in any stretch from the start.
        #[test]
        fn never_more_than_burst_and_rate(steps in proptest::collection::vec(0_i64..400, 1..200)) {
            let mut buckets = buckets(64);
            let (mut now, mut taken) = (0, 0);
            for step in steps {
                now += step;
                taken += i64::from(buckets.take(at(now), &1, RATE));
                prop_assert!(taken <= 3 + now / 100);
            }
        }
    }
}
