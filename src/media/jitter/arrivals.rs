//! How late packets come: a histogram of their delays that forgets, and a memory for bursts.
//!
//! Delays are arrival less media time, in microseconds from an arbitrary origin; only differences
//! mean anything. What NetEQ does with delays relative to the fastest packet is done here with the
//! delays themselves, so that a path that becomes longer needs no special case.

use crate::base::Timestamp;

/// Microseconds of a bucket.
const BUCKET: i64 = 2000;

/// Buckets: 640 ms.
const BUCKETS: usize = 320;

/// Where the first delay is placed: so much can others be faster.
const FIRST: i64 = 80 * BUCKET;

/// Time after which a delay counts 1/e.
const MEMORY: f64 = 10e6;

/// The part of packets that may come too late.
const LATE_PART: f32 = 0.03;

/// The part of packets faster than what is called the fastest: one odd packet sets nothing.
const FASTEST_PART: f32 = 0.02;

/// A packet so much later than the target is a burst.
const BURST: i64 = 60_000;

/// Bursts closer together are one.
const SAME_BURST: i64 = 300_000;

/// How long a burst is remembered.
const BURST_MEMORY: i64 = 12_000_000;

/// Length of each of the windows of which the latest packet is known exactly.
const WINDOW: i64 = 2_000_000;

/// The delays of one stream's packets.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Delay at which the first bucket begins; `None` before the first packet.
    origin: Option<i64>,
    weights: Box<[f32; BUCKETS]>,
    /// What the next packet weighs: it grows instead of all others shrinking.
    weight: f32,
    total: f32,
    bursts: [Burst; 4],
    window: i64,
    /// The largest delay of this window and of the one before.
    latest: [i64; 2],
    late: i64,
    fastest: i64,
    /// Delay of the newest packet, and how much such delays differ from one to the next.
    newest: i64,
    shake: i64,
}

#[derive(Clone, Copy, Debug)]
struct Burst {
    at: i64,
    delay: i64,
}

const NO_BURST: Burst = Burst {
    at: i64::MIN / 2,
    delay: i64::MIN / 2,
};

impl Arrivals {
    pub(super) fn new() -> Self {
        Self {
            origin: None,
            weights: Box::new([0.0; BUCKETS]),
            weight: 1.0,
            total: 0.0,
            bursts: [NO_BURST; 4],
            window: 0,
            latest: [i64::MIN / 2; 2],
            late: 0,
            fastest: 0,
            newest: 0,
            shake: 0,
        }
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        self.origin = None;
        self.weights.fill(0.0);
        self.weight = 1.0;
        self.total = 0.0;
        self.bursts = [NO_BURST; 4];
        self.latest = [i64::MIN / 2; 2];
        self.shake = 0;
    }

    /// A packet of `length` microseconds came with this delay.
    pub(super) fn observe(&mut self, now: Timestamp, delay: i64, length: i64) {
        let now = now.as_micros();
        let step = self.origin.map_or(0, |_| (delay - self.newest).abs());
        self.shake += (step.min(BURST) - self.shake) / 16;
        self.newest = delay;
        let origin = *self.origin.get_or_insert(delay - FIRST);
        if delay < origin {
            self.move_down(delay - BUCKET * 10);
        }
        let origin = self.origin.unwrap_or(delay);
        let place = usize::try_from((delay - origin) / BUCKET).unwrap_or(0);
        self.weights[place.min(BUCKETS - 1)] += self.weight;
        self.total += self.weight;
        let length = length.clamp(1000, 200_000) as f64;
        self.weight *= (1.0 + length / MEMORY) as f32;
        if self.weight > 1e9 {
            let factor = 1.0 / self.weight;
            self.weights.iter_mut().for_each(|weight| *weight *= factor);
            self.weight = 1.0;
            self.total = self.weights.iter().sum();
        }
        if now - self.window >= WINDOW {
            self.window = now;
            self.latest = [i64::MIN / 2, self.latest[0]];
        }
        self.latest[0] = self.latest[0].max(delay);
        if self.weights[BUCKETS - 1] > self.total / 2.0 {
            // The path has become so much longer that nothing of the past matters.
            self.reset();
            return self.observe(Timestamp::from_micros(now), delay, length as i64);
        }
        self.reckon();
        if delay > self.late + BURST {
            self.remember(now, delay);
        }
        self.late = self.late.max(self.burst(now));
    }

    /// The delay that all but the latest few packets keep.
    pub(super) fn late(&self) -> i64 {
        self.late
    }

    /// The delay of the fastest packets.
    pub(super) fn fastest(&self) -> i64 {
        self.fastest
    }

    /// How much the delay changes from packet to packet (RFC 3550 §6.4.1): a tenth of a millisecond
    /// on a wire, many where there is jitter.
    pub(super) fn shake(&self) -> i64 {
        self.shake
    }

    fn reckon(&mut self) {
        let total = self.total;
        let origin = self.origin.unwrap_or(0);
        let (mut above, mut place) = (0.0, BUCKETS);
        while place > 1 && above + self.weights[place - 1] <= total * LATE_PART {
            place -= 1;
            above += self.weights[place];
        }
        let edge = origin + place as i64 * BUCKET;
        self.late = edge.min(self.latest[0].max(self.latest[1]));
        let (mut below, mut place) = (0.0, 0);
        while place < BUCKETS - 1 && below + self.weights[place] <= total * FASTEST_PART {
            below += self.weights[place];
            place += 1;
        }
        self.fastest = origin + place as i64 * BUCKET;
    }

    /// Makes room for faster packets: the histogram begins at `origin`.
    fn move_down(&mut self, origin: i64) {
        let old = self.origin.unwrap_or(origin);
        let by = usize::try_from((old - origin + BUCKET - 1) / BUCKET)
            .unwrap_or(0)
            .min(BUCKETS);
        let lost: f32 = self.weights[BUCKETS - by..].iter().sum();
        self.weights.copy_within(..BUCKETS - by, by);
        self.weights[..by].fill(0.0);
        self.weights[BUCKETS - 1] += lost;
        self.origin = Some(old - by as i64 * BUCKET);
    }

    fn remember(&mut self, now: i64, delay: i64) {
        let last = &mut self.bursts[0];
        if now - last.at < SAME_BURST {
            last.delay = last.delay.max(delay);
            last.at = now;
        } else {
            self.bursts.rotate_right(1);
            self.bursts[0] = Burst { at: now, delay };
        }
    }

    /// What repeated bursts need: the second worst of the latest, so that one alone costs nothing.
    fn burst(&self, now: i64) -> i64 {
        let (mut worst, mut second) = (NO_BURST.delay, NO_BURST.delay);
        for burst in &self.bursts {
            if now - burst.at < BURST_MEMORY {
                second = second.max(worst.min(burst.delay));
                worst = worst.max(burst.delay);
            }
        }
        second
    }
}
