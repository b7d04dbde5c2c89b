//! The twelve rules of workflow documents (requirements, section 2.2), each by its number.

use super::*;

/// Two of the team; the first is the owner of "o".
fn team() -> Vec<(&'static str, Value)> {
    vec![
        (
            "owner",
            json!({"owns": "o", "level": 3, "sid": "WK1", "skills": ["few"]}),
        ),
        ("mate", json!({"level": 5, "sid": "WK2"})),
    ]
}

fn open(filters: Value, default: Value) -> Office {
    Office::new(&office_of(&team(), routing("w", filters, default)))
}

fn nobody_is_free(office: &mut Office) {
    office.activity("owner", "away");
    office.activity("mate", "away");
    office.heard();
}

/// 2.2 rule 1.
#[test]
fn rule_1_the_first_filter_that_matches_wins_and_sees_the_task_alone() {
    let filters = json!([
        {"expression": "kind == 'a' AND owns == null", "targets": [
            {"queue": "all", "expression": "worker.level == 5"}]},
        {"expression": "task.kind == 'b' OR kind=='a'", "targets": [
            {"queue": "all", "expression": "worker.level == 3"}]},
        {"expression": "1==1", "targets": [{"queue": "all"}]},
    ]);
    let mut office = open(filters, Value::Null);
    office.enter("a", "w", json!({"kind": "a"}));
    assert_eq!(office.story("a"), ["0 0.0 Entered", "0 > mate"]);
    office.enter("b", "w", json!({"kind": "b"}));
    assert_eq!(office.story("b"), ["0 1.0 Entered", "0 > owner"]);
    // A worker's attribute of that name is not seen by a filter.
    office.enter("c", "w", json!({"kind": "c"}));
    assert_eq!(office.story("c"), ["0 2.0 Entered", "0 waits"]);
}

/// 2.2 rule 1: what no filter matches and no default takes has nowhere to go.
#[test]
fn rule_1_what_matches_nothing_leaves_at_once() {
    let filters = json!([{"expression": "1 == 2", "targets": [{"queue": "all"}]}]);
    let mut office = open(filters, Value::Null);
    let heard = office.enter("a", "w", json!({}));
    assert_eq!(endings(&heard), [left("a", LeftWhy::Unmatched)]);
    assert_eq!(office.story("a"), ["0 out Unmatched"]);
}

/// 2.2 rule 2.
#[test]
fn rule_2_a_target_inherits_the_queue_and_nothing_else() {
    let filters = json!([{"expression": "1==1", "targets": [
        {"queue": "few", "expression": "worker.level == 4", "priority": 7, "timeout": 10},
        {},
        {"queue": "all", "priority": "2"},
    ]}]);
    let mut office = open(filters, Value::Null);
    office.activity("owner", "away");
    let Command::CreateTask(mut new) = enter("a", "w", json!({})) else {
        unreachable!("it creates");
    };
    new.priority = 1;
    office.tell(Command::CreateTask(new));
    assert_eq!(office.task("a").priority, 7, "a target overwrites it");
    office.until(9_999);
    assert_eq!(office.task("a").at, Some(At::Filter(0, 0)));
    office.until(10_000);
    let task = office.task("a");
    assert_eq!(task.at, Some(At::Filter(0, 1)));
    assert_eq!(task.queue, "few", "inherited");
    assert_eq!(task.priority, 7, "the task keeps what it has");
    office.until(3_600_000);
    assert_eq!(office.task("a").at, Some(At::Filter(0, 1)), "no timeout");
    office.activity("owner", "ready");
    assert_eq!(offers(&office.heard()), ["a>owner"], "no expression");
}

/// 2.2 rule 3: each condition by itself keeps the worker from the task.
#[test]
fn rule_3_an_eligible_worker_fulfils_every_condition() {
    type Spoil = fn(&mut Plan, &mut Value);
    let spoils: [(&str, Spoil); 6] = [
        ("all are fulfilled", |_, _| {}),
        ("not in the queue", |plan, _| {
            plan.queues[1].target = "skills HAS 'many'".to_owned();
        }),
        ("expression", |_, task| task["owner"] = json!("p")),
        ("known worker", |_, task| task["who"] = json!("mate")),
        ("activity", |plan, _| plan.activities[0].available = false),
        ("capacity", |plan, _| {
            plan.workers[0].capacity.insert("voice".to_owned(), 0);
        }),
    ];
    let filters = json!([{"expression": "1==1", "targets": [{
        "queue": "few", "expression": "task.owner == worker.owns",
        "known_worker_friendly_name": "task.who"}]}]);
    for (why, spoil) in spoils {
        let mut plan = office_of(&team(), routing("w", filters.clone(), Value::Null));
        let mut task = json!({"owner": "o", "who": "owner"});
        spoil(&mut plan, &mut task);
        let mut office = Office::new(&plan);
        let offered = offers(&office.enter("a", "w", task));
        let wanted: &[&str] = match why {
            "all are fulfilled" => &["a>owner"],
            _ => &[],
        };
        assert_eq!(offered, wanted, "{why}");
    }
}

