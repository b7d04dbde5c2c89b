//! All calls of one signalling shard. Sans-IO: everything it does is an `Output`.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::conferences::Conferences;
use super::desk::{Desks, worker_of};
use super::gate::Gate;
use super::hands::{Hands, Index};
use super::inquiry::Inquiry;
use super::lines::Lines;
use super::load::Load;
use super::machine::Call;
use super::trunk_test::TestReport;
use super::trunks::Keeper;
use super::{CallKey, Generation};
use crate::base::{CallId, Cause, Entropy, IdSource, OwnMap, Party, Timers, Timestamp};
use crate::events::{CallRecord, Direction, Event, RecordingFacts, Stretch};
use crate::media::{Engine, Notice};
use crate::registrar::Registrar;
use crate::router;
use crate::sip::auth::Challenger;
use crate::sip::guard::{Attack, Guard};
use crate::sip::location::{Answer, Question};
use crate::sip::{Flow, Host, Message, ParseError, Protocol, UserAgent, is_keep_alive};
use crate::trunk::Carriers;
use crate::voicemail::{self, Finished, Wish, Word};
use crate::webhook::Notice as Notification;

/// What an exchange is given when it starts.
pub struct Settings {
    /// Makes ids; knows region, node and shard.
    pub ids: IdSource,
    /// Chance.
    pub entropy: Entropy,
    /// SIP transactions and dialogs.
    pub user_agent: UserAgent,
    /// Media workers.
    pub media: Engine,
    /// Where phones are; shared by all shards of the node.
    pub registrar: Arc<Mutex<Registrar>>,
    /// Conferences people dial into; shared by all shards of the node.
    pub conferences: Arc<Mutex<Conferences>>,
    /// Lines that documents make; shared by all shards of the node.
    pub lines: Arc<Mutex<Lines>>,
    /// Challenges phones; shared by all shards.
    pub challenger: Arc<Mutex<Challenger>>,
    /// Admission, shared by all shards.
    pub gate: Gate,
    /// Who may speak to us, shared by all shards.
    pub guard: Guard,
    /// How trunks are; shared by all shards.
    pub carriers: Carriers,
    /// Who works at which phone; shared by all shards.
    pub desks: Desks,
    /// Our own addresses.
    pub listeners: Vec<(Protocol, SocketAddr)>,
    /// First generation of configuration.
    pub generation: Arc<Generation>,
}

/// What an exchange wants done.
#[derive(Debug)]
pub enum Output {
    /// Something happened to a call.
    Event(Arc<Event>),
    /// A phone registered or unregistered: bindings are to be stored.
    Bindings,
    /// A call's record is to be stored: when the call is over and all is known, again when
    /// something was added, and before that when an agent is involved, so that a killed process
    /// leaves a trace of the call.
    Record(Box<CallRecord>),
    /// What a call of the node stands in with others, a line or a conference, has changed;
    /// [`Exchange::rouse`] of its shard takes it. One that is lost does no harm for long: calls look
    /// by themselves from time to time.
    Rouse(CallId),
    /// A call's flow asks somebody who takes time; [`Exchange::told`] takes the answer.
    Inquire(Box<Inquiry>),
    /// The web application of a call is told something; nobody waits for an answer.
    Notify(Box<Notification>),
    /// Who is at the other end of a connection proved who he is, or is known by his address.
    Known(Flow),
    /// A name server is asked; [`Exchange::handle_answer`] takes what it says.
    Query(Question),
    /// Whether this agent can be reached may have changed: [`Exchange::tell_reachable`] says how it
    /// is when that is told. Two shards may have seen two changes in an order of their own.
    Reachable(String),
    /// A recording that belongs to no call here: repaired after a crash.
    Recording(Box<RecordingFacts>),
    /// The router is asked or told something.
    Router(router::Command),
    /// Requests to `host` and `port` may come to be sent over an accepted connection (RFC 5923).
    Alias {
        /// The connection.
        flow: Flow,
        /// Whom its other side says to be.
        host: Host,
        /// His port, the usual one when `None`.
        port: Option<u16>,
    },
    /// How long a connection may be silent from now on (RFC 5626).
    Silence {
        /// The connection.
        flow: Flow,
        /// So long.
        longest: Duration,
    },
    /// A trunk test is over.
    Tested(CallId, Box<TestReport>),
    /// The mailboxes are asked; their word is for the call, if one is named.
    Voicemail(Option<CallId>, Wish),
    /// A message goes out.
    Transmit {
        /// Where.
        flow: Flow,
        /// What.
        bytes: Bytes,
    },
}

