//! A day is made up, journaled, and told, run once more and run with other plans.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Map, json};

mod kinds;
mod wraps;

use super::*;
use crate::base::{CallId, Language, ReservationId, TaskId, Timestamp};
use crate::journal::{Journal, MemoryJournal, Reader};
use crate::router::{
    ActivitySpec, Command, Decision, Destination, Fact, FilterSpec, KnownWorker, NewTask, Output,
    Plan, QueueSpec, Rejection, Router, StepSpec, Strategy, WhenNobody, WorkerKey, WorkerSpec,
    WorkflowSpec,
};

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const AGENTS: usize = 48;

/// Callers and agents who do what comes to their minds.
struct Day {
    router: Router,
    journal: MemoryJournal,
    agenda: BTreeMap<(Timestamp, u64), Act>,
    count: u64,
    chance: u64,
    /// Whose conversation it is.
    talks: BTreeMap<TaskId, CallId>,
    snapshot_at: u64,
}

enum Act {
    Arrive(u64),
    Tell(Command),
    Restart,
}

fn plan(agents: usize) -> Plan {
    let workers = (0..agents).map(|number| {
        let mut skills = vec!["sales"];
        if number % 3 == 0 {
            skills.push("support");
        }
        let attributes = json!({"skills": skills}).as_object().cloned();
        WorkerSpec {
            attributes: attributes.unwrap_or_default(),
            ..WorkerSpec::new(format!("担当{number}"), format!("{}", 1000 + number))
        }
    });
    let queue = |name: &str, target: &str| QueueSpec {
        wrap_up: Duration::from_secs(15),
        when_nobody: WhenNobody::Wait,
        ..QueueSpec::new(name, target)
    };
    Plan {
        generation: 1,
        workers: workers.collect(),
        queues: vec![
            QueueSpec {
                strategy: Strategy::Random,
                ..queue("sales", "skills HAS 'sales'")
            },
            QueueSpec {
                max_reserved: 3,
                ..queue("support", "skills HAS 'support'")
            },
            queue("own", "task.owner == worker.name"),
        ],
        activities: vec![
            ActivitySpec::available("ready"),
            ActivitySpec::unavailable("lunch"),
        ],
        workflows: vec![owner_first()],
        ..Plan::default()
    }
}

/// Twelve seconds for the agent the caller asks for, then whoever sells.
fn owner_first() -> WorkflowSpec {
    let sales = StepSpec::new("sales");
    let own = StepSpec {
        known_worker: Some(KnownWorker {
            path: "task.owner".to_owned(),
            by: WorkerKey::Name,
        }),
        timeout: Some(Duration::from_secs(12)),
        ..sales.clone()
    };
    let filter = FilterSpec {
        name: "owner".to_owned(),
        expression: "owner != ''".to_owned(),
        steps: vec![own, sales],
        ..FilterSpec::default()
    };
    WorkflowSpec {
        filters: vec![filter],
        ..WorkflowSpec::new("owner first", "sales")
    }
}

