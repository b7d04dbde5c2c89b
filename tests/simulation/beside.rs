//! Flows beside the caller's own: whispers to agents and callers, what a queue says to those who
//! wait, what runs when the caller is gone; and numbers that lead elsewhere for a while.

use serde_json::json;
use tsunagu::call::Subject;
use tsunagu::events::{AgentStretch, Fact, Stretch};
use tsunagu::flow::Reply;
use tsunagu::sdp::Direction;

use crate::ear::{level, likeness, listen};
use crate::judge::stretches;
use crate::office::{changed, spoken};
use crate::peer::{Manners, Offer};
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

const START: (&str, &str, &str) = (
    "flows/main.toml",
    "start = \"greeting\"",
    "start = \"sales-queue\"",
);
const SALES: &str = "[[queue]]\nname = \"sales\"\n";

/// The office whose number leads straight to the queue `sales`, which has these lines more.
fn world(seed: u64, lines: &str, more: &[(&str, &str, &str)]) -> World {
    let queue = format!("{SALES}{lines}\n");
    let changes = [START, ("queues.toml", SALES, queue.as_str())];
    World::with(seed, changed(&[&changes[..], more].concat()))
}

fn call(world: &mut World) -> usize {
    let carrier = world.carrier();
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    carrier
}

fn hears(world: &World, peer: usize, talk: usize, sound: &str) -> bool {
    let sound = spoken(sound);
    let loud = sound.iter().position(|it| it.abs() > 1000).expect("loud") + 800;
    let all = listen(&world.peers[peer].talks[talk].voice.got);
    likeness(&sound[loud..loud + 800], &all) > 0.95
}

fn length(sound: &str) -> u64 {
    u64::try_from(spoken(sound).len() / 8).expect("short")
}

#[test]
fn an_agent_hears_his_whisper_then_the_caller_his_and_then_they_talk() {
    let lines = "agent_whisper = [\"transferring\"]\ncustomer_whisper = [\"recorded-notice\"]";
    let mut world = world(1601, lines, &[]);
    let agent = world.phone("1001", Manners::Answers(1000));
    let carrier = call(&mut world);
    world.until_answered(agent, 0);
    world.run_for(length("ja/transferring") / 2);
    assert!(!world.is_talking(), "not before its end");
    world.until_talking();
    world.run_for(3000);
    world.hang_up(carrier, 0);
    world.finish();
    assert!(
        hears(&world, agent, 0, "ja/transferring"),
        "{}",
        world.tell()
    );
    assert!(hears(&world, carrier, 0, "ja/recorded-notice"));
    assert!(!hears(&world, carrier, 0, "ja/transferring"));
    assert!(!hears(&world, agent, 0, "ja/recorded-notice"));
    let heard = listen(&world.peers[agent].talks[0].voice.got);
    assert!(
        level(&heard[heard.len() - 8000..], 440.0) > -14.0,
        "they talk"
    );
    let record = world.record();
    assert_eq!(record.queues[0].outcome.as_deref(), Some("answered"));
    assert_eq!(
        stretches(record),
        [Stretch::Ivr, Stretch::Queue, Stretch::Talk]
    );
    let parts: Vec<_> = record.agents[0]
        .timeline
        .iter()
        .map(|it| it.stretch)
        .collect();
    assert_eq!(
        parts,
        [AgentStretch::Offer, AgentStretch::Ring, AgentStretch::Talk]
    );
}

#[test]
fn an_agent_who_hangs_up_in_his_whisper_leaves_the_caller_in_the_line() {
    let mut world = world(1602, "agent_whisper = [\"transferring\"]", &[]);
    let first = world.phone("1001", Manners::Answers(500));
    let second = world.phone("1002", Manners::Answers(500));
    call(&mut world);
    world.run_to("an answer", 30_000, |world| {
        [first, second].iter().any(|&peer| {
            let talks = &world.peers[peer].talks;
            talks.first().is_some_and(|talk| talk.is_answered)
        })
    });
    let is_first = world.peers[first]
        .talks
        .first()
        .is_some_and(|it| it.is_answered);
    let (leaves, stays) = if is_first {
        (first, second)
    } else {
        (second, first)
    };
    world.run_for(300);
    world.hang_up(leaves, 0);
    // He is idle again and may be offered the call once more; he answers then, or the other does.
    world.until_talking();
    world.run_for(500);
    let last = if world.peers[stays].talks.is_empty() {
        leaves
    } else {
        stays
    };
    let talk = world.peers[last].talks.len() - 1;
    world.hang_up(last, talk);
    world.finish();
    let record = world.record();
    assert_eq!(record.queues.len(), 2, "{}", world.tell());
    assert_eq!(record.total_ms(Stretch::Talk) / 1000, 0);
}

