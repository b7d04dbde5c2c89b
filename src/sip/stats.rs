//! What a user agent counted; read by metrics, written without locks.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Method;

/// Counters of one user agent. Bounded: methods and statuses we know, everything else together.
#[derive(Debug)]
pub struct Stats {
    /// Requests dropped: malformed beyond answering, over the limits, ACKs and responses that
    /// belong to nothing.
    pub dropped: AtomicU64,
    /// Requests that went to another address because the one before failed (RFC 3263 §4.3).
    pub failovers: AtomicU64,
    /// Messages that could not be read.
    pub malformed: AtomicU64,
    /// Questions put to name servers.
    pub questions: AtomicU64,
    /// Requests and responses that came again.
    pub repeats_received: AtomicU64,
    /// Messages we sent again.
    pub repeats_sent: AtomicU64,
    /// New INVITEs and requests refused because we hold too many transactions.
    pub overloaded: AtomicU64,
    /// Addresses spared now because they failed or asked for a pause.
    pub resting: AtomicU64,
    requests_received: [AtomicU64; METHODS.len() + 1],
    requests_sent: [AtomicU64; METHODS.len() + 1],
    responses_received: Box<[AtomicU64]>,
    responses_sent: Box<[AtomicU64]>,
}

impl Default for Stats {
    fn default() -> Self {
        let statuses = || (0..STATUSES).map(|_| AtomicU64::new(0)).collect();
        Self {
            dropped: AtomicU64::new(0),
            failovers: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
            questions: AtomicU64::new(0),
            resting: AtomicU64::new(0),
            repeats_received: AtomicU64::new(0),
            repeats_sent: AtomicU64::new(0),
            overloaded: AtomicU64::new(0),
            requests_received: Default::default(),
            requests_sent: Default::default(),
            responses_received: statuses(),
            responses_sent: statuses(),
        }
    }
}

impl Stats {
    /// Requests received, by method; `other` is last.
    pub fn requests_received(&self) -> impl Iterator<Item = (&'static str, u64)> {
        by_method(&self.requests_received)
    }

    /// Requests sent, by method; `other` is last. Repeats are not counted again.
    pub fn requests_sent(&self) -> impl Iterator<Item = (&'static str, u64)> {
        by_method(&self.requests_sent)
    }

    /// Responses received, by status; only those seen.
    pub fn responses_received(&self) -> impl Iterator<Item = (u16, u64)> {
        by_status(&self.responses_received)
    }

    /// Responses sent, by status; only those sent.
    pub fn responses_sent(&self) -> impl Iterator<Item = (u16, u64)> {
        by_status(&self.responses_sent)
    }

    pub(super) fn request_received(&self, method: &Method) {
        count(&self.requests_received[index(method)]);
    }

    pub(super) fn request_sent(&self, method: &Method) {
        count(&self.requests_sent[index(method)]);
    }

    pub(super) fn response_received(&self, status: u16) {
        if let Some(counter) = cell(&self.responses_received, status) {
            count(counter);
        }
    }

    pub(super) fn response_sent(&self, status: u16) {
        if let Some(counter) = cell(&self.responses_sent, status) {
            count(counter);
        }
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn index(method: &Method) -> usize {
    let known = METHODS.iter().position(|(known, _)| known == method);
    known.unwrap_or(METHODS.len())
}

fn cell(counters: &[AtomicU64], status: u16) -> Option<&AtomicU64> {
    counters.get(usize::from(status.checked_sub(FIRST_STATUS)?))
}

fn by_method(counters: &[AtomicU64]) -> impl Iterator<Item = (&'static str, u64)> {
    let names = METHODS.iter().map(|(_, name)| *name).chain(["other"]);
    names.zip(
        counters
            .iter()
            .map(|counter| counter.load(Ordering::Relaxed)),
    )
}

fn by_status(counters: &[AtomicU64]) -> impl Iterator<Item = (u16, u64)> {
    (FIRST_STATUS..)
        .zip(
            counters
                .iter()
                .map(|counter| counter.load(Ordering::Relaxed)),
        )
        .filter(|(_, count)| *count > 0)
}

const FIRST_STATUS: u16 = 100;
/// 100 to 699.
const STATUSES: usize = 600;

const METHODS: [(Method, &str); 14] = [
    (Method::Invite, "INVITE"),
    (Method::Ack, "ACK"),
    (Method::Bye, "BYE"),
    (Method::Cancel, "CANCEL"),
    (Method::Register, "REGISTER"),
    (Method::Options, "OPTIONS"),
    (Method::Info, "INFO"),
    (Method::Update, "UPDATE"),
    (Method::Prack, "PRACK"),
    (Method::Refer, "REFER"),
    (Method::Notify, "NOTIFY"),
    (Method::Subscribe, "SUBSCRIBE"),
    (Method::Message, "MESSAGE"),
    (Method::Publish, "PUBLISH"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_and_status_has_its_counter() {
        let stats = Stats::default();
        stats.request_received(&Method::Bye);
        stats.response_sent(200);
        stats.response_sent(699);
        stats.response_sent(1000);
        let byes = stats.requests_received().find(|(name, _)| *name == "BYE");
        assert_eq!(byes, Some(("BYE", 1)));
        let sent: Vec<_> = stats.responses_sent().collect();
        assert_eq!(sent, [(200, 1), (699, 1)]);
    }
}
