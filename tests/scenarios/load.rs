//! Many calls, twice: what the switch holds after the second round equals what it held after the
//! first. `make soak` does twenty rounds (`SCENARIO_ROUNDS`).

use std::time::Duration;

use super::capture_file::Stream;
use super::office::{Holdings, Office, QUARANTINE};
use super::sipp::Step;
use super::sound::tone;
use super::{quiet, wait};

#[test]
fn a_thousand_calls_in_a_row_and_two_hundred_at_once_leave_no_trace() {
    let _turn = quiet::alone();
    let office = Office::open();
    let idle = office.holdings();
    let _agents: Vec<_> = (1001..=1004).map(|number| agent(&office, number)).collect();
    let digit = office.folder().join("digit.pcap");
    Stream::new(11)
        .speak(&tone(440.0, 0.2))
        .press('1', 100)
        .speak(&tone(440.0, 1.0))
        .write(&digit);
    let rounds: u32 = std::env::var("SCENARIO_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(2);
    let first = round(&office, &digit, &idle);
    println!("after the first round: {first:?}");
    for count in 2..=rounds {
        let later = round(&office, &digit, &idle);
        println!("after round {count}: {later:?}");
        assert_eq!(
            (later.descriptors, later.sockets, later.threads),
            (first.descriptors, first.sockets, first.threads)
        );
        let allowed = (first.memory_kb / 20).max(2_048);
        assert!(
            later.memory_kb <= first.memory_kb + allowed,
            "memory grew from {} kB to {} kB",
            first.memory_kb,
            later.memory_kb
        );
    }
    assert!(office.api.is_ready());
}

/// 1,000 calls one after the other, answered and ended; then 200 at once, who press a key and wait
/// in the queue or talk to an agent. Returns what is held when all is quiet again.
#[track_caller]
fn round(office: &Office, digit: &std::path::Path, idle: &Holdings) -> Holdings {
    office
        .carrier("caller")
        .steps(&[])
        .set("patience_ms", 1)
        .calls(1_000, 1, 1_000)
        .run(Duration::from_secs(240));
    office
        .carrier("caller")
        .steps(&[Step::Play(digit)])
        .set("patience_ms", 8_000)
        .calls(200, 200, 50)
        .run(Duration::from_secs(120));
    wait::until_true("the last call to end", wait::PATIENCE, || {
        office.api.live_calls().is_empty()
    });
    wait::until_true(
        "all ports to be given back",
        QUARANTINE + wait::PATIENCE,
        || office.holdings().sockets <= idle.sockets + 1,
    );
    // The API's connections come and go; a quiet reading is the lowest of a few.
    (0..10)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(100));
            office.holdings()
        })
        .min_by_key(|holdings| (holdings.descriptors, holdings.memory_kb))
        .expect("ten readings")
}

/// An agent's phone played by SIPp, who talks until the caller hangs up.
fn agent(office: &Office, number: u16) -> super::sipp::Running {
    office.register(number);
    office
        .sipp("phone_answers", office.phone_address(number))
        .set("phone", number)
        .set("ring_ms", 200)
        .set("talk_ms", 60_000)
        .steps(&[])
        .calls(100_000, 100, 10)
        .start()
}