#[test]
fn the_shop_a_caller_dialled_decides_what_the_agent_hears_and_sees() {
    // R144: many shops, one staff.
    let red = (
        "numbers.toml",
        "attributes = { language = \"ja\" }",
        concat!(
            "whisper = [\"shop-red-greeting\"]\nlanguage = \"ja\"\n",
            "attributes = { shop = \"red\", pop = \"https://crm.example/red\" }"
        ),
    );
    let blue = (
        "numbers.toml",
        "flow = \"hotel\"\nattributes = { hotel = \"blue\", language = \"ja\" }",
        concat!(
            "flow = \"main\"\nwhisper = [\"shop-blue-greeting\"]\nlanguage = \"ja\"\n",
            "attributes = { hotel = \"blue\", shop = \"blue\", pop = \"https://crm.example/blue\" }"
        ),
    );
    for (seed, number, sound, other, shop) in [
        (
            1603,
            OFFICE,
            "ja/shop-red-greeting",
            "ja/shop-blue-greeting",
            "red",
        ),
        (
            1604,
            "+81312345602",
            "ja/shop-blue-greeting",
            "ja/shop-red-greeting",
            "blue",
        ),
    ] {
        let mut world = world(seed, "agent_whisper = [\"transferring\"]", &[red, blue]);
        let agent = world.phone("1001", Manners::Answers(500));
        let carrier = world.carrier();
        world.with_peer(carrier, |peer, now| peer.call(now, number, CUSTOMER));
        world.until_answered(agent, 0);
        let view = world.switch.pump.view();
        let task = &view.tasks[0].attributes;
        assert_eq!(task["shop"], shop);
        assert_eq!(task["pop"], format!("https://crm.example/{shop}"));
        world.until_talking();
        world.hang_up(carrier, 0);
        world.finish();
        assert!(hears(&world, agent, 0, sound), "{shop}: {}", world.tell());
        assert!(!hears(&world, agent, 0, other) && !hears(&world, agent, 0, "ja/transferring"));
        assert_eq!(
            world.record().queues[0].queue,
            "sales",
            "one queue for both"
        );
    }
}

const WAITING: &str = "type = \"customer_queue\"\nstart = \"offer\"\n\
    [steps.offer]\ndo = \"menu\"\nprompt = [\"callback-offer\"]\nchoices = { 1 = \"note\" }\n\
    tries = 1\nfailed = \"music\"\n\
    [steps.music]\ndo = \"pause\"\nlength = \"20s\"\nnext = \"offer\"\n\
    [steps.note]\ndo = \"set\"\nattributes = { callback = true }\nnext = \"out\"\n\
    [steps.out]\ndo = \"leave\"\n";

/// The clinic's file with another flow in it.
fn waiting() -> World {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/flows/clinic.toml");
    let clinic: &'static str = std::fs::read_to_string(path).expect("the clinic").leak();
    let left = (
        "flows/main.toml",
        "nobody = \"nobody\"               # nobody can ever take the call",
        "nobody = \"nobody\"\nleft = \"goodbye\"",
    );
    let more = [
        ("flows/clinic.toml", clinic, WAITING),
        ("numbers.toml", "flow = \"clinic\"", "flow = \"main\""),
        left,
    ];
    world(
        1605,
        "queue_flow = \"clinic\"\nwhen_nobody = \"wait\"",
        &more,
    )
}

#[test]
fn a_caller_who_waits_hears_the_queues_flow_and_may_leave_by_it() {
    let mut world = waiting();
    let carrier = call(&mut world);
    world.run_for(length("ja/callback-offer") + 800);
    assert!(
        hears(&world, carrier, 0, "ja/callback-offer"),
        "{}",
        world.tell()
    );
    world.peers[carrier].talks[0].voice.press("1");
    world.run_for(length("ja/goodbye") + 1500);
    assert!(hears(&world, carrier, 0, "ja/goodbye"));
    world.finish();
    let record = world.record();
    assert_eq!(record.queues[0].outcome.as_deref(), Some("left"));
    assert_eq!(record.attributes["callback"], true);
    let steps: Vec<&str> = record.steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(steps, ["sales-queue", "offer", "note", "out", "goodbye"]);
}

