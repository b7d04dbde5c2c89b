//! What HTTP sees of the running switch.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use super::shards::Counters;
use crate::base::{CallId, Clock, LegId, Timestamp};
use crate::calendar::{Calendar, Closing, Closings};
use crate::call::Boards;
use crate::call::task::Order;
use crate::call::{
    ConferenceView, Conferences, Control, ControlError, Desks, Gate, LineView, Lines, NoPlace,
    PlaceError, Placing, TestReport,
};
use crate::config::{Environment, Office};
use crate::events::{Bus, CallRecord};
use crate::flow::FlowType;
use crate::http::metrics::{
    DefenceSnapshot, MediaSnapshot, RecorderSnapshot, SipSnapshot, Snapshot, Source,
    TransportSnapshot,
};
use crate::http::{Account, Live, Pulse, Reload, view};
use crate::media::{Captured, Engine, Kept};
use crate::registrar::Registrar;
use crate::router::{Declined, Explanation, Prospects, RouterHandle, RouterView, Supposed};
use crate::runtime::SystemClock;
use crate::runtime::logging::Logging;
use crate::sip::auth::Challenger;
use crate::sip::guard::{Attack, Ban, Guard};
use crate::sip::trace::{Exporter, Numbers, Traced};
use crate::sip::transport::{Tls, TransportStats};
use crate::speech::Speech;
use crate::store::{Progress, Records};
use crate::trunk::{Carriers, TrunkView};
use crate::trunk::{NumberOverride, NumberOverrides};
use crate::twiml::{Modification, Sid};
use crate::voicemail::{DeadMail, Keeper as Mailboxes, LetterKey, Post};
use crate::webhook::{LetterView, ReplayError, ShelfError, Web};

use super::closings::Closer;
use super::overrides::Overrider;
use super::pulse::Beats;
use super::retention::Tally;
use super::trunk_ear;
use super::views::Views;

/// Handles to every room, for those who look in from outside.
pub(super) struct House {
    pub(super) clock: Arc<SystemClock>,
    pub(super) orders: Vec<mpsc::Sender<Order>>,
    pub(super) router: RouterHandle,
    pub(super) engine: Engine,
    pub(super) registrar: Arc<Mutex<Registrar>>,
    pub(super) records: Records,
    /// Recordings whose time had come.
    pub(super) retention: Arc<Tally>,
    pub(super) gate: Gate,
    pub(super) guard: Guard,
    pub(super) challenger: Arc<Mutex<Challenger>>,
    pub(super) carriers: Carriers,
    pub(super) desks: Desks,
    pub(super) voicemail: Mailboxes,
    pub(super) post: Post,
    pub(super) beats: Arc<Beats>,
    pub(super) closer: Arc<Closer>,
    pub(super) boards: Boards,
    pub(super) overrider: Arc<Overrider>,
    pub(super) bus: Bus,
    pub(super) counters: Vec<Counters>,
    pub(super) tls: Tls,
    pub(super) web: Web,
    pub(super) speech: Speech,
    pub(super) kept: Kept,
    pub(super) progress: Arc<Progress>,
    pub(super) logging: Logging,
    pub(super) exporter: Option<Exporter>,
    pub(super) views: Views,
    pub(super) conferences: Arc<Mutex<Conferences>>,
    pub(super) lines: Arc<Mutex<Lines>>,
    /// Calls that the REST API has placed.
    pub(super) placed: AtomicUsize,
    pub(super) generation: AtomicU64,
    pub(super) office: ArcSwap<Office>,
    pub(super) directory: PathBuf,
    pub(super) environment: Environment,
    pub(super) reloading: Mutex<()>,
}

impl fmt::Debug for House {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("House")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl House {
    /// Asks every shard; those that do not take the question are left out.
    fn ask<T>(&self, question: impl Fn(oneshot::Sender<T>) -> Order) -> Vec<T> {
        let asked: Vec<_> = self
            .orders
            .iter()
            .filter_map(|orders| {
                let (reply, answer) = oneshot::channel();
                orders.try_send(question(reply)).ok().map(|()| answer)
            })
            .collect();
        asked
            .into_iter()
            .filter_map(|answer| answer.blocking_recv().ok())
            .collect()
    }

