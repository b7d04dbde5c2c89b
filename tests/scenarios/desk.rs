//! Agents who work by phone alone, played by `tsunagu phone`; and their programs' heartbeats.

use std::path::Path;

use serde_json::{Value, json};

use super::capture_file::Stream;
use super::office::Office;
use super::own_phone::OwnPhone;
use super::sipp::Step;
use super::sound::{read_wav, tone};
use super::{quiet, wait};

/// An agent as the API shows him, once it shows any.
fn agent(office: &Office, name: &str) -> Value {
    wait::until("an agent of the office", wait::PATIENCE, || {
        let agents = office.api.agents();
        agents.into_iter().find(|agent| agent["name"] == name)
    })
}

fn is_in(office: &Office, name: &str, activity: &str) {
    wait::until_true("the activity", wait::PATIENCE, || {
        agent(office, name)["activity"] == activity
    });
}

/// A phone dials and presses keys, until the switch hangs up: what it heard.
fn dial(office: &Office, phone: &str, number: &str, keys: &str) -> Vec<i16> {
    let digits = number.trim_start_matches('*');
    let file = office.folder().join(format!("{phone}-{digits}.wav"));
    let path = file.to_str().expect("a plain path");
    let mut arguments = vec!["--user", phone, "--call", number, "--record", path];
    if !keys.is_empty() {
        arguments.extend(["--press", keys]);
    }
    let (code, told) = OwnPhone::start(office, &arguments).end();
    assert_eq!(code, 0, "{told:?}");
    read_wav(&file).swap_remove(0)
}

/// Whether a prompt of the switch is in what was heard: speech as loud as it, at its length. The
/// simulation listens word by word.
fn seconds_of_speech(heard: &[i16]) -> f64 {
    let loud = heard.chunks(160).filter(|frame| {
        let power: f64 = frame.iter().map(|s| f64::from(*s).powi(2)).sum();
        (power / frame.len() as f64).sqrt() > 300.0
    });
    loud.count() as f64 * 0.02
}

#[test]
fn an_agent_logs_in_with_his_pin_at_a_strange_phone_and_takes_a_call_there() {
    let _turn = quiet::shared();
    let mut office = Office::open();
    office.register(1007);
    is_reachable(&office, "sato", false);
    let heard = dial(&office, "1007", "*41", ",,,1001#,,1001#");
    assert!(seconds_of_speech(&heard) > 3.0, "questions and answers");
    is_in(&office, "sato", "available");
    is_reachable(&office, "sato", true);
    let log = office.log();
    assert!(log.contains("agent.login"), "{log}");
    // He sits there still when the process was killed; his own phone is not even registered.
    office.kill();
    office.start();
    is_in(&office, "sato", "available");
    is_reachable(&office, "sato", true);

    // The phone whose log-in it was goes on being registered, and rings.
    let mut phone = OwnPhone::start(
        &office,
        &["--user", "1007", "--answer", "1", "--hang-up", "1"],
    );
    phone.until("registered");
    let sound = office.folder().join("chooser.pcap");
    Stream::new(9)
        .speak(&tone(440.0, 0.5))
        .press('1', 120)
        .speak(&tone(440.0, 3.0))
        .write(&sound);
    office
        .carrier("caller")
        .steps(&[Step::Play(&sound)])
        .set("patience_ms", 20_000)
        .run(wait::PATIENCE);
    let (code, told) = phone.end();
    assert_eq!(code, 0, "{told:?}");
    let record = office.records(2).into_iter().find(|record| {
        let offers = record["offers"].as_array();
        offers.is_some_and(|offers| offers.iter().any(|offer| offer["outcome"] == "accepted"))
    });
    let record = record.expect("the customer's call");
    assert_eq!(record["offers"][0]["agent"], "sato", "{record:#}");

    dial(&office, "1007", "*42", "");
    is_in(&office, "sato", "away");
}

fn is_reachable(office: &Office, name: &str, registered: bool) {
    wait::until_true("the registration", wait::PATIENCE, || {
        agent(office, name)["registered"] == registered
    });
}

#[test]
fn away_with_a_reason_asked_for_or_dialled_at_once() {
    let _turn = quiet::shared();
    let office = Office::open();
    let heard = dial(&office, "1003", "*46", ",,3");
    assert!(seconds_of_speech(&heard) > 2.0, "asked and told");
    is_in(&office, "emma", "lunch");
    dial(&office, "1003", "*45", "");
    is_in(&office, "emma", "available");
    dial(&office, "1003", "*463", "");
    is_in(&office, "emma", "lunch");
    let reason = agent(&office, "emma")["reason"].clone();
    assert_eq!(reason, "set by phone 1003");
}

#[test]
fn three_wrong_pins_are_told_counted_and_written_nowhere() {
    let _turn = quiet::shared();
    let office = Office::open();
    let before = agent(&office, "sato");
    dial(&office, "1007", "*411001", ",,9753#,,9753#,,9753#");
    dial(&office, "1007", "*411001", "");
    assert_eq!(agent(&office, "sato")["reason"], before["reason"]);
    let log = office.log();
    assert_eq!(log.matches("outcome=\"wrong\"").count(), 2, "{log}");
    assert_eq!(log.matches("outcome=\"locked\"").count(), 2, "{log}");
    assert!(!log.contains("9753"), "{log}");
    let records = office.records(2);
    for record in &records {
        assert!(!record.to_string().contains("9753"), "{record:#}");
        assert!(!file_has(&office.folder().join("var"), "9753"));
    }
}

/// Whether a text file or database below a folder holds a text.
fn file_has(folder: &Path, text: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return file_has(&path, text);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    })
}

#[test]
fn an_agent_whose_program_is_silent_is_away_and_comes_back_with_it() {
    let _turn = quiet::shared();
    let mut office = Office::prepare();
    office.rewrite("agents.toml", |text| {
        format!("{text}\n[heartbeat]\nwithin = \"1s\"\n")
    });
    office.start();
    is_in(&office, "emma", "available");
    let path = "/v1/workers/emma/heartbeat";
    let (status, body) = office.api.post(path);
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(status, 200);
    assert_eq!(
        body,
        json!({"agent": "emma", "activity": "available", "next_ms": 333, "within_ms": 1000})
    );
    is_in(&office, "emma", "away");
    let is = agent(&office, "emma");
    let reason = is["reason"].as_str().expect("words");
    assert!(reason.contains("heartbeat missing for 10"), "{reason}");
    assert_eq!(agent(&office, "sato")["activity"], "available");
    let (_, body) = office.api.post(path);
    assert!(body.contains("\"activity\":\"available\""), "{body}");
    is_in(&office, "emma", "available");
    is_in(&office, "emma", "away");
    assert_eq!(office.api.post("/v1/workers/nobody/heartbeat").0, 404);
}