/// 2.2 rule 4: `1==1` skips whenever nobody is there; a worker who can be reserved is not skipped.
#[test]
fn rule_4_skip_if_is_asked_once_and_only_when_nobody_was_reserved() {
    let filters = json!([{"expression": "1==1", "targets": [
        {"queue": "all", "expression": "worker.owns == task.owner", "timeout": 10,
         "skip_if": "1==1"},
        {"queue": "all"},
    ]}]);
    let mut office = open(filters, Value::Null);
    office.enter("a", "w", json!({"owner": "o"}));
    assert_eq!(office.story("a"), ["0 0.0 Entered", "0 > owner"]);
    // Rejected, it stays: the question was to be asked on entering.
    office.activity("mate", "away");
    office.pass(1000);
    assert!(offers(&office.reject("a.1", Rejection::Declined)).is_empty());
    assert_eq!(office.task("a").at, Some(At::Filter(0, 0)));
    office.enter("b", "w", json!({"owner": "x"}));
    let story = [
        "1000 0.0 Entered",
        "1000 0.1 Skipped(SkipIf)",
        "1000 > owner",
    ];
    assert_eq!(office.story("b"), story);
}

/// 2.2 rule 4: what the question can be about.
#[test]
fn rule_4_skip_if_counts_the_workers_of_its_queue() {
    let cases = [
        ("workers.available == 0", false),
        ("workers.available == 1", true),
        ("workers.unavailable == 1", true),
        ("workers.away == 1 AND workers.ready == 1", true),
        ("workers.away > 1", false),
        ("workers.available + workers.unavailable == 2", true),
    ];
    for (skip_if, is_skipped) in cases {
        let filters = json!([{"expression": "1==1", "targets": [
            {"queue": "all", "expression": "worker.level == 9", "skip_if": skip_if, "timeout": 5},
            {"queue": "all", "expression": "worker.level == 8"},
        ]}]);
        let mut office = open(filters, Value::Null);
        office.activity("mate", "away");
        office.enter("a", "w", json!({}));
        let step = At::Filter(0, usize::from(is_skipped));
        assert_eq!(office.task("a").at, Some(step), "{skip_if}");
    }
    // Counted over the step's own queue: few has the owner alone.
    let filters = json!([{"expression": "1==1", "targets": [
        {"queue": "few", "skip_if": "workers.available == 0", "timeout": 5}, {"queue": "all"}]}]);
    let mut office = open(filters, Value::Null);
    office.activity("owner", "away");
    office.enter("a", "w", json!({}));
    assert_eq!(office.story("a")[1], "0 0.1 Skipped(SkipIf)");
}

/// 2.2 rule 5; each time is exact.
#[test]
fn rule_5_timeouts_lead_on_to_later_matching_filters_and_never_to_the_default() {
    let filters = json!([
        {"expression": "kind == 'a'", "targets": [
            {"queue": "few", "timeout": 10}, {"queue": "all", "timeout": "5"}]},
        {"expression": "kind == 'b'", "targets": [{"queue": "all"}]},
        {"expression": "kind IN ['a', 'c']", "targets": [{"queue": "few", "timeout": 7}]},
    ]);
    let mut office = open(filters, json!({"queue": "all"}));
    nobody_is_free(&mut office);
    office.enter("a", "w", json!({"kind": "a"}));
    office.until(60_000);
    let story = [
        "0 0.0 Entered",
        "0 waits",
        "10000 0.1 TimedOut",
        "10000 waits",
        "15000 2.0 TimedOut",
        "15000 waits",
        "22000 out WorkflowTimedOut",
    ];
    assert_eq!(office.story("a"), story);
    assert_eq!(
        endings(&office.heard()),
        [left("a", LeftWhy::WorkflowTimedOut)]
    );
}

