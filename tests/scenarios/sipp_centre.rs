//! Agents and callers whom SIPp plays: how soon the phone of an agent who has become free rings when
//! somebody is in line, by SIPp's own clock. `make soak` has it with the release build.

use std::collections::HashMap;
use std::time::Duration;

use super::address::{CARRIER, PHONES};
use super::crowd::{AGENT, Plan};
use super::office::Office;
use super::record::{assert_whole, list};
use super::{quiet, wait};

#[test]
fn a_free_agent_is_rung_for_who_waits() {
    let _turn = quiet::alone();
    let mut office = Office::prepare();
    let plan = Plan {
        agents: AGENTS,
        groups: 1,
    };
    let carrier = office.block.at(CARRIER, 5_060);
    let mut files = plan.files(carrier, 120);
    files.push(("node.toml".to_owned(), super::centre::NODE.to_owned()));
    office.refurnish(&files);
    office.start();
    let phones = office.block.at(PHONES, 5_060);
    let numbers: Vec<u64> = (0..AGENTS).map(|agent| (AGENT + agent) as u64).collect();
    office
        .sipp("register", phones)
        .of_each(&numbers)
        .set("expires", 600)
        .run(wait::PATIENCE);
    let agents = office
        .sipp("phone_answers", phones)
        .set("phone", "agents")
        .set("ring_ms", 20)
        .set("talk_ms", 900)
        .steps(&[])
        .calls(1_000_000, 10_000, 10)
        .start();
    let calls: u32 = std::env::var("SCENARIO_CALLS")
        .ok()
        .and_then(|calls| calls.parse().ok())
        .unwrap_or(300);
    office
        .carrier("caller")
        .set("number", 6_000)
        .set("patience_ms", 60_000)
        .steps(&[])
        .calls(calls, (AGENTS + IN_LINE) as u32, 200)
        .run(Duration::from_secs(60) + Duration::from_millis(50) * calls);

    let records = office.records(calls as usize);
    assert_eq!(records.len(), calls as usize);
    for record in &records {
        assert_whole(record, &office.recordings());
        let offers = list(&record["offers"]);
        assert_eq!(offers.len(), 1, "rung once: {record:#}");
        assert_eq!(offers[0]["outcome"], "accepted", "{record:#}");
    }
    let mut freed = Vec::new();
    let mut ending: HashMap<String, u64> = HashMap::new();
    let mut talking: HashMap<String, String> = HashMap::new();
    let mut calls_of = HashMap::new();
    for message in said(&agents.messages()) {
        let call = message.header("Call-ID").to_owned();
        if message.first.starts_with("INVITE") && message.received {
            let number = message.number();
            if calls_of.contains_key(&call) {
                // Said again.
                continue;
            }
            let other = talking.insert(number.clone(), call.clone());
            assert_eq!(other, None, "{number} is rung while he talks");
            if let Some(at) = ending.remove(&number) {
                freed.push(message.at - at);
            }
            calls_of.insert(call, number);
        } else if message.first.starts_with("BYE") && !message.received {
            let number: &String = &calls_of[&call];
            if talking.remove(number).is_some() {
                ending.insert(number.clone(), message.at);
            }
        }
    }
    // Whoever hangs up when the line is empty waits for nobody.
    freed.sort_unstable();
    assert!(
        freed.len() + 2 * AGENTS >= calls as usize,
        "{}",
        freed.len()
    );
    let at = |share: usize| freed[freed.len() * share / 100] as f64 / 1000.0;
    println!(
        "{} times an agent of SIPp's became free with callers in line: BYE sent to INVITE received \
         p50 {:.2} ms, p99 {:.2} ms",
        freed.len(),
        at(50),
        at(99)
    );
}

/// A message as SIPp noted it.
struct Said<'t> {
    /// Microseconds of its day.
    at: u64,
    received: bool,
    first: &'t str,
    text: &'t str,
}

impl Said<'_> {
    fn header(&self, name: &str) -> &str {
        let lines = self.text.lines().filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        found.next().map_or("", |(_, value)| value.trim())
    }

    /// The user of To.
    fn number(&self) -> String {
        let to = self.header("To");
        let uri = to.split_once("sip:").map_or("", |(_, uri)| uri);
        uri.split('@').next().unwrap_or_default().to_owned()
    }
}

fn said(messages: &str) -> Vec<Said<'_>> {
    let notes = messages.split("-----------------------------------------------");
    let one = |note| -> Option<Said<'_>> {
        let (head, text) = str::split_once(note, ":\n\n")?;
        let (when, how) = head.split_once('\n')?;
        let time = when.split([' ', '\t']).find(|word| word.contains(':'))?;
        let mut parts = time.split([':', '.']).map(|part| part.parse::<u64>().ok());
        let mut next = || parts.next().flatten();
        let seconds = (next()? * 60 + next()?) * 60 + next()?;
        Some(Said {
            at: seconds * 1_000_000 + next()?,
            received: how.contains("received"),
            first: text.lines().next()?,
            text,
        })
    };
    notes.filter_map(one).collect()
}

const AGENTS: usize = 30;
/// In line beside those who talk.
const IN_LINE: usize = 50;
