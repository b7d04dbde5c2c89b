//! The plans of the random world: workers, queues, profiles, workflows and strategies come, go and
//! change between them.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::router::{
    ActivitySpec, ChannelSpec, Document, OtherChannels, Plan, ProfileChannel, ProfileEntry,
    ProfileSpec, QueueOrder, QueueSpec, Strategy, VOICE, WhenNobody, WorkerSpec, WorkflowSpec,
};

pub(super) const WORKERS: [&str; 5] = ["花子", "taro", "yuki", "ken", "rin"];
pub(super) const QUEUES: [&str; 5] = ["sales", "支援", "owner", "all", "own"];
pub(super) const WORKFLOWS: [&str; 2] = ["main", "tickets"];
pub(super) const ACTIVITIES: [&str; 3] = ["ready", "lunch", "also ready"];
pub(super) const CODES: [&str; 2] = ["sold", "none of them"];
/// How many plans there are.
pub(super) const PLANS: u8 = 8;
/// Most tasks of one channel any of the plans lets a worker have.
const MOST_CAPACITY: u32 = 2;

pub(super) fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

pub(super) fn plan(which: u8) -> Box<Plan> {
    let mut plan = Plan {
        generation: u64::from(which),
        workers: workers(which),
        queues: queues(which),
        activities: vec![
            ActivitySpec::available("ready"),
            ActivitySpec::unavailable("lunch"),
            ActivitySpec::available("also ready"),
        ],
        channels: vec![ChannelSpec {
            name: "chat".to_owned(),
            capacity: 1,
        }],
        workflows: workflows(which),
        profiles: vec![agents(which), managers(which)],
        prioritize_queue_order: match which {
            3 => QueueOrder::Lifo,
            _ => QueueOrder::Fifo,
        },
    };
    match which {
        1 => plan.workers.truncate(2),
        2 => {
            plan.queues.truncate(4);
            plan.workflows.truncate(1);
        }
        3 => plan.queues[1].target = "1 == 1".to_owned(),
        4 => plan.channels[0].capacity = MOST_CAPACITY,
        _ => {}
    }
    Box::new(plan)
}

fn workers(which: u8) -> Vec<WorkerSpec> {
    let of = |(place, name): (usize, &&str)| WorkerSpec {
        attributes: map(json!({
            "skills": if place.is_multiple_of(2) { json!(QUEUES) } else { json!(["sales"]) },
            "level": if place == 3 { Value::Null } else { json!(place % 3) },
            "sid": format!("WK{place}"),
        })),
        profile: match (place, which) {
            (0 | 1, _) => Some("agents".to_owned()),
            (2, 0..=5) => Some("managers".to_owned()),
            _ => None,
        },
        ..WorkerSpec::new(*name, *name)
    };
    WORKERS.iter().enumerate().map(of).collect()
}

fn queues(which: u8) -> Vec<QueueSpec> {
    let targets = [
        "skills HAS 'sales'",
        "skills HAS '支援'",
        "task.owner == worker.name",
        match which {
            6 => "channel.chat.available_capacity_percentage == 100",
            _ => "1==1",
        },
        "name IN ['花子', 'rin']",
    ];
    let strategies = [
        Strategy::LongestIdle,
        Strategy::RoundRobin,
        Strategy::LeastCalls,
        Strategy::OrderBy("worker.level DESC".to_owned()),
        Strategy::Random,
    ];
    let of = |place: usize| QueueSpec {
        ring_timeout: Duration::from_secs(3),
        wrap_up: Duration::from_secs(place as u64 % 3 * 2),
        wrap_up_open: (place, which) == (4, 5),
        wrap_up_codes: vec!["sold".to_owned()],
        wrap_up_code_required: place == 2,
        retry_after: Duration::from_secs(1 + place as u64),
        max_waiting: 6,
        max_reserved: if place == 3 { 3 } else { 1 },
        misses: if place == 1 { 2 } else { 1 },
        agent: place == 4,
        sticky: (place == 0).then(|| "task.from".to_owned()),
        strategy: strategies[(place + usize::from(which)) % strategies.len()].clone(),
        order: match (place, which) {
            (0, 3) => QueueOrder::Lifo,
            _ => QueueOrder::Fifo,
        },
        declined_activity: (place == 1).then(|| "lunch".to_owned()),
        when_nobody: [
            WhenNobody::NoneOnDuty,
            WhenNobody::NoMatch,
            WhenNobody::Wait,
        ][place % 3],
        ..QueueSpec::new(QUEUES[place], targets[place])
    };
    (0..QUEUES.len()).map(of).collect()
}

