//! A demo office of its own for each scenario: the real binary, the real `config/`, other addresses.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::address::{Block, CARRIER, PHONES, SWITCH};
use super::api::Api;
use super::phone::{Answering, Phone};
use super::sipp::Sipp;
use super::wait;

/// A running switch with its folder, its stretch of loopback and its API.
pub(crate) struct Office {
    /// Where it is on loopback.
    pub(crate) block: Block,
    /// Its window.
    pub(crate) api: Api,
    folder: Option<TempDir>,
    environment: Vec<(String, String)>,
    child: Option<Child>,
}

impl Office {
    /// The demo office as it stands in `config/`, ready for calls.
    pub(crate) fn open() -> Self {
        let mut office = Self::prepare();
        office.start();
        office
    }

    /// The same, not yet started: for scenarios that edit the configuration first.
    pub(crate) fn prepare() -> Self {
        let block = Block::take();
        let folder = tempfile::Builder::new()
            .prefix("tsunagu-scenario-")
            .tempdir()
            .expect("a temporary folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        copy(&source, &folder.path().join("config"));
        let switch = block.host(SWITCH);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let environment = [
            (
                "TSUNAGU_SIP_LISTEN",
                format!("udp:{switch}:5060,tcp:{switch}:5060"),
            ),
            ("TSUNAGU_HTTP_LISTEN", format!("{switch}:9090")),
            ("TSUNAGU_MEDIA_ADDRESS", switch.to_string()),
            (
                "TSUNAGU_DATA",
                folder.path().join("var").display().to_string(),
            ),
            ("TSUNAGU_SOUNDS", root.join("sounds").display().to_string()),
        ];
        Self {
            block,
            api: Api::at(block.at(SWITCH, 9_090)),
            folder: Some(folder),
            environment: environment.map(|(k, v)| (k.to_owned(), v)).into(),
            child: None,
        }
    }

    /// The scenario's folder: configuration, data, traces of the tools.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().expect("kept until the end").path()
    }

    /// Where recordings are published.
    pub(crate) fn recordings(&self) -> PathBuf {
        self.folder().join("var/recordings")
    }

    /// The switch's SIP address.
    pub(crate) fn sip(&self) -> SocketAddr {
        self.block.at(SWITCH, 5_060)
    }

    /// Changes one configuration file.
    #[track_caller]
    pub(crate) fn rewrite(&self, file: &str, change: impl FnOnce(&str) -> String) {
        let path = self.folder().join("config").join(file);
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        std::fs::write(&path, change(&text)).expect("a writable folder");
    }

    /// Puts other configuration in the place of all there is.
    #[track_caller]
    pub(crate) fn refurnish(&self, files: &[(String, String)]) {
        let config = self.folder().join("config");
        std::fs::remove_dir_all(&config).expect("a writable folder");
        for (name, text) in files {
            let path = config.join(name);
            let folder = path.parent().expect("inside the folder");
            std::fs::create_dir_all(folder).expect("a writable folder");
            std::fs::write(&path, text).expect("a writable folder");
        }
    }

