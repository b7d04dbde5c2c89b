//! Who is there: activities, next activity, offers taken back, misses, phones in other calls
//! (requirements R45, R46, R48, sections 2.4, 2.5 and 3.7).

use super::*;

fn open() -> Office {
    let workers = [("a", json!({})), ("b", json!({}))];
    let mut plan = office_of(&workers, WorkflowSpec::new("w", "all"));
    plan.workflows[0].skip_when_nobody = WhenNobody::Wait;
    Office::new(&plan)
}

fn next(office: &mut Office, worker: &str, activity: Option<&str>) -> Vec<Output> {
    office.ask(Command::SetNextActivity {
        worker: worker.to_owned(),
        activity: activity.map(str::to_owned),
        by: "test".to_owned(),
    })
}

fn leave(office: &mut Office, worker: &str, activity: &str) -> Vec<Output> {
    office.ask(Command::SetActivity {
        worker: worker.to_owned(),
        activity: activity.to_owned(),
        by: "test".to_owned(),
        reject_pending: true,
    })
}

/// R45: who went a millisecond before is not asked.
#[test]
fn r45_who_went_a_millisecond_ago_is_not_offered() {
    let mut office = open();
    office.pass(1_000);
    office.activity("a", "away");
    office.pass(1);
    assert_eq!(offers(&office.create("t", "all", 0)), ["t>b"]);
    office.reachable("a", true);
    office.activity("b", "away");
    assert!(offers(&office.create("u", "all", 0)).is_empty());
}

/// 2.5: an unavailable activity may take the open offers with it; else they stay.
#[test]
fn going_away_keeps_the_offer_unless_it_is_to_be_rejected() {
    let mut office = open();
    office.create("t", "all", 0);
    office.activity("a", "away");
    assert!(revoked(&office.heard()).is_empty());
    assert!(matches!(office.accept("t.1")[0], Output::Assigned { .. }));

    let mut office = open();
    office.create("t", "all", 0);
    let heard = leave(&mut office, "a", "away");
    assert_eq!(revoked(&heard), [RevokedWhy::ActivityChanged]);
    assert_eq!(offers(&heard), ["t>b"], "in the same moment");
    let heard = leave(&mut office, "b", "ready");
    assert_eq!(refusal(&heard), Some(Refusal::ActivityAvailable));
    assert_eq!(office.task("t").worker.as_deref(), Some("b"));
}

/// 2.2: several offers taken back at once are made again in the order of their tasks.
#[test]
fn of_several_offers_taken_back_the_first_in_line_is_made_again() {
    let mut plan = office_of(
        &[("a", json!({})), ("b", json!({}))],
        WorkflowSpec::new("w", "all"),
    );
    plan.channels = vec![ChannelSpec {
        name: "chat".to_owned(),
        capacity: 2,
    }];
    plan.workers[1].capacity.insert("chat".to_owned(), 1);
    let mut office = Office::new(&plan);
    office.activity("b", "away");
    office.chat("low", "all");
    let Command::CreateTask(mut new) = chat("high", "all") else {
        unreachable!("it creates");
    };
    new.priority = 7;
    office.tell(Command::CreateTask(new));
    office.activity("b", "ready");
    office.heard();
    let heard = leave(&mut office, "a", "away");
    assert_eq!(offers(&heard), ["high>b"]);
}

/// 3.7: the next status is taken when the last thing in hand is done; no offers until then.
#[test]
fn the_next_activity_waits_for_the_last_thing_in_hand() {
    let mut office = open();
    office.activity("b", "away");
    office.create("t", "all", 0);
    office.accept("t.1");
    office.create("u", "all", 0);
    next(&mut office, "a", Some("away"));
    assert_eq!(office.worker("a").next_activity.as_deref(), Some("away"));
    assert!(office.worker("a").available, "he still talks");
    assert!(offers(&office.complete("t")).is_empty());
    assert_eq!(office.worker("a").activity, "away");
    assert_eq!(office.worker("a").next_activity, None);

    // Taken back, it never was.
    office.activity("a", "ready");
    assert_eq!(offers(&office.heard()), ["u>a"]);
    office.accept("u.1");
    office.create("v", "all", 0);
    next(&mut office, "a", Some("away"));
    next(&mut office, "a", None);
    assert_eq!(offers(&office.complete("u")), ["v>a"]);

    // With nothing in hand it is taken at once.
    office.cancel("v");
    next(&mut office, "a", Some("away"));
    assert_eq!(office.worker("a").activity, "away");
}

