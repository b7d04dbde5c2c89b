//! The last seconds of a recording in memory, where packets that come late still find their place, and
//! sound waits for a disk that is full.

use super::closed::Shape;
use super::form::Piece;

/// How much is kept: the recorder gives packets up after two seconds.
const KEEP_MS: u64 = 2500;

/// Samples of all channels from a position on; what lies before it is gone.
#[derive(Debug)]
pub(super) struct Window {
    channels: usize,
    /// How much is kept, in samples of a channel.
    keep: u64,
    base: u64,
    /// Interleaved, after `skip` values that are gone already.
    samples: Vec<i16>,
    skip: usize,
    /// What went before it was written.
    lost: Option<(u64, u64)>,
}

impl Window {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            channels: shape.channels,
            keep: shape.samples(KEEP_MS),
            base: 0,
            samples: Vec::new(),
            skip: 0,
            lost: None,
        }
    }

    /// Position of the first sample there is.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// Position after the last one.
    pub(super) fn end(&self) -> u64 {
        self.base + ((self.samples.len() - self.skip) / self.channels) as u64
    }

    /// Makes it reach until `to`, with silence.
    pub(super) fn grow(&mut self, to: u64) {
        let missing = to.saturating_sub(self.end()) as usize;
        let length = self.samples.len() + missing * self.channels;
        self.samples.resize(length, 0);
    }

    /// Keeps the window from growing without end as the call clock runs to `to`: whole frames that
    /// are too old go, and are lost unless they are `done`. Says whether anything went.
    pub(super) fn advance(&mut self, to: u64, frame: u64, done: u64) -> bool {
        let base = to.saturating_sub(self.keep) / frame * frame;
        if base <= self.base {
            return false;
        }
        let undone = self.base.max(done);
        if undone < base.min(self.end()) {
            let (from, _) = self.lost.unwrap_or((undone, base));
            self.lost = Some((from, base));
        }
        self.forget(base);
        true
    }

    /// What was lost since the last time.
    pub(super) fn take_lost(&mut self) -> Option<(u64, u64)> {
        self.lost.take()
    }

    /// Lets go of what is before `to`.
    fn forget(&mut self, to: u64) {
        if to <= self.base {
            return;
        }
        let gone = ((to - self.base) as usize).saturating_mul(self.channels);
        self.base = to;
        self.skip = self.skip.saturating_add(gone);
        if self.skip >= self.samples.len() {
            self.samples.clear();
            self.skip = 0;
        } else if self.skip > self.samples.len() / 2 {
            self.samples.drain(..self.skip);
            self.skip = 0;
        }
    }

    /// Adds sound to what is there; what belongs before the base is left out. The window must not
    /// be so far behind that growing costs much: see [`Window::advance`].
    pub(super) fn add(&mut self, piece: &Piece<'_>) {
        let late = self.base.saturating_sub(piece.at) as usize;
        let Some(samples) = piece.samples.get(late..).filter(|rest| !rest.is_empty()) else {
            return;
        };
        let at = piece.at + late as u64;
        self.grow(at + samples.len() as u64);
        let first = self.skip + (at - self.base) as usize * self.channels + piece.channel;
        let slots = self.samples[first..].iter_mut().step_by(self.channels);
        for (slot, sample) in slots.zip(samples) {
            *slot = slot.saturating_add(*sample);
        }
    }

    /// What there is between two positions, interleaved; shorter where there is nothing.
    pub(super) fn between(&self, from: u64, to: u64) -> &[i16] {
        let (from, to) = (from.max(self.base), to.min(self.end()));
        let place = |at: u64| self.skip + (at - self.base) as usize * self.channels;
        if from < to {
            &self.samples[place(from)..place(to)]
        } else {
            &[]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_added_in_its_place_until_that_is_gone() {
        let shape = Shape {
            channels: 2,
            hz: 8000,
        };
        let mut window = Window::new(shape);
        let add = |window: &mut Window, channel, at, samples: &[i16]| {
            window.add(&Piece {
                channel,
                at,
                samples,
            });
        };
        add(&mut window, 1, 2, &[5, 6]);
        add(&mut window, 0, 1, &[1, 2]);
        add(&mut window, 0, 2, &[10]);
        assert_eq!(window.between(0, 9), [0, 0, 1, 0, 12, 5, 0, 6]);
        window.forget(2);
        add(&mut window, 0, 0, &[9, 9, 9]);
        assert_eq!((window.base(), window.end()), (2, 4));
        assert_eq!(window.between(0, 9), [21, 5, 0, 6]);
        window.forget(100);
        assert_eq!((window.base(), window.end()), (100, 100));
        window.grow(102);
        assert_eq!(window.between(99, 103), [0; 4]);
    }

    #[test]
    fn what_is_too_old_goes_by_whole_frames_and_is_lost_unless_done() {
        let shape = Shape {
            channels: 1,
            hz: 8000,
        };
        let mut window = Window::new(shape);
        window.grow(30_000);
        assert!(!window.advance(20_000, 160, 0));
        assert!(window.advance(20_479, 160, 160), "two frames");
        assert_eq!((window.base(), window.take_lost()), (320, Some((160, 320))));
        assert!(window.advance(20_640, 160, 640));
        assert_eq!((window.base(), window.take_lost()), (640, None));
        window.advance(20_800, 160, 640);
        window.advance(20_960, 160, 640);
        assert_eq!(window.take_lost(), Some((640, 960)), "both together");
    }
}
