//! The router itself: commands and deadlines in, facts and outputs out.

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde_json::{Map, Value};

use super::fact::{self, Decision, Fact, FoldError, Timer};
use super::index::{Deadline, Index};
use super::state::{Engagement, State, Status};
use super::{Command, Explanation, Output, Plan, Refusal, Released, WorkerState};
use crate::base::{CallId, ReservationId, TaskId, Timestamp};
use crate::journal::{Entry, Snapshot};

/// Most bytes of a task's attributes, as JSON.
const MAX_ATTRIBUTES: usize = 64 * 1024;

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
    /// Queues some worker of which left duty.
    pub(super) deserted: BTreeSet<usize>,
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

    /// Takes up one more fact from the journal. Says nothing and decides nothing.
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
        self.now = self.now.max(now);
        match self.judge(&command) {
            Err(why) => self.say(Output::Refused {
                command: Box::new(command),
                why,
            }),
            Ok(Effect::None) => {}
            Ok(Effect::Some) => {
                self.record(Fact::Input(command));
                self.settle();
            }
        }
    }

    /// Lets passed deadlines act, the earliest first.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some((at, deadline)) = self.index.deadlines.first().copied() {
            if at > self.now.max(self.state.clock) {
                return;
            }
            if let Some(timer) = self.timer(deadline) {
                self.record(Fact::Timer(timer));
                self.settle();
            }
            // Gone by now, unless state and index disagree; a loop must end even so.
            self.index.deadlines.remove(&(at, deadline));
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

    /// The next output; not to be acted on before its sequence is written.
    pub fn poll_output(&mut self) -> Option<Released> {
        self.outputs.pop_front()
    }

    /// Why a waiting task is where it is: who was looked at, and why none of them has it.
    /// For one that is offered or assigned: who else was there.
    pub fn explain(&self, task: &TaskId) -> Option<Explanation> {
        let number = *self.index.tasks.get(task)?;
        let holder = self.state.tasks.get(&number)?.holder();
        let worker = holder.and_then(|(worker, _)| self.state.workers.get_index_of(worker));
        self.explanation(number, worker)
    }

    /// The task of a call.
    pub fn task_of(&self, call: &CallId) -> Option<TaskId> {
        let mut tasks = self.state.tasks.values();
        tasks
            .find(|task| task.call == *call)
            .map(|task| task.id.clone())
    }

    /// Puts down a fact and applies it.
    pub(super) fn record(&mut self, fact: Fact) {
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
        let worker = |place| Some(self.state.workers.get_index(place)?.0.clone());
        let task = |number| self.state.tasks.get(&number);
        Some(match deadline {
            Deadline::Cooling {
                task: number,
                worker: place,
            } => Timer::CoolDownOver {
                task: task(number)?.id.clone(),
                worker: worker(place)?,
            },
            Deadline::Pause { worker: place } => Timer::PauseOver {
                worker: worker(place)?,
            },
            Deadline::Ring { task: number } => Timer::RingTimeout {
                reservation: task(number)?.holder()?.1.clone(),
            },
            Deadline::Wrap { worker: place } => Timer::WrapOver {
                worker: worker(place)?,
            },
        })
    }

    /// Whether a command may be carried out, and whether it would change anything.
    fn judge(&self, command: &Command) -> Result<Effect, Refusal> {
        match command {
            Command::Accept { reservation } | Command::Reject { reservation, .. } => {
                let task = self.index.reservations.get(reservation);
                let task = task.and_then(|number| self.state.tasks.get(number));
                match task.map(|task| &task.status) {
                    Some(Status::Reserved { .. }) => Ok(Effect::Some),
                    Some(Status::Assigned { .. }) => Err(Refusal::AlreadyAccepted),
                    Some(Status::Pending) | None => Err(Refusal::ReservationOver),
                }
            }
            Command::ActivatePlan { plan } => self.judge_plan(plan),
            Command::CancelTask { task, .. } => match self.index.tasks.contains_key(task) {
                true => Ok(Effect::Some),
                false => Err(Refusal::UnknownTask),
            },
            Command::Complete { task } => {
                let number = self.index.tasks.get(task).ok_or(Refusal::UnknownTask)?;
                match self.state.tasks.get(number) {
                    Some(task) if task.is_assigned() => Ok(Effect::Some),
                    _ => Err(Refusal::NotAssigned),
                }
            }
            Command::CreateTask {
                task,
                queue,
                attributes,
                ..
            } => self.judge_task(task, queue, attributes),
            Command::EndWrap { worker } => {
                let worker = self.state.workers.get(worker);
                match worker.ok_or(Refusal::UnknownWorker)?.engagement {
                    Engagement::WrapUp { .. } => Ok(Effect::Some),
                    _ => Err(Refusal::NotInWrapUp),
                }
            }
            Command::GiveBack { reservation, .. } => {
                let task = self.index.reservations.get(reservation);
                let task = task.and_then(|number| self.state.tasks.get(number));
                match task.map(|task| &task.status) {
                    Some(Status::Assigned { .. }) => Ok(Effect::Some),
                    Some(Status::Reserved { .. }) => Err(Refusal::NotAssigned),
                    Some(Status::Pending) | None => Err(Refusal::ReservationOver),
                }
            }
            Command::Recover { .. } => Ok(Effect::Some),
            Command::SetActivity {
                worker, activity, ..
            } => {
                if !self.state.workers.contains_key(worker) {
                    Err(Refusal::UnknownWorker)
                } else if !self.state.knows_activity(activity) {
                    Err(Refusal::UnknownActivity)
                } else {
                    Ok(Effect::Some)
                }
            }
            Command::SetReachable { worker, reachable } => {
                let worker = self.state.workers.get(worker);
                match worker.ok_or(Refusal::UnknownWorker)?.reachable == *reachable {
                    true => Ok(Effect::None),
                    false => Ok(Effect::Some),
                }
            }
        }
    }

    fn judge_plan(&self, plan: &Plan) -> Result<Effect, Refusal> {
        let errors = plan.check();
        if !errors.is_empty() {
            return Err(Refusal::InvalidPlan(errors));
        }
        let is_current = plan.generation == self.state.generation && plan.hash() == self.state.plan;
        Ok(if is_current {
            Effect::None
        } else {
            Effect::Some
        })
    }

    fn judge_task(
        &self,
        task: &TaskId,
        queue: &str,
        attributes: &Map<String, Value>,
    ) -> Result<Effect, Refusal> {
        if self.index.tasks.contains_key(task) {
            return Err(Refusal::DuplicateTask);
        }
        let (place, _, queue) = self
            .state
            .queues
            .get_full(queue)
            .ok_or(Refusal::UnknownQueue)?;
        if queue.draining {
            return Err(Refusal::UnknownQueue);
        }
        if self.index.queues[place].line.len() >= queue.spec.max_waiting {
            return Err(Refusal::QueueFull);
        }
        let mut room = Room(MAX_ATTRIBUTES);
        serde_json::to_writer(&mut room, attributes)
            .map(|()| Effect::Some)
            .map_err(|_| Refusal::AttributesTooLarge)
    }
}

/// Whether an acceptable command changes anything.
enum Effect {
    None,
    Some,
}

/// Counts down the bytes that may still be written.
struct Room(usize);

impl std::io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.0.checked_sub(bytes.len()) {
            Some(left) => self.0 = left,
            None => return Err(std::io::ErrorKind::WriteZero.into()),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The id of a task's next offer.
pub(super) fn reservation_id(task: &TaskId, attempt: u32) -> ReservationId {
    ReservationId::new(format!("{task}.{attempt}"))
}