/// 3.7: after-call work gives way to the next status.
#[test]
fn the_next_activity_ends_after_call_work() {
    let mut plan = office_of(&[("a", json!({}))], WorkflowSpec::new("w", "all"));
    plan.queues[0].wrap_up = seconds(30);
    let mut office = Office::new(&plan);
    office.create("t", "all", 0);
    office.accept("t.1");
    office.complete("t");
    let heard = next(&mut office, "a", Some("away"));
    assert!(
        heard
            .iter()
            .any(|output| matches!(output, Output::WrapEnded { .. }))
    );
    assert_eq!(office.worker("a").activity, "away");
}

/// R46: so many misses in a row, each with a reason; an accept forgives them.
#[test]
fn r46_misses_in_a_row_make_a_worker_not_available() {
    let mut plan = office_of(&[("a", json!({}))], WorkflowSpec::new("w", "all"));
    plan.queues[0].misses = 3;
    plan.queues[0].when_nobody = WhenNobody::Wait;
    let mut office = Office::new(&plan);
    office.create("t", "all", 0);
    let miss = |office: &mut Office, offer: &str| {
        let heard = office.reject(offer, Rejection::NoAnswer);
        assert!(offers(&heard).is_empty(), "he is left alone a while");
        office.pass(5_000);
        office.heard();
    };
    miss(&mut office, "t.1");
    miss(&mut office, "t.2");
    office.accept("t.3");
    office.complete("t");
    office.create("u", "all", 0);
    miss(&mut office, "u.1");
    miss(&mut office, "u.2");
    assert!(office.worker("a").available);
    miss(&mut office, "u.3");
    let a = office.worker("a");
    assert_eq!(a.activity, NOT_ANSWERING);
    assert_eq!(a.reason, "missed 3 offers, the last u.3");
    office.pass(3_600_000);
    assert!(
        offers(&office.heard()).is_empty(),
        "until somebody says that he is there"
    );
    office.activity("a", "ready");
    assert_eq!(offers(&office.heard()), ["u>a"]);
    miss(&mut office, "u.4");
    assert!(office.worker("a").available, "counted anew");
}

/// 2.5, R100: the phone rings for as long as the queue, or the workflow, says; to the millisecond.
#[test]
fn r100_an_offer_rings_no_longer_than_it_may() {
    for (of_workflow, rings) in [(None, 60_000), (Some(seconds(7)), 7_000)] {
        let mut plan = office_of(
            &[("a", json!({})), ("b", json!({}))],
            WorkflowSpec::new("w", "all"),
        );
        plan.workflows[0].reservation_timeout = of_workflow;
        plan.workflows[0].skip_when_nobody = WhenNobody::Wait;
        let mut office = Office::new(&plan);
        office.enter("t", "w", json!({}));
        office.until(rings - 1);
        assert!(revoked(&office.heard()).is_empty());
        office.until(rings);
        let heard = office.heard();
        assert_eq!(revoked(&heard), [RevokedWhy::RingTimeout]);
        assert_eq!(offers(&heard), ["t>b"]);
        assert_eq!(office.worker("a").activity, NOT_ANSWERING);
    }
}

/// A rejection may name the activity the worker goes to (2.5).
#[test]
fn a_rejection_may_name_an_activity() {
    let mut office = open();
    office.create("t", "all", 0);
    let heard = office.ask(Command::Reject {
        reservation: ReservationId::new("t.1"),
        why: Rejection::Declined,
        activity: Some("away".to_owned()),
    });
    assert_eq!(offers(&heard), ["t>b"]);
    assert_eq!(office.worker("a").activity, "away");
    let heard = office.ask(Command::Reject {
        reservation: ReservationId::new("t.2"),
        why: Rejection::Declined,
        activity: Some("no such activity".to_owned()),
    });
    assert_eq!(refusal(&heard), Some(Refusal::UnknownActivity));
}

