//! How a period went: waits, who left, who was reached, who did how much. A fold of facts.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;

use super::happening::{Happening, happenings};
use super::past::{Error, Past};
use crate::base::{CallId, ReservationId, TaskId, Timestamp};
use crate::router::Fact;

/// What figures are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Answered within this is good service. Default 20 s.
    pub target: Duration,
    /// Attribute of a task that names the agent it asks for. Default `owner`.
    pub owner: String,
}

/// How a period went. Calls count when they came in the period.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Calls that came into a queue.
    pub arrived: usize,
    /// Calls that no queue took.
    pub refused: usize,
    /// Calls an agent answered.
    pub answered: usize,
    /// Callers who hung up while they waited.
    pub abandoned: usize,
    /// Calls that left the queue otherwise, by why.
    pub left: BTreeMap<String, usize>,
    /// Calls that waited when the period ended.
    pub waiting: usize,
    /// Abandoned, of those that came, per cent.
    pub abandon_rate: f64,
    /// How long the answered ones waited.
    pub wait: Spread,
    /// How long those waited who hung up.
    pub abandoned_after: Spread,
    /// Answered within this counts.
    pub target_ms: u64,
    /// Answered within the target, of those that came, per cent: the stricter service level.
    pub service_level: f64,
    /// Answered or gone within the target, of those that came, per cent.
    pub left_within_target: f64,
    /// Calls that asked for an agent of theirs.
    pub owner_asked: usize,
    /// How many of them he answered.
    pub owner_reached: usize,
    /// The same, per cent.
    pub owner_rate: f64,
    /// What each agent did.
    pub agents: BTreeMap<String, Load>,
}

/// How lengths of time are spread, milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Half are not longer.
    pub p50_ms: u64,
    /// Nine of ten are not longer.
    pub p90_ms: u64,
    /// 99 of a hundred are not longer.
    pub p99_ms: u64,
    /// The arithmetic mean.
    pub mean_ms: u64,
}

/// What an agent did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Offers he got.
    pub offered: usize,
    /// Calls he answered.
    pub answered: usize,
    /// Offers he let ring.
    pub missed: usize,
    /// How long he talked, of calls that ended, milliseconds.
    pub talk_ms: u64,
}

/// Folds happenings into figures.
#[derive(Debug)]
pub(super) struct Ledger {
    terms: Terms,
    from: Timestamp,
    tasks: HashMap<TaskId, Caller>,
    calls: HashMap<CallId, TaskId>,
    offers: HashMap<ReservationId, (TaskId, String)>,
    agents: BTreeMap<String, Load>,
    waits: Vec<Duration>,
    abandons: Vec<Duration>,
    figures: Figures,
}

/// A caller in line or in conversation.
#[derive(Clone, Debug)]
struct Caller {
    entered: Timestamp,
    owner: Option<String>,
    /// Who answered, and when.
    answered: Option<(String, Timestamp)>,
}

impl Figures {
    /// How the period of a past went, as its facts say.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn of(past: &Past, terms: &Terms) -> Result<Self, Error> {
        let mut ledger = Ledger::new(terms, past.from);
        for entry in &past.entries {
            ledger.note(entry.at, &Fact::decode(entry)?);
        }
        Ok(ledger.close())
    }
}

impl Ledger {
    /// Calls count that come from `from` on.
    pub(super) fn new(terms: &Terms, from: Timestamp) -> Self {
        Self {
            terms: terms.clone(),
            from,
            tasks: HashMap::new(),
            calls: HashMap::new(),
            offers: HashMap::new(),
            agents: BTreeMap::new(),
            waits: Vec::new(),
            abandons: Vec::new(),
            figures: Figures::default(),
        }
    }

    /// Takes up a fact.
    pub(super) fn note(&mut self, at: Timestamp, fact: &Fact) {
        for happening in happenings(fact, &self.terms.owner) {
            self.take_note(at, happening);
        }
    }

    fn take_note(&mut self, at: Timestamp, happening: Happening) {
        match happening {
            Happening::Arrived {
                task, call, owner, ..
            } => {
                if let Some(call) = call {
                    self.calls.insert(call, task.clone());
                }
                let caller = Caller {
                    entered: at,
                    owner,
                    answered: None,
                };
                self.tasks.insert(task, caller);
            }
            Happening::Asks { task, worker } => {
                if let Some(caller) = self.tasks.get_mut(&task) {
                    caller.owner = Some(worker);
                }
            }
            Happening::Offered {
                reservation,
                task,
                worker,
            } => {
                self.load(at, &worker, |load| load.offered += 1);
                self.offers.insert(reservation, (task, worker));
            }
            Happening::Accepted { reservation } => {
                let Some((task, worker)) = self.offers.get(&reservation) else {
                    return;
                };
                if let Some(caller) = self.tasks.get_mut(task) {
                    caller.answered = Some((worker.clone(), at));
                }
            }
            Happening::GivenBack { reservation, .. } => {
                if let Some((task, _)) = self.offers.remove(&reservation)
                    && let Some(caller) = self.tasks.get_mut(&task)
                {
                    caller.answered = None;
                }
            }
            Happening::Rejected { reservation, .. } => {
                self.offers.remove(&reservation);
            }
            Happening::RangOut { reservation } => {
                if let Some((_, worker)) = self.offers.remove(&reservation) {
                    self.load(at, &worker, |load| load.missed += 1);
                }
            }
            Happening::Left { task, why } => self.end(at, &task, &why),
            Happening::Completed { task } => self.end(at, &task, "completed"),
            Happening::Dropped { task } => self.end(at, &task, "dropped"),
            Happening::Restarted { calls, .. } => {
                let lost: Vec<CallId> = self
                    .calls
                    .keys()
                    .filter(|call| !calls.contains(call))
                    .cloned()
                    .collect();
                for call in lost {
                    if let Some(task) = self.calls.remove(&call) {
                        self.end(at, &task, "restart");
                    }
                }
            }
            Happening::NobodyCanTake { .. }
            | Happening::Reachable { .. }
            | Happening::WrapEnded { .. }
            | Happening::WrapExtended { .. } => {}
        }
    }

