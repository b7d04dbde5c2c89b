//! One leg's media: sockets, belief, both streams, and what it is given to hear.
//!
//! A leg is a value: it moves to another worker whole, with its sockets. Everything it ever needs
//! is allocated when it is made.

use std::net::IpAddr;

use crate::base::{LegId, RoomId, ShardId, Timestamp};
use crate::events::MediaSummary;
use crate::media::capture::Captures;
use crate::media::command::{LegFlow, LegPorts, LegState, RoomTerms};
use crate::media::graph::{Hears, Member, Own, Plan, Route as Gains, Standing};
use crate::media::io::Socket;
use crate::media::latch::Latch;
use crate::media::ports::Lease;
use crate::media::quality::{Quality, Received, Watch};
use crate::media::rtp::Reception;
use crate::media::spares::Spare;
use crate::media::srtp::Session;
use crate::media::{Codec, Decoder, MAX_DECODED, Rate, dtmf};

use super::announcement::Announcement;
use super::ear::Ear;
use super::given::Given;
use super::outbound::Outbound;
use super::packing::Packing;
use super::reports::Reports;
use super::silence::Suppression;
use super::speech::{Outlet, OwnMix, Voicing};
use super::tape::LegTape;
use super::tones::Tones;

/// One leg on its worker.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(super) id: LegId,
    pub(super) shard: ShardId,
    pub(super) ports: LegPorts,
    pub(super) lease: Lease,
    /// Where its sockets are bound.
    pub(super) ip: IpAddr,
    pub(super) rtp: Socket,
    pub(super) rtcp: Socket,
    pub(super) flow: Option<LegFlow>,
    /// Protects its packets, when they are to be.
    pub(super) srtp: Option<Box<Session>>,
    pub(super) latch: Latch,
    pub(super) inbound: Inbound,
    pub(super) out: Outbound,
    /// When the far end wants packets of another length than the tick's.
    pub(super) packing: Option<Box<Packing>>,
    /// While it hears a mix.
    pub(super) own_mix: Option<Box<OwnMix>>,
    pub(super) reports: Reports,
    pub(super) quality: Quality,
    /// Whether it is heard, and hears.
    pub(super) watch: Watch,
    /// What it is sent in place of the silence of a mix.
    pub(super) silence: Suppression,
    /// Digits on their way to the far end.
    pub(super) digits: dtmf::Sender,
    /// Events it was sent, for those that come after.
    pub(super) events_sent: dtmf::History,
    /// While keys are tones.
    pub(super) tones: Option<Box<Tones>>,
    pub(super) own: Given,
    /// Its part in its room.
    pub(super) standing: Standing,
    pub(super) route: Route,
    /// Both directions of this leg, being recorded.
    pub(super) tape: Option<Box<LegTape>>,
    /// Where its packets are copied to, while somebody looks.
    pub(super) captures: Captures,
    /// Whether these see headers only, or until when.
    pub(super) is_concealed: bool,
    pub(super) concealed_until: Timestamp,
}

/// What comes in.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) reception: Reception,
    pub(super) keys: dtmf::Receiver,
    /// While somebody hears this leg in a mix.
    pub(super) ear: Option<Box<Ear>>,
    /// While a recording takes this leg's voice, or it is listened to for keys.
    pub(super) decoder: Option<Box<Decoder>>,
    /// While a recording takes what this leg is sent.
    pub(super) sent: Option<Box<Sent>>,
    pub(super) refused: u64,
    /// Packets too late for the ears it had before.
    pub(super) late: u64,
    /// When the last packet came, or listening began.
    pub(super) heard: Timestamp,
    pub(super) told_first: bool,
    pub(super) told_silent: bool,
    /// Whether signalling was told that it talks.
    pub(super) told_talking: bool,
}

/// What the leg is sent, decoded again for a recording.
#[derive(Debug)]
pub(super) struct Sent {
    decoder: Decoder,
    samples: [i16; MAX_DECODED],
}

impl Sent {
    fn new(codec: Codec) -> Box<Self> {
        Box::new(Self {
            decoder: Decoder::new(codec),
            samples: [0; MAX_DECODED],
        })
    }

    /// The samples of the next payload.
    pub(super) fn hear(&mut self, payload: &[u8]) -> &[i16] {
        let length = self.decoder.decode(payload, &mut self.samples);
        &self.samples[..length]
    }
}

/// Where voices go, as the graph decided; keys are those of the worker's slab.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Route {
    pub(super) room: Option<usize>,
    pub(super) hears: Hears,
    /// Who hears this leg's packets as they come.
    pub(super) relay_to: Option<usize>,
    /// Whether a recording of the room takes this leg's voice.
    pub(super) is_taped: bool,
}

/// What makes a leg.
#[derive(Debug)]
pub(crate) struct Seed {
    pub(crate) id: LegId,
    pub(crate) shard: ShardId,
    pub(crate) ports: LegPorts,
    /// Its ports and sockets.
    pub(crate) spare: Spare,
    /// Where the outgoing stream begins.
    pub(crate) out: Outbound,
}

