//! Phones that forward (302) and carriers that redirect: followed, passed on or refused.

use serde_json::Value;

use super::address::{CARRIER, SWITCH};
use super::office::Office;
use super::phone::{Answering, Phone};
use super::record::{assert_whole, list};
use super::sipp::Running;
use super::sound::tone;
use super::tap::Tap;
use super::{quiet, wait};

#[test]
fn a_phone_forwards_to_another_phone() {
    let _turn = quiet::shared();
    let office = office(|_| {});
    let _moved = moves(&office, 1_006, &[to(&office, "1007", "")]);
    let answers = answers(&office, 1_007);
    let mut phone = caller(&office);
    phone.dial("1006");
    phone.event("CALL_ESTABLISHED");
    phone.hang_up();
    answers.succeed(wait::PATIENCE);
    let record = judge(&office, 200);
    let legs = list(&record["legs"]);
    let of = |at: usize| (&legs[at]["party"], &legs[at]["cause"]["sip"]);
    assert_eq!(of(1), (&"1006".into(), &302.into()), "{record:#}");
    assert_eq!(of(2).0, "1007", "{record:#}");
    assert!(!legs[2]["answered"].is_null(), "{record:#}");
    let diverted = &list(&record["diversions"])[0];
    assert_eq!(
        (&diverted["by"], &diverted["reason"]),
        (&"1006".into(), &"deflection".into())
    );
}

#[test]
fn a_phone_forwards_to_a_number_outside_as_if_it_called_there() {
    let _turn = quiet::shared();
    let office = office(|_| {});
    let tap = Tap::on(office.block);
    let trunk = office.block.at(CARRIER, 5_080);
    let _moved = moves(&office, 1_006, &[to(&office, "00398765432", "")]);
    let carrier = office
        .sipp("phone_answers", trunk)
        .set("phone", "carrier")
        .set("ring_ms", 50)
        .set("talk_ms", 20_000)
        .steps(&[])
        .start();
    let mut phone = caller(&office);
    phone.dial("1006");
    phone.event("CALL_ESTABLISHED");
    phone.hang_up();
    carrier.succeed(wait::PATIENCE);
    let invites = tap.sip_to(trunk, "INVITE sip:0398765432@");
    assert_eq!(invites.len(), 1);
    let record = judge(&office, 200);
    assert_eq!(list(&record["legs"])[2]["trunk"], "demo", "{record:#}");
}

#[test]
fn phones_that_forward_to_each_other_end_the_call() {
    let _turn = quiet::shared();
    let office = office(|_| {});
    let _one = moves(&office, 1_006, &[to(&office, "1007", "")]);
    let _other = moves(&office, 1_007, &[to(&office, "1006", "")]);
    let mut phone = caller(&office);
    phone.dial("1006");
    phone.event("CALL_CLOSED");
    let record = judge(&office, 482);
    assert_eq!(list(&record["legs"]).len(), 3, "{record:#}");
}

#[test]
fn the_best_contact_is_rung_first_and_the_next_when_it_is_busy() {
    let _turn = quiet::shared();
    let office = office(|_| {});
    let contacts = [to(&office, "1008", ";q=0.3"), to(&office, "1007", ";q=0.8")];
    let _moved = moves(&office, 1_006, &contacts);
    let _busy = refuses(&office, 1_007, "486 Busy Here");
    let answers = answers(&office, 1_008);
    let mut phone = caller(&office);
    phone.dial("1006");
    phone.event("CALL_ESTABLISHED");
    phone.hang_up();
    answers.succeed(wait::PATIENCE);
    let record = judge(&office, 200);
    let rung = list(&record["legs"]).iter().skip(1);
    let rung: Vec<&str> = rung.filter_map(|leg| leg["party"].as_str()).collect();
    assert_eq!(rung, ["1006", "1007", "1008"], "{record:#}");
}

#[test]
fn a_foreign_host_is_not_called_unless_it_is_permitted() {
    let _turn = quiet::shared();
    let foreign = |office: &Office| office.block.at(40, 5_080);
    let contact = |office: &Office| format!("<sip:guest@{}>", foreign(office));
    let closed = office(|_| {});
    let tap = Tap::on(closed.block);
    let _moved = moves(&closed, 1_006, &[contact(&closed)]);
    let mut phone = caller(&closed);
    phone.dial("1006");
    phone.event("CALL_CLOSED");
    judge(&closed, 403);
    assert!(tap.sip_to(foreign(&closed), "INVITE").is_empty());

    let open = office(|office| {
        let host = foreign(office).ip();
        office.rewrite("node.toml", |text| {
            let domains = format!("[sip]\nredirect_domains = [\"{host}\"]\n");
            text.replacen("[sip]\n", &domains, 1)
        });
    });
    let _moved = moves(&open, 1_006, &[contact(&open)]);
    let guest = open
        .sipp("phone_answers", foreign(&open))
        .set("phone", "guest")
        .set("ring_ms", 50)
        .set("talk_ms", 20_000)
        .steps(&[])
        .start();
    let mut phone = caller(&open);
    phone.dial("1006");
    phone.event("CALL_ESTABLISHED");
    phone.hang_up();
    guest.succeed(wait::PATIENCE);
    judge(&open, 200);
}

