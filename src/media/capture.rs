//! A window on one leg's packets, for whoever wants to see what was on the wire.
//!
//! All room is made when the capture is; a worker copies packets into it without waiting, and
//! counts those that find no room.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;

use crate::base::Timestamp;

/// Packets of the legs it is given to ([`Command::Capture`](super::Command)), until it is dropped.
#[derive(Debug)]
pub struct Capture {
    queue: ArrayQueue<Captured>,
    missed: AtomicU64,
}

/// One packet, cut at [`MAX_CAPTURED`] octets.
#[derive(Clone, Copy)]
pub struct Captured {
    /// When it came or went.
    pub at: Timestamp,
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    length: u16,
    octets: [u8; MAX_CAPTURED],
}

/// More than any audio packet of 60 ms G.711 with its headers, or an RTCP compound, has.
pub const MAX_CAPTURED: usize = 768;

impl Capture {
    /// Room for so many packets between two visits of [`Capture::take`]; two legs make some 200 a
    /// second.
    pub fn new(packets: usize) -> Self {
        Self {
            queue: ArrayQueue::new(packets.max(1)),
            missed: AtomicU64::new(0),
        }
    }

    /// The oldest packet not taken yet.
    pub fn take(&self) -> Option<Captured> {
        self.queue.pop()
    }

    /// Packets that found no room.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Copies a packet.
    pub(super) fn put(&self, at: Timestamp, from: SocketAddr, to: SocketAddr, packet: &[u8]) {
        let length = packet.len().min(MAX_CAPTURED);
        let mut octets = [0; MAX_CAPTURED];
        octets[..length].copy_from_slice(&packet[..length]);
        let captured = Captured {
            at,
            from,
            to,
            length: length as u16,
            octets,
        };
        if self.queue.push(captured).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Captured {
    /// The packet from the RTP or RTCP header on.
    pub fn octets(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }
}

impl std::fmt::Debug for Captured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Captured")
            .field("at", &self.at)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_as_they_went_in_and_the_surplus_is_counted() {
        let capture = Capture::new(2);
        let [a, b]: [SocketAddr; 2] = [1u8, 2].map(|last| ([127, 0, 0, last], 4000).into());
        for count in 0..3u8 {
            capture.put(
                Timestamp::from_millis(i64::from(count)),
                a,
                b,
                &[count; 172],
            );
        }
        let first = capture.take().unwrap();
        assert_eq!(
            (first.from, first.to, first.octets()),
            (a, b, &[0u8; 172][..])
        );
        assert_eq!(capture.take().unwrap().octets()[0], 1);
        assert!(capture.take().is_none());
        assert_eq!(capture.missed(), 1);
        capture.put(Timestamp::ZERO, a, b, &[7; 2000]);
        assert_eq!(capture.take().unwrap().octets().len(), MAX_CAPTURED);
    }
}
