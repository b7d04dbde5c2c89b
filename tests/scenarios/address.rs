//! A stretch of loopback for each scenario: 127.x.y.0/24, so that every port is free.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// One /24 of 127.0.0.0/8 that no other scenario uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block([u8; 3]);

impl Block {
    /// Takes the next free block.
    pub(crate) fn take() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        for _ in 0..1_000 {
            let count = NEXT.fetch_add(1, Ordering::Relaxed);
            let number = std::process::id().wrapping_mul(16).wrapping_add(count) % (64 * 256);
            let block = Self([127, 64 + (number >> 8) as u8, (number & 0xff) as u8]);
            // The marker socket is closed at once: it only shows whether a switch of another
            // run sits there.
            if UdpSocket::bind(block.at(SWITCH, 5060)).is_ok() {
                return block;
            }
        }
        panic!("no free loopback block");
    }

    /// Address number `host` of the block.
    pub(crate) fn host(self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(self.0[0], self.0[1], self.0[2], host)
    }

    /// A socket address of the block.
    pub(crate) fn at(self, host: u8, port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.host(host)), port)
    }

    /// Whether `address` is one of the block's.
    pub(crate) fn contains(self, address: Ipv4Addr) -> bool {
        address.octets()[..3] == self.0
    }
}

/// The switch's host number in its block.
pub(crate) const SWITCH: u8 = 1;
/// The carrier's (SIPp as the trunk, calling in).
pub(crate) const CARRIER: u8 = 2;
/// The first phone's; phone 1001 is here, 1002 on the next, and so on.
pub(crate) const PHONES: u8 = 11;
/// Somebody who has no business here.
pub(crate) const STRANGER: u8 = 66;
