//! What a phone can reach by itself: services, other phones, hold, conferences; and TCP, the command
//! line, a clean end.

use rustix::process::Signal;

use super::address::STRANGER;
use super::capture_file::Stream;
use super::office::{MAIN_NUMBER, Office};
use super::phone::{Answering, Phone};
use super::record::{assert_whole, digits};
use super::sipp::Step;
use super::sound::{level_db, seconds_of, tone};
use super::story::assert_music;
use super::tap::{Heard, Tap};
use super::{quiet, wait};

#[test]
fn echo_tone_and_music_are_heard_by_number() {
    let _turn = quiet::shared();
    let office = Office::open();
    let tap = Tap::on(office.block);
    let echo = service(&office, &tap, "600", 6_000);
    assert!(seconds_of(&echo.samples, 440.0) > 1.5, "the echo of 440 Hz");
    let milliwatt = service(&office, &tap, "602", 6_100);
    assert!(level_db(&milliwatt.samples, 1_004.0) > -20.0, "1004 Hz");
    assert_eq!(milliwatt.sequence_breaks + milliwatt.timestamp_breaks, 0);
    let music = service(&office, &tap, "601", 6_200);
    assert_music(&music.samples);
    for record in office.records(3) {
        assert_whole(&record, &office.recordings());
        assert_eq!(record["direction"], "internal");
    }
}

#[test]
fn a_phone_calls_a_phone_and_holds_it_with_music() {
    let _turn = quiet::shared();
    let office = Office::open();
    let tap = Tap::on(office.block);
    let mut caller = office.phone(1005, Answering::Manual, &tone(440.0, 120.0));
    let mut callee = office.phone(1006, Answering::Auto, &tone(880.0, 120.0));
    caller.dial("1006");
    caller.event("CALL_ESTABLISHED");
    callee.event("CALL_ESTABLISHED");
    hears(&callee, 440.0);
    hears(&caller, 880.0);

    caller.hold();
    let now = || tap.heard_by(callee.address).samples;
    let held = now().len();
    wait::until_true("three seconds on hold", wait::PATIENCE, || {
        now().len() > held + 32_000
    });
    assert_music(&now()[held + 8_000..]);
    caller.resume();
    let before = seconds_of(&now(), 440.0);
    wait::until_true("the caller again", wait::PATIENCE, || {
        seconds_of(&now(), 440.0) > before + 1.0
    });
    caller.hang_up();
    callee.event("CALL_CLOSED");
    assert_whole(&office.records(1).remove(0), &office.recordings());
}

#[test]
fn three_phones_in_a_conference_each_hear_the_two_others() {
    let _turn = quiet::shared();
    let office = Office::open();
    // No sum or difference of two is the third, however a limiter bends them.
    let tones = [440.0, 620.0, 1_010.0];
    let mut phones: Vec<Phone> = (1005..)
        .zip(tones)
        .map(|(number, hz)| office.phone(number, Answering::Manual, &tone(hz, 120.0)))
        .collect();
    for phone in &mut phones {
        phone.dial("3000");
        phone.event("CALL_ESTABLISHED");
    }
    for (phone, own) in phones.iter().zip(tones) {
        for other in tones.into_iter().filter(|&other| other != own) {
            hears(phone, other);
        }
        let heard = phone.heard().pop().expect("one call");
        let level = level_db(last_second(&heard), own);
        assert!(level < -50.0, "{own} Hz hears himself at {level:.1} dB");
    }
    for phone in &mut phones {
        phone.hang_up();
        phone.event("CALL_CLOSED");
    }
    for record in office.records(3) {
        assert_whole(&record, &office.recordings());
    }
}

