//! What happens when there is too much: full rings, late ticks, no ports.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::*;
use crate::media::Shed;
use crate::media::io::VirtualIo;
use crate::media::notices::{NoticeReceiver, NoticeRing, NoticeSender};
use crate::media::ring::Bell;
use crate::media::sound::Studio;
use crate::media::worker::{Ended, Inbox, Parts, Worker};
use crate::media::{Full, MediaError, Stats};

#[test]
fn a_full_ring_refuses_wishes_and_never_teardown() {
    let mut office = Office::new();
    let a = office.phone(1, Codec::Pcmu);
    let leg = a.leg;
    let echo = || office.engine.send(Command::Echo { leg, on: true });
    let accepted = (0..10_000).take_while(|_| echo().is_ok()).count();
    assert!((1000..10_000).contains(&accepted));
    assert_eq!(echo(), Err(Full));
    assert!(!office.engine.ready());
    office.send(Command::StopPlay { leg });
    office.send(Command::CloseLeg { leg });
    for _ in 0..30 {
        office.run(20);
    }
    assert!(office.engine.ready());
    let closed = office.notices();
    assert!(matches!(closed[..], [Notice::LegClosed { .. }]));
}

#[test]
fn ports_and_legs_run_out_with_a_reason() {
    let office = Office::with(|config| config.ports = 20_000..=20_003);
    let open = |n| office.engine.open_leg(LegId(n), ShardId(0));
    assert!(open(1).is_ok());
    assert_eq!(open(1), Err(MediaError::Exists(LegId(1))));
    assert!(open(2).is_ok());
    assert_eq!(open(3), Err(MediaError::NoPorts));
    let office = Office::with(|config| config.max_legs = 1);
    let open = |n| office.engine.open_leg(LegId(n), ShardId(0));
    assert!(open(1).is_ok());
    assert_eq!(open(2), Err(MediaError::NoPorts));
}

#[test]
fn a_port_somebody_else_holds_is_passed_over() {
    let office = Office::with(|config| config.ports = 20_000..=20_003);
    let _other = office
        .net
        .endpoint(SocketAddr::from(([127, 0, 0, 1], 20_001)));
    let ports = office
        .engine
        .open_leg(LegId(1), ShardId(0))
        .expect("the next");
    assert_eq!(ports.rtp.port(), 20_002);
    assert_eq!(ports.rtcp.port(), 20_003);
}

#[test]
fn late_ticks_are_counted_caught_up_and_told_but_never_drift() {
    let stats = Arc::new(Stats::default());
    let inbox = Arc::new(Inbox::new(1, Arc::new(Bell::silent())));
    let ring = NoticeRing::new(1);
    let parts = Parts {
        number: 0,
        io: Box::new(VirtualIo::new(VirtualNet::new())),
        inboxes: [Arc::clone(&inbox)].into(),
        notices: NoticeSender::new(vec![Arc::clone(&ring)], 8),
        ended: Arc::new(Ended::new(1)),
        stats: Arc::clone(&stats),
        studio: Studio::Inline,
        max_legs: 1,
        cname: "test".to_owned(),
    };
    let mut worker = Worker::new(parts, at(7));
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    worker.take_ticks(at(19));
    assert_eq!(count(&stats.ticks), 0);
    worker.take_ticks(at(20));
    worker.take_ticks(at(99));
    assert_eq!((count(&stats.ticks), count(&stats.late_ticks)), (4, 3));
    assert_eq!(worker.next_tick(), at(100));
    assert!(inbox.is_ready());
    // A stall of a second is not made up for, and the grid stays.
    worker.take_ticks(at(1111));
    assert_eq!(worker.next_tick(), at(1120));
    assert!(count(&stats.skipped_ticks) >= 45);
    for n in 0..8 {
        worker.take_ticks(at(1120 + 20 * n + 30));
    }
    worker.take_ticks(at(3000));
    for n in 0..10 {
        worker.take_ticks(at(3100 + n * 60));
    }
    assert!(!inbox.is_ready());
    let mut receiver = NoticeReceiver::new(ring);
    assert!(matches!(
        receiver.try_recv(),
        Some(Notice::Overloaded {
            worker: 0,
            shed: Shed::Figures
        })
    ));
    let from = worker.next_tick().as_millis();
    for n in 0..70 {
        worker.take_ticks(at(from + n * 20));
    }
    assert!(inbox.is_ready());
    assert!(matches!(
        receiver.try_recv(),
        Some(Notice::Overloaded {
            shed: Shed::Nothing,
            ..
        })
    ));
}