/// 2.2 rule 6.
#[test]
fn rule_6_skipping_the_last_target_is_as_if_the_filter_had_not_matched() {
    let filters = |with_later: bool| {
        let last = json!({"queue": "few", "timeout": 10, "skip_if": "1==1"});
        let mut filters = vec![json!({"expression": "kind == 'a'", "targets": [
            {"queue": "few", "timeout": 4}, last]})];
        if with_later {
            filters.push(json!({"expression": "kind == 'b'", "targets": [{"queue": "all"}]}));
            filters.push(json!({"expression": "1==1", "targets": [{"queue": "all"}]}));
        }
        Value::Array(filters)
    };
    for (with_later, default, to) in [
        (true, json!({"queue": "all"}), "4000 2.0 Skipped(SkipIf)"),
        (
            false,
            json!({"queue": "all"}),
            "4000 default Skipped(SkipIf)",
        ),
        (false, Value::Null, "4000 out WorkflowSkipped"),
    ] {
        let mut office = open(filters(with_later), default);
        nobody_is_free(&mut office);
        office.enter("a", "w", json!({"kind": "a"}));
        office.until(5_000);
        let mut story = vec!["0 0.0 Entered", "0 waits", "4000 0.1 TimedOut", to];
        if !to.contains("out ") {
            story.push("4000 waits");
        }
        assert_eq!(office.story("a"), story);
    }
}

/// 2.2 rules 5 and 6 together: what timed out of one filter and was skipped by a later one has
/// been skipped last, and comes to the default.
#[test]
fn rule_6_counts_for_the_filter_that_was_left_last() {
    let filters = json!([
        {"expression": "1==1", "targets": [{"queue": "few", "timeout": 4}]},
        {"expression": "1==1", "targets": [{"queue": "few", "timeout": 4, "skip_if": "1==1"}]}]);
    let mut office = open(filters, json!({"queue": "all"}));
    office.activity("owner", "away");
    office.enter("a", "w", json!({}));
    office.until(10_000);
    let story = [
        "0 0.0 Entered",
        "0 waits",
        "4000 1.0 TimedOut",
        "4000 default Skipped(SkipIf)",
        "4000 > mate",
    ];
    assert_eq!(office.story("a"), story);
}

/// 2.2 rule 7.
#[test]
fn rule_7_the_default_lasts_as_long_as_the_task_lives() {
    let mut office = open(json!([]), json!({"queue": "all", "priority": 3}));
    nobody_is_free(&mut office);
    office.enter("a", "w", json!({}));
    assert_eq!(office.task("a").priority, 3);
    office.until(86_399_999);
    assert!(endings(&office.heard()).is_empty());
    office.until(86_400_000);
    assert_eq!(endings(&office.heard()), [left("a", LeftWhy::TimeToLive)]);
    // A task may say how long it lives.
    let Command::CreateTask(mut new) = enter("b", "w", json!({})) else {
        unreachable!("it creates");
    };
    new.time_to_live = Some(seconds(30));
    office.ask(Command::CreateTask(new));
    office.pass(29_999);
    assert!(endings(&office.heard()).is_empty());
    office.pass(1);
    assert_eq!(endings(&office.heard()), [left("b", LeftWhy::TimeToLive)]);
}

/// 2.2 rule 8.
#[test]
fn rule_8_a_timeout_leaves_an_open_offer_alone_until_it_ends() {
    let filters = json!([{"expression": "1==1", "targets": [
        {"queue": "few", "timeout": 10}, {"queue": "all", "expression": "worker.level == 5"}]}]);
    for is_accepted in [true, false] {
        let mut office = open(filters.clone(), Value::Null);
        office.until(4_000);
        assert_eq!(offers(&office.enter("a", "w", json!({}))), ["a>owner"]);
        office.until(20_000);
        assert!(revoked(&office.heard()).is_empty());
        assert_eq!(office.task("a").at, Some(At::Filter(0, 0)));
        let over = |entry: &&Entry| {
            let fact = Fact::decode(entry).expect("it reads back");
            matches!(fact, Fact::Timer(Timer::StepOver { .. }))
        };
        let over = office.facts.iter().find(over).expect("it is a fact");
        assert_eq!(
            over.at.since(office.opened),
            seconds(14),
            "at its exact time"
        );
        if is_accepted {
            office.accept("a.1");
            assert!(office.task("a").assigned);
            assert_eq!(office.story("a").len(), 2, "it moves no more");
        } else {
            office.reject("a.1", Rejection::Declined);
            let story = ["20000 0.1 TimedOut", "20000 > mate"];
            assert_eq!(office.story("a")[2..], story);
        }
    }
}

