//! The ordered log of facts: what a shard's machine was told, what its timers did, what it decided.
//!
//! Written means that `kill -9` cannot take it back; synced means that a power cut cannot. Outputs
//! of a machine are released when their facts are written. This room holds the trait and a journal
//! in memory for tests; `store` implements it on disk.

mod memory;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;

pub use memory::MemoryJournal;

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
    /// The state, as JSON text.
    pub body: String,
}

/// Where facts are kept. Used by one thread; a call may wait for the disk.
pub trait Journal: Send {
    /// Appends entries, all or none; returns when they are written (survive `kill -9`).
    ///
    /// Each must carry the sequence after the last one of its shard.
    fn append(&mut self, entries: &[Entry]) -> Result<(), Error>;

    /// Returns when everything appended is synced (survives a power cut).
    fn sync(&mut self) -> Result<(), Error>;

    /// At most `limit` entries of `shard` whose sequence is `sequence` or higher, in order.
    fn read_from(&mut self, shard: u16, sequence: u64, limit: usize) -> Result<Vec<Entry>, Error>;

    /// Keeps a snapshot; an earlier one of the shard may be forgotten.
    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Error>;

    /// The snapshot of `shard` with the highest sequence.
    fn latest_snapshot(&mut self, shard: u16) -> Result<Option<Snapshot>, Error>;

    /// Forgets entries of `shard` before `sequence`; the caller has a snapshot at or past it.
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
