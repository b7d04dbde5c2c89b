//! The seam between relay and mix, on the wire: a third party joins and leaves a recorded
//! conversation twenty times while it moves from worker to worker. One stream to each of the two
//! others, one recording, one record.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::phone::{Answering, Phone};
use super::record::list;
use super::recording::Talk;
use super::sound::{FRAME, Searched, hum, loudness_db, seconds_of};
use super::tap::Heard;
use super::{quiet, wait};

#[test]
fn a_third_party_comes_and_goes_twenty_times_unnoticed() {
    let _turn = quiet::shared();
    let mut talk = Talk::begin(None);
    let mut third = talk
        .office
        .phone(1_005, Answering::Auto, &hum(THIRD, 120.0));
    talk.connect();
    let connected = SystemTime::now();
    let call = talk.office.api.live_calls()[0]["id"].clone();
    let path = format!("/v1/calls/{}", call.as_str().expect("an id"));
    for worker in [0, 1].into_iter().cycle().take(VISITS) {
        visit(&talk, &mut third, &path, worker);
    }
    talk.hang_up();

    let record = talk.office.records(1).remove(0);
    assert_eq!(list(&record["legs"]).len(), 2 + VISITS, "{record:#}");
    assert_eq!(list(&record["recordings"]).len(), 1, "{record:#}");

    let (caller, agent) = (talk.spoken_by_caller(), talk.spoken_by_agent());
    let at_caller = talk.tap.heard_at(talk.carrier());
    let at_agent = talk.tap.heard_by(talk.phone.address);
    for (who, heard, spoken) in [
        ("the caller", &at_caller, &agent),
        ("the agent", &at_agent, &caller),
    ] {
        assert_eq!(heard.ssrcs.len(), 1, "{who} hears one stream");
        assert_eq!(heard.sequence_breaks, 0, "{who} misses no packet");
        let leaps: Vec<(f64, i32, i32)> = heard
            .leaps
            .iter()
            .filter_map(|(at, samples, gone)| {
                let after = at.duration_since(connected).ok()?;
                Some((after.as_secs_f64(), *samples, *gone))
            })
            .collect();
        println!("{who}: timestamps leap at {leaps:.1?}");
        // Where the machine had no time for the switch, timestamps follow the clock.
        let frame = FRAME as i32;
        let stalls: Vec<_> = leaps
            .iter()
            .filter(|(_, samples, _)| samples.abs() > frame)
            .collect();
        assert!(
            stalls
                .iter()
                .all(|(_, samples, gone)| (0..=gone - frame).contains(&(samples - frame))),
            "{who}: more than one frame at a seam: {stalls:.1?}",
        );
        assert!(stalls.len() <= 2, "{who}: stalls at seams: {stalls:.1?}");
        assert!(leaps.len() <= SEAMS, "{who}: more leaps than seams");
        judge_content(who, heard, spoken);
    }
    talk.judge();
}

/// The third phone is added, is heard, hears both, and is dropped; meanwhile the conversation goes
/// to another worker, and to this one when they are two again.
#[track_caller]
fn visit(talk: &Talk, third: &mut Phone, path: &str, worker: usize) {
    let api = &talk.office.api;
    let (status, answer) = api.tell(path, &json!({"do": "add_party", "number": third.number}));
    assert_eq!(status, 200, "{answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    third.event("CALL_ESTABLISHED");
    migrate(talk, path, 1 - worker);
    wait::until_true("three voices", wait::PATIENCE, || {
        let heard = talk.tap.heard_by(third.address).samples;
        seconds_of(&heard, 440.0) > 0.3 && seconds_of(&heard, 880.0) > 0.3 && heard.len() > STAY
    });
    let (status, answer) = api.tell(path, &json!({"do": "drop_party", "leg": answer["leg"]}));
    assert_eq!(status, 200, "{answer}");
    third.event("CALL_CLOSED");
    migrate(talk, path, worker);
    std::thread::sleep(Duration::from_secs(1));
}

#[track_caller]
fn migrate(talk: &Talk, path: &str, worker: usize) {
    let wish = json!({"do": "migrate", "worker": worker});
    let (status, answer) = talk.office.api.tell(path, &wish);
    assert_eq!(status, 200, "{answer}");
}

/// What is heard is what was said, with no more delay than the mix is allowed.
#[track_caller]
fn judge_content(who: &str, heard: &Heard, spoken: &Heard) {
    let began = |heard: &Heard| {
        let at = heard.began.expect("a stream");
        at.duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970")
            .as_secs_f64()
    };
    // Position in `spoken` of what would be heard without delay at the start of `heard`.
    let ahead = ((began(heard) - began(spoken)) * 8_000.0) as i64;
    let mut delays: Vec<i64> = Vec::new();
    for (number, piece) in heard.samples.chunks_exact(WINDOW).enumerate() {
        let now = ahead + (number * WINDOW) as i64;
        let (from, until) = (now - MOST_DELAY, now + WINDOW as i64 + FRAME as i64);
        if from < 0 || until > spoken.samples.len() as i64 || loudness_db(piece) < -40.0 {
            continue;
        }
        let near = Searched::new(&spoken.samples[from as usize..until as usize]);
        if let Some((at, score)) = near.find(piece)
            && score > ALL_OF_IT
        {
            delays.push(MOST_DELAY - at as i64);
        }
    }
    println!("{who}: delays in samples {delays:?}");
    assert!(
        delays.len() > VISITS,
        "{who}: only {} stretches of half a second are what was said",
        delays.len()
    );
    // The few while the machine had no time for the switch say nothing.
    let mut ordered = delays.clone();
    ordered.sort_unstable();
    let (least, most) = (ordered[0], ordered[ordered.len() * 9 / 10]);
    assert!(
        most - least <= MIX_DELAY,
        "{who}: the mix is {} samples behind the relay: {delays:?}",
        most - least
    );
}

/// How often the third party comes.
const VISITS: usize = 20;
/// What the third party hums, in Hz.
const THIRD: f64 = 1_010.0;
/// How long it stays at least, in samples it hears.
const STAY: usize = 8_000;
/// The stretch whose delay is measured: half a second.
const WINDOW: usize = 4_000;
/// Correlation of a stretch that is in one piece; one with a seam inside fits nowhere so well.
const ALL_OF_IT: f64 = 0.97;
/// The most delay that is looked for: 300 ms.
const MOST_DELAY: i64 = 2_400;
/// Changes between relay and mix, and of the worker.
const SEAMS: usize = 4 * VISITS;
/// The jitter buffer, the wait for the tick, and as much again for a machine that is busy: 160 ms.
const MIX_DELAY: i64 = 1_280;
