//! Packets in and out of a worker: real sockets under epoll, or a network in memory.
//!
//! A [`Socket`] is a value that can be handed from worker to worker; a [`PacketIo`] says which of
//! the sockets attached to it have something to read.

mod kernel;
mod net;

use std::io;
use std::net::{SocketAddr, UdpSocket};

use crate::base::Timestamp;

pub(crate) use kernel::Kernel;
pub use net::{VirtualEndpoint, VirtualNet};
pub(crate) use net::{VirtualIo, VirtualSocket};

/// Tells sockets of one worker apart.
pub(crate) type Token = u64;

/// One bound UDP socket.
#[derive(Debug)]
pub(crate) enum Socket {
    /// Of the operating system, non-blocking.
    Udp(UdpSocket),
    /// Of a network in memory.
    Virtual(VirtualSocket),
}

impl Socket {
    /// Takes one datagram; longer ones are cut off. `WouldBlock` when there is none.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            Socket::Udp(socket) => socket.recv_from(buffer),
            Socket::Virtual(socket) => socket.receive(buffer),
        }
    }

    /// Sends one datagram, or fails; never blocks.
    pub(crate) fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        match self {
            Socket::Udp(socket) => socket.send_to(bytes, to).map(|_| ()),
            Socket::Virtual(socket) => {
                socket.send(bytes, to);
                Ok(())
            }
        }
    }
}

/// Where sockets come from; used by whoever opens legs.
#[derive(Clone, Debug)]
pub(crate) enum Network {
    /// The operating system.
    Kernel,
    /// In memory.
    Virtual(VirtualNet),
}

impl Network {
    /// Binds a socket.
    pub(crate) fn bind(&self, address: SocketAddr) -> io::Result<Socket> {
        match self {
            Network::Kernel => kernel::bind(address).map(Socket::Udp),
            Network::Virtual(net) => net.socket(address).map(Socket::Virtual),
        }
    }
}

/// Readiness of a worker's sockets.
pub(crate) trait PacketIo: Send {
    /// Begins to watch a socket; `token` comes back from [`PacketIo::wait`].
    fn attach(&mut self, socket: &Socket, token: Token) -> io::Result<()>;

    /// Stops watching a socket.
    fn detach(&mut self, socket: &Socket);

    /// Waits for sockets with something to read, until `until` at the latest or the bell; fills
    /// `ready` up to its capacity. Returns early rather than late.
    fn wait(&mut self, now: Timestamp, until: Timestamp, ready: &mut Vec<Token>);
}
