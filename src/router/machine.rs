//! The router itself: commands and deadlines in, facts and outputs out.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::fact::{self, Decision, Fact, FoldError, Timer};
use super::index::{Deadline, Index, PoolId};
use super::judge::Effect;
use super::state::State;
use super::{Command, Event, Explanation, Output, Refusal, Released, WorkerState};
use crate::base::{CallId, ReservationId, TaskId, Timestamp};
use crate::journal::{Entry, EventEntry, Snapshot};

/// One shard's router.
///
/// Every change is a fact: written by [`Router::take_facts`], applied in memory at once. What it
/// says outside ([`Router::poll_output`]) must wait until the facts behind it are written.
#[derive(Clone, Debug, Default)]
pub struct Router {
    pub(super) state: State,
    pub(super) index: Index,
    pub(super) dirty: Dirty,
    pub(super) told: Told,
    pub(super) outputs: VecDeque<Released>,
    /// With the facts they follow from.
    pub(super) events: Vec<(u64, Event)>,
    facts: Vec<Entry>,
    /// Latest time it was told; becomes `State::clock` with the next fact.
    now: Timestamp,
}

/// What must be looked at before a command or deadline is done with.
#[derive(Clone, Debug, Default)]
pub(super) struct Dirty {
    /// Everything: match all pending tasks in order.
    pub(super) everything: bool,
    /// Tasks that became pending.
    pub(super) tasks: BTreeSet<u64>,
    /// Workers who became free.
    pub(super) free: BTreeSet<usize>,
    /// Pools some member of which left duty.
    pub(super) deserted: BTreeSet<PoolId>,
    /// Queues whose line changed.
    pub(super) lines: BTreeSet<usize>,
    /// Workers who changed.
    pub(super) workers: BTreeSet<usize>,
}

/// What was said before, so that only changes are said. No part of the state: after a restart
/// things may be said once more.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) positions: HashMap<u64, usize>,
    pub(super) workers: HashMap<String, (String, bool, bool, WorkerState)>,
}

impl Router {
    /// A router without a plan.
    pub fn new(shard: u16) -> Self {
        Self {
            state: State {
                shard,
                ..State::default()
            },
            ..Self::default()
        }
    }

    /// The router that a snapshot describes.
    pub fn restore(snapshot: &Snapshot) -> Result<Self, FoldError> {
        fact::known(snapshot.format, snapshot.sequence)?;
        let unreadable = |source| FoldError::Unreadable {
            sequence: snapshot.sequence,
            source,
        };
        let state: State = serde_json::from_str(&snapshot.body).map_err(unreadable)?;
        Ok(Self {
            index: Index::build(&state),
            state,
            ..Self::default()
        })
    }

    /// Takes up one more fact from the journal. Says nothing and decides nothing; what events
    /// follow from it can be taken until the next one.
    pub fn fold(&mut self, entry: &Entry) -> Result<(), FoldError> {
        if entry.shard != self.state.shard || entry.sequence != self.state.sequence + 1 {
            return Err(FoldError::Gap {
                shard: entry.shard,
                last: self.state.sequence,
                found: entry.sequence,
            });
        }
        let fact = Fact::decode(entry)?;
        self.state.clock = self.state.clock.max(entry.at);
        self.state.sequence = entry.sequence;
        self.events.clear();
        self.apply(fact);
        self.dirty = Dirty {
            everything: true,
            ..Dirty::default()
        };
        self.told = Told::default();
        self.outputs.clear();
        Ok(())
    }

    /// Takes it that what was folded leaves nothing to decide, as is so before every input and
    /// timer of a journal: what comes next is then decided in the same order as by the machine
    /// that lived through it. Not after a restart, when its last decisions may be lost.
    pub fn settled(mut self) -> Self {
        self.dirty = Dirty::default();
        self
    }

