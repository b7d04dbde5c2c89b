//! REFER, NOTIFY, SUBSCRIBE and Replaces: who may say what when, and what is left afterwards.

use std::sync::Arc;

use super::*;
use crate::base::Timestamp;
use crate::sip::ua::{Event, Manners, ReferId, Replaced, SessionId};
use crate::sip::{HeaderName, Message, Replaces};

/// A call between A and B; B asks A to call somebody else. A's session, B's, and the REFER.
fn referred(
    world: &mut World,
    headers: &[(HeaderName, String)],
) -> (SessionId, SessionId, ReferId) {
    let (ours, theirs) = world.connect();
    let refer = world
        .with(B, |b, now| {
            b.refer(now, theirs, "<sip:carol@127.0.0.9>", headers)
        })
        .expect("a confirmed dialog");
    world.run_for(20);
    assert_eq!(world.names(A).last(), Some(&"refer"));
    (ours, theirs, refer)
}

/// What NOTIFYs said: status, Event, Subscription-State.
fn said(world: &World) -> Vec<String> {
    let notifies = world.sent.iter().filter(|sent| sent.what == "NOTIFY");
    notifies
        .map(|sent| {
            let message = Message::parse(sent.bytes.clone()).unwrap();
            let body = String::from_utf8_lossy(message.body()).into_owned();
            assert!(message.content_type().unwrap().is("message/sipfrag"));
            let text = |name| message.header_text(name).unwrap().into_owned();
            let state = text(HeaderName::SubscriptionState);
            let state = state.split(';').next().unwrap().to_owned();
            format!("{} {} {state}", body.trim_end(), text(HeaderName::Event))
        })
        .collect()
}

fn notify(world: &mut World, session: SessionId, refer: ReferId, status: u16) {
    world.with(A, |a, now| a.notify(now, session, refer, status));
}

fn accept(world: &mut World, session: SessionId, refer: ReferId) {
    world.with(A, |a, now| a.accept_refer(now, session, refer));
}

fn hang_up(agent: usize, session: SessionId) -> impl FnOnce(&mut World) {
    move |world| world.with(agent, |ua, now| ua.bye(now, session, &[]))
}

#[test]
fn a_refer_is_told_to_its_end() {
    let mut world = World::new(1);
    let (ours, theirs, refer) = referred(&mut world, &[]);
    accept(&mut world, ours, refer);
    world.run_for(20);
    for status in [180, 200] {
        notify(&mut world, ours, refer, status);
        world.run_for(20);
    }
    // Said is said: nothing follows the end.
    notify(&mut world, ours, refer, 486);
    assert_eq!(
        said(&world),
        [
            "SIP/2.0 100 Trying refer active",
            "SIP/2.0 180 Ringing refer active",
            "SIP/2.0 200 OK refer terminated",
        ]
    );
    assert_eq!(world.count("202 REFER"), 1);
    let heard: Vec<_> = world.events[B].iter().filter_map(heard).collect();
    assert_eq!(
        heard,
        [(Some(100), false), (Some(180), false), (Some(200), true)]
    );
    hang_up(B, theirs)(&mut world);
    world.run_out();
}

fn heard(event: &Event) -> Option<(Option<u16>, bool)> {
    match event {
        Event::Notified {
            status, is_over, ..
        } => Some((*status, *is_over)),
        _ => None,
    }
}

#[test]
fn notifies_go_one_at_a_time_and_only_the_newest_waits() {
    let mut world = World::new(2);
    let (ours, theirs, refer) = referred(&mut world, &[]);
    accept(&mut world, ours, refer);
    for status in [180, 183, 200] {
        notify(&mut world, ours, refer, status);
    }
    assert_eq!(world.count("NOTIFY"), 1);
    world.run_for(50);
    assert_eq!(
        said(&world),
        [
            "SIP/2.0 100 Trying refer active",
            "SIP/2.0 200 OK refer terminated"
        ]
    );
    hang_up(B, theirs)(&mut world);
    world.run_out();
}

#[test]
fn without_a_subscription_nobody_is_told() {
    // RFC 4488 §4.
    let mut world = World::new(3);
    let wish = [
        (HeaderName::ReferSub, "false".to_owned()),
        (HeaderName::Require, "norefersub".to_owned()),
    ];
    let (ours, theirs, refer) = referred(&mut world, &wish);
    accept(&mut world, ours, refer);
    notify(&mut world, ours, refer, 200);
    world.run_for(50);
    assert_eq!(world.count("NOTIFY"), 0);
    let accepted = world.sent.iter().find(|sent| sent.what == "202 REFER");
    let accepted = Message::parse(accepted.unwrap().bytes.clone()).unwrap();
    let refer_sub = accepted.header_text(HeaderName::ReferSub);
    assert_eq!(refer_sub.as_deref(), Some("false"));
    hang_up(B, theirs)(&mut world);
    world.run_out();
}

