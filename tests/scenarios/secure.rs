//! IPv6 and TLS from outside: SIPp on `[::1]`, `openssl s_client` as a stranger's TLS, and our own
//! phone by TLS.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};

use super::address::{PHONES, SWITCH};
use super::office::Office;
use super::own_phone::OwnPhone;
use super::record::assert_whole;
use super::sipp::{Sipp, Step};
use super::sound::{from_pcmu, read_wav, seconds_of, to_pcmu, tone};
use super::{quiet, wait};

#[test]
fn a_phone_on_ipv6_hears_its_echo_by_udp_and_tcp() {
    let _turn = quiet::shared();
    let mut office = Office::prepare();
    let six = free_port();
    let four = office.sip();
    office.set(
        "TSUNAGU_SIP_LISTEN",
        format!("udp:{four},tcp:{four},udp:{six},tcp:{six}"),
    );
    office.set("TSUNAGU_MEDIA_ADDRESS", format!("{},::1", four.ip()));
    // [::1] is one address for all that run beside us.
    let first = 20_000 + std::process::id() % 450 * 20;
    office.set("TSUNAGU_MEDIA_PORTS", format!("{first}-{}", first + 19));
    office.start();
    for by_tcp in [false, true] {
        let from = free_port();
        let ears = Ears::open();
        let call = Sipp::new("phone_calls", office.folder(), from, six)
            .set("number", 600)
            .set("caller", 1005)
            .set("password", "tsunagu-1005")
            .steps(&[Step::Pause(3_500)])
            .set("patience_ms", 1)
            .media_elsewhere(ears.port());
        let call = if by_tcp { call.over_tcp() } else { call };
        let call = call.start();
        let answer = wait::until("an answer with SDP", wait::PATIENCE, || {
            let text = call.messages();
            let (_, answer) = text.split_once("SIP/2.0 200 OK")?;
            let (head, body) = answer.split_once("\n\n")?;
            // What follows it: the trace has it whole.
            let (body, _) = body.split_once("\n---")?;
            let rtp = SocketAddr::from((Ipv6Addr::LOCALHOST, media_port(body)?));
            Some((head.to_owned(), body.to_owned(), rtp))
        });
        let (head, body, rtp) = answer;
        let heard = ears.talk(rtp, 440.0);
        call.succeed(wait::PATIENCE);

        let name = if by_tcp { "TCP" } else { "UDP" };
        let via = format!("Via: SIP/2.0/{name} [::1]:{}", from.port());
        assert!(head.contains(&via), "{via} in {head}");
        let contact = format!("@[::1]:{}", six.port());
        assert!(
            lines(&head, "Contact:").any(|line| line.contains(&contact)),
            "{contact} in {head}"
        );
        assert!(body.contains("c=IN IP6 ::1"), "{body}");
        assert!(
            lines(&body, "o=").all(|line| line.trim_end().ends_with("IN IP6 ::1")),
            "{body}"
        );
        assert!(seconds_of(&heard, 440.0) > 1.0, "the echo by {name}");
    }
    for record in office.records(2) {
        assert_whole(&record, &office.recordings());
        assert_eq!(record["from"], "1005");
    }
}

#[test]
fn openssl_is_answered_over_tls_and_its_verification_agrees() {
    let _turn = quiet::shared();
    let office = Secured::open("");
    let mut client = office.client(&[]);
    let answer = client.ask().expect("an answer");
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    assert!(
        lines(&answer, "Via:").any(|line| line.contains("SIP/2.0/TLS")),
        "{answer}"
    );
    // The judge can say no: a root that is not the certificate's.
    Authority::new().root_to(&office, "other.pem");
    assert_eq!(office.client_trusting("other.pem", &[]).ask(), None);
}

