//! Requests outside dialogs, and digest.

use super::*;
use crate::sip::auth::Credentials;
use crate::sip::ua::{Body, Event, OutOfDialog, ServerTransactionId, SessionId};
use crate::sip::{Failure, HeaderName, Message, Method, ResponseBuilder};

const CHALLENGE: &str = r#"Digest realm="r", nonce="n", qop="auth", algorithm=MD5"#;

fn options(world: &World, method: Method) -> OutOfDialog {
    let invite = world.call(A);
    OutOfDialog {
        manners: None,
        routes: Vec::new(),
        series: None,
        contact: None,
        method,
        next_hop: invite.next_hop,
        uri: invite.uri,
        from: invite.from,
        to: invite.to,
        headers: vec![(HeaderName::Subject, "hello".to_owned())],
        body: None,
        credentials: Some(Credentials::new("alice", "secret")),
    }
}

/// Answers `status` to what has no credentials and 200 to what has.
fn demanding(status: u16) -> impl Fn(&mut World, usize, &Event) {
    move |world, agent, event| {
        let (name, header) = match status {
            401 => (HeaderName::WwwAuthenticate, HeaderName::Authorization),
            _ => (
                HeaderName::ProxyAuthenticate,
                HeaderName::ProxyAuthorization,
            ),
        };
        let challenge = [(name, CHALLENGE.to_owned())];
        match event {
            Event::Request {
                transaction,
                request,
                ..
            } => {
                let transaction: ServerTransactionId = *transaction;
                let is_known = request.header(header).is_some();
                world.with(agent, |ua, now| match is_known {
                    true => ua.respond(now, transaction, 200, &[], None),
                    false => ua.respond(now, transaction, status, &challenge, None),
                });
            }
            Event::Incoming {
                session, request, ..
            } => {
                let session = *session;
                let is_known = request.header(header).is_some();
                world.with(agent, |ua, now| match is_known {
                    true => ua.accept(now, session, &[], Some(Body::sdp("answer"))),
                    false => ua.reject(now, session, status, &challenge),
                });
            }
            _ => {}
        }
    }
}

