//! Extended reports (RFC 3611): what receivers of speech know of it, and the round trip of those
//! who only receive.

use serde::{Deserialize, Serialize};

use super::packet::{EXTENDED_REPORT, word};
use super::report::{NtpTime, Writer, round_trip};

/// Which extended reports the far end asked for (RFC 3611 §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Receiver reference times and their answers.
    pub round_trip: bool,
    /// VoIP metrics.
    pub voip_metrics: bool,
}

/// The VoIP Metrics block (RFC 3611 §4.7) of one stream, fields as on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VoipMetrics {
    /// The source that is told about.
    pub ssrc: u32,
    /// Share lost since the start, in 1/256.
    pub loss_rate: u8,
    /// Share discarded (too late, too early) since the start, in 1/256.
    pub discard_rate: u8,
    /// Share lost or discarded within bursts, in 1/256.
    pub burst_density: u8,
    /// The same within gaps.
    pub gap_density: u8,
    /// Mean length of bursts, milliseconds.
    pub burst_duration: u16,
    /// Mean length of gaps, milliseconds.
    pub gap_duration: u16,
    /// Round trip, milliseconds; 0 when unknown.
    pub round_trip_delay: u16,
    /// Delay within the reporting device, milliseconds; 0 when unknown.
    pub end_system_delay: u16,
    /// Rating of the stream, 0 to 100; 127 when unknown.
    pub rating: u8,
    /// Estimated listening opinion times ten, 10 to 50; 127 when unknown.
    pub mos_listening: u8,
    /// Estimated conversational opinion times ten; 127 when unknown.
    pub mos_conversation: u8,
    /// Concealment (upper two bits), kind of jitter buffer, its rate (RFC 3611 §4.7.6).
    pub config: u8,
    /// Nominal depth of the jitter buffer, milliseconds.
    pub buffer_nominal: u16,
    /// Present greatest depth, milliseconds.
    pub buffer_maximum: u16,
    /// Greatest depth it can ever have, milliseconds.
    pub buffer_limit: u16,
}

impl VoipMetrics {
    /// Whether the device conceals what is lost, or does not say that it does not.
    pub fn conceals(&self) -> bool {
        self.config >> 6 != 0b01
    }

    /// Its delay from the network to the ear, when it tells one; never more than 5 s.
    pub fn buffer_ms(&self) -> Option<f32> {
        let told = match self.end_system_delay {
            0 => self.buffer_nominal,
            delay => delay,
        };
        (told > 0).then(|| f32::from(told.min(5000)))
    }

    fn read(block: &[u8]) -> Option<Self> {
        let &[loss_rate, discard_rate, burst_density, gap_density] =
            block.get(8..)?.first_chunk()?;
        let &[
            _,
            _,
            _,
            _,
            rating,
            _,
            mos_listening,
            mos_conversation,
            config,
        ] = block.get(20..)?.first_chunk()?;
        Some(Self {
            ssrc: word(block, 4)?,
            loss_rate,
            discard_rate,
            burst_density,
            gap_density,
            burst_duration: half(block, 12)?,
            gap_duration: half(block, 14)?,
            round_trip_delay: half(block, 16)?,
            end_system_delay: half(block, 18)?,
            rating,
            mos_listening,
            mos_conversation,
            config,
            buffer_nominal: half(block, 30)?,
            buffer_maximum: half(block, 32)?,
            buffer_limit: half(block, 34)?,
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Option<()> {
        out.bytes(&[VOIP_METRICS, 0, 0, 8])?;
        out.word(self.ssrc)?;
        out.bytes(&[
            self.loss_rate,
            self.discard_rate,
            self.burst_density,
            self.gap_density,
        ])?;
        for value in [
            self.burst_duration,
            self.gap_duration,
            self.round_trip_delay,
            self.end_system_delay,
        ] {
            out.bytes(&value.to_be_bytes())?;
        }
        // Signal and noise level and echo return loss are unknown to who decodes nothing.
        out.bytes(&[UNKNOWN, UNKNOWN, UNKNOWN, crate::media::quality::GAP_MIN])?;
        out.bytes(&[
            self.rating,
            UNKNOWN,
            self.mos_listening,
            self.mos_conversation,
        ])?;
        out.bytes(&[self.config, 0])?;
        for value in [self.buffer_nominal, self.buffer_maximum, self.buffer_limit] {
            out.bytes(&value.to_be_bytes())?;
        }
        Some(())
    }
}

/// When a receiver's reference time came (RFC 3611 §4.5), for the one who sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastReceiverReport {
    /// The receiver that sent it.
    pub ssrc: u32,
    /// Middle of the NTP time it told.
    pub last_report: u32,
    /// Time since it came, in 1/65536 s.
    pub delay: u32,
}

impl LastReceiverReport {
    /// Round-trip time at the receiver that sent its clock; `None` when there was none, or the far
    /// end lies (RFC 3611 §4.5).
    pub fn round_trip(&self, now: NtpTime) -> Option<std::time::Duration> {
        round_trip(now, self.last_report, self.delay)
    }
}

/// What one extended report says; what is `None` is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extended {
    /// Our own clock, from which the far end reckons nothing but sends it back (RFC 3611 §4.4).
    pub reference_time: Option<NtpTime>,
    /// Its clock sent back.
    pub last_receiver_report: Option<LastReceiverReport>,
    /// How its stream is heard.
    pub voip: Option<VoipMetrics>,
}

/// Appends an extended report to what is in `buffer` up to `length`; returns the new length.
pub fn append_extended(
    buffer: &mut [u8],
    length: usize,
    ssrc: u32,
    report: &Extended,
) -> Option<usize> {
    let mut out = Writer { buffer, length };
    let words = 1
        + report.reference_time.map_or(0, |_| 3)
        + report.last_receiver_report.map_or(0, |_| 4)
        + report.voip.map_or(0, |_| 9);
    out.header(0, EXTENDED_REPORT, words)?;
    out.word(ssrc)?;
    if let Some(NtpTime(time)) = report.reference_time {
        out.bytes(&[REFERENCE_TIME, 0, 0, 2])?;
        out.bytes(&time.to_be_bytes())?;
    }
    if let Some(last) = report.last_receiver_report {
        out.bytes(&[LAST_RECEIVER_REPORT, 0, 0, 3])?;
        for word in [last.ssrc, last.last_report, last.delay] {
            out.word(word)?;
        }
    }
    if let Some(voip) = &report.voip {
        voip.write(&mut out)?;
    }
    Some(out.length)
}

/// One block of a received extended report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    LastReceiverReport(LastReceiverReport),
    ReferenceTime(NtpTime),
    Voip(VoipMetrics),
}

