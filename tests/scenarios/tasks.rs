//! Tasks by the API: a chat from beginning to end without a phone ringing, a call beside it, and
//! a stream of events that a killed process does not tear.

use serde_json::{Value, json};

use super::office::Office;
use super::sound::tone;
use super::{phone::Answering, quiet, wait};

/// A demo office that has chats, and a queue for them.
fn office() -> Office {
    let office = Office::prepare();
    office.rewrite("profiles.toml", |text| {
        format!("{text}\n[[channel]]\nname = \"chat\"\ncapacity = 3\n")
    });
    office.rewrite("queues.toml", |text| {
        format!(
            "{text}\n[[queue]]\nname = \"chats\"\nagents = \"skills HAS 'sales'\"\n\
             wrap_up = \"open\"\nwrap_up_codes = [\"sold\", \"lost\"]\n\
             wrap_up_code_required = true\n"
        )
    });
    office
}

fn events(office: &Office, after: u64) -> Vec<Value> {
    let body = office
        .api
        .json(&format!("/v1/events?after={after}&limit=1000&wait=1"));
    body["events"].as_array().expect("a list").clone()
}

fn named<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["event"] == name)
        .collect()
}

#[test]
fn a_chat_is_served_by_the_api_alone_and_events_outlive_the_process() {
    let _turn = quiet::shared();
    let mut office = office();
    office.start();
    let _phone = office.phone(1001, Answering::Manual, &tone(440.0, 10.0));
    wait::until_true("the agent is free", wait::PATIENCE, || {
        office.api.json("/v1/workers/sato")["state"] == "free"
    });

    let wanted = json!({"channel": "chat", "queue": "chats", "attributes": {"客": "田中"}});
    let (status, text) = office.api.tell("/v1/tasks", &wanted);
    assert_eq!(status, 201, "{text}");
    let task: Value = serde_json::from_str(&text).expect("a task");
    let id = task["id"].as_str().expect("an id").to_owned();
    let told = events(&office, 0);
    let offers = named(&told, "reservation.created");
    assert_eq!(offers.len(), 1, "{told:#?}");
    assert_eq!(offers[0]["worker"], "sato");
    assert_eq!(offers[0]["attributes"], json!({"客": "田中"}));
    let offer = offers[0]["reservation"].as_str().expect("an offer");

    let (status, text) = office
        .api
        .tell(&format!("/v1/reservations/{offer}/accept"), &json!({}));
    assert_eq!(status, 200, "{text}");
    let path = format!("/v1/tasks/{id}/complete");
    assert_eq!(office.api.tell(&path, &json!({})).0, 200);
    let (status, text) = office.api.tell(&path, &json!({"code": "eaten"}));
    assert_eq!(status, 422, "{text}");
    assert!(text.contains("sold"), "what there is, is said: {text}");
    assert_eq!(office.api.tell(&path, &json!({"code": "sold"})).0, 204);
    assert!(office.api.calls().is_empty(), "no phone rang");

    let before = events(&office, 0);
    assert_eq!(named(&before, "task.completed")[0]["code"], "sold");
    let last = before.last().expect("some")["sequence"]
        .as_u64()
        .expect("a number");
    assert_eq!(before.len() as u64, last, "no gap");
    office.kill();
    office.start();
    let after = events(&office, 0);
    assert_eq!(
        after[..before.len()],
        before[..],
        "what was told stays told"
    );
    let numbers = after
        .iter()
        .map(|event| event["sequence"].as_u64().unwrap_or(0));
    assert!(numbers.eq(1..=after.len() as u64), "{after:#?}");
    let (status, _) = office
        .api
        .get("/v1/events?after=999999")
        .expect("an answer");
    assert_eq!(status, 410);
}

#[test]
fn every_decision_about_a_call_is_told_in_words() {
    let _turn = quiet::shared();
    let mut office = Office::prepare();
    office.rewrite("flows/main.toml", |_| {
        "start = \"q\"\n[steps.q]\ndo = \"queue\"\nqueue = \"sales\"\nnobody = \"hangup\"\n"
            .to_owned()
    });
    office.start();
    let mut agent = office.phone(1001, Answering::Auto, &tone(880.0, 20.0));
    let mut caller = office.phone(1005, Answering::Manual, &tone(440.0, 20.0));
    wait::until_true("the agent is free", wait::PATIENCE, || {
        office.api.json("/v1/workers/sato")["state"] == "free"
    });
    caller.dial("100");
    agent.event("CALL_ESTABLISHED");
    caller.event("CALL_ESTABLISHED");
    let live = office.api.live_calls();
    let id = live[0]["id"].as_str().expect("an id").to_owned();
    let told = office
        .api
        .json(&format!("/v1/calls/{id}/decisions?lang=ja"));
    assert_eq!(told["complete"], true, "{told:#}");
    let decisions = told["decisions"].as_array().expect("a list");
    let offered = decisions
        .iter()
        .find(|one| one["fact"]["decision"] == "offered");
    let offered = offered.expect("it was offered");
    assert_eq!(offered["why"]["chosen"], "sato", "{offered:#}");
    assert!(
        offered["words"]
            .as_str()
            .is_some_and(|words| words.contains("呼び出し"))
    );
    let why = office.ask(&["why", &id, "--language", "en"]);
    assert!(why.contains("is offered to sato"), "{why}");
}
