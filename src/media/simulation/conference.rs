//! What conferences add: supervisors, announcements, who talks, automatic level.

use std::sync::Arc;

use super::*;
use crate::media::mixer::Gain;
use crate::media::{Decoder, MAX_FRAME, Role, RoomTerms, Sound};

impl Office {
    fn join_as(&self, phone: &Phone, role: Role) {
        let standing = Standing {
            role,
            ..Standing::default()
        };
        self.send(Command::Join {
            room: ROOM,
            leg: phone.leg,
            standing,
        });
    }

    /// Three ordinary members of a room of these terms.
    fn three(&self, terms: RoomTerms) -> [Phone; 3] {
        let phones = [1, 2, 3].map(|number| self.phone(number, Codec::Pcmu));
        self.send(Command::OpenRoom { room: ROOM });
        self.send(Command::SetRoom { room: ROOM, terms });
        phones.iter().for_each(|phone| self.join(phone));
        phones
    }

    /// Lets each phone speak frames of its own; silent ones send silence.
    fn speak(&mut self, phones: &mut [Phone], voices: &[Vec<[i16; FRAME_SAMPLES]>]) {
        let frames = voices.iter().map(Vec::len).max().unwrap_or(0);
        for frame in 0..frames {
            for (place, phone) in phones.iter_mut().enumerate() {
                let samples = voices.get(place).and_then(|voice| voice.get(frame));
                let mut payload = [0; FRAME_SAMPLES];
                phone
                    .codec
                    .encode(samples.unwrap_or(&[0; FRAME_SAMPLES]), &mut payload);
                let packet = phone.rtp(phone.codec.payload_type(), phone.timestamp, &payload);
                phone.timestamp = phone.timestamp.wrapping_add(FRAME_SAMPLES as u32);
                let when = at(self.now + 3 + 5 * place as i64);
                phone.wire.send_at(when, phone.switch, &packet);
            }
            self.run(20);
        }
    }
}

/// Noise in syllables of 160 ms with gaps of 80 ms, over a quiet line; peak of the loud parts.
fn speech(seed: u32, peak: i32, frames: usize) -> Vec<[i16; FRAME_SAMPLES]> {
    let mut state = seed;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i32 - 32_768
    };
    let frame = |frame| {
        let peak = if frame % 12 < 8 { peak } else { peak / 30 };
        std::array::from_fn(|_| (noise() * peak / 32_768) as i16)
    };
    (0..frames).map(frame).collect()
}

fn talks(notices: &[Notice]) -> Vec<(u64, bool)> {
    let talk = |notice: &Notice| match notice {
        Notice::Talking { leg, talking } => Some((leg.0, *talking)),
        _ => None,
    };
    notices.iter().filter_map(talk).collect()
}

#[test]
fn a_caller_hears_no_difference_when_a_supervisor_comes_and_goes() {
    let mut office = Office::new();
    let (mut caller, mut agent) = office.pair();
    let mut supervisor = office.phone(3, Codec::Pcma);
    office.talk(20, &mut [&mut caller, &mut agent, &mut supervisor]);
    office.join_as(&supervisor, Role::Listener);
    office.talk(20, &mut [&mut caller, &mut agent, &mut supervisor]);
    let heard = listen(supervisor.codec, &supervisor.got());
    let heard = &heard[heard.len() - 800..];
    assert!(level(heard, 440.0) > -16.0 && level(heard, 880.0) > -16.0);
    assert!(level(heard, 1320.0) < -40.0);
    let silent = listen(agent.codec, &agent.got());
    assert!(level(&silent[3200..], 1320.0) < -60.0);
    // Now a coach, then gone.
    let standing = Standing {
        role: Role::Coach(agent.leg),
        ..Standing::default()
    };
    office.send(Command::SetMember {
        room: ROOM,
        leg: supervisor.leg,
        standing,
    });
    office.talk(20, &mut [&mut caller, &mut agent, &mut supervisor]);
    let coached = listen(agent.codec, &agent.got());
    let coached = &coached[coached.len() - 800..];
    assert!(level(coached, 1320.0) > -16.0 && level(coached, 440.0) > -16.0);
    office.send(Command::Leave {
        room: ROOM,
        leg: supervisor.leg,
    });
    office.talk(20, &mut [&mut caller, &mut agent, &mut supervisor]);
    // All the while each of the agent's packets reached the caller the moment it was sent.
    let got = caller.got();
    assert_eq!(got.len(), 80);
    for (place, got) in got.iter().enumerate() {
        assert_eq!(got.at.as_millis(), 20 * place as i64 + 8);
    }
    assert!(level(&listen(caller.codec, &got), 1320.0) < -60.0);
}

