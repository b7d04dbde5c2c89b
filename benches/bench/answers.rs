//! Keys that people press and the prompts that follow them: how soon, and which never do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What followed keys.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// When the first packet of a key was sent that nothing has followed yet, by who pressed it.
    under_way: BTreeMap<usize, Instant>,
    /// Nanoseconds from a key's first packet to the first of the next prompt.
    pub(crate) took: Vec<u64>,
    /// Keys that no prompt followed in time.
    pub(crate) lost: usize,
}

/// How soon a prompt has to follow.
pub(crate) const IN_TIME: Duration = Duration::from_secs(1);

impl Answers {
    /// Somebody presses a key.
    pub(crate) fn press(&mut self, who: usize, now: Instant) {
        // One before that nothing has followed.
        self.lost += usize::from(self.under_way.insert(who, now).is_some());
    }

    /// He hears the next prompt.
    pub(crate) fn hear(&mut self, who: usize, now: Instant) {
        if let Some(pressed) = self.under_way.remove(&who) {
            let took = now.saturating_duration_since(pressed);
            self.lost += usize::from(took > IN_TIME);
            self.took.push(took.as_nanos() as u64);
        }
    }

    /// Nobody listens any more: what nothing has followed is lost. Whoever calls it has listened for
    /// [`IN_TIME`] since the last key.
    pub(crate) fn close(&mut self) {
        self.lost += self.under_way.len();
        self.under_way.clear();
    }
}
