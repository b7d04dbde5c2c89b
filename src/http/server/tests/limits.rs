//! What is refused, bounded or no longer there.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use super::routing::{Site, plan, text};
use super::*;
use crate::base::{IdSource, Origin, ShardId};
use crate::journal::{self, Entry, EventEntry, FactClass, Journal, Mark, Reader};
use crate::router::{Command, NewTask};

#[test]
fn who_asks_too_much_is_told_when_to_ask_again() {
    let settings = crate::router::Settings {
        // Half of it is for callers.
        capacity: 1,
        ..crate::router::Settings::default()
    };
    let busy = Site::with(&plan(), settings);
    let wanted = json!({"channel": "chat", "queue": "chats"});
    let refused = busy.send("POST", "/v1/tasks", &wanted);
    assert_eq!(
        (refused.status, refused.retry.as_deref()),
        (429, Some("1")),
        "{refused:?}"
    );

    let mut small = plan();
    small.queues[0].max_waiting = 1;
    let small = Site::with(&small, crate::router::Settings::default());
    small.chat();
    let full = small.send("POST", "/v1/tasks", &wanted);
    assert_eq!(
        (full.status, full.retry.as_deref()),
        (429, Some("5")),
        "{full:?}"
    );
}

#[test]
fn no_more_streams_are_opened_than_may() {
    let site = Site::open();
    let open = || {
        let mut stream = TcpStream::connect(site.server.api()).unwrap();
        write!(
            stream,
            "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        (line, reader)
    };
    let streams: Vec<_> = (0..MOST_STREAMS).map(|_| open()).collect();
    assert!(streams.iter().all(|(line, _)| line.contains("200")));
    let (line, mut reader) = open();
    assert!(line.contains("429"), "{line}");
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let mut octet = [0];
        reader.read_exact(&mut octet).unwrap();
        head.push(char::from(octet[0]));
    }
    assert!(head.to_lowercase().contains("retry-after: 5"), "{head}");
}

#[test]
fn an_offer_is_taken_only_as_it_was_seen() {
    let site = Site::open();
    let (task, offer) = site.chat();
    let offer = format!("/v1/reservations/{offer}");
    let seen = site.send("GET", &offer, &json!({})).tag.unwrap();
    let changed = site.send(
        "PATCH",
        &format!("/v1/tasks/{task}"),
        &json!({"priority": 4}),
    );
    assert_eq!(changed.status, 200);
    for way in ["accept", "reject"] {
        let path = format!("{offer}/{way}");
        let stale = site.send_if("POST", &path, &json!({}), Some(&seen));
        assert_eq!(stale.status, 412, "{stale:?}");
        assert_eq!(stale.body["version"], changed.body["version"]);
    }
    let accept = format!("{offer}/accept");
    let now = site.send_if("POST", &accept, &json!({}), changed.tag.as_deref());
    assert_eq!(now.status, 200, "{now:?}");
}

/// Ends what goes on as long as a test, failed or not.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Who named no version is not told that it is not his.
#[test]
fn a_task_that_changes_all_the_time_is_cancelled_or_said_to_change() {
    let site = Site::open();
    let ids: Vec<String> = (0..20).map(|n| format!("t{n}")).collect();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for id in &ids {
            let wanted = json!({"channel": "chat", "queue": "chats", "id": id});
            assert_eq!(site.send("POST", "/v1/tasks", &wanted).status, 201);
        }
        let _over = Over(&is_over);
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                // Not so many that there is no room for anything else.
                until("there is room", || site.router.waiting() <= 20);
                for id in &ids {
                    let change = Command::UpdateTask {
                        task: TaskId::new(id.as_str()),
                        attributes: None,
                        priority: Some(1),
                        started: None,
                        reevaluate: false,
                    };
                    let _ = site.router.send(ShardId(0), change);
                }
            }
        });
        let cancel = |id| site.send("DELETE", &format!("/v1/tasks/{id}"), &json!({}));
        let answers: Vec<_> = ids.iter().map(cancel).collect();
        for answer in answers {
            assert!([204, 409].contains(&answer.status), "{answer:?}");
        }
    });
}

