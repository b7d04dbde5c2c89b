//! Why something ended: SIP status, Q.850 cause and words, in ONE table.
//!
//! Sources: RFC 3261 §21 (statuses), RFC 3398 §7.2.4 and §8.2.6.1 (mapping to Q.850), RFC 3326
//! (Reason header).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who ended a leg or a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// The agent who was offered or had the call.
    Agent,
    /// Whoever was called, when it is not an agent.
    Callee,
    /// Whoever placed the call.
    Caller,
    /// The switch itself: a flow's end, a timeout, a limit, a shutdown.
    Switch,
}

/// Why a leg or a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// SIP status that tells it best; 200 for a normal hang-up of an answered call.
    pub sip: u16,
    /// ITU-T Q.850 cause value, 1..=127.
    pub q850: u8,
    /// A few words for people.
    pub words: String,
}

impl Cause {
    /// The cause for a SIP status, from the table; unknown statuses take their class's row.
    pub fn from_status(status: u16) -> Self {
        let row = row(status);
        Self {
            sip: status,
            q850: row.q850,
            words: row.words.to_owned(),
        }
    }

    /// A normal end of an answered call (Q.850 16).
    pub fn normal() -> Self {
        Self {
            sip: 200,
            q850: 16,
            words: "normal clearing".to_owned(),
        }
    }

    /// Rang, and nobody answered (Q.850 19, SIP 480).
    pub fn no_answer() -> Self {
        let words = "no answer".to_owned();
        Self {
            sip: 480,
            q850: 19,
            words,
        }
    }

    /// Rang too, and another phone answered (Q.850 26, SIP 487).
    pub fn answered_elsewhere() -> Self {
        Self {
            sip: 487,
            q850: 26,
            words: "answered elsewhere".to_owned(),
        }
    }

    /// The same cause with other words.
    pub fn with_words(mut self, words: impl Into<String>) -> Self {
        self.words = words.into();
        self
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SIP {}, Q.850 {})", self.words, self.sip, self.q850)
    }
}

/// The reason phrase of a status (RFC 3261 §21); `"Unknown"` outside the table.
pub fn phrase(status: u16) -> &'static str {
    TABLE
        .iter()
        .find(|row| row.status == status)
        .map_or("Unknown", |row| row.phrase)
}

struct Row {
    status: u16,
    phrase: &'static str,
    q850: u8,
    words: &'static str,
}

fn row(status: u16) -> &'static Row {
    let find = |wanted| TABLE.iter().find(|row: &&Row| row.status == wanted);
    let class = match status {
        100..=299 => 200,
        300..=499 => 400,
        600.. => 603,
        _ => 500,
    };
    find(status).or_else(|| find(class)).unwrap_or(&TABLE[0])
}

macro_rules! table {
    ($($status:literal $phrase:literal $q850:literal $words:literal,)*) => {
        &[$(Row { status: $status, phrase: $phrase, q850: $q850, words: $words }),*]
    };
}

#[rustfmt::skip]
const TABLE: &[Row] = table![
    500 "Server Internal Error" 41 "temporary failure in the switch",
    100 "Trying" 16 "trying",
    180 "Ringing" 16 "ringing",
    181 "Call Is Being Forwarded" 16 "being forwarded",
    182 "Queued" 16 "queued",
    183 "Session Progress" 16 "in progress",
    200 "OK" 16 "normal clearing",
    202 "Accepted" 16 "accepted",
    300 "Multiple Choices" 23 "moved, several choices",
    301 "Moved Permanently" 22 "number changed",
    302 "Moved Temporarily" 23 "moved for now",
    305 "Use Proxy" 23 "use another proxy",
    400 "Bad Request" 41 "bad request",
    401 "Unauthorized" 21 "not authorised",
    402 "Payment Required" 21 "payment required",
    403 "Forbidden" 21 "forbidden",
    404 "Not Found" 1 "number not assigned",
    405 "Method Not Allowed" 63 "method not allowed",
    406 "Not Acceptable" 79 "not acceptable",
    407 "Proxy Authentication Required" 21 "not authorised at the proxy",
    408 "Request Timeout" 102 "no reply in time",
    410 "Gone" 22 "number gone",
    413 "Request Entity Too Large" 127 "request too large",
    414 "Request-URI Too Long" 127 "address too long",
    415 "Unsupported Media Type" 79 "media type not supported",
    416 "Unsupported URI Scheme" 127 "address scheme not supported",
    420 "Bad Extension" 127 "extension not supported",
    421 "Extension Required" 127 "extension required",
    422 "Session Interval Too Small" 127 "session interval too small",
    423 "Interval Too Brief" 127 "interval too brief",
    430 "Flow Failed" 18 "connection of the phone is gone",
    433 "Anonymity Disallowed" 21 "anonymous calls not wanted",
    439 "First Hop Lacks Outbound Support" 127 "proxy without outbound",
    440 "Max-Breadth Exceeded" 25 "too many branches",
    480 "Temporarily Unavailable" 18 "temporarily unavailable",
    481 "Call/Transaction Does Not Exist" 41 "call does not exist",
    482 "Loop Detected" 25 "loop detected",
    483 "Too Many Hops" 25 "too many hops",
    484 "Address Incomplete" 28 "number incomplete",
    485 "Ambiguous" 1 "ambiguous number",
    486 "Busy Here" 17 "busy",
    487 "Request Terminated" 16 "cancelled before answer",
    488 "Not Acceptable Here" 88 "no common media",
    469 "Bad Info Package" 79 "info package not supported",
    489 "Bad Event" 79 "event not supported",
    491 "Request Pending" 41 "request pending",
    493 "Undecipherable" 41 "undecipherable",
    501 "Not Implemented" 79 "not implemented",
    502 "Bad Gateway" 38 "bad gateway",
    503 "Service Unavailable" 41 "service unavailable",
    504 "Server Time-out" 102 "server timed out",
    505 "Version Not Supported" 127 "SIP version not supported",
    513 "Message Too Large" 127 "message too large",
    600 "Busy Everywhere" 17 "busy everywhere",
    603 "Decline" 21 "declined",
    604 "Does Not Exist Anywhere" 1 "does not exist anywhere",
    606 "Not Acceptable" 88 "no common media anywhere",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_map_as_rfc_3398_says() {
        for (status, q850) in [
            (404, 1),
            (486, 17),
            (480, 18),
            (408, 102),
            (503, 41),
            (488, 88),
        ] {
            assert_eq!(Cause::from_status(status).q850, q850, "{status}");
        }
    }

    #[test]
    fn an_unknown_status_takes_its_class() {
        assert_eq!(Cause::from_status(499).q850, 41);
        assert_eq!(Cause::from_status(699).q850, 21);
        assert_eq!(phrase(299), "Unknown");
    }

    #[test]
    fn no_status_stands_twice() {
        let mut seen: Vec<u16> = TABLE.iter().map(|row| row.status).collect();
        seen.sort_unstable();
        let before = seen.len();
        seen.dedup();
        assert_eq!(seen.len(), before);
    }
}
