//! A conversation that is held, joined, left and moved: who hears whom, and what never breaks.

use std::time::Duration;

use tsunagu::call::{Control, ControlError};
use tsunagu::events::{AgentStretch, Stretch};
use tsunagu::sdp::Direction;

use crate::ear::{irregularities, level, likeness, listen, loudness};
use crate::judge::stretches;
use crate::office::spoken;
use crate::peer::{Manners, Offer};
use crate::story::channels;
use crate::world::World;

pub(crate) const CARRIER: usize = 0;
pub(crate) const AGENT: usize = 1;

/// Carrier and agent talk.
pub(crate) fn talking(seed: u64) -> World {
    let mut world = World::new(seed);
    world.carrier();
    world.phone("1001", Manners::Answers(500));
    world.customer(CARRIER);
    world.until_talking();
    world.run_for(1000);
    world
}

fn reoffer(world: &mut World, peer: usize, direction: Direction, offer: Offer) {
    let before = world.peers[peer].talks[0].reoffers_done;
    world.with_peer(peer, |peer, now| peer.reoffer(now, 0, direction, offer));
    world.run_to("agreed anew", 5000, |world| {
        world.peers[peer].talks[0].reoffers_done > before
    });
}

/// What a far end hears in the next so many milliseconds.
pub(crate) fn hear(world: &mut World, peer: usize, ms: u64) -> Vec<i16> {
    world.run_for(40);
    let from = world.peers[peer].talks[0].voice.got.len();
    world.run_for(ms);
    listen(&world.peers[peer].talks[0].voice.got[from..])
}

pub(crate) fn is_music(heard: &[i16]) -> bool {
    let music = spoken("music");
    let end = heard.len().min(1600);
    end == 1600 && likeness(&heard[800..1600], &music[..4000]) > 0.95
}

#[test]
fn the_caller_hears_music_while_the_agent_holds() {
    let mut world = talking(81);
    reoffer(&mut world, AGENT, Direction::SendOnly, Offer::Early);
    assert!(is_music(&hear(&mut world, CARRIER, 400)));
    assert!(
        hear(&mut world, AGENT, 400).is_empty(),
        "who holds wants to hear nothing"
    );
    reoffer(&mut world, AGENT, Direction::SendRecv, Offer::Early);
    assert!(level(&hear(&mut world, CARRIER, 1000)[800..], 880.0) > -14.0);
    assert!(level(&hear(&mut world, AGENT, 1000)[800..], 440.0) > -14.0);
    world.hang_up(CARRIER, 0);
    world.finish();
    let record = world.record();
    let story = [
        Stretch::Ivr,
        Stretch::Queue,
        Stretch::Talk,
        Stretch::Hold,
        Stretch::Talk,
    ];
    assert_eq!(stretches(record), story);
    let agent: Vec<_> = record.agents[0]
        .timeline
        .iter()
        .map(|part| part.stretch)
        .collect();
    assert_eq!(
        agent[2..],
        [AgentStretch::Talk, AgentStretch::Hold, AgentStretch::Talk]
    );
    for peer in [CARRIER, AGENT] {
        let got = &world.peers[peer].talks[0].voice.got;
        let from = got.len() - 40;
        assert!(irregularities(&got[from..]).is_ok());
        assert!(
            got.iter()
                .all(|packet| packet.header.ssrc == got[0].header.ssrc)
        );
    }
}

#[test]
fn the_agent_hears_music_while_the_caller_holds_with_a_delayed_offer() {
    let mut world = talking(82);
    reoffer(&mut world, CARRIER, Direction::SendOnly, Offer::Delayed);
    assert!(is_music(&hear(&mut world, AGENT, 400)), "{}", world.tell());
    reoffer(&mut world, CARRIER, Direction::SendRecv, Offer::Delayed);
    assert!(level(&hear(&mut world, AGENT, 1000)[800..], 440.0) > -14.0);
    assert!(level(&hear(&mut world, CARRIER, 1000)[800..], 880.0) > -14.0);
    world.hang_up(AGENT, 0);
    world.finish();
    assert_eq!(world.record().total_ms(Stretch::Hold) / 100, 4);
}

