//! The adder at 8 kHz that the workers use until they mix at a room's own rate.

use super::{LOUDEST, soft_limit};
use crate::media::{Codec, FRAME_SAMPLES, Frame, SILENCE};

/// Samples over which a talker who is let in or pushed out amid speech is faded (5 ms).
const FADE_SAMPLES: i32 = 40;

/// The adder of a worker: holds one room for one tick. Never allocates after [`Mixer::new`].
#[derive(Debug)]
pub struct Mixer {
    /// What each speaker contributes, in order of speaking; only the first `speakers` count.
    frames: Vec<Frame>,
    talkers: Vec<Talker>,
    heard: Vec<bool>,
    speakers: usize,
    sum: [i32; FRAME_SAMPLES],
    common: Frame,
    is_silent: bool,
    encoded: [Option<[u8; FRAME_SAMPLES]>; Codec::ALL.len()],
}

impl Mixer {
    /// A mixer for rooms in which up to `speakers` members speak at once; more are not heard.
    pub fn new(speakers: usize) -> Self {
        Self {
            frames: vec![SILENCE; speakers],
            talkers: vec![Talker::new(); speakers],
            heard: vec![false; speakers],
            speakers: 0,
            sum: [0; FRAME_SAMPLES],
            common: SILENCE,
            is_silent: true,
            encoded: [None; Codec::ALL.len()],
        }
    }

    /// Begins a room's tick.
    pub fn begin(&mut self) {
        self.speakers = 0;
        self.is_silent = true;
        self.encoded = [None; Codec::ALL.len()];
    }

    /// A member's voice in this tick, `None` when nothing came. Returns the speaker's place until
    /// the next [`Mixer::begin`], or `None` when it is silent (or one too many): then the member
    /// hears the common mix.
    pub fn speak(&mut self, talker: &mut Talker, voice: Option<&Frame>) -> Option<usize> {
        let speaks = voice.filter(|frame| talker.speak(frame));
        let place = self.speakers;
        match speaks {
            Some(frame) if place < self.frames.len() => {
                self.frames[place] = *frame;
                self.talkers[place] = *talker;
                self.speakers += 1;
                Some(place)
            }
            _ => {
                talker.silent();
                None
            }
        }
    }

    /// Adds up the loudest of those who spoke.
    pub fn mix(&mut self) {
        let speakers = self.speakers;
        self.choose();
        self.sum.fill(0);
        for place in 0..speakers {
            let heard = self.heard[place];
            let (spoke, was_heard) = self.talkers[place].settle(heard);
            let frame = &mut self.frames[place];
            match (heard, was_heard) {
                (true, false) if spoke => fade_in(frame),
                (true, _) => {}
                (false, true) => fade_out(frame),
                (false, false) => {
                    // Not in the sum, so nothing is to be subtracted from it.
                    frame.fill(0);
                    continue;
                }
            }
            for (sum, sample) in self.sum.iter_mut().zip(frame.iter()) {
                *sum += i32::from(*sample);
            }
            self.is_silent = false;
        }
        if self.is_silent {
            self.common.fill(0);
        } else {
            for (out, sum) in self.common.iter_mut().zip(&self.sum) {
                *out = soft_limit(*sum);
            }
        }
    }

    /// Keeps a speaker's state for the next tick; to be called after [`Mixer::mix`].
    pub fn settle(&self, place: usize, talker: &mut Talker) {
        if place < self.speakers {
            *talker = self.talkers[place];
        }
    }

    /// Whether nobody is in the mix.
    pub fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// What everyone hears who did not speak.
    pub fn common(&self) -> &Frame {
        &self.common
    }

    /// The same, encoded once a tick however many listen.
    pub fn common_encoded(&mut self, codec: Codec) -> &[u8; FRAME_SAMPLES] {
        let common = &self.common;
        self.encoded[codec as usize].get_or_insert_with(|| {
            let mut bytes = [0; FRAME_SAMPLES];
            codec.encode(common, &mut bytes);
            bytes
        })
    }

