//! What the buffer promises, of streams of every kind.

use proptest::prelude::*;

use super::buffer::{Buffer, Depth, Inserted, Popped, Stats};
use crate::base::Timestamp;
use crate::media::FRAME_SAMPLES;
use crate::media::MAX_FRAME;
use crate::media::codec::{Codec, Decoder, Encoder, NoiseModel};
use crate::media::rtp::Header;

/// Frames of a source that can be told apart.
const DISTINCT: u32 = 120;

/// A stream of mu-law packets of 20 ms whose octets tell their own number.
struct Source {
    origin: u32,
}

const WRAPPING: Source = Source {
    origin: u32::MAX - 1000,
};

impl Source {
    fn header(&self, frame: u32) -> Header {
        Header {
            sequence: (frame as u16).wrapping_sub(20),
            timestamp: self.origin.wrapping_add(frame.wrapping_mul(160)),
            ssrc: 1,
            ..Header::default()
        }
    }

    fn insert(&self, buffer: &mut Buffer, ms: f64, frame: u32) -> Inserted {
        let payload = [(frame % DISTINCT) as u8; 160];
        buffer.insert(at(ms), &self.header(frame), &payload)
    }
}

fn at(ms: f64) -> Timestamp {
    Timestamp::from_micros((ms * 1000.0) as i64)
}

/// The frame number played, or `None` for what was made up.
fn pop(buffer: &mut Buffer) -> Option<u32> {
    let mut frame = [0; FRAME_SAMPLES];
    match buffer.pop(&mut frame) {
        Popped::Full => {
            let mut level = [0];
            (0..DISTINCT).find(|number| {
                Codec::Pcmu.decode(&[*number as u8], &mut level);
                level[0] == frame[80]
            })
        }
        _ => None,
    }
}

/// Sends frame `i` just before tick `i` where `sends` says so, and returns what was played.
fn played(ticks: u32, sends: impl Fn(u32) -> bool) -> (Vec<Option<u32>>, Stats) {
    let mut buffer = Buffer::new(Codec::Pcmu);
    let played = (0..ticks)
        .map(|i| {
            if sends(i) {
                WRAPPING.insert(&mut buffer, f64::from(i) * 20.0 - 8.0, i);
            }
            pop(&mut buffer)
        })
        .collect();
    (played, buffer.stats())
}

#[test]
fn what_comes_before_a_tick_is_played_at_that_tick() {
    let (played, stats) = played(100, |_| true);
    let expected: Vec<_> = (0..100).map(Some).collect();
    assert_eq!(played, expected);
    assert_eq!(stats.target_ms, 0);
}

#[test]
fn perfect_input_is_bit_exact_for_an_hour() {
    for (step, phase) in [(0.0, 3.0), (0.013, 8.0), (4.0, 13.0)] {
        let mut buffer = Buffer::new(Codec::Pcma);
        let mut noise = 1u32;
        let (mut payload, mut clean, mut frame) = ([0; 160], [0; 160], [0; 160]);
        for i in 0..180_000 {
            // A frame is told from the one before it by any of its octets.
            let changed = i as usize % payload.len();
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            payload.rotate_left(7);
            payload[changed] = (noise >> 24) as u8;
            // At its phase, or a little after: within the same tick.
            let ms = f64::from(i) * 20.0 + phase + f64::from(i % 2) * step;
            buffer.insert(at(ms), &WRAPPING.header(i), &payload);
            assert_eq!(buffer.pop(&mut frame), Popped::Full);
            Codec::Pcma.decode(&payload, &mut clean);
            assert_eq!(frame, clean, "frame {i}");
        }
        let stats = buffer.stats();
        assert_eq!((stats.accelerated_ms, stats.expanded_ms), (0, 0));
        assert_eq!((stats.concealed_ms, stats.lost), (0, 0));
    }
}

