//! Which legs have something to do at a tick.
//!
//! Most legs of a busy switch only relay, and a tick has nothing for them but a report every five
//! seconds. A leg is some kilobytes, and to look at thousands of them 50 times a second costs more
//! in cache misses than the packets of many. So the times stand here, eight octets a leg, and a leg
//! is looked at when its time has come or something about it has changed.

use crate::base::Timestamp;

/// When each leg is to be looked at next, by its key.
#[derive(Debug)]
pub(super) struct Agenda(Vec<Timestamp>);

const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

impl Agenda {
    /// For keys below `most`; it never allocates after this.
    pub(super) fn new(most: usize) -> Self {
        Self(Vec::with_capacity(most))
    }

    /// The leg is to be looked at in the next tick: it is new, or something about it changed.
    pub(super) fn touch(&mut self, key: usize) {
        if key >= self.0.len() {
            self.0.resize(key + 1, NEVER);
        }
        self.0[key] = Timestamp::ZERO;
    }

    /// The leg has nothing to do before `at`, unless it is touched.
    pub(super) fn rest(&mut self, key: usize, at: Timestamp) {
        if let Some(due) = self.0.get_mut(key) {
            *due = at;
        }
    }

    /// The leg is gone.
    pub(super) fn forget(&mut self, key: usize) {
        self.rest(key, NEVER);
    }

    /// The first leg from key `from` on that is to be looked at now.
    pub(super) fn next(&self, from: usize, now: Timestamp) -> Option<usize> {
        let rest = self.0.get(from..)?;
        Some(from + rest.iter().position(|due| *due <= now)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_touched_or_due_is_looked_at_in_order() {
        let at = Timestamp::from_millis;
        let mut agenda = Agenda::new(8);
        for key in [4, 1, 2] {
            agenda.touch(key);
        }
        let due = |agenda: &Agenda, now| {
            let mut from = 0;
            std::iter::from_fn(|| {
                let key = agenda.next(from, now)?;
                from = key + 1;
                Some(key)
            })
            .collect::<Vec<_>>()
        };
        assert_eq!(due(&agenda, at(20)), [1, 2, 4]);
        agenda.rest(1, at(5000));
        agenda.rest(2, at(40));
        agenda.forget(4);
        assert_eq!(due(&agenda, at(20)), [] as [usize; 0]);
        assert_eq!(due(&agenda, at(40)), [2]);
        agenda.touch(1);
        assert_eq!(due(&agenda, at(40)), [1, 2]);
    }
}
