//! `make bench`: what a call costs, in figures that can be compared with other switches'.
//!
//! INVITE parse time; CPU seconds for 1,000 calls set up and ended without media; CPU per cent of a
//! core for relaying 100 calls, beside a bare epoll forwarder of the same packets in the same run.
//! CPU is utime + stime over the steady window. Absolute figures drift on shared machines: ratios
//! are what counts.

#![allow(unreachable_pub)]

#[allow(dead_code)] // The scenarios use more of each of these.
#[path = "../tests/scenarios/address.rs"]
mod address;
#[allow(dead_code)]
#[path = "../tests/scenarios/api.rs"]
mod api;
#[allow(dead_code)]
#[path = "../tests/scenarios/office.rs"]
mod office;
#[allow(dead_code)]
#[path = "../tests/scenarios/phone.rs"]
mod phone;
#[allow(dead_code)]
#[path = "../tests/scenarios/sipp.rs"]
mod sipp;
#[allow(dead_code)]
#[path = "../tests/scenarios/sound.rs"]
mod sound;
#[allow(dead_code)]
#[path = "../tests/scenarios/tap.rs"]
mod tap;
#[allow(dead_code)]
#[path = "../tests/scenarios/wait.rs"]
mod wait;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::event::epoll;
use rustix::time::{ClockId, clock_gettime};
use tsunagu::sip::Message;

use office::Office;
use sipp::Running;
use tap::Tap;

fn main() {
    println!("figures of a release build (ratios are what counts)");
    invite_parse();
    set_ups();
    relay();
}

/// Nanoseconds to index one INVITE, and to read what a transaction needs of it.
fn invite_parse() {
    let invite = Bytes::from_static(INVITE.as_bytes());
    let plain = best_of_five(|| {
        black_box(Message::parse(black_box(invite.clone())).expect("a valid INVITE"));
    });
    let typed = best_of_five(|| {
        let message = Message::parse(black_box(invite.clone())).expect("a valid INVITE");
        let _ = black_box((message.top_via(), message.from(), message.to()));
        let _ = black_box((message.call_id(), message.cseq(), message.contacts()));
    });
    println!(
        "INVITE of {} bytes: parse {plain:.0} ns, with six headers {typed:.0} ns",
        invite.len()
    );
}

/// CPU seconds for 1,000 calls from phone to phone: challenge, 18 messages, no RTP.
fn set_ups() {
    let office = Office::open();
    let _callee = callee(&office, 6_000);
    caller(&office, 200, 20, 100, 1).succeed(Duration::from_secs(60));
    let before = cpu_seconds(&office);
    let started = Instant::now();
    caller(&office, 1_000, 100, 200, 1).succeed(Duration::from_secs(120));
    let took = started.elapsed().as_secs_f64();
    let spent = cpu_seconds(&office) - before;
    println!(
        "set-ups: {spent:.2} CPU s for 1000 calls, {:.0} calls/s",
        1_000.0 / took
    );
}

/// CPU per cent of a core for 100 relayed calls, and for a bare forwarder of as many packets.
fn relay() {
    let office = Office::open();
    let tap = Tap::on(office.block);
    let _callee = callee(&office, MEDIA - 4);
    let calls = caller(&office, CALLS as u32 + 1, CALLS as u32 + 1, 50, 60_000);
    wait::until_true("all calls to be answered", Duration::from_secs(60), || {
        office.api.metric("tsunagu_media_legs") >= 2.0 * (CALLS + 1) as f64
    });
    std::thread::sleep(Duration::from_secs(1));
    let ports = media_ports(&office, &tap);
    drop(tap);
    assert!(
        ports.len() >= 2 * CALLS,
        "{} of {} legs found",
        ports.len(),
        2 * CALLS
    );
    let legs: Vec<(UdpSocket, SocketAddr)> = ports
        .into_iter()
        .map(|(own, switch)| (UdpSocket::bind(own).expect("a free port"), switch))
        .collect();
    let (ours, heard) = measured(&legs, || cpu_seconds(&office));
    calls.stop();
    drop(office);

    let (bare, forwarded) = bare_forwarder();
    println!(
        "relay: {ours:.1} % of a core for {CALLS} calls ({heard:.1} % of packets came through); \
         bare epoll forwarder {bare:.1} % ({forwarded:.1} %); ratio {:.2}",
        ours / bare
    );
}

