//! Names that certificates are verified for (RFC 5922), small enough to travel with every flow.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU16;
use std::sync::{LazyLock, PoisonError, RwLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A host name that was asked for, lower case. One number a name, never forgotten by a process:
/// those of the configuration have numbers kept for them, those that others wrote into Contacts
/// and routes share what is left.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName(NonZeroU16);

#[derive(Default)]
struct Table {
    names: Vec<&'static str>,
    numbers: HashMap<&'static str, ServerName>,
    /// Names that others wrote.
    met: usize,
}

#[derive(Default)]
struct Names(RwLock<Table>);

static TABLE: LazyLock<Names> = LazyLock::new(Names::default);

impl Names {
    fn number(&self, name: &str, is_met: bool) -> Option<ServerName> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        if !is_host_name(&name) {
            return None;
        }
        let known = |table: &Table| table.numbers.get(name.as_str()).copied();
        if let Some(known) = known(&self.0.read().unwrap_or_else(PoisonError::into_inner)) {
            return Some(known);
        }
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known(&table) {
            return Some(known);
        }
        if table.names.len() >= MAX_NAMES || is_met && table.met >= MAX_MET {
            return None;
        }
        table.met += usize::from(is_met);
        let name: &'static str = Box::leak(name.into_boxed_str());
        table.names.push(name);
        let number = ServerName(NonZeroU16::new(u16::try_from(table.names.len()).ok()?)?);
        table.numbers.insert(name, number);
        Some(number)
    }
}

impl ServerName {
    /// The number of a name of the configuration, or one that was proven; `None` when it is no host
    /// name (RFC 1123 §2.1), or when a process knows `MAX_NAMES` others: then nothing can be
    /// verified for it.
    pub fn new(name: &str) -> Option<Self> {
        TABLE.number(name, false)
    }

    /// The number of a name that somebody wrote. Whoever writes many finds no number for them
    /// after `MAX_MET`, and takes none from the configuration.
    pub fn met(name: &str) -> Option<Self> {
        TABLE.number(name, true)
    }

    /// Whether the name has a number already.
    #[cfg(test)]
    pub(crate) fn is_known(name: &str) -> bool {
        let table = TABLE.0.read().unwrap_or_else(PoisonError::into_inner);
        table.numbers.contains_key(name)
    }

    /// The name, lower case, without a final dot.
    pub fn as_str(self) -> &'static str {
        let table = TABLE.0.read().unwrap_or_else(PoisonError::into_inner);
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
        Self::met(&name).ok_or_else(|| serde::de::Error::custom("not a host name"))
    }
}

/// Far more than one office has carriers.
const MAX_NAMES: usize = 4096;
/// Of these, names of dialogs' other sides, phones and redirections.
const MAX_MET: usize = 1024;

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
    fn whoever_writes_many_names_takes_none_from_the_configuration() {
        let names = Names::default();
        let met = |number: usize| names.number(&format!("n{number}.evil.example"), true);
        assert!((0..MAX_MET).all(|number| met(number).is_some()));
        assert_eq!(met(MAX_MET), None);
        assert!(met(0).is_some());
        let configured = names.number("carrier.example", false);
        assert!(configured.is_some());
        assert_eq!(names.number("carrier.example", true), configured);
        let own = |number: usize| names.number(&format!("n{number}.own.example"), false);
        let left = MAX_NAMES - MAX_MET - 1;
        assert!((0..left).all(|number| own(number).is_some()));
        assert_eq!(own(left), None);
    }

    #[test]
    fn what_is_no_host_name_has_no_number() {
        for text in ["", ".", "a..b", "-a.b", "a b", "*.a", "[::1]", "ä.example"] {
            assert_eq!(ServerName::new(text), None, "{text}");
        }
    }
}
