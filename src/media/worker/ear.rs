//! A leg's voice on its way into a mix.

use crate::media::mixer::Talker;
use crate::media::resample::Resampler;
use crate::media::{Codec, MAX_FRAME, Rate, jitter};

/// What it takes to hear a leg at every tick. Only a leg that somebody hears in a mix has one: it
/// is larger than all the rest of the leg.
#[derive(Debug)]
pub(super) struct Ear {
    jitter: jitter::Buffer,
    /// The voice of this tick, at the room's rate, and how it comes from the codec's.
    voice: [i16; MAX_FRAME],
    rate: Rate,
    resampler: Option<Resampler>,
    has_voice: bool,
    pub(super) talker: Talker,
}

impl Ear {
    /// For a stream of this codec, from which nothing has come yet.
    pub(super) fn new(codec: Codec) -> Box<Self> {
        Box::new(Self {
            jitter: jitter::Buffer::new(codec),
            voice: [0; MAX_FRAME],
            rate: codec.rate(),
            resampler: None,
            has_voice: false,
            talker: Talker::new(),
        })
    }

    /// Speaks to a room of this rate from now on.
    pub(super) fn tune(&mut self, rate: Rate) {
        if rate != self.rate {
            let own = self.jitter.rate();
            self.resampler = (own != rate).then(|| Resampler::new(own, rate));
            self.rate = rate;
        }
    }

    /// Where packets go in.
    pub(super) fn jitter(&mut self) -> &mut jitter::Buffer {
        &mut self.jitter
    }

    /// Packets that came too late to be heard.
    pub(super) fn late(&self) -> u64 {
        self.jitter.stats().late
    }

    /// How long packets wait in the buffer.
    pub(super) fn depth_ms(&self) -> f32 {
        self.jitter.stats().delay_ms as f32
    }

    /// Takes the voice of this tick out of the buffer.
    pub(super) fn tick(&mut self) {
        let Some(resampler) = &mut self.resampler else {
            let popped = self.jitter.pop(&mut self.voice[..self.rate.frame()]);
            self.has_voice = popped != jitter::Popped::Empty;
            return;
        };
        let mut frame = [0; MAX_FRAME];
        let frame = &mut frame[..resampler.from().frame()];
        let popped = self.jitter.pop(frame);
        resampler.process(frame, &mut self.voice[..self.rate.frame()]);
        self.has_voice = popped != jitter::Popped::Empty;
    }

    /// The voice of this tick, if there is any, and what the mixer remembers of its owner.
    pub(super) fn speaker(&mut self) -> (&mut Talker, Option<&[i16]>) {
        let voice = self.has_voice.then_some(&self.voice[..self.rate.frame()]);
        (&mut self.talker, voice)
    }
}
