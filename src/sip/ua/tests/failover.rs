//! Requests that are located and go from address to address (RFC 3263 §4.3): B lives at one of
//! several, the others fail in every way there is.

use std::net::SocketAddr;
use std::time::Duration;

use super::world::{address, usual_manners};
use super::*;
use crate::sip::auth::Credentials;
use crate::sip::location::{Answer, Destination, Fault, Hop, Kind, NoLocation, Record, Urgency};
use crate::sip::ua::{
    Body, EndWhy, Event, Invite, NextHop, OutOfDialog, OwnContact, Series, SessionId, Targets,
    Unreached,
};
use crate::sip::{Failure, Flow, HeaderName, Message, Method, Protocol, Uri};

/// Where nobody lives.
fn empty(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], 5060))
}

fn destination(uri: &str) -> Destination {
    Destination::of(&Uri::parse(uri).unwrap()).unwrap()
}

/// An INVITE to these, in order.
fn towards(world: &World, uris: &[&str]) -> Invite {
    let destinations = uris.iter().enumerate().map(|(order, uri)| Destination {
        order: order as u16,
        ..destination(uri)
    });
    Invite {
        next_hop: NextHop::Located(Targets {
            destinations: destinations.collect(),
            try_for: Some(Duration::from_secs(2)),
            source_port: None,
            urgency: Urgency::Usual,
        }),
        uri: Uri::parse(&uris[0].replace("sip:", "sip:bob@")).unwrap(),
        ..world.call(A)
    }
}

fn addresses(list: &[SocketAddr]) -> Answer {
    let records = list.iter().map(|at| Record::Address(at.ip()));
    Answer::Records(records.collect(), Duration::from_secs(60))
}

/// Name servers that know `b.example` at these addresses, after so many milliseconds.
fn named(world: &mut World, list: &[SocketAddr], delay: u64) {
    let list = list.to_vec();
    world.names = Box::new(move |question| {
        let nothing = Answer::Nothing(Duration::from_secs(60));
        let is_b = &*question.name == "b.example" && question.kind == Kind::A;
        Some((delay, if is_b { addresses(&list) } else { nothing }))
    });
}

fn failed(world: &World) -> (u16, Option<Unreached>) {
    match world.events[A].last() {
        Some(Event::Failed {
            status, unreached, ..
        }) => (*status, *unreached),
        other => panic!("{other:?} {:#?}", world.trace()),
    }
}

fn sent(world: &World, what: &str) -> Vec<Message> {
    let all = world.sent.iter().filter(|sent| sent.what == what);
    all.map(|sent| Message::parse(sent.bytes.clone()).unwrap())
        .collect()
}

#[test]
fn a_named_target_is_located_and_called() {
    let mut world = World::new(1);
    world.reflex(usual_manners(500, 1000));
    named(&mut world, &[address(B)], 300);
    let invite = towards(&world, &["sip:b.example"]);
    world.place(A, invite);
    world.run_out();
    assert_eq!(world.names(A), ["progress", "answered", "ended: local bye"]);
    let invite = sent(&world, "INVITE").remove(0);
    let uri = invite.request_uri().unwrap().unwrap();
    assert_eq!(uri.to_string(), "sip:bob@b.example");
    assert_eq!(
        invite
            .contacts()
            .unwrap()
            .first()
            .unwrap()
            .uri
            .host
            .to_string(),
        "127.0.0.1"
    );
    assert_eq!(invite.top_via().unwrap().host.to_string(), "127.0.0.1");
}

#[test]
fn a_silent_address_has_its_time_and_then_the_next_is_called() {
    let mut world = World::new(2);
    world.reflex(usual_manners(500, 1000));
    named(&mut world, &[empty(9), address(B)], 1);
    let invite = towards(&world, &["sip:b.example"]);
    world.place(A, invite);
    world.run_for(10_000);
    assert_eq!(world.names(A), ["progress", "answered", "ended: local bye"]);
    let invites = sent(&world, "INVITE");
    // 0, 0.5 and 1.5 s to the silent one, at 2 s to the other; then the silent one has peace.
    assert_eq!(invites.len(), 4, "{:#?}", world.trace());
    let (first, last) = (&invites[0], &invites[3]);
    assert_eq!(first.call_id(), last.call_id());
    assert_eq!(first.cseq().unwrap(), last.cseq().unwrap());
    assert_eq!(first.from().unwrap(), last.from().unwrap());
    assert_eq!(first.body(), last.body());
    let branch = |message: &Message| message.top_via().unwrap().branch().unwrap().to_owned();
    assert_ne!(branch(first), branch(last));
    // The next call goes to the living one at once.
    world.sent.clear();
    let invite = towards(&world, &["sip:b.example"]);
    world.place(A, invite);
    world.run_for(100);
    assert_eq!(world.count("INVITE"), 1);
    assert_eq!(world.count("100 INVITE"), 1);
    world.run_out();
}

