//! Comfort noise (RFC 3389): pauses that are described in place of being sent.

use super::*;
use crate::media::recorder::GapCause;
use crate::media::{RoomTerms, Tape};

const NOISE: u8 = 13;

impl Office {
    /// A phone whose far end offered comfort noise.
    fn pausing_phone(&self, number: u16, codec: Codec) -> Phone {
        let phone = self.phone(number, codec);
        self.agree_on_noise(&phone);
        phone
    }

    fn agree_on_noise(&self, phone: &Phone) {
        self.send(Command::SetLeg {
            leg: phone.leg,
            flow: LegFlow {
                comfort_noise: Some(NOISE),
                ..phone.flow()
            },
        });
    }
}

impl Phone {
    /// Leaves out so many frames, saying first what they sound like.
    fn pause_at(&mut self, when: Timestamp, level: u8, frames: u32) {
        let packet = self.rtp(NOISE, self.timestamp, &[level]);
        self.wire.send_at(when, self.switch, &packet);
        self.timestamp = self
            .timestamp
            .wrapping_add(frames * self.codec.clock_hz() / 50);
    }

    /// Sends a frame of a steady value.
    fn murmur_at(&mut self, when: Timestamp, value: i16) {
        let mut payload = [0; FRAME_SAMPLES];
        let mut samples = [value; FRAME_SAMPLES];
        samples.iter_mut().step_by(2).for_each(|it| *it = -value);
        self.codec.encode(&samples, &mut payload);
        let packet = self.rtp(self.codec.payload_type(), self.timestamp, &payload);
        self.timestamp = self.timestamp.wrapping_add(FRAME_SAMPLES as u32);
        self.wire.send_at(when, self.switch, &packet);
    }
}

/// Three in a room, so that all hear the mix; the first two agreed on comfort noise.
fn conference(codec: Codec) -> (Office, Phone, Phone, Phone) {
    let office = Office::new();
    let a = office.pausing_phone(1, codec);
    let b = office.pausing_phone(2, Codec::Pcma);
    let c = office.phone(3, Codec::Pcmu);
    office.send(Command::OpenRoom { room: ROOM });
    for phone in [&a, &b, &c] {
        office.join(phone);
    }
    (office, a, b, c)
}

fn noises(got: &[Got]) -> Vec<&Got> {
    let is_noise = |got: &&Got| got.header.payload_type == NOISE;
    got.iter().filter(is_noise).collect()
}

/// That numbers run on, and timestamps with time, over whatever was left out.
fn check_stream(got: &[Got]) {
    for pair in got.windows(2) {
        let [before, after] = pair else { continue };
        let shown = (before.at, before.header, after.at, after.header);
        let step = rtp::sequence_distance(after.header.sequence, before.header.sequence);
        assert_eq!(step, 1, "no number is left out");
        let ms = after.at.since(before.at).as_millis() as i32;
        let ahead = rtp::distance(after.header.timestamp, before.header.timestamp);
        assert!((ahead - 8 * ms).abs() <= 160, "{ahead} in {ms} ms");
        // The first word after a pause, and no noise, has the marker.
        let is_word = after.header.payload_type != NOISE;
        let follows_noise = before.header.payload_type == NOISE;
        assert_eq!(after.header.marker, is_word && follows_noise, "{shown:?}");
    }
}

