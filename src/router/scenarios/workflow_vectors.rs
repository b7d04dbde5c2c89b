//! The vectors of requirements, section 2.2, each by its words there; all times are exact.

use super::*;

/// Owner for 10 s, then his department, then anybody.
fn owner_first() -> WorkflowSpec {
    let filters = json!([{"filter_friendly_name": "owner", "expression": "owner != null",
        "targets": [
            {"queue": "all", "expression": "worker.name == task.owner", "timeout": 10,
             "skip_if": "workers.ready == 0"},
            {"queue": "all", "expression": "worker.team == task.team", "timeout": 20}]}]);
    routing("w", filters, json!({"queue": "all"}))
}

fn team() -> Vec<(&'static str, Value)> {
    vec![
        ("owner", json!({"team": 1, "skills": ["few"]})),
        ("mate", json!({"team": 1})),
        ("far", json!({"team": 2})),
    ]
}

fn open(workflow: WorkflowSpec) -> Office {
    Office::new(&office_of(&team(), workflow))
}

fn call(office: &mut Office, id: &str) {
    office.enter(id, "w", json!({"owner": "owner", "team": 1}));
}

#[test]
fn vector_owner_present() {
    let mut office = open(owner_first());
    call(&mut office, "a");
    assert_eq!(office.story("a"), ["0 0.0 Entered", "0 > owner"]);
}

#[test]
fn vector_owner_away_with_skip_if() {
    let filters = json!([{"expression": "1==1", "targets": [
        {"queue": "few", "timeout": 10, "skip_if": "workers.available == 0"},
        {"queue": "all", "expression": "worker.team == task.team"}]}]);
    let mut office = open(routing("w", filters, Value::Null));
    office.activity("owner", "away");
    office.until(500);
    call(&mut office, "a");
    let story = ["500 0.0 Entered", "500 0.1 Skipped(SkipIf)", "500 > mate"];
    assert_eq!(office.story("a"), story, "after 0 ms");
}

#[test]
fn vector_owner_busy_10_s_then_department() {
    let mut office = open(owner_first());
    call(&mut office, "first");
    office.accept("first.1");
    office.until(250);
    call(&mut office, "a");
    office.until(30_000);
    let story = [
        "250 0.0 Entered",
        "250 waits",
        "10250 0.1 TimedOut",
        "10250 > mate",
    ];
    assert_eq!(office.story("a"), story);
}

#[test]
fn vector_owner_free_again_before_the_timeout() {
    let mut office = open(owner_first());
    call(&mut office, "first");
    office.accept("first.1");
    call(&mut office, "a");
    office.until(9_999);
    office.complete("first");
    assert_eq!(
        office.story("a"),
        ["0 0.0 Entered", "0 waits", "9999 > owner"]
    );
}

#[test]
fn vector_two_filters_both_matching() {
    let filter = |level: u32| {
        json!({"expression": "kind == 'x'", "targets": [
        {"queue": "all", "expression": format!("worker.team == {level}")}]})
    };
    let mut office = open(routing(
        "w",
        json!([filter(2), filter(1)]),
        json!({"queue": "all"}),
    ));
    office.enter("a", "w", json!({"kind": "x"}));
    office.enter("b", "w", json!({"kind": "x"}));
    office.until(3_600_000);
    assert_eq!(office.story("a")[..2], ["0 0.0 Entered", "0 > far"]);
    assert_eq!(
        office.story("b")[..2],
        ["0 0.0 Entered", "0 waits"],
        "first match wins"
    );
}

#[test]
fn vector_timeout_to_a_later_matching_filter() {
    let filters = json!([
        {"expression": "vip == true", "targets": [
            {"queue": "few", "timeout": 3}, {"queue": "few", "priority": 9, "timeout": 4}]},
        {"expression": "vip == false", "targets": [{"queue": "all"}]},
        {"expression": "vip == true", "targets": [{"queue": "all"}]}]);
    let mut office = open(routing("w", filters, json!({"queue": "few"})));
    office.activity("owner", "away");
    office.enter("a", "w", json!({"vip": true}));
    office.until(10_000);
    let story = [
        "0 0.0 Entered",
        "0 waits",
        "3000 0.1 TimedOut",
        "3000 waits",
        "7000 2.0 TimedOut",
        "7000 > mate",
    ];
    assert_eq!(office.story("a"), story);
    assert_eq!(office.task("a").priority, 9);
}

