//! A plan takes the place of another; a process takes the place of one that died.

use std::collections::BTreeSet;

use super::*;

#[test]
fn a_removed_queue_drains_and_takes_no_more() {
    let mut office = Office::new(&plan());
    office.activity("花子", "away");
    office.create("talk", "sales", 0);
    office.accept("talk.1");
    office.create("a", "sales", 0);
    let mut less = plan();
    less.generation = 2;
    less.queues.remove(0);
    let heard = office.ask(Command::activate(less.clone()));
    assert_eq!(refusal(&heard), None);
    assert_eq!(
        refusal(&office.create("b", "sales", 0)),
        Some(Refusal::UnknownQueue)
    );
    assert_eq!(offers(&office.complete("talk")), ["a>taro"]);
    office.accept("a.1");
    office.complete("a");
    assert_eq!(office.router.view().queues.len(), 1);
    less.generation = 3;
    office.tell(Command::activate(less));
    assert_eq!(office.router.state.queues.len(), 1);
}

#[test]
fn changed_attributes_match_anew_and_the_same_plan_changes_nothing() {
    let mut office = Office::new(&plan());
    office.activity("taro", "away");
    office.create("help", "support", 0);
    let before = office.router.sequence();
    office.tell(Command::activate(plan()));
    assert_eq!(office.router.sequence(), before);
    office.heard();
    let mut other = plan();
    other.generation = 2;
    other.workers[0].attributes = map(json!({"skills": ["support"]}));
    let heard = office.ask(Command::activate(other));
    assert_eq!(offers(&heard), ["help>花子"]);
}

#[test]
fn a_removed_worker_finishes_his_call_but_not_his_ringing() {
    let mut office = Office::new(&plan());
    office.create("talk", "sales", 0);
    office.accept("talk.1");
    office.create("ring", "sales", 0);
    let mut other = plan();
    other.generation = 2;
    other.workers = vec![worker("ken", json!({"skills": ["sales"]}))];
    let heard = office.ask(Command::activate(other));
    assert_eq!(revoked(&heard), [RevokedWhy::WorkerRemoved]);
    office.reachable("ken", true);
    assert_eq!(offers(&office.heard()), ["ring>ken"]);
    assert!(office.worker("花子").removed);
    office.create("next", "sales", 0);
    assert!(offers(&office.complete("talk")).is_empty());
    assert_eq!(office.router.view().workers.len(), 1);
}

#[test]
fn a_wrong_plan_changes_nothing() {
    let mut office = Office::new(&plan());
    let mut wrong = plan();
    wrong.generation = 2;
    wrong.queues[0].target = "skills HAS".to_owned();
    let heard = office.ask(Command::activate(wrong));
    assert!(matches!(refusal(&heard), Some(Refusal::InvalidPlan(errors)) if errors.len() == 1));
    assert_eq!(office.router.view().generation, 1);
}

#[test]
fn recovery_ends_what_died_and_keeps_what_lives() {
    let mut office = Office::new(&plan());
    for id in ["talk", "ring", "wait"] {
        office.create(id, "sales", 0);
    }
    office.accept("talk.1");
    let heard = office.ask(Command::Recover {
        calls: vec![CallId::new("jp1-tokyo1-0-x-wait")],
        phones: vec!["phone of taro".to_owned()],
    });
    assert_eq!(revoked(&heard), [RevokedWhy::Recovered]);
    assert_eq!(offers(&heard), ["wait>taro"]);
    assert!(!office.worker("花子").reachable);
    assert_eq!(office.router.view().tasks.len(), 1);
}

/// A task keeps the rules it came in with, until it is told to begin anew.
#[test]
fn a_waiting_task_goes_on_by_the_rules_it_came_in_with() {
    let rules = |timeout: u32, then: &str| {
        let filters = json!([{"expression": "1==1", "targets": [
            {"queue": "few", "timeout": timeout}, {"queue": then}]}]);
        routing("w", filters, Value::Null)
    };
    let workers = [("a", json!({}))];
    let before = office_of(&workers, rules(10, "all"));
    let mut after = office_of(&workers, rules(60, "few"));
    after.generation = 2;
    for is_asked in [false, true] {
        let mut office = Office::new(&before);
        office.enter("t", "w", json!({}));
        office.until(4_000);
        office.activate(&after);
        assert_eq!(
            office.router.state.contents.len(),
            2,
            "the old ones too, while followed"
        );
        if is_asked {
            office.update("t", |change| change.reevaluate = true);
        }
        office.until(64_000);
        let story = office.story("t");
        if is_asked {
            let wanted = [
                "4000 0.0 Entered",
                "4000 waits",
                "64000 0.1 TimedOut",
                "64000 waits",
            ];
            assert_eq!(story[2..], wanted);
        } else {
            assert_eq!(story[2..], ["10000 0.1 TimedOut", "10000 > a"]);
        }
        office.enter("u", "w", json!({}));
        office.until(124_000);
        assert_eq!(
            office.story("u")[2],
            "124000 0.1 TimedOut",
            "new ones by the new rules"
        );
        office.cancel("t");
        let mut third = after.clone();
        third.generation = 3;
        office.activate(&third);
        assert_eq!(office.router.state.contents.len(), 1);
    }
}

