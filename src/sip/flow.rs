//! Where a message came from and where its answer goes (RFC 5626 §3.2 calls it a flow).

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::ServerName;
use crate::base::ShardId;

/// Transport protocols we listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// One message a segment of a byte stream, framed by Content-Length.
    Tcp,
    /// The same inside TLS (RFC 3261 §26.2.1).
    Tls,
    /// One message a datagram.
    Udp,
}

impl Protocol {
    /// The transport of a URI's `transport` parameter or of a listener; any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        [Protocol::Tcp, Protocol::Tls, Protocol::Udp]
            .into_iter()
            .find(|protocol| protocol.uri_param().eq_ignore_ascii_case(text))
    }

    /// Whether the transport delivers, so that machines need not retransmit.
    pub const fn is_reliable(self) -> bool {
        self.is_stream()
    }

    /// Whether it runs over connections.
    pub const fn is_stream(self) -> bool {
        matches!(self, Protocol::Tcp | Protocol::Tls)
    }

    /// Whether nobody on the way can read it.
    pub const fn is_secure(self) -> bool {
        matches!(self, Protocol::Tls)
    }

    /// The port when none is written (RFC 3261 §19.1.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Protocol::Tls => 5061,
            Protocol::Tcp | Protocol::Udp => 5060,
        }
    }

    /// As written in a Via header: `TCP`, `TLS`, `UDP`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Tcp => "TCP",
            Protocol::Tls => "TLS",
            Protocol::Udp => "UDP",
        }
    }

    /// As written in a URI's `transport` parameter: `tcp`, `tls`, `udp`.
    pub const fn uri_param(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Tls => "tls",
            Protocol::Udp => "udp",
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
    /// Whose certificate the other side of TLS must show (RFC 5922 §7.3): the name that was asked
    /// for, whatever it resolved to. Without one the certificate must be for the remote address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ServerName>,
}

impl Flow {
    /// A flow over any protocol; a stream is opened or reused when a message is sent.
    pub const fn new(protocol: Protocol, local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            protocol,
            local,
            remote,
            connection: None,
            name: None,
        }
    }

    /// The same, with the name its certificate must be for.
    pub const fn named(self, name: Option<ServerName>) -> Self {
        Self { name, ..self }
    }

    /// A datagram flow.
    pub const fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self::new(Protocol::Udp, local, remote)
    }

    /// A stream flow; without a connection one is opened or reused when a message is sent.
    pub const fn tcp(
        local: SocketAddr,
        remote: SocketAddr,
        connection: Option<ConnectionId>,
    ) -> Self {
        Self {
            connection,
            ..Self::new(Protocol::Tcp, local, remote)
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} <-> {}", self.protocol, self.local, self.remote)
    }
}
