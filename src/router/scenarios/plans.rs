//! A plan takes the place of another; a process takes the place of one that died.

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
    let heard = office.ask(Command::ActivatePlan {
        plan: Box::new(less.clone()),
    });
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
    office.tell(Command::ActivatePlan {
        plan: Box::new(less),
    });
    assert_eq!(office.router.state.queues.len(), 1);
}

#[test]
fn changed_attributes_match_anew_and_the_same_plan_changes_nothing() {
    let mut office = Office::new(&plan());
    office.activity("taro", "away");
    office.create("help", "support", 0);
    let before = office.router.sequence();
    office.tell(Command::ActivatePlan {
        plan: Box::new(plan()),
    });
    assert_eq!(office.router.sequence(), before);
    office.heard();
    let mut other = plan();
    other.generation = 2;
    other.workers[0].attributes = map(json!({"skills": ["support"]}));
    let heard = office.ask(Command::ActivatePlan {
        plan: Box::new(other),
    });
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
    let heard = office.ask(Command::ActivatePlan {
        plan: Box::new(other),
    });
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
    let heard = office.ask(Command::ActivatePlan {
        plan: Box::new(wrong),
    });
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
