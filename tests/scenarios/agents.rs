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
use super::tap::Tap;
use super::{quiet, wait};

#[test]
fn two_agents_serve_ten_callers_in_order_one_at_a_time() {
    let _turn = quiet::shared();
    let office = Office::open();
    let tap = Tap::on(office.block);
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
    let served_by = [1001, 1002].map(|number| one_at_a_time(&office, &tap, number));
    assert_eq!(served_by.iter().sum::<usize>(), 10, "{served_by:?}");
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
    let mut office = Office::prepare();
    office.rewrite("queues.toml", |text| {
        assert!(text.contains("ring_timeout = \"15s\""));
        text.replace("ring_timeout = \"15s\"", "ring_timeout = \"3s\"")
    });
    office.start();
    let _silent = answering(&office, 1001, 120_000, 1);
    passed_over(&office, &["no_answer"]);
    let agent = agent_of_phone(&office, "1001");
    assert_eq!(agent["available"], false, "{agent}");
    assert_eq!(agent["activity"], "not_answering", "{agent}");
    assert_ne!(agent["reason"], "", "the reason is told: {agent}");
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
    passed_over(&office, &["busy"]);
    assert_eq!(agent_of_phone(&office, "1001")["available"], true);
}

#[test]
fn a_phone_that_vanished_is_passed_over() {
    let _turn = quiet::shared();
    let mut office = Office::prepare();
    office.rewrite("queues.toml", |text| text.replace("\"15s\"", "\"5s\""));
    office.start();
    // Registered, and then nobody is there any more.
    office.register(1001);
    passed_over(&office, &["unreachable", "no_answer"]);
}

#[test]
fn an_agent_without_a_registered_phone_is_never_offered() {
    let _turn = quiet::shared();
    let office = Office::open();
    let _agent = answering(&office, 1002, 200, 500);
    callers(&office, 2, Duration::from_secs(60)).succeed(2 * wait::PATIENCE);
    for record in office.records(2) {
        assert_whole(&record, &office.recordings());
        let offers = list(&record["offers"]);
        assert_eq!(offers.len(), 1, "{record:#}");
        assert_eq!(offers[0]["agent"], SECOND, "{record:#}");
    }
}

#[test]
fn an_agent_who_unregisters_is_offered_nothing_more() {
    let _turn = quiet::shared();
    let office = Office::open();
    let first = answering(&office, 1001, 200, 500);
    let _second = answering(&office, 1002, 200, 500);
    callers(&office, 2, Duration::from_secs(60)).succeed(2 * wait::PATIENCE);
    drop(first);
    office.unregister(1001);
    callers(&office, 2, Duration::from_secs(60)).succeed(2 * wait::PATIENCE);
    let records = office.records(4);
    let agents: Vec<&str> = records
        .iter()
        .filter_map(|record| list(&record["offers"])[0]["agent"].as_str())
        .collect();
    // The newest first.
    assert_eq!(agents[..2], [SECOND, SECOND]);
    assert!(agents[2..].contains(&FIRST), "{agents:?}");
    for record in &records {
        assert_whole(record, &office.recordings());
        assert_eq!(list(&record["offers"]).len(), 1, "{record:#}");
    }
    assert_eq!(agent_of_phone(&office, "1001")["registered"], false);
}

/// Panics when the phone was sent an INVITE before the call it had was over; on the wire, where no
/// record can gloss it over. Returns how many calls it had.
#[track_caller]
fn one_at_a_time(office: &Office, tap: &Tap, number: u16) -> usize {
    let phone = office.phone_address(number);
    let mut open: Option<String> = None;
    let mut count = 0;
    for packet in tap.packets(|packet| packet.to == phone || packet.from == phone) {
        let Some(text) = packet.sip() else { continue };
        let id = text
            .lines()
            .find_map(|line| line.strip_prefix("Call-ID: "))
            .unwrap_or_default()
            .to_owned();
        if text.starts_with("INVITE ") && open.as_deref() != Some(id.as_str()) {
            assert_eq!(open, None, "{number} was called while it had a call");
            open = Some(id);
            count += 1;
        } else if text.starts_with("BYE ") && open.as_deref() == Some(id.as_str()) {
            open = None;
        }
    }
    count
}

/// Agent 1002 is there for whoever 1001 fails in one of these ways. Whoever of them is rung first,
/// 1001 is idle for longer when the second caller comes.
#[track_caller]
fn passed_over(office: &Office, ways: &[&str]) {
    let _second = answering(office, 1002, 200, 500);
    for count in 1..=2 {
        callers(office, 1, Duration::from_secs(60)).succeed(3 * wait::PATIENCE);
        let record = office.records(count).remove(0);
        assert_whole(&record, &office.recordings());
        let offers: Vec<(&str, &str)> = list(&record["offers"])
            .iter()
            .map(|o| {
                (
                    o["agent"].as_str().unwrap_or(""),
                    o["outcome"].as_str().unwrap_or(""),
                )
            })
            .collect();
        assert_eq!(offers.last(), Some(&(SECOND, "accepted")), "{record:#}");
        if offers[0].0 == FIRST {
            assert_eq!(offers.len(), 2, "{record:#}");
            assert!(ways.contains(&offers[0].1), "{record:#}");
            return;
        }
    }
    panic!("agent 1001 was never rung");
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
        .calls(count, count, 200)
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

/// The demo office's agents at phones 1001 and 1002.
const FIRST: &str = "sato";
const SECOND: &str = "suzuki";
