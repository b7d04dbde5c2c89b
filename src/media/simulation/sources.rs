//! Whose packets are believed.

use super::*;
use std::sync::atomic::Ordering;

#[test]
fn a_relayed_packet_leaves_at_once_in_the_legs_own_stream() {
    let mut office = Office::new();
    let (mut a, b) = office.pair();
    office.run(100);
    a.speak_at(at(103));
    a.speak_at(at(123));
    office.run(40);
    let got = b.got();
    let times: Vec<i64> = got.iter().map(|got| got.at.as_millis()).collect();
    assert_eq!(times, [103, 123]);
    assert_ne!(got[0].header.ssrc, a.ssrc);
    assert_eq!(got[0].header.ssrc, got[1].header.ssrc);
    assert_eq!(
        got[1].header.sequence,
        got[0].header.sequence.wrapping_add(1)
    );
    let step = rtp::distance(got[1].header.timestamp, got[0].header.timestamp);
    assert_eq!(step, 160);
    assert!(office.notices().iter().any(|notice| matches!(
        notice, Notice::FirstPacket { leg } if *leg == a.leg
    )));
}

#[test]
fn payload_types_are_rewritten_to_what_the_listener_negotiated() {
    let mut office = Office::new();
    let (mut a, b) = office.pair();
    let mut flow = b.flow();
    flow.send_payload_type = 97;
    flow.send_telephone_event = Some(98);
    office.send(Command::SetLeg { leg: b.leg, flow });
    a.speak_at(at(10));
    let event = a.rtp(EVENT, a.timestamp, &[5, 10, 0, 160]);
    a.wire.send_at(at(30), a.switch, &event);
    office.run(100);
    let types: Vec<u8> = b.got().iter().map(|got| got.header.payload_type).collect();
    assert_eq!(types, [97, 98]);
    let digits = office.notices();
    assert!(
        digits
            .iter()
            .any(|n| matches!(n, Notice::Digit { digit: '5', .. }))
    );
}

#[test]
fn a_stranger_is_never_relayed_and_is_counted() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    let mut stranger = Phone {
        leg: a.leg,
        codec: Codec::Pcmu,
        wire: office.net.endpoint(address(50_000)),
        rtcp: office.net.endpoint(address(50_001)),
        switch: a.switch,
        sequence: 5,
        timestamp: 5,
        ssrc: 666,
        tone: Tone::new(3000.0, 0.0),
        voice: None,
    };
    office.talk(50, &mut [&mut a, &mut b, &mut stranger]);
    let heard = listen(Codec::Pcmu, &b.got());
    assert!(level(&heard, 440.0) > -15.0);
    assert!(level(&heard, 3000.0) < -60.0);
    office.send(Command::CloseLeg { leg: a.leg });
    office.run(20);
    let closed = office
        .notices()
        .into_iter()
        .find_map(|notice| match notice {
            Notice::LegClosed { leg, summary } if leg == a.leg => Some(summary),
            _ => None,
        });
    let summary = closed.expect("told");
    assert_eq!(
        (summary.received, summary.refused, summary.lost),
        (50, 50, 0)
    );
}

#[test]
fn a_phone_behind_nat_is_latched_and_answered_where_it_speaks_from() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    let nat = office.net.endpoint(address(61_000));
    for n in 0..20 {
        let packet = a.packet();
        nat.send_at(at(n * 20 + 1), a.switch, &packet);
        b.speak_at(at(n * 20 + 7));
    }
    office.run(500);
    // Two of the proof's three packets are not played.
    assert_eq!(b.got().len(), 18);
    let before = a.got().len();
    let after = std::iter::from_fn(|| nat.receive()).count();
    assert_eq!((before, after), (2, 18));
}

#[test]
fn a_reused_port_is_deaf_to_the_old_call() {
    let mut office = Office::with(|config| config.ports = 20_000..=20_001);
    let mut old = office.phone(1, Codec::Pcmu);
    office.talk(10, &mut [&mut old]);
    office.send(Command::CloseLeg { leg: old.leg });
    office.run(20);
    let (leg, shard) = (LegId(9), ShardId(0));
    assert!(office.engine.open_leg(leg, shard).is_err(), "rests");
    assert_eq!(office.engine.open_ports(), 0);
    // The old phone never heard of the hang-up.
    office.talk(300, &mut [&mut old]);
    let new = office.phone(2, Codec::Pcmu);
    assert_eq!(new.switch, old.switch);
    let leg = new.leg;
    office.send(Command::Echo { leg, on: true });
    old.got();
    office.talk(100, &mut [&mut old]);
    assert_eq!((new.got().len(), old.got().len()), (0, 0));
    office.send(Command::CloseLeg { leg });
    office.run(20);
    let summary = office
        .notices()
        .into_iter()
        .find_map(|notice| match notice {
            Notice::LegClosed { leg, summary } if leg == new.leg => Some(summary),
            _ => None,
        });
    assert_eq!(summary.map(|summary| summary.refused), Some(100));
}

#[test]
fn garbage_and_wrong_payload_types_are_refused() {
    let mut office = Office::new();
    let mut a = office.phone(1, Codec::Pcmu);
    let leg = a.leg;
    office.send(Command::Echo { leg, on: true });
    for bytes in [&[][..], &[0x80; 5], &[0; 200], &[0xff; 1500]] {
        a.wire.send(a.switch, bytes);
    }
    let wrong = a.rtp(18, 0, &[0; 20]);
    a.wire.send(a.switch, &wrong);
    let event = a.rtp(EVENT, 0, &[]);
    a.wire.send(a.switch, &event);
    office.run(40);
    let stats = office.engine.stats();
    assert_eq!(stats.refused.load(Ordering::Relaxed), 5);
    assert_eq!(a.got().len(), 1, "an event cut short is still relayed");
}

#[test]
fn a_leg_on_hold_plays_nothing_it_may_not_receive() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    office.talk(5, &mut [&mut a, &mut b]);
    let mut flow = a.flow();
    flow.receiving = false;
    flow.sending = false;
    office.send(Command::SetLeg { leg: a.leg, flow });
    office.run(20);
    a.got();
    b.got();
    office.talk(5, &mut [&mut a, &mut b]);
    assert_eq!((a.got().len(), b.got().len()), (0, 0));
}