impl Day {
    /// A day of so many calls, spread over so much time.
    fn of(calls: u64, length: Duration) -> MemoryJournal {
        let mut day = Self {
            router: Router::new(0),
            journal: MemoryJournal::new(),
            agenda: BTreeMap::new(),
            count: 0,
            chance: 88_172_645_463_325_252,
            talks: BTreeMap::new(),
            snapshot_at: 0,
        };
        let plan = Box::new(plan(AGENTS));
        day.put(START, Act::Tell(Command::activate(plan)));
        for number in 0..AGENTS {
            let reach = |reachable| Command::SetReachable {
                worker: format!("担当{number}"),
                reachable,
            };
            let at = START + Duration::from_millis(number as u64 * 700);
            day.put(at, Act::Tell(reach(true)));
            let lunch = START + length.mul_f64(0.3 + number as f64 / 200.0);
            for (at, activity) in [(lunch, "lunch"), (lunch + length / 24, "ready")] {
                let command = Command::SetActivity {
                    worker: format!("担当{number}"),
                    activity: activity.to_owned(),
                    by: "himself".to_owned(),
                    reject_pending: false,
                };
                day.put(at, Act::Tell(command));
            }
            if number % 10 == 0 {
                day.put(START + length.mul_f64(0.7), Act::Tell(reach(false)));
                day.put(START + length.mul_f64(0.75), Act::Tell(reach(true)));
            }
            // Who was moved away because he let it ring comes back on the hour.
            for hour in 1..24 {
                let command = Command::SetActivity {
                    worker: format!("担当{number}"),
                    activity: "ready".to_owned(),
                    by: "supervisor".to_owned(),
                    reject_pending: false,
                };
                let at = START + length.mul_f64(f64::from(hour) / 24.0);
                day.put(at, Act::Tell(command));
            }
        }
        for number in 0..calls {
            let at = length.mul_f64(number as f64 / calls as f64);
            let shake = Duration::from_millis(day.chance(20_000));
            day.put(START + at + shake, Act::Arrive(number));
        }
        day.put(START + length / 2, Act::Restart);
        day.run();
        day.journal
    }

    fn run(&mut self) {
        loop {
            let next = self.agenda.first_key_value().map(|(at, _)| at.0);
            let due = self.router.poll_timeout();
            let now = match (next, due) {
                (Some(next), due) if due.is_none_or(|due| next <= due) => {
                    if let Some((_, act)) = self.agenda.pop_first() {
                        self.act(next, act);
                    }
                    next
                }
                (_, Some(due)) => {
                    self.router.handle_timeout(due);
                    due
                }
                _ => return,
            };
            self.hear(now);
        }
    }

    fn act(&mut self, now: Timestamp, act: Act) {
        let command = match act {
            Act::Tell(command) => command,
            Act::Arrive(number) => {
                let task = TaskId::new(format!("t{number}"));
                let owner = format!("担当{}", self.chance(AGENTS as u64));
                let attributes = match number % 5 {
                    0 => json!({"owner": owner, "言語": "ja"}),
                    _ => json!({}),
                };
                let patience = Duration::from_millis(10_000 + self.chance(120_000));
                let why = "abandoned".to_owned();
                let leave = Command::CancelTask {
                    task: task.clone(),
                    why,
                };
                self.put(now + patience, Act::Tell(leave));
                let call = CallId::new(format!("jp1-tokyo1-0-{number}-0"));
                let queue = ["sales", "sales", "sales", "support", "own"][match number % 5 {
                    0 => 4,
                    other => other as usize - 1,
                }];
                let new = NewTask::of_call(task, call, queue);
                let to = match number % 10 {
                    0 => Destination::Workflow("owner first".to_owned()),
                    _ => new.to.clone(),
                };
                Command::CreateTask(Box::new(NewTask {
                    to,
                    attributes: attributes.as_object().cloned().unwrap_or_else(Map::new),
                    priority: (number % 7 == 0).into(),
                    ..new
                }))
            }
            Act::Restart => {
                let phones = (0..AGENTS).filter(|number| number % 4 > 0);
                for number in (0..AGENTS).step_by(4) {
                    let command = Command::SetReachable {
                        worker: format!("担当{number}"),
                        reachable: true,
                    };
                    self.put(now + Duration::from_secs(20), Act::Tell(command));
                }
                Command::Recover {
                    calls: self.talks.values().step_by(3).cloned().collect(),
                    phones: phones.map(|number| format!("{}", 1000 + number)).collect(),
                }
            }
        };
        // A caller's patience counts only while he waits.
        let is_late = match &command {
            Command::CancelTask { task, .. } => self.talks.contains_key(task),
            _ => false,
        };
        if !is_late {
            self.router.handle(now, command);
        }
    }

