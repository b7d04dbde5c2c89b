//! What has happened, in the past tense; and the call record as a pure fold of it.
//!
//! The call room emits [`Event`]s; the record is `fold(events)`; metrics, the live view and the
//! store hear the same events over a bounded bus that may lag and lose nothing that matters,
//! because the record is folded in the call itself.

mod bus;
mod check;
mod media;
pub mod record;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::{CallId, Cause, LegId, Party, RecordingId, ReservationId, TaskId, Timestamp};

pub use bus::{Bus, Subscription};
pub use check::{Check, Diverted};
pub use media::{Deafness, Figure, MediaSummary, Way};
pub use record::CallRecord;

/// One thing that happened to one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, on switch time.
    pub at: Timestamp,
    /// Which logical call.
    pub call: CallId,
    /// What.
    pub fact: Fact,
}

/// What can happen to a call. Free of personal data beyond the numbers dialled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The first INVITE was accepted for processing.
    CallStarted {
        /// Region of the node that holds the call.
        region: Arc<str>,
        /// Node that holds the call.
        node: Arc<str>,
        /// `inbound` from a trunk, `internal` from a phone to a phone or service, `outbound`
        /// from a phone to a trunk.
        direction: Direction,
        /// Caller's number, normalised; `anonymous` when withheld.
        from: String,
        /// Dialled number, normalised.
        to: String,
        /// Trunk it came in by.
        trunk: Option<String>,
        /// Configuration generation the call runs under.
        generation: u64,
    },
    /// More is known of who calls and whom than `CallStarted` says.
    CallIdentified {
        /// The caller's number as it was sent, when that is another form.
        from_raw: Option<String>,
        /// The dialled number as it was dialled, when that is another form.
        to_raw: Option<String>,
        /// The caller's name.
        from_name: Option<String>,
        /// Whether the caller keeps number and name from whom he calls.
        withheld: bool,
        /// The number that the network gives although the caller withholds it.
        asserted: Option<String>,
    },
    /// The call was sent on: before it came here, or by us.
    CallDiverted {
        /// By whom and why.
        diverted: Diverted,
    },
    /// A call out was given the number it shows.
    CallerShown {
        /// The number, in E.164 where the plan can read it.
        number: String,
        /// Whether the carrier is asked to withhold it.
        withheld: bool,
    },
    /// Something was checked before a leg is placed.
    Checked {
        /// What, and what came of it.
        check: Check,
    },
    /// A SIP leg was added to the call.
    LegAdded {
        /// Leg.
        leg: LegId,
        /// What the leg is to the call.
        role: Role,
        /// Number or address of the party.
        party: String,
        /// Agent, when the leg rings an agent.
        agent: Option<String>,
        /// Trunk, when the leg goes through one.
        trunk: Option<String>,
        /// SIP Call-ID of the leg's dialog.
        sip_call_id: String,
    },
    /// The far end of a leg rings (180 or 183).
    LegRinging {
        /// Leg.
        leg: LegId,
    },
    /// A leg was answered (200).
    LegAnswered {
        /// Leg.
        leg: LegId,
        /// Codec negotiated, such as `PCMU`.
        codec: String,
    },
    /// What a leg's media has counted so far, told every ten seconds.
    LegMeasured {
        /// Leg.
        leg: LegId,
        /// The counts.
        media: MediaSummary,
    },
    /// A conversation's sound goes one way only: nothing was heard of a direction for two seconds.
    AudioLost {
        /// Leg.
        leg: LegId,
        /// Which direction.
        way: Way,
        /// When it was last heard, or expected first.
        since: Timestamp,
        /// Why.
        cause: Deafness,
        /// Why in words, with the addresses.
        why: String,
    },
    /// The direction is heard again.
    AudioBack {
        /// Leg.
        leg: LegId,
        /// Which direction.
        way: Way,
        /// How long it was not, milliseconds.
        after_ms: u64,
    },
    /// A leg ended; the last thing said about it.
    LegEnded {
        /// Leg.
        leg: LegId,
        /// Who ended it.
        by: Party,
        /// Why.
        cause: Cause,
        /// What its media counted.
        media: MediaSummary,
    },
    /// The caller's timeline entered a new stretch; the one before ends at this instant.
    CallerEntered {
        /// The stretch.
        stretch: Stretch,
        /// Flow, queue, agent or number it belongs to.
        with: String,
    },
    /// An agent's own timeline entered a new stretch; `None` ends it.
    AgentEntered {
        /// Agent.
        agent: String,
        /// Leg that rings or holds the agent, once there is one.
        leg: Option<LegId>,
        /// The stretch, or the end.
        stretch: Option<AgentStretch>,
    },
    /// The caller came to a step of a flow.
    StepEntered {
        /// Flow.
        flow: String,
        /// Step.
        step: String,
    },
    /// The caller pressed a key.
    DigitPressed {
        /// Leg that pressed.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`; `*` too for a key that is secret.
        digit: char,
    },
    /// A party of a conversation of more than two began to talk, or stopped.
    LegTalking {
        /// Leg.
        leg: LegId,
        /// Whether it talks now.
        talking: bool,
    },
    /// Call attributes were set; later values replace earlier ones of the same name.
    AttributesSet {
        /// Names and values; null for one that was taken away.
        attributes: Map<String, Value>,
    },
    /// The call entered a queue.
    Queued {
        /// Queue.
        queue: String,
        /// Task made for it.
        task: TaskId,
    },
    /// An agent logged in or out by phone, or failed to.
    AgentLogin {
        /// Agent; `None` when nobody has the number that was given.
        agent: Option<String>,
        /// `accepted`, `logged_out`, `wrong`, `locked` or `phone_in_use`.
        outcome: String,
    },
    /// The call was offered to an agent.
    Offered {
        /// Reservation.
        reservation: ReservationId,
        /// Agent.
        agent: String,
        /// Queue.
        queue: String,
        /// Why this agent, in one sentence.
        why: String,
    },
    /// An offer ended.
    OfferEnded {
        /// Reservation.
        reservation: ReservationId,
        /// Agent.
        agent: String,
        /// `accepted`, `no_answer`, `busy`, `rejected`, `unreachable`, `caller_left`, ...
        outcome: String,
        /// What the agent's phone said when it refused, such as `Do Not Disturb`.
        #[serde(default)]
        said: Option<String>,
    },
    /// An agent said, after the conversation, what it was about.
    WrapUpCoded {
        /// Task of the stay in the queue.
        task: TaskId,
        /// Agent.
        agent: String,
        /// One of the queue's codes.
        code: String,
    },
    /// The call left the queue.
    Unqueued {
        /// Queue.
        queue: String,
        /// `answered`, `abandoned`, `nobody_available`, `timeout`, ...
        outcome: String,
    },
    /// A transfer was asked for and will be tried.
    TransferRequested {
        /// In which way.
        kind: TransferKind,
        /// The leg that is to leave.
        leg: LegId,
        /// Whose it is: agent, number, or `operator`.
        by: String,
        /// The party that is transferred.
        party: String,
        /// Where to.
        target: String,
        /// The consultation call that becomes part of this one.
        consultation: Option<CallId>,
    },
    /// A transfer was done: the leg that asked for it leaves.
    TransferDone {
        /// The leg that leaves.
        leg: LegId,
        /// The leg of whoever took the call; `None` for a flow or a service.
        to: Option<LegId>,
    },
    /// A transfer came to nothing.
    TransferFailed {
        /// The leg that was to leave.
        leg: LegId,
        /// Why, as a SIP status.
        status: u16,
    },
    /// The call's last party went over to another call, whose record goes on.
    Continued {
        /// That call.
        into: CallId,
    },
    /// A recording began.
    RecordingStarted {
        /// Recording.
        recording: RecordingId,
    },
    /// A recording cannot be written; it goes on, and what is missing will be told.
    RecordingFailing {
        /// Recording.
        recording: RecordingId,
        /// Why.
        why: String,
    },
    /// It can be written again.
    RecordingRecovered {
        /// Recording.
        recording: RecordingId,
    },
    /// What is said is not kept from here on.
    RecordingPaused {
        /// Recording.
        recording: RecordingId,
        /// On which channel, from 0; on all of them when `None`.
        channel: Option<u8>,
    },
    /// What is said is kept again.
    RecordingResumed {
        /// Recording.
        recording: RecordingId,
        /// On which channel, from 0; on all of them when `None`.
        channel: Option<u8>,
    },
    /// A recording was published (or lost, with the reason).
    RecordingPublished {
        /// What is to be known about it.
        recording: RecordingFacts,
    },
    /// A message was left in this call, and is stored. Told when its file is on the disk: of a message
    /// that a crash interrupted, at the next start.
    MessageLeft {
        /// Mailbox.
        mailbox: String,
        /// The message: its recording's id.
        message: String,
        /// Length, milliseconds.
        length_ms: u64,
        /// Messages of the mailbox that nobody has heard.
        new: usize,
        /// Those that somebody has.
        old: usize,
    },
    /// The message left in this call was heard, saved, or made new again.
    MessageMarked {
        /// Mailbox.
        mailbox: String,
        /// Message.
        message: String,
        /// Whether it counts as heard.
        heard: bool,
        /// Whether it stays whatever its age.
        saved: bool,
        /// Messages of the mailbox that nobody has heard.
        new: usize,
        /// Those that somebody has.
        old: usize,
    },
    /// The message left in this call was deleted.
    MessageDeleted {
        /// Mailbox.
        mailbox: String,
        /// Message.
        message: String,
        /// Messages of the mailbox that nobody has heard.
        new: usize,
        /// Those that somebody has.
        old: usize,
    },
    /// The call ended; nothing but `RecordingPublished` and wrap-up follows.
    CallEnded {
        /// Who ended it.
        by: Party,
        /// Why.
        cause: Cause,
    },
}

