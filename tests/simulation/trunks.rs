//! Ways out: trunks that cannot be reached, are full or rest, and what comes next; calls for help.

use std::net::{IpAddr, Ipv4Addr};

use tsunagu::call::Control;
use tsunagu::config::Office;
use tsunagu::events::Fact;
use tsunagu::sip::HeaderName;

use crate::ear::{level, listen};
use crate::office::changed;
use crate::peer::Manners;
use crate::world::{Sent, World};

/// The trunk `demo` with further keys.
fn demo(keys: &str) -> Office {
    let keys = format!("name = \"demo\"\n{keys}");
    changed(&[("trunks.toml", "name = \"demo\"", &keys)])
}

/// Two ways out: first `other` on 127.0.0.2, then `demo`.
fn two_ways(more: &[(&str, &str, &str)]) -> Office {
    let other = "[[trunk]]\nname = \"other\"\ntarget = \"udp:127.0.0.2:5080\"\n\n\
                 [[trunk]]\nname = \"demo\"";
    let mut changes = vec![
        ("trunks.toml", "[[trunk]]\nname = \"demo\"", other),
        (
            "numbers.toml",
            "trunk = \"demo\"\n# Instead",
            "trunks = [\"other\", \"demo\"]\n# Instead",
        ),
    ];
    changes.extend(more);
    changed(&changes)
}

fn codes(world: &World) -> Vec<String> {
    world.facts(|fact| match fact {
        Fact::Checked { check } => check.code.clone(),
        _ => None,
    })
}

fn invites<'w>(world: &'w World, peer: &str) -> Vec<&'w Sent> {
    let what = format!("{peer} <- INVITE");
    world.sent.iter().filter(|sent| sent.what == what).collect()
}

#[test]
fn a_trunk_known_not_to_be_found_leaves_nothing_behind() {
    let office = changed(&[(
        "trunks.toml",
        "target = \"udp:127.0.0.1:5080\"",
        "target = \"udp:nowhere.example:5080\"",
    )]);
    let mut world = World::with(1201, office);
    let phone = world.phone("1005", Manners::Rings);
    for talk in 0..3 {
        world.with_peer(phone, |peer, now| peer.call(now, "00312345678", "1005"));
        world.run_for(200);
        assert_eq!(world.peers[phone].talks[talk].heard, [480], "{talk}");
    }
    world.finish();
    for record in &world.records {
        let leg = &record.legs[1];
        assert_eq!(leg.trunk.as_deref(), Some("demo"));
        let cause = leg.cause.as_ref().expect("an end");
        assert!(cause.words.contains("not located"), "{cause:?}");
    }
}

#[test]
fn a_trunk_that_cannot_be_found_leaves_the_call_to_the_next() {
    let office = two_ways(&[
        ("trunks.toml", "udp:127.0.0.1:5080", "udp:127.0.0.1:5080"),
        (
            "trunks.toml",
            "udp:127.0.0.2:5080",
            "udp:nowhere.example:5080",
        ),
    ]);
    let mut world = World::with(1202, office);
    let carrier = world.carrier();
    world.peers[carrier].manners = Manners::Answers(300);
    let phone = world.phone("1005", Manners::Rings);
    for talk in 0..2 {
        world.with_peer(phone, |peer, now| peer.call(now, "00312345678", "1005"));
        world.until_answered(phone, talk);
        world.hang_up(phone, talk);
        world.run_for(300);
    }
    world.finish();
}

#[test]
fn the_record_says_why_a_trunk_took_no_call() {
    for (keys, code) in [
        ("max_calls = 1", "trunk.full"),
        ("max_rate_out = 1", "trunk.too_fast"),
    ] {
        let mut world = World::with(1203, demo(keys));
        let carrier = world.carrier();
        world.peers[carrier].manners = Manners::Answers(300);
        let phone = world.phone("1005", Manners::Rings);
        for _ in 0..2 {
            world.with_peer(phone, |peer, now| peer.call(now, "00312345678", "1005"));
            world.run_for(100);
        }
        world.run_for(1000);
        world.hang_up(phone, 0);
        world.finish();
        assert_eq!(codes(&world), [code]);
    }
}

