//! A caller and a callee that stand thousands of calls a second: octets in, octets out, nothing
//! parsed that is not needed, retransmissions as RFC 3261 §17 has them.
//!
//! It never sleeps while it works: whoever sends to a sleeping process pays for waking it, and the
//! switch's figures would contain what a network card does for nothing.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use memchr::memmem::find;
use socket2::SockRef;

use crate::statistics::p50_p99;

/// Their sockets, bound before the switch is configured.
pub(crate) struct Sockets {
    caller: UdpSocket,
    callee: UdpSocket,
}

impl Sockets {
    /// On free ports.
    pub(crate) fn bind() -> Self {
        let bound = || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            socket.set_nonblocking(true).expect("a socket option");
            let buffers = SockRef::from(&socket);
            buffers.set_recv_buffer_size(BUFFER).expect("an option");
            buffers.set_send_buffer_size(BUFFER).expect("an option");
            socket
        };
        Self {
            caller: bound(),
            callee: bound(),
        }
    }

    /// Where the switch reaches its trunk.
    pub(crate) fn carrier(&self) -> SocketAddr {
        self.callee.local_addr().expect("bound")
    }
}

/// Both ends of many calls through a switch.
pub(crate) struct Load {
    sockets: Sockets,
    switch: SocketAddr,
    /// The dialled number.
    to: &'static str,
    own: String,
    calls: Vec<Call>,
    /// Calls of earlier rounds: a call's number is its place plus this.
    before: usize,
    due: BinaryHeap<Reverse<(Instant, Task)>>,
    /// Answers of the callee that wait for their ACK, by a hash of the dialog's Call-ID.
    unacknowledged: HashMap<u64, Vec<u8>>,
    buffer: Vec<u8>,
    round: Round,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Bye(usize),
    /// The INVITE or BYE of a call, once more unless it was heard; how often it was said.
    Again(usize, u32),
    /// A callee's 200, likewise.
    Answer(u64, u32),
}

struct Call {
    started: Instant,
    state: State,
    /// To of the answer, and the URI of its Contact.
    to: Box<[u8]>,
    contact: Box<[u8]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calling,
    /// A provisional response came.
    Heard,
    Up,
    Ending,
    Over,
}

/// What became of the calls of one round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    /// Calls begun.
    pub(crate) offered: usize,
    /// Calls answered and ended as they should.
    pub(crate) served: usize,
    /// Calls refused with 503.
    pub(crate) refused: usize,
    /// Calls that came to no good end at all.
    pub(crate) lost: usize,
    /// Nanoseconds from INVITE to 200.
    pub(crate) answers: Vec<u64>,
    /// Nanoseconds from INVITE to 503.
    pub(crate) refusals: Vec<u64>,
    /// Messages said twice.
    pub(crate) repeats: usize,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut answers, mut refusals) = (self.answers.clone(), self.refusals.clone());
        let (p50, p99) = p50_p99(&mut answers);
        write!(
            f,
            "{} calls, {} refused, {} lost, {} messages repeated; INVITE to 200 p50 {:.2} ms, \
             p99 {:.2} ms",
            self.offered,
            self.refused,
            self.lost,
            self.repeats,
            p50 / 1000.0,
            p99 / 1000.0
        )?;
        if !refusals.is_empty() {
            let (p50, p99) = p50_p99(&mut refusals);
            write!(
                f,
                "; to 503 p50 {:.2} ms, p99 {:.2} ms",
                p50 / 1000.0,
                p99 / 1000.0
            )?;
        }
        Ok(())
    }
}

impl Round {
    /// Refused and lost calls, of all.
    pub(crate) fn failures(&self) -> f64 {
        (self.refused + self.lost) as f64 / self.offered.max(1) as f64
    }
}

impl Load {
    /// Calls to `to` through a switch.
    pub(crate) fn new(sockets: Sockets, switch: SocketAddr, to: &'static str) -> Self {
        let own = sockets.caller.local_addr().expect("bound").to_string();
        Self {
            sockets,
            switch,
            to,
            own,
            calls: Vec::new(),
            before: 0,
            due: BinaryHeap::new(),
            unacknowledged: HashMap::new(),
            buffer: Vec::with_capacity(4096),
            round: Round::default(),
        }
    }

