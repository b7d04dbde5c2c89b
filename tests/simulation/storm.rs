//! Two switches with a trunk between them, phones at both, and a network that loses up to three
//! messages in ten: a phone at the first calls by the trunk, a flow of the second rings a phone.
//! Whatever is lost, doubled or late, every call ends, nothing is left over, records are right.
//!
//! A seed decides everything; a failing one prints itself. `SIMULATION_SEEDS=10` runs ten times as
//! many.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tsunagu::base::{Entropy, ShardId, Timestamp};
use tsunagu::call::Output;
use tsunagu::config::Office;
use tsunagu::events::{CallRecord, Event, Fact};
use tsunagu::journal::MemoryJournal;
use tsunagu::media::{Notice, VirtualNet};
use tsunagu::registrar::{Limits, Registrar};
use tsunagu::sdp::Direction;
use tsunagu::sip::{Flow, Message, ua};

use crate::judge::is_right;
use crate::link::{Hallway, Link};
use crate::office;
use crate::peer::{Manners, Offer, Peer, SWITCH, Wish};
use crate::script::seeds;
use crate::switch::{Ground, Switch};

/// Where the second switch is.
const BEYOND: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 9, 1)),
    5060,
);
/// What a phone of the first dials: out, to the second's number.
const DIALLED: &str = "00312345678";
/// Calls of one seed, one after the other by a second or two, some ten at a time.
const CALLS: usize = 50;
/// Longest time after which everything must be over: see `judge.rs`, twice, for there are two.
const LONGEST_END: Duration = Duration::from_secs(400);

/// Whose something is: a switch's, by number, or a phone's.
#[derive(Clone, Copy, Debug)]
enum Place {
    Phone(usize),
    Switch(usize),
}

enum Item {
    Deed(Deed),
    Message(Place, Flow, Bytes),
    Notice(usize, Box<Notice>),
    Wish(usize, Wish),
}

/// What people do.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Call(usize),
    HangUp(usize, usize),
    Hold(usize, usize, Direction, Offer),
}

/// One switch and what it told.
struct Side {
    switch: Switch,
    address: SocketAddr,
    events: Vec<Arc<Event>>,
    records: Vec<CallRecord>,
    _directory: TempDir,
}

impl Side {
    fn open(office: &Office, address: SocketAddr, net: &VirtualNet, seed: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let ground = Ground {
            office,
            generation: 1,
            journal: &MemoryJournal::new(),
            net,
            recordings: directory.path(),
            registrar: Arc::new(Mutex::new(Registrar::new(Limits::default()))),
            survivors: Vec::new(),
            seed,
            address,
            beside: None,
        };
        Self {
            switch: Switch::start(Timestamp::ZERO, ground),
            address,
            events: Vec::new(),
            records: Vec::new(),
            _directory: directory,
        }
    }
}

struct Storm {
    seed: u64,
    now: Timestamp,
    entropy: Entropy,
    link: Link,
    net: VirtualNet,
    sides: [Side; 2],
    phones: Vec<Peer>,
    items: BTreeMap<(Timestamp, u64), Item>,
    count: u64,
    log: Vec<String>,
}

/// Phones of the first switch, which call, and those of the second, which are called.
const CALLERS: [&str; 3] = ["1001", "1002", "1003"];
const CALLED: &str = "1006";

impl Storm {
    fn new(seed: u64, loss: u64) -> Self {
        let net = VirtualNet::new();
        let near = office::changed(&[("trunks.toml", "udp:127.0.0.1:5080", "udp:127.0.9.1:5060")]);
        let step = "[steps.call]\ndo = \"dial\"\nnumber = \"1006\"\nring_timeout = \"20s\"\n\
                    failed = \"hangup\"\n\n[steps.greeting]";
        let beyond = office::changed(&[
            (
                "flows/main.toml",
                "start = \"greeting\"",
                "start = \"call\"",
            ),
            ("flows/main.toml", "[steps.greeting]", step),
            (
                "node.toml",
                "# address = \"127.0.0.1\"",
                "address = \"127.0.9.1\"",
            ),
        ]);
        let mut storm = Self {
            seed,
            now: Timestamp::ZERO,
            entropy: Entropy::from_seed(seed),
            link: Link::new(seed),
            sides: [
                Side::open(&near, SWITCH, &net, seed),
                Side::open(&beyond, BEYOND, &net, seed + 1),
            ],
            net,
            phones: Vec::new(),
            items: BTreeMap::new(),
            count: 0,
            log: Vec::new(),
        };
        for number in CALLERS {
            storm.enter(number, SWITCH);
        }
        storm.enter(CALLED, BEYOND);
        storm.link.loss = loss;
        storm.link.doubles = loss / 2;
        storm.link.jitter = 1 + storm.entropy.below(40_000);
        storm
    }

