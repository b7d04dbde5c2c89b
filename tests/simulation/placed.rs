//! Calls that the REST API places: rung, answered by a document, given up; nobody is left over.

use std::time::Duration;

use tsunagu::base::CallId;
use tsunagu::call::{Control, ControlError, PlaceError, Placing, Subject, Supply};
use tsunagu::twiml::{
    Fetched, Link, Modification, ProgressEvent, RecordingCallback, RecordingEvent, Sid, SidKind,
    Source, StatusCallback, Terms, Track,
};
use tsunagu::webhook::{Content, To};

use crate::peer::Manners;
use crate::world::World;

const OURS: &str = "+81312345678";

fn placing(to: &str) -> Placing {
    let mut terms = Terms::of_url(Link::post("https://app.example/start"));
    terms.source = Source::Url(Link::post("https://app.example/start"));
    terms.status = Some(StatusCallback {
        link: Link::post("https://app.example/status"),
        events: vec![
            ProgressEvent::Initiated,
            ProgressEvent::Ringing,
            ProgressEvent::Answered,
            ProgressEvent::Completed,
        ],
    });
    Placing {
        from: OURS.to_owned(),
        to: to.to_owned(),
        terms,
        timeout: Duration::from_secs(20),
        digits: String::new(),
        record: false,
        recording: None,
    }
}

/// Places a call to a phone of these manners.
fn place(seed: u64, manners: Manners, change: impl FnOnce(&mut Placing)) -> (World, String) {
    let mut world = World::new(seed);
    world.phone("1001", manners);
    world.run_for(200);
    let mut placing = placing("client:1001");
    change(&mut placing);
    let now = world.now;
    let placed = world.switch.exchange.place(now, placing);
    let call = placed.expect("placed").id.to_string();
    world.collect();
    (world, call)
}

/// `CallStatus` of each notice, in order.
fn told(world: &World) -> Vec<String> {
    let statuses = world.notices.iter().filter_map(|notice| {
        let Content::Form(form) = &notice.content else {
            return None;
        };
        let status = form.iter().find(|(name, _)| name == "CallStatus");
        status.map(|(_, status)| status.clone())
    });
    statuses.collect()
}

/// Answers the document that is asked for.
fn supply(world: &mut World, text: &str) {
    let inquiry = world.inquiries.remove(0);
    assert!(
        matches!(inquiry.subject, Subject::Document(_)),
        "{inquiry:?}"
    );
    let supply = Supply::Document(Fetched::Reply {
        content_type: Some("text/xml".to_owned()),
        body: text.as_bytes().to_vec(),
        url: "https://app.example/start".to_owned(),
    });
    let now = world.now;
    world
        .switch
        .exchange
        .supplied(now, &inquiry.call, inquiry.request, &supply);
}

