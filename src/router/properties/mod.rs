//! The router under random commands: what must hold whatever happens.
//!
//! Every sequence runs twice at once: in the router, and fact by fact in a shadow that only folds.
//! A third router is now and then put up from a snapshot, as after a restart, and must write the
//! same facts from there on. `PROPTEST_CASES` sets how many sequences there are (2,000 by default,
//! 100,000 in `make soak`).

mod away;
mod naive;
mod plans;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fact::{Decision, Fact, Timer};
use super::index::Index;
use super::machine::Router;
use super::state::Engaged;
use super::{
    Command, Destination, MovedWhy, NewTask, NobodyWhy, Output, Rejection, WhenNobody, WorkerState,
};
use crate::base::{CallId, ReservationId, TaskId, Timestamp};
use crate::journal::{Entry, EventEntry};
use naive::Naive;
use plans::{ACTIVITIES, CODES, MOST_CAPACITY, PLANS, QUEUES, WORKERS, WORKFLOWS, map, plan};

/// One step: what to do, and to which of the things there are.
type Step = (u8, u8, u8);

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn invariants_hold_for_any_sequence(steps in prop::collection::vec(any::<Step>(), 1..32)) {
        let mut world = OPENED.clone();
        // The dearest checks by far; some of the sequences are enough for them.
        world.crashes_everywhere = steps.len().is_multiple_of(16);
        let is_even = steps.len().is_multiple_of(2);
        for step in steps {
            world.step(step);
        }
        if is_even {
            world.check_rebuilt();
        }
    }
}

/// The world every sequence starts from.
static OPENED: LazyLock<World> = LazyLock::new(World::new);

