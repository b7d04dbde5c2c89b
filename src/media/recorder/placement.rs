//! Where on the call clock a packet's samples belong (RFC 3550 §5.1: the timestamp says when they
//! were taken, relative to each other; arrival ties that to our clock).
//!
//! The first packet anchors the stream; the next few, when they come faster, show that it was late,
//! and what was written is moved while it is still in hand. Loss cannot shift the anchor, for the
//! sender's clock runs on. Later it moves only with the fastest packets of some seconds, a few samples a packet: that undoes
//! a slow first packet and follows the drift between the two clocks.
//!
//! Positions and lengths are in samples of the file; the constants are those of 8 kHz, and are
//! multiplied for a file of 16 kHz.

use crate::media::rtp::{Header, distance, sequence_distance};

/// Distance from arrival at which a step of the timestamp that its sequence number does not
/// explain is a leap of the sender's clock, not delay (200 ms).
const LEAP: i64 = 1600;

/// Delay at which the anchor is given up whatever the numbers say (30 s).
const LOST_TRACK: i64 = 240_000;

/// The same for a packet that comes before its time, which no network can do: only an anchor that
/// was a second slow, or a sender that is faster than time.
const FASTER_THAN_TIME: i64 = -8000;

/// How far behind the newest an overtaken packet may belong (2 s).
const LATEST: i64 = 16_000;

/// Steps of the sequence beyond which the stream is another (RFC 3550 A.1).
const MAX_DROPOUT: i16 = 3000;

/// Packets that tell whether the first one was late: those that waited with it in the socket while
/// its leg came to the worker, and one or two that did not.
const BEGINNING: u32 = 16;

/// How long the fastest packet is sought: half a second after anchoring, then five seconds.
const FIRST_WINDOW: i64 = 4000;
const WINDOW: i64 = 40_000;

/// Packets a window needs to be believed.
const WINDOW_PACKETS: u32 = 10;

/// Deviation that is left alone: 5 ms, a quarter of a frame.
const TOLERANCE: i64 = 40;

/// Deviation beyond which the anchor is set anew instead of moved (1 s).
const TOO_FAR_TO_MOVE: i64 = 8000;

/// A hole this small comes from moving the anchor; it is filled with the next sample.
const MAX_PAD: i64 = 16;

/// Where to write a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Position of the first sample written, `pad` included.
    pub(super) at: u64,
    /// Samples to be put before the packet's own.
    pub(super) pad: usize,
    /// Samples of the packet to leave out at its beginning.
    pub(super) skip: usize,
    /// Stretch before it that was sent and did not come (yet): position and length.
    pub(super) lost: Option<(u64, u64)>,
}

/// The clock of one source.
#[derive(Clone, Debug)]
pub(super) struct Placement {
    /// Samples a second of the file.
    hz: i64,
    /// How many times 8 kHz that is.
    scale: i64,
    /// RTP clock of the source, Hz.
    clock_hz: i64,
    stream: Option<Stream>,
    /// End of the newest sample written.
    until: i64,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    /// Of the newest packet.
    sequence: u16,
    timestamp: u32,
    length: i64,
    /// Position of the newest packet.
    at: i64,
    /// Which of the 64 sequence numbers up to the newest have come.
    seen: u64,
    window: Window,
    /// Whether a packet was lost before one that was no audio.
    is_broken: bool,
    /// How far the anchor is still to be moved.
    pending: i64,
    /// Packets since the anchor, its own included; up to [`BEGINNING`].
    packets: u32,
    /// Nothing of this stream belongs before this position.
    floor: i64,
    /// Position of the first packet.
    first: i64,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    end: i64,
    packets: u32,
    /// Smallest arrival less position.
    fastest: i64,
}

impl Window {
    fn new(end: i64) -> Self {
        Self {
            end,
            packets: 0,
            fastest: i64::MAX,
        }
    }
}

impl Default for Placement {
    fn default() -> Self {
        Self::new(8000)
    }
}

impl Placement {
    /// For a file of `hz` samples a second: 8000 or 16,000.
    pub(super) fn new(hz: u32) -> Self {
        Self {
            hz: hz.into(),
            scale: i64::from(hz / 8000).max(1),
            clock_hz: 8000,
            stream: None,
            until: 0,
        }
    }

