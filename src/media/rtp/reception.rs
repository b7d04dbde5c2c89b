//! What a receiver counts about one leg's incoming stream (RFC 3550 A.1, A.3, A.8).

use super::{Header, distance, sequence_distance};
use crate::base::Timestamp;
use crate::media::CLOCK_HZ;
use crate::media::rtcp::ReportBlock;

/// Sequence numbers a stream may leap forward and still be the same stream (RFC 3550 A.1).
const MAX_DROPOUT: i16 = 3000;
/// Sequence numbers a packet may be late and still be counted as reordered (RFC 3550 A.1).
const MAX_MISORDER: i16 = -100;

/// Receiver statistics of a leg. Totals run on over a change of SSRC or a leap of the sequence;
/// the interval figures of RTCP start anew.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    stream: Option<Stream>,
    /// Of streams that ended by a new SSRC or a leap.
    past_received: u64,
    past_lost: u64,
    jitter: f64,
}

#[derive(Clone, Debug)]
struct Stream {
    ssrc: u32,
    base: u16,
    highest: u16,
    cycles: u32,
    received: u64,
    /// A sequence number that would confirm that the sender restarted.
    expected_restart: Option<u16>,
    transit: Option<u32>,
    reported_expected: u64,
    reported_received: u64,
}

impl Reception {
    /// Nothing received yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a packet of the leg's audio or event stream.
    pub fn handle_packet(&mut self, header: &Header, arrival: Timestamp) {
        let step = match &mut self.stream {
            Some(stream) if stream.ssrc == header.ssrc => stream.follow(header.sequence),
            _ => Step::Restart,
        };
        match step {
            Step::Follow => {}
            Step::Doubt => return,
            Step::Restart => self.restart(header),
        }
        let Some(stream) = &mut self.stream else {
            return;
        };
        stream.received += 1;
        let arrived = (arrival.as_micros() as i128 * i128::from(CLOCK_HZ) / 1_000_000) as u32;
        let transit = arrived.wrapping_sub(header.timestamp);
        if let Some(before) = stream.transit.replace(transit) {
            let difference = distance(transit, before).unsigned_abs();
            // A leap of the sender's clock says nothing about the network (one second is far
            // beyond any jitter we could play).
            if difference < CLOCK_HZ {
                self.jitter += (f64::from(difference) - self.jitter) / 16.0;
            }
        }
    }

    /// Packets received.
    pub fn received(&self) -> u64 {
        self.past_received + self.stream.as_ref().map_or(0, |stream| stream.received)
    }

    /// Packets that never came, by sequence number; duplicates do not make it negative.
    pub fn lost(&self) -> u64 {
        self.past_lost + self.stream.as_ref().map_or(0, Stream::lost)
    }

    /// Interarrival jitter in milliseconds (RFC 3550 §6.4.1).
    pub fn jitter_ms(&self) -> f64 {
        self.jitter * 1000.0 / f64::from(CLOCK_HZ)
    }

    /// SSRC of the present stream.
    pub fn ssrc(&self) -> Option<u32> {
        self.stream.as_ref().map(|stream| stream.ssrc)
    }

    /// The report block for the next RTCP packet; starts a new interval. `last_report` and
    /// `delay` are the peer's last sender report and the time since, both in RTCP units, or 0.
    pub fn report(&mut self, last_report: u32, delay: u32) -> Option<ReportBlock> {
        let jitter = self.jitter as u32;
        let stream = self.stream.as_mut()?;
        let expected = stream.expected();
        let interval = expected.saturating_sub(stream.reported_expected);
        let came = stream.received.saturating_sub(stream.reported_received);
        stream.reported_expected = expected;
        stream.reported_received = stream.received;
        let fraction = (interval.saturating_sub(came) * 256)
            .checked_div(interval)
            .map_or(0, |fraction| fraction.min(255) as u8);
        Some(ReportBlock {
            ssrc: stream.ssrc,
            fraction_lost: fraction,
            lost: stream.lost().min(0x7f_ffff) as u32,
            highest_sequence: stream.extended(),
            jitter,
            last_report,
            delay,
        })
    }

