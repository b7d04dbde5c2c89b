//! The shard's pump: sockets, channels and the timer of one [`Exchange`]. No telephony here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::exchange::{Exchange, Output};
use super::{Control, ControlError, Gate, Generation, Inquiry, Supply, TestReport};
use crate::base::{CallId, Clock, LegId, ShardId, Timestamp};
use crate::events::{Bus, CallRecord, Direction, RecordingFacts, Stretch};
use crate::flow::Reply;
use crate::media::NoticeReceiver;
use crate::router;
use crate::sip::guard::Admission;
use crate::sip::location::{Answer, Question, Resolver};
use crate::sip::trace::{Trace, Traced, Way};
use crate::sip::transport::{Incoming, Transport};
use crate::sip::{ConnectionId, Flow, Message, owner_shard};
use crate::twiml::Modification;
use crate::voicemail::{Wish, Word};
use crate::webhook::Notice;

/// What others ask of a shard.
#[derive(Debug)]
pub enum Order {
    /// A name server said something.
    Answer(Question, Answer),
    /// New calls start with this generation from now on.
    Commit(Arc<Generation>),
    /// A connection that another shard holds is gone.
    ConnectionLost(Flow),
    /// Do something to a call.
    Control(
        CallId,
        Control,
        oneshot::Sender<Result<Option<LegId>, ControlError>>,
    ),
    /// End all calls; the switch stops.
    EndCalls,
    /// What is open: calls, sessions, transactions, media legs, conferences.
    Inventory(oneshot::Sender<[usize; 5]>),
    /// Who is at the other end of a connection of this shard is known.
    Known(Flow),
    /// A message that reached another shard's socket and belongs to a dialog of this one.
    Receive(Flow, Bytes),
    /// Which way each call in progress here goes, and what its caller is in.
    Present(oneshot::Sender<Vec<(Direction, Stretch)>>),
    /// The record, so far, of one call.
    Record(CallId, oneshot::Sender<Option<Box<CallRecord>>>),
    /// The records, so far, of all calls here.
    Records(oneshot::Sender<Vec<CallRecord>>),
    /// The router speaks.
    Router(Box<router::Output>),
    /// The REST API wants something else of a call that is in an application.
    Modify(
        CallId,
        Modification,
        oneshot::Sender<Result<(), ControlError>>,
    ),
    /// What a call here stands in with others has changed.
    Rouse(CallId),
    /// How long a connection of this shard may be silent from now on.
    Silence(Flow, Duration),
    /// A question of a call's flow is answered.
    Told(CallId, u64, Box<Reply>),
    /// A question of a call's document is answered.
    Supplied(CallId, u64, Box<Supply>),
    /// Test a trunk with a call to a number.
    TestTrunk(
        String,
        Option<String>,
        oneshot::Sender<Result<TestReport, String>>,
    ),
    /// End the loop; calls that live are left as they are.
    Stop,
    /// The messages of the last minutes, as this shard's sockets saw them.
    Trace(oneshot::Sender<Vec<Traced>>),
    /// The mailboxes say something to a call.
    Voicemail(CallId, Box<Word>),
    /// A message for a connection that this shard holds.
    Transmit(Flow, Bytes),
}

/// Where a shard's outputs go.
pub trait Outlets: Send {
    /// Somebody is asked for a call's flow; his answer goes back as an order to the shard. Does not
    /// wait.
    fn inquire(&mut self, inquiry: Box<Inquiry>, answers: mpsc::Sender<Order>);
    /// The web application of a call is told something. Does not wait.
    fn notify(&mut self, notice: Box<Notice>);
    /// A phone registered or unregistered: bindings are to be stored.
    fn bindings_changed(&mut self);
    /// A recording of a call that died with an earlier process was repaired.
    fn recording_found(&mut self, recording: Box<RecordingFacts>);
    /// A call's record is to be stored; one of the same call is replaced.
    fn publish(&mut self, record: Box<CallRecord>);
    /// The mailboxes are asked; their word comes back as an order. Does not wait.
    fn ask_voicemail(&mut self, call: Option<CallId>, wish: Wish);
    /// The router is told something; does not wait.
    /// Gives the command back when the router takes no more.
    fn route(&mut self, command: router::Command) -> Result<(), Box<router::Command>>;
}

