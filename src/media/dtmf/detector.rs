//! Keys pressed, heard in the sound itself (ITU-T Q.23, with the limits of Q.24).
//!
//! A window of 20 ms is looked at every 5 ms. It holds a key when two frequencies of the keypad,
//! and next to nothing else, are in it: each near its nominal value (measured by how far its phase
//! turned since the window before, which is far sharper than the window itself), one not much
//! louder than the other, without a second harmonic. Speech does that by chance for a window; a
//! key does it for the time Q.24 asks for.

use std::f32::consts::{PI, TAU};

use crate::media::Rate;

/// The detector of one stream. Never allocates once it is made.
#[derive(Clone, Debug)]
pub struct Detector {
    window: [f32; WINDOW],
    /// Sine and cosine of a sample's turn at each of [`HZ`], and at twice those of the columns. (Twice a
    /// row's frequency is too near to a column's.)
    turns: [Turn; 8],
    doubled: [Turn; 4],
    /// The latest samples at 8 kHz, oldest first.
    sound: [f32; WINDOW],
    /// How many of the next step's samples have come.
    fresh: usize,
    /// Samples of a higher rate on their way to one of 8 kHz.
    sum: i32,
    summed: i32,
    /// The window before, at each of [`HZ`].
    before: [Phasor; 8],
    /// The key that is down, as it was told.
    down: Option<Key>,
    /// The key that may be.
    rising: Option<Key>,
    /// Windows in a row that hold `rising`.
    held: u8,
    /// Windows in a row that do not hold `down`.
    missed: u8,
}

/// A key in a window.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Key {
    /// Row and column of the keypad.
    place: (usize, usize),
    /// Power of both frequencies.
    power: f32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Phasor {
    re: f32,
    im: f32,
}

/// Sine and cosine of an angle.
type Turn = (f32, f32);

/// Samples of a window: the shortest in which a Hann window keeps the two groups apart, so that
/// the louder tone does not turn the phase of the fainter.
const WINDOW: usize = 160;

/// Samples between two windows.
const STEP: usize = 40;

/// The keypad's frequencies, rows and then columns (Q.23 §2).
const HZ: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];

const KEYS: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];

const CLOCK: f32 = 8000.0;

/// Mean square of a sine at 0 dBm0: 3.17 dB below the overload point of mu-law (G.711 §4).
const POWER_0_DBM0: f32 = 22_302.0 * 22_302.0 / 2.0;

/// Furthest a frequency may be from its nominal value: between 1.8 %, which some administrations
/// want accepted, and 3 %, which some want refused (Q.24 table A.1).
const OFFSET: f32 = 0.024;

/// Faintest tone of the two: Q.24 asks for -27 dBm at most; what was lost on the way, and the
/// fainter of a twisted pair, come on top of it. Below -55 dBm nothing may be heard.
const FLOOR: f32 = POWER_0_DBM0 * 2.0e-5;

/// The most one tone may be louder than the other: 10 dB (Q.24), and 2 to spare.
const TWIST: f32 = 15.85;

/// Share of the two tones in all that is heard.
const SHARE: f32 = 0.8;

/// What is seen at least of a tone as far off as [`OFFSET`] allows.
const SEEN: f32 = 0.4;

/// The most of a column's power that may be found at twice its frequency: voices have more.
const HARMONIC: f32 = 0.03;

/// Windows a key must be held for: 40 ms fill 6 at least, 24 ms 3 at most.
const HOLD: u8 = 5;

/// Windows without it that end a key: 10 ms of interruption empty 4 or 5, 40 ms of pause 9.
const PAUSE: u8 = 7;