/// 2.2 rule 9: a plan that asks for it leads the tasks of workflows it changes through them anew, and
/// no others.
#[test]
fn a_plan_may_lead_tasks_anew_through_the_workflows_it_changes() {
    let filters = |queue: &str| json!([{"expression": "1==1", "targets": [{"queue": queue}]}]);
    let workers = [("a", json!({"skills": ["few"]}))];
    let mut before = office_of(&workers, routing("w", filters("all"), Value::Null));
    before
        .workflows
        .push(routing("same", filters("all"), Value::Null));
    let mut after = before.clone();
    after.generation = 2;
    after.workflows[0] = routing("w", filters("few"), Value::Null);
    for reevaluate in [false, true] {
        let mut office = Office::new(&before);
        office.enter("talks", "w", json!({}));
        office.accept("talks.1");
        for (id, workflow) in [("t", "w"), ("u", "same")] {
            office.enter(id, workflow, json!({}));
        }
        office.create("queued", "all", 0);
        office.pass(1_000);
        let plan = Box::new(after.clone());
        let heard = office.ask(Command::ActivatePlan {
            plan,
            reevaluate,
            reachable: BTreeSet::new(),
        });
        assert_eq!(refusal(&heard), None);
        let queue = if reevaluate { "few" } else { "all" };
        assert_eq!(office.task("t").queue, queue);
        assert_eq!(office.task("u").queue, "all");
        assert!(office.task("talks").assigned);
        let story = office.story("t");
        match reevaluate {
            true => assert_eq!(story[2..], ["1000 0.0 Entered", "1000 waits"]),
            false => assert_eq!(story.len(), 2, "{story:?}"),
        }
        assert_eq!(office.story("u").len(), 2);
        assert_eq!(office.story("queued").len(), 1);
    }

    // An offer of it is taken back; asked for again, and nothing changed, nothing happens.
    let mut office = Office::new(&before);
    office.enter("t", "w", json!({}));
    for (wanted, offered) in [(1, 2), (0, 2)] {
        let (plan, reevaluate) = (Box::new(after.clone()), true);
        let heard = office.ask(Command::ActivatePlan {
            plan,
            reevaluate,
            reachable: BTreeSet::new(),
        });
        assert_eq!(revoked(&heard), vec![RevokedWhy::Reevaluated; wanted]);
        assert_eq!(office.task("t").offers, offered);
    }
    // Those who came in with old rules may be led anew without another change.
    let mut office = Office::new(&before);
    office.enter("t", "w", json!({}));
    office.activate(&after);
    let (plan, reevaluate) = (Box::new(after.clone()), true);
    let heard = office.ask(Command::ActivatePlan {
        plan,
        reevaluate,
        reachable: BTreeSet::new(),
    });
    assert_eq!(revoked(&heard), [RevokedWhy::Reevaluated]);
}

/// 2.2: begun anew, offers are taken back; an assigned task stays.
#[test]
fn re_evaluation_takes_offers_back_and_leaves_conversations_alone() {
    let mut office = Office::new(&office_of(
        &[("a", json!({}))],
        WorkflowSpec::new("w", "all"),
    ));
    office.enter("t", "w", json!({}));
    let heard = office.update("t", |change| change.reevaluate = true);
    assert_eq!(revoked(&heard), [RevokedWhy::Reevaluated]);
    assert_eq!(offers(&heard), ["t>a"]);
    office.accept("t.2");
    let heard = office.update("t", |change| change.reevaluate = true);
    assert_eq!(refusal(&heard), Some(Refusal::Assigned));
}

/// A worker freed by it takes the first in line, which may be another.
#[test]
fn re_evaluation_does_not_overtake() {
    let mut office = Office::new(&office_of(
        &[("a", json!({}))],
        WorkflowSpec::new("w", "all"),
    ));
    office.enter("t", "w", json!({}));
    office.create("vip", "all", 9);
    let heard = office.update("t", |change| change.reevaluate = true);
    assert_eq!(offers(&heard), ["vip>a"]);
}