#[test]
fn without_the_certificate_that_is_required_there_is_no_connection() {
    let _turn = quiet::shared();
    let office = Secured::open("client_certificates = \"required\"\nclient_ca = \"tls/roots.pem\"");
    assert_eq!(office.client(&[]).ask(), None);
    office.failed_handshakes(1.0);

    // One of somebody else's, and one of the right authority.
    let address = office.office.block.host(PHONES).to_string();
    Authority::new().certify_to(&office, &address, "foreign");
    office.authority.certify_to(&office, &address, "phone");
    let shown = |name: &str| {
        let cert = office.path(&format!("{name}.pem"));
        let key = office.path(&format!("{name}-key.pem"));
        let arguments = ["-cert", &cert, "-key", &key];
        office.client(&arguments).ask()
    };
    assert_eq!(shown("foreign"), None);
    office.failed_handshakes(2.0);
    let answer = shown("phone").expect("an answer");
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
}

#[test]
fn a_new_certificate_is_for_new_handshakes_and_open_connections_stay() {
    let _turn = quiet::shared();
    let office = Secured::open("");
    let mut old = office.client(&[]);
    assert!(old.ask().is_some());

    let next = Authority::new();
    next.root_to(&office, "next.pem");
    next.certify_to(&office, &office.address(), "certificate");
    std::fs::rename(office.path("certificate-key.pem"), office.path("key.pem")).expect("renamed");
    assert!(
        office.client(&[]).ask().is_some(),
        "a file alone changes nothing"
    );
    office.office.ask(&["reload"]);

    assert!(old.ask().is_some(), "the open connection answers");
    assert!(
        office.client_trusting("next.pem", &[]).ask().is_some(),
        "a new handshake sees the new certificate"
    );
    assert_eq!(office.client(&[]).ask(), None, "and not the old one");
    assert!(old.ask().is_some(), "still");
}

#[test]
fn handshakes_that_never_end_are_cut_while_others_are_served() {
    let _turn = quiet::shared();
    let office = Secured::open("");
    // A record of TLS that promises 512 octets of ClientHello, and brings nine.
    let begun = [22, 3, 1, 2, 0, 1, 0, 1, 252];
    let mut half: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(office.tls).expect("a stream");
            stream.write_all(&begun).expect("written");
            stream
        })
        .collect();
    // Another trickles SIP inside of TLS and never ends its header.
    let mut trickling = office.client(&[]);
    trickling.write("OPTIONS sip:slow@x SIP/2.0\r\nVia: SIP/2.0/TLS ");
    assert!(office.client(&[]).ask().is_some(), "served meanwhile");
    office.failed_handshakes(50.0);
    for stream in &mut half {
        stream
            .set_read_timeout(Some(wait::PATIENCE))
            .expect("a socket");
        let end = std::io::Read::read(stream, &mut [0; 64]);
        assert!(
            matches!(end, Ok(0)) || end.is_err_and(|e| e.kind() != std::io::ErrorKind::WouldBlock),
            "cut"
        );
    }
    trickling.trickle_until_cut("x", Duration::from_secs(60));
    let cut = office
        .office
        .api
        .metric("tsunagu_sip_connections_by_fate_total{fate=\"cut\"}");
    assert!(cut >= 1.0);
    assert!(office.client(&[]).ask().is_some(), "served afterwards");
}

#[test]
fn a_phone_by_tls_hears_its_echo_and_calls_a_phone_by_udp() {
    let _turn = quiet::shared();
    let office = Secured::open("");
    let roots = office.path("roots.pem");
    let phone = |arguments: &[&str]| {
        let arguments = [&["--transport", "tls", "--play", "tone:440"], arguments].concat();
        OwnPhone::start_at(office.tls, &arguments).end()
    };
    for (trust, file) in [
        (vec!["--ca", &roots], "a.wav"),
        (vec!["--insecure"], "b.wav"),
    ] {
        let file = office.office.folder().join(file);
        let path = file.to_str().expect("a plain path");
        let rest = ["--call", "600", "--hang-up", "2", "--record", path];
        let (code, told) = phone(&[trust, rest.to_vec()].concat());
        assert_eq!(code, 0, "{told:?}");
        assert!(seconds_of(&read_wav(&file)[0], 440.0) > 0.8, "the echo");
    }
    // Trusting somebody else only, it does not even register.
    Authority::new().root_to(&office, "other.pem");
    let (code, told) = phone(&["--ca", &office.path("other.pem"), "--call", "600"]);
    assert_eq!(code, 3, "{told:?}");

    let wav = office.office.folder().join("callee.wav");
    let path = wav.to_str().expect("a plain path");
    let callee = ["--user", "1002", "--ring", "0.2", "--play", "tone:880"];
    let callee = [&callee[..], &["--record", path]].concat();
    let mut callee = OwnPhone::start(&office.office, &callee);
    callee.until("registered");
    let wav = office.office.folder().join("caller.wav");
    let path = wav.to_str().expect("a plain path");
    let rest = ["--call", "1002", "--hang-up", "1.5", "--record", path];
    let (code, told) = phone(&[&["--ca", &roots], &rest[..]].concat());
    assert_eq!(code, 0, "{told:?}");
    assert_eq!(callee.end().0, 0);
    for (file, hz) in [("caller.wav", 880.0), ("callee.wav", 440.0)] {
        let heard = read_wav(&office.office.folder().join(file));
        assert!(seconds_of(&heard[0], hz) > 0.5, "{hz} Hz in {file}");
    }
    for record in office.office.records(3) {
        assert_whole(&record, &office.office.recordings());
    }
}

