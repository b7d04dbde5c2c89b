//! Waiting on conditions, never on time alone.

use std::time::{Duration, Instant};

/// Looks every 20 ms (seldomer where looking is work, for others need the machine) until `look` finds something; panics, naming `what`, after `limit`.
#[track_caller]
pub(crate) fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        let looked = Instant::now();
        if let Some(found) = look() {
            return found;
        }
        let work = looked.elapsed();
        assert!(
            started.elapsed() < limit,
            "waited {} s in vain for: {what}",
            limit.as_secs()
        );
        std::thread::sleep((4 * work).max(Duration::from_millis(20)));
    }
}

/// Like [`until`] for a plain condition.
#[track_caller]
pub(crate) fn until_true(what: &str, limit: Duration, mut look: impl FnMut() -> bool) {
    until(what, limit, || look().then_some(()));
}

/// What a busy two-core machine may need for anything that takes a moment on a quiet one.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
