//! The connections of one transport: by number, by what they can be reused for (RFC 5923), and by
//! whose turn it is to go when there is no room for another.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

use super::TransportLimits;
use super::certificate::{Subject, Wildcards};
use super::stream::Connection;
use crate::base::ShardId;
use crate::sip::guard::Source;
use crate::sip::{ConnectionId, Flow, Host, Protocol, ServerName};

/// What a new message asks for: protocol, address, and whose certificate was seen there.
type Way = (Protocol, SocketAddr, Option<ServerName>);

#[derive(Debug, Default)]
pub(super) struct Connections {
    open: HashMap<ConnectionId, Connection>,
    ways: HashMap<Way, ConnectionId>,
    /// Ways beside a connection's own that lead over it.
    aliases: HashMap<ConnectionId, Vec<Way>>,
    /// Those that others began.
    accepted: HashMap<ConnectionId, Standing>,
    /// The same by where they come from.
    per_source: HashMap<Source, Tally>,
    /// Accepted ones that have not brought a whole message, oldest first.
    half_open: BTreeSet<ConnectionId>,
    /// Accepted ones that spoke and proved nothing, the one that is silent for the longest time
    /// first.
    strangers: BTreeMap<u64, ConnectionId>,
    last_turn: u64,
    last: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    open: usize,
    half_open: usize,
}

/// What is known of who began a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing: no whole message came.
    HalfOpen,
    /// He speaks; his turn among the strangers.
    Stranger(u64),
    /// Who he is.
    Known,
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

    /// Who connects to us takes no room from those we connect to.
    pub(super) fn may_begin(&self, limits: &TransportLimits) -> bool {
        self.open.len() - self.accepted.len() < limits.connections_begun
    }

    /// Whether one more from `address` may be accepted; room may have to be made for it.
    pub(super) fn may_accept(&self, address: IpAddr, limits: &TransportLimits) -> bool {
        let from_there = self.per_source.get(&Source::of(address)).copied();
        let from_there = from_there.unwrap_or_default();
        from_there.open < limits.connections_per_address
            && from_there.half_open < limits.half_open_per_address
    }

    pub(super) fn is_full(&self, limits: &TransportLimits) -> bool {
        self.accepted.len() >= limits.connections
    }

    /// The one that has to go for another when there is no room: the stranger silent for the
    /// longest time, for want of one who said nothing at all; never one who is known, by himself
    /// or by his address.
    pub(super) fn weakest(&mut self, is_known: impl Fn(IpAddr) -> bool) -> Option<ConnectionId> {
        let from_known = |id: &ConnectionId| {
            let connection = self.open.get(id);
            connection.is_some_and(|connection| is_known(connection.flow().remote.ip()))
        };
        let mut known = Vec::new();
        let mut weakest = None;
        for id in self.strangers.values().chain(&self.half_open) {
            if !from_known(id) {
                weakest = Some(*id);
                break;
            }
            known.push(*id);
        }
        // They are not asked about again.
        for id in known {
            self.set_standing(id, Standing::Known);
        }
        weakest
    }

    pub(super) fn next_id(&mut self, shard: ShardId) -> ConnectionId {
        self.last += 1;
        ConnectionId::new(shard, self.last)
    }

    pub(super) fn add(&mut self, id: ConnectionId, connection: Connection, begun: Begun) {
        let flow = connection.flow();
        if begun == Begun::There {
            let tally = self.per_source.entry(source_of(&flow)).or_default();
            tally.open += 1;
            tally.half_open += 1;
            self.half_open.insert(id);
            self.accepted.insert(id, Standing::HalfOpen);
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
        if self.accepted.contains_key(&id) {
            self.set_standing_at(&flow, id, Standing::Known);
            self.accepted.remove(&id);
            let source = source_of(&flow);
            if let Some(tally) = self.per_source.get_mut(&source) {
                tally.open -= 1;
                if tally.open == 0 {
                    self.per_source.remove(&source);
                }
            }
        }
        Some(connection)
    }

    /// Whether the other side began it.
    pub(super) fn is_accepted(&self, flow: &Flow) -> bool {
        flow.connection
            .is_some_and(|id| self.accepted.contains_key(&id))
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

    /// It brought a whole message: its silence counts anew.
    pub(super) fn heard(&mut self, flow: &Flow) {
        let Some(id) = flow.connection else { return };
        if matches!(self.accepted.get(&id), None | Some(Standing::Known)) {
            return;
        }
        self.last_turn += 1;
        self.set_standing_at(flow, id, Standing::Stranger(self.last_turn));
    }

    /// Its other side is known now, and is not disturbed for strangers.
    pub(super) fn know(&mut self, flow: &Flow) {
        if let Some(id) = flow.connection {
            self.set_standing(id, Standing::Known);
        }
    }

    fn set_standing(&mut self, id: ConnectionId, standing: Standing) {
        if let Some(flow) = self.open.get(&id).map(Connection::flow) {
            self.set_standing_at(&flow, id, standing);
        }
    }

    fn set_standing_at(&mut self, flow: &Flow, id: ConnectionId, standing: Standing) {
        let Some(before) = self.accepted.get_mut(&id) else {
            return;
        };
        match std::mem::replace(before, standing) {
            Standing::HalfOpen => {
                self.half_open.remove(&id);
                if let Some(tally) = self.per_source.get_mut(&source_of(flow)) {
                    tally.half_open -= 1;
                }
            }
            Standing::Stranger(turn) => {
                self.strangers.remove(&turn);
            }
            Standing::Known => {}
        }
        if let Standing::Stranger(turn) = standing {
            self.strangers.insert(turn, id);
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
        // A name is numbered for the life of the process, and anybody may write one: only those
        // that a certificate bears are.
        let subject = match host {
            Host::Name(name) => Subject::Name(name),
            Host::V4(address) => Subject::Address((*address).into()),
            Host::V6(address) => Subject::Address((*address).into()),
        };
        let known = |peer: &super::Certificate| peer.is_for(subject, Wildcards::Never);
        let is_elsewhere = matches!(subject, Subject::Address(ip) if ip != flow.remote.ip());
        if is_elsewhere || !connection.peer().is_some_and(known) {
            return false;
        }
        let name = match host {
            Host::Name(name) => match ServerName::new(name) {
                Some(name) => Some(name),
                None => return false,
            },
            Host::V4(_) | Host::V6(_) => None,
        };
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

fn source_of(flow: &Flow) -> Source {
    Source::of(flow.remote.ip())
}

fn way(flow: &Flow) -> Way {
    (flow.protocol, flow.remote, flow.name)
}

/// Names one peer may have; a proxy for more domains opens more connections.
const MAX_ALIASES: usize = 8;
