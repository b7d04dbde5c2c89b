//! The floor of a set-up: its fourteen messages through a process that only forwards them.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::bare::Bare;

/// CPU seconds of 1,000 exchanges of the messages of a call at a rate, through a forwarder.
pub(crate) fn run(a_second: f64, time: Duration) -> f64 {
    let bound = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        socket.set_nonblocking(true).expect("a socket option");
        socket
    };
    let (caller, callee) = (bound(), bound());
    let address = |socket: &UdpSocket| socket.local_addr().expect("bound");
    let bare = Bare::between(&[address(&caller), address(&callee)]);
    let (begin, before) = (Instant::now(), bare.cpu_seconds());
    let (mut begun, mut over) = (0.0, 0.0);
    let mut buffer = [0u8; 2048];
    while begin.elapsed() < time {
        while begun < begin.elapsed().as_secs_f64() * a_second {
            say(&caller, bare.ports[0], &[INVITE]);
            begun += 1.0;
        }
        while callee.recv(&mut buffer).is_ok() {
            match buffer[0] {
                INVITE => say(&callee, bare.ports[1], &[TRYING, RINGING, ANSWER]),
                BYE => say(&callee, bare.ports[1], &[OVER]),
                _ => {}
            }
        }
        while caller.recv(&mut buffer).is_ok() {
            match buffer[0] {
                ANSWER => say(&caller, bare.ports[0], &[ACK, BYE]),
                OVER => over += 1.0,
                _ => {}
            }
        }
    }
    1000.0 * (bare.cpu_seconds() - before) / over
}

fn say(from: &UdpSocket, to: SocketAddr, kinds: &[u8]) {
    for kind in kinds {
        let length = match *kind {
            ANSWER | INVITE => 750,
            _ => 350,
        };
        let mut message = [0; 1024];
        message[0] = *kind;
        // Loopback takes it unless it is beyond its limits, and that is not the floor.
        let _ = from.send_to(&message[..length], to);
    }
}

const INVITE: u8 = 1;
const TRYING: u8 = 2;
const RINGING: u8 = 3;
const ANSWER: u8 = 4;
const ACK: u8 = 5;
const BYE: u8 = 6;
const OVER: u8 = 7;
