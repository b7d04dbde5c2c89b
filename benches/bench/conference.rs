//! What a participant of a conference costs when all talk at once, and how late a voice is heard.

use std::time::Duration;

use crate::bars::{Bar, judge};
use crate::flows::{Flows, Payload};
use crate::office::{CONFERENCE, Office, PHONE};
use crate::peer::{Ears, Pace, Peer, Plan};
use crate::statistics::Spread;

/// Phones that dial into conferences and speak: small rooms and large ones.
pub(crate) fn run() {
    for members in [3, 10, 100, 500] {
        let rooms = (PHONES / members).max(1);
        let mut talk = Talk::begin(rooms, members);
        let windows: Vec<_> = (0..3)
            .map(|_| {
                let office = &talk.office;
                talk.flows
                    .speak(Payload::Speech, WINDOW, || office.cpu_seconds())
            })
            .collect();
        let of = |value: &dyn Fn(&crate::flows::Window) -> f64| {
            Spread::of(&windows.iter().map(value).collect::<Vec<_>>())
        };
        let each = of(&|window| window.cpu / (rooms * members) as f64);
        println!(
            "conference  {each:.3} % of a core per participant, {rooms} rooms of {members}, all \
             talking; heard {:.2} % of frames",
            of(&|window| window.heard),
        );
        if members >= 10 {
            judge("CPU", each.median, "% a participant", Bar::AtMost(0.05));
        }
        let missing: u64 = windows.iter().map(|window| window.missing).sum();
        judge("frames missing", missing as f64, "frames", Bar::AtMost(0.0));
        talk.peer.end_all();
    }
    mouth_to_ear();
}

/// From the packet that holds a sound to the mixed packet that holds it, with a talker at every
/// phase of the tick.
fn mouth_to_ear() {
    let mut talk = Talk::begin(40, 3);
    let office = &talk.office;
    let window = talk
        .flows
        .speak(Payload::Marks, 2 * WINDOW, || office.cpu_seconds());
    let (p50, p99) = window.latency;
    println!("            mouth to ear through the mixer, 40 rooms of 3");
    judge("p50", p50 / 1000.0, "ms", Bar::AtMost(11.0));
    judge("p99", p99 / 1000.0, "ms", Bar::AtMost(21.0));
    talk.peer.end_all();
}

struct Talk {
    office: Office,
    peer: Peer,
    flows: Flows,
}

impl Talk {
    /// Neighbours sit in one room.
    fn begin(rooms: usize, members: usize) -> Self {
        let ears = Ears::bind();
        let office = Office::open(ears.carrier(), 0);
        let mut peer = Peer::new(ears, office.sip);
        let mut flows = Flows::bind(rooms * members);
        peer.caller_media = flows.addresses();
        let pace = Pace {
            calls: rooms * members,
            a_second: 50.0,
            hold: None,
        };
        peer.drive(pace, |n| Plan {
            from: PHONE.to_string(),
            to: (CONFERENCE + (n / members) as u32).to_string(),
        });
        flows.aim(&peer.ports_for_callers());
        Self {
            office,
            peer,
            flows,
        }
    }
}

/// People at once.
const PHONES: usize = 120;
const WINDOW: Duration = Duration::from_secs(4);
