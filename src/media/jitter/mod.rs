//! The fixed jitter buffer: packets in at any time, a frame out at every tick.
//!
//! Placing is by RTP timestamp only, sample by sample, so that any packet size fits any tick.
//! Adaptive depth and concealment are left to a later buffer of the same interface.

mod buffer;
mod ring;

pub use buffer::{Buffer, DEPTH_SAMPLES, Inserted, Popped, Stats};
