//! Agents who work by phone alone: what they dial and press, what they hear, where they are rung.

use tsunagu::events::{AgentStretch, Fact};
use tsunagu::router::{WorkerState, WorkerView};

use crate::ear::{likeness, listen};
use crate::office::spoken;
use crate::peer::Manners;
use crate::world::World;

fn worker(world: &World, name: &str) -> WorkerView {
    let view = world.switch.pump.view();
    let mut workers = view.workers.iter();
    let found = workers.find(|worker| worker.spec.name == name);
    found.expect("an agent of the office").clone()
}

fn activity(world: &World, name: &str) -> String {
    worker(world, name).activity
}

/// Dials a code, presses keys with so many ms before each, and waits for the end. The talk.
fn dial(world: &mut World, phone: usize, code: &str, keys: &[(u64, &str)]) -> usize {
    let number = world.peers[phone].name.clone();
    let talk = world.with_peer(phone, |peer, now| peer.call(now, code, &number));
    world.run_to("answered", 5_000, |world| {
        world.peers[phone].talks[talk].is_answered
    });
    for (wait, keys) in keys {
        world.run_for(*wait);
        world.peers[phone].talks[talk].voice.press(keys);
    }
    world.run_to("the switch hangs up", 60_000, |world| {
        world.peers[phone].talks[talk].is_over
    });
    talk
}

/// Whether a phone heard a sound in a talk: a tenth of a second out of its midst.
fn hears(world: &World, phone: usize, talk: usize, name: &str) -> bool {
    let said = spoken(name);
    let middle = said.len() / 2;
    let piece = &said[middle..middle + 800];
    let heard = listen(&world.peers[phone].talks[talk].voice.got);
    heard.len() > piece.len() && likeness(piece, &heard) > 0.95
}

fn outcomes(world: &World) -> Vec<(Option<&str>, &str)> {
    let facts = world.events.iter().filter_map(|event| match &event.fact {
        Fact::AgentLogin { agent, outcome } => Some((agent.as_deref(), outcome.as_str())),
        _ => None,
    });
    facts.collect()
}

/// A customer is put in line, and the agent at this phone takes the call.
fn serve(world: &mut World, carrier: usize, phone: usize) {
    let before = world.peers[phone].talks.len();
    world.customer(carrier);
    world.run_to("the agent has the call", 60_000, |world| {
        let talks = &world.peers[phone].talks;
        talks.get(before).is_some_and(|talk| talk.is_answered)
    });
    world.run_for(1_000);
    world.hang_up(phone, before);
}

#[test]
fn away_with_a_reason_and_back_are_said_in_the_agents_language() {
    let mut world = World::new(501);
    world.carrier();
    let sato = world.phone("1001", Manners::Answers(500));
    let emma = world.phone("1003", Manners::Answers(500));
    let talk = dial(&mut world, sato, "*46", &[(8_000, "3")]);
    assert_eq!(activity(&world, "sato"), "lunch", "{}", world.tell());
    for sound in ["ja/agent-away", "ja/agent-reason", "ja/agent-lunch"] {
        assert!(hears(&world, sato, talk, sound), "{sound}");
    }
    let talk = dial(&mut world, sato, "*45", &[]);
    assert_eq!(activity(&world, "sato"), "available");
    for sound in ["ja/agent-available", "ja/agent-waiting-0"] {
        assert!(hears(&world, sato, talk, sound), "{sound}");
    }
    assert!(!hears(&world, sato, talk, "ja/agent-away"));
    // Hers are English, and the code may be dialled at once.
    let talk = dial(&mut world, emma, "*463", &[]);
    assert_eq!(activity(&world, "emma"), "lunch");
    assert!(hears(&world, emma, talk, "agent-lunch"));
    let talk = dial(&mut world, emma, "*43", &[]);
    assert!(hears(&world, emma, talk, "agent-lunch"), "asked");
    world.finish();
}

#[test]
fn who_hangs_up_right_after_dialling_away_is_away() {
    let mut world = World::new(502);
    world.carrier();
    let sato = world.phone("1001", Manners::Answers(500));
    let talk = world.with_peer(sato, |peer, now| peer.call(now, "*46", "1001"));
    world.run_to("answered", 5_000, |world| {
        world.peers[sato].talks[talk].is_answered
    });
    world.hang_up(sato, talk);
    world.run_for(500);
    assert_eq!(activity(&world, "sato"), "away");
    world.finish();
}