#[test]
fn a_silent_mix_is_described_and_left_out() {
    for (codec, ptime_ms) in [(Codec::Pcmu, 20), (Codec::G722, 20), (Codec::Pcmu, 30)] {
        let (mut office, mut a, mut b, mut c) = conference(codec);
        if ptime_ms != 20 {
            office.send(Command::SetLeg {
                leg: a.leg,
                flow: LegFlow {
                    comfort_noise: Some(NOISE),
                    ptime_ms,
                    ..a.flow()
                },
            });
        }
        let speak = |office: &mut Office, c: &mut Phone| office.talk(50, &mut [c]);
        speak(&mut office, &mut c);
        let talk = a.got();
        assert_eq!(noises(&talk).len(), 0);
        assert_eq!((noises(&b.got()).len(), c.got().len()), (0, 50));
        // Nobody sends anything for ten seconds.
        office.run(10_000);
        let (pause, other) = (a.got(), b.got());
        for got in [&pause, &other] {
            let told = noises(got);
            assert!((10..=11).contains(&told.len()), "{} packets", told.len());
            assert!(told.iter().all(|got| got.payload == [127]));
            // The buffer's last frames, and 200 ms to be sure.
            let sent = got.len() - told.len();
            assert!((6..60).contains(&sent), "{sent} packets of silence");
        }
        // Who did not agree is sent the silence.
        assert!(c.got().iter().all(|got| got.header.payload_type == 0));
        speak(&mut office, &mut c);
        let again = a.got();
        assert!(again.len() > 25, "{}", again.len());
        let stream: Vec<Got> = [talk, pause, again].concat();
        match ptime_ms {
            20 => check_stream(&stream),
            // Packets are not the tick's: numbers and markers alone.
            _ => {
                let words: Vec<_> = stream.iter().filter(|got| got.header.marker).collect();
                assert_eq!(words.len(), 1 + usize::from(stream[0].header.marker));
                let numbers = stream.windows(2).map(|two| {
                    rtp::sequence_distance(two[1].header.sequence, two[0].header.sequence)
                });
                assert!(numbers.into_iter().all(|step| step == 1));
            }
        }
        // The others are heard by nobody: they do not speak.
        office.talk(5, &mut [&mut a, &mut b]);
    }
}

#[test]
fn the_noise_of_a_line_is_described_and_its_changes() {
    let (mut office, a, _b, mut c) = conference(Codec::Pcmu);
    for (value, frames) in [(40, 150), (12, 150)] {
        for _ in 0..frames {
            c.murmur_at(at(office.now + 3), value);
            office.run(20);
        }
    }
    let got = a.got();
    let levels: Vec<u8> = noises(&got).iter().map(|got| got.payload[0]).collect();
    let level = |value: f64| -20.0 * (value / 32_768.0).log10();
    let near = |told: u8, value| (f64::from(told) - level(value)).abs() < 2.5;
    assert!(near(levels[0], 40.0), "{levels:?}");
    assert!(near(*levels.last().expect("told"), 12.0), "{levels:?}");
    assert!(levels.len() <= 10, "{levels:?}");
    check_stream(&got);
}

#[test]
fn talkers_keys_and_announcements_are_no_silence() {
    let (mut office, a, b, mut c) = conference(Codec::Pcmu);
    office.send(Command::SetRoom {
        room: ROOM,
        terms: RoomTerms {
            levelling: true,
            tells_talkers: true,
        },
    });
    office.talk(100, &mut [&mut c]);
    assert_eq!(noises(&a.got()).len() + noises(&b.got()).len(), 0);
    office.run(2000);
    a.got();
    office.send(Command::SendDigits {
        leg: a.leg,
        digits: "5".to_owned(),
    });
    office.run(300);
    let got = a.got();
    let events = got.iter().filter(|got| got.header.payload_type == EVENT);
    assert!(events.count() >= 5);
    // Silence begins anew after a key.
    assert!(
        got.iter()
            .filter(|got| got.header.payload_type == 0)
            .count()
            >= 3
    );
}

#[test]
fn a_relayed_pause_goes_to_who_agreed_on_it() {
    for agreed in [true, false] {
        let mut office = Office::new();
        let (mut a, b) = office.pair();
        office.agree_on_noise(&a);
        if agreed {
            office.agree_on_noise(&b);
        }
        office.run(20);
        for n in 0..5 {
            office.talk(20, &mut [&mut a]);
            a.pause_at(at(office.now + 3), 50 + n, 30);
            office.run(600);
        }
        office.talk(20, &mut [&mut a]);
        let got = b.got();
        let told: Vec<u8> = noises(&got).iter().map(|got| got.payload[0]).collect();
        let audio = got.iter().filter(|got| got.header.payload_type == 0);
        assert_eq!(audio.count(), 120);
        for pair in got.windows(2) {
            let step = rtp::sequence_distance(pair[1].header.sequence, pair[0].header.sequence);
            assert_eq!(step, 1, "nothing looks lost");
            let ahead = rtp::distance(pair[1].header.timestamp, pair[0].header.timestamp);
            let ms = pair[1].at.since(pair[0].at).as_millis() as i32;
            assert_eq!(ahead, 8 * ms);
        }
        match agreed {
            true => assert_eq!(told, [50, 51, 52, 53, 54]),
            false => assert_eq!(told, [0u8; 0]),
        }
    }
}

