//! Real phones, two kinds over three transports: they register, call each other, hold, resume and
//! transfer, blind and after a consultation.

use std::ops::Range;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use serde_json::Value;

use super::address::SWITCH;
use super::linphone::{Linphone, free_ports};
use super::office::Office;
use super::phone::{Answering, Line, Over, Phone};
use super::record::{assert_whole, list};
use super::sound::{level_db, seconds_of, tone};
use super::story::assert_music;
use super::tap::Tap;
use super::{quiet, wait};

#[test]
fn baresip_calls_linphone_over_udp_tcp_and_tls() {
    calls_over_each_transport(Kind::Baresip, Kind::Linphone);
}

#[test]
fn linphone_calls_baresip_over_udp_tcp_and_tls() {
    calls_over_each_transport(Kind::Linphone, Kind::Baresip);
}

#[test]
fn phones_of_one_kind_call_each_other_from_transport_to_transport() {
    let _turn = quiet::shared();
    let floor = Floor::open();
    let mut number = 1_001;
    for (kind, from, to) in [
        (Kind::Baresip, Over::Tcp, Over::Tls),
        (Kind::Linphone, Over::Tls, Over::Udp),
        (Kind::Linphone, Over::Udp, Over::Tcp),
    ] {
        let mut caller = floor.phone(kind, number, from, Answering::Manual);
        let mut callee = floor.phone(kind, number + 1, to, Answering::Auto);
        floor.dials(&mut caller, &(number + 1).to_string());
        caller.talks();
        callee.talks();
        floor.hear_each_other(&caller, &callee);
        callee.hang_up();
        caller.is_hung_up_on();
        number += 2;
    }
    for record in floor.office.records(3) {
        assert_whole(&record, &floor.office.recordings());
        assert_eq!(record["hung_up_by"], "callee", "{record:#}");
    }
}

#[test]
fn baresip_and_linphone_hold_and_resume_whoever_called() {
    let _turn = quiet::shared();
    let floor = Floor::open();
    let mut caller = floor.phone(Kind::Baresip, 1001, Over::Tcp, Answering::Manual);
    let mut callee = floor.phone(Kind::Linphone, 1002, Over::Udp, Answering::Auto);
    floor.dials(&mut caller, "1002");
    holds_and_resumes(&floor, &mut caller, &mut callee);
}

#[test]
fn linphone_and_baresip_hold_and_resume_whoever_called() {
    let _turn = quiet::shared();
    let floor = Floor::open();
    let mut caller = floor.phone(Kind::Linphone, 1001, Over::Tls, Answering::Manual);
    let mut callee = floor.phone(Kind::Baresip, 1002, Over::Tls, Answering::Auto);
    floor.dials(&mut caller, "1002");
    holds_and_resumes(&floor, &mut caller, &mut callee);
}

#[test]
fn baresip_speaks_by_srtp_with_secure_and_plain_phones() {
    let _turn = quiet::shared();
    let floor = Floor::open_with(|phones| {
        let phones = phones.replacen("\n[[phone]]", "\nsrtp = \"optional\"\n\n[[phone]]", 1);
        let callee = "number = \"1002\"\n";
        phones.replace(callee, &format!("{callee}srtp = \"required\"\n"))
    });
    let secure = |number, answering| {
        let line = |line| Line {
            is_secure: true,
            ..line
        };
        floor.phone_on(Kind::Baresip, number, Over::Tls, answering, line)
    };
    let mut caller = secure(1001, Answering::Manual);
    let mut callee = secure(1002, Answering::Auto);
    let mut plain = floor.phone(Kind::Baresip, 1003, Over::Tls, Answering::Auto);
    for other in [&mut callee, &mut plain] {
        floor.dials(&mut caller, &other.number());
        caller.talks();
        other.talks();
        caller.hears_itself(other.hz);
        other.hears_itself(caller.hz);
        caller.hold();
        let before = other.heard().len();
        wait::until_true("a second and a half of music", wait::PATIENCE, || {
            other.heard().len() > before + 12_000
        });
        caller.resume();
        // baresip's own recording of who held ends there, whether it is secure or not.
        other.hears_more(caller.hz);
        caller.hang_up();
        caller.is_hung_up_on();
        other.is_hung_up_on();
    }
    // Only those who have the keys hear anything.
    for (phone, mouth) in [(&caller, &callee), (&callee, &caller)] {
        let level = level_db(&floor.sent_to(phone)[1_600..4_800], mouth.hz);
        assert!(level < -30.0, "{level} dB on the wire");
    }
    let level = level_db(&floor.sent_to(&plain)[1_600..4_800], caller.hz);
    assert!(level > -20.0, "{level} dB");
    let Program::Baresip(phone) = &caller.program else {
        panic!("a baresip");
    };
    let messages = phone.log();
    assert!(!messages.contains("failed to decrypt"), "{messages}");
    let keys = messages.split("inline:").skip(1);
    let keys: Vec<&str> = keys.filter_map(|rest| rest.get(..36)).collect();
    assert!(keys.len() >= 4, "two of each call");
    let records = floor.office.records(2);
    for record in &records {
        assert_whole(record, &floor.office.recordings());
        let id = record["id"].as_str().expect("an id");
        let told = floor.office.ask(&["call", id, "--sip", "--whole"]) + &floor.office.log();
        assert!(told.contains("a=crypto:"), "{told}");
        assert!(!keys.iter().any(|key| told.contains(key)), "a key is shown");
    }
}

