//! What speech sounds like after a bad network, beside a fixed buffer of 60 ms that fills with
//! zeros: judged by the distance of log spectra to the clean signal, aligned piece by piece. The
//! bench judges real speech by PESQ, and beside another adaptive buffer.

use std::f64::consts::TAU;
use std::path::Path;

use super::Buffer;
use crate::base::{Entropy, Timestamp};
use crate::media::rtp::Header;
use crate::media::{Codec, FRAME_SAMPLES};

/// Mean delay of the network, microseconds, and its standard deviation.
const MEAN: i64 = 120_000;
const JITTER: f64 = 40_000.0;
/// What the fixed buffer waits beyond the mean.
const FIXED: i64 = 60_000;
/// Samples after the speech, for what is still on its way: 600 ms.
const TAIL: usize = 4800;
/// Samples compared at once, and how late they may be looked for.
const PIECE: usize = 480;
const LATEST: usize = 3600;
const WINDOW: usize = 256;
const BINS: usize = 108;

/// How packets are lost, three of a hundred.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Losses {
    /// In bursts of three on average (Gilbert's model).
    Bursts,
    Random,
}

struct Chance(Entropy);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0.below(1 << 30) as f64 / f64::from(1 << 30)
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().max(1e-9).ln()).sqrt();
        radius * (TAU * self.uniform()).cos()
    }
}

/// When each packet that is not lost arrives, microseconds after the first was spoken.
fn deliver(losses: Losses, packets: usize) -> Vec<(i64, usize)> {
    let mut chance = Chance(Entropy::from_seed(7));
    let (mut arrivals, mut is_lost) = (Vec::new(), false);
    for packet in 0..packets {
        let loss = match (losses, is_lost) {
            (Losses::Random, _) => 0.03,
            (Losses::Bursts, true) => 2.0 / 3.0,
            (Losses::Bursts, false) => 0.03 / 0.97 / 3.0,
        };
        is_lost = chance.uniform() < loss;
        let delay = (MEAN as f64 + JITTER * chance.normal()).clamp(0.0, 300_000.0) as i64;
        if !is_lost {
            arrivals.push((packet as i64 * 20_000 + delay, packet));
        }
    }
    arrivals.sort_unstable();
    arrivals
}

fn payload(clean: &[i16], packet: usize) -> [u8; FRAME_SAMPLES] {
    let mut payload = [0; FRAME_SAMPLES];
    let frame = &clean[packet * FRAME_SAMPLES..(packet + 1) * FRAME_SAMPLES];
    Codec::Pcmu.encode(frame, &mut payload);
    payload
}

/// Each packet at its time or not at all.
fn through_fixed(clean: &[i16], arrivals: &[(i64, usize)]) -> Vec<i16> {
    let mut heard = vec![0; clean.len() + TAIL];
    for (at, packet) in arrivals {
        let due = *packet as i64 * 20_000 + MEAN + FIXED;
        if *at <= due {
            let place = (due / 125) as usize;
            let room = &mut heard[place..place + FRAME_SAMPLES];
            Codec::Pcmu.decode(&payload(clean, *packet), room);
        }
    }
    heard
}

fn through_ours(clean: &[i16], arrivals: &[(i64, usize)]) -> Vec<i16> {
    let mut buffer = Buffer::new(Codec::Pcmu);
    let (mut heard, mut next) = (Vec::new(), arrivals.iter().peekable());
    for tick in 0..(clean.len() + TAIL) / FRAME_SAMPLES {
        let now = tick as i64 * 20_000;
        while let Some((at, packet)) = next.next_if(|(at, _)| *at <= now) {
            let header = Header {
                sequence: *packet as u16,
                timestamp: (packet * FRAME_SAMPLES) as u32,
                ssrc: 1,
                ..Header::default()
            };
            let at = Timestamp::from_micros(*at);
            buffer.insert(at, &header, &payload(clean, *packet));
        }
        let mut frame = [0; FRAME_SAMPLES];
        buffer.pop(&mut frame);
        heard.extend(frame);
    }
    heard
}

#[derive(Debug)]
struct Verdict {
    /// Root mean square of the difference of log spectra, mean of all pieces, dB.
    distance: f64,
    /// Later than spoken, mean of all pieces.
    delay_ms: f64,
}

/// Compares piece by piece of 60 ms, each moved to where it is most alike.
fn compare(clean: &[i16], heard: &[i16]) -> Verdict {
    let spectra = Spectra::new();
    let (mut distance, mut delay, mut pieces) = (0.0, 0.0, 0.0);
    for start in (0..clean.len().saturating_sub(PIECE)).step_by(PIECE) {
        let piece = &clean[start..start + PIECE];
        let Some(field) = heard.get(start..start + LATEST + PIECE) else {
            break;
        };
        let energy: f64 = piece.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        if energy < 1e5 * PIECE as f64 {
            continue;
        }
        let coarse = most_alike(piece, field, (0..LATEST).step_by(2), 4);
        let near = coarse.saturating_sub(2)..(coarse + 3).min(LATEST);
        let place = most_alike(piece, field, near, 1);
        distance += spectra.distance(piece, &field[place..place + PIECE]);
        delay += place as f64 / 8.0;
        pieces += 1.0;
    }
    Verdict {
        distance: distance / pieces,
        delay_ms: delay / pieces,
    }
}

