//! The engine in virtual time: what the far ends of legs hear and see.

mod conference;
mod continuity;
mod frugal;
mod hearing;
mod junk;
mod load;
mod matrix;
mod mouth_to_ear;
mod pauses;
mod playing;
mod quality;
mod real;
mod recording;
mod redundancy;
mod secure;
mod sources;
mod storm;
mod strangers;

use std::net::SocketAddr;

use super::rtp::{self, Header, Packet};
use super::{
    Codec, Command, Encoder, Engine, EngineConfig, FRAME_SAMPLES, LegFlow, Library, MAX_FRAME,
    Notice, OpusTerms, Rate, Resampler, Standing, Tone, VirtualEndpoint, VirtualNet,
};
use crate::base::{LegId, RoomId, ShardId, Timestamp};

const ROOM: RoomId = RoomId(1);
const EVENT: u8 = 101;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 9], port))
}

/// An engine, its network and its time.
struct Office {
    engine: Engine,
    net: VirtualNet,
    now: i64,
}

impl Office {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut EngineConfig)) -> Self {
        let mut config = EngineConfig {
            ports: 20_000..=20_199,
            max_legs: 50,
            ..EngineConfig::default()
        };
        change(&mut config);
        let net = VirtualNet::new();
        let library = Library::built_in();
        Self {
            engine: Engine::simulated(config, library, net.clone()),
            net,
            now: 0,
        }
    }

    fn send(&self, command: Command) {
        self.engine.send(command).expect("accepted");
    }

    /// A phone with an open and negotiated leg.
    fn phone(&self, number: u16, codec: Codec) -> Phone {
        let leg = LegId(u64::from(number));
        let ports = self.engine.open_leg(leg, ShardId(0)).expect("opens");
        let phone = Phone {
            leg,
            codec,
            wire: self.net.endpoint(address(40_000 + 2 * number)),
            rtcp: self.net.endpoint(address(40_001 + 2 * number)),
            switch: ports.rtp,
            sequence: number.wrapping_mul(1000),
            timestamp: 77_777 * u32::from(number),
            ssrc: 0x1000 + u32::from(number),
            tone: Tone::new(440.0 * f64::from(number), -10.0),
            voice: None,
        };
        let flow = phone.flow();
        self.send(Command::SetLeg { leg, flow });
        phone
    }

    fn join(&self, phone: &Phone) {
        let leg = phone.leg;
        self.send(Command::Join {
            room: ROOM,
            leg,
            standing: Standing::default(),
        });
    }

    /// Two phones of one codec in a room.
    fn pair(&self) -> (Phone, Phone) {
        let (a, b) = (self.phone(1, Codec::Pcmu), self.phone(2, Codec::Pcmu));
        self.send(Command::OpenRoom { room: ROOM });
        self.join(&a);
        self.join(&b);
        (a, b)
    }

    /// Lets time pass.
    fn run(&mut self, ms: i64) {
        self.now += ms;
        self.engine.run_until(at(self.now));
    }

    /// Lets everybody speak for so many frames, each phone at its own phase.
    fn talk(&mut self, frames: usize, phones: &mut [&mut Phone]) {
        for _ in 0..frames {
            for (place, phone) in phones.iter_mut().enumerate() {
                phone.speak_at(at(self.now + 3 + 5 * place as i64));
            }
            self.run(20);
        }
    }

    fn notices(&self) -> Vec<Notice> {
        let mut receiver = self.engine.notices(ShardId(0));
        std::iter::from_fn(|| receiver.try_recv()).collect()
    }
}

/// A far end.
struct Phone {
    leg: LegId,
    codec: Codec,
    wire: VirtualEndpoint,
    rtcp: VirtualEndpoint,
    switch: SocketAddr,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    tone: Tone,
    /// What speaks in a codec with a memory.
    voice: Option<(Encoder, Resampler)>,
}

/// A packet a far end received.
#[derive(Clone, Debug)]
struct Got {
    at: Timestamp,
    header: Header,
    payload: Vec<u8>,
}

