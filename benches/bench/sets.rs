//! What a set-up costs: calls through the switch without a single RTP packet.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::office::{Office, PHONE, THROUGH};
use crate::peer::{Ears, Pace, Peer, Plan};
use crate::process;
use crate::statistics::{Spread, p50_p99};

/// Trunk to trunk (14 messages), and phone to trunk with a digest challenge (17 messages).
pub(crate) fn run() {
    let ears = Ears::bind();
    let office = Office::open(ears.carrier(), 0);
    let mut peer = Peer::new(ears, office.sip);
    let before = office.cpu_seconds();
    peer.idle(IDLE);
    let idle = 100.0 * (office.cpu_seconds() - before) / IDLE.as_secs_f64();
    println!("idle        {idle:.1} % of a core, counted in every figure of the switch below");
    let stranger = Plan {
        from: "0901234".to_owned(),
        to: THROUGH.to_owned(),
    };
    measure(&office, &mut peer, "trunk-trunk", stranger);
    let phone = Plan {
        from: PHONE.to_string(),
        to: "0312345678".to_owned(),
    };
    measure(&office, &mut peer, "phone-trunk with digest", phone);
}

fn measure(office: &Office, peer: &mut Peer, name: &str, plan: Plan) {
    let (pid, done) = (office.pid(), peer.done.clone());
    let sampler = std::thread::spawn(move || {
        std::thread::sleep(WARM_UP + HOLD);
        let mut last = (process::cpu_seconds(pid), done.load(Ordering::Relaxed));
        let mut windows = Vec::new();
        for _ in 0..WINDOWS {
            std::thread::sleep(WINDOW);
            let next = (process::cpu_seconds(pid), done.load(Ordering::Relaxed));
            windows.push(1000.0 * (next.0 - last.0) / (next.1 - last.1) as f64);
            last = next;
        }
        windows
    });
    let seconds = WARM_UP + HOLD + WINDOW * WINDOWS;
    let calls = (seconds.as_secs_f64() * RATE) as usize;
    peer.answers.clear();
    let pace = Pace {
        calls,
        a_second: RATE,
        hold: Some(HOLD),
    };
    peer.drive(pace, |_| plan.clone());
    let windows = Spread::of(&sampler.join().expect("the sampler does not panic"));
    let steady = (WARM_UP.as_secs_f64() * RATE) as usize;
    let from = steady.min(peer.answers.len());
    let (p50, p99) = p50_p99(&mut peer.answers[from..]);
    println!(
        "set-ups     {name}: {windows:.3} CPU-s per 1000 calls at {RATE:.0}/s; \
         INVITE to 200 p50 {:.2} ms, p99 {:.2} ms; {} of {calls} refused",
        p50 / 1000.0,
        p99 / 1000.0,
        std::mem::take(&mut peer.refused),
    );
}

const RATE: f64 = 200.0;
const HOLD: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(3);
const WARM_UP: Duration = Duration::from_secs(2);
const WINDOW: Duration = Duration::from_secs(5);
const WINDOWS: u32 = 3;
