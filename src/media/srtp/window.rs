//! Which packet numbers of one stream were there (RFC 3711 §3.3.1, §3.3.2).

/// Numbers remembered behind the newest one; RFC 3711 §3.3.2 asks for 64 at least, and a relayed
/// talker's packets are taken up to 100 late.
pub(super) const WIDTH: u64 = 128;

/// Half of the sequence numbers: what is further ahead is behind.
const HALF: u64 = 1 << 15;

/// The newest number of a stream, and which of those before it were there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    newest: Option<u64>,
    /// Bit n: whether `newest - n` was there.
    seen: u128,
}

impl Window {
    /// One whose numbers up to `newest` count as used, whatever became of them.
    pub(super) fn resumed(newest: u64) -> Self {
        Self {
            newest: Some(newest),
            seen: u128::MAX,
        }
    }

    /// The newest number.
    pub(super) fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// The 48-bit index a sequence number most likely stands for: the one closest to the newest
    /// (RFC 3711 §3.3.1 and appendix A).
    pub(super) fn index(&self, sequence: u16) -> u64 {
        nearest(self.newest.unwrap_or(0), sequence)
    }

    /// Whether a number was not there and is not too old to know.
    pub(super) fn is_new(&self, index: u64) -> bool {
        let Some(newest) = self.newest else {
            return true;
        };
        match newest.checked_sub(index) {
            None => true,
            Some(behind) if behind < WIDTH => self.seen >> behind & 1 == 0,
            Some(_) => false,
        }
    }

    /// Notes that a number is used.
    pub(super) fn take(&mut self, index: u64) {
        let Some(newest) = self.newest else {
            (self.newest, self.seen) = (Some(index), 1);
            return;
        };
        match index.checked_sub(newest) {
            Some(ahead @ 1..) => {
                let kept = if ahead < WIDTH { self.seen << ahead } else { 0 };
                (self.newest, self.seen) = (Some(index), kept | 1);
            }
            _ if newest - index < WIDTH => self.seen |= 1 << (newest - index),
            _ => {}
        }
    }
}

/// The index closest to `newest` that ends in `sequence`. While nothing has rolled over yet there
/// is nothing behind the first cycle to be close to.
pub(super) fn nearest(newest: u64, sequence: u16) -> u64 {
    let sequence = u64::from(sequence);
    let same = newest & !0xffff | sequence;
    if same + HALF < newest {
        same + 0x1_0000
    } else if newest + HALF < same && newest >= 0x1_0000 {
        same - 0x1_0000
    } else {
        same
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_counter_rolls_over_forward_and_back() {
        for (newest, sequence, index) in [
            (0, 0, 0),
            (10, 65_530, 65_530), // the first cycle has none before it
            (65_535, 0, 0x1_0000),
            (65_535, 0x7ffe, 0x1_7ffe),
            (65_535, 0x7fff, 0x7fff),
            (0x1_0000, 65_535, 65_535),
            (0x1_0005, 0x8005, 0x1_8005),
            (0x1_0005, 0x8006, 0x8006),
            (0xffff_ffff_0001, 0xffff, 0xffff_fffe_ffff),
        ] {
            assert_eq!(nearest(newest, sequence), index, "{newest:x} {sequence:x}");
        }
    }

    #[test]
    fn a_number_is_new_once_and_within_the_window() {
        let mut window = Window::default();
        assert!(window.is_new(500));
        window.take(500);
        assert!(!window.is_new(500) && window.is_new(499) && window.is_new(501));
        window.take(373);
        assert!(!window.is_new(373) && !window.is_new(372), "128 behind");
        window.take(627);
        assert!(!window.is_new(500) && window.is_new(501) && !window.is_new(499));
        window.take(10_000);
        assert!(window.is_new(9_999) && !window.is_new(627));
        assert!(!Window::resumed(9).is_new(9) && Window::resumed(9).is_new(10));
    }

    proptest! {
        /// The window against a set of all numbers ever taken.
        #[test]
        fn no_number_is_taken_twice(
            start in 0u64..0x3_0000, steps in proptest::collection::vec(-200i64..400, 1..300),
        ) {
            let (mut window, mut taken) = (Window::default(), std::collections::HashSet::new());
            let mut at = start;
            for step in steps {
                let index = at.saturating_add_signed(step);
                let expected = !taken.contains(&index)
                    && taken.iter().max().is_none_or(|newest| index + WIDTH > *newest);
                prop_assert_eq!(window.is_new(index), expected);
                if expected {
                    window.take(index);
                    taken.insert(index);
                    at = at.max(index);
                }
                prop_assert_eq!(window.newest(), taken.iter().max().copied());
            }
        }

        /// As long as nobody leaps over half of the cycle the estimate is right.
        #[test]
        fn every_near_index_is_found(newest in 0x1_0000u64..1 << 48, step in -32_767i64..32_767) {
            let index = newest.saturating_add_signed(step);
            prop_assert_eq!(nearest(newest, index as u16), index);
        }
    }
}
