//! Calls out by the trunk: 0 and the number, as the carrier sees them.

use serde_json::Value;

use super::address::CARRIER;
use super::office::Office;
use super::phone::{Answering, Phone};
use super::record::{assert_whole, list, stretches};
use super::sipp::{Running, Step};
use super::sound::{level_db, seconds_of, tone};
use super::story::voice;
use super::tap::Tap;
use super::{quiet, wait};

#[test]
fn a_phone_calls_out_by_the_trunk_and_both_hear_each_other() {
    let _turn = quiet::shared();
    let office = office_with_trunk();
    let tap = Tap::on(office.block);
    let carrier = carrier(&office, 60_000);
    let mut phone = office.phone(1_005, Answering::Manual, &tone(880.0, 60.0));
    phone.dial(DIALLED);
    phone.event("CALL_RINGING");
    phone.event("CALL_ESTABLISHED");
    listen_both_ways(&office, &tap, &phone);
    phone.hang_up();
    carrier.succeed(wait::PATIENCE);

    let invites = tap.sip_to(office.block.at(CARRIER, TRUNK_PORT), "INVITE sip:");
    let invite = invites.first().and_then(|packet| packet.sip());
    let invite = invite.expect("an INVITE on the trunk's wire");
    let line = |name: &str| {
        let found = invite.lines().find(|line| line.starts_with(name));
        found.unwrap_or_else(|| panic!("no {name} in {invite}"))
    };
    assert!(line("INVITE ").contains("sip:0398765432@"), "{invite}");
    assert!(line("To:").contains("sip:0398765432@"), "{invite}");
    assert!(line("From:").contains("sip:+81312345678@"), "{invite}");
    assert!(
        !invite.contains("1005"),
        "the inside stays inside: {invite}"
    );

    let record = judge(&office, "caller");
    let mut order = stretches(&record);
    order.retain(|name| *name != "set_up");
    assert_eq!(order, ["ring", "talk"], "{record:#}");
}

#[test]
fn the_far_end_of_an_outbound_call_hangs_up() {
    let _turn = quiet::shared();
    let office = office_with_trunk();
    let carrier = carrier(&office, 1_500);
    let mut phone = office.phone(1_005, Answering::Manual, &tone(880.0, 60.0));
    phone.dial(DIALLED);
    phone.event("CALL_ESTABLISHED");
    phone.event("CALL_CLOSED");
    carrier.succeed(wait::PATIENCE);
    judge(&office, "callee");
}

#[test]
fn a_busy_far_end_is_busy_for_the_phone() {
    let _turn = quiet::shared();
    let office = office_with_trunk();
    let carrier = office
        .sipp("phone_refuses", office.block.at(CARRIER, TRUNK_PORT))
        .set("status", "486 Busy Here")
        .start();
    let mut phone = office.phone(1_005, Answering::Manual, &tone(880.0, 60.0));
    phone.dial(DIALLED);
    let closed = phone.event("CALL_CLOSED");
    assert!(
        closed["param"]
            .as_str()
            .is_some_and(|why| why.contains("486")),
        "{closed}"
    );
    carrier.succeed(wait::PATIENCE);
    let record = office.records(1).remove(0);
    assert_whole(&record, &office.recordings());
    assert_eq!(
        (&record["sip"], &record["q850"]),
        (&486.into(), &17.into()),
        "{record:#}"
    );
    assert!(record["answered"].is_null(), "{record:#}");
}

/// The demo office with its trunk's far end in the scenario's stretch of loopback.
fn office_with_trunk() -> Office {
    let mut office = Office::prepare();
    let target = office.block.at(CARRIER, TRUNK_PORT).to_string();
    office.rewrite("trunks.toml", |text| {
        assert!(text.contains("127.0.0.1:5080"), "{text}");
        text.replace("127.0.0.1:5080", &target)
    });
    office.start();
    office
}

/// A far end that rings for a moment, answers, speaks 440 Hz and hangs up after `talk_ms`.
fn carrier(office: &Office, talk_ms: u32) -> Running {
    let voice = voice(office.folder(), 440.0, 60.0);
    office
        .sipp("phone_answers", office.block.at(CARRIER, TRUNK_PORT))
        .set("phone", "carrier")
        .set("ring_ms", 300)
        .set("talk_ms", talk_ms)
        .steps(&[Step::Play(&voice)])
        .start()
}

#[track_caller]
fn listen_both_ways(office: &Office, tap: &Tap, phone: &Phone) {
    let at_carrier = || tap.heard_at(office.block.at(CARRIER, 6_000)).samples;
    let at_phone = || phone.heard().pop().unwrap_or_default();
    wait::until_true("tones both ways", wait::PATIENCE, || {
        seconds_of(&at_phone(), 440.0) > 2.0 && seconds_of(&at_carrier(), 880.0) > 2.0
    });
    for (heard, other, own) in [(at_phone(), 440.0, 880.0), (at_carrier(), 880.0, 440.0)] {
        let last = &heard[heard.len() - 8_000..];
        assert!(level_db(last, other) > -12.0, "{other} Hz is heard");
        assert!(level_db(last, own) < -60.0, "{own} Hz comes back");
    }
}

#[track_caller]
fn judge(office: &Office, hung_up_by: &str) -> Value {
    let record = office.records(1).remove(0);
    assert_whole(&record, &office.recordings());
    assert_eq!(record["direction"], "outbound", "{record:#}");
    assert_eq!(record["hung_up_by"], hung_up_by, "{record:#}");
    assert_eq!((&record["sip"], &record["q850"]), (&200.into(), &16.into()));
    let legs = list(&record["legs"]);
    assert_eq!(legs.len(), 2, "{record:#}");
    assert_eq!(
        (&legs[0]["party"], &legs[0]["trunk"]),
        (&"1005".into(), &Value::Null)
    );
    assert_eq!(
        (&legs[1]["party"], &legs[1]["trunk"]),
        (&"0398765432".into(), &"demo".into())
    );
    record
}

/// The trunk's far end, as in the demo office.
const TRUNK_PORT: u16 = 5_080;
/// What the phone dials: 0, then a number in Tokyo.
const DIALLED: &str = "00398765432";
