//! The journal on disk: written by its owner's thread, synced by one of its own.
//!
//! An append is one transaction in the write-ahead log: it survives kill -9 when it returns. The
//! syncer syncs the log a few milliseconds later, many appends at once, so that the owner never
//! waits for the disk unless it asks to by [`Journal::sync`].

mod events;
mod past;
mod rows;
mod syncer;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::Error;
use super::database::{self, Layout};
use crate::base::Timestamp;
use crate::journal::{self, Entry, EventEntry, Journal, Mark, Reader, Snapshot};
pub use past::PastJournal;
use rows::{FORMAT, Rows};
pub use syncer::Progress;
use syncer::Syncer;

/// The router's facts in SQLite.
#[derive(Debug)]
pub struct SqliteJournal {
    // Before `rows`, so that its connection is closed first.
    syncer: Syncer,
    rows: Rows,
    last: HashMap<u16, u64>,
    trims: HashMap<u16, Trim>,
    event_trims: HashMap<u16, Trim>,
}

/// Entries of a shard that may go; a few go with each append, so that no append takes long.
#[derive(Clone, Copy, Debug)]
struct Trim {
    /// The first that may still be there.
    next: u64,
    /// The first that stays.
    keep: u64,
}

impl SqliteJournal {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let database = database::open(path, &LAYOUT, "NORMAL")?;
        // The syncer checkpoints, away from the owner's thread.
        database
            .pragma_update(None, "wal_autocheckpoint", 0)
            .map_err(|source| Error::sqlite(path, source))?;
        let syncer = Syncer::start(path)?;
        Ok(Self {
            syncer,
            rows: Rows {
                database,
                path: path.into(),
                format: FORMAT,
                has_events: true,
            },
            last: HashMap::new(),
            trims: HashMap::new(),
            event_trims: HashMap::new(),
        })
    }

    /// Time of the newest fact of `shard`: switch time must not start before it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn latest_time(&self, shard: u16) -> Result<Option<Timestamp>, Error> {
        let newest = |table: &str| {
            let ask =
                format!("SELECT at FROM {table} WHERE shard = ?1 ORDER BY sequence DESC LIMIT 1");
            let found = self
                .rows
                .database
                .query_row(&ask, [shard], |row| row.get(0));
            found.optional()
        };
        newest("facts")
            .and_then(|at| Ok(at.max(newest("snapshots")?)))
            .map(|at| at.map(Timestamp::from_micros))
            .map_err(|source| Error::sqlite(&self.rows.path, source))
    }

    /// How far writing and syncing have come; stays readable when the journal has moved to its
    /// owner's thread.
    pub fn progress(&self) -> Arc<Progress> {
        self.syncer.progress()
    }

    /// The sequence of the last entry a shard ever wrote; 0 before the first.
    fn last(&mut self, shard: u16) -> Result<u64, journal::Error> {
        if let Some(last) = self.last.get(&shard) {
            return Ok(*last);
        }
        let last: i64 = self
            .rows
            .database
            .query_row(
                "SELECT max(coalesce((SELECT max(sequence) FROM facts WHERE shard = ?1), 0), \
                 coalesce((SELECT max(sequence) FROM snapshots WHERE shard = ?1), 0))",
                [shard],
                |row| row.get(0),
            )
            .map_err(|source| self.rows.storage(source))?;
        let last = u64::try_from(last).unwrap_or(0);
        self.last.insert(shard, last);
        Ok(last)
    }

    fn insert(&mut self, entries: &[Entry], events: &[EventEntry]) -> rusqlite::Result<()> {
        let transaction = self.rows.database.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO facts (shard, sequence, at, class, format, body) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for entry in entries {
                insert.execute(params![
                    entry.shard,
                    sql(entry.sequence),
                    entry.at.as_micros(),
                    entry.class.as_str(),
                    entry.format,
                    entry.body,
                ])?;
            }
        }
        events::write(&transaction, events)?;
        let mut trims = [self.trims.clone(), self.event_trims.clone()];
        for (trims, table) in trims.iter_mut().zip(["facts", "events"]) {
            let forget = format!(
                "DELETE FROM {table} WHERE shard = ?1 AND sequence >= ?2 AND sequence < ?3"
            );
            for (shard, trim) in trims {
                let until = trim.keep.min(trim.next.saturating_add(TRIMMED_AT_ONCE));
                transaction.prepare_cached(&forget)?.execute(params![
                    shard,
                    sql(trim.next),
                    sql(until)
                ])?;
                trim.next = until;
            }
        }
        transaction.commit()?;
        for trims in &mut trims {
            trims.retain(|_, trim| trim.next < trim.keep);
        }
        [self.trims, self.event_trims] = trims;
        Ok(())
    }

    /// The first entry of a shard in the file, whether it may go or not.
    fn first(&self, shard: u16) -> rusqlite::Result<Option<u64>> {
        let first: Option<i64> = self
            .rows
            .database
            .prepare_cached("SELECT min(sequence) FROM facts WHERE shard = ?1")?
            .query_row([shard], |row| row.get(0))?;
        Ok(first.and_then(|first| u64::try_from(first).ok()))
    }

    /// The log only starts over when nobody writes; under steady load that is now or never.
    ///
    /// Whoever reads an old page of it keeps it from starting over. He is not waited for: nobody
    /// would be decided for meanwhile.
    fn start_log_over(&mut self) {
        let database = &self.rows.database;
        let restarted = database
            .busy_timeout(Duration::ZERO)
            .and_then(|()| database.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())))
            .and_then(|()| database.busy_timeout(database::PATIENCE));
        if let Err(error) = restarted {
            tracing::warn!(%error, "journal checkpoint failed; the log keeps growing");
        }
        // Whether it did is seen at the next checkpoint.
        self.syncer.log_started_over();
    }
}