/// What is fainter than the key was, by this, is its echo and not the key: 8 dB (Q.24 has echoes
/// 10 dB down for 20 ms).
const ECHO: f32 = 0.16;

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// Nothing heard yet.
    pub fn new() -> Self {
        let hann = |i: usize| 0.5 - 0.5 * (TAU * (i as f32 + 0.5) / WINDOW as f32).cos();
        Self {
            window: std::array::from_fn(hann),
            turns: HZ.map(|hz| (TAU * hz / CLOCK).sin_cos()),
            doubled: std::array::from_fn(|k| (TAU * 2.0 * HZ[k + 4] / CLOCK).sin_cos()),
            sound: [0.0; WINDOW],
            fresh: 0,
            sum: 0,
            summed: 0,
            before: [Phasor::default(); 8],
            down: None,
            rising: None,
            held: 0,
            missed: 0,
        }
    }

    /// Takes what comes next of the stream, any number of samples; `pressed` is told each key
    /// once, about 40 ms after it went down.
    pub fn hear(&mut self, samples: &[i16], rate: Rate, mut pressed: impl FnMut(char)) {
        // The mean of 2 or 6 samples is filter enough: what it folds onto the keypad from above
        // 4 kHz is 10 dB down, and only ever counts against a key.
        let whole = (rate.hz() / Rate::Narrow.hz()) as i32;
        for sample in samples {
            self.sum += i32::from(*sample);
            self.summed += 1;
            if self.summed < whole {
                continue;
            }
            self.sound[WINDOW - STEP + self.fresh] = (self.sum / self.summed) as f32;
            (self.sum, self.summed) = (0, 0);
            self.fresh += 1;
            if self.fresh == STEP {
                if let Some(digit) = self.step() {
                    pressed(digit);
                }
                self.sound.copy_within(STEP.., 0);
                self.fresh = 0;
            }
        }
    }

    /// Whether a key is down, or may be: true from the first window that holds one.
    pub fn is_sounding(&self) -> bool {
        self.down.is_some() || self.rising.is_some()
    }

    /// Forgets what is down: what is heard from now on is a press of its own.
    pub fn forget(&mut self) {
        (self.down, self.rising) = (None, None);
        (self.held, self.missed) = (0, 0);
    }

    /// Looks at a whole window.
    fn step(&mut self) -> Option<char> {
        let heard = self.look();
        if let (Some(down), Some(heard)) = (&mut self.down, heard)
            && down.place == heard.place
            && heard.power > down.power * ECHO
        {
            down.power = down.power.max(heard.power);
            (self.missed, self.held, self.rising) = (0, 0, None);
            return None;
        }
        self.missed = self.missed.saturating_add(1);
        if self.missed >= PAUSE {
            self.down = None;
        }
        let Some(heard) = heard else {
            (self.rising, self.held) = (None, 0);
            return None;
        };
        if self.down.is_some_and(|down| down.place == heard.place) {
            return None;
        }
        let goes_on = self.rising.is_some_and(|key| key.place == heard.place);
        self.held = if goes_on { self.held + 1 } else { 1 };
        self.rising = Some(heard);
        if self.held < HOLD {
            return None;
        }
        (self.down, self.rising) = (Some(heard), None);
        (self.held, self.missed) = (0, 0);
        Some(KEYS[heard.place.0][heard.place.1])
    }

    /// The key a window holds, if any.
    fn look(&mut self) -> Option<Key> {
        let mut sound = [0.0; WINDOW];
        let mut all = 0.0;
        for ((windowed, sample), weight) in sound.iter_mut().zip(&self.sound).zip(&self.window) {
            *windowed = sample * weight;
            all += *windowed * *windowed;
        }
        // Mean square: the weights' squares add up to 3/8 of their number.
        let all = all / (0.375 * WINDOW as f32);
        let now = phasors(&sound, &self.turns);
        let before = std::mem::replace(&mut self.before, now);
        if all < FLOOR {
            return None;
        }
        let row = loudest(&now[..4]);
        let column = loudest(&now[4..]) + 4;
        if now[row].power() + now[column].power() < all * SHARE * SEEN {
            return None;
        }
        let low = tone(row, &before, &now)?;
        let high = tone(column, &before, &now)?;
        let power = low + high;
        let is_key =
            low.min(high) > FLOOR && low.max(high) < low.min(high) * TWIST && power > all * SHARE;
        if !is_key {
            return None;
        }
        let [harmonic] = phasors(&sound, &[self.doubled[column - 4]]);
        (harmonic.power() < high * HARMONIC).then_some(Key {
            place: (row, column - 4),
            power,
        })
    }
}

impl Phasor {
    /// Mean square of the sine it stands for.
    fn power(self) -> f32 {
        // The weights add up to half their number, and half of a sine is at its own frequency.
        let amplitude = 4.0 / WINDOW as f32;
        (self.re * self.re + self.im * self.im) * amplitude * amplitude / 2.0
    }
}

/// The spectrum of a window at some frequencies (Goertzel's recursion).
fn phasors<const N: usize>(sound: &[f32; WINDOW], turn: &[Turn; N]) -> [Phasor; N] {
    let twice = turn.map(|(_, cos)| 2.0 * cos);
    let (mut one, mut two) = ([0.0f32; N], [0.0f32; N]);
    for sample in sound {
        for k in 0..N {
            let next = sample + twice[k] * one[k] - two[k];
            two[k] = one[k];
            one[k] = next;
        }
    }
    std::array::from_fn(|k| Phasor {
        re: one[k] - two[k] * turn[k].1,
        im: two[k] * turn[k].0,
    })
}

fn loudest(group: &[Phasor]) -> usize {
    let power = |k: &usize| group[*k].power();
    (0..group.len())
        .max_by(|a, b| power(a).total_cmp(&power(b)))
        .unwrap_or(0)
}

/// Power of the tone near a frequency of the keypad; `None` when it is too far from it.
fn tone(k: usize, before: &[Phasor; 8], now: &[Phasor; 8]) -> Option<f32> {
    let (a, b) = (before[k], now[k]);
    let turned = (b.im * a.re - b.re * a.im).atan2(b.re * a.re + b.im * a.im);
    let expected = TAU * (HZ[k] * STEP as f32 / CLOCK).fract();
    let off = (turned - expected + 3.0 * PI).rem_euclid(TAU) - PI;
    let hz = off / TAU * CLOCK / STEP as f32;
    if hz.abs() > HZ[k] * OFFSET {
        return None;
    }
    // What a Hann window shows of a tone that is not in the middle of it.
    let x = hz * WINDOW as f32 / CLOCK;
    let shown = match x.abs() < 0.01 {
        true => 1.0,
        false => (PI * x).sin() / (PI * x) / (1.0 - x * x),
    };
    Some(now[k].power() / (shown * shown))
}
