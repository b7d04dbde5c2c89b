//! The demo office is correct, and says what the issue says; broken ones are told what to do.

use std::fs;
use std::path::{Path, PathBuf};

mod applications;
mod calendars;
mod flows;
mod routing;
mod secrets;
mod webhooks;
mod workflows;

use super::*;
use crate::trunk::{AgentService, Destination, Origin};

const SOUNDS: [&str; 43] = [
    "beep",
    "connecting",
    "goodbye",
    "agent-available",
    "agent-away",
    "agent-lunch",
    "agent-number",
    "agent-pin",
    "agent-wrong",
    "greeting",
    "invalid",
    "menu",
    "music",
    "no-input",
    "no-match",
    "nobody-available",
    "position-1",
    "position-2",
    "position-3",
    "position-4",
    "position-5",
    "position-6",
    "position-7",
    "position-8",
    "position-9",
    "position-10",
    "position-many",
    "vm-enter-pin",
    "vm-greeting",
    "vm-greeting-menu",
    "vm-greeting-record",
    "vm-leave-message",
    "vm-menu",
    "vm-no-messages",
    "language-choice",
    "clinic-greeting",
    "clinic-menu",
    "clinic-closed",
    "hotel-menu",
    "hotel-enter-booking",
    "hotel-unknown-booking",
    "shop-red-greeting",
    "shop-blue-greeting",
];

/// The files of the demo office.
const FILES: [&str; 16] = [
    "node.toml",
    "calendars.toml",
    "trunks.toml",
    "phones.toml",
    "agents.toml",
    "queues.toml",
    "profiles.toml",
    "workflows.toml",
    "numbers.toml",
    "speech.toml",
    "webhooks.toml",
    "voicemail.toml",
    "flows/main.toml",
    "flows/clinic.toml",
    "flows/hotel.toml",
    "tables/bookings.csv",
];

/// A directory with an empty file for every sound of the demo office.
fn sounds() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for name in SOUNDS {
        fs::write(directory.path().join(format!("{name}.wav")), "").expect("written");
    }
    directory
}

fn load_with(directory: &Path, variables: &[(&str, &str)]) -> Result<Office, Report> {
    load_hearing(directory, &sounds(), variables)
}

fn load_hearing(
    directory: &Path,
    sounds: &tempfile::TempDir,
    variables: &[(&str, &str)],
) -> Result<Office, Report> {
    let sounds = sounds.path().display().to_string();
    let mut all = vec![("TSUNAGU_SOUNDS", sounds.as_str())];
    all.extend(variables);
    load(directory, &all.into_iter().collect())
}

