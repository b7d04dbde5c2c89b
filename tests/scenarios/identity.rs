//! Who calls: what carriers and phones say of it, what is believed, what is shown, and what is
//! refused before it leaves the house. No call is answered here: who calls is settled by then.

use std::net::SocketAddr;

use serde_json::Value;

use super::address::{CARRIER, PHONES};
use super::office::Office;
use super::record::{assert_whole, list};
use super::sipp::{Running, Step};
use super::tap::Tap;
use super::{quiet, wait};

#[test]
fn a_number_of_ones_own_is_shown_as_the_trunk_wants_it() {
    let _turn = quiet::shared();
    let scene = Scene::open(
        "trusted = true\nassert = \"pai\"\ncaller_format = \"national\"\n\
         called_format = \"international\"\n",
        "",
    );
    let ppi = "P-Preferred-Identity: <sip:0312345679@office>";
    let invite = scene.goes_out("00398765432", ppi);
    assert!(invite.starts_with("INVITE sip:81398765432@"), "{invite}");
    assert!(
        line(&invite, "From:").contains("<sip:0312345679@"),
        "{invite}"
    );
    let asserted = line(&invite, "P-Asserted-Identity:");
    assert!(asserted.contains("<sip:0312345679@"), "{invite}");
    let record = scene.record();
    assert_eq!(record["to"], "+81398765432", "{record:#}");
    assert_eq!(record["to_raw"], "00398765432", "{record:#}");
    assert_eq!(record["shown"], "+81312345679", "{record:#}");
    assert_eq!(record["withheld"], false, "{record:#}");
    assert_eq!(
        checks(&record),
        [
            ("number", true),
            ("caller_id.chosen", true),
            ("caller_id.permitted", true),
            ("caller_id.owned", true)
        ]
    );
}

#[test]
fn a_number_of_others_is_refused_before_any_invite() {
    let _turn = quiet::shared();
    for (wanted, code, other_side) in [
        (
            "+81455550000",
            "caller_id.not_permitted",
            "it may show +81312345678",
        ),
        (
            "+81312345680",
            "caller_id.not_owned",
            "trunk demo owns +81312345678",
        ),
    ] {
        let scene = Scene::open("", "\"+81312345680\"");
        let ppi = format!("P-Preferred-Identity: <sip:{wanted}@office>");
        let refusal = scene.is_refused("00398765432", "<sip:1005@office>", &ppi);
        let warnings: Vec<&str> = lines(&refusal, "Warning:").collect();
        assert_eq!(warnings.len(), 2, "English and Japanese: {refusal}");
        assert!(warnings[0].contains(code), "{refusal}");
        assert!(warnings[0].contains("phone 1005"), "{refusal}");
        assert!(warnings[0].contains(other_side), "{refusal}");
        assert!(warnings[1].contains("内線1005"), "{refusal}");
        assert!(line(&refusal, "Reason:").contains(code), "{refusal}");
        assert_eq!(scene.invites_at_carrier(), 0);

        let record = scene.record();
        assert_eq!(
            (&record["sip"], &record["hung_up_by"]),
            (&403.into(), &"switch".into())
        );
        assert_eq!(list(&record["legs"]).len(), 1, "{record:#}");
        let last = list(&record["checks"]).last().expect("checks");
        assert_eq!(
            (&last["passed"], &last["code"]),
            (&false.into(), &code.into())
        );
        let told = scene.office.ask(&["call", "last"]);
        assert!(told.contains(code) && told.contains("Checks"), "{told}");
        let marked = told
            .lines()
            .find(|line| line.contains('✗'))
            .expect("a mark");
        assert!(marked.contains(other_side), "{told}");
    }
}

