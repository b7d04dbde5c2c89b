//! Keys by every method: taken once, and passed to the other party once by his.

use tsunagu::media::dtmf::{Detector, Receiver};
use tsunagu::media::rtp::{Packet, unfold};
use tsunagu::media::{FRAME_SAMPLES, Rate};

use crate::ear::{Got, listen};
use crate::office::changed;
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Event,
    Info,
    Tone,
}

const FORMS: [Form; 3] = [Form::Event, Form::Info, Form::Tone];

/// Phone 1005 talks with phone 1006, which takes keys in one form.
fn pair(seed: u64, (caller, callee): (Form, Form)) -> (World, usize, usize) {
    let number = "number = \"1006\"\n";
    let by_info = format!("{number}dtmf = \"info\"\n");
    let change = ("phones.toml", number, by_info.as_str());
    let office = match callee {
        Form::Info => changed(&[change]),
        _ => changed(&[]),
    };
    let mut world = World::with(seed, office);
    let a = world.phone("1005", Manners::Rings);
    let b = world.phone("1006", Manners::Answers(200));
    world.peers[a].has_events = caller == Form::Event;
    world.peers[b].has_events = callee == Form::Event;
    world.with_peer(a, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(a, 0);
    world.run_for(500);
    (world, a, b)
}

fn press(world: &mut World, peer: usize, form: Form, keys: &str) {
    match form {
        Form::Event => world.peers[peer].talks[0].voice.press(keys),
        Form::Tone => world.peers[peer].talks[0].voice.press_in_band(keys),
        Form::Info => {
            for key in keys.chars() {
                world.with_peer(peer, |peer, now| peer.press_by_info(now, 0, key));
                world.run_for(300);
            }
        }
    }
    world.run_for(1500);
}

/// What a far end heard, in each form.
fn heard(world: &World, peer: usize) -> [String; 3] {
    let talk = &world.peers[peer].talks[0];
    let mut receiver = Receiver::new();
    let events = talk
        .voice
        .got
        .iter()
        .filter(|got| got.header.payload_type == 101);
    let events = events.filter_map(|got| receiver.handle_packet(&got.header, &got.payload));
    [
        events.collect(),
        talk.keys_by_info.clone(),
        tones(&talk.voice.got),
    ]
}

fn tones(got: &[Got]) -> String {
    let mut tones = String::new();
    let mut detector = Detector::new();
    for frame in listen(got).chunks(FRAME_SAMPLES) {
        detector.hear(frame, Rate::Narrow, |key| tones.push(key));
    }
    tones
}

/// The digits of one leg, by the record.
fn recorded(world: &World, leg: usize) -> String {
    let record = world.record();
    let leg = record.legs[leg].leg;
    let digits = record.digits.iter().filter(|digit| digit.leg == leg);
    digits.map(|digit| digit.digit).collect()
}

#[test]
fn keys_reach_the_other_party_by_his_method_exactly_once() {
    for (a, from) in FORMS.into_iter().enumerate() {
        for (b, to) in FORMS.into_iter().enumerate() {
            let seed = 4_700 + (3 * a + b) as u64;
            let (mut world, caller, callee) = pair(seed, (from, to));
            press(&mut world, caller, from, "159##");
            let got = heard(&world, callee);
            for (form, keys) in FORMS.into_iter().zip(&got) {
                let expected = match form == to {
                    true => "159##",
                    false => "",
                };
                // Tones that are translated are still heard where they begin.
                if (from, form) != (Form::Tone, Form::Tone) || to == Form::Tone {
                    assert_eq!(keys, expected, "from {from:?} to {to:?}, as {form:?}");
                }
            }
            // Nothing comes back to who pressed.
            assert_eq!(heard(&world, caller), ["", "", ""], "{from:?} {to:?}");
            // And the other way round: whatever form the callee understands he presses.
            press(&mut world, callee, to, "0");
            let got = heard(&world, caller);
            let place = FORMS.iter().position(|form| *form == from);
            assert_eq!(got[place.expect("one of them")], "0", "{to:?} to {from:?}");
            // What was not passed on does not look lost.
            for peer in [caller, callee] {
                let got = &world.peers[peer].talks[0].voice.got;
                let numbers = got.windows(2).map(|pair| {
                    let numbers = [pair[0].header.sequence, pair[1].header.sequence];
                    numbers[1].wrapping_sub(numbers[0])
                });
                let gaps = numbers.filter(|step| *step != 1).count();
                assert_eq!(gaps, 0, "{from:?} to {to:?}, at {peer}");
            }
            world.hang_up(callee, 0);
            world.finish();
            assert_eq!(recorded(&world, 0), "159##");
            assert_eq!(recorded(&world, 1), "0");
        }
    }
}

/// `dtmf_redundancy` of a phone offers RFC 2198 for keys; who takes it gets each with those before.
#[test]
fn keys_are_told_with_those_before_where_both_sides_have_redundancy() {
    let number = "number = \"1006\"\n";
    let redundant = format!("{number}dtmf_redundancy = true\n");
    let mut world = World::with(4_730, changed(&[("phones.toml", number, &redundant)]));
    let caller = world.phone("1005", Manners::Rings);
    let callee = world.phone("1006", Manners::Answers(200));
    world.with_peer(caller, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(caller, 0);
    world.run_for(500);
    press(&mut world, caller, Form::Event, "123");
    let mut carried = Vec::new();
    let mut receiver = Receiver::new();
    let mut keys = String::new();
    for got in &world.peers[callee].talks[0].voice.got {
        let mut bytes = got.header.to_bytes().to_vec();
        bytes.extend(&got.payload);
        let mut packet = Packet::parse(&bytes).expect("RTP");
        if got.header.payload_type == 100 {
            let (primary, earlier) = unfold(&packet).expect("redundant");
            carried.push(earlier.blocks().len());
            packet = primary;
        }
        if packet.header().payload_type == 101 {
            keys.extend(receiver.handle_packet(packet.header(), packet.payload()));
        }
    }
    assert_eq!(keys, "123");
    assert_eq!((carried.first(), carried.last()), (Some(&1), Some(&2)));
    press(&mut world, callee, Form::Event, "0");
    assert_eq!(heard(&world, caller)[0], "0");
    world.hang_up(callee, 0);
    world.finish();
    assert_eq!(recorded(&world, 0), "123");
}

#[test]
fn a_key_in_two_forms_at_once_is_one_key() {
    for (seed, form) in [(4_720, Form::Event), (4_721, Form::Tone)] {
        let (mut world, caller, callee) = pair(seed, (form, Form::Event));
        for key in ["4", "4", "2"] {
            match form {
                Form::Event => world.peers[caller].talks[0].voice.press(key),
                _ => world.peers[caller].talks[0].voice.press_in_band(key),
            }
            world.run_for(150);
            press(&mut world, caller, Form::Info, key);
        }
        assert_eq!(heard(&world, callee)[0], "442", "{form:?}");
        world.hang_up(callee, 0);
        world.finish();
        assert_eq!(recorded(&world, 0), "442");
    }
}

#[test]
fn a_menu_is_chosen_by_info_and_by_tones() {
    for (seed, form) in [(4_730, Form::Info), (4_731, Form::Tone)] {
        let mut world = World::new(seed);
        let carrier = world.carrier();
        world.peers[carrier].has_events = false;
        world.phone("1003", Manners::Answers(300));
        world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
        world.run_for(4000);
        press(&mut world, carrier, form, "2");
        world.until_talking();
        world.hang_up(carrier, 0);
        world.finish();
        assert_eq!(world.record().queues[0].queue, "support", "{form:?}");
    }
}
