//! The key that ends a number, pressed after its length has ended it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;

/// A terminator that may still follow an answer which was complete without it: callers press `#` out
/// of habit. It belongs to that answer, and is no key of what comes next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateTerminator {
    keys: BTreeSet<char>,
    until: Timestamp,
}

impl LateTerminator {
    /// One of these keys, until an instant.
    pub fn new(keys: BTreeSet<char>, until: Timestamp) -> Self {
        Self { keys, until }
    }

    /// Whether a key is the one.
    pub fn is(&self, now: Timestamp, key: char) -> bool {
        now <= self.until && self.keys.contains(&key)
    }
}