    /// Everything known now, for [`Router::restore`].
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            shard: self.state.shard,
            sequence: self.state.sequence,
            at: self.state.clock,
            format: fact::FORMAT,
            body: serde_json::to_string(&self.state)
                .expect("the state has string keys only, so it always serialises"),
        }
    }

    /// Everything known now: equal for equal facts.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Sequence of the last fact.
    pub fn sequence(&self) -> u64 {
        self.state.sequence
    }

    /// Takes a command. What is wrong with it comes out as [`Output::Refused`].
    pub fn handle(&mut self, now: Timestamp, command: Command) {
        if let Err((command, why)) = self.carry_out(now, command) {
            self.say(Output::Refused { command, why });
        }
    }

    /// As [`Router::handle`], for who waits for the outcome: what is wrong comes back, with the
    /// command.
    pub fn carry_out(
        &mut self,
        now: Timestamp,
        command: Command,
    ) -> Result<(), (Box<Command>, Refusal)> {
        self.now = self.now.max(now);
        match self.judge(&command) {
            Err(why) => return Err((Box::new(command), why)),
            Ok(Effect::None) => {}
            Ok(Effect::Some) => {
                self.record(Fact::Input(command));
                self.settle();
            }
        }
        Ok(())
    }

    /// Lets passed deadlines act, the earliest first.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some((at, deadline)) = self.index.deadlines.first().copied() {
            if at > self.now.max(self.state.clock) {
                return;
            }
            let timer = self.timer(deadline);
            // Gone, and put back only by what still wants it, at the same instant perhaps: another
            // offer of the task, other after-call work of the worker. So the loop ends even if
            // state and index disagree.
            self.index.expire(at, deadline);
            if let Some(timer) = timer {
                self.record(Fact::Timer(timer));
                self.settle();
            }
        }
    }

    /// When [`Router::handle_timeout`] is wanted next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.index.deadlines.first().map(|(at, _)| *at)
    }

    /// Facts that are not yet handed out for writing, in order.
    pub fn take_facts(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.facts)
    }

    /// Events that are not yet handed out, in order; to be written with the facts, and to be taken
    /// with them: they are gone with the first fact after.
    pub fn take_events(&mut self) -> Vec<EventEntry> {
        let shard = self.state.shard;
        let events = std::mem::take(&mut self.events).into_iter();
        events
            .map(|(fact, event)| event.encode(shard, fact))
            .collect()
    }

    /// Number of the last event.
    pub fn last_event(&self) -> u64 {
        self.state.events
    }

    /// The next output; not to be acted on before its sequence is written.
    pub fn poll_output(&mut self) -> Option<Released> {
        self.outputs.pop_front()
    }

    /// Why a waiting task is where it is: who was looked at, and why none of them has it.
    /// For one that is offered or assigned: why its worker was chosen, then, and who else is there.
    pub fn explain(&self, task: &TaskId) -> Option<Explanation> {
        let number = *self.index.tasks.get(task)?;
        let known = self.state.tasks.get(&number)?;
        let places = known
            .holders()
            .filter_map(|(worker, _)| self.state.workers.get_index_of(worker));
        let mut explanation = self.explanation(number, &places.collect::<Vec<_>>())?;
        if let Some((holder, _)) = known.holders().next() {
            let mut chosen = known.chosen.iter();
            let then = chosen.find(|chosen| chosen.worker == *holder);
            explanation.chosen = then.cloned().or(explanation.chosen);
        }
        Some(explanation)
    }

    /// The latest time it was told.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// The task of a call.
    pub fn task_of(&self, call: &CallId) -> Option<TaskId> {
        let mut tasks = self.state.tasks.values();
        tasks
            .find(|task| task.call.as_ref() == Some(call))
            .map(|task| task.id.clone())
    }

    /// Puts down a fact and applies it.
    pub(super) fn record(&mut self, fact: Fact) {
        if self.facts.is_empty() {
            // Of facts that were taken: who did not want their events needs no others either.
            self.events.clear();
        }
        self.state.sequence += 1;
        self.state.clock = self.state.clock.max(self.now);
        let State {
            shard,
            sequence,
            clock,
            ..
        } = self.state;
        self.facts.push(fact.encode(shard, sequence, clock));
        self.apply(fact);
    }

    pub(super) fn decide(&mut self, decision: Decision) {
        self.record(Fact::Decision(decision));
    }

    pub(super) fn say(&mut self, output: Output) {
        self.outputs.push_back(Released {
            sequence: self.state.sequence,
            output,
        });
    }

    fn timer(&self, deadline: Deadline) -> Option<Timer> {
        let worker = |place| self.state.workers.get_index(place);
        let name = |place| Some(worker(place)?.0.clone());
        let task = |number| self.state.tasks.get(&number);
        let id = |number| Some(task(number)?.id.clone());
        Some(match deadline {
            Deadline::Cooling {
                task,
                worker: place,
            } => Timer::CoolDownOver {
                task: id(task)?,
                worker: name(place)?,
            },
            Deadline::Life { task } => Timer::TaskOver { task: id(task)? },
            Deadline::NewDay => Timer::NewDay,
            Deadline::Pause { worker: place } => Timer::PauseOver {
                worker: name(place)?,
            },
            Deadline::Ring { task: number } => {
                let due = task(number)?.reservations().iter();
                let due = due.min_by_key(|one| one.expires_at)?;
                Timer::RingTimeout {
                    reservation: due.id.clone(),
                }
            }
            Deadline::Step { task } => Timer::StepOver { task: id(task)? },
            Deadline::Visible { task } => Timer::Visible { task: id(task)? },
            Deadline::Wrap { worker: place } => {
                let (name, worker) = worker(place)?;
                let wraps = worker.wraps().filter(|wrap| wrap.until.is_some());
                let due = wraps.min_by_key(|wrap| wrap.until)?;
                Timer::WrapOver {
                    worker: name.clone(),
                    task: due.after.as_ref().map(|after| after.task.clone()),
                }
            }
        })
    }
}

/// The id of a task's next offer; `at` is its place among those of one attempt, from 0.
///
/// After the last dot are digits, or digits, `-` and digits; before it is the task, whatever its
/// id. So an id can be read in one way only, and no two offers that are out have the same.
pub(super) fn reservation_id(task: &TaskId, attempt: u32, at: usize) -> ReservationId {
    ReservationId::new(match at {
        0 => format!("{task}.{attempt}"),
        _ => format!("{task}.{attempt}-{}", at + 1),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Task ids with dots, hyphens and digits: whatever is equal is of one task and one offer.
        #[test]
        fn no_two_offers_have_the_same_id(
            tasks in proptest::array::uniform2("[1-2.-]{1,6}"),
            attempts in proptest::array::uniform2(1..25u32),
            places in proptest::array::uniform2(0..25usize),
        ) {
            let id = |n: usize| reservation_id(&TaskId::new(tasks[n].as_str()), attempts[n], places[n]);
            let is_same = (&tasks[0], attempts[0], places[0]) == (&tasks[1], attempts[1], places[1]);
            prop_assert_eq!(id(0) == id(1), is_same);
            // Read back, it is the one it was made of.
            let (id, task) = (id(0), TaskId::new(tasks[0].as_str()));
            let (before, after) = id.as_str().rsplit_once('.').expect("it has a dot");
            let (attempt, place) = after.split_once('-').unwrap_or((after, "1"));
            prop_assert_eq!(before, task.as_str());
            prop_assert_eq!(attempt.parse::<u32>(), Ok(attempts[0]));
            prop_assert_eq!(place.parse::<usize>(), Ok(places[0] + 1));
        }
    }
}
