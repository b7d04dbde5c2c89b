//! What is heard: RTP, codecs, jitter buffer, mixer, workers, ports, recorder taps.
//!
//! Everything inside is 8 kHz, 16-bit, in frames of 20 ms. What runs on a media worker allocates
//! only in its constructors and never locks, logs or waits.
//!
//! Signalling talks to media through [`Engine`]: it opens legs, sends [`Command`]s and receives
//! [`Notice`]s. Behind it, each worker is one thread that owns its legs and rooms whole. Media
//! knows no SIP.

pub mod dtmf;
pub mod jitter;
pub mod mixer;
pub mod quality;
pub mod recorder;
pub mod rtcp;
pub mod rtp;
pub mod srtp;

mod capture;
mod codec;
mod frame;
mod resample;
mod sound;
mod tone;

mod command;
mod config;
mod crew;
mod directory;
mod engine;
mod graph;
mod io;
mod latch;
mod notice;
mod notices;
mod ports;
mod recordings;
mod ring;
mod spares;
mod stats;
mod worker;

pub use capture::{Capture, Captured, MAX_CAPTURED, MAX_CAPTURES};
pub use codec::{Codec, ComfortNoise, Decoder, Encoder, NoiseModel, OpusTerms};
pub use frame::{
    CLOCK_HZ, FRAME_DURATION, FRAME_MS, FRAME_SAMPLES, Frame, MAX_DECODED, MAX_FRAME,
    MAX_PACKET_SAMPLES, Rate, SILENCE,
};
pub use resample::Resampler;
pub use sound::{Kept, Library, Place, Sound, SoundError};
pub use tone::Tone;

pub use command::{
    Command, Full, LegFlow, LegPorts, LegState, MediaError, Pause, PlayId, Redundancy, RoomTerms,
    Tape,
};
pub use config::EngineConfig;
pub use engine::Engine;
pub use graph::{Role, Standing};
pub use io::{VirtualEndpoint, VirtualNet};
pub use notice::Notice;
pub use notices::NoticeReceiver;
pub use stats::Stats;
pub use worker::Shed;

#[cfg(test)]
mod allocations;
#[cfg(test)]
mod simulation;
