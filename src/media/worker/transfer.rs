//! Legs and rooms move between workers, with sockets, streams and recordings.
//!
//! Signalling's handle gives a move a ticket, tells the receiving worker to expect it and then the
//! sending one to send, and from then on sends orders about what moves to the receiver. There the
//! parcel is unpacked at the place of `Expect` in the order of orders; until it has come, `Expect`
//! and whatever comes after it about the same legs and rooms is kept back. Every order waits only
//! for orders given earlier, so nobody waits for ever. Packets that arrive in between wait in the
//! sockets.

use super::inbox::{Content, Order, Parcel, Ticket};
use super::leg::{Leg, Room};
use super::{Token, Worker};
use crate::base::{LegId, RoomId, Timestamp};
use crate::media::{Command, Stats};

impl Worker {
    /// Takes a leg in. One whose sockets the system does not let us watch stays deaf, is told as
    /// silent and ends like any other.
    pub(super) fn adopt(&mut self, mut leg: Box<Leg>) -> usize {
        leg.route = Default::default();
        let entry = self.legs.vacant_entry();
        let key = entry.key();
        let token = (key as Token) << 1;
        let rtp = self.io.attach(&leg.rtp, token);
        if rtp
            .and_then(|()| self.io.attach(&leg.rtcp, token | 1))
            .is_err()
        {
            Stats::add(&self.stats.deaf_legs, 1);
        }
        self.by_leg.insert(leg.id, key);
        entry.insert(leg);
        self.agenda.touch(key);
        key
    }

    /// Takes a leg out, out of its room too.
    pub(super) fn detach(&mut self, leg: LegId) -> Option<Box<Leg>> {
        let key = *self.by_leg.get(&leg)?;
        self.leave(key);
        self.take_out(key)
    }

    fn take_out(&mut self, key: usize) -> Option<Box<Leg>> {
        let leg = self.legs.try_remove(key)?;
        self.by_leg.remove(&leg.id);
        self.agenda.forget(key);
        self.io.detach(&leg.rtp);
        self.io.detach(&leg.rtcp);
        Some(leg)
    }

    pub(super) fn send_leg(&mut self, leg: LegId, to: usize, ticket: Ticket) {
        let content = self.detach(leg).map_or(Content::Nothing, Content::Leg);
        self.hand_over(Parcel { ticket, content }, to);
    }

    pub(super) fn send_room(&mut self, id: RoomId, to: usize, ticket: Ticket) {
        let content = match self.by_room.remove(&id) {
            None => Content::Nothing,
            Some(key) => {
                let mut room = self.rooms.remove(key);
                let members = std::mem::take(&mut room.members);
                let legs = members.into_iter().filter_map(|key| self.take_out(key));
                let legs = legs.map(|leg| *leg);
                Content::Room(room, legs.collect())
            }
        };
        self.hand_over(Parcel { ticket, content }, to);
    }

    fn hand_over(&mut self, parcel: Parcel, to: usize) {
        let back = match self.inboxes.get(to) {
            Some(inbox) => inbox.hand_over(parcel).err(),
            None => Some(parcel),
        };
        // Cannot be, but if it is: better here than nowhere.
        if let Some(parcel) = back {
            self.unpack(parcel.content);
        }
    }

    /// A parcel has come: does what waited for it.
    pub(super) fn accept(&mut self, parcel: Parcel, now: Timestamp) {
        self.arrived.insert(parcel.ticket, parcel.content);
        for order in std::mem::take(&mut self.deferred) {
            self.order(order, now);
        }
    }

    fn unpack(&mut self, content: Content) {
        match content {
            Content::Leg(leg) => {
                let key = self.adopt(leg);
                self.replan(key);
            }
            Content::Nothing => {}
            Content::Room(room, legs) => self.unpack_room(room, legs),
        }
    }

    fn unpack_room(&mut self, mut room: Box<Room>, legs: Vec<Leg>) {
        for leg in legs {
            room.members.push(self.adopt(Box::new(leg)));
        }
        let id = room.id;
        let key = self.rooms.insert(room);
        self.by_room.insert(id, key);
        for member in self.rooms[key].members.clone() {
            self.legs[member].route.room = Some(key);
        }
        self.replan_room(key);
    }

    /// Gives an order back when it can be carried out now; else keeps it, in order.
    pub(super) fn defer(&mut self, order: Order) -> Option<Order> {
        let overtakes = self.deferred.iter().any(|earlier| earlier.shares(&order));
        let is_early = match &order {
            Order::Expect { ticket, .. } => !self.arrived.contains_key(ticket),
            _ => false,
        };
        if overtakes || is_early {
            self.deferred.push_back(order);
            return None;
        }
        Some(order)
    }

    /// Takes in the parcel of a ticket, which has come.
    pub(super) fn expect(&mut self, ticket: Ticket) {
        if let Some(content) = self.arrived.remove(&ticket) {
            self.unpack(content);
        }
    }
}

impl Order {
    /// Whether both are about one leg or one room, so that their order counts.
    fn shares(&self, other: &Order) -> bool {
        let (legs, room) = self.about();
        let (its_legs, its_room) = other.about();
        room.is_some() && room == its_room || legs.iter().any(|leg| its_legs.contains(leg))
    }

    /// The legs and the room an order is about.
    fn about(&self) -> (&[LegId], Option<RoomId>) {
        let one = std::slice::from_ref;
        match self {
            Order::Adopt(leg) => (one(&leg.id), None),
            Order::Command(command) => {
                let (leg, room) = command.about();
                (leg.map_or(&[], one), room)
            }
            Order::Expect { room, legs, .. } => (legs, *room),
            Order::SendLeg { leg, .. } | Order::TapeLeg { leg, .. } => (one(leg), None),
            Order::SendRoom { room, legs, .. } => (legs, Some(*room)),
            Order::TapeRoom { room, .. } => (&[], Some(*room)),
            Order::PauseTape { leg, room, .. } | Order::Untape { leg, room, .. } => {
                (leg.as_slice(), *room)
            }
        }
    }
}

impl Command {
    /// The leg and the room a command is about; neither for one about a recording.
    pub(crate) fn about(&self) -> (Option<&LegId>, Option<RoomId>) {
        match self {
            Command::Answered { leg }
            | Command::Capture { leg, .. }
            | Command::CaptureEnd { leg, .. }
            | Command::Checkpoint { leg }
            | Command::CloseLeg { leg }
            | Command::Conceal { leg, .. }
            | Command::Echo { leg, .. }
            | Command::Play { leg, .. }
            | Command::RecordLeg { leg, .. }
            | Command::SendDigits { leg, .. }
            | Command::SetLeg { leg, .. }
            | Command::StopPlay { leg } => (Some(leg), None),
            Command::Announce { room, .. }
            | Command::CloseRoom { room }
            | Command::Migrate { room, .. }
            | Command::OpenRoom { room }
            | Command::Record { room, .. }
            | Command::SetGain { room, .. }
            | Command::SetRoom { room, .. } => (None, Some(*room)),
            Command::HoldMusic { room, leg, .. }
            | Command::Join { room, leg, .. }
            | Command::Leave { room, leg }
            | Command::SetMember { room, leg, .. } => (Some(leg), Some(*room)),
            Command::PauseRecord { .. } | Command::StopRecord { .. } => (None, None),
        }
    }
}