#[test]
fn the_queues_flow_goes_round_and_ends_when_an_agent_answers() {
    let mut world = waiting();
    let carrier = call(&mut world);
    world.run_for(60_000);
    let agent = world.phone("1001", Manners::Answers(500));
    world.until_talking();
    world.run_for(2000);
    world.hang_up(agent, 0);
    world.finish();
    let record = world.record();
    let offers = record
        .steps
        .iter()
        .filter(|step| step.step == "offer")
        .count();
    assert!((2..=4).contains(&offers), "{offers}");
    let heard = listen(&world.peers[carrier].talks[0].voice.got);
    assert!(
        level(&heard[heard.len() - 8000..], 880.0) > -14.0,
        "they talked"
    );
}

#[test]
fn when_the_caller_is_gone_the_disconnect_flow_tells_the_application() {
    let gone = "type = \"disconnect\"\nstart = \"tell\"\n\
        [steps.tell]\ndo = \"http\"\nendpoint = \"crm\"\nparameters = { who = \"{{ call.from }}\" }\n\
        gives = [\"case\"]\nnext = \"return\"\nerror = \"return\"\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/flows/clinic.toml");
    let clinic: &'static str = std::fs::read_to_string(path).expect("the clinic").leak();
    let more = [
        ("flows/clinic.toml", clinic, gone),
        ("numbers.toml", "flow = \"clinic\"", "flow = \"main\""),
        (
            "webhooks.toml",
            "# requests = 200",
            "[[endpoint]]\nname = \"crm\"\nurl = \"https://crm.example/\"\n# requests = 200",
        ),
    ];
    for (seed, reply) in [
        (1606, Some(Reply::Data(json!({"case": 7})))),
        (1607, Some(Reply::Failed("away".to_owned()))),
        (1608, None),
    ] {
        let mut world = world(
            seed,
            "disconnect_flow = \"clinic\"\nwhen_nobody = \"wait\"",
            &more,
        );
        let carrier = call(&mut world);
        world.run_for(2000);
        world.hang_up(carrier, 0);
        world.run_for(500);
        assert_eq!(world.inquiries.len(), 1, "{}", world.tell());
        let inquiry = world.inquiries.remove(0);
        let Subject::Endpoint { about, .. } = &inquiry.subject else {
            panic!("{inquiry:?}");
        };
        assert_eq!(about.parameters["who"], CUSTOMER);
        assert_eq!(about.queue.as_deref(), Some("sales"), "the last");
        assert!(world.records.is_empty(), "the record waits");
        if let Some(reply) = &reply {
            let (now, request) = (world.now, inquiry.request);
            let exchange = &mut world.switch.exchange;
            exchange.told(now, &inquiry.call, request, reply);
        }
        world.finish();
        let record = world.record();
        let case = record.attributes.get("case");
        assert_eq!(case.is_some(), matches!(reply, Some(Reply::Data(_))));
        assert_eq!(
            record.steps.last().map(|step| step.step.as_str()),
            Some("tell")
        );
    }
}

#[test]
fn a_number_leads_elsewhere_until_its_time_is_over_and_the_record_says_so() {
    // The world begins in 1970.
    let number = "attributes = { language = \"ja\" }";
    let with = "attributes = { language = \"ja\" }\n\
        override = { flow = \"hotel\", until = \"1970-01-01T00:00:10Z\", reason = \"a test\" }";
    let mut world = World::with(1609, changed(&[("numbers.toml", number, with)]));
    let carrier = call(&mut world);
    world.run_for(3000);
    world.hang_up(carrier, 0);
    world.run_for(10_000);
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    world.run_for(3000);
    world.hang_up(carrier, 1);
    world.finish();
    let first = &world.records[0];
    assert_eq!(first.steps[0].flow, "hotel", "{}", world.tell());
    let check = first.checks.iter().find(|it| it.check == "number.override");
    let check = check.expect("in the record");
    assert!(check.passed && check.words.contains("by numbers.toml to flow hotel"));
    assert!(check.words.ends_with("a test"), "{}", check.words);
    assert_eq!(world.records[1].steps[0].flow, "main");
    assert!(
        world.records[1]
            .checks
            .iter()
            .all(|it| it.check != "number.override")
    );
}

