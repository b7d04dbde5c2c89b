//! Tasks, offers, workers and events through a real router, its journal in memory.

use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Instant;

use super::*;
use crate::base::{Clock, IdSource, Origin, ShardId};
use crate::router::{
    ActivitySpec, ChannelSpec, Command, NewTask, Output, Plan, QueueSpec, RevokedWhy, Sink,
    Survivors, WorkerSpec,
};

struct Wall(Instant);

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START + 60_000) + self.0.elapsed()
    }
}

pub(super) fn plan() -> Plan {
    let worker = |name: &str| WorkerSpec::new(name, name);
    let mut chats = QueueSpec::new("chats", "1 == 1");
    chats.wrap_up_open = true;
    chats.wrap_up_codes = vec!["sold".into(), "lost".into()];
    chats.wrap_up_code_required = true;
    let channel = |name: &str, capacity| ChannelSpec {
        name: name.into(),
        capacity,
    };
    Plan {
        generation: 1,
        workers: vec![worker("花子")],
        queues: vec![chats, QueueSpec::new("calls", "1 == 1")],
        channels: vec![channel("voice", 1), channel("chat", 3)],
        activities: vec![
            ActivitySpec::available("ready"),
            ActivitySpec::unavailable("lunch"),
        ],
        ..Plan::default()
    }
}

/// A router with a plan and one worker who is there.
pub(super) fn start(journal: &MemoryJournal, sink: Sink) -> (RouterTask, Routing) {
    start_as(journal, sink, &plan(), crate::router::Settings::default())
}

fn start_as(
    journal: &MemoryJournal,
    sink: Sink,
    plan: &Plan,
    settings: crate::router::Settings,
) -> (RouterTask, Routing) {
    let origin = Origin {
        region: "jp1".into(),
        node: "tokyo1".into(),
        shard: ShardId(9),
    };
    let router = RouterTask::start(
        settings,
        Box::new(journal.clone()),
        Arc::new(Wall(Instant::now())),
        Survivors::default(),
        sink,
    );
    let router = router.unwrap();
    let plan = Box::new(plan.clone());
    let handle = router.handle();
    let (worker, reachable) = ("花子".to_owned(), true);
    for command in [
        Command::activate(plan),
        Command::SetReachable { worker, reachable },
    ] {
        // There may be room for one alone.
        until("room", || handle.send(ShardId(0), command.clone()).is_ok());
    }
    let past = Box::new(journal.clone());
    (router, Routing::new(handle, past, 0, IdSource::new(origin)))
}

pub(super) struct Site {
    pub(super) server: Server,
    pub(super) journal: MemoryJournal,
    pub(super) router: crate::router::RouterHandle,
    heard: mpsc::Receiver<Output>,
}

impl Site {
    pub(super) fn open() -> Self {
        Self::with(&plan(), crate::router::Settings::default())
    }

    pub(super) fn with(plan: &Plan, settings: crate::router::Settings) -> Self {
        let journal = MemoryJournal::new();
        let (ear, heard) = mpsc::channel();
        let sink = move |_, output| drop(ear.send(output));
        let (routing, desk) = start_as(&journal, Box::new(sink), plan, settings);
        let router = routing.handle();
        let switch = Arc::new(Switch {
            routing: Some(routing),
            is_shown: true,
            ..Switch::default()
        });
        Self {
            server: serve_with(switch, desk),
            journal,
            router,
            heard,
        }
    }

    pub(super) fn get(&self, path: &str) -> (u16, Value) {
        get(self.server.api(), path)
    }

    pub(super) fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send_if(method, path, body, None)
    }

    pub(super) fn send_if(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        tag: Option<&str>,
    ) -> Answer {
        let address = self.server.api();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{address}{path}"))
            .header("content-type", "application/json");
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        let request = request.body(body.to_string()).unwrap();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .build();
        let mut reply = ureq::Agent::from(agent).run(request).unwrap();
        let header = |name: &str| {
            let value = reply.headers().get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        let (tag, retry) = (header("etag"), header("retry-after"));
        let text = reply.body_mut().read_to_string().unwrap();
        Answer {
            status: reply.status().as_u16(),
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            tag,
            retry,
        }
    }

    /// A chat, offered to the only worker: its id and that of its offer.
    pub(super) fn chat(&self) -> (String, String) {
        let made = self.send(
            "POST",
            "/v1/tasks",
            &json!({"channel": "chat", "queue": "chats"}),
        );
        assert_eq!(made.status, 201, "{:?}", made.body);
        let offer = &made.body["reservations"][0]["reservation"];
        (text(&made.body["id"]), text(offer))
    }

    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{body}");
        let events = body["events"].as_array().unwrap();
        events.iter().map(|event| text(&event["event"])).collect()
    }
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) tag: Option<String>,
    pub(super) retry: Option<String>,
}