    fn with_conferences<T>(&self, act: impl FnOnce(&mut Conferences) -> T) -> T {
        let conferences = self.conferences.lock();
        act(&mut conferences.unwrap_or_else(PoisonError::into_inner))
    }

    fn with_lines<T>(&self, act: impl FnOnce(&mut Lines) -> T) -> T {
        act(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn sip_now(&self) -> SipSnapshot {
        let mut sum = SipSnapshot::default();
        for counters in &self.counters {
            add(&counters.sip, &mut sum);
            add_transport(&counters.transport, &mut sum.transport);
        }
        for [_, sessions, transactions, ..] in self.ask(Order::Inventory) {
            sum.sessions += sessions as u64;
            sum.transactions += transactions as u64;
        }
        sum.refused_by_gate += self.gate.refusals();
        sum
    }
}

impl Live for House {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn voicemail(&self) -> Mailboxes {
        self.voicemail.clone()
    }

    fn calls(&self) -> Vec<CallRecord> {
        self.ask(Order::Records).into_iter().flatten().collect()
    }

    fn call(&self, id: &str) -> Option<CallRecord> {
        let call = CallId::new(id);
        let orders = self.orders.get(usize::from(call.shard()?.0))?;
        let (reply, answer) = oneshot::channel();
        orders.try_send(Order::Record(call, reply)).ok()?;
        answer.blocking_recv().ok()?.map(|record| *record)
    }

    fn account(&self) -> Option<Account> {
        let office = self.office.load();
        let account = office.webhooks.account.as_ref()?;
        let rest = office.node.rest.as_ref()?;
        let sip = &office.node.sip;
        let listener = sip.listeners.first().map(|(_, address)| address.ip());
        let local = IpAddr::from([127, 0, 0, 1]);
        Some(Account {
            sid: account.sid.parse().ok()?,
            token: account.token.clone(),
            url: rest.url.clone(),
            host: listener.map_or(local, |ip| sip.advertised_for(ip)),
            recordings: office.node.recordings.clone(),
        })
    }

    fn conferences(&self) -> Vec<ConferenceView> {
        self.with_conferences(|all| all.view())
    }

    fn promise_conference(&self, name: &str) -> Option<Sid> {
        let now = self.clock.now();
        self.with_conferences(|all| all.promise(now, name))
    }

    fn promised_conference(&self, sid: &str) -> Option<String> {
        let now = self.clock.now();
        self.with_conferences(|all| all.promised(now, sid))
    }

    fn lines(&self) -> Vec<LineView> {
        self.with_lines(|lines| lines.view())
    }

    fn make_line(&self, name: &str, max_size: u32) -> Result<(), NoPlace> {
        let now = self.clock.now();
        self.with_lines(|lines| lines.make(now, name, max_size))
    }

    fn remove_line(&self, name: &str) -> bool {
        self.with_lines(|lines| lines.remove(name))
    }

    fn call_by_sid(&self, sid: &Sid) -> Option<CallRecord> {
        let found = self.ask(|reply| Order::Find(sid.clone(), reply));
        found.into_iter().flatten().next().map(|record| *record)
    }

    fn place(&self, placing: Placing) -> Result<CallRecord, PlaceError> {
        // Each shard in its turn.
        let turn = self.placed.fetch_add(1, Ordering::Relaxed);
        let shard = turn % self.orders.len().max(1);
        let orders = self.orders.get(shard).ok_or(PlaceError::Full)?;
        let (reply, answer) = oneshot::channel();
        orders
            .try_send(Order::Place(Box::new(placing), reply))
            .map_err(|_| PlaceError::Full)?;
        let placed = answer.blocking_recv().unwrap_or(Err(PlaceError::Full));
        placed.map(|record| *record)
    }

    fn modify(&self, id: &str, wish: Modification) -> Result<(), ControlError> {
        let call = CallId::new(id);
        let shard = call.shard().ok_or(ControlError::NoCall)?;
        let orders = self.orders.get(usize::from(shard.0));
        let orders = orders.ok_or(ControlError::NoCall)?;
        let (reply, answer) = oneshot::channel();
        orders
            .blocking_send(Order::Modify(call, wish, reply))
            .map_err(|_| ControlError::NoCall)?;
        answer.blocking_recv().unwrap_or(Err(ControlError::NoCall))
    }

    fn why(&self, id: &str) -> Option<Explanation> {
        self.router.explain_call(CallId::new(id))
    }

    fn who(&self, supposed: Supposed) -> Result<Prospects, Declined> {
        self.router.who(supposed)
    }

    fn router(&self) -> Arc<RouterView> {
        self.router.view()
    }

    fn beat(&self, agent: &str) -> Option<Pulse> {
        self.hear(agent)
    }

    fn end_beats(&self, agent: &str) -> Option<bool> {
        self.hear_no_more(agent)
    }

    fn control(&self, id: &str, wish: Control) -> Result<Option<LegId>, ControlError> {
        let call = CallId::new(id);
        let shard = call.shard().ok_or(ControlError::NoCall)?;
        let orders = self
            .orders
            .get(usize::from(shard.0))
            .ok_or(ControlError::NoCall)?;
        let (reply, answer) = oneshot::channel();
        orders
            .blocking_send(Order::Control(call, wish, reply))
            .map_err(|_| ControlError::NoCall)?;
        answer.blocking_recv().unwrap_or(Err(ControlError::NoCall))
    }

    fn bans(&self) -> Vec<Ban> {
        self.guard.bans(self.clock.now())
    }

    fn lift(&self, address: IpAddr) -> bool {
        self.guard.lift(self.clock.now(), address)
    }

    fn calendars(&self) -> Vec<Arc<Calendar>> {
        self.office.load().calendars.values().cloned().collect()
    }

    fn closings(&self) -> Arc<Closings> {
        self.boards.closings.read()
    }

    fn close(&self, calendar: &str, closing: Closing) -> Result<(), String> {
        let closed = self.closer.close(calendar, &closing);
        closed.map_err(|error| format!("the closing cannot be written: {error}"))
    }

    fn open(&self, calendar: &str) -> Result<bool, String> {
        let opened = self.closer.open(calendar);
        opened.map_err(|error| format!("the closing cannot be taken back: {error}"))
    }

    fn inbound_number(&self, number: &str) -> Option<String> {
        let office = self.office.load();
        office.numbers.inbound_number(number).map(str::to_owned)
    }

    fn is_flow_for_callers(&self, flow: &str) -> bool {
        let office = self.office.load();
        let document = office.flows.get(flow);
        document.is_some_and(|document| document.flow_type == FlowType::Inbound)
    }

    fn overrides(&self) -> Arc<NumberOverrides> {
        self.boards.overrides.read()
    }

    fn set_override(&self, number: &str, it: NumberOverride) -> Result<(), String> {
        let set = self.overrider.write(number, &it);
        set.map_err(|error| format!("the override cannot be written: {error}"))
    }

    fn lift_override(&self, number: &str) -> Result<bool, String> {
        let lifted = self.overrider.remove(number);
        lifted.map_err(|error| format!("the override cannot be taken back: {error}"))
    }

    fn trunks(&self) -> Vec<TrunkView> {
        let now = self.clock.now();
        let office = self.office.load();
        let views = office.trunks.iter();
        let mut views: Vec<TrunkView> = views.map(|it| self.carriers.view(now, it)).collect();
        views.sort_by(|a, b| a.name.cmp(&b.name));
        views
    }

    fn test_trunk(&self, name: &str, number: Option<String>) -> Result<TestReport, String> {
        let gone = || "the switch stops".to_owned();
        let (reply, answer) = oneshot::channel();
        // The shard that keeps the trunks.
        let orders = self.orders.first().ok_or_else(gone)?;
        orders
            .blocking_send(Order::TestTrunk(name.to_owned(), number, reply))
            .map_err(|_| gone())?;
        let mut report = answer.blocking_recv().map_err(|_| gone())??;
        let recordings = &self.office.load().node.recordings;
        trunk_ear::listen(&mut report, recordings);
        Ok(report)
    }

    fn messages(&self) -> Vec<Traced> {
        self.ask(Order::Trace).into_iter().flatten().collect()
    }

    fn numbers(&self) -> Numbers {
        self.office.load().node.trace.numbers
    }

    fn watch(&self, id: &str, time: Duration) -> Vec<Captured> {
        let Some(mut view) = self.views.open(&self.engine) else {
            tracing::warn!("media workers hold earlier captures: no other begins");
            return Vec::new();
        };
        let mut packets = Vec::new();
        let end = Instant::now() + time;
        while let Some(record) = self.call(id).filter(|record| record.ended.is_none()) {
            let living = record.legs.iter().filter(|leg| leg.ended.is_none());
            view.look_at(&self.engine, living.map(|leg| leg.leg));
            std::thread::sleep(CAPTURE_LOOK.min(end.saturating_duration_since(Instant::now())));
            packets.extend(view.take());
            if Instant::now() >= end || packets.len() >= MOST_CAPTURED {
                break;
            }
        }
        self.views.close(&self.engine, &mut view);
        packets.extend(view.take());
        packets
    }

    fn reload(&self, reload: Reload) -> Result<String, String> {
        self.load_again(reload)
    }

    fn dead_letters(&self, limit: usize) -> Result<Vec<LetterView>, ShelfError> {
        let mut letters = self.web.dead_letters(limit)?;
        let dead = self
            .voicemail
            .with_shelf(self.clock.now(), |shelf| shelf.dead_mail());
        letters.extend(dead.into_iter().map(shown_mail));
        // RFC 3339 of one zone: the order of the words is that of time.
        letters.sort_by(|one, other| other.died.cmp(&one.died));
        letters.truncate(limit);
        Ok(letters)
    }

    fn replay_letter(&self, id: &str) -> Result<(), ReplayError> {
        if !LetterKey::is_one(id) {
            return self.web.replay(id);
        }
        let now = self.clock.now();
        let replayed = self
            .voicemail
            .with_shelf(now, |shelf| self.post.replay(now, shelf, id));
        match replayed.map_err(|error| ShelfError(error.to_string()))? {
            true => Ok(()),
            false => Err(ReplayError::NoLetter(id.to_owned())),
        }
    }

    fn discard_letter(&self, id: &str) -> Result<bool, ShelfError> {
        if !LetterKey::is_one(id) {
            return self.web.discard(id);
        }
        let now = self.clock.now();
        let discarded = self
            .voicemail
            .with_shelf(now, |shelf| self.post.discard(now, shelf, id));
        discarded.map_err(|error| ShelfError(error.to_string()))
    }

    fn alive(&self) -> Result<(), String> {
        let answered = self.ask(Order::Inventory).len();
        if answered < self.orders.len() {
            return Err(format!(
                "{} of {} signalling shards do not answer",
                self.orders.len() - answered,
                self.orders.len()
            ));
        }
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        if self.gate.is_draining() {
            return Err("draining".to_owned());
        }
        if !self.engine.ready() {
            return Err("a media worker is late".to_owned());
        }
        if !self.router.is_ready() {
            return Err("the router's journal cannot be written".to_owned());
        }
        self.alive()
    }
}

impl Source for House {
    fn snapshot(&self) -> Snapshot {
        let media = self.engine.stats();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let office = self.office.load();
        let router = self.router.view();
        let calls = self.ask(Order::Present).into_iter().flatten().collect();
        let registered = self
            .registrar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .phones()
            .count();
        Snapshot {
            region: office.node.region.clone(),
            node: office.node.name.clone(),
            generation: self.generation.load(Ordering::Acquire),
            ready: self.ready().is_ok(),
            clock_error_seconds: self.clock.error() as f64 / 1e6,
            calls,
            registrations: registered as u64,
            phones: office.phones.len() as u64,
            queues: view::queue_snapshots(&router, self.clock.now()),
            agents: view::agent_states(&router),
            trunks: self.trunks(),
            sip: self.sip_now(),
            media: MediaSnapshot {
                packets_received: read(&media.packets_in),
                packets_sent: read(&media.packets_out),
                packets_lost: read(&media.lost),
                packets_refused: read(&media.refused),
                srtp_forged: read(&media.srtp_forged),
                srtp_malformed: read(&media.srtp_malformed),
                srtp_replayed: read(&media.srtp_replayed),
                srtp_unsent: read(&media.srtp_unsent),
                late_ticks: read(&media.late_ticks),
                late_workers: read(&media.late_workers),
                legs: read(&media.legs),
                rooms: read(&media.rooms),
                ports_in_use: read(&media.ports_in_use),
                ports_quarantined: read(&media.ports_quarantined),
            },
            recorder: RecorderSnapshot {
                active: read(&media.recordings),
                backlog: read(&media.recorder_backlog),
                missed_samples: read(&media.recorder_missed_samples),
                failing: read(&media.recordings_failing),
                unpublished: read(&media.recordings_unpublished),
                failed_writes: read(&media.recorder_failed_writes),
                deleted: read(&self.retention.deleted),
                deletions_failed: read(&self.retention.failed),
            },
            records_waiting: self.records.waiting() as u64,
            journal_facts: self.progress.written(),
            journal_unsynced: self
                .progress
                .written()
                .saturating_sub(self.progress.synced()),
            defence: DefenceSnapshot {
                attacks: Attack::ALL
                    .map(|attack| (attack.as_str(), self.guard.tally().of(attack)))
                    .into(),
                bans: self.guard.bans(self.clock.now()).len() as u64,
                turned_away: self.guard.turned_away(),
                overloaded: u64::from(self.gate.overloaded()),
            },
            web: self.web.figures(),
            mail: self.post.figures(),
            events_lost: self.bus.lost(),
            log_lines_dropped: self.logging.dropped(),
            hep: self.exporter.as_ref().map_or([0; 2], |exporter| {
                let stats = exporter.stats();
                [read(&stats.sent), read(&stats.lost)]
            }),
        }
    }
}

/// E-mail that was given up, as other dead letters are listed.
fn shown_mail(dead: DeadMail) -> LetterView {
    LetterView {
        id: dead.key.id(),
        to: format!("mailto:{}", dead.key.to),
        what: format!(
            "message {} of mailbox {}",
            dead.key.message, dead.key.mailbox
        ),
        call: Some(dead.message.call.to_string()),
        made: dead.message.at.to_rfc3339(),
        died: dead.died.to_rfc3339(),
        tries: dead.tries,
        kind: "mail".to_owned(),
        words: dead.words,
    }
}

/// Adds one shard's counters.
fn add(stats: &crate::sip::Stats, sum: &mut SipSnapshot) {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    for (method, count) in stats.requests_received() {
        match sum.requests.iter_mut().find(|(known, _)| known == method) {
            Some((_, total)) => *total += count,
            None => sum.requests.push((method.to_owned(), count)),
        }
    }
    for (status, count) in stats.responses_received().chain(stats.responses_sent()) {
        match sum.responses.iter_mut().find(|(known, _)| *known == status) {
            Some((_, total)) => *total += count,
            None => sum.responses.push((status, count)),
        }
    }
    sum.malformed += read(&stats.malformed);
    sum.retransmissions += read(&stats.repeats_sent);
    sum.questions += read(&stats.questions);
    sum.failovers += read(&stats.failovers);
    sum.resting += read(&stats.resting);
    sum.dropped += read(&stats.dropped);
    sum.refused_by_gate += read(&stats.overloaded);
}

/// Packets of one capture: a flood at a leg's port must not fill the memory. Some 40 MB.
const MOST_CAPTURED: usize = 50_000;

/// How often a capture is emptied, and new legs are looked for.
const CAPTURE_LOOK: Duration = Duration::from_millis(100);

fn add_transport(stats: &TransportStats, sum: &mut TransportSnapshot) {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    sum.connections += read(&stats.connections);
    sum.accepted += read(&stats.connections_accepted);
    sum.opened += read(&stats.connections_opened);
    sum.refused += read(&stats.connections_refused);
    sum.cut += read(&stats.connections_cut);
    sum.unreachable += read(&stats.connections_unreachable);
    sum.handshakes_failed += read(&stats.handshakes_failed);
    sum.pings_answered += read(&stats.pings_answered);
    sum.datagrams_received += read(&stats.datagrams_received);
    sum.datagrams_unsent += read(&stats.datagrams_unsent);
}
