//! Payloads that carry what earlier packets carried once more (RFC 2198): read from received bytes
//! and written.

use super::{Error, Header, Packet};

/// Earlier blocks a received packet may have; known senders have three at most.
pub const MAX_EARLIER: usize = 8;

/// How far before its packet a block may be, in units of the RTP clock: 14 bits.
pub const MAX_OFFSET: u32 = (1 << 14) - 1;

/// Longest payload of an earlier block: 10 bits.
const MAX_BLOCK: usize = (1 << 10) - 1;

/// Bytes of the header of an earlier block; that of the primary, the last one, is a byte.
const BLOCK_HEADER: usize = 4;

/// What an earlier packet carried, or will have carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block<'a> {
    /// Payload type, 0..=127.
    pub payload_type: u8,
    /// How far before its packet, in units of the RTP clock; at most [`MAX_OFFSET`].
    pub offset: u32,
    /// Payload; at most 1023 bytes.
    pub payload: &'a [u8],
}

/// The earlier blocks of a packet, the oldest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Earlier<'a> {
    blocks: [Block<'a>; MAX_EARLIER],
    count: usize,
}

impl<'a> Earlier<'a> {
    /// The blocks, the oldest first, whatever their order was in the packet.
    pub fn blocks(&self) -> &[Block<'a>] {
        &self.blocks[..self.count]
    }

    fn push(&mut self, block: Block<'a>) -> Result<(), Error> {
        let place = self.blocks.get_mut(self.count);
        *place.ok_or(Error::TooManyBlocks)? = block;
        self.count += 1;
        Ok(())
    }
}

/// Takes a packet with a redundant payload apart: into the packet that its primary block would have
/// been alone, and the blocks of earlier ones. Whether those it carries are redundant again is
/// not looked at. Never allocates.
pub fn unfold<'a>(packet: &Packet<'a>) -> Result<(Packet<'a>, Earlier<'a>), Error> {
    let payload = packet.payload();
    let mut earlier = Earlier::default();
    let mut headers = payload;
    let mut lengths = [0; MAX_EARLIER];
    let payload_type = loop {
        let (&first, rest) = headers.split_first().ok_or(Error::BlockShort)?;
        if first & 0x80 == 0 {
            headers = rest;
            break first;
        }
        let (&[_, high, middle, low], rest) = headers
            .split_first_chunk::<BLOCK_HEADER>()
            .ok_or(Error::BlockShort)?;
        let word = u32::from_be_bytes([0, high, middle, low]);
        earlier.push(Block {
            payload_type: first & 0x7f,
            offset: word >> 10,
            payload: &[],
        })?;
        lengths[earlier.count - 1] = word as usize & MAX_BLOCK;
        headers = rest;
    };
    let mut data = headers;
    for (block, length) in earlier.blocks.iter_mut().zip(lengths).take(earlier.count) {
        (block.payload, data) = data.split_at_checked(length).ok_or(Error::BlockShort)?;
    }
    earlier.blocks[..earlier.count].sort_unstable_by_key(|block| std::cmp::Reverse(block.offset));
    let header = Header {
        payload_type,
        ..*packet.header()
    };
    Ok((Packet::carried(header, data), earlier))
}

