//! A leg's own RTP stream: one SSRC, one sequence, one clock, whoever fills it.
//!
//! What a leg hears comes from a relayed talker or from the tick (mix, sounds, digits), and it
//! changes between them at any packet. The far end must not notice more than one frame. So every
//! leg has a clock of its own, in samples over switch time: the tick sends on whole frames of it,
//! and a relayed talker's timestamps are moved onto it once, at the seam, and then kept as they are
//! (losses, reordering and pauses of the talker stay visible). Entering the tick rounds down and
//! leaving it rounds to the nearest frame, so that without jitter both seams together insert and
//! drop nothing, and nothing adds up over many of them. What of a talker is not meant for this leg
//! takes no number, lest it looks lost.

use std::time::Duration;

use super::relayed::{LEAP, MISORDER, Relay};
use crate::base::{LegId, Timestamp};
use crate::media::rtp::{Header, distance, sequence_distance};
use crate::media::{CLOCK_HZ, FRAME_DURATION};

/// Where a packet goes in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Sequence number.
    pub(crate) sequence: u16,
    /// RTP timestamp.
    pub(crate) timestamp: u32,
    /// Whether the packet follows a pause, so that the marker belongs on it.
    pub(crate) after_pause: bool,
}

/// One leg's outgoing stream.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    ssrc: u32,
    /// Of the newest packet.
    sequence: u16,
    /// Of the newest packet, or of the frame an event packet stands for.
    timestamp: u32,
    /// An instant and the sample that belongs to it; `None` before the first packet.
    clock: Option<(Timestamp, u32)>,
    /// What a second adds to the timestamp.
    clock_hz: u32,
    way: Way,
    /// Packets sent.
    packets: u64,
    /// Payload bytes sent.
    octets: u64,
}

/// How the newest packet came about.
#[derive(Clone, Copy, Debug)]
enum Way {
    Relay(Relay),
    /// By the tick of this time.
    Tick(Timestamp),
    /// Nothing sent yet, or an unknown past.
    Unset,
}

