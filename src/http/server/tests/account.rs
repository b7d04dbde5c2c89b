//! The REST API of programs, through real sockets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use std::io::Write as _;
use std::path::Path;

use super::*;
use crate::base::RecordingId;
use crate::base::patience::PATIENCE;
use crate::call::Seat;
use crate::events::RecordingFacts;
use crate::media::Role as Part;
use crate::twiml::{
    Document, Link, Method, ProgressEvent, RecordingCallback, RecordingEvent, Source,
    StatusCallback, Track,
};
use crate::voicemail::tests::{as_it_is_read, becomes_a_pipe};
use crate::webhook::SigningSecret;

const SID: &str = "AC0123456789abcdef0123456789abcdef";

pub(super) fn account(recordings: std::path::PathBuf) -> Account {
    Account {
        sid: SID.parse().unwrap(),
        token: SigningSecret::new("s:e:cret"),
        url: "https://pbx.example".to_owned(),
        host: [192, 0, 2, 1].into(),
        recordings,
    }
}

/// A call from nothing as it begins.
pub(super) fn placed(to: &str) -> CallRecord {
    let event = |fact| Event {
        at: Timestamp::from_millis(START),
        call: CallId::new("c9"),
        fact,
    };
    CallRecord::fold(&[event(Fact::CallStarted {
        region: "jp1".into(),
        node: "tokyo1".into(),
        direction: Direction::Outbound,
        from: "+8131".into(),
        to: to.to_owned(),
        trunk: None,
        generation: 1,
    })])
}

/// One in which the call c8 waits for a beginning, and one in which c3 and c7 talk.
pub(super) fn conferences() -> Vec<ConferenceView> {
    let opened = Timestamp::from_millis(START);
    let talks = |call: &str| Seat {
        call: CallId::new(call),
        leg: LegId(9),
        label: None,
        starts: true,
        ends: false,
        muted: false,
        held: false,
        coaches: None,
        beeps_out: false,
        dialled_in: false,
        since: opened,
    };
    let talk = ConferenceView {
        sid: Sid::derive(SidKind::Conference, "f2"),
        name: "room".to_owned(),
        opened,
        began: Some(opened),
        participants: vec![talks("c3"), talks("c7")],
        recordings: vec![RecordingId::new("r5")],
    };
    let wait = ConferenceView {
        sid: Sid::derive(SidKind::Conference, "f1"),
        name: "朝会 1".to_owned(),
        opened,
        began: None,
        participants: vec![Seat {
            call: CallId::new("c8"),
            leg: LegId(8),
            label: Some("客".to_owned()),
            starts: false,
            ends: true,
            muted: false,
            held: false,
            coaches: None,
            beeps_out: false,
            dialled_in: false,
            since: opened,
        }],
        recordings: Vec::new(),
    };
    vec![wait, talk]
}

/// What becomes of a call that is recorded as it is wished: one recording, `r5`.
pub(super) fn obey(call: &mut CallRecord, wish: &Control) -> Result<(), ControlError> {
    let recording = RecordingId::new("r5");
    let channel = None;
    let fact = match wish {
        Control::StartRecording { .. } if !call.recordings.is_empty() => {
            return Err(ControlError::AlreadyRecorded);
        }
        Control::StartRecording { .. } => Fact::RecordingStarted { recording },
        Control::PauseRecording { .. } => Fact::RecordingPaused { recording, channel },
        Control::ResumeRecording { .. } => Fact::RecordingResumed { recording, channel },
        _ => return Ok(()),
    };
    call.apply(&Event {
        at: Timestamp::from_millis(START),
        call: call.id.clone(),
        fact,
    });
    Ok(())
}

/// Asks as the account, and reads what comes.
fn ask(server: &Server, method: &str, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
    ask_as(server, &format!("{SID}:s:e:cret"), method, path, form)
}

