//! What a room hears, tick by tick.

use proptest::prelude::*;

use super::{Gain, LOUDEST, Place, soft_limit};
use super::{Heard, Levelling, Listener, Mixer, Talker};
use crate::media::{Codec, MAX_FRAME, Rate, Tone};

/// Who hears whom: everybody, but for those in `asides`, who are heard only by whom they name.
struct Room {
    mixer: Mixer,
    rate: Rate,
    levelling: Levelling,
    talkers: Vec<Talker>,
    /// Whom one hears otherwise: listener, speaker, gain.
    routes: Vec<(usize, usize, Gain)>,
    asides: Vec<usize>,
}

impl Room {
    fn new(members: usize) -> Self {
        Self {
            mixer: Mixer::new(),
            rate: Rate::Narrow,
            levelling: Levelling::Off,
            talkers: vec![Talker::new(); members],
            routes: Vec::new(),
            asides: Vec::new(),
        }
    }

    /// What each member hears.
    fn tick(&mut self, voices: &[Option<Vec<i16>>]) -> Vec<Vec<i16>> {
        self.tick_with(voices, None)
    }

    fn tick_with(&mut self, voices: &[Option<Vec<i16>>], sound: Option<&[i16]>) -> Vec<Vec<i16>> {
        let mixer = &mut self.mixer;
        mixer.begin(self.rate, self.levelling);
        let pairs = self.talkers.iter_mut().zip(voices).enumerate();
        let places: Vec<Option<Place>> = pairs
            .map(
                |(member, (talker, voice))| match self.asides.contains(&member) {
                    true => mixer.whisper(talker, voice.as_deref()),
                    false => mixer.speak(talker, voice.as_deref()),
                },
            )
            .collect();
        if let Some(sound) = sound {
            mixer.announce(sound);
        }
        mixer.mix();
        let mut heard = Vec::new();
        for (member, (talker, place)) in self.talkers.iter_mut().zip(&places).enumerate() {
            if let Some(place) = place {
                mixer.settle(*place, talker);
            }
            let routes = self.routes.iter().filter(|route| route.0 == member);
            let others: Vec<(Place, (Gain, Gain))> = routes
                .filter_map(|(_, speaker, gain)| Some((places[*speaker]?, (*gain, *gain))))
                .collect();
            let listener = Listener {
                own: *place,
                others: &others,
                aside: None,
            };
            let mut out = vec![0; self.rate.frame()];
            let shared = mixer.hear(&listener, &mut out);
            assert_eq!(shared, mixer.shares(&listener));
            if shared == Heard::Common {
                assert_eq!(out, mixer.common());
            }
            if mixer.is_silent_to(&listener) {
                assert!(out.iter().all(|sample| *sample == 0));
            }
            heard.push(out);
        }
        heard
    }
}

fn tone(rate: Rate, hz: f64, dbm0: f64) -> Vec<i16> {
    let mut frame = vec![0; rate.frame()];
    Tone::new(hz * 8000.0 / f64::from(rate.hz()), dbm0).fill(&mut frame);
    frame
}

fn flat(value: i16) -> Option<Vec<i16>> {
    Some(vec![value; 160])
}

fn sum(voices: &[&[i16]]) -> Vec<i16> {
    let at = |i: usize| voices.iter().map(|voice| i32::from(voice[i])).sum();
    (0..voices[0].len()).map(|i| soft_limit(at(i))).collect()
}

#[test]
fn two_hear_each_other_and_never_themselves_at_every_rate() {
    for rate in Rate::ALL {
        let (a, b) = (tone(rate, 440.0, 3.0), tone(rate, 880.0, 0.0));
        let mut room = Room::new(3);
        room.rate = rate;
        for _ in 0..3 {
            let heard = room.tick(&[Some(a.clone()), Some(b.clone()), None]);
            // Bit for bit, even where both together must be limited.
            assert_eq!((&heard[0], &heard[1]), (&b, &a));
            assert_eq!(heard[2], sum(&[&a, &b]));
        }
    }
}

