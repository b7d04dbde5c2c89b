//! A voice for tests, made of nothing but numbers: syllables of a gliding pitch and changing vowels,
//! hissing between some, and pauses.

use crate::base::Entropy;
use crate::media::Rate;

/// Some seconds of it, as loud as people speak; the same seed says the same.
pub(crate) fn sentence(rate: Rate, seconds: usize, seed: u64) -> Vec<i16> {
    let mut entropy = Entropy::from_seed(seed);
    let hz = f64::from(rate.hz());
    let total = seconds * rate.hz() as usize;
    let mut spoken = Vec::with_capacity(total);
    let mut mouth = [Resonance::default(); 4];
    let mut turn = 0.0;
    while spoken.len() < total {
        let length = ((0.12 + entropy.below(120) as f64 / 1000.0) * hz) as usize;
        let kind = entropy.below(8);
        let vowel = VOWELS[entropy.below(5) as usize];
        let (begin, end) = (90 + entropy.below(80), 90 + entropy.below(80));
        for (resonance, centre) in mouth.iter_mut().zip(vowel) {
            resonance.tune(centre, hz);
        }
        for i in 0..length {
            let through = i as f64 / length as f64;
            let swell = (through * std::f64::consts::PI).sin().sqrt();
            let pitch = begin as f64 + (end as f64 - begin as f64) * through;
            turn += pitch / hz;
            let breath = entropy.below(2001) as f64 / 1000.0 - 1.0;
            let source = match kind {
                0 => 0.0,
                1 => breath * 0.5,
                _ if turn >= 1.0 => hz / 800.0,
                _ => breath * 0.02,
            };
            turn = turn.fract();
            let voice: f64 = match kind {
                1 => breath * 0.1 - mouth[0].pass(breath) * 0.1,
                _ => mouth
                    .iter_mut()
                    .map(|resonance| resonance.pass(source))
                    .sum(),
            };
            spoken.push((voice * swell * 6000.0).clamp(-30_000.0, 30_000.0) as i16);
        }
    }
    spoken.truncate(total);
    spoken
}

/// Formants of five vowels, Hz.
const VOWELS: [[f64; 4]; 5] = [
    [730.0, 1090.0, 2440.0, 3500.0],
    [270.0, 2290.0, 3010.0, 3700.0],
    [300.0, 870.0, 2240.0, 3300.0],
    [530.0, 1840.0, 2480.0, 3500.0],
    [570.0, 840.0, 2410.0, 3300.0],
];

/// One formant: a resonator of two poles, 80 Hz wide.
#[derive(Clone, Copy, Default)]
struct Resonance {
    once: f64,
    twice: f64,
    before: [f64; 2],
}

impl Resonance {
    fn tune(&mut self, centre: f64, hz: f64) {
        let radius = (-std::f64::consts::PI * 80.0 / hz).exp();
        self.once = 2.0 * radius * (std::f64::consts::TAU * centre / hz).cos();
        self.twice = -radius * radius;
    }

    fn pass(&mut self, source: f64) -> f64 {
        let out = source * 0.1 + self.once * self.before[0] + self.twice * self.before[1];
        self.before = [out, self.before[0]];
        out
    }
}
