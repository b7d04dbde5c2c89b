//! What a hundred thousand phones cost that refresh every five minutes, how long one is looked up,
//! and how soon all are known again after a kill.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bytes::Bytes;
use socket2::SockRef;
use tsunagu::base::{Entropy, Timestamp};
use tsunagu::registrar::{Limits, Registrar};
use tsunagu::sip::auth::{Credentials, answer};
use tsunagu::sip::{Flow, Message, Method, Uri};

use crate::bars::{Bar, judge};
use crate::load::Sockets;
use crate::office::{CROWD, Office};
use crate::process::resident_kb;

/// All of it.
pub(crate) fn run() {
    look_up();
    let mut office = Office::with_crowd(Sockets::bind().carrier(), PHONES);
    let mut phones = Phones::new(office.sip);
    let (begin, before) = (Instant::now(), office.cpu_seconds());
    phones.register(0..PHONES, FIRST_RATE, Knows::Nothing);
    let spent = office.cpu_seconds() - before;
    println!(
        "registrations {PHONES} phones in {:.0} s, each challenged: {:.0} us of CPU; resident {:.0} MB",
        begin.elapsed().as_secs_f64(),
        1e6 * spent / f64::from(PHONES),
        resident_kb(office.pid()) / 1000.0
    );
    let rate = f64::from(PHONES) / REFRESH.as_secs_f64();
    let count = (rate * STEADY.as_secs_f64()) as u32;
    // The youngest: the switch may have forgotten how often the oldest nonces were used.
    for (what, first, knows) in [
        ("one nonce used again", PHONES - count, Knows::Nonce),
        ("challenged each time", PHONES - 2 * count, Knows::Nothing),
    ] {
        let (begin, before) = (Instant::now(), office.cpu_seconds());
        phones.challenged = 0;
        phones.register(first..first + count, rate, knows);
        let share = 100.0 * (office.cpu_seconds() - before) / begin.elapsed().as_secs_f64();
        println!(
            "refreshes   {what}: {rate:.0} a second, {} challenges, {} turned away",
            phones.challenged, phones.turned_away
        );
        judge(
            "CPU of all refreshes",
            share,
            "% of a core",
            Bar::AtMost(5.0),
        );
    }
    // What changed is written within half a second.
    std::thread::sleep(Duration::from_secs(2));
    let begin = Instant::now();
    office.kill_and_start();
    let (recovered, took) = office
        .restored()
        .expect("the switch says how many it restored");
    println!(
        "restart     {recovered} phones known again, {:.1} s after the kill in all",
        begin.elapsed().as_secs_f64()
    );
    judge(
        "phones known again",
        recovered,
        "phones",
        Bar::AtLeast(f64::from(PHONES)),
    );
    judge("time to read them back", took, "s", Bar::AtMost(1.0));
}

/// In this process: nothing but the table.
fn look_up() {
    let mut registrar = Registrar::new(Limits::default());
    let flow = Flow::udp(address(5060), address(5061));
    for phone in CROWD..CROWD + PHONES {
        let message = request(phone, 1, address(5061), "sip:h", "");
        let message = Message::parse(Bytes::from(message)).expect("a SIP message");
        let reply = registrar.register(Timestamp::ZERO, &message, &flow, &phone.to_string());
        assert_eq!(reply.status, 200);
    }
    let mut entropy = Entropy::from_seed(1);
    let numbers: Vec<String> = (0..PHONES)
        .map(|_| (u64::from(CROWD) + entropy.below(u64::from(PHONES))).to_string())
        .collect();
    let begin = Instant::now();
    for number in &numbers {
        assert_eq!(black_box(registrar.bindings(black_box(number))).len(), 1);
    }
    let each = begin.elapsed().as_secs_f64() * 1e6 / f64::from(PHONES);
    judge(
        "look-up of one phone among all",
        each,
        "us",
        Bar::AtMost(5.0),
    );
}

/// Many phones behind one socket.
struct Phones {
    socket: UdpSocket,
    switch: SocketAddr,
    entropy: Entropy,
    /// The challenge each met last, and how often its nonce was used.
    met: Vec<Option<(Message, u32)>>,
    sequence: Vec<u32>,
    challenged: usize,
    turned_away: usize,
}

/// What a phone begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Knows {
    Nonce,
    Nothing,
}

