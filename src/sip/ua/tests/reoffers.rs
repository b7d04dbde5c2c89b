//! re-INVITE and UPDATE, from both sides and at once.

use super::*;
use crate::sip::Message;
use crate::sip::ua::{Body, Event, SessionId, State};

/// Both answer each other's offers at once, and hang up when told to.
fn answering(world: &mut World) {
    world.reflex(|world, agent, event| {
        if let Event::Reoffer { session, .. } = event {
            let session = *session;
            world.with(agent, |ua, now| {
                ua.answer_reoffer(now, session, Some(Body::sdp("new answer")));
            });
        }
    });
}

fn hang_up(world: &mut World, session: SessionId) {
    hang_up_by(world, A, session);
}

fn hang_up_by(world: &mut World, agent: usize, session: SessionId) {
    world.with(agent, |ua, now| ua.bye(now, session, &[]));
    world.run_out();
}

#[test]
fn either_side_may_offer_anew() {
    for offerer in [A, B] {
        let mut world = World::new(1);
        answering(&mut world);
        let sessions: [SessionId; 2] = world.connect().into();
        let before = world.sent.len();
        world.with(offerer, |ua, now| {
            ua.reinvite(now, sessions[offerer], Some(Body::sdp("new offer")));
        });
        world.run_for(100);
        let messages = ["INVITE", "100 INVITE", "200 INVITE", "ACK"];
        assert_eq!(world.kinds()[before..], messages);
        assert_eq!(world.names(offerer).last(), Some(&"reanswered"));
        assert!(
            world
                .names(1 - offerer)
                .ends_with(&["reoffer", "acknowledged"])
        );
        hang_up(&mut world, sessions[A]);
    }
}

#[test]
fn an_offer_may_be_asked_for() {
    let mut world = World::new(2);
    world.reflex(|world, agent, event| match event {
        Event::Reoffer { session, request } => {
            assert!(request.body().is_empty());
            let session = *session;
            let offer = Body::sdp("their new offer");
            world.with(agent, |ua, now| {
                ua.answer_reoffer(now, session, Some(offer.clone()))
            });
        }
        Event::Reanswered { session, response } => {
            assert_eq!(response.body(), b"their new offer");
            let session = *session;
            let answer = Body::sdp("late answer");
            world.with(agent, |ua, now| {
                ua.acknowledge(now, session, Some(answer.clone()))
            });
        }
        _ => {}
    });
    let (ours, _) = world.connect();
    world.with(A, |ua, now| ua.reinvite(now, ours, None));
    world.run_for(100);
    let acknowledged = world.events[B].last();
    let Some(Event::Acknowledged { body, .. }) = acknowledged else {
        panic!("{acknowledged:?}");
    };
    assert_eq!(body.body(), b"late answer");
    hang_up(&mut world, ours);
}

#[test]
fn offers_that_cross_are_both_refused_and_then_both_succeed() {
    let mut world = World::new(3);
    answering(&mut world);
    let (ours, theirs) = world.connect();
    world.with(A, |ua, now| ua.reinvite(now, ours, Some(Body::sdp("a"))));
    world.with(B, |ua, now| ua.reinvite(now, theirs, Some(Body::sdp("b"))));
    world.run_for(10_000);
    assert_eq!(world.count("491 INVITE"), 2, "{:#?}", world.trace());
    for agent in [A, B] {
        let names = world.names(agent);
        let count = |wanted| names.iter().filter(|name| **name == wanted).count();
        assert_eq!((count("reanswered"), count("reoffer")), (1, 1));
        assert_eq!(count("reoffer failed"), 0);
    }
    hang_up(&mut world, ours);
}

#[test]
fn offers_on_a_bad_link_settle_at_last() {
    for seed in 0..150 {
        let mut world = World::new(seed);
        answering(&mut world);
        let (ours, theirs) = world.connect();
        world.loss = 150;
        world.delay = 300;
        world.with(A, |ua, now| ua.reinvite(now, ours, Some(Body::sdp("a"))));
        world.after(seed * 10, move |world| {
            world.with(B, |ua, now| ua.reinvite(now, theirs, Some(Body::sdp("b"))));
        });
        world.run_for(120_000);
        for (agent, session) in [(A, ours), (B, theirs)] {
            let trace = world.trace();
            assert!(
                world.names(agent).contains(&"reanswered"),
                "{seed} {trace:#?}"
            );
            assert_eq!(world.agents[agent].state(session), Some(State::Confirmed));
            assert!(world.agents[agent].checkpoint(session).is_some(), "{seed}");
        }
        hang_up(&mut world, ours);
    }
}

