//! Files that stand as evidence: how recordings are named and checked.
//!
//! The recorder itself is in [`crate::media::recorder`], beside the workers it listens on.

mod hearing;
mod mixdown;
mod naming;
mod retention;

pub use crate::media::recorder::{
    Channel, Closed, Damage, Format, Gap, GapCause, Mark, MarkEvent, Opening, Reader, Sidecar,
    SidecarError,
};
pub use hearing::{Hearing, hear_tone};
pub use mixdown::mix;
pub use naming::{VOICEMAIL, plain_name, stem};
pub use retention::{Limits, Swept, delete, sweep};
