//! Offers: to whom, how they end, what follows for the worker.

use super::*;

#[test]
fn the_longest_idle_is_offered_first_and_says_why() {
    let mut office = Office::new(&plan());
    office.pass(60_000);
    let heard = office.create("a", "sales", 0);
    let Some(Output::Offer {
        worker,
        phone,
        explanation,
        expires_at,
        ..
    }) = heard.first()
    else {
        panic!("the offer comes first: {heard:?}");
    };
    assert_eq!((worker.as_str(), phone.as_str()), ("花子", "phone of 花子"));
    assert_eq!(*expires_at, office.now + Duration::from_secs(20));
    assert_eq!(
        explanation.to_string(),
        "花子: idle longest (61 s) of 2 free"
    );
    assert_eq!(explanation.nearest[0].reason, NotChosen::IdleLessLong);
    assert_eq!(explanation.sequence, office.router.sequence());
    assert_eq!(explanation.plan, plan().hash());
    assert_eq!(offers(&office.create("b", "sales", 0)), ["b>taro"]);

    office.accept("a.1");
    office.pass(1000);
    office.accept("b.1");
    office.complete("b");
    office.pass(1000);
    office.complete("a");
    assert_eq!(offers(&office.create("c", "sales", 0)), ["c>taro"]);
}

#[test]
fn a_missed_offer_makes_the_worker_not_available_and_goes_to_the_next() {
    for by_phone in [false, true] {
        let mut office = Office::new(&plan());
        office.create("a", "sales", 0);
        let heard = if by_phone {
            office.reject("a.1", Rejection::NoAnswer)
        } else {
            office.pass(20_000);
            let heard = office.heard();
            assert_eq!(revoked(&heard), [RevokedWhy::RingTimeout]);
            heard
        };
        assert_eq!(offers(&heard), ["a>taro"]);
        let hanako = office.worker("花子");
        assert_eq!(hanako.activity, NOT_ANSWERING);
        assert_eq!(hanako.reason, "missed offer a.1");
        assert_eq!(office.accept("a.1").len(), 1);
        assert_eq!(
            office.accept("a.2").len(),
            2,
            "assigned, and the worker changed"
        );
        assert_eq!(office.worker("taro").state, WorkerState::Talking);
        assert!(offers(&office.create("b", "sales", 0)).is_empty());
        office.activity("花子", "ready");
        assert_eq!(offers(&office.heard()), ["b>花子"]);
    }
}

#[test]
fn a_failing_phone_is_left_alone_a_while_and_loses_its_place() {
    for why in [
        Rejection::Busy,
        Rejection::Unreachable,
        Rejection::Failed(503),
    ] {
        let mut office = Office::new(&plan());
        office.create("a", "sales", 0);
        assert_eq!(offers(&office.reject("a.1", why)), ["a>taro"]);
        assert!(office.worker("花子").available, "no missed offer");
        assert!(offers(&office.create("b", "sales", 0)).is_empty());
        assert_eq!(offers(&office.reject("a.2", why)), [""; 0]);
        office.pass(4999);
        assert!(offers(&office.heard()).is_empty());
        office.pass(1);
        assert_eq!(offers(&office.heard()), ["a>花子", "b>taro"]);
    }
}

#[test]
fn a_phone_that_registers_anew_is_offered_tasks_at_once() {
    let mut office = Office::new(&plan());
    office.activity("taro", "away");
    office.create("a", "sales", 0);
    office.reject("a.1", Rejection::Unreachable);
    office.reachable("花子", false);
    office.reachable("花子", true);
    assert_eq!(offers(&office.heard()), ["a>花子"]);
}

#[test]
fn whoever_declines_is_skipped_for_this_task_only() {
    let mut office = Office::new(&plan());
    office.activity("taro", "away");
    office.create("a", "sales", 0);
    assert!(offers(&office.reject("a.1", Rejection::Declined)).is_empty());
    let explanation = office.router.explain(&TaskId::new("a")).expect("known");
    assert_eq!(
        explanation.to_string(),
        "nobody; 1 just had this offer, 1 not available"
    );
    assert_eq!(offers(&office.create("b", "sales", 0)), ["b>花子"]);
    office.cancel("b");
    office.pass(5000);
    assert_eq!(offers(&office.heard()), ["a>花子"]);
}

#[test]
fn declining_may_cost_the_activity() {
    let mut plan = plan();
    plan.queues[0].declined_activity = Some("away".to_owned());
    let mut office = Office::new(&plan);
    office.create("a", "sales", 0);
    assert_eq!(
        offers(&office.reject("a.1", Rejection::Declined)),
        ["a>taro"]
    );
    assert_eq!(office.worker("花子").reason, "declined offer a.1");
}

#[test]
fn an_offer_is_accepted_once_and_a_late_answer_is_told_so() {
    let mut office = Office::new(&plan());
    office.create("a", "sales", 0);
    office.accept("a.1");
    assert_eq!(
        refusal(&office.accept("a.1")),
        Some(Refusal::AlreadyAccepted)
    );
    assert_eq!(
        refusal(&office.reject("a.1", Rejection::Busy)),
        Some(Refusal::AlreadyAccepted)
    );
    office.create("b", "sales", 0);
    assert_eq!(revoked(&office.cancel("b")), [RevokedWhy::TaskCancelled]);
    assert_eq!(
        refusal(&office.accept("b.1")),
        Some(Refusal::ReservationOver)
    );
    assert_eq!(refusal(&office.cancel("b")), Some(Refusal::UnknownTask));
    assert_eq!(refusal(&office.complete("b")), Some(Refusal::UnknownTask));
    assert_eq!(office.worker("taro").state, WorkerState::Free);
}

#[test]
fn a_caller_may_leave_at_any_instant() {
    let mut plan = plan();
    plan.queues[0].wrap_up = Duration::from_secs(10);
    for instant in 0..3 {
        let mut office = Office::new(&plan);
        if instant == 0 {
            office.activity("花子", "away");
            office.activity("taro", "away");
        }
        office.create("a", "sales", 0);
        if instant == 2 {
            office.accept("a.1");
        }
        let heard = office.cancel("a");
        let ended = heard.iter().find_map(|output| match output {
            Output::TaskEnded {
                outcome, worker, ..
            } => Some((outcome.clone(), worker.clone())),
            _ => None,
        });
        let left = || TaskOutcome::Cancelled("caller left".to_owned());
        let wanted = match instant {
            2 => (TaskOutcome::Completed, Some("花子".to_owned())),
            _ => (left(), None),
        };
        assert_eq!(ended, Some(wanted), "instant {instant}");
        assert!(office.router.view().tasks.is_empty());
        let state = [WorkerState::Away, WorkerState::Free, WorkerState::WrapUp][instant];
        assert_eq!(office.worker("花子").state, state);
        office.pass(60_000);
        assert!(office.router.poll_timeout().is_none(), "no timer is left");
    }
}

#[test]
fn a_task_nobody_ever_takes_is_given_up_after_a_thousand_offers() {
    let mut office = Office::new(&plan());
    office.activity("taro", "away");
    office.create("a", "sales", 0);
    let mut heard = Vec::new();
    for attempt in 1..=1000 {
        assert!(office.router.explain(&TaskId::new("a")).is_some());
        heard = office.reject(&format!("a.{attempt}"), Rejection::Busy);
        office.pass(5000);
    }
    assert!(heard.iter().any(|output| matches!(
        output,
        Output::TaskEnded {
            outcome: TaskOutcome::Left(LeftWhy::TooManyOffers),
            ..
        }
    )));
}
