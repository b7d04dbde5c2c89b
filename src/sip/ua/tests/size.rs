//! Requests too long for a datagram (RFC 3261 §18.1.1), and what a connection may become.

use super::world::{A, B, World, address};
use crate::base::{Entropy, Timestamp};
use crate::sip::ua::{Event, Output, Settings};
use crate::sip::{Flow, HeaderName, Message, Method, Protocol, UserAgent};

/// One agent that switches to TCP above 1300 octets, and what it sends for an INVITE of `length`.
fn sent(length: usize, target: &str) -> (UserAgent, Flow, Message) {
    let settings = Settings {
        advertised: vec![(Protocol::Udp, address(A)), (Protocol::Tcp, address(A))],
        longest_datagram: Some(1300),
        ..Settings::default()
    };
    let mut agent = UserAgent::new(settings, Entropy::from_seed(1));
    let mut invite = World::new(1).call(A);
    invite.next_hop = Flow::udp(address(A), address(B)).into();
    invite.uri = target.parse().unwrap();
    let subject = "x".repeat(length);
    invite.headers.push((HeaderName::Subject, subject));
    agent.invite(Timestamp::ZERO, invite).unwrap();
    let (flow, message) = transmitted(&mut agent).unwrap();
    (agent, flow, message)
}

fn transmitted(agent: &mut UserAgent) -> Option<(Flow, Message)> {
    while let Some(output) = agent.poll_output() {
        if let Output::Transmit { flow, bytes } = output {
            return Some((flow, Message::parse(bytes).unwrap()));
        }
    }
    None
}

fn target() -> String {
    format!("sip:bob@{}", address(B))
}

#[test]
fn a_long_request_goes_by_tcp_and_says_so() {
    let (_, flow, short) = sent(1, &target());
    assert_eq!(flow.protocol, Protocol::Udp);
    assert_eq!(short.top_via().unwrap().transport, "UDP");
    let (mut agent, flow, long) = sent(1300, &target());
    assert_eq!((flow.protocol, flow.remote), (Protocol::Tcp, address(B)));
    assert_eq!(long.top_via().unwrap().transport, "TCP");
    assert_eq!(long.validate_request(), Ok(()));
    // TCP delivers: nothing is repeated.
    agent.handle_timeout(Timestamp::from_millis(5000));
    assert!(transmitted(&mut agent).is_none());
}

#[test]
fn where_nobody_listens_it_goes_by_udp_after_all_and_the_next_at_once() {
    let (mut agent, stream, first) = sent(1300, &target());
    let now = Timestamp::from_millis(10);
    agent.handle_transport_error(now, &stream);
    let (flow, again) = transmitted(&mut agent).unwrap();
    assert_eq!((flow.protocol, flow.remote), (Protocol::Udp, address(B)));
    let (before, after) = (first.top_via().unwrap(), again.top_via().unwrap());
    assert_eq!(after.transport, "UDP");
    assert_eq!(after.branch(), before.branch());
    assert_eq!(again.call_id(), first.call_id());
    // UDP does not deliver by itself: it is repeated (Timer A).
    agent.handle_timeout(Timestamp::from_millis(510));
    assert!(transmitted(&mut agent).is_some());
    let mut invite = World::new(2).call(A);
    invite.next_hop = Flow::udp(address(A), address(B)).into();
    invite.uri = target().parse().unwrap();
    invite.headers.push((HeaderName::Subject, "x".repeat(1300)));
    agent.invite(now, invite).unwrap();
    let (flow, _) = transmitted(&mut agent).unwrap();
    assert_eq!(flow.protocol, Protocol::Udp);
    // And it ends, should nobody be there at all.
    let mut failed = 0;
    while let Some(next) = agent.poll_timeout() {
        agent.handle_timeout(next);
        while let Some(output) = agent.poll_output() {
            failed += usize::from(matches!(output, Output::Event(Event::Failed { .. })));
        }
    }
    assert_eq!((failed, agent.transaction_count()), (2, 0));
}

#[test]
fn through_a_nat_leads_the_flow_that_was_made_and_no_other() {
    let (_, flow, _) = sent(1300, "sip:bob@192.168.7.7:5060");
    assert_eq!(flow.protocol, Protocol::Udp);
    let (_, flow, _) = sent(1300, "sip:bob@carrier.example");
    assert_eq!(flow.protocol, Protocol::Tcp);
}

#[test]
fn who_was_answered_over_tcp_is_not_asked_again_by_udp() {
    let (mut agent, stream, invite) = sent(1300, &target());
    let trying = crate::sip::ResponseBuilder::response(&invite, 100, None).build();
    let trying = Message::parse(trying).unwrap();
    agent.handle_message(Timestamp::from_millis(5), stream, trying);
    agent.handle_transport_error(Timestamp::from_millis(10), &stream);
    assert!(transmitted(&mut agent).is_none());
}

#[test]
fn empty_lines_over_udp_are_no_mistake() {
    let mut agent = UserAgent::new(Settings::default(), Entropy::from_seed(1));
    let flow = Flow::udp(address(A), address(B));
    for datagram in ["\r\n\r\n", "\r\n", "\0\0\0\0"] {
        let bytes = bytes::Bytes::from_static(datagram.as_bytes());
        let error = Message::parse(bytes.clone()).unwrap_err();
        agent.handle_malformed(Timestamp::ZERO, flow, &bytes, &error);
    }
    let malformed = &agent.stats().malformed;
    assert_eq!(malformed.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[test]
fn an_alias_is_asked_of_the_transport_for_tls_alone() {
    for (protocol, asked) in [(Protocol::Tls, true), (Protocol::Tcp, false)] {
        let mut agent = UserAgent::new(Settings::default(), Entropy::from_seed(1));
        let text = format!(
            "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/{protocol} b.example;alias;branch=z9hG4bK1\r\n\
            From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\
            Max-Forwards: 70\r\n\r\n"
        );
        let request = Message::parse(text.into()).unwrap();
        assert_eq!(request.method(), Method::Options);
        let flow = Flow::new(protocol, address(A), address(B));
        agent.handle_message(Timestamp::ZERO, flow, request);
        let outputs = std::iter::from_fn(|| agent.poll_output());
        let aliases = outputs.filter(|output| matches!(output, Output::Alias { .. }));
        assert_eq!(aliases.count(), usize::from(asked));
    }
}
