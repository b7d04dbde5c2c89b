//! From samples to payloads.

use super::g722::G722Encoder;
use super::opus::OpusEncoder;
use super::{Codec, OpusTerms};
use crate::media::Rate;

/// What turns samples into the payloads of one stream. Never allocates after [`Encoder::new`].
#[derive(Debug)]
pub struct Encoder {
    codec: Codec,
    memory: Memory,
}

/// What went before, by codec.
#[derive(Debug)]
enum Memory {
    None,
    G722(Box<G722Encoder>),
    Opus(OpusEncoder),
}

impl Encoder {
    /// An encoder that has said nothing.
    pub fn new(codec: Codec) -> Self {
        Self::at(codec, codec.rate(), OpusTerms::default())
    }

    /// An encoder that has said nothing, for samples of a rate and on the far end's terms: both are
    /// for Opus alone. See [`Encoder::rate`].
    pub fn at(codec: Codec, rate: Rate, terms: OpusTerms) -> Self {
        let memory = match codec {
            Codec::Pcma | Codec::Pcmu => Memory::None,
            Codec::G722 => Memory::G722(Box::new(G722Encoder::new())),
            Codec::Opus => Memory::Opus(OpusEncoder::new(rate, terms)),
        };
        Self { codec, memory }
    }

    /// Its codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The rate of the samples it takes.
    pub fn rate(&self) -> Rate {
        match &self.memory {
            Memory::None | Memory::G722(_) => self.codec.rate(),
            Memory::Opus(encoder) => encoder.rate(),
        }
    }

    /// Goes on where another of the same codec is, so that a decoder does not hear who encodes. Opus
    /// cannot be copied; its decoder finds its way within a frame.
    pub(crate) fn go_on_from(&mut self, other: &Self) {
        if let (Memory::G722(own), Memory::G722(other)) = (&mut self.memory, &other.memory) {
            own.clone_from(other);
        }
    }

    /// How many packets of a hundred the far end loses, as it reports: Opus spends more on
    /// forward error correction the more get lost, and nothing at 0.
    pub fn set_expected_loss(&mut self, percent: u8) {
        match &mut self.memory {
            Memory::None | Memory::G722(_) => {}
            Memory::Opus(encoder) => encoder.set_expected_loss(percent),
        }
    }

    /// Encodes one packet of 10, 20, 40 or 60 ms (G.711 and G.722: any whole number of ms) into
    /// `payload`; returns how many octets it has become: 0 when it cannot be encoded, or need not
    /// be sent because nobody speaks ([`OpusTerms::dtx`]).
    pub fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> usize {
        match &mut self.memory {
            Memory::None => self.codec.encode(samples, payload),
            Memory::G722(encoder) => encoder.encode(samples, payload),
            Memory::Opus(encoder) => encoder.encode(samples, payload),
        }
    }
}
