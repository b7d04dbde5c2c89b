//! Names that certificates are verified for (RFC 5922), small enough to travel with every flow.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU16;
use std::sync::{LazyLock, PoisonError, RwLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A host name that was asked for, lower case. One number a name: names come from configuration
/// and from what it leads to, and are never forgotten by a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName(NonZeroU16);

#[derive(Default)]
struct Table {
    names: Vec<&'static str>,
    numbers: HashMap<&'static str, ServerName>,
}

static TABLE: LazyLock<RwLock<Table>> = LazyLock::new(RwLock::default);

impl ServerName {
    /// The name's number; `None` when it is no host name (RFC 1123 §2.1), or when a process has
    /// met `MAX_NAMES` others: then nothing can be verified for it.
    pub fn new(name: &str) -> Option<Self> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        if !is_host_name(&name) {
            return None;
        }
        let known = |table: &Table| table.numbers.get(name.as_str()).copied();
        if let Some(known) = known(&TABLE.read().unwrap_or_else(PoisonError::into_inner)) {
            return Some(known);
        }
        let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known(&table) {
            return Some(known);
        }
        if table.names.len() >= MAX_NAMES {
            return None;
        }
        let name: &'static str = Box::leak(name.into_boxed_str());
        table.names.push(name);
        let number = ServerName(NonZeroU16::new(u16::try_from(table.names.len()).ok()?)?);
        table.numbers.insert(name, number);
        Some(number)
    }

    /// Whether the name has a number already.
    #[cfg(test)]
    pub(crate) fn is_known(name: &str) -> bool {
        let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
        table.numbers.contains_key(name)
    }

    /// The name, lower case, without a final dot.
    pub fn as_str(self) -> &'static str {
        let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
        let at = usize::from(self.0.get()) - 1;
        table.names.get(at).copied().unwrap_or_default()
    }
}

fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for ServerName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ServerName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::new(&name).ok_or_else(|| serde::de::Error::custom("not a host name"))
    }
}

/// Far more than one office has carriers; a redirection's target counts too, so there is an end.
const MAX_NAMES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_number_however_it_is_written() {
        let name = ServerName::new("SIP.Carrier.example.").unwrap();
        assert_eq!(ServerName::new("sip.carrier.example"), Some(name));
        assert_ne!(ServerName::new("sip2.carrier.example"), Some(name));
        assert_eq!(name.as_str(), "sip.carrier.example");
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!(json, "\"sip.carrier.example\"");
        assert_eq!(serde_json::from_str::<ServerName>(&json).unwrap(), name);
        assert!(size_of::<Option<ServerName>>() == 2);
    }

    #[test]
    fn what_is_no_host_name_has_no_number() {
        for text in ["", ".", "a..b", "-a.b", "a b", "*.a", "[::1]", "ä.example"] {
            assert_eq!(ServerName::new(text), None, "{text}");
        }
    }
}
