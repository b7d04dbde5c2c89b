//! Mutated input for every parser that the network or an operator can reach. No panic, no endless
//! loop, and what prints parses again.
//!
//! `make test` runs a fixed seed for ten seconds a target; `make fuzz` a new seed for five minutes a
//! target. `FUZZ_SEED`, `FUZZ_SECONDS` (for each) and a test's name narrow it down. An input that
//! fails is kept below `target/fuzz/`. Lists of operations for transactions and dialogs are beside
//! them: `cargo test --lib fuzz_`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use std::net::SocketAddr;

use bytes::Bytes;
use serde_json::json;
use tsunagu::base::{Entropy, Timestamp};
use tsunagu::config::{self, Environment};
use tsunagu::expr::{AttributeIndex, Expression, OrderBy, Place, Schema, Scope};
use tsunagu::media::dtmf;
use tsunagu::media::rtcp;
use tsunagu::media::rtp;
use tsunagu::media::{Codec, FRAME_SAMPLES, jitter};
use tsunagu::sdp::{AudioCodec, CodecOrder, Description, Direction, LocalMedia, ReportTerms};
use tsunagu::sip::auth::{Challenger, Ha1};
use tsunagu::sip::ua::{Body, Event, Output, Settings, UserAgent};
use tsunagu::sip::{
    Flow, Frame, HeaderName, Message, NameAddr, StreamFramer, StreamLimits, Uri, Via,
};

#[test]
fn sip_messages() {
    fuzz("sip-messages", MESSAGES, |input| {
        let Ok(message) = Message::parse(Bytes::copy_from_slice(input)) else {
            return;
        };
        let _ = (message.method(), message.status(), message.reason_phrase());
        let _ = (message.request_uri(), message.top_via(), message.vias());
        let _ = (
            message.from(),
            message.to(),
            message.call_id(),
            message.cseq(),
        );
        let _ = (
            message.contacts(),
            message.max_forwards(),
            message.expires(),
        );
        let _ = (
            message.require(),
            message.supported(),
            message.content_type(),
        );
        let _ = (
            message.record_routes(),
            message.routes(),
            message.body().len(),
        );
        let _ = (message.validate_request(), message.header_lines().count());
        for name in [
            HeaderName::Authorization,
            HeaderName::Via,
            HeaderName::Contact,
        ] {
            let _ = message.values(name).count();
        }
    });
}

#[test]
fn sip_streams() {
    fuzz("sip-streams", MESSAGES, |input| {
        // However a stream is cut into reads, the same messages come out.
        let whole = frames(&[input]);
        let cut = input.len() / 3;
        assert_eq!(whole, frames(&[&input[..cut], &input[cut..]]));
        let bytewise: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(whole, frames(&bytewise));
    });
}

#[test]
fn digest_answers() {
    let mut challenger = Challenger::new("tsunagu", &mut Entropy::from_seed(1));
    let secret = Ha1::from_password("1001", "tsunagu", "tsunagu-1001");
    fuzz("digest-answers", &MESSAGES[2..], |input| {
        if let Ok(message) = Message::parse(Bytes::copy_from_slice(input)) {
            let now = Timestamp::from_millis(input.len() as i64);
            let _ = challenger.verify(now, [127, 0, 0, 1].into(), &message, |_| {
                Some(secret.clone())
            });
        }
    });
}

#[test]
fn a_user_agent_forgets_everything_in_time() {
    let agent = || UserAgent::new(Settings::default(), Entropy::from_seed(7));
    let mut ua = agent();
    let mut now = Timestamp::ZERO;
    let mut count = 0u32;
    let local: SocketAddr = "127.0.0.1:5060".parse().expect("an address");
    let remote: SocketAddr = "127.0.0.2:5060".parse().expect("an address");
    fuzz("user-agent", MESSAGES, |input| {
        let flow = Flow::udp(local, remote);
        let bytes = Bytes::copy_from_slice(input);
        match Message::parse(bytes.clone()) {
            Ok(message) => ua.handle_message(now, flow, message),
            Err(error) => ua.handle_malformed(now, flow, &bytes, &error),
        }
        count += 1;
        respond(&mut ua, now, count);
        now = now + Duration::from_millis(u64::from(count % 7) * 40);
        if ua.poll_timeout().is_some_and(|due| due <= now) {
            ua.handle_timeout(now);
            respond(&mut ua, now, count);
        }
        // Now and then everybody goes home: five minutes without a message leave nothing.
        if count.is_multiple_of(256) {
            for _ in 0..600 {
                now = now + Duration::from_millis(500);
                ua.handle_timeout(now);
                respond(&mut ua, now, 1);
            }
            assert_eq!(ua.transaction_count(), 0, "transactions are left over");
            assert_eq!(ua.session_count(), 0, "sessions are left over");
        }
    });
}

