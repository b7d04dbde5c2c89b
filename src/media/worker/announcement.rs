//! Sounds that everybody in a room hears over the conversation.

use std::sync::Arc;

use super::player::Player;
use super::speech::MAX_PAYLOAD;
use crate::media::resample::Resampler;
use crate::media::{Codec, FRAME_SAMPLES, MAX_FRAME, Rate, Sound};

/// What is announced to a room, one sound after the other.
#[derive(Debug)]
pub(super) struct Announcement {
    players: Vec<Player>,
    /// The one that plays. Those before it are over; they are freed with the next order, not in
    /// the tick.
    current: usize,
    resampler: Option<Resampler>,
    samples: [i16; MAX_FRAME],
}

/// Sounds that wait at most: a room that a hundred enter at once need not beep for a minute.
const MAX_SOUNDS: usize = 16;

/// Announcements are mixed from what the telephone network would hear of them.
const CODEC: Codec = Codec::Pcma;

impl Announcement {
    /// For a room of this rate.
    pub(super) fn new(sounds: Vec<Arc<Sound>>, rate: Rate) -> Box<Self> {
        let mut announcement = Box::new(Self {
            players: Vec::new(),
            current: 0,
            resampler: None,
            samples: [0; MAX_FRAME],
        });
        announcement.add(sounds);
        announcement.tune(rate);
        announcement
    }

    /// Plays these afterwards.
    pub(super) fn add(&mut self, sounds: Vec<Arc<Sound>>) {
        self.players.drain(..self.current);
        self.current = 0;
        let room = MAX_SOUNDS.saturating_sub(self.players.len());
        let sounds = sounds.into_iter().filter(|sound| sound.frames() > 0);
        let players = sounds.map(|sound| Player::new(None, vec![sound], false));
        self.players.extend(players.take(room));
    }

    /// Goes on at the room's rate.
    pub(super) fn tune(&mut self, rate: Rate) {
        let own = CODEC.rate();
        if self.resampler.as_ref().map_or(own, Resampler::to) != rate {
            self.resampler = (rate != own).then(|| Resampler::new(own, rate));
        }
    }

    /// Whether everything was played.
    pub(super) fn is_over(&self) -> bool {
        self.current == self.players.len()
    }

    /// The next 20 ms at the room's rate.
    pub(super) fn next_frame(&mut self) -> Option<&[i16]> {
        let player = self.players.get_mut(self.current)?;
        let mut payload = [0; MAX_PAYLOAD];
        let length = player.next_frame(CODEC, &mut payload)?;
        self.current += usize::from(player.is_over());
        let mut narrow = [0; FRAME_SAMPLES];
        CODEC.decode(&payload[..length], &mut narrow);
        match &mut self.resampler {
            None => {
                self.samples[..FRAME_SAMPLES].copy_from_slice(&narrow);
                Some(&self.samples[..FRAME_SAMPLES])
            }
            Some(resampler) => {
                let samples = &mut self.samples[..resampler.to().frame()];
                resampler.process(&narrow, samples);
                Some(samples)
            }
        }
    }
}
