//! Small things kept whole, by name: who works at which phone.

use rusqlite::{Connection, OptionalExtension as _, Transaction};

/// Replaces what is kept under a name.
pub(super) fn write(transaction: &Transaction<'_>, name: &str, body: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO snapshots (name, body) VALUES (?1, ?2)")?
        .execute([name, body])?;
    Ok(())
}

/// What is kept under a name.
pub(super) fn read(database: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    database
        .prepare("SELECT body FROM snapshots WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}