fn ask_as(
    server: &Server,
    who: &str,
    method: &str,
    path: &str,
    form: &[(&str, &str)],
) -> (u16, Value) {
    let url = format!(
        "http://{}/2010-04-01/Accounts/{path}",
        server.rest().unwrap()
    );
    let who = format!("Basic {}", STANDARD.encode(who));
    let agent = agent();
    let mut reply = match method {
        "GET" => agent.get(url).header("Authorization", who).call(),
        "DELETE" => agent.delete(url).header("Authorization", who).call(),
        _ => {
            let form = form.iter().copied();
            agent.post(url).header("Authorization", who).send_form(form)
        }
    }
    .unwrap();
    let status = reply.status().as_u16();
    let text = reply.body_mut().read_to_string().unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn get(server: &Server, path: &str) -> (u16, Value) {
    ask(server, "GET", &format!("{SID}{path}"), &[])
}

fn sid(kind: SidKind, id: &str) -> String {
    Sid::derive(kind, id).as_str().to_owned()
}

#[test]
fn only_the_account_is_let_in() {
    let server = server();
    for who in ["", SID, "AC0:s:e:cret", &format!("{SID}:secret")] {
        let (status, body) = ask_as(&server, who, "GET", &format!("{SID}/Calls.json"), &[]);
        let expected = json!({
            "code": 20003,
            "message": "Authenticate",
            "more_info": "https://www.twilio.com/docs/errors/20003",
            "status": 401,
        });
        assert_eq!((status, body), (401, expected), "{who}");
    }
    let (status, body) = get(&server, ".json");
    assert_eq!((status, &body["sid"]), (200, &json!(SID)));
    // A web page of the operator's browser has no token; the loopback rule is not for this API.
    let url = format!("http://{}/v1/calls", server.rest().unwrap());
    assert_eq!(agent().get(url).call().unwrap().status(), 401);
}

#[test]
fn what_is_not_there_or_cannot_be_done_is_told_by_number() {
    let server = server();
    for (method, path, expected, code) in [
        ("GET", "/Calls", 404, 20404),
        ("GET", "/Fish.json", 404, 20404),
        (
            "GET",
            "/Calls/CA00000000000000000000000000000000.json",
            404,
            20404,
        ),
        ("GET", "/Calls/nobody.json", 404, 20404),
        (
            "GET",
            "/Recordings/RE00000000000000000000000000000000.json",
            404,
            20404,
        ),
        (
            "GET",
            "/Recordings/RE00000000000000000000000000000000.wav",
            404,
            20404,
        ),
        ("DELETE", "/Calls.json", 405, 20004),
        ("GET", "/Calls.json?PageSize=0", 400, 20001),
        ("GET", "/Calls.json?PageToken=x", 400, 20001),
        ("GET", "/Calls.json?Status=over", 400, 20001),
    ] {
        let (status, body) = ask(&server, method, &format!("{SID}{path}"), &[]);
        assert_eq!(
            (status, &body["code"], &body["status"]),
            (expected, &json!(code), &json!(expected)),
            "{path}: {body}"
        );
    }
    let other = "AC00000000000000000000000000000000/Calls.json";
    assert_eq!(ask(&server, "GET", other, &[]).0, 404);
}

#[test]
fn a_call_is_shown_as_the_sdk_reads_it() {
    let server = server();
    let own = sid(SidKind::Call, "c1");
    let (status, call) = get(&server, &format!("/Calls/{own}.json"));
    assert_eq!(status, 200, "{call}");
    assert_eq!(call["sid"], json!(own));
    assert_eq!(call["account_sid"], json!(SID));
    assert_eq!(call["direction"], "inbound");
    assert_eq!(call["to"], "+8131");
    // Ended by its caller before anybody answered it.
    assert_eq!(call["duration"], Value::Null);
    assert_eq!(call["start_time"], "Fri, 20 Nov 2026 01:02:04 +0000");
    assert_eq!(
        call["uri"],
        json!(format!("/2010-04-01/Accounts/{SID}/Calls/{own}.json"))
    );
    let living = sid(SidKind::Call, "c3");
    let (_, call) = get(&server, &format!("/Calls/{living}.json"));
    assert_eq!(call["status"], "ringing");
}

#[test]
fn a_list_is_turned_page_by_page() {
    let server = server();
    let mut path = format!("{SID}/Calls.json?PageSize=2");
    let mut seen = Vec::new();
    for page in 0..2 {
        let (status, body) = ask(&server, "GET", &path, &[]);
        assert_eq!(status, 200, "{body}");
        assert_eq!(
            (&body["page"], &body["page_size"]),
            (&json!(page), &json!(2))
        );
        let calls = body["calls"].as_array().unwrap().iter();
        seen.extend(calls.map(|call| call["sid"].as_str().unwrap().to_owned()));
        match body["next_page_uri"].as_str() {
            Some(next) => {
                let next = next.strip_prefix("/2010-04-01/Accounts/").unwrap();
                next.clone_into(&mut path);
            }
            None => assert_eq!(page, 1),
        }
    }
    let expected = ["c3", "c2", "c1"].map(|id| sid(SidKind::Call, id));
    assert_eq!(seen, expected);
    for (query, count) in [
        ("Status=ringing", 1),
        ("From=%2B8190", 3),
        ("From=%2B8191", 0),
        ("To=%2B8131", 3),
        ("StartTime%3E=2030-01-01", 0),
        ("StartTime%3C=2030-01-01", 3),
        ("ParentCallSid=CA00000000000000000000000000000000", 0),
    ] {
        let (_, body) = get(&server, &format!("/Calls.json?{query}"));
        assert_eq!(
            body["calls"].as_array().unwrap().len(),
            count,
            "{query}: {body}"
        );
        assert_eq!(body["next_page_uri"], Value::Null);
    }
}

#[test]
fn a_call_is_created_as_it_is_asked_for() {
    let (server, switch) = serving();
    let create = |form: &[(&str, &str)]| ask(&server, "POST", &format!("{SID}/Calls.json"), form);
    let (status, call) = create(&[
        ("To", "+81311112222"),
        ("From", "+8131"),
        ("Url", "https://app.example/start#rc=2"),
        ("Method", "GET"),
        ("FallbackUrl", "https://app.example/fallback"),
        ("StatusCallback", "https://app.example/status"),
        ("StatusCallbackEvent", "initiated"),
        ("StatusCallbackEvent", "completed"),
        ("Timeout", "20"),
        ("SendDigits", "wW1#"),
        ("TimeLimit", "60"),
        ("Record", "true"),
        ("MachineDetection", "Enable"),
    ]);
    assert_eq!((status, &call["status"]), (201, &json!("queued")), "{call}");
    assert_eq!(call["direction"], "outbound-api");
    assert_eq!(call["to"], "+81311112222");
    let placing = switch.placed.lock().unwrap().pop().unwrap();
    assert_eq!(placing.timeout, Duration::from_secs(20));
    assert_eq!((placing.digits.as_str(), placing.record), ("wW1#", true));
    let terms = placing.terms;
    let link = Link {
        url: "https://app.example/start#rc=2".to_owned(),
        method: Method::Get,
    };
    assert_eq!(terms.source, Source::Url(link));
    assert_eq!(terms.time_limit, Duration::from_secs(60));
    let events = terms.status.unwrap().events;
    assert_eq!(events, [ProgressEvent::Initiated, ProgressEvent::Completed]);
    let twiml = "<Response><Say>Hello</Say></Response>";
    let (status, _) = create(&[("To", "client:1001"), ("From", "+8131"), ("Twiml", twiml)]);
    assert_eq!(status, 201);
    let placing = switch.placed.lock().unwrap().pop().unwrap();
    let document = Document::parse_inline(twiml).unwrap();
    assert_eq!(placing.terms.source, Source::Document(Box::new(document)));
    assert_eq!(placing.timeout, Duration::from_secs(60));
}

#[test]
fn a_call_that_makes_no_sense_is_refused_by_number() {
    let (server, switch) = serving();
    let usual = [
        ("To", "1001"),
        ("From", "+8131"),
        ("Url", "http://a.example/"),
    ];
    for (name, value, expected, code) in [
        ("To", "", 400, 21201),
        ("From", "", 400, 21213),
        ("Url", "", 400, 21205),
        ("Url", "nowhere", 400, 21205),
        ("Url", "ftp://a.example/", 400, 21205),
        ("Method", "PUT", 400, 21209),
        ("StatusCallback", "x", 400, 21609),
        ("Timeout", "601", 400, 21208),
        ("SendDigits", "12x", 400, 21206),
        (
            "SendDigits",
            "123456789012345678901234567890123",
            400,
            21206,
        ),
        ("TimeLimit", "0", 400, 20001),
        ("Record", "maybe", 400, 20001),
        ("Twiml", "<Response/>", 400, 21205),
        ("To", "999", 400, 21211),
        ("From", "+1", 400, 21210),
        ("To", "full", 503, 20503),
    ] {
        let mut form: Vec<_> = usual.into_iter().filter(|(key, _)| *key != name).collect();
        form.push((name, value));
        let (status, body) = ask(&server, "POST", &format!("{SID}/Calls.json"), &form);
        assert_eq!(
            (status, &body["code"]),
            (expected, &json!(code)),
            "{name}={value}: {body}"
        );
    }
    let bad = [("To", "1001"), ("From", "+8131"), ("Twiml", "<Respond/>")];
    let (status, body) = ask(&server, "POST", &format!("{SID}/Calls.json"), &bad);
    assert_eq!((status, &body["code"]), (400, &json!(12102)), "{body}");
    assert!(switch.placed.lock().unwrap().is_empty());
}

#[test]
fn a_living_call_is_ended_and_an_ended_one_is_not() {
    let (server, switch) = serving();
    let modify = |id: &str, form: &[(&str, &str)]| {
        let path = format!("{SID}/Calls/{}.json", sid(SidKind::Call, id));
        ask(&server, "POST", &path, form)
    };
    assert_eq!(modify("c3", &[("Status", "completed")]).0, 200);
    assert_eq!(modify("c3", &[("TimeLimit", "7")]).0, 200);
    let modified = std::mem::take(&mut *switch.modified.lock().unwrap());
    let limit = Modification::TimeLimit(Duration::from_secs(7));
    let own = |wish| ("c3".to_owned(), wish);
    assert_eq!(modified, [own(Modification::Complete), own(limit)]);
    let form = [
        ("Status", "completed"),
        ("StatusCallback", "http://a.example/s"),
        ("StatusCallbackMethod", "GET"),
        ("FallbackUrl", "http://a.example/f"),
    ];
    assert_eq!(modify("c3", &form).0, 200);
    let modified = std::mem::take(&mut *switch.modified.lock().unwrap());
    let link = |url: &str, method| Link {
        url: url.to_owned(),
        method,
    };
    let callback = StatusCallback {
        link: link("http://a.example/s", Method::Get),
        events: vec![ProgressEvent::Completed],
    };
    let fallback = link("http://a.example/f", Method::Post);
    let expected = [
        Modification::StatusCallback(callback),
        Modification::Fallback(fallback),
        Modification::Complete,
    ];
    assert_eq!(modified, expected.map(own));
    // One part of it cannot be: nothing is.
    let form = [
        ("StatusCallback", "http://a.example/s"),
        ("Url", "http://a.example/"),
    ];
    assert_eq!(modify("c3", &form).1["code"], 21220);
    for (id, form, code) in [
        // Nobody has answered it.
        ("c3", [("Url", "http://a.example/")], 21220),
        ("c1", [("Status", "completed")], 21220),
        ("c3", [("Status", "over")], 20001),
        ("c3", [("StatusCallback", "nowhere")], 21609),
        ("c3", [("FallbackUrl", "ftp://a.example/")], 21205),
        ("c3", [("Fish", "1")], 21205),
    ] {
        let (status, body) = modify(id, &form);
        assert_eq!((status, &body["code"]), (400, &json!(code)), "{id}: {body}");
    }
    assert!(switch.modified.lock().unwrap().is_empty());
}

/// A server with recording `r1` of call `c1`, whose file is below `folder`.
fn with_recording(folder: &Path) -> (Server, String, String) {
    let mut call = record(1, true);
    let recording = RecordingId::new("r1");
    let path = "2026-11-19/r1.wav";
    let event = |fact| Event {
        at: Timestamp::from_millis(START + 2_000),
        call: CallId::new("c1"),
        fact,
    };
    call.apply(&event(Fact::RecordingStarted {
        recording: recording.clone(),
    }));
    call.apply(&event(Fact::RecordingPublished {
        recording: RecordingFacts {
            recording,
            started: Timestamp::from_millis(START + 1_000),
            duration_ms: 1_500,
            path: path.to_owned(),
            bytes: 44,
            sha256: String::new(),
            seal: String::new(),
            channels: vec!["left".into(), "right".into()],
            defect: None,
        },
    }));
    std::fs::create_dir_all(folder.join("2026-11-19")).unwrap();
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(folder.join(path), spec).unwrap();
    for sample in [100_i16, 20, 300, -5, 30_000, 30_000] {
        file.write_sample(sample).unwrap();
    }
    file.finalize().unwrap();
    std::fs::write(folder.join("2026-11-19/r1.json"), "{}").unwrap();
    let (routing, desk) = routing::start(&MemoryJournal::new(), Box::new(|_, _| {}));
    let switch = Arc::new(Switch {
        routing: Some(routing),
        archive: BTreeMap::from([("c1".to_owned(), call)]),
        recordings: folder.to_owned(),
        ..Switch::default()
    });
    let server = serve_with(switch, desk);
    (
        server,
        sid(SidKind::Recording, "r1"),
        sid(SidKind::Call, "c1"),
    )
}

/// Channels and samples of the recording as it is sent.
fn sound(rest: SocketAddr, own: &str, query: &str) -> (u16, Vec<i16>) {
    let url = format!("http://{rest}/2010-04-01/Accounts/{SID}/Recordings/{own}{query}");
    let who = format!("Basic {}", STANDARD.encode(format!("{SID}:s:e:cret")));
    let asked = agent().get(url).header("Authorization", who);
    let mut reply = asked.call().unwrap();
    assert_eq!(reply.status(), 200);
    let told = reply.headers()["content-length"]
        .to_str()
        .unwrap()
        .to_owned();
    let octets = reply.body_mut().read_to_vec().unwrap();
    assert_eq!(told, octets.len().to_string());
    let mut reader = hound::WavReader::new(std::io::Cursor::new(octets)).unwrap();
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    (reader.spec().channels, samples)
}

#[test]
fn a_recording_is_sent_while_it_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let (server, own, _) = with_recording(folder.path());
    let file = folder.path().join("2026-11-19/r1.wav");
    // It gives what it holds once, and comes to no end before we say so.
    let octets = becomes_a_pipe(&file);
    let rest = server.rest().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(sound(rest, &own, ".wav")));
    let mut pipe = as_it_is_read(&file);
    pipe.write_all(&octets).unwrap();
    let heard = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(heard, (2, vec![100, 20, 300, -5, 30_000, 30_000]));
    drop(pipe);
    server.stop();
}

