//! The judges judged: SIPp calls baresip without any switch between them, and each of our
//! measuring instruments must see what was truly sent.

use std::time::Duration;

use super::address::{Block, CARRIER, PHONES};
use super::capture_file::Stream;
use super::phone::{Answering, Phone};
use super::sipp::{Sipp, Step};
use super::sound::{level_db, seconds_of, tone};
use super::tap::Tap;
use super::{quiet, wait};

#[test]
fn sipp_and_baresip_hear_each_other_without_a_switch() {
    let _turn = quiet::shared();
    let block = Block::take();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tap = Tap::on(block);
    let voice = folder.path().join("caller.pcap");
    Stream::new(7).speak(&tone(440.0, 3.0)).write(&voice);
    let at = block.at(PHONES, 5_060);
    let mut phone = Phone::start(
        "1001",
        at,
        None,
        Answering::Manual,
        &tone(880.0, 30.0),
        folder.path(),
    );
    let caller = Sipp::new("caller", folder.path(), block.at(CARRIER, 5_060), at)
        .set("number", "1001")
        .set("caller", "0901234567")
        .steps(&[
            Step::Press("12"),
            Step::Pause(1_500),
            Step::Play(&voice),
            Step::Pause(1_000),
        ])
        .set("patience_ms", 20_000)
        .start();
    phone.event("CALL_INCOMING");
    phone.answer();
    phone.event("CALL_ESTABLISHED");
    wait::until_true("440 Hz at the phone", wait::PATIENCE, || {
        phone
            .heard()
            .iter()
            .any(|heard| seconds_of(heard, 440.0) > 2.0)
    });
    phone.hang_up();
    caller.succeed(Duration::from_secs(20));

    let heard = phone.heard().pop().expect("one call was recorded");
    assert!(level_db(&heard[heard.len() - 8_000..], 440.0) > -12.0);
    assert!(level_db(&heard, 880.0) < -40.0);
    let log = phone.log();
    assert!(log.contains("received event: '1'") && log.contains("received event: '2'"));
    let back = tap.heard_at(block.at(CARRIER, 6_000));
    assert!(
        seconds_of(&back.samples, 880.0) > 3.0,
        "{} packets",
        back.packets
    );
    assert_eq!((back.ssrcs.len(), back.sequence_breaks), (1, 0));
    let sent = tap.heard_at(tap_target(&tap, block));
    assert_eq!(sent.digits, "12");
}

#[test]
fn sipp_scenarios_fit_each_other_without_a_switch() {
    let _turn = quiet::shared();
    let block = Block::take();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sound = folder.path().join("digit.pcap");
    Stream::new(1).press('1', 60).write(&sound);
    let (carrier, phone) = (block.at(CARRIER, 5_060), block.at(PHONES, 5_060));
    let sipp = |name: &str, from, to| Sipp::new(name, folder.path(), from, to);
    let answering = |talk_ms: u32| {
        sipp("phone_answers", phone, carrier)
            .set("phone", 1001)
            .set("ring_ms", 50)
            .set("talk_ms", talk_ms)
            .steps(&[Step::Play(&sound)])
            .calls(3, 3, 10)
            .start()
    };
    let calling = |patience_ms: u32| {
        sipp("caller", carrier, phone)
            .steps(&[Step::Play(&sound)])
            .set("patience_ms", patience_ms)
            .calls(3, 3, 10)
    };
    let callee = answering(100);
    calling(20_000).run(wait::PATIENCE);
    callee.succeed(wait::PATIENCE);

    let callee = answering(20_000);
    calling(100).run(wait::PATIENCE);
    callee.succeed(wait::PATIENCE);

    let callee = answering(20_000);
    sipp("caller_leaves", carrier, phone)
        .set("sound", sound.display())
        .instants(&[1, 60, 200])
        .run(wait::PATIENCE);
    callee.succeed(wait::PATIENCE);

    let callee = sipp("phone_refuses", phone, carrier)
        .set("status", "486 Busy Here")
        .start();
    sipp("refused", carrier, phone)
        .set("status", 486)
        .run(wait::PATIENCE);
    callee.succeed(wait::PATIENCE);
}

/// Where the caller sent its audio: the phone's RTP port.
fn tap_target(tap: &Tap, block: Block) -> std::net::SocketAddr {
    tap.packets(|packet| packet.from == block.at(CARRIER, 6_000))
        .first()
        .expect("the caller spoke")
        .to
}