/// Perfect input at every half of a millisecond of the tick, and in G.711 every tenth about it, for
/// a minute: no sound takes longer than a tick, and nothing is lost or stretched.
fn waits_for_its_tick(codec: Codec) {
    // A word, and silence until the next; in the end as in the beginning.
    const ROUND: usize = 5;
    let is_near = |tenth: &i64| !codec.has_memory() && !(10..190).contains(tenth);
    let phases = (0..200i64).filter(|tenth| tenth % 5 == 0 || is_near(tenth));
    let phases: Vec<i64> = phases.map(|tenth| tenth * 100).collect();
    let mut encoder = Encoder::new(codec);
    let samples = encoder.rate().frame();
    let payloads: Vec<Vec<u8>> = (0..50 * ROUND)
        .map(|frame| {
            let peak = if frame % ROUND == 0 { 16_000 } else { 0 };
            let word = |n: usize| {
                if (n / 8).is_multiple_of(2) {
                    peak
                } else {
                    -peak
                }
            };
            let frame: Vec<i16> = (0..samples).map(word).collect();
            let mut payload = [0; 1460];
            let length = encoder.encode(&frame, &mut payload);
            payload[..length].to_vec()
        })
        .collect();
    let mut most = 0;
    for phase in &phases {
        let mut buffer = Buffer::new(codec);
        let (mut heard, mut was_loud) = (0, false);
        for i in 0..3000u32 {
            let header = Header {
                sequence: i as u16,
                timestamp: i * codec.clock_hz() / 50,
                ssrc: 1,
                ..Header::default()
            };
            let payload = &payloads[i as usize % payloads.len()];
            let tick = i64::from(i) * 20_000;
            let came = Timestamp::from_micros(tick - 20_000 + phase);
            buffer.insert(came, &header, payload);
            let mut frame = [0; MAX_FRAME];
            let frame = &mut frame[..samples];
            assert_eq!(buffer.pop(frame), Popped::Full, "{codec:?} {phase} us, {i}");
            let is_loud = frame
                .chunks(16)
                .any(|few| few[0].unsigned_abs().max(few[5].unsigned_abs()) > 4000);
            if is_loud && !was_loud {
                let said = (heard * ROUND) as i64 * 20_000 - 20_000 + phase;
                most = most.max(tick - said);
                heard += 1;
                assert!(tick - said <= 21_000, "{codec:?} {phase} us, {i}");
            }
            was_loud = is_loud;
        }
        assert_eq!(heard, 3000 / ROUND, "{codec:?} at {phase} us");
        let stats = buffer.stats();
        assert_eq!((stats.accelerated_ms, stats.expanded_ms), (0, 0));
    }
    println!("{codec:?}: {most} us at most, at {} phases", phases.len());
}

#[test]
fn perfect_g711_waits_for_its_tick_and_no_longer() {
    waits_for_its_tick(Codec::Pcmu);
}

#[test]
fn perfect_g722_waits_for_its_tick_and_no_longer() {
    waits_for_its_tick(Codec::G722);
}

#[test]
fn perfect_opus_waits_for_its_tick_and_no_longer() {
    waits_for_its_tick(Codec::Opus);
}

#[test]
fn loss_is_concealed_and_shifts_nothing() {
    let (played, stats) = played(100, |i| i % 7 != 3);
    for (i, played) in (0..).zip(played) {
        assert_eq!(played, (i % 7 != 3).then_some(i));
    }
    assert_eq!((stats.lost, stats.concealed_ms), (14, 280));
}

#[test]
fn a_duplicate_and_a_late_packet_are_told_and_dropped() {
    let mut buffer = Buffer::new(Codec::Pcmu);
    WRAPPING.insert(&mut buffer, 0.0, 0);
    assert_eq!(WRAPPING.insert(&mut buffer, 1.0, 0), Inserted::Duplicate);
    for i in [2, 3, 4] {
        pop(&mut buffer);
        WRAPPING.insert(&mut buffer, f64::from(i) * 20.0, i);
    }
    pop(&mut buffer);
    pop(&mut buffer);
    assert_eq!(WRAPPING.insert(&mut buffer, 99.0, 1), Inserted::Late);
    assert_eq!(WRAPPING.insert(&mut buffer, 99.0, 1), Inserted::Duplicate);
    assert_eq!((buffer.stats().duplicates, buffer.stats().late), (2, 1));
}

