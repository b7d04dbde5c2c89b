//! Calls whose audio is encrypted with keys from SDP (RFC 4568): agreed on, renewed, refused.

use tsunagu::sdp::{Direction, SrtpPolicy};

use crate::ear::{irregularities, level, listen};
use crate::office::changed;
use crate::peer::{Manners, Offer};
use crate::script::{CUSTOMER, OFFICE};
use crate::world::{Sent, World};

const PHONE: &str = "number = \"1005\"\n";

/// Phone 1005, secure by this policy of the switch, calls or is called by phone 1006, which is
/// plain.
fn office(policy: &str) -> World {
    let line = format!("{PHONE}srtp = \"{policy}\"\n");
    World::with(77, changed(&[("phones.toml", PHONE, &line)]))
}

/// The secure phone and the plain one.
fn phones(world: &mut World) -> (usize, usize) {
    let secure = world.phone("1005", Manners::Answers(300));
    world.peers[secure].srtp = SrtpPolicy::Required;
    world.peers[secure].set_tone(440);
    (secure, world.phone("1006", Manners::Answers(300)))
}

fn hear_each_other(world: &mut World, secure: usize, plain: usize) {
    let talks = [(secure, 880.0), (plain, 440.0)];
    let from = talks.map(|(peer, _)| world.peers[peer].talks[0].voice.got.len());
    world.run_for(1000);
    for ((peer, hz), from) in talks.into_iter().zip(from) {
        let voice = &world.peers[peer].talks[0].voice;
        assert!(
            level(&listen(&voice.got[from..])[800..], hz) > -14.0,
            "{}",
            world.tell()
        );
        assert_eq!(voice.is_secure(), peer == secure);
        assert_eq!((voice.unheard, irregularities(&voice.got)), (0, Ok(0)));
    }
}

fn said<'w>(world: &'w World, what: &str) -> Vec<&'w Sent> {
    let sent = world.sent.iter();
    sent.filter(|sent| sent.what == what).collect()
}

#[test]
fn a_secure_phone_talks_with_a_plain_one_whoever_calls() {
    for policy in ["optional", "required"] {
        let mut world = office(policy);
        let (secure, plain) = phones(&mut world);
        world.with_peer(secure, |peer, now| peer.call(now, "1006", "1005"));
        world.until_answered(secure, 0);
        hear_each_other(&mut world, secure, plain);
        world.hang_up(plain, 0);
        world.finish();
        let invites = said(&world, "1006 <- INVITE");
        assert!(!invites.is_empty() && invites.iter().all(|sent| !sent.has("crypto")));
    }
    let mut world = office("required");
    let (secure, plain) = phones(&mut world);
    world.with_peer(plain, |peer, now| peer.call(now, "1005", "1006"));
    world.until_answered(plain, 0);
    hear_each_other(&mut world, secure, plain);
    let invite = said(&world, "1005 <- INVITE").remove(0);
    assert!(invite.has(" RTP/SAVP 0 8 "), "{}", world.tell());
    assert!(invite.has("a=crypto:1 AEAD_AES_128_GCM inline:"));
    world.hang_up(plain, 0);
    world.finish();
}

#[test]
fn a_re_invite_with_new_keys_leaves_no_gap() {
    let mut world = office("optional");
    let (secure, plain) = phones(&mut world);
    world.with_peer(secure, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(secure, 0);
    hear_each_other(&mut world, secure, plain);
    for round in 1..4 {
        world.with_peer(secure, |peer, now| peer.rekey(now, 0));
        world.run_to("agreed anew", 5000, |world| {
            world.peers[secure].talks[0].reoffers_done == round
        });
        hear_each_other(&mut world, secure, plain);
    }
    // Hold and back, with the switch's own offer: secure it stays.
    for direction in [Direction::SendOnly, Direction::SendRecv] {
        world.with_peer(secure, |peer, now| {
            peer.reoffer(now, 0, direction, Offer::Delayed)
        });
        world.run_for(500);
    }
    assert_eq!(world.peers[secure].talks[0].reoffers_done, 5);
    world.run_for(1000);
    let voice = &world.peers[secure].talks[0].voice;
    assert!(voice.is_secure() && voice.unheard == 0);
    let got = &voice.got;
    assert!(
        got.iter()
            .all(|packet| packet.header.ssrc == got[0].header.ssrc)
    );
    let heard = listen(&got[got.len() - 40..]);
    assert!(level(&heard, 880.0) > -14.0);
    world.hang_up(secure, 0);
    world.finish();
}

#[test]
fn who_requires_security_refuses_plain_calls_and_who_wants_none_secure_ones() {
    let mut world = office("required");
    let plain = world.phone("1005", Manners::Rings);
    world.with_peer(plain, |peer, now| peer.call(now, "600", "1005"));
    world.run_for(2000);
    assert_eq!(world.peers[plain].talks[0].heard, [488], "{}", world.tell());

    let mut world = office("no");
    let (secure, _) = phones(&mut world);
    world.with_peer(secure, |peer, now| peer.call(now, "600", "1005"));
    world.run_for(2000);
    assert_eq!(world.peers[secure].talks[0].heard, [488]);

    let trunk = (
        "trunks.toml",
        "name = \"demo\"\n",
        "name = \"demo\"\nsrtp = \"required\"\n",
    );
    let mut world = World::with(78, changed(&[trunk]));
    let carrier = world.carrier();
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    world.run_for(2000);
    assert_eq!(world.peers[carrier].talks[0].heard, [488]);
    world.peers[carrier].srtp = SrtpPolicy::Required;
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    world.until_answered(carrier, 1);
    world.run_for(1000);
    let voice = &world.peers[carrier].talks[1].voice;
    assert!(voice.is_secure() && voice.unheard == 0 && voice.got.len() > 20);
    world.hang_up(carrier, 1);
    world.finish();
}

#[test]
fn a_secure_call_outlives_its_process() {
    let mut world = office("required");
    let (secure, plain) = phones(&mut world);
    world.with_peer(secure, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(secure, 0);
    hear_each_other(&mut world, secure, plain);
    let before = world.peers[secure].talks[0]
        .voice
        .got
        .last()
        .map(|packet| packet.header.ssrc);
    world.restart();
    world.run_for(1000);
    let voice = &world.peers[secure].talks[0].voice;
    let got = &voice.got[voice.got.len() - 40..];
    assert_eq!(voice.unheard, 0);
    assert_ne!(got.last().map(|packet| packet.header.ssrc), before);
    assert!(level(&listen(got), 880.0) > -14.0);
    let plain_heard = &world.peers[plain].talks[0].voice.got;
    assert!(level(&listen(&plain_heard[plain_heard.len() - 40..]), 440.0) > -14.0);
    world.hang_up(secure, 0);
    world.finish();
}
