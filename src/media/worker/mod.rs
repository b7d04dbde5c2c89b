//! One media worker: a thread that owns its legs and rooms whole.
//!
//! [`Worker::turn`] is everything it does: orders, parcels (legs from other workers), packets,
//! ticks. The thread (`task`) and the simulation call it alike.

mod agenda;
mod announcement;
mod ear;
mod given;
mod inbox;
mod leg;
mod mixing;
mod orders;
mod outbound;
mod packet;
mod packing;
mod player;
mod recovery;
mod relayed;
mod reports;
mod routes;
mod secure;
mod shedding;
mod silence;
mod speech;
mod tape;
mod task;
mod tick;
mod tones;
mod transfer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use slab::Slab;

use super::graph::Member;
use super::io::{PacketIo, Token};
use super::mixer::Mixer;
use super::notices::NoticeSender;
use super::sound::Studio;
use super::{FRAME_DURATION, MAX_DECODED, Notice, Stats};
use crate::base::{LegId, OwnMap, RoomId, Timestamp};

pub(crate) use inbox::{Inbox, Order, Ticket};
pub(crate) use leg::{Leg, Seed};
pub(crate) use outbound::Outbound;
pub use shedding::Shed;
pub(crate) use tape::{LegTape, RoomTape};
pub(crate) use task::spawn;

use agenda::Agenda;
use inbox::Content;
use leg::Room;
use mixing::Floor;
use shedding::Load;

/// One worker.
pub(crate) struct Worker {
    number: usize,
    io: Box<dyn PacketIo>,
    /// All workers' inboxes, the own one among them.
    inboxes: Arc<[Arc<Inbox>]>,
    notices: NoticeSender,
    ended: Arc<Ended>,
    stats: Arc<Stats>,
    studio: Studio,
    legs: Slab<Box<Leg>>,
    agenda: Agenda,
    by_leg: OwnMap<LegId, usize>,
    rooms: Slab<Box<Room>>,
    by_room: OwnMap<RoomId, usize>,
    /// Parcels that came before their `Expect` could be carried out.
    arrived: OwnMap<Ticket, Content>,
    /// Orders that wait for a parcel, and those that must not overtake them, in order.
    deferred: VecDeque<Order>,
    mixer: Mixer,
    floor: Floor,
    wire: Box<Wire>,
    next_tick: Timestamp,
    load: Load,
    /// Scratch space, allocated once.
    ready: Vec<Token>,
    finished: Vec<usize>,
    /// Legs whose report is due.
    reporting: Vec<usize>,
    /// Rooms to be planned anew after the tick: an announcement came to its end, or a gain is where
    /// it was led.
    stale: Vec<usize>,
    members: Vec<Member>,
}

/// Legs that are over, and since when, on their way back to signalling.
pub(crate) type Ended = ArrayQueue<(Box<Leg>, Timestamp)>;

/// Buffers and counters of the packet path.
pub(crate) struct Wire {
    datagram: [u8; DATAGRAM],
    packet: [u8; DATAGRAM],
    samples: [i16; MAX_DECODED],
    counts: Counts,
    cname: String,
}

/// Longest datagram we take; RTP of a telephone is far shorter.
const DATAGRAM: usize = 2048;
/// Orders taken a turn, so that a burst of signalling does not hold up packets for long.
const ORDERS_A_TURN: usize = 256;
/// Sockets read a turn.
const SOCKETS_A_TURN: usize = 64;
/// A tick this late is counted.
const LATE: Duration = Duration::from_millis(5);
/// A tick this late is heard by everybody: a frame was missing somewhere.
const BADLY_LATE: Duration = FRAME_DURATION;
/// Ticks made up for after a stall; what is older is skipped.
const CATCH_UP: i64 = 5;

/// What was counted since the last tick.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    packets_in: u64,
    packets_out: u64,
    refused: u64,
    send_failed: u64,
    srtp_forged: u64,
    srtp_malformed: u64,
    srtp_replayed: u64,
    srtp_unsent: u64,
    rtcp_in: u64,
    rtcp_out: u64,
    ticks: u64,
    late_ticks: u64,
    skipped_ticks: u64,
}

impl Counts {
    fn rtcp(&mut self, believed: bool) {
        if believed {
            self.rtcp_in += 1;
        } else {
            self.refused += 1;
        }
    }

    fn flush(&mut self, stats: &Stats) {
        Stats::add(&stats.packets_in, self.packets_in);
        Stats::add(&stats.packets_out, self.packets_out);
        Stats::add(&stats.refused, self.refused);
        Stats::add(&stats.send_failed, self.send_failed);
        Stats::add(&stats.srtp_forged, self.srtp_forged);
        Stats::add(&stats.srtp_malformed, self.srtp_malformed);
        Stats::add(&stats.srtp_replayed, self.srtp_replayed);
        Stats::add(&stats.srtp_unsent, self.srtp_unsent);
        Stats::add(&stats.rtcp_in, self.rtcp_in);
        Stats::add(&stats.rtcp_out, self.rtcp_out);
        Stats::add(&stats.ticks, self.ticks);
        Stats::add(&stats.late_ticks, self.late_ticks);
        Stats::add(&stats.skipped_ticks, self.skipped_ticks);
        *self = Self::default();
    }
}

/// What a worker is made of.
pub(crate) struct Parts {
    /// Its place in `inboxes`.
    pub(crate) number: usize,
    pub(crate) io: Box<dyn PacketIo>,
    pub(crate) inboxes: Arc<[Arc<Inbox>]>,
    pub(crate) notices: NoticeSender,
    pub(crate) ended: Arc<Ended>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) studio: Studio,
    pub(crate) max_legs: usize,
    pub(crate) cname: String,
}

