//! Many callers and many agents' phones in one thread and on one socket, and everything that can be
//! told from the wire of how the switch brings them together: who waits, who is idle, who rings for
//! whom. The bench `ring` has it too. Texts in, texts out; retransmissions as RFC 3261 §17 has them.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;
use socket2::SockRef;
use tsunagu::base::Entropy;
use tsunagu::sip::auth::{Credentials, answer};
use tsunagu::sip::{Message, Method, Uri};

/// How agents and callers behave; times are milliseconds, drawn evenly from a range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// How long a phone rings before it is answered; `None` rings until it is cancelled.
    pub(crate) ring: Option<(u64, u64)>,
    /// How long they talk; the agent hangs up.
    pub(crate) talk: (u64, u64),
    /// In a hundred: calls that the caller ends in conversation instead.
    pub(crate) callers_hang_up: u64,
    /// In a hundred: callers who do not wait longer than [`SHORT_PATIENCE`].
    pub(crate) impatient: u64,
    /// In a hundred: rings refused as busy.
    pub(crate) busy: u64,
}

/// The office they live in: phones and agents from [`AGENT`] on, each in one of so many groups;
/// the number `6000 + n` leads to queue `n`, served by groups `n` and `n - 1`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) agents: usize,
    pub(crate) groups: usize,
}

/// What was seen, in nanoseconds where it is a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// From the agent's BYE to the next INVITE at his phone, with somebody in line for him.
    pub(crate) freed: Vec<u64>,
    /// From the 200 a caller got to the INVITE at a phone, with somebody idle for him.
    pub(crate) entered: Vec<u64>,
    /// From INVITE to 200 at the caller.
    pub(crate) answers: Vec<u64>,
    /// Longest that somebody waited while an agent who could take him was idle.
    pub(crate) idle_beside_waiting: Duration,
    /// How often that was longer than [`MOST_IDLE`].
    pub(crate) too_long: usize,
    pub(crate) talks: usize,
    pub(crate) refused: usize,
    pub(crate) repeats: usize,
    /// Everything that must not be: agents rung twice, callers dropped.
    pub(crate) faults: Vec<String>,
}

/// Both sides of a contact centre.
pub(crate) struct Crowd {
    socket: UdpSocket,
    own: SocketAddr,
    switch: SocketAddr,
    plan: Plan,
    pub(crate) manners: Manners,
    pub(crate) seen: Seen,
    agents: Vec<Agent>,
    callers: Vec<Caller>,
    due: BinaryHeap<Reverse<(Instant, Task)>>,
    /// Idle agents of each group and waiting callers of each queue, since when.
    idle: Vec<BTreeSet<(Instant, usize)>>,
    waiting: Vec<BTreeSet<(Instant, usize)>>,
    /// The pair whose wait was counted as too long, so that it is counted once.
    counted: Option<(usize, usize)>,
    by_call_id: HashMap<String, (usize, usize)>,
    chance: u64,
    over: usize,
    next_look: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    /// A phone's answer, of that ring of the agent's.
    Answer(usize, usize),
    /// The agent hangs up.
    HangUp(usize, usize),
    /// An agent who was busy may be offered something again.
    Idle(usize, usize),
    /// The caller has had enough, wherever he is.
    Leave(usize),
    /// Said again unless it was heard: a caller's INVITE or BYE, an agent's 200 or BYE.
    CallerAgain(usize, u32),
    AgentAgain(usize, usize, u32),
}

struct Agent {
    since: Option<Instant>,
    rings: Vec<Ring>,
    /// BYE said, with somebody in line for him.
    freed: Option<Instant>,
}

struct Ring {
    caller: usize,
    state: RingState,
    invite: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RingState {
    Ringing,
    Answered,
    Talking,
    Ending,
    Over,
}

struct Caller {
    queue: usize,
    started: Instant,
    state: CallerState,
    since: Option<Instant>,
    to: String,
    contact: String,
    /// Everybody rung for him, in order.
    rung: Vec<usize>,
    ringing: Option<usize>,
    talked_with: Option<usize>,
    /// When the agent's answer was acknowledged.
    joined: Option<Instant>,
    /// His BYE and the agent's 200 crossed: which came first only the switch knows.
    crossed: bool,
    left: bool,
    refused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallerState {
    Calling,
    Heard,
    Up,
    Ending,
    Over,
}

impl Crowd {
    /// On `address`, for an office of this plan at `switch`.
    pub(crate) fn new(socket: UdpSocket, switch: SocketAddr, plan: Plan, manners: Manners) -> Self {
        socket.set_nonblocking(true).expect("a socket option");
        let agent = |_| Agent {
            since: None,
            rings: Vec::new(),
            freed: None,
        };
        Self {
            own: socket.local_addr().expect("bound"),
            socket,
            switch,
            plan,
            manners,
            seen: Seen::default(),
            agents: (0..plan.agents).map(agent).collect(),
            callers: Vec::new(),
            due: BinaryHeap::new(),
            idle: vec![BTreeSet::new(); plan.groups],
            waiting: vec![BTreeSet::new(); plan.groups],
            counted: None,
            by_call_id: HashMap::new(),
            chance: 0x9e37_79b9_7f4a_7c15,
            over: 0,
            next_look: Instant::now(),
        }
    }

