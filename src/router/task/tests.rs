//! The router's thread, with a journal in memory.

use std::sync::mpsc;
use std::time::Instant;

use serde_json::json;

use super::*;
use crate::base::{ReservationId, patience};
use crate::journal::MemoryJournal;
use crate::router::scenarios::{create, plan};
use crate::router::{Output, replay};

struct Wall(Instant);

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000) + self.0.elapsed()
    }
}

type Heard = mpsc::Receiver<(ShardId, Output)>;

fn start(journal: &MemoryJournal, capacity: usize) -> (RouterTask, Heard) {
    let (ear, heard) = mpsc::channel();
    let settings = Settings {
        capacity,
        ..Settings::default()
    };
    let sink = move |shard, output| {
        let _ = ear.send((shard, output));
    };
    let clock = Arc::new(Wall(Instant::now()));
    let journal = Box::new(journal.clone());
    let survivors = Survivors::default();
    let task = RouterTask::start(settings, journal, clock, survivors, Box::new(sink));
    (task.expect("it starts"), heard)
}

fn open(handle: &RouterHandle) {
    let plan = Box::new(plan());
    handle.send(ShardId(0), Command::activate(plan)).unwrap();
    let (worker, reachable) = ("taro".to_owned(), true);
    handle
        .send(ShardId(0), Command::SetReachable { worker, reachable })
        .unwrap();
}

fn until<T>(heard: &Heard, mut wanted: impl FnMut(Output) -> Option<T>) -> T {
    loop {
        let (_, output) = heard
            .recv_timeout(Duration::from_secs(10))
            .expect("an output");
        if let Some(found) = wanted(output) {
            return found;
        }
    }
}

fn offer(output: Output) -> Option<ReservationId> {
    match output {
        Output::Offer { reservation, .. } => Some(reservation),
        _ => None,
    }
}

#[test]
fn offers_syncs_shows_and_explains() {
    let journal = MemoryJournal::new();
    let (task, heard) = start(&journal, 100);
    let handle = task.handle();
    open(&handle);
    handle
        .send(ShardId(0), create("a", "sales", 0, json!({})))
        .unwrap();
    let reservation = until(&heard, offer);
    let waiting = create("b", "sales", 0, json!({}));
    handle.send(ShardId(0), waiting).unwrap();
    let why = handle.explain(TaskId::new("b")).expect("known");
    assert_eq!(
        why.to_string(),
        "nobody; 1 has another offer, 1 phone not registered"
    );
    handle
        .send(ShardId(0), Command::Accept { reservation })
        .unwrap();
    until(&heard, |output| {
        matches!(output, Output::Assigned { .. }).then_some(())
    });
    assert!(handle.is_ready());
    task.stop();
    assert!(!handle.is_ready());
    assert_eq!(handle.view().tasks.len(), 2);
    assert!(journal.syncs() > 0);
    assert_eq!(
        replay(&mut journal.clone(), 0).unwrap().view().tasks.len(),
        2
    );
    assert!(
        handle
            .send(ShardId(0), create("c", "sales", 0, json!({})))
            .is_err()
    );
}

#[test]
fn a_full_channel_refuses_new_work_and_still_takes_endings_and_phones() {
    let journal = MemoryJournal::new();
    let (task, heard) = start(&journal, 2);
    let handle = task.handle();
    open(&handle);
    until(&heard, |output| {
        matches!(
            output,
            Output::WorkerChanged {
                reachable: true,
                ..
            }
        )
        .then_some(())
    });
    journal.fail_next(u32::MAX);
    let (mut lost, mut first) = (0, None);
    for n in 0..1000 {
        let name = format!("t{n}");
        match handle.send(ShardId(0), create(&name, "sales", 0, json!({}))) {
            Ok(()) => first = first.or(Some(TaskId::new(name))),
            Err(_) => lost += 1,
        }
        std::thread::yield_now();
    }
    assert!(lost > 0 && handle.refused() == lost);
    assert!(!handle.is_ready());
    let (first, why) = (first.expect("one fits"), "left".to_owned());
    let end = Command::CancelTask { task: first, why };
    assert!(handle.send(ShardId(0), end).is_ok());
    // Whoever says how a phone is says it once.
    let worker = || "taro".to_owned();
    let reachable = Command::SetReachable {
        worker: worker(),
        reachable: false,
    };
    let busy = Command::SetBusy {
        worker: worker(),
        shard: 0,
        busy: true,
    };
    assert!(handle.send(ShardId(0), reachable).is_ok());
    assert!(handle.send(ShardId(0), busy).is_ok());
    journal.fail_next(0);
    until(&heard, |output| {
        matches!(output, Output::TaskEnded { .. }).then_some(())
    });
    task.stop();
}

