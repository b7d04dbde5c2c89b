//! Which worker has which leg and room; turns commands into orders to workers. Pure.
//!
//! Orders leave under one lock in one order; that and the workers' rings being first-in first-out
//! is what makes moves between workers safe (see `worker/transfer`).

use std::collections::HashMap;

use super::Rate;
use super::command::{Command, RoomTerms};
use super::graph::Standing;
use super::worker::{LegTape, Order, RoomTape, Ticket};
use crate::base::{LegId, OwnMap, RecordingId, RoomId, ShardId};

/// Where everything is.
#[derive(Debug)]
pub(crate) struct Directory {
    legs: OwnMap<LegId, LegPlace>,
    rooms: OwnMap<RoomId, RoomPlace>,
    recordings: HashMap<RecordingId, Target>,
    /// Legs by worker.
    loads: Vec<usize>,
    /// Moves so far.
    moves: Ticket,
}

#[derive(Clone, Copy, Debug)]
struct LegPlace {
    worker: usize,
    shard: ShardId,
    room: Option<RoomId>,
    /// Of its codec, as far as one was negotiated.
    rate: Rate,
}

#[derive(Debug, Default)]
struct RoomPlace {
    /// `None` until the first member: where that is, nothing has to move.
    worker: Option<usize>,
    members: Vec<LegId>,
    /// What holds for the room, to be told to its worker.
    terms: Option<RoomTerms>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Leg(LegId),
    Room(RoomId),
}

impl Target {
    fn parts(self) -> (Option<LegId>, Option<RoomId>) {
        match self {
            Self::Leg(leg) => (Some(leg), None),
            Self::Room(room) => (None, Some(room)),
        }
    }
}

/// An order and who gets it.
pub(crate) type Addressed = (usize, Order);

