//! A network of addresses, such as `127.0.0.0/8`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An address and how many of its leading bits count. IPv4 and IPv6 never contain each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The part before the slash.
    #[error("\"{0}\" is not an IP address")]
    Address(String),
    /// The part after the slash.
    #[error("\"/{given}\" is not a prefix length: it goes from /0 to /{longest}")]
    Bits {
        /// What is written.
        given: String,
        /// 32 or 128.
        longest: u8,
    },
    /// Bits are set that do not count.
    #[error("\"{given}\" has bits set beyond its prefix; the network is {meant}")]
    HostBits {
        /// What is written.
        given: String,
        /// The network it lies in.
        meant: String,
    },
}

impl Network {
    /// Parses `address/bits`, or one address.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| NetworkError::Address(address.to_owned()))?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => longest,
            Some(bits) => match bits.parse::<u8>() {
                Ok(number) if number <= longest => number,
                _ => {
                    let given = bits.to_owned();
                    return Err(NetworkError::Bits { given, longest });
                }
            },
        };
        let network = Self {
            address: mask(address, bits),
            bits,
        };
        if network.address != address {
            return Err(NetworkError::HostBits {
                given: text.to_owned(),
                meant: network.to_string(),
            });
        }
        Ok(network)
    }

    /// The network of one address; an IPv4 address mapped into IPv6 counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Self { address, bits }
    }

    /// Whether `address` lies in it; an IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && mask(address, self.bits) == self.address
    }

    /// How many leading bits count.
    pub fn bits(&self) -> u8 {
        self.bits
    }
}

fn mask(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        Self::parse(text)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_its_own_and_nothing_else() {
        for (network, address, inside) in [
            ("127.0.0.0/8", "127.255.0.1", true),
            ("127.0.0.0/8", "128.0.0.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::9", true),
            ("::/0", "2001:db8::1", true),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
        ] {
            let network = Network::parse(network).expect("a network");
            let address = address.parse().expect("an address");
            assert_eq!(network.contains(address), inside, "{network} {address}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            ("127.0.0/8", "\"127.0.0\" is not an IP address"),
            (
                "127.0.0.0/33",
                "\"/33\" is not a prefix length: it goes from /0 to /32",
            ),
            (
                "127.0.0.1/8",
                "\"127.0.0.1/8\" has bits set beyond its prefix; the network is 127.0.0.0/8",
            ),
        ] {
            let error = Network::parse(text).expect_err(text);
            assert_eq!(error.to_string(), expected);
        }
    }
}
