//! Programs written for the public platform, judged by its own Python library: a Flask application
//! whose every request must be signed, and the REST client with nothing changed but its base URL.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::address::SWITCH;
use super::office::{CALLER, MAIN_NUMBER, Office};
use super::python::{judge, python};
use super::sipp::{Running, Step};
use super::{quiet, wait};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Host of the application in the scenario's block.
const HOST: u8 = 90;
const PORT: u16 = 8_000;
/// Port of the REST API.
const REST: u16 = 9_092;

/// Lets one of the judges ask the switch; it must be content.
#[track_caller]
fn ask(office: &Office, name: &str, argument: &str) {
    let rest = office.block.at(SWITCH, REST);
    let output = Command::new(python())
        .arg(judge(name))
        .args([&format!("http://{rest}"), argument])
        .env("TWILIO_ACCOUNT_SID", ACCOUNT)
        .env("TWILIO_AUTH_TOKEN", TOKEN)
        .output()
        .expect("python");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {words}");
}

/// The Flask application, running.
struct Application {
    child: Child,
    log: PathBuf,
    url: String,
}

impl Application {
    fn start(office: &Office) -> Self {
        let at = office.block.at(HOST, PORT);
        let log = office.folder().join("application.json");
        let out = fs::File::create(office.folder().join("application.log"));
        let out = out.expect("a writable folder");
        let child = Command::new(python())
            .arg(judge("application.py"))
            .args([at.ip().to_string(), at.port().to_string()])
            .arg(&log)
            .env("TWILIO_AUTH_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a file descriptor"))
            .stderr(out)
            .spawn()
            .expect("python");
        let application = Self {
            child,
            log,
            url: format!("http://{at}"),
        };
        wait::until_true("the application", wait::PATIENCE, || {
            TcpStream::connect(at).is_ok()
        });
        application
    }

    /// What it was asked and told, in order.
    fn heard(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .collect()
    }

    /// What one path was asked or told.
    fn heard_at(&self, path: &str) -> Vec<Value> {
        let mut heard = self.heard();
        heard.retain(|one| one["path"] == path);
        heard
    }

    /// Every request must have been signed as the library wants it.
    fn all_signed(&self) {
        for one in self.heard() {
            assert_eq!(one["good"], true, "{one:#}");
            assert_eq!(one["AccountSid"], ACCOUNT, "{one:#}");
        }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The demo office whose main number leads to the application, with the REST API.
fn office() -> Office {
    let mut office = Office::prepare();
    let block = office.block;
    let application = block.at(HOST, PORT);
    office.rewrite("numbers.toml", |text| {
        let flow = "flow = \"main\"\nattributes";
        assert!(text.contains(flow));
        let url = format!(
            "url = \"http://{application}/start\"\nstatus_callback = \"http://{application}/status\"\n\
             attributes"
        );
        text.replacen(flow, &url, 1)
    });
    office.rewrite("webhooks.toml", |text| {
        format!(
            "networks = [\"127.0.0.0/8\"]\n{text}\n[account]\nsid = \"{ACCOUNT}\"\n\
             token = \"env:TWILIO_AUTH_TOKEN\"\n"
        )
    });
    let rest = block.at(SWITCH, REST);
    office.set("TSUNAGU_REST_LISTEN", rest);
    office.set("TWILIO_AUTH_TOKEN", TOKEN);
    office.start();
    office
}

/// A phone of ours that answers so many calls, one after the other.
fn phone(office: &Office, number: u16, calls: u32) -> Running {
    office.register(number);
    office
        .sipp("phone_answers", office.phone_address(number))
        .set("phone", number)
        .set("ring_ms", 100)
        .set("talk_ms", 20_000)
        .steps(&[])
        .calls(calls, 5, 10)
        .start()
}

#[test]
fn the_official_client_makes_finds_redirects_and_ends_calls() {
    let _turn = quiet::shared();
    let office = office();
    let application = Application::start(&office);
    let phone = phone(&office, 1002, 5);
    ask(&office, "client.py", &application.url);
    phone.succeed(Duration::from_secs(20));
    application.all_signed();
    // The redirection asked anew, and every status of the call was told in its order.
    assert!(
        application
            .heard_at("/hold")
            .iter()
            .any(|one| one["again"] == "1")
    );
    let call = &application.heard_at("/hold")[0]["CallSid"];
    let mut told = application.heard_at("/status");
    told.retain(|one| one["CallSid"] == *call);
    told.sort_by_key(|one| one["SequenceNumber"].as_str().map(str::to_owned));
    let statuses: Vec<_> = told.iter().map(|one| one["CallStatus"].as_str()).collect();
    let expected = ["initiated", "ringing", "in-progress", "completed"].map(Some);
    assert_eq!(statuses, expected, "{told:#?}");
    let records = office.records(5);
    assert!(
        records
            .iter()
            .all(|record| record["direction"] == "outbound")
    );
}

#[test]
fn a_flask_application_gathers_queues_dials_and_records() {
    let _turn = quiet::shared();
    let office = office();
    let application = Application::start(&office);
    office.register(1001);
    let callee = office
        .sipp("phone_answers", office.phone_address(1001))
        .set("phone", 1001)
        .set("ring_ms", 100)
        .set("talk_ms", 1_500)
        .steps(&[])
        .start();
    let voice = office.folder().join("caller.pcap");
    super::capture_file::Stream::new(7)
        .speak(&super::sound::tone(440.0, 20.0))
        .write(&voice);
    let caller = office
        .carrier("caller")
        .steps(&[
            Step::Pause(1_500),
            Step::Press("1"),
            Step::Pause(1_000),
            Step::Play(&voice),
        ])
        .set("patience_ms", 25_000)
        .start();
    callee.succeed(Duration::from_secs(40));
    caller.succeed(Duration::from_secs(40));
    let record = office.records(1).remove(0);
    wait::until_true("the last word", wait::PATIENCE, || {
        let told = application.heard_at("/status");
        told.iter()
            .any(|one| one["CallStatus"] == "completed" && one["Direction"] == "inbound")
    });
    application.all_signed();
    let heard = application.heard();
    let asked: Vec<&str> = heard
        .iter()
        .filter_map(|one| one["path"].as_str())
        .filter(|path| *path != "/status")
        .collect();
    let expected = [
        "/start",
        "/chosen",
        "/wait",
        "/left",
        "/dialled",
        "/recorded",
    ];
    assert_eq!(asked, expected, "{record:#}");
    let start = &application.heard_at("/start")[0];
    assert_eq!(
        (&start["From"], &start["To"]),
        (&CALLER.into(), &MAIN_NUMBER.into())
    );
    assert_eq!(start["CallStatus"], "ringing");
    assert_eq!(application.heard_at("/chosen")[0]["Digits"], "1");
    assert_eq!(application.heard_at("/left")[0]["QueueResult"], "leave");
    let dialled = &application.heard_at("/dialled")[0];
    assert_eq!(dialled["DialCallStatus"], "completed", "{dialled:#}");
    assert!(
        dialled["DialCallDuration"]
            .as_str()
            .is_some_and(|seconds| seconds != "0")
    );
    let recorded = &application.heard_at("/recorded")[0];
    let length = recorded["RecordingDuration"].as_str();
    assert!(matches!(length, Some("1" | "2")), "{recorded:#}");
    // The conversation, and what the caller said alone.
    ask(&office, "recordings.py", "2");
}