    fn restart(&mut self, header: &Header) {
        if let Some(old) = self.stream.take() {
            self.past_received += old.received;
            self.past_lost += old.lost();
        }
        self.stream = Some(Stream {
            ssrc: header.ssrc,
            base: header.sequence,
            highest: header.sequence,
            cycles: 0,
            received: 0,
            expected_restart: None,
            transit: None,
            reported_expected: 0,
            reported_received: 0,
        });
    }
}

/// What a packet's sequence number says about its stream.
enum Step {
    /// Far off; wait for a second packet that agrees with it.
    Doubt,
    /// Belongs to the stream.
    Follow,
    /// The sender restarted its numbers.
    Restart,
}

impl Stream {
    fn follow(&mut self, sequence: u16) -> Step {
        match sequence_distance(sequence, self.highest) {
            1..MAX_DROPOUT => {
                if sequence < self.highest {
                    self.cycles = self.cycles.wrapping_add(1 << 16);
                }
                self.highest = sequence;
                self.expected_restart = None;
                Step::Follow
            }
            MAX_MISORDER..=0 => Step::Follow,
            _ if self.expected_restart == Some(sequence) => Step::Restart,
            _ => {
                self.expected_restart = Some(sequence.wrapping_add(1));
                Step::Doubt
            }
        }
    }

    fn extended(&self) -> u32 {
        self.cycles.wrapping_add(u32::from(self.highest))
    }

    fn expected(&self) -> u64 {
        u64::from(self.extended().wrapping_sub(u32::from(self.base))) + 1
    }

    fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
        Header {
            ssrc,
            sequence,
            timestamp,
            ..Header::default()
        }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_795_136_523_456 + ms)
    }

    #[test]
    fn counts_losses_over_the_wrap_of_the_sequence() {
        let mut reception = Reception::new();
        for i in (0..100u16).filter(|i| i % 10 != 5) {
            let sequence = 65_500u16.wrapping_add(i);
            let timestamp = (u32::MAX - 800).wrapping_add(u32::from(i) * 160);
            reception.handle_packet(&packet(1, sequence, timestamp), at(i64::from(i) * 20));
        }
        assert_eq!((reception.received(), reception.lost()), (90, 10));
        assert!(reception.jitter_ms() < 0.01);
        let report = reception.report(0, 0).unwrap();
        assert_eq!(report.highest_sequence, (1 << 16) + 63);
        assert_eq!((report.lost, report.fraction_lost), (10, 25));
        assert_eq!(reception.report(0, 0).unwrap().fraction_lost, 0);
    }

    #[test]
    fn duplicates_never_make_the_loss_negative() {
        let mut reception = Reception::new();
        for sequence in [1, 1, 1, 2, 2] {
            reception.handle_packet(&packet(1, sequence, 0), at(0));
        }
        assert_eq!((reception.received(), reception.lost()), (5, 0));
    }

    #[test]
    fn totals_run_on_over_a_new_ssrc_and_a_restart() {
        let mut reception = Reception::new();
        for (ssrc, sequence) in [(1, 1), (1, 3), (2, 500), (2, 501), (2, 40_000), (2, 40_001)] {
            reception.handle_packet(&packet(ssrc, sequence, 0), at(0));
        }
        assert_eq!(reception.lost(), 1);
        assert_eq!(reception.received(), 5);
        assert_eq!(reception.ssrc(), Some(2));
    }

    #[test]
    fn jitter_follows_the_formula_of_the_rfc() {
        let mut reception = Reception::new();
        for i in 0..200u16 {
            let late = i64::from(i % 2) * 10;
            let header = packet(1, i, u32::from(i) * 160);
            reception.handle_packet(&header, at(i64::from(i) * 20 + late));
        }
        // Every transit differs by 10 ms from the one before.
        assert!((reception.jitter_ms() - 10.0).abs() < 0.1);
    }
}
