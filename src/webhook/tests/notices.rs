//! Notices: delivered in order, tried again, kept when they die, replayed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::world::{World, header, reply, settings};
use crate::base::CallId;
use crate::webhook::{Content, Notice, ReplayError, To, Web};

fn notice(url: &str, number: u32, call: Option<&str>) -> Notice {
    Notice {
        to: To::Url(url.to_owned()),
        method: None,
        content: Content::Json(json!({"number": number})),
        call: call.map(CallId::new),
        what: "status callback".into(),
    }
}

/// Until nothing is on its way; the clock is turned by waiting.
async fn settle(web: &Web) {
    while web.figures().notices_waiting > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
}

fn bodies(world: &World) -> Vec<String> {
    let heard = world.heard();
    let body = |request: &String| request.split("\r\n\r\n").nth(1).unwrap().to_owned();
    heard.iter().map(body).collect()
}

#[tokio::test(start_paused = true)]
async fn notices_of_a_call_arrive_in_their_order_though_the_first_fails_at_first() {
    let world = World::new();
    let is_well = Arc::new(AtomicBool::new(false));
    let well = is_well.clone();
    world.answering(move |_| match well.load(Ordering::Relaxed) {
        true => reply(204, "", ""),
        false => reply(503, "", ""),
    });
    let web = world.web(settings());
    for number in 1..=3 {
        web.notify(notice("http://x.test/", number, Some("a")));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(bodies(&world), ["{\"number\":1}"]);
    is_well.store(true, Ordering::Relaxed);
    settle(&web).await;
    let expected = [
        "{\"number\":1}",
        "{\"number\":1}",
        "{\"number\":2}",
        "{\"number\":3}",
    ];
    assert_eq!(bodies(&world), expected);
    assert_eq!(web.figures().notices_delivered, 3);
    assert!(web.dead_letters(10).unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_never_arrives_is_kept_listed_without_secrets_and_replayed() {
    let world = World::new();
    let web = world.web(settings());
    web.notify(notice("http://me:pw@x.test/hook?token=s3cret", 1, None));
    settle(&web).await;
    let dead = web.dead_letters(10).unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].kind.as_str(), dead[0].tries), ("refused", 5));
    assert_eq!(dead[0].to, "http://x.test/hook?…");
    let shown = serde_json::to_string(&dead[0]).unwrap();
    assert!(
        !shown.contains("pw") && !shown.contains("s3cret"),
        "{shown}"
    );

    let id = dead[0].id.clone();
    world.answering(|_| reply(200, "", ""));
    web.replay(&id).unwrap();
    assert_eq!(web.replay(&id), Err(ReplayError::OnItsWay(id.clone())));
    settle(&web).await;
    assert!(web.dead_letters(10).unwrap().is_empty());
    let heard = world.heard();
    assert_eq!(
        header(&heard[0], "i-twilio-idempotency-token"),
        Some(id.as_str())
    );
    assert_eq!(web.replay(&id), Err(ReplayError::NoLetter(id)));
}

#[tokio::test(start_paused = true)]
async fn a_replay_in_vain_stays_a_dead_letter() {
    let world = World::new();
    let web = world.web(settings());
    web.notify(notice("http://x.test/", 1, None));
    settle(&web).await;
    let id = web.dead_letters(10).unwrap()[0].id.clone();
    web.replay(&id).unwrap();
    settle(&web).await;
    let dead = web.dead_letters(10).unwrap();
    assert_eq!((dead.len(), &dead[0].id), (1, &id));
    assert_eq!(web.discard(&id), Ok(true));
    assert_eq!(web.discard(&id), Ok(false));
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_when_the_switch_stops_is_kept() {
    let world = World::new();
    world.answering(|_| reply(503, "", ""));
    let web = world.web(settings());
    web.notify(notice("http://x.test/", 1, Some("a")));
    web.notify(notice("http://x.test/", 2, Some("a")));
    tokio::time::sleep(Duration::from_millis(100)).await;
    web.keep_undelivered();
    let dead = web.dead_letters(10).unwrap();
    assert_eq!(dead.len(), 2);
    assert!(dead[0].words.contains("the switch stopped"));
}

#[tokio::test(start_paused = true)]
async fn a_notice_has_arrived_whatever_the_reply_says_at_length() {
    let world = World::new();
    let headers = "Content-Type: text/html\r\nContent-Encoding: br\r\n";
    let long = reply(200, headers, &"x".repeat(3 << 20));
    world.answering(move |_| long.clone());
    let web = world.web(settings());
    web.notify(notice("http://x.test/", 1, None));
    settle(&web).await;
    assert_eq!(web.figures().notices_delivered, 1);
    assert_eq!(world.heard().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_no_endpoint_should_be_asked_to_read_is_not_sent() {
    let world = World::new();
    world.answering(|_| reply(200, "", ""));
    let web = world.web(settings());
    let mut long = notice("http://x.test/", 1, None);
    long.content = Content::Json(json!({"a": "x".repeat(256 << 10)}));
    web.notify(long);
    settle(&web).await;
    assert!(world.heard().is_empty());
    let dead = web.dead_letters(10).unwrap();
    assert_eq!((dead[0].kind.as_str(), dead[0].tries), ("too_large", 1));
}
