//! How loud a member has been, which decides whether it is heard in a crowd, and how it is
//! levelled.

use super::activity::Activity;
use super::gain::Gain;
use super::level::Level;

/// A frame whose loudest sample is at most this is silence: the quietest value of A-law is 8.
const SILENT_PEAK: u16 = 8;

/// What the mixer remembers of a member from tick to tick. Belongs beside the member's leg.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Talker {
    /// Mean magnitude, rising at once, falling by an eighth a tick.
    level: u32,
    spoke: bool,
    heard: bool,
    activity: Activity,
    automatic: Level,
}

/// Whether talkers are brought to one loudness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Levelling {
    /// Slowly, see [`Talker`]: rooms of more than two, when configured.
    On,
    /// Samples pass as they came.
    #[default]
    Off,
}

/// One tick of a talker who is not silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    /// How much it takes to push this one out: who is heard stays, unless another is 3.5 dB
    /// louder.
    pub(super) weight: u32,
    /// Gains at the beginning and the end of the frame.
    pub(super) gains: (Gain, Gain),
    /// Whether it spoke at the tick before, and was heard then.
    pub(super) spoke: bool,
    pub(super) was_heard: bool,
}

impl Talker {
    /// Somebody who has not spoken yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the member was in a mix at the last tick.
    pub fn is_heard(&self) -> bool {
        self.heard
    }

    /// How loud the member is, 0..=32768, before automatic level.
    pub fn level(&self) -> u32 {
        self.level
    }

    /// Whether the member is talking: heard, and speaking rather than being a noisy line.
    pub fn is_talking(&self) -> bool {
        self.activity.is_talking()
    }

    /// Ends the member's tick, after [`Mixer::settle`](super::Mixer::settle): `Some` when it
    /// began to talk (`true`) or no longer does. Of one member at most twice a second.
    pub fn turn(&mut self) -> Option<bool> {
        self.activity.turn(self.heard)
    }

    /// Takes a tick in which the member was silent.
    pub(super) fn silent(&mut self) {
        self.level -= self.level.div_ceil(8);
        (self.spoke, self.heard) = (false, false);
        self.activity.rest();
    }

    /// Takes a frame in; `None` when it is silence.
    pub(super) fn say(&mut self, samples: &[i16], levelling: Levelling) -> Option<Said> {
        let (mut peak, mut sum) = (0, 0u32);
        for sample in samples {
            let magnitude = sample.unsigned_abs();
            peak = magnitude.max(peak);
            sum += u32::from(magnitude);
        }
        if peak <= SILENT_PEAK {
            self.silent();
            return None;
        }
        let mean = sum / samples.len().max(1) as u32;
        self.level = (self.level - self.level.div_ceil(8)).max(mean);
        let is_speech = self.activity.weigh(mean as f32);
        let gains = match levelling {
            Levelling::On => self.automatic.follow(mean as f32, peak, is_speech),
            Levelling::Off => (Gain::UNITY, Gain::UNITY),
        };
        let level = self.level * gains.1.steps() as u32 / Gain::UNITY.steps() as u32;
        let said = Said {
            weight: if self.heard { level + level / 2 } else { level },
            gains,
            spoke: self.spoke,
            was_heard: self.heard,
        };
        (self.spoke, self.heard) = (true, false);
        Some(said)
    }

    /// Keeps the outcome of a tick.
    pub(super) fn settle(&mut self, heard: bool) {
        self.heard = heard;
    }
}
