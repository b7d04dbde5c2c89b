//! R45: who goes away before a task comes, be it by a millisecond, is not offered it.

use std::time::Duration;

use super::plans::{WORKERS, plan};
use crate::base::{CallId, TaskId, Timestamp};
use crate::router::{Command, NewTask, Output, Router};

/// Trials, as the requirement says.
const TRIALS: u64 = 10_000;

/// Numbers that look like chance (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }
}

#[test]
fn r45_ten_thousand_times_nobody_who_went_a_millisecond_ago_is_reserved() {
    let mut open = Router::new(1);
    let mut now = Timestamp::from_millis(1_800_000_000_000);
    open.handle(now, Command::activate(plan(0)));
    for worker in WORKERS {
        now = now + Duration::from_millis(10);
        let (worker, reachable) = (worker.to_owned(), true);
        open.handle(now, Command::SetReachable { worker, reachable });
    }
    open.take_facts();
    while open.poll_output().is_some() {}
    let mut chance = Chance(0x7552);
    let mut offered = 0;
    for trial in 0..TRIALS {
        let mut router = open.clone();
        let mut now = now + Duration::from_micros(chance.below(5_000_000));
        let call = |n: u64, queue: &str| {
            let (task, call) = (TaskId::new(format!("t{n}")), CallId::new(format!("x-{n}")));
            Command::CreateTask(Box::new(NewTask::of_call(task, call, queue)))
        };
        // Some are busy already.
        for n in 0..chance.below(3) {
            router.handle(now, call(n, "all"));
            now = now + Duration::from_micros(chance.below(2_000_000));
            router.handle_timeout(now);
        }
        let gone = WORKERS[usize::try_from(chance.below(5)).expect("few")];
        let away = match chance.below(3) {
            0 => Command::SetReachable {
                worker: gone.to_owned(),
                reachable: false,
            },
            1 => Command::SetNextActivity {
                worker: gone.to_owned(),
                activity: Some("lunch".to_owned()),
                by: "test".to_owned(),
            },
            _ => Command::SetActivity {
                worker: gone.to_owned(),
                activity: "lunch".to_owned(),
                by: "test".to_owned(),
                reject_pending: chance.below(2) == 0,
            },
        };
        router.handle(now, away);
        while router.poll_output().is_some() {}
        now = now + Duration::from_millis(1);
        for n in 10..13 {
            router.handle(
                now,
                call(n, ["sales", "支援", "all"][usize::try_from(n % 3).unwrap()]),
            );
        }
        now = now + Duration::from_secs(chance.below(8));
        while let Some(at) = router.poll_timeout().filter(|at| *at <= now) {
            router.handle_timeout(at);
        }
        while let Some(released) = router.poll_output() {
            if let Output::Offer { worker, .. } = released.output {
                assert_ne!(worker, gone, "trial {trial}");
                offered += 1;
            }
        }
    }
    assert!(offered > TRIALS, "others were: {offered}");
}
