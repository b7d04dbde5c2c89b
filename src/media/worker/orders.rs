//! Carries out what signalling ordered.

use std::time::Duration;

use super::announcement::Announcement;
use super::inbox::Order;
use super::leg::{Leg, Room};
use super::player::Player;
use super::routes::Finished;
use super::tape::{LegTape, RoomTape};
use super::{Wire, Worker};
use crate::base::{LegId, RecordingId, RoomId, Timestamp};
use crate::media::graph::{MAX_ROUTES, Route};
use crate::media::mixer::Gain;
use crate::media::{Command, Notice, Pause, Standing, Stats};

/// How long a leg is concealed beyond the word: its last key is still held, and told thrice.
const CONCEALED_AFTER: Duration = Duration::from_secs(1);
/// How long a digit is held.
const DIGIT_MS: u32 = 100;

impl Worker {
    /// Carries out one order, now or when what it is about has come.
    pub(super) fn order(&mut self, order: Order, now: Timestamp) {
        let Some(order) = self.defer(order) else {
            return;
        };
        match order {
            Order::Adopt(leg) => {
                let key = self.adopt(leg);
                self.replan(key);
            }
            Order::Command(command) => self.command(*command, now),
            Order::Expect { ticket, .. } => self.expect(ticket),
            Order::PauseTape {
                recording,
                leg,
                room,
                pause,
                at,
            } => {
                let leg = leg.and_then(|leg| self.by_leg.get(&leg).copied());
                let room = room.and_then(|room| self.by_room.get(&room).copied());
                self.pause_tape(&recording, leg, room, pause, at);
            }
            Order::SendLeg { leg, to, ticket } => self.send_leg(leg, to, ticket),
            Order::SendRoom {
                room, to, ticket, ..
            } => self.send_room(room, to, ticket),
            Order::TapeLeg { leg, tape } => self.tape_leg(leg, tape, now),
            Order::TapeRoom { room, tape } => self.tape_room(room, tape, now),
            Order::Untape {
                recording,
                leg,
                room,
                at,
            } => {
                if let Some(key) = leg.and_then(|leg| self.by_leg.get(&leg)) {
                    self.untape_leg(*key, &recording, at);
                }
                if let Some(key) = room.and_then(|room| self.by_room.get(&room)) {
                    self.untape_room(*key, &recording, at);
                }
            }
        }
    }

    fn command(&mut self, command: Command, now: Timestamp) {
        let (leg, room) = command.about();
        let leg = leg.and_then(|leg| self.by_leg.get(leg)).copied();
        let room_key = room.and_then(|room| self.by_room.get(&room)).copied();
        match command {
            Command::CloseRoom { .. } => {
                if let Some(room) = room_key {
                    self.close_room(room, now);
                }
            }
            Command::OpenRoom { room } => self.open_room(room),
            Command::Announce { .. } | Command::SetGain { .. } | Command::SetRoom { .. } => {
                if let Some(room) = room_key {
                    self.room_command(command, room);
                }
            }
            // Taken apart by the engine.
            Command::Migrate { .. }
            | Command::PauseRecord { .. }
            | Command::Record { .. }
            | Command::RecordLeg { .. }
            | Command::StopRecord { .. } => {}
            command => {
                if let Some(key) = leg {
                    self.leg_command(command, key, room_key, now);
                }
            }
        }
    }

