//! Transfers: who hears whom, what the record says, and that nothing is left at any moment.

use std::time::Duration;

use tsunagu::base::Party;
use tsunagu::call::{Control, ControlError};
use tsunagu::events::record::TransferRecord;
use tsunagu::events::{AgentStretch, Fact, Stretch, TransferKind};

use crate::ear::{level, likeness, listen};
use crate::judge::stretches;
use crate::office;
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

const CARRIER: usize = 0;
const AGENT: usize = 1;
const THIRD: usize = 2;

/// Agents of `sales` have two seconds of after-call work; and further changes.
fn with(changes: &[(&str, &str, &str)]) -> tsunagu::config::Office {
    let wrap_up = ("queues.toml", "# wrap_up = \"0s\"", "wrap_up = \"2s\"");
    let changes: Vec<_> = [wrap_up]
        .into_iter()
        .chain(changes.iter().copied())
        .collect();
    office::changed(&changes)
}

fn world(seed: u64) -> World {
    World::with(seed, with(&[]))
}

/// The carrier's customer (440 Hz) talks with the agent on 1001 (880 Hz); 1006 (1320 Hz) is there.
fn served(seed: u64, third: Manners) -> World {
    served_in(world(seed), third)
}

fn served_in(mut world: World, third: Manners) -> World {
    world.carrier();
    world.phone("1001", Manners::Answers(300));
    let third = world.phone("1006", third);
    world.peers[third].set_tone(1320);
    world.customer(CARRIER);
    world.until_talking();
    world.run_for(500);
    world
}

fn refer(world: &mut World, peer: usize, talk: usize, to: &str) {
    let to = match to.starts_with('<') {
        true => to.to_owned(),
        false => format!("<sip:{to}@127.0.0.1>"),
    };
    world.with_peer(peer, |peer, now| peer.refer(now, talk, &to));
}

/// What a far end hears in the next so many milliseconds, at a frequency.
fn hears(world: &mut World, (peer, talk): (usize, usize), hz: f64) -> bool {
    world.run_for(100);
    let from = world.peers[peer].talks[talk].voice.got.len();
    world.run_for(600);
    let heard = listen(&world.peers[peer].talks[talk].voice.got[from..]);
    heard.len() > 3000 && level(&heard, hz) > -20.0
}

fn told(world: &World, peer: usize, talk: usize) -> Vec<u16> {
    world.peers[peer].talks[talk].told.clone()
}

fn until_told(world: &mut World, peer: usize, talk: usize, status: u16) {
    world.run_to("told", 120_000, |world| {
        world.peers[peer].talks[talk].told.last() == Some(&status)
    });
}

fn outcome(transfer: &TransferRecord) -> (TransferKind, &str, &str, &str, Option<u16>) {
    let TransferRecord {
        kind,
        by,
        party,
        target,
        status,
        ..
    } = transfer;
    (*kind, by, party, target, *status)
}

/// Name of the agent on 1001.
fn agent_name(world: &World) -> String {
    let workers = &world.office.plan.workers;
    let agent = workers.iter().find(|worker| worker.phone == "1001");
    agent.expect("an agent").name.clone()
}