#[derive(Clone)]
struct World {
    router: Router,
    shadow: Router,
    /// A router put up from a snapshot, and the facts it owes.
    restarted: Option<Router>,
    now: Timestamp,
    /// Tasks made and not ended, with their calls.
    tasks: BTreeMap<TaskId, Option<CallId>>,
    made: u64,
    offers: Vec<ReservationId>,
    accepted: HashSet<ReservationId>,
    /// Tasks that were assigned once: what fell due meanwhile happens later.
    held: HashSet<TaskId>,
    places: HashMap<TaskId, usize>,
    crashes_everywhere: bool,
    events: u64,
    worker_events: HashMap<String, u64>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            router: Router::new(7),
            shadow: Router::new(7),
            restarted: None,
            now: Timestamp::from_millis(1_000_000),
            tasks: BTreeMap::new(),
            made: 0,
            offers: Vec::new(),
            accepted: HashSet::new(),
            held: HashSet::new(),
            places: HashMap::new(),
            crashes_everywhere: false,
            events: 0,
            worker_events: HashMap::new(),
        };
        world.tell(Command::ActivatePlan {
            plan: plan(0),
            reevaluate: false,
        });
        for worker in WORKERS {
            let worker = worker.to_owned();
            let reachable = true;
            world.tell(Command::SetReachable { worker, reachable });
            world.now = world.now + Duration::from_millis(10);
        }
        world
    }

    fn step(&mut self, (what, which, how): Step) {
        match what % 48 {
            44 => {
                let restarted = Router::restore(&self.router.snapshot());
                self.restarted = Some(restarted.expect("a snapshot reads back"));
            }
            45..=47 => self.pass(Duration::from_millis(u64::from(how) * 10)),
            38..=43 => self.pass(Duration::from_millis(u64::from(how) * 50)),
            what => self.tell(self.command(what, usize::from(which), usize::from(how))),
        }
    }

    fn pass(&mut self, time: Duration) {
        let to = self.now + time;
        while let Some(at) = self.router.poll_timeout().filter(|at| *at <= to) {
            self.now = self.now.max(at);
            self.router.handle_timeout(self.now);
            if let Some(restarted) = &mut self.restarted {
                restarted.handle_timeout(self.now);
            }
            self.check();
            let next = self.router.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now));
        }
        self.now = to;
    }

    fn command(&self, what: u8, which: usize, how: usize) -> Command {
        let worker = || WORKERS[which % WORKERS.len()].to_owned();
        let activity = || ACTIVITIES[how % ACTIVITIES.len()].to_owned();
        let by = || "test".to_owned();
        let task = || {
            let known = self
                .tasks
                .keys()
                .nth(which % self.tasks.len().max(1))
                .cloned();
            known.unwrap_or_else(|| TaskId::new("no-such-task"))
        };
        let reservation = || {
            let place = self.offers.len().checked_sub(1 + which % 6);
            let known = place.map(|place| self.offers[place].clone());
            known.unwrap_or_else(|| ReservationId::new("no-such-offer"))
        };
        match what {
            0..=9 => Command::CreateTask(Box::new(self.new_task(what, which, how))),
            10..=14 => Command::Accept {
                reservation: reservation(),
            },
            15..=17 => Command::Reject {
                reservation: reservation(),
                why: [
                    Rejection::Busy,
                    Rejection::Declined,
                    Rejection::Failed(500),
                    Rejection::NoAnswer,
                    Rejection::Unreachable,
                ][how % 5],
                activity: (how.is_multiple_of(7)).then(activity),
            },
            18 => Command::GiveBack {
                reservation: reservation(),
                why: [Rejection::Declined, Rejection::Unreachable][how % 2],
            },
            19 => Command::CancelTask {
                task: task(),
                why: "caller left".to_owned(),
            },
            20..=23 => Command::Complete {
                task: task(),
                code: None,
            },
            24 => Command::EndWrap {
                worker: worker(),
                task: None,
                code: (!how.is_multiple_of(3)).then(|| CODES[how % 2].to_owned()),
            },
            25..=27 => Command::SetActivity {
                worker: worker(),
                activity: activity(),
                by: by(),
                reject_pending: how.is_multiple_of(2),
            },
            28 => Command::SetNextActivity {
                worker: worker(),
                activity: (!how.is_multiple_of(4)).then(activity),
                by: by(),
            },
            29..=30 => Command::SetReachable {
                worker: worker(),
                reachable: !how.is_multiple_of(3),
            },
            31 => Command::SetBusy {
                worker: worker(),
                shard: u16::from(how.is_multiple_of(4)),
                busy: how.is_multiple_of(3),
            },
            32 => Command::StartWrap {
                worker: worker(),
                lasts: (!how.is_multiple_of(4)).then(|| Duration::from_secs(how as u64 % 8)),
            },
            33 => Command::ExtendWrap {
                worker: worker(),
                by: Duration::from_millis(how as u64 * 10),
            },
            34..=35 => Command::UpdateTask {
                task: task(),
                attributes: (how.is_multiple_of(2)).then(|| map(attributes(which, how))),
                priority: (how.is_multiple_of(3)).then_some(how as i64 % 6),
                started: (how.is_multiple_of(5))
                    .then_some(self.now - Duration::from_secs(how as u64)),
                reevaluate: how.is_multiple_of(4),
            },
            36 if how < 64 => {
                let calls = self.tasks.values().step_by(1 + which % 3);
                Command::Recover {
                    calls: calls.flatten().cloned().collect(),
                    phones: vec!["花子".to_owned(), "ken".to_owned()],
                }
            }
            _ => Command::ActivatePlan {
                plan: plan(u8::try_from(how).expect("a byte") % PLANS),
                reevaluate: which.is_multiple_of(3),
            },
        }
    }

    fn new_task(&self, what: u8, which: usize, how: usize) -> NewTask {
        let id = TaskId::new(format!("t{}", self.made + 1));
        let call = CallId::new(format!("jp1-tokyo-1-0-{}", self.made + 1));
        let mut new = NewTask::of_call(id, call, QUEUES[which % QUEUES.len()]);
        if what >= 5 {
            new.to = Destination::Workflow(WORKFLOWS[which % WORKFLOWS.len()].to_owned());
        }
        if what.is_multiple_of(3) {
            new.channel = "chat".to_owned();
            new.call = None;
        }
        new.attributes = map(attributes(which, how));
        new.priority = how as i64 % 3;
        new.started =
            (how.is_multiple_of(11)).then(|| self.now - Duration::from_millis(how as u64 * 30));
        new.time_to_live = (how.is_multiple_of(13)).then(|| Duration::from_secs(6));
        new
    }

    fn tell(&mut self, command: Command) {
        if let Command::CreateTask(new) = &command {
            self.made += 1;
            self.tasks.insert(new.task.clone(), new.call.clone());
        }
        if let Some(restarted) = &mut self.restarted {
            restarted.handle(self.now, command.clone());
        }
        self.router.handle(self.now, command);
        self.check();
    }

    fn check(&mut self) {
        let entries = self.router.take_facts();
        let mut events = self.router.take_events().into_iter();
        if let Some(restarted) = &mut self.restarted {
            assert_eq!(
                restarted.take_facts(),
                entries,
                "a restart changes no decision"
            );
            restarted.take_events();
            while restarted.poll_output().is_some() {}
        }
        for entry in entries {
            let fact = Fact::decode(&entry).expect("a fact reads back");
            self.check_fact(&fact, entry.at);
            self.fold(&entry);
            for event in self.shadow.take_events() {
                self.check_event(&event);
                assert_eq!(events.next(), Some(event), "events follow from facts");
            }
        }
        assert_eq!(events.next(), None, "events follow from facts");
        let is_same = self.shadow.state() == self.router.state();
        assert!(is_same, "state is the fold of its facts");
        self.check_outputs();
        self.check_engagements();
        check_nothing_is_left_to_do(&self.router);
    }

    /// Numbers have no gaps, those of each worker neither.
    fn check_event(&mut self, entry: &EventEntry) {
        self.events += 1;
        assert_eq!(entry.sequence, self.events);
        let event: Value = serde_json::from_str(&entry.body).expect("an event is JSON");
        assert_eq!(event["sequence"], self.events);
        if let Some(worker) = &entry.worker {
            let count = self.worker_events.entry(worker.clone()).or_default();
            *count += 1;
            assert_eq!(event["worker_sequence"], *count);
        }
    }

    fn fold(&mut self, entry: &Entry) {
        self.shadow.fold(entry).expect("facts follow each other");
        if !self.crashes_everywhere {
            return;
        }
        // The process dies here. What it finds is what was; what was not decided yet it decides.
        let mut after = Router::restore(&self.shadow.snapshot()).expect("a snapshot reads back");
        assert_eq!(after.state(), self.shadow.state());
        assert_eq!(after.index, self.shadow.index, "after {entry:?}");
        let calls = self.tasks.values().flatten().cloned().collect();
        let reachable = after
            .state
            .workers
            .values()
            .filter(|worker| worker.reachable);
        let phones = reachable.map(|worker| worker.spec.phone.clone()).collect();
        after.handle(self.now, Command::Recover { calls, phones });
        check_nothing_is_left_to_do(&after);
        assert_eq!(Index::build(&after.state), after.index);
    }

    /// A fact, before it counts: whether it is the right one.
    fn check_fact(&self, fact: &Fact, at: Timestamp) {
        let state = &self.shadow.state;
        match fact {
            Fact::Decision(Decision::Offered {
                task,
                offers,
                explanation,
                ..
            }) => {
                let number = self.shadow.index.tasks[task];
                let place = |name: &String| state.workers.get_index_of(name).expect("known");
                let offered: Vec<usize> = offers.iter().map(|one| place(&one.worker)).collect();
                let (chosen, is_chance) = Naive(state).chosen(number);
                if is_chance {
                    let queue = state.tasks[&number].queue().expect("in one");
                    let most = state.queues[queue].spec.max_reserved as usize;
                    assert_eq!(offered.len(), chosen.len().min(most));
                    assert!(offered.iter().all(|one| chosen.contains(one)), "{task}");
                } else {
                    assert_eq!(offered, chosen, "who should be offered {task}");
                }
                let first = explanation.chosen.as_ref().expect("someone was chosen");
                assert_eq!(first.worker, offers[0].worker);
                let not_chosen: usize = explanation.not_chosen.values().sum();
                assert_eq!(not_chosen + offers.len(), explanation.considered);
            }
            Fact::Decision(Decision::Moved {
                task,
                why: MovedWhy::TimedOut,
                ..
            }) => {
                let step = self.shadow.state.tasks[&self.shadow.index.tasks[task]]
                    .step
                    .as_ref();
                assert!(
                    step.is_some_and(|step| step.is_over),
                    "{task} moved too early"
                );
            }
            Fact::Decision(_) | Fact::Input(_) => {}
            Fact::Timer(timer) => self.check_timer(timer, at),
        }
    }

    /// A deadline acts at its instant, unless it could not act then.
    fn check_timer(&self, timer: &Timer, at: Timestamp) {
        let state = &self.shadow.state;
        let task = |id: &TaskId| &state.tasks[&self.shadow.index.tasks[id]];
        let mut was_held = false;
        let mut held = |id: &TaskId| was_held = self.held.contains(id);
        let due = match timer {
            Timer::CoolDownOver { task: id, worker } => {
                let mut cooling = task(id).cooling.iter();
                cooling
                    .find(|(name, _)| name == worker)
                    .map(|(_, until)| *until)
            }
            Timer::NewDay => Some(state.day_ends),
            Timer::PauseOver { worker } => state.workers[worker].paused_until,
            Timer::RingTimeout { reservation } => {
                let number = self.shadow.index.reservations[reservation];
                let mut open = state.tasks[&number].reservations().iter();
                open.find(|one| one.id == *reservation)
                    .map(|one| one.expires_at)
            }
            Timer::StepOver { task: id } => {
                held(id);
                task(id).step.as_ref().and_then(|step| step.until)
            }
            Timer::TaskOver { task: id } => {
                held(id);
                Some(task(id).until)
            }
            Timer::Visible { task: id } => {
                held(id);
                let step = task(id).step.as_ref().expect("it stands");
                let delays = Naive(state).delays(task(id));
                delays.get(step.seen).map(|delay| step.queued + *delay)
            }
            Timer::WrapOver { worker, task } => {
                let mut wraps = state.workers[worker].wraps();
                let is_it = |after: Option<&TaskId>| after == task.as_ref();
                let wrap = wraps.find(|wrap| is_it(wrap.after.as_ref().map(|after| &after.task)));
                wrap.and_then(|wrap| wrap.until)
            }
        };
        let due = due.expect("it was set");
        assert!(
            due == at || was_held && due < at,
            "{timer:?} due {due:?} at {at:?}"
        );
    }

    fn check_outputs(&mut self) {
        let mut last = 0;
        self.router.tell_positions();
        while let Some(released) = self.router.poll_output() {
            assert!(released.sequence >= last && released.sequence <= self.router.sequence());
            last = released.sequence;
            match released.output {
                Output::Offer { reservation, .. } => {
                    assert!(!self.offers.contains(&reservation), "offered twice");
                    self.offers.push(reservation);
                }
                Output::Assigned {
                    reservation, task, ..
                } => {
                    assert!(self.offers.contains(&reservation));
                    assert!(self.accepted.insert(reservation), "accepted twice");
                    self.held.insert(task);
                }
                Output::Position { task, position, .. } => {
                    let before = self.places.insert(task, position);
                    assert_ne!(before, Some(position), "told without need");
                }
                Output::TaskEnded { task, .. } => {
                    assert!(self.tasks.remove(&task).is_some(), "ended twice");
                    self.places.remove(&task);
                }
                Output::Refused { command, .. } => {
                    if let Command::CreateTask(new) = *command {
                        self.tasks.remove(&new.task);
                    }
                }
                _ => {}
            }
        }
        let held: Vec<&TaskId> = self.router.state.tasks.values().map(|t| &t.id).collect();
        let is_same = held.len() == self.tasks.len();
        assert!(is_same, "no task is lost and none is left over");
        assert!(held.iter().all(|task| self.tasks.contains_key(task)));
        for lane in &self.router.index.queues {
            for (place, key) in lane.line.iter().enumerate() {
                let task = &self.router.state.tasks[&key.number()].id;
                assert_eq!(self.places.get(task), Some(&(place + 1)), "knows its place");
            }
        }
    }

    /// A worker is engaged with exactly the task that says so, and with no more than he can take.
    fn check_engagements(&self) {
        let state = &self.router.state;
        let mut engaged = 0;
        for (name, worker) in &state.workers {
            for one in &worker.engagements {
                let (number, is_assigned) = match one.what {
                    Engaged::Assigned(number) => (number, true),
                    Engaged::Reserved(number) => (number, false),
                    Engaged::Wrapping(_) => continue,
                };
                engaged += 1;
                let task = state.tasks.get(&number).expect("the task is there");
                assert_eq!(task.is_assigned(), is_assigned);
                let held = task.holders().filter(|(worker, _)| *worker == name);
                assert_eq!(held.count(), 1);
            }
            for channel in &state.channels {
                let load = worker.load(&channel.name);
                // Only a plan that lowers the capacity may leave more in hand.
                assert!(load <= MOST_CAPACITY, "{name} has too much");
            }
            let by_hand = worker
                .engagements
                .iter()
                .filter(|one| one.channel.is_empty());
            assert!(by_hand.count() <= 1);
            if worker.state() == WorkerState::Free {
                assert!(worker.next_activity.is_none(), "he would be gone");
            }
        }
        let held = state.tasks.values().map(|task| task.holders().count());
        assert_eq!(held.sum::<usize>(), engaged, "no task is held by nobody");
    }

    /// What is kept for speed is what would be computed anew; a snapshot says everything.
    fn check_rebuilt(&self) {
        assert_eq!(Index::build(&self.router.state), self.router.index);
        let restored = Router::restore(&self.router.snapshot()).expect("a snapshot reads back");
        assert_eq!(restored.state(), self.router.state());
        assert_eq!(self.router.view().tasks.len(), self.tasks.len());
    }
}

