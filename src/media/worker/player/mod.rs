//! Sounds on their way to one leg, frame by frame, without a gap between them.
//!
//! What is sent are the octets that all who hear the sound share. Only what one leg alone hears is
//! encoded for it alone: a fade, and, in a codec with a memory, sounds in a row.

mod track;
mod voice;

use std::sync::Arc;

use super::speech::MAX_PAYLOAD;
use crate::media::{Codec, PlayId, Sound};
use track::Track;
use voice::{Fade, Ours, Pace, Voice};

/// One play, or hold music.
#[derive(Debug)]
pub(crate) struct Player {
    play: Option<PlayId>,
    track: Track,
    /// Made where orders are carried out: a tick allocates and frees nothing.
    voice: Option<Box<Voice>>,
    /// Whether the next frame is the last.
    is_ending: bool,
    is_over: bool,
}

impl Player {
    /// Plays `sounds` from the beginning; `play` is told when it ends.
    pub(crate) fn new(play: Option<PlayId>, sounds: Vec<Arc<Sound>>, looped: bool) -> Self {
        let track = Track::new(sounds, looped);
        Self {
            play,
            is_over: track.is_over(),
            track,
            voice: None,
            is_ending: false,
        }
    }

    /// Whose play it is.
    pub(crate) fn play(&self) -> Option<PlayId> {
        self.play
    }

    /// What it plays.
    pub(crate) fn sounds(&self) -> &[Arc<Sound>] {
        self.track.sounds()
    }

    /// Whether the last frame was taken.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Gets ready for a codec: a row of sounds in one with a memory needs a voice of its own.
    pub(crate) fn furnish(&mut self, codec: Codec) {
        if self
            .voice
            .as_ref()
            .is_some_and(|voice| voice.codec() == codec)
        {
            return;
        }
        let is_own = codec.has_memory() && self.track.is_a_row();
        self.voice = is_own.then(|| Voice::new(codec, None, true));
    }

    /// Takes over from another. A prompt goes within 5 ms, what would go on for ever within 200 ms;
    /// a prompt is there at once, and so is music after one, unless it comes back.
    pub(crate) fn follow(&mut self, before: &Self, codec: Codec) {
        if before.is_over || !before.track.has_begun() {
            return self.furnish(codec);
        }
        let was_looped = before.track.is_looped();
        let comes = self.track.is_looped() && (was_looped || self.track.has_begun());
        let pace = match was_looped && !before.is_ending {
            true => Pace::Slow,
            false => Pace::Fast,
        };
        let fade = Fade {
            from: Some((before.track.clone(), pace)),
            ours: if comes { Ours::Comes } else { Ours::Is },
        };
        self.voice = Some(Voice::new(codec, Some(fade), self.track.is_a_row()));
    }

    /// Whether the next frame is the last, though there would be more.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending
    }

    /// Comes back slowly when it is heard again.
    pub(crate) fn pause(&mut self, codec: Codec) {
        let fade = Fade {
            from: None,
            ours: Ours::Comes,
        };
        self.voice = Some(Voice::new(codec, Some(fade), self.track.is_a_row()));
    }

    /// Ends with the next frame, in which it dies away, and is nobody's play any more; says whether
    /// there is one to wait for.
    pub(crate) fn stop(&mut self, codec: Codec) -> bool {
        self.play = None;
        if self.is_over || !self.track.has_begun() {
            return false;
        }
        if !self.is_ending {
            self.is_ending = true;
            let fade = Fade {
                from: None,
                ours: Ours::Goes,
            };
            let mut voice = Voice::new(codec, Some(fade), false);
            voice.listen_back(&self.track);
            self.voice = Some(voice);
        }
        true
    }

    /// Takes the next frame out, encoded; returns its octets, `None` when there is none yet.
    pub(crate) fn next_frame(
        &mut self,
        codec: Codec,
        payload: &mut [u8; MAX_PAYLOAD],
    ) -> Option<usize> {
        if self.is_over {
            return None;
        }
        self.is_over = self.is_ending;
        let voice = self.voice.as_mut().filter(|voice| voice.codec() == codec);
        let length = match voice {
            Some(voice) if voice.is_needed() => voice.say(&self.track, payload)?,
            _ => {
                let shared = self.track.payload(codec)?;
                let length = shared.len().min(MAX_PAYLOAD);
                payload[..length].copy_from_slice(&shared[..length]);
                length
            }
        };
        self.track.advance();
        self.is_over |= self.track.is_over();
        Some(length)
    }
}

#[cfg(test)]
mod tests;
