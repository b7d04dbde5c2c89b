//! Lines: which task is next, who is told its place, what happens when nobody is there.

use super::*;

#[test]
fn priority_goes_before_time_and_a_worker_takes_the_first_of_all_his_queues() {
    let mut office = Office::new(&plan());
    office.activity("花子", "away");
    office.create("busy", "sales", 0);
    office.accept("busy.1");
    for (id, queue, priority) in [
        ("old-sale", "sales", 0),
        ("old-help", "support", 0),
        ("vip-help", "support", 5),
        ("vip-sale", "sales", 5),
    ] {
        assert_eq!(offers(&office.create(id, queue, priority)), [""; 0]);
        office.pass(10);
    }
    let mut order = Vec::new();
    let mut current = "busy".to_owned();
    while let Some(offer) = offers(&office.complete(&current)).first() {
        current = offer.trim_end_matches(">taro").to_owned();
        office.accept(&format!("{current}.1"));
        order.push(current.clone());
    }
    assert_eq!(order, ["vip-help", "vip-sale", "old-sale", "old-help"]);
}

#[test]
fn a_newest_first_queue_ignores_priority_and_yields_to_first_in_first_out() {
    let mut plan = plan();
    plan.queues[0].order = QueueOrder::Lifo;
    let mut office = Office::new(&plan);
    office.activity("花子", "away");
    office.activity("taro", "away");
    office.create("first", "sales", 9);
    office.create("second", "sales", 0);
    office.create("help", "support", 0);
    office.activity("taro", "ready");
    assert_eq!(offers(&office.heard()), ["help>taro"]);
    office.activity("花子", "ready");
    assert_eq!(offers(&office.heard()), ["second>花子"]);
}

#[test]
fn places_are_told_to_those_whose_place_changed() {
    let mut office = Office::new(&plan());
    office.activity("花子", "away");
    let told = |id: &str, place| (id.to_owned(), place);
    assert_eq!(positions(&office.create("a", "sales", 0)), [told("a", 1)]);
    assert_eq!(positions(&office.create("b", "sales", 0)), [told("b", 2)]);
    assert_eq!(positions(&office.create("c", "sales", 0)), [told("c", 3)]);
    let vip = positions(&office.create("vip", "sales", 1));
    assert_eq!(
        vip,
        [told("vip", 1), told("a", 2), told("b", 3), told("c", 4)]
    );
    assert_eq!(positions(&office.cancel("b")), [told("c", 3)]);
    assert_eq!(positions(&office.accept("a.1")), [told("c", 2)]);
    assert_eq!(
        positions(&office.create("help", "support", 0)),
        [told("help", 1)]
    );
}

#[test]
fn a_task_nobody_can_take_is_told_once_and_why() {
    let mut plan = plan();
    plan.queues
        .push(QueueSpec::new("empty", "skills HAS 'chess'"));
    plan.queues.push(QueueSpec {
        when_nobody: WhenNobody::Wait,
        ..QueueSpec::new("patient", "skills HAS 'chess'")
    });
    let mut office = Office::new(&plan);
    let told = |id: &str, why| (id.to_owned(), why);
    let heard = office.create("a", "empty", 0);
    assert_eq!(nobody(&heard), [told("a", NobodyWhy::NoMatch)]);
    assert!(nobody(&office.create("b", "patient", 0)).is_empty());

    office.create("c", "sales", 0);
    office.create("d", "sales", 0);
    assert!(
        nobody(&office.create("e", "sales", 0)).is_empty(),
        "both are busy, but there"
    );
    assert!(nobody(&office.reject("c.1", Rejection::NoAnswer)).is_empty());
    let heard = office.reject("d.1", Rejection::NoAnswer);
    let why = NobodyWhy::NoneOnDuty;
    assert_eq!(
        nobody(&heard),
        [told("d", why), told("c", why), told("e", why)]
    );
    let explanations = heard.iter().filter_map(|output| match output {
        Output::NobodyCanTake { explanation, .. } => Some(explanation.to_string()),
        _ => None,
    });
    for explanation in explanations {
        assert_eq!(explanation, "nobody; 2 not available");
    }
    office.reachable("花子", false);
    office.reachable("花子", true);
    assert!(nobody(&office.heard()).is_empty(), "once is enough");
    office.activity("花子", "ready");
    assert_eq!(offers(&office.heard()), ["c>花子"]);
}

