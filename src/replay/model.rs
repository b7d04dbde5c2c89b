//! A past run with another plan: the machine decides anew, callers and agents do what they did
//! ([`Behaviour`]), and the clock is turned to whatever comes next.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::behaviour::{Answer, Behaviour};
use super::figures::{Figures, Ledger, Terms};
use super::happening::{self, Happening, Told, happenings};
use super::past::{Error, Past};
use crate::base::{ReservationId, TaskId, Timestamp};
use crate::router::{Command, Fact, Object, Plan, Refusal, Rejection, Router, Shown};

/// What came of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Modelled {
    /// How the period would have gone.
    pub figures: Figures,
    /// Facts the machine made.
    pub facts: usize,
}

/// Runs the period of a past with `plan`; with those of the day when `None`. Agents whom the day
/// did not know are there all the time.
///
/// # Errors
///
/// When facts of the past cannot be read.
pub fn model(
    past: &Past,
    behaviour: &Behaviour,
    plan: Option<&Plan>,
    terms: &Terms,
) -> Result<Modelled, Error> {
    let mut run = Run {
        router: past.router(past.start)?.settled(),
        behaviour,
        owner: &terms.owner,
        ledger: Ledger::new(terms, past.from),
        agenda: BTreeMap::new(),
        acts: 0,
        facts: 0,
        callers: HashMap::new(),
        offers: HashMap::new(),
        offered: HashMap::new(),
        strange: HashMap::new(),
        wrapping: HashMap::new(),
    };
    // What led up to the period happened as it did; what it leaves to be done is done.
    for entry in &past.entries[..past.start] {
        run.note(entry.at, &Fact::decode(entry)?);
    }
    run.agenda.retain(|(at, _), _| *at >= past.from);
    run.facts = 0;
    if let Some(plan) = plan {
        run.activate(past, plan)?;
    }
    run.plan(past, plan.is_some())?;
    run.go(past.until);
    Ok(Modelled {
        figures: run.ledger.close(),
        facts: run.facts,
    })
}

/// A model while it runs.
struct Run<'a> {
    router: Router,
    behaviour: &'a Behaviour,
    owner: &'a str,
    ledger: Ledger,
    /// What is to be done, in order.
    agenda: BTreeMap<(Timestamp, u64), Act>,
    acts: u64,
    facts: usize,
    callers: HashMap<TaskId, Caller>,
    offers: HashMap<ReservationId, (TaskId, String)>,
    /// How often a task was offered to a worker.
    offered: HashMap<(TaskId, String), usize>,
    /// How many offers a worker had that he did not have that day.
    strange: HashMap<String, usize>,
    wrapping: HashMap<String, TaskId>,
}

#[derive(Debug)]
struct Caller {
    entered: Timestamp,
    answered: Option<(String, Timestamp)>,
}

#[derive(Debug)]
enum Act {
    Accept(ReservationId),
    Arrive(Box<Command>),
    EndWrap(String, TaskId, Option<String>),
    ExtendWrap(String, TaskId, Duration),
    GiveBack(ReservationId, Rejection),
    /// The conversation that began then ends.
    HangUp(TaskId, Timestamp),
    Leave(TaskId, String),
    /// Phones that are registered after a restart.
    Phones(Vec<String>),
    Reject(ReservationId, Rejection),
    Tell(Box<Command>),
    /// About the after-call work that an agent began by hand.
    WrapUp(String, Box<Command>),
}

