//! What media tells signalling.

use super::{LegState, PlayId, Shed, recorder::Closed};
use crate::base::{LegId, RecordingId, Timestamp};
use crate::events::{MediaSummary, Way};
use crate::media::quality::Outage;
use std::time::Duration;

/// One thing that happened to a leg or recording, told to the shard that owns it.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A direction told as lost is heard again.
    AudioBack {
        /// Leg.
        leg: LegId,
        /// Which direction.
        way: Way,
        /// How long it was lost.
        after: Duration,
    },
    /// A direction of an answered leg has been without sound for 2 s; told once an outage.
    AudioLost {
        /// Leg.
        leg: LegId,
        /// Which direction, and why.
        outage: Outage,
    },
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
        summary: Box<MediaSummary>,
    },
    /// A worker leaves out more or less than before, because it is late; told to every shard.
    Overloaded {
        /// Number of the worker.
        worker: usize,
        /// What it leaves out now.
        shed: Shed,
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
    /// What a leg has counted so far; told 5 s after its beginning and every 10 s from then on.
    Quality {
        /// Leg.
        leg: LegId,
        /// The counts.
        media: Box<MediaSummary>,
    },
    /// A recording is published, or lost with the reason inside. Never dropped.
    RecordingClosed(Box<Closed>),
    /// A recording cannot be written, or can again; it goes on, and its sidecar will tell what is
    /// missing.
    RecordingTrouble {
        /// Recording.
        recording: RecordingId,
        /// Why; `None` when it is over.
        why: Option<String>,
    },
    /// Nothing was received for 30 s; told once a silence.
    Silent {
        /// Leg.
        leg: LegId,
        /// When the last packet came, or the leg was negotiated.
        since: Timestamp,
    },
    /// A leg whose voice alone is recorded began to speak, or has been quiet for 600 ms; at most twice a
    /// second.
    Speaking {
        /// Leg.
        leg: LegId,
        /// Whether it speaks now.
        speaking: bool,
    },
    /// A member of a room whose terms ask for it began to talk or stopped; at most twice a second.
    Talking {
        /// Leg.
        leg: LegId,
        /// Whether it talks now.
        talking: bool,
    },
}

impl Notice {
    /// Whether nothing is lost for good with it.
    pub(crate) fn may_be_dropped(&self) -> bool {
        matches!(
            self,
            Notice::FirstPacket { .. }
                | Notice::Overloaded { .. }
                | Notice::Quality { .. }
                | Notice::RecordingTrouble { .. }
                | Notice::Silent { .. }
                | Notice::Talking { .. }
        )
    }
}