#[test]
fn a_late_packet_is_played_when_nothing_follows_it() {
    let mut buffer = Buffer::new(Codec::Pcmu);
    for i in 0..10 {
        WRAPPING.insert(&mut buffer, f64::from(i) * 20.0 - 5.0, i);
        assert_eq!(pop(&mut buffer), Some(i));
    }
    assert_eq!(pop(&mut buffer), None);
    WRAPPING.insert(&mut buffer, 202.0, 10);
    for i in 10..20 {
        WRAPPING.insert(&mut buffer, f64::from(i + 1) * 20.0 - 5.0, i + 1);
        assert_eq!(pop(&mut buffer), Some(i));
    }
    let stats = buffer.stats();
    assert_eq!((stats.lost, stats.late, stats.expanded_ms), (0, 0, 20));
}

#[test]
fn reordered_packets_are_played_in_order() {
    let mut buffer = Buffer::new(Codec::Pcmu);
    let mut heard = Vec::new();
    for i in 0..200u32 {
        // Pairs come swapped, the later of them 20 ms before the earlier.
        WRAPPING.insert(&mut buffer, f64::from(i) * 20.0 - 5.0, i ^ 1);
        heard.extend(pop(&mut buffer));
    }
    let tail = &heard[heard.len() - 100..];
    for pair in tail.windows(2) {
        assert_eq!(pair[1], (pair[0] + 1) % DISTINCT);
    }
    let stats = buffer.stats();
    assert!(stats.lost <= 3, "{stats:?}");
}

#[test]
fn a_pause_of_the_sender_keeps_its_length_and_is_empty() {
    let mut buffer = Buffer::new(Codec::Pcmu);
    let mut empty = 0;
    for i in 0..300u32 {
        // Sequence numbers go on, timestamps leap: discontinuous transmission.
        if !(10..260).contains(&i) {
            let header = Header {
                sequence: if i < 10 { i } else { i - 250 } as u16,
                ..WRAPPING.header(i)
            };
            let payload = [(i % DISTINCT) as u8; 160];
            buffer.insert(at(f64::from(i) * 20.0 - 8.0), &header, &payload);
            assert_eq!(pop(&mut buffer), Some(i % DISTINCT));
        } else {
            empty += u32::from(buffer.pop(&mut [0; FRAME_SAMPLES]) == Popped::Empty);
        }
    }
    assert!(empty > 240, "{empty}");
    let stats = buffer.stats();
    assert_eq!((stats.lost, stats.late, stats.restarts), (0, 0, 0));
}

#[test]
fn an_event_in_place_of_audio_is_no_loss() {
    let mut buffer = Buffer::new(Codec::Pcmu);
    for i in 0..100u32 {
        if (40..60).contains(&i) {
            buffer.pass(&WRAPPING.header(i));
            assert_eq!(pop(&mut buffer), None);
        } else {
            WRAPPING.insert(&mut buffer, f64::from(i) * 20.0 - 8.0, i);
            assert_eq!(pop(&mut buffer), Some(i));
        }
    }
    let stats = buffer.stats();
    assert_eq!(stats.lost, 0);
    assert!(stats.concealed_ms <= 20, "{stats:?}");
}

#[test]
fn a_stray_packet_changes_nothing() {
    let mut buffer = Buffer::new(Codec::Pcmu);
    for i in 0..110u32 {
        let ms = f64::from(i) * 20.0 - 8.0;
        WRAPPING.insert(&mut buffer, ms, i);
        let stray = Header {
            ssrc: 1 + i % 2,
            sequence: 9,
            timestamp: 0x4000_0000 + i * 7919,
            ..Header::default()
        };
        assert_eq!(buffer.insert(at(ms), &stray, &[1; 160]), Inserted::Held);
        assert_eq!(pop(&mut buffer), Some(i));
    }
    assert_eq!(buffer.stats().restarts, 0);
}

#[test]
fn a_new_ssrc_and_a_leap_of_the_clock_lose_nothing() {
    let mut buffer = Buffer::new(Codec::Pcmu);
    let mut ms = 0.0;
    for i in 0..20 {
        WRAPPING.insert(&mut buffer, ms, i);
        pop(&mut buffer);
        ms += 20.0;
    }
    for (first, ssrc, leap) in [(30, 2, 0), (60, 2, 1 << 30), (90, 2, 3 << 30)] {
        let mut played = Vec::new();
        for i in 0..20u32 {
            let header = Header {
                ssrc,
                sequence: i as u16,
                timestamp: (i * 160).wrapping_add(leap),
                ..Header::default()
            };
            buffer.insert(at(ms), &header, &[(first + i) as u8; 160]);
            played.extend(pop(&mut buffer).filter(|frame| *frame >= first));
            ms += 20.0;
        }
        assert_eq!(played[..15], (first..first + 15).collect::<Vec<_>>()[..]);
    }
    assert_eq!(buffer.stats().restarts, 3);
}

