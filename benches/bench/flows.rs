//! RTP of many telephones at absolute times, and when it arrives at the other end.
//! Their people may press keys, too.
//!
//! One thread sends and receives. Legs speak at different moments of the 20 ms, as telephones do.
//! The first bytes of the payload say when the packet was sent.

use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use rustix::time::Timespec;

use crate::statistics::p50_p99;

/// The far ends of media legs.
pub(crate) struct Flows {
    legs: Vec<Leg>,
    poll: OwnedFd,
    begin: Instant,
}

struct Leg {
    rtp: UdpSocket,
    /// Bound so that RTCP disturbs nobody; never read.
    _rtcp: UdpSocket,
    to: Option<SocketAddr>,
    sequence: u16,
    /// Timestamp of the next packet.
    timestamp: u32,
    /// Sequence number of the newest packet heard.
    heard: Option<u16>,
    /// When it last sent a mark, in nanoseconds of the bench.
    marked: u64,
}

/// What a window showed.
pub(crate) struct Window {
    /// CPU per cent of a core.
    pub(crate) cpu: f64,
    /// Packets heard, per cent of `expected`.
    pub(crate) heard: f64,
    /// Numbers missing in what was heard.
    pub(crate) missing: u64,
    /// Microseconds from one end to the other.
    pub(crate) latency: (f64, f64),
}

/// What the legs say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Of every three legs, which share a room, the first says something loud five times a second,
    /// and the time until it is heard is taken; else all are silent.
    Marks,
    /// Nothing.
    Silence,
    /// Tones, each leg its own: to be mixed.
    Speech,
    /// The time it was sent, then silence: to be relayed.
    Time,
}

/// Who is at the telephones.
pub(crate) trait People {
    /// What a leg sends now, at this timestamp of its RTP clock, in place of silence.
    fn press(&mut self, leg: usize, timestamp: u32) -> Option<KeyPacket>;

    /// A leg heard 20 ms of µ-law.
    fn hear(&mut self, leg: usize, samples: &[u8]);
}

/// One packet of a key that is pressed (RFC 4733 §2.3).
pub(crate) struct KeyPacket {
    /// Timestamp of the press.
    pub(crate) began: u32,
    pub(crate) event: u8,
    pub(crate) is_first: bool,
    pub(crate) is_over: bool,
    /// Units of the RTP clock.
    pub(crate) duration: u16,
}

impl Flows {
    /// As many legs on free pairs of ports.
    pub(crate) fn bind(count: usize) -> Self {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll");
        let legs: Vec<Leg> = (0..count).map(|_| Leg::bind()).collect();
        for (n, leg) in legs.iter().enumerate() {
            let data = epoll::EventData::new_u64(n as u64);
            epoll::add(&poll, &leg.rtp, data, epoll::EventFlags::IN).expect("a socket");
        }
        Self {
            legs,
            poll,
            begin: Instant::now(),
        }
    }