impl Phone {
    fn flow(&self) -> LegFlow {
        LegFlow {
            remote: Some(self.wire.address()),
            remote_rtcp: None,
            signalled: None,
            rtcp_mux: false,
            extended_reports: Default::default(),
            codec: self.codec,
            send_payload_type: self.codec.payload_type(),
            receive_payload_type: self.codec.payload_type(),
            send_telephone_event: Some(EVENT),
            receive_telephone_event: Some(EVENT),
            telephone_event_hz: self.codec.clock_hz(),
            redundancy: None,
            comfort_noise: None,
            opus: OpusTerms::default(),
            ptime_ms: 20,
            tones: false,
            sending: true,
            receiving: true,
            srtp: None,
        }
    }

    /// The next packet of its tone, which is one of 8 kHz in every codec.
    fn packet(&mut self) -> Vec<u8> {
        let mut samples = [0; FRAME_SAMPLES];
        self.tone.fill(&mut samples);
        let mut payload = [0; 2 * MAX_FRAME];
        let length = match self.codec.has_memory() {
            false => self.codec.encode(&samples, &mut payload),
            true => {
                let (codec, rate) = (self.codec, self.codec.rate());
                let voice = self
                    .voice
                    .take()
                    .filter(|(before, _)| before.codec() == codec);
                let fresh = || (Encoder::new(codec), Resampler::new(Rate::Narrow, rate));
                let (encoder, resampler) = self.voice.insert(voice.unwrap_or_else(fresh));
                let mut wide = [0; MAX_FRAME];
                resampler.process(&samples, &mut wide[..rate.frame()]);
                encoder.encode(&wide[..rate.frame()], &mut payload)
            }
        };
        let packet = self.rtp(
            self.codec.payload_type(),
            self.timestamp,
            &payload[..length],
        );
        let step = self.codec.clock_hz() / 50;
        self.timestamp = self.timestamp.wrapping_add(step);
        packet
    }

    fn rtp(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let header = Header {
            marker: false,
            payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: self.ssrc,
        };
        let mut buffer = [0; 512];
        let length = rtp::write(&mut buffer, header, payload).expect("fits");
        buffer[..length].to_vec()
    }

    fn speak_at(&mut self, when: Timestamp) {
        let packet = self.packet();
        self.wire.send_at(when, self.switch, &packet);
    }

    fn got(&self) -> Vec<Got> {
        std::iter::from_fn(|| self.wire.receive())
            .map(|(at, from, bytes)| {
                assert_eq!(from, self.switch, "symmetric RTP");
                let packet = Packet::parse(&bytes).expect("RTP");
                Got {
                    at,
                    header: *packet.header(),
                    payload: packet.payload().to_vec(),
                }
            })
            .collect()
    }
}

/// The samples of received audio, by RTP timestamp from the first on; missing ones are silent.
fn listen(codec: Codec, got: &[Got]) -> Vec<i16> {
    let audio: Vec<&Got> = got
        .iter()
        .filter(|got| got.header.payload_type == codec.payload_type())
        .collect();
    let mut heard = Vec::new();
    for got in &audio {
        let place = rtp::distance(got.header.timestamp, audio[0].header.timestamp);
        let place = usize::try_from(place).expect("in order");
        let mut samples = vec![0; got.payload.len()];
        codec.decode(&got.payload, &mut samples);
        heard.resize(heard.len().max(place + samples.len()), 0);
        heard[place..place + samples.len()].copy_from_slice(&samples);
    }
    heard
}

/// Level of one frequency in dB below a full-scale sine (Goertzel).
fn level(samples: &[i16], hz: f64) -> f64 {
    let turn = std::f64::consts::TAU * hz / 8000.0;
    let coefficient = 2.0 * turn.cos();
    let (mut a, mut b) = (0.0, 0.0);
    for sample in samples {
        let next = f64::from(*sample) + coefficient * a - b;
        (a, b) = (next, a);
    }
    let power = a * a + b * b - coefficient * a * b;
    let amplitude = 2.0 * power.max(0.0).sqrt() / samples.len().max(1) as f64;
    20.0 * (amplitude.max(1e-9) / 32_768.0).log10()
}
