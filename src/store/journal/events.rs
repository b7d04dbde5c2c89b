//! Events beside the facts they follow from: written in one transaction, forgotten together.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::sql;
use crate::journal::EventEntry;

/// The table, as a step of the layout.
pub(super) const TABLE: &str = "
    CREATE TABLE events (
        shard INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        fact INTEGER NOT NULL,
        worker TEXT,
        body TEXT NOT NULL,
        PRIMARY KEY (shard, sequence)
    ) STRICT, WITHOUT ROWID;
";

pub(super) fn write(transaction: &Transaction<'_>, events: &[EventEntry]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO events (shard, sequence, fact, worker, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for event in events {
        insert.execute(params![
            event.shard,
            sql(event.sequence),
            sql(event.fact),
            event.worker,
            event.body,
        ])?;
    }
    Ok(())
}

pub(super) fn read_from(
    database: &Connection,
    shard: u16,
    sequence: u64,
    limit: usize,
) -> rusqlite::Result<Vec<EventEntry>> {
    database
        .prepare_cached(
            "SELECT sequence, fact, worker, body FROM events \
             WHERE shard = ?1 AND sequence >= ?2 ORDER BY sequence LIMIT ?3",
        )?
        .query_map(params![shard, sql(sequence), sql(limit as u64)], |row| {
            Ok(EventEntry {
                shard,
                sequence: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
                fact: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
                worker: row.get(2)?,
                body: row.get(3)?,
            })
        })?
        .collect()
}

/// The first event there is, and the first that follows from `fact` or a later one.
pub(super) fn of_facts_before(
    database: &Connection,
    shard: u16,
    fact: u64,
) -> rusqlite::Result<Option<(u64, u64)>> {
    let end = |order: &str| {
        let ask = format!(
            "SELECT sequence FROM events WHERE shard = ?1 ORDER BY sequence {order} LIMIT 1"
        );
        let found = database.query_row(&ask, [shard], |row| row.get::<_, i64>(0));
        found.optional()
    };
    let Some((first, last)) = end("ASC")?.zip(end("DESC")?) else {
        return Ok(None);
    };
    // Facts grow with events: halving finds the border.
    let (mut low, mut high) = (first, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let found: Option<i64> = database
            .prepare_cached("SELECT fact FROM events WHERE shard = ?1 AND sequence = ?2")?
            .query_row(params![shard, middle], |row| row.get(0))
            .optional()?;
        match found.is_none_or(|found| found < sql(fact)) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    let number = |at: i64| u64::try_from(at).unwrap_or(0);
    Ok(Some((number(first), number(low))))
}
