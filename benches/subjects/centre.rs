//! A contact centre in one router, for what its decisions cost.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tsunagu::base::{CallId, TaskId, Timestamp};
use tsunagu::journal::Entry;
use tsunagu::router::{
    ActivitySpec, Command, NewTask, Output, Plan, QueueSpec, Router, WhenNobody, WorkerSpec,
};

const QUEUES: usize = 50;

/// A centre where everybody talks and as many callers wait.
pub(crate) struct Centre {
    router: Router,
    now: Timestamp,
    made: usize,
    /// Tasks in conversation, oldest first.
    talking: VecDeque<TaskId>,
}

impl Centre {
    /// So many workers who talk, and so many tasks that wait.
    pub(crate) fn new(workers: usize, waiting: usize) -> Self {
        let plan = plan(workers);
        let mut centre = Self {
            router: Router::new(0),
            now: Timestamp::from_millis(1_800_000_000_000),
            made: 0,
            talking: VecDeque::new(),
        };
        centre.tell(Command::activate(plan));
        for worker in 0..workers {
            let worker = format!("agent{worker}");
            centre.tell(Command::SetReachable {
                worker,
                reachable: true,
            });
        }
        // Enough arrivals that everybody has something, then those who wait.
        while centre.talking.len() < workers {
            centre.arrive();
        }
        let view = centre.router.view();
        let in_line: usize = view.queues.iter().map(|queue| queue.waiting).sum();
        for _ in in_line..waiting {
            centre.arrive();
        }
        centre
    }

    fn tell(&mut self, command: Command) {
        self.now = self.now + Duration::from_millis(1);
        self.router.handle(self.now, command);
        self.answer();
    }

    fn arrival(&mut self) -> Command {
        self.made += 1;
        let made = self.made;
        let queue = format!("queue{}", made * 7 % QUEUES);
        let call = CallId::new(format!("jp1-tokyo1-0-x-{made}"));
        Command::CreateTask(Box::new(NewTask {
            attributes: map(json!({
                "from": format!("+8190{made:08}"),
                "to": "+81312345678",
                "language": if made.is_multiple_of(11) { "en" } else { "ja" },
            })),
            ..NewTask::of_call(TaskId::new(format!("task{made}")), call, queue)
        }))
    }

    fn arrive(&mut self) {
        let command = self.arrival();
        self.tell(command);
    }

    /// Everybody who is offered a task takes it.
    fn answer(&mut self) {
        self.router.take_facts();
        while let Some(released) = self.router.poll_output() {
            match released.output {
                Output::Offer { reservation, .. } => {
                    self.router
                        .handle(self.now, Command::Accept { reservation });
                    self.router.take_facts();
                }
                Output::Assigned { task, .. } => self.talking.push_back(task),
                _ => {}
            }
        }
    }

    /// Time of one conversation's end: its agent is free, and is offered the next caller.
    pub(crate) fn free_one(&mut self) -> Duration {
        let task = self.talking.pop_front().expect("somebody talks");
        self.now = self.now + Duration::from_millis(1);
        let start = Instant::now();
        let facts = self.complete(task);
        let took = start.elapsed();
        assert_eq!(facts.len(), 2, "an end and an offer: {facts:?}");
        self.answer();
        self.arrive();
        took
    }

    /// The decision alone. `benches/counts` counts what is inside this function, by its name.
    #[inline(never)]
    fn complete(&mut self, task: TaskId) -> Vec<Entry> {
        self.router
            .handle(self.now, Command::Complete { task, code: None });
        self.router.take_facts()
    }
}

/// Every worker has three skills of fifty, and speaks one or two languages.
fn plan(workers: usize) -> Plan {
    let workers = (0..workers).map(|n| WorkerSpec {
        attributes: map(json!({
            "skills": [n % QUEUES, n * 3 % QUEUES, n * 7 % QUEUES],
            "languages": if n % 3 == 0 { json!(["ja", "en"]) } else { json!(["ja"]) },
            "level": n % 10,
        })),
        ..WorkerSpec::new(format!("agent{n}"), format!("{}", 10_000 + n))
    });
    let queues = (0..QUEUES).map(|n| {
        let target = format!("skills HAS {n} AND task.language IN worker.languages");
        QueueSpec {
            max_waiting: 100_000,
            when_nobody: WhenNobody::Wait,
            ..QueueSpec::new(format!("queue{n}"), target)
        }
    });
    Plan {
        generation: 1,
        workers: workers.collect(),
        queues: queues.collect(),
        activities: vec![ActivitySpec::available("ready")],
        ..Plan::default()
    }
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
