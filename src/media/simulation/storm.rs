//! Random commands in random order: nothing panics, waits for ever, or is left over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::*;
use crate::base::patience::until;
use crate::base::{Clock, Entropy, RecordingId};
use crate::media::{PlayId, Tape};

/// Legs and rooms that may exist at once, by small numbers.
const LEGS: u64 = 8;
const ROOMS: u64 = 3;

/// One random command; returns the leg it opened.
fn gust(engine: &Engine, chance: &mut Entropy, now: Timestamp, step: u64) -> Option<LegId> {
    let leg = LegId(chance.below(LEGS));
    let room = RoomId(chance.below(ROOMS));
    let recording = RecordingId::new(format!("r{}", chance.below(6)));
    let tape = Tape {
        stem: format!("storm/{step}"),
        channels: vec!["l".to_owned(), "r".to_owned()],
        labels: Default::default(),
        format: None,
    };
    let sound = engine.library().sound("busy");
    let codec = Codec::ALL[chance.below(2) as usize];
    let command = match chance.below(17) {
        0 | 1 => return engine.open_leg(leg, ShardId(0)).ok().map(|_| leg),
        2 => Command::OpenRoom { room },
        3..=5 => Command::Join {
            room,
            leg,
            standing: Standing::default(),
        },
        6 => Command::Leave { room, leg },
        7 => Command::CloseLeg { leg },
        8 => Command::CloseRoom { room },
        9 => Command::Echo {
            leg,
            on: chance.below(2) == 0,
        },
        10 => Command::HoldMusic { room, leg, sound },
        11 | 12 => Command::Migrate {
            room,
            worker: chance.below(3) as usize,
        },
        13 => Command::Play {
            leg,
            play: PlayId(step),
            sounds: sound.into_iter().collect(),
            looped: false,
        },
        14 => Command::SetLeg {
            leg,
            flow: LegFlow {
                remote: Some(address(40_000 + 2 * leg.0 as u16)),
                remote_rtcp: None,
                signalled: None,
                rtcp_mux: false,
                extended_reports: Default::default(),
                codec,
                send_payload_type: codec.payload_type(),
                receive_payload_type: codec.payload_type(),
                send_telephone_event: Some(EVENT),
                receive_telephone_event: Some(EVENT),
                telephone_event_hz: codec.clock_hz(),
                redundancy: None,
                comfort_noise: None,
                opus: OpusTerms::default(),
                ptime_ms: 20,
                tones: false,
                sending: true,
                receiving: true,
                srtp: None,
            },
        },
        15 => Command::Record {
            recording,
            room,
            left: leg,
            right: vec![],
            at: now,
            tape,
        },
        _ => Command::StopRecord { recording, at: now },
    };
    // Full is an answer like any other here.
    let _ = engine.send(command);
    None
}

fn calm(engine: &Engine) {
    for leg in (0..LEGS).map(LegId) {
        engine.send(Command::CloseLeg { leg }).expect("teardown");
    }
    for room in (0..ROOMS).map(RoomId) {
        engine.send(Command::CloseRoom { room }).expect("teardown");
    }
}

fn assert_nothing_left(engine: &Engine) {
    let stats = engine.stats();
    for (name, value) in stats.snapshot() {
        if ["legs", "rooms", "recordings", "ports_in_use"].contains(&name) {
            assert_eq!(value, 0, "{name}");
        }
    }
    assert_eq!(stats.notices_dropped.load(Ordering::Relaxed), 0);
}

#[test]
fn a_simulated_storm_leaves_nothing() {
    for seed in 0..20 {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().to_owned();
        let mut office = Office::with(|config| {
            config.recordings = path;
            config.quarantine = Duration::from_millis(100);
            config.max_legs = 500;
        });
        let mut chance = Entropy::from_seed(seed);
        let mut wire: Vec<VirtualEndpoint> = Vec::new();
        for leg in 0..LEGS as u16 {
            wire.push(office.net.endpoint(address(40_000 + 2 * leg)));
        }
        let (mut opened, mut closed) = (0, 0);
        let mut count = |office: &Office| {
            let ends = |notice: &Notice| matches!(notice, Notice::LegClosed { .. });
            closed += office.notices().iter().filter(|n| ends(n)).count();
            closed
        };
        for step in 0..400 {
            let now = at(office.now);
            opened += usize::from(gust(&office.engine, &mut chance, now, step).is_some());
            let end = &wire[chance.below(LEGS) as usize];
            let mut packet = [0x55; 172];
            let header = Header {
                payload_type: [0, 8, EVENT, 13][chance.below(4) as usize],
                sequence: step as u16,
                timestamp: step as u32 * 160,
                ..Header::default()
            };
            rtp::write(&mut packet, header, &[0x55; 160]).expect("fits");
            let port = 20_000 + 2 * chance.below(20) as u16;
            end.send(SocketAddr::from(([127, 0, 0, 1], port)), &packet);
            if chance.below(3) == 0 {
                office.run(chance.below(45) as i64);
                count(&office);
            }
        }
        calm(&office.engine);
        office.run(40);
        assert_eq!(count(&office), opened, "seed {seed}");
        assert_nothing_left(&office.engine);
    }
}

struct Ticking(Instant);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        at(1_000_000) + self.0.elapsed()
    }
}

#[test]
fn a_storm_over_real_threads_leaves_nothing() {
    let directory = tempfile::tempdir().expect("directory");
    let clock = Arc::new(Ticking(Instant::now()));
    let config = EngineConfig {
        workers: 3,
        ports: 22_000..=22_999,
        quarantine: Duration::ZERO,
        recordings: directory.path().to_owned(),
        max_legs: 100,
        ..EngineConfig::default()
    };
    let time = Arc::clone(&clock);
    let engine = Engine::start(config, Library::built_in(), clock).expect("starts");
    let mut notices = engine.notices(ShardId(0));
    let mut chance = Entropy::from_seed(4);
    let (mut opened, mut closed) = (0, 0);
    for step in 0..5000 {
        opened += usize::from(gust(&engine, &mut chance, time.now(), step).is_some());
        while let Some(notice) = notices.try_recv() {
            closed += usize::from(matches!(notice, Notice::LegClosed { .. }));
        }
    }
    // Orders that a full ring refused may be legs never opened; teardown is never refused.
    calm(&engine);
    until("every leg is closed", || {
        let told = std::iter::from_fn(|| notices.try_recv());
        closed += told
            .filter(|it| matches!(it, Notice::LegClosed { .. }))
            .count();
        closed >= opened
    });
    assert_eq!(closed, opened);
    engine.shutdown();
    assert_nothing_left(&engine);
}