#[test]
fn a_code_is_judged_before_anything_changes() {
    let site = Site::open();
    let is_assigned = |task: &str| site.get(&format!("/v1/tasks/{task}")).1["status"] == "assigned";
    for (queue, code, status) in [
        // A queue without after-call work and without codes.
        ("calls", "sold", 422),
        ("chats", "bought", 422),
        ("chats", &"x".repeat(201), 422),
        ("chats", "sold", 204),
    ] {
        let wanted = json!({"channel": "chat", "queue": queue});
        let made = site.send("POST", "/v1/tasks", &wanted);
        let task = text(&made.body["id"]);
        let offer = text(&made.body["reservations"][0]["reservation"]);
        let accept = format!("/v1/reservations/{offer}/accept");
        assert_eq!(site.send("POST", &accept, &json!({})).status, 200);
        let after = site.router.tail().newest();
        let path = format!("/v1/tasks/{task}/complete");
        let done = site.send("POST", &path, &json!({"code": code}));
        assert_eq!(done.status, status, "{done:?}");
        let events = site.get(&format!("/v1/events?after={after}")).1;
        let events = events["events"].as_array().unwrap();
        match status {
            204 => assert_eq!(events.last().unwrap()["code"], code),
            _ => {
                assert!(is_assigned(&task) && events.is_empty(), "{events:?}");
                let none = json!({});
                assert!(site.send("POST", &path, &none).status < 300);
                let end = json!({"do": "end", "code": "sold"});
                let wrap_up = "/v1/workers/%E8%8A%B1%E5%AD%90/wrap-up";
                site.send("POST", wrap_up, &end);
            }
        }
    }
    let wrap_up = "/v1/workers/%E8%8A%B1%E5%AD%90/wrap-up";
    assert_eq!(
        site.send("POST", wrap_up, &json!({"do": "start"})).status,
        200
    );
    let long = json!({"do": "end", "code": "x".repeat(100_000)});
    assert_eq!(site.send("POST", wrap_up, &long).status, 422);
    // One octet too many: all is read, so that nothing of the answer is lost.
    let frame = json!({"do": "end", "code": ""}).to_string().len();
    let huge = json!({"do": "end", "code": "x".repeat((512 << 10) + 1 - frame)});
    assert_eq!(site.send("POST", wrap_up, &huge).status, 413);
}

/// Many large events come in pieces, none of them much larger than a megabyte.
#[test]
fn an_answer_ends_at_a_megabyte() {
    let site = Site::open();
    let after = site.router.tail().newest();
    for _ in 0..24 {
        let attributes = json!({"text": "x".repeat(60_000)});
        let wanted = json!({"channel": "chat", "queue": "chats", "attributes": attributes});
        assert_eq!(site.send("POST", "/v1/tasks", &wanted).status, 201);
    }
    // From memory, and from the journal.
    let (routing, desk) = routing::start(&site.journal.clone(), Box::new(|_, _| {}));
    let switch = Arc::new(Switch {
        routing: Some(routing),
        ..Switch::default()
    });
    let second = serve_with(switch, desk);
    let newest = site.router.tail().newest();
    for address in [site.server.api(), second.api()] {
        let (mut next, mut numbers, mut answers) = (after, Vec::new(), 0);
        while next < newest {
            let (status, body) = get(address, &format!("/v1/events?after={next}&limit=1000"));
            assert_eq!(status, 200);
            assert!(body.to_string().len() < (1 << 20) + 70_000);
            let events = body["events"].as_array().unwrap();
            numbers.extend(events.iter().filter_map(|one| one["sequence"].as_u64()));
            next = body["next"].as_u64().unwrap();
            answers += 1;
        }
        assert!(answers > 1);
        assert_eq!(numbers, (after + 1..=next).collect::<Vec<_>>());
    }
}

/// What is written and not announced yet is not told: the next question would be ahead.
#[test]
fn a_cursor_is_never_ahead_of_what_is_announced() {
    let site = Site::open();
    site.chat();
    let (routing, desk) = routing::start(&site.journal.clone(), Box::new(|_, _| {}));
    let router = routing.handle();
    let switch = Arc::new(Switch {
        routing: Some(routing),
        ..Switch::default()
    });
    let second = serve_with(switch, desk);
    let newest = router.tail().newest();
    let unannounced = EventEntry {
        shard: 0,
        sequence: newest + 1,
        fact: 1000,
        worker: None,
        body: "{}".to_owned(),
    };
    let mut journal = site.journal.clone();
    journal.append_with(&[], &[unannounced]).unwrap();
    let (_, body) = get(second.api(), "/v1/events?after=0&limit=1000");
    let next = body["next"].as_u64().unwrap();
    assert!(next <= router.tail().newest(), "{next}");
    assert_eq!(
        get(second.api(), &format!("/v1/events?after={next}")).0,
        200
    );
}

