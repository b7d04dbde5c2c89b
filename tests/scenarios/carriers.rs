//! One scripted carrier a profile: it answers in the shape that profile is made for, and the trunk
//! test of the running switch must pass against it; against a broken one it must say what is
//! broken.

use std::process::Command;

use serde_json::Value;

use super::address::CARRIER;
use super::office::Office;
use super::phone::Answering;
use super::quiet;
use super::record::list;
use super::sipp::Running;
use super::sound::tone;
use super::tap::Tap;
use super::wait;

/// A carrier's shape, in SIPp's words.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) profile: &'static str,
    /// Further keys of the trunk.
    pub(crate) keys: &'static str,
    pub(crate) register: &'static str,
    pub(crate) challenge: &'static str,
    pub(crate) ring: &'static str,
    pub(crate) answer: &'static str,
    pub(crate) codec: u8,
    pub(crate) number: &'static str,
}

pub(crate) const GENERIC: Shape = Shape {
    profile: "generic",
    keys: "",
    register: REGISTERED,
    challenge: "",
    ring: PLAIN_RING,
    answer: "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE",
    codec: 0,
    number: "0312345678",
};

#[test]
fn generic_the_test_passes() {
    let _turn = quiet::shared();
    let office = office(&GENERIC);
    let _carrier = carrier(&office, &GENERIC);
    let report = passes(&office, &GENERIC);
    assert_eq!(outcome(&report, "registration"), "skipped");
    assert_eq!(outcome(&report, "PRACK"), "skipped");
}

