//! The configuration changes while calls are under way.

use tsunagu::events::Stretch;

use crate::ear::{likeness, listen};
use crate::office::{changed, sounds};
use crate::peer::Manners;
use crate::world::World;

#[test]
fn a_call_keeps_the_generation_it_began_with_and_the_next_one_takes_the_new() {
    let mut world = World::new(601);
    let carrier = world.carrier();
    world.phone("1001", Manners::Answers(300));
    let old = world.customer(carrier);
    world.run_for(500);
    world.reload(changed(&[
        (
            "flows/main.toml",
            "sounds = [\"greeting\"]",
            "sounds = [\"goodbye\"]",
        ),
        (
            "flows/main.toml",
            "attributes = { topic = \"sales\" }",
            "attributes = { topic = \"new\" }",
        ),
    ]));
    let new = world.customer(carrier);
    world.run_for(9000);
    for (talk, greeting) in [(old, "greeting"), (new, "goodbye")] {
        let sound = sounds().sound(greeting).expect("there");
        let heard = listen(&world.peers[carrier].talks[talk].voice.got);
        assert!(
            likeness(&sound.samples()[800..3200], &heard[..5000]) > 0.95,
            "{greeting}"
        );
    }
    world.hang_up(carrier, old);
    world.run_for(3000);
    world.hang_up(carrier, new);
    world.finish();
    let topics: Vec<_> = world
        .records
        .iter()
        .map(|record| {
            (
                record.generation,
                record.attributes["topic"].as_str().expect("text"),
            )
        })
        .collect();
    assert_eq!(topics, [(1, "sales"), (2, "new")]);
    assert!(world.records[0].total_ms(Stretch::Talk) > 0);
}

#[test]
fn a_queue_that_is_gone_serves_those_who_stand_in_it() {
    let mut world = World::new(602);
    let carrier = world.carrier();
    let agent = world.phone("1001", Manners::Answers(300));
    world.customer(carrier);
    world.until_talking();
    let waits = world.customer(carrier);
    world.run_for(5000);
    world.reload(changed(&[
        ("queues.toml", "name = \"sales\"", "name = \"verkauf\""),
        (
            "flows/main.toml",
            "queue = \"sales\"",
            "queue = \"verkauf\"",
        ),
    ]));
    world.run_for(500);
    let draining = |world: &World| {
        let view = world.switch.pump.view();
        view.queues
            .iter()
            .find(|queue| queue.name == "sales")
            .map(|queue| queue.draining)
    };
    assert_eq!(draining(&world), Some(true));
    let new = world.customer(carrier);
    world.run_for(5000);
    for place in 0..3 {
        world.run_to("the next one talks", 10_000, |world| {
            world.peers[agent]
                .talks
                .get(place)
                .is_some_and(|talk| talk.is_answered)
        });
        world.run_for(1000);
        world.hang_up(agent, place);
        world.run_for(300);
    }
    world.finish();
    assert!(world.peers[carrier].talks[waits].is_over && world.peers[carrier].talks[new].is_over);
    let queues: Vec<_> = world
        .records
        .iter()
        .map(|record| record.queues[0].queue.as_str())
        .collect();
    assert_eq!(queues, ["sales", "sales", "verkauf"]);
    for record in &world.records {
        assert_eq!(
            record.queues[0].outcome.as_deref(),
            Some("answered"),
            "{}",
            world.tell()
        );
    }
    assert_eq!(draining(&world), None, "an empty queue is forgotten");
}

#[test]
fn an_agent_who_is_removed_while_he_is_rung_is_let_be() {
    let mut world = World::new(603);
    let carrier = world.carrier();
    let first = world.phone("1001", Manners::Rings);
    world.phone("1002", Manners::Answers(300));
    world.customer(carrier);
    world.run_to("rings", 10_000, |world| world.peers[first].live() == 1);
    world.reload(changed(&[(
        "agents.toml",
        "name = \"sato\"",
        "name = \"tanaka\"",
    )]));
    world.run_for(1000);
    assert!(world.peers[first].talks[0].is_over, "{}", world.tell());
    world.until_talking();
    world.hang_up(carrier, 0);
    world.finish();
    let record = world.record();
    assert_eq!(record.offers[0].outcome.as_deref(), Some("agent_removed"));
}

#[test]
fn an_agent_who_is_removed_while_he_talks_finishes() {
    let mut world = World::new(604);
    let carrier = world.carrier();
    let agent = world.phone("1001", Manners::Answers(300));
    world.customer(carrier);
    world.until_talking();
    world.reload(changed(&[(
        "agents.toml",
        "name = \"sato\"",
        "name = \"tanaka\"",
    )]));
    world.run_for(2000);
    assert!(!world.peers[agent].talks[0].is_over);
    world.hang_up(agent, 0);
    world.finish();
    let view = world.switch.pump.view();
    assert!(view.workers.iter().all(|worker| worker.spec.name != "sato"));
    let tanaka = view
        .workers
        .iter()
        .find(|worker| worker.spec.name == "tanaka")
        .expect("new");
    assert!(tanaka.reachable, "the phone was registered all the time");
    assert!(world.record().total_ms(Stretch::Talk) >= 2000);
}
