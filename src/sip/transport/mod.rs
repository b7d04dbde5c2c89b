//! Sockets: datagrams and streams in, one message at a time out. No telephony here.
//!
//! [`Transport::recv`] may be cancelled at any time; [`Transport::send`] never waits. What cannot
//! be delivered comes back as [`Incoming::Failed`] (streams) or is counted and left to
//! retransmission (datagrams).

mod certificate;
mod connections;
mod datagram;
mod door;
mod limits;
mod listener;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::base::Clock;

use super::guard::{Attack, Guard};
use super::{ConnectionId, Flow, Host, Protocol};

use connections::{Begun, Connections};
use datagram::Datagrams;
use door::Door;
use stream::{Connection, Ending, Notice};

pub use certificate::{Certificate, Subject, Wildcards};
pub use limits::TransportLimits;
pub use tls::{ClientCertificates, Tls, TlsConfig, TlsError, TlsMaterial};

/// What the network brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// One whole message, from a datagram or cut out of a stream.
    Datagram(Flow, Bytes),
    /// A stream ended; its flow is of no more use.
    Closed(Flow),
    /// A stream could not be opened or written to; what was sent on this flow is lost.
    Failed(Flow),
}

/// What the pump counted.
#[derive(Debug, Default)]
pub struct TransportStats {
    /// Datagrams the kernel did not take.
    pub datagrams_unsent: AtomicU64,
    /// Datagrams received.
    pub datagrams_received: AtomicU64,
    /// Streams open now.
    pub connections: AtomicU64,
    /// Streams others opened.
    pub connections_accepted: AtomicU64,
    /// Streams cut because the other side broke the framing, read or wrote too slowly, or said
    /// nothing, or proved nothing, when so many others knocked.
    pub connections_cut: AtomicU64,
    /// Streams we began to open.
    pub connections_opened: AtomicU64,
    /// Streams turned away at a limit.
    pub connections_refused: AtomicU64,
    /// Streams we could not open.
    pub connections_unreachable: AtomicU64,
    /// Handshakes of TLS that did not come to their end, on either side.
    pub handshakes_failed: AtomicU64,
    /// Requests for a sign of life that were answered (RFC 5626 §3.5.1).
    pub pings_answered: AtomicU64,
}

/// The sockets of one shard.
#[derive(Debug)]
pub struct Transport {
    limits: TransportLimits,
    /// Asked before a stream is kept.
    door: Option<Door>,
    tls: Tls,
    datagrams: Vec<Datagrams>,
    listeners: Vec<(Protocol, SocketAddr)>,
    acceptors: Vec<AbortHandle>,
    notices: mpsc::Receiver<Notice>,
    notifier: mpsc::Sender<Notice>,
    connections: Connections,
    ready: VecDeque<Incoming>,
    buffer: Box<[u8]>,
    stats: Arc<TransportStats>,
}

impl Transport {
    /// Opens all `listeners` or none; port 0 takes a free one. Must run inside a tokio runtime.
    pub async fn bind(
        listeners: &[(Protocol, SocketAddr)],
        limits: TransportLimits,
    ) -> io::Result<Self> {
        let (notifier, notices) = mpsc::channel(limits.queue.max(1));
        let mut transport = Self {
            limits,
            tls: Tls::default(),
            door: None,
            datagrams: Vec::new(),
            listeners: Vec::new(),
            acceptors: Vec::new(),
            notices,
            notifier,
            connections: Connections::default(),
            ready: VecDeque::new(),
            buffer: vec![0; MAX_DATAGRAM].into_boxed_slice(),
            stats: Arc::default(),
        };
        for (protocol, address) in listeners {
            match protocol {
                Protocol::Tcp | Protocol::Tls => {
                    let listener = listener::listen(*address, transport.limits.reuse_port)?;
                    let local = listener.local_addr()?;
                    transport.listeners.push((*protocol, local));
                    transport.accept_from(*protocol, listener);
                }
                Protocol::Udp => {
                    let socket = Datagrams::bind(*address, &transport.limits)?;
                    transport.datagrams.push(socket);
                }
            }
        }
        Ok(transport)
    }

    /// What is listened on, with the real ports, datagrams first.
    pub fn local_addrs(&self) -> Vec<(Protocol, SocketAddr)> {
        let datagrams = self.datagrams.iter();
        let datagrams = datagrams.map(|socket| (Protocol::Udp, socket.local()));
        datagrams.chain(self.listeners.iter().copied()).collect()
    }

    /// Takes handshakes' certificates from `tls` from now on; before, TLS is refused.
    pub fn set_tls(&mut self, tls: Tls) {
        self.tls = tls;
    }

