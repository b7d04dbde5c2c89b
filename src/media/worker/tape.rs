//! What is being recorded: voices placed on the call clock as they arrive.

use crate::base::{LegId, RecordingId, Timestamp};
use crate::media::rtp::Header;

/// A recording of a room.
#[derive(Debug)]
pub(crate) struct RoomTape {
    pub(crate) recording: RecordingId,
    pub(crate) left: LegId,
    pub(crate) right: Vec<LegId>,
}

/// A recording of one leg: left what it says, right what it hears.
#[derive(Debug)]
pub(crate) struct LegTape {
    pub(crate) recording: RecordingId,
}

impl RoomTape {
    /// Its id.
    pub(crate) fn recording(&self) -> &RecordingId {
        &self.recording
    }

    /// Whether the leg is on it.
    pub(super) fn takes(&self, leg: LegId) -> bool {
        self.left == leg || self.right.contains(&leg)
    }

    /// Places what a member said.
    pub(super) fn voice(&mut self, leg: LegId, now: Timestamp, header: &Header, samples: &[i16]) {
        let _ = (leg, now, header, samples);
    }

    /// Ends it.
    pub(super) fn close(self, at: Timestamp) {
        let _ = at;
    }
}

impl LegTape {
    /// Its id.
    pub(crate) fn recording(&self) -> &RecordingId {
        &self.recording
    }

    /// Places what the far end said.
    pub(super) fn said(&mut self, now: Timestamp, header: &Header, samples: &[i16]) {
        let _ = (now, header, samples);
    }

    /// Places what the far end was sent.
    pub(super) fn sent(&mut self, now: Timestamp, header: &Header, samples: &[i16]) {
        let _ = (now, header, samples);
    }

    /// Ends it.
    pub(super) fn close(self, at: Timestamp) {
        let _ = at;
    }
}
