//! Sockets: datagrams and streams in, one message at a time out. No telephony here.
//!
//! [`Transport::recv`] may be cancelled at any time; [`Transport::send`] never waits. What cannot
//! be delivered comes back as [`Incoming::Failed`] (streams) or is counted and left to
//! retransmission (datagrams).

mod datagram;
mod limits;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::{ConnectionId, Flow, Protocol};

use datagram::Datagrams;
use stream::{Connection, Notice};

pub use limits::TransportLimits;

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
    /// Streams turned away at a limit.
    pub connections_refused: AtomicU64,
    /// Streams cut because the other side broke the framing, or read or wrote too slowly.
    pub connections_cut: AtomicU64,
}

/// The sockets of one shard.
#[derive(Debug)]
pub struct Transport {
    limits: TransportLimits,
    datagrams: Vec<Datagrams>,
    listeners: Vec<SocketAddr>,
    acceptors: Vec<AbortHandle>,
    notices: mpsc::Receiver<Notice>,
    notifier: mpsc::Sender<Notice>,
    connections: HashMap<ConnectionId, Connection>,
    by_remote: HashMap<SocketAddr, ConnectionId>,
    per_address: HashMap<IpAddr, usize>,
    ready: VecDeque<Incoming>,
    buffer: Box<[u8]>,
    next_connection: u64,
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
            datagrams: Vec::new(),
            listeners: Vec::new(),
            acceptors: Vec::new(),
            notices,
            notifier,
            connections: HashMap::new(),
            by_remote: HashMap::new(),
            per_address: HashMap::new(),
            ready: VecDeque::new(),
            buffer: vec![0; MAX_DATAGRAM].into_boxed_slice(),
            next_connection: 0,
            stats: Arc::default(),
        };
        for (protocol, address) in listeners {
            match protocol {
                Protocol::Tls => {
                    let why = "TLS needs a certificate";
                    return Err(io::Error::new(io::ErrorKind::Unsupported, why));
                }
                Protocol::Tcp => {
                    let listener = stream::listen(*address, transport.limits.reuse_port)?;
                    transport.listeners.push(listener.local_addr()?);
                    transport.accept_from(listener);
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
        let streams = self.listeners.iter().map(|local| (Protocol::Tcp, *local));
        datagrams.chain(streams).collect()
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
        let id = match flow.connection {
            Some(id) => Some(id),
            None => self.by_remote.get(&flow.remote).copied(),
        };
        let id = match id {
            Some(id) => id,
            None => match self.connect(flow) {
                Some(id) => id,
                None => return self.ready.push_back(Incoming::Failed(*flow)),
            },
        };
        let sent = self
            .connections
            .get(&id)
            .is_some_and(|connection| connection.send(message));
        if !sent {
            // Gone, or its queue is full: a peer that reads too slowly is cut off.
            self.ready.push_back(Incoming::Failed(*flow));
            if let Some(connection) = self.remove(id) {
                self.stats.connections_cut.fetch_add(1, Ordering::Relaxed);
                self.ready.push_back(Incoming::Closed(connection.flow()));
            }
        }
    }

    fn connect(&mut self, flow: &Flow) -> Option<ConnectionId> {
        if !self.may_open(flow.remote.ip()) {
            return None;
        }
        let id = self.next_id();
        let flow = Flow {
            connection: Some(id),
            ..*flow
        };
        let connection = Connection::open(flow, &self.limits, self.notifier.clone());
        self.add(id, connection);
        Some(id)
    }

    fn accept_from(&mut self, listener: TcpListener) {
        let task = tokio::spawn(stream::accept(listener, self.notifier.clone()));
        self.acceptors.push(task.abort_handle());
    }

    fn accepted(&mut self, socket: TcpStream, local: SocketAddr, remote: SocketAddr) {
        if !self.may_open(remote.ip()) {
            return;
        }
        let id = self.next_id();
        let flow = Flow::tcp(local, remote, Some(id));
        let connection = Connection::accepted(flow, socket, &self.limits, self.notifier.clone());
        self.add(id, connection);
    }

    fn take_notice(&mut self, notice: Notice) {
        match notice {
            Notice::Accepted {
                socket,
                local,
                remote,
            } => self.accepted(socket, local, remote),
            Notice::Message(flow, message) => {
                self.ready.push_back(Incoming::Datagram(flow, message));
            }
            Notice::Ping(flow) => {
                let connection = flow.connection.and_then(|id| self.connections.get(&id));
                if let Some(connection) = connection {
                    // Should it fail, the next message to the peer fails with it.
                    connection.send(Bytes::from_static(b"\r\n"));
                }
            }
            Notice::Ended {
                flow,
                connected,
                cut,
            } => {
                if cut {
                    self.stats.connections_cut.fetch_add(1, Ordering::Relaxed);
                }
                let known = flow.connection.and_then(|id| self.remove(id)).is_some();
                if known {
                    self.ready.push_back(if connected {
                        Incoming::Closed(flow)
                    } else {
                        Incoming::Failed(flow)
                    });
                }
            }
        }
    }

    fn may_open(&self, address: IpAddr) -> bool {
        let from_there = self.per_address.get(&address).copied().unwrap_or(0);
        let may = self.connections.len() < self.limits.connections
            && from_there < self.limits.connections_per_address;
        if !may {
            self.stats
                .connections_refused
                .fetch_add(1, Ordering::Relaxed);
        }
        may
    }

    fn next_id(&mut self) -> ConnectionId {
        self.next_connection += 1;
        ConnectionId::new(self.limits.shard, self.next_connection)
    }

    fn add(&mut self, id: ConnectionId, connection: Connection) {
        let remote = connection.flow().remote;
        *self.per_address.entry(remote.ip()).or_default() += 1;
        self.by_remote.insert(remote, id);
        self.connections.insert(id, connection);
        self.count();
    }

    fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.connections.remove(&id)?;
        let remote = connection.flow().remote;
        if self.by_remote.get(&remote) == Some(&id) {
            self.by_remote.remove(&remote);
        }
        if let Some(count) = self.per_address.get_mut(&remote.ip()) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&remote.ip());
            }
        }
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

/// The largest UDP payload.
const MAX_DATAGRAM: usize = 65_535;