impl Leg {
    /// A leg that hears and says nothing yet.
    pub(crate) fn new(seed: Seed, now: Timestamp) -> Self {
        let Spare {
            lease,
            rtp,
            rtcp,
            ip,
            ..
        } = seed.spare;
        let traces = lease.traces();
        Self {
            id: seed.id,
            shard: seed.shard,
            ports: seed.ports,
            lease,
            ip,
            rtp,
            rtcp,
            flow: None,
            srtp: None,
            latch: Latch::new(traces, ip),
            inbound: Inbound {
                reception: Reception::new(),
                keys: dtmf::Receiver::new(),
                ear: None,
                decoder: None,
                sent: None,
                refused: 0,
                late: 0,
                heard: now,
                told_first: false,
                told_silent: false,
                told_talking: false,
            },
            out: seed.out,
            packing: None,
            own_mix: None,
            reports: Reports::new(now),
            quality: Quality::default(),
            watch: Watch::default(),
            silence: Suppression::default(),
            digits: dtmf::Sender::new(),
            events_sent: dtmf::History::new(),
            tones: None,
            own: Given::default(),
            standing: Standing::default(),
            route: Route::default(),
            tape: None,
            captures: Captures::default(),
            is_concealed: false,
            concealed_until: Timestamp::ZERO,
        }
    }

