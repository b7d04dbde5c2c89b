//! The connections of one transport: by number, and by what they can be reused for (RFC 5923).

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

use super::TransportLimits;
use super::certificate::{Subject, Wildcards};
use super::stream::Connection;
use crate::base::ShardId;
use crate::sip::{ConnectionId, Flow, Host, Protocol, ServerName};

/// What a new message asks for: protocol, address, and whose certificate was seen there.
type Way = (Protocol, SocketAddr, Option<ServerName>);

#[derive(Debug, Default)]
pub(super) struct Connections {
    open: HashMap<ConnectionId, Connection>,
    ways: HashMap<Way, ConnectionId>,
    /// Ways beside a connection's own that lead over it.
    aliases: HashMap<ConnectionId, Vec<Way>>,
    per_address: HashMap<IpAddr, Tally>,
    /// Accepted ones that have not brought a whole message, oldest first.
    half_open: BTreeSet<ConnectionId>,
    last: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    open: usize,
    half_open: usize,
}

/// Who began a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    Here,
    There,
}

impl Connections {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn may_open(&self, address: IpAddr, begun: Begun, limits: &TransportLimits) -> bool {
        let from_there = self.per_address.get(&address).copied().unwrap_or_default();
        self.open.len() < limits.connections
            && from_there.open < limits.connections_per_address
            && (begun == Begun::Here || from_there.half_open < limits.half_open_per_address)
    }

    pub(super) fn next_id(&mut self, shard: ShardId) -> ConnectionId {
        self.last += 1;
        ConnectionId::new(shard, self.last)
    }

    pub(super) fn add(&mut self, id: ConnectionId, connection: Connection, begun: Begun) {
        let flow = connection.flow();
        let tally = self.per_address.entry(flow.remote.ip()).or_default();
        tally.open += 1;
        if begun == Begun::There {
            tally.half_open += 1;
            self.half_open.insert(id);
        }
        // Who connects over TLS may be anybody: only `alias` makes a way of it.
        if begun == Begun::Here || !flow.protocol.is_secure() {
            self.ways.insert(way(&flow), id);
        }
        self.open.insert(id, connection);
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.open.remove(&id)?;
        let flow = connection.flow();
        let aliases = self.aliases.remove(&id).unwrap_or_default();
        for way in aliases.into_iter().chain([way(&flow)]) {
            if self.ways.get(&way) == Some(&id) {
                self.ways.remove(&way);
            }
        }
        let was_half_open = self.half_open.remove(&id);
        if let Some(tally) = self.per_address.get_mut(&flow.remote.ip()) {
            tally.open -= 1;
            tally.half_open -= usize::from(was_half_open);
            if tally.open == 0 {
                self.per_address.remove(&flow.remote.ip());
            }
        }
        Some(connection)
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.open.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.open.get_mut(&id)
    }

    /// The connection a message on this flow goes over, when it is open.
    pub(super) fn find(&self, flow: &Flow) -> Option<ConnectionId> {
        flow.connection
            .or_else(|| self.ways.get(&way(flow)).copied())
    }

    /// It brought a whole message.
    pub(super) fn prove(&mut self, flow: &Flow) {
        let Some(id) = flow.connection else { return };
        if self.half_open.remove(&id)
            && let Some(tally) = self.per_address.get_mut(&flow.remote.ip())
        {
            tally.half_open -= 1;
        }
    }

    /// The one that is half open for the longest time, when there are more than `most`.
    pub(super) fn overdue(&self, most: usize) -> Option<ConnectionId> {
        let oldest = self.half_open.first().copied();
        oldest.filter(|_| self.half_open.len() > most)
    }

    /// Requests to `host` and `port` at the other side's address may go over this connection, when
    /// its certificate is for that host (RFC 5923 §8.1, §9.2). Nobody proves anything over TCP, so
    /// it is not reused in this way: whoever shares an address could take another's calls.
    pub(super) fn alias(&mut self, flow: &Flow, host: &Host, port: Option<u16>) -> bool {
        let Some(id) = flow.connection else {
            return false;
        };
        let Some(connection) = self.open.get(&id) else {
            return false;
        };
        let (subject, name) = match host {
            Host::Name(name) => match ServerName::new(name) {
                Some(name) => (Subject::Name(name.as_str()), Some(name)),
                None => return false,
            },
            Host::V4(address) => (Subject::Address((*address).into()), None),
            Host::V6(address) => (Subject::Address((*address).into()), None),
        };
        let known = |peer: &super::Certificate| peer.is_for(subject, Wildcards::Never);
        let is_elsewhere = matches!(subject, Subject::Address(ip) if ip != flow.remote.ip());
        if is_elsewhere || !connection.peer().is_some_and(known) {
            return false;
        }
        let port = port.unwrap_or(flow.protocol.default_port());
        let way = (flow.protocol, SocketAddr::new(flow.remote.ip(), port), name);
        let aliases = self.aliases.entry(id).or_default();
        if aliases.contains(&way) {
            return true;
        }
        if aliases.len() >= MAX_ALIASES {
            return false;
        }
        aliases.push(way);
        self.ways.insert(way, id);
        true
    }
}

fn way(flow: &Flow) -> Way {
    (flow.protocol, flow.remote, flow.name)
}

/// Names one peer may have; a proxy for more domains opens more connections.
const MAX_ALIASES: usize = 8;
