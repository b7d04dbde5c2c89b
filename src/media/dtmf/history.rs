//! Events sent a moment ago, which packets of later events carry once more (RFC 4733 §2.6.2): a key of
//! which every packet was lost is heard with the next one.

use super::PAYLOAD_BYTES;
use crate::media::rtp::{Block, MAX_OFFSET, distance, write_redundant};

/// Earlier events a packet carries at most.
pub const MAX_DEPTH: usize = 3;

/// Bytes that such a packet's payload is longer by.
pub(crate) const MAX_REDUNDANT: usize = MAX_DEPTH * (4 + PAYLOAD_BYTES) + 1;

/// The latest events of one stream. Never allocates.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The newest last.
    events: [Option<Event>; MAX_DEPTH + 1],
}

#[derive(Clone, Copy, Debug)]
struct Event {
    timestamp: u32,
    /// As it was last sent.
    payload: [u8; PAYLOAD_BYTES],
}

impl History {
    /// Nothing sent yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of an event's packet; of one event, what tells the most stays.
    pub fn note(&mut self, timestamp: u32, payload: &[u8]) {
        let Some(&payload) = payload.first_chunk() else {
            return;
        };
        let event = Event { timestamp, payload };
        let mut known = self.events.iter_mut().flatten();
        match known.find(|known| known.is_same(&event)) {
            Some(known) if known.progress() > event.progress() => {}
            Some(known) => *known = event,
            None => {
                self.events.rotate_left(1);
                self.events[MAX_DEPTH] = Some(event);
            }
        }
    }

    /// Writes the payload of a packet at `timestamp` with up to `depth` earlier events, the oldest
    /// first; returns its length. `None` when there are none to carry: none were sent, or so long
    /// ago that no block header can tell.
    pub fn write(
        &self,
        buffer: &mut [u8],
        payload_type: u8,
        (timestamp, payload): (u32, &[u8]),
        depth: u8,
    ) -> Option<usize> {
        let mut blocks = [Block::default(); MAX_DEPTH];
        let mut first = MAX_DEPTH;
        let depth = MAX_DEPTH.min(depth.into());
        for event in self.events.iter().rev().flatten() {
            let offset = u32::try_from(distance(timestamp, event.timestamp));
            let offset = offset
                .ok()
                .filter(|offset| (1..=MAX_OFFSET).contains(offset));
            let Some(offset) = offset.filter(|_| first > MAX_DEPTH - depth) else {
                continue;
            };
            first -= 1;
            blocks[first] = Block {
                payload_type,
                offset,
                payload: &event.payload,
            };
        }
        let earlier = Some(&blocks[first..]).filter(|earlier| !earlier.is_empty())?;
        write_redundant(buffer, earlier, payload_type, payload)
    }
}

impl Event {
    fn is_same(&self, other: &Event) -> bool {
        (self.timestamp, self.payload[0]) == (other.timestamp, other.payload[0])
    }

    /// How much it tells: whether it is over, then how long it has been.
    fn progress(&self) -> (bool, u16) {
        let [_, flags, high, low] = self.payload;
        (flags & 0x80 != 0, u16::from_be_bytes([high, low]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::rtp::{self, Header, Packet};

    fn sent(history: &History, timestamp: u32, depth: u8) -> Vec<(u32, [u8; 4])> {
        let mut payload = [0; 64];
        let primary = (timestamp, &[9, 10, 0, 160][..]);
        let Some(length) = history.write(&mut payload, 101, primary, depth) else {
            return Vec::new();
        };
        assert!(length <= 4 + MAX_REDUNDANT);
        let mut packet = [0; 100];
        let header = Header::default();
        let length = rtp::write(&mut packet, header, &payload[..length]).expect("fits");
        let packet = Packet::parse(&packet[..length]).expect("RTP");
        let (primary, earlier) = rtp::unfold(&packet).expect("redundant");
        assert_eq!(primary.payload(), [9, 10, 0, 160]);
        let blocks = earlier.blocks().iter();
        blocks
            .map(|it| (it.offset, it.payload.try_into().expect("an event")))
            .collect()
    }

    #[test]
    fn a_packet_carries_the_ends_of_the_events_before_it() {
        let mut history = History::new();
        for (timestamp, payload) in [
            (1000, [1, 10, 0, 160]),
            (1000, [1, 0x8a, 3, 32]),
            (1000, [1, 10, 1, 64]),
            (2600, [2, 10, 0, 160]),
            (2600, [2, 0x8a, 3, 32]),
            (4200, [9, 10, 0, 160]),
        ] {
            history.note(timestamp, &payload);
        }
        let (one, two) = ((3200, [1, 0x8a, 3, 32]), (1600, [2, 0x8a, 3, 32]));
        assert_eq!(sent(&history, 4200, 3), [one, two]);
        assert_eq!(sent(&history, 4200, 1), [two]);
        assert_eq!(sent(&history, 4200, 0), []);
    }

    #[test]
    fn what_no_offset_reaches_is_left_out() {
        let mut history = History::new();
        let first = u32::MAX - 5;
        history.note(first, &[1, 0x8a, 3, 32]);
        history.note(1000, &[1, 0x8a]);
        assert_eq!(sent(&history, first.wrapping_add(MAX_OFFSET), 3).len(), 1);
        assert_eq!(sent(&history, first.wrapping_add(MAX_OFFSET + 1), 3), []);
        assert_eq!(sent(&history, first, 3), []);
        assert_eq!(sent(&history, first.wrapping_sub(160), 3), []);
    }

    #[test]
    fn only_the_latest_are_remembered() {
        let mut history = History::new();
        for event in 0..9u8 {
            history.note(u32::from(event) * 800, &[event, 0x8a, 3, 32]);
        }
        let carried = sent(&history, 7200, 3);
        let events: Vec<u8> = carried.iter().map(|(_, payload)| payload[0]).collect();
        assert_eq!(events, [6, 7, 8]);
    }
}