#[test]
fn both_may_hold_and_resume_in_any_order() {
    for (seed, resumes) in [(83, [CARRIER, AGENT]), (84, [AGENT, CARRIER])] {
        let mut world = talking(seed);
        reoffer(&mut world, CARRIER, Direction::SendOnly, Offer::Early);
        reoffer(&mut world, AGENT, Direction::Inactive, Offer::Early);
        assert!(hear(&mut world, AGENT, 200).is_empty());
        reoffer(&mut world, resumes[0], Direction::SendRecv, Offer::Early);
        assert!(
            is_music(&hear(&mut world, resumes[0], 400)),
            "the other still holds"
        );
        reoffer(&mut world, resumes[1], Direction::SendRecv, Offer::Early);
        for (peer, hz) in [(CARRIER, 880.0), (AGENT, 440.0)] {
            assert!(level(&hear(&mut world, peer, 1000)[800..], hz) > -14.0);
        }
        world.hang_up(CARRIER, 0);
        world.finish();
    }
}

#[test]
fn re_invites_of_both_at_once_are_both_answered() {
    let mut world = talking(85);
    for peer in [CARRIER, AGENT] {
        world.with_peer(peer, |peer, now| {
            peer.reoffer(now, 0, Direction::SendRecv, Offer::Early);
        });
    }
    world.run_for(3000);
    for peer in [CARRIER, AGENT] {
        let talk = &world.peers[peer].talks[0];
        assert_eq!((talk.reoffers_done, talk.reoffers_failed.len()), (1, 0));
    }
    world.hang_up(CARRIER, 0);
    world.finish();
    assert_eq!(world.record().total_ms(Stretch::Hold), 0);
}

#[test]
fn a_third_party_joins_and_leaves_twenty_times_while_the_room_moves() {
    let mut world = talking(86);
    let third = world.phone("1005", Manners::Answers(60));
    world.peers[third].set_tone(1320);
    for round in 0..20 {
        let wish = Control::AddParty {
            number: "1005".to_owned(),
        };
        let leg = world.control(wish).expect("rings").expect("a leg");
        world.run_for(400);
        assert!(world.peers[third].talks[round].is_answered);
        let worker = round % 2;
        world.control(Control::Migrate { worker }).expect("moves");
        world.run_for(200);
        world.control(Control::DropParty { leg }).expect("dropped");
        world.run_for(300);
        assert!(world.peers[third].talks[round].is_over);
    }
    world.hang_up(CARRIER, 0);
    world.finish();
    for peer in [CARRIER, AGENT] {
        let got = &world.peers[peer].talks[0].voice.got;
        let seams = irregularities(got).unwrap_or_else(|why| panic!("{why}"));
        assert!(seams <= 60, "{seams} seams inserted or dropped something");
    }
    let record = world.record();
    assert_eq!(record.legs.len(), 22);
    assert_eq!(
        stretches(record),
        [Stretch::Ivr, Stretch::Queue, Stretch::Talk]
    );
    let [left, right] = channels(record);
    let talk = record.total_ms(Stretch::Talk);
    let recorded = record.recordings[0].duration_ms.expect("published");
    assert!(talk.abs_diff(recorded) <= 20);
    assert!(level(&left[1600..], 440.0) > -14.0);
    assert!(level(&right[1600..], 880.0) > -14.0);
    assert!(
        level(&right[1600..], 1320.0) > -20.0,
        "the third is on the right"
    );
    assert!(level(&left[1600..], 1320.0) < -60.0);
}

#[test]
fn three_hear_each_other_and_who_holds_does_not_stop_the_others() {
    let mut world = talking(87);
    let third = world.phone("1005", Manners::Answers(60));
    world.peers[third].set_tone(1320);
    world
        .control(Control::AddParty {
            number: "1005".to_owned(),
        })
        .expect("rings");
    world.run_for(500);
    let heard = hear(&mut world, CARRIER, 1000);
    assert!(level(&heard[800..], 880.0) > -16.0 && level(&heard[800..], 1320.0) > -16.0);
    reoffer(&mut world, AGENT, Direction::SendOnly, Offer::Early);
    let heard = hear(&mut world, CARRIER, 1000);
    assert!(
        level(&heard[800..], 1320.0) > -16.0,
        "the third is still there"
    );
    assert!(!is_music(&heard[1600..]));
    reoffer(&mut world, AGENT, Direction::SendRecv, Offer::Early);
    world.hang_up(third, 0);
    world.run_for(200);
    assert!(level(&hear(&mut world, CARRIER, 1000)[800..], 880.0) > -14.0);
    world.hang_up(AGENT, 0);
    world.finish();
}

#[test]
fn a_third_party_who_does_not_answer_is_let_be() {
    let mut world = talking(88);
    let third = world.phone("1005", Manners::Rings);
    world
        .control(Control::AddParty {
            number: "1005".to_owned(),
        })
        .expect("rings");
    world.run_for(61_000);
    assert!(world.peers[third].talks[0].is_over, "rings for ever");
    assert!(level(&hear(&mut world, CARRIER, 1000)[800..], 880.0) > -14.0);
    world.hang_up(AGENT, 0);
    world.finish();
    assert_eq!(world.record().total_ms(Stretch::Talk) / 1000, 63);
}

