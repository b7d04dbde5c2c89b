//! What callers and agents did, so that they can do it again in another order.
//!
//! Assumptions, all in one place: a caller who hung up while he waited does so after the same wait;
//! one who was answered would have waited for ever. A conversation takes as long as it took; one
//! that never was, the median of its queue. An agent does with the offer of a call what he did with
//! it; with one he never had, what he did with his others, one after the other, so that he misses
//! and declines as often as he did and takes as long; one of whom nothing is known answers after
//! the median of all.

use std::collections::HashMap;
use std::time::Duration;

use super::figures::ABANDONED;
use super::happening::{Happening, happenings};
use super::past::{Error, Past};
use crate::base::{CallId, ReservationId, TaskId, Timestamp};
use crate::router::{Fact, Rejection};

/// What callers and agents of a past did.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    callers: HashMap<TaskId, Caller>,
    answers: HashMap<(TaskId, String), Vec<Answer>>,
    /// What each agent did with his offers, one after the other.
    habits: HashMap<String, Vec<Answer>>,
    answer_after: Medians,
    talk: Medians,
    /// Whether callers are led away when nobody can take them.
    leaves_when_nobody: bool,
}

/// What is known of a caller.
#[derive(Clone, Debug, Default)]
struct Caller {
    call: Option<CallId>,
    queue: String,
    entered: Timestamp,
    /// When he left without having been answered, since he came, and why.
    patience: Option<(Duration, String)>,
    answered: Option<Timestamp>,
    talk: Option<Duration>,
    /// After how much after-call work the agent ended it by hand, and with what code.
    wrap: Option<(Duration, Option<String>)>,
    /// When he wanted more of it, since its beginning, and how much.
    more: Vec<(Duration, Duration)>,
}

/// What an agent did with an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// He answered after this time; and maybe was gone so much later.
    Accepts(Duration, Option<(Duration, Rejection)>),
    /// He did not take it, after this time.
    Rejects(Duration, Rejection),
    /// He let it ring.
    LetsRing,
}

/// Medians by name, and of all.
#[derive(Clone, Debug, Default)]
struct Medians {
    seen: HashMap<String, Vec<Duration>>,
    by_name: HashMap<String, Duration>,
    of_all: Option<Duration>,
}

