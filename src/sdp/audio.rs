//! One `m=audio` line with what belongs to it.

use std::net::{IpAddr, SocketAddr};

use super::codec::static_encoding;
use super::grammar::{Explained, Explanation};
use super::{AudioCodec, Crypto, Direction, ExtendedReports, OpusParameters};

/// An audio stream as one side describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioMedia {
    /// Where its media is to go; `0.0.0.0` (or `::`) means hold, `None` that it is no address.
    pub address: Option<IpAddr>,
    /// RTP port; 0 means the stream is switched off.
    pub port: u16,
    /// Transport: `RTP/AVP`, `RTP/AVPF`, `RTP/SAVP` or `RTP/SAVPF`.
    pub protocol: String,
    /// Where RTCP is to go when it says so (RFC 3605); the next port otherwise.
    pub rtcp: Option<SocketAddr>,
    /// Whether RTCP may share the RTP port (RFC 5761).
    pub rtcp_mux: bool,
    /// Extended reports asked for (RFC 3611 §5).
    pub extended_reports: ExtendedReports,
    /// Direction, seen from the describing side.
    pub direction: Direction,
    /// Payload types, most wanted first.
    pub formats: Vec<Format>,
    /// Packet length wished for, milliseconds.
    pub ptime_ms: Option<u32>,
    /// Longest packet wanted, milliseconds.
    pub max_ptime_ms: Option<u32>,
    /// Keys of the describing side that we could use, most wanted first.
    pub crypto: Vec<Crypto>,
}

impl AudioMedia {
    /// Where to send RTP; `None` on hold by address, switched off, or to no single host.
    pub fn remote(&self) -> Option<SocketAddr> {
        let address = self.address.filter(|address| is_single_host(*address))?;
        (self.port != 0).then(|| SocketAddr::new(address, self.port))
    }

    /// Where to send RTCP: as said, or the port after RTP's (RFC 3550 §11).
    pub fn remote_rtcp(&self) -> Option<SocketAddr> {
        let rtp = self.remote()?;
        match self.rtcp {
            Some(rtcp) => Some(rtcp).filter(|rtcp| is_single_host(rtcp.ip()) && rtcp.port() != 0),
            None => Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?)),
        }
    }

    /// The payload types as the `m=` line lists them; the grammar wants one at least, and 127
    /// without an rtpmap is nobody's: what was empty stays empty when it is read again.
    pub(super) fn numbers(&self) -> String {
        let numbers = self.formats.iter().map(|f| f.payload_type.to_string());
        let numbers: Vec<String> = numbers.collect();
        match numbers.is_empty() {
            true => "127".to_owned(),
            false => numbers.join(" "),
        }
    }

    /// Whether its packets are protected.
    pub fn is_secure(&self) -> bool {
        self.protocol.starts_with("RTP/SAVP")
    }

    /// Whether the address says hold, in the manner of RFC 2543 (RFC 3264 §8.4).
    pub fn is_held_by_address(&self) -> bool {
        self.address.is_some_and(|address| address.is_unspecified())
    }

    /// The first payload type of a codec.
    pub fn format_of(&self, codec: AudioCodec) -> Option<&Format> {
        self.formats.iter().find(|format| format.is(codec))
    }

    /// Telephone events for a codec of this RTP clock (RFC 4733 §2.1: they share it). Where there
    /// are none, those at 8 kHz that so many offer for all their codecs alike.
    pub fn telephone_event(&self, clock_rate: u32) -> Option<&Format> {
        let at = |clock_rate| {
            let mut formats = self.formats.iter();
            formats.find(|format| format.is_named("telephone-event", clock_rate))
        };
        at(clock_rate).or_else(|| at(8000))
    }

    /// The payload type of comfort noise at an RTP clock (RFC 3389).
    pub fn comfort_noise(&self, clock_rate: u32) -> Option<u8> {
        let mut formats = self.formats.iter();
        let found = formats.find(|format| format.is_named("CN", clock_rate));
        found.map(|format| format.payload_type)
    }
}

/// Multicast and broadcast would make a reflector of us.
fn is_single_host(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !is_broadcast
}

/// One payload type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Encoding name, such as `PCMU`.
    pub encoding: String,
    /// RTP clock, Hz.
    pub clock_rate: u32,
    /// Channels, usually 1.
    pub channels: u8,
    /// Parameters, as written.
    pub fmtp: Option<String>,
}

impl Format {
    /// One of our codecs on a payload type.
    pub fn of(codec: AudioCodec, payload_type: u8) -> Self {
        Self {
            payload_type,
            encoding: codec.as_str().to_owned(),
            clock_rate: codec.clock_rate(),
            channels: codec.channels(),
            fmtp: match codec {
                AudioCodec::Opus => Some(OpusParameters::OURS.to_owned()),
                AudioCodec::G722 | AudioCodec::Pcma | AudioCodec::Pcmu => None,
            },
        }
    }

    /// Telephone events 0 to 15: the digits, `*`, `#` and A to D.
    pub fn telephone_event(payload_type: u8, clock_rate: u32) -> Self {
        Self {
            payload_type,
            encoding: "telephone-event".to_owned(),
            clock_rate,
            channels: 1,
            fmtp: Some("0-15".to_owned()),
        }
    }

    /// Comfort noise at 8 kHz (RFC 3551 §6).
    pub fn comfort_noise(payload_type: u8) -> Self {
        Self {
            payload_type,
            encoding: "CN".to_owned(),
            clock_rate: 8000,
            channels: 1,
            fmtp: None,
        }
    }

    /// Whether it is this codec. Opus without its second channel is still Opus.
    pub fn is(&self, codec: AudioCodec) -> bool {
        self.channels <= codec.channels() && self.is_named(codec.as_str(), codec.clock_rate())
    }

    /// Whether it is redundancy (RFC 2198) at a clock.
    pub(super) fn is_redundancy(&self, clock_rate: u32) -> bool {
        self.is_named("red", clock_rate)
    }

    fn is_named(&self, encoding: &str, clock_rate: u32) -> bool {
        self.clock_rate == clock_rate && self.encoding.eq_ignore_ascii_case(encoding)
    }

    /// From a number of the `m=` line and the attributes of the stream; `None` when it is no
    /// payload type, or one that nothing explains.
    pub(super) fn read(number: &str, explained: &Explained<'_>) -> Option<Self> {
        let payload_type: u8 = number.parse().ok().filter(|number| *number < 128)?;
        let (encoding, clock_rate, channels) = match explained.of(payload_type, Explanation::Map) {
            Some(map) => read_rtpmap(map)?,
            None => {
                let (encoding, clock_rate) = static_encoding(payload_type)?;
                (encoding.to_owned(), clock_rate, 1)
            }
        };
        Some(Self {
            payload_type,
            encoding,
            clock_rate,
            channels,
            fmtp: explained
                .of(payload_type, Explanation::Parameters)
                .map(str::to_owned),
        })
    }
}

/// `PCMU/8000` or `opus/48000/2`.
fn read_rtpmap(text: &str) -> Option<(String, u32, u8)> {
    let mut parts = text.split('/');
    let encoding = parts.next().filter(|name| !name.is_empty())?;
    let clock_rate = parts.next()?.trim().parse().ok()?;
    let channels = match parts.next() {
        Some(channels) => channels.trim().parse().ok()?,
        None => 1,
    };
    Some((encoding.to_owned(), clock_rate, channels))
}