/// One shard with everything it owns.
pub struct Shard<O> {
    /// Calls, dialogs, transactions.
    pub exchange: Exchange,
    /// Sockets.
    pub transport: Transport,
    /// What media says.
    pub notices: NoticeReceiver,
    /// What others ask.
    pub orders: mpsc::Receiver<Order>,
    /// Which shard this is, and where the others (itself included) take orders.
    pub peers: Peers,
    /// Whom names are asked of.
    pub resolver: Resolver,
    /// Where records, bindings and router commands go.
    pub outlets: O,
    /// Where events are heard.
    pub bus: Bus,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Told when the shard is behind its work.
    pub gate: Gate,
    /// Who waits for which trunk test.
    pub tests: HashMap<CallId, oneshot::Sender<Result<TestReport, String>>>,
    /// What went over the network lately.
    pub trace: Trace,
}

/// All shards of the node, by number.
#[derive(Clone, Debug)]
pub struct Peers {
    /// This shard.
    pub own: ShardId,
    /// Every shard's orders.
    pub orders: Vec<mpsc::Sender<Order>>,
}

impl Peers {
    /// Hands something to another shard; gives it back when it is our own, or no such shard
    /// exists. A full queue loses the message as a network would, and SIP sends it again.
    fn hand_over(&self, shard: ShardId, order: Order) -> Result<(), Order> {
        match self.orders.get(usize::from(shard.0)) {
            Some(peer) if shard != self.own => {
                if peer.try_send(order).is_err() {
                    tracing::warn!(shard = shard.0, "shard too busy, message lost");
                }
                Ok(())
            }
            _ => Err(order),
        }
    }
}

/// Messages handled before timers and channels get their turn again; a burst of this length takes
/// a few milliseconds.
const BURST: usize = 64;

/// A timer this much overdue means that the shard cannot keep up.
const LATE: Duration = Duration::from_millis(200);

impl<O: Outlets> Shard<O> {
    /// Runs until [`Order::Stop`] or until nobody can give orders any more.
    pub async fn run(mut self) {
        self.exchange.watch_hosts(self.clock.now());
        if self.peers.own == ShardId(0) {
            self.exchange.begin_trunks(self.clock.now());
        }
        self.flush();
        loop {
            let now = self.clock.now();
            let wait = self.exchange.poll_timeout().map(|at| at.since(now));
            tokio::select! {
                incoming = self.transport.recv() => {
                    self.receive(incoming);
                    for _ in 1..BURST {
                        let Some(incoming) = self.transport.try_recv() else {
                            self.exchange.caught_up(self.clock.now());
                            break;
                        };
                        self.receive(incoming);
                    }
                }
                notice = self.notices.recv() => {
                    self.exchange.handle_notice(self.clock.now(), notice);
                    while let Some(notice) = self.notices.try_recv() {
                        self.exchange.handle_notice(self.clock.now(), notice);
                    }
                }
                order = self.orders.recv() => match order {
                    None | Some(Order::Stop) => return,
                    Some(order) => self.obey(order),
                },
                () = sleep(wait) => self.wake(),
            }
            self.flush();
            // Once a turn: what the turn says goes out first, and a worker wakes once for all.
            self.exchange.wake_media();
        }
    }

    fn receive(&mut self, incoming: Incoming) {
        let now = self.clock.now();
        match incoming {
            Incoming::Closed(flow) | Incoming::Failed(flow) => {
                self.exchange.handle_transport_error(now, &flow);
                for shard in 0..self.peers.orders.len() {
                    let shard = ShardId(u16::try_from(shard).unwrap_or(u16::MAX));
                    let _ = self.peers.hand_over(shard, Order::ConnectionLost(flow));
                }
            }
            Incoming::Datagram(flow, bytes) => self.parse(now, flow, bytes),
        }
        self.flush();
    }

