//! One trunk: where its calls come from and where ours go.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{IdentityPolicy, Network, Profile, Redirects, TransferPolicy, is_alike};
use crate::sip::ServerName;
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
    /// What becomes of a redirection by whom it reaches.
    pub redirects: Redirects,
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
    /// What it may do in transfers.
    pub transfer: TransferPolicy,
}

impl Trunk {
    /// Keeps numbers for its names, whoever else writes names.
    pub fn keep_names(&self) {
        let named = self.targets.iter().filter_map(Target::name);
        for name in named.chain(self.domain.as_deref()) {
            ServerName::new(name);
        }
    }

    /// The account of those that register whose number is shown; the first when it is none's.
    /// `None` when there are no accounts.
    pub fn account_of(&self, shown: &str) -> Option<&Account> {
        let mut accounts = self.accounts.iter();
        let own = accounts.find(|account| is_alike(&account.user, shown));
        own.or(self.accounts.first())
    }

    /// What our INVITE that shows a number is authenticated with: what the trunk itself has, else
    /// the account's of that number, else the first account's that has any.
    pub fn credentials_for(&self, shown: &str) -> Option<&Credentials> {
        let of_accounts = || {
            let own = self.account_of(shown).into_iter();
            let mut accounts = own.chain(&self.accounts);
            accounts.find_map(|account| account.credentials.as_ref())
        };
        self.credentials.as_ref().or_else(of_accounts)
    }

    /// Takes over what an older configuration of the trunk has met: who knows its passwords.
    pub fn remember(&self, older: &Self) {
        let all = |trunk: &Self| {
            let accounts = trunk.accounts.iter();
            let accounts = accounts.filter_map(|account| account.credentials.clone());
            let all: Vec<_> = trunk.credentials.iter().cloned().chain(accounts).collect();
            all
        };
        let older = all(older);
        for (new, old) in all(self)
            .iter()
            .flat_map(|new| older.iter().map(move |old| (new, old)))
        {
            new.remember(old);
        }
    }
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

/// The trunk an INVITE from `source` to our Contact `user` belongs to: one that registered that
/// Contact there, else as [`accepting`] says. Of two trunks to one carrier, each has its own.
pub fn calling<'t>(
    trunks: impl IntoIterator<Item = &'t Trunk> + Clone,
    (source, user): (IpAddr, &str),
    is_at: impl Fn(&str) -> bool,
) -> Option<&'t Trunk> {
    let is_from = |trunk: &Trunk| {
        let source = source.to_canonical();
        let is_target = |target: &Target| match target.host.address() {
            Some(address) => address.to_canonical() == source,
            None => is_at(&target.host.to_string()),
        };
        trunk.targets.iter().any(is_target)
            || trunk.accept.iter().any(|network| network.contains(source))
    };
    let registered = trunks.clone().into_iter().find(|trunk| {
        trunk.profile.registers()
            && trunk.accounts.iter().any(|account| account.user == user)
            && is_from(trunk)
    });
    registered.or_else(|| accepting(trunks, source, is_at))
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
pub(super) mod tests {
    use super::*;

    pub(in crate::trunk) fn trunk(name: &str, accept: &[&str]) -> Trunk {
        Trunk {
            name: name.to_owned(),
            accept: accept
                .iter()
                .map(|text| Network::parse(text).expect("a network"))
                .collect(),
            accept_hosts: Vec::new(),
            targets: vec![Target {
                host: IpAddr::from([127, 0, 0, 1]).into(),
                port: Some(5080),
                protocol: Some(crate::sip::Protocol::Udp),
                is_secure: false,
                order: 0,
                weight: 0,
            }],
            try_for: None,
            redirects: Redirects::Refuse,
            credentials: None,
            caller_id: None,
            domain: None,
            accounts: Vec::new(),
            profile: Profile::default(),
            identity: IdentityPolicy::default(),
            transfer: TransferPolicy::default(),
        }
    }

    #[test]
    fn the_account_of_the_number_shown_answers_for_the_call() {
        let mut trunk = trunk("a", &[]);
        assert!(trunk.credentials_for("+81312345678").is_none());
        let account = |user: &str, password: &str| Account {
            user: user.to_owned(),
            credentials: (!password.is_empty()).then(|| Credentials::new(user, password)),
        };
        trunk.accounts = vec![
            account("81311110000", ""),
            account("81312345678", "x"),
            account("81312345679", "y"),
        ];
        for (shown, user) in [
            ("+81312345678", "81312345678"),
            ("0312345679", "81312345679"),
            // Nobody's, and one without a password.
            ("+15550001111", "81312345678"),
            ("+81311110000", "81312345678"),
        ] {
            let found = trunk.credentials_for(shown).expect("found");
            assert_eq!(found.user, user, "{shown}");
        }
        trunk.credentials = Some(Credentials::new("own", "z"));
        let found = trunk.credentials_for("+81312345678").expect("found");
        assert_eq!(found.user, "own", "what is said of the trunk itself");
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
            let found =
                calling(&trunks, (source, user), |_| false).map(|trunk| trunk.name.as_str());
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