#[test]
fn who_answers_hears_the_document_and_its_end_is_the_calls() {
    let (mut world, call) = place(1301, Manners::Answers(300), |placing| {
        placing.record = true;
        placing.recording = Some(RecordingCallback {
            link: Link::post("https://app.example/recording"),
            events: vec![RecordingEvent::Completed],
        });
    });
    let sid = Sid::derive(SidKind::Call, &call);
    let record = world.switch.exchange.find(&sid).expect("it lives");
    assert_eq!(record.id.to_string(), call);
    world.run_for(2_000);
    let Subject::Document(fetch) = &world.inquiries[0].subject else {
        panic!("{:?}", world.inquiries);
    };
    let said = |name: &str| {
        let found = fetch.form.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(said("CallSid"), Some(sid.as_str()));
    assert_eq!(said("Direction"), Some("outbound-api"));
    assert_eq!(said("CallStatus"), Some("in-progress"));
    assert_eq!(
        (said("From"), said("To")),
        (Some(OURS), Some("client:1001"))
    );
    supply(
        &mut world,
        "<Response><Pause length=\"2\"/><Hangup/></Response>",
    );
    world.finish();
    assert_eq!(
        told(&world),
        ["initiated", "ringing", "in-progress", "completed"]
    );
    let record = &world.records[0];
    assert_eq!(record.legs.len(), 1);
    assert!(record.legs[0].answered.is_some(), "{record:?}");
    let recording = &record.recordings[0];
    assert!(
        recording.duration_ms.is_some_and(|ms| ms >= 2_000),
        "{recording:?}"
    );
    assert_eq!(recording.channels.len(), 2);
    assert!(world.switch.exchange.find(&sid).is_none());
    let told = world
        .notices
        .iter()
        .filter_map(|notice| match &notice.content {
            Content::Form(form) => form.iter().find(|(name, _)| name == "RecordingSource"),
            _ => None,
        });
    let sources: Vec<_> = told.map(|(_, source)| source.as_str()).collect();
    assert_eq!(sources, ["OutboundAPI"]);
}

#[test]
fn who_is_told_and_what_replaces_a_document_can_change_before_the_answer() {
    let (mut world, call) = place(1331, Manners::Answers(2_000), |_| {});
    world.run_for(1_000);
    assert_eq!(told(&world), ["initiated", "ringing"]);
    let start = Control::StartRecording {
        leg: None,
        track: Track::Both,
        callback: None,
    };
    assert_eq!(world.control(start), Err(ControlError::NotAnswered));
    let other = StatusCallback {
        link: Link::post("https://other.example/status"),
        events: vec![ProgressEvent::Answered, ProgressEvent::Completed],
    };
    let fallback = Link::post("https://other.example/fallback");
    let (now, id) = (world.now, CallId::new(call));
    for wish in [
        Modification::StatusCallback(other),
        Modification::Fallback(fallback),
    ] {
        let modified = world.switch.exchange.modify(now, &id, wish);
        assert_eq!(modified, Ok(()));
    }
    world.collect();
    world.run_for(2_000);
    // Not a document: the fallback is asked, and says what becomes of the call.
    supply(&mut world, "<Respond/>");
    world.collect();
    match &world.inquiries[0].subject {
        Subject::Document(fetch) => assert_eq!(fetch.url, "https://other.example/fallback"),
        other => panic!("{other:?}"),
    }
    supply(&mut world, "<Response><Hangup/></Response>");
    world.finish();
    let told = world.notices.iter().map(|notice| match &notice.to {
        To::Url(url) => url.as_str(),
        other => panic!("{other:?}"),
    });
    let told: Vec<_> = told.collect();
    let (first, later) = ("https://app.example/status", "https://other.example/status");
    assert_eq!(told, [first, first, later, later]);
}

#[test]
fn who_does_not_answer_is_told_as_what_he_did() {
    for (seed, manners, expected, ringing) in [
        (1311, Manners::Refuses(486), "busy", false),
        (1312, Manners::Refuses(603), "busy", false),
        (1313, Manners::Refuses(404), "failed", false),
        (1314, Manners::Rings, "no-answer", true),
    ] {
        let (mut world, _) = place(seed, manners, |_| {});
        world.run_for(30_000);
        world.finish();
        let mut statuses = vec!["initiated"];
        statuses.extend(ringing.then_some("ringing"));
        statuses.push(expected);
        assert_eq!(told(&world), statuses);
        assert!(world.inquiries.is_empty(), "no document without an answer");
    }
    // Nobody is there at all: the call is made, and fails.
    let mut world = World::new(1315);
    let now = world.now;
    let placed = world.switch.exchange.place(now, placing("client:1001"));
    assert!(placed.is_ok(), "{placed:?}");
    world.collect();
    world.finish();
    assert_eq!(told(&world), ["initiated", "no-answer"]);
}

#[test]
fn a_call_that_rings_can_be_given_up_and_not_redirected() {
    let (mut world, call) = place(1321, Manners::Rings, |_| {});
    world.run_for(500);
    let now = world.now;
    let id = tsunagu::base::CallId::new(&*call);
    let exchange = &mut world.switch.exchange;
    let elsewhere = Modification::Redirect(Link::post("https://app.example/other"));
    let refused = exchange.modify(now, &id, elsewhere);
    assert_eq!(refused, Err(ControlError::NoApplication));
    assert_eq!(exchange.modify(now, &id, Modification::Complete), Ok(()));
    world.collect();
    world.finish();
    assert_eq!(told(&world), ["initiated", "ringing", "canceled"]);
    assert_eq!(world.records[0].sip, Some(487));
}

#[test]
fn an_answered_call_goes_on_elsewhere() {
    let (mut world, call) = place(1322, Manners::Answers(200), |_| {});
    world.run_for(1_000);
    supply(&mut world, "<Response><Pause length=\"60\"/></Response>");
    world.run_for(1_000);
    let id = tsunagu::base::CallId::new(&*call);
    let now = world.now;
    let elsewhere = Modification::Redirect(Link::post("https://app.example/other"));
    let exchange = &mut world.switch.exchange;
    assert_eq!(exchange.modify(now, &id, elsewhere), Ok(()));
    world.collect();
    let Subject::Document(fetch) = &world.inquiries[0].subject else {
        panic!("{:?}", world.inquiries);
    };
    assert_eq!(fetch.url, "https://app.example/other");
    supply(&mut world, "<Response/>");
    world.finish();
    assert_eq!(told(&world).last().map(String::as_str), Some("completed"));
}

#[test]
fn keys_are_pressed_before_the_document() {
    let (mut world, _) = place(1323, Manners::Answers(200), |placing| {
        placing.digits = "W12w3".to_owned();
    });
    world.run_for(1_000);
    assert!(world.inquiries.is_empty(), "keys are still pressed");
    world.run_for(2_000);
    assert_eq!(world.inquiries.len(), 1);
    supply(&mut world, "<Response/>");
    world.finish();
}

#[test]
fn keys_go_on_in_another_process_and_then_the_document() {
    let (mut world, _) = place(1324, Manners::Answers(200), |placing| {
        placing.digits = "WW12".to_owned();
    });
    world.run_for(1_000);
    world.restart();
    world.run_for(3_000);
    assert_eq!(world.inquiries.len(), 1, "{}", world.tell());
    supply(&mut world, "<Response><Pause length=\"1\"/></Response>");
    world.finish();
    assert_eq!(
        told(&world).last().map(String::as_str),
        Some("completed"),
        "{}",
        world.tell()
    );
}

#[test]
fn what_leads_nowhere_or_is_not_ours_is_not_placed() {
    let mut world = World::new(1331);
    let now = world.now;
    for (from, to, expected) in [
        (
            OURS,
            "client:9999",
            PlaceError::To("client:9999".to_owned()),
        ),
        (
            OURS,
            "sip:1001@evil.example",
            PlaceError::To("sip:1001@evil.example".to_owned()),
        ),
        (OURS, "fish", PlaceError::To("fish".to_owned())),
        (
            "+15550001",
            "client:1001",
            PlaceError::From("+15550001".to_owned()),
        ),
    ] {
        let placing = Placing {
            from: from.to_owned(),
            ..placing(to)
        };
        assert_eq!(world.switch.exchange.place(now, placing), Err(expected));
    }
    world.finish();
    assert!(world.records.is_empty());
}
