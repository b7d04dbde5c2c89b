//! Flows that call somebody: several numbers, what becomes of each outcome, what the callee hears
//! alone before he is joined, and the key he takes the call with.

use tsunagu::events::Fact;

use crate::ear::{level, likeness, listen, loudness};
use crate::office::{changed, spoken};
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

/// The office, whose number leads to a step that dials.
fn world(seed: u64, keys: &str, more: &[(&str, &str, &str)]) -> World {
    let steps = format!(
        "[steps.ask]\ndo = \"dial\"\n{keys}\n\
        busy = \"busy\"\nno_answer = \"silent\"\nrejected = \"refused\"\nfailed = \"failed\"\n\
        [steps.busy]\ndo = \"hangup\"\ncause = \"busy\"\n\
        [steps.silent]\ndo = \"hangup\"\ncause = \"unavailable\"\n\
        [steps.refused]\ndo = \"hangup\"\ncause = \"declined\"\n\
        [steps.failed]\ndo = \"hangup\"\ncause = \"not_found\"\n\
        [steps.greeting]\n"
    );
    let flow = [
        ("flows/main.toml", "start = \"greeting\"", "start = \"ask\""),
        ("flows/main.toml", "[steps.greeting]\n", steps.as_str()),
    ];
    World::with(seed, changed(&[&flow[..], more].concat()))
}

fn call(world: &mut World) -> usize {
    let carrier = world.carrier();
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    carrier
}

fn steps(world: &World) -> Vec<String> {
    let steps = world.record().steps.iter();
    steps.map(|step| step.step.clone()).collect()
}

#[test]
fn of_several_phones_that_ring_together_the_first_to_answer_has_the_call() {
    let keys = "numbers = [\"1001\", \"1002\", \"1003\"]\norder = \"parallel\"";
    let mut world = world(1501, keys, &[]);
    let slow = world.phone("1001", Manners::Rings);
    let fast = world.phone("1002", Manners::Answers(2000));
    let refuses = world.phone("1003", Manners::Refuses(603));
    let carrier = call(&mut world);
    world.until_answered(carrier, 0);
    world.run_for(1000);
    assert!(world.peers[slow].talks[0].is_over && world.peers[refuses].talks[0].is_over);
    let cancel = world.sent.iter().find(|sent| sent.what == "1001 <- CANCEL");
    assert!(cancel.expect("cancelled").has("Call completed elsewhere"));
    world.hang_up(fast, 0);
    world.finish();
    assert_eq!(steps(&world), ["ask"]);
}

#[test]
fn numbers_in_a_row_ring_one_after_the_other_and_the_best_outcome_decides() {
    for (seed, second, step) in [
        (1502, Manners::Answers(500), None),
        (1503, Manners::Rings, Some("busy")),
        (1504, Manners::Refuses(603), Some("busy")),
    ] {
        let keys = "numbers = [\"1001\", \"1002\"]\nring_timeout = \"5s\"";
        let mut world = world(seed, keys, &[]);
        let first = world.phone("1001", Manners::Refuses(486));
        let second = world.phone("1002", second);
        let carrier = call(&mut world);
        world.run_for(2000);
        assert_eq!(world.peers[first].talks.len(), 1);
        assert_eq!(world.peers[second].talks.len(), 1);
        if step.is_none() {
            world.until_answered(carrier, 0);
            world.hang_up(second, 0);
        }
        world.finish();
        let expected: Vec<&str> = ["ask"].into_iter().chain(step).collect();
        assert_eq!(steps(&world), expected);
    }
}

