//! Who works at which phone: at his own, unless he logged in elsewhere or another did at his.

use std::collections::{BTreeMap, HashMap};

use super::terms::DeskTerms;

/// Agents at phones that are not their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seats {
    guests: BTreeMap<String, String>,
    /// The same by phone.
    by_phone: HashMap<String, String>,
    /// Whether somebody moved since the last time that was asked.
    is_news: bool,
}

impl Seats {
    /// As [`Seats::written`] had them; nobody has moved when that cannot be read.
    pub(crate) fn read(written: &str) -> Self {
        let guests: BTreeMap<String, String> = serde_json::from_str(written).unwrap_or_default();
        let seats = guests.iter();
        Self {
            by_phone: seats
                .map(|(agent, phone)| (phone.clone(), agent.clone()))
                .collect(),
            guests,
            is_news: false,
        }
    }

    /// To be kept for the next start, when somebody has moved since the last time.
    pub(crate) fn written(&mut self) -> Option<String> {
        let is_news = std::mem::take(&mut self.is_news);
        // Text keys and values cannot fail to serialise.
        is_news.then(|| serde_json::to_string(&self.guests).unwrap_or_default())
    }

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
        let own = terms.agents.get(agent)?.phone.as_str();
        if let Some(phone) = self.guests.get(agent) {
            return Some(phone);
        }
        // A guest who is no agent any more keeps nobody from his phone.
        let guest = self.guest_at(own);
        let guest = guest.filter(|guest| terms.agents.contains_key(*guest));
        guest.is_none().then_some(own)
    }

    /// The agent works at this phone from now on: everybody whose phone may be another by that.
    pub(crate) fn sit(&mut self, terms: &DeskTerms, agent: &str, phone: &str) -> Vec<String> {
        let mut moved = self.leave(terms, agent);
        self.is_news = true;
        let before = self.agent_at(terms, phone).map(str::to_owned);
        if let Some(guest) = self.by_phone.remove(phone) {
            self.guests.remove(&guest);
        }
        if terms.owner(phone) != Some(agent) {
            self.guests.insert(agent.to_owned(), phone.to_owned());
            self.by_phone.insert(phone.to_owned(), agent.to_owned());
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
            self.by_phone.remove(&left);
            self.is_news = true;
            moved.extend(terms.owner(&left).map(str::to_owned));
        }
        moved
    }

    /// Forgets agents and phones that are no more; `is_phone` says which there are.
    pub(crate) fn keep(&mut self, terms: &DeskTerms, is_phone: impl Fn(&str) -> bool) {
        self.guests
            .retain(|agent, phone| terms.agents.contains_key(agent) && is_phone(phone));
        let guests = &self.guests;
        self.by_phone
            .retain(|phone, agent| guests.get(agent) == Some(phone));
    }

    fn guest_at(&self, phone: &str) -> Option<&str> {
        self.by_phone.get(phone).map(String::as_str)
    }
}
