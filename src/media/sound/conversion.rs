//! From any sampling rate to any other, for sounds that lie there whole.
//!
//! A windowed sinc (Kaiser, 80 dB) around each sample: flat to 0.9 of the lower Nyquist frequency,
//! without delay. What lies before the beginning is the end: a loop stays one. For voices as they
//! come there is `resample`.

use std::f64::consts::PI;
use std::ops::Range;

/// One ratio of rates.
#[derive(Debug)]
pub(super) struct Conversion {
    /// The rates without their common divisor.
    from: u64,
    to: u64,
    /// Weights of the samples around each of `to` positions between two of them.
    phases: Vec<f32>,
    /// Samples weighed for one.
    taps: usize,
}

/// Zero crossings of the sinc to each side.
const CROSSINGS: f64 = 32.0;
/// Shape of the window: 80 dB.
const BETA: f64 = 7.86;

impl Conversion {
    /// Between two rates, Hz, neither 0.
    pub(super) fn new(from: u32, to: u32) -> Self {
        let divisor = greatest_common_divisor(from, to);
        let (from, to) = (from / divisor, to / divisor);
        // Downwards the filter is as much longer as the rate is lower.
        let width = (f64::from(from) / f64::from(to)).max(1.0);
        let half = (CROSSINGS * width).ceil();
        let mut conversion = Self {
            from: from.into(),
            to: to.into(),
            phases: Vec::new(),
            taps: 2 * half as usize,
        };
        if from != to {
            for phase in 0..to {
                let offset = f64::from(phase) / f64::from(to);
                let weight = |tap: usize| {
                    let distance = tap as f64 + 1.0 - half - offset;
                    sinc(distance / width) * window(distance / (CROSSINGS * width))
                };
                let sum: f64 = (0..conversion.taps).map(weight).sum();
                let weights = (0..conversion.taps).map(|tap| (weight(tap) / sum) as f32);
                conversion.phases.extend(weights);
            }
        }
        conversion
    }

    /// Part of what `samples` become; positions are those of the new rate.
    pub(super) fn convert(&self, samples: &[i16], range: Range<usize>) -> Vec<i16> {
        let mut around = vec![0.0; self.taps];
        let sample = |place: i64| {
            let place = place.rem_euclid(samples.len().max(1) as i64);
            samples.get(place as usize).copied().unwrap_or(0)
        };
        let mut have = None;
        let converted = range.map(|place| {
            let at = place as u64 * self.from;
            let (whole, phase) = ((at / self.to) as i64, (at % self.to) as usize);
            if self.phases.is_empty() {
                return sample(whole);
            }
            let first = whole + 1 - self.taps as i64 / 2;
            if have != Some(first) {
                fill(&mut around, samples, first, sample);
                have = Some(first);
            }
            let weights = &self.phases[phase * self.taps..][..self.taps];
            dot(&around, weights).round() as i16
        });
        converted.collect()
    }
}

/// Puts the samples from `first` on into `around`.
fn fill(around: &mut [f32], samples: &[i16], first: i64, sample: impl Fn(i64) -> i16) {
    let inside = usize::try_from(first)
        .ok()
        .and_then(|first| samples.get(first..));
    match inside.and_then(|rest| rest.get(..around.len())) {
        Some(inside) => {
            for (place, sample) in around.iter_mut().zip(inside) {
                *place = f32::from(*sample);
            }
        }
        None => {
            for (place, tap) in around.iter_mut().zip(first..) {
                *place = f32::from(sample(tap));
            }
        }
    }
}

/// The sum of products, in eight parts that the processor works out at once.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let whole = a.len() / 8 * 8;
    let rest: f32 = a[whole..].iter().zip(&b[whole..]).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    (PI * x).sin() / (PI * x)
}

/// The Kaiser window, `x` from -1 to 1.
fn window(x: f64) -> f64 {
    let inside = (1.0 - x * x).max(0.0).sqrt();
    bessel(BETA * inside) / bessel(BETA)
}

/// The modified Bessel function of the first kind and order 0.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 1..40 {
        term *= (x / 2.0 / f64::from(n)).powi(2);
        sum += term;
    }
    sum
}

fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Tone;

    fn tone(hz: f64, rate: u32, amplitude: f64) -> Vec<i16> {
        // 0.2 s: a whole number of periods at every rate for multiples of 5 Hz.
        let turn = 2.0 * PI * hz / f64::from(rate);
        let sample = |n: u32| (amplitude * (turn * f64::from(n)).sin()).round() as i16;
        (0..rate / 5).map(sample).collect()
    }

    fn level_db(samples: &[i16]) -> f64 {
        let energy: f64 = samples
            .iter()
            .map(|sample| f64::from(*sample).powi(2))
            .sum();
        10.0 * (energy / samples.len() as f64).max(1e-3).log10()
    }

    const RATES: [u32; 7] = [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000];

    #[test]
    fn a_tone_is_the_same_tone_at_every_rate_from_end_to_end() {
        for from in RATES {
            for to in [8000, 16_000, 48_000] {
                for hz in [300.0, 1000.0, 3400.0] {
                    let source = tone(hz, from, 10_000.0);
                    let wanted = tone(hz, to, 10_000.0);
                    let got = Conversion::new(from, to).convert(&source, 0..wanted.len());
                    let pairs = got.iter().zip(&wanted);
                    let error: Vec<i16> = pairs.map(|(got, wanted)| got - wanted).collect();
                    let distance = level_db(&wanted) - level_db(&error);
                    assert!(distance > 60.0, "{hz} Hz, {from} to {to}: {distance:.1} dB");
                }
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_gone() {
        for (from, to, hz) in [
            (48_000, 8000, 4600.0),
            (44_100, 8000, 6000.0),
            (48_000, 16_000, 9200.0),
        ] {
            let source = tone(hz, from, 10_000.0);
            let got = Conversion::new(from, to).convert(&source, 0..to as usize / 5);
            let distance = level_db(&source) - level_db(&got);
            assert!(distance > 70.0, "{hz} Hz, {from} to {to}: {distance:.1} dB");
        }
    }

    #[test]
    fn a_part_is_what_the_whole_has_there() {
        let mut source = vec![0; 4410];
        Tone::new(700.0, -10.0).fill(&mut source);
        let conversion = Conversion::new(44_100, 16_000);
        let whole = conversion.convert(&source, 0..1600);
        assert_eq!(conversion.convert(&source, 320..640), whole[320..640]);
        assert_eq!(
            Conversion::new(8000, 8000).convert(&source, 7..9),
            source[7..9]
        );
        assert_eq!(conversion.convert(&[], 0..2), [0, 0]);
    }
}
