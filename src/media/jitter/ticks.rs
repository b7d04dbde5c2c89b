//! When the next tick comes, learned from which packets came before it.

use crate::base::Timestamp;

/// Microseconds between ticks.
const TICK: i64 = 20_000;

/// Ticks in which we become less sure by a microsecond: no clock drifts, but scheduling is not exact.
const FORGETTING: i64 = 32;

/// The phase of the ticks, as an interval.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ticks {
    count: i64,
    /// Earliest and latest time of tick 0.
    phase: Option<(i64, i64)>,
}

impl Ticks {
    /// A tick.
    pub(super) fn pass(&mut self) {
        self.count += 1;
    }

    /// Microseconds from `now`, at which a packet came, to the next tick: at least and at most.
    pub(super) fn until_next(&mut self, now: Timestamp) -> (i64, i64) {
        let since = now.as_micros() - self.count * TICK;
        let seen = (since - TICK, since);
        let (early, late) = match self.phase {
            Some((early, late)) => {
                let less = i64::from(self.count % FORGETTING == 0);
                let both = ((early - less).max(seen.0), (late + less).min(seen.1));
                if both.0 <= both.1 { both } else { seen }
            }
            None => seen,
        };
        self.phase = Some((early, late));
        (early + TICK - since, late + TICK - since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_before_and_after_the_tick_tell_when_it_is() {
        let mut ticks = Ticks::default();
        let at = Timestamp::from_micros;
        assert_eq!(ticks.until_next(at(105_000)), (0, 20_000));
        ticks.pass();
        let (least, most) = ticks.until_next(at(111_000));
        assert!((14_000 - 10..=14_000).contains(&least), "{least}");
        assert_eq!(most, 20_000);
        // The ticks come at 110 and 130 ms.
        let (least, most) = ticks.until_next(at(129_000));
        assert!((0..=1).contains(&least), "{least}");
        assert!((2000..=2010).contains(&most), "{most}");
    }
}
