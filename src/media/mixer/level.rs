//! Automatic level: brings each talker slowly to the same loudness, so that a whisper and a shout
//! are both heard. Noise is never lifted, and a line that is switched off is not touched at all.

use super::gain::Gain;

/// Mean magnitude speech is brought to: about -20 dBm0.
const TARGET: f32 = 1500.0;
/// At most -12 dB ...
const LEAST: f32 = 0.251_19;
/// ... and at most +18 dB.
const MOST: f32 = 7.943_3;
/// A tick raises the gain by a quarter of a decibel at most (12 dB a second),
const RISE: f32 = 1.027_92;
/// and lowers it by 0.6 dB at most (30 dB a second): a shout is not to hurt for long.
const FALL: f32 = 0.933_25;
/// Speech grows louder in the estimate within about 8 ticks, softer within about 64: the gaps
/// between words are no reason to be lifted.
const LOUDER: f32 = 1.0 / 8.0;
const SOFTER: f32 = 1.0 / 64.0;
/// Ticks after speech in which the gain stays (300 ms); then the line's noise is let down.
const HANG: u8 = 15;
/// Nothing is lifted above this peak.
const PEAK: f32 = 30_000.0;

/// One talker's level control.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    /// Mean magnitude of its speech; 0 before it spoke.
    speech: f32,
    /// What its speech needs.
    gain: f32,
    /// What was applied last.
    applied: f32,
    hang: u8,
}

impl Default for Level {
    fn default() -> Self {
        Self {
            speech: 0.0,
            gain: 1.0,
            applied: 1.0,
            hang: 0,
        }
    }
}

impl Level {
    /// The gains at the beginning and at the end of a frame of this mean magnitude and peak.
    pub(super) fn follow(&mut self, magnitude: f32, peak: u16, is_speech: bool) -> (Gain, Gain) {
        if is_speech {
            self.learn(magnitude);
            self.hang = HANG;
        } else {
            self.hang = self.hang.saturating_sub(1);
        }
        let mut wanted = self.gain;
        if self.hang == 0 {
            wanted = wanted.min((self.applied * FALL).max(1.0));
        }
        let loudest = PEAK / f32::from(peak.max(1));
        wanted = wanted.min(loudest.max(1.0));
        let from = self.applied;
        self.applied = wanted;
        (Gain::from_factor(from), Gain::from_factor(wanted))
    }

    fn learn(&mut self, magnitude: f32) {
        if self.speech == 0.0 {
            self.speech = magnitude;
        }
        let difference = magnitude - self.speech;
        self.speech += difference * if difference > 0.0 { LOUDER } else { SOFTER };
        let needed = (TARGET / self.speech).clamp(LEAST, MOST);
        self.gain = needed.clamp(self.gain * FALL, self.gain * RISE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::mixer::activity::Activity;

    /// The gain in dB after each tick; one in three is a gap with noise at a tenth of the voice.
    fn gains(voice: impl Iterator<Item = f32>) -> Vec<f32> {
        let (mut level, mut activity) = (Level::default(), Activity::default());
        activity.weigh(4.0);
        voice
            .enumerate()
            .map(|(tick, voice)| {
                let magnitude = if tick % 12 < 8 { voice } else { voice / 10.0 };
                let speech = activity.weigh(magnitude);
                let (_, to) = level.follow(magnitude, (4.0 * magnitude) as u16, speech);
                20.0 * (to.steps() as f32 / 4096.0).log10()
            })
            .collect()
    }

    fn level_after(magnitude: f32) -> f32 {
        let gains = gains(std::iter::repeat_n(magnitude, 500));
        magnitude * 10f32.powf(gains[485] / 20.0)
    }

    #[test]
    fn a_whisper_and_a_shout_come_to_the_same_level() {
        for magnitude in [200.0, 400.0, 1500.0, 5900.0] {
            let level = level_after(magnitude);
            assert!((1300.0..1800.0).contains(&level), "{magnitude}: {level}");
        }
        // What lies outside -12 to +18 dB is helped as far as that goes.
        assert!((360.0..=398.0).contains(&level_after(50.0)));
        assert!((2000.0..2200.0).contains(&level_after(8000.0)));
    }

    #[test]
    fn gains_change_slowly() {
        let voice = (0..2000).map(|tick| if tick / 500 % 2 == 0 { 200.0 } else { 7000.0 });
        let gains = gains(voice);
        let (mut up, mut down) = (0f32, 0f32);
        for (tick, pair) in (1..).zip(gains.windows(2)) {
            // A word begins with the gain of the last one, however long the line was let down.
            if (1..8).contains(&(tick % 12)) {
                (up, down) = (up.max(pair[1] - pair[0]), down.min(pair[1] - pair[0]));
            }
        }
        assert!(up < 0.3 && down > -0.7, "{up} {down}");
    }

    #[test]
    fn noise_is_never_lifted() {
        let (mut level, mut activity) = (Level::default(), Activity::default());
        for tick in 0..5000u32 {
            let magnitude = 60.0 + (tick.wrapping_mul(2_654_435_761) >> 28) as f32;
            let speech = activity.weigh(magnitude);
            let (from, to) = level.follow(magnitude, 300, speech);
            assert!(from <= Gain::UNITY && to <= Gain::UNITY, "{tick}");
        }
    }

    #[test]
    fn noise_after_a_whisper_is_let_down_again() {
        let mut level = Level::default();
        for _ in 0..200 {
            level.follow(150.0, 600, true);
        }
        assert!(level.applied > 7.0);
        for _ in 0..60 {
            level.follow(20.0, 80, false);
        }
        assert_eq!(level.applied, 1.0);
        level.follow(150.0, 600, true);
        assert!(
            level.applied > 7.0,
            "the next word is heard from its beginning"
        );
    }
}
