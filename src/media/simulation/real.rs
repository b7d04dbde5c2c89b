//! The same over the kernel's sockets and real threads, on loopback.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::base::Clock;
use crate::base::patience::PATIENCE;
use crate::media::PlayId;

pub(super) struct Ticking(pub(super) Instant);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        at(1_000_000) + self.0.elapsed()
    }
}

pub(super) fn flow(remote: SocketAddr) -> LegFlow {
    LegFlow {
        remote: Some(remote),
        remote_rtcp: None,
        signalled: None,
        rtcp_mux: false,
        extended_reports: Default::default(),
        codec: Codec::Pcmu,
        send_payload_type: 0,
        receive_payload_type: 0,
        send_telephone_event: None,
        receive_telephone_event: None,
        telephone_event_hz: 8000,
        redundancy: None,
        comfort_noise: None,
        opus: OpusTerms::default(),
        ptime_ms: 20,
        tones: false,
        sending: true,
        receiving: true,
        srtp: None,
    }
}

#[test]
fn real_sockets_relay_play_and_close() {
    let directory = tempfile::tempdir().expect("directory");
    let config = EngineConfig {
        ports: 21_000..=21_999,
        recordings: directory.path().to_owned(),
        max_legs: 10,
        ..EngineConfig::default()
    };
    let clock = Arc::new(Ticking(Instant::now()));
    let engine = Engine::start(config, Library::built_in(), clock).expect("starts");
    let mut notices = engine.notices(ShardId(0));
    let phone = || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("binds");
        let patience = Some(Duration::from_secs(5));
        socket.set_read_timeout(patience).expect("timeout");
        socket
    };
    let (a, b) = (phone(), phone());
    let mut legs = Vec::new();
    engine.send(Command::OpenRoom { room: ROOM }).expect("room");
    for (number, socket) in [(1, &a), (2, &b)] {
        let leg = LegId(number);
        let ports = engine.open_leg(leg, ShardId(0)).expect("opens");
        let flow = flow(socket.local_addr().expect("bound"));
        engine.send(Command::SetLeg { leg, flow }).expect("set");
        engine
            .send(Command::Join {
                room: ROOM,
                leg,
                standing: Standing::default(),
            })
            .expect("joins");
        legs.push(ports.rtp);
    }
    let header = Header {
        ssrc: 5,
        ..Header::default()
    };
    let mut packet = [0; 172];
    rtp::write(&mut packet, header, &[0x55; 160]).expect("fits");
    let mut buffer = [0; 512];
    // The legs may still be on their way to one worker: speak until heard.
    let heard = (0..100u16).find_map(|n| {
        packet[2..4].copy_from_slice(&n.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(n) * 160).to_be_bytes());
        a.send_to(&packet, legs[0]).expect("sends");
        let mut wait = b.try_clone().expect("clones");
        receive(&mut wait, &mut buffer)
    });
    let (length, from) = heard.expect("relayed");
    assert_eq!((length, from), (172, legs[1]));
    assert_eq!(&buffer[12..172], &[0x55; 160]);

    let leg = LegId(2);
    let sounds = vec![engine.library().sound("busy").expect("built in")];
    let play = PlayId(1);
    let looped = true;
    engine
        .send(Command::Play {
            leg,
            play,
            sounds,
            looped,
        })
        .expect("plays");
    // A machine so busy that ticks are late plays nothing until it is calm again.
    b.set_read_timeout(Some(PATIENCE)).expect("timeout");
    for _ in 0..5 {
        assert!(b.recv_from(&mut buffer).is_ok());
    }
    assert!(engine.ready());
    engine.send(Command::CloseLeg { leg }).expect("closes");
    engine.shutdown();
    let mut closed = 0;
    while let Some(notice) = notices.try_recv() {
        closed += usize::from(matches!(notice, Notice::LegClosed { .. }));
    }
    assert_eq!((closed, engine.open_ports()), (2, 0));
}

/// One datagram, waited for 50 ms.
fn receive(socket: &mut UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    socket
        .set_read_timeout(Some(Duration::from_millis(50)))
        .expect("timeout");
    socket.recv_from(buffer).ok()
}
