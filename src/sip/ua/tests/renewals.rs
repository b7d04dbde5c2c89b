//! Session timers (RFC 4028): who refreshes and how, what is too brief, and what happens when
//! nobody is there any more.

use std::time::Duration;

use super::*;
use crate::sip::ua::{Body, Event, Refresher, SessionId, SessionTimer, Terms};
use crate::sip::{HeaderName, Message};

fn timer(expires: u64, min_se: u64) -> SessionTimer {
    SessionTimer {
        expires: Duration::from_secs(expires),
        min_se: Duration::from_secs(min_se),
        ..SessionTimer::default()
    }
}

fn able(seed: u64, expires: u64) -> World {
    let mut world = World::new(seed);
    let terms = Terms {
        timer: Some(timer(expires, 90)),
        ..Terms::default()
    };
    world.terms = [terms; 2];
    world.reflex(|world, agent, event| {
        if let Event::Reoffer { session, request } = event {
            let session = *session;
            let answer = Body::sdp(request.body().to_vec());
            world.with(agent, |ua, now| {
                ua.answer_reoffer(now, session, Some(answer.clone()))
            });
        }
    });
    world
}

fn find(world: &World, what: &str) -> Message {
    let sent = world.sent.iter().find(|sent| sent.what == what);
    let sent = sent.unwrap_or_else(|| panic!("{what}: {:#?}", world.trace()));
    Message::parse(sent.bytes.clone()).unwrap()
}

#[test]
fn either_side_refreshes_by_update_at_half_the_interval() {
    for (choice, refresher) in [
        (Refresher::Us, A),
        (Refresher::Peer, B),
        (Refresher::Any, A),
    ] {
        let mut world = able(1, 100);
        if let Some(timer) = &mut world.terms[A].timer {
            timer.refresher = choice;
        }
        let (ours, _) = world.connect();
        let start = world.now;
        world.run_for(130_000);
        let updates: Vec<_> = world
            .sent
            .iter()
            .filter(|sent| sent.what == "UPDATE")
            .collect();
        assert_eq!(updates.len(), 2, "{:#?}", world.trace());
        assert!(updates.iter().all(|sent| sent.from == refresher));
        let first = updates[0].at.since(start).as_millis();
        assert!((49_000..=50_000).contains(&first), "{first}");
        assert_eq!(world.names(A), ["progress", "answered"]);
        world.with(A, |a, now| a.bye(now, ours, &[]));
        world.run_out();
    }
}

#[test]
fn who_takes_no_update_gets_the_same_description_by_reinvite() {
    let mut world = able(2, 100);
    world.terms[B].update = false;
    let (ours, _) = world.connect();
    world.run_for(60_000);
    let again = world
        .sent
        .iter()
        .filter(|sent| sent.what == "INVITE")
        .nth(1);
    let again = Message::parse(again.expect("a re-INVITE").bytes.clone()).unwrap();
    assert_eq!(again.body(), b"offer");
    assert_eq!(world.count("UPDATE"), 0);
    world.with(A, |a, now| a.bye(now, ours, &[]));
    world.run_out();
}

#[test]
fn an_interval_too_brief_is_raised_to_what_the_422_asks() {
    let mut world = able(3, 100);
    world.terms[B].timer = Some(timer(1800, 300));
    let (ours, _) = world.connect();
    assert_eq!(find(&world, "422 INVITE").min_se(), Some(300));
    let agreed = find(&world, "200 INVITE").session_expires().unwrap();
    assert_eq!(agreed.seconds, 300);
    assert_eq!(world.names(B), ["incoming", "acknowledged"]);
    world.with(A, |a, now| a.bye(now, ours, &[]));
    world.run_out();
}

#[test]
fn a_refresher_that_vanishes_is_hung_up_before_the_interval_ends() {
    let mut world = able(4, 120);
    if let Some(timer) = &mut world.terms[A].timer {
        timer.refresher = Refresher::Peer;
    }
    let (_, _) = world.connect();
    let start = world.now;
    world.filter = Box::new(|sent| sent.from == A);
    world.agents[B] = super::world::agent(B, 77);
    world.run_out();
    let bye = world.sent.iter().find(|sent| sent.what == "BYE").unwrap();
    // 120 s less the smaller of 32 s and a third.
    let after = bye.at.since(start).as_millis();
    assert!((87_000..=88_100).contains(&after), "{after}");
    assert_eq!(world.names(A).last(), Some(&"ended: expired"));
}

#[test]
fn our_refresh_that_nobody_answers_ends_the_session() {
    let mut world = able(5, 100);
    world.connect();
    world.filter = Box::new(|sent| sent.from == A);
    world.agents[B] = super::world::agent(B, 77);
    world.run_out();
    assert!(world.count("UPDATE") > 1);
    assert_eq!(world.names(A).last(), Some(&"ended: expired"));
    assert!(world.count("BYE") >= 1);
}

