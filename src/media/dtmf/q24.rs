//! The detector against the limits of Q.24: what must be heard, and what must not be.

use std::f64::consts::TAU;

use super::Detector;
use crate::media::{Codec, Rate};

/// How the sound comes to the detector.
#[derive(Clone, Copy, Debug)]
enum Line {
    Alaw,
    Linear,
    Ulaw,
}

const LINES: [Line; 3] = [Line::Alaw, Line::Linear, Line::Ulaw];

const KEYPAD: &str = "123A456B789C*0#D";

/// A key as somebody sends it.
#[derive(Clone, Copy, Debug)]
struct Press {
    /// dBm0 of the low and the high group.
    levels: (f64, f64),
    /// Deviation of both frequencies, per cent.
    off: (f64, f64),
    ms: f64,
}

const NOMINAL: Press = Press {
    levels: (-10.0, -10.0),
    off: (0.0, 0.0),
    ms: 40.0,
};

/// A line on which keys are pressed.
#[derive(Default)]
struct Sound {
    samples: Vec<f64>,
    seed: u64,
}

impl Sound {
    fn silence(&mut self, ms: f64) {
        let end = self.samples.len() + (ms * 8.0).round() as usize;
        self.samples.resize(end, 0.0);
    }

    fn key(&mut self, key: usize, press: Press) {
        let low = [697.0, 770.0, 852.0, 941.0][key / 4] * (1.0 + press.off.0 / 100.0);
        let high = [1209.0, 1336.0, 1477.0, 1633.0][key % 4] * (1.0 + press.off.1 / 100.0);
        let peaks =
            [press.levels.0, press.levels.1].map(|level| 22_302.0 * 10f64.powf(level / 20.0));
        let phases = [self.chance(), self.chance()];
        for i in 0..(press.ms * 8.0).round() as usize {
            let turn = |hz: f64, phase: f64| (TAU * (hz * i as f64 / 8000.0 + phase)).sin();
            self.samples
                .push(peaks[0] * turn(low, phases[0]) + peaks[1] * turn(high, phases[1]));
        }
    }

    /// 0 up to 1.
    fn chance(&mut self) -> f64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 40) as f64 / (1u64 << 24) as f64
    }

    /// Adds white noise of a level, dBm0.
    fn noise(&mut self, dbm0: f64) {
        let rms = 15_770.0 * 10f64.powf(dbm0 / 20.0);
        for i in 0..self.samples.len() {
            let sum: f64 = (0..12).map(|_| self.chance()).sum();
            self.samples[i] += (sum - 6.0) * rms;
        }
    }

    fn heard(&self, line: Line, chunk: usize) -> String {
        let mut samples: Vec<i16> = self
            .samples
            .iter()
            .map(|sample| sample.round() as i16)
            .collect();
        let law = match line {
            Line::Alaw => Some(Codec::Pcma),
            Line::Linear => None,
            Line::Ulaw => Some(Codec::Pcmu),
        };
        if let Some(codec) = law {
            let mut coded = vec![0; samples.len()];
            codec.encode(&samples, &mut coded);
            codec.decode(&coded, &mut samples);
        }
        let (mut detector, mut heard) = (Detector::new(), String::new());
        for chunk in samples.chunks(chunk) {
            detector.hear(chunk, Rate::Narrow, |digit| heard.push(digit));
        }
        heard
    }
}

/// All keys, pressed one after the other, at all places of the windows.
fn keypad(seed: u64, press: Press, pause: f64) -> Sound {
    let mut sound = Sound {
        samples: Vec::new(),
        seed,
    };
    let jitter = 5.0 * sound.chance();
    sound.silence(50.0 + jitter);
    for key in 0..16 {
        sound.key(key, press);
        let jitter = 5.0 * sound.chance();
        sound.silence(pause + jitter);
    }
    sound.silence(50.0);
    sound
}

/// How often each point of the grid is tried, on one line after the other. By itself a third of
/// the points once each; `TSUNAGU_Q24=12` tries all of them, each four times on every line.
fn rounds() -> Option<u64> {
    std::env::var("TSUNAGU_Q24").ok()?.parse().ok()
}

