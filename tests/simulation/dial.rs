//! Calls to phones and out by the trunk, and everything that can become of an INVITE.

use tsunagu::base::Party;
use tsunagu::events::{Direction, Stretch};

use crate::ear::{irregularities, level, likeness, listen, loudness};
use crate::judge::stretches;
use crate::office::{changed, spoken};
use crate::peer::{Manners, Offer};
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

/// Phone 1005 calls phone 1006.
fn pair(seed: u64, manners: Manners) -> (World, usize, usize) {
    let mut world = World::new(seed);
    let caller = world.phone("1005", Manners::Rings);
    world.peers[caller].set_tone(440);
    let callee = world.phone("1006", manners);
    world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
    (world, caller, callee)
}

#[test]
fn one_phone_talks_with_another() {
    let (mut world, caller, callee) = pair(61, Manners::Answers(800));
    world.until_answered(caller, 0);
    world.run_for(2000);
    world.hang_up(callee, 0);
    world.finish();
    assert_eq!(world.peers[caller].talks[0].heard, [180, 200]);
    for (peer, hz, own) in [(caller, 880.0, 440.0), (callee, 440.0, 880.0)] {
        let got = &world.peers[peer].talks[0].voice.got;
        let heard = listen(got);
        assert_eq!(irregularities(got), Ok(0));
        assert!(level(&heard[800..14_000], hz) > -14.0);
        assert!(level(&heard[800..14_000], own) < -60.0);
    }
    let record = world.record();
    assert_eq!(record.direction, Some(Direction::Internal));
    assert_eq!(stretches(record), [Stretch::Ring, Stretch::Talk]);
    assert_eq!(record.hung_up_by, Some(Party::Callee));
    assert!(record.recordings.is_empty() && record.trunk.is_none());
}

#[test]
fn what_the_callee_says_is_what_the_caller_hears() {
    for (status, heard) in [
        (486, 486),
        (603, 603),
        (480, 480),
        (404, 404),
        (488, 488),
        (302, 480),
    ] {
        let (mut world, caller, _) = pair(1000 + u64::from(status), Manners::Refuses(status));
        world.finish();
        assert_eq!(
            world.peers[caller].talks[0].heard.last(),
            Some(&heard),
            "{}",
            world.tell()
        );
        let record = world.record();
        assert_eq!(record.sip, Some(heard));
        assert_eq!((record.answered, record.total_ms(Stretch::Talk)), (None, 0));
    }
}

#[test]
fn a_phone_that_rings_for_a_minute_is_let_be() {
    let (mut world, caller, callee) = pair(62, Manners::Rings);
    world.finish();
    assert_eq!(world.peers[caller].talks[0].heard, [180, 480]);
    assert!(world.peers[callee].talks[0].is_over);
    let record = world.record();
    assert_eq!(record.total_ms(Stretch::Ring) / 1000, 60);
    assert_eq!(record.q850, Some(19));
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing() {
    let (mut world, caller, callee) = pair(63, Manners::Rings);
    world.run_for(3000);
    world.hang_up(caller, 0);
    world.finish();
    assert_eq!(world.peers[caller].talks[0].heard, [180, 487]);
    assert!(world.peers[callee].talks[0].is_over);
    assert!(world.sent.iter().any(|sent| sent.what == "1006 <- CANCEL"));
    let record = world.record();
    assert_eq!(
        (record.hung_up_by, record.sip),
        (Some(Party::Caller), Some(487))
    );
}

#[test]
fn a_cancel_that_crosses_the_answer_ends_the_call() {
    for delay in 0..8 {
        let (mut world, caller, callee) = pair(640 + delay, Manners::Answers(500));
        world.run_for(498 + delay);
        world.hang_up(caller, 0);
        world.finish();
        assert!(world.peers[callee].talks[0].is_over);
        assert_eq!(
            world.record().hung_up_by,
            Some(Party::Caller),
            "{}",
            world.tell()
        );
    }
}

#[test]
fn a_phone_that_vanished_times_out() {
    let (mut world, caller, _) = {
        let mut world = World::new(65);
        let caller = world.phone("1005", Manners::Rings);
        let callee = world.phone("1006", Manners::Answers(10));
        world.peers[callee].is_gone = true;
        world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
        (world, caller, callee)
    };
    world.finish();
    assert_eq!(world.peers[caller].talks[0].heard, [408]);
    assert_eq!(world.record().total_ms(Stretch::Ring) / 1000, 32);
}

#[test]
fn numbers_that_lead_nowhere_are_not_found() {
    let mut world = World::new(66);
    let carrier = world.carrier();
    let phone = world.phone("1005", Manners::Rings);
    for (number, status) in [("1006", 480), ("7777", 404), ("*45", 404), ("1099", 404)] {
        let talk = world.with_peer(phone, |peer, now| peer.call(now, number, "1005"));
        world.run_for(500);
        assert_eq!(world.peers[phone].talks[talk].heard, [status], "{number}");
    }
    // From the trunk neither phones nor services nor the way out can be dialled.
    for number in ["1005", "600", "00312345678", "3000", "+810000000000"] {
        let talk = world.with_peer(carrier, |peer, now| peer.call(now, number, CUSTOMER));
        world.run_for(500);
        assert_eq!(world.peers[carrier].talks[talk].heard, [404], "{number}");
    }
    world.finish();
}

#[test]
fn who_claims_to_be_a_phone_must_prove_it_wherever_he_calls_from() {
    let mut world = World::new(67);
    let carrier = world.carrier();
    let talk = world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, "1005"));
    world.run_for(1000);
    assert_eq!(world.peers[carrier].talks[talk].heard, [401]);
    // One phone's password is no good for another one's name.
    let phone = world.phone("1006", Manners::Rings);
    let talk = world.with_peer(phone, |peer, now| peer.call(now, "600", "1005"));
    world.run_for(1000);
    assert_eq!(world.peers[phone].talks[talk].heard, [403]);
    world.finish();
    assert!(world.records.is_empty());
}