    /// What the speaker at `place` hears: the mix without its own voice. `false` (and the common
    /// mix) when its voice is not in the mix, so that the shared encoding serves.
    pub fn without(&self, place: usize, out: &mut Frame) -> bool {
        let own = self.frames[..self.speakers].get(place);
        let own = own.filter(|own| **own != SILENCE);
        let Some(own) = own else {
            *out = self.common;
            return false;
        };
        for ((out, sum), own) in out.iter_mut().zip(&self.sum).zip(own) {
            *out = soft_limit(*sum - i32::from(*own));
        }
        true
    }

    /// Marks the loudest; all, when there are few.
    fn choose(&mut self) {
        let speakers = self.speakers;
        self.heard[..speakers].fill(speakers <= LOUDEST);
        if speakers <= LOUDEST {
            return;
        }
        for _ in 0..LOUDEST {
            let loudest = (0..speakers)
                .filter(|place| !self.heard[*place])
                .max_by_key(|place| self.talkers[*place].weight());
            if let Some(place) = loudest {
                self.heard[place] = true;
            }
        }
    }
}

fn fade_in(frame: &mut Frame) {
    for (sample, step) in frame.iter_mut().zip(0..FADE_SAMPLES) {
        *sample = (i32::from(*sample) * step / FADE_SAMPLES) as i16;
    }
}

fn fade_out(frame: &mut Frame) {
    for (sample, step) in frame.iter_mut().zip((0..FADE_SAMPLES).rev()) {
        *sample = (i32::from(*sample) * step / FADE_SAMPLES) as i16;
    }
    frame[FADE_SAMPLES as usize..].fill(0);
}

/// A frame whose loudest sample is at most this is silence: the quietest value of A-law is 8.
const SILENT_PEAK: u16 = 8;

/// What the mixer remembers of a member from tick to tick. Belongs beside the member's leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Talker {
    /// Mean magnitude, rising at once, falling by an eighth a tick.
    level: u32,
    spoke: bool,
    heard: bool,
}

impl Talker {
    /// Somebody who has not spoken yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the member was in the mix at the last tick.
    pub fn is_heard(&self) -> bool {
        self.heard
    }

    /// How loud the member is, 0..=32768.
    pub fn level(&self) -> u32 {
        self.level
    }

    /// Takes a tick in which the member was silent.
    fn silent(&mut self) {
        self.level -= self.level.div_ceil(8);
        (self.spoke, self.heard) = (false, false);
    }

    /// Takes a frame's loudness in; `false` when it is silence.
    fn speak(&mut self, frame: &Frame) -> bool {
        let (mut peak, mut sum) = (0, 0u32);
        for sample in frame {
            let magnitude = sample.unsigned_abs();
            peak = magnitude.max(peak);
            sum += u32::from(magnitude);
        }
        self.level = (self.level - self.level.div_ceil(8)).max(sum / frame.len() as u32);
        peak > SILENT_PEAK
    }

    /// How much it takes to push this one out: who is heard stays, unless another is 3.5 dB louder.
    fn weight(&self) -> u32 {
        if self.heard {
            self.level + self.level / 2
        } else {
            self.level
        }
    }