    /// Their RTP addresses.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.legs
            .iter()
            .map(|leg| leg.rtp.local_addr().expect("bound"))
            .collect()
    }

    /// Where each leg sends.
    pub(crate) fn aim(&mut self, at: &[SocketAddr]) {
        assert_eq!(self.legs.len(), at.len());
        for (leg, at) in self.legs.iter_mut().zip(at) {
            leg.to = Some(*at);
        }
    }

    /// Speaks on all legs for `WARM_UP` and then `time`, in which `cpu` is looked at.
    pub(crate) fn speak(
        &mut self,
        payload: Payload,
        time: Duration,
        cpu: impl Fn() -> f64,
    ) -> Window {
        self.begin_anew();
        let start = Instant::now();
        let slots = |time: Duration| (time.as_micros() / SLOT.as_micros()) as u64;
        let (warm, all) = (slots(WARM_UP), slots(WARM_UP + time));
        let mut latencies = Vec::with_capacity(self.legs.len() * all as usize / SLOTS as usize);
        let (mut sent, mut heard, mut missing, mut before) = (0u64, 0u64, 0, 0.0);
        let mut steady = start;
        for slot in 0..all {
            if slot == warm {
                (sent, heard, missing, before) = (0, 0, 0, cpu());
                latencies.clear();
                steady = Instant::now();
            }
            for n in (slot % SLOTS..self.legs.len() as u64).step_by(SLOTS as usize) {
                self.send(n as usize, payload);
                sent += 1;
            }
            let due = start + SLOT * (slot as u32 + 1);
            self.receive(payload, due, &mut heard, &mut missing, &mut latencies);
        }
        let spent = cpu() - before;
        let seconds = steady.elapsed().as_secs_f64();
        // What is under way is relayed and arrives; a mix goes on by itself.
        let mut later = 0;
        let last = if payload == Payload::Time {
            &mut heard
        } else {
            &mut later
        };
        let due = Instant::now() + Duration::from_millis(100);
        self.receive(payload, due, last, &mut missing, &mut latencies);
        Window {
            cpu: 100.0 * spent / seconds,
            heard: 100.0 * heard as f64 / sent as f64,
            missing,
            latency: p50_p99(&mut latencies),
        }
    }

    /// Lets people press keys and listen.
    pub(crate) fn converse(&mut self, time: Duration, people: &mut impl People) {
        self.begin_anew();
        let start = Instant::now();
        let all = (time.as_micros() / SLOT.as_micros()) as u64;
        for slot in 0..all {
            for n in (slot % SLOTS..self.legs.len() as u64).step_by(SLOTS as usize) {
                let n = n as usize;
                match people.press(n, self.legs[n].timestamp) {
                    Some(key) => self.send_key(n, &key),
                    None => self.send(n, Payload::Silence),
                }
            }
            let due = start + SLOT * (slot as u32 + 1);
            self.hear(due, true, |_, n, packet| people.hear(n, &packet[12..]));
        }
    }

    fn send_key(&mut self, n: usize, key: &KeyPacket) {
        let leg = &mut self.legs[n];
        let mut packet = [0; 16];
        packet[..2].copy_from_slice(&[0x80, KEYS | u8::from(key.is_first) << 7]);
        packet[2..4].copy_from_slice(&leg.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&key.began.to_be_bytes());
        packet[8..12].copy_from_slice(&(n as u32 + 1).to_be_bytes());
        packet[12..14].copy_from_slice(&[key.event, u8::from(key.is_over) << 7 | 10]);
        packet[14..].copy_from_slice(&key.duration.to_be_bytes());
        leg.sequence = leg.sequence.wrapping_add(1);
        leg.timestamp = leg.timestamp.wrapping_add(160);
        if let Some(to) = leg.to {
            let _ = leg.rtp.send_to(&packet, to);
        }
    }

    /// Throws away what came since the last time: it fills the sockets until packets are lost. And
    /// time stands still for nobody: after a pause the timestamps have gone on.
    fn begin_anew(&mut self) {
        let mut buffer = [0u8; 2048];
        let frames = self.begin.elapsed().as_micros() / 20_000;
        for leg in &mut self.legs {
            while leg.rtp.recv_from(&mut buffer).is_ok() {}
            leg.heard = None;
            leg.timestamp = leg.timestamp.max(frames as u32 * 160);
        }
    }

    fn send(&mut self, n: usize, payload: Payload) {
        let now = self.begin.elapsed();
        let leg = &mut self.legs[n];
        let mut packet = [0xff; 172];
        packet[..2].copy_from_slice(&[0x80, 0]);
        packet[2..4].copy_from_slice(&leg.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&leg.timestamp.to_be_bytes());
        let frame = leg.timestamp / 160;
        packet[8..12].copy_from_slice(&(n as u32 + 1).to_be_bytes());
        match payload {
            Payload::Time => packet[12..20].copy_from_slice(&(now.as_nanos() as u64).to_be_bytes()),
            Payload::Speech => tone(&mut packet[12..], n, frame),
            Payload::Marks if n.is_multiple_of(3) && leg.sequence.is_multiple_of(10) => {
                tone(&mut packet[12..], n, frame);
                leg.marked = now.as_nanos() as u64;
            }
            Payload::Marks | Payload::Silence => {}
        }
        leg.sequence = leg.sequence.wrapping_add(1);
        leg.timestamp = leg.timestamp.wrapping_add(160);
        if let Some(to) = leg.to {
            // What loopback does not take is not heard, and told as such.
            let _ = leg.rtp.send_to(&packet, to);
        }
    }

    fn receive(
        &mut self,
        payload: Payload,
        until: Instant,
        heard: &mut u64,
        missing: &mut u64,
        latencies: &mut Vec<u64>,
    ) {
        // Sleep ends when the scheduler likes; a mark is sent when it is due.
        let sleeps = payload != Payload::Marks;
        let begin = self.begin;
        self.hear(until, sleeps, |legs, n, packet| {
            *heard += 1;
            let sequence = u16::from_be_bytes([packet[2], packet[3]]);
            if let Some(last) = legs[n].heard.replace(sequence) {
                *missing += u64::from(sequence.wrapping_sub(last).wrapping_sub(1) % 0x8000);
            }
            let now = begin.elapsed().as_nanos() as u64;
            let sent = match payload {
                Payload::Marks => {
                    // What the talker hears itself, and the tail of a mark, are none.
                    let is_loud = packet[12..].iter().any(|byte| byte & 0x7f < 0x40);
                    if n.is_multiple_of(3) || !is_loud {
                        return;
                    }
                    legs[n - n % 3].marked
                }
                _ => u64::from_be_bytes(packet[12..20].try_into().expect("eight bytes")),
            };
            latencies.push(now.saturating_sub(sent));
        });
    }

    /// Takes every packet of 20 ms that comes until then.
    fn hear(
        &mut self,
        until: Instant,
        sleeps: bool,
        mut each: impl FnMut(&mut [Leg], usize, &[u8]),
    ) {
        let mut events = [const { MaybeUninit::<epoll::Event>::uninit() }; 256];
        let mut buffer = [0u8; 2048];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = Timespec {
                tv_sec: 0,
                tv_nsec: i64::from(left.subsec_nanos()) * i64::from(sleeps),
            };
            let Ok((ready, _)) = epoll::wait(&self.poll, &mut events[..], Some(&timeout)) else {
                continue;
            };
            for event in &*ready {
                let n = event.data.u64() as usize;
                if let Ok((172, _)) = self.legs[n].rtp.recv_from(&mut buffer) {
                    each(&mut self.legs, n, &buffer[..172]);
                }
            }
            if left.is_zero() {
                return;
            }
        }
    }
}