/// Tries points of the grid.
#[derive(Default)]
struct Trial {
    points: u64,
    keys: u64,
}

impl Trial {
    fn is_heard(&mut self, press: Press, pause: f64) {
        self.press(press, pause, KEYPAD);
    }

    fn is_not_heard(&mut self, press: Press) {
        self.press(press, 60.0, "");
    }

    fn press(&mut self, press: Press, pause: f64, heard: &str) {
        self.points += 1;
        let is_chosen = self.points / 3 % 3 == self.points % 3;
        for round in 0..rounds().unwrap_or(u64::from(is_chosen)) {
            let line = LINES[(self.keys / 16 % 3) as usize];
            let sound = keypad(self.keys, press, pause);
            assert_eq!(
                sound.heard(line, 160),
                heard,
                "{round} {line:?} {press:?} {pause}"
            );
            self.keys += 16;
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        println!("{} keys", self.keys);
    }
}

#[test]
fn every_key_within_the_limits_is_heard() {
    let mut trial = Trial::default();
    for level in [0.0, -3.0, -10.0, -20.0, -25.0, -30.0, -36.0] {
        for twist in [-8.0, -4.0, 0.0, 2.0, 4.0] {
            for off in [
                (0.0, 0.0),
                (1.5, 1.5),
                (-1.5, -1.5),
                (1.5, -1.5),
                (-1.5, 1.5),
                (1.8, -1.8),
            ] {
                for (ms, pause) in [(40.0, 40.0), (50.0, 50.0), (100.0, 100.0)] {
                    // The louder of both is at `level`.
                    let levels = if twist > 0.0 {
                        (level - twist, level)
                    } else {
                        (level, level + twist)
                    };
                    trial.is_heard(Press { levels, off, ms }, pause);
                }
            }
        }
    }
}

#[test]
fn both_groups_may_differ_by_as_much_as_any_administration_allows() {
    let mut trial = Trial::default();
    for (low, high) in [(-3.0, -13.0), (-13.0, -3.0), (-17.0, -27.0), (-27.0, -17.0)] {
        trial.is_heard(
            Press {
                levels: (low, high),
                ..NOMINAL
            },
            40.0,
        );
    }
}

#[test]
fn a_frequency_too_far_off_is_no_key() {
    let mut trial = Trial::default();
    for level in [0.0, -10.0, -25.0, -36.0] {
        for off in [
            (3.5, 0.0),
            (-3.5, 0.0),
            (0.0, 3.5),
            (0.0, -3.5),
            (3.5, 3.5),
            (-3.5, -3.5),
            (3.5, -3.5),
            (3.0, 3.0),
            (-3.0, 0.0),
            (0.0, 3.0),
            (5.0, 0.0),
            (0.0, -5.0),
        ] {
            for ms in [40.0, 100.0, 500.0] {
                let levels = (level, level);
                trial.is_not_heard(Press { levels, off, ms });
            }
        }
    }
}

#[test]
fn a_tone_too_short_is_no_key() {
    let mut trial = Trial::default();
    for level in [0.0, -10.0, -25.0, -36.0] {
        for ms in [5.0, 10.0, 15.0, 20.0, 22.0, 23.0, 24.0] {
            let levels = (level, level);
            trial.is_not_heard(Press {
                levels,
                ms,
                ..NOMINAL
            });
        }
    }
}

#[test]
fn what_is_too_faint_is_no_key() {
    let mut trial = Trial::default();
    for levels in [(-55.0, -55.0), (-60.0, -60.0), (-10.0, -60.0)] {
        trial.is_not_heard(Press {
            levels,
            ms: 200.0,
            ..NOMINAL
        });
    }
}

#[test]
fn one_tone_alone_is_no_key() {
    for key in [0, 5, 10, 15] {
        for levels in [(-6.0, -90.0), (-90.0, -6.0)] {
            let mut sound = Sound::default();
            sound.key(
                key,
                Press {
                    levels,
                    ms: 1000.0,
                    ..NOMINAL
                },
            );
            assert_eq!(sound.heard(Line::Ulaw, 160), "");
        }
    }
}

#[test]
fn a_pause_of_40_ms_separates_two_presses_of_a_key() {
    for ms in [40.0, 45.0, 60.0, 200.0] {
        for shift in 0..8 {
            for pause in [40.0, 43.0, 50.0] {
                for round in 0..rounds().unwrap_or(1) {
                    let key = (shift + round) as usize * 5 % 16;
                    let mut sound = Sound {
                        samples: Vec::new(),
                        seed: round,
                    };
                    sound.silence(50.0 + 0.625 * shift as f64);
                    for _ in 0..3 {
                        sound.key(key, Press { ms, ..NOMINAL });
                        sound.silence(pause);
                    }
                    let line = LINES[(shift + round) as usize % 3];
                    assert_eq!(
                        sound.heard(line, 160).len(),
                        3,
                        "{ms} {pause} {shift} {line:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn an_interruption_of_10_ms_makes_one_press_of_one() {
    for before in [20.0, 30.0, 40.0, 45.0, 55.0, 70.0] {
        for shift in 0..8 {
            for gap in [1.0, 5.0, 8.0, 10.0] {
                for round in 0..rounds().unwrap_or(1) {
                    let key = (shift + round) as usize * 5 % 16;
                    let mut sound = Sound {
                        samples: Vec::new(),
                        seed: round,
                    };
                    sound.silence(50.0 + 0.625 * shift as f64);
                    sound.key(
                        key,
                        Press {
                            ms: before,
                            ..NOMINAL
                        },
                    );
                    sound.silence(gap);
                    sound.key(
                        key,
                        Press {
                            ms: 60.0,
                            ..NOMINAL
                        },
                    );
                    sound.silence(60.0);
                    let line = LINES[(shift + round) as usize % 3];
                    assert_eq!(
                        sound.heard(line, 160).len(),
                        1,
                        "{before} {gap} {shift} {line:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn keys_are_heard_through_noise() {
    for snr in [30.0, 20.0, 15.0] {
        for seed in 0..3 * rounds().unwrap_or(1) {
            let press = Press {
                levels: (-10.0, -8.0),
                ms: 50.0,
                off: (1.0, -1.0),
            };
            let mut sound = keypad(seed, press, 50.0);
            sound.noise(-6.0 - snr);
            let line = LINES[seed as usize % 3];
            assert_eq!(sound.heard(line, 160), KEYPAD, "{snr} dB {line:?}");
        }
    }
}

#[test]
fn an_echo_does_not_hide_the_pause() {
    for key in 0..16 {
        for delay in [5.0, 10.0, 15.0, 20.0] {
            let mut sound = Sound {
                samples: Vec::new(),
                seed: key as u64,
            };
            sound.silence(50.0);
            for _ in 0..3 {
                sound.key(
                    key,
                    Press {
                        ms: 50.0,
                        ..NOMINAL
                    },
                );
                sound.silence(43.0);
            }
            sound.silence(50.0);
            let late = (delay * 8.0) as usize;
            let said = sound.samples.clone();
            for (sample, echo) in sound.samples.iter_mut().skip(late).zip(&said) {
                *sample += echo * 0.316;
            }
            for line in LINES {
                assert_eq!(sound.heard(line, 160).len(), 3, "{delay}");
            }
        }
    }
}

#[test]
fn chunks_of_any_size_are_heard_alike() {
    let sound = keypad(9, NOMINAL, 40.0);
    for chunk in [1, 7, 39, 40, 41, 80, 160, 333, 100_000] {
        assert_eq!(sound.heard(Line::Ulaw, chunk), KEYPAD);
    }
}

#[test]
fn what_is_forgotten_is_pressed_anew() {
    let mut sound = Sound::default();
    sound.key(
        5,
        Press {
            ms: 200.0,
            ..NOMINAL
        },
    );
    let samples: Vec<i16> = sound.samples.iter().map(|sample| *sample as i16).collect();
    let (mut detector, mut heard) = (Detector::new(), String::new());
    detector.hear(&samples[..800], Rate::Narrow, |digit| heard.push(digit));
    assert!(detector.is_sounding());
    detector.forget();
    assert!(!detector.is_sounding());
    detector.hear(&samples[800..], Rate::Narrow, |digit| heard.push(digit));
    assert_eq!(heard, "55");
}