#[test]
fn a_call_for_help_is_dialled_alone_whatever_is_asked_for() {
    let mut world = World::with(1204, demo("withhold = \"prefix\""));
    let carrier = world.carrier();
    world.peers[carrier].manners = Manners::Answers(300);
    let phone = world.phone("1005", Manners::Rings);
    let withheld = [(HeaderName::Privacy, "id")];
    for (talk, number) in ["110", "00312345678", "184110"].into_iter().enumerate() {
        world.with_peer(phone, |peer, now| peer.call_with(now, number, &withheld));
        world.until_answered(phone, talk);
        world.hang_up(phone, talk);
        world.run_for(300);
    }
    let sent = invites(&world, "carrier");
    assert!(sent[0].has("INVITE sip:110@"));
    assert!(sent[1].has("INVITE sip:1840312345678@"));
    assert!(sent[2].has("INVITE sip:110@"));
    world.finish();
}

#[test]
fn a_call_for_help_is_sent_to_a_carrier_that_rests() {
    let mut world = World::new(1213);
    let carrier = world.carrier();
    world.peers[carrier].manners = Manners::Pauses;
    let phone = world.phone("1005", Manners::Rings);
    for _ in 0..2 {
        world.with_peer(phone, |peer, now| peer.call(now, "00312345678", "1005"));
        world.run_for(300);
    }
    assert_eq!(invites(&world, "carrier").len(), 1, "left alone");
    assert_eq!(codes(&world), ["trunk.resting"]);
    world.peers[carrier].manners = Manners::Answers(300);
    let talk = world.with_peer(phone, |peer, now| peer.call(now, "119", "1005"));
    world.until_answered(phone, talk);
    world.hang_up(phone, talk);
    world.finish();
}

#[test]
fn a_call_for_help_rings_as_long_as_its_caller_waits() {
    let mut world = World::new(1205);
    let carrier = world.carrier();
    world.peers[carrier].manners = Manners::Rings;
    let phone = world.phone("1005", Manners::Rings);
    for number in ["119", "0119"] {
        let talk = world.with_peer(phone, |peer, now| peer.call(now, number, "1005"));
        world.run_for(150_000);
        let heard = &world.peers[phone].talks[talk].heard;
        assert!(
            heard.iter().all(|status| *status == 180),
            "{number}: {heard:?}"
        );
        world.hang_up(phone, talk);
        world.run_for(1000);
        assert_eq!(world.peers[phone].talks[talk].heard.last(), Some(&487));
    }
    world.finish();
}

#[test]
fn a_call_that_outlives_its_process_is_still_written_as_the_carrier_wants_it() {
    let mut world = World::with(1209, demo("user_agent = \"quiet\"\nrport = false"));
    let carrier = world.carrier();
    world.peers[carrier].manners = Manners::Answers(300);
    let phone = world.phone("1005", Manners::Rings);
    world.with_peer(phone, |peer, now| peer.call(now, "00312345678", "1005"));
    world.until_answered(phone, 0);
    world.run_for(500);
    world.restart();
    world.run_for(500);
    world.hang_up(phone, 0);
    world.run_for(500);
    let bye = world.sent.iter().find(|sent| sent.what == "carrier <- BYE");
    let bye = bye.expect("hung up");
    assert!(bye.has("User-Agent: quiet") && !bye.has("rport"));
    world.finish();
}

