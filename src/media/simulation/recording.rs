//! What is recorded is what was said, when it was said.

use super::*;
use crate::base::RecordingId;
use crate::media::recorder::{Channel, Closed, GapCause, MarkEvent, Reader};
use crate::media::{Pause, Role, Tape};

fn tape(stem: &str) -> Tape {
    Tape {
        stem: stem.to_owned(),
        channels: vec!["caller".to_owned(), "agent".to_owned()],
        labels: Default::default(),
        format: None,
    }
}

fn recording() -> RecordingId {
    RecordingId::new("r1")
}

fn office(directory: &tempfile::TempDir) -> Office {
    let path = directory.path().to_owned();
    Office::with(|config| config.recordings = path)
}

fn record(office: &Office, left: &Phone, right: &Phone) {
    office.send(Command::Record {
        recording: recording(),
        room: ROOM,
        left: left.leg,
        right: vec![right.leg],
        at: at(office.now),
        tape: tape("2026/r1"),
    });
}

fn stop(office: &mut Office) -> Closed {
    office.send(Command::StopRecord {
        recording: recording(),
        at: at(office.now),
    });
    office.run(0);
    let closed = office
        .notices()
        .into_iter()
        .find_map(|notice| match notice {
            Notice::RecordingClosed(closed) => Some(*closed),
            _ => None,
        });
    closed.expect("told")
}

/// Left and right.
fn channels(closed: &Closed) -> [Vec<i16>; 2] {
    let mut reader = hound::WavReader::open(&closed.path).expect("a WAV file");
    let samples: Vec<i16> = reader
        .samples()
        .map(|sample| sample.expect("16 bit"))
        .collect();
    [0, 1].map(|side| samples.iter().skip(side).step_by(2).copied().collect())
}

#[test]
fn each_party_is_on_its_own_channel_for_the_length_of_the_talk() {
    let directory = tempfile::tempdir().expect("directory");
    let mut office = office(&directory);
    let (mut a, mut b) = office.pair();
    office.talk(10, &mut [&mut a, &mut b]);
    record(&office, &a, &b);
    office.talk(500, &mut [&mut a, &mut b]);
    let closed = stop(&mut office);
    assert_eq!(closed.defect, None);
    assert_eq!(closed.duration_ms, 10_000);
    let [left, right] = channels(&closed);
    assert_eq!(left.len(), 80_000);
    for (side, own, other) in [(&left, 440.0, 880.0), (&right, 880.0, 440.0)] {
        assert!(level(&side[800..], own) > -13.5);
        assert!(level(&side[800..], other) < level(&side[800..], own) - 60.0);
    }
    // It is still a relay: nothing was delayed for the recording.
    let got = b.got();
    assert!(got.iter().all(|got| got.at.as_millis() % 20 == 3));
}

#[test]
fn five_percent_loss_shifts_nothing() {
    let directory = tempfile::tempdir().expect("directory");
    let mut office = office(&directory);
    let (mut a, mut b) = office.pair();
    office.run(100);
    record(&office, &a, &b);
    // A minute in which every second begins with a click of 100 ms on both sides at once.
    let mut lost = 0;
    for frame in 0..3000 {
        let loud = frame % 50 < 5;
        for (phone, phase) in [(&mut a, 3), (&mut b, 11)] {
            let mut samples = [0; FRAME_SAMPLES];
            if loud {
                phone.tone.fill(&mut samples);
            }
            let mut payload = [0; FRAME_SAMPLES];
            phone.codec.encode(&samples, &mut payload);
            let packet = phone.rtp(0, phone.timestamp, &payload);
            phone.timestamp = phone.timestamp.wrapping_add(160);
            // One in twenty is lost on the left side.
            if phase == 3 && (frame * 7919) % 20 == 6 {
                lost += 1;
            } else {
                phone
                    .wire
                    .send_at(at(office.now + phase), phone.switch, &packet);
            }
        }
        office.run(20);
    }
    let closed = stop(&mut office);
    assert_eq!(closed.duration_ms, 60_000);
    let [left, right] = channels(&closed);
    let start = |side: &[i16], second: usize| {
        let from = (second * 8000).saturating_sub(2000);
        let loud = side[from..].iter().position(|sample| sample.abs() > 200);
        loud.map(|place| from + place).expect("a click")
    };
    for second in [1, 30, 58, 59] {
        let apart = start(&left, second).abs_diff(start(&right, second));
        // Their phases differ by 8 ms; one lost frame may be the first of the click.
        assert!(apart <= 64 + 160, "second {second}: {apart} samples apart");
    }
    let gaps = closed.gaps.iter().filter(|gap| gap.cause == GapCause::Lost);
    let gone: u64 = gaps.map(|gap| gap.length_ms).sum();
    assert_eq!(gone, lost * 20);
}

