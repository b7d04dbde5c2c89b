//! Calls beside a storm of presence (R11): ten thousand changes of activity a second, said to the
//! router in the switch's own process, for nothing outside could say so many without costing more
//! than what is measured. Windows with and without the storm take turns in one process.

use std::io::{BufRead as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tsunagu::app::Switch;
use tsunagu::base::ShardId;
use tsunagu::config::{self, Environment};
use tsunagu::router::{self, RouterHandle};
use tsunagu::runtime::logging;

use crate::bars::{Bar, judge};
use crate::crowd::{Crowd, Manners, Plan};
use crate::office::Office;
use crate::process;
use crate::statistics::p50_p99;

/// First argument of the process that is switch and storm.
pub(crate) const ROLE: &str = "switch-in-a-storm";

/// 20 calls a second, with and without.
pub(crate) fn run() {
    let plan = Plan {
        agents: 100,
        groups: 1,
    };
    let manners = Manners {
        ring: Some((50, 100)),
        talk: (500, 1_500),
        callers_hang_up: 0,
        impatient: 0,
        busy: 0,
    };
    let socket = Crowd::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let carrier = socket.local_addr().expect("bound");
    let mut files = plan.files(carrier, 30);
    for (_, text) in files.iter_mut().filter(|(name, _)| name == "agents.toml") {
        // Their phones are nowhere; what they say of themselves is all there is of them.
        text.extend((0..CHANGING).map(|n| {
            format!(
                "[[agent]]\nname = \"other{n}\"\nphone = \"{}\"\ndisplay_name = \"Other\"\n\
                 attributes = {{ skills = [0] }}\n\n",
                PHONES + n
            )
        }));
    }
    for (_, text) in files.iter_mut().filter(|(name, _)| name == "phones.toml") {
        text.extend((0..CHANGING).map(|n| {
            let number = PHONES + n;
            format!(
                "[[phone]]\nnumber = \"{number}\"\nname = \"Phone {number}\"\n\
                 password = \"demo\"\n\n"
            )
        }));
    }
    let mut office = Office::started_by(&files, program);
    let mut crowd = Crowd::new(socket, office.sip, plan, manners);
    crowd.register();
    crowd.stream(RATE, WINDOW, false);
    let (mut calm, mut stormy) = (Vec::new(), Vec::new());
    let mut rings = (Vec::new(), Vec::new());
    let mut facts = (0.0, 0.0);
    for _ in 0..ROUNDS {
        for (words, set_ups, rings, facts) in [
            ("calm", &mut calm, &mut rings.0, &mut facts.0),
            ("storm", &mut stormy, &mut rings.1, &mut facts.1),
        ] {
            office.tell(words);
            crowd.until(Duration::from_millis(500), |_| false);
            crowd.seen.answers.clear();
            crowd.seen.entered.clear();
            let (before, start) = (office.figure(FACTS), Instant::now());
            crowd.stream(RATE, WINDOW, false);
            *facts += (office.figure(FACTS) - before) / start.elapsed().as_secs_f64();
            set_ups.append(&mut crowd.seen.answers);
            rings.append(&mut crowd.seen.entered);
        }
    }
    office.tell("calm");
    let shown = [
        ("INVITE to 200", calm, stormy),
        ("answered to the agent's INVITE", rings.0, rings.1),
    ];
    for (what, mut calm, mut stormy) in shown {
        // All windows together: of one alone, the p99 would be its third worst call.
        let (calm, stormy) = (p50_p99(&mut calm), p50_p99(&mut stormy));
        println!(
            "storm       {what}: calm p50 {:.2} ms, p99 {:.2} ms; in the storm p50 {:.2} ms, p99 \
             {:.2} ms",
            calm.0 / 1000.0,
            calm.1 / 1000.0,
            stormy.0 / 1000.0,
            stormy.1 / 1000.0
        );
        let change = 100.0 * (stormy.1 / calm.1 - 1.0);
        judge(
            &format!("{what}, change of p99"),
            change,
            "%",
            Bar::AtMost(10.0),
        );
    }
    // Each change is a fact; what the router refused or never heard would be missing here.
    let changes = (facts.1 - facts.0) / ROUNDS as f64;
    judge(
        "facts the storm added",
        changes,
        "a second",
        Bar::AtLeast(0.99 * CHANGES),
    );
    let name = "double offers, lost callers";
    let faults = crowd.seen.faults.len();
    judge(name, faults as f64, "of them", Bar::AtMost(0.0));
}

/// This program in its other role.
fn program(folder: &Path) -> Command {
    let own = std::env::current_exe().expect("the path of this program");
    let mut program = Command::new(own);
    program
        .arg(ROLE)
        .arg(folder.join("config"))
        .env(
            "TSUNAGU_SOUNDS",
            concat!(env!("CARGO_MANIFEST_DIR"), "/sounds"),
        )
        .stdin(Stdio::piped());
    program
}

/// A switch that is told `storm` and `calm` line by line.
pub(crate) fn serve(directory: &str) {
    // The storm is no part of the switch: confined to one core they would share it.
    process::go_anywhere();
    let environment = Environment::of_process();
    let directory = PathBuf::from(directory);
    let office = match config::load(&directory, &environment) {
        Ok(office) => office,
        Err(report) => panic!("{}", report.render(config::Style::Plain)),
    };
    let logging = logging::start(None, logging::Form::Auto).expect("a log");
    let switch = Switch::start(office, directory, environment, logging).expect("a switch");
    let sip: Vec<_> = switch
        .listeners()
        .iter()
        .map(|(protocol, address)| {
            serde_json::json!({"protocol": protocol.to_string(), "address": address})
        })
        .collect();
    let api = format!("http://{}", switch.api());
    println!("{}", serde_json::json!({"sip": sip, "api": api}));
    let _ = std::io::stdout().flush();
    let blows = Arc::new(AtomicBool::new(false));
    let (router, storm) = (switch.router(), blows.clone());
    std::thread::spawn(move || blow(&router, &storm));
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        blows.store(line == "storm", Ordering::Relaxed);
    }
    switch.stop();
}

/// Everybody goes away and comes back, evenly; never more than a few at a time.
fn blow(router: &RouterHandle, blows: &AtomicBool) {
    let (mut said, mut since) = (0u64, Instant::now());
    loop {
        if !blows.load(Ordering::Relaxed) {
            (said, since) = (0, Instant::now());
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let due = (since.elapsed().as_secs_f64() * CHANGES) as u64;
        while said < due {
            let change = router::Command::SetActivity {
                worker: format!("other{}", said % CHANGING as u64),
                activity: match said / CHANGING as u64 % 2 {
                    0 => "away".to_owned(),
                    _ => "available".to_owned(),
                },
                by: "the storm".to_owned(),
                reject_pending: false,
            };
            // What the router refuses is counted there.
            let _ = router.send(ShardId(0), change);
            said += 1;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// Changes of activity a second.
const CHANGES: f64 = 10_000.0;
/// Agents who change.
const CHANGING: usize = 1_000;
/// Clear of the crowd's own phones and lines.
const PHONES: usize = 7_001;
/// Calls a second beside it.
const RATE: f64 = 50.0;
const WINDOW: Duration = Duration::from_secs(15);
const ROUNDS: usize = 5;
const FACTS: &str = "tsunagu_journal_facts_total";