#[test]
fn an_agent_logs_in_at_a_strange_phone_and_is_rung_there() {
    let mut world = World::new(503);
    let carrier = world.carrier();
    let own = world.phone("1001", Manners::Answers(300));
    let desk = world.phone("1007", Manners::Answers(300));
    serve(&mut world, carrier, own);
    let talk = dial(
        &mut world,
        desk,
        "*41",
        &[(3_000, "1001#"), (2_000, "1001#")],
    );
    assert!(hears(&world, desk, talk, "ja/agent-logged-in"));
    assert!(hears(&world, desk, talk, "ja/agent-available"));
    let calls = world.peers[own].talks.len();
    serve(&mut world, carrier, desk);
    assert_eq!(world.peers[own].talks.len(), calls, "his own is silent");

    // The strange phone goes: he is not to be reached, though his own is there.
    world.with_peer(desk, |peer, now| peer.register(now, 0));
    world.run_for(500);
    assert!(!worker(&world, "sato").reachable);
    world.with_peer(desk, |peer, now| peer.register(now, 3600));
    world.run_for(500);
    assert!(worker(&world, "sato").reachable);

    // He logs out and is at home again.
    let talk = dial(&mut world, desk, "*42", &[]);
    assert!(hears(&world, desk, talk, "ja/agent-logged-out"));
    assert_eq!(activity(&world, "sato"), "away");
    dial(&mut world, own, "*45", &[]);
    serve(&mut world, carrier, own);
    assert_eq!(
        outcomes(&world),
        [(Some("sato"), "accepted"), (Some("sato"), "logged_out")]
    );
    world.finish();
    for record in &world.records {
        assert!(!format!("{record:?}").contains("1001#1001"), "{record:?}");
    }
}

#[test]
fn a_guest_takes_the_phone_of_another_agent_who_is_logged_out_by_that() {
    let mut world = World::new(504);
    let carrier = world.carrier();
    let phone = world.phone("1003", Manners::Answers(300));
    dial(&mut world, phone, "*411001", &[(3_000, "1001#")]);
    let (sato, emma) = (worker(&world, "sato"), worker(&world, "emma"));
    assert!(sato.reachable && sato.available, "{}", world.tell());
    assert!(!emma.reachable && !emma.available);
    assert!(emma.reason.contains("sato logged in"), "{}", emma.reason);
    serve(&mut world, carrier, phone);
    let offers = world.events.iter().filter_map(|event| match &event.fact {
        Fact::Offered { agent, .. } => Some(agent.as_str()),
        _ => None,
    });
    assert_eq!(offers.collect::<Vec<_>>(), ["sato"]);
    dial(&mut world, phone, "*411003", &[(3_000, "1003#")]);
    let (sato, emma) = (worker(&world, "sato"), worker(&world, "emma"));
    assert!(emma.reachable && emma.available && !sato.available);
    assert!(!sato.reachable, "his own phone is not registered");
    world.finish();
}

#[test]
fn three_wrong_pins_end_in_a_pause_that_is_told_and_shown_nowhere() {
    let mut world = World::new(505);
    world.carrier();
    let phone = world.phone("1007", Manners::Answers(300));
    let wrong = [(3_000, "4929#"), (3_000, "4929#"), (3_000, "4929#")];
    let talk = dial(&mut world, phone, "*411001", &wrong);
    assert!(hears(&world, phone, talk, "agent-locked"));
    let talk = dial(&mut world, phone, "*411001", &[]);
    assert!(hears(&world, phone, talk, "agent-locked"), "at once");
    let sato = Some("sato");
    assert_eq!(
        outcomes(&world),
        [
            (sato, "wrong"),
            (sato, "wrong"),
            (sato, "locked"),
            (sato, "locked")
        ]
    );
    assert_eq!(activity(&world, "sato"), "available", "as he was");
    world.run_for(300_000);
    dial(&mut world, phone, "*411001", &[(3_000, "1001#")]);
    assert_eq!(outcomes(&world).last(), Some(&(sato, "accepted")));
    world.finish();
    let keys = |record: &tsunagu::events::CallRecord| -> String {
        record.digits.iter().map(|digit| digit.digit).collect()
    };
    assert!(
        world
            .records
            .iter()
            .all(|record| !keys(record).contains("49"))
    );
    assert_eq!(keys(&world.records[0]), "*".repeat(15));
}