    fn enter(&mut self, number: &str, switch: SocketAddr) {
        let seed = self.seed * 1000 + number.parse::<u64>().expect("a number");
        let mut peer = Peer::phone(number, &self.net, seed).at(switch);
        peer.register(self.now, 36_000);
        self.phones.push(peer);
        self.collect();
        let phone = self.phones.len() - 1;
        while self.phones[phone].registered != Some(200) {
            assert!(
                self.step(self.now + Duration::from_secs(10)),
                "{}",
                self.tell()
            );
        }
    }

    /// Places the calls and decides what becomes of each.
    fn plan(&mut self) {
        let mut at = self.now;
        for _ in 0..CALLS {
            at = at + Duration::from_millis(500 + self.entropy.below(2_500));
            let phone = self.entropy.below(CALLERS.len() as u64) as usize;
            self.put(at, Item::Deed(Deed::Call(phone)));
        }
    }

    /// What the caller of a new call, and whoever is called by then, will do.
    fn fate(&mut self, phone: usize, talk: usize) {
        let called = CALLERS.len();
        self.phones[called].manners = match self.entropy.below(10) {
            0 => Manners::Refuses(486),
            1 => Manners::Refuses(603),
            2 => Manners::Rings,
            3 => Manners::Regrets(1 + self.entropy.below(3_000), 480),
            4 | 5 => Manners::Early(1 + self.entropy.below(3_000)),
            _ => Manners::Answers(1 + self.entropy.below(3_000)),
        };
        let patience = match self.entropy.below(4) {
            0 => self.entropy.below(3_000),
            _ => 3_000 + self.entropy.below(12_000),
        };
        self.later(patience, Deed::HangUp(phone, talk));
        let other = self.phones[called].talks.len();
        if self.entropy.below(2) == 0 {
            let wait = self.entropy.below(12_000);
            self.later(wait, Deed::HangUp(called, other));
        }
        for _ in 0..self.entropy.below(3) {
            let (who, which) = match self.entropy.below(2) {
                0 => (phone, talk),
                _ => (called, other),
            };
            let direction = match self.entropy.below(3) {
                0 => Direction::Inactive,
                1 => Direction::SendOnly,
                _ => Direction::SendRecv,
            };
            let offer = match self.entropy.below(3) {
                0 => Offer::Delayed,
                _ => Offer::Early,
            };
            let wait = 1_000 + self.entropy.below(10_000);
            self.later(wait, Deed::Hold(who, which, direction, offer));
        }
        // In the end everybody goes home.
        self.later(60_000, Deed::HangUp(phone, talk));
        self.later(60_000, Deed::HangUp(called, other));
    }

    fn later(&mut self, ms: u64, deed: Deed) {
        self.put(self.now + Duration::from_millis(ms), Item::Deed(deed));
    }

    fn put(&mut self, at: Timestamp, item: Item) {
        self.count += 1;
        self.items.insert((at, self.count), item);
    }

    /// Takes one step; false when the time is up.
    fn step(&mut self, until: Timestamp) -> bool {
        let item = self.items.first_key_value().map(|((at, _), _)| *at);
        let phones = self
            .phones
            .iter()
            .filter_map(|phone| phone.ua.poll_timeout());
        let sides = self.sides.iter();
        let sides = sides.filter_map(|side| side.switch.exchange.poll_timeout());
        let timer = phones.chain(sides).min();
        let Some(next) = [item, timer].into_iter().flatten().min() else {
            return false;
        };
        if next > until {
            return false;
        }
        self.now = self.now.max(next);
        if item.is_some_and(|item| item <= self.now) {
            let (_, item) = self.items.pop_first().expect("looked at");
            self.happen(item);
        } else {
            self.wake();
        }
        self.collect();
        true
    }

