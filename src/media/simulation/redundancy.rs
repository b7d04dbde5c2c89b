//! Keys whose packets are lost, and what redundancy makes of it (RFC 2198).

use super::*;
use crate::media::Redundancy;
use crate::media::dtmf::{Receiver, Sender};
use crate::media::rtp::{Block, unfold, write_redundant};

const RED: u8 = 100;

fn redundant(phone: &Phone) -> LegFlow {
    LegFlow {
        redundancy: Some(Redundancy {
            send_payload_type: RED,
            receive_payload_type: RED,
            depth: 2,
        }),
        ..phone.flow()
    }
}

fn agree(office: &Office, phone: &Phone) {
    let (leg, flow) = (phone.leg, redundant(phone));
    office.send(Command::SetLeg { leg, flow });
}

/// What a phone sends for keys of 100 ms, frame by frame: each event with the one before it, which
/// it had at the same place of its clock.
fn pressed(phone: &mut Phone, digits: &str) -> Vec<Option<Vec<u8>>> {
    let mut sender = Sender::new();
    for digit in digits.chars() {
        assert!(sender.push(digit, 100));
    }
    let mut ends: Vec<(u32, [u8; 4])> = Vec::new();
    let mut frames = Vec::new();
    while sender.is_active() {
        let event = sender.next(phone.timestamp, 8000);
        frames.push(event.map(|event| {
            let before = ends.iter().rev().find(|end| end.0 != event.timestamp);
            let block = before.map(|(timestamp, payload)| Block {
                payload_type: EVENT,
                offset: event.timestamp - timestamp,
                payload,
            });
            let mut payload = [0; 64];
            let length = write_redundant(&mut payload, block.as_slice(), EVENT, &event.payload);
            let packet = phone.rtp(RED, event.timestamp, &payload[..length.expect("fits")]);
            ends.push((event.timestamp, event.payload));
            packet
        }));
        phone.timestamp += 160;
    }
    frames
}

/// Lets a phone press keys; of the frames, those in `lost` never arrive.
fn press(office: &mut Office, phone: &mut Phone, digits: &str, lost: std::ops::Range<usize>) {
    for (place, packet) in pressed(phone, digits).into_iter().enumerate() {
        if let Some(packet) = packet.filter(|_| !lost.contains(&place)) {
            phone
                .wire
                .send_at(at(office.now + 3), phone.switch, &packet);
        }
        office.run(20);
    }
}

fn told(office: &Office) -> Vec<(char, bool)> {
    let told = office
        .notices()
        .into_iter()
        .filter_map(|notice| match notice {
            Notice::Digit {
                digit, passed_on, ..
            } => Some((digit, passed_on)),
            _ => None,
        });
    told.collect()
}

/// The keys a far end hears, by redundancy too or without it.
fn heard(got: &[Got], with: bool) -> String {
    let mut receiver = Receiver::new();
    let mut keys = String::new();
    for got in got {
        let mut bytes = got.header.to_bytes().to_vec();
        bytes.extend(&got.payload);
        let packet = Packet::parse(&bytes).expect("RTP");
        let (packet, earlier) = match got.header.payload_type {
            RED => unfold(&packet).expect("redundant"),
            _ => (packet, Default::default()),
        };
        for block in earlier.blocks().iter().filter(|_| with) {
            let then = Header {
                marker: false,
                timestamp: packet.header().timestamp.wrapping_sub(block.offset),
                ..*packet.header()
            };
            keys.extend(receiver.handle_packet(&then, block.payload));
        }
        if packet.header().payload_type == EVENT {
            keys.extend(receiver.handle_packet(packet.header(), packet.payload()));
        }
    }
    keys
}

#[test]
fn a_key_of_which_every_packet_was_lost_is_heard_once_with_the_next() {
    let mut office = Office::new();
    let mut a = office.phone(1, Codec::Pcmu);
    agree(&office, &a);
    office.talk(5, &mut [&mut a]);
    // Each key takes ten frames, of which seven are packets: the second one is lost whole.
    press(&mut office, &mut a, "1234", 10..20);
    office.talk(5, &mut [&mut a]);
    let keys: String = told(&office).iter().map(|(digit, _)| *digit).collect();
    assert_eq!(keys, "1234");
}

