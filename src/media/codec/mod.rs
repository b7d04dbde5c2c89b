//! Codecs of the telephone network; each codec is one file.
//!
//! A [`Decoder`] belongs to one stream that comes in, an [`Encoder`] to one that goes out: all but
//! G.711 remember what went before.

mod decoder;
mod encoder;
mod g711;

pub use decoder::Decoder;
pub use encoder::Encoder;

use serde::{Deserialize, Serialize};

use super::{CLOCK_HZ, Rate};

/// An audio codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// G.711 A-law.
    Pcma,
    /// G.711 mu-law.
    Pcmu,
}

impl Codec {
    /// Every codec, in the order of the enum.
    pub const ALL: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];

    /// Name in SDP (RFC 3551 §6).
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
        }
    }

    /// The codec of an SDP encoding name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// Static payload type (RFC 3551 §6).
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
        }
    }

    /// RTP clock, Hz; not always the sampling rate (RFC 3551 §4.5.2, RFC 7587 §4.1).
    pub const fn clock_hz(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu => CLOCK_HZ,
        }
    }

    /// The rate its samples have inside the switch.
    pub const fn rate(self) -> Rate {
        match self {
            Self::Pcma | Self::Pcmu => Rate::Narrow,
        }
    }

    /// Octets of a millisecond, when any part of a payload stands for itself; `None` for codecs
    /// whose packets are wholes.
    pub(crate) const fn octets_a_ms(self) -> Option<usize> {
        match self {
            Self::Pcma | Self::Pcmu => Some(8),
        }
    }

    /// The encoded form of a silent sample.
    pub fn silence(self) -> u8 {
        match self {
            Self::Pcma => 0xd5,
            Self::Pcmu => 0xff,
        }
    }

    /// Encodes as many samples as both slices hold; returns how many bytes were written.
    pub fn encode(self, samples: &[i16], payload: &mut [u8]) -> usize {
        let length = samples.len().min(payload.len());
        let pairs = samples.iter().zip(&mut payload[..length]);
        match self {
            Self::Pcma => pairs.for_each(|(sample, byte)| *byte = g711::linear_to_alaw(*sample)),
            Self::Pcmu => pairs.for_each(|(sample, byte)| *byte = g711::linear_to_ulaw(*sample)),
        }
        length
    }

    /// Decodes as many bytes as both slices hold; returns how many samples were written.
    pub fn decode(self, payload: &[u8], samples: &mut [i16]) -> usize {
        let length = payload.len().min(samples.len());
        let table = match self {
            Self::Pcma => &g711::ALAW_TO_LINEAR,
            Self::Pcmu => &g711::ULAW_TO_LINEAR,
        };
        for (byte, sample) in payload.iter().zip(&mut samples[..length]) {
            *sample = table[usize::from(*byte)];
        }
        length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_decodes_to_the_quietest_value() {
        for (codec, level) in [(Codec::Pcma, 8), (Codec::Pcmu, 0)] {
            let (mut samples, mut bytes) = ([9; 1], [0; 1]);
            codec.decode(&[codec.silence()], &mut samples);
            assert_eq!(samples, [level]);
            codec.encode(&[0], &mut bytes);
            assert_eq!(bytes, [codec.silence()]);
        }
    }

    #[test]
    fn works_on_as_much_as_both_sides_hold() {
        assert_eq!(Codec::Pcmu.encode(&[0; 160], &mut [0; 80]), 80);
        assert_eq!(Codec::Pcma.decode(&[0; 80], &mut [0; 160]), 80);
    }

    #[test]
    fn names_are_read_in_any_case() {
        assert_eq!(Codec::from_name("pcma"), Some(Codec::Pcma));
        assert_eq!(Codec::from_name("G729"), None);
    }
}