    /// A socket on `address` that holds several thousand messages.
    pub(crate) fn bind(address: SocketAddr) -> UdpSocket {
        let socket = UdpSocket::bind(address).expect("a free port");
        let buffers = SockRef::from(&socket);
        buffers.set_recv_buffer_size(8 << 20).expect("an option");
        buffers.set_send_buffer_size(8 << 20).expect("an option");
        socket
    }

    /// Registers every phone.
    pub(crate) fn register(&mut self) {
        let mut entropy = Entropy::from_seed(1);
        for agent in 0..self.plan.agents {
            self.register_one(agent, &mut entropy);
            self.becomes_idle(agent, Instant::now());
        }
    }

    fn register_one(&self, agent: usize, entropy: &mut Entropy) {
        let (own, phone) = (self.own, AGENT + agent);
        let uri = format!("sip:{}", self.switch);
        let mut authorization = String::new();
        for sequence in 1..=2 {
            self.say(&format!(
                "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKr{phone}x{sequence};\
                 rport\r\nMax-Forwards: 70\r\nFrom: <sip:{phone}@{own}>;tag=r{phone}\r\n\
                 To: <sip:{phone}@{own}>\r\nCall-ID: r{phone}@crowd\r\nCSeq: {sequence} REGISTER\r\n\
                 Contact: <sip:{phone}@{own}>\r\nExpires: 3600\r\n{authorization}\
                 Content-Length: 0\r\n\r\n"
            ));
            let reply = self.reply(&format!("r{phone}@crowd"));
            if status(&reply) == Some(200) {
                return;
            }
            let challenge = Message::parse(Bytes::from(reply.clone())).expect("a SIP message");
            let parsed = Uri::parse(&uri).expect("a SIP URI");
            let secret = Credentials::new(&phone.to_string(), &format!("tsunagu-{phone}"));
            let answered = answer(&challenge, &Method::Register, &parsed, &secret, entropy, 1);
            let (_, value) = answered.unwrap_or_else(|_| panic!("no challenge but:\n{reply}"));
            authorization = format!("Authorization: {value}\r\n");
        }
        panic!("phone {phone} cannot register");
    }

    /// The next message of this Call-ID; the office is quiet, nothing else comes.
    fn reply(&self, call_id: &str) -> String {
        let mut buffer = [0; 8192];
        let patience = Instant::now() + Duration::from_secs(20);
        while Instant::now() < patience {
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    if header(&text, "Call-ID") == Some(call_id) {
                        return text;
                    }
                }
                Err(_) => std::thread::sleep(Duration::from_micros(200)),
            }
        }
        panic!("no answer to {call_id}");
    }

    /// Somebody calls queue `queue`.
    pub(crate) fn call(&mut self, queue: usize) {
        let call = self.callers.len();
        let patience = self.draw(100) < self.manners.impatient;
        self.callers.push(Caller {
            queue,
            started: Instant::now(),
            state: CallerState::Calling,
            since: None,
            to: format!("<sip:{}@{}>", 6000 + queue, self.switch),
            contact: String::new(),
            rung: Vec::new(),
            ringing: None,
            talked_with: None,
            joined: None,
            crossed: false,
            left: false,
            refused: false,
        });
        self.send_invite(call);
        self.later(T1, Task::CallerAgain(call, 0));
        if patience {
            let time = self.draw(SHORT_PATIENCE.as_millis() as u64) + 1;
            self.later(Duration::from_millis(time), Task::Leave(call));
        }
    }

    /// Callers at random instants, so many a second, for `time`; then waits until all are over.
    /// `spin` never sleeps: for figures.
    pub(crate) fn stream(&mut self, a_second: f64, time: Duration, spin: bool) {
        let begin = Instant::now();
        let mut next = begin;
        let end = begin + time;
        let patience = end + LAST_OUT;
        loop {
            let now = Instant::now();
            while next <= now && next < end {
                let queue = self.draw(self.plan.groups as u64) as usize;
                self.call(queue);
                // Exponential gaps: arrivals that know nothing of each other.
                let share = (self.draw(1_000_000) + 1) as f64 / 1_000_001.0;
                next += Duration::from_secs_f64(-share.ln() / a_second);
            }
            self.step(spin);
            if now >= end && self.is_over() {
                return;
            }
            if now > patience {
                let left = self.callers.len() - self.over;
                let why = format!("{left} callers are left long after the last came");
                return self.seen.faults.push(why);
            }
        }
    }

