//! The unit of sound inside the switch: 20 ms of 8 kHz linear samples.

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

/// 20 ms of linear samples.
pub type Frame = [i16; FRAME_SAMPLES];

/// A frame in which nothing is heard.
pub const SILENCE: Frame = [0; FRAME_SAMPLES];
