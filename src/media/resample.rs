//! Between the three rates, by linear-phase filters of the ratios 2, 3 and 6.
//!
//! One polyphase filter each: at the higher of the two rates, 1.5 ms of delay and a transition as
//! wide as telephony's own (ITU-T G.712: flat to 3.4 kHz, nothing from 4.6 on), so that what folds
//! over lies above what a telephone lets through. Between 16 and 48 kHz it lies at 7 and 9.

use std::sync::LazyLock;
use std::time::Duration;

use super::{MAX_FRAME, Rate};

/// From one rate to another, one stream of it. Nothing in it allocates.
#[derive(Clone, Debug)]
pub struct Resampler {
    from: Rate,
    to: Rate,
    filter: Option<&'static Filter>,
    /// The last samples before the next, oldest first.
    history: [f32; HISTORY],
}

impl Resampler {
    /// A resampler that has heard nothing. The first of a pair of rates computes its filter, in a
    /// few microseconds.
    pub fn new(from: Rate, to: Rate) -> Self {
        Self {
            from,
            to,
            filter: Filter::between(from, to),
            history: [0.0; HISTORY],
        }
    }

    /// The rate of what goes in.
    pub fn from(&self) -> Rate {
        self.from
    }

    /// The rate of what comes out.
    pub fn to(&self) -> Rate {
        self.to
    }

    /// How much later it comes out.
    pub fn delay(&self) -> Duration {
        let higher = self.from.max(self.to).hz();
        let Some(filter) = self.filter else {
            return Duration::ZERO;
        };
        let samples = (filter.length - 1) as f64 / 2.0;
        // Downwards, what comes out stands for the last of the samples that it is made of.
        let early = match self.from > self.to {
            true => filter.ratio as f64 - 1.0,
            false => 0.0,
        };
        Duration::from_secs_f64((samples - early) / f64::from(higher))
    }

    /// Resamples whole frames of 20 ms or parts of one: at most as many samples as a frame has, and
    /// as many as make a whole number on the other side.
    pub fn process(&mut self, input: &[i16], output: &mut [i16]) {
        let Some(filter) = self.filter else {
            let length = input.len().min(output.len());
            output[..length].copy_from_slice(&input[..length]);
            return;
        };
        let input = &input[..input.len().min(self.from.frame())];
        let mut line = [0.0; HISTORY + MAX_FRAME];
        line[..HISTORY].copy_from_slice(&self.history);
        for (place, sample) in line[HISTORY..].iter_mut().zip(input) {
            *place = f32::from(*sample);
        }
        let line = &line[..HISTORY + input.len()];
        match self.from < self.to {
            true => filter.up(line, output),
            false => filter.down(line, output),
        }
        self.history.copy_from_slice(&line[input.len()..]);
    }
}

/// A low-pass filter at the higher of two rates.
#[derive(Debug)]
struct Filter {
    ratio: usize,
    /// Coefficients, an odd number.
    length: usize,
    /// Downwards: all coefficients, the last sample's last, zeros before them.
    whole: [f32; HISTORY],
    /// Upwards: what each of the `ratio` phases takes of the last samples.
    phases: [[f32; PHASE]; 6],
}