#[test]
fn a_relayed_leg_gets_the_lost_key_in_its_place() {
    let mut office = Office::new();
    let (mut a, b) = office.pair();
    agree(&office, &a);
    office.talk(5, &mut [&mut a]);
    press(&mut office, &mut a, "1234", 7..20);
    office.talk(5, &mut [&mut a]);
    let all = [('1', true), ('2', true), ('3', true), ('4', true)];
    assert_eq!(told(&office), all);
    let got = b.got();
    assert!(got.iter().all(|got| got.header.payload_type != RED));
    assert_eq!(heard(&got, false), "1234");
    for pair in got.windows(2) {
        let (before, after) = (pair[0].header, pair[1].header);
        assert!(rtp::sequence_distance(after.sequence, before.sequence) > 0);
    }
    let audio: Vec<u32> = got
        .iter()
        .filter(|got| got.header.payload_type == 0)
        .map(|got| got.header.timestamp)
        .collect();
    // Ten frames of sound, the keys' forty between them: the stream's time is as it was.
    assert_eq!(audio.last().unwrap() - audio[0], (9 + 40) * 160);
}

#[test]
fn who_agreed_on_it_gets_every_event_with_those_before() {
    let mut office = Office::new();
    let (mut a, b) = office.pair();
    agree(&office, &b);
    office.talk(5, &mut [&mut a]);
    // Relayed from somebody who has no redundancy.
    let mut sender = Sender::new();
    for digit in "12".chars() {
        sender.push(digit, 100);
    }
    while sender.is_active() {
        if let Some(event) = sender.next(a.timestamp, 8000) {
            let packet = a.rtp(EVENT, event.timestamp, &event.payload);
            a.wire.send_at(at(office.now + 3), a.switch, &packet);
        }
        a.timestamp += 160;
        office.run(20);
    }
    // And of our own.
    let digits = "34".to_owned();
    office.send(Command::SendDigits { leg: b.leg, digits });
    office.run(500);
    let mut got = b.got();
    assert_eq!(heard(&got, false), "1234");
    assert_eq!(heard(&got, true), "1234", "none twice");
    // The last alone brings the two before it.
    let last = got.split_off(got.len() - 1);
    assert_eq!(heard(&last, true), "234");
}

#[test]
fn the_primary_of_redundant_audio_is_heard_and_its_events_are_keys() {
    let mut office = Office::new();
    let (mut a, b) = office.pair();
    agree(&office, &a);
    let mut before: Vec<u8> = Vec::new();
    for n in 0..20 {
        let packet = a.packet();
        let audio = packet[12..].to_vec();
        let mut payload = [0; 400];
        let event = Block {
            payload_type: EVENT,
            offset: 320 + 160 * n,
            payload: &[5, 0x8a, 3, 32],
        };
        let earlier = Block {
            payload_type: 0,
            offset: 160,
            payload: &before,
        };
        let blocks = [event, earlier];
        let length = write_redundant(&mut payload, &blocks, 0, &audio).expect("fits");
        let mut header = *Packet::parse(&packet).expect("RTP").header();
        header.payload_type = RED;
        let mut packet = header.to_bytes().to_vec();
        packet.extend(&payload[..length]);
        a.wire.send_at(at(office.now + 3), a.switch, &packet);
        before = audio;
        office.run(20);
    }
    assert_eq!(told(&office).len(), 1);
    let got = b.got();
    let audio = got.iter().filter(|got| got.header.payload_type == 0);
    assert_eq!(audio.clone().count(), 20);
    assert!(audio.clone().all(|got| got.payload.len() == 160));
    assert!(level(&listen(Codec::Pcmu, &got), 440.0) > -15.0);
}

#[test]
fn payloads_cut_short_and_redundancy_nobody_agreed_on_are_refused() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    agree(&office, &a);
    for payload in [
        &[][..],
        &[0x80 | EVENT, 0, 0],
        &[0x80 | EVENT, 0, 0, 9, EVENT, 1],
    ] {
        let packet = a.rtp(RED, 0, payload);
        a.wire.send_at(at(office.now + 3), a.switch, &packet);
        office.run(20);
    }
    // Redundant once more, which is no payload type for within.
    let packet = a.rtp(RED, 0, &[RED, EVENT, 1, 0x8a, 3, 32]);
    a.wire.send_at(at(office.now + 3), a.switch, &packet);
    let packet = b.rtp(RED, 0, &[EVENT, 1, 0x8a, 3, 32]);
    b.wire.send_at(at(office.now + 3), b.switch, &packet);
    office.run(20);
    let refused = &office.engine.stats().refused;
    assert_eq!(refused.load(std::sync::atomic::Ordering::Relaxed), 5);
    assert_eq!(told(&office), []);
}
