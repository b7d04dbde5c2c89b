//! baresip as an agent's phone: registers, rings, answers, speaks from a WAV file and keeps what it
//! hears in another.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::wait;

/// A running baresip with one account.
pub(crate) struct Phone {
    /// Its number.
    pub(crate) number: String,
    /// Where its SIP is.
    pub(crate) address: SocketAddr,
    folder: PathBuf,
    codec: Codec,
    child: Child,
    control: TcpStream,
    unread: Vec<u8>,
    events: Vec<Value>,
}

/// What the phone speaks SIP over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Udp,
    Tcp,
    Tls,
}

impl Over {
    /// As a URI says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Over::Udp => "udp",
            Over::Tcp => "tcp",
            Over::Tls => "tls",
        }
    }

    /// The switch's address for it, next to that for UDP.
    pub(crate) fn at(self, mut switch: SocketAddr) -> SocketAddr {
        if self == Over::Tls {
            switch.set_port(switch.port() + 1);
        }
        switch
    }
}

/// What the phone speaks, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    G711,
    G722,
    Opus,
    /// Opus or, if that is asked for, PCMU.
    OpusOrG711,
}

impl Codec {
    /// Samples a second, and channels, of what baresip reads and writes.
    pub(crate) fn sound(self) -> (u32, u16) {
        match self {
            Codec::G711 => (8_000, 1),
            Codec::G722 => (16_000, 1),
            Codec::Opus | Codec::OpusOrG711 => (48_000, 2),
        }
    }

    /// As accounts name it.
    fn names(self) -> &'static str {
        match self {
            Codec::G711 => "PCMU/8000/1,PCMA/8000/1",
            Codec::G722 => "G722/16000/1",
            Codec::Opus => "opus/48000/2",
            Codec::OpusOrG711 => "opus/48000/2,PCMU/8000/1",
        }
    }

    /// baresip's module of it, beside that of G.711.
    fn module(self) -> Option<&'static str> {
        match self {
            Codec::G711 => None,
            Codec::G722 => Some("g722.so"),
            Codec::Opus | Codec::OpusOrG711 => Some("opus.so"),
        }
    }

    /// Whether this machine's baresip has it; says what to do when not.
    pub(crate) fn is_installed(self) -> bool {
        let path = |module| Path::new(MODULES).join(module);
        let is_there = self.module().is_none_or(|module| path(module).exists());
        if !is_there {
            println!(
                "SKIPPED: baresip has no {self:?} here: `apt-get install baresip-core` brings {}",
                path(self.module().unwrap_or_default()).display()
            );
        }
        is_there
    }
}

/// How the phone is connected.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The transport of its SIP.
    pub(crate) over: Over,
    /// Ports of its media.
    pub(crate) media: Range<u16>,
    /// The certificate that the switch must have over TLS (PEM).
    pub(crate) roots: Option<PathBuf>,
    /// Whether its media must be encrypted (SRTP, keys in SDP).
    pub(crate) is_secure: bool,
    /// What it speaks; its voice has the same rate.
    pub(crate) codec: Codec,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            over: Over::Udp,
            media: 20_000..20_100,
            roots: None,
            is_secure: false,
            codec: Codec::G711,
        }
    }
}

/// Whether the phone answers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answering {
    /// At once.
    Auto,
    /// When told to by [`Phone::answer`].
    Manual,
}

impl Phone {
    /// Starts phone `number` at `address`, to register at `switch` (or, with `None`, only to wait
    /// for calls), speaking `voice`.
    pub(crate) fn start(
        number: &str,
        address: SocketAddr,
        switch: Option<SocketAddr>,
        answering: Answering,
        voice: &[i16],
        parent: &Path,
    ) -> Self {
        let line = Line::default();
        Self::start_on(&line, number, address, switch, answering, voice, parent)
    }

