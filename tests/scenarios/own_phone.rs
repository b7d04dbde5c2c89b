//! `tsunagu phone`, the judge of our own: that its word, its exit code and its recordings can be
//! believed; and `tsunagu demo`, which is played by it.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use super::office::Office;
use super::quiet;
use super::sound::{read_wav, seconds_of};

#[test]
fn what_it_says_comes_back_and_keys_keep_their_pauses() {
    let _turn = quiet::shared();
    let office = Office::open();
    let file = office.folder().join("echo.wav");
    let path = file.to_str().expect("a plain path");
    let (code, told) = OwnPhone::start(
        &office,
        &[
            "--call",
            "600",
            "--play",
            "tone:440",
            "--press",
            "1,2",
            "--hang-up",
            "2.5",
            "--record",
            path,
        ],
    )
    .end();
    assert_eq!(code, 0);
    assert_eq!(
        events(&told),
        "registered calling answered pressed heard pressed heard hung_up media recorded done"
    );
    let at = |index: usize| {
        let at = told[index]["at"].as_str().expect("a time");
        at.parse::<jiff::Timestamp>().expect("RFC 3339")
    };
    // A key takes 200 ms with the gap after it, the comma a second.
    let pause = (at(5) - at(3)).total(jiff::Unit::Second).expect("a length");
    assert!((1.15..1.6).contains(&pause), "{pause} s between the keys");
    let channels = read_wav(&file);
    for (name, channel) in ["heard", "said"].iter().zip(&channels) {
        assert!(seconds_of(channel, 440.0) > 1.0, "440 Hz {name}");
    }
}

#[test]
fn phones_call_each_other_one_after_the_other_by_udp_and_tcp() {
    let _turn = quiet::shared();
    let office = Office::open();
    let file = office.folder().join("calls.wav");
    let path = file.to_str().expect("a plain path");
    let mut callee = OwnPhone::start(
        &office,
        &[
            "--user", "1002", "--answer", "2", "--ring", "0.2", "--play", "tone:880", "--record",
            path,
        ],
    );
    callee.until("registered");
    for transport in ["udp", "tcp"] {
        let (code, told) = OwnPhone::start(
            &office,
            &[
                "--call",
                "1002",
                "--transport",
                transport,
                "--play",
                "tone:440",
                "--hang-up",
                "1",
            ],
        )
        .end();
        assert_eq!(code, 0, "by {transport}: {told:?}");
    }
    let (code, told) = callee.end();
    assert_eq!(code, 0, "{told:?}");
    for file in ["calls.wav", "calls-2.wav"] {
        let channels = read_wav(&office.folder().join(file));
        assert!(
            seconds_of(&channels[0], 440.0) > 0.5,
            "the caller in {file}"
        );
        assert!(
            seconds_of(&channels[1], 880.0) > 0.5,
            "the callee in {file}"
        );
    }
}

#[test]
fn its_exit_code_says_what_became_of_it() {
    let _turn = quiet::shared();
    let office = Office::open();
    let run = |arguments: &[&str]| OwnPhone::start(&office, arguments).end().0;
    assert_eq!(run(&["--call", "9999"]), 2, "nobody has that number");
    assert_eq!(run(&["--call", "600", "--password", "wrong"]), 3);
    assert_eq!(run(&["--patience", "0.3"]), 4);

    let mut busy = OwnPhone::start(
        &office,
        &["--user", "1002", "--refuse", "486", "--ring", "0.1"],
    );
    busy.until("registered");
    let (code, told) = OwnPhone::start(&office, &["--call", "1002"]).end();
    assert_eq!(code, 2, "{told:?}");
    assert!(
        told.last().expect("words")["outcome"]
            .to_string()
            .contains("486"),
        "{told:?}"
    );
    assert_eq!(busy.end().0, 0, "it refused as it was told to");

    let mut waiting = OwnPhone::start(&office, &["--user", "1003", "--answer", "0"]);
    waiting.until("registered");
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&waiting.child),
        rustix::process::Signal::INT,
    )
    .expect("a child of ours");
    assert_eq!(waiting.end().0, 0, "Ctrl-C is how an endless phone ends");
}

