//! What a bridged call occupies, and what it leaves behind.

use std::time::Duration;

use crate::office::{Office, THROUGH};
use crate::peer::{Ears, Pace, Peer, Plan};
use crate::process::resident_kb;

/// Resident memory before, during and after many calls at once, twice.
pub(crate) fn run() {
    let ears = Ears::bind();
    let office = Office::open(ears.carrier(), 0);
    let mut peer = Peer::new(ears, office.sip);
    // What is allocated once, by the first calls, belongs to no call.
    round(&office, &mut peer, 20);
    let start = resident_kb(office.pid());
    let (some, _) = round(&office, &mut peer, CALLS);
    let (twice, after) = round(&office, &mut peer, 2 * CALLS);
    let (again, end) = round(&office, &mut peer, 2 * CALLS);
    let each = (again - some) / CALLS as f64;
    let mb = |kb: f64| kb / 1000.0;
    println!(
        "memory      resident {:.1} MB before, {:.1} MB with {CALLS} bridged calls, {:.1} MB with \
         twice as many, {:.1} MB after; {:.1} MB the second time, {:.1} MB after",
        mb(start),
        mb(some),
        mb(twice),
        mb(after),
        mb(again),
        mb(end),
    );
    // What grows once and stays, as queues and tables do, belongs to no call.
    println!(
        "            {each:.1} kB a further relayed call, its signalling and records included"
    );
}

/// Resident kB with all calls up, and after them.
fn round(office: &Office, peer: &mut Peer, calls: usize) -> (f64, f64) {
    let plan = Plan {
        from: "0901234".to_owned(),
        to: THROUGH.to_owned(),
    };
    peer.drive(
        Pace {
            calls,
            a_second: 100.0,
            hold: None,
        },
        |_| plan.clone(),
    );
    peer.idle(Duration::from_secs(1));
    let during = resident_kb(office.pid());
    peer.end_all();
    // The few calls of the first round leave transactions that hardly show.
    peer.idle(if calls >= CALLS {
        SETTLED
    } else {
        Duration::from_secs(2)
    });
    (during, resident_kb(office.pid()))
}

const CALLS: usize = 1000;
/// Transactions rest for 32 s (64 T1) after a call, and their ports for 5 s.
const SETTLED: Duration = Duration::from_secs(34);
