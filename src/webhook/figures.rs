//! What is counted of questions and notices.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::breaker::BreakerState;
use super::reply::FailureKind;

/// Counters; all run from the process's start.
#[derive(Debug, Default)]
pub(super) struct Counters {
    replies: AtomicU64,
    failures: [AtomicU64; FailureKind::ALL.len()],
    seconds: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) dead: AtomicU64,
    pub(super) lost: AtomicU64,
}

/// The figures of one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Questions by what came of them: `reply`, or the word of a [`FailureKind`].
    pub questions: Vec<(&'static str, u64)>,
    /// How long they took: the upper bound of each bucket in seconds, infinity last, and how many
    /// took no longer than that but longer than the bound before.
    pub seconds: Vec<(f64, u64)>,
    /// The sum of how long they took, seconds.
    pub seconds_sum: f64,
    /// Requests under way.
    pub running: u64,
    /// Connections kept open.
    pub resting: u64,
    /// Endpoints by the state of their breaker.
    pub breakers: Vec<(&'static str, u64)>,
    /// Notices that wait for their delivery.
    pub notices_waiting: u64,
    /// Notices delivered.
    pub notices_delivered: u64,
    /// Notices that became dead letters.
    pub notices_dead: u64,
    /// Notices that could not even be kept.
    pub notices_lost: u64,
}

impl Counters {
    pub(super) fn asked(&self, took: Duration, outcome: Result<(), FailureKind>) {
        let counter = match outcome {
            Ok(()) => &self.replies,
            Err(kind) => {
                let index = FailureKind::ALL.iter().position(|known| *known == kind);
                &self.failures[index.unwrap_or(0)]
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound);
        self.seconds[bucket.unwrap_or(BOUNDS.len())].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(0);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn figures(&self, breakers: [u64; 3]) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let failures = FailureKind::ALL.iter().zip(&self.failures);
        let failures = failures.map(|(kind, count)| (kind.as_str(), read(count)));
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        Figures {
            questions: [("reply", read(&self.replies))]
                .into_iter()
                .chain(failures)
                .collect(),
            seconds: bounds.zip(self.seconds.iter().map(read)).collect(),
            seconds_sum: read(&self.micros) as f64 / 1e6,
            breakers: BreakerState::ALL
                .map(BreakerState::as_str)
                .into_iter()
                .zip(breakers)
                .collect(),
            notices_delivered: read(&self.delivered),
            notices_dead: read(&self.dead),
            notices_lost: read(&self.lost),
            ..Figures::default()
        }
    }
}

/// Upper bounds of the buckets, seconds.
const BOUNDS: [f64; 10] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_and_times_are_counted() {
        let counters = Counters::default();
        counters.asked(Duration::from_millis(10), Ok(()));
        counters.asked(Duration::from_millis(11), Err(FailureKind::Dns));
        counters.asked(Duration::from_secs(20), Err(FailureKind::Dns));
        let figures = counters.figures([1, 0, 0]);
        let of = |word| figures.questions.iter().find(|(known, _)| *known == word);
        assert_eq!(of("reply"), Some(&("reply", 1)));
        assert_eq!(of("dns"), Some(&("dns", 2)));
        assert_eq!(figures.seconds[0], (0.01, 1));
        assert_eq!(figures.seconds[1], (0.02, 1));
        assert_eq!(figures.seconds[10], (f64::INFINITY, 1));
        assert!((figures.seconds_sum - 20.021).abs() < 1e-9);
        assert_eq!(figures.breakers[0], ("closed", 1));
    }
}