#[test]
fn a_recording_goes_on_over_a_third_member_and_another_worker() {
    let directory = tempfile::tempdir().expect("directory");
    let mut office = office(&directory);
    let (mut a, mut b) = office.pair();
    let mut c = office.phone(3, Codec::Pcma);
    office.talk(10, &mut [&mut a, &mut b, &mut c]);
    record(&office, &a, &b);
    let (room, leg) = (ROOM, c.leg);
    for round in 0..20 {
        office.join(&c);
        office.talk(5, &mut [&mut a, &mut b, &mut c]);
        let worker = (round + 1) % 2;
        office.send(Command::Migrate { room, worker });
        office.talk(3, &mut [&mut a, &mut b, &mut c]);
        office.send(Command::Leave { room, leg });
        office.talk(2, &mut [&mut a, &mut b, &mut c]);
    }
    let closed = stop(&mut office);
    assert_eq!((closed.defect.as_deref(), closed.duration_ms), (None, 4000));
    let [left, right] = channels(&closed);
    // Whole and in phase from end to end.
    assert!(level(&left[160..], 440.0) > -13.5);
    assert!(level(&right[160..], 880.0) > -13.5);
    assert!(
        level(&right[160..], 1320.0) > -20.0,
        "the third is on the right"
    );
    assert!(level(&left[160..], 1320.0) < -60.0);
}

/// The highest level of a supervisor's tone on any channel of a recording of so many channels:
/// while it coaches, takes part and coaches again, and whose channels heard it.
fn coached(channels: usize, fourth: bool) -> Vec<[bool; 3]> {
    let directory = tempfile::tempdir().expect("directory");
    let mut office = office(&directory);
    let (mut a, mut b) = office.pair();
    let mut coach = office.phone(3, Codec::Pcmu);
    let mut other = office.phone(4, Codec::Pcmu);
    let mut tape = tape("r1");
    tape.channels.resize_with(channels, String::new);
    office.send(Command::Record {
        recording: recording(),
        room: ROOM,
        left: a.leg,
        right: vec![b.leg],
        at: at(office.now),
        tape,
    });
    let standing = |role| Standing {
        role,
        ..Standing::default()
    };
    let (room, leg) = (ROOM, coach.leg);
    let roles = [Role::Coach(b.leg), Role::Normal, Role::Coach(b.leg)];
    office.send(Command::Join {
        room,
        leg,
        standing: standing(roles[0]),
    });
    if fourth {
        office.talk(1, &mut [&mut a, &mut b, &mut coach]);
        office.join(&other);
    }
    for role in roles {
        let standing = standing(role);
        office.send(Command::SetMember {
            room,
            leg,
            standing,
        });
        office.talk(50, &mut [&mut a, &mut b, &mut coach, &mut other]);
    }
    // Who only listens is on no channel at all.
    let standing = standing(Role::Listener);
    office.send(Command::SetMember {
        room,
        leg,
        standing,
    });
    office.talk(50, &mut [&mut a, &mut b, &mut coach, &mut other]);
    let closed = stop(&mut office);
    assert_eq!(closed.defect, None);
    let mut reader = hound::WavReader::open(&closed.path).expect("a WAV file");
    let samples: Vec<i16> = reader.samples().map(|it| it.expect("16 bit")).collect();
    let side = |channel| -> Vec<i16> {
        let own = samples.iter().skip(channel).step_by(channels);
        own.copied().collect()
    };
    let heard = (0..channels).map(|channel| {
        let side = side(channel);
        let hears = |second: usize| {
            let from = second * 8000 + 1600;
            level(&side[from..from + 6000], 1320.0) > -40.0
        };
        assert!(!hears(3), "a listener is recorded on {channel}");
        [hears(0), hears(1), hears(2)]
    });
    heard.collect()
}