/// 2.2 rule 9.
#[test]
fn rule_9_everything_that_may_help_a_waiting_task_is_seen_at_once() {
    type Help = fn(&mut Office, &Plan);
    let helps: [(&str, Help); 8] = [
        ("reservation rejected", |office, _| {
            office.reject("first.1", Rejection::Declined);
            let story = office.story("a");
            assert_eq!(story.last().map(String::as_str), Some("0 > owner"));
        }),
        ("reservation cancelled", |office, _| {
            drop(office.cancel("first"))
        }),
        ("capacity freed", |office, _| {
            office.accept("first.1");
            office.complete("first");
        }),
        ("worker available", |office, _| {
            office.activity("mate", "ready")
        }),
        ("worker reachable", |office, _| {
            office.reachable("mate", false);
            office.activity("mate", "ready");
            office.reachable("mate", true);
        }),
        ("task attributes", |office, _| {
            office.activity("ken", "ready");
            office.update("a", |change| change.attributes = Some(json!({"to": "ken"})));
        }),
        ("plan", |office, plan| {
            office.activity("ken", "ready");
            let mut plan = plan.clone();
            plan.generation = 2;
            plan.workers[2].attributes = map(json!({"team": 1}));
            office.activate(&plan);
        }),
        ("task re-evaluated", |office, _| {
            office.activity("ken", "ready");
            office.update("a", |change| {
                change.attributes = Some(json!({"kind": "b"}));
                change.reevaluate = true;
            });
        }),
    ];
    let filters = json!([
        {"expression": "kind == 'b'", "targets": [{"queue": "all"}]},
        {"expression": "1==1", "targets": [
            {"queue": "all", "expression": "worker.team == 1 OR worker.name == task.to"}]}]);
    for (what, help) in helps {
        let workers = [
            ("owner", json!({"team": 1})),
            ("mate", json!({"team": 1})),
            ("ken", json!({"team": 2})),
        ];
        let plan = office_of(&workers, routing("w", filters.clone(), Value::Null));
        let mut office = Office::new(&plan);
        office.activity("mate", "away");
        office.activity("ken", "away");
        office.enter("first", "w", json!({}));
        office.enter("a", "w", json!({}));
        assert_eq!(
            office.story("a").last().map(String::as_str),
            Some("0 waits"),
            "{what}"
        );
        help(&mut office, &plan);
        let story = office.story("a");
        assert!(
            story.last().is_some_and(|last| last.contains("> ")),
            "{what}: {story:?}"
        );
    }
}

/// 2.2 rule 9: an offer that rang out makes room for the next, and for another task.
#[test]
fn rule_9_an_offer_that_rang_out_is_looked_at_again_at_once() {
    let workers = [("owner", json!({})), ("mate", json!({}))];
    let plan = office_of(&workers, routing("w", json!([]), json!({"queue": "all"})));
    let mut office = Office::new(&plan);
    office.enter("first", "w", json!({}));
    office.until(30_000);
    office.activity("mate", "away");
    office.enter("a", "w", json!({}));
    office.until(59_999);
    office.activity("mate", "ready");
    assert_eq!(office.story("a")[2..], ["59999 > mate"]);
    office.cancel("a");
    assert_eq!(office.story("first").len(), 2, "it rings");
    office.until(60_000);
    assert_eq!(office.story("first")[2..], ["60000 > mate"]);
}

/// 2.2 rule 10.
#[test]
fn rule_10_a_known_worker_is_the_only_one_wanted_and_a_wrong_one_is_waited_for() {
    let cases = [
        ("known_worker_sid", json!("WK1"), "0 > owner"),
        ("known_worker_friendly_name", json!("owner"), "0 > owner"),
        ("known_worker_friendly_name", Value::Null, "0 waits"),
        ("known_worker_sid", json!("WK9"), "0 waits"),
        // He is there, but does not serve the step's queue (40152).
        ("known_worker_sid", json!("WK2"), "0 waits"),
    ];
    for (key, who, then) in cases {
        let filters = json!([{"expression": "1==1", "targets": [
            {"queue": "few", key: "task.who", "timeout": 10}, {"queue": "all"}]}]);
        let mut office = open(filters, Value::Null);
        office.enter("a", "w", json!({"who": who}));
        assert_eq!(office.story("a")[1], then, "{key} {who}");
        office.until(10_000);
        if then == "0 waits" {
            assert_eq!(office.story("a")[2], "10000 0.1 TimedOut", "{key} {who}");
        }
    }
    let known = |who: Value| {
        let filters = json!([{"expression": "1==1", "targets": [
            {"queue": "few", "known_worker_sid": "task.who"}]}]);
        let mut office = open(filters, Value::Null);
        office.enter("a", "w", json!({"who": who}));
        office
            .facts
            .iter()
            .find_map(|entry| match Fact::decode(entry) {
                Ok(Fact::Decision(Decision::Moved { known, .. })) => known,
                _ => None,
            })
    };
    assert_eq!(known(json!("WK1")), Some(Known::Worker("owner".to_owned())));
    assert_eq!(
        known(json!("WK2")),
        Some(Known::OutsideQueue("mate".to_owned()))
    );
    assert_eq!(known(json!("WK9")), Some(Known::Unknown("WK9".to_owned())));
    assert_eq!(known(Value::Null), Some(Known::Null));
}