    /// What agents do about what is said, and what is written.
    fn hear(&mut self, now: Timestamp) {
        while let Some(released) = self.router.poll_output() {
            match released.output {
                Output::Offer { reservation, .. } => {
                    let after = Duration::from_millis(800 + self.chance(9_000));
                    let command = match self.chance(40) {
                        0 => continue,
                        1 => Command::Reject {
                            reservation,
                            why: Rejection::Declined,
                            activity: None,
                        },
                        2 => Command::Reject {
                            reservation,
                            why: Rejection::Busy,
                            activity: None,
                        },
                        _ => Command::Accept { reservation },
                    };
                    self.put(now + after, Act::Tell(command));
                }
                Output::Assigned {
                    task,
                    call,
                    reservation,
                    ..
                } => {
                    let talk = Duration::from_millis(20_000 + self.chance(240_000));
                    let command = match self.chance(100) {
                        0 => Command::GiveBack {
                            reservation,
                            why: Rejection::Unreachable,
                        },
                        _ => Command::Complete {
                            task: task.clone(),
                            code: None,
                        },
                    };
                    let is_gone = matches!(command, Command::GiveBack { .. });
                    let after = if is_gone {
                        Duration::from_millis(300)
                    } else {
                        talk
                    };
                    self.talks.insert(task, call.expect("every task is a call"));
                    self.put(now + after, Act::Tell(command));
                }
                Output::TaskEnded { task, worker, .. } => {
                    self.talks.remove(&task);
                    if let (Some(worker), 0) = (worker, self.chance(3)) {
                        let after = Duration::from_millis(1_000 + self.chance(20_000));
                        self.put(now + after, Act::Tell(happening::end_wrap(worker, None)));
                    }
                }
                _ => {}
            }
        }
        let facts = self.router.take_facts();
        self.journal.append(&facts).unwrap();
        if self.router.sequence() >= self.snapshot_at + 1000 {
            self.snapshot_at = self.router.sequence();
            self.journal.save_snapshot(&self.router.snapshot()).unwrap();
        }
    }

    fn put(&mut self, at: Timestamp, act: Act) {
        self.count += 1;
        self.agenda.insert((at, self.count), act);
    }

    /// A number below `below` (xorshift: the same day for everybody).
    fn chance(&mut self, below: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % below.max(1)
    }
}

/// Calls of the day that tests make up; `TSUNAGU_REPLAY_CALLS` for more, such as 20000.
fn calls() -> u64 {
    let wanted = std::env::var("TSUNAGU_REPLAY_CALLS").ok();
    wanted.and_then(|calls| calls.parse().ok()).unwrap_or(1100)
}

/// As busy whatever the number of calls: one in 4.3 s.
fn length(calls: u64) -> Duration {
    Duration::from_millis(calls * 4320)
}

fn day() -> MemoryJournal {
    static DAY: LazyLock<MemoryJournal> = LazyLock::new(|| Day::of(calls(), length(calls())));
    // Clones share what is written; a test may forget some of its own.
    let mut own = MemoryJournal::new();
    let mut day = DAY.clone();
    own.append(&day.entries(0)).unwrap();
    for mark in day.snapshots(0).unwrap() {
        let snapshot = day.snapshot_at(0, mark.sequence).unwrap();
        own.save_snapshot(&snapshot.unwrap()).unwrap();
    }
    own
}