    fn leg_command(&mut self, command: Command, key: usize, room: Option<usize>, now: Timestamp) {
        self.agenda.touch(key);
        let leg = &mut self.legs[key];
        leg.own.spent = None;
        match command {
            Command::Checkpoint { .. } => {
                let notice = Notice::LegCheckpoint {
                    leg: leg.id,
                    state: Box::new(leg.checkpoint(now)),
                };
                return self.notices.tell(leg.shard, notice, &self.stats);
            }
            Command::Capture { capture, .. } => return leg.captures.add(capture),
            Command::CaptureEnd { capture, .. } => return leg.captures.remove(&capture),
            Command::CloseLeg { leg } => return self.close_leg(leg, now),
            Command::Conceal { on, .. } => {
                if std::mem::replace(&mut leg.is_concealed, on) && !on {
                    leg.concealed_until = now + CONCEALED_AFTER;
                }
                return;
            }
            Command::Echo { on, .. } => leg.own.echo = on,
            Command::HoldMusic { sound, .. } => {
                if room.is_none() || leg.route.room != room {
                    return;
                }
                leg.hold(sound);
            }
            Command::Join { standing, .. } => match room {
                Some(room) => return self.join(room, key, standing),
                None => return,
            },
            Command::Leave { .. } => {
                if leg.route.room == room {
                    self.leave(key);
                }
                return;
            }
            Command::Play {
                play,
                sounds,
                looped,
                ..
            } => {
                self.take_play(key, Finished::No);
                let player = Player::new(Some(play), sounds, looped);
                let is_over = player.is_over();
                self.legs[key].play(player);
                if is_over {
                    return self.end_play(key);
                }
            }
            Command::SendDigits { digits, .. } => {
                let flow = leg.flow.as_ref();
                let takes_events = flow.is_some_and(|flow| flow.send_telephone_event.is_some());
                for digit in digits.chars() {
                    match &mut leg.tones {
                        Some(tones) if !takes_events => tones.generator.push(digit, DIGIT_MS),
                        _ => leg.digits.push(digit, DIGIT_MS),
                    };
                }
                return;
            }
            Command::Answered { .. } => return leg.answered(now),
            Command::SetLeg { flow, .. } => leg.set_flow(flow, now),
            Command::SetMember { standing, .. } => {
                if room.is_none() || leg.route.room != room {
                    return;
                }
                leg.standing = standing;
            }
            Command::StopPlay { .. } => leg.stop_play(),
            _ => return,
        }
        let leg = &self.legs[key];
        if let Some(flow) = &leg.flow {
            leg.own.order(flow.codec, &self.studio);
        }
        self.replan(key);
    }

    fn room_command(&mut self, command: Command, key: usize) {
        let room = &mut self.rooms[key];
        match command {
            Command::Announce { sounds, .. } => {
                let rate = room.plan.rate();
                match &mut room.announcement {
                    _ if sounds.is_empty() => room.announcement = None,
                    Some(announcement) => announcement.add(sounds, &self.studio),
                    None => {
                        room.announcement = Some(Announcement::new(sounds, rate, &self.studio));
                    }
                }
            }
            Command::SetGain { from, to, gain, .. } => room.set_gain(from, to, gain),
            Command::SetRoom { terms, .. } => room.terms = terms,
            _ => return,
        }
        self.replan_room(key);
    }

    fn open_room(&mut self, id: RoomId) {
        if !self.by_room.contains_key(&id) {
            let key = self.rooms.insert(Box::new(Room::new(id)));
            self.by_room.insert(id, key);
            Stats::add(&self.stats.rooms, 1);
        }
    }

    pub(super) fn close_room(&mut self, key: usize, now: Timestamp) {
        while let Some(member) = self.rooms[key].members.first().copied() {
            self.leave(member);
        }
        let room = self.rooms.remove(key);
        self.by_room.remove(&room.id);
        Stats::take(&self.stats.rooms, 1);
        for tape in room.tapes {
            self.finish(now, |at| tape.close(at));
        }
    }

    fn join(&mut self, room: usize, key: usize, standing: Standing) {
        if self.legs[key].route.room == Some(room) {
            return;
        }
        self.leave(key);
        self.rooms[room].members.push(key);
        let leg = &mut self.legs[key];
        (leg.route.room, leg.standing) = (Some(room), standing);
        self.replan_room(room);
    }

    /// Takes a leg out of its room, if it is in one.
    pub(super) fn leave(&mut self, key: usize) {
        let Some(leg) = self.legs.get_mut(key) else {
            return;
        };
        let Some(room) = leg.route.room.take() else {
            return;
        };
        leg.own.music = None;
        leg.standing = Standing::default();
        let id = leg.id;
        if let Some(room) = self.rooms.get_mut(room) {
            room.members.retain(|member| *member != key);
            room.gains.retain(|gain| gain.from != id && gain.to != id);
        }
        self.replan(key);
        self.replan_room(room);
    }

    pub(super) fn close_leg(&mut self, id: LegId, now: Timestamp) {
        let Some(mut leg) = self.detach(id) else {
            return;
        };
        let Wire {
            packet,
            counts,
            cname,
            ..
        } = &mut *self.wire;
        let goodbye = leg.goodbye(cname, packet);
        if goodbye.is_some_and(|length| leg.send_rtcp(now, packet, length)) {
            counts.rtcp_out += 1;
        }
        self.bury(leg, now);
    }