#[test]
fn after_call_work_ends_by_phone() {
    let office =
        crate::office::changed(&[("queues.toml", "# wrap_up = \"0s\"", "wrap_up = \"10m\"")]);
    let mut world = World::with(506, office);
    let carrier = world.carrier();
    let sato = world.phone("1001", Manners::Answers(300));
    serve(&mut world, carrier, sato);
    world.run_for(1_000);
    assert_eq!(worker(&world, "sato").state, WorkerState::WrapUp);
    let talk = dial(&mut world, sato, "*43", &[]);
    assert!(hears(&world, sato, talk, "ja/agent-wrap-up"));
    let talk = dial(&mut world, sato, "*48", &[]);
    assert!(hears(&world, sato, talk, "ja/agent-available"));
    assert_eq!(worker(&world, "sato").state, WorkerState::Free);
    world.finish();
}

#[test]
fn open_after_call_work_is_in_the_record_with_its_code() {
    let open = "wrap_up = \"open\"\nwrap_up_codes = [\"12\"]";
    let office = crate::office::changed(&[("queues.toml", "# wrap_up = \"0s\"", open)]);
    let mut world = World::with(507, office);
    let carrier = world.carrier();
    let sato = world.phone("1001", Manners::Answers(300));
    serve(&mut world, carrier, sato);
    world.run_for(5_000);
    assert_eq!(worker(&world, "sato").state, WorkerState::WrapUp);
    dial(&mut world, sato, "*4812", &[]);
    world.finish();
    let record = world
        .records
        .iter()
        .find(|record| !record.queues.is_empty());
    let record = record.expect("the customer's");
    assert_eq!(record.queues[0].wrap_up_code.as_deref(), Some("12"));
    let last = record.agents[0].timeline.last().expect("parts");
    assert_eq!(last.stretch, AgentStretch::Wrap);
    assert!(last.duration_ms >= Some(5_000), "{last:?}");
}

#[test]
fn who_logs_in_at_a_strange_phone_is_offered_nothing_until_he_has_heard_that() {
    let mut world = World::new(508);
    let carrier = world.carrier();
    let desk = world.phone("1007", Manners::Answers(300));
    let other = world.phone("1002", Manners::Rings);
    world.customer(carrier);
    world.run_to("another is rung", 20_000, |world| {
        world.peers[other].live() == 1
    });
    world.customer(carrier);
    world.run_for(8_000);
    dial(&mut world, desk, "*411001", &[(3_000, "1001#")]);
    assert_eq!(world.peers[desk].talks.len(), 1, "{}", world.tell());
    world.run_to("served", 3_000, |world| {
        world.peers[desk]
            .talks
            .get(1)
            .is_some_and(|talk| talk.is_answered)
    });
    world.hang_up(desk, 1);
    world.hang_up(carrier, 0);
    world.hang_up(carrier, 1);
    world.finish();
}

#[test]
fn an_agent_who_is_new_at_the_start_is_rung_at_a_phone_that_stayed_registered() {
    let mut world = World::new(509);
    let carrier = world.carrier();
    let phone = world.phone("1007", Manners::Answers(300));
    let new = "[[agent]]\nname = \"aoki\"\nphone = \"1007\"\n\
               attributes = { skills = [\"sales\"], languages = [\"ja\"] }\n\n\
               [[agent]]\nname = \"emma\"";
    world.office = crate::office::changed(&[("agents.toml", "[[agent]]\nname = \"emma\"", new)]);
    world.restart();
    assert!(worker(&world, "aoki").reachable);
    serve(&mut world, carrier, phone);
    world.finish();
}

#[test]
fn a_guest_who_is_removed_gives_the_phone_back_to_its_agent() {
    let mut world = World::new(510);
    world.carrier();
    let phone = world.phone("1003", Manners::Answers(300));
    dial(&mut world, phone, "*411001", &[(3_000, "1001#")]);
    assert!(!worker(&world, "emma").reachable);
    let office = crate::office::changed(&[("agents.toml", "name = \"sato\"", "name = \"tanaka\"")]);
    world.reload(office);
    world.run_for(100);
    assert!(worker(&world, "emma").reachable);
    let tanaka = worker(&world, "tanaka");
    assert!(!tanaka.reachable, "his own phone is not registered");
    world.finish();
}
