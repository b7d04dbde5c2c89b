//! SIPp at work: fills in a scenario of `tests/data/sipp`, runs it, tells how it ended.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::office::{CALLER, MAIN_NUMBER};
use super::wait;

/// A scenario to be run.
#[derive(Clone)]
pub(crate) struct Sipp {
    name: String,
    script: String,
    folder: PathBuf,
    target: SocketAddr,
    local: SocketAddr,
    media_port: u16,
    calls: u32,
    at_once: u32,
    rate: u32,
    tcp: bool,
    deaf_in_pauses: bool,
    echoes: bool,
    authorises: bool,
    number: String,
    instants: Option<PathBuf>,
}

/// What SIPp does between the answer and the hang-up.
pub(crate) enum Step<'a> {
    /// Presses keys by INFO, one each 200 ms; ten at the most.
    Inform(&'a str),
    /// Nothing, for so many milliseconds.
    Pause(u32),
    /// Sends RTP from a capture file, while the next steps go on.
    Play(&'a Path),
    /// Presses keys by RFC 4733, in SIPp's own way, while the next steps go on.
    Press(&'a str),
}

impl Sipp {
    /// The scenario `name`.xml, run from `local` against `target`; traces go to `folder`.
    pub(crate) fn new(name: &str, folder: &Path, local: SocketAddr, target: SocketAddr) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/sipp")
            .join(format!("{name}.xml"));
        let script = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self {
            name: format!("{name}-{}-{}", local.ip(), local.port()),
            script,
            folder: folder.to_owned(),
            target,
            local,
            media_port: 6_000,
            calls: 1,
            at_once: 1,
            rate: 10,
            tcp: false,
            // A 180 may come at any time before the CANCEL.
            deaf_in_pauses: name == "cancel",
            echoes: false,
            authorises: [
                "cancel",
                "identity_phone",
                "offers_caller",
                "phone_calls",
                "replaces",
            ]
            .contains(&name),
            number: MAIN_NUMBER.to_owned(),
            instants: None,
        }
    }

    /// Where it is run from.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Fills in `{{key}}`; the first value given stays.
    pub(crate) fn set(mut self, key: &str, value: impl ToString) -> Self {
        let mark = format!("{{{{{key}}}}}");
        let value = value.to_string();
        self.script = self.script.replace(&mark, &value);
        if key == "number" {
            self.number = value;
        }
        self
    }

    /// Fills in `{{steps}}`.
    pub(crate) fn steps(self, steps: &[Step<'_>]) -> Self {
        let mut text = String::new();
        for step in steps {
            let _ = match step {
                Step::Inform(keys) => {
                    let infos = keys.chars().enumerate();
                    text.extend(infos.map(|(nth, key)| {
                        INFO.replace("CSEQ", &(2 + nth).to_string())
                            .replace("KEY", &key.to_string())
                    }));
                    Ok(())
                }
                Step::Pause(ms) => writeln!(text, "  <pause milliseconds=\"{ms}\"/>"),
                Step::Play(path) => writeln!(
                    text,
                    "  <nop><action><exec play_pcap_audio=\"{}\"/></action></nop>",
                    path.display()
                ),
                Step::Press(keys) => {
                    writeln!(
                        text,
                        "  <nop><action><exec play_dtmf=\"{keys}\"/></action></nop>"
                    )
                }
            };
        }
        self.set("steps", text.trim_end())
    }

    /// So many calls, so many at once, so many started a second.
    pub(crate) fn calls(mut self, calls: u32, at_once: u32, rate: u32) -> Self {
        (self.calls, self.at_once, self.rate) = (calls, at_once, rate);
        self
    }

    /// Over TCP, one connection.
    pub(crate) fn over_tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// Sends RTP back to whoever sent it.
    pub(crate) fn echoing(mut self) -> Self {
        self.echoes = true;
        self
    }

    /// RTP from this port (each further call four higher).
    pub(crate) fn media_port(mut self, port: u16) -> Self {
        self.media_port = port;
        self
    }

    /// The SDP says that RTP is wanted at this port, which somebody else has.
    pub(crate) fn media_elsewhere(mut self, port: u16) -> Self {
        let port = port.to_string();
        self.script = self.script.replace("[auto_media_port]", &port);
        self
    }

    /// One number a call, as the scenario's `[field0]`.
    pub(crate) fn instants(self, instants: &[u64]) -> Self {
        self.rows(instants.iter().map(|ms| format!("{ms};")))
    }

    fn rows(mut self, rows: impl ExactSizeIterator<Item = String>) -> Self {
        let path = self.folder.join(format!("{}.csv", self.name));
        self.calls = rows.len() as u32;
        let rows: Vec<String> = rows.collect();
        let text = format!("SEQUENTIAL\n{}\n", rows.join("\n"));
        std::fs::write(&path, text).expect("a writable folder");
        self.instants = Some(path);
        self
    }

    /// Once for each of these phones, whose passwords are those of the demonstration.
    pub(crate) fn of_each(mut self, numbers: &[u64]) -> Self {
        let fixed = "[authentication username={{phone}} password={{password}}]";
        self.script = self.script.replace(fixed, "[field1]");
        let rows = numbers.iter().map(|number| {
            format!("{number};[authentication username={number} password=tsunagu-{number}];")
        });
        self.set("phone", "[field0]").rows(rows)
    }

    /// Starts it.
    pub(crate) fn start(self) -> Running {
        let this = self
            .set("payloads", "0 8")
            .set("caller_name", "Trunk Caller")
            .set("caller", CALLER);
        let number = this.number.clone();
        let this = this.set("number", number);
        this.spawn()
    }

    fn spawn(self) -> Running {
        if let Some(at) = self.script.find("{{") {
            panic!(
                "not filled in: {}",
                &self.script[at..(at + 40).min(self.script.len())]
            );
        }
        let file = |ending: &str| self.folder.join(format!("{}.{ending}", self.name));
        std::fs::write(file("xml"), &self.script).expect("a writable folder");
        let IpOnly(address) = IpOnly::of(self.local);
        let mut command = Command::new("sipp");
        command
            .arg(self.target.to_string())
            .arg("-sf")
            .arg(file("xml"))
            .args(["-i", &address, "-mi", &address, "-bind_local"])
            .args(["-p", &self.local.port().to_string()])
            .args(["-mp", &self.media_port.to_string()])
            .args([
                "-m",
                &self.calls.to_string(),
                "-l",
                &self.at_once.to_string(),
            ])
            .args([
                "-r",
                &self.rate.to_string(),
                "-t",
                if self.tcp { "t1" } else { "u1" },
            ])
            .args(["-nostdin", "-cp", "0", "-trace_err", "-error_file"])
            .arg(file("errors"))
            .args(["-trace_msg", "-message_file"])
            .arg(file("messages"))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(file("out")).expect("a writable folder"))
            .stderr(std::fs::File::create(file("err")).expect("a writable folder"));
        if self.name.starts_with("dialog") {
            // A message that never comes is told as such, not as a scenario without end.
            command.args(["-recv_timeout", "20000"]);
        }
        if self.echoes {
            // A refreshed registration has the Call-ID of the one before.
            command.args(["-rtp_echo", "-deadcall_wait", "0"]);
        }
        if self.deaf_in_pauses {
            command.arg("-pause_msg_ign");
        }
        if self.authorises {
            // SIPp would say sip:host:port, but the digest is over the Request-URI.
            let uri = format!("{}@{}", self.number, self.target);
            command.args(["-auth_uri", &uri]);
        }
        if let Some(path) = &self.instants {
            command.arg("-inf").arg(path);
        }
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("sipp (Debian package sip-tester): {error}"));
        Running {
            name: self.name,
            folder: self.folder,
            child,
        }
    }

    /// Runs it to its end, which must be a success.
    #[track_caller]
    pub(crate) fn run(self, limit: Duration) {
        self.start().succeed(limit);
    }
}