/// Rings, accepts, refuses or hangs up, by the number of the message.
fn respond(ua: &mut UserAgent, now: Timestamp, count: u32) {
    let body = Body::sdp(OFFER);
    while let Some(output) = ua.poll_output() {
        let Output::Event(event) = output else {
            continue;
        };
        match event {
            Event::Incoming { session, .. } => {
                ua.ring(now, session, 180, &[], None);
                match count % 3 {
                    0 => ua.accept(now, session, &[], Some(body.clone())),
                    1 => ua.reject(now, session, 486, &[]),
                    _ => ua.accept(now, session, &[], None),
                }
            }
            Event::Acknowledged { session, .. } => ua.bye(now, session, &[]),
            Event::Request { transaction, .. } => ua.respond(now, transaction, 200, &[], None),
            Event::Reoffer { session, .. } => ua.answer_reoffer(now, session, Some(body.clone())),
            _ => {}
        }
    }
}

#[test]
fn session_descriptions() {
    let local = LocalMedia {
        address: "127.0.0.1:20000".parse().expect("an address"),
        rtcp: None,
        codecs: AudioCodec::ALL.to_vec(),
        telephone_event: Some(101),
        dtmf_redundancy: true,
        comfort_noise: true,
        order: CodecOrder::Theirs,
        ptime_ms: 20,
        direction: Direction::SendRecv,
        reports: ReportTerms::default(),
        crypto: tsunagu::sdp::LocalCrypto::default(),
        session_id: 1,
        session_version: 1,
    };
    fuzz("session-descriptions", DESCRIPTIONS, |input| {
        let Ok(description) = Description::parse(input) else {
            return;
        };
        let printed = description.to_bytes();
        let again = Description::parse(&printed);
        let again = again.unwrap_or_else(|e| panic!("{}: {e}", String::from_utf8_lossy(&printed)));
        assert_eq!(
            String::from_utf8_lossy(&again.to_bytes()),
            String::from_utf8_lossy(&printed)
        );
        if let Ok((answer, _)) = tsunagu::sdp::answer(&local, &description, None) {
            // RFC 3264 §6: as many media lines as the offer, in its order.
            assert_eq!(media_lines(&answer.to_bytes()), media_lines(&printed));
        }
        let _ = tsunagu::sdp::accept_answer(&local, &description);
    });
}

fn media_lines(description: &[u8]) -> usize {
    description
        .split(|&b| b == b'\n')
        .filter(|line| line.starts_with(b"m="))
        .count()
}

#[test]
fn configurations() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let demo = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config");
    let names = [
        "node.toml",
        "trunks.toml",
        "phones.toml",
        "agents.toml",
        "queues.toml",
        "calendars.toml",
        "numbers.toml",
        "flows/main.toml",
    ];
    std::fs::create_dir(folder.path().join("flows")).expect("a writable folder");
    let corpus: Vec<Vec<u8>> = names
        .iter()
        .map(|name| std::fs::read(demo.join(name)).expect("a file of the demo office"))
        .collect();
    let corpus: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
    let environment: Environment = std::iter::empty::<(String, String)>().collect();
    let mut count = 0;
    fuzz("configurations", &corpus, |input| {
        // One file after the other is mutated, until it has been each one's turn.
        count += 1;
        let file = folder.path().join(names[count % names.len()]);
        std::fs::write(&file, input).expect("a writable folder");
        if let Err(report) = config::load(folder.path(), &environment) {
            assert!(!report.render(config::Style::Plain).is_empty());
        }
    });
}

#[test]
fn sip_uris_and_addresses_print_as_they_parse() {
    fuzz("sip-uris", ADDRESSES, |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        if let Ok(uri) = Uri::parse(text) {
            let printed = uri.to_string();
            let again = Uri::parse(&printed).unwrap_or_else(|e| panic!("{printed:?}: {e}"));
            assert_eq!(again.to_string(), printed);
        }
        if let Ok(address) = NameAddr::parse(text) {
            let printed = address.to_string();
            let again = NameAddr::parse(&printed).unwrap_or_else(|e| panic!("{printed:?}: {e}"));
            assert_eq!(again.to_string(), printed);
        }
        if let Ok(via) = Via::parse(text) {
            let printed = via.to_string();
            let again = Via::parse(&printed).unwrap_or_else(|e| panic!("{printed:?}: {e}"));
            assert_eq!(again.to_string(), printed);
        }
    });
}

