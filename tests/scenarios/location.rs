//! Trunks by name: located by RFC 3263, and what becomes of a call when an address or a name server
//! fails. The far ends are SIPp, plain sockets that say nothing, and ports nobody has.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use serde_json::Value;

use super::address::{CARRIER, STRANGER};
use super::names::Names;
use super::office::Office;
use super::phone::{Answering, Phone};
use super::record::{assert_whole, list};
use super::sipp::Running;
use super::sound::tone;
use super::tap::Tap;
use super::{quiet, wait};

#[test]
fn a_trunk_is_located_by_naptr_and_srv_and_asked_for_once() {
    let _turn = quiet::shared();
    let (office, names) = office_at("sip:carrier.example", &full_zone);
    let tap = Tap::on(office.block);
    let mut phone = phone(&office);
    for _ in 0..2 {
        call_answered_at(&office, &mut phone, carrier_at(&office));
    }
    let invites = invites(&tap, carrier_at(&office));
    assert_eq!(invites.len(), 2);
    assert!(invites[0].starts_with("INVITE sip:0398765432@carrier.example SIP/2.0"));
    let mut asked = names.asked();
    asked.sort();
    let expected = [
        "_sip._udp.carrier.example SRV",
        "carrier.example NAPTR",
        "sbc.carrier.example A",
    ];
    assert_eq!(asked, expected);
    for record in office.records(2) {
        judge(&office, &record, 200);
    }
    assert!(office.api.metrics()["tsunagu_dns_questions_total"] >= 3.0);
}

#[test]
fn an_answer_cut_off_is_asked_for_again_over_tcp() {
    let _turn = quiet::shared();
    let (office, names) = office_at("sip:carrier.example", &full_zone);
    names.truncate();
    let mut phone = phone(&office);
    call_answered_at(&office, &mut phone, carrier_at(&office));
    assert!(names.over_tcp() >= 3, "{}", names.over_tcp());
}

#[test]
fn a_slow_name_server_delays_its_own_call_only() {
    let _turn = quiet::shared();
    let (office, names) = office_at("sip:carrier.example:5080", &plain_zone);
    names.slow_down(Duration::from_millis(400));
    let mut phone = phone(&office);
    call_answered_at(&office, &mut phone, carrier_at(&office));
}

#[test]
fn a_dead_name_server_holds_up_nobody_else() {
    let _turn = quiet::shared();
    let (office, names) = office_at("sip:carrier.example", &full_zone);
    names.fall_silent();
    let mut waiting = phone(&office);
    waiting.dial(DIALLED);
    wait::until_true("the question", wait::PATIENCE, || !names.asked().is_empty());
    // Meanwhile somebody calls by the other trunk, and is through before the first call fails.
    let carrier = answers(&office, second_at(&office));
    let mut other = office.phone(1_006, Answering::Manual, &tone(440.0, 60.0));
    other.dial(BY_SECOND);
    other.event("CALL_ESTABLISHED");
    other.hang_up();
    carrier.succeed(wait::PATIENCE);
    waiting.event("CALL_CLOSED");
    let records = office.records(2);
    let by = |from: &str| {
        let found = records.iter().find(|record| record["from"] == from);
        found.unwrap_or_else(|| panic!("no call from {from}: {records:#?}"))
    };
    let (dead, alive) = (by("1005"), by("1006"));
    judge(&office, dead, 480);
    judge(&office, alive, 200);
    assert!(
        alive["answered"].as_str() < dead["ended"].as_str(),
        "{records:#?}"
    );
    let leg = &list(&dead["legs"])[1];
    assert_eq!(leg["cause"]["sip"], 503, "{dead:#}");
    assert_eq!(
        leg["cause"]["words"], "not located: no name server answers",
        "{dead:#}"
    );
}