impl Directory {
    /// An empty directory of `workers` workers.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            legs: OwnMap::default(),
            rooms: OwnMap::default(),
            recordings: HashMap::new(),
            loads: vec![0; workers],
            moves: 0,
        }
    }

    /// Legs that are open.
    pub(crate) fn legs(&self) -> usize {
        self.legs.len()
    }

    /// Rooms that are open.
    pub(crate) fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Whether the leg is open.
    pub(crate) fn has_leg(&self, leg: LegId) -> bool {
        self.legs.contains_key(&leg)
    }

    /// The worker a leg is on.
    pub(crate) fn worker_with(&self, leg: LegId) -> Option<usize> {
        self.legs.get(&leg).map(|place| place.worker)
    }

    /// The shard of a leg.
    pub(crate) fn shard(&self, leg: LegId) -> Option<ShardId> {
        self.legs.get(&leg).map(|place| place.shard)
    }

    /// The widest band of a leg, and of everybody in the room.
    pub(crate) fn rate(&self, leg: LegId, room: Option<RoomId>) -> Rate {
        let rate = |leg: &LegId| self.legs.get(leg).map_or(Rate::Narrow, |leg| leg.rate);
        let room = room.and_then(|room| self.rooms.get(&room));
        let members = room.into_iter().flat_map(|room| &room.members);
        members.map(rate).fold(rate(&leg), Rate::max)
    }

    /// Workers, the least loaded first.
    pub(crate) fn by_load(&self) -> Vec<usize> {
        let mut workers: Vec<usize> = (0..self.loads.len()).collect();
        workers.sort_by_key(|worker| self.loads[*worker]);
        workers
    }

    /// Notes a new leg.
    pub(crate) fn add_leg(&mut self, leg: LegId, shard: ShardId, worker: usize) {
        self.loads[worker] += 1;
        let place = LegPlace {
            worker,
            shard,
            room: None,
            rate: Rate::Narrow,
        };
        self.legs.insert(leg, place);
    }

    /// The worker that will have to do with a command: its ring decides whether it is accepted.
    pub(crate) fn worker_of(&self, command: &Command) -> Option<usize> {
        let (leg, room) = match command {
            Command::Record { left, room, .. } => (Some(left), Some(*room)),
            Command::PauseRecord { recording, .. } | Command::StopRecord { recording, .. } => {
                match self.recordings.get(recording)? {
                    Target::Leg(leg) => (Some(leg), None),
                    Target::Room(room) => (None, Some(*room)),
                }
            }
            command => command.about(),
        };
        let room = room.and_then(|room| self.rooms.get(&room)?.worker);
        room.or_else(|| Some(self.legs.get(leg?)?.worker))
    }

    /// Turns a command into orders, and notes what it changes.
    pub(crate) fn route(&mut self, command: Command) -> Vec<Addressed> {
        let worker = self.worker_of(&command);
        match command {
            Command::CloseLeg { leg } => self.close_leg(leg),
            Command::CloseRoom { room } => self.close_room(room),
            Command::Join {
                room,
                leg,
                standing,
            } => return self.join(room, leg, standing),
            Command::Leave { room, leg } => self.leave(room, leg),
            Command::Migrate { room, worker } => return self.migrate(room, worker),
            Command::OpenRoom { room } => {
                self.rooms.entry(room).or_default();
            }
            Command::SetRoom { room, terms } => {
                if let Some(place) = self.rooms.get_mut(&room) {
                    place.terms = Some(terms);
                }
            }
            Command::PauseRecord {
                recording,
                pause,
                at,
            } => {
                let Some(target) = self.recordings.get(&recording) else {
                    return Vec::new();
                };
                let (leg, room) = target.parts();
                let order = Order::PauseTape {
                    recording,
                    leg,
                    room,
                    pause,
                    at,
                };
                return addressed(worker, order);
            }
            Command::SetLeg { leg, ref flow } => {
                if let Some(place) = self.legs.get_mut(&leg) {
                    place.rate = flow.codec.rate();
                }
            }
            Command::StopRecord { recording, at } => {
                let Some(target) = self.recordings.remove(&recording) else {
                    return Vec::new();
                };
                let (leg, room) = target.parts();
                let order = Order::Untape {
                    recording,
                    leg,
                    room,
                    at,
                };
                return addressed(worker, order);
            }
            _ => {}
        }
        addressed(worker, wish(command))
    }

    /// Begins a recording of a leg; gives the tape back when there is no such leg.
    pub(crate) fn tape_leg(
        &mut self,
        leg: LegId,
        tape: Box<LegTape>,
    ) -> Result<Addressed, Box<LegTape>> {
        let Some(place) = self.legs.get(&leg) else {
            return Err(tape);
        };
        let recording = tape.recording().clone();
        self.recordings.insert(recording, Target::Leg(leg));
        Ok((place.worker, Order::TapeLeg { leg, tape }))
    }

    /// Begins a recording of a room; gives the tape back when there is no such room, or nobody
    /// was ever in it.
    pub(crate) fn tape_room(
        &mut self,
        room: RoomId,
        tape: Box<RoomTape>,
    ) -> Result<Addressed, Box<RoomTape>> {
        let Some(worker) = self.rooms.get(&room).and_then(|place| place.worker) else {
            return Err(tape);
        };
        let recording = tape.recording().clone();
        self.recordings.insert(recording, Target::Room(room));
        Ok((worker, Order::TapeRoom { room, tape }))
    }

    fn join(&mut self, room: RoomId, leg: LegId, standing: Standing) -> Vec<Addressed> {
        let (Some(place), Some(into)) = (self.legs.get_mut(&leg), self.rooms.get_mut(&room)) else {
            return Vec::new();
        };
        let mut orders = Vec::with_capacity(5);
        let from = place.worker;
        let to = *into.worker.get_or_insert_with(|| {
            orders.push((from, wish(Command::OpenRoom { room })));
            let terms = into.terms.map(|terms| Command::SetRoom { room, terms });
            orders.extend(terms.map(|command| (from, wish(command))));
            from
        });
        if from != to {
            self.moves += 1;
            let ticket = self.moves;
            let expect = Order::Expect {
                ticket,
                room: None,
                legs: vec![leg],
            };
            orders.push((to, expect));
            orders.push((from, Order::SendLeg { leg, to, ticket }));
            place.worker = to;
            self.loads[from] -= 1;
            self.loads[to] += 1;
        }
        let before = place.room.replace(room);
        if !into.members.contains(&leg) {
            into.members.push(leg);
        }
        if let Some(before) = before.filter(|before| *before != room)
            && let Some(place) = self.rooms.get_mut(&before)
        {
            place.members.retain(|member| *member != leg);
        }
        let join = Command::Join {
            room,
            leg,
            standing,
        };
        orders.push((to, wish(join)));
        orders
    }

    fn leave(&mut self, room: RoomId, leg: LegId) {
        let Some(place) = self.legs.get_mut(&leg) else {
            return;
        };
        if place.room == Some(room) {
            place.room = None;
            if let Some(room) = self.rooms.get_mut(&room) {
                room.members.retain(|member| *member != leg);
            }
        }
    }

    fn close_leg(&mut self, leg: LegId) {
        if let Some(room) = self.legs.get(&leg).and_then(|place| place.room) {
            self.leave(room, leg);
        }
        if let Some(place) = self.legs.remove(&leg) {
            self.loads[place.worker] -= 1;
        }
        self.recordings
            .retain(|_, target| *target != Target::Leg(leg));
    }

    fn close_room(&mut self, room: RoomId) {
        let Some(place) = self.rooms.remove(&room) else {
            return;
        };
        for leg in place.members {
            if let Some(place) = self.legs.get_mut(&leg) {
                place.room = None;
            }
        }
        self.recordings
            .retain(|_, target| *target != Target::Room(room));
    }

    fn migrate(&mut self, room: RoomId, to: usize) -> Vec<Addressed> {
        let Some(place) = self.rooms.get_mut(&room) else {
            return Vec::new();
        };
        let Some(from) = place.worker.filter(|from| *from != to) else {
            return Vec::new();
        };
        if to >= self.loads.len() {
            return Vec::new();
        }
        place.worker = Some(to);
        let legs = place.members.clone();
        for leg in &legs {
            if let Some(place) = self.legs.get_mut(leg) {
                place.worker = to;
                self.loads[from] -= 1;
                self.loads[to] += 1;
            }
        }
        self.moves += 1;
        let ticket = self.moves;
        let expect = Order::Expect {
            ticket,
            room: Some(room),
            legs: legs.clone(),
        };
        let send = Order::SendRoom {
            room,
            legs,
            to,
            ticket,
        };
        vec![(to, expect), (from, send)]
    }
}

