//! The agents of an office, by name and by the phone of each.

use std::collections::{BTreeMap, HashMap, btree_map};
use std::ops::Deref;

use super::terms::AgentTerms;

/// Agents by name; whose own phone one is, is a look-up too: that is asked for every leg at a phone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agents {
    by_name: BTreeMap<String, AgentTerms>,
    /// Names by the numbers of their own phones.
    by_phone: HashMap<String, String>,
}

impl Agents {
    /// Takes up an agent, in the place of one of that name. Of two with one phone it is the last's;
    /// a checked configuration has no such two.
    pub fn insert(&mut self, name: String, agent: AgentTerms) {
        if let Some(before) = self.by_name.get(&name) {
            self.by_phone.remove(&before.phone);
        }
        self.by_phone.insert(agent.phone.clone(), name.clone());
        self.by_name.insert(name, agent);
    }

    /// The agent whose own phone has this number.
    pub(crate) fn owner(&self, phone: &str) -> Option<&str> {
        self.by_phone.get(phone).map(String::as_str)
    }
}

impl Deref for Agents {
    type Target = BTreeMap<String, AgentTerms>;

    fn deref(&self) -> &Self::Target {
        &self.by_name
    }
}

impl FromIterator<(String, AgentTerms)> for Agents {
    fn from_iter<T: IntoIterator<Item = (String, AgentTerms)>>(all: T) -> Self {
        let mut agents = Self::default();
        for (name, agent) in all {
            agents.insert(name, agent);
        }
        agents
    }
}

impl<'a> IntoIterator for &'a Agents {
    type Item = (&'a String, &'a AgentTerms);
    type IntoIter = btree_map::Iter<'a, String, AgentTerms>;

    fn into_iter(self) -> Self::IntoIter {
        self.by_name.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(phone: &str) -> AgentTerms {
        AgentTerms {
            phone: phone.to_owned(),
            number: phone.to_owned(),
            pin: None,
            language: None,
        }
    }

    #[test]
    fn a_phone_is_that_of_whoever_has_it_now() {
        let agents = [("sato", at("1001")), ("emma", at("1003"))];
        let agents = agents.map(|(name, agent)| (name.to_owned(), agent));
        let mut agents: Agents = agents.into_iter().collect();
        assert_eq!(agents.owner("1001"), Some("sato"));
        agents.insert("sato".to_owned(), at("1005"));
        assert_eq!((agents.owner("1001"), agents.len()), (None, 2));
        assert_eq!(agents.owner("1005"), Some("sato"));
        assert_eq!(agents.owner("1003"), Some("emma"));
    }
}
