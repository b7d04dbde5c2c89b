//! What travels from the workers to the disk: blocks from a pool, over one bounded queue.
//!
//! The queue has room for every block there is and for the opening and closing of every recording,
//! so a push never fails; what can run out is the pool, and then sound is counted as missing.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;

use super::closed::Shape;
use super::tap::Ended;
use super::{Channel, GapCause, MarkEvent, Opening};

/// Samples of all channels in a block: 256 ms of a telephone call.
pub(super) const BLOCK_SAMPLES: usize = 4096;

/// Stretches in a block: the packets of 256 ms, and as many marks.
pub(super) const BLOCK_SEGMENTS: usize = 64;

/// Every channel, in a segment that is a mark.
pub(super) const EVERY_CHANNEL: Channel = Channel(u8::MAX);

/// Blocks for each open recording of two channels at 8 kHz: two seconds in which the disk may stall.
const BLOCKS_PER_RECORDING: usize = 8;

/// Weight of the recordings there may be, for each: a stereo recording in wide band has 2.
const USUAL_WEIGHT: usize = 2;

/// One recording of many channels always has room.
const HEAVIEST: usize = 8;

/// Blocks there are even without a recording.
const SPARE_BLOCKS: usize = 16;

/// No party in particular.
pub(super) const NOBODY: u8 = u8::MAX;

/// A stretch of a channel on the call clock, in samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Whose it is.
    pub(super) source: u8,
    pub(super) channel: Channel,
    pub(super) at: u64,
    pub(super) length: u32,
    pub(super) content: Content,
}

/// What a stretch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Sound: where its samples begin in the block.
    Audio(u16),
    /// Something happened, maybe to a leg.
    Mark(MarkEvent, Option<u64>),
    /// None, and why.
    Nothing(GapCause),
}

/// Some sound of one recording.
pub(super) struct Block {
    /// Which recording.
    pub(super) number: u64,
    /// How far the call clock had run, in samples.
    pub(super) until: u64,
    pub(super) samples: [i16; BLOCK_SAMPLES],
    pub(super) used: usize,
    segments: [Segment; BLOCK_SEGMENTS],
    count: usize,
}

impl Block {
    fn new() -> Box<Self> {
        const NONE: Segment = Segment {
            source: NOBODY,
            channel: Channel::LEFT,
            at: 0,
            length: 0,
            content: Content::Audio(0),
        };
        Box::new(Self {
            number: 0,
            until: 0,
            samples: [0; BLOCK_SAMPLES],
            used: 0,
            segments: [NONE; BLOCK_SEGMENTS],
            count: 0,
        })
    }

    pub(super) fn clear(&mut self, number: u64) {
        self.number = number;
        (self.until, self.used, self.count) = (0, 0, 0);
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments[..self.count]
    }

    /// Adds a mark without samples; `false` when the block is full.
    pub(super) fn mark(&mut self, segment: Segment) -> bool {
        let is_free = self.count < BLOCK_SEGMENTS;
        if is_free {
            self.segments[self.count] = segment;
            self.count += 1;
        }
        is_free
    }

    /// How many stretches are in it.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Moves what a source has said, from stretch number `since` on, to an earlier time; what would
    /// be before the beginning is left out.
    pub(super) fn pull(&mut self, source: u8, since: usize, by: u64) {
        let segments = &mut self.segments[..self.count];
        for segment in segments.iter_mut().skip(since) {
            if segment.source != source {
                continue;
            }
            let cut = by.saturating_sub(segment.at).min(segment.length.into());
            segment.at = segment.at.saturating_sub(by);
            segment.length -= cut as u32;
            if let Content::Audio(start) = &mut segment.content {
                *start += cut as u16;
            }
        }
    }

    /// Adds `pad` times the first sample, then the samples; `false` when they do not fit.
    pub(super) fn push(
        &mut self,
        (source, channel): (u8, Channel),
        at: u64,
        pad: usize,
        samples: &[i16],
    ) -> bool {
        let length = pad + samples.len();
        let Some(&first) = samples.first() else {
            return true;
        };
        if self.count == BLOCK_SEGMENTS || self.used + length > BLOCK_SAMPLES {
            return false;
        }
        let place = &mut self.samples[self.used..self.used + length];
        place[..pad].fill(first);
        place[pad..].copy_from_slice(samples);
        let content = Content::Audio(self.used as u16);
        self.used += length;
        self.mark(Segment {
            source,
            channel,
            at,
            length: length as u32,
            content,
        })
    }
}

/// What the disk is told. In order for each recording: open, blocks, close.
pub(super) enum Item {
    Block(Box<Block>),
    Close(Box<Ended>),
    Open(u64, Box<Opening>),
}

