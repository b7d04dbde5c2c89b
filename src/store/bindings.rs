//! Phones' bindings: a row a phone, written when it changes.
//!
//! 100,000 phones that refresh every five minutes change 333 rows a second; as one snapshot they
//! were all written twice a second.

use rusqlite::{Connection, Transaction, params};

/// A phone and its bindings as written down; `None` when it has none any more.
pub(super) type Change = (String, Option<String>);

/// Writes what changed.
pub(super) fn write(transaction: &Transaction<'_>, changes: &[Change]) -> rusqlite::Result<()> {
    let mut keep = transaction
        .prepare_cached("INSERT OR REPLACE INTO bindings (phone, body) VALUES (?1, ?2)")?;
    let mut forget = transaction.prepare_cached("DELETE FROM bindings WHERE phone = ?1")?;
    for (phone, body) in changes {
        match body {
            Some(body) => keep.execute(params![phone, body])?,
            None => forget.execute([phone])?,
        };
    }
    Ok(())
}

/// All phones with what was written of them last.
pub(super) fn read(database: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    database
        .prepare("SELECT phone, body FROM bindings")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// The table, as a step of the layout; earlier versions kept all phones in one snapshot.
pub(super) const TABLE: &str = "
    CREATE TABLE bindings (phone TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO bindings SELECT key, value FROM snapshots, json_each(body, '$.phones')
        WHERE name = 'bindings';
    DELETE FROM snapshots WHERE name = 'bindings';
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_what_changes_and_an_old_snapshot_becomes_rows() {
        let mut database = Connection::open_in_memory().unwrap();
        let before = "CREATE TABLE snapshots (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
            INSERT INTO snapshots VALUES ('bindings', '{\"phones\":{\"100\":[{\"a\":1}]}}');";
        database.execute_batch(before).unwrap();
        database.execute_batch(TABLE).unwrap();
        let row = |phone: &str, body: &str| (phone.to_owned(), body.to_owned());
        assert_eq!(read(&database).unwrap(), [row("100", "[{\"a\":1}]")]);

        let transaction = database.transaction().unwrap();
        let changes = [
            ("100".to_owned(), None),
            ("101".to_owned(), Some("[]".to_owned())),
        ];
        write(&transaction, &changes).unwrap();
        write(&transaction, &[("101".to_owned(), Some("[2]".to_owned()))]).unwrap();
        transaction.commit().unwrap();
        assert_eq!(read(&database).unwrap(), [row("101", "[2]")]);
    }
}