#[test]
fn the_agent_may_leave_the_caller_with_a_third_party() {
    let mut world = talking(89);
    let third = world.phone("1005", Manners::Answers(500));
    world.peers[third].set_tone(1320);
    world
        .control(Control::AddParty {
            number: "1005".to_owned(),
        })
        .expect("rings");
    world.run_for(2000);
    world.hang_up(AGENT, 0);
    world.run_for(500);
    let view = world.switch.pump.view();
    assert!(view.tasks.is_empty(), "the agent is free again");
    assert!(level(&hear(&mut world, CARRIER, 1000)[800..], 1320.0) > -14.0);
    world.hang_up(third, 0);
    world.finish();
    let record = world.record();
    let talks = record
        .caller_timeline
        .iter()
        .filter(|part| part.stretch == Stretch::Talk);
    assert_eq!(
        talks.map(|part| part.with.as_str()).collect::<Vec<_>>(),
        ["sato", "1005"]
    );
    assert_eq!(record.recordings.len(), 1);
}

#[test]
fn an_agent_who_leaves_while_a_third_party_rings_leaves_the_caller_waiting_for_it() {
    for (seed, manners) in [
        (90, Manners::Answers(2000)),
        (91, Manners::Refuses(486)),
        (92, Manners::Rings),
    ] {
        let mut world = talking(seed);
        let third = world.phone("1005", manners);
        world.peers[third].set_tone(1320);
        let wish = Control::AddParty {
            number: "1005".to_owned(),
        };
        world.control(wish).expect("rings");
        world.run_for(1);
        world.hang_up(AGENT, 0);
        world.run_for(4000);
        let is_left = world.peers[CARRIER].talks[0].is_over;
        match manners {
            Manners::Answers(_) => {
                assert!(level(&hear(&mut world, CARRIER, 1000)[800..], 1320.0) > -14.0);
                world.hang_up(CARRIER, 0);
            }
            Manners::Refuses(_) => assert!(is_left, "nobody is left to talk with"),
            _ => assert!(!is_left),
        }
        world.finish();
    }
}

#[test]
fn an_operator_ends_a_call_and_is_told_what_cannot_be_done() {
    let mut world = talking(93);
    let nobody = Control::AddParty {
        number: "1009".to_owned(),
    };
    assert!(matches!(
        world.control(nobody),
        Err(ControlError::Unreachable { status: 480, .. })
    ));
    let caller = world.legs()[0];
    assert_eq!(
        world.control(Control::DropParty { leg: caller }),
        Err(ControlError::NoLeg)
    );
    world.control(Control::HangUp).expect("ends");
    world.finish();
    assert_eq!(
        world.record().hung_up_by,
        Some(tsunagu::base::Party::Switch)
    );
    assert!(world.control(Control::HangUp).is_err());
}

#[test]
fn the_flow_goes_on_when_the_agent_is_dropped() {
    let mut world = talking(94);
    let agent = world.legs()[1];
    world
        .control(Control::DropParty { leg: agent })
        .expect("dropped");
    world.finish();
    let record = world.record();
    assert_eq!(record.legs[1].by, Some(tsunagu::base::Party::Switch));
    assert!(loudness(&listen(&world.peers[CARRIER].talks[0].voice.got)) > -40.0);
}

#[test]
fn a_flow_of_packets_from_elsewhere_is_never_heard() {
    let mut world = talking(95);
    let stranger = world
        .net
        .endpoint("127.0.7.7:9999".parse().expect("an address"));
    let port = world.peers[AGENT].talks[0]
        .agreed
        .as_ref()
        .and_then(|agreed| agreed.remote);
    let port = port.expect("agreed");
    for number in 0..100_u16 {
        let mut packet = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9];
        packet[2..4].copy_from_slice(&number.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(number) * 160).to_be_bytes());
        packet.extend([0x2a; 160]);
        stranger.send_at(
            world.now + Duration::from_millis(20 * u64::from(number)),
            port,
            &packet,
        );
    }
    let heard = hear(&mut world, CARRIER, 2000);
    assert!(level(&heard[800..], 880.0) > -14.0);
    assert!((loudness(&heard[800..]) - loudness(&heard[800..4000])).abs() < 0.5);
    world.hang_up(CARRIER, 0);
    world.finish();
    let refused = world.record().legs[1]
        .media
        .as_ref()
        .map(|media| media.refused);
    assert_eq!(refused, Some(100));
}