/// Nobody is free for a task that waits, and no task stays where it has nothing to wait for.
fn check_nothing_is_left_to_do(router: &Router) {
    let state = &router.state;
    let naive = Naive(state);
    for (number, task) in &state.tasks {
        if !task.is_pending() {
            continue;
        }
        for (place, (name, _)) in state.workers.iter().enumerate() {
            let could = naive.could_take(*number, place);
            assert!(!could, "{} waits while {name} is free", task.id);
        }
        let step = task.step.as_ref().expect("it is at a step");
        assert!(!step.is_over, "{} should have moved", task.id);
        assert!(!step.is_fresh, "{} was left without a word", task.id);
        let Some(why) = naive.nobody(task) else {
            continue;
        };
        match state.content_of(task) {
            Some(content) => {
                assert!(
                    !why.matters_to(content.skip_when_nobody),
                    "{} should go on",
                    task.id
                );
            }
            None => {
                let policy = state.queues[task.queue().expect("in one")].spec.when_nobody;
                assert!(
                    task.nobody_told || !why.matters_to(policy),
                    "{} was not told",
                    task.id
                );
                let is_needless = policy == WhenNobody::Wait && why == NobodyWhy::NoMatch;
                assert!(!is_needless || !task.nobody_told);
            }
        }
    }
}

fn attributes(which: usize, how: usize) -> serde_json::Value {
    json!({
        "owner": WORKERS.get(how % 7),
        "言語": if which.is_multiple_of(2) { "日本語" } else { "English" },
        "priority": how % 4,
        "from": format!("+8150000000{}", how % 3),
    })
}