#[test]
fn a_recording_has_a_pause_as_silence_and_not_as_loss() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().to_owned();
    let mut office = Office::with(|config| config.recordings = path);
    let (mut a, mut b) = office.pair();
    office.agree_on_noise(&a);
    office.talk(5, &mut [&mut a, &mut b]);
    let (recording, leg_recording) = ("r1", "r2");
    let tape = |stem: &str| Tape {
        stem: stem.to_owned(),
        channels: vec!["caller".to_owned(), "agent".to_owned()],
        labels: Default::default(),
        format: None,
    };
    office.send(Command::Record {
        recording: crate::base::RecordingId::new(recording),
        room: ROOM,
        left: a.leg,
        right: vec![b.leg],
        at: at(office.now),
        tape: tape(recording),
    });
    office.send(Command::RecordLeg {
        recording: crate::base::RecordingId::new(leg_recording),
        leg: a.leg,
        at: at(office.now),
        tape: tape(leg_recording),
    });
    for _ in 0..4 {
        office.talk(25, &mut [&mut a, &mut b]);
        a.pause_at(at(office.now + 3), 60, 25);
        office.talk(25, &mut [&mut b]);
    }
    office.talk(25, &mut [&mut a, &mut b]);
    for recording in [recording, leg_recording] {
        office.send(Command::StopRecord {
            recording: crate::base::RecordingId::new(recording),
            at: at(office.now),
        });
    }
    office.run(0);
    let mut closed = 0;
    for notice in office.notices() {
        let Notice::RecordingClosed(file) = notice else {
            continue;
        };
        closed += 1;
        assert_eq!(file.defect, None);
        let lost = file.gaps.iter().filter(|gap| gap.cause == GapCause::Lost);
        assert_eq!(lost.count(), 0, "{:?}", file.gaps);
        assert_eq!(file.duration_ms, 4500);
        let mut reader = hound::WavReader::open(&file.path).expect("a WAV file");
        let samples: Vec<i16> = reader.samples().map(|it| it.expect("16 bit")).collect();
        let left: Vec<i16> = samples.iter().step_by(2).copied().collect();
        for half_second in 0..9 {
            let from = half_second * 4000 + 400;
            let loud = left[from..from + 3400].iter().any(|sample| *sample != 0);
            assert_eq!(loud, half_second % 2 == 0, "{half_second}");
        }
    }
    assert_eq!(closed, 2);
}

#[test]
fn noise_is_believed_from_the_latched_source_alone() {
    let mut office = Office::new();
    let (mut a, b) = office.pair();
    office.agree_on_noise(&a);
    office.agree_on_noise(&b);
    let stranger = office.net.endpoint(address(50_000));
    office.run(20);
    // Before anything is latched, and from elsewhere after it.
    a.pause_at(at(office.now + 3), 40, 1);
    office.run(20);
    assert_eq!(b.got().len(), 0);
    office.talk(10, &mut [&mut a]);
    let forged = a.rtp(NOISE, a.timestamp, &[1]);
    stranger.send_at(at(office.now + 3), a.switch, &forged);
    office.run(20);
    let got = b.got();
    assert_eq!((got.len(), noises(&got).len()), (10, 0));
    // Garbage is no noise: an empty payload describes nothing and harms nothing.
    let empty = a.rtp(NOISE, a.timestamp, &[]);
    a.wire.send_at(at(office.now + 3), a.switch, &empty);
    office.talk(10, &mut [&mut a]);
    assert!(b.got().len() >= 10);
}
