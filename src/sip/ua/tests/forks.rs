//! Several answers to one INVITE.

use super::*;
use crate::sip::ua::Event;
use crate::sip::{Message, ResponseBuilder};

/// A 2xx to A's INVITE as another fork would send it.
fn answer_of_fork(world: &World, status: u16, tag: &str) -> bytes::Bytes {
    let invite = world
        .sent
        .iter()
        .find(|sent| sent.what == "INVITE")
        .unwrap();
    let invite = Message::parse(invite.bytes.clone()).unwrap();
    ResponseBuilder::response(&invite, status, None)
        .to_tag(tag)
        .header(crate::sip::HeaderName::Contact, "<sip:fork@127.0.0.2>")
        .build()
}

#[test]
fn the_first_answer_is_kept_and_others_are_hung_up() {
    let mut world = World::new(1);
    world.filter = Box::new(|sent| sent.from != A);
    let session = world.invite(A);
    for (status, tag) in [(180, "one"), (180, "two"), (200, "two"), (200, "one")] {
        let response = answer_of_fork(&world, status, tag);
        world.inject(A, response);
    }
    assert_eq!(world.names(A), ["progress", "progress", "answered"]);
    let to_tag = |sent: &super::world::Sent| {
        let message = Message::parse(sent.bytes.clone()).unwrap();
        message.to().unwrap().tag().unwrap_or("").to_owned()
    };
    let sent = |what: &str, world: &World| -> Vec<String> {
        let of_kind = world.sent.iter().filter(|sent| sent.what == what);
        of_kind.map(to_tag).collect()
    };
    assert_eq!(sent("ACK", &world), ["two", "one"]);
    assert_eq!(sent("BYE", &world), ["one"]);
    // The fork repeats its answer: acknowledged again, hung up once.
    let again = answer_of_fork(&world, 200, "one");
    world.inject(A, again);
    assert_eq!(sent("ACK", &world), ["two", "one", "one"]);
    assert_eq!(sent("BYE", &world), ["one"]);
    let state = world.agents[A].state(session);
    assert_eq!(state, Some(crate::sip::ua::State::Confirmed));
    world.with(A, |ua, now| ua.bye(now, session, &[]));
    world.run_out();
}

#[test]
fn a_late_answer_to_a_call_that_is_over_is_hung_up_too() {
    let mut world = World::new(2);
    world.filter = Box::new(|sent| sent.from != A);
    let session = world.invite(A);
    let first = answer_of_fork(&world, 200, "one");
    world.inject(A, first);
    world.with(A, |ua, now| ua.bye(now, session, &[]));
    let bye = world.sent.last().unwrap().bytes.clone();
    let bye = Message::parse(bye).unwrap();
    let ok = ResponseBuilder::response(&bye, 200, None).build();
    world.inject(A, ok);
    assert_eq!(world.agents[A].session_count(), 0);
    let late = answer_of_fork(&world, 200, "two");
    world.inject(A, late);
    assert_eq!((world.count("ACK"), world.count("BYE")), (2, 2));
    assert!(matches!(world.events[A].last(), Some(Event::Ended { .. })));
    world.run_out();
}

/// A carrier that is a proxy brings a call to our own number back with our Via in it: a spiral
/// through us, not a loop (RFC 3261 §16.3), and a call like any other. Max-Forwards ends the rest.
#[test]
fn a_request_of_ours_that_comes_back_is_a_call() {
    let mut world = World::new(31);
    world.reflex(|world, agent, event| {
        if let (A, Event::Incoming { session, .. }) = (agent, event) {
            let session = *session;
            world.with(A, |ua, now| ua.reject(now, session, 404, &[]));
        }
    });
    world.invite(A);
    world.run_for(50);
    let sent = String::from_utf8(world.sent[0].bytes.to_vec()).unwrap();
    let proxy = "Via: SIP/2.0/UDP proxy;branch=z9hG4bKp\r\nVia: ";
    world.inject(A, sent.replacen("Via: ", proxy, 1));
    world.run_for(50);
    assert_eq!(world.count("404 INVITE"), 1);
}

#[test]
fn a_merged_request_is_refused_with_482() {
    let mut world = World::new(3);
    world.invite(A);
    world.run_for(50);
    let invite = world.sent[0].bytes.clone();
    let text = String::from_utf8(invite.to_vec()).unwrap();
    let branch = text.find("z9hG4bK").unwrap();
    let mut other = text.clone();
    other.replace_range(branch..branch + 12, "z9hG4bKother");
    world.inject(B, other);
    assert_eq!(world.sent.last().unwrap().what, "482 INVITE");
    assert_eq!(world.names(B), ["incoming"]);
    let session = world.session_of(B);
    world.with(B, |ua, now| ua.reject(now, session, 480, &[]));
    world.run_out();
}
