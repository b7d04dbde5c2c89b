//! Callers and agents: one offer at a time, first come first served, and the right next step
//! whatever an agent's phone does.

use std::collections::HashMap;

use tsunagu::base::Timestamp;
use tsunagu::events::{CallRecord, Fact, Stretch};
use tsunagu::router::WorkerState;

use crate::ear::{likeness, listen};
use crate::office::spoken;
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

/// Lets so many callers in, one every 100 ms, each of whom is served for two seconds.
fn rush(world: &mut World, carrier: usize, callers: usize) {
    for _ in 0..callers {
        world.customer(carrier);
        world.run_for(100);
    }
}

/// Agents hang up two seconds after they have answered, until everybody was served.
fn serve(world: &mut World, agents: &[usize], seconds: u64) {
    let until = world.now + std::time::Duration::from_secs(seconds);
    let mut since: HashMap<(usize, usize), Timestamp> = HashMap::new();
    while world.now < until && world.peers[0].live() > 0 {
        world.run_for(50);
        let now = world.now;
        let mut done = Vec::new();
        for agent in agents {
            for (place, talk) in world.peers[*agent].talks.iter().enumerate() {
                if talk.is_answered && !talk.is_over {
                    let began = *since.entry((*agent, place)).or_insert(now);
                    if now.since(began).as_secs() >= 2 {
                        done.push((*agent, place));
                    }
                }
            }
        }
        for (agent, place) in done {
            world.hang_up(agent, place);
        }
    }
}

/// No agent ever has two offers, or an offer while he talks.
fn one_thing_at_a_time(world: &World) {
    let mut busy: HashMap<String, String> = HashMap::new();
    for event in &world.events {
        match &event.fact {
            Fact::Offered { agent, .. } => {
                let before = busy.insert(agent.clone(), event.call.to_string());
                assert_eq!(before, None, "{agent} at {}\n{}", event.at, world.tell());
            }
            Fact::AgentEntered {
                agent,
                stretch: None,
                ..
            } => {
                busy.remove(agent);
            }
            _ => {}
        }
    }
}

/// Who was answered, in order.
fn answered(world: &World) -> Vec<&CallRecord> {
    let mut served: Vec<_> = world
        .records
        .iter()
        .filter(|record| record.total_ms(Stretch::Talk) > 0)
        .collect();
    let talk = |record: &CallRecord| {
        record
            .caller_timeline
            .iter()
            .find(|part| part.stretch == Stretch::Talk)
            .map(|p| p.from)
    };
    served.sort_by_key(|record| talk(record));
    served
}

fn outcomes(record: &CallRecord) -> Vec<(&str, &str)> {
    let outcome = |offer: &tsunagu::events::record::OfferRecord| {
        let agent = match offer.agent.as_str() {
            "sato" => "sato",
            "suzuki" => "suzuki",
            "daniel" => "daniel",
            _ => "another",
        };
        (agent, offer.outcome.clone().expect("ended"))
    };
    let list = record.offers.iter().map(outcome);
    list.map(|(agent, outcome)| (agent, &*outcome.leak()))
        .collect()
}

#[test]
fn ten_callers_and_two_agents() {
    let mut world = World::new(41);
    let carrier = world.carrier();
    let agents = ["1001", "1002"].map(|number| world.phone(number, Manners::Answers(800)));
    rush(&mut world, carrier, 10);
    serve(&mut world, &agents, 60);
    world.finish();
    one_thing_at_a_time(&world);
    let served = answered(&world);
    assert_eq!(served.len(), 10, "{}", world.tell());
    let order: Vec<_> = served.iter().map(|record| record.started).collect();
    assert!(order.is_sorted(), "first come, first served: {order:?}");
    for record in &world.records {
        assert_eq!(outcomes(record).len(), 1, "{}", world.tell());
    }
    let each = agents.map(|agent| world.peers[agent].talks.len());
    assert_eq!(each, [5, 5]);
}

#[test]
fn who_does_not_answer_gets_no_more_calls_and_the_caller_the_next_agent() {
    let mut world = World::new(42);
    let carrier = world.carrier();
    world.phone("1001", Manners::Rings);
    let second = world.phone("1002", Manners::Answers(500));
    rush(&mut world, carrier, 1);
    serve(&mut world, &[second], 60);
    rush(&mut world, carrier, 1);
    serve(&mut world, &[second], 60);
    world.finish();
    one_thing_at_a_time(&world);
    let [first, again] = &world.records[..] else {
        panic!("two calls\n{}", world.tell())
    };
    assert_eq!(
        outcomes(first),
        [("sato", "no_answer"), ("suzuki", "accepted")]
    );
    assert_eq!(outcomes(again), [("suzuki", "accepted")]);
    let view = world.switch.pump.view();
    let sato = view
        .workers
        .iter()
        .find(|worker| worker.spec.name == "sato")
        .expect("there");
    assert_eq!(
        (sato.activity.as_str(), sato.state),
        ("not_answering", WorkerState::Away)
    );
    assert!(sato.reason.starts_with("missed offer"), "{}", sato.reason);
}