#[test]
fn a_recording_is_listed_heard_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (server, own, call) = with_recording(folder.path());
    for path in [
        "/Recordings.json",
        &format!("/Calls/{call}/Recordings.json"),
    ] {
        let (status, body) = get(&server, path);
        assert_eq!(status, 200, "{body}");
        let shown = &body["recordings"][0];
        assert_eq!(shown["sid"], json!(own), "{body}");
        assert_eq!(shown["call_sid"], json!(call));
        assert_eq!(
            (&shown["duration"], &shown["channels"]),
            (&json!("1"), &json!(2))
        );
        assert_eq!(shown["status"], "completed");
    }
    let sound = |query: &str| sound(server.rest().unwrap(), &own, query);
    assert_eq!(sound(""), (2, vec![100, 20, 300, -5, 30_000, 30_000]));
    assert_eq!(
        sound(".wav?RequestedChannels=1"),
        (1, vec![120, 295, i16::MAX])
    );
    let path = format!("{SID}/Recordings/{own}.json");
    assert_eq!(ask(&server, "GET", &path, &[]).0, 200);
    let hold = folder.path().join("2026-11-19/r1.hold");
    std::fs::write(&hold, "").unwrap();
    assert_eq!(ask(&server, "DELETE", &path, &[]).0, 400);
    std::fs::remove_file(hold).unwrap();
    assert_eq!(ask(&server, "DELETE", &path, &[]).0, 204);
    assert!(!folder.path().join("2026-11-19/r1.json").exists());
    assert_eq!(ask(&server, "GET", &path, &[]).0, 404);
    let (_, body) = get(&server, "/Recordings.json");
    assert_eq!(body["recordings"], json!([]));
}

