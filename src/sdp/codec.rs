//! Codecs we negotiate (RFC 3551 §6).

use serde::{Deserialize, Serialize};

/// An audio codec of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AudioCodec {
    /// G.711 A-law.
    Pcma,
    /// G.711 mu-law.
    Pcmu,
}

impl AudioCodec {
    /// The encoding name of `rtpmap`.
    pub const fn as_str(self) -> &'static str {
        match self {
            AudioCodec::Pcma => "PCMA",
            AudioCodec::Pcmu => "PCMU",
        }
    }

    /// The static payload type.
    pub const fn payload_type(self) -> u8 {
        match self {
            AudioCodec::Pcma => 8,
            AudioCodec::Pcmu => 0,
        }
    }

    /// RTP clock, Hz.
    pub const fn clock_rate(self) -> u32 {
        8000
    }
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