fn below(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn demo() -> Office {
    load_with(&below("config"), &[]).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn the_demo_office_is_correct_and_without_warnings() {
    let office = demo();
    assert_eq!(office.warnings.problems, []);
    assert_eq!(
        (office.node.name.as_str(), office.node.region.as_str()),
        ("tokyo1", "jp1")
    );
    let sip: Vec<String> = office
        .node
        .sip
        .listeners
        .iter()
        .map(|(protocol, address)| format!("{protocol} {address}"))
        .collect();
    assert_eq!(sip, ["UDP 127.0.0.1:5060", "TCP 127.0.0.1:5060"]);
    assert_eq!(office.node.http.to_string(), "127.0.0.1:9090");
    let phones: Vec<&str> = office
        .phones
        .iter()
        .map(|phone| phone.number.as_str())
        .collect();
    let expected: Vec<String> = (1001..=1010).map(|number| number.to_string()).collect();
    assert_eq!(phones, expected);
    for phone in &office.phones {
        let password = format!("tsunagu-{}", phone.number);
        let ha1 = crate::sip::auth::Ha1::from_password(&phone.number, "tsunagu", &password);
        assert_eq!(phone.ha1, ha1);
    }
    let agents: Vec<&str> = office
        .plan
        .workers
        .iter()
        .map(|it| it.phone.as_str())
        .collect();
    assert_eq!(agents, ["1001", "1002", "1003", "1004"]);
    assert_eq!(office.plan.check(), []);
    assert_eq!(
        (office.available_activity(), office.away_activity()),
        ("available", "away")
    );
    let trunk = office.trunk("demo").expect("the demo trunk");
    assert_eq!(trunk.targets.len(), 1);
    assert_eq!(trunk.targets[0].to_string(), "udp:127.0.0.1:5080");
    assert!(crate::trunk::accepting(&office.trunks, [127, 9, 9, 9].into(), |_| false).is_some());
}

#[test]
fn the_demo_office_is_dialled_as_the_issue_says() {
    let office = demo();
    let phone = |text| office.numbers.dialled(Origin::Phone("1002"), text);
    let trunk = |text| office.numbers.dialled(Origin::Trunk("demo"), text);
    let agent = |service, digits: &str| Destination::Agent(service, digits.to_owned());
    for destination in [
        trunk("+81312345678"),
        trunk("0312345678"),
        phone("+81312345678"),
        phone("0312345678"),
        phone("100"),
    ] {
        let Some(Destination::Flow {
            name,
            number,
            attributes,
            ..
        }) = destination
        else {
            panic!("{destination:?}")
        };
        assert_eq!((name.as_str(), number.as_str()), ("main", "+81312345678"));
        assert_eq!(attributes["language"], "ja");
    }
    for (text, expected) in [
        ("1001", Destination::Phone("1001".to_owned())),
        ("600", Destination::Echo),
        ("601", Destination::HoldMusic),
        ("602", Destination::Tone),
        ("3000", Destination::Conference("3000".to_owned())),
        ("3999", Destination::Conference("3999".to_owned())),
        ("*45", agent(AgentService::Available, "")),
        ("*46", agent(AgentService::Away, "")),
        ("*463", agent(AgentService::Away, "3")),
        ("*411001", agent(AgentService::LogIn, "1001")),
        (
            "009012345678",
            Destination::Trunk {
                trunks: vec!["demo".to_owned()],
                number: "09012345678".to_owned(),
            },
        ),
    ] {
        assert_eq!(phone(text), Some(expected), "{text}");
        assert_eq!(trunk(text), None, "{text}");
    }
}

#[test]
fn every_setting_the_reference_shows_as_a_comment_exists() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for folder in ["flows", "tables"] {
        fs::create_dir(directory.path().join(folder)).expect("made");
    }
    certify(&directory.path().join("tls"));
    let mut shown = 0;
    for name in FILES {
        let text = fs::read_to_string(below("config").join(name)).expect("readable");
        let live: Vec<&str> = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(setting) if is_setting(setting) => {
                    shown += 1;
                    setting
                }
                _ => line,
            })
            .collect();
        fs::write(directory.path().join(name), live.join("\n")).expect("written");
    }
    assert!(shown > 30, "{shown}");
    let secrets = ["CRM_SECRET", "DEMO_TRUNK", "TWILIO_AUTH_TOKEN"];
    let office = load_with(directory.path(), &secrets.map(|name| (name, "secret")));
    let office = office.unwrap_or_else(|report| panic!("{report}"));
    let credentials = crate::sip::auth::Credentials::new("81312345678", "secret");
    let named = credentials.in_realms(vec!["sip.carrier.example".to_owned()]);
    assert_eq!(office.trunks[0].credentials, Some(named));
    let reference = fs::read_to_string(below("config/node.toml")).expect("readable");
    for setting in node::SETTINGS {
        let key = setting.rsplit('.').next().unwrap_or(setting);
        assert!(
            reference.contains(&format!("{key} = ")),
            "{setting} is not in the reference"
        );
    }
}

/// Certificates as the reference names them.
fn certify(directory: &Path) -> rcgen::CertifiedKey<rcgen::KeyPair> {
    fs::create_dir_all(directory).expect("made");
    let made = rcgen::generate_simple_self_signed(["sip.example.com".to_owned()]).expect("made");
    for name in ["certificate", "clients", "roots"] {
        let path = directory.join(name).with_extension("pem");
        fs::write(path, made.cert.pem()).expect("written");
    }
    fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
    made
}

/// A demo office that listens for TLS, with `more` in `[sip.tls]`; what it warns of, or its errors.
fn with_tls(directory: &Path, more: &str) -> String {
    for folder in ["flows", "tables"] {
        fs::create_dir_all(directory.join(folder)).expect("made");
    }
    for name in FILES {
        fs::copy(below("config").join(name), directory.join(name)).expect("copied");
    }
    let node = fs::read_to_string(below("config/node.toml")).expect("readable");
    let tls = format!("listen = [\"tls:127.0.0.1:5061\"]\n[sip.tls]\n{more}\n[sip.old]");
    let node = node.replace("[sip]\nlisten", &format!("[sip]\n{tls}\nlisten"));
    let node = node.split("[sip.old]").collect::<Vec<_>>();
    let rest = node[1].split_once("[media]").expect("a section").1;
    fs::write(
        directory.join("node.toml"),
        format!("{}\n[media]{rest}", node[0]),
    )
    .expect("written");
    match load_with(directory, &[]) {
        Ok(office) => office.warnings.to_string(),
        Err(report) => report.to_string(),
    }
}

