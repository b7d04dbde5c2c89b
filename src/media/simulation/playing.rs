//! What is played, to the sample: rows of sounds, barge-in, music that changes.

use std::sync::Arc;

use super::*;
use crate::media::{Decoder, PlayId, Sound};

/// A loud tone from anywhere in its period.
fn tone(name: &str, hz: f64, from: usize, samples: usize) -> Arc<Sound> {
    let sample = |n: usize| {
        let angle = std::f64::consts::TAU * hz * (from + n) as f64 / 8000.0;
        (12_000.0 * angle.sin()).round() as i16
    };
    Arc::new(Sound::new(name, (0..samples).map(sample).collect()))
}

fn play(leg: LegId, number: u64, sounds: Vec<Arc<Sound>>, looped: bool) -> Command {
    Command::Play {
        leg,
        play: PlayId(number),
        sounds,
        looped,
    }
}

/// The largest step from one sample to the next.
fn step(samples: &[i16]) -> i32 {
    let steps = samples
        .windows(2)
        .map(|two| (i32::from(two[1]) - i32::from(two[0])).abs());
    steps.max().unwrap_or(0)
}

#[test]
fn a_row_of_sounds_is_gapless_to_the_sample() {
    let mut office = Office::new();
    for (number, codec) in [(1, Codec::Pcmu), (2, Codec::Pcma)] {
        let a = office.phone(number, codec);
        let whole = tone("whole", 410.0, 0, 35 * 160);
        let lengths = [3, 7, 1, 24];
        let sounds = lengths.iter().scan(0, |from, frames| {
            let sound = tone("part", 410.0, *from, frames * 160);
            *from += frames * 160;
            Some(sound)
        });
        office.send(play(a.leg, 1, sounds.collect(), false));
        office.run(1000);
        let got = a.got();
        assert_eq!(got.len(), 35);
        for (n, got) in got.iter().enumerate() {
            assert_eq!(Some(&got.payload[..]), whole.frame(codec, n), "frame {n}");
            let step = got.header.timestamp.wrapping_sub(n as u32 * 160);
            assert_eq!(step, got.header.timestamp - n as u32 * 160);
        }
        assert_eq!(listen(codec, &got).len(), 35 * 160);
    }
}

#[test]
fn a_stopped_play_is_silent_within_a_frame_and_without_a_click() {
    let mut office = Office::new();
    let a = office.phone(1, Codec::Pcmu);
    office.send(play(a.leg, 1, vec![tone("a", 333.0, 0, 16_000)], false));
    office.run(310);
    let before = a.got().len();
    assert_eq!(before, 15);
    office.send(Command::StopPlay { leg: a.leg });
    office.run(200);
    let got = a.got();
    assert_eq!(got.len(), 1, "one frame, in which it dies away");
    assert_eq!(got[0].at, at(320));
    let heard = listen(Codec::Pcmu, &got);
    assert!(heard[..8].iter().any(|sample| sample.unsigned_abs() > 3000));
    assert!(heard[40..].iter().all(|sample| sample.unsigned_abs() < 8));
    assert!(office.notices().is_empty(), "nobody is told");
}

#[test]
fn a_prompt_breaks_in_within_a_frame_and_nothing_clicks() {
    let mut office = Office::new();
    let a = office.phone(1, Codec::Pcmu);
    office.send(play(a.leg, 1, vec![tone("a", 333.0, 0, 16_000)], false));
    office.run(310);
    let own = step(&listen(Codec::Pcmu, &a.got()));
    // A quarter of a period: begins with its own largest value, no fault of ours.
    let quiet = Arc::new(Sound::new("b", vec![100; 1600]));
    office.send(play(a.leg, 2, vec![quiet], false));
    office.run(400);
    let got = a.got();
    assert_eq!((got.len(), got[0].at), (10, at(320)));
    let heard = listen(Codec::Pcmu, &got);
    // G.711's own steps are wider where it is loud.
    assert!(
        step(&heard) * 20 <= own * 21,
        "{} where the tone has {own}",
        step(&heard)
    );
    assert!(heard[40..].iter().all(|sample| (90..=110).contains(sample)));
    // Frame 15 of the old sound, the one that dies away, follows on frame 14.
    let Some(last) = tone("a", 333.0, 0, 16_000).samples().get(15 * 160).copied() else {
        panic!("long enough");
    };
    assert!((i32::from(heard[0]) - 100 - i32::from(last)).abs() < 300);
}