impl Filter {
    fn between(from: Rate, to: Rate) -> Option<&'static Self> {
        static DOUBLE: LazyLock<Filter> = LazyLock::new(|| Filter::design(2, 47));
        static TRIPLE: LazyLock<Filter> = LazyLock::new(|| Filter::design(3, 71));
        static SEXTUPLE: LazyLock<Filter> = LazyLock::new(|| Filter::design(6, 143));
        let (low, high) = (from.min(to), from.max(to));
        match high.hz() / low.hz() {
            2 => Some(&DOUBLE),
            3 => Some(&TRIPLE),
            6 => Some(&SEXTUPLE),
            _ => None,
        }
    }

    /// A sinc that is cut off at half of the lower rate, in a Kaiser window.
    fn design(ratio: usize, length: usize) -> Self {
        let middle = (length / 2) as f64;
        let cut_off = 1.0 / ratio as f64;
        let taps = (0..length).map(|index| {
            let from_middle = index as f64 - middle;
            let place = std::f64::consts::PI * from_middle * cut_off;
            let sinc = if from_middle == 0.0 {
                1.0
            } else {
                place.sin() / place
            };
            let window = bessel(BETA * (1.0 - (from_middle / (middle + 1.0)).powi(2)).sqrt());
            sinc * window
        });
        let taps: Vec<f64> = taps.collect();
        let sum: f64 = taps.iter().sum();
        let mut filter = Self {
            ratio,
            length,
            whole: [0.0; HISTORY],
            phases: [[0.0; PHASE]; 6],
        };
        for (index, tap) in taps.iter().enumerate() {
            let tap = (tap / sum) as f32;
            filter.whole[HISTORY - 1 - index] = tap;
            filter.phases[index % ratio][PHASE - 1 - index / ratio] = tap * ratio as f32;
        }
        filter
    }

    fn up(&self, line: &[f32], output: &mut [i16]) {
        let phases = &self.phases[..self.ratio];
        let places = line.windows(PHASE).skip(HISTORY - PHASE + 1);
        for (window, group) in places.zip(output.chunks_exact_mut(self.ratio)) {
            for (phase, sample) in phases.iter().zip(group) {
                *sample = rounded(dot(phase, window));
            }
        }
    }

    fn down(&self, line: &[f32], output: &mut [i16]) {
        let length = self.length.next_multiple_of(LANES);
        let taps = &self.whole[HISTORY - length..];
        // The window that ends with the last of each `ratio` new samples.
        let places = line.windows(length).skip(HISTORY - length + self.ratio);
        for (window, sample) in places.step_by(self.ratio).zip(output) {
            *sample = rounded(dot(taps, window));
        }
    }
}

/// In lanes, so that the compiler may add them side by side.
fn dot(taps: &[f32], window: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    for (taps, window) in taps.chunks_exact(LANES).zip(window.chunks_exact(LANES)) {
        for lane in 0..LANES {
            lanes[lane] += taps[lane] * window[lane];
        }
    }
    lanes.iter().sum()
}

/// To the nearest, saturating as casts are. What is added leaves no room for a fraction: without
/// an instruction of its own, which not every processor of the architecture has, rounding is a call.
fn rounded(value: f32) -> i16 {
    const NO_FRACTION: f32 = (3 << 22) as f32;
    ((value + NO_FRACTION) - NO_FRACTION) as i16
}

/// The modified Bessel function of the first kind and order 0, by its series.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    (1..40).fold(1.0, |sum, k| {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum + term
    })
}

/// Additions side by side.
const LANES: usize = 8;

/// Samples that one phase of each filter takes: its length by its ratio, rounded up.
const PHASE: usize = 24;

/// Samples kept: what the longest filter takes, rounded up to whole lanes.
const HISTORY: usize = 144;

