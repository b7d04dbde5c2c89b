//! Nothing is allocated or freed between a packet in and a packet out, or in a tick: seen with real
//! threads, real sockets and everything a leg can do at once.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Map;

use super::real::{Ticking, flow};
use super::*;
use crate::base::{Clock, RecordingId};
use crate::media::{Capture, Encoder, MAX_FRAME, PlayId, Redundancy, Tape};
use crate::media::{allocations, srtp};

const NOISE: u8 = 13;
const RED: u8 = 100;
const SPOKEN: Duration = Duration::from_secs(3);

/// A far end that talks, dials, and forgets what it hears.
struct Talker {
    socket: UdpSocket,
    to: SocketAddr,
    packet: [u8; 600],
    encoder: Encoder,
    number: u16,
    /// Of these, that were pauses.
    silent: u16,
    /// Descriptions of silence that came.
    noises: u32,
    ssrc: u32,
    /// Protects what it says, when its leg is secure.
    srtp: Option<srtp::Session>,
}

impl Talker {
    fn speak(&mut self) {
        self.number = self.number.wrapping_add(1);
        let codec = self.encoder.codec();
        let frame = codec.clock_hz() / 50;
        let mut header = Header {
            payload_type: codec.payload_type(),
            sequence: self.number,
            timestamp: u32::from(self.number) * frame,
            ssrc: self.ssrc,
            ..Header::default()
        };
        let mut samples = [0i16; MAX_FRAME];
        let samples = &mut samples[..self.encoder.rate().frame()];
        let tone = f64::from(self.ssrc) / 10.0 * f64::from(self.encoder.rate().hz()) / 8000.0;
        let first = usize::from(self.number) * samples.len();
        for (n, sample) in samples.iter_mut().enumerate() {
            let phase = (first + n) as f64 / tone;
            *sample = if phase.sin() > 0.0 { 6000 } else { -6000 };
        }
        let mut payload = [0u8; 400];
        let mut length = self.encoder.encode(samples, &mut payload);
        // Every fourth second a digit of 100 ms.
        if self.number % 200 < 5 {
            header.payload_type = EVENT;
            let gone = u32::from(self.number % 200) * frame;
            header.timestamp = header.timestamp.wrapping_sub(gone);
            payload[..4].copy_from_slice(&[5, 10, 0, (160 * (self.number % 200)) as u8]);
            length = 4;
            // With the digit before, on some.
            if self.ssrc.is_multiple_of(2) {
                header.payload_type = RED;
                let block = rtp::Block {
                    payload_type: EVENT,
                    offset: 1600,
                    payload: &[6, 0x8a, 3, 32],
                };
                let digit = [5, 10, 0, (160 * (self.number % 200)) as u8];
                length = rtp::write_redundant(&mut payload, &[block], EVENT, &digit).expect("fits");
            }
        }
        // Of every two seconds the last half is a pause, described beforehand.
        match self.number % 100 {
            0..75 => {}
            75 if codec.clock_hz() == 8000 => {
                header.payload_type = NOISE;
                payload[0] = 80;
                length = 1;
            }
            _ => {
                // Nothing was sent, and no number used.
                self.silent += 1;
                length = 0;
            }
        }
        if length == 0 {
            return;
        }
        header.sequence = self.number.wrapping_sub(self.silent);
        let mut length = rtp::write(&mut self.packet, header, &payload[..length]).expect("fits");
        if let Some(session) = &mut self.srtp {
            length = session.protect(&mut self.packet, length).expect("fits");
        }
        // Some are lost, some come twice.
        if !self.number.is_multiple_of(37) {
            let _ = self.socket.send_to(&self.packet[..length], self.to);
        }
        if self.number.is_multiple_of(41) {
            let _ = self.socket.send_to(&self.packet[..length], self.to);
        }
        let mut heard = [0; 512];
        while self.socket.recv_from(&mut heard).is_ok() {
            self.noises += u32::from(heard[1] & 0x7f == NOISE);
        }
    }
}