#[test]
fn targets_may_look_at_the_task_in_any_script() {
    let mut plan = plan();
    plan.queues
        .push(QueueSpec::new("担当", "task.担当者 == worker.name"));
    let mut office = Office::new(&plan);
    let to = |id: &str, name: &str| create(id, "担当", 0, json!({"担当者": name}));
    assert_eq!(offers(&office.ask(to("a", "taro"))), ["a>taro"]);
    assert_eq!(offers(&office.ask(to("b", "taro"))), [""; 0]);
    assert_eq!(offers(&office.ask(to("c", "花子"))), ["c>花子"]);
    let heard = office.ask(to("d", "jiro"));
    assert_eq!(nobody(&heard), [("d".to_owned(), NobodyWhy::NoMatch)]);
    office.accept("a.1");
    assert_eq!(offers(&office.complete("a")), ["b>taro"]);
}

#[test]
fn lines_and_attributes_are_bounded() {
    let mut plan = plan();
    plan.queues[0].max_waiting = 2;
    let mut office = Office::new(&plan);
    office.create("a", "sales", 0);
    office.create("b", "sales", 0);
    let full = Some(Refusal::QueueFull);
    assert_eq!(refusal(&office.create("c", "sales", 0)), full);
    office.accept("a.1");
    assert_eq!(refusal(&office.create("c", "sales", 0)), None);
    let duplicate = Some(Refusal::DuplicateTask);
    assert_eq!(refusal(&office.create("c", "sales", 0)), duplicate);
    let large = json!({"text": "語".repeat(22_000)});
    let heard = office.ask(create("d", "support", 0, large));
    assert_eq!(refusal(&heard), Some(Refusal::AttributesTooLarge));
}

#[test]
fn a_thousand_workers_and_waiting_tasks_are_decided_in_well_under_a_millisecond() {
    let mut plan = plan();
    plan.workers = (0..1000)
        .map(|n| {
            worker(
                &format!("w{n}"),
                json!({"skills": ["sales", "support"], "n": n}),
            )
        })
        .collect();
    plan.queues[0].max_waiting = 2000;
    plan.queues
        .push(QueueSpec::new("own", "worker.n == task.n"));
    let mut office = Office::new(&plan);
    for n in 0..1000 {
        office.create(&format!("t{n}"), "sales", 0);
        office.accept(&format!("t{n}.1"));
    }
    for n in 1000..2000 {
        office.create(&format!("t{n}"), "sales", 0);
    }
    for n in 0..200 {
        office.ask(create(&format!("own{n}"), "own", 0, json!({"n": n})));
    }
    let started = std::time::Instant::now();
    let mut decided = 0;
    for n in 300..400 {
        decided += offers(&office.complete(&format!("t{n}"))).len();
        office.accept(&format!("t{}.1", n + 700));
    }
    let each = started.elapsed() / 100;
    assert_eq!(decided, 100);
    println!("a freed worker's decision and its accept: {each:?}");
    let limit = if cfg!(debug_assertions) { 50 } else { 1 };
    assert!(each < Duration::from_millis(limit), "{each:?}");
}

/// What is accepted is written, and what is written must be readable after a restart.
#[test]
fn attributes_are_as_deep_as_a_snapshot_can_be_read_back() {
    let deep = |levels: usize| {
        let nest = |inner: Value, _| json!({"a": [inner]});
        // Each turn adds two levels.
        let value = (0..levels / 2).fold(json!(1), nest);
        if levels.is_multiple_of(2) {
            value
        } else {
            json!({"a": value})
        }
    };
    let mut office = Office::new(&plan());
    for levels in [65, 66, 124, 125] {
        let heard = office.ask(create("a", "sales", 0, deep(levels)));
        assert_eq!(
            refusal(&heard),
            Some(Refusal::AttributesTooDeep),
            "{levels}"
        );
    }
    for (id, levels) in [("a", 64), ("b", 63)] {
        assert_eq!(
            refusal(&office.ask(create(id, "sales", 0, deep(levels)))),
            None
        );
    }
    let heard = office.update("a", |change| change.attributes = Some(deep(65)));
    assert_eq!(refusal(&heard), Some(Refusal::AttributesTooDeep));
    let again = Router::restore(&office.router.snapshot()).expect("it reads back");
    assert_eq!(again.state(), office.router.state());
    for entry in &office.facts {
        Fact::decode(entry).expect("it reads back");
    }
}
