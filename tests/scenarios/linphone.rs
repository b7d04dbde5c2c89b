//! linphonec as a phone: told what to do on its standard input, watched on its standard output;
//! speaks from a WAV file and keeps what it hears in another.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::phone::{Answering, Line};
use super::wait;

/// A running linphonec with one account.
pub(crate) struct Linphone {
    /// Its number.
    pub(crate) number: String,
    folder: PathBuf,
    child: Child,
    orders: ChildStdin,
    told: Arc<Mutex<String>>,
    /// What of it was waited for already.
    read: usize,
}

impl Linphone {
    /// Starts phone `number`, to register at `switch`, speaking `voice`. Its SIP is on port `sip`
    /// of every address, for that is how it binds.
    pub(crate) fn start_on(
        line: &Line,
        number: &str,
        sip: u16,
        switch: SocketAddr,
        answering: Answering,
        voice: &[i16],
        parent: &Path,
    ) -> Self {
        let folder = parent.join(format!("linphone-{number}"));
        // Without these two it starts without SIP, and without a word.
        for part in [".local/share/linphone", ".config/linphone"] {
            std::fs::create_dir_all(folder.join(part)).expect("a writable folder");
        }
        super::sound::write_wav(&folder.join("voice.wav"), voice);
        std::fs::write(folder.join("rc"), configuration(line, number, sip, switch))
            .expect("a writable folder");
        let errors = std::fs::File::create(folder.join("errors")).expect("a writable folder");
        let mut linphonec = Command::new("linphonec");
        linphonec.args(["-c", "rc", "-d", "6", "-l", "log"]);
        if answering == Answering::Auto {
            linphonec.arg("-a");
        }
        let mut child = linphonec
            .env("HOME", &folder)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("linphonec (Debian package linphone-cli): {error}"));
        let told = Arc::new(Mutex::new(String::new()));
        let mut output = child.stdout.take().expect("a pipe");
        let heard = Arc::clone(&told);
        std::thread::spawn(move || {
            let mut buffer = [0u8; 4_096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]);
                heard
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&text);
            }
        });
        let orders = child.stdin.take().expect("a pipe");
        let mut phone = Self {
            number: number.to_owned(),
            folder,
            child,
            orders,
            told,
            read: 0,
        };
        phone.order("soundcard use files");
        phone.order("play voice.wav");
        phone.order("record heard.wav");
        phone
    }

    /// Waits until the switch has accepted the registration. Told by its log, for it says nothing
    /// by itself.
    #[track_caller]
    pub(crate) fn registered(&mut self) {
        let what = format!("the registration of linphone {}", self.number);
        wait::until_true(&what, wait::PATIENCE, || {
            let log = self.log();
            let mut answers = log.split("SIP/2.0 200 ").skip(1);
            answers.any(|rest| {
                let cseq = rest.lines().find(|line| line.starts_with("CSeq: "));
                cseq.is_some_and(|cseq| cseq.contains("REGISTER"))
            })
        });
    }

    /// Waits until it says this, later than what was waited for before.
    #[track_caller]
    pub(crate) fn says(&mut self, words: &str) {
        let what = format!("{words:?} from linphone {}", self.number);
        let from = self.read;
        self.read = wait::until(&what, wait::PATIENCE, || {
            let told = self.told();
            Some(from + told.get(from..)?.find(words)? + words.len())
        });
    }

    /// Whether it has said this, later than what was waited for before; if so, that is read.
    pub(crate) fn has_said(&mut self, words: &str) -> bool {
        let told = self.told();
        let found = told.get(self.read..).and_then(|rest| rest.find(words));
        self.read += found.map_or(0, |at| at + words.len());
        found.is_some()
    }

    /// Tells it something, in the words of its `help`.
    pub(crate) fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}")
            .unwrap_or_else(|error| panic!("linphone {}: {error}", self.number));
    }

    /// What it has recorded of its last call. The header of the file is written at its end.
    pub(crate) fn heard(&self) -> Vec<i16> {
        let bytes = std::fs::read(self.folder.join("heard.wav")).unwrap_or_default();
        super::phone::samples(bytes.get(WAV_HEADER..).unwrap_or_default())
    }

    /// Its own log, with every SIP message.
    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// All it has said.
    pub(crate) fn told(&self) -> String {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::write(self.folder.join("told"), self.told());
    }
}

fn configuration(line: &Line, number: &str, sip: u16, switch: SocketAddr) -> String {
    let (transport, at) = (line.over.name(), line.over.at(switch));
    let ip = switch.ip();
    let (first, last) = (line.media.start, line.media.end - 1);
    let roots = line.roots.as_ref().map_or_else(String::new, |roots| {
        format!("root_ca={}\n", roots.display())
    });
    let mut text = format!(
        "[sip]\nsip_port={sip}\nsip_tcp_port={sip}\nsip_tls_port=-1\ndefault_proxy=0\n\
         verify_server_certs=1\nverify_server_cn=1\n{roots}media_encryption=none\nuse_ipv6=0\n\
         [rtp]\naudio_rtp_port={first}-{last}\n\
         [proxy_0]\nreg_proxy=<sip:{at};transport={transport}>\n\
         reg_route=<sip:{at};transport={transport};lr>\n\
         reg_identity=sip:{number}@{ip}\nreg_expires=600\nreg_sendregister=1\n\
         [auth_info_0]\nusername={number}\npasswd=tsunagu-{number}\nrealm=tsunagu\ndomain={ip}\n"
    );
    // Only what the ears of the scenarios understand.
    for (index, codec) in ["PCMU", "PCMA"].iter().enumerate() {
        text.push_str(&format!(
            "[audio_codec_{index}]\nmime={codec}\nrate=8000\nchannels=1\nenabled=1\n"
        ));
    }
    for (index, (codec, rate, channels)) in REFUSED.iter().enumerate() {
        let index = index + 2;
        text.push_str(&format!(
            "[audio_codec_{index}]\nmime={codec}\nrate={rate}\nchannels={channels}\nenabled=0\n"
        ));
    }
    text
}

/// Ports on every address that nobody has, for a program that cannot be told an address.
pub(crate) fn free_ports() -> Range<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..BANDS {
        let count = NEXT.fetch_add(1, Ordering::Relaxed);
        let band = std::process::id().wrapping_mul(16).wrapping_add(count) % BANDS;
        let first = FIRST + band as u16 * WIDTH;
        let any = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
        let is_free = |port| UdpSocket::bind(any(port)).is_ok();
        if TcpListener::bind(any(first)).is_ok() && (first..first + WIDTH).all(is_free) {
            return first..first + WIDTH;
        }
    }
    panic!("no free ports");
}

/// Between the media of the switch (to 29999) and the choices of the kernel (from 32768).
const FIRST: u16 = 30_000;
const WIDTH: u16 = 32;
const BANDS: u32 = 80;
/// Bytes before the samples of a plain WAV file.
const WAV_HEADER: usize = 44;
/// Codecs of linphonec that no scenario can hear.
const REFUSED: [(&str, u32, u32); 9] = [
    ("opus", 48_000, 2),
    ("speex", 8_000, 1),
    ("speex", 16_000, 1),
    ("speex", 32_000, 1),
    ("GSM", 8_000, 1),
    ("G722", 8_000, 1),
    ("BV16", 8_000, 1),
    ("L16", 44_100, 1),
    ("AMR", 8_000, 1),
];
