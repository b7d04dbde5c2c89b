//! What the far end wants of the Opus it is sent (RFC 7587 §6.1).

use serde::{Deserialize, Serialize};

/// The far end's format parameters, as far as they bind the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OpusTerms {
    /// Whether it makes use of in-band forward error correction (`useinbandfec`).
    pub in_band_fec: bool,
    /// Whether it prefers silence not to be sent (`usedtx`).
    pub dtx: bool,
    /// The sampling rate it can make use of, Hz (`maxplaybackrate`); more need not be sent.
    pub max_playback_hz: u32,
    /// The mean bit rate it wants at most, bit/s (`maxaveragebitrate`); 6,000 to 510,000.
    pub max_bitrate: Option<u32>,
    /// Whether it wants every packet of a length (`cbr`).
    pub constant_bitrate: bool,
}

impl Default for OpusTerms {
    /// Forward error correction on, for it does not harm a far end that makes no use of it; the
    /// defaults of the RFC otherwise.
    fn default() -> Self {
        Self {
            in_band_fec: true,
            dtx: false,
            max_playback_hz: 48_000,
            max_bitrate: None,
            constant_bitrate: false,
        }
    }
}
