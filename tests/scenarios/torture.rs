//! The messages of RFC 4475 and RFC 5118, each sent to the real switch over UDP and over TCP.
//!
//! A datagram comes from the port its Via names, so that an answer finds its way back. "No answer"
//! is known by an OPTIONS sent afterwards: once that is answered, nothing else will be.

use std::collections::HashSet;
use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use super::office::Office;
use super::wait;

/// What the switch is to do.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// Answer with one of these.
    Answer(&'static [u16]),
    /// Drop it: a response nobody waits for, or a message that cannot be cut out of its stream.
    Nothing,
}

use Expected::{Answer, Nothing};

/// A reader of all that is legal serves it: challenges, has no such user, or answers OPTIONS.
const SERVED: Expected = Answer(&[200, 401, 403, 404, 480]);
/// RFC 4475 asks for exactly this.
const BAD: Expected = Answer(&[400]);

/// Message, what a datagram of it meets, what a stream of it meets.
const TABLE: &[(&str, Expected, Expected)] = &[
    // RFC 4475 §3.1.1, valid messages.
    // Its To has a tag: it claims a dialog that does not exist.
    ("valid/wsinv", Answer(&[481]), Answer(&[481])),
    ("valid/intmeth", Answer(&[405, 501]), Answer(&[405, 501])),
    ("valid/esc01", SERVED, SERVED),
    ("valid/escnull", SERVED, SERVED),
    ("valid/esc02", Answer(&[405, 501]), Answer(&[405, 501])),
    ("valid/lwsdisp", SERVED, SERVED),
    ("valid/longreq", SERVED, SERVED),
    // Two in one datagram: the second is what follows the body and is dropped (RFC 3261 §18.3).
    ("valid/dblreq", SERVED, SERVED),
    ("valid/semiuri", SERVED, SERVED),
    ("valid/transports", SERVED, SERVED),
    ("valid/mpart01", Answer(&[405, 501]), Answer(&[405, 501])),
    ("valid/unreason", Nothing, Nothing),
    ("valid/noreason", Nothing, Nothing),
    // RFC 4475 §3.1.2, invalid messages.
    ("invalid/badinv01", BAD, BAD),
    // Over UDP the datagram's end contradicts Content-Length. A stream brings the rest.
    ("invalid/clerr", BAD, Answer(&[400, 401, 404])),
    // "If a request like this arrives over TCP, the framing error is not recoverable, and the
    // connection should be closed."
    ("invalid/ncl", BAD, Nothing),
    ("invalid/scalar02", BAD, BAD),
    ("invalid/scalarlg", Nothing, Nothing),
    ("invalid/quotbal", BAD, BAD),
    ("invalid/ltgtruri", BAD, BAD),
    ("invalid/lwsruri", BAD, BAD),
    ("invalid/lwsstart", BAD, BAD),
    ("invalid/trws", BAD, BAD),
    ("invalid/escruri", BAD, BAD),
    // "An element may treat it as the date it does not understand": we do not read Date.
    ("valid/baddate", SERVED, SERVED),
    ("invalid/regbadct", BAD, BAD),
    ("invalid/badaspec", BAD, BAD),
    ("invalid/baddn", BAD, BAD),
    ("invalid/badvers", Answer(&[505]), Answer(&[505])),
    ("invalid/mismatch01", BAD, BAD),
    (
        "invalid/mismatch02",
        Answer(&[400, 501]),
        Answer(&[400, 501]),
    ),
    ("invalid/bigcode", Nothing, Nothing),
    // RFC 4475 §3.2, transaction layer.
    ("valid/badbranch", SERVED, SERVED),
    // RFC 4475 §3.3, application layer.
    ("invalid/insuf", BAD, BAD),
    ("invalid/unkscm", Answer(&[416]), Answer(&[416])),
    ("invalid/novelsc", Answer(&[416]), Answer(&[416])),
    // "SHOULD be rejected with 400 or 403, or pass as any unknown user."
    (
        "valid/unksm2",
        Answer(&[400, 401, 403, 404]),
        Answer(&[400, 401, 403, 404]),
    ),
    ("valid/bext01", Answer(&[420]), Answer(&[420])),
    ("valid/invut", Answer(&[415]), Answer(&[415])),
    ("valid/regaut01", Answer(&[401]), Answer(&[401])),
    ("invalid/multi01", BAD, BAD),
    ("invalid/mcl01", BAD, Nothing),
    ("valid/bcast", Nothing, Nothing),
    // The user agent it names is us: Max-Forwards 0 is no obstacle (RFC 3261 §11).
    ("valid/zeromf", Answer(&[200, 483]), Answer(&[200, 483])),
    ("valid/cparam01", SERVED, SERVED),
    ("valid/cparam02", SERVED, SERVED),
    ("valid/regescrt", SERVED, SERVED),
    (
        "valid/sdp01",
        Answer(&[401, 404, 406]),
        Answer(&[401, 404, 406]),
    ),
    // RFC 4475 §3.4, from RFC 2543's time.
    // It has no Contact, which a dialog of RFC 3261 §12.1.1 cannot do without: 400 is ours.
    ("valid/inv2543", BAD, BAD),
    // RFC 5118 §4.
    ("ipv6/ipv6-good", SERVED, SERVED),
    ("ipv6/ipv6-bad", BAD, BAD),
    ("ipv6/port-ambiguous", SERVED, SERVED),
    ("ipv6/port-unambiguous", SERVED, SERVED),
    // No such dialog: read, and answered.
    (
        "ipv6/via-received-param-with-delim",
        Answer(&[481]),
        Answer(&[481]),
    ),
    (
        "ipv6/via-received-param-no-delim",
        Answer(&[481]),
        Answer(&[481]),
    ),
    (
        "ipv6/ipv6-in-sdp",
        Answer(&[401, 404, 488]),
        Answer(&[401, 404, 488]),
    ),
    ("ipv6/mult-ip-in-header", Answer(&[481]), Answer(&[481])),
    ("ipv6/mult-ip-in-sdp", SERVED, SERVED),
    ("ipv6/ipv4-mapped-ipv6", SERVED, SERVED),
    (
        "ipv6/ipv6-bug-abnf-3-colons",
        Answer(&[200, 400]),
        Answer(&[200, 400]),
    ),
    ("ipv6/ipv6-correct-abnf-2-colons", SERVED, SERVED),
];

