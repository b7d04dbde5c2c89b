//! Our side of a stream, and what of it goes into an offer.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::redundancy::{DEPTH, Redundancy};
use super::{AudioCodec, AudioMedia, CodecOrder, Direction, Format, LocalCrypto, ReportTerms};

/// Our side of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalMedia {
    /// Where we receive RTP, as others see it.
    pub address: SocketAddr,
    /// Where we receive RTCP when it is not the next port.
    pub rtcp: Option<SocketAddr>,
    /// Codecs we take; an offer lists them in this order.
    pub codecs: Vec<AudioCodec>,
    /// Packet length we ask for, ms, 10 to 60.
    pub ptime_ms: u32,
    /// Payload type we offer for telephone events at 8 kHz; `None` to do without at any clock.
    pub telephone_event: Option<u8>,
    /// Whether we offer redundancy of telephone events (RFC 2198); what is offered is answered.
    #[serde(default)]
    pub dtmf_redundancy: bool,
    /// Whether the far end may leave silence out and describe it (RFC 3389).
    #[serde(default)]
    pub comfort_noise: bool,
    /// Whose order of codecs decides in an answer.
    #[serde(default)]
    pub order: CodecOrder,
    /// What we are willing to do.
    pub direction: Direction,
    /// What our offers ask for of RTCP.
    #[serde(default)]
    pub reports: ReportTerms,
    /// Whether it is secured, and by which keys.
    #[serde(default)]
    pub crypto: LocalCrypto,
    /// Session id of our descriptions, the same for the life of the dialog.
    pub session_id: u64,
    /// Version, one more for each description that differs from the last.
    pub session_version: u64,
}

impl LocalMedia {
    /// Puts the codecs first that are `wanted`: those the other leg of the call has. Their order is
    /// ours still.
    pub fn prefer(&mut self, wanted: &[AudioCodec]) {
        self.codecs.sort_by_key(|codec| !wanted.contains(codec));
    }

    /// All we offer: codecs in their order, comfort noise, telephone events at each clock.
    pub(super) fn formats(&self) -> Vec<Format> {
        let codecs = self.codecs.iter();
        let mut formats: Vec<Format> = codecs
            .map(|codec| Format::of(*codec, self.payload_type(*codec)))
            .collect();
        if self.comfort_noise && self.has_clock(8000) {
            formats.push(Format::comfort_noise(COMFORT_NOISE));
        }
        for clock_rate in [8000, 48_000] {
            let event = self.telephone_event_at(clock_rate);
            formats.extend(event.map(|event| Format::telephone_event(event, clock_rate)));
            let redundancy = self.redundancy_at(clock_rate).zip(event);
            formats.extend(redundancy.map(|(ours, event)| ours.format(event, clock_rate)));
        }
        formats
    }

    /// The payload type we offer a codec with.
    pub(super) fn payload_type(&self, codec: AudioCodec) -> u8 {
        let dynamic = || match self.telephone_event {
            Some(OPUS) => OPUS_INSTEAD,
            _ => OPUS,
        };
        codec.static_payload_type().unwrap_or_else(dynamic)
    }

    /// The payload type we offer telephone events at a clock with.
    pub(super) fn telephone_event_at(&self, clock_rate: u32) -> Option<u8> {
        let usual = self
            .telephone_event
            .filter(|_| self.has_clock(clock_rate))?;
        Some(match (clock_rate, usual) {
            (8000, usual) => usual,
            (_, WIDE_EVENT) => WIDE_EVENT_INSTEAD,
            _ => WIDE_EVENT,
        })
    }

    /// The redundancy we offer for telephone events at a clock.
    pub(super) fn redundancy_at(&self, clock_rate: u32) -> Option<Redundancy> {
        let event = self.telephone_event.filter(|_| self.dtmf_redundancy)?;
        let [usual, instead] = match clock_rate {
            8000 => REDUNDANCY,
            _ => WIDE_REDUNDANCY,
        };
        let payload_type = if event == usual { instead } else { usual };
        Some(Redundancy {
            payload_type,
            receive_payload_type: payload_type,
            depth: DEPTH,
        })
    }

    /// The payload type of comfort noise beside a codec, when both sides have it.
    pub(super) fn comfort_noise(&self, codec: AudioCodec, theirs: &AudioMedia) -> Option<u8> {
        // Opus has its own.
        let takes = self.comfort_noise && codec.clock_rate() == 8000;
        takes.then(|| theirs.comfort_noise(8000)).flatten()
    }

    fn has_clock(&self, clock_rate: u32) -> bool {
        let mut codecs = self.codecs.iter();
        codecs.any(|codec| codec.clock_rate() == clock_rate)
    }
}

/// Static (RFC 3551 §6).
const COMFORT_NOISE: u8 = 13;

/// What browsers and most phones give Opus, and what is left if keys have that already.
const OPUS: u8 = 111;
const OPUS_INSTEAD: u8 = 112;

/// What browsers give telephone events at 48 kHz; and again.
const WIDE_EVENT: u8 = 110;
const WIDE_EVENT_INSTEAD: u8 = 109;

/// Redundancy at 8 kHz and at 48 kHz; each with what is left if keys have that already.
const REDUNDANCY: [u8; 2] = [100, 99];
const WIDE_REDUNDANCY: [u8; 2] = [98, 97];
