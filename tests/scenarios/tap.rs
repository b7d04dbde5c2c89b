//! A tap on loopback: every UDP packet of one address block, and what a listener made of it.
//!
//! SIPp keeps no audio, so what the caller hears is taken from the wire, as a carrier would. The
//! tap needs CAP_NET_RAW, as SIPp does to play capture files; `scripts/own-loopback` gives both
//! to a user who is not root.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use rustix::net::{AddressFamily, RecvFlags, SocketType, eth, sockopt};

use super::address::Block;
use super::sound::{FRAME, from_pcma, from_pcmu};

/// One UDP packet on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// When the tap took it from the kernel.
    pub(crate) at: SystemTime,
    /// Source.
    pub(crate) from: SocketAddr,
    /// Destination.
    pub(crate) to: SocketAddr,
    /// UDP payload.
    pub(crate) payload: Vec<u8>,
}

impl Packet {
    /// The payload as text when it is a SIP message.
    pub(crate) fn sip(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.payload).ok()?;
        text.contains("SIP/2.0").then_some(text)
    }

    fn rtp(&self) -> Option<Rtp<'_>> {
        let p = &self.payload;
        // RTCP payload types, 192 and up, are not RTP (RFC 5761 §4).
        if p.len() < 12 || p[0] >> 6 != 2 || (192..=223).contains(&p[1]) || self.sip().is_some() {
            return None;
        }
        Some(Rtp {
            payload_type: p[1] & 0x7f,
            sequence: u16::from_be_bytes([p[2], p[3]]),
            timestamp: u32::from_be_bytes([p[4], p[5], p[6], p[7]]),
            ssrc: u32::from_be_bytes([p[8], p[9], p[10], p[11]]),
            payload: p.get(12 + 4 * usize::from(p[0] & 0x0f)..)?,
        })
    }
}

struct Rtp<'a> {
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: &'a [u8],
}

/// The running tap.
pub(crate) struct Tap {
    packets: Arc<Mutex<Vec<Packet>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Tap {
    /// Listens to one block of loopback.
    pub(crate) fn on(block: Block) -> Self {
        // An IP-only packet socket sees each loopback packet once, on its way in.
        let socket = rustix::net::socket(AddressFamily::PACKET, SocketType::DGRAM, Some(eth::IP))
            .unwrap_or_else(|error| {
                panic!(
                    "the tap on loopback needs CAP_NET_RAW ({error}); run `make test`, or prefix \
                     the test with scripts/own-loopback"
                )
            });
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, 32 << 20);
        sockopt::set_socket_timeout(
            &socket,
            sockopt::Timeout::Recv,
            Some(Duration::from_millis(50)),
        )
        .expect("a receive time-out");
        let packets = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (kept, stopped) = (Arc::clone(&packets), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0u8; 65_536];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, _)) =
                    rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty())
                else {
                    continue;
                };
                let at = SystemTime::now();
                if let Some(packet) = udp(&buffer[..length], at, block) {
                    kept.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(packet);
                }
            }
        });
        Self {
            packets,
            stop,
            thread: Some(thread),
        }
    }

    /// All packets so far that `wanted` wants.
    pub(crate) fn packets(&self, wanted: impl Fn(&Packet) -> bool) -> Vec<Packet> {
        let packets = self.packets.lock().unwrap_or_else(PoisonError::into_inner);
        packets
            .iter()
            .filter(|packet| wanted(packet))
            .cloned()
            .collect()
    }

    /// SIP messages so far that reached `to` and contain `words`.
    pub(crate) fn sip_to(&self, to: SocketAddr, words: &str) -> Vec<Packet> {
        self.packets(|packet| {
            packet.to == to && packet.sip().is_some_and(|text| text.contains(words))
        })
    }

    /// The RTP port that the user agent at `address` offered or answered last. baresip binds its
    /// RTP to every address, so on loopback its packets come from 127.0.0.1: the port tells.
    pub(crate) fn media_port(&self, address: SocketAddr) -> Option<u16> {
        let sent = self.packets(|packet| packet.from == address);
        sent.iter().rev().find_map(|packet| {
            let (_, media) = packet.sip()?.split_once("\nm=audio ")?;
            media.split(' ').next()?.parse().ok()
        })
    }

    /// What the user agent with SIP at `address` has been sent so far.
    pub(crate) fn heard_by(&self, address: SocketAddr) -> Heard {
        let port = self.media_port(address);
        self.heard(|packet| Some(packet.to.port()) == port)
    }

    /// What the user agent with SIP at `address` has said so far.
    pub(crate) fn spoken_by(&self, address: SocketAddr) -> Heard {
        let port = self.media_port(address);
        self.heard(|packet| Some(packet.from.port()) == port)
    }

    /// What a listener at `to` has heard so far.
    pub(crate) fn heard_at(&self, to: SocketAddr) -> Heard {
        self.heard(|packet| packet.to == to)
    }

    /// What was said so far in the packets that `wanted` wants.
    pub(crate) fn heard(&self, wanted: impl Fn(&Packet) -> bool) -> Heard {
        Heard::from_packets(&self.packets(wanted))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn udp(ip: &[u8], at: SystemTime, block: Block) -> Option<Packet> {
    if ip.len() < 20 || ip[0] >> 4 != 4 || ip[9] != 17 {
        return None;
    }
    let header = usize::from(ip[0] & 0x0f) * 4;
    let udp = ip.get(header..)?;
    let (source, target) = (ip.get(12..16)?, ip.get(16..20)?);
    let address = |b: &[u8]| Ipv4Addr::new(b[0], b[1], b[2], b[3]);
    let (source, target) = (address(source), address(target));
    if !block.contains(source) && !block.contains(target) {
        return None;
    }
    let port = |at: usize| Some(u16::from_be_bytes([*udp.get(at)?, *udp.get(at + 1)?]));
    let length = usize::from(port(4)?).min(udp.len());
    Some(Packet {
        at,
        from: SocketAddr::V4(SocketAddrV4::new(source, port(0)?)),
        to: SocketAddr::V4(SocketAddrV4::new(target, port(2)?)),
        payload: udp.get(8..length)?.to_vec(),
    })
}

/// One listener's audio, on a line of time that begins with the first packet.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// When the first packet would have come with the delay of the fastest.
    pub(crate) began: Option<SystemTime>,
    /// The same by each packet alone, with the packet's place in the sound.
    origins: Vec<(usize, SystemTime)>,
    /// The sound; what never came is silence.
    pub(crate) samples: Vec<i16>,
    /// Stream identifiers, in order of appearance.
    pub(crate) ssrcs: Vec<u32>,
    /// RTP packets with audio.
    pub(crate) packets: usize,
    /// Gaps and repetitions of the sequence number within a stream.
    pub(crate) sequence_breaks: usize,
    /// Frames missing or doubled by RTP timestamp within a stream.
    pub(crate) timestamp_breaks: usize,
    /// When each of them came, how many samples the timestamp went too far, and how many samples
    /// of time had gone since the packet before.
    pub(crate) leaps: Vec<(SystemTime, i32, i32)>,
    /// Digits (RFC 4733), once each.
    pub(crate) digits: String,
}

