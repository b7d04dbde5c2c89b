//! Callers who leave at any instant: nothing may stay behind, and the record is right every time.

use super::capture_file::Stream;
use super::office::{Office, QUARANTINE};
use super::record::assert_whole;
use super::recording::wav_files;
use super::sound::tone;
use super::{quiet, wait};

#[test]
fn fifty_callers_leave_at_fifty_instants_and_nothing_stays_behind() {
    let _turn = quiet::shared();
    let office = Office::open();
    let before = office.holdings();
    let agents: Vec<_> = (1001..=1003)
        .map(|number| ringing_agent(&office, number))
        .collect();
    let sound = office.folder().join("caller.pcap");
    Stream::new(5)
        .speak(&tone(440.0, 1.0))
        .press('1', 100)
        .speak(&tone(440.0, 20.0))
        .write(&sound);
    // 50 instants spread over greeting, digit, queue, ring and talk; the same ones in every run.
    let instants: Vec<u64> = scattered(50, 6_000, 20_26);
    office
        .carrier("caller_leaves")
        .set("sound", sound.display())
        .instants(&instants)
        .calls(50, 6, 6)
        .run(4 * wait::PATIENCE);

    let records = office.records(50);
    assert_eq!(records.len(), 50);
    for record in &records {
        assert_whole(record, &office.recordings());
        assert_eq!(record["hung_up_by"], "caller", "{record:#}");
    }
    let talked = records
        .iter()
        .filter(|r| !r["recordings"].as_array().is_none_or(Vec::is_empty));
    println!("{} of 50 reached an agent", talked.count());
    nothing_stays_behind(&office, before.sockets);
    drop(agents);
}

#[test]
fn calls_cancelled_while_the_phone_rings_leave_nothing_behind() {
    let _turn = quiet::shared();
    let office = Office::open();
    let before = office.holdings();
    office.register(1006);
    let _callee = office
        .sipp("phone_answers", office.phone_address(1006))
        .set("phone", 1006)
        .set("ring_ms", 60_000)
        .set("talk_ms", 60_000)
        .steps(&[])
        .calls(1_000, 100, 10)
        .start();
    let instants = scattered(20, 1_200, 4);
    office
        .sipp("cancel", office.phone_address(1005))
        .set("number", 1006)
        .set("caller", 1005)
        .set("password", "tsunagu-1005")
        .set("branch", "z9hG4bKcancelled")
        .instants(&instants)
        .calls(20, 4, 8)
        .run(2 * wait::PATIENCE);
    for record in office.records(20) {
        assert_whole(&record, &office.recordings());
        assert_eq!(
            (&record["hung_up_by"], &record["sip"]),
            (&"caller".into(), &487.into()),
            "{record:#}"
        );
    }
    nothing_stays_behind(&office, before.sockets);
}

/// An agent's phone played by SIPp: answers after 400 ms and waits for the caller to hang up.
fn ringing_agent(office: &Office, number: u16) -> super::sipp::Running {
    office.register(number);
    let voice = super::story::voice(office.folder(), 880.0, 20.0);
    office
        .sipp("phone_answers", office.phone_address(number))
        .set("phone", number)
        .set("ring_ms", 400)
        .set("talk_ms", 60_000)
        .steps(&[super::sipp::Step::Play(&voice)])
        .calls(1_000, 100, 10)
        .start()
}

/// No live call, nobody in a queue, no agent taken, no unfinished file; and once the quarantine of
/// the ports is over, as many sockets as before the first call.
#[track_caller]
pub(crate) fn nothing_stays_behind(office: &Office, sockets: usize) {
    assert!(office.api.live_calls().is_empty());
    for queue in office.api.queues() {
        assert_eq!(queue["waiting"], 0, "{queue}");
    }
    for agent in office.api.agents() {
        assert!(agent["call"].is_null(), "{agent}");
    }
    let files = wav_files(office);
    let unfinished = |path: &&std::path::PathBuf| path.to_string_lossy().ends_with(".part");
    assert!(!files.iter().any(|path| unfinished(&path)), "{files:?}");
    wait::until_true(
        "all ports to be given back",
        QUARANTINE + wait::PATIENCE,
        || {
            // One connection of ours to the API may be open at either time.
            office.holdings().sockets <= sockets + 1
        },
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