pub(super) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

#[test]
fn a_chat_is_offered_accepted_and_wrapped_up_without_any_phone() {
    let site = Site::open();
    let wanted = json!({"channel": "chat", "queue": "chats", "id": "mine-1", "priority": 3,
        "attributes": {"客": "田中"}});
    let made = site.send("POST", "/v1/tasks", &wanted);
    assert_eq!(
        (made.status, &made.body["status"]),
        (201, &json!("reserved"))
    );
    assert_eq!(made.tag, Some(format!("\"{}\"", made.body["version"])));
    let again = site.send("POST", "/v1/tasks", &wanted);
    assert_eq!(again.status, 409, "{again:?}");

    let offer = text(&made.body["reservations"][0]["reservation"]);
    let accepted = site.send(
        "POST",
        &format!("/v1/reservations/{offer}/accept"),
        &json!({}),
    );
    assert_eq!(
        (accepted.status, &accepted.body["status"]),
        (200, &json!("accepted"))
    );
    let done = site.send("POST", "/v1/tasks/mine-1/complete", &json!({}));
    assert_eq!(
        (done.status, &done.body["status"]),
        (200, &json!("wrapping"))
    );
    assert_eq!(site.get("/v1/tasks/mine-1").1["status"], "wrapping");
    let bare = site.send("POST", "/v1/tasks/mine-1/complete", &json!({}));
    assert_eq!(
        (bare.status, &bare.body["codes"]),
        (422, &json!(["sold", "lost"]))
    );
    let coded = site.send(
        "POST",
        "/v1/tasks/mine-1/complete",
        &json!({"code": "sold"}),
    );
    assert_eq!(coded.status, 204, "{coded:?}");
    assert_eq!(site.get("/v1/tasks/mine-1").0, 404);

    let (_, body) = site.get("/v1/events?after=0&worker=%E8%8A%B1%E5%AD%90");
    let events = body["events"].as_array().unwrap();
    let told: Vec<_> = events.iter().map(|event| text(&event["event"])).collect();
    assert_eq!(
        told,
        [
            "worker.reachability.update",
            "reservation.created",
            "reservation.accepted",
            "reservation.wrapup",
            "task.wrapup",
            "reservation.completed",
            "task.completed",
        ]
    );
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event["worker_sequence"], place + 1);
    }
    assert_eq!(events[1]["attributes"], json!({"客": "田中"}));
    assert_eq!(
        (&events[1]["kind"], &events[1]["channel"]),
        (&json!("queue"), &json!("chat"))
    );
    assert_eq!(events[5]["code"], "sold");
    assert!(
        site.heard
            .try_iter()
            .all(|output| matches!(output, Output::WorkerChanged { .. })),
        "no shard hears of a chat"
    );
}

