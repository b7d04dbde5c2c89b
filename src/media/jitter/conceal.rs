//! Packet-loss concealment for codecs that have none, after G.711 Appendix I: the last pitch period
//! goes on, after a while the last two and three, and fades. Nothing is delayed for it.

use crate::media::Rate;

use super::correlation;
use super::line::fade;

/// The shortest and the longest pitch period, in 400ths of a second: 2.5 and 15 ms.
const SHORTEST: usize = 1;
const LONGEST: usize = 6;

/// What is compared to find the period: 10 ms.
const COMPARED: usize = 4;

/// A concealment of one stream. Never allocates after [`Concealment::new`].
#[derive(Debug)]
pub(super) struct Concealment {
    rate: Rate,
    /// What was heard when the loss began.
    past: Box<[i16]>,
    /// 0: nothing is being concealed.
    period: usize,
    quality: f32,
    /// Periods that are repeated.
    turns: usize,
    /// Next sample of the past to be played again.
    at: usize,
    /// Samples made so far.
    made: usize,
    /// The step between the past's end and its repetition, spread over the first quarter period.
    step: i32,
    /// Sample at which the sound is gone.
    end: usize,
}

impl Concealment {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            past: vec![0; 3 * rate.frame()].into_boxed_slice(),
            period: 0,
            quality: 0.0,
            turns: 1,
            at: 0,
            made: 0,
            step: 0,
            end: 0,
        }
    }

    /// Whether something is being concealed.
    pub(super) fn is_active(&self) -> bool {
        self.period > 0
    }

    /// Whether nothing is heard of it any more.
    pub(super) fn is_over(&self) -> bool {
        self.made >= self.end
    }

    /// Goes on from these latest samples, at least 60 ms.
    pub(super) fn start(&mut self, latest: &[i16]) {
        let length = self.past.len();
        self.past.copy_from_slice(&latest[latest.len() - length..]);
        let unit = self.rate.hz() as usize / 400;
        let stride = self.rate.hz() as usize / 8000;
        let window = COMPARED * unit;
        let reference = &self.past[length - window..];
        let field = &self.past[length - window - LONGEST * unit..length - SHORTEST * unit];
        let found = correlation::find(reference, field, stride);
        self.period = LONGEST * unit - found.at;
        self.quality = found.quality.max(0.0);
        self.turns = 1;
        if self.quality < 0.5 {
            // No pitch: a longer piece sounds less like one.
            self.turns = 2;
        }
        self.made = 0;
        self.at = length - self.period * self.turns;
        let before = self.past[self.at - 1];
        self.step = i32::from(self.past[length - 1]) - i32::from(before);
        self.end = self.rate.frame() * 4;
    }

    /// Ends it.
    pub(super) fn stop(&mut self) {
        self.period = 0;
    }

    /// Lets it fade within 5 ms: what follows is known to be a pause.
    pub(super) fn hush(&mut self) {
        self.end = self.end.min(self.made + self.rate.frame() / 4);
    }

    /// Makes the next samples.
    pub(super) fn make(&mut self, samples: &mut [i16]) {
        let length = self.past.len();
        let blend = (self.period / 4).max(1);
        let frame = self.rate.frame();
        for sample in samples {
            let mut value = self.past[self.at];
            let left = length - self.at;
            if left <= blend {
                // The period's end leads into its beginning.
                let other = self.past[self.at - self.period * self.turns];
                value = fade(value, other, blend - left, blend);
            }
            let mut value = i32::from(value);
            if self.made < blend {
                value += self.step * (blend - self.made) as i32 / blend as i32;
            }
            value = value * self.gain() / 1024;
            *sample = value.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            self.made += 1;
            self.at += 1;
            if self.at == length {
                let most = (self.past.len() - blend - 1) / self.period;
                self.turns = match self.made {
                    made if made < 2 * frame => self.turns,
                    _ => self.turns + 1,
                };
                self.turns = self.turns.min(3).min(most).max(1);
                self.at = length - self.period * self.turns;
            }
        }
    }

    /// Loudness in 1024ths: whole for 20 ms, gone after the end.
    fn gain(&self) -> i32 {
        let hold = self.rate.frame().min(self.end / 2);
        match self.made {
            made if made <= hold => 1024,
            made if made >= self.end => 0,
            made => ((self.end - made) * 1024 / (self.end - hold)) as i32,
        }
    }
}
