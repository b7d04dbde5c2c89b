//! Messages that callers leave while the switch is killed at any instant, and the letters about them: a
//! real mail server (aiosmtpd) takes them, over TLS and with a log-in, and is away itself for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use serde_json::Value;

use super::address::{CARRIER, SWITCH};
use super::capture_file::Stream;
use super::office::Office;
use super::python::{judge, python};
use super::sound::{read_wav, seconds_of, tone, write_wav};
use super::tap::Tap;
use super::{quiet, wait};

/// What a caller hears once his message is saved, Hz; nothing else sounds like it.
const SAVED_HZ: f64 = 1_000.0;
/// What callers say.
const SPOKEN_HZ: f64 = 440.0;
/// Callers of one round.
const ROUND: u32 = 10;
/// Media ports of one round.
const PORTS: u16 = 200;

#[test]
fn no_message_that_a_caller_was_told_of_is_lost_nor_its_letter() {
    let _turn = quiet::shared();
    let wanted = setting("SCENARIO_MESSAGES", 40);
    let kills = setting("SCENARIO_KILLS", 3);
    let seed = setting("SCENARIO_SEED", 20_261_121);
    println!("{wanted} messages, {kills} kills, seed {seed}");
    let mut chance = Chance(seed | 1);

    let mut office = Office::prepare();
    let mut judge = Judge::prepare(&office);
    furnish(&mut office, &judge);
    office.start();
    let tap = Tap::on(office.block);
    let voice = office.folder().join("message.pcap");
    spoken(&voice);

    let mut told = BTreeSet::new();
    let mut round = 0;
    let mut killed = 0;
    while (told.len() as u64) < wanted || killed < kills {
        // Half of the callers come while no mail server is there.
        match round % 4 {
            1 => judge.start(),
            3 => judge.end(),
            _ => {}
        }
        let first = u64::from(ROUND) * round;
        let callers: Vec<u64> = (0..u64::from(ROUND))
            .map(|nth| 9_010_000_000 + first + nth)
            .collect();
        let port = 6_000 + u16::try_from(round % 100).expect("small") * PORTS;
        let running = office
            .carrier("caller")
            .set("caller", "+81[field0]")
            .set("patience_ms", 20_000)
            .steps(&[super::sipp::Step::Play(&voice)])
            .instants(&callers)
            .media_port(port)
            .calls(ROUND, ROUND, 5)
            .start();
        let is_killed = killed < kills;
        if is_killed {
            let instant = Duration::from_millis(500 + chance.below(9_000));
            // The instant is the thing under test, not what is waited for.
            std::thread::sleep(instant);
            office.kill();
            killed += 1;
            drop(running);
        } else {
            running.succeed(4 * wait::PATIENCE);
        }
        let heard = heard_saved(&tap, &office, &callers);
        println!(
            "round {round}: {} of {ROUND} were told, {}",
            heard.len(),
            if is_killed { "killed" } else { "to the end" }
        );
        told.extend(heard);
        if is_killed {
            office.start();
        }
        round += 1;
        assert!(round < 200, "{} messages after {round} rounds", told.len());
    }

    let messages = messages(&office);
    let mut from = BTreeMap::new();
    for message in &messages {
        from.insert(digits(&message["from"]), message.clone());
        let id = message["id"].as_str().expect("an id");
        let seconds = played(&office, id);
        let is_told = told.contains(&digits(&message["from"]));
        // What a crash cut off plays as far as it goes.
        let least = if is_told { 1.2 } else { 0.0 };
        assert!(seconds >= least, "{seconds} s of {message:#}");
    }
    for caller in &told {
        assert!(from.contains_key(caller), "{caller} was told, and is lost");
    }

    judge.start();
    let ids: BTreeSet<String> = messages
        .iter()
        .map(|message| message["id"].as_str().expect("an id").to_owned())
        .collect();
    wait::until_true("every letter", 4 * wait::PATIENCE, || {
        office.api.metric("tsunagu_mail_waiting") == 0.0
    });
    let letters = judge.letters();
    let mut copies: BTreeMap<String, u64> = BTreeMap::new();
    for letter in &letters {
        let id = message_id(letter);
        assert!(letter.contains("X-Taken-For: owner@example.test"));
        assert!(letter.contains("audio/wav"), "{letter:.600}");
        *copies.entry(id).or_default() += 1;
    }
    let mailed: BTreeSet<String> = copies.keys().cloned().collect();
    assert_eq!(mailed, ids);
    // Twice goes at most what was on its way when the switch, or the server, was killed.
    let twice = letters.len() - mailed.len();
    println!(
        "{} told, {} messages, {} letters, {twice} of them twice, {killed} kills, {round} rounds",
        told.len(),
        messages.len(),
        letters.len()
    );
    assert!(twice as u64 <= killed + round / 4 + 1, "{copies:?}");

    // Nothing is sent once more after another start.
    office.stop();
    office.start();
    assert_eq!(office.api.metric("tsunagu_mail_waiting"), 0.0);
    assert_eq!(judge.letters().len(), letters.len());
}

