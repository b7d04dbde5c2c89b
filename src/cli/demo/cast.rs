//! The processes of the demo: the switch and three phones, and that none of them stays behind.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::plot::Who;
use super::voices::Line;
use crate::base::Entropy;

/// What comes from outside.
#[derive(Debug)]
pub(super) enum Told {
    /// A process ended that was not done.
    Ended(Who),
    /// Somebody wants the demo to end.
    Interrupted,
    /// A phone tells something.
    News(Who, Value),
    /// The switch takes calls, and says where.
    Office(Value),
}

/// Everybody, and the directories they work in.
#[derive(Debug)]
pub(super) struct Cast {
    /// What the user keeps.
    pub(super) keep: PathBuf,
    /// The switch's SIP address, once it is known.
    pub(super) server: Option<String>,
    config: PathBuf,
    /// The switch's data; gone with the demo.
    scratch: PathBuf,
    sender: Sender<Told>,
    players: Vec<Player>,
}

#[derive(Debug)]
struct Player {
    who: Who,
    child: Child,
    /// Orders go here; phones end when it is closed.
    stdin: Option<ChildStdin>,
}

/// A phone hangs up, unregisters and writes its recording within this; the switch ends calls and
/// closes its database.
const LAST_WORDS: Duration = Duration::from_secs(6);

impl Cast {
    pub(super) fn new(
        keep: PathBuf,
        config: PathBuf,
        sender: Sender<Told>,
    ) -> anyhow::Result<Self> {
        let name = format!("tsunagu-demo-{}", Entropy::from_os().token(8));
        let scratch = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&scratch)
            .with_context(|| format!("cannot make {}", scratch.display()))?;
        Ok(Self {
            keep,
            server: None,
            config,
            scratch,
            sender,
            players: Vec::new(),
        })
    }

    /// Where the switch publishes recordings.
    pub(super) fn recordings(&self) -> PathBuf {
        self.scratch.join("recordings")
    }

    /// The switch's log.
    pub(super) fn log(&self) -> PathBuf {
        self.keep.join("switch.log")
    }

    /// What a phone recorded: left what it heard.
    pub(super) fn heard_by(&self, who: Who) -> PathBuf {
        self.keep.join(match who {
            Who::Caller => "caller-heard.wav",
            _ => "agent-heard.wav",
        })
    }

    /// Starts the switch on free ports; [`Told::Office`] follows.
    pub(super) fn open_office(&mut self) -> anyhow::Result<()> {
        let mut command = self.command("serve")?;
        let log = std::fs::File::create(self.log())
            .with_context(|| format!("cannot write {}", self.log().display()))?;
        command
            .arg("--json")
            .arg("--config")
            .arg(&self.config)
            .env("TSUNAGU_SIP_LISTEN", "udp:127.0.0.1:0")
            .env("TSUNAGU_HTTP_LISTEN", "127.0.0.1:0")
            .env("TSUNAGU_MEDIA_ADDRESS", "127.0.0.1")
            .env("TSUNAGU_MEDIA_ADVERTISE", "127.0.0.1")
            .env("TSUNAGU_DATA", self.scratch.join("data"))
            .env("TSUNAGU_RECORDINGS", self.recordings())
            .env("TSUNAGU_DRAIN", "1s")
            .stderr(log);
        self.start(Who::Switch, command)
    }

    /// Starts a phone.
    pub(super) fn enter(&mut self, who: Who) -> anyhow::Result<()> {
        let mut phone = self.command("phone")?;
        let server = self.server.as_deref().context("no switch to register at")?;
        phone
            .args(["--json", "--commands", "--server", server])
            // Their outcome is among the news.
            .stderr(self.phones_log()?);
        match who {
            Who::Caller => phone
                .args([
                    "--from",
                    "+819012345678",
                    "--call",
                    "+81312345678",
                    "--record",
                ])
                .arg(self.heard_by(who)),
            Who::Sato => phone.args([
                "--user", "1001", "--ring", "1.5", "--refuse", "486", "--answer", "0",
            ]),
            Who::Suzuki => phone
                .args(["--user", "1002", "--ring", "2", "--record"])
                .arg(self.heard_by(who)),
            Who::Switch => return Ok(()),
        };
        self.start(who, phone)
    }

    /// What phones say beside their news.
    fn phones_log(&self) -> anyhow::Result<std::fs::File> {
        let path = self.scratch.join("phones.log");
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path);
        file.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Tells a phone what to do.
    pub(super) fn order(&mut self, who: Who, order: &str) -> anyhow::Result<()> {
        let player = self.players.iter_mut().find(|player| player.who == who);
        let stdin = player.and_then(|player| player.stdin.as_mut());
        stdin
            .map(|stdin| writeln!(stdin, "{order}").and_then(|()| stdin.flush()))
            .transpose()
            .ok()
            .flatten()
            .with_context(|| format!("{} hears no orders any more", who.name()))
    }

    /// The file of a line, written when it is first said.
    pub(super) fn voice(&self, line: &Line) -> anyhow::Result<PathBuf> {
        let path = self.scratch.join(line.name);
        std::fs::write(&path, line.sound)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Who ended, and how.
    pub(super) fn describe_end(&mut self, who: Who) -> String {
        let player = self.players.iter_mut().find(|player| player.who == who);
        match player.and_then(|player| player.child.wait().ok()) {
            Some(status) => format!("{} ({status})", who.name()),
            None => who.name().to_owned(),
        }
    }

    /// Ends everybody, phones first, and waits until they are gone. Called again, does nothing.
    pub(super) fn dismiss(&mut self) {
        while let Some(mut player) = self.players.pop() {
            // Phones take this for `quit`.
            player.stdin = None;
            if player.who == Who::Switch {
                player.signal(Signal::TERM);
            }
            if player.wait(LAST_WORDS).is_none() {
                // Gone in the meantime, or it will be now.
                let _ = player.child.kill();
                let _ = player.child.wait();
            }
        }
    }

    fn command(&self, verb: &str) -> anyhow::Result<Command> {
        let program = std::env::current_exe().context("where is this program?")?;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            // Settings of another switch are not meant for this one.
            if name.to_string_lossy().starts_with("TSUNAGU_") {
                command.env_remove(name);
            }
        }
        command.arg(verb).env("NO_COLOR", "1");
        Ok(command)
    }

    fn start(&mut self, who: Who, mut command: Command) -> anyhow::Result<()> {
        // Ctrl-C at the terminal is for the demo alone, which then ends them in order.
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("{} does not start", who.name()))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        self.players.push(Player { who, child, stdin });
        let sender = self.sender.clone();
        let stdout = BufReader::new(stdout.context("no pipe")?);
        std::thread::spawn(move || {
            let mut is_done = false;
            for line in stdout.lines().map_while(Result::ok) {
                let Ok(news) = serde_json::from_str::<Value>(&line) else {
                    continue;
                };
                is_done |= news["event"] == "done";
                let told = match who {
                    Who::Switch => Told::Office(news),
                    who => Told::News(who, news),
                };
                // The demo is over.
                if sender.send(told).is_err() {
                    return;
                }
            }
            if !is_done {
                // Nobody listens once the demo is over.
                let _ = sender.send(Told::Ended(who));
            }
        });
        Ok(())
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        self.dismiss();
        // What is left over in the system's temporary place harms nobody.
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

impl Player {
    fn signal(&self, signal: Signal) {
        // It may be gone already.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                _ => return None,
            }
        }
    }
}

/// Copies a file to where the user keeps it.
pub(super) fn keep(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
