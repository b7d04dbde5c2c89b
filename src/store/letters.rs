//! Dead letters: notices that never reached a web application, bounded by number and age.
//!
//! A database of its own, written by whoever gives a notice up, and synced when written: what is
//! listed is there after a power cut.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Error;
use super::database::{self, Layout};
use crate::base::Timestamp;
use crate::webhook::{DeadLetter, NoticeTerms, Shelf, ShelfError};

/// The dead letters on disk.
#[derive(Debug)]
pub struct Letters {
    database: Mutex<Connection>,
    path: PathBuf,
}

impl Letters {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            database: Mutex::new(database::open(path, &LAYOUT, "FULL")?),
            path: path.into(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: &dyn std::error::Error) -> ShelfError {
        ShelfError(format!("{}: {error}", self.path.display()))
    }

    fn parse(&self, row: &str) -> Result<DeadLetter, ShelfError> {
        serde_json::from_str(row).map_err(|error| self.failed(&error))
    }
}

impl Shelf for Letters {
    fn keep(
        &self,
        letters: &[DeadLetter],
        terms: &NoticeTerms,
        now: Timestamp,
    ) -> Result<(), ShelfError> {
        let rows: Result<Vec<String>, _> = letters.iter().map(serde_json::to_string).collect();
        let rows = rows.map_err(|error| self.failed(&error))?;
        let mut database = self.lock();
        let mut write = || -> rusqlite::Result<()> {
            let transaction = database.transaction()?;
            let mut insert = transaction.prepare_cached(
                "INSERT OR REPLACE INTO letters (id, died, letter) VALUES (?1, ?2, ?3)",
            )?;
            for (letter, row) in letters.iter().zip(&rows) {
                insert.execute(params![letter.id, letter.died.as_micros(), row])?;
            }
            drop(insert);
            let oldest = now - terms.keep_for;
            transaction.execute("DELETE FROM letters WHERE died < ?1", [oldest.as_micros()])?;
            let keep = i64::try_from(terms.keep).unwrap_or(i64::MAX);
            transaction.execute(
                "DELETE FROM letters WHERE rowid IN
                    (SELECT rowid FROM letters ORDER BY died DESC, rowid DESC LIMIT -1 OFFSET ?1)",
                [keep],
            )?;
            transaction.commit()
        };
        write().map_err(|error| self.failed(&error))
    }

    fn list(&self, limit: usize) -> Result<Vec<DeadLetter>, ShelfError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = || -> rusqlite::Result<Vec<String>> {
            self.lock()
                .prepare_cached(
                    "SELECT letter FROM letters ORDER BY died DESC, rowid DESC LIMIT ?1",
                )?
                .query_map([limit], |row| row.get(0))?
                .collect()
        };
        let rows = read().map_err(|error| self.failed(&error))?;
        rows.iter().map(|row| self.parse(row)).collect()
    }

    fn find(&self, id: &str) -> Result<Option<DeadLetter>, ShelfError> {
        let found = self
            .lock()
            .query_row("SELECT letter FROM letters WHERE id = ?1", [id], |row| {
                row.get::<_, String>(0)
            })
            .optional()
            .map_err(|error| self.failed(&error))?;
        found.map(|row| self.parse(&row)).transpose()
    }

    fn remove(&self, id: &str) -> Result<bool, ShelfError> {
        let removed = self
            .lock()
            .execute("DELETE FROM letters WHERE id = ?1", [id]);
        removed
            .map(|rows| rows > 0)
            .map_err(|error| self.failed(&error))
    }
}

const LAYOUT: Layout = Layout {
    application_id: 0x7473_6e77,
    migrations: &["
        CREATE TABLE letters (
            id TEXT NOT NULL UNIQUE,
            died INTEGER NOT NULL,
            letter TEXT NOT NULL
        ) STRICT;
        CREATE INDEX letters_died ON letters (died);
    "],
    check_below: 64 << 20,
};

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::CallId;
    use crate::webhook::{Content, FailureKind, Notice, To};

    const TERMS: NoticeTerms = NoticeTerms {
        tries: 1,
        pause: Duration::ZERO,
        waiting: 1,
        keep: 3,
        keep_for: Duration::from_secs(100),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + seconds * 1000)
    }

    fn letter(id: &str, died: i64) -> DeadLetter {
        DeadLetter {
            id: id.to_owned(),
            notice: Notice {
                to: To::Url("http://me:pw@x.test/".into()),
                method: None,
                content: Content::Form(vec![("名".into(), "花子".into())]),
                call: Some(CallId::new("jp1-tokyo1-0-a-1")),
                what: "status callback".into(),
            },
            made: at(died - 1),
            died: at(died),
            tries: 5,
            kind: FailureKind::Refused,
            words: "nobody listens there".into(),
        }
    }

    fn ids(letters: &Letters) -> Vec<String> {
        let listed = letters.list(10).unwrap();
        listed.into_iter().map(|letter| letter.id).collect()
    }

    #[test]
    fn letters_outlive_the_process_and_are_listed_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("webhooks.db");
        let letters = Letters::open(&path).unwrap();
        let both = [letter("a", 1), letter("b", 2)];
        letters.keep(&both, &TERMS, at(2)).unwrap();
        drop(letters);
        let letters = Letters::open(&path).unwrap();
        assert_eq!(ids(&letters), ["b", "a"]);
        assert_eq!(letters.find("a").unwrap(), Some(letter("a", 1)));
        assert_eq!(letters.find("c").unwrap(), None);
        assert_eq!(letters.list(1).unwrap().len(), 1);
        assert_eq!(
            (letters.remove("a"), letters.remove("a")),
            (Ok(true), Ok(false))
        );
    }

    #[test]
    fn they_are_bounded_by_number_and_age_and_one_that_dies_again_is_there_once() {
        let dir = tempfile::tempdir().unwrap();
        let letters = Letters::open(&dir.path().join("webhooks.db")).unwrap();
        for (second, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
            let second = second as i64;
            letters
                .keep(&[letter(id, second)], &TERMS, at(second))
                .unwrap();
        }
        assert_eq!(ids(&letters), ["d", "c", "b"]);
        letters.keep(&[letter("b", 50)], &TERMS, at(50)).unwrap();
        assert_eq!(ids(&letters), ["b", "d", "c"]);
        letters.keep(&[letter("e", 103)], &TERMS, at(103)).unwrap();
        assert_eq!(ids(&letters), ["e", "b", "d"]);
        letters.keep(&[letter("f", 104)], &TERMS, at(104)).unwrap();
        assert_eq!(ids(&letters), ["f", "e", "b"]);
    }
}