#[test]
fn documents_are_heard_in_place_of_a_conference() {
    let (server, switch) = serving();
    let post = |path: &str, form: &[(&str, &str)]| {
        let (status, body) = ask(
            &server,
            "POST",
            &format!("{SID}/Conferences/{path}.json"),
            form,
        );
        let modified = std::mem::take(&mut *switch.modified.lock().unwrap());
        (status, body["code"].clone(), modified)
    };
    let own = sid(SidKind::Conference, "f2");
    let link = |method| Link {
        url: "http://a.example/a".to_owned(),
        method,
    };
    let url = ("AnnounceUrl", "http://a.example/a");
    let announced = || Modification::Announce(link(Method::Post));
    let all = ["c3", "c7"].map(|call| (call.to_owned(), announced()));
    assert_eq!(post(&own, &[url]), (200, Value::Null, all.to_vec()));
    let participant = format!("{own}/Participants/{}", sid(SidKind::Call, "c7"));
    let of_one = |wish| vec![("c7".to_owned(), wish)];
    let expected = (200, Value::Null, of_one(announced()));
    assert_eq!(post(&participant, &[url]), expected);
    let form = [("Hold", "true"), ("HoldUrl", "http://a.example/a")];
    let on_hold = Modification::HoldDocument(Some(link(Method::Get)));
    assert_eq!(
        post(&participant, &form),
        (200, Value::Null, of_one(on_hold))
    );
    let form = [("Hold", "false"), ("HoldUrl", "http://a.example/a")];
    assert_eq!(post(&participant, &form), (200, Value::Null, vec![]));
    let wrong = [("AnnounceUrl", "nowhere")];
    assert_eq!(post(&own, &wrong), (400, json!(21205), vec![]));
    let silent = sid(SidKind::Conference, "f1");
    assert_eq!(post(&silent, &[url]), (400, json!(21220), vec![]));
}

