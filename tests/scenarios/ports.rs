//! Whose packets are heard: only those of the negotiated or latched source, and never an old
//! call's on a port that is used again.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::address::{CARRIER, PHONES, STRANGER};
use super::office::{Office, QUARANTINE};
use super::phone::{Answering, Line, Phone};
use super::record::assert_whole;
use super::sipp::Step;
use super::sound::{level_db, read_wav, seconds_of, to_pcmu, tone};
use super::tap::Tap;
use super::{quiet, wait};

#[test]
fn neither_an_old_call_nor_a_stranger_is_heard_on_a_port_used_again() {
    let _turn = quiet::shared();
    let mut office = Office::prepare();
    // Two pairs: a call with an agent takes both, so the next call must use them again.
    office.set("TSUNAGU_MEDIA_PORTS", "30000-30003");
    office.start();
    let tap = Tap::on(office.block);
    // The phone speaks from one port in both calls, and, as it binds no address, from another one
    // than it announces: as if behind a NAT.
    let line = Line {
        media: 20_102..20_104,
        ..Line::default()
    };
    let mut phone = Phone::start_on(
        &line,
        "1001",
        office.phone_address(1001),
        Some(office.sip()),
        Answering::Auto,
        &tone(880.0, 120.0),
        office.folder(),
    );
    phone.registered();

    let first = talk(&office, &tap, &mut phone, 6_000, &[]);
    // The first caller's equipment does not notice that the call is over.
    let old = Noise::start(office.block.at(CARRIER, 6_000), vec![first], 1_200.0);
    std::thread::sleep(QUARANTINE);
    let stranger = office.block.at(STRANGER, 4_000);
    let second = talk(&office, &tap, &mut phone, 7_000, &[stranger]);
    assert_eq!(first, second, "the port was used again");
    drop(old);

    for record in office.records(2) {
        assert_whole(&record, &office.recordings());
        let path = record["recordings"][0]["path"].as_str().expect("a path");
        for channel in read_wav(&office.recordings().join(path)) {
            silent_about(&channel, "the recording");
        }
    }
    for heard in phone.heard() {
        assert!(
            seconds_of(&heard, 440.0) > 2.0,
            "the agent hears the true caller"
        );
        silent_about(&heard, "the agent");
    }
    let caller = tap.heard_at(office.block.at(CARRIER, 7_000));
    assert!(
        seconds_of(&caller.samples, 880.0) > 2.0,
        "the caller hears the agent"
    );
    silent_about(&caller.samples, "the caller");
    assert!(
        tap.heard_at(stranger).packets == 0,
        "nothing is sent to a stranger"
    );
}

#[test]
fn a_caller_behind_nat_is_heard_at_the_port_it_truly_sends_from_and_a_third_party_is_not() {
    let _turn = quiet::shared();
    let office = Office::open();
    let tap = Tap::on(office.block);
    let mut phone = office.phone(1001, Answering::Auto, &tone(880.0, 120.0));
    // Phone 1005 calls 1001 and says in its SDP that it is at 6000, where it never speaks.
    let announced = office.block.at(PHONES + 4, 6_000);
    let caller = office
        .sipp("phone_calls", office.phone_address(1005))
        .set("number", 1001)
        .set("caller", 1005)
        .set("password", "tsunagu-1005")
        .steps(&[])
        .media_port(6_000)
        .set("patience_ms", 120_000)
        .start();
    phone.event("CALL_ESTABLISHED");
    // The switch speaks to where it was told, until it knows better.
    let first = wait::until("sound at the announced port", wait::PATIENCE, || {
        tap.packets(|p| p.to == announced && p.sip().is_none())
            .pop()
    });
    let switch = first.from;

    // The NAT's outside: another address, another port.
    let outside = office.block.at(STRANGER - 1, 31_000);
    let voice = Noise::start(outside, vec![switch], 440.0);
    wait::until_true("the caller's voice at the agent", wait::PATIENCE, || {
        heard(&phone, 440.0) > 2.0
    });
    wait::until_true("the agent's voice at the NAT", wait::PATIENCE, || {
        seconds_of(&tap.heard_at(outside).samples, 880.0) > 2.0
    });

    // Latched: whoever comes now is not heard, and gets nothing.
    let third = office.block.at(STRANGER, 32_000);
    let refused = || {
        office
            .api
            .metric("tsunagu_rtp_packets_total{fate=\"refused\"}")
    };
    let before = refused();
    let noise = Noise::start(third, vec![switch], 1_500.0);
    wait::until_true("a hundred packets refused", wait::PATIENCE, || {
        refused() >= before + 100.0
    });
    drop(noise);
    let so_far = heard(&phone, 440.0);
    wait::until_true("the caller to be heard on", wait::PATIENCE, || {
        heard(&phone, 440.0) > so_far + 1.0
    });
    drop(voice);
    phone.hang_up();
    caller.succeed(wait::PATIENCE);

    let agent = phone.heard().pop().expect("one call was recorded");
    silent_about(&agent, "the agent");
    assert_eq!(
        tap.heard_at(third).packets,
        0,
        "nothing is sent to a third party"
    );
    for record in office.records(1) {
        assert_whole(&record, &office.recordings());
    }
}

