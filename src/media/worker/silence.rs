//! Silence suppression: who hears a mix in which nobody speaks, and agreed on comfort noise, is told
//! what the silence sounds like and then sent nothing (RFC 3389 §4, RFC 3551 §4.1).

use crate::media::NoiseModel;

/// One leg's silence suppression: told what each tick would send, it says what to send. Fixed size.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Suppression {
    /// Ticks in a row without speech.
    quiet: u32,
    /// Mean square of them, recent ones weighing more.
    power: f32,
    /// Level told last, dB below overload, and ticks since; `None` while frames are sent.
    told: Option<(u8, u32)>,
}

/// What to send at a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Due {
    /// The frame as it is.
    Frame,
    /// A description of the silence.
    Noise(NoiseModel),
    /// Nothing.
    Nothing,
}

/// Ticks of silence before any is left out (200 ms): the end of a word is not cut.
const HANGOVER: u32 = 10;
/// A tick louder than this mean square is speech, whoever it comes from (-50 dBov): what is louder
/// is worth its packets, and a model without a spectrum would be heard as another noise.
const LOUDEST: f32 = (32_768.0 * 32_768.0) * 1e-5;
/// So is, of somebody who talks, all but the gaps between words (-65 dBov).
const SOFTEST: f32 = (32_768.0 * 32_768.0) * 3.2e-7;
/// A change of the level by this many dB is told ...
const CHANGE: u8 = 4;
/// ... but not within 100 ms of the last word: noise goes up and down.
const CHANGE_AFTER: u32 = 5;
/// The level is told anew every second: the packet that told it may have been lost.
const REPEAT: u32 = 50;
/// What a tick weighs in the level.
const WEIGHT: f32 = 1.0 / 8.0;

impl Suppression {
    /// Takes in the mean square of the frame that is due, and whether somebody talks in it.
    pub(super) fn weigh(&mut self, power: f32, is_speech: bool) -> Due {
        if power > if is_speech { SOFTEST } else { LOUDEST } {
            self.quiet = 0;
            return Due::Frame;
        }
        let weight = if self.quiet == 0 { 1.0 } else { WEIGHT };
        self.power += (power - self.power) * weight;
        self.quiet = self.quiet.saturating_add(1);
        if self.quiet <= HANGOVER {
            return Due::Frame;
        }
        let model = NoiseModel::of_power(self.power.into());
        let level = model.level_dbov();
        let is_due = self.told.is_none_or(|(told, ticks)| {
            let is_other = level.abs_diff(told) >= CHANGE && ticks >= CHANGE_AFTER;
            is_other || ticks >= REPEAT
        });
        if is_due {
            self.told = Some((level, 1));
            return Due::Noise(model);
        }
        if let Some((_, ticks)) = &mut self.told {
            *ticks += 1;
        }
        Due::Nothing
    }

    /// A frame is sent: says whether that ends a silence, so that the marker belongs on it.
    pub(super) fn end(&mut self) -> bool {
        self.told.take().is_some()
    }

    /// Something else is sent than the mix: its silence begins anew.
    pub(super) fn interrupt(&mut self) {
        self.quiet = 0;
    }
}

/// Mean square of a frame.
pub(super) fn power(frame: &[i16]) -> f32 {
    let energy: u64 = frame
        .iter()
        .map(|sample| u64::from(sample.unsigned_abs()).pow(2))
        .sum();
    energy as f32 / frame.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean square of a level in dB below overload.
    fn at(level: i32) -> f32 {
        32_768.0 * 32_768.0 * 10_f32.powf(-level as f32 / 10.0)
    }

    /// Ticks at which noise is told, with its level; frames are sent before the first.
    fn told(levels: impl Iterator<Item = i32>) -> Vec<(usize, u8)> {
        let mut silence = Suppression::default();
        let dues = levels.map(|level| silence.weigh(at(level), false));
        dues.enumerate()
            .filter_map(|(tick, due)| match due {
                Due::Noise(model) => Some((tick, model.level_dbov())),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn silence_is_told_after_a_while_and_every_second() {
        assert_eq!(
            told(std::iter::repeat_n(60, 112)),
            [(10, 60), (60, 60), (110, 60)]
        );
        let mut silence = Suppression::default();
        for _ in 0..10 {
            assert_eq!(silence.weigh(0.0, false), Due::Frame);
            assert!(!silence.end(), "no silence has begun");
        }
        assert_eq!(
            silence.weigh(0.0, false),
            Due::Noise(NoiseModel::white(127))
        );
        assert_eq!(silence.weigh(0.0, false), Due::Nothing);
        assert_eq!(silence.weigh(at(40), false), Due::Frame);
        assert_eq!((silence.end(), silence.end()), (true, false));
    }

    #[test]
    fn another_level_is_told_soon_and_a_flickering_one_is_not() {
        let step = (0..40).map(|tick| if tick < 20 { 70 } else { 58 });
        let [(10, 70), (20..=25, first), rest @ ..] = &told(step)[..] else {
            panic!("told at once");
        };
        // The rest of the way in one word more, at most two.
        let (last, count) = rest.last().map_or((*first, 0), |last| (last.1, rest.len()));
        assert!(last.abs_diff(58) < CHANGE && count <= 2, "{rest:?}");
        let flicker = (0..61).map(|tick| 62 + tick % 3);
        assert_eq!(told(flicker).len(), 2);
    }

    #[test]
    fn speech_is_never_left_out_however_soft() {
        let mut silence = Suppression::default();
        for tick in 0..100 {
            let (power, is_speech) = [(at(62), true), (at(45), false)][tick % 2];
            assert_eq!(silence.weigh(power, is_speech), Due::Frame);
        }
        // Nine ticks between two words are sent.
        for tick in 0..100 {
            let power = if tick % 10 == 0 { at(30) } else { 0.0 };
            assert_eq!(silence.weigh(power, false), Due::Frame);
        }
    }

    #[test]
    fn power_is_the_mean_square() {
        assert_eq!(power(&[]), 0.0);
        assert_eq!(power(&[i16::MIN; 960]), 32_768.0 * 32_768.0);
        assert_eq!(power(&[3, -3, 0, 0]), 4.5);
    }
}