/// A workflow that leads into a queue that is gone or full leads past it.
#[test]
fn a_step_whose_queue_is_full_is_passed() {
    let filters = json!([{"expression": "1==1", "targets": [
        {"queue": "few", "timeout": 10}, {"queue": "all"}]}]);
    let mut plan = office_of(&[("a", json!({}))], routing("w", filters, Value::Null));
    plan.queues[0].max_waiting = 1;
    plan.queues[1].max_waiting = 0;
    let mut office = Office::new(&plan);
    office.activity("a", "away");
    office.enter("t", "w", json!({}));
    assert_eq!(office.story("t"), ["0 0.1 Entered", "0 waits"]);
    let heard = office.enter("u", "w", json!({}));
    assert_eq!(endings(&heard), [left("u", LeftWhy::WorkflowSkipped)]);
}

/// A process that was dead for an hour: everything due happens, nothing else.
#[test]
fn what_fell_due_while_the_process_was_dead_happens_when_it_is_back() {
    let filters = json!([{"expression": "1==1", "targets": [
        {"queue": "few", "timeout": 10}, {"queue": "all", "timeout": 600}]}]);
    let plan = office_of(&[("a", json!({}))], routing("w", filters, Value::Null));
    let mut office = Office::new(&plan);
    office.activity("a", "away");
    office.enter("t", "w", json!({}));
    let snapshot = office.router.snapshot();
    let mut router = Router::restore(&snapshot).expect("it reads back");
    let back = office.now + seconds(3600);
    router.handle_timeout(back);
    let task = &router.view().tasks[0];
    assert_eq!(task.at, Some(At::Filter(0, 1)));
    assert_eq!(
        router.poll_timeout(),
        Some(back + seconds(600)),
        "the next step from now on"
    );
}

/// A step in the queue the task stands in already is no new place in its line.
#[test]
fn whoever_stands_in_a_queue_may_go_on_in_it_be_it_full_or_gone() {
    let filters = json!([{"expression": "1==1", "targets": [
        {"queue": "few", "timeout": 10}, {"queue": "few", "timeout": 600}]}]);
    let mut plan = office_of(&[("a", json!({}))], routing("w", filters, Value::Null));
    plan.queues[1].max_waiting = 1;
    for is_gone in [false, true] {
        let mut office = Office::new(&plan);
        office.enter("t", "w", json!({}));
        if is_gone {
            let mut less = plan.clone();
            less.generation = 2;
            less.queues.remove(1);
            less.workflows = vec![WorkflowSpec::new("other", "all")];
            office.activate(&less);
        }
        office.until(10_000);
        let story = office.story("t");
        assert_eq!(
            story[story.len() - 2..],
            ["10000 0.1 TimedOut", "10000 waits"],
            "{is_gone}"
        );
    }
}

/// No profile can list a queue that is gone from the plan: whom its target matches drains it.
#[test]
fn a_removed_queue_drains_where_agents_have_profiles() {
    let mut plan = plan();
    let entry = |queue: &str| ProfileEntry {
        queue: queue.to_owned(),
        channel: VOICE.to_owned(),
        priority: 1,
        delay: Duration::ZERO,
    };
    plan.profiles = vec![ProfileSpec {
        name: "p".to_owned(),
        entries: vec![entry("sales"), entry("support")],
        ..ProfileSpec::default()
    }];
    for worker in &mut plan.workers {
        worker.profile = Some("p".to_owned());
    }
    let mut office = Office::new(&plan);
    office.create("talk", "support", 0);
    office.accept("talk.1");
    office.create("wait", "support", 0);
    plan.generation = 2;
    plan.queues.remove(1);
    plan.profiles[0].entries.remove(1);
    let heard = office.activate(&plan);
    assert!(nobody(&heard).is_empty());
    assert_eq!(
        offers(&office.complete("talk")),
        ["wait>taro"],
        "support is his"
    );
}

/// Nobody could end the after-call work of a worker who is no longer in the plan.
#[test]
fn a_removed_worker_has_no_after_call_work() {
    for is_talking in [false, true] {
        let mut plan = plan();
        plan.queues[0].wrap_up_open = true;
        let mut office = Office::new(&plan);
        office.create("t", "sales", 0);
        office.accept("t.1");
        if !is_talking {
            office.complete("t");
        }
        plan.generation = 2;
        plan.workers.remove(0);
        let mut heard = office.activate(&plan);
        if is_talking {
            assert_eq!(office.worker("花子").state, WorkerState::Talking);
            heard = office.complete("t");
        }
        let is_over = |output: &Output| match output {
            Output::TaskEnded { wrap_up, .. } => *wrap_up == WrapUp::None,
            Output::WrapEnded { .. } => true,
            _ => false,
        };
        assert!(heard.iter().any(is_over), "{heard:?}");
        assert_eq!(office.router.view().workers.len(), 1);
        plan.generation = 3;
        office.activate(&plan);
        assert_eq!(office.router.state.workers.len(), 1);
    }
}