#[test]
fn music_fades_over_into_other_music_and_under_a_prompt() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    let first = tone("first", 333.0, 0, 8000 * 3);
    let second = tone("second", 410.0, 5, 8000 * 3);
    let hold = |sound| Command::HoldMusic {
        room: ROOM,
        leg: a.leg,
        sound: Some(sound),
    };
    let (one, two) = (hold(Arc::clone(&first)), hold(Arc::clone(&second)));
    let off = Command::HoldMusic {
        room: ROOM,
        leg: a.leg,
        sound: None,
    };
    office.send(one);
    office.talk(20, &mut [&mut a, &mut b]);
    let own = step(&listen(a.codec, &a.got()));
    office.send(two);
    office.talk(10, &mut [&mut a, &mut b]);
    let fade = a.got();
    let heard = listen(a.codec, &fade);
    // Both at equal power: the steps of two tones add up to no more than this.
    let most = f64::from(step(second.samples())).hypot(f64::from(own)) * 1.05;
    assert!(f64::from(step(&heard)) < most, "{} of {most}", step(&heard));
    office.talk(30, &mut [&mut a, &mut b]);
    for (n, got) in a.got().iter().enumerate() {
        assert_eq!(
            Some(&got.payload[..]),
            second.frame(a.codec, 10 + n),
            "shared again"
        );
    }
    // A prompt over the music, which comes back slowly.
    let leg = a.leg;
    office.send(play(
        leg,
        9,
        vec![Arc::new(Sound::new("still", vec![0; 4800]))],
        false,
    ));
    office.talk(60, &mut [&mut a, &mut b]);
    let heard = listen(a.codec, &a.got());
    assert!(
        step(&heard) <= step(second.samples()) * 11 / 10,
        "{}",
        step(&heard)
    );
    let loudest = |frame: usize| {
        let part = &heard[frame * 160..][..160];
        part.iter().map(|sample| sample.unsigned_abs()).max()
    };
    assert!(loudest(2) > Some(8000) && loudest(15) < Some(100) && loudest(29) < Some(100));
    assert!(loudest(31) < Some(4000) && loudest(45) > Some(11_000));
    // Off: one frame in which it dies away, and then the other again.
    office.send(off);
    office.talk(20, &mut [&mut a, &mut b]);
    assert!(level(&listen(a.codec, &a.got())[640..], 880.0) > -15.0);
}

#[test]
fn every_waiting_caller_has_a_place_of_its_own_in_shared_music() {
    let mut office = Office::new();
    let music = tone("music", 410.0, 0, 8000);
    let mut phones = Vec::new();
    for number in 1..=20 {
        let phone = office.phone(number, Codec::Pcmu);
        office.send(play(phone.leg, 1, vec![Arc::clone(&music)], true));
        phones.push(phone);
        office.run(60);
    }
    office.run(3000);
    for phone in &phones {
        for (n, got) in phone.got().iter().enumerate() {
            assert_eq!(Some(&got.payload[..]), music.frame(Codec::Pcmu, n % 50));
        }
    }
}

#[test]
fn sounds_are_heard_in_every_codec_as_wide_as_it_is() {
    for codec in Codec::ALL {
        let mut office = Office::new();
        let a = office.phone(1, codec);
        let hz = codec.rate().hz();
        let tones = |hz: f64, length: usize| {
            let angle = |n: usize| std::f64::consts::TAU * hz * n as f64 / 48_000.0;
            let samples = (0..length).map(|n| (8000.0 * angle(n).sin()) as i16);
            Arc::new(Sound::at(48_000, "tone", samples.collect()))
        };
        let highest = f64::from(hz) * 0.375;
        let row = vec![tones(highest.min(6000.0), 24_000), tones(700.0, 24_000)];
        office.send(play(a.leg, 1, row, false));
        office.run(1500);
        let got = a.got();
        assert_eq!(got.len(), 50, "{codec:?}");
        let (mut decoder, mut heard, mut samples) = (Decoder::new(codec), Vec::new(), [0; 960]);
        for got in &got {
            let length = decoder.decode(&got.payload, &mut samples);
            heard.extend_from_slice(&samples[..length]);
        }
        assert_eq!(heard.len(), hz as usize, "{codec:?}");
        // `level` reckons at 8 kHz.
        let scaled = |tone: f64| tone * 8000.0 / f64::from(hz);
        let (first, second) = heard.split_at(heard.len() / 2);
        let at = highest.min(6000.0);
        assert!(
            level(&first[first.len() / 4..], scaled(at)) > -16.0,
            "{codec:?}"
        );
        assert!(
            level(&second[second.len() / 4..], scaled(700.0)) > -14.0,
            "{codec:?}"
        );
    }
}
