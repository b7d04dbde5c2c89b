//! From the packet that brings a sound to the mixed packet that carries it: at most a tick, at
//! every phase of the tick, and nothing on the way is lost.

use super::*;
use crate::media::{Decoder, Encoder, MAX_FRAME};

/// Each speaks up once in so many frames, one after the other.
const ROUND: usize = 40;
/// Frames from one to the next: longer than any sound may take.
const TURN: usize = 4;
/// The most that a sound may take, microseconds.
const MOST: i64 = 21_000;
/// Between a murmur of all and a word of one.
const LOUD: u16 = 3000;

/// What a member says: a murmur for a round, and then for ever a word and a murmur until its next
/// turn.
fn sayings(codec: Codec, rounds: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec);
    let mut noise = 1u32;
    let mut payloads = Vec::new();
    for frame in 0..(1 + rounds) * ROUND {
        let is_word = frame % ROUND == 0 && frame > 0;
        let peak = if is_word { 12_000 } else { 200 };
        let samples: Vec<i16> = (0..encoder.rate().frame())
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (((noise >> 16) as i32 - 32_768) * peak / 32_768) as i16
            })
            .collect();
        let mut payload = [0; 2 * MAX_FRAME];
        let length = encoder.encode(&samples, &mut payload);
        payloads.push(payload[..length].to_vec());
    }
    payloads
}

/// One who speaks at its own phase of the tick.
struct Speaker {
    phone: Phone,
    room: RoomId,
    /// Frames after the room's first until its turn.
    turn: usize,
    /// Microseconds after the tick.
    phase: i64,
}

impl Speaker {
    fn speak(&mut self, frame: usize, now: i64, sayings: &[Vec<u8>]) {
        // A codec with a memory does not begin after a word, which it has not heard.
        let place = match (frame + ROUND).checked_sub(self.turn + ROUND) {
            None => ROUND + frame - self.turn,
            Some(since) => ROUND + since % (sayings.len() - ROUND),
        };
        let payload = &sayings[place];
        let packet = self.phone.rtp(
            self.phone.codec.payload_type(),
            self.phone.timestamp,
            payload,
        );
        let step = self.phone.codec.clock_hz() / 50;
        self.phone.timestamp = self.phone.timestamp.wrapping_add(step);
        let when = Timestamp::from_micros(now * 1000 + self.phase);
        self.phone.wire.send_at(when, self.phone.switch, &packet);
    }
}

/// When each of the words begins that one hears, microseconds.
fn words(speaker: &Speaker) -> Vec<i64> {
    let mut decoder = Decoder::new(speaker.phone.codec);
    let (mut begun, mut was_loud) = (Vec::new(), false);
    for got in speaker.phone.got() {
        let mut samples = [0i16; MAX_FRAME];
        let samples = &mut samples[..decoder.rate().frame()];
        decoder.decode(&got.payload, samples);
        let is_loud = samples.iter().any(|sample| sample.unsigned_abs() > LOUD);
        if is_loud && !was_loud {
            begun.push(got.at.as_micros());
        }
        was_loud = is_loud;
    }
    begun
}

/// Rooms of so many, `codec` and now and then the other in each, until all phases were had.
fn hear(codecs: &[Codec], members: usize, phases: &[i64], seconds: usize) {
    let mut office = Office::with(|config| {
        config.ports = 20_000..=20_999;
        config.max_legs = 200;
    });
    let sayings = codecs.iter().map(|codec| sayings(*codec, 5));
    let sayings: Vec<_> = sayings.collect();
    let mut speakers = Vec::new();
    for number in 0..phases.len().next_multiple_of(members) {
        let room = RoomId((number / members) as u64);
        if number % members == 0 {
            office.send(Command::OpenRoom { room });
        }
        let phone = office.phone(number as u16 + 1, codecs[number % members % codecs.len()]);
        let standing = Standing::default();
        let leg = phone.leg;
        office.send(Command::Join {
            room,
            leg,
            standing,
        });
        speakers.push(Speaker {
            phone,
            room,
            turn: (number % members + 1) * TURN - 1,
            phase: phases[number % phases.len()],
        });
    }
    office.run(20);
    let begun = office.now;
    let frames = seconds * 50;
    let mut heard = vec![Vec::new(); speakers.len()];
    for frame in 0..frames {
        for (place, speaker) in speakers.iter_mut().enumerate() {
            let codec = place % members % codecs.len();
            speaker.speak(frame, office.now, &sayings[codec]);
        }
        office.run(20);
        if frame % 500 == 499 || frame + 1 == frames {
            for (speaker, heard) in speakers.iter().zip(&mut heard) {
                heard.extend(words(speaker));
            }
        }
    }
    let (mut most, mut sum, mut count) = (0, 0, 0);
    for (listener, heard) in speakers.iter().zip(&heard) {
        // What the others said, and when each packet came that brought the beginning of it.
        let mut said: Vec<(i64, i64)> = speakers
            .iter()
            .filter(|other| other.room == listener.room && other.phone.leg != listener.phone.leg)
            .flat_map(|other| {
                let first = begun * 1000 + other.phase;
                let turns = (other.turn..frames).step_by(ROUND);
                turns.map(move |frame| (first + frame as i64 * 20_000, other.phase))
            })
            .collect();
        said.sort_unstable();
        assert_eq!(
            heard.len(),
            said.len(),
            "of {codecs:?}, {members} a room, {}: {heard:?} {said:?}",
            listener.phone.leg
        );
        for ((said, phase), heard) in said.iter().zip(heard) {
            let took = heard - said;
            assert!(
                (0..=MOST).contains(&took),
                "{took} us at phase {phase} us and time {said} us, {codecs:?}, {members} a room"
            );
            most = most.max(took);
            sum += took;
            count += 1;
        }
    }
    println!(
        "{codecs:?}, rooms of {members}: {count} words, {:.2} ms on average, {:.2} at most",
        sum as f64 / f64::from(count) / 1000.0,
        most as f64 / 1000.0
    );
}

/// Every half of a millisecond.
fn halves() -> Vec<i64> {
    (0..40).map(|half| half * 500).collect()
}

/// Every half of a millisecond, and every tenth about the tick.
fn phases() -> Vec<i64> {
    let tenths = (0..200).filter(|tenth| tenth % 5 == 0 || !(10..190).contains(tenth));
    tenths.map(|tenth| tenth * 100).collect()
}

/// So much of each in passing, more when asked for: a minute of each buffer alone is heard in
/// `jitter`.
fn seconds(usual: usize) -> usize {
    let asked = std::env::var("EAR_SECONDS").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(usual)
}

#[test]
fn g711_takes_no_longer_than_a_tick() {
    hear(&[Codec::Pcmu, Codec::Pcma], 2, &phases(), seconds(6));
    hear(&[Codec::Pcmu], 3, &phases(), seconds(6));
    hear(&[Codec::Pcmu], 10, &phases(), seconds(6));
}

#[test]
fn g722_takes_no_longer_than_a_tick() {
    hear(&[Codec::G722, Codec::Pcmu], 2, &halves(), seconds(2));
    hear(&[Codec::G722], 3, &halves(), seconds(2));
    hear(&[Codec::G722], 10, &halves(), seconds(2));
}

#[test]
fn opus_takes_no_longer_than_a_tick() {
    hear(&[Codec::Opus, Codec::G722], 2, &halves(), seconds(2));
    hear(&[Codec::Opus], 3, &halves(), seconds(2));
    hear(&[Codec::Opus], 10, &halves(), seconds(2));
}
