//! Many calls, twice: what the switch holds after the second round equals what it held after the
//! first. `make soak` does twenty rounds (`SCENARIO_ROUNDS`).

use std::path::Path;
use std::time::Duration;

use super::capture_file::Stream;
use super::office::{Holdings, Office};
use super::sipp::Step;
use super::sound::tone;
use super::{quiet, wait};

#[test]
fn a_thousand_calls_in_a_row_and_two_hundred_at_once_leave_no_trace() {
    let _turn = quiet::alone();
    let mut office = Office::prepare();
    // What was on the wire is kept up to a bound, which the first round is to reach.
    office.set("TSUNAGU_TRACE_MEGABYTES", 2);
    office.start();
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
    let mut held = Vec::new();
    let mut descriptors = Vec::new();
    for count in 1..=rounds {
        held.push(round(&office, &digit, count));
        descriptors.push(office.descriptors());
    }
    let first = held[0];
    for (later, open) in held.iter().zip(&descriptors).skip(1) {
        assert_eq!(
            (later.descriptors, later.sockets, later.threads),
            (first.descriptors, first.sockets, first.threads),
            "open after the first round: {:#?}, later: {open:#?}",
            descriptors[0]
        );
        let allowed = (first.memory_kb / 20).max(2_048);
        assert!(
            later.memory_kb <= first.memory_kb + allowed,
            "memory grew: {held:#?}"
        );
    }
    assert!(office.api.is_ready());
}

/// 1,000 calls one after the other, answered and ended; then 200 at once, who press a key and wait
/// in the queue or talk to an agent. Who is refused because another program took the processor away
/// from the media workers for a moment comes again. Returns what is held when all is given back.
#[track_caller]
fn round(office: &Office, digit: &Path, count: u32) -> Holdings {
    office
        .carrier("caller_insists")
        .steps(&[])
        .set("patience_ms", 1)
        .calls(IN_A_ROW, 1, 1_000)
        .run(Duration::from_secs(240));
    let crowd = office
        .carrier("caller_insists")
        .steps(&[Step::Play(digit)])
        .set("patience_ms", 15_000)
        .calls(AT_ONCE, AT_ONCE, 50)
        .start();
    wait::until_true("all of them at once", wait::PATIENCE, || {
        office.api.metric("tsunagu_calls{") >= f64::from(AT_ONCE)
    });
    crowd.succeed(Duration::from_secs(120));
    office.settle();
    let ended = office.api.metric("tsunagu_calls_ended_total");
    assert_eq!(ended, f64::from(count * (IN_A_ROW + AT_ONCE)));
    let held = office.holdings();
    println!("after round {count}: {held:?}");
    held
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

const IN_A_ROW: u32 = 1_000;
const AT_ONCE: u32 = 200;
