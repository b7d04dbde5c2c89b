//! One tick of one room.

use super::gain::{Gain, scale};
use super::soft_limit;
use super::stage::{Part, Place, Stage};
use super::talker::{Levelling, Talker};
use crate::media::{MAX_FRAME, Rate};

/// The adder of a worker: holds one room for one tick. Never allocates after [`Mixer::new`].
///
/// A tick is [`begin`](Mixer::begin), then for every member [`speak`](Mixer::speak) or
/// [`whisper`](Mixer::whisper), then [`mix`](Mixer::mix), then for every member
/// [`settle`](Mixer::settle) and for every listener [`hear`](Mixer::hear).
#[derive(Debug)]
pub struct Mixer {
    rate: Rate,
    levelling: Levelling,
    stage: Stage,
    sum: Box<[i32; MAX_FRAME]>,
    common: Box<[i16; MAX_FRAME]>,
    /// Voices and sounds in the sum.
    voices: i32,
}

/// One who hears the mix.
#[derive(Clone, Copy, Debug, Default)]
pub struct Listener<'a> {
    /// Its own place among the speakers of this tick.
    pub own: Option<Place>,
    /// Whom it hears otherwise than everybody does, and how loud at the beginning and at the end of
    /// the frame: coaches, whisperers, members whose route to it has a gain. None of them is itself.
    pub others: &'a [(Place, (Gain, Gain))],
    /// A sound only this one hears over the mix, at the room's rate.
    pub aside: Option<&'a [i16]>,
}

/// With whom a listener shares what it hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// With everybody who has no voice in the mix: it is [`Mixer::common`].
    Common,
    /// With those of its class who have no voice in the mix.
    Class,
    /// With nobody.
    Own,
}

/// Parts of a frame over which a talker who is let in or pushed out amid speech is faded (5 ms).
const FADE: usize = 4;

impl Mixer {
    /// A mixer for rooms of any size, at any rate.
    pub fn new() -> Self {
        Self {
            rate: Rate::Narrow,
            levelling: Levelling::Off,
            stage: Stage::new(),
            sum: Box::new([0; MAX_FRAME]),
            common: Box::new([0; MAX_FRAME]),
            voices: 0,
        }
    }

    /// Lets only so many of the loudest talkers of a room be heard, up to
    /// [`LOUDEST`](super::LOUDEST), from the next tick on.
    pub fn limit_talkers(&mut self, loudest: usize) {
        self.stage.limit(loudest);
    }

    /// Begins a tick of a room of this rate.
    pub fn begin(&mut self, rate: Rate, levelling: Levelling) {
        (self.rate, self.levelling, self.voices) = (rate, levelling, 0);
        self.stage.clear();
        self.sum[..rate.frame()].fill(0);
    }

    /// The voice, at the room's rate, of a member all others may hear; `None` when nothing came.
    /// Returns its place, or `None` when it is silent or too soft to be heard among the others.
    pub fn speak(&mut self, talker: &mut Talker, voice: Option<&[i16]>) -> Option<Place> {
        self.seat(talker, voice, Part::Heard)
    }

    /// The same of a member heard only by those whose [`Listener::others`] name it.
    pub fn whisper(&mut self, talker: &mut Talker, voice: Option<&[i16]>) -> Option<Place> {
        self.seat(talker, voice, Part::Aside)
    }

    fn seat(&mut self, talker: &mut Talker, voice: Option<&[i16]>, part: Part) -> Option<Place> {
        let length = self.rate.frame();
        let Some(voice) = voice else {
            talker.silent();
            return None;
        };
        let voice = &voice[..voice.len().min(length)];
        let said = talker.say(voice, self.levelling)?;
        let (place, slot) = match part {
            Part::Aside => self.stage.whisper(said)?,
            _ => self.stage.enter(said)?,
        };
        let samples = &mut slot.samples[..length];
        samples[..voice.len()].copy_from_slice(voice);
        samples[voice.len()..].fill(0);
        ramp(samples, said.gains);
        Some(place)
    }

    /// A sound, at the room's rate, that everybody hears who hears the mix.
    pub fn announce(&mut self, sound: &[i16]) {
        self.voices += 1;
        let sum = &mut self.sum[..self.rate.frame()];
        for (sum, sample) in sum.iter_mut().zip(sound) {
            *sum += i32::from(*sample);
        }
    }

    /// Adds up the loudest of those who spoke.
    pub fn mix(&mut self) {
        let length = self.rate.frame();
        let fade = length / FADE;
        for slot in self.stage.everybody() {
            let samples = &mut slot.samples[..length];
            let entered = slot.said.is_some_and(|said| said.spoke && !said.was_heard);
            match slot.part {
                Part::Leaving => fade_out(samples, fade),
                _ if entered => fade_in(samples, fade),
                _ => {}
            }
            if slot.part == Part::Aside {
                continue;
            }
            self.voices += 1;
            for (sum, sample) in self.sum.iter_mut().zip(samples) {
                *sum += i32::from(*sample);
            }
        }
        let common = &mut self.common[..length];
        match self.voices {
            0 => common.fill(0),
            voices => limit(common, self.sum.iter().copied(), is_single(voices)),
        }
    }

    /// Keeps the outcome of the tick for a speaker who has a place.
    pub fn settle(&self, place: Place, talker: &mut Talker) {
        let slot = self.stage.at(place);
        talker.settle(slot.is_some_and(|slot| slot.part != Part::Leaving));
    }