#[test]
fn baresip_transfers_blind() {
    transfers_blind(Kind::Baresip, Kind::Linphone, Kind::Baresip, Over::Tcp);
}

#[test]
fn linphone_transfers_blind() {
    transfers_blind(Kind::Linphone, Kind::Baresip, Kind::Linphone, Over::Tls);
}

#[test]
fn baresip_is_told_that_its_transfer_failed() {
    fails_to_transfer(Kind::Baresip, Kind::Linphone);
}

#[test]
fn linphone_has_the_call_back_when_its_transfer_fails() {
    fails_to_transfer(Kind::Linphone, Kind::Baresip);
}

#[test]
fn baresip_transfers_after_a_consultation() {
    transfers_attended(Kind::Baresip, Kind::Linphone, Kind::Baresip, Over::Tls);
}

#[test]
fn linphone_transfers_after_a_consultation() {
    transfers_attended(Kind::Linphone, Kind::Baresip, Kind::Linphone, Over::Tcp);
}

/// Each transport in turn, with both phones on it.
fn calls_over_each_transport(caller: Kind, callee: Kind) {
    let _turn = quiet::shared();
    let floor = Floor::open();
    for (index, over) in [Over::Udp, Over::Tcp, Over::Tls].into_iter().enumerate() {
        // Each by numbers of its own, for what registered before is still expected.
        let number = 1_001 + 2 * index as u16;
        let mut caller = floor.phone(caller, number, over, Answering::Manual);
        let mut callee = floor.phone(callee, number + 1, over, Answering::Auto);
        floor.dials(&mut caller, &(number + 1).to_string());
        caller.talks();
        callee.talks();
        floor.hear_each_other(&caller, &callee);
        caller.hears_itself(callee.hz);
        callee.hears_itself(caller.hz);
        caller.hang_up();
        callee.is_hung_up_on();
        let record = floor.office.records(index + 1).remove(0);
        assert_whole(&record, &floor.office.recordings());
        assert_eq!(record["hung_up_by"], "caller", "by {over:?}: {record:#}");
    }
}

/// The caller holds and resumes, then the callee does.
fn holds_and_resumes(floor: &Floor, caller: &mut Handset, callee: &mut Handset) {
    caller.talks();
    callee.talks();
    floor.hear_each_other(caller, callee);

    caller.hold();
    floor.gets_music(callee);
    caller.resume();
    floor.hear_each_other(caller, callee);
    callee.hold();
    floor.gets_music(caller);
    callee.resume();
    floor.hear_each_other(caller, callee);
    caller.hang_up();
    callee.is_hung_up_on();
    let record = floor.office.records(1).remove(0);
    assert_whole(&record, &floor.office.recordings());
}

/// 1001 calls 1002, who sends it to 1003.
fn transfers_blind(by: Kind, party: Kind, target: Kind, over: Over) {
    let _turn = quiet::shared();
    let floor = Floor::open();
    let mut party = floor.phone(party, 1001, Over::Udp, Answering::Manual);
    let mut by = floor.phone(by, 1002, over, Answering::Auto);
    let mut target = floor.phone(target, 1003, Over::Udp, Answering::Auto);
    floor.dials(&mut party, "1002");
    party.talks();
    by.talks();
    floor.hear_each_other(&party, &by);

    floor.settles();
    by.transfer("1003");
    target.talks();
    by.is_told(200);
    by.is_hung_up_on();
    floor.hear_each_other(&party, &target);
    party.hang_up();
    target.is_hung_up_on();
    let records = floor.office.records(1);
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_whole(&records[0], &floor.office.recordings());
    assert_transferred(&records[0], "blind", "1003");
}