#[test]
fn a_call_for_help_rings_on_when_those_beside_it_had_their_time() {
    let keys = "numbers = [\"119\", \"1001\"]\norder = \"parallel\"\nring_timeout = \"5s\"";
    let mut world = world(1521, keys, &[]);
    let beside = world.phone("1001", Manners::Rings);
    let carrier = call(&mut world);
    world.peers[carrier].manners = Manners::Rings;
    world.run_for(8_000);
    assert!(world.peers[beside].talks[0].is_over, "{}", world.tell());
    world.run_for(150_000);
    let help = &world.peers[carrier].talks[1];
    assert!(!help.is_over, "{}", world.tell());
    world.hang_up(carrier, 0);
    world.finish();
    assert!(world.peers[carrier].talks[1].is_over);
    assert_eq!(steps(&world), ["ask"]);
}

#[test]
fn a_call_for_help_that_is_refused_late_is_told_as_refused() {
    let keys = "numbers = [\"119\"]\nring_timeout = \"5s\"";
    let mut world = world(1522, keys, &[]);
    let carrier = call(&mut world);
    world.peers[carrier].manners = Manners::Regrets(20_000, 486);
    world.run_for(15_000);
    assert!(!world.peers[carrier].talks[1].is_over, "{}", world.tell());
    world.finish();
    assert_eq!(steps(&world), ["ask", "busy"]);
}

#[test]
fn each_outcome_has_its_step() {
    for (seed, manners, step) in [
        (1505, Some(Manners::Refuses(486)), "busy"),
        (1506, Some(Manners::Rings), "silent"),
        (1507, Some(Manners::Refuses(603)), "refused"),
        (1508, Some(Manners::Refuses(500)), "failed"),
        (1509, None, "failed"),
    ] {
        let mut world = world(seed, "number = \"1001\"\nring_timeout = \"5s\"", &[]);
        if let Some(manners) = manners {
            world.phone("1001", manners);
        }
        call(&mut world);
        world.finish();
        assert_eq!(steps(&world), ["ask", step], "{}", world.tell());
    }
}

#[test]
fn a_group_rings_for_a_flow_and_for_a_phone() {
    let group = (
        "numbers.toml",
        "[[service]]\nnumber = \"600\"",
        "[[group]]\nnumber = \"700\"\nmembers = [\"1001\", \"1002\"]\n\n[[service]]\nnumber = \"600\"",
    );
    let mut world = world(1510, "number = \"700\"", &[group]);
    world.phone("1001", Manners::Rings);
    let fast = world.phone("1002", Manners::Answers(800));
    let carrier = call(&mut world);
    world.until_answered(carrier, 0);
    world.hang_up(fast, 0);
    world.run_for(1000);
    let phone = world.phone("1005", Manners::Rings);
    world.with_peer(phone, |peer, now| peer.call(now, "700", "1005"));
    world.until_answered(phone, 0);
    world.hang_up(fast, 1);
    world.finish();
    assert_eq!(world.records.len(), 2);
}

#[test]
fn a_callee_hears_the_whisper_to_its_end_and_the_caller_does_not() {
    let mut world = world(1511, "number = \"1001\"\nwhisper = [\"greeting\"]", &[]);
    let callee = world.phone("1001", Manners::Answers(1000));
    let carrier = call(&mut world);
    world.until_answered(callee, 0);
    let length = spoken("en/greeting").len() / 8;
    world.run_for(u64::try_from(length).expect("short") - 500);
    assert!(
        !world.peers[carrier].talks[0].is_answered,
        "not before its end"
    );
    world.until_answered(carrier, 0);
    world.run_for(2000);
    world.hang_up(callee, 0);
    world.finish();
    let heard = listen(&world.peers[callee].talks[0].voice.got);
    assert!(likeness(&spoken("en/greeting")[800..4000], &heard[..8000]) > 0.95);
    assert!(level(&heard[heard.len() - 8000..], 440.0) > -14.0);
    let heard = listen(&world.peers[carrier].talks[0].voice.got);
    assert!(level(&heard[1600..], 880.0) > -14.0);
    let whispered: Vec<String> = world.facts(|fact| match fact {
        Fact::StepEntered { flow, step } => Some(format!("{flow}/{step}")),
        _ => None,
    });
    assert_eq!(whispered, ["main/ask", "whisper/sounds"]);
}