#[test]
fn a_coach_is_recorded_on_a_channel_of_his_own_or_not_at_all() {
    let (never, always) = ([false; 3], [true; 3]);
    let when_heard = [false, true, false];
    assert_eq!(coached(2, false), [never, when_heard]);
    assert_eq!(coached(3, false), [never, never, always]);
    // A party that comes later takes the last channel; of two, the coach shared none.
    assert_eq!(coached(3, true), [never, never, when_heard]);
    assert_eq!(coached(4, true), [never, never, always, never]);
}

#[test]
fn a_leg_is_recorded_both_ways() {
    let directory = tempfile::tempdir().expect("directory");
    let mut office = office(&directory);
    let mut a = office.phone(1, Codec::Pcma);
    let leg = a.leg;
    let sound = office
        .engine
        .library()
        .sound("tone-1004")
        .expect("built in");
    office.send(Command::RecordLeg {
        recording: recording(),
        leg,
        at: at(0),
        tape: tape("r1"),
    });
    office.send(Command::Play {
        leg,
        play: crate::media::PlayId(1),
        sounds: vec![sound],
        looped: true,
    });
    office.talk(100, &mut [&mut a]);
    let closed = stop(&mut office);
    let [left, right] = channels(&closed);
    assert!(level(&left[800..], 440.0) > -13.6);
    assert!(level(&right[800..], 1004.0) > -5.0);
    assert!(level(&left[800..], 1004.0) < -60.0);
}

#[test]
fn a_recording_ends_with_its_leg_or_room_and_a_bad_one_is_told() {
    let directory = tempfile::tempdir().expect("directory");
    let mut office = office(&directory);
    let (mut a, mut b) = office.pair();
    record(&office, &a, &b);
    office.talk(50, &mut [&mut a, &mut b]);
    office.send(Command::CloseLeg { leg: a.leg });
    office.send(Command::CloseLeg { leg: b.leg });
    office.send(Command::CloseRoom { room: ROOM });
    office.run(20);
    let closed = |office: &Office| {
        office
            .notices()
            .into_iter()
            .find_map(|notice| match notice {
                Notice::RecordingClosed(closed) => Some(*closed),
                _ => None,
            })
    };
    assert_eq!(closed(&office).map(|closed| closed.duration_ms), Some(1000));
    office.send(Command::RecordLeg {
        recording: recording(),
        leg: a.leg,
        at: at(office.now),
        tape: tape("../outside"),
    });
    office.run(20);
    assert!(closed(&office).is_some_and(|closed| closed.defect.is_some()));
    let stats = office.engine.stats();
    let running = stats.recordings.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(running, 0);
}

