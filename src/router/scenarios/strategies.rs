//! Which of several free workers: R70, sticky, order_by, ring all, LIFO beside FIFO.

use super::*;

fn open(count: usize, change: impl FnOnce(&mut QueueSpec)) -> Office {
    let names: Vec<String> = (0..count).map(|n| format!("w{n}")).collect();
    let workers: Vec<(&str, Value)> = names
        .iter()
        .enumerate()
        .map(|(n, name)| (name.as_str(), json!({"level": n % 3, "n": n})))
        .collect();
    let mut plan = office_of(&workers, WorkflowSpec::new("w", "all"));
    change(&mut plan.queues[0]);
    Office::new(&plan)
}

/// One call after the other, each over before the next: who got them.
fn serve(office: &mut Office, calls: usize, from: &str) -> String {
    let mut who = Vec::new();
    for n in 0..calls {
        let id = format!("{from}{n}");
        let heard = office.ask(create(&id, "all", 0, json!({"from": from})));
        let offer = offers(&heard).remove(0);
        who.push(offer.split_once('>').expect("an offer").1.to_owned());
        office.accept(&format!("{id}.1"));
        office.pass(1_000);
        office.complete(&id);
        office.pass(1_000);
    }
    who.join(" ")
}

#[test]
fn r70_longest_idle_is_the_default() {
    let mut office = open(3, |_| {});
    assert_eq!(serve(&mut office, 4, "t"), "w0 w1 w2 w0");
    // Who comes back from a break has been idle since then.
    office.activity("w1", "away");
    office.pass(1_000);
    office.activity("w1", "ready");
    assert_eq!(serve(&mut office, 3, "u"), "w2 w0 w1");
}

#[test]
fn r70_round_robin_goes_by_offers_not_by_idleness() {
    let mut office = open(3, |queue| queue.strategy = Strategy::RoundRobin);
    assert_eq!(serve(&mut office, 4, "t"), "w0 w1 w2 w0");
    office.activity("w1", "away");
    office.pass(1_000);
    office.activity("w1", "ready");
    assert_eq!(
        serve(&mut office, 3, "u"),
        "w1 w2 w0",
        "a break does not lose the turn"
    );
}

#[test]
fn r70_least_calls_goes_by_what_was_accepted_today() {
    let mut office = open(3, |queue| queue.strategy = Strategy::LeastCalls);
    office.activity("w2", "away");
    assert_eq!(serve(&mut office, 4, "t"), "w0 w1 w0 w1");
    office.activity("w2", "ready");
    assert_eq!(serve(&mut office, 3, "u"), "w2 w2 w0");
    // A new day, in UTC: all begin at nothing, so the longest idle is first.
    let day = 86_400_000_000 - office.now.as_micros() % 86_400_000_000;
    office.pass(u64::try_from(day / 1000).expect("positive") + 1);
    assert_eq!(serve(&mut office, 3, "v"), "w1 w2 w0");
}

#[test]
fn r70_random_is_the_same_for_the_same_facts_and_fair() {
    let calls = 300;
    let drawn = || {
        let mut office = open(3, |queue| queue.strategy = Strategy::Random);
        serve(&mut office, calls, "t")
    };
    let first = drawn();
    assert_eq!(first, drawn());
    for worker in ["w0", "w1", "w2"] {
        let share = first.split(' ').filter(|name| *name == worker).count();
        assert!(
            (70..=130).contains(&share),
            "{worker} has {share} of {calls}"
        );
    }
}

#[test]
fn order_by_of_a_queue_and_of_a_step() {
    let mut office = open(6, |queue| {
        queue.strategy = Strategy::OrderBy("worker.level DESC".to_owned());
    });
    // Levels 0 1 2 0 1 2; of equals the longest idle.
    assert_eq!(serve(&mut office, 3, "t"), "w2 w5 w2");
    let workflow = routing(
        "w",
        json!([]),
        json!({"queue": "all", "order_by": "worker.n ASC"}),
    );
    let mut plan = office_of(&[("b", json!({"n": 2})), ("a", json!({"n": 1}))], workflow);
    plan.queues[0].strategy = Strategy::OrderBy("worker.n DESC".to_owned());
    let mut office = Office::new(&plan);
    office.enter("t", "w", json!({}));
    assert_eq!(office.story("t")[1], "0 > a", "the step outranks the queue");
}

