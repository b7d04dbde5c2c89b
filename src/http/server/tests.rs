//! The server through real sockets.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Condvar, Mutex};

use serde_json::{Value, json};

mod account;
mod calendars;
mod letters;
mod limits;
mod lists;
mod numbers;
mod routing;
mod voicemail;

use super::*;
use crate::base::patience::{PATIENCE, until};
use crate::base::{CallId, Cause, LegId, Party, TaskId, Timestamp};
use crate::calendar::{Calendar, Closing, ClosingBoard, Closings, Hours, Spot, Week};
use crate::call::{
    ConferenceView, Control, ControlError, LineView, NoPlace, PlaceError, Placing, TestReport,
};
use crate::events::record::{ArchiveError, Filter};
use crate::events::{CallRecord, Direction, Event, Fact, MediaSummary, Role};
use crate::http::Reload;
use crate::http::metrics::{Snapshot, Source};
use crate::http::{Account, Pulse};
use crate::journal::MemoryJournal;
use crate::media::Captured;
use crate::router::{
    Declined, Explanation, LeftWhy, Prospects, QueueView, Refusal, RouterTask, RouterView, Supposed,
};
use crate::sip::Flow;
use crate::sip::guard::Ban;
use crate::sip::trace::{Numbers, Traced, Way};
use crate::trunk::{NumberOverride, NumberOverrides, OverrideBoard, TrunkView};
use crate::twiml::{Modification, Sid, SidKind};
use crate::voicemail::Keeper;
use crate::webhook::{LetterView, ReplayError, ShelfError};

const START: i64 = 1_795_136_523_000;

#[derive(Debug, Default)]
struct Switch {
    archive: BTreeMap<String, CallRecord>,
    reloads: Mutex<Vec<Result<String, String>>>,
    letters: Mutex<Vec<LetterView>>,
    /// Looks of [`LONG`], and questions after the workflow `held`, that wait for `watched`.
    watching: Mutex<usize>,
    watched: Gate,
    /// The router behind the desk.
    routing: Option<RouterTask>,
    /// What is closed by hand.
    board: ClosingBoard,
    /// Numbers that lead elsewhere by hand.
    overrides: OverrideBoard,
    /// Whether its view is shown, in place of a made up one.
    is_shown: bool,
    voicemail: Option<Keeper>,
    recordings: std::path::PathBuf,
    placed: Mutex<Vec<Placing>>,
    wishes: Mutex<Vec<Control>>,
    /// A call that talks, and is recorded as it is wished.
    talking: Mutex<Option<CallRecord>>,
    lines: Mutex<crate::call::Lines>,
    modified: Mutex<Vec<(String, Modification)>>,
}

const LONG: Duration = Duration::from_secs(60);

/// Holds who comes until it is opened.
#[derive(Debug, Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn wait(&self) {
        let closed = self.0.lock().unwrap();
        let is_closed = |open: &mut bool| !*open;
        // Who holds others up for ever when his test has failed holds up the end of the server, too.
        drop(
            self.1
                .wait_timeout_while(closed, PATIENCE, is_closed)
                .unwrap(),
        );
    }

    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

fn record(number: i64, ended: bool) -> CallRecord {
    let event = |after: i64, fact| Event {
        at: Timestamp::from_millis(START + number * 1000 + after),
        call: CallId::new(format!("c{number}")),
        fact,
    };
    let mut record = CallRecord::fold(&[event(
        0,
        Fact::CallStarted {
            region: "jp1".into(),
            node: "tokyo1".into(),
            direction: Direction::Inbound,
            from: "+8190".into(),
            to: "+8131".into(),
            trunk: None,
            generation: 1,
        },
    )]);
    let leg = LegId(1);
    record.apply(&event(
        0,
        Fact::LegAdded {
            leg,
            role: Role::Caller,
            party: "+8190".into(),
            agent: None,
            trunk: None,
            sip_call_id: format!("of-c{number}"),
        },
    ));
    if ended {
        record.apply(&event(
            500,
            Fact::LegEnded {
                leg,
                media: MediaSummary::default(),
                by: Party::Caller,
                cause: Cause::normal(),
            },
        ));
        let (by, cause) = (Party::Caller, Cause::normal());
        record.apply(&event(500, Fact::CallEnded { by, cause }));
    }
    record
}

