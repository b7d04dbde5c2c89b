//! The recording of a conversation that an application ordered.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{LegId, Timestamp};
use crate::call::commission::Commission;
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::media::recorder::Closed;
use crate::twiml::{CallRecording, Channels, RecordingCallback, Run, Sid, SidKind, Track};

/// How a conversation is to be recorded, as soon as there is one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    how: CallRecording,
    callback: Option<RecordingCallback>,
}

/// A recording under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tape {
    recording: Sid,
    began: Timestamp,
    /// How long it is, when it was stopped before the conversation ended.
    #[serde(default)]
    length: Option<Duration>,
}

impl Order {
    /// With who is to be told.
    pub(super) fn new(how: CallRecording, callback: Option<RecordingCallback>) -> Self {
        Self { how, callback }
    }

    /// Records the caller (left) and whom he talks with (right), or one of them.
    pub(super) fn begin(
        &self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        peer: LegId,
        run: &Run,
    ) -> Option<Tape> {
        let caller = core.caller().id;
        let (recording, channels) = match (self.how.track, self.how.channels) {
            (Track::Both, Channels::Dual) => (core.record_on(hands, peer, 2)?, 2),
            (Track::Both, Channels::Mono) => (core.record_on(hands, peer, 1)?, 1),
            (Track::Inbound, _) => (core.record_track(hands, caller), 1),
            (Track::Outbound, _) => (core.record_track(hands, peer), 1),
        };
        let callback = self.callback.clone();
        let commission = Commission::new(&recording, run, callback, "DialVerb", channels);
        let tape = Tape {
            recording: commission.sid(),
            began: hands.now,
            length: None,
        };
        core.commission(hands, commission);
        Some(tape)
    }
}

impl Tape {
    /// Its id, and how long it is.
    pub(super) fn so_far(&self, now: Timestamp) -> (Sid, Duration) {
        let length = self.length.unwrap_or_else(|| now.since(self.began));
        (self.recording.clone(), length)
    }

    /// A recording of the call is over.
    pub(super) fn on_recording(&mut self, closed: &Closed) {
        if self.recording == Sid::derive(SidKind::Recording, closed.recording.as_str()) {
            self.length = Some(Duration::from_millis(closed.duration_ms));
        }
    }
}