#[test]
fn a_dead_destination_is_passed_over_by_the_next_call_and_still_the_last_resort() {
    let mut world = World::new(17);
    world.reflex(usual_manners(500, 1000));
    let own = format!("sip:{}", address(B));
    let uris = ["sip:127.0.0.9:5060", own.as_str()];
    let invite = towards(&world, &uris);
    world.place(A, invite.clone());
    world.run_for(10_000);
    assert_eq!(world.count("INVITE"), 4);
    world.sent.clear();
    world.place(A, invite);
    world.run_for(5000);
    assert_eq!(world.count("INVITE"), 1);
    // Alone it is tried all the same.
    world.sent.clear();
    let invite = towards(&world, &uris[..1]);
    world.place(A, invite);
    world.run_for(100);
    assert_eq!(world.count("INVITE"), 1);
    world.run_out();
}

#[test]
fn a_503_goes_on_at_once_and_its_pause_is_kept() {
    let mut world = World::new(3);
    world.reflex(move |world, agent, event| {
        if let Event::Incoming { session, .. } = event {
            let session = *session;
            let headers = [(
                crate::sip::HeaderName::RetryAfter,
                "20 (busy);duration=9".to_owned(),
            )];
            world.with(agent, |ua, now| ua.reject(now, session, 503, &headers));
        }
    });
    let own = format!("sip:{}", address(B));
    let uris = [own.as_str(), "sip:127.0.0.9"];
    let invite = towards(&world, &uris);
    world.place(A, invite);
    world.run_out();
    let invites = sent(&world, "INVITE");
    let hosts = invites
        .iter()
        .map(|invite| invite.request_uri().unwrap().unwrap().host.to_string());
    let mut hosts: Vec<String> = hosts.collect();
    hosts.dedup();
    // A Request-URI that names the destination names each in its turn.
    assert_eq!(hosts, ["127.0.0.2", "127.0.0.9"]);
    assert_eq!(failed(&world), (408, Some(Unreached::Silent)));
    assert_eq!(sent(&world, "ACK").len(), 1, "the 503 is acknowledged");
    // 32 s later its pause is over; but asked for again, it keeps it.
    world.sent.clear();
    let invite = towards(&world, &uris[..1]);
    world.place(A, invite.clone());
    world.run_for(1000);
    assert_eq!(failed(&world), (503, Some(Unreached::Unavailable)));
    world.sent.clear();
    world.place(A, invite.clone());
    world.run_for(1000);
    assert_eq!(world.count("INVITE"), 0);
    let resting = Unreached::NotLocated(NoLocation::Resting);
    assert_eq!(failed(&world), (503, Some(resting)));
    // Unless somebody may be dying.
    let mut urgent = invite.clone();
    if let NextHop::Located(targets) = &mut urgent.next_hop {
        targets.urgency = Urgency::Emergency;
    }
    world.place(A, urgent);
    world.run_for(1000);
    assert_eq!(world.count("INVITE"), 1);
    world.sent.clear();
    world.run_for(20_000);
    world.place(A, invite);
    world.run_out();
    assert_eq!(world.count("INVITE"), 1);
}

#[test]
fn a_refusal_is_the_callees_and_goes_nowhere_else() {
    for status in [486, 404, 603, 500] {
        let mut world = World::new(4);
        world.reflex(move |world, agent, event| {
            if let Event::Incoming { session, .. } = event {
                let session = *session;
                world.with(agent, |ua, now| ua.reject(now, session, status, &[]));
            }
        });
        named(&mut world, &[address(B), empty(9)], 1);
        let invite = towards(&world, &["sip:b.example"]);
        world.place(A, invite);
        world.run_out();
        assert_eq!(failed(&world), (status, None));
        assert_eq!(world.count("INVITE"), 1);
    }
}

