//! SQLite: journal, call records, snapshots such as phones' bindings.
//!
//! Three files in one data directory, so that a slow sync of records never holds up the router:
//! `journal.db` is written by the router's thread and synced by another, `calls.db` by a thread of
//! its own, `webhooks.db` by who gives up a notice. All survive kill -9 with everything that was written, and a power cut with everything
//! that was synced.

mod bindings;
mod closings;
mod database;
mod error;
mod journal;
mod letters;
mod notes;
mod overrides;
mod records;
mod snapshots;

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::base::Timestamp;

pub use closings::ClosingFiles;
pub use error::Error;
pub use journal::{PastJournal, Progress, SqliteJournal};
pub use letters::Letters;
pub use notes::{Note, Notes, ReadNotes};
pub use overrides::OverrideFiles;
pub use records::{Full, Records};

/// A data directory that is ours alone while this value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: File,
    /// What the process before wrote last.
    last_alive: Option<Timestamp>,
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
        let lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path.join("lock"))
            .map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                last_alive: read_instant(&lock),
                path,
                lock,
            }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { path }),
            Err(TryLockError::Error(source)) => Err(fail(source)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When the process that had the directory before was last seen alive, as it said itself.
    pub fn last_alive(&self) -> Option<Timestamp> {
        self.last_alive
    }

    /// Says that this process is alive, for the one after it. Survives kill -9, not a power cut.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn say_alive(&self, now: Timestamp) -> std::io::Result<()> {
        // Always as long, so that an overwritten one leaves nothing behind.
        let text = format!("{:020}\n", now.as_micros());
        self.lock.write_all_at(text.as_bytes(), 0)
    }

    /// Opens the router's journal; whole, or with the reason why not.
    pub fn journal(&self) -> Result<SqliteJournal, Error> {
        SqliteJournal::open(&self.path.join("journal.db"))
    }

    /// Opens the journal a second time, to read in it beside its writer.
    pub fn past(&self) -> Result<PastJournal, Error> {
        PastJournal::open(&self.path.join("journal.db"))
    }

    /// Opens the dead letters.
    pub fn letters(&self) -> Result<Letters, Error> {
        Letters::open(&self.path.join("webhooks.db"))
    }

    /// Opens the call records and starts their writer.
    pub fn records(&self) -> Result<Records, Error> {
        Records::open(&self.path.join("calls.db"))
    }
}

fn read_instant(lock: &File) -> Option<Timestamp> {
    let mut text = [0; 20];
    lock.read_exact_at(&mut text, 0).ok()?;
    let micros = std::str::from_utf8(&text).ok()?.parse().ok()?;
    Some(Timestamp::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_process_knows_when_the_last_one_was_alive() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path()).unwrap();
        assert_eq!(first.last_alive(), None);
        let at = Timestamp::from_millis(1_800_000_000_000);
        first.say_alive(at).unwrap();
        drop(first);
        let second = DataDir::open(dir.path()).unwrap();
        assert_eq!(second.last_alive(), Some(at));
    }

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
