//! Carriers: trunks, and the number plan that says what a dialled number means.

mod network;
mod numbers;

pub use network::{Network, NetworkError};
pub use numbers::{
    Destination, Entry, Meaning, Numbers, Origin, Overlap, Pattern, PatternError, Reach, Service,
    Strip, TrunkReach, normalise,
};
