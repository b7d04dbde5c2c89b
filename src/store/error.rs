//! What can go wrong with the data directory, in words an operator can act on.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why something on disk could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file's content makes no sense any more.
    #[error(
        "{} is damaged ({what}); restore it from a backup, or move it away to start with an \
         empty one",
        path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The data directory cannot be used.
    #[error("data directory {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A database, but not one of ours.
    #[error("{} is not a tsunagu database of this kind; move it away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another process has the directory.
    #[error("data directory {} is in use by another tsunagu", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// A later version of tsunagu has written it.
    #[error(
        "{} was written by a newer tsunagu (schema {found}, this one knows {known}); upgrade, or \
         restore the data of this version",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema this program knows.
        known: i64,
    },
    /// SQLite refused: disk full, no permission, ...
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

impl Error {
    /// Sorts an error of SQLite's: damage apart from trouble that may pass.
    pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged {
                path,
                what: source.to_string(),
            },
            _ => Self::Sqlite { path, source },
        }
    }
}

/// Whether trying again later may help: the disk is full, away or read-only.
pub(super) fn may_pass(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::OutOfMemory
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
        )
    )
}