fn workflows(which: u8) -> Vec<WorkflowSpec> {
    let read = |name: &str, text: Value| {
        let text = json!({ "task_routing": text }).to_string();
        Document::parse(name, &text)
            .expect("a good document")
            .workflow
    };
    let first = if which.is_multiple_of(2) { 2 } else { 1 };
    let main = read(
        WORKFLOWS[0],
        json!({
            "filters": [
                {"expression": "owner != null AND priority != 2", "targets": [
                    {"queue": "all", "known_worker_friendly_name": "task.owner", "timeout": first,
                     "skip_if": "workers.available < 2"},
                    {"queue": "sales", "expression": "worker.level >= task.priority",
                     "timeout": 3, "priority": 4},
                    {"queue": "sales", "timeout": 2, "order_by": "worker.level ASC"}]},
                {"expression": "言語 == '日本語'", "targets": [
                    {"queue": "all", "expression": "task.priority IN worker.skills OR 1==1",
                     "timeout": 4}]}],
            "default_filter": {"queue": "支援", "skip_if": "workers.ready == 0"}}),
    );
    let mut tickets = read(
        WORKFLOWS[1],
        json!({
            "filters": [{"expression": "1==1", "targets": [
                {"queue": "owner", "timeout": 1},
                {"queue": "all", "expression": "worker.level == task.priority", "timeout": 2},
                {"queue": "sales", "expression": "worker.level == 9", "skip_if": "1==1",
                 "timeout": 5}]}],
            "default_filter": {"queue": "all", "priority": 1}}),
    );
    tickets.skip_when_nobody = match which {
        5 => WhenNobody::Wait,
        _ => WhenNobody::NoneOnDuty,
    };
    tickets.reservation_timeout = Some(Duration::from_secs(2));
    tickets.time_to_live = Duration::from_secs(20);
    tickets.most_offers = 4;
    vec![main, tickets]
}

fn entry(queue: &str, channel: &str, priority: u8, delay: u64) -> ProfileEntry {
    ProfileEntry {
        queue: queue.to_owned(),
        channel: channel.to_owned(),
        priority,
        delay: Duration::from_secs(delay),
    }
}

fn agents(which: u8) -> ProfileSpec {
    let others = match which {
        7 => OtherChannels::Barred,
        _ => OtherChannels::Allowed,
    };
    ProfileSpec {
        name: "agents".to_owned(),
        entries: vec![
            entry("sales", VOICE, 1, 0),
            entry("all", VOICE, if which.is_multiple_of(2) { 2 } else { 1 }, 0),
            entry("all", "chat", 1, 0),
            entry("支援", VOICE, 3, 1),
        ],
        channels: [(
            VOICE.to_owned(),
            ProfileChannel {
                capacity: 1,
                others,
            },
        )]
        .into(),
    }
}

fn managers(which: u8) -> ProfileSpec {
    ProfileSpec {
        name: "managers".to_owned(),
        entries: vec![
            entry("支援", VOICE, 1, 0),
            entry("sales", VOICE, 2, 2 + u64::from(which % 3)),
            entry("all", VOICE, 2, 1),
            entry("all", "chat", 1, 3),
        ],
        channels: [(
            "chat".to_owned(),
            ProfileChannel {
                capacity: MOST_CAPACITY,
                others: OtherChannels::Barred,
            },
        )]
        .into(),
    }
}
