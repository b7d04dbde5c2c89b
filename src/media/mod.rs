//! What is heard: RTP, codecs, jitter buffer, mixer, workers, ports, recorder taps.
//!
//! Signalling talks to media through `Engine`: it opens legs, sends [`Command`]s and receives
//! [`Notice`]s. Behind it, each worker is one thread that owns its legs and rooms whole; nothing
//! between a packet in and a packet out allocates, locks, logs or waits. Media knows no SIP.

mod command;
mod config;
mod notice;
mod pending;
mod stats;

pub use command::{Command, Full, LegFlow, LegPorts, LegState, MediaError, PlayId, Tape};
pub use config::EngineConfig;
pub use notice::Notice;
pub use pending::{Closed, Codec, Library, Sound};
pub use stats::Stats;