const ACCEPT: &str = "numbers = [\"1001\", \"1002\"]\norder = \"parallel\"\n\
    whisper = { sounds = [\"if-correct-press-1\"], accept = \"1\" }";

#[test]
fn a_mailbox_that_answers_and_presses_nothing_does_not_take_the_call() {
    let mut world = world(1512, ACCEPT, &[]);
    let mailbox = world.phone("1001", Manners::Answers(200));
    let person = world.phone("1002", Manners::Answers(9000));
    let carrier = call(&mut world);
    world.until_answered(person, 0);
    world.run_for(500);
    assert!(!world.peers[carrier].talks[0].is_answered);
    world.peers[person].talks[0].voice.press("1");
    world.until_answered(carrier, 0);
    world.run_for(1000);
    assert!(world.peers[mailbox].talks[0].is_over);
    world.hang_up(person, 0);
    world.finish();
    // The key was for the switch.
    let heard = listen(&world.peers[carrier].talks[0].voice.got);
    assert!(loudness(&heard) > -60.0);
}

#[test]
fn nobody_who_takes_the_call_is_no_answer_however_they_leave() {
    for (seed, hangs_up) in [(1513, false), (1514, true)] {
        let keys =
            "number = \"1001\"\nwhisper = { sounds = [\"if-correct-press-1\"], accept = \"1\" }";
        let mut world = world(seed, keys, &[]);
        let callee = world.phone("1001", Manners::Answers(200));
        call(&mut world);
        world.until_answered(callee, 0);
        world.run_for(300);
        if hangs_up {
            world.hang_up(callee, 0);
        }
        world.finish();
        assert_eq!(
            steps(&world),
            ["ask", "accept", "silent"],
            "{}",
            world.tell()
        );
    }
}

#[test]
fn a_caller_who_leaves_while_another_hears_a_whisper_ends_it_all() {
    let mut world = world(1515, "number = \"1001\"\nwhisper = [\"greeting\"]", &[]);
    let callee = world.phone("1001", Manners::Answers(200));
    let carrier = call(&mut world);
    world.until_answered(callee, 0);
    world.run_for(500);
    world.hang_up(carrier, 0);
    world.finish();
    assert!(world.peers[callee].talks[0].is_over);
}

#[test]
fn a_flow_shows_the_number_it_wants_as_far_as_the_trunk_owns_it() {
    for (seed, wanted, shown) in [
        (1516, "+81312345678", Some("312345678")),
        (1517, "+81399999999", None),
    ] {
        let keys = format!("number = \"00398765432\"\ncaller_id = \"{wanted}\"");
        let mut world = world(seed, &keys, &[]);
        let carrier = call(&mut world);
        world.run_for(1000);
        let invite = world
            .sent
            .iter()
            .find(|sent| sent.what == "carrier <- INVITE");
        match shown {
            Some(number) => {
                let invite = invite.unwrap_or_else(|| panic!("{}", world.tell()));
                assert!(invite.has(number), "{}", world.tell());
                assert!(!invite.has("From: <sip:+819012345678"));
            }
            None => assert!(invite.is_none(), "{}", world.tell()),
        }
        world.hang_up(carrier, 0);
        world.finish();
    }
}

#[test]
fn without_early_media_the_caller_hears_it_ring() {
    for (seed, keys, heard) in [
        (1518, "number = \"1001\"", 183),
        (1519, "number = \"1001\"\nearly_media = false", 180),
    ] {
        let mut world = world(seed, keys, &[]);
        let callee = world.phone("1001", Manners::Early(1500));
        let carrier = call(&mut world);
        world.until_answered(carrier, 0);
        world.hang_up(callee, 0);
        world.finish();
        assert_eq!(world.peers[carrier].talks[0].heard, [heard, 200]);
    }
}

