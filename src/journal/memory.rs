//! A journal in memory: for tests, simulation and what-if. Can be told to fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Entry, Error, EventEntry, Journal, Mark, Reader, Snapshot};

/// A journal in memory. Clones share what was written, as processes share a disk: keep a clone,
/// drop the machine, and start another one on it.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    shards: BTreeMap<u16, Shard>,
    syncs: u64,
    failures: u32,
}

#[derive(Debug, Default)]
struct Shard {
    entries: BTreeMap<u64, Entry>,
    events: BTreeMap<u64, EventEntry>,
    last: u64,
    snapshots: BTreeMap<u64, Snapshot>,
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything kept of a shard, in order.
    pub fn entries(&self, shard: u16) -> Vec<Entry> {
        self.lock()
            .shards
            .get(&shard)
            .map(|shard| shard.entries.values().cloned().collect())
            .unwrap_or_default()
    }

    /// How often it was synced.
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// Lets the next `count` appends fail.
    pub fn fail_next(&self, count: u32) {
        self.lock().failures = count;
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader for MemoryJournal {
    fn read_from(&mut self, shard: u16, sequence: u64, limit: usize) -> Result<Vec<Entry>, Error> {
        let shared = self.lock();
        let Some(shard) = shared.shards.get(&shard) else {
            return Ok(Vec::new());
        };
        let found = shard.entries.range(sequence..).take(limit);
        Ok(found.map(|(_, entry)| entry.clone()).collect())
    }

    fn events_from(
        &mut self,
        shard: u16,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<EventEntry>, Error> {
        let shared = self.lock();
        let found = shared.shards.get(&shard);
        let found = found
            .into_iter()
            .flat_map(|shard| shard.events.range(sequence..));
        Ok(found.take(limit).map(|(_, event)| event.clone()).collect())
    }

    fn snapshot_at(&mut self, shard: u16, sequence: u64) -> Result<Option<Snapshot>, Error> {
        let shared = self.lock();
        let found = shared.shards.get(&shard);
        let found = found.and_then(|shard| shard.snapshots.range(..=sequence).next_back());
        Ok(found.map(|(_, snapshot)| snapshot.clone()))
    }

    fn snapshots(&mut self, shard: u16) -> Result<Vec<Mark>, Error> {
        let shared = self.lock();
        let kept = shared.shards.get(&shard).map(|shard| &shard.snapshots);
        let marks = kept.into_iter().flatten().map(|(sequence, snapshot)| Mark {
            sequence: *sequence,
            at: snapshot.at,
        });
        Ok(marks.collect())
    }
}

impl Journal for MemoryJournal {
    fn append_with(&mut self, entries: &[Entry], events: &[EventEntry]) -> Result<(), Error> {
        let mut shared = self.lock();
        if shared.failures > 0 {
            shared.failures -= 1;
            return Err(Error::Storage("told to fail".to_owned()));
        }
        let mut ends: BTreeMap<u16, u64> = BTreeMap::new();
        for entry in entries {
            let last = *ends
                .entry(entry.shard)
                .or_insert_with(|| shared.shards.get(&entry.shard).map_or(0, |s| s.last));
            if entry.sequence != last + 1 {
                return Err(Error::OutOfOrder {
                    shard: entry.shard,
                    expected: last + 1,
                    found: entry.sequence,
                });
            }
            ends.insert(entry.shard, entry.sequence);
        }
        for entry in entries {
            let shard = shared.shards.entry(entry.shard).or_default();
            shard.last = entry.sequence;
            shard.entries.insert(entry.sequence, entry.clone());
        }
        for event in events {
            let shard = shared.shards.entry(event.shard).or_default();
            shard.events.insert(event.sequence, event.clone());
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.lock().syncs += 1;
        Ok(())
    }

    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let mut shared = self.lock();
        let shard = shared.shards.entry(snapshot.shard).or_default();
        shard.snapshots.insert(snapshot.sequence, snapshot.clone());
        Ok(())
    }

    fn forget_snapshot(&mut self, shard: u16, sequence: u64) -> Result<(), Error> {
        if let Some(shard) = self.lock().shards.get_mut(&shard) {
            shard.snapshots.remove(&sequence);
        }
        Ok(())
    }

    fn trim(&mut self, shard: u16, sequence: u64) -> Result<(), Error> {
        if let Some(shard) = self.lock().shards.get_mut(&shard) {
            shard.entries = shard.entries.split_off(&sequence);
            shard.events.retain(|_, event| event.fact >= sequence);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::journal::FactClass;

    fn entry(sequence: u64) -> Entry {
        Entry {
            shard: 3,
            sequence,
            at: Timestamp::from_millis(i64::try_from(sequence / 2).unwrap()),
            class: FactClass::Input,
            format: 1,
            body: "{}".to_owned(),
        }
    }

    #[test]
    fn appends_all_or_none_and_only_in_order() {
        let mut journal = MemoryJournal::new();
        journal.append(&[entry(1), entry(2)]).unwrap();
        assert!(matches!(
            journal.append(&[entry(3), entry(5)]),
            Err(Error::OutOfOrder {
                expected: 4,
                found: 5,
                ..
            })
        ));
        assert_eq!(journal.read_from(3, 2, 10).unwrap(), [entry(2)]);
        journal.trim(3, 2).unwrap();
        assert_eq!(journal.clone().entries(3), [entry(2)]);
        assert!(journal.append(&[entry(3)]).is_ok());
    }

    #[test]
    fn an_instant_has_its_place() {
        let mut journal = MemoryJournal::new();
        let at = Timestamp::from_millis;
        assert_eq!(journal.sequence_at(3, at(5)).unwrap(), 1);
        let entries: Vec<_> = (1..=100).map(entry).collect();
        journal.append(&entries).unwrap();
        for start in [1, 20, 99] {
            journal.trim(3, start).unwrap();
            for ms in -1..60 {
                let kept = journal.entries(3);
                let first = kept.iter().find(|entry| entry.at >= at(ms));
                let wanted = first.map_or(101, |entry| entry.sequence);
                assert_eq!(journal.sequence_at(3, at(ms)).unwrap(), wanted);
            }
        }
    }

    #[test]
    fn class_words_read_back() {
        for class in [FactClass::Input, FactClass::Timer, FactClass::Decision] {
            assert_eq!(FactClass::parse(class.as_str()), Some(class));
        }
        assert_eq!(FactClass::parse("guess"), None);
    }
}
