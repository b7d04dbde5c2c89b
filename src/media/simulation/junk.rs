//! Mutated RTP, RTCP and worse, through legs on real sockets: no panic, nothing allocated (so nothing
//! grows), and whoever speaks afterwards is heard.
//!
//! A second of a fixed seed; `make fuzz` gives five minutes and a new seed.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::real::{Ticking, flow};
use super::*;
use crate::base::Entropy;
use crate::media::rtcp::{
    Asked, Extended, LastReceiverReport, NtpTime, ReportBlock, SenderInfo, VoipMetrics,
    append_extended, write_goodbye, write_report,
};
use crate::media::{Redundancy, allocations};

const RED: u8 = 100;

/// One datagram of each kind, all well-formed.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    let mut buffer = [0; 256];
    for (payload_type, payload) in [
        (0, &[0x55; 160][..]),
        (EVENT, &[5, 0x8a, 3, 32]),
        (13, &[40]),
        (18, &[1; 20]),
        (
            RED,
            &[
                0x80 | EVENT,
                0x19,
                0,
                4,
                EVENT,
                6,
                0x8a,
                3,
                32,
                5,
                10,
                0,
                160,
            ],
        ),
        (
            RED,
            &[0x80 | EVENT, 2, 0x80, 4, 0, 7, 0x8a, 3, 32, 0x55, 0x55],
        ),
    ] {
        let header = Header {
            marker: true,
            payload_type,
            sequence: 65_530,
            timestamp: u32::MAX - 100,
            ssrc: 7,
        };
        let length = rtp::write(&mut buffer, header, payload).expect("fits");
        seeds.push(buffer[..length].to_vec());
    }
    let block = ReportBlock {
        ssrc: 9,
        fraction_lost: 3,
        last_report: 1,
        delay: 2,
        ..ReportBlock::default()
    };
    let info = SenderInfo::default();
    for (info, block) in [
        (Some(&info), Some(&block)),
        (None, Some(&block)),
        (None, None),
    ] {
        let length = write_report(&mut buffer, 7, info, block, "cname").expect("fits");
        seeds.push(buffer[..length].to_vec());
        let extended = Extended {
            reference_time: Some(NtpTime(77)),
            last_receiver_report: Some(LastReceiverReport::default()),
            voip: Some(VoipMetrics::default()),
        };
        let length = append_extended(&mut buffer, length, 7, &extended).expect("fits");
        seeds.push(buffer[..length].to_vec());
    }
    let length = write_goodbye(&mut buffer, 7, "cname").expect("fits");
    seeds.push(buffer[..length].to_vec());
    // APP, transport feedback, a lone XR (RFC 5506), STUN, and no protocol at all.
    seeds.push(b"\x81\xcc\x00\x03\x00\x00\x00\x07nameDATA".to_vec());
    seeds.push(b"\x81\xcd\x00\x03\x00\x00\x00\x07\x00\x00\x00\x09\x00\x01\x00\x00".to_vec());
    seeds.push(
        b"\x80\xcf\x00\x04\x00\x00\x00\x07\x04\x00\x00\x02\x00\x01\x02\x03\x04\x05\x06\x07"
            .to_vec(),
    );
    seeds.push(b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl".to_vec());
    seeds.push(b"OPTIONS sip:x SIP/2.0\r\n\r\n".to_vec());
    seeds
}

fn mutated(seeds: &[Vec<u8>], chance: &mut Entropy) -> Vec<u8> {
    let below = |chance: &mut Entropy, bound: usize| chance.below(bound.max(1) as u64) as usize;
    let mut bytes = seeds[below(chance, seeds.len())].clone();
    for _ in 0..chance.below(6) {
        let place = below(chance, bytes.len());
        match chance.below(6) {
            0 if place < bytes.len() => bytes[place] ^= 1 << chance.below(8),
            1 if place < bytes.len() => bytes[place] = chance.u32() as u8,
            2 => bytes.truncate(place),
            3 => bytes.extend(&seeds[below(chance, seeds.len())]),
            4 => bytes.extend(std::iter::repeat_n(chance.u32() as u8, below(chance, 1500))),
            // Lengths, counts and numbers are near the front.
            _ => {
                let place = below(chance, bytes.len().min(16));
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = [0, 1, 0x7f, 0x80, 0xff][below(chance, 5)];
                }
            }
        }
    }
    bytes.truncate(3000);
    bytes
}

