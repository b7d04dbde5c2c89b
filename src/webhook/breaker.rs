//! A circuit breaker: an endpoint that fails is not asked for a while, so that callers hear at
//! once what they would hear after their whole budget.
//!
//! Closed, every request passes and its outcome is counted over a sliding window. Too many failures
//! open it: none passes. After a rest it is half open: a few pass as probes, and they decide.

use std::time::Duration;

use crate::base::Timestamp;

/// When a breaker opens, and when it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerTerms {
    /// Failures of a hundred requests that open it, 1 to 100.
    pub failures: u32,
    /// Requests in the window below which nothing is concluded, 1 or more.
    pub at_least: u32,
    /// Length of the window.
    pub within: Duration,
    /// How long it stays open.
    pub rest: Duration,
    /// Requests that pass at a time when it is half open, and how many must succeed to close it.
    pub probes: u32,
}

impl Default for BreakerTerms {
    fn default() -> Self {
        Self {
            failures: 50,
            at_least: 10,
            within: Duration::from_secs(30),
            rest: Duration::from_secs(15),
            probes: 1,
        }
    }
}

/// What a breaker lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakerState {
    /// Everything.
    Closed,
    /// Probes.
    HalfOpen,
    /// Nothing.
    Open,
}

impl BreakerState {
    /// Every state, in the order of the words.
    pub const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    /// `closed`, `half_open` or `open`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// Leave to ask once; give it back with [`Breaker::report`] or [`Breaker::forget`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pass {
    /// Turn of the breaker it belongs to: what comes late counts no more.
    turn: u64,
}

/// The breaker of one endpoint.
#[derive(Debug)]
pub(super) struct Breaker {
    terms: BreakerTerms,
    state: State,
    /// Counts the states it was in.
    turn: u64,
}

#[derive(Debug)]
enum State {
    Closed { window: Window },
    HalfOpen { out: u32, good: u32 },
    Open { until: Timestamp },
}

impl Breaker {
    pub(super) fn new(terms: BreakerTerms) -> Self {
        Self {
            terms,
            state: State::Closed {
                window: Window::default(),
            },
            turn: 0,
        }
    }

    /// Takes other terms; what was counted stays.
    pub(super) fn set_terms(&mut self, terms: BreakerTerms) {
        self.terms = terms;
    }

    /// What it lets through now.
    pub(super) fn state(&self, now: Timestamp) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until } if now < until => BreakerState::Open,
            State::HalfOpen { .. } | State::Open { .. } => BreakerState::HalfOpen,
        }
    }

    /// Asks for leave.
    ///
    /// # Errors
    ///
    /// How long it rests still; zero while probes are under way.
    pub(super) fn admit(&mut self, now: Timestamp) -> Result<Pass, Duration> {
        if let State::Open { until } = self.state {
            if now < until {
                return Err(until.since(now));
            }
            self.turn_to(State::HalfOpen { out: 0, good: 0 });
        }
        if let State::HalfOpen { out, good } = &mut self.state {
            if *out + *good >= self.terms.probes.max(1) {
                return Err(Duration::ZERO);
            }
            *out += 1;
        }
        Ok(Pass { turn: self.turn })
    }

    /// Tells how it went.
    pub(super) fn report(&mut self, now: Timestamp, pass: &Pass, worked: bool) {
        if pass.turn != self.turn {
            return;
        }
        let terms = self.terms;
        match &mut self.state {
            State::Closed { window } => {
                window.count(now, terms.within, worked);
                let (all, failed) = window.sum(now, terms.within);
                let too_many =
                    u64::from(failed) * 100 >= u64::from(all) * u64::from(terms.failures);
                if !worked && all >= terms.at_least.max(1) && too_many {
                    self.open(now);
                }
            }
            State::HalfOpen { out, good } => {
                *out = out.saturating_sub(1);
                if !worked {
                    return self.open(now);
                }
                *good += 1;
                if *good >= terms.probes.max(1) {
                    self.turn_to(State::Closed {
                        window: Window::default(),
                    });
                }
            }
            State::Open { .. } => {}
        }
    }

    /// Nothing is to be concluded: who asked gave up.
    pub(super) fn forget(&mut self, pass: &Pass) {
        if let State::HalfOpen { out, .. } = &mut self.state
            && pass.turn == self.turn
        {
            *out = out.saturating_sub(1);
        }
    }

    fn open(&mut self, now: Timestamp) {
        self.turn_to(State::Open {
            until: now + self.terms.rest,
        });
    }

    fn turn_to(&mut self, state: State) {
        self.turn += 1;
        self.state = state;
    }
}

/// Outcomes of the last while in slices: as exact as a slice is long, whatever the load.
#[derive(Debug, Default)]
struct Window {
    slices: [Slice; SLICES],
}

#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    /// Number of the slice since the epoch.
    number: i64,
    all: u32,
    failed: u32,
}

