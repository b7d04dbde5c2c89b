//! The same call over real sockets on loopback.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::time::{sleep_until, timeout};

use super::*;
use crate::base::{Entropy, ShardId, Timestamp};
use crate::sip::transport::{Incoming, Transport, TransportLimits};
use crate::sip::ua::{Body, EndWhy, Event, Output, Settings, UserAgent};
use crate::sip::{Flow, Host, Message, Protocol, Uri};

struct Node {
    agent: UserAgent,
    transport: Transport,
    start: Instant,
    events: Vec<Event>,
}

impl Node {
    async fn new(shard: u16) -> Self {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let listeners = [(Protocol::Udp, any), (Protocol::Tcp, any)];
        let limits = TransportLimits::default();
        let transport = Transport::bind(&listeners, limits).await.unwrap();
        let settings = Settings {
            shard: ShardId(shard),
            advertised: transport.local_addrs(),
            ..Settings::default()
        };
        Self {
            agent: UserAgent::new(settings, Entropy::from_os()),
            transport,
            start: Instant::now(),
            events: Vec::new(),
        }
    }

    fn address(&self, protocol: Protocol) -> SocketAddr {
        let addresses = self.transport.local_addrs();
        addresses.iter().find(|(p, _)| *p == protocol).unwrap().1
    }

    fn now(&self) -> Timestamp {
        Timestamp::ZERO + self.start.elapsed()
    }

    async fn turn(&mut self) {
        let wake = self
            .agent
            .poll_timeout()
            .unwrap_or(self.now() + Duration::from_secs(60));
        let wake = self.start + wake.since(Timestamp::ZERO);
        tokio::select! {
            incoming = self.transport.recv() => {
                let now = self.now();
                match incoming {
                    Incoming::Datagram(flow, bytes) => {
                        let message = Message::parse(bytes).unwrap();
                        self.agent.handle_message(now, flow, message);
                    }
                    Incoming::Closed(flow) | Incoming::Failed(flow) => {
                        self.agent.handle_transport_error(now, &flow);
                    }
                }
            }
            () = sleep_until(wake.into()) => self.agent.handle_timeout(self.now()),
        }
        self.flush();
    }

    fn flush(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Alias { .. } => {}
                Output::Query(_) => {}
                Output::Transmit { flow, bytes } => self.transport.send(&flow, bytes),
                Output::Event(event) => {
                    let now = self.now();
                    if let Event::Incoming { session, .. } = event {
                        let answer = Some(Body::sdp("answer"));
                        self.agent.ring(now, session, 180, &[], None);
                        self.agent.accept(now, session, &[], answer);
                    }
                    self.events.push(event);
                }
            }
        }
    }
}

async fn call(protocol: Protocol) {
    let (mut a, mut b) = (Node::new(1).await, Node::new(2).await);
    let (ours, theirs) = (a.address(protocol), b.address(protocol));
    let mut invite = World::new(1).call(A);
    invite.next_hop = Flow::new(protocol, ours, theirs).into();
    invite.uri = Uri::sip("bob", Host::from(theirs.ip()), Some(theirs.port()));
    a.agent.invite(a.now(), invite).unwrap();
    a.flush();
    let is_over = |node: &Node| node.events.iter().any(|e| matches!(e, Event::Ended { .. }));
    let mut hung_up = false;
    while !(is_over(&a) && is_over(&b)) {
        tokio::select! { () = a.turn() => {} () = b.turn() => {} }
        let acknowledged = b.events.iter().find_map(|event| match event {
            Event::Acknowledged { session, .. } => Some(*session),
            _ => None,
        });
        if let Some(session) = acknowledged.filter(|_| !hung_up) {
            hung_up = true;
            b.agent.bye(b.now(), session, &[]);
            b.flush();
        }
    }
    let end = a.events.last().unwrap();
    let is_remote = |why: &EndWhy| matches!(why, EndWhy::RemoteBye { .. });
    assert!(matches!(end, Event::Ended { why, .. } if is_remote(why)));
    assert_eq!((a.agent.session_count(), b.agent.session_count()), (0, 0));
}

#[test]
fn a_call_runs_over_udp_and_over_tcp() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let patience = Duration::from_secs(20);
        runtime.block_on(async { timeout(patience, call(protocol)).await.unwrap() });
    }
}
