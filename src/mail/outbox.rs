//! Letters on their way: which goes next, when a failed one is tried again, when it is given up.
//!
//! Sans-IO. One letter is under way at a time. A server that cannot be spoken with is left alone for a
//! while, and all letters with it; a letter that it refuses for now waits alone.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Fault, Settings};
use crate::base::{Entropy, Timers, Timestamp};

/// All letters on their way, by whatever names them.
#[derive(Debug)]
pub struct Outbox<K: Ord> {
    letters: BTreeMap<K, Waiting>,
    /// Letters that may go, in their order.
    ready: VecDeque<K>,
    /// When a letter that was refused for now is tried again.
    pauses: Timers<K>,
    /// When the server is spoken to again, and how often it failed in a row.
    rest: Option<(Timestamp, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    made: Timestamp,
    tries: u32,
}

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrived.
    Sent,
    /// It is tried again.
    Later,
    /// It is given up after so many tries, and why.
    Dead(u32, String),
}

impl<K: Clone + Ord + std::hash::Hash> Outbox<K> {
    /// Nothing on its way.
    pub fn new() -> Self {
        Self {
            letters: BTreeMap::new(),
            ready: VecDeque::new(),
            pauses: Timers::new(),
            rest: None,
        }
    }

    /// Takes a letter, made at `made`; one that is known stays as it is.
    pub fn push(&mut self, key: K, made: Timestamp) {
        if self.letters.contains_key(&key) {
            return;
        }
        self.letters.insert(key.clone(), Waiting { made, tries: 0 });
        self.ready.push_back(key);
    }

    /// The letter that goes now; it is under way until [`Outbox::done`].
    pub fn next(&mut self, now: Timestamp) -> Option<K> {
        while let Some((_, key)) = self.pauses.pop_due(now) {
            self.ready.push_back(key);
        }
        if self.rest.is_some_and(|(until, _)| now < until) {
            return None;
        }
        self.ready.pop_front()
    }

    /// When [`Outbox::next`] may have something; `None` when nothing waits.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let rest = self.rest.map(|(until, _)| until);
        match self.ready.is_empty() {
            false => rest.or(Some(Timestamp::ZERO)),
            true => self
                .pauses
                .next()
                .map(|at| rest.map_or(at, |it| it.max(at))),
        }
    }

    /// A letter needs to go no more.
    pub fn forget(&mut self, key: &K) {
        self.letters.remove(key);
        self.ready.retain(|known| known != key);
        self.pauses.stop(key);
    }

    /// A try ended.
    pub fn done(
        &mut self,
        key: &K,
        came: Result<(), Fault>,
        settings: &Settings,
        (now, chance): (Timestamp, &mut Entropy),
    ) -> Fate {
        let Some(waiting) = self.letters.get_mut(key) else {
            return Fate::Sent;
        };
        waiting.tries += 1;
        let (tries, is_old) = (waiting.tries, now.since(waiting.made) >= settings.give_up);
        if !matches!(came, Err(Fault::Away(_))) {
            self.rest = None;
        }
        let (words, is_away) = match came {
            Ok(()) => {
                self.letters.remove(key);
                return Fate::Sent;
            }
            Err(Fault::Refused(words)) => {
                self.letters.remove(key);
                return Fate::Dead(tries, words);
            }
            Err(Fault::Deferred(words)) => (words, false),
            Err(Fault::Away(words)) => (words, true),
        };
        if is_away {
            let failures = self.rest.map_or(0, |(_, failures)| failures) + 1;
            self.rest = Some((now + pause(failures, settings, chance), failures));
        }
        if is_old {
            self.letters.remove(key);
            return Fate::Dead(tries, words);
        }
        match is_away {
            true => self.ready.push_back(key.clone()),
            false => {
                let at = now + pause(tries, settings, chance);
                self.pauses.set(key.clone(), at);
            }
        }
        Fate::Later
    }

    /// Letters that are given up because of their age while the server is away, and their tries.
    pub fn expire(&mut self, now: Timestamp, give_up: Duration) -> Vec<(K, u32)> {
        let old = self.letters.iter();
        let old: Vec<(K, u32)> = old
            .filter(|(_, it)| now.since(it.made) >= give_up)
            .map(|(key, it)| (key.clone(), it.tries))
            .collect();
        for (key, _) in &old {
            self.forget(key);
        }
        old
    }

    /// The server may be another one, or reached by now: it is tried at once.
    pub fn wake(&mut self) {
        self.rest = None;
    }

    /// Whether the server is left alone for a while.
    pub fn is_resting(&self) -> bool {
        self.rest.is_some()
    }

    /// How many letters wait, or are under way.
    pub fn waiting(&self) -> usize {
        self.letters.len()
    }

    /// Whether a letter waits, or is under way.
    pub fn has(&self, key: &K) -> bool {
        self.letters.contains_key(key)
    }
}

impl<K: Clone + Ord + std::hash::Hash> Default for Outbox<K> {
    fn default() -> Self {
        Self::new()
    }
}

/// Twice as long after every failure, and up to a tenth longer, so that not all come back at once.
fn pause(failures: u32, settings: &Settings, chance: &mut Entropy) -> Duration {
    let doubled = 1_u32 << failures.saturating_sub(1).min(16);
    let pause = settings.pause.saturating_mul(doubled);
    let pause = pause.min(settings.longest_pause);
    let tenth = u64::try_from(pause.as_millis() / 10).unwrap_or(u64::MAX);
    pause + Duration::from_millis(chance.below(tenth + 1))
}