#[test]
fn sticky_goes_to_who_served_the_customer_last_if_he_is_free() {
    let mut office = open(3, |queue| queue.sticky = Some("task.from".to_owned()));
    assert_eq!(serve(&mut office, 1, "+81312345678"), "w0");
    assert_eq!(serve(&mut office, 2, "+815011112222"), "w1 w1");
    let again = create("x", "all", 0, json!({"from": "+81312345678"}));
    assert_eq!(
        offers(&office.ask(again)),
        ["x>w0"],
        "though w2 was idle longer"
    );
    let once_more = create("y", "all", 0, json!({"from": "+81312345678"}));
    assert_eq!(offers(&office.ask(once_more)), ["y>w2"], "w0 has an offer");
    let unknown = create("z", "all", 0, json!({}));
    assert_eq!(offers(&office.ask(unknown)), ["z>w1"]);
}

/// Ring all: everybody free, 50 at most; who misses it is moved, all of them.
#[test]
fn ring_all_reserves_fifty_and_each_offer_ends_by_itself() {
    let mut office = open(60, |queue| queue.max_reserved = QueueSpec::MOST_RESERVED);
    let heard = office.create("t", "all", 0);
    assert_eq!(offers(&heard).len(), 50);
    office.reject("t.1-7", Rejection::Declined);
    assert_eq!(office.task("t").reservations.len(), 49);
    assert!(office.task("t").position.is_some());
    office.until(59_999);
    assert!(revoked(&office.heard()).is_empty());
    office.until(60_000);
    let heard = office.heard();
    assert_eq!(revoked(&heard), [RevokedWhy::RingTimeout; 49]);
    assert_eq!(
        offers(&heard).len(),
        11,
        "ten who were not asked, and the one who declined"
    );
    let missed = office.router.view().workers;
    let missed = missed
        .iter()
        .filter(|worker| worker.activity == NOT_ANSWERING);
    assert_eq!(missed.count(), 49);
}

/// Ring all with two callers: who is freed by the one is asked for the other at once.
#[test]
fn ring_all_whoever_was_not_first_is_free_for_the_next_at_once() {
    let mut office = open(3, |queue| queue.max_reserved = 50);
    assert_eq!(offers(&office.create("t", "all", 0)).len(), 3);
    assert!(offers(&office.create("u", "all", 0)).is_empty());
    let heard = office.accept("t.1-3");
    assert_eq!(offers(&heard), ["u>w0", "u>w1"]);
}

/// A caller who is gone, or a task given up, takes all offers back.
#[test]
fn ring_all_stops_everywhere_when_the_caller_is_gone() {
    let mut office = open(5, |queue| queue.max_reserved = 50);
    office.create("t", "all", 0);
    assert_eq!(revoked(&office.cancel("t")), [RevokedWhy::TaskCancelled; 5]);
}

/// Who becomes free late is not asked again by the rest of a rejected multi-reservation.
#[test]
fn ring_all_is_rung_again_when_the_last_offer_is_over() {
    let mut office = open(2, |queue| queue.max_reserved = 50);
    office.create("t", "all", 0);
    assert!(offers(&office.reject("t.1", Rejection::Declined)).is_empty());
    assert!(offers(&office.reject("t.1-2", Rejection::Busy)).is_empty());
    office.pass(5_000);
    let heard = office.heard();
    assert_eq!(
        offers(&heard).len(),
        1,
        "each as soon as he is left alone no more: {heard:?}"
    );
    assert_eq!(office.task("t").offers, 2);
}

/// A worker of both kinds of queue takes first from the kind the plan prioritizes (2.2).
#[test]
fn fifo_goes_before_lifo_unless_the_plan_says_otherwise() {
    for (first, then) in [(QueueOrder::Fifo, "fifo>a"), (QueueOrder::Lifo, "newest>a")] {
        let mut office = both_orders(first);
        assert_eq!(offers(&office.complete("busy")), [then]);
    }
    // A reload turns it round for those who wait.
    let mut office = both_orders(QueueOrder::Fifo);
    office.activate(&plan_of_both(QueueOrder::Lifo));
    assert_eq!(offers(&office.complete("busy")), ["newest>a"]);
}

fn plan_of_both(first: QueueOrder) -> Plan {
    let mut plan = office_of(
        &[("a", json!({"skills": ["few"]}))],
        WorkflowSpec::new("w", "all"),
    );
    plan.queues[0].order = QueueOrder::Lifo;
    plan.prioritize_queue_order = first;
    plan
}

/// One worker of both, busy; a task of high priority waits in the one, one of low in the other.
fn both_orders(first: QueueOrder) -> Office {
    let mut office = Office::new(&plan_of_both(first));
    office.create("busy", "all", 0);
    office.accept("busy.1");
    office.create("newest", "all", 9);
    office.create("fifo", "few", 0);
    office
}

