//! Routing profiles: the vectors of requirements, section 3.3, agent queues, R72, routing criteria.

use super::*;

/// A profile and its queues with priority and delay.
type Listed<'a> = (&'a str, &'a [(&'a str, u8, u64)]);

/// Workers by profile, and for each profile its queues with priority and delay in seconds.
fn open(workers: &[(&str, &str)], profiles: &[Listed<'_>]) -> Office {
    Office::new(&plan_of(workers, profiles))
}

fn plan_of(workers: &[(&str, &str)], profiles: &[Listed<'_>]) -> Plan {
    let entry = |(queue, priority, delay): &(&str, u8, u64)| ProfileEntry {
        queue: (*queue).to_owned(),
        channel: VOICE.to_owned(),
        priority: *priority,
        delay: seconds(*delay),
    };
    let profiles = profiles.iter().map(|(name, entries)| ProfileSpec {
        name: (*name).to_owned(),
        entries: entries.iter().map(entry).collect(),
        ..ProfileSpec::default()
    });
    let workers = workers.iter().map(|(name, profile)| WorkerSpec {
        profile: Some((*profile).to_owned()),
        ..worker(name, json!({}))
    });
    let queue = |name: &str| QueueSpec {
        ring_timeout: seconds(600),
        when_nobody: WhenNobody::Wait,
        ..QueueSpec::new(name, "1==1")
    };
    Plan {
        workers: workers.collect(),
        queues: ["sales", "support", "billing", "spare"].map(queue).to_vec(),
        profiles: profiles.collect(),
        ..plan()
    }
}

/// The order in which one worker, free from now on, is offered what waits.
fn order(office: &mut Office, worker: &str) -> Vec<String> {
    office.activity(worker, "ready");
    let mut order = Vec::new();
    while let Some(offer) = offers(&office.heard()).first() {
        let (task, who) = offer.split_once('>').expect("an offer");
        assert_eq!(who, worker);
        let reservation = office.task(task).reservation.expect("offered");
        office.tell(Command::Accept { reservation });
        office.tell(Command::Complete {
            task: TaskId::new(task),
            code: None,
        });
        order.push(task.to_owned());
    }
    order
}

/// 3.3 vector: sales 1/0 and support 2/0; whatever the age, sales first.
#[test]
fn vector_sales_1_0_support_2_0() {
    let mut office = open(
        &[("a", "p")],
        &[("p", &[("sales", 1, 0), ("support", 2, 0)])],
    );
    office.activity("a", "away");
    for (id, queue) in [
        ("help1", "support"),
        ("sale1", "sales"),
        ("help2", "support"),
    ] {
        office.create(id, queue, 0);
        office.pass(1_000);
    }
    // The priority of a task counts within its group only.
    office.create("help3", "support", 99);
    office.create("sale2", "sales", 0);
    assert_eq!(
        order(&mut office, "a"),
        ["sale1", "sale2", "help3", "help1", "help2"]
    );
}

/// 3.3 vector: sales 1/0 and support 1/30: support is seen after 30.000 s.
#[test]
fn vector_sales_1_0_support_1_30() {
    let mut office = open(
        &[("a", "p")],
        &[("p", &[("sales", 1, 0), ("support", 1, 30)])],
    );
    office.create("help", "support", 0);
    office.until(30_000);
    assert_eq!(office.story("help"), ["0 waits", "30000 > a"]);

    let mut office = open(
        &[("a", "p")],
        &[("p", &[("sales", 1, 0), ("support", 1, 30)])],
    );
    office.activity("a", "away");
    office.create("help", "support", 0);
    office.until(10_000);
    office.create("sale", "sales", 0);
    office.until(29_999);
    office.activity("a", "ready");
    assert_eq!(
        offers(&office.heard()),
        ["sale>a"],
        "the older one is not seen yet"
    );

    let mut office = open(
        &[("a", "p")],
        &[("p", &[("sales", 1, 0), ("support", 1, 30)])],
    );
    office.activity("a", "away");
    office.create("help", "support", 0);
    office.until(10_000);
    office.create("sale", "sales", 0);
    office.until(30_000);
    assert_eq!(
        order(&mut office, "a"),
        ["help", "sale"],
        "of equal priority the oldest"
    );
}

/// 3.3 vector: tiers (1,0), (1,0), (2,20), (3,80).
#[test]
fn vector_tiers() {
    let tiers: &[(&str, u8, u64)] = &[
        ("sales", 1, 0),
        ("support", 1, 0),
        ("billing", 2, 20),
        ("spare", 3, 80),
    ];
    let filled = || {
        let mut office = open(&[("a", "p")], &[("p", tiers)]);
        office.activity("a", "away");
        for (id, queue) in [
            ("x", "spare"),
            ("b", "billing"),
            ("h", "support"),
            ("s", "sales"),
        ] {
            office.create(id, queue, 0);
            office.pass(1);
        }
        office
    };
    for (at, wanted) in [
        (1_000, vec!["h", "s"]),
        (20_000, vec!["h", "s"]),
        (20_001, vec!["h", "s", "b"]),
        (80_000, vec!["h", "s", "b", "x"]),
    ] {
        let mut office = filled();
        office.until(at);
        assert_eq!(order(&mut office, "a"), wanted, "at {at} ms");
    }
    // Free all the while, he gets each at its moment.
    let mut office = open(&[("a", "p")], &[("p", tiers)]);
    office.create("b", "billing", 0);
    office.create("x", "spare", 0);
    office.until(20_000);
    assert_eq!(office.story("b"), ["0 waits", "20000 > a"]);
    office.accept("b.1");
    office.complete("b");
    office.until(80_000);
    assert_eq!(office.story("x"), ["0 waits", "80000 > a"]);
}

/// 3.3 vector: 1/0 and 1/0: the oldest first, to the longest idle.
#[test]
fn vector_equal_groups_oldest_first_to_the_longest_idle() {
    let both: &[(&str, u8, u64)] = &[("sales", 1, 0), ("support", 1, 0)];
    let mut office = open(&[("a", "p"), ("b", "p")], &[("p", both)]);
    office.activity("a", "away");
    office.activity("b", "away");
    for (id, queue) in [
        ("1", "support"),
        ("2", "sales"),
        ("3", "support"),
        ("4", "sales"),
    ] {
        office.create(id, queue, 0);
        office.pass(5);
    }
    assert_eq!(order(&mut office, "b"), ["1", "2", "3", "4"]);
    office.pass(1_000);
    office.activity("a", "ready");
    office.pass(1_000);
    assert_eq!(
        offers(&office.create("5", "sales", 0)),
        ["5>b"],
        "idle a second longer"
    );
}

/// R72, 3.3 vector manager overflow: at 30.000 s, only if the caller still waits, and only when
/// nothing of a higher group is there.
#[test]
fn r72_managers_answer_what_waited_thirty_seconds() {
    let profiles: &[Listed<'_>] = &[
        ("agents", &[("sales", 1, 0)]),
        ("managers", &[("sales", 1, 30)]),
    ];
    let people = [("agent", "agents"), ("manager", "managers")];
    let mut office = open(&people, profiles);
    office.create("first", "sales", 0);
    office.accept("first.1");
    office.create("a", "sales", 0);
    office.until(29_999);
    assert_eq!(office.story("a"), ["0 waits"]);
    office.until(30_000);
    assert_eq!(office.story("a"), ["0 waits", "30000 > manager"]);

    // The caller is gone before.
    let mut office = open(&people, profiles);
    office.create("first", "sales", 0);
    office.create("a", "sales", 0);
    office.until(20_000);
    office.cancel("a");
    office.until(40_000);
    assert_eq!(office.worker("manager").state, WorkerState::Free);

    // The agent is free before.
    let mut office = open(&people, profiles);
    office.create("first", "sales", 0);
    office.accept("first.1");
    office.create("a", "sales", 0);
    office.until(20_000);
    office.complete("first");
    office.until(40_000);
    assert_eq!(office.story("a"), ["0 waits", "20000 > agent"]);

    // A manager who becomes free takes the higher group first.
    let profiles: &[Listed<'_>] = &[
        ("agents", &[("sales", 1, 0)]),
        ("managers", &[("sales", 2, 30), ("support", 1, 0)]),
    ];
    let mut office = open(&people, profiles);
    office.activity("manager", "away");
    office.activity("agent", "away");
    office.create("a", "sales", 50);
    office.until(35_000);
    office.create("help", "support", 0);
    assert_eq!(order(&mut office, "manager"), ["help", "a"]);
}

/// The wait of an agent who sees late counts from when the task came into the queue, also over
/// steps; and from when its wait is said to have begun it does not.
#[test]
fn a_delay_counts_the_wait_in_the_queue_over_all_its_steps() {
    let filters = json!([{"expression": "1==1", "targets": [
        {"queue": "sales", "expression": "worker.name == 'ken'", "timeout": 20},
        {"queue": "sales", "timeout": 300},
    ]}]);
    let mut plan = plan_of(
        &[("manager", "managers")],
        &[("managers", &[("sales", 1, 30)])],
    );
    plan.workflows = vec![routing("w", filters, Value::Null)];
    let mut office = Office::new(&plan);
    office.enter("a", "w", json!({}));
    office.until(60_000);
    let story = [
        "0 0.0 Entered",
        "0 waits",
        "20000 0.1 TimedOut",
        "20000 waits",
        "30000 > manager",
    ];
    assert_eq!(office.story("a"), story);
}

/// 3.3: an agent's own queue is above all others and without delay, whatever his profile says.
#[test]
fn an_agents_own_queue_comes_first_and_at_once() {
    let mut plan = plan_of(
        &[("a", "p"), ("b", "p")],
        &[("p", &[("sales", 1, 0), ("own a", 9, 60)])],
    );
    plan.queues.push(QueueSpec {
        agent: true,
        ..QueueSpec::new("own a", "name == 'a'")
    });
    let mut office = Office::new(&plan);
    office.activity("a", "away");
    office.activity("b", "away");
    office.create("sale", "sales", 99);
    office.pass(1_000);
    office.create("mine", "own a", 0);
    assert_eq!(order(&mut office, "a"), ["mine", "sale"]);
    office.create("again", "own a", 0);
    assert_eq!(office.story("again").len(), 1);
    assert!(office.story("again")[0].ends_with("> a"), "at once");
}

/// 3.3: what his profile does not list is not for him.
#[test]
fn a_profile_hides_what_it_does_not_list() {
    let mut office = open(&[("a", "p")], &[("p", &[("sales", 1, 0)])]);
    office.create("help", "support", 0);
    office.until(3_600_000);
    assert_eq!(office.story("help"), ["0 waits"]);
    assert_eq!(office.worker("a").queues, ["sales"]);
}

/// A plan with another delay: what waits is seen by the new one.
#[test]
fn a_changed_delay_counts_for_what_waits() {
    let workers = [("manager", "managers")];
    let mut office = open(&workers, &[("managers", &[("sales", 1, 30)])]);
    office.create("a", "sales", 0);
    office.until(10_000);
    let mut sooner = plan_of(&workers, &[("managers", &[("sales", 1, 12)])]);
    sooner.generation = 2;
    office.activate(&sooner);
    office.until(20_000);
    assert_eq!(
        office.story("a").last().map(String::as_str),
        Some("12000 > manager")
    );

    let mut office = open(&workers, &[("managers", &[("sales", 1, 30)])]);
    office.create("a", "sales", 0);
    office.until(10_000);
    let mut at_once = plan_of(&workers, &[("managers", &[("sales", 1, 5)])]);
    at_once.generation = 2;
    assert_eq!(
        offers(&office.activate(&at_once)),
        ["a>manager"],
        "its delay is over"
    );
}

/// 3.3 routing criteria: proficiencies as steps that expire, then anybody of the queue.
#[test]
fn routing_criteria_are_steps_that_expire() {
    let filters = json!([{"expression": "1==1", "targets": [
        {"queue": "sales", "expression": "worker.english >= 4 AND worker.boats >= 3",
         "timeout": 15},
        {"queue": "sales", "expression": "worker.english >= 2 AND worker.english <= 3",
         "timeout": 15},
        {"queue": "sales"}]}]);
    let mut plan = plan_of(
        &[("expert", "p"), ("middling", "p"), ("novice", "p")],
        &[("p", &[("sales", 1, 0)])],
    );
    for (worker, english) in plan.workers.iter_mut().zip([5, 3, 1]) {
        worker.attributes = map(json!({"english": english, "boats": 3}));
    }
    plan.workflows = vec![routing("w", filters, Value::Null)];
    let mut office = Office::new(&plan);
    for id in ["a", "b", "c"] {
        office.enter(id, "w", json!({}));
    }
    office.until(60_000);
    assert_eq!(office.story("a")[1], "0 > expert");
    assert_eq!(
        office.story("b")[1..],
        ["0 waits", "15000 0.1 TimedOut", "15000 > middling"]
    );
    let last = "30000 > novice";
    assert_eq!(office.story("c").last().map(String::as_str), Some(last));
}