#[test]
fn ntt_ngn_registers_without_password_and_follows_the_route_it_was_given() {
    let _turn = quiet::shared();
    let shape = Shape {
        profile: "ntt-ngn",
        keys: "user = \"0312345678\"\ndomain = \"ngn.example\"\n",
        register: NGN_REGISTERED,
        ring: RELIABLE_RING,
        answer: "Require: timer\n      Session-Expires: 300;refresher=uas\n      \
                 Supported: timer, 100rel",
        ..GENERIC
    };
    let office = office(&shape);
    let tap = Tap::on(office.block);
    let _carrier = carrier(&office, &shape);
    registered(&office);
    let report = passes(&office, &shape);
    for check in ["registration", "PRACK", "session timer"] {
        assert_eq!(outcome(&report, check), "passed", "{report:#}");
    }
    let register = first(&office, &tap, "REGISTER sip:");
    assert!(
        register.starts_with("REGISTER sip:ngn.example "),
        "{register}"
    );
    assert!(!register.contains("Authorization"), "{register}");
    assert!(!register.contains(";rport"), "{register}");
    let invite = first(&office, &tap, "INVITE sip:");
    let route = line(&invite, "Route:");
    assert!(
        route.contains("sip:path.ngn.example;lr"),
        "Path goes first: {invite}"
    );
    assert!(invite.contains("sip:service.ngn.example;lr"), "{invite}");
    assert!(!invite.contains("P-Asserted-Identity"), "{invite}");
    assert!(
        invite.contains("m=audio") && !invite.contains("PCMA"),
        "{invite}"
    );
    assert!(invite.contains("Session-Expires: 300"), "{invite}");
    let port = invite
        .split("m=audio ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next()?.parse::<u16>().ok());
    assert!(port.is_some_and(|port| port >= 49_152), "{invite}");
}

#[test]
fn twilio_gets_no_prack_and_one_call_a_second() {
    let _turn = quiet::shared();
    let shape = Shape {
        profile: "twilio",
        keys: "domain = \"office.pstn.example\"\n",
        answer: "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE\n      Supported: timer\n      \
                 Session-Expires: 1800;refresher=uac\n      Require: timer",
        number: "+81312345678",
        ..GENERIC
    };
    let office = office(&shape);
    let tap = Tap::on(office.block);
    let _carrier = carrier(&office, &shape);
    let report = passes(&office, &shape);
    assert_eq!(outcome(&report, "session timer"), "passed", "{report:#}");
    let invite = first(&office, &tap, "INVITE sip:");
    assert!(
        invite.starts_with("INVITE sip:+81312345678@office.pstn.example "),
        "{invite}"
    );
    assert!(!invite.contains("100rel"), "{invite}");
    assert!(invite.contains("Min-SE: 120"), "{invite}");
}

#[test]
fn telnyx_registers_with_a_password() {
    let _turn = quiet::shared();
    let shape = Shape {
        profile: "telnyx",
        keys: "user = \"office\"\npassword = \"env:CARRIER_PASSWORD\"\n\
               domain = \"sip.telnyx.example\"\n",
        register: DIGEST_REGISTERED,
        number: "+81312345678",
        ..GENERIC
    };
    let office = office(&shape);
    let tap = Tap::on(office.block);
    let _carrier = carrier(&office, &shape);
    registered(&office);
    let report = passes(&office, &shape);
    assert_eq!(outcome(&report, "registration"), "passed", "{report:#}");
    let registers = tap.sip_to(office.block.at(CARRIER, PORT), "REGISTER sip:");
    let proven = registers
        .iter()
        .filter_map(|packet| packet.sip())
        .any(|text| text.contains("Authorization: Digest username=\"office\""));
    assert!(proven, "a REGISTER with credentials");
}

#[test]
fn vonage_asks_for_a_password_at_each_invite() {
    let _turn = quiet::shared();
    let shape = Shape {
        profile: "vonage",
        keys: "user = \"office\"\npassword = \"env:CARRIER_PASSWORD\"\n\
               domain = \"sip.vonage.example\"\n",
        challenge: INVITE_CHALLENGE,
        codec: 8,
        number: "81312345678",
        ..GENERIC
    };
    let office = office(&shape);
    let tap = Tap::on(office.block);
    let _carrier = carrier(&office, &shape);
    passes(&office, &shape);
    let invites = tap.sip_to(office.block.at(CARRIER, PORT), "INVITE sip:");
    let proven = invites
        .iter()
        .filter_map(|packet| packet.sip())
        .any(|text| text.contains("Proxy-Authorization: Digest username=\"office\""));
    assert!(proven, "an INVITE with credentials");
}

#[test]
fn a_carrier_that_refuses_the_caller_id_is_named() {
    let _turn = quiet::shared();
    let shape = Shape {
        challenge: REFUSED,
        ..GENERIC
    };
    let office = office(&shape);
    let _carrier = carrier(&office, &shape);
    let (passed, report) = test(&office, shape.number);
    assert!(!passed, "{report:#}");
    assert_eq!(outcome(&report, "call"), "failed", "{report:#}");
    assert!(report.to_string().contains("403"), "{report:#}");
}

#[test]
fn a_carrier_without_audio_is_named() {
    let _turn = quiet::shared();
    let office = office(&GENERIC);
    let carrier = double(&office, &GENERIC).start();
    let (passed, report) = test(&office, GENERIC.number);
    drop(carrier);
    assert!(!passed, "{report:#}");
    assert_eq!(outcome(&report, "call"), "passed", "{report:#}");
    assert_eq!(outcome(&report, "two-way audio"), "failed", "{report:#}");
    assert_eq!(outcome(&report, "keys"), "failed", "{report:#}");
}

#[test]
fn the_next_trunk_is_tried_when_one_cannot_carry_the_call() {
    let _turn = quiet::shared();
    let office = two_trunks();
    let first = refusing(&office, "503 Service Unavailable\n      Retry-After: 60");
    let second = office
        .sipp("phone_answers", office.block.at(SECOND, PORT))
        .set("phone", "carrier")
        .set("ring_ms", 100)
        .set("talk_ms", 500)
        .steps(&[])
        .start();
    let mut phone = office.phone(1_005, Answering::Manual, &tone(880.0, 30.0));
    phone.dial("00398765432");
    phone.event("CALL_ESTABLISHED");
    phone.event("CALL_CLOSED");
    second.succeed(wait::PATIENCE);
    first.succeed(wait::PATIENCE);
    let record = office.records(1).remove(0);
    let trunks: Vec<&Value> = list(&record["legs"])
        .iter()
        .map(|leg| &leg["trunk"])
        .collect();
    assert_eq!(trunks, [&Value::Null, &"demo".into(), &"second".into()]);
    let trunks = office.api.json("/v1/trunks");
    assert!(trunks["trunks"][0]["rests_until"].is_number(), "{trunks:#}");
}

#[test]
fn a_busy_callee_is_not_rung_by_another_trunk() {
    let _turn = quiet::shared();
    let office = two_trunks();
    let tap = Tap::on(office.block);
    let first = refusing(&office, "486 Busy Here");
    let mut phone = office.phone(1_005, Answering::Manual, &tone(880.0, 30.0));
    phone.dial("00398765432");
    phone.event("CALL_CLOSED");
    first.succeed(wait::PATIENCE);
    let second = tap.sip_to(office.block.at(SECOND, PORT), "INVITE sip:");
    assert!(second.is_empty(), "one callee, one verdict");
}

/// The demo office with a way out by two trunks.
fn two_trunks() -> Office {
    let mut office = Office::prepare();
    let trunk = |name: &str, host| {
        let target = office.block.at(host, PORT);
        format!(
            "[[trunk]]\nname = \"{name}\"\naccept = [\"{}\"]\ntarget = \"udp:{target}\"\n\
             caller_id = \"+81312345678\"\n",
            target.ip()
        )
    };
    let trunks = trunk("demo", CARRIER) + &trunk("second", SECOND);
    office.rewrite("trunks.toml", |_| trunks);
    office.rewrite("numbers.toml", |text| {
        let one = "out; of several prefixes the longest wins\ntrunk = \"demo\"";
        assert!(text.contains(one), "{text}");
        text.replace(one, "out\ntrunks = [\"demo\", \"second\"]")
    });
    office.start();
    office
}

fn refusing(office: &Office, status: &str) -> Running {
    office
        .sipp("phone_refuses", office.block.at(CARRIER, PORT))
        .set("status", status)
        .start()
}

/// The demo office whose trunk is the carrier.
pub(crate) fn office(shape: &Shape) -> Office {
    let mut office = Office::prepare();
    let carrier = office.block.at(CARRIER, PORT);
    office.rewrite("trunks.toml", |_| {
        format!(
            "[[trunk]]\nname = \"demo\"\nprofile = \"{}\"\naccept = [\"{}\"]\n\
             target = \"udp:{carrier}\"\ncaller_id = \"+81312345678\"\nqualify = \"1s\"\n{}",
            shape.profile,
            carrier.ip(),
            shape.keys
        )
    });
    office.set("TSUNAGU_MEDIA_PORTS", "49152-52000");
    office.set("CARRIER_PASSWORD", "secret");
    office.start();
    office
}

fn double(office: &Office, shape: &Shape) -> super::sipp::Sipp {
    office
        .sipp("carrier", office.block.at(CARRIER, PORT))
        .set("challenge", shape.challenge)
        .set("ring", shape.ring)
        .set("answer", shape.answer)
        .set("codec", shape.codec)
        .set("register", shape.register)
        // Every REGISTER and OPTIONS is a call to SIPp.
        .calls(10_000, 100, 100)
}

/// A carrier that sends back what it hears.
pub(crate) fn carrier(office: &Office, shape: &Shape) -> Running {
    double(office, shape).echoing().start()
}

/// Runs the trunk test, which must pass, and gives its report.
#[track_caller]
fn passes(office: &Office, shape: &Shape) -> Value {
    let (passed, report) = test(office, shape.number);
    assert!(passed, "{report:#}");
    for check in ["call", "two-way audio", "keys"] {
        assert_eq!(outcome(&report, check), "passed", "{report:#}");
    }
    let trunks = office.api.json("/v1/trunks");
    let trunk = &list(&trunks["trunks"])[0];
    assert_eq!(trunk["figures"]["by_status"]["200"], 1, "{trunks:#}");
    wait::until_true("the target to be up", wait::PATIENCE, || {
        let trunks = office.api.json("/v1/trunks");
        trunks["trunks"][0]["targets"][0]["up"] == true
    });
    report
}

/// Whether `tsunagu trunk test` says that all is well, and its report.
#[track_caller]
pub(crate) fn test(office: &Office, number: &str) -> (bool, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_tsunagu"))
        .args(["trunk", "test", "demo", "--number", number, "--json"])
        .args(["--url", &office.api.base])
        .output()
        .expect("the binary under test");
    let text = String::from_utf8_lossy(&output.stdout);
    let report = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.success(), report)
}