#[test]
fn it_does_what_it_is_told_on_its_standard_input() {
    let _turn = quiet::shared();
    let office = Office::open();
    let mut phone = OwnPhone::start(&office, &["--user", "1002", "--ring", "60", "--commands"]);
    phone.until("registered");
    let mut caller = OwnPhone::start(&office, &["--call", "1002"]);
    for (awaited, order) in [
        ("ringing", "answer"),
        ("answered", "sing"),
        ("trouble", "press 5"),
    ] {
        phone.until(awaited);
        phone.order(order);
    }
    caller.until("heard");
    phone.order("hang_up");
    let (code, told) = phone.end();
    assert_eq!(code, 0);
    assert_eq!(
        events(&told),
        "registered ringing answered trouble pressed hung_up media done"
    );
    let (code, told) = caller.end();
    assert_eq!(code, 0);
    assert!(events(&told).contains("answered heard hung_up"), "{told:?}");
}

#[test]
fn the_demo_tells_its_story_and_leaves_nobody_behind() {
    let _turn = quiet::shared();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let begun = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_tsunagu"))
        .args(["demo", "--keep"])
        .arg(folder.path())
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary under test");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert!(
        begun.elapsed().as_secs() < 40,
        "it took {:?}",
        begun.elapsed()
    );
    assert!(!text.contains('\u{1b}'), "colours nobody sees");
    for wanted in [
        "sato: busy",
        "talk suzuki",
        "“Hello! Two boxes",
        "the caller hung up",
    ] {
        assert!(text.contains(wanted), "{wanted:?} in\n{text}");
    }
    assert_eq!(read_wav(&folder.path().join("conversation.wav")).len(), 2);
    let left = processes_with(&folder.path().display().to_string());
    assert_eq!(left, Vec::<String>::new());
}

/// Processes that name this folder or hold one of its files.
fn processes_with(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let held = std::fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten();
        let mut held = held.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        if line.contains(folder) || held.any(|file| file.starts_with(folder)) {
            found.push(line);
        }
    }
    found
}

/// A running `tsunagu phone`, telling JSON.
pub(crate) struct OwnPhone {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    told: Vec<Value>,
}

impl OwnPhone {
    /// A phone of this office by UDP, unless told otherwise.
    pub(crate) fn start(office: &Office, arguments: &[&str]) -> Self {
        Self::start_at(office.sip(), arguments)
    }

    /// A phone of the switch at this address.
    pub(crate) fn start_at(server: SocketAddr, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tsunagu"))
            .args(["phone", "--json", "--server", &server.to_string()])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary under test");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self {
            child,
            lines,
            told: Vec::new(),
        }
    }

    /// Reads on until it tells this event.
    #[track_caller]
    pub(crate) fn until(&mut self, event: &str) {
        while self
            .next()
            .unwrap_or_else(|| panic!("no {event}: {:?}", self.told))
            != event
        {}
    }

    fn order(&mut self, order: &str) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{order}").expect("a phone that listens");
    }

    /// Waits for its end: its exit code, and all it told.
    #[track_caller]
    pub(crate) fn end(mut self) -> (i32, Vec<Value>) {
        while self.next().is_some() {}
        let status = self.child.wait().expect("a child of ours");
        (
            status.code().expect("an exit code"),
            std::mem::take(&mut self.told),
        )
    }

    fn next(&mut self) -> Option<String> {
        let line = self.lines.next()?.expect("UTF-8");
        let told: Value = serde_json::from_str(&line).expect("JSON");
        let event = told["event"].as_str().expect("an event").to_owned();
        self.told.push(told);
        Some(event)
    }
}

impl Drop for OwnPhone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The events of a phone, in one line.
fn events(told: &[Value]) -> String {
    let names: Vec<&str> = told
        .iter()
        .filter_map(|line| line["event"].as_str())
        .collect();
    names.join(" ")
}