#[test]
fn who_missed_a_call_is_back_after_dialling_star_45() {
    let mut world = World::new(43);
    let carrier = world.carrier();
    let agent = world.phone("1001", Manners::Rings);
    rush(&mut world, carrier, 1);
    world.run_to("missed", 30_000, |world| {
        world
            .switch
            .pump
            .view()
            .workers
            .iter()
            .any(|worker| worker.activity == "not_answering")
    });
    world.peers[agent].manners = Manners::Answers(500);
    let activity = world.with_peer(agent, |peer, now| peer.call(now, "*45", "1001"));
    world.run_to("the announcement is over", 20_000, |world| {
        world.peers[agent].talks[activity].is_over
    });
    rush(&mut world, carrier, 1);
    serve(&mut world, &[agent], 30);
    world.finish();
    assert_eq!(answered(&world).len(), 1, "{}", world.tell());
}

#[test]
fn refusals_of_phones_lead_to_the_next_agent_at_once() {
    for (seed, status, outcome) in [
        (44, 486, "busy"),
        (45, 603, "declined"),
        (46, 480, "unreachable"),
        (47, 500, "failed"),
    ] {
        let mut world = World::new(seed);
        let carrier = world.carrier();
        world.phone("1001", Manners::Refuses(status));
        let second = world.phone("1002", Manners::Answers(500));
        rush(&mut world, carrier, 1);
        serve(&mut world, &[second], 30);
        world.finish();
        let record = world.record();
        assert_eq!(
            outcomes(record),
            [("sato", outcome), ("suzuki", "accepted")]
        );
        let gap = record.offers[1].offered.since(record.offers[0].offered);
        assert!(gap.as_millis() < 50, "{gap:?} to the next agent");
        let view = world.switch.pump.view();
        let sato = view
            .workers
            .iter()
            .find(|worker| worker.spec.name == "sato")
            .expect("there");
        assert_eq!(sato.activity, "available", "{status} is no missed call");
    }
}

#[test]
fn what_a_phone_says_when_it_refuses_is_in_the_record() {
    for (seed, status, said, outcome) in [
        (51, 603, "in a meeting", "declined"),
        (52, 486, "Do Not Disturb", "declined"),
        (53, 480, "DND", "declined"),
        (54, 486, "line 2 in use", "busy"),
    ] {
        let mut world = World::new(seed);
        let carrier = world.carrier();
        world.phone("1001", Manners::Says(status, said));
        let second = world.phone("1002", Manners::Answers(500));
        rush(&mut world, carrier, 1);
        serve(&mut world, &[second], 30);
        world.finish();
        let record = world.record();
        assert_eq!(
            outcomes(record),
            [("sato", outcome), ("suzuki", "accepted")]
        );
        let words: Vec<_> = record
            .offers
            .iter()
            .map(|one| one.said.as_deref())
            .collect();
        assert_eq!(words, [Some(said), None]);
    }
}

#[test]
fn who_declines_on_one_of_his_phones_is_rung_on_none() {
    let mut world = World::new(55);
    let carrier = world.carrier();
    world.phone("1001", Manners::Refuses(603));
    let other = world.contact("1001", 2, Manners::Rings);
    let second = world.phone("1002", Manners::Answers(500));
    rush(&mut world, carrier, 1);
    serve(&mut world, &[second], 30);
    world.finish();
    let record = world.record();
    assert_eq!(
        outcomes(record),
        [("sato", "declined"), ("suzuki", "accepted")]
    );
    let gap = record.offers[1].offered.since(record.offers[0].offered);
    assert!(gap.as_millis() < 50, "{gap:?} to the next agent");
    assert!(world.peers[other].talks[0].is_over);
}

#[test]
fn a_phone_that_vanished_costs_the_caller_one_ring_timeout() {
    let mut world = World::new(48);
    let carrier = world.carrier();
    let gone = world.phone("1001", Manners::Answers(500));
    let second = world.phone("1002", Manners::Answers(500));
    world.peers[gone].is_gone = true;
    rush(&mut world, carrier, 1);
    serve(&mut world, &[second], 60);
    world.finish();
    let record = world.record();
    let list = outcomes(record);
    assert_eq!(list[0].0, "sato");
    assert!(matches!(list[0].1, "no_answer" | "unreachable"), "{list:?}");
    assert_eq!(list[1], ("suzuki", "accepted"));
    let gap = record.offers[1].offered.since(record.offers[0].offered);
    assert_eq!(gap.as_secs(), 15, "ring_timeout of the queue: {gap:?}");
}

