//! Carries the graph's plan into the legs.

use super::Worker;
use super::player::Player;
use crate::media::Notice;
use crate::media::graph::{Hears, hears};

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
        leg.feed_mix(false);
        leg.feed_tapes();
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
            tape.follow(room.members.iter().map(|member| legs[*member].id));
        }
        room.mixes = false;
        for (place, member) in room.members.iter().enumerate() {
            let heard = hears(&self.members, place);
            room.mixes |= heard == Hears::Mix;
            self.legs[*member].route.hears = heard;
        }
        for (place, member) in room.members.iter().enumerate() {
            // Only of two members can one relay to the other.
            let other = match room.members[..] {
                [a, b] => Some(if place == 0 { b } else { a }),
                _ => None,
            };
            let relay_to = other.filter(|other| self.legs[*other].route.hears == Hears::Relay);
            self.agenda.touch(*member);
            let leg = &mut self.legs[*member];
            leg.route.relay_to = relay_to;
            leg.route.is_taped = room.tapes.iter().any(|tape| tape.takes(leg.id));
            leg.feed_mix(room.mixes);
            leg.feed_tapes();
        }
    }

    /// Ends what a leg is played and tells it.
    pub(super) fn end_play(&mut self, key: usize) {
        self.take_play(key, Finished::Yes);
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

/// How a play ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finished {
    /// Replaced by another.
    No,
    /// By its last frame.
    Yes,
}