fn final_status(world: &World) -> Result<u16, Failure> {
    match world.events[A].last() {
        Some(Event::Response { response, .. }) => {
            response.clone().map(|response| response.status().unwrap())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn requests_are_answered_by_the_call_room() {
    let mut world = World::new(1);
    world.reflex(|world, agent, event| {
        if let Event::Request {
            transaction,
            request,
            ..
        } = event
        {
            assert_eq!(request.method(), Method::Options);
            assert!(request.header(HeaderName::Subject).is_some());
            let transaction = *transaction;
            world.with(agent, |ua, now| {
                ua.respond(now, transaction, 200, &[], None)
            });
        }
    });
    let request = options(&world, Method::Options);
    world.with(A, |ua, now| ua.request(now, request)).unwrap();
    world.run_out();
    assert_eq!(world.kinds(), ["OPTIONS", "200 OPTIONS"]);
    assert_eq!(final_status(&world), Ok(200));
    let ok = Message::parse(world.sent[1].bytes.clone()).unwrap();
    assert!(ok.tokens(HeaderName::Allow).contains(&"INVITE".to_owned()));
}

#[test]
fn a_challenge_is_answered_once() {
    for status in [401, 407] {
        let mut world = World::new(2);
        world.reflex(demanding(status));
        let request = options(&world, Method::Register);
        world.with(A, |ua, now| ua.request(now, request)).unwrap();
        world.run_out();
        assert_eq!(world.count("REGISTER"), 2);
        assert_eq!(final_status(&world), Ok(200));
    }
}

#[test]
fn a_second_challenge_is_the_answer() {
    let mut world = World::new(3);
    world.reflex(|world, agent, event| {
        if let Event::Request { transaction, .. } = event {
            let transaction = *transaction;
            let challenge = [(HeaderName::WwwAuthenticate, CHALLENGE.to_owned())];
            world.with(agent, |ua, now| {
                ua.respond(now, transaction, 401, &challenge, None);
            });
        }
    });
    let request = options(&world, Method::Register);
    world.with(A, |ua, now| ua.request(now, request)).unwrap();
    world.run_out();
    assert_eq!(world.count("REGISTER"), 2);
    assert_eq!(final_status(&world), Ok(401));
}

#[test]
fn a_challenged_invite_goes_on_as_one_session() {
    for loss in [0, 200] {
        let mut world = World::new(4);
        world.loss = loss;
        world.reflex(demanding(407));
        let mut invite = world.call(A);
        invite.credentials = Some(Credentials::new("alice", "secret"));
        let session = world.place(A, invite);
        world.run_for(30_000);
        assert_eq!(world.names(A), ["answered"]);
        let invites: Vec<_> = world
            .sent
            .iter()
            .filter(|sent| sent.what == "INVITE")
            .map(|sent| Message::parse(sent.bytes.clone()).unwrap())
            .collect();
        let (first, last) = (&invites[0], &invites[invites.len() - 1]);
        assert_eq!(first.call_id(), last.call_id());
        assert_eq!(first.from(), last.from());
        assert_eq!(first.body(), last.body());
        assert_eq!(last.cseq().unwrap().number, 2);
        let ack = world
            .sent
            .iter()
            .rev()
            .find(|sent| sent.what == "ACK")
            .unwrap();
        let ack = Message::parse(ack.bytes.clone()).unwrap();
        assert_eq!(ack.cseq().unwrap().number, 2);
        world.with(A, |ua, now| ua.bye(now, session, &[]));
        world.run_out();
        assert_eq!(world.names(A), ["answered", "ended: local bye"]);
    }
}

#[test]
fn a_request_nobody_answers_fails_and_is_forgotten() {
    let mut world = World::new(5);
    let request = options(&world, Method::Options);
    world.with(A, |ua, now| ua.request(now, request)).unwrap();
    world.run_out();
    assert_eq!(final_status(&world), Err(Failure::Timeout));
    assert_eq!(world.names(B), ["request"]);
}

#[test]
fn a_request_that_came_twice_is_asked_about_once() {
    let mut world = World::new(6);
    world.filter = Box::new(|sent| sent.from == A);
    let request = options(&world, Method::Options);
    world.with(A, |ua, now| ua.request(now, request)).unwrap();
    world.run_for(5000);
    assert!(world.count("OPTIONS") > 2);
    assert_eq!(world.names(B), ["request"]);
    world.run_out();
}

/// A's call to B, which was challenged and answered.
fn challenged_call(world: &mut World) -> SessionId {
    world.reflex(demanding(407));
    let mut invite = world.call(A);
    invite.credentials = Some(Credentials::new("alice", "secret"));
    let session = world.place(A, invite);
    world.run_for(100);
    assert_eq!(world.names(A), ["answered"]);
    session
}

/// B's proxy refuses the last request of a kind with another challenge.
fn challenge_again(world: &mut World, method: &str, challenge: &str) {
    let request = world.sent.iter().rev().find(|sent| sent.what == method);
    let request = Message::parse(request.unwrap().bytes.clone()).unwrap();
    let response = ResponseBuilder::response(&request, 407, None)
        .to_tag("proxy")
        .header(HeaderName::ProxyAuthenticate, challenge)
        .build();
    world.inject(A, response);
}

fn nonce_of(world: &World, what: &str) -> Option<String> {
    let sent = world.sent.iter().rev().find(|sent| sent.what == what)?;
    let message = Message::parse(sent.bytes.clone()).unwrap();
    let value = message.header_text(HeaderName::ProxyAuthorization)?;
    let rest = value.split_once("nonce=\"")?.1;
    Some(rest.split_once('"')?.0.to_owned())
}

#[test]
fn a_bye_whose_nonce_ran_out_is_sent_again() {
    let mut world = World::new(7);
    let session = challenged_call(&mut world);
    world.filter = Box::new(|sent| sent.what != "BYE");
    world.with(A, |ua, now| ua.bye(now, session, &[]));
    assert_eq!(nonce_of(&world, "BYE").as_deref(), Some("n"));
    // The proxy does not say that the old one is stale.
    challenge_again(&mut world, "BYE", &CHALLENGE.replace("\"n\"", "\"n2\""));
    assert_eq!(nonce_of(&world, "BYE").as_deref(), Some("n2"));
    // That was its one chance.
    challenge_again(&mut world, "BYE", &CHALLENGE.replace("\"n\"", "\"n3\""));
    assert_eq!(world.count("BYE"), 2);
    assert_eq!(world.names(A), ["answered", "ended: local bye"]);
    world.filter = Box::new(|_| true);
    let theirs = world.events[B].iter().rev().find_map(|event| match event {
        Event::Incoming { session, .. } => Some(*session),
        _ => None,
    });
    world.with(B, |ua, now| ua.bye(now, theirs.unwrap(), &[]));
    world.run_out();
}

#[test]
fn a_callee_behind_the_proxy_is_not_answered() {
    let callee = r#"Digest realm="callee", nonce="x", qop="auth""#;
    // In the call that taught us who the carrier is, and in the next.
    for is_known in [false, true] {
        let mut world = World::new(8);
        let credentials = Credentials::new("alice", "secret");
        if is_known {
            world.reflex(demanding(401));
            let mut request = options(&world, Method::Register);
            request.credentials = Some(credentials.clone());
            world.with(A, |ua, now| ua.request(now, request)).unwrap();
            world.run_for(100);
        }
        world.reflex(|_, _, _| {});
        world.filter = Box::new(|_| false);
        let mut invite = world.call(A);
        invite.credentials = Some(credentials);
        world.place(A, invite);
        if !is_known {
            challenge_again(&mut world, "INVITE", CHALLENGE);
        }
        let before = world.count("INVITE");
        challenge_again(&mut world, "INVITE", callee);
        assert_eq!(world.count("INVITE"), before);
        assert_eq!(world.names(A).last(), Some(&"failed"));
        let answered = world
            .sent
            .iter()
            .any(|sent| String::from_utf8_lossy(&sent.bytes).contains("realm=\"callee\""));
        assert!(!answered);
        world.filter = Box::new(|_| true);
        world.run_out();
    }
}

#[test]
fn an_answer_that_crossed_our_cancel_is_hung_up_with_credentials() {
    let mut world = World::new(9);
    world.filter = Box::new(|_| false);
    let mut invite = world.call(A);
    invite.credentials = Some(Credentials::new("alice", "secret"));
    let session = world.place(A, invite);
    challenge_again(&mut world, "INVITE", CHALLENGE);
    let invite = world.sent.iter().rev().find(|sent| sent.what == "INVITE");
    let invite = Message::parse(invite.unwrap().bytes.clone()).unwrap();
    let respond = |status| {
        ResponseBuilder::response(&invite, status, None)
            .to_tag("callee")
            .header(HeaderName::Contact, "<sip:bob@127.0.0.2>")
            .build()
    };
    world.inject(A, respond(180));
    world.with(A, |ua, now| ua.cancel(now, session, &[]));
    world.inject(A, respond(200));
    assert_eq!(nonce_of(&world, "ACK").as_deref(), Some("n"));
    assert_eq!(world.names(A), ["progress", "failed"]);
    // Nobody waits for the BYE any more; it is sent again all the same, once.
    for (nonce, byes) in [("n2", 2), ("n3", 2)] {
        let challenge = CHALLENGE.replace("\"n\"", &format!("\"{nonce}\""));
        challenge_again(&mut world, "BYE", &challenge);
        assert_eq!(world.count("BYE"), byes);
    }
    assert_eq!(nonce_of(&world, "BYE").as_deref(), Some("n2"));
    world.run_out();
}
