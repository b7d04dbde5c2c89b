//! How long facts stay, and which snapshots stay with them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Mark;

/// How long facts stay. What is older goes, up to a snapshot: what is kept can always be replayed
/// from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Age at which facts may go. Default 31 days.
    pub age: Duration,
    /// Facts kept at the most, give or take the distance of two snapshots. Default 1,000,000.
    pub facts: u64,
}

/// What may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tidying {
    /// Snapshots that are not needed, by their sequence.
    pub snapshots: Vec<u64>,
    /// Entries before this one may go.
    pub before: Option<u64>,
}

impl Retention {
    /// What may go, with snapshots at `marks`, the oldest first. The latest always stays, and
    /// everything after it.
    pub fn tidy(&self, marks: &[Mark]) -> Tidying {
        let Some(latest) = marks.last() else {
            return Tidying::default();
        };
        let is_past = |mark: &Mark| {
            latest.at.since(mark.at) >= self.age
                || latest.sequence - mark.sequence.min(latest.sequence) >= self.facts
        };
        // Where replay begins: at the youngest snapshot that only facts which may go lead up to.
        let base = marks.iter().rposition(is_past);
        let mut tidying = Tidying {
            snapshots: Vec::new(),
            before: base.map(|base| marks[base].sequence.saturating_add(1)),
        };
        let (gone, kept) = marks.split_at(base.unwrap_or(0));
        tidying
            .snapshots
            .extend(gone.iter().map(|mark| mark.sequence));
        // Between the first and the last a few dozen do: replay begins anywhere soon enough.
        let mut last: Option<&Mark> = None;
        for (place, mark) in kept.iter().enumerate() {
            let is_near = last.is_some_and(|last| {
                mark.at.since(last.at) < self.age / SNAPSHOTS
                    && mark.sequence - last.sequence < self.facts / u64::from(SNAPSHOTS)
            });
            if is_near && place + 1 < kept.len() {
                tidying.snapshots.push(mark.sequence);
            } else {
                last = Some(mark);
            }
        }
        tidying
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            age: Duration::from_secs(31 * 86_400),
            facts: 1_000_000,
        }
    }
}

/// Snapshots in the time, or the facts, that are kept: one a day of a month.
const SNAPSHOTS: u32 = 31;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;

    fn mark(sequence: u64, hours: u64) -> Mark {
        Mark {
            sequence,
            at: Timestamp::from_millis(1_800_000_000_000) + Duration::from_secs(3600 * hours),
        }
    }

    /// Snapshots as they come, each tidied at once.
    fn run(retention: Retention, marks: impl Iterator<Item = Mark>) -> (Vec<Mark>, u64) {
        let (mut kept, mut first) = (Vec::new(), 1);
        for mark in marks {
            kept.push(mark);
            let tidying = retention.tidy(&kept);
            kept.retain(|mark| !tidying.snapshots.contains(&mark.sequence));
            assert_eq!(kept.last(), Some(&mark), "the latest stays");
            if let Some(before) = tidying.before {
                assert_eq!(kept[0].sequence + 1, before, "replay begins at a snapshot");
                first = before;
            }
        }
        (kept, first)
    }

    #[test]
    fn facts_go_by_age_and_snapshots_thin_out() {
        let retention = Retention::default();
        let (kept, first) = run(retention, (0..2400).map(|n| mark(100 + n * 50, n)));
        let age = kept.last().unwrap().at.since(kept[0].at);
        assert!(age >= retention.age && age <= retention.age + Duration::from_secs(2 * 86_400));
        assert_eq!(first, kept[0].sequence + 1);
        assert!((31..40).contains(&kept.len()), "{} snapshots", kept.len());
    }

    #[test]
    fn facts_go_by_number_when_there_are_too_many() {
        let retention = Retention::default();
        let (kept, first) = run(retention, (0..500).map(|n| mark(n * 20_000, 0)));
        let facts = kept.last().unwrap().sequence - first;
        assert!((999_000..1_100_000).contains(&facts), "{facts} facts");
        assert!(kept.len() < 40);
    }

    #[test]
    fn nothing_goes_without_a_snapshot_that_is_old_enough() {
        let retention = Retention::default();
        assert_eq!(retention.tidy(&[]), Tidying::default());
        assert_eq!(retention.tidy(&[mark(900_000, 0)]), Tidying::default());
        assert_eq!(
            retention.tidy(&[mark(10, 0), mark(20, 600)]),
            Tidying::default()
        );
    }
}