/// 1001 calls 1002, sends it where nobody is, and talks on; baresip hangs up by itself.
fn fails_to_transfer(by: Kind, party: Kind) {
    let _turn = quiet::shared();
    let floor = Floor::open();
    let mut by = floor.phone(by, 1001, Over::Tcp, Answering::Manual);
    let mut party = floor.phone(party, 1002, Over::Tls, Answering::Auto);
    floor.dials(&mut by, "1002");
    by.talks();
    party.talks();
    floor.hear_each_other(&party, &by);

    by.transfer("1009");
    by.is_told(480);
    if matches!(by.program, Program::Linphone(_)) {
        floor.hear_each_other(&party, &by);
        by.hang_up();
    }
    party.is_hung_up_on();
    let record = floor.office.records(1).remove(0);
    assert_whole(&record, &floor.office.recordings());
    assert_eq!(list(&record["transfers"])[0]["status"], 480, "{record:#}");
    assert_eq!(record["hung_up_by"], "caller", "{record:#}");
}

/// 1001 calls 1002, who asks 1003 and then joins the two.
fn transfers_attended(by: Kind, party: Kind, target: Kind, over: Over) {
    let _turn = quiet::shared();
    let floor = Floor::open();
    let mut party = floor.phone(party, 1001, Over::Udp, Answering::Manual);
    let mut by = floor.phone(by, 1002, over, Answering::Auto);
    let mut target = floor.phone(target, 1003, Over::Udp, Answering::Auto);
    floor.dials(&mut party, "1002");
    party.talks();
    by.talks();
    floor.hear_each_other(&party, &by);

    by.hold();
    floor.gets_music(&party);
    floor.dials(&mut by, "1003");
    by.talks();
    target.talks();
    floor.hear_each_other(&by, &target);
    by.join();
    by.is_told(200);
    floor.hear_each_other(&party, &target);
    by.is_hung_up_on();
    party.hang_up();
    target.is_hung_up_on();
    let records = floor.office.records(2);
    for record in &records {
        assert_whole(record, &floor.office.recordings());
    }
    let [consultation, call] = &records[..] else {
        panic!("{records:#?}");
    };
    assert_transferred(call, "attended", "1003");
    assert_eq!(consultation["continued_in"], call["id"], "{records:#?}");
    assert_eq!(
        list(&call["transfers"])[0]["consultation"],
        consultation["id"],
        "{records:#?}"
    );
}

#[track_caller]
fn assert_transferred(record: &Value, kind: &str, target: &str) {
    let [transfer] = list(&record["transfers"]) else {
        panic!("one transfer: {record:#}");
    };
    assert_eq!(transfer["kind"], kind, "{record:#}");
    assert_eq!(transfer["target"], target, "{record:#}");
    assert_eq!(transfer["status"], 200, "{record:#}");
    assert_eq!(record["hung_up_by"], "caller", "{record:#}");
}

/// Whose program a phone is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Baresip,
    Linphone,
}

/// An office that also listens for TLS, with a tap.
struct Floor {
    office: Office,
    tap: Tap,
    roots: PathBuf,
}

impl Floor {
    fn open() -> Self {
        Self::open_with(str::to_owned)
    }

    /// The same with other phones.
    fn open_with(phones: impl FnOnce(&str) -> String) -> Self {
        let mut office = Office::prepare();
        office.rewrite("phones.toml", phones);
        let switch = office.block.host(SWITCH);
        let folder = office.folder().join("config/tls");
        std::fs::create_dir(&folder).expect("a writable folder");
        let (roots, certificate, key) = certify(std::net::IpAddr::V4(switch));
        for (name, text) in [("roots", roots), ("switch", certificate), ("key", key)] {
            std::fs::write(folder.join(format!("{name}.pem")), text).expect("a writable folder");
        }
        office.rewrite("node.toml", |text| {
            text.replace(
                "[dialogs]",
                "[sip.tls]\ncertificate = \"tls/switch.pem\"\nkey = \"tls/key.pem\"\n\n[dialogs]",
            )
        });
        let listen = format!("udp:{switch}:5060,tcp:{switch}:5060,tls:{switch}:5061");
        office.set("TSUNAGU_SIP_LISTEN", listen);
        office.start();
        Self {
            tap: Tap::on(office.block),
            roots: folder.join("roots.pem"),
            office,
        }
    }

