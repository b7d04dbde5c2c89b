//! One trunk: where its calls come from and where ours go.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{IdentityPolicy, Network};
use crate::sip::auth::Credentials;
use crate::sip::location::Destination as Target;

/// A carrier's line to us.
#[derive(Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Unique name; in records.
    pub name: String,
    /// Networks whose INVITEs belong to the trunk; empty for a trunk that only takes calls.
    pub accept: Vec<Network>,
    /// Hosts whose INVITEs belong to the trunk, lower case; their addresses are learnt from DNS.
    pub accept_hosts: Vec<String>,
    /// Where outbound calls go, at least one; located and tried as RFC 3263 says.
    pub targets: Vec<Target>,
    /// How long one address may stay silent before the next is tried; the node's when `None`.
    pub try_for: Option<Duration>,
    /// What our INVITEs are authenticated with, when the carrier asks.
    pub credentials: Option<Credentials>,
    /// Number shown to those we call; the calling phone's own when `None`.
    pub caller_id: Option<String>,
    /// Calls at a time in both directions; no limit of its own when `None`.
    pub max_calls: Option<usize>,
    /// What is believed and said about who calls.
    pub identity: IdentityPolicy,
}

/// The trunk an INVITE from `source` belongs to: the one that accepts the narrowest network. A
/// host whose address it is, as `is_at` says, is as narrow as can be.
pub fn accepting<'t>(
    trunks: impl IntoIterator<Item = &'t Trunk>,
    source: IpAddr,
    is_at: impl Fn(&str) -> bool,
) -> Option<&'t Trunk> {
    let narrowest = |trunk: &Trunk| {
        let networks = trunk.accept.iter();
        let bits = networks.filter(|network| network.contains(source));
        let bits = bits.map(|network| u16::from(network.bits()));
        let hosts = trunk.accept_hosts.iter().filter(|host| is_at(host));
        bits.chain(hosts.map(|_| HOST_BITS)).max()
    };
    trunks
        .into_iter()
        .filter_map(|trunk| Some((narrowest(trunk)?, trunk)))
        .max_by_key(|(bits, _)| *bits)
        .map(|(_, trunk)| trunk)
}

/// More than any network has.
const HOST_BITS: u16 = 256;

impl fmt::Debug for Trunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trunk")
            .field("name", &self.name)
            .field("accept", &self.accept)
            .field("targets", &self.targets)
            .field("has_credentials", &self.credentials.is_some())
            .finish_non_exhaustive()
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
            accept_hosts: Vec::new(),
            targets: Vec::new(),
            try_for: None,
            credentials: None,
            caller_id: None,
            max_calls: None,
            identity: IdentityPolicy::default(),
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
            let name = accepting(&trunks, source, |_| false).map(|trunk| trunk.name.as_str());
            assert_eq!(name, expected);
        }
    }

    #[test]
    fn a_host_is_narrower_than_any_network() {
        let mut named = trunk("named", &[]);
        named.accept_hosts = vec!["sip.carrier.example".to_owned()];
        let trunks = [trunk("exact", &["192.0.2.7"]), named];
        let source = "192.0.2.7".parse().expect("an address");
        let whose = |is_at: fn(&str) -> bool| {
            accepting(&trunks, source, is_at).map(|trunk| trunk.name.as_str())
        };
        assert_eq!(whose(|_| false), Some("exact"));
        assert_eq!(whose(|host| host == "sip.carrier.example"), Some("named"));
    }
}
