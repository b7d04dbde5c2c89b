//! Ways that lead in by a registered trunk: the test's own call led back by the carrier, a call to
//! the Contact we registered, and the binding taken back at the end.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::address::CARRIER;
use super::carriers::{
    GENERIC, NGN_REGISTERED, PORT, Shape, carrier, office, outcome, registered, test,
};
use super::quiet;
use super::record::assert_whole;
use super::sipp::Step;
use super::tap::Tap;
use super::wait;

#[test]
fn the_own_number_comes_back_with_the_caller_id_that_others_see() {
    let _turn = quiet::shared();
    for (rewrites, expected) in [("", "passed"), ("sip:0900000000@", "failed")] {
        let office = office(&GENERIC);
        let relay = Relay::start(office.block.at(CARRIER, PORT), office.sip(), rewrites);
        let (passed, report) = test(&office, "0312345678");
        drop(relay);
        assert_eq!(outcome(&report, "caller id"), expected, "{report:#}");
        assert_eq!(passed, expected == "passed", "{report:#}");
        for check in ["call", "keys", "two-way audio"] {
            assert_eq!(outcome(&report, check), "passed", "{report:#}");
        }
        for record in office.records(2) {
            assert_whole(&record, &office.recordings());
        }
    }
}

#[test]
fn a_call_to_the_registered_contact_belongs_to_its_trunk() {
    let _turn = quiet::shared();
    let office = office(&ngn());
    office.rewrite("trunks.toml", |text| {
        let (before, rest) = text.split_once("accept = ").expect("a trunk");
        let (_, rest) = rest.split_once('\n').expect("more lines");
        format!("{before}accept = []\n{rest}")
    });
    let reloaded = office.api.post("/v1/reload");
    assert_eq!(reloaded.0, 200, "{reloaded:?}");
    let _carrier = carrier(&office, &ngn());
    registered(&office);
    office
        .sipp("caller", office.block.at(CARRIER, 5_070))
        .set("number", "0312345678")
        .media_port(6_010)
        .set("patience_ms", 1)
        .steps(&[Step::Pause(300)])
        .run(wait::PATIENCE);
    let record = office.records(1).remove(0);
    assert_eq!(record["trunk"], "demo", "{record:#}");
    assert_eq!(record["direction"], "inbound", "{record:#}");
}

#[test]
fn a_stop_takes_the_binding_back_and_a_start_makes_it_anew() {
    let _turn = quiet::shared();
    let mut office = office(&ngn());
    let tap = Tap::on(office.block);
    let _carrier = carrier(&office, &ngn());
    registered(&office);
    assert!(office.stop().success());
    let there = office.block.at(CARRIER, PORT);
    let registers = || {
        let packets = tap.sip_to(there, "REGISTER sip:");
        let texts = packets.iter().filter_map(|packet| packet.sip());
        texts.map(str::to_owned).collect::<Vec<String>>()
    };
    wait::until_true("the end of the binding", wait::PATIENCE, || {
        registers()
            .iter()
            .any(|text| text.contains("Expires: 0\r\n"))
    });
    let before = registers().len();
    office.start();
    registered(&office);
    assert!(registers().len() <= before + 2, "no storm");
}

fn ngn() -> Shape {
    Shape {
        profile: "ntt-ngn",
        keys: "user = \"0312345678\"\ndomain = \"ngn.example\"\n",
        register: NGN_REGISTERED,
        ..GENERIC
    }
}

/// A carrier that leads every call back to where it came from: a proxy in the path, with a Call-ID
/// of its own for the way back.
struct Relay {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// `rewrites` is what the caller's address becomes on the way; nothing when empty.
    fn start(here: SocketAddr, switch: SocketAddr, rewrites: &'static str) -> Self {
        let socket = UdpSocket::bind(here).expect("the carrier's port");
        let patience = Some(Duration::from_millis(50));
        socket.set_read_timeout(patience).expect("a socket");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, _)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if let Some(onward) = led_back(&text, here, rewrites) {
                    let _ = socket.send_to(onward.as_bytes(), switch);
                }
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn led_back(text: &str, here: SocketAddr, rewrites: &str) -> Option<String> {
    if text.starts_with("OPTIONS ") {
        return None;
    }
    let (head, body) = text.split_once("\r\n\r\n")?;
    let is_response = head.starts_with("SIP/2.0 ");
    let mut lines: Vec<String> = Vec::new();
    let mut is_first_via = true;
    for line in head.split("\r\n") {
        let name = line.split(':').next().unwrap_or_default();
        match name {
            "Call-ID" => lines.push(match line.strip_suffix("-back") {
                Some(plain) => plain.to_owned(),
                None => format!("{line}-back"),
            }),
            "Via" if std::mem::take(&mut is_first_via) => {
                if !is_response {
                    let branch = line.split("branch=").nth(1)?.split(';').next()?;
                    lines.push(format!("Via: SIP/2.0/UDP {here};branch={branch}relay"));
                    lines.push(line.to_owned());
                }
            }
            "Route" if line.contains(&here.to_string()) => {}
            "From" if !rewrites.is_empty() && head.starts_with("INVITE ") => {
                let (before, rest) = line.split_once("sip:")?;
                let (_, host) = rest.split_once('@')?;
                lines.push(format!("{before}{rewrites}{host}"));
            }
            _ => lines.push(line.to_owned()),
        }
    }
    if head.starts_with("INVITE ") {
        lines.insert(1, format!("Record-Route: <sip:{here};lr>"));
    }
    Some(format!("{}\r\n\r\n{body}", lines.join("\r\n")))
}