#[test]
fn a_phone_that_says_it_is_another_is_refused() {
    let _turn = quiet::shared();
    for (from, headers) in [
        ("<sip:1006@office>", "X-Nothing: here"),
        (
            "<sip:1005@office>",
            "P-Preferred-Identity: <sip:1006@office>",
        ),
    ] {
        let scene = Scene::open("", "");
        let refusal = scene.is_refused("1006", from, headers);
        let warning = line(&refusal, "Warning:");
        assert!(warning.contains("caller_id.other_identity"), "{refusal}");
        assert!(scene.office.api.calls().is_empty());
    }
}

#[test]
fn a_withheld_number_is_told_to_a_trusted_carrier_and_to_no_other() {
    let _turn = quiet::shared();
    for (trusted, asserted) in [(true, 1), (false, 0)] {
        let scene = Scene::open(&format!("trusted = {trusted}\nassert = \"pai\"\n"), "");
        let invite = scene.goes_out("00398765432", "Privacy: id");
        let from = line(&invite, "From:");
        assert!(
            from.contains("\"Anonymous\" <sip:anonymous@anonymous.invalid>"),
            "{invite}"
        );
        assert_eq!(line(&invite, "Privacy:").trim(), "Privacy: id");
        assert_eq!(lines(&invite, "P-Asserted-Identity:").count(), asserted);
        assert_eq!(invite.matches("312345678").count(), asserted, "{invite}");
        let record = scene.record();
        assert_eq!(
            (&record["withheld"], &record["from"]),
            (&true.into(), &"1005".into())
        );
    }
}

#[test]
fn a_prefix_withholds_the_number_of_one_call() {
    let _turn = quiet::shared();
    let scene = Scene::open("trusted = true\nassert = \"ppi\"\n", "");
    let invite = scene.goes_out("01840398765432", "X-Nothing: here");
    assert!(invite.starts_with("INVITE sip:0398765432@"), "{invite}");
    assert!(
        line(&invite, "From:").contains("anonymous.invalid"),
        "{invite}"
    );
    assert!(line(&invite, "Privacy:").contains("id"), "{invite}");
    assert!(
        line(&invite, "P-Preferred-Identity:").contains("+81312345678"),
        "{invite}"
    );
    assert_eq!(scene.record()["to"], "+81398765432");

    let by_prefix = Scene::open("withhold = \"prefix\"\n", "");
    let invite = by_prefix.goes_out("00398765432", "Privacy: id");
    assert!(invite.starts_with("INVITE sip:1840398765432@"), "{invite}");
    assert_eq!(lines(&invite, "Privacy:").count(), 0, "{invite}");
}

#[test]
fn a_call_for_help_goes_out_past_every_limit_with_the_offices_number() {
    let _turn = quiet::shared();
    let mut scene = Scene::prepare("max_calls = 1\n", "");
    scene.office.set("TSUNAGU_MAX_CALLS", 1);
    scene.office.set("TSUNAGU_SITE_CALLER_ID", "+81312345600");
    scene.office.start();
    let busy = scene
        .office
        .sipp("phone_calls", scene.office.block.at(PHONES + 6, 5_060))
        .set("caller", 1007)
        .set("password", "tsunagu-1007")
        .set("number", 600)
        .set("patience_ms", 20_000)
        .steps(&[Step::Pause(10)])
        .start();
    wait::until_true("a call that fills the house", wait::PATIENCE, || {
        scene.office.api.live_calls().len() == 1
    });
    // An ordinary call finds the house full.
    scene
        .office
        .sipp("refused", scene.office.phone_address(1_005))
        .set("number", "00398765432")
        .set("caller", 1005)
        .set("status", 503)
        .run(wait::PATIENCE);
    let carrier = scene.carrier();
    scene
        .phone(
            "119",
            "<sip:1005@office>",
            "P-Preferred-Identity: <sip:+81455550000@office>\n      Privacy: id",
        )
        .set("status", 486)
        .run(wait::PATIENCE);
    carrier.succeed(wait::PATIENCE);
    let invite = scene.invite_at_carrier();
    assert!(invite.starts_with("INVITE sip:119@"), "{invite}");
    assert!(
        line(&invite, "From:").contains("<sip:+81312345600@"),
        "{invite}"
    );
    assert_eq!(lines(&invite, "Privacy:").count(), 0, "{invite}");
    drop(busy);
}

