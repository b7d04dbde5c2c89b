//! Flows that ask outside, on the real switch: the user's application over HTTP, a program as a voice,
//! a table.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::Value;

use super::office::Office;
use super::phone::Answering;
use super::quiet;
use super::sound::{seconds_of, tone, write_wav};
use super::tap::Tap;

/// An application that answers each request with the next of these texts; a text that is empty is
/// silence. What it is asked comes by the channel.
fn application(address: SocketAddr, replies: Vec<&'static str>) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind((address.ip(), 0)).expect("a socket");
    let here = listener.local_addr().expect("bound");
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut silent = Vec::new();
        for reply in replies {
            let Ok((mut stream, _)) = listener.accept() else {
                return;
            };
            let mut asked = Vec::new();
            let mut octets = [0; 4096];
            loop {
                let count = stream.read(&mut octets).unwrap_or(0);
                asked.extend_from_slice(&octets[..count]);
                let text = String::from_utf8_lossy(&asked);
                let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                    let lines = head.lines().filter_map(|line| line.split_once(": "));
                    let mut lengths =
                        lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
                    let length = lengths.next().and_then(|(_, value)| value.parse().ok());
                    body.len() >= length.unwrap_or(0)
                });
                if whole || count == 0 {
                    break;
                }
            }
            let _ = tell.send(String::from_utf8_lossy(&asked).into_owned());
            if reply.is_empty() {
                silent.push(stream);
                continue;
            }
            let length = reply.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n"
            );
            let _ = stream.write_all(format!("{head}{reply}").as_bytes());
        }
        // The silent ones are held until the test is over.
        thread::park();
        drop(silent);
    });
    (here, told)
}

const FLOW: &str = r#"
start = "ask"

[steps.ask]
do = "http"
endpoint = "crm"
parameters = { number = "{{ call.from }}" }
gives = ["customer"]
timeout = "2s"
next = "owner"
error = "sorry"

[steps.owner]
do = "lookup"
table = "owners"
key = "{{ attributes.customer }}"
gives = ["owner"]
next = "say"
error = "sorry"

[steps.say]
do = "say"
text = "Hello {{ attributes.customer }}"
otherwise = ["goodbye"]
next = "hangup"

[steps.sorry]
do = "set"
attributes = { sorry = true }
next = "hangup"
"#;

/// The record of a call to the office whose application replies so.
fn call(reply: &'static str) -> (Value, Option<String>, f64) {
    let mut office = Office::prepare();
    let (there, told) = application(office.sip(), vec![reply]);
    let sound = office.folder().join("said.wav");
    write_wav(&sound, &tone(1_700.0, 1.5));
    office.rewrite("flows/main.toml", |_| FLOW.to_owned());
    office.rewrite("webhooks.toml", |_| {
        format!(
            "networks = [\"127.0.0.0/8\"]\n[[endpoint]]\nname = \"crm\"\nurl = \"http://{there}/who\"\n"
        )
    });
    office.rewrite("speech.toml", |_| {
        format!(
            "[[voice]]\nname = \"bell\"\nlanguage = \"ja\"\ncommand = [\"cp\", \"{}\", \"{{file}}\"]\n",
            sound.display()
        )
    });
    let tables = office.folder().join("config/tables");
    std::fs::create_dir_all(&tables).expect("a writable folder");
    std::fs::write(
        tables.join("owners.csv"),
        "customer,owner,note\nC-7,sato,gold\n",
    )
    .expect("a writable folder");
    office.start();
    let tap = Tap::on(office.block);
    let mut caller = office.phone(1005, Answering::Manual, &tone(440.0, 30.0));
    caller.dial("100");
    caller.event("CALL_CLOSED");
    let heard = tap.heard_by(office.phone_address(1005)).samples;
    let record = office.records(1).remove(0);
    (record, told.try_recv().ok(), seconds_of(&heard, 1_700.0))
}

#[test]
fn a_flow_asks_the_application_a_table_and_a_voice() {
    let _turn = quiet::shared();
    let (record, asked, seconds) =
        call(r#"{"customer": "C-7", "screen": {"url": "https://crm/C-7"}}"#);
    let asked = asked.expect("it was asked");
    assert!(asked.starts_with("POST /who HTTP/1.1"), "{asked}");
    let body: Value =
        serde_json::from_str(asked.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    assert_eq!(body["parameters"]["number"], "1005");
    assert_eq!(body["call"], record["id"]);
    let attributes = &record["attributes"];
    assert_eq!(attributes["owner"], "sato", "{record:#}");
    assert_eq!(attributes["screen"]["url"], "https://crm/C-7", "{record:#}");
    let steps = record["steps"].as_array().expect("steps");
    let steps: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["step"].as_str())
        .collect();
    assert_eq!(steps, ["ask", "owner", "say"]);
    assert!((1.0..2.0).contains(&seconds), "{seconds} s of the voice");
}

#[test]
fn an_application_that_is_silent_or_lies_costs_its_budget_and_no_call() {
    let _turn = quiet::shared();
    for reply in ["", "[1, 2]", "{\"customer\": "] {
        let (record, asked, seconds) = call(reply);
        assert!(asked.is_some());
        assert_eq!(record["attributes"]["sorry"], true, "{reply:?}: {record:#}");
        let lasted = record["duration_ms"].as_u64().expect("ended");
        assert!(lasted < 10_000, "{reply:?}: {lasted} ms");
        assert!(seconds < 0.1);
    }
}
