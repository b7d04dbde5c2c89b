//! How loud a member has been, which decides whether it is heard in a crowd.

use crate::media::Frame;

/// A frame whose loudest sample is at most this is silence: the quietest value of A-law is 8.
const SILENT_PEAK: u16 = 8;

/// What the mixer remembers of a member from tick to tick. Belongs beside the member's leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Talker {
    /// Mean magnitude, rising at once, falling by an eighth a tick.
    level: u32,
    spoke: bool,
    heard: bool,
}

impl Talker {
    /// Somebody who has not spoken yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the member was in the mix at the last tick.
    pub fn is_heard(&self) -> bool {
        self.heard
    }

    /// How loud the member is, 0..=32768.
    pub fn level(&self) -> u32 {
        self.level
    }

    /// Takes a tick in which the member was silent.
    pub(super) fn silent(&mut self) {
        self.level -= self.level.div_ceil(8);
        (self.spoke, self.heard) = (false, false);
    }

    /// Takes a frame's loudness in; `false` when it is silence.
    pub(super) fn speak(&mut self, frame: &Frame) -> bool {
        let (mut peak, mut sum) = (0, 0u32);
        for sample in frame {
            let magnitude = sample.unsigned_abs();
            peak = magnitude.max(peak);
            sum += u32::from(magnitude);
        }
        self.level = (self.level - self.level.div_ceil(8)).max(sum / frame.len() as u32);
        peak > SILENT_PEAK
    }

    /// How much it takes to push this one out: who is heard stays, unless another is 3.5 dB louder.
    pub(super) fn weight(&self) -> u32 {
        if self.heard {
            self.level + self.level / 2
        } else {
            self.level
        }
    }

    /// Keeps the outcome of a tick; returns whether the member spoke and was heard before.
    pub(super) fn settle(&mut self, heard: bool) -> (bool, bool) {
        let before = (self.spoke, self.heard);
        (self.spoke, self.heard) = (true, heard);
        before
    }
}
