//! One party's RTP: a mouth that says a tone or presses keys, and an ear that keeps everything.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tsunagu::base::Timestamp;
use tsunagu::call::leg_flow;
use tsunagu::media::dtmf;
use tsunagu::media::rtp::{self, Header, Packet};
use tsunagu::media::srtp::{Keys, Session};
use tsunagu::media::{Codec, Encoder, FRAME_SAMPLES, Rate, Tone, VirtualEndpoint, VirtualNet};
use tsunagu::sdp::{AudioCodec, Negotiated};

use crate::ear::Got;

/// One party's RTP.
pub(crate) struct Voice {
    wire: VirtualEndpoint,
    hz: u32,
    /// Lost packets in a thousand, of those said.
    pub(crate) loss: u64,
    pub(crate) is_mute: bool,
    /// What is said instead of the tone: these samples, then silence.
    pub(crate) words: Option<std::collections::VecDeque<i16>>,
    /// Time of this party's frames within the 20 ms.
    phase: Duration,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    frames: usize,
    keys: dtmf::Sender,
    tones: dtmf::Generator,
    srtp: Option<(Keys, Session)>,
    /// Packets that no key of ours opened.
    pub(crate) unheard: usize,
    pub(crate) got: Vec<Got>,
}

impl Voice {
    pub(crate) fn new(net: &VirtualNet, address: SocketAddr, hz: u32) -> Self {
        let odd = u32::from(address.port()) + (hz << 8);
        Self {
            wire: net.endpoint(address),
            hz,
            loss: 0,
            is_mute: false,
            words: None,
            phase: Duration::from_millis(3 + u64::from(hz % 13)),
            sequence: odd as u16,
            timestamp: odd.wrapping_mul(77_777),
            ssrc: odd.wrapping_mul(2_654_435_761),
            frames: 0,
            keys: dtmf::Sender::new(),
            tones: dtmf::Generator::new(),
            srtp: None,
            unheard: 0,
            got: Vec::new(),
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            assert!(self.keys.push(key, 100), "{key} is no key");
        }
    }

    /// Presses keys as tones in the sound.
    pub(crate) fn press_in_band(&mut self, keys: &str) {
        for key in keys.chars() {
            assert!(self.tones.push(key, 100), "{key} is no key");
        }
    }

    /// Says the frame that begins now, and takes in what came.
    pub(crate) fn frame(&mut self, now: Timestamp, agreed: Option<&Negotiated>) {
        if let Some(agreed) = agreed {
            self.secure(agreed);
        }
        self.listen();
        let Some(agreed) = agreed else { return };
        let timestamp = self.timestamp;
        self.timestamp = timestamp.wrapping_add(FRAME_SAMPLES as u32);
        self.frames += 1;
        let (Some(to), true) = (agreed.remote, agreed.direction.sends()) else {
            return;
        };
        if let Some(event) = self.keys.next(timestamp, 8000) {
            let Some(payload_type) = agreed.telephone_event else {
                return;
            };
            let header = Header {
                marker: event.marker,
                payload_type,
                sequence: self.count(),
                timestamp: event.timestamp,
                ssrc: self.ssrc,
            };
            return self.send(now, to, header, &event.payload);
        }
        if self.is_mute {
            return;
        }
        let header = Header {
            marker: false,
            payload_type: agreed.payload_type,
            sequence: self.count(),
            timestamp,
            ssrc: self.ssrc,
        };
        let mut samples = [0; FRAME_SAMPLES];
        if self.tones.fill(&mut samples, Rate::Narrow) {
            let mut payload = [0; FRAME_SAMPLES];
            codec(agreed.codec).encode(&samples, &mut payload);
            return self.send(now, to, header, &payload);
        }
        if let Some(words) = &mut self.words {
            for sample in &mut samples {
                *sample = words.pop_front().unwrap_or(0);
            }
            let mut payload = [0; FRAME_SAMPLES];
            codec(agreed.codec).encode(&samples, &mut payload);
            return self.send(now, to, header, &payload);
        }
        let second = one_second(self.hz, codec(agreed.codec));
        let at = self.frames % 50 * FRAME_SAMPLES;
        let is_lost = u64::from(header.sequence).wrapping_mul(7919) % 1000 < self.loss;
        if let Some(frame) = second.get(at..at + FRAME_SAMPLES).filter(|_| !is_lost) {
            self.send(now, to, header, frame);
        }
    }

    /// Whether what it says and hears is protected.
    pub(crate) fn is_secure(&self) -> bool {
        self.srtp.is_some()
    }

    fn secure(&mut self, agreed: &Negotiated) {
        let keys = leg_flow(agreed, None).srtp;
        match (&mut self.srtp, keys) {
            (Some((before, session)), Some(keys)) if *before != keys => {
                session.rekey(keys.clone());
                *before = keys;
            }
            (Some(_), Some(_)) => {}
            (srtp, keys) => *srtp = keys.map(|keys| (keys.clone(), Session::new(keys))),
        }
    }

    /// Takes in what came.
    pub(crate) fn listen(&mut self) {
        while let Some((at, _, mut bytes)) = self.wire.receive() {
            if let Some((_, session)) = &mut self.srtp {
                let Ok(length) = session.unprotect(&mut bytes) else {
                    self.unheard += 1;
                    continue;
                };
                bytes.truncate(length);
            }
            let packet = Packet::parse(&bytes).expect("the switch sends RTP to an RTP port");
            let (header, payload) = (*packet.header(), packet.payload().to_vec());
            self.got.push(Got {
                at,
                header,
                payload,
            });
        }
    }

    fn count(&mut self) -> u16 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    fn send(&mut self, now: Timestamp, to: SocketAddr, header: Header, payload: &[u8]) {
        let mut buffer = [0; 256];
        let mut length = rtp::write(&mut buffer, header, payload).expect("fits");
        if let Some((_, session)) = &mut self.srtp {
            length = session.protect(&mut buffer, length).expect("protected");
        }
        self.wire.send_at(now + self.phase, to, &buffer[..length]);
    }
}

pub(crate) fn codec(codec: AudioCodec) -> Codec {
    match codec {
        AudioCodec::G722 => Codec::G722,
        AudioCodec::Opus => Codec::Opus,
        AudioCodec::Pcma => Codec::Pcma,
        AudioCodec::Pcmu => Codec::Pcmu,
    }
}

/// One second of a tone of whole Hz, encoded: it ends where it begins. Whoever speaks Opus only
/// listens.
fn one_second(hz: u32, codec: Codec) -> Arc<[u8]> {
    type Tones = HashMap<(u32, &'static str), Arc<[u8]>>;
    static TONES: Mutex<Option<Tones>> = Mutex::new(None);
    let mut tones = TONES.lock().unwrap_or_else(PoisonError::into_inner);
    let tone = tones
        .get_or_insert_default()
        .entry((hz, codec.name()))
        .or_insert_with(|| {
            if codec == Codec::Opus {
                return Arc::from([]);
            }
            let rate = codec.rate();
            let mut samples = vec![0; rate.hz() as usize];
            // The tone counts in samples at 8 kHz.
            let hz = f64::from(hz) * 8000.0 / f64::from(rate.hz());
            Tone::new(hz, -10.0).fill(&mut samples);
            let mut payload = vec![0; 8000];
            Encoder::new(codec).encode(&samples, &mut payload);
            payload.into()
        });
    tone.clone()
}
