//! What is said of a leg's media: counts, quality, and times without sound.

use serde::{Deserialize, Serialize};

/// What a leg's media counted, from the switch's side.
///
/// *Said* is what the leg's party says and we receive; *heard* is what we send and the party hears,
/// known from the reports of its device (RFC 3550 §6.4), if it sends any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MediaSummary {
    /// RTP packets received.
    pub received: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// Packets that never came, by sequence number.
    pub lost: u64,
    /// Packets refused: wrong source, wrong payload type, not RTP.
    pub refused: u64,
    /// Interarrival jitter at the end, milliseconds (RFC 3550 §6.4.1).
    pub jitter_ms: f64,
    /// Largest interarrival jitter at any report, milliseconds.
    #[serde(default)]
    pub jitter_max_ms: f32,
    /// Packets that came too late to be played, where the switch plays them out (a mix).
    #[serde(default)]
    pub late: u64,
    /// Lost and late packets of a thousand expected.
    #[serde(default)]
    pub loss_permille: f32,
    /// Bursts of loss: losses fewer than 16 packets apart (RFC 3611 §4.7.2).
    #[serde(default)]
    pub bursts: u32,
    /// Mean length of a burst, milliseconds.
    #[serde(default)]
    pub burst_ms: f32,
    /// Lost packets of a thousand within bursts.
    #[serde(default)]
    pub burst_loss_permille: f32,
    /// From us to the party's device and back, milliseconds.
    #[serde(default)]
    pub round_trip_ms: Option<Figure>,
    /// Estimated opinion (MOS-CQE, ITU-T G.107) of who hears the party, 1 to 4.4.
    #[serde(default)]
    pub mos_said: Option<Figure>,
    /// The same of the party itself.
    #[serde(default)]
    pub mos_heard: Option<Figure>,
    /// Lost packets of a thousand that we sent, as the party's device reports.
    #[serde(default)]
    pub heard_loss_permille: Option<Figure>,
    /// Interarrival jitter of what we sent, as the party's device reports, milliseconds.
    #[serde(default)]
    pub heard_jitter_ms: Option<Figure>,
}

/// A figure that was taken again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Smallest.
    pub min: f32,
    /// Arithmetic mean.
    pub mean: f32,
    /// Largest.
    pub max: f32,
    /// Latest.
    pub now: f32,
}

/// Which direction of a leg is meant, seen from its party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// What the party hears: from us to it.
    Heard,
    /// What the party says: from it to us.
    Said,
}

impl Way {
    /// As records and metrics write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Way::Heard => "heard",
            Way::Said => "said",
        }
    }
}

/// Why one direction of a leg is without sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deafness {
    /// Packets come from another address than was negotiated, and are ignored.
    Elsewhere,
    /// The far end reports that it sends nothing.
    Idle,
    /// The far end reports that it sends, but nothing arrives.
    LostOnTheWay,
    /// Packets arrive that are no RTP.
    NotRtp,
    /// Nothing has ever arrived.
    NothingArrives,
    /// Packets arrive that cannot be decrypted.
    SrtpFails,
    /// Packets arrived before, and now nothing does.
    Stopped,
    /// The far end reports that it receives nothing of ours.
    Unheard,
    /// The network takes no packets of ours.
    Unsent,
    /// Packets arrive in a format that was not negotiated.
    WrongPayloadType,
}

impl Deafness {
    /// As records and metrics write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Deafness::Elsewhere => "elsewhere",
            Deafness::Idle => "idle",
            Deafness::LostOnTheWay => "lost_on_the_way",
            Deafness::NotRtp => "not_rtp",
            Deafness::NothingArrives => "nothing_arrives",
            Deafness::SrtpFails => "srtp_fails",
            Deafness::Stopped => "stopped",
            Deafness::Unheard => "unheard",
            Deafness::Unsent => "unsent",
            Deafness::WrongPayloadType => "wrong_payload_type",
        }
    }
}
