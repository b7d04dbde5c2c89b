//! Which addresses a request may go to. A URL comes from a document that others may have written:
//! what is inside the own network is reached only where the configuration says so.
//!
//! After the IANA registries of special-purpose addresses (RFC 6890); outside IPv6's global
//! unicast space (RFC 4291 §2.4) nothing is reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::base::Network;

/// Networks that may be reached although they are not of the public Internet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressRule {
    allowed: Vec<Network>,
}

/// Why an address is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {what}, and no allowed network")]
pub struct Denied {
    /// The address, as it was resolved.
    pub address: IpAddr,
    /// What kind of address it is, with its article.
    pub what: &'static str,
}

impl AddressRule {
    /// Public addresses, and those in `allowed`.
    pub fn new(allowed: Vec<Network>) -> Self {
        Self { allowed }
    }

    /// Whether a connection to `address` may be made.
    ///
    /// # Errors
    ///
    /// What kind of address it is when it may not.
    pub fn check(&self, address: IpAddr) -> Result<(), Denied> {
        if self.allowed.iter().any(|network| network.contains(address)) {
            return Ok(());
        }
        match special(address.to_canonical()) {
            None => Ok(()),
            Some(what) => Err(Denied { address, what }),
        }
    }
}

/// What a special-purpose address is for; `None` for a public one.
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => special_v6(v6),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    Some(match (a, b, c) {
        (0, ..) => "an address of \"this network\"",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => "a private address",
        (100, 64..=127, _) => "a shared address of carriers",
        (127, ..) => "a loopback address",
        (169, 254, _) => "a link-local address",
        (192, 0, 0) | (192, 88, 99) => "an address for protocols",
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => "an address for documentation",
        (198, 18..=19, _) => "an address for benchmarks",
        (224..=239, ..) => "a multicast address",
        (240..=255, ..) => "a reserved address",
        _ => return None,
    })
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    let [a, b, ..] = segments;
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        special_v4(Ipv4Addr::new(a, b, c, d))
    };
    Some(match (a, b) {
        _ if address.is_loopback() => "a loopback address",
        _ if address.is_unspecified() => "the unspecified address",
        // Translated into IPv4 on the way: what it is there counts (RFC 6052, RFC 3056).
        (0x64, 0xff9b) if segments[2..6] == [0; 4] => return embedded(segments[6], segments[7]),
        (0x2002, _) => return embedded(segments[1], segments[2]),
        (0x2001, 0..=0x1ff) => "an address for protocols",
        (0x2001, 0xdb8) | (0x3fff, 0..=0xfff) => "an address for documentation",
        (0x2000..=0x3fff, _) => return None,
        (0xfc00..=0xfdff, _) => "a unique-local address",
        (0xfe80..=0xfebf, _) => "a link-local address",
        (0xfec0..=0xfeff, _) => "a site-local address",
        (0xff00.., _) => "a multicast address",
        _ => "a reserved address",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_public_is_denied() {
        let rule = AddressRule::default();
        for (address, what) in [
            ("0.0.0.0", "this network"),
            ("10.1.2.3", "private"),
            ("100.64.0.1", "shared"),
            ("127.0.0.1", "loopback"),
            ("127.255.0.9", "loopback"),
            ("169.254.169.254", "link-local"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.0.0.1", "protocols"),
            ("192.0.2.1", "documentation"),
            ("192.168.1.1", "private"),
            ("198.19.0.1", "benchmarks"),
            ("224.0.0.1", "multicast"),
            ("255.255.255.255", "reserved"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:10.0.0.1", "private"),
            ("::7f00:1", "reserved"),
            ("64:ff9b::7f00:1", "loopback"),
            ("64:ff9b:1::1", "reserved"),
            ("2002:c0a8:101::1", "private"),
            ("2001::1", "protocols"),
            ("2001:db8::1", "documentation"),
            ("fc00::1", "unique-local"),
            ("fdab::1", "unique-local"),
            ("fe80::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            let denied = rule.check(address).expect_err("denied").to_string();
            assert!(denied.contains(what), "{denied}");
        }
    }

    #[test]
    fn public_addresses_and_allowed_networks_are_reached() {
        let rule = AddressRule::default();
        for address in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "203.0.112.1",
            "2606:4700::1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert_eq!(rule.check(address.parse().unwrap()), Ok(()), "{address}");
        }
        let rule = AddressRule::new(vec!["10.1.0.0/16".parse().unwrap()]);
        for (address, allowed) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.2.3", false),
            ("127.0.0.1", false),
        ] {
            let checked = rule.check(address.parse().unwrap());
            assert_eq!(checked.is_ok(), allowed, "{address}");
        }
    }
}