#[test]
fn g711_for_two_comes_out_as_it_went_in() {
    for codec in [Codec::Pcma, Codec::Pcmu] {
        let bytes: Vec<u8> = (0..160).map(|place| (place * 8 / 5) as u8).collect();
        for shift in 0..=255u8 {
            let bytes: Vec<u8> = bytes.iter().map(|byte| byte.wrapping_add(shift)).collect();
            let mut voice = vec![0; 160];
            codec.decode(&bytes, &mut voice);
            let mut room = Room::new(2);
            let heard = room.tick(&[Some(voice.clone()), flat(12)]);
            assert_eq!(heard[1], voice);
            let mut out = [0; 160];
            codec.encode(&heard[1], &mut out);
            for (out, byte) in out.iter().zip(&bytes) {
                // Mu-law knows two zeros.
                let is_zero = codec == Codec::Pcmu && *byte == 0x7f;
                assert!(out == byte || is_zero && *out == 0xff, "{byte:#x} {out:#x}");
            }
        }
    }
}

#[test]
fn a_silent_room_is_known_to_be_silent() {
    let mut room = Room::new(2);
    let heard = room.tick(&[None, flat(8)]);
    assert!(room.mixer.is_silent());
    assert_eq!(heard, [[0; 160], [0; 160]]);
}

#[test]
fn only_the_loudest_of_two_thousand_are_heard() {
    // Worst order: each louder than those before, then the other way round.
    for is_reversed in [false, true] {
        let mut room = Room::new(2000);
        let mut voices: Vec<_> = (1..=2000).map(flat).collect();
        if is_reversed {
            voices.reverse();
        }
        for tick in 0..3 {
            let heard = room.tick(&voices);
            let of_the_loudest: i16 = (1996..=2000).sum();
            for (out, voice) in heard.iter().zip(&voices) {
                let own = voice.as_ref().map_or(0, |voice| voice[0]);
                let own = if own >= 1996 { own } else { 0 };
                assert_eq!(out, &[of_the_loudest - own; 160], "tick {tick}");
            }
        }
        let heard = room.talkers.iter().filter(|talker| talker.is_heard());
        assert_eq!(heard.count(), LOUDEST);
    }
}

#[test]
fn who_is_heard_stays_until_another_is_clearly_louder() {
    for rate in Rate::ALL {
        let flat = |value: i16| Some(vec![value; rate.frame()]);
        let mut room = Room::new(6);
        room.rate = rate;
        let mut voices = vec![flat(1000); 5];
        voices.push(None);
        room.tick(&voices);
        voices[5] = flat(1400);
        room.tick(&voices);
        assert!(!room.talkers[5].is_heard());
        voices[5] = flat(1600);
        let out = &room.tick(&voices)[0];
        assert!(room.talkers[5].is_heard());
        // Faded in amid speech, the other faded out: no step larger than a voice itself.
        assert!(out.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 200));
        assert_eq!(
            room.talkers
                .iter()
                .filter(|talker| talker.is_heard())
                .count(),
            5
        );
        room.tick(&voices);
        assert_eq!(
            room.talkers
                .iter()
                .filter(|talker| talker.is_heard())
                .count(),
            5
        );
    }
}

#[test]
fn a_coach_is_heard_by_the_coached_alone_and_hears_everybody() {
    let [a, b, c] = [440.0, 880.0, 1320.0].map(|hz| tone(Rate::Narrow, hz, -10.0));
    let mut room = Room::new(4);
    room.asides = vec![2];
    room.routes = vec![(1, 2, Gain::UNITY)];
    for _ in 0..3 {
        let heard = room.tick(&[Some(a.clone()), Some(b.clone()), Some(c.clone()), None]);
        assert_eq!(heard[0], b);
        assert_eq!(heard[1], sum(&[&a, &c]));
        assert_eq!(heard[2], sum(&[&a, &b]));
        assert_eq!(heard[3], sum(&[&a, &b]));
        assert!(room.talkers[2].is_heard());
    }
    // Nobody else spoke: one voice, bit for bit.
    assert_eq!(room.tick(&[None, None, Some(c.clone()), None])[1], c);
}

