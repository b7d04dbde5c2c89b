//! What is heard: RTP, codecs, jitter buffer, mixer, workers, ports, recorder taps.
//!
//! Everything inside is 8 kHz, 16-bit, in frames of 20 ms. What runs on a media worker allocates
//! only in its constructors and never locks, logs or waits.

pub mod dtmf;
pub mod jitter;
pub mod mixer;
pub mod recorder;
pub mod rtcp;
pub mod rtp;

mod codec;
mod frame;
mod sound;
mod tone;

pub use codec::Codec;
pub use frame::{
    CLOCK_HZ, FRAME_DURATION, FRAME_MS, FRAME_SAMPLES, Frame, MAX_PACKET_SAMPLES, SILENCE,
};
pub use sound::{Library, Sound, SoundError};
pub use tone::Tone;