    /// For `time`, as many callers that so many are always in line; then waits until all are over.
    #[allow(dead_code, reason = "only the bench wants a line without end")]
    pub(crate) fn press(&mut self, in_line: usize, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            // Those whose call is being answered come to the line in a moment.
            if self.in_line() < in_line && self.unanswered() < 10 {
                let queue = self.placed() % self.plan.groups;
                self.call(queue);
            }
            self.step(true);
        }
        while !self.is_over() {
            if Instant::now() > end + LAST_OUT {
                let why = "callers are left long after the last came".to_owned();
                return self.seen.faults.push(why);
            }
            self.step(true);
        }
    }

    /// Calls placed less those the switch has answered or refused.
    pub(crate) fn unanswered(&self) -> usize {
        self.callers.len() - self.seen.answers.len() - self.seen.refused
    }

    /// Whether nobody calls any more.
    pub(crate) fn is_over(&self) -> bool {
        self.over == self.callers.len()
    }

    /// Goes on until `done`; says whether it came to that in `limit`.
    pub(crate) fn until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let until = Instant::now() + limit;
        while Instant::now() < until {
            if done(self) {
                return true;
            }
            self.step(false);
        }
        done(self)
    }

    /// Callers in line with nobody ringing for them.
    pub(crate) fn in_line(&self) -> usize {
        self.waiting.iter().map(BTreeSet::len).sum()
    }

    /// Phones that ring.
    #[allow(dead_code, reason = "the bench asks nothing of it")]
    pub(crate) fn ringing(&self) -> usize {
        let rings = |agent: &&Agent| {
            let last = agent.rings.last();
            last.is_some_and(|ring| ring.state == RingState::Ringing)
        };
        self.agents.iter().filter(rings).count()
    }

    /// Conversations that go on.
    #[allow(dead_code, reason = "the bench asks nothing of it")]
    pub(crate) fn talking(&self) -> usize {
        let talks = |agent: &&Agent| {
            let last = agent.rings.last();
            last.is_some_and(|ring| ring.state == RingState::Talking)
        };
        self.agents.iter().filter(talks).count()
    }

    /// Calls placed so far.
    pub(crate) fn placed(&self) -> usize {
        self.callers.len()
    }

    /// Callers who were turned away at the door.
    #[allow(dead_code, reason = "the bench asks nothing of it")]
    pub(crate) fn refused(&self) -> usize {
        self.seen.refused
    }

    /// The switch is gone and knows nothing of anybody: all dialogs are dead, every phone is idle.
    #[allow(dead_code, reason = "the bench kills nobody")]
    pub(crate) fn forget(&mut self) {
        let now = Instant::now();
        self.due.clear();
        self.waiting.iter_mut().for_each(BTreeSet::clear);
        for caller in &mut self.callers {
            caller.state = CallerState::Over;
            caller.ringing = None;
        }
        self.over = self.callers.len();
        let mut buffer = [0; 8192];
        while self.socket.recv(&mut buffer).is_ok() {}
        for agent in 0..self.agents.len() {
            if let Some(ring) = self.agents[agent].rings.last_mut() {
                ring.state = RingState::Over;
            }
            self.agents[agent].freed = None;
            self.becomes_idle(agent, now);
        }
    }

    /// Takes what came and does what is due.
    pub(crate) fn step(&mut self, spin: bool) {
        let mut buffer = [0; 8192];
        let mut heard = 0;
        while heard < 64 {
            let Ok(length) = self.socket.recv(&mut buffer) else {
                break;
            };
            heard += 1;
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            self.hear(&text);
        }
        let now = Instant::now();
        while let Some(Reverse((at, task))) = self.due.peek().copied()
            && at <= now
        {
            self.due.pop();
            self.act(task);
        }
        if now >= self.next_look {
            self.next_look = now + Duration::from_millis(1);
            self.look(now);
        }
        if heard == 0 && !spin {
            // Half a millisecond at the most, for what is due; less when something comes.
            let most = Timespec {
                tv_sec: 0,
                tv_nsec: 500_000,
            };
            let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&most));
        }
    }

    /// Nobody may be idle while somebody waits whom he could take.
    fn look(&mut self, now: Instant) {
        for queue in 0..self.plan.groups {
            let Some((waits, caller)) = self.waiting[queue].first().copied() else {
                continue;
            };
            for group in [queue, (queue + self.plan.groups - 1) % self.plan.groups] {
                let Some((idles, agent)) = self.idle[group].first().copied() else {
                    continue;
                };
                let both = now.saturating_duration_since(waits.max(idles));
                self.seen.idle_beside_waiting = self.seen.idle_beside_waiting.max(both);
                if both > MOST_IDLE && self.counted != Some((caller, agent)) {
                    self.counted = Some((caller, agent));
                    self.seen.too_long += 1;
                }
            }
        }
    }

    fn hear(&mut self, text: &str) {
        let Some(call_id) = header(text, "Call-ID") else {
            return;
        };
        let own = call_id.strip_suffix("@callers").map(str::parse::<usize>);
        match (own, status(text)) {
            (Some(Ok(call)), Some(status)) if call < self.callers.len() => {
                self.caller_hears(call, status, text);
            }
            (Some(Ok(call)), None) if call < self.callers.len() => {
                self.say(&mirror(text, "200 OK"));
                if text.starts_with("BYE ") {
                    self.caller_is_hung_up(call);
                }
            }
            (Some(_), _) => {}
            (None, Some(status)) => self.agent_hears(call_id, status, text),
            (None, None) => self.phone_is_asked(text),
        }
    }

    // Callers.

    fn caller_hears(&mut self, call: usize, status: u16, text: &str) {
        let is_invite = header(text, "CSeq").is_some_and(|cseq| cseq.ends_with("INVITE"));
        let caller = &mut self.callers[call];
        match (status, is_invite, caller.state) {
            (100..200, true, CallerState::Calling) => caller.state = CallerState::Heard,
            (200..300, true, CallerState::Calling | CallerState::Heard) => {
                caller.state = CallerState::Up;
                caller.to = header(text, "To").unwrap_or_default().to_owned();
                let contact = header(text, "Contact").unwrap_or_default();
                caller.contact = between(contact, '<', '>').to_owned();
                let took = caller.started.elapsed();
                self.seen.answers.push(took.as_nanos() as u64);
                self.in_dialog("ACK", 1, call);
                if self.callers[call].ringing.is_none() {
                    self.waits(call, Instant::now());
                }
                if self.callers[call].left {
                    self.hang_up_caller(call);
                }
            }
            (200..300, true, _) => self.in_dialog("ACK", 1, call),
            (300.., true, _) => {
                let to = header(text, "To").unwrap_or_default().to_owned();
                let uri = format!("sip:{}@{}", 6000 + caller.queue, self.switch);
                let ack = self.request("ACK", &uri, call, &to, (1, "I"));
                self.say(&format!("{ack}Content-Length: 0\r\n\r\n"));
                if matches!(
                    self.callers[call].state,
                    CallerState::Calling | CallerState::Heard
                ) {
                    self.callers[call].refused = true;
                    self.seen.refused += 1;
                    let has_retry = header(text, "Retry-After").is_some();
                    if status != 503 || !has_retry {
                        self.fault(format!("call {call} was refused with {status}"));
                    }
                    self.caller_over(call);
                }
            }
            (200.., false, CallerState::Ending) => {
                if status != 200 {
                    self.fault(format!("BYE of call {call} got {status}"));
                }
                self.caller_over(call);
            }
            _ => {}
        }
    }

    fn caller_is_hung_up(&mut self, call: usize) {
        let caller = &self.callers[call];
        if caller.state == CallerState::Up && caller.talked_with.is_none() {
            self.fault(format!("caller {call} was dropped from the line"));
        }
        self.caller_over(call);
    }

    fn caller_over(&mut self, call: usize) {
        self.waits_no_more(call);
        let caller = &mut self.callers[call];
        if caller.state != CallerState::Over {
            caller.state = CallerState::Over;
            self.over += 1;
        }
    }

    fn hang_up_caller(&mut self, call: usize) {
        self.waits_no_more(call);
        match self.callers[call].state {
            CallerState::Up => {
                let caller = &mut self.callers[call];
                caller.left = true;
                // The agent's answer is acknowledged before the router gives him the call.
                let joined = caller.joined;
                caller.crossed |= joined.is_some_and(|joined| joined.elapsed() < CROSSING);
                caller.state = CallerState::Ending;
                self.in_dialog("BYE", 2, call);
                self.later(T1, Task::CallerAgain(call, 0));
            }
            // Once he is answered.
            CallerState::Calling | CallerState::Heard => self.callers[call].left = true,
            CallerState::Ending | CallerState::Over => {}
        }
    }

    fn waits(&mut self, call: usize, now: Instant) {
        let caller = &mut self.callers[call];
        caller.since = Some(now);
        self.waiting[caller.queue].insert((now, call));
    }

    fn waits_no_more(&mut self, call: usize) -> Option<Instant> {
        let caller = &mut self.callers[call];
        let since = caller.since.take()?;
        self.waiting[caller.queue].remove(&(since, call));
        Some(since)
    }

    // Agents.

    fn phone_is_asked(&mut self, text: &str) {
        let (method, rest) = text.split_once(' ').unwrap_or_default();
        let phone = between(rest, ':', '@').parse::<usize>().ok();
        let agent = phone.and_then(|phone| phone.checked_sub(AGENT));
        let Some(agent) = agent.filter(|agent| *agent < self.agents.len()) else {
            if method != "ACK" {
                self.say(&mirror(text, "404 Not Found"));
            }
            return;
        };
        let call_id = header(text, "Call-ID").unwrap_or_default().to_owned();
        let ring = self.by_call_id.get(&call_id).copied();
        let state = ring.map(|(agent, ring)| self.agents[agent].rings[ring].state);
        match (method, ring, state) {
            ("INVITE", None, _) => self.ring(agent, call_id, text),
            ("INVITE", Some((agent, ring)), _) => self.repeat(agent, ring),
            ("ACK", Some((agent, ring)), Some(RingState::Answered)) => self.talks(agent, ring),
            ("CANCEL", Some((agent, ring)), Some(state)) => {
                self.say(&mirror(text, "200 OK"));
                if state == RingState::Ringing {
                    let invite = self.agents[agent].rings[ring].invite.clone();
                    self.say(&mirror(&invite, "487 Request Terminated"));
                    self.ring_over(agent, ring, true);
                }
            }
            ("BYE", Some((agent, ring)), Some(_)) => {
                self.say(&mirror(text, "200 OK"));
                self.ring_over(agent, ring, true);
            }
            ("ACK", _, _) => {}
            (_, Some(_), _) => self.say(&mirror(text, "200 OK")),
            (_, None, _) => self.say(&mirror(text, "481 Call/Transaction Does Not Exist")),
        }
    }

    /// The phone rings for the first time for this call.
    fn ring(&mut self, agent: usize, call_id: String, text: &str) {
        let now = Instant::now();
        let from = header(text, "From").unwrap_or_default();
        let digits: String = from
            .split('@')
            .next()
            .unwrap_or_default()
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        let number = digits.get(digits.len().saturating_sub(6)..);
        let caller = number.and_then(|number| number.parse::<usize>().ok());
        let Some(caller) = caller.filter(|caller| *caller < self.callers.len()) else {
            return self.fault(format!("phone {agent} rings for nobody: {from}"));
        };
        if let Some(last) = self.agents[agent].rings.last()
            && !matches!(last.state, RingState::Ending | RingState::Over)
        {
            let (state, other) = (last.state, last.caller);
            self.fault(format!(
                "agent {agent} is rung for {caller} and is {state:?} with {other}"
            ));
        }
        if let Some(other) = self.callers[caller].ringing {
            self.fault(format!("caller {caller} rings at {agent} and at {other}"));
        }
        if let Some(other) = self.callers[caller].talked_with {
            self.fault(format!("caller {caller} has talked with {other}"));
        }
        let (queue, group) = (self.callers[caller].queue, agent % self.plan.groups);
        if group != queue && (group + 1) % self.plan.groups != queue {
            self.fault(format!("agent {agent} does not serve queue {queue}"));
        }
        let (idle, waits) = (self.idle_no_more(agent), self.waits_no_more(caller));
        let freed = self.agents[agent].freed.take();
        // Whoever came later was not in line for him then.
        if let (Some(freed), Some(waits)) = (freed, waits)
            && waits <= freed
        {
            self.seen.freed.push((now - freed).as_nanos() as u64);
        }
        if let (Some(idle), Some(waits)) = (idle, waits)
            && idle < waits
        {
            self.seen.entered.push((now - waits).as_nanos() as u64);
        }
        self.callers[caller].rung.push(agent);
        let ring = self.agents[agent].rings.len();
        self.agents[agent].rings.push(Ring {
            caller,
            state: RingState::Ringing,
            invite: text.to_owned(),
        });
        self.by_call_id.insert(call_id, (agent, ring));
        if self.draw(100) < self.manners.busy {
            self.say(&mirror(text, "486 Busy Here"));
            self.ring_over(agent, ring, false);
            return self.later(RETRY_AFTER, Task::Idle(agent, ring));
        }
        self.callers[caller].ringing = Some(agent);
        self.say(&mirror(text, "180 Ringing"));
        if let Some(range) = self.manners.ring {
            let time = self.within(range);
            self.later(time, Task::Answer(agent, ring));
        }
    }

    fn repeat(&mut self, agent: usize, ring: usize) {
        let Ring { state, invite, .. } = &self.agents[agent].rings[ring];
        if *state == RingState::Ringing {
            self.say(&mirror(invite, "180 Ringing"));
        }
    }

    fn say_answer(&self, agent: usize, ring: usize) {
        let invite = &self.agents[agent].rings[ring].invite;
        let (own, phone) = (self.own, AGENT + agent);
        let answer = mirror(invite, "200 OK");
        let head = answer.strip_suffix("Content-Length: 0\r\n\r\n");
        self.say(&format!(
            "{}Contact: <sip:{phone}@{own}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{SDP}",
            head.unwrap_or_default(),
            SDP.len()
        ));
    }

    /// The ACK came.
    fn talks(&mut self, agent: usize, ring: usize) {
        let talked = &mut self.agents[agent].rings[ring];
        talked.state = RingState::Talking;
        let caller = talked.caller;
        self.callers[caller].ringing = None;
        self.callers[caller].talked_with = Some(agent);
        self.callers[caller].joined = Some(Instant::now());
        self.callers[caller].crossed = self.callers[caller].left;
        self.seen.talks += 1;
        let time = self.within(self.manners.talk);
        if self.draw(100) < self.manners.callers_hang_up {
            self.later(time, Task::Leave(caller));
            // Should the switch forget him, the agent does not sit there for ever.
            self.later(time + LAST_OUT, Task::HangUp(agent, ring));
        } else {
            self.later(time, Task::HangUp(agent, ring));
        }
    }

    /// An agent's own request is answered.
    fn agent_hears(&mut self, call_id: &str, status: u16, text: &str) {
        let Some((agent, ring)) = self.by_call_id.get(call_id).copied() else {
            return;
        };
        let is_bye = header(text, "CSeq").is_some_and(|cseq| cseq.ends_with("BYE"));
        if is_bye && self.agents[agent].rings[ring].state == RingState::Ending {
            self.agents[agent].rings[ring].state = RingState::Over;
            if status != 200 {
                self.fault(format!("BYE of agent {agent} got {status}"));
            }
        }
    }

    fn ring_over(&mut self, agent: usize, ring: usize, idle: bool) {
        let now = Instant::now();
        let ended = &mut self.agents[agent].rings[ring];
        if ended.state == RingState::Over {
            return;
        }
        let was = std::mem::replace(&mut ended.state, RingState::Over);
        let caller = ended.caller;
        if self.callers[caller].ringing == Some(agent) {
            self.callers[caller].ringing = None;
        }
        let is_up = self.callers[caller].state == CallerState::Up;
        if is_up && self.callers[caller].talked_with.is_none() {
            self.waits(caller, now);
        }
        if idle && was != RingState::Ending {
            self.becomes_idle(agent, now);
        }
    }

    fn becomes_idle(&mut self, agent: usize, now: Instant) {
        self.idle_no_more(agent);
        self.agents[agent].since = Some(now);
        self.idle[agent % self.plan.groups].insert((now, agent));
    }

    fn idle_no_more(&mut self, agent: usize) -> Option<Instant> {
        let since = self.agents[agent].since.take()?;
        self.idle[agent % self.plan.groups].remove(&(since, agent));
        Some(since)
    }

    fn hang_up_agent(&mut self, agent: usize, ring: usize, times: u32) {
        let now = Instant::now();
        let group = agent % self.plan.groups;
        let queues = [group, (group + 1) % self.plan.groups];
        if times == 0 {
            // He is chosen while the switch hears him; somebody must have been in line before.
            let in_line = queues.iter().any(|queue| !self.waiting[*queue].is_empty());
            self.agents[agent].freed = in_line.then_some(now);
            self.agents[agent].rings[ring].state = RingState::Ending;
            self.becomes_idle(agent, now);
        }
        let invite = &self.agents[agent].rings[ring].invite;
        let get = |name| header(invite, name).unwrap_or_default();
        let contact = between(get("Contact"), '<', '>');
        let own = self.own;
        self.say(&format!(
            "BYE {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKb{agent}x{ring};rport\r\n\
             Max-Forwards: 70\r\nFrom: {};tag={TAG}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 2 BYE\r\n\
             Content-Length: 0\r\n\r\n",
            get("To"),
            get("From"),
            get("Call-ID")
        ));
    }

    // Time.

    fn act(&mut self, task: Task) {
        match task {
            Task::Answer(agent, ring) => {
                let answered = &mut self.agents[agent].rings[ring];
                if answered.state == RingState::Ringing {
                    answered.state = RingState::Answered;
                    self.say_answer(agent, ring);
                    self.later(T1, Task::AgentAgain(agent, ring, 0));
                }
            }
            Task::HangUp(agent, ring) => {
                if self.agents[agent].rings[ring].state == RingState::Talking {
                    self.hang_up_agent(agent, ring, 0);
                    self.later(T1, Task::AgentAgain(agent, ring, 0));
                }
            }
            Task::Idle(agent, ring) => {
                if self.agents[agent].rings.len() == ring + 1 {
                    self.becomes_idle(agent, Instant::now());
                }
            }
            Task::Leave(call) => self.hang_up_caller(call),
            Task::CallerAgain(call, times) => self.caller_again(call, times),
            Task::AgentAgain(agent, ring, times) => {
                let state = self.agents[agent].rings[ring].state;
                if !matches!(state, RingState::Answered | RingState::Ending) {
                    return;
                }
                if times >= MOST_REPEATS {
                    self.agents[agent].rings[ring].state = RingState::Over;
                    return self.fault(format!("agent {agent} is not heard: {state:?}"));
                }
                self.seen.repeats += 1;
                match state {
                    RingState::Answered => self.say_answer(agent, ring),
                    _ => self.hang_up_agent(agent, ring, times + 1),
                }
                let time = T1 * 2u32.pow(times + 1);
                self.later(time, Task::AgentAgain(agent, ring, times + 1));
            }
        }
    }

    fn caller_again(&mut self, call: usize, times: u32) {
        let state = self.callers[call].state;
        if !matches!(state, CallerState::Calling | CallerState::Ending) {
            return;
        }
        if times >= MOST_REPEATS {
            self.fault(format!("caller {call} is not heard: {state:?}"));
            return self.caller_over(call);
        }
        self.seen.repeats += 1;
        match state {
            CallerState::Calling => self.send_invite(call),
            _ => self.in_dialog("BYE", 2, call),
        }
        let time = T1 * 2u32.pow(times + 1);
        self.later(time, Task::CallerAgain(call, times + 1));
    }

    fn later(&mut self, time: Duration, task: Task) {
        self.due.push(Reverse((Instant::now() + time, task)));
    }

    fn within(&mut self, (least, most): (u64, u64)) -> Duration {
        Duration::from_millis(least + self.draw(most - least + 1))
    }

    /// Below `limit`, the same ones in every run (xorshift64).
    fn draw(&mut self, limit: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 11) % limit
    }

    // Messages.

    fn send_invite(&mut self, call: usize) {
        let uri = format!("sip:{}@{}", 6000 + self.callers[call].queue, self.switch);
        let to = format!("<{uri}>");
        let mut text = self.request("INVITE", &uri, call, &to, (1, "I"));
        let own = self.own;
        let _ = write!(
            text,
            "Contact: <sip:caller@{own}>\r\nAllow: INVITE, ACK, BYE, CANCEL\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
            SDP.len()
        );
        self.say(&text);
    }

    fn in_dialog(&self, method: &str, sequence: u32, call: usize) {
        let Caller { contact, to, .. } = &self.callers[call];
        let head = self.request(method, contact, call, to, (sequence, method));
        self.say(&format!("{head}Content-Length: 0\r\n\r\n"));
    }

    fn request(
        &self,
        method: &str,
        uri: &str,
        call: usize,
        to: &str,
        (sequence, branch): (u32, &str),
    ) -> String {
        let own = self.own;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{branch}{call};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:0901{call:06}@{own}>;tag=c{call}\r\nTo: {to}\r\n\
             Call-ID: {call}@callers\r\nCSeq: {sequence} {method}\r\n"
        )
    }

    fn say(&self, text: &str) {
        // A full buffer loses it as a network would: it is said again.
        let _ = self.socket.send_to(text.as_bytes(), self.switch);
    }

    fn fault(&mut self, what: String) {
        // A switch that does everything wrong is not to fill the memory.
        if self.seen.faults.len() < 100 {
            self.seen.faults.push(what);
        }
    }

    /// Compares the records of all calls but the first `past` with what was seen on the wire; what
    /// differs.
    pub(crate) fn judge(&self, records: &[Value], past: usize) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut found = vec![0; self.callers.len()];
        for record in records {
            let from = record["from"].as_str().unwrap_or_default();
            let number = from.get(from.len().saturating_sub(6)..);
            let caller = number.and_then(|number| number.parse::<usize>().ok());
            let Some(caller) = caller.filter(|caller| *caller < found.len()) else {
                wrong.push(format!("a record of nobody: {from}"));
                continue;
            };
            found[caller] += 1;
            if caller < past {
                continue;
            }
            if let Err(why) = self.judge_one(caller, record) {
                wrong.push(format!("caller {caller}: {why}: {record:#}"));
            }
        }
        for (caller, count) in found.into_iter().enumerate().skip(past) {
            let wanted = usize::from(!self.callers[caller].refused);
            if count != wanted {
                wrong.push(format!("caller {caller} has {count} records, not {wanted}"));
            }
        }
        wrong
    }

    fn judge_one(&self, caller: usize, record: &Value) -> Result<(), String> {
        let Caller {
            rung,
            talked_with,
            crossed,
            queue,
            ..
        } = &self.callers[caller];
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |name: &str| record[name].as_array().cloned().unwrap_or_default();
        let offers: Vec<(String, String)> = list("offers")
            .iter()
            .map(|offer| (word(&offer["agent"]), word(&offer["outcome"])))
            .collect();
        let visits: Vec<(String, String)> = list("queues")
            .iter()
            .map(|visit| (word(&visit["queue"]), word(&visit["outcome"])))
            .collect();
        let is_answered = visits.iter().any(|(_, outcome)| outcome == "answered");
        let talked_with = talked_with.filter(|_| !crossed || is_answered);
        let outcome = if talked_with.is_some() {
            "answered"
        } else {
            "abandoned"
        };
        // He may have left while his call was being answered, before he came to the queue.
        let gone_before = talked_with.is_none() && visits.is_empty() && rung.is_empty();
        if visits != [(format!("queue{queue}"), outcome.to_owned())] && !gone_before {
            return Err(format!("in line: {visits:?}, not {outcome}"));
        }
        let wanted: Vec<String> = rung.iter().map(|agent| format!("agent{agent}")).collect();
        let mut offered: Vec<&String> = offers.iter().map(|(agent, _)| agent).collect();
        // An offer the caller withdrew before it came to the phone.
        if talked_with.is_none() && offered.len() == wanted.len() + 1 {
            offered.pop();
        }
        if offered != wanted.iter().collect::<Vec<_>>() {
            return Err(format!("offers: {offers:?}, but {wanted:?} were rung"));
        }
        let accepted = offers.iter().filter(|(_, outcome)| outcome == "accepted");
        let accepted: Vec<&String> = accepted.map(|(agent, _)| agent).collect();
        let spoke = talked_with.map(|agent| format!("agent{agent}"));
        if accepted != spoke.iter().collect::<Vec<_>>() {
            return Err(format!("accepted by {accepted:?}, but {spoke:?} talked"));
        }
        let known = ["accepted", "busy", "caller_left"];
        if let Some(other) = offers.iter().find(|(_, it)| !known.contains(&it.as_str())) {
            return Err(format!("an offer ended as {other:?}"));
        }
        let timeline = list("caller_timeline");
        let sum: u64 = timeline
            .iter()
            .filter_map(|part| part["duration_ms"].as_u64())
            .sum();
        match record["duration_ms"].as_u64() {
            None => Err("it has no end".to_owned()),
            Some(whole) if whole != sum => Err(format!("{sum} ms of {whole} ms are told")),
            Some(_) => Ok(()),
        }
    }
}