    fn parse(&mut self, now: Timestamp, flow: Flow, bytes: Bytes) {
        match self.exchange.screen(now, &flow, &bytes) {
            Admission::Drop => return,
            Admission::Pass => {}
            Admission::Refuse(status, seconds) => {
                if let Ok(message) = Message::parse(bytes) {
                    let answer = (status, seconds);
                    self.exchange.turn_away(now, flow, &message, answer);
                }
                return;
            }
        }
        match Message::parse(bytes.clone()) {
            Ok(message) => {
                self.trace.note(Traced::new(now, Way::In, flow, &bytes));
                // Alone, every message is ours, and reading its branch and tags is for nothing.
                if self.peers.orders.len() > 1
                    && let Some(owner) =
                        owner_shard(&message).filter(|owner| *owner != self.peers.own)
                    && self
                        .peers
                        .hand_over(owner, Order::Receive(flow, bytes))
                        .is_ok()
                {
                    return;
                }
                self.exchange.handle_message(now, flow, message);
            }
            Err(why) => self.exchange.handle_malformed(now, flow, bytes, why),
        }
    }

    fn wake(&mut self) {
        let now = self.clock.now();
        let overdue = self
            .exchange
            .poll_timeout()
            .map_or(Duration::ZERO, |at| now.since(at));
        let is_late = overdue > LATE;
        self.gate.set_late(self.peers.own, is_late);
        let is_overloaded = self.exchange.is_overloaded();
        self.gate.set_overloaded(self.peers.own, is_overloaded);
        self.exchange.handle_timeout(now);
    }

    fn obey(&mut self, order: Order) {
        let now = self.clock.now();
        match order {
            Order::Answer(question, answer) => {
                self.exchange.handle_answer(now, &question, answer);
            }
            Order::Commit(generation) => {
                self.exchange.commit(now, generation);
                self.exchange.commit_trunks(now);
            }
            Order::ConnectionLost(flow) => self.exchange.handle_connection_lost(now, &flow),
            // An asker that is gone does not need the answer.
            Order::Control(call, wish, reply) => {
                let _ = reply.send(self.exchange.control(now, &call, wish));
            }
            Order::EndCalls => self.exchange.end_all(now),
            Order::Inventory(reply) => {
                let _ = reply.send(self.exchange.inventory());
            }
            Order::Known(flow) => self.transport.know(&flow),
            Order::Modify(call, wish, reply) => {
                let _ = reply.send(self.exchange.modify(now, &call, wish));
            }
            Order::Supplied(call, ticket, supply) => {
                self.exchange.supplied(now, &call, ticket, &supply);
            }
            Order::Receive(flow, bytes) => {
                if let Ok(message) = Message::parse(bytes) {
                    self.exchange.handle_message(now, flow, message);
                }
            }
            Order::Present(reply) => {
                let _ = reply.send(self.exchange.present());
            }
            Order::Record(call, reply) => {
                let _ = reply.send(self.exchange.record(&call).map(Box::new));
            }
            Order::Records(reply) => {
                let _ = reply.send(self.exchange.records());
            }
            Order::Router(output) => self.exchange.handle_router(now, &output),
            Order::Rouse(call) => self.exchange.rouse(now, &call),
            Order::Silence(flow, longest) => self.transport.set_idle(&flow, longest),
            Order::Stop => {}
            Order::TestTrunk(name, number, reply) => {
                match self.exchange.test_trunk(now, &name, number) {
                    Ok(call) => drop(self.tests.insert(call, reply)),
                    Err(why) => drop(reply.send(Err(why))),
                }
            }
            Order::Told(call, request, reply) => self.exchange.told(now, &call, request, &reply),
            Order::Trace(reply) => {
                let _ = reply.send(self.trace.messages());
            }
            Order::Transmit(flow, bytes) => self.transport.send(&flow, bytes),
            Order::Voicemail(call, word) => self.exchange.handle_voicemail(now, &call, *word),
        }
    }

