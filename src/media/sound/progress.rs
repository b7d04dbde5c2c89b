//! Call progress tones by country, computed: ringing, busy, congestion, call waiting, special
//! information (ITU-T E.180, with the cadences of its supplement 2), and the digital milliwatt.

use super::{CLOCK_HZ, Sound};
use crate::media::Tone;

/// What a tone is made of.
#[derive(Clone, Copy, Debug)]
enum Ring {
    /// Nothing.
    Off,
    /// One frequency, Hz.
    One(f64),
    /// Two at a time, Hz.
    Two(f64, f64),
    /// One whose loudness goes up and down with another, Hz.
    Waved(f64, f64),
}

use Ring::{Off, One, Two, Waved};

/// How long, in milliseconds, and what.
type Part = (u32, Ring);

/// E.180 §5: three tones of 330 ms, one after the other, then a second of nothing.
const SPECIAL: [Part; 4] = [
    (330, One(950.0)),
    (330, One(1400.0)),
    (330, One(1800.0)),
    (1000, Off),
];

/// By name; the country is the ending.
const TONES: [(&str, &[Part]); 20] = [
    ("ringback-jp", &[(1000, Waved(400.0, 16.0)), (2000, Off)]),
    ("busy-jp", &[(500, One(400.0)), (500, Off)]),
    ("congestion-jp", &[(500, One(400.0)), (500, Off)]),
    (
        "call-waiting-jp",
        &[
            (64, Waved(400.0, 16.0)),
            (436, Off),
            (64, Waved(400.0, 16.0)),
            (3436, Off),
        ],
    ),
    ("special-jp", &SPECIAL),
    ("ringback-us", &[(2000, Two(440.0, 480.0)), (4000, Off)]),
    ("busy-us", &[(500, Two(480.0, 620.0)), (500, Off)]),
    ("congestion-us", &[(250, Two(480.0, 620.0)), (250, Off)]),
    ("call-waiting-us", &[(300, One(440.0)), (10_000, Off)]),
    ("special-us", &SPECIAL),
    (
        "ringback-gb",
        &[
            (400, Two(400.0, 450.0)),
            (200, Off),
            (400, Two(400.0, 450.0)),
            (2000, Off),
        ],
    ),
    ("busy-gb", &[(375, One(400.0)), (375, Off)]),
    (
        "congestion-gb",
        &[(400, One(400.0)), (350, Off), (225, One(400.0)), (525, Off)],
    ),
    ("call-waiting-gb", &[(100, One(400.0)), (3000, Off)]),
    ("special-gb", &SPECIAL),
    ("ringback-de", &[(1000, One(425.0)), (4000, Off)]),
    ("busy-de", &[(480, One(425.0)), (480, Off)]),
    ("congestion-de", &[(240, One(425.0)), (240, Off)]),
    (
        "call-waiting-de",
        &[
            (200, One(425.0)),
            (200, Off),
            (200, One(425.0)),
            (5000, Off),
        ],
    ),
    ("special-de", &SPECIAL),
];

/// The country of a tone whose name has none.
const HOME: &str = "jp";

/// A tone that needs no file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    name: &'static str,
    parts: &'static [Part],
}

/// All of them.
pub(super) fn all() -> impl Iterator<Item = Progress> {
    let by_country = TONES.iter().map(|&(name, parts)| Progress { name, parts });
    let of_home = TONES.iter().filter_map(|&(name, parts)| {
        let name = name.strip_suffix(HOME)?.strip_suffix('-')?;
        Some(Progress { name, parts })
    });
    let milliwatt = Progress {
        name: "tone-1004",
        parts: &[],
    };
    std::iter::once(milliwatt).chain(by_country).chain(of_home)
}

impl Progress {
    /// Name of the sound.
    pub(super) fn name(self) -> &'static str {
        self.name
    }

    /// The sound itself.
    pub(super) fn make(self) -> Sound {
        if self.parts.is_empty() {
            let mut milliwatt = vec![0; CLOCK_HZ as usize];
            Tone::new(1004.0, 0.0).fill(&mut milliwatt);
            return Sound::new(self.name, milliwatt);
        }
        Sound::new(self.name, cadence(self.parts))
    }
}

/// As often as it takes to end on a frame.
fn cadence(parts: &[Part]) -> Vec<i16> {
    let mut samples = Vec::new();
    loop {
        for (ms, ring) in parts {
            ring.sound(*ms, &mut samples);
        }
        if samples.len() % (CLOCK_HZ as usize / 50) == 0 {
            return samples;
        }
    }
}

