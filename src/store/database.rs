//! Opening a database: is it ours, is it whole, is its schema known; then bring it up to date.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::Error;

/// What a kind of database looks like.
#[derive(Debug)]
pub(super) struct Layout {
    /// Told in the file's header, so that a file of another kind is refused.
    pub(super) application_id: i64,
    /// The SQL that leads from each schema version to the next; the first makes an empty file
    /// version 1.
    pub(super) migrations: &'static [&'static str],
    /// Largest file that is read through at start, bytes; a larger one shows damage when the
    /// damaged page is read.
    pub(super) check_below: u64,
}

/// Opens for writing, with `synchronous` as given (`NORMAL`, `FULL`).
pub(super) fn open(path: &Path, layout: &Layout, synchronous: &str) -> Result<Connection, Error> {
    let fail = |source| Error::sqlite(path, source);
    let size = fs::metadata(path).map_or(0, |file| file.len());
    let mut database = Connection::open(path).map_err(fail)?;
    database.busy_timeout(PATIENCE).map_err(fail)?;
    let number = |database: &Connection, pragma: &str| {
        database
            .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            .map_err(fail)
    };
    let (kind, version) = (
        number(&database, "application_id")?,
        number(&database, "user_version")?,
    );
    let known = i64::try_from(layout.migrations.len()).unwrap_or(i64::MAX);
    let empty = version == 0 && number(&database, "schema_version")? == 0;
    if !empty && kind != layout.application_id {
        return Err(Error::Foreign { path: path.into() });
    }
    if version > known {
        return Err(Error::Newer {
            path: path.into(),
            found: version,
            known,
        });
    }
    if size > 0 && size < layout.check_below {
        check(&database, path)?;
    }
    database
        .pragma_update(None, "journal_mode", "WAL")
        .and_then(|()| database.pragma_update(None, "synchronous", synchronous))
        .and_then(|()| database.pragma_update(None, "cache_size", CACHE))
        .map_err(fail)?;
    migrate(&mut database, layout, version).map_err(fail)?;
    Ok(database)
}

/// Opens a second connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection, Error> {
    let fail = |source| Error::sqlite(path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags).map_err(fail)?;
    database
        .busy_timeout(PATIENCE)
        .and_then(|()| database.pragma_update(None, "cache_size", CACHE))
        .map_err(fail)?;
    Ok(database)
}

fn check(database: &Connection, path: &Path) -> Result<(), Error> {
    let what: String = database
        .pragma_query_value(None, "quick_check", |row| row.get(0))
        .map_err(|source| Error::sqlite(path, source))?;
    if what == "ok" {
        return Ok(());
    }
    let what = what.lines().take(3).collect::<Vec<_>>().join("; ");
    Err(Error::Damaged {
        path: path.into(),
        what,
    })
}

fn migrate(database: &mut Connection, layout: &Layout, version: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(version).unwrap_or(0);
    for (index, step) in layout.migrations.iter().enumerate().skip(done) {
        let transaction = database.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", layout.application_id)?;
        transaction.pragma_update(None, "user_version", index as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Pages each connection keeps, as negative kB. What is written is appended and rarely read again;
/// SQLite's own 2 MB would only fill up, over thousands of calls, and look like a leak.
const CACHE: i64 = -512;

/// How long to wait for another connection of ours; nobody else opens these files to write.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        application_id: 77,
        migrations: &["CREATE TABLE one (a INTEGER PRIMARY KEY, b TEXT)"],
        check_below: u64::MAX,
    };

    fn filled(path: &Path) {
        let database = open(path, &LAYOUT, "NORMAL").unwrap();
        for _ in 0..200 {
            let text = "x".repeat(500);
            database
                .execute("INSERT INTO one (b) VALUES (?1)", [text])
                .unwrap();
        }
    }

    #[test]
    fn an_older_schema_is_brought_up_to_date_and_a_newer_one_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        filled(&path);
        let two = Layout {
            migrations: &["", "ALTER TABLE one ADD COLUMN c TEXT"],
            ..LAYOUT
        };
        let database = open(&path, &two, "NORMAL").unwrap();
        let rows: i64 = database
            .query_row("SELECT count(*) FROM one WHERE c IS NULL", [], |r| r.get(0))
            .unwrap();
        assert_eq!(rows, 200);
        drop(database);
        let error = open(&path, &LAYOUT, "NORMAL").unwrap_err().to_string();
        assert!(error.contains("newer tsunagu (schema 2"), "{error}");
    }

    #[test]
    fn damaged_truncated_and_foreign_files_are_told_apart_from_ours() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        filled(&path);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let error = open(&path, &LAYOUT, "NORMAL").unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");

        let mut broken = whole.clone();
        broken[8192..12288].fill(0xa5);
        fs::write(&path, broken).unwrap();
        let error = open(&path, &LAYOUT, "NORMAL").unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("restore it from a backup"));

        fs::write(&path, "dear diary, ".repeat(400)).unwrap();
        let error = open(&path, &LAYOUT, "NORMAL").unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");

        fs::remove_file(&path).unwrap();
        let stranger = Connection::open(&path).unwrap();
        stranger.execute_batch("CREATE TABLE theirs (x)").unwrap();
        drop(stranger);
        let error = open(&path, &LAYOUT, "NORMAL").unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }), "{error}");
    }
}
