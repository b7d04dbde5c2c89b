//! Phones that are in a call of their own, one that the router did not ask for, and the agents who
//! work there: as long as there is such a leg, the agent is offered no call.

use std::collections::{BTreeSet, HashMap};

use crate::base::LegId;

/// Legs of phones' own on one shard. As many entries as there are legs, at most.
#[derive(Debug, Default)]
pub(crate) struct Engaged {
    phones: HashMap<String, Phone>,
    /// How many phones keep an agent busy: he may have logged out of one that still talks.
    agents: HashMap<String, usize>,
}

#[derive(Debug, Default)]
struct Phone {
    /// Who works there, as far as the last word about it goes.
    agent: Option<String>,
    legs: BTreeSet<LegId>,
}

/// An agent, and whether he is busy from now on.
pub(crate) type Word = (String, bool);

impl Engaged {
    /// A leg begins at a phone; `agent` says who works there and is asked when it is its first.
    pub(crate) fn begin(
        &mut self,
        phone: &str,
        leg: LegId,
        agent: impl FnOnce() -> Option<String>,
    ) -> Option<Word> {
        if let Some(known) = self.phones.get_mut(phone) {
            known.legs.insert(leg);
            return None;
        }
        let agent = agent();
        let word = agent.clone().and_then(|agent| self.take(agent));
        let legs = BTreeSet::from([leg]);
        self.phones.insert(phone.to_owned(), Phone { agent, legs });
        word
    }

    /// A leg is over; one that was never said to begin is let be.
    pub(crate) fn end(&mut self, phone: &str, leg: LegId) -> Option<Word> {
        let known = self.phones.get_mut(phone)?;
        known.legs.remove(&leg);
        if !known.legs.is_empty() {
            return None;
        }
        let agent = self.phones.remove(phone)?.agent?;
        self.release(agent)
    }

    /// Another agent, or nobody, works at a phone from now on: who is free by that, then who is busy.
    pub(crate) fn reseat(&mut self, phone: &str, agent: Option<&str>) -> [Option<Word>; 2] {
        let Some(known) = self.phones.get_mut(phone) else {
            return [None, None];
        };
        if known.agent.as_deref() == agent {
            return [None, None];
        }
        let agent = agent.map(str::to_owned);
        let before = std::mem::replace(&mut known.agent, agent.clone());
        let free = before.and_then(|before| self.release(before));
        [free, agent.and_then(|agent| self.take(agent))]
    }

    fn take(&mut self, agent: String) -> Option<Word> {
        let phones = self.agents.entry(agent.clone()).or_default();
        *phones += 1;
        (*phones == 1).then_some((agent, true))
    }

    fn release(&mut self, agent: String) -> Option<Word> {
        let phones = self.agents.get_mut(&agent)?;
        *phones -= 1;
        if *phones > 0 {
            return None;
        }
        self.agents.remove(&agent);
        Some((agent, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sato() -> Option<String> {
        Some("sato".to_owned())
    }

    fn word(agent: &str, busy: bool) -> Option<Word> {
        Some((agent.to_owned(), busy))
    }

    #[test]
    fn an_agent_is_busy_from_the_first_leg_to_the_last_of_all_his_phones() {
        let mut engaged = Engaged::default();
        assert_eq!(engaged.begin("1001", LegId(1), sato), word("sato", true));
        assert_eq!(engaged.begin("1001", LegId(2), sato), None);
        assert_eq!(engaged.begin("1007", LegId(3), sato), None);
        assert_eq!(engaged.end("1001", LegId(1)), None);
        assert_eq!(engaged.end("1001", LegId(9)), None, "never heard of");
        assert_eq!(engaged.end("1001", LegId(2)), None, "1007 talks on");
        assert_eq!(engaged.end("1007", LegId(3)), word("sato", false));
        assert!(engaged.phones.is_empty() && engaged.agents.is_empty());
    }

    #[test]
    fn who_sits_down_at_a_phone_is_busy_with_its_calls_and_who_got_up_is_not() {
        let mut engaged = Engaged::default();
        assert_eq!(engaged.reseat("1007", Some("emma")), [None, None]);
        assert_eq!(engaged.begin("1007", LegId(1), || None), None);
        let emma = word("emma", true);
        assert_eq!(engaged.reseat("1007", Some("emma")), [None, emma]);
        assert_eq!(engaged.reseat("1007", Some("emma")), [None, None]);
        let both = [word("emma", false), word("sato", true)];
        assert_eq!(engaged.reseat("1007", Some("sato")), both);
        assert_eq!(engaged.reseat("1007", None), [word("sato", false), None]);
        assert_eq!(engaged.end("1007", LegId(1)), None);
        assert!(engaged.phones.is_empty() && engaged.agents.is_empty());
    }
}
