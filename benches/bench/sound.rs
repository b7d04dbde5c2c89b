//! What speech sounds like after a bad network: through a fixed buffer, through ours, and through
//! the crate neteq, all given the same packets at the same times.
//!
//! The judge is PESQ (ITU-T P.862) where `scripts/judge-sound` finds it, and the log-spectral
//! distance to the clean signal, aligned piece by piece, in any case. The crate reads the system's
//! clock: this part takes as long as the speech, 72 s.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use tsunagu::base::Timestamp;
use tsunagu::media::Codec;
use tsunagu::media::jitter::{Buffer, Popped};
use tsunagu::media::rtp::Header;

use crate::bars::{Bar, judge};

/// Samples of a packet, and of a tick.
const FRAME: usize = 160;

/// Mean delay of the network, microseconds; that of a path before jitter is added.
const MEAN: i64 = 120_000;

/// What a fixed buffer waits beyond it.
const FIXED: i64 = 60_000;

/// How packets are delayed and lost.
#[derive(Clone, Copy)]
struct Network {
    name: &'static str,
    losses: Losses,
    order: Order,
}

#[derive(Clone, Copy, PartialEq)]
enum Losses {
    /// In bursts of three on average (Gilbert's model).
    Bursts,
    Random,
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// Each delay for itself: packets overtake each other, as with `netem`.
    Overtaking,
    /// Through one queue whose length wanders.
    Queue,
}

const NETWORKS: [Network; 4] = [
    Network {
        name: "random",
        losses: Losses::Random,
        order: Order::Overtaking,
    },
    Network {
        name: "bursts",
        losses: Losses::Bursts,
        order: Order::Overtaking,
    },
    Network {
        name: "queue-random",
        losses: Losses::Random,
        order: Order::Queue,
    },
    Network {
        name: "queue-bursts",
        losses: Losses::Bursts,
        order: Order::Queue,
    },
];

/// Speech through four networks and three buffers; clocks that differ for an hour.
pub(crate) fn run() {
    let clean = speech();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sound");
    std::fs::create_dir_all(&folder).expect("a folder for the sounds");
    write(&folder, "clean", &clean);
    println!(
        "sound  {} s of speech, PCMU, 40 ms of jitter, 3 % lost; sounds in {}",
        clean.len() / 8000,
        folder.display()
    );
    std::thread::scope(|scope| {
        for network in &NETWORKS {
            let (clean, folder) = (&clean, &folder);
            let arrivals = deliver(network, clean.len() / FRAME);
            scope.spawn(move || {
                let name = |buffer: &str| format!("{}-{buffer}", network.name);
                write(folder, &name("fixed"), &through_fixed(clean, &arrivals));
                write(folder, &name("ours"), &through_ours(clean, &arrivals));
                write(folder, &name("neteq"), &through_neteq(clean, &arrivals));
            });
        }
    });
    for network in &NETWORKS {
        let all = ["fixed", "ours", "neteq"].map(|buffer| {
            let name = format!("{}-{buffer}", network.name);
            let heard = read(&folder.join(format!("{name}.wav")));
            let verdict = compare(&clean, &heard);
            let pesq = pesq(&folder, &name);
            println!(
                "  {name}: {} MOS-LQO, {:.2} dB spectral distance, {:.0} ms later than spoken \
                 ({:+.0} beyond the network's mean)",
                pesq.map_or("-".to_owned(), |mos| format!("{mos:.2}")),
                verdict.distance,
                verdict.delay_ms,
                verdict.delay_ms - MEAN as f64 / 1000.0,
            );
            (pesq, verdict)
        });
        let [(fixed_mos, fixed), (ours_mos, ours), (neteq_mos, neteq)] = all;
        if let (Some(fixed), Some(ours), Some(neteq)) = (fixed_mos, ours_mos, neteq_mos) {
            judge(
                "ours better than fixed",
                ours,
                "MOS-LQO",
                Bar::AtLeast(fixed),
            );
            judge(
                "ours not worse than neteq",
                ours,
                "MOS-LQO",
                Bar::AtLeast(neteq),
            );
        }
        let (what, bar) = ("ours nearer than fixed", Bar::AtMost(fixed.distance));
        judge(what, ours.distance, "dB", bar);
        let (what, bar) = ("ours not farther than neteq", Bar::AtMost(neteq.distance));
        judge(what, ours.distance, "dB", bar);
    }
    skew();
    cost(&clean);
}

