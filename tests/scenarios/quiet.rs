//! Who may run beside whom: ordinary scenarios share the machine, measured ones have it alone.
//!
//! A lock on a file, so that it also holds between the processes of `cargo nextest`.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;

use super::failure;

/// The right to run; given back when dropped.
pub(crate) struct Turn(
    #[expect(dead_code, reason = "the lock lives as long as the file is open")] File,
);

/// Runs beside other scenarios, up to the number of threads of the test runner.
pub(crate) fn shared() -> Turn {
    let file = lock_file();
    file.lock_shared().expect("a lock on a file of our own");
    Turn(file)
}

/// Runs alone: for load, memory and timing.
pub(crate) fn alone() -> Turn {
    let file = lock_file();
    file.lock().expect("a lock on a file of our own");
    Turn(file)
}

fn lock_file() -> File {
    failure::tell_at_once();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("scenarios.turn");
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