/// Seconds of a tone in what the phone has heard in its last call.
fn heard(phone: &Phone, hz: f64) -> f64 {
    phone
        .heard()
        .last()
        .map_or(0.0, |samples| seconds_of(samples, hz))
}

/// One call of 440 Hz to agent 1001, with strangers at the switch's ports as soon as both talk;
/// returns the switch's RTP address on the caller's side.
#[track_caller]
fn talk(
    office: &Office,
    tap: &Tap,
    phone: &mut Phone,
    media_port: u16,
    strangers: &[SocketAddr],
) -> SocketAddr {
    let calls = phone.heard().len();
    let voice = super::story::voice(office.folder(), 440.0, 60.0);
    let caller = office
        .carrier("caller")
        .media_port(media_port)
        .steps(&[
            Step::Pause(500),
            Step::Press("1"),
            Step::Pause(1_000),
            Step::Play(&voice),
        ])
        .set("patience_ms", 60_000)
        .start();
    phone.event("CALL_ESTABLISHED");
    let heard = |phone: &Phone| {
        let files = phone.heard();
        files
            .get(calls)
            .map_or(0.0, |heard| seconds_of(heard, 440.0))
    };
    wait::until_true("the caller's voice at the agent", wait::PATIENCE, || {
        heard(phone) > 0.5
    });
    let caller_at = office.block.at(CARRIER, media_port);
    wait::until_true("the agent's voice at the caller", wait::PATIENCE, || {
        seconds_of(&tap.heard_at(caller_at).samples, 880.0) > 0.2
    });
    let target = caller_port(tap, office, media_port);
    let ports = [30_000, 30_002].map(|port| SocketAddr::new(target.ip(), port));
    let noise: Vec<Noise> = strangers
        .iter()
        .map(|&from| Noise::start(from, ports.to_vec(), 1_500.0))
        .collect();
    wait::until_true("three seconds of talk", wait::PATIENCE, || {
        heard(phone) > 3.5
    });
    drop(noise);
    phone.hang_up();
    caller.succeed(wait::PATIENCE);
    target
}

/// The switch's RTP address that the carrier speaks to.
#[track_caller]
fn caller_port(tap: &Tap, office: &Office, media_port: u16) -> SocketAddr {
    let from = office.block.at(CARRIER, media_port);
    let spoken = tap.packets(|packet| packet.from == from);
    spoken.last().expect("the caller spoke").to
}

#[track_caller]
fn silent_about(samples: &[i16], who: &str) {
    for hz in [1_200.0, 1_500.0] {
        let level = level_db(samples, hz);
        assert!(level < -50.0, "{who} hears {hz} Hz at {level:.1} dB");
    }
}

/// Somebody who sends RTP of one tone to ports where it is not wanted.
struct Noise {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Noise {
    fn start(from: SocketAddr, to: Vec<SocketAddr>, hz: f64) -> Self {
        let socket = wait::until("the old call's port", wait::PATIENCE, || {
            UdpSocket::bind(from).ok()
        });
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let payload: Vec<u8> = tone(hz, 1.0).into_iter().map(to_pcmu).collect();
        let thread = std::thread::spawn(move || {
            let mut count = 0u32;
            while !stopped.load(Ordering::Relaxed) {
                let mut packet = vec![0x80, 0x00];
                packet.extend((count as u16).to_be_bytes());
                packet.extend(count.wrapping_mul(160).to_be_bytes());
                packet.extend(0xbad0_cafe_u32.to_be_bytes());
                let start = (count as usize % 50) * 160;
                packet.extend(&payload[start..start + 160]);
                for &to in &to {
                    let _ = socket.send_to(&packet, to);
                }
                count += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Noise {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