/// All the speech there is in the repository, one sentence after the other.
fn speech() -> Vec<i16> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = [root.join("tests/speech"), root.join("sounds/demo")]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("sounds"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wav"))
        .collect();
    files.sort();
    let mut all: Vec<i16> = files.iter().flat_map(|path| read(path)).collect();
    all.truncate(all.len() / FRAME * FRAME);
    all
}

fn read(path: &Path) -> Vec<i16> {
    let reader = hound::WavReader::open(path).expect("a WAV file");
    reader
        .into_samples()
        .map(|sample| sample.expect("16 bits"))
        .collect()
}

fn write(folder: &Path, name: &str, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let path = folder.join(format!("{name}.wav"));
    let mut writer = hound::WavWriter::create(path, spec).expect("a WAV file");
    for sample in samples {
        writer.write_sample(*sample).expect("written");
    }
    writer.finalize().expect("written");
}

/// When each packet that is not lost arrives, in microseconds after the first was spoken.
fn deliver(network: &Network, packets: usize) -> Vec<(i64, usize)> {
    let mut chance = Chance(ChaCha8Rng::seed_from_u64(7));
    let (mut arrivals, mut lost, mut queue, mut last) = (Vec::new(), false, 0.0f64, 0);
    for packet in 0..packets {
        let loss = match (network.losses, lost) {
            (Losses::Random, _) => 0.03,
            (Losses::Bursts, true) => 2.0 / 3.0,
            (Losses::Bursts, false) => 0.03 / 0.97 / 3.0,
        };
        lost = chance.uniform() < loss;
        let deviation = match network.order {
            Order::Overtaking => chance.normal(),
            Order::Queue => {
                queue = 0.9 * queue + 0.19f64.sqrt() * chance.normal();
                queue
            }
        };
        let delay = (MEAN as f64 + 40_000.0 * deviation).clamp(0.0, 300_000.0) as i64;
        let mut at = packet as i64 * 20_000 + delay;
        if network.order == Order::Queue {
            at = at.max(last);
            last = at;
        }
        if !lost {
            arrivals.push((at, packet));
        }
    }
    arrivals.sort();
    arrivals
}

struct Chance(ChaCha8Rng);

impl Chance {
    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().max(1e-12).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

fn payload(clean: &[i16], packet: usize) -> [u8; FRAME] {
    let mut payload = [0; FRAME];
    Codec::Pcmu.encode(&clean[packet * FRAME..(packet + 1) * FRAME], &mut payload);
    payload
}

/// Each packet at its time or not at all.
fn through_fixed(clean: &[i16], arrivals: &[(i64, usize)]) -> Vec<i16> {
    let mut heard = vec![0; clean.len() + TAIL];
    for (at, packet) in arrivals {
        let due = *packet as i64 * 20_000 + MEAN + FIXED;
        if *at <= due {
            let place = (due / 125) as usize;
            Codec::Pcmu.decode(&payload(clean, *packet), &mut heard[place..place + FRAME]);
        }
    }
    heard
}

fn through_ours(clean: &[i16], arrivals: &[(i64, usize)]) -> Vec<i16> {
    let mut buffer = Buffer::new(Codec::Pcmu);
    let (mut heard, mut next) = (Vec::new(), arrivals.iter().peekable());
    for tick in 0..(clean.len() + TAIL) / FRAME {
        let now = tick as i64 * 20_000;
        while let Some((at, packet)) = next.next_if(|(at, _)| *at <= now) {
            let header = header(*packet);
            let at = Timestamp::from_micros(*at);
            buffer.insert(at, &header, &payload(clean, *packet));
        }
        let mut frame = [0; FRAME];
        buffer.pop(&mut frame);
        heard.extend(frame);
    }
    heard
}

fn header(packet: usize) -> Header {
    Header {
        sequence: packet as u16,
        timestamp: (packet * FRAME) as u32,
        ssrc: 1,
        ..Header::default()
    }
}

/// In real time: the crate takes a packet's arrival from the system's clock.
fn through_neteq(clean: &[i16], arrivals: &[(i64, usize)]) -> Vec<i16> {
    let config = neteq::NetEqConfig {
        sample_rate: 8000,
        ..neteq::NetEqConfig::default()
    };
    let mut buffer = neteq::NetEq::new(config).expect("a valid configuration");
    buffer.register_decoder(0, Box::new(Mulaw));
    let start = Instant::now();
    let wait = |until: i64| {
        let until = Duration::from_micros(until.unsigned_abs());
        std::thread::sleep(until.saturating_sub(start.elapsed()));
    };
    let (mut heard, mut next) = (Vec::new(), arrivals.iter().peekable());
    for tick in 0..(clean.len() + TAIL) / FRAME {
        let now = tick as i64 * 20_000;
        while let Some((at, packet)) = next.next_if(|(at, _)| *at <= now) {
            wait(*at);
            let number = *packet as u32;
            let header = neteq::RtpHeader::new(number as u16, number * 160, 1, 0, false);
            let payload = payload(clean, *packet).to_vec();
            let packet = neteq::AudioPacket::new(header, payload, 8000, 1, 20);
            buffer.insert_packet(packet).expect("inserted");
        }
        wait(now);
        for _ in 0..2 {
            let frame = buffer.get_audio().expect("audio");
            let samples = frame
                .samples
                .iter()
                .map(|sample| (sample * 32_768.0) as i16);
            heard.extend(samples);
        }
    }
    heard
}

struct Mulaw;

impl neteq::codec::AudioDecoder for Mulaw {
    fn sample_rate(&self) -> u32 {
        8000
    }

