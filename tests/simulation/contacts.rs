//! Phones in several places, and over connections that break.

use tsunagu::base::ShardId;
use tsunagu::call::Output;
use tsunagu::events::Stretch;
use tsunagu::router::Command;
use tsunagu::sip::{ConnectionId, Flow, HeaderName, Message};

use crate::ear::{level, listen};
use crate::peer::{Manners, SWITCH};
use crate::world::World;

#[test]
fn all_contacts_ring_and_the_first_to_answer_has_the_call() {
    let mut world = World::new(801);
    let caller = world.phone("1005", Manners::Rings);
    let slow = world.phone("1006", Manners::Answers(3000));
    let quick = world.contact("1006", 2, Manners::Answers(1000));
    world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(caller, 0);
    world.run_for(3000);
    assert!(world.peers[quick].talks[0].is_answered && !world.peers[quick].talks[0].is_over);
    assert!(!world.peers[slow].talks[0].is_answered && world.peers[slow].talks[0].is_over);
    assert!(
        level(
            &listen(&world.peers[caller].talks[0].voice.got)[1600..],
            880.0
        ) > -14.0
    );
    world.hang_up(caller, 0);
    world.finish();
    assert_eq!(world.record().legs.len(), 3);
}

/// RFC 5393 §5.3: the contacts share what the request may fork into.
#[test]
fn a_call_forks_no_wider_than_it_may() {
    for (breadth, rung, share) in [("9", 3, "4"), ("2", 3, "1"), ("1", 2, "1"), ("0", 1, "0")] {
        let mut world = World::new(830);
        let caller = world.phone("1005", Manners::Rings);
        world.phone("1006", Manners::Answers(1000));
        world.contact("1006", 2, Manners::Answers(900));
        world.with_peer(caller, |peer, now| {
            peer.call_with(now, "1006", &[(HeaderName::MaxBreadth, breadth)]);
        });
        world.run_for(500);
        let invites = world
            .sent
            .iter()
            .filter(|sent| sent.has("\r\nMax-Breadth: "));
        // The caller's own, challenged and again, stand beside those of the contacts.
        let to_contacts: Vec<_> = invites
            .filter(|sent| sent.what.starts_with("1006"))
            .collect();
        assert_eq!(to_contacts.len() + 1, rung, "{}", world.tell());
        let line = format!("\r\nMax-Breadth: {share}\r\n");
        assert!(to_contacts.iter().all(|sent| sent.has(&line)));
        if breadth == "0" {
            assert_eq!(world.peers[caller].talks[0].heard.last(), Some(&440));
        } else {
            world.until_answered(caller, 0);
            world.hang_up(caller, 0);
        }
        world.finish();
    }
}

#[test]
fn two_answers_at_once_make_one_call() {
    for seed in 802..812 {
        let mut world = World::new(seed);
        world.link.jitter = 4000;
        let caller = world.phone("1005", Manners::Rings);
        let contacts = [
            world.phone("1006", Manners::Answers(500)),
            world.contact("1006", 2, Manners::Answers(500)),
            world.contact("1006", 3, Manners::Answers(501)),
        ];
        world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
        world.until_answered(caller, 0);
        world.run_for(2000);
        let live = contacts
            .iter()
            .filter(|peer| world.peers[**peer].live() == 1)
            .count();
        assert_eq!(live, 1, "{}", world.tell());
        world.hang_up(caller, 0);
        world.finish();
    }
}

#[test]
fn one_busy_contact_does_not_stop_the_others() {
    let mut world = World::new(813);
    let caller = world.phone("1005", Manners::Rings);
    world.phone("1006", Manners::Refuses(486));
    world.contact("1006", 2, Manners::Answers(1000));
    world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(caller, 0);
    world.hang_up(caller, 0);
    world.finish();
    assert!(world.record().answered.is_some());
}

