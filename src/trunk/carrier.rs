//! One trunk: where its calls come from and where ours go.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{Network, TransferPolicy};
use crate::sip::Protocol;
use crate::sip::auth::Credentials;

/// A carrier's line to us.
#[derive(Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Unique name; in records.
    pub name: String,
    /// Networks whose INVITEs belong to the trunk; empty for a trunk that only takes calls.
    pub accept: Vec<Network>,
    /// Where outbound calls go.
    pub target: Target,
    /// What our INVITEs are authenticated with, when the carrier asks.
    pub credentials: Option<Credentials>,
    /// Number shown to those we call; the calling phone's own when `None`.
    pub caller_id: Option<String>,
    /// Calls at a time in both directions; no limit of its own when `None`.
    pub max_calls: Option<usize>,
    /// What it may do in transfers.
    pub transfer: TransferPolicy,
}

/// An address to send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Protocol.
    pub protocol: Protocol,
    /// Address and port.
    pub address: SocketAddr,
}

/// The trunk an INVITE from `source` belongs to: the one that accepts the narrowest network.
pub fn accepting<'t>(
    trunks: impl IntoIterator<Item = &'t Trunk>,
    source: IpAddr,
) -> Option<&'t Trunk> {
    trunks
        .into_iter()
        .flat_map(|trunk| trunk.accept.iter().map(move |network| (network, trunk)))
        .filter(|(network, _)| network.contains(source))
        .max_by_key(|(network, _)| network.bits())
        .map(|(_, trunk)| trunk)
}

impl fmt::Debug for Trunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trunk")
            .field("name", &self.name)
            .field("accept", &self.accept)
            .field("target", &self.target)
            .field("has_credentials", &self.credentials.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.protocol, self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk(name: &str, accept: &[&str]) -> Trunk {
        Trunk {
            name: name.to_owned(),
            accept: accept
                .iter()
                .map(|text| Network::parse(text).expect("a network"))
                .collect(),
            target: Target {
                protocol: Protocol::Udp,
                address: SocketAddr::from(([127, 0, 0, 1], 5080)),
            },
            credentials: None,
            caller_id: None,
            max_calls: None,
            transfer: TransferPolicy::default(),
        }
    }

    #[test]
    fn the_narrowest_network_says_whose_call_it_is() {
        let trunks = [
            trunk("wide", &["192.0.2.0/24"]),
            trunk("narrow", &["192.0.2.7", "198.51.100.0/24"]),
            trunk("outbound", &[]),
        ];
        for (source, expected) in [
            ("192.0.2.7", Some("narrow")),
            ("192.0.2.8", Some("wide")),
            ("198.51.100.1", Some("narrow")),
            ("203.0.113.1", None),
        ] {
            let source = source.parse().expect("an address");
            let name = accepting(&trunks, source).map(|trunk| trunk.name.as_str());
            assert_eq!(name, expected);
        }
    }
}
