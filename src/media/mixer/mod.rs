//! Mixing: the loudest few summed, everybody's own voice subtracted exactly, limited softly after.
//!
//! A worker has one [`Mixer`] and uses it for one room after the other; what must outlast a tick
//! is each member's [`Talker`], 12 bytes beside the leg.

mod limit;
mod mix;
mod talker;

pub use limit::soft_limit;
pub use mix::{LOUDEST, Mixer};
pub use talker::Talker;
