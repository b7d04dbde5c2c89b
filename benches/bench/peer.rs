//! A caller and a callee in one thread, as light as can be: text in, text out, no retransmissions
//! (loopback loses nothing that the figures would survive).

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::event::epoll;
use rustix::time::Timespec;
use tsunagu::base::Entropy;
use tsunagu::sip::auth::{Credentials, answer};
use tsunagu::sip::{Message, Method, Uri};

/// Their sockets, bound before the switch is configured.
pub(crate) struct Ears {
    caller: UdpSocket,
    callee: UdpSocket,
}

impl Ears {
    /// On free ports.
    pub(crate) fn bind() -> Self {
        let bound = || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            socket.set_nonblocking(true).expect("a socket option");
            socket
        };
        Self {
            caller: bound(),
            callee: bound(),
        }
    }

    /// Where the switch reaches its trunk and its agents' phones.
    pub(crate) fn carrier(&self) -> SocketAddr {
        local(&self.callee)
    }
}

/// Whom a call is from and to.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// A number of ours is challenged; any other belongs to the trunk.
    pub(crate) from: String,
    pub(crate) to: String,
}

/// How many calls, how fast, how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) calls: usize,
    pub(crate) a_second: f64,
    /// `None` leaves them up.
    pub(crate) hold: Option<Duration>,
}

/// Both ends of many calls.
pub(crate) struct Peer {
    ears: Ears,
    poll: OwnedFd,
    switch: SocketAddr,
    entropy: Entropy,
    calls: Vec<Call>,
    /// Due times of BYEs, in order.
    endings: VecDeque<(Instant, usize)>,
    /// When to try calls again that were turned away, in order.
    again: VecDeque<(Instant, usize)>,
    /// RTP addresses to give away, callers' and callees', by number of the call.
    pub(crate) caller_media: Vec<SocketAddr>,
    pub(crate) callee_media: Vec<SocketAddr>,
    /// The switch's RTP addresses for the callees, by number of the call.
    answered_for: Vec<Option<SocketAddr>>,
    /// Number of the call by the switch's Call-ID; kept only where media matters.
    callees: HashMap<String, usize>,
    /// Nanoseconds from INVITE to 200, in order of the answers.
    pub(crate) answers: Vec<u64>,
    /// Calls that came to a good end.
    pub(crate) done: Arc<AtomicU64>,
    acknowledged: usize,
    /// Calls turned away with 503 because a thread of the switch was late.
    pub(crate) refused: usize,
    failed: Vec<String>,
}

struct Call {
    plan: Plan,
    started: Instant,
    /// CSeq of the newest INVITE.
    number: u32,
    is_challenged: bool,
    state: State,
    /// The To of the answer, with the switch's tag, and its Contact.
    to: String,
    contact: String,
    media: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calling,
    Over,
    Up,
}

impl Peer {
    /// Towards a switch.
    pub(crate) fn new(ears: Ears, switch: SocketAddr) -> Self {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll");
        for (n, socket) in [&ears.caller, &ears.callee].into_iter().enumerate() {
            let data = epoll::EventData::new_u64(n as u64);
            epoll::add(&poll, socket, data, epoll::EventFlags::IN).expect("a socket");
        }
        Self {
            ears,
            poll,
            switch,
            entropy: Entropy::from_seed(1),
            calls: Vec::new(),
            endings: VecDeque::new(),
            again: VecDeque::new(),
            caller_media: Vec::new(),
            callee_media: Vec::new(),
            answered_for: Vec::new(),
            callees: HashMap::new(),
            answers: Vec::new(),
            done: Arc::default(),
            acknowledged: 0,
            refused: 0,
            failed: Vec::new(),
        }
    }

    /// Registers a phone of the office at the callee's socket.
    pub(crate) fn register(&mut self, phone: u32) {
        let own = self.ears.carrier();
        let uri = format!("sip:{}", self.switch);
        let mut authorization = String::new();
        for sequence in 1..=2 {
            let request = format!(
                "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKr{phone}x{sequence};\
                 rport\r\nMax-Forwards: 70\r\nFrom: <sip:{phone}@{own}>;tag=r{phone}\r\n\
                 To: <sip:{phone}@{own}>\r\nCall-ID: r{phone}@bench\r\nCSeq: {sequence} REGISTER\r\n\
                 Contact: <sip:{phone}@{own}>\r\nExpires: 3600\r\n{authorization}\
                 Content-Length: 0\r\n\r\n"
            );
            self.ears
                .callee
                .send_to(request.as_bytes(), self.switch)
                .expect("loopback");
            let reply = self.reply_to_registration();
            if status(&reply) == Some(200) {
                return;
            }
            authorization = self.authorization(&reply, &Method::Register, &uri, phone);
        }
        panic!("phone {phone} cannot register");
    }

