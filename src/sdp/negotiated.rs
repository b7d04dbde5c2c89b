//! What offer and answer have settled (RFC 3264).

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{AudioCodec, AudioMedia, Direction, ExtendedReports, Format, LocalMedia};
use super::{OpusParameters, Redundancy, SecureMedia};

/// What both sides agreed upon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiated {
    /// Codec, both ways.
    pub codec: AudioCodec,
    /// Payload type to send it with.
    pub payload_type: u8,
    /// Payload type to expect it with.
    pub receive_payload_type: u8,
    /// Payload type to send telephone events with.
    pub telephone_event: Option<u8>,
    /// Payload type to expect telephone events with.
    pub receive_telephone_event: Option<u8>,
    /// Clock of the telephone events, Hz; the codec's, but for far ends that have one clock only.
    #[serde(default = "usual_clock")]
    pub telephone_event_hz: u32,
    /// How telephone events are made redundant, if they are.
    #[serde(default)]
    pub redundancy: Option<Redundancy>,
    /// Payload type of comfort noise, both ways (RFC 3389).
    #[serde(default)]
    pub comfort_noise: Option<u8>,
    /// What the far end wants of Opus, when that is the codec.
    #[serde(default)]
    pub opus: OpusParameters,
    /// Where to send RTP; `None` when there is nowhere, such as on hold by address.
    pub remote: Option<SocketAddr>,
    /// Where to send RTCP; the same as `remote` when multiplexed.
    pub remote_rtcp: Option<SocketAddr>,
    /// Whether RTCP shares the RTP port.
    pub rtcp_mux: bool,
    /// Extended reports to send.
    #[serde(default)]
    pub extended_reports: ExtendedReports,
    /// Length of the packets to send, milliseconds: of those the codec can have, the one that is
    /// wished for, or the next shorter.
    pub ptime_ms: u32,
    /// What we may send and will receive.
    pub direction: Direction,
    /// Whether the other side put us on hold.
    pub held_by_remote: bool,
    /// What packets are protected with; plain when `None`.
    #[serde(default)]
    pub secure: Option<SecureMedia>,
}

impl Negotiated {
    /// Whether our key must be another than in what was agreed before: the far end may be a new
    /// one that does not know how far our packets have counted (RFC 4568 §7.1.4), or the key was
    /// used already.
    pub fn wants_new_key(&self, before: &Negotiated) -> bool {
        match (&self.secure, &before.secure) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(now), Some(before_it)) => {
                let is_moved = now.theirs != before_it.theirs && self.remote != before.remote;
                now.suite != before_it.suite || is_moved
            }
        }
    }
}

/// What follows from their description alone, whoever offered.
pub(super) fn agree(
    local: &LocalMedia,
    theirs: &AudioMedia,
    codec: AudioCodec,
    format: &Format,
) -> Negotiated {
    let is_held = theirs.is_held_by_address() || !theirs.direction.receives();
    let mut direction = local.direction.and(theirs.direction.reversed());
    if theirs.is_held_by_address() {
        direction = direction.and(Direction::RecvOnly);
    }
    let remote = theirs.remote();
    let opus = match (codec, &format.fmtp) {
        (AudioCodec::Opus, Some(fmtp)) => OpusParameters::read(fmtp),
        _ => OpusParameters::default(),
    };
    Negotiated {
        codec,
        opus,
        payload_type: format.payload_type,
        receive_payload_type: format.payload_type,
        telephone_event: None,
        receive_telephone_event: None,
        telephone_event_hz: codec.clock_rate(),
        redundancy: None,
        comfort_noise: None,
        remote,
        remote_rtcp: theirs.remote_rtcp(),
        rtcp_mux: false,
        extended_reports: ExtendedReports::default(),
        ptime_ms: packet_length(theirs, codec, opus),
        direction,
        held_by_remote: is_held,
        secure: None,
    }
}

/// What they wish for, 20 when they wish for nothing; and never more than they take or we make.
fn packet_length(theirs: &AudioMedia, codec: AudioCodec, opus: OpusParameters) -> u32 {
    let shortest = match codec {
        AudioCodec::Opus => opus.min_ptime_ms,
        _ => 0,
    };
    let wished = theirs.ptime_ms.filter(|wished| *wished > 0);
    let longest = theirs.max_ptime_ms.filter(|longest| *longest > 0);
    let wished = wished.unwrap_or(FRAME_MS).max(shortest);
    let wished = wished.min(longest.unwrap_or(u32::MAX));
    let mut lengths = codec.packet_lengths_ms().iter().rev();
    let fits = lengths.find(|length| **length <= wished);
    fits.copied().unwrap_or(SHORTEST_MS)
}

/// The frame of the media room, milliseconds.
const FRAME_MS: u32 = 20;

/// Shortest packet of every codec.
const SHORTEST_MS: u32 = 10;

fn usual_clock() -> u32 {
    8000
}
