//! Nothing of a stream breaks: between relay and mix, between workers, between processes.

use super::*;

/// Every packet follows the one before: one SSRC, sequence by one, timestamps by one frame, or two
/// at a seam. Returns how many seams inserted or dropped something.
fn seams(got: &[Got]) -> usize {
    let mut irregular = 0;
    for pair in got.windows(2) {
        let (a, b) = (&pair[0].header, &pair[1].header);
        assert_eq!(a.ssrc, b.ssrc);
        assert_eq!(b.sequence, a.sequence.wrapping_add(1), "at {}", pair[1].at);
        let step = rtp::distance(b.timestamp, a.timestamp);
        assert!(step == 160 || step == 320, "{step} at {}", pair[1].at);
        let late = pair[1].at.since(pair[0].at).as_millis();
        assert!(late <= 40, "{late} ms without a packet");
        irregular += usize::from(step != 160);
    }
    irregular
}

#[test]
fn a_third_member_joins_and_leaves_twenty_times() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    let mut c = office.phone(3, Codec::Pcmu);
    office.talk(10, &mut [&mut a, &mut b, &mut c]);
    for round in 0..20 {
        office.join(&c);
        office.talk(7 + round % 5, &mut [&mut a, &mut b, &mut c]);
        let (room, leg) = (ROOM, c.leg);
        office.send(Command::Leave { room, leg });
        office.talk(6 + round % 3, &mut [&mut a, &mut b, &mut c]);
    }
    for phone in [&a, &b] {
        let got = phone.got();
        assert!(seams(&got) <= 40);
        let (first, last) = (&got[0], &got[got.len() - 1]);
        let sent = rtp::distance(last.header.timestamp, first.header.timestamp);
        let gone = last.at.since(first.at).as_millis() as i32 * 8;
        assert!(
            (sent - gone).abs() <= 320,
            "nothing adds up: {sent} in {gone}"
        );
    }
}

#[test]
fn a_room_moves_between_workers_while_relayed_and_while_mixed() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    let mut c = office.phone(3, Codec::Pcmu);
    office.talk(10, &mut [&mut a, &mut b, &mut c]);
    let room = ROOM;
    for round in 0..20 {
        let worker = (round + 1) % 2;
        office.send(Command::Migrate { room, worker });
        office.talk(5, &mut [&mut a, &mut b, &mut c]);
        if round == 9 {
            office.join(&c);
        }
    }
    for (phone, hz) in [(&a, 880.0), (&b, 440.0)] {
        let got = phone.got();
        assert!(seams(&got) <= 1);
        let heard = listen(Codec::Pcmu, &got);
        assert!(
            level(&heard[160..8000], hz) > -13.5,
            "no frame lost in relay"
        );
        assert!(
            level(&heard[heard.len() - 6400..], hz) > -13.5,
            "nor in the mix"
        );
    }
}

#[test]
fn a_leg_follows_into_a_room_on_another_worker_with_its_music() {
    let mut office = Office::new();
    let (mut a, mut b) = (office.phone(1, Codec::Pcmu), office.phone(2, Codec::Pcmu));
    office.send(Command::OpenRoom { room: ROOM });
    office.join(&a);
    let sound = office
        .engine
        .library()
        .sound("tone-1004")
        .expect("built in");
    office.send(Command::Play {
        leg: b.leg,
        play: crate::media::PlayId(1),
        sounds: vec![sound],
        looped: true,
    });
    office.talk(10, &mut [&mut a, &mut b]);
    // Everything at once: the orders for the leg wait for the leg.
    office.join(&b);
    office.send(Command::StopPlay { leg: b.leg });
    office.talk(30, &mut [&mut a, &mut b]);
    let got = b.got();
    assert!(seams(&got) <= 1);
    let heard = listen(b.codec, &got);
    assert!(level(&heard[..1600], 1004.0) > -10.0);
    assert!(level(&heard[2400..], 440.0) > -13.5);
}

#[test]
fn a_checkpoint_goes_on_in_another_engine() {
    let mut office = Office::new();
    let (mut a, mut b) = office.pair();
    office.talk(20, &mut [&mut a, &mut b]);
    for phone in [&a, &b] {
        let leg = phone.leg;
        office.send(Command::Checkpoint { leg });
    }
    office.run(0);
    let states: Vec<_> = office
        .notices()
        .into_iter()
        .filter_map(|notice| match notice {
            Notice::LegCheckpoint { state, .. } => Some(state),
            _ => None,
        })
        .collect();
    let text = serde_json::to_string(&states).expect("serialises");
    let states: Vec<crate::media::LegState> = serde_json::from_str(&text).expect("and back");
    let before = b.got();
    let Office { engine, net, now } = office;
    drop(engine);
    let config = EngineConfig {
        ports: 20_000..=20_199,
        ..EngineConfig::default()
    };
    let engine = Engine::simulated(config, Library::built_in(), net.clone());
    let mut office = Office { engine, net, now };
    for state in &states {
        let ports = office.engine.restore_leg(state).expect("restores");
        assert_eq!(ports, state.ports);
    }
    office.send(Command::OpenRoom { room: ROOM });
    office.join(&a);
    office.join(&b);
    office.talk(20, &mut [&mut a, &mut b]);
    let after = b.got();
    assert_eq!(after.len(), 20);
    let (last, first) = (before[before.len() - 1].header, after[0].header);
    assert_eq!(first.ssrc, last.ssrc);
    let step = first.sequence.wrapping_sub(last.sequence);
    assert!((1..1000).contains(&step), "{step}");
    let step = rtp::distance(first.timestamp, last.timestamp);
    assert!((160..=320).contains(&step), "{step}");
}

#[test]
fn nothing_is_left_after_many_calls() {
    let mut office = Office::with(|config| config.quarantine = std::time::Duration::ZERO);
    for round in 0..100 {
        let (mut a, mut b) = office.pair();
        let mut c = office.phone(3, Codec::Pcma);
        office.talk(3, &mut [&mut a, &mut b, &mut c]);
        if round % 2 == 0 {
            office.join(&c);
        }
        office.talk(2, &mut [&mut a, &mut b, &mut c]);
        for phone in [&a, &b, &c] {
            office.send(Command::CloseLeg { leg: phone.leg });
        }
        office.send(Command::CloseRoom { room: ROOM });
        office.run(20);
        assert_eq!(office.engine.open_ports(), 0);
        let ends = |notice: &Notice| matches!(notice, Notice::LegClosed { .. });
        assert_eq!(office.notices().iter().filter(|n| ends(n)).count(), 3);
    }
    let stats = office.engine.stats();
    let left =
        |gauge: &std::sync::atomic::AtomicU64| gauge.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((left(&stats.legs), left(&stats.rooms)), (0, 0));
}