    /// Where the switch keeps its journal and its records.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder().join("var")
    }

    /// Sets one environment variable for the switch.
    pub(crate) fn set(&mut self, name: &str, value: impl ToString) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_string()));
    }

    /// Starts the switch and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(&mut self) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("a writable folder");
        let child = self
            .command("serve")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file descriptor"))
            .stderr(log)
            .spawn()
            .expect("the binary under test");
        self.child = Some(child);
        wait::until_true("the switch to be ready", wait::PATIENCE, || {
            let child = self.child.as_mut().expect("just started");
            if let Some(status) = child.try_wait().expect("a child of ours") {
                panic!("the switch ended with {status}");
            }
            self.api.is_ready()
        });
    }

    /// `tsunagu COMMAND --config <this office's>`, with this office's environment.
    pub(crate) fn command(&self, command: &str) -> Command {
        let mut tsunagu = Command::new(env!("CARGO_BIN_EXE_tsunagu"));
        tsunagu
            .arg(command)
            .arg("--config")
            .arg(self.folder().join("config"))
            .current_dir(self.folder())
            .env("RUST_LOG", "info")
            .env("NO_COLOR", "1")
            .envs(self.environment.iter().map(|(k, v)| (k, v)));
        tsunagu
    }

    /// What `tsunagu ARGUMENTS FILE` prints; it must succeed.
    #[track_caller]
    pub(crate) fn ask_files(&self, arguments: &[&str], file: &Path) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_tsunagu"))
            .args(arguments)
            .arg(file)
            .current_dir(self.folder())
            .output()
            .expect("the binary under test");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        text
    }

    /// What `tsunagu ARGUMENTS` prints about this office; it must succeed.
    #[track_caller]
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_tsunagu"))
            .args(arguments)
            .args(["--url", &self.api.base])
            .env("NO_COLOR", "1")
            .output()
            .expect("the binary under test");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text}{errors}");
        text
    }

    /// Ends the switch as a power cut would, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks the switch to end (SIGTERM) and returns how it did.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Waits for the end of a switch that was told to stop.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running switch");
        wait::until("the end of the switch", wait::PATIENCE, || {
            child.try_wait().expect("a child of ours")
        })
    }

    /// Sends a signal to the switch.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a child of ours");
    }

    /// What each open descriptor of the switch leads to, in order of their numbers.
    pub(crate) fn descriptors(&self) -> Vec<String> {
        let folder = format!("/proc/{}/fd", self.pid().as_raw_nonzero());
        let mut links: Vec<_> = std::fs::read_dir(folder)
            .expect("a process of ours")
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let number: u32 = entry.file_name().to_str()?.parse().ok()?;
                Some((number, std::fs::read_link(entry.path()).ok()?))
            })
            .collect();
        links.sort();
        links
            .iter()
            .map(|(number, link)| format!("{number} {}", link.display()))
            .collect()
    }

    /// What the switch holds of the machine.
    pub(crate) fn holdings(&self) -> Holdings {
        Holdings::of(self.pid().as_raw_nonzero().get())
    }

    /// What the switch says that it still holds for calls, by metric: empty when nothing goes on and
    /// everything is given back, with the memory that SIP keeps of past transactions (timers D, H, J
    /// and the quarantine of ports run out in between).
    #[track_caller]
    pub(crate) fn leftovers(&self) -> BTreeMap<String, f64> {
        let mut metrics = self.api.metrics();
        metrics
            .retain(|name, value| *value != 0.0 && HELD.iter().any(|held| name.starts_with(held)));
        metrics
    }

    /// Waits until [`Office::leftovers`] is empty.
    #[track_caller]
    pub(crate) fn settle(&self) {
        let started = Instant::now();
        loop {
            let left = self.leftovers();
            if left.is_empty() {
                return;
            }
            assert!(
                started.elapsed() < MEMORY_OF_SIP + wait::PATIENCE,
                "left over: {left:?}"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// A phone of the office, registered; speaking `voice`. Phone 1001 is on host `PHONES`.
    pub(crate) fn phone(&self, number: u16, answering: Answering, voice: &[i16]) -> Phone {
        let mut phone = Phone::start(
            &number.to_string(),
            self.phone_address(number),
            Some(self.sip()),
            answering,
            voice,
            self.folder(),
        );
        phone.registered();
        phone
    }

    /// Where the phone of this number lives.
    pub(crate) fn phone_address(&self, number: u16) -> SocketAddr {
        self.block.at(PHONES + (number - 1_001) as u8, 5_060)
    }

    /// Registers `number` by SIPp, for a phone that SIPp will play.
    #[track_caller]
    pub(crate) fn register(&self, number: u16) {
        self.register_for(number, 600);
    }

    /// Takes the registration of `number` back.
    #[track_caller]
    pub(crate) fn unregister(&self, number: u16) {
        self.register_for(number, 0);
    }

    #[track_caller]
    fn register_for(&self, number: u16, seconds: u32) {
        self.sipp("register", self.phone_address(number))
            .set("phone", number)
            .set("password", format!("tsunagu-{number}"))
            .set("expires", seconds)
            .run(wait::PATIENCE);
    }

    /// A SIPp scenario from the carrier's address.
    pub(crate) fn carrier(&self, scenario: &str) -> Sipp {
        self.sipp(scenario, self.block.at(CARRIER, 5_060))
    }

    /// A SIPp scenario from any address of the block.
    pub(crate) fn sipp(&self, scenario: &str, from: SocketAddr) -> Sipp {
        Sipp::new(scenario, self.folder(), from, self.sip())
    }

    /// Waits until no call goes on, and returns all records, newest first.
    #[track_caller]
    pub(crate) fn records(&self, count: usize) -> Vec<serde_json::Value> {
        wait::until(&format!("{count} finished records"), wait::PATIENCE, || {
            let calls = self.api.calls();
            let done = calls.len() >= count && calls.iter().all(is_finished);
            done.then_some(calls)
        })
    }

    /// The switch's own output so far.
    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.folder().join("switch.log")
    }

    fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("a running switch"))
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("--- the switch's last words");
            for line in tail.into_iter().rev() {
                eprintln!("{line}");
            }
            if let Some(folder) = self.folder.take() {
                eprintln!("--- everything is kept in {}", folder.keep().display());
            }
        }
    }
}

