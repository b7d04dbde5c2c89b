//! In work.

/// A published recording.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Recording.
    pub recording: crate::base::RecordingId,
}