impl Leg {
    fn bind() -> Self {
        loop {
            let rtp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let port = rtp.local_addr().expect("bound").port();
            let next = port.checked_add(1).map(|next| (Ipv4Addr::LOCALHOST, next));
            if let Some(Ok(rtcp)) = next.map(UdpSocket::bind) {
                rtp.set_nonblocking(true).expect("a socket option");
                return Self {
                    rtp,
                    _rtcp: rtcp,
                    to: None,
                    sequence: 0,
                    timestamp: 0,
                    heard: None,
                    marked: 0,
                };
            }
        }
    }
}

/// A µ-law square wave of a pitch and loudness of the leg's own.
fn tone(samples: &mut [u8], leg: usize, frame: u32) {
    let half = 6 + leg as u32 % 13;
    let level = 0x10 + (leg as u8 % 32);
    for (n, sample) in (frame * 160..).zip(samples) {
        *sample = if (n / half).is_multiple_of(2) {
            level
        } else {
            level | 0x80
        };
    }
}

/// Payload type of telephone-event in what the callers offer.
const KEYS: u8 = 101;
/// Sending moments in 20 ms.
const SLOTS: u64 = 40;
const SLOT: Duration = Duration::from_micros(500);
/// Sockets, caches and belief in sources settle in this time.
const WARM_UP: Duration = Duration::from_millis(300);