#[test]
fn a_name_that_does_not_exist_is_a_clear_failure() {
    let _turn = quiet::shared();
    let (office, names) = office_at("sip:nowhere.example", &full_zone);
    let mut phone = phone(&office);
    phone.dial(DIALLED);
    phone.event("CALL_CLOSED");
    let record = office.records(1).remove(0);
    judge(&office, &record, 480);
    let leg = &list(&record["legs"])[1];
    assert_eq!(
        leg["cause"]["words"], "not located: the name has no address",
        "{record:#}"
    );
    assert!(
        names.asked().contains(&"nowhere.example A".to_owned()),
        "{:?}",
        names.asked()
    );
}

#[test]
fn a_caller_who_gives_up_while_the_trunk_is_located_reaches_nobody() {
    let _turn = quiet::shared();
    let (office, names) = office_at("sip:carrier.example", &full_zone);
    let tap = Tap::on(office.block);
    names.slow_down(Duration::from_millis(1_500));
    let mut phone = phone(&office);
    phone.dial(DIALLED);
    wait::until_true("the question", wait::PATIENCE, || !names.asked().is_empty());
    phone.hang_up();
    let record = office.records(1).remove(0);
    judge(&office, &record, 487);
    assert_eq!(record["hung_up_by"], "caller", "{record:#}");
    assert!(invites(&tap, carrier_at(&office)).is_empty());
}

#[test]
fn records_whose_time_is_over_are_asked_for_again() {
    let _turn = quiet::shared();
    let (office, names) = office_at("sip:carrier.example:5080", &|office: &Office| {
        format!("carrier.example 1 A {}", carrier_at(office).ip())
    });
    let mut phone = phone(&office);
    call_answered_at(&office, &mut phone, carrier_at(&office));
    names.publish(&format!("carrier.example 60 A {}", second_at(&office).ip()));
    let asked = names.asked().len();
    // Nothing can be seen of a TTL that runs out.
    std::thread::sleep(Duration::from_millis(1_100));
    call_answered_at(&office, &mut phone, second_at(&office));
    assert!(names.asked().len() > asked);
}

#[test]
fn a_silent_address_is_left_for_the_next() {
    let _turn = quiet::shared();
    let (office, _names) = office_with(&plain_zone, |office| {
        let dead = office.block.at(40, 5_080);
        format!(
            "targets = [\"udp:{dead}\", \"udp:{}\"]\ntry_for = \"1s\"",
            carrier_at(office)
        )
    });
    let dead = office.block.at(40, 5_080);
    let _mute = UdpSocket::bind(dead).expect("a free address");
    let tap = Tap::on(office.block);
    let mut phone = phone(&office);
    call_answered_at(&office, &mut phone, carrier_at(&office));
    let first = invites(&tap, dead);
    let second = invites(&tap, carrier_at(&office));
    assert_eq!((first.len(), second.len()), (2, 1), "{first:?} {second:?}");
    let line = |message: &str, name: &str| {
        let found = message.lines().find(|line| line.starts_with(name));
        found
            .unwrap_or_else(|| panic!("no {name} in {message}"))
            .to_owned()
    };
    for same in ["Call-ID:", "CSeq:", "From:"] {
        assert_eq!(line(&first[0], same), line(&second[0], same));
    }
    assert_ne!(line(&first[0], "Via:"), line(&second[0], "Via:"));
    assert!(office.log().contains("target fails"));
    assert!(office.api.metrics()["tsunagu_sip_failovers_total"] >= 1.0);
    // The next call does not knock there first.
    call_answered_at(&office, &mut phone, carrier_at(&office));
    assert_eq!(invites(&tap, dead).len(), 2);
    assert_eq!(list(&office.records(2)[0]["legs"]).len(), 2);
}

#[test]
fn a_connection_refused_is_left_for_the_next() {
    let _turn = quiet::shared();
    let (office, _names) = office_with(&plain_zone, |office| {
        let closed = office.block.at(40, 5_080);
        format!(
            "targets = [\"tcp:{closed}\", \"udp:{}\"]",
            carrier_at(office)
        )
    });
    let mut phone = phone(&office);
    call_answered_at(&office, &mut phone, carrier_at(&office));
    let record = office.records(1).remove(0);
    judge(&office, &record, 200);
}

