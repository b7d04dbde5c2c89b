//! The host of a URI or Via: a name or an address literal (RFC 3261 §25.1 `host`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Name or address. Names keep their letter case and compare without it only in
/// [`Host::is_same`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// Host name; empty for URIs that have no host.
    Name(String),
    /// IPv4 literal.
    V4(Ipv4Addr),
    /// IPv6 reference, written in brackets.
    V6(Ipv6Addr),
}

impl Host {
    /// Parses a name, an IPv4 address or a bracketed IPv6 address.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            return inner.strip_suffix(']')?.parse().ok().map(Host::V6);
        }
        if text.is_empty() || text.len() > MAX_NAME {
            return None;
        }
        if text.as_bytes().last().is_some_and(u8::is_ascii_digit)
            && let Ok(address) = text.parse()
        {
            return Some(Host::V4(address));
        }
        // `_` is not in the grammar, yet common in host names of test networks.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        text.bytes()
            .all(is_name)
            .then(|| Host::Name(text.to_owned()))
    }

    /// The address, when it is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(address) => Some(IpAddr::V4(*address)),
            Host::V6(address) => Some(IpAddr::V6(*address)),
        }
    }

    /// Whether both are the same host as written; names without regard to letter case.
    pub fn is_same(&self, other: &Host) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            _ => self == other,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Host::V4(address),
            IpAddr::V6(address) => Host::V6(address),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(address) => write!(f, "{address}"),
            Host::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// RFC 1035 §2.3.4.
const MAX_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_literals_are_told_apart() {
        assert_eq!(
            Host::parse("192.0.2.1"),
            Some(Host::V4([192, 0, 2, 1].into()))
        );
        assert!(matches!(Host::parse("[::1]"), Some(Host::V6(_))));
        assert_eq!(
            Host::parse("a.example"),
            Some(Host::Name("a.example".to_owned()))
        );
        assert_eq!(Host::parse("2001:db8::1"), None);
        assert_eq!(Host::parse("a b"), None);
        assert_eq!(Host::parse(""), None);
    }
}
