//! Where a relayed talker's numbers go in a leg's own stream. What is left out of them on purpose takes
//! no number there; what was lost does.

use crate::base::LegId;
use crate::media::rtp::sequence_distance;

/// A talker who is relayed, from the seam on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relay {
    pub(super) from: LegId,
    pub(super) ssrc: u32,
    /// The talker's newest number, sent or left out.
    pub(super) newest: u16,
    /// Which of the talker's numbers were left out: bit n stands for the newest but n.
    pub(super) left_out: u128,
    /// To be added to the talker's newest number; to an older one, one more for each that was left
    /// out since.
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    /// Newest sequence number sent before this relay began: nothing may land on or before it.
    pub(super) floor: u16,
}

/// A talker's sequence that leaps further than this has restarted.
pub(super) const LEAP: i16 = 1000;
/// A packet later than this many numbers is a restart, not reordering.
pub(super) const MISORDER: i16 = -100;

impl Relay {
    /// The same, when the talker has come to this number, which is `ahead` of the newest.
    pub(super) fn moved_to(mut self, number: u16, ahead: u16) -> Self {
        self.newest = number;
        self.left_out = self
            .left_out
            .checked_shl(u32::from(ahead))
            .unwrap_or_default();
        self
    }

    /// Whether the talker's newest packet was not sent.
    pub(super) fn is_newest_left_out(&self) -> bool {
        self.left_out & 1 == 1
    }

    /// Which of the newest numbers, as many as `count`, were left out.
    fn left_out_of(&self, count: u16) -> u128 {
        let all = 1u128.checked_shl(u32::from(count)).unwrap_or_default();
        self.left_out & all.wrapping_sub(1)
    }

    /// Our number for one of the talker's, `behind` the newest; `None` when it was left out, or is
    /// older than the seam.
    pub(super) fn number_before(&self, number: u16, behind: u16) -> Option<u16> {
        let since = self.left_out_of(behind).count_ones() as u16;
        let ours = number.wrapping_add(self.sequence).wrapping_add(since);
        let is_left_out = self.left_out_of(behind + 1) != self.left_out_of(behind);
        (!is_left_out && sequence_distance(ours, self.floor) > 0).then_some(ours)
    }

    /// This number of the talker's is not sent; those that follow close up.
    pub(super) fn leave_out(&mut self, number: u16) {
        let ahead = sequence_distance(number, self.newest);
        let behind = ahead.unsigned_abs();
        match ahead {
            1..LEAP => {
                *self = self.moved_to(number, behind);
                self.left_out |= 1;
            }
            // Late: nothing that was sent stands behind it.
            MISORDER..=-1
                if self.left_out_of(behind).count_ones() == u32::from(behind)
                    && self.left_out_of(behind + 1) == self.left_out_of(behind) =>
            {
                self.left_out |= 1 << behind;
            }
            _ => return,
        }
        self.sequence = self.sequence.wrapping_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::super::outbound::Outbound;
    use super::*;
    use crate::base::Timestamp;
    use crate::media::rtp::Header;

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

    /// A talker's packets in the order they come: `true` ones are sent, the others left out. What
    /// numbers the sent ones get, counted from the first.
    fn numbers(packets: &[(u16, bool)]) -> Vec<i16> {
        let mut out = Outbound::new(1, 65_533, 0);
        let first = out.relay(at(0), TALKER, &packet(0), false).expect("first");
        let mut places = Vec::new();
        for &(n, is_sent) in packets {
            let now = at(20 * i64::from(n));
            match is_sent {
                true => places.extend(out.relay(now, TALKER, &packet(n), false)),
                false => out.leave_out(TALKER, &packet(n)),
            }
        }
        places
            .iter()
            .map(|place| sequence_distance(place.sequence, first.sequence))
            .collect()
    }

    #[test]
    fn what_is_left_out_takes_no_number() {
        let (sent, out) = (true, false);
        assert_eq!(
            numbers(&[
                (1, sent),
                (2, out),
                (3, out),
                (4, sent),
                (5, out),
                (6, sent)
            ]),
            [1, 2, 3]
        );
        // Losses before, among and after them are seen.
        assert_eq!(
            numbers(&[
                (2, out),
                (3, sent),
                (4, out),
                (6, out),
                (7, sent),
                (9, sent)
            ]),
            [2, 4, 6]
        );
        // More than the window, and no leap.
        let many: Vec<(u16, bool)> = (1..900).map(|n| (n, n % 300 == 0)).collect();
        assert_eq!(numbers(&many), [1, 2]);
        let pause: Vec<(u16, bool)> = (1..3000).map(|n| (n, n == 2999)).collect();
        assert_eq!(numbers(&pause), [1]);
    }

    #[test]
    fn reordering_around_what_is_left_out_stays_as_it_was() {
        let (sent, out) = (true, false);
        // Audio that the events have overtaken keeps its place before them.
        assert_eq!(numbers(&[(2, out), (3, out), (1, sent), (4, sent)]), [1, 2]);
        assert_eq!(
            numbers(&[(1, out), (3, out), (4, sent), (2, sent), (5, sent)]),
            [2, 1, 3]
        );
        // Events in disorder, and one twice.
        assert_eq!(
            numbers(&[(3, out), (2, out), (2, out), (1, out), (4, sent)]),
            [1]
        );
        // One that comes after what followed it: the gap was sent already.
        assert_eq!(numbers(&[(2, sent), (1, out), (3, sent)]), [2, 3]);
        // What was left out once is not sent.
        assert_eq!(numbers(&[(1, out), (2, sent), (1, sent)]), [1]);
        // A packet sent twice arrives twice.
        assert_eq!(numbers(&[(1, out), (2, sent), (2, sent)]), [1, 1]);
    }

    #[test]
    fn the_first_packet_after_what_is_left_out_follows_a_pause() {
        let mut out = Outbound::new(1, 0, 0);
        let mut relay = |ms, n| out.relay(at(ms), TALKER, &packet(n), false);
        relay(0, 0).expect("first");
        assert!(!relay(20, 1).expect("next").after_pause);
        out.leave_out(TALKER, &packet(2));
        let mut stranger = packet(3);
        stranger.ssrc = 5;
        out.leave_out(TALKER, &stranger);
        out.leave_out(LegId(8), &packet(3));
        let place = out
            .relay(at(60), TALKER, &packet(3), false)
            .expect("goes on");
        assert!(place.after_pause);
        assert_eq!((place.sequence, place.timestamp), (3, 480));
        let place = out
            .relay(at(80), TALKER, &packet(4), false)
            .expect("goes on");
        assert!(!place.after_pause);
    }
}
