//! A received compound RTCP datagram, walked item by item (RFC 3550 §6.1, A.2).

use super::extended::{Block, LastReceiverReport, VoipMetrics, blocks};
use super::{NtpTime, ReportBlock, SenderInfo};

/// Why a datagram is not RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Lengths do not add up.
    #[error("RTCP packet cut short")]
    Short,
    /// A version other than 2.
    #[error("RTCP version {0}")]
    Version(u8),
}

/// One thing a peer said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item {
    /// A source left.
    Goodbye {
        /// The source that left.
        ssrc: u32,
    },
    /// When a receiver's reference time came, sent back to it (RFC 3611 §4.5).
    LastReceiverReport {
        /// Who sends it back.
        from: u32,
        /// What it sends back, to whom.
        last: LastReceiverReport,
    },
    /// A receiver report began; what it saw follows, if it saw anything.
    Receiver {
        /// Who reports.
        from: u32,
    },
    /// A receiver's clock (RFC 3611 §4.4).
    ReferenceTime {
        /// The receiver.
        from: u32,
        /// Its clock.
        time: NtpTime,
    },
    /// What a receiver saw of one source.
    Report {
        /// Who reports.
        from: u32,
        /// What it saw.
        block: ReportBlock,
    },
    /// A sender's clock and counters.
    Sender {
        /// The sender.
        from: u32,
        /// Its figures.
        info: SenderInfo,
    },
    /// How a receiver hears one source (RFC 3611 §4.7).
    Voip {
        /// The receiver.
        from: u32,
        /// What it tells.
        metrics: VoipMetrics,
    },
}

/// A compound datagram, checked as a whole: its packets' lengths add up to its own.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a>(&'a [u8]);

impl<'a> Compound<'a> {
    /// Checks versions and lengths. Reduced-size RTCP (RFC 5506) is accepted.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Error> {
        let mut rest = datagram;
        if rest.is_empty() {
            return Err(Error::Short);
        }
        while !rest.is_empty() {
            let (packet, after) = split(rest)?;
            let version = packet[0] >> 6;
            if version != 2 {
                return Err(Error::Version(version));
            }
            rest = after;
        }
        Ok(Self(datagram))
    }

    /// Calls `each` for every item; malformed inner lists end their packet, not the walk.
    pub fn for_each(&self, mut each: impl FnMut(Item)) {
        let mut rest = self.0;
        while let Ok((packet, after)) = split(rest) {
            walk(packet, &mut each);
            rest = after;
        }
    }
}

/// Splits off the first packet, which is at least its 4-byte header.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let &[_, _, high, low, ..] = bytes else {
        return Err(Error::Short);
    };
    let length = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
    bytes.split_at_checked(length).ok_or(Error::Short)
}

fn walk(packet: &[u8], each: &mut impl FnMut(Item)) {
    let (Some(&first), Some(&kind)) = (packet.first(), packet.get(1)) else {
        return;
    };
    let count = usize::from(first & 0x1f);
    let Some(from) = word(packet, 4) else {
        return;
    };
    let reports = match kind {
        SENDER_REPORT => {
            let Some(info) = packet.get(8..).and_then(SenderInfo::read) else {
                return;
            };
            each(Item::Sender { from, info });
            packet.get(28..)
        }
        RECEIVER_REPORT => {
            each(Item::Receiver { from });
            packet.get(8..)
        }
        GOODBYE => {
            for i in 0..count {
                let Some(ssrc) = word(packet, 4 + 4 * i) else {
                    return;
                };
                each(Item::Goodbye { ssrc });
            }
            None
        }
        EXTENDED_REPORT => {
            blocks(packet.get(8..).unwrap_or(&[]), |block| {
                each(match block {
                    Block::LastReceiverReport(last) => Item::LastReceiverReport { from, last },
                    Block::ReferenceTime(time) => Item::ReferenceTime { from, time },
                    Block::Voip(metrics) => Item::Voip { from, metrics },
                });
            });
            None
        }
        _ => None,
    };
    for bytes in reports.unwrap_or(&[]).chunks_exact(24).take(count) {
        if let Some(block) = ReportBlock::read(bytes) {
            each(Item::Report { from, block });
        }
    }
}

/// The big-endian 32-bit word at `offset`.
pub(super) fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

pub(super) const SENDER_REPORT: u8 = 200;
pub(super) const RECEIVER_REPORT: u8 = 201;
pub(super) const SOURCE_DESCRIPTION: u8 = 202;
pub(super) const GOODBYE: u8 = 203;
pub(super) const EXTENDED_REPORT: u8 = 207;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_lengths_that_do_not_add_up() {
        assert_eq!(Compound::parse(&[]).unwrap_err(), Error::Short);
        assert_eq!(Compound::parse(&[0x80, 201, 0]).unwrap_err(), Error::Short);
        assert_eq!(
            Compound::parse(&[0x80, 201, 0, 1]).unwrap_err(),
            Error::Short
        );
        assert_eq!(
            Compound::parse(&[0x40, 201, 0, 0]).unwrap_err(),
            Error::Version(1)
        );
    }

    #[test]
    fn a_count_larger_than_the_packet_reads_only_what_is_there() {
        let mut items = 0;
        let bytes = [0x9f, 203, 0, 1, 0, 0, 0, 7];
        Compound::parse(&bytes).unwrap().for_each(|item| {
            assert_eq!(item, Item::Goodbye { ssrc: 7 });
            items += 1;
        });
        assert_eq!(items, 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_without_panic(mut bytes: Vec<u8>, kind in 198u8..209) {
            if let [first, second, ..] = &mut bytes[..] {
                *first = 0x80 | (*first & 0x1f);
                *second = kind;
            }
            if let Ok(compound) = Compound::parse(&bytes) {
                compound.for_each(|_| ());
            }
        }
    }
}
