//! Where a request is to go, before and after location.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::sip::{Host, Protocol, Scheme, Uri};

/// Where a request is to go: a host, and as much of port and protocol as is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// Name or address; written without brackets.
    #[serde(with = "host_text")]
    pub host: Host,
    /// Port, when one is written: then SRV is not asked.
    pub port: Option<u16>,
    /// Protocol, when one is written: then NAPTR is not asked.
    pub protocol: Option<Protocol>,
    /// `sips:`: nothing but TLS will do.
    pub is_secure: bool,
    /// Among several destinations the lower goes first.
    pub order: u16,
    /// Share among those of one order.
    pub weight: u16,
}

/// One address a request may be sent to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Protocol.
    pub protocol: Protocol,
    /// Address and port.
    pub address: SocketAddr,
    /// The domain asked for, which a TLS server must prove to be (RFC 5922 §7.1); `None` when an
    /// address was asked for.
    pub name: Option<Arc<str>>,
}

/// Which protocols we can send by, and in which address families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Means(Vec<(Protocol, SocketAddr)>);

impl Destination {
    /// The destination of a URI; `None` for one that names no host, or a transport we have not
    /// (RFC 3263 §4: the `maddr` parameter outranks the host).
    pub fn of(uri: &Uri) -> Option<Self> {
        if !uri.is_sip() {
            return None;
        }
        let host = match uri.params.value("maddr") {
            Some(maddr) => Host::parse(maddr)?,
            None => uri.host.clone(),
        };
        if matches!(&host, Host::Name(name) if name.is_empty()) {
            return None;
        }
        let is_secure = uri.scheme == Scheme::Sips;
        let protocol = match uri.params.value("transport") {
            None => None,
            Some(text) => Some(Protocol::parse(text)?),
        };
        Some(Self {
            host,
            port: uri.port,
            protocol,
            is_secure,
            order: 0,
            weight: 0,
        })
    }

    /// An address with a protocol: nothing is left to locate.
    pub fn at(protocol: Protocol, address: SocketAddr) -> Self {
        Self {
            host: Host::from(address.ip()),
            port: Some(address.port()),
            protocol: Some(protocol),
            is_secure: false,
            order: 0,
            weight: 0,
        }
    }

    /// The name to be located; `None` for an address.
    pub fn name(&self) -> Option<&str> {
        match &self.host {
            Host::Name(name) => Some(name),
            Host::V4(_) | Host::V6(_) => None,
        }
    }

    /// The protocol to use when neither the URI nor DNS names one (RFC 3263 §4.1).
    pub(super) fn default_protocol(&self) -> Protocol {
        match self.protocol {
            // RFC 3261 §26.2.2: `sips:` with transport=tcp is TLS over TCP.
            _ if self.is_secure => Protocol::Tls,
            Some(protocol) => protocol,
            None => Protocol::Udp,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.is_secure, self.protocol) {
            (true, _) => "sips",
            (false, Some(protocol)) => protocol.uri_param(),
            (false, None) => "sip",
        };
        write!(f, "{scheme}:{}", self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.protocol, self.address)?;
        match &self.name {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

impl Means {
    /// What our listeners allow.
    pub fn new(listeners: &[(Protocol, SocketAddr)]) -> Self {
        Self(listeners.to_vec())
    }

    /// Our own address to send from to `remote`; `None` when nothing of ours reaches it.
    pub fn local(&self, protocol: Protocol, remote: IpAddr) -> Option<SocketAddr> {
        self.local_with(protocol, remote, None)
    }

    /// The same, with a certain port of ours when one is asked for.
    pub(super) fn local_with(
        &self,
        protocol: Protocol,
        remote: IpAddr,
        port: Option<u16>,
    ) -> Option<SocketAddr> {
        let ours = self
            .0
            .iter()
            .filter(|(offered, local)| *offered == protocol && local.is_ipv4() == remote.is_ipv4())
            .filter(|(_, local)| port.is_none_or(|port| port == local.port()));
        // A socket of the loopback interface reaches nothing else.
        let fits = |local: &SocketAddr| local.ip().is_loopback() == remote.is_loopback();
        let mut ours: Vec<SocketAddr> = ours.map(|(_, local)| *local).collect();
        ours.sort_by_key(|local| !fits(local));
        ours.first().copied()
    }

    /// Whether we can send by a protocol at all.
    pub fn has(&self, protocol: Protocol) -> bool {
        self.0.iter().any(|(offered, _)| *offered == protocol)
    }

    /// Whether we can send by a protocol in a family.
    pub(super) fn has_family(&self, protocol: Protocol, is_ipv4: bool) -> bool {
        let mut ours = self.0.iter();
        ours.any(|(offered, local)| *offered == protocol && local.is_ipv4() == is_ipv4)
    }
}

/// Hosts in checkpoints, as text.
mod host_text {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::sip::Host;

    pub(super) fn serialize<S: Serializer>(host: &Host, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(host)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Host, D::Error> {
        let text = String::deserialize(deserializer)?;
        Host::parse(&text).ok_or_else(|| serde::de::Error::custom("no host"))
    }
}
