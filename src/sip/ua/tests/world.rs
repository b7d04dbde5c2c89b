//! The simulated network and the two parties on it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::{Entropy, ShardId, Timestamp};
use crate::sip::location::{Answer, Question};
use crate::sip::ua::{Body, EndWhy, Event, Invite, Output, SessionId, Settings, Terms, UserAgent};
use crate::sip::{Flow, Host, Message, NameAddr, Protocol, Uri};

pub(super) const A: usize = 0;
pub(super) const B: usize = 1;

type Action = Box<dyn FnOnce(&mut World)>;
type Reflex = Rc<dyn Fn(&mut World, usize, &Event)>;
type Names = Box<dyn FnMut(&Question) -> Option<(u64, Answer)>>;
type Filter = Box<dyn FnMut(&Sent) -> bool>;

enum Item {
    Action(Action),
    Packet { to: usize, flow: Flow, bytes: Bytes },
}

/// One message put on the link.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: Timestamp,
    pub(super) from: usize,
    pub(super) to: SocketAddr,
    pub(super) number: usize,
    /// `INVITE`, `180 INVITE`, ...
    pub(super) what: String,
    pub(super) bytes: Bytes,
}

pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) agents: [UserAgent; 2],
    pub(super) events: [Vec<Event>; 2],
    pub(super) sent: Vec<Sent>,
    pub(super) protocol: Protocol,
    /// Lost messages in a thousand.
    pub(super) loss: u64,
    /// Longest delay in milliseconds; the shortest is 1.
    pub(super) delay: u64,
    /// Says which messages get through.
    pub(super) filter: Filter,
    /// What the name server says, and after how many milliseconds; `None` for silence.
    pub(super) names: Names,
    /// What the parties do when something happens.
    pub(super) reflex: Reflex,
    /// Under which terms each calls and is called.
    pub(super) terms: [Terms; 2],
    entropy: Entropy,
    items: BTreeMap<(Timestamp, u64), Item>,
    count: u64,
}

pub(super) fn address(agent: usize) -> SocketAddr {
    let last = u8::try_from(agent + 1).unwrap();
    SocketAddr::from(([127, 0, 0, last], 5060))
}