impl Live for Switch {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START + 60_000)
    }

    fn voicemail(&self) -> Keeper {
        self.voicemail.clone().expect("asked for mailboxes")
    }

    fn calls(&self) -> Vec<CallRecord> {
        let talking = self.talking.lock().unwrap().clone();
        [record(3, false)].into_iter().chain(talking).collect()
    }

    fn call(&self, id: &str) -> Option<CallRecord> {
        self.calls().into_iter().find(|call| call.id.as_str() == id)
    }

    fn router(&self) -> Arc<RouterView> {
        if let Some(routing) = self.routing.as_ref().filter(|_| self.is_shown) {
            return routing.handle().view();
        }
        Arc::new(RouterView {
            queues: vec![QueueView {
                name: "営業".into(),
                waiting: 1,
                offered: 0,
                oldest_since: Some(Timestamp::from_millis(START)),
                assigned: 0,
                members: 2,
                on_duty: 1,
                free: 0,
                draining: false,
            }],
            ..RouterView::default()
        })
    }

    fn beat(&self, agent: &str) -> Option<Pulse> {
        (agent == "花子").then(|| Pulse {
            agent: agent.to_owned(),
            activity: "available".to_owned(),
            next_ms: 1_666,
            within_ms: 5_000,
        })
    }

    fn end_beats(&self, agent: &str) -> Option<bool> {
        (agent == "花子").then_some(true)
    }

    fn bans(&self) -> Vec<Ban> {
        Vec::new()
    }

    fn lift(&self, _: IpAddr) -> bool {
        false
    }

    fn calendars(&self) -> Vec<Arc<Calendar>> {
        let zone = jiff::tz::TimeZone::get("Asia/Tokyo").unwrap();
        let spot = Spot {
            file: "calendars.toml".into(),
            line: 3,
        };
        let hours = || (Hours::parse("09:00-24:00").unwrap(), None);
        let week = Week {
            days: std::array::from_fn(|_| hours()),
            spot,
        };
        vec![Arc::new(Calendar::new("診療所", zone, week, Vec::new()))]
    }

    fn closings(&self) -> Arc<Closings> {
        self.board.read()
    }

    fn close(&self, calendar: &str, closing: Closing) -> Result<(), String> {
        self.board
            .set([(calendar.to_owned(), closing)].into_iter().collect());
        Ok(())
    }

    fn open(&self, calendar: &str) -> Result<bool, String> {
        let was_closed = self.board.read().of(calendar, self.now()).is_some();
        self.board.set(Closings::default());
        Ok(was_closed)
    }

    fn inbound_number(&self, number: &str) -> Option<String> {
        (number == "100" || number == "+81312345678").then(|| "+81312345678".to_owned())
    }

    fn is_flow_for_callers(&self, flow: &str) -> bool {
        flow == "maintenance"
    }

    fn overrides(&self) -> Arc<NumberOverrides> {
        self.overrides.read()
    }

    fn set_override(&self, number: &str, it: NumberOverride) -> Result<(), String> {
        let all = [(number.to_owned(), it)].into_iter().collect();
        self.overrides.set(all);
        Ok(())
    }

    fn lift_override(&self, number: &str) -> Result<bool, String> {
        let was_there = self.overrides.read().of(number, self.now()).is_some();
        self.overrides.set(NumberOverrides::default());
        Ok(was_there)
    }

    fn who(&self, supposed: Supposed) -> Result<Prospects, Declined> {
        if supposed.workflow.is_some() {
            if supposed.workflow.as_deref() == Some("held") {
                *self.watching.lock().unwrap() += 1;
                self.watched.wait();
            }
            return Err(Declined::Refused(Refusal::Left(LeftWhy::Unmatched)));
        }
        let unknown = Declined::Refused(Refusal::UnknownQueue);
        Ok(Prospects {
            at: self.now(),
            plan: "abc".into(),
            generation: 1,
            queue: supposed.queue.ok_or(unknown)?,
            target: "skill == \"sales\"".into(),
            ahead: 0,
            considered: 0,
            workers: Vec::new(),
        })
    }

    fn why(&self, _: &str) -> Option<Explanation> {
        Some(Explanation {
            plan: "abc".into(),
            generation: 1,
            sequence: 9,
            at: self.now(),
            task: TaskId::new("t"),
            queue: "営業".into(),
            target: "skill == \"sales\"".into(),
            rule: None,
            position: 1,
            until: None,
            chosen: None,
            considered: 0,
            not_chosen: BTreeMap::new(),
            nearest: Vec::new(),
        })
    }

    fn control(&self, id: &str, wish: Control) -> Result<Option<LegId>, ControlError> {
        let mut talking = self.talking.lock().unwrap();
        if let Some(call) = talking.as_mut().filter(|call| call.id.as_str() == id) {
            self.wishes.lock().unwrap().push(wish.clone());
            return account::obey(call, &wish).map(|()| None);
        }
        match (id, wish) {
            ("c3", Control::AddParty { .. }) => Ok(Some(LegId(9))),
            ("c3", Control::DropParty { .. }) => Err(ControlError::NoLeg),
            ("c7" | "c8", wish) => {
                self.wishes.lock().unwrap().push(wish);
                Ok(None)
            }
            ("c3", _) => Err(ControlError::NotTalking),
            _ => Err(ControlError::NoCall),
        }
    }

    fn account(&self) -> Option<Account> {
        Some(account::account(self.recordings.clone()))
    }

    fn conferences(&self) -> Vec<ConferenceView> {
        account::conferences()
    }

    fn promise_conference(&self, name: &str) -> Option<Sid> {
        let open = self.conferences().into_iter().find(|it| it.name == name);
        let promised = || Sid::derive(SidKind::Conference, &format!("promised {name}"));
        Some(open.map_or_else(promised, |open| open.sid))
    }

    fn promised_conference(&self, sid: &str) -> Option<String> {
        let promised = Sid::derive(SidKind::Conference, "promised a & b");
        (promised.as_str() == sid).then(|| "a & b".to_owned())
    }

    fn lines(&self) -> Vec<LineView> {
        self.lines.lock().unwrap().view()
    }

    fn make_line(&self, name: &str, max_size: u32) -> Result<(), NoPlace> {
        self.lines.lock().unwrap().make(self.now(), name, max_size)
    }

    fn remove_line(&self, name: &str) -> bool {
        self.lines.lock().unwrap().remove(name)
    }

    fn call_by_sid(&self, sid: &Sid) -> Option<CallRecord> {
        let mut calls = self.calls().into_iter();
        calls.find(|call| crate::twiml::has_sid(call, sid))
    }

    fn place(&self, placing: Placing) -> Result<CallRecord, PlaceError> {
        match placing.to.as_str() {
            "999" => Err(PlaceError::To(placing.to)),
            "full" => Err(PlaceError::Full),
            _ if placing.from == "+1" => Err(PlaceError::From(placing.from)),
            _ => {
                let to = placing.to.clone();
                self.placed.lock().unwrap().push(placing);
                Ok(account::placed(&to))
            }
        }
    }

    fn modify(&self, id: &str, wish: Modification) -> Result<(), ControlError> {
        self.modified.lock().unwrap().push((id.to_owned(), wish));
        Ok(())
    }

    fn trunks(&self) -> Vec<TrunkView> {
        Vec::new()
    }

    fn test_trunk(&self, name: &str, _: Option<String>) -> Result<TestReport, String> {
        Err(format!("no trunk {name}"))
    }

    fn messages(&self) -> Vec<Traced> {
        let [local, remote] = [1u8, 2].map(|last| ([127, 0, 0, last], 5060).into());
        let message = |id: &str| {
            let text = format!(
                "INVITE sip:100@a SIP/2.0\r\nCall-ID: {id}\r\n\
                 Authorization: Digest response=\"beef\"\r\n\r\n"
            );
            let flow = Flow::udp(local, remote);
            Traced::new(self.now(), Way::In, flow, &text.into())
        };
        vec![message("of-c3"), message("of another")]
    }

    fn numbers(&self) -> Numbers {
        Numbers::Shown
    }

    fn watch(&self, _: &str, time: Duration) -> Vec<Captured> {
        if time == LONG {
            *self.watching.lock().unwrap() += 1;
            self.watched.wait();
        }
        Vec::new()
    }

    fn reload(&self, reload: Reload) -> Result<String, String> {
        if reload.reevaluate {
            return Ok("anew".to_owned());
        }
        self.reloads.lock().unwrap().pop().unwrap()
    }

    fn dead_letters(&self, limit: usize) -> Result<Vec<LetterView>, ShelfError> {
        let letters = self.letters.lock().unwrap();
        Ok(letters.iter().take(limit).cloned().collect())
    }

    fn replay_letter(&self, id: &str) -> Result<(), ReplayError> {
        match id {
            "busy" => Err(ReplayError::Busy),
            "way" => Err(ReplayError::OnItsWay(id.to_owned())),
            "disk" => Err(ReplayError::Shelf(ShelfError("disk full".into()))),
            id if self.letters.lock().unwrap().iter().any(|one| one.id == id) => Ok(()),
            id => Err(ReplayError::NoLetter(id.to_owned())),
        }
    }

    fn discard_letter(&self, id: &str) -> Result<bool, ShelfError> {
        let mut letters = self.letters.lock().unwrap();
        let before = letters.len();
        letters.retain(|one| one.id != id);
        Ok(letters.len() < before)
    }

    fn alive(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        Err("draining".into())
    }
}