/// The same packets through a loop of epoll, recvfrom and sendto, and nothing else.
fn bare_forwarder() -> (f64, f64) {
    let block = address::Block::take();
    let bound = |host: u8, port: u16| UdpSocket::bind(block.at(host, port)).expect("a free port");
    let inner: Vec<UdpSocket> = (0..2 * CALLS as u16)
        .map(|n| bound(1, MEDIA + 2 * n))
        .collect();
    let legs: Vec<(UdpSocket, SocketAddr)> = (0..2 * CALLS as u16)
        .map(|n| (bound(2, MEDIA + 2 * n), block.at(1, MEDIA + 2 * n)))
        .collect();
    let spent = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let (told, stopped) = (Arc::clone(&spent), Arc::clone(&stop));
    let thread = std::thread::spawn(move || forward(&inner, block, &told, &stopped));
    let result = measured(&legs, || spent.load(Ordering::Relaxed) as f64 / 1e9);
    stop.store(true, Ordering::Relaxed);
    thread.join().expect("the forwarder does not panic");
    result
}

fn forward(sockets: &[UdpSocket], block: address::Block, spent: &AtomicU64, stop: &AtomicBool) {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll");
    for (n, socket) in sockets.iter().enumerate() {
        let data = epoll::EventData::new_u64(n as u64);
        epoll::add(&poll, socket, data, epoll::EventFlags::IN).expect("a socket");
    }
    let mut events = Vec::with_capacity(256);
    let mut buffer = [0u8; 2_048];
    while !stop.load(Ordering::Relaxed) {
        events.clear();
        let timeout = rustix::time::Timespec {
            tv_sec: 0,
            tv_nsec: 20_000_000,
        };
        let space = rustix::buffer::spare_capacity(&mut events);
        let _ = epoll::wait(&poll, space, Some(&timeout));
        for event in &events {
            let n = event.data.u64() as usize;
            // Leg 0 speaks to leg 1, 2 to 3, and so on.
            if let Ok((length, _)) = sockets[n].recv_from(&mut buffer) {
                let to = block.at(2, MEDIA + 2 * (n as u16 ^ 1));
                let _ = sockets[n ^ 1].send_to(&buffer[..length], to);
            }
        }
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        let nanoseconds = cpu.tv_sec as u64 * 1_000_000_000 + cpu.tv_nsec as u64;
        spent.store(nanoseconds, Ordering::Relaxed);
    }
}

/// Speaks on all legs, 50 packets a second each; per cent of a core that `cpu` says was spent in the
/// steady window, and per cent of packets that came through in it.
fn measured(legs: &[(UdpSocket, SocketAddr)], cpu: impl Fn() -> f64) -> (f64, f64) {
    for (socket, _) in legs {
        socket.set_nonblocking(true).expect("a socket option");
    }
    let mut packet = vec![0x80, 0];
    packet.resize(172, 0xd5);
    let mut buffer = [0u8; 2_048];
    let (mut sent, mut heard, mut before) = (0u64, 0u64, 0.0);
    let started = Instant::now();
    for frame in 0..WARM_UP + WINDOW {
        if frame == WARM_UP {
            (sent, heard, before) = (0, 0, cpu());
        }
        for (n, (socket, switch)) in legs.iter().enumerate() {
            packet[2..4].copy_from_slice(&(frame as u16).to_be_bytes());
            packet[4..8].copy_from_slice(&(frame * 160).to_be_bytes());
            packet[8..12].copy_from_slice(&(n as u32 + 1).to_be_bytes());
            sent += u64::from(socket.send_to(&packet, switch).is_ok());
            while socket.recv_from(&mut buffer).is_ok() {
                heard += 1;
            }
        }
        let due = started + Duration::from_millis(20) * (frame + 1);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let seconds = f64::from(WINDOW) * 0.02;
    (
        100.0 * (cpu() - before) / seconds,
        100.0 * heard as f64 / sent.max(1) as f64,
    )
}

/// The parties' RTP addresses and the switch's ports for them, from the SDP on the wire.
fn media_ports(office: &Office, tap: &Tap) -> BTreeMap<SocketAddr, SocketAddr> {
    // One dialog has one offer and one answer: each Call-ID pairs what both sides said.
    let mut by_call: BTreeMap<String, (Option<SocketAddr>, Option<SocketAddr>)> = BTreeMap::new();
    for packet in tap.packets(|packet| packet.sip().is_some()) {
        let text = packet.sip().unwrap_or_default();
        let (Some(media), Some(id)) = (media_address(text), line_of(text, "Call-ID:")) else {
            continue;
        };
        let entry = by_call.entry(id.to_owned()).or_default();
        if packet.from == office.sip() {
            entry.1 = Some(media);
        } else {
            entry.0 = Some(media);
        }
    }
    by_call
        .into_values()
        .filter_map(|(party, switch)| Some((party?, switch?)))
        // SIPp binds the first ports of its own.
        .filter(|(party, _)| party.port() >= MEDIA)
        .collect()
}

fn media_address(text: &str) -> Option<SocketAddr> {
    let ip = line_of(text, "c=IN IP4 ")?.parse().ok()?;
    let port = line_of(text, "m=audio ")?.split(' ').next()?.parse().ok()?;
    Some(SocketAddr::new(ip, port))
}

fn line_of<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(start))
        .map(str::trim)
}

