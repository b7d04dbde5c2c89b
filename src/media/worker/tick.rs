//! The tick: every 20 ms what is mixed, played or dialled goes out, and what is due is done.

use std::time::Duration;

use crate::base::Timestamp;
use crate::media::graph::{Hears, Own};
use crate::media::rtp::Header;
use crate::media::{Notice, dtmf};

use super::leg::Leg;
use super::packing::Packing;
use super::reports::INTERVAL;
use super::speech::MAX_PAYLOAD;
use super::{Counts, Shed, Wire, Worker};

/// How soon it is seen that one who was told as silent spoke and fell silent again.
const SILENT_AGAIN: Duration = Duration::from_secs(1);
/// A leg from which nothing came for this long is told as silent.
const SILENT_AFTER: Duration = Duration::from_secs(30);

impl Worker {
    /// Plays the tick of time `at`.
    pub(super) fn tick(&mut self, at: Timestamp) {
        self.notices.flush();
        self.play(at);
        self.mix(at);
        self.wire.counts.ticks += 1;
    }

    /// All that concerns one leg alone.
    fn play(&mut self, at: Timestamp) {
        let Wire { packet, counts, .. } = &mut *self.wire;
        let sends_figures = self.load.shed() < Shed::Figures;
        let mut from = 0;
        while let Some(key) = self.agenda.next(from, at) {
            from = key + 1;
            let Some(leg) = self.legs.get_mut(key) else {
                self.agenda.forget(key);
                continue;
            };
            if let Some(ear) = &mut leg.inbound.ear {
                ear.tick();
            }
            match leg.route.hears {
                Hears::Mix => {}
                Hears::Own(Own::Play | Own::Music) => {
                    let is_over = leg.play_frame(at, packet, counts);
                    // Several ticks may pass before it is taken away.
                    let is_new = is_over && !self.finished.contains(&key);
                    self.finished.extend(is_new.then_some(key));
                }
                _ if leg.is_dialling() => leg.send_frame(at, None, packet, counts),
                _ => {}
            }
            let has_room = self.reporting.len() < self.reporting.capacity();
            if at >= leg.reports.next && sends_figures && has_room {
                leg.reports.next = at + INTERVAL;
                self.reporting.push(key);
            }
            if let Some(tape) = &mut leg.tape {
                let turn = tape.tick(at);
                if let Some(speaking) = turn {
                    let leg_id = leg.id;
                    let notice = Notice::Speaking {
                        leg: leg_id,
                        speaking,
                    };
                    self.notices.tell(leg.shard, notice, &self.stats);
                }
            }
            if let Some(since) = leg.fell_silent(at) {
                let notice = Notice::Silent { leg: leg.id, since };
                self.notices.tell(leg.shard, notice, &self.stats);
            }
            if let Some(notice) = leg.missed_sound(at) {
                self.notices.tell(leg.shard, notice, &self.stats);
            }
            self.agenda.rest(key, leg.next_look(at));
        }
    }

    /// Sends one report that is due, and tells what the leg counted; says whether one was due. One
    /// at a time, packets between them: those of a tick together would hold them up longer than all
    /// else in it.
    pub(crate) fn take_report(&mut self, now: Timestamp) -> bool {
        let Some(key) = self.reporting.pop() else {
            return false;
        };
        let Wire {
            packet,
            counts,
            cname,
            ..
        } = &mut *self.wire;
        if let Some(leg) = self.legs.get_mut(key) {
            if let Some(media) = leg.measure() {
                self.notices
                    .tell_measured(leg.shard, leg.id, media, &self.stats);
            }
            let report = leg.report(now, cname, packet);
            if report.is_some_and(|length| leg.send_rtcp(now, packet, length)) {
                counts.rtcp_out += 1;
            }
        }
        true
    }

    /// Takes away what came to its end in the ticks: who hears whom is planned anew, which is no
    /// work for a tick, and the next one knows it.
    pub(crate) fn end_plays(&mut self) {
        while let Some(key) = self.finished.pop() {
            self.end_play(key);
        }
        while let Some(key) = self.stale.pop() {
            self.replan_room(key);
        }
    }
}

impl Leg {
    /// Sends the next frame of what is played; says whether that was the last.
    fn play_frame(&mut self, at: Timestamp, packet: &mut [u8], counts: &mut Counts) -> bool {
        let Some(codec) = self.flow.as_ref().map(|flow| flow.codec) else {
            return false;
        };
        let may_send = self.sending().is_some();
        if may_send && (self.is_dialling() || self.out.next_tick(at).is_none()) {
            // A digit, or a seam: what is played waits, nothing of it is lost.
            self.send_frame(at, None, packet, counts);
            return false;
        }
        let Some(player) = self.own.player() else {
            return false;
        };
        let mut payload = [0; MAX_PAYLOAD];
        let length = player.next_frame(codec, &mut payload);
        let is_over = player.is_over();
        if let Some(length) = length {
            self.send_frame(at, Some(&payload[..length]), packet, counts);
        }
        is_over
    }

