//! What the office says of agents who work by phone: numbers, PINs, codes, language.

use std::time::Duration;

use super::agents::Agents;
use crate::base::Pin;

/// Everything an agent's phone session looks up; part of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskTerms {
    /// Agents by name.
    pub agents: Agents,
    /// Activities in the order of the plan.
    pub activities: Vec<ActivityTerms>,
    /// Language spoken to agents who have none of their own. Default the office's.
    pub language: Option<String>,
    /// Activity of an agent who logs out. Default the first that is not available.
    pub logged_out: String,
    /// Wrong PINs after which no PIN is taken for [`DeskTerms::pin_pause`]. Default 3.
    pub pin_tries: u32,
    /// How long no PIN is taken, counted from the last wrong one. Default 5 min.
    pub pin_pause: Duration,
    /// By how much an agent makes his after-call work longer each time. Default 1 min.
    pub wrap_extension: Duration,
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentTerms {
    /// Number of his own phone.
    pub phone: String,
    /// Number he logs in with at another phone; default that of his own.
    pub number: String,
    /// What he proves himself with; without one he works at his own phone only.
    pub pin: Option<Pin>,
    /// Language spoken to him.
    pub language: Option<String>,
}

/// One activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityTerms {
    /// Name.
    pub name: String,
    /// Whether agents in it get offers.
    pub available: bool,
    /// Digits that choose it.
    pub code: Option<String>,
    /// Sound that says one is in it; default that of an agent who is available, or away.
    pub sound: Option<String>,
}

impl Default for DeskTerms {
    fn default() -> Self {
        Self {
            agents: Agents::default(),
            activities: Vec::new(),
            language: None,
            logged_out: "away".to_owned(),
            pin_tries: 3,
            pin_pause: Duration::from_secs(300),
            wrap_extension: Duration::from_secs(60),
        }
    }
}

impl DeskTerms {
    /// The agent whose own phone has this number.
    pub(crate) fn owner(&self, phone: &str) -> Option<&str> {
        self.agents.owner(phone)
    }

    /// The agent who logs in with this number.
    pub(crate) fn numbered(&self, number: &str) -> Option<&str> {
        let mut agents = self.agents.iter();
        let found = agents.find(|(_, agent)| agent.number == number);
        found.map(|(name, _)| name.as_str())
    }

    /// The activity with this code.
    pub(crate) fn coded(&self, code: &str) -> Option<&ActivityTerms> {
        let mut activities = self.activities.iter();
        activities.find(|activity| activity.code.as_deref() == Some(code))
    }

    /// The activity of that name.
    pub(crate) fn activity(&self, name: &str) -> Option<&ActivityTerms> {
        self.activities
            .iter()
            .find(|activity| activity.name == name)
    }

    /// The first activity that is available, or that is not.
    pub(crate) fn first(&self, available: bool) -> Option<&ActivityTerms> {
        let mut activities = self.activities.iter();
        activities.find(|activity| activity.available == available)
    }

    /// The language spoken to an agent, or to whoever is not known yet.
    /// `None`: the office's.
    pub(crate) fn language_of(&self, agent: Option<&str>) -> Option<&str> {
        let agent = agent.and_then(|name| self.agents.get(name));
        let own = agent.and_then(|agent| agent.language.as_deref());
        own.or(self.language.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_four_to_twelve_digits_and_is_never_shown() {
        for text in ["", "123", "12a4", "1234567890123", "１２３４"] {
            assert_eq!(Pin::new(text), None, "{text}");
        }
        let pin = Pin::new("4711").expect("a PIN");
        assert!(pin.is("4711"));
        for wrong in ["", "471", "47110", "4712", "0711"] {
            assert!(!pin.is(wrong), "{wrong}");
        }
        assert!(!format!("{pin:?}").contains("4711"));
    }
}