    /// The last word on a leg: its ports begin to rest, its shard is told.
    fn bury(&mut self, mut leg: Box<Leg>, now: Timestamp) {
        leg.measure();
        let summary = leg.summary();
        Stats::add(&self.stats.lost, summary.lost);
        let (shard, id) = (leg.shard, leg.id);
        if let Some(tape) = leg.tape.take() {
            self.finish(now, |at| tape.close(at));
        }
        leg.lease.rest(now, leg.latch.traces());
        // Sockets and memory go back to signalling, which closes, frees or uses them again.
        if let Err((leg, since)) = self.ended.push((leg, now)) {
            leg.into_spare(since).close();
        }
        Stats::take(&self.stats.legs, 1);
        let summary = Box::new(summary);
        let notice = Notice::LegClosed { leg: id, summary };
        self.notices.tell(shard, notice, &self.stats);
    }

    fn tape_leg(&mut self, leg: LegId, tape: Box<LegTape>, now: Timestamp) {
        Stats::add(&self.stats.recordings, 1);
        let key = self.by_leg.get(&leg).copied();
        let Some((key, leg)) = key.and_then(|key| Some((key, self.legs.get_mut(key)?))) else {
            return self.finish(now, |at| tape.close(at));
        };
        self.agenda.touch(key);
        let before = leg.tape.replace(tape);
        leg.feed_tapes();
        if let Some(before) = before {
            self.finish(now, |at| before.close(at));
        }
    }

    fn tape_room(&mut self, room: RoomId, tape: Box<RoomTape>, now: Timestamp) {
        Stats::add(&self.stats.recordings, 1);
        let Some(key) = self.by_room.get(&room).copied() else {
            return self.finish(now, |at| tape.close(at));
        };
        self.rooms[key].tapes.push(*tape);
        self.replan_room(key);
    }

    fn pause_tape(
        &mut self,
        recording: &RecordingId,
        leg: Option<usize>,
        room: Option<usize>,
        Pause { channel, on }: Pause,
        at: Timestamp,
    ) {
        let leg = leg.and_then(|key| self.legs.get_mut(key)?.tape.as_mut());
        if let Some(tape) = leg.filter(|tape| tape.recording() == recording) {
            match on {
                true => tape.pause(at, channel),
                false => tape.resume(at, channel),
            }
        }
        let tapes = room.and_then(|key| Some(&mut self.rooms.get_mut(key)?.tapes));
        let mut tapes = tapes.into_iter().flatten();
        if let Some(tape) = tapes.find(|tape| tape.recording() == recording) {
            match on {
                true => tape.pause(at, channel),
                false => tape.resume(at, channel),
            }
        }
    }

    fn untape_leg(&mut self, key: usize, recording: &RecordingId, at: Timestamp) {
        let leg = &mut self.legs[key];
        if let Some(tape) = leg.tape.take_if(|tape| tape.recording() == recording) {
            leg.feed_tapes();
            self.finish(at, |at| tape.close(at));
        }
    }

    fn untape_room(&mut self, key: usize, recording: &RecordingId, at: Timestamp) {
        let tapes = &mut self.rooms[key].tapes;
        let place = tapes.iter().position(|tape| tape.recording() == recording);
        if let Some(place) = place {
            let tape = tapes.swap_remove(place);
            self.finish(at, |at| tape.close(at));
            self.replan_room(key);
        }
    }

    fn finish(&self, at: Timestamp, close: impl FnOnce(Timestamp)) {
        Stats::take(&self.stats.recordings, 1);
        close(at);
    }
}

impl Room {
    /// Sets how loud one is for another, from the next tick on; 0 dB needs no route after that.
    fn set_gain(&mut self, from: LegId, to: LegId, gain: Gain) {
        let is_same = |route: &Route| (route.from, route.to) == (from, to);
        if let Some(known) = self.gains.iter().position(is_same) {
            self.gains[known].gain = gain;
        } else if gain != Gain::UNITY && self.gains.len() < MAX_ROUTES {
            self.gains.push(Route {
                from,
                to,
                gain,
                before: Gain::UNITY,
            });
        }
    }
}