/// An office that listens by TLS too, with a certificate for its address.
struct Secured {
    office: Office,
    authority: Authority,
    tls: SocketAddr,
}

impl Secured {
    /// `more` are further lines of `[sip.tls]`.
    fn open(more: &str) -> Self {
        let mut office = Office::prepare();
        let tls = office.block.at(SWITCH, 5_061);
        let sip = office.sip();
        office.set("TSUNAGU_SIP_LISTEN", format!("udp:{sip},tls:{tls}"));
        std::fs::create_dir(office.folder().join("config/tls")).expect("a writable folder");
        office.rewrite("node.toml", |text| {
            let files = "certificate = \"tls/certificate.pem\"\nkey = \"tls/key.pem\"";
            format!("{text}\n[sip.tls]\n{files}\n{more}\n")
        });
        let authority = Authority::new();
        let mut this = Self {
            office,
            authority,
            tls,
        };
        this.authority.root_to(&this, "roots.pem");
        let address = this.address();
        this.authority.certify_to(&this, &address, "certificate");
        std::fs::rename(this.path("certificate-key.pem"), this.path("key.pem")).expect("renamed");
        this.office.start();
        this
    }

    fn address(&self) -> String {
        self.tls.ip().to_string()
    }

    /// A file beside the certificates.
    fn path(&self, name: &str) -> String {
        let path = self.office.folder().join("config/tls").join(name);
        path.to_str().expect("a plain path").to_owned()
    }

    fn client(&self, arguments: &[&str]) -> Client {
        self.client_trusting("roots.pem", arguments)
    }

    /// `openssl s_client`, which wants a certificate for the switch's address from these roots.
    fn client_trusting(&self, roots: &str, arguments: &[&str]) -> Client {
        Client::start(self.tls, &self.path(roots), arguments)
    }

    /// Waits for so many handshakes that came to nothing.
    #[track_caller]
    fn failed_handshakes(&self, count: f64) {
        let name = "tsunagu_sip_connections_by_fate_total{fate=\"handshake_failed\"}";
        wait::until_true("failed handshakes", wait::PATIENCE, || {
            self.office.api.metric(name) >= count
        });
    }
}

/// A certificate authority of the scenario's own.
struct Authority {
    root: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        // Each its own name, or openssl takes one root for another.
        let name = hex::encode(&key.public_key_raw()[1..9]);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let root = params.self_signed(&key).expect("a root").pem();
        let issuer = Issuer::new(params, key);
        Self { root, issuer }
    }

    fn root_to(&self, office: &Secured, file: &str) {
        std::fs::write(office.path(file), &self.root).expect("a writable folder");
    }

    /// Writes a certificate for this address to `name`.pem, its key to `name`-key.pem.
    fn certify_to(&self, office: &Secured, address: &str, name: &str) {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        let address = address.parse().expect("an address");
        params.subject_alt_names.push(SanType::IpAddress(address));
        let key = KeyPair::generate().expect("a key");
        let made = params.signed_by(&key, &self.issuer).expect("a certificate");
        std::fs::write(office.path(&format!("{name}.pem")), made.pem()).expect("a folder");
        let path = office.path(&format!("{name}-key.pem"));
        std::fs::write(path, key.serialize_pem()).expect("a folder");
    }
}