impl Ring {
    /// At -13 dBm0 in all: E.180 §3 has -10 +-5 dBm0 for what a subscriber hears.
    const LEVEL: f64 = -13.0;
    /// Swells and dies away within so many samples: a tone cut at full height clicks.
    const EDGE: usize = 32;

    fn sound(self, ms: u32, samples: &mut Vec<i16>) {
        let count = (ms * CLOCK_HZ / 1000) as usize;
        let tone = |hz, level| Tone::new(hz, level);
        let (mut first, mut second) = match self {
            Self::Off => return samples.resize(samples.len() + count, 0),
            Self::One(hz) => (tone(hz, Self::LEVEL), None),
            // Each of two is 3 dB lower: together they are as loud as one.
            Self::Two(low, high) => (
                tone(low, Self::LEVEL - 3.0),
                Some(tone(high, Self::LEVEL - 3.0)),
            ),
            Self::Waved(hz, by) => (tone(hz, Self::LEVEL), Some(tone(by, 0.0))),
        };
        let peak = Tone::PEAK;
        for place in 0..count {
            let mut sample = f64::from(first.sample());
            if let Some(second) = &mut second {
                let other = f64::from(second.sample());
                sample = match self {
                    Self::Waved(..) => sample * (0.6 + 0.4 * other / peak),
                    _ => sample + other,
                };
            }
            let edge = place.min(count - 1 - place).min(Self::EDGE);
            samples.push((sample * edge as f64 / Self::EDGE as f64).round() as i16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Power of a frequency in samples, in dBm0 (Goertzel).
    fn dbm0(samples: &[i16], hz: f64) -> f64 {
        let turn = std::f64::consts::TAU * hz / f64::from(CLOCK_HZ);
        let (mut re, mut im) = (0.0, 0.0);
        for (place, sample) in samples.iter().enumerate() {
            let angle = turn * place as f64;
            re += f64::from(*sample) * angle.cos();
            im += f64::from(*sample) * angle.sin();
        }
        let amplitude = 2.0 * re.hypot(im) / samples.len() as f64;
        20.0 * (amplitude / Tone::PEAK).log10()
    }

    fn samples(name: &str) -> Vec<i16> {
        let tone = all().find(|tone| tone.name() == name);
        tone.expect(name).make().samples().to_vec()
    }

    #[test]
    fn frequencies_and_cadences_are_those_of_the_country() {
        for (name, hz, on, whole) in [
            ("ringback-jp", &[400.0][..], 1000, 3000),
            ("ringback-us", &[440.0, 480.0], 2000, 6000),
            ("ringback-gb", &[400.0, 450.0], 400, 3000),
            ("ringback-de", &[425.0], 1000, 5000),
            ("busy-jp", &[400.0], 500, 1000),
            ("busy-us", &[480.0, 620.0], 500, 1000),
            ("busy-gb", &[400.0], 375, 1500),
            ("busy-de", &[425.0], 480, 960),
            ("congestion-us", &[480.0, 620.0], 250, 500),
            ("congestion-de", &[425.0], 240, 480),
            ("call-waiting-us", &[440.0], 300, 10_300),
            ("special-gb", &[950.0], 330, 1990),
        ] {
            let samples = samples(name);
            let ms = |ms: usize| ms * CLOCK_HZ as usize / 1000;
            let whole = match samples.len() % ms(whole) {
                0 => samples.len(),
                _ => panic!("{name}: {} samples", samples.len()),
            };
            assert!(whole % 160 == 0, "{name} ends on a frame");
            for hz in hz {
                let level = dbm0(&samples[..ms(on)], *hz);
                assert!(
                    (-18.0..=-10.0).contains(&level),
                    "{name}: {hz} Hz at {level}"
                );
                assert!(dbm0(&samples[..ms(on)], hz * 1.5) < -30.0, "{name}");
            }
            let pause = &samples[ms(on)..ms(on) + 80];
            let is_special = name.starts_with("special");
            assert_eq!(
                pause.iter().all(|sample| *sample == 0),
                !is_special,
                "{name}"
            );
        }
    }

    #[test]
    fn whoever_names_no_country_hears_japans() {
        for tone in ["ringback", "busy", "congestion", "call-waiting", "special"] {
            assert_eq!(samples(tone), samples(&format!("{tone}-jp")));
        }
    }

    #[test]
    fn they_loop_without_a_step() {
        for tone in all() {
            let sound = tone.make();
            let samples = sound.samples();
            let seam = i32::from(samples[0]) - i32::from(*samples.last().unwrap());
            let steps = samples.windows(2);
            let largest = steps.map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs());
            assert!(Some(seam.abs()) <= largest.max(), "{sound:?}");
        }
    }
}