/// All calls of one signalling shard.
pub struct Exchange {
    pub(super) ids: IdSource,
    pub(super) entropy: Entropy,
    pub(super) ua: UserAgent,
    pub(super) media: Engine,
    pub(super) registrar: Arc<Mutex<Registrar>>,
    pub(super) challenger: Arc<Mutex<Challenger>>,
    pub(super) gate: Gate,
    pub(super) guard: Guard,
    pub(super) load: Load,
    pub(super) carriers: Carriers,
    pub(super) desks: Desks,
    pub(super) listeners: Vec<(Protocol, SocketAddr)>,
    /// The one new calls start with, and those that living calls still use.
    pub(super) generations: BTreeMap<u64, Arc<Generation>>,
    pub(super) calls: OwnMap<CallKey, Box<Call>>,
    pub(super) next_key: u64,
    pub(super) index: Index,
    pub(super) conferences: Arc<Mutex<Conferences>>,
    pub(super) lines: Arc<Mutex<Lines>>,
    pub(super) timers: Timers<Alarm>,
    /// Registrations and OPTIONS, on the one shard that keeps the trunks.
    pub(super) keeper: Option<Box<Keeper>>,
    pub(super) outbox: VecDeque<Output>,
}

/// Why the exchange wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Alarm {
    /// A call's stage has a deadline.
    Stage(CallKey),
    /// An ended call waited long enough for media to report; it is published as it is.
    Publish(CallKey),
    /// Sockets that rest for the next leg are to be looked through.
    Tidy,
}

/// How soon after a leg its sockets are looked after, and the shortest time between two looks.
const TIDY: std::time::Duration = std::time::Duration::from_secs(1);

impl Exchange {
    /// An exchange without calls.
    pub fn new(settings: Settings) -> Self {
        let generation = settings.generation;
        generation
            .trunks
            .values()
            .for_each(|trunk| trunk.keep_names());
        Self {
            ids: settings.ids,
            entropy: settings.entropy,
            ua: settings.user_agent,
            media: settings.media,
            registrar: settings.registrar,
            challenger: settings.challenger,
            gate: settings.gate,
            guard: settings.guard,
            load: Load::default(),
            carriers: settings.carriers,
            desks: settings.desks,
            listeners: settings.listeners,
            generations: BTreeMap::from([(generation.number, generation)]),
            calls: OwnMap::default(),
            next_key: 0,
            index: Index::default(),
            conferences: settings.conferences,
            lines: settings.lines,
            timers: Timers::new(),
            keeper: None,
            outbox: VecDeque::new(),
        }
    }

    /// New calls start with this generation from now on; living calls keep theirs.
    pub fn commit(&mut self, now: Timestamp, generation: Arc<Generation>) {
        generation
            .trunks
            .values()
            .for_each(|trunk| trunk.keep_names());
        for (name, older) in &self.generation().trunks {
            if let Some(trunk) = generation.trunks.get(name) {
                trunk.remember(older);
            }
        }
        self.desks.keep(&generation.desk, |phone| {
            generation.phones.contains_key(phone)
        });
        self.generations.insert(generation.number, generation);
        self.forget_generations();
        self.watch_hosts(now);
    }

    /// Learns, and keeps learning, where the hosts are that trunks are known by; to be said once
    /// when the clock begins to run.
    pub fn watch_hosts(&mut self, now: Timestamp) {
        let trunks = self.generation().trunks.values();
        let (mut watched, mut noted) = (Vec::new(), Vec::new());
        for trunk in trunks {
            watched.extend(trunk.accept_hosts.iter().cloned());
            let targets = trunk.targets.iter().map(|target| &target.host);
            let named = targets.filter(|host| host.address().is_none());
            let named = named.map(ToString::to_string);
            // A registrar calls from where it is; of the others it is enough to know who answers.
            match trunk.profile.registers() {
                true => watched.extend(named),
                false => noted.extend(named),
            }
        }
        self.ua.note_hosts(&noted);
        self.ua.watch_hosts(now, &watched);
        self.pump(now);
    }

    /// The generation new calls start with.
    pub fn generation(&self) -> &Arc<Generation> {
        self.generations
            .last_key_value()
            .map(|(_, newest)| newest)
            .expect("one is always there")
    }

    /// Takes a message from the network.
    pub fn handle_message(&mut self, now: Timestamp, flow: Flow, message: Message) {
        let from = flow.remote.ip();
        if !self.shed(now, flow, &message) {
            self.look_for_injection(now, from, &message);
            self.ua.handle_message(now, flow, message);
            self.tell_stray(now, from);
        }
        self.pump(now);
    }

