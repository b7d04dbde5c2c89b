//! A packet comes in: judged, counted, and handed to whoever hears it.

use std::net::SocketAddr;

use crate::base::{LegId, Timestamp};
use crate::events::Way;
use crate::media::graph::{Hears, Own};
use crate::media::latch::Verdict;
use crate::media::quality::Refusal;
use crate::media::recorder;
use crate::media::rtp::{self, Earlier, Header, Packet, is_rtcp};
use crate::media::{MAX_PACKET_SAMPLES, NoiseModel, Notice};

use super::leg::{Leg, Room};
use super::secure::{Door, header_of};
use super::{Counts, Wire, Worker};

/// What a datagram turned out to be.
enum Heard<'a> {
    Audio(Packet<'a>),
    /// A telephone event.
    Event(Packet<'a>),
    /// What a pause sounds like (RFC 3389), as was agreed on.
    Noise(Packet<'a>),
    Refused,
    /// RTCP on the RTP port.
    Report,
    /// Good, but nobody may hear it: the call is on hold.
    Unused(Packet<'a>),
    /// Comfort noise that was not agreed on.
    Pause(Packet<'a>),
}

/// A talker's packet on its way to a listener.
#[derive(Clone, Copy)]
struct Said<'a> {
    from: LegId,
    packet: Packet<'a>,
    kind: Kind,
}

/// What a packet carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Audio,
    Event,
    Noise,
}

impl Worker {
    /// Takes one datagram from a leg's RTP socket.
    pub(super) fn receive_rtp(&mut self, key: usize, now: Timestamp) {
        let wire = &mut *self.wire;
        let counts = &mut wire.counts;
        let Some(leg) = self.legs.get_mut(key) else {
            return;
        };
        // An error is "nothing there", or an ICMP message about something we sent.
        let Ok((length, source)) = leg.rtp.receive(&mut wire.datagram) else {
            return;
        };
        counts.packets_in += 1;
        let datagram = &mut wire.datagram[..length];
        let Some(length) = leg.unprotect(Door::Rtp, datagram, counts) else {
            return leg.show_received(now, source, leg.ports.rtp, header_of(datagram));
        };
        let datagram = &wire.datagram[..length];
        leg.show_received(now, source, leg.ports.rtp, datagram);
        let taped = leg.route.room.filter(|_| leg.route.is_taped);
        let room = taped.and_then(|room| self.rooms.get_mut(room));
        let (id, shard) = (leg.id, leg.shard);
        let mut earlier = Earlier::default();
        let recovered;
        let mut pressed = None;
        let (packet, kind) = match leg.judge(now, source, datagram, &mut earlier) {
            Heard::Audio(packet) => {
                recovered = leg.recover(packet.header(), &earlier);
                let told = |digit| {
                    let notice = Notice::Digit {
                        leg: id,
                        digit,
                        in_band: true,
                        passed_on: false,
                    };
                    self.notices.tell(shard, notice, &self.stats);
                };
                leg.hand_out(now, packet, &mut wire.samples, room, told);
                (packet, Kind::Audio)
            }
            Heard::Event(packet) => {
                leg.note(packet.header(), room);
                recovered = leg.recover(packet.header(), &earlier);
                let keys = &mut leg.inbound.keys;
                pressed = keys.handle_packet(packet.header(), packet.payload());
                (packet, Kind::Event)
            }
            Heard::Noise(packet) => {
                leg.note(packet.header(), room);
                recovered = leg.recover(packet.header(), &earlier);
                leg.fill_pause(&packet);
                leg.watch.pause();
                (packet, Kind::Noise)
            }
            Heard::Refused => {
                leg.inbound.refused += 1;
                counts.refused += 1;
                return;
            }
            Heard::Report => {
                let told = leg.handle_rtcp(now, source, datagram);
                counts.rtcp(told.is_believed);
                if let Some(notice) = told.notice {
                    self.notices.tell(leg.shard, notice, &self.stats);
                }
                return;
            }
            Heard::Unused(packet) => {
                let header = *packet.header();
                leg.note(&header, room);
                return self.leave_out(key, &header);
            }
            Heard::Pause(packet) => {
                leg.inbound.refused += 1;
                counts.refused += 1;
                let header = *packet.header();
                return self.leave_out(key, &header);
            }
        };
        if leg.watch.is_stirred()
            && let Some(after) = leg.watch.hear(now)
        {
            let (leg_id, way) = (leg.id, Way::Said);
            let notice = Notice::AudioBack {
                leg: leg_id,
                way,
                after,
            };
            self.notices.tell(leg.shard, notice, &self.stats);
        }
        if !leg.inbound.told_first {
            leg.inbound.told_first = true;
            let notice = Notice::FirstPacket { leg: leg.id };
            self.notices.tell(leg.shard, notice, &self.stats);
        }
        let said = Said {
            from: leg.id,
            packet,
            kind,
        };
        if leg.route.hears == Hears::Own(Own::Echo) {
            leg.pass_on(now, said, &mut wire.packet, counts);
        }
        let listener = leg.route.relay_to;
        let mut listener = listener.and_then(|listener| self.legs.get_mut(listener));
        let source = (said.from, packet.header().ssrc);
        let mut tell = |digit, passed_on| {
            let notice = Notice::Digit {
                leg: id,
                digit,
                in_band: false,
                passed_on,
            };
            self.notices.tell(shard, notice, &self.stats);
        };
        for (digit, event) in recovered.keys() {
            let passed_on = listener.as_mut().is_some_and(|leg| {
                leg.pass_on_recovered(now, source, &event, &mut wire.packet, counts)
            });
            tell(digit, passed_on);
        }
        let passed_on =
            listener.is_some_and(|leg| leg.pass_on(now, said, &mut wire.packet, counts));
        if let Some(digit) = pressed {
            tell(digit, passed_on);
        }
    }

    /// A leg's packet goes to nobody: to whom it is relayed it must not look lost.
    fn leave_out(&mut self, key: usize, header: &Header) {
        let Some(leg) = self.legs.get_mut(key) else {
            return;
        };
        let from = leg.id;
        if leg.route.hears == Hears::Own(Own::Echo) {
            leg.out.leave_out(from, header);
        }
        let listener = leg.route.relay_to;
        if let Some(listener) = listener.and_then(|listener| self.legs.get_mut(listener)) {
            listener.out.leave_out(from, header);
        }
    }

    /// Takes one datagram from a leg's RTCP socket.
    pub(super) fn receive_rtcp(&mut self, key: usize, now: Timestamp) {
        let Wire {
            datagram, counts, ..
        } = &mut *self.wire;
        let Some(leg) = self.legs.get_mut(key) else {
            return;
        };
        let Ok((length, source)) = leg.rtcp.receive(datagram) else {
            return;
        };
        let datagram = &mut datagram[..length];
        let Some(length) = leg.unprotect(Door::Rtcp, datagram, counts) else {
            return leg.show_received(now, source, leg.ports.rtcp, header_of(datagram));
        };
        let datagram = &datagram[..length];
        leg.show_received(now, source, leg.ports.rtcp, datagram);
        let told = leg.handle_rtcp(now, source, datagram);
        counts.rtcp(told.is_believed);
        if let Some(notice) = told.notice {
            self.notices.tell(leg.shard, notice, &self.stats);
        }
    }
}

/// Static payload type of comfort noise (RFC 3551 §6).
const COMFORT_NOISE: u8 = 13;

impl Leg {
    /// What a datagram is; `earlier` is given what it carries of packets before.
    fn judge<'a>(
        &mut self,
        now: Timestamp,
        source: SocketAddr,
        datagram: &'a [u8],
        earlier: &mut Earlier<'a>,
    ) -> Heard<'a> {
        let Some(flow) = &self.flow else {
            return Heard::Refused;
        };
        if flow.rtcp_mux && is_rtcp(datagram) {
            return Heard::Report;
        }
        let Ok(mut packet) = Packet::parse(datagram) else {
            self.watch.refuse(Refusal::NotRtp);
            return Heard::Refused;
        };
        let redundant = flow.redundancy.map(|it| it.receive_payload_type);
        if redundant == Some(packet.header().payload_type) {
            let Ok((primary, before)) = rtp::unfold(&packet) else {
                let payload_type = packet.header().payload_type;
                self.watch.refuse(Refusal::PayloadType(payload_type));
                return Heard::Refused;
            };
            (packet, *earlier) = (primary, before);
        }
        let header = packet.header();
        let is_audio = header.payload_type == flow.receive_payload_type;
        let is_event = flow.receive_telephone_event == Some(header.payload_type);
        // Noise comes in the midst of a stream: nobody is believed for it.
        let is_latched = self.latch.source() == Some(source);
        let is_noise = flow.comfort_noise == Some(header.payload_type) && is_latched;
        if !is_audio && !is_event && !is_noise {
            if header.payload_type == COMFORT_NOISE && is_latched {
                // Not agreed on and not recorded, but a sign of life, and what a pause sounds like.
                self.inbound.heard = now;
                self.fill_pause(&packet);
                return Heard::Pause(packet);
            }
            self.watch.refuse(Refusal::PayloadType(header.payload_type));
            return Heard::Refused;
        }
        let (ssrc, sequence) = (header.ssrc, header.sequence);
        if self.latch.judge(now, source, ssrc, sequence) == Verdict::Refuse {
            self.watch.refuse(Refusal::Elsewhere(source));
            return Heard::Refused;
        }
        let inbound = &mut self.inbound;
        inbound.reception.handle_packet(header, now);
        inbound.heard = now;
        inbound.told_silent = false;
        match flow.receiving {
            false => Heard::Unused(packet),
            true if is_audio => Heard::Audio(packet),
            true if is_event => Heard::Event(packet),
            true => Heard::Noise(packet),
        }
    }

    /// Lets those who hear a mix hear in the far end's pause what it says the pause sounds like.
    fn fill_pause(&mut self, packet: &Packet<'_>) {
        let model = NoiseModel::parse(packet.payload());
        if let (Some(ear), Some(model)) = (&mut self.inbound.ear, model) {
            ear.jitter().comfort_noise(packet.header(), model);
        }
    }

    /// Gives a packet to the mix and, decoded, to the recordings; `pressed` is told keys that sound
    /// in it.
    fn hand_out(
        &mut self,
        now: Timestamp,
        packet: Packet<'_>,
        samples: &mut [i16],
        room: Option<&mut Box<Room>>,
        pressed: impl FnMut(char),
    ) {
        let (header, payload) = (packet.header(), packet.payload());
        if let Some(ear) = &mut self.inbound.ear {
            ear.jitter().insert(now, header, payload);
        }
        let Some(decoder) = &mut self.inbound.decoder else {
            return;
        };
        let length = decoder.decode(payload, samples);
        let samples = &samples[..length];
        if let Some(tones) = &mut self.tones {
            tones.hear(header, (samples, decoder.rate()), pressed);
        }
        let heard = recorder::Heard::new(decoder.codec(), header, samples);
        if let Some(tape) = &mut self.tape {
            tape.said(now, heard);
        }
        for tape in room.into_iter().flat_map(|room| &mut room.tapes) {
            tape.voice(self.id, now, heard);
        }
    }

    /// Tells the mix and the recordings of a packet they do not get.
    fn note(&mut self, header: &Header, room: Option<&mut Box<Room>>) {
        if let Some(ear) = &mut self.inbound.ear {
            ear.jitter().pass(header);
        }
        if let Some(tape) = &mut self.tape {
            tape.pass_said(header);
        }
        for tape in room.into_iter().flat_map(|room| &mut room.tapes) {
            tape.pass(self.id, header);
        }
    }

    /// Sends a talker's packet on, in this leg's own stream; says whether it did.
    fn pass_on(
        &mut self,
        now: Timestamp,
        said: Said<'_>,
        buffer: &mut [u8],
        counts: &mut Counts,
    ) -> bool {
        let Some(payload_type) = self.payload_type_of(said) else {
            self.out.leave_out(said.from, said.packet.header());
            return false;
        };
        self.relay(now, said, payload_type, buffer, counts)
    }

    /// What a talker's packet is for the far end; `None` when it is nothing to send there.
    fn payload_type_of(&self, said: Said<'_>) -> Option<u8> {
        if self.is_dialling() || said.packet.payload().len() > MAX_PACKET_SAMPLES {
            return None;
        }
        let (_, audio) = self.sending()?;
        let flow = self.flow.as_ref()?;
        match said.kind {
            Kind::Audio => Some(audio),
            // A far end that takes no events: the digit is told to signalling, which may tell it.
            Kind::Event => flow.send_telephone_event,
            Kind::Noise => flow.comfort_noise,
        }
    }

    fn relay(
        &mut self,
        now: Timestamp,
        said: Said<'_>,
        payload_type: u8,
        buffer: &mut [u8],
        counts: &mut Counts,
    ) -> bool {
        let (header, payload) = (said.packet.header(), said.packet.payload());
        let is_event = said.kind == Kind::Event;
        let Some(place) = self.out.relay(now, said.from, header, is_event) else {
            return false;
        };
        let resumes = said.kind == Kind::Audio && self.silence.end();
        let header = Header {
            marker: header.marker || place.after_pause || resumes,
            payload_type,
            sequence: place.sequence,
            timestamp: place.timestamp,
            ssrc: self.out.ssrc(),
        };
        match is_event {
            true => self.transmit_event(now, header, payload, buffer, counts),
            false => self.transmit(now, header, payload, buffer, counts),
        }
        true
    }

    /// Shows a packet that came in to whoever captures the leg.
    fn show_received(&self, now: Timestamp, from: SocketAddr, to: SocketAddr, packet: &[u8]) {
        for capture in self.captures.each() {
            capture.put(now, from, to, self.shown(now, packet));
        }
    }

    /// What captures may see of a packet.
    fn shown<'p>(&self, now: Timestamp, packet: &'p [u8]) -> &'p [u8] {
        match self.is_concealed || now < self.concealed_until {
            true => header_of(packet),
            false => packet,
        }
    }

    /// Shows a packet that goes out to whoever captures the leg.
    pub(super) fn show_sent(
        &self,
        now: Timestamp,
        from: SocketAddr,
        to: Option<SocketAddr>,
        packet: &[u8],
    ) {
        let Some(to) = to else { return };
        for capture in self.captures.each() {
            capture.put(now, from, to, self.shown(now, packet));
        }
    }

    /// Hands a packet to the network.
    pub(super) fn transmit(
        &mut self,
        now: Timestamp,
        header: Header,
        payload: &[u8],
        buffer: &mut [u8],
        counts: &mut Counts,
    ) {
        let Some(to) = self.latch.destination() else {
            return;
        };
        let Some(length) = rtp::write(buffer, header, payload) else {
            return;
        };
        self.show_sent(now, self.ports.rtp, Some(to), &buffer[..length]);
        let Some(length) = self.protect(buffer, length, counts) else {
            return;
        };
        match self.rtp.send(&buffer[..length], to) {
            Ok(()) => counts.packets_out += 1,
            Err(_) => {
                counts.send_failed += 1;
                self.watch.unsent();
            }
        }
        // The numbers are used up either way; to the far end a failure is a loss.
        self.out.count(payload.len());
        let (Some(tape), Some(flow)) = (&mut self.tape, &self.flow) else {
            return;
        };
        let is_audio = header.payload_type == flow.send_payload_type;
        match self.inbound.sent.as_mut().filter(|_| is_audio) {
            Some(sent) => {
                let samples = sent.hear(payload);
                tape.sent(now, recorder::Heard::new(flow.codec, &header, samples));
            }
            None => tape.pass_sent(&header),
        }
    }
}
