//! Agents whom an application calls by the REST API and connects with the caller of their
//! reservation: `<Dial><Queue reservationSid>`.

use std::time::Duration;

use tsunagu::call::Placing;
use tsunagu::events::{AgentStretch, CallRecord, Stretch};
use tsunagu::router::{TaskView, WorkerState, WorkerView};
use tsunagu::twiml::{Link, Sid, SidKind, Source, Terms};

use crate::ear::{level, listen, loudness};
use crate::hold::hear;
use crate::office::changed;
use crate::pages::{Pages, hears_music, office, value};
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

const WRAP_UP: (&str, &str, &str) = ("queues.toml", "# wrap_up = \"0s\"", "wrap_up = \"2s\"");
const SALES: &str = "<Enqueue action=\"/after\" waitUrl=\"/wait\">sales</Enqueue>";
const WAIT: (&str, &str, &str) = ("/wait", "", "<Play>/music</Play>");
const AFTER: (&str, &str, &str) = ("/after", "", "<Pause length=\"60\"/>");
const DIALLED: (&str, &str, &str) = ("/dialled", "", "<Pause length=\"60\"/>");
/// The phones of the world: the customer's carrier says 440 Hz, the agent's phone 880 Hz.
const CARRIER: usize = 0;
const AGENT: usize = 1;

/// Nobody need be on duty.
const PATIENT: (&str, &str, &str) = (
    "queues.toml",
    "# when_nobody = \"none_on_duty\"",
    "when_nobody = \"wait\"",
);

/// A caller of the carrier who is offered to the agent at 1001, whose phone rings.
fn offered(seed: u64) -> (World, Pages) {
    let mut world = World::with(seed, office(&[WRAP_UP, PATIENT]));
    let carrier = world.carrier();
    world.phone("1001", Manners::Rings);
    let mut pages = Pages::new(&[("/call", "", SALES), WAIT, AFTER, DIALLED]);
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    pages.run_to(&mut world, "offered", 5000, is_offered);
    pages.run_for(&mut world, 500);
    (world, pages)
}

fn is_offered(world: &World) -> bool {
    let view = world.switch.pump.view();
    let mut tasks = view.tasks.iter();
    world.peers[AGENT].live() > 0 && tasks.any(|task| task.reservation.is_some())
}

fn task(world: &World) -> TaskView {
    let view = world.switch.pump.view();
    view.tasks.first().expect("a task").clone()
}

fn agent(world: &World) -> WorkerView {
    let view = world.switch.pump.view();
    let mut workers = view.workers.iter();
    let own = workers.find(|worker| worker.spec.phone == "1001");
    own.expect("configured").clone()
}

/// The SID of the reservation that is open.
fn sid(world: &World) -> String {
    let id = task(world).reservation.expect("an offer");
    Sid::derive(SidKind::Reservation, id.as_str()).to_string()
}

/// `<Dial>` of the agent's document, which takes a second before.
fn dial(attributes: &str, name: &str) -> String {
    let queue = format!("<Queue {attributes}>{name}</Queue>");
    format!("<Pause length=\"1\"/><Dial action=\"/dialled\" timeout=\"20\">{queue}</Dial>")
}

/// The application calls the agent.
fn place(world: &mut World) {
    let mut terms = Terms::of_url(Link::post("https://app.example/agent"));
    terms.source = Source::Url(Link::post("https://app.example/agent"));
    let now = world.now;
    let placed = world.switch.exchange.place(
        now,
        Placing {
            from: OFFICE.to_owned(),
            to: "client:1001".to_owned(),
            terms,
            timeout: Duration::from_secs(20),
            digits: String::new(),
            record: false,
            recording: None,
        },
    );
    placed.expect("placed");
    world.collect();
}