#[test]
fn an_unregistered_agent_is_not_rung() {
    let mut world = World::new(49);
    let carrier = world.carrier();
    let first = world.phone("1001", Manners::Answers(500));
    let second = world.phone("1002", Manners::Answers(500));
    world.with_peer(first, |peer, now| peer.register(now, 0));
    world.run_for(100);
    rush(&mut world, carrier, 2);
    serve(&mut world, &[second], 60);
    world.finish();
    for record in &world.records {
        assert_eq!(
            outcomes(record),
            [("suzuki", "accepted")],
            "{}",
            world.tell()
        );
    }
    assert!(world.peers[first].talks.is_empty());
}

#[test]
fn a_registration_that_runs_out_makes_an_agent_unreachable() {
    let mut world = World::new(50);
    world.carrier();
    let phone = world.phone("1001", Manners::Answers(500));
    world.with_peer(phone, |peer, now| peer.register(now, 60));
    world.run_for(1000);
    let reachable = |world: &World| {
        let view = world.switch.pump.view();
        view.workers
            .iter()
            .find(|worker| worker.spec.name == "sato")
            .expect("there")
            .reachable
    };
    assert!(reachable(&world));
    world.run_for(60_000);
    assert!(!reachable(&world), "{}", world.tell());
}

#[test]
fn with_nobody_on_duty_the_caller_hears_so_and_goes() {
    let mut world = World::new(51);
    let carrier = world.carrier();
    world.customer(carrier);
    world.finish();
    let record = world.record();
    assert_eq!(
        record.queues[0].outcome.as_deref(),
        Some("nobody_available")
    );
    assert_eq!(record.hung_up_by, Some(tsunagu::base::Party::Switch));
    let heard = listen(&world.peers[carrier].talks[0].voice.got);
    let sorry = spoken("ja/nobody-available");
    // It is the last that is said.
    let began = heard.len() - sorry.len() - 2000;
    assert!(likeness(&sorry[4000..5600], &heard[began..began + 8000]) > 0.95);
}

#[test]
fn the_only_agent_being_busy_keeps_the_caller_in_line_until_he_is_tried_again() {
    let mut world = World::new(52);
    let carrier = world.carrier();
    let agent = world.phone("1001", Manners::Refuses(486));
    rush(&mut world, carrier, 1);
    world.run_to("offered twice", 30_000, |world| {
        world
            .switch
            .exchange
            .records()
            .iter()
            .any(|record| record.offers.len() == 2)
    });
    world.peers[agent].manners = Manners::Answers(500);
    serve(&mut world, &[agent], 30);
    world.finish();
    let record = world.record();
    assert_eq!(record.total_ms(Stretch::Talk) / 1000, 2, "{}", world.tell());
    assert!(outcomes(record).len() >= 2);
    let gap = record.offers[1].offered.since(record.offers[0].offered);
    assert_eq!(gap.as_secs(), 5, "retry_after of the queue");
}

#[test]
fn an_agent_who_hangs_up_before_the_router_knows_does_not_cost_the_caller_his_place() {
    let mut world = World::new(53);
    let carrier = world.carrier();
    let first = world.phone("1001", Manners::Answers(500));
    let second = world.phone("1002", Manners::Answers(500));
    // The router's word takes a tenth of a second: time enough for 200 and BYE.
    world.link.hallway = 100_000;
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    world.run_for(300);
    world.peers[carrier].talks[0].voice.press("1");
    world.run_to("the first agent answers", 30_000, |world| {
        [first, second].iter().any(|agent| {
            world.peers[*agent]
                .talks
                .first()
                .is_some_and(|talk| talk.is_answered)
        })
    });
    let eager = if world.peers[first].talks.is_empty() {
        second
    } else {
        first
    };
    world.run_for(3);
    world.hang_up(eager, 0);
    serve(&mut world, &[first, second], 60);
    world.finish();
    let record = world.record();
    let outcomes: Vec<_> = outcomes(record)
        .into_iter()
        .map(|(_, outcome)| outcome)
        .collect();
    assert_eq!(outcomes, ["declined", "accepted"]);
    assert!(record.total_ms(Stretch::Talk) > 1900, "{}", world.tell());
}

#[test]
fn an_agent_in_a_call_of_his_own_is_not_rung() {
    let mut world = World::new(61);
    let carrier = world.carrier();
    let first = world.phone("1001", Manners::Answers(500));
    let second = world.phone("1002", Manners::Answers(500));
    world.run_for(100);
    let own = world.with_peer(first, |peer, now| peer.call(now, "600", "1001"));
    world.run_for(1_000);
    rush(&mut world, carrier, 1);
    serve(&mut world, &[second], 30);
    world.hang_up(first, own);
    world.run_for(2_000);
    // Free again, and idle for longer than the other.
    rush(&mut world, carrier, 1);
    serve(&mut world, &[first, second], 30);
    world.finish();
    let offered = world
        .records
        .iter()
        .filter(|record| !record.offers.is_empty());
    let offered: Vec<_> = offered.map(outcomes).collect();
    assert_eq!(offered, [[("suzuki", "accepted")], [("sato", "accepted")]]);
}