    fn channels(&self) -> u8 {
        1
    }

    fn decode(&mut self, encoded: &[u8]) -> neteq::Result<Vec<f32>> {
        let mut samples = vec![0; encoded.len()];
        Codec::Pcmu.decode(encoded, &mut samples);
        Ok(samples
            .iter()
            .map(|sample| f32::from(*sample) / 32_768.0)
            .collect())
    }
}

struct Verdict {
    /// Root mean square of the difference of log spectra, mean of all frames, dB.
    distance: f64,
    delay_ms: f64,
}

/// Compares piece by piece of 120 ms, each moved to where it is most alike.
fn compare(clean: &[i16], heard: &[i16]) -> Verdict {
    let (mut distance, mut delay, mut pieces) = (0.0, 0.0, 0.0);
    for start in (0..clean.len().saturating_sub(PIECE)).step_by(PIECE) {
        let piece = &clean[start..start + PIECE];
        let Some(field) = heard.get(start..start + LATEST + PIECE) else {
            break;
        };
        if energy(piece) < 1e5 * PIECE as f64 {
            continue;
        }
        let coarse = most_alike(piece, field, 0..LATEST, 4);
        let near = coarse.saturating_sub(2)..(coarse + 3).min(LATEST);
        let place = most_alike(piece, field, near, 1);
        distance += spectral_distance(piece, &field[place..place + PIECE]);
        delay += place as f64 / 8.0;
        pieces += 1.0;
    }
    Verdict {
        distance: distance / pieces,
        delay_ms: delay / pieces,
    }
}

fn energy(samples: &[i16]) -> f64 {
    samples
        .iter()
        .map(|sample| f64::from(*sample).powi(2))
        .sum()
}

fn most_alike(
    piece: &[i16],
    field: &[i16],
    places: impl Iterator<Item = usize>,
    stride: usize,
) -> usize {
    let likeness = |place: usize| {
        let (mut product, mut power) = (0.0, 1.0);
        for i in (0..piece.len()).step_by(stride) {
            let other = f64::from(field[place + i]);
            product += f64::from(piece[i]) * other;
            power += other * other;
        }
        product / power.sqrt()
    };
    let alike = places.map(|place| (place, likeness(place)));
    alike
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(0, |best| best.0)
}

/// Over frames of 32 ms and frequencies up to 3.4 kHz.
fn spectral_distance(a: &[i16], b: &[i16]) -> f64 {
    let frames = (0..=a.len() - WINDOW).step_by(WINDOW / 2);
    let of = |from: usize| {
        let (a, b) = (spectrum(&a[from..]), spectrum(&b[from..]));
        let squares = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2));
        (squares.sum::<f64>() / BINS as f64).sqrt()
    };
    let count = frames.clone().count() as f64;
    frames.map(of).sum::<f64>() / count
}

/// Decibels, no less than those of one quantisation step.
fn spectrum(samples: &[i16]) -> [f64; BINS] {
    std::array::from_fn(|bin| {
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (i, sample) in samples[..WINDOW].iter().enumerate() {
            let turn = std::f64::consts::TAU * i as f64 / WINDOW as f64;
            let value = f64::from(*sample) * (0.5 - 0.5 * turn.cos());
            real += value * (turn * (bin + 1) as f64).cos();
            imaginary += value * (turn * (bin + 1) as f64).sin();
        }
        10.0 * (real * real + imaginary * imaginary + 1e3).log10()
    })
}

