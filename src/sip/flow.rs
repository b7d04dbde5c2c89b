//! Where a message came from and where its answer goes (RFC 5626 §3.2 calls it a flow).

use std::fmt;
use std::net::SocketAddr;

use crate::base::ShardId;
use serde::{Deserialize, Serialize};

/// Transport protocols we listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// One message a segment of a byte stream, framed by Content-Length.
    Tcp,
    /// One message a datagram.
    Udp,
}

impl Protocol {
    /// Whether the transport delivers, so that machines need not retransmit.
    pub const fn is_reliable(self) -> bool {
        matches!(self, Protocol::Tcp)
    }

    /// As written in a Via header: `TCP`, `UDP`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One connection of a connection-oriented transport, unique for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// The shard in the upper 16 bits, a counter below.
    pub const fn new(shard: ShardId, count: u64) -> Self {
        Self((shard.0 as u64) << 48 | count)
    }

    /// The shard that holds the connection.
    pub const fn shard(self) -> ShardId {
        ShardId((self.0 >> 48) as u16)
    }
}

/// Two addresses and what runs between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// Protocol.
    pub protocol: Protocol,
    /// Our address.
    pub local: SocketAddr,
    /// Theirs.
    pub remote: SocketAddr,
    /// The connection a message came in by; `None` for datagrams, and for a stream yet to be
    /// connected.
    pub connection: Option<ConnectionId>,
}

impl Flow {
    /// A datagram flow.
    pub const fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            protocol: Protocol::Udp,
            local,
            remote,
            connection: None,
        }
    }

    /// A stream flow; without a connection one is opened or reused when a message is sent.
    pub const fn tcp(
        local: SocketAddr,
        remote: SocketAddr,
        connection: Option<ConnectionId>,
    ) -> Self {
        Self {
            protocol: Protocol::Tcp,
            local,
            remote,
            connection,
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} <-> {}", self.protocol, self.local, self.remote)
    }
}
