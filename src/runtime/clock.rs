//! Switch time: the monotonic clock, anchored to wall time once and then led after it gently.
//!
//! A step of the wall clock (NTP, an operator) never reaches a deadline or a record: switch time
//! follows at [`SLEW_PPM`] at most and never runs backwards. What is left of a large step is taken
//! at the next start; [`SystemClock::error`] tells it to metrics.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::base::{Clock, Timestamp};

/// Where the clock reads; a test hands in its own.
pub trait Source: Send + Sync {
    /// Time since a fixed instant; never goes backwards, knows no steps.
    fn monotonic(&self) -> Duration;

    /// What the wall clock shows; may step either way.
    fn wall(&self) -> Timestamp;
}

/// The operating system's clocks.
#[derive(Clone, Copy, Debug)]
pub struct System(Instant);

/// The clock of the running switch.
#[derive(Debug)]
pub struct SystemClock<S = System> {
    source: S,
    /// Switch time less monotonic time, microseconds.
    offset: AtomicI64,
    /// Monotonic microseconds of the last look at the wall clock.
    looked: AtomicI64,
    /// The latest time handed out.
    latest: AtomicI64,
}

impl SystemClock {
    /// Starts at the wall clock's time, or at `floor` (the newest time on disk) when the wall
    /// clock has been set back behind it.
    pub fn start(floor: Option<Timestamp>) -> Self {
        Self::over(System(Instant::now()), floor)
    }
}

impl<S: Source> SystemClock<S> {
    /// Starts over a given source.
    pub fn over(source: S, floor: Option<Timestamp>) -> Self {
        let monotonic = micros(source.monotonic());
        let start = source.wall().max(floor.unwrap_or(Timestamp::ZERO));
        Self {
            offset: AtomicI64::new(start.as_micros().saturating_sub(monotonic)),
            looked: AtomicI64::new(monotonic),
            latest: AtomicI64::new(start.as_micros()),
            source,
        }
    }

    /// How far the wall clock is ahead of switch time (negative: behind), in microseconds.
    pub fn error(&self) -> i64 {
        let now = micros(self.source.monotonic()) + self.offset.load(Ordering::Relaxed);
        self.source.wall().as_micros().saturating_sub(now)
    }

    /// Leads the offset a little towards the wall clock; one thread at a time does it.
    fn slew(&self, monotonic: i64) {
        let looked = self.looked.load(Ordering::Relaxed);
        let elapsed = monotonic.saturating_sub(looked);
        if elapsed < LOOK_EVERY_US
            || self
                .looked
                .compare_exchange(looked, monotonic, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
        {
            return;
        }
        let offset = self.offset.load(Ordering::Relaxed);
        let error = self.source.wall().as_micros() - (monotonic.saturating_add(offset));
        // A process that slept does not make up for it in one leap.
        let most = elapsed.min(10 * LOOK_EVERY_US) * SLEW_PPM / 1_000_000;
        self.offset
            .fetch_add(error.clamp(-most, most), Ordering::Relaxed);
    }
}

impl<S: Source> Clock for SystemClock<S> {
    fn now(&self) -> Timestamp {
        let monotonic = micros(self.source.monotonic());
        self.slew(monotonic);
        let now = monotonic.saturating_add(self.offset.load(Ordering::Relaxed));
        // Another thread may have read a later instant or a larger offset before us.
        let latest = self.latest.fetch_max(now, Ordering::AcqRel);
        Timestamp::from_micros(now.max(latest))
    }
}

impl Source for System {
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp::from_micros(since.map_or(0, micros))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// How often the wall clock is looked at: steps of at most 50 us.
const LOOK_EVERY_US: i64 = 100_000;

/// Fastest correction, as NTP's own: too small to shift a recording by a frame in half a minute.
const SLEW_PPM: i64 = 500;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Monotonic and wall microseconds, set by the test.
    struct Fake(Mutex<(i64, i64)>);

    impl Fake {
        fn advance(&self, by: Duration) {
            let mut times = self.0.lock().unwrap();
            times.0 += micros(by);
            times.1 += micros(by);
        }

        fn step_wall(&self, by_us: i64) {
            self.0.lock().unwrap().1 += by_us;
        }
    }

    impl Source for Fake {
        fn monotonic(&self) -> Duration {
            Duration::from_micros(self.0.lock().unwrap().0 as u64)
        }

        fn wall(&self) -> Timestamp {
            Timestamp::from_micros(self.0.lock().unwrap().1)
        }
    }

    const WALL: i64 = 1_795_136_523_456_000;

    fn clock() -> SystemClock<Fake> {
        SystemClock::over(Fake(Mutex::new((5_000_000, WALL))), None)
    }

    #[test]
    fn starts_at_wall_time_and_runs_with_the_monotonic_clock() {
        let clock = clock();
        assert_eq!(clock.now().as_micros(), WALL);
        clock.source.advance(Duration::from_secs(3600));
        assert_eq!(clock.now().as_micros(), WALL + 3_600_000_000);
    }

    #[test]
    fn a_wall_clock_set_back_is_followed_slowly_and_never_backwards() {
        let clock = clock();
        clock.source.step_wall(-2_000_000);
        let (mut before, mut slowest) = (clock.now(), i64::MAX);
        for _ in 0..60_000 {
            clock.source.advance(Duration::from_millis(100));
            let now = clock.now();
            slowest = slowest.min(now.as_micros() - before.as_micros());
            before = now;
        }
        assert_eq!(slowest, 100_000 - 50);
        assert_eq!(clock.error(), 0, "caught up within 4000 s");
    }

    #[test]
    fn a_leap_forward_fires_no_deadline_early() {
        let clock = clock();
        clock.source.step_wall(3_600_000_000);
        clock.source.advance(Duration::from_secs(1));
        let passed = clock.now().as_micros() - WALL;
        assert!((1_000_000..1_000_600).contains(&passed), "{passed}");
        assert!(clock.error() > 3_599_000_000);
    }

    #[test]
    fn a_process_that_slept_does_not_leap() {
        let clock = clock();
        clock.source.step_wall(60_000_000);
        clock.source.advance(Duration::from_secs(7200));
        let passed = clock.now().as_micros() - WALL;
        assert_eq!(passed, 7_200_000_000 + 500);
    }

    #[test]
    fn never_starts_behind_what_is_on_disk() {
        let floor = Timestamp::from_micros(WALL + 9_000_000);
        let fake = Fake(Mutex::new((0, WALL)));
        assert_eq!(SystemClock::over(fake, Some(floor)).now(), floor);
    }

    #[test]
    fn threads_agree_that_time_never_runs_backwards() {
        let clock = SystemClock::start(None);
        let shared = AtomicI64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let seen = shared.load(Ordering::SeqCst);
                        let now = clock.now().as_micros();
                        assert!(now >= seen);
                        shared.fetch_max(now, Ordering::SeqCst);
                    }
                });
            }
        });
    }
}
