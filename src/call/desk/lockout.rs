//! How many wrong PINs are too many: counted for the phone they come from, and for the agent when
//! they come from a phone that is not his own.
//!
//! A colleague's guesses therefore never keep an agent from his own phone.

use std::collections::BTreeMap;

use super::terms::DeskTerms;
use crate::base::Timestamp;

/// Wrong PINs so far. As many entries as there are phones and agents, at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lockout {
    counts: BTreeMap<Key, (u32, Timestamp)>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Agent(String),
    Phone(String),
}

impl Lockout {
    /// Whether no PIN is taken from this phone for this agent; of a number nobody has, `None`.
    pub(crate) fn is_closed(
        &self,
        now: Timestamp,
        terms: &DeskTerms,
        phone: &str,
        agent: Option<&str>,
    ) -> bool {
        keys(terms, phone, agent).any(|key| {
            self.counts.get(&key).is_some_and(|(count, last)| {
                *count >= terms.pin_tries && now < *last + terms.pin_pause
            })
        })
    }

    /// A PIN was wrong.
    pub(crate) fn failed(
        &mut self,
        now: Timestamp,
        terms: &DeskTerms,
        phone: &str,
        agent: Option<&str>,
    ) {
        for key in keys(terms, phone, agent) {
            let (count, last) = self.counts.entry(key).or_insert((0, now));
            if now >= *last + terms.pin_pause {
                *count = 0;
            }
            *count = count.saturating_add(1);
            *last = now;
        }
    }

    /// A PIN was right: what went before is forgotten, of the phone and of this agent.
    pub(crate) fn succeeded(&mut self, terms: &DeskTerms, phone: &str, agent: &str) {
        for key in keys(terms, phone, Some(agent)) {
            self.counts.remove(&key);
        }
    }
}

/// What a try from a phone counts for.
fn keys(terms: &DeskTerms, phone: &str, agent: Option<&str>) -> impl Iterator<Item = Key> {
    let guest = agent.filter(|agent| terms.owner(phone) != Some(agent));
    let guest = guest.map(|agent| Key::Agent(agent.to_owned()));
    std::iter::once(Key::Phone(phone.to_owned())).chain(guest)
}
