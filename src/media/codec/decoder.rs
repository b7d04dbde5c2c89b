//! From payloads to samples.

use super::Codec;
use crate::media::Rate;

/// What turns the payloads of one stream into samples. Never allocates after [`Decoder::new`].
#[derive(Debug)]
pub struct Decoder {
    codec: Codec,
}

impl Decoder {
    /// A decoder that has heard nothing.
    pub fn new(codec: Codec) -> Self {
        Self { codec }
    }

    /// Its codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The rate of the samples that come out.
    pub fn rate(&self) -> Rate {
        self.codec.rate()
    }

    /// Samples that a payload will become, without decoding it; 0 when it is none of this codec.
    pub fn duration(&self, payload: &[u8]) -> usize {
        match self.codec {
            Codec::Pcma | Codec::Pcmu => payload.len(),
        }
    }

    /// Decodes the stream's next payload into as many samples as fit; returns how many were
    /// written. A payload that cannot be decoded gives none.
    pub fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> usize {
        match self.codec {
            Codec::Pcma | Codec::Pcmu => self.codec.decode(payload, samples),
        }
    }

    /// Fills `samples` with the lost payload before `next` as far as `next` tells of it (in-band
    /// forward error correction); returns how many were written, 0 when it tells nothing.
    pub fn recover(&mut self, _next: &[u8], _samples: &mut [i16]) -> usize {
        match self.codec {
            Codec::Pcma | Codec::Pcmu => 0,
        }
    }

    /// Fills `samples` with what the codec itself makes up for a loss; returns how many were
    /// written, 0 when it has no means of its own.
    pub fn conceal(&mut self, _samples: &mut [i16]) -> usize {
        match self.codec {
            Codec::Pcma | Codec::Pcmu => 0,
        }
    }
}
