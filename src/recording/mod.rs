//! Files that stand as evidence: how recordings are named and checked.
//!
//! The recorder itself is in [`crate::media::recorder`], beside the workers it listens on.

mod hearing;
mod naming;

pub use crate::media::recorder::{Closed, Gap, GapCause, Opening, Sidecar, SidecarError};
pub use hearing::{Hearing, hear_tone};
pub use naming::stem;