impl Manners {
    /// With [`Plan::LARGE`] and 50 calls a second now and then more than the agents can take.
    pub(crate) const OF_A_BUSY_DAY: Self = Self {
        ring: Some((200, 1_000)),
        talk: (3_000, 7_400),
        callers_hang_up: 20,
        impatient: 3,
        busy: 1,
    };
}

impl Plan {
    /// A large contact centre.
    pub(crate) const LARGE: Self = Self {
        agents: 300,
        groups: 3,
    };

    /// The files of the office, by name: a trunk at `carrier`, everything else of the plan.
    pub(crate) fn files(&self, carrier: SocketAddr, ring_seconds: u64) -> Vec<(String, String)> {
        let (mut phones, mut agents) = (String::new(), String::from(ACTIVITIES));
        for agent in 0..self.agents {
            let (number, group) = (AGENT + agent, agent % self.groups);
            let _ = write!(
                phones,
                "[[phone]]\nnumber = \"{number}\"\nname = \"Phone {number}\"\npassword = \"demo\"\n\n"
            );
            let skills = format!("{group}, {}", (group + 1) % self.groups);
            let _ = write!(
                agents,
                "[[agent]]\nname = \"agent{agent}\"\nphone = \"{number}\"\n\
                 display_name = \"Agent\"\nattributes = {{ skills = [{skills}] }}\n\n"
            );
        }
        let (mut queues, mut numbers) = (String::new(), String::new());
        let mut files = Vec::new();
        for queue in 0..self.groups {
            let _ = write!(
                queues,
                "[[queue]]\nname = \"queue{queue}\"\nagents = \"skills HAS {queue}\"\n\
                 ring_timeout = \"{ring_seconds}s\"\nretry_after = \"1s\"\nwhen_nobody = \"wait\"\n\
                 max_waiting = 10000\nrecord = false\nmusic = \"music\"\n\n"
            );
            let _ = write!(
                numbers,
                "[[inbound]]\nnumber = \"{}\"\nflow = \"line{queue}\"\n\n",
                6000 + queue
            );
            let flow = format!(
                "start = \"wait\"\n[steps.wait]\ndo = \"queue\"\nqueue = \"queue{queue}\"\n\
                 nobody = \"hangup\"\n"
            );
            files.push((format!("flows/line{queue}.toml"), flow));
        }
        let trunk = format!(
            "[[trunk]]\nname = \"carrier\"\naccept = [\"{}/32\"]\ntarget = \"udp:{carrier}\"\n",
            carrier.ip()
        );
        let named = [
            ("trunks.toml", trunk),
            ("numbers.toml", numbers),
            ("queues.toml", queues),
            ("phones.toml", phones),
            ("agents.toml", agents),
        ];
        files.extend(named.map(|(name, text)| (name.to_owned(), text)));
        files
    }
}