impl Outbound {
    /// A stream that has sent nothing; the numbers are where it will begin.
    pub(crate) fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self {
            ssrc,
            sequence,
            timestamp,
            clock: None,
            clock_hz: CLOCK_HZ,
            way: Way::Unset,
            packets: 0,
            octets: 0,
        }
    }

    /// Goes on with the stream of a checkpoint: `timestamp` belonged to `at`.
    pub(crate) fn resume(
        ssrc: u32,
        sequence: u16,
        (at, timestamp): (Timestamp, u32),
        clock_hz: u32,
        now: Timestamp,
    ) -> Self {
        let gone = now.since(at);
        let frames = gone.as_millis() / FRAME_DURATION.as_millis();
        let mut stream = Self::new(
            ssrc,
            // One number for every frame that may have been sent since, and some to spare.
            sequence
                .wrapping_add(frames as u16)
                .wrapping_add(RESUME_GAP),
            timestamp.wrapping_add(samples(gone, clock_hz)),
        );
        stream.clock_hz = clock_hz;
        stream.clock = Some((at, timestamp));
        stream
    }

    /// Goes on under another SSRC, as a stream whose packets' numbers have another meaning must:
    /// they are protected with a new key. The sequence begins in the lower half, so that a
    /// receiver that misses the first packets does not miss that it rolled over (RFC 3711 §3.3.1).
    pub(crate) fn begin_anew(&mut self) {
        if self.packets > 0 {
            self.ssrc = self.ssrc.wrapping_add(1);
        }
        self.sequence &= 0x7fff;
        self.way = Way::Unset;
    }

    /// Changes to a codec of another RTP clock; the timestamps go on from where they are.
    pub(crate) fn set_clock(&mut self, clock_hz: u32, now: Timestamp) {
        if clock_hz == self.clock_hz {
            return;
        }
        self.clock = self.clock.map(|_| (now, self.sample_at(now)));
        self.clock_hz = clock_hz;
        self.way = Way::Unset;
    }

    /// What 20 ms add to the timestamp.
    pub(crate) fn frame(&self) -> u32 {
        self.clock_hz / 50
    }

    /// What a second adds to the timestamp.
    pub(crate) fn clock_hz(&self) -> u32 {
        self.clock_hz
    }

    /// Its SSRC.
    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Sequence number of the newest packet.
    pub(crate) fn sequence(&self) -> u16 {
        self.sequence
    }

    /// Packets and payload bytes sent.
    pub(crate) fn sent(&self) -> (u64, u64) {
        (self.packets, self.octets)
    }

    /// Counts a packet that was handed to the network.
    pub(crate) fn count(&mut self, payload: usize) {
        self.packets += 1;
        self.octets += payload as u64;
    }

    /// The sample that belongs to an instant on the stream's clock.
    pub(crate) fn sample_at(&self, at: Timestamp) -> u32 {
        match self.clock {
            None => self.timestamp,
            Some((base, sample)) if at >= base => {
                sample.wrapping_add(samples(at.since(base), self.clock_hz))
            }
            Some((base, sample)) => sample.wrapping_sub(samples(base.since(at), self.clock_hz)),
        }
    }

    /// The place a frame sent by the tick of time `at` would take; `None` when the stream is ahead
    /// of its clock and this frame must be left out.
    pub(crate) fn next_tick(&self, at: Timestamp) -> Option<Place> {
        let frame = self.frame() as i32;
        let frames = match (self.clock, self.way) {
            (None, _) => 0,
            (_, Way::Tick(last)) if last + FRAME_DURATION == at => 1,
            _ => match distance(self.sample_at(at), self.timestamp).div_euclid(frame) {
                frames @ 1.. => frames,
                _ => return None,
            },
        };
        Some(Place {
            sequence: self.sequence.wrapping_add(1),
            timestamp: self.timestamp.wrapping_add((frames * frame) as u32),
            after_pause: frames != 1,
        })
    }

    /// Takes the place that [`Outbound::next_tick`] gave for the same `at`.
    pub(crate) fn take(&mut self, at: Timestamp, place: Place) {
        self.take_frame(at, place);
        self.sequence = place.sequence;
    }

    /// The same for a frame that goes out in a packet of more or less than a frame: its time is
    /// used up, its number is [`Outbound::number`]'s.
    pub(crate) fn take_frame(&mut self, at: Timestamp, place: Place) {
        self.clock.get_or_insert((at, place.timestamp));
        self.way = Way::Tick(at);
        self.timestamp = place.timestamp;
    }

    /// The number of the next packet, used up by this.
    pub(crate) fn number(&mut self) -> u16 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// The place of a talker's packet that arrived at `now`; `None` when it is older than what
    /// was sent before the talker was relayed. `event` is a packet whose timestamp does not move
    /// with time (RFC 4733 §2.2).
    pub(crate) fn relay(
        &mut self,
        now: Timestamp,
        from: LegId,
        header: &Header,
        event: bool,
    ) -> Option<Place> {
        let Way::Relay(relay) = self.way else {
            return Some(self.anchor(now, from, header));
        };
        if relay.from != from || relay.ssrc != header.ssrc {
            return Some(self.anchor(now, from, header));
        }
        let timestamp = header.timestamp.wrapping_add(relay.timestamp);
        let ahead = sequence_distance(header.sequence, relay.newest);
        if (MISORDER..=0).contains(&ahead) {
            let sequence = relay.number_before(header.sequence, ahead.unsigned_abs())?;
            return Some(Place {
                sequence,
                timestamp,
                after_pause: false,
            });
        }
        let drift = distance(timestamp, self.sample_at(now));
        if !(0..LEAP).contains(&ahead) || !event && drift.abs() > self.jump() {
            return Some(self.anchor(now, from, header));
        }
        let place = Place {
            sequence: header.sequence.wrapping_add(relay.sequence),
            timestamp,
            after_pause: relay.is_newest_left_out(),
        };
        self.way = Way::Relay(relay.moved_to(header.sequence, ahead.unsigned_abs()));
        self.sequence = place.sequence;
        if distance(timestamp, self.timestamp) > 0 {
            self.timestamp = timestamp;
        }
        if !event {
            self.follow(now, timestamp, drift);
        }
        Some(place)
    }

    /// A talker's packet is not sent, on purpose: those that follow close up, so that the far end does not
    /// take it for lost. One that comes late leaves its gap, if a later one was sent already.
    pub(crate) fn leave_out(&mut self, from: LegId, header: &Header) {
        let Way::Relay(relay) = &mut self.way else {
            return;
        };
        if relay.from == from && relay.ssrc == header.ssrc {
            relay.leave_out(header.sequence);
        }
    }

    /// The place of something that stands before the next packet of the talker who is being relayed
    /// and has a `timestamp` of his clock; his numbers move on by one, and what of his is late
    /// from here on is left out. `None` when another is relayed, or nobody.
    pub(crate) fn insert(&mut self, from: LegId, ssrc: u32, timestamp: u32) -> Option<Place> {
        let Way::Relay(relay) = &mut self.way else {
            return None;
        };
        if relay.from != from || relay.ssrc != ssrc {
            return None;
        }
        self.sequence = self.sequence.wrapping_add(1);
        relay.sequence = relay.sequence.wrapping_add(1);
        relay.floor = self.sequence;
        Some(Place {
            sequence: self.sequence,
            timestamp: timestamp.wrapping_add(relay.timestamp),
            after_pause: false,
        })
    }

    /// A talker whose clock leaves ours by more than this second has jumped, and is anchored anew.
    fn jump(&self) -> i32 {
        self.clock_hz as i32
    }

    /// Keeps the clock on the earliest arrivals, so that jitter does not move it; a slow talker is
    /// followed by one step of the clock a packet, far more than any crystal is off.
    fn follow(&mut self, now: Timestamp, timestamp: u32, drift: i32) {
        if drift >= 0 {
            self.clock = Some((now, timestamp));
        } else if let Some((_, sample)) = &mut self.clock {
            *sample = sample.wrapping_sub(1);
        }
    }

    /// The seam: moves a talker's numbers onto ours.
    fn anchor(&mut self, now: Timestamp, from: LegId, header: &Header) -> Place {
        let frame = self.frame() as i32;
        let frames = match self.clock {
            None => 0,
            Some(_) => {
                let elapsed = distance(self.sample_at(now), self.timestamp);
                (elapsed + frame / 2).div_euclid(frame).max(1)
            }
        };
        let floor = self.sequence;
        self.sequence = floor.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add((frames * frame) as u32);
        self.clock = Some((now, self.timestamp));
        self.way = Way::Relay(Relay {
            from,
            ssrc: header.ssrc,
            newest: header.sequence,
            left_out: 0,
            sequence: self.sequence.wrapping_sub(header.sequence),
            timestamp: self.timestamp.wrapping_sub(header.timestamp),
            floor,
        });
        Place {
            sequence: self.sequence,
            timestamp: self.timestamp,
            after_pause: frames != 1,
        }
    }
}