/// The application calls the agent, who answers and hears this; his talk.
fn call_agent(world: &mut World, pages: &mut Pages, verbs: &str) -> usize {
    pages.say("/agent", verbs);
    world.peers[AGENT].manners = Manners::Answers(200);
    let talk = world.peers[AGENT].talks.len();
    place(world);
    pages.run_to(world, "the agent's answer", 5000, |world| {
        let talks = &world.peers[AGENT].talks;
        talks.get(talk).is_some_and(|talk| talk.is_answered)
    });
    world.peers[AGENT].manners = Manners::Rings;
    talk
}

fn claim(world: &mut World, pages: &mut Pages, more: &str) -> usize {
    let attributes = format!("reservationSid=\"{}\" {more}", sid(world));
    let talk = call_agent(world, pages, &dial(&attributes, "sales"));
    pages.run_to(world, "the document's end", 10_000, |world| {
        world.peers[AGENT].talks[0].is_over
    });
    talk
}

fn until_talking(world: &mut World, pages: &mut Pages) {
    pages.run_to(world, "a conversation", 5000, |world| {
        let records = world.switch.exchange.records();
        let talks = |record: &CallRecord| record.stretch() == Some(Stretch::Talk);
        records.iter().filter(|record| talks(record)).count() == 2
    });
    pages.run_for(world, 300);
}

/// Whether the caller hears the agent, and the agent him, in his last talk.
fn hear_each_other(world: &mut World) -> bool {
    let caller = hear(world, CARRIER, 600);
    let got = |world: &World| {
        let talk = world.peers[AGENT].talks.last();
        talk.expect("a talk").voice.got.len()
    };
    let from = got(world);
    world.run_for(600);
    let talk = world.peers[AGENT].talks.last().expect("a talk");
    let agent = listen(&talk.voice.got[from..]);
    level(&caller[1600..], 880.0) > -20.0 && level(&agent[1600..], 440.0) > -20.0
}

fn results(pages: &Pages, path: &str, name: &str) -> Vec<String> {
    let forms = pages.forms(path).into_iter();
    forms
        .map(|form| value(form, name).unwrap_or_default().to_owned())
        .collect()
}

fn over(world: &mut World, pages: &mut Pages) {
    for peer in [CARRIER, AGENT] {
        for talk in 0..world.peers[peer].talks.len() {
            if !world.peers[peer].talks[talk].is_over {
                world.hang_up(peer, talk);
                pages.run_for(world, 200);
            }
        }
    }
    pages.run_for(world, 3000);
    world.finish();
}

/// The record of the customer's call.
fn of_caller(world: &World) -> &CallRecord {
    let mut records = world.records.iter();
    let own = records.find(|record| !record.queues.is_empty());
    own.expect("published")
}

#[test]
fn the_agent_whom_the_application_calls_talks_with_the_caller_of_his_reservation() {
    let (mut world, mut pages) = offered(4401);
    assert!(hears_music(&mut world, CARRIER));
    let talk = claim(&mut world, &mut pages, "");
    let cancel = world.sent.iter().find(|sent| sent.what == "1001 <- CANCEL");
    let cancel = cancel.expect("his phone rings no longer");
    assert!(cancel.has("Call completed elsewhere"));
    until_talking(&mut world, &mut pages);
    assert!(hear_each_other(&mut world), "{}", world.tell());
    assert!(task(&world).assigned);
    assert_eq!(agent(&world).state, WorkerState::Talking);
    pages.run_for(&mut world, 2000);
    world.hang_up(AGENT, talk);
    pages.run_for(&mut world, 500);
    assert_eq!(agent(&world).state, WorkerState::WrapUp, "the queue's");
    assert_eq!(results(&pages, "/after", "QueueResult"), ["bridged"]);
    assert!(!world.peers[CARRIER].talks[0].is_over, "he goes on");
    over(&mut world, &mut pages);
    assert_eq!(agent(&world).activity, "available");
    let record = of_caller(&world);
    assert_eq!(record.queues[0].outcome.as_deref(), Some("answered"));
    assert_eq!(record.offers.len(), 1);
    assert_eq!(record.offers[0].outcome.as_deref(), Some("accepted"));
    assert!(record.total_ms(Stretch::Talk) >= 2000);
    assert_eq!(record.agents.len(), 1);
    let parts = record.agents[0].timeline.iter().map(|part| part.stretch);
    let parts: Vec<AgentStretch> = parts.collect();
    assert_eq!(
        parts[parts.len() - 2..],
        [AgentStretch::Talk, AgentStretch::Wrap],
        "{parts:?}"
    );
    assert_eq!(record.recordings.len(), 1, "the queue's conversations are");
    assert!(
        record.recordings[0]
            .duration_ms
            .is_some_and(|ms| ms >= 2000)
    );
}

