//! The stream being played: its place in sequence numbers and timestamps, continued past their
//! wraps.

use crate::media::rtp::{Header, distance, sequence_distance};

/// Numbers about which we remember whether their packets came.
const REMEMBERED: i64 = 128;

/// One SSRC's stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) ssrc: u32,
    /// A timestamp and a sequence number, and what they are without wraps.
    timestamp: u32,
    position: i64,
    sequence: u16,
    number: i64,
    /// RTP clock and samples, each a second.
    clock: i64,
    rate: i64,
    /// Of the numbers up to the newest: which came, and which of them were no audio.
    came: u128,
    silent: u128,
}

impl Stream {
    /// A stream of whose packets this is the first, at position 0.
    pub(super) fn new(header: &Header, clock_hz: u32, rate_hz: u32) -> Self {
        Self {
            ssrc: header.ssrc,
            timestamp: header.timestamp,
            position: 0,
            sequence: header.sequence,
            number: 0,
            clock: i64::from(clock_hz),
            rate: i64::from(rate_hz),
            came: 0,
            silent: 0,
        }
    }

    /// Where in the stream a packet's first sample lies.
    pub(super) fn position(&self, header: &Header) -> i64 {
        let ticks = i64::from(distance(header.timestamp, self.timestamp));
        self.position + (ticks * self.rate).div_euclid(self.clock)
    }

    /// A packet's number.
    pub(super) fn number(&self, header: &Header) -> i64 {
        self.number + i64::from(sequence_distance(header.sequence, self.sequence))
    }

    /// Whether this packet came before.
    pub(super) fn has(&self, number: i64) -> bool {
        bit(self.number - number).is_some_and(|bit| self.came & bit != 0)
    }

    /// Notes that a packet came.
    pub(super) fn note(&mut self, header: &Header) {
        let (position, number) = (self.position(header), self.number(header));
        let ahead = number - self.number;
        if ahead > 0 {
            let by = u32::try_from(ahead).unwrap_or(u32::MAX);
            self.came = self.came.checked_shl(by).unwrap_or(0);
            self.silent = self.silent.checked_shl(by).unwrap_or(0);
            (self.number, self.sequence) = (number, header.sequence);
            // A fraction of a sample is not to be lost each time: only whole ones move the origin.
            let ticks = i64::from(distance(header.timestamp, self.timestamp));
            if (ticks * self.rate).rem_euclid(self.clock) == 0 {
                (self.position, self.timestamp) = (position, header.timestamp);
            }
        }
        self.came |= bit(self.number - number).unwrap_or(0);
    }

    /// Notes that a packet came which is no audio: nothing is lost where it lies.
    pub(super) fn note_silent(&mut self, header: &Header) {
        self.note(header);
        self.silent |= bit(self.number - self.number(header)).unwrap_or(0);
    }

    /// How many packets of audio are missing from number `from` up to, without, `to`.
    pub(super) fn missing(&self, from: i64, to: i64) -> u64 {
        let silent = (from.max(to - REMEMBERED)..to)
            .filter(|number| bit(self.number - number).is_some_and(|bit| self.silent & bit != 0));
        u64::try_from(to - from)
            .unwrap_or(0)
            .saturating_sub(silent.count() as u64)
    }
}

fn bit(age: i64) -> Option<u128> {
    (0..REMEMBERED).contains(&age).then(|| 1 << age)
}