impl Worker {
    /// A worker whose first tick is the first whole 20 ms after `now`.
    pub(crate) fn new(parts: Parts, now: Timestamp) -> Self {
        let max_legs = parts.max_legs;
        Self {
            number: parts.number,
            io: parts.io,
            inboxes: parts.inboxes,
            notices: parts.notices,
            ended: parts.ended,
            stats: parts.stats,
            studio: parts.studio,
            legs: Slab::with_capacity(max_legs),
            agenda: Agenda::new(max_legs),
            by_leg: OwnMap::with_capacity_and_hasher(max_legs, Default::default()),
            rooms: Slab::with_capacity(max_legs),
            by_room: OwnMap::with_capacity_and_hasher(max_legs, Default::default()),
            arrived: OwnMap::default(),
            deferred: VecDeque::new(),
            mixer: Mixer::new(),
            floor: Floor::new(max_legs),
            wire: Box::new(Wire {
                datagram: [0; DATAGRAM],
                packet: [0; DATAGRAM],
                samples: [0; MAX_DECODED],
                counts: Counts::default(),
                cname: parts.cname,
            }),
            next_tick: grid(now),
            load: Load::default(),
            ready: Vec::with_capacity(SOCKETS_A_TURN),
            finished: Vec::with_capacity(max_legs),
            reporting: Vec::with_capacity(max_legs),
            stale: Vec::with_capacity(max_legs),
            members: Vec::with_capacity(64),
        }
    }

    /// When the next tick is due.
    pub(crate) fn next_tick(&self) -> Timestamp {
        self.next_tick
    }

    /// Orders and parcels that have come; says whether there were any.
    pub(crate) fn take_orders(&mut self, now: Timestamp) -> bool {
        let number = self.number;
        let mut any = false;
        while let Some(parcel) = self.inboxes[number].parcels.pop() {
            self.accept(parcel, now);
            any = true;
        }
        for _ in 0..ORDERS_A_TURN {
            let Some(order) = self.inboxes[number].orders.pop() else {
                break;
            };
            self.order(order, now);
            any = true;
        }
        any
    }

    /// Waits for packets until the next tick at the latest and reads them. Time may have passed
    /// after this: `clock` says how much.
    pub(crate) fn take_packets(&mut self, clock: impl Fn() -> Timestamp) -> bool {
        let mut ready = std::mem::take(&mut self.ready);
        let before = clock();
        let until = if self.has_orders() || !self.reporting.is_empty() {
            before
        } else {
            self.next_tick
        };
        self.io.wait(before, until, &mut ready);
        let now = clock();
        for token in &ready {
            let key = (token >> 1) as usize;
            if token & 1 == 0 {
                self.receive_rtp(key, now);
            } else {
                self.receive_rtcp(key, now);
            }
        }
        let any = !ready.is_empty();
        self.ready = ready;
        any
    }

    /// Plays the ticks that are due.
    pub(crate) fn take_ticks(&mut self, now: Timestamp) {
        if now < self.next_tick {
            return;
        }
        let behind = now.since(self.next_tick);
        let missed = (behind.as_micros() / FRAME_DURATION.as_micros()) as i64;
        if missed > CATCH_UP {
            self.wire.counts.skipped_ticks += missed as u64;
            self.next_tick = grid(now - FRAME_DURATION);
        }
        while self.next_tick <= now {
            let late = now.since(self.next_tick);
            self.wire.counts.late_ticks += u64::from(late > LATE);
            self.judge_load(late > BADLY_LATE);
            let at = self.next_tick;
            self.tick(at);
            self.next_tick = at + FRAME_DURATION;
        }
        self.wire.counts.flush(&self.stats);
        let inbox = &self.inboxes[self.number];
        inbox.seen.store(now.as_micros(), Ordering::Relaxed);
    }

    /// Ends everything: the engine stops.
    pub(crate) fn close_all(&mut self, now: Timestamp) {
        let rooms: Vec<usize> = self.rooms.iter().map(|(key, _)| key).collect();
        for room in rooms {
            self.close_room(room, now);
        }
        let legs: Vec<LegId> = self.by_leg.keys().copied().collect();
        for leg in legs {
            self.close_leg(leg, now);
        }
        self.wire.counts.flush(&self.stats);
    }

    fn has_orders(&self) -> bool {
        self.inboxes[self.number].has_mail()
    }

    fn judge_load(&mut self, is_badly_late: bool) {
        let Some(shed) = self.load.judge(is_badly_late) else {
            return;
        };
        let is_late = shed != Shed::Nothing;
        let was_late = self.inboxes[self.number]
            .is_late
            .swap(is_late, Ordering::Relaxed);
        match (was_late, is_late) {
            (false, true) => Stats::add(&self.stats.late_workers, 1),
            (true, false) => Stats::take(&self.stats.late_workers, 1),
            _ => {}
        }
        let worker = self.number;
        let notice = Notice::Overloaded { worker, shed };
        self.notices.tell_all(&notice, &self.stats);
    }
}

/// The first tick after `now`: all workers tick on the same grid, so that a leg may change
/// between them within a tick.
fn grid(now: Timestamp) -> Timestamp {
    let frame = FRAME_DURATION.as_micros() as i64;
    Timestamp::from_micros((now.as_micros().div_euclid(frame) + 1) * frame)
}
