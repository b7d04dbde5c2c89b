//! A window on one leg's packets, for whoever wants to see what was on the wire.
//!
//! All room is made when the capture is; a worker copies packets into it without waiting, and
//! counts those that find no room.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;

use crate::base::Timestamp;

/// Packets of the legs it is given to ([`Command::Capture`](super::Command)), until it is taken from
/// them.
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

/// Captures of one leg at a time: as many as HTTP lets ask at once.
pub const MAX_CAPTURES: usize = 4;

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

/// The captures of one leg, in room that is always there.
#[derive(Debug, Default)]
pub(super) struct Captures([Option<Arc<Capture>>; MAX_CAPTURES]);

impl Captures {
    /// One more, when there is room.
    pub(super) fn add(&mut self, capture: Arc<Capture>) {
        if !self.each().any(|known| Arc::ptr_eq(known, &capture))
            && let Some(place) = self.0.iter_mut().find(|place| place.is_none())
        {
            *place = Some(capture);
        }
    }

    /// That one no more; the others stay.
    pub(super) fn remove(&mut self, capture: &Arc<Capture>) {
        for place in &mut self.0 {
            place.take_if(|known| Arc::ptr_eq(known, capture));
        }
    }

    /// All there are.
    pub(super) fn each(&self) -> impl Iterator<Item = &Arc<Capture>> {
        self.0.iter().flatten()
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
    fn two_look_at_one_leg_and_one_goes() {
        let [first, second] = [(); 2].map(|()| Arc::new(Capture::new(4)));
        let mut captures = Captures::default();
        for capture in [&first, &second, &second] {
            captures.add(capture.clone());
        }
        assert_eq!(captures.each().count(), 2);
        captures.remove(&first);
        captures.remove(&first);
        assert_eq!(Arc::strong_count(&first), 1);
        assert!(captures.each().all(|left| Arc::ptr_eq(left, &second)));
        for _ in 0..2 * MAX_CAPTURES {
            captures.add(Arc::new(Capture::new(1)));
        }
        assert_eq!(captures.each().count(), MAX_CAPTURES);
    }

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
