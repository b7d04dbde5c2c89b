//! The wall clock of the machine steps by an hour, forth and back, while callers wait, are rung for
//! and talk; then the switch starts again with a clock that is behind its own journal. libfaketime
//! (Debian package faketime) moves it, for the switch alone.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::centre::centre;
use super::crowd::{Crowd, Manners, Plan};
use super::office::Office;
use super::quiet;
use super::record::{assert_whole, list, time};

#[test]
fn a_wall_clock_that_steps_by_an_hour_moves_nobody() {
    let _turn = quiet::alone();
    let plan = Plan {
        agents: 5,
        groups: 1,
    };
    let manners = Manners {
        ring: Some((50, 400)),
        talk: (500, 1_500),
        callers_hang_up: 20,
        impatient: 5,
        busy: 2,
    };
    let (mut office, mut crowd) = centre(plan, manners);
    let offset = office.folder().join("offset");
    let step = |hours: i32| std::fs::write(&offset, format!("{hours:+}h\n")).expect("writable");
    step(0);
    office.set("LD_PRELOAD", library());
    office.set("FAKETIME_TIMESTAMP_FILE", offset.display());
    office.set("FAKETIME_CACHE_DURATION", 1);
    office.set("FAKETIME_DONT_FAKE_MONOTONIC", 1);
    office.start();
    crowd.register();
    let mut past = 0;
    for hours in [1, -1, 0, 1] {
        step(hours);
        crowd.until(Duration::from_millis(1_100), |_| false);
        crowd.stream(5.0, Duration::from_secs(2), false);
        if hours == 1 {
            let seen = office.api.metric("tsunagu_clock_error_seconds");
            assert!((3_500.0..3_700.0).contains(&seen), "it has stepped: {seen}");
        }
        assert_eq!(crowd.seen.faults, [""; 0]);
        let records = office.records(crowd.placed() - crowd.refused());
        judge(&office, &crowd, &records, past);
        past = crowd.placed();
    }
    let before = office.records(crowd.placed() - crowd.refused());
    let newest = before.iter().map(|record| time(&record["ended"])).max();
    office.kill();
    crowd.forget();
    step(-1);
    office.start();
    // What the phones said before is known again; what is new is no earlier than what was.
    crowd.stream(5.0, Duration::from_secs(2), false);
    assert_eq!(crowd.seen.faults, [""; 0]);
    let records = office.records(crowd.placed() - crowd.refused());
    judge(&office, &crowd, &records, past);
    let oldest = records[..records.len() - before.len()].iter();
    let oldest = oldest.map(|record| time(&record["started"])).min();
    assert!(oldest > newest, "{oldest:?} after {newest:?}");
}

/// The records are right, and nothing in them lasted longer than it can have.
#[track_caller]
fn judge(office: &Office, crowd: &Crowd, records: &[Value], past: usize) {
    let wrong = crowd.judge(records, past);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for record in records {
        assert_whole(record, &office.recordings());
        let whole = record["duration_ms"].as_u64();
        assert!(whole.is_some_and(|ms| ms < 60_000), "{record:#}");
        for visit in list(&record["queues"]) {
            assert!(
                time(&visit["left"]) >= time(&visit["entered"]),
                "{record:#}"
            );
        }
    }
}

/// The dynamic linker fills in where libraries of its kind are.
fn library() -> String {
    let said = Command::new("faketime")
        .args(["-f", "+0h", "printenv", "LD_PRELOAD"])
        .output()
        .expect("faketime (Debian package faketime)");
    let path = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    let folder = Path::new(&path).parent().expect("a path");
    // The one for programs of several threads.
    folder.join("libfaketimeMT.so.1").display().to_string()
}