    /// A call that no queue took.
    pub(super) fn refused(&mut self) {
        self.figures.refused += 1;
    }

    fn load(&mut self, at: Timestamp, worker: &str, change: impl FnOnce(&mut Load)) {
        if at >= self.from {
            change(self.agents.entry(worker.to_owned()).or_default());
        }
    }

    fn end(&mut self, at: Timestamp, task: &TaskId, why: &str) {
        let Some(caller) = self.tasks.remove(task) else {
            return;
        };
        let counts = caller.entered >= self.from;
        let waited = at.since(caller.entered);
        match &caller.answered {
            Some((worker, since)) => {
                let talk = millis(at.since((*since).max(self.from)));
                self.load(at, worker, |load| load.talk_ms += talk);
                self.answered(&caller);
            }
            None if !counts => {}
            None if why == ABANDONED => {
                self.figures.abandoned += 1;
                self.abandons.push(waited);
            }
            None => *self.figures.left.entry(why.to_owned()).or_default() += 1,
        }
        if counts {
            self.arrived(&caller);
        }
    }

    /// Counts a call that came, and whether it reached whom it asked for.
    fn arrived(&mut self, caller: &Caller) {
        self.figures.arrived += 1;
        if let Some(owner) = &caller.owner {
            self.figures.owner_asked += 1;
            let who = caller.answered.as_ref().map(|(worker, _)| worker);
            self.figures.owner_reached += usize::from(who == Some(owner));
        }
    }

    fn answered(&mut self, caller: &Caller) {
        let Some((worker, at)) = &caller.answered else {
            return;
        };
        self.load(*at, worker, |load| load.answered += 1);
        if caller.entered >= self.from {
            self.figures.answered += 1;
            self.waits.push(at.since(caller.entered));
        }
    }

    /// The figures; calls that are still there count by what they have come to.
    pub(super) fn close(mut self) -> Figures {
        for caller in std::mem::take(&mut self.tasks).into_values() {
            match caller.answered {
                Some(_) => self.answered(&caller),
                None if caller.entered >= self.from => self.figures.waiting += 1,
                None => {}
            }
            if caller.entered >= self.from {
                self.arrived(&caller);
            }
        }
        let within = |times: &[Duration]| {
            let target = self.terms.target;
            times.iter().filter(|time| **time <= target).count()
        };
        let (answered, gone) = (within(&self.waits), within(&self.abandons));
        let arrived = self.figures.arrived;
        Figures {
            abandon_rate: per_cent(self.figures.abandoned, arrived),
            wait: Spread::of(&mut self.waits),
            abandoned_after: Spread::of(&mut self.abandons),
            target_ms: millis(self.terms.target),
            service_level: per_cent(answered, arrived),
            left_within_target: per_cent(answered + gone, arrived),
            owner_rate: per_cent(self.figures.owner_reached, self.figures.owner_asked),
            agents: self.agents,
            ..self.figures
        }
    }
}

impl Spread {
    /// Of lengths in any order; percentiles are lengths that were there (nearest rank).
    fn of(times: &mut [Duration]) -> Self {
        times.sort_unstable();
        let Some(last) = times.len().checked_sub(1) else {
            return Self::default();
        };
        let rank = |per_cent: usize| {
            let rank = (times.len() * per_cent).div_ceil(100).max(1) - 1;
            millis(times[rank.min(last)])
        };
        let sum: Duration = times.iter().sum();
        Self {
            p50_ms: rank(50),
            p90_ms: rank(90),
            p99_ms: rank(99),
            mean_ms: millis(sum / u32::try_from(times.len()).unwrap_or(u32::MAX)),
        }
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            target: Duration::from_secs(20),
            owner: "owner".to_owned(),
        }
    }
}

fn per_cent(part: usize, whole: usize) -> f64 {
    match whole {
        0 => 0.0,
        _ => part as f64 * 100.0 / whole as f64,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The word for a caller who hung up while he waited.
pub(super) const ABANDONED: &str = "abandoned";