#[test]
fn a_path_that_becomes_longer_or_shorter_is_followed() {
    let mut buffer = Buffer::new(Codec::Pcmu);
    let mut heard = Vec::new();
    for tick in 0..3000u32 {
        let ms = f64::from(tick) * 20.0 - 8.0;
        let delay = if (500..1500).contains(&tick) { 10 } else { 0 };
        if tick == 1500 {
            for i in 1490..1500 {
                WRAPPING.insert(&mut buffer, ms, i);
            }
        }
        if let Some(frame) = tick.checked_sub(delay) {
            WRAPPING.insert(&mut buffer, ms, frame);
        }
        heard.push(pop(&mut buffer));
    }
    assert_eq!(heard[499], Some(499 % DISTINCT));
    assert_eq!(heard[600], Some(590 % DISTINCT));
    // Left with less than a frame more than before, and less than two while packets may come late.
    let behind = (2999 % DISTINCT + DISTINCT - heard[2999].expect("heard")) % DISTINCT;
    assert!(behind <= 1, "{:?}", buffer.stats());
    assert_eq!(buffer.stats().restarts, 0);
}

#[test]
fn packets_about_the_tick_settle_after_one_correction() {
    let mut buffer = Buffer::new(Codec::Pcmu);
    for i in 0..2000u32 {
        // Every third packet comes just after its tick.
        let ms = f64::from(i) * 20.0;
        if i % 3 != 0 {
            WRAPPING.insert(&mut buffer, ms - 0.4, i);
        }
        pop(&mut buffer);
        if i % 3 == 0 {
            WRAPPING.insert(&mut buffer, ms + 0.4, i);
        }
    }
    let stats = buffer.stats();
    assert_eq!((stats.late, stats.lost), (0, 0));
    assert!(stats.concealed_ms <= 20, "{stats:?}");
    assert!(stats.expanded_ms + stats.accelerated_ms <= 40, "{stats:?}");
}

#[test]
fn a_fixed_depth_plays_so_much_later() {
    let mut buffer = Buffer::with_depth(Codec::Pcmu, Depth::Fixed(60));
    let played: Vec<_> = (0..100)
        .map(|i| {
            WRAPPING.insert(&mut buffer, f64::from(i) * 20.0 - 8.0, i);
            pop(&mut buffer)
        })
        .collect();
    assert_eq!(played[..5], [None, None, None, Some(0), Some(1)]);
    assert_eq!(played[99], Some(96));
}

#[test]
fn after_a_loss_nothing_is_heard_for_ever() {
    let (played, stats) = played(1000, |i| i < 50);
    assert_eq!(played[49], Some(49));
    assert!(stats.concealed_ms <= 120, "{stats:?}");
    assert_eq!(played[50..].iter().flatten().count(), 0);
}

#[test]
fn comfort_noise_fills_a_pause_as_it_was_described() {
    let mut buffer = Buffer::new(Codec::Pcmu);
    for i in 0..100u32 {
        let mut frame = [0; FRAME_SAMPLES];
        match i {
            20 => buffer.comfort_noise(&WRAPPING.header(i), NoiseModel::white(40)),
            21..70 => {}
            _ => {
                let header = Header {
                    sequence: if i < 20 { i } else { i - 49 } as u16,
                    ..WRAPPING.header(i)
                };
                let header = Header {
                    sequence: header.sequence.wrapping_sub(20),
                    ..header
                };
                buffer.insert(at(f64::from(i) * 20.0 - 8.0), &header, &[7; 160]);
            }
        }
        let popped = buffer.pop(&mut frame);
        if (25..70).contains(&i) {
            assert_eq!(popped, Popped::Noise);
            let power: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
            let level = 10.0 * (power / 160.0 / 32_768f64.powi(2)).log10();
            assert!((-46.0..-34.0).contains(&level), "{level}");
        } else if !(20..25).contains(&i) {
            assert_eq!(popped, Popped::Full);
        }
    }
    assert_eq!(buffer.stats().lost, 0);
}

