//! What the rest of the switch asks of finished records: list some, find one.

use std::time::Duration;

use super::CallRecord;
use crate::base::Timestamp;
use crate::events::Direction;

/// Where finished records are kept.
pub trait Archive: Send + Sync {
    /// Finished calls that match, the newest first.
    fn list(&self, filter: &Filter) -> Result<Vec<CallRecord>, ArchiveError>;

    /// One finished call by its id.
    fn find(&self, id: &str) -> Result<Option<CallRecord>, ArchiveError>;

    /// The finished call that had something with this public id: itself, a leg, a recording.
    fn find_by_sid(&self, sid: &str) -> Result<Option<CallRecord>, ArchiveError>;

    /// Waits, so long at the most, until the records that were handed over can be found: a call that
    /// has just ended is neither among the living nor here for a moment.
    fn catch_up(&self, patience: Duration);
}

/// Which calls are wanted; an empty filter wants all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// At most so many.
    pub limit: usize,
    /// Caller's number.
    pub from: Option<String>,
    /// Dialled number.
    pub to: Option<String>,
    /// An agent the call was offered to.
    pub agent: Option<String>,
    /// A queue the call stood in.
    pub queue: Option<String>,
    /// Which way it went.
    pub direction: Option<Direction>,
    /// Started at this instant or later.
    pub since: Option<Timestamp>,
    /// Started before this instant.
    pub before: Option<Timestamp>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            limit: 50,
            from: None,
            to: None,
            agent: None,
            queue: None,
            direction: None,
            since: None,
            before: None,
        }
    }
}

impl Filter {
    /// Whether a record is wanted, `limit` aside.
    pub fn matches(&self, record: &CallRecord) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, has: impl FnOnce(&T) -> bool) -> bool {
            wanted.is_none_or(has)
        }
        is(self.from.as_ref(), |from| record.from == *from)
            && is(self.to.as_ref(), |to| record.to == *to)
            && is(self.agent.as_ref(), |agent| {
                record.agents.iter().any(|one| one.agent == *agent)
                    || record.offers.iter().any(|one| one.agent == *agent)
            })
            && is(self.queue.as_ref(), |queue| {
                record.queues.iter().any(|one| one.queue == *queue)
            })
            && is(self.direction.as_ref(), |one| {
                record.direction == Some(*one)
            })
            && is(self.since.as_ref(), |since| record.started >= *since)
            && is(self.before.as_ref(), |before| record.started < *before)
    }
}

/// Why records could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("call records cannot be read: {0}")]
pub struct ArchiveError(pub String);