#[test]
fn channels_stay_together_over_loss_and_clocks_that_differ() {
    // A whole hour with RECORDING_MINUTES=60.
    let minutes = std::env::var("RECORDING_MINUTES").ok();
    let minutes: f64 = minutes.and_then(|text| text.parse().ok()).unwrap_or(4.0);
    let directory = tempfile::tempdir().expect("directory");
    let mut office = office(&directory);
    let (a, b) = office.pair();
    office.run(100);
    record(&office, &a, &b);
    let begun = office.now as f64;
    let mut lost = 0;
    // The sound of each sample is that of the instant it is spoken: loud for 100 ms a second.
    let is_loud = |ms: f64| ms.rem_euclid(1000.0) < 100.0;
    let mut sides = [(a, 100.0, 0u64), (b, -100.0, 0u64)];
    while (office.now as f64) < begun + minutes * 60_000.0 {
        for (side, (phone, ppm, frame)) in sides.iter_mut().enumerate() {
            let step = 20.0 * (1.0 - *ppm / 1e6);
            loop {
                let from = *frame as f64 * step;
                // It leaves when its last sample is spoken, and takes 5 ms.
                let sent = begun + from + step + 5.0;
                if sent >= (office.now + 20) as f64 {
                    break;
                }
                *frame += 1;
                let loud = |n: usize| is_loud(from + n as f64 * step / 160.0);
                let payload: [u8; 160] = std::array::from_fn(|n| if loud(n) { 0x00 } else { 0xff });
                let packet = phone.rtp(0, phone.timestamp, &payload);
                phone.timestamp = phone.timestamp.wrapping_add(160);
                // Where the loud part may begin nothing is lost, or what is measured would be the
                // loss: also when it begins with the frame's first sample.
                let begins = loud(159) && !is_loud(from - step / 160.0);
                if side == 0 && *frame % 20 == 6 && !begins {
                    lost += 1;
                } else {
                    let at = Timestamp::from_micros((sent * 1e3) as i64);
                    phone.wire.send_at(at, phone.switch, &packet);
                }
            }
        }
        office.run(20);
    }
    let closed = stop(&mut office);
    let [left, right] = channels(&closed);
    let loud = |sample: &i16| sample.abs() > 10_000;
    let seconds = (minutes * 60.0) as usize;
    assert!(left.len() >= (seconds - 1) * 8000);
    let mut worst = 0;
    for second in 2..seconds - 1 {
        let from = second * 8000 - 2000;
        let starts = [&left, &right].map(|side| side[from..from + 8000].iter().position(loud));
        let [Some(one), Some(other)] = starts else {
            panic!("second {second}: {starts:?}");
        };
        worst = worst.max(one.abs_diff(other));
    }
    println!("{seconds} s, {lost} packets lost: {worst} samples apart at the most");
    assert!(worst <= 160, "{worst} samples apart");
}

#[test]
fn a_pause_keeps_what_is_said_out_of_the_file_and_is_told() {
    let directory = tempfile::tempdir().expect("directory");
    let mut office = office(&directory);
    let (mut a, mut b) = office.pair();
    office.talk(10, &mut [&mut a, &mut b]);
    record(&office, &a, &b);
    office.talk(100, &mut [&mut a, &mut b]);
    let pause = |office: &Office, channel, on| {
        office.send(Command::PauseRecord {
            recording: recording(),
            pause: Pause { channel, on },
            at: at(office.now),
        });
    };
    pause(&office, Some(Channel::LEFT), true);
    office.talk(100, &mut [&mut a, &mut b]);
    // Over a move to the other worker, too.
    office.send(Command::Migrate {
        room: ROOM,
        worker: 1,
    });
    office.talk(50, &mut [&mut a, &mut b]);
    pause(&office, Some(Channel::LEFT), false);
    office.talk(100, &mut [&mut a, &mut b]);
    let closed = stop(&mut office);
    let [left, right] = channels(&closed);
    assert!(level(&left[1600..15_000], 440.0) > -13.5);
    // The first packet of the pause was under way.
    assert!(left[16_200..39_900].iter().all(|sample| *sample == 0));
    assert!(level(&left[41_000..], 440.0) > -13.5);
    assert!(level(&right[1600..], 880.0) > -13.5, "the agent is kept");
    let marks: Vec<_> = closed
        .marks
        .iter()
        .filter(|mark| mark.leg.is_none())
        .map(|mark| (mark.at_ms, mark.event, mark.channel))
        .collect();
    let left = Some(Channel::LEFT);
    assert_eq!(
        marks,
        [
            (2000, MarkEvent::Paused, left),
            (5000, MarkEvent::Resumed, left)
        ]
    );
}

