//! `<Refer>`: the caller's own side is asked to call somebody else, and says how that went.

use crate::pages::{Pages, office, told, value};
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

const REFER: &str = "<Refer action=\"/after\"><Sip>sip:alice@example.com</Sip></Refer>";
const CALLER: usize = 0;

/// A caller of the carrier whose document refers him elsewhere; his side refuses with a status, or
/// accepts.
fn referred(seed: u64, document: &str, refuses: Option<u16>) -> (World, Pages) {
    let mut world = World::with(seed, office(&[]));
    let carrier = world.carrier();
    world.peers[carrier].refuses_refer = refuses;
    let mut pages = Pages::new(&[
        ("/call", "", document),
        ("/after", "", "<Pause length=\"60\"/>"),
    ]);
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    pages.run_to(&mut world, "a REFER", 5000, |world| {
        world.peers[CALLER].asked.is_some()
    });
    pages.run_for(&mut world, 200);
    (world, pages)
}

/// The caller's side says how far it is.
fn says(world: &mut World, status: u16) {
    let (session, refer, _) = world.peers[CALLER].asked.clone().expect("asked");
    world.with_peer(CALLER, |peer, now| {
        peer.ua.notify(now, session, refer, status);
    });
}

fn outcome(pages: &Pages) -> Vec<(String, String)> {
    let forms = pages.forms("/after").into_iter();
    let said = |form, name| value(form, name).unwrap_or_default().to_owned();
    forms
        .map(|form| {
            (
                said(form, "ReferCallStatus"),
                said(form, "NotifySipResponseCode"),
            )
        })
        .collect()
}

fn over(world: &mut World, pages: &mut Pages) {
    if !world.peers[CALLER].talks[0].is_over {
        world.hang_up(CALLER, 0);
    }
    pages.run_for(world, 1000);
    world.finish();
}

#[test]
fn the_callers_side_is_asked_and_what_it_says_is_told() {
    for (seed, status, expected) in [
        (4501, 200, "completed"),
        (4502, 486, "busy"),
        (4503, 603, "busy"),
        (4504, 480, "no-answer"),
        (4505, 404, "failed"),
    ] {
        let (mut world, mut pages) = referred(seed, REFER, None);
        assert!(world.peers[CALLER].talks[0].is_answered);
        let mut sent = world.sent.iter();
        let refer = sent.find(|sent| sent.what == "carrier <- REFER");
        let refer = refer.expect("sent to the caller's side");
        assert!(refer.has("Refer-To: <sip:alice@example.com>"));
        says(&mut world, 180);
        pages.run_for(&mut world, 300);
        assert_eq!(outcome(&pages), [], "it rings");
        says(&mut world, status);
        pages.run_for(&mut world, 300);
        let expected = [(expected.to_owned(), status.to_string())];
        assert_eq!(outcome(&pages), expected, "{}", world.tell());
        assert!(
            !world.peers[CALLER].talks[0].is_over,
            "the document goes on"
        );
        over(&mut world, &mut pages);
    }
}

#[test]
fn a_side_that_does_not_refer_is_told_of_with_its_refusal() {
    for (seed, status, expected) in [
        (4506, 603, "busy"),
        (4507, 405, "failed"),
        (4508, 501, "failed"),
    ] {
        let (mut world, mut pages) = referred(seed, REFER, Some(status));
        let expected = [(expected.to_owned(), status.to_string())];
        assert_eq!(outcome(&pages), expected, "{}", world.tell());
        over(&mut world, &mut pages);
    }
}

#[test]
fn without_an_action_the_next_verb_follows() {
    let document = "<Refer><Sip>sip:alice@example.com</Sip></Refer><Redirect>/after</Redirect>";
    let (mut world, mut pages) = referred(4509, document, None);
    assert!(pages.forms("/after").is_empty(), "it is waited for");
    says(&mut world, 200);
    pages.run_for(&mut world, 300);
    assert_eq!(outcome(&pages), [(String::new(), String::new())]);
    over(&mut world, &mut pages);
}

#[test]
fn a_side_that_says_nothing_more_is_not_waited_for_for_ever() {
    let (mut world, mut pages) = referred(4510, REFER, None);
    pages.run_for(&mut world, 180_000);
    let expected = [("no-answer".to_owned(), "408".to_owned())];
    assert_eq!(outcome(&pages), expected, "{}", world.tell());
    over(&mut world, &mut pages);
}

#[test]
fn a_side_that_went_elsewhere_hangs_up_and_the_application_hears_of_it() {
    let (mut world, mut pages) = referred(4511, REFER, None);
    says(&mut world, 180);
    pages.run_for(&mut world, 300);
    world.hang_up(CALLER, 0);
    pages.run_for(&mut world, 500);
    world.finish();
    assert!(outcome(&pages).is_empty());
    let told = told(&world, "ReferCallStatus");
    assert!(told.len() <= 1, "{told:?}");
}

#[test]
fn a_phone_is_referred_as_well() {
    let mut world = World::with(4512, office(&[]));
    let phone = world.phone("1005", Manners::Rings);
    let mut pages = Pages::new(&[
        ("/call", "", REFER),
        ("/after", "", "<Pause length=\"60\"/>"),
    ]);
    world.with_peer(phone, |peer, now| peer.call(now, "100", "1005"));
    pages.run_to(&mut world, "a REFER", 5000, |world| {
        world.peers[CALLER].asked.is_some()
    });
    pages.run_for(&mut world, 200);
    says(&mut world, 200);
    pages.run_for(&mut world, 300);
    let expected = [("completed".to_owned(), "200".to_owned())];
    assert_eq!(outcome(&pages), expected, "{}", world.tell());
    over(&mut world, &mut pages);
}