impl Reader for SqliteJournal {
    fn read_from(
        &mut self,
        shard: u16,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, journal::Error> {
        let kept = self.trims.get(&shard).map_or(0, |trim| trim.keep);
        self.rows.read_from(shard, sequence.max(kept), limit)
    }

    fn events_from(
        &mut self,
        shard: u16,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<EventEntry>, journal::Error> {
        let kept = self.event_trims.get(&shard).map_or(0, |trim| trim.keep);
        self.rows.events_from(shard, sequence.max(kept), limit)
    }

    fn snapshot_at(
        &mut self,
        shard: u16,
        sequence: u64,
    ) -> Result<Option<Snapshot>, journal::Error> {
        self.rows.snapshot_at(shard, sequence)
    }

    fn snapshots(&mut self, shard: u16) -> Result<Vec<Mark>, journal::Error> {
        self.rows.snapshots(shard)
    }
}

impl Journal for SqliteJournal {
    fn append_with(
        &mut self,
        entries: &[Entry],
        events: &[EventEntry],
    ) -> Result<(), journal::Error> {
        let mut ends: HashMap<u16, u64> = HashMap::new();
        for entry in entries {
            let last = match ends.get(&entry.shard) {
                Some(last) => *last,
                None => self.last(entry.shard)?,
            };
            if entry.sequence != last + 1 {
                return Err(journal::Error::OutOfOrder {
                    shard: entry.shard,
                    expected: last + 1,
                    found: entry.sequence,
                });
            }
            ends.insert(entry.shard, entry.sequence);
        }
        if entries.is_empty() {
            return Ok(());
        }
        self.insert(entries, events)
            .map_err(|source| self.rows.storage(source))?;
        self.last.extend(ends);
        self.syncer.written(entries.len() as u64);
        if self.syncer.log_is_long() {
            self.start_log_over();
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), journal::Error> {
        self.syncer.barrier().map_err(journal::Error::Storage)
    }

    fn sync_soon(&mut self) -> Result<(), journal::Error> {
        // The syncer has known since the append, and is at it.
        self.syncer.trouble().map_err(journal::Error::Storage)
    }

    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), journal::Error> {
        let Snapshot {
            shard,
            sequence,
            at,
            format,
            body,
        } = snapshot;
        let save = || -> rusqlite::Result<()> {
            self.rows
                .database
                .prepare_cached(
                    "INSERT OR REPLACE INTO snapshots (shard, sequence, at, format, body) \
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![shard, sql(*sequence), at.as_micros(), format, body])?;
            Ok(())
        };
        save().map_err(|source| self.rows.storage(source))?;
        self.syncer.written(1);
        Ok(())
    }

    fn forget_snapshot(&mut self, shard: u16, sequence: u64) -> Result<(), journal::Error> {
        self.rows
            .database
            .prepare_cached("DELETE FROM snapshots WHERE shard = ?1 AND sequence = ?2")
            .and_then(|mut forget| forget.execute(params![shard, sql(sequence)]))
            .map(|_| ())
            .map_err(|source| self.rows.storage(source))
    }

    fn trim(&mut self, shard: u16, sequence: u64) -> Result<(), journal::Error> {
        // The number must not be given twice once its entry is gone.
        self.last(shard)?;
        let first = self
            .first(shard)
            .map_err(|source| self.rows.storage(source))?;
        let next = match (self.trims.get(&shard), first) {
            (Some(trim), _) => trim.next,
            (None, Some(first)) => first,
            (None, None) => return Ok(()),
        };
        if next < sequence {
            let keep = sequence;
            self.trims.insert(shard, Trim { next, keep });
        }
        let events = events::of_facts_before(&self.rows.database, shard, sequence);
        if let Some((first, keep)) = events.map_err(|source| self.rows.storage(source))? {
            let next = self.event_trims.get(&shard).map_or(first, |trim| trim.next);
            if next < keep {
                self.event_trims.insert(shard, Trim { next, keep });
            }
        }
        Ok(())
    }
}

fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Entries, and events, that go with one append: a millisecond or two at most, and more than an append brings.
const TRIMMED_AT_ONCE: u64 = 256;

const LAYOUT: Layout = Layout {
    application_id: 0x7473_6e6a,
    migrations: &[
        "
        CREATE TABLE facts (
            shard INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            at INTEGER NOT NULL,
            class TEXT NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (shard, sequence)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE snapshots (
            shard INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            at INTEGER NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (shard, sequence)
        ) STRICT, WITHOUT ROWID;
    ",
        "
        ALTER TABLE facts ADD COLUMN format INTEGER NOT NULL DEFAULT 1;
        ALTER TABLE snapshots ADD COLUMN format INTEGER NOT NULL DEFAULT 1;
    ",
        events::TABLE,
    ],
    // About a second; a journal grows beyond it only when a million long facts are kept.
    check_below: 256 << 20,
};

#[cfg(test)]
mod tests;
