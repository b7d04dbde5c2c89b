//! What is heard: mix, plays, music, echo, digits, reports.

use super::*;
use crate::media::rtcp::{Compound, Item};
use crate::media::{PlayId, Sound};
use std::sync::Arc;

fn tone(hz: f64, frames: usize) -> Arc<Sound> {
    let mut samples = vec![0; frames * FRAME_SAMPLES];
    Tone::new(hz, -10.0).fill(&mut samples);
    Arc::new(Sound::new(format!("{hz}"), samples))
}

fn play(leg: LegId, number: u64, sounds: Vec<Arc<Sound>>, looped: bool) -> Command {
    Command::Play {
        leg,
        play: PlayId(number),
        sounds,
        looped,
    }
}

fn plays_done(notices: &[Notice]) -> Vec<(u64, bool)> {
    let done = |notice: &Notice| match notice {
        Notice::PlayDone { play, finished, .. } => Some((play.0, *finished)),
        _ => None,
    };
    notices.iter().filter_map(done).collect()
}

#[test]
fn three_hear_each_other_and_not_themselves() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    let mut c = office.phone(3, Codec::Pcma);
    office.join(&c);
    office.talk(100, &mut [&mut a, &mut b, &mut c]);
    for (phone, own) in [(&a, 440.0), (&b, 880.0), (&c, 1320.0)] {
        let got = phone.got();
        assert!(got.len() >= 99, "a frame at every tick: {}", got.len());
        let heard = listen(phone.codec, &got);
        for hz in [440.0, 880.0, 1320.0] {
            let level = level(&heard[1600..], hz);
            // A-law's quietest step leaves more of a tone than mu-law's.
            assert_eq!(level > -30.0, hz != own, "{own} hears {hz} at {level}");
        }
    }
}

#[test]
fn different_codecs_are_mixed_for_two() {
    let mut office = Office::new();
    let (mut a, mut b) = (office.phone(1, Codec::Pcmu), office.phone(2, Codec::Pcma));
    office.send(Command::OpenRoom { room: ROOM });
    office.join(&a);
    office.join(&b);
    office.talk(60, &mut [&mut a, &mut b]);
    assert!(level(&listen(a.codec, &a.got())[1600..], 880.0) > -15.0);
    assert!(level(&listen(b.codec, &b.got())[1600..], 440.0) > -15.0);
}

#[test]
fn a_play_is_contiguous_and_told_when_over() {
    let mut office = Office::new();
    let a = office.phone(1, Codec::Pcmu);
    let sounds = vec![tone(500.0, 10), tone(600.0, 5)];
    office.send(play(a.leg, 1, sounds, false));
    office.run(290);
    assert!(plays_done(&office.notices()).is_empty());
    office.run(20);
    assert_eq!(plays_done(&office.notices()), [(1, true)]);
    office.run(100);
    let got = a.got();
    assert_eq!(got.len(), 15);
    assert!(got[0].header.marker && !got[1].header.marker);
    for (place, got) in got.iter().enumerate() {
        assert_eq!(got.at.as_millis(), 20 + 20 * place as i64);
    }
    let heard = listen(a.codec, &got);
    assert_eq!(heard.len(), 15 * 160);
    assert!(level(&heard[..1600], 500.0) > -15.0);
    assert!(level(&heard[1600..], 600.0) > -15.0);
}

#[test]
fn a_loop_has_no_gap_and_a_replaced_play_is_told() {
    let mut office = Office::new();
    let a = office.phone(1, Codec::Pcmu);
    let leg = a.leg;
    office.send(play(leg, 1, vec![tone(400.0, 1)], true));
    office.run(2000);
    office.send(play(leg, 2, vec![tone(700.0, 50)], true));
    office.run(2000);
    assert_eq!(plays_done(&office.notices()), [(1, false)]);
    office.send(Command::StopPlay { leg });
    office.run(100);
    assert!(plays_done(&office.notices()).is_empty());
    let got = a.got();
    assert_eq!(got.len(), 201, "and one in which it dies away");
    let heard = listen(a.codec, &got);
    assert_eq!(heard.len(), 201 * 160, "no hole in the timestamps");
    // A frame of 400 Hz is whole periods: a gap or a slip would spread it.
    assert!(level(&heard[..16_000], 400.0) > -13.5);
    // It fades over in 200 ms.
    assert!(level(&heard[17_600..32_000], 700.0) > -13.5);
}

#[test]
fn an_empty_play_is_over_at_once() {
    let mut office = Office::new();
    let a = office.phone(1, Codec::Pcmu);
    office.send(play(a.leg, 1, vec![], true));
    office.run(20);
    assert_eq!(plays_done(&office.notices()), [(1, true)]);
}

