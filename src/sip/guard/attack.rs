//! What attacks are called, how often each was seen, and a log that no attack can flood.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::base::Timestamp;

/// What somebody seems to be at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Attack {
    /// More new connections than one source may open.
    ConnectionFlood,
    /// More contacts than a REGISTER may carry.
    ContactFlood,
    /// A request for a dialog with the wrong tags, or a CANCEL of nothing.
    ForgedRequest,
    /// A response to nothing we sent.
    ForgedResponse,
    /// Something in a header that would be another header elsewhere.
    HeaderInjection,
    /// What cannot be read as SIP, again and again.
    MalformedFlood,
    /// A message or a stream past its size.
    OversizedMessage,
    /// One user's password tried again and again.
    PasswordGuessing,
    /// More requests than one source may send.
    RequestFlood,
    /// A session description past its bounds.
    SdpBomb,
    /// A stream that says next to nothing and stays.
    SlowStream,
    /// Many users tried from one source.
    UserEnumeration,
}

impl Attack {
    /// All, in the order of their names.
    pub const ALL: [Self; 12] = [
        Self::ConnectionFlood,
        Self::ContactFlood,
        Self::ForgedRequest,
        Self::ForgedResponse,
        Self::HeaderInjection,
        Self::MalformedFlood,
        Self::OversizedMessage,
        Self::PasswordGuessing,
        Self::RequestFlood,
        Self::SdpBomb,
        Self::SlowStream,
        Self::UserEnumeration,
    ];

    /// In metrics, the log and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Attack::ConnectionFlood => "connection_flood",
            Attack::ContactFlood => "contact_flood",
            Attack::ForgedRequest => "forged_request",
            Attack::ForgedResponse => "forged_response",
            Attack::HeaderInjection => "header_injection",
            Attack::MalformedFlood => "malformed_flood",
            Attack::OversizedMessage => "oversized_message",
            Attack::PasswordGuessing => "password_guessing",
            Attack::RequestFlood => "request_flood",
            Attack::SdpBomb => "sdp_bomb",
            Attack::SlowStream => "slow_stream",
            Attack::UserEnumeration => "user_enumeration",
        }
    }
}

/// How often each attack was seen. Written without locks.
#[derive(Debug, Default)]
pub struct Tally {
    counts: [AtomicU64; Attack::ALL.len()],
}

impl Tally {
    /// How often one was seen.
    pub fn of(&self, attack: Attack) -> u64 {
        self.counts[attack as usize].load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, attack: Attack) {
        self.counts[attack as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// Which attacks may be written into the log now: each once in [`QUIET`].
#[derive(Debug, Default)]
pub(super) struct Bursts {
    last: [Option<Timestamp>; Attack::ALL.len()],
    silent: [u64; Attack::ALL.len()],
}

impl Bursts {
    /// Whether to log one; then how many have not been logged since the last time.
    pub(super) fn speak(&mut self, now: Timestamp, attack: Attack) -> Option<u64> {
        let at = attack as usize;
        if self.last[at].is_some_and(|last| now.since(last) < QUIET) {
            self.silent[at] += 1;
            return None;
        }
        self.last[at] = Some(now);
        Some(std::mem::take(&mut self.silent[at]))
    }
}

/// A line every ten seconds says as much as ten thousand.
const QUIET: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_told_once_a_burst_and_how_many_there_were() {
        let mut bursts = Bursts::default();
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        assert_eq!(bursts.speak(at(1), Attack::SdpBomb), Some(0));
        assert_eq!(bursts.speak(at(2), Attack::SdpBomb), None);
        assert_eq!(bursts.speak(at(2), Attack::RequestFlood), Some(0));
        assert_eq!(bursts.speak(at(10), Attack::SdpBomb), None);
        assert_eq!(bursts.speak(at(11), Attack::SdpBomb), Some(2));
    }

    #[test]
    fn each_has_its_own_place() {
        for (at, attack) in Attack::ALL.into_iter().enumerate() {
            assert_eq!(attack as usize, at);
            assert_eq!(serde_json::to_value(attack).unwrap(), attack.as_str());
        }
    }
}
