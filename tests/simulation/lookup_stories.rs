//! Stories of callers who are looked up before they are led: the owner of a number (R60), the ticket
//! a caller names (R132).

use std::time::Duration;

use serde_json::{Value, json};
use tsunagu::call::Subject;
use tsunagu::events::Fact;
use tsunagu::flow::Reply;

use crate::office::changed;
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

/// The office whose number leads into these steps, with an application to ask.
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

fn tell(world: &mut World, reply: &Reply) {
    let inquiry = world.inquiries.remove(0);
    let now = world.now;
    let exchange = &mut world.switch.exchange;
    exchange.told(now, &inquiry.call, inquiry.request, reply);
}

const OWNER: &str = "[steps.ask]\ndo = \"http\"\nendpoint = \"crm\"\n\
    parameters = { number = \"{{ call.from }}\" }\ntimeout = \"3s\"\ngives = [\"owner\"]\n\
    next = \"in\"\nerror = \"in\"\n\
    [steps.in]\ndo = \"queue\"\nworkflow = \"owner-first\"\nnobody = \"nobody\"\n";
const WORKFLOW: &str = "[[workflow]]\nname = \"owner-first\"\n\
    [[workflow.filter]]\nname = \"owner\"\nexpression = \"owner != null\"\n\
    [[workflow.filter.step]]\nqueue = \"sales\"\nknown_worker = \"task.owner\"\ntimeout = \"5s\"\n\
    [[workflow.filter.step]]\npriority = 5\n\
    [workflow.default]\nqueue = \"sales\"\n\n# [[workflow]]\n";

/// R60 with the application of the user's own: whom the caller is offered to, and after how long.
#[test]
fn r60_an_owner_look_up_that_is_there_slow_failing_or_lying() {
    let data = |value: Value| Some(Reply::Data(value));
    let failed = Some(Reply::Failed("refused: nobody listens".to_owned()));
    for (seed, reply, agent, seconds) in [
        // There: the owner, though another is idle for longer.
        (1701, data(json!({"owner": "suzuki"})), "suzuki", 1..2),
        // Slow: anybody, when its three seconds are over.
        (1702, None, "sato", 3..5),
        // Failing: anybody, at once.
        (1703, failed, "sato", 1..2),
        // Lying: an owner nobody knows, one that is no name, none at all.
        (1704, data(json!({"owner": "nobody-here"})), "sato", 1..7),
        (1705, data(json!({"owner": 42})), "sato", 1..7),
        (1706, data(json!({"owner": null})), "sato", 1..2),
        (1707, data(json!({})), "sato", 1..2),
    ] {
        let workflow = ("workflows.toml", "# [[workflow]]\n", WORKFLOW);
        let mut world = world(seed, OWNER, &[workflow]);
        let carrier = world.carrier();
        world.phone("1001", Manners::Answers(300));
        world.run_for(2000);
        world.phone("1002", Manners::Answers(300));
        world.run_for(1000);
        let began = world.now;
        world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
        world.run_for(1000);
        assert_eq!(world.inquiries.len(), 1, "{}", world.tell());
        if let Some(reply) = &reply {
            tell(&mut world, reply);
        }
        world.run_to("an offer", 30_000, |world| {
            let offers = world.facts(|fact| matches!(fact, Fact::Offered { .. }).then_some(()));
            !offers.is_empty()
        });
        let waited = world.now.since(began);
        let range = Duration::from_secs(seconds.start)..Duration::from_secs(seconds.end);
        assert!(range.contains(&waited), "{reply:?}: {waited:?}");
        world.until_talking();
        world.hang_up(carrier, 0);
        world.finish();
        let record = world.record();
        assert_eq!(record.offers[0].agent, agent, "{reply:?}: {}", world.tell());
    }
}

const TICKET: &str = "[steps.ask]\ndo = \"collect\"\nprompt = []\nmax = 8\nmin = 0\ninto = \"ticket\"\n\
    timeout = \"2s\"\nterminators = \"#\"\nfailed = \"new\"\ntries = 1\nnext = \"known\"\n\
    [steps.known]\ndo = \"branch\"\n\
    cases = [{ if = \"attributes.ticket == ''\", next = \"new\" }]\notherwise = \"look\"\n\
    [steps.look]\ndo = \"http\"\nendpoint = \"crm\"\n\
    parameters = { ticket = \"{{ attributes.ticket }}\" }\ngives = [\"found\"]\nmerge = true\n\
    next = \"pops\"\nerror = \"new\"\n\
    [steps.pops]\ndo = \"branch\"\ncases = [{ if = \"attributes.found\", next = \"old\" }]\n\
    otherwise = \"new\"\n\
    [steps.old]\ndo = \"set\"\nattributes = { zd_ticket_id = \"{{ attributes.ticket }}\", \
    pop = \"https://crm.example/tickets/{{ attributes.ticket }}\" }\nnext = \"sales-queue\"\n\
    [steps.new]\ndo = \"set\"\nattributes = { pop = \"https://crm.example/tickets/new?from={{ call.from }}\" }\n\
    next = \"sales-queue\"\n";

/// R132: the ticket a caller names pops up in front of the agent; a new one where there is none.
#[test]
fn r132_a_known_ticket_pops_an_unknown_and_an_empty_one_are_new() {
    let new = format!("https://crm.example/tickets/new?from={CUSTOMER}");
    for (seed, keys, found, pop) in [
        (
            1711,
            "123456#",
            Some(true),
            "https://crm.example/tickets/123456",
        ),
        (1712, "999999#", Some(false), new.as_str()),
        (1713, "#", None, new.as_str()),
        (1714, "", None, new.as_str()),
    ] {
        let mut world = world(seed, TICKET, &[]);
        let carrier = world.carrier();
        let agent = world.phone("1001", Manners::Rings);
        world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
        world.run_for(700);
        for key in keys.chars() {
            world.peers[carrier].talks[0].voice.press(&key.to_string());
            world.run_for(300);
        }
        if let Some(found) = found {
            world.run_for(1000);
            let Subject::Endpoint { about, .. } = &world.inquiries[0].subject else {
                panic!("{:?}", world.inquiries[0]);
            };
            assert_eq!(about.parameters["ticket"], keys.trim_end_matches('#'));
            tell(&mut world, &Reply::Data(json!({"found": found})));
        }
        world.run_to("an offer", 20_000, |world| {
            !world.peers[agent].talks.is_empty()
        });
        let view = world.switch.pump.view();
        let task = &view.tasks[0];
        assert!(!task.reservations.is_empty() || task.reservation.is_some());
        assert_eq!(task.attributes["pop"], pop, "{keys}");
        let id = task.attributes.get("zd_ticket_id");
        assert_eq!(id.is_some(), found == Some(true), "{keys}");
        world.hang_up(carrier, 0);
        world.finish();
    }
}
