//! Carriers: trunks, and the number plan that says what a dialled number means.

mod carrier;
mod carriers;
mod network;
mod numbers;
mod pattern;
pub mod profile;

pub use carrier::{Account, Target, Trunk, accepting};
pub use carriers::{AccountState, Carriers, Closed, Figures, TargetState, TrunkView, Way};
pub use network::{Network, NetworkError};
pub use numbers::{
    Destination, Entry, Meaning, Numbers, Origin, Overlap, Reach, Service, Strip, TrunkReach,
};
pub use pattern::{Pattern, PatternError, normalise};
pub use profile::Profile;
