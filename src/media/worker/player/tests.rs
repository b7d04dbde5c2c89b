//! What the far end of a player hears, judged by a decoder: seams, cuts and fades in every codec.

use super::*;
use crate::media::sound::Studio;
use crate::media::{Decoder, FRAME_SAMPLES, Rate};

fn sound(value: i16, frames: usize) -> Arc<Sound> {
    Arc::new(Sound::new("s", vec![value; frames * FRAME_SAMPLES]))
}

fn first(sound: &Sound) -> u8 {
    sound.frame(Codec::Pcmu, 0).expect("a frame")[0]
}

fn frames(player: &mut Player, most: usize) -> Vec<u8> {
    let mut payload = [0; MAX_PAYLOAD];
    (0..most)
        .map_while(|_| {
            player
                .next_frame(Codec::Pcmu, &mut payload)
                .map(|_| payload[0])
        })
        .collect()
}

#[test]
fn sounds_follow_each_other_and_end() {
    let (a, b) = (sound(1000, 2), sound(-1000, 1));
    let (x, y) = (first(&a), first(&b));
    let mut player = Player::new(None, vec![a, sound(0, 0), b], false);
    assert_eq!(frames(&mut player, 10), [x, x, y]);
    assert!(player.is_over());
}

#[test]
fn a_loop_goes_on_without_a_gap() {
    let (a, b) = (sound(1000, 1), sound(-1000, 1));
    let (x, y) = (first(&a), first(&b));
    let mut player = Player::new(None, vec![a, b], true);
    assert_eq!(frames(&mut player, 5), [x, y, x, y, x]);
    assert!(!player.is_over());
}

#[test]
fn nothing_to_play_is_over_at_once_even_looped() {
    assert!(Player::new(None, vec![], true).is_over());
    assert!(Player::new(None, vec![sound(0, 0)], true).is_over());
}

/// Part of a sine of this many Hz that begins at `from` s; loud.
fn tone(hz: f64, from: f64, frames: usize, rate: Rate) -> Vec<i16> {
    let sample = |n: usize| {
        let angle = std::f64::consts::TAU * hz * (from + n as f64 / f64::from(rate.hz()));
        (16_000.0 * angle.sin()).round() as i16
    };
    (0..frames * rate.frame()).map(sample).collect()
}

fn rendered(codec: Codec, samples: Vec<i16>) -> Arc<Sound> {
    let sound = Arc::new(Sound::at(codec.rate().hz(), "s", samples));
    Studio::Inline.order(&sound, codec);
    sound
}

/// The far end.
struct Ear {
    decoder: Decoder,
    heard: Vec<i16>,
}

impl Ear {
    fn new(codec: Codec) -> Self {
        Self {
            decoder: Decoder::new(codec),
            heard: Vec::new(),
        }
    }

    fn hear(&mut self, player: &mut Player, frames: usize) -> usize {
        let mut payload = [0; MAX_PAYLOAD];
        let mut samples = [0; 960];
        for frame in 0..frames {
            let Some(length) = player.next_frame(self.decoder.codec(), &mut payload) else {
                return frame;
            };
            let count = self.decoder.decode(&payload[..length], &mut samples);
            assert_eq!(count, self.decoder.rate().frame());
            self.heard.extend_from_slice(&samples[..count]);
        }
        frames
    }

    /// The largest step from sample to sample in some frames, and in some others that are plain.
    fn steps(&self, frames: std::ops::Range<usize>, plain: std::ops::Range<usize>) -> (i32, i32) {
        let length = self.decoder.rate().frame();
        let largest = |frames: std::ops::Range<usize>| {
            let part = &self.heard[frames.start * length..frames.end * length];
            let steps = part
                .windows(2)
                .map(|two| (i32::from(two[1]) - i32::from(two[0])).abs());
            steps.max().unwrap_or(0)
        };
        (largest(frames), largest(plain))
    }