#[test]
fn each_who_joins_has_a_channel_while_there_are_any() {
    let directory = tempfile::tempdir().expect("directory");
    let mut office = office(&directory);
    let (mut a, mut b) = office.pair();
    let (mut c, mut d) = (office.phone(3, Codec::Pcma), office.phone(4, Codec::Pcmu));
    let mut e = office.phone(5, Codec::Pcmu);
    office.talk(10, &mut [&mut a, &mut b, &mut c, &mut d, &mut e]);
    let mut four = tape("four");
    four.channels.resize(4, String::new());
    office.send(Command::Record {
        recording: recording(),
        room: ROOM,
        left: a.leg,
        right: vec![b.leg],
        at: at(office.now),
        tape: four,
    });
    office.talk(100, &mut [&mut a, &mut b, &mut c, &mut d, &mut e]);
    office.join(&c);
    office.join(&d);
    office.talk(100, &mut [&mut a, &mut b, &mut c, &mut d, &mut e]);
    // No channel is left: the last takes one more.
    office.join(&e);
    office.talk(100, &mut [&mut a, &mut b, &mut c, &mut d, &mut e]);
    let closed = stop(&mut office);
    let mut reader = Reader::open(&closed.path).expect("a recording");
    let all = reader.read_all().expect("read");
    assert_eq!((all.len(), all[0].len()), (4, 48_000));
    let own = [440.0, 880.0, 1320.0, 1760.0];
    for (channel, hz) in all.iter().zip(own) {
        assert!(level(&channel[33_000..], hz) > -13.5, "{hz}");
        for other in own.into_iter().filter(|other| *other != hz) {
            assert!(
                level(&channel[1600..], other) < -60.0,
                "{other} beside {hz}"
            );
        }
    }
    assert!(level(&all[3][33_000..], 2200.0) > -13.5, "the fifth");
    assert!(level(&all[3][17_000..31_000], 2200.0) < -60.0);
    let joined: Vec<_> = closed
        .marks
        .iter()
        .filter(|mark| mark.event == MarkEvent::Joined)
        .map(|mark| (mark.channel.map(|it| it.0), mark.leg, mark.at_ms / 1000))
        .collect();
    assert_eq!(
        joined,
        [
            (Some(0), Some(1), 0),
            (Some(1), Some(2), 0),
            (Some(2), Some(3), 2),
            (Some(3), Some(4), 2),
            (Some(3), Some(5), 4)
        ]
    );
}

/// Pairs that are relayed and recorded, and a third who is heard in the mix of the first.
fn stalled_for(seconds: usize, pairs: u16) -> (Vec<Closed>, Vec<Notice>) {
    use std::sync::atomic::Ordering::Relaxed;
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().to_owned();
    let mut office = Office::with(|config| {
        config.recordings = path;
        // No more recordings than these, and blocks for them.
        config.max_legs = 3 * usize::from(pairs);
    });
    let room = |pair: u16| RoomId(u64::from(pair) + 10);
    let standing = Standing::default();
    let mut phones: Vec<Phone> = Vec::new();
    for number in 0..2 * pairs + 1 {
        let mut phone = office.phone(number + 1, Codec::Pcmu);
        // Loud enough to be told from all others, and one frequency for each side.
        phone.tone = Tone::new([440.0, 880.0][usize::from(number % 2)], -10.0);
        phones.push(phone);
    }
    for pair in 0..pairs {
        office.send(Command::OpenRoom { room: room(pair) });
        let sides = &phones[2 * usize::from(pair)..][..2];
        for phone in sides {
            let (room, leg) = (room(pair), phone.leg);
            office.send(Command::Join {
                room,
                leg,
                standing,
            });
        }
        office.send(Command::Record {
            recording: RecordingId::new(format!("r{pair}")),
            room: room(pair),
            left: sides[0].leg,
            right: vec![sides[1].leg],
            at: at(office.now),
            tape: tape(&format!("r{pair}")),
        });
    }
    let third = phones[2 * usize::from(pairs)].leg;
    let (room, leg) = (room(0), third);
    office.send(Command::Join {
        room,
        leg,
        standing,
    });
    let talk = |office: &mut Office, phones: &mut [Phone], seconds: usize| {
        for _ in 0..seconds * 50 {
            for phone in phones.iter_mut() {
                phone.speak_at(at(office.now + 7));
            }
            office.run(20);
        }
    };
    talk(&mut office, &mut phones, 2);
    office.engine.stall_disk(true);
    talk(&mut office, &mut phones, seconds);
    let missed = office.engine.stats();
    println!(
        "{pairs} recordings, {seconds} s: {} samples missed while it lasts",
        missed.recorder_missed_samples.load(Relaxed)
    );
    office.engine.stall_disk(false);
    talk(&mut office, &mut phones, 3);
    // The calls never noticed: every packet is there, at its time, in its place.
    for (place, phone) in phones.iter().enumerate() {
        let is_mixed = place < 2 || phone.leg == third;
        let got = phone.got();
        let (due, count) = match is_mixed {
            true => (0, 50 * (5 + seconds)),
            false => (7, 50 * (5 + seconds)),
        };
        assert!(got.len() >= count - 1, "{} of {count}", got.len());
        for pair in got.windows(2) {
            assert_eq!(pair[1].at.since(pair[0].at).as_millis(), 20);
            let [a, b] = [pair[0].header, pair[1].header];
            assert_eq!(b.sequence, a.sequence.wrapping_add(1));
            assert_eq!(rtp::distance(b.timestamp, a.timestamp), 160);
        }
        assert!(got.iter().all(|got| got.at.as_millis() % 20 == due));
        let heard = listen(phone.codec, &got);
        let other = [880.0, 440.0][place % 2];
        assert!(level(&heard[800..], other) > -13.5, "{place}");
    }
    for pair in 0..pairs {
        office.send(Command::StopRecord {
            recording: RecordingId::new(format!("r{pair}")),
            at: at(office.now),
        });
    }
    office.run(20);
    let notices = office.notices();
    let closed = notices.iter().filter_map(|notice| match notice {
        Notice::RecordingClosed(closed) => Some(Closed::clone(closed)),
        _ => None,
    });
    let closed: Vec<Closed> = closed.collect();
    assert_eq!(closed.len(), usize::from(pairs));
    for closed in &closed {
        assert_eq!(
            closed.duration_ms,
            1000 * (5 + seconds as u64),
            "{closed:?}"
        );
        // What is in the file is where it was spoken, before and after.
        let sides = channels(closed);
        for (side, own) in sides.iter().zip([440.0, 880.0]) {
            assert_eq!(side.len(), 8000 * (5 + seconds));
            assert!(level(&side[800..16_000], own) > -13.6);
            let resumed = 8000 * (2 + seconds) + 4000;
            assert!(level(&side[resumed..], own) > -13.6);
            assert!(
                side[resumed..]
                    .chunks(160)
                    .all(|frame| frame.iter().any(|s| *s != 0))
            );
        }
        let sidecar = std::fs::read_to_string(closed.path.with_extension("json"));
        let sidecar: serde_json::Value =
            serde_json::from_str(&sidecar.expect("a sidecar")).expect("JSON");
        assert_eq!(
            sidecar["gaps"].as_array().map(Vec::len),
            Some(closed.gaps.len())
        );
    }
    (closed, notices)
}