#[test]
fn expressions() {
    let worker = json!({"skills": ["ja", "en"], "level": 3, "name": "佐藤"});
    let task = json!({"language": "ja", "customer": {"tier": "gold"}});
    let (worker, task) = (object(worker), object(task));
    let index = AttributeIndex::build([&worker]);
    let schema = Schema::default().workers([&worker]).tasks([&task]);
    fuzz("expressions", EXPRESSIONS, |input| {
        let text = String::from_utf8_lossy(input);
        match Expression::parse(&text) {
            Ok(expression) => {
                let holds = expression.eval(&Scope::new(&worker, &task));
                if let Some(candidates) = expression.candidates(&task, &index) {
                    assert!(!holds || candidates == [0]);
                }
                for lint in expression.check(Place::Queue, &schema) {
                    assert!(text.get(lint.span).is_some());
                }
            }
            Err(error) => assert!(text.get(error.span).is_some()),
        }
        if let Ok(order) = OrderBy::parse(&text) {
            assert!(order.compare(&worker, &worker).is_eq());
        }
    });
}

#[test]
fn rtp_digits_and_jitter() {
    let mut receiver = dtmf::Receiver::new();
    let mut reception = rtp::Reception::new();
    let mut buffer = jitter::Buffer::new(Codec::Pcmu);
    let mut frame = [0i16; FRAME_SAMPLES];
    fuzz("rtp", RTP, |input| {
        let _ = rtp::is_rtcp(input);
        if let Ok(packet) = rtp::Packet::parse(input) {
            let header = *packet.header();
            let _ = receiver.handle_packet(&header, packet.payload());
            reception.handle_packet(&header, Timestamp::from_millis(input.len() as i64));
            let pattern = reception.pattern();
            assert!(pattern.burst_density <= 1.0 && pattern.burst_ratio >= 1.0);
            let _ = buffer.insert(Timestamp::ZERO, &header, packet.payload());
        }
        let _ = buffer.pop(&mut frame);
    });
}

#[test]
fn rtcp_reports() {
    fuzz("rtcp", RTP, |input| {
        if let Ok(compound) = rtcp::Compound::parse(input) {
            let now = rtcp::NtpTime(input.len() as u64 * 0x0123_4567_89ab);
            compound.for_each(|item| match item {
                rtcp::Item::Report { block, .. } => drop(block.round_trip(now)),
                rtcp::Item::LastReceiverReport { last, .. } => drop(last.round_trip(now)),
                rtcp::Item::Voip { metrics, .. } => drop((metrics.buffer_ms(), metrics.conceals())),
                _ => {}
            });
        }
    });
}

/// All that a stream yields, fed in these pieces.
fn frames(pieces: &[&[u8]]) -> Vec<String> {
    let mut framer = StreamFramer::new(StreamLimits::default());
    let mut found = Vec::new();
    for piece in pieces {
        framer.push(piece);
        while let Some(frame) = framer.next() {
            match frame {
                Ok(Frame::KeepAlive) => found.push("keep-alive".to_owned()),
                Ok(Frame::Pong) => found.push("pong".to_owned()),
                Ok(Frame::Message(bytes)) => found.push(hex::encode(bytes)),
                Err(error) => {
                    found.push(error.to_string());
                    return found;
                }
            }
        }
    }
    found
}

/// Mutates the corpus until the time is over; the seed and the number of a failing input are told.
fn fuzz(target: &str, corpus: &[&[u8]], mut parse: impl FnMut(&[u8])) {
    let seed = variable("FUZZ_SEED").unwrap_or(20_26);
    let time = match variable("FUZZ_SECONDS") {
        Some(seconds) => Duration::from_secs(seconds),
        None => Duration::from_secs(2),
    };
    let mut chance = Chance(seed ^ 0x9e37_79b9_7f4a_7c15);
    let started = Instant::now();
    let mut count = 0u64;
    for input in corpus {
        parse(input);
    }
    while started.elapsed() < time {
        for _ in 0..64 {
            let input = mutated(corpus, &mut chance);
            count += 1;
            if catch_unwind(AssertUnwindSafe(|| parse(&input))).is_err() {
                let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
                let path = folder.join(format!("{target}-{seed}-{count}"));
                let _ = std::fs::create_dir_all(&folder);
                let _ = std::fs::write(&path, &input);
                panic!(
                    "{target}: input {count} of seed {seed}, kept in {}:\n{:?}",
                    path.display(),
                    String::from_utf8_lossy(&input)
                );
            }
        }
    }
    println!(
        "{target}: {count} inputs of seed {seed} in {:?}",
        started.elapsed()
    );
}