/// 2.2 rule 10: an unquoted `null` means nobody; `skip_if` is asked as usual.
#[test]
fn rule_10_null_for_the_known_worker_skips_as_usual() {
    let filters = json!([{"expression": "1==1", "targets": [
        {"queue": "all", "known_worker_sid": null, "skip_if": "1==1", "timeout": 10},
        {"queue": "all"}]}]);
    let mut office = open(filters, Value::Null);
    office.enter("a", "w", json!({}));
    let story = ["0 0.0 Entered", "0 0.1 Skipped(SkipIf)", "0 > owner"];
    assert_eq!(office.story("a"), story);
}

/// 2.2 rule 11.
#[test]
fn rule_11_another_available_activity_keeps_the_offers() {
    let mut plan = office_of(&team(), routing("w", json!([]), json!({"queue": "few"})));
    plan.activities.push(ActivitySpec::available("mail"));
    let mut office = Office::new(&plan);
    office.enter("a", "w", json!({}));
    office.activity("owner", "mail");
    assert!(revoked(&office.heard()).is_empty());
    let heard = office.accept("a.1");
    assert!(matches!(heard[0], Output::Assigned { .. }));
}

/// 2.2 rule 12.
#[test]
fn rule_12_order_by_then_the_longest_idle() {
    let workers = [
        ("odd", json!({"age": 30})),
        ("low", json!({"level": 1, "age": 20})),
        ("high", json!({"level": 5, "age": 40})),
        ("elder", json!({"level": 5, "age": 50})),
        ("twin", json!({"level": 5, "age": 40})),
    ];
    let order = |order_by: &str, workers: &[(&str, Value)]| {
        let default = json!({"queue": "all", "order_by": order_by});
        let mut office = Office::new(&office_of(workers, routing("w", json!([]), default)));
        let names = (0..workers.len()).map(|n| {
            let heard = office.enter(&format!("t{n}"), "w", json!({}));
            let offer = offers(&heard).remove(0);
            offer.split_once('>').expect("an offer").1.to_owned()
        });
        names.collect::<Vec<_>>()
    };
    let by_level = ["high", "elder", "twin", "low", "odd"];
    assert_eq!(order("worker.level DESC", &workers), by_level);
    // Missing comes last in both directions.
    let rising = ["low", "high", "elder", "twin", "odd"];
    assert_eq!(order("worker.level ASC", &workers), rising);
    let by_both = ["elder", "high", "twin", "low", "odd"];
    assert_eq!(
        order("worker.level DESC, worker.age DESC", &workers),
        by_both
    );
    let by_age = ["low", "odd", "high", "twin", "elder"];
    assert_eq!(order("worker.age ASC", &workers), by_age);
    // One who has no whole number there: the order counts for nobody.
    let mut wrong = workers.to_vec();
    wrong[0].1 = json!({"level": "5", "age": 30});
    let idle = ["odd", "low", "high", "elder", "twin"];
    assert_eq!(order("worker.level DESC", &wrong)[0], idle[0]);
}

/// 2.2 rule 9: new attributes name another worker; he is found without a new evaluation.
#[test]
fn rule_9_new_attributes_find_the_known_worker_anew() {
    let filters = json!([{"expression": "1==1", "targets": [
        {"queue": "all", "known_worker_friendly_name": "task.owner", "timeout": 60}]}]);
    let mut office = open(filters, Value::Null);
    office.enter("t", "w", json!({"n": 1}));
    assert_eq!(office.story("t")[1], "0 waits", "it names nobody");
    let name = |owner: &str| json!({"owner": owner});
    let heard = office.update("t", |change| change.attributes = Some(name("stranger")));
    assert!(offers(&heard).is_empty());
    let heard = office.update("t", |change| change.attributes = Some(name("mate")));
    assert_eq!(offers(&heard), ["t>mate"]);
    let state = office.router.state().clone();
    let mut again = Router::new(1);
    for entry in &office.facts {
        again.fold(entry).expect("it folds");
    }
    assert_eq!(*again.state(), state);
}
