//! Carriers: trunks, and the number plan that says what a dialled number means.

mod carrier;
mod network;
mod numbers;

pub use carrier::{Target, Trunk, accepting};
pub use network::{Network, NetworkError};
pub use numbers::{
    Destination, Entry, Meaning, Numbers, Origin, Overlap, Pattern, PatternError, Reach, Service,
    Strip, TrunkReach, normalise,
};
