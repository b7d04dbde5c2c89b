//! What a flow asks outside, and what comes of it: the owner of a number (R60), a ticket (R132),
//! opening hours, a voice.

use std::time::Duration;

use serde_json::json;
use tsunagu::call::Subject;
use tsunagu::flow::Reply;

use crate::office::changed;
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

/// The office, whose number leads into these steps first.
fn world(seed: u64, steps: &str, more: &[(&str, &str, &str)]) -> World {
    let steps = format!("{steps}\n[steps.greeting]\n");
    let flow = [
        ("flows/main.toml", "start = \"greeting\"", "start = \"ask\""),
        ("flows/main.toml", "[steps.greeting]\n", steps.as_str()),
        (
            "webhooks.toml",
            "# requests = 200",
            "[[endpoint]]\nname = \"crm\"\nurl = \"https://crm.example/\"\n# requests = 200",
        ),
    ];
    World::with(seed, changed(&[&flow[..], more].concat()))
}

const OWNER: &str = "[steps.ask]\n\
    do = \"http\"\n\
    endpoint = \"crm\"\n\
    parameters = { number = \"{{ call.from }}\" }\n\
    timeout = \"3s\"\n\
    merge = true\n\
    gives = [\"owner\"]\n\
    next = \"sales-queue\"\n\
    error = \"nobody\"\n";

/// A caller whose flow has asked the application.
fn asking(seed: u64) -> World {
    let mut world = world(seed, OWNER, &[]);
    let carrier = world.carrier();
    world.phone("1001", Manners::Answers(300));
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    world.run_for(1000);
    assert_eq!(world.inquiries.len(), 1, "{}", world.tell());
    world
}

fn answer(world: &mut World, reply: &Reply) {
    let inquiry = world.inquiries.remove(0);
    let now = world.now;
    let exchange = &mut world.switch.exchange;
    exchange.told(now, &inquiry.call, inquiry.request, reply);
}

#[test]
fn what_the_application_knows_becomes_attributes_and_the_call_goes_on() {
    let mut world = asking(801);
    let Subject::Endpoint {
        endpoint,
        about,
        budget,
        ..
    } = &world.inquiries[0].subject
    else {
        panic!("{:?}", world.inquiries[0]);
    };
    assert_eq!(
        (endpoint.as_str(), *budget),
        ("crm", Duration::from_secs(3))
    );
    assert_eq!(about.from, CUSTOMER);
    assert_eq!(about.parameters["number"], CUSTOMER);
    assert_eq!(about.queue, None, "he has been in none");
    assert_eq!(about.attributes["source"], "main-number");
    answer(
        &mut world,
        &Reply::Data(json!({"owner": "sato", "pop": {"url": "https://crm/1"}})),
    );
    world.until_talking();
    world.hang_up(0, 0);
    world.finish();
    let record = world.record();
    assert_eq!(record.attributes["owner"], "sato");
    assert_eq!(record.attributes["pop"]["url"], "https://crm/1");
    assert_eq!(record.queues[0].queue, "sales");
}

/// RFC 7396, as docs/webhooks.md says.
#[test]
fn replies_are_merged_into_attributes_and_null_takes_one_away() {
    let set = "do = \"set\"\nnext = \"http\"\n[steps.ask.attributes]\nnote = \"old\"\n\
               customer = { name = \"A\", tier = 1 }\n[steps.http]\ndo = \"http\"";
    let steps = OWNER.replace("do = \"http\"", set);
    let mut world = world(807, &steps, &[]);
    let carrier = world.carrier();
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    world.run_for(1000);
    let reply = json!({"customer": {"vip": true, "tier": null}, "note": null, "owner": "sato"});
    answer(&mut world, &Reply::Data(reply));
    world.run_for(1000);
    world.hang_up(0, 0);
    world.finish();
    let record = world.record();
    let customer = json!({"name": "A", "vip": true});
    assert_eq!(record.attributes["customer"], customer);
    assert!(!record.attributes.contains_key("note"));
}