    /// What another leg can use when this one is over; the rest of it is freed here, which is no
    /// work for a worker.
    pub(crate) fn into_spare(self, since: Timestamp) -> Spare {
        Spare {
            lease: self.lease,
            rtp: self.rtp,
            rtcp: self.rtcp,
            ip: self.ip,
            since,
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> LegId {
        self.id
    }

    /// Goes on with what a checkpoint knew of the far end.
    pub(crate) fn resume(&mut self, state: &LegState, now: Timestamp) {
        if let Some(flow) = &state.flow {
            self.set_flow(flow.clone(), now);
            self.resume_secure(flow.srtp.as_ref(), state.srtp.as_ref());
        }
        if let Some(source) = state.latched {
            self.latch.resume(source, now);
        }
    }

    /// Takes over what was negotiated.
    pub(super) fn set_flow(&mut self, flow: LegFlow, now: Timestamp) {
        let was_receiving = self.flow.as_ref().is_some_and(|flow| flow.receiving);
        if flow.receiving && !was_receiving {
            self.inbound.heard = now;
            self.inbound.told_silent = false;
        }
        let is_new = |before: &LegFlow| before.codec != flow.codec;
        if self.flow.as_ref().is_none_or(is_new) {
            self.out.set_clock(flow.codec.clock_hz(), now);
            self.inbound.reception.set_clock(flow.codec.clock_hz());
            // What was heard in another codec is nothing to go on from.
            if let Some(ear) = &mut self.inbound.ear {
                self.inbound.late += ear.late();
                *ear = Ear::new(flow.codec);
            }
            if let Some(decoder) = &mut self.inbound.decoder {
                **decoder = Decoder::new(flow.codec);
            }
            if let Some(sent) = &mut self.inbound.sent {
                *sent = Sent::new(flow.codec);
            }
            self.own.furnish(flow.codec);
            self.forget_events();
        }
        self.packing = Packing::new(flow.codec, flow.ptime_ms);
        let codec = flow.codec;
        let tones = self.tones.take().filter(|tones| tones.codec() == codec);
        let wanted = || tones.unwrap_or_else(|| Tones::new(codec));
        self.tones = flow.tones.then(wanted);
        self.secure(flow.srtp.as_ref());
        self.latch.negotiate(flow.remote, flow.signalled);
        self.reports.negotiate(flow.remote, flow.remote_rtcp);
        let before = self.flow.as_ref().map(|before| before.remote);
        if before.is_some_and(|before| before != flow.remote) {
            self.watch.moved(now);
        }
        self.flow = Some(flow);
        self.expect_sound(now);
    }

    /// Signalling says that the leg is answered.
    pub(super) fn answered(&mut self, now: Timestamp) {
        self.watch.answered();
        self.expect_sound(now);
    }

    /// Whether sound is due both ways.
    fn expect_sound(&mut self, now: Timestamp) {
        let both_ways = |flow: &LegFlow| flow.sending && flow.receiving && flow.remote.is_some();
        self.watch
            .agree(now, self.flow.as_ref().is_some_and(both_ways));
    }

    /// What the graph must know.
    pub(super) fn member(&self) -> Member {
        let own = if self.own.play.is_some() {
            Some(Own::Play)
        } else if self.own.music.is_some() {
            Some(Own::Music)
        } else {
            self.own.echo.then_some(Own::Echo)
        };
        Member {
            format: self.flow.as_ref().map(|flow| (flow.codec, flow.ptime_ms)),
            own,
            standing: self.standing,
            is_held: self.own.music.is_some() && self.route.room.is_some(),
            leg: self.id,
        }
    }

    /// Begins or ends to collect this leg's voice for a mix of this rate.
    pub(super) fn feed_mix(&mut self, rate: Option<Rate>) {
        let codec = self.flow.as_ref().map(|flow| flow.codec);
        match (rate, codec) {
            (Some(rate), Some(codec)) => {
                let ear = &mut self.inbound.ear;
                ear.get_or_insert_with(|| Ear::new(codec)).tune(rate);
            }
            _ => {
                let ear = self.inbound.ear.take();
                self.inbound.late += ear.map_or(0, |ear| ear.late());
            }
        }
    }

    /// What it is sent, and on what terms.
    pub(super) fn voicing(&self) -> Option<Voicing> {
        self.flow.as_ref().map(|flow| (flow.codec, flow.opus))
    }

    /// Begins or ends to hear a mix of this rate.
    pub(super) fn hear_mix(&mut self, rate: Option<Rate>) {
        match (rate, self.voicing()) {
            (Some(rate), Some(voicing)) => {
                let own = &mut self.own_mix;
                own.get_or_insert_with(|| OwnMix::new(rate, voicing))
                    .tune(rate, voicing);
            }
            _ => self.own_mix = None,
        }
    }

    /// Begins or ends to decode this leg's streams for recordings, as they come and go, and
    /// the one that comes in for keys.
    pub(super) fn feed_tapes(&mut self) {
        let codec = self.flow.as_ref().map(|flow| flow.codec);
        let Inbound { decoder, sent, .. } = &mut self.inbound;
        let is_heard = self.route.is_taped || self.tape.is_some() || self.tones.is_some();
        match codec.filter(|_| is_heard) {
            Some(codec) => drop(decoder.get_or_insert_with(|| Box::new(Decoder::new(codec)))),
            None => *decoder = None,
        }
        match codec.filter(|_| self.tape.is_some()) {
            Some(codec) => drop(sent.get_or_insert_with(|| Sent::new(codec))),
            None => *sent = None,
        }
    }

    /// The codec and payload type to send with, when we may send and know where to.
    pub(super) fn sending(&self) -> Option<(Codec, u8)> {
        let flow = self.flow.as_ref().filter(|flow| flow.sending)?;
        self.latch.destination()?;
        Some((flow.codec, flow.send_payload_type))
    }

    /// Whether the tick's digits take the place of everything else.
    pub(super) fn is_dialling(&self) -> bool {
        let tones = self.tones.as_deref();
        let sounds = |tones: &Tones| tones.generator.is_active();
        self.digits.is_active() || tones.is_some_and(sounds)
    }

    /// What it counts, up to now.
    pub(super) fn summary(&self) -> MediaSummary {
        let (sent, refused) = (self.out.sent().0, self.inbound.refused);
        self.quality.summary(&self.received(), sent, refused)
    }

    /// What was received so far.
    pub(super) fn received(&self) -> Received {
        let Inbound {
            reception,
            ear,
            late,
            ..
        } = &self.inbound;
        Received {
            received: reception.received(),
            lost: reception.lost(),
            late: late + ear.as_ref().map_or(0, |ear| ear.late()),
            jitter_ms: reception.jitter_ms() as f32,
            buffer_ms: ear.as_ref().map(|ear| ear.depth_ms()),
            packet_ms: reception.packet_ms(),
            pattern: reception.pattern(),
        }
    }

    /// What another process needs to go on.
    pub(super) fn checkpoint(&self, now: Timestamp) -> LegState {
        LegState {
            leg: self.id,
            shard: self.shard,
            at: now,
            ports: self.ports,
            flow: self.flow.clone(),
            latched: self.latch.source(),
            srtp: self.srtp.as_ref().map(|session| session.state()),
            ssrc: self.out.ssrc(),
            sequence: self.out.sequence(),
            timestamp: self.out.sample_at(now),
        }
    }
}

/// A conference on its worker.
#[derive(Debug)]
pub(crate) struct Room {
    pub(super) id: RoomId,
    /// Keys of the worker's slab, in order of joining.
    pub(super) members: Vec<usize>,
    /// Who hears whom.
    pub(super) plan: Plan,
    /// How loud, where it is not as all do.
    pub(super) gains: Vec<Gains>,
    /// Whether a tick has led to the gains of the plan.
    pub(super) is_settled: bool,
    pub(super) terms: RoomTerms,
    /// What is played to all.
    pub(super) announcement: Option<Box<Announcement>>,
    /// What is encoded once for many.
    pub(super) outlets: Vec<Outlet>,
    pub(super) tapes: Vec<super::tape::RoomTape>,
}

impl Room {
    pub(super) fn new(id: RoomId) -> Self {
        Self {
            id,
            members: Vec::with_capacity(8),
            plan: Plan::default(),
            gains: Vec::new(),
            is_settled: false,
            terms: RoomTerms::default(),
            announcement: None,
            outlets: Vec::new(),
            tapes: Vec::with_capacity(2),
        }
    }
}
