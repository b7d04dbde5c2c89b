//! The transactions of one shard, by identity, with their timers.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

use bytes::Bytes;

use crate::base::{Timers, Timestamp};
use crate::sip::Flow;

use super::client::{self, Client};
use super::invite_client::{self, InviteClient};
use super::invite_server::{self, InviteServer};
use super::key::IdHash;
use super::server::{self, Server};
use super::{Step, Timing, TransactionId};

/// All transactions of one user agent; `O` says whose a transaction is.
#[derive(Debug)]
pub(crate) struct Table<O> {
    timing: Timing,
    /// Boxed: they rest for 32 s, so that a busy shard has 150,000; the map moves them when it grows,
    /// and keeps room for twice as many.
    entries: HashMap<TransactionId, Box<Entry<O>>, IdHash>,
    merges: HashMap<u64, TransactionId, IdHash>,
    streams: BTreeSet<(SocketAddr, TransactionId)>,
    timers: Timers<TransactionId>,
}

#[derive(Debug)]
struct Entry<O> {
    machine: Machine,
    flow: Flow,
    /// What is repeated: the request, its ACK, or the last response.
    kept: Bytes,
    /// Where a response goes when the stream it should go to is gone (RFC 3261 §18.2.2).
    fallback: Option<SocketAddr>,
    /// What is sent, and where, when the stream cannot be had (RFC 3261 §18.1.1).
    instead: Option<Box<(Flow, Bytes)>>,
    merge: Option<u64>,
    owner: O,
}

#[derive(Debug)]
enum Machine {
    Client(Client),
    InviteClient(InviteClient),
    InviteServer(InviteServer),
    Server(Server),
}

/// What came of an input to a transaction.
#[derive(Debug)]
pub(crate) struct Reaction<O> {
    pub(crate) id: TransactionId,
    pub(crate) owner: O,
    pub(crate) flow: Flow,
    /// What the machine wants.
    pub(crate) step: Step,
    /// The bytes kept before this reaction: for a client transaction the request it sent.
    pub(crate) kept: Bytes,
    /// The transaction is over and forgotten.
    pub(crate) over: bool,
}

/// What a request that begins a server transaction looks like.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) id: TransactionId,
    pub(crate) is_invite: bool,
    pub(crate) flow: Flow,
    pub(crate) fallback: Option<SocketAddr>,
    /// Identity of the request apart from its path (RFC 3261 §8.2.2.2), when it has no To tag.
    pub(crate) merge: Option<u64>,
}

impl<O: Clone> Table<O> {
    pub(crate) fn new(timing: Timing) -> Self {
        Self {
            timing,
            entries: HashMap::default(),
            merges: HashMap::default(),
            streams: BTreeSet::new(),
            timers: Timers::new(),
        }
    }