    fn reply_to_registration(&self) -> String {
        let mut buffer = vec![0; 4096];
        let patience = Instant::now() + Duration::from_secs(5);
        while Instant::now() < patience {
            match self.ears.callee.recv_from(&mut buffer) {
                Ok((length, _)) => return String::from_utf8_lossy(&buffer[..length]).into_owned(),
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        panic!("no answer to REGISTER");
    }

    fn authorization(&mut self, reply: &str, method: &Method, uri: &str, phone: u32) -> String {
        let challenge = Message::parse(Bytes::copy_from_slice(reply.as_bytes()));
        let challenge = challenge.expect("a SIP message");
        let uri = Uri::parse(uri).expect("a SIP URI");
        let secret = Credentials::new(&phone.to_string(), &format!("tsunagu-{phone}"));
        let answered = answer(&challenge, method, &uri, &secret, &mut self.entropy, 1);
        let (_, value) = answered.unwrap_or_else(|_| panic!("no challenge but:\n{reply}"));
        format!("Authorization: {value}\r\n")
    }

    /// Starts calls at absolute times and stays with them until all are up, or, with a hold time,
    /// over. Says what went wrong by panicking: figures of failed calls are worth nothing.
    pub(crate) fn drive(&mut self, pace: Pace, plan: impl Fn(usize) -> Plan) {
        let (begin, first) = (Instant::now(), self.calls.len());
        let (over, refused) = (self.done.load(Ordering::Relaxed), self.refused);
        let mut started = 0;
        let interval = Duration::from_secs_f64(1.0 / pace.a_second);
        let patience = begin + interval * pace.calls as u32 + Duration::from_secs(15);
        loop {
            let now = Instant::now();
            while started < pace.calls && begin + interval * started as u32 <= now {
                self.invite(first + started, plan(started));
                started += 1;
            }
            while let Some((due, call)) = self.endings.front().copied()
                && due <= now
            {
                self.endings.pop_front();
                self.bye(call);
            }
            while let Some((due, call)) = self.again.front().copied()
                && due <= now
            {
                self.again.pop_front();
                self.calls[call].number += 1;
                self.calls[call].is_challenged = false;
                self.send_invite(call, "");
            }
            let finished = match pace.hold {
                None => self.is_up(first, started),
                Some(_) => {
                    let done = self.done.load(Ordering::Relaxed) - over;
                    done as usize + self.refused - refused == started
                }
            };
            if started == pace.calls && finished {
                break;
            }
            if let Some(why) = self.failed.first() {
                panic!("a call failed: {why}");
            }
            assert!(
                now < patience,
                "calls are left over 15 s after the last began"
            );
            let ending = self.endings.front().map(|(due, _)| *due);
            let next = (started < pace.calls).then(|| begin + interval * started as u32);
            let until = ending.into_iter().chain(next).min();
            self.wait(until.unwrap_or(now + Duration::from_millis(100)), pace.hold);
        }
    }

    /// Answers what comes for a while.
    pub(crate) fn idle(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.wait(until, None);
        }
    }

    /// Waits until as many callees were answered and acknowledged.
    pub(crate) fn wait_for_callees(&mut self, count: usize) {
        let patience = Instant::now() + Duration::from_secs(20);
        while self.acknowledged < count {
            assert!(
                Instant::now() < patience,
                "{} of {count} callees",
                self.acknowledged
            );
            self.wait(Instant::now() + Duration::from_millis(50), None);
        }
    }

    /// Ends every call that is up.
    pub(crate) fn end_all(&mut self) {
        for call in 0..self.calls.len() {
            if self.calls[call].state == State::Up {
                self.bye(call);
                self.wait(Instant::now() + Duration::from_millis(1), None);
            }
        }
        self.idle(Duration::from_millis(500));
    }

    /// The switch's RTP addresses for the callers, by number of the call.
    pub(crate) fn ports_for_callers(&self) -> Vec<SocketAddr> {
        let media = self
            .calls
            .iter()
            .map(|call| call.media.expect("SDP in the 200"));
        media.collect()
    }

    /// The switch's RTP addresses for the callees, by number of the call.
    pub(crate) fn ports_for_callees(&self) -> Vec<SocketAddr> {
        self.answered_for
            .iter()
            .map(|media| media.expect("SDP in the INVITE"))
            .collect()
    }

    fn is_up(&self, first: usize, count: usize) -> bool {
        self.calls[first..first + count]
            .iter()
            .all(|call| call.state == State::Up)
    }

    fn wait(&mut self, until: Instant, hold: Option<Duration>) {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut events = [const { MaybeUninit::<epoll::Event>::uninit() }; 2];
        let Ok((ready, _)) = epoll::wait(&self.poll, &mut events[..], Some(&timeout)) else {
            return;
        };
        let ready: Vec<u64> = ready.iter().map(|event| event.data.u64()).collect();
        let mut buffer = [0u8; 4096];
        for which in ready {
            let is_caller = which == 0;
            let socket = |ears: &Ears, buffer: &mut [u8]| {
                let socket = if is_caller {
                    &ears.caller
                } else {
                    &ears.callee
                };
                socket.recv_from(buffer)
            };
            while let Ok((length, _)) = socket(&self.ears, &mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]);
                if is_caller {
                    self.caller_hears(&text, hold);
                } else {
                    self.callee_hears(&text);
                }
            }
        }
    }

    fn invite(&mut self, call: usize, plan: Plan) {
        let placed = Call {
            plan,
            started: Instant::now(),
            number: 1,
            is_challenged: false,
            state: State::Calling,
            to: String::new(),
            contact: String::new(),
            media: None,
        };
        debug_assert_eq!(call, self.calls.len());
        self.calls.push(placed);
        self.send_invite(call, "");
    }

    fn send_invite(&mut self, call: usize, authorization: &str) {
        let own = local(&self.ears.caller);
        let media = self.caller_media.get(call).copied().unwrap_or(NOWHERE);
        let sdp = sdp(media);
        let mut text = self.request("INVITE", call, &self.uri(call), "", self.calls[call].number);
        let _ = write!(
            text,
            "{authorization}Contact: <sip:caller@{own}>\r\n\
             Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO\r\nSupported: replaces\r\n\
             User-Agent: bench\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        );
        self.say(&text);
    }

    fn uri(&self, call: usize) -> String {
        format!("sip:{}@{}", self.calls[call].plan.to, self.switch)
    }

    /// A request up to the headers all requests have; `to` is empty before the answer.
    fn request(&self, method: &str, call: usize, uri: &str, to: &str, sequence: u32) -> String {
        let own = local(&self.ears.caller);
        let plan = &self.calls[call].plan;
        let first_to = format!("<{}>", self.uri(call));
        let to = if to.is_empty() { &first_to } else { to };
        format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {own};branch=z9hG4bK{call}x{sequence}{method};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{}@{own}>;tag=c{call}\r\nTo: {to}\r\n\
             Call-ID: {call}@{own}\r\nCSeq: {sequence} {method}\r\n",
            plan.from
        )
    }

    fn bye(&mut self, call: usize) {
        let Call {
            to,
            contact,
            number,
            ..
        } = &self.calls[call];
        let mut text = self.request("BYE", call, contact, to, number + 1);
        text.push_str("Content-Length: 0\r\n\r\n");
        self.say(&text);
    }

    fn say(&self, text: &str) {
        self.ears
            .caller
            .send_to(text.as_bytes(), self.switch)
            .expect("loopback");
    }

    fn caller_hears(&mut self, text: &str, hold: Option<Duration>) {
        let Some(status) = status(text) else {
            // The switch ends a call that nobody wanted ended.
            let what = text.lines().next().unwrap_or_default();
            self.failed.push(format!("{what} to the caller"));
            return;
        };
        let number = header(text, "Call-ID").and_then(|id| id.split('@').next()?.parse().ok());
        let Some(call) = number.filter(|call| *call < self.calls.len()) else {
            return;
        };
        let is_invite = header(text, "CSeq").is_some_and(|cseq| cseq.ends_with("INVITE"));
        match (status, is_invite) {
            (100..200, _) => {}
            (200..300, true) => self.answered(call, text, hold),
            (200..300, false) => {
                if self.calls[call].state == State::Up {
                    self.calls[call].state = State::Over;
                    self.done.fetch_add(1, Ordering::Relaxed);
                }
            }
            (480 | 503, true) => self.turned_away(call, text, hold),
            (401, true) if !self.calls[call].is_challenged => self.challenged(call, text),
            _ => self
                .failed
                .push(text.lines().next().unwrap_or_default().to_owned()),
        }
    }

    fn answered(&mut self, call: usize, text: &str, hold: Option<Duration>) {
        let is_first = self.calls[call].state == State::Calling;
        if is_first {
            let elapsed = self.calls[call].started.elapsed();
            self.answers.push(elapsed.as_nanos() as u64);
            let contact = header(text, "Contact").unwrap_or_default();
            let contact = contact
                .trim_start_matches('<')
                .split('>')
                .next()
                .unwrap_or_default();
            let placed = &mut self.calls[call];
            placed.state = State::Up;
            placed.to = header(text, "To").unwrap_or_default().to_owned();
            placed.contact = contact.to_owned();
            placed.media = media_address(text);
            if let Some(hold) = hold {
                self.endings.push_back((Instant::now() + hold, call));
            }
        }
        let Call {
            to,
            contact,
            number,
            ..
        } = &self.calls[call];
        let mut ack = self.request("ACK", call, contact, to, *number);
        ack.push_str("Content-Length: 0\r\n\r\n");
        self.say(&ack);
    }

    /// A thread of the switch is late: 503 at the gate, 480 when it is noticed behind it. A call
    /// that is to stay up is tried again.
    fn turned_away(&mut self, call: usize, text: &str, hold: Option<Duration>) {
        let ack = self.acknowledgement(call, text);
        self.say(&ack);
        if self.calls[call].state != State::Calling {
            return;
        }
        match hold {
            Some(_) => {
                self.calls[call].state = State::Over;
                self.refused += 1;
            }
            None => self.again.push_back((Instant::now() + AGAIN, call)),
        }
    }

    fn challenged(&mut self, call: usize, text: &str) {
        let uri = self.uri(call);
        let ack = self.acknowledgement(call, text);
        self.say(&ack);
        let phone = self.calls[call]
            .plan
            .from
            .parse()
            .expect("phones have numbers");
        let authorization = self.authorization(text, &Method::Invite, &uri, phone);
        self.calls[call].number += 1;
        self.calls[call].is_challenged = true;
        self.send_invite(call, &authorization);
    }

    /// The ACK of a refusal: of the transaction of its INVITE (RFC 3261 §17.1.1.3).
    fn acknowledgement(&self, call: usize, refusal: &str) -> String {
        let number = self.calls[call].number;
        let to = header(refusal, "To").unwrap_or_default();
        let ack = self.request("ACK", call, &self.uri(call), to, number);
        let branch = (format!("x{number}ACK"), format!("x{number}INVITE"));
        ack.replacen(&branch.0, &branch.1, 1) + "Content-Length: 0\r\n\r\n"
    }

    fn callee_hears(&mut self, text: &str) {
        let method = text.split(' ').next().unwrap_or_default();
        match method {
            "ACK" => self.acknowledged += 1,
            "INVITE" => self.callee_rings(text),
            "SIP/2.0" => {}
            _ => self.reply(text, "200 OK", ""),
        }
    }

    fn callee_rings(&mut self, text: &str) {
        let own = self.ears.carrier();
        let mut media = NOWHERE;
        if !self.callee_media.is_empty() {
            let id = header(text, "Call-ID").unwrap_or_default().to_owned();
            let next = self.callees.len();
            let number = *self.callees.entry(id).or_insert(next);
            if number == self.answered_for.len() {
                self.answered_for.push(media_address(text));
            }
            media = self.callee_media.get(number).copied().unwrap_or(NOWHERE);
        }
        let sdp = sdp(media);
        self.reply(text, "100 Trying", "");
        self.reply(text, "180 Ringing", "");
        let rest = format!("Contact: <sip:callee@{own}>\r\nContent-Type: application/sdp\r\n");
        self.reply_with(text, "200 OK", &rest, &sdp);
    }

    fn reply(&self, request: &str, status: &str, rest: &str) {
        self.reply_with(request, status, rest, "");
    }

    fn reply_with(&self, request: &str, status: &str, rest: &str, body: &str) {
        let mut reply = format!("SIP/2.0 {status}\r\n");
        for line in request
            .split("\r\n")
            .skip(1)
            .take_while(|line| !line.is_empty())
        {
            let kept = ["Via:", "From:", "Call-ID:", "CSeq:"].iter();
            if kept.into_iter().any(|name| line.starts_with(name)) {
                let _ = write!(reply, "{line}\r\n");
            } else if line.starts_with("To:") {
                let tag = if line.contains(";tag=") {
                    ""
                } else {
                    ";tag=callee"
                };
                let _ = write!(reply, "{line}{tag}\r\n");
            }
        }
        let _ = write!(reply, "{rest}Content-Length: {}\r\n\r\n{body}", body.len());
        self.ears
            .callee
            .send_to(reply.as_bytes(), self.switch)
            .expect("loopback");
    }
}

fn local(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("bound")
}

fn status(text: &str) -> Option<u16> {
    text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

/// The switch writes header names as the RFC does.
fn header<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let lines = text.split("\r\n").take_while(|line| !line.is_empty());
    let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    values.next().map(str::trim)
}

fn media_address(text: &str) -> Option<SocketAddr> {
    let after = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    let ip = after("c=IN IP4 ")?.trim().parse().ok()?;
    let port = after("m=audio ")?.split(' ').next()?.parse().ok()?;
    Some(SocketAddr::new(ip, port))
}

fn sdp(media: SocketAddr) -> String {
    let (ip, port) = (media.ip(), media.port());
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 8 101\
         \r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

/// Until a call that was turned away is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// For calls without media; nobody sends there, for nobody speaks.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