fn wish(command: Command) -> Order {
    Order::Command(Box::new(command))
}

fn addressed(worker: Option<usize>, order: Order) -> Vec<Addressed> {
    worker.map(|worker| (worker, order)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId(1);

    fn directory() -> Directory {
        let mut directory = Directory::new(2);
        for leg in 0..4 {
            let worker = directory.by_load()[0];
            directory.add_leg(LegId(leg), ShardId(0), worker);
        }
        directory.route(Command::OpenRoom { room: ROOM });
        directory
    }

    fn join(directory: &mut Directory, leg: u64) -> Vec<Addressed> {
        let leg = LegId(leg);
        directory.route(Command::Join {
            room: ROOM,
            leg,
            standing: Standing::default(),
        })
    }

    #[test]
    fn legs_spread_and_follow_their_room() {
        let mut directory = directory();
        assert_eq!(directory.loads, [2, 2]);
        // The room opens where its first member is, and is joined there.
        let first = join(&mut directory, 0);
        assert!(matches!(
            first[..],
            [(0, Order::Command(_)), (0, Order::Command(_))]
        ));
        let second = join(&mut directory, 1);
        assert!(matches!(
            second[..],
            [
                (0, Order::Expect { .. }),
                (1, Order::SendLeg { to: 0, .. }),
                (0, Order::Command(_))
            ]
        ));
        assert_eq!(directory.loads, [3, 1]);
        let stop = directory.route(Command::StopPlay { leg: LegId(1) });
        assert!(matches!(stop[..], [(0, _)]));
    }

    #[test]
    fn a_migrated_room_takes_its_legs_along() {
        let mut directory = directory();
        join(&mut directory, 0);
        join(&mut directory, 1);
        let room = ROOM;
        let orders = directory.route(Command::Migrate { room, worker: 1 });
        assert!(matches!(
            &orders[..],
            [(1, Order::Expect { legs, .. }), (0, Order::SendRoom { to: 1, .. })] if legs.len() == 2
        ));
        assert_eq!(directory.loads, [1, 3]);
        assert!(
            directory
                .route(Command::Migrate { room, worker: 1 })
                .is_empty()
        );
        assert!(
            directory
                .route(Command::Migrate { room, worker: 9 })
                .is_empty()
        );
    }

    #[test]
    fn nothing_is_left_after_teardown() {
        let mut directory = directory();
        for leg in 0..4 {
            join(&mut directory, leg);
        }
        for leg in (0..4).map(LegId) {
            directory.route(Command::CloseLeg { leg });
        }
        directory.route(Command::CloseRoom { room: ROOM });
        assert_eq!((directory.legs(), directory.rooms()), (0, 0));
        assert_eq!(directory.loads, [0, 0]);
        let leg = LegId(0);
        assert!(directory.route(Command::CloseLeg { leg }).is_empty());
    }
}