    /// Begins calls at absolute times for `time`, each up for `hold`, and waits for the last;
    /// `each` is called about every millisecond with what was begun and is over so far.
    pub(crate) fn run(
        &mut self,
        a_second: f64,
        time: Duration,
        hold: Duration,
        mut each: impl FnMut(&Round),
    ) -> Round {
        let begin = Instant::now();
        let wanted = (a_second * time.as_secs_f64()) as usize;
        self.round = Round::default();
        self.calls.reserve(wanted);
        let mut next_look = begin;
        loop {
            let now = Instant::now();
            let due = ((now - begin).as_secs_f64() * a_second) as usize;
            // A few at a time, so that answers are heard between them.
            for _ in 0..due.min(wanted).saturating_sub(self.calls.len()).min(16) {
                self.invite();
            }
            while let Some(Reverse((at, task))) = self.due.peek().copied()
                && at <= now
            {
                self.due.pop();
                self.act(task);
            }
            self.hear(hold);
            if now >= next_look {
                next_look = now + Duration::from_millis(1);
                each(&self.round);
            }
            let round = &self.round;
            if round.offered == wanted && round.served + round.refused + round.lost >= wanted {
                break;
            }
        }
        self.before += self.calls.len();
        self.calls.clear();
        self.due.clear();
        std::mem::take(&mut self.round)
    }

