//! The operating system's sockets under level-triggered epoll, with a timer for the tick.
//!
//! One `recvfrom` per event and no drain to `EAGAIN`: measured cheapest (crates.md §3). The timer
//! is a timerfd because `epoll_wait` counts in whole milliseconds.

use std::io;
use std::mem::MaybeUninit;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::epoll;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::{PacketIo, Socket, Token};
use crate::base::Timestamp;
use crate::media::ring::Bell;

/// One worker's epoll.
pub(crate) struct Kernel {
    epoll: OwnedFd,
    timer: OwnedFd,
    armed_for: Option<Timestamp>,
    bell: Arc<Bell>,
}

const BELL: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;
/// Events taken per system call; the rest are taken at the next.
const BATCH: usize = 64;
/// Room for 200 ms of packets in a socket, so that a stall of the machine loses nothing.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// Binds a non-blocking UDP socket.
pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with, sockopt};
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    // Flags at birth: two system calls fewer for each of the four sockets of a call.
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::DGRAM, flags, Some(ipproto::UDP))?;
    sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
    rustix::net::bind(&socket, &address)?;
    Ok(socket.into())
}

impl Kernel {
    /// An epoll that also wakes when `bell` rings.
    pub(crate) fn new(bell: Arc<Bell>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )?;
        let readable = epoll::EventFlags::IN;
        epoll::add(&epoll, &timer, epoll::EventData::new_u64(TIMER), readable)?;
        if let Some(fd) = bell.fd() {
            epoll::add(&epoll, fd, epoll::EventData::new_u64(BELL), readable)?;
        }
        Ok(Self {
            epoll,
            timer,
            armed_for: None,
            bell,
        })
    }

    fn arm(&mut self, now: Timestamp, until: Timestamp) {
        if self.armed_for == Some(until) {
            return;
        }
        // A zero value would disarm the timer.
        let left = until.since(now).max(Duration::from_micros(1));
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let wanted = Itimerspec {
            it_interval: zero,
            it_value: Timespec {
                tv_sec: left.as_secs() as i64,
                tv_nsec: i64::from(left.subsec_nanos()),
            },
        };
        if timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &wanted).is_ok() {
            self.armed_for = Some(until);
        }
    }
}

impl PacketIo for Kernel {
    fn attach(&mut self, socket: &Socket, token: Token) -> io::Result<()> {
        if let Socket::Udp(socket) = socket {
            let data = epoll::EventData::new_u64(token);
            epoll::add(&self.epoll, socket, data, epoll::EventFlags::IN)?;
        }
        Ok(())
    }

    fn detach(&mut self, socket: &Socket) {
        if let Socket::Udp(socket) = socket {
            // Fails only for a socket that was never attached.
            let _ = epoll::delete(&self.epoll, socket);
        }
    }

    fn wait(&mut self, now: Timestamp, until: Timestamp, ready: &mut Vec<Token>) {
        ready.clear();
        let mut events = [const { MaybeUninit::<epoll::Event>::uninit() }; BATCH];
        let instantly = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let timeout = if until <= now {
            Some(&instantly)
        } else {
            self.arm(now, until);
            None
        };
        // An interrupted wait is an early return, which the contract allows.
        let Ok((events, _)) = epoll::wait(&self.epoll, &mut events[..], timeout) else {
            return;
        };
        for event in events {
            match event.data.u64() {
                BELL => self.bell.answer(),
                TIMER => {
                    let mut expirations = [0u8; 8];
                    let _ = rustix::io::read(&self.timer, &mut expirations);
                    self.armed_for = None;
                }
                token if ready.len() < ready.capacity() => ready.push(token),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_the_bell_and_the_timer_wake_the_waiter() {
        let bell = Arc::new(Bell::new().expect("eventfd"));
        let mut io = Kernel::new(Arc::clone(&bell)).expect("epoll");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("address");
        let socket = bind(any).expect("bind");
        let to = socket.local_addr().expect("bound");
        let socket = Socket::Udp(socket);
        io.attach(&socket, 7).expect("attach");
        let mut ready = Vec::with_capacity(8);
        let (now, soon) = (Timestamp::ZERO, Timestamp::from_millis(5));
        let later = Timestamp::from_millis(5_000);

        socket.send(b"x", to).expect("send");
        io.wait(now, later, &mut ready);
        assert_eq!(ready, [7]);
        let mut buffer = [0; 8];
        assert_eq!(socket.receive(&mut buffer).expect("receive"), (1, to));

        bell.ring();
        io.wait(now, later, &mut ready);
        assert!(ready.is_empty());
        io.wait(now, soon, &mut ready);
        assert!(ready.is_empty());
        io.detach(&socket);
    }
}