#[test]
fn a_number_greets_in_its_own_words() {
    let number = "attributes = { language = \"ja\" }";
    let with = "attributes = { language = \"ja\" }\ngreeting = [\"shop-red-greeting\"]";
    let step = "sounds = [\"greeting\"]\n";
    let own = "sounds = [\"greeting\"]\ngreeting = true\n";
    for (seed, changes, sound) in [
        (1610, vec![("flows/main.toml", step, own)], "ja/greeting"),
        (
            1611,
            vec![
                ("flows/main.toml", step, own),
                ("numbers.toml", number, with),
            ],
            "ja/shop-red-greeting",
        ),
    ] {
        let mut world = World::with(seed, changed(&changes));
        let carrier = call(&mut world);
        world.run_for(3000);
        assert!(hears(&world, carrier, 0, sound), "{sound}");
        world.hang_up(carrier, 0);
        world.finish();
    }
}

#[test]
fn a_caller_on_hold_hears_the_hold_flow_until_he_is_talked_to_again() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/flows/clinic.toml");
    let clinic: &'static str = std::fs::read_to_string(path).expect("the clinic").leak();
    let hold = "type = \"customer_hold\"\nstart = \"say\"\n\
        [steps.say]\ndo = \"play\"\nsounds = [\"please-wait\"]\nnext = \"music\"\n\
        [steps.music]\ndo = \"pause\"\nlength = \"5s\"\nnext = \"return\"\n";
    let more = [
        ("flows/clinic.toml", clinic, hold),
        ("numbers.toml", "flow = \"clinic\"", "flow = \"main\""),
    ];
    let mut world = world(1612, "hold_flow = \"clinic\"", &more);
    let agent = world.phone("1001", Manners::Answers(500));
    let carrier = call(&mut world);
    world.until_talking();
    world.run_for(1000);
    world.with_peer(agent, |peer, now| {
        peer.reoffer(now, 0, Direction::SendOnly, Offer::Early)
    });
    world.run_for(length("ja/please-wait") + 500);
    assert!(
        hears(&world, carrier, 0, "ja/please-wait"),
        "{}",
        world.tell()
    );
    world.run_for(12_000);
    world.with_peer(agent, |peer, now| {
        peer.reoffer(now, 0, Direction::SendRecv, Offer::Early)
    });
    world.run_for(3000);
    let heard = listen(&world.peers[carrier].talks[0].voice.got);
    assert!(
        level(&heard[heard.len() - 8000..], 880.0) > -14.0,
        "they talk again"
    );
    world.hang_up(carrier, 0);
    world.finish();
    let said = world
        .record()
        .steps
        .iter()
        .filter(|step| step.step == "say")
        .count();
    assert!(
        (2..=4).contains(&said),
        "{said} times, as long as it lasted"
    );
}

#[test]
fn whispers_and_queue_flows_outlive_the_process() {
    // An agent in his whisper: he hears it again, and then they talk.
    let mut world = world(1613, "agent_whisper = [\"transferring\"]", &[]);
    let agent = world.phone("1001", Manners::Answers(500));
    let carrier = call(&mut world);
    world.until_answered(agent, 0);
    world.run_for(400);
    world.restart();
    world.run_for(length("ja/transferring") / 2);
    assert!(!world.is_talking(), "it began anew");
    world.until_talking();
    world.run_for(2000);
    world.hang_up(carrier, 0);
    world.finish();
    assert!(
        hears(&world, agent, 0, "ja/transferring"),
        "{}",
        world.tell()
    );
    let heard = listen(&world.peers[agent].talks[0].voice.got);
    assert!(level(&heard[heard.len() - 8000..], 440.0) > -14.0);

    // A caller in the queue's menu: its answer still counts.
    let mut world = waiting();
    let carrier = call(&mut world);
    world.run_for(1500);
    world.restart();
    world.run_for(length("ja/callback-offer") + 800);
    world.peers[carrier].talks[0].voice.press("1");
    world.run_for(3000);
    world.finish();
    let record = world.record();
    assert_eq!(
        record.queues[0].outcome.as_deref(),
        Some("left"),
        "{}",
        world.tell()
    );
}