#[test]
fn a_call_goes_out_by_the_trunk() {
    let mut world = World::new(68);
    let carrier = world.carrier();
    world.peers[carrier].manners = Manners::Answers(700);
    let phone = world.phone("1005", Manners::Rings);
    let talk = world.with_peer(phone, |peer, now| peer.call(now, "0312345678901", "1005"));
    world.until_answered(phone, talk);
    world.run_for(1000);
    world.hang_up(phone, talk);
    world.finish();
    let record = world.record();
    assert_eq!(record.direction, Some(Direction::Outbound));
    assert_eq!(record.legs[1].trunk.as_deref(), Some("demo"));
    let heard = listen(&world.peers[phone].talks[talk].voice.got);
    assert!(level(&heard[800..], 440.0) > -14.0);
}

#[test]
fn early_media_of_the_trunk_is_heard_before_the_answer() {
    let mut world = World::new(69);
    let carrier = world.carrier();
    world.peers[carrier].manners = Manners::Early(2000);
    let phone = world.phone("1005", Manners::Rings);
    let talk = world.with_peer(phone, |peer, now| peer.call(now, "0312345678901", "1005"));
    world.run_for(1500);
    assert_eq!(world.peers[phone].talks[talk].heard, [183]);
    let heard = listen(&world.peers[phone].talks[talk].voice.got);
    assert!(
        level(&heard[800..8000], 440.0) > -14.0,
        "nothing heard before the answer"
    );
    world.until_answered(phone, talk);
    world.run_for(1500);
    world.hang_up(carrier, 0);
    world.finish();
    let got = &world.peers[phone].talks[talk].voice.got;
    assert_eq!(irregularities(got), Ok(0));
    assert!(level(&listen(got)[800..], 440.0) > -14.0);
}

#[test]
fn an_announcement_before_a_refusal_is_heard_and_the_refusal_passed_on() {
    let mut world = World::new(70);
    let carrier = world.carrier();
    world.peers[carrier].manners = Manners::Regrets(1500, 486);
    let phone = world.phone("1005", Manners::Rings);
    let talk = world.with_peer(phone, |peer, now| peer.call(now, "0312345678901", "1005"));
    world.finish();
    assert_eq!(world.peers[phone].talks[talk].heard, [183, 486]);
    assert!(
        level(
            &listen(&world.peers[phone].talks[talk].voice.got)[800..],
            440.0
        ) > -14.0
    );
}

#[test]
fn refusals_of_the_trunk_are_told_in_terms_of_the_call() {
    for (status, heard) in [
        (404, 404),
        (403, 403),
        (486, 486),
        (503, 480),
        (401, 500),
        (301, 480),
        (600, 600),
        (500, 500),
    ] {
        let mut world = World::new(1100 + u64::from(status));
        let carrier = world.carrier();
        world.peers[carrier].manners = Manners::Refuses(status);
        let phone = world.phone("1005", Manners::Rings);
        world.with_peer(phone, |peer, now| peer.call(now, "0312345678901", "1005"));
        world.finish();
        assert_eq!(
            world.peers[phone].talks[0].heard.last(),
            Some(&heard),
            "{status}"
        );
    }
}

#[test]
fn past_the_limit_a_caller_is_asked_to_try_again() {
    let office = changed(&[("node.toml", "# max_calls = 500", "max_calls = 2")]);
    let mut world = World::with(71, office);
    let carrier = world.carrier();
    world.phone("1001", Manners::Rings);
    for _ in 0..3 {
        world.customer(carrier);
        world.run_for(100);
    }
    let refused = &world.peers[carrier].talks[2];
    let retry_after = refused.retry_after.as_deref().map(str::parse::<u32>);
    assert!(matches!(retry_after, Some(Ok(5..=10))), "{retry_after:?}");
    assert_eq!(refused.heard.as_slice(), &[503][..]);
    world.hang_up(carrier, 0);
    world.run_for(2000);
    let again = world.customer(carrier);
    world.until_answered(carrier, again);
    for talk in 1..4 {
        world.hang_up(carrier, talk);
    }
    world.finish();
    assert_eq!(world.records.len(), 3);
}