/// A phone that comes and goes while nothing can be written takes no memory, and the last that it
/// said counts; so it does when it goes on while the channel is emptied.
#[test]
fn of_what_phones_say_to_a_full_channel_the_last_is_kept() {
    let journal = MemoryJournal::new();
    let (task, heard) = start(&journal, 2);
    let handle = task.handle();
    open(&handle);
    let say = |reachable| {
        let worker = "taro".to_owned();
        let command = Command::SetReachable { worker, reachable };
        handle.send(ShardId(0), command).expect("taken");
    };
    let told = |reachable: bool| {
        until(&heard, |output| match output {
            Output::WorkerChanged { reachable: now, .. } => (now == reachable).then_some(()),
            _ => None,
        });
    };
    told(true);
    for (round, last) in [false, true].into_iter().enumerate() {
        journal.fail_next(u32::MAX);
        let task = create(&format!("t{round}"), "none", 0, json!({}));
        say(!last);
        handle.send(ShardId(0), task).expect("taken");
        patience::until("not ready", || !handle.is_ready());
        for n in 0..100_000 {
            say(n % 2 == 0);
        }
        assert!(handle.waiting() <= 4, "{}", handle.waiting());
        journal.fail_next(0);
        for n in 0..1_001 {
            say(n % 2 == 0);
        }
        say(last);
        patience::until("settled", || handle.waiting() == 0 && handle.is_ready());
        let look = handle.look(Object::Worker("taro".to_owned()));
        let shown = look.expect("it answers").expect("he is there");
        let is_so = matches!(&shown, Shown::Worker(taro) if taro.reachable == last);
        assert!(is_so, "{shown:?}");
    }
    task.stop();
}

#[test]
fn a_deadline_fires_without_a_command() {
    let journal = MemoryJournal::new();
    let (task, heard) = start(&journal, 100);
    let handle = task.handle();
    let mut plan = plan();
    plan.queues[0].ring_timeout = Duration::from_secs(1);
    let plan = Box::new(plan);
    handle.send(ShardId(0), Command::activate(plan)).unwrap();
    let (worker, reachable) = ("taro".to_owned(), true);
    handle
        .send(ShardId(0), Command::SetReachable { worker, reachable })
        .unwrap();
    handle
        .send(ShardId(0), create("a", "sales", 0, json!({})))
        .unwrap();
    let started = Instant::now();
    until(&heard, |output| {
        matches!(output, Output::OfferRevoked { .. }).then_some(())
    });
    let late = started.elapsed().saturating_sub(Duration::from_secs(1));
    assert!(late < Duration::from_millis(500), "{late:?}");
    drop(task);
}

/// While nothing can be written no question is answered, and nobody waits to learn that; what was
/// asked by who has given up is not looked at.
#[test]
fn silence_is_told_from_not_there_and_told_at_once() {
    let journal = MemoryJournal::new();
    let (task, _heard) = start(&journal, 100);
    let handle = task.handle();
    open(&handle);
    let nobody = Object::Worker("nobody".to_owned());
    assert_eq!(handle.look(nobody.clone()), Ok(None));
    assert_eq!(handle.plan().expect("it answers").generation, 1);
    let queue = |queue: &str| Supposed {
        queue: Some(queue.to_owned()),
        ..Supposed::default()
    };
    let unknown = Err(Declined::Refused(Refusal::UnknownQueue));
    assert_eq!(handle.who(queue("none")).map(|_| ()), unknown);
    assert!(handle.who(queue("sales")).is_ok());

    journal.fail_next(u32::MAX);
    handle
        .send(ShardId(0), create("a", "sales", 0, json!({})))
        .unwrap();
    patience::until("not ready", || !handle.is_ready());
    for _ in 0..1000 {
        assert_eq!(handle.look(nobody.clone()), Err(Declined::Silent));
        assert_eq!(handle.plan().map(|_| ()), Err(Declined::Silent));
        assert_eq!(
            handle.who(queue("sales")).map(|_| ()),
            Err(Declined::Silent)
        );
    }
    journal.fail_next(0);
    patience::until("ready", || handle.is_ready());
    assert!(handle.who(queue("sales")).is_ok());
}

/// One at a time asks who would get a task, and no more questions wait than may.
#[test]
fn questions_are_bounded() {
    let journal = MemoryJournal::new();
    let (task, _heard) = start(&journal, 100);
    let handle = task.handle();
    open(&handle);
    let supposed = || Supposed {
        queue: Some("sales".to_owned()),
        ..Supposed::default()
    };
    let other = Supposing::begin(&handle.shared).expect("nobody asks");
    assert_eq!(handle.who(supposed()).map(|_| ()), Err(Declined::Busy));
    drop(other);
    assert!(handle.who(supposed()).is_ok());
    handle
        .shared
        .asked
        .fetch_add(MOST_QUESTIONS, Ordering::AcqRel);
    let nobody = Object::Worker("nobody".to_owned());
    assert_eq!(handle.look(nobody.clone()), Err(Declined::Busy));
    handle
        .shared
        .asked
        .fetch_sub(MOST_QUESTIONS, Ordering::AcqRel);
    assert_eq!(handle.look(nobody), Ok(None));

    // Who has given up is not waited for.
    let (reply, answer) = sync_channel(1);
    let gone = Weak::new();
    handle.shared.asked.fetch_add(1, Ordering::AcqRel);
    let message = Message::Question(Question::Plan(reply), gone);
    handle.sender.send(message).unwrap();
    assert!(answer.recv_timeout(Duration::from_secs(10)).is_err());
    assert_eq!(handle.shared.asked.load(Ordering::Acquire), 0);
}
