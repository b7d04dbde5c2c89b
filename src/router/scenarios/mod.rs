//! The router's promises, one by one, on a clock that is turned by hand. IDs such as R60 and
//! numbers such as 2.2 are those of the requirements.

mod channels;
mod department;
mod lines;
mod offers;
mod owner_story;
mod plans;
mod presence;
mod profiles;
mod strategies;
mod workflow_rules;
mod workflow_vectors;
mod wrap;

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::*;
use crate::base::{CallId, ReservationId, TaskId, Timestamp};
use crate::journal::Entry;

/// A router, its clock, and what it has said since the last look.
pub(super) struct Office {
    pub(super) router: Router,
    pub(super) now: Timestamp,
    /// When everybody was ready.
    opened: Timestamp,
    facts: Vec<Entry>,
}

impl Office {
    /// Workers named here are there, ready, idle in this order; a second apart.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut office = Self {
            router: Router::new(1),
            now: Timestamp::from_millis(1_800_000_000_000),
            opened: Timestamp::ZERO,
            facts: Vec::new(),
        };
        office.tell(Command::activate(plan.clone()));
        for worker in &plan.workers {
            office.pass(1000);
            office.activity(&worker.name, "away");
            office.activity(&worker.name, "ready");
            office.reachable(&worker.name, true);
        }
        office.heard();
        office.opened = office.now;
        office
    }

    pub(super) fn tell(&mut self, command: Command) {
        self.router.handle(self.now, command);
        self.facts.extend(self.router.take_facts());
    }

    /// Tells, and returns what was said to it.
    fn ask(&mut self, command: Command) -> Vec<Output> {
        self.tell(command);
        self.heard()
    }

    fn heard(&mut self) -> Vec<Output> {
        self.router.tell_positions();
        std::iter::from_fn(|| self.router.poll_output())
            .map(|released| released.output)
            .collect()
    }

    fn pass(&mut self, millis: u64) {
        let to = self.now + Duration::from_millis(millis);
        while let Some(at) = self.router.poll_timeout().filter(|at| *at <= to) {
            self.now = at;
            self.router.handle_timeout(at);
            self.facts.extend(self.router.take_facts());
        }
        self.now = to;
    }

    /// Lets time pass until so many milliseconds after the opening.
    fn until(&mut self, millis: u64) {
        let passed = self.now.since(self.opened).as_millis();
        self.pass(millis - u64::try_from(passed).expect("a short story"));
    }

    fn activity(&mut self, worker: &str, activity: &str) {
        self.tell(Command::SetActivity {
            worker: worker.to_owned(),
            activity: activity.to_owned(),
            by: "test".to_owned(),
            reject_pending: false,
        });
    }

    fn reachable(&mut self, worker: &str, reachable: bool) {
        let worker = worker.to_owned();
        self.tell(Command::SetReachable { worker, reachable });
    }

    fn create(&mut self, id: &str, queue: &str, priority: i64) -> Vec<Output> {
        self.ask(create(id, queue, priority, json!({})))
    }

    fn accept(&mut self, reservation: &str) -> Vec<Output> {
        self.ask(Command::Accept {
            reservation: ReservationId::new(reservation),
        })
    }

    fn reject(&mut self, reservation: &str, why: Rejection) -> Vec<Output> {
        let reservation = ReservationId::new(reservation);
        let activity = None;
        self.ask(Command::Reject {
            reservation,
            why,
            activity,
        })
    }

    /// A call enters a workflow.
    fn enter(&mut self, id: &str, workflow: &str, attributes: Value) -> Vec<Output> {
        self.ask(enter(id, workflow, attributes))
    }

    /// A chat enters a queue.
    fn chat(&mut self, id: &str, queue: &str) -> Vec<Output> {
        self.ask(chat(id, queue))
    }

    fn activate(&mut self, plan: &Plan) -> Vec<Output> {
        let heard = self.ask(Command::activate(plan.clone()));
        assert_eq!(refusal(&heard), None);
        heard
    }

    fn update(&mut self, task: &str, change: impl FnOnce(&mut Change)) -> Vec<Output> {
        let mut changed = Change::default();
        change(&mut changed);
        self.ask(Command::UpdateTask {
            task: TaskId::new(task),
            attributes: changed.attributes.map(map),
            priority: changed.priority,
            started: changed.started,
            reevaluate: changed.reevaluate,
        })
    }

    fn task(&self, id: &str) -> TaskView {
        let view = self.router.view();
        let found = view.tasks.into_iter().find(|t| t.task.as_str() == id);
        found.expect("a known task")
    }

    /// What was decided about a task, each with its milliseconds since the opening.
    fn story(&self, task: &str) -> Vec<String> {
        let line = |entry: &Entry| {
            let Fact::Decision(decision) = Fact::decode(entry).expect("it reads back") else {
                return None;
            };
            let (about, what) = match decision {
                Decision::Moved { task, to, why, .. } => (task, format!("{} {why:?}", step(to))),
                Decision::NobodyCanTake { task, why, .. } => (task, format!("nobody {why:?}")),
                Decision::Offered { task, offers, .. } => {
                    let workers: Vec<String> = offers.into_iter().map(|o| o.worker).collect();
                    (task, format!("> {}", workers.join(" ")))
                }
                Decision::TaskDropped { task, why, .. } => (task, format!("out {why:?}")),
                Decision::Waits { task, .. } => (task, "waits".to_owned()),
            };
            let at = entry.at.since(self.opened).as_micros();
            assert_eq!(at % 1000, 0, "to the millisecond");
            (about.as_str() == task).then(|| format!("{} {what}", at / 1000))
        };
        self.facts.iter().filter_map(line).collect()
    }

    fn cancel(&mut self, task: &str) -> Vec<Output> {
        let (task, why) = (TaskId::new(task), "caller left".to_owned());
        self.ask(Command::CancelTask { task, why })
    }

    fn complete(&mut self, task: &str) -> Vec<Output> {
        let task = TaskId::new(task);
        self.ask(Command::Complete { task, code: None })
    }

    fn worker(&self, name: &str) -> WorkerView {
        let view = self.router.view();
        let found = view.workers.into_iter().find(|w| w.spec.name == name);
        found.expect("a known worker")
    }
}

