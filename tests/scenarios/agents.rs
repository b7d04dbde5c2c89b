//! Who gets which caller: one offer at a time, first come first served, and the right next step when
//! a phone does not answer, is busy, is gone or was never there.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::capture_file::Stream;
use super::office::Office;
use super::record::{assert_whole, list, time};
use super::sipp::{Running, Step};
use super::sound::tone;
use super::{quiet, wait};

#[test]
fn two_agents_serve_ten_callers_in_order_one_at_a_time() {
    let _turn = quiet::shared();
    let office = Office::open();
    let _agents = [1001, 1002].map(|number| answering(&office, number, 300, 700));
    callers(&office, 10, Duration::from_secs(60)).succeed(4 * wait::PATIENCE);

    let records = office.records(10);
    assert_eq!(records.len(), 10);
    let mut served = Vec::new();
    let mut offers: BTreeMap<String, Vec<(SystemTime, SystemTime)>> = BTreeMap::new();
    for record in &records {
        assert_whole(record, &office.recordings());
        let queue = &list(&record["queues"])[0];
        assert_eq!(queue["outcome"], "answered", "{record:#}");
        let accepted: Vec<&Value> = list(&record["offers"])
            .iter()
            .filter(|offer| offer["outcome"] == "accepted")
            .collect();
        assert_eq!(accepted.len(), 1, "served exactly once: {record:#}");
        served.push((time(&queue["entered"]), time(&accepted[0]["offered"])));
        for agent in list(&record["agents"]) {
            let parts = list(&agent["timeline"]);
            let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
                panic!("an agent without a timeline: {record:#}");
            };
            let name = agent["agent"].as_str().expect("a name").to_owned();
            offers
                .entry(name)
                .or_default()
                .push((time(&first["from"]), time(&last["until"])));
        }
    }
    served.sort();
    assert!(
        served.windows(2).all(|pair| pair[0].1 <= pair[1].1),
        "callers were offered in the order in which they entered: {served:?}"
    );
    assert_eq!(offers.len(), 2, "both agents worked");
    for (agent, mut times) in offers {
        times.sort();
        assert!(
            times.windows(2).all(|pair| pair[0].1 <= pair[1].0),
            "{agent} had two at a time: {times:?}"
        );
    }
}

#[test]
fn an_agent_who_does_not_answer_is_made_unavailable_and_the_next_one_rings() {
    let _turn = quiet::shared();
    let office = Office::open();
    let _silent = answering(&office, 1001, 120_000, 1);
    let outcome = second_agent_serves(&office, &["no_answer"]);
    let agent = agent_of_phone(&office, "1001");
    assert_eq!(agent["available"], false, "{agent} after {outcome}");
    assert!(!agent["reason"].is_null(), "the reason is told: {agent}");
}

#[test]
fn a_busy_phone_is_passed_over() {
    let _turn = quiet::shared();
    let office = Office::open();
    office.register(1001);
    let _busy = office
        .sipp("phone_refuses", office.phone_address(1001))
        .set("status", "486 Busy Here")
        .calls(1_000, 10, 10)
        .start();
    second_agent_serves(&office, &["busy"]);
    assert_eq!(agent_of_phone(&office, "1001")["available"], true);
}

#[test]
fn a_phone_that_vanished_is_passed_over() {
    let _turn = quiet::shared();
    let office = Office::open();
    // Registered, and then nobody is there any more.
    office.register(1001);
    second_agent_serves(&office, &["unreachable", "no_answer"]);
}

#[test]
fn an_agent_without_a_registered_phone_is_never_offered() {
    let _turn = quiet::shared();
    let office = Office::open();
    let _agent = answering(&office, 1002, 200, 500);
    callers(&office, 2, Duration::from_secs(60)).succeed(2 * wait::PATIENCE);
    for record in office.records(2) {
        assert_whole(&record, &office.recordings());
        let offered = list(&record["offers"]);
        assert_eq!(offered.len(), 1, "{record:#}");
        let leg = list(&record["legs"])
            .iter()
            .find(|leg| leg["role"] == "agent");
        assert_eq!(leg.expect("an agent's leg")["party"], "1002", "{record:#}");
    }
}

/// Agent 1001 is alone and fails in one of these ways; then 1002 comes and takes the caller.
#[track_caller]
fn second_agent_serves(office: &Office, ways: &[&str]) -> String {
    let caller = callers(office, 1, Duration::from_secs(90));
    wait::until_true("the offer to agent 1001", wait::PATIENCE, || {
        let live = office.api.live_calls();
        live.iter().any(|call| !list(&call["offers"]).is_empty())
    });
    let _second = answering(office, 1002, 200, 500);
    caller.succeed(3 * wait::PATIENCE);
    let record = office.records(1).remove(0);
    assert_whole(&record, &office.recordings());
    let outcomes: Vec<&str> = list(&record["offers"])
        .iter()
        .filter_map(|offer| offer["outcome"].as_str())
        .collect();
    assert!(ways.contains(&outcomes[0]), "{outcomes:?}\n{record:#}");
    assert_eq!(outcomes.last(), Some(&"accepted"), "{record:#}");
    outcomes[0].to_owned()
}

/// An agent's phone played by SIPp: rings, answers, talks, hangs up.
fn answering(office: &Office, number: u16, ring_ms: u32, talk_ms: u32) -> Running {
    office.register(number);
    office
        .sipp("phone_answers", office.phone_address(number))
        .set("phone", number)
        .set("ring_ms", ring_ms)
        .set("talk_ms", talk_ms)
        .steps(&[])
        .calls(1_000, 10, 10)
        .start()
}

/// Callers who press 1 and wait for the other side to hang up.
fn callers(office: &Office, count: u32, patience: Duration) -> Running {
    let sound = office.folder().join("chooser.pcap");
    Stream::new(9)
        .speak(&tone(440.0, 0.5))
        .press('1', 120)
        .speak(&tone(440.0, 5.0))
        .write(&sound);
    office
        .carrier("caller")
        .steps(&[Step::Play(&sound)])
        .set("patience_ms", patience.as_millis())
        .calls(count, count, 10)
        .start()
}

#[track_caller]
fn agent_of_phone(office: &Office, phone: &str) -> Value {
    let agents = office.api.agents();
    let found = agents.iter().find(|agent| agent["phone"] == phone);
    found
        .unwrap_or_else(|| panic!("no agent at phone {phone}: {agents:?}"))
        .clone()
}