#[test]
fn fuzz_legs() {
    let variable = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let seed = variable("FUZZ_SEED").unwrap_or(2026);
    let time = Duration::from_secs(variable("FUZZ_SECONDS").unwrap_or(1));
    let directory = tempfile::tempdir().expect("directory");
    let config = EngineConfig {
        ports: 24_000..=24_099,
        recordings: directory.path().to_owned(),
        max_legs: 10,
        ..EngineConfig::default()
    };
    let clock = Arc::new(Ticking(Instant::now()));
    let engine = Engine::start(config, Library::built_in(), clock).expect("starts");
    let send = |command| engine.send(command).expect("accepted");
    let mut notices = engine.notices(ShardId(0));
    let bind_at = |address| {
        let socket = UdpSocket::bind((address, 0)).expect("binds");
        socket.set_nonblocking(true).expect("does not wait");
        socket
    };
    let bind = || bind_at("127.0.0.1");
    // Two relayed, one of them with RTCP on the RTP port, and three mixed.
    let mut legs = Vec::new();
    for number in 1..=5u64 {
        let (leg, room) = (LegId(number), RoomId(1 + u64::from(number > 2)));
        let (socket, reports) = (bind(), bind());
        let ports = engine.open_leg(leg, ShardId(0)).expect("opens");
        let flow = LegFlow {
            remote_rtcp: reports.local_addr().ok(),
            rtcp_mux: number == 1,
            extended_reports: Asked {
                round_trip: true,
                voip_metrics: true,
            },
            send_telephone_event: Some(EVENT),
            receive_telephone_event: Some(EVENT),
            redundancy: Some(Redundancy {
                send_payload_type: RED,
                receive_payload_type: RED,
                depth: 3,
            }),
            ..flow(socket.local_addr().expect("bound"))
        };
        send(Command::SetLeg { leg, flow });
        send(Command::Answered { leg });
        send(Command::OpenRoom { room });
        send(Command::Join {
            room,
            leg,
            standing: Standing::default(),
        });
        legs.push((ports, socket, reports));
    }
    engine.wake();
    // RTCP is believed from any port of the far end's host (there are NATs that give it another).
    let stranger = bind_at("127.0.0.2");
    let (seeds, mut chance) = (seeds(), Entropy::from_seed(seed));
    let (begun, mut sent, mut told) = (Instant::now(), 0u64, 0u64);
    let mut heard = [0; 3000];
    while begun.elapsed() < time {
        for _ in 0..100 {
            let bytes = mutated(&seeds, &mut chance);
            let (ports, socket, reports) = &legs[chance.below(5) as usize];
            let to = [ports.rtp, ports.rtcp][chance.below(2) as usize];
            let from = [socket, reports, &stranger][chance.below(3) as usize];
            let _ = from.send_to(&bytes, to);
            sent += 1;
        }
        for (_, socket, reports) in &legs {
            while socket.recv_from(&mut heard).is_ok() || reports.recv_from(&mut heard).is_ok() {}
        }
        assert!(
            stranger.recv_from(&mut heard).is_err(),
            "a stranger got something"
        );
        told += std::iter::from_fn(|| notices.try_recv()).count() as u64;
        std::thread::sleep(Duration::from_millis(2));
    }
    // Whoever speaks now is heard: a clean stream, long enough for any latch.
    let mut passed = 0;
    for n in 0..150u16 {
        let header = Header {
            sequence: n,
            timestamp: u32::from(n) * 160,
            ssrc: 0x600d,
            ..Header::default()
        };
        let length = rtp::write(&mut heard, header, &[0x77; 160]).expect("fits");
        let _ = legs[0].1.send_to(&heard[..length], legs[0].0.rtp);
        std::thread::sleep(Duration::from_millis(20));
        while let Ok((length, _)) = legs[1].1.recv_from(&mut heard) {
            passed += u32::from(length == 172 && heard[12] == 0x77);
        }
        if passed > 20 {
            break;
        }
    }
    engine.shutdown();
    println!("legs: {sent} datagrams of seed {seed}, {told} notices, then {passed} packets heard");
    assert!(passed > 20, "{passed} of a clean stream");
    let seen = allocations::seen();
    let ours = |seen: &&String| seen.contains("media") && !seen.contains("an_allocation_is_seen");
    assert_eq!(seen.iter().find(ours), None);
}