#[test]
fn vector_timeout_with_none_left_is_cancelled() {
    let filters = json!([{"expression": "1==1", "targets": [{"queue": "few", "timeout": 10}]}]);
    let mut office = open(routing("w", filters, json!({"queue": "all"})));
    office.activity("owner", "away");
    office.enter("a", "w", json!({}));
    office.until(10_000);
    assert_eq!(
        endings(&office.heard()),
        [left("a", LeftWhy::WorkflowTimedOut)]
    );
    let story = ["0 0.0 Entered", "0 waits", "10000 out WorkflowTimedOut"];
    assert_eq!(
        office.story("a"),
        story,
        "never the default, though people are free there"
    );
}

#[test]
fn vector_skip_last_target_to_default() {
    let filters = json!([{"expression": "1==1", "targets": [
        {"queue": "few", "timeout": 10, "skip_if": "1==1"}]}]);
    let mut office = open(routing("w", filters, json!({"queue": "all"})));
    office.activity("owner", "away");
    office.enter("a", "w", json!({}));
    let story = ["0 0.0 Entered", "0 default Skipped(SkipIf)", "0 > mate"];
    assert_eq!(office.story("a"), story);
}

#[test]
fn vector_priority_raise_on_the_second_target_overtakes() {
    let filters = json!([
        {"expression": "urgent == true", "targets": [
            {"queue": "few", "timeout": 10}, {"queue": "few", "priority": 10}]},
        {"expression": "1==1", "targets": [{"queue": "few", "priority": 5}]}]);
    let mut office = open(routing("w", filters, Value::Null));
    office.enter("busy", "w", json!({}));
    office.accept("busy.1");
    office.enter("old", "w", json!({}));
    office.enter("late", "w", json!({"urgent": true}));
    let place = |office: &Office, id: &str| office.task(id).position;
    office.until(9_999);
    assert_eq!(
        (place(&office, "old"), place(&office, "late")),
        (Some(1), Some(2))
    );
    office.until(10_000);
    assert_eq!(
        (place(&office, "old"), place(&office, "late")),
        (Some(2), Some(1))
    );
    assert_eq!(offers(&office.complete("busy")), ["late>owner"]);
}

#[test]
fn vector_known_worker_null() {
    let filters = json!([{"expression": "1==1", "targets": [
        {"queue": "all", "known_worker_sid": "task.agent", "timeout": 8},
        {"queue": "all"}]}]);
    let mut office = open(routing("w", filters, Value::Null));
    office.enter("a", "w", json!({"agent": null}));
    office.until(8_000);
    let story = [
        "0 0.0 Entered",
        "0 waits",
        "8000 0.1 TimedOut",
        "8000 > owner",
    ];
    assert_eq!(
        office.story("a"),
        story,
        "it waits for the timeout all the same"
    );
}

#[test]
fn vector_lifo_with_priorities() {
    let mut plan = office_of(&team(), routing("w", json!([]), json!({"queue": "few"})));
    plan.queues[1].order = QueueOrder::Lifo;
    let mut office = Office::new(&plan);
    office.activity("owner", "away");
    for (id, priority) in [("a", 1), ("b", 9), ("c", 0), ("d", 5)] {
        office.create(id, "few", priority);
        office.pass(10);
    }
    office.activity("owner", "ready");
    let mut order = Vec::new();
    while let Some(offer) = offers(&office.heard()).first() {
        let id = offer.trim_end_matches(">owner").to_owned();
        office.tell(Command::Accept {
            reservation: ReservationId::new(format!("{id}.1")),
        });
        office.tell(Command::Complete {
            task: TaskId::new(id.clone()),
            code: None,
        });
        order.push(id);
    }
    assert_eq!(
        order,
        ["d", "c", "b", "a"],
        "the newest, whatever its priority"
    );
}

#[test]
fn vector_virtual_start_earlier_than_creation() {
    let mut office = open(owner_first());
    for name in ["owner", "mate", "far"] {
        office.activity(name, "away");
    }
    office.create("a", "all", 0);
    office.pass(1_000);
    let before = office.now - seconds(60);
    let Command::CreateTask(mut new) = create("b", "all", 0, json!({})) else {
        unreachable!("it creates");
    };
    new.started = Some(before);
    office.tell(Command::CreateTask(new.clone()));
    assert_eq!(office.task("b").position, Some(1));
    assert_eq!(office.task("b").entered, before);
    // One that waits may be given an earlier start as well, but none to come.
    office.update("a", |change| change.started = Some(before - seconds(1)));
    assert_eq!(office.task("a").position, Some(1));
    let later = office.now + seconds(1);
    let heard = office.update("a", |change| change.started = Some(later));
    assert_eq!(refusal(&heard), Some(Refusal::NotPast));
    (new.task, new.started) = (TaskId::new("c"), Some(later));
    let heard = office.ask(Command::CreateTask(new));
    assert_eq!(refusal(&heard), Some(Refusal::NotPast));
}

