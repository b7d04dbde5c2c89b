//! Which stretches of a channel hold sound, and hence which do not, and why.

use super::closed::Shape;
use super::{Channel, Gap, GapCause};

/// Stretches kept of each channel; beyond, the earliest are taken as one.
const MAX_STRETCHES: usize = 50_000;

/// Gaps shorter than this are the seam between two packets, not worth a line.
const SHORTEST_MS: u64 = 5;

/// One channel's stretches of sound, in samples, sorted, apart from each other.
#[derive(Debug)]
pub(super) struct Coverage {
    channel: Channel,
    heard: Vec<(u64, u64)>,
    /// Why something is missing, as it was told; not exact.
    told: Vec<(u64, u64, GapCause)>,
    /// Where nothing was to be kept: exact, in order.
    paused: Vec<(u64, u64)>,
}

impl Coverage {
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            channel,
            heard: Vec::new(),
            told: Vec::new(),
            paused: Vec::new(),
        }
    }

    /// There is sound from `from` to `to`.
    pub(super) fn hear(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        // Nearly always the end of the list.
        let first = self.heard.partition_point(|(_, end)| *end < from);
        let last = first + self.heard[first..].partition_point(|(start, _)| *start <= to);
        let merged = self.heard[first..last]
            .iter()
            .fold((from, to), |(from, to), (start, end)| {
                (from.min(*start), to.max(*end))
            });
        self.heard.splice(first..last, [merged]);
        if self.heard.len() > MAX_STRETCHES {
            let (_, end) = self.heard.remove(1);
            self.heard[0].1 = end;
        }
    }

    /// What was heard there is lost after all.
    pub(super) fn unhear(&mut self, from: u64, to: u64, cause: GapCause) {
        let first = self.heard.partition_point(|(_, end)| *end <= from);
        let last = first + self.heard[first..].partition_point(|(start, _)| *start < to);
        let (mut before, mut after) = (None, None);
        if let Some((start, _)) = self.heard[first..last].first() {
            before = (*start < from).then_some((*start, from));
        }
        if let Some((_, end)) = self.heard[first..last].last() {
            after = (to < *end).then_some((to, *end));
        }
        self.heard
            .splice(first..last, before.into_iter().chain(after));
        self.miss(from, to, cause);
    }

    /// Nothing was to be kept from `from` to `to`.
    pub(super) fn pause(&mut self, from: u64, to: u64) {
        if from < to && self.paused.len() < MAX_STRETCHES {
            self.paused.push((from, to));
        }
    }

    /// Something is missing about there, and why.
    pub(super) fn miss(&mut self, from: u64, to: u64, cause: GapCause) {
        let is_full = self.told.len() == MAX_STRETCHES;
        match self.told.last_mut() {
            Some((_, end, last)) if *last == cause && *end == from => *end = to,
            _ if is_full => {}
            _ => self.told.push((from, to, cause)),
        }
    }

    /// What of the file's `total` samples is missing.
    pub(super) fn gaps(mut self, total: u64, shape: Shape) -> Vec<Gap> {
        let shortest = shape.samples(SHORTEST_MS);
        self.told.sort_by_key(|(from, ..)| *from);
        let mut gaps = Vec::new();
        let mut gap = |from: u64, to: u64, cause| {
            gaps.push(Gap {
                channel: self.channel,
                at_ms: shape.to_ms(from),
                length_ms: shape.to_ms(to - from),
                cause,
            });
        };
        let mut told = self.told.iter().peekable();
        let mut paused = self.paused.iter().peekable();
        let ends = self.heard.iter().map(|(from, to)| (*from, *to));
        let mut until = 0;
        for (from, to) in ends.chain([(total, total)]) {
            let from = from.min(total);
            // A silence is cut where a pause begins and ends, for that is exact.
            while until < from {
                while paused.next_if(|(_, end)| *end <= until).is_some() {}
                let pause = paused
                    .peek()
                    .map_or((from, from), |(from, to)| (*from, *to));
                let (end, is_pause) = match pause {
                    (begin, end) if begin <= until => (end.min(from), true),
                    (begin, _) => (begin.min(from), false),
                };
                if is_pause {
                    gap(until, end, GapCause::Paused);
                } else if end >= until + shortest {
                    while told.next_if(|(_, end, _)| *end <= until).is_some() {}
                    let cause = match told.peek() {
                        Some((start, _, cause)) if *start < end => *cause,
                        _ => GapCause::NotSent,
                    };
                    gap(until, end, cause);
                }
                until = end;
            }
            until = until.max(to);
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHAPE: Shape = Shape {
        channels: 2,
        hz: 8000,
    };

    #[test]
    fn a_pause_is_told_to_the_sample_and_what_was_heard_may_be_lost_later() {
        let mut coverage = Coverage::new(Channel::LEFT);
        coverage.hear(0, 800);
        coverage.pause(1600, 3200);
        coverage.hear(4000, 16_000);
        coverage.unhear(8000, 8800, GapCause::Disk);
        let gaps = coverage.gaps(16_000, SHAPE);
        let gaps: Vec<_> = gaps
            .into_iter()
            .map(|gap| (gap.at_ms, gap.length_ms, gap.cause))
            .collect();
        assert_eq!(
            gaps,
            [
                (100, 100, GapCause::NotSent),
                (200, 200, GapCause::Paused),
                (400, 100, GapCause::NotSent),
                (1000, 100, GapCause::Disk),
            ]
        );
    }

    #[test]
    fn gaps_are_what_was_not_heard_with_what_was_told_of_it() {
        let mut coverage = Coverage::new(Channel::LEFT);
        coverage.hear(800, 1600);
        coverage.miss(1600, 1760, GapCause::Lost);
        coverage.hear(1760, 1920);
        coverage.miss(1920, 2080, GapCause::Lost);
        coverage.hear(2080, 2400);
        coverage.hear(1920, 2080); // came late after all
        coverage.miss(2400, 8000, GapCause::Disk);
        coverage.hear(8000, 8160);
        let gaps: Vec<_> = coverage
            .gaps(16_000, SHAPE)
            .into_iter()
            .map(|gap| (gap.at_ms, gap.length_ms, gap.cause))
            .collect();
        assert_eq!(
            gaps,
            [
                (0, 100, GapCause::NotSent),
                (200, 20, GapCause::Lost),
                (300, 700, GapCause::Disk),
                (1020, 980, GapCause::NotSent),
            ]
        );
    }

    proptest! {
        #[test]
        fn stretches_stay_sorted_and_apart(
            stretches in prop::collection::vec((0u64..5000, 1u64..400), 0..100)
        ) {
            let mut coverage = Coverage::new(Channel::RIGHT);
            let mut heard = vec![false; 6000];
            for (from, length) in stretches {
                coverage.hear(from, from + length);
                heard[from as usize..(from + length) as usize].fill(true);
            }
            prop_assert!(coverage.heard.windows(2).all(|pair| pair[0].1 < pair[1].0));
            for (at, heard) in heard.iter().enumerate() {
                let known = coverage.heard.iter().any(|(from, to)| (*from..*to).contains(&(at as u64)));
                prop_assert_eq!(known, *heard);
            }
        }
    }
}