impl Archive for Switch {
    fn list(&self, filter: &Filter) -> Result<Vec<CallRecord>, ArchiveError> {
        let all = self.archive.values().rev().cloned();
        Ok(all
            .filter(|call| filter.matches(call))
            .take(filter.limit)
            .collect())
    }

    fn find(&self, id: &str) -> Result<Option<CallRecord>, ArchiveError> {
        Ok(self.archive.get(id).cloned())
    }

    fn catch_up(&self, _: Duration) {}

    fn find_by_sid(&self, sid: &str) -> Result<Option<CallRecord>, ArchiveError> {
        let sid: Sid = sid.parse().unwrap();
        let mut all = self.archive.values();
        Ok(all.find(|call| crate::twiml::has_sid(call, &sid)).cloned())
    }
}

impl Source for Switch {
    fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }
}

fn server() -> Server {
    serving().0
}

fn serving() -> (Server, Arc<Switch>) {
    let (routing, desk) = routing::start(&MemoryJournal::new(), Box::new(|_, _| {}));
    let switch = Arc::new(Switch {
        routing: Some(routing),
        archive: (1..=3)
            .map(|n| (format!("c{n}"), record(n, true)))
            .collect(),
        reloads: Mutex::new(vec![
            Err("queues.toml:3:1: bad".into()),
            Ok("generation 2".into()),
        ]),
        ..Switch::default()
    });
    (serve_with(switch.clone(), desk), switch)
}