    /// Says what the source's RTP clock is; another one is another stream.
    pub(super) fn tune(&mut self, clock_hz: u32) {
        let clock_hz = i64::from(clock_hz.max(1));
        if clock_hz != self.clock_hz {
            self.clock_hz = clock_hz;
            self.stream = None;
        }
    }

    /// From one timestamp to another, in samples of the file.
    fn ahead(&self, to: u32, from: u32) -> i64 {
        i64::from(distance(to, from)) * self.hz / self.clock_hz
    }

    /// Places a packet of `length` samples that arrived at position `arrival`; `None` when all of
    /// it is there already or before the beginning.
    pub(super) fn place(&mut self, header: &Header, length: usize, arrival: i64) -> Option<Place> {
        let length = length as i64;
        let stream = self.stream.filter(|stream| stream.ssrc == header.ssrc);
        let Some(mut stream) = stream else {
            return self.anchor(header, length, arrival);
        };
        let step = sequence_distance(header.sequence, stream.sequence);
        if !(-63..MAX_DROPOUT).contains(&step) {
            return self.anchor(header, length, arrival);
        }
        let ahead = self.ahead(header.timestamp, stream.timestamp);
        if step <= 0 {
            return self.late(stream, step, stream.at + ahead, length);
        }
        let scale = self.scale;
        let moved = stream.move_anchor(scale);
        let at = stream.at + ahead + moved;
        let delay = arrival - at;
        let is_explained = (ahead - i64::from(step) * stream.length).abs() <= stream.length;
        let is_near = (FASTER_THAN_TIME * scale..=LOST_TRACK * scale).contains(&delay);
        if !is_near || (delay.abs() > LEAP * scale && !is_explained) {
            return self.anchor(header, length, arrival);
        }
        stream.advance(header.sequence, step);
        stream.packets = (stream.packets + 1).min(BEGINNING);
        let is_lost = std::mem::take(&mut stream.is_broken);
        stream.timestamp = header.timestamp;
        (stream.length, stream.at) = (length, at);
        stream.watch(arrival, at, scale);
        self.stream = Some(stream);
        self.write(at, length, is_lost)
    }

    /// By how many samples the beginning of the stream was placed too late, as shown by a packet
    /// that has not been placed yet; `None` when it was not, or is too long ago.
    pub(super) fn late_beginning(&self, header: &Header, arrival: i64) -> Option<u64> {
        let stream = self.stream.filter(|stream| stream.ssrc == header.ssrc)?;
        let step = sequence_distance(header.sequence, stream.sequence);
        let ahead = self.ahead(header.timestamp, stream.timestamp);
        let is_next = (1..64).contains(&step) && ahead == i64::from(step) * stream.length;
        let late = stream.at + ahead - arrival;
        let by = late.min(stream.first.saturating_sub(stream.floor));
        let range = (TOLERANCE * self.scale) + 1..=LEAP * self.scale;
        (is_next && stream.packets < BEGINNING && range.contains(&late) && by > 0)
            .then_some(by as u64)
    }

    /// Moves the stream's beginning; everything written of it must be moved with it.
    pub(super) fn pull(&mut self, by: u64) {
        let by = by as i64;
        if let Some(stream) = &mut self.stream {
            stream.at -= by;
            stream.first -= by;
            stream.window.fastest = stream.window.fastest.saturating_add(by);
            self.until -= by;
        }
    }

    /// Whether the packet placed last was the first of its stream.
    pub(super) fn has_just_begun(&self) -> bool {
        self.stream.is_some_and(|stream| stream.packets == 1)
    }

    /// Takes note of a packet of the stream that carries no audio (an event, comfort noise): its
    /// sequence number is not lost, and the silence it leaves was not sent.
    pub(super) fn pass(&mut self, header: &Header) {
        let stream = self.stream.as_mut();
        let Some(stream) = stream.filter(|stream| stream.ssrc == header.ssrc) else {
            return;
        };
        let step = sequence_distance(header.sequence, stream.sequence);
        match step {
            1..MAX_DROPOUT => stream.advance(header.sequence, step),
            -63..=0 => stream.seen |= 1 << step.unsigned_abs(),
            _ => {}
        }
    }

