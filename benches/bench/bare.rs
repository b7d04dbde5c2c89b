//! The floor: a process that forwards the same packets by epoll, one receive and one send each.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};

use rustix::event::epoll;

use crate::process;

/// First argument of the process that forwards.
pub(crate) const ROLE: &str = "forward-packets";

/// A forwarder in a process of its own, as the switch is.
pub(crate) struct Bare {
    child: Child,
    /// Where each leg sends; leg 0 is heard by leg 1, 2 by 3, and so on.
    pub(crate) ports: Vec<SocketAddr>,
}

impl Bare {
    /// A forwarder between legs at these addresses.
    pub(crate) fn between(legs: &[SocketAddr]) -> Self {
        let own = std::env::current_exe().expect("the path of this program");
        let mut forwarder = Command::new(own);
        forwarder
            .arg(ROLE)
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

/// The forwarder itself; ends by being killed.
pub(crate) fn serve() {
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
    forward(&poll, &sockets, &legs);
}

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
