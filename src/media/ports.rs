//! Pairs of UDP ports for legs: an even RTP port and the odd RTCP port above (RFC 3550 §11).
//!
//! A pair rests for the quarantine after its leg, and remembers which sources spoke to it, so that
//! what is left of an old call cannot pass for the beginning of a new one. One atomic word a pair:
//! signalling takes pairs, workers give them back, nobody waits.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::latch::Trace;
use crate::base::Timestamp;

/// All pairs of the engine.
#[derive(Debug)]
pub(crate) struct Ports {
    first: u16,
    pairs: Box<[Pair]>,
    /// Where the next search begins: round the range, so that reuse comes as late as possible.
    cursor: AtomicUsize,
    quarantine: Duration,
}

#[derive(Debug, Default)]
struct Pair {
    /// [`FREE`], [`IN_USE`] or the time it was given back, µs; that time less [`KEPT`] while its
    /// sockets are kept for another leg.
    state: AtomicI64,
    /// Who spoke to it last, see [`Trace`].
    traces: [AtomicU64; TRACES],
}

const FREE: i64 = i64::MIN;
const IN_USE: i64 = i64::MAX;
/// More than any time there is.
const KEPT: i64 = 1 << 62;
/// Sources remembered per pair: the one that was latched and a few that were refused.
pub(crate) const TRACES: usize = 4;

/// One pair, taken. Must be given back with [`Lease::release`]; a lost lease loses the pair.
#[derive(Debug)]
pub(crate) struct Lease {
    ports: Arc<Ports>,
    index: usize,
}

impl Ports {
    /// Every whole pair inside `range`.
    pub(crate) fn new(range: RangeInclusive<u16>, quarantine: Duration) -> Self {
        let first = u32::from(*range.start()).next_multiple_of(2);
        let end = u32::from(*range.end()) + 1;
        let count = (end.saturating_sub(first) / 2) as usize;
        let pair = || Pair {
            state: AtomicI64::new(FREE),
            ..Pair::default()
        };
        Self {
            first: first as u16,
            pairs: (0..count).map(|_| pair()).collect(),
            cursor: AtomicUsize::new(0),
            quarantine,
        }
    }

    /// Takes the pair that has rested longest, or nearly, of those whose ports lie in `band`;
    /// `None` when none is ready.
    ///
    /// Each call goes on where the last one stopped: a caller who finds that the system does not
    /// give him the ports calls again, at most [`Ports::len`] times.
    pub(crate) fn take(
        self: &Arc<Self>,
        now: Timestamp,
        band: Option<&RangeInclusive<u16>>,
    ) -> Option<Lease> {
        let count = self.pairs.len();
        let fits = |index: usize| {
            let rtp = usize::from(self.first) + 2 * index;
            let holds = |band: &RangeInclusive<u16>| {
                usize::from(*band.start()) <= rtp && rtp < usize::from(*band.end())
            };
            band.is_none_or(holds)
        };
        (0..count).find_map(|_| {
            let index = self.cursor.fetch_add(1, Ordering::Relaxed) % count;
            fits(index).then(|| self.claim(index, now, self.quarantine))?
        })
    }

    /// Takes one certain pair, rested or not: the checkpoint of a leg names it.
    pub(crate) fn take_again(self: &Arc<Self>, rtp: u16, now: Timestamp) -> Option<Lease> {
        let above = rtp.checked_sub(self.first).filter(|above| above % 2 == 0)?;
        let index = usize::from(above / 2);
        (index < self.pairs.len()).then_some(())?;
        self.claim(index, now, Duration::ZERO)
    }

    fn claim(self: &Arc<Self>, index: usize, now: Timestamp, rest: Duration) -> Option<Lease> {
        let state = &self.pairs[index].state;
        let seen = state.load(Ordering::Acquire);
        let is_given_back = seen != IN_USE && seen >= 0;
        let ready = seen == FREE || is_given_back && Timestamp::from_micros(seen) + rest <= now;
        let taken = ready
            && state
                .compare_exchange(seen, IN_USE, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok();
        taken.then(|| Lease {
            ports: Arc::clone(self),
            index,
        })
    }

    /// How many pairs there are.
    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// How many pairs are in use, and how many rest.
    pub(crate) fn count(&self, now: Timestamp) -> (usize, usize) {
        let mut counts = (0, 0);
        for pair in &self.pairs {
            match pair.state.load(Ordering::Relaxed) {
                FREE => {}
                IN_USE => counts.0 += 1,
                since if Timestamp::from_micros(since.rem_euclid(KEPT)) + self.quarantine > now => {
                    counts.1 += 1
                }
                _ => {}
            }
        }
        counts
    }
}

impl Lease {
    /// The even port.
    pub(crate) fn rtp(&self) -> u16 {
        self.ports.first + 2 * self.index as u16
    }

