//! Who works at which phone: at his own, unless he logged in elsewhere or another did at his.

use std::collections::BTreeMap;

use super::terms::DeskTerms;

/// Agents at phones that are not their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seats {
    guests: BTreeMap<String, String>,
}

impl Seats {
    /// The agent who works at a phone.
    pub(crate) fn agent_at<'a>(&'a self, terms: &'a DeskTerms, phone: &str) -> Option<&'a str> {
        self.guest_at(phone)
            .filter(|agent| terms.agents.contains_key(*agent))
            .or_else(|| {
                let owner = terms.owner(phone)?;
                (!self.guests.contains_key(owner)).then_some(owner)
            })
    }

    /// The phone an agent works at; `None` while another works at his.
    pub(crate) fn phone_of<'a>(&'a self, terms: &'a DeskTerms, agent: &str) -> Option<&'a str> {
        if let Some(phone) = self.guests.get(agent) {
            return Some(phone);
        }
        let own = terms.agents.get(agent)?.phone.as_str();
        self.guest_at(own).is_none().then_some(own)
    }

    /// The agent works at this phone from now on: everybody whose phone may be another by that.
    pub(crate) fn sit(&mut self, terms: &DeskTerms, agent: &str, phone: &str) -> Vec<String> {
        let mut moved = self.leave(terms, agent);
        let before = self.agent_at(terms, phone).map(str::to_owned);
        self.guests.retain(|_, seat| seat != phone);
        if terms.owner(phone) != Some(agent) {
            self.guests.insert(agent.to_owned(), phone.to_owned());
        }
        moved.extend(before);
        moved.sort_unstable();
        moved.dedup();
        moved
    }

    /// The agent goes back to his own phone: everybody whose phone may be another by that.
    pub(crate) fn leave(&mut self, terms: &DeskTerms, agent: &str) -> Vec<String> {
        let mut moved = vec![agent.to_owned()];
        if let Some(left) = self.guests.remove(agent) {
            moved.extend(terms.owner(&left).map(str::to_owned));
        }
        moved
    }

    /// Forgets agents and phones that are no more; `is_phone` says which there are.
    pub(crate) fn keep(&mut self, terms: &DeskTerms, is_phone: impl Fn(&str) -> bool) {
        self.guests
            .retain(|agent, phone| terms.agents.contains_key(agent) && is_phone(phone));
    }

    fn guest_at(&self, phone: &str) -> Option<&str> {
        let mut guests = self.guests.iter();
        let found = guests.find(|(_, seat)| *seat == phone);
        found.map(|(agent, _)| agent.as_str())
    }
}
