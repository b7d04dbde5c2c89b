//! Format parameters of Opus (RFC 7587 §6.1): what the describing side wants to be sent.

use serde::{Deserialize, Serialize};

/// The `fmtp` of Opus, as far as it concerns us: stereo is not sent, and what the other side
/// will send (`sprop-`) needs no preparation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpusParameters {
    /// `useinbandfec`: whether forward error correction is made use of.
    pub in_band_fec: bool,
    /// `usedtx`: whether silence had better not be sent.
    pub dtx: bool,
    /// `cbr`: whether packets are wanted all of one size.
    pub constant_bitrate: bool,
    /// `maxplaybackrate`, Hz, 8,000 to 48,000.
    pub max_playback_hz: u32,
    /// `maxaveragebitrate`, bit/s, 6,000 to 510,000.
    pub max_bitrate: Option<u32>,
    /// `minptime`, ms: shortest packet wanted.
    pub min_ptime_ms: u32,
}

impl Default for OpusParameters {
    fn default() -> Self {
        Self {
            in_band_fec: false,
            dtx: false,
            constant_bitrate: false,
            max_playback_hz: 48_000,
            max_bitrate: None,
            min_ptime_ms: 3,
        }
    }
}

impl OpusParameters {
    /// What we want to be sent.
    pub(super) const OURS: &'static str = "minptime=10;useinbandfec=1";

    /// Reads an `fmtp`; unknown parameters are passed over, impossible values taken to the next
    /// possible one.
    pub(super) fn read(fmtp: &str) -> Self {
        let mut read = Self::default();
        for parameter in fmtp.split(';') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let Ok(value) = value.trim().parse::<u32>() else {
                continue;
            };
            match name.trim().to_ascii_lowercase().as_str() {
                "useinbandfec" => read.in_band_fec = value == 1,
                "usedtx" => read.dtx = value == 1,
                "cbr" => read.constant_bitrate = value == 1,
                "maxplaybackrate" => read.max_playback_hz = value.clamp(8_000, 48_000),
                "maxaveragebitrate" => read.max_bitrate = Some(value.clamp(6_000, 510_000)),
                "minptime" => read.min_ptime_ms = value.clamp(3, 120),
                _ => {}
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_in_every_form() {
        let read = OpusParameters::read(
            "maxplaybackrate=16000; sprop-maxcapturerate=16000;maxaveragebitrate=20000 ;\
             stereo=1; UseInbandFEC=1; usedtx=1;cbr=1;minptime=20",
        );
        let wanted = OpusParameters {
            in_band_fec: true,
            dtx: true,
            constant_bitrate: true,
            max_playback_hz: 16_000,
            max_bitrate: Some(20_000),
            min_ptime_ms: 20,
        };
        assert_eq!(read, wanted);
    }

    #[test]
    fn what_is_impossible_or_missing_is_the_default() {
        let usual = OpusParameters::default();
        for fmtp in [
            "",
            ";;=",
            "useinbandfec",
            "useinbandfec=yes",
            "maxplaybackrate=-1",
            "0-15",
        ] {
            assert_eq!(OpusParameters::read(fmtp), usual, "{fmtp}");
        }
        let read =
            OpusParameters::read("maxplaybackrate=4294967295;maxaveragebitrate=1;minptime=0");
        assert_eq!(
            (read.max_playback_hz, read.max_bitrate, read.min_ptime_ms),
            (48_000, Some(6_000), 3)
        );
    }
}