#[test]
fn a_connection_that_cannot_be_made_moves_on_with_via_and_contact() {
    let mut world = World::new(5);
    world.reflex(usual_manners(500, 1000));
    let own = format!("sip:{};transport=udp", address(B));
    let invite = towards(&world, &["sip:127.0.0.9;transport=tcp", &own]);
    world.place(A, invite);
    let flow = Flow::new(Protocol::Tcp, address(A), empty(9));
    world.with(A, |ua, now| ua.handle_transport_error(now, &flow));
    world.run_out();
    assert_eq!(world.names(A), ["progress", "answered", "ended: local bye"]);
    let invites = sent(&world, "INVITE");
    let how = |message: &Message| {
        let via = message.top_via().unwrap().transport.to_string();
        let contacts = message.contacts().unwrap();
        let contact = &contacts.first().unwrap().uri;
        (via, contact.params.value("transport").map(str::to_owned))
    };
    assert_eq!(how(&invites[0]), ("TCP".to_owned(), Some("tcp".to_owned())));
    assert_eq!(how(&invites[1]), ("UDP".to_owned(), None));
}

#[test]
fn when_all_are_dead_the_last_has_until_timer_b() {
    let mut world = World::new(6);
    named(&mut world, &[empty(8), empty(9)], 1);
    let invite = towards(&world, &["sip:b.example"]);
    let start = world.now;
    world.place(A, invite);
    world.run_out();
    assert_eq!(failed(&world), (408, Some(Unreached::Silent)));
    // 2 s for the first, 32 s for the second.
    assert_eq!(world.sent.last().unwrap().at.since(start).as_secs(), 33);
    assert_eq!(world.count("INVITE"), 3 + 7);
}

#[test]
fn a_name_that_is_not_there_fails_clearly_and_the_next_is_tried() {
    let mut world = World::new(7);
    world.reflex(usual_manners(500, 1000));
    named(&mut world, &[], 1);
    let invite = towards(&world, &["sip:no.example"]);
    world.place(A, invite);
    world.run_out();
    let why = Unreached::NotLocated(NoLocation::NoAddress);
    assert_eq!(failed(&world), (503, Some(why)));
    assert_eq!(world.count("INVITE"), 0);
    let own = format!("sip:{}", address(B));
    let invite = towards(&world, &["sip:no.example", &own]);
    world.place(A, invite);
    world.run_out();
    assert_eq!(world.names(A).last(), Some(&"ended: local bye"));
}

#[test]
fn a_dead_name_server_is_waited_for_no_longer_than_allowed() {
    let mut world = World::new(8);
    world.reflex(usual_manners(500, 1000));
    world.names = Box::new(|_| None);
    let own = format!("sip:{}", address(B));
    let invite = towards(&world, &["sip:no.example", &own]);
    let start = world.now;
    world.place(A, invite);
    // Meanwhile a call to an address goes on at once.
    let other = towards(&world, &[&own]);
    world.place(A, other);
    world.run_for(100);
    assert_eq!(world.count("INVITE"), 1);
    world.run_out();
    assert_eq!(world.count("INVITE"), 2);
    let last = sent(&world, "INVITE").len();
    let at = world
        .sent
        .iter()
        .filter(|sent| sent.what == "INVITE")
        .nth(last - 1)
        .unwrap()
        .at;
    assert!(
        at.since(start) <= Duration::from_secs(10),
        "{:#?}",
        world.trace()
    );
    let ended = world
        .names(A)
        .iter()
        .filter(|name| **name == "ended: local bye")
        .count();
    assert_eq!(ended, 2);
}

#[test]
fn whoever_gives_up_while_a_name_is_located_sends_nothing() {
    let mut world = World::new(9);
    named(&mut world, &[address(B)], 1000);
    let invite = towards(&world, &["sip:b.example"]);
    let session = world.place(A, invite);
    world.run_for(500);
    world.with(A, |ua, now| ua.cancel(now, session, &[]));
    assert_eq!(failed(&world), (487, None));
    world.run_out();
    assert!(world.sent.is_empty(), "{:#?}", world.trace());
}

