//! SQLite: journal, call records, snapshots such as phones' bindings.
//!
//! Two files in one data directory, so that a slow sync of records never holds up the router:
//! `journal.db` is written by the router's thread and synced by another, `calls.db` by a thread of
//! its own. Both survive kill -9 with everything that was written, and a power cut with everything
//! that was synced.

mod bindings;
mod database;
mod error;
mod journal;
mod records;
mod snapshots;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

pub use error::Error;
pub use journal::{PastJournal, Progress, SqliteJournal};
pub use records::{Full, Records};

/// A data directory that is ours alone while this value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Takes the directory, making it when missing; refuses one that another process has.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let fail = |source| Error::Directory {
            path: path.clone(),
            source,
        };
        fs::create_dir_all(&path).map_err(fail)?;
        let lock = File::create(path.join("lock")).map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { path }),
            Err(TryLockError::Error(source)) => Err(fail(source)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the router's journal; whole, or with the reason why not.
    pub fn journal(&self) -> Result<SqliteJournal, Error> {
        SqliteJournal::open(&self.path.join("journal.db"))
    }

    /// Opens the call records and starts their writer.
    pub fn records(&self) -> Result<Records, Error> {
        Records::open(&self.path.join("calls.db"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_belongs_to_one_process() {
        let dir = tempfile::tempdir().unwrap();
        let ours = DataDir::open(dir.path().join("new")).unwrap();
        let second = DataDir::open(ours.path()).unwrap_err();
        assert!(second.to_string().contains("another tsunagu"), "{second}");
        let path = ours.path().to_owned();
        drop(ours);
        DataDir::open(path).unwrap();
    }
}
