//! Heartbeats: an agent whose program said that it is there, and then says it no more, takes no
//! calls until it is there again. The policy is the switch's, whatever the program does.
//!
//! What an agent chose himself is kept apart: it comes back with him, unless somebody chose
//! something else for him meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::base::Timestamp;

/// What the office says of heartbeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatTerms {
    /// An agent is gone when so long nothing was heard of him, 1 to 30 s. Default 5 s.
    pub within: Duration,
    /// Heartbeats that may be lost in that time, 0 to 10: programs are told to send so many more
    /// than one. Default 2.
    pub misses: u32,
    /// Activity of who is gone; not an available one.
    pub activity: String,
    /// Whether he is what he was when he is heard again. Default yes.
    pub returns: bool,
    /// Activity of agents who are gone, where it is another.
    pub activities: BTreeMap<String, String>,
    /// Agents who are waited for from the start, heard or not.
    pub required: BTreeSet<String>,
}

/// What an agent is when the machine looks at him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// His activity.
    pub activity: String,
    /// Whether it is an available one.
    pub available: bool,
    /// Why he is in it.
    pub reason: String,
}

/// An agent is to be in another activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Agent.
    pub agent: String,
    /// Activity.
    pub activity: String,
    /// Why, for the history; begins with `heartbeat`.
    pub by: String,
    /// Whether nobody is there: what he is being offered is taken back.
    pub is_gone: bool,
}

/// All agents whose heartbeats are waited for. As many as there are agents, at most: whoever tells
/// it of a heartbeat knows the agent.
#[derive(Clone, Debug)]
pub struct Heartbeats {
    terms: HeartbeatTerms,
    watched: BTreeMap<String, Watch>,
    deadlines: BTreeSet<(Timestamp, String)>,
}

#[derive(Clone, Debug)]
struct Watch {
    heard: Timestamp,
    /// Whether he is gone.
    gone: bool,
    /// What he was, and why he is no more, as the router has it.
    before: Option<(String, String)>,
}

impl Default for HeartbeatTerms {
    fn default() -> Self {
        Self {
            within: Duration::from_secs(5),
            misses: 2,
            activity: "away".to_owned(),
            returns: true,
            activities: BTreeMap::new(),
            required: BTreeSet::new(),
        }
    }
}

impl HeartbeatTerms {
    /// How soon after one heartbeat the next is wanted.
    pub fn every(&self) -> Duration {
        self.within / (self.misses + 1)
    }
}

impl Heartbeats {
    /// Waits for those who are required, from now on.
    pub fn new(now: Timestamp, terms: HeartbeatTerms) -> Self {
        let mut heartbeats = Self {
            terms: HeartbeatTerms::default(),
            watched: BTreeMap::new(),
            deadlines: BTreeSet::new(),
        };
        heartbeats.set_terms(now, terms, |_| true);
        heartbeats
    }

    /// Other terms hold from now on; who is no agent any more is forgotten.
    pub fn set_terms(
        &mut self,
        now: Timestamp,
        terms: HeartbeatTerms,
        is_agent: impl Fn(&str) -> bool,
    ) {
        self.terms = terms;
        self.watched.retain(|agent, _| is_agent(agent));
        for agent in &self.terms.required {
            self.watched.entry(agent.clone()).or_insert(Watch {
                heard: now,
                gone: false,
                before: None,
            });
        }
        let living = self.watched.iter().filter(|(_, watch)| !watch.gone);
        let deadlines =
            living.map(|(agent, watch)| (watch.heard + self.terms.within, agent.clone()));
        self.deadlines = deadlines.collect();
    }

    /// The terms that hold.
    pub fn terms(&self) -> &HeartbeatTerms {
        &self.terms
    }

    /// Whether an agent was found to be gone and not heard since: what he is now is to be asked of
    /// whoever was told so, not of a picture that may be older.
    pub fn is_gone(&self, agent: &str) -> bool {
        self.watched.get(agent).is_some_and(|watch| watch.gone)
    }

    /// An agent is heard. What he is to be, if not what he is.
    pub fn beat(&mut self, now: Timestamp, agent: &str, present: &Present) -> Option<Change> {
        let within = self.terms.within;
        let before = self.watched.insert(
            agent.to_owned(),
            Watch {
                heard: now,
                gone: false,
                before: None,
            },
        );
        if let Some(before) = &before {
            self.deadlines
                .remove(&(before.heard + within, agent.to_owned()));
        }
        self.deadlines.insert((now + within, agent.to_owned()));
        let (activity, by) = before?.before?;
        // Somebody may have chosen for him meanwhile, even the same activity.
        let is_ours = !present.available && present.reason.contains(&by);
        (self.terms.returns && is_ours).then(|| Change {
            agent: agent.to_owned(),
            activity,
            by: "heartbeat again".to_owned(),
            is_gone: false,
        })
    }

    /// His program says goodbye: he stays what he is, and is waited for no more.
    pub fn forget(&mut self, agent: &str) -> bool {
        let watch = self.watched.remove(agent);
        if let Some(watch) = &watch {
            let at = watch.heard + self.terms.within;
            self.deadlines.remove(&(at, agent.to_owned()));
        }
        watch.is_some()
    }

    /// Time has passed: what those are to be who are gone.
    pub fn handle_timeout(
        &mut self,
        now: Timestamp,
        present: impl Fn(&str) -> Option<Present>,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some((at, _)) = self.deadlines.first() {
            if *at > now {
                break;
            }
            let Some((_, agent)) = self.deadlines.pop_first() else {
                break;
            };
            let Some(watch) = self.watched.get_mut(&agent) else {
                continue;
            };
            watch.gone = true;
            // Who takes no calls anyway stays what he chose.
            let Some(is) = present(&agent).filter(|is| is.available) else {
                continue;
            };
            let silent = now.since(watch.heard).as_millis();
            let by = format!("heartbeat missing for {silent} ms");
            watch.before = Some((is.activity, by.clone()));
            let own = self.terms.activities.get(&agent);
            changes.push(Change {
                activity: own.unwrap_or(&self.terms.activity).clone(),
                agent,
                by,
                is_gone: true,
            });
        }
        changes
    }