/// Whether a talk has heard the ring-back tone since some packet.
fn rings(world: &World, peer: usize, from: usize) -> bool {
    let tone = spoken("ringback");
    let loud = tone.iter().position(|sample| sample.abs() > 2000);
    let piece = &tone[loud.expect("a tone")..][..1600];
    likeness(
        piece,
        &listen(&world.peers[peer].talks[0].voice.got[from..]),
    ) > 0.9
}

#[test]
fn a_caller_who_heard_early_media_hears_it_ring_while_another_hears_a_whisper() {
    let several = "numbers = [\"1001\", \"1002\"]\norder = \"parallel\"\n";
    for (seed, numbers, first, answers) in [
        // Of two the other answers; or the one who was heard.
        (1523, several, Manners::Early(60_000), "1002"),
        (1524, "number = \"1001\"\n", Manners::Early(1500), "1001"),
    ] {
        let keys = format!("{numbers}whisper = [\"greeting\"]");
        let mut world = world(seed, &keys, &[]);
        let first = world.phone("1001", first);
        let second = world.phone("1002", Manners::Answers(1500));
        let callee = if answers == "1001" { first } else { second };
        let carrier = call(&mut world);
        world.until_answered(callee, 0);
        assert_eq!(world.peers[carrier].talks[0].heard[0], 183);
        let from = world.peers[carrier].talks[0].voice.got.len();
        world.run_for(1200);
        assert!(!world.peers[carrier].talks[0].is_answered);
        assert!(rings(&world, carrier, from), "{answers}\n{}", world.tell());
        world.until_answered(carrier, 0);
        let from = world.peers[carrier].talks[0].voice.got.len();
        world.run_for(2000);
        assert!(!rings(&world, carrier, from));
        let heard = listen(&world.peers[carrier].talks[0].voice.got[from..]);
        assert!(level(&heard[1600..], 880.0) > -14.0, "they talk");
        world.hang_up(callee, 0);
        world.finish();
    }
}

#[test]
fn early_media_is_heard_in_the_place_of_the_tone() {
    let keys = "numbers = [\"1001\", \"1002\"]\nring_timeout = \"20s\"";
    let mut world = world(1525, keys, &[]);
    world.phone("1001", Manners::Regrets(1500, 486));
    let second = world.phone("1002", Manners::Early(6000));
    world.peers[second].set_tone(1320);
    let carrier = call(&mut world);
    world.run_for(4500);
    let heard = listen(&world.peers[carrier].talks[0].voice.got);
    assert!(level(&heard[heard.len() - 8000..], 1320.0) > -14.0);
    let from = world.peers[carrier].talks[0].voice.got.len() - 50;
    assert!(!rings(&world, carrier, from));
    world.until_answered(carrier, 0);
    world.hang_up(second, 0);
    world.finish();
}

#[test]
fn what_a_whisper_has_set_is_known_afterwards() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/flows/clinic.toml");
    let clinic = std::fs::read_to_string(path).expect("the clinic");
    let whisper = "type = \"outbound_whisper\"\nstart = \"note\"\n\
        [steps.note]\ndo = \"set\"\nattributes = { source = \"whispered\" }\nnext = \"return\"\n";
    let told = "[steps.told]\ndo = \"branch\"\notherwise = \"goodbye\"\n\
        cases = [{ if = \"attributes.source == 'whispered'\", next = \"nobody\" }]\n[steps.nobody]\n";
    let more = [
        ("flows/clinic.toml", clinic.as_str(), whisper),
        ("numbers.toml", "flow = \"clinic\"", "flow = \"main\""),
        ("flows/main.toml", "[steps.nobody]\n", told),
    ];
    let keys = "number = \"1001\"\nwhisper = { flow = \"clinic\" }\nafter = \"told\"";
    let mut world = world(1526, keys, &more);
    let callee = world.phone("1001", Manners::Answers(500));
    let carrier = call(&mut world);
    world.until_answered(carrier, 0);
    world.run_for(500);
    world.hang_up(callee, 0);
    world.finish();
    assert_eq!(steps(&world), ["ask", "note", "told", "nobody"]);
}