#[test]
fn every_message_of_rfc_4475_and_5118_is_answered_as_they_say() {
    assert_eq!(TABLE.len(), 49 + 12);
    let mut wrong = 0;
    let mut table = String::new();
    let datagrams = |row: &(&'static str, Expected, Expected)| (row.0, row.1);
    let streams = |row: &(&'static str, Expected, Expected)| (row.0, row.2);
    let rows = [
        ("UDP", TABLE.iter().map(datagrams).collect::<Vec<_>>()),
        ("TCP", TABLE.iter().map(streams).collect()),
    ];
    for (transport, rows) in rows {
        let mut office = Office::open();
        let mut known = HashSet::new();
        for (index, (name, expected)) in rows.into_iter().enumerate() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/torture");
            let message = std::fs::read(path.join(format!("{name}.sip"))).expect("a test message");
            let via = first_via(&message);
            // Many of the messages share a branch. What comes second would be a repeat of the
            // first (RFC 3261 §17.2.3), so it goes to another switch.
            if !known.insert(via.clone()) {
                office = Office::open();
                known = HashSet::from([via.clone()]);
            }
            // Another address each: a source that sends rubbish only is not served for long.
            let host = u8::try_from(100 + index).expect("fewer than 156 messages");
            let from = office.block.at(host, port_of(&via));
            let seen = match transport {
                "UDP" => by_datagram(from, office.sip(), &message),
                _ => by_stream(from, office.sip(), &message),
            };
            let is_right = match expected {
                Answer(statuses) => seen.is_some_and(|seen| statuses.contains(&seen)),
                Nothing => seen.is_none(),
            };
            let seen = seen.map_or_else(|| "-".to_owned(), |status| status.to_string());
            let verdict = if is_right { "as it should" } else { "WRONG" };
            let expected = expected.to_string();
            table += &format!("{transport}  {name:<36} {seen:>3}  of {expected:<20} {verdict}\n");
            wrong += usize::from(!is_right);
        }
    }
    println!("{table}");
    assert_eq!(wrong, 0, "\n{table}");
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer(statuses) => {
                let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
                f.write_str(&statuses.join("/"))
            }
            Nothing => f.write_str("no answer"),
        }
    }
}

