//! The router under random commands: what must hold whatever happens.
//!
//! Every sequence runs twice at once: in the router, and fact by fact in a shadow that only folds.
//! `PROPTEST_CASES` sets how many sequences there are (10,000 by default).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::fact::{Decision, Fact};
use super::index::Index;
use super::machine::Router;
use super::plan::{ActivitySpec, Plan, QueueOrder, QueueSpec, WhenNobody, WorkerSpec};
use super::state::{Engaged, State};
use super::{Command, NewTask, Output, Rejection, WorkerState};
use crate::base::{CallId, ReservationId, TaskId, Timestamp};
use crate::expr::{Expression, Scope};

const WORKERS: [&str; 4] = ["花子", "taro", "yuki", "ken"];
const QUEUES: [&str; 3] = ["sales", "支援", "owner"];
const ACTIVITIES: [&str; 3] = ["ready", "lunch", "also ready"];

/// One step: what to do, and to which of the things there are.
type Step = (u8, u8, u8);

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn invariants_hold_for_any_sequence(steps in prop::collection::vec(any::<Step>(), 1..24)) {
        let mut world = OPENED.clone();
        let is_even = steps.len() % 2 == 0;
        for step in steps {
            world.step(step);
        }
        // The dearest check by far; half of the sequences are enough for it.
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
    now: Timestamp,
    /// Tasks made and not ended, with their calls.
    tasks: BTreeMap<TaskId, CallId>,
    made: u64,
    offers: Vec<ReservationId>,
    accepted: HashSet<ReservationId>,
    places: HashMap<TaskId, usize>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            router: Router::new(7),
            shadow: Router::new(7),
            now: Timestamp::from_millis(1_000_000),
            tasks: BTreeMap::new(),
            made: 0,
            offers: Vec::new(),
            accepted: HashSet::new(),
            places: HashMap::new(),
        };
        world.tell(Command::ActivatePlan { plan: plan(0) });
        for worker in WORKERS {
            let worker = worker.to_owned();
            let reachable = true;
            world.tell(Command::SetReachable { worker, reachable });
        }
        world
    }

    fn step(&mut self, (what, which, how): Step) {
        let worker = || WORKERS[usize::from(which) % WORKERS.len()].to_owned();
        let task = || {
            let place = usize::from(which) % self.tasks.len().max(1);
            let known = self.tasks.keys().nth(place).cloned();
            known.unwrap_or_else(|| TaskId::new("no-such-task"))
        };
        let reservation = || {
            let from_last = usize::from(which) % 4;
            let place = self.offers.len().checked_sub(1 + from_last);
            let known = place.map(|place| self.offers[place].clone());
            known.unwrap_or_else(|| ReservationId::new("no-such-offer"))
        };
        let command = match what % 32 {
            0..=9 => {
                self.made += 1;
                let number = self.made;
                let call = CallId::new(format!("jp1-tokyo-1-0-{number}"));
                let queue = QUEUES[usize::from(which) % QUEUES.len()];
                let mut new = NewTask::of_call(TaskId::new(format!("t{number}")), call, queue);
                new.attributes = map(json!({
                    "owner": WORKERS[usize::from(how) % WORKERS.len()],
                    "言語": "日本語",
                }));
                new.priority = i64::from(how % 3);
                Command::CreateTask(Box::new(new))
            }
            10..=13 => Command::Accept {
                reservation: reservation(),
            },
            28..=29 => Command::GiveBack {
                reservation: reservation(),
                why: [Rejection::Declined, Rejection::Unreachable][usize::from(how) % 2],
            },
            14..=16 => Command::Reject {
                reservation: reservation(),
                why: [
                    Rejection::Busy,
                    Rejection::Declined,
                    Rejection::Failed(500),
                    Rejection::NoAnswer,
                    Rejection::Unreachable,
                ][usize::from(how) % 5],
                activity: None,
            },
            17..=18 => Command::CancelTask {
                task: task(),
                why: "caller left".to_owned(),
            },
            19..=21 => Command::Complete { task: task() },
            22 => Command::EndWrap {
                worker: worker(),
                task: None,
                code: None,
            },
            23..=24 => Command::SetActivity {
                worker: worker(),
                activity: ACTIVITIES[usize::from(how) % ACTIVITIES.len()].to_owned(),
                by: "test".to_owned(),
                reject_pending: false,
            },
            25 => Command::SetReachable {
                worker: worker(),
                reachable: how % 3 > 0,
            },
            26 => Command::ActivatePlan {
                plan: plan(how % 4),
            },
            27 if how < 64 => {
                let calls = self.tasks.values().step_by(1 + usize::from(which) % 3);
                Command::Recover {
                    calls: calls.cloned().collect(),
                    phones: vec!["花子".to_owned(), "ken".to_owned()],
                }
            }
            _ => {
                let to = self.now + Duration::from_millis(u64::from(how) * 40);
                while let Some(at) = self.router.poll_timeout().filter(|at| *at <= to) {
                    self.now = self.now.max(at);
                    self.router.handle_timeout(self.now);
                    self.check();
                    assert!(
                        self.router
                            .poll_timeout()
                            .is_none_or(|next| next > self.now)
                    );
                }
                self.now = to;
                return;
            }
        };
        self.tell(command);
    }

    fn tell(&mut self, command: Command) {
        if let Command::CreateTask(new) = &command {
            let call = new.call.clone().expect("tasks here are calls");
            self.tasks.insert(new.task.clone(), call);
        }
        self.router.handle(self.now, command);
        self.check();
    }

    fn check(&mut self) {
        for entry in self.router.take_facts() {
            let fact = Fact::decode(&entry).expect("a fact reads back");
            if let Fact::Decision(Decision::Offered { task, offers, .. }) = &fact {
                self.check_choice(task, &offers[0].worker);
            }
            self.shadow.fold(&entry).expect("facts follow each other");
        }
        assert_eq!(
            self.shadow.state(),
            self.router.state(),
            "state is the fold of its facts"
        );
        self.check_outputs();
        self.check_engagements();
        self.check_nothing_is_left_to_do();
    }

    /// The one offered is first of all the worker may take; the worker is the longest idle of all
    /// who may take it.
    fn check_choice(&self, task: &TaskId, worker: &str) {
        let (state, index) = (&self.shadow.state, &self.shadow.index);
        let number = index.tasks[task];
        let place = state.workers.get_index_of(worker).expect("known");
        let may_take = |number: u64, place: usize| {
            let task = &state.tasks[&number];
            task.is_pending() && could_take(state, index, number, place)
        };
        let key = |number: u64| {
            let task = &state.tasks[&number];
            task.order_key(
                number,
                state.queues[task.queue().expect("in one")].spec.order,
            )
        };
        assert!(may_take(number, place));
        for other in state
            .tasks
            .keys()
            .filter(|other| key(**other) < key(number))
        {
            assert!(!may_take(*other, place), "{other} comes before {number}");
        }
        let idle = |place: usize| (state.workers[place].idle_since, place);
        for other in (0..state.workers.len()).filter(|other| idle(*other) < idle(place)) {
            assert!(
                !may_take(number, other),
                "{other} is idle longer than {place}"
            );
        }
    }

    fn check_outputs(&mut self) {
        let mut last = 0;
        self.router.tell_positions();
        while let Some(released) = self.router.poll_output() {
            assert!(released.sequence >= last && released.sequence <= self.router.sequence());
            last = released.sequence;
            match released.output {
                Output::Offer {
                    reservation,
                    explanation,
                    worker,
                    ..
                } => {
                    assert!(!self.offers.contains(&reservation), "offered twice");
                    self.offers.push(reservation);
                    let chosen = explanation.chosen.expect("someone was chosen");
                    assert_eq!(chosen.worker, worker);
                    let not_chosen: usize = explanation.not_chosen.values().sum();
                    assert_eq!(not_chosen + 1, explanation.considered);
                }
                Output::Assigned { reservation, .. } => {
                    assert!(self.offers.contains(&reservation));
                    assert!(self.accepted.insert(reservation), "accepted twice");
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
                Output::Moved { .. }
                | Output::NobodyCanTake { .. }
                | Output::OfferRevoked { .. }
                | Output::WorkerChanged { .. }
                | Output::WrapEnded { .. } => {}
            }
        }
        let held: Vec<&TaskId> = self.router.state.tasks.values().map(|t| &t.id).collect();
        assert_eq!(
            held.len(),
            self.tasks.len(),
            "no task is lost and none is left over"
        );
        assert!(held.iter().all(|task| self.tasks.contains_key(task)));
        for lane in &self.router.index.queues {
            for (place, key) in lane.line.iter().enumerate() {
                let task = &self.router.state.tasks[&key.number()].id;
                assert_eq!(self.places.get(task), Some(&(place + 1)), "knows its place");
            }
        }
    }

    /// A worker is engaged with exactly the task that says so.
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
                assert!(
                    load <= state.capacity(worker, channel).max(1),
                    "{name} has too much"
                );
            }
        }
        let held = state.tasks.values().map(|task| task.holders().count());
        assert_eq!(held.sum::<usize>(), engaged, "no task is held by nobody");
    }

    fn check_nothing_is_left_to_do(&self) {
        let (state, index) = (&self.router.state, &self.router.index);
        for (number, task) in &state.tasks {
            if !task.is_pending() {
                continue;
            }
            let on_duty = |place: usize| state.workers[place].is_on_duty();
            let mut is_any_on_duty = false;
            for (place, (name, _)) in state.workers.iter().enumerate() {
                let could = could_take(state, index, *number, place);
                assert!(!could, "{} waits while {name} is free", task.id);
                is_any_on_duty |= on_duty(place) && is_for(state, index, *number, place);
            }
            let queue = &state.queues[task.queue().expect("in a queue")];
            if queue.spec.when_nobody == WhenNobody::NoneOnDuty && !is_any_on_duty {
                assert!(task.nobody_told);
            }
        }
    }

    /// What is kept for speed is what would be computed anew; a snapshot says everything.
    fn check_rebuilt(&self) {
        assert_eq!(Index::build(&self.router.state), self.router.index);
        let restored = Router::restore(&self.router.snapshot()).expect("a snapshot reads back");
        assert_eq!(restored.state(), self.router.state());
        assert_eq!(self.router.view().tasks.len(), self.tasks.len());
    }
}