#[test]
fn a_disk_that_stalls_for_five_seconds_is_told_and_no_call_notices() {
    let (closed, notices) = stalled_for(5, 8);
    let mut told = 0;
    for notice in &notices {
        if let Notice::RecordingTrouble { why, .. } = notice {
            assert!(
                why.as_ref().is_some_and(|why| why.contains("too slow")),
                "{why:?}"
            );
            told += 1;
        }
    }
    assert_eq!(told, closed.len());
    for closed in &closed {
        assert!(
            closed
                .defect
                .as_ref()
                .is_some_and(|why| why.contains("too slow"))
        );
        for channel in [Channel::LEFT, Channel::RIGHT] {
            let gaps = closed.gaps.iter().filter(|gap| gap.channel == channel);
            let gaps: Vec<_> = gaps.filter(|gap| gap.cause == GapCause::Disk).collect();
            let missing: u64 = gaps.iter().map(|gap| gap.length_ms).sum();
            assert_eq!(gaps.len(), 1, "{gaps:?}");
            // Two seconds and more are kept in memory.
            assert!((500..=3000).contains(&missing), "{missing} ms");
            let end = gaps[0].at_ms + gaps[0].length_ms;
            assert!((6900..=7300).contains(&end), "until {end} ms");
        }
    }
}

#[test]
fn a_disk_that_stalls_for_two_seconds_costs_nothing() {
    let (closed, notices) = stalled_for(2, 8);
    let is_trouble = |notice: &Notice| matches!(notice, Notice::RecordingTrouble { .. });
    assert!(!notices.iter().any(is_trouble));
    for closed in closed {
        assert_eq!(closed.defect, None);
        assert!(closed.gaps.iter().all(|gap| gap.cause != GapCause::Disk));
    }
}