#[test]
fn a_call_over_tcp_with_awkward_digits_is_the_same_call() {
    let _turn = quiet::shared();
    let office = Office::open();
    let sound = office.folder().join("awkward.pcap");
    // Silence suppression, a digit nobody asked for, a long press; one packet in five is lost.
    Stream::new(17)
        .pause(500)
        .press('5', 60)
        .pause(300)
        .press('1', 2_000)
        .losing_one_in(5)
        .write(&sound);
    office
        .carrier("caller")
        .over_tcp()
        .steps(&[Step::Play(&sound)])
        .set("patience_ms", 6_000)
        .run(wait::PATIENCE);
    let record = office.records(1).remove(0);
    assert_whole(&record, &office.recordings());
    assert_eq!(digits(&record), "51", "{record:#}");
}

#[test]
fn the_command_line_tells_what_the_api_tells_and_the_switch_ends_cleanly() {
    let _turn = quiet::shared();
    let mut office = Office::open();
    office
        .carrier("caller")
        .steps(&[])
        .set("patience_ms", 1_000)
        .run(wait::PATIENCE);
    let record = office.records(1).remove(0);
    let id = record["id"].as_str().expect("an id");
    assert_eq!(office.api.call(id), record);
    for (arguments, words) in [
        (&["calls"][..], MAIN_NUMBER),
        (&["call", id], "flow main"),
        (&["call", "last"], id),
        (&["why", id], "no queue"),
        (&["agents"], "1001"),
        (&["queues"], "sales"),
        (&["reload"], "reloaded"),
    ] {
        let output = office.ask(arguments);
        assert!(
            output.contains(words),
            "{arguments:?}: no {words:?} in\n{output}"
        );
    }
    assert!(office.api.metric("tsunagu_calls_ended_total") >= 1.0);
    assert_eq!(office.api.metric("tsunagu_media_legs"), 0.0);
    let status = office.stop();
    assert!(status.success(), "{status}");
}

#[test]
fn a_switch_told_to_stop_lets_calls_end_and_takes_no_more() {
    let _turn = quiet::shared();
    let mut office = Office::open();
    let caller = office
        .carrier("caller")
        .steps(&[])
        .set("patience_ms", 6_000)
        .start();
    wait::until_true("a live call", wait::PATIENCE, || {
        !office.api.live_calls().is_empty()
    });
    office.signal(Signal::TERM);
    wait::until_true("the switch not to be ready", wait::PATIENCE, || {
        office
            .api
            .get("/health/ready")
            .is_some_and(|(status, _)| status == 503)
    });
    let late = office.block.at(STRANGER, 5_060);
    office
        .sipp("refused", late)
        .set("status", 503)
        .run(wait::PATIENCE);
    assert_eq!(office.api.live_calls().len(), 1, "the call goes on");
    caller.succeed(wait::PATIENCE);
    let status = office.ended();
    assert!(status.success(), "{status}");
    // What it wrote last is there for the next process.
    office.start();
    let record = office.records(1).remove(0);
    assert_whole(&record, &office.recordings());
    assert_eq!(record["hung_up_by"], "caller", "{record:#}");
}

/// A registered phone played by SIPp calls a service for three seconds; returns what it heard.
#[track_caller]
fn service(office: &Office, tap: &Tap, number: &str, media_port: u16) -> Heard {
    let voice = super::story::voice(office.folder(), 440.0, 10.0);
    let phone = office.phone_address(1007);
    office
        .sipp("phone_calls", phone)
        .media_port(media_port)
        .set("number", number)
        .set("caller", 1007)
        .set("password", "tsunagu-1007")
        .steps(&[Step::Play(&voice)])
        .set("patience_ms", 4_000)
        .run(wait::PATIENCE);
    tap.heard(|packet| packet.to.ip() == phone.ip() && packet.to.port() == media_port)
}

fn last_second(heard: &[i16]) -> &[i16] {
    &heard[heard.len().saturating_sub(8_000)..]
}

#[track_caller]
fn hears(phone: &Phone, hz: f64) {
    let what = format!("{hz} Hz at phone {}", phone.number);
    wait::until_true(&what, wait::PATIENCE, || {
        phone
            .heard()
            .last()
            .is_some_and(|heard| seconds_of(heard, hz) > 1.0)
    });
}
