//! Samples by RTP timestamp, with a bit for each that says whether it is there.

use crate::media::FRAME_SAMPLES;

/// Samples the ring spans: 256 ms. A power of two, so that it divides the timestamp's range.
pub(super) const SPAN: usize = 2048;

const WORDS: usize = SPAN / 64;

/// A window of the stream; what is outside it is nobody's business but the caller's.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    samples: [i16; SPAN],
    present: [u64; WORDS],
}

impl Ring {
    pub(super) fn new() -> Self {
        Self {
            samples: [0; SPAN],
            present: [0; WORDS],
        }
    }

    pub(super) fn clear(&mut self) {
        self.present = [0; WORDS];
    }

    /// Writes `samples` at `timestamp`; returns how many were new.
    pub(super) fn write(&mut self, timestamp: u32, samples: &[i16]) -> usize {
        let samples = &samples[..samples.len().min(SPAN)];
        let start = timestamp as usize % SPAN;
        let (head, tail) = samples.split_at(samples.len().min(SPAN - start));
        self.samples[start..start + head.len()].copy_from_slice(head);
        self.samples[..tail.len()].copy_from_slice(tail);
        let mut new = 0;
        words(start, samples.len(), |word, mask| {
            new += (mask & !self.present[word]).count_ones();
            self.present[word] |= mask;
        });
        new as usize
    }

    /// Takes the frame at `timestamp` out; what is missing is 0. Returns how much was there.
    pub(super) fn take(&mut self, timestamp: u32, frame: &mut [i16]) -> usize {
        let start = timestamp as usize % SPAN;
        let mut there = 0;
        words(start, FRAME_SAMPLES, |word, mask| {
            there += (mask & self.present[word]).count_ones();
        });
        let there = there as usize;
        if there == FRAME_SAMPLES {
            let head = FRAME_SAMPLES.min(SPAN - start);
            frame[..head].copy_from_slice(&self.samples[start..start + head]);
            frame[head..].copy_from_slice(&self.samples[..FRAME_SAMPLES - head]);
        } else if there == 0 {
            frame.fill(0);
        } else {
            for (i, sample) in frame.iter_mut().enumerate() {
                let at = (start + i) % SPAN;
                let present = self.present[at / 64] >> (at % 64) & 1 == 1;
                *sample = if present { self.samples[at] } else { 0 };
            }
        }
        self.forget(timestamp, FRAME_SAMPLES);
        there
    }

    /// Forgets `length` samples from `timestamp` on.
    pub(super) fn forget(&mut self, timestamp: u32, length: usize) {
        let start = timestamp as usize % SPAN;
        words(start, length.min(SPAN), |word, mask| {
            self.present[word] &= !mask;
        });
    }
}

/// Calls `each` with every word of the bit map that `length` bits from `start` touch.
fn words(start: usize, length: usize, mut each: impl FnMut(usize, u64)) {
    let (mut at, mut left) = (start, length);
    while left > 0 {
        let bit = at % 64;
        let count = left.min(64 - bit);
        let mask = (u64::MAX >> (64 - count)) << bit;
        each(at / 64, mask);
        at = (at + count) % SPAN;
        left -= count;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_anywhere_is_taken_once(start: u32, length in 1usize..400) {
            let mut ring = Ring::new();
            let samples: Vec<i16> = (1..=length as i16).collect();
            prop_assert_eq!(ring.write(start, &samples), length);
            prop_assert_eq!(ring.write(start, &samples), 0);
            let mut out = Vec::new();
            let (mut frame, mut there) = ([7; FRAME_SAMPLES], 0);
            for i in 0..3 {
                there += ring.take(start.wrapping_add(i * 160), &mut frame);
                out.extend(frame);
            }
            prop_assert_eq!(there, length);
            prop_assert_eq!(&out[..length], &samples[..]);
            prop_assert!(out[length..].iter().all(|sample| *sample == 0));
            prop_assert_eq!(ring.take(start, &mut frame), 0);
        }
    }
}