/// Descriptors, threads and memory of a process, from /proc.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Holdings {
    /// Open file descriptors.
    pub(crate) descriptors: usize,
    /// Open sockets among them.
    pub(crate) sockets: usize,
    /// Threads, but for those that come and go: [`TEMPORARY_THREADS`].
    pub(crate) threads: usize,
    /// Resident memory in kB.
    pub(crate) memory_kb: u64,
    /// What of it belongs to the process alone: without the pages of files, its program among them.
    pub(crate) private_kb: u64,
    /// CPU time spent so far, of user and system.
    pub(crate) cpu_seconds: f64,
}

impl Holdings {
    fn of(pid: i32) -> Self {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let links: Vec<PathBuf> = std::fs::read_dir(folder.join("fd"))
            .expect("a process of ours")
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .collect();
        let status = std::fs::read_to_string(folder.join("status")).expect("a process of ours");
        let number = |name: &str| -> u64 {
            status
                .lines()
                .find_map(|line| {
                    line.strip_prefix(name)?
                        .split_whitespace()
                        .next()?
                        .parse()
                        .ok()
                })
                .unwrap_or_else(|| panic!("no {name} in /proc/{pid}/status"))
        };
        Self {
            descriptors: links.len(),
            sockets: links
                .iter()
                .filter(|link| link.to_string_lossy().starts_with("socket:"))
                .count(),
            threads: threads(&folder),
            memory_kb: number("VmRSS:"),
            private_kb: number("RssAnon:"),
            cpu_seconds: cpu_seconds(&folder),
        }
    }
}

/// The fewest of a few looks: a thread that has just begun is still called as its parent is, and one
/// about health can be such a one at any time.
fn threads(folder: &Path) -> usize {
    let look = || {
        let tasks = std::fs::read_dir(folder.join("task")).expect("a process of ours");
        tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .filter(|name| !TEMPORARY_THREADS.contains(&name.trim_end()))
            .count()
    };
    let looks = (0..3).map(|_| {
        std::thread::sleep(Duration::from_millis(5));
        look()
    });
    looks.min().unwrap_or_default()
}

/// utime and stime, fields 14 and 15 of proc(5), in ticks of 10 ms.
fn cpu_seconds(folder: &Path) -> f64 {
    let stat = std::fs::read_to_string(folder.join("stat")).expect("a process of ours");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    let ticks = |field: usize| fields.split(' ').nth(field - 3)?.parse::<f64>().ok();
    let spent = ticks(14).zip(ticks(15)).map(|(user, system)| user + system);
    spent.expect("two numbers") / 100.0
}

/// Ended, every leg counted, and every recording published or given up.
fn is_finished(call: &serde_json::Value) -> bool {
    let all_have = |list: &str, what: &str| {
        let list = call[list].as_array();
        list.is_none_or(|all| all.iter().all(|one| !one[what].is_null()))
    };
    !call["ended"].is_null() && all_have("legs", "ended") && all_have("recordings", "sha256")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a writable folder");
    let entries =
        std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    for entry in entries {
        let entry = entry.expect("a readable folder");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a readable folder").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a writable folder");
        }
    }
}

/// How long a finished call's ports may be kept from new calls, and then some.
pub(crate) const QUARANTINE: Duration = Duration::from_secs(8);
/// How long transactions remember what is over: timers D, H and J of RFC 3261, 64 T1.
const MEMORY_OF_SIP: Duration = Duration::from_secs(32);
/// Of tokio's pools for questions that may wait, the API's and that of start and reload; those that
/// each answer one question about health; and the allocator's, which it starts when it has something
/// to give back.
const TEMPORARY_THREADS: [&str; 4] = [
    "http-ask",
    "http-health",
    "jemalloc_bg_thd",
    "tokio-rt-worker",
];
/// Gauges that are 0 when no call goes on.
const HELD: [&str; 11] = [
    "tsunagu_calls{",
    "tsunagu_journal_unsynced",
    "tsunagu_media_legs",
    "tsunagu_media_ports",
    "tsunagu_media_rooms",
    "tsunagu_queue_waiting",
    "tsunagu_recorder_backlog",
    "tsunagu_recordings_active",
    "tsunagu_records_waiting",
    "tsunagu_sip_sessions",
    "tsunagu_sip_transactions",
];
/// The demo office's inbound number.
pub(crate) const MAIN_NUMBER: &str = "+81312345678";
/// Who calls.
pub(crate) const CALLER: &str = "+819012345678";