#[test]
fn who_calls_is_what_a_trusted_carrier_asserts() {
    let _turn = quiet::shared();
    let pai = "P-Asserted-Identity: \"Real\" <sip:0451112222@ngn>, <tel:+81451112222>";
    for (trusted, from, name) in [
        (true, "+81451112222", "Real"),
        (false, "+819012345678", "Claimed"),
    ] {
        let scene = Scene::open(&format!("trusted = {trusted}\n"), "");
        scene.comes_in("0312345678", "\"Claimed\" <sip:09012345678@x>", pai, 480);
        let record = scene.record();
        assert_eq!(record["from"], from, "{record:#}");
        assert_eq!(record["from_name"], name, "{record:#}");
        assert_eq!(record["to"], "+81312345678", "{record:#}");
        assert!(
            scene
                .at_phone()
                .contains(&format!("\"{name}\" <sip:{from}@"))
        );
    }
}

#[test]
fn a_number_that_is_withheld_from_us_is_kept_from_phones_without_the_right() {
    let _turn = quiet::shared();
    for (rights, is_shown) in [("", false), ("sees_withheld = true\n", true)] {
        let mut scene = Scene::prepare("trusted = true\n", "");
        scene.of_phone(rights);
        scene.office.start();
        let headers = "P-Asserted-Identity: <tel:+81451112222>\n      Privacy: id";
        let from = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
        scene.comes_in("0312345678", from, headers, 480);
        let invite = scene.at_phone();
        assert_eq!(invite.contains("anonymous.invalid"), !is_shown, "{invite}");
        assert_eq!(invite.contains("451112222"), is_shown, "{invite}");
        assert!(line(&invite, "Privacy:").contains("id"), "{invite}");
        let record = scene.record();
        assert_eq!(record["from"], "anonymous", "{record:#}");
        assert_eq!(record["asserted"], "+81451112222", "{record:#}");
        assert_eq!(record["withheld"], true, "{record:#}");
    }
}

#[test]
fn p_called_party_id_chooses_the_number() {
    let _turn = quiet::shared();
    let looks = "dialled_from = [\"p-called-party-id\", \"to\"]\n";
    let called = "P-Called-Party-ID: <sip:0312345678@ngn;user=phone>";
    let scene = Scene::open(&format!("trusted = true\n{looks}"), "");
    scene.comes_in("81300000000", "<sip:09012345678@x>", called, 480);
    assert_eq!(scene.record()["to"], "+81312345678");
    // Who is not trusted is looked up by To, which is nobody's number here.
    let scene = Scene::open(looks, "");
    scene.comes_in("81300000000", "<sip:09012345678@x>", called, 404);
    assert!(scene.office.api.calls().is_empty());
}

#[test]
fn who_sent_a_call_on_is_read_and_told_on() {
    let _turn = quiet::shared();
    let told = "Diversion: <sip:0311112222@ngn>;reason=user-busy;counter=1";
    let scene = Scene::prepare(
        "trusted = true\nforwarding = \"both\"\ncaller_format = \"national\"\n",
        "",
    );
    let scene = scene.sending_on("00398765432");
    let carrier = scene.carrier();
    scene.comes_in_from("0312345678", "<sip:09012345678@x>", told, 480);
    carrier.succeed(wait::PATIENCE);
    let invite = scene.invite_at_carrier();
    let diversions: Vec<&str> = lines(&invite, "Diversion:").collect();
    assert_eq!(diversions.len(), 2, "{invite}");
    assert!(diversions[0].contains("<sip:0312345678@"), "{invite}");
    assert!(diversions[0].contains("reason=unconditional"), "{invite}");
    assert!(diversions[1].contains("<sip:0311112222@"), "{invite}");
    assert!(diversions[1].contains("reason=user-busy"), "{invite}");
    assert_eq!(lines(&invite, "History-Info:").count(), 3, "{invite}");
    // The caller's number is not ours to show.
    assert!(!invite.contains("9012345678"), "{invite}");
    let record = scene.record();
    let by: Vec<_> = list(&record["diversions"])
        .iter()
        .map(|one| (one["by"].as_str(), one["reason"].as_str()))
        .collect();
    assert_eq!(
        by,
        [
            (Some("+81311112222"), Some("user-busy")),
            (Some("+81312345678"), Some("unconditional"))
        ]
    );
}

