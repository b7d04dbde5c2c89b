//! One leg's media: sockets, belief, both streams, and what it is given to hear.
//!
//! A leg is a value: it moves to another worker whole, with its sockets. Everything it ever needs
//! is allocated when it is made.

use std::net::IpAddr;

use crate::base::{LegId, RoomId, ShardId, Timestamp};
use crate::events::MediaSummary;
use crate::media::capture::Captures;
use crate::media::command::{LegFlow, LegPorts, LegState};
use crate::media::graph::{Hears, Member, Own};
use crate::media::io::Socket;
use crate::media::latch::Latch;
use crate::media::ports::Lease;
use crate::media::rtp::Reception;
use crate::media::spares::Spare;
use crate::media::{Codec, Decoder, dtmf};

use super::ear::Ear;
use super::outbound::Outbound;
use super::packing::Packing;
use super::player::Player;
use super::reports::Reports;
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
    pub(super) latch: Latch,
    pub(super) inbound: Inbound,
    pub(super) out: Outbound,
    /// When the far end wants packets of another length than the tick's.
    pub(super) packing: Option<Box<Packing>>,
    pub(super) reports: Reports,
    /// Digits on their way to the far end.
    pub(super) digits: dtmf::Sender,
    /// While keys are tones.
    pub(super) tones: Option<Box<Tones>>,
    pub(super) own: Given,
    pub(super) route: Route,
    /// Both directions of this leg, being recorded.
    pub(super) tape: Option<Box<LegTape>>,
    /// Where its packets are copied to, while somebody looks.
    pub(super) captures: Captures,
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
    pub(super) refused: u64,
    /// When the last packet came, or listening began.
    pub(super) heard: Timestamp,
    pub(super) told_first: bool,
    pub(super) told_silent: bool,
}

/// What the leg is given to hear instead of a room.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) play: Option<Player>,
    pub(super) music: Option<Player>,
    /// What came to its end in a tick, where nothing is freed; gone with the next order.
    pub(super) spent: Option<Player>,
    pub(super) echo: bool,
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
            latch: Latch::new(traces),
            inbound: Inbound {
                reception: Reception::new(),
                keys: dtmf::Receiver::new(),
                ear: None,
                decoder: None,
                refused: 0,
                heard: now,
                told_first: false,
                told_silent: false,
            },
            out: seed.out,
            packing: None,
            reports: Reports::new(now),
            digits: dtmf::Sender::new(),
            tones: None,
            own: Given::default(),
            route: Route::default(),
            tape: None,
            captures: Captures::default(),
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
            // What was heard in another codec is nothing to go on from.
            if let Some(ear) = &mut self.inbound.ear {
                *ear = Ear::new(flow.codec);
            }
            if let Some(decoder) = &mut self.inbound.decoder {
                **decoder = Decoder::new(flow.codec);
            }
        }
        self.packing = Packing::new(flow.codec, flow.ptime_ms);
        if !flow.tones {
            self.tones = None;
        } else if self.tones.is_none() {
            self.tones = Some(Box::default());
        }
        self.latch.negotiate(flow.remote);
        self.reports.negotiate(flow.remote, flow.remote_rtcp);
        self.flow = Some(flow);
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
            ..Member::new(self.id)
        }
    }

    /// Begins or ends to collect this leg's voice for a mix.
    pub(super) fn feed_mix(&mut self, feeds: bool) {
        let codec = self.flow.as_ref().map(|flow| flow.codec);
        match (feeds, codec) {
            (true, Some(codec)) => {
                self.inbound.ear.get_or_insert_with(|| Ear::new(codec));
            }
            _ => self.inbound.ear = None,
        }
    }

    /// Begins or ends to decode this leg's voice for recordings, as they come and go, and for keys.
    pub(super) fn feed_tapes(&mut self) {
        let codec = self.flow.as_ref().map(|flow| flow.codec);
        let is_taped = self.route.is_taped || self.tape.is_some();
        match codec.filter(|_| is_taped || self.tones.is_some()) {
            Some(codec) => {
                let decoder = &mut self.inbound.decoder;
                decoder.get_or_insert_with(|| Box::new(Decoder::new(codec)));
            }
            None => self.inbound.decoder = None,
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
        let sounds = |tones: &Box<Tones>| tones.generator.is_active();
        self.digits.is_active() || self.tones.as_ref().is_some_and(sounds)
    }

    /// The last word on the leg.
    pub(super) fn summary(&self) -> MediaSummary {
        MediaSummary {
            received: self.inbound.reception.received(),
            sent: self.out.sent().0,
            lost: self.inbound.reception.lost(),
            refused: self.inbound.refused,
            jitter_ms: self.inbound.reception.jitter_ms(),
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
    /// Whether anybody hears the mix.
    pub(super) mixes: bool,
    pub(super) tapes: Vec<super::tape::RoomTape>,
}

impl Room {
    pub(super) fn new(id: RoomId) -> Self {
        Self {
            id,
            members: Vec::with_capacity(8),
            mixes: false,
            tapes: Vec::with_capacity(2),
        }
    }
}