#[test]
fn an_application_that_fails_is_slow_or_lies_costs_the_caller_its_budget_at_most() {
    for (seed, reply) in [
        (
            802,
            Some(Reply::Failed("refused: nobody listens".to_owned())),
        ),
        (803, None),
    ] {
        let mut world = asking(seed);
        if let Some(reply) = reply {
            answer(&mut world, &reply);
        }
        world.finish();
        let record = world.record();
        assert!(record.queues.is_empty(), "the step of errors");
        assert!(!record.attributes.contains_key("owner"));
        // Budget, and the announcement that nobody is there.
        assert!(record.duration_ms.expect("ended") < 12_000);
    }
    // A lie that is no object is told as a failure by whoever reads it; a late word changes nothing.
    let mut world = asking(804);
    let late = world.inquiries[0].clone();
    world.run_for(4000);
    let now = world.now;
    let reply = Reply::Data(json!({"owner": "sato"}));
    world
        .switch
        .exchange
        .told(now, &late.call, late.request, &reply);
    world.finish();
    assert!(!world.record().attributes.contains_key("owner"));
}

#[test]
fn a_caller_who_leaves_while_the_application_thinks_leaves_nothing_behind() {
    let mut world = asking(805);
    world.hang_up(0, 0);
    world.run_for(500);
    answer(&mut world, &Reply::Data(json!({"owner": "sato"})));
    world.finish();
    assert!(!world.record().attributes.contains_key("owner"));
}

#[test]
fn the_numbers_calendar_says_where_a_caller_goes() {
    let hours = "[steps.ask]\ndo = \"hours\"\nopen = \"sales-queue\"\nclosed = \"nobody\"\n\
        error = \"goodbye\"\n";
    let number = "# calendar = \"office\" ";
    let with = "calendar = \"office\" #";
    // The world begins at nine in Tokyo, on New Year's Day.
    for (list, is_open) in [
        ("closed = true ", false),
        ("open = [\"09:00-10:00\"] #", true),
    ] {
        let more = [
            ("numbers.toml", number, with),
            ("calendars.toml", "closed = true ", list),
        ];
        let mut world = world(810, hours, &more);
        let carrier = world.carrier();
        world.phone("1001", Manners::Answers(300));
        world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
        world.run_for(3000);
        world.hang_up(0, 0);
        world.finish();
        assert_eq!(world.record().queues.len(), usize::from(is_open), "{list}");
    }
}

#[test]
fn a_queues_calendar_says_where_a_caller_goes() {
    let hours = "[steps.ask]\ndo = \"hours\"\nqueue = \"sales\"\nopen = \"sales-queue\"\n\
        closed = \"nobody\"\nerror = \"goodbye\"\n";
    for (list, is_open) in [
        ("closed = true ", false),
        ("open = [\"09:00-10:00\"] #", true),
    ] {
        let more = [
            (
                "queues.toml",
                "# calendar = \"office\" ",
                "calendar = \"office\" #",
            ),
            ("calendars.toml", "closed = true ", list),
        ];
        let mut world = world(811, hours, &more);
        let carrier = world.carrier();
        world.phone("1001", Manners::Answers(300));
        world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
        world.run_for(3000);
        world.hang_up(0, 0);
        world.finish();
        assert_eq!(world.record().queues.len(), usize::from(is_open), "{list}");
    }
}

#[test]
fn a_text_that_no_voice_says_in_time_is_replaced_by_prompts() {
    let say = "[steps.ask]\ndo = \"say\"\ntext = \"Hello {{ call.from }}\"\n\
        otherwise = [\"greeting\"]\nnext = \"sales-queue\"\n";
    let mut world = world(820, say, &[]);
    let carrier = world.carrier();
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    world.run_for(1000);
    let Subject::Text(wish) = &world.inquiries[0].subject else {
        panic!("{:?}", world.inquiries[0]);
    };
    assert_eq!(wish.text.0, format!("Hello {CUSTOMER}"));
    assert_eq!(wish.language, "ja");
    world.run_for(7000);
    world.hang_up(0, 0);
    world.finish();
    let record = world.record();
    assert_eq!(
        record.queues[0].queue, "sales",
        "after three seconds and the greeting"
    );
}