#[test]
fn certificates_are_read_and_what_is_wrong_with_them_is_said() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let directory = directory.path();
    certify(&directory.join("tls"));
    let pair = "certificate = \"tls/certificate.pem\"\nkey = \"tls/key.pem\"";
    assert_eq!(with_tls(directory, pair).matches("node.toml").count(), 0);
    certify(&directory.join("other"));
    let mut old = rcgen::CertificateParams::new(["sip.example.com".to_owned()]).expect("made");
    old.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let key = rcgen::KeyPair::generate().expect("made");
    let old = old.self_signed(&key).expect("made");
    fs::write(directory.join("tls/old.pem"), old.pem()).expect("written");
    fs::write(directory.join("tls/old-key.pem"), key.serialize_pem()).expect("written");
    for (more, place, words) in [
        ("", ":1: error", "needs `certificate`"),
        (pair, "", ""),
        (
            "certificate = \"x.pem\"\nkey = \"tls/key.pem\"",
            ":15: error",
            "cannot read",
        ),
        (
            "certificate = \"tls/certificate.pem\"",
            ":1: error",
            "needs `key`",
        ),
        (
            "certificate = \"tls/certificate.pem\"\nkey = \"other/key.pem\"",
            ":7: error",
            "does not belong to the certificate",
        ),
        (
            "certificate = \"tls/key.pem\"\nkey = \"tls/key.pem\"",
            ":15: error",
            "no certificate in it",
        ),
        (
            "certificate = \"tls/old.pem\"\nkey = \"tls/old-key.pem\"",
            ":15: warning",
            "has expired",
        ),
        (
            &format!("{pair}\nclient_certificates = \"required\""),
            ":1: error",
            "needs `client_ca`",
        ),
        (
            &format!("{pair}\nroots = \"tls/key.pem\""),
            ":9: error",
            "no root certificate in it",
        ),
    ] {
        let said = with_tls(directory, more);
        assert!(
            said.contains(words) && said.contains(place),
            "{more}\n{said}"
        );
    }
}

/// `key = value` or `[section]`, as opposed to prose.
fn is_setting(line: &str) -> bool {
    let key = line.split(" = ").next().unwrap_or_default();
    let is_key = key.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
    (line.contains(" = ") && is_key) || (line.starts_with('[') && line.contains(']'))
}

#[test]
fn every_broken_office_is_told_where_and_what_to_do() {
    let mut cases: Vec<PathBuf> = fs::read_dir(below("tests/data/broken"))
        .expect("the broken offices")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert!(cases.len() >= 12, "{}", cases.len());
    for case in cases {
        let report = load_with(&case, &[]).expect_err("it is broken");
        assert!(report.errors() > 0);
        let found: String = report
            .to_string()
            .lines()
            .filter(|line| *line != report.summary())
            .map(|line| format!("{line}\n"))
            .collect::<String>()
            .replace(&case.display().to_string(), "DIRECTORY");
        let expected = case.join("expected.txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &found).expect("written");
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(found, expected, "{} (BLESS=1 rewrites it)", case.display());
        let drawn = report.render(Style::Plain);
        for problem in &report.problems {
            assert!(!problem.help.is_empty(), "no remedy: {problem}");
            let place = format!("[{}]", problem.place);
            assert!(drawn.contains(&place), "{place} in\n{drawn}");
        }
    }
}

/// What cannot be named is not left out in silence: the rest would be half an office.
#[cfg(unix)]
#[test]
fn a_file_whose_name_is_not_utf_8_is_an_error() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &[u8]| directory.path().join(OsStr::from_bytes(name));
    fs::create_dir(at(b"queues")).expect("made");
    fs::write(at(b"node.toml"), "name = \"a\"\nregion = \"b\"\n").expect("written");
    fs::write(at(b"queues/caf\xe9.txt"), "").expect("written");
    fs::write(at(b"queues/.caf\xe9.toml"), "").expect("written");
    assert!(load_with(directory.path(), &[]).is_ok());
    fs::write(at(b"queues/caf\xe9.toml"), "").expect("written");
    fs::create_dir(at(b"workflows")).expect("made");
    fs::write(at(b"workflows/\xff.json"), "").expect("written");
    let report = load_with(directory.path(), &[]).expect_err("two cannot be named");
    let said = report.to_string();
    assert_eq!(report.errors(), 2, "{said}");
    for name in ["queues/caf\u{fffd}.toml", "workflows/\u{fffd}.json"] {
        let line = format!("{name}:1:1: error: the name of this file is not UTF-8");
        assert!(said.contains(&line), "{said}");
    }
}