    /// Places a frame of our own making, which needs no timestamp: it follows the one before when
    /// that is within `slack` samples of now.
    pub(super) fn follow(&mut self, length: usize, now: i64, slack: i64) -> Option<Place> {
        let is_near = self.until > 0 && (now - self.until).abs() <= slack;
        let at = if is_near { self.until } else { now };
        self.write(at, length as i64, false)
    }

    fn anchor(&mut self, header: &Header, length: i64, arrival: i64) -> Option<Place> {
        self.stream = Some(Stream {
            ssrc: header.ssrc,
            sequence: header.sequence,
            timestamp: header.timestamp,
            length,
            at: arrival,
            seen: 1,
            window: Window::new(arrival + FIRST_WINDOW * self.scale),
            is_broken: false,
            pending: 0,
            packets: 1,
            floor: if self.until > 0 { self.until } else { i64::MIN },
            first: arrival,
        });
        self.write(arrival, length, false)
    }

    /// A packet overtaken by others fills the hole it left, once.
    fn late(&mut self, mut stream: Stream, step: i16, at: i64, length: i64) -> Option<Place> {
        let bit = 1u64 << step.unsigned_abs();
        let fits = at >= (stream.at - LATEST * self.scale).max(0)
            && at + length <= stream.at + MAX_PAD * self.scale;
        if stream.seen & bit != 0 || !fits {
            return None;
        }
        stream.seen |= bit;
        self.stream = Some(stream);
        Some(Place {
            at: at as u64,
            pad: 0,
            skip: 0,
            lost: None,
        })
    }

    /// Leaves out what would be written twice or before the beginning.
    fn write(&mut self, at: i64, length: i64, is_lost: bool) -> Option<Place> {
        let hole = at - self.until;
        let skip = (-hole).max(-at).max(0);
        if skip >= length {
            return None;
        }
        let max_pad = MAX_PAD * self.scale;
        let is_seam = self.until > 0 && (1..=max_pad).contains(&hole);
        let pad = if is_seam { hole } else { 0 };
        let lost = (is_lost && hole > max_pad).then_some((self.until as u64, hole as u64));
        self.until = at + length;
        Some(Place {
            at: (at + skip - pad) as u64,
            pad: pad as usize,
            skip: skip as usize,
            lost,
        })
    }
}

impl Stream {
    /// Takes in the sequence number of a new packet, `step` after the newest so far.
    fn advance(&mut self, sequence: u16, step: i16) {
        self.seen = self
            .seen
            .checked_shl(u32::from(step.unsigned_abs()))
            .unwrap_or(0)
            | 1;
        self.sequence = sequence;
        self.is_broken |= step > 1;
    }

    /// Keeps the fastest packet of the window; at its end decides whether the anchor is to move.
    fn watch(&mut self, arrival: i64, at: i64, scale: i64) {
        if self.pending != 0 {
            // What is seen on the way says nothing about where it ends.
            self.window = Window::new(arrival + WINDOW * scale);
            return;
        }
        let window = &mut self.window;
        window.fastest = window.fastest.min(arrival - at);
        window.packets += 1;
        if arrival < window.end || window.packets < WINDOW_PACKETS {
            return;
        }
        let fastest = window.fastest;
        self.window = Window::new(arrival + WINDOW * scale);
        if fastest.abs() > TOO_FAR_TO_MOVE * scale {
            self.at += fastest;
        } else if fastest.abs() > TOLERANCE * scale {
            self.pending = fastest;
        }
    }

