//! From payloads to samples.

use super::Codec;
use super::g722::G722Decoder;
use super::opus::OpusDecoder;
use crate::media::Rate;

/// What turns the payloads of one stream into samples. Never allocates after [`Decoder::new`].
#[derive(Debug)]
pub struct Decoder {
    codec: Codec,
    memory: Memory,
}

/// What went before, by codec.
#[derive(Debug)]
enum Memory {
    None,
    G722(Box<G722Decoder>),
    Opus(OpusDecoder),
}

impl Decoder {
    /// A decoder that has heard nothing.
    pub fn new(codec: Codec) -> Self {
        Self::at(codec, codec.rate())
    }

    /// A decoder that has heard nothing, for samples of a rate. Only Opus can choose: to decode at
    /// 8 kHz costs it a fifth of 48, and no resampler is needed. See [`Decoder::rate`].
    pub fn at(codec: Codec, rate: Rate) -> Self {
        let memory = match codec {
            Codec::Pcma | Codec::Pcmu => Memory::None,
            Codec::G722 => Memory::G722(Box::new(G722Decoder::new())),
            Codec::Opus => Memory::Opus(OpusDecoder::new(rate)),
        };
        Self { codec, memory }
    }

    /// Its codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The rate of the samples that come out.
    pub fn rate(&self) -> Rate {
        match &self.memory {
            Memory::None | Memory::G722(_) => self.codec.rate(),
            Memory::Opus(decoder) => decoder.rate(),
        }
    }

    /// Samples that a payload will become, without decoding it; 0 when it is none of this codec.
    pub fn duration(&self, payload: &[u8]) -> usize {
        match &self.memory {
            Memory::None => payload.len(),
            Memory::G722(_) => 2 * payload.len(),
            Memory::Opus(decoder) => decoder.duration(payload),
        }
    }

    /// Decodes the stream's next payload into as many samples as fit; returns how many were
    /// written. A payload that cannot be decoded gives none, and so does one of Opus that does not
    /// fit.
    pub fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> usize {
        match &mut self.memory {
            Memory::None => self.codec.decode(payload, samples),
            Memory::G722(decoder) => decoder.decode(payload, samples),
            Memory::Opus(decoder) => decoder.decode(payload, samples),
        }
    }

    /// Fills `samples` with the lost payload before `next` as far as `next` tells of it (in-band
    /// forward error correction); returns how many were written, 0 when it tells nothing. What
    /// is missing must end where `next` begins; if it is longer than `next` tells of, its
    /// beginning is concealed.
    pub fn recover(&mut self, next: &[u8], samples: &mut [i16]) -> usize {
        match &mut self.memory {
            Memory::None | Memory::G722(_) => 0,
            Memory::Opus(decoder) => decoder.recover(next, samples),
        }
    }

    /// Fills `samples` with what the codec itself makes up for a loss; returns how many were
    /// written, 0 when it has no means of its own.
    pub fn conceal(&mut self, samples: &mut [i16]) -> usize {
        match &mut self.memory {
            Memory::None | Memory::G722(_) => 0,
            Memory::Opus(decoder) => decoder.conceal(samples),
        }
    }
}