#[test]
fn packets_and_ticks_allocate_nothing() {
    let directory = tempfile::tempdir().expect("directory");
    let config = EngineConfig {
        ports: 23_000..=23_199,
        recordings: directory.path().to_owned(),
        max_legs: 40,
        ..EngineConfig::default()
    };
    let clock = Arc::new(Ticking(Instant::now()));
    let engine = Engine::start(config, Library::built_in(), clock.clone()).expect("starts");
    let send = |command| engine.send(command).expect("accepted");
    let library = engine.library();
    let sound = |name| library.sound(name).expect("built in");
    let mut talkers = Vec::new();
    let mut open = |number: u64, codec: Codec, ptime_ms: u32| {
        let leg = LegId(number);
        let socket = UdpSocket::bind("127.0.0.1:0").expect("binds");
        socket.set_nonblocking(true).expect("does not wait");
        let ports = engine.open_leg(leg, ShardId(0)).expect("opens");
        // Some are secure, by each suite.
        let suite = srtp::Suite::ALL
            .get(number as usize / 2)
            .filter(|_| number % 2 == 1);
        let keys = suite.and_then(|suite| {
            let octets = vec![number as u8; suite.key_octets() + suite.salt_octets()];
            let key = srtp::MasterKey::new(*suite, &octets)?;
            Some(srtp::Keys {
                send: key.clone(),
                receive: key,
            })
        });
        let flow = LegFlow {
            srtp: keys.clone(),
            codec,
            send_payload_type: codec.payload_type(),
            receive_payload_type: codec.payload_type(),
            send_telephone_event: Some(EVENT),
            receive_telephone_event: Some(EVENT),
            redundancy: Some(Redundancy {
                send_payload_type: RED,
                receive_payload_type: RED,
                depth: 3,
            }),
            ptime_ms,
            tones: false,
            comfort_noise: (codec.clock_hz() == 8000).then_some(NOISE),
            ..flow(socket.local_addr().expect("bound"))
        };
        send(Command::SetLeg { leg, flow });
        talkers.push(Talker {
            socket,
            to: ports.rtp,
            packet: [0; 600],
            encoder: Encoder::new(codec),
            silent: 0,
            noises: 0,
            number: 0,
            ssrc: 100 + number as u32,
            srtp: keys.map(srtp::Session::new),
        });
        leg
    };
    let record = |room: u64, left: LegId, right: Vec<LegId>| Command::Record {
        recording: RecordingId::new(format!("r{room}")),
        room: RoomId(room),
        left,
        right,
        at: clock.now(),
        tape: Tape {
            stem: format!("r{room}"),
            channels: vec!["caller".to_owned(), "agent".to_owned()],
            labels: Map::new(),
            format: None,
        },
    };
    use Codec::{G722, Opus, Pcma, Pcmu};
    let crowd = [(Pcmu, 20); 12];
    let rooms: [&[(Codec, u32)]; 6] = [
        // Relayed and recorded.
        &[(Pcmu, 20), (Pcmu, 20)],
        &[(Opus, 20), (Opus, 20)],
        // Mixed and recorded, at each rate.
        &[(Pcmu, 20), (Pcmu, 20), (Pcma, 30)],
        &[(Pcmu, 20), (G722, 20), (G722, 40)],
        &[(Pcmu, 20), (G722, 20), (Opus, 20), (Opus, 20)],
        &crowd,
    ];
    let mut number = 0;
    for (room, members) in (1..).zip(rooms) {
        send(Command::OpenRoom { room: RoomId(room) });
        let mut legs = Vec::new();
        for (codec, ptime_ms) in members {
            number += 1;
            let leg = open(number, *codec, *ptime_ms);
            send(Command::Join {
                room: RoomId(room),
                leg,
                standing: Standing::default(),
            });
            legs.push(leg);
        }
        if members.len() < crowd.len() {
            send(record(room, legs[0], vec![legs[1]]));
        }
    }
    // One hears an announcement and then nothing, one music, one itself, and one is looked at.
    let (played, held, echo) = (open(101, Pcmu, 20), open(102, G722, 20), {
        open(103, Pcmu, 20)
    });
    send(Command::Play {
        leg: played,
        play: PlayId(1),
        sounds: vec![sound("busy"), sound("tone-1004")],
        looped: false,
    });
    // Members of a mix who hear something else, and then the mix again.
    for (leg, play) in [(9, 3), (11, 4)] {
        send(Command::Play {
            leg: LegId(leg),
            play: PlayId(play),
            sounds: vec![sound("busy")],
            looped: false,
        });
    }
    send(Command::Play {
        leg: held,
        play: PlayId(2),
        sounds: vec![sound("ringback")],
        looped: true,
    });
    send(Command::Echo {
        leg: echo,
        on: true,
    });
    send(Command::SendDigits {
        leg: held,
        digits: "123".to_owned(),
    });
    let capture = Arc::new(Capture::new(100));
    send(Command::Capture {
        leg: echo,
        capture: Arc::clone(&capture),
    });
    engine.wake();
    let begun = Instant::now();
    let mut rounds = 0;
    while begun.elapsed() < SPOKEN {
        rounds += 1;
        for talker in &mut talkers {
            talker.speak();
        }
        let next = begun + Duration::from_millis(20 * rounds);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let packets = engine
        .stats()
        .packets_in
        .load(std::sync::atomic::Ordering::Relaxed);
    engine.shutdown();
    assert!(packets > 1000, "{packets}");
    // Those of the crowd are the mix's: they hear nobody's packets.
    let described = talkers.iter().filter(|talker| talker.noises > 0).count();
    assert!(described > 10, "{described} were told of silence");
    let seen = allocations::seen();
    let ours: Vec<_> = seen.iter().filter(|seen| seen.contains("media")).collect();
    assert!(
        !ours
            .iter()
            .any(|seen| !seen.contains("an_allocation_is_seen")),
        "{ours:#?}"
    );
}

#[test]
fn a_relayed_call_occupies_little() {
    let mut office = Office::with(|config| {
        config.ports = 20_000..=20_999;
        config.max_legs = 200;
    });
    let mut calls = |from: u16| {
        let mut phones = Vec::with_capacity(80);
        for n in from..from + 40 {
            let room = RoomId(n.into());
            office.send(Command::OpenRoom { room });
            for number in [2 * n, 2 * n + 1] {
                let phone = office.phone(number, Codec::Pcmu);
                office.send(Command::Join {
                    room,
                    leg: phone.leg,
                    standing: Standing::default(),
                });
                phones.push(phone);
            }
        }
        office.run(100);
        phones
    };
    let first = calls(100);
    let before = allocations::occupied();
    let second = calls(200);
    let each = (allocations::occupied() - before) / 40;
    println!("{each} octets a relayed call, its far ends here among them");
    // The bar is 24 kB; it is far away, and should stay there.
    assert!((2000..16_000).contains(&each), "{each}");
    drop((first, second));
}