#[test]
fn routes_make_one_louder_softer_or_unheard_for_one_listener() {
    let mut room = Room::new(4);
    room.routes = vec![
        (1, 0, Gain::SILENT),
        (2, 0, Gain::from_db(-6.0206)),
        (3, 0, Gain::MOST),
    ];
    let heard = room.tick(&[flat(1000), flat(50), None, None]);
    assert_eq!(heard[0], [50; 160]);
    assert_eq!(heard[1], [0; 160]);
    assert_eq!(heard[2], [550; 160]);
    assert_eq!(heard[3], [8050; 160]);
    let heard = room.tick(&[flat(20_000), flat(50), None, None]);
    assert!(
        heard[3].iter().all(|sample| *sample > 31_000),
        "limited, not wrapped"
    );
}

#[test]
fn an_announcement_is_heard_by_all_and_an_aside_by_one() {
    let mut room = Room::new(2);
    let heard = room.tick_with(&[flat(100), None], Some(&[7; 160]));
    assert_eq!((&heard[0], &heard[1]), (&vec![7; 160], &vec![107; 160]));
    let mut out = [0; 160];
    let listener = Listener {
        aside: Some(&[1000; 160]),
        ..Listener::default()
    };
    assert!(!room.mixer.is_silent_to(&listener));
    assert_eq!(room.mixer.hear(&listener, &mut out), Heard::Own);
    assert_eq!(out, [1107; 160]);
}

#[test]
fn a_place_of_an_earlier_tick_means_nothing() {
    let mut mixer = Mixer::new();
    let mut talker = Talker::new();
    mixer.begin(Rate::Narrow, Levelling::Off);
    let old = mixer.speak(&mut talker, Some(&[100; 160]));
    mixer.mix();
    mixer.begin(Rate::Narrow, Levelling::Off);
    mixer.speak(&mut talker, Some(&[300; 160]));
    mixer.mix();
    let listener = Listener {
        own: old,
        ..Listener::default()
    };
    assert_eq!(mixer.shares(&listener), Heard::Common);
}

/// Speech of a kind: noise in syllables of 160 ms with gaps of 80 ms, over a quiet line.
fn speech(seed: u32, rms: f64, frames: usize) -> Vec<Vec<i16>> {
    let mut state = seed;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 16) / 32_768.0 - 1.0
    };
    (0..frames)
        .map(|frame| {
            let loud = if frame % 12 < 8 { rms } else { rms / 30.0 };
            // Uniform noise has a third of its peak's power.
            let peak = loud * 3f64.sqrt();
            (0..160)
                .map(|_| (noise() * peak).clamp(-32_768.0, 32_767.0) as i16)
                .collect()
        })
        .collect()
}

fn rms(frames: &[Vec<i16>]) -> f64 {
    let samples = frames.iter().flatten();
    let (sum, count) = samples.fold((0.0, 0.0), |(sum, count), sample| {
        (sum + f64::from(*sample) * f64::from(*sample), count + 1.0)
    });
    f64::sqrt(sum / count)
}

/// Level of the syllables in dBm0.
fn dbm0(frames: &[Vec<i16>]) -> f64 {
    let loud: Vec<_> = (0..)
        .zip(frames)
        .filter(|(frame, _)| frame % 12 < 8)
        .collect();
    let loud: Vec<Vec<i16>> = loud.into_iter().map(|(_, frame)| frame.clone()).collect();
    20.0 * (rms(&loud) / (22_302.0 * 0.5f64.sqrt())).log10()
}

