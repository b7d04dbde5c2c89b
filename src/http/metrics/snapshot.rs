//! Plain figures the rooms hand in at each scrape; all counters run from the process's start.

use std::time::Duration;

use crate::events::{Direction, Stretch};
use crate::mail;
use crate::trunk::TrunkView;
use crate::webhook;

/// Where snapshots come from: the app, which knows every room.
pub trait Source: std::fmt::Debug + Send + Sync {
    /// The figures of this moment; called from a blocking thread at each scrape.
    fn snapshot(&self) -> Snapshot;
}

/// The figures of one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Region of the node.
    pub region: String,
    /// Name of the node.
    pub node: String,
    /// Configuration generation new calls run under.
    pub generation: u64,
    /// Whether new calls are accepted.
    pub ready: bool,
    /// How far the wall clock is ahead of switch time, seconds.
    pub clock_error_seconds: f64,
    /// One entry for each call in progress: which way, and what the caller is in.
    pub calls: Vec<(Direction, Stretch)>,
    /// Phones with at least one binding.
    pub registrations: u64,
    /// Phones the configuration knows.
    pub phones: u64,
    /// One entry for each queue.
    pub queues: Vec<QueueSnapshot>,
    /// How many agents are in each state (an activity's name, or what they do for a call).
    pub agents: Vec<(String, u64)>,
    /// One entry for each trunk.
    pub trunks: Vec<TrunkView>,
    /// Signalling.
    pub sip: SipSnapshot,
    /// Media.
    pub media: MediaSnapshot,
    /// The door.
    pub defence: DefenceSnapshot,
    /// Recorder.
    pub recorder: RecorderSnapshot,
    /// Call records and bindings that wait for the disk.
    pub records_waiting: u64,
    /// Facts appended to the router's journal.
    pub journal_facts: u64,
    /// Facts written but not yet synced.
    pub journal_unsynced: u64,
    /// Questions to web applications, and notices.
    pub web: webhook::Figures,
    /// E-mail.
    pub mail: mail::Figures,
    /// Events a subscriber of the bus was too slow for.
    pub events_lost: u64,
    /// Log lines dropped because standard error was too slow.
    pub log_lines_dropped: u64,
    /// SIP messages sent to the HEP collector, and those that could not be.
    pub hep: [u64; 2],
}

/// One queue.
#[derive(Clone, Debug, Default)]
pub struct QueueSnapshot {
    /// Its name.
    pub queue: String,
    /// Calls waiting in it.
    pub waiting: u64,
    /// How long the first of them has waited.
    pub oldest_wait: Duration,
}

/// Signalling, all shards together.
#[derive(Clone, Debug, Default)]
pub struct SipSnapshot {
    /// Requests received, by method; unknown methods are shown as `other`.
    pub requests: Vec<(String, u64)>,
    /// Responses sent and received, by status.
    pub responses: Vec<(u16, u64)>,
    /// Messages that could not be read.
    pub malformed: u64,
    /// Retransmissions of requests and responses by us.
    pub retransmissions: u64,
    /// Datagrams we could not send.
    pub dropped: u64,
    /// Transactions alive.
    pub transactions: u64,
    /// Sessions (INVITE dialogs) alive.
    pub sessions: u64,
    /// Calls refused at the gate because of load.
    pub refused_by_gate: u64,
    /// Sockets.
    pub transport: TransportSnapshot,
    /// Questions put to name servers.
    pub questions: u64,
    /// Requests that went on to another address.
    pub failovers: u64,
    /// Addresses spared now.
    pub resting: u64,
}

/// SIP sockets, all shards together.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransportSnapshot {
    /// Streams open.
    pub connections: u64,
    /// Streams others opened.
    pub accepted: u64,
    /// Streams we began to open.
    pub opened: u64,
    /// Streams turned away at a limit.
    pub refused: u64,
    /// Streams cut for what the other side did or left undone.
    pub cut: u64,
    /// Streams we could not open.
    pub unreachable: u64,
    /// Handshakes of TLS that failed.
    pub handshakes_failed: u64,
    /// Requests for a sign of life answered.
    pub pings_answered: u64,
    /// Datagrams received.
    pub datagrams_received: u64,
    /// Datagrams the kernel did not take.
    pub datagrams_unsent: u64,
}

/// The door, all shards together.
#[derive(Clone, Debug, Default)]
pub struct DefenceSnapshot {
    /// How often each kind of attack was seen.
    pub attacks: Vec<(&'static str, u64)>,
    /// Sources not listened to.
    pub bans: u64,
    /// Messages and connections turned away by their source.
    pub turned_away: u64,
    /// Shards that refuse new work because they cannot keep up.
    pub overloaded: u64,
}

/// Media, all workers together.
#[derive(Clone, Debug, Default)]
pub struct MediaSnapshot {
    /// RTP packets received and accepted.
    pub packets_received: u64,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// RTP packets that never came.
    pub packets_lost: u64,
    /// Packets refused: wrong source, wrong payload type, not RTP.
    pub packets_refused: u64,
    /// Of those, SRTP packets whose tag is of no key of ours.
    pub srtp_forged: u64,
    /// Of those, packets that are no SRTP.
    pub srtp_malformed: u64,
    /// Of those, SRTP packets that were there before.
    pub srtp_replayed: u64,
    /// Packets not sent, for their number was used under the same key.
    pub srtp_unsent: u64,
    /// Ticks that began late.
    pub late_ticks: u64,
    /// Workers that have too much to do and leave something out.
    pub late_workers: u64,
    /// Legs open.
    pub legs: u64,
    /// Rooms open.
    pub rooms: u64,
    /// Ports in use.
    pub ports_in_use: u64,
    /// Ports that rest after a call.
    pub ports_quarantined: u64,
}

/// The recorder.
#[derive(Clone, Debug, Default)]
pub struct RecorderSnapshot {
    /// Recordings in progress.
    pub active: u64,
    /// Blocks of audio that wait for the disk.
    pub backlog: u64,
    /// Samples that could not be stored because the disk was too slow.
    pub missed_samples: u64,
    /// Recordings that cannot be written at the moment.
    pub failing: u64,
    /// Recordings that are over and could not be published.
    pub unpublished: u64,
    /// Writes that failed.
    pub failed_writes: u64,
    /// Recordings deleted because their time had come.
    pub deleted: u64,
    /// Recordings that could not be.
    pub deletions_failed: u64,
}