#[test]
fn whoever_gives_up_between_addresses_gives_up_everywhere() {
    // At any moment: while located, at the silent one, at the one that rings.
    for wait in (0..4000).step_by(130) {
        let mut world = World::new(10);
        world.reflex(|world, agent, event| {
            if let Event::Incoming { session, .. } = event {
                let session = *session;
                world.with(agent, |ua, now| ua.ring(now, session, 180, &[], None));
            }
        });
        named(&mut world, &[empty(9), address(B)], 100);
        let invite = towards(&world, &["sip:b.example"]);
        let session = world.place(A, invite);
        world.run_for(wait);
        world.with(A, |ua, now| ua.cancel(now, session, &[]));
        world.run_out();
        assert_eq!(failed(&world).0, 487, "{wait}: {:#?}", world.trace());
        let ended = world.names(B).last() == Some(&"cancelled");
        assert_eq!(ended, wait > 2300, "{wait}: {:#?}", world.trace());
    }
}

#[test]
fn an_address_that_answers_too_late_is_taken_back_or_hung_up() {
    // B answers late; meanwhile the call was tried at an address where nobody lives.
    for (rings, answers) in [(3000, 60_000), (3000, 3001)] {
        let mut world = World::new(11);
        world.reflex(move |world, agent, event| {
            if agent != B {
                return;
            }
            if let Event::Incoming { session, .. } = event {
                let session = *session;
                world.after(rings, move |world| {
                    world.with(B, |ua, now| ua.ring(now, session, 180, &[], None));
                });
                world.after(answers, move |world| {
                    let answer = Some(Body::sdp("answer"));
                    world.with(B, |ua, now| ua.accept(now, session, &[], answer));
                });
            }
        });
        // The 100 that B sends at once is lost.
        world.filter = Box::new(|sent| sent.what != "100 INVITE");
        named(&mut world, &[address(B), empty(9)], 1);
        let invite = towards(&world, &["sip:b.example"]);
        world.place(A, invite);
        world.run_out();
        assert_eq!(failed(&world), (408, Some(Unreached::Silent)));
        let end = *world.names(B).last().unwrap();
        let expected = if answers > 10_000 {
            "cancelled"
        } else {
            "ended: remote bye"
        };
        assert_eq!(end, expected, "{:#?}", world.trace());
    }
}

#[test]
fn a_request_outside_dialogs_goes_from_address_to_address_too() {
    let mut world = World::new(12);
    world.reflex(|world, agent, event| {
        if let Event::Request { transaction, .. } = event {
            let transaction = *transaction;
            world.with(agent, |ua, now| {
                ua.respond(now, transaction, 200, &[], None)
            });
        }
    });
    named(&mut world, &[empty(9), address(B)], 100);
    let request = |world: &World, uri: &str| {
        let invite = towards(world, &[uri]);
        OutOfDialog {
            contact: None,
            manners: None,
            routes: Vec::new(),
            series: None,
            method: Method::Options,
            next_hop: invite.next_hop,
            uri: invite.uri,
            from: invite.from,
            to: invite.to,
            headers: Vec::new(),
            body: None,
            credentials: None,
        }
    };
    let options = request(&world, "sip:b.example");
    world.with(A, |ua, now| ua.request(now, options)).unwrap();
    world.run_out();
    assert!(matches!(
        world.events[A][..],
        [Event::Response {
            response: Ok(_),
            ..
        }]
    ));
    assert_eq!(world.count("OPTIONS"), 4);
    let options = request(&world, "sip:no.example");
    world.with(A, |ua, now| ua.request(now, options)).unwrap();
    world.run_out();
    let last = world.events[A].last();
    let is_unreached = matches!(
        last,
        Some(Event::Response {
            response: Err(Failure::Transport),
            ..
        })
    );
    assert!(is_unreached, "{last:?}");
}

/// A REGISTER as an account sends it.
fn register(world: &World, uris: &[&str], cseq: u32) -> OutOfDialog {
    let invite = towards(world, uris);
    OutOfDialog {
        method: Method::Register,
        next_hop: invite.next_hop,
        uri: invite.uri,
        from: invite.from,
        to: invite.to,
        routes: Vec::new(),
        contact: Some(OwnContact {
            user: "81312345678".to_owned(),
            params: ";expires=600".to_owned(),
        }),
        series: Some(Series {
            call_id: "series".to_owned(),
            cseq,
        }),
        headers: Vec::new(),
        body: None,
        credentials: Some(Credentials::new("alice", "secret")),
        manners: None,
    }
}