/// A connection of `openssl s_client`; ended when dropped.
struct Client {
    child: Child,
    lines: Receiver<String>,
    asked: u32,
}

impl Client {
    fn start(switch: SocketAddr, roots: &str, arguments: &[&str]) -> Self {
        let ip = switch.ip().to_string();
        let mut child = Command::new("openssl")
            .args(["s_client", "-quiet", "-verify_return_error"])
            .args(["-connect", &switch.to_string(), "-verify_ip", &ip])
            .args(["-CAfile", roots])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            asked: 0,
        }
    }

    /// The answer to OPTIONS; `None` when the connection ends instead.
    #[track_caller]
    fn ask(&mut self) -> Option<String> {
        self.asked += 1;
        let id = format!("{}-{}", self.child.id(), self.asked);
        self.write(&format!(
            "OPTIONS sip:switch SIP/2.0\r\n\
             Via: SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bK{id}\r\n\
             From: <sip:judge@192.0.2.1>;tag={id}\r\n\
             To: <sip:switch>\r\n\
             Call-ID: {id}\r\n\
             CSeq: 1 OPTIONS\r\n\
             Max-Forwards: 70\r\n\
             Content-Length: 0\r\n\r\n"
        ));
        let mut answer = String::new();
        loop {
            match self.lines.recv_timeout(wait::PATIENCE) {
                Ok(line) if line.trim().is_empty() => return Some(answer),
                Ok(line) => answer += &format!("{line}\n"),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(late) => panic!("neither an answer nor an end: {late}"),
            }
        }
    }

    /// Writes; an end of the connection is told by who reads.
    fn write(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        let _ = stdin.write_all(text.as_bytes());
        let _ = stdin.flush();
    }

    /// Sends `piece` again and again, until the switch has had enough.
    #[track_caller]
    fn trickle_until_cut(&mut self, piece: &str, limit: Duration) {
        let begun = Instant::now();
        while self.child.try_wait().expect("a child of ours").is_none() {
            assert!(begun.elapsed() < limit, "nobody cuts it");
            self.write(piece);
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A mouth and an ear on `[::1]`.
struct Ears(UdpSocket);

impl Ears {
    fn open() -> Self {
        Self(UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("a free port"))
    }

    fn port(&self) -> u16 {
        self.0.local_addr().expect("a socket").port()
    }

    /// Says a tone for two seconds; what comes from there meanwhile.
    fn talk(&self, to: SocketAddr, hz: f64) -> Vec<i16> {
        self.0.set_nonblocking(true).expect("a socket");
        let voice: Vec<u8> = tone(hz, 2.0).into_iter().map(to_pcmu).collect();
        let mut heard = Vec::new();
        let mut buffer = [0; 1_500];
        let begun = Instant::now();
        for (count, frame) in (0u32..).zip(voice.chunks(160)) {
            let mut packet = vec![0x80, 0];
            packet.extend((count as u16).to_be_bytes());
            packet.extend((count * 160).to_be_bytes());
            packet.extend(0x0006_0006_u32.to_be_bytes());
            packet.extend(frame);
            let _ = self.0.send_to(&packet, to);
            while let Ok((length, from)) = self.0.recv_from(&mut buffer) {
                if from == to && length > 12 && buffer[1] & 0x7f == 0 {
                    heard.extend(buffer[12..length].iter().map(|&byte| from_pcmu(byte)));
                }
            }
            let due = Duration::from_millis(20) * (count + 1);
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        heard
    }
}

/// The port of the first `m=` line.
fn media_port(sdp: &str) -> Option<u16> {
    let line = lines(sdp, "m=audio ").next()?;
    line.split(' ').nth(1)?.parse().ok()
}

fn lines<'a>(text: &'a str, begin: &str) -> impl Iterator<Item = &'a str> {
    text.lines().filter(move |line| line.starts_with(begin))
}

/// An address on `[::1]` whose port is free for UDP and TCP.
fn free_port() -> SocketAddr {
    wait::until("a free port", wait::PATIENCE, || {
        let udp = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).ok()?;
        let at = udp.local_addr().ok()?;
        TcpListener::bind(at).ok().map(|_| at)
    })
}