#[test]
fn several_refers_are_told_apart_by_their_number() {
    let mut world = World::new(4);
    let (ours, theirs, first) = referred(&mut world, &[]);
    accept(&mut world, ours, first);
    notify(&mut world, ours, first, 486);
    world.run_for(50);
    let again = |b: &mut crate::sip::UserAgent, now: Timestamp| {
        b.refer(now, theirs, "<sip:dave@127.0.0.9>", &[])
    };
    let second = world.with(B, again).unwrap();
    world.run_for(50);
    accept(&mut world, ours, second);
    notify(&mut world, ours, second, 603);
    world.run_for(50);
    assert_eq!(
        said(&world),
        [
            "SIP/2.0 100 Trying refer active".to_owned(),
            "SIP/2.0 486 Busy Here refer terminated".to_owned(),
            format!("SIP/2.0 100 Trying refer;id={second} active"),
            format!("SIP/2.0 603 Decline refer;id={second} terminated"),
        ]
    );
    hang_up(B, theirs)(&mut world);
    world.run_out();
}

#[test]
fn whoever_hangs_up_after_a_refer_still_hears_how_it_ended() {
    // RFC 5057 §4: the subscription outlives the call.
    let mut world = World::new(5);
    let (ours, theirs, refer) = referred(&mut world, &[]);
    accept(&mut world, ours, refer);
    world.run_for(20);
    hang_up(B, theirs)(&mut world);
    world.run_for(100);
    assert_eq!(world.agents[A].session_count(), 0);
    notify(&mut world, ours, refer, 200);
    world.run_out();
    assert_eq!(
        said(&world).last().map(String::as_str),
        Some("SIP/2.0 200 OK refer terminated")
    );
    // B has forgotten the dialog, as many phones do; that ends it too.
    assert_eq!(world.count("481 NOTIFY"), 1);
}

#[test]
fn our_bye_does_not_overtake_the_notify() {
    let mut world = World::new(6);
    let (ours, _, refer) = referred(&mut world, &[]);
    accept(&mut world, ours, refer);
    world.run_for(20);
    notify(&mut world, ours, refer, 200);
    hang_up(A, ours)(&mut world);
    assert_eq!(world.count("BYE"), 0);
    world.run_out();
    let kinds = world.kinds();
    let at = |what: &str| kinds.iter().rposition(|kind| *kind == what).unwrap();
    assert!(at("200 NOTIFY") < at("BYE"), "{:#?}", world.trace());
    assert_eq!(world.names(A).last(), Some(&"ended: local bye"));
}

#[test]
fn a_peer_deaf_to_notifies_is_hung_up_all_the_same() {
    let mut world = World::new(7);
    world.filter = Box::new(|sent| sent.what != "200 NOTIFY");
    let (ours, _, refer) = referred(&mut world, &[]);
    accept(&mut world, ours, refer);
    notify(&mut world, ours, refer, 200);
    hang_up(A, ours)(&mut world);
    world.run_out();
    assert_eq!(world.names(A).last(), Some(&"ended: local bye"));
}

#[test]
fn a_refer_nobody_answers_leaves_nothing() {
    let mut world = World::new(8);
    let (_, theirs, _) = referred(&mut world, &[]);
    world.run_for(40_000);
    hang_up(B, theirs)(&mut world);
    world.run_out();
    assert!(world.names(B).contains(&"refer answered"));
}

#[test]
fn a_refer_under_way_is_refused_when_the_call_ends() {
    let mut world = World::new(9);
    let (ours, _, _) = referred(&mut world, &[]);
    hang_up(A, ours)(&mut world);
    world.run_out();
    assert_eq!(world.count("487 REFER"), 1, "{:#?}", world.trace());
}

#[test]
fn refusals_keep_the_dialog() {
    let mut world = World::new(10);
    let (ours, theirs, refer) = referred(&mut world, &[]);
    world.with(A, |a, now| a.refuse_refer(now, ours, refer, 403));
    world.run_for(50);
    assert_eq!(world.count("403 REFER"), 1);
    assert_eq!(world.count("NOTIFY"), 0);
    hang_up(B, theirs)(&mut world);
    world.run_out();
}