    /// A command the router has no room for is refused in its name: one that asks for something
    /// new. What ends something, and what only says how it is, always finds room.
    fn route(&mut self, command: router::Command) {
        if let Err(command) = self.outlets.route(command) {
            let refused = router::Output::Refused {
                command,
                why: router::Refusal::QueueFull,
            };
            self.exchange.handle_router(self.clock.now(), &refused);
        }
    }

    /// The answer comes back as an order; a full queue is waited for by the question's own task.
    fn ask(&self, question: Question) {
        let own = usize::from(self.peers.own.0);
        if let Some(orders) = self.peers.orders.get(own).cloned() {
            self.resolver
                .ask(question, move |question, answer| async move {
                    // A shard that is gone asks nothing.
                    let _ = orders.send(Order::Answer(question, answer)).await;
                });
        }
    }

    /// Lets a call look, wherever it is.
    fn rouse(&mut self, call: CallId) {
        let shard = call.shard().unwrap_or(self.peers.own);
        if let Err(order) = self.peers.hand_over(shard, Order::Rouse(call)) {
            self.obey(order);
        }
    }

    /// Gives an order to the shard that holds a connection.
    fn tell_holder(&mut self, flow: Flow, order: Order) {
        let holder = flow.connection.map_or(self.peers.own, ConnectionId::shard);
        if let Err(order) = self.peers.hand_over(holder, order) {
            self.obey(order);
        }
    }

    fn flush(&mut self) {
        while let Some(output) = self.exchange.poll_output() {
            match output {
                // Another shard's connection is not known here, and goes without.
                Output::Alias { flow, host, port } => {
                    self.transport.alias(&flow, &host, port);
                }
                Output::Bindings => self.outlets.bindings_changed(),
                Output::Event(event) => {
                    self.bus.publish(&event);
                }
                Output::Inquire(inquiry) => {
                    let own = usize::from(self.peers.own.0);
                    if let Some(orders) = self.peers.orders.get(own).cloned() {
                        self.outlets.inquire(inquiry, orders);
                    }
                }
                Output::Notify(notice) => self.outlets.notify(notice),
                Output::Known(flow) => self.tell_holder(flow, Order::Known(flow)),
                Output::Query(question) => self.ask(question),
                Output::Reachable(agent) => {
                    let (exchange, outlets) = (&self.exchange, &mut self.outlets);
                    // Given back only by a router that is gone, and then all is over.
                    let tell = |command| drop(outlets.route(command));
                    exchange.tell_reachable(&agent, tell);
                }
                Output::Recording(recording) => self.outlets.recording_found(recording),
                Output::Record(record) => self.outlets.publish(record),
                Output::Router(command) => self.route(command),
                Output::Rouse(call) => self.rouse(call),
                Output::Silence { flow, longest } => {
                    self.tell_holder(flow, Order::Silence(flow, longest));
                }
                Output::Tested(call, report) => {
                    if let Some(reply) = self.tests.remove(&call) {
                        // Whoever asked may have given up.
                        let _ = reply.send(Ok(*report));
                    }
                }
                Output::Transmit { flow, bytes } => self.transmit(flow, bytes),
                Output::Voicemail(call, wish) => self.outlets.ask_voicemail(call, wish),
            }
        }
    }
}

impl<O> Shard<O> {
    /// A connection is written to by the shard that accepted or opened it.
    fn transmit(&mut self, flow: Flow, bytes: Bytes) {
        let traced = Traced::new(self.clock.now(), Way::Out, flow, &bytes);
        self.trace.note(traced);
        let holder = flow.connection.map(ConnectionId::shard);
        let order = match holder {
            Some(holder) => self.peers.hand_over(holder, Order::Transmit(flow, bytes)),
            None => return self.transport.send(&flow, bytes),
        };
        if let Err(Order::Transmit(flow, bytes)) = order {
            self.transport.send(&flow, bytes);
        }
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
