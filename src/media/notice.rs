//! What media tells signalling.

use super::{LegState, PlayId, recorder::Closed};
use crate::base::{LegId, Timestamp};
use crate::events::MediaSummary;

/// One thing that happened to a leg or recording, told to the shard that owns it.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A digit was pressed, told once: an event (RFC 4733) when it begins, a tone when it was heard
    /// for 40 ms. Never dropped.
    Digit {
        /// Leg that pressed.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// Whether it was a tone in the sound.
        in_band: bool,
        /// Whether its event was relayed to the other party.
        passed_on: bool,
    },
    /// The first packet was accepted.
    FirstPacket {
        /// Leg.
        leg: LegId,
    },
    /// Answer to [`Command::Checkpoint`](super::Command). Never dropped.
    LegCheckpoint {
        /// Leg.
        leg: LegId,
        /// What is needed to continue it.
        state: Box<LegState>,
    },
    /// A leg is gone; nothing more is told of it. Never dropped.
    LegClosed {
        /// Leg.
        leg: LegId,
        /// What it counted.
        summary: MediaSummary,
    },
    /// A worker is late or no longer is; told to every shard.
    Overloaded {
        /// Number of the worker.
        worker: usize,
        /// Whether it is late now.
        late: bool,
    },
    /// A play came to its end (`finished`) or was replaced. Never dropped.
    PlayDone {
        /// Leg.
        leg: LegId,
        /// Which play.
        play: PlayId,
        /// Whether its last sample was sent.
        finished: bool,
    },
    /// A recording is published, or lost with the reason inside. Never dropped.
    RecordingClosed(Box<Closed>),
    /// Nothing was received for 30 s; told once a silence.
    Silent {
        /// Leg.
        leg: LegId,
        /// When the last packet came, or the leg was negotiated.
        since: Timestamp,
    },
}

impl Notice {
    /// Whether nothing is lost for good with it.
    pub(crate) fn may_be_dropped(&self) -> bool {
        matches!(
            self,
            Notice::FirstPacket { .. } | Notice::Overloaded { .. } | Notice::Silent { .. }
        )
    }
}
