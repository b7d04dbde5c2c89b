//! Sender and receiver reports, written as the compound RFC 3550 §6.1 demands: report, then CNAME.

use super::packet::{GOODBYE, RECEIVER_REPORT, SENDER_REPORT, SOURCE_DESCRIPTION, word};
use crate::base::Timestamp;

/// Longest CNAME we write; longer ones are cut.
pub const CNAME_MAX: usize = 64;

/// A buffer of this size holds anything written here.
pub const MAX_REPORT_BYTES: usize = 256;

/// 64-bit NTP time: seconds since 1900 and a binary fraction (RFC 3550 §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// The NTP form of switch time.
    pub fn from_timestamp(at: Timestamp) -> Self {
        const UNIX_EPOCH: i128 = 2_208_988_800;
        let micros = i128::from(at.as_micros()) + UNIX_EPOCH * 1_000_000;
        Self(((micros << 32) / 1_000_000) as u64)
    }

    /// The middle 32 bits: units of 1/65536 s, as report blocks carry it.
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// A sender's clock pair and counters (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// When the report was sent.
    pub ntp: NtpTime,
    /// The same instant on the stream's RTP clock.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub octets: u32,
}

impl SenderInfo {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (high, low) = (word(bytes, 0)?, word(bytes, 4)?);
        Some(Self {
            ntp: NtpTime((u64::from(high) << 32) | u64::from(low)),
            timestamp: word(bytes, 8)?,
            packets: word(bytes, 12)?,
            octets: word(bytes, 16)?,
        })
    }
}

/// What a receiver saw of one source (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// Share lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the start; 24 bits on the wire, negative values read as 0.
    pub lost: u32,
    /// Highest sequence number with its count of wraps in the upper half.
    pub highest_sequence: u32,
    /// Interarrival jitter in clock units.
    pub jitter: u32,
    /// Middle of the NTP time of the last sender report seen; 0 when none.
    pub last_report: u32,
    /// Time since then in 1/65536 s; 0 when none.
    pub delay: u32,
}

impl ReportBlock {
    /// Round-trip time at the sender of the stream, which received this block at `now`
    /// (RFC 3550 §6.4.1, DLSR); `None` when the peer had seen no report of ours, or lies.
    pub fn round_trip(&self, now: NtpTime) -> Option<std::time::Duration> {
        round_trip(now, self.last_report, self.delay)
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let lost = word(bytes, 4)?;
        Some(Self {
            ssrc: word(bytes, 0)?,
            fraction_lost: (lost >> 24) as u8,
            lost: ((((lost << 8) as i32) >> 8).max(0)) as u32,
            highest_sequence: word(bytes, 8)?,
            jitter: word(bytes, 12)?,
            last_report: word(bytes, 16)?,
            delay: word(bytes, 20)?,
        })
    }

    fn words(&self) -> [u32; 6] {
        [
            self.ssrc,
            (u32::from(self.fraction_lost) << 24) | self.lost.min(0x7f_ffff),
            self.highest_sequence,
            self.jitter,
            self.last_report,
            self.delay,
        ]
    }
}

/// Time since `last_report` less the far end's own `delay`, all in 1/65536 s.
pub(super) fn round_trip(
    now: NtpTime,
    last_report: u32,
    delay: u32,
) -> Option<std::time::Duration> {
    if last_report == 0 {
        return None;
    }
    let units = now.middle().wrapping_sub(last_report).wrapping_sub(delay);
    // Half the range is a negative time in disguise.
    let units = i32::try_from(units).ok()?;
    let micros = u64::from(units.unsigned_abs()) * 1_000_000;
    Some(std::time::Duration::from_micros(micros >> 16))
}

/// Writes a sender report (with `sender`) or a receiver report, and our CNAME; returns the length,
/// or `None` when `buffer` is smaller than [`MAX_REPORT_BYTES`] and too small for it.
pub fn write_report(
    buffer: &mut [u8],
    ssrc: u32,
    sender: Option<&SenderInfo>,
    block: Option<&ReportBlock>,
    cname: &str,
) -> Option<usize> {
    let mut out = Writer { buffer, length: 0 };
    let kind = sender.map_or(RECEIVER_REPORT, |_| SENDER_REPORT);
    let words = 1 + sender.map_or(0, |_| 5) + block.map_or(0, |_| 6);
    out.header(usize::from(block.is_some()), kind, words)?;
    out.word(ssrc)?;
    if let Some(info) = sender {
        out.word((info.ntp.0 >> 32) as u32)?;
        out.word(info.ntp.0 as u32)?;
        out.word(info.timestamp)?;
        out.word(info.packets)?;
        out.word(info.octets)?;
    }
    for word in block.iter().flat_map(|block| block.words()) {
        out.word(word)?;
    }
    out.source_description(ssrc, cname)?;
    Some(out.length)
}

