//! The switch under measurement: the real binary with an office of its own in a temporary folder.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::process;

/// A running switch.
pub(crate) struct Office {
    child: Child,
    /// Where it takes SIP over UDP.
    pub(crate) sip: SocketAddr,
    /// Where its figures are.
    metrics: String,
    folder: TempDir,
}

/// Dialled by the trunk, leads straight out by the trunk again: a B2BUA and nothing else.
pub(crate) const THROUGH: &str = "5000";
/// Dialled by the trunk, leads to the queue of agents, whose calls are recorded.
pub(crate) const QUEUE: &str = "6000";
/// Dialled by the trunk, leads to a queue without agents, where one waits with music.
pub(crate) const WAITING: &str = "6001";
/// The first of a thousand conferences, dialled by phones.
pub(crate) const CONFERENCE: u32 = 3000;
/// The first phone, which is no agent's.
pub(crate) const PHONE: u32 = 1000;
/// The first agent's phone.
pub(crate) const AGENT: u32 = 1001;
/// The first phone of a crowd.
pub(crate) const CROWD: u32 = 7_000_000;

impl Office {
    /// An office with one trunk to and from `carrier`, and as many agents as wanted.
    pub(crate) fn open(carrier: SocketAddr, agents: u32) -> Self {
        Self::that_records(carrier, agents, "wav")
    }

    /// The same, whose recordings are of this format.
    pub(crate) fn that_records(carrier: SocketAddr, agents: u32, format: &str) -> Self {
        let people: Vec<u32> = (AGENT..AGENT + agents).collect();
        Self::furnish(carrier, PHONE..=PHONE + agents, &people, format)
    }

    /// An office with one trunk and a crowd of phones from [`CROWD`] on.
    pub(crate) fn with_crowd(carrier: SocketAddr, phones: u32) -> Self {
        Self::furnish(carrier, CROWD..=CROWD + phones - 1, &[], "wav")
    }

