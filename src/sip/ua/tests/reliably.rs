//! Reliable provisional responses, UPDATE in early dialogs, and what ends them (RFC 3262, 3311, 6228).

use super::*;
use crate::sip::ua::{Body, Event, Reliable, SessionId, Terms};
use crate::sip::{HeaderName, Message, ResponseBuilder};

fn able(seed: u64) -> World {
    let mut world = World::new(seed);
    world.terms = [Terms::default(); 2];
    world
}

fn ring(world: &mut World, session: SessionId, body: Option<&'static str>) {
    world.with(B, |b, now| {
        b.ring(now, session, 183, &[], body.map(Body::sdp))
    });
}

fn accept(world: &mut World, session: SessionId) {
    world.with(B, |b, now| {
        b.accept(now, session, &[], Some(Body::sdp("answer")))
    });
}

fn last(world: &World, what: &str) -> Message {
    let sent = world.sent.iter().rev().find(|sent| sent.what == what);
    Message::parse(
        sent.unwrap_or_else(|| panic!("{what}: {:#?}", world.trace()))
            .bytes
            .clone(),
    )
    .unwrap()
}

fn hang_up(world: &mut World, session: SessionId) {
    world.with(A, |a, now| a.bye(now, session, &[]));
    world.run_out();
}

#[test]
fn a_description_goes_reliably_and_is_not_repeated_in_the_2xx() {
    let mut world = able(1);
    let ours = world.invite(A);
    world.run_for(20);
    let theirs = world.session_of(B);
    ring(&mut world, theirs, Some("answer"));
    world.run_for(20);
    let response = last(&world, "183 INVITE");
    assert!(response.lists(HeaderName::Require, "100rel"));
    let rack = last(&world, "PRACK").rack().unwrap();
    assert_eq!(Some(rack.rseq), response.rseq());
    assert_eq!(rack.cseq, response.cseq().unwrap());
    accept(&mut world, theirs);
    world.run_for(20);
    assert!(last(&world, "200 INVITE").body().is_empty());
    assert_eq!(world.names(A), ["progress", "answered"]);
    hang_up(&mut world, ours);
}

#[test]
fn a_plain_180_is_reliable_only_where_somebody_demands_it() {
    for (caller, is_reliable) in [(Reliable::Supported, 0), (Reliable::Required, 1)] {
        let mut world = able(2);
        world.terms[A].reliable = caller;
        let ours = world.invite(A);
        world.run_for(20);
        let theirs = world.session_of(B);
        ring(&mut world, theirs, None);
        world.run_for(20);
        assert_eq!(world.count("PRACK"), is_reliable);
        accept(&mut world, theirs);
        world.run_for(20);
        hang_up(&mut world, ours);
    }
}

#[test]
fn the_2xx_waits_for_the_prack_and_the_next_response_for_the_first() {
    let mut world = able(3);
    let ours = world.invite(A);
    world.run_for(20);
    let theirs = world.session_of(B);
    world.filter = Box::new(|sent| sent.what != "PRACK");
    ring(&mut world, theirs, Some("answer"));
    ring(&mut world, theirs, Some("answer"));
    accept(&mut world, theirs);
    world.run_for(3000);
    // T1, 2 T1, 4 T1: at 0, 500, 1500 ms.
    assert_eq!(world.count("183 INVITE"), 3);
    assert_eq!(world.count("200 INVITE"), 0);
    // Each repeat is the same response: one PRACK, and its repeats.
    assert_eq!(world.names(A), ["progress"]);
    world.filter = Box::new(|_| true);
    world.run_for(5000);
    assert_eq!(world.count("200 INVITE"), 1);
    hang_up(&mut world, ours);
}