/// A request of B's in the dialog, written by hand, with a sequence number of its own.
fn in_dialog(world: &World, method: &str, cseq: u32, lines: &str) -> String {
    let ack = world.sent.iter().find(|sent| sent.what == "200 INVITE");
    let ok = Message::parse(ack.unwrap().bytes.clone()).unwrap();
    let text = |name| ok.header_text(name).unwrap().into_owned();
    format!(
        "{method} sip:alice@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK{method}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:bob@127.0.0.2>\r\n{lines}Content-Length: 0\r\n\r\n",
        text(HeaderName::To),
        text(HeaderName::From),
        text(HeaderName::CallId),
    )
}

#[test]
fn only_what_a_refer_made_can_be_subscribed_to() {
    let mut world = World::new(11);
    let (ours, _, refer) = referred(&mut world, &[]);
    accept(&mut world, ours, refer);
    world.run_for(20);
    let said_before = said(&world).len();
    for (cseq, lines, status) in [
        (100, "Event: presence\r\n", "489 SUBSCRIBE"),
        (101, "Event: refer;id=77\r\n", "481 SUBSCRIBE"),
        (102, "Event: refer\r\nExpires: 60\r\n", "200 SUBSCRIBE"),
        (103, "Event: refer\r\nExpires: 0\r\n", "200 SUBSCRIBE"),
        (104, "Event: refer\r\nExpires: 60\r\n", "481 SUBSCRIBE"),
    ] {
        let text = in_dialog(&world, "SUBSCRIBE", cseq, lines);
        world.inject(A, text);
        let answer = world
            .sent
            .iter()
            .rfind(|sent| sent.what.ends_with("SUBSCRIBE"));
        assert_eq!(answer.unwrap().what, status, "{lines}");
        world.run_for(20);
    }
    // One NOTIFY for each; after the end none, whatever happens.
    notify(&mut world, ours, refer, 200);
    world.run_for(20);
    assert_eq!(
        said(&world)[said_before..],
        [
            "SIP/2.0 100 Trying refer active",
            "SIP/2.0 100 Trying refer terminated",
        ]
    );
    // A NOTIFY nobody asked for.
    let text = in_dialog(&world, "NOTIFY", 105, "Event: refer\r\n");
    world.inject(A, text);
    assert_eq!(world.count("481 NOTIFY"), 1);
    hang_up(A, ours)(&mut world);
    world.run_out();
}

#[test]
fn a_subscription_nobody_ends_ends_by_itself() {
    // In a call that goes on, and after one that is over.
    for goes_on in [true, false] {
        let mut world = World::new(14);
        let (ours, theirs, refer) = referred(&mut world, &[]);
        accept(&mut world, ours, refer);
        world.run_for(20);
        if !goes_on {
            hang_up(B, theirs)(&mut world);
        }
        world.run_for(599_000);
        assert_eq!(said(&world), ["SIP/2.0 100 Trying refer active"]);
        world.run_for(1000);
        let last = "SIP/2.0 100 Trying refer terminated";
        assert_eq!(said(&world).last().map(String::as_str), Some(last));
        if goes_on {
            hang_up(B, theirs)(&mut world);
        }
        world.run_out();
    }
}

#[test]
fn a_restored_dialog_does_not_wait_for_an_answer_to_the_last_notify() {
    let mut world = World::new(15);
    let (ours, theirs, refer) = referred(&mut world, &[]);
    accept(&mut world, ours, refer);
    world.run_for(20);
    world.filter = Box::new(|sent| sent.what != "200 NOTIFY");
    notify(&mut world, ours, refer, 200);
    let frozen = world.agents[A].checkpoint(ours).unwrap();
    world.run_for(20);
    world.filter = Box::new(|_| true);
    world.agents[A] = super::world::agent(A, 99);
    world.with(A, |a, now| a.restore(now, frozen));
    hang_up(B, theirs)(&mut world);
    world.run_out();
}

