//! The door as a whole.

use std::net::SocketAddr;

use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000) + Duration::from_secs(seconds)
}

fn guard() -> Guard {
    Guard::new(Rules::default(), &mut Entropy::from_seed(1))
}

fn flow(from: &str) -> Flow {
    let local: SocketAddr = "192.0.2.254:5060".parse().unwrap();
    Flow::udp(local, SocketAddr::new(ip(from), 5060))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn knock(guard: &Guard, now: Timestamp, from: &str, head: &str) -> Admission {
    guard.admit(now, &flow(from), head.as_bytes(), |user| user == "119")
}

/// How many of `count` knocks pass.
fn passed(guard: &Guard, now: Timestamp, from: &str, head: &str, count: usize) -> usize {
    (0..count)
        .filter(|_| knock(guard, now, from, head) == Admission::Pass)
        .count()
}

const OPTIONS: &str = "OPTIONS sip:a SIP/2.0\r\n";
const BYE: &str = "BYE sip:a SIP/2.0\r\n";

#[test]
fn a_flood_is_held_and_nobody_else_is() {
    let guard = guard();
    assert_eq!(passed(&guard, at(0), "192.0.2.1", OPTIONS, 1000), 400);
    assert_eq!(passed(&guard, at(0), "192.0.2.2", OPTIONS, 100), 100);
    // What belongs to calls that live has room of its own.
    assert_eq!(passed(&guard, at(0), "192.0.2.1", BYE, 100), 100);
    assert_eq!(passed(&guard, at(1), "192.0.2.1", OPTIONS, 1000), 100);
    assert_eq!(guard.tally().of(Attack::RequestFlood), 1500);
    assert_eq!(guard.turned_away(), 1500);
}

#[test]
fn past_the_rate_a_few_hear_503_and_the_rest_nothing() {
    let guard = guard();
    passed(&guard, at(0), "192.0.2.1", OPTIONS, 400);
    let answers: Vec<_> = (0..100)
        .map(|_| knock(&guard, at(0), "192.0.2.1", OPTIONS))
        .collect();
    let refused = Admission::Refuse(503, 5);
    assert_eq!(answers.iter().filter(|one| **one == refused).count(), 20);
    assert_eq!(answers[99], Admission::Drop);
}

#[test]
fn an_emergency_call_has_a_rate_of_its_own() {
    let guard = guard();
    passed(&guard, at(0), "192.0.2.1", OPTIONS, 1000);
    let call = |number: &str| format!("INVITE sip:{number}@192.0.2.254 SIP/2.0\r\n");
    assert_ne!(
        knock(&guard, at(0), "192.0.2.1", &call("1001")),
        Admission::Pass
    );
    assert_eq!(passed(&guard, at(0), "192.0.2.1", &call("119"), 100), 5);
}

#[test]
fn wrong_passwords_ban_and_the_ban_ends() {
    let guard = guard();
    for _ in 0..10 {
        guard.failed(at(0), ip("192.0.2.1"), "1001");
        assert_eq!(guard.bans(at(0)), []);
    }
    guard.failed(at(0), ip("192.0.2.1"), "1001");
    let bans = guard.bans(at(0));
    assert_eq!(bans.len(), 1);
    assert_eq!(bans[0].attack, Attack::PasswordGuessing);
    assert_eq!(knock(&guard, at(1), "192.0.2.1", OPTIONS), Admission::Drop);
    assert_eq!(knock(&guard, at(1), "192.0.2.1", BYE), Admission::Drop);
    assert_eq!(knock(&guard, at(1), "192.0.2.2", OPTIONS), Admission::Pass);
    assert!(!guard.admit_connection(at(1), ip("192.0.2.1")));
    assert_eq!(guard.bans(at(1))[0].dropped, 3);
    assert_eq!(
        knock(&guard, at(600), "192.0.2.1", OPTIONS),
        Admission::Pass
    );
    assert_eq!(guard.bans(at(600)), []);
}

#[test]
fn one_can_be_let_in_by_hand() {
    let guard = guard();
    for _ in 0..11 {
        guard.failed(at(0), ip("2001:db8::1"), "1001");
    }
    assert!(guard.lift(at(1), ip("2001:db8::9")));
    assert_eq!(
        knock(&guard, at(1), "2001:db8::1", OPTIONS),
        Admission::Pass
    );
    guard.failed(at(1), ip("2001:db8::1"), "1001");
    assert_eq!(guard.bans(at(1)), []);
}

#[test]
fn many_names_from_one_source_are_an_enumeration() {
    let guard = guard();
    for user in 1001..1030 {
        guard.failed(at(0), ip("192.0.2.1"), &user.to_string());
    }
    assert!(guard.tally().of(Attack::UserEnumeration) > 0);
    let bans = guard.bans(at(0));
    assert_eq!(bans[0].attack, Attack::UserEnumeration);
}

#[test]
fn the_owner_is_never_locked_out() {
    let guard = guard();
    // A phone is registered here, and somebody in the same office guesses.
    guard.welcome(at(0), ip("192.0.2.1"), "1001", Some(at(3600)));
    for _ in 0..100 {
        guard.failed(at(1), ip("192.0.2.1"), "1002");
    }
    assert_eq!(guard.bans(at(1)), []);
    assert_eq!(knock(&guard, at(1), "192.0.2.1", OPTIONS), Admission::Pass);
    // Only that user's passwords from there have to wait.
    assert!(guard.slowed(at(1), ip("192.0.2.1"), "1002").is_some());
    assert_eq!(guard.slowed(at(1), ip("192.0.2.1"), "1001"), None);
    assert_eq!(guard.slowed(at(1), ip("192.0.2.7"), "1002"), None);
    assert_eq!(guard.slowed(at(12), ip("192.0.2.1"), "1002"), None);
    // When the registration has run out, the source is like any other.
    for _ in 0..100 {
        guard.failed(at(3601), ip("192.0.2.1"), "1002");
    }
    assert_eq!(guard.bans(at(3601)).len(), 1);
}

#[test]
fn a_registration_lifts_a_ban_of_its_source() {
    let guard = guard();
    for _ in 0..11 {
        guard.failed(at(0), ip("192.0.2.1"), "1001");
    }
    guard.welcome(at(1), ip("192.0.2.1"), "1001", Some(at(100)));
    assert_eq!(knock(&guard, at(1), "192.0.2.1", OPTIONS), Admission::Pass);
}

#[test]
fn a_user_tried_from_everywhere_leaves_strangers_fewer_tries() {
    let guard = guard();
    for host in 1..=20 {
        guard.failed(at(0), ip(&format!("198.51.100.{host}")), "1001");
    }
    assert_eq!(guard.tally().of(Attack::PasswordGuessing), 0);
    let tries = (0..10)
        .take_while(|_| {
            guard.failed(at(0), ip("203.0.113.1"), "1001");
            guard.bans(at(0)).is_empty()
        })
        .count();
    assert_eq!(tries, 3);
    assert!(guard.tally().of(Attack::PasswordGuessing) > 0);
    // The owner's first try anywhere is looked at.
    assert_eq!(guard.slowed(at(0), ip("203.0.113.9"), "1001"), None);
}

#[test]
fn lists_say_who_may_speak() {
    let parse = |text: &str| Network::parse(text).unwrap();
    let rules = Rules {
        allow: vec![parse("192.0.2.0/24")],
        deny: vec![parse("192.0.2.128/25")],
        exempt: vec![parse("192.0.2.9"), parse("192.0.2.200")],
        ..Rules::default()
    };
    let guard = guard();
    guard.set_rules(rules);
    for (from, wanted) in [
        ("192.0.2.1", Admission::Pass),
        ("192.0.2.200", Admission::Drop),
        ("198.51.100.1", Admission::Drop),
    ] {
        assert_eq!(knock(&guard, at(0), from, OPTIONS), wanted, "{from}");
        let may_connect = guard.admit_connection(at(0), ip(from));
        assert_eq!(may_connect, wanted == Admission::Pass);
    }
    assert_eq!(passed(&guard, at(0), "192.0.2.9", OPTIONS, 10_000), 10_000);
}

#[test]
fn connections_have_a_rate_of_their_own() {
    let guard = guard();
    let opened = (0..100).filter(|_| guard.admit_connection(at(0), ip("192.0.2.1")));
    assert_eq!(opened.count(), 50);
    assert_eq!(guard.tally().of(Attack::ConnectionFlood), 50);
    assert_eq!(knock(&guard, at(0), "192.0.2.1", OPTIONS), Admission::Pass);
}

#[test]
fn a_stray_is_an_accident_and_a_hundred_are_an_attack() {
    let guard = guard();
    for _ in 0..10 {
        guard.stray(at(0), Attack::ForgedResponse, ip("192.0.2.1"));
    }
    assert_eq!(guard.tally().of(Attack::ForgedResponse), 0);
    for _ in 0..90 {
        guard.stray(at(0), Attack::ForgedResponse, ip("192.0.2.1"));
    }
    assert_eq!(guard.tally().of(Attack::ForgedResponse), 90);
}

#[test]
fn the_number_called_is_read_from_whatever_is_there() {
    assert_eq!(called(b"INVITE sip:119@h SIP/2.0\r\n"), Some("119"));
    assert_eq!(
        called(b"INVITE tel:119;phone-context=x SIP/2.0\r\n"),
        Some("119")
    );
    for head in [&b"INVITE "[..], b"INVITE \xff:1@ ", b"", b"INVITE x SIP"] {
        assert_eq!(called(head), None);
    }
}