    /// How far the next packet's position moves: a hundredth of what is left, 8 samples at most
    /// (5 % for the time it takes), 1 at least.
    fn move_anchor(&mut self, scale: i64) -> i64 {
        if self.pending == 0 {
            return 0;
        }
        let step = (self.pending.abs() / 100).clamp(1, 8 * scale) * self.pending.signum();
        self.pending -= step;
        step
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(sequence: u16, timestamp: u32) -> Header {
        Header {
            sequence,
            timestamp,
            ssrc: 1,
            ..Header::default()
        }
    }

    /// Packet `i` of a stream whose clock starts shortly before it wraps.
    fn nth(i: u32) -> Header {
        packet(i as u16, (u32::MAX - 1000).wrapping_add(i * 160))
    }

    #[test]
    fn loss_shifts_nothing_and_is_told() {
        let mut placement = Placement::default();
        for i in (0..5000u32).filter(|i| i % 20 != 7) {
            let arrival = 80 + i64::from(i) * 160;
            let place = placement.place(&nth(i), 160, arrival).unwrap();
            assert_eq!(place.at, arrival as u64);
            let expected = (i % 20 == 8).then(|| (arrival as u64 - 160, 160));
            assert_eq!(place.lost, expected);
        }
    }

    #[test]
    fn a_slow_first_packet_is_made_good() {
        let mut placement = Placement::default();
        let mut error = 0;
        for i in 0..600u32 {
            let true_time = i64::from(i) * 160;
            let delay = if i == 0 { 400 } else { 0 };
            let place = placement.place(&nth(i), 160, true_time + delay).unwrap();
            let at = place.at as i64 + place.pad as i64 - place.skip as i64;
            error = at - true_time;
        }
        assert!(error.abs() <= TOLERANCE, "{error}");
    }

    #[test]
    fn packets_that_waited_with_the_first_show_that_it_was_late() {
        let mut placement = Placement::default();
        // Five were spoken while nobody listened; the fifth is in time.
        let arrival = |i: u32| i64::from(i.max(4)) * 160;
        let mut shift = 0;
        for i in 0..10u32 {
            if let Some(by) = placement.late_beginning(&nth(i), arrival(i)) {
                placement.pull(by);
                shift += by;
            }
            let place = placement.place(&nth(i), 160, arrival(i)).unwrap();
            assert_eq!((place.pad, place.skip), (0, 0));
            if i >= 4 {
                assert_eq!((place.at, shift), (u64::from(i) * 160, 640));
            }
        }
        assert_eq!(placement.late_beginning(&nth(40), 0), None, "a leap");
    }

    #[test]
    fn a_clock_that_drifts_is_followed_without_a_hole() {
        for drift in [-200i64, 200] {
            let mut placement = Placement::default();
            let mut until = 0;
            for i in 0..30_000u32 {
                // Parts in a million: 200 ppm are 120 ms after ten minutes.
                let true_time = 1000 + i64::from(i) * 160 * (1_000_000 + drift) / 1_000_000;
                let jitter = i64::from(i.wrapping_mul(2_654_435_761) >> 24);
                let place = placement.place(&nth(i), 160, true_time + jitter).unwrap();
                if i > 0 {
                    assert_eq!(place.at, until);
                }
                until = place.at + (160 + place.pad - place.skip) as u64;
                let error = until as i64 - 160 - true_time;
                assert!((-160..=260).contains(&error), "{i}: {error}");
            }
        }
    }

    #[test]
    fn a_burst_after_a_stall_is_placed_where_it_was_spoken() {
        let mut placement = Placement::default();
        for i in 0..500u32 {
            let due = i64::from(i) * 160;
            // Two seconds in which nothing gets through, then all at once.
            let arrival = if (100..200).contains(&i) {
                200 * 160
            } else {
                due
            };
            let place = placement.place(&nth(i), 160, arrival).unwrap();
            assert_eq!(place.at as i64, due);
        }
    }

    #[test]
    fn overtaken_and_doubled_packets_are_written_once_in_their_place() {
        let mut placement = Placement::default();
        let mut places = Vec::new();
        for i in [0u32, 1, 3, 2, 2, 3, 4, 1] {
            let place = placement.place(&nth(i), 160, 1000 + i64::from(i) * 160);
            places.push(place.map(|place| place.at));
        }
        let at = |i: u64| Some(1000 + i * 160);
        assert_eq!(
            places,
            [at(0), at(1), at(3), at(2), None, None, at(4), None]
        );
    }

    #[test]
    fn a_pause_of_the_sender_is_no_loss() {
        let mut placement = Placement::default();
        placement.place(&nth(0), 160, 0);
        let header = packet(1, nth(500).timestamp);
        let place = placement.place(&header, 160, 500 * 160 + 30).unwrap();
        assert_eq!((place.at, place.lost), (500 * 160, None));
    }

    #[test]
    fn a_key_pressed_is_no_loss_but_a_packet_lost_before_it_is() {
        for (missing, is_lost) in [(None, false), (Some(3), true)] {
            let mut placement = Placement::default();
            for i in (0..3u32).filter(|i| missing != Some(*i)) {
                placement.place(&nth(i), 160, i64::from(i) * 160);
            }
            for i in (3..20u32).filter(|i| missing != Some(*i)) {
                placement.pass(&Header {
                    timestamp: nth(3).timestamp,
                    ..nth(i)
                });
            }
            let place = placement.place(&nth(20), 160, 20 * 160).unwrap();
            assert_eq!((place.at, place.lost.is_some()), (20 * 160, is_lost));
        }
    }

    #[test]
    fn a_leap_of_the_clock_or_a_new_ssrc_is_anchored_by_arrival() {
        let mut placement = Placement::default();
        placement.place(&packet(1, 0), 160, 0);
        for (header, arrival) in [
            (packet(2, 1 << 30), 800),
            (packet(30_000, 5), 1600),
            (
                Header {
                    ssrc: 9,
                    ..packet(7, 7)
                },
                2400,
            ),
        ] {
            assert_eq!(
                placement.place(&header, 160, arrival).unwrap().at,
                arrival as u64
            );
        }
    }

    #[test]
    fn two_streams_that_alternate_never_run_away() {
        let mut placement = Placement::default();
        for i in 0..1000u32 {
            let arrival = i64::from(i) * 80;
            let header = Header {
                ssrc: i % 2,
                ..nth(i)
            };
            if let Some(place) = placement.place(&header, 160, arrival) {
                assert!(place.at as i64 <= arrival + 160);
            }
        }
    }

    #[test]
    fn what_was_spoken_before_the_beginning_is_left_out() {
        let mut placement = Placement::default();
        assert_eq!(placement.place(&nth(0), 160, -200), None);
        let place = placement.place(&nth(1), 160, -40).unwrap();
        assert_eq!((place.at, place.skip), (0, 40));
    }

    #[test]
    fn other_clocks_and_rates_are_placed_alike() {
        // Opus at 48 kHz and G.722 at 8 kHz, in a file of 16 kHz.
        for clock_hz in [48_000u32, 8000] {
            let mut placement = Placement::new(16_000);
            placement.tune(clock_hz);
            for i in (0..500u32).filter(|i| i % 20 != 7) {
                let timestamp = (u32::MAX - 5000).wrapping_add(i * clock_hz / 50);
                let arrival = 160 + i64::from(i) * 320;
                let place = placement.place(&packet(i as u16, timestamp), 320, arrival);
                let lost = (i % 20 == 8).then(|| (arrival as u64 - 320, 320));
                let place = place.unwrap();
                assert_eq!((place.at, place.lost), (arrival as u64, lost));
            }
        }
    }

    proptest! {
        #[test]
        fn any_packets_stay_near_their_arrival_and_forward(
            packets in prop::collection::vec(
                (any::<u16>(), any::<u32>(), 0u32..2, 0usize..1460, 0i64..2000, any::<bool>()), 1..300)
        ) {
            let mut placement = Placement::default();
            let (mut arrival, mut near) = (0, (0u16, 0u32));
            for (sequence, timestamp, ssrc, length, wait, wild) in packets {
                arrival += wait;
                near = if wild { (sequence, timestamp) } else {
                    (near.0.wrapping_add(sequence % 3), near.1.wrapping_add(timestamp % 500))
                };
                let header = Header { ssrc, ..packet(near.0, near.1) };
                if let Some(place) = placement.place(&header, length, arrival) {
                    prop_assert!(place.skip < length);
                    prop_assert!(place.at as i64 <= arrival - FASTER_THAN_TIME + 1460);
                }
            }
        }
    }
}