    /// The odd port.
    pub(crate) fn rtcp(&self) -> u16 {
        self.rtp() + 1
    }

    /// Who spoke to this pair before.
    pub(crate) fn traces(&self) -> [Trace; TRACES] {
        std::array::from_fn(|slot| {
            Trace::from_bits(self.ports.pairs[self.index].traces[slot].load(Ordering::Relaxed))
        })
    }

    /// Gives the pair back; it rests from `now` on. Close the sockets first.
    pub(crate) fn release(self, now: Timestamp, traces: [Trace; TRACES]) {
        let pair = &self.ports.pairs[self.index];
        for (slot, trace) in pair.traces.iter().zip(traces) {
            slot.store(trace.to_bits(), Ordering::Relaxed);
        }
        pair.state.store(now.as_micros(), Ordering::Release);
    }

    /// The pair rests from `now` on, but its sockets are kept and nobody else takes it, until
    /// [`Lease::wake`] or [`Lease::release`].
    pub(crate) fn rest(&self, now: Timestamp, traces: [Trace; TRACES]) {
        let pair = &self.ports.pairs[self.index];
        for (slot, trace) in pair.traces.iter().zip(traces) {
            slot.store(trace.to_bits(), Ordering::Relaxed);
        }
        pair.state.store(now.as_micros() - KEPT, Ordering::Release);
    }

    /// Another leg uses the pair.
    pub(crate) fn wake(&self) {
        self.ports.pairs[self.index]
            .state
            .store(IN_USE, Ordering::Release);
    }

    /// Gives a pair back that was never used.
    pub(crate) fn put_back(self) {
        self.ports.pairs[self.index]
            .state
            .store(FREE, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(range: RangeInclusive<u16>) -> Arc<Ports> {
        Arc::new(Ports::new(range, Duration::from_secs(5)))
    }

    #[test]
    fn pairs_are_even_and_odd_and_inside_the_range() {
        let ports = ports(10001..=10006);
        let now = Timestamp::ZERO;
        let leases: Vec<Lease> = std::iter::from_fn(|| ports.take(now, None)).collect();
        let numbers: Vec<(u16, u16)> = leases.iter().map(|l| (l.rtp(), l.rtcp())).collect();
        assert_eq!(numbers, [(10002, 10003), (10004, 10005)]);
        assert_eq!(ports.count(now), (2, 0));
    }

    #[test]
    fn a_released_pair_rests_and_remembers() {
        let ports = ports(10000..=10001);
        let at = Timestamp::from_millis;
        let lease = ports.take(at(0), None).expect("free");
        let mut traces = lease.traces();
        traces[0] = Trace::new("192.0.2.1:4000".parse().expect("address"), 77);
        lease.release(at(1000), traces);
        assert!(ports.take(at(5999), None).is_none());
        assert_eq!(ports.count(at(5999)), (0, 1));
        let again = ports.take(at(6000), None).expect("rested");
        assert_eq!(again.traces(), traces);
    }

    #[test]
    fn a_checkpoint_takes_its_pair_again_at_once() {
        let ports = ports(10000..=10009);
        let now = Timestamp::ZERO;
        let lease = ports.take(now, None).expect("free");
        let number = lease.rtp();
        assert!(ports.take_again(number, now).is_none());
        let traces = lease.traces();
        lease.release(now, traces);
        assert!(ports.take_again(number + 1, now).is_none());
        assert_eq!(ports.take_again(number, now).expect("again").rtp(), number);
        assert!(ports.take_again(9998, now).is_none());
        assert!(ports.take_again(10010, now).is_none());
    }

    #[test]
    fn a_band_is_kept_to() {
        let ports = ports(10000..=10099);
        let band = 10040..=10049;
        let mut taken: Vec<u16> = std::iter::from_fn(|| ports.take(Timestamp::ZERO, Some(&band)))
            .map(|lease| lease.rtp())
            .collect();
        taken.sort_unstable();
        assert_eq!(taken, [10040, 10042, 10044, 10046, 10048]);
        assert!(ports.take(Timestamp::ZERO, None).is_some());
    }

    #[test]
    fn an_empty_range_has_no_pair() {
        assert!(ports(10001..=10001).take(Timestamp::ZERO, None).is_none());
        assert_eq!(ports(65535..=65535).len(), 0);
        assert_eq!(ports(65534..=65535).len(), 1);
    }
}