#[test]
fn a_register_keeps_its_place_in_its_series_and_has_the_contact_of_its_flow() {
    let mut world = World::new(18);
    world.reflex(|world, agent, event| {
        if let Event::Request {
            transaction,
            request,
            ..
        } = event
        {
            let transaction = *transaction;
            let challenge = r#"Digest realm="r", nonce="n", qop="auth""#.to_owned();
            let challenge = [(HeaderName::WwwAuthenticate, challenge)];
            let is_known = request.header(HeaderName::Authorization).is_some();
            world.with(agent, |ua, now| match is_known {
                true => ua.respond(now, transaction, 200, &[], None),
                false => ua.respond(now, transaction, 401, &challenge, None),
            });
        }
    });
    // Not located yet, then an address where nobody is, then a challenge.
    named(&mut world, &[empty(9), address(B)], 100);
    let request = register(&world, &["sip:b.example"], 7);
    world.with(A, |ua, now| ua.request(now, request)).unwrap();
    world.run_for(10_000);
    let registers = sent(&world, "REGISTER");
    assert_eq!(registers.len(), 3 + 2, "{:#?}", world.trace());
    for (number, register) in registers.iter().enumerate() {
        let contact = register.header_text(HeaderName::Contact).unwrap();
        assert_eq!(contact, "<sip:81312345678@127.0.0.1:5060>;expires=600");
        let cseq = register.cseq().unwrap().number;
        assert_eq!(cseq, if number < 4 { 7 } else { 8 });
    }
    // The answered challenge is not forgotten when the next one has to move on.
    world.sent.clear();
    let own = format!("sip:{};transport=tcp", address(B));
    let mut request = register(&world, &[&own, "sip:127.0.0.9"], 9);
    request.credentials = Some(Credentials::new("bob", "secret"));
    world.filter = Box::new(|sent| sent.what != "200 REGISTER");
    world.with(A, |ua, now| ua.request(now, request)).unwrap();
    world.run_for(40_000);
    let registers = sent(&world, "REGISTER");
    let how: Vec<_> = registers
        .iter()
        .map(|register| {
            let contact = register.header_text(HeaderName::Contact).unwrap();
            let is_tcp = contact.contains("transport=tcp");
            (is_tcp, register.cseq().unwrap().number)
        })
        .collect();
    assert_eq!(how[..3], [(true, 9), (true, 10), (false, 10)]);
    world.run_out();
}

/// Where each request went, and whom its Request-URI names.
fn addressed(world: &World) -> Vec<(SocketAddr, String)> {
    let invites = world.sent.iter().filter(|sent| sent.what == "INVITE");
    let mut all: Vec<_> = invites
        .map(|sent| {
            let message = Message::parse(sent.bytes.clone()).unwrap();
            let host = message.request_uri().unwrap().unwrap().host.to_string();
            (sent.to, host)
        })
        .collect();
    all.dedup();
    all
}

#[test]
fn a_request_names_the_target_it_goes_to_in_whatever_order_they_are_tried() {
    let mut world = World::new(19);
    world.reflex(usual_manners(500, 1000));
    let own = format!("sip:{}", address(B));
    let mut invite = towards(&world, &["sip:127.0.0.9:5060", &own]);
    invite.next_hop = NextHop::Located(Targets {
        destinations: vec![
            Destination {
                order: 1,
                ..destination("sip:127.0.0.9:5060")
            },
            destination(&own),
        ],
        try_for: None,
        source_port: None,
        urgency: Urgency::Usual,
    });
    world.place(A, invite);
    world.run_for(5000);
    assert_eq!(addressed(&world), [(address(B), "127.0.0.2".to_owned())]);
    // All of them are dead: each is tried all the same, and named.
    let mut world = World::new(20);
    let uris = ["sip:127.0.0.8:5060", "sip:127.0.0.9:5060"];
    for _ in 0..2 {
        world.sent.clear();
        let invite = towards(&world, &uris);
        let session = world.place(A, invite);
        world.run_for(5000);
        world.with(A, |ua, now| ua.cancel(now, session, &[]));
        let sent = addressed(&world);
        let named = sent.iter().all(|(to, host)| to.ip().to_string() == *host);
        assert!(named && sent.len() >= 2, "{sent:?}");
    }
    world.run_out();
}

/// B's Contact is a name.
fn with_named_contact(message: &Message) -> Message {
    let text = String::from_utf8(message.bytes().to_vec()).unwrap();
    let text = text.replace("@127.0.0.2:5060>", "@b.example>");
    Message::parse(text.into()).unwrap()
}