#[test]
fn the_longest_wait_counts_on_when_an_agent_hangs_up_in_his_whisper() {
    let longest = (
        "queues.toml",
        "longest_wait = \"10m\"            # default",
        "longest_wait = \"12s\"            # default",
    );
    let mut world = world(1615, "agent_whisper = [\"transferring\"]", &[longest]);
    let agent = world.phone("1001", Manners::Answers(8000));
    call(&mut world);
    world.until_answered(agent, 0);
    world.run_for(300);
    world.peers[agent].manners = Manners::Rings;
    world.hang_up(agent, 0);
    let outcomes = |world: &World| -> Vec<String> {
        world.facts(|fact| match fact {
            Fact::Unqueued { outcome, .. } => Some(outcome.clone()),
            _ => None,
        })
    };
    world.run_for(2000);
    assert_eq!(outcomes(&world), ["answered"], "he waits on");
    world.run_for(3000);
    assert_eq!(
        outcomes(&world),
        ["answered", "timeout"],
        "{}",
        world.tell()
    );
    world.finish();
}

/// The queue's flow in the place of the clinic's, and an endpoint it asks.
fn with_clinic(flow: &'static str) -> [(&'static str, &'static str, &'static str); 3] {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/flows/clinic.toml");
    let clinic: &'static str = std::fs::read_to_string(path).expect("the clinic").leak();
    [
        ("flows/clinic.toml", clinic, flow),
        ("numbers.toml", "flow = \"clinic\"", "flow = \"main\""),
        (
            "webhooks.toml",
            "# requests = 200",
            "[[endpoint]]\nname = \"crm\"\nurl = \"https://crm.example/\"\n# requests = 200",
        ),
    ]
}

#[test]
fn what_the_queues_flow_takes_away_the_callers_own_flow_has_no_more() {
    let asking = "type = \"customer_queue\"\nstart = \"ask\"\n\
        [steps.ask]\ndo = \"http\"\nendpoint = \"crm\"\nnext = \"again\"\nerror = \"return\"\n\
        [steps.again]\ndo = \"http\"\nendpoint = \"crm\"\nnext = \"out\"\nerror = \"return\"\n\
        [steps.out]\ndo = \"leave\"\n";
    let left = (
        "flows/main.toml",
        "nobody = \"nobody\"               # nobody can ever take the call",
        "nobody = \"nobody\"\nleft = \"told\"",
    );
    let told = (
        "flows/main.toml",
        "[steps.nobody]\n",
        "[steps.told]\ndo = \"branch\"\notherwise = \"goodbye\"\n\
        cases = [{ if = \"attributes.source == 'main-number'\", next = \"nobody\" }]\n[steps.nobody]\n",
    );
    let more = [&with_clinic(asking)[..], &[left, told]].concat();
    let lines = "queue_flow = \"clinic\"\nwhen_nobody = \"wait\"";
    let mut world = world(1616, lines, &more);
    call(&mut world);
    for (reply, has_source) in [(json!({"source": null}), true), (json!({}), false)] {
        world.run_for(1000);
        let inquiry = world.inquiries.pop().expect("a question");
        let Subject::Endpoint { about, .. } = &inquiry.subject else {
            panic!("{inquiry:?}");
        };
        assert_eq!(about.attributes.contains_key("source"), has_source);
        assert_eq!(about.queue.as_deref(), Some("sales"));
        let now = world.now;
        let exchange = &mut world.switch.exchange;
        exchange.told(now, &inquiry.call, inquiry.request, &Reply::Data(reply));
    }
    world.finish();
    let record = world.record();
    let steps: Vec<&str> = record.steps.iter().map(|step| step.step.as_str()).collect();
    let expected = ["sales-queue", "ask", "again", "out", "told", "goodbye"];
    assert_eq!(steps, expected, "{}", world.tell());
    assert!(!record.attributes.contains_key("source"));
}

#[test]
fn the_callers_whisper_leaves_what_the_agents_has_set() {
    let note = "type = \"agent_whisper\"\nstart = \"note\"\n\
        [steps.note]\ndo = \"set\"\nattributes = { source = \"whispered\" }\nnext = \"return\"\n";
    let lines = "agent_whisper = { flow = \"clinic\" }\ncustomer_whisper = [\"recorded-notice\"]";
    let mut world = world(1617, lines, &with_clinic(note));
    world.phone("1001", Manners::Answers(500));
    let carrier = call(&mut world);
    world.until_talking();
    world.hang_up(carrier, 0);
    world.finish();
    assert_eq!(world.record().attributes["source"], "whispered");
}
