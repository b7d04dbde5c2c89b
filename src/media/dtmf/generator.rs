//! Keys as sound (ITU-T Q.23), for a far end that hears them no other way.

use std::f64::consts::TAU;

use super::Queue;
use crate::media::Rate;

/// The generator of one leg. Never allocates.
#[derive(Clone, Debug)]
pub struct Generator {
    queue: Queue,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    /// Samples that are left of the silence after a key.
    Pause(u32),
    Sounding(Pair),
}

/// Both tones of a key.
#[derive(Clone, Copy, Debug)]
struct Pair {
    low: Sine,
    high: Sine,
    /// Samples that are left.
    left: u32,
}

/// A sine by its recurrence: one multiplication a sample, and no drift worth a name in a minute.
#[derive(Clone, Copy, Debug)]
struct Sine {
    twice_cos: f64,
    one: f64,
    two: f64,
}

/// The keypad's rows and columns (Q.23 §2), by the order of event codes.
const TONES: [(u16, u16); 16] = {
    let (low, high) = ([697, 770, 852, 941], [1209, 1336, 1477, 1633]);
    // 0 to 9, *, #, A to D: place on the keypad, row by row.
    let places = [13, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 14, 3, 7, 11, 15];
    let mut tones = [(0, 0); 16];
    let mut event = 0;
    while event < 16 {
        tones[event] = (low[places[event] / 4], high[places[event] % 4]);
        event += 1;
    }
    tones
};

/// Peak of a sine at 0 dBm0 on our scale.
const PEAK_0_DBM0: f64 = 22_302.0;

/// Levels of both groups, dBm0: what telephones send, the high group louder for what lines take
/// away more of it.
const LEVELS: (f64, f64) = (-8.0, -6.0);

/// Silence after a key, ms; Q.24 asks for 40 to 70.
const PAUSE_MS: u32 = 80;

/// The end fades, that it be no click, ms.
const FADE_MS: u32 = 2;

impl Default for Generator {
    fn default() -> Self {
        Self::new()
    }
}

impl Generator {
    /// Nothing to send.
    pub fn new() -> Self {
        Self {
            queue: Queue::new(),
            state: State::Idle,
        }
    }

    /// Appends a digit to be held for `ms`; `false` when it is none or the queue is full.
    pub fn push(&mut self, digit: char, ms: u32) -> bool {
        self.queue.push(digit, ms)
    }

    /// Whether a digit is being sent or waits.
    pub fn is_active(&self) -> bool {
        !self.queue.is_empty() || !matches!(self.state, State::Idle)
    }

    /// Fills what comes next of the outgoing sound, any number of samples, with tones and the
    /// silence between them; the same `rate` for all of a key. `false`, and nothing written, when
    /// there is no digit to send.
    pub fn fill(&mut self, samples: &mut [i16], rate: Rate) -> bool {
        if !self.is_active() {
            return false;
        }
        for sample in samples {
            *sample = self.sample(rate);
        }
        true
    }

    fn sample(&mut self, rate: Rate) -> i16 {
        if matches!(self.state, State::Idle) {
            let next = self.queue.pop();
            let pair = next.and_then(|(event, ms)| Pair::new(event, ms, rate));
            self.state = pair.map_or(State::Idle, State::Sounding);
        }
        match &mut self.state {
            State::Idle => 0,
            State::Pause(left) => {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.state = State::Idle;
                }
                0
            }
            State::Sounding(pair) => {
                let sample = pair.sample(rate);
                if pair.left == 0 {
                    self.state = State::Pause(samples(PAUSE_MS, rate));
                }
                sample
            }
        }
    }
}

impl Pair {
    fn new(event: u8, ms: u32, rate: Rate) -> Option<Self> {
        let (low, high) = TONES.get(usize::from(event))?;
        Some(Self {
            low: Sine::new(*low, LEVELS.0, rate),
            high: Sine::new(*high, LEVELS.1, rate),
            left: samples(ms.max(1), rate),
        })
    }

    fn sample(&mut self, rate: Rate) -> i16 {
        self.left = self.left.saturating_sub(1);
        let fading = samples(FADE_MS, rate);
        let fade = f64::from(self.left.min(fading)) / f64::from(fading);
        let value = (self.low.next() + self.high.next()) * fade;
        value.round() as i16
    }
}

impl Sine {
    /// Begins at zero.
    fn new(hz: u16, dbm0: f64, rate: Rate) -> Self {
        let turn = TAU * f64::from(hz) / f64::from(rate.hz());
        let peak = PEAK_0_DBM0 * 10f64.powf(dbm0 / 20.0);
        Self {
            twice_cos: 2.0 * turn.cos(),
            one: 0.0,
            two: -peak * turn.sin(),
        }
    }

    fn next(&mut self) -> f64 {
        let now = self.one;
        self.one = self.twice_cos * now - self.two;
        self.two = now;
        now
    }
}

fn samples(ms: u32, rate: Rate) -> u32 {
    ms * (rate.hz() / 1000)
}

#[cfg(test)]
mod tests {
    use super::super::Detector;
    use super::*;

    fn generated(digits: &str, ms: u32, rate: Rate, chunk: usize) -> Vec<i16> {
        let mut generator = Generator::new();
        for digit in digits.chars() {
            assert!(generator.push(digit, ms));
        }
        let mut sound = Vec::new();
        let mut frame = vec![0; chunk];
        while generator.fill(&mut frame, rate) {
            sound.extend_from_slice(&frame);
        }
        sound
    }

    #[test]
    fn what_is_generated_is_heard_at_every_rate() {
        for rate in Rate::ALL {
            let sound = generated("0123456789*#ABCD", 60, rate, rate.frame());
            let mut heard = String::new();
            Detector::new().hear(&sound, rate, |digit| heard.push(digit));
            assert_eq!(heard, "0123456789*#ABCD", "{rate:?}");
        }
    }

    #[test]
    fn a_key_lasts_as_long_as_was_asked_and_is_followed_by_silence() {
        let sound = generated("5", 100, Rate::Narrow, 1);
        assert_eq!(sound.len(), 800 + 640);
        assert!(sound[800..].iter().all(|sample| *sample == 0));
        let energy = |range: std::ops::Range<usize>| {
            let square = |sample: &i16| f64::from(*sample).powi(2);
            sound[range].iter().map(square).sum::<f64>()
        };
        // Both tones, as mean square, against one at 0 dBm0.
        let level = 10.0 * (energy(0..784) / 784.0 / (PEAK_0_DBM0.powi(2) / 2.0)).log10();
        assert!((level + 3.9).abs() < 0.1, "{level} dBm0");
        assert!(sound[796..800].iter().all(|sample| sample.abs() < 4000));
    }

    #[test]
    fn nothing_is_written_when_nothing_waits() {
        let mut frame = [7; 160];
        assert!(!Generator::new().fill(&mut frame, Rate::Narrow));
        assert_eq!(frame, [7; 160]);
    }
}