    /// Streams are kept only when `guard` says so, and it is told of those that had to be cut.
    pub fn set_guard(&mut self, guard: Guard, clock: Arc<dyn Clock>) {
        self.door = Some(Door::new(guard, clock));
    }

    /// The other side of an accepted flow wants requests to `host` and `port` sent back over it
    /// (RFC 5923 §8). Says whether they will be: its certificate must be for that host.
    pub fn alias(&mut self, flow: &Flow, host: &Host, port: Option<u16>) -> bool {
        self.connections.alias(flow, host, port)
    }

    /// The other side of a flow proved who it is, or is known by its address: its stream is not cut
    /// to make room for a stranger's.
    pub fn know(&mut self, flow: &Flow) {
        self.connections.know(flow);
    }

    /// How long the other side of a flow may be silent from now on (RFC 5626 §5.4).
    pub fn set_idle(&mut self, flow: &Flow, idle: Duration) {
        let connection = flow.connection.and_then(|id| self.connections.get(id));
        if let Some(connection) = connection {
            connection.set_idle(idle);
        }
    }

    /// The counters, for whoever wants to watch.
    pub fn stats(&self) -> Arc<TransportStats> {
        Arc::clone(&self.stats)
    }

    /// The next message or failure. Cancel safe: nothing is lost when the future is dropped.
    pub async fn recv(&mut self) -> Incoming {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next message or failure when one is there, without waiting.
    pub fn try_recv(&mut self) -> Option<Incoming> {
        if let Some(incoming) = self.ready.pop_front() {
            return Some(incoming);
        }
        for _ in 0..self.limits.burst {
            let Ok(notice) = self.notices.try_recv() else {
                break;
            };
            self.take_notice(notice);
        }
        for socket in &mut self.datagrams {
            socket.drain(
                &mut self.buffer,
                self.limits.burst,
                &self.stats,
                &mut self.ready,
            );
        }
        self.ready.pop_front()
    }

    /// Sends one message; never waits.
    pub fn send(&mut self, flow: &Flow, message: Bytes) {
        match flow.protocol {
            Protocol::Tcp | Protocol::Tls => self.send_stream(flow, message),
            Protocol::Udp => self.send_datagram(flow, &message),
        }
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        loop {
            if let Some(incoming) = self.ready.pop_front() {
                return Poll::Ready(incoming);
            }
            let mut progress = false;
            for _ in 0..self.limits.burst {
                // The sender half in `self` keeps the channel open.
                let Poll::Ready(Some(notice)) = self.notices.poll_recv(cx) else {
                    break;
                };
                self.take_notice(notice);
                progress = true;
            }
            for socket in &mut self.datagrams {
                progress |= socket.poll_drain(
                    cx,
                    &mut self.buffer,
                    self.limits.burst,
                    &self.stats,
                    &mut self.ready,
                );
            }
            if !progress {
                return Poll::Pending;
            }
        }
    }

    fn send_datagram(&mut self, flow: &Flow, message: &[u8]) {
        let exact = |socket: &&Datagrams| socket.local() == flow.local;
        let family = |socket: &&Datagrams| socket.local().is_ipv4() == flow.remote.is_ipv4();
        let socket = self.datagrams.iter().find(exact);
        let socket = socket.or_else(|| self.datagrams.iter().find(family));
        if !socket.is_some_and(|socket| socket.send(flow.remote, message)) {
            self.stats.datagrams_unsent.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn send_stream(&mut self, flow: &Flow, message: Bytes) {
        let id = match self.connections.find(flow) {
            Some(id) => id,
            None => match self.connect(flow) {
                Some(id) => id,
                None => return self.ready.push_back(Incoming::Failed(*flow)),
            },
        };
        let sent = self
            .connections
            .get(id)
            .is_some_and(|connection| connection.send(message));
        if !sent {
            // Gone, or its queue is full: a peer that reads too slowly is cut off.
            self.ready.push_back(Incoming::Failed(*flow));
            if let Some(connection) = self.remove(id) {
                count(&self.stats.connections_cut);
                self.ready.push_back(Incoming::Closed(connection.flow()));
            }
        }
    }

    fn connect(&mut self, flow: &Flow) -> Option<ConnectionId> {
        if !self.connections.may_begin(&self.limits) {
            count(&self.stats.connections_refused);
            return None;
        }
        let id = self.connections.next_id(self.limits.shard);
        let flow = Flow {
            connection: Some(id),
            ..*flow
        };
        let connection = Connection::open(flow, &self.limits, &self.tls, self.notifier.clone());
        count(&self.stats.connections_opened);
        self.add(id, connection, Begun::Here);
        Some(id)
    }

    fn accept_from(&mut self, protocol: Protocol, listener: TcpListener) {
        let accepting = listener::accept(protocol, listener, self.notifier.clone());
        self.acceptors.push(tokio::spawn(accepting).abort_handle());
    }

    fn accepted(&mut self, flow: Flow, socket: TcpStream) {
        let address = flow.remote.ip();
        if self.door.as_ref().is_some_and(|door| !door.admits(address)) {
            return count(&self.stats.connections_refused);
        }
        if !self.connections.may_accept(address, &self.limits) || !self.make_room() {
            return count(&self.stats.connections_refused);
        }
        let id = self.connections.next_id(self.limits.shard);
        let flow = Flow {
            connection: Some(id),
            ..flow
        };
        let notifier = self.notifier.clone();
        let connection = Connection::accepted(flow, socket, &self.limits, &self.tls, notifier);
        count(&self.stats.connections_accepted);
        self.add(id, connection, Begun::There);
        let overdue = self.connections.overdue(self.limits.half_open);
        let overdue = overdue.and_then(|id| self.connections.get(id));
        if let Some(flow) = overdue.map(Connection::flow) {
            self.ended(flow, Ending::Cut);
        }
    }

    /// Whether there is room for one more accepted stream, now that a stranger made some.
    fn make_room(&mut self) -> bool {
        if !self.connections.is_full(&self.limits) {
            return true;
        }
        let door = self.door.as_ref();
        let is_known = |address| door.is_some_and(|door| door.knows(address));
        let weakest = self.connections.weakest(is_known);
        let Some(connection) = weakest.and_then(|id| self.remove(id)) else {
            return false;
        };
        count(&self.stats.connections_cut);
        self.ready.push_back(Incoming::Closed(connection.flow()));
        true
    }

    /// Only who came to us can be at something: what we began we answer for.
    fn suspect(&self, flow: &Flow, attack: Attack) {
        if let Some(door) = self
            .door
            .as_ref()
            .filter(|_| self.connections.is_accepted(flow))
        {
            door.suspect(attack, flow.remote.ip());
        }
    }

    fn take_notice(&mut self, notice: Notice) {
        match notice {
            Notice::Accepted {
                protocol,
                socket,
                local,
                remote,
            } => self.accepted(Flow::new(protocol, local, remote), socket),
            Notice::Known(flow, peer) => {
                let connection = flow.connection.and_then(|id| self.connections.get_mut(id));
                if let Some(connection) = connection {
                    connection.set_peer(peer);
                }
            }
            Notice::Message(flow, message) => {
                self.connections.heard(&flow);
                self.ready.push_back(Incoming::Datagram(flow, message));
            }
            Notice::Ping(flow) => {
                let connection = flow.connection.and_then(|id| self.connections.get(id));
                if let Some(connection) = connection {
                    count(&self.stats.pings_answered);
                    // Should it fail, the next message to the peer fails with it.
                    connection.send(Bytes::from_static(b"\r\n"));
                }
            }
            Notice::Ended { flow, how } => self.ended(flow, how),
        }
    }

    fn ended(&mut self, flow: Flow, how: Ending) {
        match how {
            Ending::Closed => {}
            Ending::Broken => {
                count(&self.stats.connections_cut);
                self.suspect(&flow, Attack::OversizedMessage);
            }
            Ending::Cut => {
                count(&self.stats.connections_cut);
                self.suspect(&flow, Attack::SlowStream);
            }
            Ending::Handshake => {
                count(&self.stats.handshakes_failed);
                self.suspect(&flow, Attack::SlowStream);
            }
            Ending::Unreachable => count(&self.stats.connections_unreachable),
        }
        if flow.connection.and_then(|id| self.remove(id)).is_none() {
            return;
        }
        self.ready.push_back(match how {
            Ending::Broken | Ending::Closed | Ending::Cut => Incoming::Closed(flow),
            Ending::Handshake | Ending::Unreachable => Incoming::Failed(flow),
        });
    }

    fn add(&mut self, id: ConnectionId, connection: Connection, begun: Begun) {
        self.connections.add(id, connection, begun);
        self.count();
    }

    fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.connections.remove(id)?;
        self.count();
        Some(connection)
    }

    fn count(&self) {
        let open = u64::try_from(self.connections.len()).unwrap_or(u64::MAX);
        self.stats.connections.store(open, Ordering::Relaxed);
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        for acceptor in &self.acceptors {
            acceptor.abort();
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The largest UDP payload.
const MAX_DATAGRAM: usize = 65_535;