    /// Takes what still comes for a while, without haste.
    pub(crate) fn rest(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.hear(Duration::ZERO);
            std::thread::sleep(Duration::from_millis(2));
        }
        self.unacknowledged.clear();
    }

    fn hear(&mut self, hold: Duration) {
        let mut datagram = [0u8; 4096];
        for _ in 0..32 {
            let Ok(length) = self.sockets.caller.recv(&mut datagram) else {
                break;
            };
            self.caller_hears(&datagram[..length], hold);
        }
        for _ in 0..32 {
            let Ok(length) = self.sockets.callee.recv(&mut datagram) else {
                break;
            };
            self.callee_hears(&datagram[..length]);
        }
    }

    fn act(&mut self, task: Task) {
        match task {
            Task::Bye(call) => {
                if self.calls[call].state == State::Up {
                    self.calls[call].state = State::Ending;
                    self.send_in_dialog("BYE", 2, call);
                    self.later(Task::Again(call, 0), T1);
                }
            }
            Task::Again(call, times) => {
                let Some(state) = self.calls.get(call).map(|call| call.state) else {
                    return;
                };
                match state {
                    State::Calling | State::Ending if times < MOST_REPEATS => {
                        self.round.repeats += 1;
                        match state {
                            State::Calling => self.send_invite(call),
                            _ => self.send_in_dialog("BYE", 2, call),
                        }
                        self.later(Task::Again(call, times + 1), T1 * 2u32.pow(times + 1));
                    }
                    // Rung for so long, or repeated so often: lost.
                    State::Calling | State::Ending => self.lose(call),
                    State::Heard if self.calls[call].started.elapsed() > PATIENCE => {
                        self.lose(call);
                    }
                    State::Heard => self.later(Task::Again(call, times), PATIENCE),
                    State::Up | State::Over => {}
                }
            }
            Task::Answer(dialog, times) => {
                if let Some(answer) = self.unacknowledged.get(&dialog) {
                    if times == MOST_REPEATS {
                        self.unacknowledged.remove(&dialog);
                        return;
                    }
                    self.round.repeats += 1;
                    let _ = self.sockets.callee.send_to(answer, self.switch);
                    self.later(Task::Answer(dialog, times + 1), T1 * 2u32.pow(times + 1));
                }
            }
        }
    }

    fn later(&mut self, task: Task, after: Duration) {
        self.due.push(Reverse((Instant::now() + after, task)));
    }

    fn lose(&mut self, call: usize) {
        self.calls[call].state = State::Over;
        self.round.lost += 1;
    }

    fn invite(&mut self) {
        self.calls.push(Call {
            started: Instant::now(),
            state: State::Calling,
            to: Box::default(),
            contact: Box::default(),
        });
        self.round.offered += 1;
        let call = self.calls.len() - 1;
        self.send_invite(call);
        self.later(Task::Again(call, 0), T1);
    }

    fn send_invite(&mut self, call: usize) {
        let uri = format!("sip:{}@{}", self.to, self.switch);
        let to = format!("<{uri}>");
        self.begin(("INVITE", "I"), call, uri.as_bytes(), to.as_bytes());
        let own = &self.own;
        let _ = write!(
            self.buffer,
            "CSeq: 1 INVITE\r\nContact: <sip:caller@{own}>\r\n\
             Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO\r\nSupported: replaces\r\n\
             User-Agent: bench\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
            SDP.len()
        );
        self.say();
    }

    /// ACK of a 2xx, or BYE.
    fn send_in_dialog(&mut self, method: &str, number: u32, call: usize) {
        let placed = &mut self.calls[call];
        let to = std::mem::take(&mut placed.to);
        let contact = std::mem::take(&mut placed.contact);
        self.begin((method, method), call, &contact, &to);
        let _ = write!(
            self.buffer,
            "CSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n"
        );
        self.say();
        let placed = &mut self.calls[call];
        (placed.to, placed.contact) = (to, contact);
    }

    /// The ACK of a refusal, in the transaction of its INVITE (RFC 3261 §17.1.1.3).
    fn acknowledge_refusal(&mut self, call: usize, to: &[u8]) {
        let uri = format!("sip:{}@{}", self.to, self.switch);
        self.begin(("ACK", "I"), call, uri.as_bytes(), to);
        self.buffer
            .extend_from_slice(b"CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n");
        self.say();
    }

    /// Writes a request up to the headers all requests have, but for CSeq.
    fn begin(&mut self, (method, branch): (&str, &str), call: usize, uri: &[u8], to: &[u8]) {
        let (own, number) = (&self.own, self.before + call);
        let buffer = &mut self.buffer;
        buffer.clear();
        let _ = write!(buffer, "{method} ");
        buffer.extend_from_slice(uri);
        let _ = write!(
            buffer,
            " SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{branch}{number};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:0901234@{own}>;tag=c{number}\r\n\
             Call-ID: {number}@bench\r\nTo: "
        );
        buffer.extend_from_slice(to);
        buffer.extend_from_slice(b"\r\n");
    }

    fn say(&self) {
        // A full buffer loses it as a network would: it is said again.
        let _ = self.sockets.caller.send_to(&self.buffer, self.switch);
    }

    fn caller_hears(&mut self, message: &[u8], hold: Duration) {
        let Some(status) = status(message) else {
            return;
        };
        let Some(call) = self.call_of(message) else {
            return;
        };
        let is_invite = value(message, b"\r\nCSeq: ").ends_with(b"INVITE");
        let state = self.calls[call].state;
        match (status, is_invite, state) {
            (100..200, true, State::Calling) => self.calls[call].state = State::Heard,
            (200..300, true, State::Calling | State::Heard) => {
                let placed = &mut self.calls[call];
                placed.state = State::Up;
                placed.to = value(message, b"\r\nTo: ").into();
                let contact = value(message, b"\r\nContact: <");
                let end = contact.iter().position(|byte| *byte == b'>');
                placed.contact = contact[..end.unwrap_or(0)].into();
                let elapsed = placed.started.elapsed();
                self.round.answers.push(elapsed.as_nanos() as u64);
                self.send_in_dialog("ACK", 1, call);
                self.later(Task::Bye(call), hold);
            }
            (200..300, true, State::Up | State::Ending) => self.send_in_dialog("ACK", 1, call),
            (300.., true, _) => {
                self.acknowledge_refusal(call, value(message, b"\r\nTo: "));
                if matches!(state, State::Calling | State::Heard) {
                    let elapsed = self.calls[call].started.elapsed();
                    self.calls[call].state = State::Over;
                    if status == 503 {
                        self.round.refused += 1;
                        self.round.refusals.push(elapsed.as_nanos() as u64);
                    } else {
                        self.round.lost += 1;
                    }
                }
            }
            (200.., false, State::Ending) => {
                self.calls[call].state = State::Over;
                if status == 200 {
                    self.round.served += 1;
                } else {
                    self.round.lost += 1;
                }
            }
            _ => {}
        }
    }

    /// The call a response is about, when it is one of this round.
    fn call_of(&self, message: &[u8]) -> Option<usize> {
        let id = value(message, b"\r\nCall-ID: ");
        let digits = id.split(|byte| *byte == b'@').next()?;
        let number: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let call = number.checked_sub(self.before)?;
        (call < self.calls.len()).then_some(call)
    }

    fn callee_hears(&mut self, message: &[u8]) {
        match message.split(|byte| *byte == b' ').next() {
            Some(b"ACK") => {
                self.unacknowledged.remove(&dialog(message));
            }
            Some(b"INVITE") => self.callee_answers(message),
            Some(b"SIP/2.0") => {}
            _ => {
                let mut reply = Vec::with_capacity(1024);
                mirror(message, b"200 OK", &mut reply);
                reply.extend_from_slice(b"Content-Length: 0\r\n\r\n");
                let _ = self.sockets.callee.send_to(&reply, self.switch);
            }
        }
    }

    fn callee_answers(&mut self, message: &[u8]) {
        for status in [&b"100 Trying"[..], b"180 Ringing"] {
            self.buffer.clear();
            mirror(message, status, &mut self.buffer);
            self.buffer.extend_from_slice(b"Content-Length: 0\r\n\r\n");
            let _ = self.sockets.callee.send_to(&self.buffer, self.switch);
        }
        let mut answer = Vec::with_capacity(1024);
        mirror(message, b"200 OK", &mut answer);
        let own = self.sockets.carrier();
        let _ = write!(
            answer,
            "Contact: <sip:callee@{own}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{SDP}",
            SDP.len()
        );
        let _ = self.sockets.callee.send_to(&answer, self.switch);
        let dialog = dialog(message);
        self.unacknowledged.insert(dialog, answer);
        self.later(Task::Answer(dialog, 0), T1);
    }
}