/// A calls B, whose answer says that he is `b.example`.
fn call_with_named_contact(world: &mut World) -> SessionId {
    let session = world.invite(A);
    world.run_for(10);
    let theirs = world.session_of(B);
    world.filter = Box::new(|sent| sent.what != "200 INVITE");
    world.with(B, |b, now| {
        b.accept(now, theirs, &[], Some(Body::sdp("answer")))
    });
    let ok = sent(world, "200 INVITE").remove(0);
    world.filter = Box::new(|_| true);
    let flow = world.flow(A);
    let ok = with_named_contact(&ok);
    world.with(A, |a, now| a.handle_message(now, flow, ok));
    session
}

#[test]
fn an_ack_to_a_named_contact_waits_for_its_location_and_the_bye_goes_there() {
    let mut world = World::new(13);
    named(&mut world, &[address(B)], 700);
    let session = call_with_named_contact(&mut world);
    assert_eq!(world.count("ACK"), 0);
    world.run_for(5000);
    // Repeats of the 200 had the ACK again.
    assert!(world.count("ACK") >= 1);
    let acks = sent(&world, "ACK");
    assert_eq!(
        acks[0].request_uri().unwrap().unwrap().host.to_string(),
        "b.example"
    );
    world.with(A, |ua, now| ua.bye(now, session, &[]));
    world.run_out();
    assert_eq!(world.names(A).last(), Some(&"ended: local bye"));
    assert_eq!(world.names(B).last(), Some(&"ended: remote bye"));
}

#[test]
fn a_contact_that_cannot_be_located_is_reached_where_it_was_heard() {
    for delay in [1, 400] {
        let mut world = World::new(14);
        world.names = Box::new(move |_| Some((delay, Answer::Failed)));
        let session = call_with_named_contact(&mut world);
        world.run_for(6000);
        assert!(
            world.names(B).contains(&"acknowledged"),
            "{:#?}",
            world.trace()
        );
        world.with(A, |ua, now| ua.bye(now, session, &[]));
        world.run_out();
        assert_eq!(world.names(B).last(), Some(&"ended: remote bye"));
    }
}

#[test]
fn whoever_hangs_up_before_the_contact_is_located_leaves_nothing() {
    let mut world = World::new(15);
    world.names = Box::new(|_| None);
    let session = call_with_named_contact(&mut world);
    world.with(A, |ua, now| ua.bye(now, session, &[]));
    world.run_out();
    assert_eq!(world.count("ACK"), 1);
    let why = world.events[A].last();
    assert!(
        matches!(
            why,
            Some(Event::Ended {
                why: EndWhy::LocalBye,
                ..
            })
        ),
        "{why:?}"
    );
}

#[test]
fn calls_survive_bad_links_dead_addresses_and_slow_names() {
    for seed in 0..200 {
        let mut world = World::new(seed);
        world.loss = 150;
        world.delay = 300;
        world.reflex(usual_manners(seed % 7 * 100, seed % 5 * 300));
        let mut list = vec![empty(8), empty(9)];
        list.insert(seed as usize % 3, address(B));
        named(&mut world, &list, seed % 11 * 70);
        let invite = towards(&world, &["sip:b.example"]);
        world.place(A, invite);
        world.run_out();
        let names = world.names(A);
        let ends = names
            .iter()
            .filter(|name| matches!(**name, "failed" | "ended: local bye"));
        assert_eq!(ends.count(), 1, "{seed}: {names:?} {:#?}", world.trace());
        // An attempt may have been given up while its answers were lost: it is always hung up.
        let open = world.names(B);
        let came = open.iter().filter(|name| **name == "incoming").count();
        let over = open
            .iter()
            .filter(|name| name.starts_with("ended") || **name == "cancelled");
        assert_eq!(over.count(), came, "{seed}: {open:?} {:#?}", world.trace());
    }
}

#[test]
fn the_seeker_spares_what_failed() {
    let mut world = World::new(16);
    let hop = Hop {
        protocol: Protocol::Udp,
        address: empty(9),
        name: None,
    };
    named(&mut world, &[empty(9), empty(8)], 1);
    let invite = towards(&world, &["sip:b.example"]);
    world.place(A, invite);
    world.run_for(2100);
    let now = world.now;
    let stats = world.agents[A].stats();
    assert_eq!(stats.resting.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!(
        stats.failovers.load(std::sync::atomic::Ordering::Relaxed),
        1
    );
    assert!(
        !world.agents[A]
            .seeker
            .locator
            .failed(now, &hop, Fault::Dead)
    );
    world.run_out();
}
