//! What every finished call record must be, whatever happened to the call.

use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// A time of a record.
#[track_caller]
pub(crate) fn time(value: &Value) -> SystemTime {
    let text = value.as_str().unwrap_or_else(|| panic!("no time: {value}"));
    let stamp: jiff::Timestamp = text
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    SystemTime::from(stamp)
}

/// The parts of the caller's timeline by name, in order.
pub(crate) fn stretches(record: &Value) -> Vec<&str> {
    list(&record["caller_timeline"])
        .iter()
        .filter_map(|part| part["stretch"].as_str())
        .collect()
}

/// The first part of the caller's timeline of this name.
#[track_caller]
pub(crate) fn stretch<'a>(record: &'a Value, name: &str) -> &'a Value {
    list(&record["caller_timeline"])
        .iter()
        .find(|part| part["stretch"] == name)
        .unwrap_or_else(|| panic!("no {name} in {record:#}"))
}

/// Digits pressed, as one word.
pub(crate) fn digits(record: &Value) -> String {
    list(&record["digits"])
        .iter()
        .filter_map(|digit| digit["digit"].as_str())
        .collect()
}

/// A list of the record.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Panics unless the record is whole: ended, contiguous, adding up, nothing left open, and every
/// recording published with the checksum it says.
#[track_caller]
pub(crate) fn assert_whole(record: &Value, recordings: &Path) {
    let fail = |what: &str| -> ! { panic!("{what}\n{record:#}") };
    let whole = |value: &Value| {
        value
            .as_u64()
            .unwrap_or_else(|| fail("a length is missing"))
    };
    if record["ended"].is_null() || record["sip"].is_null() || record["q850"].is_null() {
        fail("the call has not ended, or nobody knows why");
    }
    if record["hung_up_by"].is_null() {
        fail("nobody hung up");
    }
    let timeline = list(&record["caller_timeline"]);
    let (Some(first), Some(last)) = (timeline.first(), timeline.last()) else {
        fail("the caller has no timeline");
    };
    if first["from"] != record["started"] || last["until"] != record["ended"] {
        fail("the caller's timeline is not the whole call");
    }
    if timeline
        .windows(2)
        .any(|pair| pair[0]["until"] != pair[1]["from"])
    {
        fail("the caller's timeline has a gap");
    }
    let sum: u64 = timeline
        .iter()
        .map(|part| whole(&part["duration_ms"]))
        .sum();
    if sum != whole(&record["duration_ms"]) {
        fail("the caller's timeline does not add up");
    }
    for agent in list(&record["agents"]) {
        let timeline = list(&agent["timeline"]);
        if timeline.iter().any(|part| part["until"].is_null()) {
            fail("an agent's timeline is open");
        }
    }
    let open =
        |name: &str, field: &str| list(&record[name]).iter().any(|part| part[field].is_null());
    if open("legs", "ended") || open("offers", "outcome") || open("queues", "outcome") {
        fail("a leg, an offer or a queue visit is open");
    }
    for recording in list(&record["recordings"]) {
        if !recording["defect"].is_null() {
            fail("a recording is defective");
        }
        let path = recordings.join(recording["path"].as_str().unwrap_or_else(|| {
            fail("a recording was not published");
        }));
        let Ok(bytes) = std::fs::read(&path) else {
            fail("a recording's file is not there");
        };
        if recording["sha256"] != hex::encode(Sha256::digest(&bytes)) {
            fail("a recording's checksum is another");
        }
    }
}
