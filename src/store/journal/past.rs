//! A journal that is only read: that of a running switch, or a copy of one.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::super::Error;
use super::LAYOUT;
use super::rows::{FORMAT, Rows};
use crate::journal::{self, Entry, EventEntry, Mark, Reader, Snapshot};

/// A journal that is only read. The switch that writes it is not held up.
#[derive(Debug)]
pub struct PastJournal(Rows);

impl PastJournal {
    /// Opens `path`, a `journal.db`.
    ///
    /// # Errors
    ///
    /// When it is no journal, damaged, or written by a newer tsunagu.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let fail = |source| Error::sqlite(path, source);
        let database = Connection::open_with_flags(uri(path), FLAGS).map_err(fail)?;
        let number = |pragma: &str| {
            database
                .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
                .map_err(fail)
        };
        if number("application_id")? != LAYOUT.application_id {
            return Err(Error::Foreign { path: path.into() });
        }
        let known = i64::try_from(LAYOUT.migrations.len()).unwrap_or(i64::MAX);
        let found = number("user_version")?;
        if found > known {
            let path = path.into();
            return Err(Error::Newer { path, found, known });
        }
        Ok(Self(Rows {
            has_events: found >= 3,
            format: if found < 2 { "1" } else { FORMAT },
            path: path.into(),
            database,
        }))
    }
}

impl Reader for PastJournal {
    fn read_from(
        &mut self,
        shard: u16,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, journal::Error> {
        self.0.read_from(shard, sequence, limit)
    }

    fn events_from(
        &mut self,
        shard: u16,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<EventEntry>, journal::Error> {
        self.0.events_from(shard, sequence, limit)
    }

    fn snapshot_at(
        &mut self,
        shard: u16,
        sequence: u64,
    ) -> Result<Option<Snapshot>, journal::Error> {
        self.0.snapshot_at(shard, sequence)
    }

    fn snapshots(&mut self, shard: u16) -> Result<Vec<Mark>, journal::Error> {
        self.0.snapshots(shard)
    }
}

/// The file as SQLite wants it named. Without a log beside it nobody writes it, and it can be
/// read even where nothing may be written (SQLite else makes files of its own beside it).
fn uri(path: &Path) -> String {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let is_still = fs::metadata(log).is_err();
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'?' | b'#' | b'%' => uri.push_str(&format!("%{byte:02X}")),
            _ if byte.is_ascii() => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str(if is_still { "?immutable=1" } else { "?mode=ro" });
    uri
}

const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY
    .union(OpenFlags::SQLITE_OPEN_NO_MUTEX)
    .union(OpenFlags::SQLITE_OPEN_URI);
