//! Comfort noise (RFC 3389): what is heard while the far end sends no silence.
//!
//! A payload is a level and, optionally, reflection coefficients of an all-pole filter that shapes
//! white noise like the far end's room. The model is one of sound at 8 kHz, the clock of payload
//! type 13; for a wider rate what it makes is interpolated.

use crate::media::{FRAME_SAMPLES, Rate, Resampler};

/// Background noise as a payload describes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseModel {
    level_dbov: u8,
    reflections: [f32; MAX_ORDER],
    order: usize,
}

impl NoiseModel {
    /// White noise of a level, dB below overload (0 loudest, 127 silence; more is 127).
    pub fn white(level_dbov: u8) -> Self {
        Self {
            level_dbov: level_dbov.min(SILENT),
            reflections: [0.0; MAX_ORDER],
            order: 0,
        }
    }

    /// Reads a payload (RFC 3389 §3). An empty one is none, and coefficients past the tenth, which
    /// no noise needs, are passed over.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (level, indices) = payload.split_first()?;
        // The first bit is reserved.
        let mut model = Self::white(level & 0x7f);
        for (reflection, index) in model.reflections.iter_mut().zip(indices) {
            // §3.2: 258 (N - 127) in Q15. What is close to 1 is no noise any more but a tone that
            // takes seconds to come and go, and beyond it grows for ever.
            let coefficient = f32::from(i16::from(*index) - 127) * (258.0 / 32_768.0);
            *reflection = coefficient.clamp(-0.98, 0.98);
            model.order += 1;
        }
        Some(model)
    }

    /// The level of noise that these samples are, so that [`NoiseModel::to_payload`] tells of it.
    pub fn of(samples: &[i16]) -> Self {
        let energy: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
        Self::of_power(energy / samples.len().max(1) as f64)
    }

    /// The level of noise of this mean square.
    pub fn of_power(mean: f64) -> Self {
        let level = -10.0 * (mean / (OVERLOAD * OVERLOAD)).log10();
        Self::white(level.round().clamp(0.0, f64::from(SILENT)) as u8)
    }

    /// Its level, dB below overload: 0 to 127.
    pub fn level_dbov(&self) -> u8 {
        self.level_dbov
    }

    /// The payload of white noise of this level; spectra are not passed on.
    pub fn to_payload(self) -> [u8; 1] {
        [self.level_dbov]
    }

    /// What white noise of variance 1 is to be multiplied by before it is shaped, so that it has
    /// the level afterwards.
    fn gain(&self) -> f32 {
        if self.level_dbov >= SILENT {
            return 0.0;
        }
        let level = OVERLOAD as f32 * 10.0_f32.powf(-f32::from(self.level_dbov) / 20.0);
        // The prediction gain of the filter.
        let reflections = self.reflections[..self.order].iter();
        let kept: f32 = reflections.map(|k| 1.0 - k * k).product();
        level * kept.sqrt()
    }
}

/// Makes noise to a model, one stream of it. Nothing in it allocates.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    model: NoiseModel,
    /// What is multiplied with now; it moves to the model's, so that a change is no step.
    gain: f32,
    /// The lattice filter's memory.
    backward: [f32; MAX_ORDER],
    chance: u64,
    up: Resampler,
}

impl ComfortNoise {
    /// A source of noise at a rate; no two seeds make the same.
    pub fn new(rate: Rate, model: NoiseModel, seed: u64) -> Self {
        Self {
            gain: model.gain(),
            model,
            backward: [0.0; MAX_ORDER],
            // Zero is where this generator would stay.
            chance: seed | 1 << 63,
            up: Resampler::new(Rate::Narrow, rate),
        }
    }

    /// Another payload came: what is made changes to it within a frame.
    pub fn set(&mut self, model: NoiseModel) {
        self.model = model;
    }

    /// Fills a frame of 20 ms with noise; at most one.
    pub fn fill(&mut self, samples: &mut [i16]) {
        let mut narrow = [0; FRAME_SAMPLES];
        let target = self.model.gain();
        let step = (target - self.gain) / FRAME_SAMPLES as f32;
        for sample in &mut narrow {
            self.gain += step;
            let white = self.white() * self.gain;
            *sample = self.shape(white) as i16;
        }
        self.gain = target;
        self.up.process(&narrow, samples);
    }

    /// The all-pole lattice: from white to the room's spectrum.
    fn shape(&mut self, white: f32) -> f32 {
        let mut forward = white;
        for index in (0..self.model.order).rev() {
            let reflection = self.model.reflections[index];
            forward -= reflection * self.backward[index];
            let backward = self.backward[index] + reflection * forward;
            if let Some(next) = self.backward.get_mut(index + 1) {
                *next = backward;
            }
        }
        self.backward[0] = forward;
        forward
    }