    /// The same on another line.
    pub(crate) fn start_on(
        line: &Line,
        number: &str,
        address: SocketAddr,
        switch: Option<SocketAddr>,
        answering: Answering,
        voice: &[i16],
        parent: &Path,
    ) -> Self {
        let folder = parent.join(format!("phone-{number}"));
        std::fs::create_dir_all(&folder).expect("a writable folder");
        let (rate, channels) = line.codec.sound();
        super::sound::write_wav_at(&folder.join("voice.wav"), voice, (rate, channels));
        let control = SocketAddr::new(address.ip(), 4_444);
        let path = folder.display();
        let ip = address.ip();
        let (first, last) = (line.media.start, line.media.end);
        let transport = line.over.name();
        let roots = line.roots.as_ref().map_or_else(String::new, |roots| {
            format!("sip_cafile {}\n", roots.display())
        });
        // `aubridge` is a player without a sound card; `sndfile` keeps what is decoded.
        let (secure_module, secure_media) = match line.is_secure {
            true => ("module srtp.so\n", ";mediaenc=srtp-mand"),
            false => ("", ""),
        };
        let wide_module = line.codec.module().map_or_else(String::new, |module| {
            // With one rate of the sound card for all codecs, it can change between them.
            let card = format!("ausrc_srate {rate}\nauplay_srate {rate}\n");
            format!(
                "{card}ausrc_channels {channels}\nauplay_channels {channels}\nmodule {module}\n"
            )
        });
        let codecs = line.codec.names();
        let config = format!(
            "poll_method epoll\nsip_listen {address}\nnet_interface {ip}\n\
             call_local_timeout 120\ncall_max_calls 4\n\
             audio_player aubridge,none\naudio_source aufile,{path}/voice.wav\n\
             audio_alert aubridge,alert\naudio_txmode thread\naudio_buffer 20-160\n\
             ausrc_format s16\nauplay_format s16\nauenc_format s16\naudec_format s16\n\
             jitter_buffer_delay 1-2\nrtp_ports {first}-{last}\nrtcp_mux no\n\
             {roots}snd_path {path}\nctrl_tcp_listen {control}\n\
             module_path {MODULES}\nmodule g711.so\n{wide_module}module sndfile.so\nmodule aufile.so\n\
             module aubridge.so\n{secure_module}module_tmp account.so\nmodule_app menu.so\n\
             module_app ctrl_tcp.so\n"
        );
        let (registrar, interval) = match switch {
            Some(switch) => (line.over.at(switch), 60),
            None => (address, 0),
        };
        let answer = match answering {
            Answering::Auto => "auto",
            Answering::Manual => "manual",
        };
        let account = format!(
            "<sip:{number}@{registrar};transport={transport}>;auth_pass=tsunagu-{number};\
             regint={interval};answermode={answer};audio_codecs={codecs}{secure_media}\n"
        );
        std::fs::write(folder.join("config"), config).expect("a writable folder");
        std::fs::write(folder.join("accounts"), account).expect("a writable folder");
        std::fs::write(folder.join("contacts"), "").expect("a writable folder");
        let log = std::fs::File::create(folder.join("log")).expect("a writable folder");
        let mut child = Command::new("baresip")
            .args(["-v", "-s", "-f"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file descriptor"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("baresip (Debian package baresip-core): {error}"));
        let control = wait::until("baresip's control port", wait::PATIENCE, || {
            if let Some(status) = child.try_wait().expect("a child of ours") {
                let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
                panic!("baresip ended with {status}:\n{log}");
            }
            TcpStream::connect(control).ok()
        });
        control
            .set_read_timeout(Some(Duration::from_millis(20)))
            .expect("a socket option");
        Self {
            number: number.to_owned(),
            address,
            folder,
            codec: line.codec,
            child,
            control,
            unread: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Waits until the switch has accepted the registration. Told by baresip's log, because the
    /// event may be over before its control port has a listener.
    #[track_caller]
    pub(crate) fn registered(&mut self) {
        let what = format!("the registration of phone {}", self.number);
        wait::until_true(&what, wait::PATIENCE, || {
            let log = self.log();
            log.lines()
                .any(|line| line.contains("200 OK") && line.contains("binding]"))
        });
    }

    /// Waits for the next event of this type (`CALL_INCOMING`, `CALL_ESTABLISHED`,
    /// `CALL_CLOSED`, ...), and takes it.
    #[track_caller]
    pub(crate) fn event(&mut self, kind: &str) -> Value {
        let what = format!("{kind} at phone {}", self.number);
        wait::until(&what, wait::PATIENCE, || self.take_event(kind))
    }

    /// Takes an event of this type, if there is one.
    pub(crate) fn take_event(&mut self, kind: &str) -> Option<Value> {
        self.read();
        let at = self.events.iter().position(|event| event["type"] == kind)?;
        Some(self.events.remove(at))
    }

    /// Answers the call that rings.
    pub(crate) fn answer(&mut self) {
        self.command("accept", "");
    }

    /// Hangs up, or declines what rings.
    pub(crate) fn hang_up(&mut self) {
        self.command("hangup", "");
    }

    /// Calls a number.
    pub(crate) fn dial(&mut self, number: &str) {
        self.command("dial", number);
    }

    /// Puts the call on hold by re-INVITE.
    pub(crate) fn hold(&mut self) {
        self.command("hold", "");
    }

    /// Takes the call back from hold.
    pub(crate) fn resume(&mut self) {
        self.command("resume", "");
    }

    /// Sends the other party to an address (REFER).
    pub(crate) fn transfer(&mut self, target: &str) {
        self.command("transfer", target);
    }

    /// The address to which a transfer replaces the call it has begun last (RFC 3891), made of
    /// what its log tells: baresip 1.0.0 has the REFER but no command that fills Replaces in.
    #[track_caller]
    pub(crate) fn replacing(&self) -> String {
        let log = self.log();
        let is_answer =
            |message: &&str| message.contains("SIP/2.0 200 ") && message.contains(" INVITE\n");
        let log = log.replace('\r', "");
        let message = log.split("\n\n").filter(is_answer).last();
        let message = message.expect("an answered call in the log");
        let value = |name: &str| {
            let line = message.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.trim()
                    .eq_ignore_ascii_case(name)
                    .then_some(value.trim())
            });
            line.unwrap_or_else(|| panic!("no {name} in {message}"))
        };
        let tag = |name: &str| {
            let (_, tag) = value(name).split_once(";tag=").expect("a tag");
            tag.split(';').next().unwrap_or_default()
        };
        let (to, from, call) = (tag("To"), tag("From"), value("Call-ID"));
        let (_, callee) = value("To").split_once("sip:").expect("an address");
        let (callee, _) = callee.split_once('>').expect("an address in brackets");
        format!("<sip:{callee}?Replaces={call}%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}>")
    }

    /// Makes another of its calls the one that commands are meant for, counted from 1.
    pub(crate) fn turn_to(&mut self, call: usize) {
        self.command("line", &call.to_string());
    }

    /// What the phone has decoded, at its codec's rate: one file a call, in order.
    pub(crate) fn heard(&self) -> Vec<Vec<i16>> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&self.folder)
            .expect("the phone's folder")
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        files.sort();
        let (_, channels) = self.codec.sound();
        let first = |path: &PathBuf| {
            let samples = wav_so_far(path);
            samples.into_iter().step_by(channels.into()).collect()
        };
        files.iter().map(first).collect()
    }

