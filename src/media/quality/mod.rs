//! How well a leg is heard, and whether at all: loss patterns, estimated opinion, round trip, and
//! the watchdog of one-way sound. Pure: packets' facts and reports in, figures out.

mod bursts;
mod emodel;
mod tally;
mod watch;

pub use bursts::{Bursts, GAP_MIN, Pattern};
pub use emodel::Path;
pub(crate) use tally::{Quality, Received};
pub use watch::{Outage, Why};
pub(crate) use watch::{Refusal, Watch};