/// Writes an empty receiver report, our CNAME and a BYE (RFC 3550 §6.6).
pub fn write_goodbye(buffer: &mut [u8], ssrc: u32, cname: &str) -> Option<usize> {
    let length = write_report(buffer, ssrc, None, None, cname)?;
    let mut out = Writer { buffer, length };
    out.header(1, GOODBYE, 1)?;
    out.word(ssrc)?;
    Some(out.length)
}

/// What is written into a buffer; every write that does not fit is refused.
pub(super) struct Writer<'a> {
    pub(super) buffer: &'a mut [u8],
    pub(super) length: usize,
}

impl Writer<'_> {
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.length + bytes.len();
        self.buffer
            .get_mut(self.length..end)?
            .copy_from_slice(bytes);
        self.length = end;
        Some(())
    }

    pub(super) fn word(&mut self, word: u32) -> Option<()> {
        self.bytes(&word.to_be_bytes())
    }

    /// `words` is the packet's length in 32-bit words without this header.
    pub(super) fn header(&mut self, count: usize, kind: u8, words: usize) -> Option<()> {
        let [high, low] = u16::try_from(words).ok()?.to_be_bytes();
        self.bytes(&[0x80 | count as u8, kind, high, low])
    }

    fn source_description(&mut self, ssrc: u32, cname: &str) -> Option<()> {
        let name = &cname.as_bytes()[..cname.len().min(CNAME_MAX)];
        // At least one zero byte ends the list, then padding to a word (RFC 3550 §6.5).
        let items = (2 + name.len() + 1).next_multiple_of(4);
        self.header(1, SOURCE_DESCRIPTION, 1 + items / 4)?;
        self.word(ssrc)?;
        self.bytes(&[1, name.len() as u8])?;
        self.bytes(name)?;
        self.bytes(&[0; 4][..items - 2 - name.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Compound, Item};
    use super::*;

    fn items(bytes: &[u8]) -> Vec<Item> {
        let mut items = Vec::new();
        Compound::parse(bytes)
            .unwrap()
            .for_each(|item| items.push(item));
        items
    }

    #[test]
    fn what_is_written_is_read_back() {
        let info = SenderInfo {
            ntp: NtpTime(0x0123_4567_89ab_cdef),
            timestamp: 1,
            packets: 2,
            octets: 320,
        };
        let block = ReportBlock {
            ssrc: 9,
            fraction_lost: 25,
            lost: 10,
            highest_sequence: 65_599,
            jitter: 3,
            last_report: 4,
            delay: 5,
        };
        for cname in ["", "a", "ab", "abc", "tokyo1.jp1", &"x".repeat(300)] {
            let mut buffer = [0; MAX_REPORT_BYTES];
            let length = write_report(&mut buffer, 7, Some(&info), Some(&block), cname).unwrap();
            assert_eq!(
                items(&buffer[..length]),
                [
                    Item::Sender { from: 7, info },
                    Item::Report { from: 7, block }
                ]
            );
            let length = write_goodbye(&mut buffer, 7, cname).unwrap();
            let silent = Item::Receiver { from: 7 };
            assert_eq!(
                items(&buffer[..length]),
                [silent, Item::Goodbye { ssrc: 7 }]
            );
        }
        assert_eq!(write_report(&mut [0; 20], 7, Some(&info), None, "x"), None);
    }

    #[test]
    fn ntp_time_counts_from_1900() {
        let at = Timestamp::from_millis(500);
        assert_eq!(
            NtpTime::from_timestamp(at).0,
            (2_208_988_800 << 32) + (1 << 31)
        );
    }

    #[test]
    fn round_trip_is_arrival_less_report_less_delay() {
        // The example of RFC 3550 §6.4.1, Figure 2.
        let block = ReportBlock {
            last_report: 0xb705_2000,
            delay: 0x0005_4000,
            ..ReportBlock::default()
        };
        let now = NtpTime(0xb44d_b710_8000_0000 >> 16 << 16);
        assert_eq!(now.middle(), 0xb710_8000);
        assert_eq!(block.round_trip(now).unwrap().as_millis(), 6125);
        let lying = ReportBlock {
            delay: u32::MAX / 2,
            ..block
        };
        assert_eq!(lying.round_trip(now), None);
    }

    #[test]
    fn negative_loss_reads_as_none() {
        let mut buffer = [0; MAX_REPORT_BYTES];
        let block = ReportBlock::default();
        let length = write_report(&mut buffer, 7, None, Some(&block), "x").unwrap();
        buffer[13..16].copy_from_slice(&[0xff; 3]);
        let Item::Report { block, .. } = items(&buffer[..length])[1] else {
            panic!("not a report");
        };
        assert_eq!(block.lost, 0);
    }
}
