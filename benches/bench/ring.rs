//! How soon a free agent's phone rings, and whether nobody is idle while somebody waits: the real
//! binary, every phone and every caller on a real socket, judged from the wire and by the records.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::bars::{Bar, judge};
use crate::crowd::{Crowd, MOST_IDLE, Manners, Plan, Seen};
use crate::office::Office;
use crate::statistics::p50_p99;

/// Agents who become free with callers in line: the time to the INVITE at their phone.
pub(crate) fn run() {
    let plan = Plan {
        agents: 50,
        groups: 1,
    };
    let manners = Manners {
        ring: Some((10, 30)),
        talk: (200, 600),
        callers_hang_up: 0,
        impatient: 0,
        busy: 0,
    };
    let (office, mut crowd) = open(plan, manners);
    crowd.press(100, seconds(20));
    let (p50, p99) = p50_p99(&mut crowd.seen.freed.clone());
    println!(
        "free-ring   {} times an agent became free with callers in line: INVITE at his phone p50 \
         {:.2} ms, p99 {:.2} ms",
        crowd.seen.freed.len(),
        p50 / 1000.0,
        p99 / 1000.0
    );
    judge("free to INVITE, p99", p99 / 1000.0, "ms", Bar::AtMost(5.0));
    settle(&office, &crowd);
}

/// 300 agents and 50 calls a second, sometimes more than they can take.
pub(crate) fn run_centre() {
    let (office, mut crowd) = open(Plan::LARGE, Manners::OF_A_BUSY_DAY);
    let time = seconds(60);
    crowd.stream(50.0, time, true);
    let Seen {
        talks,
        idle_beside_waiting,
        too_long,
        repeats,
        ..
    } = crowd.seen;
    let (p50, p99) = p50_p99(&mut crowd.seen.freed.clone());
    let (enter50, enter99) = p50_p99(&mut crowd.seen.entered.clone());
    println!(
        "centre      {} calls in {} s at 300 agents, {talks} talks, {repeats} messages repeated; \
         an agent free beside a caller in line at most {:.1} ms; free to INVITE p50 {:.2} ms, p99 \
         {:.2} ms; caller answered to INVITE p50 {:.2} ms, p99 {:.2} ms",
        crowd.placed(),
        time.as_secs(),
        idle_beside_waiting.as_secs_f64() * 1e3,
        p50 / 1000.0,
        p99 / 1000.0,
        enter50 / 1000.0,
        enter99 / 1000.0
    );
    let idle = format!("idle beside waiting for over {MOST_IDLE:?}");
    judge(&idle, too_long as f64, "times", Bar::AtMost(0.0));
    settle(&office, &crowd);
}

/// What must not be, and what the records say.
fn settle(office: &Office, crowd: &Crowd) {
    let faults = &crowd.seen.faults;
    for fault in faults.iter().take(10) {
        println!("  fault     {fault}");
    }
    let name = "double offers, lost callers";
    judge(name, faults.len() as f64, "of them", Bar::AtMost(0.0));
    judge(
        "calls refused",
        crowd.seen.refused as f64,
        "of them",
        Bar::AtMost(0.0),
    );
    let records = office.records(crowd.placed() - crowd.seen.refused);
    let wrong = crowd.judge(&records, 0);
    for one in wrong.iter().take(3) {
        println!("  wrong     {one}");
    }
    let name = format!("of {} records, wrong or missing", records.len());
    judge(&name, wrong.len() as f64, "of them", Bar::AtMost(0.0));
}

fn open(plan: Plan, manners: Manners) -> (Office, Crowd) {
    let socket = Crowd::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let carrier = socket.local_addr().expect("bound");
    let office = Office::of(&plan.files(carrier, 30));
    let mut crowd = Crowd::new(socket, office.sip, plan, manners);
    crowd.register();
    (office, crowd)
}

/// `BENCH_SECONDS` makes it longer or shorter.
fn seconds(usual: u64) -> Duration {
    let wanted = std::env::var("BENCH_SECONDS").ok();
    let wanted = wanted.and_then(|text| text.parse().ok());
    Duration::from_secs(wanted.unwrap_or(usual))
}