#[test]
fn an_announcement_is_heard_by_two_who_then_are_relayed_again() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    office.talk(20, &mut [&mut a, &mut b]);
    let sound = |hz| {
        let mut samples = vec![0; 20 * FRAME_SAMPLES];
        Tone::new(hz, -10.0).fill(&mut samples);
        Arc::new(Sound::new("announcement", samples))
    };
    a.got();
    b.got();
    office.send(Command::Announce {
        room: ROOM,
        sounds: vec![sound(2000.0), sound(2400.0)],
    });
    office.talk(40, &mut [&mut a, &mut b]);
    for (phone, other) in [(&a, 880.0), (&b, 440.0)] {
        let heard = listen(phone.codec, &phone.got());
        let (first, second) = heard.split_at(3200);
        assert!(level(&first[320..2880], 2000.0) > -15.0);
        assert!(level(&second[320..2880], 2400.0) > -15.0);
        assert!(level(second, other) > -15.0, "over the conversation");
    }
    office.talk(20, &mut [&mut a, &mut b]);
    let got = a.got();
    let last = got.last().expect("relayed").at.as_millis();
    assert_eq!((last - office.now).rem_euclid(20), 8, "not at a tick");
    assert!(level(&listen(a.codec, &got)[1600..], 2400.0) < -60.0);
}

#[test]
fn who_talks_is_told_of_three_and_not_of_two() {
    let terms = RoomTerms {
        tells_talkers: true,
        ..RoomTerms::default()
    };
    let mut office = Office::new();
    let mut phones = office.three(terms);
    office.notices();
    // The second holds the line with noise; the first speaks two seconds, the third after it.
    let noise = speech(9, 300, 300).into_iter().step_by(12).cycle();
    let mut third = vec![[0; FRAME_SAMPLES]; 150];
    third.extend(speech(2, 6000, 100));
    let voices = [speech(1, 6000, 100), noise.take(300).collect(), third];
    office.speak(&mut phones, &voices);
    let talks = talks(&office.notices());
    assert_eq!(talks, [(1, true), (1, false), (3, true), (3, false)]);
    let leg = phones[2].leg;
    office.send(Command::Leave { room: ROOM, leg });
    office.speak(&mut phones[..2], &voices[..1]);
    assert!(super::conference::talks(&office.notices()).is_empty());
}

#[test]
fn one_who_leaves_while_talking_is_told_as_silent() {
    let terms = RoomTerms {
        tells_talkers: true,
        ..RoomTerms::default()
    };
    let mut office = Office::new();
    let mut phones = office.three(terms);
    office.speak(&mut phones, &[speech(1, 6000, 60)]);
    let leg = phones[0].leg;
    office.send(Command::Leave { room: ROOM, leg });
    office.run(20);
    assert_eq!(talks(&office.notices()), [(1, true), (1, false)]);
}

#[test]
fn a_whisper_and_a_shout_are_brought_together_only_where_that_is_asked_for() {
    let mut ratios = Vec::new();
    for levelling in [false, true] {
        let mut office = Office::new();
        let mut phones = office.three(RoomTerms {
            levelling,
            ..RoomTerms::default()
        });
        // They take turns, six seconds each.
        let mut shout = vec![[0; FRAME_SAMPLES]; 300];
        shout.extend(speech(2, 20_000, 300));
        office.speak(&mut phones, &[speech(1, 700, 300), shout]);
        let heard = listen(Codec::Pcmu, &phones[2].got());
        let power = |samples: &[i16]| -> f64 {
            let square = |sample: &i16| f64::from(*sample) * f64::from(*sample);
            samples.iter().map(square).sum()
        };
        let whispered = power(&heard[160 * 200..160 * 290]);
        let shouted = power(&heard[160 * 490..160 * 580]);
        ratios.push(10.0 * (shouted / whispered).log10());
    }
    assert!(ratios[0] > 25.0 && ratios[1].abs() < 6.0, "{ratios:?}");
}

#[test]
fn g711_comes_out_of_the_mixer_as_it_went_in() {
    let mut office = Office::new();
    let mut phones = office.three(RoomTerms::default());
    let voice = speech(5, 32_000, 200);
    office.speak(&mut phones, std::slice::from_ref(&voice));
    let mut said = Vec::new();
    for frame in &voice {
        let mut payload = [0; FRAME_SAMPLES];
        Codec::Pcmu.encode(frame, &mut payload);
        // Mu-law knows two zeros.
        said.extend(payload.map(|byte| if byte == 0x7f { 0xff } else { byte }));
    }
    let heard: Vec<u8> = phones[1]
        .got()
        .into_iter()
        .flat_map(|got| got.payload)
        .collect();
    // Two seconds of it, once the jitter buffer has found its place.
    let part = &heard[160 * 90..160 * 190];
    let place = said.windows(160).position(|window| *window == part[..160]);
    let place = place.expect("found bit for bit");
    assert!(part == &said[place..place + part.len()]);
}

