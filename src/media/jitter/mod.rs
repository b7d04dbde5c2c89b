//! Jitter buffers: packets in at any time, a frame out at every tick.
//!
//! [`Buffer`] is the fixed one, of decoded samples, 60 ms deep. [`adaptive::Buffer`] will take its
//! place: of encoded packets, as deep as the jitter demands.

pub mod adaptive;

mod arrivals;
mod buffer;
mod conceal;
mod correlation;
mod line;
mod ring;
mod store;
mod stream;
mod stretch;
mod ticks;

#[cfg(test)]
mod tests;

pub use buffer::{Buffer, DEPTH_SAMPLES, Inserted, Popped, Stats};