#[test]
fn the_document_learns_that_the_caller_has_hung_up() {
    let (mut world, mut pages) = offered(4402);
    let talk = claim(&mut world, &mut pages, "");
    until_talking(&mut world, &mut pages);
    world.hang_up(CARRIER, 0);
    pages.run_for(&mut world, 500);
    assert_eq!(results(&pages, "/dialled", "DialCallStatus"), ["completed"]);
    assert_eq!(results(&pages, "/dialled", "DialBridged"), ["true"]);
    assert!(!world.peers[AGENT].talks[talk].is_over);
    assert_eq!(agent(&world).state, WorkerState::WrapUp);
    over(&mut world, &mut pages);
}

#[test]
fn the_worker_goes_to_the_activity_that_the_document_names_after_the_work() {
    let named = Sid::derive(SidKind::Activity, "away").to_string();
    for (seed, name, expected) in [
        (4403, "away", "away"),
        (4404, named.as_str(), "away"),
        (4405, "no such thing", "available"),
    ] {
        let (mut world, mut pages) = offered(seed);
        let more = format!("postWorkActivitySid=\"{name}\"");
        let talk = claim(&mut world, &mut pages, &more);
        until_talking(&mut world, &mut pages);
        assert_eq!(agent(&world).activity, "available", "not before");
        world.hang_up(AGENT, talk);
        pages.run_for(&mut world, 1000);
        assert_eq!(agent(&world).activity, "available", "not before the end");
        over(&mut world, &mut pages);
        assert_eq!(agent(&world).activity, expected, "{name}");
    }
}

#[test]
fn a_reservation_that_is_unknown_accepted_or_of_another_queue_fails() {
    let (mut world, mut pages) = offered(4406);
    let unknown = Sid::derive(SidKind::Reservation, "none").to_string();
    let known = sid(&world);
    for (named, queue) in [(&unknown, "sales"), (&known, "support")] {
        let attributes = format!("reservationSid=\"{named}\"");
        let talk = call_agent(&mut world, &mut pages, &dial(&attributes, queue));
        pages.run_for(&mut world, 6000);
        assert!(!task(&world).assigned);
        world.hang_up(AGENT, talk);
        pages.run_for(&mut world, 300);
    }
    let failed = results(&pages, "/dialled", "DialCallStatus");
    assert_eq!(failed, ["failed", "failed"]);
    assert!(pages.forms("/after").is_empty(), "he waits on");
    assert!(loudness(&hear(&mut world, CARRIER, 400)) > -50.0);

    // The agent took the call by himself meanwhile.
    let (mut world, mut pages) = offered(4407);
    let known = sid(&world);
    let session = world.peers[AGENT].talks[0].session;
    world.with_peer(AGENT, |peer, now| {
        peer.fulfil(now, crate::peer::Wish::Answer(session));
    });
    pages.run_to(&mut world, "a conversation", 5000, World::is_talking);
    let attributes = format!("reservationSid=\"{known}\"");
    call_agent(&mut world, &mut pages, &dial(&attributes, ""));
    pages.run_for(&mut world, 6000);
    let failed = results(&pages, "/dialled", "DialCallStatus");
    assert_eq!(failed, ["failed"]);
    assert!(!world.peers[AGENT].talks[0].is_over);
    over(&mut world, &mut pages);
}