fn callee(office: &Office, media_port: u16) -> Running {
    office.register(1006);
    office
        .sipp("phone_answers", office.phone_address(1006))
        .media_port(media_port)
        .set("phone", 1006)
        .set("ring_ms", 1)
        .set("talk_ms", 600_000)
        .steps(&[])
        .calls(100_000, 10_000, 10)
        .start()
}

fn caller(office: &Office, calls: u32, at_once: u32, rate: u32, talk_ms: u32) -> Running {
    office
        .sipp("phone_calls", office.phone_address(1005))
        .media_port(MEDIA - 4)
        .set("number", 1006)
        .set("caller", 1005)
        .set("password", "tsunagu-1005")
        .set("patience_ms", talk_ms)
        .steps(&[])
        .calls(calls, at_once, rate)
        .start()
}

/// utime + stime of the switch.
fn cpu_seconds(office: &Office) -> f64 {
    office.holdings().cpu_seconds
}

fn best_of_five(mut work: impl FnMut()) -> f64 {
    let mut once = || {
        let started = Instant::now();
        for _ in 0..100_000 {
            work();
        }
        started.elapsed().as_nanos() as f64 / 100_000.0
    };
    (0..5).map(|_| once()).fold(f64::INFINITY, f64::min)
}

const CALLS: usize = 100;
/// First RTP port of parties that are not SIPp.
const MEDIA: u16 = 6_000;
/// Frames of 20 ms before the window, and in it.
const WARM_UP: u32 = 100;
const WINDOW: u32 = 750;

const INVITE: &str = "INVITE sip:+81312345678@203.0.113.5:5060;user=phone SIP/2.0\r\n\
Via: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK0a1b2c3d4e5f;rport\r\n\
Via: SIP/2.0/UDP 198.51.100.9:5060;branch=z9hG4bKffeeddccbbaa;received=198.51.100.9\r\n\
Record-Route: <sip:198.51.100.1;lr;ftag=8a7b6c>\r\n\
Max-Forwards: 69\r\n\
From: \"Yamada Taro\" <sip:+819012345678@carrier.example.jp;user=phone>;tag=8a7b6c5d4e3f\r\n\
To: <sip:+81312345678@203.0.113.5;user=phone>\r\n\
Call-ID: 0c9f8e7d6b5a43210fedcba987654321@198.51.100.9\r\n\
CSeq: 314159 INVITE\r\n\
Contact: <sip:+819012345678@198.51.100.9:5060;transport=udp>\r\n\
Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY\r\n\
Supported: 100rel, timer, replaces, histinfo\r\n\
Session-Expires: 1800;refresher=uac\r\n\
Min-SE: 90\r\n\
P-Asserted-Identity: <sip:+819012345678@carrier.example.jp;user=phone>\r\n\
User-Agent: Carrier-SBC/9.4.2\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 279\r\n\
\r\n\
v=0\r\n\
o=- 20518 0 IN IP4 198.51.100.9\r\n\
s=call\r\n\
c=IN IP4 198.51.100.9\r\n\
t=0 0\r\n\
m=audio 54312 RTP/AVP 0 8 96\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:96 telephone-event/8000\r\n\
a=fmtp:96 0-15\r\n\
a=ptime:20\r\n\
a=maxptime:60\r\n\
a=sendrecv\r\n";
