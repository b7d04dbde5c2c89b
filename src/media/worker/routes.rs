//! Carries the graph's plan into the legs.

use slab::Slab;

use super::Worker;
use super::leg::{Leg, Room};
use super::player::Player;
use super::speech::Outlet;
use crate::media::graph::Hears;
use crate::media::notices::NoticeSender;
use crate::media::{Notice, Stats};

impl Worker {
    /// Plans anew for a leg, and for its room if it is in one.
    pub(super) fn replan(&mut self, key: usize) {
        let Some(leg) = self.legs.get_mut(key) else {
            return;
        };
        if let Some(room) = leg.route.room {
            return self.replan_room(room);
        }
        self.agenda.touch(key);
        let member = leg.member();
        leg.route.hears = match (member.format, member.own) {
            (Some(_), Some(own)) => Hears::Own(own),
            _ => Hears::Nothing,
        };
        leg.route.relay_to = None;
        leg.route.is_taped = false;
        leg.feed_mix(None);
        leg.hear_mix(None);
        leg.feed_tapes();
        leg.tell_silenced(&mut self.notices, &self.stats);
    }

    /// Plans a room anew: who joined, left, changed codec, is played to, or is recorded.
    pub(super) fn replan_room(&mut self, key: usize) {
        let Some(room) = self.rooms.get_mut(key) else {
            return;
        };
        self.members.clear();
        for member in &room.members {
            self.members.push(self.legs[*member].member());
        }
        for tape in &mut room.tapes {
            let legs = &self.legs;
            let part = |member: &usize| (legs[*member].id, legs[*member].standing.role);
            tape.follow(room.members.iter().map(part));
        }
        let announcement = room.announcement.as_ref();
        let is_announced = announcement.is_some_and(|announcement| !announcement.is_over());
        room.plan.draw(&self.members, &room.gains, is_announced);
        room.is_settled = false;
        let rate = room.plan.rate();
        if let Some(announcement) = &mut room.announcement {
            announcement.tune(rate, &self.studio);
        }
        for (member, line) in room.members.iter().zip(room.plan.lines()) {
            self.agenda.touch(*member);
            let leg = &mut self.legs[*member];
            leg.route.hears = line.hears;
            leg.route.relay_to = line.relay_to.map(|place| room.members[place]);
            leg.route.is_taped = room.tapes.iter().any(|tape| tape.takes(leg.id));
            leg.feed_mix(line.feeds_mix.then_some(rate));
            leg.hear_mix((line.hears == Hears::Mix).then_some(rate));
            leg.feed_tapes();
            leg.tell_silenced(&mut self.notices, &self.stats);
        }
        room.open_outlets(&self.legs);
    }

    /// Ends what a leg is played and tells it.
    pub(super) fn end_play(&mut self, key: usize) {
        match self.legs.get_mut(key) {
            Some(leg) if leg.own.play.is_none() => leg.own.end(),
            _ => self.take_play(key, Finished::Yes),
        }
        self.replan(key);
    }

    /// Takes a leg's play away, if it has one, and tells whose it was.
    pub(super) fn take_play(&mut self, key: usize, finished: Finished) {
        let Some(leg) = self.legs.get_mut(key) else {
            return;
        };
        leg.own.spent = leg.own.play.take();
        let Some(play) = leg.own.spent.as_ref().and_then(Player::play) else {
            return;
        };
        let notice = Notice::PlayDone {
            leg: leg.id,
            play,
            finished: finished == Finished::Yes,
        };
        self.notices.tell(leg.shard, notice, &self.stats);
    }
}

impl Leg {
    /// Tells of one who talked that nobody hears it any more.
    fn tell_silenced(&mut self, notices: &mut NoticeSender, stats: &Stats) {
        let ear = self.inbound.ear.as_ref();
        let talks = ear.is_some_and(|ear| ear.talker.is_talking());
        if self.inbound.told_talking && !talks {
            self.inbound.told_talking = false;
            let notice = Notice::Talking {
                leg: self.id,
                talking: false,
            };
            notices.tell(self.shard, notice, stats);
        }
    }
}

/// How a play ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finished {
    /// Replaced by another.
    No,
    /// By its last frame.
    Yes,
}

impl Room {
    /// One outlet for each class, codec and terms that somebody hears the mix in; those there are go on.
    fn open_outlets(&mut self, legs: &Slab<Box<Leg>>) {
        let rate = self.plan.rate();
        let mut outlets = Vec::with_capacity(self.outlets.len());
        for (member, line) in self.members.iter().zip(self.plan.lines()) {
            let (Some(voicing), Hears::Mix) = (legs[*member].voicing(), line.hears) else {
                continue;
            };
            let serves = |outlet: &Outlet| outlet.serves(line.class, voicing);
            if outlets.iter().any(serves) {
                continue;
            }
            let mut outlet = match self.outlets.iter().position(serves) {
                Some(place) => self.outlets.swap_remove(place),
                None => {
                    let mut outlet = Outlet::new(line.class, rate, voicing);
                    // Who hears it has heard another until now.
                    let others = &mut self.outlets.iter().chain(&outlets);
                    if let Some(other) = others.find(|other| other.says(voicing)) {
                        outlet.go_on_from(other);
                    }
                    outlet
                }
            };
            outlet.tune(rate);
            outlets.push(outlet);
        }
        self.outlets = outlets;
    }
}
