//! What is read of a journal's file, be it written at the moment or long since.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::Error;
use super::{events, sql};
use crate::base::Timestamp;
use crate::journal::{self, Entry, EventEntry, FactClass, Mark, Reader, Snapshot};

/// The tables behind one connection.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) database: Connection,
    pub(super) path: PathBuf,
    /// Column of the format; the first layout had none, and only one format.
    pub(super) format: &'static str,
    /// Whether the layout has events.
    pub(super) has_events: bool,
}

impl Rows {
    /// What SQLite says, in the journal's words.
    pub(super) fn storage(&self, source: rusqlite::Error) -> journal::Error {
        journal::Error::Storage(Error::sqlite(&self.path, source).to_string())
    }
}

impl Reader for Rows {
    fn read_from(
        &mut self,
        shard: u16,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, journal::Error> {
        read_from(&self.database, self.format, shard, sequence, limit)
            .map_err(|source| self.storage(source))?
    }

    fn events_from(
        &mut self,
        shard: u16,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<EventEntry>, journal::Error> {
        if !self.has_events {
            return Ok(Vec::new());
        }
        events::read_from(&self.database, shard, sequence, limit)
            .map_err(|source| self.storage(source))
    }

    fn snapshot_at(
        &mut self,
        shard: u16,
        sequence: u64,
    ) -> Result<Option<Snapshot>, journal::Error> {
        snapshot_at(&self.database, self.format, shard, sequence)
            .map_err(|source| self.storage(source))
    }

    fn snapshots(&mut self, shard: u16) -> Result<Vec<Mark>, journal::Error> {
        snapshots(&self.database, shard).map_err(|source| self.storage(source))
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

/// The column that says how a body is written.
pub(super) const FORMAT: &str = "format";
