//! The recorder: channels on one call clock, a file that stands as evidence.
//!
//! A [`Tap`] on the media worker places what it hears by RTP timestamp and hands preallocated
//! blocks over a bounded queue; the [`Disk`] writes them into a `.part` that is a valid file
//! at any time, and publishes it with checksum and sidecar when the tap is stopped. What is lost
//! on the network or before the disk is silence and a line in the sidecar, never a shift.

mod block;
mod chain;
mod closed;
mod coverage;
mod disk;
mod file;
mod flac;
mod form;
mod ogg;
mod opus;
mod placement;
mod publish;
mod reader;
mod recover;
mod sidecar;
mod tap;
mod unpublished;
mod wav;
mod window;

#[cfg(test)]
mod tests;

pub use block::Stats;
pub use chain::{Chain, Damage};
pub use closed::{
    Channel, Closed, Format, Gap, GapCause, MAX_CHANNELS, Mark, MarkEvent, News, Opening, Refused,
};
pub use disk::{Disk, DiskConfig};
pub use reader::Reader;
pub use recover::recover;
pub use sidecar::{SIDECAR_SCHEMA, Sidecar, SidecarError};
pub use tap::{Heard, MAX_SOURCES, SourceId, Tap};