fn status(message: &[u8]) -> Option<u16> {
    let digits = message.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The rest of the line after `name`; the switch writes header names as the RFC does.
fn value<'m>(message: &'m [u8], name: &[u8]) -> &'m [u8] {
    let Some(at) = find(message, name) else {
        return b"";
    };
    let rest = &message[at + name.len()..];
    &rest[..memchr::memchr(b'\r', rest).unwrap_or(rest.len())]
}

fn dialog(message: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(value(message, b"\r\nCall-ID: "));
    hasher.finish()
}

/// The head of a response: what RFC 3261 §8.2.6.2 copies from the request, and our tag.
fn mirror(request: &[u8], status: &[u8], reply: &mut Vec<u8>) {
    reply.extend_from_slice(b"SIP/2.0 ");
    reply.extend_from_slice(status);
    reply.extend_from_slice(b"\r\n");
    let mut rest = request;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, after) = rest.split_at(end + 1);
        rest = after;
        if line == b"\r\n" {
            break;
        }
        let copied = [&b"Via:"[..], b"From:", b"Call-ID:", b"CSeq:"];
        if copied.into_iter().any(|name| line.starts_with(name)) {
            reply.extend_from_slice(line);
        } else if line.starts_with(b"To:") {
            reply.extend_from_slice(&line[..line.len() - 2]);
            if find(line, b";tag=").is_none() {
                reply.extend_from_slice(b";tag=callee");
            }
            reply.extend_from_slice(b"\r\n");
        }
    }
}

/// Nobody listens there, for nobody speaks.
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 9 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

/// RFC 3261 §17.1.1.1.
const T1: Duration = Duration::from_millis(500);
/// Repeats of a message before its call is lost: 500 ms, 1 s, 2 s, 4 s.
const MOST_REPEATS: u32 = 4;
/// A call that rings longer is lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// Several thousand messages.
const BUFFER: usize = 8 << 20;