#[test]
fn a_peer_without_timers_is_refreshed_all_the_same() {
    for able_side in [A, B] {
        let mut world = able(6, 100);
        world.terms[1 - able_side] = Terms::PLAIN;
        let (ours, _) = world.connect();
        world.run_for(60_000);
        let again = world
            .sent
            .iter()
            .filter(|sent| sent.what == "INVITE")
            .nth(1);
        assert_eq!(
            again.map(|sent| sent.from),
            Some(able_side),
            "{:#?}",
            world.trace()
        );
        world.with(A, |a, now| a.bye(now, ours, &[]));
        world.run_out();
    }
}

#[test]
fn who_demands_timers_refuses_who_has_none() {
    let mut world = able(7, 100);
    world.terms[A] = Terms::PLAIN;
    if let Some(timer) = &mut world.terms[B].timer {
        timer.required = true;
    }
    world.invite(A);
    world.run_out();
    assert!(find(&world, "421 INVITE").lists(HeaderName::Require, "timer"));
    assert_eq!(world.names(B), Vec::<&str>::new());
}

#[test]
fn a_restored_session_goes_on_refreshing() {
    let mut world = able(8, 100);
    let (ours, theirs) = world.connect();
    let frozen = world.agents[A].checkpoint(ours).unwrap();
    let text = serde_json::to_string(&frozen).unwrap();
    world.run_for(30_000);
    world.agents[A] = super::world::agent(A, 99);
    let frozen = serde_json::from_str(&text).unwrap();
    let ours = world.with(A, |a, now| a.restore(now, frozen));
    world.run_for(25_000);
    assert_eq!(world.count("200 UPDATE"), 1, "{:#?}", world.trace());
    world.with(A, |a, now| a.bye(now, ours, &[]));
    world.run_out();
    let _ = theirs;
}

/// A call whose refresh is on its way just now.
fn refreshing(world: &mut World, what: &str) -> SessionId {
    let (ours, _) = world.connect();
    let before = world.count(what);
    let end = world.now + Duration::from_secs(60);
    while world.count(what) == before && world.step(end) {}
    ours
}

/// Refuses whatever is offered.
fn refusing(world: &mut World) {
    world.reflex(|world, agent, event| {
        if let Event::Reoffer { session, .. } = event {
            let session = *session;
            world.with(agent, |ua, now| ua.refuse_reoffer(now, session, 488));
        }
    });
}

#[test]
fn an_offer_that_crosses_a_refresh_takes_nothing_from_it() {
    let mut world = able(9, 100);
    refusing(&mut world);
    let ours = refreshing(&mut world, "UPDATE");
    let theirs = world.session_of(B);
    world.with(B, |b, now| b.reinvite(now, theirs, Some(Body::sdp("b"))));
    world.run_for(90_000);
    assert_eq!(world.count("488 INVITE"), 1, "{:#?}", world.trace());
    assert_eq!(world.count("200 UPDATE"), 2, "{:#?}", world.trace());
    assert_eq!(world.names(A), ["progress", "answered", "reoffer"]);
    world.with(A, |a, now| a.bye(now, ours, &[]));
    world.run_out();
}

#[test]
fn a_refused_offer_is_not_what_a_refresh_repeats() {
    let mut world = able(10, 100);
    world.terms[B].update = false;
    refusing(&mut world);
    let (ours, _) = world.connect();
    world.with(A, |a, now| {
        a.reinvite(now, ours, Some(Body::sdp("refused")))
    });
    world.run_for(60_000);
    let offers: Vec<_> = world
        .sent
        .iter()
        .filter(|sent| sent.what == "INVITE")
        .map(|sent| Message::parse(sent.bytes.clone()).unwrap().body().to_vec())
        .collect();
    assert_eq!(offers[..3], [&b"offer"[..], b"refused", b"offer"]);
    world.with(A, |a, now| a.bye(now, ours, &[]));
    world.run_out();
}

#[test]
fn who_knows_no_timers_cannot_make_us_refresh_all_the_time() {
    let mut world = able(11, 100);
    world.terms[A] = Terms::PLAIN;
    let mut invite = world.call(A);
    invite.headers = vec![(HeaderName::SessionExpires, "1".to_owned())];
    let ours = world.place(A, invite);
    world.run_for(50);
    let theirs = world.session_of(B);
    world.with(B, |b, now| {
        b.accept(now, theirs, &[], Some(Body::sdp("answer")))
    });
    world.run_for(10_000);
    let said = find(&world, "200 INVITE").session_expires().unwrap();
    assert_eq!(said.seconds, 90);
    assert_eq!(world.count("INVITE"), 1);
    world.with(A, |a, now| a.bye(now, ours, &[]));
    world.run_out();
}
