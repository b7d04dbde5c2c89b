//! A leg's voice on its way into a mix.

use crate::media::mixer::Talker;
use crate::media::{Codec, MAX_FRAME, jitter};

/// What it takes to hear a leg at every tick. Only a leg that somebody hears in a mix has one: it
/// is larger than all the rest of the leg.
#[derive(Debug)]
pub(super) struct Ear {
    jitter: jitter::Buffer,
    /// The voice of this tick; as much of it as the codec's rate makes of a frame.
    voice: [i16; MAX_FRAME],
    frame: usize,
    has_voice: bool,
    pub(super) talker: Talker,
    /// Place among this tick's speakers.
    pub(super) place: Option<usize>,
}

impl Ear {
    /// For a stream of this codec, from which nothing has come yet.
    pub(super) fn new(codec: Codec) -> Box<Self> {
        Box::new(Self {
            jitter: jitter::Buffer::new(codec),
            voice: [0; MAX_FRAME],
            frame: codec.rate().frame(),
            has_voice: false,
            talker: Talker::new(),
            place: None,
        })
    }

    /// Where packets go in.
    pub(super) fn jitter(&mut self) -> &mut jitter::Buffer {
        &mut self.jitter
    }

    /// Takes the voice of this tick out of the buffer.
    pub(super) fn tick(&mut self) {
        let popped = self.jitter.pop(&mut self.voice[..self.frame]);
        self.has_voice = popped != jitter::Popped::Empty;
    }

    /// The voice of this tick, if there is any, and what the mixer remembers of its owner.
    pub(super) fn speaker(&mut self) -> (&mut Talker, Option<&[i16]>) {
        let voice = self.has_voice.then_some(&self.voice[..self.frame]);
        (&mut self.talker, voice)
    }
}
