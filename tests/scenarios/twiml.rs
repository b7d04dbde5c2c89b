//! A number whose calls are an application's, on the real switch: SIPp calls, a server of this test
//! says by TwiML what becomes of him, a phone answers.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use tsunagu::webhook::{SigningSecret, twilio};
use url::form_urlencoded;

use super::capture_file::Stream;
use super::office::Office;
use super::phone::Answering;
use super::sipp::Step;
use super::sound::{seconds_of, tone, write_wav};
use super::{quiet, wait};

/// What a request said: path, fields, signature.
#[derive(Clone, Debug)]
struct Asked {
    path: String,
    form: Vec<(String, String)>,
    signature: String,
}

impl Asked {
    fn value(&self, name: &str) -> Option<&str> {
        let found = self.form.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The user's web application: what it says by path, and what it was asked.
struct Application {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Application {
    fn start(beside: SocketAddr, pages: HashMap<&'static str, Page>) -> Self {
        let listener = TcpListener::bind((beside.ip(), 0)).expect("a socket");
        let address = listener.local_addr().expect("bound");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (pages, told) = (Arc::new(pages), asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (pages, told) = (pages.clone(), told.clone());
                thread::spawn(move || serve(stream, &pages, &told));
            }
        });
        Self { address, asked }
    }

    fn asked(&self, path: &str) -> Option<Asked> {
        let asked = self.asked.lock().expect("not poisoned");
        asked.iter().find(|asked| asked.path == path).cloned()
    }
}

/// What is said at a path.
enum Page {
    /// Inside of `<Response>`.
    Document(&'static str),
    /// A file.
    Sound(Vec<u8>),
}

fn serve(mut stream: TcpStream, pages: &HashMap<&'static str, Page>, told: &Mutex<Vec<Asked>>) {
    let mut octets = Vec::new();
    let mut part = [0; 4096];
    let (head, body) = loop {
        let count = stream.read(&mut part).unwrap_or(0);
        octets.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&octets).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").and_then(|it| it.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break (head.to_owned(), body.to_owned());
            }
        }
        if count == 0 {
            return;
        }
    };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let form = form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    told.lock().expect("not poisoned").push(Asked {
        path: path.clone(),
        form,
        signature: header(&head, "x-twilio-signature").unwrap_or_default(),
    });
    let (kind, content) = match pages.get(path.as_str()) {
        Some(Page::Document(inside)) => (
            "text/xml",
            format!("<?xml version=\"1.0\"?><Response>{inside}</Response>").into_bytes(),
        ),
        Some(Page::Sound(octets)) => ("audio/wav", octets.clone()),
        None => ("text/plain", Vec::new()),
    };
    let length = content.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&content);
}

fn header(head: &str, name: &str) -> Option<String> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let (_, value) = lines.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(value.to_owned())
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn an_application_asks_plays_connects_and_records() {
    let _turn = quiet::shared();
    let mut office = Office::prepare();
    let sound = office.folder().join("asked.wav");
    write_wav(&sound, &tone(1_700.0, 1.5));
    let sound = std::fs::read(&sound).expect("written");
    let pages = HashMap::from([
        (
            "/start",
            Page::Document(
                "<Gather numDigits=\"1\" action=\"/menu\" timeout=\"10\">\
                 <Play>/asked.wav</Play></Gather>",
            ),
        ),
        ("/asked.wav", Page::Sound(sound)),
        (
            "/menu",
            Page::Document(
                "<Dial action=\"/after\" record=\"record-from-answer-dual\" \
                 recordingStatusCallback=\"/recording\"><Number>1001</Number></Dial>",
            ),
        ),
        (
            "/after",
            Page::Document("<Record action=\"/taken\" maxLength=\"2\" playBeep=\"false\"/>"),
        ),
        ("/taken", Page::Document("<Hangup/>")),
    ]);
    let application = Application::start(office.sip(), pages);
    let there = application.address;
    office.rewrite("numbers.toml", |text| {
        let url = format!(
            "url = \"http://{there}/start\"\nstatus_callback = \"http://{there}/status\"\n#"
        );
        text.replacen("flow = \"main\"", &url, 1)
    });
    office.rewrite("webhooks.toml", |_| {
        "networks = [\"127.0.0.0/8\"]\n\
         [account]\nsid = \"AC0123456789abcdef0123456789abcdef\"\ntoken = \"env:APPLICATION_TOKEN\"\n"
            .to_owned()
    });
    office.set("APPLICATION_TOKEN", TOKEN);
    office.start();
    let mut phone = office.phone(1001, Answering::Auto, &tone(880.0, 30.0));
    let voice = office.folder().join("voice.pcap");
    Stream::new(3).speak(&tone(440.0, 20.0)).write(&voice);
    let caller = office
        .carrier("caller")
        .steps(&[
            Step::Pause(2_500),
            Step::Press("1"),
            Step::Pause(1_000),
            Step::Play(&voice),
        ])
        .set("patience_ms", 30_000)
        .start();
    phone.event("CALL_ESTABLISHED");
    wait::until_true("the talk", wait::PATIENCE, || {
        application.asked("/menu").is_some()
    });
    wait::until_true("two seconds of talk", wait::PATIENCE, || {
        let heard = phone.heard().pop().unwrap_or_default();
        seconds_of(&heard, 440.0) > 2.0
    });
    phone.hang_up();
    caller.succeed(std::time::Duration::from_secs(40));
    let record = office.records(1).remove(0);
    let steps = record["steps"].as_array().expect("steps");
    let steps: Vec<&str> = steps.iter().filter_map(|it| it["step"].as_str()).collect();
    assert_eq!(steps, ["Gather", "Dial", "Record", "Hangup"], "{record:#}");
    assert_eq!(
        record["recordings"].as_array().map(Vec::len),
        Some(2),
        "{record:#}"
    );
    let menu = application.asked("/menu").expect("asked");
    assert_eq!(menu.value("Digits"), Some("1"));
    assert_eq!(
        menu.value("AccountSid"),
        Some("AC0123456789abcdef0123456789abcdef")
    );
    let after = application.asked("/after").expect("asked");
    assert_eq!(after.value("DialCallStatus"), Some("completed"));
    let taken = application.asked("/taken").expect("asked");
    assert_eq!(taken.value("RecordingDuration"), Some("2"));
    wait::until_true("the last notices", wait::PATIENCE, || {
        application.asked("/status").is_some() && application.asked("/recording").is_some()
    });
    let recording = application.asked("/recording").expect("told");
    assert_eq!(recording.value("RecordingChannels"), Some("2"));
    let secret = SigningSecret::new(TOKEN);
    for asked in application.asked.lock().expect("not poisoned").iter() {
        let url = format!("http://{there}{}", asked.path);
        assert_eq!(
            asked.signature,
            twilio(&secret, &url, &asked.form),
            "{asked:?}"
        );
    }
}
