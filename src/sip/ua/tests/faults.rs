//! What must be refused, ignored or survived.

use super::*;
use crate::base::{Entropy, ShardId, Timestamp};
use crate::sip::ua::{Limits, Output, Settings, UserAgent};
use crate::sip::{Flow, HeaderName, Message, ParseError};

fn request(method: &str, headers: &str) -> String {
    format!(
        "{method} sip:bob@127.0.0.2 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{method}\r\n\
         From: <sip:a@a>;tag=1\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:a@127.0.0.1>\r\n{headers}\r\n"
    )
}

/// The answer to one request from nowhere.
fn answer(text: &str) -> Option<Message> {
    let mut world = World::new(1);
    world.inject(B, text.to_owned());
    let answer = world.sent.first().cloned();
    if world.names(B).contains(&"incoming") {
        let session = world.session_of(B);
        world.with(B, |ua, now| ua.reject(now, session, 480, &[]));
    }
    world.run_out();
    Some(Message::parse(answer?.bytes).unwrap())
}

#[test]
fn requests_are_refused_with_the_status_of_their_fault() {
    let to = "To: <sip:b@b>\r\n";
    let tagged = "To: <sip:b@b>;tag=00unknown\r\n";
    let text = "Content-Type: text/plain\r\nContent-Length: 2\r\n";
    for (method, headers, status) in [
        ("INVITE", to.to_owned(), 100),
        ("INVITE", format!("{to}Require: 100rel\r\n"), 100),
        ("INVITE", format!("{to}Require: dance, timer\r\n"), 420),
        ("INVITE", format!("{to}{text}"), 415),
        ("INVITE", format!("{to}Max-Forwards: 0\r\n"), 483),
        ("INVITE", tagged.to_owned(), 481),
        ("INVITE", format!("{to}Max-Forwards: 300\r\n"), 400),
        ("BYE", tagged.to_owned(), 481),
        ("BYE", to.to_owned(), 481),
        ("CANCEL", to.to_owned(), 481),
        ("PUBLISH", to.to_owned(), 405),
        ("SUBSCRIBE", to.to_owned(), 489),
        ("DANCE", to.to_owned(), 501),
    ] {
        let body = if headers.contains("Content-Length: 2") {
            "hi"
        } else {
            ""
        };
        let text = request(method, &headers) + body;
        let answer = answer(&text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(answer.status(), Some(status), "{text}");
        match status {
            405 | 501 => assert!(answer.header(HeaderName::Allow).is_some()),
            420 => assert_eq!(answer.tokens(HeaderName::Unsupported), ["dance"]),
            415 => assert!(answer.header(HeaderName::Accept).is_some()),
            100 => {}
            _ => assert!(answer.to().map_or(true, |to| to.tag().is_some())),
        }
    }
}

#[test]
fn stray_acks_and_responses_are_counted_and_dropped() {
    assert!(answer(&request("ACK", "To: <sip:b@b>;tag=2\r\n")).is_none());
    let mut world = World::new(2);
    world.inject(
        B,
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKno\r\nFrom: <sip:a@a>;tag=1\r\n\
         To: <sip:b@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n",
    );
    let stats = world.agents[B].stats();
    assert_eq!(stats.dropped.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert!(world.sent.is_empty());
}

#[test]
fn a_bad_start_line_is_answered_400_when_the_rest_is_readable() {
    let mut agent = super::world::agent(B, 1);
    let flow = Flow::udp(super::world::address(B), super::world::address(A));
    let good = request("INVITE", "To: <sip:b@b>\r\n");
    let bad = good.replacen("INVITE sip:bob@127.0.0.2 SIP/2.0", "INVITE\tsip: SIP", 1);
    let bytes = bytes::Bytes::from(bad);
    let error = Message::parse(bytes.clone()).unwrap_err();
    agent.handle_malformed(Timestamp::ZERO, flow, &bytes, &error);
    let Some(Output::Transmit { bytes, .. }) = agent.poll_output() else {
        panic!("no answer");
    };
    assert!(bytes.starts_with(b"SIP/2.0 400"));
    let noise = bytes::Bytes::from_static(b"\x00\x01\x02");
    agent.handle_malformed(Timestamp::ZERO, flow, &noise, &ParseError::StartLine("x"));
    assert!(agent.poll_output().is_none());
}

#[test]
fn past_the_limit_new_requests_get_503_and_calls_go_on() {
    let settings = Settings {
        shard: ShardId(1),
        limits: Limits {
            transactions: 2,
            retry_after: 7,
        },
        ..Settings::default()
    };
    let mut world = World::new(3);
    world.agents[B] = UserAgent::new(settings, Entropy::from_seed(3));
    let (ours, _) = world.connect();
    for _ in 0..4 {
        world.invite(A);
    }
    world.run_for(100);
    let refused = world.sent.iter().find(|sent| sent.what == "503 INVITE");
    let refused = Message::parse(refused.unwrap().bytes.clone()).unwrap();
    let after = refused.header_text(HeaderName::RetryAfter);
    assert_eq!(after.as_deref(), Some("7"));
    world.with(A, |ua, now| ua.bye(now, ours, &[]));
    world.run_for(100);
    assert_eq!(world.count("200 BYE"), 1);
    for session in world.events[B].clone() {
        if let crate::sip::ua::Event::Incoming { session, .. } = session {
            world.with(B, |ua, now| ua.reject(now, session, 480, &[]));
        }
    }
    world.run_out();
}

#[test]
fn a_broken_stream_moves_the_answer_to_where_the_request_said() {
    let mut world = World::new(4);
    world.protocol = crate::sip::Protocol::Tcp;
    let text = request("INVITE", "To: <sip:b@b>\r\n").replace("/UDP", "/TCP");
    let flow = Flow::tcp(
        super::world::address(B),
        "127.0.0.1:45000".parse().unwrap(),
        Some(crate::sip::ConnectionId(9)),
    );
    let message = Message::parse(text.into()).unwrap();
    world.with(B, |ua, now| ua.handle_message(now, flow, message));
    world.with(B, |ua, now| ua.handle_transport_error(now, &flow));
    let session = world.session_of(B);
    world.agents[B].reject(Timestamp::from_millis(1_000_000), session, 486, &[]);
    let mut flows = Vec::new();
    while let Some(output) = world.agents[B].poll_output() {
        if let Output::Transmit { flow, .. } = output {
            flows.push((flow.remote, flow.connection));
        }
    }
    assert_eq!(flows, [(super::world::address(A), None)]);
}

#[test]
fn noise_between_two_agents_never_breaks_them() {
    let mut world = World::new(5);
    world.connect();
    let seeds: Vec<_> = world.sent.iter().map(|sent| sent.bytes.to_vec()).collect();
    let mut entropy = Entropy::from_seed(6);
    for round in 0..20_000u64 {
        let mut bytes = seeds[(round % seeds.len() as u64) as usize].clone();
        for _ in 0..=entropy.below(6) {
            let at = entropy.below(bytes.len() as u64) as usize;
            match entropy.below(3) {
                0 => bytes[at] = entropy.u32() as u8,
                1 => {
                    bytes.remove(at);
                }
                _ => bytes.insert(at, b"\r\n;:<>@, "[entropy.below(9) as usize]),
            }
        }
        let bytes = bytes::Bytes::from(bytes);
        let to = (round % 2) as usize;
        let flow = world.flow(to);
        match Message::parse(bytes.clone()) {
            Ok(message) => world.agents[to].handle_message(world.now, flow, message),
            Err(error) => world.agents[to].handle_malformed(world.now, flow, &bytes, &error),
        }
        while world.agents[to].poll_output().is_some() {}
    }
    for agent in &mut world.agents {
        let mut now = world.now;
        while let Some(next) = agent.poll_timeout() {
            now = now.max(next);
            agent.handle_timeout(now);
            while let Some(output) = agent.poll_output() {
                if let Output::Event(crate::sip::ua::Event::Incoming { session, .. }) = output {
                    agent.reject(now, session, 480, &[]);
                }
            }
            if now > world.now + std::time::Duration::from_secs(600) {
                break;
            }
        }
    }
}