#[test]
fn a_conference_is_shown_changed_and_ended() {
    let (server, switch) = serving();
    let own = sid(SidKind::Conference, "f1");
    let call = sid(SidKind::Call, "c8");
    let (status, body) = get(&server, "/Conferences.json?Status=init");
    assert_eq!(
        (status, &body["conferences"][0]["sid"]),
        (200, &json!(own)),
        "{body}"
    );
    assert_eq!(body["conferences"][0]["friendly_name"], "朝会 1");
    let (_, body) = get(&server, "/Conferences.json?FriendlyName=other");
    assert_eq!(body["conferences"], json!([]));
    let (_, body) = get(&server, &format!("/Conferences/{own}/Participants.json"));
    let one = &body["participants"][0];
    assert_eq!(
        (&one["call_sid"], &one["label"]),
        (&json!(call), &json!("客"))
    );
    assert_eq!(
        (&one["end_conference_on_exit"], &one["muted"]),
        (&json!(true), &json!(false))
    );
    let label = format!("/Conferences/{own}/Participants/%E5%AE%A2.json");
    assert_eq!(get(&server, &label).1["call_sid"], json!(call));
    let path = format!("{SID}/Conferences/{own}/Participants/{call}.json");
    let form = [
        ("Muted", "true"),
        ("Hold", "false"),
        ("Coaching", "true"),
        ("CallSidToCoach", &*call),
    ];
    assert_eq!(ask(&server, "POST", &path, &form).0, 200);
    assert_eq!(ask(&server, "POST", &path, &[("Fish", "1")]).0, 400);
    let lost = [("Muted", "true"), ("EndConferenceOnExit", "true")];
    assert_eq!(ask(&server, "POST", &path, &lost).1["code"], 20001);
    assert_eq!(ask(&server, "DELETE", &path, &[]).0, 204);
    let path = format!("{SID}/Conferences/{own}.json");
    let (status, body) = ask(&server, "POST", &path, &[("Status", "completed")]);
    assert_eq!((status, &body["status"]), (200, &json!("completed")));
    let leg = LegId(8);
    let expected = [
        Control::Mute { leg, on: true },
        Control::Hold { leg, on: false },
        Control::SetRole {
            leg,
            role: Part::Coach(leg),
        },
        Control::LeaveConference,
        Control::EndConference,
    ];
    assert_eq!(*switch.wishes.lock().unwrap(), expected);
    let nobody = format!(
        "/Conferences/{}/Participants.json",
        sid(SidKind::Conference, "no")
    );
    assert_eq!(get(&server, &nobody).0, 404);
}

