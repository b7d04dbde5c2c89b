//! What signalling may ask of media.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::capture::Capture;
use super::graph::Standing;
use super::mixer::Gain;
use super::recorder::{Channel, Format};
use super::rtcp::Asked;
use super::{CLOCK_HZ, Codec, OpusTerms, Sound, srtp};
use crate::base::{LegId, RecordingId, RoomId, ShardId, Timestamp};

/// One wish of the signalling side; `Engine::send` finds the worker.
///
/// A command that names a leg or room that does not exist (any more) does nothing.
#[derive(Clone, Debug)]
pub enum Command {
    /// Plays sounds to everybody who hears a room, over the conversation, after those that are
    /// being announced already (16 at most; more are not heard). No sounds: ends them all.
    Announce {
        /// Room.
        room: RoomId,
        /// What to play.
        sounds: Vec<Arc<Sound>>,
    },
    /// The leg is answered: from now on sound is due whenever both sides are to send, and missing
    /// sound is told as [`Notice::AudioLost`](super::Notice).
    Answered {
        /// Leg.
        leg: LegId,
    },
    /// Copies every packet of a leg, both ways, into a capture; up to [`MAX_CAPTURES`](super::MAX_CAPTURES) at a time, more
    /// see nothing.
    Capture {
        /// Leg.
        leg: LegId,
        /// Where to. Whoever keeps a clone until the worker has let go of its own keeps the worker
        /// from giving back the room.
        capture: Arc<Capture>,
    },
    /// Ends that for this capture and no other.
    CaptureEnd {
        /// Leg.
        leg: LegId,
        /// Where to no more.
        capture: Arc<Capture>,
    },
    /// Reports the leg's resumable state as [`Notice::LegCheckpoint`](super::Notice).
    Checkpoint {
        /// Leg.
        leg: LegId,
    },
    /// Ends a leg; its last word is [`Notice::LegClosed`](super::Notice). Never refused.
    CloseLeg {
        /// Leg.
        leg: LegId,
    },
    /// Shows captures of the leg of its packets but the first twelve octets, while `on` and
    /// a second after: what is pressed or said is not for them.
    Conceal {
        /// Leg.
        leg: LegId,
        /// Whether to.
        on: bool,
    },
    /// Ends a room; members stay, hearing nothing, and its recordings end. Never refused.
    CloseRoom {
        /// Room.
        room: RoomId,
    },
    /// Sends the leg its own voice back, packet by packet.
    Echo {
        /// Leg.
        leg: LegId,
        /// Whether to.
        on: bool,
    },
    /// Takes one member out of the conversation: it hears music, from the sound's beginning, and
    /// nobody hears it. `None` gives the room back.
    HoldMusic {
        /// Room.
        room: RoomId,
        /// The member who waits.
        leg: LegId,
        /// Music, looped.
        sound: Option<Arc<Sound>>,
    },
    /// Puts a leg into a room, out of any other; the leg moves to the room's worker.
    Join {
        /// Room.
        room: RoomId,
        /// Leg.
        leg: LegId,
        /// Its part there.
        standing: Standing,
    },
    /// Takes a leg out of a room. Never refused.
    Leave {
        /// Room.
        room: RoomId,
        /// Leg.
        leg: LegId,
    },
    /// Moves a room with its legs and recordings to another worker, within a tick.
    Migrate {
        /// Room.
        room: RoomId,
        /// Number of the worker, below `EngineConfig::workers`.
        worker: usize,
    },
    /// Makes an empty room.
    OpenRoom {
        /// Room.
        room: RoomId,
    },
    /// Plays sounds to a leg, one after the other without a gap, instead of anything else it
    /// would hear. Replaces a former `Play`.
    Play {
        /// Leg.
        leg: LegId,
        /// Comes back in [`Notice::PlayDone`](super::Notice).
        play: PlayId,
        /// What to play.
        sounds: Vec<Arc<Sound>>,
        /// Begin again at the end, until replaced or stopped.
        looped: bool,
    },
    /// Pauses or resumes a recording: what is said in between is silence in the file, with a mark
    /// at each end.
    PauseRecord {
        /// Recording.
        recording: RecordingId,
        /// What.
        pause: Pause,
        /// From when on.
        at: Timestamp,
    },
    /// Records what members of a room say: `left` on the first channel, everybody else on the
    /// next free one, also those who join later; the last channel takes all who find none.
    Record {
        /// Recording.
        recording: RecordingId,
        /// Room.
        room: RoomId,
        /// Who is on the left channel: the customer.
        left: LegId,
        /// Who is on the right channel: the agent. May be empty.
        right: Vec<LegId>,
        /// When the first sample was spoken.
        at: Timestamp,
        /// Where and under which names.
        tape: Tape,
    },
    /// Records both directions of one leg: left what it says, right what it hears. A tape of one
    /// channel takes what it says alone, and [`Notice::Speaking`](super::Notice) tells of its pauses.
    RecordLeg {
        /// Recording.
        recording: RecordingId,
        /// Leg.
        leg: LegId,
        /// When the first sample was spoken.
        at: Timestamp,
        /// Where and under which names.
        tape: Tape,
    },
    /// Sends digits as RFC 4733 events, or as tones where [`LegFlow::tones`] says so, one after the
    /// other, in place of what the leg would hear.
    SendDigits {
        /// Leg.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`; others are skipped. At most 64 wait at a time. Dropped
        /// when the far end takes neither.
        digits: String,
    },
    /// Sets how loud one member is for another, where its role lets it be heard at all; 256 pairs
    /// a room at most, more stay as they are. Forgotten when either leaves.
    SetGain {
        /// Room.
        room: RoomId,
        /// Who speaks.
        from: LegId,
        /// Who hears it so.
        to: LegId,
        /// How loud.
        gain: Gain,
    },
    /// Sets or changes what was negotiated for a leg.
    SetLeg {
        /// Leg.
        leg: LegId,
        /// What was negotiated.
        flow: LegFlow,
    },
    /// Changes a member's part in its room.
    SetMember {
        /// Room.
        room: RoomId,
        /// The member.
        leg: LegId,
        /// Its part from now on.
        standing: Standing,
    },
    /// Sets what holds for a whole room, from its first member on.
    SetRoom {
        /// Room.
        room: RoomId,
        /// What holds.
        terms: RoomTerms,
    },
    /// Ends a play without [`Notice::PlayDone`](super::Notice). Never refused.
    StopPlay {
        /// Leg.
        leg: LegId,
    },
    /// Ends a recording at an instant; [`Notice::RecordingClosed`](super::Notice) follows when
    /// it is published. Never refused.
    StopRecord {
        /// Recording.
        recording: RecordingId,
        /// When the last sample was spoken.
        at: Timestamp,
    },
}