#[track_caller]
pub(crate) fn outcome(report: &Value, check: &str) -> String {
    let rows = list(&report["rows"]);
    let row = rows.iter().find(|row| row["check"] == check);
    let row = row.unwrap_or_else(|| panic!("no row {check} in {report:#}"));
    row["outcome"].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn registered(office: &Office) {
    wait::until_true("the registration", wait::PATIENCE, || {
        office.api.json("/v1/trunks")["trunks"][0]["registered"] == 1
    });
}

#[track_caller]
fn first(office: &Office, tap: &Tap, begins: &str) -> String {
    let packets = tap.sip_to(office.block.at(CARRIER, PORT), begins);
    let text = packets.first().and_then(|packet| packet.sip());
    text.unwrap_or_else(|| panic!("no {begins} on the wire"))
        .to_owned()
}

#[track_caller]
fn line<'t>(message: &'t str, name: &str) -> &'t str {
    let found = message.lines().find(|line| line.starts_with(name));
    found.unwrap_or_else(|| panic!("no {name} in {message}"))
}

/// Host of the second carrier.
const SECOND: u8 = 3;
/// Where the carrier is.
pub(crate) const PORT: u16 = 5_060;

const PLAIN_RING: &str = "  <send><![CDATA[

      SIP/2.0 180 Ringing
      Via:[$via]
      [last_From:]
      [last_To:];tag=[pid]carrier[call_number]
      [last_Call-ID:]
      CSeq:[$cseq]
      Contact: <sip:carrier@[local_ip]:[local_port]>
      Content-Length: 0

    ]]></send>";

