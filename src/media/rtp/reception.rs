//! What a receiver counts about one leg's incoming stream (RFC 3550 A.1, A.3, A.8).

use std::time::Duration;

use super::{Header, distance, sequence_distance};
use crate::base::Timestamp;
use crate::media::CLOCK_HZ;
use crate::media::quality::{Bursts, Pattern};
use crate::media::rtcp::ReportBlock;

/// Sequence numbers a stream may leap forward and still be the same stream (RFC 3550 A.1).
const MAX_DROPOUT: i16 = 3000;
/// Sequence numbers a packet may be late and still be counted as reordered (RFC 3550 A.1).
const MAX_MISORDER: i16 = -100;

/// Receiver statistics of a leg. Totals run on over a change of SSRC or a leap of the sequence;
/// the interval figures of RTCP start anew.
#[derive(Clone, Debug)]
pub struct Reception {
    stream: Option<Stream>,
    clock_hz: u32,
    bursts: Bursts,
    /// Shortest packet seen, in clock units.
    packet: Option<u32>,
    pauses: bool,
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
    /// Timestamp and arrival of the newest packet.
    newest: (u32, Timestamp),
    reported_expected: u64,
    reported_received: u64,
}

impl Default for Reception {
    fn default() -> Self {
        Self::new()
    }
}

impl Reception {
    /// Nothing received yet.
    pub fn new() -> Self {
        Self {
            stream: None,
            clock_hz: CLOCK_HZ,
            bursts: Bursts::new(),
            packet: None,
            pauses: false,
            past_received: 0,
            past_lost: 0,
            jitter: 0.0,
        }
    }

    /// The stream is of a codec of this RTP clock from now on; 8000 Hz at first.
    pub fn set_clock(&mut self, clock_hz: u32) {
        if clock_hz == self.clock_hz {
            return;
        }
        self.jitter = self.jitter_ms() * f64::from(clock_hz) / 1000.0;
        self.clock_hz = clock_hz;
        self.packet = None;
        if let Some(stream) = &mut self.stream {
            stream.transit = None;
        }
    }

    /// Counts a packet of the leg's audio or event stream.
    pub fn handle_packet(&mut self, header: &Header, arrival: Timestamp) {
        let step = match &mut self.stream {
            Some(stream) if stream.ssrc == header.ssrc => stream.follow(header.sequence),
            _ => Step::Restart,
        };
        match step {
            Step::Ahead(step) => {
                self.bursts.advance(step);
                if step == 1 {
                    self.measure(header, arrival);
                }
            }
            Step::Behind(behind) => self.bursts.reordered(behind),
            Step::Doubt => return,
            Step::Restart => self.restart(header),
        }
        let Some(stream) = &mut self.stream else {
            return;
        };
        stream.received += 1;
        let again = stream.transit.is_some() && header.timestamp == stream.newest.0;
        if !matches!(step, Step::Behind(_)) {
            stream.newest = (header.timestamp, arrival);
        }
        // The packets of one telephone event share a timestamp (RFC 4733 §2.2): only the first
        // says when it was sent.
        if again {
            return;
        }
        let clock_hz = self.clock_hz;
        let arrived = (arrival.as_micros() as i128 * i128::from(clock_hz) / 1_000_000) as u32;
        let transit = arrived.wrapping_sub(header.timestamp);
        if let Some(before) = stream.transit.replace(transit) {
            let difference = distance(transit, before).unsigned_abs();
            // A leap of the sender's clock says nothing about the network (one second is far
            // beyond any jitter we could play).
            if difference < clock_hz {
                self.jitter += (f64::from(difference) - self.jitter) / 16.0;
            }
        }
    }

    /// How losses fall, over all streams of the leg.
    pub fn pattern(&self) -> Pattern {
        self.bursts.pattern()
    }

