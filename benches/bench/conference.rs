//! What a participant of a conference costs when all talk at once.

use std::time::Duration;

use crate::flows::{Flows, Payload};
use crate::office::{CONFERENCE, Office, PHONE};
use crate::peer::{Ears, Pace, Peer, Plan};
use crate::statistics::Spread;

/// Phones that dial into conferences and speak.
pub(crate) fn run() {
    let ears = Ears::bind();
    let office = Office::open(ears.carrier(), 0);
    let mut peer = Peer::new(ears, office.sip);
    let mut flows = Flows::bind(ROOMS * MEMBERS);
    peer.caller_media = flows.addresses();
    let pace = Pace {
        calls: ROOMS * MEMBERS,
        a_second: 50.0,
        hold: None,
    };
    peer.drive(pace, |n| Plan {
        from: PHONE.to_string(),
        to: (CONFERENCE + (n % ROOMS) as u32).to_string(),
    });
    flows.aim(&peer.ports_for_callers());
    let windows: Vec<_> = (0..3)
        .map(|_| flows.speak(Payload::Speech, WINDOW, || office.cpu_seconds()))
        .collect();
    let each: Vec<f64> = windows
        .iter()
        .map(|window| window.cpu / (ROOMS * MEMBERS) as f64)
        .collect();
    let heard: Vec<f64> = windows.iter().map(|window| window.heard).collect();
    println!(
        "conference  {:.3} % of a core per participant, {ROOMS} rooms of {MEMBERS}, all talking; \
         heard {:.2} % of frames, {} numbers missing",
        Spread::of(&each),
        Spread::of(&heard),
        windows.iter().map(|window| window.missing).sum::<u64>(),
    );
    peer.end_all();
}

const ROOMS: usize = 4;
const MEMBERS: usize = 25;
const WINDOW: Duration = Duration::from_secs(4);
