//! Taking an INVITE back, at every instant.

use super::world::usual_manners;
use super::*;
use crate::sip::ua::Event;

#[test]
fn cancel_waits_for_the_first_provisional() {
    let mut world = World::new(1);
    world.reflex(usual_manners(10_000, 10_000));
    let session = world.invite(A);
    world.with(A, |ua, now| ua.cancel(now, session, &[]));
    assert_eq!(world.kinds(), ["INVITE"]);
    world.run_out();
    assert_eq!(
        world.names(B),
        ["incoming", "cancelled"],
        "{:#?}",
        world.trace()
    );
    assert!(matches!(
        world.events[A][..],
        [Event::Failed { status: 487, .. }]
    ));
    for what in ["CANCEL", "200 CANCEL", "487 INVITE", "ACK"] {
        assert_eq!(world.count(what), 1, "{what}");
    }
}

#[test]
fn cancel_at_every_instant_ends_the_call_on_both_sides() {
    for at in 0..80 {
        for seed in 0..4 {
            let mut world = World::new(seed);
            world.delay = 20;
            world.loss = seed * 80;
            world.reflex(usual_manners(30, 1_000_000));
            let session = world.invite(A);
            world.after(at, move |world| {
                world.with(A, |ua, now| ua.cancel(now, session, &[]));
            });
            world.run_out();
            let trace = world.trace();
            let names = world.names(A);
            let is_over = |name: &&&str| matches!(**name, "failed" | "ended: local bye");
            assert_eq!(names.iter().filter(is_over).count(), 1, "{at} {trace:#?}");
            let names = world.names(B);
            if names.contains(&"incoming") {
                let is_over = |name: &&&str| {
                    matches!(**name, "cancelled" | "ended: remote bye" | "ended: no ack")
                };
                assert_eq!(names.iter().filter(is_over).count(), 1, "{at} {trace:#?}");
            }
        }
    }
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let mut world = World::new(3);
    world.reflex(|world, agent, event| {
        if let Event::Incoming { session, .. } = event {
            let session = *session;
            world.with(agent, |ua, now| ua.ring(now, session, 180, &[], None));
        }
    });
    let ours = world.invite(A);
    world.run_for(50);
    let theirs = world.session_of(B);
    world.with(B, |ua, now| ua.accept(now, theirs, &[], None));
    world.with(A, |ua, now| ua.cancel(now, ours, &[]));
    world.run_out();
    assert!(matches!(
        world.events[A].last(),
        Some(Event::Failed {
            status: 487,
            response: None,
            ..
        })
    ));
    assert_eq!(
        world.names(B),
        ["incoming", "acknowledged", "ended: remote bye"]
    );
    assert_eq!((world.count("ACK"), world.count("BYE")), (1, 1));
    // The CANCEL came too late: it is answered and does nothing.
    assert_eq!(
        (world.count("200 CANCEL"), world.count("487 INVITE")),
        (1, 0)
    );
}

#[test]
fn a_callee_that_ignores_the_cancel_is_given_up_after_64_t1() {
    let mut world = World::new(4);
    world.reflex(usual_manners(1_000_000, 0));
    let session = world.invite(A);
    world.run_for(100);
    world.filter = Box::new(|sent| sent.from == A && sent.what != "CANCEL");
    let before = world.now;
    world.with(A, |ua, now| ua.cancel(now, session, &[]));
    world.run_for(40_000);
    assert!(matches!(
        world.events[A].last(),
        Some(Event::Failed { status: 487, .. })
    ));
    assert!(world.now.since(before).as_secs() >= 32);
    assert_eq!(world.agents[A].session_count(), 0);
}

#[test]
fn a_call_that_rings_too_long_is_cancelled_and_reported_as_408() {
    let mut world = World::new(5);
    world.reflex(usual_manners(1_000_000, 0));
    let mut invite = world.call(A);
    invite.timeout = Some(std::time::Duration::from_secs(20));
    world.place(A, invite);
    world.run_for(30_000);
    assert!(matches!(
        world.events[A].last(),
        Some(Event::Failed { status: 408, .. })
    ));
    assert_eq!(world.names(B), ["incoming", "cancelled"]);
}

#[test]
fn a_cancel_that_matches_nothing_is_answered_481() {
    let mut world = World::new(6);
    world.inject(
        B,
        "CANCEL sip:bob@127.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKno\r\n\
         From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: x\r\nCSeq: 1 CANCEL\r\n\r\n",
    );
    assert_eq!(world.kinds(), ["481 CANCEL"]);
    world.run_out();
}