#[test]
fn a_503_is_left_for_the_next_and_its_pause_is_kept() {
    let _turn = quiet::shared();
    let (office, _names) = office_with(&plain_zone, |office| {
        let busy = office.block.at(40, 5_080);
        format!("targets = [\"udp:{busy}\", \"udp:{}\"]", carrier_at(office))
    });
    let busy = office.block.at(40, 5_080);
    let tap = Tap::on(office.block);
    let refuses = office
        .sipp("phone_refuses", busy)
        .set("status", "503 Service Unavailable\n      Retry-After: 120")
        .start();
    listens(busy);
    let mut phone = phone(&office);
    call_answered_at(&office, &mut phone, carrier_at(&office));
    refuses.succeed(wait::PATIENCE);
    call_answered_at(&office, &mut phone, carrier_at(&office));
    assert_eq!(invites(&tap, busy).len(), 1, "Retry-After is kept");
    assert_eq!(invites(&tap, carrier_at(&office)).len(), 2);
    assert!(office.api.metrics()["tsunagu_sip_targets_resting"] >= 1.0);
}

#[test]
fn when_every_address_fails_the_record_says_why() {
    let _turn = quiet::shared();
    let (office, _names) = office_with(&plain_zone, |office| {
        let (one, two) = (office.block.at(40, 5_080), office.block.at(41, 5_080));
        format!("targets = [\"tcp:{one}\", \"tcp:{two}\"]")
    });
    let mut phone = phone(&office);
    phone.dial(DIALLED);
    phone.event("CALL_CLOSED");
    let record = office.records(1).remove(0);
    judge(&office, &record, 480);
    let leg = &list(&record["legs"])[1];
    assert_eq!(
        (&leg["cause"]["sip"], &leg["cause"]["words"]),
        (&503.into(), &"cannot be reached".into()),
        "{record:#}"
    );
}

#[test]
fn srv_priorities_lead_from_one_host_to_the_other() {
    let _turn = quiet::shared();
    let (office, _names) = office_at("sip:carrier.example;transport=udp", &|office: &Office| {
        let (dead, alive) = (office.block.host(40), carrier_at(office).ip());
        format!(
            "_sip._udp.carrier.example 60 SRV 1 100 5080 dead.carrier.example
             _sip._udp.carrier.example 60 SRV 2 1 5080 alive.carrier.example
             dead.carrier.example 60 A {dead}
             alive.carrier.example 60 A {alive}"
        )
    });
    let dead = office.block.at(40, 5_080);
    let refuses = office
        .sipp("phone_refuses", dead)
        .set("status", "503 Service Unavailable")
        .start();
    listens(dead);
    let mut phone = phone(&office);
    call_answered_at(&office, &mut phone, carrier_at(&office));
    refuses.succeed(wait::PATIENCE);
}

#[test]
fn a_carrier_is_accepted_by_its_name() {
    let _turn = quiet::shared();
    let (office, names) = office_with(&plain_zone, |office| {
        format!("target = \"udp:{}\"", carrier_at(office))
    });
    office.rewrite("trunks.toml", |text| {
        text.replacen("[\"127.0.0.0/8\"]", "[\"carrier.example\"]", 1)
    });
    office.ask(&["reload"]);
    wait::until_true("the host to be looked up", wait::PATIENCE, || {
        names.asked().contains(&"carrier.example A".to_owned())
    });
    let stranger = office.block.at(STRANGER, 5_060);
    office
        .sipp("refused", stranger)
        .set("status", 401)
        .run(wait::PATIENCE);
    // Who is accepted is told that nobody has this number; a stranger is asked who he is.
    office
        .carrier("refused")
        .set("status", 404)
        .set("number", "+81355555555")
        .run(wait::PATIENCE);
}

/// A demo office whose trunk goes to `target`.
fn office_at(target: &str, zone: &dyn Fn(&Office) -> String) -> (Office, Names) {
    office_with(zone, |_| format!("target = \"{target}\""))
}

