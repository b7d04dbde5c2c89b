//! `make bench`: what calls cost, as ratios where a machine of ours can be compared with a floor.
//!
//! The switch is the release binary in a process of its own; CPU is utime + stime of that process
//! over a steady window, from /proc/PID/stat. Everything that loads it lives here: a SIP caller
//! and callee without a library of states behind them, and RTP at absolute times. Only 127.0.0.1.
//! `bench NAME...` runs some of the parts. docs/performance.md says how to read the figures.

mod answers;
mod attacked;
mod bare;
mod bars;
mod capacity;
mod conference;
#[path = "../../tests/scenarios/crowd.rs"]
mod crowd;
mod floor;
mod flows;
mod hold;
mod hostile;
mod ivr;
mod journal;
mod load;
mod memory;
mod office;
mod parse;
mod peer;
mod process;
mod registrations;
mod relay;
mod ring;
mod sets;
mod sound;
mod statistics;
mod storm;

use tikv_jemallocator::Jemalloc;

/// The switch's, for the parts that have its router or its parser in this process.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// One part and its name on the command line.
const PARTS: [(&str, fn()); 18] = [
    ("parse", parse::run),
    ("setups", capacity::run_cost),
    ("capacity", capacity::run),
    ("digest", sets::run),
    ("registrations", registrations::run),
    ("relay", relay::run),
    ("recorded", relay::run_recorded),
    ("attacked", attacked::run),
    ("conference", conference::run),
    ("hold", hold::run),
    ("memory", memory::run),
    ("sound", sound::run),
    ("ring", ring::run),
    ("centre", ring::run_centre),
    ("storm", storm::run),
    ("journal", journal::run),
    ("ivr", ivr::run),
    ("hostile", hostile::run),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(role) = arguments.first().and_then(|first| bare::Role::named(first)) {
        return bare::serve(role);
    }
    if arguments.first().is_some_and(|first| first == storm::ROLE) {
        return storm::serve(arguments.get(1).map_or(".", String::as_str));
    }
    // Cargo adds an option of its own for a harness we do not have.
    let wanted: Vec<&String> = arguments
        .iter()
        .filter(|text| !text.starts_with('-'))
        .collect();
    process::raise_descriptors();
    println!("figures of a release build; {}", process::machine());
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|text| *text == name) {
            part();
        }
    }
}
