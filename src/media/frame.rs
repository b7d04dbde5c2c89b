//! The unit of sound inside the switch: 20 ms of 16-bit linear samples at one of three rates.

use std::time::Duration;

/// Samples a second, and RTP clock rate of G.711 and telephone-event.
pub const CLOCK_HZ: u32 = 8000;

/// Samples in a [`Frame`].
pub const FRAME_SAMPLES: usize = 160;

/// Milliseconds in a [`Frame`].
pub const FRAME_MS: u64 = 20;

/// Length of a [`Frame`]; the workers' tick.
pub const FRAME_DURATION: Duration = Duration::from_millis(FRAME_MS);

/// Samples we take from one RTP packet at most: as much G.711 as fits an Ethernet frame (182 ms);
/// what exceeds it is cut.
pub const MAX_PACKET_SAMPLES: usize = 1460;

/// Samples one packet may become at most: 120 ms at 48 kHz, the longest of Opus (RFC 6716 §3.2.5).
pub const MAX_DECODED: usize = 6 * MAX_FRAME;

/// 20 ms of linear samples.
pub type Frame = [i16; FRAME_SAMPLES];

/// A frame in which nothing is heard.
pub const SILENCE: Frame = [0; FRAME_SAMPLES];

/// How many samples a second, and with it how much of a voice, is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rate {
    /// 8 kHz: the telephone network, up to 3.4 kHz.
    #[default]
    Narrow,
    /// 16 kHz: HD voice, up to 7 kHz.
    Wide,
    /// 48 kHz: all that is heard.
    Full,
}

impl Rate {
    /// Every rate, narrowest first.
    pub const ALL: [Rate; 3] = [Rate::Narrow, Rate::Wide, Rate::Full];

    /// Samples a second.
    pub const fn hz(self) -> u32 {
        match self {
            Self::Narrow => 8000,
            Self::Wide => 16_000,
            Self::Full => 48_000,
        }
    }

    /// Samples in a frame of 20 ms.
    pub const fn frame(self) -> usize {
        self.hz() as usize / 50
    }
}

/// Samples in a frame at the highest rate.
pub const MAX_FRAME: usize = Rate::Full.frame();
