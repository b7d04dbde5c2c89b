//! What is asked of a name server, and what it says.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// One question: a name and a kind of record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// Fully qualified, lower case, without the final dot.
    pub name: Arc<str>,
    /// Which records.
    pub kind: Kind,
}

/// Kinds of records that location needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Which transports a domain wants, in its order (RFC 3403).
    Naptr,
    /// Hosts and ports of one transport (RFC 2782).
    Srv,
}

/// One record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A or AAAA.
    Address(IpAddr),
    /// CNAME: the name is another one's.
    Alias(Arc<str>),
    /// NAPTR.
    Naptr(Naptr),
    /// SRV.
    Srv(Srv),
}

/// What a NAPTR record says, as far as SIP reads it (RFC 3263 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower first.
    pub order: u16,
    /// Lower first within an order.
    pub preference: u16,
    /// `s`: the replacement has SRV records; `a`: addresses.
    pub flags: String,
    /// Such as `SIP+D2U`.
    pub service: String,
    /// Not empty for rules that rewrite; SIP has none.
    pub has_regexp: bool,
    /// Where to go on.
    pub replacement: Arc<str>,
}

/// One server of an SRV answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower first.
    pub priority: u16,
    /// Share within a priority.
    pub weight: u16,
    /// Port.
    pub port: u16,
    /// Host; empty (the root) where the service is not offered.
    pub target: Arc<str>,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// No name server answered, or none wanted to.
    Failed,
    /// The name or its records do not exist; good for this long (RFC 2308 §5).
    Nothing(Duration),
    /// Records, good for this long.
    Records(Vec<Record>, Duration),
}

impl Question {
    /// The question for a name as written somewhere.
    pub fn new(name: &str, kind: Kind) -> Self {
        let name = name.strip_suffix('.').unwrap_or(name);
        Self {
            name: name.to_ascii_lowercase().into(),
            kind,
        }
    }
}

impl Kind {
    /// As written in zone files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::A => "A",
            Kind::Aaaa => "AAAA",
            Kind::Naptr => "NAPTR",
            Kind::Srv => "SRV",
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.kind.as_str())
    }
}