#[test]
fn the_caller_hears_the_whisper_before_and_waits_on_when_the_agent_hangs_up_in_it() {
    let (mut world, mut pages) = offered(4408);
    let whisper = "url=\"https://app.example/whisper\"";
    pages.say("/whisper", "<Say loop=\"20\">words</Say>");
    let talk = claim(&mut world, &mut pages, whisper);
    pages.run_for(&mut world, 1000);
    let asked = pages.forms("/whisper")[0];
    assert!(value(asked, "DequeingCallSid").is_some(), "{asked:?}");
    assert!(!hears_music(&mut world, CARRIER), "he hears the whisper");
    let asked = pages.forms("/wait").len();
    let place = task(&world).entered;
    world.hang_up(AGENT, talk);
    pages.run_for(&mut world, 1000);
    assert!(hears_music(&mut world, CARRIER), "{}", world.tell());
    assert_eq!(pages.forms("/wait").len() - asked, 1);
    let waits = task(&world);
    assert!(!waits.assigned && waits.entered == place, "{waits:?}");
    // Somebody else is there for him.
    pages.say("/whisper", "<Pause length=\"1\"/>");
    pages.run_to(&mut world, "the next offer", 20_000, is_offered);
    pages.run_for(&mut world, 500);
    let attributes = format!("reservationSid=\"{}\" {whisper}", sid(&world));
    call_agent(&mut world, &mut pages, &dial(&attributes, "sales"));
    pages.run_for(&mut world, 5000);
    until_talking(&mut world, &mut pages);
    assert!(
        level(&hear(&mut world, CARRIER, 600)[1600..], 880.0) > -20.0,
        "{}",
        world.tell()
    );
    over(&mut world, &mut pages);
    let record = of_caller(&world);
    let outcomes = record.queues.iter().map(|stay| stay.outcome.as_deref());
    assert_eq!(outcomes.collect::<Vec<_>>(), [Some("answered"); 2]);
}

#[test]
fn a_caller_whom_a_flow_put_into_the_queue_is_taken_likewise() {
    let mut world = World::with(4409, changed(&[WRAP_UP]));
    let carrier = world.carrier();
    world.phone("1001", Manners::Rings);
    world.customer(carrier);
    let mut pages = Pages::new(&[DIALLED, ("/whisper", "", "<Say>words</Say>")]);
    pages.run_to(&mut world, "offered", 20_000, is_offered);
    pages.run_for(&mut world, 500);
    let whisper = "url=\"https://app.example/whisper\"";
    let talk = claim(&mut world, &mut pages, whisper);
    pages.run_for(&mut world, 5000);
    until_talking(&mut world, &mut pages);
    let asked = pages.forms("/whisper")[0];
    assert!(value(asked, "DequeingCallSid").is_some(), "{asked:?}");
    assert!(hear_each_other(&mut world), "{}", world.tell());
    world.hang_up(AGENT, talk);
    over(&mut world, &mut pages);
    assert!(of_caller(&world).total_ms(Stretch::Talk) > 0);
}

#[test]
fn a_process_that_dies_keeps_them_together_and_gives_back_who_was_on_his_way() {
    let (mut world, mut pages) = offered(4410);
    let talk = claim(&mut world, &mut pages, "");
    until_talking(&mut world, &mut pages);
    world.restart();
    pages.run_for(&mut world, 2000);
    assert!(hear_each_other(&mut world), "{}", world.tell());
    world.hang_up(AGENT, talk);
    pages.run_for(&mut world, 1000);
    assert_eq!(results(&pages, "/after", "QueueResult"), ["bridged"]);
    over(&mut world, &mut pages);

    let (mut world, mut pages) = offered(4411);
    pages.say("/whisper", "<Say>words</Say>");
    claim(
        &mut world,
        &mut pages,
        "url=\"https://app.example/whisper\"",
    );
    pages.run_for(&mut world, 500);
    world.restart();
    pages.run_for(&mut world, 20_000);
    assert!(hear_each_other(&mut world), "{}", world.tell());
    over(&mut world, &mut pages);
}