    /// About Gaussian, variance 1: four even ones added up (xorshift64).
    fn white(&mut self) -> f32 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        let parts = self.chance.to_le_bytes();
        let sum: i32 = parts
            .chunks_exact(2)
            .map(|two| i32::from(i16::from_le_bytes([two[0], two[1]])))
            .sum();
        // Of each part, the variance is 65,536² / 12.
        sum as f32 * (3.0_f32.sqrt() / 65_536.0)
    }
}

/// Reflection coefficients made use of.
const MAX_ORDER: usize = 10;

/// The level that means silence.
const SILENT: u8 = 127;

/// 0 dBov, linear: a square wave that just does not overload.
const OVERLOAD: f64 = 32_768.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::MAX_FRAME;

    /// A second of noise, the first frame cut off.
    fn second(rate: Rate, model: NoiseModel) -> Vec<i16> {
        let mut noise = ComfortNoise::new(rate, model, 5);
        let mut heard = Vec::new();
        for _ in 0..51 {
            let mut frame = [0; MAX_FRAME];
            noise.fill(&mut frame[..rate.frame()]);
            heard.extend(&frame[..rate.frame()]);
        }
        heard.split_off(rate.frame())
    }

    /// How alike neighbours are: -1 to 1.
    fn correlation(samples: &[i16]) -> f64 {
        let of = |a: i16, b: i16| f64::from(a) * f64::from(b);
        let alike: f64 = samples.windows(2).map(|two| of(two[0], two[1])).sum();
        alike
            / samples
                .iter()
                .map(|sample| of(*sample, *sample))
                .sum::<f64>()
    }

    #[test]
    fn the_level_is_the_payloads_at_each_rate() {
        for rate in Rate::ALL {
            for level in [30_u8, 50, 65] {
                for payload in [
                    &[level][..],
                    &[level, 60, 90],
                    &[level | 0x80, 40, 200, 127],
                ] {
                    let model = NoiseModel::parse(payload).unwrap();
                    let heard = NoiseModel::of(&second(rate, model)).level_dbov();
                    let shown = (heard, level, rate, payload);
                    assert!(heard.abs_diff(level) <= 1, "{shown:?}");
                }
            }
        }
    }

    #[test]
    fn reflection_coefficients_shape_it() {
        let noise = |payload: &[u8]| second(Rate::Narrow, NoiseModel::parse(payload).unwrap());
        // The first coefficient is the correlation of neighbours, the sign turned.
        assert!(correlation(&noise(&[40])).abs() < 0.05);
        let deep = correlation(&noise(&[40, 127 - 80]));
        assert!((deep - 80.0 * 258.0 / 32_768.0).abs() < 0.05, "{deep}");
        let sharp = correlation(&noise(&[40, 127 + 80]));
        assert!((sharp + 80.0 * 258.0 / 32_768.0).abs() < 0.05, "{sharp}");
    }

    #[test]
    fn silence_is_silent_and_a_change_is_no_step() {
        let mut noise = ComfortNoise::new(Rate::Narrow, NoiseModel::white(127), 9);
        let mut frame = [1; 160];
        noise.fill(&mut frame);
        assert_eq!(frame, [0; 160]);
        noise.set(NoiseModel::white(30));
        noise.fill(&mut frame);
        let early = NoiseModel::of(&frame[..40]).level_dbov();
        let late = NoiseModel::of(&frame[120..]).level_dbov();
        assert!(early > late + 8 && late < 34, "{early} {late}");
    }

    #[test]
    fn a_level_goes_there_and_back() {
        assert_eq!(NoiseModel::of(&[]).level_dbov(), 127);
        assert_eq!(NoiseModel::of(&[0; 160]).level_dbov(), 127);
        assert_eq!(NoiseModel::of(&[i16::MIN; 160]).level_dbov(), 0);
        let model = NoiseModel::of(&[33; 160]);
        assert_eq!(model.to_payload(), [60]);
        assert_eq!(NoiseModel::parse(&model.to_payload()), Some(model));
        assert_eq!(NoiseModel::parse(&[]), None);
    }

    #[test]
    fn no_payload_makes_it_run_away() {
        let mut entropy = crate::base::Entropy::from_seed(3389);
        for _ in 0..300 {
            let length = 1 + entropy.below(40) as usize;
            let mut payload: Vec<u8> = (0..length).map(|_| entropy.below(256) as u8).collect();
            payload[0] = 40;
            let model = NoiseModel::parse(&payload).unwrap();
            let heard = NoiseModel::of(&second(Rate::Narrow, model)).level_dbov();
            assert!(heard >= 25, "{payload:?}: {heard}");
        }
    }
}
