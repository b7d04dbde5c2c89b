//! The router under random commands: what must hold whatever happens.
//!
//! Every sequence runs twice at once: in the router, and fact by fact in a shadow that only folds.
//! At every boundary between two facts the process dies once, and its successor must find its way.
//! A third router is now and then put up from a snapshot, as after a restart, and must write the
//! same facts from there on. `PROPTEST_CASES` sets how many sequences there are (2,000 by default,
//! 100,000 in `make soak`).

mod away;
mod facts;
mod holds;
mod idle;
mod naive;
mod plans;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fact::Fact;
use super::index::Index;
use super::machine::Router;
use super::{Command, Destination, NewTask, Rejection};
use crate::base::{CallId, ReservationId, TaskId, Timestamp};
use crate::journal::{Entry, EventEntry};
use holds::check_nothing_is_left_to_do;
use idle::Idle;
use plans::{ACTIVITIES, CODES, PLANS, QUEUES, WORKERS, WORKFLOWS, map, plan};

/// One step: what to do, and to which of the things there are.
type Step = (u8, u8, u8);

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn invariants_hold_for_any_sequence_with_a_crash_at_every_fact(
        steps in prop::collection::vec(any::<Step>(), 1..32)
    ) {
        let mut world = OPENED.clone();
        for step in steps {
            world.step(step);
        }
        world.check_rebuilt();
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
    idle: Idle,
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
            idle: Idle::default(),
            events: 0,
            worker_events: HashMap::new(),
        };
        world.tell(Command::activate(plan(0)));
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
                reachable: WORKERS
                    .iter()
                    .skip(which)
                    .map(|name| (*name).to_owned())
                    .collect(),
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
            restarted.handle_timeout(self.now);
        }
        self.router.handle(self.now, command);
        // As the pump does: what a task given back has missed falls due at once.
        self.router.handle_timeout(self.now);
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
        let is_any = !entries.is_empty();
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
        if is_any {
            let read = Router::restore(&self.shadow.snapshot()).expect("a snapshot reads back");
            let is_same = read.state() == self.shadow.state();
            assert!(is_same, "a snapshot says everything");
        }
        let is_same = self.shadow.state() == self.router.state();
        assert!(is_same, "state is the fold of its facts");
        self.check_outputs();
        self.check_engagements();
        check_nothing_is_left_to_do(&self.router, self.now);
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
        let before = self.shadow.state.clone();
        self.shadow.fold(entry).expect("facts follow each other");
        let after = &self.shadow.state;
        holds::check_loads(&before, after);
        let fact = Fact::decode(entry).expect("a fact reads back");
        self.idle.follow(&fact, &before, after);
        self.crash();
    }

    /// The process dies here. What its successor finds is what was; what was not decided yet it
    /// decides.
    fn crash(&self) {
        // He builds his index from the state; that the state is what a snapshot says is seen after
        // every command.
        let mut after = self.shadow.clone();
        assert_eq!(Index::build(&after.state), after.index);
        let calls = self.tasks.values().flatten().cloned().collect();
        let workers = after.state.workers.values();
        let reachable = workers.filter(|worker| worker.reachable);
        let phones = reachable.map(|worker| worker.spec.phone.clone()).collect();
        after.handle(self.now, Command::Recover { calls, phones });
        after.handle_timeout(self.now);
        check_nothing_is_left_to_do(&after, self.now);
        assert_eq!(Index::build(&after.state), after.index);
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
