//! One UDP socket, read in bursts.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use crate::sip::Flow;

use super::{Incoming, TransportLimits, TransportStats};

#[derive(Debug)]
pub(super) struct Datagrams {
    socket: UdpSocket,
    local: SocketAddr,
}

impl Datagrams {
    pub(super) fn bind(address: SocketAddr, limits: &TransportLimits) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if limits.reuse_port {
            socket.set_reuse_port(true)?;
        }
        // The kernel may grant less; that is its administrator's word.
        let _ = socket.set_recv_buffer_size(limits.receive_buffer);
        let _ = socket.set_send_buffer_size(limits.receive_buffer);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Not through tokio's readiness, which knows nothing before the first turn of its driver.
    pub(super) fn send(&self, remote: SocketAddr, message: &[u8]) -> bool {
        let sent = SockRef::from(&self.socket).send_to(message, &remote.into());
        sent.is_ok_and(|length| length == message.len())
    }

    /// Takes up to `burst` datagrams; says whether it took any. When it took fewer, the task is
    /// woken by the next one.
    pub(super) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        burst: usize,
        stats: &TransportStats,
        ready: &mut VecDeque<Incoming>,
    ) -> bool {
        let mut taken = false;
        while let Poll::Ready(Ok(())) = self.socket.poll_recv_ready(cx) {
            if self.drain(buffer, burst, stats, ready) {
                taken = true;
                break;
            }
            // Readiness was stale and is cleared now: the next poll registers the waker.
        }
        taken
    }

    pub(super) fn drain(
        &mut self,
        buffer: &mut [u8],
        burst: usize,
        stats: &TransportStats,
        ready: &mut VecDeque<Incoming>,
    ) -> bool {
        let mut taken = false;
        for _ in 0..burst {
            let (length, remote) = match self.socket.try_recv_from(buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error for something sent before: the next datagram is not affected.
                Err(_) => continue,
            };
            taken = true;
            stats.datagrams_received.fetch_add(1, Ordering::Relaxed);
            let message = Bytes::copy_from_slice(&buffer[..length]);
            ready.push_back(Incoming::Datagram(Flow::udp(self.local, remote), message));
        }
        taken
    }
}
