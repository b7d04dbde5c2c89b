//! The router over its journal on disk: command sent to output released, at a rate; and what a sync
//! costs beside a bare fdatasync on the same disk in the same minute.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::json;
use tsunagu::base::{CallId, Clock, ShardId, TaskId, Timestamp};
use tsunagu::journal::{Entry, FactClass, Journal as _};
use tsunagu::router::{
    ActivitySpec, Command, NewTask, Output, Plan, QueueSpec, RouterHandle, RouterTask, Settings,
    Survivors, WhenNobody, WorkerSpec,
};
use tsunagu::runtime::SystemClock;
use tsunagu::store::DataDir;

use crate::bars::{Bar, judge};
use crate::statistics::p50_p99;

/// Both.
pub(crate) fn run() {
    // Where the build is: /tmp may be memory.
    let folder = tempfile::Builder::new()
        .prefix("tsunagu-journal-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a folder");
    released(folder.path());
    synced(folder.path());
}

/// What router thread and sender share.
struct Shared {
    router: OnceLock<RouterHandle>,
    begin: Instant,
    /// When each worker's conversation was ended last, nanoseconds since the begin.
    ended: Vec<AtomicU64>,
    /// Tasks in conversation, with the number of their worker, oldest first.
    talking: Mutex<VecDeque<(TaskId, usize)>>,
    took: Mutex<Vec<u64>>,
}

impl Shared {
    /// Everybody who is offered a task takes it.
    fn hear(&self, output: Output) {
        match output {
            Output::Offer {
                reservation,
                worker,
                ..
            } => {
                let ended = self.ended[number(&worker)].swap(0, Ordering::AcqRel);
                if ended > 0 {
                    let took = self.now() - ended;
                    self.took.lock().expect("no panic").push(took);
                }
                self.tell(Command::Accept { reservation });
            }
            Output::Assigned { task, worker, .. } => {
                let mut talking = self.talking.lock().expect("no panic");
                talking.push_back((task, number(&worker)));
            }
            _ => {}
        }
    }

    fn tell(&self, command: Command) {
        let router = self.router.get().expect("started");
        router
            .send(ShardId(0), command)
            .expect("room for a command");
    }

    fn now(&self) -> u64 {
        self.begin.elapsed().as_nanos() as u64
    }

    fn arrive(&self, number: usize) {
        let call = CallId::new(format!("here-bench-0-x-{number}"));
        let task = TaskId::new(format!("task{number}"));
        let new = NewTask::of_call(task, call, format!("queue{}", number % QUEUES));
        self.tell(Command::CreateTask(Box::new(new)));
    }
}

