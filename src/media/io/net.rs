//! A network in memory, for tests: exact times, exact order, nothing lost unless a test says so.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{PacketIo, Socket, Token};
use crate::base::Timestamp;

/// A network in memory; clones are the same network.
///
/// Time stands still until [`Engine::run_until`](crate::media::Engine::run_until) moves it.
#[derive(Clone, Debug, Default)]
pub struct VirtualNet(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    now: Timestamp,
    latency: Duration,
    sent: u64,
    under_way: BinaryHeap<Reverse<Datagram>>,
    inboxes: HashMap<SocketAddr, VecDeque<Datagram>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Datagram {
    /// Field order is delivery order.
    at: Timestamp,
    number: u64,
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

impl VirtualNet {
    /// An empty network at time zero without delay.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the delay of everything sent from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// The time of the network.
    pub fn now(&self) -> Timestamp {
        self.state().now
    }

    /// A test's own end of the network; replaces whoever had the address.
    pub fn endpoint(&self, address: SocketAddr) -> VirtualEndpoint {
        self.state().inboxes.insert(address, VecDeque::new());
        VirtualEndpoint {
            net: self.clone(),
            address,
        }
    }

    /// Moves time to `now` and delivers what is due.
    pub(crate) fn advance(&self, now: Timestamp) {
        let mut state = self.state();
        state.now = state.now.max(now);
        while let Some(Reverse(first)) = state.under_way.peek()
            && first.at <= now
        {
            let Some(Reverse(datagram)) = state.under_way.pop() else {
                return;
            };
            // Nobody there: lost, as with UDP.
            if let Some(inbox) = state.inboxes.get_mut(&datagram.to) {
                inbox.push_back(datagram);
            }
        }
    }

    /// When the next datagram arrives.
    pub(crate) fn next_arrival(&self) -> Option<Timestamp> {
        self.state().under_way.peek().map(|Reverse(first)| first.at)
    }

    /// Binds an address for the engine; fails when it is taken.
    pub(crate) fn socket(&self, address: SocketAddr) -> io::Result<VirtualSocket> {
        let mut state = self.state();
        if state.inboxes.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        state.inboxes.insert(address, VecDeque::new());
        Ok(VirtualSocket {
            net: self.clone(),
            address,
        })
    }

    fn send(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let mut state = self.state();
        self.post(&mut state, from, to, bytes, Duration::ZERO);
    }

    fn post(
        &self,
        state: &mut State,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
        wait: Duration,
    ) {
        state.sent += 1;
        let datagram = Datagram {
            at: state.now + state.latency + wait,
            number: state.sent,
            from,
            to,
            bytes: bytes.to_vec(),
        };
        state.under_way.push(Reverse(datagram));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A test's end of a [`VirtualNet`].
#[derive(Debug)]
pub struct VirtualEndpoint {
    net: VirtualNet,
    address: SocketAddr,
}

impl VirtualEndpoint {
    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends now.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) {
        self.net.send(self.address, to, bytes);
    }

    /// Sends at a later time of the network.
    pub fn send_at(&self, at: Timestamp, to: SocketAddr, bytes: &[u8]) {
        let mut state = self.net.state();
        let wait = at.since(state.now);
        self.net.post(&mut state, self.address, to, bytes, wait);
    }

    /// Takes the oldest datagram that has arrived: when, from whom, what.
    pub fn receive(&self) -> Option<(Timestamp, SocketAddr, Vec<u8>)> {
        let mut state = self.net.state();
        let datagram = state.inboxes.get_mut(&self.address)?.pop_front()?;
        Some((datagram.at, datagram.from, datagram.bytes))
    }
}

/// One of the engine's sockets; frees its address when dropped.
#[derive(Debug)]
pub(crate) struct VirtualSocket {
    net: VirtualNet,
    address: SocketAddr,
}

impl VirtualSocket {
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut state = self.net.state();
        let datagram = state
            .inboxes
            .get_mut(&self.address)
            .and_then(VecDeque::pop_front)
            .ok_or(io::ErrorKind::WouldBlock)?;
        let length = datagram.bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram.bytes[..length]);
        Ok((length, datagram.from))
    }

    pub(crate) fn send(&self, bytes: &[u8], to: SocketAddr) {
        self.net.send(self.address, to, bytes);
    }
}

impl Drop for VirtualSocket {
    fn drop(&mut self) {
        self.net.state().inboxes.remove(&self.address);
    }
}

/// Readiness over a [`VirtualNet`], in order of tokens; never waits.
#[derive(Debug)]
pub(crate) struct VirtualIo {
    net: VirtualNet,
    watched: Vec<(Token, SocketAddr)>,
}

impl VirtualIo {
    pub(crate) fn new(net: VirtualNet) -> Self {
        Self {
            net,
            watched: Vec::new(),
        }
    }
}

impl PacketIo for VirtualIo {
    fn attach(&mut self, socket: &Socket, token: Token) -> io::Result<()> {
        if let Socket::Virtual(socket) = socket {
            self.watched.push((token, socket.address));
            self.watched.sort_unstable_by_key(|(token, _)| *token);
        }
        Ok(())
    }

    fn detach(&mut self, socket: &Socket) {
        if let Socket::Virtual(socket) = socket {
            self.watched
                .retain(|(_, address)| *address != socket.address);
        }
    }

    fn wait(&mut self, _now: Timestamp, _until: Timestamp, ready: &mut Vec<Token>) {
        ready.clear();
        let state = self.net.state();
        for (token, address) in &self.watched {
            let waiting = state.inboxes.get(address).is_some_and(|i| !i.is_empty());
            if waiting && ready.len() < ready.capacity() {
                ready.push(*token);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_arrive_in_time_order_after_the_latency() {
        let net = VirtualNet::new();
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (a, b) = (net.endpoint(address(1)), net.endpoint(address(2)));
        net.set_latency(Duration::from_millis(3));
        a.send_at(Timestamp::from_millis(10), b.address(), b"late");
        a.send(b.address(), b"early");
        assert!(b.receive().is_none());
        assert_eq!(net.next_arrival(), Some(Timestamp::from_millis(3)));
        net.advance(Timestamp::from_millis(20));
        let got: Vec<_> = std::iter::from_fn(|| b.receive()).collect();
        assert_eq!(got[0].2, b"early");
        assert_eq!(got[1].0, Timestamp::from_millis(13));
        assert_eq!(got[1].1, a.address());
    }

    #[test]
    fn a_dropped_socket_frees_its_address() {
        let net = VirtualNet::new();
        let address = SocketAddr::from(([127, 0, 0, 1], 9));
        let socket = net.socket(address).expect("free");
        assert!(net.socket(address).is_err());
        drop(socket);
        assert!(net.socket(address).is_ok());
    }
}
