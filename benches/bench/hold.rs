//! What callers who wait with music cost, beside a bare process that takes and sends as many packets.

use std::time::Duration;

use crate::bare::Bare;
use crate::bars::{Bar, judge};
use crate::flows::{Flows, Payload, Window};
use crate::office::{Office, WAITING};
use crate::peer::{Ears, Pace, Peer, Plan};
use crate::statistics::Spread;

/// Callers of a trunk in a queue whose agents are all at home; they send, too, as telephones do.
pub(crate) fn run() {
    let ears = Ears::bind();
    let office = Office::open(ears.carrier(), 0);
    let mut peer = Peer::new(ears, office.sip);
    let mut through_switch = Flows::bind(CALLERS);
    peer.caller_media = through_switch.addresses();
    let plan = Plan {
        from: "0901234".to_owned(),
        to: WAITING.to_owned(),
    };
    let pace = Pace {
        calls: CALLERS,
        a_second: 50.0,
        hold: None,
    };
    peer.drive(pace, |_| plan.clone());
    through_switch.aim(&peer.ports_for_callers());

    let mut through_bare = Flows::bind(CALLERS);
    let bare = Bare::playing_to(&through_bare.addresses());
    through_bare.aim(&bare.ports);

    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(through_bare.speak(Payload::Speech, WINDOW, || bare.cpu_seconds()));
        ours.push(through_switch.speak(Payload::Speech, WINDOW, || office.cpu_seconds()));
    }
    report(&ours, &floors);
    peer.end_all();
}

fn report(ours: &[Window], floors: &[Window]) {
    let of = |windows: &[Window], value: fn(&Window) -> f64| {
        Spread::of(&windows.iter().map(value).collect::<Vec<_>>())
    };
    let pairs = ours.iter().zip(floors);
    let ratios: Vec<f64> = pairs.map(|(ours, floor)| ours.cpu / floor.cpu).collect();
    let ratio = Spread::of(&ratios);
    println!(
        "hold        {:.1} % of a core for {CALLERS} callers with music, bare sender and receiver \
         {:.1} %, ratio {ratio:.2}; heard {:.2} % and {:.2} % of frames, {} numbers missing",
        of(ours, |window| window.cpu),
        of(floors, |window| window.cpu),
        of(ours, |window| window.heard).median,
        of(floors, |window| window.heard).median,
        ours.iter().map(|window| window.missing).sum::<u64>(),
    );
    let bar = Bar::AtMost(1.3);
    judge(
        "callers on hold, of the bare process",
        ratio.median,
        "times",
        bar,
    );
}

const CALLERS: usize = 1000;
const ROUNDS: usize = 5;
const WINDOW: Duration = Duration::from_secs(2);