#[test]
fn every_codec_comes_through_exactly_and_is_concealed() {
    for codec in Codec::ALL {
        let mut encoder = Encoder::new(codec);
        let mut direct = Decoder::new(codec);
        let (mut clean, mut lossy) = (Buffer::new(codec), Buffer::new(codec));
        let samples = direct.rate().frame();
        let voice: Vec<i16> = (0..samples as u32 * 100)
            .map(|i| {
                let turn = f64::from(i) / f64::from(direct.rate().hz()) * std::f64::consts::TAU;
                let tones = (1..=6).map(|n| (turn * 150.0 * f64::from(n)).sin() / f64::from(n));
                (tones.sum::<f64>() * 6000.0) as i16
            })
            .collect();
        let mut energy = [0.0; 2];
        for (i, frame) in (0u32..).zip(voice.chunks(samples)) {
            let mut payload = [0; 1460];
            let length = encoder.encode(frame, &mut payload);
            let payload = &payload[..length];
            let header = Header {
                sequence: i as u16,
                timestamp: i * codec.clock_hz() / 50,
                ssrc: 1,
                ..Header::default()
            };
            let now = at(f64::from(i) * 20.0 - 8.0);
            let (mut expected, mut heard) = ([0; MAX_FRAME], [0; MAX_FRAME]);
            direct.decode(payload, &mut expected[..samples]);
            clean.insert(now, &header, payload);
            assert_eq!(clean.pop(&mut heard[..samples]), Popped::Full);
            assert!(heard == expected, "{codec:?} frame {i}");
            if i % 10 != 7 {
                lossy.insert(now, &header, payload);
            }
            let popped = lossy.pop(&mut heard[..samples]);
            assert_ne!(popped, Popped::Empty);
            if i > 20 {
                let sum = |frame: &[i16]| -> f64 {
                    frame.iter().map(|sample| f64::from(*sample).powi(2)).sum()
                };
                energy[0] += sum(&expected[..samples]);
                energy[1] += sum(&heard[..samples]);
            }
        }
        assert_eq!(lossy.stats().lost, 10);
        // libopus lets what it makes up sink at once.
        let kept = energy[1] / energy[0];
        assert!((0.8..1.1).contains(&kept), "{codec:?} {kept}");
    }
}

/// Ten seconds of a voice of 140 Hz that goes up and down, and comes back to where it began.
fn glide() -> Vec<i16> {
    let wave: Vec<f64> = (0..8000)
        .map(|i| {
            let turn = std::f64::consts::TAU * f64::from(i) / 8000.0;
            let tones = (1..=10).map(|n| (turn * f64::from(n)).sin() / f64::from(n));
            tones.sum::<f64>() * 4000.0
        })
        .collect();
    let sample = |i: u32| {
        let second = f64::from(i) / 8000.0;
        let slow = std::f64::consts::TAU * second / 5.0;
        let turns = 140.0 * second + 20.0 * 5.0 / std::f64::consts::TAU * (1.0 - slow.cos());
        wave[(turns.fract() * 8000.0) as usize] as i16
    };
    (0..80_000).map(sample).collect()
}

/// The largest third difference within 5 ms beside the level of 40 ms around it: clicks stand out.
fn roughest(samples: &[i16]) -> i64 {
    let mut worst = 0;
    for start in (160..samples.len().saturating_sub(200)).step_by(40) {
        let level: i64 = samples[start - 140..start + 180]
            .iter()
            .map(|sample| i64::from(sample.unsigned_abs()))
            .sum();
        let peak = samples[start - 3..start + 40]
            .windows(4)
            .map(|four| {
                let [a, b, c, d] = [four[0], four[1], four[2], four[3]].map(i64::from);
                (d - 3 * c + 3 * b - a).abs()
            })
            .max();
        worst = worst.max(peak.unwrap_or(0) * 320_000 / (level + 32_000));
    }
    worst
}