impl Command {
    /// Whether the command gives something back; those have reserved slots in every ring.
    pub(crate) fn is_teardown(&self) -> bool {
        matches!(
            self,
            Command::CloseLeg { .. }
                | Command::CloseRoom { .. }
                | Command::Leave { .. }
                | Command::StopPlay { .. }
                | Command::StopRecord { .. }
        )
    }
}

/// What holds for a whole room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomTerms {
    /// Everybody is slowly brought to the same loudness, once more than two talk.
    pub levelling: bool,
    /// Who talks is told as [`Notice::Talking`](super::Notice), of those who are mixed.
    pub tells_talkers: bool,
}

/// One play command's number, chosen by whoever sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlayId(pub u64);

/// What of a recording is to be kept or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// One channel, or all of them.
    pub channel: Option<Channel>,
    /// Whether it is paused; else it goes on.
    pub on: bool,
}

/// Where a recording goes and how its channels are called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tape {
    /// Path below the recordings directory, without ending; directories are made.
    pub stem: String,
    /// Names of the channels, such as `caller` and `agent`; there are as many as there are names,
    /// 1 to [`MAX_CHANNELS`](super::recorder::MAX_CHANNELS).
    pub channels: Vec<String>,
    /// Whatever else the sidecar is to tell.
    pub labels: Map<String, Value>,
    /// What the file is to be; `None` for what the recorder was configured for.
    #[serde(default)]
    pub format: Option<Format>,
}

