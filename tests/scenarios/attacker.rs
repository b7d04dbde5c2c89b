//! Somebody with sockets of his own: sends whatever he likes from any address of the block.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tsunagu::base::Entropy;
use tsunagu::sip::auth::{Credentials, answer};
use tsunagu::sip::{Message, Method, Uri};

use super::wait;

/// A UDP socket and what it takes to speak SIP by hand.
pub(crate) struct Attacker {
    socket: UdpSocket,
    target: SocketAddr,
    count: u32,
}

impl Attacker {
    /// At `local` (port 0: any), against `target`.
    pub(crate) fn at(local: SocketAddr, target: SocketAddr) -> Self {
        let socket = UdpSocket::bind(local).expect("a free port");
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("a socket option");
        Self {
            socket,
            target,
            count: 0,
        }
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.socket.local_addr().expect("bound")
    }

    /// Sends octets as they are.
    pub(crate) fn send(&self, octets: impl AsRef<[u8]>) {
        // A full buffer loses, as a network does.
        let _ = self.socket.send_to(octets.as_ref(), self.target);
    }

    /// The head of a new request up to Call-ID and CSeq, with a branch of its own.
    pub(crate) fn head(&mut self, method: &str, uri: &str, from: &str, to: &str) -> String {
        self.count += 1;
        let (local, count) = (self.local(), self.count);
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bK{}x{count}\r\n\
             Max-Forwards: 70\r\nFrom: <{from}>;tag=f{count}\r\nTo: <{to}>\r\n\
             Call-ID: {count}@{local}\r\nCSeq: 1 {method}\r\nContact: <sip:x@{local}>\r\n",
            std::process::id()
        )
    }

    /// The next message, if one comes in time.
    pub(crate) fn next(&self, patience: Duration) -> Option<String> {
        let until = Instant::now() + patience;
        let mut buffer = [0; 65_535];
        while Instant::now() < until {
            if let Ok((length, _)) = self.socket.recv_from(&mut buffer) {
                return Some(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
        }
        None
    }

    /// The next message that begins so.
    #[track_caller]
    pub(crate) fn expect(&self, beginning: &str) -> String {
        wait::until(beginning, wait::PATIENCE, || {
            self.next(Duration::from_millis(100))
                .filter(|message| message.starts_with(beginning))
        })
    }

    /// Sends a request and returns its final answer, with silence as `None`.
    pub(crate) fn ask(&self, request: &str, patience: Duration) -> Option<String> {
        while self.next(Duration::from_millis(1)).is_some() {}
        self.send(request);
        let until = Instant::now() + patience;
        while Instant::now() < until {
            let answer = self.next(Duration::from_millis(100));
            if answer.as_ref().is_some_and(|text| status(text) >= 200) {
                return answer;
            }
        }
        None
    }

    /// A REGISTER of `user` with credentials for the challenge of `answer`, if there is one.
    pub(crate) fn register(
        &mut self,
        (user, password): (&str, &str),
        challenge: Option<&str>,
        more: &str,
    ) -> String {
        let uri = format!("sip:{}", self.target.ip());
        let aor = format!("sip:{user}@{}", self.target.ip());
        let mut request = self.head("REGISTER", &uri, &aor, &aor);
        if let Some(challenge) = challenge {
            request += &authorization(challenge, "REGISTER", &uri, (user, password));
        }
        request + more + "Content-Length: 0\r\n\r\n"
    }

    /// Registers: challenge, then credentials; the final answer.
    pub(crate) fn try_password(&mut self, user: &str, password: &str) -> Option<String> {
        let first = self.register((user, password), None, "");
        let challenge = self.ask(&first, Duration::from_secs(2))?;
        if status(&challenge) != 401 {
            return Some(challenge);
        }
        let second = self.register((user, password), Some(&challenge), "");
        self.ask(&second, Duration::from_secs(2))
    }
}

/// The status of a response; 0 for a request.
pub(crate) fn status(text: &str) -> u16 {
    let status = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3));
    status.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A header line's value.
pub(crate) fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.strip_prefix(": ")).unwrap_or("")
}

/// The Authorization line for a challenge.
pub(crate) fn authorization(
    challenge: &str,
    method: &str,
    uri: &str,
    (user, password): (&str, &str),
) -> String {
    let challenge = Message::parse(challenge.to_owned().into()).expect("a SIP message");
    let method = match method {
        "INVITE" => Method::Invite,
        _ => Method::Register,
    };
    let uri = Uri::parse(uri).expect("a URI");
    let secret = Credentials::new(user, password);
    let mut entropy = Entropy::from_seed(1);
    let (name, value) = answer(&challenge, &method, &uri, &secret, &mut entropy, 1).expect("known");
    format!("{name}: {value}\r\n")
}

/// A stream from `from`.
pub(crate) fn stream(from: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect_timeout(&to.into(), Duration::from_secs(5))?;
    let stream: TcpStream = socket.into();
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

/// Writes until the other side has enough; whether it closed.
pub(crate) fn pour(mut stream: TcpStream, octets: &[u8], most: usize) -> bool {
    let mut poured = 0;
    while poured < most {
        match stream.write(octets) {
            Ok(length) => poured += length,
            Err(_) => return true,
        }
    }
    let mut buffer = [0; 1024];
    matches!(stream.read(&mut buffer), Ok(0)) || stream.write(octets).is_err()
}

/// Something done again and again until dropped.
pub(crate) struct Attack {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Attack {
    /// Does `blow` over and over, some thousand times a second at the most.
    pub(crate) fn begin(mut blow: impl FnMut(u64) + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let end = over.clone();
        let thread = std::thread::spawn(move || {
            let mut count = 0;
            while !end.load(Ordering::Relaxed) {
                for _ in 0..20 {
                    blow(count);
                    count += 1;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            count
        });
        Self {
            over,
            thread: Some(thread),
        }
    }

    /// Ends it; how many blows there were.
    pub(crate) fn end(mut self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("ended once");
        thread.join().expect("an attack without a panic")
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
