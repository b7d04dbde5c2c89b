//! What a tick plays: decoded, restored, made up, or nothing.

use super::{Buffer, Popped};
use crate::media::MAX_FRAME;
use crate::media::jitter::line::fade;
use crate::media::jitter::store::{MAX_PAYLOAD, Slot};

/// Frames after which nothing is heard of a codec's own concealment.
const GONE: i64 = 5;

/// What comes next.
enum Step {
    Decode(Slot),
    Make(usize),
    /// The packet before this one, so many samples.
    Recover(Slot, usize),
}

impl Buffer {
    /// Sees to it that a frame is there.
    pub(super) fn fill(&mut self, length: usize, mut popped: Popped) -> Popped {
        while self.line.len() < length {
            let lack = length - self.line.len();
            let made = match self.next_step(lack) {
                Step::Decode(slot) => {
                    self.play(slot);
                    Popped::Full
                }
                Step::Make(samples) => self.make_up(samples),
                Step::Recover(slot, samples) => self.recover(slot, samples),
            };
            popped = match (popped, made) {
                (Popped::Full, _) | (_, Popped::Full) => Popped::Full,
                (Popped::Concealed, _) | (_, Popped::Concealed) => Popped::Concealed,
                (Popped::Noise, _) | (_, Popped::Noise) => Popped::Noise,
                _ => Popped::Empty,
            };
        }
        popped
    }

    /// What the next `lack` samples are made of.
    fn next_step(&mut self, lack: usize) -> Step {
        let excess = self.excess();
        let Some(playing) = &mut self.stream else {
            return Step::Make(lack);
        };
        while let Some(first) = self.store.first() {
            let gap = first.position - playing.next;
            if gap + first.samples <= 0 {
                self.store.drop_first();
                continue;
            }
            let wait = gap.max(0) - playing.made;
            if wait > 0 {
                playing.pausing =
                    gap > 0 && playing.stream.missing(playing.next_number, first.number) == 0;
                // What comes next may tell of the packet before it.
                let told = wait - first.samples;
                if gap == 0 || playing.idle || playing.pausing || told > 0 {
                    let before = if told > 0 && gap > 0 { told } else { wait };
                    return Step::Make(lack.min(before as usize));
                }
                return Step::Recover(first, wait as usize);
            }
            // It came late, and what was made up in its place is enough: the next goes on from it.
            let follows = self
                .store
                .second()
                .is_some_and(|second| second.position - playing.next <= playing.made);
            if follows && excess > 0 {
                self.store.drop_first();
                self.counts.stats.late += 1;
                continue;
            }
            return Step::Decode(first);
        }
        Step::Make(lack)
    }

    /// Restores a lost packet from the one after it; where that tells nothing it is made up for.
    fn recover(&mut self, next: Slot, samples: usize) -> Popped {
        let mut payload = [0; MAX_PAYLOAD];
        let length = self.store.read(next.payload, &mut payload);
        let room = self.line.room(samples);
        let told = self.decoder.recover(&payload[..length], room);
        let Some(playing) = self.stream.as_mut().filter(|_| told > 0) else {
            return self.make_up(samples);
        };
        self.line.grow(told);
        self.concealment.stop();
        self.counts.stats.recovered += 1;
        playing.made += told as i64;
        Popped::Full
    }

    /// Makes up for what is not there.
    fn make_up(&mut self, samples: usize) -> Popped {
        let frame = self.rate().frame();
        let Some(playing) = &mut self.stream else {
            return Popped::Empty;
        };
        if !playing.idle && !self.concealment.is_active() {
            // A codec that conceals does so in units of 2.5 ms.
            let unit = frame / 8;
            let room = self.line.room(samples.next_multiple_of(unit));
            let made = self.decoder.conceal(room);
            if made > 0 {
                fade_out(&mut room[..made], playing.made, frame as i64);
                self.line.grow(made);
                self.counts.concealed += made as u64;
                playing.made += made as i64;
                playing.idle = playing.made >= GONE * frame as i64;
                return Popped::Concealed;
            }
        }
        playing.made += samples as i64;
        if playing.idle {
            let mut noise = [0; MAX_FRAME];
            if playing.noisy {
                self.noise.fill(&mut noise[..frame]);
            }
            // Never more than a frame is lacking.
            let samples = samples.min(frame);
            self.line.room(samples).copy_from_slice(&noise[..samples]);
            self.line.grow(samples);
            return match playing.noisy {
                true => Popped::Noise,
                false => Popped::Empty,
            };
        }
        if !self.concealment.is_active() {
            self.concealment.start(self.line.latest());
        }
        if playing.pausing {
            self.concealment.hush();
        }
        self.concealment.make(self.line.room(samples));
        self.line.grow(samples);
        self.counts.concealed += samples as u64;
        if self.concealment.is_over() {
            self.concealment.stop();
            playing.idle = true;
        }
        Popped::Concealed
    }

    /// Decodes the first packet.
    pub(super) fn play(&mut self, slot: Slot) {
        let rate = self.rate();
        let Some(playing) = &mut self.stream else {
            return;
        };
        self.store.take_first();
        let mut payload = [0; MAX_PAYLOAD];
        let length = self.store.read(slot.payload, &mut payload);
        self.store.release(slot.payload);
        let gap = slot.position - playing.next;
        let room = self.line.room(slot.samples as usize);
        let decoded = self.decoder.decode(&payload[..length], room);
        if decoded == 0 {
            return;
        }
        let missing = playing.stream.missing(playing.next_number, slot.number);
        if playing.made >= 0 {
            self.counts.stats.lost += missing;
        }
        // The beginning of what overlaps was played already.
        let skip = usize::try_from(-gap).unwrap_or(0).min(decoded);
        room.copy_within(skip..decoded, 0);
        let fresh = decoded - skip;
        let overdue = (playing.made - gap.max(0)).max(0);
        if playing.idle {
            if playing.made > 0 {
                // Out of silence, not to begin with a step.
                let ramp = (rate.frame() / 8).min(fresh);
                for (i, sample) in room[..ramp].iter_mut().enumerate() {
                    *sample = fade(0, *sample, i, ramp);
                }
            }
        } else {
            self.counts.expanded += overdue as u64;
        }
        if overdue > 0 {
            playing.leads.clear();
        }
        if self.concealment.is_active() {
            self.merge(fresh);
        }
        self.line.grow(fresh);
        let Some(playing) = &mut self.stream else {
            return;
        };
        playing.idle = false;
        playing.noisy = false;
        playing.made = 0;
        playing.next = slot.position + decoded as i64;
        playing.next_number = playing.next_number.max(slot.number + 1);
    }

    /// Leads from the concealment into the `fresh` samples behind the line.
    fn merge(&mut self, fresh: usize) {
        let blend = (self.rate().frame() / 4).min(fresh);
        let mut made = [0; MAX_FRAME / 4];
        self.concealment.make(&mut made[..blend]);
        self.concealment.stop();
        let room = self.line.room(fresh);
        for (i, (sample, made)) in room.iter_mut().zip(&made[..blend]).enumerate() {
            *sample = fade(*made, *sample, i, blend);
        }
    }
}

/// Lets a codec's own concealment, `made` samples old, fade over the last of its frames.
fn fade_out(samples: &mut [i16], made: i64, frame: i64) {
    for (at, sample) in (made.max(0)..).zip(samples) {
        let left = (GONE * frame - at).clamp(0, 2 * frame);
        *sample = (i64::from(*sample) * left / (2 * frame)) as i16;
    }
}