#[test]
fn a_name_cannot_smuggle_a_header() {
    let _turn = quiet::shared();
    let scene = Scene::open("", "");
    // Quotation marks, brackets, commas, and line breaks as escapes.
    let from = "\"x\\\" <sip:evil@evil>, Via: SIP/2.0/UDP evil;branch=z9hG4bKevil \
                %0d%0aX-Evil: 1\" <sip:0901%0D%0AX-Evil:1@x>";
    scene.comes_in("0312345678", from, "X-Nothing: here", 480);
    let invite = scene.at_phone();
    assert_eq!(lines(&invite, "Via:").count(), 1, "{invite}");
    assert_eq!(lines(&invite, "X-Evil:").count(), 0, "{invite}");
    assert_eq!(lines(&invite, "From:").count(), 1, "{invite}");
    assert!(!line(&invite, "Via:").contains("evil"), "{invite}");
    assert_whole(&scene.record(), &scene.office.recordings());
}

/// An office in Tokyo with a carrier at its own address, and phone 1005 behind the main number.
struct Scene {
    office: Office,
    tap: Tap,
}

impl Scene {
    /// With these lines of the trunk, and more numbers that phone 1005 may show.
    fn open(trunk: &str, more_ids: &str) -> Self {
        let mut scene = Self::prepare(trunk, more_ids);
        scene.office.start();
        scene
    }

    fn prepare(trunk: &str, more_ids: &str) -> Self {
        let office = Office::prepare();
        let carrier = office.block.at(CARRIER, TRUNK_PORT);
        let text = format!(
            "[[trunk]]\nname = \"demo\"\naccept = [\"{}\"]\ntarget = \"udp:{carrier}\"\n\
             caller_id = \"+81312345678\"\ncaller_ids = [\"+81312345678..+81312345679\"]\n{trunk}",
            carrier.ip()
        );
        office.rewrite("trunks.toml", |_| text);
        office.rewrite("flows/main.toml", |_| flow("1005"));
        let scene = Self {
            tap: Tap::on(office.block),
            office,
        };
        let comma = if more_ids.is_empty() { "" } else { ", " };
        scene.of_phone(&format!(
            "caller_ids = [\"+81312345678\", \"+81312345679\"{comma}{more_ids}]\n"
        ));
        scene
    }

    /// More lines of phone 1005.
    fn of_phone(&self, lines: &str) {
        self.office.rewrite("phones.toml", |text| {
            assert!(text.contains("number = \"1005\"\n"), "{text}");
            text.replace(
                "number = \"1005\"\n",
                &format!("number = \"1005\"\n{lines}"),
            )
        });
    }

    /// The main number's calls are sent on to `number`.
    fn sending_on(mut self, number: &str) -> Self {
        self.office.rewrite("flows/main.toml", |_| flow(number));
        self.office.start();
        self
    }

    /// A far end on the trunk that is busy.
    fn carrier(&self) -> Running {
        let at = self.office.block.at(CARRIER, TRUNK_PORT);
        let carrier = self.office.sipp("phone_refuses", at).media_port(6_100);
        carrier.set("status", "486 Busy Here").start()
    }

    /// Phone 1005 dials.
    fn phone(&self, number: &str, from: &str, headers: &str) -> super::sipp::Sipp {
        self.office
            .sipp("identity_phone", self.office.phone_address(1_005))
            .set("phone", 1005)
            .set("number", number)
            .set("to", number)
            .set("from", from)
            .set("headers", headers)
            .set("payloads", "0")
    }

