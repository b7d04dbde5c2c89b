//! A name server for scenarios: answers from a zone that a test may change, slowly, truncated or not
//! at all, over UDP and TCP.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, NAPTR, SOA, SRV};
use hickory_proto::rr::{Name, RData, Record};

/// A running name server; it ends with the test's process.
pub(crate) struct Names {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    records: Vec<Record>,
    asked: Vec<String>,
    over_tcp: usize,
    delay: Duration,
    is_silent: bool,
    truncates: bool,
}

impl Names {
    /// A server with these records, one a line: `name ttl KIND data`.
    pub(crate) fn serve(address: SocketAddr, zone: &str) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let names = Self {
            address,
            state: Arc::clone(&state),
        };
        names.publish(zone);
        let socket = UdpSocket::bind(address).expect("a free address");
        let listener = TcpListener::bind(address).expect("a free address");
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let (socket, shared) = (socket.try_clone(), Arc::clone(&shared));
                let question = buffer[..length].to_vec();
                std::thread::spawn(move || {
                    let answer = answer(&shared, &question, false);
                    if let (Some(answer), Ok(socket)) = (answer, socket) {
                        let _ = socket.send_to(&answer, from);
                    }
                });
            }
        });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&state);
                std::thread::spawn(move || talk(stream, &shared));
            }
        });
        names
    }

    /// Replaces the zone.
    pub(crate) fn publish(&self, zone: &str) {
        let lines = zone.lines().map(str::trim).filter(|line| !line.is_empty());
        self.state().records = lines.map(record).collect();
    }

    /// Answers come so much later from now on.
    pub(crate) fn slow_down(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Nothing is answered from now on.
    pub(crate) fn fall_silent(&self) {
        self.state().is_silent = true;
    }

    /// Answers over UDP are cut off from now on.
    pub(crate) fn truncate(&self) {
        self.state().truncates = true;
    }

    /// Questions so far, as `name KIND`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// How many of them came over TCP.
    pub(crate) fn over_tcp(&self) -> usize {
        self.state().over_tcp
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// RFC 1035 §4.2.2: two octets of length before each message.
fn talk(mut stream: TcpStream, state: &Mutex<State>) {
    loop {
        let mut length = [0; 2];
        if stream.read_exact(&mut length).is_err() {
            return;
        }
        let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
        if stream.read_exact(&mut question).is_err() {
            return;
        }
        if let Some(answer) = answer(state, &question, true) {
            let length = u16::try_from(answer.len()).expect("a short answer");
            let _ = stream.write_all(&[&length.to_be_bytes()[..], &answer].concat());
        }
    }
}

fn answer(state: &Mutex<State>, question: &[u8], is_tcp: bool) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    let name = query.name().to_lowercase();
    let (records, is_known, delay, is_cut) = {
        let mut state = lock(state);
        let asked = format!(
            "{} {}",
            name.to_ascii().trim_end_matches('.'),
            query.query_type()
        );
        state.asked.push(asked);
        state.over_tcp += usize::from(is_tcp);
        if state.is_silent {
            return None;
        }
        let of_name = state.records.iter().filter(|record| record.name == name);
        let is_known = of_name.clone().next().is_some();
        let records: Vec<Record> = of_name
            .filter(|record| record.record_type() == query.query_type())
            .cloned()
            .collect();
        (records, is_known, state.delay, state.truncates && !is_tcp)
    };
    std::thread::sleep(delay);
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.add_query(query);
    answer.metadata.recursion_available = true;
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    if is_cut {
        answer.metadata.truncation = true;
    } else if records.is_empty() {
        if !is_known {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        let root = Name::root();
        let soa = SOA::new(root.clone(), root.clone(), 1, 60, 60, 60, 1);
        answer.add_authority(Record::from_rdata(root, 1, RData::SOA(soa)));
    } else {
        answer.add_answers(records);
    }
    answer.to_vec().ok()
}

fn record(line: &str) -> Record {
    let words: Vec<&str> = line.split_whitespace().collect();
    let name = |text: &str| Name::from_ascii(format!("{}.", text.trim_end_matches('.')));
    let name = |text: &str| name(text).expect("a name");
    let number = |at: usize| words[at].parse().expect("a number");
    let data = match words[2] {
        "A" | "AAAA" => match words[3].parse().expect("an address") {
            IpAddr::V4(address) => RData::A(A(address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(address)),
        },
        "SRV" => RData::SRV(SRV::new(number(3), number(4), number(5), name(words[6]))),
        "NAPTR" => {
            let text = |at: usize| words[at].as_bytes().to_vec().into_boxed_slice();
            let nothing = Vec::new().into_boxed_slice();
            RData::NAPTR(NAPTR::new(
                number(3),
                number(4),
                text(5),
                text(6),
                nothing,
                name(words[7]),
            ))
        }
        other => panic!("no kind of record: {other}"),
    };
    let ttl = words[1].parse().expect("seconds");
    Record::from_rdata(name(words[0]), ttl, data)
}