#[test]
fn outside_a_dialog_nothing_is_referred() {
    let mut world = World::new(12);
    let text = |method: &str, to: &str| {
        format!(
            "{method} sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK{method}{}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:b@b>;tag=x\r\nTo: <sip:a@a>{to}\r\nCall-ID: {method}\r\n\
             CSeq: 1 {method}\r\nContact: <sip:b@127.0.0.2>\r\nRefer-To: <sip:c@d>\r\nEvent: refer\r\n\
             Content-Length: 0\r\n\r\n",
            to.len()
        )
    };
    for (method, to, status) in [
        ("REFER", "", "403 REFER"),
        ("REFER", ";tag=nonsense", "481 REFER"),
        ("SUBSCRIBE", "", "489 SUBSCRIBE"),
        ("NOTIFY", "", "481 NOTIFY"),
    ] {
        world.inject(A, text(method, to));
        assert_eq!(world.sent.last().unwrap().what, status);
    }
    assert!(world.events[A].is_empty());
    world.run_out();
}

#[test]
fn replaces_means_one_dialog_exactly() {
    let mut world = World::new(13);
    let (ours, theirs) = world.connect();
    let ok = world.sent.iter().find(|sent| sent.what == "200 INVITE");
    let ok = Message::parse(ok.unwrap().bytes.clone()).unwrap();
    let tag = |name| {
        let value: crate::sip::NameAddr = ok.header_text(name).unwrap().parse().unwrap();
        value.tag().unwrap().to_owned()
    };
    let (a, b) = (tag(HeaderName::From), tag(HeaderName::To));
    let call_id = ok.call_id().unwrap();
    let find = |world: &World, call_id: &str, to: &str, from: &str| {
        let text = format!("{call_id};to-tag={to};from-tag={from}");
        world.agents[A].find_replaced(&Replaces::parse(&text).unwrap())
    };
    assert_eq!(find(&world, call_id, &a, &b), Replaced::Found(ours));
    assert_eq!(find(&world, call_id, &a, "other"), Replaced::Unknown);
    assert_eq!(find(&world, "other", &a, &b), Replaced::Unknown);
    assert_eq!(find(&world, call_id, &b, &a), Replaced::Unknown);
    assert_eq!(find(&world, call_id, &a, "0"), Replaced::Unknown);
    hang_up(B, theirs)(&mut world);
    world.run_for(100);
    assert_eq!(find(&world, call_id, &a, &b), Replaced::Over);
    world.run_out();
}

#[test]
fn transfers_survive_a_bad_link() {
    for seed in 0..200 {
        let mut world = World::new(seed);
        let (ours, theirs) = world.connect();
        world.loss = 150;
        world.delay = 300;
        world.reflex(move |world, agent, event| match event {
            Event::Refer { refer, .. } => {
                let refer = *refer;
                world.with(agent, |ua, now| ua.accept_refer(now, ours, refer));
                world.after(seed * 7 % 900, move |world| {
                    notify(world, ours, refer, 180);
                    notify(world, ours, refer, 200);
                    hang_up(A, ours)(world);
                });
            }
            Event::Notified { is_over: true, .. } => hang_up(agent, theirs)(world),
            _ => {}
        });
        world
            .with(B, |b, now| {
                b.refer(now, theirs, "<sip:carol@127.0.0.9>", &[])
            })
            .expect("confirmed");
        world.run_for(120_000);
        world.reflex(|_, _, _| {});
        for (agent, session) in [(A, ours), (B, theirs)] {
            hang_up(agent, session)(&mut world);
        }
        world.run_out();
    }
}

#[test]
fn transfers_are_written_as_the_peer_wants_them_to_the_end() {
    let mut world = World::new(30);
    let (ours, theirs) = world.connect();
    let manners = Arc::new(Manners {
        rport: false,
        ..Manners::default()
    });
    for (agent, session) in [(A, ours), (B, theirs)] {
        let manners = Arc::clone(&manners);
        world.with(agent, |ua, _| ua.set_manners(session, manners));
    }
    let refer = world
        .with(B, |b, now| {
            b.refer(now, theirs, "<sip:carol@127.0.0.9>", &[])
        })
        .unwrap();
    world.run_for(20);
    accept(&mut world, ours, refer);
    world.run_for(20);
    hang_up(B, theirs)(&mut world);
    world.run_for(20);
    // The call is over, the subscription is not.
    notify(&mut world, ours, refer, 200);
    world.run_out();
    let ours = |sent: &&super::world::Sent| ["REFER", "NOTIFY"].contains(&&*sent.what);
    let all: Vec<_> = world.sent.iter().filter(ours).collect();
    assert_eq!(all.len(), 3, "{:#?}", world.trace());
    for sent in all {
        let text = String::from_utf8_lossy(&sent.bytes);
        assert!(!text.contains("rport"), "{text}");
    }
}