    /// What everyone hears who did not speak and has no routes of its own.
    pub fn common(&self) -> &[i16] {
        &self.common[..self.rate.frame()]
    }

    /// Whether there is nothing in the common mix.
    pub fn is_silent(&self) -> bool {
        self.voices == 0
    }

    /// With whom a listener shares what it hears; needs no adding up.
    pub fn shares(&self, listener: &Listener<'_>) -> Heard {
        if listener.aside.is_some() || self.summed(listener.own).is_some() {
            return Heard::Own;
        }
        let others = listener.others.iter();
        match others
            .filter(|(place, _)| self.stage.at(*place).is_some())
            .count()
        {
            0 => Heard::Common,
            _ => Heard::Class,
        }
    }

    /// What a listener hears, and with whom it shares it: everybody all may hear, without itself,
    /// and its own routes.
    pub fn hear(&self, listener: &Listener<'_>, out: &mut [i16]) -> Heard {
        let shared = self.shares(listener);
        let length = self.rate.frame().min(out.len());
        let out = &mut out[..length];
        let own = self.summed(listener.own);
        let voices = self.voices - i32::from(own.is_some());
        match (shared, own) {
            (Heard::Common, _) => out.copy_from_slice(&self.common[..length]),
            // The usual case of one who speaks: everybody but itself.
            (_, Some(own)) if listener.others.is_empty() && listener.aside.is_none() => {
                let sums = self.sum.iter().zip(own);
                let others = sums.map(|(sum, own)| sum - i32::from(*own));
                limit(out, others, is_single(voices));
            }
            _ => self.add_routes(listener, own, out),
        }
        shared
    }

    /// Whether a listener hears nothing at all.
    pub fn is_silent_to(&self, listener: &Listener<'_>) -> bool {
        let own = i32::from(self.summed(listener.own).is_some());
        listener.aside.is_none()
            && self.voices == own
            && self.shares(&Listener {
                own: None,
                ..*listener
            }) == Heard::Common
    }

    fn add_routes(&self, listener: &Listener<'_>, own: Option<&[i16]>, out: &mut [i16]) {
        let mut sum = *self.sum;
        let sum = &mut sum[..out.len()];
        let mut voices = self.voices;
        if let Some(own) = own {
            voices -= 1;
            sum.iter_mut()
                .zip(own)
                .for_each(|(sum, own)| *sum -= i32::from(*own));
        }
        for (place, (from, to)) in listener.others {
            let Some(slot) = self.stage.at(*place) else {
                continue;
            };
            let is_silent = (*from, *to) == (Gain::SILENT, Gain::SILENT);
            // Who is in the sum already is only made louder or softer there.
            let (there, more) = match slot.part {
                Part::Aside => (Gain::SILENT, i32::from(!is_silent)),
                _ => (Gain::UNITY, -i32::from(is_silent)),
            };
            // One made louder may need the limiter even alone.
            voices += more + i32::from(*from.max(to) > Gain::UNITY);
            let (from, to) = (from.steps() - there.steps(), to.steps() - there.steps());
            let length = sum.len() as i32;
            for ((sum, sample), step) in sum.iter_mut().zip(&slot.samples).zip(1..) {
                *sum += scale(*sample, from + (to - from) * step / length);
            }
        }
        if let Some(aside) = listener.aside {
            voices += 1;
            sum.iter_mut()
                .zip(aside)
                .for_each(|(sum, sample)| *sum += i32::from(*sample));
        }
        limit(out, sum.iter().copied(), is_single(voices));
    }

    /// The samples of a place, if they are in the sum.
    fn summed(&self, place: Option<Place>) -> Option<&[i16]> {
        let slot = self.stage.at(place?)?;
        (slot.part != Part::Aside).then_some(&slot.samples[..])
    }
}

impl Default for Mixer {
    fn default() -> Self {
        Self::new()
    }
}

/// A single voice fits into 16 bits as it came: it is heard bit for bit.
fn is_single(voices: i32) -> bool {
    voices <= 1
}

fn limit(out: &mut [i16], sums: impl Iterator<Item = i32>, is_single: bool) {
    if is_single {
        let whole = |sum: i32| sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        out.iter_mut()
            .zip(sums)
            .for_each(|(out, sum)| *out = whole(sum));
    } else {
        out.iter_mut()
            .zip(sums)
            .for_each(|(out, sum)| *out = soft_limit(sum));
    }
}

/// Takes a frame from one gain to another.
fn ramp(samples: &mut [i16], (from, to): (Gain, Gain)) {
    if (from, to) == (Gain::UNITY, Gain::UNITY) {
        return;
    }
    let length = samples.len() as i32;
    let (from, difference) = (from.steps(), to.steps() - from.steps());
    for (sample, step) in samples.iter_mut().zip(1..) {
        *sample = soft_limit(scale(*sample, from + difference * step / length));
    }
}

fn fade_in(samples: &mut [i16], fade: usize) {
    for (sample, step) in samples[..fade].iter_mut().zip(0..) {
        *sample = (i32::from(*sample) * step / fade as i32) as i16;
    }
}

fn fade_out(samples: &mut [i16], fade: usize) {
    let (faded, rest) = samples.split_at_mut(fade);
    for (sample, step) in faded.iter_mut().zip((0..fade as i32).rev()) {
        *sample = (i32::from(*sample) * step / fade as i32) as i16;
    }
    rest.fill(0);
}