    /// How far what was heard in some frames is from `wanted` at the same place, dB, wherever the
    /// codec's delay has put it.
    fn distance(&self, wanted: &[i16], frames: std::ops::Range<usize>) -> f64 {
        let length = self.decoder.rate().frame();
        let range = frames.start * length..frames.end * length;
        let of_delay = |delay: usize| {
            let (mut signal, mut error) = (1e-9, 1e-9);
            for place in range.clone() {
                let (heard, wanted) = (
                    f64::from(self.heard[place]),
                    f64::from(wanted[place - delay]),
                );
                signal += wanted * wanted;
                error += (wanted - heard).powi(2);
            }
            10.0 * f64::log10(signal / error)
        };
        (0..length / 2).map(of_delay).fold(f64::MIN, f64::max)
    }
}

#[test]
fn a_prompt_of_several_sounds_has_no_seam_in_any_codec() {
    for codec in Codec::ALL {
        let whole = tone(410.0, 0.0, 60, codec.rate());
        let (a, b) = whole.split_at(30 * codec.rate().frame());
        let parts = vec![rendered(codec, a.to_vec()), rendered(codec, b.to_vec())];
        let hear = |sounds: Vec<Arc<Sound>>, has_voice: bool| {
            let mut player = Player::new(None, sounds, false);
            if has_voice {
                player.furnish(codec);
            }
            let mut ear = Ear::new(codec);
            assert_eq!(ear.hear(&mut player, 100), 60);
            let distances = [(20, 25), (29, 33), (33, 37), (50, 55)]
                .map(|(from, to)| ear.distance(&whole, from..to));
            (distances, ear.steps(28..40, 15..25))
        };
        let straight = hear(vec![rendered(codec, whole.clone())], false);
        let (naive, ours) = (hear(parts.clone(), false), hear(parts, true));
        println!("{codec:?}\n  straight {straight:?}\n  naive {naive:?}\n  ours {ours:?}");
        for (ours, straight) in ours.0.iter().zip(straight.0) {
            assert!(
                *ours > straight - 6.0,
                "{codec:?}: {ours:.1} dB, in one piece {straight:.1} dB"
            );
        }
        let (seam, plain) = ours.1;
        assert!(
            seam * 10 <= plain * 11,
            "{codec:?}: a step of {seam}, elsewhere {plain}"
        );
    }
}

#[test]
fn a_loop_has_no_seam_in_any_codec() {
    for codec in Codec::ALL {
        let once = tone(410.0, 0.0, 50, codec.rate());
        let whole = tone(410.0, 0.0, 150, codec.rate());
        let mut player = Player::new(None, vec![rendered(codec, once)], true);
        player.furnish(codec);
        let mut ear = Ear::new(codec);
        ear.hear(&mut player, 150);
        let plain = ear.distance(&whole, 30..45);
        for seam in [50, 100] {
            let distance = ear.distance(&whole, seam - 1..seam + 9);
            println!("{codec:?} {distance:.1} dB, elsewhere {plain:.1}");
            assert!(
                distance > plain - 6.0,
                "{codec:?}: {distance:.1} dB, elsewhere {plain:.1}"
            );
            let (step, own) = ear.steps(seam - 1..seam + 9, 30..45);
            assert!(
                step * 10 <= own * 11,
                "{codec:?}: a step of {step}, elsewhere {own}"
            );
        }
    }
}