#[test]
fn somebody_is_called_into_a_conference() {
    let (server, switch) = serving();
    let path = format!("{SID}/Conferences/a%20%26%20b/Participants.json");
    let form = [
        ("To", "client:1001"),
        ("From", "+8131"),
        ("Label", "the \"boss\""),
        ("EndConferenceOnExit", "true"),
        ("Beep", "onEnter"),
        ("ConferenceRecord", "true"),
        (
            "ConferenceRecordingStatusCallback",
            "http://a.example/recorded",
        ),
        ("ConferenceRecordingStatusCallbackEvent", "in-progress"),
        ("ConferenceRecordingStatusCallbackEvent", "completed"),
    ];
    let (status, body) = ask(&server, "POST", &path, &form);
    assert_eq!((status, &body["status"]), (201, &json!("queued")), "{body}");
    // Nobody is in it yet, and it has its SID.
    let promised = sid(SidKind::Conference, "promised a & b");
    assert_eq!(body["conference_sid"], json!(promised));
    let place = format!("/Conferences/{promised}/Participants/");
    assert!(body["uri"].as_str().unwrap().contains(&place), "{body}");
    let placing = switch.placed.lock().unwrap().pop().unwrap();
    let Source::Document(document) = placing.terms.source else {
        panic!("a document");
    };
    let crate::twiml::Verb::Dial(dial) = &document.verbs[0].verb else {
        panic!("{document:?}");
    };
    let shown = format!("{dial:?}");
    assert!(
        shown.contains("a & b") && shown.contains("the \\\"boss\\\""),
        "{shown}"
    );
    assert!(
        shown.contains("a.example/recorded") && shown.contains("InProgress, Completed"),
        "{shown}"
    );
    // The second is called while the first still rings.
    let second = format!("{SID}/Conferences/{promised}/Participants.json");
    let (status, body) = ask(&server, "POST", &second, &form);
    assert_eq!(
        (status, &body["conference_sid"]),
        (201, &json!(promised)),
        "{body}"
    );
    let never = sid(SidKind::Conference, "never promised");
    let path_of = |name: &str| format!("{SID}/Conferences/{name}/Participants.json");
    assert_eq!(ask(&server, "POST", &path_of(&never), &form).0, 404);
    assert_eq!(
        ask(&server, "POST", &path, &[("To", "1001")]).1["code"],
        21213
    );
    let wrong = [
        ("To", "1001"),
        ("From", "+8131"),
        ("MaxParticipants", "1000"),
    ];
    assert_eq!(ask(&server, "POST", &path, &wrong).0, 400);
}