impl Behaviour {
    /// What the facts of a past say of callers and agents.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn of(past: &Past, owner_key: &str) -> Result<Self, Error> {
        let mut behaviour = Self::default();
        let mut open = Open::default();
        for entry in &past.entries {
            for happening in happenings(&Fact::decode(entry)?, owner_key) {
                behaviour.note(entry.at, happening, &mut open);
            }
        }
        behaviour.answer_after.close();
        behaviour.talk.close();
        Ok(behaviour)
    }

    /// What an agent does with the `nth` offer of a task, the first being 0; `None` when he never
    /// had it.
    pub(super) fn answer(&self, task: &TaskId, worker: &str, nth: usize) -> Option<Answer> {
        let key = (task.clone(), worker.to_owned());
        self.answers.get(&key)?.get(nth).copied()
    }

    /// What an agent does with the `nth` of those offers that he never had.
    pub(super) fn habit(&self, worker: &str, nth: usize) -> Answer {
        match self.habits.get(worker) {
            Some(habits) if !habits.is_empty() => habits[nth % habits.len()],
            _ => Answer::Accepts(self.answer_after.of_all.unwrap_or(RINGS_FOR), None),
        }
    }

    /// When a caller who waits gives up, since he came, and why.
    pub(super) fn patience(&self, task: &TaskId) -> Option<(Duration, &str)> {
        let (time, why) = self.callers.get(task)?.patience.as_ref()?;
        (why != NOBODY || !self.leaves_when_nobody).then_some((*time, why))
    }

    /// How long a conversation takes.
    pub(super) fn talk(&self, task: &TaskId) -> Duration {
        let caller = self.callers.get(task);
        let own = caller.and_then(|caller| caller.talk);
        own.or_else(|| self.talk.of(caller.map_or("", |caller| &caller.queue)))
            .unwrap_or(TALKS_FOR)
    }

    /// How long after-call work takes that the agent ends by hand, and the code he gives.
    pub(super) fn wrap(&self, task: &TaskId) -> Option<(Duration, Option<String>)> {
        self.callers.get(task)?.wrap.clone()
    }

    /// After how much after-call work the agent wants more, and how much.
    pub(super) fn more_wrap(&self, task: &TaskId) -> &[(Duration, Duration)] {
        self.callers.get(task).map_or(&[], |caller| &caller.more)
    }

    /// Why a caller leaves when nobody can take him; `None` when he stays.
    pub(super) fn leaves_when_nobody(&self) -> Option<&'static str> {
        self.leaves_when_nobody.then_some(NOBODY)
    }

    /// Whether it is known when a task came.
    pub(super) fn knows(&self, task: &TaskId) -> bool {
        self.callers.contains_key(task)
    }

    fn note(&mut self, at: Timestamp, happening: Happening, open: &mut Open) {
        match happening {
            Happening::Arrived {
                task, call, queue, ..
            } => {
                let caller = Caller {
                    call,
                    queue,
                    entered: at,
                    ..Caller::default()
                };
                open.tasks.insert(task.clone(), Vec::new());
                self.callers.insert(task, caller);
            }
            Happening::Offered {
                reservation,
                task,
                worker,
            } => {
                let key = (task, worker);
                let answers = self.answers.entry(key.clone()).or_default();
                // Until something is heard of it: the caller hung up meanwhile, and nobody knows
                // what the agent would have done.
                answers.push(Answer::Accepts(RINGS_FOR, None));
                let place = answers.len() - 1;
                let offers = open.tasks.entry(key.0.clone()).or_default();
                offers.push(reservation.clone());
                open.offers.insert(reservation, Offer { key, place, at });
            }
            Happening::Accepted { reservation } => {
                let Some(Offer {
                    key,
                    place,
                    at: from,
                }) = open.offers.get(&reservation)
                else {
                    return;
                };
                let (key, place, from) = (key.clone(), *place, *from);
                self.too_late(&key.0, &reservation, open);
                let after = at.since(from);
                self.answer_after.see(&key.1, after);
                self.set(&key, place, Answer::Accepts(after, None));
                open.talking.insert(key.0.clone(), key.1.clone());
                if let Some(caller) = self.callers.get_mut(&key.0) {
                    caller.answered = Some(at);
                }
            }
            Happening::GivenBack { reservation, why } => {
                let Some(Offer {
                    key,
                    place,
                    at: from,
                }) = open.offers.remove(&reservation)
                else {
                    return;
                };
                open.talking.remove(&key.0);
                let caller = self.callers.get_mut(&key.0);
                let answered = caller.and_then(|caller| caller.answered.take());
                let answered = answered.unwrap_or(from);
                let gone = Some((at.since(answered), why));
                let answer = Answer::Accepts(answered.since(from), gone);
                self.set(&key, place, answer);
            }
            Happening::Rejected { reservation, why } => {
                if let Some(Offer {
                    key,
                    place,
                    at: from,
                }) = open.offers.remove(&reservation)
                {
                    let answer = Answer::Rejects(at.since(from), why);
                    self.set(&key, place, answer);
                }
            }
            Happening::RangOut { reservation } => {
                if let Some(Offer { key, place, .. }) = open.offers.remove(&reservation) {
                    self.set(&key, place, Answer::LetsRing);
                }
            }
            Happening::Left { task, why } => self.end(at, &task, &why, open),
            Happening::Completed { task } => self.end(at, &task, "", open),
            Happening::Dropped { task } => {
                open.tasks.remove(&task);
            }
            Happening::WrapEnded { worker, code } => {
                let after = open.wrapping.remove(&worker);
                if let Some((task, since)) = after
                    && let Some(caller) = self.callers.get_mut(&task)
                {
                    caller.wrap = Some((at.since(since), code));
                }
            }
            Happening::WrapExtended { worker, by } => {
                if let Some((task, since)) = open.wrapping.get(&worker)
                    && let Some(caller) = self.callers.get_mut(task)
                {
                    caller.more.push((at.since(*since), by));
                }
            }
            Happening::Restarted { calls, .. } => {
                let mut lost: Vec<TaskId> = open.tasks.keys().cloned().collect();
                lost.retain(|task| {
                    let call = self
                        .callers
                        .get(task)
                        .and_then(|caller| caller.call.as_ref());
                    call.is_some_and(|call| !calls.contains(call))
                });
                for task in lost {
                    self.end(at, &task, "restart", open);
                }
            }
            Happening::Asks { .. }
            | Happening::NobodyCanTake { .. }
            | Happening::Reachable { .. } => {}
        }
    }

    fn set(&mut self, key: &(TaskId, String), place: usize, answer: Answer) {
        let known = self.answers.get_mut(key);
        if let Some(known) = known.and_then(|answers| answers.get_mut(place)) {
            *known = answer;
        }
        let habits = self.habits.entry(key.1.clone()).or_default();
        match (habits.last_mut(), answer) {
            // The same offer: he answered, and was gone.
            (Some(last), Answer::Accepts(_, Some(_))) => *last = answer,
            _ => habits.push(answer),
        }
    }

    /// Of several agents who were rung, one answered: what the others would have done nobody knows.
    fn too_late(&mut self, task: &TaskId, winner: &ReservationId, open: &mut Open) {
        let Some(offers) = open.tasks.get_mut(task) else {
            return;
        };
        offers.retain(|reservation| {
            reservation == winner || {
                if let Some(Offer { key, place, .. }) = open.offers.remove(reservation)
                    && let Some(answers) = self.answers.get_mut(&key)
                {
                    answers.truncate(place);
                }
                false
            }
        });
    }

    fn end(&mut self, at: Timestamp, task: &TaskId, why: &str, open: &mut Open) {
        let offers = open.tasks.remove(task).unwrap_or_default();
        let offers: Vec<Offer> = offers
            .into_iter()
            .filter_map(|reservation| open.offers.remove(&reservation))
            .collect();
        let Some(caller) = self.callers.get_mut(task) else {
            return;
        };
        match caller.answered {
            Some(answered) => {
                let talk = at.since(answered);
                caller.talk = Some(talk);
                self.talk.see(&caller.queue, talk);
                if let Some(worker) = open.talking.remove(task) {
                    open.wrapping.insert(worker, (task.clone(), at));
                }
            }
            None => {
                self.leaves_when_nobody |= why == NOBODY;
                let why = if why.is_empty() { ABANDONED } else { why };
                caller.patience = Some((at.since(caller.entered), why.to_owned()));
                // Offers that were out say nothing of the agents.
                for Offer { key, place, .. } in offers {
                    if let Some(answers) = self.answers.get_mut(&key) {
                        answers.truncate(place);
                    }
                }
            }
        }
    }
}