#[test]
fn without_prack_the_call_is_refused_after_64_t1() {
    let mut world = able(4);
    world.invite(A);
    world.run_for(20);
    let theirs = world.session_of(B);
    world.filter = Box::new(|sent| sent.what != "PRACK");
    ring(&mut world, theirs, Some("answer"));
    let start = world.now;
    world.run_out();
    let refusal = world
        .sent
        .iter()
        .find(|sent| sent.what == "504 INVITE")
        .unwrap();
    assert_eq!(refusal.at.since(start).as_millis(), 32_000);
    assert_eq!(world.names(B), ["incoming", "ended: no prack"]);
    assert_eq!(world.names(A), ["progress", "early ended", "failed"]);
}

#[test]
fn a_strange_prack_is_refused_with_481() {
    let mut world = able(5);
    let ours = world.invite(A);
    world.run_for(20);
    let theirs = world.session_of(B);
    ring(&mut world, theirs, Some("answer"));
    world.run_for(20);
    let prack = last(&world, "PRACK");
    let text = String::from_utf8(prack.bytes().to_vec()).unwrap();
    let again = text
        .replace("CSeq: 2 ", "CSeq: 3 ")
        .replace("z9hG4bK", "z9hG4bKx");
    world.inject(B, again);
    assert_eq!(world.sent.last().unwrap().what, "481 PRACK");
    accept(&mut world, theirs);
    world.run_for(20);
    hang_up(&mut world, ours);
}

#[test]
fn an_offer_asked_for_is_answered_in_the_prack() {
    let mut world = able(6);
    world.reflex(|world, agent, event| {
        if let Event::Progress { session, response } = event {
            assert_eq!(response.body(), b"answer");
            let session = *session;
            world.with(agent, |a, now| {
                a.acknowledge(now, session, Some(Body::sdp("late")))
            });
        }
    });
    let mut invite = world.call(A);
    invite.body = None;
    let ours = world.place(A, invite);
    world.run_for(20);
    let theirs = world.session_of(B);
    ring(&mut world, theirs, Some("answer"));
    accept(&mut world, theirs);
    world.run_for(50);
    assert_eq!(last(&world, "PRACK").body(), b"late");
    assert!(last(&world, "ACK").body().is_empty());
    assert_eq!(world.names(B), ["incoming", "early answer", "acknowledged"]);
    hang_up(&mut world, ours);
}

#[test]
fn an_early_dialog_is_renegotiated_by_update_from_either_side() {
    for offerer in [A, B] {
        let mut world = able(7);
        world.reflex(|world, agent, event| {
            if let Event::Reoffer { session, .. } = event {
                let session = *session;
                world.with(agent, |ua, now| {
                    ua.answer_reoffer(now, session, Some(Body::sdp("new answer")));
                });
            }
        });
        let ours = world.invite(A);
        world.run_for(20);
        let theirs = world.session_of(B);
        let sessions = [ours, theirs];
        // Before the answer has passed it waits.
        world.with(offerer, |ua, now| {
            ua.update(now, sessions[offerer], Body::sdp("new"))
        });
        world.run_for(20);
        assert_eq!(world.count("UPDATE"), 0);
        ring(&mut world, theirs, Some("answer"));
        world.run_for(50);
        assert_eq!(last(&world, "UPDATE").body(), b"new");
        assert_eq!(last(&world, "200 UPDATE").body(), b"new answer");
        assert_eq!(world.names(offerer).last(), Some(&"reanswered"));
        accept(&mut world, theirs);
        world.run_for(50);
        hang_up(&mut world, ours);
    }
}

#[test]
fn early_updates_that_cross_are_refused_and_come_again() {
    let mut world = able(8);
    world.reflex(|world, agent, event| {
        if let Event::Reoffer { session, .. } = event {
            let session = *session;
            world.with(agent, |ua, now| {
                ua.answer_reoffer(now, session, Some(Body::sdp("x")))
            });
        }
    });
    let ours = world.invite(A);
    world.run_for(20);
    let theirs = world.session_of(B);
    ring(&mut world, theirs, Some("answer"));
    world.run_for(20);
    world.with(A, |ua, now| ua.update(now, ours, Body::sdp("a")));
    world.with(B, |ua, now| ua.update(now, theirs, Body::sdp("b")));
    world.run_for(10_000);
    assert_eq!(world.count("491 UPDATE"), 2, "{:#?}", world.trace());
    assert_eq!(world.count("200 UPDATE"), 2, "{:#?}", world.trace());
    accept(&mut world, theirs);
    world.run_for(50);
    hang_up(&mut world, ours);
}