/// The script's figure, when it has one.
fn pesq(folder: &Path, name: &str) -> Option<f64> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/judge-sound");
    let output = Command::new(script)
        .arg(folder.join("clean.wav"))
        .arg(folder.join(format!("{name}.wav")))
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Senders whose clocks are 200 ppm off, for an hour: what is heard has no clicks.
fn skew() {
    // Ten seconds of a voice that glides, and comes back to where it began.
    let voice: Vec<i16> = (0..80_000).map(glide).collect();
    let mut clean = vec![0; 80_000];
    let mut encoded = vec![0; 80_000];
    Codec::Pcmu.encode(&voice, &mut encoded);
    Codec::Pcmu.decode(&encoded, &mut clean);
    let limit = roughest(&clean);
    for ppm in [-200i64, 200] {
        let mut buffer = Buffer::new(Codec::Pcmu);
        let (mut heard, mut sent, mut concealed) = (Vec::new(), 0i64, 0u64);
        let mut worst = 0.0f64;
        for tick in 0..180_000i64 {
            let now = tick * 20_000;
            loop {
                let at = sent * 20_000 - sent * ppm / 50 - 7000;
                if at > now {
                    break;
                }
                let place = sent as usize * FRAME % voice.len();
                let payload = &encoded[place..place + FRAME];
                buffer.insert(Timestamp::from_micros(at), &header(sent as usize), payload);
                sent += 1;
            }
            let mut frame = [0; FRAME];
            concealed += u64::from(buffer.pop(&mut frame) != Popped::Full);
            heard.extend(frame);
            if heard.len() >= 80_000 {
                worst = worst.max(roughest(&heard));
                heard.drain(..heard.len() - 4 * FRAME);
            }
        }
        let stats = buffer.stats();
        println!(
            "  {ppm:+} ppm for an hour: {} ms put in, {} left out, {concealed} ticks not whole",
            stats.expanded_ms, stats.accelerated_ms
        );
        let (what, bar) = (
            "roughest moment beside that of the clean voice",
            Bar::AtMost(1.5),
        );
        judge(what, worst / limit, "times", bar);
    }
}

/// A voice of 140 Hz, and ten of its harmonics, that goes up and down by 20 Hz twice in ten seconds.
fn glide(i: usize) -> i16 {
    let second = i as f64 / 8000.0;
    let slow = std::f64::consts::TAU * second / 5.0;
    // The integral of 140 + 20 sin(slow) over time.
    let turns = 140.0 * second + 20.0 * 5.0 / std::f64::consts::TAU * (1.0 - slow.cos());
    let tones = (1..=10).map(|n| {
        let n = f64::from(n);
        (std::f64::consts::TAU * turns * n).sin() / n
    });
    (tones.sum::<f64>() * 4000.0) as i16
}

/// The largest third difference within 5 ms beside the level of 40 ms around it: clicks stand out.
fn roughest(samples: &[i16]) -> f64 {
    let mut worst = 0.0f64;
    for start in (160..samples.len().saturating_sub(200)).step_by(40) {
        let level = (energy(&samples[start - 140..start + 180]) / 320.0).sqrt() + 100.0;
        let peak = samples[start - 3..start + 40]
            .windows(4)
            .map(|four| {
                let [a, b, c, d] = [four[0], four[1], four[2], four[3]].map(f64::from);
                (d - 3.0 * c + 3.0 * b - a).abs()
            })
            .fold(0.0, f64::max);
        worst = worst.max(peak / level);
    }
    worst
}

/// What a packet costs, in and out.
fn cost(clean: &[i16]) {
    for network in &NETWORKS[..1] {
        let arrivals = deliver(network, clean.len() / FRAME);
        let start = Instant::now();
        through_ours(clean, &arrivals);
        let each = start.elapsed().as_secs_f64() * 1e6 / (clean.len() / FRAME) as f64;
        println!("  {each:.2} us a packet, in and out, encoding included");
    }
}

/// Samples after the speech, for what is still on its way: 600 ms.
const TAIL: usize = 4800;

/// Samples compared at once, and how late they may be looked for.
const PIECE: usize = 480;
const LATEST: usize = 3600;

const WINDOW: usize = 256;
const BINS: usize = 108;