#[test]
fn an_agent_sends_the_caller_to_another_phone() {
    let mut world = served(901, Manners::Answers(3000));
    refer(&mut world, AGENT, 0, "1006");
    world.run_for(200);
    assert_eq!(world.peers[AGENT].talks[0].referred, Some(202));
    // The caller hears ring-back, the agent nobody.
    let from = world.peers[CARRIER].talks[0].voice.got.len();
    assert!(!hears(&mut world, (AGENT, 0), 440.0));
    world.run_for(1500);
    let heard = listen(&world.peers[CARRIER].talks[0].voice.got[from..]);
    let ringback = office::spoken("ringback");
    let loudest = ringback.iter().position(|sample| sample.abs() > 2000);
    let piece = &ringback[loudest.expect("a tone")..][..1600];
    assert!(likeness(piece, &heard) > 0.9);
    until_told(&mut world, AGENT, 0, 200);
    assert_eq!(told(&world, AGENT, 0), [100, 180, 200]);
    world.run_to("the agent is out", 5000, |world| {
        world.peers[AGENT].talks[0].is_over
    });
    assert!(hears(&mut world, (CARRIER, 0), 1320.0));
    assert!(hears(&mut world, (THIRD, 0), 440.0));
    let by = world.peers[THIRD].talks[0].referred_by.clone();
    assert_eq!(by.as_deref(), Some("<sip:1001@127.0.0.1:5060>"));
    world.hang_up(THIRD, 0);
    world.finish();
    let agent = agent_name(&world);
    let record = world.record();
    let story = [
        Stretch::Ivr,
        Stretch::Queue,
        Stretch::Talk,
        Stretch::Ring,
        Stretch::Talk,
    ];
    assert_eq!(stretches(record), story);
    assert_eq!(
        outcome(&record.transfers[0]),
        (
            TransferKind::Blind,
            agent.as_str(),
            CUSTOMER,
            "1006",
            Some(200)
        )
    );
    let wrap = record.agents[0].timeline.last().expect("a timeline");
    assert_eq!(wrap.stretch, AgentStretch::Wrap);
    assert_eq!(Some(wrap.from), record.transfers[0].ended);
    // Recorded before and after, each conversation with its own parties.
    assert_eq!(record.recordings.len(), 2);
    assert_eq!(record.recordings[1].channels[1], "1006");
    assert_eq!(record.hung_up_by, Some(Party::Callee));
}