#[test]
fn busy_outranks_unavailable_when_nobody_answers() {
    let mut world = World::new(814);
    let caller = world.phone("1005", Manners::Rings);
    world.phone("1006", Manners::Refuses(486));
    world.contact("1006", 2, Manners::Refuses(480));
    world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
    world.finish();
    assert_eq!(world.peers[caller].talks[0].heard.last(), Some(&486));
}

#[test]
fn an_agent_has_one_offer_on_all_his_phones() {
    let mut world = World::new(815);
    let carrier = world.carrier();
    let desk = world.phone("1001", Manners::Rings);
    let mobile = world.contact("1001", 2, Manners::Answers(800));
    world.customer(carrier);
    world.until_talking();
    world.run_for(500);
    assert!(world.peers[desk].talks[0].is_over && !world.peers[mobile].talks[0].is_over);
    world.hang_up(mobile, 0);
    world.finish();
    let record = world.record();
    assert_eq!((record.offers.len(), record.agents.len()), (1, 1));
    assert_eq!(record.legs.len(), 3);
}

#[test]
fn a_third_party_joins_with_the_phone_that_answers_first() {
    let mut world = World::new(816);
    let carrier = world.carrier();
    let agent = world.phone("1001", Manners::Answers(300));
    let slow = world.phone("1005", Manners::Rings);
    let quick = world.contact("1005", 2, Manners::Answers(400));
    world.customer(carrier);
    world.until_talking();
    let wish = tsunagu::call::Control::AddParty {
        number: "1005".to_owned(),
    };
    world.control(wish).expect("rings");
    world.run_for(2000);
    assert!(world.peers[slow].talks[0].is_over && !world.peers[quick].talks[0].is_over);
    world.hang_up(agent, 0);
    world.hang_up(quick, 0);
    world.finish();
}

#[test]
fn a_phone_over_tcp_is_reachable_as_long_as_its_connection() {
    let mut world = World::new(817);
    let carrier = world.carrier();
    let agent = world.phone_over_tcp("1001", Manners::Answers(300));
    let reachable = |world: &World| {
        let view = world.switch.pump.view();
        view.workers
            .iter()
            .find(|worker| worker.spec.name == "sato")
            .expect("there")
            .reachable
    };
    assert!(reachable(&world));
    world.customer(carrier);
    world.until_talking();
    world.run_for(1000);
    world.break_connection(agent);
    world.run_for(100);
    assert!(!reachable(&world));
    // The conversation itself goes on: media knows no connection.
    assert!(!world.peers[carrier].talks[0].is_over);
    world.run_for(1000);
    world.hang_up(carrier, 0);
    world.finish();
    assert!(world.record().total_ms(Stretch::Talk) >= 2000);
}

#[test]
fn a_phone_whose_connection_breaks_while_it_rings_is_as_good_as_gone() {
    let mut world = World::new(818);
    let carrier = world.carrier();
    let first = world.phone_over_tcp("1001", Manners::Rings);
    world.phone("1002", Manners::Answers(300));
    world.customer(carrier);
    world.run_to("rings", 10_000, |world| world.peers[first].live() == 1);
    world.run_for(500);
    world.break_connection(first);
    world.until_talking();
    world.hang_up(carrier, 0);
    world.finish();
    let record = world.record();
    assert_eq!(record.offers.len(), 2);
    let rang = record.offers[1].offered.since(record.offers[0].offered);
    assert!(
        rang.as_secs() <= 15,
        "{rang:?}: at the latest when the ring time is over"
    );
}

