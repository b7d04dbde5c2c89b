//! Which codec each leg speaks, and how long its packets are.

use tsunagu::media::{Codec, Decoder};
use tsunagu::sdp::AudioCodec::{self, G722, Opus, Pcma, Pcmu};

use crate::ear::{Got, level, listen};
use crate::office::changed;
use crate::peer::Manners;
use crate::world::World;

/// A call of two seconds between phones of these codecs; what each leg spoke by the record, and the
/// world afterwards. The caller is peer 0.
fn spoken(seed: u64, caller: &[AudioCodec], callee: &[AudioCodec]) -> (Vec<String>, World) {
    let mut world = World::new(seed);
    let a = world.phone("1005", Manners::Rings);
    world.peers[a].set_tone(440);
    world.peers[a].codecs = caller.to_vec();
    let b = world.phone("1006", Manners::Answers(100));
    world.peers[b].codecs = callee.to_vec();
    world.with_peer(a, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(a, 0);
    world.run_for(2000);
    world.hang_up(a, 0);
    world.finish();
    let legs = world.record().legs.iter();
    let codecs = legs.map(|leg| leg.codec.clone().unwrap_or_default());
    (codecs.collect(), world)
}

/// Packets of G.722, heard at 8 kHz.
fn listen_wide(got: &[Got]) -> Vec<i16> {
    let mut decoder = Decoder::new(Codec::G722);
    let mut heard = Vec::new();
    for packet in got.iter().filter(|got| got.header.payload_type == 9) {
        let mut samples = vec![0; 2 * packet.payload.len()];
        decoder.decode(&packet.payload, &mut samples);
        heard.extend(samples.iter().step_by(2));
    }
    heard
}

#[test]
fn what_both_sides_have_is_spoken_by_both() {
    for (seed, caller, callee, codec) in [
        (7401, &[G722, Pcmu][..], &[Pcmu, G722][..], "G722"),
        (7402, &[Pcma], &[Pcmu, Pcma], "PCMA"),
        (7403, &[Pcmu, Pcma], &[Pcma], "PCMA"),
        (7404, &[Pcmu, G722], &[Opus, G722], "G722"),
        (7405, &[Opus, G722, Pcmu], &[G722, Opus], "opus"),
    ] {
        let (codecs, world) = spoken(seed, caller, callee);
        assert_eq!(codecs, [codec, codec], "{caller:?} and {callee:?}");
        if codec == "G722" {
            for (peer, hz) in [(0, 880.0), (1, 440.0)] {
                let heard = listen_wide(&world.peers[peer].talks[0].voice.got);
                assert!(level(&heard[3200..12_800], hz) > -14.0, "{peer}");
            }
        }
    }
}

#[test]
fn phones_speak_what_their_office_names_and_no_more() {
    let first = "[[phone]]\nnumber = \"1001\"";
    let narrow = format!("codecs = [\"pcmu\", \"pcma\"]\n\n{first}");
    let mut world = World::with(7421, changed(&[("phones.toml", first, &narrow)]));
    let a = world.phone("1005", Manners::Rings);
    world.peers[a].codecs = vec![Opus];
    world.with_peer(a, |peer, now| peer.call(now, "1006", "1005"));
    world.finish();
    assert_eq!(world.peers[a].talks[0].heard.last(), Some(&488));
}

/// A phone of these codecs calls the main number and chooses, and talks with an agent who has
/// PCMU only: the codecs of the caller's leg, one after the other, and those of the record.
fn greeted_then_connected(seed: u64, caller: &[AudioCodec]) -> (Vec<AudioCodec>, Vec<String>) {
    let mut world = World::new(seed);
    let a = world.phone("1005", Manners::Rings);
    world.peers[a].set_tone(440);
    world.peers[a].codecs = caller.to_vec();
    let agent = world.phone("1001", Manners::Answers(300));
    world.with_peer(a, |peer, now| peer.call(now, "100", "1005"));
    world.until_answered(a, 0);
    let agreed = |world: &World| {
        let agreed = world.peers[a].talks[0].agreed.as_ref();
        agreed.expect("agreed").codec
    };
    let greeted = agreed(&world);
    world.run_for(1000);
    world.peers[a].talks[0].voice.press("1");
    world.until_answered(agent, 0);
    world.run_for(2000);
    let connected = agreed(&world);
    let heard = listen(&world.peers[agent].talks[0].voice.got);
    assert!(level(&heard[8000..12_800], 440.0) > -14.0);
    world.hang_up(a, 0);
    world.finish();
    let legs = world.record().legs.iter();
    let codecs = legs.map(|leg| leg.codec.clone().unwrap_or_default());
    (vec![greeted, connected], codecs.collect())
}

#[test]
fn who_was_greeted_in_a_wide_codec_is_asked_over_to_what_both_have() {
    let (spoken, recorded) = greeted_then_connected(7451, &[G722, Pcmu]);
    assert_eq!(spoken, [G722, Pcmu]);
    assert_eq!(recorded, ["PCMU", "PCMU"]);
}

#[test]
fn who_has_nothing_else_is_not_asked_over() {
    let (spoken, recorded) = greeted_then_connected(7452, &[G722]);
    assert_eq!(spoken, [G722, G722]);
    assert_eq!(recorded, ["G722", "PCMU"]);
}

#[test]
fn silence_is_described_to_who_agreed_on_it_where_the_office_wants_it() {
    for (seed, wanted) in [(7431, true), (7432, false)] {
        let first = "[[phone]]\nnumber = \"1001\"";
        let terms = format!("comfort_noise = {wanted}\n\n{first}");
        let mut world = World::with(seed, changed(&[("phones.toml", first, &terms)]));
        let a = world.phone("1005", Manners::Rings);
        let b = world.phone("1006", Manners::Answers(100));
        // One codec each, so that each hears a mix.
        world.peers[a].codecs = vec![Pcmu];
        world.peers[b].codecs = vec![Pcma];
        world.peers[a].has_noise = true;
        world.with_peer(a, |peer, now| peer.call(now, "1006", "1005"));
        world.until_answered(a, 0);
        world.run_for(1000);
        for peer in [a, b] {
            world.peers[peer].talks[0].voice.is_mute = true;
        }
        world.run_for(4000);
        let noises = |peer: usize| {
            let got = &world.peers[peer].talks[0].voice.got;
            let noises = got.iter().filter(|got| got.header.payload_type == 13);
            noises.count()
        };
        let told = noises(a);
        assert!(
            if wanted {
                (3..=5).contains(&told)
            } else {
                told == 0
            },
            "{told}"
        );
        assert_eq!(noises(b), 0);
        world.hang_up(a, 0);
        world.finish();
    }
}

#[test]
fn packets_are_as_long_as_each_side_wishes() {
    for (seed, caller_ms, callee_ms) in [(7431, 10, 60), (7432, 30, 40), (7433, 60, 10)] {
        let mut world = World::new(seed);
        let a = world.phone("1005", Manners::Rings);
        world.peers[a].set_tone(440);
        world.peers[a].ptime_ms = caller_ms;
        let b = world.phone("1006", Manners::Answers(100));
        world.peers[b].ptime_ms = callee_ms;
        world.with_peer(a, |peer, now| peer.call(now, "1006", "1005"));
        world.until_answered(a, 0);
        world.run_for(2000);
        world.hang_up(a, 0);
        world.finish();
        for (peer, hz, ms) in [(a, 880.0, caller_ms), (b, 440.0, callee_ms)] {
            let got = &world.peers[peer].talks[0].voice.got;
            let of_length = got
                .iter()
                .filter(|got| got.payload.len() == 8 * ms as usize);
            let of_length = of_length.count();
            assert!(
                of_length * 10 > got.len() * 9,
                "{of_length} of {} in {ms} ms",
                got.len()
            );
            let heard = listen(got);
            assert!(level(&heard[3200..12_800], hz) > -14.0);
        }
    }
}

#[test]
fn keys_have_the_clock_of_opus() {
    let mut world = World::new(7441);
    let a = world.phone("1005", Manners::Rings);
    world.peers[a].codecs = vec![Opus, Pcmu];
    let b = world.phone("1006", Manners::Answers(100));
    world.peers[b].codecs = vec![Opus];
    world.with_peer(a, |peer, now| peer.call(now, "1006", "1005"));
    world.until_answered(a, 0);
    for peer in [a, b] {
        let agreed = world.peers[peer].talks[0].agreed.as_ref();
        let agreed = agreed.expect("agreed");
        assert_eq!((agreed.codec, agreed.payload_type), (Opus, 111));
        assert_eq!(agreed.telephone_event_hz, 48_000);
        assert_eq!(agreed.telephone_event, Some(110));
        assert!(agreed.opus.in_band_fec);
    }
    world.hang_up(a, 0);
    world.finish();
}
#[test]
fn only_what_they_do_not_share_is_transcoded() {
    let (codecs, world) = spoken(7411, &[G722], &[Pcma]);
    assert_eq!(codecs, ["G722", "PCMA"]);
    let heard = listen_wide(&world.peers[0].talks[0].voice.got);
    assert!(level(&heard[3200..12_800], 880.0) > -14.0);
    let heard = listen(&world.peers[1].talks[0].voice.got);
    assert!(level(&heard[3200..12_800], 440.0) > -14.0);
}
