//! Carriers: trunks, and the number plan that says what a dialled number means.

mod carrier;
mod network;
mod numbers;
mod pattern;

pub use crate::sip::location::Destination as Target;
pub use carrier::{Trunk, accepting};
pub use network::{Network, NetworkError};
pub use numbers::{
    Destination, Entry, Meaning, Numbers, Origin, Overlap, Reach, Service, Strip, TrunkReach,
};
pub use pattern::{Pattern, PatternError, normalise};