#[test]
fn a_whisper_and_a_shout_are_both_heard_when_levelled() {
    let (whisper, shout) = (speech(1, 250.0, 600), speech(2, 5500.0, 600));
    let mut levels = Vec::new();
    for levelling in [Levelling::Off, Levelling::On] {
        let mut room = Room::new(2);
        room.levelling = levelling;
        let mut heard = [Vec::new(), Vec::new()];
        for (whisper, shout) in whisper.iter().zip(&shout) {
            let out = room.tick(&[Some(whisper.clone()), Some(shout.clone())]);
            heard
                .iter_mut()
                .zip(out)
                .for_each(|(heard, out)| heard.push(out));
        }
        if levelling == Levelling::Off {
            assert_eq!(heard[1], whisper);
        }
        levels.push((dbm0(&heard[1][300..]), dbm0(&heard[0][300..])));
    }
    let [(soft, loud), (whisper, shout)] = levels[..] else {
        unreachable!("two runs");
    };
    assert!(loud - soft > 25.0, "{loud} {soft}");
    assert!((-23.0..-17.0).contains(&whisper), "{whisper}");
    assert!((-23.0..-17.0).contains(&shout), "{shout}");
}

#[test]
fn levelling_turns_no_corner() {
    // A steady tone beside speech-like swings: the gain within a frame is a line, so that the
    // wave's steps stay those of a wave.
    let mut room = Room::new(2);
    room.levelling = Levelling::On;
    let mut wave = Tone::new(200.0, -35.0);
    let mut out = Vec::new();
    for frame in 0..600 {
        let mut voice = vec![0; 160];
        wave.fill(&mut voice);
        if frame % 12 >= 8 {
            voice.iter_mut().for_each(|sample| *sample /= 30);
        }
        let heard = room.tick(&[None, Some(voice)]);
        out.extend(heard[0].iter().map(|sample| (frame, *sample)));
    }
    // 200 Hz of at most -20 dBm0 moves by at most 400 between samples, and by half of that within
    // what its own switching does to it.
    let within = out.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    let largest = within.map(|pair| (pair[1].1 - pair[0].1).abs()).max();
    assert!(largest < Some(600), "{largest:?}");
}

#[test]
fn talking_is_told_with_its_beginning_and_its_end() {
    let mut room = Room::new(2);
    let voice = speech(3, 1500.0, 250);
    let mut turns = Vec::new();
    for tick in 0..500 {
        let frame = voice.get(tick).cloned().unwrap_or_else(|| vec![20; 160]);
        room.tick(&[Some(frame), flat(500)]);
        for (member, talker) in room.talkers.iter_mut().enumerate() {
            turns.extend(talker.turn().map(|on| (member, on, tick / 50)));
        }
    }
    assert_eq!(turns, [(0, true, 0), (0, false, 5)]);
}

proptest! {
    #[test]
    fn with_few_members_everyone_hears_the_exact_sum_of_the_others(
        voices in prop::collection::vec(
            prop::option::of(prop::collection::vec(-6000i16..6000, 160)), 2..=LOUDEST)
    ) {
        let heard = Room::new(voices.len()).tick(&voices);
        for (member, out) in heard.iter().enumerate() {
            let others = voices.iter().enumerate().filter(|(other, _)| *other != member);
            let others: Vec<&[i16]> = others.filter_map(|(_, voice)| voice.as_deref()).collect();
            match others[..] {
                [] => prop_assert!(out.iter().all(|sample| *sample == 0)),
                [one] => prop_assert_eq!(&out[..], one),
                _ => prop_assert_eq!(out, &sum(&others)),
            }
        }
    }

    #[test]
    fn nothing_said_or_routed_breaks_the_mixer(
        rate in prop::sample::select(&Rate::ALL[..]),
        levelling in prop::sample::select(&[Levelling::On, Levelling::Off][..]),
        asides in prop::collection::vec(0usize..100, 0..90),
        routes in prop::collection::vec((0usize..100, 0usize..100, -90f32..30.0), 0..50),
        ticks in prop::collection::vec(
            prop::collection::vec((0usize..100, any::<i16>(), 0..=MAX_FRAME), 0..100), 1..4),
    ) {
        let mut room = Room::new(100);
        let gains = routes.into_iter().map(|(to, from, db)| (to, from, Gain::from_db(db)));
        room.routes = gains.filter(|(to, from, _)| to != from).collect();
        (room.rate, room.levelling, room.asides) = (rate, levelling, asides);
        for said in ticks {
            let mut voices = vec![None; 100];
            for (member, value, length) in said {
                voices[member] = Some(vec![value; length]);
            }
            room.tick(&voices);
        }
    }
}