fn setting(name: &str, usual: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// xorshift64
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Syllables, then `#`: what a person would do, as far as loudness goes.
fn spoken(path: &Path) {
    // While he is greeted; a pause in the beginning would be none for SIPp.
    let mut stream = Stream::new(440).speak(&[0; 12_000]);
    for _ in 0..6 {
        stream = stream.speak(&tone(SPOKEN_HZ, 0.3)).pause(120);
    }
    stream.pause(100).press('#', 120).write(path);
}

/// The main number leads to a mailbox whose sounds are short and cannot be mistaken.
fn furnish(office: &mut Office, judge: &Judge) {
    office.rewrite("flows/main.toml", |_| {
        "start = \"leave\"\nerror = \"hangup\"\n\n\
         [steps.leave]\ndo = \"voicemail\"\nmailbox = \"1010\"\nnext = \"saved\"\n\n\
         [steps.saved]\ndo = \"play\"\nsounds = [\"vm-recorded\"]\nnext = \"hangup\"\n"
            .to_owned()
    });
    let test = office.folder().join("config/flows/main.test.toml");
    std::fs::remove_file(test).expect("the demo's test of its flow");
    office.rewrite("voicemail.toml", |text| {
        let named = "name = \"1010\"";
        let mailed = format!("{named}\nemail = [\"owner@example.test\"]");
        let limits = "messages = 10000\nshortest = \"1s\"\n";
        format!("{limits}{}", text.replacen(named, &mailed, 1))
    });
    let mail = format!(
        "server = \"{}\"\nport = {}\nfrom = \"Voicemail <voicemail@example.test>\"\n\
         user = \"pbx\"\npassword = \"env:MAIL_PASSWORD\"\nca = \"{}\"\n\
         pause = \"1s\"\nlongest_pause = \"2s\"\ntimeout = \"10s\"\n",
        judge.address.ip(),
        judge.address.port(),
        judge.folder.join("root.pem").display()
    );
    std::fs::write(office.folder().join("config/mail.toml"), mail).expect("a writable folder");
    office.set("MAIL_PASSWORD", "tell nobody");
    let sounds = office.folder().join("sounds");
    std::fs::create_dir_all(sounds.join("en")).expect("a writable folder");
    for (name, hz, seconds) in [
        ("vm-recorded", SAVED_HZ, 0.6),
        // The demo's is of 1 kHz.
        ("beep", 600.0, 0.2),
        ("vm-greeting", 600.0, 0.2),
        ("vm-leave-message", 600.0, 0.2),
    ] {
        for folder in ["", "en", "ja"] {
            let folder = sounds.join(folder);
            std::fs::create_dir_all(&folder).expect("a writable folder");
            write_wav(&folder.join(format!("{name}.wav")), &tone(hz, seconds));
        }
    }
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("sounds");
    let folders = format!("{},{}", sounds.display(), demo.display());
    office.set("TSUNAGU_SOUNDS", folders);
}

/// Callers of a round who heard that their message is saved, as the wire has it.
fn heard_saved(tap: &Tap, office: &Office, callers: &[u64]) -> BTreeSet<String> {
    let carrier = office.block.at(CARRIER, 5_060);
    let invites = tap.packets(|packet| {
        packet.from == carrier && packet.sip().is_some_and(|text| text.starts_with("INVITE "))
    });
    let mut told = BTreeSet::new();
    for caller in callers {
        let user = format!("sip:+81{caller}@");
        let invite = invites
            .iter()
            .find(|packet| packet.sip().is_some_and(|text| text.contains(&user)));
        // The switch was killed before he came.
        let Some(text) = invite.and_then(|packet| packet.sip()) else {
            continue;
        };
        let port = text.split_once("\nm=audio ").expect("SDP").1;
        let port = port.split(' ').next().expect("a port").parse();
        let at = SocketAddr::new(carrier.ip(), port.expect("a port"));
        if seconds_of(&tap.heard_at(at).samples, SAVED_HZ) >= 0.04 {
            told.insert(format!("81{caller}"));
        }
    }
    told
}

fn messages(office: &Office) -> Vec<Value> {
    let all = office.api.json("/v1/voicemail/1010");
    all["messages"].as_array().expect("a list").clone()
}

/// Seconds of a caller's voice in a message, as the API plays it.
fn played(office: &Office, id: &str) -> f64 {
    let url = format!("{}/v1/voicemail/1010/{id}/audio", office.api.base);
    let mut reply = ureq::get(&url).call().expect("audio");
    let octets = reply.body_mut().read_to_vec().expect("audio");
    let path = office.folder().join("heard.wav");
    std::fs::write(&path, octets).expect("a writable folder");
    let channels = read_wav(&path);
    assert_eq!(channels.len(), 1);
    seconds_of(&channels[0], SPOKEN_HZ)
}

fn digits(number: &Value) -> String {
    let text = number.as_str().unwrap_or_default();
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The message that a letter is about.
fn message_id(letter: &str) -> String {
    let line = letter
        .lines()
        .find_map(|line| line.strip_prefix("Message-ID: <"));
    let id = line.unwrap_or_else(|| panic!("no Message-ID: {letter:.600}"));
    let (id, _) = id.split_once(".1010@example.test>").expect("ours");
    id.to_owned()
}

/// The mail server.
struct Judge {
    address: SocketAddr,
    folder: PathBuf,
    child: Option<Child>,
}

impl Judge {
    fn prepare(office: &Office) -> Self {
        let folder = office.folder().join("mail");
        std::fs::create_dir_all(folder.join("box")).expect("a writable folder");
        let address = office.block.at(SWITCH, 2_525);
        let mut root = CertificateParams::new([]).expect("parameters");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_key = KeyPair::generate().expect("a key");
        let root_certificate = root.self_signed(&root_key).expect("a certificate");
        let issuer = Issuer::new(root, root_key);
        let mut own = CertificateParams::new([]).expect("parameters");
        own.subject_alt_names.push(SanType::IpAddress(address.ip()));
        let key = KeyPair::generate().expect("a key");
        let certificate = own.signed_by(&key, &issuer).expect("a certificate");
        for (name, text) in [
            ("root.pem", root_certificate.pem()),
            ("certificate.pem", certificate.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            std::fs::write(folder.join(name), text).expect("a writable folder");
        }
        Self {
            address,
            folder,
            child: None,
        }
    }

    /// Starts it, when it does not run yet.
    fn start(&mut self) {
        if self.child.is_some() {
            return;
        }
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("judge.log"))
            .expect("a writable folder");
        let child = Command::new(python())
            .arg(judge("mail.py"))
            .arg(self.address.ip().to_string())
            .arg(self.address.port().to_string())
            .arg(self.folder.join("certificate.pem"))
            .arg(self.folder.join("key.pem"))
            .arg(self.folder.join("box"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log)
            .spawn()
            .expect("aiosmtpd: `scripts/set-up test` installs it");
        self.child = Some(child);
        wait::until_true("the mail server", wait::PATIENCE, || {
            std::net::TcpStream::connect(self.address).is_ok()
        });
    }

    /// Ends it in the midst of whatever it does.
    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Every letter it has taken.
    fn letters(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.join("box")).expect("readable");
        let paths = entries.map(|entry| entry.expect("readable").path());
        let whole = paths.filter(|path| path.extension().is_some_and(|it| it == "eml"));
        whole
            .map(|path| std::fs::read_to_string(path).expect("ASCII"))
            .collect()
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.end();
    }
}