/// What is not over yet while facts are read.
#[derive(Debug, Default)]
struct Open {
    tasks: HashMap<TaskId, Vec<ReservationId>>,
    offers: HashMap<ReservationId, Offer>,
    talking: HashMap<TaskId, String>,
    wrapping: HashMap<String, (TaskId, Timestamp)>,
}

/// An offer of which something may be heard yet.
#[derive(Debug)]
struct Offer {
    key: (TaskId, String),
    place: usize,
    at: Timestamp,
}

impl Medians {
    fn see(&mut self, name: &str, time: Duration) {
        self.seen.entry(name.to_owned()).or_default().push(time);
    }

    fn close(&mut self) {
        let mut all = Vec::new();
        for (name, mut times) in std::mem::take(&mut self.seen) {
            all.extend_from_slice(&times);
            if let Some(median) = median(&mut times) {
                self.by_name.insert(name, median);
            }
        }
        self.of_all = median(&mut all);
    }

    fn of(&self, name: &str) -> Option<Duration> {
        self.by_name.get(name).copied().or(self.of_all)
    }
}

fn median(times: &mut [Duration]) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// The word for callers who are led away because nobody can take them.
const NOBODY: &str = "nobody_available";

/// How long an agent rings of whom nothing is known, nor of any other.
const RINGS_FOR: Duration = Duration::from_secs(5);

/// How long a conversation takes when none was seen.
const TALKS_FOR: Duration = Duration::from_secs(180);
