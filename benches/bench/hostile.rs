//! Calls beside web applications that mean harm (bar "hostile applications" of the flows): the
//! set-up of other calls while callers' flows ask servers that refuse, hang, drip, lead in circles,
//! fail, flood and lie, beside the same with servers that answer. Windows of both take turns.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::bars::{Bar, judge};
use crate::load::{Load, Sockets};
use crate::office::{Office, THROUGH};
use crate::peer::{Ears, Pace, Peer, Plan};
use crate::statistics::{Spread, p50_p99};

/// 100 calls a second through the switch, 20 a second whose flows ask.
pub(crate) fn run() {
    let ears = Ears::bind();
    let sockets = Sockets::bind();
    let servers: Vec<SocketAddr> = MANNERS.iter().map(|(_, manner)| serve(*manner)).collect();
    let office = Office::of(&files(sockets.carrier(), &servers));
    let mut load = Load::new(sockets, office.sip, THROUGH);
    let mut peer = Peer::new(ears, office.sip);
    let asked = AtomicUsize::new(0);
    // Warm-up: not judged, but in the records.
    let mut others = load.run(RATE, Duration::from_secs(3), HOLD, |_| {}).served;
    // What was answered when, and the p99 of each window: one in which the machine stood still decides
    // nothing.
    let mut kind = (Vec::new(), Vec::new());
    let mut hostile = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (is_hostile, (answers, p99s)) in [(false, &mut kind), (true, &mut hostile)] {
            let round = std::thread::scope(|scope| {
                let askers = scope.spawn(|| {
                    let pace = Pace {
                        calls: (ASKERS * WINDOW.as_secs_f64()) as usize,
                        a_second: ASKERS,
                        hold: Some(STAY),
                    };
                    peer.drive(pace, |_| {
                        let n = asked.fetch_add(1, Ordering::Relaxed);
                        let whom = if is_hostile {
                            1 + n % (MANNERS.len() - 1)
                        } else {
                            0
                        };
                        Plan {
                            from: "0901234".to_owned(),
                            to: format!("{}", FIRST + whom),
                        }
                    });
                });
                let round = load.run(RATE, WINDOW, HOLD, |_| {});
                askers.join().expect("the askers' thread");
                round
            });
            judge_calls(&round, is_hostile);
            others += round.served;
            let mut window = round.answers;
            p99s.push(p50_p99(&mut window).1);
            answers.extend(window);
        }
    }
    let told = |(answers, p99s): &mut (Vec<u64>, Vec<f64>)| {
        let (p50, p99) = p50_p99(answers);
        (p50 / 1000.0, p99 / 1000.0, Spread::of(p99s).median / 1000.0)
    };
    let (kind, hostile) = (told(&mut kind), told(&mut hostile));
    println!(
        "hostile     INVITE to 200 of other calls: p50 {:.2} ms, p99 {:.2} ms, of a window {:.2} ms \
         beside applications that answer; p50 {:.2} ms, p99 {:.2} ms, of a window {:.2} ms beside \
         hostile ones",
        kind.0, kind.1, kind.2, hostile.0, hostile.1, hostile.2
    );
    let change = 100.0 * (hostile.2 / kind.2 - 1.0);
    judge(
        "set-up of other calls, change of a window's p99, median",
        change,
        "%",
        Bar::AtMost(10.0),
    );
    judge_askers(&office, asked.into_inner() - peer.refused, others);
}

fn judge_calls(round: &crate::load::Round, is_hostile: bool) {
    if round.failures() > 0.0 {
        let beside = if is_hostile { "hostile" } else { "kind" };
        println!("  fault     beside {beside} applications: {round}");
    }
}

/// Every caller came to the fallback of his step within its budget, or to what follows an answer.
fn judge_askers(office: &Office, asked: usize, others: usize) {
    let at = |step: &serde_json::Value| {
        let text = step["at"].as_str().unwrap_or_default();
        text.parse::<jiff::Timestamp>().expect("a time")
    };
    let (mut slowest, mut told, mut strayed) = (0.0f64, 0, 0);
    for record in office.records(asked + others) {
        let steps = record["steps"].as_array().cloned().unwrap_or_default();
        let find = |name: &str| steps.iter().find(|step| step["step"] == name);
        let Some(ask) = find("ask") else { continue };
        let flow = ask["flow"].as_str().unwrap_or_default();
        let expected = if flow == MANNERS[0].0 {
            "answered"
        } else {
            "fallback"
        };
        match find(expected) {
            Some(next) => {
                told += 1;
                slowest = slowest.max(at(next).duration_since(at(ask)).as_secs_f64());
            }
            None => strayed += 1,
        }
    }
    println!(
        "hostile     {told} callers asked, the slowest heard what follows after {slowest:.3} s"
    );
    judge(
        "the slowest, of a budget of 2 s",
        slowest,
        "s",
        Bar::AtMost(2.1),
    );
    judge(
        "callers who came elsewhere",
        f64::from(strayed),
        "of them",
        Bar::AtMost(0.0),
    );
    judge(
        "callers in the records",
        f64::from(told),
        "of them",
        Bar::AtLeast(asked as f64),
    );
}