    pub(crate) fn timing(&self) -> Timing {
        self.timing
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    pub(crate) fn owner(&self, id: TransactionId) -> Option<&O> {
        self.entries.get(&id).map(|entry| &entry.owner)
    }

    pub(crate) fn set_owner(&mut self, id: TransactionId, owner: O) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.owner = owner;
        }
    }

    pub(crate) fn flow(&self, id: TransactionId) -> Option<Flow> {
        self.entries.get(&id).map(|entry| entry.flow)
    }

    /// The transaction's flow and the message it keeps.
    pub(crate) fn kept(&self, id: TransactionId) -> Option<(Flow, Bytes)> {
        let entry = self.entries.get(&id)?;
        Some((entry.flow, entry.kept.clone()))
    }

    /// Whether a request with the same From tag, Call-ID and CSeq is being served under another
    /// branch.
    pub(crate) fn is_merged(&self, merge: u64) -> bool {
        self.merges.contains_key(&merge)
    }

    /// Begins a client transaction; the caller sends `request`.
    pub(crate) fn start_client(
        &mut self,
        now: Timestamp,
        id: TransactionId,
        is_invite: bool,
        (flow, request): (Flow, Bytes),
        owner: O,
    ) {
        let reliable = flow.protocol.is_reliable();
        let machine = if is_invite {
            Machine::InviteClient(InviteClient::start(now, &self.timing, reliable))
        } else {
            Machine::Client(Client::start(now, &self.timing, reliable))
        };
        let entry = Entry {
            machine,
            flow,
            kept: request,
            fallback: None,
            instead: None,
            merge: None,
            owner,
        };
        self.insert(id, entry);
    }

    /// Begins a server transaction.
    pub(crate) fn start_server(&mut self, now: Timestamp, arrival: Arrival, owner: O) {
        let reliable = arrival.flow.protocol.is_reliable();
        let machine = if arrival.is_invite {
            Machine::InviteServer(InviteServer::start(reliable))
        } else {
            Machine::Server(Server::start(now, &self.timing, reliable))
        };
        if let Some(merge) = arrival.merge {
            self.merges.insert(merge, arrival.id);
        }
        let entry = Entry {
            machine,
            flow: arrival.flow,
            kept: Bytes::new(),
            fallback: arrival.fallback,
            instead: None,
            merge: arrival.merge,
            owner,
        };
        self.insert(arrival.id, entry);
    }

    /// A response to one of our requests.
    pub(crate) fn handle_response(
        &mut self,
        now: Timestamp,
        id: TransactionId,
        status: u16,
    ) -> Option<Reaction<O>> {
        let timing = self.timing;
        self.react(id, |machine| match machine {
            Machine::Client(client) => client.handle_response(now, &timing, status),
            Machine::InviteClient(invite) => invite.handle_response(now, &timing, status),
            Machine::InviteServer(_) | Machine::Server(_) => Step::NOTHING,
        })
    }

    /// Replaces what a transaction repeats: the ACK takes the INVITE's place.
    pub(crate) fn keep(&mut self, id: TransactionId, bytes: Bytes) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.kept = bytes;
        }
    }

    /// A request that belongs to a known server transaction: a repeat, or the ACK of an INVITE.
    pub(crate) fn handle_request(
        &mut self,
        now: Timestamp,
        id: TransactionId,
        is_ack: bool,
    ) -> Option<Reaction<O>> {
        let timing = self.timing;
        self.react(id, |machine| match machine {
            Machine::InviteServer(invite) if is_ack => invite.handle_ack(now, &timing),
            Machine::InviteServer(invite) => invite.handle_repeat(),
            Machine::Server(server) => server.handle_repeat(),
            Machine::Client(_) | Machine::InviteClient(_) => Step::NOTHING,
        })
    }

    /// The user answers; returns what to send, when the machine still takes it.
    pub(crate) fn respond(
        &mut self,
        now: Timestamp,
        id: TransactionId,
        status: u16,
        response: Bytes,
    ) -> Option<(Flow, Bytes)> {
        let timing = self.timing;
        let kept = response.clone();
        let reaction = self.react(id, |machine| match machine {
            Machine::InviteServer(invite) => invite.respond(now, &timing, status),
            Machine::Server(server) => server.respond(now, &timing, status),
            Machine::Client(_) | Machine::InviteClient(_) => Step::NOTHING,
        })?;
        if !reaction.step.send {
            return None;
        }
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.kept = match entry.machine {
                // The dialog repeats a 2xx, not the transaction.
                Machine::InviteServer(invite) if invite.state == invite_server::State::Accepted => {
                    Bytes::new()
                }
                _ => kept,
            };
        }
        Some((reaction.flow, response))
    }

    /// Whether an INVITE server transaction has no final response yet.
    pub(crate) fn is_proceeding(&self, id: TransactionId) -> bool {
        self.entries.get(&id).is_some_and(|entry| {
            matches!(&entry.machine, Machine::InviteServer(invite)
                if invite.state == invite_server::State::Proceeding)
        })
    }

    /// Gives one of our INVITEs 64 × T1 to end.
    pub(crate) fn limit(&mut self, now: Timestamp, id: TransactionId) {
        let timing = self.timing;
        self.react(id, |machine| {
            if let Machine::InviteClient(invite) = machine {
                invite.limit(now, &timing);
            }
            Step::NOTHING
        });
    }

    /// A request of ours is no longer repeated, and belongs to `owner` from now on; late
    /// answers still reach it.
    pub(crate) fn abandon(&mut self, id: TransactionId, owner: O) {
        self.react(id, |machine| {
            match machine {
                Machine::Client(client) => client.running.stop_repeating(),
                Machine::InviteClient(invite) => invite.running.stop_repeating(),
                Machine::InviteServer(_) | Machine::Server(_) => {}
            }
            Step::NOTHING
        });
        self.set_owner(id, owner);
    }

    /// Fires one timer that is due.
    pub(crate) fn handle_timeout(&mut self, now: Timestamp) -> Option<Reaction<O>> {
        let (_, id) = self.timers.pop_due(now)?;
        let timing = self.timing;
        self.react(id, |machine| match machine {
            Machine::Client(client) => client.handle_timeout(now, &timing),
            Machine::InviteClient(invite) => invite.handle_timeout(now),
            Machine::InviteServer(invite) => invite.handle_timeout(now, &timing),
            Machine::Server(server) => server.handle_timeout(now, &timing),
        })
    }

    /// Transactions on a stream that failed. Responses are sent once more to where the request
    /// said it came from.
    pub(crate) fn handle_transport_error(
        &mut self,
        now: Timestamp,
        failed: &Flow,
    ) -> Vec<Reaction<O>> {
        let from = (failed.remote, TransactionId::MIN);
        let to = (failed.remote, TransactionId::MAX);
        let affected: Vec<_> = self
            .streams
            .range(from..=to)
            .map(|(_, id)| *id)
            .filter(|id| {
                self.entries.get(id).is_some_and(|entry| {
                    let connection = entry.flow.connection;
                    connection.is_none() || connection == failed.connection
                })
            })
            .collect();
        affected
            .into_iter()
            .filter_map(|id| self.fail_stream(now, id))
            .collect()
    }

    fn fail_stream(&mut self, now: Timestamp, id: TransactionId) -> Option<Reaction<O>> {
        if let Some(reaction) = self.begin_instead(now, id) {
            return Some(reaction);
        }
        let entry = self.entries.get_mut(&id)?;
        if let Some(fallback) = entry.fallback.take() {
            self.streams.remove(&(entry.flow.remote, id));
            entry.flow.remote = fallback;
            entry.flow.connection = None;
            self.streams.insert((fallback, id));
            return Some(Reaction {
                id,
                owner: entry.owner.clone(),
                flow: entry.flow,
                step: if entry.kept.is_empty() {
                    Step::NOTHING
                } else {
                    Step::SEND
                },
                kept: entry.kept.clone(),
                over: false,
            });
        }
        self.react(id, |machine| match machine {
            Machine::Client(client) => client.handle_transport_error(),
            Machine::InviteClient(invite) => invite.handle_transport_error(),
            Machine::InviteServer(invite) => invite.handle_transport_error(),
            Machine::Server(server) => server.handle_transport_error(),
        })
    }

    /// The client transaction begins anew by datagrams, unless somebody answered already.
    fn begin_instead(&mut self, now: Timestamp, id: TransactionId) -> Option<Reaction<O>> {
        let entry = self.entries.get_mut(&id)?;
        let (flow, request) = *entry.instead.take()?;
        let machine = match &entry.machine {
            Machine::Client(client) if client.state == client::State::Trying => Machine::Client(
                Client::start(now, &self.timing, flow.protocol.is_reliable()),
            ),
            Machine::InviteClient(invite) if invite.state == invite_client::State::Calling => {
                let reliable = flow.protocol.is_reliable();
                Machine::InviteClient(InviteClient::start(now, &self.timing, reliable))
            }
            _ => return None,
        };
        let entry = Entry {
            machine,
            flow,
            kept: request.clone(),
            fallback: None,
            instead: None,
            merge: None,
            owner: entry.owner.clone(),
        };
        let owner = entry.owner.clone();
        self.insert(id, entry);
        Some(Reaction {
            id,
            owner,
            flow,
            step: Step::SEND,
            kept: request,
            over: false,
        })
    }

    /// What a client transaction sends, and where, should its stream not come about.
    pub(crate) fn send_instead(&mut self, id: TransactionId, instead: (Flow, Bytes)) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.instead = Some(Box::new(instead));
        }
    }

    fn insert(&mut self, id: TransactionId, entry: Entry<O>) {
        self.remove(id);
        if entry.flow.protocol.is_stream() {
            self.streams.insert((entry.flow.remote, id));
        }
        if let Some(at) = entry.machine.next() {
            self.timers.set(id, at);
        }
        self.entries.insert(id, Box::new(entry));
    }

    fn react(
        &mut self,
        id: TransactionId,
        input: impl FnOnce(&mut Machine) -> Step,
    ) -> Option<Reaction<O>> {
        let entry = self.entries.get_mut(&id)?;
        let before = entry.machine.next();
        let step = input(&mut entry.machine);
        let reaction = Reaction {
            id,
            owner: entry.owner.clone(),
            flow: entry.flow,
            step,
            kept: entry.kept.clone(),
            over: entry.machine.is_over(),
        };
        let after = entry.machine.next();
        if reaction.over {
            self.remove(id);
        } else if let Some(at) = after {
            if self.timers.deadline(&id) != after {
                self.timers.set(id, at);
            }
        } else if before.is_some() {
            self.timers.stop(&id);
        }
        Some(reaction)
    }

    fn remove(&mut self, id: TransactionId) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        self.timers.stop(&id);
        if entry.flow.protocol.is_stream() {
            self.streams.remove(&(entry.flow.remote, id));
        }
        if let Some(merge) = entry.merge
            && self.merges.get(&merge) == Some(&id)
        {
            self.merges.remove(&merge);
        }
    }
}

impl Machine {
    fn next(&self) -> Option<Timestamp> {
        match self {
            Machine::Client(client) => client.running.next(),
            Machine::InviteClient(invite) => invite.running.next(),
            Machine::InviteServer(invite) => invite.running.next(),
            Machine::Server(server) => server.running.next(),
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Machine::Client(client) => client.state == client::State::Terminated,
            Machine::InviteClient(invite) => invite.state == invite_client::State::Terminated,
            Machine::InviteServer(invite) => invite.state == invite_server::State::Terminated,
            Machine::Server(server) => server.state == server::State::Terminated,
        }
    }
}
