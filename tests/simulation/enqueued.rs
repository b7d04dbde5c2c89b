//! Callers whom documents put into queues: what they hear, how they come to an agent, how they leave.

use tsunagu::events::Stretch;

use crate::ear::level;
use crate::hold::hear;
use crate::pages::{Pages, hears_music, office, value};
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

const WRAP_UP: (&str, &str, &str) = ("queues.toml", "# wrap_up = \"0s\"", "wrap_up = \"2s\"");
/// Nobody need be on duty.
const PATIENT: (&str, &str, &str) = (
    "queues.toml",
    "# when_nobody = \"none_on_duty\"",
    "when_nobody = \"wait\"",
);

/// A caller of the carrier, whose document puts him into a queue.
fn world(seed: u64) -> (World, usize) {
    let mut world = World::with(seed, office(&[WRAP_UP, PATIENT]));
    let carrier = world.carrier();
    (world, carrier)
}

fn call(world: &mut World, pages: &mut Pages, carrier: usize) -> usize {
    let talk = world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    pages.run_to(world, "answered", 5000, move |world| {
        world.peers[carrier].talks[talk].is_answered
    });
    pages.run_for(world, 500);
    talk
}

const SALES: &str = "<Enqueue action=\"/after\" waitUrl=\"/wait\">sales</Enqueue>";
const WAIT: (&str, &str, &str) = ("/wait", "", "<Play>/music</Play>");
const AFTER: (&str, &str, &str) = ("/after", "", "<Play>/beep</Play><Pause length=\"2\"/>");

fn results(pages: &Pages) -> Vec<String> {
    let forms = pages.forms("/after").into_iter();
    let result = |form| value(form, "QueueResult").expect("always told").to_owned();
    forms.map(result).collect()
}

#[test]
fn a_caller_hears_the_wait_document_and_talks_with_the_agent_who_comes() {
    let (mut world, carrier) = world(4201);
    let mut pages = Pages::new(&[("/call", "", SALES), WAIT, AFTER]);
    call(&mut world, &mut pages, carrier);
    assert!(hears_music(&mut world, carrier), "{}", world.tell());
    let wait = pages.forms("/wait")[0];
    assert_eq!(value(wait, "QueuePosition"), Some("1"));
    assert_eq!(value(wait, "CurrentQueueSize"), Some("1"));
    assert_eq!(value(wait, "MaxQueueSize"), Some("1000"));
    let agent = world.phone("1001", Manners::Answers(300));
    pages.run_to(&mut world, "a conversation", 20_000, World::is_talking);
    pages.run_for(&mut world, 500);
    assert!(level(&hear(&mut world, carrier, 600)[1600..], 880.0) > -20.0);
    assert!(
        pages.forms("/after").is_empty(),
        "only after the conversation"
    );
    world.hang_up(agent, 0);
    pages.run_for(&mut world, 1000);
    assert_eq!(results(&pages), ["bridged"]);
    world.finish();
    let record = world.record();
    assert_eq!(record.queues[0].queue, "sales");
    assert_eq!(record.queues[0].outcome.as_deref(), Some("answered"));
    assert_eq!(record.agents.len(), 1);
    assert!(record.total_ms(Stretch::Talk) > 0);
}

#[test]
fn a_caller_who_hangs_up_is_told_of_wherever_he_is() {
    for (seed, agent, expected) in [(4202, false, "hangup"), (4203, true, "bridged")] {
        let (mut world, carrier) = world(seed);
        let mut pages = Pages::new(&[("/call", "", SALES), WAIT, AFTER]);
        if agent {
            world.phone("1001", Manners::Answers(300));
        }
        call(&mut world, &mut pages, carrier);
        if agent {
            pages.run_to(&mut world, "a conversation", 20_000, World::is_talking);
        }
        world.hang_up(carrier, 0);
        pages.run_for(&mut world, 500);
        world.finish();
        let told = crate::pages::told(&world, "QueueResult");
        let results: Vec<_> = told.iter().map(|form| value(form, "QueueResult")).collect();
        assert_eq!(results, [Some(expected)], "{}", world.tell());
        let view = world.switch.pump.view();
        assert!(view.tasks.is_empty(), "nobody left in a line");
    }
}

#[test]
fn a_key_in_the_wait_document_takes_the_caller_out() {
    let (mut world, carrier) = world(4204);
    let gather = "<Gather action=\"/key\" numDigits=\"1\" timeout=\"30\"/>";
    let mut pages = Pages::new(&[
        ("/call", "", SALES),
        ("/wait", "", gather),
        ("/key", "", "<Leave/>"),
        AFTER,
    ]);
    world.phone("1001", Manners::Rings);
    call(&mut world, &mut pages, carrier);
    world.peers[carrier].talks[0].voice.press("1");
    pages.run_for(&mut world, 1000);
    assert_eq!(results(&pages), ["leave"]);
    let view = world.switch.pump.view();
    assert!(view.tasks.is_empty(), "nobody left in a line");
    world.finish();
    let record = world.record();
    assert_eq!(record.queues[0].outcome.as_deref(), Some("left"));
    assert_eq!(record.offers[0].outcome.as_deref(), Some("left"));
}

#[test]
fn who_has_waited_long_enough_goes_on_with_the_action() {
    let soon = (
        "queues.toml",
        "longest_wait = \"10m\"",
        "longest_wait = \"7s\"",
    );
    let office = office(&[PATIENT, soon]);
    let mut world = World::with(4205, office);
    let carrier = world.carrier();
    let mut pages = Pages::new(&[("/call", "", SALES), WAIT, AFTER]);
    call(&mut world, &mut pages, carrier);
    pages.run_for(&mut world, 8000);
    assert_eq!(results(&pages), ["error"]);
    world.finish();
}

#[test]
fn music_of_the_queue_and_silence_are_heard_without_a_document() {
    for (seed, verb, is_heard) in [
        (4206, "<Enqueue>sales</Enqueue>", true),
        (4207, "<Enqueue waitUrl=\"\">sales</Enqueue>", false),
    ] {
        let (mut world, carrier) = world(seed);
        let mut pages = Pages::new(&[("/call", "", verb)]);
        call(&mut world, &mut pages, carrier);
        pages.run_for(&mut world, 500);
        assert_eq!(hears_music(&mut world, carrier), is_heard);
        world.hang_up(carrier, 0);
        world.finish();
    }
}

#[test]
fn a_process_that_dies_keeps_whoever_waits_and_whoever_talks() {
    let (mut world, carrier) = world(4208);
    let mut pages = Pages::new(&[("/call", "", SALES), WAIT, AFTER]);
    call(&mut world, &mut pages, carrier);
    world.restart();
    pages.run_for(&mut world, 2000);
    let music = hear(&mut world, carrier, 400);
    assert!(
        crate::ear::loudness(&music) > -50.0,
        "he hears his document"
    );
    let agent = world.phone("1001", Manners::Answers(300));
    pages.run_to(&mut world, "a conversation", 30_000, World::is_talking);
    pages.run_for(&mut world, 500);
    world.restart();
    pages.run_for(&mut world, 2000);
    world.hang_up(agent, 0);
    pages.run_for(&mut world, 1000);
    assert_eq!(results(&pages), ["bridged"], "{}", world.tell());
    world.finish();
}
