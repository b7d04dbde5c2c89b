//! What a player says in its own voice, because nobody else hears the same: fades, and rows of
//! sounds in codecs with a memory.

use std::f32::consts::{FRAC_PI_2, PI};

use super::track::Track;
use crate::media::sound::SETTLED;
use crate::media::worker::speech::MAX_PAYLOAD;
use crate::media::{Codec, Encoder, MAX_FRAME, Rate};

/// An encoder of one's own and what it is needed for.
#[derive(Debug)]
pub(super) struct Voice {
    encoder: Encoder,
    fade: Option<Fade>,
    /// Frames of it done.
    faded: usize,
    /// Frames to be encoded here after the fade, until the far decoder and the shared encoding
    /// agree; for a row of sounds they never would.
    after: usize,
    mixed: [i16; MAX_FRAME],
    /// What fades out.
    other: [i16; MAX_FRAME],
}

/// A change at the beginning or the end of what is played.
#[derive(Debug)]
pub(super) struct Fade {
    /// What goes, and how fast.
    pub(super) from: Option<(Track, Pace)>,
    pub(super) ours: Ours,
}

/// What becomes of our own track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ours {
    /// It comes within 200 ms.
    Comes,
    /// It goes within 5 ms.
    Goes,
    /// It is there.
    Is,
}

/// How fast another track goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Within 5 ms.
    Fast,
    /// Within 200 ms; with one that comes at equal power.
    Slow,
}

/// Frames of a slow fade: 200 ms.
const SLOW: usize = 10;
/// Part of a frame that a fast fade takes: 5 ms.
const FAST: usize = 4;
/// Frames heard before a fade, from which an encoder with a memory knows where it is.
const BEFORE: usize = 3;

impl Voice {
    /// For what begins with this fade, if any, and is encoded here for so long: `usize::MAX` frames
    /// are all.
    pub(super) fn new(codec: Codec, fade: Option<Fade>, is_lasting: bool) -> Box<Self> {
        let mut voice = Box::new(Self {
            encoder: Encoder::new(codec),
            fade: None,
            faded: 0,
            after: match codec.has_memory() {
                true if is_lasting => usize::MAX,
                true => SETTLED,
                false => 0,
            },
            mixed: [0; MAX_FRAME],
            other: [0; MAX_FRAME],
        });
        if let Some((track, _)) = fade.as_ref().and_then(|fade| fade.from.as_ref()) {
            voice.listen_back(track);
        }
        voice.fade = fade;
        voice
    }

    pub(super) fn codec(&self) -> Codec {
        self.encoder.codec()
    }

    /// Hears what was just played from the shared encoding, and goes on from there.
    pub(super) fn listen_back(&mut self, track: &Track) {
        let codec = self.encoder.codec();
        for back in (1..=BEFORE).rev().filter(|_| codec.has_memory()) {
            let frame = &mut self.other[..self.encoder.rate().frame()];
            if track.heard(codec, back, frame) {
                self.encoder.encode(frame, &mut [0; MAX_PAYLOAD]);
            }
        }
    }

    /// Whether the next frame is to be said here.
    pub(super) fn is_needed(&self) -> bool {
        self.faded < self.frames() || self.after > 0
    }

    /// Says the next frame of `track`; `None` when it is not rendered yet.
    pub(super) fn say(&mut self, track: &Track, payload: &mut [u8]) -> Option<usize> {
        let (codec, rate) = (self.encoder.codec(), self.encoder.rate());
        let frame = &mut self.mixed[..rate.frame()];
        if !track.linear(codec, frame) {
            return None;
        }
        if self.faded < self.frames() {
            self.fade(rate);
            self.faded += 1;
        } else if self.after < usize::MAX {
            self.after -= 1;
        }
        Some(self.encoder.encode(&self.mixed[..rate.frame()], payload))
    }

    fn frames(&self) -> usize {
        let Some(fade) = &self.fade else {
            return 0;
        };
        let is_slow = matches!(fade.from, Some((_, Pace::Slow)));
        if is_slow || fade.ours == Ours::Comes {
            SLOW
        } else {
            1
        }
    }

    fn fade(&mut self, rate: Rate) {
        let Some(fade) = &mut self.fade else {
            return;
        };
        let (length, faded) = (rate.frame(), self.faded);
        let ours = &mut self.mixed[..length];
        let slow = |n: usize| (faded * length + n) as f32 / (SLOW * length) as f32 * FRAC_PI_2;
        let fast = |n: usize| match faded == 0 && n * FAST < length {
            true => 0.5 + 0.5 * (PI * (n * FAST) as f32 / length as f32).cos(),
            false => 0.0,
        };
        match fade.ours {
            Ours::Comes => scale(ours, |n| slow(n).sin()),
            Ours::Goes => scale(ours, fast),
            Ours::Is => {}
        }
        let Some((track, pace)) = &mut fade.from else {
            return;
        };
        let theirs = &mut self.other[..length];
        let is_there = track.linear(self.encoder.codec(), theirs);
        track.advance();
        if is_there {
            match pace {
                Pace::Fast => scale(theirs, fast),
                Pace::Slow => scale(theirs, |n| slow(n).cos()),
            }
            for (ours, theirs) in ours.iter_mut().zip(theirs) {
                *ours = ours.saturating_add(*theirs);
            }
        }
    }
}

fn scale(samples: &mut [i16], gain: impl Fn(usize) -> f32) {
    for (n, sample) in samples.iter_mut().enumerate() {
        *sample = (f32::from(*sample) * gain(n)).round() as i16;
    }
}