    fn furnish(
        carrier: SocketAddr,
        numbers: RangeInclusive<u32>,
        agents: &[u32],
        format: &str,
    ) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("tsunagu-bench-")
            .tempdir()
            .expect("a folder");
        let config = folder.path().join("config");
        fs::create_dir_all(config.join("flows")).expect("a writable folder");
        let write = |file: &str, text: &str| {
            fs::write(config.join(file), text).expect("a writable folder");
        };
        write(
            "node.toml",
            &format!("{NODE}[recording]\nformat = \"{format}\"\n"),
        );
        write(
            "trunks.toml",
            &TRUNK.replace("CARRIER", &carrier.to_string()),
        );
        write("numbers.toml", NUMBERS);
        write("queues.toml", QUEUES);
        write("flows/through.toml", THROUGH_FLOW);
        write("flows/queue.toml", QUEUE_FLOW);
        write("flows/waiting.toml", WAITING_FLOW);
        let (mut phones, mut people) = (String::new(), String::new());
        for number in numbers {
            let phone = format!("[[phone]]\nnumber = \"{number}\"\nname = \"Phone {number}\"\n");
            let _ = write!(phones, "{phone}password = \"demo\"\n\n");
        }
        for number in agents {
            let _ = write!(
                people,
                "[[agent]]\nname = \"agent{number}\"\nphone = \"{number}\"\n"
            );
            people.push_str("display_name = \"Agent\"\nattributes = { skills = [\"bench\"] }\n\n");
        }
        write("phones.toml", &phones);
        write("agents.toml", &(people + ACTIVITIES));
        let (child, sip, metrics) = start(folder.path());
        Self {
            child,
            sip,
            metrics,
            folder,
        }
    }

    /// An office of these files, whatever they say; the node is that of all benches.
    pub(crate) fn of(files: &[(String, String)]) -> Self {
        Self::started_by(files, serve)
    }

    /// The same, with sounds of its own.
    pub(crate) fn with_sounds(files: &[(String, String)], record: impl Fn(&Path)) -> Self {
        Self::started_by(files, |folder| {
            let sounds = folder.join("sounds");
            fs::create_dir_all(&sounds).expect("a writable folder");
            record(&sounds);
            let mut program = serve(folder);
            program.env("TSUNAGU_SOUNDS", sounds);
            program
        })
    }

    /// The same, run by another program than the switch's own.
    pub(crate) fn started_by(
        files: &[(String, String)],
        program: impl Fn(&Path) -> Command,
    ) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("tsunagu-bench-")
            .tempdir()
            .expect("a folder");
        let config = folder.path().join("config");
        fs::create_dir_all(config.join("flows")).expect("a writable folder");
        fs::write(config.join("node.toml"), NODE).expect("a writable folder");
        for (name, text) in files {
            fs::write(config.join(name), text).expect("a writable folder");
        }
        let (child, sip, metrics) = start_by(folder.path(), program(folder.path()));
        Self {
            child,
            sip,
            metrics,
            folder,
        }
    }

    /// The records of so many finished calls, read page by page; waits for the last ones.
    pub(crate) fn records(&self, count: usize) -> Vec<serde_json::Value> {
        let patience = std::time::Instant::now() + Duration::from_secs(30);
        loop {
            let records = self.all_records();
            if records.len() >= count || std::time::Instant::now() > patience {
                return records;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn all_records(&self) -> Vec<serde_json::Value> {
        let base = self.metrics.trim_end_matches("/metrics");
        let (mut records, mut known) = (Vec::new(), HashSet::new());
        let mut before = String::new();
        loop {
            let url = format!("{base}/v1/calls?state=finished&limit=1000{before}");
            let reply = ureq::get(&url).config().timeout_global(None).build().call();
            let text = reply.and_then(|mut reply| {
                let body = reply.body_mut().with_config().limit(256 << 20);
                body.read_to_string()
            });
            let text = text.expect("a switch that shows its records");
            let page: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let page = page["calls"].as_array().cloned().unwrap_or_default();
            let oldest = page.last().map(|record| record["started"].clone());
            let had = records.len();
            for record in page {
                if known.insert(record["id"].to_string()) {
                    records.push(record);
                }
            }
            let Some(oldest) = oldest.filter(|_| records.len() > had) else {
                return records;
            };
            // `before` leaves its own instant out: a millisecond later, and what is known is skipped.
            let oldest = oldest
                .as_str()
                .and_then(|text| text.parse::<jiff::Timestamp>().ok());
            let next = oldest.expect("a time") + jiff::SignedDuration::from_millis(1);
            before = format!("&before={next:.3}");
        }
    }

    /// Says something to a program that listens to its standard input.
    pub(crate) fn tell(&mut self, words: &str) {
        let input = self.child.stdin.as_mut().expect("piped");
        writeln!(input, "{words}").expect("a living switch");
    }

    /// Kills the switch and starts it again with what it left on disk.
    pub(crate) fn kill_and_start(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        (self.child, self.sip, self.metrics) = start(self.folder.path());
    }

    /// How many phones the switch knew again when it started last, and the seconds it took.
    pub(crate) fn restored(&self) -> Option<(f64, f64)> {
        let log = fs::read_to_string(self.folder.path().join("log")).ok()?;
        let line = log
            .lines()
            .find(|line| line.contains("bindings restored"))?;
        let number = |name: &str| {
            let (_, value) = line.split_once(name)?;
            let end = value.find(|c: char| !c.is_ascii_digit() && c != '.');
            value[..end.unwrap_or(value.len())].parse::<f64>().ok()
        };
        Some((number("phones=")?, number("ms=")? / 1000.0))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The sum of a metric's series.
    pub(crate) fn figure(&self, metric: &str) -> f64 {
        let reply = ureq::get(&self.metrics).call();
        let text = reply.and_then(|mut reply| reply.body_mut().read_to_string());
        let text = text.expect("a switch that shows its figures");
        let lines = text.lines().filter(|line| {
            let rest = line.strip_prefix(metric);
            rest.is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// utime + stime so far.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        process::cpu_seconds(self.pid())
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        // What it measures is over; calls still up need no BYE.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a switch in its folder; returns when it listens.
fn start(folder: &Path) -> (Child, SocketAddr, String) {
    start_by(folder, serve(folder))
}

/// The switch's own program.
fn serve(folder: &Path) -> Command {
    let mut switch = Command::new(binary());
    let sounds = concat!(env!("CARGO_MANIFEST_DIR"), "/sounds");
    switch
        .args(["serve", "--json", "--config"])
        .arg(folder.join("config"))
        .env("TSUNAGU_SOUNDS", sounds)
        .stdin(Stdio::null());
    switch
}

fn start_by(folder: &Path, mut switch: Command) -> (Child, SocketAddr, String) {
    let log = fs::File::create(folder.join("log")).expect("a writable folder");
    switch
        .env("TSUNAGU_DATA", folder.join("var"))
        .stdout(Stdio::piped())
        .stderr(log);
    let mut child = process::spawn(&mut switch);
    let Some((sip, metrics)) = listener(&mut child) else {
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        panic!("the switch did not start:\n{log}");
    };
    std::thread::sleep(Duration::from_millis(300));
    (child, sip, metrics)
}

/// The release binary of this build, or what `BENCH_SWITCH` names: an older build to compare with
/// in the same minute, or a script that runs the switch under a profiler.
fn binary() -> OsString {
    std::env::var_os("BENCH_SWITCH").unwrap_or_else(|| env!("CARGO_BIN_EXE_tsunagu").into())
}

/// The UDP address that the switch says it listens on, and where it shows its figures.
fn listener(child: &mut Child) -> Option<(SocketAddr, String)> {
    let mut line = String::new();
    BufReader::new(child.stdout.take()?)
        .read_line(&mut line)
        .ok()?;
    let welcome: serde_json::Value = serde_json::from_str(&line).ok()?;
    let listeners = welcome["sip"].as_array()?;
    let is_udp = |one: &&serde_json::Value| {
        one["protocol"]
            .as_str()
            .is_some_and(|name| name.eq_ignore_ascii_case("udp"))
    };
    let udp = listeners.iter().find(is_udp)?;
    let metrics = format!("{}/metrics", welcome["api"].as_str()?);
    Some((udp["address"].as_str()?.parse().ok()?, metrics))
}

const NODE: &str = r#"
name = "bench"
region = "here"
max_calls = 20000
[sip]
listen = ["udp:127.0.0.1:0"]
[media]
ports = "10000-59999"
[http]
listen = "127.0.0.1:0"
"#;

const TRUNK: &str = r#"
[[trunk]]
name = "carrier"
# Attackers of the part `attacked` are elsewhere on loopback.
accept = ["127.0.0.0/16"]
target = "udp:CARRIER"
"#;

const NUMBERS: &str = r#"
[[inbound]]
number = "5000"
flow = "through"

[[inbound]]
number = "6000"
flow = "queue"

[[inbound]]
number = "6001"
flow = "waiting"

[[service]]
number = "3000-3999"
service = "conference"

[[outbound]]
prefix = "0"
trunk = "carrier"
"#;

const QUEUES: &str = r#"
[[queue]]
name = "bench"
agents = "skills HAS 'bench'"
music = "music"

[[queue]]
name = "waiting"
agents = "skills HAS 'bench'"
music = "music"
when_nobody = "wait"
max_waiting = 10000
"#;

const WAITING_FLOW: &str = r#"
start = "wait"
[steps.wait]
do = "queue"
queue = "waiting"
nobody = "hangup"
"#;

const THROUGH_FLOW: &str = r#"
start = "out"
[steps.out]
do = "dial"
number = "0312345678"
failed = "hangup"
"#;

const QUEUE_FLOW: &str = r#"
start = "wait"
[steps.wait]
do = "queue"
queue = "bench"
nobody = "hangup"
"#;

const ACTIVITIES: &str = r#"
[[activity]]
name = "available"
available = true

[[activity]]
name = "away"
available = false
"#;