/// Writes a redundant payload to the start of `buffer`: `earlier` blocks, to be given oldest
/// first, and the primary one. Returns its length, or `None` when a block has more than its
/// header can tell or the buffer is too small.
pub fn write_redundant(
    buffer: &mut [u8],
    earlier: &[Block<'_>],
    payload_type: u8,
    primary: &[u8],
) -> Option<usize> {
    let mut length = 0;
    let mut put = |bytes: &[u8]| {
        let place = buffer.get_mut(length..)?.get_mut(..bytes.len())?;
        place.copy_from_slice(bytes);
        length += bytes.len();
        Some(())
    };
    for block in earlier {
        if block.offset > MAX_OFFSET || block.payload.len() > MAX_BLOCK {
            return None;
        }
        let word = block.offset << 10 | block.payload.len() as u32;
        let [_, high, middle, low] = word.to_be_bytes();
        put(&[0x80 | block.payload_type, high, middle, low])?;
    }
    put(&[payload_type & 0x7f])?;
    for block in earlier {
        put(block.payload)?;
    }
    put(primary)?;
    Some(length)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;
    use crate::base::Entropy;

    fn packet(payload: &[u8]) -> Packet<'_> {
        let header = Header {
            marker: true,
            payload_type: 100,
            sequence: 7,
            timestamp: 9000,
            ssrc: 1,
        };
        Packet::carried(header, payload)
    }

    /// As RFC 2198 §4 draws it: an offset of 14 bits, then a length of 10.
    #[test]
    fn a_payload_is_taken_apart_as_the_rfc_draws_it() {
        let offset = 0b10_0000_0000_0011_u32;
        let [_, high, middle, low] = (offset << 10 | 4).to_be_bytes();
        let payload = [
            0x80 | 101,
            high,
            middle,
            low,
            101,
            1,
            0x8a,
            3,
            32,
            2,
            10,
            0,
            160,
        ];
        let received = packet(&payload);
        let (primary, earlier) = unfold(&received).unwrap();
        assert_eq!(primary.header().payload_type, 101);
        assert_eq!(
            (primary.header().timestamp, primary.header().marker),
            (9000, true)
        );
        assert_eq!(primary.payload(), [2, 10, 0, 160]);
        let block = Block {
            payload_type: 101,
            offset,
            payload: &[1, 0x8a, 3, 32],
        };
        assert_eq!(earlier.blocks(), [block]);
    }

    #[test]
    fn what_is_cut_short_or_without_end_is_refused() {
        let refuse = |payload: &[u8]| unfold(&packet(payload)).unwrap_err();
        assert_eq!(refuse(&[]), Error::BlockShort);
        assert_eq!(refuse(&[0x80 | 101, 0, 0]), Error::BlockShort);
        assert_eq!(refuse(&[0x80 | 101, 0, 0, 0]), Error::BlockShort);
        assert_eq!(refuse(&[0x80 | 101, 0, 0, 1, 101]), Error::BlockShort);
        assert_eq!(
            refuse(&[0x80 | 101, 0, 3, 255, 101, 1, 2, 3]),
            Error::BlockShort
        );
        let mut endless = [0x80, 0, 0, 0].repeat(MAX_EARLIER);
        let most = [&endless[..], &[0]].concat();
        let (_, earlier) = unfold(&packet(&most)).unwrap();
        assert_eq!(earlier.blocks().len(), MAX_EARLIER);
        endless.extend([0x80, 0, 0, 0]);
        assert_eq!(refuse(&endless), Error::TooManyBlocks);
    }

    #[test]
    fn blocks_come_oldest_first_whatever_their_order_was() {
        let block = |offset, payload| Block {
            payload_type: 101,
            offset,
            payload,
        };
        let mut buffer = [0; 64];
        let blocks = [block(160, &[2][..]), block(1600, &[1]), block(20, &[3])];
        let length = write_redundant(&mut buffer, &blocks, 101, &[4]).unwrap();
        let (_, earlier) = unfold(&packet(&buffer[..length])).unwrap();
        let order: Vec<u8> = earlier.blocks().iter().map(|it| it.payload[0]).collect();
        assert_eq!(order, [1, 2, 3]);
    }

    #[test]
    fn what_no_header_can_tell_is_not_written() {
        let mut buffer = [0; 2000];
        let payload = [0; 1024];
        let block = |offset, length| Block {
            payload_type: 101,
            offset,
            payload: &payload[..length],
        };
        let mut write = |block| write_redundant(&mut buffer, &[block], 101, &[1]);
        assert_eq!(write(block(MAX_OFFSET, 1023)), Some(4 + 1 + 1023 + 1));
        assert_eq!(write(block(MAX_OFFSET + 1, 4)), None);
        assert_eq!(write(block(0, 1024)), None);
        assert_eq!(
            write_redundant(&mut [0; 9], &[block(0, 4)], 101, &[1]),
            None
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            mut told in proptest::collection::vec(
                (0u8..128, 0..=MAX_OFFSET, proptest::collection::vec(any::<u8>(), 0..60)),
                0..=MAX_EARLIER,
            ),
            payload_type in 0u8..128,
            primary in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            told.sort_by_key(|(_, offset, _)| std::cmp::Reverse(*offset));
            told.dedup_by_key(|(_, offset, _)| *offset);
            let blocks = told.iter().map(|(payload_type, offset, payload)| Block {
                payload_type: *payload_type,
                offset: *offset,
                payload,
            });
            let blocks: Vec<Block<'_>> = blocks.collect();
            let mut buffer = [0; 1000];
            let length = write_redundant(&mut buffer, &blocks, payload_type, &primary).unwrap();
            let received = packet(&buffer[..length]);
            let (carried, earlier) = unfold(&received).unwrap();
            prop_assert_eq!(carried.header().payload_type, payload_type);
            prop_assert_eq!(carried.payload(), &primary[..]);
            prop_assert_eq!(earlier.blocks(), &blocks[..]);
        }

        #[test]
        fn any_bytes_unfold_or_fail_without_panic(bytes: Vec<u8>) {
            let _ = unfold(&packet(&bytes));
        }
    }

    /// A second of well-formed payloads with a few bytes changed; `make fuzz` gives five minutes.
    #[test]
    fn fuzz_redundancy() {
        let variable = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        let seed = variable("FUZZ_SEED").unwrap_or(2198);
        let time = Duration::from_secs(variable("FUZZ_SECONDS").unwrap_or(1));
        let (started, mut chance) = (Instant::now(), Entropy::from_seed(seed));
        let (mut count, mut read) = (0u64, 0u64);
        while started.elapsed() < time {
            for _ in 0..1000 {
                let mut buffer = [0; 200];
                let payload = chance.u32().to_be_bytes();
                let blocks = [0; 4].map(|_| Block {
                    payload_type: chance.below(128) as u8,
                    offset: chance.below(u64::from(MAX_OFFSET) + 1) as u32,
                    payload: &payload,
                });
                let blocks = &blocks[..chance.below(5) as usize];
                let primary = &[7; 100][..chance.below(101) as usize];
                let length = write_redundant(&mut buffer, blocks, 101, primary).expect("fits");
                for _ in 0..chance.below(4) {
                    let place = chance.below(length.min(24) as u64) as usize;
                    buffer[place] = chance.u32() as u8;
                }
                let length = chance.below(length as u64 + 1) as usize;
                if let Ok((primary, earlier)) = unfold(&packet(&buffer[..length])) {
                    let carried = earlier.blocks().iter().map(|block| block.payload.len());
                    let headers = BLOCK_HEADER * earlier.blocks().len() + 1;
                    let whole = headers + carried.sum::<usize>() + primary.payload().len();
                    assert_eq!(whole, length, "FUZZ_SEED={seed}");
                    read += 1;
                }
                count += 1;
            }
        }
        println!("redundancy: {count} payloads of seed {seed}, {read} read");
        assert!(read > 0);
    }
}