const RELIABLE_RING: &str = "  <send retrans=\"500\"><![CDATA[

      SIP/2.0 180 Ringing
      Via:[$via]
      [last_From:]
      [last_To:];tag=[pid]carrier[call_number]
      [last_Call-ID:]
      CSeq:[$cseq]
      Require: 100rel
      RSeq: 1
      Allow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE
      Contact: <sip:carrier@[local_ip]:[local_port]>
      Content-Length: 0

    ]]></send>
  <recv request=\"PRACK\"/>
  <send><![CDATA[

      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0

    ]]></send>";

const INVITE_CHALLENGE: &str = "  <send retrans=\"500\"><![CDATA[

      SIP/2.0 407 Proxy Authentication Required
      Via:[$via]
      [last_From:]
      [last_To:];tag=[pid]challenge[call_number]
      [last_Call-ID:]
      CSeq:[$cseq]
      Proxy-Authenticate: Digest realm=\"sip.vonage.example\", nonce=\"n[call_number]\", qop=\"auth\"
      Content-Length: 0

    ]]></send>
  <recv request=\"ACK\"/>
  <recv request=\"INVITE\">
    <action>
      <ereg regexp=\".*\" search_in=\"hdr\" header=\"Via:\" assign_to=\"via\"/>
      <ereg regexp=\".*\" search_in=\"hdr\" header=\"CSeq:\" assign_to=\"cseq\"/>
    </action>
  </recv>";

const REFUSED: &str = "  <send retrans=\"500\"><![CDATA[

      SIP/2.0 403 Caller Origination Number is Invalid D35
      Via:[$via]
      [last_From:]
      [last_To:];tag=[pid]refused[call_number]
      [last_Call-ID:]
      CSeq:[$cseq]
      Content-Length: 0

    ]]></send>
  <recv request=\"ACK\" next=\"over\"/>";

const REGISTERED: &str = "  <send><![CDATA[

      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]registrar[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      [last_Contact:]
      Content-Length: 0

    ]]></send>";

pub(crate) const NGN_REGISTERED: &str = "  <send><![CDATA[

      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]registrar[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      [last_Contact:]
      Path: <sip:path.ngn.example;lr>
      Service-Route: <sip:service.ngn.example;lr>
      Content-Length: 0

    ]]></send>";

const DIGEST_REGISTERED: &str = "  <send><![CDATA[

      SIP/2.0 401 Unauthorized
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]challenge[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      WWW-Authenticate: Digest realm=\"sip.telnyx.example\", nonce=\"r[call_number]\", qop=\"auth\"
      Content-Length: 0

    ]]></send>
  <recv request=\"REGISTER\"/>
  <send><![CDATA[

      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]registrar[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      [last_Contact:]
      Content-Length: 0

    ]]></send>";