/// The largest third difference: a step stands out of low tones.
fn sharpest(samples: &[i16]) -> i32 {
    let thirds = samples.windows(4).map(|four| {
        let [a, b, c, d] = [four[0], four[1], four[2], four[3]].map(i32::from);
        (d - 3 * c + 3 * b - a).abs()
    });
    thirds.max().unwrap_or(0)
}

#[test]
fn a_gain_that_changes_is_led_there_within_a_frame() {
    let mut office = Office::new();
    let mut phones = office.three(RoomTerms::default());
    // Of no whole periods in a frame.
    phones[0].tone = Tone::new(210.0, -10.0);
    for db in [-20.0, 6.0, f32::NEG_INFINITY, -6.0, 0.0] {
        office.send(Command::SetGain {
            room: ROOM,
            from: phones[0].leg,
            to: phones[1].leg,
            gain: Gain::from_db(db),
        });
        for _ in 0..25 {
            let when = at(office.now + 3);
            phones[0].speak_at(when);
            office.run(20);
        }
        let heard = phones[1].got();
        let heard = listen(Codec::Pcmu, &heard);
        let tail = level(&heard[heard.len() - 1600..], 210.0);
        match db > -90.0 {
            true => assert!((tail - f64::from(db) + 13.2).abs() < 0.7, "{db}: {tail}"),
            false => assert!(tail < -60.0, "{tail}"),
        }
    }
    // Once more, in one piece. What is heard at the changes is as smooth as the tone itself: mu-law
    // steps by 512 below 16,384, and quantisation alone makes up to four times as much of it.
    let smooth = 4 * 512;
    for (n, db) in [6.0, -20.0, 0.0, f32::NEG_INFINITY, 0.0, -6.0, 6.0]
        .into_iter()
        .enumerate()
    {
        office.send(Command::SetGain {
            room: ROOM,
            from: phones[0].leg,
            to: phones[1].leg,
            gain: Gain::from_db(db),
        });
        for _ in 0..7 + n {
            let when = at(office.now + 3);
            phones[0].speak_at(when);
            office.run(20);
        }
    }
    let heard = listen(Codec::Pcmu, &phones[1].got());
    assert!(heard.len() > 8000, "no frame is missing");
    let sharp = sharpest(&heard);
    println!("{sharp} at the sharpest, {smooth} by quantisation");
    assert!(sharp <= smooth, "{sharp}, {smooth}");
}

#[test]
fn a_wide_room_hears_a_wide_announcement() {
    for (codec, highest) in [
        (Codec::Pcmu, 3000),
        (Codec::G722, 6000),
        (Codec::Opus, 12_000),
    ] {
        let mut office = Office::new();
        let [a, b] = [1, 2].map(|number| office.phone(number, codec));
        office.send(Command::OpenRoom { room: ROOM });
        office.join(&a);
        office.join(&b);
        // A low tone and the highest the room can carry, from a file of 48 kHz.
        let samples: Vec<i16> = (0..96_000)
            .map(|n| {
                let turn = std::f64::consts::TAU * f64::from(n) / 48_000.0;
                let tones = [500.0, f64::from(highest)].map(|hz| (turn * hz).sin());
                (tones.iter().sum::<f64>() * 6000.0) as i16
            })
            .collect();
        office.run(40);
        a.got();
        office.send(Command::Announce {
            room: ROOM,
            sounds: vec![Arc::new(Sound::at(48_000, "announcement", samples))],
        });
        office.run(2000);
        let mut decoder = Decoder::new(codec);
        let rate = decoder.rate();
        let mut heard = Vec::new();
        for got in a.got() {
            let mut samples = [0; MAX_FRAME];
            let samples = &mut samples[..rate.frame()];
            decoder.decode(&got.payload, samples);
            heard.extend_from_slice(samples);
        }
        let scaled = |hz: f64| hz * 8000.0 / f64::from(rate.hz());
        let middle = &heard[heard.len() / 4..heard.len() / 2];
        for hz in [500.0, f64::from(highest)] {
            let level = level(middle, scaled(hz));
            assert!(level > -20.0, "{codec:?}: {hz} Hz at {level} dB");
        }
    }
}