    /// A registered phone; three in a row have different tones.
    #[track_caller]
    fn phone(&self, kind: Kind, number: u16, over: Over, answering: Answering) -> Handset {
        self.phone_on(kind, number, over, answering, |line| line)
    }

    /// The same on a line of another kind.
    #[track_caller]
    fn phone_on(
        &self,
        kind: Kind,
        number: u16,
        over: Over,
        answering: Answering,
        change: impl FnOnce(Line) -> Line,
    ) -> Handset {
        // No sum or difference of two is the third.
        let hz = [440.0, 620.0, 1_010.0][usize::from(number - 1_001) % 3];
        let voice = tone(hz, 120.0);
        let ports = free_ports();
        let line = change(Line {
            over,
            media: ports.start + 2..ports.end,
            roots: Some(self.roots.clone()),
            is_secure: false,
            ..Line::default()
        });
        let (name, folder) = (number.to_string(), self.office.folder());
        let folder = folder.join(over.name());
        let program = match kind {
            Kind::Baresip => {
                let address = self.office.phone_address(number);
                let switch = Some(self.office.sip());
                let mut phone =
                    Phone::start_on(&line, &name, address, switch, answering, &voice, &folder);
                phone.registered();
                Program::Baresip(phone)
            }
            Kind::Linphone => {
                let (sip, switch) = (ports.start, self.office.sip());
                let mut phone =
                    Linphone::start_on(&line, &name, sip, switch, answering, &voice, &folder);
                phone.registered();
                Program::Linphone(phone)
            }
        };
        Handset {
            program,
            hz,
            media: line.media,
        }
    }

    /// Waits until the start of all the programs is digested: a switch that finds itself late takes
    /// no calls.
    #[track_caller]
    fn settles(&self) {
        wait::until_true("a switch that keeps up", wait::PATIENCE, || {
            let log = self.office.log();
            log.matches("late=true").count() == log.matches("late=false").count()
        });
    }

    /// Dials until the switch takes the call: one that is late refuses with 503.
    #[track_caller]
    fn dials(&self, phone: &mut Handset, number: &str) {
        let taken = || {
            self.office
                .log()
                .matches("call::arrival: call call=")
                .count()
        };
        let before = taken();
        for _ in 0..10 {
            self.settles();
            phone.dial(number);
            let is_taken = wait::until("a call that is taken", wait::PATIENCE, || {
                let is_taken = taken() > before;
                (is_taken || phone.was_refused()).then_some(is_taken)
            });
            if is_taken {
                return;
            }
        }
        panic!("{} is always refused", phone.name());
    }

    /// All that a phone has been sent so far, of all its calls.
    fn sent_to(&self, phone: &Handset) -> Vec<i16> {
        let heard = self
            .tap
            .heard(|packet| phone.media.contains(&packet.to.port()));
        heard.samples
    }

    /// From now on each is sent a second of the other's tone.
    #[track_caller]
    fn hear_each_other(&self, one: &Handset, other: &Handset) {
        for (ear, mouth) in [(one, other), (other, one)] {
            let before = seconds_of(&self.sent_to(ear), mouth.hz);
            let what = format!("{} Hz at {}", mouth.hz, ear.name());
            wait::until_true(&what, wait::PATIENCE, || {
                seconds_of(&self.sent_to(ear), mouth.hz) > before + 0.9
            });
        }
    }

    /// From now on the phone is sent music.
    #[track_caller]
    fn gets_music(&self, phone: &Handset) {
        let held = self.sent_to(phone).len();
        wait::until_true("three seconds on hold", wait::PATIENCE, || {
            self.sent_to(phone).len() > held + 24_000
        });
        assert_music(&self.sent_to(phone)[held + 6_000..]);
    }
}

/// A phone of either kind.
struct Handset {
    program: Program,
    /// What it says.
    hz: f64,
    media: Range<u16>,
}

enum Program {
    Baresip(Phone),
    Linphone(Linphone),
}

impl Handset {
    fn name(&self) -> String {
        match &self.program {
            Program::Baresip(phone) => format!("baresip {}", phone.number),
            Program::Linphone(phone) => format!("linphone {}", phone.number),
        }
    }

    fn number(&self) -> String {
        match &self.program {
            Program::Baresip(phone) => phone.number.clone(),
            Program::Linphone(phone) => phone.number.clone(),
        }
    }