#[test]
fn the_environment_outranks_node_toml_and_its_errors_name_the_variable() {
    let office = load_with(
        &below("config"),
        &[
            ("TSUNAGU_MAX_CALLS", "7"),
            ("TSUNAGU_SIP_LISTEN", "udp:127.0.0.1:0"),
        ],
    )
    .unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(office.node.max_calls, 7);
    assert_eq!(office.node.sip.listeners.len(), 1);
    let report = load_with(
        &below("config"),
        &[
            ("TSUNAGU_MAX_CALLS", "many"),
            ("TSUNAGU_SIP_LISTEN", "udp:0.0.0.0:5060"),
        ],
    )
    .expect_err("wrong");
    let text = report.to_string();
    assert!(
        text.contains("TSUNAGU_MAX_CALLS:1:19: error: `max_calls` is a whole number"),
        "{text}"
    );
    assert!(
        text.contains("TSUNAGU_SIP_LISTEN:1:20: error: 10 phones have the demo's"),
        "{text}"
    );
}

/// The settings that `config/node.toml` shows, those in comments included, as dotted paths.
fn shown_settings() -> Vec<String> {
    let text = fs::read_to_string(below("config").join("node.toml")).expect("readable");
    let mut section = String::new();
    let mut settings = Vec::new();
    for line in text.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some((name, _)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            section = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ")
            && key
                .chars()
                .all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
        {
            settings.push(format!("{section}{key}"));
        }
    }
    settings
}

#[test]
fn every_setting_of_the_node_may_come_from_the_environment() {
    let mut shown = shown_settings();
    let mut known: Vec<String> = node::SETTINGS.iter().map(|&name| name.to_owned()).collect();
    shown.sort();
    known.sort();
    assert_eq!(shown, known);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let node = "name = \"a\"\nregion = \"b\"\n";
    fs::write(directory.path().join("node.toml"), node).expect("written");
    let variables = [
        ("TSUNAGU_SIP_TRY_FOR", "2s"),
        ("TSUNAGU_SIP_REDIRECT_DOMAINS", "a.example, *.b.example"),
        ("TSUNAGU_SIP_DNS_SERVERS", "192.0.2.53, 192.0.2.54:5353"),
        ("TSUNAGU_SIP_DNS_ATTEMPTS", "3"),
        ("TSUNAGU_SIP_DNS_TIMEOUT", "1s"),
        ("TSUNAGU_TRANSFER_RECALL", "false"),
        ("TSUNAGU_TRANSFER_SOUND", "music"),
        ("TSUNAGU_SIP_TLS_WILDCARDS", "true"),
    ];
    let office = load_with(directory.path(), &variables);
    let node = office.unwrap_or_else(|report| panic!("{report}")).node;
    assert_eq!(node.sip.try_for, std::time::Duration::from_secs(2));
    assert_eq!(node.sip.redirect_domains, ["a.example", "*.b.example"]);
    assert_eq!((node.sip.dns.servers.len(), node.sip.dns.attempts), (2, 3));
    let transfers = (&*node.transfers.sound, node.transfers.recall);
    assert_eq!(transfers, ("music", false));
    let tls = node.sip.tls.expect("made by the variable");
    assert_eq!(tls.wildcards, crate::sip::transport::Wildcards::FirstLabel);
}

#[test]
fn a_reload_tells_of_networks_accounts_and_emergency_calls() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).expect("written");
    };
    let sounds = sounds();
    let load = || {
        let office = load_hearing(directory.path(), &sounds, &[("LINE", "x"), ("OTHER", "y")]);
        office.unwrap_or_else(|report| panic!("{report}"))
    };
    let phone = "[[phone]]\nnumber = \"10\"\npassword = \"demo\"\n";
    let trunk = |password: &str| {
        format!(
            "[[trunk]]\nname = \"t\"\ntarget = \"udp:127.0.0.1:5080\"\nprofile = \"telnyx\"\n\
             domain = \"sip.example\"\n[[trunk.account]]\nuser = \"81312345678\"\n\
             password = \"env:{password}\"\n"
        )
    };
    write("phones.toml", phone);
    write("trunks.toml", &trunk("LINE"));
    let node = "name = \"a\"\nregion = \"b\"\n[site]\ncountry = \"jp\"\n";
    write("node.toml", node);
    let before = load();
    write(
        "phones.toml",
        &format!("{phone}networks = [\"127.0.0.0/8\"]\n"),
    );
    assert_eq!(before.changes_to(&load()).to_string(), "changed: phone 10");
    write("phones.toml", phone);
    write("trunks.toml", &trunk("OTHER"));
    let changes = before.changes_to(&load()).to_string();
    assert_eq!(changes, "changed: credentials of trunk t");
    write("trunks.toml", &trunk("LINE"));
    write("numbers.toml", "[emergency]\ntrunk = \"t\"\n");
    let changes = before.changes_to(&load()).to_string();
    assert_eq!(changes, "added: emergency calls");
}