#[test]
fn a_draining_switch_takes_no_call_and_finishes_those_it_has() {
    let mut world = World::new(72);
    let carrier = world.carrier();
    world.phone("1001", Manners::Answers(500));
    world.customer(carrier);
    world.run_for(1000);
    world.switch.gate.drain();
    world.customer(carrier);
    world.until_talking();
    assert_eq!(world.peers[carrier].talks[1].heard, [503]);
    world.hang_up(carrier, 0);
    world.finish();
    assert!(world.record().total_ms(Stretch::Talk) < 1000);
}

#[test]
fn a_caller_without_an_offer_is_given_one() {
    let mut world = World::new(73);
    let carrier = world.carrier();
    let agent = world.phone("1001", Manners::Answers(500));
    let talk = world.with_peer(carrier, |peer, now| {
        peer.place_call(now, OFFICE, CUSTOMER, Offer::Delayed)
    });
    world.run_for(700);
    world.peers[carrier].talks[talk].voice.press("1");
    world.until_talking();
    world.run_for(1000);
    world.hang_up(agent, 0);
    world.finish();
    let heard = listen(&world.peers[agent].talks[0].voice.got);
    assert!(level(&heard[1600..], 440.0) > -14.0);
}

#[test]
fn two_codecs_understand_each_other() {
    let mut world = World::new(74);
    let caller = world.phone("1005", Manners::Rings);
    world.peers[caller].set_tone(440);
    world.peers[caller].codecs = vec![tsunagu::sdp::AudioCodec::Pcma];
    let callee = world.phone("1006", Manners::Answers(100));
    world.peers[callee].codecs = vec![tsunagu::sdp::AudioCodec::Pcmu];
    world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(caller, 0);
    world.run_for(2000);
    world.hang_up(caller, 0);
    world.finish();
    for (peer, hz) in [(caller, 880.0), (callee, 440.0)] {
        let heard = listen(&world.peers[peer].talks[0].voice.got);
        assert!(level(&heard[3200..12_800], hz) > -14.0);
    }
    let codecs: Vec<_> = world
        .record()
        .legs
        .iter()
        .map(|leg| leg.codec.clone())
        .collect();
    assert_eq!(codecs, [Some("PCMA".to_owned()), Some("PCMU".to_owned())]);
}

#[test]
fn an_offer_of_nothing_we_speak_is_not_acceptable() {
    let mut world = World::new(75);
    let carrier = world.carrier();
    world.peers[carrier].codecs = Vec::new();
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    world.finish();
    assert_eq!(world.peers[carrier].talks[0].heard, [488]);
    assert!(world.records.is_empty());
}

#[test]
fn the_services_sound_as_they_should() {
    let mut world = World::new(76);
    let phone = world.phone("1005", Manners::Rings);
    let mut hear = |number: &str| {
        let talk = world.with_peer(phone, |peer, now| peer.call(now, number, "1005"));
        world.until_answered(phone, talk);
        world.run_for(2500);
        world.hang_up(phone, talk);
        world.run_for(200);
        listen(&world.peers[phone].talks[talk].voice.got)
    };
    assert!(level(&hear("600")[1600..], 880.0) > -14.0, "echo");
    let music = spoken("music");
    assert!(
        likeness(&music[..1600], &hear("601")[..3200]) > 0.95,
        "music"
    );
    assert!(level(&hear("602")[1600..], 1004.0) > -5.0, "tone");
    world.finish();
    assert_eq!(world.records.len(), 3);
}

#[test]
fn three_meet_in_a_conference_and_the_last_one_closes_it() {
    let mut world = World::new(77);
    let members: Vec<_> = [("1005", 440), ("1006", 880), ("1007", 1320)]
        .into_iter()
        .map(|(number, hz)| {
            let phone = world.phone(number, Manners::Rings);
            world.peers[phone].set_tone(hz);
            phone
        })
        .collect();
    for (place, phone) in members.iter().enumerate() {
        let number = ["1005", "1006", "1007"][place];
        world.with_peer(*phone, |peer, now| peer.call(now, "3000", number));
        world.run_for(1000);
    }
    world.run_for(3000);
    for (place, phone) in members.iter().enumerate() {
        let heard = listen(&world.peers[*phone].talks[0].voice.got);
        let last = &heard[heard.len() - 16_000..];
        for (other, hz) in [440.0, 880.0, 1320.0].into_iter().enumerate() {
            let level = level(last, hz);
            assert_eq!(other != place, level > -16.0, "{hz} Hz at {level} dB");
        }
    }
    // Who was alone heard music.
    let first = listen(&world.peers[members[0]].talks[0].voice.got);
    assert!(loudness(&first[1600..6400]) > -50.0);
    for phone in members {
        world.hang_up(phone, 0);
        world.run_for(500);
    }
    world.finish();
    assert_eq!(world.records.len(), 3);
}

#[test]
fn what_a_far_end_repeats_is_answered_once() {
    let (mut world, caller, _) = pair(78, Manners::Answers(3000));
    world.link.doubles = 1000;
    world.until_answered(caller, 0);
    world.run_for(500);
    world.hang_up(caller, 0);
    world.finish();
    assert_eq!(world.record().legs.len(), 2);
}