/// Conversations end at absolute times; each frees an agent for the next in line.
fn released(folder: &Path) {
    let data = DataDir::open(folder.join("data")).expect("a folder of ours");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start(None));
    let shared = Arc::new(Shared {
        router: OnceLock::new(),
        begin: Instant::now(),
        ended: (0..WORKERS).map(|_| AtomicU64::new(0)).collect(),
        talking: Mutex::default(),
        took: Mutex::default(),
    });
    let ear = shared.clone();
    let task = RouterTask::start(
        Settings::default(),
        Box::new(data.journal().expect("a journal")),
        clock,
        Survivors::default(),
        Box::new(move |_, output| ear.hear(output)),
    )
    .expect("a router");
    assert!(shared.router.set(task.handle()).is_ok());
    shared.tell(Command::activate(plan()));
    for worker in 0..WORKERS {
        shared.tell(Command::SetReachable {
            worker: format!("agent{worker}"),
            reachable: true,
        });
    }
    let mut made = 0;
    while made < WORKERS + IN_LINE {
        if task.handle().waiting() < 100 {
            shared.arrive(made);
            made += 1;
        }
        std::thread::yield_now();
    }
    while task.handle().waiting() > 0 {
        std::thread::sleep(Duration::from_millis(10));
    }

    let time = seconds(10);
    let (begin, mut sent) = (Instant::now(), 0u64);
    let mut late = Vec::new();
    while begin.elapsed() < time {
        let now = begin.elapsed();
        let due = (now.as_secs_f64() * DECISIONS) as u64;
        while sent < due {
            let oldest = shared.talking.lock().expect("no panic").pop_front();
            let Some((task, worker)) = oldest else { break };
            let meant = Duration::from_secs_f64(sent as f64 / DECISIONS);
            late.push(now.saturating_sub(meant).as_nanos() as u64);
            shared.ended[worker].store(shared.now(), Ordering::Release);
            shared.tell(Command::Complete { task, code: None });
            shared.arrive(made);
            made += 1;
            sent += 1;
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    let rate = sent as f64 / begin.elapsed().as_secs_f64();
    while task.handle().waiting() > 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut took = shared.took.lock().expect("no panic").clone();
    let (p50, p99) = p50_p99(&mut took);
    let (_, late) = p50_p99(&mut late);
    println!(
        "journal     {rate:.0} agents freed a second, p99 {:.2} ms late ({} facts kept a second), the \
         offer to the next in line released after p50 {:.2} ms, p99 {:.2} ms",
        late / 1000.0,
        task.handle().view().sequence / (shared.begin.elapsed().as_secs().max(1)),
        p50 / 1000.0,
        p99 / 1000.0
    );
    judge(
        "decisions",
        rate,
        "a second",
        Bar::AtLeast(0.99 * DECISIONS),
    );
    judge(
        "command to output, p99",
        p99 / 1000.0,
        "ms",
        Bar::AtMost(2.0),
    );
    task.stop();
}

/// One fact appended and synced, and 4 KiB appended and synced, in turns.
fn synced(folder: &Path) {
    let data = DataDir::open(folder.join("syncs")).expect("a folder of ours");
    let mut journal = data.journal().expect("a journal");
    let mut bare = File::create(folder.join("bare")).expect("a file");
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for sequence in 1..=SYNCS {
        let entry = Entry {
            shard: 0,
            sequence,
            at: Timestamp::from_millis(1_800_000_000_000),
            class: FactClass::Input,
            format: 1,
            body: "x".repeat(300),
        };
        journal.append(&[entry]).expect("room");
        let start = Instant::now();
        journal.sync().expect("a disk");
        ours.push(start.elapsed().as_nanos() as u64);
        bare.write_all(&[1; 4096]).expect("room");
        let start = Instant::now();
        bare.sync_data().expect("a disk");
        floor.push(start.elapsed().as_nanos() as u64);
    }
    let ((p50, p99), (floor50, floor99)) = (p50_p99(&mut ours), p50_p99(&mut floor));
    println!(
        "sync        of the journal p50 {p50:.0} us, p99 {p99:.0} us; a bare fdatasync p50 \
         {floor50:.0} us, p99 {floor99:.0} us"
    );
    judge(
        "sync",
        p50 / floor50,
        "times a bare fdatasync",
        Bar::AtMost(3.0),
    );
}

fn number(worker: &str) -> usize {
    worker
        .strip_prefix("agent")
        .and_then(|number| number.parse().ok())
        .expect("a name of ours")
}

fn plan() -> Plan {
    let workers = (0..WORKERS).map(|n| WorkerSpec {
        attributes: match json!({"skills": [n % QUEUES, n * 3 % QUEUES]}) {
            serde_json::Value::Object(map) => map,
            _ => serde_json::Map::new(),
        },
        ..WorkerSpec::new(format!("agent{n}"), format!("{}", 10_000 + n))
    });
    let queues = (0..QUEUES).map(|n| QueueSpec {
        max_waiting: 100_000,
        when_nobody: WhenNobody::Wait,
        ..QueueSpec::new(format!("queue{n}"), format!("skills HAS {n}"))
    });
    Plan {
        generation: 1,
        workers: workers.collect(),
        queues: queues.collect(),
        activities: vec![ActivitySpec::available("ready")],
        ..Plan::default()
    }
}

fn seconds(usual: u64) -> Duration {
    let wanted = std::env::var("BENCH_SECONDS").ok();
    let wanted = wanted.and_then(|text| text.parse().ok());
    Duration::from_secs(wanted.unwrap_or(usual))
}

const WORKERS: usize = 1_000;
const QUEUES: usize = 10;
const IN_LINE: usize = 1_000;
const DECISIONS: f64 = 5_000.0;
const SYNCS: u64 = 300;
