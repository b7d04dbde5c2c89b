//! The world: one clock, one switch, its far ends, and everything under way between them.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tsunagu::base::{CallId, ShardId, Timestamp};
use tsunagu::call::{Inquiry, Output};
use tsunagu::config::Office;
use tsunagu::events::{CallRecord, Event};
use tsunagu::journal::MemoryJournal;
use tsunagu::media::{FRAME_DURATION, Notice, VirtualNet};
use tsunagu::registrar::{Limits, Registrar};
use tsunagu::router;
use tsunagu::sip::location::{Answer, Kind, Record};
use tsunagu::sip::{Flow, Message, ua};
use tsunagu::voicemail::Word;
use tsunagu::webhook::Notice as Notification;

use crate::link::{Hallway, Link};
use crate::office;
use crate::peer::{Peer, SWITCH};
use crate::switch::{Ground, Switch};

type Action = Box<dyn FnOnce(&mut World)>;

/// Something on its way.
pub(crate) enum Item {
    /// A connection is gone: the switch's transport says so.
    Broken(Flow),
    Action(Action),
    Command(router::Command),
    Notice(Box<Notice>),
    Router(Box<router::Output>),
    Rouse(CallId),
    Word(CallId, Box<Word>),
    ToPeer(usize, Flow, Bytes),
    ToSwitch(Flow, Bytes),
}

/// One message that was put on the link.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Timestamp,
    /// `carrier -> INVITE`, `1001 <- 180 INVITE`, ...
    pub(crate) what: String,
    pub(crate) call_id: String,
    text: String,
}

impl Sent {
    /// Whether the message holds a text.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// The message without what chance alone decided, when it belongs to a known dialog.
    pub(crate) fn within(&self, known: &HashSet<String>) -> Option<String> {
        if !known.contains(&self.call_id) || self.what.contains("REGISTER") {
            return None;
        }
        let lines = self.text.lines().filter(|line| !line.starts_with("Via:"));
        let lines: Vec<&str> = lines.collect();
        Some(format!("{}\n{}", self.what, lines.join("\n")))
    }
}

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) switch: Switch,
    pub(crate) peers: Vec<Peer>,
    pub(crate) link: Link,
    /// Where every name is, 20 ms after it was asked; no name server answers without it.
    pub(crate) named: Option<std::net::IpAddr>,
    pub(crate) net: VirtualNet,
    pub(crate) office: Office,
    pub(crate) generation: u64,
    pub(crate) events: Vec<Arc<Event>>,
    /// Records in the order of their publication.
    pub(crate) records: Vec<CallRecord>,
    /// Everything that went over the link.
    pub(crate) sent: Vec<Sent>,
    /// How many things happened to the switch: messages, notices, words of the router, deadlines.
    pub(crate) happened: usize,
    /// What is to be done right before something happens to the switch.
    interruption: Option<(usize, Action)>,
    /// Messages of peers arrive at once and for certain.
    is_express: bool,
    pub(crate) seed: u64,
    /// Calls of another shard that are to look.
    pub(crate) abroad: Vec<CallId>,
    /// No call hears that it is to look.
    pub(crate) is_deaf: bool,
    /// Media's notices are lost.
    pub(crate) is_media_silent: bool,
    /// Agents whose phones were last said to be in a call of their own.
    pub(crate) busy: BTreeMap<String, bool>,
    /// How often the process died.
    pub(crate) restarts: u32,
    /// Steps without time passing: a world that stands still is a bug.
    standing: u32,
    /// What flows ask outside, for the test to answer.
    pub(crate) inquiries: Vec<Inquiry>,
    /// What applications are told.
    pub(crate) notices: Vec<Notification>,
    pub(crate) journal: MemoryJournal,
    pub(crate) directory: TempDir,
    pub(crate) items: BTreeMap<(Timestamp, u64), Item>,
    count: u64,
}