#[test]
fn calls_look_by_themselves_when_nobody_tells_them() {
    let (mut world, mut pages) = offered(4412);
    let talk = claim(&mut world, &mut pages, "");
    until_talking(&mut world, &mut pages);
    world.is_deaf = true;
    world.hang_up(AGENT, talk);
    pages.run_for(&mut world, 6000);
    assert_eq!(results(&pages, "/after", "QueueResult"), ["bridged"]);
    over(&mut world, &mut pages);

    // The word that somebody claims him is lost: the document hears of it in the end.
    let (mut world, mut pages) = offered(4413);
    world.is_deaf = true;
    let attributes = format!("reservationSid=\"{}\"", sid(&world));
    call_agent(&mut world, &mut pages, &dial(&attributes, "sales"));
    pages.run_for(&mut world, 20_000);
    let failed = results(&pages, "/dialled", "DialCallStatus");
    assert_eq!(failed, ["failed"], "{}", world.tell());
    over(&mut world, &mut pages);
}

/// Whoever hangs up at whatever instant, or the process dies: no leg is left, no task, no claim.
#[test]
fn nobody_is_left_whenever_somebody_hangs_up_or_the_process_dies() {
    let leave: [fn(&mut World); 3] = [
        |world| world.hang_up(CARRIER, 0),
        |world| {
            let talks = &world.peers[AGENT].talks;
            if let Some(talk) = talks.iter().rposition(|talk| !talk.is_over) {
                world.hang_up(AGENT, talk);
            }
        },
        World::restart,
    ];
    for (who, act) in leave.into_iter().enumerate() {
        let mut number = 0;
        loop {
            let (mut world, mut pages) = offered(4420 + number as u64);
            pages.say("/whisper", "<Pause length=\"1\"/>");
            let at = world.happened + number;
            world.interrupt(at, act);
            let attributes = format!(
                "reservationSid=\"{}\" url=\"https://app.example/whisper\"",
                sid(&world)
            );
            let queue = format!("<Queue {attributes}>sales</Queue>");
            pages.say("/agent", &format!("<Dial timeout=\"20\">{queue}</Dial>"));
            world.peers[AGENT].manners = Manners::Answers(200);
            place(&mut world);
            pages.run_for(&mut world, 3000);
            world.peers[AGENT].manners = Manners::Rings;
            let was_interrupted = !world.is_uninterrupted();
            over(&mut world, &mut pages);
            if !was_interrupted {
                assert!(number > 8, "{number} things at {who}");
                break;
            }
            number += 1;
        }
    }
}

/// The process dies at any moment of it: whoever was answered is served in the end, or waits.
#[test]
fn nobody_is_lost_whenever_the_process_dies() {
    for step in 0..16 {
        let (mut world, mut pages) = offered(4480 + step);
        pages.say("/whisper", "<Pause length=\"1\"/>");
        let whisper = "url=\"https://app.example/whisper\"";
        let attributes = format!("reservationSid=\"{}\" {whisper}", sid(&world));
        let talk = call_agent(&mut world, &mut pages, &dial(&attributes, "sales"));
        pages.run_for(&mut world, 900 + step * 100);
        world.restart();
        pages.run_for(&mut world, 6000);
        let record = world.switch.exchange.records();
        assert_eq!(record.len(), 2, "{step}\n{}", world.tell());
        assert!(!world.peers[CARRIER].talks[0].is_over);
        assert!(!world.peers[AGENT].talks[talk].is_over);
        // Whoever dialled has him, or was told that he has not.
        let failed = results(&pages, "/dialled", "DialCallStatus");
        match failed.is_empty() {
            true => assert!(hear_each_other(&mut world), "{step}\n{}", world.tell()),
            false => {
                assert_eq!(failed, ["failed"], "{step}");
                assert!(!task(&world).assigned, "{step}\n{}", world.tell());
            }
        }
        over(&mut world, &mut pages);
    }
}