/// A phone in a call that is none of ours takes no call, and keeps its worker on duty.
#[test]
fn a_phone_in_another_call_is_left_alone() {
    let mut office = open();
    office.activity("b", "away");
    let mut busy = |shard, busy| {
        office.ask(Command::SetBusy {
            worker: "a".to_owned(),
            shard,
            busy,
        });
    };
    busy(0, true);
    busy(1, true);
    busy(0, false);
    let heard = office.create("t", "all", 0);
    assert!(offers(&heard).is_empty() && nobody(&heard).is_empty());
    let why = office.router.explain(&TaskId::new("t")).expect("known");
    assert_eq!(why.nearest[0].reason, NotChosen::PhoneBusy);
    let heard = office.ask(Command::SetBusy {
        worker: "a".to_owned(),
        shard: 1,
        busy: false,
    });
    assert_eq!(offers(&heard), ["t>a"]);
}

/// Given back by whoever accepted, a task has the place in line it had.
#[test]
fn a_task_given_back_keeps_its_place() {
    let mut office = open();
    office.activity("b", "away");
    office.create("t", "all", 0);
    office.accept("t.1");
    office.pass(1_000);
    office.create("u", "all", 0);
    office.tell(Command::GiveBack {
        reservation: ReservationId::new("t.1"),
        why: Rejection::Unreachable,
    });
    assert_eq!(
        (office.task("t").position, office.task("u").position),
        (Some(1), Some(2))
    );
    office.pass(5_000);
    let heard = office.heard();
    assert_eq!(offers(&heard), ["t>a"]);
}

/// A missed or declined offer does not override what the agent chose for himself meanwhile.
#[test]
fn whoever_went_elsewhere_while_it_rang_stays_there() {
    let declined = |office: &mut Office| drop(office.reject("t.1", Rejection::Declined));
    let missed = |office: &mut Office| drop(office.reject("t.1", Rejection::NoAnswer));
    let rang_out = |office: &mut Office| office.pass(60_000);
    let ends: [&dyn Fn(&mut Office); 3] = [&declined, &missed, &rang_out];
    for (n, end) in ends.iter().enumerate() {
        for is_next in [false, true] {
            let mut plan = office_of(&[("a", json!({}))], WorkflowSpec::new("w", "all"));
            plan.activities.push(ActivitySpec::unavailable("lunch"));
            plan.queues[0].declined_activity = Some("away".to_owned());
            plan.queues[0].when_nobody = WhenNobody::Wait;
            let mut office = Office::new(&plan);
            office.create("t", "all", 0);
            match is_next {
                true => drop(next(&mut office, "a", Some("lunch"))),
                false => office.activity("a", "lunch"),
            }
            end(&mut office);
            assert_eq!(office.worker("a").activity, "lunch", "{n} {is_next}");
            let misses = office.router.state.workers["a"].misses;
            assert_eq!(misses, u32::from(n > 0), "it counts all the same");
        }
    }
}

/// 3.7: after-call work gives way to the next status, while he has another task in hand too.
#[test]
fn the_next_activity_ends_after_call_work_beside_a_conversation() {
    let mut plan = office_of(&[("a", json!({}))], WorkflowSpec::new("w", "all"));
    plan.channels = vec![ChannelSpec {
        name: "chat".to_owned(),
        capacity: 1,
    }];
    plan.queues[0].wrap_up_open = true;
    let mut office = Office::new(&plan);
    office.chat("c", "all");
    office.accept("c.1");
    office.create("t", "all", 0);
    office.accept("t.1");
    office.complete("t");
    let heard = next(&mut office, "a", Some("away"));
    let is_ended = |output: &Output| matches!(output, Output::WrapEnded { .. });
    assert!(heard.iter().any(is_ended));
    let a = office.worker("a");
    assert_eq!((a.activity.as_str(), a.engagements.len()), ("ready", 1));
    office.complete("c");
    next(&mut office, "a", Some("away"));
    assert_eq!(office.worker("a").activity, "away");
}
