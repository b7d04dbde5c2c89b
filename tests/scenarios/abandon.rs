//! Callers who leave at any instant: nothing may stay behind, and the record is right every time.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::capture_file::Stream;
use super::office::{Holdings, Office};
use super::record::{assert_whole, list, stretches};
use super::recording::wav_files;
use super::sipp::{Running, Step};
use super::sound::tone;
use super::{quiet, wait};

#[test]
fn fifty_callers_leave_at_fifty_instants_and_nothing_stays_behind() {
    let _turn = quiet::shared();
    let office = Office::open();
    let before = office.holdings();
    // All who serve the queue "sales"; ten callers come at a time, so some wait.
    let agents = [1001, 1002, 1004].map(|number| ringing_agent(&office, number));
    let sound = office.folder().join("caller.pcap");
    Stream::new(5)
        .speak(&tone(440.0, 1.0))
        .press('1', 100)
        .speak(&tone(440.0, 20.0))
        .write(&sound);
    // Spread over greeting, key, announcement, queue, ring and talk; the same ones in every run.
    let instants = scattered(50, 11_000, 20_26);
    office
        .carrier("caller_leaves")
        .set("sound", sound.display())
        .instants(&instants)
        .calls(50, 10, 10)
        .run(4 * wait::PATIENCE);

    let records = office.records(50);
    assert_eq!(records.len(), 50);
    let mut left: BTreeMap<String, u32> = BTreeMap::new();
    for record in &records {
        assert_whole(record, &office.recordings());
        assert_eq!(
            (&record["hung_up_by"], &record["sip"], &record["q850"]),
            (&"caller".into(), &200.into(), &16.into()),
            "{record:#}"
        );
        *left.entry(where_he_left(record)).or_default() += 1;
    }
    println!("left while in: {left:?}");
    for place in ["ivr", "queue", "offer", "talk"] {
        assert!(left.contains_key(place), "nobody left in {place}: {left:?}");
    }
    nothing_stays_behind(&office, &before);
    drop(agents);
}

#[test]
fn calls_cancelled_while_the_phone_rings_leave_nothing_behind() {
    let _turn = quiet::shared();
    let office = Office::open();
    let before = office.holdings();
    let records = cancelled(&office, 60_000, 1_200);
    for record in records {
        assert_eq!(
            (&record["hung_up_by"], &record["sip"]),
            (&"caller".into(), &487.into()),
            "{record:#}"
        );
    }
    nothing_stays_behind(&office, &before);
}

#[test]
fn calls_cancelled_while_the_phone_answers_leave_nothing_behind() {
    let _turn = quiet::shared();
    let office = Office::open();
    let before = office.holdings();
    let mut ends: BTreeMap<u64, u32> = BTreeMap::new();
    for record in cancelled(&office, 300, 600) {
        assert_eq!(record["hung_up_by"], "caller", "{record:#}");
        let status = record["sip"].as_u64().unwrap_or_default();
        assert!([200, 487].contains(&status), "{record:#}");
        *ends.entry(status).or_default() += 1;
    }
    println!("cancelled, or too late and hung up: {ends:?}");
    assert_eq!(
        ends.len(),
        2,
        "some were in time and some were not: {ends:?}"
    );
    nothing_stays_behind(&office, &before);
}

/// Twenty calls from phone 1005 to 1006, which rings for `ring_ms` and then answers, cancelled at
/// instants up to `limit` ms; their records.
#[track_caller]
fn cancelled(office: &Office, ring_ms: u32, limit: u64) -> Vec<Value> {
    office.register(1006);
    let _callee = office
        .sipp("phone_answers", office.phone_address(1006))
        .set("phone", 1006)
        .set("ring_ms", ring_ms)
        .set("talk_ms", 60_000)
        .steps(&[])
        .calls(1_000, 100, 10)
        .start();
    office
        .sipp("cancel", office.phone_address(1005))
        .set("number", 1006)
        .set("caller", 1005)
        .set("password", "tsunagu-1005")
        .set("branch", "z9hG4bKcancelled")
        .instants(&scattered(20, limit, 4))
        .calls(20, 4, 8)
        .run(2 * wait::PATIENCE);
    let records = office.records(20);
    assert_eq!(records.len(), 20);
    for record in &records {
        assert_whole(record, &office.recordings());
    }
    records
}

/// In what the caller was, told by the end of his timeline; the rest of the record must agree.
#[track_caller]
fn where_he_left(record: &Value) -> String {
    let last = *stretches(record).last().expect("a timeline");
    let outcomes = |name: &str| -> Vec<&str> {
        list(&record[name])
            .iter()
            .map(|one| one["outcome"].as_str().unwrap_or_default())
            .collect()
    };
    let (queues, offers) = (outcomes("queues"), outcomes("offers"));
    let recordings = list(&record["recordings"]).len();
    let (place, agrees) = match last {
        "ivr" | "set_up" => (
            "ivr",
            queues.is_empty() && offers.is_empty() && recordings == 0,
        ),
        "queue" if offers.is_empty() => ("queue", queues == ["abandoned"] && recordings == 0),
        "queue" => (
            "offer",
            queues == ["abandoned"] && offers == ["caller_left"] && recordings == 0,
        ),
        "talk" => (
            "talk",
            queues == ["answered"] && offers == ["accepted"] && recordings == 1,
        ),
        other => (other, false),
    };
    assert!(
        agrees,
        "left in {last}, and the record disagrees: {record:#}"
    );
    place.to_owned()
}

/// An agent's phone played by SIPp: answers after a second and waits for the caller to hang up.
fn ringing_agent(office: &Office, number: u16) -> Running {
    office.register(number);
    let voice = super::story::voice(office.folder(), 880.0, 20.0);
    office
        .sipp("phone_answers", office.phone_address(number))
        .set("phone", number)
        .set("ring_ms", 1_000)
        .set("talk_ms", 60_000)
        .steps(&[Step::Play(&voice)])
        .calls(1_000, 100, 10)
        .start()
}

/// No live call, nobody in a queue, every agent free, no unfinished file; and once SIP has forgotten
/// and the ports have rested, nothing is held that was not held before the first call.
#[track_caller]
fn nothing_stays_behind(office: &Office, before: &Holdings) {
    assert!(office.api.live_calls().is_empty());
    for queue in office.api.queues() {
        assert_eq!(queue["waiting"], 0, "{queue}");
    }
    for agent in office.api.agents() {
        assert!(agent["call"].is_null(), "{agent}");
        let state = agent["state"].as_str().unwrap_or_default();
        assert!(
            !["reserved", "talking", "wrap_up"].contains(&state),
            "{agent}"
        );
    }
    let is_unfinished = |path: &PathBuf| path.to_string_lossy().ends_with(".part");
    let files = wav_files(office);
    assert!(!files.iter().any(is_unfinished), "{files:?}");
    office.settle();
    let after = office.holdings();
    assert_eq!(after.threads, before.threads);
    // One connection of ours to the API may be open at either time.
    assert!(
        after.sockets <= before.sockets + 1,
        "{} sockets before, now {:#?}",
        before.sockets,
        office.descriptors()
    );
}

/// So many instants up to `limit` ms, scattered by a seed.
fn scattered(count: usize, limit: u64, seed: u64) -> Vec<u64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // SIPp counts in steps of its timer; 0 would be no pause at all.
            state % limit + 1
        })
        .collect()
}
