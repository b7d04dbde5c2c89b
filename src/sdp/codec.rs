//! Codecs we negotiate (RFC 3551 §6, RFC 7587).

use serde::{Deserialize, Serialize};

/// An audio codec of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AudioCodec {
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus.
    Opus,
    /// G.711 A-law.
    Pcma,
    /// G.711 mu-law.
    Pcmu,
}

impl AudioCodec {
    /// Every codec, in the order of the enum.
    pub const ALL: [Self; 4] = [Self::G722, Self::Opus, Self::Pcma, Self::Pcmu];

    /// The encoding name of `rtpmap`.
    pub const fn as_str(self) -> &'static str {
        match self {
            AudioCodec::G722 => "G722",
            AudioCodec::Opus => "opus",
            AudioCodec::Pcma => "PCMA",
            AudioCodec::Pcmu => "PCMU",
        }
    }

    /// The static payload type, for those that have one.
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            AudioCodec::G722 => Some(9),
            AudioCodec::Opus => None,
            AudioCodec::Pcma => Some(8),
            AudioCodec::Pcmu => Some(0),
        }
    }

    /// RTP clock, Hz. That of G.722 is half its sampling rate, by an old mistake (RFC 3551
    /// §4.5.2); that of Opus is 48,000 whatever is sampled (RFC 7587 §4.1).
    pub const fn clock_rate(self) -> u32 {
        match self {
            AudioCodec::G722 | AudioCodec::Pcma | AudioCodec::Pcmu => 8000,
            AudioCodec::Opus => 48_000,
        }
    }

    /// Channels of `rtpmap`; Opus says two even when all it carries is mono (RFC 7587 §7).
    pub const fn channels(self) -> u8 {
        match self {
            AudioCodec::G722 | AudioCodec::Pcma | AudioCodec::Pcmu => 1,
            AudioCodec::Opus => 2,
        }
    }

    /// Lengths of packets that it comes in, ms, as far as we make them.
    pub const fn packet_lengths_ms(self) -> &'static [u32] {
        match self {
            AudioCodec::G722 | AudioCodec::Pcma | AudioCodec::Pcmu => &[10, 20, 30, 40, 50, 60],
            AudioCodec::Opus => &[10, 20, 40, 60],
        }
    }
}

/// Whose order of codecs decides in an answer of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodecOrder {
    /// Ours.
    Ours,
    /// The offerer's, as RFC 3264 §6.1 recommends.
    #[default]
    Theirs,
}

/// Encodings of static payload types (RFC 3551 §6), so that a bare number is understood.
pub(super) fn static_encoding(payload_type: u8) -> Option<(&'static str, u32)> {
    Some(match payload_type {
        0 => ("PCMU", 8000),
        3 => ("GSM", 8000),
        4 => ("G723", 8000),
        8 => ("PCMA", 8000),
        9 => ("G722", 8000),
        13 => ("CN", 8000),
        15 => ("G728", 8000),
        18 => ("G729", 8000),
        _ => return None,
    })
}