/// A running SIPp; ended when dropped.
pub(crate) struct Running {
    name: String,
    folder: PathBuf,
    child: Child,
}

impl Running {
    /// Waits for the end; every call must have gone as the scenario says.
    #[track_caller]
    pub(crate) fn succeed(mut self, limit: Duration) {
        let status = wait::until(&format!("the end of sipp {}", self.name), limit, || {
            self.child.try_wait().expect("a child of ours")
        });
        assert!(
            status.success(),
            "sipp {} ended with {status}\n{}",
            self.name,
            self.report()
        );
    }

    /// Every SIP message so far, with lines ended by `\n` alone.
    #[allow(dead_code)] // The bench reads none.
    pub(crate) fn messages(&self) -> String {
        let path = self.folder.join(format!("{}.messages", self.name));
        let bytes = std::fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\r', "")
    }

    /// Ends it, whatever it is doing.
    #[allow(dead_code)] // The scenarios drop theirs; the bench says when.
    pub(crate) fn stop(self) {}

    /// What SIPp wrote about errors and the state of its scenario.
    fn report(&self) -> String {
        ["errors", "err", "out"]
            .map(|ending| {
                let path = self.folder.join(format!("{}.{ending}", self.name));
                let text = std::fs::read(&path).unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                let tail: Vec<&str> = text.lines().rev().take(60).collect();
                tail.into_iter().rev().collect::<Vec<_>>().join("\n")
            })
            .join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The address of a socket address, as SIPp wants it.
struct IpOnly(String);

impl IpOnly {
    fn of(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => Self(Ipv4Addr::to_string(v4.ip())),
            SocketAddr::V6(v6) => Self(v6.ip().to_string()),
        }
    }
}

/// A key by INFO, in a call that `caller.xml` made.
const INFO: &str = r#"  <send retrans="500"><![CDATA[

      INFO [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      [routes]
      From: "{{caller_name}}" <sip:{{caller}}@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
      [last_To:]
      Call-ID: [call_id]
      CSeq: CSEQ INFO
      Max-Forwards: 70
      Content-Type: application/dtmf-relay
      Content-Length: [len]

      Signal=KEY
      Duration=160

    ]]></send>
  <recv response="200"/>
  <pause milliseconds="200"/>
"#;
