//! Legs and rooms move between workers, with sockets, streams and recordings.
//!
//! Signalling's handle tells the receiving worker to expect them before it tells the sending one
//! to send, and from then on sends orders about them to the receiver, who keeps those until the
//! parcel is there. Every order waits only for orders given earlier, so nobody waits for ever.
//! Packets that arrive in between wait in the sockets.

use super::inbox::{Order, Parcel};
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
        self.io.detach(&leg.rtp);
        self.io.detach(&leg.rtcp);
        Some(leg)
    }

    pub(super) fn send_leg(&mut self, leg: LegId, to: usize, now: Timestamp) {
        let parcel = self.detach(leg).map_or(Parcel::NoLeg(leg), Parcel::Leg);
        self.hand_over(parcel, to, now);
    }

    pub(super) fn send_room(&mut self, id: RoomId, to: usize, now: Timestamp) {
        let Some(key) = self.by_room.remove(&id) else {
            return self.hand_over(Parcel::NoRoom(id), to, now);
        };
        let mut room = self.rooms.remove(key);
        let members = std::mem::take(&mut room.members);
        let legs = members.into_iter().filter_map(|key| self.take_out(key));
        let parcel = Parcel::Room(room, legs.collect());
        self.hand_over(parcel, to, now);
    }

    fn hand_over(&mut self, parcel: Parcel, to: usize, now: Timestamp) {
        let back = match self.inboxes.get(to) {
            Some(inbox) => inbox.hand_over(parcel).err(),
            None => Some(parcel),
        };
        if let Some(parcel) = back {
            self.unpack(parcel, now);
        }
    }

    /// Takes in what another worker handed over, and does what was waiting for it.
    pub(super) fn unpack(&mut self, parcel: Parcel, now: Timestamp) {
        match parcel {
            Parcel::Leg(leg) => {
                self.expected_legs.remove(&leg.id);
                let key = self.adopt(leg);
                self.replan(key);
            }
            Parcel::NoLeg(leg) => {
                self.expected_legs.remove(&leg);
            }
            Parcel::NoRoom(room) => {
                self.expected_rooms.remove(&room);
            }
            Parcel::Room(room, legs) => self.unpack_room(room, legs),
        }
        for order in std::mem::take(&mut self.deferred) {
            self.order(order, now);
        }
    }

    fn unpack_room(&mut self, mut room: Box<Room>, legs: Vec<Box<Leg>>) {
        self.expected_rooms.remove(&room.id);
        for leg in legs {
            self.expected_legs.remove(&leg.id);
            let was_feeding = leg.route.feeds_mix;
            let key = self.adopt(leg);
            room.members.push(key);
            // Its jitter buffer came along and goes on.
            self.legs[key].route.feeds_mix = was_feeding;
        }
        let id = room.id;
        let key = self.rooms.insert(room);
        self.by_room.insert(id, key);
        for member in self.rooms[key].members.clone() {
            self.legs[member].route.room = Some(key);
        }
        self.replan_room(key);
    }

    /// Keeps an order back when it is about something on its way here, or must not overtake an
    /// order that is kept back.
    pub(super) fn defer(&mut self, order: Order) -> Option<Order> {
        if self.expected_legs.is_empty() && self.expected_rooms.is_empty() {
            return Some(order);
        }
        let (leg, room) = order.about();
        let waits = leg.is_some_and(|leg| self.expected_legs.contains(&leg))
            || room.is_some_and(|room| self.expected_rooms.contains(&room))
            || self.deferred.iter().any(|earlier| {
                let (its_leg, its_room) = earlier.about();
                leg.is_some() && leg == its_leg || room.is_some() && room == its_room
            });
        if waits {
            self.deferred.push_back(order);
            return None;
        }
        Some(order)
    }

    /// Notes what is on its way here.
    pub(super) fn expect(&mut self, room: Option<RoomId>, legs: Vec<LegId>) {
        // The parcel may have been quicker than the word of it.
        let rooms = room
            .into_iter()
            .filter(|room| !self.by_room.contains_key(room));
        self.expected_rooms.extend(rooms);
        let legs = legs
            .into_iter()
            .filter(|leg| !self.by_leg.contains_key(leg));
        self.expected_legs.extend(legs);
    }
}

impl Order {
    /// The leg and the room an order is about.
    fn about(&self) -> (Option<LegId>, Option<RoomId>) {
        match self {
            Order::Adopt(leg) => (Some(leg.id), None),
            Order::Command(command) => command.about(),
            // Must not be kept back: others wait for it.
            Order::Expect { .. } => (None, None),
            Order::SendLeg { leg, .. } | Order::TapeLeg { leg, .. } => (Some(*leg), None),
            Order::SendRoom { room, .. } | Order::TapeRoom { room, .. } => (None, Some(*room)),
            Order::Untape { leg, room, .. } => (*leg, *room),
        }
    }
}

impl Command {
    /// The leg and the room a command is about; neither for one about a recording.
    pub(crate) fn about(&self) -> (Option<LegId>, Option<RoomId>) {
        match self {
            Command::Checkpoint { leg }
            | Command::CloseLeg { leg }
            | Command::Echo { leg, .. }
            | Command::Play { leg, .. }
            | Command::RecordLeg { leg, .. }
            | Command::SendDigits { leg, .. }
            | Command::SetLeg { leg, .. }
            | Command::StopPlay { leg } => (Some(*leg), None),
            Command::CloseRoom { room }
            | Command::Migrate { room, .. }
            | Command::OpenRoom { room }
            | Command::Record { room, .. } => (None, Some(*room)),
            Command::HoldMusic { room, leg, .. }
            | Command::Join { room, leg }
            | Command::Leave { room, leg } => (Some(*leg), Some(*room)),
            Command::StopRecord { .. } => (None, None),
        }
    }
}