    fn dial(&mut self, number: &str) {
        match &mut self.program {
            Program::Baresip(phone) => phone.dial(number),
            Program::Linphone(phone) => phone.order(&format!("call {number}")),
        }
    }

    /// Waits until it is in a call.
    #[track_caller]
    fn talks(&mut self) {
        match &mut self.program {
            Program::Baresip(phone) => {
                phone.event("CALL_ESTABLISHED");
            }
            Program::Linphone(phone) => phone.says("connected."),
        }
    }

    fn was_refused(&mut self) -> bool {
        match &mut self.program {
            Program::Baresip(phone) => phone.take_event("CALL_CLOSED").is_some(),
            Program::Linphone(phone) => phone.has_said(" error."),
        }
    }

    fn hang_up(&mut self) {
        match &mut self.program {
            Program::Baresip(phone) => phone.hang_up(),
            Program::Linphone(phone) => phone.order("terminate"),
        }
    }

    #[track_caller]
    fn is_hung_up_on(&mut self) {
        match &mut self.program {
            Program::Baresip(phone) => {
                phone.event("CALL_CLOSED");
            }
            Program::Linphone(phone) => phone.says("ended"),
        }
    }

    fn hold(&mut self) {
        match &mut self.program {
            Program::Baresip(phone) => phone.hold(),
            Program::Linphone(phone) => phone.order("pause"),
        }
    }

    fn resume(&mut self) {
        match &mut self.program {
            Program::Baresip(phone) => phone.resume(),
            Program::Linphone(phone) => phone.order("resume"),
        }
    }

    fn transfer(&mut self, number: &str) {
        match &mut self.program {
            Program::Baresip(phone) => phone.transfer(number),
            Program::Linphone(phone) => phone.order(&format!("transfer {number}")),
        }
    }

    /// Joins the parties of its two calls.
    fn join(&mut self) {
        match &mut self.program {
            Program::Baresip(phone) => {
                let target = phone.replacing();
                phone.turn_to(1);
                phone.transfer(&target);
            }
            Program::Linphone(phone) => phone.order("transfer 1 --to-call 2"),
        }
    }

    /// Waits until the switch told it of its transfer by NOTIFY (RFC 3515 §2.4.5).
    #[track_caller]
    fn is_told(&self, status: u16) {
        let what = format!("{status} by NOTIFY at {}", self.name());
        let status = status.to_string();
        wait::until_true(&what, wait::PATIENCE, || {
            let log = match &self.program {
                Program::Baresip(phone) => phone.log(),
                Program::Linphone(phone) => phone.log(),
            };
            let mut notices = log.split("Content-Type: message/sipfrag").skip(1);
            notices.any(|rest| {
                let words = rest.split_once("SIP/2.0 ");
                words.is_some_and(|(_, words)| words.starts_with(&status))
            })
        });
    }

    /// What it decoded so far, in its own recordings.
    fn heard(&self) -> Vec<i16> {
        match &self.program {
            Program::Baresip(phone) => phone.heard().concat(),
            Program::Linphone(phone) => phone.heard(),
        }
    }

    /// What it decoded, in its own recording, has at least half a second of this tone.
    #[track_caller]
    fn hears_itself(&self, hz: f64) {
        let what = format!("{hz} Hz in the recording of {}", self.name());
        wait::until_true(&what, wait::PATIENCE, || {
            seconds_of(&self.heard(), hz) > 0.5
        });
    }

    /// From now on it decodes another second of this tone.
    #[track_caller]
    fn hears_more(&self, hz: f64) {
        let before = seconds_of(&self.heard(), hz);
        let what = format!("more of {hz} Hz in the recording of {}", self.name());
        wait::until_true(&what, wait::PATIENCE, || {
            seconds_of(&self.heard(), hz) > before + 0.9
        });
    }
}

/// An authority's certificate, and one of it with its key for the switch at this address (PEM).
/// linphone's mbedTLS knows no addresses in certificates but finds them among the DNS names.
fn certify(switch: std::net::IpAddr) -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "An authority of the scenarios");
    let key = KeyPair::generate().expect("a key");
    let roots = params.self_signed(&key).expect("a certificate").pem();
    let issuer = Issuer::new(params, key);
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params
        .distinguished_name
        .push(DnType::CommonName, switch.to_string());
    let name = switch.to_string();
    params.subject_alt_names = vec![
        SanType::IpAddress(switch),
        SanType::DnsName(name.try_into().expect("digits and dots")),
    ];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    (roots, certificate.pem(), key.serialize_pem())
}
