//! How losses fall: in bursts or alone (RFC 3611 §4.7.2, Appendix A.2; ITU-T G.107 BurstR).
//!
//! A packet counts as lost once [`WINDOW`] newer ones have come, so that reordering is no loss. What
//! lies between two losses that are fewer than [`GAP_MIN`] packets apart belongs to a burst, all the
//! rest to gaps.

/// Packets received in a row that end a burst: what RFC 3611 §4.7.2 recommends.
pub const GAP_MIN: u8 = 16;

/// Packets after which one that is missing counts as lost: 320 ms of 20 ms packets, later than any
/// telephone plays.
const WINDOW: u32 = 16;

/// Losses of one stream as they fall. 64 octets, whatever comes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bursts {
    /// Of the newest [`WINDOW`] packets, the newest lowest: whether it came.
    seen: u32,
    /// How many of those bits mean something.
    known: u32,
    /// Packets received since the last loss.
    run: u64,
    /// Losses of the burst under way, or 1 for a single loss in a gap; 0 before the first.
    losses: u64,
    /// Losses in a row at this moment.
    consecutive: bool,
    judged_lost: u64,
    /// Times one or more packets in a row were lost.
    holes: u64,
    transitions: Transitions,
}

/// The counters of RFC 3611 Appendix A.2: state 1 received in a gap, 2 received in a burst, 3 lost
/// in a burst, 4 lost in a gap.
#[derive(Clone, Copy, Debug, Default)]
struct Transitions {
    c11: u64,
    c13: u64,
    c14: u64,
    c22: u64,
    c23: u64,
    c33: u64,
}

/// What the losses of a stream look like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pattern {
    /// Bursts of loss.
    pub bursts: u32,
    /// Their mean length in packets, received ones among them.
    pub burst_packets: f32,
    /// Share of packets lost in bursts, 0 to 1.
    pub burst_density: f32,
    /// Mean length of the gaps between them in packets.
    pub gap_packets: f32,
    /// Share of packets lost in gaps, 0 to 1.
    pub gap_density: f32,
    /// Mean length of what was lost in a row by that of random loss of the same amount, 1 or more
    /// (ITU-T G.107 §7.5, BurstR).
    pub burst_ratio: f32,
}

impl Bursts {
    /// Nothing received yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The newest packet's number moved on by `step`, 1 or more: all between did not come yet.
    pub fn advance(&mut self, step: u16) {
        for done in 0..u32::from(step) {
            if self.known < WINDOW {
                self.known += 1;
            } else if done >= WINDOW {
                // All that is left lies before this packet and none of it came.
                self.lose(u64::from(u32::from(step) - done));
                break;
            } else if self.seen >> (WINDOW - 1) & 1 == 1 {
                self.receive();
            } else {
                self.lose(1);
            }
            self.seen <<= 1;
        }
        if u32::from(step) >= WINDOW {
            self.seen = 0;
        }
        self.seen = (self.seen | 1) & ((1 << WINDOW) - 1);
    }

    /// A packet came that is `behind` the newest: it is not lost, if it is not too late for that.
    pub fn reordered(&mut self, behind: u16) {
        if u32::from(behind) < self.known {
            self.seen |= 1 << behind;
        }
    }

    /// Another stream begins: what is not judged yet counts as received.
    pub fn restart(&mut self) {
        for _ in 0..self.seen.count_ones() {
            self.receive();
        }
        (self.seen, self.known) = (0, 0);
    }

    /// The pattern so far, as if the stream ended here.
    pub fn pattern(&self) -> Pattern {
        let mut now = *self;
        for place in (0..self.known).rev() {
            if self.seen >> place & 1 == 1 {
                now.receive();
            } else {
                now.lose(1);
            }
        }
        now.close()
    }

    fn receive(&mut self) {
        self.run += 1;
        self.consecutive = false;
    }

    /// `count` packets in a row did not come.
    fn lose(&mut self, count: u64) {
        let Some(more) = count.checked_sub(1) else {
            return;
        };
        self.judged_lost += count;
        self.holes += u64::from(!self.consecutive);
        self.consecutive = true;
        let turns = &mut self.transitions;
        if self.losses == 0 || self.run >= u64::from(GAP_MIN) {
            turns.c11 += self.run;
            match self.losses {
                0 => {}
                1 => turns.c14 += 1,
                _ => turns.c13 += 1,
            }
            self.losses = 1;
        } else {
            if self.run == 0 {
                turns.c33 += 1;
            } else {
                turns.c23 += 1;
                turns.c22 += self.run - 1;
            }
            self.losses += 1;
        }
        turns.c33 += more;
        self.losses += more;
        self.run = 0;
    }