#[test]
fn the_same_plan_decides_the_same_byte_for_byte() {
    let mut journal = day();
    let whole = Past::read(&mut journal, 0, None, None).unwrap();
    let began = std::time::Instant::now();
    let again = rerun(&whole).unwrap();
    println!(
        "{} calls of {:?}, {} facts: decided once more in {:?}",
        calls(),
        length(calls()),
        again.same,
        began.elapsed()
    );
    assert_eq!(again.difference, None);
    assert_eq!(again.same, journal.entries(0).len());
    assert!(again.same as u64 > 4 * calls(), "{} facts", again.same);

    // From any instant on, and after the beginning is gone.
    let middle = START + length(calls()) / 3;
    let later = Past::read(&mut journal, 0, Some(middle), None).unwrap();
    assert!(later.entries.len() < whole.entries.len());
    assert_eq!(rerun(&later).unwrap().difference, None);
    let marks = journal.snapshots(0).unwrap();
    journal.trim(0, marks[0].sequence + 1).unwrap();
    let kept = Past::read(&mut journal, 0, None, None).unwrap();
    assert_eq!(
        kept.entries.len(),
        whole.entries.len() - marks[0].sequence as usize
    );
    assert_eq!(rerun(&kept).unwrap().difference, None);
    let early = Past::read(&mut journal, 0, Some(START), None).unwrap();
    assert_eq!(early.period(), kept.period(), "as far back as it goes");
    journal.forget_snapshot(0, marks[0].sequence).unwrap();
    let error = Past::read(&mut journal, 0, Some(START), None).unwrap_err();
    assert!(error.to_string().contains("raise `keep`"), "{error}");
}

#[test]
fn another_decision_is_found_and_named() {
    let mut journal = Day::of(60, length(60));
    let mut past = Past::read(&mut journal, 0, None, None).unwrap();
    let offer = past
        .entries
        .iter()
        .position(|entry| entry.body.contains(":\"offered\""))
        .unwrap();
    past.entries[offer].body = past.entries[offer].body.replace("担当", "受付");
    let difference = rerun(&past).unwrap().difference.unwrap();
    assert_eq!(difference.journal.sequence, past.entries[offer].sequence);
    assert!(difference.machine.unwrap().body.contains("担当"));
}

#[test]
fn decisions_lost_with_a_process_are_made_by_the_next() {
    let journal = Day::of(40, length(40));
    let entries = journal.entries(0);
    for cut in (AGENTS + 2..entries.len()).step_by(97) {
        let (mut journal, mut router) = (MemoryJournal::new(), Router::new(0));
        for entry in &entries[..cut] {
            router.fold(entry).unwrap();
        }
        journal.append(&entries[..cut]).unwrap();
        let at = entries[cut - 1].at + Duration::from_secs(1);
        let (calls, phones) = (Vec::new(), vec!["1000".to_owned()]);
        router.handle(at, Command::Recover { calls, phones });
        journal.append(&router.take_facts()).unwrap();
        let past = Past::read(&mut journal, 0, None, None).unwrap();
        assert_eq!(rerun(&past).unwrap().difference, None, "after fact {cut}");
    }
}

#[test]
fn an_explanation_made_once_more_names_the_same_agent() {
    let mut journal = day();
    let past = Past::read(&mut journal, 0, None, None).unwrap();
    let offers = verify(&past, &|fact| {
        matches!(fact, Fact::Decision(Decision::Offered { .. }))
    });
    let offers = offers.unwrap();
    assert!(offers.len() >= 1000, "{} offers", offers.len());
    for offer in &offers {
        let difference = offer.difference.as_ref();
        let machine = difference.map(|difference| &difference.machine);
        assert_eq!(machine, None, "{:?}", offer.fact);
    }
    let last = offers.last().unwrap().sequence;
    let one = Past::of(&mut journal, 0, last).unwrap();
    let verified = verify(&one, &|_| true).unwrap();
    assert_eq!(verified.last(), offers.last());
}

fn brief(figures: &Figures) -> String {
    let agents = BTreeMap::new();
    let brief = Figures {
        agents,
        ..figures.clone()
    };
    format!("{brief:?}")
}