#[test]
fn after_a_prack_with_an_offer_the_next_response_goes() {
    for is_taken in [true, false] {
        let mut world = able(14);
        let ours = world.invite(A);
        world.run_for(20);
        let theirs = world.session_of(B);
        world.filter = Box::new(|sent| sent.what != "PRACK");
        ring(&mut world, theirs, Some("answer"));
        ring(&mut world, theirs, Some("answer"));
        world.run_for(20);
        // A has changed its mind since: its PRACK offers anew (RFC 3262 §5).
        let prack = String::from_utf8(last(&world, "PRACK").bytes().to_vec()).unwrap();
        let offer = "Content-Type: application/sdp\r\nContent-Length: 9\r\n\r\nnew offer";
        world.filter = Box::new(|_| true);
        world.inject(B, prack.replace("Content-Length: 0\r\n\r\n", offer));
        assert_eq!(world.names(B).last(), Some(&"reoffer"));
        assert_eq!(world.count("183 INVITE"), 1);
        world.with(B, |b, now| match is_taken {
            true => b.answer_reoffer(now, theirs, Some(Body::sdp("new answer"))),
            false => b.refuse_reoffer(now, theirs, 488),
        });
        world.run_for(20);
        assert_eq!(world.count("183 INVITE"), 2, "{:#?}", world.trace());
        assert_eq!(world.names(A), ["progress", "progress"]);
        accept(&mut world, theirs);
        world.run_for(20);
        hang_up(&mut world, ours);
    }
}

#[test]
fn terms_that_do_not_fit_are_refused_by_name() {
    let [off, demands] = [Reliable::Off, Reliable::Required].map(|reliable| Terms {
        reliable,
        ..Terms::default()
    });
    for (ours, theirs, status) in [
        (demands, off, 420),
        (off, demands, 421),
        (demands, demands, 0),
    ] {
        let mut world = World::new(9);
        world.terms = [ours, theirs];
        let session = world.invite(A);
        world.run_for(50);
        if status == 0 {
            assert_eq!(world.names(B), ["incoming"]);
            hang_up(&mut world, session);
            continue;
        }
        assert!(matches!(
            world.events[A].last(),
            Some(Event::Failed { status: got, .. }) if *got == status
        ));
        let named = [HeaderName::Unsupported, HeaderName::Require];
        let refusal = last(&world, &format!("{status} INVITE"));
        let name = named[usize::from(status == 421)].clone();
        assert!(refusal.lists(name, "100rel"));
        world.run_out();
    }
}