    /// Takes bytes that are no SIP message.
    pub fn handle_malformed(&mut self, now: Timestamp, flow: Flow, bytes: Bytes, why: ParseError) {
        if is_keep_alive(&bytes) {
            return;
        }
        let attack = match why {
            ParseError::TooLarge { .. } | ParseError::TooManyHeaders => Attack::OversizedMessage,
            _ => Attack::MalformedFlood,
        };
        self.guard.stray(now, attack, flow.remote.ip());
        self.ua.handle_malformed(now, flow, &bytes, &why);
        self.pump(now);
    }

    /// A connection of this shard is gone or could not be made.
    pub fn handle_transport_error(&mut self, now: Timestamp, flow: &Flow) {
        self.drop_connection(flow);
        self.handle_connection_lost(now, flow);
    }

    /// A connection of another shard is gone; that shard tells the registrar.
    pub fn handle_connection_lost(&mut self, now: Timestamp, flow: &Flow) {
        self.ua.handle_transport_error(now, flow);
        self.pump(now);
    }

    /// Takes what a name server said.
    pub fn handle_answer(&mut self, now: Timestamp, question: &Question, answer: Answer) {
        self.ua.handle_answer(now, question, answer);
        self.pump(now);
    }

    /// Takes what a media worker says.
    pub fn handle_notice(&mut self, now: Timestamp, notice: Notice) {
        if matches!(notice, Notice::LegClosed { .. })
            && self.timers.deadline(&Alarm::Tidy).is_none()
        {
            // Nothing is due yet; the first look says when something is.
            self.timers.set(Alarm::Tidy, now + TIDY);
        }
        let key = match &notice {
            Notice::AudioBack { leg, .. }
            | Notice::AudioLost { leg, .. }
            | Notice::Digit { leg, .. }
            | Notice::FirstPacket { leg }
            | Notice::LegCheckpoint { leg, .. }
            | Notice::LegClosed { leg, .. }
            | Notice::PlayDone { leg, .. }
            | Notice::Quality { leg, .. }
            | Notice::Silent { leg, .. }
            | Notice::Speaking { leg, .. }
            | Notice::Talking { leg, .. } => self.index.legs.get(leg).copied(),
            Notice::Overloaded { worker, shed } => {
                let left_out = shed.as_str();
                tracing::warn!(worker, left_out, "a media worker is late, or no longer is");
                None
            }
            Notice::RecordingTrouble { recording, .. } => {
                let key = self.index.recordings.get(recording).copied();
                if let (Some(key), Notice::RecordingTrouble { recording, why }) = (key, notice) {
                    self.with_call(now, key, |call, hands| {
                        call.on_recording_trouble(hands, recording, why);
                    });
                }
                return self.pump(now);
            }
            Notice::RecordingClosed(closed) => {
                let Some(key) = self.index.recordings.remove(&closed.recording) else {
                    if voicemail::is_in_a_mailbox(&closed.path) {
                        let is_broken_off = voicemail::is_greeting(&closed.path);
                        let wish = Wish::File(Finished::of(closed, is_broken_off));
                        self.outbox.push_back(Output::Voicemail(None, wish));
                    }
                    let found = Box::new(closed.facts());
                    self.outbox.push_back(Output::Recording(found));
                    return;
                };
                {
                    self.with_call(now, key, |call, hands| call.on_recording(hands, closed));
                }
                return self.pump(now);
            }
        };
        if let Some(key) = key {
            self.with_call(now, key, |call, hands| call.on_notice(hands, notice));
        }
        self.pump(now);
    }

    /// Takes what the router says.
    pub fn handle_router(&mut self, now: Timestamp, output: &router::Output) {
        let named = match output.call() {
            Some(call) => {
                [&self.index.calls, &self.index.heirs].map(|index| index.get(call).copied())
            }
            None => {
                let desk = worker_of(output).and_then(|agent| self.index.desks.get(agent));
                [desk.copied(), None]
            }
        };
        for key in named.into_iter().flatten() {
            self.with_call(now, key, |call, hands| call.on_router(hands, output));
        }
        self.pump(now);
    }

    /// Takes what the mailboxes say.
    pub fn handle_voicemail(&mut self, now: Timestamp, call: &CallId, word: Word) {
        let calls = [&self.index.calls, &self.index.heirs];
        let key = calls.iter().find_map(|index| index.get(call).copied());
        if let Some(key) = key {
            self.with_call(now, key, |call, hands| call.on_voicemail(hands, word));
        }
        self.pump(now);
    }

