//! A router and its journal, stepped by hand.

use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::base::ReservationId;
use crate::journal::MemoryJournal;
use crate::router::scenarios::{create, plan};

type Heard = Arc<Mutex<Vec<(ShardId, Output)>>>;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn open(journal: &MemoryJournal, now: Timestamp) -> (Pump, Heard) {
    let heard = Heard::default();
    let ear = heard.clone();
    let settings = Settings {
        signalling_shards: 2,
        snapshot_every: 5,
        retention: Retention {
            facts: 5,
            ..Retention::default()
        },
        ..Settings::default()
    };
    let sink = move |shard, output| ear.lock().unwrap().push((shard, output));
    let journal = Box::new(journal.clone());
    let survivors = Survivors::default();
    let pump = Pump::open(settings, journal, now, survivors, Box::new(sink));
    (pump.expect("the journal folds"), heard)
}

fn reach(pump: &mut Pump, now: Timestamp) {
    let plan = Box::new(plan());
    pump.handle(now, ShardId(0), Command::activate(plan));
    let worker = "taro".to_owned();
    let reachable = true;
    pump.handle(now, ShardId(0), Command::SetReachable { worker, reachable });
}

#[test]
fn nothing_is_said_before_it_is_written() {
    let journal = MemoryJournal::new();
    let (mut pump, heard) = open(&journal, START);
    reach(&mut pump, START);
    pump.handle(START, ShardId(1), create("a", "sales", 0, json!({})));
    assert!(heard.lock().unwrap().is_empty());
    journal.fail_next(2);
    assert!(pump.commit().is_err() && pump.commit().is_err());
    assert!(heard.lock().unwrap().is_empty() && journal.entries(0).is_empty());
    pump.commit().unwrap();
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    let offer = heard
        .iter()
        .filter(|(_, o)| matches!(o, Output::Offer { .. }));
    assert_eq!(
        offer.map(|(shard, _)| shard.0).collect::<Vec<_>>(),
        [0],
        "the call's shard"
    );
    let changed = heard
        .iter()
        .filter(|(_, o)| matches!(o, Output::WorkerChanged { worker, .. } if worker == "花子"));
    assert_eq!(changed.count(), 2, "all shards hear of workers");
    assert_eq!(journal.entries(0).len() as u64, pump.sequence());
}

#[test]
fn a_refusal_goes_back_to_whoever_asked() {
    let (mut pump, heard) = open(&MemoryJournal::new(), START);
    let reservation = ReservationId::new("gone.1");
    pump.handle(START, ShardId(1), Command::Accept { reservation });
    pump.commit().unwrap();
    assert!(matches!(
        heard.lock().unwrap()[..],
        [(ShardId(1), Output::Refused { .. })]
    ));
}

#[test]
fn a_process_killed_after_any_fact_leaves_the_state_it_had() {
    let journal = MemoryJournal::new();
    let (mut pump, _) = open(&journal, START);
    reach(&mut pump, START);
    for n in 0..12 {
        let now = START + Duration::from_secs(n * 3);
        pump.handle_timeout(now);
        pump.handle(
            now,
            ShardId(0),
            create(&format!("t{n}"), "sales", 0, json!({"n": n})),
        );
        if n % 3 == 0 {
            let reservation = ReservationId::new(format!("t{}.1", n / 3));
            pump.handle(now, ShardId(0), Command::Accept { reservation });
        }
        pump.commit().unwrap();
        if pump.wants_snapshot() {
            pump.save_snapshot().unwrap();
        }
        let replayed = replay(&mut journal.clone(), 0).unwrap();
        assert_eq!(replayed.state(), pump.router.state());
    }
    assert!(
        journal.entries(0)[0].sequence > 1,
        "old facts are forgotten"
    );

    let before = pump.sequence();
    drop(pump);
    let (pump, heard) = open(&journal, START + Duration::from_secs(60));
    assert_eq!(pump.sequence(), before + 1, "recovery is one more fact");
    let view = pump.view();
    assert!(view.tasks.is_empty() && view.workers.iter().all(|w| w.task.is_none()));
    let ended = heard.lock().unwrap();
    let ended = ended
        .iter()
        .filter(|(_, o)| matches!(o, Output::TaskEnded { .. }));
    assert_eq!(ended.count(), 12);
}