/// Twice the same facts, twice the same journal: byte for byte.
#[test]
fn the_same_story_writes_the_same_journal() {
    let told = || {
        let mut office = open(20, |queue| {
            queue.strategy = Strategy::Random;
            queue.max_reserved = 3;
        });
        for n in 0..40 {
            office.create(&format!("t{n}"), "all", n % 3);
            office.pass(700);
        }
        office.pass(200_000);
        office.facts
    };
    assert_eq!(told(), told());
}

#[test]
fn an_offer_says_what_put_the_worker_before_the_others() {
    let said = |strategy: Strategy, sticky: bool| {
        let mut office = open(2, |queue| {
            queue.strategy = strategy.clone();
            queue.sticky = sticky.then(|| "from".to_owned());
        });
        serve(&mut office, 1, "t");
        let heard = office.ask(create("x", "all", 0, json!({"from": "t"})));
        let mut words = heard.iter().filter_map(|output| match output {
            Output::Offer { explanation, .. } => Some(explanation.to_string()),
            _ => None,
        });
        words.next().expect("an offer")
    };
    for (strategy, sticky, words) in [
        (Strategy::LongestIdle, false, "w1: idle longest ("),
        (Strategy::RoundRobin, false, "w1: his turn of 2 free"),
        (
            Strategy::LeastCalls,
            false,
            "w1: fewest calls today of 2 free",
        ),
        (Strategy::Random, false, ": drawn by chance of 2 free"),
        (
            Strategy::OrderBy("n DESC".to_owned()),
            false,
            "w1: first by attributes of 2 free",
        ),
        (
            Strategy::LongestIdle,
            true,
            "w0: served the customer last of 2 free",
        ),
    ] {
        let heard = said(strategy, sticky);
        assert!(heard.contains(words), "{heard}");
    }
}

/// Tasks of the API choose their ids themselves: one may look like an offer of another.
#[test]
fn offers_of_tasks_whose_ids_look_like_offers_are_not_mistaken_for_each_other() {
    let mut office = open(4, |queue| queue.max_reserved = 2);
    office.create("a.1", "all", 0);
    for offer in office.task("a.1").reservations {
        office.reject(offer.reservation.as_str(), Rejection::Declined);
    }
    office.create("a", "all", 0);
    let tasks = ["a.1", "a"].map(|id| office.task(id));
    let offered: Vec<OfferView> = tasks.iter().flat_map(|t| t.reservations.clone()).collect();
    let ids: std::collections::BTreeSet<_> = offered.iter().map(|one| &one.reservation).collect();
    assert_eq!((offered.len(), ids.len()), (4, 4), "{offered:?}");
    for id in ["a.1", "a"] {
        let last = office.task(id).reservations.remove(1).reservation;
        office.accept(last.as_str());
        office.complete(id);
    }
    for worker in ["w0", "w1", "w2", "w3"] {
        assert_eq!(office.worker(worker).state, WorkerState::Free, "{worker}");
    }
}

/// 100,000 of them are in every snapshot.
#[test]
fn a_customer_of_unlikely_length_is_not_remembered() {
    let mut office = open(2, |queue| queue.sticky = Some("task.from".to_owned()));
    let (long, short) = ("9".repeat(257), "9".repeat(256));
    assert_eq!(serve(&mut office, 2, &long), "w0 w1");
    assert!(office.router.state.served.is_empty());
    assert_eq!(serve(&mut office, 2, &short), "w0 w0");
    assert_eq!(office.router.state.served.len(), 1);
}

/// What was said when it was offered is said later: he is no longer idle, and in a sticky queue he
/// who has the task served the customer last.
#[test]
fn why_a_worker_has_a_task_is_why_he_was_chosen() {
    let mut office = open(3, |queue| {
        queue.sticky = Some("task.from".to_owned());
        queue.max_reserved = 2;
    });
    office.pass(40_000);
    office.ask(create("t", "all", 0, json!({"from": "+81312345678"})));
    let of = |office: &Office| {
        let why = office.router.explain(&TaskId::new("t")).expect("known");
        why.chosen.expect("somebody has it")
    };
    let first = of(&office);
    assert_eq!(
        (first.worker.as_str(), first.by),
        ("w0", ChosenBy::LongestIdle)
    );
    assert_eq!((first.idle_ms, first.among), (42_000, 3));
    office.pass(5_000);
    assert_eq!(of(&office), first, "while it rings");
    office.accept("t.1-2");
    office.pass(60_000);
    let second = of(&office);
    let said = (second.worker.as_str(), second.idle_ms, second.by);
    assert_eq!(
        said,
        ("w1", 41_000, ChosenBy::LongestIdle),
        "he who accepted"
    );
    let again = Router::restore(&office.router.snapshot()).expect("it reads back");
    let why = again.explain(&TaskId::new("t")).expect("known");
    assert_eq!(why.chosen, Some(second), "across a restart");
}
