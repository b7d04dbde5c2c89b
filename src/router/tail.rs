//! The newest events, in memory: what most readers want, without asking the disk.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::journal::EventEntry;

/// The newest events that are written. Readers come for what they want, at their own pace: a slow
/// one finds what it missed in the store.
#[derive(Debug)]
pub struct Tail {
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Kept {
    /// Contiguous; the last is the newest.
    events: VecDeque<Arc<EventEntry>>,
    octets: usize,
}

/// Most events kept: seconds at full load, an hour in an office.
const MOST_EVENTS: usize = 10_000;
/// Most octets of their bodies; one alone may be as large as the attributes of a task.
const MOST_OCTETS: usize = 16 << 20;

impl Tail {
    /// An empty one, of a router whose last event is `newest`.
    pub(super) fn new(newest: u64) -> Self {
        Self {
            kept: Mutex::new(Kept {
                events: VecDeque::new(),
                octets: 0,
            }),
            newest: watch::Sender::new(newest),
        }
    }

    /// Takes what is written, and wakes who waits for it.
    pub(super) fn push(&self, events: impl IntoIterator<Item = EventEntry>) {
        let mut kept = self.lock();
        for event in events {
            kept.octets += event.body.len();
            kept.events.push_back(Arc::new(event));
        }
        while kept.events.len() > MOST_EVENTS || kept.octets > MOST_OCTETS {
            let Some(oldest) = kept.events.pop_front() else {
                break;
            };
            kept.octets -= oldest.body.len();
        }
        // Under the lock: nobody sees an event that is newer than the newest.
        if let Some(newest) = kept.events.back() {
            self.newest.send_replace(newest.sequence);
        }
    }

    /// At most `limit` events after that of a number, in order; `None` when some of them are no
    /// longer kept here.
    pub fn after(&self, sequence: u64, limit: usize) -> Option<Vec<Arc<EventEntry>>> {
        let kept = self.lock();
        if sequence >= self.newest() {
            return Some(Vec::new());
        }
        let first = kept.events.front()?.sequence;
        let skipped = (sequence + 1).checked_sub(first)?;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        Some(
            kept.events
                .iter()
                .skip(skipped)
                .take(limit)
                .cloned()
                .collect(),
        )
    }

    /// Number of the newest event that is written.
    pub fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// Follows [`Tail::newest`].
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sequence: u64, octets: usize) -> EventEntry {
        EventEntry {
            shard: 0,
            sequence,
            fact: sequence,
            worker: None,
            body: "x".repeat(octets),
        }
    }

    fn numbers(tail: &Tail, after: u64) -> Option<Vec<u64>> {
        let events = tail.after(after, 3)?;
        Some(events.iter().map(|event| event.sequence).collect())
    }

    #[test]
    fn who_is_not_too_late_gets_what_came_since() {
        let tail = Tail::new(7);
        assert_eq!(numbers(&tail, 7), Some(vec![]));
        assert_eq!(numbers(&tail, 6), None, "written before the process began");
        tail.push((8..=12).map(|sequence| event(sequence, 1)));
        assert_eq!(numbers(&tail, 7), Some(vec![8, 9, 10]));
        assert_eq!(numbers(&tail, 10), Some(vec![11, 12]));
        assert_eq!(numbers(&tail, 12), Some(vec![]));
        assert_eq!(numbers(&tail, 6), None);
        assert_eq!(*tail.watch().borrow(), 12);
    }

    #[test]
    fn it_holds_only_so_much() {
        let tail = Tail::new(0);
        let most = u64::try_from(MOST_EVENTS).unwrap();
        tail.push((1..=most + 5).map(|sequence| event(sequence, 1)));
        assert_eq!(numbers(&tail, 4), None);
        assert_eq!(numbers(&tail, 5), Some(vec![6, 7, 8]));
        tail.push([event(most + 6, MOST_OCTETS)]);
        assert_eq!(numbers(&tail, most + 4), None);
        assert_eq!(numbers(&tail, most + 5), Some(vec![most + 6]));
    }
}