pub(super) fn agent(number: usize, seed: u64) -> UserAgent {
    let settings = Settings {
        shard: ShardId(u16::try_from(number).unwrap()),
        advertised: [Protocol::Udp, Protocol::Tcp]
            .map(|protocol| (protocol, address(number)))
            .to_vec(),
        listeners: [Protocol::Udp, Protocol::Tcp]
            .map(|protocol| (protocol, address(number)))
            .to_vec(),
        ..Settings::default()
    };
    UserAgent::new(settings, Entropy::from_seed(seed))
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut entropy = Entropy::from_seed(seed);
        Self {
            now: Timestamp::from_millis(1_000_000),
            agents: [A, B].map(|number| agent(number, entropy.u64())),
            events: Default::default(),
            sent: Vec::new(),
            protocol: Protocol::Udp,
            loss: 0,
            delay: 1,
            filter: Box::new(|_| true),
            names: Box::new(|_| Some((1, Answer::Failed))),
            reflex: Rc::new(|_, _, _| {}),
            terms: [Terms::PLAIN; 2],
            entropy,
            items: BTreeMap::new(),
            count: 0,
        }
    }

    pub(super) fn reflex(&mut self, reflex: impl Fn(&mut World, usize, &Event) + 'static) {
        self.reflex = Rc::new(reflex);
    }

    pub(super) fn flow(&self, from: usize) -> Flow {
        Flow::new(self.protocol, address(from), address(1 - from))
    }

    pub(super) fn call(&self, from: usize) -> Invite {
        let uri = |agent: usize, user| Uri::sip(user, Host::from(address(agent).ip()), None);
        Invite {
            next_hop: self.flow(from).into(),
            uri: uri(1 - from, "bob"),
            from: NameAddr::new(uri(from, "alice")),
            to: NameAddr::new(uri(1 - from, "bob")),
            contact_user: "alice".to_owned(),
            routes: Vec::new(),
            headers: Vec::new(),
            body: Some(Body::sdp("offer")),
            credentials: None,
            manners: None,
            max_forwards: 70,
            timeout: None,
            terms: self.terms[from],
        }
    }

    pub(super) fn invite(&mut self, from: usize) -> SessionId {
        let invite = self.call(from);
        self.place(from, invite)
    }

    pub(super) fn place(&mut self, from: usize, invite: Invite) -> SessionId {
        let session = self.agents[from].invite(self.now, invite).unwrap();
        self.collect();
        session
    }

    /// Does something to an agent now and takes up what it says.
    pub(super) fn with<T>(
        &mut self,
        agent: usize,
        action: impl FnOnce(&mut UserAgent, Timestamp) -> T,
    ) -> T {
        let result = action(&mut self.agents[agent], self.now);
        self.collect();
        result
    }

    /// Does something later.
    pub(super) fn after(&mut self, ms: u64, action: impl FnOnce(&mut World) + 'static) {
        let at = self.now + Duration::from_millis(ms);
        self.put(at, Item::Action(Box::new(action)));
    }

    fn put(&mut self, at: Timestamp, item: Item) {
        self.count += 1;
        self.items.insert((at, self.count), item);
    }

    pub(super) fn collect(&mut self) {
        for agent in [A, B] {
            while let Some(output) = self.agents[agent].poll_output() {
                match output {
                    Output::Alias { .. } => {}
                    Output::Query(question) => self.answer(agent, question),
                    Output::Transmit { flow, bytes } => self.transmit(agent, flow, bytes),
                    Output::Event(event) => {
                        if let Event::Incoming { session, .. } = &event {
                            let (session, terms) = (*session, self.terms[agent]);
                            let taken = self.agents[agent].set_terms(self.now, session, terms);
                            if taken.is_err() {
                                continue;
                            }
                        }
                        let reflex = Rc::clone(&self.reflex);
                        self.events[agent].push(event.clone());
                        reflex(self, agent, &event);
                    }
                }
            }
        }
    }

    /// The name server's answer, after its delay.
    fn answer(&mut self, agent: usize, question: Question) {
        let Some((delay, answer)) = (self.names)(&question) else {
            return;
        };
        self.after(delay, move |world| {
            world.with(agent, |ua, now| ua.handle_answer(now, &question, answer));
        });
    }

    fn transmit(&mut self, from: usize, flow: Flow, bytes: Bytes) {
        let message = Message::parse(bytes.clone()).expect("we write what we can read");
        let sent = Sent {
            at: self.now,
            from,
            to: flow.remote,
            number: self.sent.len(),
            what: describe(&message),
            bytes: bytes.clone(),
        };
        if message.is_request() {
            assert_eq!(message.validate_request(), Ok(()), "{message:?}");
        } else {
            assert_eq!(message.validate_response(), Ok(()), "{message:?}");
        }
        self.sent.push(sent.clone());
        let passes = (self.filter)(&sent);
        if !passes || self.entropy.below(1000) < self.loss {
            return;
        }
        let to = [A, B].into_iter().find(|to| address(*to) == flow.remote);
        let Some(to) = to else {
            return;
        };
        let delay = 1 + self.entropy.below(self.delay);
        let flow = Flow {
            local: flow.remote,
            remote: flow.local,
            ..flow
        };
        let at = self.now + Duration::from_millis(delay);
        self.put(at, Item::Packet { to, flow, bytes });
    }

    /// Hands bytes to an agent as if they had come from the other.
    pub(super) fn inject(&mut self, to: usize, bytes: impl Into<Bytes>) {
        let flow = self.flow(to);
        let message = Message::parse(bytes.into()).unwrap();
        self.with(to, |agent, now| agent.handle_message(now, flow, message));
    }

    /// Takes one step; false when nothing is left to happen.
    pub(super) fn step(&mut self, until: Timestamp) -> bool {
        let item = self.items.first_key_value().map(|((at, _), _)| *at);
        let timers = self.agents.iter().filter_map(UserAgent::poll_timeout).min();
        let next = match (item, timers) {
            (Some(item), Some(timer)) => item.min(timer),
            (a, b) => match a.or(b) {
                Some(next) => next,
                None => return false,
            },
        };
        if next > until {
            self.now = until;
            return false;
        }
        self.now = self.now.max(next);
        if item.is_some_and(|item| item <= self.now) {
            let (_, item) = self.items.pop_first().expect("looked at");
            match item {
                Item::Action(action) => action(self),
                Item::Packet { to, flow, bytes } => {
                    let message = Message::parse(bytes).unwrap();
                    self.agents[to].handle_message(self.now, flow, message);
                }
            }
        } else {
            for agent in &mut self.agents {
                agent.handle_timeout(self.now);
            }
        }
        self.collect();
        true
    }

    pub(super) fn run_for(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while self.step(until) {}
        self.now = until;
    }

    /// Runs until nothing more can happen and shows that nothing is left over.
    pub(super) fn run_out(&mut self) {
        let end = self.now + Duration::from_secs(3600);
        while self.step(end) {}
        for agent in &self.agents {
            assert_eq!(agent.session_count(), 0, "{:#?}", self.trace());
            assert_eq!(agent.transaction_count(), 0);
            assert_eq!(agent.poll_timeout(), None);
            assert_eq!(agent.leftovers(), 0);
        }
    }

    /// What went over the link, one line a message.
    pub(super) fn trace(&self) -> Vec<String> {
        let start = self.sent.first().map_or(self.now, |sent| sent.at);
        let line = |sent: &Sent| {
            let arrow = ["->", "<-"][sent.from];
            let ms = sent.at.since(start).as_millis();
            format!("{ms:>6} {arrow} {}", sent.what)
        };
        self.sent.iter().map(line).collect()
    }

    /// The kinds of messages sent, repeats and all.
    pub(super) fn kinds(&self) -> Vec<&str> {
        self.sent.iter().map(|sent| sent.what.as_str()).collect()
    }

    pub(super) fn count(&self, what: &str) -> usize {
        self.sent.iter().filter(|sent| sent.what == what).count()
    }

    /// The events of one agent by name.
    pub(super) fn names(&self, agent: usize) -> Vec<&'static str> {
        self.events[agent].iter().map(name).collect()
    }

    pub(super) fn session_of(&self, agent: usize) -> SessionId {
        self.events[agent]
            .iter()
            .find_map(|event| match event {
                Event::Incoming { session, .. } => Some(*session),
                _ => None,
            })
            .expect("a call came in")
    }

    /// A call answered and acknowledged: the sessions of A, who called, and B.
    pub(super) fn connect(&mut self) -> (SessionId, SessionId) {
        let ours = self.invite(A);
        self.run_for(50);
        let theirs = self.session_of(B);
        self.with(B, |b, now| {
            b.ring(now, theirs, 180, &[], None);
            b.accept(now, theirs, &[], Some(Body::sdp("answer")));
        });
        self.run_for(50);
        (ours, theirs)
    }
}