impl Window {
    fn count(&mut self, now: Timestamp, within: Duration, worked: bool) {
        let number = slice_at(now, within);
        let index = usize::try_from(number.rem_euclid(SLICES as i64)).unwrap_or(0);
        let slice = &mut self.slices[index];
        if slice.number != number {
            *slice = Slice {
                number,
                ..Slice::default()
            };
        }
        slice.all = slice.all.saturating_add(1);
        slice.failed = slice.failed.saturating_add(u32::from(!worked));
    }

    fn sum(&self, now: Timestamp, within: Duration) -> (u32, u32) {
        let newest = slice_at(now, within);
        let oldest = newest - SLICES as i64 + 1;
        let young = self
            .slices
            .iter()
            .filter(|slice| (oldest..=newest).contains(&slice.number));
        young.fold((0, 0), |(all, failed), slice| {
            (
                all.saturating_add(slice.all),
                failed.saturating_add(slice.failed),
            )
        })
    }
}

fn slice_at(now: Timestamp, within: Duration) -> i64 {
    let length = i64::try_from(within.as_micros() / SLICES as u128).unwrap_or(i64::MAX);
    now.as_micros().div_euclid(length.max(1))
}

/// Slices of the window.
const SLICES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: BreakerTerms = BreakerTerms {
        failures: 50,
        at_least: 4,
        within: Duration::from_secs(10),
        rest: Duration::from_secs(5),
        probes: 2,
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + seconds * 1000)
    }

    fn one(breaker: &mut Breaker, second: i64, worked: bool) {
        let pass = breaker.admit(at(second)).expect("leave");
        breaker.report(at(second), &pass, worked);
    }

    fn opened(second: i64) -> Breaker {
        let mut breaker = Breaker::new(TERMS);
        for _ in 0..4 {
            one(&mut breaker, second, false);
        }
        assert_eq!(breaker.state(at(second)), BreakerState::Open);
        breaker
    }

    #[test]
    fn half_of_the_requests_failing_open_it_and_fewer_do_not() {
        let mut breaker = Breaker::new(TERMS);
        for worked in [true, true, true, false, false] {
            one(&mut breaker, 0, worked);
        }
        assert_eq!(breaker.state(at(0)), BreakerState::Closed);
        one(&mut breaker, 0, false);
        assert_eq!(breaker.state(at(0)), BreakerState::Open);
    }

    #[test]
    fn a_few_failures_alone_conclude_nothing() {
        let mut breaker = Breaker::new(TERMS);
        for _ in 0..3 {
            one(&mut breaker, 0, false);
        }
        assert_eq!(breaker.state(at(0)), BreakerState::Closed);
    }

    #[test]
    fn failures_older_than_the_window_count_no_more() {
        let mut breaker = Breaker::new(TERMS);
        for second in [0, 1, 2, 14, 15] {
            one(&mut breaker, second, false);
        }
        assert_eq!(breaker.state(at(15)), BreakerState::Closed);
        one(&mut breaker, 16, false);
        one(&mut breaker, 17, false);
        assert_eq!(breaker.state(at(17)), BreakerState::Open);
    }

    #[test]
    fn open_lets_nothing_pass_and_says_for_how_long() {
        let mut breaker = opened(0);
        assert_eq!(breaker.admit(at(2)), Err(Duration::from_secs(3)));
        assert_eq!(breaker.state(at(5)), BreakerState::HalfOpen);
    }

    #[test]
    fn probes_close_it_when_all_succeed() {
        let mut breaker = opened(0);
        let first = breaker.admit(at(5)).unwrap();
        let second = breaker.admit(at(5)).unwrap();
        assert_eq!(breaker.admit(at(5)), Err(Duration::ZERO));
        breaker.report(at(6), &first, true);
        assert_eq!(breaker.state(at(6)), BreakerState::HalfOpen);
        breaker.report(at(6), &second, true);
        assert_eq!(breaker.state(at(6)), BreakerState::Closed);
        // The failures of before are forgotten.
        one(&mut breaker, 6, false);
        assert_eq!(breaker.state(at(6)), BreakerState::Closed);
    }

    #[test]
    fn one_failed_probe_opens_it_again() {
        let mut breaker = opened(0);
        let probe = breaker.admit(at(5)).unwrap();
        breaker.report(at(6), &probe, false);
        assert_eq!(breaker.admit(at(10)), Err(Duration::from_secs(1)));
    }

    #[test]
    fn a_probe_given_up_leaves_its_place_to_another() {
        let mut breaker = opened(0);
        let first = breaker.admit(at(5)).unwrap();
        let _second = breaker.admit(at(5)).unwrap();
        breaker.forget(&first);
        assert!(breaker.admit(at(5)).is_ok());
    }

    #[test]
    fn what_was_asked_before_it_opened_counts_no_more() {
        let mut breaker = Breaker::new(TERMS);
        let late = breaker.admit(at(0)).unwrap();
        for _ in 0..4 {
            one(&mut breaker, 0, false);
        }
        let probe = breaker.admit(at(5)).unwrap();
        breaker.report(at(5), &late, false);
        assert_eq!(breaker.state(at(5)), BreakerState::HalfOpen);
        breaker.report(at(5), &probe, true);
    }
}