fn mutated(corpus: &[&[u8]], chance: &mut Chance) -> Vec<u8> {
    let mut input = corpus[chance.below(corpus.len())].to_vec();
    for _ in 0..=chance.below(6) {
        let at = chance.below(input.len() + 1);
        let end = at + chance.below(input.len() - at + 1).min(64);
        match chance.below(7) {
            0 if at < input.len() => input[at] ^= 1 << chance.below(8),
            1 if at < input.len() => input[at] = chance.next() as u8,
            2 => drop(input.drain(at..end)),
            3 => {
                let piece = input[at..end].to_vec();
                let to = chance.below(input.len() + 1);
                input.splice(to..to, piece);
            }
            4 => {
                let token = TOKENS[chance.below(TOKENS.len())];
                input.splice(at..end.min(at + chance.below(4)), token.iter().copied());
            }
            5 => {
                let other = corpus[chance.below(corpus.len())];
                let from = chance.below(other.len() + 1);
                input.truncate(at);
                input.extend(&other[from..]);
            }
            _ => {
                let times = 1 << chance.below(9);
                let byte = input.get(at).copied().unwrap_or(b'(');
                input.splice(at..at, std::iter::repeat_n(byte, times));
            }
        }
    }
    input
}

/// xorshift64*: enough for choosing, and the same everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit.max(1)
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn object(value: serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    value.as_object().cloned().expect("an object")
}

const TOKENS: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r\n ",
    b"\r\n\r\n",
    b",",
    b";",
    b"\"",
    b"\\",
    b"<",
    b">",
    b"%",
    b"%00",
    b"@",
    b":",
    b"[::1]",
    b"=",
    b"4294967296",
    b"-1",
    b"99999999999999999999",
    b"\0",
    b"\xff\xfe",
    b"Content-Length: 0\r\n",
    b"(((((((",
    b" NOT NOT ",
];

const MESSAGES: &[&[u8]] = &[
    b"INVITE sip:+81312345678@127.0.0.1:5060;user=phone SIP/2.0\r\n\
      Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-1;rport, SIP/2.0/TCP [::1]:5061;branch=z9\r\n\
      From: \"Trunk \\\"Caller\" <sip:+819012345678@127.0.0.2>;tag=1\r\n\
      To: <sip:+81312345678@127.0.0.1>\r\nCall-ID: abc@127.0.0.2\r\nCSeq: 1 INVITE\r\n\
      Contact: <sip:carrier@127.0.0.2:5060;transport=udp>\r\nMax-Forwards: 70\r\n\
      Record-Route: <sip:10.0.0.1;lr>,<sip:10.0.0.2;lr>\r\nSupported: timer, 100rel\r\n\
      Subject: folded\r\n  over two lines\r\nContent-Type: application/sdp\r\n\
      Content-Length: 82\r\n\r\n\
      v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n\
      m=audio 6000 RTP/AVP 0\r\n",
    b"SIP/2.0 401 Unauthorized\r\nv: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK-2;received=127.0.0.3\r\n\
      f: <sip:1001@127.0.0.1>;tag=2\r\nt: <sip:1001@127.0.0.1>;tag=3\r\ni: def\r\n\
      CSeq: 2 REGISTER\r\nWWW-Authenticate: Digest realm=\"tsunagu\", nonce=\"n\", qop=\"auth\"\r\n\
      l: 0\r\n\r\n",
    b"REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.2;branch=z9hG4bK-3\r\n\
      From: sip:1001@127.0.0.1;tag=4\r\nTo: sip:1001@127.0.0.1\r\nCall-ID: g\r\nCSeq: 3 REGISTER\r\n\
      Contact: *\r\nExpires: 0\r\nAuthorization: Digest username=\"1001\", realm=\"tsunagu\", \
      nonce=\"n\", uri=\"sip:127.0.0.1\", response=\"00\", nc=00000001, cnonce=\"c\", qop=auth\r\n\
      Content-Length: 0\r\n\r\n\r\n\r\n",
    b"CANCEL sip:+81312345678@127.0.0.1:5060;user=phone SIP/2.0\r\n\
      Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-1;rport\r\n\
      From: <sip:+819012345678@127.0.0.2>;tag=1\r\nTo: <sip:+81312345678@127.0.0.1>\r\n\
      Call-ID: abc@127.0.0.2\r\nCSeq: 1 CANCEL\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
];

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 20000 RTP/AVP 0\r\n";