#[test]
fn a_redirection_is_passed_to_the_caller_where_that_is_wished() {
    let _turn = quiet::shared();
    let office = office(|office| redirects(office, "pass"));
    let tap = Tap::on(office.block);
    let contact = to(&office, "1007", "");
    let _moved = moves(&office, 1_006, std::slice::from_ref(&contact));
    let mut phone = caller(&office);
    phone.dial("1006");
    wait::until_true("the 302 at the caller", wait::PATIENCE, || {
        let told = tap.sip_to(office.phone_address(1_005), "SIP/2.0 302");
        told.iter()
            .filter_map(|packet| packet.sip())
            .any(|text| text.contains(&contact))
    });
    // baresip follows it by itself: its second call is the second record.
    let records = office.records(2);
    let passed = records.iter().find(|record| record["sip"] == 302);
    let passed = passed.unwrap_or_else(|| panic!("{records:#?}"));
    assert_whole(passed, &office.recordings());
    assert_eq!(passed["hung_up_by"], "callee", "{passed:#}");
}

#[test]
fn a_redirection_is_refused_where_that_is_wished() {
    let _turn = quiet::shared();
    let office = office(|office| redirects(office, "refuse"));
    let _moved = moves(&office, 1_006, &[to(&office, "1007", "")]);
    let mut phone = caller(&office);
    phone.dial("1006");
    phone.event("CALL_CLOSED");
    let record = judge(&office, 480);
    assert_eq!(list(&record["legs"]).len(), 2, "{record:#}");
    assert_eq!(list(&record["legs"])[1]["cause"]["sip"], 302, "{record:#}");
}

#[test]
fn a_carriers_redirection_is_refused_by_itself() {
    let _turn = quiet::shared();
    let office = office(|_| {});
    let trunk = office.block.at(CARRIER, 5_080);
    let premium = to(&office, "00990123456", "");
    let _moved = office
        .sipp("phone_refuses", trunk)
        .set(
            "status",
            format!("302 Moved Temporarily\n      Contact: {premium}"),
        )
        .start();
    let mut phone = caller(&office);
    phone.dial("00398765432");
    phone.event("CALL_CLOSED");
    let record = judge(&office, 480);
    assert_eq!(list(&record["legs"]).len(), 2, "{record:#}");
}

/// A demo office with its trunk inside the scenario's stretch of loopback.
fn office(change: impl FnOnce(&mut Office)) -> Office {
    let mut office = Office::prepare();
    let target = office.block.at(CARRIER, 5_080).to_string();
    office.rewrite("trunks.toml", |text| {
        text.replace("127.0.0.1:5080", &target)
    });
    change(&mut office);
    office.start();
    office
}

/// What phone 1006 wishes to become of its redirections.
fn redirects(office: &Office, wish: &str) {
    office.rewrite("phones.toml", |text| {
        let number = "number = \"1006\"\n";
        text.replacen(number, &format!("{number}redirects = \"{wish}\"\n"), 1)
    });
}

fn caller(office: &Office) -> Phone {
    office.phone(1_005, Answering::Manual, &tone(880.0, 60.0))
}

/// A Contact at the switch.
fn to(office: &Office, number: &str, params: &str) -> String {
    format!("<sip:{number}@{}>{params}", office.block.at(SWITCH, 5_060))
}

fn moves(office: &Office, number: u16, contacts: &[String]) -> Running {
    let contacts = contacts.join(", ");
    refuses(
        office,
        number,
        &format!("302 Moved Temporarily\n      Contact: {contacts}"),
    )
}

fn refuses(office: &Office, number: u16, status: &str) -> Running {
    office.register(number);
    office
        .sipp("phone_refuses", office.phone_address(number))
        .set("status", status)
        .start()
}

fn answers(office: &Office, number: u16) -> Running {
    office.register(number);
    office
        .sipp("phone_answers", office.phone_address(number))
        .set("phone", number)
        .set("ring_ms", 50)
        .set("talk_ms", 20_000)
        .steps(&[])
        .start()
}

#[track_caller]
fn judge(office: &Office, sip: u16) -> Value {
    let record = office.records(1).remove(0);
    assert_whole(&record, &office.recordings());
    assert_eq!(record["sip"], sip, "{record:#}");
    record
}
