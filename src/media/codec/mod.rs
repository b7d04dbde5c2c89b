//! Codecs of the telephone network; each codec is one file.
//!
//! A [`Decoder`] belongs to one stream that comes in, an [`Encoder`] to one that goes out: all but
//! G.711 remember what went before.

mod comfort_noise;
mod decoder;
mod encoder;
mod g711;
mod g722;
mod opus;
mod terms;

#[cfg(test)]
mod judged;
#[cfg(test)]
pub(crate) mod voice;

pub use comfort_noise::{ComfortNoise, NoiseModel};
pub use decoder::Decoder;
pub use encoder::Encoder;
pub use terms::OpusTerms;

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
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus, mono.
    Opus,
}

impl Codec {
    /// Every codec, in the order of the enum.
    pub const ALL: [Codec; 4] = [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus];

    /// Name in SDP (RFC 3551 §6, RFC 7587 §7).
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// The codec of an SDP encoding name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// Static payload type (RFC 3551 §6); of Opus, which has none, the one that we offer.
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
            Self::G722 => 9,
            Self::Opus => 111,
        }
    }

    /// RTP clock, Hz; not always the sampling rate (RFC 3551 §4.5.2, RFC 7587 §4.1).
    pub const fn clock_hz(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu | Self::G722 => CLOCK_HZ,
            Self::Opus => 48_000,
        }
    }

    /// The rate its samples have inside the switch.
    pub const fn rate(self) -> Rate {
        match self {
            Self::Pcma | Self::Pcmu => Rate::Narrow,
            Self::G722 => Rate::Wide,
            Self::Opus => Rate::Full,
        }
    }

    /// Whether a payload depends on those before it, so that encoders cannot take turns.
    pub(crate) const fn has_memory(self) -> bool {
        match self {
            Self::Pcma | Self::Pcmu => false,
            Self::G722 | Self::Opus => true,
        }
    }

    /// Octets of a millisecond, when a payload may be cut anywhere between two; `None` for codecs
    /// whose packets are wholes.
    pub(crate) const fn octets_a_ms(self) -> Option<usize> {
        match self {
            Self::Pcma | Self::Pcmu | Self::G722 => Some(8),
            Self::Opus => None,
        }
    }

    /// The encoded form of a silent sample of G.711; of the others, whose payloads depend on what
    /// went before, a zero without meaning.
    pub fn silence(self) -> u8 {
        match self {
            Self::Pcma => 0xd5,
            Self::Pcmu => 0xff,
            Self::G722 | Self::Opus => 0,
        }
    }

    /// Encodes as many samples as both slices hold; returns how many bytes were written. For G.711
    /// alone; the others need an [`Encoder`] and write nothing.
    pub fn encode(self, samples: &[i16], payload: &mut [u8]) -> usize {
        let length = samples.len().min(payload.len());
        let pairs = samples.iter().zip(&mut payload[..length]);
        match self {
            Self::Pcma => pairs.for_each(|(sample, byte)| *byte = g711::linear_to_alaw(*sample)),
            Self::Pcmu => pairs.for_each(|(sample, byte)| *byte = g711::linear_to_ulaw(*sample)),
            Self::G722 | Self::Opus => return 0,
        }
        length
    }

    /// Decodes as many bytes as both slices hold; returns how many samples were written. For G.711
    /// alone; the others need a [`Decoder`] and write nothing.
    pub fn decode(self, payload: &[u8], samples: &mut [i16]) -> usize {
        let length = payload.len().min(samples.len());
        let table = match self {
            Self::Pcma => &g711::ALAW_TO_LINEAR,
            Self::Pcmu => &g711::ULAW_TO_LINEAR,
            Self::G722 | Self::Opus => return 0,
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
        assert_eq!(Codec::from_name("OPUS"), Some(Codec::Opus));
        assert_eq!(Codec::from_name("G729"), None);
    }
}
