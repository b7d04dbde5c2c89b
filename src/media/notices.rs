//! The way of notices: a bounded ring to every shard, and what waits when one is full.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crossbeam_queue::ArrayQueue;
use tokio::sync::Notify;

use super::ring::Ring;
use super::{Notice, Stats};
use crate::base::{LegId, ShardId};
use crate::events::MediaSummary;

/// One shard's ring.
#[derive(Debug)]
pub(crate) struct NoticeRing {
    ring: Ring<Notice>,
    /// What legs counted: too large for a slot of the ring, not worth an allocation in a tick, and
    /// told again ten seconds later.
    measured: ArrayQueue<(LegId, MediaSummary)>,
    /// A few notices a call: not worth a descriptor. Keeps one wake-up for a reader on his way.
    wake: Notify,
}

impl NoticeRing {
    /// Slots for `max_legs` legs.
    pub(crate) fn new(max_legs: usize) -> Arc<Self> {
        // A leg has at most one end and a few digits under way; the open half is for the rest.
        // Slots take memory from the start; what is more than so many waits in the backlog, which
        // takes none until then.
        let slots = (max_legs * 4 + 64).min(MOST_SLOTS);
        Arc::new(Self {
            ring: Ring::new(slots, slots),
            measured: ArrayQueue::new(MEASURED),
            wake: Notify::new(),
        })
    }

    /// Puts in a notice; gives it back when the ring is full for its kind.
    #[allow(
        clippy::result_large_err,
        reason = "it is given back to be put aside, and a box would allocate in a tick"
    )]
    pub(crate) fn push(&self, notice: Notice) -> Result<(), Notice> {
        if notice.may_be_dropped() && !self.ring.has_open_slot() {
            return Err(notice);
        }
        self.ring.push(notice)?;
        self.wake.notify_one();
        Ok(())
    }
}

/// Half the slots of a large switch.
const MOST_SLOTS: usize = 8192;

/// Counts of legs on their way to one shard: what 10,000 legs tell in a second.
const MEASURED: usize = 1024;

/// Ticks after which shards are woken for counts: 200 ms.
const TICKS_TO_WAKE: u32 = 10;

/// Where a worker puts its notices.
#[derive(Debug)]
pub(crate) struct NoticeSender {
    shards: Vec<Arc<NoticeRing>>,
    /// What must not be dropped and found its ring full; allocated once.
    backlog: VecDeque<(ShardId, Notice)>,
    /// Ticks until shards are woken for what was counted.
    rest: u32,
}

impl NoticeSender {
    /// A sender to all shards that can hold back `backlog` notices.
    pub(crate) fn new(shards: Vec<Arc<NoticeRing>>, backlog: usize) -> Self {
        Self {
            shards,
            backlog: VecDeque::with_capacity(backlog),
            rest: 0,
        }
    }

    /// Tells one shard. Counts into `dropped` what finds no place at all.
    pub(crate) fn tell(&mut self, shard: ShardId, notice: Notice, stats: &Stats) {
        let Some(ring) = self.shards.get(usize::from(shard.0)) else {
            return;
        };
        let waiting = !self.backlog.is_empty();
        let rest = if waiting && !notice.may_be_dropped() {
            Err(notice)
        } else {
            ring.push(notice)
        };
        if let Err(notice) = rest {
            self.hold_back(shard, notice, &stats.notices_dropped);
        }
    }

    /// Tells one shard what a leg has counted so far: it takes it when it wakes the next time, or
    /// is woken within 200 ms. A switch full of calls tells so hundreds of times a second, and a
    /// shard that wakes takes the core from the packets of all.
    pub(crate) fn tell_measured(
        &self,
        shard: ShardId,
        leg: LegId,
        media: MediaSummary,
        stats: &Stats,
    ) {
        let Some(ring) = self.shards.get(usize::from(shard.0)) else {
            return;
        };
        if ring.measured.push((leg, media)).is_err() {
            Stats::add(&stats.notices_dropped, 1);
        }
    }