#[test]
fn a_stream_does_not_begin_elsewhere_than_was_asked() {
    let site = Site::open();
    // There are events when this is answered.
    site.chat();
    let ask = |last: &str| {
        let mut stream = TcpStream::connect(site.server.api()).unwrap();
        write!(
            stream,
            "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\
             Last-Event-ID: {last}\r\n\r\n"
        )
        .unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    };
    assert!(ask("none").contains("400"));
    assert!(ask("-1").contains("400"));
    assert!(ask("1").contains("200"));
}

/// A journal that is long as long as nobody asks it for events.
struct Endless(Arc<AtomicBool>);

impl Reader for Endless {
    fn read_from(&mut self, _: u16, next: u64, limit: usize) -> Result<Vec<Entry>, journal::Error> {
        let many = match self.0.load(Ordering::Acquire) {
            false => limit as u64,
            true => 0,
        };
        let entry = |sequence| Entry {
            shard: 0,
            sequence,
            at: Timestamp::from_millis(START),
            class: FactClass::Timer,
            format: crate::router::FORMAT,
            body: r#"{"timer":"new_day"}"#.to_owned(),
        };
        Ok((next..next + many).map(entry).collect())
    }

    fn events_from(&mut self, _: u16, _: u64, _: usize) -> Result<Vec<EventEntry>, journal::Error> {
        self.0.store(true, Ordering::Release);
        Ok(Vec::new())
    }

    fn snapshot_at(
        &mut self,
        _: u16,
        _: u64,
    ) -> Result<Option<crate::journal::Snapshot>, journal::Error> {
        Ok(None)
    }

    fn snapshots(&mut self, _: u16) -> Result<Vec<Mark>, journal::Error> {
        Ok(Vec::new())
    }

    fn sequence_at(&mut self, _: u16, _: Timestamp) -> Result<u64, journal::Error> {
        Ok(1)
    }
}

/// Who reads events does not wait until a long look for decisions is over.
#[test]
fn events_are_read_while_decisions_are_looked_for() {
    let (router, _) = routing::start(&MemoryJournal::new(), Box::new(|_, _| {}));
    let is_asked = Arc::new(AtomicBool::new(false));
    let origin = Origin {
        region: "jp1".into(),
        node: "tokyo1".into(),
        shard: ShardId(9),
    };
    let past = Box::new(Endless(is_asked.clone()));
    let desk = Routing::new(router.handle(), past, 0, IdSource::new(origin));
    let facts = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let call = CallId::new("c");
            let until = Timestamp::from_millis(START + 1);
            desk.facts_of(&call, None, Timestamp::ZERO, until).unwrap()
        });
        scope.spawn(|| desk.events_from(1, 10, 1000).unwrap());
        looking.join().unwrap()
    });
    assert!(!facts.is_cut, "it ended before it had looked at everything");
}

#[test]
fn decisions_are_those_of_the_call_alone() {
    let site = Site::open();
    let attributes = json!({"of": "c3"});
    let wanted = json!({"channel": "chat", "queue": "chats", "attributes": attributes, "id": "x"});
    assert_eq!(site.send("POST", "/v1/tasks", &wanted).status, 201);
    let (_, none) = site.get("/v1/calls/c3/decisions");
    assert_eq!(
        (&none["decisions"], &none["complete"]),
        (&json!([]), &json!(true))
    );
    let new = NewTask::of_call(TaskId::new("own"), CallId::new("c3"), "calls");
    let command = Command::CreateTask(Box::new(new));
    site.router.send(ShardId(0), command).unwrap();
    let change = json!({"attributes": attributes});
    assert_eq!(site.send("PATCH", "/v1/tasks/x", &change).status, 200);
    let (_, own) = site.get("/v1/calls/c3/decisions");
    let told = own["decisions"].as_array().unwrap();
    assert!(!told.is_empty());
    for one in told {
        assert!(one["fact"].to_string().contains("own"), "{one}");
    }
}