#[test]
fn a_second_offer_before_the_answer_is_refused_with_500() {
    let mut world = World::new(4);
    let (ours, theirs) = world.connect();
    world.with(A, |ua, now| ua.reinvite(now, ours, Some(Body::sdp("a"))));
    world.run_for(20);
    // The same agent would wait; a careless one sends this.
    let first = world.sent.iter().rev().find(|sent| sent.what == "INVITE");
    let text = String::from_utf8(first.unwrap().bytes.to_vec()).unwrap();
    let second = text
        .replace("CSeq: 2 INVITE", "CSeq: 3 INVITE")
        .replace("z9hG4bK", "z9hG4bKx");
    world.inject(B, second);
    let refusal = world.sent.last().unwrap();
    assert_eq!(refusal.what, "500 INVITE");
    let refusal = Message::parse(refusal.bytes.clone()).unwrap();
    assert!(refusal.header(crate::sip::HeaderName::RetryAfter).is_some());
    world.with(B, |ua, now| ua.refuse_reoffer(now, theirs, 488));
    world.run_for(20);
    assert!(matches!(
        world.events[A].last(),
        Some(Event::ReofferFailed { status: 488, .. })
    ));
    assert_eq!(world.agents[A].state(ours), Some(State::Confirmed));
    hang_up_by(&mut world, B, theirs);
}

#[test]
fn of_offers_that_wait_the_last_is_sent() {
    let mut world = World::new(5);
    answering(&mut world);
    let (ours, _) = world.connect();
    for offer in ["1", "2", "3"] {
        world.with(A, |ua, now| ua.reinvite(now, ours, Some(Body::sdp(offer))));
    }
    world.run_for(200);
    let offers: Vec<_> = world.events[B]
        .iter()
        .filter_map(|event| match event {
            Event::Reoffer { request, .. } => Some(request.body().to_vec()),
            _ => None,
        })
        .collect();
    assert_eq!(offers, [b"1", b"3"]);
    hang_up(&mut world, ours);
}

#[test]
fn a_bye_overtakes_an_offer_under_way() {
    let mut world = World::new(6);
    let (ours, theirs) = world.connect();
    world.with(A, |ua, now| ua.reinvite(now, ours, Some(Body::sdp("a"))));
    world.run_for(20);
    assert_eq!(world.names(B).last(), Some(&"reoffer"));
    world.with(B, |ua, now| ua.bye(now, theirs, &[]));
    world.run_out();
    assert_eq!(world.count("487 INVITE"), 1);
    assert_eq!(world.names(B).last(), Some(&"ended: local bye"));
    assert!(world.names(A).last().unwrap().starts_with("ended"));
}

#[test]
fn update_without_body_is_answered_and_with_body_is_an_offer() {
    let mut world = World::new(7);
    world.terms[B].update = true;
    answering(&mut world);
    let (_, theirs) = world.connect();
    let invite = String::from_utf8(world.sent[0].bytes.to_vec()).unwrap();
    let to_tag = {
        let sent = world.sent.iter().find(|sent| sent.what == "200 INVITE");
        let ok = Message::parse(sent.unwrap().bytes.clone()).unwrap();
        ok.to().unwrap().tag().unwrap().to_owned()
    };
    let update = |cseq: u32, body: &str| {
        let (head, _) = invite.split_once("\r\n\r\n").unwrap();
        let mut text = String::new();
        for line in head.lines() {
            let line = line
                .replace("INVITE", "UPDATE")
                .replace("z9hG4bK", "z9hG4bKu");
            if line.starts_with("To:") {
                text += &format!("{line};tag={to_tag}\r\n");
            } else if line.starts_with("CSeq") {
                text += &format!("CSeq: {cseq} UPDATE\r\n");
            } else if line.starts_with("Via") {
                text += &format!("{line}{cseq}\r\n");
            } else if !line.starts_with("Content-") {
                text += &format!("{line}\r\n");
            }
        }
        if !body.is_empty() {
            text += "Content-Type: application/sdp\r\n";
        }
        format!("{text}Content-Length: {}\r\n\r\n{body}", body.len())
            .replace(";rport", &format!(";rport;n={cseq}"))
            .replace("branch=z9hG4bKu", &format!("branch=z9hG4bKu{cseq}"))
    };
    world.inject(B, update(5, ""));
    assert_eq!(world.sent.last().unwrap().what, "200 UPDATE");
    assert!(!world.names(B).contains(&"reoffer"));
    world.inject(B, update(6, "v=0"));
    assert!(world.names(B).contains(&"reoffer"));
    let answer = world.sent.last().unwrap();
    assert_eq!(answer.what, "200 UPDATE");
    let answer = Message::parse(answer.bytes.clone()).unwrap();
    assert_eq!(answer.body(), b"new answer");
    // Out of order now.
    world.inject(B, update(4, ""));
    assert_eq!(world.sent.last().unwrap().what, "500 UPDATE");
    hang_up_by(&mut world, B, theirs);
}

#[test]
fn a_dialog_the_other_side_has_forgotten_is_ended() {
    let mut world = World::new(8);
    let (ours, _) = world.connect();
    world.agents[B] = super::world::agent(B, 99);
    world.with(A, |ua, now| ua.reinvite(now, ours, Some(Body::sdp("a"))));
    world.run_out();
    let names = world.names(A);
    assert!(
        names.ends_with(&["reoffer failed", "ended: timeout"]),
        "{names:?}"
    );
    assert_eq!(world.count("481 BYE"), 1);
}