    fn wake(&mut self) {
        let now = self.now;
        for side in &mut self.sides {
            if side
                .switch
                .exchange
                .poll_timeout()
                .is_some_and(|at| at <= now)
            {
                side.switch.exchange.handle_timeout(now);
            }
        }
        for phone in &mut self.phones {
            if phone.ua.poll_timeout().is_some_and(|at| at <= now) {
                phone.ua.handle_timeout(now);
            }
        }
    }

    fn happen(&mut self, item: Item) {
        let now = self.now;
        match item {
            Item::Deed(Deed::Call(phone)) => {
                let number = self.phones[phone].name.clone();
                let talk = self.phones[phone].call(now, DIALLED, &number);
                self.fate(phone, talk);
            }
            Item::Deed(Deed::HangUp(phone, talk)) => self.phones[phone].hang_up(now, talk),
            Item::Deed(Deed::Hold(phone, talk, direction, offer)) => {
                let phone = &mut self.phones[phone];
                if phone
                    .talks
                    .get(talk)
                    .is_some_and(|talk| talk.is_answered && !talk.is_over)
                {
                    phone.reoffer(now, talk, direction, offer);
                }
            }
            Item::Message(Place::Phone(phone), flow, bytes) => {
                let message = Message::parse(bytes).expect("we write what we can read");
                self.phones[phone].ua.handle_message(now, flow, message);
            }
            Item::Message(Place::Switch(side), flow, bytes) => {
                let message = Message::parse(bytes).expect("far ends write what we can read");
                self.sides[side]
                    .switch
                    .exchange
                    .handle_message(now, flow, message);
            }
            Item::Notice(side, notice) => {
                self.sides[side].switch.exchange.handle_notice(now, *notice);
            }
            Item::Wish(phone, wish) => self.phones[phone].fulfil(now, wish),
        }
    }

    fn collect(&mut self) {
        let mut any = true;
        while any {
            any = false;
            for place in 0..self.sides.len() {
                self.sides[place].switch.engine.run_until(self.now);
                while let Some(notice) = self.sides[place].switch.notices.try_recv() {
                    let at = self.link.heard(self.now, Hallway::FromMedia);
                    self.put(at, Item::Notice(place, Box::new(notice)));
                }
                while let Some(output) = self.sides[place].switch.exchange.poll_output() {
                    any = true;
                    self.put_out(place, output);
                }
            }
            for place in 0..self.phones.len() {
                while let Some(output) = self.phones[place].ua.poll_output() {
                    any = true;
                    match output {
                        ua::Output::Alias { .. } => {}
                        // Everybody is known by address: nobody answers.
                        ua::Output::Query(_) => {}
                        ua::Output::Transmit { flow, bytes } => self.send(flow, &bytes),
                        ua::Output::Event(event) => {
                            let wish = self.phones[place].handle(self.now, event);
                            if let Some((wait, wish)) = wish {
                                self.put(self.now + wait, Item::Wish(place, wish));
                            }
                        }
                    }
                }
            }
        }
    }

    fn put_out(&mut self, side: usize, output: Output) {
        let told = &mut self.sides[side];
        match output {
            // Its flows ask nobody.
            Output::Inquire(_) | Output::Notify(_) | Output::Rouse(_) => {}
            Output::Event(event) => told.events.push(event),
            Output::Record(record) if record.ended.is_some() => told.records.push(*record),
            Output::Router(command) => {
                told.switch.pump.handle(self.now, ShardId(0), command);
                told.switch.commit();
            }
            Output::Reachable(agent) => {
                let (now, switch) = (self.now, &mut told.switch);
                let (exchange, pump) = (&switch.exchange, &mut switch.pump);
                exchange.tell_reachable(&agent, |command| pump.handle(now, ShardId(0), command));
                switch.commit();
            }
            Output::Alias { .. } | Output::Known(_) | Output::Silence { .. } => {}
            Output::Transmit { flow, bytes } => self.send(flow, &bytes),
            Output::Bindings
            | Output::Query(_)
            | Output::Record(_)
            | Output::Recording(_)
            | Output::Tested(..)
            | Output::Voicemail(..) => {}
        }
    }