fn serve_with(switch: Arc<Switch>, desk: Routing) -> Server {
    let settings = Settings {
        api: "127.0.0.1:0".parse().unwrap(),
        metrics: Some("127.0.0.1:0".parse().unwrap()),
        rest: Some("127.0.0.1:0".parse().unwrap()),
    };
    let metrics = Arc::new(Metrics::new(switch.clone()));
    Server::start(settings, switch.clone(), switch, metrics, desk).unwrap()
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    config.build().into()
}

fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    let mut reply = agent()
        .get(format!("http://{address}{path}"))
        .call()
        .unwrap();
    let text = reply.body_mut().read_to_string().unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (reply.status().as_u16(), body)
}

#[test]
fn calls_live_and_finished_come_newest_first_and_once() {
    let server = server();
    let (status, body) = get(server.api(), "/v1/calls?from=%2B8190");
    assert_eq!(status, 200);
    let calls = body["calls"].as_array().unwrap();
    let ids: Vec<_> = calls
        .iter()
        .map(|call| call["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["c3", "c2", "c1"]);
    assert_eq!(calls[0]["ended"], Value::Null);
    assert_eq!(calls[0]["duration_ms"], 57_000);
    assert_eq!(calls[1]["duration_ms"], 500);
    let (_, body) = get(server.api(), "/v1/calls?limit=1&state=finished");
    assert_eq!(body["calls"].as_array().unwrap().len(), 1);
    let (status, body) = get(server.api(), "/v1/calls?limit=many");
    assert_eq!((status, &body["status"]), (400, &json!(400)));
    assert!(body["error"].as_str().unwrap().contains("limit"));
}

#[test]
fn one_call_and_why_are_found_or_refused_in_json() {
    let server = server();
    assert_eq!(get(server.api(), "/v1/calls/c1").1["id"], "c1");
    let (status, body) = get(server.api(), "/v1/calls/c3/why");
    assert_eq!((status, &body["now"]["position"]), (200, &json!(1)));
    let (status, body) = get(server.api(), "/v1/calls/nobody");
    assert_eq!((status, &body["error"]), (404, &json!("no call nobody")));
    let (status, body) = get(server.api(), "/v2");
    assert_eq!((status, &body["status"]), (404, &json!(404)));
    assert_eq!(
        get(server.api(), "/v1/queues").1["queues"][0]["name"],
        "営業"
    );
    assert_eq!(get(server.api(), "/v1/reload").0, 405);
}

#[test]
fn who_can_get_a_call_is_asked_with_its_attributes() {
    let server = server();
    let ask = |body: Value| {
        let url = format!("http://{}/v1/who", server.api());
        let reply = agent().post(url).header("content-type", "application/json");
        let mut reply = reply.send(body.to_string()).unwrap();
        let text = reply.body_mut().read_to_string().unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        (reply.status().as_u16(), body)
    };
    let (status, body) = ask(json!({"queue": "営業", "attributes": {"language": "ja"}}));
    assert_eq!((status, &body["queue"]), (200, &json!("営業")));
    assert_eq!(body["agents"], json!([]));
    assert_eq!(ask(json!({})).0, 404);
    let (status, body) = ask(json!({"workflow": "owner first"}));
    assert_eq!((status, &body["left"]), (422, &json!("unmatched")));
    assert!(body["help"].as_str().unwrap().contains("filters"), "{body}");
    let (status, body) = ask(json!({"que": "営業"}));
    assert_eq!(status, 400);
    assert!(body["error"].as_str().unwrap().contains("que"), "{body}");
}

#[test]
fn the_wire_of_a_call_is_shown_without_its_secrets() {
    let server = server();
    let (status, body) = get(server.api(), "/v1/calls/c3/sip");
    assert_eq!(status, 200);
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1, "of this call alone: {body}");
    assert_eq!(messages[0]["lines"][0], "INVITE sip:100@a SIP/2.0");
    assert_eq!(
        messages[0]["lines"][2],
        "Authorization: Digest response=\"xxxx\""
    );
    assert_eq!(body["legs"][0]["sip_call_id"], "of-c3");
    let url = format!("http://{}/v1/calls/c3/pcap?seconds=1", server.api());
    let mut reply = agent().get(url).call().unwrap();
    let file = reply.body_mut().read_to_vec().unwrap();
    assert!(file.len() > 24 + 16 + 28, "a header and a packet");
    assert!(!file.windows(4).any(|octets| octets == b"beef"));
    assert_eq!(get(server.api(), "/v1/calls/c3/pcap?seconds=61").0, 400);
    assert_eq!(get(server.api(), "/v1/calls/c3/pcap?minutes=1").0, 400);
    assert_eq!(get(server.api(), "/v1/calls/nobody/pcap").0, 404);
}

#[test]
fn long_questions_leave_threads_to_the_others() {
    let (server, switch) = serving();
    let api = server.api();
    let status_of = move |path: &str| {
        let reply = agent().get(format!("http://{api}{path}")).call();
        reply.unwrap().status().as_u16()
    };
    let ask = move || status_of("/v1/calls/c3/pcap?seconds=60");
    let long: Vec<_> = (0..4).map(|_| std::thread::spawn(ask)).collect();
    until("four wait", || *switch.watching.lock().unwrap() == 4);
    let (status, body) = get(api, "/v1/calls/c3/pcap?seconds=60");
    assert_eq!((status, &body["status"]), (429, &json!(429)));
    let url = format!("http://{api}/v1/trunks/demo/test");
    assert_eq!(agent().post(url).send_empty().unwrap().status(), 429);
    assert_eq!(status_of("/v1/calls/c3/pcap"), 200);
    assert_eq!(get(api, "/health/live").0, 200);
    assert_eq!(get(api, "/metrics").0, 200);
    switch.watched.open();
    for asked in long {
        assert_eq!(asked.join().unwrap(), 200);
    }
    assert_eq!(ask(), 200);
}

/// However many wait for something else, the switch is not said to be dead.
#[test]
fn health_is_told_while_every_thread_is_taken() {
    let (server, switch) = serving();
    let api = server.api();
    let ask = move || {
        let url = format!("http://{api}/v1/who");
        let asked = agent().post(url).send_json(json!({"workflow": "held"}));
        asked.unwrap().status().as_u16()
    };
    let asked: Vec<_> = (0..MOST_QUESTIONS)
        .map(|_| std::thread::spawn(ask))
        .collect();
    until("all wait", || {
        *switch.watching.lock().unwrap() == MOST_QUESTIONS
    });
    assert_eq!(get(api, "/health/live").0, 200);
    let (status, body) = get(api, "/health/ready");
    assert_eq!((status, &body["why"]), (503, &json!("draining")));
    switch.watched.open();
    asked.into_iter().for_each(|one| drop(one.join()));
}

#[test]
fn reload_says_what_changed_or_what_is_wrong() {
    let server = server();
    let reload = |how: &str| {
        let url = format!("http://{}/v1/reload{how}", server.api());
        let mut reply = agent().post(url).send_empty().unwrap();
        let body: Value = reply.body_mut().read_json().unwrap();
        (reply.status().as_u16(), body)
    };
    assert_eq!(
        reload("?reevaluate=true"),
        (200, json!({"reloaded": ["anew"]}))
    );
    assert_eq!(reload("?revaluate=true").0, 400);
    assert_eq!(reload(""), (200, json!({"reloaded": ["generation 2"]})));
    let (status, body) = reload("");
    assert_eq!(
        (status, &body["error"]),
        (422, &json!("queues.toml:3:1: bad"))
    );
}

#[test]
fn a_living_call_is_changed_by_a_post_to_it() {
    let server = server();
    let post = |id: &str, body: Value| {
        let url = format!("http://{}/v1/calls/{id}", server.api());
        let mut reply = agent().post(url).send_json(body).unwrap();
        let body: Value = reply.body_mut().read_json().unwrap();
        (reply.status().as_u16(), body)
    };
    let add = json!({"do": "add_party", "number": "1003"});
    assert_eq!(post("c3", add.clone()), (200, json!({"leg": 9})));
    assert_eq!(post("c4", add).0, 404);
    assert_eq!(post("c3", json!({"do": "drop_party", "leg": 1})).0, 404);
    assert_eq!(post("c3", json!({"do": "hang_up"})).0, 409);
    let (status, body) = post("c3", json!({"do": "dance"}));
    assert_eq!(status, 400);
    assert!(body["error"].as_str().unwrap().contains("dance"), "{body}");
}

#[test]
fn the_open_listener_shows_figures_and_health_alone() {
    let server = server();
    let open = server.metrics().unwrap();
    let (status, text) = get(open, "/metrics");
    assert_eq!(status, 200);
    assert!(text.as_str().unwrap().contains("tsunagu_ready 0"));
    assert_eq!(get(open, "/health/live"), (200, json!({"status": "alive"})));
    let not_ready = json!({"status": "not ready", "why": "draining"});
    assert_eq!(get(open, "/health/ready"), (503, not_ready));
    for path in ["/v1/calls", "/v1/calls/c1", "/v1/agents", "/v1/queues"] {
        assert_eq!(get(open, path).0, 404, "{path}");
    }
}

#[test]
fn another_host_name_is_not_answered() {
    let server = server();
    let url = format!("http://{}/v1/calls", server.api());
    let reply = agent()
        .get(url)
        .header("Host", "evil.example")
        .call()
        .unwrap();
    assert_eq!(reply.status().as_u16(), 403);
}

#[test]
fn the_api_stays_on_loopback() {
    let switch = Arc::new(Switch::default());
    let settings = Settings {
        api: "0.0.0.0:0".parse().unwrap(),
        metrics: None,
        rest: None,
    };
    let metrics = Arc::new(Metrics::new(switch.clone()));
    let (_routing, desk) = routing::start(&MemoryJournal::new(), Box::new(|_, _| {}));
    let error = Server::start(settings, switch.clone(), switch, metrics, desk).unwrap_err();
    assert!(matches!(error, Error::NotLoopback(_)), "{error}");
}

#[test]
fn a_stopped_server_frees_its_port() {
    let server = server();
    let address = server.api();
    server.stop();
    drop(TcpListener::bind(address).unwrap());
}

#[test]
fn an_agents_program_says_that_it_is_there_and_goodbye() {
    let server = server();
    let of = |name: &str| {
        let name = name.replace("花子", "%E8%8A%B1%E5%AD%90");
        format!("http://{}/v1/workers/{name}/heartbeat", server.api())
    };
    let mut reply = agent().post(of("花子")).send_empty().unwrap();
    let body: Value = reply.body_mut().read_json().unwrap();
    let expected = json!({
        "agent": "花子", "activity": "available", "next_ms": 1_666, "within_ms": 5_000
    });
    assert_eq!((reply.status().as_u16(), body), (200, expected));
    let mut reply = agent().delete(of("花子")).call().unwrap();
    let body: Value = reply.body_mut().read_json().unwrap();
    assert_eq!(body, json!({"agent": "花子", "was_watched": true}));
    assert_eq!(
        agent().post(of("nobody")).send_empty().unwrap().status(),
        404
    );
    assert_eq!(agent().delete(of("nobody")).call().unwrap().status(), 404);
}
