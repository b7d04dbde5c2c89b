//! Packets of another length than the tick's.
//!
//! The far end may want packets of 10 to 60 ms (`ptime`, RFC 8866 §6.4). What is said comes in
//! frames of 20 ms; here they are cut and joined. Only for codecs in which any part of the octets is
//! as good as another (G.711, G.722): a packet of Opus is a whole, and 20 ms of it always welcome
//! (RFC 7587 §6.1: the far end's `ptime` is a preference).

use crate::media::Codec;

/// Frames of one leg on their way into packets.
#[derive(Debug)]
pub(super) struct Packing {
    /// Octets and timestamp steps of a packet.
    octets: usize,
    steps: u32,
    held: [u8; HELD],
    filled: usize,
    /// Timestamp of the first octet held.
    timestamp: u32,
    /// Whether the next packet is the first after a pause.
    is_marked: bool,
}

/// The longest packet less an octet, and a frame that comes in.
const HELD: usize = 480 + 160;

impl Packing {
    /// For packets of `ptime_ms`; `None` when they are frames as they come.
    pub(super) fn new(codec: Codec, ptime_ms: u32) -> Option<Box<Self>> {
        let a_ms = codec.octets_a_ms()?;
        let ptime_ms = ptime_ms.clamp(10, 60);
        (ptime_ms != 20).then(|| {
            Box::new(Self {
                octets: a_ms * ptime_ms as usize,
                steps: codec.clock_hz() / 1000 * ptime_ms,
                held: [0; HELD],
                filled: 0,
                timestamp: 0,
                is_marked: false,
            })
        })
    }

    /// Puts a frame in. Whatever does not go on where the held octets end must come after a
    /// [`Packing::flush`].
    pub(super) fn push(&mut self, timestamp: u32, frame: &[u8]) {
        if self.filled == 0 {
            self.timestamp = timestamp;
        }
        let end = (self.filled + frame.len()).min(HELD);
        self.held[self.filled..end].copy_from_slice(&frame[..end - self.filled]);
        self.filled = end;
    }

    /// Whether a frame of this timestamp goes on where the held octets end.
    pub(super) fn is_next(&self, timestamp: u32) -> bool {
        let held = (self.filled * self.steps as usize / self.octets.max(1)) as u32;
        self.filled == 0 || self.timestamp.wrapping_add(held) == timestamp
    }

    /// Takes a whole packet out, with its timestamp; its length in `packet`.
    pub(super) fn pop(&mut self, packet: &mut [u8; HELD]) -> Option<(u32, usize)> {
        (self.filled >= self.octets).then(|| self.take(self.octets, packet))
    }

    /// Takes out what is left, though it is no whole packet.
    pub(super) fn flush(&mut self, packet: &mut [u8; HELD]) -> Option<(u32, usize)> {
        (self.filled > 0).then(|| self.take(self.filled, packet))
    }

    /// Remembers that a frame that was put in follows a pause.
    pub(super) fn mark(&mut self, is_marked: bool) {
        self.is_marked |= is_marked;
    }

    /// Whether the packet just taken out follows a pause.
    pub(super) fn take_mark(&mut self) -> bool {
        std::mem::take(&mut self.is_marked)
    }

    /// Forgets what is held.
    pub(super) fn clear(&mut self) {
        (self.filled, self.is_marked) = (0, false);
    }

    fn take(&mut self, octets: usize, packet: &mut [u8; HELD]) -> (u32, usize) {
        packet[..octets].copy_from_slice(&self.held[..octets]);
        self.held.copy_within(octets..self.filled, 0);
        self.filled -= octets;
        let timestamp = self.timestamp;
        self.timestamp = timestamp.wrapping_add(self.steps);
        (timestamp, octets)
    }

    /// Room for the longest packet.
    pub(super) const fn room() -> [u8; HELD] {
        [0; HELD]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Timestamps and lengths of the packets that so many frames become.
    fn packets(ptime_ms: u32, frames: u32) -> Vec<(u32, usize)> {
        let mut packing = Packing::new(Codec::Pcmu, ptime_ms).expect("not the tick's length");
        let mut packet = Packing::room();
        let mut packets = Vec::new();
        let mut next = 0u8;
        for frame in 0..frames {
            let octets: Vec<u8> = (0..160).map(|i| (frame * 160 + i) as u8).collect();
            assert!(packing.is_next(frame * 160));
            packing.push(frame * 160, &octets);
            while let Some((timestamp, length)) = packing.pop(&mut packet) {
                for octet in &packet[..length] {
                    assert_eq!(*octet, next);
                    next = next.wrapping_add(1);
                }
                packets.push((timestamp, length));
            }
        }
        packets
    }

    #[test]
    fn frames_are_cut_and_joined_in_order() {
        assert_eq!(packets(10, 1), [(0, 80), (80, 80)]);
        assert_eq!(packets(30, 3), [(0, 240), (240, 240)]);
        assert_eq!(packets(60, 7), [(0, 480), (480, 480)]);
        assert!(Packing::new(Codec::Pcma, 20).is_none());
    }

    #[test]
    fn what_is_left_before_a_pause_goes_out_short() {
        let mut packing = Packing::new(Codec::Pcmu, 60).expect("not the tick's length");
        let mut packet = Packing::room();
        packing.push(1000, &[1; 160]);
        assert!(!packing.is_next(5000) && packing.is_next(1160));
        assert_eq!(packing.flush(&mut packet), Some((1000, 160)));
        assert_eq!(packing.flush(&mut packet), None);
        assert!(packing.is_next(5000));
    }
}