#[test]
fn queues_and_their_members_are_shown() {
    let (server, _) = serving();
    let own = sid(SidKind::Queue, "営業");
    let (status, body) = get(&server, "/Queues.json");
    assert_eq!(
        (status, &body["queues"][0]["sid"]),
        (200, &json!(own)),
        "{body}"
    );
    let (_, body) = get(&server, &format!("/Queues/{own}.json"));
    assert_eq!(
        (&body["friendly_name"], &body["current_size"]),
        (&json!("営業"), &json!(0))
    );
    let (_, body) = get(&server, &format!("/Queues/{own}/Members.json"));
    assert_eq!(body["queue_members"], json!([]));
    assert_eq!(
        get(&server, &format!("/Queues/{own}/Members/Front.json")).0,
        404
    );
    let front = format!("{SID}/Queues/{own}/Members/Front.json");
    assert_eq!(ask(&server, "POST", &front, &[]).1["code"], 21205);
}

#[test]
fn a_queue_is_made_and_taken_away_when_nobody_stands_in_it() {
    let (server, switch) = serving();
    let queues = format!("{SID}/Queues.json");
    let (status, body) = ask(
        &server,
        "POST",
        &queues,
        &[("FriendlyName", "callers"), ("MaxSize", "2")],
    );
    assert_eq!((status, &body["max_size"]), (201, &json!(2)), "{body}");
    let own = sid(SidKind::Queue, "callers");
    assert_eq!(body["sid"], json!(own));
    for form in [
        [("FriendlyName", "callers")],
        [("FriendlyName", "営業")],
        [("FriendlyName", "")],
        [("MaxSize", "5001")],
    ] {
        assert_eq!(ask(&server, "POST", &queues, &form).0, 400, "{form:?}");
    }
    let path = format!("{SID}/Queues/{own}.json");
    let (status, body) = ask(&server, "POST", &path, &[("MaxSize", "7")]);
    assert_eq!((status, &body["max_size"]), (200, &json!(7)));
    assert_eq!(switch.lines.lock().unwrap().view()[0].max_size, 7);
    assert_eq!(ask(&server, "DELETE", &path, &[]).0, 204);
    assert_eq!(ask(&server, "GET", &path, &[]).0, 404);
    let configured = format!("{SID}/Queues/{}.json", sid(SidKind::Queue, "営業"));
    assert_eq!(ask(&server, "DELETE", &configured, &[]).0, 400);
}

/// A switch on which the call c5 talks, and is recorded when it `is_recorded`.
fn with_talking(is_recorded: bool) -> (Server, Arc<Switch>) {
    let (server, switch) = serving();
    let mut call = record(5, false);
    call.apply(&Event {
        at: Timestamp::from_millis(START + 5_000),
        call: CallId::new("c5"),
        fact: Fact::LegAnswered {
            leg: LegId(1),
            codec: "PCMU".into(),
        },
    });
    if is_recorded {
        let (leg, callback) = (None, None);
        let start = Control::StartRecording {
            leg,
            track: Track::Both,
            callback,
        };
        obey(&mut call, &start).unwrap();
    }
    *switch.talking.lock().unwrap() = Some(call);
    (server, switch)
}

#[test]
fn a_recording_is_begun_paused_and_ended() {
    let (server, switch) = with_talking(false);
    let (call, own) = (sid(SidKind::Call, "c5"), sid(SidKind::Recording, "r5"));
    let recordings = format!("{SID}/Calls/{call}/Recordings");
    let post = |below: &str, form: &[(&str, &str)]| {
        ask(&server, "POST", &format!("{recordings}{below}.json"), form)
    };
    let form = [
        ("RecordingStatusCallback", "http://a.example/r"),
        ("RecordingStatusCallbackEvent", "in-progress completed"),
        ("RecordingChannels", "dual"),
    ];
    let (status, body) = post("", &form);
    assert_eq!((status, &body["sid"]), (201, &json!(own)), "{body}");
    assert_eq!(
        (&body["status"], &body["source"]),
        (&json!("in-progress"), &json!("StartCallRecordingAPI"))
    );
    assert_eq!(
        (&body["call_sid"], &body["channels"]),
        (&json!(call), &json!(2))
    );
    // Another beside it would end it.
    assert_eq!(post("", &[]).1["code"], 21220);
    let change = |name: &str, form: &[(&str, &str)]| {
        let (status, body) = post(&format!("/{name}"), form);
        (status, body["status"].clone())
    };
    let current = "Twilio.CURRENT";
    let paused = change(
        current,
        &[("Status", "paused"), ("PauseBehavior", "silence")],
    );
    assert_eq!(paused, (200, json!("paused")));
    let (_, body) = get(&server, &format!("/Calls/{call}/Recordings/{own}.json"));
    assert_eq!(body["status"], "paused");
    let (_, body) = get(&server, &format!("/Calls/{call}/Recordings/{current}.json"));
    assert_eq!(body["sid"], json!(own));
    let resumed = change(&own, &[("Status", "in-progress")]);
    assert_eq!(resumed, (200, json!("in-progress")));
    let stopped = change(current, &[("Status", "stopped")]);
    assert_eq!(stopped, (200, json!("stopped")));
    let (track, channel) = (Track::Both, None);
    let start = |callback| Control::StartRecording {
        leg: Some(LegId(1)),
        track,
        callback,
    };
    let expected = [
        start(Some(RecordingCallback {
            link: Link {
                url: "http://a.example/r".to_owned(),
                method: Method::Post,
            },
            events: vec![RecordingEvent::InProgress, RecordingEvent::Completed],
        })),
        start(None),
        Control::PauseRecording { channel },
        Control::ResumeRecording { channel },
        Control::StopRecording {
            recording: Some(RecordingId::new("r5")),
        },
    ];
    assert_eq!(*switch.wishes.lock().unwrap(), expected);
}