/// Kaiser's parameter for 60 dB.
const BETA: f64 = 5.65;

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: [(Rate, Rate); 6] = [
        (Rate::Narrow, Rate::Wide),
        (Rate::Wide, Rate::Narrow),
        (Rate::Narrow, Rate::Full),
        (Rate::Full, Rate::Narrow),
        (Rate::Wide, Rate::Full),
        (Rate::Full, Rate::Wide),
    ];

    /// Half a second of a tone through a resampler, frame by frame; the first frame cut off.
    fn through(from: Rate, to: Rate, hz: f64, level: f64) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to);
        let turn = std::f64::consts::TAU * hz / f64::from(from.hz());
        let tone = |i: usize| ((i as f64 * turn).sin() * level).round() as i16;
        let tone: Vec<i16> = (0..25 * from.frame()).map(tone).collect();
        let mut heard = Vec::new();
        for frame in tone.chunks_exact(from.frame()) {
            let mut output = [0; MAX_FRAME];
            resampler.process(frame, &mut output[..to.frame()]);
            heard.extend(&output[..to.frame()]);
        }
        heard.split_off(to.frame())
    }

    /// The tone in the samples, and the rest: mean squares; and the tone's phase, turns.
    fn fit(samples: &[i16], hz: f64, rate: Rate) -> (f64, f64, f64) {
        let turn = std::f64::consts::TAU * hz / f64::from(rate.hz());
        let length = samples.len() as f64;
        let parts = samples.iter().enumerate().map(|(i, sample)| {
            let (sine, cosine) = (i as f64 * turn).sin_cos();
            let sample = f64::from(*sample);
            [sample * sine, sample * cosine, sample * sample]
        });
        let sums = parts.fold([0.0; 3], |sum, part| {
            std::array::from_fn(|i| sum[i] + part[i])
        });
        let [sine, cosine, energy] = sums.map(|sum| sum / length);
        let tone = 2.0 * (sine * sine + cosine * cosine);
        let phase = cosine.atan2(sine) / std::f64::consts::TAU;
        (tone, (energy - tone).max(0.0), phase)
    }

    fn decibel(ratio: f64) -> f64 {
        10.0 * ratio.log10()
    }

    const LEVEL: f64 = 12_000.0;
    const POWER: f64 = LEVEL * LEVEL / 2.0;

    #[test]
    fn is_flat_over_the_telephones_band_and_clean() {
        for (from, to) in PAIRS {
            let last = if from.min(to) == Rate::Narrow { 34 } else { 68 };
            for hz in (1..=last).map(|hundreds| f64::from(hundreds) * 100.0) {
                let (tone, rest, _) = fit(&through(from, to, hz, LEVEL), hz, to);
                let gain = decibel(tone / POWER);
                assert!(gain.abs() < 0.5, "{from:?} to {to:?}, {hz} Hz: {gain} dB");
                let rest = decibel(rest / POWER);
                assert!(
                    rest < -50.0,
                    "{from:?} to {to:?}, {hz} Hz: {rest} dB beside"
                );
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_gone() {
        for (from, to) in PAIRS.into_iter().filter(|(from, to)| from > to) {
            let first = if to == Rate::Narrow { 46 } else { 92 };
            let last = from.hz() as i32 / 200;
            for hz in (first..last).map(|hundreds| f64::from(hundreds) * 100.0) {
                let (tone, rest, _) = fit(&through(from, to, hz, LEVEL), 1000.0, to);
                let left = decibel((tone + rest) / POWER);
                assert!(left < -50.0, "{from:?} to {to:?}, {hz} Hz: {left} dB");
            }
        }
    }

    #[test]
    fn the_delay_is_what_it_says_and_short() {
        for (from, to) in PAIRS {
            let delay = Resampler::new(from, to).delay().as_secs_f64();
            assert!((0.0005..0.0016).contains(&delay), "{delay}");
            // A turn of 100 Hz is 10 ms; a frame is two.
            let (_, _, phase) = fit(&through(from, to, 100.0, LEVEL), 100.0, to);
            let late = -phase / 100.0;
            assert!(
                (late - delay).abs() < 0.000_01,
                "{from:?} to {to:?}: {late} and {delay}"
            );
        }
    }

    #[test]
    fn overload_is_cut_and_does_not_turn_over() {
        for (from, to) in PAIRS {
            let mut resampler = Resampler::new(from, to);
            let half = from.frame() / 4;
            let loud: Vec<i16> = (0..from.frame())
                .map(|i| {
                    if i / half % 2 == 0 {
                        i16::MAX
                    } else {
                        i16::MIN
                    }
                })
                .collect();
            let mut heard = [0; MAX_FRAME];
            resampler.process(&loud, &mut heard);
            // Amid each half, where nothing rings any more.
            assert!(heard[to.frame() / 4 - 1] > 32_000);
            assert!(heard[to.frame() / 2 - 1] < -32_000);
        }
    }

    #[test]
    fn the_same_rate_is_a_copy_and_parts_of_a_frame_make_the_same() {
        let mut same = Resampler::new(Rate::Wide, Rate::Wide);
        let mut output = [0; 320];
        same.process(&[7; 320], &mut output);
        assert_eq!((output, same.delay()), ([7; 320], Duration::ZERO));
        let tone: Vec<i16> = (0..960).map(|i| (i * 37 % 501) as i16 * 20).collect();
        let mut whole = Resampler::new(Rate::Full, Rate::Narrow);
        let mut parts = whole.clone();
        let (mut once, mut twice) = ([0; 160], [0; 160]);
        whole.process(&tone, &mut once);
        parts.process(&tone[..480], &mut twice[..80]);
        parts.process(&tone[480..], &mut twice[80..]);
        assert_eq!(once, twice);
    }
}
