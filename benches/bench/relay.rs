//! What two-way G.711 calls cost beside a bare forwarder of the same packets, in turns.

use std::time::Duration;

use crate::bare::Bare;
use crate::bars::{Bar, judge};
use crate::flows::{Flows, Payload, Window};
use crate::office::{AGENT, Office, QUEUE, THROUGH};
use crate::peer::{Ears, Pace, Peer, Plan};
use crate::process::resident_kb;
use crate::statistics::Spread;

/// Trunk to trunk, relayed: a hundred calls, and five hundred.
pub(crate) fn run() {
    for calls in [100, 500] {
        let mut ours = Calls::relayed(calls);
        let mut floor = Floor::between(calls);
        let (mut relay, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            bare.push(floor.speak(Payload::Time));
            relay.push(ours.speak(Payload::Time));
        }
        println!(
            "relay       {:.1} % of a core for {calls} calls, bare forwarder {:.1} %; latency p50 \
             {:.0} us, bare {:.0} us; p99 {:.0} us, bare {:.0} us",
            spread(&relay, |window| window.cpu),
            spread(&bare, |window| window.cpu),
            spread(&relay, |window| window.latency.0),
            spread(&bare, |window| window.latency.0),
            spread(&relay, |window| window.latency.1),
            spread(&bare, |window| window.latency.1),
        );
        let times = Bar::AtMost(1.25);
        judge("CPU", ratio(&relay, &bare, |it| it.cpu), "x bare", times);
        let p50 = ratio(&relay, &bare, |it| it.latency.0);
        let p99 = ratio(&relay, &bare, |it| it.latency.1);
        judge("added latency p50", p50, "x bare", times);
        judge("added latency p99", p99, "x bare", times);
        let lost: u64 = relay.iter().map(|window| window.missing).sum();
        judge("packets lost", lost as f64, "packets", Bar::AtMost(0.0));
        ours.end();
    }
}

/// Trunk to queue to agent, relayed and recorded in stereo, beside the same relayed only: a hundred
/// calls and five hundred, and a hundred in each of the other formats.
pub(crate) fn run_recorded() {
    for calls in [100, 500] {
        record(calls, "wav");
    }
    for format in ["flac", "opus"] {
        record(100, format);
    }
}

fn record(calls: usize, format: &str) {
    let payload = match format {
        "wav" => Payload::Time,
        // What is encoded costs by what it is.
        _ => Payload::Speech,
    };
    let mut taped = Calls::recorded(calls, format);
    let mut plain = Calls::relayed(calls);
    let mut floor = Floor::between(calls);
    let (mut recorded, mut relay, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(floor.speak(payload));
        relay.push(plain.speak(payload));
        recorded.push(taped.speak(payload));
    }
    println!(
        "recorded    {:.1} % of a core for {calls} calls in {format}, relayed only {:.1} %, bare \
             forwarder {:.1} %",
        spread(&recorded, |window| window.cpu),
        spread(&relay, |window| window.cpu),
        spread(&bare, |window| window.cpu),
    );
    let times = ratio(&recorded, &relay, |window| window.cpu);
    if format == "wav" {
        judge("CPU", times, "x relay", Bar::AtMost(1.6));
    } else {
        println!("            {times:.2} x relay");
    }
    let lost: u64 = recorded.iter().map(|window| window.missing).sum();
    judge("packets lost", lost as f64, "packets", Bar::AtMost(0.0));
    let gaps = taped
        .office
        .figure("tsunagu_media_recorder_missed_samples_total");
    judge("samples not recorded", gaps, "samples", Bar::AtMost(0.0));
    taped.end();
    plain.end();
}

/// Calls through a switch that are up.
struct Calls {
    office: Office,
    peer: Peer,
    flows: Flows,
}

impl Calls {
    fn relayed(calls: usize) -> Self {
        let ears = Ears::bind();
        let office = Office::open(ears.carrier(), 0);
        let peer = Peer::new(ears, office.sip);
        Self::begin(office, peer, THROUGH, calls)
    }

    fn recorded(calls: usize, format: &str) -> Self {
        let ears = Ears::bind();
        let office = Office::that_records(ears.carrier(), calls as u32, format);
        let mut peer = Peer::new(ears, office.sip);
        for phone in AGENT..AGENT + calls as u32 {
            peer.register(phone);
        }
        Self::begin(office, peer, QUEUE, calls)
    }

    fn begin(office: Office, mut peer: Peer, number: &str, calls: usize) -> Self {
        let mut flows = Flows::bind(2 * calls);
        let own = flows.addresses();
        peer.caller_media = own[..calls].to_vec();
        peer.callee_media = own[calls..].to_vec();
        let plan = Plan {
            from: "0901234".to_owned(),
            to: number.to_owned(),
        };
        let pace = Pace {
            calls,
            a_second: 50.0,
            hold: None,
        };
        peer.drive(pace, |_| plan.clone());
        peer.wait_for_callees(calls);
        let mut ports = peer.ports_for_callers();
        ports.extend(peer.ports_for_callees());
        flows.aim(&ports);
        Self {
            office,
            peer,
            flows,
        }
    }

    fn speak(&mut self, payload: Payload) -> Window {
        let office = &self.office;
        self.flows.speak(payload, WINDOW, || office.cpu_seconds())
    }

    fn end(mut self) {
        let resident = resident_kb(self.office.pid()) / 1000.0;
        println!("            resident {resident:.1} MB");
        self.peer.end_all();
    }
}

/// The same packets through a process that does nothing else.
struct Floor {
    bare: Bare,
    flows: Flows,
}

impl Floor {
    fn between(calls: usize) -> Self {
        let mut flows = Flows::bind(2 * calls);
        let bare = Bare::between(&flows.addresses());
        flows.aim(&bare.ports);
        Self { bare, flows }
    }

    fn speak(&mut self, payload: Payload) -> Window {
        let bare = &self.bare;
        self.flows.speak(payload, WINDOW, || bare.cpu_seconds())
    }
}

fn spread(windows: &[Window], value: fn(&Window) -> f64) -> Spread {
    Spread::of(&windows.iter().map(value).collect::<Vec<_>>())
}

/// The middle of the ratios of neighbours.
fn ratio(ours: &[Window], floors: &[Window], value: fn(&Window) -> f64) -> f64 {
    let neighbours = ours.iter().zip(floors);
    let ratios: Vec<f64> = neighbours
        .map(|(ours, floor)| value(ours) / value(floor))
        .collect();
    Spread::of(&ratios).median
}

const ROUNDS: usize = 7;
const WINDOW: Duration = Duration::from_secs(2);