/// Registers a phone by a proxy that has its address, over a connection that then breaks.
fn behind_proxy(world: &mut World, edge: usize, phone: &str) {
    let address = world.peers[edge].address;
    let remote = "127.0.9.9:40000".parse().unwrap();
    let connection = ConnectionId::new(ShardId(0), 77);
    let flow = Flow::tcp(SWITCH, remote, Some(connection));
    let registrar = world.switch.registrar.clone();
    for (cseq, contact) in [
        (1, "*\r\nExpires: 0".to_owned()),
        (2, format!("<sip:{phone}@10.9.9.9>")),
    ] {
        let text = format!(
            "REGISTER sip:office SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\n\
             Supported: path\r\nPath: <sip:{address};lr>\r\n\
             From: <sip:{phone}@office>;tag=1\r\nTo: <sip:{phone}@office>\r\n\
             Call-ID: by-proxy\r\nCSeq: {cseq} REGISTER\r\nContact: {contact}\r\n\r\n"
        );
        let message = Message::parse(text.into()).unwrap();
        let mut registrar = registrar.lock().unwrap();
        let reply = registrar.register(world.now, &message, &flow, phone);
        assert_eq!(reply.status, 200);
    }
    let now = world.now;
    world.switch.exchange.handle_transport_error(now, &flow);
    assert!(world.switch.is_registered(phone));
}

#[test]
fn a_phone_behind_a_proxy_is_rung_by_its_path_whatever_became_of_the_connection() {
    let mut world = World::new(819);
    let caller = world.phone("1005", Manners::Rings);
    let edge = world.phone("1006", Manners::Answers(300));
    behind_proxy(&mut world, edge, "1006");
    world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(caller, 0);
    let invite = world.sent.iter().find(|sent| sent.what == "1006 <- INVITE");
    let invite = invite.expect("rung");
    assert!(invite.has("INVITE sip:1006@10.9.9.9 SIP/2.0"));
    assert!(invite.has(&format!("Route: <sip:{};lr>", world.peers[edge].address)));
    world.hang_up(caller, 0);
    world.finish();
}

#[test]
fn a_flow_that_the_proxy_says_is_gone_is_forgotten() {
    let mut world = World::new(820);
    let caller = world.phone("1005", Manners::Rings);
    let edge = world.phone("1006", Manners::Refuses(430));
    behind_proxy(&mut world, edge, "1006");
    world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
    world.finish();
    assert!(!world.switch.is_registered("1006"));
}

#[test]
fn who_held_a_connection_forgets_its_phones_and_has_it_written_down() {
    let mut world = World::new(823);
    let phone = world.phone_over_tcp("1006", Manners::Rings);
    world.contact("1006", 2, Manners::Rings);
    let flow = Flow::tcp(
        SWITCH,
        world.peers[phone].address,
        world.peers[phone].connection,
    );
    let places = |world: &World| {
        let registrar = world.switch.registrar.lock().unwrap();
        registrar.bindings("1006").len()
    };
    assert_eq!(places(&world), 2);
    // Another shard only hears of it.
    let now = world.now;
    let exchange = &mut world.switch.exchange;
    exchange.handle_connection_lost(now, &flow);
    assert_eq!(places(&world), 2);
    let exchange = &mut world.switch.exchange;
    exchange.handle_transport_error(now, &flow);
    let mut outputs = std::iter::from_fn(|| exchange.poll_output());
    assert!(outputs.any(|output| matches!(output, Output::Bindings)));
    // It is registered as before, in one place less.
    assert_eq!(places(&world), 1);
}

#[test]
fn a_phone_that_came_back_meanwhile_is_told_as_it_is() {
    let mut world = World::new(331);
    let phone = world.phone_over_tcp("1001", Manners::Answers(300));
    let flow = Flow::tcp(
        SWITCH,
        world.peers[phone].address,
        world.peers[phone].connection,
    );
    let registrar = world.switch.registrar.clone();
    let before = registrar.lock().unwrap().clone();
    let (now, exchange) = (world.now, &mut world.switch.exchange);
    exchange.handle_transport_error(now, &flow);
    // It registers by another shard before this one's word has gone out.
    *registrar.lock().unwrap() = before;
    let mut told = Vec::new();
    while let Some(output) = exchange.poll_output() {
        if let Output::Reachable(agent) = output {
            exchange.tell_reachable(&agent, |command| told.push(command));
        }
    }
    let sato = Command::SetReachable {
        worker: "sato".to_owned(),
        reachable: true,
    };
    assert_eq!(told, [sato]);
}
