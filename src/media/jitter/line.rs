//! Decoded samples on their way out: those to be played, and behind them those that were.

use crate::media::Rate;

/// What is remembered of what was played, in frames: 60 ms, four of the longest pitch periods.
const PAST_FRAMES: usize = 3;

/// Longest packet decoded at once: 182 ms of G.711 in an Ethernet frame, with the three frames that
/// may lie before it.
const AHEAD_FRAMES: usize = 14;

/// A window over the stream of samples.
#[derive(Debug)]
pub(super) struct Line {
    samples: Box<[i16]>,
    /// First sample not played yet.
    head: usize,
    /// End of what is there.
    tail: usize,
    past: usize,
}

impl Line {
    pub(super) fn new(rate: Rate) -> Self {
        let past = PAST_FRAMES * rate.frame();
        Self {
            samples: vec![0; past + AHEAD_FRAMES * rate.frame()].into_boxed_slice(),
            head: past,
            tail: past,
            past,
        }
    }

    /// Forgets everything: the past is silent.
    pub(super) fn clear(&mut self) {
        self.samples[..self.past].fill(0);
        (self.head, self.tail) = (self.past, self.past);
    }

    /// Samples not played yet.
    pub(super) fn len(&self) -> usize {
        self.tail - self.head
    }

    /// Drops what was not played.
    pub(super) fn cut(&mut self) {
        self.tail = self.head;
    }

    /// The latest samples, played or not: what a concealment goes on from.
    pub(super) fn latest(&self) -> &[i16] {
        &self.samples[self.tail - self.past..self.tail]
    }

    /// What was played, and how many samples that is; what will be follows it.
    pub(super) fn whole(&self) -> (&[i16], usize) {
        (&self.samples[self.head - self.past..self.tail], self.past)
    }

    /// Room for at most `length` samples behind the last; what was written is taken in by
    /// [`Line::grow`].
    pub(super) fn room(&mut self, length: usize) -> &mut [i16] {
        if self.tail + length > self.samples.len() {
            let from = self.head - self.past;
            self.samples.copy_within(from..self.tail, 0);
            self.head -= from;
            self.tail -= from;
        }
        let end = self.samples.len().min(self.tail + length);
        &mut self.samples[self.tail..end]
    }

    /// Takes in what was written into [`Line::room`].
    pub(super) fn grow(&mut self, length: usize) {
        self.tail = self.samples.len().min(self.tail + length);
    }

    /// Takes a frame out; the line must hold it.
    pub(super) fn take(&mut self, frame: &mut [i16]) {
        let length = frame.len().min(self.len());
        frame[..length].copy_from_slice(&self.samples[self.head..self.head + length]);
        frame[length..].fill(0);
        self.head += length;
    }

    /// Leaves the next `length` samples out: they fade into those behind them.
    pub(super) fn shorten(&mut self, length: usize) {
        let from = self.head;
        for i in 0..length {
            let (a, b) = (self.samples[from + i], self.samples[from + length + i]);
            self.samples[from + length + i] = fade(a, b, i, length);
        }
        // The past is what was played: it moves up to the new head.
        let past = self.head - self.past;
        self.samples.copy_within(past..self.head, past + length);
        self.head += length;
    }

    /// Puts `length` samples in before the next: they fade back into those `length` before, which
    /// are played again.
    pub(super) fn lengthen(&mut self, length: usize) {
        self.room(length);
        let head = self.head;
        self.samples.copy_within(head..self.tail, head + length);
        self.tail += length;
        for i in 0..length {
            let (a, b) = (
                self.samples[head + length + i],
                self.samples[head + i - length],
            );
            self.samples[head + i] = fade(a, b, i, length);
        }
    }
}

/// The `i`th of `length` samples that lead from `a` to `b`.
pub(super) fn fade(a: i16, b: i16, i: usize, length: usize) -> i16 {
    let (a, b, i, length) = (i32::from(a), i32::from(b), i as i32, length as i32);
    // A mean of two samples is a sample.
    ((a * (length - i) + b * i) / length) as i16
}