/// Figures of the recorder; read by anyone, at any time.
#[derive(Debug, Default)]
pub struct Stats {
    /// Recordings open or being published.
    pub open: AtomicU64,
    /// Recordings published whole.
    pub published: AtomicU64,
    /// Recordings with a defect.
    pub defective: AtomicU64,
    /// Samples that found no free block: the disk was too slow.
    pub missed_samples: AtomicU64,
    /// Writes that failed.
    pub failed_writes: AtomicU64,
    /// Blocks waiting for the disk when it last looked.
    pub backlog: AtomicU64,
    /// Recordings that cannot be written at the moment.
    pub failing: AtomicU64,
    /// Recordings that are over and not published.
    pub unpublished: AtomicU64,
}

/// What taps and disk share.
pub(super) struct Shared {
    pub(super) queue: ArrayQueue<Item>,
    free: ArrayQueue<Box<Block>>,
    blocks: AtomicUsize,
    max_recordings: u64,
    /// What all recordings need of the recorder, and the most there can be.
    weight: AtomicU64,
    max_weight: u64,
    next_number: AtomicU64,
    pub(super) is_stopping: AtomicBool,
    pub(super) disk: OnceLock<Thread>,
    /// When the disk last took something from the queue, or found it empty.
    looked: Mutex<Instant>,
    pub(super) stats: Stats,
}

impl Shared {
    pub(super) fn new(max_recordings: usize) -> Self {
        let max_recordings = max_recordings.max(1);
        let max_weight = HEAVIEST.max(USUAL_WEIGHT * max_recordings);
        let blocks = SPARE_BLOCKS + BLOCKS_PER_RECORDING * max_weight;
        Self {
            queue: ArrayQueue::new(blocks + 2 * max_recordings),
            free: ArrayQueue::new(blocks),
            blocks: AtomicUsize::new(0),
            max_recordings: max_recordings as u64,
            weight: AtomicU64::new(0),
            max_weight: max_weight as u64,
            next_number: AtomicU64::new(1),
            is_stopping: AtomicBool::new(false),
            disk: OnceLock::new(),
            looked: Mutex::new(Instant::now()),
            stats: Stats::default(),
        }
    }

    /// Counts a recording in and gives it a number, its blocks made; `None` when there are too
    /// many. Allocates.
    pub(super) fn enter(&self, shape: Shape) -> Option<u64> {
        let more = |count: &AtomicU64, more: u64, max: u64| {
            let room = |now: u64| (now + more <= max).then_some(now + more);
            let count = count.fetch_update(Ordering::AcqRel, Ordering::Acquire, room);
            count.is_ok()
        };
        if !more(&self.stats.open, 1, self.max_recordings) {
            return None;
        }
        if !more(&self.weight, shape.weight(), self.max_weight) {
            self.stats.open.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        for _ in 0..BLOCKS_PER_RECORDING * shape.weight() as usize + SPARE_BLOCKS {
            if self.blocks.fetch_add(1, Ordering::AcqRel) >= self.wanted_blocks() {
                self.blocks.fetch_sub(1, Ordering::AcqRel);
                break;
            }
            if self.free.push(Block::new()).is_err() {
                self.blocks.fetch_sub(1, Ordering::AcqRel);
                break;
            }
        }
        Some(self.next_number.fetch_add(1, Ordering::AcqRel))
    }

    /// Counts a recording out.
    pub(super) fn leave(&self, shape: Shape) {
        self.weight.fetch_sub(shape.weight(), Ordering::AcqRel);
        self.stats.open.fetch_sub(1, Ordering::AcqRel);
    }

    /// A free block; on the worker.
    pub(super) fn take(&self) -> Option<Box<Block>> {
        self.free.pop()
    }

    /// Gives a block back; on the disk. Blocks of recordings that ended are freed.
    pub(super) fn give(&self, block: Box<Block>) {
        let too_many = self.blocks.load(Ordering::Acquire) > self.wanted_blocks();
        if too_many || self.free.push(block).is_err() {
            self.blocks.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Hands an item to the disk; on any thread. See the module on why it cannot fail.
    pub(super) fn send(&self, item: Item) {
        let unsent = self.queue.push(item).is_err();
        debug_assert!(!unsent, "the queue has room for all there is");
    }

    /// The disk is alive.
    pub(super) fn look(&self) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Whether something has waited for the disk for so long.
    pub(super) fn is_stalled(&self, longest: Duration) -> bool {
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        !self.queue.is_empty() && looked.elapsed() > longest
    }

    /// Wakes the disk from a sleep without end; not for workers.
    pub(super) fn wake(&self) {
        if let Some(disk) = self.disk.get() {
            disk.unpark();
        }
    }

    fn wanted_blocks(&self) -> usize {
        SPARE_BLOCKS + BLOCKS_PER_RECORDING * self.weight.load(Ordering::Acquire) as usize
    }
}