#[test]
fn changes_are_made_only_to_what_was_seen() {
    let site = Site::open();
    let (task, _) = site.chat();
    let path = format!("/v1/tasks/{task}");
    let first = site.send("PATCH", &path, &json!({"priority": 5}));
    assert_eq!((first.status, &first.body["priority"]), (200, &json!(5)));
    let tag = first.tag.unwrap();
    let second = site.send_if("PATCH", &path, &json!({"priority": 6}), Some(&tag));
    assert_eq!(second.status, 200);
    let stale = site.send_if("PATCH", &path, &json!({"priority": 7}), Some(&tag));
    assert_eq!(stale.status, 412, "{stale:?}");
    assert_eq!(stale.body["version"], second.body["version"]);
    assert_eq!(site.get(&path).1["priority"], 6);
    assert_eq!(
        site.send_if("DELETE", &path, &json!({}), Some(&tag)).status,
        412
    );
    assert_eq!(site.send("DELETE", &path, &json!({})).status, 204);

    let path = "/v1/workers/%E8%8A%B1%E5%AD%90";
    let away = site.send("PATCH", path, &json!({"activity": "lunch", "by": "boss"}));
    assert_eq!(
        (away.status, &away.body["reason"]),
        (200, &json!("set by boss"))
    );
    let stale = site.send_if("PATCH", path, &json!({"activity": "ready"}), Some("\"1\""));
    assert_eq!(stale.status, 412);
    let next = site.send("PATCH", path, &json!({"next_activity": null}));
    assert_eq!(next.status, 200, "{next:?}");
    let wrap = site.send(
        "POST",
        &format!("{path}/wrap-up"),
        &json!({"do": "start", "seconds": 9}),
    );
    assert_eq!((wrap.status, &wrap.body["state"]), (200, &json!("wrap_up")));
    let longer = json!({"do": "extend", "seconds": 60});
    assert_eq!(
        site.send("POST", &format!("{path}/wrap-up"), &longer)
            .status,
        200
    );
    let end = site.send("POST", &format!("{path}/wrap-up"), &json!({"do": "end"}));
    assert_eq!((end.status, &end.body["state"]), (200, &json!("away")));
    // A list may be a few milliseconds old.
    let listed = || {
        site.get("/v1/workers?activity=lunch").1["workers"]
            .as_array()
            .map(Vec::len)
    };
    let patience = Instant::now() + Duration::from_secs(10);
    while listed() != Some(1) {
        assert!(Instant::now() < patience, "he is never listed");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_a_way_out() {
    let site = Site::open();
    let (task, offer) = site.chat();
    let long = "x".repeat(70_000);
    for (method, path, body, status, words) in [
        (
            "POST",
            "/v1/tasks",
            json!({"channel": "chat"}),
            422,
            "`workflow` or to a `queue`",
        ),
        (
            "POST",
            "/v1/tasks",
            json!({"channel": "voice", "queue": "calls"}),
            422,
            "by calls",
        ),
        (
            "POST",
            "/v1/tasks",
            json!({"channel": "fax", "queue": "calls"}),
            422,
            "channel",
        ),
        (
            "POST",
            "/v1/tasks",
            json!({"channel": "chat", "queue": "none"}),
            422,
            "queue",
        ),
        (
            "POST",
            "/v1/tasks",
            json!({"channel": "chat", "workflow": "no"}),
            422,
            "workflow",
        ),
        (
            "POST",
            "/v1/tasks",
            json!({"channel": "chat", "queue": "chats", "id": "a b"}),
            422,
            "id:",
        ),
        (
            "POST",
            "/v1/tasks",
            json!({"channel": "chat", "queue": "chats", "prio": 1}),
            422,
            "prio",
        ),
        (
            "POST",
            "/v1/tasks",
            json!({"channel": "chat", "queue": "chats", "priority": "1"}),
            422,
            "priority",
        ),
        (
            "POST",
            "/v1/tasks",
            json!({"channel": "chat", "queue": "chats", "since": "soon"}),
            422,
            "since",
        ),
        (
            "POST",
            "/v1/tasks",
            json!({"channel": "chat", "queue": "chats", "since": "2100-01-01T00:00:00Z"}),
            422,
            "future",
        ),
        (
            "POST",
            "/v1/tasks",
            json!({"channel": "chat", "queue": "chats", "time_to_live": 0}),
            422,
            "time_to_live",
        ),
        (
            "POST",
            "/v1/tasks",
            json!({"channel": "chat", "queue": "chats", "attributes": {"a": long}}),
            413,
            "64 KiB",
        ),
        (
            "PATCH",
            "/v1/tasks/none",
            json!({"priority": 1}),
            404,
            "no task none",
        ),
        ("DELETE", "/v1/tasks/none", json!({}), 404, "no task none"),
        (
            "POST",
            "/v1/reservations/none/accept",
            json!({}),
            404,
            "no reservation none",
        ),
        (
            "PATCH",
            "/v1/workers/ghost",
            json!({"activity": "lunch"}),
            404,
            "no worker ghost",
        ),
        (
            "PATCH",
            "/v1/workers/%E8%8A%B1%E5%AD%90",
            json!({}),
            422,
            "`activity`",
        ),
        (
            "PATCH",
            "/v1/workers/%E8%8A%B1%E5%AD%90",
            json!({"activity": "x"}),
            422,
            "activity",
        ),
        (
            "POST",
            "/v1/workers/%E8%8A%B1%E5%AD%90/wrap-up",
            json!({"do": "extend", "seconds": 5}),
            409,
            "after-call work",
        ),
        (
            "POST",
            "/v1/workers/%E8%8A%B1%E5%AD%90/wrap-up",
            json!({"do": "start", "seconds": 0}),
            422,
            "seconds",
        ),
    ] {
        let answer = site.send(method, path, &body);
        let error = answer.body["error"].as_str().unwrap_or_default();
        assert_eq!(
            answer.status, status,
            "{method} {path} {body:.200}: {error}"
        );
        assert!(error.contains(words), "{method} {path}: {error}");
    }
    let unread = site.send("POST", "/v1/tasks", &json!("no object"));
    assert_eq!(unread.status, 422);
    let no = site.send(
        "POST",
        &format!("/v1/reservations/{offer}/reject"),
        &json!({"activity": "x"}),
    );
    assert_eq!(no.status, 422, "{no:?}");
    let tag = site.send_if(
        "DELETE",
        &format!("/v1/tasks/{task}"),
        &json!({}),
        Some("7"),
    );
    assert_eq!(tag.status, 400, "{tag:?}");
    for path in [
        "/v1/events?after=x",
        "/v1/events?limit=0",
        "/v1/events?wait=61",
        "/v1/tasks?colour=red",
        "/v1/workers?limit=0",
    ] {
        assert_eq!(site.get(path).0, 400, "{path}");
    }
}

#[test]
fn a_call_is_accepted_by_its_phone_alone_and_declined_by_the_api() {
    let site = Site::open();
    let task = TaskId::new("of-a-call");
    let call = CallId::new("jp1-tokyo1-0-x-1");
    let new = NewTask::of_call(task, call, "calls");
    site.router
        .send(ShardId(0), Command::CreateTask(Box::new(new)))
        .unwrap();
    let offer = "of-a-call.1";
    let mut offered = false;
    while !offered {
        let output = site.heard.recv_timeout(Duration::from_secs(10)).unwrap();
        offered = matches!(output, Output::Offer { .. });
    }
    let newest = site.router.tail().newest();
    let names = site.names(&format!("/v1/events?after={}", newest - 1));
    assert_eq!(
        names,
        ["reservation.created"],
        "seen before its phone rings"
    );

    let accept = site.send(
        "POST",
        &format!("/v1/reservations/{offer}/accept"),
        &json!({}),
    );
    assert_eq!(
        (accept.status, &accept.body["call"]),
        (409, &json!("jp1-tokyo1-0-x-1"))
    );
    assert!(text(&accept.body["help"]).contains("phone"));
    for (method, path) in [
        ("DELETE", "/v1/tasks/of-a-call"),
        ("POST", "/v1/tasks/of-a-call/complete"),
    ] {
        assert_eq!(
            site.send(method, path, &json!({})).status,
            409,
            "{method} {path}"
        );
    }
    let reject = site.send(
        "POST",
        &format!("/v1/reservations/{offer}/reject"),
        &json!({}),
    );
    assert_eq!(reject.status, 204, "{reject:?}");
    let revoked = site.heard.iter().find_map(|output| match output {
        Output::OfferRevoked { why, .. } => Some(why),
        _ => None,
    });
    assert_eq!(
        revoked,
        Some(RevokedWhy::Rejected),
        "his phone stops ringing"
    );
}

#[test]
fn events_have_no_gaps_and_a_reader_who_is_late_is_told() {
    let site = Site::open();
    let waiting = {
        let address = site.server.api();
        let newest = site.router.tail().newest();
        std::thread::spawn(move || get(address, &format!("/v1/events?after={newest}&wait=30")))
    };
    site.chat();
    let (status, body) = waiting.join().unwrap();
    assert!(
        status == 200 && !body["events"].as_array().unwrap().is_empty(),
        "{body}"
    );

    let (mut after, mut all) = (0, Vec::new());
    loop {
        let (_, body) = site.get(&format!("/v1/events?after={after}&limit=2"));
        let events = body["events"].as_array().unwrap().clone();
        after = body["next"].as_u64().unwrap();
        if events.is_empty() {
            break;
        }
        all.extend(
            events
                .iter()
                .map(|event| event["sequence"].as_u64().unwrap()),
        );
    }
    assert_eq!(all, (1..=after).collect::<Vec<_>>());

    let (status, body) = site.get("/v1/events?after=1000000");
    assert_eq!((status, &body["newest"]), (410, &json!(after)), "{body}");

    // Another process on the same journal: what was written is no longer in memory.
    let (routing, desk) = start(&site.journal.clone(), Box::new(|_, _| {}));
    let switch = Arc::new(Switch {
        routing: Some(routing),
        ..Switch::default()
    });
    let second = serve_with(switch, desk);
    let (_, body) = get(second.api(), "/v1/events?after=0&limit=1000");
    let events = body["events"].as_array().unwrap();
    let numbers: Vec<u64> = events
        .iter()
        .map(|e| e["sequence"].as_u64().unwrap())
        .collect();
    assert!(numbers.len() as u64 >= after);
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let mut journal = site.journal.clone();
    crate::journal::Journal::trim(&mut journal, 0, 3).unwrap();
    let (status, body) = get(second.api(), "/v1/events?after=0");
    assert_eq!(status, 410, "{body}");
    assert!(body["oldest"].as_u64().unwrap() > 1);
}

#[test]
fn a_stream_goes_on_where_it_broke_off() {
    let site = Site::open();
    site.chat();
    let read = |last: u64, count: usize| {
        let mut stream = TcpStream::connect(site.server.api()).unwrap();
        write!(
            stream,
            "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\
             Last-Event-ID: {last}\r\n\r\n"
        )
        .unwrap();
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let ids = lines.filter_map(|line| line.strip_prefix("id: ")?.parse::<u64>().ok());
        ids.take(count).collect::<Vec<_>>()
    };
    let first = read(0, 3);
    assert_eq!(first, [1, 2, 3]);
    assert_eq!(read(3, 2), [4, 5]);
}

#[test]
fn a_router_that_cannot_write_is_said_to_be_silent() {
    let site = Site::open();
    let (task, offer) = site.chat();
    site.journal.fail_next(u32::MAX);
    let wanted = json!({"channel": "chat", "queue": "chats"});
    let task = format!("/v1/tasks/{task}");
    let offer = format!("/v1/reservations/{offer}");
    for (method, path, body) in [
        ("POST", "/v1/tasks", wanted),
        ("GET", &task, json!({})),
        ("PATCH", &task, json!({"priority": 1})),
        ("DELETE", &task, json!({})),
        ("POST", &format!("{task}/complete"), json!({})),
        ("GET", &offer, json!({})),
        ("POST", &format!("{offer}/accept"), json!({})),
        ("POST", &format!("{offer}/reject"), json!({})),
        ("GET", "/v1/workers/%E8%8A%B1%E5%AD%90", json!({})),
        ("GET", "/v1/tasks?worker=%E8%8A%B1%E5%AD%90", json!({})),
        ("GET", "/v1/task-queues", json!({})),
    ] {
        let answer = site.send(method, path, &body);
        assert_eq!(
            (answer.status, answer.retry.as_deref()),
            (503, Some("1")),
            "{method} {path}: {answer:?}"
        );
    }
    assert_eq!(site.get("/health/live").0, 200);
    site.journal.fail_next(0);
}

#[test]
fn what_is_described_is_served_and_what_is_served_is_described() {
    let site = Site::open();
    let (status, document) = site.get("/v1/openapi.json");
    assert_eq!(status, 200);
    assert!(text(&document["openapi"]).starts_with("3."));
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 30, "{}", paths.len());
    for (path, item) in paths {
        for method in item.as_object().unwrap().keys() {
            let address = path.replace("{id}", "none").replace("{name}", "none");
            let address = address.replace("{address}", "127.0.0.9");
            if address == "/v1/reload" {
                continue;
            }
            let answer = site.send(&method.to_uppercase(), &address, &json!({}));
            let error = answer.body["error"].as_str().unwrap_or_default();
            assert!(!error.contains("docs/api.md"), "{method} {path}: {error}");
        }
    }
    // Routes come in by `routes!` alone, which takes them with their description.
    let sources = std::fs::read_dir("src/http").unwrap();
    for file in sources
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
    {
        let source = std::fs::read_to_string(&file).unwrap();
        assert!(!source.contains(".route(\""), "{}", file.display());
    }
    let event = &document["components"]["schemas"]["About"]["properties"];
    assert!(event["worker_sequence"].is_object(), "{document:#}");
}

/// R94: 60 KiB of attributes, of any script, arrive with the offer as they were sent.
#[test]
fn large_attributes_arrive_intact_with_the_offer() {
    let site = Site::open();
    let after = site.router.tail().newest();
    let attributes = json!({"客": "田中さま🙂", "注文": "あ".repeat(20_000)});
    let wanted = json!({"channel": "chat", "queue": "chats", "attributes": attributes});
    assert_eq!(site.send("POST", "/v1/tasks", &wanted).status, 201);
    let (_, body) = site.get(&format!("/v1/events?after={after}"));
    let events = body["events"].as_array().unwrap();
    let offer = events
        .iter()
        .find(|event| event["event"] == "reservation.created");
    assert_eq!(offer.unwrap()["attributes"], attributes);
}