impl Run<'_> {
    /// Puts another plan in place of the one of the day.
    fn activate(&mut self, past: &Past, plan: &Plan) -> Result<(), Error> {
        let before = self.router.view();
        let mut known: HashMap<String, bool> = HashMap::new();
        for entry in &past.entries {
            for what in happenings(&Fact::decode(entry)?, self.owner) {
                if let Happening::Reachable { worker, .. } = what {
                    known.insert(worker, false);
                }
            }
        }
        for worker in &before.workers {
            known.insert(worker.spec.name.clone(), worker.reachable);
        }
        let mut plan = plan.clone();
        plan.generation = before.generation + 1;
        let workers: Vec<String> = plan.workers.iter().map(|one| one.name.clone()).collect();
        self.tell(past.from, Command::activate(plan));
        for worker in workers {
            let reachable = known.get(&worker).copied().unwrap_or(true);
            self.tell(past.from, happening::reach(worker, reachable));
        }
        Ok(())
    }

    /// Plans what comes from outside, as it came.
    fn plan(&mut self, past: &Past, is_other: bool) -> Result<(), Error> {
        for entry in past.facts() {
            let fact = Fact::decode(entry)?;
            let what = happenings(&fact, self.owner).pop();
            let Fact::Input(command) = fact else {
                continue;
            };
            let act = match happening::told(&command) {
                Told::Plan if is_other => continue,
                Told::Outside if matches!(what, Some(Happening::Arrived { .. })) => {
                    Act::Arrive(Box::new(command))
                }
                Told::Plan | Told::Outside => Act::Tell(Box::new(command)),
                Told::Restart => match what {
                    Some(Happening::Restarted { phones, .. }) => Act::Phones(phones),
                    _ => continue,
                },
                Told::WrapUp => match what {
                    Some(
                        Happening::WrapEnded { worker, .. }
                        | Happening::WrapExtended { worker, .. },
                    ) => Act::WrapUp(worker, Box::new(command)),
                    _ => continue,
                },
                // Of a call that came before anything that is known: it ends as it did.
                Told::Answer => match what {
                    Some(Happening::Left { task, .. } | Happening::Completed { task })
                        if !self.behaviour.knows(&task) =>
                    {
                        Act::Tell(Box::new(command))
                    }
                    _ => continue,
                },
            };
            self.put(entry.at, act);
        }
        Ok(())
    }

    /// Does what is to be done, and lets deadlines pass, whatever comes first.
    fn go(&mut self, until: Timestamp) {
        loop {
            let act = self.agenda.first_key_value().map(|(at, _)| at.0);
            let due = self.router.poll_timeout();
            match (act, due) {
                (Some(act), due) if due.is_none_or(|due| act <= due) => {
                    if act > until {
                        return;
                    }
                    if let Some(((at, _), act)) = self.agenda.pop_first() {
                        self.act(at, act);
                    }
                }
                (_, Some(due)) if due <= until => {
                    self.router.handle_timeout(due);
                    self.take();
                }
                _ => return,
            }
        }
    }

    fn act(&mut self, at: Timestamp, act: Act) {
        match act {
            Act::Accept(reservation) => self.tell(at, happening::accept(reservation)),
            Act::GiveBack(reservation, why) => {
                self.tell(at, happening::give_back(reservation, why))
            }
            Act::Reject(reservation, why) => self.tell(at, happening::reject(reservation, why)),
            Act::EndWrap(worker, task, code) => {
                if self.wrapping.get(&worker) == Some(&task) {
                    self.end_wrap(at, worker, code);
                }
            }
            Act::ExtendWrap(worker, task, by) => {
                if self.wrapping.get(&worker) == Some(&task) {
                    self.tell(at, happening::extend_wrap(worker, by));
                }
            }
            Act::WrapUp(worker, command) => {
                let began_by_hand = match self.router.look(&Object::Worker(worker.clone())) {
                    Some(Shown::Worker(worker)) => {
                        let mut engaged = worker.engagements.iter();
                        engaged.any(|one| one.channel.is_empty())
                    }
                    _ => false,
                };
                match *command {
                    _ if !began_by_hand => {}
                    // That of one task leaves what follows none.
                    Command::EndWrap { task: Some(_), .. } => {}
                    Command::EndWrap { code, .. } => self.end_wrap(at, worker, code),
                    command => self.tell(at, command),
                }
            }
            Act::HangUp(task, since) => {
                let answered = self
                    .callers
                    .get(&task)
                    .and_then(|one| one.answered.as_ref());
                if answered.is_some_and(|(_, at)| *at == since) {
                    self.tell(at, happening::complete(task));
                }
            }
            Act::Leave(task, why) => {
                let caller = self.callers.get(&task);
                if caller.is_some_and(|caller| caller.answered.is_none()) {
                    self.tell(at, happening::leave(task, &why));
                }
            }
            Act::Phones(phones) => {
                for worker in self.router.view().workers {
                    let reachable = phones.contains(&worker.spec.phone);
                    self.tell(at, happening::reach(worker.spec.name.clone(), reachable));
                }
            }
            Act::Arrive(command) => {
                let facts = self.facts;
                self.tell(at, *command);
                if self.facts == facts {
                    self.ledger.refused();
                }
            }
            Act::Tell(command) => self.tell(at, *command),
        }
    }

    /// An agent ends his after-call work. He had other calls than that day, maybe of a queue with
    /// other codes: one of these will do.
    fn end_wrap(&mut self, at: Timestamp, worker: String, code: Option<String>) {
        let end = happening::end_wrap(worker.clone(), code);
        if let Err((_, Refusal::CodeNeeded(codes) | Refusal::UnknownCode(codes))) =
            self.router.carry_out(at, end)
        {
            let end = happening::end_wrap(worker, codes.into_iter().next());
            self.router.handle(at, end);
        }
        self.take();
    }

    fn tell(&mut self, at: Timestamp, command: Command) {
        self.router.handle(at, command);
        self.take();
    }

    /// Takes up what the machine made.
    fn take(&mut self) {
        while self.router.poll_output().is_some() {}
        for entry in self.router.take_facts() {
            if let Ok(fact) = Fact::decode(&entry) {
                self.note(entry.at, &fact);
            }
        }
    }

    /// What callers and agents will do about a fact.
    fn note(&mut self, at: Timestamp, fact: &Fact) {
        self.facts += 1;
        self.ledger.note(at, fact);
        for what in happenings(fact, self.owner) {
            self.take_note(at, what);
        }
    }

    fn take_note(&mut self, at: Timestamp, what: Happening) {
        match what {
            Happening::Arrived { task, .. } => {
                let caller = Caller {
                    entered: at,
                    answered: None,
                };
                self.callers.insert(task.clone(), caller);
                self.wait(at, task);
            }
            Happening::Offered {
                reservation,
                task,
                worker,
            } => {
                let nth = self
                    .offered
                    .entry((task.clone(), worker.clone()))
                    .and_modify(|nth| *nth += 1)
                    .or_insert(0);
                let own = self.behaviour.answer(&task, &worker, *nth);
                let answer = own.unwrap_or_else(|| {
                    let nth = self.strange.entry(worker.clone()).or_insert(0);
                    *nth += 1;
                    self.behaviour.habit(&worker, *nth - 1)
                });
                self.offers.insert(reservation.clone(), (task, worker));
                match answer {
                    Answer::Accepts(after, gone) => {
                        if let Some((later, why)) = gone {
                            let act = Act::GiveBack(reservation.clone(), why);
                            self.put(at + after + later, act);
                        }
                        self.put(at + after, Act::Accept(reservation));
                    }
                    Answer::Rejects(after, why) => {
                        self.put(at + after, Act::Reject(reservation, why));
                    }
                    Answer::LetsRing => {}
                }
            }
            Happening::Accepted { reservation } => {
                let Some((task, worker)) = self.offers.get(&reservation).cloned() else {
                    return;
                };
                if let Some(caller) = self.callers.get_mut(&task) {
                    caller.answered = Some((worker, at));
                }
                let talk = self.behaviour.talk(&task);
                self.put(at + talk, Act::HangUp(task, at));
            }
            Happening::GivenBack { reservation, .. } => {
                if let Some((task, _)) = self.offers.remove(&reservation)
                    && let Some(caller) = self.callers.get_mut(&task)
                {
                    caller.answered = None;
                    self.wait(at, task);
                }
            }
            Happening::Left { task, .. }
            | Happening::Completed { task }
            | Happening::Dropped { task } => {
                let caller = self.callers.remove(&task);
                if let Some((worker, _)) = caller.and_then(|caller| caller.answered) {
                    self.wrapping.insert(worker.clone(), task.clone());
                    let behaviour = self.behaviour;
                    for (after, by) in behaviour.more_wrap(&task) {
                        let act = Act::ExtendWrap(worker.clone(), task.clone(), *by);
                        self.put(at + *after, act);
                    }
                    if let Some((wrap, code)) = self.behaviour.wrap(&task) {
                        self.put(at + wrap, Act::EndWrap(worker, task, code));
                    }
                }
            }
            Happening::NobodyCanTake { task } => {
                if let Some(why) = self.behaviour.leaves_when_nobody() {
                    self.put(at, Act::Leave(task, why.to_owned()));
                }
            }
            Happening::Asks { .. }
            | Happening::Reachable { .. }
            | Happening::Rejected { .. }
            | Happening::RangOut { .. }
            | Happening::Restarted { .. }
            | Happening::WrapEnded { .. }
            | Happening::WrapExtended { .. } => {}
        }
    }

    /// Lets a caller who waits give up when his patience ends.
    fn wait(&mut self, now: Timestamp, task: TaskId) {
        let Some(entered) = self.callers.get(&task).map(|caller| caller.entered) else {
            return;
        };
        if let Some((patience, why)) = self.behaviour.patience(&task) {
            let why = why.to_owned();
            self.put((entered + patience).max(now), Act::Leave(task, why));
        }
    }

    fn put(&mut self, at: Timestamp, act: Act) {
        self.acts += 1;
        self.agenda.insert((at, self.acts), act);
    }
}
