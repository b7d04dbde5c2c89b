//! The journal on disk: written by its owner's thread, synced by one of its own.
//!
//! An append is one transaction in the write-ahead log: it survives kill -9 when it returns. The
//! syncer syncs the log a few milliseconds later, many appends at once, so that the owner never
//! waits for the disk unless it asks to by [`Journal::sync`].

mod events;
mod past;
mod syncer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Error;
use super::database::{self, Layout};
use crate::base::Timestamp;
use crate::journal::{self, Entry, EventEntry, FactClass, Journal, Mark, Reader, Snapshot};
pub use past::PastJournal;
pub use syncer::Progress;
use syncer::Syncer;

/// The router's facts in SQLite.
#[derive(Debug)]
pub struct SqliteJournal {
    // Before `database`, so that its connection is closed first.
    syncer: Syncer,
    database: Connection,
    path: PathBuf,
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
            database,
            path: path.into(),
            last: HashMap::new(),
            trims: HashMap::new(),
            event_trims: HashMap::new(),
        })
    }

    /// Time of the newest fact or snapshot of any shard: switch time must not start before it.
    pub fn latest_time(&self) -> Result<Option<Timestamp>, Error> {
        self.database
            .query_row(
                "SELECT max(at) FROM (SELECT max(at) AS at FROM facts \
                 UNION ALL SELECT max(at) FROM snapshots)",
                [],
                |row| row.get::<_, Option<i64>>(0),
            )
            .map(|at| at.map(Timestamp::from_micros))
            .map_err(|source| Error::sqlite(&self.path, source))
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
            .database
            .query_row(
                "SELECT max(coalesce((SELECT max(sequence) FROM facts WHERE shard = ?1), 0), \
                 coalesce((SELECT max(sequence) FROM snapshots WHERE shard = ?1), 0))",
                [shard],
                |row| row.get(0),
            )
            .map_err(|source| self.storage(source))?;
        let last = u64::try_from(last).unwrap_or(0);
        self.last.insert(shard, last);
        Ok(last)
    }

    fn insert(&mut self, entries: &[Entry], events: &[EventEntry]) -> rusqlite::Result<()> {
        let transaction = self.database.transaction()?;
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
            .database
            .prepare_cached("SELECT min(sequence) FROM facts WHERE shard = ?1")?
            .query_row([shard], |row| row.get(0))?;
        Ok(first.and_then(|first| u64::try_from(first).ok()))
    }

    fn storage(&self, source: rusqlite::Error) -> journal::Error {
        journal::Error::Storage(Error::sqlite(&self.path, source).to_string())
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
        read_from(&self.database, FORMAT, shard, sequence.max(kept), limit)
            .map_err(|source| self.storage(source))?
    }

    fn events_from(
        &mut self,
        shard: u16,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<EventEntry>, journal::Error> {
        let kept = self.event_trims.get(&shard).map_or(0, |trim| trim.keep);
        events::read_from(&self.database, shard, sequence.max(kept), limit)
            .map_err(|source| self.storage(source))
    }

    fn snapshot_at(
        &mut self,
        shard: u16,
        sequence: u64,
    ) -> Result<Option<Snapshot>, journal::Error> {
        snapshot_at(&self.database, FORMAT, shard, sequence).map_err(|source| self.storage(source))
    }

    fn snapshots(&mut self, shard: u16) -> Result<Vec<Mark>, journal::Error> {
        snapshots(&self.database, shard).map_err(|source| self.storage(source))
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
            .map_err(|source| self.storage(source))?;
        self.last.extend(ends);
        self.syncer.written(entries.len() as u64);
        if self.syncer.log_is_long() {
            // The log only starts over when nobody writes; under steady load that is now or never.
            let restart = self
                .database
                .query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
            if let Err(error) = restart {
                tracing::warn!(%error, "journal checkpoint failed; the log keeps growing");
            }
            self.syncer.log_started_over();
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
            self.database
                .prepare_cached(
                    "INSERT OR REPLACE INTO snapshots (shard, sequence, at, format, body) \
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![shard, sql(*sequence), at.as_micros(), format, body])?;
            Ok(())
        };
        save().map_err(|source| self.storage(source))?;
        self.syncer.written(1);
        Ok(())
    }

    fn forget_snapshot(&mut self, shard: u16, sequence: u64) -> Result<(), journal::Error> {
        self.database
            .prepare_cached("DELETE FROM snapshots WHERE shard = ?1 AND sequence = ?2")
            .and_then(|mut forget| forget.execute(params![shard, sql(sequence)]))
            .map(|_| ())
            .map_err(|source| self.storage(source))
    }

    fn trim(&mut self, shard: u16, sequence: u64) -> Result<(), journal::Error> {
        // The number must not be given twice once its entry is gone.
        self.last(shard)?;
        let first = self.first(shard).map_err(|source| self.storage(source))?;
        let next = match (self.trims.get(&shard), first) {
            (Some(trim), _) => trim.next,
            (None, Some(first)) => first,
            (None, None) => return Ok(()),
        };
        if next < sequence {
            let keep = sequence;
            self.trims.insert(shard, Trim { next, keep });
        }
        let events = events::of_facts_before(&self.database, shard, sequence);
        if let Some((first, keep)) = events.map_err(|source| self.storage(source))? {
            let next = self.event_trims.get(&shard).map_or(first, |trim| trim.next);
            if next < keep {
                self.event_trims.insert(shard, Trim { next, keep });
            }
        }
        Ok(())
    }
}

/// Entries in order, or which are missing. `format` is the column, or what stands for it.
fn read_from(
    database: &Connection,
    format: &str,
    shard: u16,
    sequence: u64,
    limit: usize,
) -> rusqlite::Result<Result<Vec<Entry>, journal::Error>> {
    let entries: Vec<Entry> = database
        .prepare_cached(&format!(
            "SELECT shard, sequence, at, class, {format}, body FROM facts \
             WHERE shard = ?1 AND sequence >= ?2 ORDER BY sequence LIMIT ?3"
        ))?
        .query_map(params![shard, sql(sequence), sql(limit as u64)], entry)?
        .collect::<rusqlite::Result<_>>()?;
    for pair in entries.windows(2) {
        if pair[1].sequence != pair[0].sequence + 1 {
            return Ok(Err(journal::Error::Missing {
                shard,
                missing: pair[0].sequence + 1..=pair[1].sequence - 1,
            }));
        }
    }
    Ok(Ok(entries))
}

fn snapshot_at(
    database: &Connection,
    format: &str,
    shard: u16,
    sequence: u64,
) -> rusqlite::Result<Option<Snapshot>> {
    database
        .query_row(
            &format!(
                "SELECT sequence, at, {format}, body FROM snapshots \
                 WHERE shard = ?1 AND sequence <= ?2 ORDER BY sequence DESC LIMIT 1"
            ),
            params![shard, sql(sequence)],
            |row| {
                Ok(Snapshot {
                    shard,
                    sequence: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
                    at: Timestamp::from_micros(row.get(1)?),
                    format: row.get(2)?,
                    body: row.get(3)?,
                })
            },
        )
        .optional()
}

fn snapshots(database: &Connection, shard: u16) -> rusqlite::Result<Vec<Mark>> {
    database
        .prepare_cached("SELECT sequence, at FROM snapshots WHERE shard = ?1 ORDER BY sequence")?
        .query_map([shard], |row| {
            Ok(Mark {
                sequence: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
                at: Timestamp::from_micros(row.get(1)?),
            })
        })?
        .collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let word: String = row.get(3)?;
    let class = FactClass::parse(&word).ok_or_else(|| {
        let kind = rusqlite::types::Type::Text;
        let what = format!("unknown fact class {word:?}").into();
        rusqlite::Error::FromSqlConversionFailure(3, kind, what)
    })?;
    Ok(Entry {
        shard: row.get(0)?,
        sequence: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
        at: Timestamp::from_micros(row.get(2)?),
        class,
        format: row.get(4)?,
        body: row.get(5)?,
    })
}

fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The column that says how a body is written.
const FORMAT: &str = "format";

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