/// How an application behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Answers,
    Circles,
    Drips,
    Fails,
    Floods,
    Hangs,
    Lies,
    Nests,
    Refuses,
}

const MANNERS: [(&str, Manner); 9] = [
    ("answers", Manner::Answers),
    ("circles", Manner::Circles),
    ("drips", Manner::Drips),
    ("fails", Manner::Fails),
    ("floods", Manner::Floods),
    ("hangs", Manner::Hangs),
    ("lies", Manner::Lies),
    ("nests", Manner::Nests),
    ("refuses", Manner::Refuses),
];

/// An application; where it is.
fn serve(manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    if manner != Manner::Refuses {
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    // The switch hangs up on most of them.
                    let _ = reply(stream, manner, address);
                });
            }
        });
    }
    address
}

fn reply(mut stream: TcpStream, manner: Manner, own: SocketAddr) -> std::io::Result<()> {
    let mut request = [0; 16_384];
    let _ = stream.read(&mut request)?;
    let head = |status: &str, kind: &str, length: usize| {
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        )
    };
    let json = "application/json";
    match manner {
        Manner::Answers => {
            let body = "{\"owner\": \"sato\"}";
            stream.write_all((head("200 OK", json, body.len()) + body).as_bytes())
        }
        Manner::Circles => {
            let text = format!(
                "HTTP/1.1 302 Found\r\nLocation: http://{own}/again\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n"
            );
            stream.write_all(text.as_bytes())
        }
        Manner::Drips => {
            stream.write_all(head("200 OK", json, 1000).as_bytes())?;
            loop {
                stream.write_all(b" ")?;
                std::thread::sleep(Duration::from_secs(1));
            }
        }
        Manner::Fails => stream.write_all(head("500 Server Error", json, 0).as_bytes()),
        Manner::Floods => {
            stream.write_all(head("200 OK", json, 10 << 20).as_bytes())?;
            let much = vec![b' '; 1 << 16];
            (0..160).try_for_each(|_| stream.write_all(&much))
        }
        // Until the switch has enough of it.
        Manner::Hangs => stream.read(&mut request).map(|_| ()),
        Manner::Lies => {
            let body = "<html>not found, says a page that calls itself a success</html>";
            stream.write_all((head("200 OK", "text/html", body.len()) + body).as_bytes())
        }
        Manner::Nests => {
            let body = "{\"a\":".repeat(5000);
            stream.write_all((head("200 OK", json, body.len()) + &body).as_bytes())
        }
        Manner::Refuses => Ok(()),
    }
}

fn files(carrier: SocketAddr, servers: &[SocketAddr]) -> Vec<(String, String)> {
    let mut webhooks = "networks = [\"127.0.0.0/8\"]\nrequests = 1000\n".to_owned();
    let mut numbers = format!(
        "[[inbound]]\nnumber = \"{THROUGH}\"\nflow = \"through\"\n\
         [[outbound]]\nprefix = \"0\"\ntrunk = \"carrier\"\n"
    );
    let through = "start = \"out\"\n[steps.out]\ndo = \"dial\"\nnumber = \"0312345678\"\n\
                   failed = \"hangup\"\n";
    let trunk = format!(
        "[[trunk]]\nname = \"carrier\"\naccept = [\"127.0.0.0/16\"]\ntarget = \"udp:{carrier}\"\n"
    );
    let mut files = vec![
        ("flows/through.toml".to_owned(), through.to_owned()),
        ("trunks.toml".to_owned(), trunk),
    ];
    for (n, ((name, _), server)) in MANNERS.iter().zip(servers).enumerate() {
        // The breaker would spare the switch nearly all of it.
        webhooks += &format!(
            "[[endpoint]]\nname = \"{name}\"\nurl = \"http://{server}/\"\nrequests = 1000\n\
             breaker = {{ failures = 100, at_least = 100000 }}\n"
        );
        numbers += &format!(
            "[[inbound]]\nnumber = \"{}\"\nflow = \"{name}\"\n",
            FIRST + n
        );
        let flow = format!(
            "start = \"hello\"\nerror = \"fallback\"\n\
             [steps.hello]\ndo = \"play\"\nsounds = [\"beep\"]\nnext = \"ask\"\n\
             [steps.ask]\ndo = \"http\"\nendpoint = \"{name}\"\ntimeout = \"2s\"\nnext = \"answered\"\n\
             [steps.answered]\ndo = \"pause\"\nlength = \"30s\"\nnext = \"hangup\"\n\
             [steps.fallback]\ndo = \"play\"\nsounds = [\"music\"]\nnext = \"hangup\"\n"
        );
        files.push((format!("flows/{name}.toml"), flow));
    }
    files.push(("webhooks.toml".to_owned(), webhooks));
    files.push(("numbers.toml".to_owned(), numbers));
    files
}

/// The number of the first application.
const FIRST: usize = 7100;
/// Other calls a second.
const RATE: f64 = 100.0;
/// Callers a second whose flows ask.
const ASKERS: f64 = 20.0;
const HOLD: Duration = Duration::from_secs(1);
/// How long a caller listens.
const STAY: Duration = Duration::from_secs(4);
const WINDOW: Duration = Duration::from_secs(15);
const ROUNDS: usize = 5;