#[test]
fn a_reload_tells_what_changes_and_what_needs_a_restart() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).expect("written");
    };
    let sounds = sounds();
    let load = || {
        let office = load_hearing(directory.path(), &sounds, &[]);
        office.unwrap_or_else(|report| panic!("{report}"))
    };
    write("node.toml", "name = \"a\"\nregion = \"b\"\nmax_calls = 5\n");
    write(
        "phones.toml",
        "[[phone]]\nnumber = \"10\"\npassword = \"demo\"\n",
    );
    let before = load();
    assert!(before.changes_to(&load()).is_empty());
    assert_eq!(before.hash, load().hash);
    write(
        "node.toml",
        "name = \"a\"\nregion = \"b\"\nmax_calls = 6\n[media]\nworkers = 3\n\
         cores = [\"2-4\", \"7\"]\n",
    );
    write(
        "phones.toml",
        "[[phone]]\nnumber = \"11\"\npassword = \"demo\"\n[[phone]]\nnumber = \"10\"\n\
         password = \"00112233445566778899aabbccddeeff\"\n",
    );
    let after = load();
    assert_ne!(before.hash, after.hash);
    assert_eq!(
        before.changes_to(&after).to_string(),
        "added: number 11, phone 11\n\
         changed: password of phone 10, max_calls\n\
         after a restart only: media.workers, media.cores"
    );
    assert_eq!(after.node.media.cores, [2, 3, 4, 7]);
    assert_eq!(after.changes_to(&before).removed, ["number 11", "phone 11"]);
    let before = after;
    let node = "name = \"a\"\nregion = \"b\"\nmax_calls = 6\n[media]\nworkers = 3\n\
                cores = [\"2-4\", \"7\"]\n";
    for (text, said) in [
        ("[trace]\nnumbers = \"masked\"", "changed: trace.numbers"),
        (
            "[trace]\nmegabytes = 3",
            "after a restart only: trace.megabytes",
        ),
        (
            "[trace]\nhep = \"192.0.2.9:9060\"",
            "after a restart only: trace.hep",
        ),
        ("[sip]\nt1 = \"1s\"", "after a restart only: sip.t1"),
        (
            "[sip]\ntry_for = \"2s\"",
            "after a restart only: sip.try_for",
        ),
        (
            "[sip.dns]\nservers = [\"192.0.2.53\"]",
            "after a restart only: sip.dns",
        ),
        (
            "[sip.bans]\nfailures = 3",
            "changed: sip.acl, sip.limits or sip.bans",
        ),
        ("[dialogs]\nupdate = false", "changed: dialogs"),
    ] {
        write("node.toml", &format!("{node}{text}\n"));
        assert_eq!(before.changes_to(&load()).to_string(), said, "{text}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(100))]

    /// Whatever a slip of the hand does to one file: a report that can be drawn, never a panic.
    #[test]
    fn any_damage_to_a_file_is_survived(
        file in 0..FILES.len(),
        from in 0..3000usize,
        cut in 0..40usize,
        put in "[a-z\\[\\]={}\"'#,.0-9é佐\\n-]{0,6}",
    ) {
        let sounds = sounds();
        let directory = tempfile::tempdir().expect("a temporary directory");
        for folder in ["flows", "tables"] {
            fs::create_dir(directory.path().join(folder)).expect("made");
        }
        for (index, name) in FILES.into_iter().enumerate() {
            let text = fs::read_to_string(below("config").join(name)).expect("readable");
            let mut letters: Vec<char> = text.chars().collect();
            if index == file {
                let from = from % letters.len();
                let to = (from + cut).min(letters.len());
                letters.splice(from..to, put.chars());
            }
            let text: String = letters.into_iter().collect();
            fs::write(directory.path().join(name), text).expect("written");
        }
        if let Err(report) = load_hearing(directory.path(), &sounds, &[]) {
            let drawn = report.render(Style::Plain);
            for problem in &report.problems {
                let place = format!("[{}]", problem.place);
                proptest::prop_assert!(drawn.contains(&place), "{place} in\n{drawn}");
            }
        }
    }
}
