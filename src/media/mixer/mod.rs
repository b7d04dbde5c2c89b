//! Mixing: the loudest few summed, everybody's own voice subtracted exactly, limited softly after.
//!
//! A worker has one [`Mixer`] and uses it for one room after the other; what must outlast a tick
//! is each member's [`Talker`], beside the leg.

mod activity;
mod gain;
mod level;
mod limit;
mod mix;
mod stage;
mod talker;
#[cfg(test)]
mod tests;

pub(crate) use activity::Activity;
pub use gain::Gain;
pub use limit::soft_limit;
pub use mix::{Heard, Listener, Mixer};
pub use stage::{ASIDES, LOUDEST, Place};
pub use talker::{Levelling, Talker};