#[test]
fn a_recording_that_cannot_be_is_refused_by_number() {
    let (server, switch) = with_talking(false);
    let call = |id: &str| format!("{SID}/Calls/{}/Recordings", sid(SidKind::Call, id));
    let refused = |path: &str, form: &[(&str, &str)]| {
        let (status, body) = ask(&server, "POST", &format!("{path}.json"), form);
        (status, body["code"].clone())
    };
    for (form, code) in [
        (("RecordingTrack", "outbound"), 20001),
        (("RecordingTrack", "left"), 20001),
        (("RecordingChannels", "3"), 20001),
        (("Trim", "yes"), 20001),
        (("RecordingStatusCallback", "nowhere"), 21609),
    ] {
        assert_eq!(
            refused(&call("c5"), &[form]),
            (400, json!(code)),
            "{form:?}"
        );
    }
    // Not answered, over, unknown.
    assert_eq!(refused(&call("c3"), &[]), (400, json!(21220)));
    assert_eq!(refused(&call("c1"), &[]), (400, json!(21220)));
    assert_eq!(refused(&call("c99"), &[]), (404, json!(20404)));
    // Nothing runs.
    let current = format!("{}/Twilio.CURRENT", call("c5"));
    assert_eq!(
        refused(&current, &[("Status", "paused")]),
        (404, json!(20404))
    );
    assert!(switch.wishes.lock().unwrap().is_empty());
    drop(server);
    let (server, switch) = with_talking(true);
    let refused = |form: &[(&str, &str)]| {
        let (status, body) = ask(&server, "POST", &format!("{current}.json"), form);
        (status, body["code"].clone())
    };
    for form in [
        &[][..],
        &[("Status", "absent")],
        &[("Status", "paused"), ("PauseBehavior", "skip")],
        &[("Status", "paused"), ("PauseBehavior", "hum")],
    ] {
        assert_eq!(refused(form), (400, json!(20001)), "{form:?}");
    }
    assert!(switch.wishes.lock().unwrap().is_empty());
}

#[test]
fn what_is_recorded_of_a_conference_is_listed_and_paused() {
    let (server, switch) = with_talking(true);
    let (own, talk) = (
        sid(SidKind::Recording, "r5"),
        sid(SidKind::Conference, "f2"),
    );
    let below = |name: &str| format!("/Conferences/{name}/Recordings");
    let (status, body) = get(&server, &format!("{}.json", below(&talk)));
    let shown = &body["recordings"][0];
    assert_eq!((status, &shown["sid"]), (200, &json!(own)), "{body}");
    assert_eq!(
        (&shown["conference_sid"], &shown["source"]),
        (&json!(talk), &json!("Conference"))
    );
    let path = format!("{SID}{}/Twilio.CURRENT.json", below("room"));
    let (status, body) = ask(&server, "POST", &path, &[("Status", "paused")]);
    assert_eq!((status, &body["status"]), (200, &json!("paused")), "{body}");
    let one = format!("{}/{own}.json", below(&talk));
    assert_eq!(get(&server, &one).1["status"], "paused");
    let channel = None;
    assert_eq!(
        *switch.wishes.lock().unwrap(),
        [Control::PauseRecording { channel }]
    );
    let silent = sid(SidKind::Conference, "f1");
    let (_, body) = get(&server, &format!("{}.json", below(&silent)));
    assert_eq!(body["recordings"], json!([]));
    assert_eq!(
        get(&server, &format!("{}/{own}.json", below(&silent))).0,
        404
    );
}
