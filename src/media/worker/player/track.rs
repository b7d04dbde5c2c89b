//! Sounds in a row, and the place in them.

use std::sync::Arc;

use crate::media::sound::SETTLED;
use crate::media::{Codec, Sound};

/// What is played, frame after frame, without a gap between two sounds.
#[derive(Clone, Debug)]
pub(super) struct Track {
    sounds: Vec<Arc<Sound>>,
    is_looped: bool,
    /// The sound and the frame in it that come next.
    sound: usize,
    frame: usize,
    /// Whether the end was heard before.
    has_wrapped: bool,
}

impl Track {
    pub(super) fn new(sounds: Vec<Arc<Sound>>, is_looped: bool) -> Self {
        // A loop of nothing would never end and never play.
        let is_looped = is_looped && sounds.iter().any(|sound| sound.frames() > 0);
        let mut track = Self {
            sounds,
            is_looped,
            sound: 0,
            frame: 0,
            has_wrapped: false,
        };
        track.settle();
        track
    }

    pub(super) fn sounds(&self) -> &[Arc<Sound>] {
        &self.sounds
    }

    pub(super) fn is_looped(&self) -> bool {
        self.is_looped
    }

    pub(super) fn is_over(&self) -> bool {
        self.sound >= self.sounds.len()
    }

    /// Whether a frame of it was heard.
    pub(super) fn has_begun(&self) -> bool {
        self.frame > 0 || self.sound > 0 || self.has_wrapped
    }

    /// Whether sounds follow others.
    pub(super) fn is_a_row(&self) -> bool {
        self.sounds.len() > 1
    }

    /// The next frame, encoded; `None` at the end, and before it is rendered.
    pub(super) fn payload(&self, codec: Codec) -> Option<&[u8]> {
        let sound = self.sounds.get(self.sound)?;
        let again = self.has_wrapped && self.frame < SETTLED;
        match again
            .then(|| sound.frame_again(codec, self.frame))
            .flatten()
        {
            Some(payload) => Some(payload),
            None => sound.frame(codec, self.frame),
        }
    }

    /// The next frame at the codec's rate; says whether there is one.
    pub(super) fn linear(&self, codec: Codec, samples: &mut [i16]) -> bool {
        let sound = self.sounds.get(self.sound);
        sound.is_some_and(|sound| sound.linear(codec, self.frame, samples))
    }

    /// A frame of the present sound that was heard already, `back` frames before the next.
    pub(super) fn heard(&self, codec: Codec, back: usize, samples: &mut [i16]) -> bool {
        let (sound, frame) = (self.sounds.get(self.sound), self.frame.checked_sub(back));
        let both = sound.zip(frame);
        both.is_some_and(|(sound, frame)| sound.linear(codec, frame, samples))
    }

    /// Goes on to the frame after.
    pub(super) fn advance(&mut self) {
        self.frame += 1;
        self.settle();
    }

    /// Moves on to a sound that has a frame left.
    fn settle(&mut self) {
        while let Some(sound) = self.sounds.get(self.sound)
            && self.frame >= sound.frames()
        {
            self.frame = 0;
            self.sound += 1;
            if self.is_looped && self.sound == self.sounds.len() {
                self.sound = 0;
                self.has_wrapped = true;
            }
        }
    }
}
