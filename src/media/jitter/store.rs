//! Encoded packets in order of their place in the stream, in one arena that never grows.

/// Packets kept at most.
pub(super) const PACKETS: usize = 64;

/// Octets of a block: a packet of G.711 or G.722 of 20 ms.
const BLOCK: usize = 160;

/// Blocks of the arena, 15 kB: 1.9 s of G.711, or ten packets of the longest payload.
const BLOCKS: usize = 96;

/// Longest payload kept, octets: what fits an Ethernet frame.
pub(super) const MAX_PAYLOAD: usize = 1460;

/// Ends a chain of blocks.
const END: u8 = u8::MAX;

/// A payload in the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload {
    first: u8,
    length: u16,
}

/// One packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// Place of its first sample in the stream.
    pub(super) position: i64,
    /// Sequence number, continued past its wrap.
    pub(super) number: i64,
    /// Samples it will become.
    pub(super) samples: i64,
    pub(super) payload: Payload,
}

/// The packets of one stream that were not played yet.
#[derive(Debug)]
pub(super) struct Store {
    slots: Vec<Slot>,
    blocks: Box<[[u8; BLOCK]]>,
    /// The block after each block of a chain.
    after: [u8; BLOCKS],
    /// First of the chain of free blocks.
    free: u8,
}

impl Store {
    pub(super) fn new() -> Self {
        let mut after = std::array::from_fn(|block| block as u8 + 1);
        after[BLOCKS - 1] = END;
        Self {
            slots: Vec::with_capacity(PACKETS),
            blocks: vec![[0; BLOCK]; BLOCKS].into_boxed_slice(),
            after,
            free: 0,
        }
    }

    /// Copies a payload of at most [`MAX_PAYLOAD`] octets in; `None` when there is no room.
    pub(super) fn keep(&mut self, payload: &[u8]) -> Option<Payload> {
        let length = u16::try_from(payload.len()).ok()?;
        let mut kept = Payload { first: END, length };
        let mut last = END;
        for chunk in payload.chunks(BLOCK) {
            let block = self.free;
            if block == END {
                self.release(kept);
                return None;
            }
            self.free = self.after[usize::from(block)];
            self.after[usize::from(block)] = END;
            self.blocks[usize::from(block)][..chunk.len()].copy_from_slice(chunk);
            if last == END {
                kept.first = block;
            } else {
                self.after[usize::from(last)] = block;
            }
            last = block;
        }
        Some(kept)
    }

    /// Copies a payload out; returns its length, less where `into` is shorter.
    pub(super) fn read(&self, payload: Payload, into: &mut [u8]) -> usize {
        let length = usize::from(payload.length).min(into.len());
        let mut block = payload.first;
        for chunk in into[..length].chunks_mut(BLOCK) {
            chunk.copy_from_slice(&self.blocks[usize::from(block)][..chunk.len()]);
            block = self.after[usize::from(block)];
        }
        length
    }

    /// Gives a payload's blocks back.
    pub(super) fn release(&mut self, payload: Payload) {
        let mut block = payload.first;
        while block != END {
            let after = self.after[usize::from(block)];
            self.after[usize::from(block)] = self.free;
            self.free = block;
            block = after;
        }
    }

    /// Puts a packet in its place; `false` when another is there already or there is no room.
    pub(super) fn insert(&mut self, slot: Slot) -> bool {
        let place = self
            .slots
            .partition_point(|other| other.position < slot.position);
        let is_taken = self
            .slots
            .get(place)
            .is_some_and(|other| other.position == slot.position);
        if is_taken || self.slots.len() == PACKETS {
            self.release(slot.payload);
            return false;
        }
        self.slots.insert(place, slot);
        true
    }

    /// The packet to be played next.
    pub(super) fn first(&self) -> Option<Slot> {
        self.slots.first().copied()
    }

    /// The packet after the first.
    pub(super) fn second(&self) -> Option<Slot> {
        self.slots.get(1).copied()
    }

    /// Whether nothing more would fit.
    pub(super) fn is_full(&self, payload: &[u8]) -> bool {
        let mut blocks = payload.len().div_ceil(BLOCK);
        let mut free = self.free;
        while blocks > 0 && free != END {
            free = self.after[usize::from(free)];
            blocks -= 1;
        }
        blocks > 0 || self.slots.len() == PACKETS
    }

    /// Takes the first packet out. Its payload stays until it is released.
    pub(super) fn take_first(&mut self) -> Option<Slot> {
        (!self.slots.is_empty()).then(|| self.slots.remove(0))
    }

    /// Forgets the first packet.
    pub(super) fn drop_first(&mut self) {
        if let Some(slot) = self.take_first() {
            self.release(slot.payload);
        }
    }

    /// Forgets all packets, but no payload that is kept without one.
    pub(super) fn clear(&mut self) {
        while let Some(slot) = self.slots.pop() {
            self.release(slot.payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn free(store: &Store) -> usize {
        let (mut block, mut count) = (store.free, 0);
        while block != END {
            block = store.after[usize::from(block)];
            count += 1;
        }
        count
    }

    proptest! {
        #[test]
        fn what_is_kept_is_read_back_and_nothing_leaks(
            packets in prop::collection::vec((0i64..100, 1usize..MAX_PAYLOAD), 0..200),
        ) {
            let mut store = Store::new();
            let content = |position: i64, i: usize| (position as usize * 31 + i) as u8;
            for (position, length) in packets {
                let payload: Vec<u8> = (0..length).map(|i| content(position, i)).collect();
                prop_assert!(free(&store) <= BLOCKS);
                let room = !store.is_full(&payload);
                match store.keep(&payload) {
                    Some(payload) => {
                        store.insert(Slot { position, number: position, samples: 1, payload });
                    }
                    None => {
                        prop_assert!(!room);
                        let slot = store.take_first().unwrap();
                        let mut bytes = [0; MAX_PAYLOAD];
                        let length = store.read(slot.payload, &mut bytes);
                        for (i, byte) in bytes[..length].iter().enumerate() {
                            prop_assert_eq!(*byte, content(slot.position, i));
                        }
                        store.release(slot.payload);
                    }
                }
                prop_assert!(store.slots.is_sorted_by_key(|slot| slot.position));
            }
            store.clear();
            prop_assert_eq!(free(&store), BLOCKS);
        }
    }
}