#[test]
fn forks_are_acknowledged_each_in_its_own_order() {
    let mut world = able(10);
    world.filter = Box::new(|sent| sent.from != A);
    let session = world.invite(A);
    let invite = Message::parse(world.sent[0].bytes.clone()).unwrap();
    let of_fork = |status, tag: &str, rseq: u32| {
        let builder = ResponseBuilder::response(&invite, status, None)
            .to_tag(tag)
            .header(HeaderName::Contact, "<sip:fork@127.0.0.2>");
        match rseq {
            0 => builder.build(),
            rseq => builder
                .header(HeaderName::Require, "100rel")
                .header(HeaderName::RSeq, rseq)
                .build(),
        }
    };
    // One's second comes before its first is repeated; a gap is not taken.
    for (tag, rseq) in [
        ("one", 5),
        ("two", 9),
        ("one", 6),
        ("one", 5),
        ("two", 11),
        ("two", 10),
    ] {
        let response = of_fork(180, tag, rseq);
        world.inject(A, response);
    }
    let pracks: Vec<(String, u32)> = world
        .sent
        .iter()
        .filter(|sent| sent.what == "PRACK")
        .map(|sent| Message::parse(sent.bytes.clone()).unwrap())
        .map(|prack| {
            let tag = prack.to().unwrap().tag().unwrap().to_owned();
            (tag, prack.rack().unwrap().rseq)
        })
        .collect();
    let wanted = [("one", 5), ("two", 9), ("one", 6), ("two", 10)];
    assert_eq!(pracks, wanted.map(|(tag, rseq)| (tag.to_owned(), rseq)));
    world.inject(A, of_fork(199, "one", 0));
    assert_eq!(world.names(A).last(), Some(&"early ended"));
    world.inject(A, of_fork(200, "two", 0));
    assert_eq!(world.names(A).last(), Some(&"answered"));
    // The loser answers late: ACK, and a BYE above whatever its PRACKs used.
    world.inject(A, of_fork(200, "one", 0));
    assert!(last(&world, "BYE").cseq().unwrap().number > 3);
    hang_up(&mut world, session);
}

#[test]
fn who_asks_for_it_hears_of_an_early_dialog_that_ends() {
    let mut world = able(11);
    world.invite(A);
    world.run_for(20);
    let theirs = world.session_of(B);
    world.with(B, |b, now| {
        b.ring(now, theirs, 180, &[], None);
        b.reject(now, theirs, 486, &[]);
    });
    world.run_out();
    let gone = last(&world, "199 INVITE");
    assert!(gone.reason().unwrap().starts_with("SIP;cause=486"));
    assert_eq!(world.names(A), ["progress", "early ended", "failed"]);
}

#[test]
fn cancel_says_why() {
    let mut world = able(12);
    let ours = world.invite(A);
    world.run_for(20);
    let why = [(HeaderName::Reason, "SIP;cause=200".to_owned())];
    world.with(A, |a, now| a.cancel(now, ours, &why));
    world.run_out();
    assert!(matches!(
        world.events[B].last(),
        Some(Event::Cancelled { reason: Some(reason), .. }) if reason == "SIP;cause=200"
    ));
}

#[test]
fn what_becomes_of_an_offer_to_a_lost_fork_does_not_touch_the_call() {
    let mut world = able(13);
    world.filter = Box::new(|_| false);
    let session = world.invite(A);
    let invite = Message::parse(world.sent[0].bytes.clone()).unwrap();
    let of_fork = |status, tag: &str| {
        ResponseBuilder::response(&invite, status, None)
            .to_tag(tag)
            .header(HeaderName::Contact, "<sip:fork@127.0.0.2>")
            .header(HeaderName::Allow, "INVITE, UPDATE")
    };
    let early = of_fork(183, "one")
        .header(HeaderName::Require, "100rel")
        .header(HeaderName::RSeq, 1)
        .body("application/sdp", "answer");
    world.inject(A, early.build());
    world.with(A, |ua, now| ua.update(now, session, Body::sdp("new offer")));
    let update = last(&world, "UPDATE");
    assert_eq!(update.to().unwrap().tag(), Some("one"));
    world.inject(A, of_fork(200, "two").build());
    let names = ["progress", "reoffer failed", "answered"];
    assert_eq!(world.names(A), names);
    let gone = ResponseBuilder::response(&update, 481, None).build();
    world.inject(A, gone);
    assert_eq!(world.names(A), names);
    assert_eq!(world.count("BYE"), 0);
    // And the call may be offered something.
    world.with(A, |ua, now| ua.update(now, session, Body::sdp("another")));
    assert_eq!(last(&world, "UPDATE").to().unwrap().tag(), Some("two"));
    world.with(A, |ua, now| ua.bye(now, session, &[]));
    world.run_out();
}
