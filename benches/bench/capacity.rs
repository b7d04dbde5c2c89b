//! How many set-ups a second one core takes, how long they take at half of that, and what becomes
//! of twice as many.

use std::time::{Duration, Instant};

use crate::bars::{Bar, judge};
use crate::floor;
use crate::load::{Load, Round, Sockets};
use crate::office::{Office, THROUGH};
use crate::process::resident_kb;
use crate::statistics::p50_p99;

/// What one round showed.
struct Shown {
    round: Round,
    /// CPU seconds of 1,000 calls in the steady part.
    cost: f64,
    /// Calls served a second in the steady part.
    served: f64,
    /// Most resident memory, kB.
    resident: f64,
}

struct Bench {
    office: Office,
    load: Load,
}

/// CPU for a set-up at a quiet and at a busy rate, beside the floor.
pub(crate) fn run_cost() {
    let mut bench = Bench::open();
    for a_second in [QUIET, BUSY] {
        let shown = bench.round(a_second, seconds(STEADY));
        let floor = floor::run(a_second, FLOOR);
        println!(
            "set-up      {:.3} CPU-s per 1000 calls at {a_second:.0}/s, {:.1} times a bare exchange \
             of its messages ({floor:.3}); {}",
            shown.cost,
            shown.cost / floor,
            shown.round
        );
        judge(
            "CPU of 1000 set-ups",
            shown.cost,
            "CPU-s",
            Bar::AtMost(0.30),
        );
    }
}

/// Capacity, delay at half of it, the plateau at twice of it, memory.
pub(crate) fn run() {
    let mut bench = Bench::open();
    let capacity = bench.capacity();
    println!("capacity    {capacity:.0} set-ups a second on one core");
    judge("capacity", capacity, "a second", Bar::AtLeast(1500.0));

    let mut half = bench.round(capacity / 2.0, seconds(STEADY));
    println!(
        "half of it  {:.3} CPU-s per 1000 calls; {}",
        half.cost, half.round
    );
    let (p50, p99) = p50_p99(&mut half.round.answers);
    judge("INVITE to 200, p50", p50 / 1000.0, "ms", Bar::AtMost(0.5));
    judge("INVITE to 200, p99", p99 / 1000.0, "ms", Bar::AtMost(5.0));

    let mut twice = bench.round(2.0 * capacity, seconds(STEADY));
    println!(
        "twice       {:.0} a second served; {}",
        twice.served, twice.round
    );
    let share = 100.0 * twice.served / capacity;
    judge("served of capacity", share, "%", Bar::AtLeast(90.0));
    let (_, p99) = p50_p99(&mut twice.round.refusals);
    judge("INVITE to 503, p99", p99 / 1000.0, "ms", Bar::AtMost(50.0));
    let most = half.resident.max(twice.resident) / 1000.0;
    judge("resident under load", most, "MB", Bar::AtMost(400.0));

    let first = bench.settled(capacity);
    let second = bench.settled(capacity);
    let growth = (second - first) / 1000.0;
    println!(
        "memory      {:.1} MB after a round, {:.1} MB after the same again",
        first / 1000.0,
        second / 1000.0
    );
    let bar = (0.05 * first / 1000.0).max(2.0);
    judge("growth by a second round", growth, "MB", Bar::AtMost(bar));
}

impl Bench {
    fn open() -> Self {
        let sockets = Sockets::bind();
        let office = Office::open(sockets.carrier(), 0);
        let load = Load::new(sockets, office.sip, THROUGH);
        let mut bench = Self { office, load };
        // Caches, buffers and the allocator settle.
        bench.round(QUIET, WARM_UP);
        bench
    }

    /// The highest rate that is served but for one call in a thousand.
    fn capacity(&mut self) -> f64 {
        let (mut good, mut bad) = (QUIET, f64::INFINITY);
        while bad / good > 1.03 {
            let next = if bad.is_finite() {
                (good * bad).sqrt()
            } else {
                good * 1.5
            };
            let shown = self.round(next, PROBE);
            println!("  probe     {next:.0}/s: {}", shown.round);
            // What went wrong must not go on into the next probe.
            self.load.rest(BREATH);
            if shown.round.failures() <= 0.001 {
                good = next;
            } else {
                bad = next;
            }
        }
        good
    }

    fn round(&mut self, a_second: f64, time: Duration) -> Shown {
        let office = &self.office;
        let mut marks: Vec<(Instant, f64, usize)> = Vec::with_capacity(2);
        let (begin, mut resident, mut steady) = (Instant::now(), 0.0f64, 0);
        let (from, until) = (HOLD + SETTLE, HOLD + SETTLE + time);
        let mut round = self.load.run(a_second, until, HOLD, |round| {
            let wanted = if marks.is_empty() { from } else { until };
            if begin.elapsed() >= wanted && marks.len() < 2 {
                steady = if marks.is_empty() {
                    round.answers.len()
                } else {
                    steady
                };
                marks.push((Instant::now(), office.cpu_seconds(), round.served));
                resident = resident.max(resident_kb(office.pid()));
            }
        });
        round.answers.drain(..steady.min(round.answers.len()));
        let (first, last) = (marks[0], marks[marks.len() - 1]);
        let served = (last.2 - first.2) as f64;
        Shown {
            round,
            cost: 1000.0 * (last.1 - first.1) / served,
            served: served / (last.0 - first.0).as_secs_f64(),
            resident,
        }
    }

    /// Resident kB after a round and the rest that transactions and ports need.
    fn settled(&mut self, a_second: f64) -> f64 {
        self.round(a_second, seconds(STEADY));
        self.load.rest(SETTLED);
        resident_kb(self.office.pid())
    }
}

fn seconds(usual: u64) -> Duration {
    let wanted = std::env::var("BENCH_SECONDS").ok();
    let wanted = wanted.and_then(|text| text.parse().ok());
    Duration::from_secs(wanted.unwrap_or(usual))
}

/// Calls a second at which hardly anything is under way at once.
const QUIET: f64 = 200.0;
/// Half of the capacity asked for.
const BUSY: f64 = 750.0;
const HOLD: Duration = Duration::from_secs(1);
/// Before the steady part.
const SETTLE: Duration = Duration::from_secs(1);
const WARM_UP: Duration = Duration::from_secs(2);
/// Seconds of a round that is judged; `BENCH_SECONDS` makes it shorter.
const STEADY: u64 = 30;
const PROBE: Duration = Duration::from_secs(6);
const FLOOR: Duration = Duration::from_secs(5);
const BREATH: Duration = Duration::from_secs(2);
/// Transactions rest for 32 s (64 T1) after a call, ports for 5 s, and the allocator gives pages
/// back within 10 s.
const SETTLED: Duration = Duration::from_secs(45);
