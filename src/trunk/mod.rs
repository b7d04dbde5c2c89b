//! Carriers: trunks, and the number plan that says what a dialled number means.

mod carrier;
mod numbering;
mod numbers;
mod pattern;

pub use crate::base::{Network, NetworkError};
pub use carrier::{Target, Trunk, accepting};
pub use numbering::{
    Country, Number, NumberFormat, NumberKind, Presentation, Site, SiteError, Unreadable,
};
pub use numbers::{
    Destination, Entry, Meaning, Numbers, Origin, Overlap, Reach, Service, Strip, TrunkReach,
};
pub use pattern::{Pattern, PatternError, normalise};
