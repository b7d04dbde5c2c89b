//! The floor: a process that does by epoll the same with packets as the switch, one receive and one
//! send each, and nothing else.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::epoll;
use rustix::time::Timespec;

use crate::process;

/// What such a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Forwards what comes to the other leg of a pair.
    Forward,
    /// Takes what comes, and sends every leg a packet every 20 ms.
    Play,
}

impl Role {
    /// The first argument of the process.
    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward-packets",
            Self::Play => "play-packets",
        }
    }

    /// The role of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Forward, Self::Play]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// The floor in a process of its own, as the switch is.
pub(crate) struct Bare {
    child: Child,
    /// Where each leg sends; leg 0 is heard by leg 1, 2 by 3, and so on.
    pub(crate) ports: Vec<SocketAddr>,
}

impl Bare {
    /// A forwarder between legs at these addresses.
    pub(crate) fn between(legs: &[SocketAddr]) -> Self {
        Self::start(Role::Forward, legs)
    }

    /// What plays to legs at these addresses.
    pub(crate) fn playing_to(legs: &[SocketAddr]) -> Self {
        Self::start(Role::Play, legs)
    }

    fn start(role: Role, legs: &[SocketAddr]) -> Self {
        let own = std::env::current_exe().expect("the path of this program");
        let mut forwarder = Command::new(own);
        forwarder
            .arg(role.name())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = process::spawn(&mut forwarder);
        let list: Vec<String> = legs.iter().map(ToString::to_string).collect();
        let mut input = child.stdin.take().expect("piped");
        writeln!(input, "{}", list.join(" ")).expect("a living forwarder");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("a living forwarder");
        let ports = line
            .split_ascii_whitespace()
            .map(|text| text.parse().expect("an address"));
        Self {
            ports: ports.collect(),
            child,
        }
    }

    /// utime + stime so far.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        process::cpu_seconds(self.child.id())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process itself; ends by being killed.
pub(crate) fn serve(role: Role) {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("addresses");
    let legs: Vec<SocketAddr> = line
        .split_ascii_whitespace()
        .map(|text| text.parse().expect("an address"))
        .collect();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bound = |_: &SocketAddr| {
        let socket = UdpSocket::bind(any).expect("a free port");
        socket.set_nonblocking(true).expect("a socket option");
        socket
    };
    let sockets: Vec<UdpSocket> = legs.iter().map(bound).collect();
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll");
    for (n, socket) in sockets.iter().enumerate() {
        let data = epoll::EventData::new_u64(n as u64);
        epoll::add(&poll, socket, data, epoll::EventFlags::IN).expect("a socket");
    }
    let ports: Vec<String> = sockets
        .iter()
        .map(|socket| socket.local_addr().expect("bound").to_string())
        .collect();
    println!("{}", ports.join(" "));
    match role {
        Role::Forward => forward(&poll, &sockets, &legs),
        Role::Play => play(&poll, &sockets, &legs),
    }
}

/// One receive for each packet that comes, and at absolute times one send for each leg.
fn play(poll: &impl std::os::fd::AsFd, sockets: &[UdpSocket], legs: &[SocketAddr]) {
    let mut events = [const { std::mem::MaybeUninit::<epoll::Event>::uninit() }; 64];
    let mut buffer = [0u8; 2048];
    let mut packet = [0xff; 172];
    packet[..2].copy_from_slice(&[0x80, 0]);
    let begin = Instant::now();
    let mut frame = 0u32;
    loop {
        let left = (begin + FRAME * frame).saturating_duration_since(Instant::now());
        if left.is_zero() {
            packet[2..4].copy_from_slice(&(frame as u16).to_be_bytes());
            packet[4..8].copy_from_slice(&(frame * 160).to_be_bytes());
            for (socket, leg) in sockets.iter().zip(legs) {
                let _ = socket.send_to(&packet, leg);
            }
            frame += 1;
            continue;
        }
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let Ok((ready, _)) = epoll::wait(poll, &mut events[..], Some(&timeout)) else {
            continue;
        };
        for event in ready {
            let _ = sockets[event.data.u64() as usize].recv_from(&mut buffer);
        }
    }
}

const FRAME: Duration = Duration::from_millis(20);

fn forward(poll: &impl std::os::fd::AsFd, sockets: &[UdpSocket], legs: &[SocketAddr]) {
    let mut events = [const { std::mem::MaybeUninit::<epoll::Event>::uninit() }; 64];
    let mut buffer = [0u8; 2048];
    loop {
        let Ok((ready, _)) = epoll::wait(poll, &mut events[..], None) else {
            continue;
        };
        for event in ready {
            let n = event.data.u64() as usize;
            if let Ok((length, _)) = sockets[n].recv_from(&mut buffer) {
                // A full buffer on the other side loses the packet, as it would on a wire.
                let _ = sockets[n ^ 1].send_to(&buffer[..length], legs[n ^ 1]);
            }
        }
    }
}