impl World {
    /// The demo office, open, and nobody there.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, office::demo())
    }

    pub(crate) fn with(seed: u64, office: Office) -> Self {
        let net = VirtualNet::new();
        net.set_latency(Duration::from_millis(1));
        Self::on(seed, office, net, None)
    }

    /// The second shard of another world's switch, with far ends of its own. Both are to be run in
    /// step.
    pub(crate) fn beside(first: &World, seed: u64, office: Office) -> Self {
        Self::on(seed, office, first.net.clone(), Some(&first.switch))
    }

    fn on(seed: u64, office: Office, net: VirtualNet, beside: Option<&Switch>) -> Self {
        let journal = MemoryJournal::new();
        let directory = tempfile::tempdir().expect("a directory");
        let registrar = Arc::new(Mutex::new(Registrar::new(Limits::default())));
        let ground = Ground {
            office: &office,
            generation: 1,
            journal: &journal,
            net: &net,
            recordings: directory.path(),
            registrar,
            survivors: Vec::new(),
            seed,
            address: SWITCH,
            beside,
        };
        Self {
            now: Timestamp::ZERO,
            switch: Switch::start(Timestamp::ZERO, ground),
            peers: Vec::new(),
            link: Link::new(seed),
            named: None,
            net,
            office,
            generation: 1,
            events: Vec::new(),
            records: Vec::new(),
            sent: Vec::new(),
            happened: 0,
            interruption: None,
            is_express: false,
            seed,
            abroad: Vec::new(),
            is_deaf: false,
            is_media_silent: false,
            busy: BTreeMap::new(),
            restarts: 0,
            standing: 0,
            inquiries: Vec::new(),
            notices: Vec::new(),
            journal,
            directory,
            items: BTreeMap::new(),
            count: 0,
        }
    }

    /// What names the dialog that a far end's last 180 began, as the switch sees it.
    pub(crate) fn ringing_dialog(&self, peer: usize) -> String {
        let what = format!("{} -> 180 INVITE", self.peers[peer].name);
        let sent = self.sent.iter().rfind(|sent| sent.what == what);
        let text = sent.expect("a 180").text.clone();
        let ringing = Message::parse(text.into()).expect("written by us");
        let tag = |address: Result<&tsunagu::sip::NameAddr, _>| {
            let address = address.expect("there");
            address.tag().expect("a tag").to_owned()
        };
        let call_id = ringing.call_id().expect("there").to_owned();
        let (own, theirs) = (tag(ringing.from()), tag(ringing.to()));
        format!("{call_id};to-tag={own};from-tag={theirs}")
    }

    /// Does something to a far end and takes up what it says.
    pub(crate) fn with_peer<T>(
        &mut self,
        peer: usize,
        act: impl FnOnce(&mut Peer, Timestamp) -> T,
    ) -> T {
        let result = act(&mut self.peers[peer], self.now);
        self.collect();
        result
    }

    /// Does something later.
    pub(crate) fn after(&mut self, wait: Duration, act: impl FnOnce(&mut World) + 'static) {
        self.put(self.now + wait, Item::Action(Box::new(act)));
    }

    /// Does something right before the thing of that number happens to the switch. What far ends
    /// send then arrives before it.
    pub(crate) fn interrupt(&mut self, number: usize, act: impl FnOnce(&mut World) + 'static) {
        self.interruption = Some((number, Box::new(act)));
    }

    /// Whether the interruption has not come.
    pub(crate) fn is_uninterrupted(&self) -> bool {
        self.interruption.is_some()
    }

    pub(crate) fn run_for(&mut self, ms: u64) {
        self.run_until(self.now + Duration::from_millis(ms));
    }

    pub(crate) fn run_until(&mut self, until: Timestamp) {
        while self.step(until) {}
    }

    /// Runs until something is so; panics with the story so far when that takes too long.
    pub(crate) fn run_to(&mut self, what: &str, ms: u64, mut is_so: impl FnMut(&World) -> bool) {
        let until = self.now + Duration::from_millis(ms);
        while !is_so(self) {
            assert!(self.step(until), "not in {ms} ms: {what}\n{}", self.tell());
        }
    }

    /// Takes one step; false when the time is up.
    pub(crate) fn step(&mut self, until: Timestamp) -> bool {
        let item = self.items.first_key_value().map(|((at, _), _)| *at);
        let timers = self.peers.iter().filter_map(|peer| peer.ua.poll_timeout());
        let timers = timers
            .chain(self.switch.exchange.poll_timeout())
            .chain(self.switch.pump.poll_timeout())
            .min();
        let frame = self.is_loud().then(|| frame_after(self.now));
        let next = [item, timers, frame].into_iter().flatten().min();
        let next = next.unwrap_or(until).max(self.now);
        if next > until {
            let was = std::mem::replace(&mut self.now, until);
            self.live(was);
            return false;
        }
        let was = std::mem::replace(&mut self.now, next);
        self.standing = if was < next { 0 } else { self.standing + 1 };
        assert!(
            self.standing < 100_000,
            "time stands still\n{}",
            self.tell()
        );
        self.live(was);
        if item.is_some_and(|item| item <= next) {
            let (_, item) = self.items.pop_first().expect("looked at");
            self.happen(item);
        } else if timers.is_some_and(|timer| timer <= next) {
            self.wake();
        } else if next == until && frame != Some(next) {
            return false;
        }
        self.collect();
        true
    }

    /// Whether anybody may be heard.
    fn is_loud(&self) -> bool {
        self.switch.engine.open_ports() > 0 || self.peers.iter().any(|peer| peer.live() > 0)
    }

    /// Media's time passes.
    fn live(&mut self, was: Timestamp) {
        self.switch.engine.run_until(self.now);
        if frame_after(was) <= self.now {
            let now = self.now;
            for peer in self.peers.iter_mut().filter(|peer| !peer.is_gone) {
                for talk in &mut peer.talks {
                    talk.voice.frame(now, talk.agreed.as_ref());
                }
            }
        }
        self.take_notices();
    }

    fn take_notices(&mut self) {
        while let Some(notice) = self.switch.notices.try_recv() {
            if self.is_media_silent {
                continue;
            }
            let at = self.link.heard(self.now, Hallway::FromMedia);
            self.put(at, Item::Notice(Box::new(notice)));
        }
    }

    fn happen(&mut self, item: Item) {
        if matches!(item, Item::Notice(_) | Item::Router(_) | Item::ToSwitch(..)) {
            self.before_happening();
        }
        let now = self.now;
        match item {
            Item::Action(act) => act(self),
            Item::Broken(flow) => self.switch.exchange.handle_transport_error(now, &flow),
            Item::Command(command) => {
                self.switch.pump.handle(now, ShardId(0), command);
                self.switch.commit();
            }
            Item::Notice(notice) => self.switch.exchange.handle_notice(now, *notice),
            Item::Router(output) => self.switch.exchange.handle_router(now, &output),
            Item::ToPeer(peer, flow, bytes) => {
                let message = Message::parse(bytes).expect("we write what we can read");
                self.peers[peer].ua.handle_message(now, flow, message);
            }
            Item::ToSwitch(flow, bytes) => self.reach_switch(flow, bytes),
            Item::Rouse(call) => self.switch.exchange.rouse(now, &call),
            Item::Word(call, word) => self.switch.exchange.handle_voicemail(now, &call, *word),
        }
    }

    fn before_happening(&mut self) {
        if self
            .interruption
            .as_ref()
            .is_some_and(|(number, _)| *number == self.happened)
            && let Some((_, act)) = self.interruption.take()
        {
            self.is_express = true;
            act(self);
            self.collect();
            self.is_express = false;
        }
        self.happened += 1;
    }

    fn reach_switch(&mut self, flow: Flow, bytes: Bytes) {
        let message = Message::parse(bytes).expect("far ends write what we can read");
        self.switch.exchange.handle_message(self.now, flow, message);
    }

    fn wake(&mut self) {
        let now = self.now;
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if is_due(self.switch.exchange.poll_timeout()) {
            self.before_happening();
            self.switch.exchange.handle_timeout(now);
        }
        if is_due(self.switch.pump.poll_timeout()) {
            self.switch.pump.handle_timeout(now);
            self.switch.commit();
        }
        for peer in &mut self.peers {
            if is_due(peer.ua.poll_timeout()) {
                peer.ua.handle_timeout(now);
            }
        }
    }

    /// Takes up what everybody says, until nobody says anything.
    pub(crate) fn collect(&mut self) {
        self.switch.engine.run_until(self.now);
        self.take_notices();
        let mut any = true;
        while any {
            any = false;
            while let Some(output) = self.switch.exchange.poll_output() {
                any = true;
                self.put_out(output);
            }
            for output in self.switch.heard() {
                let at = self.link.heard(self.now, Hallway::FromRouter);
                self.put(at, Item::Router(Box::new(output)));
            }
            for peer in 0..self.peers.len() {
                while let Some(output) = self.peers[peer].ua.poll_output() {
                    any = true;
                    match output {
                        ua::Output::Alias { .. } => {}
                        ua::Output::Query(question) => {
                            let now = self.now;
                            self.peers[peer]
                                .ua
                                .handle_answer(now, &question, Answer::Failed);
                        }
                        ua::Output::Transmit { bytes, .. } => self.send_from(peer, bytes),
                        ua::Output::Event(event) => {
                            let wish = self.peers[peer].handle(self.now, event);
                            if let Some((wait, wish)) = wish {
                                self.after(wait, move |world| {
                                    world.with_peer(peer, |peer, now| peer.fulfil(now, wish));
                                });
                            }
                        }
                    }
                }
            }
        }
    }

    fn put_out(&mut self, output: Output) {
        match output {
            Output::Bindings | Output::Recording(_) | Output::Tested(..) => {}
            Output::Query(question) => {
                let Some(address) = self.named else {
                    let now = self.now;
                    let exchange = &mut self.switch.exchange;
                    return exchange.handle_answer(now, &question, Answer::Failed);
                };
                let good_for = Duration::from_secs(60);
                let answer = match question.kind {
                    Kind::A => Answer::Records(vec![Record::Address(address)], good_for),
                    _ => Answer::Nothing(good_for),
                };
                self.after(Duration::from_millis(20), move |world| {
                    let now = world.now;
                    world.switch.exchange.handle_answer(now, &question, answer);
                });
            }
            Output::Rouse(_) if self.is_deaf => {}
            Output::Rouse(call) if call.shard() != Some(self.switch.shard) => {
                self.abroad.push(call);
            }
            Output::Rouse(call) => {
                let soon = self.now + Duration::from_millis(1);
                self.put(soon, Item::Rouse(call));
            }
            Output::Event(event) => self.events.push(event),
            Output::Inquire(inquiry) => self.inquiries.push(*inquiry),
            Output::Notify(notice) => self.notices.push(*notice),
            // In progress: only for the start after a crash.
            Output::Record(record) if record.ended.is_none() => {}
            Output::Record(record) => self.keep(*record),
            Output::Router(command) => {
                if let router::Command::SetBusy { worker, busy, .. } = &command {
                    self.busy.insert(worker.clone(), *busy);
                }
                let at = self.link.heard(self.now, Hallway::ToRouter);
                self.put(at, Item::Command(command));
            }
            Output::Reachable(agent) => {
                let mut told = None;
                let exchange = &self.switch.exchange;
                exchange.tell_reachable(&agent, |command| told = Some(command));
                let at = self.link.heard(self.now, Hallway::ToRouter);
                self.put(at, Item::Command(told.expect("told at once")));
            }
            Output::Alias { .. } | Output::Known(_) | Output::Silence { .. } => {}
            Output::Transmit { flow, bytes } => self.send_to(flow, bytes),
            Output::Voicemail(call, wish) => {
                let word = self.switch.mailboxes.answer(self.now, wish);
                let changes = self.switch.changes.lock().expect("not poisoned");
                let told = std::mem::take(&mut *{ changes });
                self.events.extend(told.into_iter().map(Arc::new));
                if let Some(call) = call {
                    let soon = self.now + Duration::from_millis(5);
                    self.put(soon, Item::Word(call, Box::new(word)));
                }
            }
        }
    }

    /// A record goes out once; twice when an agent was still in after-call work the first time.
    fn keep(&mut self, record: CallRecord) {
        match self
            .records
            .iter_mut()
            .find(|before| before.id == record.id)
        {
            None => self.records.push(record),
            Some(before) => {
                let is_first = !before.is_settled();
                assert!(is_first, "published twice");
                *before = record;
            }
        }
    }

    fn send_from(&mut self, peer: usize, bytes: Bytes) {
        self.note(peer, "->", &bytes);
        if self.peers[peer].is_gone {
            return;
        }
        let out = self.peers[peer].flow();
        let flow = Flow {
            local: out.remote,
            remote: out.local,
            ..out
        };
        if self.is_express {
            return self.reach_switch(flow, bytes);
        }
        for at in self.link.arrivals(self.now) {
            self.put(at, Item::ToSwitch(flow, bytes.clone()));
        }
    }

    fn send_to(&mut self, flow: Flow, bytes: Bytes) {
        assert_eq!(flow.local, SWITCH, "it sends from where it listens");
        let Some(peer) = self
            .peers
            .iter()
            .position(|peer| peer.address == flow.remote)
        else {
            return;
        };
        self.note(peer, "<-", &bytes);
        if self.peers[peer].is_gone {
            if flow.connection.is_some() || self.peers[peer].connection.is_some() {
                let soon = self.now + Duration::from_millis(1);
                self.put(soon, Item::Broken(flow));
            }
            return;
        }
        for at in self.link.arrivals(self.now) {
            self.put(
                at,
                Item::ToPeer(peer, self.peers[peer].flow(), bytes.clone()),
            );
        }
    }

    fn note(&mut self, peer: usize, arrow: &str, bytes: &Bytes) {
        let message = Message::parse(bytes.clone()).expect("everybody writes what we can read");
        let valid = match message.is_request() {
            true => message
                .validate_request()
                .map_err(|refusal| refusal.words.to_string()),
            false => message
                .validate_response()
                .map_err(|error| error.to_string()),
        };
        assert_eq!(valid, Ok(()), "{message:?}");
        let what = match message.status() {
            Some(status) => format!("{status} {}", message.method()),
            None => message.method().to_string(),
        };
        self.sent.push(Sent {
            at: self.now,
            what: format!("{} {arrow} {what}", self.peers[peer].name),
            call_id: message.call_id().unwrap_or_default().to_owned(),
            text: String::from_utf8_lossy(bytes).into_owned(),
        });
    }

    pub(crate) fn put(&mut self, at: Timestamp, item: Item) {
        self.count += 1;
        self.items.insert((at, self.count), item);
    }

    /// The story so far, for whoever reads a failure.
    pub(crate) fn tell(&self) -> String {
        let mut lines: Vec<(Timestamp, String)> = self
            .sent
            .iter()
            .map(|sent| (sent.at, sent.what.clone()))
            .collect();
        let facts = self
            .events
            .iter()
            .map(|event| (event.at, format!("  {:?}", event.fact)));
        lines.extend(facts);
        lines.sort_by_key(|(at, _)| *at);
        let line = |(at, what): &(Timestamp, String)| {
            let what: String = what.chars().take(160).collect();
            format!("{:>9.3} {what}\n", at.as_micros() as f64 / 1e6)
        };
        let mut text: String = lines.iter().map(line).collect();
        text.push_str(&format!(
            "seed {}, {} things happened",
            self.seed, self.happened
        ));
        text
    }
}

/// The first whole 20 ms after an instant.
fn frame_after(at: Timestamp) -> Timestamp {
    let frame = FRAME_DURATION.as_micros() as i64;
    Timestamp::from_micros((at.as_micros().div_euclid(frame) + 1) * frame)
}