#[test]
fn a_clock_that_was_set_back_does_not_stretch_deadlines() {
    let journal = MemoryJournal::new();
    let (mut pump, _) = open(&journal, START);
    reach(&mut pump, START);
    pump.commit().unwrap();
    drop(pump);
    let earlier = START - Duration::from_secs(3600);
    let (mut pump, _) = open(&journal, earlier);
    reach(&mut pump, earlier);
    pump.handle(earlier, ShardId(0), create("a", "sales", 0, json!({})));
    // Places in line are told first.
    pump.handle_timeout(earlier);
    assert_eq!(pump.poll_timeout(), Some(earlier + Duration::from_secs(20)));
}

#[test]
fn facts_of_a_later_version_are_refused() {
    let mut journal = MemoryJournal::new();
    let (mut pump, _) = open(&journal, START);
    reach(&mut pump, START);
    pump.commit().unwrap();
    pump.save_snapshot().unwrap();
    let mut later = journal.entries(0)[0].clone();
    later.sequence = pump.sequence() + 1;
    later.format += 1;
    journal.append(&[later]).unwrap();
    let error = replay(&mut journal, 0).expect_err("too new");
    let words = "fact 3 was written by a newer tsunagu (format 3, this one knows 2)";
    assert!(error.to_string().starts_with(words), "{error}");
}

#[test]
fn a_broken_journal_is_refused_with_its_place() {
    let mut journal = MemoryJournal::new();
    let (mut pump, _) = open(&journal, START);
    reach(&mut pump, START);
    pump.commit().unwrap();
    let mut bad = journal.entries(0)[0].clone();
    bad.sequence = pump.sequence() + 1;
    bad.body = "{}".to_owned();
    journal.append(&[bad]).unwrap();
    let error = replay(&mut journal, 0).expect_err("no fact");
    assert!(
        error.to_string().starts_with("fact 3 cannot be read"),
        "{error}"
    );
}

/// R90: in one ordered stream, an offer is there before its phone is made to ring.
#[test]
fn ten_thousand_offers_are_seen_before_they_ring() {
    let journal = MemoryJournal::new();
    let seen: Arc<Mutex<Option<Arc<Tail>>>> = Arc::default();
    let rung = Arc::new(Mutex::new(Vec::new()));
    let (eye, bell) = (seen.clone(), rung.clone());
    let sink = move |_, output| {
        let Output::Offer { reservation, .. } = output else {
            return;
        };
        let eye = eye.lock().unwrap();
        let tail = eye.as_ref().expect("it was given");
        let newest = tail
            .after(tail.newest().saturating_sub(8), 8)
            .expect("kept");
        let name = format!("\"{reservation}\"");
        let is_offer = |event: &Arc<EventEntry>| {
            event.body.contains("reservation.created") && event.body.contains(&name)
        };
        assert!(newest.iter().any(is_offer), "{reservation} rings unseen");
        bell.lock().unwrap().push(reservation);
    };
    let settings = Settings::default();
    let survivors = Survivors::default();
    let copy = Box::new(journal.clone());
    let pump = Pump::open(settings, copy, START, survivors, Box::new(sink));
    let mut pump = pump.expect("the journal folds");
    *seen.lock().unwrap() = Some(pump.tail());
    reach(&mut pump, START);
    for n in 0..10_000u64 {
        let now = START + Duration::from_millis(n);
        let task = format!("t{n}");
        pump.handle(now, ShardId(0), create(&task, "sales", 0, json!({})));
        pump.commit().unwrap();
        let reservation = ReservationId::new(format!("{task}.1"));
        pump.handle(now, ShardId(0), Command::Accept { reservation });
        let task = TaskId::new(task);
        pump.handle(now, ShardId(0), Command::Complete { task, code: None });
        pump.commit().unwrap();
    }
    assert_eq!(rung.lock().unwrap().len(), 10_000);
    let events = journal.clone().events_from(0, 1, usize::MAX).unwrap();
    let numbers = events.iter().map(|event| event.sequence);
    assert!(numbers.eq(1..=events.len() as u64), "no gap");
}