/// Whether a worker serves a task's queue and the step is for him, computed the long way.
fn is_for(state: &State, index: &Index, number: u64, place: usize) -> bool {
    let task = &state.tasks[&number];
    let worker = &state.workers[place];
    let queue = &state.queues[task.queue().expect("in a queue")].spec;
    let scope = Scope::new(&index.workers[place].attributes, &task.attributes);
    let target = Expression::parse(&queue.target).expect("it was checked");
    !worker.removed && target.eval(&scope)
}

/// Whether a worker could be offered a task, computed the long way.
fn could_take(state: &State, index: &Index, number: u64, place: usize) -> bool {
    let task = &state.tasks[&number];
    let (name, worker) = state.workers.get_index(place).expect("known");
    is_for(state, index, number, place)
        && worker.state() == WorkerState::Free
        && !task.is_cooling(name)
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// One of four plans: workers, queues, targets and activities come and go between them.
fn plan(which: u8) -> Box<Plan> {
    let workers = WORKERS.iter().enumerate().map(|(place, name)| WorkerSpec {
        attributes: map(
            json!({"skills": if place % 2 == 0 { json!(QUEUES) } else { json!(["sales"]) }}),
        ),
        ..WorkerSpec::new(*name, *name)
    });
    let queues = QUEUES.iter().enumerate().map(|(place, name)| {
        let target = if *name == "owner" {
            "task.owner == worker.name".to_owned()
        } else {
            format!("skills HAS '{name}'")
        };
        QueueSpec {
            ring_timeout: Duration::from_secs(3),
            wrap_up: Duration::from_secs(place as u64 * 2),
            retry_after: Duration::from_secs(1 + place as u64),
            max_waiting: 6,
            order: match (place, which) {
                (0, 3) => QueueOrder::Lifo,
                _ => QueueOrder::Fifo,
            },
            declined_activity: (place == 1).then(|| "lunch".to_owned()),
            when_nobody: [
                WhenNobody::NoneOnDuty,
                WhenNobody::NoMatch,
                WhenNobody::Wait,
            ][place],
            ..QueueSpec::new(*name, target)
        }
    });
    let mut plan = Plan {
        generation: u64::from(which),
        workers: workers.collect(),
        queues: queues.collect(),
        activities: vec![
            ActivitySpec::available("ready"),
            ActivitySpec::unavailable("lunch"),
            ActivitySpec::available("also ready"),
        ],
        ..Plan::default()
    };
    match which {
        1 => plan.workers.truncate(2),
        2 => plan.queues.truncate(1),
        3 => plan.queues[1].target = "1 == 1".to_owned(),
        _ => {}
    }
    Box::new(plan)
}