    /// Tells every shard.
    pub(crate) fn tell_all(&mut self, notice: &Notice, stats: &Stats) {
        for shard in 0..self.shards.len() {
            self.tell(ShardId(shard as u16), notice.clone(), stats);
        }
    }

    /// Tries again what was held back, and sees to it that counts are taken; at every tick.
    pub(crate) fn flush(&mut self) {
        self.rest = self.rest.checked_sub(1).unwrap_or(TICKS_TO_WAKE);
        if self.rest == 0 {
            let waiting = self.shards.iter().filter(|ring| !ring.measured.is_empty());
            waiting.for_each(|ring| ring.wake.notify_one());
        }
        while let Some((shard, notice)) = self.backlog.pop_front() {
            let Some(ring) = self.shards.get(usize::from(shard.0)) else {
                continue;
            };
            if let Err(notice) = ring.push(notice) {
                self.backlog.push_front((shard, notice));
                return;
            }
        }
    }

    fn hold_back(&mut self, shard: ShardId, notice: Notice, dropped: &AtomicU64) {
        let full = self.backlog.len() == self.backlog.capacity();
        if full || notice.may_be_dropped() {
            Stats::add(dropped, 1);
        } else {
            self.backlog.push_back((shard, notice));
        }
    }
}

/// A shard's end: to be read by its loop.
#[derive(Debug)]
pub struct NoticeReceiver(Arc<NoticeRing>);

impl NoticeReceiver {
    pub(crate) fn new(ring: Arc<NoticeRing>) -> Self {
        Self(ring)
    }

    /// The oldest notice, if there is one.
    pub fn try_recv(&mut self) -> Option<Notice> {
        let measured = || {
            let (leg, media) = self.0.measured.pop()?;
            let media = Box::new(media);
            Some(Notice::Quality { leg, media })
        };
        self.0.ring.pop().or_else(measured)
    }

    /// Waits for the next notice. Cancel-safe; for ever once the engine is gone.
    pub async fn recv(&mut self) -> Notice {
        loop {
            if let Some(notice) = self.try_recv() {
                return notice;
            }
            self.0.wake.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;

    fn digit(n: u64) -> Notice {
        let leg = LegId(n);
        Notice::Digit {
            leg,
            digit: '1',
            in_band: false,
            passed_on: false,
        }
    }

    #[test]
    fn digits_outlast_a_full_ring_and_keep_their_order() {
        let stats = Stats::default();
        let ring = NoticeRing::new(0);
        let mut sender = NoticeSender::new(vec![Arc::clone(&ring)], 16);
        let silent = Notice::Silent {
            leg: LegId(0),
            since: Timestamp::ZERO,
        };
        for _ in 0..100 {
            sender.tell(ShardId(0), silent.clone(), &stats);
        }
        for n in 0..80 {
            sender.tell(ShardId(0), digit(n), &stats);
        }
        let mut receiver = NoticeReceiver::new(ring);
        let mut digits = Vec::new();
        for _ in 0..2 {
            while let Some(notice) = receiver.try_recv() {
                if let Notice::Digit { leg, .. } = notice {
                    digits.push(leg.0);
                }
            }
            sender.flush();
        }
        assert_eq!(digits, (0..80).collect::<Vec<_>>());
        let dropped = stats
            .notices_dropped
            .load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(dropped, 36);
    }

    #[test]
    fn a_slot_of_the_ring_is_small() {
        // There are thousands from the start.
        assert!(size_of::<Notice>() <= 112, "{}", size_of::<Notice>());
    }

    #[tokio::test]
    async fn a_waiting_shard_is_woken() {
        let ring = NoticeRing::new(1);
        let mut receiver = NoticeReceiver::new(Arc::clone(&ring));
        let thread = std::thread::spawn(move || {
            for n in 0..1000 {
                while ring.push(digit(n)).is_err() {
                    std::thread::yield_now();
                }
            }
        });
        for n in 0..1000 {
            match receiver.recv().await {
                Notice::Digit { leg, .. } => assert_eq!(leg, LegId(n)),
                other => panic!("{other:?}"),
            }
        }
        thread.join().expect("sender");
    }
}
