//! What two-way G.711 calls cost beside a bare forwarder of the same packets, in turns.

use std::time::Duration;

use crate::bare::Bare;
use crate::flows::{Flows, Payload, Window};
use crate::office::{AGENT, Office, QUEUE, THROUGH};
use crate::peer::{Ears, Pace, Peer, Plan};
use crate::statistics::Spread;

/// Trunk to trunk, relayed.
pub(crate) fn run() {
    let ears = Ears::bind();
    let office = Office::open(ears.carrier(), 0);
    let peer = Peer::new(ears, office.sip);
    measure(&office, peer, "relay", THROUGH);
}

/// Trunk to queue to agent, relayed and recorded in stereo.
pub(crate) fn run_recorded() {
    let ears = Ears::bind();
    let office = Office::open(ears.carrier(), CALLS as u32);
    let mut peer = Peer::new(ears, office.sip);
    for phone in AGENT..AGENT + CALLS as u32 {
        peer.register(phone);
    }
    measure(&office, peer, "recorded", QUEUE);
}

fn measure(office: &Office, mut peer: Peer, name: &str, number: &str) {
    let mut through_switch = Flows::bind(2 * CALLS);
    let own = through_switch.addresses();
    peer.caller_media = own[..CALLS].to_vec();
    peer.callee_media = own[CALLS..].to_vec();
    let plan = Plan {
        from: "0901234".to_owned(),
        to: number.to_owned(),
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
    through_switch.aim(&ports);

    let mut through_bare = Flows::bind(2 * CALLS);
    let bare = Bare::between(&through_bare.addresses());
    through_bare.aim(&bare.ports);

    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(through_bare.speak(Payload::Time, WINDOW, || bare.cpu_seconds()));
        ours.push(through_switch.speak(Payload::Time, WINDOW, || office.cpu_seconds()));
    }
    report(name, &ours, &floors);
    peer.end_all();
}

fn report(name: &str, ours: &[Window], floors: &[Window]) {
    let of = |windows: &[Window], value: fn(&Window) -> f64| {
        Spread::of(&windows.iter().map(value).collect::<Vec<_>>())
    };
    let ratios: Vec<f64> = ours
        .iter()
        .zip(floors)
        .map(|(ours, floor)| ours.cpu / floor.cpu)
        .collect();
    println!(
        "{name:<11} {:.1} % of a core for {CALLS} calls, bare forwarder {:.1} %, ratio {:.2}; \
         came through {:.2} % and {:.2} %",
        of(ours, |window| window.cpu),
        of(floors, |window| window.cpu),
        Spread::of(&ratios),
        of(ours, |window| window.heard).median,
        of(floors, |window| window.heard).median,
    );
    let p50 = |windows| of(windows, |window| window.latency.0);
    let p99 = |windows| of(windows, |window| window.latency.1);
    println!(
        "            latency p50 {:.0} us, bare {:.0} us, ratio {:.2}; p99 {:.0} us, bare {:.0} us, \
         ratio {:.2}",
        p50(ours),
        p50(floors),
        p50(ours).median / p50(floors).median,
        p99(ours),
        p99(floors),
        p99(ours).median / p99(floors).median,
    );
}

const CALLS: usize = 100;
const ROUNDS: usize = 7;
const WINDOW: Duration = Duration::from_secs(2);