    /// Phone 1005 dials, and the carrier is busy: the INVITE it got.
    fn goes_out(&self, number: &str, headers: &str) -> String {
        let carrier = self.carrier();
        let phone = self.phone(number, "<sip:1005@office>", headers);
        phone.set("status", 486).run(wait::PATIENCE);
        carrier.succeed(wait::PATIENCE);
        self.invite_at_carrier()
    }

    /// Phone 1005 dials and is refused: the refusal.
    fn is_refused(&self, number: &str, from: &str, headers: &str) -> String {
        let phone = self.phone(number, from, headers);
        phone.set("status", 403).run(wait::PATIENCE);
        let to = self.office.phone_address(1_005);
        self.seen(to, "SIP/2.0 403")
    }

    /// The carrier calls the main number by way of phone 1005, which is busy.
    fn comes_in(&self, number: &str, from: &str, headers: &str, status: u16) {
        let phone = (status != 404).then(|| {
            self.office.register(1_005);
            let phone = self
                .office
                .sipp("phone_refuses", self.office.phone_address(1_005));
            phone.set("status", "486 Busy Here").start()
        });
        self.comes_in_from(number, from, headers, status);
        if let Some(phone) = phone {
            phone.succeed(wait::PATIENCE);
        }
    }

    /// The carrier calls.
    fn comes_in_from(&self, number: &str, from: &str, headers: &str, status: u16) {
        self.office
            .carrier("identity_trunk")
            .set("number", number)
            .set("to", number)
            .set("from", from)
            .set("headers", headers)
            .set("status", status)
            .set("payloads", "0")
            .run(wait::PATIENCE);
    }

    fn invites_at_carrier(&self) -> usize {
        let at = self.office.block.at(CARRIER, TRUNK_PORT);
        self.tap.sip_to(at, "INVITE sip:").len()
    }

    fn invite_at_carrier(&self) -> String {
        let at = self.office.block.at(CARRIER, TRUNK_PORT);
        self.seen(at, "INVITE sip:")
    }

    /// The INVITE that phone 1005 got.
    fn at_phone(&self) -> String {
        let at = self.office.phone_address(1_005);
        self.seen(at, "INVITE sip:")
    }

    /// The first message to `at` with these words. The tap may be behind those who talk; what it
    /// has not seen by then did not come before.
    fn seen(&self, at: SocketAddr, words: &str) -> String {
        wait::until(&format!("{words} to {at}"), wait::PATIENCE, || {
            let packets = self.tap.sip_to(at, words);
            packets.first()?.sip().map(str::to_owned)
        })
    }

    #[track_caller]
    fn record(&self) -> Value {
        let record = self.office.records(1).remove(0);
        assert_whole(&record, &self.office.recordings());
        record
    }
}

/// A flow that rings `number` and then refuses.
fn flow(number: &str) -> String {
    format!(
        "start = \"ring\"\n\n[steps.ring]\ndo = \"dial\"\nnumber = \"{number}\"\n\
         failed = \"refuse\"\n\n[steps.refuse]\ndo = \"hangup\"\ncause = \"unavailable\"\n"
    )
}

/// The checks of a record, in order.
fn checks(record: &Value) -> Vec<(&str, bool)> {
    let checks = list(&record["checks"]).iter();
    checks
        .filter_map(|check| Some((check["check"].as_str()?, check["passed"].as_bool()?)))
        .collect()
}

fn lines<'t>(message: &'t str, name: &'t str) -> impl Iterator<Item = &'t str> {
    message.lines().filter(move |line| line.starts_with(name))
}

#[track_caller]
fn line<'t>(message: &'t str, name: &'t str) -> &'t str {
    let found = lines(message, name).next();
    found.unwrap_or_else(|| panic!("no {name} in {message}"))
}

/// The trunk's far end, as in the demo office.
const TRUNK_PORT: u16 = 5_080;