    /// Length of a packet in milliseconds, 20 until two in a row have come.
    pub fn packet_ms(&self) -> f32 {
        self.packet
            .map_or(20.0, |units| units as f32 * 1000.0 / self.clock_hz as f32)
    }

    /// Whether the far end has stopped sending between two words: its next packet was the next by
    /// number, but not by time.
    pub fn pauses(&self) -> bool {
        self.pauses
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
        self.jitter * 1000.0 / f64::from(self.clock_hz)
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
            self.bursts.restart();
            self.past_received += old.received;
            self.past_lost += old.lost();
        }
        self.bursts.advance(1);
        self.stream = Some(Stream {
            ssrc: header.ssrc,
            base: header.sequence,
            highest: header.sequence,
            cycles: 0,
            received: 0,
            expected_restart: None,
            transit: None,
            newest: (header.timestamp, Timestamp::ZERO),
            reported_expected: 0,
            reported_received: 0,
        });
    }

    /// Learns from a packet that follows the newest one how long packets are, and whether the far
    /// end pauses.
    fn measure(&mut self, header: &Header, arrival: Timestamp) {
        let Some(stream) = &self.stream else {
            return;
        };
        let (timestamp, came) = stream.newest;
        let step = header.timestamp.wrapping_sub(timestamp);
        if (self.clock_hz / 400..=self.clock_hz / 8).contains(&step) {
            self.packet = Some(self.packet.map_or(step, |packet| packet.min(step)));
        }
        let pause = arrival.since(came);
        let silent = (self.clock_hz / 5..self.clock_hz * 600).contains(&step);
        self.pauses |= silent && pause > PAUSE;
    }
}

/// A sender that is silent for longer than this and then goes on has paused; a network that stood
/// still gives its packets all at once.
const PAUSE: Duration = Duration::from_millis(200);

/// What a packet's sequence number says about its stream.
enum Step {
    /// Far off; wait for a second packet that agrees with it.
    Doubt,
    /// The newest of the stream, by so many numbers.
    Ahead(u16),
    /// Of the stream, so many numbers behind the newest.
    Behind(u16),
    /// The sender restarted its numbers.
    Restart,
}

impl Stream {
    fn follow(&mut self, sequence: u16) -> Step {
        let distance = sequence_distance(sequence, self.highest);
        match distance {
            1..MAX_DROPOUT => {
                if sequence < self.highest {
                    self.cycles = self.cycles.wrapping_add(1 << 16);
                }
                self.highest = sequence;
                self.expected_restart = None;
                Step::Ahead(distance.unsigned_abs())
            }
            MAX_MISORDER..=0 => Step::Behind(distance.unsigned_abs()),
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
    fn keys_do_not_count_as_jitter_and_a_pause_is_known_for_one() {
        let mut reception = Reception::new();
        for i in 0..50u16 {
            // A key of 200 ms amid speech: ten packets of one timestamp.
            let stamp = if (20..30).contains(&i) { 20 } else { i };
            let header = packet(1, i, u32::from(stamp) * 160);
            reception.handle_packet(&header, at(i64::from(i) * 20));
        }
        assert!(reception.jitter_ms() < 0.01, "{}", reception.jitter_ms());
        assert_eq!((reception.packet_ms(), reception.pauses()), (20.0, false));
        reception.handle_packet(&packet(1, 50, 150 * 160), at(3000));
        assert!(reception.pauses());
        reception.set_clock(48_000);
        assert!(reception.jitter_ms() < 0.01);
    }

    #[test]
    fn losses_in_a_burst_make_one() {
        let mut reception = Reception::new();
        for i in (0..500u16).filter(|i| !(100..110).contains(i) && i % 150 != 149) {
            reception.handle_packet(&packet(1, i, u32::from(i) * 160), at(i64::from(i) * 20));
        }
        let pattern = reception.pattern();
        assert_eq!(pattern.bursts, 1);
        assert!((pattern.burst_packets - 10.0).abs() < 2.0, "{pattern:?}");
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