    /// When to call [`Heartbeats::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Agents in a router that does what it is told.
    struct Office {
        heartbeats: Heartbeats,
        agents: BTreeMap<String, Present>,
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn present(activity: &str, by: &str) -> Present {
        Present {
            activity: activity.to_owned(),
            available: activity == "available",
            reason: format!("set by {by}"),
        }
    }

    impl Office {
        fn new(terms: HeartbeatTerms) -> Self {
            let agents = ["sato", "emma"].map(|name| (name.to_owned(), present("available", "x")));
            Self {
                heartbeats: Heartbeats::new(at(0), terms),
                agents: agents.into(),
            }
        }

        fn beat(&mut self, ms: i64, agent: &str) {
            let change = self.heartbeats.beat(at(ms), agent, &self.agents[agent]);
            self.carry_out(change.into_iter().collect());
        }

        fn wait(&mut self, ms: i64) {
            let agents = self.agents.clone();
            let changes = self
                .heartbeats
                .handle_timeout(at(ms), |agent| agents.get(agent).cloned());
            self.carry_out(changes);
        }

        fn carry_out(&mut self, changes: Vec<Change>) {
            for change in changes {
                let is = present(&change.activity, &change.by);
                self.agents.insert(change.agent, is);
            }
        }

        fn activity(&self, agent: &str) -> &str {
            &self.agents[agent].activity
        }
    }

    #[test]
    fn who_is_heard_no_more_is_away_within_the_time_and_back_as_he_was() {
        let mut office = Office::new(HeartbeatTerms::default());
        assert_eq!(office.heartbeats.poll_timeout(), None, "nobody uses it");
        office.beat(1_000, "sato");
        office.beat(2_600, "sato");
        assert_eq!(office.heartbeats.poll_timeout(), Some(at(7_600)));
        office.wait(7_599);
        assert_eq!(office.activity("sato"), "available");
        office.wait(7_600);
        assert_eq!(office.activity("sato"), "away");
        assert!(office.agents["sato"].reason.contains("missing for 5000 ms"));
        assert_eq!(office.activity("emma"), "available", "she uses none");
        assert_eq!(office.heartbeats.poll_timeout(), None, "said once");
        office.beat(60_000, "sato");
        assert_eq!(office.activity("sato"), "available");
        assert_eq!(office.heartbeats.poll_timeout(), Some(at(65_000)));
    }

    #[test]
    fn what_was_chosen_meanwhile_stays() {
        for chosen in ["lunch", "away", "available"] {
            let mut office = Office::new(HeartbeatTerms::default());
            office.beat(0, "sato");
            office.wait(5_000);
            let is = present(chosen, "supervisor");
            office.agents.insert("sato".to_owned(), is);
            office.beat(6_000, "sato");
            assert_eq!(office.activity("sato"), chosen);
            // And he is watched again, of course.
            office.wait(11_000);
            assert_ne!(office.activity("sato"), "available");
        }
    }

    #[test]
    fn who_is_away_by_his_own_choice_stays_so() {
        let mut office = Office::new(HeartbeatTerms::default());
        office.beat(0, "sato");
        let lunch = present("lunch", "phone 1001");
        office.agents.insert("sato".to_owned(), lunch.clone());
        office.wait(5_000);
        office.beat(9_000, "sato");
        assert_eq!(office.agents["sato"], lunch);
    }

    #[test]
    fn terms_are_the_offices_and_some_agents_have_their_own() {
        let mut office = Office::new(HeartbeatTerms {
            within: Duration::from_secs(3),
            returns: false,
            activities: [("emma".to_owned(), "lunch".to_owned())].into(),
            required: ["emma".to_owned()].into(),
            ..HeartbeatTerms::default()
        });
        assert_eq!(office.heartbeats.terms().every(), Duration::from_secs(1));
        office.wait(3_000);
        assert_eq!(office.activity("emma"), "lunch", "never heard");
        office.beat(4_000, "emma");
        assert_eq!(office.activity("emma"), "lunch", "she comes back herself");
    }

    #[test]
    fn who_says_goodbye_is_waited_for_no_more() {
        let mut office = Office::new(HeartbeatTerms::default());
        office.beat(0, "sato");
        assert!(office.heartbeats.forget("sato") && !office.heartbeats.forget("sato"));
        office.wait(60_000);
        assert_eq!(office.activity("sato"), "available");
    }

    #[test]
    fn other_terms_hold_for_who_is_watched_already() {
        let mut office = Office::new(HeartbeatTerms::default());
        office.beat(0, "sato");
        office.beat(0, "emma");
        let terms = HeartbeatTerms {
            within: Duration::from_secs(20),
            ..HeartbeatTerms::default()
        };
        let heartbeats = &mut office.heartbeats;
        heartbeats.set_terms(at(1_000), terms, |agent| agent != "emma");
        assert_eq!(heartbeats.poll_timeout(), Some(at(20_000)));
        office.wait(20_000);
        assert_eq!(office.activity("sato"), "away");
        assert_eq!(office.activity("emma"), "available", "no agent any more");
        // A deadline of old terms is not left behind.
        office.beat(30_000, "sato");
        office.beat(31_000, "sato");
        assert_eq!(office.heartbeats.deadlines.len(), 1);
    }
}
