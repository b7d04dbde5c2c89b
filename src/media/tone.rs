//! Sine waves with a phase that runs on from call to call.

use std::f64::consts::TAU;

use super::CLOCK_HZ;

/// Peak of a sine at 0 dBm0: 3.17 dB below the overload point of mu-law (G.711 §4), on our scale.
const PEAK_0_DBM0: f64 = 22_302.0;

/// A sine of one frequency and level.
#[derive(Clone, Debug)]
pub struct Tone {
    step: f64,
    phase: f64,
    amplitude: f64,
}

impl Tone {
    /// Peak of a sine at 0 dBm0 on our scale.
    pub(crate) const PEAK: f64 = PEAK_0_DBM0;

    /// A tone of `hz` at `dbm0` (0 is the digital milliwatt; +3 is the loudest that is not cut).
    pub fn new(hz: f64, dbm0: f64) -> Self {
        Self {
            step: hz / f64::from(CLOCK_HZ),
            phase: 0.0,
            amplitude: PEAK_0_DBM0 * 10f64.powf(dbm0 / 20.0),
        }
    }

    /// The next sample.
    pub fn sample(&mut self) -> i16 {
        let value = self.amplitude * (TAU * self.phase).sin();
        self.phase = (self.phase + self.step).fract();
        value.round() as i16
    }

    /// Fills `samples` with what comes next.
    pub fn fill(&mut self, samples: &mut [i16]) {
        samples.fill_with(|| self.sample());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_second_of_1004_hz_ends_where_it_began() {
        let mut tone = Tone::new(1004.0, 0.0);
        let mut first = [0; 8000];
        tone.fill(&mut first);
        let mut second = [0; 8000];
        tone.fill(&mut second);
        let difference = first.iter().zip(second).map(|(a, b)| (a - b).abs()).max();
        assert!(difference <= Some(1));
        assert_eq!(first.iter().max(), Some(&22_302));
    }
}