/// A demo office whose trunk has these targets, with a second trunk by address, and a name server.
fn office_with(
    zone: &dyn Fn(&Office) -> String,
    target: impl FnOnce(&Office) -> String,
) -> (Office, Names) {
    let mut office = Office::prepare();
    let names = Names::serve(office.block.at(53, 5_353), &zone(&office));
    let (server, target, second) = (names.address, target(&office), second_at(&office));
    office.rewrite("node.toml", |text| {
        let dns = format!("[sip.dns]\nservers = [\"{server}\"]\ntimeout = \"1s\"\n\n[media]");
        text.replacen("[media]", &dns, 1)
    });
    office.rewrite("trunks.toml", |text| {
        let target_line = text.lines().find(|line| line.starts_with("target"));
        let target_line = target_line.expect("the demo trunk's target").to_owned();
        let text = text.replace(&target_line, &target);
        format!(
            "{text}\n[[trunk]]\nname = \"second\"\naccept = [\"127.255.255.255\"]\n\
             target = \"udp:{second}\"\ncaller_id = \"+81312345678\"\n"
        )
    });
    office.rewrite("numbers.toml", |text| {
        format!("{text}\n[[outbound]]\nprefix = \"7\"\ntrunk = \"second\"\n")
    });
    office.start();
    (office, names)
}

fn full_zone(office: &Office) -> String {
    let carrier = carrier_at(office);
    format!(
        "carrier.example 60 NAPTR 10 10 s SIPS+D2T _sips._tcp.carrier.example
         carrier.example 60 NAPTR 20 10 s SIP+D2U _sip._udp.carrier.example
         _sip._udp.carrier.example 60 SRV 1 1 {} sbc.carrier.example
         sbc.carrier.example 60 A {}",
        carrier.port(),
        carrier.ip()
    )
}

fn plain_zone(office: &Office) -> String {
    format!("carrier.example 60 A {}", carrier_at(office).ip())
}

fn carrier_at(office: &Office) -> SocketAddr {
    office.block.at(CARRIER, 5_080)
}

fn second_at(office: &Office) -> SocketAddr {
    office.block.at(3, 5_080)
}

fn phone(office: &Office) -> Phone {
    office.phone(1_005, Answering::Manual, &tone(880.0, 60.0))
}

fn answers(office: &Office, at: SocketAddr) -> Running {
    let carrier = office
        .sipp("phone_answers", at)
        .set("phone", "carrier")
        .set("ring_ms", 50)
        .set("talk_ms", 20_000)
        .steps(&[])
        .start();
    listens(at);
    carrier
}

/// Waits until somebody has a UDP socket there: what comes before is lost, and repeated.
pub(crate) fn listens(at: SocketAddr) {
    let SocketAddr::V4(v4) = at else {
        panic!("scenarios are on IPv4");
    };
    let address = u32::from_ne_bytes(v4.ip().octets());
    let line = format!(" {address:08X}:{:04X} ", v4.port());
    wait::until_true("a socket", wait::PATIENCE, || {
        let sockets = std::fs::read_to_string("/proc/net/udp");
        sockets.is_ok_and(|sockets| sockets.contains(&line))
    });
}

/// A phone calls out, is answered at `at` and hangs up.
#[track_caller]
fn call_answered_at(office: &Office, phone: &mut Phone, at: SocketAddr) {
    let carrier = answers(office, at);
    phone.dial(DIALLED);
    phone.event("CALL_ESTABLISHED");
    phone.hang_up();
    carrier.succeed(wait::PATIENCE);
}

fn invites(tap: &Tap, at: SocketAddr) -> Vec<String> {
    let packets = tap.sip_to(at, "INVITE sip:");
    let texts = packets.iter().filter_map(|packet| packet.sip());
    texts.map(|text| text.to_owned()).collect()
}

#[track_caller]
fn judge(office: &Office, record: &Value, sip: u16) {
    assert_whole(record, &office.recordings());
    assert_eq!(record["sip"], sip, "{record:#}");
    assert!(list(&record["legs"])[1]["trunk"].is_string(), "{record:#}");
}

/// What the phone dials: 0, then a number in Tokyo; and the same by the second trunk.
const DIALLED: &str = "00398765432";
const BY_SECOND: &str = "70398765432";
