//! The configuration changes while calls are under way.

use tsunagu::events::{AgentStretch, Stretch};

use crate::ear::{likeness, listen};
use crate::office::{changed, spoken};
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
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
    for (talk, greeting) in [(old, "ja/greeting"), (new, "ja/goodbye")] {
        let sound = spoken(greeting);
        let heard = listen(&world.peers[carrier].talks[talk].voice.got);
        assert!(
            likeness(&sound[800..3200], &heard[..5000]) > 0.95,
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
        (
            "flows/hotel.toml",
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

#[test]
fn an_agent_whose_phone_came_while_a_caller_waits_is_rung_at_it() {
    let mut world = World::new(605);
    let carrier = world.carrier();
    // The only agent on duty is busy with somebody else.
    let first = world.phone("1001", Manners::Answers(300));
    world.customer(carrier);
    world.until_talking();
    world.customer(carrier);
    world.run_for(8_000);
    let phones =
        "[[phone]]\nnumber = \"1099\"\npassword = \"demo\"\n\n[[phone]]\nnumber = \"1001\"";
    world.reload(changed(&[
        ("agents.toml", "phone = \"1002\"", "phone = \"1099\""),
        ("phones.toml", "[[phone]]\nnumber = \"1001\"", phones),
    ]));
    let new = world.phone("1099", Manners::Answers(300));
    world.run_to("rung there", 3_000, |world| {
        world.peers[new]
            .talks
            .first()
            .is_some_and(|talk| talk.is_answered)
    });
    world.run_for(500);
    world.hang_up(new, 0);
    world.hang_up(first, 0);
    world.finish();
    let offers = world.records.iter().flat_map(|record| &record.offers);
    let outcomes: Vec<_> = offers
        .map(|one| (&*one.agent, one.outcome.as_deref()))
        .collect();
    let accepted = Some("accepted");
    assert!(
        outcomes.contains(&("suzuki", accepted)) && outcomes.len() == 2,
        "{outcomes:?}"
    );
}

#[test]
fn agents_who_exchange_their_phones_while_a_caller_waits_are_rung_at_their_new_ones() {
    let mut world = World::new(606);
    let carrier = world.carrier();
    // On duty all the time, and in a call of his own.
    let daniel = world.phone("1004", Manners::Answers(300));
    world.with_peer(daniel, |peer, now| peer.call(now, "600", "1004"));
    world.run_for(500);
    let first = world.phone("1001", Manners::Answers(300));
    world.customer(carrier);
    world.until_answered(first, 0);
    world.customer(carrier);
    world.run_for(8_000);
    let phone = |number: &str| format!("phone = \"{number}\"");
    let (sato, suzuki, between) = (phone("1001"), phone("1002"), phone("?"));
    world.reload(changed(&[
        ("agents.toml", &sato, &between),
        ("agents.toml", &suzuki, &sato),
        ("agents.toml", &between, &suzuki),
    ]));
    // Sato talks on at what was his phone; the caller who waits is rung through to suzuki there.
    world.until_answered(first, 1);
    world.run_for(1_000);
    world.hang_up(first, 1);
    world.hang_up(first, 0);
    world.hang_up(daniel, 0);
    world.finish();
    let offers = world.records.iter().flat_map(|record| &record.offers);
    let mut agents: Vec<_> = offers.map(|one| &*one.agent).collect();
    agents.sort_unstable();
    assert_eq!(agents, ["sato", "suzuki"], "{}", world.tell());
}

#[test]
fn whoever_waits_for_one_whose_phone_changes_waits_on() {
    let mut world = World::new(608);
    let carrier = world.carrier();
    let first = world.phone("1001", Manners::Answers(300));
    world.customer(carrier);
    world.until_answered(first, 0);
    world.customer(carrier);
    world.run_for(8_000);
    // The only one for sales gets another phone, and that is registered: he is on duty all the time.
    let third = world.phone("1003", Manners::Answers(300));
    world.run_for(500);
    let phone = |number: &str| format!("phone = \"{number}\"");
    let (sato, emma, between) = (phone("1001"), phone("1003"), phone("?"));
    world.reload(changed(&[
        ("agents.toml", &sato, &between),
        ("agents.toml", &emma, &sato),
        ("agents.toml", &between, &emma),
    ]));
    world.run_for(3_000);
    world.hang_up(first, 0);
    world.until_answered(third, 0);
    world.run_for(1_000);
    world.hang_up(third, 0);
    world.finish();
    let agents = world.records.iter().map(|record| &*record.agents[0].agent);
    assert_eq!(agents.collect::<Vec<_>>(), ["sato", "sato"]);
}

#[test]
fn a_workflow_that_leads_into_a_new_queue_keeps_its_callers_as_that_queue_says() {
    let flow = ("flows/main.toml", "queue = \"sales\"", "workflow = \"way\"");
    let first = "# workflows.toml: the way";
    let way = "[[workflow]]\nname = \"way\"\n[workflow.default]\nqueue = \"sales\"\n# the way";
    let flow = [flow, ("workflows.toml", first, way)];
    let mut world = World::with(607, changed(&flow));
    let carrier = world.carrier();
    let agent = world.phone("1001", Manners::Answers(2_000));
    let talk = world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    world.run_for(300);
    world.reload(changed(&[
        flow[0],
        flow[1],
        ("queues.toml", "name = \"sales\"", "name = \"verkauf\""),
        ("workflows.toml", "\"sales\"", "\"verkauf\""),
        (
            "flows/hotel.toml",
            "queue = \"sales\"",
            "queue = \"verkauf\"",
        ),
        ("queues.toml", "# wrap_up = \"0s\"", "wrap_up = \"2s\""),
    ]));
    world.run_for(300);
    world.peers[carrier].talks[talk].voice.press("1");
    world.run_to("in line", 20_000, |world| {
        let records = world.switch.exchange.records();
        records[0]
            .queues
            .first()
            .is_some_and(|stay| stay.queue == "verkauf")
    });
    let from = world.peers[carrier].talks[talk].voice.got.len();
    world.until_answered(agent, 0);
    let heard = listen(&world.peers[carrier].talks[talk].voice.got[from..]);
    let music = spoken("music");
    assert!(likeness(&music[800..2400], &heard) > 0.9, "music");
    world.run_for(1_000);
    world.hang_up(agent, 0);
    world.finish();
    let record = world.record();
    assert_eq!(record.recordings.len(), 1, "as the queue wants it");
    let last = record.agents[0].timeline.last().expect("a timeline");
    assert_eq!(last.stretch, AgentStretch::Wrap);
}