#[test]
fn a_party_that_is_added_may_come_by_the_next_trunk() {
    let mut world = World::with(1206, two_ways(&[]));
    let carrier = world.carrier();
    world.peers[carrier].manners = Manners::Answers(300);
    let other = world.other_carrier();
    world.peers[other].manners = Manners::Refuses(503);
    let caller = world.phone("1005", Manners::Rings);
    world.phone("1006", Manners::Answers(300));
    world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(caller, 0);
    let wish = Control::AddParty {
        number: "00312345678".to_owned(),
    };
    world.control(wish).expect("rings");
    world.until_answered(carrier, 0);
    world.run_for(800);
    let heard = listen(&world.peers[caller].talks[0].voice.got);
    assert!(level(&heard[heard.len() - 3200..], 440.0) > -20.0);
    world.hang_up(carrier, 0);
    world.hang_up(caller, 0);
    world.finish();
}

#[test]
fn the_next_trunk_gets_the_number_the_call_was_sent_on_to() {
    let mut world = World::with(1207, two_ways(&[]));
    let carrier = world.carrier();
    world.peers[carrier].manners = Manners::Answers(300);
    let other = world.other_carrier();
    world.peers[other].manners = Manners::Refuses(503);
    let caller = world.phone("1005", Manners::Rings);
    world.phone("1006", Manners::Moves(500, "<sip:00398765432@127.0.0.1>"));
    world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(caller, 0);
    world.run_for(1000);
    assert_eq!(invites(&world, "other").len(), 1);
    let sent = invites(&world, "carrier");
    assert!(sent.len() == 1 && sent[0].has("INVITE sip:0398765432@"));
    // What was heard of the phone that sent it on does not stand in the way.
    let heard = listen(&world.peers[caller].talks[0].voice.got);
    assert!(level(&heard[heard.len() - 3200..], 440.0) > -20.0);
    world.hang_up(caller, 0);
    world.finish();
}

#[test]
fn a_consulted_number_that_rings_keeps_its_other_trunks() {
    let mut world = World::with(1208, two_ways(&[]));
    let carrier = world.carrier();
    world.peers[carrier].manners = Manners::Answers(300);
    let other = world.other_carrier();
    world.peers[other].manners = Manners::Regrets(1500, 503);
    let caller = world.phone("1005", Manners::Rings);
    let agent = world.phone("1006", Manners::Answers(300));
    world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(caller, 0);
    world.with_peer(agent, |peer, now| peer.call(now, "00312345678", "1006"));
    world.run_to("ringing", 5000, |world| {
        world.peers[agent].talks[1].heard.contains(&183)
    });
    let to = world.peers[agent].consulted(1);
    world.with_peer(agent, |peer, now| peer.refer(now, 0, &to));
    world.until_answered(carrier, 0);
    world.run_for(500);
    world.hang_up(caller, 0);
    world.finish();
}

#[test]
fn early_media_of_a_phone_that_sends_the_call_on_gives_way() {
    let mut world = World::new(1209);
    let caller = world.phone("1005", Manners::Rings);
    world.phone("1006", Manners::Moves(500, "<sip:1007@127.0.0.1>"));
    let next = world.phone("1007", Manners::Early(2000));
    world.peers[next].set_tone(1320);
    world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
    world.run_for(2000);
    let heard = listen(&world.peers[caller].talks[0].voice.got);
    assert!(level(&heard[heard.len() - 3200..], 1320.0) > -20.0);
    world.hang_up(caller, 0);
    world.finish();
}

#[test]
fn whom_we_called_sends_nothing_on_when_he_is_transferred() {
    for referred_by in [false, true] {
        let keys = format!("forwarding = \"diversion\"\nreferred_by = {referred_by}");
        let mut world = World::with(1212, demo(&keys));
        let carrier = world.carrier();
        world.peers[carrier].manners = Manners::Answers(300);
        let phone = world.phone("1005", Manners::Rings);
        world.with_peer(phone, |peer, now| peer.call(now, "00398765432", "1005"));
        world.until_answered(phone, 0);
        world.run_for(300);
        world.with_peer(phone, |peer, now| {
            peer.refer(now, 0, "<sip:00311112222@127.0.0.1>");
        });
        world.until_answered(carrier, 1);
        world.run_for(300);
        let sent = invites(&world, "carrier");
        assert_eq!(sent[1].has("Diversion: <sip:1005@"), referred_by);
        assert_eq!(sent[1].has("Diversion: "), referred_by);
        world.hang_up(carrier, 0);
        world.finish();
        assert!(world.record().diversions.is_empty());
    }
}

