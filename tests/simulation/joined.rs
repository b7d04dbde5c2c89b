//! Agents whose calls become one call, or whose place another takes: nobody stays charged with a
//! task that is done.

use std::time::Duration;

use tsunagu::events::{AgentStretch, CallRecord};

use crate::ear::{level, listen};
use crate::office;
use crate::peer::Manners;
use crate::script::CUSTOMER;
use crate::world::World;

fn hears(world: &mut World, (peer, talk): (usize, usize), hz: f64) -> bool {
    world.run_for(100);
    let from = world.peers[peer].talks[talk].voice.got.len();
    world.run_for(600);
    let heard = listen(&world.peers[peer].talks[talk].voice.got[from..]);
    heard.len() > 3000 && level(&heard, hz) > -20.0
}

fn last_stretches(record: &CallRecord) -> Vec<AgentStretch> {
    let last = record.agents.iter().map(|agent| agent.timeline.last());
    last.map(|part| part.expect("a timeline").stretch).collect()
}

const WRAP_UP: (&str, &str, &str) = ("queues.toml", "# wrap_up = \"0s\"", "wrap_up = \"2s\"");

#[test]
fn two_agents_whose_calls_are_joined_both_finish_their_tasks() {
    let mut world = World::with(1301, office::changed(&[WRAP_UP]));
    let caller = world.phone("1005", Manners::Rings);
    let first = world.phone("1001", Manners::Answers(300));
    world.peers[first].set_tone(660);
    for agent in 0..2 {
        world.with_peer(caller, |peer, now| peer.call(now, "100", "1005"));
        world.after(Duration::from_millis(1000), move |world| {
            world.peers[0].talks[agent].voice.press("1");
        });
        if agent == 0 {
            world.until_answered(first, 0);
        }
    }
    let second = world.phone("1002", Manners::Answers(300));
    world.peers[second].set_tone(1320);
    world.until_answered(second, 0);
    world.run_for(800);
    let to = world.peers[caller].consulted(1);
    world.with_peer(caller, |peer, now| peer.refer(now, 0, &to));
    world.run_to("told", 5000, |world| {
        world.peers[0].talks[0].told.last() == Some(&200)
    });
    assert!(hears(&mut world, (first, 0), 1320.0));
    assert!(hears(&mut world, (second, 0), 660.0));
    world.hang_up(first, 0);
    world.finish();
    let call = world.records.iter().find(|one| one.continued_in.is_none());
    let call = call.expect("the call that goes on");
    assert_eq!(
        last_stretches(call),
        [AgentStretch::Wrap, AgentStretch::Wrap]
    );
}

#[test]
fn an_agent_whose_place_another_phone_takes_has_finished() {
    let office = office::changed(&[
        WRAP_UP,
        (
            "phones.toml",
            "number = \"1006\"",
            "number = \"1006\"\nreplaces = \"any\"",
        ),
    ]);
    let mut world = World::with(1302, office);
    let carrier = world.carrier();
    let agent = world.phone("1001", Manners::Answers(300));
    let other = world.phone("1006", Manners::Rings);
    world.peers[other].set_tone(1320);
    world.customer(carrier);
    world.until_talking();
    world.run_for(500);
    let replaces = world.peers[agent].replaces(0);
    world.with_peer(other, |peer, now| peer.call_in_place(now, &replaces));
    world.until_answered(other, 0);
    assert!(hears(&mut world, (carrier, 0), 1320.0));
    world.run_for(3000);
    let view = world.switch.pump.view();
    let sato = view
        .workers
        .iter()
        .find(|worker| worker.spec.phone == "1001");
    assert_eq!(sato.expect("the agent").task, None, "free for the next");
    world.hang_up(carrier, 0);
    world.finish();
    let record = world.record();
    assert_eq!(last_stretches(record), [AgentStretch::Wrap]);
    assert_eq!(record.from, CUSTOMER);
}

#[test]
fn who_takes_the_callers_place_is_whom_the_call_is_from() {
    let office = office::changed(&[(
        "phones.toml",
        "number = \"1006\"",
        "number = \"1006\"\nreplaces = \"any\"",
    )]);
    let mut world = World::with(1303, office);
    let caller = world.phone("1005", Manners::Rings);
    let callee = world.phone("1007", Manners::Answers(300));
    let other = world.phone("1006", Manners::Rings);
    let third = world.phone("1001", Manners::Answers(300));
    world.with_peer(caller, |peer, now| peer.call(now, "1007", "1005"));
    world.until_answered(caller, 0);
    world.run_for(300);
    let replaces = world.peers[caller].replaces(0);
    world.with_peer(other, |peer, now| peer.call_in_place(now, &replaces));
    world.until_answered(other, 0);
    world.run_for(300);
    world.with_peer(callee, |peer, now| {
        peer.refer(now, 0, "<sip:1001@127.0.0.1>");
    });
    world.until_answered(third, 0);
    world.run_for(300);
    let invite = world.sent.iter().find(|sent| sent.what == "1001 <- INVITE");
    let invite = invite.expect("rung");
    assert!(invite.has("<sip:1006@"), "not from whoever left");
    world.hang_up(other, 0);
    world.finish();
}

#[test]
fn a_refusal_of_one_place_does_not_silence_another() {
    let mut world = World::new(1305);
    let caller = world.phone("1005", Manners::Rings);
    let first = world.phone("1006", Manners::Answers(300));
    world.phone("1007", Manners::Regrets(1500, 480));
    let target = world.contact("1007", 2, Manners::Early(5000));
    world.peers[target].set_tone(1320);
    world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(caller, 0);
    world.run_for(300);
    world.with_peer(first, |peer, now| {
        peer.refer(now, 0, "<sip:1007@127.0.0.1>");
    });
    world.run_for(1000);
    assert!(hears(&mut world, (caller, 0), 1320.0));
    world.run_for(1000);
    assert!(hears(&mut world, (caller, 0), 1320.0));
    world.until_answered(target, 0);
    world.hang_up(caller, 0);
    world.finish();
}

#[test]
fn whoever_a_call_is_transferred_to_may_send_it_on() {
    let mut world = World::new(1304);
    let caller = world.phone("1005", Manners::Rings);
    let first = world.phone("1006", Manners::Answers(300));
    world.phone("1007", Manners::Moves(400, "<sip:1001@127.0.0.1>"));
    let last = world.phone("1001", Manners::Answers(1000));
    world.peers[last].set_tone(1320);
    world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(caller, 0);
    world.run_for(300);
    world.with_peer(first, |peer, now| {
        peer.refer(now, 0, "<sip:1007@127.0.0.1>");
    });
    world.until_answered(last, 0);
    assert!(hears(&mut world, (caller, 0), 1320.0));
    assert_eq!(world.peers[first].talks[0].told.last(), Some(&200));
    world.hang_up(caller, 0);
    world.finish();
    let record = world.record();
    assert_eq!(record.transfers[0].status, Some(200));
    assert_eq!(record.diversions[0].by, "1007");
}
