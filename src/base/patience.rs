//! An end to the patience of a test that waits for another thread: one that waits for ever says neither
//! what for nor where, and takes all others with it.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// More than a busy machine needs, and far less than all tests may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Comes back when it is so; panics when it is not in time.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let given_up = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < given_up, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What another thread tells; panics when it tells nothing in time.
#[track_caller]
pub(crate) fn told<T>(by: &Receiver<T>) -> T {
    by.recv_timeout(PATIENCE).expect("told in time")
}