    /// baresip's own log: SIP messages, digits received, warnings.
    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn command(&mut self, command: &str, params: &str) {
        let json = serde_json::json!({"command": command, "params": params, "token": command});
        let json = json.to_string();
        let netstring = format!("{}:{json},", json.len());
        self.control
            .write_all(netstring.as_bytes())
            .unwrap_or_else(|error| panic!("baresip {}: {error}", self.number));
    }

    /// Reads netstrings; responses are passed over, events are kept.
    fn read(&mut self) {
        let mut buffer = [0u8; 4_096];
        while let Ok(length @ 1..) = self.control.read(&mut buffer) {
            self.unread.extend(&buffer[..length]);
        }
        while let Some(colon) = self.unread.iter().position(|&byte| byte == b':') {
            let length: usize = std::str::from_utf8(&self.unread[..colon])
                .ok()
                .and_then(|digits| digits.parse().ok())
                .expect("a netstring");
            if self.unread.len() < colon + 1 + length + 1 {
                break;
            }
            let text = &self.unread[colon + 1..colon + 1 + length];
            if let Ok(value) = serde_json::from_slice::<Value>(text)
                && value["event"] == true
            {
                self.events.push(value);
            }
            self.unread.drain(..colon + 1 + length + 1);
        }
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Samples of a WAV file that may still be growing: the header's length is not believed.
fn wav_so_far(path: &Path) -> Vec<i16> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let start = bytes
        .windows(4)
        .position(|window| window == b"data")
        .map_or(bytes.len(), |at| at + 8);
    samples(bytes.get(start..).unwrap_or_default())
}

/// Sixteen bits each, the lower byte first.
pub(crate) fn samples(bytes: &[u8]) -> Vec<i16> {
    let pairs = bytes.chunks_exact(2);
    pairs
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

/// Where Debian keeps baresip's modules.
const MODULES: &str = "/usr/lib/baresip/modules";
