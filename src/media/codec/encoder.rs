//! From samples to payloads.

use super::Codec;
use crate::media::Rate;

/// What turns samples into the payloads of one stream. Never allocates after [`Encoder::new`].
#[derive(Debug)]
pub struct Encoder {
    codec: Codec,
}

impl Encoder {
    /// An encoder that has said nothing.
    pub fn new(codec: Codec) -> Self {
        Self { codec }
    }

    /// Its codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The rate of the samples it takes.
    pub fn rate(&self) -> Rate {
        self.codec.rate()
    }

    /// Encodes one packet of 10, 20, 40 or 60 ms (G.711 and G.722: any whole number of ms) into
    /// `payload`; returns how many octets it has become, 0 when it cannot be encoded.
    pub fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> usize {
        match self.codec {
            Codec::Pcma | Codec::Pcmu => self.codec.encode(samples, payload),
        }
    }
}
