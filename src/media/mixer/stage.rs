//! Who may be heard at a tick: the loudest few of however many speak, those who just lost their
//! place, and those whom only some may hear. Keeps samples of these alone.

use super::talker::Said;
use crate::media::MAX_FRAME;

/// Talkers in the mix at most. More people than that talking at once is noise, and each costs.
pub const LOUDEST: usize = 5;
/// Coaches and whisperers who speak at once in one room; more are not heard.
pub const ASIDES: usize = 64;

/// Slots of the common mix: the loudest, and as many who are faded out.
const COMMON: usize = 2 * LOUDEST;

/// A speaker's place, good for one tick: whoever was pushed out by louder ones holds a place
/// that is no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    slot: u16,
    serial: u64,
}

/// The speakers of one room at one tick.
#[derive(Debug)]
pub(super) struct Stage {
    slots: Vec<Slot>,
    /// Slots of `COMMON` that are in use.
    common: usize,
    /// Slots after them that are in use.
    asides: usize,
    /// Of the last place given, and of the last one of the tick before: places count up for ever.
    serial: u64,
    stale: u64,
    /// Talkers in the mix at most.
    loudest: usize,
}

#[derive(Debug)]
pub(super) struct Slot {
    serial: u64,
    pub(super) part: Part,
    pub(super) said: Option<Said>,
    pub(super) samples: [i16; MAX_FRAME],
}

/// What a slot's speaker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Heard by some listeners only.
    Aside,
    /// Among the loudest.
    Heard,
    /// Was among the loudest at the last tick, and is faded out.
    Leaving,
    /// Pushed out: nobody.
    Out,
}

impl Stage {
    pub(super) fn new() -> Self {
        let slot = || Slot {
            serial: 0,
            part: Part::Out,
            said: None,
            samples: [0; MAX_FRAME],
        };
        Self {
            slots: std::iter::repeat_with(slot).take(COMMON + ASIDES).collect(),
            common: 0,
            asides: 0,
            serial: 0,
            stale: 0,
            loudest: LOUDEST,
        }
    }

    /// Lets only so many of the loudest be heard, up to [`LOUDEST`].
    pub(super) fn limit(&mut self, loudest: usize) {
        self.loudest = loudest.clamp(1, LOUDEST);
    }

    /// Takes everybody off.
    pub(super) fn clear(&mut self) {
        (self.common, self.asides, self.stale) = (0, 0, self.serial);
    }

    /// A place for somebody all may hear, unless others are louder.
    pub(super) fn enter(&mut self, said: Said) -> Option<(Place, &mut Slot)> {
        let heard = self.heard();
        if heard.count() < self.loudest {
            return self.seat(said, Part::Heard);
        }
        let weakest = self.heard().min_by_key(|(_, weight)| *weight);
        let (weakest, weight) = weakest?;
        if said.weight <= weight {
            return said
                .was_heard
                .then(|| self.seat(said, Part::Leaving))
                .flatten();
        }
        let was_heard = self.slots[weakest].said.is_some_and(|said| said.was_heard);
        self.slots[weakest].part = if was_heard { Part::Leaving } else { Part::Out };
        self.seat(said, Part::Heard)
    }

    /// A place for somebody whom some may hear.
    pub(super) fn whisper(&mut self, said: Said) -> Option<(Place, &mut Slot)> {
        let slot = COMMON + self.asides;
        if slot == self.slots.len() {
            return None;
        }
        self.asides += 1;
        Some(self.take(slot, said, Part::Aside))
    }

    /// The slot of a place, if it is still there.
    pub(super) fn at(&self, place: Place) -> Option<&Slot> {
        let slot = self.slots.get(usize::from(place.slot))?;
        let is_there = place.serial > self.stale && slot.serial == place.serial;
        (is_there && slot.part != Part::Out).then_some(slot)
    }

    /// Everybody on the stage.
    pub(super) fn everybody(&mut self) -> impl Iterator<Item = &mut Slot> {
        let (common, asides) = self.slots.split_at_mut(COMMON);
        let asides = asides[..self.asides].iter_mut();
        let all = common[..self.common].iter_mut().chain(asides);
        all.filter(|slot| slot.part != Part::Out)
    }

    /// Slot and weight of the loudest so far.
    fn heard(&self) -> impl Iterator<Item = (usize, u32)> {
        let common = self.slots[..self.common].iter().enumerate();
        common.filter_map(|(place, slot)| {
            let said = slot.said.filter(|_| slot.part == Part::Heard)?;
            Some((place, said.weight))
        })
    }

    fn seat(&mut self, said: Said, part: Part) -> Option<(Place, &mut Slot)> {
        let out = |slot: &Slot| slot.part == Part::Out;
        let slot = match self.slots[..self.common].iter().position(out) {
            Some(slot) => slot,
            None if self.common < COMMON => {
                self.common += 1;
                self.common - 1
            }
            None => {
                // All who fade are there already: one of them ends without fading.
                let leaving = |slot: &Slot| slot.part == Part::Leaving;
                self.slots[..COMMON].iter().position(leaving)?
            }
        };
        Some(self.take(slot, said, part))
    }

    fn take(&mut self, number: usize, said: Said, part: Part) -> (Place, &mut Slot) {
        self.serial += 1;
        let slot = &mut self.slots[number];
        (slot.serial, slot.part, slot.said) = (self.serial, part, Some(said));
        let place = Place {
            slot: number as u16,
            serial: self.serial,
        };
        (place, slot)
    }
}
