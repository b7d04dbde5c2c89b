//! Conferences that people dial into: who comes in is announced, and one member is held or muted
//! while the others talk on.

use tsunagu::call::{Control, ControlError};

use crate::ear::{irregularities, level, listen};
use crate::hold::{hear, is_music};
use crate::office::changed;
use crate::peer::Manners;
use crate::world::World;

/// Phones and what each says, in Hz.
const MEMBERS: [(&str, u32); 3] = [("1005", 440), ("1006", 880), ("1007", 1320)];
/// What `sounds/beep.wav` sounds like.
const BEEP: f64 = 1000.0;
/// Less than the beep, more than what its neighbours leave there.
const BEEP_LEVEL: f64 = -24.0;

/// One member after the other dials 3000; they are peers 0, 1 and 2.
fn meeting(mut world: World) -> World {
    for (number, hz) in MEMBERS {
        let phone = world.phone(number, Manners::Rings);
        world.peers[phone].set_tone(hz);
        world.with_peer(phone, |peer, now| peer.call(now, "3000", number));
        world.until_answered(phone, 0);
        world.run_for(1000);
    }
    world
}

fn over(mut world: World) {
    for peer in 0..MEMBERS.len() {
        assert_eq!(
            irregularities(&world.peers[peer].talks[0].voice.got).map(|_| ()),
            Ok(())
        );
        world.hang_up(peer, 0);
        world.run_for(200);
    }
    world.finish();
    assert_eq!(world.records.len(), MEMBERS.len());
}

/// Which tones are heard by a member in the second that follows.
fn heard_by(world: &mut World, peer: usize) -> Vec<u32> {
    let heard = hear(world, peer, 1000);
    let tones = MEMBERS.iter().map(|(_, hz)| *hz);
    tones
        .filter(|hz| level(&heard[1600..], f64::from(*hz)) > -20.0)
        .collect()
}

/// Who hears whom.
#[track_caller]
fn expect(world: &mut World, expected: [&[u32]; 3]) {
    for (peer, tones) in expected.into_iter().enumerate() {
        assert_eq!(heard_by(world, peer), tones, "member {peer}");
    }
}

const ALL: [&[u32]; 3] = [&[880, 1320], &[440, 1320], &[440, 880]];

#[test]
fn everybody_hears_who_comes_in_by_a_beep_and_the_voices_go_on() {
    let office = changed(&[(
        "node.toml",
        "# [conference]                  # where more than two talk\n",
        "[conference]\nbeep = \"beep\"\n",
    )]);
    let mut world = World::with(311, office);
    for (place, (number, hz)) in MEMBERS.into_iter().enumerate() {
        let phone = world.phone(number, Manners::Rings);
        world.peers[phone].set_tone(hz);
        let before: Vec<usize> = (0..place)
            .map(|peer| world.peers[peer].talks[0].voice.got.len())
            .collect();
        world.with_peer(phone, |peer, now| peer.call(now, "3000", number));
        world.until_answered(phone, 0);
        world.run_for(1000);
        // Those who were there, and who comes.
        let since = before.into_iter().chain([0]).enumerate();
        for (peer, from) in since.filter(|_| place > 0) {
            let heard = listen(&world.peers[peer].talks[0].voice.got[from..]);
            let beeps = heard
                .chunks_exact(160)
                .filter(|frame| level(frame, BEEP) > BEEP_LEVEL)
                .count();
            // 240 ms, of which the edges are softer.
            assert!((9..=13).contains(&beeps), "{peer}: {beeps} frames");
        }
    }
    expect(&mut world, ALL);
    over(world);
}

#[test]
fn without_a_setting_nobody_hears_a_beep() {
    let mut world = meeting(World::new(312));
    for peer in 0..MEMBERS.len() {
        let heard = listen(&world.peers[peer].talks[0].voice.got);
        let beeps = heard
            .chunks_exact(160)
            .filter(|frame| level(frame, BEEP) > BEEP_LEVEL);
        assert_eq!(beeps.count(), 0, "{peer}");
    }
    expect(&mut world, ALL);
    over(world);
}

#[test]
fn a_member_is_held_with_music_while_the_others_talk_on() {
    let mut world = meeting(World::new(313));
    let leg = world.legs()[0];
    world
        .control(Control::Hold { leg, on: true })
        .expect("held");
    assert!(is_music(&hear(&mut world, 0, 400)));
    expect(&mut world, [&[], &[1320], &[880]]);
    // Another process has the call: he is on hold still, and in the room.
    world.restart();
    world.run_for(3000);
    assert!(heard_by(&mut world, 0).is_empty());
    let music = hear(&mut world, 0, 400);
    assert!(crate::ear::loudness(&music) > -50.0);
    expect(&mut world, [&[], &[1320], &[880]]);
    world
        .control(Control::Hold { leg, on: false })
        .expect("back");
    world.run_for(300);
    expect(&mut world, ALL);
    over_after_restart(world);
}

#[test]
fn a_muted_member_hears_and_is_not_heard() {
    let mut world = meeting(World::new(314));
    let leg = world.legs()[0];
    let mute = |on| Control::Mute { leg, on };
    world.control(mute(true)).expect("muted");
    world.run_for(300);
    expect(&mut world, [ALL[0], &[1320], &[880]]);
    world.restart();
    world.run_for(3000);
    expect(&mut world, [ALL[0], &[1320], &[880]]);
    world.control(mute(false)).expect("heard");
    world.run_for(300);
    expect(&mut world, ALL);
    over_after_restart(world);
}

#[test]
fn nobody_is_held_or_muted_who_is_not_there() {
    let mut world = meeting(World::new(315));
    let other = world.legs()[1];
    // A wish is about a call, and the other member has one of his own.
    for wish in [
        Control::Mute {
            leg: other,
            on: true,
        },
        Control::Hold {
            leg: other,
            on: true,
        },
    ] {
        assert_eq!(world.control(wish), Err(ControlError::NoLeg));
    }
    expect(&mut world, ALL);
    over(world);
}

/// Streams go on with a leap where the switch was away.
fn over_after_restart(mut world: World) {
    for peer in 0..MEMBERS.len() {
        let got = &world.peers[peer].talks[0].voice.got;
        let ssrc = got[0].header.ssrc;
        assert!(got.iter().all(|packet| packet.header.ssrc == ssrc));
        world.hang_up(peer, 0);
        world.run_for(200);
    }
    world.finish();
}