/// Sequence numbers left out by [`Outbound::resume`]: more than any 2 s of packets the dead
/// process may have sent beyond one a frame.
const RESUME_GAP: u16 = 100;

fn samples(time: Duration, clock_hz: u32) -> u32 {
    (time.as_micros() * u128::from(clock_hz) / 1_000_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const TALKER: LegId = LegId(7);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn packet(n: u16) -> Header {
        Header {
            sequence: 60_000u16.wrapping_add(n),
            timestamp: (u32::MAX - 5000).wrapping_add(u32::from(n) * 160),
            ssrc: 99,
            ..Header::default()
        }
    }

    impl Outbound {
        fn tick(&mut self, at: Timestamp) -> Option<Place> {
            let place = self.next_tick(at)?;
            self.take(at, place);
            Some(place)
        }
    }

    #[test]
    fn the_tick_advances_by_one_frame_and_over_a_pause_by_the_time_gone() {
        let mut out = Outbound::new(1, 10, 1000);
        let first = out.tick(at(20)).expect("first");
        assert_eq!(
            (first.sequence, first.timestamp, first.after_pause),
            (11, 1000, true)
        );
        assert_eq!(out.tick(at(40)).expect("next").timestamp, 1160);
        let late = out.tick(at(1040)).expect("after a second");
        assert_eq!(
            (late.sequence, late.timestamp, late.after_pause),
            (13, 9160, true)
        );
    }

    #[test]
    fn seams_at_any_phase_keep_sequence_and_frames_and_do_not_add_up() {
        for phase in 0..20 {
            let mut out = Outbound::new(1, 65_530, u32::MAX - 800);
            let mut places = Vec::new();
            let mut time = 0;
            for round in 0..20 {
                for _ in 0..5 {
                    let header = packet((time / 20) as u16);
                    let place = out.relay(at(time + phase), TALKER, &header, false);
                    places.extend(place.map(|p| (time + phase, p)));
                    time += 20;
                }
                for _ in 0..5 + round % 3 {
                    places.extend(out.tick(at(time)).map(|place| (time, place)));
                    time += 20;
                }
            }
            for pair in places.windows(2) {
                let (a, b) = (pair[0].1, pair[1].1);
                assert_eq!(b.sequence, a.sequence.wrapping_add(1), "phase {phase}");
                let step = distance(b.timestamp, a.timestamp);
                assert!((160..=320).contains(&step), "phase {phase}: {step}");
            }
            let (first, last) = (places[0], places[places.len() - 1]);
            let sent = distance(last.1.timestamp, first.1.timestamp);
            let gone = (last.0 - first.0) as i32 * 8;
            assert!(
                (sent - gone).abs() <= 320,
                "phase {phase}: {sent} in {gone}"
            );
        }
    }

    #[test]
    fn a_relay_keeps_losses_and_reordering_visible() {
        let mut out = Outbound::new(1, 0, 0);
        let mut relay = |ms, n| out.relay(at(ms), TALKER, &packet(n), false);
        let first = relay(0, 0).expect("first");
        let third = relay(60, 3).expect("after two losses");
        assert_eq!(third.sequence, first.sequence + 3);
        assert_eq!(distance(third.timestamp, first.timestamp), 480);
        let second = relay(61, 2).expect("late");
        assert_eq!(second.sequence, first.sequence + 2);
    }

    #[test]
    fn what_is_inserted_takes_a_number_of_its_own_and_no_time() {
        let mut out = Outbound::new(1, 0, 0);
        let relay = |out: &mut Outbound, ms, n| out.relay(at(ms), TALKER, &packet(n), false);
        assert_eq!(out.insert(TALKER, 99, 0), None, "nobody is relayed");
        let first = relay(&mut out, 0, 0).expect("first");
        let lost = packet(2).timestamp;
        assert_eq!(out.insert(TALKER, 98, lost), None, "another stream");
        let place = out.insert(TALKER, 99, lost).expect("of the talker");
        assert_eq!(place.sequence, first.sequence.wrapping_add(1));
        assert_eq!(distance(place.timestamp, first.timestamp), 320);
        let next = relay(&mut out, 80, 4).expect("after losses");
        assert_eq!(next.sequence, first.sequence.wrapping_add(5));
        assert_eq!(distance(next.timestamp, first.timestamp), 640);
        let late = relay(&mut out, 81, 3).expect("of the gap");
        assert_eq!(late.sequence, first.sequence.wrapping_add(4));
        out.insert(TALKER, 99, lost);
        assert_eq!(relay(&mut out, 82, 3), None, "its number may be taken");
    }

    #[test]
    fn a_packet_from_before_the_seam_is_left_out() {
        let mut out = Outbound::new(1, 0, 0);
        out.tick(at(0));
        out.tick(at(20));
        out.relay(at(41), TALKER, &packet(10), false);
        assert_eq!(out.relay(at(42), TALKER, &packet(9), false), None);
    }

    #[test]
    fn a_talker_that_restarts_or_jumps_is_anchored_anew() {
        let mut out = Outbound::new(1, 0, 0);
        let before = out.relay(at(0), TALKER, &packet(0), false).expect("first");
        let mut other = packet(1);
        other.ssrc = 5;
        other.timestamp = 77;
        other.sequence = 9;
        let after = out.relay(at(20), TALKER, &other, false).expect("new SSRC");
        assert_eq!(after.sequence, before.sequence + 1);
        assert_eq!(distance(after.timestamp, before.timestamp), 160);
        other.sequence += 1;
        other.timestamp += 800_000;
        let jump = out.relay(at(40), TALKER, &other, false).expect("jump");
        assert_eq!(jump.sequence, after.sequence + 1);
        assert_eq!(distance(jump.timestamp, after.timestamp), 160);
    }

    #[test]
    fn an_event_keeps_its_timestamp_and_audio_goes_on_after_it() {
        let mut out = Outbound::new(1, 0, 0);
        let start = out.relay(at(0), TALKER, &packet(0), false).expect("audio");
        let mut event = packet(1);
        for n in 0..100u16 {
            let now = at(20 + 20 * i64::from(n));
            event.sequence = packet(1 + n).sequence;
            let place = out.relay(now, TALKER, &event, true).expect("event");
            assert_eq!(distance(place.timestamp, start.timestamp), 160);
        }
        let audio = out
            .relay(at(2020), TALKER, &packet(101), false)
            .expect("audio");
        assert_eq!(distance(audio.timestamp, start.timestamp), 101 * 160);
    }

    #[test]
    fn a_resumed_stream_goes_on_later_on_the_same_clock() {
        let mut out = Outbound::new(3, 0, 8000);
        out.tick(at(0));
        let saved = (at(1000), out.sample_at(at(1000)));
        let mut again = Outbound::resume(out.ssrc(), out.sequence(), saved, CLOCK_HZ, at(3000));
        let place = again.tick(at(3020)).expect("goes on");
        assert_eq!(again.ssrc(), 3);
        assert_eq!(place.timestamp, 8000 + 3020 * 8);
        assert!(sequence_distance(place.sequence, out.sequence()) > 100);
    }
}
