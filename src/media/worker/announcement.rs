//! Sounds that everybody in a room hears over the conversation.

use std::sync::Arc;

use crate::media::sound::Studio;
use crate::media::{Codec, MAX_FRAME, Rate, Sound};

/// What is announced to a room, one sound after the other.
#[derive(Debug)]
pub(super) struct Announcement {
    sounds: Vec<Arc<Sound>>,
    /// The one that plays. Those before it are over; they are freed with the next order, not in
    /// the tick.
    current: usize,
    /// The frame of it that comes next.
    frame: usize,
    rate: Rate,
    samples: [i16; MAX_FRAME],
}

/// Sounds that wait at most: a room that a hundred enter at once need not beep for a minute.
const MAX_SOUNDS: usize = 16;

/// The codec whose rendition of a sound has the samples of a rate; a telephone's room hears what
/// the telephone network would hear of it.
fn codec(rate: Rate) -> Codec {
    match rate {
        Rate::Narrow => Codec::Pcma,
        Rate::Wide => Codec::G722,
        Rate::Full => Codec::Opus,
    }
}

impl Announcement {
    /// For a room of this rate.
    pub(super) fn new(sounds: Vec<Arc<Sound>>, rate: Rate, studio: &Studio) -> Box<Self> {
        let mut announcement = Box::new(Self {
            sounds: Vec::new(),
            current: 0,
            frame: 0,
            rate,
            samples: [0; MAX_FRAME],
        });
        announcement.add(sounds, studio);
        announcement
    }

    /// Plays these afterwards.
    pub(super) fn add(&mut self, sounds: Vec<Arc<Sound>>, studio: &Studio) {
        self.sounds.drain(..self.current);
        self.current = 0;
        let room = MAX_SOUNDS.saturating_sub(self.sounds.len());
        let sounds = sounds.into_iter().filter(|sound| sound.frames() > 0);
        let known = self.sounds.len();
        self.sounds.extend(sounds.take(room));
        self.order(known, studio);
    }

    /// Goes on at the room's rate.
    pub(super) fn tune(&mut self, rate: Rate, studio: &Studio) {
        if self.rate != rate {
            self.rate = rate;
            self.order(self.current, studio);
        }
    }

    /// Has sounds rendered, from this one on; until then the announcement waits.
    fn order(&self, from: usize, studio: &Studio) {
        let codec = codec(self.rate);
        for sound in &self.sounds[from..] {
            studio.order(sound, codec);
        }
    }

    /// Whether everything was played.
    pub(super) fn is_over(&self) -> bool {
        self.current == self.sounds.len()
    }

    /// The next 20 ms at the room's rate; `None` at the end, and before they are rendered.
    pub(super) fn next_frame(&mut self) -> Option<&[i16]> {
        let sound = self.sounds.get(self.current)?;
        let samples = &mut self.samples[..self.rate.frame()];
        if !sound.linear(codec(self.rate), self.frame, samples) {
            return None;
        }
        self.frame += 1;
        if self.frame == sound.frames() {
            self.current += 1;
            self.frame = 0;
        }
        Some(samples)
    }
}
