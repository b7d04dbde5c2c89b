//! A contact centre at work: nobody is rung twice at a time, nobody is lost, every record says what the
//! wire saw; and the same centre when its switch is killed, and when its disk is full.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tsunagu::journal::{FactClass, Reader as _};
use tsunagu::router::{self, Router, TaskView, WorkerState, WorkerView};
use tsunagu::store::PastJournal;

use super::address::CARRIER;
use super::crowd::{Crowd, Manners, Plan};
use super::office::Office;
use super::record::{assert_whole, list, stretch, time};
use super::recording::Volume;
use super::{quiet, wait};

#[test]
fn three_hundred_agents_and_fifty_calls_a_second_no_double_offer_nobody_lost_every_record_right() {
    let _turn = quiet::alone();
    let (mut office, mut crowd) = centre(Plan::LARGE, Manners::OF_A_BUSY_DAY);
    office.start();
    crowd.register();
    crowd.stream(50.0, Duration::from_secs(60), false);
    let records = office.records(crowd.placed() - crowd.refused());
    let seen = &crowd.seen;
    assert_eq!(seen.faults, [""; 0]);
    let wrong = crowd.judge(&records, 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // On a busy machine media ticks are late, and then new calls hear 503, as they should. That nobody
    // is refused where there is room is measured with a release build (`bench centre`).
    assert!(seen.talks > 2_000, "{seen:?}");
    for record in &records {
        assert_whole(record, &office.recordings());
    }
    assert_nobody_is_left_idle(&office);
    // On the wire, with all that a busy machine adds: nobody is forgotten beside an idle agent.
    assert!(seen.idle_beside_waiting < FORGOTTEN, "{seen:?}");
    println!(
        "{} calls, {} refused, {} talks; most of idle beside waiting {:?}",
        crowd.placed(),
        seen.refused,
        seen.talks,
        seen.idle_beside_waiting
    );
}

#[test]
fn killed_with_two_hundred_in_line_and_fifty_offers_out() {
    let _turn = quiet::alone();
    let (mut office, mut crowd) = centre(
        Plan {
            agents: OFFERED,
            groups: 1,
        },
        Manners {
            ring: None,
            ..SHORT
        },
    );
    hire(&office);
    office.start();
    crowd.register();
    let chats = work(&office);
    // As fast as a busy machine takes them: who is turned away because it is late is replaced.
    let is_so = |crowd: &Crowd| crowd.ringing() == OFFERED && crowd.in_line() == IN_LINE;
    let started = Instant::now();
    while !is_so(&crowd) {
        assert!(started.elapsed() < 2 * wait::PATIENCE, "{:?}", crowd.seen);
        if crowd.placed() - crowd.refused() < OFFERED + IN_LINE && crowd.unanswered() < 5 {
            crowd.call(0);
        }
        crowd.step(false);
    }
    assert_eq!(crowd.seen.faults, [""; 0]);
    // They wait for a while, and nothing happens that would be written.
    crowd.until(Duration::from_secs(3), |_| false);
    let agents = standing(&office);
    let rung = |(name, _): &(&String, &Standing)| name.starts_with("agent");
    assert_eq!(agents.len(), OFFERED + OTHERS.len());
    assert!(agents.iter().filter(rung).all(|(_, it)| it.0 == "reserved"));
    for (name, state, activity, available) in OTHERS {
        let so = (state.to_owned(), activity.to_owned(), available);
        assert_eq!(agents[name], so, "{name}");
    }
    let lines = lines(&office);
    office.kill();
    let killed = std::time::SystemTime::now();

    let journaled = fold(&office);
    let view = journaled.view();
    let line = &view.queues[0];
    assert_eq!((line.waiting, line.offered), (IN_LINE + OFFERED, OFFERED));
    // The oldest first, and nobody overtook anybody.
    let calls = view.tasks.iter().filter(|task| task.queue == line.name);
    let places: Vec<_> = calls.filter_map(|task| task.position).collect();
    assert_eq!(places, (1..=IN_LINE + OFFERED).collect::<Vec<_>>());
    let rung = view.tasks.iter().filter(|task| task.worker.is_some());
    assert_eq!(rung.count(), OFFERED);

    crowd.forget();
    office.start();
    let after = standing(&office);
    for (agent, (state, activity, available)) in &after {
        let before = &agents[agent];
        assert_eq!((activity, available), (&before.1, &before.2), "{agent}");
        match agent.starts_with("agent") {
            true => assert_eq!(state, "free", "{agent} missed nothing"),
            false => assert_eq!(state, &before.0, "{agent} is at what he was at"),
        }
    }
    assert_eq!(after.len(), agents.len());
    // A task without a call has not died with the process: it is in its place, since when it was.
    let again = self::lines(&office);
    let mut wanted = lines;
    wanted.insert(line.name.clone(), Vec::new());
    assert_eq!(again, wanted);
    let order: Vec<_> = again["later"].iter().map(|(task, _)| task).collect();
    assert_eq!(order, [&chats[1], &chats[2], &chats[0]]);
    let told = office.ask(&["queues"]);
    assert!(told.contains("queue0"), "{told}");

    let records = office.records(OFFERED + IN_LINE);
    assert_eq!(records.len(), OFFERED + IN_LINE);
    let mut rung = 0;
    for record in &records {
        assert_whole(record, &office.recordings());
        lost_by_crash(record, killed);
        for offer in list(&record["offers"]) {
            assert_eq!(offer["outcome"], "switch-restart", "{record:#}");
            rung += 1;
        }
    }
    assert_eq!(rung, OFFERED);
    // What the journal tells is the same: the waits are counted, nothing was missed.
    let recovered = fold(&office);
    let left = recovered.view().tasks;
    assert!(left.iter().all(|task| task.call.is_none()), "{left:?}");
    assert_eq!(left.len(), chats.len());

    let past = crowd.placed();
    crowd.manners = SHORT;
    crowd.stream(20.0, Duration::from_secs(3), false);
    let records = office.records(crowd.placed() - crowd.refused());
    assert_eq!(crowd.seen.faults, [""; 0]);
    let wrong = crowd.judge(&records, past);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_full_journal_volume_costs_new_calls_and_none_that_are_up() {
    let _turn = quiet::alone();
    let plan = Plan {
        agents: 4,
        groups: 1,
    };
    let (mut office, mut crowd) = centre(
        plan,
        Manners {
            talk: (9_000, 10_000),
            ..SHORT
        },
    );
    let Some(volume) = Volume::small(&office.data()) else {
        println!("skipped: a small volume cannot be mounted here (that takes root)");
        return;
    };
    office.start();
    crowd.register();
    for _ in 0..6 {
        crowd.call(0);
    }
    let all_talk = |crowd: &Crowd| crowd.talking() == 4 && crowd.in_line() == 2;
    assert!(crowd.until(wait::PATIENCE, all_talk), "{:?}", crowd.seen);
    volume.fill();
    // What is known of the disk is known by writing: the first who come are let in.
    let started = Instant::now();
    while office.api.is_ready() {
        assert!(started.elapsed() < wait::PATIENCE, "the disk is full");
        crowd.call(0);
        crowd.until(Duration::from_millis(50), |_| false);
    }
    assert!(crowd.until(wait::PATIENCE, |crowd| crowd.unanswered() == 0));
    let (before, let_in) = (crowd.refused(), crowd.placed());
    for _ in 0..5 {
        crowd.call(0);
    }
    let is_refused = |crowd: &Crowd| crowd.refused() == before + 5;
    assert!(crowd.until(wait::PATIENCE, is_refused), "{:?}", crowd.seen);
    assert_eq!(crowd.talking(), 4, "who talks goes on");
    assert!(
        office.log().contains("router journal cannot be written"),
        "the log says why"
    );
    volume.empty();
    wait::until_true("calls to be taken again", wait::PATIENCE, || {
        office.api.is_ready()
    });
    crowd.manners = SHORT;
    for _ in 0..5 {
        crowd.call(0);
    }
    let limit = 3 * wait::PATIENCE;
    assert!(crowd.until(limit, Crowd::is_over), "{:?}", crowd.seen);
    assert_eq!(crowd.seen.faults, [""; 0], "{let_in} calls were let in");
    let records = office.records(crowd.placed() - crowd.refused());
    let wrong = crowd.judge(&records, 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Nothing is corrupted: it folds, here and in the next process.
    assert!(fold(&office).view().tasks.is_empty());
    office.kill();
    office.start();
    office.kill();
    drop(volume);
}

/// An office of this plan, not started yet, and whoever calls it.
pub(crate) fn centre(plan: Plan, manners: Manners) -> (Office, Crowd) {
    let office = Office::prepare();
    let carrier = office.block.at(CARRIER, 5_060);
    let mut files = plan.files(carrier, 120);
    files.push(("node.toml".to_owned(), NODE.to_owned()));
    let chat = "[[channel]]\nname = \"chat\"\ncapacity = 3\n";
    files.push(("profiles.toml".to_owned(), chat.to_owned()));
    office.refurnish(&files);
    let crowd = Crowd::new(Crowd::bind(carrier), office.sip(), plan, manners);
    (office, crowd)
}

/// Two agents beside those of the plan, at the demo office's phones; chats, and two queues of them,
/// one of which nobody serves.
fn hire(office: &Office) {
    let add = |file: &str, more: &str| office.rewrite(file, |text| format!("{text}\n{more}"));
    add(
        "phones.toml",
        "[[phone]]\nnumber = \"1001\"\npassword = \"demo\"\n\n\
         [[phone]]\nnumber = \"1002\"\npassword = \"demo\"\n",
    );
    add(
        "agents.toml",
        "[[agent]]\nname = \"writer\"\nphone = \"1001\"\nattributes = { skills = [77] }\n\n\
         [[agent]]\nname = \"sleeper\"\nphone = \"1002\"\nattributes = { skills = [0] }\n",
    );
    add(
        "queues.toml",
        "[[queue]]\nname = \"chats\"\nagents = \"skills HAS 77\"\nwrap_up = \"open\"\n\n\
         [[queue]]\nname = \"later\"\nagents = \"skills HAS 99\"\nwhen_nobody = \"wait\"\n",
    );
}

/// One of them goes away, the other does a chat and its after-call work; three more chats are left
/// to wait, the first of them behind the others. Names of the three.
fn work(office: &Office) -> Vec<String> {
    office
        .sipp("register", office.phone_address(1_001))
        .of_each(&[1_001, 1_002])
        .set("expires", 600)
        .run(wait::PATIENCE);
    for agent in ["writer", "sleeper"] {
        wait::until_true("the agent is free", wait::PATIENCE, || {
            office.api.json(&format!("/v1/workers/{agent}"))["state"] == "free"
        });
    }
    let away = json!({"activity": "away", "by": "boss"});
    let (status, text) = office.api.change("/v1/workers/sleeper", &away);
    assert_eq!(status, 200, "{text}");
    let create = |queue: &str, priority: i32| {
        let wanted = json!({"channel": "chat", "queue": queue, "priority": priority});
        let (status, text) = office.api.tell("/v1/tasks", &wanted);
        assert_eq!(status, 201, "{text}");
        let task: Value = serde_json::from_str(&text).expect("a task");
        task["id"].as_str().expect("an id").to_owned()
    };
    let chat = create("chats", 0);
    let events = office.api.json("/v1/events?after=0&limit=1000");
    let events = list(&events["events"]);
    let is_offer = |event: &&Value| event["event"] == "reservation.created";
    let offer = events.iter().find(is_offer).expect("an offer");
    let offer = offer["reservation"].as_str().expect("a name");
    let (status, text) = office
        .api
        .tell(&format!("/v1/reservations/{offer}/accept"), &json!({}));
    assert_eq!(status, 200, "{text}");
    let done = office
        .api
        .tell(&format!("/v1/tasks/{chat}/complete"), &json!({}));
    assert_eq!(done.0, 200, "{done:?}");
    vec![create("later", 0), create("later", 5), create("later", 5)]
}

/// Every queue's line: who is in it, and since when.
fn lines(office: &Office) -> BTreeMap<String, Vec<(String, String)>> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = BTreeMap::new();
    for queue in office.api.queues() {
        let line = list(&queue["line"]);
        let one = |at: &Value| {
            let task = word(&at["task"]);
            let since = office.api.json(&format!("/v1/tasks/{task}"))["since"].to_string();
            (task, since)
        };
        lines.insert(word(&queue["name"]), line.iter().map(one).collect());
    }
    lines
}

/// The record of a caller who was in line when the switch was killed.
#[track_caller]
fn lost_by_crash(record: &Value, killed: std::time::SystemTime) {
    let stays = list(&record["queues"]);
    assert_eq!(stays.len(), 1, "{record:#}");
    assert_eq!(stays[0]["outcome"], "lost-by-crash", "{record:#}");
    let cause = record["cause"].as_str().unwrap_or_default();
    assert!(cause.starts_with("lost-by-crash"), "{record:#}");
    // He waited until the switch died, or a second less: that is how often it says that it lives.
    let (entered, left) = (time(&stays[0]["entered"]), time(&stays[0]["left"]));
    let waited = left.duration_since(entered).expect("forwards");
    let really = killed.duration_since(entered).expect("forwards");
    assert!(waited <= really, "{waited:?} of {really:?}");
    assert!(waited >= Duration::from_secs(1), "{waited:?} of {really:?}");
    let told = stretch(record, "queue")["duration_ms"].as_u64();
    assert_eq!(told, u64::try_from(waited.as_millis()).ok(), "{record:#}");
}

/// State, activity, and whether that is an available one.
type Standing = (String, String, bool);

/// How every agent is.
fn standing(office: &Office) -> BTreeMap<String, Standing> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let agents = office.api.agents();
    let one = |agent: &Value| {
        let available = agent["available"] == true;
        let state = (word(&agent["state"]), word(&agent["activity"]), available);
        (word(&agent["name"]), state)
    };
    agents.iter().map(one).collect()
}

/// Between any two things that happen nobody waits whom an idle agent could take: by the switch's
/// journal, so that how busy the machine is makes no difference.
#[track_caller]
fn assert_nobody_is_left_idle(office: &Office) {
    let path = office.data().join("journal.db");
    let mut journal = PastJournal::open(&path).expect("a journal");
    let entries = journal.read_from(0, 1, 1_000_000).expect("facts");
    assert!(entries.len() > 100, "{}", entries.len());
    let mut router = Router::new(0);
    for (place, entry) in entries.iter().enumerate() {
        router.fold(entry).expect("it folds");
        let next = entries.get(place + 1);
        // Decisions follow from what happened: only before the next happening are they all made.
        if next.is_some_and(|next| next.class == FactClass::Decision) {
            continue;
        }
        let view = router.view();
        let is_waiting = |task: &&TaskView| !task.assigned && task.reservations.is_empty();
        for task in view.tasks.iter().filter(is_waiting) {
            let is_idle = |worker: &&WorkerView| {
                worker.state == WorkerState::Free && worker.queues.contains(&task.queue)
            };
            let idle = view.workers.iter().find(is_idle);
            assert!(idle.is_none(), "{entry:?}: {task:?} beside {idle:?}");
        }
    }
}

/// The router that the journal on disk describes.
#[track_caller]
fn fold(office: &Office) -> Router {
    let path = office.data().join("journal.db");
    let mut journal = PastJournal::open(&path).expect("a journal");
    assert!(journal.latest_snapshot(0).is_ok());
    router::replay(&mut journal, 0).expect("it folds")
}

/// Longer than any machine is late: something else had to happen before he was thought of.
const FORGOTTEN: Duration = Duration::from_secs(5);
const OFFERED: usize = 50;
/// Agents who are not rung, and how they are.
const OTHERS: [(&str, &str, &str, bool); 2] = [
    ("writer", "wrap_up", "available", true),
    ("sleeper", "away", "away", false),
];
const IN_LINE: usize = 200;

/// Calls of a second, without anything unusual.
const SHORT: Manners = Manners {
    ring: Some((20, 100)),
    talk: (300, 700),
    callers_hang_up: 0,
    impatient: 0,
    busy: 0,
};

pub(crate) const NODE: &str = "name = \"tokyo1\"\nregion = \"jp1\"\nmax_calls = 5000\n\n\
    [media]\nports = \"10000-59999\"\n";