/// The final status a datagram meets.
fn by_datagram(from: SocketAddr, to: SocketAddr, message: &[u8]) -> Option<u16> {
    let socket = UdpSocket::bind(from).expect("a free port");
    let probing = UdpSocket::bind((from.ip(), 0)).expect("a free port");
    for socket in [&socket, &probing] {
        let turn = Some(Duration::from_millis(20));
        socket.set_read_timeout(turn).expect("a socket");
    }
    socket.send_to(message, to).expect("loopback");
    let probe = probe("UDP", probing.local_addr().expect("bound"));
    let mut buffer = [0; 65_536];
    let mut is_probed = false;
    let deadline = Instant::now() + wait::PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = receive(&socket, &mut buffer).filter(|status| *status >= 200) {
            return Some(status);
        }
        if is_probed {
            return None;
        }
        probing.send_to(probe.as_bytes(), to).expect("loopback");
        is_probed = receive(&probing, &mut buffer).is_some();
    }
    panic!("the switch answers no OPTIONS");
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<u16> {
    match socket.recv(buffer) {
        Ok(length) => status_of(&buffer[..length]),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        Err(error) => panic!("{error}"),
    }
}

/// The final status a stream meets before its probe is answered or the switch closes it.
fn by_stream(from: SocketAddr, to: SocketAddr, message: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(to).expect("a listener");
    let probe = probe("TCP", SocketAddr::new(from.ip(), 5060));
    stream
        .set_read_timeout(Some(wait::PATIENCE))
        .expect("a socket");
    stream.write_all(message).expect("loopback");
    stream.write_all(&rest_of(message)).expect("loopback");
    // In a stream that is still whole the probe comes behind the message and is answered behind
    // it; in a broken one it is part of the debris.
    let _ = stream.write_all(probe.as_bytes());
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    loop {
        let status = final_status(&seen);
        if status.is_some() || seen.contains(PROBE) {
            return status;
        }
        match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(length) => seen += &String::from_utf8_lossy(&buffer[..length]),
            // Cut, with what it had not read.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("neither an answer nor an end: {error}"),
        }
    }
}

/// Of the responses in a stream, the first final one that is not the probe's.
fn final_status(seen: &str) -> Option<u16> {
    let responses = seen.split("SIP/2.0 ").filter(|part| !part.contains(PROBE));
    let mut statuses = responses.filter_map(|part| part.get(..3)?.parse::<u16>().ok());
    statuses.find(|status| *status >= 200)
}

/// In every answer to a probe.
const PROBE: &str = "torture-probe";

fn probe(transport: &str, here: SocketAddr) -> String {
    format!(
        "OPTIONS sip:nobody@example.com SIP/2.0\r\n\
         Via: SIP/2.0/{transport} {here};branch=z9hG4bKtorture-probe;rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:judge@example.com>;tag=torture-probe\r\n\
         To: <sip:nobody@example.com>\r\n\
         Call-ID: torture-probe-{here}\r\n\
         CSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

fn status_of(message: &[u8]) -> Option<u16> {
    let rest = message.strip_prefix(b"SIP/2.0 ")?;
    std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
}

/// What Content-Length promises beyond the message, within reason.
fn rest_of(message: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(message);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let promised = lines.find_map(|line| line.strip_prefix("Content-Length: "));
    let promised = promised.and_then(|length| length.trim().parse::<usize>().ok());
    let missing = promised.unwrap_or_default().saturating_sub(body.len());
    vec![b' '; if missing < 65_536 { missing } else { 0 }]
}

/// The first Via of a message, as one line.
fn first_via(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let text = text.replace("\r\n ", " ").replace("\r\n\t", " ");
    let via = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        matches!(name.trim().to_ascii_lowercase().as_str(), "v" | "via").then_some(value)
    });
    via.unwrap_or_default().trim().to_owned()
}

/// Where answers to it go (RFC 3261 §18.2.2).
fn port_of(via: &str) -> u16 {
    let sent_by = via.split([';', ',']).next().unwrap_or_default();
    let port = match sent_by.rsplit_once(']') {
        Some((_, rest)) => rest.strip_prefix(':'),
        None => sent_by.rsplit_once(':').map(|(_, port)| port.trim()),
    };
    port.and_then(|port| port.parse().ok()).unwrap_or(5060)
}