fn most_alike(
    piece: &[i16],
    field: &[i16],
    places: impl Iterator<Item = usize>,
    stride: usize,
) -> usize {
    let likeness = |place: usize| {
        let (mut product, mut power) = (0i64, 1i64);
        for i in (0..piece.len()).step_by(stride) {
            let other = i64::from(field[place + i]);
            product += i64::from(piece[i]) * other;
            power += other * other;
        }
        product as f64 / (power as f64).sqrt()
    };
    let alike = places.map(|place| (place, likeness(place)));
    let best = alike.max_by(|a, b| a.1.total_cmp(&b.1));
    best.map_or(0, |best| best.0)
}

/// Spectra of 32 ms, up to 3.4 kHz.
struct Spectra {
    window: Vec<f64>,
    turns: Vec<(f64, f64)>,
}

impl Spectra {
    fn new() -> Self {
        let turn = |n: usize| TAU * n as f64 / WINDOW as f64;
        Self {
            window: (0..WINDOW).map(|n| 0.5 - 0.5 * turn(n).cos()).collect(),
            turns: (0..WINDOW).map(|n| turn(n).sin_cos()).collect(),
        }
    }

    fn distance(&self, a: &[i16], b: &[i16]) -> f64 {
        let starts = (0..=a.len() - WINDOW).step_by(WINDOW / 2);
        let count = starts.clone().count() as f64;
        let of = |from: usize| {
            let (a, b) = (self.levels(&a[from..]), self.levels(&b[from..]));
            let squares = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2));
            (squares.sum::<f64>() / BINS as f64).sqrt()
        };
        starts.map(of).sum::<f64>() / count
    }

    /// Decibels, no less than those of one quantisation step.
    fn levels(&self, samples: &[i16]) -> [f64; BINS] {
        let samples = samples.iter().zip(&self.window);
        let shaped: Vec<f64> = samples
            .map(|(sample, by)| f64::from(*sample) * by)
            .collect();
        std::array::from_fn(|bin| {
            let (mut real, mut imaginary) = (0.0, 0.0);
            for (n, sample) in shaped.iter().enumerate() {
                let (sine, cosine) = self.turns[n * (bin + 1) % WINDOW];
                real += sample * cosine;
                imaginary += sample * sine;
            }
            10.0 * (real * real + imaginary * imaginary + 1e3).log10()
        })
    }
}

/// What is said, always the same: what is judged here is the buffer, not the speaker.
const SPOKEN: [&str; 21] = [
    "agent-available",
    "agent-away",
    "connecting",
    "goodbye",
    "greeting",
    "invalid",
    "menu",
    "no-input",
    "no-match",
    "nobody-available",
    "position-1",
    "position-10",
    "position-2",
    "position-3",
    "position-4",
    "position-5",
    "position-6",
    "position-7",
    "position-8",
    "position-9",
    "position-many",
];

/// All of it, one after the other.
fn speech() -> Vec<i16> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/speech");
    let files = SPOKEN.map(|name| folder.join(format!("{name}.wav")));
    let mut all: Vec<i16> = Vec::new();
    for path in files {
        let reader = hound::WavReader::open(path).expect("a WAV file");
        all.extend(
            reader
                .into_samples::<i16>()
                .map(|sample| sample.expect("16 bits")),
        );
    }
    all.truncate(all.len() / FRAME_SAMPLES * FRAME_SAMPLES);
    all
}

#[test]
fn speech_is_nearer_to_the_clean_than_after_a_fixed_buffer() {
    let clean = speech();
    println!("{} s of speech", clean.len() / 8000);
    for losses in [Losses::Random, Losses::Bursts] {
        let arrivals = deliver(losses, clean.len() / FRAME_SAMPLES);
        let fixed = compare(&clean, &through_fixed(&clean, &arrivals));
        let ours = compare(&clean, &through_ours(&clean, &arrivals));
        println!(
            "{losses:?}: ours {:.2} dB away, {:+.0} ms beyond the network's mean; fixed {:.2} dB, {:+.0} ms",
            ours.distance,
            ours.delay_ms - MEAN as f64 / 1000.0,
            fixed.distance,
            fixed.delay_ms - MEAN as f64 / 1000.0
        );
        assert!(ours.distance < fixed.distance, "{ours:?} {fixed:?}");
        let beyond = ours.delay_ms - MEAN as f64 / 1000.0;
        assert!(beyond < 150.0, "{beyond} ms beyond the network's mean");
    }
}
