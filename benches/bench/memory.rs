//! What a bridged call occupies, and what it leaves behind.

use std::time::Duration;

use crate::bars::{Bar, judge};
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
    let (first, after_first) = round(&office, &mut peer, CALLS);
    let (second, after_second) = round(&office, &mut peer, CALLS);
    let each = (second - after_first) / CALLS as f64;
    println!(
        "memory      {:.1} kB per bridged call ({CALLS} at once), again {:.1} kB; resident {:.1} MB \
         before, {:.1} MB after the first round, {:.1} MB after the second",
        (first - start) / CALLS as f64,
        each,
        start / 1000.0,
        after_first / 1000.0,
        after_second / 1000.0,
    );
    judge("a relayed call with its signalling", each, "kB", Bar::AtMost(24.0));
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
    peer.idle(if calls == CALLS {
        SETTLED
    } else {
        Duration::from_secs(2)
    });
    (during, resident_kb(office.pid()))
}

const CALLS: usize = 1000;
/// Transactions rest for 32 s (64 T1) after a call, and their ports for 5 s.
const SETTLED: Duration = Duration::from_secs(34);