/// Ten minutes; the bench does the hour.
#[test]
fn clocks_that_differ_are_followed_without_a_click() {
    let (mut payload, mut clean) = (vec![0; 80_000], vec![0; 80_000]);
    Codec::Pcmu.encode(&glide(), &mut payload);
    Codec::Pcmu.decode(&payload, &mut clean);
    let limit = roughest(&clean) * 3 / 2;
    for ppm in [-200i64, 200] {
        let mut buffer = Buffer::new(Codec::Pcmu);
        let (mut heard, mut sent, mut broken) = (Vec::new(), 0i64, 0);
        for tick in 0..30_000i64 {
            loop {
                let micros = sent * 20_000 - sent * ppm / 50 - 7000;
                if micros > tick * 20_000 {
                    break;
                }
                let from = sent as usize * 160 % payload.len();
                let header = WRAPPING.header(sent as u32);
                let packet = &payload[from..from + 160];
                buffer.insert(Timestamp::from_micros(micros), &header, packet);
                sent += 1;
            }
            let mut frame = [0; FRAME_SAMPLES];
            broken += u32::from(buffer.pop(&mut frame) != Popped::Full);
            heard.extend(frame);
            if heard.len() > 80_000 {
                let rough = roughest(&heard);
                assert!(rough <= limit, "{rough}, {limit} at tick {tick}");
                heard.drain(..heard.len() - 640);
            }
        }
        let stats = buffer.stats();
        assert_eq!((stats.lost, stats.late), (0, 0), "{stats:?}");
        // Only the first time it is not known how near the tick is.
        assert!(broken <= 1, "{broken} {stats:?}");
        let followed = stats.expanded_ms.abs_diff(stats.accelerated_ms);
        assert!((95..=145).contains(&followed), "{stats:?}");
    }
}

proptest! {
    #[test]
    fn packets_of_any_size_in_time_are_played_whole(
        origin: u32,
        size in prop::sample::select(vec![80usize, 160, 240, 320, 480]),
    ) {
        let mut buffer = Buffer::new(Codec::Pcmu);
        let total = 48_000;
        let octets: Vec<u8> = (0..total).map(|i| (i * 7 % 127) as u8).collect();
        let mut stream = vec![0; total];
        Decoder::new(Codec::Pcmu).decode(&octets, &mut stream);
        let (mut out, mut next) = (Vec::new(), 0);
        for tick in 0..330usize {
            while (next + 1) * size <= (tick + 1) * 160 && (next + 1) * size <= total {
                let header = Header {
                    sequence: next as u16,
                    timestamp: origin.wrapping_add((next * size) as u32),
                    ssrc: 1,
                    ..Header::default()
                };
                let ms = ((next + 1) * size) as f64 / 8.0;
                buffer.insert(at(ms), &header, &octets[next * size..(next + 1) * size]);
                next += 1;
            }
            let mut frame = [0; FRAME_SAMPLES];
            buffer.pop(&mut frame);
            out.extend(frame);
        }
        // The last second came through whole: what was learned at the beginning is enough.
        let tail = &stream[total - 8000..];
        prop_assert!(out.windows(8000).any(|window| window == tail), "{:?}", buffer.stats());
    }

    #[test]
    fn any_packets_are_survived(
        packets in prop::collection::vec(
            (any::<(u16, u32, bool)>(), 0usize..2000, 0u8..4, -3000i32..3000, 0i64..90_000),
            0..300,
        ),
        fixed: bool,
    ) {
        let depth = if fixed { Depth::Fixed(60) } else { Depth::default() };
        let mut buffer = Buffer::with_depth(Codec::Pcma, depth);
        let (mut frame, mut near, mut now) = ([0; FRAME_SAMPLES], 0u32, 0);
        for ((sequence, far, leap), length, pops, step, later) in packets {
            near = if leap { far } else { near.wrapping_add_signed(step) };
            now += later;
            let header = Header {
                sequence: if leap { sequence } else { (near / 160) as u16 },
                timestamp: near,
                ssrc: u32::from(leap && length % 2 == 0),
                ..Header::default()
            };
            if length % 50 == 7 {
                buffer.pass(&header);
            } else {
                let payload = vec![sequence as u8; length];
                buffer.insert(Timestamp::from_micros(now), &header, &payload);
            }
            for _ in 0..pops {
                buffer.pop(&mut frame);
            }
            buffer.stats();
        }
    }
}