impl Heard {
    fn from_packets(packets: &[Packet]) -> Self {
        let mut heard = Self::default();
        let mut last: Option<(u32, u16, u32)> = None;
        let mut base = (0u32, 0usize);
        let mut events = BTreeSet::new();
        let mut first = None;
        let mut previous = SystemTime::UNIX_EPOCH;
        for packet in packets {
            let Some(rtp) = packet.rtp() else { continue };
            let decode: fn(u8) -> i16 = match rtp.payload_type {
                0 => from_pcmu,
                8 => from_pcma,
                // Every party here maps telephone-event to 96. SIPp also sends some packets of 97
                // before a digit, which mean nothing.
                DIGITS => {
                    if rtp.payload.len() == 4 && events.insert((rtp.ssrc, rtp.timestamp)) {
                        let key = "0123456789*#ABCD".chars().nth(rtp.payload[0].into());
                        heard.digits.extend(key);
                    }
                    if let Some(last) = last.as_mut().filter(|last| last.0 == rtp.ssrc) {
                        last.1 = rtp.sequence;
                    }
                    continue;
                }
                _ => continue,
            };
            let began = *first.get_or_insert(packet.at);
            match last {
                Some((ssrc, sequence, timestamp)) if ssrc == rtp.ssrc => {
                    heard.sequence_breaks += usize::from(rtp.sequence != sequence.wrapping_add(1));
                    let step = rtp.timestamp.wrapping_sub(timestamp) as i32;
                    if step != FRAME as i32 {
                        heard.timestamp_breaks += 1;
                        let excess = step.wrapping_sub(FRAME as i32);
                        let gone = packet.at.duration_since(previous).unwrap_or_default();
                        let gone = (gone.as_secs_f64() * 8_000.0) as i32;
                        heard.leaps.push((packet.at, excess, gone));
                    }
                }
                _ => {
                    let since = packet.at.duration_since(began).unwrap_or_default();
                    base = (rtp.timestamp, (since.as_secs_f64() * 8_000.0) as usize);
                    heard.ssrcs.push(rtp.ssrc);
                }
            }
            last = Some((rtp.ssrc, rtp.sequence, rtp.timestamp));
            previous = packet.at;
            let offset = rtp.timestamp.wrapping_sub(base.0) as usize + base.1;
            // Five minutes: a wild timestamp must not take all memory.
            if offset < 5 * 60 * 8_000 {
                let spoken = Duration::from_micros(offset as u64 * 125);
                let began = packet.at.checked_sub(spoken).expect("after 1970");
                heard.began = Some(heard.began.map_or(began, |fastest| fastest.min(began)));
                heard.origins.push((offset, began));
                let end = offset + rtp.payload.len();
                if heard.samples.len() < end {
                    heard.samples.resize(end, 0);
                }
                for (place, &byte) in heard.samples[offset..end].iter_mut().zip(rtp.payload) {
                    *place = decode(byte);
                }
                heard.packets += 1;
            }
        }
        heard
    }

    /// When the first packet would have come with the delay of the fastest of a stretch.
    pub(crate) fn began_by(&self, stretch: Range<usize>) -> Option<SystemTime> {
        let origins = self.origins.iter();
        origins
            .filter(|(offset, _)| stretch.contains(offset))
            .map(|(_, began)| *began)
            .min()
    }

    /// The sound between two instants of the wall clock.
    pub(crate) fn between(&self, from: SystemTime, to: SystemTime) -> &[i16] {
        let Some(began) = self.began else { return &[] };
        let place = |at: SystemTime| {
            let since = at.duration_since(began).unwrap_or_default();
            ((since.as_secs_f64() * 8_000.0) as usize).min(self.samples.len())
        };
        &self.samples[place(from)..place(to).max(place(from))]
    }
}

/// Payload type of telephone-event in every SDP of these scenarios.
const DIGITS: u8 = 96;