#[test]
fn barge_in_cuts_within_a_frame_and_does_not_click() {
    for codec in Codec::ALL {
        // 50 frames end near a peak of this tone.
        let sound = rendered(codec, tone(333.0, 0.0, 50, codec.rate()));
        let mut player = Player::new(Some(PlayId(1)), vec![sound], false);
        player.furnish(codec);
        let mut ear = Ear::new(codec);
        ear.hear(&mut player, 17);
        assert!(player.stop(codec) && !player.is_over());
        assert_eq!((ear.hear(&mut player, 5), player.play()), (1, None));
        assert!(player.is_over());
        let (cut, own) = ear.steps(16..18, 8..16);
        println!("{codec:?}: a step of {cut}, the tone's own {own}");
        assert!(
            cut * 10 <= own * 11,
            "{codec:?}: a step of {cut}, the tone's own {own}"
        );
        let last = &ear.heard[18 * codec.rate().frame() - codec.rate().frame() / 4..];
        let loudest = last.iter().map(|sample| sample.unsigned_abs()).max();
        assert!(loudest < Some(1500), "{codec:?}: {loudest:?} at the end");
    }
}

#[test]
fn a_new_prompt_is_there_at_once_and_the_old_one_goes_without_a_click() {
    for codec in Codec::ALL {
        let old = rendered(codec, tone(333.0, 0.0, 50, codec.rate()));
        let new = rendered(codec, vec![0; 50 * codec.rate().frame()]);
        let mut before = Player::new(Some(PlayId(1)), vec![old], false);
        let mut ear = Ear::new(codec);
        ear.hear(&mut before, 17);
        let mut player = Player::new(Some(PlayId(2)), vec![new], false);
        player.follow(&before, codec);
        assert_eq!(ear.hear(&mut player, 100), 50);
        let (cut, own) = ear.steps(16..30, 8..16);
        println!("{codec:?}: a step of {cut}, the tone's own {own}");
        assert!(
            cut * 10 <= own * 11,
            "{codec:?}: a step of {cut}, the tone's own {own}"
        );
        let loudest = ear.heard[19 * codec.rate().frame()..]
            .iter()
            .map(|sample| sample.unsigned_abs());
        assert!(loudest.max() < Some(1000), "{codec:?}");
    }
}

#[test]
fn music_that_changes_fades_over_and_is_shared_again() {
    for codec in Codec::ALL {
        let old = rendered(codec, tone(350.0, 0.0, 50, codec.rate()));
        let new = rendered(codec, tone(410.0, 0.1, 50, codec.rate()));
        let mut before = Player::new(None, vec![old], true);
        let mut ear = Ear::new(codec);
        ear.hear(&mut before, 17);
        let mut player = Player::new(None, vec![Arc::clone(&new)], true);
        player.follow(&before, codec);
        ear.hear(&mut player, 70);
        // Two tones at equal power may add up to 1.41 of one.
        let (fade, own) = ear.steps(16..28, 5..15);
        println!("{codec:?}: a step of {fade}, the tone's own {own}");
        assert!(
            fade * 100 <= own * 170,
            "{codec:?}: a step of {fade}, the tones' own {own}"
        );
        let (after, own) = ear.steps(28..60, 65..75);
        println!("{codec:?}: a step of {after}, the tone's own {own}");
        assert!(
            after * 10 <= own * 11,
            "{codec:?}: a step of {after}, the tone's own {own}"
        );
        let (mut payload, place) = (
            [0; MAX_PAYLOAD],
            player.track.payload(codec).map(<[u8]>::to_vec),
        );
        let length = player.next_frame(codec, &mut payload).expect("a frame");
        assert_eq!(
            place.as_deref(),
            Some(&payload[..length]),
            "{codec:?}: shared"
        );
    }
}

#[test]
fn music_comes_back_slowly_after_a_prompt() {
    let music = rendered(Codec::Pcmu, tone(400.0, 0.0, 50, Rate::Narrow));
    let mut player = Player::new(None, vec![music], true);
    let mut ear = Ear::new(Codec::Pcmu);
    ear.hear(&mut player, 17);
    player.pause(Codec::Pcmu);
    ear.hear(&mut player, 20);
    let level = |frame: usize| {
        ear.heard[frame * 160..][..160]
            .iter()
            .map(|sample| sample.unsigned_abs())
            .max()
    };
    assert!(level(17) < Some(3000) && level(22) > Some(8000) && level(28) > Some(15_000));
}