    fn close(mut self) -> Pattern {
        let turns = &mut self.transitions;
        turns.c11 += self.run;
        match self.losses {
            0 => {}
            1 => turns.c14 += 1,
            _ => turns.c13 += 1,
        }
        let Transitions {
            c11,
            c13,
            c14,
            c22,
            c23,
            c33,
        } = self.transitions;
        // As many ways out of a burst as into one (RFC 3611 Appendix A.2).
        let (c31, c32) = (c13, c23);
        let total = c11 + c14 + c13 + c22 + c23 + c31 + c32 + c33;
        let share = |part: u64, whole: u64| match whole {
            0 => 0.0,
            whole => part as f64 / whole as f64,
        };
        let p32 = share(c32, c31 + c32 + c33);
        let p23 = match c22 + c23 {
            0 => 1.0,
            received => 1.0 - share(c22, received),
        };
        let gap = match c13 {
            0 => total as f64,
            bursts => (c11 + c14 + c13) as f64 / bursts as f64,
        };
        let loss = share(self.judged_lost, total).min(0.99);
        let in_a_row = share(self.judged_lost, self.holes);
        Pattern {
            bursts: c13.min(u64::from(u32::MAX)) as u32,
            burst_packets: match c13 {
                0 => 0.0,
                bursts => (total as f64 / bursts as f64 - gap) as f32,
            },
            burst_density: match c13 {
                0 => 0.0,
                _ => (p23 / (p23 + p32)) as f32,
            },
            gap_packets: gap as f32,
            gap_density: share(c14, c11 + c14) as f32,
            burst_ratio: (in_a_row * (1.0 - loss)).max(1.0) as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `.` came, `x` did not.
    fn pattern(text: &str) -> Pattern {
        let mut bursts = Bursts::new();
        let mut step = 0;
        for each in text.chars() {
            step += 1;
            if each == '.' {
                bursts.advance(step);
                step = 0;
            }
        }
        bursts.pattern()
    }

    #[test]
    fn nothing_lost_is_one_gap() {
        let pattern = pattern(&".".repeat(100));
        assert_eq!((pattern.bursts, pattern.burst_packets), (0, 0.0));
        assert_eq!((pattern.gap_packets, pattern.gap_density), (100.0, 0.0));
        assert_eq!(pattern.burst_ratio, 1.0);
    }

    #[test]
    fn single_losses_far_apart_are_no_burst() {
        let text = format!("{}x", ".".repeat(49)).repeat(10) + ".";
        let found = pattern(&text);
        assert_eq!(found.bursts, 0);
        assert!((found.gap_density - 0.02).abs() < 0.001, "{found:?}");
        assert_eq!(found.burst_ratio, 1.0);
    }

    #[test]
    fn losses_close_together_are_one_burst_with_its_density() {
        // Two bursts of 10 packets, 6 of them lost, with 100 received around each.
        let burst = "xx.xx.x..x";
        let text = format!("{0}{burst}{0}{burst}{0}", ".".repeat(100));
        let found = pattern(&text);
        assert_eq!(found.bursts, 2, "{found:?}");
        assert!((found.burst_packets - 10.0).abs() < 1.5, "{found:?}");
        assert!((found.burst_density - 0.6).abs() < 0.1, "{found:?}");
        assert_eq!(found.gap_density, 0.0);
        assert!(found.burst_ratio > 1.4, "{found:?}");
    }

    #[test]
    fn a_hole_of_thousands_is_one_burst_and_costs_no_more_than_a_small_one() {
        let mut bursts = Bursts::new();
        for _ in 0..50 {
            bursts.advance(1);
        }
        bursts.advance(2900);
        for _ in 0..50 {
            bursts.advance(1);
        }
        let found = bursts.pattern();
        assert_eq!(found.bursts, 1);
        assert!((found.burst_packets - 2899.0).abs() < 2.0, "{found:?}");
        assert!(found.burst_density > 0.99);
    }

    #[test]
    fn what_comes_late_but_within_the_window_is_not_lost() {
        let mut bursts = Bursts::new();
        for _ in 0..100 {
            bursts.advance(2);
            bursts.reordered(1);
        }
        let found = bursts.pattern();
        assert_eq!((found.bursts, found.gap_density), (0, 0.0));
    }

    proptest! {
        #[test]
        fn any_sequence_gives_shares_and_counts_every_loss(
            came in prop::collection::vec(any::<bool>(), 1..400)
        ) {
            let (mut bursts, mut step, mut lost, mut pending) = (Bursts::new(), 0, 0, 0);
            for came in came {
                step += 1;
                if came {
                    bursts.advance(step);
                    (lost, pending, step) = (lost + pending, 0, 0);
                } else {
                    pending += 1;
                }
            }
            let found = bursts.pattern();
            for share in [found.burst_density, found.gap_density] {
                prop_assert!((0.0..=1.0).contains(&share));
            }
            prop_assert!(found.burst_ratio >= 1.0 && found.burst_packets >= 0.0);
            prop_assert!(lost > 0 || found.bursts == 0);
        }
    }
}
