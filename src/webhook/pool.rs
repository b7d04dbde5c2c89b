//! Connections that wait for the next request of the same endpoint.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use super::settings::Terms;
use super::target::Origin;

/// What two requests must have in common to share a connection. The endpoint is part of it: its
/// rule of addresses and its certificate are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PoolKey {
    pub(super) endpoint: String,
    pub(super) terms: SameTerms,
    pub(super) origin: Origin,
    pub(super) sni: bool,
    pub(super) is_foreign: bool,
}

/// The very terms a connection was made by: after a reload, others.
#[derive(Clone, Debug)]
pub(super) struct SameTerms(pub(super) Arc<Terms>);

impl PartialEq for SameTerms {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SameTerms {}

impl Hash for SameTerms {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

pub(super) type Sender = SendRequest<Full<Bytes>>;

/// Connections at rest.
#[derive(Debug, Default)]
pub(super) struct Pool {
    resting: HashMap<PoolKey, Vec<(Sender, Instant)>>,
    count: usize,
}

impl Pool {
    /// A connection that is still open, the one used last.
    pub(super) fn take(&mut self, key: &PoolKey, now: Instant) -> Option<Sender> {
        let resting = self.resting.get_mut(key)?;
        let mut found = None;
        while let Some((sender, since)) = resting.pop() {
            self.count -= 1;
            if sender.is_ready() && now.duration_since(since) < LONGEST_REST {
                found = Some(sender);
                break;
            }
        }
        if resting.is_empty() {
            self.resting.remove(key);
        }
        found
    }

    /// Keeps a connection whose reply was read to its end.
    pub(super) fn put(&mut self, key: PoolKey, sender: Sender, now: Instant) {
        if self.count >= MOST {
            self.sweep(now);
        }
        let resting = self.resting.get(&key).map_or(0, Vec::len);
        if self.count < MOST && resting < MOST_OF_ONE && !sender.is_closed() {
            self.resting.entry(key).or_default().push((sender, now));
            self.count += 1;
        }
    }

    /// Closes all: their terms may have changed.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many are at rest.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    fn sweep(&mut self, now: Instant) {
        self.resting.retain(|_, resting| {
            resting.retain(|(sender, since)| {
                !sender.is_closed() && now.duration_since(*since) < LONGEST_REST
            });
            !resting.is_empty()
        });
        self.count = self.resting.values().map(Vec::len).sum();
    }
}

/// Most servers close after some more than this.
const LONGEST_REST: Duration = Duration::from_secs(30);
/// Connections at rest in all.
const MOST: usize = 256;
/// Connections at rest to one endpoint.
const MOST_OF_ONE: usize = 16;
