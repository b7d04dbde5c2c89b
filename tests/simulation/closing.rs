//! Calendars closed by telephone: the number, the PIN, and what is said of it.

use tsunagu::call::{ClosingOutcome, ClosingWish, Subject};
use tsunagu::trunk::ClosingService;

use crate::ear::{likeness, listen};
use crate::office::{changed, spoken};
use crate::peer::Manners;
use crate::world::World;

/// Phone 1005 dials a code.
fn dial(seed: u64, number: &str) -> (World, (usize, usize)) {
    let office = changed(&[
        ("calendars.toml", "# number = \"1\" ", "number = \"1\" #"),
        (
            "calendars.toml",
            "# pin = \"env:CLINIC_PIN\" ",
            "pin = \"env:CLINIC_PIN\" #",
        ),
    ]);
    let mut world = World::with(seed, office);
    let phone = world.phone("1005", Manners::Rings);
    let talk = world.with_peer(phone, |peer, now| peer.call(now, number, "1005"));
    world.peers[phone].talks[talk].voice.words = Some(Default::default());
    world.run_to("answered", 5_000, |world| {
        world.peers[phone].talks[talk].is_answered
    });
    // A key would interrupt what he is asked.
    world.run_for(2_000);
    (world, (phone, talk))
}

fn press(world: &mut World, (peer, talk): (usize, usize), keys: &str) {
    world.peers[peer].talks[talk].voice.press(keys);
}

/// What whoever keeps the closings is asked.
fn asked(world: &mut World) -> ClosingWish {
    world.run_to("asked", 20_000, |world| !world.inquiries.is_empty());
    match &world.inquiries[0].subject {
        Subject::Closing(wish) => wish.clone(),
        other => panic!("{other:?}"),
    }
}

fn answer(world: &mut World, outcome: ClosingOutcome) {
    let inquiry = world.inquiries.remove(0);
    let now = world.now;
    let exchange = &mut world.switch.exchange;
    exchange.told(now, &inquiry.call, inquiry.request, &outcome.reply());
}

fn hears(world: &World, (peer, talk): (usize, usize), name: &str) -> bool {
    let said = spoken(name);
    let loud = said.iter().position(|sample| sample.abs() > 1000);
    let begin = loud.expect("loud");
    let piece = &said[begin..(begin + 1000).min(said.len())];
    let heard = listen(&world.peers[peer].talks[talk].voice.got);
    heard.len() > piece.len() && likeness(piece, &heard) > 0.9
}

fn until_over(world: &mut World, (peer, talk): (usize, usize)) {
    world.run_to("over", 30_000, |world| {
        world.peers[peer].talks[talk].is_over
    });
}

#[test]
fn a_calendar_is_closed_with_its_number_behind_the_code_and_its_pin() {
    let (mut world, at) = dial(1901, "*281");
    press(&mut world, at, "2468#");
    let wish = asked(&mut world);
    assert_eq!(
        wish,
        ClosingWish {
            number: "1".to_owned(),
            calendar: Some("clinic".to_owned()),
            service: ClosingService::Close,
            phone: "1005".to_owned(),
        }
    );
    answer(&mut world, ClosingOutcome::Done);
    until_over(&mut world, at);
    for sound in ["agent-pin", "saved", "hours-closed-now"] {
        assert!(hears(&world, at, sound), "{sound}\n{}", world.tell());
    }
    world.finish();
}

#[test]
fn the_number_is_asked_for_and_opening_says_what_the_calendar_says_then() {
    let (mut world, at) = dial(1902, "*29");
    press(&mut world, at, "1#");
    world.run_for(2000);
    press(&mut world, at, "2468#");
    let wish = asked(&mut world);
    assert_eq!(wish.service, ClosingService::Open);
    assert_eq!(wish.calendar.as_deref(), Some("clinic"));
    answer(&mut world, ClosingOutcome::Done);
    until_over(&mut world, at);
    // It is New Year's Day: nothing opens.
    for sound in ["enter-number-then-hash", "saved", "closed"] {
        assert!(hears(&world, at, sound), "{sound}\n{}", world.tell());
    }
    world.finish();
}

#[test]
fn a_wrong_pin_or_number_is_told_as_wrong_and_a_locked_one_as_locked() {
    let (mut world, at) = dial(1903, "*287");
    press(&mut world, at, "2468#");
    let wish = asked(&mut world);
    assert_eq!((wish.number.as_str(), wish.calendar), ("7", None));
    answer(&mut world, ClosingOutcome::Wrong);
    world.run_for(1000);
    assert!(hears(&world, at, "error-try-again"), "{}", world.tell());
    press(&mut world, at, "1357#");
    assert_eq!(asked(&mut world).calendar, None);
    answer(&mut world, ClosingOutcome::Locked);
    until_over(&mut world, at);
    assert!(hears(&world, at, "agent-locked"), "{}", world.tell());
    world.finish();
}
