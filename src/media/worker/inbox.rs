//! What reaches a worker: orders from signalling, and parcels from other workers.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::leg::{Leg, Room};
use super::tape::{LegTape, RoomTape};
use crate::base::{LegId, RecordingId, RoomId, Timestamp};
use crate::media::command::{Command, Full, Pause};
use crate::media::ring::{Bell, Tray};

/// One worker's inbox, and what others may know of it.
pub(crate) struct Inbox {
    pub(super) orders: Tray<Order>,
    pub(super) parcels: Tray<Parcel>,
    bell: std::sync::Arc<Bell>,
    /// Whether an order came since the last [`Inbox::wake_if_awaited`] that should not wait.
    is_awaited: AtomicBool,
    /// When it last finished its ticks, µs.
    pub(crate) seen: AtomicI64,
    /// Whether it has too much to do.
    pub(crate) is_late: AtomicBool,
    pub(crate) shall_stop: AtomicBool,
}

/// An order to a worker.
#[derive(Debug)]
pub(crate) enum Order {
    /// A new leg.
    Adopt(Box<Leg>),
    /// Anything signalling asked for that a worker can do alone. Boxed, for commands are large and
    /// orders are moved about.
    Command(Box<Command>),
    /// Take in what another worker was told to send here; what follows about these waits for it.
    Expect {
        ticket: Ticket,
        room: Option<RoomId>,
        legs: Vec<LegId>,
    },
    /// Pause or resume a recording of a leg or a room.
    PauseTape {
        recording: RecordingId,
        leg: Option<LegId>,
        room: Option<RoomId>,
        pause: Pause,
        at: Timestamp,
    },
    /// Hand a leg to another worker.
    SendLeg {
        leg: LegId,
        to: usize,
        ticket: Ticket,
    },
    /// Hand a room with its legs to another worker.
    SendRoom {
        room: RoomId,
        legs: Vec<LegId>,
        to: usize,
        ticket: Ticket,
    },
    /// Begin to record a leg.
    TapeLeg { leg: LegId, tape: Box<LegTape> },
    /// Begin to record a room.
    TapeRoom { room: RoomId, tape: Box<RoomTape> },
    /// End a recording of a leg or a room.
    Untape {
        recording: RecordingId,
        leg: Option<LegId>,
        room: Option<RoomId>,
        at: Timestamp,
    },
}

impl Order {
    /// Whether nobody hears a difference when it is taken at the next tick only: to wake a worker
    /// costs more than most orders do. An order that cannot wait takes those before it along.
    fn can_wait(&self) -> bool {
        match self {
            Order::Adopt(_) => true,
            // What is played begins and ends at a tick. Packets that come before a leg's first
            // SetLeg or Join wait in its socket, once in a call, and then go on at once.
            Order::Command(command) => !matches!(**command, Command::Checkpoint { .. }),
            // It says itself when the recording ends.
            Order::Untape { .. } => true,
            _ => false,
        }
    }
}

/// One move from worker to worker; never used twice.
pub(crate) type Ticket = u64;

/// What one worker hands to another.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(super) ticket: Ticket,
    pub(super) content: Content,
}

/// What is in a parcel.
#[derive(Debug)]
pub(super) enum Content {
    Leg(Box<Leg>),
    /// There was no such leg or room.
    Nothing,
    Room(Box<Room>, Vec<Leg>),
}

/// Orders a worker may be behind before it counts as not ready.
const OPEN_SLOTS: usize = 4096;

impl Inbox {
    /// An inbox for a worker that may get up to `max_legs` legs.
    pub(crate) fn new(max_legs: usize, bell: std::sync::Arc<Bell>) -> Self {
        Self {
            // A leg's teardown is at most: stop play, leave, stop recording, close leg and room,
            // and a move.
            orders: Tray::new(OPEN_SLOTS, max_legs * 6 + 64),
            parcels: Tray::new(64, max_legs * 2),
            bell,
            is_awaited: AtomicBool::new(false),
            seen: AtomicI64::new(0),
            is_late: AtomicBool::new(false),
            shall_stop: AtomicBool::new(false),
        }
    }

    /// Gives an order. Whoever gives one that may be refused asks [`Inbox::has_open_slot`] first;
    /// all may use the reserved slots then, and are refused only by a worker long dead. The worker
    /// sees it at [`Inbox::wake_if_awaited`], or at its next tick.
    pub(crate) fn order(&self, order: Order) -> Result<(), Full> {
        let can_wait = order.can_wait();
        self.orders.push(order).map_err(|_| Full)?;
        if !can_wait {
            self.is_awaited.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Hands over a parcel; gives it back when there is no room, which the number of legs rules
    /// out.
    pub(super) fn hand_over(&self, parcel: Parcel) -> Result<(), Parcel> {
        self.parcels.push(parcel)?;
        self.bell.ring();
        Ok(())
    }

    /// Wakes the worker when an order was given that should not wait for the tick.
    pub(crate) fn wake_if_awaited(&self) {
        if self.is_awaited.load(Ordering::Acquire) && self.is_awaited.swap(false, Ordering::AcqRel)
        {
            self.bell.ring();
        }
    }

    /// Wakes the worker.
    pub(crate) fn wake(&self) {
        self.bell.ring();
    }

    /// Whether the worker can take on more.
    pub(crate) fn is_ready(&self) -> bool {
        !self.orders.is_strained() && !self.is_late.load(Ordering::Relaxed)
    }

    /// Whether an order that may be refused would be accepted.
    pub(crate) fn has_open_slot(&self) -> bool {
        self.orders.has_open_slot()
    }

    pub(super) fn has_mail(&self) -> bool {
        !self.orders.is_empty() || !self.parcels.is_empty()
    }
}