    /// Keeps the outcome of a tick; returns whether the member spoke and was heard before.
    fn settle(&mut self, heard: bool) -> (bool, bool) {
        let before = (self.spoke, self.heard);
        (self.spoke, self.heard) = (true, heard);
        before
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::Tone;

    struct Room {
        mixer: Mixer,
        talkers: Vec<Talker>,
    }

    impl Room {
        fn new(members: usize) -> Self {
            Self {
                mixer: Mixer::new(32),
                talkers: vec![Talker::new(); members],
            }
        }

        /// What each member hears.
        fn tick(&mut self, voices: &[Option<Frame>]) -> Vec<Frame> {
            self.mixer.begin();
            let pairs = self.talkers.iter_mut().zip(voices);
            let places: Vec<_> = pairs
                .map(|(talker, voice)| self.mixer.speak(talker, voice.as_ref()))
                .collect();
            self.mixer.mix();
            let mut heard = Vec::new();
            for (talker, place) in self.talkers.iter_mut().zip(places) {
                let mut out = *self.mixer.common();
                if let Some(place) = place {
                    self.mixer.settle(place, talker);
                    self.mixer.without(place, &mut out);
                }
                heard.push(out);
            }
            heard
        }
    }

    fn tone(hz: f64, dbm0: f64) -> Frame {
        let mut frame = SILENCE;
        Tone::new(hz, dbm0).fill(&mut frame);
        frame
    }

    #[test]
    fn two_hear_each_other_and_never_themselves() {
        let (a, b) = (tone(440.0, 0.0), tone(880.0, 0.0));
        let mut room = Room::new(3);
        for _ in 0..3 {
            let heard = room.tick(&[Some(a), Some(b), None]);
            assert_eq!((heard[0], heard[1]), (b, a));
            assert!(
                heard[2]
                    .iter()
                    .zip(a.iter().zip(b))
                    .all(|(sum, (a, b))| { *sum == soft_limit(i32::from(*a) + i32::from(b)) })
            );
        }
    }

    #[test]
    fn a_silent_room_is_known_to_be_silent() {
        let mut room = Room::new(2);
        room.tick(&[None, Some([8; FRAME_SAMPLES])]);
        assert!(room.mixer.is_silent());
        assert_eq!(
            room.mixer.common_encoded(Codec::Pcmu),
            &[0xff; FRAME_SAMPLES]
        );
    }

    #[test]
    fn only_the_loudest_are_heard_in_a_crowd() {
        let mut room = Room::new(10);
        let voices: Vec<_> = (0..10)
            .map(|i| Some([100 * (i + 1) as i16; FRAME_SAMPLES]))
            .collect();
        room.tick(&voices);
        let heard = room.tick(&voices);
        let of_the_loudest: i16 = (6..=10).map(|i| 100 * i).sum();
        assert_eq!(heard[0], [of_the_loudest; FRAME_SAMPLES]);
        assert_eq!(heard[9], [of_the_loudest - 1000; FRAME_SAMPLES]);
    }

    #[test]
    fn who_is_heard_stays_until_another_is_clearly_louder() {
        let mut room = Room::new(6);
        let mut voices = vec![Some([1000; FRAME_SAMPLES]); 5];
        voices.push(None);
        room.tick(&voices);
        voices[5] = Some([1400; FRAME_SAMPLES]);
        room.tick(&voices);
        assert!(!room.talkers[5].is_heard());
        voices[5] = Some([1600; FRAME_SAMPLES]);
        let heard = room.tick(&voices);
        assert!(room.talkers[5].is_heard());
        // Faded in amid speech, the other faded out: no step larger than a voice itself.
        let out = heard[0];
        assert!(out.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 200));
    }

    #[test]
    fn one_too_many_is_not_heard_and_does_no_harm() {
        let mut mixer = Mixer::new(1);
        let mut talker = Talker::new();
        mixer.begin();
        assert_eq!(
            mixer.speak(&mut talker, Some(&[99; FRAME_SAMPLES])),
            Some(0)
        );
        assert_eq!(mixer.speak(&mut talker, Some(&[99; FRAME_SAMPLES])), None);
        mixer.mix();
        assert_eq!(mixer.common(), &[99; FRAME_SAMPLES]);
    }

    proptest! {
        #[test]
        fn with_few_members_everyone_hears_the_exact_sum_of_the_others(
            voices in prop::collection::vec(
                prop::option::of(prop::collection::vec(-6000i16..6000, FRAME_SAMPLES)), 2..=LOUDEST)
        ) {
            let frames: Vec<Option<Frame>> = voices
                .iter()
                .map(|voice| voice.as_ref().map(|voice| Frame::try_from(&voice[..]).unwrap()))
                .collect();
            let heard = Room::new(frames.len()).tick(&frames);
            for (member, out) in heard.iter().enumerate() {
                for i in 0..FRAME_SAMPLES {
                    let others: i32 = frames
                        .iter()
                        .enumerate()
                        .filter(|(other, _)| *other != member)
                        .filter_map(|(_, frame)| frame.map(|frame| i32::from(frame[i])))
                        .sum();
                    prop_assert_eq!(out[i], soft_limit(others));
                }
            }
        }
    }
}
