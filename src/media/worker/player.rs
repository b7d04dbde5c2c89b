//! Sounds on their way to one leg, frame by frame, without a gap between them.

use std::sync::Arc;

use crate::media::{Codec, FRAME_SAMPLES, PlayId, Sound};

/// One play, or hold music.
#[derive(Clone, Debug)]
pub(crate) struct Player {
    play: Option<PlayId>,
    sounds: Vec<Arc<Sound>>,
    looped: bool,
    /// The sound and the frame in it that come next.
    next: (usize, usize),
}

impl Player {
    /// Plays `sounds` from the beginning; `play` is told when it ends.
    pub(crate) fn new(play: Option<PlayId>, sounds: Vec<Arc<Sound>>, looped: bool) -> Self {
        // A loop of nothing would never end and never play.
        let looped = looped && sounds.iter().any(|sound| sound.frames() > 0);
        let mut player = Self {
            play,
            sounds,
            looped,
            next: (0, 0),
        };
        player.settle();
        player
    }

    /// Whose play it is.
    pub(crate) fn play(&self) -> Option<PlayId> {
        self.play
    }

    /// Whether the last frame was taken.
    pub(crate) fn is_over(&self) -> bool {
        self.next.0 >= self.sounds.len()
    }

    /// Takes the next frame out, encoded.
    pub(crate) fn next_frame(&mut self, codec: Codec) -> Option<[u8; FRAME_SAMPLES]> {
        let (sound, frame) = self.next;
        let payload = self.sounds.get(sound)?.frame(codec, frame);
        let frame = *payload?.first_chunk()?;
        self.next.1 += 1;
        self.settle();
        Some(frame)
    }

    /// Moves on to a sound that has a frame left.
    fn settle(&mut self) {
        while let Some(sound) = self.sounds.get(self.next.0)
            && self.next.1 >= sound.frames()
        {
            self.next = (self.next.0 + 1, 0);
            if self.looped && self.next.0 == self.sounds.len() {
                self.next = (0, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(value: i16, frames: usize) -> Arc<Sound> {
        Arc::new(Sound::new("s", vec![value; frames * FRAME_SAMPLES]))
    }

    fn first(sound: &Sound) -> u8 {
        sound.frame(Codec::Pcmu, 0).expect("a frame")[0]
    }

    fn frames(player: &mut Player, most: usize) -> Vec<u8> {
        (0..most)
            .map_while(|_| player.next_frame(Codec::Pcmu).map(|frame| frame[0]))
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
}
