//! Whom documents dial outside: a number that leaves by a trunk, a SIP address that is a phone's, a
//! trunk's, or nobody's.

use crate::ear::level;
use crate::hold::hear;
use crate::pages::{Pages, office, value};
use crate::peer::Manners;
use crate::script::OFFICE;
use crate::world::{Sent, World};

/// The trunk `demo` has a name of its own for its host.
const DOMAIN: (&str, &str, &str) = (
    "trunks.toml",
    "name = \"demo\"",
    "name = \"demo\"\ndomain = \"carrier.example\"",
);
const AFTER: (&str, &str, &str) = ("/after", "", "<Pause length=\"60\"/>");
/// The peers: who calls, and the trunk's far end, which says 440 Hz.
const CALLER: usize = 0;
const CARRIER: usize = 1;

/// The phone 1005 calls the application, whose document dials.
fn dialling(seed: u64, manners: Manners, dial: &str) -> (World, Pages) {
    let mut world = World::with(seed, office(&[DOMAIN]));
    world.phone("1005", Manners::Rings);
    let carrier = world.carrier();
    world.peers[carrier].manners = manners;
    let mut pages = Pages::new(&[("/call", "", dial), AFTER]);
    world.with_peer(CALLER, |peer, now| peer.call(now, "100", "1005"));
    pages.run_for(&mut world, 3000);
    (world, pages)
}

fn dial(inside: &str) -> String {
    format!("<Dial action=\"/after\" timeout=\"10\">{inside}</Dial>")
}

fn invites<'w>(world: &'w World, peer: &str) -> Vec<&'w Sent> {
    let what = format!("{peer} <- INVITE");
    world.sent.iter().filter(|sent| sent.what == what).collect()
}

/// What the action was told.
fn said(pages: &Pages, name: &str) -> Option<String> {
    let forms = pages.forms("/after");
    value(forms.first()?, name).map(str::to_owned)
}

fn over(world: &mut World, pages: &mut Pages) {
    if !world.peers[CALLER].talks[0].is_over {
        world.hang_up(CALLER, 0);
    }
    pages.run_for(world, 1000);
    world.finish();
}

fn are_talking(world: &mut World) -> bool {
    level(&hear(world, CALLER, 600)[1600..], 440.0) > -20.0
}

#[test]
fn a_number_outside_leaves_by_the_trunk() {
    let number = format!(
        "<Dial action=\"/after\" callerId=\"{OFFICE}\"><Number>00398765432</Number></Dial>"
    );
    let (mut world, mut pages) = dialling(4601, Manners::Answers(300), &number);
    let invite = invites(&world, "carrier");
    assert_eq!(invite.len(), 1, "{}", world.tell());
    assert!(invite[0].has("0398765432@"), "{invite:?}");
    assert!(invite[0].has("312345678@"), "the number that is shown");
    assert!(are_talking(&mut world), "{}", world.tell());
    world.hang_up(CARRIER, 0);
    pages.run_for(&mut world, 300);
    assert_eq!(said(&pages, "DialCallStatus").as_deref(), Some("completed"));
    assert_eq!(said(&pages, "DialSipResponseCode"), None, "of SIP alone");
    over(&mut world, &mut pages);
    let record = world.record();
    assert_eq!(record.legs[1].trunk.as_deref(), Some("demo"));
}

#[test]
fn what_the_trunk_says_is_what_the_dial_came_to() {
    for (seed, manners, expected) in [
        (4602, Manners::Refuses(486), "busy"),
        (4603, Manners::Refuses(404), "failed"),
        (4604, Manners::Rings, "no-answer"),
    ] {
        let number = dial("<Number>00398765432</Number>");
        let (mut world, mut pages) = dialling(seed, manners, &number);
        pages.run_for(&mut world, 12_000);
        assert_eq!(said(&pages, "DialCallStatus").as_deref(), Some(expected));
        over(&mut world, &mut pages);
    }
    // A number that leads nowhere.
    let nowhere = dial("<Number>77</Number>");
    let (mut world, mut pages) = dialling(4605, Manners::Rings, &nowhere);
    assert_eq!(said(&pages, "DialCallStatus").as_deref(), Some("failed"));
    over(&mut world, &mut pages);
}

#[test]
fn an_address_at_our_own_host_is_a_phone() {
    let mut world = World::with(4606, office(&[DOMAIN]));
    world.phone("1005", Manners::Rings);
    let phone = world.phone("1006", Manners::Answers(300));
    let sip = dial("<Sip>sip:1006@127.0.0.1:5060</Sip>");
    let mut pages = Pages::new(&[("/call", "", &sip), AFTER]);
    world.with_peer(CALLER, |peer, now| peer.call(now, "100", "1005"));
    pages.run_to(&mut world, "a conversation", 5000, World::is_talking);
    pages.run_for(&mut world, 1000);
    world.hang_up(phone, 0);
    pages.run_for(&mut world, 300);
    for (name, expected) in [
        ("DialCallStatus", "completed"),
        ("DialSipResponseCode", "200"),
    ] {
        assert_eq!(said(&pages, name).as_deref(), Some(expected), "{name}");
    }
    over(&mut world, &mut pages);
}

#[test]
fn an_address_at_a_trunks_host_leaves_by_that_trunk() {
    for (seed, host) in [
        (4607, "carrier.example"),
        (4608, "CARRIER.Example"),
        (4609, "127.0.0.1:5080"),
    ] {
        let sip = dial(&format!("<Sip>sip:reception@{host}</Sip>"));
        let (mut world, mut pages) = dialling(seed, Manners::Answers(300), &sip);
        let invite = invites(&world, "carrier");
        assert_eq!(invite.len(), 1, "{host}\n{}", world.tell());
        assert!(invite[0].has("sip:reception@"), "{invite:?}");
        assert!(are_talking(&mut world), "{}", world.tell());
        world.hang_up(CARRIER, 0);
        pages.run_for(&mut world, 300);
        assert_eq!(said(&pages, "DialCallStatus").as_deref(), Some("completed"));
        over(&mut world, &mut pages);
    }
    let sip = dial("<Sip>sip:reception@carrier.example</Sip>");
    let (mut world, mut pages) = dialling(4610, Manners::Refuses(486), &sip);
    for (name, expected) in [("DialCallStatus", "busy"), ("DialSipResponseCode", "486")] {
        assert_eq!(said(&pages, name).as_deref(), Some(expected), "{name}");
    }
    over(&mut world, &mut pages);
}

#[test]
fn an_address_at_a_foreign_host_is_not_called() {
    for (seed, address) in [
        (4611, "sip:1006@evil.example"),
        (4612, "sip:1006@192.0.2.7"),
        (4613, "sips:x@sub.carrier.example"),
    ] {
        let sip = dial(&format!("<Sip>{address}</Sip>"));
        let (mut world, mut pages) = dialling(seed, Manners::Answers(300), &sip);
        assert!(invites(&world, "carrier").is_empty(), "{address}");
        for (name, expected) in [("DialCallStatus", "failed"), ("DialSipResponseCode", "403")] {
            assert_eq!(said(&pages, name).as_deref(), Some(expected), "{address}");
        }
        over(&mut world, &mut pages);
    }
}
