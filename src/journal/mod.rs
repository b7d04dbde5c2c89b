//! The ordered log of facts: what a shard's machine was told, what its timers did, what it decided.
//!
//! Written means that `kill -9` cannot take it back; synced means that a power cut cannot. Outputs
//! of a machine are released when their facts are written. This room holds the trait and a journal
//! in memory for tests; `store` implements it on disk.

mod memory;
mod retention;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;

pub use memory::MemoryJournal;
pub use retention::{Retention, Tidying};

/// What kind of thing a fact is; what-if feeds only the inputs to another plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactClass {
    /// Told from outside.
    Input,
    /// A deadline that passed.
    Timer,
    /// Chosen by the machine.
    Decision,
}

impl FactClass {
    /// The word a store writes: `input`, `timer` or `decision`.
    pub fn as_str(self) -> &'static str {
        match self {
            FactClass::Input => "input",
            FactClass::Timer => "timer",
            FactClass::Decision => "decision",
        }
    }

    /// The class of a word written by [`FactClass::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Input, Self::Timer, Self::Decision]
            .into_iter()
            .find(|class| class.as_str() == word)
    }
}

/// One fact as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Shard of the machine it belongs to.
    pub shard: u16,
    /// Number within the shard: 1, 2, 3, ... without gaps.
    pub sequence: u64,
    /// When; never before the entry in front of it.
    pub at: Timestamp,
    /// What kind of fact.
    pub class: FactClass,
    /// How the body is written: a number that grows when bodies change.
    pub format: u16,
    /// The fact, as JSON text.
    pub body: String,
}

/// The state of a shard's machine after one entry; bounds how much must be replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Shard of the machine.
    pub shard: u16,
    /// Last entry that is folded into it.
    pub sequence: u64,
    /// Time of that entry.
    pub at: Timestamp,
    /// How the body is written: a number that grows when bodies change.
    pub format: u16,
    /// The state, as JSON text.
    pub body: String,
}

/// One event as it is kept: what follows from facts, for who looks in from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventEntry {
    /// Shard of the machine it belongs to.
    pub shard: u16,
    /// Number within the shard: 1, 2, 3, ... without gaps.
    pub sequence: u64,
    /// Sequence of the fact it follows from; with it, it is forgotten.
    pub fact: u64,
    /// Worker whose event it is.
    pub worker: Option<String>,
    /// The event, as JSON text.
    pub body: String,
}

/// Where a snapshot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Last entry that is folded into it.
    pub sequence: u64,
    /// Time of that entry.
    pub at: Timestamp,
}

/// What can be asked of a journal, be it written at the moment or long since.
pub trait Reader {
    /// At most `limit` entries of `shard` whose sequence is `sequence` or higher, in order.
    fn read_from(&mut self, shard: u16, sequence: u64, limit: usize) -> Result<Vec<Entry>, Error>;

    /// The snapshot of `shard` with the highest sequence that is not above `sequence`.
    fn snapshot_at(&mut self, shard: u16, sequence: u64) -> Result<Option<Snapshot>, Error>;

    /// Where the snapshots of `shard` stand, the oldest first.
    fn snapshots(&mut self, shard: u16) -> Result<Vec<Mark>, Error>;

    /// At most `limit` events of `shard` whose sequence is `sequence` or higher, in order.
    fn events_from(
        &mut self,
        shard: u16,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<EventEntry>, Error>;

    /// The snapshot of `shard` with the highest sequence.
    fn latest_snapshot(&mut self, shard: u16) -> Result<Option<Snapshot>, Error> {
        self.snapshot_at(shard, u64::MAX)
    }

    /// The sequence of the first entry of `shard` that is not before `at`; that after the last
    /// when all are before it. Looks at a few dozen entries however long the journal is.
    fn sequence_at(&mut self, shard: u16, at: Timestamp) -> Result<u64, Error> {
        let Some(first) = self.read_from(shard, 0, 1)?.pop() else {
            return Ok(1);
        };
        let (mut low, mut step) = (first.sequence, 1u64);
        // The first probe beyond: doubling, then halving.
        let is_before = |journal: &mut Self, sequence: u64| -> Result<bool, Error> {
            let found = journal.read_from(shard, sequence, 1)?.pop();
            Ok(found.is_some_and(|entry| entry.at < at))
        };
        while is_before(self, low.saturating_add(step))? {
            step = step.saturating_mul(2);
        }
        let mut high = low.saturating_add(step);
        if first.at >= at {
            return Ok(low);
        }
        // `low` is before `at`, `high` is not, or is beyond the last.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match is_before(self, middle)? {
                true => low = middle,
                false => high = middle,
            }
        }
        Ok(high)
    }
}

/// Where facts are kept. Used by one thread; a call may wait for the disk.
pub trait Journal: Reader + Send {
    /// Appends entries, all or none; returns when they are written (survive `kill -9`).
    ///
    /// Each must carry the sequence after the last one of its shard.
    fn append(&mut self, entries: &[Entry]) -> Result<(), Error> {
        self.append_with(entries, &[])
    }

    /// Appends entries and the events that follow from them, all or none.
    fn append_with(&mut self, entries: &[Entry], events: &[EventEntry]) -> Result<(), Error>;

    /// Returns when everything appended is synced (survives a power cut).
    fn sync(&mut self) -> Result<(), Error>;

    /// Sees to it that everything appended is synced within milliseconds; does not wait for it
    /// where somebody else can. Says what went wrong with syncs before.
    fn sync_soon(&mut self) -> Result<(), Error> {
        self.sync()
    }

    /// Keeps a snapshot, beside those there are.
    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Error>;

    /// Forgets the snapshot of `shard` at `sequence`; never the latest.
    fn forget_snapshot(&mut self, shard: u16, sequence: u64) -> Result<(), Error>;

    /// Forgets entries of `shard` before `sequence`, and their events; the caller has a snapshot
    /// at the entry before it, or past it.
    fn trim(&mut self, shard: u16, sequence: u64) -> Result<(), Error>;
}

/// Why the journal could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An appended entry does not follow the last one: another writer, or a bug.
    #[error("entry {found} of shard {shard} does not follow entry {expected}")]
    OutOfOrder {
        /// Shard.
        shard: u16,
        /// Sequence that should have come.
        expected: u64,
        /// Sequence that came.
        found: u64,
    },
    /// Entries that a reader needs are gone.
    #[error("entries {} to {} of shard {shard} are missing", .missing.start(), .missing.end())]
    Missing {
        /// Shard.
        shard: u16,
        /// What is missing.
        missing: RangeInclusive<u64>,
    },
    /// The disk, or what manages it, said no.
    #[error("journal storage: {0}")]
    Storage(String),
}