/// Walks the blocks of an extended report, whose header and SSRC are cut off; what is unknown is
/// skipped, what is cut short ends the walk.
pub(super) fn blocks(mut rest: &[u8], mut each: impl FnMut(Block)) {
    while let Some(&[kind, _, high, low]) = rest.first_chunk::<4>() {
        let length = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        let Some((block, after)) = rest.split_at_checked(length) else {
            return;
        };
        rest = after;
        match kind {
            REFERENCE_TIME if length == 12 => {
                if let (Some(high), Some(low)) = (word(block, 4), word(block, 8)) {
                    let time = NtpTime(u64::from(high) << 32 | u64::from(low));
                    each(Block::ReferenceTime(time));
                }
            }
            LAST_RECEIVER_REPORT => {
                for part in block.get(4..).unwrap_or(&[]).chunks_exact(12) {
                    if let (Some(ssrc), Some(last_report), Some(delay)) =
                        (word(part, 0), word(part, 4), word(part, 8))
                    {
                        each(Block::LastReceiverReport(LastReceiverReport {
                            ssrc,
                            last_report,
                            delay,
                        }));
                    }
                }
            }
            VOIP_METRICS if length == 36 => {
                if let Some(metrics) = VoipMetrics::read(block) {
                    each(Block::Voip(metrics));
                }
            }
            _ => {}
        }
    }
}

fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    let bytes = bytes.get(offset..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*bytes))
}

const REFERENCE_TIME: u8 = 4;
const LAST_RECEIVER_REPORT: u8 = 5;
const VOIP_METRICS: u8 = 7;

/// A value the device does not know (RFC 3611 §4.7.3 to §4.7.5).
pub const UNKNOWN: u8 = 127;

#[cfg(test)]
mod tests {
    use super::super::{Compound, Item, MAX_REPORT_BYTES, ReportBlock, SenderInfo, write_report};
    use super::*;

    #[test]
    fn what_is_written_behind_a_report_is_read_back() {
        let voip = VoipMetrics {
            ssrc: 9,
            loss_rate: 1,
            discard_rate: 2,
            burst_density: 3,
            gap_density: 4,
            burst_duration: 500,
            gap_duration: 60_000,
            round_trip_delay: 700,
            end_system_delay: 80,
            rating: 93,
            mos_listening: 44,
            mos_conversation: 43,
            config: 0b1011_0000,
            buffer_nominal: 60,
            buffer_maximum: 61,
            buffer_limit: 62,
        };
        let last = LastReceiverReport {
            ssrc: 7,
            last_report: 8,
            delay: 9,
        };
        let all = Extended {
            reference_time: Some(NtpTime(0x0123_4567_89ab_cdef)),
            last_receiver_report: Some(last),
            voip: Some(voip),
        };
        let mut buffer = [0; MAX_REPORT_BYTES];
        let cname = "x".repeat(64);
        let (info, block) = (SenderInfo::default(), ReportBlock::default());
        let length = write_report(&mut buffer, 5, Some(&info), Some(&block), &cname).unwrap();
        let length = append_extended(&mut buffer, length, 5, &all).unwrap();
        let mut items = Vec::new();
        let compound = Compound::parse(&buffer[..length]).unwrap();
        compound.for_each(|item| items.push(item));
        let from = 5;
        assert_eq!(
            items[2..],
            [
                Item::ReferenceTime {
                    from,
                    time: NtpTime(0x0123_4567_89ab_cdef)
                },
                Item::LastReceiverReport { from, last },
                Item::Voip {
                    from,
                    metrics: voip
                },
            ]
        );
        assert!(voip.conceals() && voip.buffer_ms() == Some(80.0));
    }

    #[test]
    fn a_block_longer_than_its_packet_ends_the_walk() {
        let bytes = [0x80, 207, 0, 2, 0, 0, 0, 7, 7, 0, 0, 8];
        let mut items = 0;
        Compound::parse(&bytes).unwrap().for_each(|_| items += 1);
        assert_eq!(items, 0);
    }
}
