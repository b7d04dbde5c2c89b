//! How many wrong PINs are too many: counted for the phone they come from, and for the number they
//! are given for, whether somebody has it or not.
//!
//! At an agent's own phone only what comes from there counts: a colleague's guesses never keep him
//! from it. A right PIN takes back the wrong ones of the same agent at the same phone and no others:
//! who may log in himself cannot wipe out what he guessed of others.

use std::collections::BTreeMap;

use super::terms::DeskTerms;
use crate::base::Timestamp;

/// Wrong PINs so far. Entries go when their time is over, and a phone that is closed makes no more:
/// of each phone there are some three for every try it has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lockout {
    counts: BTreeMap<Key, Count>,
}

/// A PIN that is given, or to be given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Try<'a> {
    pub(crate) now: Timestamp,
    pub(crate) terms: &'a DeskTerms,
    /// From this phone.
    pub(crate) phone: &'a str,
    /// For this agent, or this number that nobody has.
    pub(crate) whom: Result<&'a str, &'a str>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// Of one at one phone, to be taken back; closes nothing.
    Both(String, Whom),
    Phone(String),
    Whom(Whom),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    Agent(String),
    Nobody(String),
}

#[derive(Clone, Copy, Debug)]
struct Count {
    wrong: u32,
    last: Timestamp,
}

impl Lockout {
    /// Whether no PIN is taken from this phone for this agent.
    pub(crate) fn is_closed(&self, one: &Try<'_>) -> bool {
        let own = one.whom.is_ok() && one.terms.owner(one.phone) == one.whom.ok();
        let whom = (!own).then(|| Key::Whom(one.whom()));
        let keys = [Some(Key::Phone(one.phone.to_owned())), whom];
        keys.into_iter().flatten().any(|key| {
            let counted = self.counts.get(&key);
            counted.is_some_and(|it| it.wrong >= one.terms.pin_tries && it.lasts(one))
        })
    }

    /// A PIN was wrong.
    pub(crate) fn failed(&mut self, one: &Try<'_>) {
        self.counts.retain(|_, count| count.lasts(one));
        for key in one.keys() {
            let none = Count {
                wrong: 0,
                last: one.now,
            };
            let count = self.counts.entry(key).or_insert(none);
            count.wrong = count.wrong.saturating_add(1);
            count.last = one.now;
        }
    }

    /// A PIN was right: what went before of this agent at this phone is taken back.
    pub(crate) fn succeeded(&mut self, one: &Try<'_>) {
        let [both, phone, whom] = one.keys();
        let Some(before) = self.counts.remove(&both).filter(|count| count.lasts(one)) else {
            return;
        };
        for key in [phone, whom] {
            if let Some(count) = self.counts.get_mut(&key) {
                count.wrong = count.wrong.saturating_sub(before.wrong);
            }
        }
    }
}

impl Count {
    fn lasts(&self, one: &Try<'_>) -> bool {
        one.now < self.last + one.terms.pin_pause
    }
}

impl Try<'_> {
    fn whom(&self) -> Whom {
        match self.whom {
            Ok(agent) => Whom::Agent(agent.to_owned()),
            Err(number) => Whom::Nobody(number.to_owned()),
        }
    }

    /// What it counts for.
    fn keys(&self) -> [Key; 3] {
        let phone = self.phone.to_owned();
        [
            Key::Both(phone.clone(), self.whom()),
            Key::Phone(phone),
            Key::Whom(self.whom()),
        ]
    }
}