#[test]
fn a_phone_that_called_sends_whom_it_called_elsewhere() {
    let mut world = World::new(902);
    world.phone("1005", Manners::Rings);
    world.phone("1006", Manners::Answers(300));
    let third = world.phone("1007", Manners::Answers(1000));
    world.peers[third].set_tone(1320);
    world.with_peer(0, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(0, 0);
    refer(&mut world, 0, 0, "1007");
    until_told(&mut world, 0, 0, 200);
    world.run_for(500);
    assert!(world.peers[0].talks[0].is_over);
    assert!(hears(&mut world, (1, 0), 1320.0));
    assert!(hears(&mut world, (third, 0), 880.0));
    world.hang_up(1, 0);
    world.finish();
    let record = world.record();
    assert_eq!(
        stretches(record),
        [Stretch::Ring, Stretch::Talk, Stretch::Ring, Stretch::Talk]
    );
    assert_eq!(
        outcome(&record.transfers[0]),
        (TransferKind::Blind, "1005", "1006", "1007", Some(200))
    );
}

#[test]
fn a_failed_transfer_gives_the_party_back() {
    for (manners, status) in [
        (Manners::Refuses(486), 486),
        (Manners::Refuses(603), 603),
        (Manners::Rings, 480),
    ] {
        for from_caller in [false, true] {
            let mut world = World::new(903);
            world.phone("1005", Manners::Rings);
            world.phone("1006", Manners::Answers(300));
            let third = world.phone("1007", manners);
            world.peers[third].set_tone(1320);
            world.peers[1].set_tone(660);
            world.with_peer(0, |peer, now| peer.call(now, "1006", "1005"));
            world.until_answered(0, 0);
            let (asks, other) = if from_caller { (0, 1) } else { (1, 0) };
            refer(&mut world, asks, 0, "1007");
            until_told(&mut world, asks, 0, status);
            assert!(hears(
                &mut world,
                (asks, 0),
                if from_caller { 660.0 } else { 880.0 }
            ));
            assert!(hears(
                &mut world,
                (other, 0),
                if from_caller { 880.0 } else { 660.0 }
            ));
            world.hang_up(asks, 0);
            world.finish();
            let record = world.record();
            assert_eq!(record.transfers[0].status, Some(status));
            assert_eq!(record.legs.len(), 3);
        }
    }
}

#[test]
fn whoever_hung_up_is_rung_again_when_the_transfer_fails() {
    let mut world = served(904, Manners::Regrets(1500, 486));
    refer(&mut world, AGENT, 0, "1006");
    world.run_for(300);
    world.hang_up(AGENT, 0);
    world.run_to("rung again", 10_000, |world| {
        world.peers[AGENT].talks.len() == 2
    });
    world.until_answered(AGENT, 1);
    world.run_for(300);
    assert!(hears(&mut world, (AGENT, 1), 440.0));
    world.hang_up(CARRIER, 0);
    world.finish();
    let record = world.record();
    assert_eq!(record.transfers[0].status, Some(486));
    let story = stretches(record);
    assert_eq!(
        story[2..],
        [Stretch::Talk, Stretch::Ring, Stretch::Ring, Stretch::Talk]
    );
}

#[test]
fn without_recall_the_call_ends() {
    let office = with(&[(
        "node.toml",
        "region = \"jp1\"",
        "region = \"jp1\"\ntransfer = { recall = false, sound = \"music\" }",
    )]);
    let mut world = served_in(World::with(905, office), Manners::Regrets(1500, 486));
    refer(&mut world, AGENT, 0, "1006");
    world.run_for(300);
    world.hang_up(AGENT, 0);
    world.run_to("over", 30_000, |world| {
        world.peers[CARRIER].talks[0].is_over
    });
    assert_eq!(world.peers[AGENT].talks.len(), 1);
    world.finish();
    assert_eq!(world.record().transfers[0].status, Some(486));
}

#[test]
fn an_agent_sends_the_caller_back_into_the_queue() {
    let mut world = world(906);
    world.carrier();
    world.phone("1001", Manners::Answers(300));
    world.customer(CARRIER);
    world.until_talking();
    let other = world.phone("1002", Manners::Answers(300));
    world.peers[other].set_tone(1320);
    refer(&mut world, AGENT, 0, "100");
    until_told(&mut world, AGENT, 0, 200);
    world.after(Duration::from_millis(1200), |world| {
        world.peers[CARRIER].talks[0].voice.press("1");
    });
    world.until_answered(other, 0);
    world.run_for(500);
    assert!(hears(&mut world, (CARRIER, 0), 1320.0));
    world.hang_up(CARRIER, 0);
    world.finish();
    let record = world.record();
    assert_eq!(record.agents.len(), 2);
    assert_eq!(record.queues.len(), 2);
    let story = [
        Stretch::Ivr,
        Stretch::Queue,
        Stretch::Talk,
        Stretch::Ring,
        Stretch::Ivr,
        Stretch::Queue,
        Stretch::Talk,
    ];
    let told: Vec<Stretch> = stretches(record);
    let told: Vec<Stretch> = told
        .into_iter()
        .zip(&record.caller_timeline)
        .filter(|(stretch, part)| *stretch != Stretch::Ring || part.duration_ms != Some(0))
        .map(|(stretch, _)| stretch)
        .collect();
    let story: Vec<Stretch> = story.into_iter().filter(|s| *s != Stretch::Ring).collect();
    assert_eq!(told, story);
    for agent in &record.agents {
        let last = agent.timeline.last().expect("parts");
        assert_eq!(last.stretch, AgentStretch::Wrap);
    }
}

/// The agent consults 1006 while the customer waits on the other line.
fn consulting(seed: u64) -> World {
    let mut world = served(seed, Manners::Answers(500));
    world.with_peer(AGENT, |peer, now| peer.call(now, "1006", "1001"));
    world.until_answered(AGENT, 1);
    world.run_for(500);
    assert!(hears(&mut world, (THIRD, 0), 880.0));
    world
}

#[test]
fn after_a_consultation_two_calls_become_one() {
    // The REFER may come in either dialog.
    for (asks_in, names) in [(0, 1), (1, 0)] {
        let mut world = consulting(907);
        let to = world.peers[AGENT].consulted(names);
        refer(&mut world, AGENT, asks_in, &to);
        until_told(&mut world, AGENT, asks_in, 200);
        world.run_to("the agent is out", 5000, |world| {
            world.peers[AGENT].talks.iter().all(|talk| talk.is_over)
        });
        assert!(hears(&mut world, (CARRIER, 0), 1320.0));
        assert!(hears(&mut world, (THIRD, 0), 440.0));
        world.hang_up(CARRIER, 0);
        world.finish();
        assert_eq!(world.records.len(), 2);
        let agent = agent_name(&world);
        let (consultation, call) = {
            let gone = |record: &&tsunagu::events::CallRecord| record.continued_in.is_some();
            let consultation = world.records.iter().find(gone).expect("one");
            let call = world.records.iter().find(|one| !gone(one)).expect("one");
            (consultation, call)
        };
        assert_eq!(consultation.continued_in.as_ref(), Some(&call.id));
        assert_eq!(consultation.from, "1001");
        assert_eq!(call.from, CUSTOMER);
        let transfer = &call.transfers[0];
        assert_eq!(
            outcome(transfer),
            (
                TransferKind::Attended,
                agent.as_str(),
                CUSTOMER,
                "1006",
                Some(200)
            )
        );
        assert_eq!(transfer.consultation.as_ref(), Some(&consultation.id));
        let moved = call.legs.iter().find(|leg| Some(leg.leg) == transfer.to);
        let moved = moved.expect("the leg that came over");
        assert_eq!(moved.party, "1006");
        assert!(moved.media.as_ref().expect("counted").received > 50);
        assert_eq!(
            call.agents[0].timeline.last().map(|part| part.stretch),
            Some(AgentStretch::Wrap)
        );
        assert_eq!(call.recordings.len(), 2);
    }
}

#[test]
fn the_consultation_may_be_given_up() {
    let mut world = consulting(908);
    world.hang_up(AGENT, 1);
    world.run_for(500);
    // The customer is still the agent's.
    assert!(hears(&mut world, (AGENT, 0), 440.0));
    let to = world.peers[AGENT].consulted(1);
    refer(&mut world, AGENT, 0, &to);
    until_told(&mut world, AGENT, 0, 603);
    assert!(hears(&mut world, (AGENT, 0), 440.0));
    world.hang_up(AGENT, 0);
    world.finish();
    let is_consultation = |record: &&tsunagu::events::CallRecord| record.from == "1001";
    let consultation = world.records.iter().find(is_consultation).expect("two");
    assert_eq!(consultation.continued_in, None);
}

#[test]
fn a_consulted_party_that_still_rings_rings_on_for_the_caller() {
    for hangs_up in [false, true] {
        let mut world = served(909, Manners::Answers(4000));
        world.with_peer(AGENT, |peer, now| peer.call(now, "1006", "1001"));
        world.run_to("ringing", 5000, |world| {
            world.peers[AGENT].talks[1].heard.contains(&180)
        });
        let to = world.peers[AGENT].consulted(1);
        refer(&mut world, AGENT, 0, &to);
        world.run_to("accepted", 2000, |world| {
            world.peers[AGENT].talks[0].referred == Some(202)
        });
        if hangs_up {
            world.hang_up(AGENT, 0);
        }
        world.until_answered(THIRD, 0);
        world.run_for(500);
        assert!(hears(&mut world, (CARRIER, 0), 1320.0));
        assert_eq!(world.peers[THIRD].talks.len(), 1, "one INVITE");
        assert!(world.peers[AGENT].talks.iter().all(|talk| talk.is_over));
        world.hang_up(CARRIER, 0);
        world.finish();
        assert_eq!(world.records.len(), 2);
    }
}

#[test]
fn a_caller_takes_the_place_of_whoever_consults_a_menu() {
    let mut world = served(910, Manners::Rings);
    world.with_peer(AGENT, |peer, now| peer.call(now, "602", "1001"));
    world.until_answered(AGENT, 1);
    let to = world.peers[AGENT].consulted(1);
    refer(&mut world, AGENT, 0, &to);
    until_told(&mut world, AGENT, 0, 200);
    world.run_for(300);
    assert!(hears(&mut world, (CARRIER, 0), 1004.0));
    world.hang_up(CARRIER, 0);
    world.finish();
    assert_eq!(world.records.len(), 2);
}

#[test]
fn whoever_was_called_through_a_queue_comes_over_with_the_task() {
    // 1005 talks with 1006 and consults the queue; the agent goes over, then wraps up.
    let mut world = world(911);
    world.phone("1005", Manners::Rings);
    world.phone("1006", Manners::Answers(300));
    let agent = world.phone("1001", Manners::Answers(300));
    world.peers[1].set_tone(660);
    world.peers[agent].set_tone(1320);
    world.with_peer(0, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(0, 0);
    world.run_for(300);
    world.with_peer(0, |peer, now| peer.call(now, "100", "1005"));
    world.after(Duration::from_millis(1000), |world| {
        world.peers[0].talks[1].voice.press("1");
    });
    world.until_answered(agent, 0);
    world.run_for(800);
    let to = world.peers[0].consulted(1);
    refer(&mut world, 0, 0, &to);
    until_told(&mut world, 0, 0, 200);
    assert!(hears(&mut world, (1, 0), 1320.0));
    assert!(hears(&mut world, (agent, 0), 660.0));
    world.hang_up(1, 0);
    world.finish();
    let call = world.records.iter().find(|one| one.continued_in.is_none());
    let call = call.expect("the call that goes on");
    let parts: Vec<_> = call.agents[0].timeline.iter().map(|p| p.stretch).collect();
    assert_eq!(parts, [AgentStretch::Talk, AgentStretch::Wrap]);
}

#[test]
fn what_may_not_be_transferred_is_refused_and_goes_on() {
    let mut world = served(912, Manners::Answers(300));
    for (to, status) in [
        ("<sip:4711@127.0.0.1>", 403),
        ("<sip:*45@127.0.0.1>", 403),
        ("<sip:1006@127.0.0.1;method=BYE>", 403),
        ("<mailto:1006@127.0.0.1>", 403),
        ("<sip:1006@127.0.0.1?Replaces=nonsense>", 400),
        ("<sip:1006@127.0.0.1>, <sip:1007@127.0.0.1>", 400),
        ("<sip:1006%0d%0aX: y@127.0.0.1>", 400),
        ("<sip:1006%0d%0aX:y@127.0.0.1>", 403),
    ] {
        world.peers[AGENT].talks[0].referred = None;
        refer(&mut world, AGENT, 0, to);
        world.run_to("answered", 2000, |world| {
            world.peers[AGENT].talks[0].referred.is_some()
        });
        assert_eq!(world.peers[AGENT].talks[0].referred, Some(status), "{to}");
    }
    // A trunk may not, unless it is written down.
    refer(&mut world, CARRIER, 0, "1006");
    world.run_for(500);
    assert_eq!(world.peers[CARRIER].talks[0].referred, Some(403));
    // A dialog of somebody else's is nobody's consultation.
    let to = world.peers[CARRIER].consulted(0);
    world.peers[AGENT].talks[0].referred = None;
    refer(&mut world, AGENT, 0, &to);
    world.run_for(500);
    assert_eq!(world.peers[AGENT].talks[0].referred, Some(403));
    // One that never was is told by NOTIFY: the dialog lives.
    refer(
        &mut world,
        AGENT,
        0,
        "<sip:1006@127.0.0.1?Replaces=no%3Bto-tag%3D1%3Bfrom-tag%3D2>",
    );
    until_told(&mut world, AGENT, 0, 481);
    assert!(hears(&mut world, (CARRIER, 0), 880.0));
    assert!(world.peers[THIRD].talks.is_empty());
    world.hang_up(CARRIER, 0);
    world.finish();
    assert!(world.record().transfers.is_empty());
    let evil = |sent: &crate::world::Sent| sent.what.contains("<-") && sent.has("X-Evil");
    assert!(!world.sent.iter().any(evil));
}

#[test]
fn one_transfer_at_a_time() {
    let mut world = served(913, Manners::Rings);
    refer(&mut world, AGENT, 0, "1006");
    world.run_for(300);
    world.peers[AGENT].talks[0].referred = None;
    refer(&mut world, AGENT, 0, "1005");
    world.run_for(300);
    assert_eq!(world.peers[AGENT].talks[0].referred, Some(491));
    world.hang_up(CARRIER, 0);
    until_told(&mut world, AGENT, 0, 487);
    world.finish();
    assert_eq!(world.record().transfers[0].status, Some(487));
}

#[test]
fn a_phone_without_the_right_may_not() {
    let office = with(&[(
        "phones.toml",
        "number = \"1001\"",
        "number = \"1001\"\nmay_transfer = false",
    )]);
    let mut world = served_in(World::with(914, office), Manners::Rings);
    refer(&mut world, AGENT, 0, "1006");
    world.run_for(300);
    assert_eq!(world.peers[AGENT].talks[0].referred, Some(403));
    world.hang_up(CARRIER, 0);
    world.finish();
}

fn trunk(keys: &str) -> tsunagu::config::Office {
    let keys = format!("name = \"demo\"\n{keys}");
    with(&[("trunks.toml", "name = \"demo\"", &keys)])
}

#[test]
fn a_trunk_that_may_transfers_its_caller_to_a_number_it_reaches() {
    let office = trunk("accept_refer = true");
    let mut world = served_in(World::with(915, office), Manners::Answers(300));
    // Phones are no numbers a trunk reaches.
    refer(&mut world, CARRIER, 0, "1006");
    world.run_for(300);
    assert_eq!(world.peers[CARRIER].talks[0].referred, Some(403));
    refer(&mut world, CARRIER, 0, OFFICE);
    until_told(&mut world, CARRIER, 0, 200);
    world.run_to("the carrier is out", 5000, |world| {
        world.peers[CARRIER].talks[0].is_over
    });
    world.hang_up(AGENT, 0);
    world.finish();
    assert_eq!(world.record().transfers[0].party, agent_name(&world));
}

#[test]
fn a_carrier_that_wants_it_gets_the_refer() {
    for (status, agent_stays) in [(200, false), (486, true)] {
        let office = trunk("pass_refer = true");
        let mut world = served_in(World::with(916, office), Manners::Rings);
        refer(&mut world, AGENT, 0, "0312340000");
        world.run_to("passed", 5000, |world| world.peers[CARRIER].asked.is_some());
        let (session, refer, to) = world.peers[CARRIER].asked.clone().expect("just seen");
        assert_eq!(to, "<sip:312340000@127.0.0.1:5080>");
        for status in [180, status] {
            world.with_peer(CARRIER, |peer, now| {
                peer.ua.notify(now, session, refer, status);
            });
            world.run_for(200);
        }
        until_told(&mut world, AGENT, 0, status);
        world.run_for(500);
        assert_eq!(world.peers[AGENT].talks[0].is_over, !agent_stays);
        assert_eq!(world.peers[CARRIER].talks[0].is_over, !agent_stays);
        if agent_stays {
            assert!(hears(&mut world, (AGENT, 0), 440.0));
            world.hang_up(AGENT, 0);
        }
        world.finish();
        let transfer = &world.record().transfers[0];
        assert_eq!(
            (transfer.kind, transfer.status),
            (TransferKind::Passed, Some(status))
        );
    }
}

#[test]
fn by_default_the_trunk_never_sees_refer() {
    let mut world = served(917, Manners::Rings);
    world.peers[CARRIER].manners = Manners::Answers(500);
    refer(&mut world, AGENT, 0, "0312340000");
    until_told(&mut world, AGENT, 0, 200);
    world.run_for(300);
    let refers = |sent: &&crate::world::Sent| sent.what == "carrier <- REFER";
    assert_eq!(world.sent.iter().filter(refers).count(), 0);
    assert_eq!(world.peers[CARRIER].talks[1].referred_by, None);
    world.hang_up(CARRIER, 0);
    world.finish();
}

#[test]
fn an_operator_transfers_a_call() {
    let mut world = served(918, Manners::Answers(500));
    let nowhere = Control::Transfer {
        number: "4711".to_owned(),
        leg: None,
    };
    assert!(matches!(
        world.control(nowhere),
        Err(ControlError::Unreachable { .. })
    ));
    let wish = Control::Transfer {
        number: "1006".to_owned(),
        leg: None,
    };
    world.control(wish).expect("transferred");
    world.until_answered(THIRD, 0);
    world.run_for(500);
    assert!(world.peers[AGENT].talks[0].is_over);
    assert!(hears(&mut world, (CARRIER, 0), 1320.0));
    world.hang_up(CARRIER, 0);
    world.finish();
    assert_eq!(
        outcome(&world.record().transfers[0]),
        (
            TransferKind::Operator,
            "operator",
            CUSTOMER,
            "1006",
            Some(200)
        )
    );
}

#[test]
fn another_device_of_the_same_phone_takes_a_call_over() {
    let mut world = served(919, Manners::Rings);
    let other = world.contact("1001", 2, Manners::Rings);
    world.peers[other].set_tone(1760);
    let replaces = world.peers[AGENT].replaces(0);
    world.with_peer(other, |peer, now| peer.call_in_place(now, &replaces));
    world.until_answered(other, 0);
    world.run_for(300);
    assert!(world.peers[AGENT].talks[0].is_over);
    assert!(hears(&mut world, (CARRIER, 0), 1760.0));
    assert!(hears(&mut world, (other, 0), 440.0));
    world.hang_up(CARRIER, 0);
    world.finish();
    let record = world.record();
    assert_eq!(record.transfers[0].kind, TransferKind::Replaced);
    // It is still the agent, and the agent's task.
    assert_eq!(record.agents.len(), 1);
    assert_eq!(
        record.agents[0].timeline.last().map(|part| part.stretch),
        Some(AgentStretch::Wrap)
    );
}

#[test]
fn replaces_follows_rfc_3891() {
    let mut world = served(920, Manners::Rings);
    let other = world.contact("1001", 2, Manners::Rings);
    let good = world.peers[AGENT].replaces(0);
    let heard = |world: &mut World, peer: usize, replaces: &str| {
        let talk = world.with_peer(peer, |peer, now| peer.call_in_place(now, replaces));
        world.run_to("refused", 5000, |world| {
            world.peers[peer].talks[talk].is_over
        });
        *world.peers[peer].talks[talk]
            .heard
            .last()
            .expect("a status")
    };
    assert_eq!(heard(&mut world, other, "nonsense"), 400);
    assert_eq!(heard(&mut world, other, "no;to-tag=1;from-tag=2"), 481);
    assert_eq!(heard(&mut world, other, &format!("{good};early-only")), 486);
    // Another phone has no right to it, whatever it knows.
    assert_eq!(heard(&mut world, THIRD, &good), 403);
    assert!(hears(&mut world, (AGENT, 0), 440.0));
    world.hang_up(CARRIER, 0);
    world.run_for(1000);
    assert_eq!(heard(&mut world, other, &good), 603);
    world.finish();
    assert_eq!(world.records.len(), 1);
}

#[test]
fn a_phone_with_the_right_picks_up_what_rings_elsewhere() {
    let office = with(&[(
        "phones.toml",
        "number = \"1007\"",
        "number = \"1007\"\nreplaces = \"ringing\"",
    )]);
    let mut world = World::with(921, office);
    world.phone("1005", Manners::Rings);
    world.phone("1006", Manners::Rings);
    let third = world.phone("1007", Manners::Rings);
    world.peers[third].set_tone(1320);
    world.with_peer(0, |peer, now| peer.call(now, "1006", "1005"));
    world.run_to("ringing", 5000, |world| {
        world.peers[0].talks[0].heard.contains(&180)
    });
    let replaces = world.ringing_dialog(1);
    world.with_peer(third, |peer, now| peer.call_in_place(now, &replaces));
    world.until_answered(0, 0);
    world.run_for(300);
    assert!(world.peers[1].talks[0].is_over);
    assert!(hears(&mut world, (0, 0), 1320.0));
    world.hang_up(0, 0);
    world.finish();
    assert_eq!(
        outcome(&world.record().transfers[0]),
        (TransferKind::Replaced, "1007", "1006", "1007", Some(200))
    );
}

/// How a story is set up, and how its transfer begins.
type Story = (fn(u64) -> World, fn(&mut World));

/// A transfer of each kind, from a given moment on.
fn stories() -> [Story; 4] {
    let blind: fn(&mut World) = |world| refer(world, AGENT, 0, "1006");
    let queue: fn(&mut World) = |world| refer(world, AGENT, 0, "100");
    let attended: fn(&mut World) = |world| {
        let to = world.peers[AGENT].consulted(1);
        refer(world, AGENT, 0, &to);
    };
    [
        (|seed| served(seed, Manners::Answers(1500)), blind),
        (|seed| served(seed, Manners::Regrets(1500, 486)), blind),
        (|seed| served(seed, Manners::Rings), queue),
        (consulting, attended),
    ]
}

#[test]
fn whoever_hangs_up_at_any_moment_nothing_is_left() {
    let mut moments = 0;
    for (open, begin) in stories() {
        for who in [CARRIER, AGENT, THIRD] {
            for moment in 0.. {
                let mut world = open(930);
                let before = world.happened;
                world.interrupt(before + moment, move |world| {
                    for talk in 0..world.peers[who].talks.len() {
                        world.with_peer(who, |peer, now| peer.hang_up(now, talk));
                    }
                });
                begin(&mut world);
                world.run_for(2500);
                let was_last = world.is_uninterrupted();
                for peer in [CARRIER, AGENT, THIRD] {
                    for talk in 0..world.peers[peer].talks.len() {
                        world.hang_up(peer, talk);
                    }
                }
                world.run_for(6000);
                for peer in [CARRIER, AGENT, THIRD] {
                    for talk in 0..world.peers[peer].talks.len() {
                        world.hang_up(peer, talk);
                    }
                }
                world.finish();
                moments += 1;
                if was_last {
                    break;
                }
            }
        }
    }
    assert!(moments > 100, "{moments}");
}

#[test]
fn transfers_survive_loss() {
    for seed in 0..8 {
        for (open, begin) in stories() {
            let mut world = open(940 + seed);
            world.link.loss = 150;
            begin(&mut world);
            world.run_for(20_000);
            for _ in 0..4 {
                for peer in [CARRIER, AGENT, THIRD] {
                    for talk in 0..world.peers[peer].talks.len() {
                        world.hang_up(peer, talk);
                    }
                }
                world.run_for(40_000);
            }
            world.finish();
            let ended = world.facts(|fact| match fact {
                Fact::TransferRequested { .. } => Some(1),
                Fact::TransferDone { .. } | Fact::TransferFailed { .. } => Some(-1),
                _ => None,
            });
            assert_eq!(ended.iter().sum::<i32>(), 0);
        }
    }
}

/// Whether the router holds an agent's phone for being in a call of its own.
fn is_busy(world: &World) -> bool {
    let reason = world.busy.get(&agent_name(world));
    reason.copied().unwrap_or_default()
}

#[test]
fn an_agent_who_is_rung_again_has_a_call_of_his_own() {
    let mut world = served(941, Manners::Regrets(1500, 486));
    assert!(!is_busy(&world), "the router knows of the task");
    refer(&mut world, AGENT, 0, "1006");
    world.run_for(300);
    world.hang_up(AGENT, 0);
    world.until_answered(AGENT, 1);
    world.run_for(3_000);
    assert!(is_busy(&world), "he talks with the customer");
    // One more caller waits, and is not offered to him.
    world.customer(CARRIER);
    world.run_for(20_000);
    assert_eq!(world.peers[AGENT].talks.len(), 2);
    world.hang_up(CARRIER, 0);
    world.until_answered(AGENT, 2);
    world.run_for(500);
    assert!(!is_busy(&world));
    world.hang_up(AGENT, 2);
    world.finish();
}

#[test]
fn an_agent_who_is_sent_elsewhere_himself_has_a_call_of_his_own() {
    let mut world = world(942);
    let caller = world.phone("1005", Manners::Rings);
    world.phone("1001", Manners::Answers(300));
    world.with_peer(caller, |peer, now| peer.call(now, "100", "1005"));
    world.run_for(700);
    world.peers[caller].talks[0].voice.press("1");
    world.until_talking();
    refer(&mut world, caller, 0, "600");
    world.run_for(4_000);
    assert!(world.peers[caller].talks[0].is_over, "{}", world.tell());
    assert!(!world.peers[AGENT].talks[0].is_over);
    assert!(is_busy(&world), "he hears himself");
    let records = world.switch.exchange.records();
    let name = records[0].attributes.get("from_name");
    assert_eq!(
        name.and_then(|name| name.as_str()),
        Some("受付 (Reception)")
    );
    world.hang_up(AGENT, 0);
    world.run_for(500);
    assert!(!is_busy(&world));
    world.finish();
}