/// What `UpdateTask` changes.
#[derive(Default)]
struct Change {
    attributes: Option<Value>,
    priority: Option<i64>,
    started: Option<Timestamp>,
    reevaluate: bool,
}

/// `0.1` for the second step of the first filter.
fn step(at: At) -> String {
    match at {
        At::Default => "default".to_owned(),
        At::Filter(filter, step) => format!("{filter}.{step}"),
    }
}

fn enter(id: &str, workflow: &str, attributes: Value) -> Command {
    let Command::CreateTask(mut new) = create(id, "", 0, attributes) else {
        unreachable!("it creates");
    };
    new.to = Destination::Workflow(workflow.to_owned());
    Command::CreateTask(new)
}

fn chat(id: &str, queue: &str) -> Command {
    let Command::CreateTask(mut new) = create(id, queue, 0, json!({})) else {
        unreachable!("it creates");
    };
    new.call = None;
    new.channel = "chat".to_owned();
    Command::CreateTask(new)
}

/// The workflow of a TaskRouter document with these filters and default filter.
fn routing(name: &str, filters: Value, default: Value) -> WorkflowSpec {
    let text = json!({"task_routing": {"filters": filters, "default_filter": default}});
    let read = Document::parse(name, &text.to_string());
    read.expect("a good document").workflow
}

/// A plan where these work, everybody serves "all", and the workflow is called "w".
fn office_of(workers: &[(&str, Value)], workflow: WorkflowSpec) -> Plan {
    let queue = |name: &str, target: &str| QueueSpec {
        ring_timeout: seconds(60),
        ..QueueSpec::new(name, target)
    };
    Plan {
        workers: workers
            .iter()
            .map(|(name, attributes)| worker(name, attributes.clone()))
            .collect(),
        queues: vec![queue("all", "1==1"), queue("few", "skills HAS 'few'")],
        workflows: vec![workflow],
        ..plan()
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn create(id: &str, queue: &str, priority: i64, attributes: Value) -> Command {
    let call = CallId::new(format!("jp1-tokyo1-0-x-{id}"));
    Command::CreateTask(Box::new(NewTask {
        attributes: map(attributes),
        priority,
        ..NewTask::of_call(TaskId::new(id), call, queue)
    }))
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn worker(name: &str, attributes: Value) -> WorkerSpec {
    WorkerSpec {
        attributes: map(attributes),
        ..WorkerSpec::new(name, format!("phone of {name}"))
    }
}

/// 花子 and taro sell; taro supports as well.
pub(super) fn plan() -> Plan {
    Plan {
        generation: 1,
        workers: vec![
            worker("花子", json!({"skills": ["sales"]})),
            worker("taro", json!({"skills": ["sales", "support"]})),
        ],
        queues: vec![
            QueueSpec::new("sales", "skills HAS 'sales'"),
            QueueSpec::new("support", "skills HAS 'support'"),
        ],
        activities: vec![
            ActivitySpec::available("ready"),
            ActivitySpec::unavailable("away"),
        ],
        ..Plan::default()
    }
}

/// Who was offered what: `task>worker`.
fn offers(outputs: &[Output]) -> Vec<String> {
    let offer = |output: &Output| match output {
        Output::Offer { task, worker, .. } => Some(format!("{task}>{worker}")),
        _ => None,
    };
    outputs.iter().filter_map(offer).collect()
}

/// How tasks ended.
fn endings(outputs: &[Output]) -> Vec<(String, TaskOutcome)> {
    let ending = |output: &Output| match output {
        Output::TaskEnded { task, outcome, .. } => Some((task.to_string(), outcome.clone())),
        _ => None,
    };
    outputs.iter().filter_map(ending).collect()
}

/// A task that left its workflow.
fn left(task: &str, why: LeftWhy) -> (String, TaskOutcome) {
    (task.to_owned(), TaskOutcome::Left(why))
}

fn positions(outputs: &[Output]) -> Vec<(String, usize)> {
    let position = |output: &Output| match output {
        Output::Position { task, position, .. } => Some((task.to_string(), *position)),
        _ => None,
    };
    outputs.iter().filter_map(position).collect()
}

fn revoked(outputs: &[Output]) -> Vec<RevokedWhy> {
    let revoked = |output: &Output| match output {
        Output::OfferRevoked { why, .. } => Some(*why),
        _ => None,
    };
    outputs.iter().filter_map(revoked).collect()
}

fn refusal(outputs: &[Output]) -> Option<Refusal> {
    outputs.iter().find_map(|output| match output {
        Output::Refused { why, .. } => Some(why.clone()),
        _ => None,
    })
}

fn nobody(outputs: &[Output]) -> Vec<(String, NobodyWhy)> {
    let nobody = |output: &Output| match output {
        Output::NobodyCanTake { task, why, .. } => Some((task.to_string(), *why)),
        _ => None,
    };
    outputs.iter().filter_map(nobody).collect()
}