impl Phones {
    fn new(switch: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        socket.set_nonblocking(true).expect("a socket option");
        let buffer = SockRef::from(&socket);
        buffer.set_recv_buffer_size(8 << 20).expect("an option");
        Self {
            socket,
            switch,
            entropy: Entropy::from_seed(2),
            met: vec![None; PHONES as usize],
            sequence: vec![0; PHONES as usize],
            challenged: 0,
            turned_away: 0,
        }
    }

    /// Registers them at a rate; stays until all are answered 200.
    fn register(&mut self, phones: std::ops::Range<u32>, a_second: f64, knows: Knows) {
        let (begin, count) = (Instant::now(), phones.len());
        let (mut begun, mut done) = (0, 0);
        let mut waiting = std::collections::HashMap::new();
        let mut buffer = [0u8; 4096];
        let mut look = Instant::now();
        while done < count {
            let due = (begin.elapsed().as_secs_f64() * a_second) as usize;
            while begun < due.min(count) {
                let phone = phones.start + begun as u32;
                if knows == Knows::Nothing {
                    self.met[phone as usize] = None;
                }
                self.send(phone);
                waiting.insert(phone, Instant::now());
                begun += 1;
            }
            while let Ok(length) = self.socket.recv(&mut buffer) {
                let Some((phone, is_done)) = self.hear(&buffer[..length]) else {
                    continue;
                };
                if is_done && waiting.remove(&phone).is_some() {
                    done += 1;
                }
            }
            if look.elapsed() > Duration::from_millis(500) {
                look = Instant::now();
                for (phone, since) in &mut waiting {
                    // Lost on the way: once more.
                    if since.elapsed() > Duration::from_secs(2) {
                        *since = Instant::now();
                        self.send(*phone);
                    }
                }
            }
            if due <= begun {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }

    fn hear(&mut self, reply: &[u8]) -> Option<(u32, bool)> {
        let reply = Message::parse(Bytes::copy_from_slice(reply)).ok()?;
        let phone = reply.call_id().ok()?.split('@').next()?.parse().ok()?;
        match reply.status()? {
            200 => Some((phone, true)),
            401 => {
                self.challenged += 1;
                let most = 4 * PHONES as usize;
                assert!(
                    self.challenged < most,
                    "no answer to a challenge is good enough"
                );
                self.met[phone as usize] = Some((reply, 0));
                self.send(phone);
                Some((phone, false))
            }
            // Asked for patience: it is said again with those that were lost.
            503 => {
                self.turned_away += 1;
                Some((phone, false))
            }
            status => panic!("phone {phone} is answered {status}"),
        }
    }

    fn send(&mut self, phone: u32) {
        let uri = format!("sip:{}", self.switch);
        let number = CROWD + phone;
        let mut authorization = String::new();
        if let Some((challenge, uses)) = &mut self.met[phone as usize] {
            *uses += 1;
            let secret = Credentials::new(&number.to_string(), &format!("tsunagu-{number}"));
            let target = Uri::parse(&uri).expect("a SIP URI");
            let way = (&Method::Register, &target);
            let answered = answer(challenge, way.0, way.1, &secret, &mut self.entropy, *uses);
            let (_, value) = answered.expect("a challenge we can answer");
            authorization = format!("Authorization: {value}\r\n");
        }
        let sequence = &mut self.sequence[phone as usize];
        *sequence += 1;
        let own = self.socket.local_addr().expect("bound");
        let text = request(number, *sequence, own, &uri, &authorization);
        let text = text.replacen(&format!("r{number}@"), &format!("{phone}@"), 1);
        // What loopback does not take is said again.
        let _ = self.socket.send_to(text.as_bytes(), self.switch);
    }
}

fn request(phone: u32, number: u32, own: SocketAddr, uri: &str, authorization: &str) -> String {
    format!(
        "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKr{phone}x{number};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{phone}@{own}>;tag=r{phone}\r\nTo: <sip:{phone}@{own}>\r\n\
         Call-ID: r{phone}@bench\r\nCSeq: {number} REGISTER\r\nContact: <sip:{phone}@{own}>\r\n\
         Expires: 600\r\nUser-Agent: bench phone 1.0\r\n{authorization}Content-Length: 0\r\n\r\n"
    )
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

const PHONES: u32 = 100_000;
/// How often each refreshes.
const REFRESH: Duration = Duration::from_secs(300);
const STEADY: Duration = Duration::from_secs(30);
/// First registrations a second: as after a power cut, so that the bench takes its time for more.
const FIRST_RATE: f64 = 1500.0;