#[test]
fn a_held_member_hears_music_and_nobody_hears_it() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    office.talk(20, &mut [&mut a, &mut b]);
    let music = |sound| Command::HoldMusic {
        room: ROOM,
        leg: a.leg,
        sound,
    };
    let (on, off) = (music(Some(tone(600.0, 50))), music(None));
    office.send(on);
    a.got();
    b.got();
    office.talk(50, &mut [&mut a, &mut b]);
    let heard = listen(a.codec, &a.got());
    assert!(level(&heard, 600.0) > -15.0);
    assert!(level(&heard[320..], 880.0) < -40.0);
    let silence = listen(b.codec, &b.got());
    assert!(silence.len() >= 45 * 160, "packets go on");
    assert!(level(&silence, 440.0) < -40.0);
    office.send(off);
    office.talk(20, &mut [&mut a, &mut b]);
    assert!(level(&listen(a.codec, &a.got())[320..], 880.0) > -15.0);
    assert!(level(&listen(b.codec, &b.got())[640..], 440.0) > -15.0);
}

#[test]
fn an_echo_returns_every_packet() {
    let mut office = Office::new();
    let mut a = office.phone(1, Codec::Pcmu);
    let leg = a.leg;
    office.send(Command::Echo { leg, on: true });
    office.talk(50, &mut [&mut a]);
    let got = a.got();
    assert_eq!(got.len(), 50);
    assert!(level(&listen(a.codec, &got), 440.0) > -15.0);
    office.send(Command::Echo { leg, on: false });
    office.talk(5, &mut [&mut a]);
    assert!(a.got().is_empty());
}

#[test]
fn digits_sent_are_received_once_each_and_in_order() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    office.talk(10, &mut [&mut a, &mut b]);
    b.got();
    office.notices();
    let digits = "1590*#".to_owned();
    office.send(Command::SendDigits { leg: b.leg, digits });
    office.talk(100, &mut [&mut a, &mut b]);
    let got = b.got();
    let mut keys = crate::media::dtmf::Receiver::new();
    let pressed: String = got
        .iter()
        .filter(|got| got.header.payload_type == EVENT)
        .filter_map(|got| keys.handle_packet(&got.header, &got.payload))
        .collect();
    assert_eq!(pressed, "1590*#");
    for pair in got.windows(2) {
        let step = pair[1]
            .header
            .sequence
            .wrapping_sub(pair[0].header.sequence);
        assert_eq!(step, 1);
    }
    // And the talker is heard again afterwards.
    assert!(got.last().is_some_and(|got| got.header.payload_type == 0));
    assert!(a.got().len() >= 100, "the other direction is not disturbed");
}

#[test]
fn a_digit_pressed_during_a_mix_or_a_play_is_told_once() {
    let mut office = Office::new();
    let mut a = office.phone(1, Codec::Pcmu);
    office.send(play(a.leg, 1, vec![tone(500.0, 50)], true));
    for end in [0, 0, 0, 0x80, 0x80, 0x80] {
        let event = a.rtp(EVENT, 4242, &[7, end | 10, 3, 32]);
        a.wire.send_at(at(office.now + 5), a.switch, &event);
        office.run(20);
    }
    let digits: Vec<char> = office
        .notices()
        .iter()
        .filter_map(|notice| match notice {
            Notice::Digit { digit, .. } => Some(*digit),
            _ => None,
        })
        .collect();
    assert_eq!(digits, ['7']);
}

#[test]
fn reports_tell_loss_and_what_was_sent() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    for n in 0..500 {
        if n % 10 == 3 {
            a.packet();
        }
        office.talk(1, &mut [&mut a, &mut b]);
    }
    let mut reports = Vec::new();
    let mut senders = Vec::new();
    while let Some((_, _, bytes)) = a.rtcp.receive() {
        let compound = Compound::parse(&bytes).expect("RTCP");
        compound.for_each(|item| match item {
            Item::Report { block, .. } => reports.push(block),
            Item::Sender { info, .. } => senders.push(info),
            _ => {}
        });
    }
    assert_eq!((reports.len(), senders.len()), (2, 2));
    assert_eq!(reports[1].ssrc, a.ssrc);
    assert!((49..=50).contains(&reports[1].lost));
    assert!((20..=26).contains(&reports[1].fraction_lost));
    assert!(senders[1].packets >= 498);
    let leg = a.leg;
    office.send(Command::CloseLeg { leg });
    office.run(20);
    assert!(a.rtcp.receive().is_some(), "goodbye");
}

#[test]
fn a_silent_leg_is_told_once() {
    let mut office = Office::new();
    let a = office.phone(1, Codec::Pcmu);
    office.run(29_000);
    assert!(office.notices().is_empty());
    office.run(60_000);
    let notices = office.notices();
    assert!(matches!(
        notices[..],
        [Notice::Silent { leg, since }] if leg == a.leg && since == at(0)
    ));
}
