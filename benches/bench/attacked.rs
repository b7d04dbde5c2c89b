//! Two hundred recorded calls while strangers flood the switch.
//!
//! The flood is of all kinds at once: INVITEs, guessed passwords, forged BYEs and CANCELs, rubbish,
//! from a hundred addresses that belong to nobody. What counts is what the callers notice.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::bars::{Bar, judge};
use crate::flows::{Flows, Payload};
use crate::office::{AGENT, Office, QUEUE};
use crate::peer::{Ears, Pace, Peer, Plan};

/// Trunk to queue to agent, recorded in stereo, without and with the flood.
pub(crate) fn run() {
    let ears = Ears::bind();
    let office = Office::open(ears.carrier(), CALLS as u32);
    let mut peer = Peer::new(ears, office.sip);
    for phone in AGENT..AGENT + CALLS as u32 {
        peer.register(phone);
    }
    let mut flows = Flows::bind(2 * CALLS);
    let own = flows.addresses();
    peer.caller_media = own[..CALLS].to_vec();
    peer.callee_media = own[CALLS..].to_vec();
    let plan = Plan {
        from: "0901234".to_owned(),
        to: QUEUE.to_owned(),
    };
    let pace = Pace {
        calls: CALLS,
        a_second: 50.0,
        hold: None,
    };
    peer.drive(pace, |_| plan.clone());
    peer.wait_for_callees(CALLS);
    let mut ports = peer.ports_for_callers();
    ports.extend(peer.ports_for_callees());
    flows.aim(&ports);

    println!("attacked    {CALLS} recorded calls, {RATE} hostile datagrams a second");
    for is_flooded in [false, true] {
        let flood = is_flooded.then(|| Flood::start(office.sip));
        let late = office.figure("tsunagu_media_late_ticks_total");
        let gaps = office.figure("tsunagu_recorder_missed_samples_total");
        let begun = Instant::now();
        let window = flows.speak(Payload::Time, WINDOW, || office.cpu_seconds());
        // Two workers, fifty ticks a second each.
        let ticks = begun.elapsed().as_secs_f64() * 100.0;
        let late = office.figure("tsunagu_media_late_ticks_total") - late;
        let gaps = office.figure("tsunagu_recorder_missed_samples_total") - gaps;
        let sent = flood.map_or(0, Flood::stop);
        let name = if is_flooded { "flooded" } else { "in peace" };
        println!(
            "  {name}: {:.1} % of a core, {sent} hostile datagrams, latency p99 {:.0} us",
            window.cpu, window.latency.1
        );
        let lost = 100.0 - window.heard;
        judge("packets lost", lost, "%", Bar::AtMost(0.0));
        judge("late ticks", 100.0 * late / ticks, "%", Bar::AtMost(0.1));
        judge("samples missing in recordings", gaps, "", Bar::AtMost(0.0));
    }
    println!(
        "  turned away at the door: {:.0}",
        office.figure("tsunagu_turned_away_total")
    );
    peer.end_all();
}

struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Flood {
    fn start(at: SocketAddr) -> Self {
        let sockets: Vec<UdpSocket> = (1..=SOURCES)
            .map(|last| {
                UdpSocket::bind(SocketAddr::from(([127, 66, 6, last], 0))).expect("a free port")
            })
            .collect();
        let (stop, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stopped, counted) = (stop.clone(), sent.clone());
        let thread = std::thread::spawn(move || {
            let begun = Instant::now();
            let mut count = 0u64;
            while !stopped.load(Ordering::Relaxed) {
                let due = (begun.elapsed().as_secs_f64() * RATE as f64) as u64;
                while count < due {
                    let socket = &sockets[count as usize % sockets.len()];
                    let _ = socket.send_to(hostile(count).as_bytes(), at);
                    count += 1;
                }
                counted.store(count, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self { stop, sent, thread }
    }

    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        self.sent.load(Ordering::Relaxed)
    }
}

/// One hostile datagram.
fn hostile(count: u64) -> String {
    let (method, more) = match count % 5 {
        0 => ("INVITE", ""),
        1 => (
            "REGISTER",
            "Authorization: Digest username=\"1001\", realm=\"tsunagu\", nonce=\"0\", \
             uri=\"sip:1001\", response=\"00000000000000000000000000000000\"\r\n",
        ),
        2 => ("BYE", ""),
        3 => ("CANCEL", ""),
        _ => return "\u{1}rubbish\r\n".repeat(30),
    };
    format!(
        "{method} sip:1001@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.66.6.1;branch=z9hG4bK{count}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:1001@127.0.0.1>;tag={count}\r\n\
         To: <sip:1001@127.0.0.1>{}\r\nCall-ID: {count}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:a@127.66.6.1>\r\n{more}Content-Length: 0\r\n\r\n",
        if method == "BYE" { ";tag=guess" } else { "" }
    )
}

const CALLS: usize = 200;
const SOURCES: u8 = 100;
const RATE: u64 = 5_000;
const WINDOW: Duration = Duration::from_secs(10);
