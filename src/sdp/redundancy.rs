//! Redundancy of telephone events as it is described (RFC 2198 §5): `red` over the events' payload
//! type. That of audio is neither offered nor answered.

use serde::{Deserialize, Serialize};

use super::{AudioMedia, Format};

/// The redundancy of telephone events both sides agreed upon (RFC 4733 §2.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redundancy {
    /// Payload type to send it with.
    pub payload_type: u8,
    /// Payload type to expect it with.
    pub receive_payload_type: u8,
    /// Earlier events a packet may carry beside its own, 1 to 3.
    pub depth: u8,
}

impl Redundancy {
    /// What a description has for events of a payload type and clock: theirs both ways.
    pub(super) fn of(theirs: &AudioMedia, event: &Format) -> Option<Self> {
        let mut formats = theirs.formats.iter();
        let depth_of = |format: &Format| {
            let levels = format.fmtp.as_deref()?.split('/');
            let number = event.payload_type.to_string();
            let events = levels.filter(|level| level.trim() == number).count();
            // One is the primary; a list that has it once means one beside audio.
            let depth = events.saturating_sub(1).clamp(1, DEPTH.into());
            (events > 0).then_some(depth as u8)
        };
        formats.find_map(|format| {
            let is_red = format.is_redundancy(event.clock_rate);
            Some(Self {
                payload_type: format.payload_type,
                receive_payload_type: format.payload_type,
                depth: depth_of(format).filter(|_| is_red)?,
            })
        })
    }

    /// As we describe it, for events of a payload type and clock.
    pub(super) fn format(self, event: u8, clock_rate: u32) -> Format {
        let events = vec![event.to_string(); usize::from(self.depth) + 1];
        Format {
            payload_type: self.receive_payload_type,
            encoding: "red".to_owned(),
            clock_rate,
            channels: 1,
            fmtp: Some(events.join("/")),
        }
    }
}

/// Earlier events in a packet of ours: with a key each 200 ms, half a second may be lost.
pub(super) const DEPTH: u8 = 3;
