//! What a leg is given to hear instead of a room, and how one thing gives way to another.

use std::sync::Arc;

use super::leg::Leg;
use super::player::Player;
use crate::media::sound::Studio;
use crate::media::{Codec, Sound};

/// What the leg is given to hear instead of a room; a play comes before music.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) play: Option<Player>,
    pub(super) music: Option<Player>,
    /// What came to its end in a tick, where nothing is freed; gone with the next order.
    pub(super) spent: Option<Player>,
    pub(super) echo: bool,
}

impl Given {
    /// What is heard of it.
    pub(super) fn player(&mut self) -> Option<&mut Player> {
        self.play.as_mut().or(self.music.as_mut())
    }

    /// Gets ready for a codec.
    pub(super) fn furnish(&mut self, codec: Codec) {
        for player in self.play.iter_mut().chain(&mut self.music) {
            player.furnish(codec);
        }
    }

    /// Has all of it rendered for a codec.
    pub(super) fn order(&self, codec: Codec, studio: &Studio) {
        let players = self.play.iter().chain(&self.music);
        for sound in players.flat_map(Player::sounds) {
            studio.order(sound, codec);
        }
    }

    /// The play, or else the music, has come to its end.
    pub(super) fn end(&mut self) {
        self.spent = match self.play.take() {
            Some(play) => Some(play),
            None => self.music.take(),
        };
    }
}

impl Leg {
    fn codec(&self) -> Option<Codec> {
        self.flow.as_ref().map(|flow| flow.codec)
    }

    /// Begins a play in place of the one that was taken away just now, or of music, which waits.
    pub(super) fn play(&mut self, mut player: Player) {
        let (codec, own) = (self.codec(), &mut self.own);
        own.music.take_if(|music| music.is_ending());
        if let Some(codec) = codec {
            match (&own.spent, &mut own.music) {
                (Some(before), _) => player.follow(before, codec),
                (None, Some(music)) => {
                    player.follow(music, codec);
                    music.pause(codec);
                }
                (None, None) => player.furnish(codec),
            }
        }
        own.spent = None;
        own.play = Some(player);
    }

    /// Ends a play: it dies away in the next frame, or under the music that comes back.
    pub(super) fn stop_play(&mut self) {
        let (codec, own) = (self.codec(), &mut self.own);
        let Some(mut play) = own.play.take() else {
            return;
        };
        match (codec, &mut own.music) {
            (Some(codec), Some(music)) => music.follow(&play, codec),
            (Some(codec), None) if play.stop(codec) => own.play = Some(play),
            _ => {}
        }
    }

    /// Gives the leg music from its beginning, or takes it away.
    pub(super) fn hold(&mut self, sound: Option<Arc<Sound>>) {
        let (codec, own) = (self.codec(), &mut self.own);
        let before = own.music.take();
        let is_heard = own.play.is_none();
        match (sound, codec, before) {
            (Some(sound), codec, before) => {
                let mut music = Player::new(None, vec![sound], true);
                match (codec, before.filter(|_| is_heard)) {
                    (Some(codec), Some(before)) => music.follow(&before, codec),
                    (Some(codec), None) => music.furnish(codec),
                    (None, _) => {}
                }
                own.music = Some(music);
            }
            (None, Some(codec), Some(mut music)) if is_heard => {
                own.music = music.stop(codec).then_some(music);
            }
            _ => {}
        }
    }
}