impl Fact {
    /// Whether it is about a message that the call left in a mailbox, which outlives the call.
    pub const fn is_about_a_message(&self) -> bool {
        matches!(
            self,
            Fact::MessageLeft { .. } | Fact::MessageMarked { .. } | Fact::MessageDeleted { .. }
        )
    }
}

/// Which way a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From a trunk.
    Inbound,
    /// From a phone to a phone or a service.
    Internal,
    /// From a phone to a trunk.
    Outbound,
}

/// In which way a call is transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferKind {
    /// After a consultation (RFC 5589 §7).
    Attended,
    /// To a number (RFC 5589 §6).
    Blind,
    /// By whoever operates the switch.
    Operator,
    /// Handed to the carrier, which carries it out.
    Passed,
    /// An INVITE took a leg's place (RFC 3891).
    Replaced,
}

impl TransferKind {
    /// As records write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            TransferKind::Attended => "attended",
            TransferKind::Blind => "blind",
            TransferKind::Operator => "operator",
            TransferKind::Passed => "passed",
            TransferKind::Replaced => "replaced",
        }
    }
}

/// What a leg is to its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Rung on behalf of the router.
    Agent,
    /// Called directly.
    Callee,
    /// Placed the call.
    Caller,
}

/// A stretch of the caller's time; they are contiguous and add up to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stretch {
    /// Held by another party.
    Hold,
    /// In a flow: greeting, menu, announcement.
    Ivr,
    /// In a queue, hearing music, until an agent answers.
    Queue,
    /// A called party is being rung.
    Ring,
    /// A service of the switch: echo, tone, music.
    Service,
    /// From the INVITE to the first treatment.
    SetUp,
    /// With another person.
    Talk,
}

/// A stretch of an agent's time in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentStretch {
    /// The agent's phone rings.
    Ring,
    /// Chosen; the phone does not ring yet.
    Offer,
    /// With the caller.
    Talk,
    /// The caller or the agent is on hold.
    Hold,
    /// After-call work.
    Wrap,
}

/// What a record keeps of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordingFacts {
    /// Recording.
    pub recording: RecordingId,
    /// When its first sample was spoken.
    pub started: Timestamp,
    /// Length, milliseconds.
    pub duration_ms: u64,
    /// Path of the published file, below the recordings directory or absolute.
    pub path: String,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// SHA-256 of the sidecar, hex; it has those of the file's seconds.
    pub seal: String,
    /// Who is on which channel, left first.
    pub channels: Vec<String>,
    /// Why it is incomplete, when it is.
    pub defect: Option<String>,
}
