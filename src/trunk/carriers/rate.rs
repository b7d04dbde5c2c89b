//! New calls a second: how many there were, and whether one more may come.

use crate::base::Timestamp;

/// Calls over the last [`SECONDS`] seconds, and the instant from which the next may come.
#[derive(Clone, Debug, Default)]
pub(super) struct Rate {
    /// Calls by second, the newest last.
    seconds: [u32; SECONDS],
    /// Which second the newest is.
    newest: i64,
    /// Theoretical arrival time of the next call (ITU-T I.371's GCRA), µs.
    next: i64,
}

/// What is looked back on.
const SECONDS: usize = 10;

impl Rate {
    /// Takes one call, unless `most` a second are taken already: calls may come as close as they
    /// like up to that number, and on the average not faster.
    pub(super) fn admit(&mut self, now: Timestamp, most: Option<u32>) -> bool {
        if let Some(most) = most.filter(|most| *most > 0) {
            let gap = 1_000_000 / i64::from(most);
            let tolerance = 1_000_000 - gap;
            if self.next - tolerance > now.as_micros() {
                return false;
            }
            self.next = self.next.max(now.as_micros()) + gap;
        }
        self.turn_to(now);
        self.seconds[SECONDS - 1] = self.seconds[SECONDS - 1].saturating_add(1);
        true
    }

    /// Calls a second over the last ten.
    pub(super) fn recent(&mut self, now: Timestamp) -> f64 {
        self.turn_to(now);
        let sum: u32 = self.seconds.iter().sum();
        f64::from(sum) / SECONDS as f64
    }

    fn turn_to(&mut self, now: Timestamp) {
        let second = now.as_millis().div_euclid(1_000);
        let passed = usize::try_from(second - self.newest)
            .unwrap_or(0)
            .min(SECONDS);
        self.seconds.rotate_left(passed % SECONDS);
        for empty in &mut self.seconds[SECONDS - passed..] {
            *empty = 0;
        }
        self.newest = self.newest.max(second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_a_seconds_worth_and_then_the_rate() {
        let mut rate = Rate::default();
        let admitted = |rate: &mut Rate, ms| rate.admit(Timestamp::from_millis(ms), Some(5));
        let taken = (0..20).filter(|_| admitted(&mut rate, 1_000)).count();
        assert_eq!(taken, 5);
        let taken = (1..=100)
            .filter(|i| admitted(&mut rate, 1_000 + i * 100))
            .count();
        assert_eq!(taken, 50);
    }

    #[test]
    fn tells_what_came_in_the_last_ten_seconds() {
        let mut rate = Rate::default();
        for ms in (0..5_000).step_by(100) {
            assert!(rate.admit(Timestamp::from_millis(ms), None));
        }
        assert!((rate.recent(Timestamp::from_millis(5_000)) - 5.0).abs() < 0.01);
        assert!((rate.recent(Timestamp::from_millis(12_000)) - 2.0).abs() < 0.01);
        assert!(rate.recent(Timestamp::from_millis(60_000)) < 0.01);
    }
}