/// What offer and answer have settled for one leg's audio, from our side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegFlow {
    /// Where the far end said it receives RTP; `None` while it has none.
    pub remote: Option<SocketAddr>,
    /// Where it receives RTCP; `None` means the RTP port plus one (RFC 3605 §2.1).
    pub remote_rtcp: Option<SocketAddr>,
    /// Where the far end's signalling comes from: media from there is likely to be its own.
    #[serde(default)]
    pub signalled: Option<IpAddr>,
    /// RTP and RTCP share the RTP port (RFC 5761).
    pub rtcp_mux: bool,
    /// Extended reports the far end asked for.
    #[serde(default)]
    pub extended_reports: Asked,
    /// Codec of both directions.
    pub codec: Codec,
    /// Payload type we send.
    pub send_payload_type: u8,
    /// Payload type we receive.
    pub receive_payload_type: u8,
    /// Payload type of telephone events we send, if the far end takes them.
    pub send_telephone_event: Option<u8>,
    /// Payload type of telephone events we receive.
    pub receive_telephone_event: Option<u8>,
    /// Clock of telephone events, Hz: the codec's, unless the far end has 8 kHz for all of them.
    #[serde(default = "usual_clock")]
    pub telephone_event_hz: u32,
    /// How telephone events are made redundant, when they are.
    #[serde(default)]
    pub redundancy: Option<Redundancy>,
    /// Payload type of comfort noise both ways, when the far end may leave out silence (RFC 3389).
    #[serde(default)]
    pub comfort_noise: Option<u8>,
    /// What the far end wants of Opus, when that is the codec.
    #[serde(default)]
    pub opus: OpusTerms,
    /// Length of the packets we send in ms: 10 to 60, in tens; of Opus, 10, 20, 40 or 60.
    pub ptime_ms: u32,
    /// Keys are tones in the sound both ways: those of the far end are listened for, and ours are
    /// sent as such when it takes no telephone events.
    #[serde(default)]
    pub tones: bool,
    /// Whether we may send.
    pub sending: bool,
    /// Whether we may receive: when not, packets are counted and not used.
    pub receiving: bool,
    /// What packets are protected with, both ways; plain when `None`.
    #[serde(default)]
    pub srtp: Option<srtp::Keys>,
}

/// Redundancy of telephone events (RFC 2198, RFC 4733 §2.6.2), as settled for one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redundancy {
    /// Payload type we send it with.
    pub send_payload_type: u8,
    /// Payload type we receive it with.
    pub receive_payload_type: u8,
    /// Earlier events that a packet of ours carries besides its own, at most
    /// [`MAX_DEPTH`](super::dtmf::MAX_DEPTH).
    pub depth: u8,
}

fn usual_clock() -> u32 {
    CLOCK_HZ
}

/// A leg's own addresses, as they belong into SDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegPorts {
    /// RTP: the advertised address and an even port.
    pub rtp: SocketAddr,
    /// RTCP: the odd port above.
    pub rtcp: SocketAddr,
}

/// All that is needed to continue a leg's audio in another process: same ports, same SSRC,
/// sequence and timestamps going on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegState {
    /// Leg.
    pub leg: LegId,
    /// Shard that hears its notices.
    pub shard: ShardId,
    /// When this was true.
    pub at: Timestamp,
    /// Own addresses.
    pub ports: LegPorts,
    /// What was negotiated, if anything yet.
    pub flow: Option<LegFlow>,
    /// Source the leg was latched to.
    pub latched: Option<SocketAddr>,
    /// How far the far end's packets had counted, when they are secure.
    #[serde(default)]
    pub srtp: Option<srtp::SessionState>,
    /// Own SSRC; of a secure leg not to be used again.
    pub ssrc: u32,
    /// Sequence number of the last packet sent.
    pub sequence: u16,
    /// RTP timestamp that belongs to `at` on the leg's own clock.
    pub timestamp: u32,
}

impl LegState {
    /// The clock its timestamps count.
    pub(crate) fn clock_hz(&self) -> u32 {
        self.flow
            .as_ref()
            .map_or(CLOCK_HZ, |flow| flow.codec.clock_hz())
    }
}

/// The ring to a worker is full: the worker is not keeping up, the caller should refuse new work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the media worker's command ring is full")]
pub struct Full;

/// Why a leg could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// A leg of that id is open already.
    #[error("leg {0} is open already")]
    Exists(LegId),
    /// The range has no free pair of ports, or the legs reached `EngineConfig::max_legs`.
    #[error("no free pair of media ports")]
    NoPorts,
    /// The ports of a checkpoint could not be taken again.
    #[error("media port {port} cannot be taken again: {why}")]
    PortTaken {
        /// RTP port.
        port: u16,
        /// What the system said.
        why: String,
    },
    /// Every worker is late or its ring is full.
    #[error("every media worker is busy")]
    WorkerBusy,
}