    fn send(&mut self, flow: Flow, bytes: &Bytes) {
        let line = bytes
            .split(|byte| *byte == b'\r')
            .next()
            .unwrap_or_default();
        let line = String::from_utf8_lossy(line).into_owned();
        let seconds = self.now.as_micros() as f64 / 1e6;
        self.log.push(format!(
            "{seconds:>9.3} {} > {} {line}",
            flow.local, flow.remote
        ));
        let switch = self
            .sides
            .iter()
            .position(|side| side.address == flow.remote);
        let phone = self
            .phones
            .iter()
            .position(|phone| phone.address == flow.remote);
        let place = match (switch, phone) {
            (Some(switch), _) => Place::Switch(switch),
            (None, Some(phone)) => Place::Phone(phone),
            (None, None) => panic!("nobody is at {}\n{}", flow.remote, self.tell()),
        };
        let back = Flow::udp(flow.remote, flow.local);
        for at in self.link.arrivals(self.now) {
            self.put(at, Item::Message(place, back, bytes.clone()));
        }
    }

    fn finish(mut self) -> Summary {
        let last = self.now + Duration::from_secs(3 * CALLS as u64 + 60) + LONGEST_END;
        while self.step(last) {}
        let mut summary = Summary::default();
        for phone in &self.phones {
            let left = [phone.ua.session_count(), phone.ua.transaction_count()];
            assert_eq!(
                left,
                [0; 2],
                "{}: sessions, transactions\n{}",
                phone.name,
                self.tell()
            );
            for talk in &phone.talks {
                assert!(talk.is_over, "{} still talks\n{}", phone.name, self.tell());
                summary.answered += usize::from(talk.is_answered);
            }
        }
        for side in &self.sides {
            let switch = &side.switch;
            assert_eq!(
                switch.exchange.inventory(),
                [0; 5],
                "{}\n{}",
                side.address,
                self.tell()
            );
            assert_eq!(switch.gate.calls(), 0, "{}\n{}", side.address, self.tell());
            assert_eq!(
                switch.engine.open_ports(),
                0,
                "{}\n{}",
                side.address,
                self.tell()
            );
            self.judge(side);
            summary.records += side.records.len();
        }
        summary.calls = self.phones[..CALLERS.len()]
            .iter()
            .map(|phone| phone.talks.len())
            .sum();
        summary
    }

    /// One record a call, and each as the events tell it.
    fn judge(&self, side: &Side) {
        let mut calls: HashMap<&str, Vec<&Event>> = HashMap::new();
        for event in &side.events {
            calls.entry(event.call.as_str()).or_default().push(event);
        }
        assert_eq!(side.records.len(), calls.len(), "{}", self.tell());
        for record in &side.records {
            let events = calls.remove(record.id.as_str()).unwrap_or_default();
            assert!(matches!(
                events.first().map(|event| &event.fact),
                Some(Fact::CallStarted { .. })
            ));
            assert_eq!(*record, CallRecord::fold(events), "{}", self.tell());
            if let Err(wrong) = is_right(record, false) {
                panic!("{wrong}\n{record:?}\n{}", self.tell());
            }
        }
    }

    fn tell(&self) -> String {
        let from = self.log.len().saturating_sub(400);
        format!("{}\nseed {}", self.log[from..].join("\n"), self.seed)
    }
}

/// How a storm went, so that a test can see that there were calls at all.
#[derive(Default)]
struct Summary {
    calls: usize,
    answered: usize,
    records: usize,
}

/// Storms of these seeds, each with a loss between two bounds, in a thousand.
fn storms(first: u64, loss: std::ops::Range<u64>) {
    let mut sum = Summary::default();
    for seed in seeds(first, SEEDS) {
        let loss = loss.start + seed % (loss.end - loss.start);
        let mut storm = Storm::new(seed, loss);
        storm.plan();
        let one = storm.finish();
        sum.calls += one.calls;
        sum.answered += one.answered;
        sum.records += one.records;
    }
    println!(
        "{} calls, {} answers heard or given, {} records",
        sum.calls, sum.answered, sum.records
    );
    assert_eq!(sum.calls % (SEEDS as usize * CALLS), 0);
    // Each answered call is answered at both ends, and recorded by both switches.
    assert!(sum.answered > sum.calls / 2, "hardly a call got through");
    assert!(sum.records > sum.calls, "the trunk was hardly used");
}

/// Seeds of one test: four tests of as many make 10,000 calls.
const SEEDS: u64 = 50;

#[test]
fn calm() {
    storms(900, 0..20);
}

#[test]
fn breeze() {
    storms(901, 20..100);
}

#[test]
fn gale() {
    storms(902, 100..200);
}

#[test]
fn hurricane() {
    storms(903, 200..301);
}
