//! The ordinary call, and what loss does to it.

use super::world::usual_manners;
use super::*;
use crate::sip::ua::{Body, Event, State};
use crate::sip::{Message, Protocol};

#[test]
fn an_ordinary_call_takes_the_messages_of_rfc_3665() {
    let mut world = World::new(1);
    world.reflex(usual_manners(1000, 5000));
    let session = world.invite(A);
    assert_eq!(world.agents[A].state(session), Some(State::Calling));
    world.run_out();
    let messages = [
        "INVITE",
        "100 INVITE",
        "180 INVITE",
        "200 INVITE",
        "ACK",
        "BYE",
        "200 BYE",
    ];
    assert_eq!(world.kinds(), messages, "{:#?}", world.trace());
    assert_eq!(world.names(A), ["progress", "answered", "ended: local bye"]);
    assert_eq!(
        world.names(B),
        ["incoming", "acknowledged", "ended: remote bye"]
    );
}

#[test]
fn the_same_seed_gives_the_same_call() {
    let run = || {
        let mut world = World::new(7);
        world.loss = 200;
        world.delay = 300;
        world.reflex(usual_manners(500, 700));
        world.invite(A);
        world.run_out();
        world
            .sent
            .iter()
            .map(|sent| sent.bytes.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn any_one_message_may_be_lost() {
    let mut lost = 0;
    loop {
        let mut world = World::new(2);
        world.reflex(usual_manners(1000, 3000));
        world.filter = Box::new(move |sent| sent.number != lost);
        world.invite(A);
        world.run_out();
        let trace = world.trace();
        assert!(world.names(A).contains(&"answered"), "{lost}: {trace:#?}");
        assert_eq!(world.names(A).last(), Some(&"ended: local bye"), "{lost}");
        let end = world.names(B);
        assert_eq!(end.last(), Some(&"ended: remote bye"), "{lost}: {trace:#?}");
        assert!(end.contains(&"acknowledged"), "{lost}: {trace:#?}");
        if lost >= world.sent.len() {
            break;
        }
        lost += 1;
    }
    assert!(lost >= 7);
}

#[test]
fn calls_survive_a_bad_link() {
    for seed in 0..300 {
        let mut world = World::new(seed);
        world.loss = 150;
        world.delay = 400;
        world.reflex(usual_manners(seed % 7 * 100, seed % 5 * 300));
        world.invite(A);
        world.run_out();
        let names = world.names(A);
        assert!(names.contains(&"answered"), "{seed}: {:#?}", world.trace());
        assert_eq!(names.last(), Some(&"ended: local bye"), "{seed}");
        let ends = world.events[B]
            .iter()
            .filter(|event| matches!(event, Event::Ended { .. }));
        assert_eq!(ends.count(), 1, "{seed}");
    }
}

#[test]
fn an_invite_to_nobody_times_out_after_seven_tries() {
    let mut world = World::new(3);
    world.loss = 1000;
    world.invite(A);
    world.run_out();
    assert_eq!(world.count("INVITE"), 7);
    assert!(matches!(
        world.events[A][..],
        [Event::Failed {
            status: 408,
            response: None,
            ..
        }]
    ));
}

#[test]
fn nothing_is_repeated_over_a_stream_but_the_2xx() {
    let mut world = World::new(4);
    world.protocol = Protocol::Tcp;
    world.delay = 900;
    world.reflex(usual_manners(1000, 5000));
    world.invite(A);
    world.run_out();
    for what in ["INVITE", "100 INVITE", "180 INVITE", "BYE", "200 BYE"] {
        assert_eq!(world.count(what), 1, "{what}");
    }
}

#[test]
fn an_accepted_call_without_ack_is_hung_up_after_64_t1() {
    let mut world = World::new(5);
    world.reflex(usual_manners(100, 1_000_000));
    world.filter = Box::new(|sent| sent.what != "ACK");
    world.invite(A);
    world.run_out();
    assert_eq!(world.names(B), ["incoming", "ended: no ack"]);
    assert_eq!(world.names(A).last(), Some(&"ended: remote bye"));
    // T1, doubling to T2, for 32 s.
    assert_eq!(world.count("200 INVITE"), 11);
}

#[test]
fn a_hang_up_before_the_ack_waits_for_it() {
    let mut world = World::new(6);
    world.reflex(|world, agent, event| {
        if let Event::Incoming { session, .. } = event {
            let session = *session;
            world.with(agent, |ua, now| {
                ua.accept(now, session, &[], Some(Body::sdp("answer")));
                assert_eq!(ua.state(session), Some(State::AwaitingAck));
                ua.bye(now, session, &[]);
            });
        }
    });
    world.invite(A);
    world.run_out();
    let messages = [
        "INVITE",
        "100 INVITE",
        "200 INVITE",
        "ACK",
        "BYE",
        "200 BYE",
    ];
    assert_eq!(world.kinds(), messages);
    assert_eq!(
        world.names(B),
        ["incoming", "acknowledged", "ended: local bye"]
    );
}

#[test]
fn both_sides_may_hang_up_at_once() {
    let mut world = World::new(7);
    let (ours, theirs) = world.connect();
    world.with(A, |ua, now| ua.bye(now, ours, &[]));
    world.with(B, |ua, now| ua.bye(now, theirs, &[]));
    world.run_out();
    assert_eq!(world.names(A).last(), Some(&"ended: local bye"));
    assert_eq!(world.names(B).last(), Some(&"ended: local bye"));
}

#[test]
fn a_refusal_is_acknowledged_and_tells_its_status() {
    let mut world = World::new(8);
    world.reflex(|world, agent, event| {
        if let Event::Incoming { session, .. } = event {
            let session = *session;
            world.with(agent, |ua, now| ua.reject(now, session, 486, &[]));
        }
    });
    world.invite(A);
    world.run_out();
    assert_eq!(world.kinds(), ["INVITE", "100 INVITE", "486 INVITE", "ACK"]);
    assert!(matches!(
        world.events[A][..],
        [Event::Failed {
            status: 486,
            response: Some(_),
            ..
        }]
    ));
}

#[test]
fn a_delayed_offer_is_answered_in_the_ack() {
    let mut world = World::new(9);
    world.reflex(|world, agent, event| match event {
        Event::Incoming {
            session, request, ..
        } => {
            assert!(request.body().is_empty());
            let session = *session;
            let offer = Body::sdp("their offer");
            world.with(agent, |ua, now| {
                ua.accept(now, session, &[], Some(offer.clone()))
            });
        }
        Event::Answered { session, response } => {
            assert_eq!(response.body(), b"their offer");
            let session = *session;
            let answer = Body::sdp("our answer");
            world.with(agent, |ua, now| {
                ua.acknowledge(now, session, Some(answer.clone()))
            });
            world.after(1000, move |world| {
                world.with(agent, |ua, now| ua.bye(now, session, &[]));
            });
        }
        Event::Acknowledged { body, .. } => assert_eq!(body.body(), b"our answer"),
        _ => {}
    });
    let mut invite = world.call(A);
    invite.body = None;
    world.place(A, invite);
    world.run_out();
    assert_eq!(world.count("ACK"), 1);
    assert!(world.names(B).contains(&"acknowledged"));
}

#[test]
fn a_repeated_2xx_is_acknowledged_again_with_the_same_ack() {
    let mut world = World::new(10);
    world.connect();
    let find = |what: &str, world: &World| {
        let sent = world.sent.iter().rev().find(|sent| sent.what == what);
        sent.unwrap().bytes.clone()
    };
    let (ok, ack) = (find("200 INVITE", &world), find("ACK", &world));
    world.inject(A, ok);
    assert_eq!(world.count("ACK"), 2);
    assert_eq!(find("ACK", &world), ack);
}

#[test]
fn ringing_is_repeated_every_minute() {
    let mut world = World::new(11);
    world.reflex(usual_manners(150_000, 1000));
    world.invite(A);
    world.run_out();
    assert_eq!(world.count("180 INVITE"), 3);
}

#[test]
fn a_call_over_streams_ends_when_the_stream_cannot_be_opened() {
    let mut world = World::new(12);
    world.protocol = Protocol::Tcp;
    world.filter = Box::new(|_| false);
    world.invite(A);
    let flow = world.flow(A);
    world.with(A, |ua, now| ua.handle_transport_error(now, &flow));
    assert!(matches!(
        world.events[A][..],
        [Event::Failed { status: 503, .. }]
    ));
    world.run_out();
}

#[test]
fn many_calls_at_once_leave_nothing_behind() {
    let mut world = World::new(13);
    world.loss = 100;
    world.delay = 200;
    world.reflex(usual_manners(200, 500));
    for _ in 0..200 {
        world.invite(A);
        world.run_for(5);
    }
    world.run_out();
    let ends = |agent: usize| {
        let names = world.names(agent);
        names
            .iter()
            .filter(|name| name.starts_with("ended"))
            .count()
    };
    assert_eq!((ends(A), ends(B)), (200, 200));
}

#[test]
fn headers_given_are_sent_and_the_contact_names_us() {
    let mut world = World::new(14);
    world.connect();
    let invite = Message::parse(world.sent[0].bytes.clone()).unwrap();
    let contact = invite.contacts().unwrap();
    let contact = contact.first().unwrap().to_string();
    assert_eq!(contact, "<sip:alice@127.0.0.1:5060>");
    let ok = world
        .sent
        .iter()
        .find(|sent| sent.what == "200 INVITE")
        .unwrap();
    let ok = Message::parse(ok.bytes.clone()).unwrap();
    let contact = ok.contacts().unwrap().first().unwrap().to_string();
    assert_eq!(contact, "<sip:bob@127.0.0.2:5060>");
}