fn status(text: &str) -> Option<u16> {
    text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

/// The rest of the line after a header's name; the switch writes names as the RFC does.
fn header<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut lines = text
        .split("\r\n")
        .skip(1)
        .take_while(|line| !line.is_empty());
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn between(text: &str, from: char, to: char) -> &str {
    let rest = text.split_once(from).map_or(text, |(_, rest)| rest);
    rest.split_once(to).map_or(rest, |(inner, _)| inner)
}

/// A response without a body: what RFC 3261 §8.2.6.2 copies from the request, and a tag of ours.
fn mirror(request: &str, status: &str) -> String {
    let mut reply = format!("SIP/2.0 {status}\r\n");
    for line in request.split("\r\n").skip(1) {
        if line.is_empty() {
            break;
        }
        if ["Via:", "From:", "Call-ID:", "CSeq:"]
            .iter()
            .any(|name| line.starts_with(name))
        {
            let _ = write!(reply, "{line}\r\n");
        } else if line.starts_with("To:") {
            let tag = if line.contains(";tag=") {
                ""
            } else {
                ";tag=crowd"
            };
            let _ = write!(reply, "{line}{tag}\r\n");
        }
    }
    reply.push_str("Content-Length: 0\r\n\r\n");
    reply
}

/// The first agent's phone.
pub(crate) const AGENT: usize = 2_001;
/// What the bar of the issue "The router" allows.
pub(crate) const MOST_IDLE: Duration = Duration::from_millis(50);
/// Who leaves so soon after an agent answered may have left before the router joined them: longer than
/// a busy machine is late.
const CROSSING: Duration = Duration::from_millis(500);
/// The impatient leave before this.
const SHORT_PATIENCE: Duration = Duration::from_secs(4);
/// `retry_after` of the queues, and then some for the way there and back.
const RETRY_AFTER: Duration = Duration::from_millis(1_100);
/// How long after the last caller came everybody is to be gone.
const LAST_OUT: Duration = Duration::from_secs(60);
/// RFC 3261 §17.1.1.1.
const T1: Duration = Duration::from_millis(500);
/// 500 ms, 1 s, 2 s, 4 s, 8 s.
const MOST_REPEATS: u32 = 5;
/// Ours in the phones' dialogs; see [`mirror`].
const TAG: &str = "crowd";

const ACTIVITIES: &str = "[[activity]]\nname = \"available\"\navailable = true\n\n\
    [[activity]]\nname = \"away\"\navailable = false\n\n\
    [[activity]]\nname = \"not_answering\"\navailable = false\n\n";

/// Nobody listens there, for nobody speaks.
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 9 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";
