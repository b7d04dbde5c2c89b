//! One trunk: where its calls come from and where ours go.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{IdentityPolicy, Network, Profile};
use crate::sip::auth::Credentials;
use crate::sip::{Host, Protocol};

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
    /// The carrier's own domain: where we register, and the host of addresses that ask for it.
    pub domain: Option<String>,
    /// What is registered, when the profile registers.
    pub accounts: Vec<Account>,
    /// How the carrier behaves.
    pub profile: Profile,
    /// What is believed and said about who calls: the profile's, as overridden.
    pub identity: IdentityPolicy,
}

/// One of a trunk's accounts.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// User part of the address-of-record and of our Contact: the number, with most carriers.
    pub user: String,
    /// What a challenge to the REGISTER is answered with.
    pub credentials: Option<Credentials>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("user", &self.user)
            .field("has_credentials", &self.credentials.is_some())
            .finish()
    }
}

/// An address to send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Protocol.
    pub protocol: Protocol,
    /// Address and port.
    pub address: SocketAddr,
}

impl Target {
    /// Host, as addresses name it.
    pub fn host(&self) -> Host {
        self.address.ip().into()
    }

    /// Port, when it has to be written.
    pub fn port(&self) -> Option<u16> {
        Some(self.address.port())
    }
}

impl Trunk {
    /// Where calls out go, in order.
    pub fn targets(&self) -> Vec<Target> {
        vec![self.target]
    }
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

/// The trunk an INVITE from `source` to our Contact `user` belongs to: one that registered that
/// Contact there, else as [`accepting`] says. Of two trunks to one carrier, each has its own.
pub fn calling<'t>(
    trunks: impl IntoIterator<Item = &'t Trunk> + Clone,
    source: IpAddr,
    user: &str,
) -> Option<&'t Trunk> {
    let is_from = |trunk: &Trunk| {
        let source = source.to_canonical();
        let mut targets = trunk.targets().into_iter();
        targets.any(|target| target.address.ip().to_canonical() == source)
            || trunk.accept.iter().any(|network| network.contains(source))
    };
    let registered = trunks.clone().into_iter().find(|trunk| {
        trunk.profile.registers()
            && trunk.accounts.iter().any(|account| account.user == user)
            && is_from(trunk)
    });
    registered.or_else(|| accepting(trunks, source))
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
pub(super) mod tests {
    use super::*;

    pub(in crate::trunk) fn trunk(name: &str, accept: &[&str]) -> Trunk {
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
            domain: None,
            accounts: Vec::new(),
            profile: Profile::default(),
            identity: IdentityPolicy::default(),
        }
    }

    #[test]
    fn of_two_registered_trunks_the_contact_says_which() {
        let registered = |name: &str, user: &str| {
            let mut trunk = trunk(name, &[]);
            trunk.profile = Profile::built_in("telnyx").expect("built in");
            trunk.accounts = vec![Account {
                user: user.to_owned(),
                credentials: None,
            }];
            trunk
        };
        let trunks = [
            registered("a", "1"),
            registered("b", "2"),
            trunk("wide", &["127.0.0.0/8"]),
        ];
        for (source, user, expected) in [
            ("127.0.0.1", "1", Some("a")),
            ("127.0.0.1", "2", Some("b")),
            ("127.0.0.1", "3", Some("wide")),
            ("192.0.2.1", "1", None),
        ] {
            let source = source.parse().expect("an address");
            let found = calling(&trunks, source, user).map(|trunk| trunk.name.as_str());
            assert_eq!(found, expected, "{source} {user}");
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
