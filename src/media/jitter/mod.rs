//! The jitter buffer: packets in at any time, a frame of samples out at every tick.
//!
//! Packets stay encoded until their tick; how long they wait follows the jitter seen. Clocks that
//! differ and delays that change are followed by time-stretching, what is missing is concealed.

mod arrivals;
mod buffer;
mod conceal;
mod correlation;
mod leads;
mod line;
mod store;
mod stream;
mod stretch;
mod ticks;

#[cfg(test)]
mod judged;
#[cfg(test)]
mod tests;

pub use buffer::{Buffer, Depth, Inserted, Popped, Stats};
