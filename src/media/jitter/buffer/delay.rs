//! How long packets wait: as long as their jitter demands, and no tick longer.

use super::{Buffer, Depth};
use crate::media::jitter::stretch;

/// Microseconds between ticks.
const TICK: i64 = 20_000;

/// How far above what is due the delay surely is before a tick of it is left out, microseconds.
/// Probably it is a tick and twice the guard: where packets come close to a tick both are 20 ms,
/// and the tick is needed.
const SURELY: i64 = 18_000;

/// What is kept between packets and their tick, microseconds, where that is known so well: twice
/// what the delay changes from packet to packet, within these bounds. Clocks that differ by
/// 200 ppm need two seconds and a half for the least.
const LEAST_GUARD: i64 = 500;
const GUARD: i64 = 1000;
const MOST_GUARD: i64 = 3000;
const KNOWN: i64 = 4000;

/// An excess that is shortened without waiting for a good moment, microseconds.
const FAR_TOO_LONG: i64 = 80_000;

impl Buffer {
    /// Before a sound begins anew its delay can become what it should be: silence costs nothing.
    /// It begins at a tick.
    pub(super) fn prepare(&mut self, gap: i64, tick: (i64, i64)) {
        let frame = self.rate().frame() as i64;
        let due = self.due();
        let Some(playing) = &mut self.stream else {
            return;
        };
        let mut ticks = (gap - playing.made).max(0) / frame;
        let needed = |base: i64, ticks: i64| base + ticks * 20_000;
        while needed(tick.1, ticks) < due {
            ticks += 1;
        }
        while ticks > 0 && needed(tick.0, ticks - 1) > due {
            ticks -= 1;
        }
        playing.made = gap - ticks * frame;
        playing.leads.clear();
        playing.leads.note(tick, ticks * frame);
    }

    /// When samples should be played, less their media time, microseconds.
    pub(super) fn due(&self) -> i64 {
        let (late, fastest) = (self.arrivals.late(), self.arrivals.fastest());
        match self.depth {
            Depth::Adaptive { min, max } => late
                .max(fastest + i64::from(min) * 1000)
                .min(fastest + i64::from(max.max(min)) * 1000),
            Depth::Fixed(ms) => fastest + i64::from(ms) * 1000,
        }
    }

    /// How much too short the delay surely is, or is about to be, microseconds; 0 or less when it
    /// may do.
    fn shortage(&self) -> i64 {
        self.needed().map_or(0, |(least, most)| {
            let guard = match most - least < KNOWN {
                true => self.guard().min(GUARD),
                false => 0,
            };
            self.due() + guard - most
        })
    }

    fn guard(&self) -> i64 {
        (2 * self.arrivals.shake()).clamp(LEAST_GUARD, MOST_GUARD)
    }

    /// How much longer the delay is than it must be, microseconds; 0 when that is no tick.
    pub(super) fn excess(&self) -> i64 {
        let due = self.due();
        let slack = TICK + 2 * self.guard();
        self.needed()
            .filter(|(least, most)| least - due > SURELY && (least + most) / 2 - due > slack)
            .map_or(0, |(least, _)| least - due)
    }

    fn needed(&self) -> Option<(i64, i64)> {
        let frame = self.rate().frame();
        self.stream.as_ref()?.leads.needed(frame)
    }

    /// Brings the delay nearer to where it should be, if the sound allows it now.
    pub(super) fn stretch(&mut self) {
        let Some(playing) = &self.stream else { return };
        if playing.idle || playing.made != 0 || playing.rest > 0 {
            return;
        }
        let (short, excess) = (self.shortage(), self.excess());
        let rate = self.rate();
        let frame = rate.frame();
        let waste = playing.leads.waste(frame);
        let by = if short > 0 {
            let by = stretch::lengthen(&mut self.line, rate, short);
            self.counts.expanded += by as u64;
            by as i64
        } else {
            let mut most = waste;
            if excess > 0 {
                self.decode_ahead(frame * 2);
                most += frame;
            }
            // Never so much that a frame would not be whole.
            let most = most.min(self.line.len().saturating_sub(frame));
            // What is of no use alone is left out of silence only.
            let by = stretch::shorten(&mut self.line, rate, most, excess);
            self.counts.accelerated += by as u64;
            -(by as i64)
        };
        if by != 0
            && let Some(playing) = &mut self.stream
        {
            playing.leads.moved(by);
            playing.rest = if excess > FAR_TOO_LONG { 0 } else { 2 };
        }
    }

    /// Decodes until so many samples are there, as long as packets follow each other.
    fn decode_ahead(&mut self, samples: usize) {
        while self.line.len() < samples
            && let Some(playing) = &self.stream
            && let Some(first) = self.store.first()
            && first.position == playing.next
        {
            self.play(first);
        }
    }
}