#[test]
fn a_trunk_with_accounts_alone_answers_a_challenge_to_a_call() {
    let account =
        |user: &str| format!("[[trunk.account]]\nuser = \"{user}\"\npassword = \"env:LINE\"\n");
    let accounts = account("81399998888") + &account("81312345678");
    let office = changed(&[(
        "trunks.toml",
        "# referred_by = false",
        &format!("{accounts}# referred_by = false"),
    )]);
    let mut world = World::with(1211, office);
    let carrier = world.carrier();
    world.peers[carrier].manners = Manners::Challenges;
    let phone = world.phone("1005", Manners::Rings);
    world.with_peer(phone, |peer, now| peer.call(now, "00398765432", "1005"));
    world.until_answered(phone, 0);
    let sent = invites(&world, "carrier");
    assert!(
        sent[1].has("username=\"81312345678\""),
        "the shown number's"
    );
    world.hang_up(phone, 0);
    world.run_for(1000);
    world.finish();
}

/// A call out by `demo` whose carrier has a name, and its phone.
fn out_by_name(keys: &str) -> (World, usize, usize) {
    let keys = format!("name = \"demo\"\n{keys}");
    let office = changed(&[
        ("trunks.toml", "name = \"demo\"", &keys),
        (
            "trunks.toml",
            "udp:127.0.0.1:5080",
            "udp:carrier.example:5080",
        ),
    ]);
    let mut world = World::with(1210, office);
    world.named = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let carrier = world.carrier();
    world.peers[carrier].manners = Manners::Answers(300);
    let phone = world.phone("1005", Manners::Rings);
    world.with_peer(phone, |peer, now| peer.call(now, "00312345678", "1005"));
    world.until_answered(phone, 0);
    world.run_for(300);
    (world, carrier, phone)
}

fn pass(world: &mut World, phone: usize, carrier: usize) -> String {
    world.peers[carrier].asked = None;
    world.with_peer(phone, |peer, now| {
        peer.refer(now, 0, "<sip:00398765432@127.0.0.1>");
    });
    world.run_to("passed", 5000, |world| world.peers[carrier].asked.is_some());
    let asked = world.peers[carrier].asked.clone();
    asked.expect("just seen").2
}

#[test]
fn a_refer_is_passed_with_the_carriers_own_address_and_form() {
    let (mut world, carrier, phone) = out_by_name("pass_refer = true\ncalled_format = \"e164\"");
    let to = pass(&mut world, phone, carrier);
    assert_eq!(to, "<sip:+81398765432@127.0.0.1:5080>");
    world.hang_up(carrier, 0);
    world.hang_up(phone, 0);
    world.finish();
}

#[test]
fn a_late_word_of_an_earlier_refer_is_about_that_one() {
    let (mut world, carrier, phone) = out_by_name("pass_refer = true");
    pass(&mut world, phone, carrier);
    let (session, first, _) = world.peers[carrier].asked.clone().expect("seen");
    // The carrier says nothing for two minutes: the party is the phone's again.
    world.run_to("given back", 200_000, |world| {
        world.peers[phone].talks[0].told.last() == Some(&480)
    });
    world.run_for(500);
    pass(&mut world, phone, carrier);
    world.with_peer(carrier, |peer, now| {
        peer.ua.notify(now, session, first, 200)
    });
    world.run_for(1000);
    assert!(!world.peers[phone].talks[0].is_over, "not transferred yet");
    world.hang_up(carrier, 0);
    world.hang_up(phone, 0);
    world.finish();
}