#[test]
fn the_day_s_own_plan_models_the_day_as_it_was() {
    let mut journal = day();
    let terms = Terms::default();
    let past = Past::read(&mut journal, 0, None, None).unwrap();
    let was = Figures::of(&past, &terms).unwrap();
    let total = was.answered + was.abandoned + was.waiting + was.left.values().sum::<usize>();
    assert_eq!((was.arrived, total), (calls() as usize, calls() as usize));
    assert!(was.abandoned > 0 && was.owner_reached > 0);

    let behaviour = Behaviour::of(&past, &terms.owner).unwrap();
    let same = model(&past, &behaviour, None, &terms).unwrap();
    assert_eq!(
        same,
        model(&past, &behaviour, None, &terms).unwrap(),
        "no chance in it"
    );
    assert_eq!(same.figures.arrived, was.arrived);
    let now = &same.figures;
    let share = |part: usize| part as f64 / calls() as f64;
    let off = (share(now.answered) - share(was.answered)).abs();
    assert!(off < 0.06, "{} {}", brief(now), brief(&was));
    // Whoever was answered that day waits for ever: fewer hang up, never more.
    assert!(now.abandoned <= was.abandoned);
    assert!(now.wait.p50_ms.abs_diff(was.wait.p50_ms) < 1000);
}

#[test]
fn more_agents_answer_sooner_and_fewer_later() {
    let mut journal = day();
    let terms = Terms::default();
    let middle = START + length(calls()) / 4;
    let past = Past::read(&mut journal, 0, Some(middle), None).unwrap();
    let behaviour = Behaviour::of(&past, &terms.owner).unwrap();
    let with = |agents| {
        let plan = plan(agents);
        let modelled = model(&past, &behaviour, Some(&plan), &terms);
        modelled.unwrap().figures
    };
    let (few, same, many) = (with(AGENTS / 2), with(AGENTS), with(AGENTS * 2));
    assert!(
        few.abandon_rate > same.abandon_rate,
        "{} {}",
        brief(&few),
        brief(&same)
    );
    assert!(few.service_level < same.service_level);
    assert!(many.service_level > same.service_level);
    assert!(many.abandon_rate < same.abandon_rate);
    assert_eq!(
        few.arrived + few.refused,
        same.arrived,
        "a full queue refuses"
    );
    assert_eq!(many.arrived, same.arrived);
    assert!(many.agents.len() > AGENTS);

    let mut other = plan(AGENTS);
    other.queues.remove(1);
    let gone = model(&past, &behaviour, Some(&other), &terms)
        .unwrap()
        .figures;
    assert_eq!(
        gone.refused + gone.arrived,
        same.arrived,
        "{}",
        brief(&gone)
    );
    assert!(gone.refused > 0);
}

/// Two agents who each decline what the other then gets: one input, two decisions, whose order the
/// machine chose.
#[test]
fn two_decisions_of_one_cause_are_verified_in_their_order() {
    let (mut journal, mut router) = (MemoryJournal::new(), Router::new(0));
    let reach = |number: usize| Command::SetReachable {
        worker: format!("担当{number}"),
        reachable: true,
    };
    let create = |task: &str| {
        let (task, call) = (TaskId::new(task), CallId::new(task));
        Command::CreateTask(Box::new(NewTask::of_call(task, call, "sales")))
    };
    let decline = |reservation: &str| Command::Reject {
        reservation: ReservationId::new(reservation),
        why: Rejection::Declined,
        activity: None,
    };
    let plan = Box::new(plan(2));
    let commands = [
        Command::activate(plan),
        create("a"),
        create("b"),
        reach(0),
        reach(1),
        decline("a.1"),
        decline("b.1"),
    ];
    for (second, command) in (0..).zip(commands) {
        router.handle(START + Duration::from_secs(second), command);
    }
    let facts = router.take_facts();
    let offers = facts.iter().rev().take(2);
    assert!(
        offers
            .clone()
            .all(|entry| entry.body.contains(":\"offered\""))
    );
    assert!(
        offers
            .clone()
            .all(|entry| entry.at == facts[facts.len() - 1].at)
    );
    journal.append(&facts).unwrap();
    let past = Past::read(&mut journal, 0, None, None).unwrap();
    for verified in verify(&past, &|_| true).unwrap() {
        assert_eq!(verified.difference, None);
    }
    assert_eq!(rerun(&past).unwrap().difference, None);
}
