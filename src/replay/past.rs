//! A stretch of a journal, with the state it began in.

use crate::base::Timestamp;
use crate::journal::{self, Entry, Reader, Snapshot};
use crate::router::{FoldError, Router};

/// A stretch of a shard's journal. It begins at a snapshot, or with the first fact there ever was.
#[derive(Clone, Debug)]
pub struct Past {
    pub(super) base: Option<Snapshot>,
    pub(super) shard: u16,
    pub(super) entries: Vec<Entry>,
    /// Place in `entries` where the period asked for begins; those before lead up to it.
    pub(super) start: usize,
    /// When the period begins.
    pub(super) from: Timestamp,
    /// When it ends.
    pub(super) until: Timestamp,
}

/// Why the past cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its facts do not fold.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The facts before are gone.
    #[error(
        "the journal keeps nothing that leads up to fact {0}; ask for a later time, or raise \
         `keep` in [journal]"
    )]
    Gone(u64),
}

impl Past {
    /// Everything a journal keeps of a shard from `since` to before `until`, and what leads up
    /// to it; `None` leaves an end open.
    ///
    /// # Errors
    ///
    /// When the journal cannot be read, or keeps no snapshot before `since`.
    pub fn read(
        journal: &mut dyn Reader,
        shard: u16,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Self, Error> {
        let first = journal.read_from(shard, 0, 1)?.pop();
        let first = first.map_or(1, |entry| entry.sequence);
        let start = match since {
            Some(since) => journal.sequence_at(shard, since)?,
            None => first.max(earliest(journal, shard)?),
        };
        Self::between(journal, shard, start, |entry| {
            until.is_none_or(|until| entry.at < until)
        })
        .map(|mut past| {
            // Without anything before it, it begins with the first fact that is kept.
            past.from = since.filter(|_| past.start > 0).unwrap_or(past.from);
            past.until = until.unwrap_or(past.until);
            past
        })
    }

    /// What leads up to fact `sequence`, and that fact itself.
    ///
    /// # Errors
    ///
    /// As [`Past::read`].
    pub fn of(journal: &mut dyn Reader, shard: u16, sequence: u64) -> Result<Self, Error> {
        Self::between(journal, shard, sequence, |entry| entry.sequence <= sequence)
    }

    fn between(
        journal: &mut dyn Reader,
        shard: u16,
        start: u64,
        is_wanted: impl Fn(&Entry) -> bool,
    ) -> Result<Self, Error> {
        let base = journal.snapshot_at(shard, start.saturating_sub(1))?;
        let mut next = base.as_ref().map_or(1, |base| base.sequence + 1);
        let mut past = Self {
            from: base.as_ref().map_or(Timestamp::ZERO, |base| base.at),
            until: base.as_ref().map_or(Timestamp::ZERO, |base| base.at),
            base,
            shard,
            entries: Vec::new(),
            start: 0,
        };
        loop {
            let page = journal.read_from(shard, next, PAGE)?;
            if page.first().is_some_and(|entry| entry.sequence != next) {
                return Err(Error::Gone(start));
            }
            let is_last = page.len() < PAGE;
            for entry in page {
                if entry.sequence >= start && !is_wanted(&entry) {
                    return Ok(past);
                }
                match entry.sequence < start {
                    true => past.start += 1,
                    false if entry.sequence == start => past.from = entry.at,
                    false => {}
                }
                next = entry.sequence + 1;
                past.until = entry.at;
                past.entries.push(entry);
            }
            if is_last {
                return Ok(past);
            }
        }
    }

    /// Facts of the period.
    pub fn facts(&self) -> &[Entry] {
        &self.entries[self.start..]
    }

    /// When it begins and ends.
    pub fn period(&self) -> (Timestamp, Timestamp) {
        (self.from, self.until)
    }

    /// The router as it was before entry `place` of `entries`.
    pub(super) fn router(&self, place: usize) -> Result<Router, FoldError> {
        let mut router = match &self.base {
            Some(base) => Router::restore(base)?,
            None => Router::new(self.shard),
        };
        for entry in &self.entries[..place] {
            router.fold(entry)?;
        }
        Ok(router)
    }
}

/// The first fact that can be told from the state before it.
fn earliest(journal: &mut dyn Reader, shard: u16) -> Result<u64, Error> {
    let first = journal.read_from(shard, 0, 1)?.pop();
    match first {
        Some(first) if first.sequence > 1 => {
            let marks = journal.snapshots(shard)?;
            let mark = marks
                .iter()
                .find(|mark| mark.sequence + 1 >= first.sequence);
            Ok(mark.map_or(first.sequence, |mark| mark.sequence + 1))
        }
        _ => Ok(1),
    }
}

/// Facts read at once.
const PAGE: usize = 4096;