    /// Sends a digit's packet when one is due, else the frame.
    pub(super) fn send_frame(
        &mut self,
        at: Timestamp,
        payload: Option<&[u8]>,
        buffer: &mut [u8],
        counts: &mut Counts,
    ) {
        // Nothing is due when nobody speaks and the far end wants no silence.
        let payload = payload.filter(|payload| !payload.is_empty());
        let Some((_, audio)) = self.sending() else {
            return;
        };
        let Some(place) = self.out.next_tick(at) else {
            return;
        };
        let event = self
            .flow
            .as_ref()
            .and_then(|flow| Some((flow.send_telephone_event?, flow.telephone_event_hz)));
        if event.is_none() && self.digits.is_active() {
            self.digits = dtmf::Sender::new();
        }
        let mut tone = [0; MAX_PAYLOAD];
        let sounding = self
            .tones
            .as_mut()
            .filter(|tones| tones.generator.is_active());
        let length = sounding.and_then(|tones| tones.frame(&mut tone));
        let payload = length.map(|length| &tone[..length]).or(payload);
        let resumes = payload.is_some() && self.silence.end();
        let mut header = Header {
            marker: resumes || place.after_pause,
            payload_type: audio,
            sequence: place.sequence,
            timestamp: place.timestamp,
            ssrc: self.out.ssrc(),
        };
        if let Some((payload_type, clock_hz)) = event
            && let Some(event) = self.digits.next(place.timestamp, clock_hz)
        {
            header.marker = event.marker;
            header.payload_type = payload_type;
            header.timestamp = event.timestamp;
            if let Some(packing) = &mut self.packing {
                packing.clear();
            }
            self.out.take(at, place);
            self.transmit_event(at, header, &event.payload, buffer, counts);
        } else if let Some(payload) = payload {
            match self.packing.take() {
                None => {
                    self.out.take(at, place);
                    self.transmit(at, header, payload, buffer, counts);
                }
                Some(mut packing) => {
                    self.out.take_frame(at, place);
                    self.pack(at, header, payload, &mut packing, buffer, counts);
                    self.packing = Some(packing);
                }
            }
        }
    }

    /// Sends what becomes whole with this frame, and first what it does not go on from.
    fn pack(
        &mut self,
        at: Timestamp,
        mut header: Header,
        frame: &[u8],
        packing: &mut Packing,
        buffer: &mut [u8],
        counts: &mut Counts,
    ) {
        let mut packet = Packing::room();
        let left = (!packing.is_next(header.timestamp)).then(|| packing.flush(&mut packet));
        if let Some((timestamp, length)) = left.flatten() {
            let before = Header {
                marker: packing.take_mark(),
                timestamp,
                sequence: self.out.number(),
                ..header
            };
            self.transmit(at, before, &packet[..length], buffer, counts);
        }
        packing.push(header.timestamp, frame);
        packing.mark(header.marker);
        while let Some((timestamp, length)) = packing.pop(&mut packet) {
            header.timestamp = timestamp;
            header.sequence = self.out.number();
            header.marker = packing.take_mark();
            self.transmit(at, header, &packet[..length], buffer, counts);
        }
    }

    /// When the leg has something to do again at a tick, if nothing about it changes before.
    fn next_look(&self, at: Timestamp) -> Timestamp {
        let plays = matches!(self.route.hears, Hears::Own(Own::Play | Own::Music));
        if plays || self.inbound.ear.is_some() || self.is_dialling() || self.tape.is_some() {
            return at;
        }
        // Each packet puts the silence off; it is reckoned anew when its time has come.
        let silent = match (self.is_listening(), self.inbound.told_silent) {
            (false, _) => self.reports.next,
            (true, false) => self.inbound.heard + SILENT_AFTER,
            (true, true) => at + SILENT_AGAIN,
        };
        let missed = self.watch.next_look(at, self.inbound.heard);
        let next = self.reports.next.min(silent);
        missed.map_or(next, |missed| missed.min(next))
    }

    fn is_listening(&self) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.receiving)
    }

    /// When the last packet came, once that is too long ago.
    fn fell_silent(&mut self, at: Timestamp) -> Option<Timestamp> {
        let listening = self.is_listening();
        let inbound = &mut self.inbound;
        if !listening || inbound.told_silent || at.since(inbound.heard) < SILENT_AFTER {
            return None;
        }
        inbound.told_silent = true;
        Some(inbound.heard)
    }
}