const DESCRIPTIONS: &[&[u8]] = &[
    OFFER.as_bytes(),
    b"v=0\r\no=carrier 53655765 2353687637 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n\
      m=audio 6000 RTP/AVP 0 8 96 97\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n\
      a=rtpmap:97 red/8000\r\na=fmtp:97 96/96/96\r\n\
      a=ptime:20\r\na=sendrecv\r\nm=video 6002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n",
    b"v=0\no=- 1 2 IN IP6 ::1\ns=-\nc=IN IP6 ::1\nt=0 0\na=sendonly\nm=audio 6000 RTP/AVP 8\n\
      c=IN IP4 0.0.0.0\na=rtcp:6001\na=rtcp-mux\na=rtcp-xr:rcvr-rtt=all voip-metrics\na=inactive\nm=image 0 udptl t38\n",
];

const ADDRESSES: &[&[u8]] = &[
    b"sip:alice:secret@example.com:5061;transport=tcp;lr?subject=x&priority=urgent",
    b"sips:%61lice@[2001:db8::1]:5061;ttl=15",
    b"tel:+81-3-1234-5678;phone-context=example.com",
    b"\"Anna \\\"B\\\" \xe4\xbd\x90\xe8\x97\xa4\" <sip:anna@example.com;lr>;tag=abc;expires=60",
    b"sip:1001@127.0.0.1;tag=9",
    b"SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-1;rport=5062;received=127.0.0.3",
];

const EXPRESSIONS: &[&[u8]] = &[
    b"skills HAS 'ja' AND level >= 3",
    b"worker.level > 1 OR NOT (task.customer.tier == \"gold\")",
    "name == '佐藤' AND task.language IN ['ja', 'en']".as_bytes(),
    b"1 == 1 AND (true OR false) AND missing.path != null",
    b"worker[\"level\"] * 2 - 1 >= 5.25 AND 'ja' NOT IN task.languages OR name STARTSWITH 'x'",
    b"worker.level DESC, worker.age ASC",
];

const RTP: &[&[u8]] = &[
    b"\x80\x00\x00\x01\x00\x00\x00\xa0\x00\x00\x00\x07abcdefghijklmnopqrstuvwxyz",
    b"\x80\xe0\x00\x02\x00\x00\x01\x40\x00\x00\x00\x07\x01\x0a\x00\xa0",
    b"\x80\x60\x00\x03\x00\x00\x01\x40\x00\x00\x00\x07\x01\x8a\x03\x20",
    b"\x91\x08\x00\x04\x00\x00\x02\x00\x00\x00\x00\x07\x00\x00\x00\x09\xbe\xde\x00\x01\x10\x20\x00\x00audio",
    b"\x81\xc8\x00\x0c\x00\x00\x00\x07\xe1\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xa0\x00\x00\x00\x01\
      \x00\x00\x00\xa0\x00\x00\x00\x09\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\
      \x00\x00\x00\x05\x81\xca\x00\x02\x00\x00\x00\x07\x01\x01a\x00",
    // Extended: reference time, answer to ours, VoIP metrics (RFC 3611 §4.4, §4.5, §4.7).
    b"\x80\xc9\x00\x01\x00\x00\x00\x07\x80\xcf\x00\x11\x00\x00\x00\x07\x04\x00\x00\x02\x00\x00\x00\x01\
      \x00\x00\x00\x02\x05\x00\x00\x03\x00\x00\x00\x09\x00\x00\x00\x01\x00\x00\x00\x02\x07\x00\x00\x08\
      \x00\x00\x00\x09\x01\x02\x03\x04\x00\x05\x00\x06\x00\x07\x00\x08\x7f\x7f\x7f\x10\x5d\x7f\x2c\x2b\
      \xb0\x00\x00\x3c\x00\x3c\x00\x3c",
    // Goodbye with a reason, APP, transport feedback alone (RFC 5506).
    b"\x80\xc9\x00\x01\x00\x00\x00\x07\x81\xcb\x00\x02\x00\x00\x00\x07\x03bye",
    b"\x81\xcc\x00\x03\x00\x00\x00\x07nameDATA",
    b"\x81\xcd\x00\x03\x00\x00\x00\x07\x00\x00\x00\x09\x00\x01\x00\x00",
];
