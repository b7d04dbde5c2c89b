//! What a caller hears who presses nothing, waits, or finds the line full; and what an agent has
//! to do afterwards.

use tsunagu::base::Party;
use tsunagu::events::{AgentStretch, Stretch};
use tsunagu::router::WorkerState;

use crate::ear::{likeness, listen};
use crate::office::{changed, spoken};
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

/// Whether a sound was heard between two seconds of a talk.
fn heard(world: &World, sound: &str, from: usize, until: usize) -> bool {
    let sound = spoken(sound);
    let loud = sound
        .iter()
        .position(|sample| sample.abs() > 1000)
        .expect("loud");
    let all = listen(&world.peers[0].talks[0].voice.got);
    let until = (until * 8000).min(all.len());
    // Music goes within 200 ms under a prompt.
    let begin = loud + 1600;
    likeness(&sound[begin..begin + 800], &all[from * 8000..until]) > 0.95
}

#[test]
fn who_presses_nothing_is_asked_three_times_and_let_go() {
    let mut world = World::new(701);
    let carrier = world.carrier();
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    world.finish();
    // Greeting 1.8 s, three times menu 8.3 s and silence 5 s, in between 2.3 s, at last 3.6 s.
    assert!(heard(&world, "ja/no-input", 14, 18), "{}", world.tell());
    let end = world.record().duration_ms.expect("ended") / 1000;
    assert!((48..52).contains(&end), "{end} s");
    assert!(heard(&world, "ja/goodbye", end as usize - 4, end as usize));
    assert_eq!(world.record().hung_up_by, Some(Party::Switch));
}

#[test]
fn a_caller_hears_the_language_of_the_number_he_dialled() {
    let number = "attributes = { language = \"ja\" }";
    let english = number.replace("ja", "en");
    // There is no German: English is heard, the language of the office.
    let german = number.replace("ja", "de");
    for (change, sound) in [
        (number, "ja/greeting"),
        (&english, "en/greeting"),
        (&german, "en/greeting"),
    ] {
        let mut world = World::with(705, changed(&[("numbers.toml", number, change)]));
        let carrier = world.carrier();
        world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
        world.run_for(3000);
        assert!(heard(&world, sound, 0, 2), "{change}: {sound}");
        world.hang_up(carrier, 0);
        world.finish();
    }
}

#[test]
fn a_wrong_key_is_told_and_a_right_one_still_counts() {
    let mut world = World::new(702);
    let carrier = world.carrier();
    world.phone("1003", Manners::Answers(300));
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    world.run_for(4000);
    world.peers[carrier].talks[0].voice.press("5");
    world.run_for(5000);
    assert!(heard(&world, "ja/no-match", 3, 7));
    world.peers[carrier].talks[0].voice.press("2");
    world.until_talking();
    world.hang_up(carrier, 0);
    world.finish();
    let record = world.record();
    assert_eq!(record.queues[0].queue, "support");
    assert_eq!(record.attributes["用件"], "サポート");
    assert_eq!(record.offers[0].agent, "emma");
}

#[test]
fn the_place_in_line_is_told_and_the_music_comes_back() {
    let mut world = World::new(703);
    let carrier = world.carrier();
    world.phone("1001", Manners::Answers(300));
    world.customer(carrier);
    world.customer(carrier);
    world.until_talking();
    // In line after 3.6 s; ten seconds later the place is told.
    world.run_for(15_000);
    let talks = &mut world.peers[carrier].talks;
    talks.swap(0, 1);
    assert!(heard(&world, "ja/position-1", 12, 18), "{}", world.tell());
    assert!(heard(&world, "music", 15, 18));
    for talk in 0..2 {
        world.hang_up(carrier, talk);
    }
    world.finish();
}

#[test]
fn who_has_waited_longest_is_let_go() {
    let office = changed(&[(
        "queues.toml",
        "longest_wait = \"10m\"",
        "longest_wait = \"7s\"",
    )]);
    let mut world = World::with(704, office);
    let carrier = world.carrier();
    let agent = world.phone("1001", Manners::Rings);
    world.customer(carrier);
    world.finish();
    let record = world.record();
    assert_eq!(record.queues[0].outcome.as_deref(), Some("timeout"));
    assert_eq!(record.total_ms(Stretch::Queue), 7000);
    assert_eq!(record.offers[0].outcome.as_deref(), Some("timeout"));
    assert!(world.peers[agent].talks[0].is_over);
    let view = world.switch.pump.view();
    let sato = view
        .workers
        .iter()
        .find(|worker| worker.spec.name == "sato")
        .expect("there");
    assert_eq!(sato.state, WorkerState::Free, "he missed nothing");
}

#[test]
fn one_caller_too_many_is_told_that_nobody_can_take_the_call() {
    let office = changed(&[("queues.toml", "# max_waiting = 1000", "max_waiting = 1")]);
    let mut world = World::with(705, office);
    let carrier = world.carrier();
    world.phone("1001", Manners::Rings);
    world.customer(carrier);
    world.run_for(500);
    world.customer(carrier);
    world.run_for(5000);
    world.hang_up(carrier, 0);
    world.finish();
    let mut outcomes: Vec<_> = world
        .records
        .iter()
        .map(|record| record.queues[0].outcome.clone())
        .collect();
    outcomes.sort();
    let expected = ["abandoned", "nobody_available"].map(|text| Some(text.to_owned()));
    assert_eq!(outcomes, expected);
}

#[test]
fn after_call_work_keeps_the_next_caller_waiting_and_is_in_the_record() {
    let office = changed(&[("queues.toml", "# wrap_up = \"0s\"", "wrap_up = \"4s\"")]);
    let mut world = World::with(706, office);
    let carrier = world.carrier();
    let agent = world.phone("1001", Manners::Answers(300));
    world.customer(carrier);
    world.until_talking();
    let ended = world.customer(carrier);
    world.run_for(5000);
    world.hang_up(agent, 0);
    let over = world.now;
    world.run_to("the next one", 20_000, |world| {
        world.peers[agent].talks.len() == 2
    });
    assert_eq!(world.now.since(over).as_secs(), 4);
    world.run_for(2000);
    world.hang_up(carrier, ended);
    world.finish();
    for record in &world.records {
        let last = record.agents[0].timeline.last().expect("he worked");
        assert_eq!(last.stretch, AgentStretch::Wrap);
        assert_eq!(last.duration_ms, Some(4000), "{}", world.tell());
    }
}