    /// A call is to look at what it stands in with others. One that is gone does not.
    pub fn rouse(&mut self, now: Timestamp, call: &CallId) {
        if let Some(key) = self.index.calls.get(call).copied() {
            self.with_call(now, key, |call, hands| call.look(hands));
            self.pump(now);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.ua.handle_timeout(now);
        self.keep_trunks(now);
        self.expire_bindings(now);
        while let Some((_, alarm)) = self.timers.pop_due(now) {
            match alarm {
                Alarm::Publish(key) => self.with_call(now, key, |call, hands| {
                    call.wait_no_longer(hands);
                }),
                Alarm::Stage(key) => self.with_call(now, key, |call, hands| {
                    call.handle_timeout(hands);
                }),
                Alarm::Tidy => {
                    if let Some(at) = self.media.tidy() {
                        // Not for each of a thousand legs by itself.
                        self.timers.set(Alarm::Tidy, at.max(now + TIDY));
                    }
                }
            }
        }
        self.pump(now);
    }

    /// When to be woken.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        [
            self.timers.next(),
            self.ua.poll_timeout(),
            self.next_expiry(),
            self.keeper.as_deref().and_then(Keeper::poll_timeout),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Lets media begin with what it was told since the last time.
    pub fn wake_media(&self) {
        self.media.wake();
    }

    /// What is to be done, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// Ends every call, with BYE, CANCEL or 503 as its state wants it.
    pub fn end_all(&mut self, now: Timestamp) {
        self.leave_trunks(now);
        let cause = Cause::from_status(503).with_words("the switch stops");
        let keys: Vec<CallKey> = self.calls.keys().copied().collect();
        for key in keys {
            self.with_call(now, key, |call, hands| {
                call.end(hands, Party::Switch, &cause);
                // Whoever ends after-call work later finds no call to tell of it.
                call.core.wrap_ended(hands, None);
            });
        }
        self.pump(now);
    }

    /// Calls that live, or are over and not yet published.
    pub fn call_count(&self) -> usize {
        self.calls.len()
    }

    /// Which way each call in progress goes, and what its caller is in. Unlike
    /// [`Exchange::records`] it copies nothing that grows with a call.
    pub fn present(&self) -> Vec<(Direction, Stretch)> {
        let records = self.calls.values().map(|call| &call.core.record);
        records
            .filter_map(|record| Some((record.direction?, record.stretch()?)))
            .collect()
    }

    /// The record, so far, of one call.
    pub fn record(&self, call: &CallId) -> Option<CallRecord> {
        let call = self.calls.get(self.index.calls.get(call)?)?;
        Some(call.core.record.clone())
    }

    /// The records, so far, of all calls here.
    pub fn records(&self) -> Vec<CallRecord> {
        self.calls
            .values()
            .map(|call| call.core.record.clone())
            .collect()
    }

    /// What is open, for tests that look for leaks: calls, sessions, transactions, media legs,
    /// conferences.
    pub fn inventory(&self) -> [usize; 5] {
        [
            self.calls.len(),
            self.ua.session_count(),
            self.ua.transaction_count(),
            self.index.legs.len(),
            self.conferences
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .len(),
        ]
    }

    /// Lends two calls the world for one event.
    pub(super) fn with_two(
        &mut self,
        now: Timestamp,
        (first, second): (CallKey, CallKey),
        act: impl FnOnce(&mut Call, &mut Call, &mut Hands<'_>),
    ) {
        let Some(mut other) = self.calls.remove(&second) else {
            return;
        };
        self.with_call(now, first, |call, hands| act(call, &mut other, hands));
        self.look_after(other);
    }

    /// Lends a call the world for one event, then looks whether it is done.
    pub(super) fn with_call(
        &mut self,
        now: Timestamp,
        key: CallKey,
        act: impl FnOnce(&mut Call, &mut Hands<'_>),
    ) {
        let Some(mut call) = self.calls.remove(&key) else {
            return;
        };
        let mut hands = Hands {
            now,
            ua: &mut self.ua,
            media: &self.media,
            ids: &mut self.ids,
            entropy: &mut self.entropy,
            registrar: &self.registrar,
            conferences: &self.conferences,
            lines: &self.lines,
            generations: &self.generations,
            index: &mut self.index,
            outbox: &mut self.outbox,
            carriers: &self.carriers,
            desks: &self.desks,
            listeners: &self.listeners,
        };
        act(&mut call, &mut hands);
        self.look_after(call);
    }

    /// Takes a call into the exchange.
    pub(super) fn admit(&mut self, call: Box<Call>) {
        let (key, id): (CallKey, CallId) = (call.core.key, call.core.id.clone());
        self.index.calls.insert(id, key);
        for id in &call.core.also {
            self.index.heirs.insert(id.clone(), key);
        }
        self.calls.insert(key, call);
        self.gate.enter();
    }

    /// Lets go of what no call runs under any more.
    pub(super) fn forget_generations(&mut self) {
        if self.generations.len() < 2 {
            return;
        }
        let newest = self.generation().number;
        let calls = &self.calls;
        self.generations.retain(|number, _| {
            *number == newest || calls.values().any(|call| call.core.generation == *number)
        });
    }
}