/// B rings at once, answers after a while; A hangs up some time after that.
pub(super) fn usual_manners(answer_after: u64, talk: u64) -> impl Fn(&mut World, usize, &Event) {
    move |world, agent, event| match event {
        Event::Incoming { session, .. } => {
            let session = *session;
            world.with(agent, |ua, now| ua.ring(now, session, 180, &[], None));
            world.after(answer_after, move |world| {
                let answer = Body::sdp("answer");
                world.with(agent, |ua, now| {
                    ua.accept(now, session, &[], Some(answer.clone()))
                });
            });
        }
        Event::Answered { session, .. } => {
            let session = *session;
            world.after(talk, move |world| {
                world.with(agent, |ua, now| ua.bye(now, session, &[]));
            });
        }
        _ => {}
    }
}

pub(super) fn describe(message: &Message) -> String {
    match message.status() {
        Some(status) => format!("{status} {}", message.method()),
        None => message.method().to_string(),
    }
}

pub(super) fn name(event: &Event) -> &'static str {
    match event {
        Event::Acknowledged { .. } => "acknowledged",
        Event::Answered { .. } => "answered",
        Event::Cancelled { .. } => "cancelled",
        Event::EarlyAnswer { .. } => "early answer",
        Event::EarlyEnded { .. } => "early ended",
        Event::Ended { why, .. } => match why {
            EndWhy::Expired => "ended: expired",
            EndWhy::NoPrack => "ended: no prack",
            EndWhy::LocalBye => "ended: local bye",
            EndWhy::NoAck => "ended: no ack",
            EndWhy::RemoteBye { .. } => "ended: remote bye",
            EndWhy::Timeout => "ended: timeout",
            EndWhy::TransportFailed => "ended: transport",
        },
        Event::Failed { .. } => "failed",
        Event::Incoming { .. } => "incoming",
        Event::Info { .. } => "info",
        Event::Notified { .. } => "notified",
        Event::Progress { .. } => "progress",
        Event::Reanswered { .. } => "reanswered",
        Event::Refer { .. } => "refer",
        Event::ReferAnswered { .. } => "refer answered",
        Event::Reoffer { .. } => "reoffer",
        Event::ReofferFailed { .. } => "reoffer failed",
        Event::Request { .. } => "request",
        Event::Response { .. } => "response",
    }
}