#[test]
fn vector_multi_reservation_of_3_the_second_accepts_and_the_others_are_rescinded() {
    let mut plan = office_of(&team(), owner_first());
    plan.queues[0].max_reserved = 3;
    let mut office = Office::new(&plan);
    let heard = office.create("a", "all", 0);
    assert_eq!(offers(&heard), ["a>owner", "a>mate", "a>far"]);
    let heard = office.accept("a.1-2");
    assert_eq!(
        revoked(&heard),
        [RevokedWhy::Rescinded, RevokedWhy::Rescinded]
    );
    let whose = heard.iter().filter_map(|output| match output {
        Output::OfferRevoked { worker, .. } => Some(worker.as_str()),
        _ => None,
    });
    assert_eq!(whose.collect::<Vec<_>>(), ["owner", "far"]);
    let revoked_first = matches!(heard[0], Output::OfferRevoked { .. });
    assert!(revoked_first, "phones stop before anybody talks: {heard:?}");
    assert_eq!(office.worker("mate").state, WorkerState::Talking);
    assert_eq!(office.worker("owner").state, WorkerState::Free);
    assert_eq!(
        refusal(&office.accept("a.1")),
        Some(Refusal::ReservationOver)
    );
    assert_eq!(office.task("a").offers, 1, "it counts once");
}

#[test]
fn vector_worker_removed_while_reserved() {
    let plan = office_of(&team(), owner_first());
    let mut office = Office::new(&plan);
    office.until(100);
    call(&mut office, "a");
    office.until(2_000);
    let mut less = plan.clone();
    less.generation = 2;
    less.workers.remove(0);
    let heard = office.activate(&less);
    assert_eq!(revoked(&heard), [RevokedWhy::WorkerRemoved]);
    office.until(30_000);
    let story = [
        "100 0.0 Entered",
        "100 > owner",
        "10100 0.1 TimedOut",
        "10100 > mate",
    ];
    assert_eq!(
        office.story("a"),
        story,
        "it is no miss, and the timeout stands"
    );
}

#[test]
fn vector_the_1001st_reservation_cancels() {
    let mut plan = office_of(&team(), routing("w", json!([]), json!({"queue": "few"})));
    plan.queues[1].max_reserved = 2;
    let mut office = Office::new(&plan);
    office.enter("a", "w", json!({}));
    for attempt in 1..=1000 {
        assert_eq!(office.task("a").offers, attempt);
        let heard = office.reject(&format!("a.{attempt}"), Rejection::Busy);
        if attempt == 1000 {
            assert_eq!(endings(&heard), [left("a", LeftWhy::TooManyOffers)]);
        }
        office.pass(5_000);
    }
}

/// 2.4, 2.5: a task that is given up takes its open offer with it; an assigned one lives on.
#[test]
fn a_task_over_its_time_takes_back_its_offer_unless_it_is_assigned() {
    for is_accepted in [false, true] {
        let mut workflow = routing("w", json!([]), json!({"queue": "few"}));
        workflow.time_to_live = seconds(30);
        let mut office = open(workflow);
        office.enter("a", "w", json!({}));
        if is_accepted {
            office.accept("a.1");
        }
        office.until(30_000);
        let heard = office.heard();
        if is_accepted {
            assert!(endings(&heard).is_empty());
        } else {
            assert_eq!(revoked(&heard), [RevokedWhy::TaskCancelled]);
            assert_eq!(endings(&heard), [left("a", LeftWhy::TimeToLive)]);
            assert_eq!(office.worker("owner").state, WorkerState::Free);
        }
    }
}

/// Steps that last no time at all follow each other at once.
#[test]
fn steps_of_no_time_lead_on_at_once() {
    let mut workflow = owner_first();
    let steps = &mut workflow.filters[0].steps;
    for step in steps.iter_mut() {
        step.timeout = Some(Duration::from_millis(1));
        step.skip_if = None;
        step.expression = Some("worker.team == 9".to_owned());
    }
    let third = steps[0].clone();
    steps.push(third);
    let mut office = open(workflow);
    office.enter("a", "w", json!({"owner": "owner"}));
    // Found out late: each is over at the moment it is found.
    office.now = office.now + seconds(5);
    for _ in 0..3 {
        office.now = office.now + Duration::from_millis(1);
        office.router.handle_timeout(office.now);
    }
    assert_eq!(
        endings(&office.heard()),
        [left("a", LeftWhy::WorkflowTimedOut)]
    );
}
